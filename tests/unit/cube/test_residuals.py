"""IARR and log residuals: their defining properties, and what has no answer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveys import survey_blocks

from gossan.cube.corrections import Scene
from gossan.cube.residuals import correct_iarr, correct_log_residuals
from gossan.errors import InputError
from gossan.raster import BandTable

NAMES = ("4", "5", "6", "7")
SCENE = Scene(BandTable(NAMES, (1.656, 2.167, 2.209, 2.262), (0.1, 0.04, 0.04, 0.05)), 60.0)


def ground(seed: int = 1, rows: int = 30, columns: int = 34) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.uniform(0.05, 0.6, (4, rows, columns)).astype(np.float32)


def test_iarr_by_hand():
    values = np.array([[[1.0, 3.0]], [[0.2, 0.2]], [[0.1, 0.3]], [[4.0, 0.0]]], dtype=np.float32)
    correction = correct_iarr(SCENE, survey_blocks(values))
    assert correction.parameters == {"mean": {"4": 2.0, "5": 0.2, "6": 0.2, "7": 2.0}}
    np.testing.assert_allclose(
        correction.apply(values), [[[0.5, 1.5]], [[1, 1]], [[0.5, 1.5]], [[2, 0]]], rtol=1e-6
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.floats(1e-3, 1e3), min_size=4, max_size=4))
def test_iarr_has_mean_1_in_every_band_and_forgets_gains(seed, gains):
    values = ground(seed)
    scaled = values * np.array(gains, dtype=np.float32)[:, None, None]
    values[:, 0, :5] = scaled[:, 0, :5] = np.nan
    relative = correct_iarr(SCENE, survey_blocks(scaled)).apply(scaled)
    assert relative.dtype == np.float32
    np.testing.assert_allclose(np.nanmean(relative, axis=(1, 2), dtype=float), 1.0, atol=1e-6)
    plain = correct_iarr(SCENE, survey_blocks(values)).apply(values)
    np.testing.assert_allclose(relative, plain, rtol=1e-5)


def test_iarr_takes_the_mean_of_kept_pixels_only():
    values = ground()
    kept = np.ones(values.shape[1:], dtype=bool)
    kept[:10] = False
    relative = correct_iarr(SCENE, survey_blocks(values, kept)).apply(values)
    np.testing.assert_allclose(relative[:, kept].mean(axis=1, dtype=float), 1.0, atol=1e-6)
    assert abs(relative.mean() - 1.0) > 1e-4


@pytest.mark.parametrize("value", [0.0, -0.1])
def test_iarr_refuses_a_band_without_a_positive_mean(value):
    values = ground()
    values[2] = value
    with pytest.raises(InputError, match="iarr: band 6 has a mean of"):
        correct_iarr(SCENE, survey_blocks(values))


def test_iarr_refuses_numbers_that_are_no_reflectance():
    values = ground()
    values[1, 4, 4] = 1e5
    with pytest.raises(InputError, match="band 5: holds values beyond"):
        correct_iarr(SCENE, survey_blocks(values))


def test_log_residuals_by_the_formula():
    values = ground()
    logarithm = np.log(values.astype(np.float64))
    expected = np.exp(
        logarithm
        - logarithm.mean(axis=0)
        - logarithm.mean(axis=(1, 2), keepdims=True)
        + logarithm.mean()
    )
    found = correct_log_residuals(SCENE, survey_blocks(values)).apply(values)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=2e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.floats(1e-2, 1e2), min_size=4, max_size=4))
def test_log_residuals_forget_any_gain_of_pixels_and_bands(seed, gains):
    values = ground(seed)
    slopes = np.random.default_rng(seed + 1).uniform(0.1, 3.0, values.shape[1:])
    scaled = (values * slopes * np.array(gains)[:, None, None]).astype(np.float32)
    plain = correct_log_residuals(SCENE, survey_blocks(values)).apply(values)
    found = correct_log_residuals(SCENE, survey_blocks(scaled)).apply(scaled)
    np.testing.assert_allclose(found, plain, rtol=1e-5)
    logarithm = np.log(found.astype(float))
    np.testing.assert_allclose(logarithm.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(logarithm.mean(axis=(1, 2)), 0, atol=1e-6)


def test_pixels_without_a_logarithm_become_nodata_and_are_counted():
    values = ground()
    values[1, 2, 3] = 0.0
    values[0, 4, 5] = -0.01
    values[3, 6, 7] = -1.0
    values[:, 8, 8] = np.nan
    kept = np.isfinite(values).all(axis=0)
    kept[6, 7] = False
    correction = correct_log_residuals(SCENE, survey_blocks(values, kept))
    # The masked pixel is nodata too, but it is the mask that takes it.
    assert correction.parameters["nonpositive_pixels"] == 2
    gone = np.isnan(correction.apply(values))
    assert gone.all(axis=0).sum() == gone.any(axis=0).sum() == 4


def test_log_residuals_refuse_what_has_no_answer():
    with pytest.raises(InputError, match="no pixel is above 0 in all bands"):
        correct_log_residuals(SCENE, survey_blocks(-ground()))
    single = Scene(BandTable(("4",), (1.656,), (0.1,)), 60.0)
    with pytest.raises(InputError, match="band 4 alone"):
        correct_log_residuals(single, survey_blocks(ground()[:1]))
