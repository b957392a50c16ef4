"""How far records of one mineral differ among themselves, from libraries with several of each."""

import argparse
from pathlib import Path

from gossan.errors import InputError
from gossan.legend import read_classes
from gossan.library.readers import read_library, select_all
from gossan.library.separability import measure_spread, write_spread
from toolkit import run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--library", nargs="+", type=Path, required=True, help="folders or files of real spectra"
    )
    parser.add_argument(
        "--minerals", type=Path, required=True, help="class table; covers are passed over"
    )
    parser.add_argument("--spread", type=Path, required=True, help="table of spread to write")
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read the libraries, measure the spread and write it."""
    libraries = [read_library(path) for path in arguments.library]
    records = {}
    for entry in read_classes(arguments.minerals):
        if entry.kind == "mineral":
            try:
                records[entry.name] = [
                    one for _, one in select_all(libraries, entry.name, entry.record)
                ]
            except InputError:
                print(f"{entry.name}: no record")
    write_spread(arguments.spread, measure_spread(records))


if __name__ == "__main__":
    run(build_parser(), main)
