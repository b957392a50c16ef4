"""Compare wavelets on a cube: energy, entropy, error, and how well LL separates zones."""

import argparse
from pathlib import Path

from toolkit import add_threads, add_wavelets, run

WINDOW_PX = 512


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cube", type=Path, required=True, help="cube to transform (int16)")
    add_wavelets(parser)
    parser.add_argument(
        "--wavelets",
        nargs="+",
        required=True,
        metavar="NAME",
        help="PyWavelets' names of discrete wavelets, such as haar db2 sym4",
    )
    parser.add_argument(
        "--truth",
        type=Path,
        help="class raster in global codes, or points or polygons with the attribute `class`; "
        "without it nothing is said about zones. Outside polygons is the rest; pixels where a "
        "raster or points say nothing are not tested",
    )
    parser.add_argument(
        "--classes",
        type=Path,
        help="class table (CSV) of the truth (default: the classes that polygons name)",
    )
    parser.add_argument(
        "--zone",
        nargs="+",
        action="append",
        metavar="NAME",
        help="a zone, then the classes that mark it; repeat it for each zone (default: every "
        "class is a zone)",
    )
    parser.add_argument(
        "--spatial-block-px",
        type=int,
        required=True,
        help="side of a spatial block of the bootstrap",
    )
    parser.add_argument("--bootstrap", type=int, required=True, help="number of bootstrap samples")
    parser.add_argument("--seed", type=int, required=True, help="seed of the bootstrap")
    parser.add_argument("--output", type=Path, required=True, help="table to write (CSV)")
    add_threads(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Compare the wavelets and write the table."""
    from gossan.accuracy.blocks import Bootstrap
    from gossan.legend import read_classes
    from gossan.tables import write_table
    from gossan.transforms.wavelets import Transform
    from gossan.zones.wavelet_comparison import compare_wavelets, zone_codes
    from gossan.zones.zone_assessment import read_zone_classes

    bootstrap = Bootstrap(arguments.spatial_block_px, arguments.bootstrap, arguments.seed)
    classes, codes = [], None
    if arguments.truth is not None:
        if arguments.classes is None:
            classes = read_zone_classes(arguments.truth)
        else:
            classes = read_classes(arguments.classes)
        named_by = arguments.classes or arguments.truth
        codes = zone_codes(classes, arguments.zone, str(named_by))
    rows = compare_wavelets(
        arguments.cube,
        [
            Transform(wavelet, arguments.level, arguments.mode, arguments.transform, arguments.gaps)
            for wavelet in dict.fromkeys(arguments.wavelets)
        ],
        truth=arguments.truth,
        classes=classes,
        codes=codes,
        bootstrap=bootstrap,
        window_px=WINDOW_PX,
        threads=arguments.threads,
    )
    write_table(arguments.output, rows)


if __name__ == "__main__":
    run(build_parser(), main)
