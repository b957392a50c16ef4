"""The tool that explains mineral maps."""

import json

import numpy as np
import pytest
import rasterio
from group_reports import GROUPS, make_groups
from mineral_reports import explain_maps, make_map
from samples import CENTRES_UM, read_values, run_tool


@pytest.fixture(scope="module")
def sensor(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explained")
    return make_map(folder / "flat", folder / "results")


def classes_of(sensor):
    return sensor.parents[2] / "studies/mine/minerals/classes.csv"


def read(path):
    return json.loads(path.read_text())


def test_an_explanation_tells_scene_sensor_and_method_and_what_it_rests_on(sensor):
    told = read(sensor / "minerals/explanation.json")
    head = {key: told[key] for key in ("scene", "sensor", "method", "synthetic")}
    assert head == {"scene": "tiny", "sensor": "landsat", "method": "minerals", "synthetic": True}
    assert set(told["doubts"]) <= set(told["sentences"])
    assert any("chalcocite and feldspar (microcline) are one" in text for text in told["sentences"])
    angles = read_values(sensor / "minerals/angle.tif")
    angles = angles[np.isfinite(angles)]
    [found] = told["numbers"]["distances"]
    assert found["pixels"] == angles.size
    assert found["quantiles"]["50"] == pytest.approx(np.median(angles), rel=1e-3)
    assert found["limit"] == [0.1, 0.2]
    # Within half a step of the map lies the distance that decided.
    bound = np.quantile(angles, 0.05) + 5e-5
    assert bound <= found["limit_for_5_percent"] < bound + 10 ** np.floor(np.log10(bound) - 1)
    with rasterio.open(sensor / "minerals/class.tif") as dataset:
        codes = dataset.read(1)
    clear = codes != 255
    assert told["numbers"]["unclassified"] == pytest.approx((codes[clear] == 0).mean(), rel=1e-3)


def test_plants_are_counted_by_the_bands_of_the_cube(sensor):
    with rasterio.open(sensor / "cube/cube.tif") as dataset:
        values = dataset.read().astype(float)
        valid = (values != dataset.nodata).all(axis=0)
    red, infrared = values[CENTRES_UM.index(0.6546)], values[CENTRES_UM.index(0.8646)]
    plants = ((infrared - red) / (infrared + red))[valid] > 0.3
    told = read(sensor / "minerals/explanation.json")["numbers"]["ground"]
    assert told["covers_of_clear"]["plants"] == pytest.approx(plants.mean(), rel=1e-3)


def test_same_inputs_same_bytes(sensor, tmp_path):
    first = (sensor / "minerals/explanation.json").read_bytes()
    again = explain_maps(sensor, classes_of(sensor), "--match", "origin", "--block-px", 16)
    assert again.read_bytes() == first


def test_ground_made_relative_has_neither_plants_nor_water(sensor, tmp_path):
    with rasterio.open(sensor / "cube/cube.tif", "r+") as dataset:
        dataset.update_tags(ATMOSPHERE="dos1 quac log_residuals")
    try:
        record = sensor / "cube/cube.json"
        told = read(explain_maps(sensor, classes_of(sensor), "--match", "origin"))
        assert record.exists() and told["numbers"]["ground"]["covers_of_clear"] == {}
    finally:
        with rasterio.open(sensor / "cube/cube.tif", "r+") as dataset:
            dataset.update_tags(ATMOSPHERE="dos1")
        explain_maps(sensor, classes_of(sensor), "--match", "origin")


def test_maps_of_groups_are_explained_group_by_group(tmp_path):
    sensor = make_groups(tmp_path / "flat", tmp_path / "results")
    told = read(sensor / "minerals/explanation.json")
    assert [item["group"] for item in told["numbers"]["distances"]] == list(GROUPS)
    right = round(np.pi / 2, 6)
    for item in told["numbers"]["distances"]:
        assert [round(limit, 6) for limit in item["limit"]] == [right, right]


def test_a_map_of_another_grid_is_refused_in_one_line(sensor, tmp_path):
    other = make_map(tmp_path / "flat", tmp_path / "results")
    with rasterio.open(other / "cube/cube.tif", "r+") as dataset:
        dataset.transform = dataset.transform * dataset.transform.translation(3, 3)
    cube = other / "cube"
    done = run_tool(
        "explain_map",
        *("--scene", "tiny", "--sensor", "landsat", "--cube", cube / "cube.tif"),
        *("--cube-record", cube / "cube.json", "--minerals", sensor / "minerals"),
        *("--classes", classes_of(sensor), "--match", "origin", "--output", tmp_path / "e.json"),
    )
    assert done.returncode == 1 and "grid" in done.stderr and not (tmp_path / "e.json").exists()


def test_the_nearest_mineral_is_that_on_the_bands_of_the_map(sensor):
    def nearest(*words):
        path = explain_maps(sensor, classes_of(sensor), "--match", "origin", *words)
        return read(path)["numbers"]["distances"][0]["nearest_of_unclassified"]

    assert nearest("--range-um", 0.8, 2.4) != nearest()
