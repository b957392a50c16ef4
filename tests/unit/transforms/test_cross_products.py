"""Sums of products of rows are those of plain arithmetic, exact where numbers are integers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossan.transforms.cross_products import add_products, make_rows, make_sums


def sum_up(values, dtype, parts=1):
    """Sums (rows, rows) of values (rows, n), added up in so many parts."""
    rows = make_rows(*values.shape, dtype)
    rows[: len(values), : values.shape[1]] = values
    sums = make_sums(rows)
    for _ in range(parts):
        add_products(rows, sums)
    lower = sums[: len(values), : len(values)]
    return np.tril(lower) + np.tril(lower, -1).T


@settings(deadline=None)
@given(
    count=st.integers(1, 14),
    length=st.integers(1, 300),
    reach=st.sampled_from([0, 1, 200, 5000, 32767]),
    dtype=st.sampled_from(["int16", "float64"]),
    seed=st.integers(0, 99),
)
def test_sums_of_integers_are_exact(count, length, reach, dtype, seed):
    values = np.random.default_rng(seed).integers(-reach, reach + 1, (count, length))
    np.testing.assert_array_equal(sum_up(values, dtype, 2), 2 * values @ values.T)


@pytest.mark.parametrize("number", [1, 181, 182, 23170, 32767, -32767])
def test_the_largest_numbers_do_not_overflow(number):
    values = np.full((5, 40_000), number)
    values[1] = -number
    np.testing.assert_array_equal(sum_up(values, "int16"), values @ values.T)


def test_sums_of_fractions_are_right_to_rounding():
    values = np.random.default_rng(1).standard_normal((9, 1001))
    np.testing.assert_allclose(sum_up(values, "float64"), values @ values.T, rtol=1e-12, atol=1e-11)
