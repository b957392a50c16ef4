"""The twin as a Landsat 8 Collection 2 Level 1 product: native names, digital numbers, flags, MTL.

Layout after the Landsat 8-9 Collection 2 Level 1 Data Format Control Book (USGS LSDS-1822).
"""

import math
import shutil
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.transform import from_origin
from rasterio.transform import xy as pixel_centre
from rasterio.warp import transform as transform_points
from rasterio.windows import Window
from scipy.ndimage import maximum_filter

from gossan.errors import InputError
from gossan.files import staged
from gossan.legend import MapClass, write_class_style
from gossan.library.spectrum import Spectrum
from gossan.products.landsat import BAND_TABLES
from gossan.raster import BandTable, Grid, Layer, map_blocks, split_blocks
from gossan.twin.ground import CONSTITUENTS, Ground, Sky, padded
from gossan.twin.noise import field_key, white_noise
from gossan.twin.optics import BandSpectra, band_spectra, surface_reflectance, top_of_atmosphere

SENSOR = "Landsat-8 OLI_TIRS"
ORIGIN = "Simulated by gossan; not a satellite image"
# Path 149 of the reference system passes Gilgit's longitude on 19 July 2024.
PRODUCT_ID = "LC08_L1TP_149035_20240719_20240729_02_T1"
PIXEL_M = 30
TRUTH_NODATA = 255
# Scene centre: near Gilgit, in UTM zone 43 N (m).
_CRS = CRS.from_epsg(32643)
_CENTRE_M = (436_920, 3_973_020)
# Sun over 35.9° N 74.3° E on that day at 05:37 UTC, distance in astronomical units.
SUN_ELEVATION_DEG = 64.9
SUN_AZIMUTH_DEG = 120.7
_SUN_DISTANCE = 1.01621
_OVERPASS = 20240719
_BANDS = (1, 2, 3, 4, 5, 6, 7, 9)
BANDS = BandTable(
    tuple(f"B{number}" for number in _BANDS),
    (*BAND_TABLES["LANDSAT_8"][0], 1.37348),
    (*BAND_TABLES["LANDSAT_8"][1], 0.02038),
)
_REFLECTANCE_MULT, _REFLECTANCE_ADD = 2.0e-5, -0.1
_DN_MIN, _DN_MAX = 1, 65535
# Solar irradiance over the atmosphere in each band (W m-2 µm-1) at one astronomical unit.
_IRRADIANCE = (1972.0, 2019.0, 1861.0, 1569.0, 960.0, 239.0, 80.5, 375.0)
# Transmittance of ozone, water vapour and other gases, both ways, over high dry ground in
# summer: typical values. Next to nothing comes back through the water vapour in band 9.
_GAS = (0.998, 0.985, 0.935, 0.955, 0.995, 0.985, 0.96, 0.012)
# Signal-to-noise ratio at the typical radiance (W m-2 sr-1 µm-1) of the mission's requirements;
# ratios rounded, of the order reached in orbit (Morfitt et al. 2015, Remote Sensing 7, 2208).
_SNR = (230.0, 360.0, 300.0, 220.0, 200.0, 260.0, 330.0, 160.0)
_TYPICAL_RADIANCE = (40.0, 40.0, 30.0, 22.0, 14.0, 4.0, 1.7, 6.0)
# Part of the noise variance that does not grow with the signal.
_DARK_NOISE = 0.3
_AEROSOL_055 = 0.1
# Share of the scene's width that the slanted edge of the swath cuts off, top left to bottom right.
_SLANT = 0.06
_DILATION_PX = 3
# Opacity over which the algorithm is sure of a cloud, and from which it suspects one.
_CLOUD_OPACITY, _CLOUD_SUSPECTED = 0.35, 0.12
_SHADOW_OPACITY = 0.3
_CIRRUS_REFLECTANCE = 0.005
# QA_PIXEL: bit numbers, and low bits of the two-bit confidences.
_FILL, _DILATED, _CIRRUS, _CLOUD, _SHADOW, _SNOW, _CLEAR, _WATER = range(8)
_CLOUD_CONFIDENCE, _SHADOW_CONFIDENCE, _SNOW_CONFIDENCE, _CIRRUS_CONFIDENCE = 8, 10, 12, 14
_RADSAT_NODATA = 65535


@dataclass(frozen=True)
class _Scene:
    """All that a block needs to be simulated."""

    ground: Ground
    grid: Grid
    spectra: BandSpectra
    codes: dict[str, int]


def write_landsat(
    product: str | Path,
    truth: str | Path,
    *,
    seed: int,
    size_px: int,
    difficulty: float,
    library: Sequence[Spectrum],
    classes: Sequence[MapClass],
    threads: int = 1,
    block_px: int = 256,
) -> None:
    """Simulate a scene of size_px x size_px pixels of 30 m and write product and truth.

    product: a tar of B1-B7, B9, QA_PIXEL, QA_RADSAT (GeoTIFF, uint16) and MTL.txt in their native
    names. truth: class raster of the dominant exposed constituent with the codes of `classes`,
    255 where the product is fill; clouded pixels keep their truth. Styles are written beside it.
    Bytes depend on the arguments without `threads` and `block_px`; memory on these two alone.

    Raises InputError when library or classes lack a constituent of the ground.
    """
    product, truth = Path(product), Path(truth)
    grid = scene_grid(size_px)
    scene = _Scene(
        ground=Ground(seed, (size_px * PIXEL_M, size_px * PIXEL_M), difficulty),
        grid=grid,
        spectra=band_spectra(library, BANDS, SENSOR),
        codes=constituent_codes(classes),
    )
    product.parent.mkdir(parents=True, exist_ok=True)
    truth.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=product.parent, prefix=".twin.") as name:
        folder = Path(name)
        files = [folder / f"{PRODUCT_ID}_{band}.TIF" for band in BANDS.names]
        quality = folder / f"{PRODUCT_ID}_QA_PIXEL.TIF"
        saturation = folder / f"{PRODUCT_ID}_QA_RADSAT.TIF"
        layers = [
            *(
                Layer(file, "uint16", 0, (band,))
                for file, band in zip(files, BANDS.names, strict=True)
            ),
            Layer(quality, "uint16", 1 << _FILL, ("QA_PIXEL",), overviews="mode"),
            Layer(saturation, "uint16", _RADSAT_NODATA, ("QA_RADSAT",), overviews="mode"),
            Layer(
                folder / truth.name,
                "uint8",
                TRUTH_NODATA,
                ("truth",),
                overviews="mode",
                colours={entry.code: entry.colour for entry in classes},
                tags={"SYNTHETIC": "yes", "PRODUCT_ID": PRODUCT_ID},
            ),
        ]
        map_blocks(
            _split_layers,
            [lambda window: simulate_block(scene, window)],
            layers,
            grid=grid,
            block_px=block_px,
            threads=threads,
            progress="simulate",
        )
        metadata = folder / f"{PRODUCT_ID}_MTL.txt"
        metadata.write_text(_metadata(grid, quality, saturation), encoding="ascii")
        with staged(product) as packed, staged(truth) as mapped:
            _pack(packed, [*files, quality, saturation, metadata])
            shutil.copyfile(folder / truth.name, mapped)
    write_class_style(truth, classes)


def scene_grid(size_px: int) -> Grid:
    """The grid of a square scene about its centre; pixel centres lie at multiples of 30 m."""
    west, north = (
        PIXEL_M * round((_CENTRE_M[0] - size_px * PIXEL_M / 2) / PIXEL_M) - PIXEL_M / 2,
        PIXEL_M * round((_CENTRE_M[1] + size_px * PIXEL_M / 2) / PIXEL_M) + PIXEL_M / 2,
    )
    return Grid(_CRS, from_origin(west, north, PIXEL_M, PIXEL_M), size_px, size_px)


def constituent_codes(classes: Sequence[MapClass]) -> dict[str, int]:
    """Class code of each constituent; InputError when the class table lacks one."""
    codes = {entry.name: entry.code for entry in classes}
    missing = [name for name in CONSTITUENTS if name not in codes]
    if missing:
        raise InputError(
            f"the class table has no class named {', '.join(missing)}; "
            "the simulator needs one for each of its constituents"
        )
    return codes


def simulate_block(scene: _Scene, window: Window) -> np.ndarray:
    """Digital numbers of BANDS, QA_PIXEL, QA_RADSAT and truth, (layers, rows, columns) uint16."""
    ground, difficulty = scene.ground, scene.ground.difficulty
    abundances = ground.abundances(window, PIXEL_M)
    surface = surface_reflectance(abundances, ground.variability(window, PIXEL_M), scene.spectra)
    direct, sky_view = ground.illumination(window, PIXEL_M, SUN_ELEVATION_DEG, SUN_AZIMUTH_DEG)
    # Clouds are asked for with a margin, because flags look at a pixel's neighbours.
    pad = _DILATION_PX + math.ceil(difficulty)
    around = ground.clouds(
        padded(window, pad), PIXEL_M, SUN_ELEVATION_DEG, SUN_AZIMUTH_DEG, _OVERPASS
    )
    inner = (slice(pad, pad + window.height), slice(pad, pad + window.width))
    sky = Sky(around.cloud[inner], around.shadow[inner], around.cirrus[inner], around.haze[inner])
    reflectance = top_of_atmosphere(
        surface,
        direct,
        sky_view,
        ground.elevation(window, PIXEL_M),
        sky,
        np.asarray(BANDS.centre_um),
        np.asarray(_GAS, np.float32),
        SUN_ELEVATION_DEG,
        _AEROSOL_055 * difficulty,
        min(1.0, difficulty),
    )
    stored, saturated = _digital_numbers(ground, window, reflectance)
    quality = _quality(ground, window, around, pad, abundances)
    truth = ground.truth(window, PIXEL_M, scene.codes, abundances).astype(np.uint16)
    fill = _fill(window, scene.grid.width)
    stored[:, fill] = 0
    quality[fill] = 1 << _FILL
    saturated[fill] = 0
    truth[fill] = TRUTH_NODATA
    return np.concatenate([stored, quality[None], saturated[None], truth[None]])


def _split_layers(block: np.ndarray) -> list[np.ndarray]:
    return [*block[:-1], block[-1].astype(np.uint8)]


def _digital_numbers(
    ground: Ground, window: Window, reflectance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Add noise, quantise and clip; returns numbers (bands, ...) and QA_RADSAT, uint16.

    A number stores reflectance times sin(sun elevation). The noise variance has a constant part
    and one that grows with the signal (photons); together they give the band's SNR at the
    typical radiance.
    """
    columns = np.arange(window.width) + window.col_off
    rows = np.arange(window.height) + window.row_off
    stored = np.empty(reflectance.shape, np.uint16)
    saturated = np.zeros(reflectance.shape[1:], np.uint16)
    for index, number in enumerate(_BANDS):
        signal = reflectance[index] * math.sin(math.radians(SUN_ELEVATION_DEG))
        typical = math.pi * _TYPICAL_RADIANCE[index] * _SUN_DISTANCE**2 / _IRRADIANCE[index]
        variance = _DARK_NOISE + (1 - _DARK_NOISE) * np.maximum(signal, 0.0) / typical
        deviation = ground.difficulty * typical / _SNR[index] * np.sqrt(variance)
        key = field_key(ground.seed, f"noise of band {number} {_OVERPASS}")
        signal = signal + deviation * white_noise(columns, rows, key)
        numbers = np.rint((signal - _REFLECTANCE_ADD) / _REFLECTANCE_MULT)
        saturated |= (numbers >= _DN_MAX).astype(np.uint16) << np.uint16(number - 1)
        stored[index] = np.clip(numbers, _DN_MIN, _DN_MAX)
    return stored, saturated


def _quality(
    ground: Ground, window: Window, around: Sky, pad: int, abundances: np.ndarray
) -> np.ndarray:
    """QA_PIXEL as an algorithm would set it: nearly right, less so on the harder ground.

    The cloud threshold scatters from pixel to pixel, and the height of the clouds is guessed
    wrong by a pixel's throw of the shadow for each unit of difficulty.
    """
    wide = padded(window, pad)
    columns = np.arange(wide.width) + wide.col_off
    rows = np.arange(wide.height) + wide.row_off
    scatter = white_noise(columns, rows, field_key(ground.seed, f"cloud mask {_OVERPASS}"))
    opacity = 1.0 - np.exp(-around.cloud) + 0.04 * ground.difficulty * scatter
    cloud = (opacity > _CLOUD_OPACITY) & (around.cloud > 0)
    dilated = maximum_filter(cloud, size=2 * _DILATION_PX + 1)
    inner = (slice(pad, pad + window.height), slice(pad, pad + window.width))
    shift = round(ground.difficulty)
    moved = (inner[0], slice(inner[1].start + shift, inner[1].stop + shift))
    cloud, dilated, suspected = cloud[inner], dilated[inner], opacity[inner] > _CLOUD_SUSPECTED
    suspected &= around.cloud[inner] > 0
    dilated &= ~cloud
    shadow = (1.0 - np.exp(-around.shadow[moved]) > _SHADOW_OPACITY) & ~cloud
    cirrus = around.cirrus[inner] > _CIRRUS_REFLECTANCE
    water = (abundances[CONSTITUENTS.index("water")] > 0.5) & ~cloud
    snow = (abundances[CONSTITUENTS.index("snow")] > 0.5) & ~cloud
    clear = ~(cloud | dilated)
    quality = np.zeros(cloud.shape, np.uint16)
    for bit, flag in (
        (_DILATED, dilated),
        (_CIRRUS, cirrus),
        (_CLOUD, cloud),
        (_SHADOW, shadow),
        (_SNOW, snow),
        (_CLEAR, clear),
        (_WATER, water),
    ):
        quality |= flag.astype(np.uint16) << np.uint16(bit)
    for bit, level in (
        (_CLOUD_CONFIDENCE, np.where(cloud, 3, np.where(suspected, 2, 1))),
        (_SHADOW_CONFIDENCE, np.where(shadow, 3, 1)),
        (_SNOW_CONFIDENCE, np.where(snow, 3, 1)),
        (_CIRRUS_CONFIDENCE, np.where(cirrus, 3, 1)),
    ):
        quality |= level.astype(np.uint16) << np.uint16(bit)
    return quality


def _fill(window: Window, size_px: int) -> np.ndarray:
    """Where the scene lies outside the swath, whose edges slant as a descending orbit's do."""
    column = (np.arange(window.width) + window.col_off + 0.5)[None, :]
    row = (np.arange(window.height) + window.row_off + 0.5)[:, None]
    edge = _SLANT * (size_px - row)
    return (column < edge) | (column > size_px * (1 - _SLANT) + edge)


def _pack(path: Path, files: Sequence[Path]) -> None:
    """Write files into a plain tar whose bytes depend on nothing but their names and contents."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for file in sorted(files):
            entry = tarfile.TarInfo(file.name)
            entry.size = file.stat().st_size
            entry.mode = 0o644
            with file.open("rb") as content:
                archive.addfile(entry, content)


def _survey(grid: Grid, quality: Path, saturation: Path) -> tuple[float, float, int]:
    """Cloud cover in per cent (of all, of land) and the bits of all saturated bands."""
    counts = np.zeros(4)
    bits = 0
    with rasterio.open(quality) as flags, rasterio.open(saturation) as bands:
        for window in split_blocks(grid):
            block = flags.read(1, window=window)
            seen = block & (1 << _FILL) == 0
            cloud = seen & (block & (1 << _CLOUD) != 0)
            land = seen & (block & (1 << _WATER) == 0)
            counts += [seen.sum(), cloud.sum(), land.sum(), (cloud & land).sum()]
            bits |= int(np.bitwise_or.reduce(bands.read(1, window=window), axis=None))
    seen, cloud, land, both = counts
    return 100 * cloud / max(seen, 1), 100 * both / max(land, 1), bits


def _metadata(grid: Grid, quality: Path, saturation: Path) -> str:
    """The text of MTL.txt, of native groups and keys, for the files that the product has."""
    cloud, cloud_land, saturated = _survey(grid, quality, saturation)
    files = {
        **{f"FILE_NAME_BAND_{n}": f'"{PRODUCT_ID}_B{n}.TIF"' for n in _BANDS},
        "FILE_NAME_QUALITY_L1_PIXEL": f'"{quality.name}"',
        "FILE_NAME_QUALITY_L1_RADIOMETRIC_SATURATION": f'"{saturation.name}"',
        "FILE_NAME_METADATA_ODL": f'"{PRODUCT_ID}_MTL.txt"',
    }
    product = {
        "ORIGIN": f'"{ORIGIN}"',
        "LANDSAT_PRODUCT_ID": f'"{PRODUCT_ID}"',
        "PROCESSING_LEVEL": '"L1TP"',
        "COLLECTION_CATEGORY": '"T1"',
        "OUTPUT_FORMAT": '"GEOTIFF"',
    }
    projection = {
        "MAP_PROJECTION": '"UTM"',
        "DATUM": '"WGS84"',
        "ELLIPSOID": '"WGS84"',
        "UTM_ZONE": 43,
        "GRID_CELL_SIZE_REFLECTIVE": f"{PIXEL_M:.2f}",
    }
    # Reflectance = pi * radiance * distance^2 / irradiance ties the two calibrations together.
    to_radiance = {
        n: irradiance / (math.pi * _SUN_DISTANCE**2)
        for n, irradiance in zip(_BANDS, _IRRADIANCE, strict=True)
    }
    limits = {
        limit: number * _REFLECTANCE_MULT + _REFLECTANCE_ADD
        for limit, number in (("MAXIMUM", _DN_MAX), ("MINIMUM", _DN_MIN))
    }
    groups = {
        "PRODUCT_CONTENTS": {
            **product,
            "COLLECTION_NUMBER": "02",
            **files,
            **{f"DATA_TYPE_BAND_{n}": '"UINT16"' for n in _BANDS},
            "DATA_TYPE_QUALITY_L1_PIXEL": '"UINT16"',
            "DATA_TYPE_QUALITY_L1_RADIOMETRIC_SATURATION": '"UINT16"',
        },
        "IMAGE_ATTRIBUTES": {
            "SPACECRAFT_ID": '"LANDSAT_8"',
            "SENSOR_ID": '"OLI_TIRS"',
            "WRS_TYPE": 2,
            "WRS_PATH": 149,
            "WRS_ROW": 35,
            "NADIR_OFFNADIR": '"NADIR"',
            "TARGET_WRS_PATH": 149,
            "TARGET_WRS_ROW": 35,
            "DATE_ACQUIRED": "2024-07-19",
            "SCENE_CENTER_TIME": '"05:37:00.0000000Z"',
            "CLOUD_COVER": f"{cloud:.2f}",
            "CLOUD_COVER_LAND": f"{cloud_land:.2f}",
            "IMAGE_QUALITY_OLI": 9,
            **{
                f"SATURATION_BAND_{n}": '"Y"' if saturated >> (n - 1) & 1 else '"N"' for n in _BANDS
            },
            "ROLL_ANGLE": "0.000",
            "SUN_AZIMUTH": f"{SUN_AZIMUTH_DEG:.8f}",
            "SUN_ELEVATION": f"{SUN_ELEVATION_DEG:.8f}",
            "EARTH_SUN_DISTANCE": f"{_SUN_DISTANCE:.7f}",
        },
        "PROJECTION_ATTRIBUTES": {
            **projection,
            "REFLECTIVE_LINES": grid.height,
            "REFLECTIVE_SAMPLES": grid.width,
            "ORIENTATION": '"NORTH_UP"',
            **_corners(grid),
        },
        "LEVEL1_PROCESSING_RECORD": {
            **product,
            "LANDSAT_SCENE_ID": '"LC81490352024201LGN00"',
            "PROCESSING_SOFTWARE_VERSION": '"gossan twin"',
            **files,
        },
        "LEVEL1_MIN_MAX_RADIANCE": {
            f"RADIANCE_{limit}_BAND_{n}": f"{value * to_radiance[n]:.5f}"
            for n in _BANDS
            for limit, value in limits.items()
        },
        "LEVEL1_MIN_MAX_REFLECTANCE": {
            f"REFLECTANCE_{limit}_BAND_{n}": f"{value:.6f}"
            for n in _BANDS
            for limit, value in limits.items()
        },
        "LEVEL1_MIN_MAX_PIXEL_VALUE": {
            f"QUANTIZE_CAL_{limit}_BAND_{n}": value
            for n in _BANDS
            for limit, value in (("MAX", _DN_MAX), ("MIN", _DN_MIN))
        },
        "LEVEL1_RADIOMETRIC_RESCALING": {
            **{
                f"RADIANCE_MULT_BAND_{n}": f"{_REFLECTANCE_MULT * to_radiance[n]:.4E}"
                for n in _BANDS
            },
            **{
                f"RADIANCE_ADD_BAND_{n}": f"{_REFLECTANCE_ADD * to_radiance[n]:.5f}" for n in _BANDS
            },
            **{f"REFLECTANCE_MULT_BAND_{n}": f"{_REFLECTANCE_MULT:.4E}" for n in _BANDS},
            **{f"REFLECTANCE_ADD_BAND_{n}": f"{_REFLECTANCE_ADD:.6f}" for n in _BANDS},
        },
        "LEVEL1_PROJECTION_PARAMETERS": {
            **projection,
            "ORIENTATION": '"NORTH_UP"',
            "RESAMPLING_OPTION": '"CUBIC_CONVOLUTION"',
        },
    }
    lines = ["GROUP = LANDSAT_METADATA_FILE"]
    for group, entries in groups.items():
        lines.append(f"  GROUP = {group}")
        lines.extend(f"    {key} = {value}" for key, value in entries.items())
        lines.append(f"  END_GROUP = {group}")
    return "\n".join([*lines, "END_GROUP = LANDSAT_METADATA_FILE", "END", ""])


def _corners(grid: Grid) -> dict[str, str]:
    """Centres of the corner pixels, geographic and projected."""
    places = {
        "UL": (0, 0),
        "UR": (grid.width - 1, 0),
        "LL": (0, grid.height - 1),
        "LR": (grid.width - 1, grid.height - 1),
    }
    points = {
        name: pixel_centre(grid.transform, row, column) for name, (column, row) in places.items()
    }
    lon, lat = transform_points(_CRS, CRS.from_epsg(4326), *zip(*points.values(), strict=True))
    degrees = {
        f"CORNER_{name}_{axis}_PRODUCT": f"{value:.5f}"
        for index, name in enumerate(points)
        for axis, value in (("LAT", lat[index]), ("LON", lon[index]))
    }
    metres = {
        f"CORNER_{name}_PROJECTION_{axis}_PRODUCT": f"{value:.3f}"
        for name, point in points.items()
        for axis, value in zip("XY", point, strict=True)
    }
    return degrees | metres
