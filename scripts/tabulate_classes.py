"""Tabulate a class map: areas, mean spectra, coordinates and outlines of each class."""

import argparse
from functools import reduce
from pathlib import Path

import numpy as np

from gossan.errors import InputError
from gossan.legend import NODATA, read_classes
from gossan.minerals.class_outlines import write_outlines
from gossan.minerals.class_statistics import ClassSummary
from gossan.minerals.map_tables import area_rows, signature_rows, write_pixels
from gossan.raster import iter_blocks, read_info
from gossan.tables import write_table
from toolkit import add_blocks, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--class-map", type=Path, required=True, help="class raster")
    parser.add_argument("--angle", type=Path, required=True, help="raster of the winner's angle")
    parser.add_argument("--cube", type=Path, required=True, help="cube that was classified")
    parser.add_argument("--classes", type=Path, required=True, help="class table (CSV)")
    parser.add_argument("--areas", type=Path, required=True, help="table of areas to write (CSV)")
    parser.add_argument(
        "--signatures",
        type=Path,
        required=True,
        help="table to write of each class's mean and standard deviation per band (CSV)",
    )
    parser.add_argument(
        "--pixels", type=Path, required=True, help="pixel centres to write (GeoPackage)"
    )
    parser.add_argument(
        "--outlines", type=Path, required=True, help="outlines of classes to write (GeoPackage)"
    )
    parser.add_argument(
        "--points-per-class",
        type=int,
        required=True,
        help="at most this many pixels of a class, the best matches first",
    )
    add_blocks(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read the maps block by block and write the tables."""

    if arguments.points_per_class < 1:
        raise InputError("--points-per-class: must be at least 1")
    classes = read_classes(arguments.classes)
    codes = [item.code for item in classes]
    info = read_info(arguments.cube)
    most = arguments.points_per_class

    def summarise(
        origin: np.ndarray, labels: np.ndarray, angle: np.ndarray, block: np.ndarray
    ) -> ClassSummary:
        labels = np.where(np.isnan(labels[0]), NODATA, labels[0]).astype(np.uint8)
        return ClassSummary.of_block(labels, angle[0], block, codes, most, origin)

    blocks = iter_blocks(
        summarise,
        [
            lambda window: np.array([window.row_off, window.col_off]),
            arguments.class_map,
            arguments.angle,
            arguments.cube,
        ],
        block_px=arguments.block_px,
        threads=arguments.threads,
        progress="tables",
    )
    summary = reduce(lambda first, second: first.merge(second, most), (part for _, part in blocks))
    unknown = summary.unknown_codes(codes)
    if unknown:
        raise InputError(
            f"{arguments.class_map}: has class {unknown[0]}, which {arguments.classes} lacks; "
            "give the class table that the map was made with"
        )
    write_table(arguments.areas, area_rows(summary, classes, info.grid.pixel_area_m2))
    write_table(arguments.signatures, signature_rows(summary.moments, classes, info.bands))
    write_pixels(arguments.pixels, summary, classes, info.grid)
    write_outlines(arguments.outlines, arguments.class_map, arguments.angle, classes)


if __name__ == "__main__":
    run(build_parser(), main)
