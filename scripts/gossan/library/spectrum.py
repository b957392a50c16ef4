"""What a spectrum is."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spectrum:
    """One spectrum: `wavelength_um` (n,) ascending, `reflectance` (n,) with NaN at deletions.

    `source` is the file it came from; `modelled` says that it was computed, not measured; `unit`
    is the one that its file tells the wavelengths in, "" where it tells none.
    """

    name: str
    wavelength_um: np.ndarray
    reflectance: np.ndarray
    source: str
    modelled: bool = False
    unit: str = ""
