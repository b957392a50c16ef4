"""cut_patches: store, determinism, sides, bad input."""

import csv
import json
import re

import numpy as np
import pytest
from patch_scenes import make_ground
from samples import run_command, run_tool

from gossan.patches.cutting import read_images, read_patches
from gossan.patches.splits import draw_blocked, measure_leak

STORE = ("colour.npz", "reflectance.npz", "patches.csv", "cut.json")
SMALL = ("--size-px", 8, "--stride-px", 4, "--split-block-px", 16)
PAIR = ("--labels", "chalcocite", "feldspar")


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    return make_ground(tmp_path_factory.mktemp("ground"))


def flags(ground, output, *more):
    return (
        *("--class-map", ground / "class.tif", "--cube", ground / "cube.tif"),
        *("--classes", ground / "classes.csv", "--colour", output / "colour.npz"),
        *("--reflectance", output / "reflectance.npz", "--table", output / "patches.csv"),
        *("--record", output / "cut.json"),
        *("--min-label-share", 0.01, "--max-background-share", 0.9, "--seed", 42),
        *more,
    )


def test_a_store_of_patches_is_made(ground, tmp_path):
    done = run_tool("cut_patches", *flags(ground, tmp_path, *SMALL, *PAIR))
    assert done.returncode == 0, done.stderr
    with (tmp_path / "patches.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == [
        *("patch", "row", "column", "x", "y", "size_px", "label", "label_share"),
        *("background_share", "block", "split", "synthetic"),
        *("share_chalcocite", "share_feldspar", "share_calcite"),
    ]
    assert {row["synthetic"] for row in rows} == {"yes"}
    assert {row["split"] for row in rows} == {"train", "validation", "test", "unused"}
    for row in rows:
        shares = [float(value) for name, value in row.items() if name.startswith("share_")]
        assert sum(shares) + float(row["background_share"]) == pytest.approx(1, abs=1e-5)
        assert row["label_share"] == row[f"share_{row['label']}"]
    table = read_patches(tmp_path / "patches.csv")
    assert read_images(tmp_path / "colour.npz", table)[0].shape == (len(rows), 8, 8, 3)
    with np.load(tmp_path / "reflectance.npz", allow_pickle=False) as store:
        assert store["images"].shape == (len(rows), 8, 8, 3)
        assert store["images"].dtype == np.float32
    record = json.loads((tmp_path / "cut.json").read_text())
    assert record == {
        "labels": ["chalcocite", "feldspar"],
        "classes": ["chalcocite", "feldspar"],
        "patches": len(rows),
        "synthetic": True,
        "too_few": "",
    }
    leak = measure_leak(table, draw_blocked(table, 400))
    assert (leak.crossing, leak.tested_overlapping) == (0, 0)


def test_equal_input_gives_equal_bytes_and_the_seed_the_split(ground, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        done = run_tool("cut_patches", *flags(ground, tmp_path / name, *SMALL, "--seed", seed))
        assert done.returncode == 0, done.stderr
    for name in STORE:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "a/patches.csv").read_bytes() != (tmp_path / "c/patches.csv").read_bytes()


def test_patches_do_not_overlap_by_default(ground, tmp_path):
    done = run_tool("cut_patches", *flags(ground, tmp_path, "--size-px", 8))
    assert done.returncode == 0, done.stderr
    table = read_patches(tmp_path / "patches.csv")
    assert not (table.rows % 8).any()
    assert not (table.columns % 8).any()
    assert (table.sides != "unused").all()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((*SMALL, "--labels", "quartz", "feldspar"), "quartz is no class"),
        ((*SMALL, "--labels", "feldspar"), "two or more"),
        ((*SMALL, "--split-block-px", 0), "split-block-px: 0"),
        ((*SMALL, "--stride-px", 0), "stride-px: 0"),
    ],
)
def test_bad_flags_end_with_one_line(ground, tmp_path, more, words):
    done = run_tool("cut_patches", *flags(ground, tmp_path, *more))
    assert done.returncode == 1
    assert words in done.stderr
    assert "\n" not in done.stderr
    assert not any((tmp_path / name).exists() for name in STORE)


def too_few(output):
    """Why there are too few patches, by the record; the store is empty."""
    record = json.loads((output / "cut.json").read_text())
    assert (output / "patches.csv").read_text().count("\n") == 1
    for name in ("colour.npz", "reflectance.npz"):
        with np.load(output / name, allow_pickle=False) as store:
            assert store["images"].shape[0] == 0
    assert (record["patches"], record["classes"], record["synthetic"]) == (0, [], True)
    return record["too_few"]


@pytest.mark.parametrize(
    ("size_px", "words"),
    [
        (302, "302x302 pixels is larger than the scene of 120x120"),
        (302, "(0 whole patches of 302 pixels lie in 120x120; size-px"),
        (100, "labelled patches for 3 classes"),
    ],
)
def test_too_few_patches_leave_an_empty_store_and_the_reason(ground, tmp_path, size_px, words):
    done = run_tool("cut_patches", *flags(ground, tmp_path, "--size-px", size_px))
    assert done.returncode == 0, done.stderr
    assert words in too_few(tmp_path)


@pytest.mark.parametrize("size_px", [302, 60])
def test_the_size_that_would_do_does_and_none_larger(ground, tmp_path, size_px):
    more = ("--stride-px", size_px // 2)
    run_tool("cut_patches", *flags(ground, tmp_path, "--size-px", size_px, *more))
    best = int(re.search(r"size-px (\d+) would do", too_few(tmp_path))[1])
    assert 4 <= best < size_px

    def cut(size):
        stride, block = round(size_px // 2 * size / size_px), 2 * size
        again = ("--size-px", size, "--stride-px", stride, "--split-block-px", block)
        output = tmp_path / str(size)
        assert run_tool("cut_patches", *flags(ground, output, *again)).returncode == 0
        return json.loads((output / "cut.json").read_text())["too_few"] == ""

    assert cut(best)
    assert not cut(best + 1)


def without_chalcocite(folder):
    codes = np.kron(np.arange(144).reshape(12, 12) % 2 * 6 + 6, np.ones((10, 10))).astype("uint8")
    return make_ground(folder / "ground", codes)


def test_where_a_class_is_missing_no_size_would_do(tmp_path):
    ground = without_chalcocite(tmp_path)
    assert run_tool("cut_patches", *flags(ground, tmp_path, "--size-px", 20)).returncode == 0
    assert "(36 whole patches of 20 pixels lie in 120x120; no smaller size-px would do)" in (
        too_few(tmp_path)
    )


def test_an_empty_class_is_named_in_the_terminal(tmp_path):
    ground = without_chalcocite(tmp_path)
    done = run_command("cut_patches", *flags(ground, tmp_path, *SMALL))
    assert done.returncode == 0, done.stderr
    told = "class chalcocite: 0 patches in 0 blocks cannot be on all"
    assert done.stderr.strip().splitlines()[-1].startswith(f"no network can be trained: {told}")
    assert too_few(tmp_path).startswith(told)
    skipped = run_tool("cut_patches", *flags(ground, tmp_path, *SMALL, "--skip-rare"))
    assert skipped.returncode == 0, skipped.stderr
    assert read_patches(tmp_path / "patches.csv").classes == ("feldspar", "calcite")


def test_missing_and_broken_files_are_named(ground, tmp_path):
    done = run_tool("cut_patches", *flags(ground, tmp_path, *SMALL, "--cube", tmp_path / "no.tif"))
    assert "no.tif: no such raster file" in done.stderr
    done = run_tool(
        "cut_patches", *flags(ground, tmp_path, *SMALL, "--classes", tmp_path / "no.csv")
    )
    assert "no.csv" in done.stderr
    short = tmp_path / "short.tif"
    whole = (ground / "class.tif").read_bytes()
    short.write_bytes(whole[: len(whole) // 2])
    done = run_tool("cut_patches", *flags(ground, tmp_path, *SMALL, "--class-map", short))
    assert done.returncode == 1
    assert "short.tif" in done.stderr
