"""The table of what a scene leaves."""

import re

import pytest

from gossan.config import METHODS
from gossan.desk.layers import GROUPS
from gossan.results import COLUMNS, list_results, read_results

CONDITIONS = {
    *("rules", "from_scene"),
    *("truth", "twin", "composite", "stack", "trained", "scored", "points", "sampled"),
    *("iron", "cover", "published", "claims", "known_mines", "districts"),
}


@pytest.fixture(scope="module")
def table(root):
    return read_results(root / "resources/static/results.csv")


def test_each_row_says_what_a_reader_needs(table):
    for row in table:
        assert tuple(row) == COLUMNS
        assert row["method"] in ("cube", "images", *METHODS, "scene", "mosaic")
        assert set(row["when"].split()) <= CONDITIONS, row
        if row["kind"] != "figure":
            assert row["title"] and row["note"], row


def test_each_method_leaves_a_map_and_figures_or_a_table(table):
    for method in METHODS:
        kinds = {row["kind"] for row in table if row["method"] == method}
        assert "figure" in kinds and len(kinds) > 1, method


def test_what_can_be_shown_has_a_group(table):
    for row in table:
        assert row["group"] in ("", *GROUPS), row
        shown = row["kind"] in ("cube", "image", "ramp", "mask", "classes", "flags")
        assert not shown or row["group"], row


def test_no_file_stands_twice(table):
    files = [(row["method"], row["file"]) for row in table]
    assert len(set(files)) == len(files)


def test_rows_hold_by_their_conditions_and_stand_once_for_each_name(table):
    names = {"zone": ["inner", "outer"], "group": ["1um", "2um"], "taught": ["2um"]}
    files = [row["file"] for row in list_results(table, "minerals", set(), names)]
    assert "zones/inner.tif" in files and "zones/outer.tif" in files
    assert {"1um/class.tif", "2um/class.tif", "2um/taught.tif", "figures/1um.png"} <= set(files)
    assert "1um/taught.tif" not in files
    titles = {row["file"]: row["title"] for row in list_results(table, "minerals", set(), names)}
    assert titles["1um/class.tif"] == "Minerals at 1 µm"
    scored = [row["file"] for row in list_results(table, "zones", {"scored"}, names)]
    unscored = [row["file"] for row in list_results(table, "zones", set(), names)]
    assert "score/score.json" in scored
    assert "score/score.json" not in unscored


def test_the_rules_write_what_the_table_says(root, table):
    """Each file of the table is an output of a rule, under the method's word for its place."""
    rules = "".join(path.read_text() for path in (root / "workflow/rules").glob("*.smk"))
    outputs = set(re.findall(r'"(<\w+>[^"]*)"', rules))
    for row in table:
        method = "place>/cube" if row["method"] == "cube" else f"{row['method']}>"
        file = "figures" if row["kind"] == "figure" else row["file"]
        candidates = {f"<{method}/{file}", "<cube>" if file == "cube.tif" else ""}
        if row["method"] == "cube":
            candidates.add(f"<scene>/stack/cube/{file}")
        if row["method"] == "scene":
            candidates.add(f"<results>/scenes/{{scene}}/{file}")
        if row["method"] == "mosaic":
            candidates.add(f"<results>/studies/{{study}}/mosaic/{file}")
        if row["method"] == "minerals":
            file = re.sub("{group}-class|{taught}-taught", "{group}-{map}", file)
            candidates.add(f"<{method}/{file}".replace("{taught}", "{group}"))
        if row["method"] == "patches":
            candidates.add(f"<{method}/{file}".replace("/pair/", "/{cut}/"))
        if row["method"] == "prospects":
            candidates |= {
                f"<{method}/{re.sub(r'(?<![a-z])(cover|iron)(?=[/.])', '{target}', file)}"
            }
        assert candidates & outputs, row
