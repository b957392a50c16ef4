"""What belongs to an input is an input."""

import os
import re

import pytest
from projects import copy_project, snakemake

CUBE = "results/scenes/a/landsat/cube/cube.tif"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with a cube that is newer than all that it was made from."""
    folder = copy_project(tmp_path_factory.mktemp("project"))
    (folder / "scene").mkdir()
    (folder / CUBE).parent.mkdir(parents=True)
    for name in ("scene/B1.TIF", "area.shp", "area.dbf", CUBE, CUBE.replace(".tif", ".json")):
        (folder / name).touch()
        moment = 2_000_000 if name.startswith("results") else 1_000_000
        os.utime(folder / name, (moment, moment))
    os.utime(folder / "scene", (1_000_000, 1_000_000))
    (folder / "own.tsv").write_text(
        "scene\tstudy\tsensor\tproduct\ttruth\na\tmine\tlandsat\tscene\t\n"
    )
    (folder / "own.yaml").write_text(
        "scenes: own.tsv\nstudies: {mine: {mnf: {}, cube: {polygon: area.shp}}}\n"
    )
    return folder


@pytest.mark.parametrize("name", [None, "area.dbf", "scene/B1.TIF"])
def test_an_edit_beside_an_input_or_inside_it_runs_what_reads_it(project, name):
    if name:
        os.utime(project / name, (3_000_000, 3_000_000))
    run = snakemake(
        project,
        CUBE,
        "--cores",
        "1",
        "--dry-run",
        "--rerun-triggers",
        "mtime",
        "--configfile",
        "own.yaml",
    )
    if name:
        os.utime(project / name, (1_000_000, 1_000_000))
    assert run.returncode == 0, run.stdout
    assert ("Nothing to be done" in run.stdout) == (name is None), run.stdout


def test_every_rule_that_reads_what_the_user_names_reads_what_belongs_to_it(root):
    finders = ("product_of", "polygon_of", "truth_for", "libraries_for", "survey_of", "rasters_of")
    for path in sorted((root / "workflow/rules").glob("*.smk")):
        for rule in re.split(r"\n(?:use )?rule ", path.read_text())[1:]:
            given = rule.partition("    input:")[2].partition("\n    output:")[0]
            named = {name for name in finders if f"={name}" in given}
            told = given.partition("beside=")[2]
            assert all(name in told for name in named), f"{path.name}: {rule.split(':')[0]}"
