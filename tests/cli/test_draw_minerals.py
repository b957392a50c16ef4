import json
import shutil

import pytest
from mineral_reports import draw_flags, make_map
from PIL import Image
from samples import FIGURES, run_command, run_tool


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scene")
    return make_map(folder / "flat", folder / "results")


@pytest.fixture
def changed(scene, tmp_path):
    """A copy of the scene that a test may spoil."""
    return shutil.copytree(scene, tmp_path / "landsat")


def arguments(scene_dir, scene, output):
    classes = scene.parents[2] / "studies/mine/minerals/classes.csv"
    return draw_flags(scene_dir, classes, output)


def test_all_figures_are_written(scene, tmp_path):
    done = run_command("draw_minerals", *arguments(scene, scene, tmp_path / "figures"))
    assert done.returncode == 0, done.stderr
    written = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert written == sorted(f"{name}.png" for name in FIGURES)
    for name in written:
        with Image.open(tmp_path / "figures" / name) as image:
            assert image.width > 1000


def test_figures_are_the_same_bytes_again(scene, tmp_path):
    for output in ("one", "two"):
        assert (
            run_tool("draw_minerals", *arguments(scene, scene, tmp_path / output)).returncode == 0
        )
    for name in FIGURES:
        one, two = (tmp_path / output / f"{name}.png" for output in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_without_a_truth_all_figures_are_written_too(scene, changed, tmp_path):
    record = {
        "scene": "tiny",
        "method": "SAM",
        "assessed": False,
        "synthetic": True,
        "reason": "The scene has no truth.",
    }
    (changed / "minerals/accuracy/minerals.json").write_text(json.dumps(record))
    done = run_tool("draw_minerals", *arguments(changed, scene, tmp_path / "figures"))
    assert done.returncode == 0
    assert {path.stem for path in (tmp_path / "figures").glob("*.png")} == set(FIGURES)


@pytest.mark.parametrize(
    "file",
    [
        *("cube/cube.tif", "cube/cube.json", "minerals/library/references.csv"),
        *("minerals/signatures.csv", "minerals/accuracy/minerals.json"),
        "minerals/zones/porphyry.tif",
    ],
)
def test_a_missing_file_is_named(scene, changed, tmp_path, file):
    (changed / file).unlink()
    done = run_tool("draw_minerals", *arguments(changed, scene, tmp_path / "figures"))
    assert done.returncode == 1
    assert str(changed / file) in done.stderr
    assert not list(tmp_path.glob("figures/.*part*"))


def test_tables_of_another_cube_are_refused(scene, changed, tmp_path):
    table = changed / "minerals/signatures.csv"
    table.write_text("\n".join(table.read_text().splitlines()[:-1]) + "\n")
    done = run_tool("draw_minerals", *arguments(changed, scene, tmp_path))
    assert done.returncode == 1
    assert "calcite has 6 bands" in done.stderr


def test_a_table_without_its_columns_is_named(scene, changed, tmp_path):
    shutil.copy(changed / "minerals/library/references.csv", changed / "minerals/areas.csv")
    done = run_tool("draw_minerals", *arguments(changed, scene, tmp_path))
    assert done.returncode == 1
    assert "areas.csv: lacks the column" in done.stderr
