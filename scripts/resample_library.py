"""Reference spectra of a study's classes at the bands of a cube, from any spectral library."""

import argparse
from pathlib import Path

from gossan.legend import read_classes
from gossan.libraries import read_library, write_references
from gossan.raster import read_info
from gossan.resample import resample_classes
from toolkit import run


def build_parser() -> argparse.ArgumentParser:
    """The command line of the tool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--library",
        nargs="+",
        type=Path,
        required=True,
        help="libraries: USGS or ECOSTRESS folder, ENVI .sli, CSV, or the analytic table",
    )
    parser.add_argument(
        "--classes", type=Path, required=True, help="class table: code,name,label,colour,…,record"
    )
    parser.add_argument(
        "--cube", type=Path, required=True, help="raster with band wavelengths and a SENSOR tag"
    )
    parser.add_argument("--references", type=Path, required=True, help="table of spectra to write")
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read the library, resample each class's spectrum and write the table."""
    info = read_info(arguments.cube)
    classes = read_classes(arguments.classes)
    spectra = [spectrum for path in arguments.library for spectrum in read_library(path)]
    references = resample_classes(
        spectra,
        [(entry.name, entry.record) for entry in classes],
        info.bands,
        info.tags.get("SENSOR"),
        what=str(arguments.cube),
    )
    write_references(arguments.references, references)


if __name__ == "__main__":
    run(build_parser(), main)
