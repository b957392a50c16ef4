"""How right a class map is: confusion matrices, scores, their intervals, and class areas.

Confusion matrices hold classes of the truth in rows and map classes in columns. Index 0 is "other"
in the truth and "unclassified" in the map; indices 1 to K - 1 are the classes of the study.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gossan.accuracy.blocks import MINIMUM_BLOCKS, BlockWindow, resample, rounded
from gossan.accuracy.intervals import Kind, estimate, from_error, within
from gossan.sampling import smallest_of_each

EXCLUDED = -1
"""Index of a pixel that is not tested."""


def encode_classes(values: np.ndarray, codes: Sequence[int], excluded: np.ndarray) -> np.ndarray:
    """Turn class codes into matrix indices.

    `values` (any shape) holds class codes, `codes` the study's codes in the order of the
    matrix without index 0, `excluded` (same shape, bool) the pixels to leave out. Returns an
    int64 array of that shape: the code's place plus one, 0 for a code that is not in `codes`,
    EXCLUDED where `excluded`.
    """
    order = np.argsort(np.asarray(codes, dtype=np.int64), kind="stable")
    ascending = np.asarray(codes, dtype=np.int64)[order]
    place = np.clip(np.searchsorted(ascending, values), 0, len(ascending) - 1)
    index = np.where(ascending[place] == values, order[place] + 1, 0)
    return np.where(excluded, EXCLUDED, index)


def count_blocks(
    truth: np.ndarray, mapped: np.ndarray, classes: int, window: BlockWindow
) -> np.ndarray:
    """Confusion counts of each spatial block that a window of the scene touches.

    `truth` and `mapped` (rows, columns) hold indices below `classes`, or EXCLUDED. Returns
    counts (block rows, block columns, classes, classes) as int64, of the blocks of `window`.
    """
    tested = (truth != EXCLUDED) & (mapped != EXCLUDED)
    cell = (window.number[tested] * classes + truth[tested]) * classes + mapped[tested]
    counts = np.bincount(cell, minlength=window.count * classes**2)
    return counts.reshape(*window.shape, classes, classes)


def count_pixels(
    block: np.ndarray, truth: np.ndarray, mapped: np.ndarray, classes: int
) -> np.ndarray:
    """Confusion counts (blocks, classes, classes) int64 of pixels, each (n,).

    `block` numbers their spatial blocks, `truth` and `mapped` hold indices below `classes`.
    Blocks come in the order of their numbers, those without a pixel are left out.
    """
    used, place = np.unique(block, return_inverse=True)
    counts = np.zeros((len(used), classes, classes), np.int64)
    np.add.at(counts, (place, truth, mapped), 1)
    return counts


@dataclass(frozen=True)
class Scores:
    """Scores of one confusion matrix, or of a stack of them; NaN where undefined.

    `overall`, `kappa`, `macro_f1` have the stack's shape (...); `precision`, `recall` and
    `f1` have (..., K).
    """

    overall: np.ndarray
    kappa: np.ndarray
    macro_f1: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray


def score_confusion(confusion: np.ndarray) -> Scores:
    """Scores of confusion matrices (..., K, K), rows = truth, columns = map.

    Overall accuracy is the share of the diagonal; kappa follows Cohen (1960). Precision is
    undefined for a class that is never mapped, recall for one that the truth lacks, F1 for
    one that both lack. Where the truth holds one class alone there is nothing to take it for:
    its precision could only be 1 and kappa only 0, so both are undefined. F1 of a class of the
    truth that is never mapped is 0, because every pixel of it is missed. Macro-F1 is the plain
    mean of F1 over the classes present in the truth; a class that only the map has lowers
    others' precision but is not averaged.
    """
    confusion = np.asarray(confusion, dtype=np.float64)
    total = confusion.sum(axis=(-2, -1))
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    in_truth = confusion.sum(axis=-1)
    in_map = confusion.sum(axis=-2)
    overall = _ratio(right.sum(axis=-1), total)
    chance = _ratio((in_truth * in_map).sum(axis=-1), total**2)
    f1 = _ratio(2 * right, in_truth + in_map)
    present = in_truth > 0
    alone = present.sum(axis=-1) == 1
    return Scores(
        overall=overall,
        kappa=np.where(alone, np.nan, _ratio(overall - chance, 1 - chance)),
        macro_f1=_ratio(np.where(present, f1, 0).sum(axis=-1), present.sum(axis=-1)),
        precision=np.where(alone[..., None] & present, np.nan, _ratio(right, in_map)),
        recall=_ratio(right, in_truth),
        f1=f1,
    )


@dataclass(frozen=True)
class BlockWeights:
    """What each block weighs in the scores of n blocks: the pixels of their denominators.

    `overall`, `kappa` and `macro_f1` (n,); `precision`, `recall` and `f1` (n, K). `fewest` is how
    many blocks hold the class of the truth that the fewest hold; where they are too few for an
    interval, no block weighs anything in `macro_f1`, because a sample without them is a mean over
    other classes.
    """

    overall: np.ndarray
    kappa: np.ndarray
    macro_f1: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    fewest: int


def weigh_blocks(blocks: np.ndarray) -> BlockWeights:
    """The weights of confusion counts (n, K, K) per block in the scores of their sum.

    Kappa is 1 - disagreement / disagreement by chance, so a pixel of a class counts for as much as
    chance would get it wrong. Each class of the truth counts alike in macro-F1.
    """
    blocks = np.asarray(blocks, np.float64)
    in_truth, in_map = blocks.sum(axis=2), blocks.sum(axis=1)
    either = in_truth + in_map
    of_chance = _ratio(in_map.sum(axis=0), blocks.sum())
    present = in_truth.any(axis=0)
    fewest = int((in_truth > 0).sum(axis=0)[present].min(initial=len(blocks)))
    shares = either[:, present] / either[:, present].sum(axis=0)
    return BlockWeights(
        overall=in_truth.sum(axis=1),
        kappa=(in_truth * (1 - np.nan_to_num(of_chance))).sum(axis=1),
        macro_f1=shares.sum(axis=1) * (fewest >= MINIMUM_BLOCKS),
        precision=in_map,
        recall=in_truth,
        f1=either,
        fewest=fewest,
    )


def assess_blocks(
    blocks: np.ndarray,
    labels: Sequence[dict],
    replicates: int,
    seed: int,
    column_weights: np.ndarray | None = None,
) -> dict:
    """Scores with 95 % intervals, ready for the accuracy record.

    `blocks` (n, K, K) are counts per spatial block, `labels` K dictionaries that identify the
    classes and are repeated in the answer. `column_weights` (K,) weighs the pixels of each map
    class, for a sample that was stratified by map class. Undefined values and intervals
    (`intervals.interval`) are None; macro-F1 rests on the blocks of the class of the truth that
    has the fewest. Blocks without pixels are dropped.
    """
    classes = len(labels)
    blocks = blocks[blocks.any(axis=(1, 2))]
    weights = np.ones(classes) if column_weights is None else np.asarray(column_weights, float)
    point = score_confusion(blocks.sum(axis=0) * weights)
    spread = None
    if len(blocks) >= MINIMUM_BLOCKS:
        spread = score_confusion(resample(blocks, replicates, seed) * weights)
    weighed = weigh_blocks(blocks * weights)

    def value(name: str, place: int | None = None, n_blocks: int | None = None) -> dict:
        pick = (lambda array: array) if place is None else (lambda array: array[..., place])
        samples = np.empty(0) if spread is None else pick(getattr(spread, name))
        own = pick(getattr(weighed, name))
        kind = Kind.AGREEMENT if name == "kappa" else Kind.SHARE
        told = estimate(pick(getattr(point, name)), samples, own, kind)
        return {**told, "n_blocks": int((own > 0).sum()) if n_blocks is None else n_blocks}

    return {
        "n": int(blocks.sum()),
        "n_blocks": len(blocks),
        "overall_accuracy": value("overall"),
        "kappa": value("kappa", n_blocks=len(blocks)),
        "macro_f1": value("macro_f1", n_blocks=weighed.fewest),
        "classes": [
            {
                **label,
                "n_reference": int(blocks[:, place, :].sum()),
                "n_map": int(blocks[:, :, place].sum()),
                "precision": value("precision", place),
                "recall": value("recall", place),
                "f1": value("f1", place),
            }
            for place, label in enumerate(labels)
        ],
    }


@dataclass(frozen=True)
class StratifiedEstimates:
    """Area-weighted accuracies and class areas with their standard errors; NaN = undefined.

    `users`, `producers` and `areas`, and their standard errors, have one value per class.
    `sampled` and `of_truth` count the sampled pixels by class of the map and of the truth; `trials`
    is how many of equal weight all of them are worth.
    """

    overall: float
    overall_se: float
    users: np.ndarray
    users_se: np.ndarray
    producers: np.ndarray
    producers_se: np.ndarray
    areas: np.ndarray
    areas_se: np.ndarray
    sampled: np.ndarray
    of_truth: np.ndarray
    trials: float


def estimate_stratified(sample: np.ndarray, mapped_areas: np.ndarray) -> StratifiedEstimates:
    """Accuracies and areas from a sample stratified by map class.

    `sample` (K, K) holds sample counts, rows = truth, columns = map; `mapped_areas` (K,)
    the area of each map class in any unit, which the areas come back in. After Olofsson et al.
    (2014), Remote Sensing of Environment 148, equations 4 to 11: poststratified estimators and
    their variances for simple random sampling within strata. A stratum that covers area but
    holds no sample leaves overall accuracy, producer's accuracies and areas undefined; one
    with a single sample leaves standard errors undefined.
    """
    by_map = np.asarray(sample, dtype=np.float64).T
    mapped = np.asarray(mapped_areas, dtype=np.float64)
    covered = mapped > 0
    sampled = by_map.sum(axis=1)
    weight = _ratio(mapped, mapped.sum())
    share = _ratio(by_map, sampled[:, None])
    spread = _ratio(share * (1 - share), (sampled - 1)[:, None])
    users = np.diagonal(share).copy()
    users_variance = np.diagonal(spread).copy()

    area_share = (weight[:, None] * share)[covered].sum(axis=0)
    area_variance = (weight[:, None] ** 2 * spread)[covered].sum(axis=0)
    right = np.where(covered, weight * users, 0)
    producers = _ratio(right, area_share)
    own = np.where(covered, weight**2 * (1 - producers) ** 2 * users_variance, 0)
    others = (weight[:, None] ** 2 * spread)[covered].sum(axis=0) - np.where(
        covered, weight**2 * users_variance, 0
    )
    producers_variance = _ratio(own + producers**2 * np.maximum(others, 0), area_share**2)
    return StratifiedEstimates(
        overall=float(right.sum()),
        overall_se=float(np.sqrt((weight**2 * users_variance)[covered].sum())),
        users=users,
        users_se=np.sqrt(users_variance),
        producers=producers,
        producers_se=np.sqrt(producers_variance),
        areas=area_share * mapped.sum(),
        areas_se=np.sqrt(area_variance) * mapped.sum(),
        sampled=sampled,
        of_truth=by_map.sum(axis=0),
        trials=float(1 / _ratio(weight**2, sampled)[covered].sum()) if covered.any() else 0.0,
    )


@dataclass(frozen=True)
class Sample:
    """Pixels drawn from the strata: priority, stratum, truth index, row and column."""

    priority: np.ndarray
    stratum: np.ndarray
    truth: np.ndarray
    row: np.ndarray
    column: np.ndarray


def draw_sample(
    truth: np.ndarray,
    mapped: np.ndarray,
    per_class: int,
    seed: int,
    row_offset: int = 0,
    column_offset: int = 0,
) -> Sample:
    """Candidates of one window for a random sample stratified by map class.

    Every tested pixel gets a random priority from a generator seeded by the window's place;
    the `per_class` smallest of each map class stay. After `merge_samples` over all windows,
    the pixels left are a simple random sample without replacement of each class, found in one
    pass and the same for any order of windows.
    """
    generator = np.random.default_rng([seed, row_offset, column_offset])
    priority = generator.random(truth.shape)
    row, column = np.nonzero((truth != EXCLUDED) & (mapped != EXCLUDED))
    sample = Sample(
        priority[row, column],
        mapped[row, column],
        truth[row, column],
        row + row_offset,
        column + column_offset,
    )
    return merge_samples([sample], per_class)


def merge_samples(samples: Iterable[Sample], per_class: int) -> Sample:
    """The `per_class` pixels of smallest priority in each stratum of several samples."""
    samples = list(samples)
    fields = [
        np.concatenate([getattr(sample, name) for sample in samples])
        for name in ("priority", "stratum", "truth", "row", "column")
    ]
    priority, stratum, _, row, column = fields
    kept = smallest_of_each(priority, stratum, per_class, (row, column))
    return Sample(*(field[kept] for field in fields))


def describe_stratified(
    estimates: StratifiedEstimates,
    labels: Sequence[dict],
    mapped_pixels: np.ndarray,
    sampled: np.ndarray,
    pixel_area_m2: float | None,
) -> dict:
    """The stratified estimates as a part of the accuracy record.

    `estimates` are in pixels; `mapped_pixels` and `sampled` (K,) count the population and the
    sample of each map class. Areas in square kilometres are None without `pixel_area_m2`
    (a geographic coordinate system). Intervals are those of `intervals.from_error`; an area in
    which nothing disagreed may be off by what so small a sample can miss.
    """
    population = int(np.sum(mapped_pixels))
    to_km2 = None if pixel_area_m2 is None else pixel_area_m2 / 1e6

    def told(value: float, error: float, ends: Iterable[float], unit: float = 1.0) -> dict:
        keys, numbers = ("value", "standard_error", "low", "high"), (value, error, *ends)
        return {key: rounded(number * unit) for key, number in zip(keys, numbers, strict=True)}

    def share(value: float, error: float, trials: float) -> dict:
        return told(value, error, from_error(value, error, trials))

    def classes() -> Iterable[dict]:
        for place, label in enumerate(labels):
            area = estimates.areas[place] / population
            error = estimates.areas_se[place] / population
            ends = from_error(area, error, estimates.trials)
            if error == 0:
                ends = within(area, estimates.trials)
            yield {
                **label,
                "mapped_pixels": int(mapped_pixels[place]),
                "sampled_pixels": int(sampled[place]),
                "users_accuracy": share(
                    estimates.users[place], estimates.users_se[place], estimates.sampled[place]
                ),
                "producers_accuracy": share(
                    estimates.producers[place],
                    estimates.producers_se[place],
                    estimates.of_truth[place],
                ),
                "area_share": told(area, error, ends),
                "area_km2": None
                if to_km2 is None
                else told(area, error, ends, population * to_km2),
            }

    return {
        "population_pixels": population,
        "overall_accuracy": share(estimates.overall, estimates.overall_se, estimates.trials),
        "classes": list(classes()),
    }


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Numerator over denominator; NaN, not a warning, where the denominator is not positive."""
    numerator, denominator = np.broadcast_arrays(
        np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    )
    result = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result
