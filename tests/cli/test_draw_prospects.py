import shutil

import pytest
from PIL import Image
from prospect_reports import (
    FIGURES,
    MAPS,
    MNF_FIGURES,
    OTHERS,
    TARGET_FIGURES,
    VALIDATION,
    draw_flags,
    draw_others,
    lay_out_study,
    plain_flags,
    shared_study,
)
from samples import run_command, run_tool


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return shared_study(tmp_path_factory)


@pytest.fixture(scope="module")
def scene(folder, tmp_path_factory):
    return lay_out_study(folder, tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def drawn(folder, scene, tmp_path_factory):
    output = tmp_path_factory.mktemp("drawn")
    done = run_command("draw_prospects", *draw_flags(folder, scene, output))
    assert done.returncode == 0, done.stderr
    return output


def test_all_figures_are_written(drawn):
    assert sorted(path.name for path in drawn.iterdir()) == sorted(f"{n}.png" for n in FIGURES)
    for path in drawn.iterdir():
        with Image.open(path) as image:
            assert image.width > 1000
            assert image.height > 400


def test_noise_fractions_and_targets_have_figures_of_their_own(folder, scene):
    draw_others(folder, scene)
    written = [
        path.stem for place in (MNF_FIGURES, TARGET_FIGURES) for path in (scene / place).iterdir()
    ]
    assert sorted(written) == sorted(OTHERS)


def test_a_scene_of_points_has_fewer_figures_with_the_same_tests(folder, drawn, tmp_path):
    scene = lay_out_study(folder, tmp_path / "results", sampled=False)
    done = run_tool("draw_prospects", *plain_flags(folder, scene, tmp_path / "figures"))
    assert done.returncode == 0, done.stderr
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {*VALIDATION, *MAPS}
    for name in ("splits", "composite"):
        # It is real and has three bands, so it says nothing of SYNTHETIC.
        other = tmp_path / f"figures/{name}.png"
        assert other.read_bytes() != (drawn / f"{name}.png").read_bytes()


def test_figures_are_the_same_bytes_again(folder, scene, drawn, tmp_path):
    done = run_tool("draw_prospects", *draw_flags(folder, scene, tmp_path))
    assert done.returncode == 0, done.stderr
    for name in FIGURES:
        assert (drawn / f"{name}.png").read_bytes() == (tmp_path / f"{name}.png").read_bytes()


def test_without_targets_and_paper_only_their_figures_differ(folder, scene, drawn, tmp_path):
    flags = draw_flags(folder, scene, tmp_path)
    done = run_tool("draw_prospects", *flags[: flags.index("--targets")])
    assert done.returncode == 0, done.stderr
    differ = {
        name
        for name in FIGURES
        if (drawn / f"{name}.png").read_bytes() != (tmp_path / f"{name}.png").read_bytes()
    }
    assert differ == {"potential", "splits", "scan", "confusions", "importance"}


@pytest.mark.parametrize(
    "file",
    [
        *("sentinel2/cube/cube.json", "sentinel2/prospects/forest/validation.csv"),
        *("sentinel2/prospects/samples/strata.csv", "sentinel2/prospects/labels/iron.tif"),
    ],
)
def test_a_missing_file_is_named(folder, scene, tmp_path, file):
    changed = shutil.copytree(scene, tmp_path / "scene")
    (changed / file).unlink()
    done = run_tool("draw_prospects", *draw_flags(folder, changed, tmp_path / "figures"))
    assert done.returncode == 1
    assert str(changed / file) in done.stderr
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize("name", ["overlay.csv", "curves.csv", "targets.json"])
def test_a_missing_file_of_targets_is_named(scene, tmp_path, name):
    changed = shutil.copytree(scene / "targets", tmp_path / "targets")
    (changed / name).unlink()
    flags = ("--scene-dir", tmp_path, "--potential", changed / "potential.tif")
    done = run_tool("draw_targets", *flags, "--output-dir", tmp_path / "figures")
    assert done.returncode == 1
    assert str(changed / name) in done.stderr


@pytest.mark.parametrize(
    ("paper", "said"),
    [
        (("--paper", "moon"), "give --published"),
        (("--paper", "moon", "--published", "published"), "has no paper 'moon'"),
    ],
)
def test_a_paper_without_numbers_is_refused(scene, tmp_path, root, paper, said):
    paper = [root / "resources/static/published.json" if p == "published" else p for p in paper]
    flags = ("--scene-dir", scene, "--potential", scene / "targets/potential.tif", *paper)
    done = run_tool("draw_targets", *flags, "--output-dir", tmp_path / "figures")
    assert done.returncode == 1
    assert said in done.stderr
