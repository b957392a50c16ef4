import csv
import json
import re

import pytest
from prospect_reports import (
    FIGURES,
    MAPS,
    VALIDATION,
    draw_flags,
    plain_flags,
    report_flags,
    shared_study,
)
from samples import run_command, run_tool


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return shared_study(tmp_path_factory)


@pytest.fixture(scope="module")
def figures(folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("figures")
    done = run_tool("draw_prospects", *draw_flags(folder, output))
    assert done.returncode == 0, done.stderr
    return output


@pytest.fixture(scope="module")
def report(folder, figures, tmp_path_factory):
    page = tmp_path_factory.mktemp("page") / "studies/bahia/report.html"
    done = run_command("render_prospect_report", *report_flags(folder, figures, page))
    assert done.returncode == 0, done.stderr
    return page


def table(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_page_is_whole_and_loads_nothing(report):
    html = report.read_text()
    assert html.count("data:image/png;base64,") == len(FIGURES)
    for word in ("http://", "https://", "//cdn", "@import", "url(", "<script", "built-in"):
        assert word not in html
    links = set(re.findall(r'href="#([^"]+)"', html))
    ids = re.findall(r'id="([^"]+)"', html)
    assert links <= set(ids)
    assert len(ids) == len(set(ids))
    assert html.count('<figcaption><span class="label">SYNTHETIC</span>') == len(FIGURES)
    synthetic = html.count('<caption><span class="label">SYNTHETIC</span>')
    # The published table alone is not ours.
    assert html.count("<caption>") - synthetic == html.count("<caption>As published.") == 1


def test_the_numbers_are_those_of_the_records(folder, report):
    html = report.read_text()
    for protocol in ("random", "blocked"):
        for plan in ("pixel", "windows", "chosen"):
            record = json.loads((folder / "accuracy" / f"{plan}-{protocol}.json").read_text())
            for name in ("overall_accuracy", "kappa", "macro_f1"):
                value = record["scores"][name]
                # Where a class lies in few blocks, macro-F1 has no interval.
                ends = "</td>"
                if value["low"] is not None:
                    bounds = f"[{value['low']:.3f}, {value['high']:.3f}]"
                    ends = f'<br><span class="interval">{bounds}</span>'
                assert value["low"] is not None or name == "macro_f1"
                assert f'<td class="n">{value["value"]:.3f}{ends}' in html
            if plan != "windows":
                for item in record["scores_study_classes"]["classes"]:
                    assert f'<td class="n">{item["f1"]["value"]:.3f}' in html
    for row in table(folder / "strata.csv"):
        assert f"{row['drawn']} ({row['train']} + {row['test']})" in html
    for row in table(folder / "overlay.csv"):
        assert f'<td class="n">{int(row["found"])} of {int(row["n"])}</td>' in html
    labels = json.loads((folder / "labels.json").read_text())
    for row in labels["held_out_strata"]:
        assert f'Held out: {row["stratum"]}</th><td class="n">{row["n"]}</td>' in html
    targets = json.loads((folder / "targets.json").read_text())
    for item in targets["curves"]:
        assert f'<td class="n">{item["area_under_curve"]["value"]:.3f}' in html


def test_published_numbers_stand_beside_ours(report):
    html = report.read_text()
    for text in ("Paper, random split", "0.698", "0.623", "0.697", "0.686", "0.750", "0.714"):
        assert text in html
    for text in ("0.638", "175", "53.07 %", "3,491", "0.10", "0.12", "0.15", "640 points"):
        assert text in html
    assert "0.591" not in html


def test_label_sets_are_told_apart(report):
    html = report.read_text()
    assert "of the 4 classes of the labelled points: Iron ore, Soil" in html
    assert "none of these scores is of that map" in html
    assert "It learned the labels of the spectral angles" in html


def test_the_same_inputs_give_the_same_page(folder, figures, report, tmp_path):
    page = tmp_path / "studies/bahia/report.html"
    assert run_tool("render_prospect_report", *report_flags(folder, figures, page)).returncode == 0
    assert page.read_bytes() == report.read_bytes()


def test_a_scene_of_points_shows_its_tests_and_maps_alone(folder, tmp_path):
    figures = tmp_path / "figures"
    assert run_tool("draw_prospects", *plain_flags(folder, figures)).returncode == 0
    flags = report_flags(
        folder, figures, tmp_path / "r.html", record="plain.json", tables=("forest",)
    )
    done = run_tool("render_prospect_report", *flags)
    assert done.returncode == 0, done.stderr
    html = (tmp_path / "r.html").read_text()
    assert html.count("data:image/png;base64,") == len({*VALIDATION, *MAPS})
    links = set(re.findall(r'href="#([^"]+)"', html))
    assert links <= set(re.findall(r'id="([^"]+)"', html))
    for part in ("samples", "labels", "potential", "noise"):
        assert f'id="{part}"' not in html
    assert "not part of this run" in html
    assert '<th scope="row">Layers</th><td>B02; B03; B04</td>' in html
    # What is beside the paper still stands there.
    assert "Paper, random split" in html


def test_a_scene_without_a_record_is_named(folder, figures, tmp_path):
    flags = report_flags(folder, figures, tmp_path / "r.html", scene="b")
    done = run_tool("render_prospect_report", *flags)
    assert done.returncode == 1
    assert "no record of scene 'b'" in done.stderr


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("areas", "tiny", "strata.csv"), "table: areas is none of strata"),
        (("strata", "b", "strata.csv"), "table: b is no --scene"),
        (("strata", "tiny", "strata.csv"), "table: strata of tiny is given twice"),
    ],
)
def test_a_table_that_has_no_place_is_refused(folder, figures, tmp_path, more, said):
    flags = report_flags(folder, figures, tmp_path / "r.html")
    name, scene, file = more
    done = run_tool("render_prospect_report", *flags, "--table", name, scene, folder / file)
    assert done.returncode == 1
    assert said in done.stderr


@pytest.mark.parametrize("given", ["labels", "robustness", "targets", "overlay"])
def test_half_of_a_section_is_refused(folder, figures, tmp_path, given):
    flags = report_flags(folder, figures, tmp_path / "r.html", tables=(given,))
    done = run_tool("render_prospect_report", *flags)
    assert done.returncode == 1
    assert f"table: {given} of tiny goes with" in done.stderr


def test_a_test_without_a_record_is_named(folder, figures, tmp_path):
    accuracy = json.loads((folder / "accuracy.json").read_text())
    kept = [item for item in accuracy["records"] if "pixel, blocked" not in item["method"]]
    (tmp_path / "accuracy.json").write_text(json.dumps(accuracy | {"records": kept}))
    flags = report_flags(folder, figures, tmp_path / "r.html")
    flags[flags.index("--accuracy") + 1] = tmp_path / "accuracy.json"
    done = run_tool("render_prospect_report", *flags)
    assert done.returncode == 1
    assert "no record of 'Random forest, pixel, blocked split'" in done.stderr


def test_an_empty_table_of_scores_is_named(folder, figures, tmp_path):
    empty = tmp_path / "none.csv"
    empty.write_text((folder / "scores.csv").read_text().splitlines()[0] + "\n")
    flags = report_flags(folder, figures, tmp_path / "r.html")
    flags[flags.index(folder / "scores.csv")] = empty
    done = run_tool("render_prospect_report", *flags)
    assert done.returncode == 1
    assert "table of scores has no rows" in done.stderr


@pytest.mark.parametrize("flag", ["accuracy", "config", "template", "base", "published"])
def test_a_missing_file_is_named(folder, figures, tmp_path, flag):
    flags = report_flags(folder, figures, tmp_path / "r.html")
    done = run_tool("render_prospect_report", *flags, f"--{flag}", tmp_path / "gone.x")
    assert done.returncode == 1
    assert "gone.x" in done.stderr
    assert not (tmp_path / "r.html").exists()
