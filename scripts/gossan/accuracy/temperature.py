"""How far probabilities can be trusted: temperature scaling and the expected calibration error."""

from dataclasses import dataclass

import numpy as np

BINS = 10
TEMPERATURES = (0.05, 20.0)
# A factor of two up or down is one standard deviation.
PRIOR_LOGARITHM = np.log(2)
LEAST_PROBABILITY = 1e-7


@dataclass(frozen=True, eq=False)
class Reliability:
    """Images by the probability of their answer, in equal bins from 0 to 1, all arrays (bins,).

    `count` images, their mean `confidence` (probability of the answer) and `accuracy` (share of
    right answers); both NaN in an empty bin.
    """

    edges: np.ndarray
    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error: mean gap of confidence and accuracy, weighted by images."""
        used = self.count > 0
        gap = np.abs(self.confidence[used] - self.accuracy[used])
        return float((gap * self.count[used]).sum() / self.count.sum())


def measure_reliability(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS
) -> Reliability:
    """Reliability of probabilities (n, K) against labels (n,), places of the right classes.

    The expected calibration error of Naeini et al. (2015), AAAI 29, in the form for several
    classes of Guo et al. (2017), Proceedings of Machine Learning Research 70. Raises ValueError
    for no images.
    """
    if not len(labels):
        raise ValueError("no images to measure the reliability of")
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    # A bin is open below and closed above, so that a probability of 1 has one.
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        return Reliability(
            edges,
            count,
            np.bincount(place, confidence, bins) / count,
            np.bincount(place, right, bins) / count,
        )


def soften(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Probabilities (n, K) of logits (n, K) divided by the temperature."""
    scaled = np.asarray(logits, np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    powers = np.exp(scaled)
    return powers / powers.sum(axis=1, keepdims=True)


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean cross-entropy (nats) of probabilities (n, K) against labels (n,)."""
    own = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(own, LEAST_PROBABILITY)).mean())


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature by which logits (n, K) are divided to be calibrated.

    Guo et al. (2017): the one number of the least cross-entropy, fitted to images that were not
    trained on; the order of the classes stays as it was. A small sample without an error would
    make a network infinitely sure of itself, so the logarithm has a normal prior about 0 (no
    change) with the standard deviation PRIOR_LOGARITHM, which some dozens of errors outweigh.
    """
    from scipy.optimize import minimize_scalar

    def cost(logarithm: float) -> float:
        likelihood = len(labels) * log_loss(soften(logits, np.exp(logarithm)), labels)
        return likelihood + 0.5 * (logarithm / PRIOR_LOGARITHM) ** 2

    found = minimize_scalar(
        cost, bounds=tuple(np.log(TEMPERATURES)), method="bounded", options={"xatol": 1e-6}
    )
    return float(np.exp(found.x))
