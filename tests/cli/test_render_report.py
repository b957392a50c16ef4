import json

import pytest
from samples import FIGURES, make_record, make_scene, run_command, run_tool


def prepare(folder, synthetic):
    make_scene(folder, synthetic)
    make_record(folder)
    run_tool(
        "collect_accuracy",
        *("--study", "gilgit", "--records", folder / "sam.json"),
        *("--output", folder / "accuracy.json"),
    )
    done = run_tool(
        "draw_figures",
        *("--cube", folder / "cube.tif", "--record", folder / "cube.json"),
        *("--class-map", folder / "class.tif", "--angle", folder / "angle.tif"),
        *("--margin", folder / "margin.tif", "--zones", folder / "porphyry.tif"),
        *("--classes", folder / "classes.csv", "--references", folder / "references.csv"),
        *("--signatures", folder / "signatures.csv", "--areas", folder / "areas.csv"),
        *("--accuracy", folder / "sam.json", "--output-dir", folder / "figures"),
    )
    assert done.returncode == 0, done.stderr
    config = {
        "library": {"sources": ["analytic"]},
        "studies": {"gilgit": {"max_angle_rad": 0.1, "zones": {"porphyry": ["chalcocite"]}}},
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("twin"), synthetic=True)


def arguments(folder, output, scene="tiny", **changes):
    files = {"accuracy": "accuracy.json", "classes": "classes.csv", "config": "config.json"}
    flags = [
        part for name, file in (files | changes).items() for part in (f"--{name}", folder / file)
    ]
    return [
        *("--study", "gilgit", "--scene", scene, folder / "cube.json", folder / "figures"),
        *(folder / "areas.csv", folder / "records.csv", *flags, "--output", output),
    ]


def test_the_report_and_the_index_of_a_twin(folder, tmp_path):
    report = tmp_path / "studies/gilgit/report.html"
    done = run_command("render_report", *arguments(folder, report))
    assert done.returncode == 0, done.stderr
    html = report.read_text()
    assert html.count("data:image/png;base64,") == len(FIGURES)
    assert "SYNTHETIC" in html
    assert "max_angle_rad: 0.1" in html
    assert "<td>usgs</td><td>Microcline_HS151.3B</td>" in html
    assert "&lt;b&gt;a note&lt;/b&gt; with markup &amp; an ampersand" in html
    done = run_command(
        "render_index",
        *("--study", "gilgit", report, folder / "accuracy.json"),
        *("--output", tmp_path / "index.html"),
    )
    assert done.returncode == 0, done.stderr
    index = (tmp_path / "index.html").read_text()
    assert 'href="studies/gilgit/report.html"' in index
    assert "SYNTHETIC" in index
    assert "SYNTHETIC</span> Made by" not in index
    record = json.loads((folder / "sam.json").read_text())
    assert f"{record['scores']['overall_accuracy']['value']:.3f}" in index
    assert f"{record['n']:,}" in index


def test_the_same_inputs_give_the_same_page(folder, tmp_path):
    pages = []
    for name in ("one.html", "two.html"):
        assert run_tool("render_report", *arguments(folder, tmp_path / name)).returncode == 0
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]


def test_a_real_scene_is_nowhere_called_synthetic(tmp_path):
    folder = prepare(tmp_path / "real", synthetic=False)
    assert run_tool("render_report", *arguments(folder, tmp_path / "report.html")).returncode == 0
    html = (tmp_path / "report.html").read_text()
    assert "SYNTHETIC" not in html


def test_a_scene_that_was_not_assessed_says_so_in_report_and_index(folder, tmp_path):
    record = {
        "scene": "tiny",
        "method": "Spectral Angle Mapper",
        "assessed": False,
        "synthetic": False,
        "reason": "The scene has no reference, so no accuracy can be stated.",
    }
    (folder / "none.json").write_text(json.dumps({"study": "gilgit", "records": [record]}))
    report = tmp_path / "report.html"
    done = run_tool("render_report", *arguments(folder, report, accuracy="none.json"))
    assert done.returncode == 0
    assert "No accuracy can be stated for tiny." in report.read_text()
    run_tool(
        "render_index",
        *("--study", "gilgit", report, folder / "none.json", "--output", tmp_path / "index.html"),
    )
    assert "Not assessed." in (tmp_path / "index.html").read_text()


def test_files_are_links_from_the_report_s_place(folder, tmp_path):
    report = tmp_path / "studies/gilgit/report.html"
    file = tmp_path / "scenes/a b/class.tif"
    assert run_tool("render_report", *arguments(folder, report), "--files", file).returncode == 0
    assert 'href="../../scenes/a%20b/class.tif"' in report.read_text()


def test_a_table_of_spectra_without_its_columns_is_named(folder, tmp_path):
    changed = arguments(folder, tmp_path / "report.html")
    changed[changed.index(folder / "records.csv")] = folder / "areas.csv"
    done = run_tool("render_report", *changed)
    assert done.returncode == 1
    assert "areas.csv: lacks the column library, record" in done.stderr


def test_a_scene_without_a_record_is_named(folder, tmp_path):
    done = run_tool("render_report", *arguments(folder, tmp_path / "report.html", scene="other"))
    assert done.returncode == 1
    assert "no record of scene 'other'" in done.stderr
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("flag", ["accuracy", "config", "classes", "template", "published"])
def test_a_missing_file_is_named(folder, tmp_path, flag):
    changed = arguments(folder, tmp_path / "report.html", **{flag: "gone.x"})
    done = run_tool("render_report", *changed)
    assert done.returncode == 1
    assert "gone.x" in done.stderr


def test_a_folder_without_figures_is_named(folder, tmp_path):
    changed = arguments(folder, tmp_path / "report.html")
    changed[changed.index(folder / "figures")] = tmp_path
    done = run_tool("render_report", *changed)
    assert done.returncode == 1
    assert "no such figure" in done.stderr
