"""Faults between keys, files and names, which no schema can see."""

import json

import pytest

from gossan.config import (
    config_faults,
    favourable_minerals,
    libraries_of,
    merge,
    minerals_named,
    repeated_keys,
)
from gossan.legend import read_classes
from gossan.schema import fill_defaults, schema_faults


@pytest.fixture(scope="module")
def schema(root):
    return json.loads((root / "workflow/schemas/config.schema.json").read_text())


@pytest.fixture(scope="module")
def known(root):
    return read_classes(root / "resources/static/minerals.csv")


@pytest.fixture
def faults_of(schema, known):
    def find(**study):
        filled = fill_defaults({"studies": {"mine": study}}, schema)
        assert schema_faults(filled, schema) == []
        return config_faults(filled, known, ["paper-one"])

    return find


def test_a_study_of_one_method_has_no_fault(faults_of):
    for method in ("minerals", "mnf", "zones", "prospects", "embedding"):
        assert faults_of(**{method: {}}) == []


@pytest.mark.parametrize(
    ("study", "expected"),
    [
        ({}, "studies.mine: has no method; add a section: minerals, mnf"),
        ({"paper": "paper-two", "mnf": {}}, "paper: 'paper-two' is not known; did you mean"),
        (
            {"cube": {"atmosphere": ["iarr"]}, "mnf": {}},
            "cube.normalisation: clip would cut what iarr",
        ),
        ({"zones": {"normalisation": "clip", "atmosphere": ["iarr"]}}, "zones.normalisation: clip"),
        (
            {"minerals": {}, "patches": {"labels": ["feldspar", "chalcosite"]}},
            "patches.labels: 'chalcosite' is not among minerals.references; did you mean",
        ),
        ({"patches": {}}, "patches: needs a mineral map; add the section minerals"),
        ({"mnf": {}, "targets": {}}, "targets: needs maps"),
        (
            {"prospects": {"points": {"train": "."}}, "targets": {}},
            "targets: needs maps; add the section minerals, zones or embedding, or prospects with",
        ),
        (
            {"minerals": {}, "targets": {"minerals": ["alunite", "jarosite"]}},
            "targets.minerals: 'jarosite' is on no map; add it to the references",
        ),
        (
            {"zones": {}, "targets": {"zones": ["phyllic", "skarn"]}},
            "targets.zones: 'skarn' is no zone of zones.alteration; it has phyllic, propylitic",
        ),
        ({"prospects": {"points": {"test": "."}}}, "points.test: goes with train"),
        ({"prospects": {"strata": {"counts": [9]}}}, "4 distances_m and 1 counts; give a count"),
        ({"prospects": {"mines": "no.gpkg"}}, "prospects.mines: no.gpkg does not exist"),
        ({"prospects": {"points": {"train": "no.csv"}}}, "points.train: no.csv does not exist"),
        ({"prospects": {"model": "no.npz"}}, "prospects.model: no.npz does not exist"),
        ({"cube": {"window": [0, 0, 9, 9], "polygon": "."}, "mnf": {}}, "window: stands beside"),
        ({"cube": {"polygon": "no.gpkg"}, "mnf": {}}, "cube.polygon: no.gpkg does not exist"),
        ({"zones": {"score": {"model": "no.json"}}}, "score.model: no.json does not exist"),
        ({"embedding": {"spectra": {"test": "."}}}, "training, test and sensors go together"),
        (
            {"embedding": {"spectra": {"training": ".", "test": "no.npz", "sensors": "."}}},
            "embedding.spectra.test: no.npz does not exist",
        ),
        (
            {"embedding": {"sensors": ["emit"]}, "stack": {"sensors": ["enmap"]}},
            "embedding.sensors: are not those of stack.sensors",
        ),
        (
            {
                "zones": {
                    "alteration": {
                        "a": {"medium": [0.5, 0.3], "high": [0, 1], "minerals": ["alunite"]}
                    }
                }
            },
            "zones.alteration.a.medium: [0.5, 0.3] is no range",
        ),
        (
            {
                "minerals": {},
                "patches": {"published": {"patches": 20, "rotations": 4, "images": 161}},
            },
            "patches.published.images: 20 patches make 160 copies; keep as many at most",
        ),
        (
            {"zones": {"published": {}, "normalisation": "none"}},
            "zones.published: the bands are not scaled to 0–1 (zones.normalisation: none)",
        ),
        (
            {"zones": {"published": {"mad": {"side": "both"}}}},
            "zones.published.mad.side: both anomalies are near the 0 of what is none",
        ),
        (
            {
                "zones": {
                    "published": {},
                    "alteration": {
                        "a": {"medium": [0, 0.5], "high": [0.5, 1], "minerals": ["alunite"]}
                    },
                }
            },
            "zones.published.alteration: has ranges of phyllic, propylitic, where zones.alteration "
            "has the zones a; give ranges of the same zones",
        ),
        (
            {
                "zones": {
                    "published": {
                        "alteration": {
                            "phyllic": {"medium": [0.7, 0.6], "high": [0.7, 1]},
                            "propylitic": {"medium": [0.3, 0.5], "high": [0.5, 0.65]},
                        }
                    }
                }
            },
            "zones.published.alteration.phyllic.medium: [0.7, 0.6] is no range",
        ),
        (
            {
                "zones": {
                    "alteration": {
                        "a": {"medium": [0, 0.3], "high": [0.3, 1], "minerals": ["alunit"]}
                    }
                }
            },
            "zones.alteration.a: unknown mineral 'alunit'; did you mean 'alunite'?",
        ),
        (
            {"prospects": {"potential": {"medium": 0.8, "high": 0.2}}},
            "prospects.potential: medium lies above high",
        ),
    ],
)
def test_faults_between_keys_are_told(faults_of, study, expected):
    (fault,) = faults_of(**study)
    assert fault.startswith("studies.mine")
    assert expected in fault


def test_unknown_minerals_members_and_libraries_are_told_together(faults_of, tmp_path):
    text = "\n".join(
        faults_of(
            library=[str(tmp_path / "absent")],
            minerals={
                "references": ["alunit", "chlorite"],
                "zones": {"inner": ["feldspat"]},
                "max_angle_rad_of": {"chlorit": 0.1},
            },
        )
    )
    assert "unknown mineral 'alunit'; did you mean 'alunite'?" in text
    assert "minerals.zones.inner: unknown mineral 'feldspat'; did you mean 'feldspar'?" in text
    assert "max_angle_rad_of: 'chlorit' is not among" in text
    assert "absent does not exist" in text


def test_a_library_without_a_mineral_asked_for_is_told(faults_of, tmp_path):
    library = tmp_path / "mine.csv"
    library.write_text("wavelength_um,alunite,Calcite WS272\n0.4,0.1,0.2\n2.5,0.2,0.3\n")
    minerals = {"references": ["alunite", "calcite", "epidote"]}
    (fault,) = faults_of(library=[str(library)], minerals=minerals)
    assert "minerals: no library has a spectrum of 'epidote'" in fault
    assert faults_of(library=[str(library), "analytic"], minerals=minerals) == []
    minerals = {**minerals, "library": [str(library)]}
    assert len(faults_of(minerals=minerals)) == 1


def test_a_name_late_in_the_header_of_a_large_library_is_found(faults_of, tmp_path):
    names = ", ".join(f"mineral number {number} of the library" for number in range(9000))
    (tmp_path / "mine.sli").touch()
    (tmp_path / "mine.hdr").write_text(f"ENVI\nspectra names = {{{names}, alunite, calcite}}\n")
    minerals = {"references": ["alunite", "calcite"]}
    for library in (tmp_path / "mine.sli", tmp_path):
        assert faults_of(library=[str(library)], minerals=minerals) == []


def test_both_files_of_an_embedding_of_another_scene_must_be_there(faults_of, tmp_path):
    (tmp_path / "networks/masked").mkdir(parents=True)
    (tmp_path / "networks/masked/model.onnx").touch()
    (fault,) = faults_of(embedding={"model": str(tmp_path)})
    assert f"embedding.model: {tmp_path}/assessment/thresholds.json does not exist" in fault


def test_a_method_counts_those_of_its_minerals_that_are_favourable(schema):
    study = {
        "minerals": {"references": ["alunite", "calcite"]},
        "embedding": {"references": ["goethite", "jarosite"]},
        "targets": {"minerals": ["alunite"]},
    }
    filled = fill_defaults({"studies": {"mine": study}}, schema)["studies"]["mine"]
    assert favourable_minerals(filled, "minerals") == ["alunite"]
    assert favourable_minerals(filled, "embedding") == []
    filled["targets"]["minerals"] = []
    # Calcite is the rock of whole mountains, goethite the colour of deserts.
    assert favourable_minerals(filled, "minerals") == ["alunite"]
    assert favourable_minerals(filled, "embedding") == ["jarosite"]
    filled["minerals"]["references"], filled["embedding"]["references"] = ["calcite"], ["goethite"]
    assert favourable_minerals(filled, "minerals") == ["calcite"]
    assert favourable_minerals(filled, "embedding") == ["goethite"]


def test_a_mineral_of_the_users_own_is_known(faults_of, tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("name,label,colour,record\nzunyite,Zunyite,#123456,Zunyite_1\n")
    library = tmp_path / "mine.csv"
    library.write_text("wavelength_um,Zunyite_1,alunite\n0.4,0.1,0.1\n2.5,0.2,0.2\n")
    study = {"minerals": {"references": ["zunyite", "alunite"]}, "library": [str(library)]}
    assert faults_of(classes=str(own), **study) == []
    (fault,) = faults_of(**study)
    assert "unknown mineral 'zunyite'" in fault


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("zunyite,7,#123456", "zunyite: code 7 is"),
        ("zunyite,,#730000", "colour #730000 is"),
        ("zunyite,,", "a new mineral needs a colour"),
        ("zunyite,300,#123456", "code 300 is reserved or too large"),
        ("alunite,,red", "colour 'red' is not of the form"),
        ("alunite,,\nalunite,,", "'alunite' stands twice"),
        (
            "zunyite,200,#123456,wet",
            " line 2: 4 columns where the header has 3",
        ),
    ],
)
def test_a_wrong_class_table_is_told(faults_of, tmp_path, rows, expected):
    own = tmp_path / "own.csv"
    own.write_text(f"name,code,colour\n{rows}\n")
    (fault,) = faults_of(classes=str(own), mnf={})
    assert fault.startswith(f"studies.mine.classes: {own}")
    assert expected in fault


def test_an_unknown_column_of_a_class_table_is_told(faults_of, tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("name,color\nalunite,#123456\n")
    (fault,) = faults_of(classes=str(own), mnf={})
    assert "has the column color; its columns may be name, code" in fault


def test_a_key_that_stands_twice_is_told_with_its_line(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("studies:\n  a: {mnf: {}}\n  b: {mnf: {}}\n  a: {zones: {}}\n")
    assert repeated_keys(path) == [f"{path}, line 4: studies.a stands twice; keep one"]
    path.write_text("studies:\n  a: {mnf: {}}\n  b: {mnf: {}}\n")
    assert repeated_keys(path) == []


def test_a_method_takes_its_own_library_or_the_studys(schema):
    study = {"library": ["a"], "minerals": {}, "zones": {"library": ["b", "analytic"]}}
    filled = fill_defaults({"studies": {"mine": study}}, schema)["studies"]["mine"]
    assert libraries_of(filled, "minerals") == ["a"]
    assert libraries_of(filled, "zones") == ["b", "analytic"]
    assert minerals_named(filled, "zones") == ["muscovite", "chlorite", "epidote", "calcite"]


def test_a_borrowed_embedding_brings_the_networks_of_its_regions(faults_of, tmp_path):
    for name in ("networks/masked/model.onnx", "assessment/thresholds.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (fault,) = faults_of(embedding={"model": str(tmp_path), "regions": {"names": ["2um"]}})
    assert fault.endswith(f"{tmp_path}/networks/2um/model.onnx does not exist; correct the path")


def test_an_empty_mapping_takes_back_what_an_earlier_file_says():
    first = {"a": {"zones": {"x": 1, "y": 2}, "list": [1, 2], "keep": {"k": 1}}, "b": {"c": 1}}
    second = {"a": {"zones": {}, "list": [], "keep": {"m": 2}}}
    both = merge(first, second)
    assert both == {"a": {"zones": {}, "list": [], "keep": {"k": 1, "m": 2}}, "b": {"c": 1}}
    assert merge(both, {"a": {"zones": {"z": 3}}})["a"]["zones"] == {"z": 3}
    assert merge(both, {"b": {}})["b"] == {}


def test_what_the_scene_may_give_no_library_needs(faults_of, tmp_path):
    library, points = tmp_path / "library.csv", tmp_path / "points.csv"
    library.write_text("wavelength_um,calcite\n0.5,0.5\n")
    points.touch()
    minerals = {"references": ["calcite", "alunite"], "library": [str(library)]}
    (fault,) = faults_of(minerals=minerals)
    assert "no library has a spectrum of 'alunite'" in fault
    assert faults_of(minerals={**minerals, "from_scene": str(points)}) == []
    (fault,) = faults_of(minerals={**minerals, "from_scene": "no.csv"})
    assert fault.endswith("minerals.from_scene: no.csv does not exist; correct the path")
