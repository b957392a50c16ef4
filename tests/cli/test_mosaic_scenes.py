"""Maps of neighbouring scenes joined to one: no seam, one rule where they overlap, flat memory."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from samples import ORIGIN, PIXEL_M, ROOT, known_tables, run_tool, write_raster
from scipy import ndimage

from gossan.legend import NODATA, MapClass
from gossan.maps import ClassMap, Ramp, write_maps
from gossan.raster import Grid, read_info

CLASSES = [
    MapClass(1, "alunite", "Alunite", "#D81B60"),
    MapClass(2, "calcite", "Calcite", "#4FC3F7"),
]


def make_tile(path, values, column=0, row=0, *, classes=CLASSES, ramp=False, **options):
    """A map of codes or scores whose first pixel is at that column and row of the ground."""
    x, y = ORIGIN
    origin = (x + column * PIXEL_M, y - row * PIXEL_M)
    write_raster(
        path.with_name("grid.tif"), np.zeros(values.shape, np.uint8), origin=origin, **options
    )
    with rasterio.open(path.with_name("grid.tif")) as dataset:
        grid = Grid.of(dataset)
    made = Ramp(path, ("score",), 0, 1) if ramp else ClassMap(path, classes)

    def read(window):
        rows, columns = window.toslices()
        return values[rows, columns]

    write_maps(lambda block: block, [read], [made], grid=grid)
    return path


def cut(folder, ground, windows, **options):
    """Tiles of a ground, each in a folder of its own."""
    paths = []
    for place, (column, row, width, height) in enumerate(windows):
        (folder / f"s{place}").mkdir(parents=True)
        part = ground[row : row + height, column : column + width]
        path = folder / f"s{place}" / "class.tif"
        paths.append(make_tile(path, part, column, row, **options))
    return paths


def mosaic(folder, *paths, **more):
    return run_tool(
        "mosaic_scenes",
        *("--scenes", *(path.parent.name for path in paths), "--maps", *paths),
        *("--output", folder / "whole.tif", "--record", folder / "whole.json"),
        *("--block-px", more.get("block_px", 64), "--threads", more.get("threads", 1)),
    )


@pytest.fixture
def ground():
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 3, (150, 200)).astype(np.uint8)
    codes[40:60, 90:110] = NODATA
    return codes


FOUR = [(0, 0, 110, 80), (90, 0, 110, 80), (0, 70, 110, 80), (90, 70, 110, 80)]


def test_four_tiles_are_the_ground_that_they_were_cut_from(ground, tmp_path):
    paths = cut(tmp_path, ground, FOUR)
    assert mosaic(tmp_path, *paths).returncode == 0
    with rasterio.open(tmp_path / "whole.tif") as dataset:
        assert (dataset.read(1) == ground).all()
        assert dataset.nodata == NODATA and dataset.colormap(1)[1][:3] == (0xD8, 0x1B, 0x60)
    for end in (".qml", ".tif.aux.xml"):
        own = paths[0].with_name(f"class{end}")
        assert (tmp_path / f"whole{end}").read_bytes() == own.read_bytes()
    record = json.loads((tmp_path / "whole.json").read_text())
    # A cross of 20 columns and 10 rows, without the hole in its middle.
    assert record["overlap_px"] == 20 * 150 + 10 * 200 - 20 * 10 - 20 * 20
    assert record["differing_px"] == 0 and record["pixels"] == 150 * 200 - 400
    assert record["scenes"][3] == {"scene": "s3", "window_px": [90, 70, 110, 80]}


def test_the_bytes_do_not_depend_on_threads_and_blocks(ground, tmp_path):
    paths = cut(tmp_path, ground, FOUR)
    made = []
    for place, options in enumerate(({}, {"threads": 3}, {"block_px": 48})):
        folder = tmp_path / f"run{place}"
        folder.mkdir()
        assert mosaic(folder, *paths, **options).returncode == 0
        made.append((folder / "whole.tif").read_bytes())
        assert (folder / "whole.json").read_bytes() == (tmp_path / "run0/whole.json").read_bytes()
    assert made[0] == made[1] == made[2]


def test_where_tiles_differ_the_one_whose_data_end_farther_away_gives_the_pixel(tmp_path):
    ground = np.full((20, 50), 1, np.uint8)
    paths = cut(tmp_path, ground, [(0, 0, 30, 20), (20, 0, 30, 20)])
    right = np.full((20, 30), 2, np.uint8)
    right[:, 5:7] = NODATA
    make_tile(paths[1], right, 20)
    assert mosaic(tmp_path, *paths).returncode == 0
    with rasterio.open(tmp_path / "whole.tif") as dataset:
        middle = dataset.read(1)[10]
    # The middle of the overlap is between columns 24 and 25; 25 and 26 are nodata on the right. 27
    # lies nearer to them than to the end of the left tile, 28 as near to both, 29 beside that end.
    assert (middle[:29] == 1).all() and (middle[29:] == 2).all()
    record = json.loads((tmp_path / "whole.json").read_text())
    assert (record["overlap_px"], record["differing_px"]) == (160, 160)


@pytest.mark.parametrize("block_px", [16, 200])
def test_no_seam_runs_along_the_slanted_end_of_a_swath(tmp_path, block_px):
    """Maps are wrong within five pixels of where their data end, and nowhere else."""
    rows, columns = np.indices((120, 160))
    ends = {"s0": columns > 90 + rows // 6, "s1": columns < 40 + rows // 6}
    paths = []
    for name, beyond in ends.items():
        (tmp_path / name).mkdir()
        near = ndimage.binary_dilation(beyond, np.ones((11, 11)))
        values = np.where(near, 2, 1).astype(np.uint8)
        values[beyond] = NODATA
        paths.append(make_tile(tmp_path / name / "class.tif", values))
    assert mosaic(tmp_path, *paths, block_px=block_px).returncode == 0
    with rasterio.open(tmp_path / "whole.tif") as dataset:
        assert (dataset.read(1) == 1).all()
    assert json.loads((tmp_path / "whole.json").read_text())["differing_px"] > 0


def test_scores_keep_their_numbers_and_their_nodata(tmp_path):
    ground = np.random.default_rng(1).random((60, 90)).astype(np.float32)
    ground[:9] = np.nan
    paths = cut(tmp_path, ground, [(0, 0, 50, 60), (40, 0, 50, 60)], ramp=True)
    assert mosaic(tmp_path, *paths).returncode == 0
    with rasterio.open(tmp_path / "whole.tif") as dataset:
        assert np.array_equal(dataset.read(1), ground, equal_nan=True)
    assert read_info(tmp_path / "whole.tif").bands.names == ("score",)
    assert not (tmp_path / "whole.tif.aux.xml").exists()


def test_statistics_that_a_program_left_beside_a_map_are_no_legend(ground, tmp_path):
    scores = np.random.default_rng(1).random((60, 90)).astype(np.float32)
    for name, values, ramp in (("scores", scores, True), ("codes", ground, False)):
        paths = cut(tmp_path / name, values, [(0, 0, 50, 60), (40, 0, 50, 60)], ramp=ramp)
        leave_statistics(paths[1])
        if ramp:
            leave_statistics(paths[0])
        done = mosaic(tmp_path / name, *paths)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / name / "whole.tif.aux.xml").exists() != ramp


def leave_statistics(path):
    """Tell a raster's mean where GDAL keeps it when a viewer has asked for it."""
    beside, band = path.with_name(f"{path.name}.aux.xml"), '<PAMRasterBand band="1">'
    empty = f"<PAMDataset>{band}</PAMRasterBand></PAMDataset>"
    text = beside.read_text() if beside.exists() else empty
    told = '<Metadata><MDI key="STATISTICS_MEAN">1</MDI></Metadata>'
    assert text.count(band) == 1
    beside.write_text(text.replace(band, band + told))


def test_what_does_not_go_together_is_refused_in_one_line(ground, tmp_path):
    first, second = cut(tmp_path, ground, FOUR[:2])

    def fails(other):
        done = mosaic(tmp_path, first, other)
        assert done.returncode == 1 and "\n" not in done.stderr
        assert not (tmp_path / "whole.tif").exists()
        return done.stderr

    part = ground[:80, 90:200]
    make_tile(second, part, 300)
    assert "does not touch" in fails(second)
    make_tile(second, part, 90, crs="EPSG:32644")
    assert "EPSG:32644, the first scene in EPSG:32643" in fails(second)
    make_tile(second, part, 90.5)
    assert "its pixels are not those of the first scene" in fails(second)
    other = [CLASSES[0], MapClass(2, "gypsum", "Gypsum", "#4FC3F7")]
    make_tile(second, part, 90, classes=other)
    assert "has other classes or colours" in fails(second)
    make_tile(second, part.astype(np.float32), 90, ramp=True)
    assert "has the bands score" in fails(second)


def rank(folder, name, potential, score):
    """The rows of targets.csv of a map of potential."""
    out = folder / name
    out.mkdir()
    done = run_tool(
        "rank_targets",
        *("--potential", potential, "--score", score, "--level", "medium", "--scene", "a"),
        *("--spatial-block-px", 32, "--substance-attribute", "substance"),
        *("--targets", out / "targets.gpkg", "--kml", out / "t.kml"),
        *("--overlay", out / "overlay.csv", "--curves", out / "curves.csv"),
        *(*known_tables(out), "--record", out / "targets.json"),
    )
    assert done.returncode == 0, done.stderr
    return (out / "targets.csv").read_text()


def test_targets_of_the_whole_are_those_of_ground_that_was_never_cut(tmp_path):
    rng = np.random.default_rng(5)
    score = ndimage.gaussian_filter(rng.random((150, 200)), 5)
    score = ((score - score.min()) / np.ptp(score)).astype(np.float32)
    codes = np.digitize(score, (0.55, 0.75)).astype(np.uint8) + 1
    classes = [MapClass(1, "low", "Low", "#440154"), MapClass(2, "medium", "Medium", "#21918C")]
    classes.append(MapClass(3, "high", "High", "#FDE725"))
    for name in ("codes", "scores", "plain"):
        (tmp_path / name).mkdir()
    whole = rank(
        tmp_path,
        "of-one",
        make_tile(tmp_path / "plain/potential.tif", codes, classes=classes),
        make_tile(tmp_path / "plain/score.tif", score, ramp=True),
    )
    paths = cut(tmp_path / "codes", codes, FOUR, classes=classes)
    assert mosaic(tmp_path / "codes", *paths).returncode == 0
    assert (
        mosaic(tmp_path / "scores", *cut(tmp_path / "scores", score, FOUR, ramp=True)).returncode
        == 0
    )
    joined = rank(
        tmp_path, "of-four", *(tmp_path / name / "whole.tif" for name in ("codes", "scores"))
    )
    assert joined == whole
    # Patches lie across edges: the four tiles by themselves have more of them.
    parts, least = 0, 12
    for column, row, width, height in FOUR:
        found, _ = ndimage.label(
            codes[row : row + height, column : column + width] > 1, np.ones((3, 3))
        )
        parts += int((np.bincount(found.ravel())[1:] >= least).sum())
    assert joined.count("\n") - 1 < parts


PEAK = """
import re, runpy, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
tool, sys.argv = sys.argv[2], sys.argv[2:]
runpy.run_path(tool, run_name="__main__")
print("peak", re.search("VmHWM:[^0-9]*([0-9]+)", Path("/proc/self/status").read_text())[1])
"""


def peak_kb(folder, paths):
    """Peak memory of the tool in a process of its own."""
    run = subprocess.run(
        [
            *(sys.executable, "-c", PEAK, ROOT / "scripts", ROOT / "scripts/mosaic_scenes.py"),
            *("--scenes", *(path.parent.name for path in paths), "--maps", *paths),
            *("--output", folder / "whole.tif", "--record", folder / "whole.json"),
            *("--block-px", "256", "--threads", "1"),
        ],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "GDAL_CACHEMAX": "8"},
    )
    return int(re.search(r"peak (\d+)", run.stdout)[1])


def test_peak_memory_does_not_grow_with_the_number_of_tiles(tmp_path):
    side, step, count = 640, 600, 6
    ground = np.zeros((count * step + 40, count * step + 40), np.float32)
    windows = [(x * step, y * step, side, side) for y in range(count) for x in range(count)]
    paths = cut(tmp_path, ground, windows, ramp=True)
    few = peak_kb(tmp_path, [paths[y * count + x] for y in range(4) for x in range(4)])
    many = peak_kb(tmp_path, paths)
    # 36 tiles have 32 MB more numbers than 16.
    assert many < few + 10_000, (few, many)
