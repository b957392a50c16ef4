"""The tool that explains the network's map."""

import json

import numpy as np
import pytest
import rasterio
from samples import run_tool
from sensor_reports import SCENE, write_ground

from explain_embedding import find_any
from gossan.accuracy.clear_ground import ClearGround
from gossan.embedding.explanation import explain_network, read_shares
from gossan.raster import BandTable


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("network")
    write_ground(folder, synthetic=True)
    rows = ["mineral,bands,one_with", "alunite,99,goethite", "goethite,99,alunite"]
    (folder / "separable.csv").write_text("\n".join(rows) + "\n")
    return folder


def explain(folder, *flags):
    done = run_tool(
        "explain_embedding",
        *("--scene", SCENE, "--stack", folder / "stack.tif"),
        *("--stack-record", folder / "stack.json", "--class-map", folder / "class.tif"),
        *("--answer", folder / "answer.tif", "--areas", folder / "areas.csv"),
        *("--separable", folder / "separable.csv", "--classes", folder / "classes.csv"),
        *("--output", folder / "explanation.json", *flags),
    )
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "explanation.json").read_text())


def test_an_explanation_tells_answers_and_shares_of_clear_pixels(folder):
    told = explain(folder)
    head = {key: told[key] for key in ("scene", "sensor", "method", "synthetic")}
    assert head == {"scene": SCENE, "sensor": "stack", "method": "embedding", "synthetic": True}
    with rasterio.open(folder / "answer.tif") as dataset:
        answers = dataset.read(1)
    clear = answers != 255
    numbers = told["numbers"]
    for name, kind in (("none", 2), ("several", 3)):
        assert numbers["answers"][name] == pytest.approx((answers[clear] == kind).mean(), rel=1e-3)
    with rasterio.open(folder / "class.tif") as dataset:
        codes = dataset.read(1)
    assert numbers["unclassified"] == pytest.approx((codes[clear] == 0).mean(), rel=1e-3)
    assert sum(numbers["shares"].values()) + numbers["unclassified"] == pytest.approx(1, abs=1e-3)
    assert any("alunite and goethite are one" in text for text in told["sentences"])
    assert "keep one of them in embedding.references" in " ".join(told["advice"])


def test_same_inputs_same_bytes(folder):
    explain(folder)
    before = (folder / "explanation.json").read_bytes()
    explain(folder, "--block-px", 16)
    assert (folder / "explanation.json").read_bytes() == before


def test_a_sensor_that_saw_plants_tells_of_them_where_another_saw_nothing():
    names = ("landsat:B4", "landsat:B5", "aster:2", "aster:3N")
    bands = BandTable(names, (0.655, 0.865, 0.66, 0.81), (0.03,) * 4)
    pixels = np.array([[0.05, 0.4, np.nan, np.nan], [np.nan, np.nan, 0.05, 0.4], [0.2] * 4])
    assert find_any(pixels.astype("float32"), bands)["plants"].tolist() == [True, True, False]


def test_a_network_that_names_little_says_whether_for_want_of_likeness_or_of_choice():
    shares = {"Alunite": 0.05, "Goethite": 0.05}
    told = explain_network("hill", shares, 0.9, {"none": 0.7, "several": 0.2}, ClearGround())
    assert "leaves 90.0% of the clear pixels unclassified" in told["doubts"][0]
    assert "70.0% of the clear pixels are like no mineral" in told["doubts"][1]
    assert "20.0% like several" in told["doubts"][1]
    full = {"Alunite": 0.5, "Goethite": 0.5}
    quiet = explain_network("hill", full, 0.0, {"none": 0, "several": 0}, ClearGround())
    assert quiet["doubts"] == quiet["advice"] == quiet["sentences"] == []


def test_shares_of_areas_leave_nodata_out():
    rows = [
        {"name": name, "label": name.title(), "pixels": str(pixels)}
        for name, pixels in (("alunite", 1), ("unclassified", 3), ("nodata", 90))
    ]
    assert read_shares(rows) == ({"Alunite": 0.25}, 0.75)
    assert read_shares(rows[2:]) == ({}, 0.0)
