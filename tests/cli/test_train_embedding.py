import csv
import json

import numpy as np
import pytest
from samples import run_command

from gossan.cube.bands import lay_out, write_bands
from gossan.embedding.model import read_model
from gossan.embedding.training import compare_embeddings, read_keras_embedding
from gossan.raster import BandTable

MINERALS = ("alunite", "calcite", "kaolinite")
SMALL = (
    "--epochs",
    2,
    "--triplets",
    256,
    "--batch",
    64,
    "--hidden",
    32,
    "--embedding",
    8,
    "--threads",
    1,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, root):
    folder = tmp_path_factory.mktemp("embedding")
    tables = {}
    for sensor, step, width in (("emit", 0.02, 0.0085), ("worldview3", 0.2, 0.05)):
        centres = np.arange(0.45, 2.35, step)
        names = tuple(f"B{place:03d}" for place in range(len(centres)))
        tables[sensor] = BandTable(names, tuple(centres.tolist()), (width,) * len(centres))
    tables["sentinel2"] = BandTable(("B2", "B4", "B11"), (0.4927, 0.6646, 1.61), (0.06, 0.03, 0.09))
    write_bands(folder / "bands.csv", lay_out(tables)[1])
    lines = (root / "resources/static/minerals.csv").read_text().splitlines()
    kept = [line for line in lines[1:] if line.split(",")[1] in MINERALS]
    (folder / "classes.csv").write_text("\n".join([lines[0], *kept]) + "\n")
    return folder


def train(folder, out, *more, library=None, root=None):
    return run_command(
        "train_embedding",
        *("--library", library or root / "resources/static/analytic_library.csv"),
        *("--classes", folder / "classes.csv", "--bands", folder / "bands.csv"),
        *SMALL,
        *("--masking", 2, "--model", out / "model.keras", "--onnx", out / "model.onnx"),
        *("--record", out / "record.json", "--history", out / "history.csv"),
        *more,
    )


@pytest.fixture(scope="module")
def trained(folder, root):
    done = train(folder, folder / "masked", root=root)
    assert done.returncode == 0, done.stderr
    assert "epoch 2 of 2: loss" in done.stderr
    return folder / "masked"


def test_everything_is_written_and_both_forms_agree(trained):
    assert sorted(path.name for path in trained.iterdir()) == [
        *("history.csv", "model.keras", "model.onnx", "record.json"),
    ]
    record = json.loads((trained / "record.json").read_text())
    assert record["minerals"] == {"calcite": 1, "alunite": 1, "kaolinite": 1}
    assert record["modelled"] is True
    assert "hematite" in record["rivals"]
    assert record["training"]["max_masked"] == 2
    assert record["augmentation"]["noise"]["emit"] > 0
    assert record["bands"]["sentinel2"] == 3
    model = read_model(trained / "model.onnx")
    assert model.header.minerals == ("calcite", "alunite", "kaolinite")
    stored = read_keras_embedding(trained / "model.keras")
    assert compare_embeddings(stored, model, model.references) < 1e-4
    with (trained / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[-1]["loss"]) == pytest.approx(record["loss"])


def test_the_same_seed_gives_the_same_bytes(trained, folder, root, tmp_path):
    done = train(folder, tmp_path, root=root)
    assert done.returncode == 0, done.stderr
    for path in trained.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_measured_responses_and_no_masking(folder, root, tmp_path):
    done = train(
        folder,
        tmp_path,
        *("--masking", 0, "--sentinel2-platform", "Sentinel-2A MSI", "--mining", "random"),
        root=root,
    )
    assert done.returncode == 0, done.stderr
    model = read_model(tmp_path / "model.onnx")
    assert not model.header.masked
    assert json.loads((tmp_path / "record.json").read_text())["sentinel2_platform"]


def test_a_library_without_one_of_the_minerals_leaves_nothing(folder, root, tmp_path):
    library = tmp_path / "short.csv"
    lines = (root / "resources/static/analytic_library.csv").read_text().splitlines(keepends=True)
    library.write_text("".join(line for line in lines if not line.startswith("alunite,")))
    done = train(folder, tmp_path / "out", library=library)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "short.csv: has no spectrum of alunite" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--masking", 3), "masking: 3 would leave none of 3 sensors"),
        (("--sentinel2-platform", "Sentinel-9"), "'Sentinel-9': no response functions"),
    ],
)
def test_bad_settings_end_with_one_line(more, words, folder, root, tmp_path):
    done = train(folder, tmp_path / "out", *more, root=root)
    assert done.returncode == 1
    assert words in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()
