import csv
import json

import numpy as np
import pytest
from embeddings import EMBEDDING_FLAGS
from samples import run_command

from gossan.cube.instruments import INSTRUMENTS
from gossan.library.readers import read_library

MINERALS = ("alunite", "calcite", "kaolinite")
ORDER = ("alunite", "chlorite", "calcite", "goethite", "hematite", "jarosite", "kaolinite")
SMALL = ("--epochs", 3, "--triplets", 384, "--hidden", 48, "--embedding", 12)
NAMES = ("emit", "enmap", "prisma", "sentinel2", "worldview3")


def write_classes(root, path, minerals):
    lines = (root / "resources/static/minerals.csv").read_text().splitlines()
    kept = [line for line in lines[1:] if line.split(",")[1] in minerals]
    path.write_text("\n".join([lines[0], *kept]) + "\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory, root):
    """Two instruments' spectra of the shipped minerals, three specimens each, and five sensors."""
    folder = tmp_path_factory.mktemp("trial")
    write_classes(root, folder / "classes.csv", MINERALS)
    library = [
        item
        for item in read_library(root / "resources/static/analytic_library.csv")
        if np.isfinite(item.reflectance).all()
    ]
    for name, first, seed in (("one", 0, 1), ("two", 2, 2)):
        generator = np.random.default_rng(seed)
        titles, minerals, rows = [], [], []
        for item in library:
            for number in range(3):
                titles.append(f"{item.name} X{first + number}{item.name}")
                minerals.append(item.name if item.name in MINERALS else "")
                values = item.reflectance ** np.exp(generator.normal(0, 0.15))
                noise = generator.normal(0, 0.002, values.size)
                rows.append(np.clip(values * generator.uniform(0.8, 1.2) + noise, 0.01, 1.5))
        np.savez(
            folder / f"{name}.npz",
            wavelength_um=library[0].wavelength_um,
            reflectance=np.array(rows, np.float32),
            title=np.array(titles),
            mineral=np.array(minerals),
        )
    lines = ["sensor,band,centre_nm,fwhm_nm"]
    for name, step, width in zip(
        (INSTRUMENTS[sensor].table_name for sensor in NAMES),
        (20, 25, 30, 150, 120),
        (9, 9, 12, 40, 50),
        strict=True,
    ):
        lines += [f"{name},{centre},{centre},{width}" for centre in range(430, 2390, step)]
    (folder / "sensors.csv").write_text("\n".join(lines) + "\n")
    return folder


def assess(folder, out, *more, **changed):
    paths = {"training": folder / "one.npz", "test": folder / "two.npz"} | changed
    return run_command(
        "assess_spectra",
        *("--training", paths["training"], "--test", paths["test"]),
        *("--classes", folder / "classes.csv", "--sensors", folder / "sensors.csv"),
        *("--folds", 3, "--bootstrap", 100, *EMBEDDING_FLAGS, *SMALL),
        *("--masking", 4, "--instruments", *NAMES),
        *("--table", out / "scores.csv", "--record", out / "record.json"),
        *more,
    )


@pytest.fixture(scope="module")
def done(folder):
    run = assess(folder, folder / "out")
    assert run.returncode == 0, run.stderr
    return folder / "out"


def read_rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_has_every_case(done):
    rows = read_rows(done / "scores.csv")
    cases = {
        (row["method"], row["sensors"], row["spectra"], row["threshold_kind"], row["mineral"])
        for row in rows
    }
    assert len(cases) == len(rows) == 2 * 6 * 2 * 2 * 4
    record = json.loads((done / "record.json").read_text())
    assert set(record["macro_f1"]["all"]["validation"]) == {"network", "sam"}
    assert set(record["macro_f1"]["all"]["oracle"]["network"]) == {*NAMES, "all"}
    # Specimens 2 of both are the same.
    assert len(record["shared_specimens"]) == record["n_test"] / 3
    assert record["n_test_shared"] == record["n_test"] / 3
    assert record["minerals"]["calcite"] == {"training": 3, "test": 3}
    new = [row for row in rows if row["spectra"] == "new"]
    assert {row["n"] for row in new} == {str(2 * record["n_test"] // 3)}


def test_minerals_are_found_on_the_other_instrument(done):
    record = json.loads((done / "record.json").read_text())
    own = record["macro_f1"]["all"]["validation"]["network"]
    assert own["all"] > 0.8
    assert all(
        record["macro_f1"]["all"]["oracle"]["network"][name] >= value - 1e-9
        for name, value in own.items()
    )


def test_the_same_seed_gives_the_same_bytes(done, folder, tmp_path):
    run = assess(folder, tmp_path)
    assert run.returncode == 0, run.stderr
    for path in done.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_spectra_that_do_not_reach_a_sensor_are_not_scored_with_it(folder, tmp_path):
    with np.load(folder / "two.npz") as archive:
        arrays = dict(archive)
    kept = arrays["wavelength_um"] > 0.45
    arrays["wavelength_um"] = arrays["wavelength_um"][kept]
    arrays["reflectance"] = arrays["reflectance"][:, kept]
    np.savez(tmp_path / "late.npz", **arrays)
    run = assess(folder, tmp_path, test=tmp_path / "late.npz")
    assert run.returncode == 0, run.stderr
    assert "late.npz" in run.stderr and "do not reach every band of emit" in run.stderr
    rows = [row for row in read_rows(tmp_path / "scores.csv") if row["sensors"] == "emit"]
    assert rows and all(row["f1"] == "" and row["n"] == "0" for row in rows)
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["macro_f1"]["all"]["validation"]["network"]["emit"] is None
    assert record["not_measured"]["test"]["emit"] == record["n_test"]


def test_bad_input_ends_with_one_line(folder, tmp_path):
    with np.load(folder / "one.npz") as archive:
        arrays = dict(archive)
    without = arrays["mineral"] != "calcite"
    np.savez(
        tmp_path / "short.npz",
        wavelength_um=arrays["wavelength_um"],
        **{name: arrays[name][without] for name in ("reflectance", "title", "mineral")},
    )
    for more, changed, words in (
        ((), {"training": tmp_path / "short.npz"}, "short.npz: has no spectrum of calcite"),
        ((), {"test": tmp_path / "none.npz"}, "none.npz: no such file"),
        (("--folds", 1), {}, "folds: 1"),
    ):
        run = assess(folder, tmp_path / "out", *more, **changed)
        assert run.returncode == 1
        assert words in run.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def real(shared_data, root, out, *more):
    archives = {
        name: shared_data(f"usgs_splib07/csv/splib07a_minerals_{name}.npz")
        for name in ("BECK", "ASD")
    }
    run = run_command(
        "assess_spectra",
        *("--training", archives["BECK"], "--test", archives["ASD"]),
        *("--classes", write_classes(root, out / "classes.csv", ORDER)),
        *("--sensors", shared_data("sensor_responses/bands_centre_fwhm.csv")),
        *("--instruments", *NAMES, "--masking", 4, "--triplets", 6144, "--epochs", 16),
        *("--mining", "semi-hard", "--margin", 0.3, "--hidden", 256, "--embedding", 32),
        *("--networks", 1, "--seed", 42, "--threads", 2, "--folds", 8),
        *("--bootstrap", 100, "--table", out / "scores.csv", "--record", out / "record.json"),
        *more,
    )
    assert run.returncode == 0, run.stderr
    return json.loads((out / "record.json").read_text())


def test_real_spectra_go_through(shared_data, root, tmp_path):
    more = ("--folds", 2, "--epochs", 1, "--triplets", 256, "--threads", 1)
    record = real(shared_data, root, tmp_path, *more)
    assert (record["n_training"], record["n_test"]) == (439, 448)
    assert record["minerals"]["goethite"] == {"training": 7, "test": 1}
    # Prochlorite is a chlorite.
    assert record["minerals"]["chlorite"]["training"] == 19
    # One instrument's stretches of deleted channels up to 50 nm lie over bands.
    assert record["not_measured"]["training"]["emit"] == 29
    assert record["not_measured"]["test"]["emit"] == 14
    assert "HS295" in record["shared_specimens"]
    assert record["macro_f1"]["all"]["oracle"]["sam"]["all"] == pytest.approx(0.843, abs=0.01)


@pytest.mark.slow
def test_the_network_finds_minerals_that_the_spectral_angle_does_not(shared_data, root, tmp_path):
    record = real(shared_data, root, tmp_path, "--networks", 5, "--threads", 1)
    found = record["macro_f1"]["all"]["validation"]
    assert found["network"]["all"] >= 0.75
    for name in NAMES:
        assert found["network"][name] > found["sam"][name], name
