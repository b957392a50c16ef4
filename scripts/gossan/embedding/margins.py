"""Which spectra of real ground are named: those whose nearest mineral is nearest by a clear margin.

Real ground lies farther from every library record than augmented spectra of the library do, by a
distance that nobody can know before, so a limit on the distance names all or nothing. How much
farther the second mineral is than the first orders pixels well, and how it is spread over a
scene's own pixels needs no label.
"""

import numpy as np

FEWEST = 50
"""Spectra from which on their own spread of margins counts."""
RIGHT = 0.9
"""Share of the library's augmented spectra that must be right from a margin on."""


def margins(scores: np.ndarray) -> np.ndarray:
    """How much farther the second mineral is than the nearest, (n,), of distances (n, K)."""
    nearest = np.partition(scores, 1, axis=1)
    return nearest[:, 1] - nearest[:, 0]


def library_margin(scores: np.ndarray, truth: np.ndarray) -> float:
    """The smallest margin above which RIGHT of the library's spectra have the right answer.

    `scores` (n, K) are distances of augmented spectra, `truth` (n,) their minerals from 1 on, 0 for
    others, which have no right answer. Infinite where no margin is large enough.
    """
    own = margins(scores)
    right = scores.argmin(axis=1) + 1 == truth
    order = np.argsort(-own, kind="stable")
    kept = np.flatnonzero(np.cumsum(right[order]) >= RIGHT * np.arange(1, len(order) + 1))
    return float(own[order[kept[-1]]]) if kept.size else float("inf")


def least_margin(own: np.ndarray, of_library: float, share: float) -> float:
    """The margin from which spectra with margins `own` (n,) are named.

    That which the `share` of them with the largest margins reaches, but no less than
    `of_library`, which alone counts for fewer than FEWEST spectra.
    """
    if len(own) < FEWEST:
        return of_library
    return max(of_library, float(np.quantile(own, 1 - share)))
