import dataclasses
import json
from html.parser import HTMLParser

import pytest
from pages import PNG, make_source, render, render_each

from gossan.errors import InputError
from gossan.legend import MapClass
from gossan.report.index import headlines, render_index
from gossan.report.layout import relative_link
from gossan.report.minerals_section import (
    FIGURE_TITLES,
    MineralsScene,
    describe_library,
    describe_weakest,
    make_section,
    reading_notes,
    summarise,
)
from gossan.report.page import (
    describe_bands,
    describe_mask,
    describe_scene,
    installed_versions,
    records_of,
)

CLASSES = [
    MapClass(2, "chalcocite", "Chalcocite", "#00FE00", max_angle_rad=0.1),
    MapClass(12, "feldspar", "<Feldspar>", "#FE00FE", max_angle_rad=0.15),
]


def value(number, low=None, high=None):
    return {"value": number, "low": low, "high": high, "n_blocks": 9}


def scores(n):
    return {
        "n": n,
        "n_blocks": 9,
        "overall_accuracy": value(0.7, 0.65, 0.75),
        "kappa": value(0.6),
        "macro_f1": value(0.5, 0.4, 0.6),
        "classes": [
            {
                "code": 2,
                "name": "chalcocite",
                "label": "Chalcocite",
                "n_reference": 40,
                "n_map": 0,
                "precision": value(None),
                "recall": value(0.0, 0.0, 0.0),
                "f1": value(0.0, 0.0, 0.0),
            }
        ],
    }


def accuracy(scene="tiny", synthetic=False, stratified=None):
    return {
        "scene": scene,
        "method": "Spectral Angle Mapper",
        "assessed": True,
        "synthetic": synthetic,
        "reference": {
            "file": "field.gpkg",
            "kind": "points",
            "note": "on the map's grid",
            "synthetic": synthetic,
            "n_conflicting": 3,
        },
        "n": 12_345,
        "split": "none: the method has no training pixels",
        "design": "census",
        "per_class": None,
        "seed": 42,
        "bootstrap": 1000,
        "block_px": 32,
        "rules": {"other": "How other pixels count."},
        "confusion_matrix": {
            "rows": "reference",
            "columns": "map",
            "labels": [
                {"code": 0, "name": "other", "label": "Other"},
                {"code": 2, "name": "chalcocite", "label": "Chalcocite"},
            ],
            "counts": [[12_000, 5], [300, 40]],
        },
        "scores": scores(12_345),
        "scores_study_classes": scores(340),
        "stratified": stratified,
    }


def unassessed(scene="tiny", synthetic=False):
    return {
        "scene": scene,
        "method": "Spectral Angle Mapper",
        "assessed": False,
        "synthetic": synthetic,
        "reason": "The scene has no reference, so no accuracy can be stated.",
    }


EXPLANATION = {
    "doubts": ["The map leaves most unclassified: <say> why."],
    "sentences": ["The map leaves most unclassified: <say> why.", "All else."],
    "advice": ["Set cube.ndvi_max: 0.3."],
    "numbers": {
        "distances": [
            {
                "group": "",
                "pixels": 100,
                "quantiles": {str(rank): rank / 100 for rank in (1, 5, 25, 50, 75, 95)},
                "limit": [0.1, 0.2],
                "named": 0.4,
                "limit_for_5_percent": 0.05,
            }
        ]
    },
}


@pytest.fixture
def figures(tmp_path):
    found = {name: tmp_path / f"{name}.png" for name in FIGURE_TITLES}
    for path in found.values():
        path.write_bytes(PNG)
    return found


def make_scene(figures, record, synthetic=False, **cube):
    facts = {
        "product_id": "LC08",
        "sensor": "Landsat-8 OLI_TIRS",
        "acquired": "2024-07-19T05:38:12Z",
        "synthetic": synthetic,
        "atmosphere": "dos1",
    }
    return MineralsScene(
        id=record["scene"],
        sensor="landsat",
        cube=facts | cube,
        figures=figures,
        areas={0: (60, 0.054), 2: (40, 0.036)},
        accuracy=record,
        records=[record],
        classes=CLASSES,
        spectra=[
            {"name": "chalcocite", "library": "analytic", "record": "chalcocite"},
            {"name": "feldspar", "library": "splib07a", "record": "Microcline_HS151"},
        ],
        explanation=EXPLANATION,
    )


def page(scenes, paper=None, residuals=(), **changes):
    source = make_source("minerals", "landsat", paper, residuals=residuals)
    return render([make_section(scene, source) for scene in scenes], paper, **changes)


class Page(HTMLParser):
    """Collects tags, sources, links, ids and visible text."""

    VOID = ("meta", "img", "br", "link", "input", "hr")

    def __init__(self, html):
        super().__init__()
        self.open, self.sources, self.links, self.ids, self.words = [], [], [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)
        attributes = dict(attributes)
        self.sources += [attributes[name] for name in ("src", "srcset") if name in attributes]
        self.links += [attributes["href"]] if "href" in attributes else []
        self.ids += [attributes["id"]] if "id" in attributes else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def test_the_page_is_whole_and_loads_nothing_from_outside(root, figures):
    html = page([make_scene(figures, accuracy())])
    parsed = Page(html)
    assert len(parsed.sources) == len(FIGURE_TITLES)
    assert all(source.startswith("data:image/png;base64,") for source in parsed.sources)
    assert all(link.startswith("#") for link in parsed.links)
    assert {link[1:] for link in parsed.links} <= set(parsed.ids)
    assert len(parsed.ids) == len(set(parsed.ids))
    for word in ("http://", "https://", "//cdn", "@import", "url(", "<script"):
        assert word not in html


def test_the_published_study_is_shown_and_its_links_lead_somewhere(root, figures):
    published = json.loads((root / "resources/static/published.json").read_text())["gilgit"]
    parsed = Page(page([make_scene(figures, accuracy())], published))
    assert {link[1:] for link in parsed.links} <= set(parsed.ids)
    for text in ("5.27", "2.72", "92.87", "95.09", "0.2595 %", "4 297 824", "Munzareen"):
        assert text in parsed.text
    assert "cannot be set against each other" in parsed.text
    assert published["tables"][0]["rows"][-1][1] == "93.33"


@pytest.mark.parametrize("record", [accuracy, unassessed])
def test_synthetic_scenes_are_marked_everywhere_and_others_nowhere(root, figures, record):
    real = page([make_scene(figures, record())])
    assert "synthetic" not in real.lower().replace("synthetic</th><td>no", "")
    twin = page([make_scene(figures, record(synthetic=True), synthetic=True)])
    parsed = Page(twin)
    assert parsed.text.startswith("SYNTHETIC: ")
    assert "SYNTHETIC DATA." in parsed.text
    assert twin.count('<figcaption><span class="label">SYNTHETIC</span>') == twin.count(
        "<figcaption>"
    )


def test_the_report_says_why_the_map_is_as_it_is_and_what_to_try(figures):
    scene = make_scene(figures, accuracy())
    spectra = [*scene.spectra, {"name": "feldspar", "library": "x", "record": "Microcline_HS82"}]
    parsed = Page(page([dataclasses.replace(scene, spectra=spectra)]))
    for text in (
        "Why the map is as it is The map leaves most unclassified: <say> why. All else.",
        "What to try: Set cube.ndvi_max: 0.3.",
        "all bands 100 0.010 0.050 0.250 0.500 0.750 0.950 0.1 to 0.2 40.0% 0.05",
        "Microcline_HS151 and 1 more",
    ):
        assert text in parsed.text


def test_the_summary_has_number_interval_and_n(figures):
    twin = make_scene(figures, accuracy(synthetic=True), synthetic=True)
    sentences = summarise(twin)
    assert sentences[3:] == EXPLANATION["doubts"]
    assert "looked for 2 minerals and mapped 1 of them in scene tiny" in sentences[0]
    assert "70.0%" in sentences[1]
    assert "65.0% to 75.0%" in sentences[1]
    assert "n = 12,345" in sentences[1]
    assert "no tested pixel was mapped" in sentences[2]
    assert "SYNTHETIC" in sentences[1]
    assert "any real place" in Page(page([twin])).text
    real = make_scene(figures, accuracy())
    assert "SYNTHETIC" not in " ".join(summarise(real))
    assert "not for other ground" in Page(page([real])).text


def with_precisions(*precisions):
    record = accuracy()
    record["scores"]["classes"] = [
        {"code": place, "label": label, "n_map": n, "precision": value(number, *interval)}
        for place, (label, number, interval, n) in enumerate(precisions)
    ]
    return record


def test_the_weakest_classes_are_named_worst_first():
    record = with_precisions(
        ("Other", 0.1, (0.0, 0.2), 90),
        ("Chlorite", 0.9, (0.8, 1.0), 90),
        ("Pyrite", 0.4, (0.2, 0.6), 90),
        ("Alunite", 0.0, (), 2),
        ("Calcite", None, (), 0),
    )
    assert "alunite 0.00 (of 2 tested), pyrite 0.40;" in describe_weakest(record)
    good = with_precisions(("Other", 0.1, (), 9), ("Chlorite", 0.9, (), 9))
    assert "right more often than wrong" in describe_weakest(good)


def test_precision_stands_beside_the_mapped_areas(root, figures):
    record = accuracy()
    record["scores"]["classes"][0]["precision"] = value(0.25, 0.1, 0.4)
    text = Page(page([make_scene(figures, record)])).text
    assert "Chalcocite 0.04 0.250 [0.100, 0.400] 40 40.00%" in text
    text = Page(page([make_scene(figures, unassessed())])).text
    assert "Chalcocite 0.04 40 40.00%" in text
    assert "How much of it is true is not known" in text


def test_without_intervals_no_caption_promises_them(root, figures):
    record = accuracy()
    for scope in ("scores", "scores_study_classes"):
        for name in ("overall_accuracy", "macro_f1"):
            record[scope][name] = value(0.7)
    record["scores"]["n_blocks"] = 2
    text = Page(page([make_scene(figures, record)])).text
    assert "95 % interval" not in text
    assert "bootstrap" not in text.split("How it was made")[0]
    assert "lie in 2 spatial blocks of 32 × 32 pixels" in text
    assert "1,000 bootstrap samples" in Page(page([make_scene(figures, accuracy())])).text


def test_notes_say_only_what_applies():
    notes = " ".join(reading_notes(accuracy()))
    assert "1,000 times" in notes
    for word in ("scores_study_classes", "null", "Olofsson"):
        assert word not in notes
    assert "Olofsson" in " ".join(reading_notes(accuracy(stratified={"classes": []})))


def test_numbers_of_another_place_are_not_compared(root, figures):
    published = json.loads((root / "resources/static/published.json").read_text())["gilgit"]
    real = Page(page([make_scene(figures, accuracy())], published)).text
    assert "Numbers of different ground cannot be compared." in real
    assert "Unless that is the same scene, whether they agree" in real
    assert "who worked at Gilgit" in real
    twin = make_scene(figures, accuracy(synthetic=True), synthetic=True)
    assert "of simulated ground. Whether" in Page(page([twin], published)).text
    assert "Beside the paper" not in Page(page([twin])).text


def test_without_a_reference_no_accuracy_is_stated(root, figures):
    scene = make_scene(figures, unassessed())
    assert "No accuracy can be stated" in summarise(scene)[1]
    text = Page(page([scene])).text
    assert "No accuracy can be stated for tiny." in text
    assert "Overall accuracy" not in text


def test_values_come_with_intervals_and_undefined_ones_say_so(root, figures):
    text = Page(page([make_scene(figures, accuracy())])).text
    assert "0.700 [0.650, 0.750]" in text
    assert "undefined" in text
    assert "no interval: too few blocks" in text
    assert "3 pixels claimed by two classes were left out" in text
    assert "nan" not in text.lower().split()


def test_several_scenes_share_a_page(figures):
    scenes = [
        make_scene(figures, accuracy("one", synthetic=True), synthetic=True),
        make_scene(figures, unassessed("two")),
    ]
    parsed = Page(page(scenes))
    assert len(parsed.sources) == 2 * len(FIGURE_TITLES) - 2
    assert "No accuracy can be stated for two." in parsed.text
    assert "does not carry over" in parsed.text


def test_stratified_estimates_have_their_table(root, figures):
    estimate = {"value": 0.5, "standard_error": 0.1, "low": 0.3, "high": 0.7}
    undefined = dict.fromkeys(estimate)
    stratified = {
        "population_pixels": 99_999,
        "overall_accuracy": estimate,
        "classes": [
            {
                "code": 2,
                "name": "chalcocite",
                "label": "Chalcocite",
                "mapped_pixels": 10,
                "sampled_pixels": 5,
                "users_accuracy": undefined,
                "producers_accuracy": estimate,
                "area_share": estimate,
                "area_km2": None,
            }
        ],
    }
    text = Page(page([make_scene(figures, accuracy(stratified=stratified))])).text
    assert "Olofsson et al. (2014)" in text
    assert "99,999" in text
    assert "0.500 [0.300, 0.700]" in text


def test_words_of_data_are_escaped(root, figures):
    html = page([make_scene(figures, accuracy(), notes=["<script>alert(1)</script>"])])
    assert "<script>" not in html
    assert "&lt;Feldspar&gt;" in html


def test_the_page_is_the_same_every_time(root, figures):
    scenes = [make_scene(figures, accuracy())]
    assert page(scenes) == page(scenes)


def test_each_class_names_its_spectrum_and_residuals_only_where_it_is_modelled(root, figures):
    residuals = [
        {"name": "chalcocite", "record": "jpl S-16A", "rms": "0.0021", "angle_rad": "0.0041"},
        {"name": "feldspar", "record": "HS117", "rms": "0.5", "angle_rad": "0.4"},
    ]
    scene = make_scene(figures, accuracy())
    text = Page(page([scene], residuals=residuals)).text
    assert "Chalcocite 0.1 analytic (modelled) jpl S-16A 0.0021 0.0041" in text
    assert "<Feldspar> 0.15 splib07a Microcline_HS151 – –" in text
    assert "HS117" not in text
    measured = dataclasses.replace(scene, spectra=scene.spectra[1:])
    text = Page(page([measured], residuals=residuals)).text
    assert "RMS residual" not in text
    assert "not recorded" in text
    own = [{**row, "library": "own"} for row in scene.spectra]
    other = dataclasses.replace(scene, id="b", accuracy=accuracy("b"), spectra=own)
    text = Page(page([scene, other])).text
    assert "Classes, thresholds and library spectra: b" in text
    assert "own Microcline_HS151" in text


def test_files_are_links_with_what_they_are(figures):
    file = {"path": "results/a/class.tif", "href": "../../a/class.tif", "what": "class map"}
    parsed = Page(page([make_scene(figures, accuracy())], files=[file]))
    assert "results/a/class.tif : class map" in parsed.text
    assert "../../a/class.tif" in parsed.links


def test_every_record_stands_in_the_table_of_all_maps(figures):
    records = [accuracy(), unassessed("other", synthetic=True)]
    text = Page(page([make_scene(figures, accuracy())], records=records)).text
    assert "2 accuracy records" in text
    table = text.split("Accuracy of all maps")[-1]
    assert "Spectral Angle Mapper 12,345 0.700 [0.650, 0.750] 0.600 0.500 [0.400, 0.600]" in table
    assert "SYNTHETIC other Spectral Angle Mapper Not assessed. The scene has no" in table


def test_a_cube_of_hundreds_of_bands_folds_its_table(figures):
    bands = [{"name": f"B{n}", "centre_um": 0.4 + n / 100, "fwhm_um": 0.01} for n in range(40)]
    html = page([make_scene(figures, accuracy(), bands=bands)])
    assert "<summary>40 bands of tiny</summary>" in html
    assert "bands of tiny</summary>" not in page([make_scene(figures, accuracy(), bands=bands[:9])])


def test_layers_without_wavelengths_are_listed(figures):
    layers = [{"name": "B02"}, {"name": "slope"}]
    html = page([make_scene(figures, accuracy(), bands=layers)])
    assert '<th scope="row">Layers</th><td>B02; slope</td>' in html


def test_a_paper_s_words_stand_only_where_the_study_has_a_paper(figures):
    html = page([make_scene(figures, accuracy())])
    assert "<h1>mine</h1>" in html
    assert "paper" not in html.partition("<main>")[2].lower()


def test_what_did_not_run_says_so_beside_the_paper(figures, root):
    paper = json.loads((root / "resources/static/published.json").read_text())["gilgit"]
    section = make_section(
        make_scene(figures, accuracy()), make_source("minerals", "landsat", paper)
    )
    beside = Page(render_each([section], paper)["paper"]).text
    assert "Patches 216 of 302 × 302 pixels" in beside
    assert "4 297 824 parameters, layer by layer (none) Not part of this run." in beside
    assert "Added: whether the stated probabilities hold." not in beside


def test_a_missing_or_broken_figure_is_named(root, figures):
    figures["areas"].write_bytes(b"text")
    with pytest.raises(InputError, match=r"areas\.png: not a PNG"):
        page([make_scene(figures, accuracy())])
    figures["areas"].write_bytes(PNG[:-1])
    with pytest.raises(InputError, match=r"areas\.png: is damaged or cut short"):
        page([make_scene(figures, accuracy())])
    figures["areas"].unlink()
    with pytest.raises(InputError, match=r"areas\.png: no such figure"):
        page([make_scene(figures, accuracy())])


CUBE = {
    "product_id": "LC08",
    "synthetic": True,
    "pixels": {"total": 200_000, "observed": 100_000, "valid": 98_500},
    "masked": {
        "cloud": {"pixels": 1200, "share_of_observed": 0.012},
        "cloud_shadow": {"pixels": 400, "share_of_observed": 0.004},
    },
    "bands": [
        {"name": "B1", "centre_um": 0.443, "fwhm_um": 0.016},
        {"name": "B2", "centre_um": 0.483, "fwhm_um": 0.06},
    ],
    "corrections": [
        {
            "method": "dos1",
            "dark_object": {"B1": 0.1, "B2": 0.2},
            "path_held_by_shorter_bands": [],
            "transmittance": 0.9,
        }
    ],
    "own_key": 1.5,
    "notes": [],
}


def test_records_of_preprocessing_become_rows():
    assert dict(describe_scene(CUBE)) == {
        "Product": "LC08",
        "Synthetic": "yes",
        "Pixels": "200,000 in the frame, 100,000 observed, 98,500 clear",
        "Transmittance": "0.9",
        "Own key": "1.5",
    }


def test_what_corrections_found_stands_per_band():
    assert describe_bands(CUBE) == {
        "columns": ["Band", "Centre, µm", "FWHM, µm", "Dark object, reflectance"],
        "rows": [["B1", "0.443", "0.016", "0.1000"], ["B2", "0.483", "0.060", "0.2000"]],
    }
    held = {**CUBE["corrections"][0], "path_held_by_shorter_bands": ["B2"], "dark_object": {}}
    two = describe_bands({**CUBE, "corrections": [held, {"method": "own", "gain": {"B1": 2}}]})
    assert two["columns"][3:] == [
        "dos1: Dark object, reflectance",
        "dos1: Path held down by a shorter band",
        "own: Gain",
    ]
    assert [row[3:] for row in two["rows"]] == [["–", "no", "2.0000"], ["–", "yes", "–"]]
    assert describe_bands({})["rows"] == []


def test_what_is_not_of_bands_stands_among_the_facts():
    own = {"method": "own", "materials": ["soil", "quartz"], "cells": {"total": 9, "dark": 1}}
    cube = {**CUBE, "corrections": [own]}
    assert describe_bands(cube)["columns"] == ["Band", "Centre, µm", "FWHM, µm"]
    facts = dict(describe_scene(cube))
    assert facts["Materials"] == "soil; quartz"
    assert facts["Cells"] == "total 9, dark 1"


def test_masks_overlap_and_their_sum_is_told():
    mask = describe_mask(CUBE)
    assert mask["rows"] == [("cloud", "1,200", "1.20%"), ("cloud shadow", "400", "0.40%")]
    assert "add up to more than the 1,500 pixels (1.50%) that were masked" in mask["note"]
    assert describe_mask({})["rows"] == []


def test_the_library_is_told_as_modelled_or_named():
    assert "modelled" in describe_library(["analytic"])
    assert "my/usgs" in describe_library(["my/usgs", "analytic"])
    assert "not recorded" in describe_library([])


def test_versions_are_those_installed():
    versions = dict(installed_versions())
    assert versions["python"].startswith("3.")
    assert "numpy" in versions


def test_links_are_relative_to_the_page():
    assert relative_link("results/studies/gilgit/report.html", "results/index.html") == (
        "studies/gilgit/report.html"
    )
    assert relative_link("results/a b/x.tif", "results/s/r.html") == "../a%20b/x.tif"


def test_a_scene_without_a_record_is_named():
    records = [unassessed("a"), accuracy("a")]
    assert records_of({"records": [unassessed("c"), *records]}, "a") == records
    with pytest.raises(InputError, match=r"no record of scene 'b' \(it has: a\)"):
        records_of({"records": records}, "b")


def test_a_scene_with_many_maps_is_told_by_the_best_of_each_kind():
    def record(scene, zone, f1):
        made = accuracy(scene) if f1 is not None else unassessed(scene)
        if f1 is not None:
            made["confusion_matrix"]["labels"][1]["name"] = zone
            made["scores"]["macro_f1"] = value(f1)
        return made

    phyllic = [record("a", "phyllic", f1) for f1 in (0.3, 0.8, 0.2)]
    propylitic = [record("a", "propylitic", f1) for f1 in (0.9, 0.4)]
    few = [record("b", "phyllic", f1) for f1 in (0.1, 0.2)]
    none = [record("c", "", None) for _ in range(6)]
    kept, left_out = headlines([*phyllic, *propylitic, *few, *none])
    assert kept == [phyllic[1], propylitic[0], *few, none[0]]
    assert left_out == 8


def test_cubes_of_a_scene_are_told_each_for_itself():
    records = [accuracy() | {"sensor": sensor} for sensor in ("emit", "prisma") for _ in range(5)]
    kept, left_out = headlines(records)
    assert [record["sensor"] for record in kept] == ["emit", "prisma"]
    assert left_out == 8


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (accuracy, "The best of 6 tested maps, by macro-F1"),
        (unassessed, "The first of 6 maps, none of which could be tested; all of them"),
    ],
)
def test_the_index_calls_no_map_tested_without_a_truth(root, record, words):
    static = root / "resources/static"
    study = {"name": "mine", "href": "a.html", "title": "", "citation": "", "synthetic": False}
    page = render_index(
        {name: (static / f"{name}.html.j2").read_text() for name in ("index", "cards")},
        "",
        [{**study, "records": [record("a") for _ in range(6)]}],
    )
    assert words in page
    assert page.count("of 6 ") == 1


def test_the_index_has_studies_without_maps_of_classes_and_without_a_paper(root):
    static = root / "resources/static"
    study = {"href": "a.html", "title": "", "citation": ""}
    record = accuracy() | {"sensor": "emit"}
    page = render_index(
        {name: (static / f"{name}.html.j2").read_text() for name in ("index", "cards")},
        (static / "report.css").read_text(),
        [
            {**study, "name": "noise", "synthetic": False, "records": []},
            {**study, "name": "mine", "synthetic": False, "records": [record]},
        ],
    )
    assert "SYNTHETIC" not in page
    assert page.count("<table>") == 1
    assert "<td>EMIT</td><td>Spectral Angle Mapper</td>" in page
