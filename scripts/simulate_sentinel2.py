"""A simulated scene as Sentinel-2 dates, with its truth and the surveys that go with it."""

import argparse
from pathlib import Path

from gossan.errors import InputError
from toolkit import add_ground, check_ground, run

MOST_DATES = 36
# Pixels of 10 m in one of 60 m, and in a whole tile.
TILE_STEP_PX, TILE_PX = 6, 10_980


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--size-px", type=int, default=768, help="pixels (10 m) a side, a multiple of 6 from 36")
    add("--dates", type=int, default=4, help=f"dates of the scene, 1 to {MOST_DATES}")
    add("--covers", type=Path, required=True, help="table of cover class codes (CSV)")
    add("--iron", type=Path, required=True, help="table of iron class codes (CSV)")
    add("--output-dir", type=Path, required=True, help="folder to write to")
    add_ground(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read library and class tables, check the numbers, simulate."""
    size_px, dates = arguments.size_px, arguments.dates
    check_ground(arguments.difficulty, size_px)
    if size_px % TILE_STEP_PX or size_px > TILE_PX:
        raise InputError(
            f"--size-px {size_px}: a Sentinel-2 scene is a multiple of {TILE_STEP_PX} pixels up to "
            f"{TILE_PX}"
        )
    if not 1 <= dates <= MOST_DATES:
        raise InputError(f"--dates {dates}: out of range; use 1 to {MOST_DATES}")
    # Imported here, so that --help does not wait for the compiler of the noise.
    from gossan.legend import read_classes
    from gossan.library.readers import read_library
    from gossan.twin.sentinel2 import write_sentinel2

    write_sentinel2(
        arguments.output_dir,
        library=read_library(arguments.library),
        covers=read_classes(arguments.covers),
        iron=read_classes(arguments.iron),
        seed=arguments.seed,
        size_px=size_px,
        dates=dates,
        difficulty=arguments.difficulty,
        threads=arguments.threads,
    )


if __name__ == "__main__":
    run(build_parser(), main)
