"""Samples of iron ore and of the ground around known mines, stratified by distance to them.

The design is that of Franca-Rocha et al. (2025), Minerals 15, 1119: ore points inside each mine,
and points of soil, vegetation and mixed cover in rings around it. What counts as which cover is
said by ground truth where there is any, else by two indices of the scene's own spectra:

- NDVI, with the limits of Sobrino, Jiménez-Muñoz and Paolini (2004), Remote Sensing of Environment
  90, 434-440: up to 0.2 bare soil, from 0.5 on full vegetation, a mixture of the two in between.
- The bare soil index BSI = ((SWIR + red) - (NIR + blue)) / ((SWIR + red) + (NIR + blue)) of
  Rikimaru, Roy and Miyatake (2002), Tropical Ecology 43, 39-47, which is positive on bare soil and
  keeps water and shadow, of low NDVI too, out of it.

Bands are found by wavelength, of one sensor where a stack has several. A sensor without a blue band
(ASTER) gets the index with green in its place; the table of strata says which bands were taken.

Cover that was labelled by indices can be told from the bands by the same indices, so a score on
such points flatters every classifier. Points labelled by ground truth do not have that fault.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rasterio.errors import RasterioError
from rasterio.features import geometry_mask
from rasterio.windows import Window
from rasterio.windows import transform as window_transform

from gossan.accuracy.blocks import SpatialBlocks, require_least
from gossan.accuracy.truth import open_truth
from gossan.delimited import label_fault
from gossan.errors import InputError
from gossan.legend import CLASS_ATTRIBUTE, MapClass
from gossan.outlines import outline
from gossan.raster import (
    BandTable,
    Grid,
    RasterInfo,
    decode,
    is_synthetic,
    iter_blocks,
    open_raster,
    read_info,
    verify_raster,
)
from gossan.sampling import GOLDEN, mix_states, smallest_of_each
from gossan.transforms.band_search import sensor_parts
from gossan.transforms.vegetation import (
    GREEN_UM,
    NEAR_INFRARED_UM,
    RED_UM,
    find_band_within,
    vegetation_index,
)
from gossan.vector_styles import Category, VectorStyle
from gossan.vectors import POINTS, POLYGONS, read_features, write_layers

if TYPE_CHECKING:
    import shapely

MINERALS = ("hematite", "itabirite")
ORE = "ore"
COVERS = ("soil", "vegetation", "mixed")
SPLITS = ("train", "test")
ORE_POINTS, INDICES, TRUTH = "ore points", "indices", "truth"
BLUE_UM, SHORTWAVE_UM = (0.45, 0.52), (1.55, 1.75)
NAME_ATTRIBUTE = "name"
LAYER = "samples"
# Far more candidates than points, because neighbours of a chosen point are passed over.
KEPT_PER_POINT, KEPT_AT_LEAST = 100, 2000
# Segments in a quarter of a buffer's circle: 10 km out it stays within a metre of the circle.
QUARTER_SEGMENTS = 64
WINDOW_PX = 512
SHARE_LIMIT = 0.9


@dataclass(frozen=True)
class Rules:
    """Limits of the indices: soil up to `soil_ndvi` and from `soil_bsi`, else as NDVI says."""

    soil_ndvi: float
    vegetation_ndvi: float
    soil_bsi: float

    def check(self) -> None:
        """Raise InputError unless -1 <= soil_ndvi < vegetation_ndvi <= 1 and BSI is in range."""
        if not -1 <= self.soil_ndvi < self.vegetation_ndvi <= 1:
            raise InputError(
                f"soil-ndvi {self.soil_ndvi:g}, vegetation-ndvi {self.vegetation_ndvi:g}: give "
                "limits from -1 to 1, that of soil below that of vegetation"
            )
        if not -1 <= self.soil_bsi <= 1:
            raise InputError(f"soil-bsi: {self.soil_bsi:g} is not between -1 and 1; correct it")


@dataclass(frozen=True, kw_only=True)
class Design:
    """How many points of each class lie where, how far apart, and how they are dealt out.

    `distances_m` are the outer limits of the rings around a mine and `counts` the points of each
    cover in them; `ore_count` points lie in the mine. `spatial_block_px` is the side of the
    blocks that a point's block number refers to.
    """

    distances_m: tuple[float, ...]
    counts: tuple[int, ...]
    ore_count: int
    min_distance_m: float
    test_share: float
    spatial_block_px: int
    seed: int
    allow_fewer: bool

    def check(self) -> None:
        """Raise InputError for numbers that cannot be used."""
        if len(self.counts) != len(self.distances_m):
            raise InputError(
                f"counts: {len(self.counts)} numbers for {len(self.distances_m)} rings; give one "
                "for each of distances-m"
            )
        ascending = [0.0, *self.distances_m]
        if any(one >= other for one, other in pairwise(ascending)):
            raise InputError("distances-m: give distances above 0, each larger than the last")
        if min(*self.counts, self.ore_count) < 0 or not sum(self.counts) or not self.ore_count:
            raise InputError("counts, ore-count: give whole numbers of points, some of each")
        if self.min_distance_m < 0:
            raise InputError(f"min-distance-m: {self.min_distance_m:g} is negative; correct it")
        if not 0 < self.test_share <= SHARE_LIMIT:
            raise InputError(f"test-share: {self.test_share:g} is not above 0 and at most 0.9")
        require_least("spatial-block-px", self.spatial_block_px, 1)
        require_least("seed", self.seed, 0)

    @property
    def strata(self) -> tuple[str, ...]:
        """Names of the strata: the mine's own, "ore", then the rings ("0-100 m", …)."""
        starts = (0.0, *self.distances_m[:-1])
        return (ORE, *(_ring_name(*pair) for pair in zip(starts, self.distances_m, strict=True)))


def _ring_name(start: float, stop: float) -> str:
    if stop < 1000:
        return f"{start:g}-{stop:g} m"
    if start and start < 1000:
        return f"{start:g} m-{stop / 1000:g} km"
    return f"{start / 1000:g}-{stop / 1000:g} km"


@dataclass(frozen=True)
class Mine:
    """A known mine: name, mineral of its ore, and its polygon in the grid's system."""

    name: str
    mineral: str
    shape: "shapely.Geometry"


@dataclass(frozen=True)
class Samples:
    """Sample points, one entry each, (n,): what they are, where they lie, how they were told.

    `mineral` is "" for what is no ore; `split` is train or test; `block` numbers square blocks of
    `block_px` pixels row by row; `rule` is the class that the indices alone say, "" for none.
    `labelled_by` says where the class is from: ORE_POINTS, INDICES or TRUTH.
    """

    mine: np.ndarray
    stratum: np.ndarray
    cover: np.ndarray
    mineral: np.ndarray
    split: np.ndarray
    block: np.ndarray
    block_px: np.ndarray
    row: np.ndarray
    column: np.ndarray
    ndvi: np.ndarray
    bsi: np.ndarray
    rule: np.ndarray
    labelled_by: np.ndarray

    def __len__(self) -> int:
        """The number of points."""
        return len(self.row)

    def select(self, chosen: np.ndarray) -> "Samples":
        """The points that `chosen`, a mask or places, picks."""
        return Samples(*(getattr(self, field.name)[chosen] for field in fields(self)))


# Field -> attribute of the file.
_ATTRIBUTES = {
    field.name: CLASS_ATTRIBUTE if field.name == "cover" else field.name
    for field in fields(Samples)
}


def bare_soil_index(
    blue: np.ndarray, red: np.ndarray, infrared: np.ndarray, shortwave: np.ndarray
) -> np.ndarray:
    """The bare soil index of Rikimaru et al. (2002), float32, from -1 to 1.

    Reflectance of any one shape in; NaN where the sum is not above zero or a band has no data.
    """
    bare, covered = shortwave + red, infrared + blue
    index = np.full(red.shape, np.nan, np.float32)
    total = bare + covered
    np.divide(bare - covered, total, out=index, where=total > 0)
    return index


def classify_cover(ndvi: np.ndarray, bsi: np.ndarray, rules: Rules) -> np.ndarray:
    """Place in COVERS plus one, uint8 of the indices' shape; 0 for water, shadow and no data."""
    cover = np.zeros(ndvi.shape, np.uint8)
    cover[(ndvi <= rules.soil_ndvi) & (bsi >= rules.soil_bsi)] = 1 + COVERS.index("soil")
    cover[ndvi >= rules.vegetation_ndvi] = 1 + COVERS.index("vegetation")
    between = (ndvi > rules.soil_ndvi) & (ndvi < rules.vegetation_ndvi)
    cover[between] = 1 + COVERS.index("mixed")
    return cover


@dataclass(frozen=True)
class IndexBands:
    """Places and names of the blue, red, near and shortwave infrared bands of NDVI and BSI.

    `green_for_blue` says that the first is green.
    """

    places: tuple[int, ...]
    names: tuple[str, ...]
    green_for_blue: bool

    @property
    def note(self) -> str:
        """The bands in words, such as "B02 B04 B08 B11"."""
        return " ".join(self.names) + (" (green in place of blue)" if self.green_for_blue else "")


def index_bands(bands: BandTable, what: str) -> IndexBands:
    """The bands that the indices are taken of, found by wavelength.

    In a stack they are of one sensor, the first that has all four, else the first that has all
    with green in place of blue. Raises InputError, naming `what` and the missing band, where
    there is no such sensor.
    """
    if not bands.centre_um:
        raise InputError(
            f"{what}: its bands have no wavelengths, by which NDVI and BSI find theirs; write them "
            "into the raster"
        )
    limits = {
        "red": RED_UM,
        "near infrared": NEAR_INFRARED_UM,
        "shortwave infrared": SHORTWAVE_UM,
    }
    parts = [
        BandTable(
            tuple(bands.names[place] for place in part),
            tuple(bands.centre_um[place] for place in part),
        )
        for part in sensor_parts(bands.names)
    ]
    for first in (BLUE_UM, GREEN_UM):
        for part in parts:
            own = [find_band_within(part, pair) for pair in (first, *limits.values())]
            if None not in own:
                names = tuple(part.names[place] for place in own)
                places = tuple(bands.names.index(name) for name in names)
                return IndexBands(places, names, first == GREEN_UM)
    for name, (low, high) in ({"blue or green": (BLUE_UM[0], GREEN_UM[1])} | limits).items():
        if find_band_within(bands, (low, high)) is None:
            raise InputError(
                f"{what}: has no {name} band centred at {low:g} to {high:g} µm for NDVI and BSI; "
                "make the cube with it"
            )
    raise InputError(
        f"{what}: no sensor of it has all bands for NDVI and BSI, from blue or green to "
        f"{SHORTWAVE_UM[1]:g} µm; add one that has"
    )


def read_mines(path: str | Path, grid: Grid) -> list[Mine]:
    """Mines from polygons with the attribute `class`, hematite or itabirite, in the file's order.

    A feature is a mine; the attribute `name` names it where there is one, else its mineral.
    Raises InputError as `read_features` does, for other classes, for a name that stands twice, for
    a grid that is not in a projected system, and for a mine of which nothing lies on the grid.
    """
    import shapely

    if grid.pixel_area_m2 is None:
        raise InputError(
            f"{path}: the cube is not in a projected system, and distances need metres; take the "
            "scene's stack, or reproject it"
        )
    features = read_features(path, grid, "mines", POLYGONS, (CLASS_ATTRIBUTE,))
    minerals = _minerals(path, features[CLASS_ATTRIBUTE])
    names = minerals
    if NAME_ATTRIBUTE in features.columns:
        own = [str(name).strip() for name in features[NAME_ATTRIBUTE].fillna("")]
        names = [name or mineral for name, mineral in zip(own, minerals, strict=True)]
    for name in names:
        if fault := label_fault(name):
            raise InputError(f"{path}: the name {name[:40]!r} of a mine {fault}")
    extent = outline(grid)
    mines = []
    for name, mineral, shape in zip(names, minerals, features.geometry, strict=True):
        if name in [mine.name for mine in mines]:
            raise InputError(
                f"{path}: two mines are called {name}; give each polygon its own attribute 'name'"
            )
        if not shapely.intersects(shape, extent):
            raise InputError(
                f"{path}: the mine {name} lies outside of the composite; correct its polygon or "
                "take it out"
            )
        mines.append(Mine(name, mineral, shapely.make_valid(shape)))
    return mines


def _minerals(path: str | Path, values: Iterable[object]) -> list[str]:
    minerals = [str(value).strip().casefold() for value in values]
    odd = sorted(set(minerals) - set(MINERALS))
    if odd:
        raise InputError(
            f"{path}: the attribute '{CLASS_ATTRIBUTE}' is {', '.join(odd)} in some features; "
            f"write {' or '.join(MINERALS)}"
        )
    return minerals


@dataclass(frozen=True)
class _Rings:
    """Which mine is nearest to each pixel, and in which of its rings the pixel lies."""

    grid: Grid
    mines: Sequence[Mine]
    buffers: list[list]

    @classmethod
    def around(cls, mines: Sequence[Mine], distances_m: Sequence[float], grid: Grid) -> "_Rings":
        metres = grid.crs.linear_units_factor[1]
        buffers = [
            [
                mine.shape,
                *(
                    mine.shape.buffer(distance / metres, quad_segs=QUARTER_SEGMENTS)
                    for distance in distances_m
                ),
            ]
            for mine in mines
        ]
        return cls(grid, mines, buffers)

    def locate(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Mine and stratum (0 = inside the mine) of each pixel; stratum -1 beyond all rings."""
        shape = (int(window.height), int(window.width))
        beyond = len(self.buffers[0])
        stratum = np.full((len(self.mines), *shape), beyond, np.int8)
        for own, buffers in zip(stratum, self.buffers, strict=True):
            for place in reversed(range(beyond)):
                # Each buffer holds the smaller ones, so none of them is here either.
                inside = self._burn(buffers[place], window, shape)
                if inside is None:
                    break
                own[inside] = place
        mine = stratum.argmin(axis=0)
        nearest = stratum.min(axis=0)
        tied = ((stratum == nearest).sum(axis=0) > 1) & (nearest < beyond)
        if tied.any():
            self._settle(mine, stratum, tied, window)
        return mine, np.where(nearest == beyond, -1, nearest)

    def _burn(self, shape: object, window: Window, size: tuple[int, int]) -> np.ndarray | None:
        import shapely

        transform = window_transform(window, self.grid.transform)
        if not shapely.intersects(shape, self._box(window)):
            return None
        return geometry_mask([shape], size, transform, invert=True)

    def _box(self, window: Window) -> "shapely.Geometry":
        import shapely

        corners = [
            self.grid.place(window.col_off + x, window.row_off + y)
            for x, y in ((0, 0), (window.width, 0), (window.width, window.height))
        ]
        last = self.grid.place(window.col_off, window.row_off + window.height)
        return shapely.Polygon([*corners, last])

    def _settle(
        self, mine: np.ndarray, stratum: np.ndarray, tied: np.ndarray, window: Window
    ) -> None:
        """Give pixels in the same ring of several mines to the nearest.

        A distance changes by no more than one moves, so most windows have one nearest mine all
        over, which the distances from their centre show.
        """
        import shapely

        box = self._box(window)
        reach = math.dist(box.exterior.coords[0], box.exterior.coords[2]) / 2
        shapes = [item.shape for item in self.mines]
        centre = shapely.distance(shapes, box.centroid)
        rivals = np.flatnonzero(centre <= centre.min() + 2 * reach)
        row, column = np.nonzero(tied)
        ring = stratum[:, row, column]
        if len(rivals) == 1:
            # Rings are steps of distance, so the nearest mine is among those that tie.
            mine[row, column] = rivals[0]
            return
        x, y = self.grid.place(column + window.col_off + 0.5, row + window.row_off + 0.5)
        points = shapely.points(x, y)
        distance = np.stack([shapely.distance(shape, points) for shape in shapes])
        distance[ring > ring.min(axis=0)] = np.inf
        mine[row, column] = distance.argmin(axis=0)


@dataclass(frozen=True)
class _Candidates:
    """Pixels to draw from: the cell (mine, ring, cover) that each is in, and its priority."""

    cell: np.ndarray
    priority: np.ndarray
    row: np.ndarray
    column: np.ndarray
    ndvi: np.ndarray
    bsi: np.ndarray
    rule: np.ndarray

    def select(self, chosen: np.ndarray) -> "_Candidates":
        return _Candidates(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def best(self, most: np.ndarray) -> "_Candidates":
        """The `most` (cells,) pixels of smallest priority in each cell, in ascending order."""
        ties = (self.row, self.column)
        return self.select(smallest_of_each(self.priority, self.cell, most, ties))

    @classmethod
    def together(cls, parts: Sequence["_Candidates"]) -> "_Candidates":
        return cls(
            *(
                np.concatenate([getattr(part, field.name) for part in parts])
                for field in fields(cls)
            )
        )


def pixel_priority(row: np.ndarray, column: np.ndarray, width: int, seed: int) -> np.ndarray:
    """A random number for each pixel, uint64, that its place and the seed alone decide.

    So the draw depends neither on threads nor on how the scene is cut into blocks.
    """
    start = np.random.default_rng(seed).integers(0, 2**63, dtype=np.uint64)
    number = row.astype(np.uint64) * np.uint64(width) + column.astype(np.uint64)
    return mix_states(start + (number + np.uint64(1)) * GOLDEN)


def draw_samples(
    cube: str | Path,
    mines_path: str | Path,
    ore_points: str | Path,
    *,
    design: Design,
    rules: Rules,
    truth: str | Path | None = None,
    classes: Sequence[MapClass] = (),
    threads: int = 1,
) -> tuple[Samples, list[dict[str, object]]]:
    """Draw the samples around the mines of a scene, and the rows of the table of strata.

    The soil, vegetation and mixed points come from pixels within the rings, outside of all mines,
    that have data in every band; a pixel near several mines belongs to the nearest. With a
    `truth` (a class raster in the codes of `classes`, or a vector file with the attribute
    `class`) a pixel is what the truth says, else what `rules` say. Points are drawn one after
    the other at random, none nearer than `design.min_distance_m` to another. Of each class, and of
    each mineral of the ore, `design.test_share` are set aside as test points, at random.

    Raises InputError for numbers that cannot be used, for files that `read_mines` or
    `read_features` refuse, for a stratum with too few pixels of a class, naming it (unless
    `design.allow_fewer`), and for a class of fewer than two points.
    """
    design.check()
    rules.check()
    info = read_info(cube)
    if not info.grid.transform.is_rectilinear:
        raise InputError(f"{cube}: its grid is turned against north; reproject it")
    mines = read_mines(mines_path, info.grid)
    bands = index_bands(info.bands, str(cube))
    ore = _place_ore(ore_points, mines, info, bands.places, rules)
    candidates, found = _gather(
        info, mines, bands.places, design, rules, truth, classes, threads=threads
    )
    chosen, asked, pixels = _choose(ore, candidates, found, mines, design, info.grid)
    labelled_by = INDICES if truth is None else TRUTH
    samples = _make_samples(chosen, mines, ore, design, info.grid, labelled_by)
    rows = [
        row | {"index_bands": bands.note}
        for row in _table(samples, mines, asked, pixels, design, info, labelled_by)
    ]
    if not design.allow_fewer:
        _require_all(rows, mines_path, design)
    for name in (ORE, *COVERS):
        number = np.count_nonzero(samples.cover == name)
        if number < 2:
            raise InputError(
                f"{mines_path}: {number} points of the class {name} in all strata; at least 2 are "
                "needed to train and to test, so change the rules, the rings or the ground truth"
            )
    return samples, rows


@dataclass(frozen=True)
class _OrePoints:
    """Candidates with their mine in `cell`, and the mineral of each by (row, column)."""

    candidates: _Candidates
    mineral: dict[tuple[int, int], str]


def _place_ore(
    path: str | Path, mines: Sequence[Mine], info: RasterInfo, places: Sequence[int], rules: Rules
) -> _OrePoints:
    """The pixels with data that hold an ore point inside a mine, each once."""
    import shapely

    grid = info.grid
    features = read_features(path, grid, "ore points", POINTS)
    points = features.explode(index_parts=False).reset_index(drop=True)
    said = _minerals(path, points[CLASS_ATTRIBUTE]) if CLASS_ATTRIBUTE in points.columns else None
    inside = np.stack([shapely.intersects(mine.shape, points.geometry) for mine in mines])
    column, row = ~grid.transform @ (points.geometry.x.to_numpy(), points.geometry.y.to_numpy())
    row, column = np.floor(row).astype(np.int64), np.floor(column).astype(np.int64)
    own = inside.argmax(axis=0)
    on_grid = (row >= 0) & (row < grid.height) & (column >= 0) & (column < grid.width)
    kept: dict[tuple[int, int], int] = {}
    for place in np.flatnonzero(inside.any(axis=0) & on_grid):
        kept.setdefault((int(row[place]), int(column[place])), int(place))
    chosen = np.array(list(kept.values()), np.int64)
    row, column, own = row[chosen], column[chosen], own[chosen]
    spectra = read_spectra(info.path, row, column)
    clear = np.isfinite(spectra).all(axis=1)
    row, column, own, chosen = row[clear], column[clear], own[clear], chosen[clear]
    ndvi, bsi = _indices(spectra[clear].T[list(places)])
    mineral = {
        (int(r), int(c)): mines[mine].mineral if said is None else said[place]
        for r, c, mine, place in zip(row, column, own, chosen, strict=True)
    }
    return _OrePoints(
        _Candidates(own, row * 0, row, column, ndvi, bsi, classify_cover(ndvi, bsi, rules)), mineral
    )


def _indices(bands: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    blue, red, infrared, shortwave = bands
    return vegetation_index(red, infrared), bare_soil_index(blue, red, infrared, shortwave)


def read_spectra(cube: str | Path, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Spectra of single pixels of a raster, (n, bands) float32, NaN where there is no data.

    Raises InputError for a missing or broken raster and for pixels outside of it.
    """
    info = read_info(cube)
    spectra = np.empty((len(row), len(info.bands.names)), np.float32)
    if len(row) and not (
        min(row.min(), column.min()) >= 0
        and row.max() < info.grid.height
        and column.max() < info.grid.width
    ):
        raise InputError(f"{cube}: samples lie outside of it; draw them from this cube")
    verify_raster(info.path)
    with open_raster(info.path) as dataset:
        # In the order of the file, so that a tile in GDAL's cache serves all its pixels.
        for place in np.lexsort((column, row)):
            window = Window(int(column[place]), int(row[place]), 1, 1)
            try:
                stored = dataset.read(window=window)
            except RasterioError as error:
                raise InputError(
                    f"{cube}: broken or truncated near row {row[place]}; make it again"
                ) from error
            spectra[place] = decode(stored, info)[:, 0, 0]
    return spectra


def _gather(
    info: RasterInfo,
    mines: Sequence[Mine],
    places: Sequence[int],
    design: Design,
    rules: Rules,
    truth: str | Path | None,
    classes: Sequence[MapClass],
    *,
    threads: int,
) -> tuple[_Candidates, np.ndarray]:
    """Candidates of each cell in order of priority, and how many pixels each cell has."""
    rings = _Rings.around(mines, design.distances_m, info.grid)
    cells = len(mines) * len(design.counts) * len(COVERS)
    most = np.maximum(KEPT_AT_LEAST, KEPT_PER_POINT * np.repeat(design.counts, len(COVERS)))
    most = np.tile(most, len(mines))
    sources: list = [info.path, lambda window: window]
    decode_codes = None
    if truth is not None:
        opened = open_truth(truth, info.grid, classes)
        decode_codes = _cover_codes(classes)
        sources.append(opened.read)

    def look(block: np.ndarray, window: Window, truth: np.ndarray | None = None) -> tuple:
        mine, stratum = rings.locate(window)
        ndvi, bsi = _indices(block[list(places)])
        rule = classify_cover(ndvi, bsi, rules)
        cover = rule if truth is None else decode_codes(truth[0])
        row, column = np.nonzero((stratum > 0) & (cover > 0) & np.isfinite(block).all(axis=0))
        ring = stratum[row, column].astype(np.int64) - 1
        cell = (mine[row, column] * len(design.counts) + ring) * len(COVERS)
        cell += cover[row, column] - 1
        own = (row, column)
        row, column = row + int(window.row_off), column + int(window.col_off)
        drawn = _Candidates(
            cell,
            pixel_priority(row, column, info.grid.width, design.seed),
            row,
            column,
            ndvi[own],
            bsi[own],
            rule[own],
        )
        return drawn.best(most), np.bincount(cell, minlength=cells)

    found = np.zeros(cells, np.int64)
    kept = None
    for _, (drawn, counts) in iter_blocks(
        look, sources, block_px=WINDOW_PX, threads=threads, progress="strata"
    ):
        found += counts
        kept = drawn if kept is None else _Candidates.together([kept, drawn]).best(most)
    return kept, found


def _cover_codes(classes: Sequence[MapClass]) -> Callable[[np.ndarray], np.ndarray]:
    """Turns codes of the truth into places in COVERS plus one; 0 for anything else."""
    codes = {item.name: item.code for item in classes}
    missing = [name for name in COVERS if name not in codes]
    if missing:
        raise InputError(f"classes: lack {', '.join(missing)}; give resources/static/covers.csv")

    def decoded(truth: np.ndarray) -> np.ndarray:
        cover = np.zeros(truth.shape, np.uint8)
        for place, name in enumerate(COVERS, start=1):
            cover[truth == codes[name]] = place
        return cover

    return decoded


def _choose(
    ore: _OrePoints,
    candidates: _Candidates,
    found: np.ndarray,
    mines: Sequence[Mine],
    design: Design,
    grid: Grid,
) -> tuple[list[tuple[int, int, int, _Candidates]], dict, dict]:
    """Draw (mine, stratum, class) by (mine, stratum, class); ore first, as it is the scarcest.

    Class 0 is ore, others are places in COVERS plus one. Also returns, by the same keys, how many
    points were asked for and how many pixels there were.
    """
    generator = np.random.default_rng([design.seed, 1])
    taken = _Spacing(grid, design.min_distance_m)
    chosen, asked, pixels = [], {}, {}
    for mine in range(len(mines)):
        own = ore.candidates.select(ore.candidates.cell == mine)
        own = own.select(np.lexsort((own.column, own.row)))
        own = own.select(generator.permutation(len(own.row)))
        key = (mine, 0, 0)
        asked[key], pixels[key] = design.ore_count, len(own.row)
        chosen.append((*key, own.select(taken.take(own.row, own.column, design.ore_count))))
    for ring, count in enumerate(design.counts):
        for cover in range(len(COVERS)):
            for mine in range(len(mines)):
                cell = (mine * len(design.counts) + ring) * len(COVERS) + cover
                own = candidates.select(candidates.cell == cell)
                key = (mine, ring + 1, cover + 1)
                asked[key], pixels[key] = count, int(found[cell])
                chosen.append((*key, own.select(taken.take(own.row, own.column, count))))
    return chosen, asked, pixels


class _Spacing:
    """Takes points in order, passing over those too near to one taken before."""

    def __init__(self, grid: Grid, distance_m: float):
        metres = grid.crs.linear_units_factor[1]
        a, b, _, d, e, _ = grid.transform[:6]
        self._size = np.array([math.hypot(b, e), math.hypot(a, d)]) * metres
        self._square = distance_m**2
        self._taken = np.empty((0, 2))

    def take(self, row: np.ndarray, column: np.ndarray, most: int) -> np.ndarray:
        """Places of the points that are taken, at most `most`."""
        picked = []
        for place, point in enumerate(np.stack([row, column], axis=1) * self._size):
            if len(picked) == most:
                break
            square = ((self._taken - point) ** 2).sum(axis=1)
            # Never the same pixel twice, however small the distance.
            if square.size == 0 or square.min() >= max(self._square, 1e-9):
                picked.append(place)
                self._taken = np.vstack([self._taken, point])
        return np.array(picked, np.int64)


def _make_samples(
    chosen: Sequence[tuple[int, int, int, _Candidates]],
    mines: Sequence[Mine],
    ore: _OrePoints,
    design: Design,
    grid: Grid,
    labelled_by: str,
) -> Samples:
    names = ("", *COVERS)
    spatial = SpatialBlocks(grid.shape, design.spatial_block_px)
    parts = []
    for mine, stratum, cover, points in sorted(chosen, key=lambda item: item[:3]):
        order = np.lexsort((points.column, points.row))
        points = points.select(order)
        n = len(points.row)
        places = zip(points.row.tolist(), points.column.tolist(), strict=True)
        minerals = [ore.mineral[place] for place in places] if cover == 0 else [""] * n
        parts.append(
            Samples(
                mine=np.full(n, mines[mine].name, object),
                stratum=np.full(n, design.strata[stratum], object),
                cover=np.full(n, (ORE, *COVERS)[cover], object),
                mineral=np.array(minerals, object),
                split=np.full(n, SPLITS[0], object),
                block=spatial.number(points.row, points.column),
                block_px=np.full(n, design.spatial_block_px),
                row=points.row,
                column=points.column,
                ndvi=points.ndvi,
                bsi=points.bsi,
                rule=np.array([names[code] for code in points.rule], object),
                labelled_by=np.full(n, ORE_POINTS if cover == 0 else labelled_by, object),
            )
        )
    samples = Samples(
        *(np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(Samples))
    )
    for place, (cover, mineral) in enumerate([*((ORE, m) for m in MINERALS), *_plain(COVERS)]):
        own = np.flatnonzero((samples.cover == cover) & (samples.mineral == mineral))
        generator = np.random.default_rng([design.seed, 2, place])
        tested = generator.permutation(own)[: held_out_count(len(own), design.test_share)]
        samples.split[tested] = SPLITS[1]
    return samples


def _plain(covers: Iterable[str]) -> list[tuple[str, str]]:
    return [(cover, "") for cover in covers]


def held_out_count(points: int, share: float) -> int:
    """How many of a class's points are test points: the share, but one at least on each side."""
    if points < 2:
        return 0
    return min(points - 1, max(1, round(share * points)))


def _table(
    samples: Samples,
    mines: Sequence[Mine],
    asked: dict,
    pixels: dict,
    design: Design,
    info: RasterInfo,
    labelled_by: str,
) -> list[dict[str, object]]:
    limits = (0.0, *design.distances_m)
    rows = []
    for mine, stratum, cover in sorted(asked):
        name, label = (ORE, *COVERS)[cover], design.strata[stratum]
        own = (samples.mine == mines[mine].name) & (samples.stratum == label)
        own &= samples.cover == name
        test = int(np.count_nonzero(own & (samples.split == SPLITS[1])))
        rows.append(
            {
                "mine": mines[mine].name,
                "mineral": mines[mine].mineral,
                "stratum": label,
                "from_m": f"{limits[max(stratum - 1, 0)]:g}",
                "to_m": f"{limits[stratum]:g}",
                "class": name,
                "pixels": pixels[mine, stratum, cover],
                "asked": asked[mine, stratum, cover],
                "drawn": int(np.count_nonzero(own)),
                "train": int(np.count_nonzero(own)) - test,
                "test": test,
                "labelled_by": ORE_POINTS if cover == 0 else labelled_by,
                "synthetic": "yes" if is_synthetic(info.tags) else "no",
            }
        )
    return rows


def _require_all(rows: Sequence[dict], path: str | Path, design: Design) -> None:
    short = [row for row in rows if row["drawn"] < row["asked"]]
    if short:
        listed = "; ".join(
            f"mine {row['mine']}, stratum {row['stratum']}, {row['class']}: {row['drawn']} of "
            f"{row['asked']} (from {row['pixels']} pixels)"
            for row in short
        )
        raise InputError(
            f"{path}: too few pixels {design.min_distance_m:g} m apart: {listed}; ask for fewer "
            "(counts, ore-count), lower min-distance-m, or set allow-fewer"
        )


def write_samples(
    path: str | Path, samples: Samples, grid: Grid, classes: Sequence[MapClass] = ()
) -> None:
    """Write samples as points at pixel centres, a GeoPackage in the grid's reference system.

    The attributes are the fields of `Samples`, with `cover` called class, whose colours are those
    of `classes`.
    """
    import geopandas

    x, y = grid.place(samples.column + 0.5, samples.row + 0.5)
    table = geopandas.GeoDataFrame(
        {name: getattr(samples, field) for field, name in _ATTRIBUTES.items()},
        geometry=geopandas.points_from_xy(x, y),
        crs=grid.crs.to_wkt(),
    )
    style = VectorStyle(
        attribute=CLASS_ATTRIBUTE,
        categories=[Category(item.name, item.label, item.colour) for item in classes],
        size_mm=1.6,
        fields={name: (name.capitalize(), "") for name in _ATTRIBUTES.values()},
        note="Sampled points, by the cover that was asked for",
    )
    write_layers(path, {LAYER: (table, "Point")}, {LAYER: style})


def read_samples(path: str | Path, grid: Grid) -> Samples:
    """Read what `write_samples` wrote for the same grid.

    Raises InputError as `read_features` does, for points that do not lie at their row and column
    of the grid, and for splits, classes or minerals that no sample has.
    """
    features = read_features(path, grid, "samples", POINTS, tuple(_ATTRIBUTES.values()))
    columns = [features[name] for name in _ATTRIBUTES.values()]
    # Text is copied into plain arrays, in which an empty mineral is "" whatever the driver made.
    samples = Samples(
        *(
            column.to_numpy()
            if column.dtype.kind in "iuf"
            else np.array(column.fillna("").astype(str), object)
            for column in columns
        )
    )
    column, row = ~grid.transform @ (features.geometry.x.to_numpy(), features.geometry.y.to_numpy())
    on_grid = (samples.row < grid.height) & (samples.column < grid.width)
    if not (
        np.array_equal(np.floor(row), samples.row)
        and np.array_equal(np.floor(column), samples.column)
        and on_grid.all()
    ):
        raise InputError(f"{path}: the samples are of another grid; draw them from this cube")
    for name, known in (("split", SPLITS), ("cover", (ORE, *COVERS)), ("mineral", ("", *MINERALS))):
        odd = sorted(set(map(str, getattr(samples, name))) - set(known))
        if odd:
            raise InputError(
                f"{path}: the attribute '{_ATTRIBUTES[name]}' is {', '.join(odd)} in some "
                f"samples; known are {', '.join(filter(None, known))}"
            )
    return samples
