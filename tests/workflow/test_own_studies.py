"""Studies of a user's own: names, settings, libraries, minerals, several sensors of one scene."""

import csv
import json
import re

import pytest
import rasterio
from projects import copy_project, snakemake

CONFIG = """
scenes: own.tsv
twin: {size_px: {porphyry: 96, epithermal: 48}, dates: 1}
accuracy: {bootstrap: 100, spatial_block_px: 8}
studies:
  north:
    minerals: {references: [alunite, calcite, chlorite], match: origin, max_angle_rad: 0.1}
  south:
    classes: own_minerals.csv
    library: [own_library.csv, analytic]
    minerals: {references: [alunite, calcite, sericite-mix], max_angle_rad: 0.3}
  licence:
    minerals: {references: [alunite, kaolinite, calcite, chlorite], sensors: [aster, stack]}
    mnf: {components: 3, skewers: 50, sensors: [sentinel2]}
    zones: {sensors: [aster, sentinel2]}
    targets: {min_area_ha: 0.1}
"""
REPORTS = [f"results/studies/{study}/report.html" for study in ("north", "south", "licence")]
TABLE = """scene\tstudy\tsensor\tproduct\ttruth
north-1\tnorth\tlandsat\ttwin:porphyry\ttwin
south-1\tsouth\tlandsat\ttwin:porphyry\ttwin
hill-7\tlicence\taster\ttwin:epithermal\ttwin
hill-7\tlicence\tsentinel2\ttwin:epithermal\ttwin
"""


def own_library(path):
    """A library of one spectrum: flat, with a step where no mineral of the shipped one has it."""
    lines = ["wavelength_um,sericite mix 1"]
    lines += [f"{0.35 + step * 0.01:.2f},{0.3 + 0.1 * (step > 100):.2f}" for step in range(220)]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = copy_project(tmp_path_factory.mktemp("own"))
    (folder / "own.yaml").write_text(CONFIG)
    (folder / "own.tsv").write_text(TABLE)
    (folder / "own_minerals.csv").write_text(
        "name,label,colour,record,group\n"
        "sericite-mix,Sericite mixture,#123456,sericite mix 1,2um\n"
        "calcite,Lime,#0000FE,,\n"
    )
    own_library(folder / "own_library.csv")
    run = snakemake(folder, *REPORTS, "--cores", "2", "--configfile", "own.yaml")
    assert run.returncode == 0, run.stdout
    return folder


def test_two_areas_with_settings_of_their_own_have_two_reports(project):
    for study in ("north", "south"):
        report = (project / f"results/studies/{study}/report.html").read_text()
        assert f"study {study}" in report
    angles = {}
    for study in ("north", "south"):
        item = project / f"results/scenes/{study}-1/landsat/minerals/item.json"
        classes = json.loads(item.read_text())["properties"]["gossan:classes"]
        angles[study] = {entry["max_angle_rad"] for entry in classes}
    assert angles == {"north": {0.1}, "south": {0.3}}


def test_a_mineral_of_the_users_own_has_its_record_label_and_colour(project):
    folder = project / "results/scenes/south-1/landsat/minerals"
    with (folder / "library/records.csv").open(newline="") as stream:
        records = {row["name"]: row for row in csv.DictReader(stream)}
    assert records["sericite-mix"]["record"] == "sericite mix 1"
    assert records["sericite-mix"]["library"] == "own_library.csv"
    assert records["alunite"]["library"] == "analytic"
    legend = (folder / "class.qml").read_text()
    assert "Sericite mixture" in legend and "#123456" in legend
    assert "Lime" in legend and "#0000fe" in legend
    with rasterio.open(folder / "class.tif") as dataset:
        assert dataset.colormap(1)[200] == (0x12, 0x34, 0x56, 255)


def test_methods_run_on_the_sensors_that_they_name_and_on_the_stack(project):
    scene = project / "results/scenes/hill-7"
    for path in (
        *("aster/minerals/class.tif", "stack/minerals/class.tif", "stack/cube/sensors.tif"),
        *("sentinel2/mnf/purity.tif", "aster/zones/confidence/phyllic.tif"),
        *("sentinel2/zones/confidence/propylitic.tif", "targets/targets.gpkg"),
        "targets/agreement.json",
    ):
        assert (scene / path).stat().st_size > 0, path
    for path in ("sentinel2/minerals", "aster/mnf", "stack/zones"):
        assert not (scene / path).exists(), path
    accuracy = json.loads((project / "results/studies/licence/accuracy.json").read_text())
    mapped = {
        record["sensor"]
        for record in accuracy["records"]
        if record["method"] == "Spectral angles about the scene's mean"
    }
    assert mapped == {"aster", "stack"}


def test_a_change_of_one_study_leaves_the_others_alone(project):
    (project / "other.yaml").write_text("studies: {south: {minerals: {match: origin}}}\n")
    words = (*REPORTS, "--cores", "1", "--dry-run", "--configfile", "own.yaml", "other.yaml")
    run = snakemake(project, *words)
    jobs = re.findall(r"^Job \d+: (.*)$", run.stdout, re.MULTILINE)
    assert any("south-1" in job for job in jobs)
    assert not [job for job in jobs if re.search("north|hill-7|licence", job)]
