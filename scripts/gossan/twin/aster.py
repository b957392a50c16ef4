"""The twin as an ASTER Level 1T product: one HDF4 file of digital numbers and ODL metadata.

Names of data sets and of metadata keys are the native ones. The ground is that of the Landsat
twin, in the place of the Zafarghand porphyry system, free of cloud as the study's scene was
(ASTER products have no cloud mask). Left out: thermal bands, the crosstalk between the SWIR
detectors, HDF-EOS geolocation tables, and the fill around a swath.
"""

import math
import tempfile
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.features import shapes, sieve
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.files import staged
from gossan.legend import MapClass, write_class_style
from gossan.library.readers import Spectrum
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
from gossan.raster import BandTable, Grid, Layer, iter_blocks, map_blocks
from gossan.twin.ground import (
    ALTERATION,
    CONSTITUENTS,
    DISTRICT_M,
    Ground,
    Sky,
    Variability,
    padded,
)
from gossan.twin.landsat import constituent_codes
from gossan.twin.noise import field_key, white_noise
from gossan.twin.optics import BandSpectra, band_spectra, surface_reflectance, top_of_atmosphere

ORIGIN = "Simulated by gossan; not a satellite image"
PRODUCT_ID = "AST_L1T_00307212002072145_20150413000000_00000"
DEFAULT_SIZE_PX = (147, 87)
PIXEL_M, FINE_PIXEL_M = 30, 15
TRUTH_NODATA = 255
REFERENCE_ZONES = ("phyllic", "propylitic")
REFERENCE_LAYER = "zones"
_CRS, _UTM_ZONE = CRS.from_epsg(32639), 39
# Centre of the district: 33.18° N, 52.40° E.
_CENTRE_M = (630_521, 3_672_115)
_ACQUIRED = datetime(2002, 7, 21, 7, 21, 45)
# The sun there and then.
SUN_ELEVATION_DEG, SUN_AZIMUTH_DEG = 69.053, 122.583
_OVERPASS = 20020721
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
# The smallest patch that is drawn in a field map (pixels of 30 m): nearly one hectare.
_LEAST_PATCH_PX = 10
# Loose cover, water and snow over more than this share of a pixel hide the rock from the mapper.
_HIDING = ("soil", "water", "snow")
_HIDDEN_SHARE = 0.5
_NO_DATE = "1970-01-01T00:00:00.000Z"


@dataclass(frozen=True)
class _Scene:
    """All that a block needs; first: place of the scene's first pixel in the district."""

    ground: Ground
    grid: Grid
    first: tuple[int, int]
    spectra: dict[str, BandSpectra]
    codes: dict[str, int]


@dataclass(frozen=True)
class _Block:
    """Numbers of one block: vnir and swir (bands, rows, columns), truth and zones (rows, ...)."""

    vnir: np.ndarray
    swir: np.ndarray
    truth: np.ndarray
    zones: np.ndarray


def write_aster(
    product: str | Path,
    truth: str | Path,
    *,
    reference: str | Path,
    seed: int,
    size_px: tuple[int, int] = DEFAULT_SIZE_PX,
    difficulty: float,
    library: Sequence[Spectrum],
    classes: Sequence[MapClass],
    threads: int = 1,
    block_px: int = 128,
) -> None:
    """Simulate a scene of size_px (columns, rows) of 30 m and write product, truth and reference.

    product: HDF4 with ImageData1, 2, 3N (15 m) and 4-9 (30 m), uint8. truth: class raster of the
    dominant exposed constituent at 30 m with the codes of `classes`, and its styles. reference:
    GeoPackage of the alteration zones as one maps them in the field, polygons with the attribute
    `class` (phyllic, propylitic); see `map_zones`.

    Ground and place do not depend on the size: a smaller scene is a window of a larger one, put
    where `place_window` says. Bytes do not depend on `threads`; memory is set by `block_px` and
    threads, but for two bytes per pixel of the scene (truth and zones).

    Raises InputError when library or classes lack a constituent of the ground, and for a scene
    without any of the zones.
    """
    product, truth, reference = Path(product), Path(truth), Path(reference)
    ground = Ground(seed, (DISTRICT_M, DISTRICT_M), difficulty)
    first = place_window(ground, size_px)
    scene = _Scene(
        ground=ground,
        grid=scene_grid(first, size_px),
        first=first,
        spectra={name: band_spectra(library, bands, SENSOR) for name, bands in BANDS.items()},
        codes=constituent_codes(classes),
    )
    dominant = np.empty(scene.grid.shape, np.uint8)
    zones = np.empty(scene.grid.shape, np.uint8)
    with (
        staged(product) as packed,
        staged(truth) as mapped,
        staged(reference) as drawn,
        tempfile.TemporaryDirectory(dir=product.parent, prefix=".twin.") as folder,
    ):
        with _HdfWriter(Path(folder), scene.grid) as file:
            blocks = iter_blocks(
                lambda window: simulate_block(scene, window),
                [lambda window: window],
                grid=scene.grid,
                block_px=block_px,
                threads=threads,
                progress="simulate",
            )
            for window, block in blocks:
                file.write("VNIR", 2 * window.row_off, 2 * window.col_off, block.vnir)
                file.write("SWIR", window.row_off, window.col_off, block.swir)
                part = window.toslices()
                dominant[part], zones[part] = block.truth, block.zones
        file.path.replace(packed)
        _write_truth(mapped, dominant, scene.grid, classes, threads)
        polygons = map_zones(zones, scene.grid.transform)
        if not polygons:
            raise InputError(
                f"{reference}: the scene has neither phyllic nor propylitic ground; simulate a "
                "larger one or another seed"
            )
        _write_reference(drawn, polygons)
    write_class_style(truth, classes)


def place_window(ground: Ground, size_px: tuple[int, int]) -> tuple[int, int]:
    """(column, row) in the district's 30 m pixels where a scene of size_px (columns, rows) begins.

    Along an axis on which the scene is smaller than the district: where the smaller one of the
    phyllic and the propylitic area in the scene is largest, by the zones of the ground alone
    (the first such place from the north). Otherwise district and scene share their centre.
    """
    side = round(DISTRICT_M / PIXEL_M)
    width, height = size_px
    code = ground.alteration(_coarse(Window(0, 0, side, side)), PIXEL_M)
    if width >= side:
        code = np.pad(code, ((0, 0), (0, width - side)))
    if height >= side:
        code = np.pad(code, ((0, height - side), (0, 0)))
    areas = []
    for name in REFERENCE_ZONES:
        total = np.zeros((code.shape[0] + 1, code.shape[1] + 1), np.int64)
        total[1:, 1:] = (code == ALTERATION.index(name)).cumsum(axis=0).cumsum(axis=1)
        upper, lower = total[:-height, :], total[height:, :]
        areas.append(lower[:, width:] - lower[:, :-width] - upper[:, width:] + upper[:, :-width])
    smaller = np.minimum(*areas)
    row, column = np.unravel_index(np.argmax(smaller), smaller.shape)
    return (
        int(column) if width < side else -((width - side) // 2),
        int(row) if height < side else -((height - side) // 2),
    )


def scene_grid(first: tuple[int, int], size_px: tuple[int, int]) -> Grid:
    """The 30 m grid of a scene; pixel centres lie at multiples of 30 m, as in L1T products."""
    half = DISTRICT_M / 2
    east = PIXEL_M * (round((_CENTRE_M[0] - half) / PIXEL_M) + first[0])
    north = PIXEL_M * (round((_CENTRE_M[1] + half) / PIXEL_M) - first[1])
    transform = Affine(PIXEL_M, 0, east - PIXEL_M / 2, 0, -PIXEL_M, north + PIXEL_M / 2)
    return Grid(_CRS, transform, *size_px)


def simulate_block(scene: _Scene, window: Window) -> _Block:
    """Digital numbers, truth and zones of a window of the scene's 30 m grid.

    The first pixels of both telescopes have one centre, so the 30 m pixel c lies evenly about
    the 15 m pixel 2 c, over it and half of its neighbours; the 15 m pixels are cells of the ground.
    Relief, light, haze and variability are computed every 30 m and interpolated between.
    """
    ground, difficulty = scene.ground, scene.ground.difficulty
    place = Window(
        scene.first[0] + window.col_off,
        scene.first[1] + window.row_off,
        window.width,
        window.height,
    )
    # 15 m pixels under the window, the outermost ones halfway to the next 30 m pixels.
    fine = Window(
        2 * place.col_off - 1, 2 * place.row_off - 1, 2 * place.width + 1, 2 * place.height + 1
    )
    abundances = ground.abundances(fine, FINE_PIXEL_M)
    around = _coarse(padded(place, 1))
    sun = (SUN_ELEVATION_DEG, SUN_AZIMUTH_DEG)
    direct, sky_view = ground.illumination(around, PIXEL_M, *sun)
    variability = ground.variability(around, PIXEL_M)
    layers = {
        "direct": direct,
        "sky_view": sky_view,
        "elevation": ground.elevation(around, PIXEL_M),
        "haze": ground.clouds(around, PIXEL_M, *sun, _OVERPASS).haze,
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
            SUN_ELEVATION_DEG,
            _AEROSOL_055 * difficulty,
            min(1.0, difficulty),
        )

    # The last pixel of the scene has no 15 m pixels beyond its centre.
    rows = 2 * place.height - (window.row_off + window.height == scene.grid.height)
    columns = 2 * place.width - (window.col_off + window.width == scene.grid.width)
    own = (..., slice(1, 1 + rows), slice(1, 1 + columns))
    inner = (..., slice(1, -1), slice(1, -1))
    coarse_shares = _average(abundances)
    vnir = image("VNIR", abundances[own], {k: _between(v)[own] for k, v in layers.items()})
    swir = image("SWIR", coarse_shares, {k: v[inner] for k, v in layers.items()})
    zones = ground.alteration(_coarse(place), PIXEL_M)
    hidden = sum(coarse_shares[CONSTITUENTS.index(name)] for name in _HIDING)
    zones[hidden > _HIDDEN_SHARE] = 0
    return _Block(
        vnir=_digital_numbers(ground, "VNIR", 2 * place.col_off, 2 * place.row_off, vnir),
        swir=_digital_numbers(ground, "SWIR", place.col_off, place.row_off, swir),
        truth=ground.truth(place, PIXEL_M, scene.codes, coarse_shares),
        zones=zones,
    )


def _coarse(place: Window) -> Window:
    """The window of 30 m pixels that lie evenly about the 15 m cells of twice their number."""
    return Window(place.col_off - 0.25, place.row_off - 0.25, place.width, place.height)


def _average(fine: np.ndarray) -> np.ndarray:
    """30 m means of 15 m values (..., 2 rows + 1, 2 columns + 1): 1/4, 1/2, 1/4 along each axis."""
    rows = 0.25 * fine[..., :-2:2, :] + 0.5 * fine[..., 1:-1:2, :] + 0.25 * fine[..., 2::2, :]
    return 0.25 * rows[..., :-2:2] + 0.5 * rows[..., 1:-1:2] + 0.25 * rows[..., 2::2]


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
    ground: Ground, telescope: str, column: int, row: int, reflectance: np.ndarray
) -> np.ndarray:
    """Add noise and quantise; 1 is zero radiance, 255 saturated. (bands, rows, columns) uint8.

    column, row: place of the first pixel in the district, which the noise depends on.
    """
    columns = np.arange(reflectance.shape[2]) + column
    rows = np.arange(reflectance.shape[1]) + row
    stored = np.empty(reflectance.shape, np.uint8)
    height_of_sun = math.sin(math.radians(SUN_ELEVATION_DEG))
    distance = sun_distance_au(_ACQUIRED.date())
    for index, band in enumerate(TELESCOPES[telescope]):
        signal = reflectance[index]
        level = np.maximum(signal, 0.0) / _NOISE_REFLECTANCE
        variance = _DARK_NOISE + (1 - _DARK_NOISE) * level
        deviation = ground.difficulty * _NOISE[telescope][index] * np.sqrt(variance)
        key = field_key(ground.seed, f"ASTER noise of band {band} {_OVERPASS}")
        signal = signal + deviation * white_noise(columns, rows, key)
        radiance = signal * IRRADIANCE[band] * height_of_sun / (math.pi * distance**2)
        numbers = np.rint(radiance / COEFFICIENTS[band][_GAINS[telescope]]) + 1
        stored[index] = np.clip(numbers, 1, SATURATED)
    return stored


# ---- files --------------------------------------------------------------------------------------


class _HdfWriter:
    """The product's HDF4 file in a folder, filled block by block; a context manager."""

    def __init__(self, folder: Path, grid: Grid):
        from pyhdf.SD import SD, SDC

        self.path = folder / f"{PRODUCT_ID}.hdf"
        height, width = grid.shape
        shapes = {"VNIR": (2 * height - 1, 2 * width - 1), "SWIR": (height, width)}
        with HDF4_LOCK:
            # The library writes the path that it is given into the file: give it the name alone,
            # so that the bytes tell nothing of the machine.
            with chdir(folder):
                self._file = SD(self.path.name, SDC.WRITE | SDC.CREATE | SDC.TRUNC)
            for name, text in _metadata(grid).items():
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


def _write_truth(
    path: Path, dominant: np.ndarray, grid: Grid, classes: Sequence[MapClass], threads: int
) -> None:
    layer = Layer(
        path,
        "uint8",
        TRUTH_NODATA,
        ("truth",),
        overviews="mode",
        colours={entry.code: entry.colour for entry in classes},
        tags={"SYNTHETIC": "yes", "PRODUCT_ID": PRODUCT_ID},
    )
    read = [lambda window: dominant[window.toslices()]]
    map_blocks(lambda block: block, read, [layer], grid=grid, threads=threads)


def map_zones(zones: np.ndarray, transform: Affine) -> list[tuple[str, dict]]:
    """(zone, GeoJSON polygon) of the zone codes (rows, columns), places in ground.ALTERATION.

    As on a field map: patches below nearly a hectare are not drawn but given to what surrounds
    them. Only REFERENCE_ZONES are returned, in their order.
    """
    drawn = sieve(zones, _LEAST_PATCH_PX)
    return [
        (name, geometry)
        for name in REFERENCE_ZONES
        for geometry, _ in shapes(
            drawn, mask=drawn == ALTERATION.index(name), transform=transform, connectivity=4
        )
    ]


def _write_reference(path: Path, polygons: Sequence[tuple[str, dict]]) -> None:
    import geopandas
    import pyogrio
    from shapely.geometry import shape

    table = geopandas.GeoDataFrame(
        {
            "class": [name for name, _ in polygons],
            "source": [ORIGIN] * len(polygons),
        },
        geometry=[shape(geometry) for _, geometry in polygons],
        crs=_CRS.to_wkt(),
    )
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _NO_DATE})
    try:
        pyogrio.write_dataframe(
            table, path, layer=REFERENCE_LAYER, geometry_type="Polygon", driver="GPKG"
        )
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})


def _metadata(grid: Grid) -> dict[str, str]:
    """The texts of the metadata attributes, with the native groups and keys."""
    places = {
        "UPPERLEFT": (0.5, 0.5),
        "UPPERRIGHT": (grid.width - 0.5, 0.5),
        "LOWERLEFT": (0.5, grid.height - 0.5),
        "LOWERRIGHT": (grid.width - 0.5, grid.height - 0.5),
    }
    metres = {name: grid.place(*place) for name, place in places.items()}
    lon, lat = transform_points(_CRS, CRS.from_epsg(4326), *zip(*metres.values(), strict=True))
    degrees = {name: (lat[index], lon[index]) for index, name in enumerate(places)}
    inventory = {
        "SHORTNAME": '"AST_L1T"',
        "VERSIONID": "3",
        "LOCALGRANULEID": f'"{PRODUCT_ID}.hdf"',
        "CALENDARDATE": f'"{_ACQUIRED:%Y%m%d}"',
        "TIMEOFDAY": f'"{_ACQUIRED:%H%M%S}000000Z"',
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
            _object("SOLARDIRECTION", f"({SUN_AZIMUTH_DEG}, {SUN_ELEVATION_DEG})"),
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
                _object(f"{name}M", f"({place[1]:.1f}, {place[0]:.1f})")
                for name, place in metres.items()
            ),
        ),
        *_object("UTMZONENUMBER", str(_UTM_ZONE)),
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
