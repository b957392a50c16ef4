"""Intervals: what they hold by simulation, exact limits, what is undefined."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from gossan.accuracy.blocks import MINIMUM_BLOCKS, resample, rounded
from gossan.accuracy.intervals import (
    INTERVAL_RULE,
    Kind,
    effective_blocks,
    estimate,
    exact_limits,
    from_error,
    interval,
    within,
)


def coverage(blocks, mean, icc, seed, cases=300, pixels=100, spread=0.0):
    """How often the interval of overall accuracy holds the truth, with independent blocks."""
    generator = np.random.default_rng(seed)
    hit = 0
    for case in range(cases):
        size = np.maximum(1, pixels * generator.lognormal(-(spread**2) / 2, spread, blocks))
        size = size.astype(int)
        share = generator.beta(mean * (1 / icc - 1), (1 - mean) * (1 / icc - 1), blocks)
        counts = np.stack([generator.binomial(size, share), size], axis=1)
        drawn = resample(counts, 200, case)
        right, total = counts.sum(axis=0)
        low, high = interval(right / total, drawn[:, 0] / drawn[:, 1], counts[:, 1])
        hit += low <= mean <= high
    return hit / cases


@pytest.mark.parametrize(
    ("blocks", "mean", "icc", "spread"),
    [(8, 0.7, 0.1, 0.0), (8, 0.95, 0.2, 0.0), (10, 0.95, 0.2, 0.7), (15, 0.99, 0.1, 0.0)],
)
def test_intervals_keep_what_they_say(blocks, mean, icc, spread):
    # 0.93 and more is claimed (benchmarks/intervals.py); 300 cases are three hundredths away from
    # it at most. Percentiles of the same bootstraps hold the truth in 0.70 to 0.86.
    assert coverage(blocks, mean, icc, 1, spread=spread) >= 0.915


@given(
    right=st.lists(st.integers(0, 20), min_size=MINIMUM_BLOCKS, max_size=30),
    kind=st.sampled_from([Kind.SHARE, Kind.AGREEMENT, Kind.DIFFERENCE]),
)
def test_an_interval_holds_its_value_and_has_a_width(right, kind):
    right = np.array(right)
    counts = np.stack([right, np.full(len(right), 20)], axis=1)
    drawn = resample(counts, 100, 1)
    value, samples = right.sum() / (20 * len(right)), drawn[:, 0] / drawn[:, 1]
    low, high = interval(value, samples, counts[:, 1], kind)
    assert low <= value <= high
    assert low < high
    assert (0 if kind is Kind.SHARE else -1) <= low and high <= 1


LOWEST = 0.025 ** (1 / 22)


@pytest.mark.parametrize(("value", "ends"), [(1.0, (LOWEST, 1.0)), (0.0, (0.0, 1 - LOWEST))])
def test_where_nothing_disagreed_the_limits_are_exact(value, ends):
    # 22 blocks, however many pixels: (1 - 0.95) / 2 to the power of 1 / 22.
    low, high = interval(value, np.full(100, value), np.full(22, 60))
    assert (low, high) == pytest.approx(ends)


def test_one_block_that_errs_does_not_widen_the_interval_beyond_the_exact_one():
    counts = np.stack([np.r_[10, np.full(21, 60)], np.full(22, 60)], axis=1)
    drawn = resample(counts, 500, 1)
    value = counts[:, 0].sum() / counts[:, 1].sum()
    low, high = interval(value, drawn[:, 0] / drawn[:, 1], counts[:, 1])
    assert low >= exact_limits(value, 22)[0] > 0.7
    assert value < high < 1


def test_kappa_of_a_faultless_map_reaches_below_one():
    low, high = interval(1.0, np.ones(100), np.ones(22), Kind.AGREEMENT)
    assert high == 1
    assert low == pytest.approx(2 * LOWEST - 1)


def test_a_difference_that_no_block_shows_may_still_be_there():
    low, high = interval(0.0, np.zeros(100), np.ones(22), Kind.DIFFERENCE)
    assert (-low, high) == pytest.approx((1 - LOWEST, 1 - LOWEST))
    assert np.isnan(interval(1.0, np.ones(100), np.ones(22), Kind.RATIO)).all()


def test_a_ratio_is_spread_evenly_in_its_logarithm():
    samples = np.exp(np.random.default_rng(0).normal(np.log(2), 0.1, 4000))
    low, high = interval(2.0, samples, np.ones(400), Kind.RATIO)
    assert low * high == pytest.approx(4)
    assert np.log(high / low) == pytest.approx(2 * 1.966 * 0.1, rel=0.05)


def test_exact_limits_are_those_of_the_beta_distribution():
    low, high = exact_limits(np.array([0.25, 0.9]), np.array([8.0, 30.0]))
    assert low == pytest.approx(beta.ppf(0.025, [2, 27], [7, 4]))
    assert high == pytest.approx(beta.ppf(0.975, [3, 28], [6, 3]))
    assert exact_limits(0.5, 0).tolist() == [0, 1]


def test_blocks_of_unlike_weight_count_as_fewer():
    assert effective_blocks(np.ones(9)) == pytest.approx(9)
    assert effective_blocks(np.array([97, 1, 1, 1])) == pytest.approx(1.06, abs=0.01)
    assert effective_blocks(np.zeros((3, 2))).tolist() == [0, 0]
    samples = np.random.default_rng(0).normal(0.7, 0.02, 500)
    even = interval(0.7, samples, np.ones(12))
    uneven = interval(0.7, samples, np.r_[np.full(3, 50.0), np.ones(9)])
    assert uneven[0] < even[0] < even[1] < uneven[1]


def test_fewer_than_five_blocks_state_no_interval():
    samples = np.random.default_rng(0).normal(0.5, 0.1, (100, 2))
    weights = np.ones((MINIMUM_BLOCKS, 2))
    weights[0, 0] = 0
    ends = interval(np.array([0.5, 0.5]), samples, weights)
    assert np.isnan(ends[:, 0]).all() and np.isfinite(ends[:, 1]).all()


def test_samples_that_leave_a_value_undefined_are_left_out():
    samples = np.random.default_rng(0).normal(0.5, 0.1, 100)
    whole = interval(0.5, samples, np.ones(9))
    holed = interval(0.5, np.r_[samples, np.nan, np.inf, -np.inf], np.ones(9))
    assert np.array_equal(whole, holed)
    assert np.isnan(interval(0.5, np.full(100, np.nan), np.ones(9))).all()
    assert np.isnan(interval(0.5, np.empty(0), np.ones(9))).all()


def test_an_estimate_is_a_value_with_its_interval_in_six_decimals():
    told = estimate(2 / 3, np.random.default_rng(0).normal(2 / 3, 0.05, 200), np.ones(9))
    assert told["value"] == 0.666667
    assert told["low"] == round(told["low"], 6) < 0.6 < 0.75 < told["high"]
    nothing = {"value": None, "low": None, "high": None}
    assert estimate(np.nan, np.ones(9), np.ones(4)) == nothing
    assert rounded(np.inf) is None


def test_a_sample_of_pixels_has_exact_limits_where_nothing_disagreed():
    least = 0.025 ** (1 / 60)
    assert from_error(1.0, 0.0, 60) == pytest.approx((least, 1.0))
    low, high = from_error(0.9, 0.03, 100)
    assert 0.8 < low < 0.9 - 1.9 * 0.03 < 0.9 + 1.5 * 0.03 < high < 1
    assert np.isnan(from_error(0.9, np.nan, 100)).all()
    assert within(0.2, 60) == pytest.approx([0.2 - (1 - least), 0.2 + (1 - least)])
    assert within(0.0, 60)[0] == 0


def test_the_rule_says_which_interval_it_is():
    assert "t interval" in INTERVAL_RULE and "Clopper-Pearson" in INTERVAL_RULE
    assert str(MINIMUM_BLOCKS) in INTERVAL_RULE
