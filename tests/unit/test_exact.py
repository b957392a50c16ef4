"""Sums that do not depend on their order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossan import exact
from gossan.errors import InputError
from gossan.exact import exact_sums, to_means


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-4000, 4000, width=32), min_size=1, max_size=60), st.randoms())
def test_neither_order_nor_grouping_changes_a_sum(numbers, random):
    whole = exact_sums(np.array([numbers], dtype=np.float32), ["4"])
    random.shuffle(numbers)
    cut = random.randint(0, len(numbers))
    parts = [
        exact_sums(np.array([part], dtype=np.float32), ["4"])
        for part in (numbers[:cut], numbers[cut:])
    ]
    assert parts[0] + parts[1] == whole
    (mean,) = to_means(whole, len(numbers))
    np.testing.assert_allclose(mean, np.mean(numbers), atol=1e-9, rtol=1e-12)


def test_long_rows_are_summed_in_pieces(monkeypatch):
    values = np.random.default_rng(1).normal(size=(2, 1000)).astype(np.float32)
    whole = exact_sums(values, ["4", "5"])
    monkeypatch.setattr(exact, "CHUNK", 7)
    assert (exact_sums(values, ["4", "5"]) == whole).all()


def test_the_largest_sum_fits():
    values = np.full((1, exact.CHUNK), np.nextafter(np.float32(4096), np.float32(0)))
    assert to_means(exact_sums(values, ["4"]), exact.CHUNK)[0] == values[0, 0]


@pytest.mark.parametrize("value", [4096.0, -5000.0, np.inf, np.nan])
def test_numbers_beyond_the_limit_are_refused_by_band(value):
    with pytest.raises(InputError, match="band 5: holds values beyond ±4096"):
        exact_sums(np.array([[1.0, 2.0], [value, 0.0]]), ["4", "5"])
