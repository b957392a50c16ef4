"""Join one map of several scenes to one raster, with its legend, and count where they differ."""

import argparse
import shutil
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.files import newest, staged, write_json
from gossan.legend import class_colours, read_class_style
from gossan.mosaic import RULE, Mosaic
from gossan.raster import Layer, map_blocks, open_raster
from toolkit import FROM_FILE, add_blocks, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, fromfile_prefix_chars=FROM_FILE)
    add = parser.add_argument
    add(
        "--scenes",
        nargs="+",
        required=True,
        metavar="NAME",
        help="names of the scenes, in the order of --maps",
    )
    add(
        "--maps",
        nargs="+",
        type=Path,
        required=True,
        help="the map of each scene, with its style (.qml) beside it, and names (.aux.xml) if it "
        "is one of classes",
    )
    add("--output", type=Path, required=True, help="raster to write, with the same beside it")
    add("--record", type=Path, required=True, help="scenes, rule and overlaps to write (JSON)")
    add_blocks(parser)
    return parser


def sides_of(path: Path) -> list[Path]:
    """Files that go with a map: its style, and the names of its classes if it has some."""
    return [path.with_suffix(".qml"), path.with_name(f"{path.name}.aux.xml")]


def main(arguments: argparse.Namespace) -> None:
    """Open the maps, compare their legends, write the whole and the record."""
    if len(arguments.scenes) != len(arguments.maps):
        raise InputError("--scenes: name as many as there are --maps")
    mosaic = Mosaic(arguments.maps)
    info = mosaic.info
    sides = [path for path in sides_of(info.path) if newest(path).is_file()]
    is_classes = len(sides) == 2
    for tile in mosaic.tiles if is_classes else ():
        others = [newest(path) for path in sides_of(tile.info.path)]
        if not all(path.is_file() for path in others) or any(
            own.read_bytes() != newest(path).read_bytes()
            for own, path in zip(others, sides, strict=True)
        ):
            raise InputError(
                f"{tile.info.path}: has other classes or colours than {info.path}; map all scenes "
                "by one class table"
            )
    with open_raster(newest(info.path)) as dataset:
        unit = dataset.units[0] or ""
    colours = None
    if is_classes and len(info.bands.names) == 1:
        colours = class_colours(read_class_style(info.path))
    layer = Layer(
        arguments.output,
        info.dtype,
        info.nodata,
        info.bands,
        scale=info.scale,
        offset=info.offset,
        overviews="mode" if is_classes else "average",
        colours=colours,
        tags=mosaic.tags,
        unit=unit,
    )

    def work(window: Window) -> np.ndarray:
        return mosaic.read(window)

    try:
        map_blocks(
            work,
            [lambda window: window],
            [layer],
            grid=mosaic.grid,
            block_px=arguments.block_px,
            threads=arguments.threads,
            progress="mosaic",
        )
    finally:
        mosaic.close()
    for path, target in zip(sides, sides_of(arguments.output), strict=False):
        with staged(target) as temporary:
            shutil.copyfile(newest(path), temporary)
    overlap = mosaic.overlap
    write_json(
        arguments.record,
        {
            "scenes": [
                {
                    "scene": name,
                    "window_px": [int(value) for value in tile.window.flatten()],
                }
                for name, tile in zip(arguments.scenes, mosaic.tiles, strict=True)
            ],
            "width_px": mosaic.grid.width,
            "height_px": mosaic.grid.height,
            "rule": RULE,
            "pixels": overlap.pixels,
            "overlap_px": overlap.shared,
            "differing_px": overlap.differing,
        },
    )


if __name__ == "__main__":
    run(build_parser(), main)
