"""Make a truth of the mineral map of EMIT's own team (EMIT_L2B_MIN): class codes on a grid."""

import argparse
import logging
from pathlib import Path

from gossan.legend import TRUTH_TAG, read_classes
from gossan.maps import ClassMap, write_maps
from gossan.products.emit_minerals import GROUPS, read_minerals
from toolkit import add_threads, run

SOURCE = "named by EMIT's own team from EMIT's spectra, no field work"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--product", type=Path, required=True, help="the mineral product, EMIT_L2B_MIN_*.nc")
    add("--classes", type=Path, required=True, help="table of all classes (CSV)")
    add(
        "--truth",
        type=Path,
        required=True,
        help="class raster to write: a band of iron minerals, one of the others",
    )
    add_threads(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read the map, write it in our codes, log what has none."""
    classes = read_classes(arguments.classes)
    codes, grid, unnamed = read_minerals(arguments.product, classes)
    if unnamed:
        logging.info("of no class: %s", "; ".join(sorted(unnamed)))
    found = {code for code in codes.ravel().tolist() if code}
    shown = [item for item in classes if item.code in found]

    def part(window: object) -> object:
        rows, columns = window.toslices()
        return codes[:, rows, columns]

    write_maps(
        lambda block: block,
        [part],
        [ClassMap(arguments.truth, shown, GROUPS, {TRUTH_TAG: SOURCE}, every_band=True)],
        grid=grid,
        threads=arguments.threads,
    )


if __name__ == "__main__":
    run(build_parser(), main)
