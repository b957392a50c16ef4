"""The twin as Sentinel-2 Level-2A dates: SAFE folders in .zip files, and what goes with them.

Layout and names after the Sentinel-2 Products Specification Document (S2-PDGS-TAS-DI-PSD issue
14.9), processing baseline 05.00: JPEG 2000, offset -1000, scene classification, cloud mask. The
ground is that of `gossan.twin.iron`, at Caetité in Bahia. Left out: copies of bands at coarser
pixels than their own, true-colour image, aerosol and water-vapour maps, footprints of detectors,
viewing angles.
"""

import math
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pyogrio
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from gossan.legend import MapClass, class_colours, write_class_style
from gossan.library.spectrum import Spectrum
from gossan.products.sentinel2 import ALL_BANDS, band_table
from gossan.products.sentinel2_files import NATIVE_M
from gossan.products.sun import sun_position
from gossan.raster import Grid, Layer, iter_blocks, map_blocks
from gossan.twin.ground import Sky, Terrain, Variability, padded
from gossan.twin.iron import (
    BASE_ELEVATION_M,
    CONSTITUENTS,
    COVER_CLASSES,
    IRON_CLASSES,
    IronGround,
    class_codes,
    mix_materials,
)
from gossan.twin.iron_survey import Surveyor, kinds_of_geometry
from gossan.twin.noise import field_key, white_noise
from gossan.twin.optics import BandSpectra, band_spectra, surface_reflectance, top_of_atmosphere
from gossan.vectors import fixed_date

ORIGIN = "Simulated by gossan; not a satellite image"
DEFAULT_SIZE_PX, DEFAULT_DATES = 768, 4
PIXEL_M = 10
# A scene is as many whole pixels of 60 m; the largest is a whole tile.
SIZE_STEP_PX, MOST_PX, MOST_DATES = 6, 10_980, 36
TRUTH_NODATA = 255
TILE, ORBIT, BASELINE = "23LQE", 95, "05.00"
OFFSET, QUANTIFICATION = -1000, 10_000
_CRS = CRS.from_epsg(32723)
# Upper left corner of the tile and the centre of scenes smaller than it: near 14.35° S, 42.54° W.
_TILE_CORNER_M = (699_960, 8_500_020)
_CENTRE_M = (765_300, 8_412_120)
# The first date; on this orbit Sentinel-2A and 2B take turns every five days.
_FIRST_DATE = datetime(2021, 7, 7, 13, 2, 51, tzinfo=UTC)
_TURN = timedelta(days=5)
_YEAR = timedelta(days=365)
_PROCESSED = "20230115T000000"
# Absolute orbits of both spacecraft on the first date of each; 143 orbits take ten days.
_FIRST_ORBIT = {"Sentinel-2A": 31552, "Sentinel-2B": 22715}
_ORBITS_PER_DAY = 14.3
# Bands by their pixels, in metres.
BANDS_OF = {
    pixel_m: tuple(band for band in ALL_BANDS if NATIVE_M[band] == pixel_m)
    for pixel_m in (10, 20, 60)
}
# Solar irradiance (W m-2 µm-1), reference radiance of the mission's requirements (W m-2 sr-1 µm-1)
# and signal-to-noise ratio there, rounded, of the order reached in orbit (Gascon et al. 2017,
# Remote Sensing 9, 584); transmittance of gases both ways: typical values.
_BAND_FACTS = {
    "B01": (1884.7, 129.0, 1300.0, 0.98),
    "B02": (1959.7, 128.0, 210.0, 0.97),
    "B03": (1823.2, 128.0, 240.0, 0.93),
    "B04": (1512.1, 108.0, 230.0, 0.95),
    "B05": (1424.6, 74.5, 250.0, 0.93),
    "B06": (1287.6, 68.0, 220.0, 0.95),
    "B07": (1162.1, 67.0, 230.0, 0.96),
    "B08": (1041.6, 103.0, 220.0, 0.93),
    "B8A": (955.3, 52.5, 160.0, 0.99),
    "B09": (812.9, 9.0, 220.0, 0.3),
    "B11": (245.6, 4.0, 160.0, 0.96),
    "B12": (85.3, 1.5, 165.0, 0.93),
}
# Bands as MTD_MSIL2A.xml lists them: first, last and central wavelength (nm) of Sentinel-2A.
_SPECTRAL_LIST = (
    ("B1", 60, 412, 456, 442.7),
    ("B2", 10, 456, 533, 492.7),
    ("B3", 10, 538, 583, 559.8),
    ("B4", 10, 646, 684, 664.6),
    ("B5", 20, 695, 714, 704.1),
    ("B6", 20, 731, 749, 740.5),
    ("B7", 20, 769, 797, 782.8),
    ("B8", 10, 760, 907, 832.8),
    ("B8A", 20, 837, 881, 864.7),
    ("B9", 60, 932, 958, 945.1),
    ("B10", 60, 1337, 1412, 1373.5),
    ("B11", 20, 1539, 1682, 1613.7),
    ("B12", 20, 2078, 2320, 2202.4),
)
_DARK_NOISE = 0.3
_AEROSOL_055 = 0.12
# Standard deviation of the logarithm of the aerosol, from date to date, and of the error with which
# the correction knows it.
_AEROSOL_STD, _AEROSOL_ERROR_STD = 0.3, 0.2
# Where the orbit's swath ends: share of the width at the northern edge, its slant, its scatter.
_SWATH_EDGE, _SLANT, _EDGE_STD = 1.06, 0.17, 0.006
# Scene classification: classes and the opacities from which they are seen.
_NODATA, _DARK, _SHADOW, _VEGETATION, _BARE, _WATER, _UNCLASSIFIED = 0, 2, 3, 4, 5, 6, 7
_CLOUD_MEDIUM, _CLOUD_HIGH, _CIRRUS = 8, 9, 10
_OPACITY = {_UNCLASSIFIED: 0.15, _CLOUD_MEDIUM: 0.3, _CLOUD_HIGH: 0.6}
_SHADOW_OPACITY, _CIRRUS_REFLECTANCE, _DARK_LIGHT, _VEGETATION_NDVI = 0.3, 0.006, 0.3, 0.4
_DEM_PIXEL_M, _DEM_ERROR_M, _MAGNETICS_PIXEL_M = 30, 1.5, 100
_NO_VALUE = -32768.0


@dataclass(frozen=True)
class Date:
    """One overpass: names, sun, aerosol (true and assumed), leaves, edge of the swath (m)."""

    spacecraft: str
    tile: str
    orbit: int
    moment: datetime
    product_id: str
    granule: str
    sun: tuple[float, float]
    distance_au: float
    aerosol: float
    assumed_aerosol: float
    leaf: float
    edge_m: float

    @property
    def overpass(self) -> int:
        """Number of the day, which clouds and noise depend on."""
        return int(f"{self.moment:%Y%m%d}")

    @property
    def stem(self) -> str:
        """What the names of the images begin with."""
        return f"T{self.tile}_{self.moment:%Y%m%dT%H%M%S}"

    def path(self, layer: str) -> str:
        """Path of an image below the .SAFE folder; layer: a band, SCL or CLASSI."""
        if layer == "CLASSI":
            return f"GRANULE/{self.granule}/QI_DATA/MSK_CLASSI_B00.jp2"
        pixel_m = NATIVE_M[layer]
        return f"GRANULE/{self.granule}/IMG_DATA/R{pixel_m}m/{self.stem}_{layer}_{pixel_m}m.jp2"


@dataclass(frozen=True)
class _Scene:
    """All that a block needs; spectra: spacecraft -> bands of a pixel size -> spectra."""

    ground: IronGround
    grid: Grid
    dates: tuple[Date, ...]
    spectra: Mapping[str, Mapping[int, BandSpectra]]
    covers: Mapping[str, int]
    iron: Mapping[str, int]


@dataclass(frozen=True)
class _Block:
    """One block: images of each date by layer, and the truth (rows, columns) at 10 m."""

    images: list[dict[str, np.ndarray]]
    cover: np.ndarray
    grade: np.ndarray


def write_sentinel2(
    folder: str | Path,
    *,
    seed: int,
    size_px: int = DEFAULT_SIZE_PX,
    dates: int = DEFAULT_DATES,
    difficulty: float,
    library: Sequence[Spectrum],
    covers: Sequence[MapClass],
    iron: Sequence[MapClass],
    threads: int = 1,
    block_px: int = 192,
) -> None:
    """Simulate `dates` Level-2A dates of size_px x size_px pixels of 10 m, and what is known there.

    Written into `folder`, all or nothing: dates/ with one .zip per date; truth.tif, the cover of
    each pixel with the codes of `covers` (ore, soil, vegetation, mixed), and iron_truth.tif, its
    grade with the codes of `iron`, both at 10 m with styles beside them; mines, ore_points,
    geology, claims and occurrences (.gpkg); dem.tif (m) and magnetics.tif (nT), on pixels of their
    own. See `gossan.twin.iron` for the ground, `gossan.twin.iron_survey` for the vectors.

    size_px, a multiple of SIZE_STEP_PX up to MOST_PX; dates, 1 to MOST_DATES. Bytes depend on the
    arguments without `threads` and `block_px` (a multiple of 6); memory on these, the number of
    dates, and three bytes per pixel of the scene.

    Raises InputError when the library lacks a spectrum or a class table a class.
    """
    folder = Path(folder)
    grid = scene_grid(size_px)
    ground = IronGround(seed, (size_px * PIXEL_M, size_px * PIXEL_M), difficulty)
    scene = _Scene(
        ground=ground,
        grid=grid,
        dates=_plan_dates(ground, grid, dates),
        spectra=_resample(mix_materials(library)),
        covers=class_codes(covers, COVER_CLASSES),
        iron=class_codes(iron, IRON_CLASSES),
    )
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".twin.") as name:
        work, done = Path(name) / "work", Path(name) / "done"
        done.mkdir()
        cover = np.empty(grid.shape, np.uint8)
        grade = np.empty(grid.shape, np.uint8)
        for date in scene.dates:
            (work / date.product_id).mkdir(parents=True)
        shares = _write_images(scene, work, cover, grade, threads, block_px)
        (done / "dates").mkdir()
        for date, counts in zip(scene.dates, shares, strict=True):
            _pack_date(done / "dates", work / date.product_id, date, grid, counts, threads)
        for file, codes, classes in (
            ("truth.tif", cover, covers),
            ("iron_truth.tif", grade, iron),
        ):
            _write_truth(done / file, codes, grid, classes, scene.dates[0], threads)
        _write_fields(done, ground, grid, threads)
        _write_vectors(done, ground, grid)
        replace_all(done, folder)


def scene_grid(size_px: int) -> Grid:
    """The 10 m grid of a scene: about the district's centre, on 60 m pixels of the tile, inside it.

    Raises ValueError unless size_px is a multiple of SIZE_STEP_PX up to MOST_PX.
    """
    if size_px % SIZE_STEP_PX or not 0 < size_px <= MOST_PX:
        raise ValueError(f"size {size_px} is no multiple of {SIZE_STEP_PX} up to {MOST_PX}")
    step = SIZE_STEP_PX * PIXEL_M
    most = (MOST_PX - size_px) * PIXEL_M
    from_corner = (_CENTRE_M[0] - _TILE_CORNER_M[0], _TILE_CORNER_M[1] - _CENTRE_M[1])
    east, south = (
        min(max(step * round((place - size_px * PIXEL_M / 2) / step), 0), most)
        for place in from_corner
    )
    west, north = _TILE_CORNER_M[0] + east, _TILE_CORNER_M[1] - south
    return Grid(_CRS, Affine(PIXEL_M, 0, west, 0, -PIXEL_M, north), size_px, size_px)


def _centre_degrees(grid: Grid) -> tuple[float, float]:
    x, y = grid.place(grid.width / 2, grid.height / 2)
    (lon,), (lat,) = transform_points(_CRS, CRS.from_epsg(4326), [x], [y])
    return lon, lat


def _plan_dates(ground: IronGround, grid: Grid, count: int) -> tuple[Date, ...]:
    """The dates, each with its own air and its own edge of the swath.

    They are spread over one year as evenly as the orbit allows: an odd number of turns lies
    between two, so that the spacecraft alternate.
    """
    turns = _YEAR // (_TURN * count)
    step = _TURN * max(1, turns - 1 + turns % 2)
    dates = []
    for index in range(count):
        spacecraft = ("Sentinel-2A", "Sentinel-2B")[index % 2]
        moment = _FIRST_DATE + index * step
        days = (moment - _FIRST_DATE).days
        if spacecraft == "Sentinel-2B":
            # It was first over the place five days after the other.
            days -= 5
        orbit = _FIRST_ORBIT[spacecraft] + round(days * _ORBITS_PER_DAY)
        start = f"{moment:%Y%m%dT%H%M%S}"
        rng = np.random.default_rng([ground.seed & 0xFFFFFFFF, 3, index])
        air, error, edge = rng.normal(size=3) * min(ground.difficulty, 1.0)
        aerosol = _AEROSOL_055 * ground.difficulty * math.exp(_AEROSOL_STD * air)
        elevation, azimuth, distance = sun_position(moment, *_centre_degrees(grid))
        season = math.cos(2 * math.pi * (moment.timetuple().tm_yday - 45) / 365)
        dates.append(
            Date(
                spacecraft=spacecraft,
                tile=TILE,
                orbit=ORBIT,
                moment=moment,
                product_id=product_name(spacecraft, start, ORBIT, TILE),
                granule=f"L2A_T{TILE}_A{orbit:06d}_{start}",
                sun=(elevation, azimuth),
                distance_au=distance,
                aerosol=aerosol,
                assumed_aerosol=aerosol * math.exp(_AEROSOL_ERROR_STD * error),
                leaf=0.55 + 0.35 * season,
                edge_m=grid.width * PIXEL_M * (_SWATH_EDGE + _EDGE_STD * edge),
            )
        )
    return tuple(dates)


def product_name(spacecraft: str, start: str, orbit: int, tile: str) -> str:
    """Name of a product that starts at `start` (YYYYMMDDTHHMMSS)."""
    baseline = BASELINE.replace(".", "")
    return f"S2{spacecraft[-1]}_MSIL2A_{start}_N{baseline}_R{orbit:03d}_T{tile}_{_PROCESSED}"


def _resample(materials: Sequence[Spectrum]) -> dict[str, dict[int, BandSpectra]]:
    return {
        spacecraft: {
            pixel_m: band_spectra(
                materials,
                band_table(spacecraft, names, spacecraft),
                f"{spacecraft} MSI",
                CONSTITUENTS,
            )
            for pixel_m, names in BANDS_OF.items()
        }
        for spacecraft in _FIRST_ORBIT
    }


# ---- a block --------------------------------------------------------------------------------


def simulate_block(scene: _Scene, window: Window) -> _Block:
    """Images and truth of a window of the 10 m grid that begins and ends on pixels of 60 m."""
    ground = scene.ground
    abundances = ground.abundances(window, PIXEL_M)
    variability = ground.variability(window, PIXEL_M)
    elevation = ground.elevation(window, PIXEL_M)
    return _Block(
        images=[
            _take(scene, date, window, abundances, variability, elevation) for date in scene.dates
        ],
        cover=ground.cover(abundances, scene.covers),
        grade=ground.grade(abundances, scene.iron),
    )


def _take(
    scene: _Scene,
    date: Date,
    window: Window,
    abundances: np.ndarray,
    variability: Variability,
    elevation: np.ndarray,
) -> dict[str, np.ndarray]:
    """What one overpass stores of a window, see `take_images`."""
    return take_images(
        scene.ground,
        date,
        window,
        shares=scene.ground.season(abundances, date.leaf),
        water=CONSTITUENTS.index("water"),
        variability=variability,
        elevation=elevation,
        level_m=BASE_ELEVATION_M,
        spectra=scene.spectra[date.spacecraft],
    )


def take_images(
    ground: Terrain,
    date: Date,
    window: Window,
    *,
    shares: np.ndarray,
    water: int,
    variability: Variability,
    elevation: np.ndarray,
    level_m: float,
    spectra: Mapping[int, BandSpectra],
) -> dict[str, np.ndarray]:
    """What an overpass stores of a window at 10 m: bands, SCL and CLASSI, each at its own pixels.

    shares: of each constituent (constituents, rows, columns), of which the one at place `water` is
    water; variability, elevation: of the same pixels; level_m: height above the sea that the
    correction takes the ground to have; spectra: by the size of their bands' pixels. The window
    begins and ends on pixels of 60 m.
    """
    direct, sky_view = ground.illumination(window, PIXEL_M, *date.sun)
    # Shadows of clouds are looked for in the wrong place, so more than the window is seen.
    shift = round(ground.difficulty)
    pad = 2 * shift
    wide = ground.clouds(padded(window, pad), PIXEL_M, *date.sun, date.overpass)
    inner = (slice(pad, pad + window.height), slice(pad, pad + window.width))
    sky = Sky(*(layer[inner] for layer in (wide.cloud, wide.shadow, wide.cirrus, wide.haze)))
    images: dict[str, np.ndarray] = {}
    reflectance: dict[str, np.ndarray] = {}
    for pixel_m, bands in BANDS_OF.items():
        factor = pixel_m // PIXEL_M
        place = _coarser(window, factor)
        centre_um = spectra[pixel_m].centre_um
        seen = top_of_atmosphere(
            surface_reflectance(
                _mean(shares, factor),
                Variability(
                    _mean(variability.depth, factor),
                    _mean(variability.brightness, factor),
                    _mean(variability.tilt, factor),
                ),
                spectra[pixel_m],
            ),
            _mean(direct, factor),
            _mean(sky_view, factor),
            _mean(elevation, factor),
            Sky(*(_mean(layer, factor) for layer in (sky.cloud, sky.shadow, sky.cirrus, sky.haze))),
            centre_um,
            np.array([_BAND_FACTS[band][3] for band in bands], np.float32),
            date.sun[0],
            date.aerosol,
            min(1.0, ground.difficulty),
        )
        fill = _fill(date, place, pixel_m)
        for index, band in enumerate(bands):
            noisy = seen[index] + _noise(ground, date, band, place, seen[index])
            corrected = _correct(ground, date, centre_um[index], band, noisy, level_m)
            numbers = np.rint(corrected * QUANTIFICATION - OFFSET)
            images[band] = np.clip(numbers, 1, np.iinfo(np.uint16).max - 1).astype(np.uint16)
            images[band][fill] = 0
            reflectance[band] = corrected
    red, infrared = _mean(reflectance["B04"], 2), reflectance["B8A"]
    ndvi = (infrared - red) / np.maximum(infrared + red, 1e-3)
    place = _coarser(window, 2)
    flooded = _mean(shares[water], 2) > 0.5
    images["SCL"] = _classify(ground, date, place, wide, shift, ndvi, _mean(direct, 2), flooded)
    images["SCL"][_fill(date, place, 20)] = _NODATA
    opaque = _mean(1.0 - np.exp(-sky.cloud), 6) > _OPACITY[_CLOUD_MEDIUM]
    thin = (_mean(sky.cirrus, 6) > _CIRRUS_REFLECTANCE) & ~opaque
    images["CLASSI"] = np.stack([opaque, thin, np.zeros_like(opaque)]).astype(np.uint8)
    images["CLASSI"][:, _fill(date, _coarser(window, 6), 60)] = 0
    return images


def _coarser(window: Window, factor: int) -> Window:
    return Window(
        window.col_off // factor,
        window.row_off // factor,
        window.width // factor,
        window.height // factor,
    )


def _mean(fine: np.ndarray, factor: int) -> np.ndarray:
    """Means over factor x factor pixels of (..., rows, columns)."""
    if factor == 1:
        return fine
    *others, rows, columns = fine.shape
    parts = fine.reshape(*others, rows // factor, factor, columns // factor, factor)
    return parts.mean(axis=(-3, -1), dtype=np.float64).astype(np.float32)


def _fill(date: Date, place: Window, pixel_m: int) -> np.ndarray:
    """Pixels that reach over the eastern edge of the swath, (rows, columns) bool."""
    east = (np.arange(place.width) + place.col_off + 1.0) * pixel_m
    south = (np.arange(place.height) + place.row_off + 1.0) * pixel_m
    return east[None, :] > date.edge_m - _SLANT * south[:, None]


def _noise(ground: Terrain, date: Date, band: str, place: Window, signal: np.ndarray) -> np.ndarray:
    """Noise of reflectance: a constant part and one that grows with the signal."""
    irradiance, radiance, ratio, _ = _BAND_FACTS[band]
    light = irradiance * math.sin(math.radians(date.sun[0]))
    typical = math.pi * radiance * date.distance_au**2 / light
    variance = _DARK_NOISE + (1 - _DARK_NOISE) * np.maximum(signal, 0.0) / typical
    columns = np.arange(place.width) + place.col_off
    rows = np.arange(place.height) + place.row_off
    key = field_key(ground.seed, f"Sentinel-2 noise of {band} {date.overpass}")
    deviation = ground.difficulty * typical / ratio * np.sqrt(variance)
    return deviation * white_noise(columns, rows, key)


def _correct(
    ground: Terrain,
    date: Date,
    wavelength_um: float,
    band: str,
    seen: np.ndarray,
    level_m: float = BASE_ELEVATION_M,
) -> np.ndarray:
    """Surface reflectance of a band as the ground segment would find it, see `undo_air`."""
    return undo_air(
        seen,
        wavelength_um,
        _BAND_FACTS[band][3],
        date.sun[0],
        date.assumed_aerosol,
        min(1.0, ground.difficulty),
        level_m,
    )


def undo_air(
    seen: np.ndarray,
    wavelength_um: float,
    gas_transmittance: float,
    sun_elevation_deg: float,
    aerosol_055: float,
    molecules: float,
    elevation_m: float,
) -> np.ndarray:
    """Surface reflectance of one band as a ground segment would find it, of the shape of `seen`.

    seen: reflectance at the top of the atmosphere. It undoes the air over level ground at one
    height with the aerosol that is assumed; what the aerosol, its drift over the scene, height,
    slope and thin cloud change besides stays in. Arguments as those of `top_of_atmosphere`.
    """
    one = np.ones((1, 1), np.float32)
    none = np.zeros_like(one)

    def through_air(surface: float) -> float:
        return float(
            top_of_atmosphere(
                np.full((1, 1, 1), surface, np.float32),
                one,
                one,
                elevation_m * one,
                Sky(cloud=none, shadow=none, cirrus=none, haze=one),
                np.array([wavelength_um]),
                np.ones(1),
                sun_elevation_deg,
                aerosol_055,
                molecules,
            )[0, 0, 0]
        )

    # Over the ground, y = a r / (1 - s r); two surfaces tell 1 / a and s / a.
    path = through_air(0.0)
    half, whole = 0.5 / (through_air(0.5) - path), 1.0 / (through_air(1.0) - path)
    albedo = 2.0 * (half - whole)
    level = whole + albedo
    ground_part = seen / gas_transmittance - path
    return level * ground_part / (1.0 + albedo * ground_part)


def _classify(
    ground: Terrain,
    date: Date,
    place: Window,
    wide: Sky,
    shift: int,
    ndvi: np.ndarray,
    direct: np.ndarray,
    water: np.ndarray,
) -> np.ndarray:
    """The scene classification as Sen2Cor would make it: nearly right, less so on harder ground.

    Cloud edges scatter, and shadows lie a pixel of 20 m off for each unit of difficulty. `wide` is
    `shift` pixels of 20 m larger than `place` on every side. (rows, columns) uint8.
    """
    inner = (slice(shift, shift + place.height), slice(shift, shift + place.width))
    moved = (inner[0], slice(inner[1].start + shift, inner[1].stop + shift))
    columns = np.arange(place.width) + place.col_off
    rows = np.arange(place.height) + place.row_off
    key = field_key(ground.seed, f"Sentinel-2 scene classification {date.overpass}")
    scatter = 0.06 * ground.difficulty * white_noise(columns, rows, key)
    cloud = _mean(wide.cloud, 2)[inner]
    opacity = np.where(cloud > 0, 1.0 - np.exp(-cloud) + scatter, 0.0)
    shadow = 1.0 - np.exp(-_mean(wide.shadow, 2)[moved]) > _SHADOW_OPACITY
    classes = np.where(ndvi > _VEGETATION_NDVI, _VEGETATION, _BARE).astype(np.uint8)
    classes[direct < _DARK_LIGHT] = _DARK
    classes[water] = _WATER
    classes[opacity > _OPACITY[_UNCLASSIFIED]] = _UNCLASSIFIED
    classes[shadow] = _SHADOW
    classes[_mean(wide.cirrus, 2)[inner] > _CIRRUS_REFLECTANCE] = _CIRRUS
    for kind in (_CLOUD_MEDIUM, _CLOUD_HIGH):
        classes[opacity > _OPACITY[kind]] = kind
    return classes


# ---- images ---------------------------------------------------------------------------------


def _layers() -> dict[str, int]:
    """Pixel size in metres of every image of a date."""
    bands = {band: pixel_m for pixel_m, bands in BANDS_OF.items() for band in bands}
    return bands | {"SCL": 20, "CLASSI": 60}


def _write_images(
    scene: _Scene, work: Path, cover: np.ndarray, grade: np.ndarray, threads: int, block_px: int
) -> list[np.ndarray]:
    """Fill cover and grade, and write each date's images as plain TIFF: work/<product>/<layer>.tif.

    Returns for each date how many pixels have each class of the scene classification.
    """
    counts = [np.zeros(256, np.int64) for _ in scene.dates]
    with ExitStack() as stack:
        files = [
            {
                layer: stack.enter_context(
                    _create(work / date.product_id / f"{layer}.tif", layer, pixel_m, scene.grid)
                )
                for layer, pixel_m in _layers().items()
            }
            for date in scene.dates
        ]
        blocks = iter_blocks(
            lambda window: simulate_block(scene, window),
            [lambda window: window],
            grid=scene.grid,
            block_px=block_px,
            threads=threads,
            progress="simulate",
        )
        for window, block in blocks:
            part = window.toslices()
            cover[part], grade[part] = block.cover, block.grade
            for opened, images, count in zip(files, block.images, counts, strict=True):
                count += np.bincount(images["SCL"].ravel(), minlength=count.size)
                _store(opened, window, images)
    return counts


def write_date(
    folder: str | Path,
    date: Date,
    grid: Grid,
    take: Callable[[Window], Mapping[str, np.ndarray]],
    *,
    threads: int = 1,
    block_px: int = 192,
) -> Path:
    """Write one date as .zip into `folder`, all or nothing, and return its path.

    grid: 10 m pixels in UTM, a multiple of SIZE_STEP_PX along each axis. take: window of it that
    begins and ends on pixels of 60 m -> the date's images, as `take_images` makes them; block_px
    is a multiple of SIZE_STEP_PX. Bytes do not depend on `threads` and `block_px`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    counts = np.zeros(256, np.int64)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".twin.") as name:
        work, done = Path(name) / "work", Path(name) / "done"
        work.mkdir()
        done.mkdir()
        with ExitStack() as stack:
            files = {
                layer: stack.enter_context(_create(work / f"{layer}.tif", layer, pixel_m, grid))
                for layer, pixel_m in _layers().items()
            }
            blocks = iter_blocks(
                take,
                [lambda window: window],
                grid=grid,
                block_px=block_px,
                threads=threads,
                progress="simulate sentinel2",
            )
            for window, images in blocks:
                counts += np.bincount(images["SCL"].ravel(), minlength=counts.size)
                _store(files, window, images)
        _pack_date(done, work, date, grid, counts, threads)
        (packed,) = done.iterdir()
        return packed.replace(folder / packed.name)


def _store(
    files: Mapping[str, rasterio.io.DatasetWriter],
    window: Window,
    images: Mapping[str, np.ndarray],
) -> None:
    for layer, image in images.items():
        place = _coarser(window, _layers()[layer] // PIXEL_M)
        files[layer].write(image[None] if image.ndim == 2 else image, window=place)


def _create(path: Path, layer: str, pixel_m: int, grid: Grid) -> rasterio.io.DatasetWriter:
    factor = pixel_m // PIXEL_M
    return rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=grid.width // factor,
        height=grid.height // factor,
        count=3 if layer == "CLASSI" else 1,
        dtype="uint16" if layer in ALL_BANDS else "uint8",
        crs=grid.crs,
        transform=grid.transform @ Affine.scale(factor),
        interleave="band",
    )


def _pack_date(
    folder: Path, images: Path, date: Date, grid: Grid, counts: np.ndarray, threads: int
) -> None:
    """Compress the images and write the date's .zip, whose bytes depend on its contents alone."""
    layers = sorted(_layers())
    for layer in layers:
        (images / date.path(layer)).parent.mkdir(parents=True, exist_ok=True)

    def compress(layer: str) -> None:
        with rasterio.Env(GDAL_NUM_THREADS=1):
            rasterio.shutil.copy(
                images / f"{layer}.tif",
                images / date.path(layer),
                driver="JP2OpenJPEG",
                QUALITY=100,
                REVERSIBLE="YES",
                YCBCR420="NO",
            )
        (images / f"{layer}.tif").unlink()

    with ThreadPoolExecutor(max(1, threads)) as pool:
        list(pool.map(compress, layers))
    texts = {
        "MTD_MSIL2A.xml": _product_metadata(date, grid, counts),
        f"GRANULE/{date.granule}/MTD_TL.xml": _granule_metadata(date, grid, counts),
    }
    names = sorted([*texts, *(date.path(layer) for layer in layers)])
    texts["manifest.safe"] = _manifest(names)
    with zipfile.ZipFile(folder / f"{date.product_id}.zip", "w") as archive:
        for name in sorted([*names, "manifest.safe"]):
            entry = zipfile.ZipInfo(f"{date.product_id}.SAFE/{name}")
            entry.external_attr = 0o644 << 16
            if name in texts:
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, texts[name])
                continue
            with (images / name).open("rb") as source, archive.open(entry, "w") as target:
                shutil.copyfileobj(source, target)


# ---- metadata -------------------------------------------------------------------------------


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.024Z"


def _product_metadata(date: Date, grid: Grid, counts: np.ndarray) -> str:
    """The text of MTD_MSIL2A.xml with the native elements that readers use."""
    letter = date.spacecraft[-1]
    orbit = date.granule.split("_A")[1][:6]
    images = "".join(
        f"<IMAGE_FILE>{date.path(layer).removesuffix('.jp2')}</IMAGE_FILE>"
        for layer in sorted(_layers())
        if layer != "CLASSI"
    )
    offsets = "".join(
        f'<BOA_ADD_OFFSET band_id="{number}">{OFFSET}</BOA_ADD_OFFSET>'
        for number in range(len(_SPECTRAL_LIST))
    )
    table = band_table(date.spacecraft, ALL_BANDS, date.product_id)
    centres = dict(zip(table.names, table.centre_um, strict=True))
    spectral = ""
    for number, (band, pixel_m, least, most, centre) in enumerate(_SPECTRAL_LIST):
        name = band if band == "B8A" else f"B{int(band[1:]):02d}"
        central = 1000 * centres[name] if name in centres else centre
        spectral += (
            f'<Spectral_Information bandId="{number}" physicalBand="{band}">'
            f"<RESOLUTION>{pixel_m}</RESOLUTION><Wavelength>"
            f'<MIN unit="nm">{least}</MIN><MAX unit="nm">{most}</MAX>'
            f'<CENTRAL unit="nm">{central:.1f}</CENTRAL></Wavelength></Spectral_Information>'
        )
    footprint = " ".join(f"{lat:.6f} {lon:.6f}" for lon, lat in _corners(grid))
    return _document(
        "n1:Level-2A_User_Product",
        "https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-2A.xsd",
        f"""<n1:General_Info><Product_Info>
<PRODUCT_START_TIME>{_time(date.moment)}</PRODUCT_START_TIME>
<PRODUCT_STOP_TIME>{_time(date.moment)}</PRODUCT_STOP_TIME>
<PRODUCT_URI>{date.product_id}.SAFE</PRODUCT_URI>
<PROCESSING_LEVEL>Level-2A</PROCESSING_LEVEL><PRODUCT_TYPE>S2MSI2A</PRODUCT_TYPE>
<PROCESSING_BASELINE>{BASELINE}</PROCESSING_BASELINE>
<GENERATION_TIME>2023-01-15T00:00:00.000000Z</GENERATION_TIME>
<PREVIEW_IMAGE_URL>{escape(ORIGIN)}</PREVIEW_IMAGE_URL>
<PREVIEW_GEO_INFO>Not applicable</PREVIEW_GEO_INFO>
<Datatake datatakeIdentifier="GS2{letter}_{date.moment:%Y%m%dT%H%M%S}_{orbit}_N{BASELINE}">
<SPACECRAFT_NAME>{date.spacecraft}</SPACECRAFT_NAME><DATATAKE_TYPE>INS-NOBS</DATATAKE_TYPE>
<DATATAKE_SENSING_START>{_time(date.moment)}</DATATAKE_SENSING_START>
<SENSING_ORBIT_NUMBER>{date.orbit}</SENSING_ORBIT_NUMBER>
<SENSING_ORBIT_DIRECTION>DESCENDING</SENSING_ORBIT_DIRECTION></Datatake>
<Query_Options completeSingleTile="true"><PRODUCT_FORMAT>SAFE_COMPACT</PRODUCT_FORMAT>
</Query_Options>
<Product_Organisation><Granule_List><Granule datastripIdentifier="{_datastrip(date)}"
 granuleIdentifier="{_tile_identifier(date)}" imageFormat="JPEG2000">{images}</Granule>
</Granule_List></Product_Organisation></Product_Info>
<Product_Image_Characteristics>
<Special_Values><SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT>
<SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX></Special_Values>
<Special_Values><SPECIAL_VALUE_TEXT>SATURATED</SPECIAL_VALUE_TEXT>
<SPECIAL_VALUE_INDEX>65535</SPECIAL_VALUE_INDEX></Special_Values>
<QUANTIFICATION_VALUES_LIST>
<BOA_QUANTIFICATION_VALUE unit="none">{QUANTIFICATION}</BOA_QUANTIFICATION_VALUE>
</QUANTIFICATION_VALUES_LIST>
<BOA_ADD_OFFSET_VALUES_LIST>{offsets}</BOA_ADD_OFFSET_VALUES_LIST>
<Reflectance_Conversion><U>{date.distance_au**-2:.8f}</U></Reflectance_Conversion>
<Spectral_Information_List>{spectral}</Spectral_Information_List>
</Product_Image_Characteristics></n1:General_Info>
<n1:Geometric_Info><Product_Footprint><Product_Footprint><Global_Footprint>
<EXT_POS_LIST>{footprint}</EXT_POS_LIST></Global_Footprint></Product_Footprint>
<RASTER_CS_TYPE>POINT</RASTER_CS_TYPE><PIXEL_ORIGIN>1</PIXEL_ORIGIN></Product_Footprint>
<Coordinate_Reference_System><GEO_TABLES version="1">EPSG</GEO_TABLES>
<HORIZONTAL_CS_TYPE>GEOGRAPHIC</HORIZONTAL_CS_TYPE></Coordinate_Reference_System>
</n1:Geometric_Info>
<n1:Quality_Indicators_Info>
<Cloud_Coverage_Assessment>{_cloud_percentage(counts):.6f}</Cloud_Coverage_Assessment>
</n1:Quality_Indicators_Info>""",
    )


def _granule_metadata(date: Date, grid: Grid, counts: np.ndarray) -> str:
    """The text of MTD_TL.xml."""
    west, north = grid.place(0, 0)
    code = grid.crs.to_epsg()
    zone = f"{code % 100}{'N' if code < 32700 else 'S'}"
    sizes = "".join(
        f'<Size resolution="{pixel_m}"><NROWS>{grid.height * PIXEL_M // pixel_m}</NROWS>'
        f"<NCOLS>{grid.width * PIXEL_M // pixel_m}</NCOLS></Size>"
        for pixel_m in BANDS_OF
    )
    places = "".join(
        f'<Geoposition resolution="{pixel_m}"><ULX>{west:.0f}</ULX><ULY>{north:.0f}</ULY>'
        f"<XDIM>{pixel_m}</XDIM><YDIM>-{pixel_m}</YDIM></Geoposition>"
        for pixel_m in BANDS_OF
    )
    seen = max(1, int(counts.sum() - counts[_NODATA]))
    shares = "".join(
        f"<{name}>{100 * counts[kind] / seen:.6f}</{name}>"
        for name, kind in (
            ("CLOUD_SHADOW_PERCENTAGE", _SHADOW),
            ("VEGETATION_PERCENTAGE", _VEGETATION),
            ("NOT_VEGETATED_PERCENTAGE", _BARE),
            ("WATER_PERCENTAGE", _WATER),
            ("UNCLASSIFIED_PERCENTAGE", _UNCLASSIFIED),
            ("MEDIUM_PROBA_CLOUDS_PERCENTAGE", _CLOUD_MEDIUM),
            ("HIGH_PROBA_CLOUDS_PERCENTAGE", _CLOUD_HIGH),
            ("THIN_CIRRUS_PERCENTAGE", _CIRRUS),
        )
    )
    missing = 100 * counts[_NODATA] / counts.sum()
    return _document(
        "n1:Level-2A_Tile_ID",
        "https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_Level-2A_Tile_Metadata.xsd",
        f"""<n1:General_Info>
<TILE_ID metadataLevel="Brief">{_tile_identifier(date)}</TILE_ID>
<DATASTRIP_ID metadataLevel="Standard">{_datastrip(date)}</DATASTRIP_ID>
<SENSING_TIME metadataLevel="Standard">{_time(date.moment)}</SENSING_TIME>
<Archiving_Info metadataLevel="Expertise">
<ARCHIVING_CENTRE>{escape(ORIGIN)}</ARCHIVING_CENTRE>
</Archiving_Info></n1:General_Info>
<n1:Geometric_Info><Tile_Geocoding metadataLevel="Brief">
<HORIZONTAL_CS_NAME>WGS84 / UTM zone {zone}</HORIZONTAL_CS_NAME>
<HORIZONTAL_CS_CODE>EPSG:{code}</HORIZONTAL_CS_CODE>{sizes}{places}</Tile_Geocoding>
<Tile_Angles metadataLevel="Standard"><Mean_Sun_Angle>
<ZENITH_ANGLE unit="deg">{90 - date.sun[0]:.8f}</ZENITH_ANGLE>
<AZIMUTH_ANGLE unit="deg">{date.sun[1]:.8f}</AZIMUTH_ANGLE>
</Mean_Sun_Angle></Tile_Angles></n1:Geometric_Info>
<n1:Quality_Indicators_Info metadataLevel="Standard"><Image_Content_QI>
<CLOUDY_PIXEL_PERCENTAGE>{_cloud_percentage(counts):.6f}</CLOUDY_PIXEL_PERCENTAGE>
<NODATA_PIXEL_PERCENTAGE>{missing:.6f}</NODATA_PIXEL_PERCENTAGE>{shares}</Image_Content_QI>
</n1:Quality_Indicators_Info>""",
    )


def _manifest(names: Sequence[str]) -> str:
    """The text of manifest.safe: a list of the product's files."""
    entries = "".join(
        f'<dataObject ID="file{number:02d}"><byteStream><fileLocation locatorType="URL"'
        f' href="./{escape(name)}"/></byteStream></dataObject>'
        for number, name in enumerate(names)
    )
    return _document(
        "xfdu:XFDU",
        "urn:ccsds:schema:xfdu:1",
        f"<dataObjectSection>{entries}</dataObjectSection>",
    )


def _document(root: str, namespace: str, body: str) -> str:
    prefix = root.split(":")[0]
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
        f'<{root} xmlns:{prefix}="{namespace}">\n{body}\n</{root}>\n'
    )


def _cloud_percentage(counts: np.ndarray) -> float:
    seen = max(1, int(counts.sum() - counts[_NODATA]))
    return 100 * counts[[_CLOUD_MEDIUM, _CLOUD_HIGH, _CIRRUS]].sum() / seen


def _datastrip(date: Date) -> str:
    name = f"S2{date.spacecraft[-1]}_OPER_MSI_L2A_DS_S2RP_{_PROCESSED}"
    return f"{name}_S{date.moment:%Y%m%dT%H%M%S}_N{BASELINE}"


def _tile_identifier(date: Date) -> str:
    orbit = date.granule.split("_")[2]
    name = f"S2{date.spacecraft[-1]}_OPER_MSI_L2A_TL_S2RP_{_PROCESSED}"
    return f"{name}_{orbit}_T{date.tile}_N{BASELINE}"


def _corners(grid: Grid) -> list[tuple[float, float]]:
    """(longitude, latitude) round the scene, closed."""
    turns = ((0, 0), (0, 1), (1, 1), (1, 0), (0, 0))
    places = [grid.place(grid.width * across, grid.height * down) for across, down in turns]
    lon, lat = transform_points(grid.crs, CRS.from_epsg(4326), *zip(*places, strict=True))
    return list(zip(lon, lat, strict=True))


# ---- truth and surveys ----------------------------------------------------------------------


def _write_truth(
    path: Path,
    codes: np.ndarray,
    grid: Grid,
    classes: Sequence[MapClass],
    date: Date,
    threads: int,
) -> None:
    layer = Layer(
        path,
        "uint8",
        TRUTH_NODATA,
        ("truth",),
        overviews="mode",
        colours=class_colours(classes),
        tags={"SYNTHETIC": "yes", "PRODUCT_ID": date.product_id},
    )
    read = [lambda window: codes[window.toslices()]]
    map_blocks(lambda block: block, read, [layer], grid=grid, threads=threads)
    write_class_style(path, classes)


def _write_fields(folder: Path, ground: IronGround, grid: Grid, threads: int) -> None:
    """The surveys that come as rasters, each on pixels of its own."""
    west, _, _, north = grid.bounds

    def write(name: str, pixel_m: int, unit: str, field) -> None:
        cells = math.ceil(grid.width * PIXEL_M / pixel_m)
        own = Grid(grid.crs, Affine(pixel_m, 0, west, 0, -pixel_m, north), cells, cells)

        def values(window: Window) -> np.ndarray:
            columns = np.arange(window.width) + window.col_off
            rows = np.arange(window.height) + window.row_off
            x, y = np.meshgrid((columns + 0.5) * pixel_m, (rows + 0.5) * pixel_m)
            return np.asarray(field(x, y, columns, rows), np.float32)

        tags = {"SYNTHETIC": "yes", "ORIGIN": ORIGIN, "UNITS": unit}
        layer = Layer(folder / f"{name}.tif", "float32", _NO_VALUE, (name,), tags=tags)
        map_blocks(lambda block: block, [values], [layer], grid=own, threads=threads)

    error = field_key(ground.seed, "error of the heights")
    deviation = _DEM_ERROR_M * min(ground.difficulty, 1.0)
    write(
        "dem",
        _DEM_PIXEL_M,
        "m",
        lambda x, y, columns, rows: (
            ground.heights(x, y) + deviation * white_noise(columns, rows, error)
        ),
    )
    write("magnetics", _MAGNETICS_PIXEL_M, "nT", lambda x, y, *_: ground.anomaly(x, y))


def _write_vectors(folder: Path, ground: IronGround, grid: Grid) -> None:
    tables = Surveyor(ground, grid).tables()
    kinds = kinds_of_geometry(list(tables))
    with fixed_date():
        for name, table in tables.items():
            pyogrio.write_dataframe(
                table, folder / f"{name}.gpkg", layer=name, geometry_type=kinds[name], driver="GPKG"
            )


def replace_all(done: Path, folder: Path) -> None:
    """Move everything from `done` to `folder`, in place of what is there of the same name.

    What is replaced goes beside `done`, into a folder that is the caller's to remove.
    """
    old = done.parent / "old"
    old.mkdir()
    for path in sorted(done.iterdir()):
        target = folder / path.name
        if target.is_dir():
            target.replace(old / path.name)
        path.replace(target)
