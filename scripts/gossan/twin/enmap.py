"""The twin as an EnMAP Level-2A product: a folder of native names, image, quality layers, metadata.

Layout, names, codes and elements after the EnMAP Ground Segment's Level 1B, 1C and 2A product
specification (EN-PCV-ICD-2009): 224 bands by wavelength, of which those in the water vapour at
1.4 µm hold no data. Left out: quicklooks, orbit and attitude, rational polynomials, times of lines.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from gossan.files import scratch, staged
from gossan.library.spectrum import Spectrum
from gossan.products.enmap import FLAG_NUMBERS, NO_DEVIATION, NO_MEAN, NODATA, SATURATED_BITS
from gossan.products.enmap_files import CLASSES, IMAGE, METADATA, QUALITY, TESTFLAGS
from gossan.products.enmap_nominal import GAIN, enmap_bands, swir_nm, vnir_nm
from gossan.products.sun import sun_position
from gossan.raster import BandTable, Grid, Layer, encode, iter_blocks
from gossan.twin.site import Site
from gossan.twin.view import Instrument, View
from gossan.whole import require_whole

ORIGIN = "Simulated by gossan; not an EnMAP product"
PIXEL_M = 30
VERSION = "01.03.03"
PIXELMASK = "QL_PIXELMASK"
LAND = 1
# Bands in here (µm) hold no data: no light comes back through the water vapour.
_OPAQUE_UM = (1.325, 1.40)
# Time from line to line.
_LINE = timedelta(milliseconds=4.4)

Observe = Callable[[Window], np.ndarray]
Flags = Callable[[Window], Mapping[str, np.ndarray]]


# Ratios: the requirement of 500 at 0.495 µm and 150 at 2.2 µm (Guanter et al. 2015, Remote Sensing
# 7, 8830).
INSTRUMENT = Instrument(
    sensor="enmap",
    number=1,
    pixel_m=float(PIXEL_M),
    acquired=datetime(2023, 6, 2, 18, 52, 31, tzinfo=UTC),
    longitude_deg=-117.20,
    bands=enmap_bands,
    snr=((0.42, 300.0), (0.495, 500.0), (0.9, 350.0), (1.6, 250.0), (2.2, 150.0), (2.45, 80.0)),
    gain_std=0.012,
    stripe_std=0.003,
)


def simulate_enmap(
    site: Site, library: Sequence[Spectrum], path: str | Path, *, threads: int = 1
) -> None:
    """Simulate a ground as EnMAP sees it and write the product, see `View` and `write_enmap`."""
    view = View(site, INSTRUMENT, library)
    write_enmap(
        path,
        view.observe,
        view.grid,
        flags=view.flags,
        bands=view.bands,
        acquired=view.acquired,
        threads=threads,
    )


def write_enmap(
    path: str | Path,
    observe: Observe,
    grid: Grid,
    *,
    flags: Flags,
    bands: BandTable,
    acquired: datetime,
    threads: int = 1,
    block_px: int = 128,
) -> None:
    """Write what the sensor saw as the folder `path` of one Level-2A product, all or nothing.

    observe(window) is surface reflectance as the product has it, noise included, (bands, rows,
    columns) float32, NaN outside of the swath; flags(window) maps names of flags ("cloud",
    "cloud_shadow", "cirrus", "snow", "haze", "water", "saturation") to (rows, columns) bool, and
    those that it leaves out are nowhere set. Both must allow calls from several threads. `grid`
    is in UTM, `bands` ascend by wavelength, `acquired` has a time zone. An older `path` is
    replaced.

    Bytes depend on the arguments without `threads` and `block_px`; memory on these two and the
    number of bands.
    """
    acquired = acquired.astimezone(UTC)
    name = product_name(acquired)
    with staged(path, folder=True) as done, scratch(path) as work:
        tally = _write_numbers(work, observe, flags, grid, bands, threads, block_px)
        require_whole(work)
        with rasterio.Env(GDAL_NUM_THREADS=1):
            for layer in (IMAGE, *QUALITY):
                # A copy, so that the strips come in their order however the blocks did.
                rasterio.shutil.copy(
                    work / f"{layer}.tif",
                    done / f"{name}-{layer}.TIF",
                    driver="GTiff",
                    COMPRESS="DEFLATE",
                    INTERLEAVE="BAND",
                )
            _write_pixelmask(done / f"{name}-{PIXELMASK}.TIF", grid, len(bands.names))
        text = _metadata(name, grid, bands, acquired, tally, done)
        (done / f"{name}-{METADATA}.XML").write_text(text, encoding="utf-8")


def product_name(acquired: datetime) -> str:
    """What the names of all files of a product begin with; datatake 0, for no such one exists."""
    processed = acquired + timedelta(days=1)
    return (
        f"ENMAP01-____L2A-DT0000000000_{acquired:%Y%m%dT%H%M%S}Z_001_V{VERSION.replace('.', '')}_"
        f"{processed:%Y%m%d}T000000Z"
    )


class _Tally:
    """Counts of the whole scene, exact, so that they do not depend on the order of the blocks."""

    def __init__(self, bands: int):
        """Nothing is counted yet; `bands` is the number of the image's bands."""
        self.pixels = 0
        self.count = np.zeros(bands, np.int64)
        self.total = np.zeros(bands, np.int64)
        self.squares = np.zeros(bands, np.int64)
        self.flagged = dict.fromkeys(("fill", "saturation", *FLAG_NUMBERS), 0)

    def add(self, stored: np.ndarray, flags: Mapping[str, np.ndarray]) -> None:
        """Count the numbers of a block, (bands, rows, columns) int16, and its flags."""
        self.pixels += stored[0].size
        # Band by band: as 64 bits a whole block would be large.
        for band, numbers in enumerate(stored):
            seen = numbers[numbers != NODATA].astype(np.int64)
            self.count[band] += seen.size
            self.total[band] += seen.sum()
            self.squares[band] += (seen**2).sum()
        for flag, layer in flags.items():
            self.flagged[flag] += int(layer.sum())

    def statistics(self, band: int) -> tuple[float, float]:
        """Mean and standard deviation of a band's reflectance, or what tells that it has none."""
        count, total = int(self.count[band]), int(self.total[band])
        if not count:
            return NO_MEAN, NO_DEVIATION
        variance = (count * int(self.squares[band]) - total**2) / count**2
        return GAIN * total / count, GAIN * math.sqrt(variance)

    def percentage(self, flag: str) -> int:
        """Share of the pixels seen that have a flag, in whole per cent."""
        return round(100 * self.flagged[flag] / max(1, self.pixels - self.flagged["fill"]))


# ---- rasters --------------------------------------------------------------------------------


def _write_numbers(
    work: Path,
    observe: Observe,
    flags: Flags,
    grid: Grid,
    bands: BandTable,
    threads: int,
    block_px: int,
) -> _Tally:
    """Write image and quality layers uncompressed, work/<layer>.tif, and count what they hold."""
    image = Layer(work / f"{IMAGE}.tif", "int16", NODATA, bands, scale=GAIN)
    low, high = _OPAQUE_UM
    opaque = [low <= centre <= high for centre in bands.centre_um]
    tally = _Tally(len(opaque))

    def simulate(window: Window) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        stored = encode(observe(window), image)
        stored[opaque] = NODATA
        fill = (stored == NODATA).all(axis=0)
        return stored, {"fill": fill} | {
            flag: layer & ~fill for flag, layer in flags(window).items()
        }

    with ExitStack() as stack:
        files = {
            layer: stack.enter_context(_create(work / f"{layer}.tif", layer, grid, len(opaque)))
            for layer in (IMAGE, *QUALITY)
        }
        blocks = iter_blocks(
            simulate,
            [lambda window: window],
            grid=grid,
            block_px=block_px,
            threads=threads,
            progress="simulate enmap",
        )
        for window, (stored, told) in blocks:
            tally.add(stored, told)
            files[IMAGE].write(stored, window=window)
            for layer in QUALITY:
                files[layer].write(_quality(layer, told), 1, window=window)
    return tally


def _create(path: Path, layer: str, grid: Grid, bands: int) -> rasterio.io.DatasetWriter:
    is_image = layer == IMAGE
    return rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=grid.width,
        height=grid.height,
        count=bands if is_image else 1,
        dtype="int16" if is_image else "uint8",
        # As in the products: no data is told of the image, and of the classes as background.
        nodata=NODATA if is_image else FLAG_NUMBERS["fill"][1][0] if layer == CLASSES else None,
        crs=grid.crs,
        transform=grid.transform,
        interleave="band",
    )


def _quality(layer: str, flags: Mapping[str, np.ndarray]) -> np.ndarray:
    """The numbers of one quality layer, (rows, columns) uint8; cirrus is always thin."""
    codes = np.full(flags["fill"].shape, LAND if layer == CLASSES else 0, np.uint8)
    for flag, (where, numbers) in FLAG_NUMBERS.items():
        if where == layer and flag in flags:
            codes[flags[flag]] = numbers[0]
    if layer == TESTFLAGS and "saturation" in flags:
        codes[flags["saturation"]] = SATURATED_BITS
    return codes


def _write_pixelmask(path: Path, grid: Grid, bands: int) -> None:
    """No pixel is defective: strips that are not written are 0."""
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=grid.width,
        height=grid.height,
        count=bands,
        dtype="uint8",
        crs=grid.crs,
        transform=grid.transform,
        compress="deflate",
        interleave="band",
    ):
        pass


# ---- metadata -------------------------------------------------------------------------------


def _metadata(
    name: str, grid: Grid, bands: BandTable, acquired: datetime, tally: _Tally, folder: Path
) -> str:
    """The text of METADATA.XML: native elements in their places, with the scene's own values."""
    stop = acquired + grid.height * _LINE
    corners = _corners(grid)
    elevations, azimuths = {}, {}
    for frame, (lon, lat) in corners.items():
        elevation, azimuth, _ = sun_position(acquired, lon, lat)
        elevations[frame], azimuths[frame] = f"{elevation:.6f}", f"{azimuth:.6f}"
    channels = _channels(bands)
    files = sorted([METADATA, PIXELMASK, IMAGE, *QUALITY])
    characters = statistics = listed = ""
    for place, (centre, width) in enumerate(zip(bands.centre_um, bands.fwhm_um, strict=True), 1):
        wavelength = f"{1000 * centre:.2f}"
        characters += _element(
            f'bandID number="{place}"',
            {
                "wavelengthCenterOfBand": wavelength,
                "FWHMOfBand": f"{1000 * width:.2f}",
                "GainOfBand": f"{GAIN:.4f}",
                "OffsetOfBand": "0",
            },
        )
        mean, deviation = tally.statistics(place - 1)
        statistics += _element(
            f'bandID number="{place}"',
            {
                "waveLength": wavelength,
                "mean": f"{mean:.6g}" if mean != NO_MEAN else f"{mean:.0f}",
                "stdDeviation": f"{deviation:.6g}",
            },
        )
    for number, layer in enumerate(files, 1):
        listed += _element(f'file number="{number}"', _file_entry(folder, name, layer))
    size = {"columns": grid.width, "rows": grid.height}
    polygon = _polygon(corners, acquired, stop)
    covers = {
        "cloudCover": tally.percentage("cloud"),
        "hazeCover": tally.percentage("haze"),
        "cirrusCover": tally.percentage("cirrus"),
        "snowCover": tally.percentage("snow"),
        "waterCover": tally.percentage("water"),
        "cloudShadow": tally.percentage("cloud_shadow"),
    }
    zenith = 90 - float(elevations["center"])
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<level_X xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:noNamespaceSchemaLocation="metadata_Lx_00-06-00.xsd">
<metadata>
{
        _element(
            "schema",
            {
                "copyright": ORIGIN,
                "versionSchema": "00.06.00",
                "name": "metadata_Lx_00-06-00.xsd",
                "processingLevel": "L2A",
            },
        )
    }<name>{name}-{METADATA}.XML</name>
<comment>{escape(ORIGIN)}</comment>
<copyright>{escape(ORIGIN)}</copyright>
<citation>{escape(ORIGIN)}</citation>
</metadata>
{
        _element(
            "processing",
            {
                "terrainCorrection": "Yes",
                "productFormat": "GeoTIFF+Metadata",
                "mapProjection": "UTM_Zone_of_Scene_Center",
                "imageResampling": "Bilinear_Interpolation",
                "correctionType": "Land_Mode",
                "cirrusHazeRemoval": "No",
                "bandInterpolation": "No",
            },
        )
    }<base>
<spatialCoverage>
{polygon}</spatialCoverage>
{_element("temporalCoverage", {"startTime": _time(acquired), "stopTime": _time(stop)})}<revision>{
        VERSION
    }</revision>
<sphere>earth</sphere>
<format>ENMAP_L2A</format>
<level>L2A</level>
<archivedVersion>{VERSION}</archivedVersion>
</base>
<specific>
{_element("qualityFlag", {"overallQuality": 0, "sceneSZA": f"{zenith:.6f}", **covers})}{
        "".join(
            _element(
                f"{detector}ProductQuality",
                {
                    f"{detector}ProductStatus": "OK",
                    "numChannelsExpected": len(places),
                    "expectedChannelsList": ",".join(map(str, places)),
                    "numChannelsMissing": 0,
                    "missingChannelsList": "",
                },
            )
            for detector, places in channels.items()
        )
    }<missionPhase>simulation</missionPhase>
<processingCenter>gossan</processingCenter>
<mission>EnMAP</mission>
<satelliteID>01</satelliteID>
<sensor>HSI</sensor>
<datatakeID>0000000000</datatakeID>
<numberOfSWIRBands>{len(channels["swir"])}</numberOfSWIRBands>
<numberOfVNIRBands>{len(channels["vnir"])}</numberOfVNIRBands>
<datatakeStart>{_time(acquired)}</datatakeStart>
<datatakeStop>{_time(stop)}</datatakeStop>
<backgroundValue>0</backgroundValue>
<tileID>01</tileID>
<numberOfTiles>01</numberOfTiles>
<widthOfScene unit="pixel">{grid.width}</widthOfScene>
<heightOfScene unit="pixel">{grid.height}</heightOfScene>
{_element("sunElevationAngle", elevations, ' unit="DEG"')}{
        _element("sunAzimuthAngle", azimuths, ' unit="DEG"')
    }<pixelSize>{PIXEL_M}</pixelSize>
<code>L2A</code>
<bandCharacterisation>
{characters}</bandCharacterisation>
<pixelSizeOfOrthoScene>{grid.transform.a:g}</pixelSizeOfOrthoScene>
<widthOfOrthoScene>{grid.width}</widthOfOrthoScene>
<heightOfOrthoScene>{grid.height}</heightOfOrthoScene>
</specific>
<product>
<image>
<merge>
<channels>{len(bands.names)}</channels>
<name>{name}-{IMAGE}.TIF</name>
<version>{VERSION}</version>
<format>binary</format>
{_element("dimension", size)}</merge>
</image>
{
        _element(
            "ortho",
            {
                "projection": _projection(grid.crs),
                "resolution": f"{grid.transform.a:g}",
                "resampling": "bilinear",
            },
        )
    }<productFileInformation>
{listed}</productFileInformation>
<bandStatistics>
{statistics}</bandStatistics>
</product>
</level_X>
"""


def _element(name: str, values: Mapping[str, object], attribute: str = "") -> str:
    """An element of plain elements; `name` may have attributes, `attribute` goes to each inside."""
    inside = "".join(
        f"<{key}{attribute}>{escape(str(value))}</{key}>\n" for key, value in values.items()
    )
    return f"<{name}>\n{inside}</{name.split()[0]}>\n"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"


def _file_entry(folder: Path, name: str, layer: str) -> dict[str, object]:
    """What productFileInformation says of a file; the metadata cannot know their own size."""
    if layer == METADATA:
        return {"name": f"{name}-{METADATA}.XML", "version": VERSION, "format": "xml"}
    path = folder / f"{name}-{layer}.TIF"
    return {
        "name": path.name,
        "size": path.stat().st_size >> 10,
        "version": VERSION,
        "format": "binary",
    }


def _channels(bands: BandTable) -> dict[str, list[int]]:
    """Places of the bands of each detector, told by the nearest band of the table."""
    tables = {"vnir": vnir_nm()[:, 0], "swir": swir_nm()[:, 0]}
    channels: dict[str, list[int]] = {detector: [] for detector in tables}
    for place, centre in enumerate(bands.centre_um, 1):
        distance = {
            detector: np.abs(table - 1000 * centre).min() for detector, table in tables.items()
        }
        channels[min(distance, key=distance.get)].append(place)
    return channels


def _corners(grid: Grid) -> dict[str, tuple[float, float]]:
    """(longitude, latitude) of the outer corners of the grid and of its centre."""
    places = {
        "upper_left": (0, 0),
        "upper_right": (grid.width, 0),
        "lower_right": (grid.width, grid.height),
        "lower_left": (0, grid.height),
        "center": (grid.width / 2, grid.height / 2),
    }
    points = [grid.place(*place) for place in places.values()]
    lon, lat = transform_points(grid.crs, CRS.from_epsg(4326), *zip(*points, strict=True))
    return dict(zip(places, zip(lon, lat, strict=True), strict=True))


def _polygon(corners: Mapping[str, tuple[float, float]], start: datetime, stop: datetime) -> str:
    turns = ("upper_left", "lower_left", "lower_right", "upper_right", "upper_left", "center")
    moments = {"upper": start, "lower": stop, "center": start + (stop - start) / 2}
    points = ""
    for frame in turns:
        lon, lat = corners[frame]
        points += (
            f"<point>\n<frame>{frame}</frame>\n"
            f'<latitude unit="DEG">{lat:.7f}</latitude>\n'
            f'<longitude unit="DEG">{lon:.7f}</longitude>\n'
            f"<utcTime>{_time(moments[frame.split('_')[0]])}</utcTime>\n</point>\n"
        )
    return f"<boundingPolygon>\n{points}</boundingPolygon>\n"


def _projection(crs: CRS) -> str:
    """As "UTM_Zone11_North", from the code of the zone (EPSG 326xx north, 327xx south)."""
    code = crs.to_epsg()
    return f"UTM_Zone{code % 100:02d}_{'North' if code // 100 == 326 else 'South'}"
