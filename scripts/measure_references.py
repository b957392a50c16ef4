"""Reference spectra of a scene's own pixels, under points or polygons of known minerals."""

import argparse
import logging
from pathlib import Path

from gossan.legend import read_classes
from gossan.library.scene_spectra import write_scene
from gossan.minerals.scene_references import measure_references
from toolkit import add_blocks, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cube", type=Path, required=True, help="cube to measure, in reflectance")
    parser.add_argument(
        "--points",
        type=Path,
        required=True,
        help="vector file of points or polygons with the attribute `class`: names or labels of "
        "the classes",
    )
    parser.add_argument("--classes", type=Path, required=True, help="class table (CSV)")
    parser.add_argument(
        "--scene-spectra",
        type=Path,
        required=True,
        help="table to write of the mean spectrum of each class that the file names",
    )
    add_blocks(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Measure the spectra and write their table."""
    scene = measure_references(
        arguments.cube,
        arguments.points,
        read_classes(arguments.classes),
        block_px=arguments.block_px,
        threads=arguments.threads,
    )
    for name in scene.names:
        logging.info("%s: %s", name, scene.described(name))
    write_scene(arguments.scene_spectra, scene)


if __name__ == "__main__":
    run(build_parser(), main)
