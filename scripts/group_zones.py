"""Map one alteration zone: the classes that mark it, taken out of a class map."""

import argparse
from pathlib import Path

import numpy as np

from gossan.errors import InputError
from gossan.legend import NODATA, read_classes
from gossan.maps import ClassMap, write_maps
from gossan.raster import read_info
from toolkit import add_blocks, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--class-map", type=Path, required=True, help="class raster to take from")
    parser.add_argument("--classes", type=Path, required=True, help="class table (CSV)")
    parser.add_argument("--zone", required=True, help="name of the zone")
    parser.add_argument(
        "--members", nargs="+", required=True, metavar="NAME", help="classes that mark the zone"
    )
    parser.add_argument("--output", type=Path, required=True, help="zone raster to write")
    add_blocks(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Write the zone's classes, 0 for all others, and their legend."""
    known = {item.name: item for item in read_classes(arguments.classes)}
    for name in arguments.members:
        if name not in known:
            raise InputError(
                f"{arguments.classes}: has no class {name!r}, a member of the zone "
                f"{arguments.zone}; take it out of the zone or add it to the references"
            )
    members = [item for item in known.values() if item.name in arguments.members]
    info = read_info(arguments.class_map)
    if info.dtype != "uint8":
        raise InputError(f"{arguments.class_map}: {info.dtype}, not uint8; give a class raster")
    kept = np.zeros(256, np.uint8)
    for code in (*(item.code for item in members), NODATA):
        kept[code] = code
    zone = ClassMap(arguments.output, members, tags={**info.tags, "ZONE": arguments.zone})
    write_maps(
        lambda block: kept[block[0]],
        [arguments.class_map],
        [zone],
        block_px=arguments.block_px,
        threads=arguments.threads,
        scaled=False,
        progress=arguments.zone,
    )


if __name__ == "__main__":
    run(build_parser(), main)
