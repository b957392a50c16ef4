"""Cubes of several sensors on one grid: the stack, its bands, and which sensors saw each pixel."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from gossan.cube.bands import SENSORS, write_bands
from gossan.cube.stack import INTERSECTION, UNION
from gossan.cube.stack_files import make_stack
from gossan.errors import InputError
from toolkit import add_blocks, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cube",
        required=True,
        action="append",
        nargs=2,
        metavar=("SENSOR", "PATH"),
        help=f"a sensor ({', '.join(SENSORS)}) and its cube; once for each. The record of the same "
        "name beside a cube (.json), if there is one, gives its notes",
    )
    parser.add_argument(
        "--pixel-m", type=float, required=True, help="pixels of the stack in metres"
    )
    parser.add_argument(
        "--extent",
        required=True,
        help=f"ground of the stack: {UNION} or {INTERSECTION} of the cubes, or one sensor",
    )
    parser.add_argument(
        "--exclude-um",
        nargs=2,
        type=float,
        action="append",
        default=[],
        metavar=("FROM", "TO"),
        help="leave out bands centred here, in µm; once for each range (default: none)",
    )
    parser.add_argument("--stack", required=True, type=Path, help="stack to write, a GeoTIFF")
    parser.add_argument(
        "--sensors",
        required=True,
        type=Path,
        help="bit mask of the sensors at each pixel to write, a GeoTIFF: "
        + ", ".join(f"{1 << place} {sensor}" for place, sensor in enumerate(SENSORS)),
    )
    parser.add_argument("--bands", required=True, type=Path, help="table of bands to write, CSV")
    parser.add_argument("--record", required=True, type=Path, help="record to write, JSON")
    add_blocks(parser)
    return parser


def gather(cubes: Sequence[Sequence[str]]) -> dict[str, Path]:
    """Paths by sensor; InputError for one that is given twice."""
    paths: dict[str, Path] = {}
    for sensor, path in cubes:
        if sensor in paths:
            raise InputError(f"--cube {sensor}: is given twice; give one cube of each sensor")
        paths[sensor] = Path(path)
    return paths


def main(arguments: argparse.Namespace) -> None:
    """Open the cubes, write stack, mask, table and record."""
    record, rows = make_stack(
        gather(arguments.cube),
        arguments.stack,
        arguments.sensors,
        pixel_m=arguments.pixel_m,
        extent=arguments.extent,
        excluded_um=arguments.exclude_um,
        block_px=arguments.block_px,
        threads=arguments.threads,
    )
    write_bands(arguments.bands, rows)
    record.write(arguments.record)


if __name__ == "__main__":
    run(build_parser(), main)
