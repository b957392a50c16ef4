import csv
import json
import re

import pytest
from samples import run_command, run_tool
from zone_reports import FIGURES, draw_flags, make_study, report_flags


def prepare(folder, **options):
    make_study(folder, **options)
    reference = options.get("reference", True)
    done = run_tool("draw_zones", *draw_flags(folder, folder / "figures", reference=reference))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("twin") / "scene")


@pytest.fixture(scope="module")
def report(folder, tmp_path_factory):
    page = tmp_path_factory.mktemp("page") / "studies/zafarghand/report.html"
    done = run_command("render_zone_report", *report_flags(folder, page))
    assert done.returncode == 0, done.stderr
    return page


def test_the_page_is_whole_and_loads_nothing(report):
    html = report.read_text()
    assert html.count("data:image/png;base64,") == len(FIGURES)
    for word in ("http://", "https://", "//cdn", "@import", "url(", "<script"):
        assert word not in html
    links = set(re.findall(r'href="#([^"]+)"', html))
    ids = re.findall(r'id="([^"]+)"', html)
    assert links <= set(ids)
    assert len(ids) == len(set(ids))
    assert html.count('<figcaption><span class="label">SYNTHETIC</span>') == len(FIGURES)


def test_the_numbers_are_those_of_the_records(folder, report):
    html = report.read_text()
    with (folder / "confidence.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        cells = f'<td class="n">{int(row["found"]):,}</td><td class="n">{int(row["right"]):,}</td>'
        if row["precision"]:
            cells += f'<td class="n">{float(row["precision"]):.3f} '
        assert cells in html
    record = json.loads((folder / "score/score.json").read_text())
    for zone in record["zones"]:
        for method in zone["methods"]:
            if method["method"] in ("score", "SAM"):
                value = method["f1"]
                shown = f"[{value['low']:.3f}, {value['high']:.3f}]"
                assert f'{value["value"]:.3f} <span class="interval">{shown}</span>' in html
    with (folder / "anomalies.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            assert f'<td class="n">{int(row["anomalies"]):,}</td>' in html


def test_the_same_inputs_give_the_same_page(folder, report, tmp_path):
    page = tmp_path / "studies/zafarghand/report.html"
    assert run_tool("render_zone_report", *report_flags(folder, page)).returncode == 0
    assert page.read_bytes() == report.read_bytes()


def test_the_index_tells_a_study_of_many_maps_by_the_best_of_each_zone(folder, report, tmp_path):
    done = run_tool(
        "render_index",
        *("--study", "zafarghand", report, folder / "accuracy.json"),
        *("--output", tmp_path / "index.html"),
    )
    assert done.returncode == 0, done.stderr
    html = (tmp_path / "index.html").read_text()
    number = len(json.loads((folder / "accuracy.json").read_text())["records"])
    assert html.count('<tr><th scope="row">') == 2
    assert f"The best of {number} tested maps" in html


def test_without_a_reference_nothing_is_called_right(tmp_path):
    folder = prepare(tmp_path / "bare", reference=False, synthetic=False)
    done = run_tool("render_zone_report", *report_flags(folder, tmp_path / "r.html", score=False))
    assert done.returncode == 0, done.stderr
    html = (tmp_path / "r.html").read_text()
    assert "No accuracy can be stated for tiny." in html
    assert "has no score" in html
    assert "SYNTHETIC" not in html
    assert "Overall accuracy" not in html


def test_a_scene_without_a_record_is_named(folder, tmp_path):
    done = run_tool("render_zone_report", *report_flags(folder, tmp_path / "r.html", scene="b"))
    assert done.returncode == 1
    assert "no record of scene 'b'" in done.stderr


def test_a_score_of_an_unnamed_scene_is_refused(folder, tmp_path):
    flags = report_flags(folder, tmp_path / "r.html")
    done = run_tool("render_zone_report", *flags, "--score", "b", folder / "score/score.json")
    assert done.returncode == 1
    assert "score: b is no --scene" in done.stderr


@pytest.mark.parametrize("flag", ["accuracy", "config", "template", "base", "published"])
def test_a_missing_file_is_named(folder, tmp_path, flag):
    flags = report_flags(folder, tmp_path / "r.html")
    done = run_tool("render_zone_report", *flags, f"--{flag}", tmp_path / "gone.x")
    assert done.returncode == 1
    assert "gone.x" in done.stderr
    assert not (tmp_path / "r.html").exists()


def test_an_empty_table_is_named(folder, tmp_path):
    empty = tmp_path / "none.csv"
    empty.write_text((folder / "anomalies.csv").read_text().splitlines()[0] + "\n")
    flags = report_flags(folder, tmp_path / "r.html")
    flags[flags.index(folder / "anomalies.csv")] = empty
    done = run_tool("render_zone_report", *flags)
    assert done.returncode == 1
    assert "none.csv: has no rows" in done.stderr
