"""Three bands of a cube as red, green and blue: the composites that geologists look at first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gossan.raster import BandTable

LOW_PERCENT, HIGH_PERCENT = 2, 98
"""Percentiles of a band that become dark and light."""
WITHOUT = 0
"""Value of a picture where there is no data; its colours are 1 to 255."""


@dataclass(frozen=True)
class Composite:
    """Wavelengths (µm) shown as red, green and blue, a `name` for files, and what is seen."""

    name: str
    title: str
    centres_um: tuple[float, float, float]
    shows: str


TRUE_COLOUR = Composite(
    "true-colour", "True colour", (0.655, 0.561, 0.482), "What an eye would see"
)
FALSE_COLOUR = Composite(
    "false-colour",
    "False colour",
    (2.2, 0.865, 0.561),
    "TM 7-4-2: clays, micas and carbonates dark in red, so green to blue; iron oxides "
    "orange to red; plants green",
)
SHORT_WAVE = Composite(
    "short-wave",
    "Short-wave infrared",
    (1.656, 2.209, 2.336),
    "ASTER 4-6-8: Al-OH (sericite, clays) pink to purple, Mg-OH and carbonate yellow to green",
)
NEAR_INFRARED = Composite(
    "near-infrared",
    "Near infrared (plants are red)",
    (0.807, 0.661, 1.656),
    "ASTER 3-2-4: plants red, bare ground blue to cyan",
)
SHORT_WAVE_BROAD = Composite(
    "short-wave-broad",
    "Short-wave infrared, broad bands",
    (2.2, 1.61, 0.655),
    "OLI 7-6-4: hydroxyl-bearing ground cyan, iron oxides yellow to red",
)
COLOUR_INFRARED = Composite(
    "colour-infrared",
    "Colour infrared",
    (0.84, 0.66, 0.56),
    "Film of old: plants red, ferric iron yellow to green",
)
COMPOSITES = (TRUE_COLOUR, FALSE_COLOUR, SHORT_WAVE, NEAR_INFRARED)
"""Composites in order of preference where few are drawn, the last two for sensors without blue."""
PICTURES = (TRUE_COLOUR, FALSE_COLOUR, SHORT_WAVE, SHORT_WAVE_BROAD, COLOUR_INFRARED)
"""Composites that become rasters."""
STRETCHED = (SHORT_WAVE, FALSE_COLOUR, COLOUR_INFRARED)
"""Composites whose bands are decorrelated, the first that a sensor has."""


def nearest_bands(bands: "BandTable", centres_um: Sequence[float]) -> list[int]:
    """Bands nearest to three wavelengths; [] unless they are three, each within a tenth of it."""
    picked = closest_bands(bands, centres_um)
    near = [
        abs(bands.centre_um[band] - wanted) <= 0.1 * wanted
        for band, wanted in zip(picked, centres_um, strict=False)
    ]
    return picked if all(near) and len(set(picked)) == len(picked) else []


def closest_bands(bands: "BandTable", centres_um: Sequence[float]) -> list[int]:
    """The band nearest to each wavelength, however far; [] where bands have none."""
    centre = np.asarray(bands.centre_um)
    return [int(np.abs(centre - wanted).argmin()) for wanted in centres_um] if len(centre) else []


def find_limits(values: np.ndarray) -> tuple[float, float]:
    """What of a sample (n,) is drawn dark and light; NaN is left out.

    Of values that are all one, or none, a range of some width about them.
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(one) for one in np.percentile(finite, (LOW_PERCENT, HIGH_PERCENT)))
    least = max(1e-6, 1e-6 * abs(low))
    return (low, high) if high - low > least else (low - least, low + least)


def paint_bands(block: np.ndarray, limits: Sequence[tuple[float, float]]) -> np.ndarray:
    """Bands (3, rows, columns) as uint8, 1 at or below their lower limit to 255 at the upper.

    WITHOUT in all bands where one has no value.
    """
    low, high = (np.array(side, np.float32).reshape(-1, 1, 1) for side in zip(*limits, strict=True))
    return to_picture((block - low) / (high - low))


def to_picture(shares: np.ndarray) -> np.ndarray:
    """Brightness (3, rows, columns), 0 to 1, held inside, as uint8; WITHOUT where one is NaN."""
    known = np.isfinite(shares).all(axis=0)
    picture = np.rint(1 + 254 * np.clip(np.where(known, shares, 0.0), 0.0, 1.0))
    return np.where(known, picture, WITHOUT).astype(np.uint8)
