"""Another workflow uses this one as a module."""

import re
import subprocess

import pytest
from projects import copy_project, snakemake

OUTER = """
OWN = {
    "scenes": "my_scenes.tsv",
    "twin": {"size_px": {"porphyry": 96}},
    "studies": {
        "mine": {"minerals": {"references": ["alunite", "calcite", "chlorite", "feldspar"]}},
    },
}


module gossan:
    snakefile:
        "vendor/gossan/workflow/Snakefile"
    config:
        OWN
    pathvars:
        results="minerals/found",


use rule * from gossan as gossan_*


rule summary:
    default_target: True
    input:
        "minerals/found/scenes/my-scene/landsat/minerals/areas.csv",
    output:
        "summary.txt",
    shell:
        "wc -l {input} > {output}"
"""


def test_an_outer_workflow_runs_our_rules_in_its_own_folder(tmp_path):
    copy_project(tmp_path / "vendor/gossan")
    (tmp_path / "Snakefile").write_text(OUTER)
    (tmp_path / "my_scenes.tsv").write_text(
        "scene\tstudy\tsensor\tproduct\ttruth\nmy-scene\tmine\tlandsat\ttwin\ttwin\n"
    )
    run = snakemake(tmp_path, "--cores", "2")
    assert run.returncode == 0, run.stdout
    assert (tmp_path / "summary.txt").read_text().split()[0] == "7"
    assert not (tmp_path / "results").exists()
    again = snakemake(tmp_path, "--cores", "2", "--dry-run")
    assert "Nothing to be done" in again.stdout


SIDE_BY_SIDE = """
def asked(table):
    study = {"cube": {"polygon": "data/area.gpkg"}, "zones": {}, "mnf": {}, "targets": {}}
    study["minerals"] = {"references": ["alunite", "kaolinite"], "from_scene": "data/points.gpkg"}
    study["embedding"] = {}
    grounds = {"size_px": {"porphyry": 96, "iron": 96}}
    return {"scenes": table, "studies": {"mine": study, "iron": {"prospects": {}}}, "twin": grounds}


module first:
    snakefile:
        github("owner/gossan", path="workflow/Snakefile", tag="v9")
    config:
        asked("first.tsv")
    prefix:
        "first"


module second:
    snakefile:
        "vendor/gossan/workflow/Snakefile"
    config:
        asked("second.tsv")
    prefix:
        "second"


use rule * from first as first_*


use rule * from second as second_*


rule both:
    default_target: True
    input:
        rules.first_products.input,
        rules.second_products.input,
"""
HEAD = "scene\tstudy\tsensor\tproduct\ttruth\n"
FIRST = """a\tmine\tlandsat\tdata/a.tar\tdata/truth.gpkg
a\tmine\taster\tdata/b.hdf\tdata/truth.gpkg
c\tiron\tsentinel2\ttwin:iron\ttwin
"""
SECOND = "b\tmine\tlandsat\ttwin\ttwin\n"


@pytest.fixture(scope="module")
def two_modules(tmp_path_factory):
    """A workflow that uses this one twice, once from a tag; the folder and its environment."""
    folder = tmp_path_factory.mktemp("two")
    clone = copy_project(folder / "vendor/gossan")
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    for words in (("init", "-q"), ("add", "-A"), (*who, "commit", "-qm", "all"), ("tag", "v9")):
        subprocess.run(["git", *words], cwd=clone, check=True)
    # What is written after the tag is no part of it.
    (clone / "scripts/tabulate_classes.py").write_text("raise SystemExit('after the tag')\n")
    (folder / "Snakefile").write_text(SIDE_BY_SIDE)
    (folder / "first.tsv").write_text(HEAD + FIRST)
    (folder / "second.tsv").write_text(HEAD + SECOND)
    (folder / "data").mkdir()
    for name in ("a.tar", "b.hdf", "area.gpkg", "truth.gpkg", "points.gpkg"):
        (folder / "data" / name).touch()
    place = {"GIT_CONFIG_KEY_0": f"url.file://{clone}.insteadOf"}
    place["GIT_CONFIG_VALUE_0"] = "https://github.com/owner/gossan"
    environment = {"XDG_CACHE_HOME": str(folder / "cache"), "GIT_CONFIG_COUNT": "1", **place}
    return folder, environment


def test_two_modules_stand_side_by_side_each_with_its_prefix_and_the_users_paths_as_they_are(
    two_modules,
):
    folder, environment = two_modules
    plan = snakemake(folder, "--dry-run", "--printshellcmds", environment=environment)
    assert plan.returncode == 0, plan.stdout[-3000:]
    paths = set(re.findall(r"[^\s'\"=,@]*results/[^\s'\",]*", plan.stdout))
    assert len(paths) > 300
    strange = [path for path in paths if not path.startswith(("first/results/", "second/results/"))]
    assert strange == []
    assert not re.findall(r"<(?:results|scene|study|place)>", plan.stdout)
    given = set(re.findall(r"[^\s'\"=,]*data/(?:a\.tar|b\.hdf|\w+\.gpkg)", plan.stdout))
    names = ("a.tar", "b.hdf", "area.gpkg", "truth.gpkg", "points.gpkg")
    assert given == {f"data/{name}" for name in names}


def test_a_module_from_a_tag_of_a_clone_runs_and_a_second_run_does_nothing(two_modules):
    folder, environment = two_modules
    target = "first/results/studies/mine/minerals/classes.csv"
    for said in ("first_select_classes", "Nothing to be done"):
        run = snakemake(folder, target, "--cores", "2", environment=environment)
        assert run.returncode == 0, run.stdout
        assert said in run.stdout
    assert (folder / target).is_file()
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == [
        *(".snakemake", "cache", "data", "first", "vendor"),
    ]
