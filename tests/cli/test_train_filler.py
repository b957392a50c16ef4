import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from embeddings import BANDS, ROWS, make_model, make_stack
from samples import run_command, run_tool

from gossan.cube.bands import write_bands
from gossan.embedding.filler import read_filler

CLASSES = """code,name,label,colour
7,alunite,Alunite,#E53935
16,jarosite,Jarosite,#F4E04D
17,kaolinite,Kaolinite,#7E57C2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("filler")
    write_bands(made / "bands.csv", ROWS)
    (made / "classes.csv").write_text(CLASSES)
    return made


def train(root, folder, out, *flags):
    return run_tool(
        "train_filler",
        *("--library", root / "resources/static/analytic_library.csv"),
        *("--classes", folder / "classes.csv", "--bands", folder / "bands.csv"),
        *("--spectra", 1024, "--epochs", 2, "--hidden", 16, "--seed", 42, "--threads", 1),
        *("--scene", "a-hill"),
        *("--model", out / "net.keras", "--onnx", out / "net.onnx"),
        *("--record", out / "net.json", "--history", out / "history.csv", *flags),
    )


@pytest.fixture(scope="module")
def trained(root, folder):
    done = train(root, folder, folder / "own")
    assert done.returncode == 0, done.stderr
    return folder / "own"


def test_everything_is_written(trained):
    record = json.loads((trained / "net.json").read_text())
    assert record["modelled"] is True
    assert record["libraries"] == ["analytic_library.csv"]
    assert record["bands"] == {name: BANDS.sensor.count(name) for name in BANDS.sensors}
    assert record["keras_onnx_difference"] < 1e-4
    targets = {"alunite", "jarosite", "kaolinite"}
    assert record["records"]["held_out"]
    assert not targets & set(record["records"]["held_out"])
    made = record["reconstruction"]
    assert set(made["sensors"]) == set(BANDS.sensors)
    assert set(made["hyperspectral"]) == {"emit", "enmap", "prisma"}
    for ways in (*made["sensors"].values(), *made["hyperspectral"].values()):
        assert set(ways) == {"network", "interpolation", "mean"}
        assert all(0 < way["rmse"] < 1 and 0 < way["angle_rad"] < 2 for way in ways.values())
    with (trained / "history.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["epoch", "loss", "val_loss"]
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["loss"]) < float(rows[0]["loss"]) < 1.2
    assert read_filler(trained / "net.onnx").header.bands == BANDS


def test_two_trainings_with_one_seed_give_the_same_bytes(root, folder, trained, tmp_path):
    assert train(root, folder, tmp_path / "again").returncode == 0
    for path in sorted(trained.iterdir()):
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name
    assert train(root, folder, tmp_path / "other", "--seed", 7).returncode == 0
    assert (trained / "net.onnx").read_bytes() != (tmp_path / "other/net.onnx").read_bytes()


def test_a_map_can_be_made_with_it(trained, tmp_path):
    scene = make_stack(tmp_path / "scene")
    make_model(scene / "net.onnx")
    flags = [
        *("--stack", scene / "stack.tif", "--sensors", scene / "sensors.tif"),
        *("--onnx", scene / "net.onnx", "--classes", scene / "classes.csv"),
        *("--thresholds", scene / "thresholds.json", "--filler", trained / "net.onnx"),
        *("--class-map", tmp_path / "class.tif", "--distance", tmp_path / "distance.tif"),
        *("--answer", tmp_path / "answer.tif", "--areas", tmp_path / "areas.csv"),
        *("--sensor-areas", tmp_path / "sensor_areas.csv", "--threads", 1),
        *("--scene", "a-valley", "--record", tmp_path / "map.json"),
    ]
    done = run_tool("map_embedding", *flags)
    assert done.returncode == 0, done.stderr
    with rasterio.open(tmp_path / "class.tif") as dataset:
        assert dataset.tags()["FILLED"] == "yes"
    filler = json.loads((tmp_path / "map.json").read_text())["filler"]
    assert (filler["scene"], filler["transferred"]) == ("a-hill", True)
    moved = tuple(np.add(BANDS.centre_um, 0.003))
    make_model(tmp_path / "other.onnx", replace(BANDS, centre_um=moved))
    with rasterio.open(scene / "stack.tif", "r+") as dataset:
        for band, centre in enumerate(moved, start=1):
            dataset.update_tags(band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=repr(float(centre)))
    done = run_tool("map_embedding", *flags, "--onnx", tmp_path / "other.onnx")
    assert "own/net.onnx: a band lies 3.0 nm from where" in done.stderr


def test_bad_input_ends_with_one_line(root, folder, tmp_path):
    def fails(*flags):
        done = train(root, folder, tmp_path / "none", *flags)
        assert done.returncode == 1
        assert not (tmp_path / "none").exists()
        return done.stderr

    assert "epochs: 0 is too small" in fails("--epochs", 0)
    assert "none.csv: " in fails("--bands", tmp_path / "none.csv")
    assert "none: no such file" in fails("--library", tmp_path / "none")
    classes = tmp_path / "classes.csv"
    classes.write_text(CLASSES + "90,unobtainium,Unobtainium,#000000\n")
    assert "has no spectrum of unobtainium" in fails("--classes", classes)
    one = tmp_path / "bands.csv"
    write_bands(one, [row for row in ROWS if row["sensor"] == "emit"])
    assert "the only sensor is emit" in fails("--bands", one)


def test_help_is_quick():
    done = run_command("train_filler", "--help")
    assert done.returncode == 0
    assert "tensorflow" not in done.stderr.lower()
