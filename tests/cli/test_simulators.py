"""The command lines of the simulators."""

import subprocess
import sys
import time

import pytest
from samples import ROOT, run_tool

STATIC = ROOT / "resources" / "static"
LIBRARY = STATIC / "analytic_library.csv"
SMALL = {
    "porphyry": (64,),
    "porphyry-zones": (64, 64),
    "iron": (96,),
    "epithermal": (32,),
}
TRUTH = {"truth.tif", "truth.qml", "truth.tif.aux.xml"}


def flags(ground, size_px, **changed):
    settings = {"seed": 7, "difficulty": 1, "threads": 2} | changed
    listed = [part for name, value in settings.items() for part in (f"--{name}", value)]
    return ["--ground", ground, "--size-px", *size_px, *listed]


def simulate(ground, sensor, product, *more, size_px=None, library=LIBRARY, **changed):
    return run_tool(
        "simulate_scene",
        *flags(ground, size_px or SMALL[ground], **changed),
        *("--sensor", sensor, "--library", library, "--product", product),
        *more,
    )


def survey(ground, folder, *tables, size_px=None, **changed):
    given = [part for name in tables for part in (f"--{name}", STATIC / f"{name}.csv")]
    return run_tool(
        "simulate_truth",
        *flags(ground, size_px or SMALL[ground], **changed),
        *given,
        *("--output-dir", folder),
    )


@pytest.mark.parametrize(
    ("ground", "sensor", "name", "written"),
    [
        ("iron", "landsat", "landsat.tar", {"landsat.tar"}),
        ("iron", "aster", "aster.hdf", {"aster.hdf"}),
        ("epithermal", "emit", "emit.nc", {"emit.nc", "emit_MASK.nc"}),
        ("iron", "enmap", "enmap", {"enmap"}),
        ("epithermal", "prisma", "prisma.he5", {"prisma.he5"}),
        ("epithermal", "worldview3", "worldview3", {"worldview3"}),
    ],
)
def test_writes_one_product_of_a_ground(tmp_path, ground, sensor, name, written):
    done = simulate(ground, sensor, tmp_path / "out" / name)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == written


def test_writes_so_many_dates_of_sentinel2(tmp_path):
    done = simulate("epithermal", "sentinel2", tmp_path / "sentinel2", "--dates", 2)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "sentinel2").glob("S2?_MSIL2A_*.zip"))) == 2


@pytest.mark.parametrize(
    ("ground", "tables", "written"),
    [
        ("porphyry", ("minerals",), TRUTH),
        ("porphyry-zones", ("minerals", "iron"), {*TRUTH, "zones.gpkg", "faults.gpkg"}),
        ("epithermal", ("minerals", "covers", "iron"), TRUTH),
        (
            "iron",
            ("covers", "iron"),
            {
                *TRUTH,
                *("iron_truth.tif", "iron_truth.qml", "iron_truth.tif.aux.xml"),
                *("mines.gpkg", "ore_points.gpkg", "geology.gpkg"),
                *("claims.gpkg", "occurrences.gpkg", "dem.tif", "magnetics.tif"),
                *("known_mines.gpkg", "districts.gpkg"),
            },
        ),
    ],
)
def test_writes_what_is_known_of_a_ground(tmp_path, ground, tables, written):
    done = survey(ground, tmp_path / "out", *tables)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == written


@pytest.mark.parametrize(
    ("ground", "changed", "words"),
    [
        ("porphyry", {"difficulty": 2.5}, "--difficulty 2.5: out of range; use 0 to 2"),
        ("porphyry-zones", {"difficulty": "nan"}, "--difficulty nan: out of range"),
        ("iron", {"difficulty": -1}, "--difficulty -1.0: out of range"),
        ("porphyry", {"size_px": (32,)}, "--size-px 32: out of range for the ground porphyry"),
        ("porphyry-zones", {"size_px": (64, 8)}, "--size-px 64 8: out of range"),
        ("porphyry-zones", {"size_px": (64,)}, "needs columns and rows"),
        ("iron", {"size_px": (100,)}, "multiple of 6"),
        ("epithermal", {"size_px": (33,)}, "multiple of 2"),
        ("epithermal", {"size_px": (32, 34)}, "epithermal is square"),
    ],
)
def test_numbers_out_of_range_are_named_by_both_tools(tmp_path, ground, changed, words):
    for done in (
        simulate(ground, "landsat", tmp_path / "out" / "landsat.tar", **changed),
        survey(ground, tmp_path / "out", "minerals", "covers", "iron", **changed),
    ):
        assert done.returncode == 1
        assert words in done.stderr.splitlines()[-1]
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((), "--dates is not given"),
        (("--dates", 0), "--dates 0: out of range; use 1 to 36"),
        (("--dates", 37), "--dates 37: out of range"),
    ],
)
def test_dates_out_of_range_are_named(tmp_path, more, words):
    done = simulate("iron", "sentinel2", tmp_path / "out", *more)
    assert done.returncode == 1
    assert words in done.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_a_library_without_the_constituents_is_named(tmp_path):
    library = tmp_path / "few.csv"
    library.write_text("wavelength_um,calcite\n0.3,0.5\n1.0,0.6\n2.6,0.5\n")
    done = simulate("epithermal", "landsat", tmp_path / "out" / "landsat.tar", library=library)
    assert done.returncode == 1
    assert "alunite" in done.stderr.splitlines()[-1]
    assert not list(tmp_path.glob("out/*"))


def test_a_class_table_that_the_ground_needs_is_named(tmp_path):
    done = survey("iron", tmp_path / "out", "minerals", "covers")
    assert done.returncode == 1
    assert "the ground iron needs the class table --iron" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_a_coat_is_none_unless_asked_for_and_has_its_range(tmp_path):
    for name, more in (("default", []), ("none", ["--coating", 0]), ("some", ["--coating", 0.5])):
        done = simulate("epithermal", "landsat", tmp_path / name, *more)
        assert done.returncode == 0, done.stderr
    default, none, some = ((tmp_path / name).read_bytes() for name in ("default", "none", "some"))
    assert default == none != some
    done = simulate("epithermal", "landsat", tmp_path / "out" / "landsat.tar", "--coating", 1)
    assert done.returncode == 1
    assert "--coating 1.0: out of range; use 0 to 0.95" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("flag", "value"), [("--ground", "gold"), ("--sensor", "aviris")])
def test_an_unknown_ground_or_sensor_is_refused(tmp_path, flag, value):
    done = simulate("epithermal", "landsat", tmp_path / "landsat.tar", flag, value)
    assert done.returncode == 2


@pytest.mark.parametrize("flag", ["--ground", "--size-px", "--seed", "--difficulty"])
@pytest.mark.parametrize("tool", ["simulate_scene", "simulate_truth"])
def test_what_the_configuration_sets_has_no_default(tmp_path, capsys, tool, flag):
    given = flags("epithermal", (32,))
    place = given.index(flag)
    del given[place : place + 2]
    more = ["--output-dir", tmp_path / "out"]
    if tool == "simulate_scene":
        more = ["--sensor", "emit", "--library", LIBRARY, "--product", tmp_path / "emit.nc"]
    done = run_tool(tool, *given, *more)
    assert done.returncode == 2
    assert f"required: {flag}" in capsys.readouterr().err


@pytest.mark.parametrize("tool", ["simulate_scene", "simulate_truth"])
def test_help_is_quick(tool):
    start = time.perf_counter()
    path = ROOT / "scripts" / f"{tool}.py"
    done = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "--difficulty" in done.stdout
    assert time.perf_counter() - start < 5
