"""Minerals found one by one: thresholds chosen on validation blocks, scores on test blocks.

A mineral is found where its distance is at most its threshold. The threshold that is best on the
test pixels themselves, as published work often has it, is called the oracle's: nobody can know it
before the ground has been visited.
"""

from collections import Counter
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
from gossan.accuracy.intervals import Kind, interval
from gossan.accuracy.record import TruthSource, class_labels, make_record, unassessed_record
from gossan.accuracy.scores import count_pixels
from gossan.accuracy.truth import CONFLICT, Truth
from gossan.cube.bands import SENSORS, StackBands, sensors_present
from gossan.embedding.sensor_scores import MACRO
from gossan.errors import InputError
from gossan.legend import MapClass
from gossan.raster import iter_blocks, read_info
from gossan.sampling import pixel_priorities, smallest_of_each

SIDES = ("validation", "test")
SEVERAL = -1
"""What a pixel is that holds several of the minerals."""
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
    for other ground, 1 to K for the minerals, and SEVERAL for a pixel of more than one, of which
    `several` (n, K) bool tells which (None where there is no such pixel); `block` (n,) numbers
    spatial blocks; `weight` (n,) tells how many such pixels of its class and side each stands for.
    """

    spectra: np.ndarray
    present: np.ndarray
    truth: np.ndarray
    block: np.ndarray
    is_test: np.ndarray
    weight: np.ndarray
    notes: tuple[str, ...] = ()
    several: np.ndarray | None = None

    def __len__(self) -> int:
        """Number of pixels."""
        return len(self.truth)

    @property
    def held(self) -> np.ndarray:
        """What each pixel holds, as `positives` reads it."""
        return self.truth if self.several is None else self.several

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
            None if self.several is None else self.several[chosen],
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
    ground. A pixel holds each mineral that a layer of the truth tells of it. Pixels without a
    sensor, and those of a CONFLICT, are left out and counted. A sensor with a gap in one of its
    bands counts as absent there. Memory is bounded by `per_class` and the size of a block, not by
    the scene.

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

    def look(bits: np.ndarray, layers: np.ndarray, window: Window) -> tuple:
        bits, torn = bits[0].astype(np.uint8), (layers == CONFLICT).any(axis=0)
        known = (layers >= 0).any(axis=0) & ~torn
        row, column = np.nonzero(known & (bits != 0))
        held = np.stack([(layers[:, row, column] == code).any(axis=0) for code in codes], axis=1)
        unseen = int((known & (bits == 0)).sum())
        kinds, own = _list_kinds(held)
        unknown = ~sensors_present(bits[row, column], SENSORS)
        unknown = ~unknown[:, [name not in bands.sensors for name in SENSORS]]
        if unknown.any() or (bits >> len(SENSORS)).any():
            raise InputError(
                f"{sensor_mask}: names a sensor that {stack} lacks; give the mask made with it"
            )
        row, column = row + int(window.row_off), column + int(window.col_off)
        block = spatial.number(row, column)
        return kinds, own, row, column, block, unseen, int(torn.sum())

    sources = [sensor_mask, truth.read, lambda window: window]

    def scan() -> object:
        return iter_blocks(
            look, sources, grid=info.grid, block_px=WINDOW_PX, threads=threads, scaled=False
        )

    counts: dict[int, Counter] = {}
    unseen = conflicts = 0
    for _, (kinds, own, _, _, block, dark, torn) in scan():
        unseen, conflicts = unseen + dark, conflicts + torn
        pairs, times = np.unique(np.stack([block, own]), axis=1, return_counts=True)
        for number, place, count in zip(*pairs.tolist(), times.tolist(), strict=True):
            counts.setdefault(number, Counter())[kinds[place]] += count
    if not counts:
        raise InputError(
            f"{stack}: no pixel that a sensor saw has ground truth; check the places of both"
        )
    # Pixels are counted and drawn by what they hold, which may be several minerals.
    every = sorted({kind for own in counts.values() for kind in own})
    held = np.array(every, bool).reshape(len(every), len(codes))
    numbers = np.array(sorted(counts))
    table = np.array([[counts[number][kind] for kind in every] for number in numbers.tolist()])
    of_minerals = table @ np.column_stack([~held.any(axis=1), held])
    is_test = deal_sides(of_minerals, protocol.validation_share, protocol.bootstrap.seed)
    _require_sides(of_minerals, is_test, minerals, protocol)

    best = None
    for _, (kinds, own, row, column, block, *_) in scan():
        own = np.array([every.index(kind) for kind in kinds], int)[own]
        side = is_test[np.searchsorted(numbers, block)]
        drawn = np.stack([own, row, column, block, side]).astype(np.int64)
        best = drawn if best is None else np.concatenate([best, drawn], axis=1)
        stratum = best[4] * len(every) + best[0]
        priority = pixel_priorities(best[1], best[2], protocol.bootstrap.seed)
        best = best[:, smallest_of_each(priority, stratum, protocol.per_class)]
    own, row, column, block, side = best[:, np.lexsort((best[2], best[1]))]
    spectra, present = _read_spectra(stack, sensor_mask, bands, row, column, threads)
    population = np.stack([table[is_test == bool(number)].sum(axis=0) for number in (0, 1)])
    drawn = np.zeros(population.shape)
    np.add.at(drawn, (side, own), 1)
    weight = np.divide(population, drawn, out=np.zeros(drawn.shape), where=drawn > 0)[side, own]
    label = np.where(held.any(axis=1), held.argmax(axis=1) + 1, 0)
    label[held.sum(axis=1) > 1] = SEVERAL
    truth_of = label[own]
    notes = []
    if unseen:
        notes.append(f"{unseen} pixels of the truth that no sensor saw are left out")
    several = held[own] if (truth_of == SEVERAL).any() else None
    if several is not None:
        notes.append(
            f"{np.count_nonzero(truth_of == SEVERAL)} pixels of several minerals count for each of "
            "them, and are left out where a pixel has one class"
        )
    pixels = Pixels(spectra, present, truth_of, block, side.astype(bool), weight, several=several)
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


def _list_kinds(held: np.ndarray) -> tuple[list[tuple[bool, ...]], np.ndarray]:
    """Which sets of minerals occur in `held` (n, K) bool, and the place (n,) of each pixel's."""
    packed, place = np.unique(np.packbits(held, axis=1), axis=0, return_inverse=True)
    kinds = np.unpackbits(packed, axis=1, count=held.shape[1]).astype(bool)
    return [tuple(kind) for kind in kinds.tolist()], place.ravel()


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


def positives(truth: np.ndarray, minerals: int) -> np.ndarray:
    """Which of the minerals there are, (n, K) bool.

    `truth` (n,) are their places from 1 on, 0 = none; or it is the answer itself, of ground that
    may hold several.
    """
    return truth if truth.ndim == 2 else truth[:, None] == np.arange(1, minerals + 1)


def choose_thresholds(scores: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """`choose_threshold` of each mineral, (K,), from scores (n, K) and truth (see `positives`)."""
    pairs = zip(scores.T, positives(truth, scores.shape[1]).T, strict=True)
    return np.array([choose_threshold(score, own, weight) for score, own in pairs])


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

    Each of the first three is (3, K): value, low, high; `macro_f1` is (3,). `n` pixels were
    measured; `counts` (K + 1,) are those of each class, other ground first, where what holds
    several minerals counts for each.
    """

    n: int
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
    """Rates of minerals found by scores (n, K) within limits (K,) against truth (`positives`).

    One mineral against all the rest. What was not measured is not scored: rows without any score
    are left out, and a mineral is unrated where it has no limit or none of its pixels was measured.
    Intervals are those of `gossan.accuracy.intervals`. Macro-F1 is the plain mean over the minerals
    that the truth has, undefined where one of them is unrated; it rests on the blocks of the
    mineral that has the fewest.
    """
    positive = positives(truth, scores.shape[1])
    asked = positive.any(axis=0)
    measured = ~np.isnan(scores).all(axis=1)
    scores, positive, block, weight = (part[measured] for part in (scores, positive, block, weight))
    held = np.r_[np.count_nonzero(~positive.any(axis=1)), positive.sum(axis=0)]
    unrated = np.isnan(limits) | (asked & (held[1:] == 0))
    if not len(positive):
        nothing = np.full((3, len(asked)), np.nan)
        return Rates(0, held, nothing, nothing, nothing, np.full(3, np.nan))
    counts = count_found(find(scores, limits), positive, block, weight)
    *rates, macro = (
        np.concatenate([np.asarray(own)[None], interval(own, samples, weighed)])
        for own, samples, weighed in zip(
            _rates(counts.sum(axis=0)),
            _rates(np.moveaxis(resample(counts, replicates, seed), 1, 0)),
            _weigh_blocks(counts),
            strict=True,
        )
    )
    for own in rates:
        own[:, unrated] = np.nan
    if unrated[asked].any():
        macro[:] = np.nan
    return Rates(len(positive), held, *rates, macro)


def count_found(
    found: np.ndarray, positive: np.ndarray, block: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Weighted pixels of each block that are right, found, and positive: (blocks, 3, K).

    `found` and `positive` are (n, K) bool, `block` and `weight` (n,).
    """
    return gather(
        block, np.stack([found & positive, found, positive], axis=1) * weight[:, None, None]
    )


def compare_rates(
    one: tuple[np.ndarray, np.ndarray],
    other: tuple[np.ndarray, np.ndarray],
    pixels: Pixels,
    replicates: int,
    seed: int,
) -> tuple[np.ndarray, ...]:
    """How much larger the rates of `one` method are than those of the `other` on the same pixels.

    Both are scores (n, K) and limits (K,). Precision, recall and F1, each (3, K), and macro-F1
    (3,): the difference and its 95 % interval, of samples of blocks that are drawn for both alike.
    NaN where one of them is undefined or unlimited.
    """
    methods = (one, other)
    positive = positives(pixels.held, len(one[1]))
    counts = [
        count_found(find(*method), positive, pixels.block, pixels.weight) for method in methods
    ]
    first, second = (_rates(own.sum(axis=0)) for own in counts)
    drawn = [_rates(np.moveaxis(resample(own, replicates, seed), 1, 0)) for own in counts]
    weights = (np.add(*pair) for pair in zip(*(_weigh_blocks(own) for own in counts), strict=True))
    *rates, macro = (
        np.concatenate([[a - b], interval(a - b, of_a - of_b, weighed, Kind.DIFFERENCE)])
        for a, b, of_a, of_b, weighed in zip(first, second, *drawn, weights, strict=True)
    )
    unrated = np.isnan([limits for _, limits in methods]).any(axis=0)
    for own in rates:
        own[:, unrated] = np.nan
    if unrated[positive.any(axis=0)].any():
        macro[:] = np.nan
    return (*rates, macro)


def _weigh_blocks(counts: np.ndarray) -> tuple[np.ndarray, ...]:
    """What each block weighs in the values of `_rates`: (blocks, K) thrice, (blocks,)."""
    there = counts[:, 2].any(axis=0)
    either = counts[:, 1] + counts[:, 2]
    # A sample without a block of some mineral is a mean over the others: with few such blocks the
    # spread would be that of different means.
    fewest = (counts[:, 2] > 0).sum(axis=0)[there].min(initial=len(counts))
    all_alike = (either[:, there] / either[:, there].sum(axis=0)).sum(axis=1)
    return counts[:, 1], counts[:, 2], either, all_alike * (fewest >= MINIMUM_BLOCKS)


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
    head = {**head, "n": rates.n}
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

    `named` (n,) are the classes of the test pixels, 0 = none, in the order of the ground's. Pixels
    of several minerals have no one class, and are left out.
    """
    pixels = ground.pixels.take(ground.pixels.is_test)
    single = pixels.truth != SEVERAL
    if not single.any():
        return unassessed_record(
            scene=scene,
            method=method,
            synthetic=synthetic,
            reason="Every test pixel holds several minerals: no score of one class can be stated.",
        )
    pixels, named = pixels.take(single), named[single]
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
