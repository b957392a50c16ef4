import csv
import json
from hashlib import sha256

import numpy as np
import pytest
from embeddings import EMBEDDING_FLAGS
from samples import run_command

from gossan.cube.bands import lay_out, write_bands
from gossan.embedding.model import read_model
from gossan.embedding.training import compare_embeddings, read_keras_embedding
from gossan.raster import BandTable

pytestmark = pytest.mark.usefixtures("one_thread")
MINERALS = ("alunite", "calcite", "kaolinite")


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
        *EMBEDDING_FLAGS,
        *("--scene", "a-hill", "--model", out / "model.keras", "--onnx", out / "model.onnx"),
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
    assert record["onnx_sha256"] == sha256((trained / "model.onnx").read_bytes()).hexdigest()


def test_the_same_seed_gives_the_same_bytes(trained, folder, root, tmp_path):
    done = train(folder, tmp_path, root=root)
    assert done.returncode == 0, done.stderr
    for path in trained.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_without_masking_and_with_random_triplets(folder, root, tmp_path):
    done = train(folder, tmp_path, "--masking", 0, "--mining", "random", root=root)
    assert done.returncode == 0, done.stderr
    assert not read_model(tmp_path / "model.onnx").header.masked


@pytest.mark.parametrize("masking", [0, 4])
@pytest.mark.parametrize("sensor", ["landsat", "aster", "emit"])
def test_one_sensor_alone_is_learned(sensor, masking, folder, root, tmp_path):
    centres = {
        "landsat": (0.443, 0.483, 0.561, 0.655, 0.865, 1.609, 2.201),
        "aster": (0.556, 0.661, 0.807, 1.656, 2.167, 2.209, 2.262, 2.336, 2.398),
        "emit": tuple(np.arange(0.42, 2.39, 0.05)),
    }[sensor]
    names = tuple(str(place) for place in range(len(centres)))
    table = {sensor: BandTable(names, centres, (0.03,) * len(centres))}
    write_bands(tmp_path / "bands.csv", lay_out(table)[1])
    more = ("--bands", tmp_path / "bands.csv", "--masking", masking)
    done = train(folder, tmp_path / "out", *more, root=root)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out/record.json").read_text())
    assert record["training"]["max_masked"] == 0
    assert list(record["bands"]) == list(record["augmentation"]["noise"]) == [sensor]
    header = read_model(tmp_path / "out/model.onnx").header
    assert header.masked and header.scene == record["scene"] == "a-hill"


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
        (("--masking", -1), "max_masked: -1 is too small"),
        (("--epochs", 0), "epochs: 0 is too small"),
    ],
)
def test_bad_settings_end_with_one_line(more, words, folder, root, tmp_path):
    done = train(folder, tmp_path / "out", *more, root=root)
    assert done.returncode == 1
    assert words in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()
