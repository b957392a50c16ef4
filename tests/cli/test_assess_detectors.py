"""The tool assess_detectors: its tables and records, with, with half and without a truth."""

import csv
import json

import numpy as np
import pytest
import rasterio
from detector_scenes import LIBRARY, MINERALS, make_scene
from samples import run_command, run_tool, write_raster

from gossan.embedding.sensor_scores import NEEDED_COLUMNS

METHODS = ("masked", "unmasked", "filled", "ocsvm", "isolation_forest", "sam", "shape")
TABLES = ("detection.csv", "similarity.csv", "subsets.csv", "coverage.csv", "thresholds.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_scene(tmp_path_factory.mktemp("detectors"))


def assess(folder, output, *flags, truth="truth.tif", threads=2, **paths):
    files = {
        name: folder / file
        for name, file in (
            ("stack", "stack.tif"),
            ("sensors", "sensors.tif"),
            ("bands", "bands.csv"),
            ("classes", "classes.csv"),
            ("masked", "masked.onnx"),
            ("unmasked", "unmasked.onnx"),
            ("filler", "filler.onnx"),
        )
    } | paths
    return run_tool(
        "assess_detectors",
        *(word for name, path in files.items() for word in (f"--{name}", path)),
        *(() if truth is None else ("--truth", folder / truth)),
        *("--library", LIBRARY, "--scene", "tiny", "--spatial-block-px", 6),
        *("--training-spectra", 120, "--trees", 20, "--bootstrap", 100, "--svm-nu", 0.1),
        *("--validation-share", 0.5, "--per-class", 10_000, "--coverage", 0.9, "--seed", 42),
        *("--detection", output / "detection.csv", "--thresholds", output / "thresholds.json"),
        *("--similarity", output / "similarity.csv", "--subsets", output / "subsets.csv"),
        *("--coverage-table", output / "coverage.csv", "--record-dir", output / "records"),
        *("--threads", threads, *flags),
    )


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def output(folder, tmp_path_factory):
    found = tmp_path_factory.mktemp("output")
    done = assess(folder, found)
    assert done.returncode == 0, done.stderr
    return found


def test_the_table_of_methods(output):
    table = rows(output / "detection.csv")
    assert set(NEEDED_COLUMNS["detection"]) <= set(table[0])
    assert {row["method"] for row in table} == set(METHODS)
    assert {row["threshold_kind"] for row in table} == {"validation", "oracle", "library"}
    assert {row["mineral"] for row in table} == {*MINERALS, "macro"}
    assert len(table) == len(METHODS) * 3 * (len(MINERALS) + 1)
    for row in table:
        assert int(row["n"]) > int(row["n_mineral"]) > 0
        assert 0 <= float(row["f1"]) <= 1
    trained = {row["method"]: row["training"] for row in table if row["mineral"] == "alunite"}
    assert trained["ocsvm"] == "120" and trained["sam"] == "1" and trained["masked"] == ""


def test_thresholds_are_those_of_the_table(output):
    thresholds = json.loads((output / "thresholds.json").read_text())
    assert set(thresholds) == set(METHODS)
    for row in rows(output / "detection.csv"):
        if row["mineral"] != "macro":
            own = thresholds[row["method"]][row["mineral"]]
            assert float(row["threshold"]) == pytest.approx(own[row["threshold_kind"]], abs=1e-6)
            assert own["conformal"] >= 0


def test_the_map_reads_the_limits(output):
    from gossan.embedding.mapper import read_limits

    assert (read_limits(output / "thresholds.json", "masked", MINERALS) > 0).all()


def test_a_filler_changes_nothing_where_all_sensors_are(output):
    table = {
        (row["sensors"], row["method"], row["mineral"], row["threshold_kind"]): row["f1"]
        for row in rows(output / "subsets.csv")
    }
    every = "emit+sentinel2+worldview3"
    for mineral in (*MINERALS, "macro"):
        own = table[every, "filled", mineral, "validation"]
        assert own == table[every, "masked", mineral, "validation"]
    assert table["emit", "filled", "macro", "full"] != table["emit", "masked", "macro", "full"]


def test_the_tables_of_missing_sensors(output):
    subsets = rows(output / "subsets.csv")
    assert set(NEEDED_COLUMNS["subsets"]) <= set(subsets[0])
    assert len({row["sensors"] for row in subsets}) == 7
    assert {row["method"] for row in subsets} == {
        "masked",
        "filled",
        "unmasked",
        "sam",
        "shape",
    }
    similarity = rows(output / "similarity.csv")
    assert len(similarity) == 6 * len(MINERALS)
    assert all(float(row["cosine"]) <= 1 for row in similarity)
    coverage = rows(output / "coverage.csv")
    assert [row["mineral"] for row in coverage] == list(MINERALS)
    assert all(row["asked"] == "0.9" and row["covered"] for row in coverage)


def test_the_records_are_collected(output, root, tmp_path):
    names = sorted(path.stem for path in (output / "records").glob("*.json"))
    assert names == sorted([*METHODS, "map"])
    done = run_tool(
        "collect_accuracy",
        *("--study", "cuprite", "--records", "embedding", "stack", output / "records"),
        *("--output", tmp_path / "a.json"),
    )
    assert done.returncode == 0, done.stderr
    for record in json.loads((tmp_path / "a.json").read_text())["records"]:
        assert record["synthetic"] is True
        assert record["split"].startswith("blocked: blocks of 6 pixels")
        assert "no sensor saw" in record["split"]


def test_threads_do_not_change_a_byte(folder, output, tmp_path):
    assert assess(folder, tmp_path, threads=1).returncode == 0
    for name in (*TABLES, *(f"records/{method}.json" for method in (*METHODS, "map"))):
        assert (tmp_path / name).read_bytes() == (output / name).read_bytes(), name


def test_without_ground_truth_there_are_thresholds_and_no_accuracy(folder, tmp_path, root):
    done = assess(folder, tmp_path, truth=None)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "records" / "masked.json").read_text())
    assert record["assessed"] is False and "no accuracy" in record["reason"]
    for name in ("detection.csv", "subsets.csv", "coverage.csv"):
        assert rows(tmp_path / name) == []
    assert len(rows(tmp_path / "similarity.csv")) == 6 * len(MINERALS)
    thresholds = json.loads((tmp_path / "thresholds.json").read_text())
    assert thresholds["masked"]["alunite"]["validation"] is None
    assert thresholds["masked"]["alunite"]["conformal"] > 0


def test_a_sensor_absent_everywhere_is_left_out(folder, tmp_path):
    with rasterio.open(folder / "sensors.tif") as source:
        bits = source.read(1) & ~np.uint8(8)
    write_raster(tmp_path / "sensors.tif", bits)
    done = assess(folder, tmp_path, "--per-class", 60, sensors=tmp_path / "sensors.tif")
    assert done.returncode == 0, done.stderr
    assert {row["sensors"] for row in rows(tmp_path / "subsets.csv")} == {
        "emit",
        "worldview3",
        "emit+worldview3",
    }
    record = json.loads((tmp_path / "records" / "sam.json").read_text())
    assert "sentinel2 saw no pixel of the truth" in record["split"]
    assert "at most 60 pixels of each class of the truth" in record["split"]


def fault(folder, output, *flags, **options):
    done = assess(folder, output, *flags, **options)
    assert done.returncode == 1
    assert not any((output / name).exists() for name in TABLES)
    return done.stderr


def test_faults_say_what_to_do(folder, tmp_path):
    assert "block-px" in fault(folder, tmp_path, "--spatial-block-px", 48)
    assert "coverage: 1 is no share" in fault(folder, tmp_path, "--coverage", 1)
    assert "nu: 2 is no share" in fault(folder, tmp_path, "--svm-nu", 2)
    assert "validation-share" in fault(folder, tmp_path, "--validation-share", 1)
    assert "9 training spectra" in fault(folder, tmp_path, "--training-spectra", 9)
    assert "no such file" in fault(folder, tmp_path, masked=tmp_path / "none.onnx")
    other = make_scene(tmp_path / "other", sensors=("emit", "sentinel2"))
    assert "bands" in fault(folder, tmp_path, masked=other / "masked.onnx")
    assert "filler.onnx: its" in fault(folder, tmp_path, filler=other / "filler.onnx")
    fewer = make_scene(tmp_path / "fewer", minerals=MINERALS[:2])
    assert "other minerals" in fault(folder, tmp_path, unmasked=fewer / "unmasked.onnx")
    message = fault(folder, tmp_path, classes=fewer / "classes.csv")
    assert "class 17 is missing where the network has kaolinite" in message


def test_help_is_quick():
    done = run_command("assess_detectors", "--help")
    assert done.returncode == 0 and "--training-spectra" in done.stdout
