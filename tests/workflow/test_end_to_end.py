"""The whole way, small: twin to report, and what Snakemake does on the runs that follow."""

import ast
import csv
import functools
import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import geopandas
import jsonschema
import numpy as np
import pytest
import rasterio
from pages import read_report
from projects import ROOT, copy_project, planned, snakemake

SMALL = ("--configfile", "small.yaml")
OTHER_SEED = ("--configfile", "small.yaml", "other_seed.yaml")
SCENE = "results/scenes/gilgit-twin/landsat"
ASTER = "results/scenes/zafarghand-twin/aster/zones"
PROSPECT = "results/scenes/bahia-twin/sentinel2/prospects"
SENSORS = "results/scenes/cuprite-twin"
SETTINGS = """
twin:
  {size_px: {porphyry: 96, porphyry-zones: [96, 80], iron: 240, epithermal: 48}, dates: 2, tiles: 2}
accuracy: {bootstrap: 100, spatial_block_px: 16}
scenes: scenes.tsv
studies:
  porphyry:
    minerals:
      zones: {propylitic: [chlorite, epidote, calcite], potassic-phyllic: [biotite, feldspar]}
  zafarghand: {zones: {score: {per_class: 300, folds: 3, buffer_px: 4}}}
  bahia:
    mnf: {components: 4, skewers: 100}
    prospects:
      strata: {counts: [6, 6, 6, 12], ore_count: 6, allow_fewer: true, spatial_block_px: 16}
      forest: {folds: 3, per_class: 30, plans: plans.json}
  cuprite:
    embedding:
      triplets: 512
      epochs: 2
      hidden: 32
      size: 8
      filler: {spectra: 256, epochs: 1, hidden: 16}
      published: {triplets: 512, epochs: 2}
      detection: {spatial_block_px: 6, training_spectra: 50, trees: 5}
"""
NETWORKS = """
studies:
  porphyry:
    patches:
      {labels: [epidote, chlorite], size_px: 8, stride_px: 4, split_block_px: 16,
       images: 60, rotations: 4, epochs: 1}
"""
# What each job that may go to a cluster asks for beside its tool's memory.
ROOM_MB = 300
PLANS = [{"name": "pixel"}, {"name": "differences", "differences": True, "estimators": 10}]


def small_project(folder):
    """A copy of the project with settings for a small twin."""
    (folder / "small.yaml").write_text(SETTINGS)
    table = (ROOT / "config/scenes.tsv").read_text().replace("\tgilgit\t", "\tporphyry\t")
    # Three sensors of five are enough to be hidden and filled in.
    rows = [row for row in table.splitlines() if "\tenmap\t" not in row and "\tprisma\t" not in row]
    (folder / "scenes.tsv").write_text("\n".join(rows) + "\n")
    (folder / "plans.json").write_text(json.dumps(PLANS))
    (folder / "other_seed.yaml").write_text("accuracy: {seed: 1}\n")
    return copy_project(folder)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A small project after one whole run of the main job with one core."""
    folder = small_project(tmp_path_factory.mktemp("project"))
    run = snakemake(folder, "--cores", "1", *SMALL)
    assert run.returncode == 0, run.stdout
    return folder


def maps(folder):
    """Digests of all maps below a folder's results, by path."""
    paths = [
        path
        for suffix in ("tif", "qml", "aux.xml", "gpkg", "csv", "json", "html")
        for path in (folder / "results").rglob(f"*.{suffix}")
        if "benchmarks" not in path.parts and path.name != "run.html"  # times and memory of jobs
    ]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(paths)
    }


def test_maps_tables_accuracy_and_report_are_there(project, root):
    for path in (
        f"{SCENE}/cube/cube.tif",
        f"{SCENE}/minerals/class.tif",
        f"{SCENE}/minerals/class.qml",
        f"{SCENE}/minerals/class.tif.aux.xml",
        f"{SCENE}/minerals/angle.tif",
        f"{SCENE}/minerals/margin.tif",
        f"{SCENE}/minerals/item.json",
        f"{SCENE}/minerals/zones/potassic-phyllic.tif",
        f"{SCENE}/minerals/areas.csv",
        f"{SCENE}/minerals/pixels.gpkg",
        f"{SCENE}/minerals/figures/classes.png",
        f"{ASTER}/mad/anomalies.tif",
        f"{ASTER}/mad/anomalies.csv",
        f"{ASTER}/wavelets/subbands.tif",
        f"{ASTER}/wavelets/profile.csv",
        f"{ASTER}/wavelets/comparison.csv",
        f"{ASTER}/confidence/phyllic.tif",
        f"{ASTER}/confidence/propylitic.qml",
        f"{ASTER}/confidence/confidence.csv",
        f"{ASTER}/score/maps/phyllic.tif",
        f"{ASTER}/score/score.json",
        f"{ASTER}/score/curves.csv",
        f"{PROSPECT}/../cube/looks.tif",
        f"{PROSPECT}/../mnf/eigenvalues.csv",
        f"{PROSPECT}/samples/samples.gpkg",
        f"{PROSPECT}/labels/iron.tif",
        f"{PROSPECT}/forest/iron.npz",
        f"{PROSPECT}/cover/class.tif",
        f"{PROSPECT}/potential/potential.tif",
        "results/scenes/bahia-twin/targets/targets.kml",
        *(f"results/scenes/bahia-twin/{name}" for name in ("map.html", "sheet.pdf")),
        "results/scenes/bahia-twin/bahia-twin.qgs",
        "results/catalog.json",
        f"{SENSORS}/stack/cube/cube.tif",
        f"{SENSORS}/stack/cube/sensors.tif",
        f"{SENSORS}/embedding/networks/masked/model.onnx",
        f"{SENSORS}/embedding/assessment/subsets.csv",
        f"{SENSORS}/embedding/published/comparison.csv",
        f"{SENSORS}/embedding/map/class.tif",
        f"{SENSORS}/embedding/map/answer.qml",
        "results/index.html",
    ):
        assert (project / path).stat().st_size > 0, path
    schema = json.loads((root / "workflow/schemas/accuracy.schema.json").read_text())
    for study, records in (("porphyry", 1), ("zafarghand", 36), ("bahia", 6), ("cuprite", 6)):
        accuracy = json.loads((project / f"results/studies/{study}/accuracy.json").read_text())
        jsonschema.validate(accuracy, schema)
        assert len(accuracy["records"]) >= records
        report = read_report(project / f"results/studies/{study}/report.html")
        assert "synthetic" in report.lower()
        # Every row of the paper that something shows leads to where it is on the page.
        assert "Not part of this run." not in report.partition('id="paper.contents"')[2]


def test_two_tiles_with_a_mine_each_make_one_map_without_a_seam(project):
    record = json.loads((project / PROSPECT / "../cube/cube.json").read_text())
    assert [date["tiles"] for date in record["dates"]] == [["23LQE", "23LRE"]] * 2
    with rasterio.open(project / PROSPECT / "cover/class.tif") as dataset:
        classes, nodata, grid = dataset.read(1), dataset.nodata, dataset.transform
    assert classes.shape == (240, 240)
    # Columns at which the tiles end: the eastern one begins at 114, the western one ends at 126.
    begins, ends = 114, 126
    mines = geopandas.read_file(project / "results/scenes/bahia-twin/twin/mines.gpkg")
    columns = [(x - grid.c) / grid.a for x in mines.centroid.x]
    assert min(columns) < begins and max(columns) > ends
    both = (classes[:, 1:] != nodata) & (classes[:, :-1] != nodata)
    changes = ((classes[:, 1:] != classes[:, :-1]) & both).sum(axis=0) / both.sum(axis=0)
    joins = changes[[begins - 1, ends - 1]]
    assert (joins <= changes.mean() + 3 * changes.std()).all()


def test_a_key_of_one_study_leaves_the_other_alone(project):
    (project / "other_mad.yaml").write_text("studies: {zafarghand: {zones: {mad: {n: 2.0}}}}\n")
    run = snakemake(project, "--cores", "1", "--dry-run", *SMALL, "other_mad.yaml")
    rules = set().union(*planned(run.stdout).values())
    assert "map_anomalies" in rules
    assert not {"map_mineral_group", "transform_wavelets", "score_alteration"} & rules


def test_nothing_is_left_half_written(project):
    left = [path for path in (project / "results").rglob("*") if ".part" in path.name]
    assert left == []


def test_no_job_needs_more_memory_than_its_rule_asks_for(project):
    rows = [
        row
        for path in (project / "results/benchmarks").rglob("*.tsv")
        for row in csv.DictReader(path.read_text().splitlines(), delimiter="\t")
    ]
    assert len({row["rule_name"] for row in rows}) > 10
    for row in rows:
        asked = ast.literal_eval(row["resources"])["mem_mb"]
        # Beside the tool a job has room for Snakemake, which is not measured here.
        assert float(row["max_rss"]) < asked - ROOM_MB * (asked > ROOM_MB), row["rule_name"]


def test_a_second_run_does_nothing(project):
    run = snakemake(project, "--cores", "1", *SMALL)
    assert "Nothing to be done" in run.stdout


def test_touching_code_reruns_nothing(project):
    (project / "scripts/gossan/minerals/spectral_angle.py").touch()
    run = snakemake(project, "--cores", "1", "--dry-run", *SMALL)
    assert "Nothing to be done" in run.stdout


def test_an_edit_reruns_what_imports_the_module_and_a_revert_nothing(project):
    module = project / "scripts/gossan/minerals/spectral_angle.py"
    text = module.read_text()
    module.write_text(text + "# a comment\n")
    run = snakemake(project, "--cores", "1", "--dry-run", *SMALL)
    importing = {"map_mineral_group", "score_alteration", "label_iron", "assess_detectors"}
    importing.add("compare_embeddings")
    reasons = planned(run.stdout)
    assert reasons.pop("params have changed since last execution") == importing
    followers = reasons.pop("input files updated by another job")
    assert not {"simulate_file", "preprocess_scene", "resample_library"} & followers
    assert reasons == {}
    module.write_text(text)
    run = snakemake(project, "--cores", "1", "--dry-run", *SMALL)
    assert "Nothing to be done" in run.stdout


def test_a_changed_key_reruns_its_rules_and_no_earlier_one(project):
    run = snakemake(project, "--cores", "1", "--dry-run", *OTHER_SEED)
    rules = set().union(*planned(run.stdout).values())
    assert "assess_minerals" in rules
    assert not {"simulate_file", "preprocess_scene", "map_mineral_group"} & rules


@pytest.mark.parametrize(
    "studies", [("porphyry", "zafarghand"), pytest.param((), marks=pytest.mark.slow)]
)
def test_a_run_on_two_cores_interrupted_and_resumed_gives_the_bytes_of_one_core(
    project, tmp_path, studies
):
    folder = small_project(tmp_path)
    reports = [f"results/studies/{study}/report.html" for study in studies]
    words = (*reports, "--cores", "2", *SMALL)
    with (tmp_path / "first.log").open("w") as log:
        first = subprocess.Popen(
            [sys.executable, "-m", "snakemake", *words],
            **{"cwd": folder, "stdout": log, "stderr": log, "start_new_session": True},
            # A shell has those that it starts in the background ignore the signal.
            preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        cube = folder / f"{SCENE}/cube/cube.tif"
        deadline = time.monotonic() + 300
        while not cube.exists() and time.monotonic() < deadline and first.poll() is None:
            time.sleep(0.05)
        os.killpg(first.pid, signal.SIGINT)
        first.wait(timeout=300)
    assert first.returncode != 0
    assert not (folder / "results/studies/porphyry/report.html").exists()
    second = snakemake(folder, *words)
    assert second.returncode == 0, second.stdout
    expected = maps(project)
    made = maps(folder)
    assert len(made) > (50 if reports else len(expected) - 1)
    assert made.items() <= expected.items()


def test_snakemake_makes_its_own_report(project):
    run = snakemake(project, "--report", "report.zip", *SMALL)
    assert run.returncode == 0, run.stdout
    assert (project / "report.zip").stat().st_size > 100_000


def test_a_network_is_trained_and_maps_the_scene(project):
    (project / "networks.yaml").write_text(NETWORKS)
    target = f"{SCENE}/patches/map/class.tif"
    for expected in ("Finished jobid: 0 (Rule: classify_patches)", "Nothing to be done"):
        run = snakemake(project, target, "--cores", "2", *SMALL, "networks.yaml")
        assert run.returncode == 0, run.stdout
        assert expected in run.stdout
    with rasterio.open(project / target) as named:
        assert set(np.unique(named.read(1))) & {1, 4}
    record = project / f"{SCENE}/patches/networks/compact-blocked/accuracy.json"
    assert json.loads(record.read_text())["split"].startswith("blocked")
