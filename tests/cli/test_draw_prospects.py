import pytest
from PIL import Image
from prospect_reports import FIGURES, MAPS, VALIDATION, draw_flags, plain_flags, shared_study
from samples import run_command, run_tool


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return shared_study(tmp_path_factory)


@pytest.fixture(scope="module")
def drawn(folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("drawn")
    done = run_command("draw_prospects", *draw_flags(folder, output))
    assert done.returncode == 0, done.stderr
    return output


def test_all_figures_are_written(drawn):
    assert sorted(path.name for path in drawn.iterdir()) == sorted(f"{n}.png" for n in FIGURES)
    for path in drawn.iterdir():
        with Image.open(path) as image:
            assert image.width > 1000
            assert image.height > 400


def test_a_scene_of_points_has_fewer_figures_with_the_same_tests(folder, drawn, tmp_path):
    done = run_tool("draw_prospects", *plain_flags(folder, tmp_path))
    assert done.returncode == 0, done.stderr
    assert {path.stem for path in tmp_path.iterdir()} == {*VALIDATION, *MAPS}
    for name in ("splits", "composite"):
        # It is real and has three bands, so it says nothing of SYNTHETIC.
        assert (tmp_path / f"{name}.png").read_bytes() != (drawn / f"{name}.png").read_bytes()


def test_figures_are_the_same_bytes_again(folder, drawn, tmp_path):
    done = run_tool("draw_prospects", *draw_flags(folder, tmp_path))
    assert done.returncode == 0, done.stderr
    for name in FIGURES:
        assert (drawn / f"{name}.png").read_bytes() == (tmp_path / f"{name}.png").read_bytes()


@pytest.mark.parametrize(
    ("flag", "lacking"),
    [
        ("strata", "--samples: goes with --strata"),
        ("endmembers", "--eigenvalues: goes with --endmembers"),
        ("similarity", "--scan: goes with --similarity"),
        ("uncertainty", "--class-map: goes with --uncertainty"),
        ("curves", "--potential: goes with --curves"),
    ],
)
def test_part_of_what_goes_together_is_refused(folder, tmp_path, flag, lacking):
    flags = draw_flags(folder, tmp_path / "figures")
    place = flags.index(f"--{flag}")
    done = run_tool("draw_prospects", *flags[:place], *flags[place + 2 :])
    assert done.returncode == 1
    assert lacking in done.stderr
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize(
    "flag", ["record", "scores", "accuracy", "targets-record", "curves", "published"]
)
def test_a_missing_file_is_named(folder, tmp_path, flag):
    flags = draw_flags(folder, tmp_path / "figures")
    if f"--{flag}" in flags:
        flags[flags.index(f"--{flag}") + 1] = tmp_path / "gone.x"
    else:
        flags += [f"--{flag}", tmp_path / "gone.x"]
    done = run_tool("draw_prospects", *flags)
    assert done.returncode == 1
    assert "gone.x" in done.stderr
