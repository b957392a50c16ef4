"""Reports and indexes of thousands of scenes: neither the command line nor a page outgrows them."""

import json
import resource
import sys

import pytest
from browser import open_browser
from places import ROOT
from samples import make_record, make_scene, run_command

FEW, MANY = 300, 2500
# One pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)
LONG_NAME = "a-scene-of-a-survey-whose-names-are-long-{:05}"


def make_results(folder, number_of_scenes):
    """What the scenes of one study leave: pictures, summaries and simulated accuracy records."""
    make_scene(folder / "one", True)
    make_record(folder / "one")
    record = json.loads((folder / "one/sam.json").read_text())
    results = folder / "results"
    study = results / "studies/survey"
    study.mkdir(parents=True)
    scenes, told, listed = [], [], [["--layers"], ["--thumbnails"]]
    for number in range(number_of_scenes):
        name = LONG_NAME.format(number)
        scene = results / "scenes" / name
        place = scene / "landsat/minerals/accuracy/minerals.json"
        place.parent.mkdir(parents=True)
        (scene / "thumbnail.png").write_bytes(PNG)
        (scene / "index.html").write_text("a page")
        summary = {"scene": name, "study": "survey", "synthetic": True, "sensors": "Landsat"}
        words = {"found": f"Alunite on {number} ha.", "trust": "Tested.", "doubt": ""}
        (scene / "summary.json").write_text(json.dumps(summary | words))
        layers = {"scene": name, "study": "survey", "synthetic": True, "layers": []}
        (scene / "layers.json").write_text(json.dumps(layers))
        score = record["scores"]["macro_f1"] | {
            "value": number / number_of_scenes,
            "low": None,
            "high": None,
        }
        scores = record["scores"] | {"macro_f1": score}
        place.write_text(json.dumps(record | {"scene": name, "scores": scores}))
        scenes.append(
            {
                **{"scene": name, "study": "survey", "ground": "porphyry", "synthetic": True},
                **{"truths": {}, "sensors": {"landsat": "twin"}, "stack": ["landsat"]},
                **{"methods": {"minerals": ["landsat"]}, "held": {"landsat/minerals": ["truth"]}},
            }
        )
        told += ["--records", "minerals", "landsat", str(place)]
        listed[0].append(str(scene / "layers.json"))
        listed[1].append(str(scene / "thumbnail.png"))
    settings = {"study": "survey", "settings": {"paper": ""}, "overview": True, "scenes": scenes}
    (study / "settings.json").write_text(json.dumps(settings))
    for name, words in (
        ("records", told),
        ("../scenes", [*listed[0], *listed[1]]),
        ("../studies", ["--study", "survey", str(study)]),
    ):
        (study / f"{name}.txt").write_text("".join(f"{word}\n" for word in words))
    return results


def timed(*command):
    """Run a tool, and print what it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run_command(*command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr[-2000:]
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{command[0]}: {seconds:.1f} s of CPU, {after.ru_maxrss // 1024} MiB", file=sys.stderr)


# The large one tells what it takes: pytest -m slow -s -n0 tests/cli/test_many_scenes.py
@pytest.mark.parametrize("scenes", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def test_many_scenes_are_reported_and_indexed_on_pages_that_a_browser_opens(tmp_path, scenes):
    results = make_results(tmp_path, scenes)
    studies, study = results / "studies", results / "studies/survey"
    timed(
        *("collect_accuracy", "--study", "survey", f"@{study / 'records.txt'}"),
        *("--output", study / "accuracy.json"),
    )
    assert len(json.loads((study / "accuracy.json").read_text())["records"]) == scenes
    timed(
        *("render_report", "--study", "survey", "--results", results),
        *("--settings", study / "settings.json", "--accuracy", study / "accuracy.json"),
        *("--output", study / "report.html", "--pages", study / "report"),
    )
    timed(
        *("render_index", f"@{studies / 'studies.txt'}", "--scenes", results / "scenes"),
        *("--output", results / "index.html"),
    )
    timed(
        *("write_catalog", f"@{studies / 'scenes.txt'}", "--catalog", results / "catalog.json"),
        *("--folder", results / "stac"),
    )
    pages = [study / "report.html", *(study / "report").glob("*.html"), results / "index.html"]
    for page in pages:
        print(f"{page.relative_to(results)}: {page.stat().st_size / 1e6:.1f} MB", file=sys.stderr)
        assert page.stat().st_size < 6e6
    told = f"{scenes:,} maps, {scenes:,} of them tested: macro-F1 from 0.000 to "
    report = (study / "report.html").read_text()
    assert told in report and "Their figures are not drawn here." in report
    assert told in (results / "index.html").read_text()
    last = LONG_NAME.format(scenes - 1)
    with open_browser(tmp_path) as browser:
        for page, link in (
            (study / "report.html", f"../../scenes/{last}/index.html"),
            (results / "index.html", f"scenes/{last}/index.html"),
        ):
            browser.open(page)
            assert browser.run("return document.querySelectorAll('ul.scenes li').length") == scenes
            browser.wait("document.querySelector('ul.scenes img').naturalWidth > 0")
            links = f"document.querySelectorAll('a[href=\"{link}\"]').length"
            assert browser.run(f"return {links}") == 2
            assert browser.said() == []
            # No more pictures are read than are seen.
            seen = "[...document.images].filter(image => image.naturalWidth > 0).length"
            assert browser.run(f"return {seen}") < scenes / 2


def test_the_templates_that_tell_of_scenes_are_one(root):
    for name in ("index", "base"):
        text = (ROOT / f"resources/static/{name}.html.j2").read_text()
        assert "pieces.cards(" in text and '<ul class="scenes"' not in text
