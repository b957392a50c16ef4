"""One mineral map of the maps of several groups: at each pixel the surest of their answers."""

import argparse
import logging
from pathlib import Path

import numpy as np

from gossan.errors import InputError
from gossan.files import read_json, write_json
from gossan.legend import NODATA, read_classes
from gossan.maps import ClassMap, Ramp, write_maps
from gossan.minerals.merging import merge_groups
from gossan.raster import is_synthetic, read_info
from gossan.stac import build_item
from toolkit import add_blocks, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add(
        "--groups",
        type=Path,
        nargs="+",
        required=True,
        help="folders of map_mineral_group.py's files class.tif, angle.tif, margin.tif, "
        "contrast.tif and record.json",
    )
    add("--classes", type=Path, required=True, help="class table (CSV)")
    add("--class-map", type=Path, required=True, help="class raster to write")
    add("--angle", type=Path, required=True, help="raster of the winner's angle (distance)")
    add("--margin", type=Path, required=True, help="raster of the winner's margin in its group")
    add("--item", type=Path, required=True, help="STAC item to write (JSON)")
    add_blocks(parser)
    return parser


FILES = ("class.tif", "angle.tif", "margin.tif", "contrast.tif")


def main(arguments: argparse.Namespace) -> None:
    """Read the groups' maps block by block, write the surest answers and the STAC item."""
    classes = read_classes(arguments.classes)
    records = [read_json(folder / "record.json") for folder in arguments.groups]
    if len({record["method"] for record in records}) > 1:
        raise InputError("--groups: are of several methods; give maps of one")
    mapped = [item["name"] for record in records for item in record["minerals"]]
    for entry in classes:
        if entry.name not in mapped:
            logging.warning("%s: has no group in the class table, so no map shows it", entry.name)
    spreads = [record["scene_contrast"] for record in records]
    info = read_info(arguments.groups[0] / "class.tif")
    tags = {name: value for name, value in info.tags.items() if not name.startswith("GROUP")}

    def merge(*blocks: np.ndarray) -> tuple[np.ndarray, ...]:
        maps = [blocks[place : place + len(FILES)] for place in range(0, len(blocks), len(FILES))]
        found = [
            (np.nan_to_num(labels[0], nan=NODATA).astype(np.uint8), *(one[0] for one in others))
            for labels, *others in maps
        ]
        return merge_groups(found, spreads)

    unit = "rad" if "angle" in records[0]["method"] else ""
    write_maps(
        merge,
        [folder / name for folder in arguments.groups for name in FILES],
        [
            ClassMap(arguments.class_map, classes, tags=tags),
            Ramp(arguments.angle, ("distance",), 0.0, 1.5, unit, reverse=True, tags=tags),
            Ramp(arguments.margin, ("margin",), 0.0, 0.5, unit, tags=tags),
        ],
        block_px=arguments.block_px,
        threads=arguments.threads,
        progress="minerals",
    )
    assets = {"class": arguments.class_map, "angle": arguments.angle, "margin": arguments.margin}
    item = build_item(
        f"{info.tags.get('PRODUCT_ID', arguments.class_map.stem)}-minerals",
        info.grid,
        info.tags.get("ACQUIRED"),
        assets,
        {
            "gossan:method": records[0]["method"],
            "gossan:synthetic": is_synthetic(info.tags),
            "gossan:groups": {record["group"]: record["bands"] for record in records},
            "gossan:classes": [
                {"code": entry.code, "name": entry.name, "max_angle_rad": entry.max_angle_rad}
                for entry in classes
                if entry.name in mapped
            ],
        },
        folder=arguments.item.parent,
    )
    write_json(arguments.item, item)


if __name__ == "__main__":
    run(build_parser(), main)
