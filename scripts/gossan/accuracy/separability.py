"""How well one number per pixel separates a zone from the rest, by ranks.

The area under the receiver operating characteristic curve is the probability that a pixel of the
zone has a higher value than one of the rest, ties counting half (Hanley and McNeil 1982, Radiology
143, 29-36). It depends on ranks only, so not on how the values are scaled.
"""

from functools import lru_cache

import numpy as np

from gossan.accuracy.scores import MINIMUM_BLOCKS

# Numbers drawn at once for the bootstrap; sets its memory.
DRAWN_AT_ONCE = 4_000_000


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
    """95 % interval of `area` by a bootstrap of whole spatial blocks.

    `zone` and `rest` (blocks, values) are counts per block in coarse steps of value; the small
    amount by which the steps change the area is taken out of the interval. Blocks are drawn, not
    pixels, because neighbours are not independent. (NaN, NaN) where fewer than five blocks hold
    pixels of the zone, or of the rest.
    """
    used = (zone.sum(axis=1) + rest.sum(axis=1)) > 0
    zone, rest = zone[used].astype(np.float64), rest[used].astype(np.float64)
    if min((side.sum(axis=1) > 0).sum() for side in (zone, rest)) < MINIMUM_BLOCKS:
        return np.nan, np.nan
    blocks = len(zone)
    step = max(1, DRAWN_AT_ONCE // blocks)
    samples = []
    for start in range(0, replicates, step):
        drawn = _draw(blocks, min(step, replicates - start), seed, start).astype(np.float64)
        # Sums of whole numbers are exact, so no order of summation changes them.
        samples.append(rank_area(drawn @ zone, drawn @ rest))
    samples = np.concatenate(samples) - rank_area(zone.sum(axis=0), rest.sum(axis=0)) + area
    low, high = np.clip(np.nanpercentile(samples, [2.5, 97.5]), 0, 1)
    return float(low), float(high)


@lru_cache(maxsize=2)
def _draw(blocks: int, size: int, seed: int, start: int) -> np.ndarray:
    """How often each block is drawn, (size, blocks) int16; kept, as bands share their blocks."""
    generator = np.random.default_rng([seed, start])
    drawn = generator.multinomial(blocks, np.full(blocks, 1 / blocks), size=size)
    return drawn.astype(np.int16)
