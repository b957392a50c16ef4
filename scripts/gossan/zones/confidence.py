"""Fixed ranges: the normalised low-pass sub-band of a band, read as confidence in a zone.

Each band's LL sub-band is scaled to 0-1 between its smallest and its largest valid value of the
scene; a range of the scaled value means medium, another high confidence, as the study sets them.
The rule has no training. It reads brightness, not the shape of the spectrum, so its ranges belong
to the scene that they were found on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gossan.errors import InputError
from gossan.legend import NODATA, MapClass

LOW_PASS = "LL"
NONE, MEDIUM, HIGH = 0, 1, 2
CONFIDENCE = (
    MapClass(MEDIUM, "medium", "Medium confidence", "#F0B429", kind="confidence"),
    MapClass(HIGH, "high", "High confidence", "#C2410C", kind="confidence"),
)


@dataclass(frozen=True)
class Levels:
    """Ranges of the scaled LL that mean medium and high confidence.

    A range holds its lower end and not its upper end, so that neighbouring ranges share no value;
    only 1, the brightest value of the scene, belongs to the range that ends there.
    """

    medium: tuple[float, float]
    high: tuple[float, float]

    def __post_init__(self) -> None:
        """Raise InputError for ranges outside 0 to 1, empty, overlapping or in another order."""
        for name, (low, high) in (("medium", self.medium), ("high", self.high)):
            if not 0 <= low < high <= 1:
                raise InputError(
                    f"{name}: {low:g} to {high:g} is no range within 0 to 1; give its lower and "
                    "upper end"
                )
        if self.medium[1] > self.high[0]:
            raise InputError(
                f"medium ends at {self.medium[1]:g}, high begins at {self.high[0]:g}; let high "
                "begin where medium ends, or above"
            )


def low_pass_bands(names: Sequence[str], what: str) -> tuple[str, ...]:
    """The bands of a sub-band file that have an LL; InputError, naming `what`, if none has."""
    ending = f" {LOW_PASS}"
    bands = tuple(name.removesuffix(ending) for name in names if name.endswith(ending))
    if not bands:
        raise InputError(
            f"{what}: has no {LOW_PASS} of any band (it has: {', '.join(names)}); give what "
            "transform_wavelets.py wrote"
        )
    return bands


def low_pass_places(names: Sequence[str], bands: Sequence[str], what: str) -> list[int]:
    """Where the LL of each of `bands` stands among a sub-band file's band names ("4 LL", …).

    Raises InputError naming `what` and the bands that it has no LL of.
    """
    places = {name: place for place, name in enumerate(names)}
    missing = [band for band in bands if f"{band} {LOW_PASS}" not in places]
    if missing:
        has = [name.removesuffix(f" {LOW_PASS}") for name in names if name.endswith(LOW_PASS)]
        raise InputError(
            f"{what}: has no {LOW_PASS} of band {', '.join(missing)} (it has: "
            f"{', '.join(has) or 'none'}); transform the bands that the study names"
        )
    return [places[f"{band} {LOW_PASS}"] for band in bands]


def find_extremes(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest finite value of each band of (bands, rows, columns).

    A band without a finite value gives infinity and minus infinity, so that extremes of blocks
    merge by minimum and maximum.
    """
    finite = np.isfinite(block)
    low = np.where(finite, block, np.inf).min(axis=(1, 2))
    high = np.where(finite, block, -np.inf).max(axis=(1, 2))
    return low.astype(np.float64), high.astype(np.float64)


def require_contrast(
    low: np.ndarray, high: np.ndarray, bands: Sequence[str], what: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the extremes of all bands; InputError for a band without data or of one value."""
    for band, least, most in zip(bands, low, high, strict=True):
        if not least <= most:
            raise InputError(f"{what}: the {LOW_PASS} of band {band} has no valid pixel; check it")
        if least == most:
            raise InputError(
                f"{what}: the {LOW_PASS} of band {band} is {least:g} everywhere and cannot be "
                "scaled; leave the band out"
            )
    return low, high


def scale_low_pass(block: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Scale (bands, rows, columns) so that each band's `low` becomes 0 and its `high` 1.

    Returns float64: the ends of the ranges are decimal fractions, which single precision would
    move across many pixels.
    """
    low, high = (np.asarray(edge, np.float64)[:, None, None] for edge in (low, high))
    return (block.astype(np.float64) - low) / (high - low)


def map_confidence(scaled: np.ndarray, levels: Levels) -> np.ndarray:
    """Confidence of scaled LL values, uint8 of the same shape.

    0 none, 1 medium, 2 high, 255 where the value is not finite. Ranges hold their lower end and
    not their upper end, but for an upper end of 1 (see Levels).
    """
    codes = np.full(scaled.shape, NONE, np.uint8)
    for code, (low, high) in ((MEDIUM, levels.medium), (HIGH, levels.high)):
        below = scaled <= high if high == 1 else scaled < high
        codes[(scaled >= low) & below] = code
    codes[~np.isfinite(scaled)] = NODATA
    return codes
