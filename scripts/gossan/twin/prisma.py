"""The twin as a PRISMA Level-2D product: an .he5 file with native groups, attributes and order.

Layout after ASI's PRISMA Products Specification Document, issue 2.3. Left out: the panchromatic
image, and the groups Info and KDP_AUX of the instrument's own state.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import numpy as np
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from gossan.files import scratch, staged
from gossan.library.spectrum import Spectrum
from gossan.products.prisma import DETECTORS, INVALID, MOST_NUMBER, NEGATIVE, PIXEL_M, SWATH
from gossan.products.sun import sun_position
from gossan.raster import BandTable, Grid, iter_blocks
from gossan.twin.site import Site
from gossan.twin.view import Instrument, View

ORIGIN = "Simulated by gossan; not a satellite image"
# Bands of each cube, and the first and last that is used (places from 1).
COUNTS = {"Vnir": 66, "Swir": 173}
USED = {"Vnir": (4, 66), "Swir": (1, 171)}
# Centre and FWHM (nm) of the bands over their places, from -1 (first used) to 1 (last): polynomials
# fitted to those that ASI states in PRS_L2D_STD_20240402102837. Centres are met to 0.8 nm (VNIR)
# and 1.4 nm (SWIR), widths to 0.8 nm.
_CENTRE_NM = {
    "Vnir": (655.4, -292.25, 53.77, 17.52, -16.64, -10.13),
    "Swir": (1822.9, -795.77, -153.59, -20.93, 49.75, 39.61),
}
_FWHM_NM = {
    "Vnir": (11.642, -3.718, -2.662, 0.353, 2.893, 2.324),
    "Swir": (12.455, 4.379, 1.748, -0.557, -3.913, -2.938),
}
# Reflectance that the numbers 0 and 65535 stand for.
_LEAST, _MOST = 0.0, 1.5
# What products have where a value is saturated; the document says 3.
_SATURATED = 4
_LINE_PERIOD = timedelta(microseconds=4305)
_MJD2000 = datetime(2000, 1, 1, tzinfo=UTC)
_CHUNK_PX = 32
_CUBE, _ERRORS = "_Cube", "_PIXEL_L2_ERR_MATRIX"
# Times of writing would make the bytes differ from run to run.
_STORAGE = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "track_times": False}

Observe = Callable[[Window], np.ndarray]
Flags = Callable[[Window], Mapping[str, np.ndarray]]


def prisma_bands() -> BandTable:
    """The 63 + 171 bands in use, VNIR then SWIR, each by ascending wavelength.

    Around 0.95 µm they overlap, as in the products. Names as `gossan.products.prisma` has them.
    """
    names, centres, widths = [], [], []
    for detector, (first, last) in USED.items():
        letter, digits = DETECTORS[detector]
        places = np.arange(last, first - 1, -1)
        along = (2 * places - first - last) / (last - first)
        names += [f"{letter}{place:0{digits}d}" for place in places]
        for values, coefficients in ((centres, _CENTRE_NM), (widths, _FWHM_NM)):
            fitted = np.polynomial.polynomial.polyval(along, coefficients[detector])
            values += [round(float(value) / 1000, 7) for value in fitted]
    return BandTable(tuple(names), tuple(centres), tuple(widths))


# Ratios of the order of Cogliati et al. 2021 (Remote Sensing of Environment 262, 112499), rounded.
INSTRUMENT = Instrument(
    sensor="prisma",
    number=2,
    pixel_m=float(PIXEL_M),
    acquired=datetime(2022, 7, 14, 18, 41, 55, tzinfo=UTC),
    longitude_deg=-117.20,
    bands=prisma_bands,
    snr=((0.40, 120.0), (0.65, 300.0), (1.0, 200.0), (1.55, 250.0), (2.2, 110.0), (2.5, 45.0)),
    gain_std=0.020,
    stripe_std=0.006,
    covers={"epithermal": (0.0, 0.78, 0.14)},
)


def simulate_prisma(
    site: Site, library: Sequence[Spectrum], path: str | Path, *, threads: int = 1
) -> None:
    """Simulate a ground as PRISMA sees it and write the product, see `View` and `write_prisma`."""
    view = View(site, INSTRUMENT, library)
    write_prisma(
        path,
        view.observe,
        view.grid,
        flags=view.flags,
        bands=view.bands,
        acquired=view.acquired,
        threads=threads,
    )


def write_prisma(
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
    """Write what `observe` sees as one Level-2D product.

    observe(window): surface reflectance of `bands`, (bands, rows, columns) float32, NaN outside of
    the swath. flags(window): masks (rows, columns) bool by name; an L2D product has
    no cloud mask, so that `cloud` only goes into its share of clouds. grid: 30 m pixels of a
    projected system. bands: of `prisma_bands`, any of them, in any order. acquired: the start, with
    a time zone.

    Numbers are cut off at reflectance 0 and 1, and the matrices of errors say where. Bytes do not
    depend on `threads` and `block_px`; memory depends on these two, and some bytes per pixel of the
    grid. Beside `path` there is room needed for the file twice.

    Raises ValueError for a grid of other pixels.
    """
    if not np.allclose(grid.transform[:6:4], (PIXEL_M, -PIXEL_M)) or not grid.crs.is_projected:
        raise ValueError(f"a PRISMA L2D product has {PIXEL_M} m pixels of a projected system")
    places = _places(bands)

    def quantise(
        reflectance: np.ndarray, flagged: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        numbers, errors = _quantise(reflectance)
        return numbers, errors, np.asarray(flagged["cloud"])

    path = Path(path)
    start = acquired.astimezone(UTC)
    blocks = iter_blocks(
        quantise,
        [observe, flags],
        grid=grid,
        block_px=block_px,
        threads=threads,
        progress="simulate prisma",
    )
    with (
        staged(path) as temporary,
        scratch(path) as work,
        h5py.File(work / "blocks.h5", "w") as numbers,
    ):
        images = _create_images(numbers, grid)
        seen, clouded = np.zeros(grid.shape, bool), 0
        for window, (stored, wrong, cloud) in blocks:
            rows, columns = (slice(int(s.start), int(s.stop)) for s in window.toslices())
            inside = stored.any(axis=0)
            seen[rows, columns] = inside
            clouded += int((inside & cloud).sum())
            for detector, (place, index) in places.items():
                for suffix, source in ((_CUBE, stored), (_ERRORS, wrong)):
                    block = np.zeros(
                        (window.height, COUNTS[detector], window.width), dtype=source.dtype
                    )
                    block[:, place] = source[index].transpose(1, 0, 2)
                    images[detector.upper() + suffix][rows, :, columns] = block
        numbers.flush()
        with h5py.File(temporary, "w") as file:
            elevation, azimuth = _sun(grid, start)
            _write_maps(file, grid, start, np.where(seen, np.float32(90 - elevation), 0))
            fields = file[SWATH].create_group("Data Fields")
            for name, image in _create_images(fields, grid).items():
                _copy_chunks(images[name], image)
            cloudy = 100 * clouded / max(int(seen.sum()), 1)
            _write_attributes(file, grid, bands, places)
            file.attrs["Sun_zenith_angle"] = np.float32(90 - elevation)
            file.attrs["Sun_azimuth_angle"] = np.float32(azimuth)
            file.attrs["Cloudy_pixels_percentage"] = np.float32(cloudy)
            stop = start + grid.height * _LINE_PERIOD
            name = f"PRS_L2D_STD_{start:%Y%m%d%H%M%S}_{stop:%Y%m%d%H%M%S}_0001.he5"
            file.attrs["Product_Name"] = np.bytes_(name)
            for key, moment in (("Start", start), ("Stop", stop)):
                text = f"{moment:%Y-%m-%dT%H:%M:%S.%f}"
                file.attrs[f"Product_{key}Time"] = np.bytes_(text)
            file.flush()


def _places(bands: BandTable) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Detector -> places of its bands in the cube (from 0), and where they stand in `bands`."""
    found = {}
    for detector, (letter, _) in DETECTORS.items():
        index = [i for i, name in enumerate(bands.names) if name.startswith(letter)]
        place = [int(bands.names[i][1:]) - 1 for i in index]
        found[detector] = (np.array(place, int), np.array(index, int))
    return found


def _quantise(reflectance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and codes of errors of a block, uint16 and uint8; number 0 where it is NaN."""
    seen = np.isfinite(reflectance)
    scaled = (np.where(seen, reflectance, _LEAST) - np.float32(_LEAST)) * np.float32(
        MOST_NUMBER / (_MOST - _LEAST)
    )
    errors = np.zeros(reflectance.shape, np.uint8)
    errors[~seen & seen.any(axis=0)] = INVALID
    errors[scaled < 0] = NEGATIVE
    errors[scaled > MOST_NUMBER] = _SATURATED
    return np.rint(scaled).clip(0, MOST_NUMBER).astype(np.uint16), errors


def _sun(grid: Grid, moment: datetime) -> tuple[float, float]:
    """Elevation and azimuth in degrees over the middle of the grid."""
    (lon,), (lat,) = _degrees(grid, np.array([grid.width / 2]), np.array([grid.height / 2]))
    return sun_position(moment, lon, lat)[:2]


def _create_images(group: h5py.Group, grid: Grid) -> dict[str, h5py.Dataset]:
    """Cubes and matrices of errors, empty, by name."""
    height, width = grid.shape
    rows, columns = min(height, _CHUNK_PX), min(width, _CHUNK_PX)
    return {
        f"{detector.upper()}{suffix}": group.create_dataset(
            f"{detector.upper()}{suffix}",
            (height, count, width),
            dtype,
            chunks=(rows, count, columns),
            **_STORAGE,
        )
        for detector, count in COUNTS.items()
        for suffix, dtype in ((_CUBE, np.uint16), (_ERRORS, np.uint8))
    }


def _copy_chunks(source: h5py.Dataset, target: h5py.Dataset) -> None:
    """Copy as stored, row by row: blocks of another size are written in another order."""
    rows, _, columns = source.chunks
    for row in range(0, source.shape[0], rows):
        for column in range(0, source.shape[2], columns):
            mask, stored = source.id.read_direct_chunk((row, 0, column))
            target.id.write_direct_chunk((row, 0, column), stored, mask)


def _write_maps(file: h5py.File, grid: Grid, start: datetime, zenith: np.ndarray) -> None:
    """The groups, maps of place and angles, and the time of each row; straight down is 0."""
    file.create_group("HDFEOS INFORMATION").attrs["HDFEOSVersion"] = np.bytes_("HDFEOS_5.1.15")
    swath = file.create_group(SWATH)
    places, geometry = (
        swath.create_group(f"{kind} Fields") for kind in ("Geolocation", "Geometric")
    )
    angles = ("Observing_Angle", "Rel_Azimuth_Angle", "Solar_Zenith_Angle")
    maps = {
        key: group.create_dataset(key, grid.shape, np.float32, track_times=False)
        for group, keys in ((places, ("Latitude", "Longitude")), (geometry, angles))
        for key in keys
    }
    maps["Solar_Zenith_Angle"][:] = zenith
    columns = np.arange(grid.width) + 0.5
    for row in range(grid.height):
        lon, lat = _degrees(grid, columns, np.full(grid.width, row + 0.5))
        maps["Longitude"][row], maps["Latitude"][row] = lon, lat
    days = [
        (start + row * _LINE_PERIOD - _MJD2000) / timedelta(days=1) for row in range(grid.height)
    ]
    places.create_dataset("Time", data=np.array(days), track_times=False)


def _degrees(grid: Grid, columns: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude of positions in pixels."""
    x, y = grid.place(columns, rows)
    lon, lat = transform_points(grid.crs, CRS.from_epsg(4326), x, y)
    return np.array(lon), np.array(lat)


def _write_attributes(
    file: h5py.File,
    grid: Grid,
    bands: BandTable,
    places: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> None:
    code = grid.crs.to_epsg()
    attributes: dict[str, object] = {
        "Product_ID": np.bytes_("PRS_L2D_STD"),
        "Processing_Level": np.bytes_("2D"),
        "Processor_Name": np.bytes_(ORIGIN),
        "Processor_Version": np.bytes_("simulated"),
        "Projection_Name": np.bytes_("UTM"),
        "Projection_Id": np.bytes_(f"{code % 100}"),
        "Epsg_Code": np.uint32(code),
        "Reference_Ellipsoid": np.bytes_("WGS84"),
    }
    right, bottom = grid.width - 0.5, grid.height - 0.5
    corners = {
        "ULcorner": (0.5, 0.5),
        "URcorner": (right, 0.5),
        "LLcorner": (0.5, bottom),
        "LRcorner": (right, bottom),
        "center": (grid.width / 2, grid.height / 2),
    }
    for corner, (column, row) in corners.items():
        easting, northing = grid.place(column, row)
        (lon,), (lat,) = _degrees(grid, np.array([column]), np.array([row]))
        attributes |= {
            f"Product_{corner}_easting": easting,
            f"Product_{corner}_northing": northing,
            f"Product_{corner}_lat": np.float32(lat),
            f"Product_{corner}_long": np.float32(lon),
        }
    for detector, (place, index) in places.items():
        lists = {
            "Cw": np.asarray(bands.centre_um)[index] * 1000,
            "Fwhm": np.asarray(bands.fwhm_um)[index] * 1000,
        }
        for key, values in lists.items():
            filled = np.zeros(COUNTS[detector], np.float32)
            filled[place] = values
            attributes[f"List_{key}_{detector}"] = filled
        used = np.zeros(COUNTS[detector], np.uint8)
        used[place] = 1
        attributes[f"List_Cw_{detector}_Flags"] = used
        attributes[f"L2Scale{detector}Min"] = np.float32(_LEAST)
        attributes[f"L2Scale{detector}Max"] = np.float32(_MOST)
    for key, value in attributes.items():
        file.attrs[key] = value
