"""Anomalies by MAD: agreement with scipy, exact histograms, thresholds, settings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import median_abs_deviation

from gossan.errors import InputError
from gossan.zones.anomalies import (
    Rule,
    Spread,
    count_levels,
    encode_anomalies,
    keep_anomalies,
    mark_anomalies,
    spread_of_counts,
)


@given(
    stored=arrays.arrays("int16", st.integers(1, 200)),
    cut=st.integers(0, 200),
)
def test_histograms_of_blocks_are_exact(stored, cut):
    valid = stored != -32768
    values = stored[valid].astype(np.float64)
    blocks = [stored[None, None, :cut], stored[None, None, cut:]]
    counts = sum(count_levels(block, block != -32768) for block in blocks)[0]
    if not values.size or median_abs_deviation(values) == 0:
        with pytest.raises(InputError, match="B4: "):
            spread_of_counts(counts, -32768, "B4")
        return
    spread = spread_of_counts(counts, -32768)
    assert spread.pixels == valid.sum()
    assert spread.median == np.median(values)
    assert spread.mad == median_abs_deviation(values)
    assert spread.mean == pytest.approx(values.mean(), rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16"])
def test_every_small_integer_type_is_counted_over_its_whole_range(dtype):
    limits = np.iinfo(dtype)
    stored = np.array([[[limits.min, limits.max, limits.max]]], dtype)
    counts = count_levels(stored)
    assert counts.shape == (1, limits.max - limits.min + 1)
    assert (counts[0, 0], counts[0, -1], counts.sum()) == (1, 2, 3)


def test_other_types_are_refused():
    with pytest.raises(InputError, match="float32 cannot be counted"):
        count_levels(np.zeros((1, 2, 2), "float32"))


def rule_of(n=1.5, centre="median", side="high"):
    return Rule(n, centre, side)


VALUES = np.array([1, 2, 3, 4, 100], "int16")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (rule_of(), [0, 0, 0, 0, 1]),
        (rule_of(n=0.5), [0, 0, 0, 1, 1]),
        (rule_of(n=1.0), [0, 0, 0, 0, 1]),
        (rule_of(side="low"), [1, 0, 0, 0, 0]),
        (rule_of(side="both"), [1, 0, 0, 0, 1]),
        (rule_of(centre="mean"), [0, 0, 0, 0, 1]),
        (rule_of(centre="mean", side="low"), [1, 1, 1, 1, 0]),
    ],
)
def test_rules(rule, expected):
    spread = spread_of_counts(count_levels(VALUES[None, None])[0], -32768)
    assert spread == Spread(5, 3.0, 22.0, 1.0)
    assert mark_anomalies(VALUES, *rule.thresholds(spread)).tolist() == [bool(v) for v in expected]


def test_a_value_on_the_threshold_is_ordinary_and_nan_is_no_anomaly():
    values = np.array([4.5, np.nextafter(np.float32(4.5), np.float32(5)), np.nan], "float32")
    assert mark_anomalies(values, -np.inf, 4.5).tolist() == [False, True, False]


def test_anomalies_do_not_change_with_scale_and_offset():
    stored = np.random.default_rng(1).integers(0, 9000, (50, 50)).astype("int16")
    counts = count_levels(stored[None])[0]
    spread = spread_of_counts(counts, -32768)
    low, high = rule_of(side="both").thresholds(spread)
    physical = stored * 1e-4 - 0.1
    mad = median_abs_deviation(physical, axis=None)
    own = Spread(physical.size, np.median(physical), physical.mean(), mad)
    again = rule_of(side="both").thresholds(own)
    np.testing.assert_allclose(np.array([low, high]) * 1e-4 - 0.1, again, rtol=1e-12)
    rescaled = spread.rescale(1e-4, -0.1)
    assert rescaled.mad == pytest.approx(own.mad)
    assert rescaled.median == pytest.approx(own.median)


def test_codes():
    codes = encode_anomalies(np.array([True, False, True]), np.array([True, True, False]))
    assert (codes.dtype, codes.tolist()) == (np.uint8, [1, 0, 255])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([2] * 9, "band 6: its MAD is 0"),
        ([1, 1, 1, 5, 6], "band 6: its MAD is 0"),
        ([], "band 6: has no valid pixel"),
    ],
)
def test_bands_without_spread_are_named(values, message):
    counts = count_levels(np.array([[values]], "int16"))[0]
    with pytest.raises(InputError, match=message):
        spread_of_counts(counts, -32768, "band 6")


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"n": 0}, "n 0 is"),
        ({"n": float("nan")}, "n nan is"),
        ({"centre": "mode"}, "centre 'mode'"),
        ({"side": "up"}, "side 'up'"),
    ],
)
def test_settings_without_meaning_are_refused(settings_, message):
    with pytest.raises(InputError, match=message):
        rule_of(**settings_)


def test_of_anomalies_alone_values_or_marks_are_kept():
    values = np.array([[0.2, 0.9, np.nan, 0.7]], np.float32)
    codes = np.array([[0, 1, 255, 255]], np.uint8)
    for kept, wanted in (("values", [0, 0.9, np.nan, 0]), ("marks", [0, 1, np.nan, 0])):
        found = keep_anomalies(values, codes, kept)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, np.array([wanted], np.float32))
