import json

import pytest
from network_runs import PROPORTIONS, make_runs
from patch_scenes import CHALCOCITE, FELDSPAR, split_table
from samples import FIGURES, make_record, make_scene, run_command, run_tool

from gossan.report.patches_section import NETWORK_FIGURES


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


@pytest.fixture(scope="module")
def trained(folder):
    """Flags of a scene's networks; the pictures are those of another figure."""
    drawn = folder / "cnn/figures"
    drawn.mkdir(parents=True)
    for name in NETWORK_FIGURES:
        (drawn / f"{name}.png").write_bytes((folder / "figures/areas.png").read_bytes())
    (folder / "cnn/proportions.csv").write_text(PROPORTIONS)
    runs = make_runs(folder / "cnn/networks", split_table(), [CHALCOCITE, FELDSPAR])
    flags = [part for name, path in runs.items() for part in ("--network", "tiny", name, path)]
    return ["--cnn", "tiny", drawn, folder / "cnn/proportions.csv", *flags]


def test_networks_have_a_section_with_numbers_of_their_records(folder, trained, tmp_path):
    report = tmp_path / "report.html"
    done = run_command("render_report", *arguments(folder, report), *trained)
    assert done.returncode == 0, done.stderr
    html = report.read_text()
    assert html.count("data:image/png;base64,") == len(FIGURES) + len(NETWORK_FIGURES)
    assert html.count('<figcaption><span class="label">SYNTHETIC</span>') == html.count(
        "<figcaption>"
    )
    for name in NETWORK_FIGURES:
        assert f'id="tiny-{name}"' in html
        assert f'href="#tiny-{name}"' in html
    assert '<a href="#networks">' in html
    for name in ("paper-blocked", "paper-paper"):
        record = json.loads((folder / f"cnn/networks/{name}/record.json").read_text())
        accuracy = json.loads((folder / f"cnn/networks/{name}/accuracy.json").read_text())
        value = accuracy["scores"]["overall_accuracy"]
        assert f"{100 * value['value']:.2f} % " in html
        assert f"[{100 * value['low']:.2f}, {100 * value['high']:.2f}]" in html
        assert f"{record['test']['uncalibrated']['ece']:.3f}" in html
    for text in ("4,297,825", "4,297,824", "46,849", "92.87 %", "95.09 %", "5.27%", "2.72%"):
        assert text in html
    assert "It is not ground truth" in html


def test_without_networks_there_is_no_word_of_their_section(folder, tmp_path):
    report = tmp_path / "report.html"
    assert run_tool("render_report", *arguments(folder, report)).returncode == 0
    html = report.read_text()
    assert 'id="networks"' not in html
    assert "#networks" not in html
    assert "Not part of this run." in html


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda flags: flags[:4], "cnn: scene 'tiny' has no network"),
        (lambda flags: flags[4:], "network: 'paper-blocked' is of scene 'tiny'"),
        (
            lambda flags: ["other" if flag == "tiny" else flag for flag in flags],
            "cnn: 'other' is no scene of the page",
        ),
    ],
)
def test_networks_that_do_not_belong_together_are_named(
    folder, trained, tmp_path, changed, message
):
    done = run_tool(
        "render_report", *arguments(folder, tmp_path / "report.html"), *changed(trained)
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert not (tmp_path / "report.html").exists()
