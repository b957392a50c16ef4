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


@pytest.fixture
def simulate_dates(root, tmp_path):
    def call(*flags: str, **replaced: Path) -> subprocess.CompletedProcess:
        static = root / "resources" / "static"
        paths = {
            "library": static / "analytic_library.csv",
            "covers": static / "covers.csv",
            "iron": static / "iron.csv",
            "output-dir": tmp_path / "out",
        } | replaced
        command = [sys.executable, root / "scripts" / "simulate_scene.py", "--sensor", "sentinel2"]
        for name, path in paths.items():
            command += [f"--{name}", path]
        command += ["--threads", "2", *flags]
        return subprocess.run([str(part) for part in command], capture_output=True, text=True)

    return call


def test_writes_sentinel_2_dates_and_what_goes_with_them(simulate_dates, tmp_path):
    done = simulate_dates("--size-px", "60", "--dates", "2")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    assert len(list((out / "dates").glob("S2?_MSIL2A_*.zip"))) == 2
    vectors = ("mines", "ore_points", "geology", "claims", "occurrences")
    rasters = ("truth", "iron_truth", "dem", "magnetics")
    assert {f"{name}.gpkg" for name in vectors} == {path.name for path in out.glob("*.gpkg")}
    assert {f"{name}.tif" for name in rasters} == {path.name for path in out.glob("*.tif")}


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--dates", "0"), "--dates 0"),
        (("--dates", "37"), "--dates 37"),
        (("--size-px", "64"), "multiple of 6"),
        (("--size-px", "10986"), "10980"),
        (("--size-px", "60", "66"), "square"),
        (("--product", "product.zip"), "--product"),
        (("--minerals", "minerals.csv"), "--minerals"),
    ],
)
def test_what_no_sentinel_2_scene_has_is_named(simulate_dates, tmp_path, flags, named):
    done = simulate_dates(*flags)
    assert done.returncode == 1
    assert named in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_a_sentinel_2_scene_needs_its_tables_and_folder(root):
    tool = root / "scripts" / "simulate_scene.py"
    library = root / "resources" / "static" / "analytic_library.csv"
    command = [sys.executable, tool, "--sensor", "sentinel2", "--library", library]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 1
    assert "--covers" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--size-px", "8"), "--size-px"),
        (("--size-px", "64", "48"), "square"),
        (("--size-px", "64", "48", "40"), "--size-px"),
        (("--reference", "zones.gpkg"), "--reference"),
        (("--output-dir", "out"), "--output-dir"),
        (("--dates", "3"), "--dates"),
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
