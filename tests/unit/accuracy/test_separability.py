"""Separation of a zone by ranks: agreement with scikit-learn, ties, intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from gossan.accuracy.separability import rank_area, rank_interval


@given(
    zone=st.lists(st.integers(0, 9), min_size=1, max_size=30),
    rest=st.lists(st.integers(0, 9), min_size=1, max_size=30),
)
def test_the_area_is_that_of_scikit_learn(zone, rest):
    counts = [np.bincount(side, minlength=10) for side in (zone, rest)]
    expected = roc_auc_score([1] * len(zone) + [0] * len(rest), zone + rest)
    assert rank_area(*counts) == pytest.approx(expected)
    assert rank_area(*counts[::-1]) == pytest.approx(1 - expected)


def test_an_empty_side_has_no_area():
    assert np.isnan(rank_area(np.zeros(4), np.ones(4)))
    stacked = rank_area(np.array([[0, 1], [1, 0]]), np.array([[1, 0], [0, 1]]))
    assert stacked.tolist() == [1.0, 0.0]


def test_the_interval_holds_the_area_and_narrows_with_more_blocks():
    generator = np.random.default_rng(4)
    widths = []
    for blocks in (40, 640):
        zone = generator.poisson(np.linspace(1, 3, 16), (blocks, 16))
        rest = generator.poisson(np.linspace(3, 1, 16), (blocks, 16))
        area = float(rank_area(zone.sum(axis=0), rest.sum(axis=0)))
        low, high = rank_interval(zone, rest, area, 400, 1)
        assert low < area < high
        assert (low, high) == rank_interval(zone, rest, area, 400, 1)
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_too_few_blocks_give_no_interval():
    zone, rest = np.zeros((9, 4)), np.ones((9, 4))
    zone[:4] = 1
    assert np.isnan(rank_interval(zone, rest, 0.5, 100, 1)).all()
