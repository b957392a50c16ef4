import json

import pytest

from gossan.config import config_faults, fill_defaults, group_scenes, read_scenes, schema_faults
from gossan.errors import InputError

NAMES = ["alunite", "calcite", "chlorite", "epidote", "feldspar", "muscovite"]


@pytest.fixture(scope="module")
def schema(root):
    return json.loads((root / "workflow/schemas/config.schema.json").read_text())


@pytest.fixture(scope="module")
def row_schema(root):
    return json.loads((root / "workflow/schemas/scenes.schema.json").read_text())


def all_properties(schema, place=""):
    for key, part in schema.get("properties", {}).items():
        yield f"{place}{key}", part
        yield from all_properties(part, f"{place}{key}.")


def test_each_key_has_description_and_default_and_objects_are_closed(schema):
    assert schema["additionalProperties"] is False
    for key, part in all_properties(schema):
        assert part.get("description"), key
        assert "default" in part, key
        if "properties" in part:
            assert part["additionalProperties"] is False, key


def test_an_empty_config_is_filled_and_fits(schema):
    filled = fill_defaults({}, schema)
    assert schema_faults(filled, schema) == []
    assert filled["twin"]["size_px"]["aster"] == [147, 87]
    assert filled["studies"]["zafarghand"]["mad"] == {"n": 1.5, "centre": "median", "side": "high"}
    assert filled["studies"]["gilgit"]["max_angle_rad"] == 0.1


def test_filling_keeps_what_is_given(schema):
    given = {"twin": {"seed": 7}, "studies": {"gilgit": {"references": ["alunite", "chlorite"]}}}
    filled = fill_defaults(given, schema)
    assert filled["twin"]["seed"] == 7
    assert filled["twin"]["size_px"]["landsat"] == 512
    assert filled["studies"]["gilgit"]["references"] == ["alunite", "chlorite"]
    assert given == {
        "twin": {"seed": 7},
        "studies": {"gilgit": {"references": ["alunite", "chlorite"]}},
    }


def test_the_table_of_keys_in_the_documentation_is_complete(schema, root):
    documented = (root / "config/README.md").read_text()
    for key, part in all_properties(schema):
        if "properties" not in part:
            assert f"`{key}`" in documented, key


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"twinn": {}}, "twinn: not a key; did you mean 'twin'?"),
        ({"studies": {"gilgit": {"max_angle": 1}}}, "studies.gilgit.max_angle: not a key; did"),
        ({"twin": {"seed": "big"}}, "twin.seed: must be of type integer, not 'big'"),
        ({"twin": {"size_px": {"landsat": 8}}}, "landsat: 8 is less than the minimum of 64"),
        ({"studies": {"zafarghand": {"atmosphere": ["flaash"]}}}, "'flaash' is not allowed"),
        (
            {"studies": {"zafarghand": {"zones": {"a": [0.1, 0.2]}}}},
            "zones.a: must be of type object",
        ),
        ({"accuracy": {"design": "cencus"}}, "accuracy.design: 'cencus' is not allowed; did you"),
        ({"studies": {"gilgit": {"zones": {"a/b": ["alunite"]}}}}, "a/b"),
    ],
)
def test_schema_faults_name_key_and_fix(schema, given, expected):
    (fault,) = schema_faults(given, schema)
    assert expected in fault


def test_all_faults_are_told_together(schema):
    faults = schema_faults({"twinn": {}, "block_px": 1, "twin": {"seed": -1}}, schema)
    assert len(faults) == 3


def test_unknown_minerals_members_and_sources_are_told(schema, tmp_path):
    settings = fill_defaults(
        {
            "library": {"sources": [str(tmp_path / "absent")]},
            "studies": {
                "gilgit": {
                    "references": ["alunit", "chlorite"],
                    "zones": {"inner": ["feldspat"]},
                    "max_angle_rad_of": {"chlorit": 0.1},
                }
            },
        },
        schema,
    )
    text = "\n".join(config_faults(settings, NAMES))
    assert "unknown mineral 'alunit'; did you mean 'alunite'?" in text
    assert "zones.inner: unknown mineral 'feldspat'; did you mean 'feldspar'?" in text
    assert "max_angle_rad_of: 'chlorit' is not among" in text
    assert "absent does not exist" in text


@pytest.mark.parametrize(
    ("study", "settings", "expected"),
    [
        ("gilgit", {"atmosphere": ["iarr"]}, "gilgit.normalisation: clip would cut what iarr"),
        (
            "gilgit",
            {"cnn": {"run": True, "labels": ["feldspar", "chalcosite"]}},
            "cnn.labels: 'chalcosite' is not among this study's references; did you mean",
        ),
        ("bahia", {"mines": "no.gpkg"}, "mines: no.gpkg does not exist"),
        ("bahia", {"points": {"train": "no.csv"}}, "points.train: no.csv does not exist"),
        ("zafarghand", {"window": [0, 0, 9, 9], "polygon": "."}, "window: stands beside polygon"),
        ("zafarghand", {"polygon": "no.gpkg"}, "polygon: no.gpkg does not exist"),
        ("zafarghand", {"score": {"model": "no.json"}}, "score.model: no.json does not exist"),
        ("cuprite", {"spectra": {"test": "."}}, "training, test and sensors go together"),
        (
            "cuprite",
            {"spectra": {"training": ".", "test": "no.npz", "sensors": "."}},
            "spectra.test: no.npz does not exist",
        ),
        (
            "zafarghand",
            {"zones": {"a": {"medium": [0.5, 0.3], "high": [0, 1], "minerals": ["alunite"]}}},
            "zones.a.medium: [0.5, 0.3] is no range",
        ),
        (
            "zafarghand",
            {"zones": {"a": {"medium": [0, 0.3], "high": [0.3, 1], "minerals": ["alunit"]}}},
            "zones.a: unknown mineral 'alunit'; did you mean 'alunite'?",
        ),
    ],
)
def test_faults_between_keys_are_told(schema, study, settings, expected):
    filled = fill_defaults({"studies": {study: settings}}, schema)
    names = [
        *filled["studies"]["gilgit"]["references"],
        *filled["studies"]["cuprite"]["references"],
    ]
    (fault,) = config_faults(filled, names)
    assert expected in fault


def write_table(folder, *rows, header="scene\tstudy\tsensor\tproduct\treference"):
    path = folder / "scenes.tsv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_a_good_table_has_no_fault(tmp_path, row_schema):
    path = write_table(tmp_path, "# a comment", "a-1\tgilgit\tlandsat\ttwin\ttwin")
    rows, faults = read_scenes(path, row_schema)
    assert faults == []
    assert rows[0]["scene"] == "a-1"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("a/b\tgilgit\tlandsat\ttwin\ttwin", "scene: 'a/b' may hold only letters, digits"),
        ("a\tgilgt\tlandsat\ttwin\t", "study: 'gilgt' is not allowed; did you mean 'gilgit'?"),
        ("a\tgilgit\tlandsat\tnowhere.tar\t", "product: nowhere.tar does not exist"),
        ("a\tgilgit\tlandsat\ttwin\tnowhere.gpkg", "reference: nowhere.gpkg does not exist"),
        ("a\tgilgit\tlandsat", "has not 5 columns"),
        ("a gilgit landsat twin twin", "has not 5 columns"),
        ("a\tgilgit\tlandsat\t\t", "product"),
        ("a\tgilgit\taster\ttwin\t", "sensor: gilgit does not run on 'aster'; give landsat"),
    ],
)
def test_faults_of_a_row_name_table_row_and_column(tmp_path, row_schema, row, expected):
    path = write_table(tmp_path, row)
    _, faults = read_scenes(path, row_schema)
    assert len(faults) == 1
    assert f"{path}, line 2" in faults[0]
    assert expected in faults[0]


def test_an_empty_last_column_may_be_missing(tmp_path, row_schema):
    rows, faults = read_scenes(write_table(tmp_path, "a\tgilgit\tlandsat\ttwin"), row_schema)
    assert faults == []
    assert rows[0]["reference"] == ""


def test_a_scene_listed_twice_is_told(tmp_path, row_schema):
    row = "a\tgilgit\tlandsat\ttwin\ttwin"
    _, faults = read_scenes(write_table(tmp_path, row, row), row_schema)
    assert len(faults) == 1
    assert "'a' is listed twice" in faults[0]


def test_a_scene_of_several_sensors_has_a_row_for_each(tmp_path, row_schema):
    rows = [f"a\tcuprite\t{sensor}\ttwin\ttwin" for sensor in ("emit", "worldview3")]
    rows, faults = read_scenes(write_table(tmp_path, *rows), row_schema)
    assert faults == []
    scenes = group_scenes(rows)
    assert scenes["a"]["products"] == {"emit": "twin", "worldview3": "twin"}
    assert scenes["a"]["sensor"] == "several"


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ("a\tcuprite\temit\ttwin\ttwin", "two rows of emit"),
        ("a\tcuprite\tenmap\ttwin\t", "must have the same"),
        ("a\tcuprite\tenmap\t.\t", "for all rows of 'a' or for none"),
        ("a\tgilgit\tlandsat\ttwin\ttwin", "'a' is listed twice"),
    ],
)
def test_rows_of_one_scene_must_go_together(tmp_path, row_schema, second, expected):
    table = write_table(tmp_path, "a\tcuprite\temit\ttwin\ttwin", second)
    _, faults = read_scenes(table, row_schema)
    assert any(f"{table}, line 3" in fault and expected in fault for fault in faults)


def test_twin_truth_needs_a_twin_product(tmp_path, row_schema):
    row = f"a\tgilgit\tlandsat\t{tmp_path}\ttwin"
    _, faults = read_scenes(write_table(tmp_path, row), row_schema)
    assert "goes only with product `twin`" in faults[0]


def test_wrong_columns_empty_tables_and_missing_files_are_told(tmp_path, row_schema):
    _, faults = read_scenes(write_table(tmp_path, header="scene,study"), row_schema)
    assert "the first line must be these columns" in faults[0]
    _, faults = read_scenes(write_table(tmp_path), row_schema)
    assert "lists no scene" in faults[0]
    with pytest.raises(InputError, match=r"absent\.tsv"):
        read_scenes(tmp_path / "absent.tsv", row_schema)
