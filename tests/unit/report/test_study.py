from pathlib import Path

import pytest

from gossan.errors import InputError
from gossan.report.page import METHOD_TITLES
from gossan.report.study import SECTIONS, list_files, list_sources

RESULTS = Path("results")


def settings(methods, **scene):
    own = {"scene": "a", "synthetic": False, "methods": methods, **scene}
    own.setdefault("sensors", {"aster": "x", "emit": "y"})
    parts = {f"{sensor}/{method}" for method, names in methods.items() for sensor in names}
    own.setdefault("held", {"aster/cube": []} | {part: [] for part in sorted(parts)})
    return {"study": "mine", "settings": scene.pop("settings", {}), "scenes": [own]}


def row(method, file, **more):
    return {
        "method": method,
        "file": file,
        "kind": "map",
        "when": "",
        "title": "Title",
        "unit": "",
        "note": "",
        **more,
    }


def test_every_method_has_a_title_and_a_section():
    assert set(SECTIONS) == set(METHOD_TITLES)
    for section in SECTIONS.values():
        assert section.FIGURE_TITLES


def test_sections_stand_scene_by_scene_sensor_by_sensor():
    methods = {
        "targets": [""],
        "embedding": [""],
        "mnf": ["stack", "emit"],
        "zones": ["aster"],
        "minerals": ["emit", "aster"],
    }
    sources = list_sources(settings(methods), RESULTS, {})
    assert [(source.sensor, source.method) for source in sources] == [
        ("aster", "minerals"),
        ("aster", "zones"),
        ("emit", "minerals"),
        ("emit", "mnf"),
        ("stack", "mnf"),
        ("", "embedding"),
        ("", "targets"),
    ]
    assert sources[0].folder == RESULTS / "scenes/a/aster/minerals"
    assert sources[-1].folder == RESULTS / "scenes/a/targets"
    assert sources[0].study_dir == RESULTS / "studies/mine"


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"study": "mine", "scenes": []}, "name no scene"),
        (settings({}), "have no section"),
        (
            {"study": "mine", "scenes": [{"scene": "a", "ground": {}, "methods": {}}]},
            "ground of a is '{}', no str; record the settings again",
        ),
        (settings({"moon": [""]}), "method 'moon' of scene a is none of minerals"),
    ],
)
def test_settings_without_sections_are_refused(record, said):
    with pytest.raises(InputError, match=said):
        list_sources(record, RESULTS, {})


def listed(tmp_path, record, table, *files):
    for file in files:
        path = tmp_path / "scenes/a" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("full")
    found = list_files(record, tmp_path, table, tmp_path / "studies/mine/r.html")
    return {
        Path(item["path"]).relative_to(tmp_path / "scenes/a").as_posix(): item for item in found
    }


def test_files_are_those_of_the_table_that_lie_there(tmp_path):
    table = [
        row("minerals", "class.tif", note="class map", unit="code"),
        row("minerals", "zones/{zone}.tif", note="map of a zone"),
        row("minerals", "figures/classes.png", kind="figure"),
        row("minerals", "gone.tif"),
        row("cube", "cube.tif"),
        row("zones", "mad/anomalies.tif"),
    ]
    found = listed(
        tmp_path,
        settings({"minerals": ["aster"]}),
        table,
        *("aster/minerals/class.tif", "aster/minerals/zones/a-b.tif", "aster/cube/cube.tif"),
        *("aster/minerals/figures/classes.png", "aster/zones/mad/anomalies.tif"),
    )
    assert list(found) == [
        "aster/cube/cube.tif",
        "aster/minerals/class.tif",
        "aster/minerals/zones/a-b.tif",
    ]
    assert found["aster/minerals/class.tif"]["what"] == "class map, code"
    assert found["aster/minerals/zones/a-b.tif"]["what"] == "map of a zone (a-b)"
    assert found["aster/cube/cube.tif"]["what"] == "Title"
    href = "../../scenes/a/aster/minerals/class.tif"
    assert found["aster/minerals/class.tif"]["href"] == href


@pytest.mark.parametrize(
    ("when", "held", "there"),
    [("truth", ["truth"], True), ("truth trained", ["truth"], False), ("scored", [], False)],
)
def test_what_a_condition_rules_out_is_left_out_though_an_old_file_lies_there(
    tmp_path, when, held, there
):
    table = [row("zones", "mad/anomalies.tif", when=when)]
    record = settings({"zones": ["aster"]}, held={"aster/zones": held})
    found = listed(tmp_path, record, table, "aster/zones/mad/anomalies.tif")
    assert bool(found) == there


def test_several_placeholders_are_filled_in(tmp_path):
    table = [row("patches", "cut/{store}/{image}.npz", note="patches")]
    found = listed(
        tmp_path, settings({"patches": ["aster"]}), table, "aster/patches/cut/pair/colour.npz"
    )
    assert found["aster/patches/cut/pair/colour.npz"]["what"] == "patches (pair, colour)"
