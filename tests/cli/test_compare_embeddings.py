"""The tool compare_embeddings: networks as published beside the study's own."""

import csv
import json
import shutil
from dataclasses import replace

import geopandas
import numpy as np
import pytest
import rasterio
from detector_scenes import LIBRARY, MINERALS, make_scene
from samples import run_tool
from shapely.geometry import box

from gossan.embedding.comparison import COMPARISON_COLUMNS, MEASURES, MOVED_COLUMNS
from gossan.embedding.model import Branch, read_model, write_model

NETWORKS = ("masked", "unmasked")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A scene with networks of random weights, of its own and as published."""
    folder = make_scene(tmp_path_factory.mktemp("published"))
    generator = np.random.default_rng(5)
    for name in NETWORKS:
        own = read_model(folder / f"{name}.onnx")
        header = replace(own.header, preparation="plain", distance="centroids")
        shapes = ((len(header.bands), 32), (32,), (32, header.embedding), (header.embedding,))
        weights = [(generator.normal(size=shape) / 5).astype(np.float32) for shape in shapes]
        write_model(folder / f"published_{name}.onnx", header, [Branch(*weights)], own.references)
    return folder


def compare(folder, output, *flags, truth="truth.tif", networks=NETWORKS):
    files = {name: folder / f"{name}.tif" for name in ("stack", "sensors")}
    files |= {name: folder / f"{name}.csv" for name in ("bands", "classes")}
    files |= {name: folder / f"{name}.onnx" for name in networks}
    files |= {f"published-{name}": folder / f"published_{name}.onnx" for name in networks}
    return run_tool(
        "compare_embeddings",
        *(word for name, path in files.items() for word in (f"--{name}", path)),
        *(() if truth is None else ("--truth", folder / truth)),
        *("--library", LIBRARY, "--scene", "tiny", "--spatial-block-px", 6, "--seed", 42),
        *("--validation-share", 0.5, "--per-class", 10_000, "--bootstrap", 100),
        *("--comparison", output / "comparison.csv", "--similarity", output / "similarity.csv"),
        *("--record-dir", output / "records", "--threads", 2, *flags),
    )


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def output(folder, tmp_path_factory):
    found = tmp_path_factory.mktemp("output")
    done = compare(folder, found)
    assert done.returncode == 0, done.stderr
    return found


def test_both_stand_side_by_side_with_their_difference(output):
    table = rows(output / "comparison.csv")
    assert tuple(table[0]) == COMPARISON_COLUMNS
    assert len(table) == 2 * 2 * (len(MINERALS) * len(MEASURES) + 1)
    for row in table:
        published, own, apart = (float(row[name]) for name in ("published", "own", "difference"))
        assert own - published == pytest.approx(apart, abs=2e-6)
        if row["difference_low"]:
            assert float(row["difference_low"]) <= apart <= float(row["difference_high"])
    by = {tuple(row[key] for key in COMPARISON_COLUMNS[:4]): row for row in table}
    for network in NETWORKS:
        for mineral in MINERALS:
            oracle, validation = (
                by[network, kind, mineral, "f1"] for kind in ("oracle", "validation")
            )
            for side in ("published", "own"):
                assert float(oracle[side]) >= float(validation[side])
            assert oracle["n_mineral"] == validation["n_mineral"] != "0"


def test_single_library_spectra_keep_the_rule_of_unit_length(output):
    table = rows(output / "similarity.csv")
    assert tuple(table[0]) == MOVED_COLUMNS
    assert {(row["network"], row["spectra"]) for row in table} == {
        (network, spectra) for network in ("published", "own") for spectra in ("library", "pixels")
    }
    single = [row for row in table if row["spectra"] == "library"]
    assert {row["n"] for row in single} == {"1"} and len(single) == 2 * 6 * len(MINERALS)
    for row in single:
        length = np.sqrt(max(2 - 2 * float(row["cosine"]), 0))
        assert float(row["euclidean"]) == pytest.approx(length, abs=2e-3)


def test_the_networks_as_published_have_records_of_their_own(output):
    for name, label in (("masked", "masking"), ("unmasked", "no masking")):
        record = json.loads((output / f"records/{name}.json").read_text())
        assert record["method"] == f"Network, {label}, as published"
        assert record["assessed"] and record["synthetic"]


def test_without_a_truth_library_spectra_alone_are_compared(folder, tmp_path):
    done = compare(folder, tmp_path, truth=None, networks=("masked",))
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "comparison.csv") == []
    assert {row["spectra"] for row in rows(tmp_path / "similarity.csv")} == {"library"}
    record = json.loads((tmp_path / "records/masked.json").read_text())
    assert record["assessed"] is False
    assert not (tmp_path / "records/unmasked.json").exists()


def test_polygons_over_each_other_want_pixels_of_several_minerals(folder, tmp_path):
    with rasterio.open(folder / "stack.tif") as source:
        west, south, east, north = source.bounds
        crs, side = source.crs, source.res[0]
    places = [box(west, south, east - 15 * side, north), box(west + 15 * side, south, east, north)]
    geopandas.GeoDataFrame({"class": MINERALS[:2]}, geometry=places, crs=crs).to_file(
        folder / "over.gpkg"
    )
    done = compare(folder, tmp_path, truth="over.gpkg")
    assert done.returncode == 1 and not (tmp_path / "comparison.csv").exists()
    assert "over.gpkg: polygons of alunite and hematite lie over each other" in done.stderr
    done = compare(folder, tmp_path, "--several", truth="over.gpkg")
    assert done.returncode == 0, done.stderr
    counts = {row["mineral"]: int(row["n_mineral"]) for row in rows(tmp_path / "comparison.csv")}
    whole = int(rows(tmp_path / "comparison.csv")[0]["n"])
    assert counts["alunite"] + counts["hematite"] == counts["macro"] > whole


def test_one_sensor_has_no_network_without_masking_and_nothing_to_miss(tmp_path):
    scene = make_scene(tmp_path / "alone", sensors=("emit",))
    shutil.copy(scene / "masked.onnx", scene / "published_masked.onnx")
    done = compare(scene, tmp_path, networks=("masked",))
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "similarity.csv") == []
    table = rows(tmp_path / "comparison.csv")
    assert {float(row["difference"]) for row in table} == {0} and len(table) == 2 * 10


def test_networks_of_other_minerals_are_refused(folder, tmp_path):
    own = read_model(folder / "published_masked.onnx")
    header = replace(own.header, minerals=own.header.minerals[::-1], codes=own.header.codes[::-1])
    branch = Branch(
        *(np.zeros(shape, np.float32) for shape in ((len(header.bands), 2), (2,), (2, 8), (8,)))
    )
    write_model(tmp_path / "other.onnx", header, [branch], own.references)
    done = compare(folder, tmp_path, "--published-masked", tmp_path / "other.onnx")
    assert done.returncode == 1
    assert "masked: the network as published has other minerals" in done.stderr
    assert not (tmp_path / "comparison.csv").exists()
