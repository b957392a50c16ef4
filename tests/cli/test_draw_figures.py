import json

import pytest
from PIL import Image
from samples import FIGURES, make_record, make_scene, run_command, run_tool


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = make_scene(tmp_path_factory.mktemp("scene"))
    make_record(folder)
    return folder


def arguments(folder, output, **changes):
    files = {
        "cube": "cube.tif",
        "record": "cube.json",
        "class-map": "class.tif",
        "angle": "angle.tif",
        "margin": "margin.tif",
        "classes": "classes.csv",
        "references": "references.csv",
        "signatures": "signatures.csv",
        "areas": "areas.csv",
        "accuracy": "sam.json",
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    flags = [part for name, file in files.items() for part in (f"--{name}", folder / file)]
    zones = ["--zones", folder / "porphyry.tif", folder / "potassic-phyllic.tif"]
    return [*flags, *zones, "--output-dir", output]


def test_all_figures_are_written(folder, tmp_path):
    done = run_command("draw_figures", *arguments(folder, tmp_path / "figures"))
    assert done.returncode == 0, done.stderr
    written = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert written == sorted(f"{name}.png" for name in FIGURES)
    for name in written:
        with Image.open(tmp_path / "figures" / name) as image:
            assert image.width > 1000


def test_figures_are_the_same_bytes_again(folder, tmp_path):
    for output in ("one", "two"):
        assert run_tool("draw_figures", *arguments(folder, tmp_path / output)).returncode == 0
    for name in FIGURES:
        one, two = (tmp_path / output / f"{name}.png" for output in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_without_a_reference_all_figures_are_written_too(folder, tmp_path):
    record = {
        "scene": "tiny",
        "method": "SAM",
        "assessed": False,
        "synthetic": True,
        "reason": "The scene has no reference.",
    }
    (folder / "none.json").write_text(json.dumps(record))
    done = run_tool("draw_figures", *arguments(folder, tmp_path, accuracy="none.json"))
    assert done.returncode == 0
    assert {path.stem for path in tmp_path.glob("*.png")} == set(FIGURES)


@pytest.mark.parametrize("flag", ["cube", "record", "references", "signatures", "accuracy"])
def test_a_missing_file_is_named(folder, tmp_path, flag):
    done = run_tool("draw_figures", *arguments(folder, tmp_path, **{flag: "gone.x"}))
    assert done.returncode == 1
    assert "gone.x" in done.stderr
    assert not list(tmp_path.glob(".*part*"))


def test_tables_of_another_cube_are_refused(folder, tmp_path):
    lines = (folder / "signatures.csv").read_text().splitlines()
    (folder / "short.csv").write_text("\n".join(lines[:-1]) + "\n")
    done = run_tool("draw_figures", *arguments(folder, tmp_path, signatures="short.csv"))
    assert done.returncode == 1
    assert "calcite has 6 bands" in done.stderr


def test_a_table_without_its_columns_is_named(folder, tmp_path):
    done = run_tool("draw_figures", *arguments(folder, tmp_path, areas="references.csv"))
    assert done.returncode == 1
    assert "references.csv: lacks the column" in done.stderr
