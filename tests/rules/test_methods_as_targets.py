"""The maps of one method alone, by its name."""

import re

import pytest
from projects import ROOT, planned, snakemake


@pytest.mark.parametrize("method", ["minerals", "targets"])
def test_a_method_as_target_plans_its_maps_and_no_page(method):
    run = snakemake(ROOT, method, "--cores", "1", "--dry-run", "--forceall")
    assert run.returncode == 0, run.stdout
    rules = set.union(*planned(run.stdout).values())
    assert method in rules
    assert not {"render_report", "render_scene", "draw_map", "assess_minerals"} & rules


def test_a_method_that_no_study_has_is_told(tmp_path):
    (tmp_path / "own.tsv").write_text(
        "scene\tstudy\tsensor\tproduct\ttruth\na\tmine\tlandsat\ttwin:porphyry\t\n"
    )
    study = "{minerals: {references: [alunite, calcite]}}"
    (tmp_path / "own.yaml").write_text(f"scenes: {tmp_path}/own.tsv\nstudies: {{mine: {study}}}\n")
    own = ("--configfile", str(tmp_path / "own.yaml"), "--directory", str(tmp_path))
    run = snakemake(ROOT, "zones", "--cores", "1", "--dry-run", *own)
    assert run.returncode != 0
    assert re.search(r"no study has a section zones; add it to run zones", run.stdout), run.stdout
