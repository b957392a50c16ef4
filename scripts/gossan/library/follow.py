"""Library spectra in the units of a cube: what was done to the cube is done to them."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from gossan.errors import InputError

MEANS = {"iarr": "mean", "log_residuals": "geometric_mean"}
"""Where the record of a cube tells the scene's own mean that a correction divided by."""
TINY = 1e-6


def follow_cube(
    reflectance: np.ndarray, bands: Sequence[str], record: Mapping, what: str
) -> np.ndarray:
    """Spectra (n, bands) in the units of the cube whose record this is.

    Corrections to reflectance leave them as they are. After `iarr` they are divided by the
    scene's means, after `log_residuals` by its geometric means and their own (Green and Craig
    1985, JPL Publication 85-41), after `minmax` stretched as the bands were. `what` names the
    record in messages. Raises InputError where the record does not tell the numbers.
    """
    spectra = np.asarray(reflectance, np.float64)
    _refuse_untold(record, what)
    for correction in record.get("corrections", []):
        method = correction["method"]
        if method == "quac":
            # Whatever came before, what it returns is reflectance.
            spectra = np.asarray(reflectance, np.float64)
        if method not in MEANS:
            continue
        means = _of_bands(correction.get(MEANS[method], {}), bands, method, what)
        spectra = spectra / means
        if method == "log_residuals":
            logs = np.log(np.maximum(spectra, TINY))
            spectra = spectra / np.exp(logs.mean(axis=1, keepdims=True))
    if record.get("normalisation") == "minmax":
        found = record.get("normalisation_range", {})
        low = _of_bands(found.get("minimum", {}), bands, "minmax", what)
        high = _of_bands(found.get("maximum", {}), bands, "minmax", what)
        spectra = (spectra - low) / (high - low)
    return spectra


def relative_steps(tags: Mapping[str, str]) -> list[str]:
    """What made a cube with these tags relative, so that it is no reflectance; empty if it is."""
    done = re.split(r"[ ,]+", tags.get("ATMOSPHERE", ""))
    if "quac" in done:
        done = done[len(done) - done[::-1].index("quac") :]
    methods = [method for method in done if method in MEANS]
    return methods + (["minmax"] if tags.get("NORMALISATION") == "minmax" else [])


def require_reflectance(tags: Mapping[str, str], what: str) -> None:
    """InputError, naming `what`, for a cube whose tags say that it is no reflectance."""
    methods = relative_steps(tags)
    if methods:
        raise InputError(
            f"{what}: is relative, after {methods[0]}, while the library is reflectance; give the "
            "cube's record, which the library can follow"
        )


def _refuse_untold(record: Mapping, what: str) -> None:
    """InputError for a cube, such as a stack, whose record names corrections without numbers."""
    named = re.split(r"[ ,]+", f"{record.get('atmosphere', '')} {record.get('normalisation', '')}")
    told = [correction["method"] for correction in record.get("corrections", [])]
    told += ["minmax"] if record.get("normalisation") == "minmax" else []
    for method in (*MEANS, "minmax"):
        if method in named and method not in told:
            raise InputError(
                f"{what}: names {method} and does not tell what it did to each band, so the "
                f"library cannot follow; make the cube without {method}"
            )


def _of_bands(values: Mapping, bands: Sequence[str], method: str, what: str) -> np.ndarray:
    missing = [name for name in bands if name not in values]
    if missing:
        raise InputError(
            f"{what}: does not tell what {method} did to band {missing[0]}, so the library cannot "
            f"follow; make the cube without {method}"
        )
    return np.array([values[name] for name in bands])
