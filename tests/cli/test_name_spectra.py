import csv
import json

import numpy as np
import pytest
from embeddings import CLASSES, MINERALS, make_model, reflect
from samples import run_command, run_tool
from scipy.io import savemat

from gossan.library.readers import read_library

FILES = ("named.csv", "summary.csv", "thresholds.json")


def write_table(path, wavelength, spectra):
    with path.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["wavelength_um", *spectra])
        table.writerows(zip(wavelength, *spectra.values(), strict=True))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("naming")
    make_model(made / "net.onnx")
    (made / "classes.csv").write_text(CLASSES)
    fine, coarse = np.arange(0.35, 2.5, 0.004), np.arange(0.38, 2.46, 0.0098)
    names = [f"{name.title()} X1" for name in MINERALS]
    library = dict(zip(names, reflect(fine), strict=True))
    write_table(made / "library.csv", fine, library | {"Quartz X1": 0.35 + 0.25 * np.sin(5 * fine)})
    pixels = dict(zip("abc", 0.7 * reflect(coarse), strict=True))
    write_table(made / "pixels.csv", coarse, pixels | {"q": 0.3 + 0.22 * np.sin(5 * coarse)})
    return made


def name(folder, out, *flags):
    return run_tool(
        "name_spectra",
        *("--spectra", folder / "pixels.csv", "--onnx", folder / "net.onnx"),
        *("--classes", folder / "classes.csv", "--library", folder / "library.csv"),
        *("--sensor", "emit", "--coverage", 0.9, "--named-share", 0.5, "--seed", 42),
        *("--table", out / "named.csv"),
        *("--summary", out / "summary.csv", "--thresholds", out / "thresholds.json"),
        *("--threads", 1, *flags),
    )


def rows_of(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("sensor", ["emit", "enmap"])
def test_spectra_are_named_by_both_methods(folder, tmp_path, sensor):
    done = name(folder, tmp_path, "--sensor", sensor)
    assert done.returncode == 0, done.stderr
    rows = rows_of(tmp_path / "named.csv")
    assert [row["method"] for row in rows] == ["masked", "sam"] * 4
    assert [row["nearest"] for row in rows[:6:2]] == list(MINERALS)
    assert [row["nearest"] for row in rows[1:6:2]] == list(MINERALS)
    # The network's weights are random, so only the angle is asked about a stranger.
    assert (rows[7]["spectrum"], rows[7]["answer"]) == ("q", "none")
    thresholds = json.loads((tmp_path / "thresholds.json").read_text())
    for row in rows:
        limit = thresholds[row["method"]][row["nearest"]]["conformal"]
        assert float(row["limit"]) == pytest.approx(limit, abs=1e-6)
        assert (row["within_limit"] == "yes") == (float(row["distance"]) <= limit)
        smallest = min(float(row[f"distance_{mineral}"]) for mineral in MINERALS)
        assert float(row["distance"]) == smallest
    for method in ("masked", "sam"):
        own = [row for row in rows_of(tmp_path / "summary.csv") if row["method"] == method]
        assert [row["mineral"] for row in own] == [*MINERALS, "unclassified", "all"]
        assert sum(int(row["named"]) for row in own[:-1]) == int(own[-1]["spectra"]) == 4


def test_bytes_do_not_depend_on_threads(folder, tmp_path):
    for out, threads in (("one", 1), ("two", 2)):
        assert name(folder, tmp_path / out, "--threads", threads).returncode == 0
    for file in FILES:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_bad_input_ends_with_one_line(folder, tmp_path):
    def fails(*flags):
        done = name(folder, tmp_path / "none", *flags)
        assert done.returncode == 1
        assert not any((tmp_path / "none" / file).exists() for file in FILES)
        return done.stderr

    assert "sensor 'aviris': the network was trained with" in fails("--sensor", "aviris")
    assert "none.csv: no such file" in fails("--spectra", tmp_path / "none.csv")
    short = tmp_path / "short.csv"
    short.write_text("wavelength_um,x\n0.4,0.1\n1.0,0.2\n")
    assert "'x' has no reflectance over emit:B" in fails("--spectra", short)
    lacking = tmp_path / "lacking.csv"
    lacking.write_text((folder / "library.csv").read_text().replace("Jarosite", "Beryl"))
    assert "has no spectrum of jarosite" in fails("--library", lacking)
    classes = tmp_path / "classes.csv"
    classes.write_text(CLASSES.replace("alunite", "quartz"))
    assert "class 7 is quartz" in fails("--classes", classes)
    assert "coverage: 1 is no share" in fails("--coverage", 1)


def test_a_matrix_becomes_a_table(tmp_path):
    header = tmp_path / "lib.hdr"
    header.write_text("ENVI\nsamples = 4\nwavelength = {400.0, 500.0, 600.0, 2600.0}\n")
    savemat(tmp_path / "m.mat", {"x": np.array([[0.1, 0.5, 0.4, 0.2], [0.1, 0.3, 0.6, 0.3]])})
    flags = (
        *("--matrix", tmp_path / "m.mat", "--variable", "x", "--wavelengths", header),
        *("--table", tmp_path / "pixels.csv", "--record", tmp_path / "record.json"),
    )
    done = run_tool("tabulate_pixels", *flags)
    assert done.returncode == 0, done.stderr
    first, second = read_library(tmp_path / "pixels.csv")
    assert first.name == "pixel1"
    assert first.wavelength_um.tolist() == [0.5, 0.6]
    assert first.reflectance == pytest.approx([0.4, 0.3])
    assert second.reflectance == pytest.approx([0.2, 0.5])
    record = json.loads((tmp_path / "record.json").read_text())
    assert (record["dead"], record["outside"], record["zero"]) == ([0], [3], 0.1)
    done = run_tool("tabulate_pixels", *flags, "--range-um", 0.55, 2.5)
    assert done.returncode == 1
    assert "m.mat: no channels are left from 0.55 to 2.5 µm" in done.stderr


@pytest.mark.parametrize("tool", ["name_spectra", "tabulate_pixels"])
def test_help_is_quick(tool):
    assert run_command(tool, "--help").returncode == 0
