"""The report of each method's section, from files as the tools leave them."""

import csv
import json
import re
import shutil

import prospect_reports
import pytest
import sensor_reports
import zone_reports
from pages import read_report
from places import change_settings, index_flags, report_flags, write_settings
from samples import run_command, run_tool

ALTERATION = {
    "phyllic": {"medium": [0.6, 0.7], "high": [0.7, 1.0], "minerals": ["muscovite"]},
    "propylitic": {"medium": [0.3, 0.5], "high": [0.5, 0.65], "minerals": ["chlorite"]},
}
ZONES = {"wavelet": {"name": "sym4", "level": 1}, "alteration": ALTERATION}


def table(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def render(results, name="report.html"):
    page = results / "studies/mine" / name
    done = run_tool("render_report", *report_flags(results, page))
    assert done.returncode == 0, done.stderr
    return read_report(page)


def refuse(results, said):
    page = results / "refused.html"
    done = run_tool("render_report", *report_flags(results, page))
    assert done.returncode == 1
    assert said in done.stderr
    assert not page.exists()


def require_whole(html, figures):
    """Whole, with links that lead somewhere, and nothing loaded from outside."""
    assert html.count("data:image/png;base64,") == figures
    for word in ("http://", "https://", "//cdn", "@import", "url(", "<script", "built-in"):
        assert word not in html
    ids = re.findall(r'id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', html)) <= set(ids)
    assert html.count('<figcaption><span class="label">SYNTHETIC</span>') == figures


@pytest.fixture(scope="module")
def zones(tmp_path_factory):
    """Results of a study of alteration zones with a truth."""
    folder = zone_reports.make_study(tmp_path_factory.mktemp("zones") / "flat")
    results = tmp_path_factory.mktemp("results")
    scene = zone_reports.lay_out_study(folder, results)
    flags = zone_reports.draw_flags(scene, scene / "zones/figures", folder / "zones.gpkg")
    assert run_tool("draw_zones", *flags).returncode == 0
    settings = {"paper": "zafarghand", "zones": ZONES}
    held = ("truth", "twin", "trained", "scored", "published")
    study = write_settings(results, {"zones": ["aster"]}, settings, held=held)
    shutil.copy(folder / "accuracy.json", study)
    return results


def test_the_page_of_zones_is_whole_and_has_the_numbers_of_the_records(zones):
    page = zones / "studies/mine/report.html"
    done = run_command("render_report", *report_flags(zones, page))
    assert done.returncode == 0, done.stderr
    html = read_report(page)
    require_whole(html, len(zone_reports.FIGURES))
    folder = zones / "scenes/tiny/aster/zones"
    for row in table(folder / "confidence/confidence.csv"):
        cells = f'<td class="n">{int(row["found"]):,}</td><td class="n">{int(row["right"]):,}</td>'
        if row["precision"]:
            cells += f'<td class="n">{float(row["precision"]):.3f} '
        assert cells in html
    for zone in json.loads((folder / "score/score.json").read_text())["zones"]:
        for method in zone["methods"]:
            if method["method"] in ("score", "SAM"):
                value = method["f1"]
                shown = f"[{value['low']:.3f}, {value['high']:.3f}]"
                assert f'{value["value"]:.3f} <span class="interval">{shown}</span>' in html
    for row in table(folder / "mad/anomalies.csv"):
        assert f'<td class="n">{int(row["anomalies"]):,}</td>' in html
    for row in table(folder / "published/scores.csv"):
        if row["level"] == "anomaly":
            found, right, inside = (int(row[key]) for key in ("found", "right", "n_reference"))
            cells = (right, found - right, inside - right)
            assert "".join(f'<td class="n">{cell:,}</td>' for cell in cells) in html
    assert "chosen in hindsight." in html.partition('id="tiny-aster-zones.published"')[2]
    assert "HL was not tested: no file of faults is given" in html
    assert render(zones) == html


def test_the_index_tells_a_study_of_many_maps_by_the_best_of_each_zone(zones):
    study = zones / "studies/mine"
    done = run_tool("render_index", *index_flags(zones))
    assert done.returncode == 0, done.stderr
    html = (zones / "index.html").read_text()
    number = len(json.loads((study / "accuracy.json").read_text())["records"])
    assert html.count('<tr><th scope="row">') == 2
    assert f"The best of {number} tested maps" in html


def test_without_a_truth_no_zone_is_called_right(tmp_path):
    options = {"reference": False, "synthetic": False}
    folder = zone_reports.make_study(tmp_path / "flat", **options)
    scene = zone_reports.lay_out_study(folder, tmp_path, reference=False)
    flags = zone_reports.draw_flags(scene, scene / "zones/figures")
    assert run_tool("draw_zones", *flags).returncode == 0
    study = write_settings(
        tmp_path, {"zones": ["aster"]}, {"zones": ZONES}, held=["trained"], synthetic=False
    )
    shutil.copy(folder / "accuracy.json", study)
    html = render(tmp_path)
    assert "No accuracy can be stated for tiny." in html
    assert "has no score" in html
    assert "SYNTHETIC" not in html
    assert "Overall accuracy" not in html.partition('id="tests"')[0]
    assert "paper" not in html.partition("<main>")[2].partition("Settings (YAML)")[0].lower()


def test_an_empty_table_is_named(zones, tmp_path):
    results = shutil.copytree(zones, tmp_path / "results")
    path = results / "scenes/tiny/aster/zones/mad/anomalies.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    refuse(results, "anomalies.csv: has no rows")


PROSPECTS = {
    "prospects": {
        "potential": {"medium": 0.34, "high": 0.67},
        "published": {"forest": {"estimators": 8}},
    },
    "paper": "bahia",
}
METHODS = {"mnf": ["sentinel2"], "prospects": ["sentinel2"], "targets": [""]}
SITES = ("claims", "districts", "known_mines")


@pytest.fixture(scope="module")
def prospects(tmp_path_factory):
    """Results of a study of prospects with noise fractions and targets."""
    folder = prospect_reports.shared_study(tmp_path_factory)
    results = tmp_path_factory.mktemp("results")
    scene = prospect_reports.lay_out_study(folder, results)
    flags = prospect_reports.draw_flags(folder, scene, scene / "sentinel2/prospects/figures")
    assert run_tool("draw_prospects", *flags).returncode == 0
    prospect_reports.draw_others(folder, scene)
    held = ("truth", "trained", "sampled", "iron", "cover", "published", *SITES)
    study = write_settings(results, METHODS, PROSPECTS, held=held)
    shutil.copy(folder / "accuracy.json", study)
    return results


@pytest.fixture(scope="module")
def prospect_page(prospects):
    return render(prospects)


def test_the_page_of_prospects_is_whole(prospects, prospect_page):
    figures = len(prospect_reports.FIGURES) + len(prospect_reports.OTHERS)
    require_whole(prospect_page, figures)
    synthetic = prospect_page.count('<caption><span class="label">SYNTHETIC</span>')
    # The published table alone is not ours.
    published = prospect_page.count("<caption>As published.")
    assert prospect_page.count("<caption>") - synthetic == published == 1
    assert render(prospects) == prospect_page


def test_the_numbers_of_prospects_are_those_of_the_records(prospects, prospect_page):
    html = prospect_page
    folder = prospects / "scenes/tiny/sentinel2/prospects"
    for protocol in ("random", "blocked"):
        for plan in ("pixel", "windows", "chosen"):
            path = folder / "accuracy/forest" / f"{plan}-{protocol}.json"
            record = json.loads(path.read_text())
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
    for row in table(folder / "samples/strata.csv"):
        assert f"{row['drawn']} ({row['train']} + {row['test']})" in html
    for row in json.loads((folder / "labels/labels.json").read_text())["held_out_strata"]:
        assert f'Held out: {row["stratum"]}</th><td class="n">{row["n"]}</td>' in html
    targets = prospects / "scenes/tiny/targets"
    for row in table(targets / "overlay.csv"):
        assert f'<td class="n">{int(row["found"])} of {int(row["n"])}</td>' in html
    for item in json.loads((targets / "targets.json").read_text())["curves"]:
        assert f'<td class="n">{item["area_under_curve"]["value"]:.3f}' in html


def test_published_numbers_stand_beside_those_of_prospects(prospect_page):
    for text in ("Paper, random split", "0.698", "0.623", "0.697", "0.686", "0.750", "0.714"):
        assert text in prospect_page
    for text in ("0.638", "175", "53.07 %", "3,491", "0.10", "0.12", "0.15", "640 points"):
        assert text in prospect_page
    assert "0.591" not in prospect_page


def test_as_published_stands_beside_ours_on_the_same_points_and_sites(prospects, prospect_page):
    own = prospects / "scenes/tiny/sentinel2/prospects/published"
    text = prospect_page[prospect_page.index("prospects.beside-ours") :]
    assert "Called as published, but not as the paper has it: " in prospect_page
    assert "forest.estimators is 8, the paper has 50" in prospect_page
    for row in table(own / "scores.csv"):
        for name in ("strata", "pixels"):
            if row[name]:
                assert f'<td class="n">{float(row[name]):.3f}' in text, row
        if row["difference"]:
            assert f'<td class="n">{float(row["difference"]):+.3f}' in text, row
    # The paper's share of claims has its place beside both maps'.
    assert '<td class="n">0.531</td>' in text
    assert re.search(r"is [\d.]+ against [\d.]+ \(as published against ours\)", text)
    for row in table(own / "cells.csv"):
        assert f"{100 * float(row['similarity']):.1f}%" in prospect_page


def test_label_sets_are_told_apart(prospect_page):
    assert "of the 4 classes of the labelled points: Iron ore, Soil" in prospect_page
    assert "none of these scores is of that map" in prospect_page
    assert "It learned the labels of the spectral angles" in prospect_page


def test_a_scene_of_points_shows_its_tests_and_maps_alone(tmp_path, tmp_path_factory):
    folder = prospect_reports.shared_study(tmp_path_factory)
    scene = prospect_reports.lay_out_study(folder, tmp_path, sampled=False)
    flags = prospect_reports.plain_flags(folder, scene, scene / "rasters/prospects/figures")
    assert run_tool("draw_prospects", *flags).returncode == 0
    settings = {"prospects": {"points": {"train": "points.csv"}}, "paper": "bahia"}
    study = write_settings(
        tmp_path,
        {"prospects": ["rasters"]},
        settings,
        held=["trained", "points", "cover"],
        synthetic=False,
    )
    shutil.copy(folder / "accuracy.json", study)
    html = render(tmp_path)
    figures = {*prospect_reports.VALIDATION, *prospect_reports.MAPS}
    assert html.count("data:image/png;base64,") == len(figures)
    for part in ("samples", "labels", "potential"):
        assert f'.{part}"' not in html
    assert "Not part of this run." in html
    assert '<th scope="row">Layers</th><td>B02; B03; B04</td>' in html
    # What is beside the paper still stands there.
    assert "Paper, random split" in html


def test_a_study_of_prospects_without_a_paper_has_none_of_its_words(prospects, tmp_path):
    results = shutil.copytree(prospects, tmp_path / "results")
    write_settings(results, METHODS, {**PROSPECTS, "paper": ""})
    html = render(results)
    for text in ("Beside the paper", "53.07 %", "Paper's threshold", "0.623"):
        assert text not in html


def test_a_map_by_a_forest_of_another_scene_says_so(prospects, tmp_path):
    results = shutil.copytree(prospects, tmp_path / "results")
    folder = results / "scenes/tiny/sentinel2/prospects"
    record = json.loads((folder / "forest/iron.json").read_text())
    for item in record["classes"]:
        del item["points"]
    record["trained_on"] = {"scene": "elsewhere"}
    (folder / "iron/map.json").write_text(json.dumps(record))
    for name in ("forest", "samples", "labels", "accuracy", "figures"):
        shutil.rmtree(folder / name)
    flags = prospect_reports.untested_flags(results / "scenes/tiny", folder / "figures")
    assert run_tool("draw_prospects", *flags).returncode == 0
    methods = {"prospects": ["sentinel2"]}
    write_settings(results, methods, {"prospects": {}}, held=["iron"])
    html = render(results)
    assert html.count("data:image/png;base64,") == 5
    assert "by a forest that learned from scene elsewhere. No accuracy can be stated" in html
    assert "Forests, tested" not in html


ENDS = ("", "_low", "_high")


def test_targets_on_what_methods_agree_on_name_the_maps(prospects, tmp_path):
    results = shutil.copytree(prospects, tmp_path / "results")
    folder = results / "scenes/tiny/targets"
    item = {"title": "Minerals, EMIT", "favourable": ["alunite"], "answered_pixels": 2000}
    record = {"maps": [item | {"favourable_pixels": 500}], "rule": "By rank.", "notes": ["So."]}
    (folder / "agreement.json").write_text(json.dumps(record))
    columns = ("map", "scale", "n", "favourable", "f1", "best_alone")
    columns += tuple(f"{name}{end}" for name in ("average_precision", "gain") for end in ENDS)
    rows = [
        ("combined", "learned", 900, 90, 0.8, "", 0.7, 0.6, 0.8, "", "", ""),
        ("minerals emit", "own", 900, 90, 0.5, "yes", 0.4, 0.3, 0.5, 0.3, 0.1, 0.4),
    ]
    lines = [",".join(map(str, row)) for row in (columns, *rows)]
    (folder / "combined.csv").write_text("\n".join(lines) + "\n")
    write_settings(results, {"targets": [""]}, {"targets": {}}, held=["truth"])
    html = render(results)
    assert "on the same 900 pixels, of which 90 are favourable" in html
    assert "Minerals emit (the best alone)" in html
    assert '0.300 <span class="interval">[0.100, 0.400]</span>' in html
    assert '<th scope="row">Minerals, EMIT</th><td>alunite</td><td class="n">2,000</td>' in html
    assert "By rank. So. It is low, medium or high by two limits" in html
    assert "25.0%" in html


STACKED = {
    "sensors": dict.fromkeys(sensor_reports.SENSORS, "data"),
    "stack": list(sensor_reports.SENSORS),
}
EMBEDDING = {"embedding": {"model": ""}, "paper": "cuprite"}


@pytest.fixture(scope="module")
def embedding(tmp_path_factory):
    """Results of a study of an embedding with a truth."""
    folder = sensor_reports.shared_study(tmp_path_factory)
    results = tmp_path_factory.mktemp("results")
    scene = sensor_reports.lay_out_study(folder, results)
    flags = sensor_reports.draw_flags(folder, scene, scene / "embedding/figures")
    assert run_tool("draw_embedding", *flags).returncode == 0
    study = write_settings(results, {"embedding": [""]}, EMBEDDING)
    change_settings(study, **STACKED)
    shutil.copy(folder / "accuracy.json", study)
    return results


@pytest.fixture(scope="module")
def embedding_page(embedding):
    return render(embedding)


def test_the_page_of_an_embedding_is_whole(embedding, embedding_page):
    require_whole(embedding_page, len(sensor_reports.FIGURES))
    synthetic = embedding_page.count('<caption><span class="label">SYNTHETIC</span>')
    # The published tables alone are not ours.
    published = embedding_page.count("<caption>As published.")
    assert embedding_page.count("<caption>") - synthetic == published == 2
    assert render(embedding) == embedding_page


def test_the_numbers_of_an_embedding_are_those_of_the_tables(embedding, embedding_page):
    html, folder = embedding_page, embedding / "scenes/tiny/embedding"
    for row in table(folder / "assessment/detection.csv"):
        f1 = float(row["f1"])
        if row["threshold_kind"] == "validation":
            ends = f"[{float(row['f1_low']):.3f}, {float(row['f1_high']):.3f}]"
            assert f'{f1:.3f}<br><span class="interval">{ends}</span>' in html
        else:
            assert f'<td class="n">{f1:.3f}</td>' in html
    for row in table(folder / "assessment/coverage.csv"):
        assert f"{100 * float(row['covered']):.2f} %" in html
    for row in table(folder / "map/areas.csv"):
        if row["name"] != "nodata":
            assert f'<td class="n">{int(row["pixels"]):,}</td>' in html
    stack = json.loads((embedding / "scenes/tiny/stack/cube/cube.json").read_text())
    for item in stack["sensors"]:
        assert f'<td class="n">{item["pixels"]:,}</td>' in html
        assert f'<td class="n">{item["bands"]}</td><td class="n">{item["kept_bands"]}</td>' in html
        assert item["product_id"] in html
    assert "3 bands that the product calls bad are left out" in html


def test_published_numbers_stand_beside_those_of_an_embedding(embedding_page):
    for text in ("0.122", "0.253", "0.353", "0.474", "0.212", "0.228", "0.302", "0.437"):
        assert f'<td class="n">{text}</td>' in embedding_page
    for text in ("0.9999", "0.9998", "0.5671", "0.8004", "0.9997", "0.9996", "0.8816", "0.9236"):
        # Alunite has 0.9996 without either of two sensors.
        rows = 2 if text == "0.9996" else 1
        assert embedding_page.count(f'<td class="n">{text}</td>') == 2 * rows
    for text in ("171 + 159 + 141 + 12 + 16 = 499", "oracle", "another scene"):
        assert text in embedding_page


def test_an_embedding_without_a_truth_shows_its_maps(embedding, tmp_path):
    results = shutil.copytree(embedding, tmp_path / "results")
    change_settings(results / "studies/mine", held={"/embedding": ["trained"]})
    html = render(results)
    # Filling in without a test has a table, and no figure.
    assert html.count("data:image/png;base64,") == len(sensor_reports.MAP_FIGURES)
    assert "gain" not in re.findall(r'id="tiny-embedding-([a-z]+)"', html)


def test_a_scene_of_one_sensor_has_one_network_and_nothing_filled_in(embedding, tmp_path):
    results = shutil.copytree(embedding, tmp_path / "results")
    for name in ("networks/unmasked", "filler"):
        shutil.rmtree(results / "scenes/tiny/embedding" / name)
    change_settings(results / "studies/mine", stack=["emit"], sensors={"emit": "data"})
    html = render(results)
    assert "Network, masking: how it was trained" in html
    assert "Network, no masking: how it was trained" not in html
    assert "embedding.filling" not in html


@pytest.mark.parametrize("name", ["detection", "subsets", "coverage"])
def test_a_table_of_another_kind_is_named(embedding, tmp_path, name):
    results = shutil.copytree(embedding, tmp_path / "results")
    folder = results / "scenes/tiny/embedding"
    shutil.copy(folder / "library/references.csv", folder / f"assessment/{name}.csv")
    refuse(results, f"{name}.csv: lacks the column")


def test_a_trial_on_real_spectra_has_a_part_of_its_own(embedding, tmp_path):
    results = shutil.copytree(embedding, tmp_path / "results")
    folder = results / "studies/mine/embedding/spectra"
    folder.mkdir(parents=True)
    columns = ("method", "sensors", "spectra", "mineral", "threshold_kind", "n", "n_mineral")
    lines = [",".join((*columns, "f1", "f1_low", "f1_high"))]
    for method, f1 in (("network", 0.81), ("sam", 0.62)):
        for spectra in ("all", "new"):
            for mineral in ("alunite", "macro"):
                for kind in ("validation", "oracle"):
                    head = (method, "all", spectra, mineral, kind, "448", "21")
                    lines.append(",".join((*head, str(f1), "0.5", "0.9")))
    (folder / "scores.csv").write_text("\n".join(lines) + "\n")
    record = {
        "training": "one.npz",
        "test": "other.npz",
        "n_training": 439,
        "n_test": 448,
        "n_test_shared": 30,
        "shared_specimens": ["GDS82", "WS222"],
        "split": "specimen",
    }
    (folder / "record.json").write_text(json.dumps(record))
    settings = {"embedding": {"spectra": {"training": "one.npz"}}}
    study = write_settings(results, {"embedding": [""]}, settings)
    change_settings(study, **STACKED)
    html = render(results)
    part = html[html.index('id="tiny-embedding.trial"') : html.index('id="tiny-embedding.bands"')]
    for said in ("439 spectra of one.npz", "448 spectra of other.npz", "2 specimens occur in both"):
        assert said in part
    assert part.count("0.810") == 6
    assert "Alunite</th>" in part
    assert "21 of 448" in part


def test_methods_of_several_kinds_share_a_page(zones, embedding, tmp_path):
    results = shutil.copytree(embedding, tmp_path / "results")
    shutil.copytree(zones / "scenes/tiny/aster", results / "scenes/tiny/aster")
    methods = {"zones": ["aster"], "embedding": [""]}
    settings = {"zones": ZONES, "embedding": {"model": ""}}
    study = write_settings(results, methods, settings)
    sensors = dict.fromkeys(("aster", *sensor_reports.SENSORS), "data")
    change_settings(study, **STACKED | {"sensors": sensors})
    html = render(results)
    require_whole(html, len(zone_reports.OWN_FIGURES) + len(sensor_reports.FIGURES))
    assert html.index('id="tiny-aster-zones"') < html.index('id="tiny-embedding"')
    assert "Alteration zones" in html
