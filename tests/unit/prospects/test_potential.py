import numpy as np
import pytest
from prospects import NAMES, ROWS, pixel_box, write_shapes
from rasterio.crs import CRS
from rasterio.transform import from_origin
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.prospects.potential import (
    HIGH,
    LOW,
    MEDIUM,
    check_thresholds,
    classify_potential,
    grade_weights,
    open_hosts,
    score_potential,
)
from gossan.raster import Grid

GRID = Grid(CRS.from_epsg(32643), from_origin(430_000, 3_990_000, 30, 30), 180, 150)
LEVELS = (0.34, 0.67)
WEIGHTS = grade_weights(NAMES, "iron.csv")


def certain(name):
    """Probabilities (7, 1, 1) of a pixel of one class beyond doubt."""
    return (np.array(NAMES) == name).astype("float32")[:, None, None]


@pytest.mark.parametrize(
    ("grade", "score", "potential"),
    [("high", 1, HIGH), ("moderate", 2 / 3, MEDIUM), ("low", 1 / 3, LOW)],
)
@pytest.mark.parametrize("mineral", ["hematite", "itabirite"])
def test_a_certain_grade_has_its_own_score_and_potential(mineral, grade, score, potential):
    found = score_potential(certain(f"{mineral}-{grade}"), WEIGHTS)
    assert found.dtype == np.float32
    assert found.item() == pytest.approx(score)
    assert classify_potential(found, *LEVELS).item() == potential


def test_the_score_is_the_expected_grade_whatever_the_mineral():
    values = np.array([0.3, 0.1, 0.05, 0.2, 0.1, 0.05, 0.2], "float32")[:, None, None]
    expected = 0.5 * 1 + 0.2 * 2 / 3 + 0.1 / 3
    assert score_potential(values, WEIGHTS).item() == pytest.approx(expected)
    swapped = values[[3, 4, 5, 0, 1, 2, 6]]
    assert score_potential(swapped, WEIGHTS).item() == pytest.approx(expected)


def test_only_hosting_ground_scores_and_gaps_stay_gaps():
    values = np.repeat(certain("hematite-high"), 3, axis=2)
    values[2, 0, 2] = np.nan
    hosting = np.array([[True, False, False]])
    score = score_potential(values, WEIGHTS, hosting)
    assert score[0, :2].tolist() == [1, 0]
    assert np.isnan(score[0, 2])
    assert classify_potential(score, *LEVELS).tolist() == [[HIGH, LOW, 255]]


def test_a_threshold_belongs_to_the_class_above_in_single_precision():
    score = np.array([0.1, 0.34, 0.3399, 0.67, 0.6699, 1.0, np.nan], "float32")
    assert classify_potential(score, *LEVELS).tolist() == [1, 2, 1, 3, 2, 3, 255]
    assert classify_potential(np.array([0.1, 0.2], "float32"), 0.1, 0.2).tolist() == [2, 3]


def test_a_forest_may_lack_classes():
    names = ("itabirite-moderate", "negative")
    values = np.array([0.6, 0.4], "float32")[:, None, None]
    assert score_potential(values, grade_weights(names, "p.tif")).item() == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("hematite-high", "soil"), "p.tif: band soil is no iron class"),
        (("hematite-good", "negative"), "band hematite-good is no iron class"),
        (("-high", "negative"), "band -high is no iron class"),
        (("negative",), "holds no iron class"),
        (("hematite-low", "hematite-low"), "a class stands twice"),
    ],
)
def test_other_bands_are_named(names, said):
    with pytest.raises(InputError, match=said):
        grade_weights(names, "p.tif")


@pytest.mark.parametrize("change", [0.1, -0.1, 3.0])
def test_what_does_not_add_up_to_one_is_no_probability(change):
    values = certain("negative")
    values[2] += change
    with pytest.raises(InputError, match="do not add up to 1"):
        score_potential(values, WEIGHTS)


def test_negative_numbers_are_no_probability():
    values = certain("negative")
    values[0], values[1] = 0.5, -0.5
    with pytest.raises(InputError, match="probabilities"):
        score_potential(values, WEIGHTS)


@pytest.mark.parametrize(
    ("medium", "high"), [(0.7, 0.6), (0.5, 0.5), (0, 0.5), (0.5, 1.1), (float("nan"), 0.5)]
)
def test_senseless_thresholds_are_refused(medium, high):
    with pytest.raises(InputError, match="rise between 0 and 1"):
        check_thresholds(medium, high)


def geology(path, shapes, iron, **columns):
    return write_shapes(path, shapes, iron=iron, **columns)


def test_a_pixel_hosts_iron_when_its_centre_lies_in_such_a_unit(tmp_path):
    shapes = [pixel_box(10, 20, 30, 40.4), pixel_box(15, 30, 60, 70), pixel_box(0, ROWS, 100, 120)]
    path = geology(tmp_path / "geology.gpkg", shapes, ["yes", " Yes", "no"])
    read = open_hosts(path, GRID)
    expected = np.zeros(GRID.shape, bool)
    expected[10:20, 30:40] = True
    expected[15:30, 60:70] = True
    assert np.array_equal(read(Window(0, 0, 180, 150)), expected)
    assert np.array_equal(read(Window(35, 12, 30, 11)), expected[12:23, 35:65])
    assert not read(Window(130, 100, 20, 20)).any()


@pytest.mark.parametrize(
    ("iron", "box", "said"),
    [
        (["maybe", "yes"], (0, 9, 0, 9), "attribute 'iron' is maybe in some units"),
        (["no", "no"], (0, 9, 0, 9), "no unit over the map has iron = yes"),
        (["yes", "no"], (900, 909, 0, 9), "no unit over the map has iron = yes"),
    ],
)
def test_unusable_geology_is_refused(tmp_path, iron, box, said):
    path = geology(tmp_path / "g.gpkg", [pixel_box(*box), pixel_box(0, 9, 0, 9)], iron)
    with pytest.raises(InputError, match=said):
        open_hosts(path, GRID)


def test_geology_without_the_attribute_is_refused(tmp_path):
    path = write_shapes(tmp_path / "g.gpkg", [pixel_box(0, 9, 0, 9)], unit=["Itabirite"])
    with pytest.raises(InputError, match=r"lack the attribute 'iron' \(they have: unit\)"):
        open_hosts(path, GRID)
