"""Draw a scene's main map with its targets, and small pictures of it and of all other maps."""

import argparse
from pathlib import Path

from toolkit import run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--layers", type=Path, required=True, help="list of the scene's layers (layers.json)")
    add("--map", type=Path, required=True, help="picture of the main map to write (PNG)")
    add("--thumbnail", type=Path, required=True, help="small picture of it to write (PNG)")
    add(
        "--pictures",
        type=Path,
        required=True,
        help="folder to write, with a small picture of each map and of the scene (PNG)",
    )
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read the layers and draw them."""
    from gossan.desk.layers import read_layers
    from gossan.desk.scene_map import (
        MAP_IN,
        SMALL_DPI,
        draw_map,
        draw_small,
        paint_layer,
        read_targets,
        save_map,
        shown_maps,
    )
    from gossan.errors import InputError
    from gossan.files import staged, together
    from gossan.report.drawing import LONGEST_SIDE_PX

    layers = read_layers(arguments.layers)
    main_map = layers.main_map() or layers.ground_of()
    if main_map is None:
        raise InputError(f"{arguments.layers}: lists neither a map nor a cube to draw")
    picture, grid = paint_layer(main_map, layers.ground_of(main_map))
    targets = read_targets(layers, grid)
    with (
        together(),
        staged(arguments.map) as whole,
        staged(arguments.thumbnail) as small,
        staged(arguments.pictures, folder=True) as folder,
    ):
        save_map(
            draw_map(picture, grid, targets, layers.synthetic),
            whole,
            round(LONGEST_SIDE_PX / MAP_IN),
        )
        save_map(draw_small(picture, grid, layers.synthetic, targets), small, SMALL_DPI)
        for layer in shown_maps(layers):
            picture, grid = paint_layer(layer, layers.ground_of(layer))
            figure = draw_small(picture, grid, layers.synthetic)
            save_map(figure, folder / f"{layer.key}.png", SMALL_DPI)


if __name__ == "__main__":
    run(build_parser(), main)
