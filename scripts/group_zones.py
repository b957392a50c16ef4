"""Map one alteration zone: the classes that mark it keep their codes, all others become 0."""

import argparse
from pathlib import Path

import numpy as np

from gossan.errors import InputError
from gossan.legend import NODATA, UNCLASSIFIED, read_classes, write_class_style
from gossan.raster import Layer, map_blocks, read_info
from toolkit import add_blocks, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--class-map", type=Path, required=True, help="class raster")
    add("--classes", type=Path, required=True, help="the study's classes.csv")
    add("--zone", required=True, help="name of the zone, written into the raster")
    add("--members", nargs="+", required=True, help="names of the classes that mark the zone")
    add("--output", type=Path, required=True, help="zone raster to write, with styles beside it")
    add_blocks(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Write the zone raster and its styles."""
    known = {item.name: item for item in read_classes(arguments.classes)}
    unknown = [name for name in arguments.members if name not in known]
    if unknown:
        raise InputError(
            f"--members: {', '.join(unknown)} not in {arguments.classes}; correct the names"
        )
    members = [known[name] for name in arguments.members]
    info = read_info(arguments.class_map)
    kept = np.full(256, UNCLASSIFIED, np.uint8)
    kept[NODATA] = NODATA
    for item in members:
        kept[item.code] = item.code
    layer = Layer(
        arguments.output,
        "uint8",
        NODATA,
        (f"{arguments.zone} zone",),
        overviews="mode",
        colours={item.code: item.colour for item in members},
        tags=info.tags | {"ZONE": arguments.zone},
    )
    map_blocks(
        lambda block: kept[block],
        [arguments.class_map],
        [layer],
        block_px=arguments.block_px,
        threads=arguments.threads,
        scaled=False,
    )
    write_class_style(arguments.output, members)


if __name__ == "__main__":
    run(build_parser(), main)
