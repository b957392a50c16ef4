"""A simulated scene as a sensor's native product, and its truth as a class raster."""

import argparse
from pathlib import Path
from typing import Any

from gossan.errors import InputError
from toolkit import add_threads, run

# Sensor -> columns and rows of a scene where the command line names none.
SENSORS = {"landsat": (512, 512), "aster": (147, 87), "sentinel2": (768, 768)}
DATES, MOST_DATES = 4, 36
# Pixels of 10 m in one of 60 m, and in a whole tile.
TILE_STEP_PX, TILE_PX = 6, 10_980
# Flags that a sensor's scene needs; all other ones of these are refused.
FILES = {
    "landsat": ("minerals", "product", "truth"),
    "aster": ("minerals", "product", "truth", "reference"),
    "sentinel2": ("covers", "iron", "output_dir"),
}


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sensor", required=True, choices=list(SENSORS), help="product to write")
    parser.add_argument("--seed", type=int, default=42, help="number that sets the ground")
    parser.add_argument(
        "--size-px",
        type=int,
        nargs="+",
        metavar="PX",
        help="columns and rows, 32 or more, of 30 m, for sentinel2 of 10 m in multiples of 6; one "
        "number is both (default: landsat 512, aster 147 87, sentinel2 768)",
    )
    parser.add_argument(
        "--dates",
        type=int,
        help=f"dates of a sentinel2 scene, 1 to {MOST_DATES} (default: {DATES})",
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
    parser.add_argument(
        "--minerals", type=Path, help="table of class codes (CSV), for landsat and aster"
    )
    parser.add_argument(
        "--covers", type=Path, help="table of cover class codes (CSV), for sentinel2"
    )
    parser.add_argument("--iron", type=Path, help="table of iron class codes (CSV), for sentinel2")
    parser.add_argument(
        "--product", type=Path, help="product to write, for landsat (.tar) and aster (.hdf)"
    )
    parser.add_argument(
        "--truth", type=Path, help="class raster of the truth to write, for landsat and aster"
    )
    parser.add_argument(
        "--reference", type=Path, help="alteration zones to write as polygons (.gpkg), for aster"
    )
    parser.add_argument(
        "--output-dir", type=Path, help="folder to write dates, truth and surveys to, for sentinel2"
    )
    add_threads(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read library and class tables, check the numbers, simulate."""
    sensor = arguments.sensor
    size_px = tuple(arguments.size_px or SENSORS[sensor])
    if len(size_px) > 2:
        raise InputError("--size-px: give columns and rows, or one number for both")
    columns, rows = size_px[0], size_px[-1]
    if min(columns, rows) < 32:
        raise InputError(f"--size-px {min(columns, rows)}: too small; use 32 or more")
    if sensor != "aster" and columns != rows:
        raise InputError(f"--size-px {columns} {rows}: a {sensor} scene is square; give one")
    if not 0 <= arguments.difficulty <= 4:
        raise InputError(f"--difficulty {arguments.difficulty}: out of range; use 0 to 4")
    _require_flags(arguments)
    options: dict[str, Any] = {
        "seed": arguments.seed,
        "difficulty": arguments.difficulty,
        "threads": arguments.threads,
    }
    if sensor == "sentinel2":
        if columns % TILE_STEP_PX or columns > TILE_PX:
            raise InputError(
                f"--size-px {columns}: a sentinel2 scene is a multiple of {TILE_STEP_PX} pixels "
                f"up to {TILE_PX}"
            )
        options["dates"] = DATES if arguments.dates is None else arguments.dates
        if not 1 <= options["dates"] <= MOST_DATES:
            raise InputError(f"--dates {options['dates']}: out of range; use 1 to {MOST_DATES}")
    elif arguments.dates is not None:
        raise InputError("--dates: only sentinel2 scenes have several; leave it out")
    # Imported here, so that --help does not wait for the compiler of the noise.
    from gossan.legend import read_classes
    from gossan.libraries import read_library

    options["library"] = read_library(arguments.library)
    if sensor == "sentinel2":
        from gossan.twin.sentinel2 import write_sentinel2

        covers, iron = read_classes(arguments.covers), read_classes(arguments.iron)
        write_sentinel2(arguments.output_dir, size_px=columns, covers=covers, iron=iron, **options)
        return
    options["classes"] = read_classes(arguments.minerals)
    if sensor == "landsat":
        from gossan.twin.landsat import write_landsat

        write_landsat(arguments.product, arguments.truth, size_px=columns, **options)
        return
    from gossan.twin.aster import write_aster

    write_aster(
        arguments.product,
        arguments.truth,
        reference=arguments.reference,
        size_px=(columns, rows),
        **options,
    )


def _require_flags(arguments: argparse.Namespace) -> None:
    """InputError unless just the files of the sensor's scene are named."""
    needed = FILES[arguments.sensor]
    for name in sorted({name for names in FILES.values() for name in names}):
        given = getattr(arguments, name) is not None
        flag = f"--{name.replace('_', '-')}"
        if name in needed and not given:
            raise InputError(f"{flag}: a {arguments.sensor} scene needs it; name the path")
        if given and name not in needed:
            raise InputError(f"{flag}: a {arguments.sensor} scene has none; leave it out")


if __name__ == "__main__":
    run(build_parser(), main)
