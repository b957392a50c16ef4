"""sample_strata: points and table, the truth, determinism, bad input."""

import csv

import geopandas
import numpy as np
import pytest
from iron_scenes import make_district, sampling, square
from samples import run_command, run_tool

SMALL = ("--counts", 8, 8, 8, 12, "--ore-count", 10, "--min-distance-m", 40)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_district(tmp_path_factory.mktemp("district"))


def table(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_points_and_table_agree(folder, tmp_path):
    done = run_tool("sample_strata", *sampling(folder, tmp_path, *SMALL))
    assert done.returncode == 0, done.stderr
    points = geopandas.read_file(tmp_path / "samples.gpkg")
    assert list(points.columns) == [
        *("mine", "stratum", "class", "mineral", "split", "block", "block_px", "row", "column"),
        *("ndvi", "bsi", "rule", "labelled_by", "geometry"),
    ]
    rows = table(tmp_path / "strata.csv")
    assert list(rows[0]) == [
        *("mine", "mineral", "stratum", "from_m", "to_m", "class", "pixels", "asked", "drawn"),
        *("train", "test", "labelled_by", "synthetic", "index_bands"),
    ]
    for row in rows:
        own = points[
            (points["mine"] == row["mine"])
            & (points["stratum"] == row["stratum"])
            & (points["class"] == row["class"])
        ]
        assert len(own) == int(row["drawn"]) == int(row["asked"])
        assert (own["split"] == "test").sum() == int(row["test"])
        assert row["synthetic"] == "yes"
        assert row["index_bands"] == "B02 B04 B08 B11"
    assert sum(int(row["drawn"]) for row in rows) == len(points) == 236
    assert [rows[0][name] for name in ("stratum", "from_m", "to_m")] == ["ore", "0", "0"]
    assert [rows[-1][name] for name in ("stratum", "from_m", "to_m")] == [
        *("500 m-10 km", "500", "10000"),
    ]


def test_one_and_two_threads_give_the_same_bytes(folder, tmp_path):
    for threads in (1, 2):
        output = tmp_path / str(threads)
        flags = sampling(folder, output, *SMALL, "--threads", threads)
        assert run_tool("sample_strata", *flags).returncode == 0
    for name in ("samples.gpkg", "strata.csv"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_ground_truth_labels_the_points(folder, tmp_path):
    flags = sampling(folder, tmp_path, *SMALL, "--truth", folder / "truth.tif")
    assert run_tool("sample_strata", *flags).returncode == 0
    points = geopandas.read_file(tmp_path / "samples.gpkg")
    assert set(points["labelled_by"]) == {"ore points", "truth"}
    assert np.count_nonzero(points["rule"] != points["class"]) > 20


def test_rules_and_rings_can_be_set(folder, tmp_path):
    rings = ("--distances-m", 150, 900, "--counts", 5, 7, "--ore-count", 3)
    rules = ("--soil-ndvi", 0.25, "--vegetation-ndvi", 0.6, "--soil-bsi", 0.05)
    split = ("--test-share", 0.5, "--spatial-block-px", 10, "--seed", 7)
    done = run_tool("sample_strata", *sampling(folder, tmp_path, *rings, *rules, *split))
    assert done.returncode == 0, done.stderr
    points = geopandas.read_file(tmp_path / "samples.gpkg")
    assert set(points["stratum"]) == {"ore", "0-150 m", "150-900 m"}
    assert points[points["class"] == "soil"]["bsi"].min() >= 0.05
    assert points[points["class"] == "vegetation"]["ndvi"].min() >= 0.6
    assert set(points["block_px"]) == {10}
    # Half of three ore points of each mine is rounded to two, half of 24 points a cover is 12.
    assert (points["split"] == "test").sum() == 40


def test_too_few_pixels_are_an_error_or_taken_as_they_are(folder, tmp_path):
    flags = sampling(folder, tmp_path, "--counts", 500, 8, 8, 12, "--ore-count", 10)
    done = run_tool("sample_strata", *flags)
    assert done.returncode == 1
    assert "mines.gpkg: too few pixels 30 m apart: mine hematite, stratum 0-100 m" in done.stderr
    assert "of 500" in done.stderr
    assert list(tmp_path.iterdir()) == []
    assert run_tool("sample_strata", *flags, "--allow-fewer").returncode == 0
    short = [row for row in table(tmp_path / "strata.csv") if row["drawn"] != row["asked"]]
    assert {row["stratum"] for row in short} == {"0-100 m"}


def test_a_mine_outside_of_the_composite_is_refused(folder, tmp_path):
    mines = geopandas.read_file(folder / "mines.gpkg")
    mines.loc[1, "geometry"] = square(500, 60, 8)
    mines.to_file(tmp_path / "mines.gpkg")
    flags = sampling(folder, tmp_path / "out", *SMALL, "--mines", tmp_path / "mines.gpkg")
    done = run_tool("sample_strata", *flags)
    assert done.returncode == 1
    assert "the mine itabirite lies outside of the composite" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_tool_runs_as_a_command(folder, tmp_path):
    done = run_command("sample_strata", *sampling(folder, tmp_path, *SMALL, "--threads", 1))
    assert done.returncode == 0, done.stderr
    done = run_command("sample_strata", *sampling(folder, tmp_path, "--mines", "nothing.gpkg"))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: nothing.gpkg: ")
