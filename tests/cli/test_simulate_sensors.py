import pytest
from samples import ROOT, run_tool

STATIC = ROOT / "resources" / "static"
TABLES = (
    "--library",
    STATIC / "analytic_library.csv",
    "--minerals",
    STATIC / "minerals.csv",
)


def simulate(folder, *more):
    return run_tool("simulate_sensors", *TABLES, "--output-dir", folder, *more)


def test_the_products_that_are_asked_for(tmp_path):
    done = simulate(
        tmp_path, "--size-px", 32, "--seed", 7, "--sensors", "prisma", "emit", "--threads", 2
    )
    assert done.returncode == 0, done.stderr
    truth = {"truth.tif", "truth.qml", "truth.tif.aux.xml"}
    assert {path.name for path in tmp_path.iterdir()} == {
        "emit.nc",
        "emit_MASK.nc",
        "prisma.he5",
        *truth,
    }


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--size-px", 30), "--size-px 30: too small; use 32 or more"),
        (("--size-px", 33), "use a multiple of 2"),
        (("--difficulty", -1), "--difficulty -1.0: out of range"),
        (("--difficulty", "nan"), "--difficulty nan: out of range"),
        (("--minerals", "nowhere.csv"), "nowhere.csv"),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(flags, words, tmp_path):
    done = simulate(tmp_path / "out", *flags)
    assert done.returncode == 1
    assert words in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_unknown_sensor_is_refused(tmp_path):
    assert simulate(tmp_path, "--sensors", "aviris").returncode == 2
