"""Accuracy records: the schema, what counts, samples that are weighed, and maps nobody tested."""

import json

import jsonschema
import numpy as np
import pytest

from gossan.accuracy.blocks import Bootstrap
from gossan.accuracy.record import (
    RULES,
    WITHOUT_TRUTH,
    TruthSource,
    class_labels,
    list_records,
    make_record,
    unassessed_record,
)
from gossan.legend import MapClass

CLASSES = [
    MapClass(12, "alunite", "Alunite", "#111111"),
    MapClass(3, "illite", "Illite", "#222222"),
]
LABELS = class_labels(CLASSES)


def block_counts(n=12, seed=0):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 9, (n, 3, 3)) + 20 * np.eye(3, dtype=int)


def record(blocks=None, labels=LABELS, **changes):
    given = {
        "scene": "tiny",
        "method": "Spectral Angle Mapper",
        "synthetic": False,
        "truth": TruthSource("truth.tif", "raster", "on the map's grid"),
        "split": "none",
        "bootstrap": Bootstrap(8, 200, 3),
    }
    return make_record(block_counts() if blocks is None else blocks, labels, **given | changes)


@pytest.fixture(scope="module")
def check(root):
    schema = json.loads((root / "workflow/schemas/accuracy.schema.json").read_text())

    def require_fit(made):
        jsonschema.validate({"study": "any", "records": [made]}, schema)
        assert json.loads(json.dumps(made, allow_nan=False)) == made

    return require_fit


def test_a_record_keeps_the_schema_and_says_how_it_was_made(check):
    made = record()
    check(made)
    assert (made["block_px"], made["bootstrap"], made["seed"]) == (8, 200, 3)
    assert (made["design"], made["per_class"], made["stratified"]) == ("census", None, None)
    assert made["rules"] == RULES
    assert made["confusion_matrix"]["labels"] == LABELS
    assert [label["name"] for label in LABELS] == ["other", "alunite", "illite"]


def test_a_record_counts_every_tested_pixel_once(check):
    blocks = block_counts()
    made = record(blocks)
    assert made["n"] == made["scores"]["n"] == blocks.sum()
    assert made["confusion_matrix"]["counts"] == blocks.sum(axis=0).tolist()
    right = np.trace(blocks.sum(axis=0)) / blocks.sum()
    assert made["scores"]["overall_accuracy"]["value"] == pytest.approx(right, abs=1e-6)


def test_scores_of_the_studys_classes_leave_out_other_ground():
    blocks = block_counts()
    study = record(blocks)["scores_study_classes"]
    assert study["n"] == blocks[:, 1:].sum()
    assert [item["name"] for item in study["classes"]] == ["alunite", "illite"]
    within = blocks.copy()
    within[:, 0] = 0
    assert study == record(within)["scores_study_classes"]


def test_without_other_ground_both_scores_are_the_same():
    blocks = block_counts()
    blocks[:, 0] = 0
    made = record(blocks)
    assert made["scores_study_classes"]["overall_accuracy"] == made["scores"]["overall_accuracy"]
    assert made["scores_study_classes"]["classes"] == made["scores"]["classes"][1:]


def test_scores_among_the_studys_classes_need_two_of_them(check):
    blocks = block_counts()
    two = blocks[:, :2, :2]
    made = record(two, labels=LABELS[:2])
    assert made["scores_study_classes"] is None
    assert made["scores"]["kappa"]["value"] is not None
    # A truth that shows one class alone.
    blocks[:, [0, 2]] = 0
    study = record(blocks)["scores_study_classes"]
    assert study["kappa"]["value"] is study["classes"][0]["precision"]["value"] is None
    assert study["classes"][0]["recall"]["value"] > 0


def test_the_counts_given_are_not_changed():
    blocks = block_counts()
    before = blocks.copy()
    record(blocks, truth_weights=np.array([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(blocks, before)


def test_a_sample_by_class_of_the_truth_is_weighed_by_what_it_stands_for(check):
    blocks = block_counts()
    weight = np.array([10.0, 1.0, 2.5])
    made = record(blocks, per_class=50, truth_weights=weight)
    check(made)
    assert (made["design"], made["per_class"]) == ("stratified", 50)
    assert made["n"] == blocks.sum()
    weighed = blocks.sum(axis=0) * weight[:, None]
    share = np.trace(weighed) / weighed.sum()
    assert made["scores"]["overall_accuracy"]["value"] == pytest.approx(share, abs=1e-6)


def test_a_sample_by_class_of_the_map_is_weighed_by_what_it_stands_for(check):
    blocks = block_counts()
    weight = np.array([10.0, 1.0, 2.5])
    made = record(blocks, per_class=50, map_weights=weight)
    check(made)
    weighed = blocks.sum(axis=0) * weight
    share = np.trace(weighed) / weighed.sum()
    assert made["scores"]["overall_accuracy"]["value"] == pytest.approx(share, abs=1e-6)
    assert made["scores"]["n"] == blocks.sum()


@pytest.mark.parametrize(
    ("of_map", "of_truth", "said"),
    [(True, None, (True, True)), (False, True, (True, True)), (True, False, (True, False))],
)
def test_a_record_is_synthetic_where_map_or_truth_is(of_map, of_truth, said):
    truth = TruthSource("truth.gpkg", "polygons", "as it is", of_truth, conflicts=4)
    made = record(synthetic=of_map, truth=truth)
    assert (made["synthetic"], made["reference"]["synthetic"]) == said
    assert made["reference"]["n_conflicting"] == 4


def test_a_record_of_an_untested_map_says_why(check):
    made = unassessed_record(scene="tiny", method="m", synthetic=True)
    check(made)
    assert (made["assessed"], made["reason"]) == (False, WITHOUT_TRUTH)
    other = unassessed_record(scene="tiny", method="m", synthetic=False, reason="No sensor saw it.")
    check(other)
    assert other["reason"] == "No sensor saw it."


def test_records_are_listed_from_files_and_folders_by_name(tmp_path):
    for name in ("b.json", "a.json", "note.txt"):
        (tmp_path / name).write_text("{}")
    single = tmp_path / "other" / "c.json"
    assert list(list_records([single, tmp_path])) == [
        single,
        tmp_path / "a.json",
        tmp_path / "b.json",
    ]
