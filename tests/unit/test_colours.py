"""colours: the palette is told apart by every reader, and what is nothing looks like nothing else.

The eyes of readers who are blind to red and green are simulated (Machado et al. 2009).
"""

import json
from itertools import combinations, product

import matplotlib
import numpy as np
import pytest
import yaml

from gossan.colours import EYES, LEAST_DIFFERENCE, ciede2000, difference, near_classes
from gossan.embedding.answers import ANSWERS
from gossan.legend import NODATA_COLOUR, PERCEPTUAL_RAMP, UNCLASSIFIED_COLOUR, MapClass
from gossan.legend import read_classes as read
from gossan.prospects.potential import GRADED_POTENTIAL, POTENTIAL
from gossan.zones.anomalies import ANOMALY
from gossan.zones.confidence import CONFIDENCE

# What classes of one map keep from each other, at the least, and from what is no class.
ON_ONE_MAP, FROM_NOTHING = 12.0, 10.0
CLAYS = (
    *("alunite", "kaolinite", "dickite", "pyrophyllite", "muscovite", "illite", "montmorillonite"),
    *("buddingtonite", "chalcedony", "jarosite", "goethite", "hematite"),
)
"""What an epithermal prospect shows."""
IRON = ("goethite", "hematite", "jarosite", "nanohematite", "nanohematite+goethite")


@pytest.fixture(scope="module")
def minerals(root):
    return {item.name: item for item in read(root / "resources/static/minerals.csv")}


@pytest.fixture(scope="module")
def references(root):
    """References that stand on one map: of the defaults, of the studies and of the examples."""
    schema = json.loads((root / "workflow/schemas/config.schema.json").read_text())
    files = [root / "config/config.yaml", *sorted((root / "config").glob("*/*.yaml"))]
    texts = [yaml.safe_load(path.read_text()) for path in files]
    return [*_lists(schema), *_lists(texts)]


def _lists(node):
    """What stands under `references`, at any depth; of a schema, its default."""
    if isinstance(node, list):
        for item in node:
            yield from _lists(item)
    if isinstance(node, dict):
        named = node.get("references")
        named = named.get("default") if isinstance(named, dict) else named
        if isinstance(named, list) and named:
            yield named
        for value in node.values():
            yield from _lists(value)


def least(colours):
    return min(difference(one, other) for one, other in combinations(colours, 2))


@pytest.mark.parametrize(
    "one, other, expected",
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0009), 7.1792),
        ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0011), 7.2195),
        ((50.0, 2.5, 0.0), (50.0, 0.0, -2.5), 4.3065),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((22.7233, 20.0904, -46.694), (23.0331, 14.973, -42.5619), 2.0373),
        ((90.9257, -0.5406, -0.9208), (88.6381, -0.8985, -0.7239), 1.5381),
        ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_differences_are_those_of_the_published_test_data(one, other, expected):
    assert ciede2000(one, other) == pytest.approx(expected, abs=5e-5)
    assert ciede2000(other, one) == pytest.approx(expected, abs=5e-5)


def test_red_and_green_of_one_lightness_are_near_only_to_those_who_cannot_see_the_difference():
    red, green = "#B45000", "#6E7800"
    assert difference(red, green) < 8
    assert difference("#FFFFFF", "#000000") == pytest.approx(100)
    assert difference(red, red) == 0
    assert near_classes([MapClass(1, "a", "A", red), MapClass(2, "b", "B", red)])[0][2] == 0
    for matrix in EYES.values():
        np.testing.assert_allclose(np.sum(matrix, axis=1), 1, atol=2e-6)


def test_any_two_minerals_and_covers_are_told_apart(minerals):
    assert near_classes(list(minerals.values())) == []
    pairs = product(minerals.values(), (UNCLASSIFIED_COLOUR, NODATA_COLOUR))
    far = {(item.name, nothing): difference(item.colour, nothing) for item, nothing in pairs}
    # Snow is no class of a map here: it is mixed into pixels.
    assert min(value for (name, _), value in far.items() if name != "snow") > FROM_NOTHING
    assert min(far.values()) > LEAST_DIFFERENCE


def test_minerals_that_stand_on_one_map_are_told_apart_well(minerals, references):
    assert len(references) > 8
    for names in [*references, CLAYS, IRON]:
        assert least([minerals[name].colour for name in names]) > ON_ONE_MAP, names


@pytest.mark.parametrize(
    "classes",
    [
        pytest.param("covers.csv", id="covers"),
        pytest.param("iron.csv", id="grades"),
        pytest.param(POTENTIAL, id="potential"),
        pytest.param(GRADED_POTENTIAL, id="potential as published"),
        pytest.param(CONFIDENCE, id="confidence"),
        pytest.param(ANSWERS, id="answers"),
        pytest.param([ANOMALY], id="anomalies"),
    ],
)
def test_classes_of_other_maps_are_told_apart_well(root, classes):
    if isinstance(classes, str):
        classes = read(root / "resources/static" / classes)
    colours = [item.colour for item in classes]
    assert least([*colours, UNCLASSIFIED_COLOUR, NODATA_COLOUR]) > ON_ONE_MAP


def test_examples_of_class_tables_have_the_colours_of_the_palette(root, minerals):
    for name in ("cuprite_1um.csv", "cuprite_2um.csv"):
        for item in read(root / "config/examples" / name):
            assert item.colour == minerals[item.name].colour, name


def test_masked_ground_has_no_colour_of_the_ramp():
    ramp = matplotlib.colormaps["viridis"]
    assert [matplotlib.colors.to_hex(ramp(x)).upper() for x in np.linspace(0, 1, 5)] == list(
        PERCEPTUAL_RAMP
    )
    steps = [matplotlib.colors.to_hex(ramp(x)) for x in np.linspace(0, 1, 64)]
    assert min(difference(step, NODATA_COLOUR) for step in steps) > FROM_NOTHING
