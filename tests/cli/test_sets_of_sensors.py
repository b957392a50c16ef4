"""An embedding of one sensor alone, and of all seven: trained, assessed and mapped by the tools."""

import csv
import json

import numpy as np
import pytest
import rasterio
from detector_scenes import LIBRARY, MINERALS, make_scene
from embeddings import EMBEDDING_FLAGS
from samples import run_command, run_tool

from gossan.cube.instruments import INSTRUMENTS
from gossan.embedding.model import read_model

SENSORS = tuple(name for name in INSTRUMENTS if name != "rasters")
TABLES = ("detection", "similarity", "subsets", "coverage_table")


def rows_of(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def train(folder, masking):
    done = run_command(
        "train_embedding",
        *("--library", LIBRARY, "--classes", folder / "classes.csv"),
        *("--bands", folder / "bands.csv", "--scene", "tiny", *EMBEDDING_FLAGS),
        *("--masking", masking, "--epochs", 4, "--model", folder / "net.keras"),
        *("--onnx", folder / "net.onnx", "--record", folder / "net.json"),
        *("--history", folder / "history.csv"),
    )
    assert done.returncode == 0, done.stderr


def assess(folder, *flags):
    done = run_tool(
        "assess_detectors",
        *("--stack", folder / "stack.tif", "--sensors", folder / "sensors.tif"),
        *("--bands", folder / "bands.csv", "--classes", folder / "classes.csv"),
        *("--masked", folder / "net.onnx", "--truth", folder / "truth.tif"),
        *("--library", LIBRARY, "--scene", "tiny", "--spatial-block-px", 6),
        *("--training-spectra", 60, "--trees", 5, "--bootstrap", 100, "--svm-nu", 0.1),
        *("--validation-share", 0.5, "--per-class", 200, "--coverage", 0.9, "--seed", 42),
        *("--thresholds", folder / "thresholds.json", "--record-dir", folder / "records"),
        *(
            part
            for name in TABLES
            for part in (f"--{name.replace('_', '-')}", folder / f"{name}.csv")
        ),
        *("--threads", 1, *flags),
    )
    assert done.returncode == 0, done.stderr


def map_scene(folder, *flags):
    done = run_tool(
        "map_embedding",
        *("--stack", folder / "stack.tif", "--sensors", folder / "sensors.tif"),
        *("--onnx", folder / "net.onnx", "--classes", folder / "classes.csv"),
        *("--thresholds", folder / "thresholds.json", "--class-map", folder / "class.tif"),
        *("--distance", folder / "distance.tif", "--answer", folder / "answer.tif"),
        *("--areas", folder / "areas.csv", "--sensor-areas", folder / "sensor_areas.csv"),
        *("--scene", "tiny", "--record", folder / "map.json", "--threads", 1, *flags),
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("sensor", ["landsat", "aster", "emit"])
def test_one_sensor_alone_is_trained_assessed_and_mapped(sensor, tmp_path):
    folder = make_scene(tmp_path, (sensor,))
    train(folder, 0)
    assess(folder)
    map_scene(folder)
    # Only sets that exist have rows: one of one sensor, and nothing that could be missing.
    assert {row["sensors"] for row in rows_of(folder / "subsets.csv")} == {sensor}
    assert rows_of(folder / "similarity.csv") == []
    methods = {row["method"] for row in rows_of(folder / "detection.csv")}
    assert methods == {"masked", "ocsvm", "isolation_forest", "sam", "shape"}
    assert {row["sensors"] for row in rows_of(folder / "sensor_areas.csv")} == {"all", sensor}
    with rasterio.open(folder / "class.tif") as dataset:
        assert dataset.tags()["NETWORK"] == "masked"
        codes = dataset.read(1)
    with rasterio.open(folder / "sensors.tif") as dataset:
        assert ((codes == 255) == (dataset.read(1) == 0)).all()
    record = json.loads((folder / "map.json").read_text())
    assert record["sensors"] == {"trained": [sensor], "present": [sensor], "absent": []}
    assert record["masking"] == 0 and record["thresholds"]["method"] == "masked"


def test_seven_sensors_are_trained_filled_in_assessed_and_mapped(tmp_path):
    folder = make_scene(tmp_path, SENSORS)
    train(folder, 6)
    assert read_model(folder / "net.onnx").header.max_masked == 6
    assess(folder, "--filler", folder / "filler.onnx", "--unmasked", folder / "unmasked.onnx")
    map_scene(folder, "--filler", folder / "filler.onnx")
    sets = {row["sensors"] for row in rows_of(folder / "subsets.csv")}
    assert len(sets) == 36
    assert {"landsat", "landsat+aster", "+".join(SENSORS)} <= sets
    missing = {row["missing"] for row in rows_of(folder / "similarity.csv")}
    assert len(missing) == 35 and {"aster", "+".join(SENSORS[1:])} <= missing
    assert len({row["mineral"] for row in rows_of(folder / "similarity.csv")}) == len(MINERALS)
    with rasterio.open(folder / "sensors.tif") as dataset:
        bits = dataset.read(1)
    assert set(np.unique(bits)) == {0, 64, 127}
    areas = {row["sensors"] for row in rows_of(folder / "sensor_areas.csv")}
    assert areas == {"all", "aster", "+".join(SENSORS)}
