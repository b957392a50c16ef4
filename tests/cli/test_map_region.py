"""A network of a region: trained, and mapped over a stack of sensors."""

import csv
import json

import numpy as np
import pytest
import rasterio
from embeddings import CLASSES, EMBEDDING_FLAGS, MINERALS, make_model, make_stack, reflect
from samples import run_command, run_tool

from gossan.embedding.model import read_model

FINE = np.arange(0.35, 2.5, 0.004)
FILES = ("class.tif", "margin.tif", "areas.csv", "map.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = make_stack(tmp_path_factory.mktemp("region"), ("emit", "prisma", "sentinel2"))
    head, *rows = CLASSES.strip().splitlines()
    (made / "classes.csv").write_text(
        "\n".join([f"{head},group", *(f"{row},2um" for row in rows)]) + "\n"
    )
    names = [*(f"{name.title()} X1" for name in MINERALS), "Quartz X1"]
    values = [*reflect(FINE), np.full(FINE.size, 0.4)]
    with (made / "library.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["wavelength_um", *names])
        table.writerows(zip(FINE, *values, strict=True))
    done = train(made, made / "net", "--region", "2um", "--epochs", 20)
    assert done.returncode == 0, done.stderr
    return made


def train(folder, out, *more):
    return run_command(
        "train_embedding",
        *("--library", folder / "library.csv", "--classes", folder / "classes.csv"),
        *("--bands", folder / "bands.csv", *EMBEDDING_FLAGS, "--scene", "a-hill"),
        *("--model", out / "model.keras", "--onnx", out / "model.onnx"),
        *("--record", out / "record.json", "--history", out / "history.csv", *more),
    )


def map_it(folder, out, *more):
    return run_tool(
        "map_region",
        *("--stack", folder / "stack.tif", "--sensors", folder / "sensors.tif"),
        *("--onnx", folder / "net/model.onnx", "--classes", folder / "classes.csv"),
        *("--library", folder / "library.csv", "--named-share", 0.5, "--seed", 1),
        *("--scene", "a-hill", "--class-map", out / "class.tif", "--margin", out / "margin.tif"),
        *("--areas", out / "areas.csv", "--record", out / "map.json", "--threads", 1, *more),
    )


def test_a_network_of_a_region_knows_it(folder):
    header = read_model(folder / "net/model.onnx").header
    assert header.region == "2um" and header.minerals == tuple(MINERALS)
    # Sentinel-2 of the helper has too few bands there.
    assert header.bands.sensors == ("emit", "prisma")
    record = json.loads((folder / "net/record.json").read_text())
    assert record["region"] == "2um" and record["backgrounds"] == ["quartz"]
    assert record["augmentation"]["others"] == 3


def test_the_surest_half_is_named_and_right(folder, tmp_path):
    done = map_it(folder, tmp_path)
    assert done.returncode == 0, done.stderr
    with rasterio.open(tmp_path / "class.tif") as dataset:
        codes = dataset.read(1)
    with rasterio.open(tmp_path / "margin.tif") as dataset:
        margin = dataset.read(1)
    with rasterio.open(folder / "sensors.tif") as dataset:
        unseen = (dataset.read(1) & 0b101) == 0
    assert (codes[unseen] == 255).all() and np.isnan(margin[unseen]).all()
    record = json.loads((tmp_path / "map.json").read_text())
    least = record["margin"]["least"]
    assert ((codes[~unseen] > 0) == (margin[~unseen] >= least - 1e-6)).all()
    wanted = np.array(list(MINERALS.values()))[np.arange(codes.shape[0]) * 3 // codes.shape[0]]
    named = (codes > 0) & ~unseen
    assert 0.3 < named.mean() <= 0.5
    assert (codes == wanted[:, None])[named].mean() > 0.9
    assert record["sampled_px"] == (~unseen).sum()
    rows = list(csv.DictReader((tmp_path / "areas.csv").open()))
    assert sum(int(row["pixels"]) for row in rows) == codes.size
    assert (tmp_path / "class.qml").exists() and (tmp_path / "class.tif.aux.xml").exists()


def test_bytes_do_not_depend_on_threads(folder, tmp_path):
    for out, threads in (("one", 1), ("two", 2)):
        assert map_it(folder, tmp_path / out, "--threads", threads).returncode == 0
    for file in FILES:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_bad_input_ends_with_one_line(folder, tmp_path):
    def fails(*flags):
        done = map_it(folder, tmp_path / "none", *flags)
        assert done.returncode == 1
        assert not any((tmp_path / "none" / file).exists() for file in FILES)
        return done.stderr

    make_model(tmp_path / "whole.onnx")
    assert "whole.onnx: is of no region" in fails("--onnx", tmp_path / "whole.onnx")
    assert "--named-share: 0 is no share above 0" in fails("--named-share", 0)
    done = train(folder, tmp_path / "iron", "--region", "1um")
    assert done.returncode == 1
    assert "region 1um: the study's references have 0 of its minerals" in done.stderr


def test_spectra_are_named_by_region(folder, tmp_path):
    coarse = np.arange(0.38, 2.46, 0.0098)
    spectra = np.repeat(0.7 * reflect(coarse), 20, axis=0)
    with (tmp_path / "pixels.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["wavelength_um", *(f"p{place}" for place in range(len(spectra)))])
        table.writerows(zip(coarse, *spectra, strict=True))
    done = run_tool(
        "name_spectra",
        *("--spectra", tmp_path / "pixels.csv", "--sensor", "emit"),
        *("--onnx", folder / "net/model.onnx", "--classes", folder / "classes.csv"),
        *("--library", folder / "library.csv", "--coverage", 0.9, "--named-share", 0.4),
        *("--seed", 1, "--table", tmp_path / "named.csv", "--summary", tmp_path / "summary.csv"),
        *("--thresholds", tmp_path / "thresholds.json", "--threads", 1),
    )
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((tmp_path / "named.csv").open()))
    assert {row["region"] for row in rows} == {"2um"}
    assert [row["method"] for row in rows[:3]] == ["masked", "sam", "shape"]
    wanted = np.repeat(list(MINERALS), 20)
    for method in ("masked", "sam", "shape"):
        own = [row for row in rows if row["method"] == method]
        assert [row["nearest"] for row in own] == wanted.tolist()
    chosen = json.loads((tmp_path / "thresholds.json").read_text())["2um"]
    assert set(chosen) == {"masked", "sam", "shape"}
