"""Draw labelled points from what is known of a scene, each class at its own share."""

import argparse
from pathlib import Path

from toolkit import add_blocks, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--cube", type=Path, required=True, help="cube of the scene")
    add(
        "--truth",
        type=Path,
        required=True,
        help="class raster in the codes of --classes, or vector file with the attribute `class`",
    )
    add("--classes", type=Path, required=True, help="table of the classes to draw (CSV)")
    add("--count", type=int, required=True, help="points to draw in all, at most")
    add("--test-share", type=float, required=True, help="share of each class that is test points")
    add("--seed", type=int, required=True, help="seed of the draw")
    add("--label", required=True, help="column that holds the class")
    add(
        "--samples",
        type=Path,
        required=True,
        help="points to write: a CSV with x and y in the cube's system, class and split",
    )
    add_blocks(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read the truth, draw, write the points."""
    from gossan.accuracy.truth import open_truth
    from gossan.errors import InputError
    from gossan.forests.samples import SPLITS, draw_truth, require_train
    from gossan.legend import read_classes
    from gossan.raster import read_info
    from gossan.tables import write_table

    classes = read_classes(arguments.classes)
    if not 0 < arguments.test_share < 1:
        raise InputError(f"test-share: {arguments.test_share:g} is no share; give one from 0 to 1")
    if arguments.count < 4:
        raise InputError(f"count: {arguments.count} is too small; give at least 4")
    grid = read_info(arguments.cube).grid
    samples = draw_truth(
        open_truth(arguments.truth, grid, classes),
        grid,
        classes,
        arguments.count,
        arguments.test_share,
        arguments.seed,
        block_px=arguments.block_px,
        threads=arguments.threads,
    )
    require_train(samples, classes, str(arguments.truth))
    names = {item.code: item.name for item in classes}
    x, y = grid.transform * (samples.columns + 0.5, samples.rows + 0.5)
    points = zip(x.tolist(), y.tolist(), samples.codes, samples.is_test, strict=True)
    write_table(
        arguments.samples,
        [
            {"x": east, "y": north, arguments.label: names[code], "split": SPLITS[int(tested)]}
            for east, north, code, tested in points
        ],
    )


if __name__ == "__main__":
    run(build_parser(), main)
