"""Principal components of a scene's bands, those of a few bands, and decorrelation stretches.

All are linear in the bands, from means and covariances of a sample of pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import eigh

from gossan.transforms.band_ratios import PLACES

if TYPE_CHECKING:
    from gossan.raster import BandTable

STRETCH_DEVIATIONS = 3.0
"""Standard deviations from the mean that a stretched band shows on each side."""
LEAST_VARIANCE = 1e-4
"""Share of a band's variance below which a direction of a decorrelation stretch is noise."""

# Pixels worked on at once, so that they stay in the cache.
CHUNK = 16384


@dataclass(frozen=True)
class Components:
    """Linear combinations of bands, weights @ x - offsets, whose mean over the sample is 0.

    `weights` are (components, bands), `offsets` (components,); `variances` (components,) are
    those of the sample.
    """

    weights: np.ndarray
    offsets: np.ndarray
    variances: np.ndarray

    def take(self, places: Sequence[int]) -> "Components":
        """The components at these places."""
        chosen = list(places)
        return Components(self.weights[chosen], self.offsets[chosen], self.variances[chosen])


def find_components(sample: np.ndarray) -> Components:
    """All principal components of a sample (n, bands) without NaN, that of most variance first.

    The largest weight of each is positive.
    """
    values = sample.astype(np.float64)
    mean = values.mean(axis=0)
    apart = values - mean
    covariance = apart.T @ apart / max(len(values) - 1, 1)
    variances, vectors = eigh(covariance)
    weights = vectors.T[::-1]
    largest = weights[np.arange(len(weights)), np.abs(weights).argmax(axis=1)]
    weights = weights * np.where(largest < 0, -1.0, 1.0)[:, np.newaxis]
    return Components(weights, weights @ mean, np.maximum(variances[::-1], 0.0))


def combine_bands(block: np.ndarray, components: Components) -> np.ndarray:
    """Components (components, rows, columns) float32 of a block (bands, rows, columns).

    NaN where a band has no value.
    """
    flat = block.reshape(len(block), -1)
    weights = components.weights.astype(np.float32)
    result = np.empty((len(weights), flat.shape[1]), np.float32)
    # Band by band: the last bits of a matrix product would depend on how the scene is cut.
    for start in range(0, flat.shape[1], CHUNK):
        strip = result[:, start : start + CHUNK]
        strip[:] = -components.offsets.astype(np.float32)[:, np.newaxis]
        for band, values in enumerate(flat[:, start : start + CHUNK].astype(np.float32)):
            strip += weights[:, band, np.newaxis] * values
    return result.reshape(-1, *block.shape[1:])


@dataclass(frozen=True)
class Selection:
    """Four bands of which one component sets two apart, after Crósta and Moore (1989).

    `places` are PLACES of band_ratios, each with others that stand in for it; `light` and `dark`
    the two of them that the mineral reflects and absorbs the most.
    """

    name: str
    places: tuple[tuple[str, ...], ...]
    light: int
    dark: int


SELECTIONS = (
    Selection("hydroxyl", (("blue", "green"), ("near",), ("1.66",), ("broad 2.2", "2.21")), 2, 3),
    Selection("iron", (("blue", "green"), ("red",), ("near",), ("1.66",)), 1, 0),
)
"""Bands 1, 4, 5, 7 and 1, 3, 4, 5 of the Thematic Mapper (Loughlin 1991)."""


def find_selected(bands: "BandTable", selection: Selection) -> list[int]:
    """Places of the four bands of a selection among a cube's bands; [] where one lacks."""
    every = range(len(bands.names))
    found = []
    for names in selection.places:
        near = [PLACES[name].find(bands, every) for name in names] if bands.centre_um else []
        found.append(next((place for place in near if place is not None), None))
    return [] if None in found or len(set(found)) < len(found) else found


def find_selective(sample: np.ndarray, light: int, dark: int) -> Components:
    """The component of a sample (n, bands) that sets bands `light` and `dark` the most apart.

    Of the components in which the two weigh with opposite signs, the one of the largest product
    of both weights, turned so that `light` is positive. It holds what the two bands do not share
    with the rest, wherever in the order of variances it stands.
    """
    components = find_components(sample)
    contrast = -components.weights[:, light] * components.weights[:, dark]
    chosen = components.take([int(contrast.argmax())])
    sign = -1.0 if chosen.weights[0, light] < 0 else 1.0
    return Components(chosen.weights * sign, chosen.offsets * sign, chosen.variances)


def place_among(components: Components, bands: Sequence[int], every: Sequence[int]) -> Components:
    """The components with the bands `every` in place of `bands`, which are among them."""
    places = [list(every).index(band) for band in bands]
    weights = np.zeros((len(components.weights), len(every)))
    weights[:, places] = components.weights
    return Components(weights, components.offsets, components.variances)


def add_components(parts: Sequence[Components]) -> Components:
    """The sum of single components of the same bands, each brought to their mean deviation."""
    deviations = [float(np.sqrt(max(part.variances[0], 1e-30))) for part in parts]
    usual = sum(deviations) / len(parts)
    scales = [usual / deviation for deviation in deviations]
    return Components(
        sum(part.weights * scale for part, scale in zip(parts, scales, strict=True)),
        sum(part.offsets * scale for part, scale in zip(parts, scales, strict=True)),
        np.array([usual**2]),
    )


def decorrelate(sample: np.ndarray) -> Components:
    """What stretches three bands to no correlation and a variance of 1 each, of (n, 3) without NaN.

    Bands are brought to a variance of 1, turned to their principal components, stretched there
    and turned back, so that hues stay near those of the bands (Gillespie, Kahle and Walker 1986,
    Remote Sensing of Environment 20, 209-235).
    """
    values = sample.astype(np.float64)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    scaled = (values - mean) / deviation
    variances, vectors = eigh(scaled.T @ scaled / max(len(values), 1))
    gains = 1.0 / np.sqrt(np.maximum(variances, LEAST_VARIANCE))
    weights = (vectors * gains) @ vectors.T / deviation
    return Components(weights, weights @ mean, np.ones(len(weights)))


def stretch_shares(values: np.ndarray) -> np.ndarray:
    """Brightness from 0 to 1 of stretched values: 0.5 at the mean."""
    return 0.5 + values / np.float32(2 * STRETCH_DEVIATIONS)
