"""Compare two maps of potential of one scene with the same claims and occurrences."""

import argparse
from pathlib import Path

from gossan.accuracy.blocks import Bootstrap
from gossan.raster import read_info
from gossan.tables import write_rows
from gossan.targets.potential_comparison import COMPARISON_COLUMNS, compare_maps, tally_maps
from gossan.targets.sites import read_sites
from gossan.vectors import POLYGONS, read_features
from toolkit import add_site_flags, add_threads, run

KNOWN_MINES = "known mines"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add(
        "--potential",
        type=Path,
        nargs=2,
        required=True,
        metavar=("STRATA", "PIXELS"),
        help="rasters of potential: of the forest of graded strata, of the forest of graded pixels",
    )
    add(
        "--score",
        type=Path,
        nargs=2,
        required=True,
        metavar=("STRATA", "PIXELS"),
        help="rasters of their scores",
    )
    add_site_flags(parser)
    add(
        "--spatial-block-px",
        type=int,
        required=True,
        help="side of a spatial block of the bootstrap, in pixels",
    )
    add("--bootstrap", type=int, required=True, help="number of bootstrap samples")
    add("--seed", type=int, required=True, help="seed of the bootstrap")
    add("--table", type=Path, required=True, help="table to write (CSV)")
    add_threads(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Count the sites on both maps and write the table."""
    bootstrap = Bootstrap(arguments.spatial_block_px, arguments.bootstrap, arguments.seed)
    grid = read_info(arguments.potential[0]).grid
    sites = [
        read_sites(path, grid, name, substances, arguments.substance_attribute)
        for name, path, substances in (
            ("claims", arguments.claims, arguments.substances),
            ("occurrences", arguments.occurrences, arguments.substances),
            (KNOWN_MINES, arguments.known_mines, None),
        )
        if path is not None
    ]
    mines = None
    if arguments.mines is not None:
        mines = read_features(arguments.mines, grid, "mines", POLYGONS).geometry.to_numpy()
    tallied = tally_maps(arguments.potential, arguments.score, sites, arguments.threads)
    rows = []
    for place, item in enumerate(sites):
        tallies = [tallies[place] for tallies, _ in tallied]
        # Known mines are others than those that trained, or they would not be given as such.
        own = None if item.name == KNOWN_MINES else mines
        rows += compare_maps(item, tallies, [counts for _, counts in tallied], own, bootstrap)
    write_rows(arguments.table, COMPARISON_COLUMNS, rows)


if __name__ == "__main__":
    run(build_parser(), main)
