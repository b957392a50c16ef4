"""The profile for Slurm names rules that there are, and puts none together that go alone."""

import re

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


def test_rules_name_no_groups_of_their_own(root):
    for path in (root / "workflow/rules").glob("*.smk"):
        assert "\n    group:" not in path.read_text(), path.name
