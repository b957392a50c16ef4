"""Figures and report of minerals that are mapped by group."""

import json
import re
from html import unescape

import numpy as np
import pytest
from group_reports import GROUPS, SETTINGS, draw_groups, make_groups
from mixed_ground import mixed_ground, pure
from pages import read_report
from PIL import Image
from places import report_flags, write_settings
from samples import FIGURES, run_tool


def make_page(folder, results, **options):
    sensor = make_groups(folder, results, **options)
    draw_groups(sensor, results)
    write_settings(results, {"minerals": ["landsat"]}, {"minerals": SETTINGS})
    return sensor, render(results)


def render(results):
    done = run_tool("render_report", *report_flags(results, results / "report.html"))
    assert done.returncode == 0, done.stderr
    return read_report(results / "report.html")


def words(html):
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def lead(html):
    return words(" ".join(re.findall(r'<p class="lead">(.*?)</p>', html, re.DOTALL)))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Folder of the results, folder of the sensor, and the page."""
    folder = tmp_path_factory.mktemp("groups")
    return folder / "results", *make_page(folder / "flat", folder / "results")


def test_each_group_has_a_figure_of_both_maps(study):
    _, sensor, _ = study
    figures = sensor / "minerals/figures"
    assert {path.stem for path in figures.iterdir()} == {*FIGURES, *GROUPS}
    for group in GROUPS:
        with Image.open(figures / f"{group}.png") as image:
            assert image.width > 1000


def test_each_group_has_its_part_with_bands_minerals_and_scores(study):
    _, sensor, html = study
    for title, minerals in {
        "1 µm": "goethite (1) and hematite (1)",
        "2 µm": "kaolinite (1), alunite (1) and calcite (1)",
    }.items():
        assert f"Minerals at {title}" in html and minerals in words(html)
    assert "7 (B8, B9, B10, B11, B12, B13, B14)" in words(html)
    text = words(html)
    for name in ("class", "taught"):
        record = json.loads((sensor / f"minerals/accuracy/2um-{name}.json").read_text())
        assert f"{record['scores']['kappa']['value']:.3f}" in text
    assert "Not assessed. The truth shows no mineral of the group 1um" in text
    taught = json.loads((sensor / "minerals/2um/taught.json").read_text())
    assert f"they call {taught['agreement']:.1%} the same" in text
    for row in taught["taught"]:
        assert f"{row['pixels']:,} {row['prior']:.3f}" in text
    assert taught["notes"] and all(note in text for note in taught["notes"])
    assert "Gaussian maximum likelihood" in text
    assert "a right angle" in text
    parsed = set(re.findall(r'id="([^"]*)"', html))
    assert {link[1:] for link in re.findall(r'href="(#[^"]*)"', html)} <= parsed


def test_the_lead_tells_the_scores_of_the_groups(study):
    text = lead(study[2])
    assert "Spectral angles about the scene's mean looked for 5 minerals" in text
    assert re.search(
        r"At 2 µm, held against the .* \(n = [\d,]+ SYNTHETIC pixels of tiny\), the first map", text
    )
    assert "the second, self-taught map has a kappa of" in text
    assert "At 1 µm" not in text
    assert "general colour" not in text and "says nothing" not in text


def test_the_same_maps_give_the_same_page(study):
    assert render(study[0]) == study[2]


def test_a_missing_record_of_a_group_is_named(study):
    results, sensor, _ = study
    path = sensor / "minerals/2um/taught.json"
    kept = path.read_text()
    path.unlink()
    done = run_tool("render_report", *report_flags(results, results / "other.html"))
    path.write_text(kept)
    assert done.returncode == 1 and "2um/taught.json" in done.stderr


def test_a_scene_that_teaches_nothing_says_so_in_the_lead(tmp_path):
    generator = np.random.default_rng(1)
    cube = pure("kaolinite")[:, None, None] * generator.uniform(0.8, 1.2, (48, 60))
    _, html = make_page(tmp_path / "flat", tmp_path / "results", cube=cube)
    text = lead(html)
    for title in ("1 µm", "2 µm"):
        assert f"The first map at {title}: the scene is one cover: its pixels differ by" in text
    assert "too few sure pixels to teach" in words(html)


def test_a_small_scene_without_truth_says_what_it_lacks(tmp_path):
    _, html = make_page(
        tmp_path / "flat", tmp_path / "results", cube=mixed_ground(12, 12)[0], truth=False
    )
    text = lead(html)
    assert "No accuracy can be stated" in text
    assert "The second map at 2 µm names nothing: too few sure pixels to teach: two" in text
    assert "the most that minerals have are" in text
