import json

import jsonschema
import pytest
from samples import make_maps, make_record, run_tool


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    return make_record(make_maps(tmp_path_factory.mktemp("scene")))


def collect(output, *records, sensor="landsat"):
    told = [word for record in records for word in ("--records", "minerals", sensor, record)]
    return run_tool("collect_accuracy", "--study", "mine", *told, "--output", output)


def test_records_are_collected_in_their_order(record, tmp_path, root):
    other = json.loads(record.read_text()) | {"scene": "another"}
    (tmp_path / "b.json").write_text(json.dumps(other))
    done = collect(tmp_path / "accuracy.json", record, tmp_path / "b.json")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "accuracy.json").read_text())
    assert found["study"] == "mine"
    assert {item["sensor"] for item in found["records"]} == {"landsat"}
    assert [item["scene"] for item in found["records"]] == ["tiny", "another"]
    schema = json.loads((root / "workflow/schemas/accuracy.schema.json").read_text())
    jsonschema.validate(found, schema)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda item: item.pop("scores"), "scores"),
        (lambda item: item.update(extra=1), "extra"),
        (lambda item: item["scores"]["kappa"].update(value="high"), "records.0.scores.kappa.value"),
        (lambda item: item["scores"]["kappa"].update(low=-1e30), "records.0.scores.kappa.low"),
        (lambda item: item.pop("assessed"), "assessed"),
    ],
)
def test_a_record_that_breaks_the_schema_is_named(record, tmp_path, change, said):
    item = json.loads(record.read_text())
    change(item)
    (tmp_path / "bad.json").write_text(json.dumps(item))
    done = collect(tmp_path / "accuracy.json", tmp_path / "bad.json")
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    assert "bad.json" in message
    assert said in message
    assert not (tmp_path / "accuracy.json").exists()


def test_a_record_given_twice_is_refused(record, tmp_path):
    done = collect(tmp_path / "accuracy.json", record, record)
    assert done.returncode == 1
    assert "already in" in done.stderr


def test_maps_of_two_sensors_are_told_apart(record, tmp_path):
    done = run_tool(
        *("collect_accuracy", "--study", "mine", "--records", "minerals", "aster", record),
        *("--records", "minerals", "emit", record, "--records", "embedding", "emit", record),
        *("--output", tmp_path / "accuracy.json"),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "accuracy.json").read_text())["records"]
    assert [(item["section"], item["sensor"]) for item in found] == [
        ("minerals", "aster"),
        ("minerals", "emit"),
        ("embedding", "emit"),
    ]


def test_a_study_without_class_maps_has_no_record(tmp_path, root):
    assert collect(tmp_path / "accuracy.json").returncode == 0
    found = json.loads((tmp_path / "accuracy.json").read_text())
    assert found == {"study": "mine", "records": []}
    schema = json.loads((root / "workflow/schemas/accuracy.schema.json").read_text())
    jsonschema.validate(found, schema)


@pytest.mark.parametrize("content", ["{", "[]", None])
def test_a_broken_or_missing_file_is_named(tmp_path, content):
    path = tmp_path / "bad.json"
    if content is not None:
        path.write_text(content)
    done = collect(tmp_path / "accuracy.json", path)
    assert done.returncode == 1
    assert "bad.json" in done.stderr.splitlines()[-1]


def test_a_schema_that_is_none_is_named(tmp_path):
    schema = tmp_path / "own.schema.json"
    schema.write_text('{"type": "object", "properties": {"a": {"type": "nothing"}}}')
    done = run_tool(
        "collect_accuracy",
        *("--study", "mine", "--schema", schema, "--output", tmp_path / "accuracy.json"),
    )
    assert done.returncode == 1
    assert "own.schema.json: not a JSON Schema" in done.stderr.splitlines()[-1]


def test_the_schema_is_closed_and_described(root):
    schema = json.loads((root / "workflow/schemas/accuracy.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)

    def visit(node, place):
        if isinstance(node, dict):
            if "properties" in node and place.rsplit(".", 1)[-1] != "if":
                assert node.get("additionalProperties") is False, place
                for name, part in node["properties"].items():
                    assert part.get("description"), f"{place}.{name}"
            for name, part in node.items():
                visit(part, f"{place}.{name}")

    visit(schema, "")
