"""Detectors of minerals: how far a spectrum is from each mineral, by networks and by baselines.

A detector answers `scores(spectra, present)`: spectra (n, B) float32 are reflectance (fraction)
at the bands of a stack, 0 in those of absent sensors; present (n, S) bool says which sensors there
are. The answer (n, K) float32 is a distance to each mineral: the smaller, the more alike.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np

from gossan.cube.bands import StackBands
from gossan.errors import InputError
from gossan.minerals.spectral_angle import map_angles

STEP = 2048
"""Spectra scored at once. Always the same, so that threads do not change the last bits."""
FEWEST_SPECTRA = 10
"""A one-class model of fewer spectra of a mineral is refused."""


class Detector(Protocol):
    """What every method answers; `minerals` are in the order of its scores."""

    minerals: tuple[str, ...]

    def scores(self, spectra: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Distances (n, K) float32 to each mineral."""


class SpectralAngle:
    """The spectral angle (rad) to the nearest record of each mineral, over the present bands."""

    def __init__(
        self,
        bands: StackBands,
        minerals: Sequence[str],
        references: np.ndarray,
        owners: np.ndarray,
    ):
        """Compare with `references` (R, B), whose minerals are `owners` (R,) by place."""
        self.minerals = tuple(minerals)
        self._bands = bands
        self._references = np.asarray(references, np.float64)
        self._owners = np.asarray(owners)

    def scores(self, spectra: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Angles (n, K) float32 of spectra (n, B); NaN for a spectrum of zeros."""
        found = np.full((len(spectra), len(self.minerals)), np.nan, np.float32)
        for kept, rows in group_sensors(present):
            if not kept.any():
                continue
            # A band that is 0 on both sides adds nothing to lengths and products, so the angle is
            # that over the other bands, and one compiled kernel serves all sets of sensors.
            references = np.where(self._bands.present_bands(kept), self._references, 0.0)
            block = np.ascontiguousarray(spectra[rows], np.float32).T[:, None]
            *_, angles = map_angles(block, references, every_angle=True)
            for place in range(len(self.minerals)):
                found[rows, place] = angles[self._owners == place, 0].min(axis=0)
        return found


class Embedding:
    """Distances of an embedding network; absent sensors may be filled in before."""

    def __init__(
        self,
        minerals: Sequence[str],
        distances: Callable[[np.ndarray], np.ndarray],
        fill: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    ):
        """Ask `distances` (of spectra), after `fill` (of spectra and sensors present) if given."""
        self.minerals = tuple(minerals)
        self._distances = distances
        self._fill = fill

    def scores(self, spectra: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Distances (n, K) float32 of embeddings; NaN for a pixel without any sensor."""
        if self._fill is not None:
            spectra = self._fill(spectra, present)
        found = np.array(self._distances(spectra), np.float32)
        found[~present.any(axis=1)] = np.nan
        return found


class OneClassSVM:
    """One-class support vector machines, one per mineral (Schoelkopf et al. 2001).

    Neural Computation 13, 1443-1471. Radial kernel exp(-g |x - y|²), g by scikit-learn's rule
    "scale" (1 / (bands × variance)), on reflectance as it comes: the published baseline tells of no
    preparation. What is 0 for want of a sensor counts as black.
    """

    def __init__(self, minerals: Sequence[str], training: Sequence[np.ndarray], nu: float):
        """Train on `training`, spectra (m, B) of each mineral; `nu` bounds the share left out.

        Raises InputError for a mineral of fewer than FEWEST_SPECTRA spectra and for a bad `nu`.
        """
        from sklearn.svm import OneClassSVM as Machine

        if not 0 < nu <= 1:
            raise InputError(f"nu: {nu:g} is no share; give a number above 0, 1 at most")
        self.minerals = tuple(minerals)
        self._machines = []
        for spectra in _trainable(self.minerals, training):
            machine = Machine(nu=nu, gamma="scale").fit(spectra)
            # scikit-learn keeps the number that its rule gave in no public attribute.
            variance = spectra.var()
            gamma = 1 / (spectra.shape[1] * variance) if variance > 0 else 1.0
            vectors = machine.support_vectors_
            share = machine.dual_coef_[0] / machine.dual_coef_[0].sum()
            self._machines.append(
                (gamma, vectors.T.copy(), np.einsum("vb,vb->v", vectors, vectors), share)
            )

    def scores(self, spectra: np.ndarray, present: np.ndarray) -> np.ndarray:
        """1 - the weighted mean of the kernel to the support vectors, (n, K), from 0 to 1.

        It falls as the machine's decision function rises. Written out, because a matrix product
        is an order of magnitude faster than libsvm's loop over vectors.
        """
        spectra = np.asarray(spectra, np.float64)
        length = np.einsum("nb,nb->n", spectra, spectra)[:, None]
        found = np.empty((len(spectra), len(self.minerals)), np.float32)
        for place, (gamma, vectors, own, share) in enumerate(self._machines):
            apart = spectra @ vectors
            apart *= -2
            apart += length
            apart += own
            apart *= -gamma
            found[:, place] = 1 - np.exp(apart, out=apart) @ share
        found[~present.any(axis=1)] = np.nan
        return found


class IsolationForest:
    """Isolation forests, one per mineral (Liu, Ting and Zhou 2008, ICDM, 413-422)."""

    def __init__(
        self, minerals: Sequence[str], training: Sequence[np.ndarray], trees: int, seed: int
    ):
        """Grow `trees` trees per mineral on `training`, spectra (m, B) of each.

        Raises InputError for a mineral of fewer than FEWEST_SPECTRA spectra and for no tree.
        """
        from sklearn.ensemble import IsolationForest as Forest

        if trees < 1:
            raise InputError(f"trees: {trees} is too small; give at least 1")
        self.minerals = tuple(minerals)
        self._forests = [
            Forest(n_estimators=trees, random_state=seed, n_jobs=1).fit(spectra.astype(np.float32))
            for spectra in _trainable(self.minerals, training)
        ]

    def scores(self, spectra: np.ndarray, present: np.ndarray) -> np.ndarray:
        """The anomaly score (n, K), from 0 to 1: near 1 for what few cuts set apart."""
        spectra = np.ascontiguousarray(spectra, np.float32)
        found = np.stack([-forest.score_samples(spectra) for forest in self._forests], axis=1)
        found[~present.any(axis=1)] = np.nan
        return found.astype(np.float32)


def _trainable(minerals: Sequence[str], training: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    for name, spectra in zip(minerals, training, strict=True):
        if len(spectra) < FEWEST_SPECTRA:
            raise InputError(
                f"{name}: {len(spectra)} training spectra, too few for a one-class model; ask for "
                f"at least {FEWEST_SPECTRA} per mineral"
            )
        yield np.asarray(spectra, np.float64)


def group_sensors(present: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield each set of sensors (S,) bool that occurs in `present` (n, S), and its rows."""
    sets, place = np.unique(np.asarray(present, bool), axis=0, return_inverse=True)
    for number, kept in enumerate(sets):
        yield kept, np.flatnonzero(place.ravel() == number)


def score_spectra(
    detector: Detector, spectra: np.ndarray, present: np.ndarray, threads: int = 1
) -> np.ndarray:
    """Scores (n, K) of many spectra, STEP at a time in `threads` threads."""

    def score(start: int) -> np.ndarray:
        part = slice(start, start + STEP)
        return detector.scores(spectra[part], present[part])

    found = np.empty((len(spectra), len(detector.minerals)), np.float32)
    for start, own in _in_steps(score, len(spectra), threads):
        found[start : start + len(own)] = own
    return found


def score_subsets(
    detector: Detector,
    bands: StackBands,
    spectra: np.ndarray,
    present: np.ndarray,
    subsets: np.ndarray,
    threads: int = 1,
) -> np.ndarray:
    """Scores (M, n, K) with only the sensors of each of `subsets` (M, S) bool left.

    The other sensors' bands become 0, as if they were absent. A detector that measures sensors one
    by one has a method `subset_scores`, which saves measuring them again.
    """

    def score(start: int) -> np.ndarray:
        part = slice(start, start + STEP)
        own, there = spectra[part], present[part]
        left = [there & kept for kept in subsets]
        if hasattr(detector, "subset_scores"):
            return np.stack(list(detector.subset_scores(own, left)))
        masked = (np.where(bands.present_bands(kept), own, np.float32(0)) for kept in subsets)
        return np.stack(
            [detector.scores(item, kept) for item, kept in zip(masked, left, strict=True)]
        )

    found = np.empty((len(subsets), len(spectra), len(detector.minerals)), np.float32)
    for start, own in _in_steps(score, len(spectra), threads):
        found[:, start : start + own.shape[1]] = own
    return found


def _in_steps(
    score: Callable[[int], np.ndarray], count: int, threads: int
) -> Iterator[tuple[int, np.ndarray]]:
    starts = range(0, count, STEP)
    with ThreadPoolExecutor(max(1, threads)) as pool:
        yield from zip(starts, pool.map(score, starts), strict=True)
