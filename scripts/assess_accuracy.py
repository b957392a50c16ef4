"""Test a class map against ground truth: a record of its accuracy with intervals."""

import argparse
from pathlib import Path

from gossan.accuracy.blocks import Bootstrap
from gossan.accuracy.class_map import assess_map
from gossan.accuracy.record import unassessed_record
from gossan.accuracy.truth import open_truth
from gossan.files import write_json
from gossan.legend import GROUPS, read_classes
from gossan.raster import is_synthetic, read_info
from toolkit import add_threads, run

WINDOW_PX = 512


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--class-map", type=Path, required=True, help="class raster to test")
    parser.add_argument(
        "--truth",
        type=Path,
        help="class raster in global codes, or points or polygons with the attribute `class`; "
        "without it the record says that the map was not assessed",
    )
    parser.add_argument("--classes", type=Path, required=True, help="the study's classes.csv")
    parser.add_argument(
        "--minerals", type=Path, help="table of all classes (CSV), whose further names are `other`"
    )
    parser.add_argument("--method", required=True, help="name of the method that made the map")
    parser.add_argument(
        "--split",
        help="how the pixels that the method learned from were kept apart from those that test it "
        "(default: it learned from none)",
    )
    parser.add_argument(
        "--group",
        choices=[name for name in GROUPS if name],
        help="group of minerals that the map shows; ground that the truth calls by another name is "
        "left out, as it may hold them besides (default: the map shows all)",
    )
    parser.add_argument(
        "--left-out",
        type=Path,
        help="vector file of points or polygons with the attribute `class`, whose pixels gave the "
        "references their spectra and do not test the map (default: there are none)",
    )
    parser.add_argument("--scene", required=True, help="scene id")
    parser.add_argument(
        "--spatial-block-px",
        type=int,
        required=True,
        help="side of a spatial block of the bootstrap",
    )
    parser.add_argument("--bootstrap", type=int, required=True, help="number of bootstrap samples")
    parser.add_argument("--seed", type=int, required=True, help="seed of bootstrap and sample")
    parser.add_argument(
        "--design",
        choices=("census", "stratified"),
        required=True,
        help="test every pixel of the truth, or a random sample of each map class",
    )
    parser.add_argument(
        "--per-class", type=int, required=True, help="pixels per map class of a stratified sample"
    )
    parser.add_argument("--output", type=Path, required=True, help="record to write (JSON)")
    add_threads(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Assess the map and write the record."""
    classes = every = read_classes(arguments.classes)
    if arguments.group is not None:
        classes = [item for item in classes if item.group == arguments.group]
    bootstrap = Bootstrap(arguments.spatial_block_px, arguments.bootstrap, arguments.seed)
    untested = {
        "scene": arguments.scene,
        "method": arguments.method,
        "synthetic": is_synthetic(read_info(arguments.class_map).tags),
    }
    if arguments.truth is None:
        write_json(arguments.output, unassessed_record(**untested))
        return
    taught = None
    if arguments.left_out is not None:
        taught = open_truth(arguments.left_out, read_info(arguments.class_map).grid, every)
    record = assess_map(
        arguments.class_map,
        arguments.truth,
        classes,
        scene=arguments.scene,
        method=arguments.method,
        split=arguments.split,
        bootstrap=bootstrap,
        per_class=arguments.per_class if arguments.design == "stratified" else None,
        window_px=WINDOW_PX,
        threads=arguments.threads,
        others=read_classes(arguments.minerals) if arguments.minerals else (),
        only_classes=arguments.group is not None,
        taught=taught,
    )
    if record is None:
        reason = (
            f"The truth shows no mineral of the group {arguments.group}, so no accuracy can be "
            "stated."
        )
        record = unassessed_record(**untested, reason=reason)
    write_json(arguments.output, record)


if __name__ == "__main__":
    run(build_parser(), main)
