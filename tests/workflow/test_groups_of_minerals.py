"""Studies that map minerals by group, and studies of angles to the origin: what runs, and that."""

import json
import re

import pytest
import rasterio
from projects import copy_project, planned, snakemake

# Five studies by five ways of comparing; each way is tested quickly by its tool.
pytestmark = pytest.mark.slow

CONFIG = """
scenes: own.tsv
twin: {size_px: {porphyry: 96}, dates: 1}
accuracy: {bootstrap: 100, spatial_block_px: 8}
studies:
  plain:
    minerals: {references: [kaolinite, alunite, goethite], match: origin}
  grouped:
    minerals: {references: [kaolinite, alunite, muscovite, goethite, hematite, quartz]}
  one-group:
    minerals: {references: [kaolinite, alunite, calcite], match: sid, teach: {model: none}}
  filtered:
    minerals:
      references: [kaolinite, alunite, muscovite]
      match: matched_filter
      teach: {model: forest, surest: 0.5}
  coherent:
    minerals: {references: [goethite, hematite], match: ace, max_angle_rad: 1.2}
"""
STUDIES = ("plain", "grouped", "one-group", "filtered", "coherent")
HEADER = "scene\tstudy\tsensor\tproduct\ttruth"


def minerals(study):
    return f"results/scenes/{study}/landsat/minerals"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = copy_project(tmp_path_factory.mktemp("groups"))
    (folder / "own.yaml").write_text(CONFIG)
    rows = [f"{study}\t{study}\tlandsat\ttwin:porphyry\ttwin" for study in STUDIES]
    (folder / "own.tsv").write_text("\n".join([HEADER, *rows]) + "\n")
    return folder


def plan(project, study):
    run = snakemake(
        project,
        *(f"results/studies/{study}/report.html", "--cores", "1", "--dry-run"),
        *("--configfile", "own.yaml"),
    )
    assert run.returncode == 0, run.stdout
    rules = set.union(*planned(run.stdout).values())
    groups = set(re.findall(rf"{minerals(study)}/(\dum)/class\.tif", run.stdout))
    return rules, groups


@pytest.mark.parametrize(
    ("study", "groups", "rules"),
    [
        ("plain", set(), {"map_spectral_angles"}),
        ("grouped", {"1um", "2um"}, {"map_mineral_group", "teach_minerals"}),
        ("one-group", {"2um"}, {"map_mineral_group"}),
        ("filtered", {"2um"}, {"map_mineral_group", "teach_minerals"}),
        ("coherent", {"1um"}, {"map_mineral_group", "teach_minerals"}),
    ],
)
def test_each_kind_of_study_plans_its_own_rules(project, study, groups, rules):
    planned_rules, planned_groups = plan(project, study)
    mapping = {"map_spectral_angles", "map_mineral_group", "teach_minerals"}
    assert planned_rules & mapping == rules
    assert ("merge_mineral_groups" in planned_rules) == bool(groups)
    assert ("assess_mineral_group" in planned_rules) == bool(groups)
    assert planned_groups == groups


def test_references_without_a_group_are_told_before_anything_runs(project):
    config = CONFIG.replace("[kaolinite, alunite, calcite], match: sid", "[quartz, magnetite]")
    (project / "bad.yaml").write_text(config)
    run = snakemake(project, "--cores", "1", "--dry-run", "--configfile", "bad.yaml")
    assert run.returncode != 0
    [fault] = [line for line in run.stdout.splitlines() if "studies.one-group" in line]
    assert "minerals.references: none has an absorption from 0.4 to 2.5 µm" in fault
    (project / "fine.yaml").write_text(
        config.replace("[quartz, magnetite]", "[quartz, magnetite], match: origin")
    )
    run = snakemake(project, "--cores", "1", "--dry-run", "--configfile", "fine.yaml")
    assert run.returncode == 0, run.stdout


@pytest.fixture(scope="module")
def done(project):
    """The project after a run of one whole study, and of the maps of the others."""
    maps = [f"{minerals(study)}/class.tif" for study in STUDIES]
    maps += [f"{minerals('filtered')}/2um/taught.tif", f"{minerals('coherent')}/1um/taught.tif"]
    run = snakemake(
        project,
        *("results/studies/grouped/report.html", *maps, "--cores", "2"),
        *("--configfile", "own.yaml"),
    )
    assert run.returncode == 0, run.stdout
    return project


def record(done, study, group, name):
    return json.loads((done / minerals(study) / group / f"{name}.json").read_text())


def test_every_comparison_maps_its_groups_and_says_which_it_is(done):
    for study, group, method in (
        ("grouped", "1um", "Spectral angle about the scene's mean"),
        ("grouped", "2um", "Spectral angle about the scene's mean"),
        ("one-group", "2um", "Spectral information divergence over the scene's mean"),
        ("filtered", "2um", "Matched filter in log reflectance"),
        ("coherent", "1um", "Adaptive coherence estimator in log reflectance"),
    ):
        told = record(done, study, group, "record")
        assert (told["method"], told["group"]) == (method, group)
        assert sum(told["answers"]["shares"].values()) > 0, study
        with rasterio.open(done / minerals(study) / "class.tif") as dataset:
            assert dataset.tags()["METHOD"] == method
    assert not (done / minerals("plain") / "2um").exists()


def test_the_second_pass_is_of_the_model_that_was_asked_for(done):
    assert not (done / minerals("one-group") / "2um/taught.tif").exists()
    told = record(done, "filtered", "2um", "taught")
    assert (told["model"], told["surest"]) == ("forest", 0.5)
    assert record(done, "grouped", "2um", "taught")["model"] == "likelihood"


def test_both_maps_of_each_group_are_assessed_and_told(done):
    accuracy = json.loads((done / "results/studies/grouped/accuracy.json").read_text())
    methods = {record["method"] for record in accuracy["records"]}
    assert methods == {
        "Spectral angles about the scene's mean",
        *(f"First map at {group}" for group in ("1um", "2um")),
        *(f"Second, self-taught map at {group}" for group in ("1um", "2um")),
    }
    report = (done / "results/studies/grouped/report.html").read_text()
    assert "Minerals at 1 µm" in report and "Minerals at 2 µm" in report
    assert "Quartz has no group" in report
