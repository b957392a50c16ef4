"""map_anomalies: the raster, its table and style, masks, bad input."""

import csv
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import rasterio
from samples import run_command, run_tool, write_raster
from scipy.stats import median_abs_deviation

NAMES = ("2", "3N", "4", "6")
TAGS = {"SENSOR": "ASTER", "SYNTHETIC": "yes"}


def write_cube(path, cube, names=NAMES):
    write_raster(path, cube, nodata=-32768, scale=1e-4, tags=TAGS)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = names
    return path


def make_cube():
    generator = np.random.default_rng(3)
    cube = (2000 * generator.lognormal(0, 0.4, (4, 60, 70))).astype("int16")
    cube[:, 5:9, 10:30] = -32768
    cube[3, 40, 40] = -32768
    return cube


@pytest.fixture
def folder(tmp_path):
    write_cube(tmp_path / "cube.tif", make_cube())
    return tmp_path


def arguments(folder, output, *more):
    return (
        *("--cube", folder / "cube.tif", "--output", output / "anomalies.tif"),
        *("--table", output / "anomalies.csv", "--n", 1.5, "--centre", "median", "--side", "high"),
        *more,
    )


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read()


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("centre", ["median", "mean"])
@pytest.mark.parametrize("side", ["high", "low", "both"])
def test_raster_and_table_hold_what_scipy_says(folder, centre, side):
    more = ("--centre", centre, "--side", side, "--n", 1.2, "--block-px", 16)
    done = run_tool("map_anomalies", *arguments(folder, folder, *more))
    assert done.returncode == 0, done.stderr
    with rasterio.open(folder / "anomalies.tif") as dataset:
        assert (dataset.dtypes, dataset.nodata) == (("uint8",) * 4, 255)
        assert dataset.descriptions == NAMES
        assert dataset.tags()["MAD_SIDE"] == side
        assert dataset.tags()["SYNTHETIC"] == "yes"
        codes = dataset.read()
    cube = make_cube()
    for place, (code, row) in enumerate(zip(codes, rows(folder / "anomalies.csv"), strict=True)):
        stored = cube[place].astype(float)
        valid = stored != -32768
        mad = median_abs_deviation(stored[valid])
        middle = getattr(np, centre)(stored[valid])
        low, high = middle - 1.2 * mad, middle + 1.2 * mad
        expected = (stored > high) * (side != "low") + (stored < low) * (side != "high")
        np.testing.assert_array_equal(code, np.where(valid, expected, 255))
        assert row["band"] == NAMES[place]
        assert float(row["median"]) == pytest.approx(np.median(stored[valid]) * 1e-4, rel=1e-7)
        assert float(row["mad"]) == pytest.approx(mad * 1e-4, rel=1e-7)
        for column, limit, unused in (
            ("threshold_low", low, "high"),
            ("threshold_high", high, "low"),
        ):
            if side == unused:
                assert row[column] == ""
            else:
                assert float(row[column]) == pytest.approx(limit * 1e-4, rel=1e-6)
        assert int(row["anomalies"]) == (code == 1).sum()
        assert int(row["pixels"]) == valid.sum()
        assert float(row["share"]) == pytest.approx((code == 1).sum() / valid.sum(), abs=1e-6)


def test_all_bands_are_searched_and_have_a_style(folder):
    done = run_tool("map_anomalies", *arguments(folder, folder))
    assert done.returncode == 0, done.stderr
    assert [row["band"] for row in rows(folder / "anomalies.csv")] == list(NAMES)
    assert {(row["n"], row["centre"], row["side"]) for row in rows(folder / "anomalies.csv")} == {
        ("1.5", "median", "high")
    }
    entries = ET.parse(folder / "anomalies.qml").iter("paletteEntry")
    assert [entry.get("value") for entry in entries] == ["0", "1"]
    assert (folder / "anomalies.tif.aux.xml").stat().st_size > 0


def test_blocks_and_threads_do_not_change_a_byte(folder):
    for name, more in {
        "first": ("--block-px", 16, "--threads", 1),
        "second": ("--block-px", 16, "--threads", 2),
        "third": ("--block-px", 512, "--threads", 2),
    }.items():
        done = run_tool("map_anomalies", *arguments(folder, folder / name, *more))
        assert done.returncode == 0, done.stderr
    for output in ("anomalies.tif", "anomalies.csv", "anomalies.qml", "anomalies.tif.aux.xml"):
        first = (folder / "first" / output).read_bytes()
        assert first == (folder / "second" / output).read_bytes(), output
        assert first == (folder / "third" / output).read_bytes(), output


@pytest.mark.parametrize(
    ("change", "more", "message"),
    [
        (lambda cube: cube[3].fill(700), (), "cube.tif, band 6: its MAD is 0"),
        (lambda cube: cube[2].fill(-32768), (), "cube.tif, band 4: has no valid pixel"),
        (None, ("--n", 0), "n 0 is no number of MADs"),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(folder, change, more, message):
    if change:
        cube = make_cube()
        change(cube)
        write_cube(folder / "cube.tif", cube)
    output = folder / "mad"
    done = run_tool("map_anomalies", *arguments(folder, output, *more))
    assert done.returncode == 1
    assert message in done.stderr
    assert not output.exists()


def test_a_cube_of_floats_is_refused(folder):
    write_raster(folder / "cube.tif", np.ones((1, 5, 5), "float32"))
    done = run_tool("map_anomalies", *arguments(folder, folder / "mad"))
    assert "cube.tif: stored as float32; store the cube as int16" in done.stderr


def test_a_cube_of_too_many_bands_is_refused(folder):
    names = tuple(map(str, range(65)))
    write_cube(folder / "cube.tif", np.zeros((65, 5, 5), "int16"), names)
    done = run_tool("map_anomalies", *arguments(folder, folder / "mad"))
    assert "has 65 bands, and zones are found on 64 at most; name the wavelengths" in done.stderr


def test_the_tool_runs_as_a_command(folder):
    done = run_command("map_anomalies", *arguments(folder, folder, "--threads", 1))
    assert done.returncode == 0, done.stderr
    (folder / "cube.tif").unlink()
    done = run_command("map_anomalies", *arguments(folder, folder))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ")
