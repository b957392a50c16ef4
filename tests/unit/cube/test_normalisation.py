"""Clip, min–max and none."""

import numpy as np
import pytest
from surveys import survey_blocks

from gossan.cube.corrections import Scene
from gossan.cube.normalisation import NORMALISATIONS, check_normalisation
from gossan.errors import InputError
from gossan.raster import BandTable

SCENE = Scene(BandTable(("4", "5"), (1.656, 2.167), (0.1, 0.04)), 60.0)


def no_survey(collect, merge):
    raise AssertionError("needs no pass")


def test_clip_and_none():
    block = np.array([[[-0.1, 0.5, 1.7, np.nan]]], dtype=np.float32)
    clip, none = (NORMALISATIONS[name](SCENE, no_survey) for name in ("clip", "none"))
    np.testing.assert_array_equal(
        clip.apply(block), np.array([[[0, 0.5, 1, np.nan]]], dtype=np.float32)
    )
    np.testing.assert_array_equal(none.apply(block), block)
    assert clip.parameters == none.parameters == {}


@pytest.mark.parametrize("offset", [0.0, 1.0, -3e-3])
def test_minmax_spans_exactly_0_to_1_over_valid_pixels(offset):
    values = np.random.default_rng(3).normal(offset, 0.02, (2, 50, 61)).astype(np.float32)
    values[:, :3] = np.nan
    kept = np.isfinite(values).all(axis=0)
    values[:, 10, 10] = 7.0
    kept[10, 10] = False
    stretched = NORMALISATIONS["minmax"](SCENE, survey_blocks(values, kept)).apply(values)
    assert stretched.dtype == np.float32
    assert (stretched[:, kept].min(axis=1) == 0).all()
    assert (stretched[:, kept].max(axis=1) == 1).all()


def test_minmax_forgets_gain_and_offset_and_keeps_the_order():
    values = np.random.default_rng(3).uniform(0.1, 0.6, (2, 20, 20)).astype(np.float32)
    minmax = NORMALISATIONS["minmax"]
    plain = minmax(SCENE, survey_blocks(values)).apply(values)
    other = values * np.float32(3) - np.float32(0.4)
    np.testing.assert_allclose(minmax(SCENE, survey_blocks(other)).apply(other), plain, atol=1e-6)
    np.testing.assert_array_equal(np.argsort(plain[0].ravel()), np.argsort(values[0].ravel()))


def test_minmax_says_what_it_stretched():
    values = np.array([[[0.1, 0.3]], [[-2.0, 4.0]]], dtype=np.float32)
    correction = NORMALISATIONS["minmax"](SCENE, survey_blocks(values, block=(1, 1)))
    assert correction.parameters == {
        "minimum": {"4": 0.1, "5": -2.0},
        "maximum": {"4": 0.3, "5": 4.0},
    }


def test_minmax_refuses_a_constant_band():
    values = np.random.default_rng(3).uniform(0.1, 0.6, (2, 20, 20)).astype(np.float32)
    values[1] = 0.25
    with pytest.raises(InputError, match=r"minmax: band 5 is 0\.25 everywhere"):
        NORMALISATIONS["minmax"](SCENE, survey_blocks(values))


def test_clip_does_not_suit_ratios():
    check_normalisation("clip", relative=False)
    check_normalisation("minmax", relative=True)
    check_normalisation("none", relative=True)
    with pytest.raises(InputError, match="clip would cut half of each band off at 1"):
        check_normalisation("clip", relative=True)
