"""Anomalies of a band by its median absolute deviation (MAD).

MAD = median_i |x_i - median_j x_j| (Hampel 1974, Journal of the American Statistical Association
69, 383-393), not scaled to the standard deviation. A pixel is anomalous where it lies more than n
MAD beyond the centre of its band.

Median, mean and MAD come from a histogram of the stored whole numbers, which blocks add up to
(`count_levels`, `spread_of_counts`), and are exact.
"""

import math
from dataclasses import dataclass

import numpy as np

from gossan.errors import InputError
from gossan.legend import NODATA, MapClass

CENTRES = ("median", "mean")
SIDES = ("high", "low", "both")
KEPT = ("values", "marks")
"""What is kept of anomalies where all else is 0: the band's own values, or 1."""
ANOMALOUS = 1
"""Code of an anomalous pixel."""
ANOMALY = MapClass(ANOMALOUS, "anomaly", "Anomaly", "#D7301F", kind="anomaly")


@dataclass(frozen=True)
class Spread:
    """Where the values of a band lie: how many there are, their median, mean and MAD."""

    pixels: int
    median: float
    mean: float
    mad: float

    def rescale(self, scale: float, offset: float) -> "Spread":
        """The spread of scale * x + offset, for that of x."""
        return Spread(
            self.pixels,
            self.median * scale + offset,
            self.mean * scale + offset,
            self.mad * abs(scale),
        )


@dataclass(frozen=True)
class Rule:
    """What is anomalous: more than `n` MAD beyond the `centre`, on one `side` or on both.

    The deviations in the MAD are always taken from the median, also where `centre` is "mean".
    Raises InputError for an unknown centre or side, or an `n` that is not a positive number.
    """

    n: float
    centre: str
    side: str

    def __post_init__(self):
        """Refuse settings without meaning."""
        if not 0 < self.n < math.inf:
            raise InputError(f"n {self.n:g} is no number of MADs; give a positive number")
        if self.centre not in CENTRES:
            raise InputError(f"centre '{self.centre}' is unknown; use {' or '.join(CENTRES)}")
        if self.side not in SIDES:
            raise InputError(f"side '{self.side}' is unknown; use {', '.join(SIDES)}")

    def thresholds(self, spread: Spread) -> tuple[float, float]:
        """(low, high): values below low or above high are anomalous; infinite on a side unused."""
        centre = spread.median if self.centre == "median" else spread.mean
        low = -math.inf if self.side == "high" else centre - self.n * spread.mad
        high = math.inf if self.side == "low" else centre + self.n * spread.mad
        return low, high


def count_levels(stored: np.ndarray, valid: np.ndarray | None = None) -> np.ndarray:
    """How often each number occurs in each band, (bands, levels) int64.

    `stored` is (bands, rows, columns) of an integer type of at most 16 bits; the first level is
    the type's smallest number. `valid`, of the same shape, says which pixels count (default:
    all). Raises InputError for other types.
    """
    if stored.dtype.kind not in "iu" or stored.dtype.itemsize > 2:
        raise InputError(
            f"numbers of type {stored.dtype} cannot be counted; store the cube as int16"
        )
    limits = np.iinfo(stored.dtype)
    counts = np.empty((len(stored), limits.max - limits.min + 1), dtype=np.int64)
    for band, values in enumerate(stored):
        level = (values.ravel() if valid is None else values[valid[band]]).astype(np.int32)
        level -= limits.min
        counts[band] = np.bincount(level, minlength=counts.shape[1])
    return counts


def spread_of_counts(counts: np.ndarray, lowest: int, name: str = "band") -> Spread:
    """Spread of a band's stored numbers, exactly, from their counts (levels,).

    `lowest` is the number that the first level stands for. Raises InputError, naming the band by
    `name`, where it has no valid pixel or its MAD is 0.
    """
    present = np.flatnonzero(counts)
    frequency = counts[present]
    pixels = int(frequency.sum())
    if not pixels:
        return _checked(Spread(0, math.nan, math.nan, math.nan), name)
    numbers = present.astype(np.int64) + lowest
    # Twice the median is a whole number, and so are twice the deviations from it.
    twice_median = _twice_the_middle(numbers, frequency)
    deviations = np.abs(2 * numbers - twice_median)
    order = np.argsort(deviations, kind="stable")
    mad = _twice_the_middle(deviations[order], frequency[order]) / 4
    mean = int((numbers * frequency).sum()) / pixels
    return _checked(Spread(pixels, twice_median / 2, mean, mad), name)


def _twice_the_middle(ascending: np.ndarray, frequency: np.ndarray) -> int:
    """Twice the median of whole numbers that occur as often as `frequency` says."""
    up_to = frequency.cumsum()
    total = int(up_to[-1])
    middle = np.searchsorted(up_to, [(total - 1) // 2, total // 2], side="right")
    return int(ascending[middle].sum())


def _checked(spread: Spread, name: str) -> Spread:
    if not spread.pixels:
        raise InputError(f"{name}: has no valid pixel; choose another scene or mask less")
    if not spread.mad > 0:
        raise InputError(
            f"{name}: its MAD is 0 (constant, or one number in more than half of it); leave the "
            "band out"
        )
    return spread


def mark_anomalies(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """True where `values` (any shape) lie below `low` or above `high`; same shape, bool.

    The comparison is exact in double precision. NaN is no anomaly.
    """
    return (values < np.float64(low)) | (values > np.float64(high))


def keep_anomalies(values: np.ndarray, codes: np.ndarray, kept: str) -> np.ndarray:
    """A band, or bands, with nothing but its anomalies: 0 at all other valid pixels.

    `values` (any shape) has NaN where there is no data, which stays; `codes`, of the same shape,
    are those of `encode_anomalies`; `kept` is one of KEPT. Returns the type of `values`.
    """
    held = values if kept == "values" else np.ones_like(values)
    held = np.where(codes == ANOMALOUS, held, np.zeros_like(values))
    return np.where(np.isnan(values), values, held)


def encode_anomalies(anomalous: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """uint8 codes of the same shape: 1 anomalous, 0 ordinary, 255 where not `valid`."""
    codes = anomalous.astype(np.uint8)
    codes[~valid] = NODATA
    return codes
