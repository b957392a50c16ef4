"""Targets: connected patches of a map of potential, ranked by score.

Patches are found block by block and joined along the edges, so memory grows with the number of
patches and not with the scene.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rasterio.windows import Window
from scipy import ndimage

from gossan.errors import InputError
from gossan.legend import NODATA
from gossan.prospects.potential import HIGH, POTENTIAL
from gossan.raster import Grid, iter_blocks, read_info
from gossan.targets.on_grid import OnGrid
from gossan.targets.sites import MapCounts, Sites, SiteTally, count_steps, tally_block
from gossan.targets.target_ground import GroundReader, Kind, TargetGround, look_at_block

if TYPE_CHECKING:
    import geopandas

UNITS = 10**6
"""Scores are summed as whole millionths, so a patch has one sum however it is cut into blocks."""

WEIGHTS = 10**3
"""Scores that weigh the places of pixels are whole thousandths, one at least: their sums fit into
64 bits on scenes of a hundred thousand pixels a side."""

_NEIGHBOURS = np.ones((3, 3), bool)


@dataclass(frozen=True)
class Patches:
    """Patches or parts of them, all arrays (n,).

    `pixels`, `high` (of high potential), `score` and `uncertainty` are sums, the last two in
    millionths; `weight` are sums of scores in thousandths, `across` and `down` those of the columns
    and rows that they weigh. `best` is the highest score and `place` the first pixel that has it,
    counted row by row over the scene.
    """

    pixels: np.ndarray
    high: np.ndarray
    score: np.ndarray
    uncertainty: np.ndarray
    weight: np.ndarray
    across: np.ndarray
    down: np.ndarray
    best: np.ndarray
    place: np.ndarray

    def merge(self, group: np.ndarray, groups: int) -> "Patches":
        """Patches joined by the number of their group, (n,) of 0 to `groups` - 1."""
        sums = []
        for name in list(Patches.__dataclass_fields__)[:-2]:
            values, total = getattr(self, name), np.zeros(groups, np.int64)
            np.add.at(total, group, values)
            sums.append(total)
        order = np.lexsort((self.place, -self.best, group))
        first = order[np.unique(group[order], return_index=True)[1]]
        return Patches(*sums, self.best[first], self.place[first])

    @property
    def centre(self) -> np.ndarray:
        """Columns and rows (n, 2) of the centres, weighted by the score; pixels count from 0."""
        return np.column_stack([self.across, self.down]) / self.weight[:, None]


@dataclass(frozen=True)
class BlockPatches:
    """The parts of patches in a block: `labels` (rows, columns) from 1 of `parts`, 0 for none."""

    labels: np.ndarray
    parts: Patches


def label_block(potential: np.ndarray, level: int, least_px: int) -> np.ndarray:
    """Number the parts of patches in a block, (rows, columns) int32 from 1; 0 is none.

    Pixels of `potential` of at least `level` that touch at a side or a corner are one part.
    Parts below `least_px` pixels that do not reach the edge of the block can belong to no larger
    patch and are left out.
    """
    labels, number = ndimage.label((potential >= level) & (potential != NODATA), _NEIGHBOURS)
    keep = np.bincount(labels.ravel(), minlength=number + 1) >= least_px
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        keep[edge] = True
    keep[0] = False
    numbers = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return numbers[labels]


def measure_block(
    window: Window,
    width: int,
    potential: np.ndarray,
    score: np.ndarray,
    uncertainty: np.ndarray | None,
    level: int,
    least_px: int,
) -> BlockPatches:
    """The parts of patches in a block of a scene `width` pixels wide; arrays (rows, columns)."""
    labels = label_block(potential, level, least_px)
    rows, columns = np.nonzero(labels)
    values = score[rows, columns]
    doubt = np.zeros(len(rows)) if uncertainty is None else uncertainty[rows, columns]
    weight = np.maximum(np.rint(values.astype(np.float64) * WEIGHTS).astype(np.int64), 1)
    pixels = Patches(
        pixels=np.ones(len(rows), np.int64),
        high=(potential[rows, columns] == HIGH).astype(np.int64),
        score=_units(values),
        uncertainty=_units(doubt),
        weight=weight,
        across=weight * (columns + window.col_off),
        down=weight * (rows + window.row_off),
        best=values,
        place=(rows + window.row_off) * width + columns + window.col_off,
    )
    return BlockPatches(labels, pixels.merge(labels[rows, columns] - 1, int(labels.max(initial=0))))


def _units(values: np.ndarray) -> np.ndarray:
    return np.rint(np.nan_to_num(values.astype(np.float64)) * UNITS).astype(np.int64)


@dataclass
class PatchJoiner:
    """Joins the parts of all blocks into patches; blocks come row by row, as `split_blocks` cuts.

    `first` maps the (row, column) of a block to the number of its first part in the scene.
    """

    width: int
    first: dict[tuple[int, int], int] = field(default_factory=dict)
    _parts: list[Patches] = field(default_factory=list)
    _parent: list[int] = field(default_factory=list)
    _row: int = -1
    _above: np.ndarray | None = None
    _below: np.ndarray | None = None
    _left: np.ndarray | None = None

    def add(self, window: Window, block: BlockPatches) -> None:
        """Add the next block and join its parts with those above it and to its left."""
        start = len(self._parent)
        self.first[window.row_off, window.col_off] = start
        self._parts.append(block.parts)
        self._parent.extend(range(start, start + len(block.parts.pixels)))
        numbers = np.where(block.labels > 0, block.labels.astype(np.int64) + start - 1, -1)
        if window.row_off != self._row:
            self._row = window.row_off
            self._above = self._below
            self._below = np.full(self.width, -1, np.int64)
            self._left = None
        first, last = window.col_off, window.col_off + window.width
        if self._above is not None:
            self._link(numbers[0], self._above, first)
        if self._left is not None:
            self._link(numbers[:, 0], self._left, 0)
        self._below[first:last] = numbers[-1]
        self._left = numbers[:, -1].copy()

    def _link(self, own: np.ndarray, others: np.ndarray, first: int) -> None:
        """Join own[i] with others[first + i] and that one's neighbours, along an edge."""
        for shift in (-1, 0, 1):
            at = np.arange(len(own)) + first + shift
            inside = (at >= 0) & (at < len(others))
            pairs = np.stack([own[inside], others[at[inside]]], axis=1)
            for one, other in np.unique(pairs[(pairs >= 0).all(axis=1)], axis=0).tolist():
                one, other = self._root(one), self._root(other)
                self._parent[max(one, other)] = min(one, other)

    def _root(self, part: int) -> int:
        while self._parent[part] != part:
            self._parent[part] = self._parent[self._parent[part]]
            part = self._parent[part]
        return part

    def join(self) -> tuple[Patches, np.ndarray]:
        """All patches, and the place of the patch of each part among them."""
        roots = np.array([self._root(part) for part in range(len(self._parent))], np.int64)
        used, group = np.unique(roots, return_inverse=True)
        parts = Patches(
            *(
                np.concatenate([getattr(item, name) for item in self._parts])
                for name in Patches.__dataclass_fields__
            )
        )
        return parts.merge(group, len(used)), group


def rank_patches(patches: Patches, least_px: int, most: int) -> np.ndarray:
    """Places of the best patches, at most `most`, of at least `least_px` pixels.

    The highest mean score comes first; of equal ones the larger, then the one further up.
    """
    large = np.flatnonzero(patches.pixels >= least_px)
    mean = patches.score[large] / patches.pixels[large]
    order = np.lexsort((patches.place[large], -patches.pixels[large], -mean))
    return large[order][:most]


def outline_block(ranks: np.ndarray, column: int, row: int) -> Iterator[tuple[int, object]]:
    """(rank, polygon in pixels of the scene) of each part of a target in a block.

    `ranks` (rows, columns) int32 holds the rank, 0 for none; the block starts at `column`, `row`.
    Coordinates are whole numbers, so parts of neighbouring blocks fit without gaps.
    """
    from affine import Affine
    from rasterio.features import shapes
    from shapely.geometry import shape

    place = Affine.translation(column, row)
    for outline, rank in shapes(ranks, mask=ranks > 0, connectivity=4, transform=place):
        yield int(rank), shape(outline)


def join_outlines(parts: Sequence[object], grid: Grid) -> object:
    """The parts of one target as one multipolygon in the grid's reference system.

    The answer does not depend on how the blocks were cut.
    """
    import shapely

    joined = shapely.normalize(shapely.union_all(parts))
    # From its lowest corner on, a ring loses all points on straight lines, those of block edges;
    # rings were ordered by those points, too.
    joined = shapely.normalize(shapely.simplify(joined, 0, preserve_topology=False))
    a, b, c, d, e, f = grid.transform[:6]
    placed = shapely.transform(
        joined, lambda xy: np.column_stack([xy @ (a, b) + c, xy @ (d, e) + f])
    )
    return shapely.multipolygons(shapely.get_parts(shapely.orient_polygons(placed)))


def make_targets(
    patches: Patches,
    ranked: np.ndarray,
    outlines: Mapping[int, Sequence[object]],
    ground: TargetGround,
    grid: Grid,
    *,
    uncertainty: bool,
    synthetic: bool,
) -> "geopandas.GeoDataFrame":
    """One row per target, the best first, with its multipolygon in the grid's system.

    Columns: rank (from 1), longitude, latitude (degrees, WGS 84) and x, y of its point, which is
    the middle of that of its pixels that lies nearest to its centre, weighted by the score;
    area_ha, mean_score, max_score, high_share (share of high potential), methods_in_favour,
    dominant and dominant_share (as of `TargetGround`), uncertainty (mean, where there is one),
    synthetic (yes or no).
    """
    import geopandas
    from rasterio.warp import transform

    pixels = patches.pixels[ranked]
    row, column = np.divmod(ground.place, grid.width)
    x, y = grid.transform @ (column + 0.5, row + 0.5)
    longitude = latitude = np.zeros(0)
    if len(ranked):
        longitude, latitude = (
            np.round(degrees, 6) for degrees in transform(grid.crs, "EPSG:4326", x, y)
        )
    dominant, dominant_share = ground.dominant()
    columns = {
        "rank": np.arange(1, len(ranked) + 1, dtype=np.int32),
        "longitude": longitude,
        "latitude": latitude,
        "x": np.round(x, 3),
        "y": np.round(y, 3),
        "area_ha": np.round(pixels * grid.pixel_area_m2 / 1e4, 4),
        "mean_score": np.round(patches.score[ranked] / UNITS / pixels, 6),
        "max_score": np.round(patches.best[ranked].astype(np.float64), 6),
        "high_share": np.round(patches.high[ranked] / pixels, 6),
        "methods_in_favour": np.array(ground.methods_in_favour(), object),
        "dominant": np.array(dominant, object),
        # Not 0 where nothing is known to lie there.
        "dominant_share": np.where(
            dominant_share > 0, np.round(dominant_share / pixels, 6), np.nan
        ),
    }
    if uncertainty:
        columns["uncertainty"] = np.round(patches.uncertainty[ranked] / UNITS / pixels, 6)
    columns["synthetic"] = np.full(len(ranked), "yes" if synthetic else "no", dtype=object)
    shapes = [join_outlines(outlines[rank], grid) for rank in columns["rank"].tolist()]
    return geopandas.GeoDataFrame(columns, geometry=shapes, crs=grid.crs.to_wkt())


def least_pixels(grid: Grid, least_area_ha: float, where: str) -> int:
    """Pixels of the smallest patch; InputError for a negative area or pixels without metres."""
    if not (math.isfinite(least_area_ha) and least_area_ha >= 0):
        raise InputError(f"min-area-ha: {least_area_ha:g} is no area; give 0 or more")
    if grid.pixel_area_m2 is None:
        raise InputError(f"{where}: is not in a projected system; targets need areas in metres")
    return max(1, math.ceil(least_area_ha * 1e4 / grid.pixel_area_m2 - 1e-9))


@dataclass(frozen=True)
class Survey:
    """What one look over a map of potential finds.

    `targets` as of `make_targets`; `tallies` one per set of sites; `counts` of the mapped pixels;
    `patches`, how many reach the least area; `highest`, the highest score of the map with its
    longitude and latitude, None where nothing is mapped.
    """

    targets: "geopandas.GeoDataFrame"
    tallies: list[SiteTally]
    counts: MapCounts
    patches: int
    highest: tuple[float, float, float] | None


def survey_targets(
    potential: Path,
    score: Path,
    uncertainty: Path | None,
    sites: Sequence[Sites],
    support: Path | None = None,
    kinds: Sequence[Kind] = (),
    *,
    level: str,
    least_px: int,
    most: int,
    synthetic: bool,
    threads: int = 1,
    window_px: int = 512,
) -> Survey:
    """Find the targets and count what the sites cover, in two passes over the map.

    `potential` is a raster of LOW, MEDIUM, HIGH, `score` that of its scores, `uncertainty` one
    whose first band is averaged. Patches are made of pixels of potential `level` or above and
    have `least_px` pixels or more; the `most` best are targets. `support` is a raster of the votes
    of methods (map_agreement), `kinds` are what may dominate on a target, of rasters on any grid.
    Raises InputError for rasters on different grids, unknown codes and scores beyond 0 to 1.
    """
    grid = read_info(potential).grid
    code = next(item.code for item in POTENTIAL if item.name == level)
    sources = [lambda window: window, potential, score]
    if uncertainty is not None:
        sources.append(OnGrid(uncertainty, grid, codes=False).read)
    options = {"block_px": window_px, "threads": threads}

    reader = GroundReader(support, kinds, grid)

    def gather(window: Window, classes: np.ndarray, *values: np.ndarray) -> tuple:
        codes = _codes(classes[0], potential)
        scores, *others = (item[0] for item in values)
        _check_scores(scores, codes, score)
        return (
            measure_block(window, grid.width, codes, scores, *(others or [None]), code, least_px),
            [tally_block(item, window, grid, codes, scores) for item in sites],
            np.bincount(codes[codes != NODATA], minlength=len(POTENTIAL) + 1),
            count_steps(scores),
            _highest(scores, window, grid.width),
        )

    joiner = PatchJoiner(grid.width)
    tallies = [SiteTally.empty(len(item.shapes)) for item in sites]
    pixels, steps, highest = 0, 0, (-1.0, 0)
    for window, (block, tallied, codes, reached, best) in iter_blocks(
        gather, sources, progress="patches", **options
    ):
        joiner.add(window, block)
        pixels, steps = pixels + codes, steps + reached
        highest = max(highest, best, key=lambda item: (item[0], -item[1]))
        for tally, (places, part) in zip(tallies, tallied, strict=True):
            tally.add(places, part)
    patches, group = joiner.join()
    ranked = rank_patches(patches, least_px, most)
    ranks = np.zeros(len(patches.pixels), np.int32)
    ranks[ranked] = np.arange(1, len(ranked) + 1)

    centres = patches.centre[ranked]

    def look(window: Window, classes: np.ndarray, *_: np.ndarray) -> tuple | None:
        labels = label_block(_codes(classes[0], potential), code, least_px)
        first = joiner.first[window.row_off, window.col_off]
        own = np.append(0, ranks[group[first : first + labels.max()]]).astype(np.int32)
        if not own.any():
            return None
        block = own[labels]
        return block, look_at_block(block, window, grid.width, centres, *reader.read(window))

    outlines = defaultdict(list)
    ground = TargetGround.empty(len(ranked), reader)
    # The same sources as before, so that the blocks are the same.
    for window, seen in iter_blocks(look, sources, progress="outlines", **options):
        # Here and not in the block's thread, where rasterio's outlines warn without a cause.
        if seen is not None:
            block, part = seen
            ground.add(*part)
            for rank, shape in outline_block(block, window.col_off, window.row_off):
                outlines[rank].append(shape)
    targets = make_targets(
        patches,
        ranked,
        outlines,
        ground,
        grid,
        uncertainty=uncertainty is not None,
        synthetic=synthetic,
    )
    return Survey(
        targets,
        tallies,
        MapCounts(pixels, steps, grid.pixel_area_m2),
        int((patches.pixels >= least_px).sum()),
        _in_degrees(*highest, grid),
    )


def _highest(scores: np.ndarray, window: Window, width: int) -> tuple[float, int]:
    """The highest score of a block and the first pixel of the scene that has it; -1 without any."""
    values = np.where(np.isnan(scores), -1, scores)
    row, column = np.unravel_index(values.argmax(), values.shape)
    place = (int(row) + window.row_off) * width + int(column) + window.col_off
    return float(values[row, column]), place


def _in_degrees(score: float, place: int, grid: Grid) -> tuple[float, float, float] | None:
    """A score with the longitude and latitude of its pixel."""
    from rasterio.warp import transform

    if score < 0:
        return None
    row, column = divmod(place, grid.width)
    x, y = grid.place(column + 0.5, row + 0.5)
    [longitude], [latitude] = transform(grid.crs, "EPSG:4326", [x], [y])
    return round(score, 6), round(longitude, 6), round(latitude, 6)


def _codes(classes: np.ndarray, path: Path) -> np.ndarray:
    codes = np.where(np.isnan(classes), NODATA, classes).astype(np.uint8)
    odd = np.setdiff1d(codes, [NODATA, *(item.code for item in POTENTIAL)])
    if odd.size:
        raise InputError(f"{path}: holds the code {odd[0]}; give a map of potential, codes 1 to 3")
    return codes


def _check_scores(scores: np.ndarray, codes: np.ndarray, path: Path) -> None:
    finite = scores[np.isfinite(scores)]
    if finite.size and not (finite.min() >= 0 and finite.max() <= 1):
        raise InputError(f"{path}: holds values beyond 0 to 1; give the scores of the potential")
    if (np.isnan(scores) != (codes == NODATA)).any():
        raise InputError(
            f"{path}: has data on other pixels than the potential; give the scores it was made of"
        )


def add_sites(
    targets: "geopandas.GeoDataFrame", sites: Sequence[Sites]
) -> "geopandas.GeoDataFrame":
    """The targets with one more column per set of sites: how many of them each target touches."""
    import shapely

    targets = targets.copy()
    for item in sites:
        found = shapely.STRtree(item.shapes).query(
            targets.geometry.to_numpy(), predicate="intersects"
        )[0]
        targets[item.name] = np.bincount(found, minlength=len(targets)).astype(np.int32)
    return targets
