"""The twin as an ASTER Level 1T product: one HDF4 file of digital numbers and ODL metadata.

Names of data sets and of metadata keys are the native ones. The sky is free of cloud (ASTER
products have no cloud mask). Left out: thermal bands, the crosstalk between the SWIR detectors,
HDF-EOS geolocation tables, and the fill around a swath.
"""

import math
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from gossan.files import staged
from gossan.library.spectrum import Spectrum
from gossan.products.aster import (
    CENTRE_UM,
    COEFFICIENTS,
    FWHM_UM,
    IRRADIANCE,
    SATURATED,
    SENSOR,
    sun_distance_au,
)
from gossan.products.aster_files import HDF4_LOCK, TELESCOPES
from gossan.raster import BandTable, Grid, iter_blocks
from gossan.twin.noise import field_key, white_noise
from gossan.twin.optics import BandSpectra, band_spectra, surface_reflectance, top_of_atmosphere
from gossan.twin.site import Site
from gossan.twin.terrain import Sky, Variability, finer, mean_about, padded

ORIGIN = "Simulated by gossan; not a satellite image"
PIXEL_M, FINE_PIXEL_M = 30, 15
# As late by the sun as over this longitude then.
_ACQUIRED, _LONGITUDE_DEG = datetime(2002, 7, 21, 7, 21, 45, tzinfo=UTC), 52.40
_PROCESSED = "20150413000000_00000"
# Sun elevation and azimuth as they are told of a ground.
_SUN = {"porphyry-zones": (69.053, 122.583)}
# Northings of southern zones come without it.
_FALSE_NORTHING_M = 10_000_000.0
# The low gains, for bright desert ground.
_GAINS = {"VNIR": "LO1", "SWIR": "LO1"}
BANDS = {
    name: BandTable(
        TELESCOPES[name],
        tuple(CENTRE_UM[band] for band in TELESCOPES[name]),
        tuple(FWHM_UM[band] for band in TELESCOPES[name]),
    )
    for name in ("VNIR", "SWIR")
}
# Transmittance of ozone, water vapour and other gases, both ways, over high dry ground in summer:
# typical values. Band 8 has methane, band 9 the edge of a band of water vapour.
_GAS = {
    "VNIR": (0.93, 0.95, 0.97),
    "SWIR": (0.97, 0.95, 0.96, 0.96, 0.91, 0.80),
}
# Noise (standard deviation of reflectance) at a reflectance of 0.7: half of what the mission's
# requirements allow (Yamaguchi et al. 1998, IEEE TGRS 36, 1062), within which all bands were in
# orbit (Arai and Tonooka 2005, IEEE TGRS 43, 2725). SNR 280, and 108 to 140 in bands 5-9.
_NOISE = {
    "VNIR": (0.0025, 0.0025, 0.0025),
    "SWIR": (0.0025, 0.0065, 0.0065, 0.0065, 0.005, 0.0065),
}
_NOISE_REFLECTANCE = 0.7
# Part of the noise variance that does not grow with the signal.
_DARK_NOISE = 0.3
_AEROSOL_055 = 0.1


@dataclass(frozen=True)
class _Scene:
    """All that a block needs; sun: elevation and azimuth in degrees."""

    site: Site
    grid: Grid
    moment: datetime
    sun: tuple[float, float]
    spectra: dict[str, BandSpectra]

    @property
    def overpass(self) -> int:
        """Number of the day, which haze and noise depend on."""
        return int(f"{self.moment:%Y%m%d}")

    @property
    def product_id(self) -> str:
        """Name of the granule."""
        return f"AST_L1T_003{self.moment:%m%d%Y%H%M%S}_{_PROCESSED}"


@dataclass(frozen=True)
class _Block:
    """Numbers of one block: vnir and swir (bands, rows, columns)."""

    vnir: np.ndarray
    swir: np.ndarray


def simulate_aster(
    site: Site,
    library: Sequence[Spectrum],
    product: str | Path,
    *,
    threads: int = 1,
    block_px: int = 128,
) -> None:
    """Simulate a ground as ASTER sees it and write the product.

    product: HDF4 with ImageData1, 2, 3N (15 m) and 4-9 (30 m), uint8. Bytes do not depend on
    `threads`; memory is set by `block_px` and threads.

    Raises InputError when the library lacks a constituent of the ground.
    """
    scene = plan_scene(site, library)
    with staged(product) as packed:
        with _HdfWriter(packed.parent, scene) as file:
            blocks = iter_blocks(
                lambda window: simulate_block(scene, window),
                [lambda window: window],
                grid=scene.grid,
                block_px=block_px,
                threads=threads,
                progress="simulate aster",
            )
            for window, block in blocks:
                file.write("VNIR", 2 * window.row_off, 2 * window.col_off, block.vnir)
                file.write("SWIR", window.row_off, window.col_off, block.swir)
        file.path.replace(packed)


def plan_scene(site: Site, library: Sequence[Spectrum]) -> _Scene:
    """When and from where the ground is seen, and the spectra of what it is made of."""
    moment = site.local(_ACQUIRED, _LONGITUDE_DEG)
    terrain = site.terrain
    materials = terrain.materials(library)
    return _Scene(
        site=site,
        grid=site.covering(PIXEL_M),
        moment=moment,
        sun=_SUN.get(site.name) or site.sun(moment)[:2],
        spectra={
            name: band_spectra(materials, bands, SENSOR, terrain.constituents)
            for name, bands in BANDS.items()
        },
    )


def simulate_block(scene: _Scene, window: Window) -> _Block:
    """Digital numbers of a window of the scene's 30 m grid.

    The first pixels of both telescopes have one centre, so the 30 m pixel c lies evenly about
    the 15 m pixel 2 c, over it and half of its neighbours. Relief, light, haze and variability are
    computed every 30 m and interpolated between.
    """
    ground, difficulty = scene.site.terrain, scene.site.terrain.difficulty
    abundances = ground.abundances(finer(window), FINE_PIXEL_M)
    abundances = ground.season(abundances, ground.leaf(scene.moment))
    around = padded(window, 1)
    direct, sky_view = ground.illumination(around, PIXEL_M, *scene.sun)
    variability = ground.variability(around, PIXEL_M)
    layers = {
        "direct": direct,
        "sky_view": sky_view,
        "elevation": ground.elevation(around, PIXEL_M),
        "haze": ground.clouds(around, PIXEL_M, *scene.sun, scene.overpass).haze,
        "depth": variability.depth,
        "brightness": variability.brightness,
        "tilt": variability.tilt,
    }

    def image(name: str, shares: np.ndarray, here: dict[str, np.ndarray]) -> np.ndarray:
        none = np.zeros_like(here["haze"])
        return top_of_atmosphere(
            surface_reflectance(
                shares,
                Variability(here["depth"], here["brightness"], here["tilt"]),
                scene.spectra[name],
            ),
            here["direct"],
            here["sky_view"],
            here["elevation"],
            Sky(cloud=none, shadow=none, cirrus=none, haze=here["haze"]),
            np.asarray(BANDS[name].centre_um),
            np.asarray(_GAS[name], np.float32),
            scene.sun[0],
            _AEROSOL_055 * difficulty,
            min(1.0, difficulty),
        )

    # The last pixel of the scene has no 15 m pixels beyond its centre.
    rows = 2 * window.height - (window.row_off + window.height == scene.grid.height)
    columns = 2 * window.width - (window.col_off + window.width == scene.grid.width)
    own = (..., slice(1, 1 + rows), slice(1, 1 + columns))
    inner = (..., slice(1, -1), slice(1, -1))
    vnir = image("VNIR", abundances[own], {k: _between(v)[own] for k, v in layers.items()})
    swir = image("SWIR", mean_about(abundances), {k: v[inner] for k, v in layers.items()})
    # Noise is counted in the district that the ground is a window of.
    column, row = (
        first + place
        for first, place in zip(scene.site.first_px, (window.col_off, window.row_off), strict=True)
    )
    return _Block(
        vnir=_digital_numbers(scene, "VNIR", 2 * column, 2 * row, vnir),
        swir=_digital_numbers(scene, "SWIR", column, row, swir),
    )


def _between(coarse: np.ndarray) -> np.ndarray:
    """Values (..., 2 rows + 1, 2 columns + 1) every 15 m between (..., rows + 2, columns + 2).

    Starts and ends halfway between the outermost values and their neighbours.
    """
    *others, height, width = coarse.shape
    rows = np.empty((*others, 2 * height - 3, width), coarse.dtype)
    rows[..., 1::2, :] = coarse[..., 1:-1, :]
    rows[..., ::2, :] = 0.5 * (coarse[..., :-1, :] + coarse[..., 1:, :])
    fine = np.empty((*others, 2 * height - 3, 2 * width - 3), coarse.dtype)
    fine[..., 1::2] = rows[..., 1:-1]
    fine[..., ::2] = 0.5 * (rows[..., :-1] + rows[..., 1:])
    return fine


def _digital_numbers(
    scene: _Scene, telescope: str, column: int, row: int, reflectance: np.ndarray
) -> np.ndarray:
    """Add noise and quantise; 1 is zero radiance, 255 saturated. (bands, rows, columns) uint8.

    column, row: place of the first pixel in the district, which the noise depends on.
    """
    ground = scene.site.terrain
    columns = np.arange(reflectance.shape[2]) + column
    rows = np.arange(reflectance.shape[1]) + row
    stored = np.empty(reflectance.shape, np.uint8)
    height_of_sun = math.sin(math.radians(scene.sun[0]))
    distance = sun_distance_au(scene.moment.date())
    for index, band in enumerate(TELESCOPES[telescope]):
        signal = reflectance[index]
        level = np.maximum(signal, 0.0) / _NOISE_REFLECTANCE
        variance = _DARK_NOISE + (1 - _DARK_NOISE) * level
        deviation = ground.difficulty * _NOISE[telescope][index] * np.sqrt(variance)
        key = field_key(ground.seed, f"ASTER noise of band {band} {scene.overpass}")
        signal = signal + deviation * white_noise(columns, rows, key)
        radiance = signal * IRRADIANCE[band] * height_of_sun / (math.pi * distance**2)
        numbers = np.rint(radiance / COEFFICIENTS[band][_GAINS[telescope]]) + 1
        stored[index] = np.clip(numbers, 1, SATURATED)
    return stored


# ---- files --------------------------------------------------------------------------------------


class _HdfWriter:
    """The product's HDF4 file in a folder, filled block by block; a context manager."""

    def __init__(self, folder: Path, scene: _Scene):
        from pyhdf.SD import SD, SDC

        self.path = folder / f"{scene.product_id}.hdf"
        height, width = scene.grid.shape
        shapes = {"VNIR": (2 * height - 1, 2 * width - 1), "SWIR": (height, width)}
        with HDF4_LOCK:
            # The library writes the path that it is given into the file: give it the name alone,
            # so that the bytes tell nothing of the machine.
            with chdir(folder):
                self._file = SD(self.path.name, SDC.WRITE | SDC.CREATE | SDC.TRUNC)
            for name, text in _metadata(scene).items():
                self._file.attr(name).set(SDC.CHAR8, text)
            self._sets = {
                name: [self._create(SDC.UINT8, name, band, shape) for band in TELESCOPES[name]]
                for name, shape in shapes.items()
            }

    def _create(self, kind: int, telescope: str, band: str, shape: tuple[int, int]):
        dataset = self._file.create(f"ImageData{band}", kind, shape)
        for axis, name in enumerate(("ImageLine", "ImagePixel")):
            dataset.dim(axis).setname(f"{name}:{telescope}_Swath")
        return dataset

    def write(self, telescope: str, row: int, column: int, block: np.ndarray) -> None:
        with HDF4_LOCK:
            for dataset, numbers in zip(self._sets[telescope], block, strict=True):
                dataset.set(np.ascontiguousarray(numbers), start=(row, column), count=numbers.shape)

    def __enter__(self) -> "_HdfWriter":
        return self

    def __exit__(self, *_: object) -> None:
        with HDF4_LOCK:
            for dataset in [one for group in self._sets.values() for one in group]:
                dataset.endaccess()
            self._file.end()


def _metadata(scene: _Scene) -> dict[str, str]:
    """The texts of the metadata attributes, with the native groups and keys."""
    grid, code = scene.grid, scene.grid.crs.to_epsg()
    south = code // 100 == 327
    places = {
        "UPPERLEFT": (0.5, 0.5),
        "UPPERRIGHT": (grid.width - 0.5, 0.5),
        "LOWERLEFT": (0.5, grid.height - 0.5),
        "LOWERRIGHT": (grid.width - 0.5, grid.height - 0.5),
    }
    metres = {name: grid.place(*place) for name, place in places.items()}
    lon, lat = transform_points(grid.crs, CRS.from_epsg(4326), *zip(*metres.values(), strict=True))
    degrees = {name: (lat[index], lon[index]) for index, name in enumerate(places)}
    inventory = {
        "SHORTNAME": '"AST_L1T"',
        "VERSIONID": "3",
        "LOCALGRANULEID": f'"{scene.product_id}.hdf"',
        "CALENDARDATE": f'"{scene.moment:%Y%m%d}"',
        "TIMEOFDAY": f'"{scene.moment:%H%M%S}000000Z"',
        "PGEVERSION": f'"{ORIGIN}"',
        "NORTHBOUNDINGCOORDINATE": f"{max(lat):.6f}",
        "SOUTHBOUNDINGCOORDINATE": f"{min(lat):.6f}",
        "EASTBOUNDINGCOORDINATE": f"{max(lon):.6f}",
        "WESTBOUNDINGCOORDINATE": f"{min(lon):.6f}",
    }
    additional = {
        "ASTERMapProjection": "Universal Transverse Mercator",
        "CorrectionAchieved": "None",
    }
    gains = [(band, gain) for name, gain in _GAINS.items() for band in TELESCOPES[name]]
    aster = [
        *_group(
            "SCENEINFORMATION",
            _object("SOLARDIRECTION", f"({scene.sun[1]:.8g}, {scene.sun[0]:.8g})"),
        ),
        *_group(
            "GAININFORMATION",
            *(
                _object("GAIN", f'("{band:0>2}", "{gain}")', str(number))
                for number, (band, gain) in enumerate(gains, start=1)
            ),
        ),
    ]
    generic = [
        *_group(
            "SCENEFOURCORNERS",
            *(
                _object(name, f"({place[0]:.6f}, {place[1]:.6f})")
                for name, place in degrees.items()
            ),
        ),
        # Northing before easting, as the product has it.
        *_group(
            "SCENEFOURCORNERSMETERS",
            *(
                _object(f"{name}M", f"({place[1] - south * _FALSE_NORTHING_M:.1f}, {place[0]:.1f})")
                for name, place in metres.items()
            ),
        ),
        *_object("UTMZONENUMBER", str(-(code % 100) if south else code % 100)),
    ]
    return {
        "coremetadata.0": _odl(
            "INVENTORYMETADATA",
            *(_object(name, value) for name, value in inventory.items()),
            _group(
                "ADDITIONALATTRIBUTES",
                *(
                    [
                        *_object("ADDITIONALATTRIBUTENAME", f'"{name}"', str(number)),
                        *_object("PARAMETERVALUE", f'"{value}"', str(number)),
                    ]
                    for number, (name, value) in enumerate(additional.items(), start=1)
                ),
            ),
        ),
        "productmetadata.0": _odl("ASTERGENERICMETADATA", aster),
        "productmetadata.1": _odl("PRODUCTGENERICMETADATA", generic),
    }


def _object(name: str, value: str, kind: str = "") -> list[str]:
    lines = [f"NUM_VAL = {value.count(',') + 1 if value.startswith('(') else 1}"]
    lines += [f'CLASS = "{kind}"'] if kind else []
    return [
        f"OBJECT = {name}",
        *(f"  {line}" for line in [*lines, f"VALUE = {value}"]),
        f"END_OBJECT = {name}",
    ]


def _group(name: str, *parts: Sequence[str]) -> list[str]:
    inner = [f"  {line}" for part in parts for line in part]
    return [f"GROUP = {name}", *inner, f"END_GROUP = {name}"]


def _odl(name: str, *parts: Sequence[str]) -> str:
    return "\n".join([*_group(name, ["GROUPTYPE = MASTERGROUP"], *parts), "END", ""])
