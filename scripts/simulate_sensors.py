"""One simulated ground as native products of several sensors, and its truth as a class raster."""

import argparse
from pathlib import Path

from gossan.errors import InputError
from toolkit import add_ground, check_ground, run

# As in gossan.twin.sensors, which --help does not wait for.
SIZE_PX, LEAST_PX, STEP_PX = 128, 32, 2
SENSORS = ("emit", "enmap", "prisma", "sentinel2", "worldview3")


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--size-px",
        type=int,
        default=SIZE_PX,
        help=f"pixels of 30 m along each side, {LEAST_PX} or more and even (default: {SIZE_PX})",
    )
    parser.add_argument(
        "--minerals", type=Path, required=True, help="table of class codes of the truth (CSV)"
    )
    parser.add_argument(
        "--sensors",
        nargs="+",
        default=list(SENSORS),
        choices=SENSORS,
        help="sensors whose products to write (default: all)",
    )
    parser.add_argument(
        "--output-dir",
        type=Path,
        required=True,
        help="folder to write to: emit.nc and its mask, enmap/, prisma.he5, sentinel2/, "
        "worldview3/, truth.tif",
    )
    add_ground(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Check the numbers, read library and class table, simulate."""
    check_ground(arguments.difficulty, arguments.size_px)
    if arguments.size_px % STEP_PX:
        raise InputError(f"--size-px {arguments.size_px}: use a multiple of {STEP_PX}")
    # Imported here, so that --help does not wait for the compiler of the noise.
    from gossan.legend import read_classes
    from gossan.library.readers import read_library
    from gossan.twin.sensors import write_sensors

    write_sensors(
        arguments.output_dir,
        seed=arguments.seed,
        size_px=arguments.size_px,
        difficulty=arguments.difficulty,
        library=read_library(arguments.library),
        classes=read_classes(arguments.minerals),
        sensors=arguments.sensors,
        threads=arguments.threads,
    )


if __name__ == "__main__":
    run(build_parser(), main)
