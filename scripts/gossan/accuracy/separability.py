"""How well one number per pixel separates a zone from the rest, by ranks.

The area under the receiver operating characteristic curve is the probability that a pixel of the
zone has a higher value than one of the rest, ties counting half (Hanley and McNeil 1982, Radiology
143, 29-36). It depends on ranks only, so not on how the values are scaled.
"""

import numpy as np

from gossan.accuracy.blocks import MINIMUM_BLOCKS, resample
from gossan.accuracy.intervals import effective_blocks, interval


def rank_area(zone: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Area under the curve from counts per value, (..., values), in ascending order of value.

    Returns (...) float64; NaN where either has no pixel. Exact up to the last division.
    """
    zone, rest = np.asarray(zone, np.float64), np.asarray(rest, np.float64)
    below = rest.cumsum(axis=-1) - rest
    pairs = zone.sum(axis=-1) * rest.sum(axis=-1)
    won = (zone * (below + rest / 2)).sum(axis=-1)
    return np.divide(won, pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0)


def rank_interval(
    zone: np.ndarray, rest: np.ndarray, area: float, replicates: int, seed: int
) -> tuple[float, float]:
    """95 % interval of `area` (`intervals.interval`), by a bootstrap of whole spatial blocks.

    `zone` and `rest` (blocks, values) are counts per block in coarse steps of value; the small
    amount by which the steps change the area is taken out of the samples. It rests on the zone or
    the rest, whichever has fewer blocks. (NaN, NaN) where fewer than MINIMUM_BLOCKS blocks hold
    pixels of the zone, or of the rest.
    """
    used = (zone.sum(axis=1) + rest.sum(axis=1)) > 0
    zone, rest = zone[used], rest[used]
    sides = [np.asarray(side.sum(axis=1), np.float64) for side in (zone, rest)]
    if min((side > 0).sum() for side in sides) < MINIMUM_BLOCKS:
        return np.nan, np.nan
    samples = rank_area(resample(zone, replicates, seed), resample(rest, replicates, seed))
    samples = np.clip(samples - rank_area(zone.sum(axis=0), rest.sum(axis=0)) + area, 0, 1)
    low, high = interval(area, samples, min(sides, key=lambda side: float(effective_blocks(side))))
    return float(low), float(high)
