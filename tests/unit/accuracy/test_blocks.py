"""Spatial blocks: every pixel in one block, whole blocks drawn, and when an interval is stated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossan.accuracy import blocks as module
from gossan.accuracy.blocks import (
    Bootstrap,
    SpatialBlocks,
    draw_blocks,
    gather,
    resample,
)
from gossan.errors import InputError


def block_counts(n=30, classes=3, seed=5):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 20, (n, classes, classes)) + 30 * np.eye(classes, dtype=int)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 45))
def test_blocks_are_squares_numbered_row_by_row_and_cover_the_grid(rows, columns, side):
    spatial = SpatialBlocks((rows, columns), side)
    number = spatial.number(*np.indices((rows, columns)))
    down, across = spatial.counts
    expected = np.kron(np.arange(down * across).reshape(down, across), np.ones((side, side), int))
    np.testing.assert_array_equal(number, expected[:rows, :columns])
    assert np.unique(number).size == down * across


@given(st.integers(1, 9), st.integers(1, 11), st.integers(1, 11))
@settings(deadline=None)
def test_a_window_finds_its_pixels_among_the_blocks_of_the_scene(side, height, width):
    spatial = SpatialBlocks((17, 19), side)
    whole = np.arange(np.prod(spatial.counts)).reshape(spatial.counts)
    number = spatial.number(*np.indices((17, 19)))
    for row in range(0, 17, height):
        for column in range(0, 19, width):
            part = number[row : row + height, column : column + width]
            window = spatial.window(part.shape, row, column)
            touched = whole[window.slices]
            assert touched.shape == window.shape
            assert touched.size == window.count
            np.testing.assert_array_equal(touched.ravel()[window.number], part)


def test_a_pixel_beyond_the_grid_has_the_nearest_block():
    spatial = SpatialBlocks((10, 14), 4)
    row, column = spatial.nearest(np.array([-3, 5, 99]), np.array([-1, 20, 6]))
    assert row.tolist() == [0, 1, 2]
    assert column.tolist() == [0, 3, 1]


def test_what_pixels_hold_is_summed_by_block_in_the_order_of_their_numbers():
    values = np.array([[1, 10], [2, 20], [4, 40], [8, 80]])
    np.testing.assert_array_equal(
        gather(np.array([7, 3, 7, 9]), values), [[2, 20], [5, 50], [8, 80]]
    )
    assert gather(np.zeros(0, int), np.zeros((0, 2))).shape == (0, 2)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((0, 1000, 1), "spatial-block-px: 0 is too small; give at least 1"),
        ((10, 99, 1), "bootstrap: 99 is too small; give at least 100"),
        ((10, 1000, -1), "seed: -1 is too small; give at least 0"),
    ],
)
def test_numbers_that_make_no_interval_are_refused(numbers, said):
    with pytest.raises(InputError, match=said):
        Bootstrap(*numbers)


def test_a_block_of_no_pixels_is_refused():
    with pytest.raises(InputError, match="spatial-block-px"):
        SpatialBlocks((10, 10), 0)
    assert Bootstrap(4, 100, 0).over((9, 8)) == SpatialBlocks((9, 8), 4)


def test_the_bootstrap_is_seeded_and_keeps_whole_blocks():
    counts = block_counts()
    first = resample(counts, 50, seed=1)
    np.testing.assert_array_equal(first, resample(counts, 50, seed=1))
    np.testing.assert_array_equal(
        resample(counts, 100, seed=1), Bootstrap(8, 100, 1).resample(counts)
    )
    assert not np.array_equal(first, resample(counts, 50, seed=2))
    one_kind = np.repeat(counts[:1], 7, axis=0)
    np.testing.assert_array_equal(resample(one_kind, 3, seed=1), np.repeat(7 * counts[:1], 3, 0))


def test_each_sample_draws_as_many_blocks_as_there_are():
    ((start, drawn),) = draw_blocks(12, 200, 3)
    assert start == 0
    assert (drawn.sum(axis=1) == 12).all()
    assert drawn.mean(axis=0) == pytest.approx(1, abs=0.4)


def test_what_no_block_holds_stays_nothing_and_shapes_are_kept():
    counts = block_counts()
    counts[:, 1] = 0
    drawn = resample(counts, 20, seed=4)
    assert drawn.shape == (20, 3, 3)
    assert not drawn[:, 1].any()
    np.testing.assert_array_equal(drawn[:, 0], resample(counts[:, 0], 20, seed=4))


def test_draws_that_are_kept_are_those_that_would_be_drawn_again(monkeypatch):
    counts = block_counts(40)
    kept = resample(counts, 150, 3)
    monkeypatch.setattr(module, "KEPT_DRAWS", 0)
    monkeypatch.setattr(module, "_DRAWN_AT_ONCE", 700)
    assert len(list(draw_blocks(40, 150, 3))) > 2
    np.testing.assert_array_equal(resample(counts, 150, 3), kept)
