"""Reference spectra of a study's classes at the bands of a cube, from any spectral library."""

import argparse
import logging
from pathlib import Path

from gossan.legend import read_classes
from gossan.library.readers import read_library, select_from_libraries, write_references
from gossan.library.resample import resample_classes
from gossan.raster import read_info
from gossan.tables import write_rows
from toolkit import run


def build_parser() -> argparse.ArgumentParser:
    """The command line of the tool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--library",
        nargs="+",
        type=Path,
        required=True,
        help="libraries in order of preference: USGS or ECOSTRESS folder, ENVI .sli, CSV, or the "
        "analytic table",
    )
    parser.add_argument(
        "--classes", type=Path, required=True, help="class table: code,name,label,colour,…,record"
    )
    parser.add_argument(
        "--cube", type=Path, required=True, help="raster with band wavelengths and a SENSOR tag"
    )
    parser.add_argument("--references", type=Path, required=True, help="table of spectra to write")
    parser.add_argument(
        "--records", type=Path, required=True, help="table to write of the spectrum that each took"
    )
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read the libraries, resample each class's spectrum and write the tables."""
    info = read_info(arguments.cube)
    classes = read_classes(arguments.classes)
    libraries = [read_library(path) for path in arguments.library]
    picked = {
        entry.name: select_from_libraries(libraries, entry.name, entry.record) for entry in classes
    }
    references = resample_classes(
        {name: spectrum for name, (_, spectrum) in picked.items()},
        info.bands,
        info.tags.get("SENSOR"),
        what=str(arguments.cube),
    )
    write_references(arguments.references, references)
    left_out = [name for name in info.bands.names if name not in references.band]
    if left_out:
        logging.info("bands left out, over which a record has no values: %s", " ".join(left_out))
    rows = [
        {
            "name": name,
            "library": "analytic" if spectrum.modelled else arguments.library[place].name,
            "record": spectrum.name,
        }
        for name, (place, spectrum) in picked.items()
    ]
    write_rows(arguments.records, ("name", "library", "record"), rows)


if __name__ == "__main__":
    run(build_parser(), main)
