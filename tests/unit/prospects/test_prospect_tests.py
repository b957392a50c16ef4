import pytest

from gossan.errors import InputError
from gossan.prospects.prospect_tests import (
    METHOD,
    class_names,
    forest_tests,
    leading_tests,
    other_tests,
    published_test,
    split_name,
    title_of,
)

COVERS = ("ore", "soil", "vegetation", "mixed")
PAPER = {
    "tests": [
        {"source": "Paper", "split": "random split", "f1": dict.fromkeys(COVERS, 0.7)},
        {"source": "Others", "scene": "real", "split": "published split", "f1": {}},
    ]
}


def row(plan, protocol):
    return {"plan": plan, "protocol": protocol}


def record(method, names=COVERS, scene="twin", assessed=True):
    classes = [{"name": name, "label": name} for name in names]
    own = {"scene": scene, "method": method, "assessed": assessed}
    return own | {"scores_study_classes": {"classes": classes}}


def validated(*plans):
    rows = [row(plan, protocol) for protocol in ("random", "blocked") for plan in plans]
    return rows, [record(METHOD.format(**own)) for own in rows]


def test_each_row_has_its_record_whatever_their_order():
    rows, records = validated("pixel", "windows", "chosen")
    tests = forest_tests(rows, records[::-1])
    assert [(t.plan, t.protocol) for t in tests] == [(r["plan"], r["protocol"]) for r in rows]
    assert all(f"{t.plan}, {t.protocol}" in t.record["method"] for t in tests)
    assert [t.own for t in tests] == [True] * 3 + [False] * 3


def test_a_row_without_a_record_is_named():
    rows, records = validated("pixel", "chosen")
    with pytest.raises(InputError, match="no record of 'Forest, chosen, blocked split'"):
        forest_tests(rows, records[:-1])


def test_the_first_plan_and_the_chosen_lead():
    tests = forest_tests(*validated("pixel", "windows", "all", "chosen"))
    assert [(t.plan, t.protocol) for t in leading_tests(tests)] == [
        ("pixel", "random"),
        ("pixel", "blocked"),
        ("chosen", "random"),
        ("chosen", "blocked"),
    ]
    alone = forest_tests(*validated("pixel", "chosen"))
    assert {t.plan for t in leading_tests(alone)} == {"pixel"}


def test_other_records_are_what_no_plan_tested():
    rows, records = validated("pixel", "chosen")
    sam = record("Spectral Angle Mapper, four cover classes")
    tests = forest_tests(rows, [*records, sam])
    unassessed = record("Map", assessed=False)
    assert other_tests(tests, [*records, sam, unassessed]) == [sam]


def test_a_published_test_is_of_the_scene_or_else_of_the_classes():
    assert published_test(PAPER, record("x"))["source"] == "Paper"
    assert published_test(PAPER, record("x", scene="real"))["source"] == "Others"
    assert published_test(PAPER, record("x", ("ore", "soil"))) is None
    assert published_test({}, record("x")) is None
    assert class_names(record("x")) == list(COVERS)


def test_splits_are_called_as_the_published_test_calls_them():
    tests = forest_tests(*validated("pixel", "chosen"))
    published = PAPER["tests"][1]
    assert title_of(tests[0], published) == "Pixel, published split"
    assert title_of(tests[0], None) == "Pixel, own split"
    assert split_name("blocked", published) == "spatial blocks"
