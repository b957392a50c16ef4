"""A simulated scene as a Landsat 8 product, and its truth as a class raster."""

import argparse
from pathlib import Path

from toolkit import add_ground, check_ground, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--size-px", type=int, default=512, help="pixels (30 m) a side, 32 or more")
    add("--minerals", type=Path, required=True, help="table of class codes (CSV)")
    add("--product", type=Path, required=True, help="product to write (.tar)")
    add("--truth", type=Path, required=True, help="class raster of the truth to write")
    add_ground(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read library and class table, simulate."""
    check_ground(arguments.difficulty, arguments.size_px)
    # Imported here, so that --help does not wait for the compiler of the noise.
    from gossan.legend import read_classes
    from gossan.library.readers import read_library
    from gossan.twin.landsat import write_landsat

    write_landsat(
        arguments.product,
        arguments.truth,
        library=read_library(arguments.library),
        classes=read_classes(arguments.minerals),
        seed=arguments.seed,
        size_px=arguments.size_px,
        difficulty=arguments.difficulty,
        threads=arguments.threads,
    )


if __name__ == "__main__":
    run(build_parser(), main)
