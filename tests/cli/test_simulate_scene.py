"""The command line of the simulator."""

import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.fixture
def simulate(root, tmp_path):
    def call(*flags: str, sensor: str = "landsat", **replaced: Path) -> subprocess.CompletedProcess:
        paths = {
            "library": root / "resources" / "static" / "analytic_library.csv",
            "minerals": root / "resources" / "static" / "minerals.csv",
            "product": tmp_path / "out" / "product.tar",
            "truth": tmp_path / "out" / "truth.tif",
        } | replaced
        command = [sys.executable, root / "scripts" / "simulate_scene.py", "--sensor", sensor]
        for name, path in paths.items():
            command += [f"--{name}", path]
        command += ["--threads", "2", *flags]
        return subprocess.run([str(part) for part in command], capture_output=True, text=True)

    return call


def test_writes_product_and_truth(simulate, tmp_path):
    done = simulate("--size-px", "48", "--seed", "7", "--difficulty", "0.5")
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"product.tar", "truth.tif", "truth.qml", "truth.tif.aux.xml"}


def test_writes_an_aster_product_with_its_zones(simulate, tmp_path):
    zones, product = tmp_path / "out" / "zones.gpkg", tmp_path / "out" / "product.hdf"
    done = simulate(*("--size-px", "64", "40"), sensor="aster", reference=zones, product=product)
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"product.hdf", "truth.tif", "truth.qml", "truth.tif.aux.xml", "zones.gpkg"}


def test_aster_needs_a_file_for_the_zones(simulate, tmp_path):
    done = simulate(sensor="aster")
    assert done.returncode == 1
    assert "--reference" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--size-px", "8"), "--size-px"),
        (("--size-px", "64", "48"), "square"),
        (("--size-px", "64", "48", "40"), "--size-px"),
        (("--reference", "zones.gpkg"), "--reference"),
        (("--difficulty", "7"), "--difficulty"),
        (("--difficulty", "nan"), "--difficulty"),
    ],
)
def test_numbers_out_of_range_are_named(simulate, tmp_path, flags, named):
    done = simulate(*flags)
    assert done.returncode == 1
    assert named in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_a_library_without_the_constituents_is_named(simulate, tmp_path):
    library = tmp_path / "few.csv"
    library.write_text("wavelength_um,calcite\n0.3,0.5\n1.0,0.6\n2.6,0.5\n")
    done = simulate("--size-px", "48", library=library)
    assert done.returncode == 1
    assert "alunite" in done.stderr.splitlines()[-1]
    assert not list(tmp_path.glob("out/*"))


def test_help_is_quick(root):
    start = time.perf_counter()
    tool = root / "scripts" / "simulate_scene.py"
    done = subprocess.run([sys.executable, tool, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "--difficulty" in done.stdout
    assert time.perf_counter() - start < 5
