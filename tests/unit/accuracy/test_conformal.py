"""Conformal limits: the quantile, what it guarantees, and where it says nothing."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossan.accuracy.conformal import answer_sets, class_limits, conformal_limit
from gossan.errors import InputError


def test_the_limit_is_the_quantile_of_one_score_more():
    scores = np.arange(1, 20) / 20
    assert conformal_limit(scores, 0.9) == 18 / 20
    assert conformal_limit(scores[::-1], 0.5) == 10 / 20
    # 20 scores: ceil(21 * 0.9) = 19.
    assert conformal_limit(np.arange(20.0), 0.9) == 18.0


def test_too_few_scores_exclude_nothing():
    assert conformal_limit(np.arange(8.0), 0.9) == math.inf
    assert conformal_limit(np.arange(9.0), 0.9) == 8.0
    assert conformal_limit(np.zeros(0), 0.5) == math.inf


@pytest.mark.parametrize("coverage", [0.0, 1.0, -0.1, 1.5, math.nan])
def test_a_coverage_that_is_no_share_is_refused(coverage):
    with pytest.raises(InputError, match="coverage"):
        conformal_limit(np.arange(5.0), coverage)


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("calibration", [25, 100, 400])
def test_exchangeable_scores_are_covered_as_asked(coverage, calibration):
    """Over many draws, the chance is that of the rank: between asked and asked + 1/(m + 1)."""
    generator = np.random.default_rng(calibration)
    draws = 4000
    scores = generator.gamma(2.0, size=(draws, calibration + 1))
    kept = sum(row[-1] <= conformal_limit(row[:-1], coverage) for row in scores)
    exact = math.ceil(round((calibration + 1) * coverage, 9)) / (calibration + 1)
    assert coverage <= exact <= coverage + 1 / (calibration + 1)
    error = math.sqrt(exact * (1 - exact) / draws)
    assert abs(kept / draws - exact) < 4 * error


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 10), min_size=1, max_size=60), st.floats(0.05, 0.95))
def test_the_limit_covers_its_own_scores(values, coverage):
    scores = np.array(values)
    limit = conformal_limit(scores, coverage)
    assert (scores <= limit).mean() >= coverage


def test_each_mineral_has_the_limit_of_its_own_spectra():
    truth = np.repeat([0, 1, 2], 50)
    scores = np.zeros((150, 2))
    scores[truth == 1, 0] = np.arange(50)
    scores[truth == 2, 1] = np.arange(50) * 10
    held = truth[:, None] == [1, 2]
    assert class_limits(scores, held, 0.9).tolist() == [45.0, 450.0]
    assert class_limits(scores, held & [True, False], 0.9).tolist() == [45.0, math.inf]


def test_answers_hold_the_minerals_within_their_limits():
    scores = np.array([[0.1, 0.9], [0.3, 0.3], [np.nan, np.nan], [0.2, 5.0]], np.float32)
    found = answer_sets(scores, np.array([0.25, math.inf]))
    assert found.tolist() == [[True, True], [False, True], [False, False], [True, True]]
