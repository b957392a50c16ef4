"""A simulated scene as a sensor's native product, and its truth as a class raster."""

import argparse
from pathlib import Path
from typing import Any

from gossan.errors import InputError
from toolkit import add_threads, run

# Sensor -> columns and rows of a scene where the command line names none.
SENSORS = {"landsat": (512, 512), "aster": (147, 87)}


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
        help="columns and rows of 30 m, 32 or more; one number is both "
        "(default: landsat 512, aster 147 87)",
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
    parser.add_argument(
        "--product", type=Path, required=True, help="product to write (landsat .tar, aster .hdf)"
    )
    parser.add_argument(
        "--truth", type=Path, required=True, help="class raster of the truth to write (.tif)"
    )
    parser.add_argument(
        "--reference",
        type=Path,
        help="alteration zones to write as polygons (.gpkg), with and only with aster",
    )
    add_threads(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read library and class table, check the numbers, simulate."""
    size_px = tuple(arguments.size_px or SENSORS[arguments.sensor])
    if len(size_px) > 2:
        raise InputError("--size-px: give columns and rows, or one number for both")
    columns, rows = size_px[0], size_px[-1]
    if min(columns, rows) < 32:
        raise InputError(f"--size-px {min(columns, rows)}: too small; use 32 or more")
    if not 0 <= arguments.difficulty <= 4:
        raise InputError(f"--difficulty {arguments.difficulty}: out of range; use 0 to 4")
    options: dict[str, Any] = {"seed": arguments.seed, "difficulty": arguments.difficulty}
    if arguments.sensor == "landsat":
        if columns != rows:
            raise InputError(f"--size-px {columns} {rows}: a landsat scene is square; give one")
        if arguments.reference:
            raise InputError("--reference: only aster scenes have zones; leave it out")
        options["size_px"] = columns
    else:
        if not arguments.reference:
            raise InputError("--reference: name the .gpkg file for the zones of the aster scene")
        options |= {"size_px": (columns, rows), "reference": arguments.reference}
    # Imported here, so that --help does not wait for the compiler of the noise.
    from gossan.legend import read_classes
    from gossan.libraries import read_library

    if arguments.sensor == "landsat":
        from gossan.twin.landsat import write_landsat as write
    else:
        from gossan.twin.aster import write_aster as write
    write(
        arguments.product,
        arguments.truth,
        library=read_library(arguments.library),
        classes=read_classes(arguments.minerals),
        threads=arguments.threads,
        **options,
    )


if __name__ == "__main__":
    run(build_parser(), main)
