import csv
import json
import sys
import zipfile

import jsonschema
import numpy as np
import pytest
from network_scenes import cut, make_ground, train
from samples import run_command

from gossan.networks.keras_files import read_keras
from gossan.patches.architecture import compare_answers
from gossan.patches.cutting import read_images, read_patches
from gossan.patches.inference import read_network, to_input

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return cut(make_ground(tmp_path_factory.mktemp("cnn") / "scene"))


@pytest.fixture(scope="module")
def trained(folder):
    out = folder / "compact"
    done = train(folder, out, "--network", "compact", "--epochs", 12, images=200)
    assert done.returncode == 0, done.stderr
    return out


def rows_of(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_network_learns_and_everything_is_written(trained, root):
    record = json.loads((trained / "net.json").read_text())
    accuracy = json.loads((trained / "accuracy.json").read_text())
    schema = json.loads((root / "workflow/schemas/accuracy.schema.json").read_text())
    jsonschema.validate({"study": "gilgit", "records": [accuracy]}, schema)
    assert record["test"]["accuracy"] >= 0.9
    assert accuracy["scores"]["overall_accuracy"]["value"] == record["test"]["accuracy"]
    assert record["leak"]["crossing"] == 0
    assert record["synthetic"] is accuracy["synthetic"] is True
    assert record["parameters"] < 430_000
    assert record["colour_share_accuracy"] == 1.0
    history = rows_of(trained / "training.csv")
    assert list(history[0]) == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    assert len(history) == 12
    assert float(history[-1]["loss"]) < float(history[0]["loss"])
    answers = rows_of(trained / "answers.csv")
    assert len(answers) == record["images"]["validation"] + record["images"]["test"]
    tested = [row for row in answers if row["side"] == "test"]
    right = np.mean([row["label"] == row["answer"] for row in tested])
    assert right == pytest.approx(record["test"]["accuracy"], abs=1e-6)


def test_both_stored_forms_agree_on_every_patch(folder, trained):
    images, _ = read_images(folder / "colour.npz", read_patches(folder / "patches.csv"))
    network = read_network(trained / "net.onnx")
    assert compare_answers(read_keras(trained / "net.keras"), network.predict, images) < 1e-4
    assert np.ptp(network.predict(to_input(images))[:, 0]) > 0.5


def test_the_stored_probabilities_are_the_calibrated_ones(folder, trained):
    images, _ = read_images(folder / "colour.npz", read_patches(folder / "patches.csv"))
    network = read_network(trained / "net.onnx")
    for row in rows_of(trained / "answers.csv"):
        chances = network.predict(to_input(images[[int(row["patch"])]]))[0]
        assert row["variant"] == "0"
        assert chances[0] == pytest.approx(float(row["probability_chalcocite"]), abs=1e-5)


@pytest.mark.parametrize("network", ["paper", "compact"])
def test_two_trainings_with_one_seed_give_the_same_bytes(network, folder, tmp_path):
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        done = train(
            folder, tmp_path / name, "--network", network, "--epochs", 2, "--seed", seed, images=24
        )
        assert done.returncode == 0, done.stderr
    for file in sorted(path.name for path in (tmp_path / "a").iterdir()):
        first, second = ((tmp_path / name / file).read_bytes() for name in "ab")
        assert first == second, file
    assert (tmp_path / "a/net.onnx").read_bytes() != (tmp_path / "c/net.onnx").read_bytes()


def test_the_published_protocol_leaks_and_is_tested_on_the_ground_of_the_others(folder, tmp_path):
    done = train(
        folder,
        tmp_path,
        *("--network", "compact", "--protocol", "published", "--epochs", 1),
        *("--source-patches", 8, "--apart", tmp_path / "apart.json", "--shuffled"),
        images=44,
    )
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "net.json").read_text())
    assert record["leak"]["test_copies_of_training_patches"] > 0.8 * record["images"]["test"]
    assert (record["source_patches"], record["leak"]["source_patches"]) == (8, 8)
    accuracy = json.loads((tmp_path / "accuracy.json").read_text())
    assert "copies of one patch are on both sides" in accuracy["split"]
    apart = json.loads((tmp_path / "apart.json").read_text())
    assert apart["split"].startswith("apart")
    assert apart["method"] != accuracy["method"]
    table = read_patches(folder / "patches.csv")
    rows = [row for row in rows_of(tmp_path / "answers.csv") if row["side"] == "apart"]
    assert len(rows) == apart["n"] == record["apart"]["images"]
    assert {table.sides[int(row["patch"])] for row in rows} == {"test"}
    sizes = {name: part["n"] for name, part in record["shuffled"].items()}
    assert sizes == {"test": record["images"]["test"], "apart": apart["n"]}


def test_reflectance_and_more_classes(folder, tmp_path):
    scene = tmp_path / "scene"
    scene.mkdir()
    for name in ("class.tif", "cube.tif", "classes.csv"):
        (scene / name).write_bytes((folder / name).read_bytes())
    # Calcite is the largest class nowhere; with one colour less there are still two.
    cut(scene, "--labels", "chalcocite", "feldspar")
    done = train(scene, tmp_path, "--network", "compact", "--epochs", 1, patches="reflectance.npz")
    assert done.returncode == 0, done.stderr
    header = read_network(tmp_path / "net.onnx").header
    assert header.kind == "reflectance"
    assert len(header.bands) == 4


def test_bad_input_ends_with_one_line(folder, tmp_path):
    def fails(*flags, **options):
        done = train(folder, tmp_path, "--epochs", 1, *flags, **options)
        assert done.returncode == 1
        assert not (tmp_path / "net.onnx").exists()
        return done.stderr

    assert "images: 1 are fewer than the 2 classes" in fails(images=1)
    assert "epochs: 0 is too small" in fails("--epochs", 0)
    assert "source-patches: goes with the published protocol" in fails("--source-patches", 8)
    assert "source-patches: goes with" in fails("--protocol", "published")
    assert "shuffled: goes with the published protocol" in fails("--shuffled")
    assert "none.npz: no such file" in fails(patches="none.npz")
    table = tmp_path / "classes.csv"
    table.write_text("code,name,label,colour\n2,chalcocite,C,#00FE00\n3,pyrite,P,#C8B400\n")
    assert "classes.csv: lacks the class feldspar" in fails("--classes", table)


def untrained(out):
    """Why a network was not trained; its files are there, without anything in them."""
    record = json.loads((out / "net.json").read_text())
    assert (out / "net.onnx").read_bytes() == b""
    with zipfile.ZipFile(out / "net.keras") as archive:
        assert archive.namelist() == []
    assert rows_of(out / "answers.csv") == rows_of(out / "training.csv") == []
    for path in out.glob("a[cp]*.json"):
        accuracy = json.loads(path.read_text())
        assert (accuracy["assessed"], accuracy["reason"]) == (False, record["untrained"])
    return record["untrained"]


def test_a_table_without_one_class_on_a_side_trains_nothing_and_says_so(folder, tmp_path):
    lines = (folder / "patches.csv").read_text().splitlines()
    place = lines[0].split(",").index("split")
    label = lines[0].split(",").index("label")
    changed = [lines[0]]
    for line in lines[1:]:
        cells = line.split(",")
        if cells[label] == "chalcocite" and cells[place] == "test":
            cells[place] = "unused"
        changed.append(",".join(cells))
    table = tmp_path / "patches.csv"
    table.write_text("\n".join(changed) + "\n")
    done = train(folder, tmp_path / "out", "--table", table)
    assert done.returncode == 0, done.stderr
    assert (
        untrained(tmp_path / "out")
        == "patches: test has none of class chalcocite; cut more patches"
    )


def test_an_empty_store_trains_nothing_and_hands_on_why(folder, tmp_path, root):
    scene = cut(
        make_ground(tmp_path / "scene"), "--labels", "chalcocite", "feldspar", "--size-px", 120
    )
    flags = ("--protocol", "published", "--source-patches", 8, "--apart", tmp_path / "apart.json")
    done = train(scene, tmp_path, *flags)
    assert done.returncode == 0, done.stderr
    assert untrained(tmp_path).startswith(
        f"{scene / 'class.tif'}: 1 labelled patches for 2 classes"
    )
    records = [
        json.loads((tmp_path / name).read_text()) for name in ("accuracy.json", "apart.json")
    ]
    schema = json.loads((root / "workflow/schemas/accuracy.schema.json").read_text())
    jsonschema.validate({"study": "gilgit", "records": records}, schema)
    assert records[0]["method"] != records[1]["method"]


def test_help_is_quick_and_needs_no_tensorflow():
    assert "keras" in sys.modules
    done = run_command("train_network", "--help")
    assert done.returncode == 0
    assert "tensorflow" not in done.stderr.lower()
