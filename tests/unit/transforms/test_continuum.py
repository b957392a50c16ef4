"""Continuum removal against the definition of the upper hull."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossan.transforms.continuum import remove_continuum, upper_hull

WAVELENGTH = np.array([0.4, 0.5, 0.7, 1.0, 1.6, 2.0, 2.5])
reflectances = st.lists(st.floats(0.01, 1.0), min_size=7, max_size=7).map(np.array)


def hull_by_definition(wavelength, reflectance):
    """The highest of all chords over each channel."""
    hull = reflectance.copy()
    for i in range(len(wavelength)):
        for j in range(i + 1, len(wavelength)):
            inside = slice(i, j + 1)
            chord = np.interp(wavelength[inside], wavelength[[i, j]], reflectance[[i, j]])
            hull[inside] = np.maximum(hull[inside], chord)
    return hull


@given(reflectances)
@settings(max_examples=60, deadline=None)
def test_hull_is_the_highest_chord_and_touches_the_ends(reflectance):
    hull = upper_hull(WAVELENGTH, reflectance)
    np.testing.assert_allclose(hull, hull_by_definition(WAVELENGTH, reflectance), rtol=1e-12)
    assert hull[0] == reflectance[0]
    assert hull[-1] == reflectance[-1]


@given(reflectances)
@settings(max_examples=60, deadline=None)
def test_quotient_lies_in_0_1(reflectance):
    quotient = remove_continuum(WAVELENGTH, reflectance)
    assert np.all((quotient > 0) & (quotient <= 1))
    assert quotient[0] == quotient[-1] == 1


def test_absorption_on_a_slope_keeps_its_depth():
    wavelength = np.linspace(2.0, 2.4, 41)
    slope = 0.9 - 0.5 * (wavelength - 2.0)
    band = 1 - 0.3 * np.exp(-0.5 * ((wavelength - 2.2) / 0.02) ** 2)
    quotient = remove_continuum(wavelength, slope * band)
    np.testing.assert_allclose(quotient, band, atol=1e-6)


def test_gaps_stay_gaps_and_the_hull_spans_them():
    reflectance = np.array([0.2, 0.4, np.nan, 0.4, 0.3, np.nan, 0.2])
    quotient = remove_continuum(WAVELENGTH, reflectance)
    np.testing.assert_array_equal(np.isnan(quotient), np.isnan(reflectance))
    valid = np.isfinite(reflectance)
    np.testing.assert_allclose(
        quotient[valid], remove_continuum(WAVELENGTH[valid], reflectance[valid])
    )


def test_many_spectra_at_once_equal_one_by_one():
    spectra = np.random.default_rng(3).uniform(0.05, 0.9, size=(4, 5, 7))
    spectra[1, 2] = np.nan
    spectra[0, 0, [0, 6]] = np.nan
    together = remove_continuum(WAVELENGTH, spectra)
    assert np.isnan(together[1, 2]).all()
    for row, single in zip(together.reshape(-1, 7), spectra.reshape(-1, 7), strict=True):
        np.testing.assert_array_equal(row, remove_continuum(WAVELENGTH, single))


def test_wrong_shapes_and_descending_wavelengths_are_refused():
    with pytest.raises(ValueError, match="do not match"):
        upper_hull(WAVELENGTH, np.ones(6))
    with pytest.raises(ValueError, match="ascend"):
        upper_hull(WAVELENGTH[::-1], np.ones(7))
