"""The command lines of the simulators."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

SENSORS = ("landsat", "aster", "sentinel2")


@pytest.fixture
def simulate(root, tmp_path):
    def call(sensor: str, *flags: str, **replaced: Path) -> subprocess.CompletedProcess:
        static, out = root / "resources" / "static", tmp_path / "out"
        minerals = {"minerals": static / "minerals.csv", "truth": out / "truth.tif"}
        paths = {
            "landsat": {"product": out / "product.tar", **minerals},
            "aster": {
                "product": out / "product.hdf",
                "reference": out / "zones.gpkg",
                **minerals,
            },
            "sentinel2": {
                "covers": static / "covers.csv",
                "iron": static / "iron.csv",
                "output-dir": out,
            },
        }[sensor]
        paths = {"library": static / "analytic_library.csv", **paths, **replaced}
        command = [sys.executable, root / "scripts" / f"simulate_{sensor}.py", "--threads", "2"]
        for name, path in paths.items():
            command += [f"--{name}", path]
        return subprocess.run(
            [str(part) for part in (*command, *flags)], capture_output=True, text=True
        )

    return call


def test_writes_a_landsat_product_and_truth(simulate, tmp_path):
    done = simulate("landsat", "--size-px", "48", "--seed", "7", "--difficulty", "0.5")
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"product.tar", "truth.tif", "truth.qml", "truth.tif.aux.xml"}


def test_writes_an_aster_product_with_its_zones(simulate, tmp_path):
    done = simulate("aster", "--size-px", "64", "40")
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"product.hdf", "truth.tif", "truth.qml", "truth.tif.aux.xml", "zones.gpkg"}


def test_writes_sentinel_2_dates_and_what_goes_with_them(simulate, tmp_path):
    done = simulate("sentinel2", "--size-px", "60", "--dates", "2")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    assert len(list((out / "dates").glob("S2?_MSIL2A_*.zip"))) == 2
    vectors = ("mines", "ore_points", "geology", "claims", "occurrences")
    rasters = ("truth", "iron_truth", "dem", "magnetics")
    assert {f"{name}.gpkg" for name in vectors} == {path.name for path in out.glob("*.gpkg")}
    assert {f"{name}.tif" for name in rasters} == {path.name for path in out.glob("*.tif")}


@pytest.mark.parametrize(
    ("sensor", "flags", "named"),
    [
        *((sensor, ("--difficulty", "7"), "--difficulty 7") for sensor in SENSORS),
        ("landsat", ("--difficulty", "nan"), "--difficulty nan"),
        ("landsat", ("--size-px", "8"), "--size-px 8"),
        ("aster", ("--size-px", "64", "8"), "--size-px 8"),
        ("sentinel2", ("--dates", "0"), "--dates 0"),
        ("sentinel2", ("--dates", "37"), "--dates 37"),
        ("sentinel2", ("--size-px", "64"), "multiple of 6"),
        ("sentinel2", ("--size-px", "10986"), "10980"),
    ],
)
def test_numbers_out_of_range_are_named(simulate, tmp_path, sensor, flags, named):
    done = simulate(sensor, *flags)
    assert done.returncode == 1
    assert named in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_a_library_without_the_constituents_is_named(simulate, tmp_path):
    library = tmp_path / "few.csv"
    library.write_text("wavelength_um,calcite\n0.3,0.5\n1.0,0.6\n2.6,0.5\n")
    done = simulate("landsat", "--size-px", "48", library=library)
    assert done.returncode == 1
    assert "alunite" in done.stderr.splitlines()[-1]
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize("sensor", SENSORS)
def test_help_is_quick(root, sensor):
    start = time.perf_counter()
    tool = root / "scripts" / f"simulate_{sensor}.py"
    done = subprocess.run([sys.executable, tool, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "--difficulty" in done.stdout
    assert time.perf_counter() - start < 5
