"""Wavelet sub-bands of a whole band at once, which those of its blocks must equal."""

import numpy as np

from gossan.transforms.wavelets import Transform, split_block


def make_transform(
    wavelet: str = "sym4",
    level: int = 1,
    mode: str = "symmetric",
    kind: str = "dwt",
    gaps: str = "fill",
) -> Transform:
    """A transform, of sym4 where nothing else is said."""
    return Transform(wavelet, level, mode, kind, gaps)


def split_band(band: np.ndarray, transform: Transform) -> np.ndarray:
    """(rows, columns) -> (sub-bands, rows, columns)."""
    return split_block(band[np.newaxis], np.s_[:, :], transform)
