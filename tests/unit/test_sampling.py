import numpy as np

from gossan.sampling import pixel_priorities, smallest_of_each


def test_the_smallest_of_each_stratum_by_stratum_and_priority():
    priority = np.array([5, 1, 4, 2, 3, 0])
    stratum = np.array([0, 0, 2, 0, 2, 2])
    assert smallest_of_each(priority, stratum, 2).tolist() == [1, 3, 5, 4]
    assert smallest_of_each(priority, stratum, np.array([1, 9, 3])).tolist() == [1, 5, 4, 2]
    assert smallest_of_each(priority, stratum, 0).tolist() == []


def test_ties_decide_where_priorities_are_equal():
    row, column = np.array([2, 1, 1, 0]), np.array([0, 4, 3, 9])
    priority, stratum = np.array([7, 7, 7, 8]), np.zeros(4, int)
    assert smallest_of_each(priority, stratum, 3).tolist() == [0, 1, 2]
    assert smallest_of_each(priority, stratum, 4, (row, column)).tolist() == [2, 1, 0, 3]


def test_priorities_are_those_of_the_place_and_the_seed():
    row, column = (axis.ravel() for axis in np.mgrid[:100, :120])
    priority = pixel_priorities(row, column, 3)
    assert len(np.unique(priority)) == priority.size
    part = np.s_[1000:2000]
    np.testing.assert_array_equal(pixel_priorities(row[part], column[part], 3), priority[part])
    assert not np.isin(priority, pixel_priorities(row, column, 4)).any()
    # The first number of SplitMix64 from the state 0.
    assert pixel_priorities(np.array([0]), np.array([0]), 0)[0] == 0xE220A8397B1DCDAF
