"""The 95 % intervals of this program: all of them are made here.

Neighbouring pixels are alike, so an interval rests on spatial blocks, which are taken to be
independent of one another. Percentiles of a bootstrap of few blocks are far too narrow, the more so
for values near 1 (benchmarks/intervals.py measures how often each kind of interval holds the
truth). An interval here is a t interval on the logit scale:

- The spread is that of a bootstrap of whole blocks (`blocks.resample`), times n / (n - 1) for n
  effective blocks: each block draws the score towards itself, the more so the more it weighs,
  which the jackknife allows for and the bootstrap does not (MacKinnon and White 1985, Journal of
  Econometrics 29, 305-325). Measured on the logit scale and by the delta method, the larger counts.
- Student's t has as many degrees of freedom as there are effective blocks, less one: blocks of very
  different weight count as fewer ones, (sum w)² / sum w² (Kish 1965, Survey Sampling, 8.2).
- No share needs a wider interval than one of which each block is a single trial, all right or all
  wrong: the exact limits of Clopper and Pearson (1934, Biometrika 26, 404-413), with as many trials
  as effective blocks. Where nothing disagreed, or everything did, they are the interval, as Korn
  and Graubard (1998, Survey Methodology 24, 193-201) do it for surveys.
"""

from enum import Enum

import numpy as np

from gossan.accuracy.blocks import MINIMUM_BLOCKS, rounded

LEVEL = 0.95
_TAIL = (1 - LEVEL) / 2
_NEAREST = 1e-4
"""A bootstrap sample's share nearer to 0 or 1 than this is not told from one that is this near."""
_NOTHING = 1e-9
"""Spreads below this are those of rounding."""

INTERVAL_RULE = (
    "95 % t interval on the logit scale (of a ratio, its logarithm) with the spread of a bootstrap "
    "of whole spatial blocks and as many degrees of freedom as effective blocks less one; of a "
    "share never wider than exact (Clopper-Pearson) limits that take each effective block for one "
    "trial, which are the interval where nothing disagreed or everything did. Blocks are taken to "
    f"be independent. Null where fewer than {MINIMUM_BLOCKS} blocks carry the value. Undefined "
    "values are null."
)
"""How an interval is to be read; written into every record."""


class Kind(Enum):
    """What a value is: how far it can reach, and the scale on which it is spread evenly."""

    SHARE = "share"
    """From 0 to 1: accuracy, precision, recall, F1, area under a curve."""
    AGREEMENT = "agreement"
    """From -1 to 1, and 1 where nothing disagrees: kappa."""
    DIFFERENCE = "difference"
    """Of two shares, from -1 to 1."""
    RATIO = "ratio"
    """Of two shares, above 0."""


def effective_blocks(weights: np.ndarray) -> np.ndarray:
    """How many blocks of equal weight are worth as much as these, (...), from weights (n, ...).

    0 where no block weighs anything.
    """
    weights = np.asarray(weights, np.float64)
    squares = (weights**2).sum(axis=0)
    total = weights.sum(axis=0) ** 2
    return np.divide(total, squares, out=np.zeros(squares.shape), where=squares > 0)


def interval(
    value: np.ndarray | float,
    samples: np.ndarray,
    weights: np.ndarray,
    kind: Kind = Kind.SHARE,
) -> np.ndarray:
    """The 95 % interval of values from their bootstrap samples: low and high, (2, ...) float64.

    `value` (...); `samples` (replicates, ...) may hold NaN or infinity where a sample leaves a
    value undefined; these are left out. `weights` (blocks, ...) is what each spatial block weighs
    in each value, such as the pixels of its denominator; (blocks,) where it is the same for all.
    NaN where fewer than MINIMUM_BLOCKS weigh anything, or where nothing is defined.
    """
    value = np.asarray(value, np.float64)
    samples = np.asarray(samples, np.float64)
    weights = np.asarray(weights, np.float64)
    weights = weights.reshape(*weights.shape, *(1,) * (value.ndim + 1 - weights.ndim))
    weights = np.broadcast_to(weights, (len(weights), *value.shape))
    carried = (weights > 0).sum(axis=0)
    if not len(samples) or not len(weights):
        return np.full((2, *value.shape), np.nan)
    stated = (carried >= MINIMUM_BLOCKS) & np.isfinite(value)
    stated &= np.isfinite(samples).any(axis=0)
    ends = _ends(value, samples, effective_blocks(weights), kind)
    return np.where(stated, ends, np.nan)


def _ends(value: np.ndarray, samples: np.ndarray, blocks: np.ndarray, kind: Kind) -> np.ndarray:
    inflation = blocks / np.maximum(blocks - 1, 0.5)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if kind is Kind.RATIO:
            spread = _spread(np.log(np.where(samples > 0, samples, np.nan))) * inflation
            reach = np.exp(_student(blocks) * spread)
            sure = (value > 0) & (spread > _NOTHING)
            return np.where(sure, np.stack([value / reach, value * reach]), np.nan)
        scale = 1.0 if kind is Kind.SHARE else 2.0
        base = scale - 1.0
        share = np.clip((value + base) / scale, 0, 1)
        drawn = np.where(np.isfinite(samples), (samples + base) / scale, np.nan)
        on_logit = _spread(_logit(np.clip(drawn, _NEAREST, 1 - _NEAREST)))
        by_delta = _spread(drawn)
        spread = np.maximum(on_logit, by_delta / (share * (1 - share))) * inflation
        ends = _around(share, spread, blocks)
        inside = (share > 0) & (share < 1) & (by_delta > _NOTHING)
        if kind is Kind.DIFFERENCE:
            ends = scale * ends - base
            return np.where(inside, ends, within(value, blocks, -1.0))
        exact = exact_limits(share, blocks)
        low = np.where(inside, np.maximum(ends[0], exact[0]), exact[0])
        high = np.where(inside, np.minimum(ends[1], exact[1]), exact[1])
        return scale * np.stack([low, high]) - base


def _spread(samples: np.ndarray) -> np.ndarray:
    """Standard deviation (...) of the finite samples (replicates, ...); 0 of fewer than two."""
    there = np.isfinite(samples)
    count = there.sum(axis=0)
    held = np.where(there, samples, 0.0)
    mean = held.sum(axis=0) / np.maximum(count, 1)
    squares = (np.where(there, samples - mean, 0.0) ** 2).sum(axis=0)
    return np.sqrt(squares / np.maximum(count - 1, 1))


def _logit(share: np.ndarray) -> np.ndarray:
    return np.log(share / (1 - share))


def _around(share: np.ndarray, spread: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """The t interval of shares with a spread on the logit scale."""
    reach = _student(blocks) * spread
    middle = _logit(share)
    return 1 / (1 + np.exp(-np.stack([middle - reach, middle + reach])))


def _student(blocks: np.ndarray) -> np.ndarray:
    """Two-sided 95 % quantile of Student's t."""
    # scipy is imported only where intervals are made.
    from scipy.special import stdtrit

    return stdtrit(np.maximum(np.asarray(blocks, np.float64) - 1, 1), 1 - _TAIL)


def exact_limits(share: np.ndarray | float, trials: np.ndarray | float) -> np.ndarray:
    """Exact 95 % limits (2, ...) of shares of so many independent trials (Clopper and Pearson).

    The numbers of trials and of those that succeeded need not be whole. (0, 1) without a trial.
    """
    from scipy.special import betaincinv

    share, trials = np.asarray(share, np.float64), np.asarray(trials, np.float64)
    right, wrong = share * trials, (1 - share) * trials
    low = np.where(right > 0, betaincinv(np.maximum(right, 1e-12), wrong + 1, _TAIL), 0.0)
    high = np.where(wrong > 0, betaincinv(right + 1, np.maximum(wrong, 1e-12), 1 - _TAIL), 1.0)
    none = trials <= 0
    return np.stack([np.where(none, 0.0, low), np.where(none, 1.0, high)])


def within(value: np.ndarray | float, trials: np.ndarray | float, least: float = 0.0) -> np.ndarray:
    """95 % limits (2, ...) of a value that no trial would change, from `least` to 1.

    What was not seen in so many trials is in at most the upper exact limit of all.
    """
    unseen = exact_limits(0.0, trials)[1]
    return np.clip(np.stack([value - unseen, value + unseen]), least, 1.0)


def estimate(
    value: float, samples: np.ndarray, weights: np.ndarray, kind: Kind = Kind.SHARE
) -> dict[str, float | None]:
    """One value with its interval, as records hold it: `value`, `low` and `high`.

    `samples` (replicates,) and `weights` (blocks,) as for `interval`. None where undefined.
    """
    low, high = interval(value, samples, weights, kind)
    return {"value": rounded(value), "low": rounded(low), "high": rounded(high)}


def from_error(share: float, error: float, trials: float) -> tuple[float, float]:
    """The 95 % interval of a share with a standard error from so many independent trials.

    On the logit scale, with Student's t; exact limits where no trial disagreed or all did. NaN
    where the error is undefined.
    """
    if not (np.isfinite(share) and np.isfinite(error)):
        return np.nan, np.nan
    if error <= _NOTHING or not 0 < share < 1:
        low, high = exact_limits(share, trials)
    else:
        low, high = _around(np.float64(share), error / (share * (1 - share)), trials)
    return float(low), float(high)
