"""The twin as a WorldView-3 delivery: folders of GeoTIFF and IMD with native names and keys.

Layout after DigitalGlobe's Imagery Support Data documentation and its Standard (2A) deliveries.
Left out: the panchromatic image, camera models (RPB), tile maps (TIL) and browse images.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from gossan.files import scratch, staged, together
from gossan.library.spectrum import Spectrum
from gossan.products.sun import sun_position
from gossan.products.worldview3 import BAND_FACTS, MOST_NUMBER, NODATA, SWIR, VNIR, calibration
from gossan.raster import BandTable, Grid, iter_blocks
from gossan.twin.site import Site
from gossan.twin.view import Instrument, View
from gossan.whole import require_whole

ORIGIN = "Simulated by gossan; not a satellite image"
ORDER = "000000000010_01_P001"
# Effective bandwidth (µm) of each band: integral of its published relative response.
_BANDWIDTH_UM = {
    **{"C": 0.0405, "B": 0.0540, "G": 0.0618, "Y": 0.0381},
    **{"R": 0.0585, "RE": 0.0387, "N": 0.1004, "N2": 0.0889},
    **{"S1": 0.0330, "S2": 0.0397, "S3": 0.0373, "S4": 0.0416},
    **{"S5": 0.0389, "S6": 0.0409, "S7": 0.0476, "S8": 0.0679},
}
# Reflectance under a sun in the zenith at which the largest number is reached; real factors, which
# go with the exposure, are of this order.
_BRIGHTEST = 1.2
# Image -> its bands, letters in the files' names, and bandId.
_IMAGES = {"MUL": (VNIR, "M2AS", "Multi"), "SWIR": (SWIR, "A2AS", "All-S")}
_TILE_PX = 256
_LINE_PERIOD = timedelta(microseconds=200)

Observe = Callable[[Window], np.ndarray]
Flags = Callable[[Window], Mapping[str, np.ndarray]]


def worldview3_bands() -> BandTable:
    """The eight VNIR and eight SWIR bands: published centres and effective bandwidths."""
    names = VNIR + SWIR
    return BandTable(
        names,
        tuple(BAND_FACTS[band].centre_um for band in names),
        tuple(_BANDWIDTH_UM[band] for band in names),
    )


# Ratios typical of its class.
INSTRUMENT = Instrument(
    sensor="worldview3",
    number=4,
    pixel_m=7.5,
    acquired=datetime(2022, 9, 5, 18, 46, 12, tzinfo=UTC),
    longitude_deg=-117.20,
    bands=worldview3_bands,
    snr=((0.40, 120.0), (0.65, 180.0), (1.0, 150.0), (1.6, 150.0), (2.3, 110.0)),
    gain_std=0.015,
    stripe_std=0.003,
    corrected=False,
    covers={"epithermal": (0.2, 1.0, 0.0)},
)


def simulate_worldview3(
    site: Site, library: Sequence[Spectrum], folder: str | Path, *, threads: int = 1
) -> None:
    """Simulate a ground as WorldView-3 sees it, all bands on one grid, and write the delivery.

    See `View` and `write_worldview3`.
    """
    view = View(site, INSTRUMENT, library)
    write_worldview3(
        folder,
        view.observe,
        view.grid,
        flags=view.flags,
        bands=view.bands,
        acquired=view.acquired,
        threads=threads,
    )


def write_worldview3(
    folder: str | Path,
    observe: Observe,
    grid: Grid,
    *,
    flags: Flags,
    bands: BandTable,
    acquired: datetime,
    threads: int = 1,
    block_px: int = 256,
) -> None:
    """Write what `observe` sees as the VNIR (MUL) image of a delivery, its SWIR image, or both.

    observe(window): reflectance of `bands`, (bands, rows, columns) float32, NaN where nothing is
    seen; it is written as that at the top of the atmosphere, through the inverse of the reader's
    calibration, so that whatever the air does must be in it. flags(window): masks (rows, columns)
    bool by name; a delivery has no masks, so that `cloud` only goes into its share of clouds. grid:
    square pixels of a projected system. bands: of `worldview3_bands`, all of an image or none of
    it: to give each image its own pixels, call once with the VNIR's and once with the SWIR's.
    acquired: time of the first line, with a time zone.

    Each image is written into its folder below `folder`, whole or not at all. Bytes do not depend
    on `threads` and `block_px`, memory on these two alone. In `folder` there is room needed for the
    images and once more for them uncompressed.

    Raises ValueError for a part of an image.
    """
    folder = Path(folder)
    parts = {
        image: [bands.names.index(band) for band in members]
        for image, (members, _, _) in _IMAGES.items()
        if set(members) <= set(bands.names)
    }
    if sum(len(part) for part in parts.values()) != len(bands.names):
        raise ValueError(
            "the bands of a WorldView-3 image are all of its VNIR, of its SWIR, or both"
        )
    start = acquired.astimezone(UTC)
    sun = _sun(grid, start)
    widths = dict(zip(bands.names, bands.fwhm_um, strict=True))
    scales = [
        calibration(band, _factor(band, widths), widths[band], start, sun[0])
        for band in bands.names
    ]
    most = [MOST_NUMBER[band] for band in bands.names]

    def quantise(
        reflectance: np.ndarray, flagged: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        stored = np.full(reflectance.shape, NODATA, np.uint16)
        for target, values, (gain, offset), limit in zip(
            stored, reflectance, scales, most, strict=True
        ):
            seen = np.isfinite(values)
            numbers = np.rint((values[seen] - np.float32(offset)) / np.float32(gain))
            target[seen] = numbers.clip(NODATA + 1, limit)
        return stored, np.asarray(flagged["cloud"])

    with together(), scratch(folder / ORDER) as work:
        stems = {
            image: f"{start:%y%b%d%H%M%S}-{_IMAGES[image][1]}-{ORDER}".upper() for image in parts
        }
        seen = clouded = 0
        with ExitStack() as opened:
            targets = {}
            for image, part in parts.items():
                path = work / f"{image}.tif"
                targets[image] = opened.enter_context(_create(path, grid, len(part)))
            blocks = iter_blocks(
                quantise,
                [observe, flags],
                grid=grid,
                block_px=block_px,
                threads=threads,
                progress="simulate worldview3",
            )
            for window, (stored, cloud) in blocks:
                inside = (stored != NODATA).any(axis=0)
                seen += int(inside.sum())
                clouded += int((inside & cloud).sum())
                for image, part in parts.items():
                    targets[image].write(stored[part], window=window)
        require_whole(work)
        for image in parts:
            text = _imd(image, grid, start, sun, widths, clouded / max(seen, 1))
            with staged(folder / f"{ORDER}_{image}", folder=True) as done:
                # Copied, because blocks of another size leave their tiles in another order.
                rasterio.shutil.copy(
                    work / f"{image}.tif",
                    done / f"{stems[image]}.TIF",
                    driver="GTiff",
                    TILED="YES",
                    COMPRESS="DEFLATE",
                    ZLEVEL=1,
                    PREDICTOR=2,
                    BIGTIFF="IF_SAFER",
                )
                (done / f"{stems[image]}.IMD").write_text(text, encoding="ascii")


def _factor(band: str, widths: Mapping[str, float]) -> float:
    """absCalFactor (W m-2 sr-1 per number), to the seven digits that an IMD has."""
    facts = BAND_FACTS[band]
    brightest = _BRIGHTEST * facts.irradiance / math.pi
    factor = (brightest - facts.offset) * widths[band] / (facts.gain * MOST_NUMBER[band])
    return float(f"{factor:.6e}")


def _sun(grid: Grid, moment: datetime) -> tuple[float, float]:
    """Elevation and azimuth in degrees, to the one decimal that an IMD has."""
    x, y = grid.place(grid.width / 2, grid.height / 2)
    (lon,), (lat,) = transform_points(grid.crs, CRS.from_epsg(4326), [x], [y])
    elevation, azimuth, _ = sun_position(moment, lon, lat)
    return round(elevation, 1), round(azimuth, 1)


def _create(path: Path, grid: Grid, count: int) -> rasterio.io.DatasetWriter:
    return rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=grid.width,
        height=grid.height,
        count=count,
        dtype="uint16",
        crs=grid.crs,
        transform=grid.transform,
        tiled=True,
        blockxsize=_TILE_PX,
        blockysize=_TILE_PX,
        bigtiff="if_safer",
    )


def _imd(
    image: str,
    grid: Grid,
    start: datetime,
    sun: tuple[float, float],
    widths: Mapping[str, float],
    cloud_cover: float,
) -> str:
    """The text of an IMD, of native groups and keys."""
    members, _, band_id = _IMAGES[image]
    end = start + grid.height * _LINE_PERIOD
    code = grid.crs.to_epsg()
    pixel = grid.transform.a
    groups: dict[str, dict[str, object]] = {
        f"BAND_{band}": {
            **_corners(grid),
            "absCalFactor": f"{_factor(band, widths):.6e}",
            "effectiveBandwidth": f"{widths[band]:.6e}",
            "TDILevel": 1,
        }
        for band in members
    }
    groups["IMAGE_1"] = {
        "satId": '"WV03"',
        "mode": '"FullSwath"',
        "scanDirection": '"Forward"',
        "CatId": '"0000000000000000"',
        "TLCTime": _time(start),
        "firstLineTime": _time(start),
        "meanSunAz": sun[1],
        "meanSunEl": sun[0],
        "meanOffNadirViewAngle": 0.0,
        "cloudCover": f"{cloud_cover:.3f}",
    }
    east, north = grid.place(0.5, 0.5)
    groups["MAP_PROJECTED_PRODUCT"] = {
        "earliestAcqTime": _time(start),
        "latestAcqTime": _time(end),
        "datumName": '"WE"',
        "mapProjName": '"UTM"',
        "mapZone": code % 100,
        "mapHemi": '"N"' if code // 100 == 326 else '"S"',
        "productUnits": '"M"',
        "originX": f"{east:.6f}",
        "originY": f"{north:.6f}",
        "orientationAngle": 0.0,
        "colSpacing": f"{pixel:.6f}",
        "rowSpacing": f"{pixel:.6f}",
        "productGSD": f"{pixel:.6f}",
    }
    head: dict[str, object] = {
        "version": '"28.3"',
        "generationTime": _time(end),
        "productOrderId": f'"{ORDER}"',
        "imageDescriptor": f'"{ORIGIN}"',
        "bandId": f'"{band_id}"',
        "panSharpenAlgorithm": '"None"',
        "numRows": grid.height,
        "numColumns": grid.width,
        "productLevel": '"LV2A"',
        "productType": '"Standard"',
        "numberOfLooks": 1,
        "radiometricLevel": '"Corrected"',
        "radiometricEnhancement": '"Off"',
        "bitsPerPixel": 16,
        "compressionType": '"None"',
    }
    lines = [f"{key} = {value};" for key, value in head.items()]
    for name, entries in groups.items():
        lines.append(f"BEGIN_GROUP = {name}")
        lines += [f"\t{key} = {value};" for key, value in entries.items()]
        lines.append(f"END_GROUP = {name}")
    return "\n".join([*lines, 'outputFormat = "GeoTIFF";', "END;", ""])


def _corners(grid: Grid) -> dict[str, str]:
    found = {}
    for corner, column, row in (
        ("UL", 0, 0),
        ("UR", grid.width, 0),
        ("LR", grid.width, grid.height),
        ("LL", 0, grid.height),
    ):
        x, y = grid.place(column, row)
        (lon,), (lat,) = transform_points(grid.crs, CRS.from_epsg(4326), [x], [y])
        found |= {f"{corner}Lon": f"{lon:.8f}", f"{corner}Lat": f"{lat:.8f}"}
    return found


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"
