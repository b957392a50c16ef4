"""Dark objects, the COST correction, the plan of a sequence and the normalisation."""

import functools

import numpy as np
import pytest

from gossan.atmosphere import (
    METHODS,
    NORMALISATIONS,
    Scene,
    apply_corrections,
    count_levels,
    find_dark_objects,
    plan_methods,
    solve_dos1,
)
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
    method = METHODS["dos1"]
    kept = np.ones((64, 16), dtype=bool)
    parts = [method.collect(scene[:, :, i : i + 16], kept) for i in range(0, 64, 16)]
    np.testing.assert_array_equal(functools.reduce(method.merge, parts), count_levels(scene))


def constant_counts(*values: float) -> np.ndarray:
    block = np.ones((len(values), 5, 5), dtype=np.float32)
    block *= np.array(values, dtype=np.float32)[:, None, None]
    return count_levels(block)


def test_dos1_by_hand():
    # Sun at 30°: T = 0.5. Dark object 0.105: path = 0.105 - 0.005 = 0.100.
    # 0.35 at the top -> (0.35 - 0.1) / 0.5 = 0.5; the dark object itself -> 0.01.
    correction = solve_dos1(constant_counts(0.105, 0.055, 0.015), Scene(BANDS, 30.0))
    block = np.array([[[0.35, 0.105]], [[0.3, 0.055]], [[0.26, 0.015]]], dtype=np.float32)
    expected = [[[0.5, 0.01]], [[0.5, 0.01]], [[0.5, 0.01]]]
    found = correction.apply(block)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert correction.parameters["transmittance"] == 0.5
    assert correction.parameters["dark_object"] == {"B1": 0.105, "B2": 0.055, "B3": 0.015}
    assert correction.parameters["path_reflectance"] == {"B1": 0.1, "B2": 0.05, "B3": 0.01}
    assert correction.parameters["path_held_by_shorter_bands"] == []


def test_dos1_path_is_neither_negative_nor_rising_with_wavelength():
    scene = Scene(BANDS, 30.0)
    assert solve_dos1(constant_counts(0.002, 0.002, 0.0), scene).parameters["path_reflectance"] == {
        "B1": 0.0,
        "B2": 0.0,
        "B3": 0.0,
    }
    bright = solve_dos1(constant_counts(0.105, 0.055, 0.2), scene).parameters
    assert bright["path_reflectance"] == {"B1": 0.1, "B2": 0.05, "B3": 0.05}
    assert bright["path_held_by_shorter_bands"] == ["B3"]
    # By wavelength, not by the order of the bands.
    table = BandTable(("S", "V"), (2.2, 0.44), (0.19, 0.02))
    swapped = solve_dos1(constant_counts(0.2, 0.105), Scene(table, 30.0)).parameters
    assert swapped["path_reflectance"] == {"S": 0.1, "V": 0.1}


def test_corrections_chain_in_order():
    scene = Scene(BANDS, 30.0)
    first = solve_dos1(constant_counts(0.105, 0.055, 0.015), scene)
    block = np.full((3, 2, 2), 0.35, dtype=np.float32)
    np.testing.assert_array_equal(
        apply_corrections(block, [first, first]), first.apply(first.apply(block))
    )
    assert apply_corrections(block, []) is block


def test_plan():
    assert plan_methods(["none"], surface_reflectance=False) == ([], [])
    assert plan_methods(["dos1"], surface_reflectance=False) == (["dos1"], [])
    chosen, (note,) = plan_methods(["dos1"], surface_reflectance=True)
    assert chosen == []
    assert note.startswith("dos1 was skipped")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["flaash"], "'flaash' is unknown; use none or a sequence of: dos1"),
        (["none", "dos1"], "none stands alone"),
        (["dos1", "dos1"], "names a method twice"),
    ],
)
def test_plan_refuses(names, words):
    with pytest.raises(InputError, match=words):
        plan_methods(names, surface_reflectance=False)


def test_normalisations():
    block = np.array([[[-0.1, 0.5, 1.7, np.nan]]], dtype=np.float32)
    np.testing.assert_array_equal(
        NORMALISATIONS["clip"](block), np.array([[[0, 0.5, 1, np.nan]]], dtype=np.float32)
    )
    np.testing.assert_array_equal(NORMALISATIONS["none"](block), block)
