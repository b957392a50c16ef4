"""A simulated ground as one product of one sensor, in the sensor's native layout."""

import argparse
from pathlib import Path

from gossan.twin.grounds import (
    GROUNDS,
    MOST_COATING,
    MOST_DIFFICULTY,
    check_coating,
    check_difficulty,
    check_size,
)
from gossan.twin.simulators import SIMULATORS, simulate
from toolkit import add_ground, add_threads, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_ground(parser, tuple(GROUNDS), MOST_DIFFICULTY)
    add = parser.add_argument
    add(
        "--coating",
        type=float,
        default=0.0,
        help="share of bare ground under a coat of varnish and dust that all of it has in common, "
        f"0 = none (the default), up to {MOST_COATING:g}",
    )
    add("--sensor", required=True, choices=tuple(SIMULATORS), help="sensor that images the ground")
    add("--dates", type=int, help="dates of sentinel2, needed for it alone")
    add(
        "--tiles",
        type=int,
        default=1,
        help="tiles of sentinel2, side by side and overlapping, that each date comes in "
        "(default: 1)",
    )
    add("--tile", type=int, help="write this one of the tiles alone, from 1 (default: all)")
    add("--library", type=Path, required=True, help="spectral library with all constituents")
    add(
        "--product",
        type=Path,
        required=True,
        help="product to write: landsat .tar, aster .hdf, emit .nc (and its mask beside it), "
        "prisma .he5; a folder for sentinel2, enmap, worldview3",
    )
    add_threads(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Check the numbers, read the library, simulate."""
    check_size(arguments.ground, arguments.size_px)
    check_difficulty(arguments.difficulty)
    check_coating(arguments.coating)
    # Imported here, so that --help does not wait for the compiler of the noise.
    from gossan.library.readers import read_library
    from gossan.twin.site import find_site

    library = read_library(arguments.library)
    site = find_site(
        arguments.ground,
        seed=arguments.seed,
        size_px=arguments.size_px,
        difficulty=arguments.difficulty,
        coating=arguments.coating,
    )
    simulate(
        arguments.sensor,
        site,
        library,
        arguments.product,
        dates=arguments.dates,
        tiles=arguments.tiles,
        tile=arguments.tile,
        threads=arguments.threads,
    )


if __name__ == "__main__":
    run(build_parser(), main)
