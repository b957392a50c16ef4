"""Minerals found one by one: thresholds chosen on validation blocks, scores on test blocks.

A mineral is found where its distance is at most its threshold. The threshold that is best on the
test pixels themselves, as published work often has it, is called the oracle's: nobody can know it
before the ground has been visited.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from gossan.accuracy.blocks import (
    MINIMUM_BLOCKS,
    Bootstrap,
    gather,
    require_least,
    resample,
)
from gossan.accuracy.intervals import interval
from gossan.accuracy.record import TruthSource, class_labels, make_record
from gossan.accuracy.scores import EXCLUDED, count_pixels, encode_classes
from gossan.accuracy.truth import CONFLICT, NO_TRUTH, Truth
from gossan.cube.bands import SENSORS, StackBands, sensors_present
from gossan.embedding.sensor_scores import MACRO
from gossan.errors import InputError
from gossan.legend import MapClass
from gossan.raster import iter_blocks, read_info
from gossan.sampling import pixel_priorities, smallest_of_each

SIDES = ("validation", "test")
WINDOW_PX = 512
DETECTION_COLUMNS = (
    *("method", "mineral", "threshold_kind", "n", "n_mineral"),
    *("precision", "precision_low", "precision_high", "recall", "recall_low", "recall_high"),
    *("f1", "f1_low", "f1_high", "threshold", "training"),
)


@dataclass(frozen=True)
class Protocol:
    """How pixels are divided and drawn.

    The spatial blocks of `bootstrap` go to validation or test, so that each mineral has about
    `validation_share` of its pixels in validation. At most `per_class` pixels of a class are drawn
    on each side.
    """

    bootstrap: Bootstrap
    validation_share: float
    per_class: int

    def __post_init__(self):
        """Raise InputError for numbers without meaning."""
        require_least("per-class", self.per_class, 10)
        if not 0 < self.validation_share < 1:
            raise InputError(
                f"validation-share: {self.validation_share:g} leaves one side empty; give a number "
                "between 0 and 1"
            )


@dataclass(frozen=True, eq=False)
class Pixels:
    """Pixels of known ground with their spectra, in order of row and column.

    `spectra` (n, B) float32 are 0 in bands of absent sensors, `present` (n, S); `truth` (n,) is 0
    for other ground and 1 to K for the minerals; `block` (n,) numbers spatial blocks; `weight`
    (n,) tells how many such pixels of its class and side each stands for.
    """

    spectra: np.ndarray
    present: np.ndarray
    truth: np.ndarray
    block: np.ndarray
    is_test: np.ndarray
    weight: np.ndarray
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of pixels."""
        return len(self.truth)

    def take(self, chosen: np.ndarray) -> "Pixels":
        """Some of the pixels, by a mask or by places."""
        return Pixels(
            self.spectra[chosen],
            self.present[chosen],
            self.truth[chosen],
            self.block[chosen],
            self.is_test[chosen],
            self.weight[chosen],
            self.notes,
        )


@dataclass(frozen=True, eq=False)
class Ground:
    """Pixels of known ground of a scene, and how they came about: counts for records."""

    pixels: Pixels
    truth: Truth
    protocol: Protocol
    conflicts: int
    sampled: bool
    absent: tuple[str, ...] = field(default=())

    @property
    def split(self) -> str:
        """What a record says about the split."""
        own = self.protocol
        pixels = self.pixels
        text = (
            f"blocked: blocks of {own.bootstrap.spatial_block_px} pixels divided into validation "
            f"({np.count_nonzero(~pixels.is_test)} pixels), which chose the thresholds, and test "
            f"({np.count_nonzero(pixels.is_test)} pixels), which the numbers are of; the methods "
            "learned from library spectra, not from pixels"
        )
        if self.sampled:
            text += (
                f"; at most {own.per_class} pixels of each class of the truth and side are tested, "
                "and their scores weighted by what they stand for"
            )
        return "; ".join((text, *pixels.notes))


def deal_sides(counts: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Which blocks test, (n,) bool, from the pixels (n, K + 1) of each class in each block.

    Column 0 is other ground. Blocks are dealt in an order drawn from `seed`, those of the mineral
    found in the fewest blocks first, each to the side that lacks most of that mineral, so both
    sides get some of every mineral that lies in two blocks or more.
    """
    counts = np.asarray(counts, np.float64)
    order = np.random.default_rng(seed).permutation(len(counts))
    side = np.full(len(counts), -1)
    wanted = np.array([share, 1 - share])
    spread = (counts > 0).sum(axis=0)
    minerals = sorted(range(1, counts.shape[1]), key=lambda place: (spread[place], place))
    for place in [*minerals, 0]:
        total = counts[:, place].sum()
        if total == 0:
            continue
        have = np.array([counts[side == number, place].sum() for number in (0, 1)])
        for block in order:
            if side[block] >= 0 or counts[block, place] == 0:
                continue
            lacking = 1 - have / (wanted * total)
            # Equal at the start, where the test comes first: without it there is no result.
            chosen = int(lacking[1] >= lacking[0])
            side[block] = chosen
            have[chosen] += counts[block, place]
    return side == 1


def read_pixels(
    stack: str | Path,
    sensor_mask: str | Path,
    bands: StackBands,
    truth: Truth,
    minerals: Sequence[MapClass],
    protocol: Protocol,
    threads: int = 1,
) -> Ground:
    """The pixels of known ground of a stack that at least one sensor saw.

    `minerals` in the order of the detectors' scores; any other class of the truth is other
    ground. Pixels without a sensor, and those that two classes claim, are left out and counted. A
    sensor with a gap in one of its bands counts as absent there. Memory is bounded by
    `per_class` and the size of a block, not by the scene.

    Raises InputError where the stack does not have the bands, the mask is of another grid or
    names sensors that the stack lacks, no pixel of known ground is left, a mineral lies in a single
    block, or one side is empty.
    """
    info = read_info(stack)
    if info.bands.names != bands.names:
        raise InputError(
            f"{stack}: its bands are not those of the table; give the bands.csv made with it"
        )
    mask = read_info(sensor_mask)
    info.grid.require_same(mask.grid, str(sensor_mask))
    codes = [item.code for item in minerals]
    spatial = protocol.bootstrap.over(info.grid.shape)
    size = len(codes) + 1

    def look(bits: np.ndarray, codes_read: np.ndarray, window: Window) -> tuple:
        bits, codes_read = bits[0].astype(np.uint8), codes_read[0]
        unusable = (codes_read == NO_TRUTH) | (codes_read == CONFLICT)
        truth = encode_classes(codes_read, codes, unusable)
        conflicts = int((codes_read == CONFLICT).sum())
        unseen = int(((truth != EXCLUDED) & (bits == 0)).sum())
        row, column = np.nonzero((truth != EXCLUDED) & (bits != 0))
        own = truth[row, column]
        unknown = ~sensors_present(bits[row, column], SENSORS)
        unknown = ~unknown[:, [name not in bands.sensors for name in SENSORS]]
        if unknown.any() or (bits >> len(SENSORS)).any():
            raise InputError(
                f"{sensor_mask}: names a sensor that {stack} lacks; give the mask made with it"
            )
        row, column = row + int(window.row_off), column + int(window.col_off)
        block = spatial.number(row, column)
        return own, row, column, block, unseen, conflicts

    sources = [sensor_mask, truth.read, lambda window: window]

    def scan() -> object:
        return iter_blocks(
            look, sources, grid=info.grid, block_px=WINDOW_PX, threads=threads, scaled=False
        )

    counts: dict[int, np.ndarray] = {}
    unseen = conflicts = 0
    for _, (own, _, _, block, dark, torn) in scan():
        unseen, conflicts = unseen + dark, conflicts + torn
        found, place = np.unique(block, return_inverse=True)
        table = np.zeros((len(found), size), np.int64)
        np.add.at(table, (place, own), 1)
        for number, row in zip(found.tolist(), table, strict=True):
            counts[number] = counts.get(number, 0) + row
    if not counts:
        raise InputError(
            f"{stack}: no pixel that a sensor saw has ground truth; check the places of both"
        )
    numbers = np.array(sorted(counts))
    table = np.stack([counts[number] for number in numbers.tolist()])
    is_test = deal_sides(table, protocol.validation_share, protocol.bootstrap.seed)
    _require_sides(table, is_test, minerals, protocol)

    best = None
    for _, (own, row, column, block, *_) in scan():
        side = is_test[np.searchsorted(numbers, block)]
        drawn = np.stack([own, row, column, block, side]).astype(np.int64)
        best = drawn if best is None else np.concatenate([best, drawn], axis=1)
        stratum = best[4] * size + best[0]
        priority = pixel_priorities(best[1], best[2], protocol.bootstrap.seed)
        best = best[:, smallest_of_each(priority, stratum, protocol.per_class)]
    own, row, column, block, side = best[:, np.lexsort((best[2], best[1]))]
    spectra, present = _read_spectra(stack, sensor_mask, bands, row, column, threads)
    population = np.zeros((2, size))
    for number in (0, 1):
        population[number] = table[is_test == bool(number)].sum(axis=0)
    drawn = np.zeros((2, size))
    np.add.at(drawn, (side, own), 1)
    weight = np.divide(population, drawn, out=np.zeros((2, size)), where=drawn > 0)[side, own]
    notes = []
    if unseen:
        notes.append(f"{unseen} pixels of the truth that no sensor saw are left out")
    pixels = Pixels(spectra, present, own, block, side.astype(bool), weight)
    whole = present.any(axis=1)
    if not whole.all():
        notes.append(f"{np.count_nonzero(~whole)} with gaps in every sensor are left out")
    pixels = pixels.take(whole)
    absent = tuple(
        name for place, name in enumerate(bands.sensors) if not pixels.present[:, place].any()
    )
    if absent:
        notes.append(f"{', '.join(absent)} saw no pixel of the truth")
    pixels = Pixels(**{**vars(pixels), "notes": tuple(notes)})
    return Ground(pixels, truth, protocol, conflicts, bool(population.sum() > drawn.sum()), absent)


def _require_sides(
    table: np.ndarray, is_test: np.ndarray, minerals: Sequence[MapClass], protocol: Protocol
) -> None:
    validation = table[~is_test].sum(axis=0)
    side = protocol.bootstrap.spatial_block_px
    for place, item in enumerate(minerals, start=1):
        if table[:, place].any() and not validation[place]:
            raise InputError(
                f"spatial-block-px: {item.name} lies in one block of {side} pixels, so no pixel "
                "of it is left for validation; give a smaller number"
            )
    if not table[~is_test].any():
        raise InputError(
            f"spatial-block-px: all pixels of the truth lie in one block of {side} pixels; give "
            "a smaller number"
        )


def _read_spectra(
    stack: str | Path,
    sensor_mask: str | Path,
    bands: StackBands,
    row: np.ndarray,
    column: np.ndarray,
    threads: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Spectra (n, B) and sensors present (n, S) of pixels in order of row and column."""
    spectra = np.zeros((len(row), len(bands)), np.float32)
    present = np.zeros((len(row), len(bands.sensors)), bool)

    def gather(block: np.ndarray, bits: np.ndarray, window: Window) -> tuple:
        first, last = np.searchsorted(row, [window.row_off, window.row_off + window.height])
        near = np.arange(first, last)
        left = int(window.col_off)
        near = near[(column[near] >= left) & (column[near] < left + int(window.width))]
        own = row[near] - int(window.row_off), column[near] - left
        there = sensors_present(bits[0][own].astype(np.uint8), bands.sensors)
        found = block[:, own[0], own[1]].T
        for place, name in enumerate(bands.sensors):
            there[:, place] &= np.isfinite(found[:, bands.part(name)]).all(axis=1)
        return near, np.where(bands.present_bands(there), found, 0), there

    sources = [stack, sensor_mask, lambda window: window]
    for _, (near, found, there) in iter_blocks(
        gather, sources, block_px=WINDOW_PX, threads=threads, progress="pixels of the truth"
    ):
        spectra[near], present[near] = found, there
    return spectra, present


def choose_threshold(score: np.ndarray, positive: np.ndarray, weight: np.ndarray) -> float:
    """The threshold of best F1 for `score` <= threshold; NaN where nothing is positive.

    All are (n,); `weight` is what each pixel counts for. It lies half-way to the next higher
    score, so that what has not been seen is not cut off at the last one that has. Of equal F1 the
    smallest wins. NaN scores are never found.
    """
    score = np.asarray(score, np.float64)
    positive = np.asarray(positive, bool)
    total = weight[positive].sum()
    usable = np.isfinite(score)
    if not total > 0 or not (positive & usable).any():
        return float("nan")
    order = np.argsort(score[usable], kind="stable")
    ordered = score[usable][order]
    counted = weight[usable][order]
    right = np.cumsum(counted * positive[usable][order])
    found = np.cumsum(counted)
    ends = np.flatnonzero(np.r_[ordered[1:] > ordered[:-1], True])
    best = ends[(2 * right[ends] / (found[ends] + total)).argmax()]
    after = ordered[best + 1] if best + 1 < len(ordered) else ordered[best]
    return float((ordered[best] + after) / 2)


def choose_thresholds(scores: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """`choose_threshold` of each mineral, (K,), from scores (n, K) and truth (n,)."""
    return np.array(
        [
            choose_threshold(scores[:, place], truth == place + 1, weight)
            for place in range(scores.shape[1])
        ]
    )


def find(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Where each mineral is found, (n, K) bool; nowhere for a NaN threshold or score."""
    return np.asarray(scores, np.float64) <= np.asarray(thresholds, np.float64)


def name_pixels(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """One class for each pixel, (n,), 0 = none: the nearest of the minerals that are found."""
    held = np.where(find(scores, thresholds), scores, np.inf)
    return np.where(np.isfinite(held).any(axis=1), held.argmin(axis=1) + 1, 0)


@dataclass(frozen=True, eq=False)
class Rates:
    """Precision, recall, F1 and its macro mean with 95 % intervals; NaN where undefined.

    Each of the first three is (3, K): value, low, high; `macro_f1` is (3,). `counts` (K + 1,) are
    the pixels of each class that were measured, other ground first.
    """

    counts: np.ndarray

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    macro_f1: np.ndarray


def rate(
    scores: np.ndarray,
    limits: np.ndarray,
    truth: np.ndarray,
    block: np.ndarray,
    weight: np.ndarray,
    replicates: int,
    seed: int,
) -> Rates:
    """Rates of minerals found by scores (n, K) within limits (K,) against truth (n,).

    One mineral against all the rest. What was not measured is not scored: rows without any score
    are left out, and a mineral is unrated where it has no limit or none of its pixels was measured.
    Intervals are those of `gossan.accuracy.intervals`. Macro-F1 is the plain mean over the minerals
    that the truth has, undefined where one of them is unrated; it rests on the blocks of the
    mineral that has the fewest.
    """
    minerals = scores.shape[1]
    asked = np.bincount(truth, minlength=minerals + 1)[: minerals + 1]
    measured = ~np.isnan(scores).all(axis=1)
    scores, truth, block, weight = (part[measured] for part in (scores, truth, block, weight))
    held = np.bincount(truth, minlength=minerals + 1)[: minerals + 1]
    unrated = np.isnan(limits) | ((asked[1:] > 0) & (held[1:] == 0))
    if not len(truth):
        nothing = np.full((3, minerals), np.nan)
        return Rates(held, nothing, nothing, nothing, np.full(3, np.nan))
    found = find(scores, limits)
    positive = truth[:, None] == np.arange(1, minerals + 1)
    # Right, found and positive: (blocks, 3, K).
    counts = gather(
        block, np.stack([found & positive, found, positive], axis=1) * weight[:, None, None]
    )
    value = _rates(counts.sum(axis=0))
    drawn = _rates(np.moveaxis(resample(counts, replicates, seed), 1, 0))
    there = counts[:, 2].any(axis=0)
    either = counts[:, 1] + counts[:, 2]
    # A sample without a block of some mineral is a mean over the others: with few such blocks the
    # spread would be that of different means.
    fewest = (counts[:, 2] > 0).sum(axis=0)[there].min(initial=len(counts))
    all_alike = (either[:, there] / either[:, there].sum(axis=0)).sum(axis=1)
    weights = (counts[:, 1], counts[:, 2], either, all_alike * (fewest >= MINIMUM_BLOCKS))
    *rates, macro = (
        np.concatenate([np.asarray(own)[None], interval(own, samples, weighed)])
        for own, samples, weighed in zip(value, drawn, weights, strict=True)
    )
    for own in rates:
        own[:, unrated] = np.nan
    if unrated[asked[1:] > 0].any():
        macro[:] = np.nan
    return Rates(held, *rates, macro)


def _rates(counts: np.ndarray) -> tuple[np.ndarray, ...]:
    right, found, positive = counts
    with np.errstate(divide="ignore", invalid="ignore"):
        f1 = 2 * right / (found + positive)
        there = positive > 0
        macro = np.where(there, f1, 0).sum(axis=-1) / there.sum(axis=-1)
        return right / found, right / positive, np.where(there, f1, np.nan), macro


def rate_rows(
    head: Mapping[str, object],
    minerals: Sequence[str],
    rates: Rates,
    limits: np.ndarray,
) -> list[dict[str, object]]:
    """A row per mineral of its rates, and one of their mean; `head` is repeated in each.

    `n` is how many pixels were measured. Undefined numbers are None.
    """
    rows = []
    head = {**head, "n": int(rates.counts.sum())}
    for place, name in enumerate(minerals):
        row = {**head, "mineral": name, "threshold": number_text(limits[place])}
        row["n_mineral"] = int(rates.counts[place + 1])
        for kind in ("precision", "recall", "f1"):
            row |= _with_interval(kind, getattr(rates, kind)[:, place])
        rows.append(row)
    macro = {**head, "mineral": MACRO, "n_mineral": int(rates.counts[1:].sum())}
    return [*rows, macro | _with_interval("f1", rates.macro_f1)]


def _with_interval(kind: str, values: np.ndarray) -> dict[str, str | None]:
    names = (kind, f"{kind}_low", f"{kind}_high")
    return {name: number_text(value) for name, value in zip(names, values, strict=True)}


def number_text(value: float) -> str | None:
    """A number with six decimals; None where it is not finite."""
    return f"{value:.6f}" if np.isfinite(value) else None


def accuracy_record(
    named: np.ndarray,
    ground: Ground,
    minerals: Sequence[MapClass],
    *,
    scene: str,
    method: str,
    file: str,
    synthetic: bool,
) -> dict:
    """The accuracy record of pixels named by a method (accuracy.schema.json).

    `named` (n,) are the classes of the test pixels, 0 = none, in the order of the ground's.
    """
    pixels = ground.pixels.take(ground.pixels.is_test)
    size = len(minerals) + 1
    # One weight per row of the matrix, because pixels were drawn by class of the truth.
    weight = np.ones(size)
    weight[pixels.truth] = pixels.weight
    truth = ground.truth
    return make_record(
        count_pixels(pixels.block, pixels.truth, named, size),
        class_labels(minerals),
        scene=scene,
        method=method,
        synthetic=synthetic,
        truth=TruthSource(file, truth.kind, truth.note, truth.synthetic, ground.conflicts),
        split=ground.split,
        bootstrap=ground.protocol.bootstrap,
        per_class=ground.protocol.per_class if ground.sampled else None,
        truth_weights=weight,
    )
