import json
import os
import re
import shutil

import pytest
from mineral_reports import SCENE, draw_map, make_map, make_networks
from pages import read_report
from places import change_settings, index_flags, report_flags, write_settings
from samples import FIGURES, run_command, run_tool

from gossan.report.patches_section import FIGURE_TITLES as PATCH_FIGURES

SETTINGS = {"minerals": {"max_angle_rad": 0.1, "zones": {"porphyry": ["chalcocite"]}}}


def prepare(folder, *, synthetic=True):
    sensor_dir = make_map(folder / "flat", folder, synthetic=synthetic)
    draw_map(sensor_dir, folder)
    write_settings(folder, {"minerals": ["landsat"]}, SETTINGS, synthetic=synthetic)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("made"))


@pytest.fixture
def results(made, tmp_path):
    """A copy of the results that a test may spoil."""
    return shutil.copytree(made, tmp_path / "results")


def render(results, name="report.html", **changes):
    page = results / "studies/mine" / name
    done = run_tool("render_report", *report_flags(results, page, **changes))
    return done, page


def refuse(results, said, **changes):
    done, page = render(results, "refused.html", **changes)
    assert done.returncode == 1
    assert said in done.stderr
    assert not page.exists()


def links_lead_somewhere(html):
    ids = re.findall(r'id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    return set(re.findall(r'href="#([^"]+)"', html)) <= set(ids)


def test_the_report_and_the_index_of_a_twin(results):
    page = results / "studies/mine/report.html"
    done = run_command("render_report", *report_flags(results, page))
    assert done.returncode == 0, done.stderr
    html = read_report(page)
    assert html.count("data:image/png;base64,") == len(FIGURES)
    assert links_lead_somewhere(html)
    assert "SYNTHETIC" in html
    assert "max_angle_rad: 0.1" in html
    assert "<td>usgs</td><td>Microcline_HS151.3B</td>" in html
    assert "&lt;b&gt;a note&lt;/b&gt; with markup &amp; an ampersand" in html
    folder = results / "studies/mine"
    done = run_command("render_index", *index_flags(results))
    assert done.returncode == 0, done.stderr
    index = (results / "index.html").read_text()
    assert 'href="studies/mine/report.html"' in index
    assert "SYNTHETIC" in index
    assert "SYNTHETIC</span> Made by" not in index
    record = json.loads((folder / "accuracy.json").read_text())["records"][0]
    assert f"{record['scores']['overall_accuracy']['value']:.3f}" in index
    assert f"{record['n']:,}" in index
    assert ", after" not in index


def test_every_link_between_the_pages_leads_to_its_place(trained):
    done, overview = render(trained)
    assert done.returncode == 0, done.stderr
    folder = overview.with_suffix("")
    names = ("accuracy", "making", "paper")
    assert sorted(path.stem for path in folder.iterdir()) == list(names)
    pages = {path: path.read_text() for path in [overview, *folder.iterdir()]}
    ids = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in pages.items()}
    across = 0
    for path, text in pages.items():
        for file, place in re.findall(r'href="([^"#]*\.html)?#([^"]+)"', text):
            assert place in ids[(path.parent / file).resolve() if file else path]
            across += bool(file)
        for other in {overview, *folder.iterdir()} - {path}:
            assert f'href="{os.path.relpath(other, path.parent)}"' in text
        assert text.count("SYNTHETIC DATA.") == 1
        assert 'href="' + os.path.relpath(trained / "index.html", path.parent) in text
    assert across > 10
    main = overview.read_text().partition("<main>")[2]
    assert not re.search(r"\bpaper", main, re.IGNORECASE)
    assert "Munzareen" in pages[folder / "paper.html"]
    assert "Munzareen" not in overview.read_text()


def test_the_index_has_the_paper_s_title_where_the_study_has_one(results):
    path = results / "studies/mine/settings.json"
    path.write_text(path.read_text().replace('"paper": ""', '"paper": "gilgit"'))
    assert run_tool("render_index", *index_flags(results)).returncode == 0
    index = (results / "index.html").read_text()
    assert "Alteration minerals by the Spectral Angle Mapper, after Munzareen" in index


def test_the_index_leads_to_the_whole_ground_of_a_study_before_its_scenes(results):
    place = results / "studies/mine/mosaic"
    place.mkdir()
    told = {"scene": "mine", "study": "mine", "synthetic": True, "sensors": "", "trust": "None."}
    told["doubt"] = ""
    (place / "summary.json").write_text(json.dumps({**told, "found": "3 targets over all."}))
    assert run_tool("render_index", *index_flags(results)).returncode == 0
    index = (results / "index.html").read_text()
    links = ['<a href="studies/mine/mosaic/index.html">mine</a>', f" {SCENE}</h2>"]
    assert 0 < index.index(links[0]) < index.index(links[1])
    assert "3 targets over all." in index and "1 scene as one" in index


def test_the_same_inputs_give_the_same_page(results):
    pages = [read_report(render(results, name)[1]) for name in ("one.html", "two.html")]
    assert pages[0] == pages[1]


def test_a_real_scene_is_nowhere_called_synthetic(tmp_path):
    done, page = render(prepare(tmp_path, synthetic=False))
    assert done.returncode == 0, done.stderr
    assert "SYNTHETIC" not in read_report(page)


def test_a_scene_that_was_not_assessed_says_so_in_report_and_index(results):
    record = {
        "scene": SCENE,
        "method": "Spectral Angle Mapper",
        "assessed": False,
        "synthetic": False,
        "reason": "The scene has no truth, so no accuracy can be stated.",
    }
    folder = results / "studies/mine"
    accuracy = {"study": "mine", "records": [record]}
    (folder / "accuracy.json").write_text(json.dumps(accuracy))
    place = results / f"scenes/{SCENE}/landsat/minerals/accuracy/minerals.json"
    place.write_text(json.dumps(record))
    done, page = render(results)
    assert done.returncode == 0, done.stderr
    assert "No accuracy can be stated for tiny." in read_report(page)
    run_tool("render_index", *index_flags(results))
    assert "Not assessed." in (results / "index.html").read_text()


def test_two_sensors_of_a_scene_have_a_section_each(results):
    scene = results / f"scenes/{SCENE}"
    shutil.copytree(scene / "landsat", scene / "emit")
    change_settings(
        results / "studies/mine",
        sensors={"landsat": "a", "emit": "b"},
        methods={"minerals": ["landsat", "emit"]},
        held={"landsat/minerals": ["trained"], "emit/minerals": ["trained"]},
    )
    done, page = render(results)
    assert done.returncode == 0, done.stderr
    html = read_report(page)
    assert html.count("data:image/png;base64,") == 2 * len(FIGURES)
    assert links_lead_somewhere(html)
    assert ">Minerals: Landsat</strong>" in html
    assert ">Minerals: EMIT</strong>" in html
    assert 'id="tiny-emit-minerals-classes"' in html


def test_files_are_listed_by_the_table_and_linked_from_the_report_s_place(results):
    html = read_report(render(results)[1])
    place = f"../../../scenes/{SCENE}/landsat/minerals"
    for name in ("class.tif", "zones/porphyry.tif", "zones/potassic-phyllic.tif"):
        assert f'href="{place}/{name}"' in html
    assert "map of a zone (porphyry)" in html
    # Figures stand on the page, and what another method leaves is none of this one's.
    assert "figures/classes.png</code>" not in html
    assert "anomalies.tif" not in html


@pytest.fixture
def trained(results):
    make_networks(results / f"scenes/{SCENE}/landsat", tuple(PATCH_FIGURES))
    settings = SETTINGS | {"patches": {"model": "", "published": {}}, "paper": "gilgit"}
    methods = {"minerals": ["landsat"], "patches": ["landsat"]}
    write_settings(results, methods, settings, held=["trained", "truth", "published"])
    return results


def test_networks_have_a_section_with_numbers_of_their_records(trained):
    done, page = render(trained)
    assert done.returncode == 0, done.stderr
    html = read_report(page)
    assert html.count("data:image/png;base64,") == len(FIGURES) + len(PATCH_FIGURES)
    assert links_lead_somewhere(html)
    assert html.count('<figcaption><span class="label">SYNTHETIC</span>') == html.count(
        "<figcaption>"
    )
    for name in PATCH_FIGURES:
        assert f'id="tiny-landsat-patches-{name}"' in html
        assert f'href="#tiny-landsat-patches-{name}"' in html
    patches = trained / f"scenes/{SCENE}/landsat/patches"
    for name, file in (
        ("networks/paper-blocked", "accuracy.json"),
        ("published", "accuracy/split.json"),
        ("published", "accuracy/apart.json"),
    ):
        record = json.loads((patches / name / "record.json").read_text())
        accuracy = json.loads((patches / name / file).read_text())
        value = accuracy["scores"]["overall_accuracy"]
        assert f"{100 * value['value']:.2f} % " in html
        assert f"[{100 * value['low']:.2f}, {100 * value['high']:.2f}]" in html
        assert f"{record['test']['uncalibrated']['ece']:.3f}" in html
    for text in ("4,297,825", "4,297,824", "46,849", "92.87 %", "95.09 %", "5.27%", "2.72%"):
        assert text in html
    assert "It is not ground truth" in html


def test_a_map_by_a_model_of_another_scene_has_no_training(trained):
    methods = {"minerals": ["landsat"], "patches": ["landsat"]}
    write_settings(trained, methods, SETTINGS | {"patches": {}}, held=["truth"])
    html = read_report(render(trained)[1])
    assert html.count("data:image/png;base64,") == len(FIGURES) + 2
    assert links_lead_somewhere(html)
    assert "Calibration on the test images" not in html
    assert "92.87" not in html


def test_networks_that_are_missing_are_named(trained):
    shutil.rmtree(trained / f"scenes/{SCENE}/landsat/patches/networks")
    refuse(trained, "patches/networks: holds no network")


@pytest.mark.parametrize(
    "file", ["cube/cube.json", "minerals/areas.csv", "minerals/accuracy/minerals.json"]
)
def test_a_missing_file_of_a_scene_is_named(results, file):
    path = results / f"scenes/{SCENE}/landsat" / file
    path.unlink()
    refuse(results, str(path))


def test_a_table_of_spectra_without_its_columns_is_named(results):
    folder = results / f"scenes/{SCENE}/landsat/minerals"
    shutil.copy(folder / "areas.csv", folder / "library/records.csv")
    refuse(results, "records.csv: lacks the column library, record")


def test_a_missing_figure_is_named(results):
    (results / f"scenes/{SCENE}/landsat/minerals/figures/areas.png").unlink()
    refuse(results, "areas.png: no such figure; draw the figures first")


def test_a_scene_without_a_record_is_named(results):
    change_settings(results / "studies/mine", scene="other")
    shutil.move(results / f"scenes/{SCENE}", results / "scenes/other")
    refuse(results, "no record of scene 'other'")


@pytest.mark.parametrize("name", ["accuracy", "settings", "table", "published", "base", "style"])
def test_a_missing_file_is_named(results, name):
    refuse(results, "gone.x", **{name: results / "gone.x"})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"methods": {"moon": ["landsat"]}}, "method 'moon' of scene tiny is none of minerals"),
        ({"methods": {}, "sensors": {}}, "no section"),
    ],
)
def test_settings_without_a_section_are_refused(results, changes, said):
    change_settings(results / "studies/mine", **changes)
    refuse(results, said)


def test_settings_of_another_study_and_an_unknown_paper_are_refused(results):
    path = results / "studies/mine/settings.json"
    text = path.read_text()
    path.write_text(text.replace('"study": "mine", "settings"', '"study": "other", "settings"'))
    refuse(results, "is of the study 'other', not of 'mine'")
    path.write_text(text.replace('"paper": ""', '"paper": "moon"'))
    refuse(results, "has no paper 'moon'")


def test_a_template_of_an_unknown_method_is_refused_and_of_a_known_one_used(results, root):
    page = results / "refused.html"
    flags = report_flags(results, page)
    done = run_tool("render_report", *flags, "--template", "moon", page)
    assert done.returncode == 1
    assert "--template: moon is none of minerals" in done.stderr
    own = results / "own.j2"
    text = (root / "resources/static/minerals.html.j2").read_text()
    own.write_text(text.replace("Class areas", "Areas of my classes"))
    assert run_tool("render_report", *flags, "--template", "minerals", own).returncode == 0
    assert "Areas of my classes</h3>" in read_report(page)
