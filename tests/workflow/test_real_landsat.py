"""README's "Your own scene", word by word, on a real Landsat clip."""

import json
import re
import shlex

from projects import ROOT, copy_project, snakemake

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PRODUCT = "data/LC08_L1TP_….tar"


def test_the_scene_of_the_readme_ends_with_map_page_and_report(shared_data, tmp_path):
    clip = shared_data("landsat") / "LC08_L1TP_195025_20130707_C1_clip41px"
    part = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Your own scene")[2]
    table, settings, command = (block for _, block in FENCE.findall(part)[:3])
    assert PRODUCT in table
    project = copy_project(tmp_path / "project")
    (project / "my.tsv").write_text(table.replace(PRODUCT, str(clip)))
    (project / "my.yaml").write_text(settings)
    words = shlex.split(command)
    assert words[:3] == ["uv", "run", "snakemake"]
    run = snakemake(project, *words[3:])
    assert run.returncode == 0, run.stdout
    assert (project / "results/scenes/my-area/landsat/minerals/class.tif").exists()
    report = (project / "results/studies/my-licence/report.html").read_text()
    assert "no accuracy can be stated" in report
    assert "SYNTHETIC" not in report
    accuracy = json.loads((project / "results/studies/my-licence/accuracy.json").read_text())
    assert not any(record["assessed"] for record in accuracy["records"])
