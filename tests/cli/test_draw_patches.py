import shutil

import numpy as np
import pytest
import rasterio
from network_runs import PROPORTIONS, make_runs
from patch_scenes import CHALCOCITE, FELDSPAR, make_ground
from PIL import Image
from places import PUBLISHED, put_in_place
from samples import run_command, run_tool, write_raster

from gossan.patches.cutting import read_patches

FIGURES = ("pair", "patches", "training", "protocols", "reliability", "network-map", "proportions")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = make_ground(tmp_path_factory.mktemp("cnn") / "scene")
    done = run_tool(
        "cut_patches",
        *("--class-map", made / "class.tif", "--cube", made / "cube.tif"),
        *("--classes", made / "classes.csv", "--labels", "chalcocite", "feldspar"),
        *("--size-px", 8, "--stride-px", 4, "--split-block-px", 16),
        *("--colour", made / "colour.npz", "--reflectance", made / "reflectance.npz"),
        *("--table", made / "patches.csv", "--record", made / "cut.json", "--seed", 42),
        *("--min-label-share", 0.01, "--max-background-share", 0.9),
    )
    assert done.returncode == 0, done.stderr
    make_runs(made, read_patches(made / "patches.csv"), [CHALCOCITE, FELDSPAR])
    with rasterio.open(made / "class.tif") as dataset:
        codes = dataset.read(1)
    answers = np.where(np.isin(codes, [2, 12, 255]), codes, 0).astype("uint8")
    tags = {"SYNTHETIC": "yes", "NETWORK": "compact", "INPUT": "colour"}
    write_raster(made / "answers.tif", answers, nodata=255, tags=tags)
    chance = np.where(np.isin(answers, [2, 12]), 9000, -32768).astype("int16")
    write_raster(made / "probability.tif", chance, nodata=-32768, scale=1e-4, tags=tags)
    (made / "proportions.csv").write_text(PROPORTIONS)
    return made


def flags(scene, output, *paper):
    networks = ["paper-blocked", "published", "compact-blocked", "reflectance-blocked"]
    return [
        *("--scene-dir", scene, "--classes", scene / "classes.csv", "--output-dir", output),
        *("--labels", "chalcocite", "feldspar", "--networks", *networks, *paper),
    ]


PAPER = ("--paper", "gilgit", "--published", PUBLISHED)


@pytest.fixture(scope="module")
def scene(folder, tmp_path_factory):
    files = {
        "classes.csv": "classes.csv",
        "patches.csv": "patches/cut/pair/patches.csv",
        "colour.npz": "patches/cut/pair/colour.npz",
        "networks": "patches/networks",
        "published": "patches/published",
        "class.tif": "minerals/class.tif",
        "answers.tif": "patches/map/class.tif",
        "probability.tif": "patches/map/probability.tif",
        "proportions.csv": "patches/map/proportions.csv",
    }
    return put_in_place(folder, tmp_path_factory.mktemp("scene") / "landsat", files)


@pytest.fixture(scope="module")
def drawn(scene):
    output = scene / "patches/figures"
    done = run_command("draw_patches", *flags(scene, output, *PAPER))
    assert done.returncode == 0, done.stderr
    return output


def test_all_figures_are_written(drawn):
    assert {path.name for path in drawn.iterdir()} == {f"{name}.png" for name in FIGURES}
    for path in drawn.iterdir():
        with Image.open(path) as image:
            assert image.width > 1000


def test_figures_are_the_same_bytes_again(scene, drawn, tmp_path):
    assert run_tool("draw_patches", *flags(scene, tmp_path, *PAPER)).returncode == 0
    for name in FIGURES:
        assert (drawn / f"{name}.png").read_bytes() == (tmp_path / f"{name}.png").read_bytes()


def test_a_study_without_a_paper_has_no_published_lines(scene, drawn, tmp_path):
    assert run_tool("draw_patches", *flags(scene, tmp_path)).returncode == 0
    differ = {
        name
        for name in FIGURES
        if (drawn / f"{name}.png").read_bytes() != (tmp_path / f"{name}.png").read_bytes()
    }
    assert differ == {"training", "protocols", "proportions"}


def test_without_trained_networks_the_map_alone_is_drawn(scene, tmp_path):
    done = run_tool("draw_patches", *flags(scene, tmp_path)[:6])
    assert done.returncode == 0, done.stderr
    assert {path.stem for path in tmp_path.iterdir()} == {"network-map", "proportions"}


def test_networks_that_were_not_trained_are_not_drawn(scene, tmp_path):
    changed = shutil.copytree(scene, tmp_path / "landsat")
    for record in changed.glob("patches/**/record.json"):
        record.write_text('{"untrained": "class chalcocite: 0 patches"}')
    done = run_tool("draw_patches", *flags(changed, tmp_path / "figures"))
    assert done.returncode == 0, done.stderr
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {
        *("pair", "network-map", "proportions"),
    }


@pytest.mark.parametrize(
    "file",
    [
        *("cut/pair/colour.npz", "cut/pair/patches.csv", "map/class.tif", "map/probability.tif"),
        *("map/proportions.csv", "published/record.json"),
    ],
)
def test_a_missing_file_is_named(scene, tmp_path, file):
    changed = shutil.copytree(scene, tmp_path / "landsat")
    (changed / "patches" / file).unlink()
    done = run_tool("draw_patches", *flags(changed, tmp_path / "figures"))
    assert done.returncode == 1
    assert str(changed / "patches" / file) in done.stderr
    assert not list(tmp_path.glob("figures/.*part*"))
