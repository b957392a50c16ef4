"""Two maps of potential of the same ground against the same claims and occurrences."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from gossan.accuracy.blocks import Bootstrap, gather
from gossan.accuracy.intervals import Kind, estimate
from gossan.errors import InputError
from gossan.legend import NODATA
from gossan.prospects.potential import HIGH, LOW, MEDIUM
from gossan.raster import Grid, iter_blocks, read_info
from gossan.targets.sites import (
    OUTSIDE_MINES,
    MapCounts,
    Sites,
    SiteTally,
    blocks_of,
    count_steps,
    score_steps,
    tally_block,
)

FORESTS = ("strata", "pixels")
"""What the two maps are by: a forest of graded strata, a forest of graded pixels."""
PARTS = (*FORESTS, "difference")
ENDS = {"": "value", "_low": "low", "_high": "high"}
COMPARISON_COLUMNS = (
    *("sites", "measure", "n", "n_blocks"),
    *(f"{name}{end}" for name in PARTS for end in ENDS),
)
GROUPS = {"medium or high": (MEDIUM, HIGH), "low, medium or high": (LOW, MEDIUM, HIGH)}
"""Codes of potential that are counted together. Of a map by scores all ground is at least low."""


def tally_maps(
    potential: Sequence[Path], score: Sequence[Path], sites: Sequence[Sites], threads: int
) -> list[tuple[list[SiteTally], MapCounts]]:
    """What the sites cover on each of several maps of one grid, and the maps' own counts.

    Raises InputError for maps of different grids.
    """
    grid = read_info(potential[0]).grid
    for path in (*potential, *score):
        grid.require_same(read_info(path).grid, str(path))
    return [
        _tally_map(codes, scores, grid, sites, threads)
        for codes, scores in zip(potential, score, strict=True)
    ]


def _tally_map(
    potential: Path, score: Path, grid: Grid, sites: Sequence[Sites], threads: int
) -> tuple[list[SiteTally], MapCounts]:
    def look(window: Window, classes: np.ndarray, values: np.ndarray) -> tuple:
        codes = np.where(np.isnan(classes[0]), NODATA, classes[0]).astype(np.uint8)
        return (
            [tally_block(item, window, grid, codes, values[0]) for item in sites],
            np.bincount(codes[codes != NODATA], minlength=HIGH + 2),
            count_steps(values[0]),
        )

    tallies = [SiteTally.empty(len(item.shapes)) for item in sites]
    pixels, steps = 0, 0
    sources = [lambda window: window, potential, score]
    for _, (tallied, codes, reached) in iter_blocks(
        look, sources, block_px=512, threads=threads, progress="sites"
    ):
        pixels, steps = pixels + codes, steps + reached
        for tally, (places, part) in zip(tallies, tallied, strict=True):
            tally.add(places, part)
    if not steps.sum():
        raise InputError(f"{potential}: has no pixel with data; map it again")
    return tallies, MapCounts(pixels, steps, grid.pixel_area_m2)


def compare_maps(
    sites: Sites,
    tallies: Sequence[SiteTally],
    counts: Sequence[MapCounts],
    mines: np.ndarray | None,
    bootstrap: Bootstrap,
) -> list[dict[str, object]]:
    """Rows of COMPARISON_COLUMNS: what sites each of the two maps finds, and the difference.

    Of each of GROUPS the share of sites with most of their pixels on it, of those that touch it,
    and of the area; and the area under the success-rate curve. Intervals are 95 %; those of the
    differences redraw the same blocks for both maps. With `mines`, shapes in the sites' reference
    system, the sites that touch none of them follow as sites of their own.
    """
    chosen = {sites.name: np.ones(len(sites.shapes), bool)}
    if mines is not None:
        chosen[OUTSIDE_MINES.format(sites.name)] = sites.outside(mines)
    rows = []
    for name, places in chosen.items():
        used = places & np.all([tally.potential > 0 for tally in tallies], axis=0)
        if used.any():
            blocks = blocks_of(sites, bootstrap)[used]
            rows += [
                {"sites": name, "n": int(used.sum()), "n_blocks": len(np.unique(blocks)), **row}
                for row in _measure(used, blocks, tallies, counts, bootstrap)
            ]
    return rows


def _measure(
    used: np.ndarray,
    blocks: np.ndarray,
    tallies: Sequence[SiteTally],
    counts: Sequence[MapCounts],
    bootstrap: Bootstrap,
) -> list[dict[str, object]]:
    rows = []
    for group, codes in GROUPS.items():
        members = [np.isin(tally.potential[used], codes) for tally in tallies]
        area = [own.pixels[list(codes)].sum() / own.pixels.sum() for own in counts]
        shares = _pair(members, blocks, bootstrap)
        rows.append({"measure": f"share, {group}", **_row(shares)})
        touching = [tally.touches(codes)[used] for tally in tallies]
        rows.append({"measure": f"touching, {group}", **_row(_pair(touching, blocks, bootstrap))})
        rows.append(
            {
                "measure": f"area, {group}",
                **{name: f"{value:.6f}" for name, value in zip(FORESTS, area, strict=True)},
                "difference": f"{area[0] - area[1]:.6f}",
            }
        )
    # A site whose point lies on a hole of the map has no score.
    scored = np.isfinite([tally.score[used] for tally in tallies]).all(axis=0)
    if scored.any():
        ranks = []
        for tally, own in zip(tallies, counts, strict=True):
            below = np.concatenate([[0], np.cumsum(own.steps)[:-1]])
            reached = score_steps(tally.score[used][scored])
            ranks.append(((below + own.steps / 2) / own.steps.sum())[reached])
        told = _pair(ranks, blocks[scored], bootstrap)
        rows.append({"measure": "area under the curve", **_row(told)})
    return rows


def _pair(
    values: Sequence[np.ndarray], blocks: np.ndarray, bootstrap: Bootstrap
) -> dict[str, Mapping[str, float | None]]:
    """Means of two sets of values (n,) and of their differences, with intervals."""
    columns = [*(part.astype(np.float64) for part in values), np.ones(len(blocks))]
    sums = gather(blocks, np.column_stack(columns))
    drawn = bootstrap.resample(sums)
    first, second = (drawn[:, place] / drawn[:, -1] for place in (0, 1))
    means = [float(part.mean()) for part in columns[:2]]
    return {
        FORESTS[0]: estimate(means[0], first, sums[:, -1]),
        FORESTS[1]: estimate(means[1], second, sums[:, -1]),
        "difference": estimate(means[0] - means[1], first - second, sums[:, -1], Kind.DIFFERENCE),
    }


def _row(told: Mapping[str, Mapping[str, float | None]]) -> dict[str, object]:
    return {f"{name}{end}": value[key] for name, value in told.items() for end, key in ENDS.items()}
