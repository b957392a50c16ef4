"""Pixels that come as a bare MATLAB matrix: read safely, freed of dead channels and an offset."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gossan.errors import InputError
from gossan.files import write_text
from gossan.library.readers import read_envi_wavelengths

MOST_VALUES = 2**27
"""Values that a matrix may have; 1 GiB as it is held."""


@dataclass(frozen=True, eq=False)
class Pixels:
    """Pixels (n, C) over ascending wavelengths (C,) in µm, without dead or doubled channels.

    `dead`, `doubled` and `outside` (of the range asked for) are the places (from 0) of the
    channels left out; `zero` is the value that was taken off as that of no reflectance.
    """

    wavelength_um: np.ndarray
    values: np.ndarray
    dead: tuple[int, ...]
    doubled: tuple[int, ...]
    outside: tuple[int, ...]
    zero: float


def read_matrix(path: str | Path, variable: str) -> np.ndarray:
    """A matrix (n, C) float64 of a MATLAB file up to version 7.

    Only this variable is read, once its declared size is known to be in bounds. Raises InputError,
    naming the file, for one that is missing or damaged, and for a variable that is missing, no
    matrix of real numbers, or has values that are not finite.
    """
    from scipy.io import loadmat, whosmat

    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file; give a MATLAB file (.mat)")
    try:
        shapes = {name: shape for name, shape, _ in whosmat(path, appendmat=False)}
    except Exception as error:
        # SciPy raises a dozen kinds of errors, without a common base, for what is no MATLAB file.
        raise InputError(
            f"{path}: no readable MATLAB file; save it with -v7, or give a CSV to name_spectra.py"
        ) from error
    shape = shapes.get(variable)
    if shape is None:
        raise InputError(f"{path}: no variable {variable!r}; it has {', '.join(sorted(shapes))}")
    if len(shape) != 2 or not 2 <= np.prod(shape, dtype=float) <= MOST_VALUES:
        raise InputError(
            f"{path}: {variable} is {' x '.join(map(str, shape))}; give pixels x channels"
        )
    try:
        values = loadmat(path, appendmat=False, variable_names=[variable])[variable]
    except Exception as error:
        raise InputError(f"{path}: {variable} is damaged; download the file again") from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "uif":
        raise InputError(f"{path}: {variable} is no matrix of real numbers; name another variable")
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise InputError(f"{path}: {variable} has values that are not finite; leave them out")
    return values


def clean_pixels(
    values: np.ndarray, wavelength_um: np.ndarray, range_um: tuple[float, float], where: str
) -> Pixels:
    """Pixels (n, C) of a matrix called `where`, ready to be named.

    A channel that has one value in all pixels is dead. Dead channels hold no light: the value that
    all of them have is what no reflectance became by whatever scaling the matrix went through, and
    it is taken off, so that what is left is reflectance but for a factor. Of overlapping detectors
    the first one's channels go from where the second begins. Channels outside of `range_um`, ends
    included, go too: at the ends of its range an instrument may be all but dead.

    Raises InputError where the numbers of channels differ, where the range leaves fewer than two,
    and where each channel was scaled by itself, which leaves spectra no shape: dead channels then
    have several values, or all others the same smallest and the same largest.
    """
    wavelength = np.asarray(wavelength_um, np.float64)
    if values.shape[1] != wavelength.size:
        raise InputError(
            f"{where}: {values.shape[1]} channels, {wavelength.size} wavelengths; give the "
            "instrument's own"
        )
    dead = (values == values[0]).all(axis=0)
    levels = np.unique(values[0, dead])
    live = values[:, ~dead]
    alike = live.shape[1] > 1 and all(
        np.ptp(ends) <= 1e-9 * np.ptp(live) for ends in (live.min(axis=0), live.max(axis=0))
    )
    if dead.all() or levels.size > 1 or alike:
        raise InputError(
            f"{where}: its channels were not scaled alike, so its spectra have no shape; give "
            "reflectance"
        )
    zero = float(levels[0]) if levels.size else 0.0
    later = np.minimum.accumulate(wavelength[::-1])[::-1]
    doubled = np.append(wavelength[:-1] >= later[1:], False) & ~dead
    outside = ((wavelength < range_um[0]) | (wavelength > range_um[1])) & ~dead & ~doubled
    kept = ~dead & ~doubled & ~outside
    if kept.sum() < 2:
        raise InputError(
            f"{where}: no channels are left from {range_um[0]:g} to {range_um[1]:g} µm; widen "
            "the range"
        )
    return Pixels(
        wavelength[kept],
        values[:, kept] - zero,
        tuple(np.flatnonzero(dead).tolist()),
        tuple(np.flatnonzero(doubled).tolist()),
        tuple(np.flatnonzero(outside).tolist()),
        zero,
    )


def read_pixels(
    path: str | Path, variable: str, wavelengths: str | Path, range_um: tuple[float, float]
) -> Pixels:
    """Pixels of a MATLAB file, whose wavelengths are those of an ENVI library's header.

    See `clean_pixels`.
    """
    values = read_matrix(path, variable)
    return clean_pixels(values, read_envi_wavelengths(wavelengths), range_um, str(path))


def write_pixels(path: str | Path, pixels: Pixels) -> None:
    """Write pixels as a table that `libraries.read_csv` reads: a column each, in their order."""
    count = len(pixels.values)
    digits = len(str(count))
    lines = [["wavelength_um", *(f"pixel{row:0{digits}d}" for row in range(1, count + 1))]]
    for wavelength, column in zip(pixels.wavelength_um, pixels.values.T, strict=True):
        lines.append([f"{wavelength:.6g}", *(f"{value:.6f}" for value in column)])
    write_text(path, "\n".join(",".join(line) for line in lines) + "\n")
