"""A second pass that teaches itself: the surest pixels of a first map teach a classifier.

Gaussian maximum likelihood (Swain and Davis 1978, Remote Sensing: The Quantitative Approach) on the
leading principal components of log reflectance over all bands, or a forest on logarithms and their
ratios. No label of the ground takes part.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from gossan.errors import InputError
from gossan.minerals.scene_angle import to_logs

MODELS = ("likelihood", "forest")
COMPONENTS = 12
"""Principal components of the logarithms that go into the likelihood at most."""
SHRINKAGE = 1e-3
"""Share of the mean variance that is added to each variance: classes may be flat somewhere."""
LEAST_VARIANCE = 1e-6
LEAST_PIXELS = 30
"""Sure pixels that a mineral needs to be taught."""
POOR_AGREEMENT = 0.2
"""Kappa between both maps below which neither should be believed."""
MOST_TAUGHT = 20000
RATIO_BANDS = 15
"""Bands, evenly spread, whose ratios a forest looks at, at most."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """The pixels that teach.

    `chosen` (n,) bool are they among the sample, `codes` (n,) the first map's classes there;
    `priors` gives by class code the share of the class among the scene's surest pixels.
    `left_out` gives by class code how many sure pixels there were of a mineral with too few.
    """

    chosen: np.ndarray
    codes: np.ndarray
    priors: dict[int, float]
    left_out: dict[int, int]


def choose_sure(codes: np.ndarray, sureness: np.ndarray, share: float, least: int) -> Lesson:
    """The surest `share` of the pixels of each class (0 is none) of a sample, (n,) each.

    Priors are the shares of the classes among the surest `share` of all pixels: near the mean of
    the scene a class says little. Raises InputError, with the numbers, where fewer than two
    classes have `least` sure pixels.
    """
    named = codes > 0
    chosen = np.zeros(len(codes), bool)
    counts = {}
    for code in np.unique(codes[named]).tolist():
        own = codes == code
        sure = own & (sureness >= np.quantile(sureness[own], 1 - share))
        counts[code] = int(sure.sum())
        if counts[code] >= least:
            chosen |= sure
    taught = [code for code, count in counts.items() if count >= least]
    if len(taught) < 2:
        most = ", ".join(str(count) for count in sorted(counts.values(), reverse=True)[:3]) or "0"
        raise InputError(
            f"too few sure pixels to teach: two minerals need {least} each, and the most that "
            f"minerals have are {most}; map a larger area, or set minerals.teach.model to none"
        )
    surest = named & (sureness >= np.quantile(sureness[named], 1 - share))
    shares = {code: int((surest & (codes == code)).sum()) for code in taught}
    # A taught class that is never among the surest of all keeps a small chance.
    total = sum(max(count, 1) for count in shares.values())
    return Lesson(
        chosen,
        codes,
        {code: max(count, 1) / total for code, count in shares.items()},
        {code: count for code, count in counts.items() if code not in taught},
    )


@dataclass(frozen=True, eq=False)
class Likelihood:
    """Gaussian classes in principal components of centred logarithms.

    `mean` (b,) and `axes` (b, p) make components; per class k: `centres` (K, p), `whiten`
    (K, p, p) whose product with a difference has the length of Mahalanobis, `offset` (K,).
    """

    codes: np.ndarray
    mean: np.ndarray
    axes: np.ndarray
    centres: np.ndarray
    whiten: np.ndarray
    offset: np.ndarray

    def probabilities(self, block: np.ndarray) -> np.ndarray:
        """Posterior probabilities (K, n) float32 of reflectance (bands, n); NaN for nodata."""
        parts = (_shape(block) - self.mean[:, np.newaxis]).T @ self.axes
        scores = np.stack(
            [
                offset - 0.5 * (((parts - centre) @ whiten.T) ** 2).sum(axis=1)
                for offset, centre, whiten in zip(
                    self.offset, self.centres, self.whiten, strict=True
                )
            ]
        )
        scores = np.exp(scores - scores.max(axis=0))
        return (scores / scores.sum(axis=0)).astype(np.float32)


def _shape(block: np.ndarray) -> np.ndarray:
    logs = to_logs(np.asarray(block, np.float64))
    return logs - logs.mean(axis=0)


def teach_likelihood(sample: np.ndarray, lesson: Lesson) -> Likelihood:
    """Learn from the lesson's pixels of a sample of reflectance (n, bands)."""
    shape = _shape(sample.T)
    mean = shape.mean(axis=1)
    values, axes = np.linalg.eigh(np.cov(shape))
    order = np.argsort(-values, kind="stable")
    kept = order[: min(COMPONENTS, int((values > LEAST_VARIANCE * values.max()).sum()))]
    axes = axes[:, kept]
    # An axis has no direction of its own; the same everywhere is what bytes need.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    parts = (shape - mean[:, np.newaxis]).T @ axes
    centres, whiten, offsets = [], [], []
    for code, prior in lesson.priors.items():
        own = parts[lesson.chosen & (lesson.codes == code)]
        covariance = np.atleast_2d(np.cov(own.T))
        ridge = SHRINKAGE * np.trace(covariance) / len(covariance)
        lower = np.linalg.cholesky(covariance + ridge * np.eye(len(covariance)))
        centres.append(own.mean(axis=0))
        whiten.append(np.linalg.inv(lower))
        offsets.append(np.log(prior) - np.log(np.diag(lower)).sum())
    codes = np.array(list(lesson.priors), np.uint8)
    return Likelihood(codes, mean, axes, np.array(centres), np.array(whiten), np.array(offsets))


def log_ratios(block: np.ndarray) -> np.ndarray:
    """Logarithms of reflectance (bands, n), then of the ratios of each pair of RATIO_BANDS bands.

    (features, n) float32; NaN stays.
    """
    logs = to_logs(block).astype(np.float32)
    if len(logs) > RATIO_BANDS:
        logs = logs[np.linspace(0, len(logs) - 1, RATIO_BANDS).round().astype(int)]
    pairs = [logs[one] - logs[other] for one, other in combinations(range(len(logs)), 2)]
    return np.stack([*logs, *pairs])


def teach_forest(
    sample: np.ndarray, lesson: Lesson, seed: int, threads: int = 1
) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Class codes (K,), and a function as `Likelihood.probabilities`, of a forest of 200 trees.

    Extremely randomised trees, each class of the same weight.
    """
    from gossan.forests.forest import (
        ForestSettings,
        flatten_forest,
        grow_forest,
        predict_probabilities,
    )

    counts = [int((lesson.chosen & (lesson.codes == code)).sum()) for code in lesson.priors]
    each = min(min(counts) * 10, MOST_TAUGHT // len(counts))
    rng = np.random.default_rng(seed)
    places = [
        np.sort(rng.permutation(np.flatnonzero(lesson.chosen & (lesson.codes == code)))[:each])
        for code in lesson.priors
    ]
    rows = np.concatenate(places)
    features = log_ratios(sample[rows].T)
    settings = ForestSettings(
        trees="extra", estimators=200, min_samples_split=6, min_samples_leaf=3, seed=seed
    )
    model = grow_forest(features.T, lesson.codes[rows], settings, threads)
    names = [str(code) for code in model.classes_]
    forest = flatten_forest(model, names, [str(place) for place in range(len(features))])

    def probabilities(block: np.ndarray) -> np.ndarray:
        made = log_ratios(block)
        found = predict_probabilities(forest, made).T.astype(np.float32)
        found[:, np.isnan(made).any(axis=0)] = np.nan
        return found

    return np.array(forest.codes, np.uint8), probabilities


def compare_maps(first: np.ndarray, second: np.ndarray, codes: Sequence[int]) -> np.ndarray:
    """Counts (K + 1, K + 1) of pixels by class of the first map and of the second; 0 is none."""
    order = np.array([0, *codes])
    table = np.full(256, -1)
    table[order] = np.arange(len(order))
    one, other = table[first.ravel()], table[second.ravel()]
    kept = (one >= 0) & (other >= 0)
    size = len(order)
    return np.bincount(one[kept] * size + other[kept], minlength=size**2).reshape(size, size)


def describe_lesson(
    lesson: Lesson, sureness: np.ndarray, second: np.ndarray, names: dict[int, str]
) -> dict[str, object]:
    """What taught, how far the second map agrees with the first, and where not to trust it.

    `sureness` and `second`, the classes of the second map, are of the sample (n,); `names` are the
    minerals by class code. Agreement is no accuracy: both maps may be wrong together.
    """
    counts = compare_maps(lesson.codes, second, list(names))
    named = counts[1:, 1:]
    total = int(named.sum())
    agreement = float(np.trace(named) / total) if total else 0.0
    sides = named.sum(axis=1) @ named.sum(axis=0) / total**2 if total else 1.0
    kappa = float((agreement - sides) / (1 - sides)) if sides < 1 else 0.0
    least = float(np.quantile(sureness[lesson.chosen], 0.05))
    unlike = float((sureness < least).mean())
    notes = [
        f"{names[code]}: {count} sure pixels, too few to teach; the second map lacks it"
        for code, count in lesson.left_out.items()
    ]
    if unlike > 0.5:
        notes.append(
            f"{unlike:.0%} of the pixels are less sure than those that taught: there the second "
            "map is carried over to ground that it has not seen"
        )
    if kappa < POOR_AGREEMENT:
        notes.append(
            f"the second map hardly agrees with the first (kappa {kappa:.2f}): use neither without "
            "a look at the ground"
        )
    return {
        "taught": [
            {
                "name": names[code],
                "pixels": int((lesson.chosen & (lesson.codes == code)).sum()),
                "prior": float(f"{prior:.4g}"),
            }
            for code, prior in lesson.priors.items()
        ],
        "agreement": float(f"{agreement:.4g}"),
        "agreement_kappa": float(f"{kappa:.4g}"),
        "compared_pixels": total,
        "less_sure_share": float(f"{unlike:.4g}"),
        "notes": notes,
    }
