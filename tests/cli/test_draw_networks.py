import numpy as np
import pytest
import rasterio
from network_runs import PROPORTIONS, make_runs
from patch_scenes import CHALCOCITE, FELDSPAR, make_ground
from PIL import Image
from samples import run_command, run_tool, write_raster

from gossan.patches.cutting import read_patches

FIGURES = ("patches", "training", "protocols", "reliability", "network-map", "proportions")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = make_ground(tmp_path_factory.mktemp("cnn") / "scene")
    done = run_tool(
        "cut_patches",
        *("--class-map", made / "class.tif", "--cube", made / "cube.tif"),
        *("--classes", made / "classes.csv", "--labels", "chalcocite", "feldspar"),
        *("--size-px", 8, "--stride-px", 4, "--split-block-px", 16),
        *("--colour", made / "colour.npz", "--reflectance", made / "reflectance.npz"),
        *("--table", made / "patches.csv", "--seed", 42),
        *("--min-label-share", 0.01, "--max-background-share", 0.9),
    )
    assert done.returncode == 0, done.stderr
    make_runs(made / "networks", read_patches(made / "patches.csv"), [CHALCOCITE, FELDSPAR])
    with rasterio.open(made / "class.tif") as dataset:
        codes = dataset.read(1)
    answers = np.where(np.isin(codes, [2, 12, 255]), codes, 0).astype("uint8")
    tags = {"SYNTHETIC": "yes", "NETWORK": "compact", "INPUT": "colour"}
    write_raster(made / "answers.tif", answers, nodata=255, tags=tags)
    chance = np.where(np.isin(answers, [2, 12]), 9000, -32768).astype("int16")
    write_raster(made / "probability.tif", chance, nodata=-32768, scale=1e-4, tags=tags)
    (made / "proportions.csv").write_text(PROPORTIONS)
    return made


def flags(folder, output):
    runs = [
        part
        for path in sorted((folder / "networks").iterdir())
        for part in ("--run", path.name, path)
    ]
    return [
        *("--study", "gilgit", "--patches", folder / "colour.npz"),
        *("--table", folder / "patches.csv", "--classes", folder / "classes.csv", *runs),
        *("--class-map", folder / "answers.tif", "--probability", folder / "probability.tif"),
        *("--proportions", folder / "proportions.csv", "--output-dir", output),
    ]


@pytest.fixture(scope="module")
def drawn(folder):
    done = run_command("draw_networks", *flags(folder, folder / "figures"))
    assert done.returncode == 0, done.stderr
    return folder / "figures"


def test_all_figures_are_written(drawn):
    assert {path.name for path in drawn.iterdir()} == {f"{name}.png" for name in FIGURES}
    for path in drawn.iterdir():
        with Image.open(path) as image:
            assert image.width > 1000


def test_figures_are_the_same_bytes_again(folder, drawn, tmp_path):
    assert run_tool("draw_networks", *flags(folder, tmp_path)).returncode == 0
    for name in FIGURES:
        assert (drawn / f"{name}.png").read_bytes() == (tmp_path / f"{name}.png").read_bytes()


def test_another_study_has_no_published_lines(folder, drawn, tmp_path):
    changed = flags(folder, tmp_path)
    changed[1] = "other"
    assert run_tool("draw_networks", *changed).returncode == 0
    differ = {
        name
        for name in FIGURES
        if (drawn / f"{name}.png").read_bytes() != (tmp_path / f"{name}.png").read_bytes()
    }
    assert differ == {"training", "protocols", "proportions"}


@pytest.mark.parametrize(
    "flag",
    ["patches", "table", "classes", "class-map", "probability", "proportions"],
)
def test_a_missing_file_is_named(folder, tmp_path, flag):
    changed = flags(folder, tmp_path / "figures")
    changed[changed.index(f"--{flag}") + 1] = tmp_path / "gone.x"
    done = run_tool("draw_networks", *changed)
    assert done.returncode == 1
    assert "gone.x" in done.stderr


def test_a_missing_training_is_named(folder, tmp_path):
    done = run_tool("draw_networks", *flags(folder, tmp_path), "--run", "x", tmp_path / "gone")
    assert done.returncode == 1
    assert "gone/record.json: no such file" in done.stderr
    assert not list(tmp_path.iterdir())
