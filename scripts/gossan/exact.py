"""Sums that come out the same to the last bit, in whatever order and grouping they are made."""

from collections.abc import Sequence

import numpy as np

from gossan.errors import InputError

FRACTION_BITS = 30
LIMIT = 2.0**12
# 2^20 numbers below 2^12 in steps of 2^-30 stay within 62 bits.
CHUNK = 2**20


def exact_sums(values: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Sums of each row of (bands, n) floats, (bands,) Python integers in units of 2^-30.

    Each number is rounded to the unit (1e-9) and then summed without error, so sums of blocks
    add up to the sum of the scene exactly: floating-point sums would differ with the blocks.
    `to_means` turns them back. Raises InputError, naming the band, for a number beyond ±4096:
    that is neither a reflectance nor a ratio of two.
    """
    sums = np.zeros(len(values), dtype=object)
    for band, row in enumerate(values):
        for start in range(0, row.size, CHUNK):
            part = row[start : start + CHUNK].astype(np.float64)
            if not np.abs(part).max() < LIMIT:
                raise InputError(
                    f"band {names[band]}: holds values beyond ±{LIMIT:g}, which are no "
                    "reflectance; check the product, or mask them"
                )
            part *= 2.0**FRACTION_BITS
            sums[band] += int(np.rint(part, out=part).astype(np.int64).sum())
    return sums


def to_means(sums: np.ndarray, count: int) -> np.ndarray:
    """Means, (bands,) float64, of `count` numbers whose `exact_sums` are given."""
    return np.array([total / (count << FRACTION_BITS) for total in sums], dtype=np.float64)
