import json
import shutil

import pytest
from PIL import Image
from samples import run_command, run_tool
from zone_reports import FIGURES, OWN_FIGURES, draw_flags, lay_out_study, make_study


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("zones") / "flat")


@pytest.fixture(scope="module")
def scene(folder, tmp_path_factory):
    return lay_out_study(folder, tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def drawn(folder, scene):
    output = scene / "zones/figures"
    done = run_command("draw_zones", *draw_flags(scene, output, folder / "zones.gpkg"))
    assert done.returncode == 0, done.stderr
    return output


def test_all_figures_are_written(drawn):
    assert sorted(path.name for path in drawn.iterdir()) == sorted(f"{n}.png" for n in FIGURES)
    for path in drawn.iterdir():
        with Image.open(path) as image:
            assert image.width > 1000


def test_figures_are_the_same_bytes_again(folder, scene, drawn, tmp_path):
    done = run_tool("draw_zones", *draw_flags(scene, tmp_path, folder / "zones.gpkg"))
    assert done.returncode == 0, done.stderr
    for name in FIGURES:
        assert (drawn / f"{name}.png").read_bytes() == (tmp_path / f"{name}.png").read_bytes()


def test_without_a_truth_the_same_figures_are_written(scene, drawn, tmp_path):
    done = run_tool("draw_zones", *draw_flags(scene, tmp_path))
    assert done.returncode == 0, done.stderr
    assert {path.stem for path in tmp_path.iterdir()} == set(OWN_FIGURES)
    for name in ("scores", "curves", "comparison"):
        with (
            Image.open(tmp_path / f"{name}.png") as said,
            Image.open(drawn / f"{name}.png") as full,
        ):
            assert said.height < full.height / 2


def test_sub_bands_are_those_of_the_paper_s_main_number(folder, scene, drawn, tmp_path):
    published = tmp_path / "published.json"
    flags = [*draw_flags(scene, tmp_path / "out", folder / "zones.gpkg"), "--paper", "mine"]
    published.write_text(json.dumps({"mine": {"rules": [{"band": "9"}]}}))
    assert run_tool("draw_zones", *flags, "--published", published).returncode == 0
    for name, same in (("subbands", False), ("published-subbands", False), ("levels", True)):
        one, other = (path / f"{name}.png" for path in (drawn, tmp_path / "out"))
        assert (one.read_bytes() == other.read_bytes()) == same


def test_a_truth_that_is_a_raster_has_no_outlines(folder, scene, drawn, tmp_path):
    flags = draw_flags(scene, tmp_path, folder / "cube.tif")
    assert run_tool("draw_zones", *flags).returncode == 0
    for name, same in (("confidence-phyllic", False), ("curves", True)):
        one, other = (path / f"{name}.png" for path in (drawn, tmp_path))
        assert (one.read_bytes() == other.read_bytes()) == same


@pytest.mark.parametrize(
    "file",
    [
        *("cube.json", "mad/anomalies.tif", "mad/anomalies.csv", "confidence/confidence.csv"),
        *("score/score.json", "wavelets/profile.csv", "wavelets/edge.csv"),
        *("published/scores.csv", "published/wavelets/subbands.tif"),
    ],
)
def test_a_missing_file_is_named(folder, scene, tmp_path, file):
    changed = shutil.copytree(scene, tmp_path / "aster")
    (changed / "zones" / file).unlink()
    flags = draw_flags(changed, tmp_path / "figures", folder / "zones.gpkg")
    done = run_tool("draw_zones", *flags)
    assert done.returncode == 1
    assert str(changed / "zones" / file) in done.stderr
    assert not (tmp_path / "figures").exists()
