"""Closed schemas: defaults are filled in, faults name key and fix."""

import json

import pytest
import pywt

from gossan.schema import fill_defaults, resolve, schema_faults, sound_part

METHODS = ("minerals", "mnf", "patches", "zones", "prospects", "embedding", "targets")


@pytest.fixture(scope="module")
def schema(root):
    return json.loads((root / "workflow/schemas/config.schema.json").read_text())


def all_properties(schema, root, place=""):
    for key, part in schema.get("properties", {}).items():
        part = resolve(part, root)
        yield f"{place}{key}", part
        yield from all_properties(part, root, f"{place}{key}.")
    if isinstance(schema.get("additionalProperties"), dict) and place == "studies.":
        yield from all_properties(
            resolve(schema["additionalProperties"], root), root, "studies.NAME."
        )


def test_each_key_has_a_description_and_a_default_and_objects_are_closed(schema):
    assert schema["additionalProperties"] is False
    for key, part in all_properties(schema, schema):
        assert part.get("description"), key
        section = key.removeprefix("studies.NAME.")
        if section not in (*METHODS, "mosaic") and not key.endswith(".published"):
            assert "default" in part, key
        if "properties" in part:
            assert part["additionalProperties"] is False, key


def test_an_empty_config_is_filled_and_fits(schema):
    filled = fill_defaults({}, schema)
    assert schema_faults(filled, schema) == []
    assert filled["twin"]["size_px"]["porphyry-zones"] == [147, 87]
    assert filled["studies"] == {}


def test_only_the_methods_that_stand_in_a_study_are_filled(schema):
    filled = fill_defaults({"studies": {"mine": {"zones": {}, "minerals": None}}}, schema)
    study = filled["studies"]["mine"]
    assert study["zones"]["mad"] == {"n": 1.5, "centre": "median", "side": "high"}
    assert study["minerals"]["max_angle_rad"] is None
    assert study["minerals"]["match"] == "scene"
    assert study["minerals"]["teach"] == {"model": "likelihood", "surest": 0.3}
    assert study["cube"]["atmosphere"] == ["dos1"]
    assert not {"patches", "prospects", "embedding", "targets", "mnf"} & set(study)
    assert schema_faults(filled, schema) == []


def test_filling_keeps_what_is_given(schema):
    given = {"twin": {"seed": 7}, "studies": {"a": {"minerals": {"references": ["alunite"]}}}}
    filled = fill_defaults(given, schema)
    assert filled["twin"]["seed"] == 7
    assert filled["twin"]["size_px"]["porphyry"] == 512
    assert filled["studies"]["a"]["minerals"]["references"] == ["alunite"]
    assert given == {
        "twin": {"seed": 7},
        "studies": {"a": {"minerals": {"references": ["alunite"]}}},
    }


def test_the_table_of_keys_in_the_documentation_is_that_of_the_schema(schema, root):
    documented = (root / "config/README.md").read_text()
    for key, part in all_properties(schema, schema):
        if "properties" not in part and key != "studies":
            row = f"| `{key.removeprefix('studies.NAME.')}` |"
            assert row in documented, key
            assert part["description"] in documented, key


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"twinn": {}}, "twinn: not a key; did you mean 'twin'?"),
        ({"studies": {"a": {"mineral": {}}}}, "studies.a.mineral: not a key; did you mean"),
        (
            {"studies": {"a": {"minerals": {"max_angle": 1}}}},
            "studies.a.minerals.max_angle: not a key; did",
        ),
        ({"twin": {"seed": "big"}}, "twin.seed: must be of type integer, not 'big'"),
        ({"twin": {"size_px": {"porphyry": 8}}}, "porphyry: 8 is less than the minimum of 64"),
        ({"studies": {"a": {"cube": {"atmosphere": ["flaash"]}}}}, "'flaash' is not allowed"),
        (
            {"studies": {"a": {"zones": {"alteration": {"b": [0.1, 0.2]}}}}},
            "zones.alteration.b: must be of type object",
        ),
        ({"accuracy": {"design": "cencus"}}, "accuracy.design: 'cencus' is not allowed; did you"),
        ({"studies": {"a": {"minerals": {"zones": {"b/c": ["alunite"]}}}}}, "b/c"),
        ({"studies": {"a b": {"mnf": {}}}}, "a b"),
        (
            {"studies": {"-a": {"mnf": {}}}},
            "'-a' may hold only letters, digits and hyphens, and no",
        ),
        ({"studies": {2024: {"mnf": {}}}}, "studies: the name 2024 is no text to YAML; put it in"),
        ({"studies": {"a": {"minerals": {"zones": {False: ["alunite"]}}}}}, "the name False is no"),
        ({"studies": {"a": {"cube": {"window": [0, 0, 9]}}}}, "must be empty or hold 4 items"),
        (
            {"studies": {"a": {"embedding": {"sensors": ["stack"]}}}},
            "'stack' is not allowed; choose",
        ),
        ({"studies": {"a": {"stack": {"sensors": ["stack"]}}}}, "stack.sensors.0: 'stack' is not"),
        (
            {"studies": {"a": {"zones": {"wavelet": {"name": "symm4"}}}}},
            "wavelet.name: 'symm4' is not allowed; did you mean 'sym4'?",
        ),
        (
            {"studies": {"a": {"minerals": {"sensors": ["landsatt"]}}}},
            "minerals.sensors.0: 'landsatt' is not allowed; did you mean 'landsat'?",
        ),
    ],
)
def test_faults_name_key_and_fix(schema, given, expected):
    (fault,) = schema_faults(given, schema)
    assert expected in fault


def test_the_wavelets_are_those_of_pywavelets(schema):
    assert schema["$defs"]["wavelet"]["enum"] == pywt.wavelist(kind="discrete")


def test_what_fits_stands_apart_from_what_does_not(schema):
    given = {"studies": {"a": {"mnf": {}}, "b": {"mnff": {}}, 3: {"mnf": {}}, "d": None}}
    assert sound_part(given, schema, "studies") == {"a": {"mnf": {}}}
    assert sound_part({**given, "block_px": 1}, schema, "studies") == {}
    assert sound_part({"studies": None}, schema, "studies") == {}


def test_all_faults_are_told_together(schema):
    faults = schema_faults({"twinn": {}, "block_px": 1, "twin": {"seed": -1}}, schema)
    assert len(faults) == 3
