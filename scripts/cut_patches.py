"""Cut a class map and its cube into labelled patches, and split them by spatial block.

Where the scene is too small or its classes are too rare to train and test, the store is empty and
the record says why.
"""

import argparse
import logging
from pathlib import Path

from toolkit import run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--class-map", type=Path, required=True, help="class raster to cut and to label by")
    add("--cube", type=Path, required=True, help="reflectance cube on the same grid")
    add("--classes", type=Path, required=True, help="the study's classes.csv, for the colours")
    add(
        "--labels",
        nargs="+",
        default=[],
        metavar="CLASS",
        help="classes of which the largest in a patch is its label (default: every class)",
    )
    add("--size-px", type=int, required=True, help="side of a patch in pixels")
    add(
        "--stride-px",
        type=int,
        help="pixels from one patch to the next; less than --size-px overlaps them "
        "(default: --size-px)",
    )
    add(
        "--min-label-share",
        type=float,
        required=True,
        help="least share of a patch that its label covers",
    )
    add(
        "--max-background-share",
        type=float,
        required=True,
        help="largest share of a patch without any class",
    )
    add(
        "--split-block-px",
        type=int,
        help="side of the spatial blocks that train, validate or test as a whole "
        "(default: twice --size-px)",
    )
    add(
        "--skip-rare",
        action="store_true",
        help="leave out classes that do not get to every side, instead of ending with an error",
    )
    add("--seed", type=int, required=True, help="seed of the split")
    add("--colour", type=Path, required=True, help="painted patches to write (.npz)")
    add("--reflectance", type=Path, required=True, help="reflectance patches to write (.npz)")
    add("--table", type=Path, required=True, help="table of patches to write (CSV)")
    add(
        "--record",
        type=Path,
        required=True,
        help="record to write of how many patches there are, and why there are too few (JSON)",
    )
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Cut, label and split the patches, and write the three files and the record."""
    from gossan.files import write_json
    from gossan.legend import read_classes
    from gossan.patches.cutting import (
        Recipe,
        TooFewPatchesError,
        empty_table,
        table_columns,
        table_rows,
        write_colours,
        write_reflectance,
    )
    from gossan.patches.sizes import Split, cut_and_split
    from gossan.tables import write_rows

    classes = read_classes(arguments.classes)
    size_px, block_px = arguments.size_px, arguments.split_block_px
    recipe = Recipe(
        size_px=size_px,
        stride_px=size_px if arguments.stride_px is None else arguments.stride_px,
        labels=tuple(arguments.labels),
        min_label_share=arguments.min_label_share,
        max_background_share=arguments.max_background_share,
    )
    split = Split(
        block_px=2 * size_px if block_px is None else block_px,
        seed=arguments.seed,
        skip_rare=arguments.skip_rare,
    )
    reason = ""
    try:
        table = cut_and_split(arguments.class_map, classes, recipe, split)
    except TooFewPatchesError as error:
        table, reason = empty_table(arguments.class_map, classes, size_px), str(error)
        logging.warning("no network can be trained: %s", reason)
    write_colours(arguments.colour, arguments.class_map, classes, table)
    write_reflectance(arguments.reflectance, arguments.cube, arguments.class_map, table)
    write_rows(arguments.table, table_columns(table), table_rows(table))
    write_json(
        arguments.record,
        {
            "labels": arguments.labels or [item.name for item in classes],
            "classes": list(table.classes),
            "patches": len(table),
            "synthetic": table.synthetic,
            "too_few": reason,
        },
    )


if __name__ == "__main__":
    run(build_parser(), main)
