"""The twin as Sentinel-2 Level-2A dates: SAFE folders in .zip files.

Layout and names after the Sentinel-2 Products Specification Document (S2-PDGS-TAS-DI-PSD issue
14.9), processing baseline 05.00: JPEG 2000, offset -1000, scene classification, cloud mask. Left
out: copies of bands at coarser pixels than their own, true-colour image, aerosol and water-vapour
maps, footprints of detectors, viewing angles.
"""

import math
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.files import scratch, staged
from gossan.library.spectrum import Spectrum
from gossan.products.sentinel2 import ALL_BANDS, band_table
from gossan.products.sentinel2_files import NATIVE_M
from gossan.raster import Grid, iter_blocks
from gossan.twin.noise import field_key, white_noise
from gossan.twin.optics import (
    BandSpectra,
    band_spectra,
    spectra_in_bands,
    surface_reflectance,
    tabulate_spectra,
    top_of_atmosphere,
    undo_air,
)
from gossan.twin.site import Site
from gossan.twin.terrain import Sky, Terrain, Variability, padded
from gossan.twin.view import POINTING_MOST_PX, POINTING_STD_PX
from gossan.whole import require_whole

ORIGIN = "Simulated by gossan; not a satellite image"
PIXEL_M = 10
# A product is as many whole pixels of 60 m; the largest is a whole tile.
STEP_M, MOST_PX, MOST_DATES, MOST_TILES = 60, 10_980, 36, 4
# Share of its width by which a tile overlaps the next: 9.8 of 109.8 km.
_OVERLAP = 0.089
BASELINE = "05.00"
OFFSET, QUANTIFICATION = -1000, 10_000
# Sentinel-2A and 2B take turns over a place every five days.
_TURN = timedelta(days=5)
_YEAR = timedelta(days=365)
_PROCESSED = "20230115T000000"
_ORBITS_PER_DAY = 14.3
# Relative orbits: absolute ones, less this number of each spacecraft, modulo 143.
_ORBIT_OFFSET = {"Sentinel-2A": -2, "Sentinel-2B": 27}
_ORBITS = 143


@dataclass(frozen=True)
class _Campaign:
    """How the spacecraft pass over a ground.

    first: the first date, of Sentinel-2A, as late by the sun as over longitude_deg; orbit: the
    relative one (None: told by the absolute ones); first_orbit: absolute orbits of both spacecraft
    on the first date of each; aerosol_055, aerosol_error_std: mean aerosol, and standard deviation
    of the logarithm of the error with which the correction knows it.

    stacked: whether dates are made to be stacked with other sensors: seen by the spectra of all
    channels and from a little beside of where they should be, and not cut off by the swath.
    """

    first: datetime
    longitude_deg: float
    orbit: int | None
    first_orbit: Mapping[str, int] = field(hash=False)
    aerosol_055: float
    aerosol_error_std: float
    stacked: bool = False


_ELSEWHERE = _Campaign(
    first=datetime(2021, 7, 7, 13, 2, 51, tzinfo=UTC),
    longitude_deg=-42.54,
    orbit=None,
    first_orbit={"Sentinel-2A": 31552, "Sentinel-2B": 22715},
    aerosol_055=0.12,
    aerosol_error_std=0.2,
)
_CAMPAIGNS = {
    "epithermal": _Campaign(
        first=datetime(2022, 6, 24, 18, 29, 21, tzinfo=UTC),
        longitude_deg=-117.20,
        orbit=27,
        first_orbit={"Sentinel-2A": 36587, "Sentinel-2B": 27749},
        aerosol_055=0.08,
        aerosol_error_std=0.25,
        stacked=True,
    ),
}
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
# Standard deviation of the logarithm of the aerosol, from date to date.
_AEROSOL_STD = 0.3
# Number by which what is drawn for a sensor of a stack is set.
_NUMBER = 3
# Where the orbit's swath ends: share of the width at the northern edge, its slant, its scatter.
_SWATH_EDGE, _SLANT, _EDGE_STD = 1.06, 0.17, 0.006
# Scene classification: classes and the opacities from which they are seen.
_NODATA, _DARK, _SHADOW, _VEGETATION, _BARE, _WATER, _UNCLASSIFIED = 0, 2, 3, 4, 5, 6, 7
_CLOUD_MEDIUM, _CLOUD_HIGH, _CIRRUS = 8, 9, 10
_OPACITY = {_UNCLASSIFIED: 0.15, _CLOUD_MEDIUM: 0.3, _CLOUD_HIGH: 0.6}
_SHADOW_OPACITY, _CIRRUS_REFLECTANCE, _DARK_LIGHT, _VEGETATION_NDVI = 0.3, 0.006, 0.3, 0.4


@dataclass(frozen=True)
class Date:
    """One overpass of a tile: orbits, sun, aerosol (true and assumed), leaves, swath's edge (m).

    orbit, absolute: the relative orbit and the absolute one; offset_m: by how much (east, south)
    the ground is seen beside of its place.
    """

    spacecraft: str
    tile: str
    orbit: int
    moment: datetime
    absolute: int
    sun: tuple[float, float]
    distance_au: float
    aerosol: float
    assumed_aerosol: float
    leaf: float
    edge_m: float
    offset_m: tuple[float, float]

    @property
    def product_id(self) -> str:
        """Name of the product."""
        return product_name(self.spacecraft, self._start, self.orbit, self.tile)

    @property
    def granule(self) -> str:
        """Name of the product's one granule."""
        return f"L2A_T{self.tile}_A{self.absolute:06d}_{self._start}"

    @property
    def _start(self) -> str:
        return f"{self.moment:%Y%m%dT%H%M%S}"

    @property
    def overpass(self) -> int:
        """Number of the day, which clouds and noise depend on."""
        return int(f"{self.moment:%Y%m%d}")

    @property
    def stem(self) -> str:
        """What the names of the images begin with."""
        return f"T{self.tile}_{self._start}"

    def path(self, layer: str) -> str:
        """Path of an image below the .SAFE folder; layer: a band, SCL or CLASSI."""
        if layer == "CLASSI":
            return f"GRANULE/{self.granule}/QI_DATA/MSK_CLASSI_B00.jp2"
        pixel_m = NATIVE_M[layer]
        return f"GRANULE/{self.granule}/IMG_DATA/R{pixel_m}m/{self.stem}_{layer}_{pixel_m}m.jp2"


@dataclass(frozen=True)
class Tile:
    """A tile by its name, and the window of the ground's 10 m grid that it holds."""

    name: str
    window: Window

    def grid(self, ground: Grid) -> Grid:
        """Its own grid."""
        corner = Affine.translation(self.window.col_off, self.window.row_off)
        return Grid(ground.crs, ground.transform @ corner, self.window.width, self.window.height)


@dataclass(frozen=True)
class _Scene:
    """All that a block needs; spectra: spacecraft -> bands of a pixel size -> spectra."""

    site: Site
    grid: Grid
    dates: tuple[Date, ...]
    tiles: tuple[Tile, ...]
    spectra: Mapping[str, Mapping[int, BandSpectra]]


def simulate_sentinel2(
    site: Site,
    library: Sequence[Spectrum],
    folder: str | Path,
    *,
    dates: int,
    tiles: int = 1,
    tile: int | None = None,
    threads: int = 1,
    block_px: int = 192,
) -> None:
    """Simulate a ground as `dates` Level-2A dates, 1 to MOST_DATES: one .zip each in `folder`.

    All are written, in place of what is there, or none. Pixels of 10 m cover the ground, to a
    multiple of 60 m. With `tiles`, up to MOST_TILES, each date is one .zip a tile: windows of the
    same images from west to east, which overlap as tiles do; with `tile`, from 1, that one alone is
    written. Bytes depend on the arguments without
    `threads` and `block_px` (a multiple of 6); memory on these and the number of dates.

    Raises InputError when the library lacks a spectrum, for a ground larger than a tile, and for a
    number of dates or tiles, or a tile, out of range.
    """
    scene = plan_scene(site, library, dates, tiles)
    if tile is not None:
        if not 1 <= tile <= tiles:
            raise InputError(f"--tile {tile}: is none of {tiles} tiles; use 1 to {tiles}")
        scene = replace(scene, tiles=scene.tiles[tile - 1 : tile])
    with staged(folder, folder=True) as done, scratch(folder) as work:
        for date, _ in _products(scene):
            (work / date.product_id).mkdir()
        shares = _write_images(scene, work, threads, block_px)
        for (date, tile), counts in zip(_products(scene), shares, strict=True):
            grid = tile.grid(scene.grid)
            _pack_date(done, work / date.product_id, date, grid, counts, threads)


def _products(scene: _Scene) -> list[tuple[Date, Tile]]:
    """Each date of each tile: the tiles of the first date, then those of the second."""
    return [(replace(date, tile=tile.name), tile) for date in scene.dates for tile in scene.tiles]


def plan_scene(site: Site, library: Sequence[Spectrum], dates: int, tiles: int = 1) -> _Scene:
    """When the ground is seen, on which grids, and the spectra of what it is made of."""
    for flag, value, most in (("dates", dates, MOST_DATES), ("tiles", tiles, MOST_TILES)):
        if not 1 <= value <= most:
            raise InputError(f"--{flag} {value}: out of range; use 1 to {most}")
    grid = site.covering(PIXEL_M, STEP_M)
    if max(grid.shape) > MOST_PX:
        raise InputError(
            f"the ground {site.name} is {max(grid.shape)} pixels of {PIXEL_M} m wide or high; "
            f"sentinel2 has at most {MOST_PX}: use a smaller --size-px"
        )
    spectra = {spacecraft: _resample(site, library, spacecraft) for spacecraft in _ORBIT_OFFSET}
    return _Scene(site, grid, plan_dates(site, grid, dates), plan_tiles(grid, tiles), spectra)


def plan_tiles(grid: Grid, count: int) -> tuple[Tile, ...]:
    """Tiles side by side, of one width, that overlap on whole pixels of 60 m.

    They are called as neighbours are; real ones are larger than the ground.
    """
    step_px = STEP_M // PIXEL_M
    share = (1 - _OVERLAP) / (count - (count - 1) * _OVERLAP)
    step = math.floor(grid.width * share / step_px) * step_px
    width = grid.width - (count - 1) * step
    return tuple(
        Tile(name, Window(place * step, 0, width, grid.height))
        for place, name in enumerate(tile_names(grid, count))
    )


def _resample(site: Site, library: Sequence[Spectrum], spacecraft: str) -> dict[int, BandSpectra]:
    """Spectra of the ground's constituents in the bands of each pixel size."""
    constituents = site.terrain.constituents
    materials = site.terrain.materials(library)
    sensor = f"{spacecraft} MSI"
    bands = {
        pixel_m: band_table(spacecraft, names, spacecraft) for pixel_m, names in BANDS_OF.items()
    }
    if _campaign(site).stacked:
        table = tabulate_spectra(materials, constituents)
        return {size: spectra_in_bands(table, some, sensor) for size, some in bands.items()}
    return {
        size: band_spectra(materials, some, sensor, constituents) for size, some in bands.items()
    }


def _campaign(site: Site) -> _Campaign:
    return _CAMPAIGNS.get(site.name, _ELSEWHERE)


def plan_dates(site: Site, grid: Grid, count: int) -> tuple[Date, ...]:
    """The dates, each with its own air, and its own edge of the swath or error of pointing.

    They are spread over one year as evenly as the orbit allows: an odd number of turns lies
    between two, so that the spacecraft alternate.
    """
    campaign, terrain = _campaign(site), site.terrain
    first = site.local(campaign.first, campaign.longitude_deg)
    turns = _YEAR // (_TURN * count)
    step = _TURN * max(1, turns - 1 + turns % 2)
    (tile,) = tile_names(grid, 1)
    dates = []
    for index in range(count):
        spacecraft = ("Sentinel-2A", "Sentinel-2B")[index % 2]
        moment = first + index * step
        absolute, orbit = _orbits(campaign, spacecraft, first, moment)
        air, error, edge, offset = _draw(site, campaign, index)
        aerosol = campaign.aerosol_055 * terrain.difficulty * math.exp(_AEROSOL_STD * air)
        elevation, azimuth, distance = site.sun(moment)
        dates.append(
            Date(
                spacecraft=spacecraft,
                tile=tile,
                orbit=orbit,
                moment=moment,
                absolute=absolute,
                sun=(elevation, azimuth),
                distance_au=distance,
                aerosol=aerosol,
                assumed_aerosol=aerosol * math.exp(campaign.aerosol_error_std * error),
                leaf=terrain.leaf(moment),
                edge_m=grid.width * PIXEL_M * (_SWATH_EDGE + _EDGE_STD * edge),
                offset_m=offset,
            )
        )
    return tuple(dates)


def _draw(
    site: Site, campaign: _Campaign, index: int
) -> tuple[float, float, float, tuple[float, float]]:
    """What the seed sets for a date: air, error of the air, edge of the swath, offset (m)."""
    terrain = site.terrain
    seed, grade = terrain.seed & 0xFFFFFFFF, min(terrain.difficulty, 1.0)
    if not campaign.stacked:
        air, error, edge = np.random.default_rng([seed, 3, index]).normal(size=3) * grade
        return air, error, edge, (0.0, 0.0)
    # The first date as one of the sensors of a stack, which are numbered.
    rng = np.random.default_rng([seed, 5, _NUMBER, index] if index else [seed, 5, _NUMBER])
    pointing = rng.normal(size=2) * POINTING_STD_PX
    pointing = np.clip(pointing, -POINTING_MOST_PX, POINTING_MOST_PX)
    air, error = rng.normal(size=2) * grade
    east, south = grade * PIXEL_M * pointing
    return air, error, math.inf, (east, south)


def _orbits(
    campaign: _Campaign, spacecraft: str, first: datetime, moment: datetime
) -> tuple[int, int]:
    """Absolute and relative orbit of a date."""
    days = (moment - first).days
    if spacecraft == "Sentinel-2B":
        # It was first over the place five days after the other.
        days -= 5
    absolute = campaign.first_orbit[spacecraft] + round(days * _ORBITS_PER_DAY)
    if campaign.orbit is not None:
        return absolute, campaign.orbit
    # Where it is as late by the sun as there, the spacecraft is some orbits sooner or later.
    absolute += round((first - campaign.first) / timedelta(days=1) * _ORBITS_PER_DAY)
    return absolute, (absolute - _ORBIT_OFFSET[spacecraft]) % _ORBITS + 1


def tile_names(grid: Grid, count: int) -> list[str]:
    """Tile of the centre of a grid in UTM, after the Military Grid Reference System: "23LQE".

    Of several, from west to east, the first is that of the centre, or so far west of it that all
    are of the zone.
    """
    x, y = grid.place(grid.width / 2, grid.height / 2)
    _, (lat,) = transform_points(grid.crs, CRS.from_epsg(4326), [x], [y])
    zone = grid.crs.to_epsg() % 100
    belt = "CDEFGHJKLMNPQRSTUVWX"[min(int((lat + 80) // 8), 19)]
    columns = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")[zone % 3]
    first = min(int(x // 100_000) - 1, len(columns) - count)
    rows = "ABCDEFGHJKLMNPQRSTUV"
    row = rows[(int(y // 100_000) + (0 if zone % 2 else 5)) % len(rows)]
    return [f"{zone:02d}{belt}{column}{row}" for column in columns[first : first + count]]


def product_name(spacecraft: str, start: str, orbit: int, tile: str) -> str:
    """Name of a product that starts at `start` (YYYYMMDDTHHMMSS)."""
    baseline = BASELINE.replace(".", "")
    return f"S2{spacecraft[-1]}_MSIL2A_{start}_N{baseline}_R{orbit:03d}_T{tile}_{_PROCESSED}"


# ---- a block --------------------------------------------------------------------------------


def simulate_block(scene: _Scene, window: Window) -> list[dict[str, np.ndarray]]:
    """Images of each date, by layer, of a window of the 10 m grid on whole pixels of 60 m."""
    level_m = scene.site.ground.level_m
    # Dates without an error of pointing have the ground in common.
    seen: dict[tuple[float, float], tuple] = {}
    images = []
    for date in scene.dates:
        if date.offset_m not in seen:
            ground = scene.site.terrain.moved(*date.offset_m)
            seen[date.offset_m] = (
                ground,
                ground.abundances(window, PIXEL_M),
                ground.variability(window, PIXEL_M),
                ground.elevation(window, PIXEL_M),
            )
        ground, abundances, variability, elevation = seen[date.offset_m]
        images.append(
            take_images(
                ground,
                date,
                window,
                shares=ground.season(abundances, date.leaf),
                variability=variability,
                elevation=elevation,
                level_m=level_m,
                spectra=scene.spectra[date.spacecraft],
            )
        )
    return images


def take_images(
    ground: Terrain,
    date: Date,
    window: Window,
    *,
    shares: np.ndarray,
    variability: Variability,
    elevation: np.ndarray,
    level_m: float,
    spectra: Mapping[int, BandSpectra],
) -> dict[str, np.ndarray]:
    """What an overpass stores of a window at 10 m: bands, SCL and CLASSI, each at its own pixels.

    shares: of each constituent (constituents, rows, columns), as the date shows them; variability,
    elevation: of the same pixels; level_m: height above the sea that the
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
    flooded = _mean(shares[ground.constituents.index("water")], 2) > 0.5
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
    level_m: float,
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


def _write_images(scene: _Scene, work: Path, threads: int, block_px: int) -> list[np.ndarray]:
    """Write each product's images as plain TIFF: work/<product>/<layer>.tif.

    Returns for each of `_products` how many pixels have each class of the scene classification.
    """
    products = _products(scene)
    counts = [np.zeros(256, np.int64) for _ in products]
    with ExitStack() as stack:
        files = [
            {
                layer: stack.enter_context(
                    _create(
                        work / date.product_id / f"{layer}.tif",
                        layer,
                        pixel_m,
                        tile.grid(scene.grid),
                    )
                )
                for layer, pixel_m in _layers().items()
            }
            for date, tile in products
        ]
        blocks = iter_blocks(
            lambda window: simulate_block(scene, window),
            [lambda window: window],
            grid=scene.grid,
            block_px=block_px,
            threads=threads,
            progress="simulate sentinel2",
        )
        for window, block in blocks:
            seen = [images for images in block for _ in scene.tiles]
            for (_, tile), opened, images, count in zip(products, files, seen, counts, strict=True):
                count += _store(opened, window, images, tile)
    return counts


def _store(
    files: Mapping[str, rasterio.io.DatasetWriter],
    window: Window,
    images: Mapping[str, np.ndarray],
    tile: Tile,
) -> np.ndarray:
    """Write what a tile has of a window's images; pixels of each class that it has, (256,)."""
    first = max(window.col_off, tile.window.col_off)
    last = min(window.col_off + window.width, tile.window.col_off + tile.window.width)
    counts = np.zeros(256, np.int64)
    if first >= last:
        return counts
    for layer, image in images.items():
        factor = _layers()[layer] // PIXEL_M
        columns = slice((first - window.col_off) // factor, (last - window.col_off) // factor)
        place = Window(first - tile.window.col_off, window.row_off, last - first, window.height)
        cut = image[..., columns]
        files[layer].write(cut[None] if cut.ndim == 2 else cut, window=_coarser(place, factor))
        if layer == "SCL":
            counts += np.bincount(cut.ravel(), minlength=counts.size)
    return counts


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
    require_whole(images)
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
    require_whole(images)
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
