"""The profile for Slurm names rules that there are, and puts none together that go alone."""

import os
import re
from types import SimpleNamespace

import pytest
import yaml

# They run for long, or their jobs belong to no scene.
ALONE = {
    *("train_network", "train_published_network", "train_embedding", "train_published"),
    *("train_filler", "validate_forest", "assess_detectors", "compare_embeddings"),
    *("assess_spectra", "tabulate_pixels", "name_spectra"),
    *("render_report", "write_catalog", "lay_minerals"),
    *("mosaic_classes", "mosaic_numbers", "map_ground_agreement", "rank_ground_targets"),
    *("draw_ground", "draw_ground_map", "write_ground_project", "render_ground"),
}


@pytest.fixture(scope="module")
def profile(root):
    return yaml.safe_load((root / "profiles/slurm/config.yaml").read_text())


@pytest.fixture(scope="module")
def rules(root):
    """Rules whose jobs go to the cluster."""
    found = {}
    for path in (root / "workflow/rules").glob("*.smk"):
        for text in re.split(r"\n(?=(?:use )?rule )", path.read_text())[1:]:
            name = re.match(r"(?:use rule \w+ as|rule) (\w+)", text).group(1)
            # Snakemake does not hand it on to a rule that is made of another.
            found[name] = "localrule: True" in text
    return {name for name, stays in found.items() if not stays}


def test_each_rule_travels_with_its_scene_or_alone(profile, rules):
    grouped = set(profile["groups"])
    assert grouped - rules == set()
    assert grouped & ALONE == set()
    # A new rule goes into `groups` of the profile, or above.
    assert rules - grouped == ALONE


def test_longer_times_are_of_rules_that_there_are(profile, rules):
    assert set(profile["set-resources"]) - rules == set()


@pytest.fixture
def faults_of(root, monkeypatch):
    """What nodes (partition, CPUs, memory, time) have against needs of CPUs, MB and minutes."""
    monkeypatch.setenv("PATH", os.environ["PATH"])
    names = {"os": os}
    exec((root / "workflow/lib/cluster.smk").read_text(), names)
    return lambda nodes, *needs: list(
        names["request_faults"]("map", None, needs, set(nodes), {nodes[0][0]})
    )


def test_a_job_that_no_single_node_can_hold_is_told(faults_of):
    wide = ("main", "8", "4000", "1-00:00:00")
    deep = ("main", "2", "64000", "infinite")
    assert faults_of([wide, deep], 8, 4000, 60) == []
    assert faults_of([wide, deep], 2, 64000, 9000) == []
    (fault,) = faults_of([wide, deep], 8, 8000, 60)
    assert "map asks for 8 CPUs and 8000 MB, which no node of partition main has together" in fault
    (fault,) = faults_of([wide], 8, 4000, 1441)
    assert fault == "runtime: map asks for 1441, partition main allows 1440; set 1440 at most"


def test_rules_name_no_groups_of_their_own(root):
    for path in (root / "workflow/rules").glob("*.smk"):
        assert "\n    group:" not in path.read_text(), path.name


@pytest.fixture
def scene_names(root):
    """What workflow/lib/scenes.smk defines."""
    names = {}
    exec((root / "workflow/lib/scenes.smk").read_text(), names)
    return names


def test_a_training_asks_for_half_as_many_cores_as_it_has_threads(scene_names):
    for threads, cores in ((1, 1), (2, 1), (3, 2), (8, 4)):
        scene_names["section"] = lambda *keys: lambda wildcards: threads  # noqa: B023
        assert scene_names["training_cores"]("patches")(None) == cores


def test_scenes_share_the_cores_and_a_single_one_or_a_job_on_a_cluster_has_all(scene_names):
    def threads(scenes, cores, **place):
        told = {"non_local_exec": False, "remote_exec": False, **place}
        told["resource_settings"] = SimpleNamespace(cores=cores)
        scene_names.update(SCENES=range(scenes), workflow=SimpleNamespace(**told))
        return scene_names["threads_up_to"](4)(None)

    assert [threads(1, cores) for cores in (1, 2, 8)] == [1, 2, 4]
    assert [threads(4, cores) for cores in (2, 8, 64)] == [1, 2, 4]
    assert threads(1000, 8) == 1 and threads(1000, None) == 4
    assert threads(1000, 8, non_local_exec=True) == threads(1000, 4, remote_exec=True) == 4
