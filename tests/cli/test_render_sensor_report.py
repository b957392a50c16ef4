import csv
import json
import re

import pytest
from samples import run_command, run_tool
from sensor_reports import FIGURES, MAP_FIGURES, TABLES, draw_flags, report_flags, shared_study


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return shared_study(tmp_path_factory)


@pytest.fixture(scope="module")
def figures(folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("figures")
    done = run_tool("draw_sensors", *draw_flags(folder, output))
    assert done.returncode == 0, done.stderr
    return output


@pytest.fixture(scope="module")
def report(folder, figures, tmp_path_factory):
    page = tmp_path_factory.mktemp("page") / "studies/cuprite/report.html"
    done = run_command("render_sensor_report", *report_flags(folder, figures, page))
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
    # The published tables alone are not ours.
    assert html.count("<caption>") - synthetic == html.count("<caption>As published.") == 2


def test_the_numbers_are_those_of_the_tables(folder, report):
    html = report.read_text()
    for row in table(folder / "detection.csv"):
        f1 = float(row["f1"])
        if row["threshold_kind"] == "validation":
            ends = f"[{float(row['f1_low']):.3f}, {float(row['f1_high']):.3f}]"
            assert f'{f1:.3f}<br><span class="interval">{ends}</span>' in html
        else:
            assert f'<td class="n">{f1:.3f}</td>' in html
    for row in table(folder / "coverage.csv"):
        assert f"{100 * float(row['covered']):.2f} %" in html
    for row in table(folder / "areas.csv"):
        if row["name"] != "nodata":
            assert f'<td class="n">{int(row["pixels"]):,}</td>' in html
    stack = json.loads((folder / "stack.json").read_text())
    for item in stack["sensors"]:
        assert f'<td class="n">{item["pixels"]:,}</td>' in html
        assert f'<td class="n">{item["bands"]}</td><td class="n">{item["kept_bands"]}</td>' in html
        assert item["product_id"] in html
    assert "3 bands that the product calls bad are left out" in html


def test_published_numbers_stand_beside_ours(report):
    html = report.read_text()
    for text in ("0.122", "0.253", "0.353", "0.474", "0.212", "0.228", "0.302", "0.437"):
        assert f'<td class="n">{text}</td>' in html
    for text in ("0.9999", "0.9998", "0.5671", "0.8004", "0.9997", "0.9996", "0.8816", "0.9236"):
        assert html.count(f'<td class="n">{text}</td>') == 2
    for text in ("171 + 159 + 141 + 12 + 16 = 499", "oracle", "another scene"):
        assert text in html


def test_the_same_inputs_give_the_same_page(folder, figures, report, tmp_path):
    page = tmp_path / "studies/cuprite/report.html"
    done = run_tool("render_sensor_report", *report_flags(folder, figures, page))
    assert done.returncode == 0, done.stderr
    assert page.read_bytes() == report.read_bytes()


def test_a_scene_without_a_reference_shows_its_maps(folder, tmp_path):
    figures = tmp_path / "figures"
    flags = draw_flags(folder, figures, tests=False, truth=False)
    assert run_tool("draw_sensors", *flags).returncode == 0
    flags = report_flags(folder, figures, tmp_path / "r.html", tables=tuple(TABLES))
    done = run_tool("render_sensor_report", *flags)
    assert done.returncode == 0, done.stderr
    html = (tmp_path / "r.html").read_text()
    assert html.count("data:image/png;base64,") == len(MAP_FIGURES)
    links = set(re.findall(r'href="#([^"]+)"', html))
    assert links <= set(re.findall(r'id="([^"]+)"', html))
    assert "no accuracy can be stated" in html


def test_a_scene_without_a_record_is_named(folder, figures, tmp_path):
    flags = report_flags(folder, figures, tmp_path / "r.html", scene="b")
    done = run_tool("render_sensor_report", *flags)
    assert done.returncode == 1
    assert "no record of scene 'b'" in done.stderr


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--table", "zones", "tiny", "areas.csv"), "table: zones is none of areas"),
        (("--table", "areas", "b", "areas.csv"), "table: b is no --scene"),
        (("--table", "areas", "tiny", "areas.csv"), "table: areas of tiny is given twice"),
        (("--sensor", "aviris", "tiny", "emit.json"), "sensor: aviris is none of emit"),
        (("--sensor", "emit", "b", "emit.json"), "sensor: b is no --scene"),
        (("--sensor", "emit", "tiny", "emit.json"), "sensor: emit of tiny is given twice"),
    ],
)
def test_what_has_no_place_is_refused(folder, figures, tmp_path, more, said):
    flags = report_flags(folder, figures, tmp_path / "r.html")
    *own, file = more
    done = run_tool("render_sensor_report", *flags, *own, folder / file)
    assert done.returncode == 1
    assert said in done.stderr


@pytest.mark.parametrize("name", ["detection", "subsets", "coverage", "areas"])
def test_a_table_of_another_kind_is_named(folder, figures, tmp_path, name):
    flags = report_flags(folder, figures, tmp_path / "r.html", tables=())
    done = run_tool(
        "render_sensor_report", *flags, "--table", name, "tiny", folder / "references.csv"
    )
    assert done.returncode == 1
    assert "references.csv: lacks the column" in done.stderr


def test_a_missing_figure_is_named(folder, figures, tmp_path):
    flags = report_flags(folder, tmp_path, tmp_path / "r.html")
    done = run_tool("render_sensor_report", *flags)
    assert done.returncode == 1
    assert "no such figure; draw the figures first" in done.stderr
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize("flag", ["accuracy", "config", "template", "base", "published"])
def test_a_missing_file_is_named(folder, figures, tmp_path, flag):
    flags = report_flags(folder, figures, tmp_path / "r.html")
    done = run_tool("render_sensor_report", *flags, f"--{flag}", tmp_path / "gone.x")
    assert done.returncode == 1
    assert "gone.x" in done.stderr
    assert not (tmp_path / "r.html").exists()


def test_a_trial_on_real_spectra_has_a_section_of_its_own(folder, figures, tmp_path):
    columns = ("method", "sensors", "spectra", "mineral", "threshold_kind", "n", "n_mineral")
    lines = [",".join((*columns, "f1", "f1_low", "f1_high"))]
    for method, f1 in (("network", 0.81), ("sam", 0.62)):
        for spectra in ("all", "new"):
            for mineral in ("alunite", "macro"):
                for kind in ("validation", "oracle"):
                    head = (method, "all", spectra, mineral, kind, "448", "21")
                    lines.append(",".join((*head, str(f1), "0.5", "0.9")))
    (tmp_path / "scores.csv").write_text("\n".join(lines) + "\n")
    record = {
        "training": "one.npz",
        "test": "other.npz",
        "n_training": 439,
        "n_test": 448,
        "n_test_shared": 30,
        "shared_specimens": ["GDS82", "WS222"],
        "split": "specimen",
    }
    (tmp_path / "record.json").write_text(json.dumps(record))
    page = tmp_path / "report.html"
    trial = ("--trial", tmp_path / "scores.csv", tmp_path / "record.json")
    done = run_command("render_sensor_report", *report_flags(folder, figures, page), *trial)
    assert done.returncode == 0, done.stderr
    html = page.read_text()
    section = html[html.index('id="trial"') : html.index('id="bands"')]
    for said in ("439 spectra of one.npz", "448 spectra of other.npz", "2 specimens occur in both"):
        assert said in section
    assert section.count("0.810") == 6
    assert "Alunite</th>" in section and "21 of 448" in section
