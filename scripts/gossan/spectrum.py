"""What a spectrum is."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spectrum:
    """One spectrum: `wavelength_um` (n,) ascending, `reflectance` (n,) with NaN at deletions.

    `source` is the file it came from.
    """

    name: str
    wavelength_um: np.ndarray
    reflectance: np.ndarray
    source: str
