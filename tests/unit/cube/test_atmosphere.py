"""Dark objects and what subtracts them, the plan of a sequence and how it is solved."""

import functools

import numpy as np
import pytest
from surveys import survey_blocks

from gossan.cube.atmosphere import (
    METHODS,
    apply_corrections,
    is_relative,
    plan_methods,
    solve_corrections,
)
from gossan.cube.corrections import Scene
from gossan.cube.dark_objects import count_levels, find_dark_objects, solve_cost, solve_dos1
from gossan.errors import InputError
from gossan.raster import BandTable

BANDS = BandTable(("B1", "B2", "B3"), (0.44, 0.65, 2.2), (0.02, 0.04, 0.19))


def test_dark_object_is_the_tenth_darkest_of_a_small_band():
    values = np.arange(1, 101, dtype=np.float32).reshape(1, 10, 10) / 1000
    np.testing.assert_allclose(find_dark_objects(count_levels(values)), [0.010], atol=1e-9)


def test_dark_object_of_a_large_band_is_its_lowest_ten_thousandth():
    # 400 x 500 pixels: 0.01 % is 20 of them.
    values = np.full(200_000, 0.3, dtype=np.float32)
    values[:19] = 0.011
    values[19:25] = 0.0457
    counts = count_levels(values.reshape(1, 400, 500))
    np.testing.assert_allclose(find_dark_objects(counts), [0.0457], atol=1e-9)


def test_dark_object_of_few_pixels_is_the_last_of_them_and_nan_does_not_count():
    values = np.array([[[0.2, np.nan], [0.1, np.nan]]], dtype=np.float32)
    counts = count_levels(values)
    assert counts.sum() == 2
    np.testing.assert_allclose(find_dark_objects(counts), [0.2], atol=1e-9)
    with pytest.raises(InputError, match="no observed pixel"):
        find_dark_objects(count_levels(np.full((1, 2, 2), np.nan, dtype=np.float32)))


def test_values_beyond_the_levels_count_at_the_ends():
    counts = count_levels(np.array([[[-9.0, 9.0]]], dtype=np.float32))
    assert counts[0, 0] == counts[0, -1] == 1


def test_merged_blocks_count_as_the_whole():
    scene = np.random.default_rng(1).normal(0.2, 0.1, (3, 64, 64)).astype(np.float32)
    scene[:, :5] = np.nan
    parts = [count_levels(scene[:, :, i : i + 16]) for i in range(0, 64, 16)]
    np.testing.assert_array_equal(functools.reduce(np.add, parts), count_levels(scene))


def constant_counts(*values: float) -> np.ndarray:
    block = np.ones((len(values), 5, 5), dtype=np.float32)
    block *= np.array(values, dtype=np.float32)[:, None, None]
    return count_levels(block)


def test_dos1_by_hand():
    # Dark object 0.105: path = 0.105 - 0.01 = 0.095, and nothing is divided.
    correction = solve_dos1(constant_counts(0.105, 0.055, 0.015), Scene(BANDS, 30.0))
    block = np.array([[[0.35, 0.105]], [[0.3, 0.055]], [[0.26, 0.015]]], dtype=np.float32)
    found = correction.apply(block)
    assert found.dtype == np.float32
    expected = [[[0.255, 0.01]], [[0.255, 0.01]], [[0.255, 0.01]]]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert "transmittance" not in correction.parameters
    assert correction.parameters["dark_object"] == {"B1": 0.105, "B2": 0.055, "B3": 0.015}
    assert correction.parameters["path_reflectance"] == {"B1": 0.095, "B2": 0.045, "B3": 0.005}
    assert correction.parameters["path_held_by_shorter_bands"] == []


def test_cost_by_hand():
    # Sun at 30°: T = 0.5 up to 1 µm, 1 beyond. Dark object 0.105: path = 0.105 - 0.005 = 0.100.
    # 0.35 at the top -> (0.35 - 0.1) / 0.5 = 0.5; the dark object itself -> 0.01.
    correction = solve_cost(constant_counts(0.105, 0.055, 0.015), Scene(BANDS, 30.0))
    block = np.array([[[0.35, 0.105]], [[0.3, 0.055]], [[0.26, 0.015]]], dtype=np.float32)
    expected = [[[0.5, 0.01]], [[0.5, 0.01]], [[0.255, 0.01]]]
    np.testing.assert_allclose(correction.apply(block), expected, atol=1e-6)
    assert correction.method == "cost"
    assert correction.parameters["transmittance"] == {"B1": 0.5, "B2": 0.5, "B3": 1.0}
    assert correction.parameters["path_reflectance"] == {"B1": 0.1, "B2": 0.05, "B3": 0.005}


@pytest.mark.parametrize("solve", [solve_dos1, solve_cost])
def test_the_path_is_neither_negative_nor_rising_with_wavelength(solve):
    # The sun overhead, where both are the same.
    scene = Scene(BANDS, 90.0)
    assert solve(constant_counts(0.002, 0.002, 0.0), scene).parameters["path_reflectance"] == {
        "B1": 0.0,
        "B2": 0.0,
        "B3": 0.0,
    }
    bright = solve(constant_counts(0.105, 0.055, 0.2), scene).parameters
    assert bright["path_reflectance"] == {"B1": 0.095, "B2": 0.045, "B3": 0.045}
    assert bright["path_held_by_shorter_bands"] == ["B3"]
    # By wavelength, not by the order of the bands.
    table = BandTable(("S", "V"), (2.2, 0.44), (0.19, 0.02))
    swapped = solve(constant_counts(0.2, 0.105), Scene(table, 90.0)).parameters
    assert swapped["path_reflectance"] == {"S": 0.095, "V": 0.095}


def test_corrections_chain_in_order():
    scene = Scene(BANDS, 30.0)
    first = solve_dos1(constant_counts(0.105, 0.055, 0.015), scene)
    block = np.full((3, 2, 2), 0.35, dtype=np.float32)
    np.testing.assert_array_equal(
        apply_corrections(block, [first, first]), first.apply(first.apply(block))
    )
    assert apply_corrections(block, []) is block


def test_plan():
    assert plan_methods(["none"], False, 45.0, 7) == ([], [])
    assert plan_methods(["iarr"], False, 45.0, 7) == (["iarr"], [])
    chosen, (note,) = plan_methods(["dos1"], True, 45.0, 7)
    assert chosen == []
    assert note.startswith("dos1 was skipped")


@pytest.mark.parametrize("name", ["dos1", "cost"])
@pytest.mark.parametrize("surface", [False, None])
def test_where_a_level_2_product_would_be_better_is_told(name, surface):
    chosen, (note,) = plan_methods([name], surface, 45.0, 7)
    assert chosen == [name]
    assert note.startswith(f"{name} takes off haze alone")
    assert "Level-2 product" in note


def test_what_needs_more_bands_is_skipped():
    assert plan_methods(["iarr", "quac"], False, 45.0, 3) == (["iarr", "quac"], [])
    chosen, notes = plan_methods(["iarr", "quac"], False, 45.0, 2)
    assert chosen == ["iarr"]
    assert notes == ["quac was skipped: it needs 3 bands, and there are 2"]


def test_what_needs_the_sun_is_skipped_where_nothing_is_known_of_it():
    chosen, notes = plan_methods(["dos1", "cost", "quac"], None, None, 7)
    assert chosen == ["quac"]
    assert notes == [
        "dos1 was skipped: nothing is known of the sun's elevation",
        "cost was skipped: nothing is known of the sun's elevation",
    ]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["flaash"], "'flaash' is unknown; use none or a sequence of: dos1, cost, iarr"),
        (["none", "dos1"], "none stands alone"),
        (["dos1", "dos1"], "names a method twice"),
    ],
)
def test_plan_refuses(names, words):
    with pytest.raises(InputError, match=words):
        plan_methods(names, False, 45.0, 7)


@pytest.mark.parametrize(
    ("names", "relative"),
    [
        ([], False),
        (["dos1"], False),
        (["dos1", "iarr"], True),
        (["iarr", "log_residuals", "quac"], False),
        (["quac", "log_residuals", "dos1"], True),
    ],
)
def test_what_a_sequence_returns_is_known(names, relative):
    assert is_relative(names) is relative


def test_each_method_sees_what_the_ones_before_return():
    top = np.random.default_rng(4).uniform(0.2, 0.8, (3, 40, 40)).astype(np.float32)
    scene = Scene(BANDS, 30.0)
    passes = []

    def survey(corrections, collect, merge):
        passes.append([correction.method for correction in corrections])
        return survey_blocks(apply_corrections(top, corrections))(collect, merge)

    methods = ["dos1", "iarr", "log_residuals"]
    corrections = solve_corrections(methods, scene, survey)
    assert [correction.method for correction in corrections] == methods
    assert passes == [[], ["dos1"], ["dos1", "iarr"]]
    dos1 = METHODS["dos1"].solve(scene, survey_blocks(top))
    iarr = METHODS["iarr"].solve(scene, survey_blocks(dos1.apply(top)))
    assert corrections[1].parameters == iarr.parameters
    values = apply_corrections(top, corrections[:2])
    np.testing.assert_allclose(values.mean(axis=(1, 2), dtype=float), 1, atol=1e-6)


@pytest.mark.parametrize("block", [(7, 9), (16, 40), (40, 2)])
@pytest.mark.parametrize("methods", [["log_residuals"], ["iarr", "log_residuals", "dos1"]])
def test_no_division_into_blocks_changes_a_bit(methods, block):
    top = np.random.default_rng(5).gamma(2.0, 0.1, (3, 40, 40)).astype(np.float32)
    top[:, 3:6, 10:30] = np.nan
    kept = np.isfinite(top).all(axis=0)
    kept[20, 20] = False

    def solve(size):
        def survey(corrections, collect, merge):
            values = apply_corrections(top, corrections)
            good = kept & np.isfinite(values).all(axis=0)
            return survey_blocks(values, good, size, shuffle=True)(collect, merge)

        return apply_corrections(top, solve_corrections(methods, Scene(BANDS, 30.0), survey))

    np.testing.assert_array_equal(solve(block), solve((40, 40)))
