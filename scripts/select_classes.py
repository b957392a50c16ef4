"""Write a class table: all classes that a study knows, or the minerals that a method looks for."""

import argparse
import csv
import io
import logging
from pathlib import Path

from gossan.colours import near_classes
from gossan.errors import InputError
from gossan.files import write_text
from gossan.legend import merge_classes, read_classes, read_own_classes
from toolkit import run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minerals", type=Path, required=True, help="table of all classes (CSV)")
    parser.add_argument(
        "--own",
        type=Path,
        help="class table of the user's (CSV), which adds classes or changes those of --minerals",
    )
    parser.add_argument(
        "--references", nargs="+", help="names of the classes to write (default: all)"
    )
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
    """Read the tables of classes and write the chosen rows."""
    classes = read_classes(arguments.minerals)
    own: list[dict[str, str]] = []
    if arguments.own is not None:
        own = read_own_classes(arguments.own)
        classes, faults = merge_classes(classes, own)
        if faults:
            raise InputError(f"{arguments.own}: {'; '.join(faults)}")
    known = {item.name: item for item in classes}
    angles = dict(pair.rsplit("=", 1) for pair in arguments.max_angle_rad_of)
    for name in [*(arguments.references or []), *angles]:
        if name not in known:
            raise InputError(f"{arguments.minerals}: has no class {name!r}; correct its name")
    coloured = {row["name"] for row in own if row.get("colour")}
    written = [known[name] for name in arguments.references or known]
    # All that a study knows stand on no map together.
    for one, other, _ in near_classes(written) if arguments.references else ():
        if coloured & {one.name, other.name}:
            logging.warning(
                "%s: %s (%s) and %s (%s) look alike to readers who are blind to red and green; "
                "take a colour of another lightness",
                *(arguments.own, one.name, one.colour, other.name, other.colour),
            )
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["code", "name", "label", "kind", "colour", "record", "group", "max_angle_rad"])
    for item in written:
        angle = angles.get(item.name, arguments.max_angle_rad)
        writer.writerow(
            [
                item.code,
                item.name,
                item.label,
                item.kind,
                item.colour,
                item.record,
                item.group,
                angle and float(angle),
            ]
        )
    write_text(arguments.classes, table.getvalue())


if __name__ == "__main__":
    run(build_parser(), main)
