"""Explain one cube's mineral maps: the ground, distances and limits, what bands cannot tell."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gossan.accuracy.clear_ground import measure_ground
from gossan.cube.lattice import read_lattice
from gossan.files import read_json, write_json
from gossan.legend import NODATA, MapClass, read_classes
from gossan.library.follow import follow_cube, relative_steps
from gossan.library.readers import read_references
from gossan.minerals.explanation import ORIGIN, Distances, MineralMaps, explain
from gossan.minerals.groups import GROUP_WORDS, bands_within, members_of
from gossan.minerals.map_tables import read_areas
from gossan.minerals.spectral_angle import align_references, map_angles, usable_bands
from gossan.raster import is_synthetic, read_info
from gossan.tables import read_table
from gossan.transforms.vegetation import find_covers
from toolkit import add_blocks, add_ranges, puts_together, run

FILES = ("class.tif", "angle.tif")
RIGHT_ANGLE = ("scene", "ace")
"""Comparisons that hold a mineral without a limit of its own to a right angle."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--scene", required=True, help="scene id")
    add("--sensor", required=True, help="sensor, or stack")
    add("--cube", type=Path, required=True, help="cube that was mapped")
    add("--cube-record", type=Path, required=True, help="how the cube was made (JSON)")
    add("--minerals", type=Path, required=True, help="folder of its mineral maps")
    add("--classes", type=Path, required=True, help="the study's table of minerals (CSV)")
    add("--match", required=True, help="how pixels and references were compared")
    add("--groups", nargs="*", default=[], choices=GROUP_WORDS, help="groups that have maps")
    add("--taught", nargs="*", default=[], choices=GROUP_WORDS, help="those with a second map")
    add("--output", type=Path, required=True, help="explanation to write (JSON)")
    add_ranges(parser)
    add_blocks(parser)
    return parser


def limits_of(
    classes: Sequence[MapClass], arguments: argparse.Namespace
) -> dict[str, float | None]:
    """The largest distance of each class by name; None without any."""
    default = float(np.pi / 2) if arguments.match in RIGHT_ANGLE else None
    return {item.name: item.max_angle_rad or default for item in classes}


def step_of(path: Path) -> float:
    """The step in which a raster holds its values; 0 of floats."""
    info = read_info(path)
    return 0.0 if np.dtype(info.dtype).kind == "f" else info.scale


def find_nearest(
    pixels: np.ndarray, arguments: argparse.Namespace, classes: Sequence[MapClass]
) -> np.ndarray:
    """Class code (n,) of the reference nearest to each pixel (n, bands) by its angle to the origin,
    on the bands of the map, whatever its limit."""
    references = read_references(arguments.minerals / "library/references.csv")
    bands = read_info(arguments.cube).bands
    where = str(arguments.minerals / "library/references.csv")
    within = bands_within(bands, arguments.range_um)
    places = [place for place in usable_bands(references, bands, where) if place in within]
    table = bands.take(places)
    spectra = follow_cube(
        align_references(references.at(table.names), [item.name for item in classes], table, where),
        table.names,
        read_json(arguments.cube_record),
        str(arguments.cube_record),
    )
    block = np.ascontiguousarray(pixels[:, places].T[:, :, np.newaxis])
    codes, *_ = map_angles(block, spectra, None, [item.code for item in classes])
    return codes[:, 0]


@puts_together("minerals")
def main(arguments: argparse.Namespace) -> None:
    """Read a sample of the cube and its maps, and their records; write the explanation."""
    folder = arguments.minerals
    classes = read_classes(arguments.classes)
    record = read_json(arguments.cube_record)
    areas = read_areas(folder / "areas.csv")
    separable = read_table(folder / "library/separable.csv", ["mineral", "bands", "one_with"])
    places = [folder / group for group in arguments.groups] or [folder]
    groups = [
        (
            group,
            read_json(folder / group / "record.json"),
            read_json(folder / group / "taught.json") if group in arguments.taught else None,
        )
        for group in arguments.groups
    ]
    info = read_info(arguments.cube)
    maps = [folder / "class.tif", *(place / f for place in places for f in FILES)]
    pixels, codes, *found = read_lattice(
        [arguments.cube, *maps], block_px=arguments.block_px, threads=arguments.threads
    )
    codes = np.nan_to_num(codes[:, 0], nan=NODATA).astype(np.uint8)
    covers = {} if relative_steps(info.tags) else find_covers(pixels, info.bands)
    distances = []
    for place, group in enumerate(arguments.groups or [""]):
        own, values = found[2 * place][:, 0], found[2 * place + 1][:, 0]
        clear = np.isfinite(own)
        members = members_of(classes, group) if group else classes
        nearest = None
        if arguments.match == ORIGIN:
            nearest = find_nearest(pixels[clear], arguments, classes)
        distances.append(
            Distances(
                group,
                values[clear],
                own[clear].astype(np.uint8),
                limits_of(members, arguments),
                nearest,
                step_of(places[place] / "angle.tif"),
            )
        )
    explanation = explain(
        MineralMaps(
            arguments.scene,
            arguments.match,
            classes,
            areas,
            measure_ground(record, codes, covers),
            distances,
            groups,
            separable,
        )
    )
    write_json(
        arguments.output,
        {
            "scene": arguments.scene,
            "sensor": arguments.sensor,
            "method": "minerals",
            "synthetic": is_synthetic(info.tags) or bool(record.get("synthetic")),
            **explanation,
        },
    )


if __name__ == "__main__":
    run(build_parser(), main)
