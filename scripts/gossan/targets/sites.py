"""Claims and occurrences against a map of potential: overlay, success-rate and P-A curves.

Sites are polygons (claims) or points (occurrences). What a block of the map holds is tallied on
its own and added up, so memory does not grow with the scene.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rasterio.features import geometry_mask
from rasterio.windows import Window
from rasterio.windows import transform as window_transform

from gossan.accuracy.blocks import MINIMUM_BLOCKS, Bootstrap, block_cells, gather
from gossan.accuracy.intervals import interval
from gossan.errors import InputError
from gossan.legend import NODATA
from gossan.outlines import outline
from gossan.prospects.potential import GRADED_POTENTIAL, HIGH, LOW, MEDIUM, NONE, POTENTIAL
from gossan.raster import Grid
from gossan.vectors import POINTS, POLYGONS, read_features

OUTSIDE_MINES = "{} outside mines"

STEPS = 1000
"""Steps of the score, from 0 to 1, at which curves are known."""

OVERLAY_COLUMNS = (
    "sites",
    "potential",
    "pixels",
    "area_km2",
    "area_share",
    "n",
    "found",
    "share",
    "share_low",
    "share_high",
    "ratio",
    "ratio_low",
    "ratio_high",
    "touching",
    "touching_share",
    "not_mapped",
    "n_blocks",
    "synthetic",
)
CURVE_COLUMNS = (
    "sites",
    "score",
    "pixels",
    "area_share",
    "n",
    "found",
    "found_share",
    "found_low",
    "found_high",
)
_CODES = len(GRADED_POTENTIAL) + 1


@dataclass(frozen=True)
class Sites:
    """Claims or occurrences on the grid of a map, in the grid's reference system.

    `shapes` (n,) are shapely geometries, `column` and `row` (n,) the pixel of the point that
    stands for each: the point itself, or one inside the polygon. It may lie beside the map.
    `attributes` are those that were asked for and are there, (n,) each.
    """

    name: str
    shapes: np.ndarray
    column: np.ndarray
    row: np.ndarray
    attributes: Mapping[str, np.ndarray] = field(default_factory=dict)

    def outside(self, shapes: np.ndarray) -> np.ndarray:
        """Which sites, (n,) bool, touch none of the shapes."""
        import shapely

        touching = shapely.STRtree(shapes).query(self.shapes, predicate="intersects")[0]
        free = np.ones(len(self.shapes), bool)
        free[touching] = False
        return free


def read_sites(
    path: str | Path,
    grid: Grid,
    name: str,
    substances: Sequence[str] | None,
    attribute: str,
    kept: Sequence[str] = (),
) -> Sites:
    """Read points or polygons, those of `substances` only, without regard to case.

    The substance stands in the `attribute` of each feature; None takes all features. `kept` are
    attributes that the answer holds where the features have them. Raises
    InputError as `read_features` does, and when no feature over the map has such a substance.
    """
    import shapely

    wanted = None if substances is None else {item.strip().casefold() for item in substances}
    features = read_features(
        path, grid, name, POINTS + POLYGONS, () if wanted is None else (attribute,)
    )
    if wanted is not None:
        said = features[attribute].astype(str).str.strip()
        features = features[said.str.casefold().isin(wanted)]
        if features.empty:
            raise InputError(
                f"{path}: no feature has the {attribute} {', '.join(substances)} "
                f"(there are: {', '.join(sorted(set(said))[:12])})"
            )
    shapes = features.geometry.to_numpy()
    if not shapely.intersects(shapes, outline(grid)).any():
        raise InputError(
            f"{path}: none of the chosen {name} lies over the map; check place and CRS of both"
        )
    stand_ins = shapely.get_coordinates(shapely.point_on_surface(shapes))
    column, row = ~grid.transform @ (stand_ins[:, 0], stand_ins[:, 1])
    attributes = {key: features[key].to_numpy(object) for key in kept if key in features.columns}
    return Sites(name, shapes, _whole(column), _whole(row), attributes)


def _whole(positions: np.ndarray) -> np.ndarray:
    return np.floor(positions).astype(np.int64)


@dataclass(frozen=True)
class SiteTally:
    """What sites cover: pixels of each code (n, 5), and code and score at their points (n,).

    Codes are 0 for nodata and those of GRADED_POTENTIAL. The code is 0 and the score NaN where the
    point lies on nodata or beside what was tallied.
    """

    pixels: np.ndarray
    code: np.ndarray
    score: np.ndarray

    @classmethod
    def empty(cls, number: int) -> "SiteTally":
        """The tally of `number` sites over no block."""
        return cls(
            np.zeros((number, _CODES), np.int64),
            np.zeros(number, np.int64),
            np.full(number, np.nan, np.float32),
        )

    def add(self, places: np.ndarray, other: "SiteTally") -> None:
        """Add the tally of a block, made of the sites at `places`, to this one."""
        self.pixels[places] += other.pixels
        self.code[places] = np.maximum(self.code[places], other.code)
        self.score[places] = np.fmax(self.score[places], other.score)

    @property
    def potential(self) -> np.ndarray:
        """Potential of each site, (n,): the code of most of its pixels, 0 where it has none.

        Of codes with as many pixels the lower counts. A site without a pixel centre has the code
        at its point.
        """
        rising = np.array([NONE, LOW, MEDIUM, HIGH])
        mapped = self.pixels[:, rising]
        return np.where(mapped.any(axis=1), rising[mapped.argmax(axis=1)], self.code)

    def touches(self, codes: Sequence[int]) -> np.ndarray:
        """Which sites, (n,) bool, have at least one pixel, or their point, of the codes."""
        return self.pixels[:, list(codes)].any(axis=1) | np.isin(self.code, codes)


def tally_block(
    sites: Sites, window: Window, grid: Grid, potential: np.ndarray, score: np.ndarray
) -> tuple[np.ndarray, SiteTally]:
    """The places (k,) of the sites that a window touches, and their tally over it.

    `potential` (rows, columns) holds LOW, MEDIUM, HIGH, NONE or NODATA, `score` float32.
    """
    import shapely

    here = outline(grid, window)
    near = np.flatnonzero(shapely.intersects(sites.shapes, here))
    codes = np.where(potential == NODATA, 0, potential)
    tally = SiteTally.empty(len(near))
    for place, site in enumerate(near):
        if sites.shapes[site].geom_type in POLYGONS:
            tally.pixels[place] = _count_inside(sites.shapes[site], window, grid, codes)
        row = sites.row[site] - window.row_off
        column = sites.column[site] - window.col_off
        if 0 <= row < window.height and 0 <= column < window.width:
            tally.code[place] = codes[row, column]
            tally.score[place] = score[row, column]
    return near, tally


def _count_inside(shape: object, window: Window, grid: Grid, codes: np.ndarray) -> np.ndarray:
    """Pixels of each code whose centres lie in a polygon, within a window."""
    west, south, east, north = shape.bounds
    corners = [~grid.transform @ (x, y) for x in (west, east) for y in (south, north)]
    places = []
    for axis, first, length in (
        (1, window.row_off, window.height),
        (0, window.col_off, window.width),
    ):
        low = math.floor(min(corner[axis] for corner in corners)) - first
        high = math.ceil(max(corner[axis] for corner in corners)) - first
        places.append(slice(max(0, low), min(length, high)))
    rows, columns = places
    if rows.stop <= rows.start or columns.stop <= columns.start:
        return np.zeros(_CODES, np.int64)
    part = Window(
        window.col_off + columns.start,
        window.row_off + rows.start,
        columns.stop - columns.start,
        rows.stop - rows.start,
    )
    inside = geometry_mask(
        [shape],
        out_shape=(part.height, part.width),
        transform=window_transform(part, grid.transform),
        invert=True,
    )
    return np.bincount(codes[rows, columns][inside], minlength=_CODES)


def score_steps(score: np.ndarray) -> np.ndarray:
    """The step, 0 to STEPS, that each score has reached; -1 for NaN.

    A score of single precision that is meant to be a step reaches it.
    """
    steps = np.floor(np.nan_to_num(score.astype(np.float64)) * STEPS + 1e-3).astype(np.int64)
    return np.where(np.isnan(score), -1, np.clip(steps, 0, STEPS))


def count_steps(score: np.ndarray) -> np.ndarray:
    """Pixels of each step of the score, (STEPS + 1,) int64; NaN is left out."""
    return np.bincount(score_steps(score).ravel() + 1, minlength=STEPS + 2)[1:]


def resample_means(
    values: np.ndarray, blocks: np.ndarray, bootstrap: Bootstrap
) -> tuple[np.ndarray, np.ndarray] | None:
    """95 % intervals of the means of `values` (n, k): low (k,) and high (k,).

    Whole spatial blocks (n,), by their numbers, are drawn (`gossan.accuracy.blocks`). None where
    too few blocks hold sites.
    """
    sums = gather(blocks, np.column_stack([values, np.ones(len(values))]))
    if len(sums) < MINIMUM_BLOCKS:
        return None
    samples = bootstrap.resample(sums)
    low, high = interval(values.mean(axis=0), samples[:, :-1] / samples[:, -1:], sums[:, -1])
    return low, high


def blocks_of(sites: Sites, bootstrap: Bootstrap) -> np.ndarray:
    """Number of the spatial block of each site, (n,), for sites beside the map, too."""
    cells = block_cells(sites.row, sites.column, bootstrap.spatial_block_px)
    return np.unique(np.stack(cells, axis=1), axis=0, return_inverse=True)[1].ravel()


@dataclass(frozen=True)
class MapCounts:
    """The mapped pixels: of each potential, (4,) with 0 unused, and of each step of the score."""

    pixels: np.ndarray
    steps: np.ndarray
    pixel_area_m2: float | None

    def summary(self) -> list[dict[str, object]]:
        """Name, pixels, area and share of each potential, the highest first."""
        total = int(self.pixels.sum())
        return [
            {
                "name": item.name,
                "pixels": int(self.pixels[item.code]),
                "area_km2": None
                if self.pixel_area_m2 is None
                else int(self.pixels[item.code]) * self.pixel_area_m2 / 1e6,
                "share": int(self.pixels[item.code]) / total if total else None,
            }
            for item in reversed(POTENTIAL)
        ]


def overlay_rows(
    sites: Sites,
    tally: SiteTally,
    chosen: np.ndarray,
    name: str,
    counts: MapCounts,
    bootstrap: Bootstrap,
) -> list[dict[str, object]]:
    """Share of the `chosen` (n,) sites by potential, against its share of the mapped area.

    Rows are high, medium, low and "medium or high"; the columns are OVERLAY_COLUMNS without
    `synthetic`. `found` counts sites by the potential of most of their pixels, `touching` those
    with at least one pixel of it; `n` are the mapped sites, `not_mapped` those on nodata or
    beside the map. `ratio` is the share of sites over the share of area: 1 is what a map without
    any knowledge reaches. Intervals are 95 %, by resampling spatial blocks of sites.
    """
    potential = tally.potential
    mapped = chosen & (potential > 0)
    number, total = int(mapped.sum()), int(counts.pixels.sum())
    groups = {item.name: (item.code,) for item in reversed(POTENTIAL)}
    groups["medium or high"] = (MEDIUM, HIGH)
    members = np.stack([np.isin(potential[mapped], codes) for codes in groups.values()], axis=1)
    blocks = blocks_of(sites, bootstrap)[mapped]
    spread = resample_means(members, blocks, bootstrap)
    rows = []
    for place, (group, codes) in enumerate(groups.items()):
        pixels = int(counts.pixels[list(codes)].sum())
        touching = int(tally.touches(codes)[mapped].sum())
        found = int(members[:, place].sum())
        ends = {"": found / number} if number else {}
        if spread is not None:
            ends |= {"_low": spread[0][place], "_high": spread[1][place]}
        row = {
            "sites": name,
            "potential": group,
            "pixels": pixels,
            "area_share": _short(pixels / total) if total else None,
            "n": number,
            "found": found,
            "touching": touching,
            "not_mapped": int(chosen.sum()) - number,
            "n_blocks": len(np.unique(blocks)),
        }
        if counts.pixel_area_m2 is not None:
            row["area_km2"] = f"{pixels * counts.pixel_area_m2 / 1e6:.6f}"
        if number:
            row["touching_share"] = _short(touching / number)
        row |= {f"share{end}": _short(share) for end, share in ends.items()}
        if pixels:
            row |= {f"ratio{end}": _short(share * total / pixels) for end, share in ends.items()}
        rows.append(row)
    return rows


def _short(value: float) -> str:
    return f"{value:.6f}"


@dataclass(frozen=True)
class Curve:
    """How many sites the map finds within how much of its area, per step of the score.

    All arrays are (STEPS + 1,): the share of the area, and of the sites with the interval's ends
    (None for too few blocks), whose score is at least the step / STEPS. `auc` is the area under
    the success-rate curve: the probability that a site's score is above that of a pixel drawn by
    chance, ties counting half; `auc_low` and `auc_high` are its 95 % interval.
    """

    pixels: np.ndarray
    area: np.ndarray
    sites: np.ndarray
    found: np.ndarray
    low: np.ndarray | None
    high: np.ndarray | None
    number: int
    blocks: int
    auc: float
    auc_low: float | None
    auc_high: float | None


def trace_curve(
    sites: Sites,
    tally: SiteTally,
    chosen: np.ndarray,
    counts: MapCounts,
    bootstrap: Bootstrap,
) -> Curve | None:
    """The success-rate curve of the `chosen` (n,) sites; None when none has a score.

    Sites count by the score at their point. With sites that the model was trained on it is a
    success-rate curve, with others a prediction-rate curve (Chung and Fabbri 2003, Natural
    Hazards 30, 451-472).
    """
    used = chosen & np.isfinite(tally.score)
    if not used.any():
        return None
    reached = score_steps(tally.score[used])
    members = reached[:, np.newaxis] >= np.arange(STEPS + 1)
    total = counts.steps.sum()
    below = np.concatenate([[0], np.cumsum(counts.steps)[:-1]])
    rank = (below + counts.steps / 2)[reached] / total
    blocks = blocks_of(sites, bootstrap)[used]
    spread = resample_means(np.column_stack([rank, members]), blocks, bootstrap)
    low, high = (None, None) if spread is None else spread
    pixels = counts.steps[::-1].cumsum()[::-1]
    return Curve(
        pixels=pixels,
        area=pixels / total,
        sites=members.sum(axis=0),
        found=members.mean(axis=0),
        low=None if low is None else low[1:],
        high=None if high is None else high[1:],
        number=int(used.sum()),
        blocks=len(np.unique(blocks)),
        auc=float(rank.mean()),
        auc_low=None if low is None else float(low[0]),
        auc_high=None if high is None else float(high[0]),
    )


def curve_rows(curve: Curve, name: str) -> list[dict[str, object]]:
    """Rows of CURVE_COLUMNS, from score 0 to 1."""
    rows = []
    for step in range(STEPS + 1):
        row = {
            "sites": name,
            "score": f"{step / STEPS:g}",
            "pixels": int(curve.pixels[step]),
            "area_share": _short(curve.area[step]),
            "n": curve.number,
            "found": int(curve.sites[step]),
            "found_share": _short(curve.found[step]),
        }
        if curve.low is not None:
            row |= {"found_low": _short(curve.low[step]), "found_high": _short(curve.high[step])}
        rows.append(row)
    return rows


def cross_prediction_area(curve: Curve) -> dict[str, float | None]:
    """Where the prediction rate and the area left over cross, in the prediction-area plot.

    At that score, found by interpolation between steps, the share found and the share of area
    add up to 1; their quotient is the normalised density (Mihalasky and Bonham-Carter 2001,
    Natural Resources Research 10, 209-226), its logarithm the weight of the map as evidence
    (Yousefi and Carranza 2015, Computers & Geosciences 79, 69-81). Returns score, found_share,
    area_share, normalised_density and weight; the last two are None where no area is left.
    """
    both = np.append(curve.found + curve.area, 0.0)
    step = int(np.flatnonzero(both >= 1)[-1])
    found, area = np.append(curve.found, 0.0), np.append(curve.area, 0.0)
    part = (both[step] - 1) / (both[step] - both[step + 1])
    found_share, area_share = (
        float(values[step] + part * (values[step + 1] - values[step])) for values in (found, area)
    )
    possible = min(found_share, area_share) > 0
    return {
        "score": min(1.0, (step + float(part)) / STEPS),
        "found_share": found_share,
        "area_share": area_share,
        "normalised_density": found_share / area_share if possible else None,
        "weight": math.log(found_share / area_share) if possible else None,
    }


def compare_sites(
    sites: Sites,
    tally: SiteTally,
    mines: np.ndarray | None,
    counts: MapCounts,
    bootstrap: Bootstrap,
) -> tuple[list[dict[str, object]], list[dict[str, object]], list[dict[str, object]]]:
    """Overlay rows, curve rows, and a summary of each curve, for sites on a map.

    With `mines`, shapes (m,) in the sites' reference system, the sites that touch none of them
    follow as sites of their own: the model was not trained on those.
    """
    chosen = {sites.name: np.ones(len(sites.shapes), bool)}
    if mines is not None:
        chosen[OUTSIDE_MINES.format(sites.name)] = sites.outside(mines)
    overlay, rows, summaries = [], [], []
    for name, places in chosen.items():
        overlay += overlay_rows(sites, tally, places, name, counts, bootstrap)
        curve = trace_curve(sites, tally, places, counts, bootstrap)
        if curve is None:
            continue
        rows += curve_rows(curve, name)
        summaries.append(
            {
                "sites": name,
                "n": curve.number,
                "n_blocks": curve.blocks,
                "area_under_curve": {
                    "value": curve.auc,
                    "low": curve.auc_low,
                    "high": curve.auc_high,
                },
                "prediction_area": cross_prediction_area(curve),
            }
        )
    return overlay, rows, summaries
