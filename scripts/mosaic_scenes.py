"""Join one map of several scenes to one raster, with its legend, and count where they differ."""

import argparse
import shutil
from pathlib import Path

from gossan.errors import InputError
from gossan.files import newest, staged, write_json
from gossan.legend import MapClass, class_colours, read_class_style
from gossan.mosaic import RULE, Mosaic
from gossan.raster import Layer, map_blocks, opened
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


def style_of(path: Path) -> Path:
    """The style beside a map."""
    return path.with_suffix(".qml")


def names_of(path: Path) -> Path:
    """The names beside a map of classes. GDAL keeps statistics there, too, of any raster."""
    return path.with_name(f"{path.name}.aux.xml")


def legend_of(path: Path) -> tuple[list[MapClass], bytes]:
    """What a map of classes shows: codes, names and colours, and its style."""
    return read_class_style(path), newest(style_of(path)).read_bytes()


def main(arguments: argparse.Namespace) -> None:
    """Open the maps, compare their legends, write the whole and the record."""
    if len(arguments.scenes) != len(arguments.maps):
        raise InputError("--scenes: name as many as there are --maps")
    mosaic = Mosaic(arguments.maps)
    info = mosaic.info
    classes = read_class_style(info.path)
    legend = legend_of(info.path) if classes else None
    for tile in mosaic.tiles if classes else ():
        if legend_of(tile.info.path) != legend:
            raise InputError(
                f"{tile.info.path}: has other classes or colours than {info.path}; map all scenes "
                "by one class table"
            )
    with opened(info.path) as dataset:
        unit = dataset.units[0] or ""
    colours = None
    if classes and len(info.bands.names) == 1:
        colours = class_colours(classes)
    layer = Layer(
        arguments.output,
        info.dtype,
        info.nodata,
        info.bands,
        scale=info.scale,
        offset=info.offset,
        overviews="mode" if classes else "average",
        colours=colours,
        tags=mosaic.tags,
        unit=unit,
    )

    try:
        map_blocks(
            mosaic.read,
            [lambda window: window],
            [layer],
            grid=mosaic.grid,
            block_px=arguments.block_px,
            threads=arguments.threads,
            progress="mosaic",
        )
    finally:
        mosaic.close()
    for beside in (style_of, names_of) if classes else (style_of,):
        with staged(beside(arguments.output)) as temporary:
            shutil.copyfile(newest(beside(info.path)), temporary)
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
