"""Write the pixels of a MATLAB matrix as a table of spectra, without dead and doubled channels."""

import argparse
from pathlib import Path

from toolkit import run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--matrix", type=Path, required=True, help="MATLAB file (.mat), up to version 7")
    add("--variable", required=True, help="its matrix of pixels x channels")
    add(
        "--wavelengths",
        type=Path,
        required=True,
        help="header of an ENVI library (.hdr) with the instrument's channels, in their order",
    )
    add(
        "--range-um",
        type=float,
        nargs=2,
        default=(0.35, 2.5),
        metavar=("FROM", "TO"),
        help="channels to keep, in µm (default: 0.35 2.5)",
    )
    add("--table", type=Path, required=True, help="table of spectra to write (CSV)")
    add("--record", type=Path, required=True, help="what was left out and taken off (JSON)")
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read the matrix, clean it, write table and record."""
    from gossan.files import write_json
    from gossan.library.pixel_matrix import read_pixels, write_pixels

    pixels = read_pixels(
        arguments.matrix, arguments.variable, arguments.wavelengths, tuple(arguments.range_um)
    )
    write_pixels(arguments.table, pixels)
    write_json(
        arguments.record,
        {
            "matrix": arguments.matrix.name,
            "wavelengths": arguments.wavelengths.name,
            "pixels": len(pixels.values),
            "channels": len(pixels.wavelength_um),
            "dead": pixels.dead,
            "doubled": pixels.doubled,
            "outside": pixels.outside,
            "zero": pixels.zero,
        },
    )


if __name__ == "__main__":
    run(build_parser(), main)
