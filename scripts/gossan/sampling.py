"""Random samples of pixels that do not depend on blocks or threads."""

from collections.abc import Sequence

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""What SplitMix64 adds to its state from one number to the next."""


def mix_states(state: np.ndarray) -> np.ndarray:
    """A random number for each state, uint64: other numbers for other states.

    The finaliser of SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195).
    """
    mixed = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def pixel_priorities(row: np.ndarray, column: np.ndarray, seed: int) -> np.ndarray:
    """A random number for each pixel of the scene, uint64, set by its place and the seed alone.

    So the sample does not depend on blocks or threads.
    """
    with np.errstate(over="ignore"):
        state = row.astype(np.uint64) << np.uint64(32) | column.astype(np.uint64)
        return mix_states(state + GOLDEN * np.uint64(seed + 1))


def smallest_of_each(
    priority: np.ndarray,
    stratum: np.ndarray,
    most: int | np.ndarray,
    ties: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """Indices of the `most` smallest priorities of each stratum, by stratum and priority.

    `most` is one number or one of each stratum (strata,); equal priorities go by `ties`, the first
    before the next, then by their place.
    """
    order = np.lexsort((*reversed(ties), priority, stratum))
    ordered = stratum[order]
    limit = most[ordered] if isinstance(most, np.ndarray) else most
    return order[np.arange(len(order)) - np.searchsorted(ordered, ordered) < limit]
