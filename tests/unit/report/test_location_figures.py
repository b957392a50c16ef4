"""Where on Earth a scene lies: on the globe, and among the land around it, wherever that is."""

import numpy as np
import pytest
import shapely
from figure_checks import assert_text_fits, png, texts
from land import COUNTRIES, LAND, land_text

from gossan.errors import InputError
from gossan.report.location_figures import (
    draw_location,
    middle_of,
    place_text,
    project,
    read_land,
    unproject,
)


@pytest.fixture(scope="module")
def land():
    return read_land(LAND)


def test_the_land_is_that_of_natural_earth():
    if not COUNTRIES.exists():
        pytest.skip("this pyogrio has no countries with its tests")
    assert LAND.read_text() == land_text(), "run python tests/helpers/land.py"


@pytest.mark.parametrize(
    ("longitude", "latitude", "is_land"),
    [(74.3, 35.9, True), (-117.2, 37.5, True), (-42.0, -12.0, True), (-30.0, 0.0, False)],
)
def test_the_ground_of_the_papers_is_land(land, longitude, latitude, is_land):
    assert shapely.contains_xy(land, longitude, latitude) == is_land


@pytest.mark.parametrize("middle", [(0.0, 0.0), (74.3, 35.9), (179.9, -17.0), (30.0, 90.0)])
def test_the_projection_leads_there_and_back(middle):
    random = np.random.default_rng(1)
    points = random.uniform(-0.6, 0.6, (200, 2))
    there = unproject(points, middle)
    assert np.allclose(project(there, middle), points, atol=1e-9)
    assert np.allclose(project(np.array([middle]), middle), 0)
    far = [[middle[0] + 180, -middle[1]]]
    assert np.isnan(project(far, middle)).all()
    assert np.isnan(unproject(np.array([[0.9, 0.9]]), middle)).all()


def test_a_degree_of_the_map_is_a_degree_of_the_earth():
    # One degree north of the middle, and one east of it at the equator: sin 1°.
    places = project(np.array([[0.0, 1.0], [1.0, 0.0]]), (0.0, 0.0))
    assert places == pytest.approx(np.sin(np.radians(1)) * np.array([[0, 1], [1, 0]]), abs=1e-12)


def test_the_middle_of_a_scene_across_180_is_there():
    longitude, latitude = middle_of([shapely.box(179, -17, 181, -15)])
    assert abs(longitude) == pytest.approx(180)
    assert latitude == pytest.approx(-16, abs=0.02)
    assert place_text(longitude, latitude).endswith("180.00°")
    assert place_text(-117.2, 37.46) == "37.46° N, 117.20° W"
    assert place_text(-0.001, 0.0) == "0.00°, 0.00°"


SCENES = {
    "small": {"Landsat 8": shapely.box(74.1, 35.7, 74.5, 36.1)},
    "across 180": {"Sentinel-2": shapely.box(179.5, -17, 180.8, -16)},
    "at a pole": {"Landsat 8": shapely.box(0, 88, 60, 89.5)},
    "a state": {"Sentinel-2": shapely.box(-46, -18, -37, -8.5)},
    "two sensors": {"EMIT": shapely.box(10, 50, 11, 51), "EnMAP": shapely.box(10, 50, 10.5, 51)},
}


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_is_drawn_wherever_it_lies(land, name):
    figure = draw_location(SCENES[name], land, False)
    assert_text_fits(figure)
    said = texts(figure)
    for sensor in SCENES[name]:
        assert f"Outline, {sensor}" in said
    assert place_text(*middle_of(list(SCENES[name].values()))) in said
    assert ("Place of the scene" in said) == (name not in ("a state", "at a pole"))
    assert "SYNTHETIC" not in said
    labels = [label.get_text() for label in figure.axes[1].get_xticklabels()]
    assert 2 <= len(labels) <= 11
    for axis in figure.axes:
        picture = axis.get_images()[0].get_array()
        assert np.isfinite(picture).all()
    # The outline lies within the map of the surroundings.
    around = figure.axes[1]
    outline = next(line for line in around.lines if line.get_linewidth() == 1.3)
    assert np.abs(outline.get_xydata()).max() < around.get_xlim()[1]


def test_simulated_ground_is_said_to_be_placed_there(land):
    said = texts(draw_location(SCENES["small"], land, True))
    assert "SYNTHETIC: simulated ground, placed at 35.90° N, 74.30° E" in said


def test_a_scene_without_coordinates_says_so(land):
    assert "no coordinates" in texts(draw_location({}, land, False))


def test_the_same_scene_is_the_same_picture(land):
    one, two = (png(draw_location(SCENES["small"], land, True)) for _ in range(2))
    assert one == two


@pytest.mark.parametrize(
    "text",
    [
        "land",
        '{"type": "Point", "coordinates": [0, 0]}',
        '{"type": "Polygon", "coordinates": [[[0, 0], [500000, 0], [0, 500000], [0, 0]]]}',
    ],
)
def test_what_is_no_land_in_degrees_is_refused(tmp_path, text):
    path = tmp_path / "land.geojson"
    path.write_text(text)
    with pytest.raises(InputError, match=r"land\.geojson: .*give the Earth's land"):
        read_land(path)
