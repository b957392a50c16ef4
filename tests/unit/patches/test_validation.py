import json

import jsonschema
import numpy as np
import pytest

from gossan.accuracy.blocks import Bootstrap
from gossan.errors import InputError
from gossan.legend import MapClass
from gossan.patches.cutting import PatchTable
from gossan.patches.validation import (
    Answers,
    accuracy_record,
    answer_rows,
    describe_answers,
    pick_classes,
    share_accuracy,
)

CLASSES = [
    MapClass(6, "calcite", "Calcite", "#4FC3F7"),
    MapClass(2, "chalcocite", "Chalcocite", "#00FE00"),
    MapClass(12, "feldspar", "Feldspar", "#FE00FE"),
]
N = 24


@pytest.fixture
def table():
    labels = np.arange(N) % 2
    shares = np.zeros((N, 3))
    shares[np.arange(N), 1 + labels] = 0.4
    shares[:, 0] = 0.5
    return PatchTable(
        size_px=16,
        classes=("chalcocite", "feldspar"),
        share_names=("calcite", "chalcocite", "feldspar"),
        rows=np.arange(N) * 16,
        columns=np.zeros(N, np.int64),
        x=np.zeros(N),
        y=np.zeros(N),
        labels=labels,
        shares=shares,
        background=np.full(N, 0.1),
        synthetic=True,
        blocks=np.arange(N) // 3,
        sides=np.array(["train", "validation", "test"])[np.arange(N) % 3],
    )


def answer(table, wrong=()):
    patches = np.arange(len(table))
    labels = table.labels[patches]
    right = np.isin(patches, wrong, invert=True)
    logits = np.where((labels[:, None] == np.arange(2)) == right[:, None], 1.0, -1.0)
    return Answers(patches, np.zeros(len(patches), np.int64), labels, logits)


def record(table, **changes):
    options = {
        "scene": "tiny",
        "method": "CNN",
        "protocol": "blocked",
        "file": "patches.csv",
        "bootstrap": Bootstrap(32, 200, 1),
    }
    own = CLASSES[1:]
    return accuracy_record(answer(table, wrong=[0, 2, 3]), table, own, **(options | changes))


def test_the_accuracy_record_counts_images_and_keeps_the_schema(table, root):
    made = record(table)
    schema = json.loads((root / "workflow/schemas/accuracy.schema.json").read_text())
    jsonschema.validate({"study": "gilgit", "records": [made]}, schema)
    assert made["confusion_matrix"]["counts"] == [[0, 0, 0], [0, 10, 2], [0, 1, 11]]
    overall = made["scores"]["overall_accuracy"]
    assert overall["value"] == pytest.approx(21 / 24)
    assert overall["n_blocks"] == 8
    assert overall["low"] < 21 / 24 <= overall["high"]
    assert made["synthetic"] is True
    assert [item["name"] for item in made["scores_study_classes"]["classes"]] == [
        *("chalcocite", "feldspar"),
    ]
    assert made["split"].startswith("blocked")
    assert record(table, protocol="published")["split"].startswith("published")


def test_calibration_is_described_before_and_after(table):
    made = describe_answers(answer(table, wrong=[0, 2, 3]), temperature=2.0)
    assert made["accuracy"] == pytest.approx(21 / 24)
    # Logits of 1 that were 2 before they were divided by the temperature.
    for name, gap in (("calibrated", 2.0), ("uncalibrated", 4.0)):
        confidence = 1 / (1 + np.exp(-gap))
        assert made[name]["ece"] == pytest.approx(abs(confidence - 21 / 24), abs=1e-6)
        assert sum(item["n"] for item in made[name]["bins"]) == N
        full = [item for item in made[name]["bins"] if item["n"]]
        assert [item["accuracy"] for item in full] == [pytest.approx(21 / 24)]
    json.dumps(made, allow_nan=False)


def test_answers_are_told_image_by_image(table):
    given = answer(table, wrong=[1])
    rows = answer_rows({"validation": given, "test": given}, table)
    assert len(rows) == 2 * N
    assert [row["side"] for row in rows[::N]] == ["validation", "test"]
    assert rows[1]["label"] == "feldspar"
    assert rows[1]["answer"] == "chalcocite"
    assert float(rows[1]["probability_chalcocite"]) == pytest.approx(0.880797)


def test_counting_colours_is_right_by_the_making_of_the_labels(table):
    assert share_accuracy(table, np.arange(N)) == 1.0


def test_classes_are_picked_in_the_tables_order():
    picked = pick_classes(CLASSES, ("feldspar", "calcite"), "classes.csv")
    assert [item.code for item in picked] == [12, 6]
    with pytest.raises(InputError, match=r"classes\.csv: lacks the class quartz"):
        pick_classes(CLASSES, ("quartz", "feldspar"), "classes.csv")
