"""README's "Your own scene" and the how-to's first real scene, word by word, on real products."""

import json
import re
import shlex

import pytest
from projects import ROOT, copy_project, snakemake

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PRODUCT = "data/LC08_L1TP_….tar"


def run_shown(project, command):
    """Run a command as a page shows it, without the `uv run` before it."""
    words = shlex.split(command)
    assert words[:3] == ["uv", "run", "snakemake"]
    run = snakemake(project, *words[3:])
    assert run.returncode == 0, run.stdout


def test_the_scene_of_the_readme_ends_with_map_page_and_report(shared_data, tmp_path):
    clip = shared_data("landsat") / "LC08_L1TP_195025_20130707_C1_clip41px"
    part = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Your own scene")[2]
    table, settings, command = (block for _, block in FENCE.findall(part)[:3])
    assert PRODUCT in table
    project = copy_project(tmp_path / "project")
    (project / "my.tsv").write_text(table.replace(PRODUCT, str(clip)))
    (project / "my.yaml").write_text(settings)
    run_shown(project, command)
    assert (project / "results/scenes/my-area/landsat/minerals/class.tif").exists()
    page = (project / "results/scenes/my-area/index.html").read_text()
    assert "no accuracy can be stated" in page
    assert "SYNTHETIC" not in page
    assert (project / "results/studies/my-licence/report.html").exists()
    accuracy = json.loads((project / "results/studies/my-licence/accuracy.json").read_text())
    assert not any(record["assessed"] for record in accuracy["records"])


@pytest.mark.slow
def test_the_scene_of_the_how_to_ends_with_its_page(shared_data, tmp_path):
    data = shared_data("cuprite95_west").parent
    shared_data("usgs_splib07/native_ascii_splib07a")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/data").symlink_to(data)
    project = copy_project(tmp_path / "project")
    page = (ROOT / "docs/how-to/map-my-scene.md").read_text(encoding="utf-8")
    commands = FENCE.findall(page.partition("## Real scenes to try")[2])[0][1]
    run_shown(project, commands.replace("\\\n", " ").splitlines()[0])
    scene = project / "results/scenes/cuprite-clays"
    text = (scene / "index.html").read_text()
    assert "SYNTHETIC" not in text and "tested pixels" in text
    for name in ("map.html", "cuprite-clays.qgs", "sheet.pdf", "thumbnail.png"):
        assert (scene / name).stat().st_size > 0, name
