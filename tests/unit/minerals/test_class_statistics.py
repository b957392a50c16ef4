"""Statistics of class maps: merged from blocks, they equal those of the whole."""

import numpy as np
import pytest

from gossan.minerals.class_statistics import (
    NO_PIXELS,
    ClassSummary,
    Pixels,
    best_pixels,
    measure_classes,
    merge_best,
    merge_moments,
    select_best,
)

CODES = (2, 12, 6)


@pytest.fixture
def maps():
    """A class map with a hole, angles with many ties, and a cube of 4 bands."""
    generator = np.random.default_rng(11)
    classes = generator.choice([0, 2, 12, 255], (30, 50), p=[0.2, 0.4, 0.3, 0.1]).astype(np.uint8)
    angle = (generator.integers(0, 40, classes.shape) / 400).astype(np.float32)
    angle[classes == 255] = np.nan
    cube = generator.normal(1000, 1, (4, 30, 50))
    cube[:, classes == 255] = np.nan
    return classes, angle, cube


def blocks(maps, rows, columns):
    classes, angle, cube = maps
    for row in range(0, 30, rows):
        for column in range(0, 50, columns):
            part = np.s_[row : row + rows, column : column + columns]
            yield classes[part], angle[part], cube[:, *part], (row, column)


def summarise(maps, rows, columns, most=1000):
    parts = [
        ClassSummary.of_block(classes, angle, cube, CODES, most, origin)
        for classes, angle, cube, origin in blocks(maps, rows, columns)
    ]
    total = parts[0]
    for part in parts[1:]:
        total = total.merge(part, most)
    return total


@pytest.mark.parametrize(("rows", "columns"), [(30, 50), (7, 11), (1, 1)])
def test_moments_of_blocks_are_those_of_the_whole(maps, rows, columns):
    classes, _, cube = maps
    moments = summarise(maps, rows, columns).moments
    for place, code in enumerate(CODES):
        own = cube[:, classes == code]
        assert moments.count[place] == own.shape[1]
        if own.shape[1]:
            assert np.allclose(moments.mean[place], own.mean(axis=1), rtol=1e-12)
            assert np.allclose(moments.std[place], own.std(axis=1), rtol=1e-9)
        else:
            assert np.isnan(moments.mean[place]).all()
            assert np.isnan(moments.std[place]).all()


def test_moments_leave_out_pixels_without_data():
    cube = np.array([[[1.0, np.nan, 3.0]], [[2.0, 2.0, 2.0]]])
    moments = measure_classes(cube, np.full((1, 3), 2, np.uint8), [2])
    assert moments.count.tolist() == [2]
    assert moments.mean.tolist() == [[2.0, 2.0]]
    assert moments.std.tolist() == [[1.0, 0.0]]


def test_merging_nothing_changes_nothing(maps):
    classes, _, cube = maps
    some = measure_classes(cube, classes, CODES)
    nothing = measure_classes(cube, np.full_like(classes, 255), CODES)
    for merged in (merge_moments(some, nothing), merge_moments(nothing, some)):
        assert np.array_equal(merged.count, some.count)
        assert np.array_equal(merged.mean, some.mean, equal_nan=True)
        assert np.array_equal(merged.squares, some.squares)


@pytest.mark.parametrize("most", [1, 17, 300, 5000])
def test_the_best_pixels_do_not_depend_on_the_blocks(maps, most):
    classes, angle, _ = maps
    for rows, columns in ((30, 50), (7, 11), (3, 50)):
        best = summarise(maps, rows, columns, most).best
        for code, chosen in zip(CODES, best, strict=True):
            row, column = np.nonzero(classes == code)
            order = np.lexsort((column, row, angle[row, column]))[:most]
            assert np.array_equal(chosen.row, row[order])
            assert np.array_equal(chosen.column, column[order])
            assert np.array_equal(chosen.angle, angle[row, column][order])


def test_ties_at_the_end_go_by_position():
    pixels = Pixels(
        np.array([0.2, 0.1, 0.2, 0.2], np.float32), np.array([3, 9, 1, 1]), np.array([0, 0, 5, 2])
    )
    chosen = select_best(pixels, 3)
    assert chosen.row.tolist() == [9, 1, 1]
    assert chosen.column.tolist() == [0, 2, 5]


def test_merging_with_no_pixels_keeps_what_is_there(maps):
    classes, angle, _ = maps
    best = best_pixels(angle, classes, CODES, 10)
    merged = merge_best(best, [NO_PIXELS] * 3, 10)
    assert [len(one) for one in merged] == [10, 10, 0]
    assert all(np.array_equal(one.row, other.row) for one, other in zip(merged, best, strict=True))


def test_counts_and_unknown_codes(maps):
    classes, _, _ = maps
    summary = summarise(maps, 8, 8)
    assert summary.counts.sum() == classes.size
    assert summary.counts[2] == (classes == 2).sum()
    assert summary.valid == (classes != 255).sum()
    assert summary.unknown_codes(CODES) == []
    assert summary.unknown_codes([2]) == [12]
