"""What is known of a simulated ground: class rasters, zones, surveys of an iron district.

Vectors of the iron ground are drawn by `gossan.twin.iron_survey`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import geopandas
import numpy as np
import shapely
from affine import Affine
from rasterio.features import shapes, sieve
from rasterio.windows import Window
from shapely.geometry import LineString, shape

from gossan.errors import InputError
from gossan.files import together
from gossan.legend import MapClass
from gossan.maps import ClassMap, write_maps
from gossan.raster import Layer, map_blocks
from gossan.twin.iron import COVER_CLASSES, IRON_CLASSES, IronGround
from gossan.twin.iron_survey import Surveyor, kinds_of_geometry
from gossan.twin.noise import field_key, white_noise
from gossan.twin.porphyry import ALTERATION, CONSTITUENTS, FAULTS, FIELD_ZONES
from gossan.twin.site import Site
from gossan.twin.terrain import finer, mean_about
from gossan.vectors import write_layers

ORIGIN = "Simulated by gossan; not a satellite image"
NODATA = 255
ZONES_LAYER, FAULTS_LAYER = "zones", "faults"
# The smallest patch that is drawn in a field map (pixels of 30 m): nearly one hectare.
_LEAST_PATCH_PX = 10
# Loose cover, water and snow over more than this share of a pixel hide the rock from the mapper.
_HIDING = ("soil", "water", "snow")
_HIDDEN_SHARE = 0.5
_DEM_PIXEL_M, _DEM_ERROR_M, _MAGNETICS_PIXEL_M = 30, 1.5, 100
_NO_VALUE = -32768.0

Tables = Mapping[str, Sequence[MapClass]]


def write_truth(folder: str | Path, site: Site, tables: Tables, *, threads: int = 1) -> None:
    """Write what is known of a ground into `folder`, in place of files of the same names, or none.

    truth.tif, on the ground's own grid: the exposed constituent of the largest share, with the
    codes of the table `minerals`; on the ground `iron` the cover, with those of `covers` (ore,
    soil, vegetation, mixed), and iron_truth.tif the grade, with those of `iron`. Styles stand
    beside them; 255 is outside of what is known. See `gossan.twin.grounds` for the files that go
    with a ground. tables: class tables by name; others than the ground's are not looked at.

    Bytes depend on the arguments without `threads`; memory on the block, and one byte per pixel.

    Raises InputError for a table that is not given or lacks a class, and for a ground of zones
    without any.
    """
    folder = Path(folder)
    missing = [name for name in site.ground.tables if name not in tables]
    if missing:
        flags = ", ".join(f"--{name}" for name in missing)
        raise InputError(f"the truth of the ground {site.name} needs the class table {flags}")
    write = _WRITERS[site.name]
    with together():
        write(folder, site, tables, threads)


def class_codes(site: Site, table: str, tables: Tables, names: Sequence[str]) -> dict[str, int]:
    """Class code of each of `names`; InputError when the class table lacks one."""
    codes = {entry.name: entry.code for entry in tables[table]}
    missing = [name for name in names if name not in codes]
    if missing:
        raise InputError(
            f"the class table has no class named {', '.join(missing)}; the truth of the ground "
            f"{site.name} needs it in --{table}"
        )
    return codes


def _write_classes(
    path: Path,
    site: Site,
    classes: Sequence[MapClass],
    classify: Callable[[Window], np.ndarray],
    threads: int,
) -> None:
    """Write codes of a window, (rows, columns) uint8, as a class raster with its styles."""

    def known(window: Window) -> np.ndarray:
        codes = classify(window)
        codes[site.outside(window, site.grid)] = NODATA
        return codes

    tags = {"SYNTHETIC": "yes", "GROUND": site.name, "ORIGIN": ORIGIN}
    write_maps(
        lambda block: block,
        [known],
        [ClassMap(path, classes, ("truth",), tags)],
        grid=site.grid,
        block_px=256,
        threads=threads,
        progress="simulate truth",
    )


# ---- minerals and zones ---------------------------------------------------------------------


def _write_minerals(folder: Path, site: Site, tables: Tables, threads: int) -> None:
    codes = class_codes(site, "minerals", tables, CONSTITUENTS)
    _write_classes(
        folder / "truth.tif",
        site,
        tables["minerals"],
        lambda window: site.terrain.truth(window, site.ground.pixel_m, codes),
        threads,
    )


def _write_minerals_and_zones(folder: Path, site: Site, tables: Tables, threads: int) -> None:
    codes = class_codes(site, "minerals", tables, CONSTITUENTS)
    pixel_m = site.ground.pixel_m
    zones = np.empty(site.grid.shape, np.uint8)
    faults = np.empty((FAULTS, *site.grid.shape), np.uint8)

    def classify(window: Window) -> np.ndarray:
        # Pixels lie evenly about the cells of the ground, over one and half of its neighbours.
        shares = mean_about(site.terrain.abundances(finer(window), pixel_m / 2))
        zones[window.toslices()] = exposed_zones(site, window, shares)
        faults[:, *window.toslices()] = site.terrain.fault_sides(window, pixel_m)
        return site.terrain.truth(window, pixel_m, codes, shares)

    _write_classes(folder / "truth.tif", site, tables["minerals"], classify, threads)
    polygons = map_zones(zones, site.grid.transform)
    if not polygons:
        raise InputError(
            f"the ground {site.name} has neither {' nor '.join(FIELD_ZONES)} rock at this place; "
            "use a larger --size-px or another --seed"
        )
    table = geopandas.GeoDataFrame(
        {"class": [name for name, _ in polygons], "source": [ORIGIN] * len(polygons)},
        geometry=[shape(geometry) for _, geometry in polygons],
        crs=site.grid.crs.to_wkt(),
    )
    write_layers(folder / "zones.gpkg", {ZONES_LAYER: (table, "Polygon")})
    traces = map_faults(faults, site.grid.transform)
    lines = geopandas.GeoDataFrame(
        {"fault": [name for name, _ in traces], "source": [ORIGIN] * len(traces)},
        geometry=[line for _, line in traces],
        crs=site.grid.crs.to_wkt(),
    )
    write_layers(folder / "faults.gpkg", {FAULTS_LAYER: (lines, "LineString")})


def exposed_zones(site: Site, window: Window, shares: np.ndarray) -> np.ndarray:
    """Places in ALTERATION of the rock that is not hidden, (rows, columns) uint8."""
    zones = site.terrain.alteration(window, site.ground.pixel_m)
    hidden = sum(shares[CONSTITUENTS.index(name)] for name in _HIDING)
    zones[hidden > _HIDDEN_SHARE] = 0
    return zones


def map_zones(zones: np.ndarray, transform: Affine) -> list[tuple[str, dict]]:
    """(zone, GeoJSON polygon) of the zone codes (rows, columns), places in ALTERATION.

    As on a field map: patches below nearly a hectare are not drawn but given to what surrounds
    them. Only FIELD_ZONES are returned, in their order.
    """
    drawn = sieve(zones, _LEAST_PATCH_PX)
    return [
        (name, geometry)
        for name in FIELD_ZONES
        for geometry, _ in shapes(
            drawn, mask=drawn == ALTERATION.index(name), transform=transform, connectivity=4
        )
    ]


def map_faults(sides: np.ndarray, transform: Affine) -> list[tuple[str, LineString]]:
    """(fault, line) of the sides of `PorphyryGround.fault_sides`: lines along pixels' edges.

    As on a map, steps of a pixel are drawn straight. Faults are named after the order in which
    they are undone: F1, F2, …
    """
    step = abs(transform.a)
    lines = []
    for place, fault in enumerate(sides, start=1):
        own = [
            shapely.union_all(
                [
                    shape(geometry)
                    for geometry, _ in shapes(fault, fault == side, transform=transform)
                ]
            )
            for side in (1, 2)
        ]
        trace = shapely.line_merge(shapely.intersection(*(item.boundary for item in own)))
        lines += [
            (f"F{place}", part.simplify(step))
            for part in shapely.get_parts(trace)
            if part.geom_type == "LineString"
        ]
    return lines


# ---- iron -----------------------------------------------------------------------------------


def _write_iron(folder: Path, site: Site, tables: Tables, threads: int) -> None:
    ground, pixel_m = site.terrain, site.ground.pixel_m
    covers = class_codes(site, "covers", tables, COVER_CLASSES)
    iron = class_codes(site, "iron", tables, IRON_CLASSES)
    grade = np.empty(site.grid.shape, np.uint8)

    def classify(window: Window) -> np.ndarray:
        abundances = ground.abundances(window, pixel_m)
        grade[window.toslices()] = ground.grade(abundances, iron)
        return ground.cover(abundances, covers)

    _write_classes(folder / "truth.tif", site, tables["covers"], classify, threads)
    _write_classes(
        folder / "iron_truth.tif",
        site,
        tables["iron"],
        lambda window: grade[window.toslices()],
        threads,
    )
    _write_fields(folder, site, ground, threads)
    surveys = Surveyor(ground, site.grid).tables()
    kinds = kinds_of_geometry(list(surveys))
    for name, table in surveys.items():
        write_layers(folder / f"{name}.gpkg", {name: (table, kinds[name])})


def _write_fields(folder: Path, site: Site, ground: IronGround, threads: int) -> None:
    """The surveys that come as rasters, each on pixels of its own."""

    def write(name: str, pixel_m: int, unit: str, values) -> None:
        def field(window: Window) -> np.ndarray:
            columns = np.arange(window.width) + window.col_off
            rows = np.arange(window.height) + window.row_off
            x, y = np.meshgrid((columns + 0.5) * pixel_m, (rows + 0.5) * pixel_m)
            return np.asarray(values(x, y, columns, rows), np.float32)

        tags = {"SYNTHETIC": "yes", "ORIGIN": ORIGIN, "UNITS": unit}
        layer = Layer(folder / f"{name}.tif", "float32", _NO_VALUE, (name,), tags=tags)
        grid = site.covering(pixel_m)
        map_blocks(lambda block: block, [field], [layer], grid=grid, threads=threads)

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


_WRITERS = {
    "porphyry": _write_minerals,
    "porphyry-zones": _write_minerals_and_zones,
    "iron": _write_iron,
    "epithermal": _write_minerals,
}
