"""The twin as a Landsat 8 Collection 2 Level 1 product: native names, digital numbers, flags, MTL.

Layout after the Landsat 8-9 Collection 2 Level 1 Data Format Control Book (USGS LSDS-1822).
"""

import math
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.transform import xy as pixel_centre
from rasterio.warp import transform as transform_points
from rasterio.windows import Window
from scipy.ndimage import maximum_filter

from gossan.files import scratch, staged
from gossan.library.spectrum import Spectrum
from gossan.products.landsat import BAND_TABLES
from gossan.raster import BandTable, Grid, Layer, map_blocks, split_blocks
from gossan.twin.noise import field_key, white_noise
from gossan.twin.optics import BandSpectra, band_spectra, surface_reflectance, top_of_atmosphere
from gossan.twin.site import Site
from gossan.twin.terrain import Sky, padded

SENSOR = "Landsat-8 OLI_TIRS"
ORIGIN = "Simulated by gossan; not a satellite image"
PIXEL_M = 30
# Path 149 of the reference system passes this longitude on this day.
_ACQUIRED, _LONGITUDE_DEG = datetime(2024, 7, 19, 5, 37, tzinfo=UTC), 74.30
_PROCESSED = "20240729"
# Sun elevation and azimuth as they are told of a ground, and the distance in astronomical units.
_SUN = {"porphyry": (64.9, 120.7)}
_SUN_DISTANCE = 1.01621
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
    """All that a block needs to be simulated; sun: elevation and azimuth in degrees."""

    site: Site
    grid: Grid
    moment: datetime
    sun: tuple[float, float]
    spectra: BandSpectra

    @property
    def overpass(self) -> int:
        """Number of the day, which clouds and noise depend on."""
        return int(f"{self.moment:%Y%m%d}")

    @property
    def product_id(self) -> str:
        """What the names of all files begin with."""
        path, row = self.site.ground.path_row
        return f"LC08_L1TP_{path:03d}{row:03d}_{self.moment:%Y%m%d}_{_PROCESSED}_02_T1"


def simulate_landsat(
    site: Site,
    library: Sequence[Spectrum],
    product: str | Path,
    *,
    threads: int = 1,
    block_px: int = 256,
) -> None:
    """Simulate a ground as Landsat 8 sees it, on pixels of 30 m, and write the product.

    product: a tar of B1-B7, B9, QA_PIXEL, QA_RADSAT (GeoTIFF, uint16) and MTL.txt in their native
    names; fill where `Site.outside` says. Bytes depend on the arguments without `threads` and
    `block_px`; memory on these two alone.

    Raises InputError when the library lacks a constituent of the ground.
    """
    scene = plan_scene(site, library)
    name = scene.product_id
    with scratch(product) as folder:
        files = [folder / f"{name}_{band}.TIF" for band in BANDS.names]
        quality = folder / f"{name}_QA_PIXEL.TIF"
        saturation = folder / f"{name}_QA_RADSAT.TIF"
        layers = [
            *(
                Layer(file, "uint16", 0, (band,))
                for file, band in zip(files, BANDS.names, strict=True)
            ),
            Layer(quality, "uint16", 1 << _FILL, ("QA_PIXEL",), overviews="mode"),
            Layer(saturation, "uint16", _RADSAT_NODATA, ("QA_RADSAT",), overviews="mode"),
        ]
        map_blocks(
            lambda block: [*block],
            [lambda window: simulate_block(scene, window)],
            layers,
            grid=scene.grid,
            block_px=block_px,
            threads=threads,
            progress="simulate landsat",
        )
        metadata = folder / f"{name}_MTL.txt"
        metadata.write_text(_metadata(scene, quality, saturation), encoding="ascii")
        with staged(product) as packed:
            _pack(packed, [*files, quality, saturation, metadata])


def plan_scene(site: Site, library: Sequence[Spectrum]) -> _Scene:
    """When and from where the ground is seen, and the spectra of what it is made of."""
    moment = site.local(_ACQUIRED, _LONGITUDE_DEG)
    terrain = site.terrain
    return _Scene(
        site=site,
        grid=site.covering(PIXEL_M),
        moment=moment,
        sun=_SUN.get(site.name) or site.sun(moment)[:2],
        spectra=band_spectra(terrain.materials(library), BANDS, SENSOR, terrain.constituents),
    )


def simulate_block(scene: _Scene, window: Window) -> np.ndarray:
    """Digital numbers of BANDS, QA_PIXEL and QA_RADSAT, (layers, rows, columns) uint16."""
    ground = scene.site.terrain
    difficulty = ground.difficulty
    abundances = ground.season(ground.abundances(window, PIXEL_M), ground.leaf(scene.moment))
    surface = surface_reflectance(abundances, ground.variability(window, PIXEL_M), scene.spectra)
    direct, sky_view = ground.illumination(window, PIXEL_M, *scene.sun)
    # Clouds are asked for with a margin, because flags look at a pixel's neighbours.
    pad = _DILATION_PX + math.ceil(difficulty)
    around = ground.clouds(padded(window, pad), PIXEL_M, *scene.sun, scene.overpass)
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
        scene.sun[0],
        _AEROSOL_055 * difficulty,
        min(1.0, difficulty),
    )
    stored, saturated = _digital_numbers(scene, window, reflectance)
    quality = _quality(scene, window, around, pad, abundances)
    fill = scene.site.outside(window, scene.grid)
    stored[:, fill] = 0
    quality[fill] = 1 << _FILL
    saturated[fill] = 0
    return np.concatenate([stored, quality[None], saturated[None]])


def _digital_numbers(
    scene: _Scene, window: Window, reflectance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Add noise, quantise and clip; returns numbers (bands, ...) and QA_RADSAT, uint16.

    A number stores reflectance times sin(sun elevation). The noise variance has a constant part
    and one that grows with the signal (photons); together they give the band's SNR at the
    typical radiance.
    """
    ground, height_of_sun = scene.site.terrain, math.sin(math.radians(scene.sun[0]))
    columns = np.arange(window.width) + window.col_off
    rows = np.arange(window.height) + window.row_off
    stored = np.empty(reflectance.shape, np.uint16)
    saturated = np.zeros(reflectance.shape[1:], np.uint16)
    for index, number in enumerate(_BANDS):
        signal = reflectance[index] * height_of_sun
        typical = math.pi * _TYPICAL_RADIANCE[index] * _SUN_DISTANCE**2 / _IRRADIANCE[index]
        variance = _DARK_NOISE + (1 - _DARK_NOISE) * np.maximum(signal, 0.0) / typical
        deviation = ground.difficulty * typical / _SNR[index] * np.sqrt(variance)
        key = field_key(ground.seed, f"noise of band {number} {scene.overpass}")
        signal = signal + deviation * white_noise(columns, rows, key)
        numbers = np.rint((signal - _REFLECTANCE_ADD) / _REFLECTANCE_MULT)
        saturated |= (numbers >= _DN_MAX).astype(np.uint16) << np.uint16(number - 1)
        stored[index] = np.clip(numbers, _DN_MIN, _DN_MAX)
    return stored, saturated


def _quality(
    scene: _Scene, window: Window, around: Sky, pad: int, abundances: np.ndarray
) -> np.ndarray:
    """QA_PIXEL as an algorithm would set it: nearly right, less so on the harder ground.

    The cloud threshold scatters from pixel to pixel, and the height of the clouds is guessed
    wrong by a pixel's throw of the shadow for each unit of difficulty.
    """
    ground = scene.site.terrain
    wide = padded(window, pad)
    columns = np.arange(wide.width) + wide.col_off
    rows = np.arange(wide.height) + wide.row_off
    scatter = white_noise(columns, rows, field_key(ground.seed, f"cloud mask {scene.overpass}"))
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
    water, snow = (
        _covers(ground.constituents, abundances, name) & ~cloud for name in ("water", "snow")
    )
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


def _covers(constituents: Sequence[str], abundances: np.ndarray, name: str) -> np.ndarray:
    """Where a constituent covers more than half of a pixel; nowhere if the ground has none."""
    if name not in constituents:
        return np.zeros(abundances.shape[1:], bool)
    return abundances[constituents.index(name)] > 0.5


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


def _metadata(scene: _Scene, quality: Path, saturation: Path) -> str:
    """The text of MTL.txt, of native groups and keys, for the files that the product has."""
    grid, name, moment = scene.grid, scene.product_id, scene.moment
    path, row = scene.site.ground.path_row
    cloud, cloud_land, saturated = _survey(grid, quality, saturation)
    files = {
        **{f"FILE_NAME_BAND_{n}": f'"{name}_B{n}.TIF"' for n in _BANDS},
        "FILE_NAME_QUALITY_L1_PIXEL": f'"{quality.name}"',
        "FILE_NAME_QUALITY_L1_RADIOMETRIC_SATURATION": f'"{saturation.name}"',
        "FILE_NAME_METADATA_ODL": f'"{name}_MTL.txt"',
    }
    product = {
        "ORIGIN": f'"{ORIGIN}"',
        "LANDSAT_PRODUCT_ID": f'"{name}"',
        "PROCESSING_LEVEL": '"L1TP"',
        "COLLECTION_CATEGORY": '"T1"',
        "OUTPUT_FORMAT": '"GEOTIFF"',
    }
    projection = {
        "MAP_PROJECTION": '"UTM"',
        "DATUM": '"WGS84"',
        "ELLIPSOID": '"WGS84"',
        "UTM_ZONE": grid.crs.to_epsg() % 100,
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
            "WRS_PATH": path,
            "WRS_ROW": row,
            "NADIR_OFFNADIR": '"NADIR"',
            "TARGET_WRS_PATH": path,
            "TARGET_WRS_ROW": row,
            "DATE_ACQUIRED": f"{moment:%Y-%m-%d}",
            "SCENE_CENTER_TIME": f'"{moment:%H:%M:%S}.0000000Z"',
            "CLOUD_COVER": f"{cloud:.2f}",
            "CLOUD_COVER_LAND": f"{cloud_land:.2f}",
            "IMAGE_QUALITY_OLI": 9,
            **{
                f"SATURATION_BAND_{n}": '"Y"' if saturated >> (n - 1) & 1 else '"N"' for n in _BANDS
            },
            "ROLL_ANGLE": "0.000",
            "SUN_AZIMUTH": f"{scene.sun[1]:.8f}",
            "SUN_ELEVATION": f"{scene.sun[0]:.8f}",
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
            "LANDSAT_SCENE_ID": f'"LC8{path:03d}{row:03d}{moment:%Y%j}LGN00"',
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
    lon, lat = transform_points(grid.crs, CRS.from_epsg(4326), *zip(*points.values(), strict=True))
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
