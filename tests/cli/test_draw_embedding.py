import shutil

import pytest
from PIL import Image
from samples import run_command, run_tool
from sensor_reports import FIGURES, MAP_FIGURES, draw_flags, lay_out_study, shared_study


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return shared_study(tmp_path_factory)


@pytest.fixture(scope="module")
def scene(folder, tmp_path_factory):
    return lay_out_study(folder, tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def drawn(folder, scene, tmp_path_factory):
    output = tmp_path_factory.mktemp("drawn")
    done = run_command("draw_embedding", *draw_flags(folder, scene, output))
    assert done.returncode == 0, done.stderr
    return output


def test_all_figures_are_written(drawn):
    assert sorted(path.name for path in drawn.iterdir()) == sorted(f"{n}.png" for n in FIGURES)
    for path in drawn.iterdir():
        with Image.open(path) as image:
            assert image.width > 1000
            assert image.height > 400


def test_a_scene_without_a_truth_has_maps_alone(folder, scene, drawn, tmp_path):
    done = run_tool("draw_embedding", *draw_flags(folder, scene, tmp_path, tests=False))
    assert done.returncode == 0, done.stderr
    assert {path.stem for path in tmp_path.iterdir()} == set(MAP_FIGURES)
    assert (tmp_path / "map.png").read_bytes() != (drawn / "map.png").read_bytes()


def test_figures_are_the_same_bytes_again(folder, scene, drawn, tmp_path):
    done = run_tool("draw_embedding", *draw_flags(folder, scene, tmp_path))
    assert done.returncode == 0, done.stderr
    for name in FIGURES:
        assert (drawn / f"{name}.png").read_bytes() == (tmp_path / f"{name}.png").read_bytes()


def test_without_trained_networks_there_are_no_training_curves(folder, scene, tmp_path):
    flags = draw_flags(folder, scene, tmp_path, tests=False)
    place = flags.index("--networks")
    done = run_tool("draw_embedding", *flags[:place], *flags[place + 4 :])
    assert done.returncode == 0, done.stderr
    assert {path.stem for path in tmp_path.iterdir()} == {*MAP_FIGURES} - {"training"}


def test_an_unknown_network_is_refused(folder, scene, tmp_path):
    flags = [*draw_flags(folder, scene, tmp_path), "--networks", "forest"]
    done = run_tool("draw_embedding", *flags)
    assert done.returncode == 1
    assert "--networks: forest is none of masked, unmasked, filler" in done.stderr


@pytest.mark.parametrize(
    "file",
    [
        *("stack/cube/cube.json", "stack/cube/bands.csv", "stack/cube/sensors.tif"),
        *("embedding/map/class.tif", "embedding/filler/history.csv"),
        *(f"embedding/assessment/{name}.csv" for name in ("detection", "subsets", "coverage")),
    ],
)
def test_a_missing_file_is_named(folder, scene, tmp_path, file):
    changed = shutil.copytree(scene, tmp_path / "scene")
    (changed / file).unlink()
    done = run_tool("draw_embedding", *draw_flags(folder, changed, tmp_path / "figures"))
    assert done.returncode == 1
    assert str(changed / file) in done.stderr


@pytest.mark.parametrize("name", ["detection", "subsets", "similarity", "coverage"])
def test_a_table_of_another_kind_is_named(folder, scene, tmp_path, name):
    changed = shutil.copytree(scene, tmp_path / "scene")
    shutil.copy(changed / "embedding/map/areas.csv", changed / f"embedding/assessment/{name}.csv")
    done = run_tool("draw_embedding", *draw_flags(folder, changed, tmp_path / "figures"))
    assert done.returncode == 1
    assert f"{name}.csv: lacks the column" in done.stderr
    assert not (tmp_path / "figures").exists()
