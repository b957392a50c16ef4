"""The last step before the cube is stored: what range its numbers are brought to."""

from collections.abc import Callable

import numpy as np

from gossan.cube.corrections import Correction, Scene, Survey, as_column, by_band
from gossan.errors import InputError


def clip_reflectance(reflectance: np.ndarray) -> np.ndarray:
    """Reflectance held within 0 to 1, NaN kept; same shape and type."""
    return np.clip(reflectance, 0.0, 1.0)


def normalise_minmax(scene: Scene, survey: Survey) -> Correction:
    """Each band stretched from its lowest to its highest valid value, to 0-1. One pass.

    Raises InputError, naming the band, where all valid values are the same.
    """

    def collect(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
        valid = values[:, kept]
        # The largest of the negated values is the lowest: one function merges both.
        return np.stack([side.max(axis=1, initial=np.float32(-np.inf)) for side in (-valid, valid)])

    negated, highest = survey(collect, np.maximum)
    lowest = -negated
    for name, low, high in zip(scene.bands.names, lowest, highest, strict=True):
        if not high > low:
            raise InputError(
                f"minmax: band {name} is {low:.6g} everywhere, so it has no range to stretch; "
                "leave the band out or use another normalisation"
            )
    offset, span = as_column(lowest), as_column(highest - lowest)
    return Correction(
        "minmax",
        lambda values: (values - offset) / span,
        {"minimum": by_band(scene.bands, lowest), "maximum": by_band(scene.bands, highest)},
    )


NORMALISATIONS: dict[str, Callable[[Scene, Survey], Correction]] = {
    "clip": lambda scene, survey: Correction("clip", clip_reflectance),
    "minmax": normalise_minmax,
    "none": lambda scene, survey: Correction("none", lambda reflectance: reflectance),
}


def check_normalisation(name: str, relative: bool) -> None:
    """Raise InputError for a normalisation that would destroy what is `relative`, around 1."""
    if relative and name == "clip":
        raise InputError(
            "normalisation: clip would cut half of each band off at 1, because iarr and "
            "log_residuals give values around 1; use minmax or none"
        )
