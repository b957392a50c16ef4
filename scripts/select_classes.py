"""Write a study's class table: the chosen minerals with code, colour, record and threshold."""

import argparse
import csv
import io
from pathlib import Path

from gossan.errors import InputError
from gossan.files import write_text
from gossan.legend import read_classes
from toolkit import run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minerals", type=Path, required=True, help="table of all classes (CSV)")
    parser.add_argument("--references", nargs="+", required=True, help="names of the classes")
    parser.add_argument(
        "--max-angle-rad",
        type=float,
        help="largest angle of any reference (default: none is set)",
    )
    parser.add_argument(
        "--max-angle-rad-of",
        nargs="*",
        default=[],
        metavar="NAME=RAD",
        help="largest angle of a single reference",
    )
    parser.add_argument("--classes", type=Path, required=True, help="class table to write (CSV)")
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read the table of all classes and write the chosen rows."""
    known = {item.name: item for item in read_classes(arguments.minerals)}
    own = dict(pair.split("=", 1) for pair in arguments.max_angle_rad_of)
    for name in [*arguments.references, *own]:
        if name not in known:
            raise InputError(f"{arguments.minerals}: has no class {name!r}; correct its name")
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["code", "name", "label", "kind", "colour", "record", "max_angle_rad"])
    for name in arguments.references:
        item = known[name]
        angle = own.get(name, arguments.max_angle_rad)
        writer.writerow(
            [
                item.code,
                name,
                item.label,
                item.kind,
                item.colour,
                item.record,
                angle and float(angle),
            ]
        )
    write_text(arguments.classes, table.getvalue())


if __name__ == "__main__":
    run(build_parser(), main)
