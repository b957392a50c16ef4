"""How right a class map is: confusion matrices, scores, their intervals, and class areas.

Confusion matrices hold classes of the truth in rows and map classes in columns. Index 0 is "other"
in the truth and "unclassified" in the map; indices 1 to K - 1 are the classes of the study.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gossan.accuracy.blocks import MINIMUM_BLOCKS, BlockWindow, estimate, resample, rounded
from gossan.sampling import smallest_of_each

EXCLUDED = -1
"""Index of a pixel that is not tested."""

Z_95 = 1.959963984540054


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
    one that both lack. F1 of a class of the truth that is never mapped is 0, because every
    pixel of it is missed. Macro-F1 is the plain mean of F1 over the classes present in the
    truth; a class that only the map has lowers others' precision but is not averaged.
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
    return Scores(
        overall=overall,
        kappa=_ratio(overall - chance, 1 - chance),
        macro_f1=_ratio(np.where(present, f1, 0).sum(axis=-1), present.sum(axis=-1)),
        precision=_ratio(right, in_map),
        recall=_ratio(right, in_truth),
        f1=f1,
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
    (`blocks.interval`) are None; macro-F1 rests on the blocks of the class of the truth that
    has the fewest. Blocks without pixels are dropped.
    """
    classes = len(labels)
    blocks = blocks[blocks.any(axis=(1, 2))]
    weights = np.ones(classes) if column_weights is None else np.asarray(column_weights, float)
    point = score_confusion(blocks.sum(axis=0) * weights)
    spread = None
    if len(blocks) >= MINIMUM_BLOCKS:
        spread = score_confusion(resample(blocks, replicates, seed) * weights)
    row_blocks = (blocks.sum(axis=2) > 0).sum(axis=0)
    column_blocks = (blocks.sum(axis=1) > 0).sum(axis=0)
    either_blocks = ((blocks.sum(axis=2) + blocks.sum(axis=1)) > 0).sum(axis=0)
    # A sample without a block of some class is a mean over the others: with few such blocks the
    # spread would be that of different means.
    fewest = row_blocks[row_blocks > 0].min(initial=len(blocks))

    def value(name: str, carried_by: int, place: int | None = None) -> dict:
        pick = (lambda array: array) if place is None else (lambda array: array[..., place])
        samples = np.empty(0) if spread is None else pick(getattr(spread, name))
        return {
            **estimate(pick(getattr(point, name)), samples, carried_by),
            "n_blocks": int(carried_by),
        }

    return {
        "n": int(blocks.sum()),
        "n_blocks": len(blocks),
        "overall_accuracy": value("overall", len(blocks)),
        "kappa": value("kappa", len(blocks)),
        "macro_f1": value("macro_f1", fewest),
        "classes": [
            {
                **label,
                "n_reference": int(blocks[:, place, :].sum()),
                "n_map": int(blocks[:, :, place].sum()),
                "precision": value("precision", column_blocks[place], place),
                "recall": value("recall", row_blocks[place], place),
                "f1": value("f1", either_blocks[place], place),
            }
            for place, label in enumerate(labels)
        ],
    }


@dataclass(frozen=True)
class StratifiedEstimates:
    """Area-weighted accuracies and class areas with their standard errors; NaN = undefined.

    `users`, `producers` and `areas`, and their standard errors, have one value per class.
    """

    overall: float
    overall_se: float
    users: np.ndarray
    users_se: np.ndarray
    producers: np.ndarray
    producers_se: np.ndarray
    areas: np.ndarray
    areas_se: np.ndarray


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
    (a geographic coordinate system). Intervals are value ± 1.96 standard errors.
    """
    population = int(np.sum(mapped_pixels))
    to_km2 = None if pixel_area_m2 is None else pixel_area_m2 / 1e6

    def with_error(value: float, error: float, upper: float | None = 1.0) -> dict:
        low, high = value - Z_95 * error, value + Z_95 * error
        return {
            "value": rounded(value),
            "standard_error": rounded(error),
            "low": rounded(max(low, 0.0) if np.isfinite(low) else low),
            "high": rounded(min(high, upper) if upper is not None and np.isfinite(high) else high),
        }

    def classes() -> Iterable[dict]:
        for place, label in enumerate(labels):
            area, error = estimates.areas[place], estimates.areas_se[place]
            yield {
                **label,
                "mapped_pixels": int(mapped_pixels[place]),
                "sampled_pixels": int(sampled[place]),
                "users_accuracy": with_error(estimates.users[place], estimates.users_se[place]),
                "producers_accuracy": with_error(
                    estimates.producers[place], estimates.producers_se[place]
                ),
                "area_share": with_error(area / population, error / population),
                "area_km2": None
                if to_km2 is None
                else with_error(area * to_km2, error * to_km2, None),
            }

    return {
        "population_pixels": population,
        "overall_accuracy": with_error(estimates.overall, estimates.overall_se),
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
