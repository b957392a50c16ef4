"""Random samples of pixels that do not depend on blocks or threads."""

import numpy as np


def pixel_priorities(row: np.ndarray, column: np.ndarray, seed: int) -> np.ndarray:
    """A random number for each pixel of the scene, uint64, set by its place and the seed alone.

    So the sample does not depend on blocks or threads (splitmix64: Steele et al. 2014, OOPSLA).
    """
    with np.errstate(over="ignore"):
        mixed = row.astype(np.uint64) << np.uint64(32) | column.astype(np.uint64)
        mixed += np.uint64(0x9E3779B97F4A7C15) * np.uint64(seed + 1)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


def smallest_of_each(priority: np.ndarray, stratum: np.ndarray, most: int) -> np.ndarray:
    """Indices of the `most` smallest priorities of each stratum, by stratum and priority."""
    order = np.lexsort((priority, stratum))
    ordered = stratum[order]
    return order[np.arange(len(order)) - np.searchsorted(ordered, ordered) < most]
