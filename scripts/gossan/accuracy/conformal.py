"""Calibrated abstention: limits of distance that keep a mineral's own spectra with a set chance.

Split conformal prediction per class (Vovk 2012, Proc. Mach. Learn. Res. 25, 475-490): the limit of
a mineral is a quantile of the distances of calibration spectra of that mineral. An answer is the
set of minerals within their limits. It holds the true mineral with at least the chance asked for
if the new spectra and those of the calibration are exchangeable. Pixels of other places are not
quite: neighbours are alike, so one block more or less moves a limit. What was reached on test
blocks is therefore stated beside what was asked for.
"""

import math

import numpy as np

from gossan.errors import InputError

GUARANTEE = (
    "at least the coverage asked for if pixels of calibration and test are exchangeable; they are "
    "not across spatial blocks, nor in another scene, nor for ground that is none of the minerals"
)
"""When the coverage is guaranteed."""
NO_GUARANTEE = (
    "none: the limit is of augmented library spectra of records that the method has learned from, "
    "which lie nearer than any pixel; too few validation pixels calibrate this mineral"
)
"""What is said beside a limit that spectra of the training records set."""


def conformal_limit(scores: np.ndarray, coverage: float) -> float:
    """The limit (a distance) that a new score keeps with a chance of at least `coverage`.

    `scores` (m,) are distances of a class's own calibration spectra. The limit is the
    ceil((m + 1) coverage)-th smallest; infinite where m is too small for that, so that nothing is
    ever left out. Raises InputError unless 0 < coverage < 1.
    """
    if not 0 < coverage < 1:
        raise InputError(f"coverage: {coverage:g} is no share; give a number between 0 and 1")
    place = math.ceil(round((len(scores) + 1) * coverage, 9))
    if place > len(scores):
        return math.inf
    return float(np.sort(np.asarray(scores, np.float64))[place - 1])


def class_limits(scores: np.ndarray, held: np.ndarray, coverage: float) -> np.ndarray:
    """The limit of each mineral, (K,), from scores (n, K) and who holds it, (n, K) bool.

    Infinite for a mineral of too few spectra.
    """
    pairs = zip(scores.T, held.T, strict=True)
    return np.array([conformal_limit(score[own], coverage) for score, own in pairs])


def answer_sets(scores: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Which minerals are within their limits, (n, K) bool; a NaN score is within none."""
    return np.asarray(scores, np.float64) <= np.asarray(limits, np.float64)
