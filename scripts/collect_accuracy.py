"""Collect the accuracy records of a study's maps into one file, checked against its schema."""

import argparse
from pathlib import Path

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from gossan.accuracy.record import list_records
from gossan.errors import InputError
from gossan.files import read_json, write_json
from gossan.schema import schema_faults
from toolkit import FROM_FILE, run

SCHEMA = Path(__file__).resolve().parents[1] / "workflow" / "schemas" / "accuracy.schema.json"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, fromfile_prefix_chars=FROM_FILE)
    parser.add_argument("--study", required=True, help="study id")
    parser.add_argument(
        "--records",
        nargs=3,
        action="append",
        default=[],
        metavar=("SECTION", "SENSOR", "PATH"),
        help="the study's section that made a map, its sensor or stack, and its accuracy record "
        "(JSON) or a folder of such; once for each (default: none, of a study without class maps)",
    )
    parser.add_argument(
        "--schema", type=Path, default=SCHEMA, help="schema of the file to write (JSON Schema)"
    )
    parser.add_argument("--output", type=Path, required=True, help="file to write (JSON)")
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read the records, check them one by one and write them together."""
    schema = read_json(arguments.schema)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise InputError(
            f"{arguments.schema}: not a JSON Schema ({error.message[:200]}); put the shipped one "
            "back"
        ) from error
    records, seen = [], {}
    for section, sensor, place in arguments.records:
        for path in list_records([Path(place)]):
            read = read_json(path)
            if not isinstance(read, dict):
                raise InputError(f"{path}: not an accuracy record; make it again")
            record = {"scene": read.get("scene"), "section": section, "sensor": sensor, **read}
            faults = schema_faults({"study": arguments.study, "records": [record]}, schema)
            if faults:
                raise InputError(
                    f"{path}: not an accuracy record: {'; '.join(faults)}; make it again"
                )
            key = (record["scene"], section, sensor, record["method"])
            if key in seen:
                raise InputError(
                    f"{path}: {section} on {sensor} of scene {key[0]!r} with method "
                    f"{record['method']!r} is already in "
                    f"{seen[key]}; give each record once"
                )
            seen[key] = path
            records.append(record)
    write_json(arguments.output, {"study": arguments.study, "records": records})


if __name__ == "__main__":
    run(build_parser(), main)
