"""What the detail sub-bands say of the ground: HL near faults, LH from one zone to the next.

Each question is one of ranks: how often a pixel of one kind of ground has a larger value than one
of another (`separability.rank_area`), with an interval by spatial blocks. Values are ranked in
2 * STEPS steps, which hold about equal shares of the band's pixels by size on either side of 0.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rasterio.features import rasterize
from rasterio.windows import Window
from rasterio.windows import transform as window_transform
from scipy.ndimage import distance_transform_edt

from gossan.accuracy.blocks import BlockWindow, Bootstrap
from gossan.accuracy.separability import rank_area, rank_interval
from gossan.errors import InputError
from gossan.outlines import outline, reproject
from gossan.raster import Grid, RasterInfo, iter_blocks, read_info
from gossan.vector_files import read_vector
from gossan.zones.zone_assessment import ZoneTruth

HORIZONTAL, VERTICAL = "LH", "HL"
SIZE, VALUE = "size", "value"
NEAR, AWAY = "near faults", "elsewhere"
STEPS = 64
LEVELS = 2**16
"""Sizes that are told apart before they are put into steps: 8 binary digits of a float."""
PROFILE_STEP_PX, PROFILE_STEPS = 3, 15
"""Width of a step of the profile, and how many there are on either side of the zone's edge."""

TABLE_COLUMNS = (
    *("question", "band", "subband", "measure", "first", "second", "n_first", "n_second"),
    *("blocks_first", "blocks_second", "mean_first", "mean_second", "auc", "auc_low", "auc_high"),
)
PROFILE_COLUMNS = (
    *("first", "second", "band", "from_m", "to_m", "pixels", "share_first", "mean", "mean_size"),
)


@dataclass(frozen=True)
class Faults:
    """Mapped faults on the grid of a map: `count` of them lie over it.

    `read` returns the (1, rows, columns) bool of a window: pixels that a fault crosses.
    """

    file: str
    count: int
    read: Callable[[Window], np.ndarray]


def open_faults(path: str | Path, grid: Grid) -> Faults:
    """Open a vector file of faults, lines or areas, on a grid, reprojected if need be.

    None may lie over the grid. Raises InputError for a file that cannot be read, holds points or
    has no coordinate system.
    """
    import shapely

    features, _ = read_vector(path, "faults")
    features = features[features.geometry.notna() & ~features.geometry.is_empty]
    if set(features.geometry.geom_type) & {"Point", "MultiPoint"}:
        raise InputError(f"{path}: faults are lines or areas, these are points; give their traces")
    shapes = reproject(features, grid.crs, path).geometry
    shapes = shapes[shapely.intersects(shapes.to_numpy(), outline(grid))]
    index = shapes.sindex

    def read(window: Window) -> np.ndarray:
        shape = (int(window.height), int(window.width))
        near = shapes.iloc[np.sort(index.query(outline(grid, window)))]
        if near.empty:
            return np.zeros((1, *shape), bool)
        transform = window_transform(window, grid.transform)
        burnt = rasterize(near, shape, transform=transform, all_touched=True, dtype="uint8")
        return burnt.astype(bool)[None]

    return Faults(Path(path).name, len(shapes), read)


@dataclass(frozen=True)
class Question:
    """Two kinds of ground whose values of a sub-band are compared; see `TABLE_COLUMNS`."""

    name: str
    subband: str
    measures: tuple[str, ...]
    first: str
    second: str


@dataclass
class _Totals:
    """Of one question and band: counts (block rows, block columns, 2, 2 * STEPS), and sums.

    `sums` (2, 2) are those of values and sizes of the first and of the second kind of ground.
    """

    counts: np.ndarray
    sums: np.ndarray = field(default_factory=lambda: np.zeros((2, 2)))


def size_levels(values: np.ndarray) -> np.ndarray:
    """The level of each value's size, in ascending order, int64 below LEVELS; NaN must be out."""
    bits = np.ascontiguousarray(np.abs(values), np.float32).view(np.uint32)
    return (bits >> 15).astype(np.int64)


def share_steps(counts: np.ndarray) -> np.ndarray:
    """The step, 0 to STEPS - 1, of each level: steps hold about equal shares of `counts`."""
    up_to = counts.cumsum()
    edges = np.searchsorted(up_to, up_to[-1] * np.arange(1, STEPS) / STEPS)
    return np.searchsorted(edges, np.arange(LEVELS), side="left")


def fold(counts: np.ndarray) -> np.ndarray:
    """Counts of sizes (..., STEPS) from those of values (..., 2 * STEPS)."""
    return counts[..., STEPS:] + counts[..., STEPS - 1 :: -1]


def distances(mask: np.ndarray) -> np.ndarray:
    """Distance of each pixel (rows, columns) to the nearest one that is marked, in pixels."""
    if not mask.any():
        return np.full(mask.shape, np.inf)
    return distance_transform_edt(~mask)


def detail_place(info: RasterInfo, band: str, subband: str) -> int:
    """Where the finest detail of a band stands among the sub-bands; InputError if nowhere."""
    for name in (f"{band} {subband}", f"{band} {subband}1"):
        if name in info.bands.names:
            return info.bands.names.index(name)
    raise InputError(f"{info.path}: lacks {subband} of band {band}; transform the band again")


def assess_details(
    path: str | Path,
    bands: Sequence[str],
    *,
    faults: Faults | None,
    near_m: float,
    truth: ZoneTruth | None,
    zones: Sequence[str],
    bootstrap: Bootstrap,
    window_px: int = 512,
    threads: int = 1,
) -> tuple[list[dict], list[dict]]:
    """Rows of TABLE_COLUMNS and of PROFILE_COLUMNS for the bands of a raster of sub-bands.

    With `faults`: the size of HL within `near_m` of one, beside that elsewhere. With a `truth`:
    value and size of LH in each of the `zones`, beside those in the next one, and their means by
    the distance from the edge of the zone (negative within it), over pixels of both. A table
    without pixels of one kind of ground has rows without a value.

    Raises InputError for sub-bands that are missing, a zone that the truth lacks, and a map that
    is not in metres.
    """
    info = read_info(path)
    area = info.grid.pixel_area_m2
    if area is None:
        raise InputError(f"{path}: its pixels have no size in metres; reproject the map")
    pixel_m = math.sqrt(area)
    questions: list[Question] = []
    if faults is not None:
        questions.append(Question("faults", VERTICAL, (SIZE,), NEAR, AWAY))
    codes = {} if truth is None else {zone: truth.code(zone) for zone in zones}
    pairs = list(zip(codes, list(codes)[1:], strict=False))
    questions += [Question("zones", HORIZONTAL, (VALUE, SIZE), *pair) for pair in pairs]
    if not questions:
        return [], []
    places = {
        (band, part): detail_place(info, band, part)
        for band in bands
        for part in dict.fromkeys(item.subband for item in questions)
    }
    steps = _find_steps(path, places, window_px, threads)
    spatial = bootstrap.over(info.grid.shape)
    kind = np.uint16 if spatial.side_px <= 255 else np.uint32
    totals = {
        (question, band): _Totals(np.zeros((*spatial.counts, 2, 2 * STEPS), kind))
        for question in questions
        for band in bands
    }
    profiles = {(*pair, band): np.zeros((2 * PROFILE_STEPS, 4)) for pair in pairs for band in bands}
    reach_px = max(math.ceil(near_m / pixel_m), PROFILE_STEP_PX * PROFILE_STEPS) + 1

    def look(inner: tuple[slice, slice], subbands: np.ndarray, window: Window, *more) -> list:
        known = list(more)
        marked = known.pop()[0] if faults is not None else None
        codes_here = known.pop()[0] if pairs else None
        at = spatial.window(
            subbands[0][inner].shape,
            int(window.row_off) + inner[0].start,
            int(window.col_off) + inner[1].start,
        )
        found = []
        for question in questions:
            if question.name == "faults":
                near = distances(marked)[inner] * pixel_m <= near_m
                labels, edge = np.where(near, 0, 1), None
            else:
                first, second = (codes_here == codes[name] for name in _pair(question))
                labels = np.where(first, 0, np.where(second, 1, -1))[inner]
                edge = (distances(first) - distances(~first))[inner]
            for band in bands:
                values = subbands[places[band, question.subband]][inner]
                own = steps[band, question.subband]
                found.append(
                    (
                        question,
                        band,
                        at,
                        _count(values, labels, own, at),
                        _edge_sums(values, labels, edge),
                    )
                )
        return found

    sources = [path, lambda window: window]
    sources += [truth.read] if pairs else []
    sources += [faults.read] if faults is not None else []
    blocks = iter_blocks(
        look, sources, block_px=window_px, threads=threads, halo=reach_px, progress="details"
    )
    for _, found in blocks:
        for question, band, at, (counts, sums), profile in found:
            own = totals[question, band]
            own.counts[at.slices] += counts.astype(kind)
            own.sums += sums
            if profile is not None:
                profiles[(*_pair(question), band)] += profile
    rows = [
        row
        for (question, band), own in totals.items()
        for row in _rows(question, band, own, bootstrap)
    ]
    return rows, _profile_rows(profiles, pixel_m)


def _pair(question: Question) -> tuple[str, str]:
    return question.first, question.second


def _find_steps(
    path: str | Path, places: Mapping[tuple[str, str], int], window_px: int, threads: int
) -> dict[tuple[str, str], np.ndarray]:
    """The steps of each sub-band, from the sizes of all its values."""

    def count(subbands: np.ndarray) -> list[np.ndarray]:
        values = (subbands[place] for place in places.values())
        return [np.bincount(size_levels(own[np.isfinite(own)]), minlength=LEVELS) for own in values]

    counts = np.zeros((len(places), LEVELS), np.int64)
    for _, found in iter_blocks(count, [path], block_px=window_px, threads=threads):
        counts += found
    return {key: share_steps(own) for key, own in zip(places, counts, strict=True)}


def _count(
    values: np.ndarray, labels: np.ndarray, steps: np.ndarray, at: BlockWindow
) -> tuple[np.ndarray, np.ndarray]:
    """Counts (block rows, block columns, 2, 2 * STEPS) and sums (2, 2) of a block's pixels."""
    tested = np.isfinite(values) & (labels >= 0)
    own, label = values[tested].astype(np.float64), labels[tested]
    step = steps[size_levels(own)]
    step = np.where(own < 0, STEPS - 1 - step, STEPS + step)
    cell = (at.number[tested] * 2 + label) * 2 * STEPS + step
    counts = np.bincount(cell, minlength=at.count * 4 * STEPS)
    sums = [np.bincount(label, part, 2) for part in (own, np.abs(own))]
    return counts.reshape(*at.shape, 2, 2 * STEPS), np.transpose(sums)


def _edge_sums(
    values: np.ndarray, labels: np.ndarray, edge: np.ndarray | None
) -> np.ndarray | None:
    """Pixels, those of the first ground, sums of values and of sizes by step (steps, 4)."""
    if edge is None:
        return None
    place = np.floor(edge / PROFILE_STEP_PX) + PROFILE_STEPS
    used = np.isfinite(values) & (labels >= 0) & (place >= 0) & (place < 2 * PROFILE_STEPS)
    own, place = values[used].astype(np.float64), place[used].astype(np.int64)
    parts = (np.ones_like(own), labels[used] == 0, own, np.abs(own))
    return np.transpose([np.bincount(place, part, 2 * PROFILE_STEPS) for part in parts])


def _rows(question: Question, band: str, own: _Totals, bootstrap: Bootstrap) -> list[dict]:
    rows = []
    values = own.counts.reshape(-1, *own.counts.shape[2:]).astype(np.int64)
    n = values.sum(axis=(0, 2))
    blocks = values.any(axis=2).sum(axis=0)
    for measure in question.measures:
        counts = values if measure == VALUE else fold(values)
        area = float(rank_area(*counts.sum(axis=0)))
        ends = rank_interval(counts[:, 0], counts[:, 1], area, bootstrap.replicates, bootstrap.seed)
        sums = own.sums[:, 0 if measure == VALUE else 1]
        means = [total / count if count else math.nan for total, count in zip(sums, n, strict=True)]
        told = (*means, area, *ends)
        rows.append(
            {
                "question": question.name,
                "band": band,
                "subband": question.subband,
                "measure": measure,
                **dict(zip(("first", "second"), _pair(question), strict=True)),
                **dict(zip(("n_first", "n_second"), map(int, n), strict=True)),
                **dict(zip(("blocks_first", "blocks_second"), map(int, blocks), strict=True)),
                **dict(zip(TABLE_COLUMNS[-5:], map(_number, told), strict=True)),
            }
        )
    return rows


def _profile_rows(
    profiles: Mapping[tuple[str, str, str], np.ndarray], pixel_m: float
) -> list[dict]:
    step_m = PROFILE_STEP_PX * pixel_m
    return [
        {
            "first": first,
            "second": second,
            "band": band,
            "from_m": f"{(place - PROFILE_STEPS) * step_m:g}",
            "to_m": f"{(place - PROFILE_STEPS + 1) * step_m:g}",
            "pixels": int(pixels),
            "share_first": _number(inside / pixels),
            "mean": _number(total / pixels),
            "mean_size": _number(size / pixels),
        }
        for (first, second, band), sums in profiles.items()
        for place, (pixels, inside, total, size) in enumerate(sums)
        if pixels
    ]


def _number(value: float) -> str:
    return f"{value:.6f}" if np.isfinite(value) else ""
