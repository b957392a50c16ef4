"""A simulated scene as an ASTER L1T product, its truth as a class raster, its zones as polygons."""

import argparse
from pathlib import Path

from toolkit import add_ground, check_ground, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add(
        "--size-px",
        type=int,
        nargs=2,
        default=(147, 87),
        metavar=("COLUMNS", "ROWS"),
        help="columns and rows (30 m), 32 or more",
    )
    add("--minerals", type=Path, required=True, help="table of class codes (CSV)")
    add("--product", type=Path, required=True, help="product to write (.hdf)")
    add("--truth", type=Path, required=True, help="class raster of the truth to write")
    add("--reference", type=Path, required=True, help="alteration zones to write (.gpkg)")
    add_ground(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read library and class table, simulate."""
    columns, rows = arguments.size_px
    check_ground(arguments.difficulty, columns, rows)
    # Imported here, so that --help does not wait for the compiler of the noise.
    from gossan.legend import read_classes
    from gossan.library.readers import read_library
    from gossan.twin.aster import write_aster

    write_aster(
        arguments.product,
        arguments.truth,
        library=read_library(arguments.library),
        classes=read_classes(arguments.minerals),
        reference=arguments.reference,
        seed=arguments.seed,
        size_px=(columns, rows),
        difficulty=arguments.difficulty,
        threads=arguments.threads,
    )


if __name__ == "__main__":
    run(build_parser(), main)
