"""Explain the network's map: the ground it is of, how it answers, what its bands cannot tell."""

import argparse
from pathlib import Path

import numpy as np

from gossan.accuracy.clear_ground import measure_ground
from gossan.cube.lattice import read_lattice
from gossan.embedding.answers import NONE, SEVERAL
from gossan.embedding.explanation import explain_network, read_shares
from gossan.files import read_json, write_json
from gossan.legend import NODATA, read_classes
from gossan.library.follow import relative_steps
from gossan.raster import BandTable, is_synthetic, read_info
from gossan.tables import read_table
from gossan.transforms.vegetation import find_covers
from toolkit import add_blocks, puts_together, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--scene", required=True, help="scene id")
    add("--stack", type=Path, required=True, help="stacked sensors that were mapped (cube.tif)")
    add("--stack-record", type=Path, required=True, help="how the stack was made (JSON)")
    add("--class-map", type=Path, required=True, help="class map of the network")
    add("--answer", type=Path, required=True, help="raster of its answers: one, none, several")
    add("--areas", type=Path, required=True, help="table of its areas (CSV)")
    add("--separable", type=Path, required=True, help="what the bands can tell apart (CSV)")
    add("--classes", type=Path, required=True, help="the study's classes.csv")
    add("--output", type=Path, required=True, help="explanation to write (JSON)")
    add_blocks(parser)
    return parser


def find_any(pixels: np.ndarray, bands: BandTable) -> dict[str, np.ndarray]:
    """Where any sensor of a stack, whose bands are named as emit:B001, sees plants or water."""
    sensors = [name.partition(":")[0] for name in bands.names]
    covers: dict[str, np.ndarray] = {}
    for sensor in dict.fromkeys(sensors):
        places = [place for place, own in enumerate(sensors) if own == sensor]
        for name, found in find_covers(pixels[:, places], bands.take(places)).items():
            covers[name] = covers.get(name, False) | found
    return covers


@puts_together("class_map")
def main(arguments: argparse.Namespace) -> None:
    """Read a sample of the stack and its map, and their tables; write the explanation."""
    labels = {item.name: item.label for item in read_classes(arguments.classes)}
    record = read_json(arguments.stack_record)
    areas = read_table(arguments.areas, ["name", "label", "pixels"])
    separable = read_table(arguments.separable, ["mineral", "bands", "one_with"])
    info = read_info(arguments.stack)
    pixels, codes, answers = read_lattice(
        [arguments.stack, arguments.class_map, arguments.answer],
        block_px=arguments.block_px,
        threads=arguments.threads,
    )
    codes = np.nan_to_num(codes[:, 0], nan=NODATA).astype(np.uint8)
    clear = codes != NODATA
    shares, unclassified = read_shares(areas)
    explanation = explain_network(
        arguments.scene,
        shares,
        unclassified,
        {
            name: float((answers[clear, 0] == kind).mean()) if clear.any() else 0.0
            for name, kind in (("none", NONE), ("several", SEVERAL))
        },
        measure_ground(
            record, codes, {} if relative_steps(info.tags) else find_any(pixels, info.bands)
        ),
        separable,
        labels,
    )
    write_json(
        arguments.output,
        {
            "scene": arguments.scene,
            "sensor": "stack",
            "method": "embedding",
            "synthetic": is_synthetic(info.tags),
            **explanation,
        },
    )


if __name__ == "__main__":
    run(build_parser(), main)
