"""Full disks, rights and memory end a tool with one line, and leave nothing half-made."""

import argparse
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from samples import ROOT

import toolkit
from gossan.errors import InputError
from gossan.files import write_text
from gossan.raster import map_blocks, read_info


def run_tool_of(main, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tool.py"])
    with pytest.raises(SystemExit) as end:
        toolkit.run(argparse.ArgumentParser(), main)
    return end.value.code


def raise_in_turn(*errors):
    def main(arguments):
        try:
            raise errors[0]
        except Exception as first:
            raise errors[1] from first

    return main


@pytest.mark.parametrize(
    ("first", "then", "line"),
    [
        (
            OSError(28, "No space left on device"),
            RuntimeError("write failed"),
            "error: No space left on device; free some, or write elsewhere",
        ),
        (
            OSError(13, "Permission denied", "map.tif"),
            RuntimeError("cannot open"),
            "error: map.tif: Permission denied; change its rights, or use another place",
        ),
        (
            MemoryError(),
            RuntimeError("in a thread"),
            "error: Cannot allocate memory; lower --block-px or --threads, or give the job more "
            "memory",
        ),
        (
            RuntimeError("map.tif: Too many open files"),
            InputError("map.tif: not a readable raster; replace the file"),
            "error: map.tif: not a readable raster; replace the file (Too many open files; raise "
            "the limit (ulimit -n), or lower --threads)",
        ),
    ],
)
def test_what_the_system_forbids_is_one_line(monkeypatch, first, then, line):
    assert run_tool_of(raise_in_turn(first, then), monkeypatch) == line


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tool.py"])
    with pytest.raises(ValueError, match="ours"):
        toolkit.run(argparse.ArgumentParser(), raise_in_turn(KeyError("x"), ValueError("ours")))


def test_a_tool_that_ends_late_for_a_bad_input_writes_nothing(monkeypatch, tmp_path):
    def main(arguments):
        write_text(tmp_path / "table.csv", "first")
        raise InputError("second.csv: is bad")

    assert run_tool_of(main, monkeypatch) == "error: second.csv: is bad"
    assert list(tmp_path.iterdir()) == []


def test_a_tool_reads_a_map_that_it_has_just_written(monkeypatch, tmp_path, write_a_map):
    monkeypatch.setattr(sys, "argv", ["tool.py"])
    seen = []

    def main(arguments):
        layer = write_a_map(tmp_path / "map.tif")
        assert not layer.path.exists()
        seen.append(read_info(layer.path).path)

    toolkit.run(argparse.ArgumentParser(), main)
    assert seen == [tmp_path / "map.tif"]
    assert [path.name for path in tmp_path.iterdir()] == ["map.tif"]


@pytest.fixture
def write_a_map():
    from affine import Affine
    from rasterio.crs import CRS

    from gossan.raster import Grid, Layer

    def write(path):
        grid = Grid(CRS.from_epsg(32629), Affine(30, 0, 500000, 0, -30, 4000000), 32, 32)
        layer = Layer(path, "uint8", 255, ("class",))
        map_blocks(
            lambda block: block, [lambda w: np.zeros((32, 32), np.uint8)], [layer], grid=grid
        )
        return layer

    return write


def run_with_files_of_at_most(size, name, *arguments):
    """Run a tool as a user does; a larger file fails as on a full disk, whoever runs it."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    return subprocess.run(
        # A limit on files would leave half of a module's bytecode, too.
        [sys.executable, "-B", ROOT / "scripts" / f"{name}.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1])),
    )


@pytest.mark.parametrize(("sensor", "name"), [("landsat", "scene.tar"), ("aster", "scene.hdf")])
def test_a_product_that_finds_no_room_is_one_line_and_no_file(tmp_path, sensor, name):
    done = run_with_files_of_at_most(
        *(8000, "simulate_scene", "--ground", "iron", "--size-px", 96, "--seed", 7),
        *("--difficulty", 1, "--threads", 1, "--sensor", sensor),
        *("--library", ROOT / "resources/static/analytic_library.csv"),
        *("--product", tmp_path / "out" / name),
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    product = tmp_path / "out" / name
    assert done.stderr.splitlines()[-1].startswith(f"error: {product}: File too large; ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="needs a place where nobody may write")
def test_a_place_where_nobody_may_write_is_named():
    done = run_with_files_of_at_most(
        *(resource.RLIM_INFINITY, "select_classes"),
        *("--minerals", ROOT / "resources/static/minerals.csv"),
        *("--classes", "/sys/gossan/classes.csv"),
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: /sys/gossan/classes.csv: ")
    assert "Traceback" not in done.stderr
