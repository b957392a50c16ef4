"""Collect the accuracy records of a study's maps into one file, checked against its schema."""

import argparse
from pathlib import Path

from gossan.accuracy.record import list_records
from gossan.config import schema_faults
from gossan.errors import InputError
from gossan.files import read_json, write_json
from toolkit import run

SCHEMA = Path(__file__).resolve().parents[1] / "workflow" / "schemas" / "accuracy.schema.json"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", required=True, help="study id")
    parser.add_argument(
        "--records",
        type=Path,
        nargs="+",
        required=True,
        help="accuracy records (JSON), or folders of them",
    )
    parser.add_argument(
        "--schema", type=Path, default=SCHEMA, help="schema of the file to write (JSON Schema)"
    )
    parser.add_argument("--output", type=Path, required=True, help="file to write (JSON)")
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read the records, check them one by one and write them together."""
    schema = read_json(arguments.schema)
    records, seen = [], {}
    for path in list_records(arguments.records):
        record = read_json(path)
        faults = schema_faults({"study": arguments.study, "records": [record]}, schema)
        if faults:
            raise InputError(f"{path}: not an accuracy record: {'; '.join(faults)}; make it again")
        key = (record["scene"], record["method"])
        if key in seen:
            raise InputError(
                f"{path}: scene {key[0]!r} with method {key[1]!r} is already in {seen[key]}; "
                "give each record once"
            )
        seen[key] = path
        records.append(record)
    write_json(arguments.output, {"study": arguments.study, "records": records})


if __name__ == "__main__":
    run(build_parser(), main)
