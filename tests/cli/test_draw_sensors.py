import pytest
from PIL import Image
from samples import run_command, run_tool
from sensor_reports import FIGURES, MAP_FIGURES, draw_flags, shared_study


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return shared_study(tmp_path_factory)


@pytest.fixture(scope="module")
def drawn(folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("drawn")
    done = run_command("draw_sensors", *draw_flags(folder, output))
    assert done.returncode == 0, done.stderr
    return output


def test_all_figures_are_written(drawn):
    assert sorted(path.name for path in drawn.iterdir()) == sorted(f"{n}.png" for n in FIGURES)
    for path in drawn.iterdir():
        with Image.open(path) as image:
            assert image.width > 1000
            assert image.height > 400


def test_a_scene_without_a_reference_has_maps_alone(folder, drawn, tmp_path):
    flags = draw_flags(folder, tmp_path, tests=False, truth=False)
    done = run_tool("draw_sensors", *flags)
    assert done.returncode == 0, done.stderr
    assert {path.stem for path in tmp_path.iterdir()} == set(MAP_FIGURES)
    assert (tmp_path / "map.png").read_bytes() != (drawn / "map.png").read_bytes()


def test_figures_are_the_same_bytes_again(folder, drawn, tmp_path):
    done = run_tool("draw_sensors", *draw_flags(folder, tmp_path))
    assert done.returncode == 0, done.stderr
    for name in FIGURES:
        assert (drawn / f"{name}.png").read_bytes() == (tmp_path / f"{name}.png").read_bytes()


def without(flags, name):
    place = flags.index(f"--{name}")
    return [*flags[:place], *flags[place + 2 :]]


@pytest.mark.parametrize("flag", ["sensors", "class-map", "answer", "distance", "stack"])
def test_part_of_the_maps_is_refused(folder, tmp_path, flag):
    flags = without(draw_flags(folder, tmp_path / "figures"), flag)
    done = run_tool("draw_sensors", *flags)
    assert done.returncode == 1
    assert f"goes with --{flag}" in done.stderr
    assert not (tmp_path / "figures").exists()


def test_a_truth_without_a_map_is_refused(folder, tmp_path):
    flags = draw_flags(folder, tmp_path / "figures")
    for name in ("stack", "sensors", "class-map", "answer", "distance"):
        flags = without(flags, name)
    done = run_tool("draw_sensors", *flags)
    assert done.returncode == 1
    assert "--truth: is drawn beside the map" in done.stderr


def test_an_unknown_network_is_refused(folder, tmp_path):
    flags = [*draw_flags(folder, tmp_path), "--network", "forest", folder / "masked.csv"]
    done = run_tool("draw_sensors", *flags)
    assert done.returncode == 1
    assert "--network: forest is none of masked, unmasked, filler" in done.stderr


@pytest.mark.parametrize(
    "flag", ["record", "bands", "detection", "subsets", "similarity", "coverage", "published"]
)
def test_a_missing_file_is_named(folder, tmp_path, flag):
    flags = draw_flags(folder, tmp_path / "figures")
    flags = [*flags, f"--{flag}", tmp_path / "gone.x"]
    done = run_tool("draw_sensors", *flags)
    assert done.returncode == 1
    assert "gone.x" in done.stderr


@pytest.mark.parametrize("flag", ["detection", "subsets", "similarity", "coverage"])
def test_a_table_of_another_kind_is_named(folder, tmp_path, flag):
    flags = [*draw_flags(folder, tmp_path / "figures"), f"--{flag}", folder / "areas.csv"]
    done = run_tool("draw_sensors", *flags)
    assert done.returncode == 1
    assert "areas.csv: lacks the column" in done.stderr
