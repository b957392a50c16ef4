"""Sample ore, soil, vegetation and mixed cover in strata of distance around known mines."""

import argparse
from pathlib import Path

from toolkit import add_threads, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cube", type=Path, required=True, help="cube to sample")
    parser.add_argument(
        "--mines",
        type=Path,
        required=True,
        help="vector file of mine polygons with the attribute `class` (hematite or itabirite) "
        "and, if there is one, `name`",
    )
    parser.add_argument(
        "--ore-points",
        type=Path,
        required=True,
        help="vector file of points on ore; its attribute `class`, if there is one, is the mineral",
    )
    parser.add_argument(
        "--truth",
        type=Path,
        help="cover to label the other points by: class raster in the codes of --classes, or "
        "vector file with the attribute `class` (default: NDVI and BSI of the cube, which "
        "flatters any classifier of the same cube)",
    )
    parser.add_argument(
        "--classes", type=Path, required=True, help="table of cover classes (CSV): covers.csv"
    )
    parser.add_argument(
        "--distances-m",
        type=float,
        nargs="+",
        required=True,
        metavar="M",
        help="outer limits of the rings around a mine",
    )
    parser.add_argument(
        "--counts",
        type=int,
        nargs="+",
        required=True,
        metavar="N",
        help="points of each cover in each ring of a mine",
    )
    parser.add_argument("--ore-count", type=int, required=True, help="ore points of a mine")
    parser.add_argument(
        "--min-distance-m", type=float, required=True, help="least distance between two points"
    )
    parser.add_argument(
        "--allow-fewer",
        action="store_true",
        help="take what there is where a stratum has too few pixels of a class",
    )
    parser.add_argument("--soil-ndvi", type=float, required=True, help="largest NDVI of soil")
    parser.add_argument(
        "--vegetation-ndvi",
        type=float,
        required=True,
        help="least NDVI of vegetation; mixed cover lies between",
    )
    parser.add_argument(
        "--soil-bsi", type=float, required=True, help="least bare soil index of soil"
    )
    parser.add_argument(
        "--test-share", type=float, required=True, help="share of each class that is test points"
    )
    parser.add_argument(
        "--spatial-block-px",
        type=int,
        required=True,
        help="side of the spatial blocks of blocked folds",
    )
    parser.add_argument("--seed", type=int, required=True, help="seed of the draw and of the split")
    parser.add_argument("--samples", type=Path, required=True, help="points to write (.gpkg)")
    parser.add_argument(
        "--table", type=Path, required=True, help="table of strata and classes to write (CSV)"
    )
    add_threads(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Draw the samples, write the points and the table."""
    from gossan.legend import read_classes
    from gossan.prospects.strata import Design, Rules, draw_samples, write_samples
    from gossan.raster import read_info
    from gossan.tables import write_table

    classes = read_classes(arguments.classes)
    samples, rows = draw_samples(
        arguments.cube,
        arguments.mines,
        arguments.ore_points,
        design=Design(
            distances_m=tuple(arguments.distances_m),
            counts=tuple(arguments.counts),
            ore_count=arguments.ore_count,
            min_distance_m=arguments.min_distance_m,
            test_share=arguments.test_share,
            spatial_block_px=arguments.spatial_block_px,
            seed=arguments.seed,
            allow_fewer=arguments.allow_fewer,
        ),
        rules=Rules(arguments.soil_ndvi, arguments.vegetation_ndvi, arguments.soil_bsi),
        truth=arguments.truth,
        classes=classes,
        threads=arguments.threads,
    )
    write_samples(arguments.samples, samples, read_info(arguments.cube).grid, classes)
    write_table(arguments.table, rows)


if __name__ == "__main__":
    run(build_parser(), main)
