"""label_iron: rasters, tables and records, the geology, fixed thresholds, bad input."""

import csv
import json

import geopandas
import jsonschema
import numpy as np
import pytest
import rasterio
from iron_scenes import MINES, make_district, sampling, write_references
from samples import run_command, run_tool

OUTPUTS = ("similarity.tif", "similarity.qml", "iron.tif", "iron.qml", "iron.tif.aux.xml")
OUTPUTS += ("scan.csv", "robustness.csv", "spectra.csv", "labels.json", "sam.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = make_district(tmp_path_factory.mktemp("district"))
    small = ("--counts", 8, 8, 8, 12, "--ore-count", 10, "--min-distance-m", 40)
    flags = sampling(made, made, *small, "--truth", made / "truth.tif")
    assert run_tool("sample_strata", *flags).returncode == 0
    return made


def arguments(folder, output, *more, geology=True, references="references.csv"):
    return (
        *("--cube", folder / "cube.tif"),
        *(("--references", folder / references) if references else ()),
        *("--samples", folder / "samples.gpkg"),
        *(("--geology", folder / "geology.gpkg") if geology else ()),
        *("--classes", folder / "iron.csv", "--covers", folder / "covers.csv"),
        *("--theta-max-rad", "published", "--grades", 0.9, 0.8, 0.7),
        *("--scene", "tiny", "--bootstrap", 200, "--seed", 42),
        *("--similarity", output / "similarity.tif", "--labels", output / "iron.tif"),
        *("--scan", output / "scan.csv", "--robustness", output / "robustness.csv"),
        *("--spectra", output / "spectra.csv", "--record", output / "labels.json"),
        *("--points", output / "points.csv", "--accuracy", output / "sam.json", *more),
    )


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read()


def table(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_rasters_tables_and_records_agree(folder, tmp_path, root):
    done = run_tool("label_iron", *arguments(folder, tmp_path, "--block-px", 32))
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "labels.json").read_text())
    similarity, iron = read(tmp_path / "similarity.tif"), read(tmp_path / "iron.tif")[0]
    with rasterio.open(tmp_path / "similarity.tif") as dataset:
        assert dataset.descriptions == ("hematite", "itabirite", "soil", "vegetation")
        assert dataset.tags()["SYNTHETIC"] == "yes"
    assert (iron[:6, :6] == 255).all()
    assert np.isnan(similarity[:, :6, :6]).all()
    valid = iron != 255
    assert np.nanmin(similarity) >= 0
    assert np.nanmax(similarity) <= 1
    # West of column 64 the geology hosts iron: the hematite mine, not the other.
    assert (iron[:, 64:] == 7).all()
    column, row = MINES["hematite"]
    inside = iron[row - 8 : row + 8, column - 8 : column + 8]
    assert np.isin(inside, (1, 2, 3)).mean() > 0.8
    for entry in record["classes"]:
        assert entry["pixels"] == (iron == entry["code"]).sum()
    assert record["pixels"] == valid.sum()
    graded = np.isin(iron, (1, 2, 3))
    assert (similarity[0][graded] >= np.float32(0.7)).all()
    assert (similarity[0][iron == 1] >= np.float32(0.9)).all()
    rows = table(tmp_path / "robustness.csv")
    assert len(rows) == 22
    base = next(row for row in rows if row["reference"] == "none" and row["split"] == "test")
    assert int(base["iron_pixels"]) == (valid & (iron != 7)).sum()
    assert float(base["macro_f1"]) == record["test"]["macro_f1"]
    counts = {
        row["shift_rad"]: int(row["iron_pixels"]) for row in rows if row["reference"] == "all"
    }
    assert counts["-0.02"] <= int(base["iron_pixels"]) <= counts["0.02"]
    chosen = {
        row["reference"]: float(row["threshold_rad"])
        for row in table(tmp_path / "scan.csv")
        if row["chosen"] == "yes"
    }
    assert chosen == record["limits_rad"]
    assert record["theta_max_rad"]["itabirite"] == pytest.approx(0.4)
    assert record["index_bands"] == ["B02", "B04", "B08", "B11"]
    assert record["green_for_blue"] is False
    assert record["sources"]["soil"] == "mean of the training samples"
    assert [row["stratum"] for row in record["held_out_strata"]] == [
        *("0-100 m", "100-200 m", "200-500 m", "500 m-10 km", "all"),
    ]
    accuracy = json.loads((tmp_path / "sam.json").read_text())
    schema = json.loads((root / "workflow/schemas/accuracy.schema.json").read_text())
    jsonschema.validate({"study": "bahia", "records": [accuracy]}, schema)
    assert accuracy["scores"]["macro_f1"]["value"] == record["test"]["macro_f1"]
    assert accuracy["synthetic"] is True
    assert record["test"]["macro_f1"] > 0.6
    assert table(tmp_path / "spectra.csv")[0]["band"] == "B02"


def test_one_and_two_threads_and_any_blocks_give_the_same_bytes(folder, tmp_path):
    for threads in (1, 2):
        more = ("--threads", threads, "--block-px", 32)
        done = run_tool("label_iron", *arguments(folder, tmp_path / str(threads), *more))
        assert done.returncode == 0, done.stderr
    for name in OUTPUTS:
        one, two = (tmp_path / str(threads) / name for threads in (1, 2))
        assert one.read_bytes() == two.read_bytes(), name


def test_without_geology_iron_may_be_anywhere(folder, tmp_path):
    assert run_tool("label_iron", *arguments(folder, tmp_path, geology=False)).returncode == 0
    iron = read(tmp_path / "iron.tif")[0]
    column, row = MINES["itabirite"]
    inside = iron[row - 8 : row + 8, column - 8 : column + 8]
    assert np.isin(inside, (1, 2, 3, 4, 5, 6)).mean() > 0.8
    assert json.loads((tmp_path / "labels.json").read_text())["geology"] is None


def test_thresholds_of_the_paper_can_be_used(folder, tmp_path):
    paper = ("hematite=0.10", "itabirite=0.12", "soil=0.15", "vegetation=0.15")
    more = ("--theta-max-rad", 1.5, "--grades", 0.95, 0.9, 0.85, "--max-angle-rad", *paper)
    assert run_tool("label_iron", *arguments(folder, tmp_path, *more)).returncode == 0
    record = json.loads((tmp_path / "labels.json").read_text())
    assert list(record["limits_rad"].values()) == [0.10, 0.12, 0.15, 0.15]
    assert set(record["theta_max_rad"].values()) == {1.5}
    assert record["grades"] == {"high": 0.95, "moderate": 0.9, "low": 0.85}
    assert len(table(tmp_path / "scan.csv")) == 4
    similarity = read(tmp_path / "similarity.tif")
    spectra = read(folder / "cube.tif")[:, 60, 40].astype(float)
    used = np.array([float(row["hematite"]) for row in table(tmp_path / "spectra.csv")])
    cosine = spectra @ used / np.linalg.norm(spectra) / np.linalg.norm(used)
    assert similarity[0, 60, 40] == pytest.approx(1 - np.arccos(cosine) / 1.5, abs=1e-4)


def test_test_samples_change_neither_thresholds_nor_spectra(folder, tmp_path):
    assert run_tool("label_iron", *arguments(folder, tmp_path / "a")).returncode == 0
    points = geopandas.read_file(folder / "samples.gpkg")
    test = points["split"] == "test"
    points.loc[test, "class"] = "soil"
    points.loc[test, "mineral"] = ""
    points.to_file(tmp_path / "samples.gpkg")
    more = ("--samples", tmp_path / "samples.gpkg")
    assert run_tool("label_iron", *arguments(folder, tmp_path / "b", *more)).returncode == 0
    for name in ("iron.tif", "similarity.tif", "scan.csv", "spectra.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    first, second = ((tmp_path / x / "sam.json").read_text() for x in "ab")
    assert first != second


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--max-angle-rad", "hematite"), "max-angle-rad: 'hematite' is not NAME=RAD"),
        (("--max-angle-rad", "gold=0.1"), "max-angle-rad: gold is none of"),
        (("--theta-max-rad", 0), "theta-max-rad: 0 is not"),
        (("--grades", 0.7, 0.8, 0.9), "grades: give three similarities"),
    ],
)
def test_numbers_out_of_range_are_refused(folder, tmp_path, more, message):
    done = run_tool("label_iron", *arguments(folder, tmp_path / "out", *more))
    assert done.returncode == 1
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


def test_samples_of_one_split_are_refused(folder, tmp_path):
    points = geopandas.read_file(folder / "samples.gpkg")
    points[points["split"] == "train"].to_file(tmp_path / "samples.gpkg")
    more = ("--samples", tmp_path / "samples.gpkg")
    done = run_tool("label_iron", *arguments(folder, tmp_path / "out", *more))
    assert "samples.gpkg: has no test samples" in done.stderr


def test_without_references_the_training_samples_show_them(folder, tmp_path):
    done = run_tool("label_iron", *arguments(folder, tmp_path, geology=False, references=None))
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "labels.json").read_text())
    assert set(record["sources"].values()) == {"mean of the training samples"}
    assert record["test"]["f1_ore"] > 0.9
    iron = read(tmp_path / "iron.tif")[0]
    for grades, (column, row) in zip(((1, 2, 3), (4, 5, 6)), MINES.values(), strict=True):
        inside = iron[row - 8 : row + 8, column - 8 : column + 8]
        assert np.isin(inside, grades).mean() > 0.9


def test_references_of_other_bands_are_refused(folder, tmp_path):
    write_references(tmp_path / "references.csv", ("hematite", "quartz"))
    text = (tmp_path / "references.csv").read_text()
    (tmp_path / "references.csv").write_text(text.replace("B8A", "B9"))
    done = run_tool("label_iron", *arguments(tmp_path, tmp_path / "out", *files(folder)))
    assert "references.csv: lacks band B8A" in done.stderr
    assert not (tmp_path / "out").exists()


def files(folder):
    """The inputs of a district, to stand after those of another folder."""
    return (
        *("--cube", folder / "cube.tif", "--samples", folder / "samples.gpkg"),
        *("--geology", folder / "geology.gpkg", "--classes", folder / "iron.csv"),
        *("--covers", folder / "covers.csv"),
    )


def test_geology_that_hosts_nothing_is_refused(folder, tmp_path):
    units = geopandas.read_file(folder / "geology.gpkg")
    units["iron"] = "no"
    units.to_file(tmp_path / "geology.gpkg")
    more = ("--geology", tmp_path / "geology.gpkg")
    done = run_tool("label_iron", *arguments(folder, tmp_path / "out", *more))
    assert done.returncode == 1
    assert "geology.gpkg: no unit over the map has iron = yes" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_tool_runs_as_a_command(folder, tmp_path):
    done = run_command("label_iron", *arguments(folder, tmp_path, "--threads", 1))
    assert done.returncode == 0, done.stderr
    done = run_command("label_iron", *arguments(folder, tmp_path, "--cube", "none.tif"))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: none.tif: ")
