"""Continuum removal: absorptions seen against the upper convex hull of a spectrum."""

import numpy as np


def upper_hull(wavelength_um: np.ndarray, reflectance: np.ndarray) -> np.ndarray:
    """Upper convex hull of spectra, as reflectance at every valid channel.

    `wavelength_um` (n,) ascends strictly, `reflectance` is (..., n); returns (..., n). The hull
    is the lowest concave function that lies on or above all valid channels (Clark and Roush 1984,
    J. Geophys. Res. 89(B7), 6329–6340). NaN channels stay NaN and the hull spans them with a
    straight line; a spectrum without a valid channel stays all NaN.

    Raises ValueError when the wavelengths do not ascend or the shapes do not match.
    """
    wavelength = np.asarray(wavelength_um, dtype=np.float64)
    spectra = np.asarray(reflectance, dtype=np.float64)
    if wavelength.ndim != 1 or spectra.shape[-1:] != wavelength.shape:
        raise ValueError(f"shapes {wavelength.shape} and {spectra.shape} do not match")
    if np.any(np.diff(wavelength) <= 0):
        raise ValueError("wavelengths must ascend strictly")
    flat = spectra.reshape(-1, wavelength.size)
    valid = np.isfinite(flat)
    hull = np.full(flat.shape, np.nan)
    rows = np.flatnonzero(valid.any(axis=1))
    at = valid[rows].argmax(axis=1)
    hull[rows, at] = flat[rows, at]
    last = wavelength.size - 1 - valid[:, ::-1].argmax(axis=1)
    channels = np.arange(wavelength.size)
    # One step of gift wrapping for all spectra at once: from the hull point reached so far, the
    # next one is where the line of sight is steepest. Spectra have few hull points.
    while True:
        unfinished = at < last[rows]
        rows, at = rows[unfinished], at[unfinished]
        if not rows.size:
            return hull.reshape(spectra.shape)
        height = flat[rows, at][:, None]
        ahead = (channels > at[:, None]) & valid[rows]
        run = np.where(ahead, wavelength - wavelength[at][:, None], 1.0)
        slope = np.where(ahead, (flat[rows] - height) / run, -np.inf)
        # Of equal slopes the farthest point saves steps.
        best = wavelength.size - 1 - slope[:, ::-1].argmax(axis=1)
        steepest = slope[np.arange(rows.size), best][:, None]
        passed = (channels > at[:, None]) & (channels <= best[:, None]) & valid[rows]
        line = height + steepest * (wavelength - wavelength[at][:, None])
        hull[rows] = np.where(passed, line, hull[rows])
        hull[rows, best] = flat[rows, best]
        at = best


def remove_continuum(wavelength_um: np.ndarray, reflectance: np.ndarray) -> np.ndarray:
    """Reflectance divided by its upper convex hull: 1 on the hull, less in absorptions.

    `wavelength_um` (n,) ascends strictly, `reflectance` is (..., n); returns (..., n), NaN where
    the reflectance is NaN or the hull is not positive. See `upper_hull` for source and errors.
    """
    spectra = np.asarray(reflectance, dtype=np.float64)
    hull = upper_hull(wavelength_um, spectra)
    positive = np.isfinite(hull) & (hull > 0)
    quotient = np.divide(spectra, hull, out=np.full(spectra.shape, np.nan), where=positive)
    # Rounding can lift a point by an ulp above the straight line it lies on.
    return np.minimum(quotient, 1.0)
