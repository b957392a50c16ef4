"""Detectors beside the spectral angle: information divergence, matched filter and ACE.

Matched filter and ACE work on log reflectance about the scene's mean, where a little of a mineral
is a shift towards it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gossan.minerals.scene_angle import FLOOR, Directions, SceneMean, set_apart, to_logs

RIDGE = 1e-6


@dataclass(frozen=True, eq=False)
class Background:
    """Mean and covariance (b, b) of a scene's log reflectance in the bands of a group."""

    mean: SceneMean
    covariance: np.ndarray


def measure_background(sample: np.ndarray, mean: SceneMean) -> Background:
    """The background of a sample of pixels, reflectance (n, bands) without NaN."""
    covariance = np.cov(to_logs(sample.astype(np.float64).T))
    ridge = RIDGE * np.trace(covariance) / len(covariance)
    return Background(mean, covariance + ridge * np.eye(len(covariance)))


def information_divergence(
    block: np.ndarray, mean: SceneMean, records: Mapping[int, np.ndarray]
) -> np.ndarray:
    """Spectral information divergence (minerals, n) of (bands, n) reflectance to nearest records.

    Pixels and records are divided by the scene's mean (Chang 2000, IEEE Transactions on
    Information Theory 46, 1927-1932). NaN is nodata.
    """
    ground = np.exp(mean.logs)
    pixels = np.maximum(block, FLOOR) / ground[:, np.newaxis]
    pixels = pixels / pixels.sum(axis=0)
    found = []
    for spectra in records.values():
        shares = np.maximum(spectra, FLOOR) / ground
        shares = shares / shares.sum(axis=1, keepdims=True)
        # D(p, q) + D(q, p) of both distributions, for all records at once.
        entropy = (pixels * np.log(pixels)).sum(axis=0)
        own = (shares * np.log(shares)).sum(axis=1, keepdims=True)
        crossed = np.log(shares) @ pixels + shares @ np.log(pixels)
        found.append((entropy + own - crossed).min(axis=0))
    return np.array(found)


def matched_filter(block: np.ndarray, background: Background, directions: Directions) -> np.ndarray:
    """1 − score (minerals, n) of the matched filter for the best record of each mineral.

    The score is 1 where a pixel lies from the mean as a whole unit of the record's direction does
    (Stocker, Reed and Yu 1990, SPIE 1305, 218-231). `block` is (bands, n) reflectance; NaN is
    nodata.
    """
    pixels, targets = _whitened(block, background, directions)
    scores = targets @ pixels / (targets**2).sum(axis=1, keepdims=True)
    return 1 - np.maximum.reduceat(scores, directions.starts, axis=0)


def coherence_angles(
    block: np.ndarray, background: Background, directions: Directions
) -> np.ndarray:
    """Angle (minerals, n) in radians of the adaptive coherence estimator (ACE) to best records.

    Kraut and Scharf 1999, IEEE Transactions on Signal Processing 47, 2538-2541: the angle once
    the background's covariance is made round; ACE is the square of its cosine. Above a right angle
    where the pixel lies on the other side of the mean. `block` is (bands, n) reflectance; NaN is
    nodata.
    """
    pixels, targets = _whitened(block, background, directions)
    pixels = pixels / np.linalg.norm(pixels, axis=0)
    targets = targets / np.linalg.norm(targets, axis=1, keepdims=True)
    best = np.maximum.reduceat(targets @ pixels, directions.starts, axis=0)
    return np.arccos(np.clip(best, -1, 1))


def _whitened(
    block: np.ndarray, background: Background, directions: Directions
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (bands - 1, n) and records (records, bands - 1) where the background is round."""
    # Once the mean over bands is taken off, the last band is what the others leave.
    flat = np.eye(len(block)) - 1 / len(block)
    covariance = (flat @ background.covariance @ flat)[:-1, :-1]
    whiten = np.linalg.inv(np.linalg.cholesky(covariance))
    apart = set_apart(block.astype(np.float64), background.mean)
    return whiten @ apart[:-1], directions.unit[:, :-1] @ whiten.T
