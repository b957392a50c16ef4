"""Classify a whole scene by a network of patches, with ONNX Runtime: class, probability, tables.

An empty file is a network that was not trained for want of patches: the map holds no answer.
"""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit import add_blocks, run

if TYPE_CHECKING:
    from gossan.raster import RasterInfo

METHOD = "CNN on patches"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--onnx", type=Path, required=True, help="network of train_network.py (.onnx)")
    add("--class-map", type=Path, required=True, help="class raster, as the patches were cut from")
    add("--classes", type=Path, required=True, help="the study's classes.csv")
    add("--cube", type=Path, help="reflectance cube; read if the network was trained on it")
    add(
        "--stride-px",
        type=int,
        help="side of the cells that get one answer each (default: half a patch)",
    )
    add(
        "--min-label-share",
        type=float,
        required=True,
        help="least share of a window that one of the network's classes covers",
    )
    add(
        "--max-background-share",
        type=float,
        required=True,
        help="largest share of a window without any class",
    )
    add("--output", type=Path, required=True, help="class raster to write")
    add(
        "--probability",
        type=Path,
        required=True,
        help="raster to write of the answer's probability, then that of each class",
    )
    add(
        "--proportions",
        type=Path,
        required=True,
        help="table to write of the pixels that have exactly the colour of each class (CSV)",
    )
    add(
        "--pixels",
        type=Path,
        required=True,
        help="table to write of coordinates of those pixels, and the network's answer (CSV)",
    )
    add(
        "--points-per-class",
        type=int,
        required=True,
        help="at most this many coordinates of a class, the surest answers first",
    )
    add("--scene", required=True, help="scene id, for the record")
    add(
        "--record",
        type=Path,
        required=True,
        help="record to write of where the network came from and how the scene was cut (JSON)",
    )
    add_blocks(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Classify block by block, if there is a network, and write rasters, styles and tables."""
    from gossan.errors import InputError
    from gossan.files import write_json
    from gossan.legend import NODATA, read_classes
    from gossan.patches.inference import is_untrained
    from gossan.patches.tables import PIXEL_COLUMNS, count_pixels, pixel_rows, proportion_rows
    from gossan.raster import read_info
    from gossan.tables import write_rows, write_table

    if arguments.points_per_class < 1:
        raise InputError("points-per-class: must be at least 1")
    classes = read_classes(arguments.classes)
    info = read_info(arguments.class_map)
    if info.dtype != "uint8" or len(info.bands.names) != 1 or info.nodata not in (None, NODATA):
        raise InputError(f"{arguments.class_map}: no class map of one uint8 band; give one")
    make_maps = write_no_answers if is_untrained(arguments.onnx) else write_answers
    record = make_maps(arguments, classes, info)
    counts = count_pixels(
        arguments.class_map,
        arguments.output,
        arguments.probability,
        classes,
        most=arguments.points_per_class,
        block_px=arguments.block_px,
        threads=arguments.threads,
    )
    write_table(arguments.proportions, proportion_rows(counts, classes))
    write_rows(arguments.pixels, PIXEL_COLUMNS, pixel_rows(counts, classes, info.grid))
    write_json(arguments.record, {"scene": arguments.scene, "method": METHOD, **record})


def write_no_answers(arguments: argparse.Namespace, classes: list, info: "RasterInfo") -> dict:
    """Write the maps of a network that was not trained, and return what the record says of it."""
    from gossan.maps import ClassMap, Ramp, write_maps
    from gossan.patches.inference import answer_nothing

    logging.warning("%s: not trained, for want of patches; the map is empty", arguments.onnx)
    tags = {**info.tags, "METHOD": METHOD}
    write_maps(
        answer_nothing,
        [arguments.class_map],
        [
            ClassMap(arguments.output, classes, tags=tags),
            Ramp.of_shares(arguments.probability, ("answer",), tags),
        ],
        block_px=arguments.block_px,
        scaled=False,
    )
    return {"network": None}


def write_answers(arguments: argparse.Namespace, classes: list, info: "RasterInfo") -> dict:
    """Write the maps of a network, and return what the record says of it."""
    from concurrent.futures import ThreadPoolExecutor

    from gossan.errors import InputError
    from gossan.maps import ClassMap, Ramp, write_maps
    from gossan.networks.headers import describe_origin, origin_tags
    from gossan.patches.inference import (
        Cutting,
        make_classifier,
        map_record,
        read_bands,
        read_network,
    )
    from gossan.raster import read_info

    network = read_network(arguments.onnx)
    header = network.header
    header.require_classes(classes, str(arguments.classes))
    own = [item for item in classes if item.code in header.codes]
    stride = arguments.stride_px
    cutting = Cutting(
        max(1, header.patch_px // 2) if stride is None else stride,
        arguments.min_label_share,
        arguments.max_background_share,
    )
    cutting.require_fit(header, info.grid, str(arguments.class_map))
    sources, cube = [lambda window: window, arguments.class_map], None
    if header.kind == "reflectance":
        if arguments.cube is None:
            raise InputError("cube: the network was trained on reflectance; give --cube")
        cube = read_info(arguments.cube)
        info.grid.require_same(cube.grid, str(arguments.cube))
        sources.append(read_bands(cube, header.find_bands(cube.bands, str(arguments.cube))))
    origin = describe_origin(arguments.onnx, header, arguments.scene)
    tags = {**info.tags, "METHOD": METHOD, "NETWORK": header.network, "INPUT": header.kind}
    tags |= origin_tags(origin)
    if header.synthetic:
        tags["SYNTHETIC"] = "yes"
    with ThreadPoolExecutor(max(1, arguments.threads)) as pool:
        # Batches of a block go to the threads, as one block may be the whole scene.
        write_maps(
            make_classifier(
                network, classes, info.grid, cutting, pool, str(arguments.class_map), cube
            ),
            sources,
            [
                ClassMap(arguments.output, own, tags=tags),
                Ramp.of_shares(arguments.probability, ("answer", *header.names), tags),
            ],
            block_px=arguments.block_px,
            scaled=False,
            halo=header.patch_px,
            progress="patches",
        )
    return {"network": origin, **map_record(header, cutting, classes)}


if __name__ == "__main__":
    run(build_parser(), main)
