import pytest
from PIL import Image
from samples import run_command, run_tool
from zone_reports import FIGURES, draw_flags, make_study


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("zones") / "scene")


@pytest.fixture(scope="module")
def drawn(folder):
    done = run_command("draw_zones", *draw_flags(folder, folder / "figures"))
    assert done.returncode == 0, done.stderr
    return folder / "figures"


def test_all_figures_are_written(drawn):
    assert sorted(path.name for path in drawn.iterdir()) == sorted(f"{n}.png" for n in FIGURES)
    for path in drawn.iterdir():
        with Image.open(path) as image:
            assert image.width > 1000


def test_figures_are_the_same_bytes_again_but_for_the_chosen_band(folder, drawn, tmp_path):
    done = run_tool("draw_zones", *draw_flags(folder, tmp_path), "--band", "9")
    assert done.returncode == 0, done.stderr
    differ = {
        name
        for name in FIGURES
        if (drawn / f"{name}.png").read_bytes() != (tmp_path / f"{name}.png").read_bytes()
    }
    assert differ == {"subbands"}


def test_without_a_reference_the_same_figures_are_written(folder, drawn, tmp_path):
    done = run_tool("draw_zones", *draw_flags(folder, tmp_path, reference=False))
    assert done.returncode == 0, done.stderr
    assert {path.stem for path in tmp_path.iterdir()} == set(FIGURES)
    for name in ("scores", "curves", "comparison"):
        with (
            Image.open(tmp_path / f"{name}.png") as said,
            Image.open(drawn / f"{name}.png") as full,
        ):
            assert said.height < full.height / 2


def test_an_unknown_band_is_named(folder, tmp_path):
    done = run_tool("draw_zones", *draw_flags(folder, tmp_path / "x"), "--band", "14")
    assert done.returncode == 1
    assert "band: 14" in done.stderr
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "flag", ["record", "anomalies", "anomaly-table", "confidence-table", "score-record"]
)
def test_a_missing_file_is_named(folder, tmp_path, flag):
    flags = draw_flags(folder, tmp_path / "figures")
    flags[flags.index(f"--{flag}") + 1] = tmp_path / "gone.x"
    done = run_tool("draw_zones", *flags)
    assert done.returncode == 1
    assert "gone.x" in done.stderr
