"""A simulated scene as a sensor's native product, and its truth as a class raster."""

import argparse
from collections.abc import Callable
from pathlib import Path

from gossan.errors import InputError
from toolkit import add_threads, run

SENSORS = ("landsat",)


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sensor", required=True, choices=SENSORS, help="product to write")
    parser.add_argument("--seed", type=int, default=42, help="number that sets the ground")
    parser.add_argument(
        "--size-px", type=int, default=512, help="rows and columns of the scene (32 or more)"
    )
    parser.add_argument(
        "--difficulty",
        type=float,
        default=1.0,
        help="0 = nearly pure and clean, 1 = calibrated default, up to 4",
    )
    parser.add_argument(
        "--library", type=Path, required=True, help="spectral library with all constituents"
    )
    parser.add_argument("--minerals", type=Path, required=True, help="table of class codes (CSV)")
    parser.add_argument("--product", type=Path, required=True, help="product to write (.tar)")
    parser.add_argument(
        "--truth", type=Path, required=True, help="class raster of the truth to write (.tif)"
    )
    add_threads(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read library and class table, check the numbers, simulate."""
    if arguments.size_px < 32:
        raise InputError(f"--size-px {arguments.size_px}: too small; use 32 or more")
    if not 0 <= arguments.difficulty <= 4:
        raise InputError(f"--difficulty {arguments.difficulty}: out of range; use 0 to 4")
    # Imported here, so that --help does not wait for the compiler of the noise.
    from gossan.legend import read_classes
    from gossan.libraries import read_library

    _writer(arguments.sensor)(
        arguments.product,
        arguments.truth,
        seed=arguments.seed,
        size_px=arguments.size_px,
        difficulty=arguments.difficulty,
        library=read_library(arguments.library),
        classes=read_classes(arguments.minerals),
        threads=arguments.threads,
    )


def _writer(sensor: str) -> Callable[..., None]:
    """The function that writes the products of `sensor`, one of SENSORS."""
    if sensor == "landsat":
        from gossan.twin.landsat import write_landsat

        return write_landsat
    raise ValueError(f"no writer for sensor {sensor}")


if __name__ == "__main__":
    run(build_parser(), main)
