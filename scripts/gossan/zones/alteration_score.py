"""A score of alteration from all bands at several scales: features, model, folds and curves.

A logistic regression with a ridge penalty (Hoerl and Kennard 1970, Technometrics 12, 55; le Cessie
and van Houwelingen 1992, Applied Statistics 41, 191) turns the features of a pixel into the
probability that it lies in a zone. It is small on purpose: its coefficients are readable numbers,
and a few spatial blocks of labels are enough for it. Training and testing are separated by spatial
blocks and a buffer (Roberts et al. 2017, Ecography 40, 913).
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from gossan.accuracy.blocks import SpatialBlocks
from gossan.errors import InputError
from gossan.sampling import pixel_priorities, smallest_of_each
from gossan.transforms.band_ratios import BandRatio, log_ratios

# B3-spline kernel of the "à trous" transform (Starck and Murtagh 2006, Astronomical Image and
# Data Analysis), here with steps of 1, 2, 4 and 8 pixels.
_KERNEL = (6 / 16, 4 / 16, 1 / 16)
HALO_PX = 30
"""How far around a pixel its features look: 2 pixels at each of the steps 1, 2, 4 and 8."""


RATIO_FLOOR = 0.01
"""Smallest band value in a ratio: a hundredth of full reflectance, below any dry rock."""

CLIP = 6.0
"""Standardised features are held within so many standard deviations."""

INVERSE_PENALTY = 1.0
"""Inverse strength of the ridge penalty (scikit-learn's C) for weights that average 1."""

LARGEST_LOGIT = 30.0
"""Beyond it a probability is 0 or 1 in single precision."""

EDGES = 254
"""Thresholds of a curve at most; with them the place among thresholds fits into a byte."""

PROBABILITY_EDGES = (1 / (1 + np.exp(-np.linspace(-8, 8, EDGES)))).astype(np.float32)
"""Thresholds of probabilities: even steps of their logarithmic odds.

They are fixed, because thresholds drawn from the scores of all folds would carry a trace of the
test blocks' labels into each fold.
"""


# ---- features --------------------------------------------------------------------------------


def feature_names(bands: Sequence[str], ratios: Sequence[BandRatio]) -> tuple[str, ...]:
    """Names of the planes that `make_features` returns, in its order."""
    names = list(bands)
    for scale in ("LL", "LL2", "LL3"):
        names += [f"{band} {scale}" for band in bands]
    for what in ("deviation", "LL deviation"):
        names += [f"{band} {what}" for band in bands]
    for scale in ("", " S2", " S3", " S4"):
        names += [f"{ratio.name}{scale}" for ratio in ratios]
    depths = [ratio.name for ratio in ratios if ratio.depth]
    for scale in ("S2", "S4"):
        names += [f"{first} x {second} {scale}" for first, second in _pairs(depths)]
    return tuple(names)


def _pairs(items: Sequence) -> list[tuple]:
    """Every item with itself and with each later one."""
    return [(first, second) for place, first in enumerate(items) for second in items[place:]]


def make_features(
    values: np.ndarray,
    low_pass: np.ndarray,
    details: np.ndarray,
    spectra: Mapping[str, np.ndarray],
    ratios: Sequence[BandRatio],
    inner: tuple[slice, slice],
) -> np.ndarray:
    """Features of the pixels `inner` of a block that reaches HALO_PX beyond them.

    `values` and `low_pass` (bands, rows, columns) are the normalised bands and their LL
    sub-bands, `details` (bands, 3 per level, rows, columns) LH, HL and HH, `spectra` the bands
    by name (rows, columns) that ratios are taken of. NaN marks pixels without data: they have no
    features and do not count in their neighbours'. Returns (features, rows, columns) float32 in
    the order of `feature_names`, NaN where any input has none:

    - the band, its LL, and the LL smoothed with steps of 2 (LL2) and then 4 pixels (LL3);
    - local deviation: the root of the smoothed energy of the detail sub-bands, and of the
      smoothed squared difference of LL and LL2;
    - logarithms of the ratios at full resolution and smoothed by steps 1, 2 (S2), 4 (S3) and 8
      (S4);
    - squares and products of the absorption depths at S2 and S4, so that a mineral that deepens
      two absorptions together is told from one that deepens a single one.
    """
    used = sorted({band for ratio in ratios for band in ratio.bands})
    # Without ratios there is no band to stack, but its shape is needed.
    stack = np.empty((len(used), *values.shape[1:]), np.float32)
    for plane, band in zip(stack, used, strict=True):
        plane[:] = spectra[band]
    valid = np.isfinite(values).all(axis=0) & np.isfinite(low_pass).all(axis=0)
    valid &= np.isfinite(details).all(axis=(0, 1)) & np.isfinite(stack).all(axis=0)
    smooth = _Smoother(valid)
    values, low_pass, stack = (np.where(valid, planes, 0) for planes in (values, low_pass, stack))
    energy = np.where(valid, np.einsum("bdrc,bdrc->brc", details, details), 0)

    low_pass_2 = smooth(low_pass, 2)
    low_pass_3 = smooth(low_pass_2, 4)
    deviation = np.sqrt(smooth(smooth(energy, 1), 2))
    low_deviation = np.sqrt(smooth((low_pass - low_pass_2) ** 2, 4))
    stack_2 = smooth(smooth(stack, 1), 2)
    stack_3 = smooth(stack_2, 4)
    stack_4 = smooth(stack_3, 8)
    planes = [values, low_pass, low_pass_2, low_pass_3, deviation, low_deviation]
    planes = [plane[(slice(None), *inner)] for plane in planes]
    at_scale, products = [], []
    if ratios:
        at_scale = [
            log_ratios(
                dict(zip(used, scale[(slice(None), *inner)], strict=True)), ratios, RATIO_FLOOR
            )
            for scale in (stack, stack_2, stack_3, stack_4)
        ]
        deep = [place for place, ratio in enumerate(ratios) if ratio.depth]
        products = [
            (first * second)[None]
            for scale in (at_scale[1], at_scale[3])
            for first, second in _pairs(scale[deep])
        ]
    features = np.concatenate([*planes, *at_scale, *products])
    if not valid[inner].all():
        features[:, ~valid[inner]] = np.nan
    return features


class _Smoother:
    """B3-spline smoothing that leaves out pixels without data and what lies beyond the scene."""

    def __init__(self, valid: np.ndarray):
        self._valid = valid
        self._weights: dict[int, np.ndarray] = {}

    def __call__(self, planes: np.ndarray, step: int) -> np.ndarray:
        """Smooth (planes, rows, columns), 0 where not valid; 0 stays there."""
        if step not in self._weights:
            weight = _spread(self._valid.astype(np.float32), step)
            self._weights[step] = np.where(self._valid, 1 / np.maximum(weight, 1e-6), 0)
        return _spread(planes.astype(np.float32, copy=False), step) * self._weights[step]


def _spread(planes: np.ndarray, step: int) -> np.ndarray:
    """Convolve the last two axes with the B3 spline of a step, 0 beyond the edge."""
    for axis in (-1, -2):
        planes = np.moveaxis(planes, axis, -1)
        smoothed = planes * np.float32(_KERNEL[0])
        for order, factor in enumerate(_KERNEL[1:], start=1):
            shift = order * step
            if shift < planes.shape[-1]:
                part = planes * np.float32(factor)
                smoothed[..., shift:] += part[..., :-shift]
                smoothed[..., :-shift] += part[..., shift:]
        planes = np.moveaxis(smoothed, -1, axis)
    return planes


# ---- the sample ------------------------------------------------------------------------------


@dataclass(frozen=True)
class TrainingSample:
    """Pixels drawn at random from each class of the truth.

    `features` (n, features) float32; `stratum`, `row`, `column` (n,): the truth's code and
    the pixel's place; `priority` (n,) the random numbers that chose them.
    """

    features: np.ndarray
    stratum: np.ndarray
    row: np.ndarray
    column: np.ndarray
    priority: np.ndarray

    def take(self, places: np.ndarray) -> "TrainingSample":
        """The pixels at `places` (indices or a mask)."""
        return TrainingSample(
            *(
                getattr(self, name)[places]
                for name in ("features", "stratum", "row", "column", "priority")
            )
        )


def draw_training(
    features: Sequence[np.ndarray],
    truth: np.ndarray,
    per_class: int,
    seed: int,
    row_offset: int = 0,
    column_offset: int = 0,
) -> TrainingSample:
    """The pixels of a block that a sample of `per_class` pixels of each class may need.

    `features` are arrays (features, rows, columns) that belong together, `truth` (rows, columns)
    codes, negative where not tested. `merge_training` over all blocks leaves a simple random
    sample of each class.
    """
    row, column = np.nonzero(truth >= 0)
    priority = pixel_priorities(row + row_offset, column + column_offset, seed)
    stratum = truth[row, column]
    kept = smallest_of_each(priority, stratum, per_class)
    row, column = row[kept], column[kept]
    return TrainingSample(
        np.concatenate([part[:, row, column] for part in features]).T,
        stratum[kept],
        row + row_offset,
        column + column_offset,
        priority[kept],
    )


def merge_training(samples: Sequence[TrainingSample], per_class: int) -> TrainingSample:
    """The `per_class` pixels of smallest priority of each class in several samples."""
    joined = TrainingSample(
        *(
            np.concatenate([getattr(sample, name) for sample in samples])
            for name in ("features", "stratum", "row", "column", "priority")
        )
    )
    return joined.take(smallest_of_each(joined.priority, joined.stratum, per_class))


# ---- folds -----------------------------------------------------------------------------------


def assign_folds(zone: np.ndarray, tested: np.ndarray, folds: int) -> np.ndarray:
    """Deal the spatial blocks into folds with about equal shares of the zone and of the rest.

    `zone` and `tested` (block rows, block columns) count the zone's and all tested pixels.
    Blocks that hold the zone are dealt first, the fullest first, there and back over the folds;
    then the others. Returns the fold of each block, -1 where nothing is tested.
    """
    fold = np.full(zone.shape, -1, np.int16)
    order = np.lexsort((np.arange(zone.size), -tested.ravel(), -zone.ravel()))
    order = order[tested.ravel()[order] > 0]
    place = np.arange(len(order)) % (2 * folds)
    fold.ravel()[order] = np.where(place < folds, place, 2 * folds - 1 - place)
    return fold


def touched_folds(
    row: np.ndarray,
    column: np.ndarray,
    fold: np.ndarray,
    spatial: SpatialBlocks,
    buffer_px: int,
    folds: int,
) -> np.ndarray:
    """Which folds each pixel lies in or within `buffer_px` of, (n, folds) bool.

    `fold` (block rows, block columns) as from `assign_folds`. A pixel may train a model that is
    tested on a fold only if it does not touch that fold. Raises InputError as `require_buffer`.
    """
    require_buffer(buffer_px, spatial.side_px)
    touched = np.zeros((len(row), folds + 1), bool)
    for down in (-buffer_px, 0, buffer_px):
        for right in (-buffer_px, 0, buffer_px):
            near = fold[spatial.nearest(row + down, column + right)]
            touched[np.arange(len(row)), near] = True
    return touched[:, :folds]


def require_buffer(buffer_px: int, spatial_block_px: int) -> None:
    """Raise InputError for a buffer wider than a block, whose corners tell not all it touches."""
    if not 0 <= buffer_px <= spatial_block_px:
        raise InputError(
            f"buffer-px: {buffer_px} is not between 0 and spatial-block-px ({spatial_block_px}); "
            "widen the blocks or narrow the buffer"
        )


# ---- the model -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standardisation:
    """Mean and standard deviation of each feature; they know no labels."""

    mean: np.ndarray
    scale: np.ndarray

    def apply(self, features: np.ndarray) -> np.ndarray:
        """Standardise features (features, n) float32 in place, hold them within CLIP, return them.

        NaN stays NaN.
        """
        features -= self.mean.astype(np.float32)[:, None]
        features /= self.scale.astype(np.float32)[:, None]
        return np.clip(features, -CLIP, CLIP, out=features)


def standardise(features: np.ndarray, weight: np.ndarray) -> Standardisation:
    """Weighted mean and deviation of features (n, features); a constant feature gets scale 1."""
    share = weight / weight.sum()
    wide = features.astype(np.float64)
    mean = np.einsum("n,nf->f", share, wide)
    scale = np.sqrt(np.einsum("n,nf->f", share, (wide - mean) ** 2))
    return Standardisation(mean, np.where(scale > 1e-9, scale, 1.0))


@dataclass(frozen=True)
class Model:
    """Probability = 1 / (1 + exp(-(intercept + coefficients · standardised features)))."""

    intercept: float
    coefficients: np.ndarray


def fit_model(standardised: np.ndarray, zone: np.ndarray, weight: np.ndarray) -> Model:
    """Fit the logistic regression to standardised features (features, n) and labels (n,) bool.

    `weight` (n,) undoes the unequal sampling of the classes, so that probabilities refer to the
    scene. Newton's method converges to the one optimum in a few steps; with one BLAS thread the
    result is the same to the last bit.
    """
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(
        C=INVERSE_PENALTY, solver="newton-cholesky", tol=1e-6, max_iter=100
    ).fit(standardised.T.astype(np.float64), zone, sample_weight=weight / weight.mean())
    return Model(float(fitted.intercept_[0]), fitted.coef_[0].copy())


def predict(standardised: np.ndarray, models: Sequence[Model]) -> np.ndarray:
    """Probabilities of the models for standardised features (features, n): (models, n) float32.

    NaN where a feature is NaN.
    """
    coefficients = np.stack([model.coefficients for model in models])
    logit = coefficients.astype(np.float32) @ standardised
    logit += np.array([model.intercept for model in models], np.float32)[:, None]
    return (1 / (1 + np.exp(-np.clip(logit, -LARGEST_LOGIT, LARGEST_LOGIT)))).astype(np.float32)


@dataclass(frozen=True)
class ZoneModels:
    """Everything that training on one zone gave.

    `final` learned from the whole sample, `folds[k]` from pixels that do not touch fold k;
    `thresholds[k]` belongs to `folds[k]`; `pixels` counts the sampled pixels that trained each
    fold's model, `zone_pixels` those of them in the zone.
    """

    final: Model
    folds: tuple[Model, ...]
    thresholds: np.ndarray
    pixels: tuple[int, ...]
    zone_pixels: tuple[int, ...]


def train_zone(
    standardised: np.ndarray,
    zone: np.ndarray,
    weight: np.ndarray,
    touched: np.ndarray,
    own: np.ndarray,
    threads: int = 1,
) -> ZoneModels:
    """Fit the models of all folds, their thresholds and the final model.

    `standardised` (features, n), `zone` (n,) bool, `weight` (n,); `own` (n,) is the fold of each
    pixel's block, `touched` (n, folds), as from `touched_folds`, tells which folds a pixel may not
    train for. The threshold of fold k is the F1-optimal one on the pixels that do not touch it,
    each scored by a model that saw neither fold k nor the fold of that pixel, with the buffer
    around both (nested cross-validation: Varma and Simon 2006, BMC Bioinformatics 7, 91). With two
    folds there is no third to learn from, so the model scores its own training pixels.

    Raises InputError where a model would see one class only.
    """
    folds = touched.shape[1]

    def fit(allowed: np.ndarray) -> Model:
        seen = zone[allowed]
        if not seen.any() or seen.all():
            raise InputError(
                "a training fold holds one class only; choose smaller blocks, a narrower buffer "
                "or fewer folds"
            )
        return fit_model(standardised[:, allowed], seen, weight[allowed])

    pairs = [(j, k) for k in range(folds) for j in range(k)] if folds > 2 else []
    left_out = [(), *((k,) for k in range(folds)), *pairs]
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        fitted = list(pool.map(lambda out: fit(~touched[:, list(out)].any(axis=1)), left_out))
    models = dict(zip(left_out, fitted, strict=True))
    outer = tuple(models[(k,)] for k in range(folds))
    nested = np.full((len(zone), folds), np.nan, np.float32)
    for k in range(folds):
        for j in range(folds):
            tested = (own == j) & ~touched[:, k]
            if j != k:
                model = models.get((min(j, k), max(j, k)), outer[k])
                nested[tested, k] = predict(standardised[:, tested], [model])[0]
    thresholds = np.empty(folds, np.float32)
    for k in range(folds):
        scored = np.isfinite(nested[:, k])
        counts = count_scores(nested[scored, k], zone[scored], PROBABILITY_EDGES, weight[scored])
        thresholds[k] = PROBABILITY_EDGES[best_threshold(counts)]
    return ZoneModels(
        final=models[()],
        folds=outer,
        thresholds=thresholds,
        pixels=tuple(int((~touched[:, k]).sum()) for k in range(folds)),
        zone_pixels=tuple(int(zone[~touched[:, k]].sum()) for k in range(folds)),
    )


# ---- curves ----------------------------------------------------------------------------------


def choose_edges(scores: np.ndarray) -> np.ndarray:
    """Thresholds of a curve for scores of any unit: their EDGES quantiles at most, float32.

    They ascend; few different scores are all thresholds. Raises InputError for scores of
    a single value, which cannot rank pixels.
    """
    values = np.unique(scores[np.isfinite(scores)].astype(np.float32))
    if len(values) < 2:
        raise InputError("the scores are the same everywhere and rank nothing; check the cube")
    if len(values) <= EDGES:
        return values
    finite = scores[np.isfinite(scores)]
    steps = np.linspace(0, 1, EDGES + 1)[1:]
    return np.unique(np.quantile(finite, steps, method="nearest").astype(np.float32))


def place_scores(scores: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Number of edges that each score reaches (score >= edge), int64."""
    return np.searchsorted(edges, scores.astype(np.float32), side="right")


def count_scores(
    scores: np.ndarray, zone: np.ndarray, edges: np.ndarray, weight: np.ndarray | None = None
) -> np.ndarray:
    """Pixels by number of edges reached and by class: (edges + 1, 2); [:, 1] is the zone."""
    place = place_scores(scores, edges) * 2 + zone
    counts = np.bincount(place, weight, minlength=2 * (len(edges) + 1))
    return counts.reshape(-1, 2)


@dataclass(frozen=True)
class Curve:
    """Scores of the map at each threshold; arrays (..., edges), NaN where undefined."""

    found: np.ndarray
    right: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray


def sweep_thresholds(counts: np.ndarray) -> Curve:
    """Precision, recall and F1 of "score >= edge" for each edge, from counts (..., edges + 1, 2).

    Precision is undefined where nothing is found.
    """
    above = np.cumsum(counts[..., ::-1, :].astype(np.float64), axis=-2)[..., ::-1, :]
    right, found = above[..., 1:, 1], above[..., 1:, :].sum(axis=-1)
    zone = above[..., :1, 1]
    return Curve(
        found=found,
        right=right,
        precision=_ratio(right, found),
        recall=_ratio(right, zone),
        f1=_ratio(2 * right, found + zone),
    )


def best_threshold(counts: np.ndarray) -> int:
    """Place of the edge with the largest F1; the higher one where two are equal."""
    f1 = np.nan_to_num(sweep_thresholds(counts).f1)
    return len(f1) - 1 - int(f1[::-1].argmax())


def average_precision(counts: np.ndarray) -> np.ndarray:
    """Area under the precision-recall curve, the step sum of (R_n - R_n+1) P_n, shape (...).

    The lowest step takes every pixel, so a score without skill gets the zone's share of pixels.
    Between thresholds the precision of the lower one counts, which does not flatter.
    """
    curve = sweep_thresholds(counts)
    everything = counts.sum(axis=-2).astype(np.float64)
    share = _ratio(everything[..., 1], everything.sum(axis=-1))
    recall = np.concatenate([np.ones((*share.shape, 1)), curve.recall], axis=-1)
    precision = np.concatenate([share[..., None], np.nan_to_num(curve.precision)], axis=-1)
    drop = recall - np.concatenate([recall[..., 1:], np.zeros((*share.shape, 1))], axis=-1)
    return (drop * precision).sum(axis=-1)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Numerator over denominator, NaN where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    value = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=value, where=denominator > 0)
    return value
