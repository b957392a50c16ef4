"""Draw the figures of one scene of several sensors, from map to training curves, as PNG files."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from toolkit import run

STATIC = Path(__file__).resolve().parents[1] / "resources" / "static"

# What goes together: all of a group, or nothing of it.
MAPS = ("stack", "sensors", "class_map", "answer", "distance")
NETWORK_NAMES = {
    "masked": "Network, masking",
    "unmasked": "Network, no masking",
    "filler": "Masked autoencoder",
}


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--study", required=True, help="study id, whose published numbers are drawn beside")
    add("--record", type=Path, required=True, help="record of stack_sensors (stack.json)")
    add("--bands", type=Path, required=True, help="table of bands of stack_sensors (CSV)")
    add("--classes", type=Path, required=True, help="table of the study's minerals (CSV)")
    add(
        "--stack",
        type=Path,
        help="stacked sensors; with --sensors, --class-map, --answer and --distance, draws "
        "sensors.png and map.png",
    )
    add("--sensors", type=Path, help="raster of the sensors present")
    add("--class-map", type=Path, help="class raster of map_embedding")
    add("--answer", type=Path, help="answers of map_embedding: named, none or several (raster)")
    add("--distance", type=Path, help="distances of map_embedding (raster)")
    add("--truth", type=Path, help="raster of the true classes, drawn beside the map")
    add("--detection", type=Path, help="table of assess_detectors: draws detection.png")
    add(
        "--subsets",
        type=Path,
        help="table of assess_detectors by set of sensors: draws subsets.png and gain.png",
    )
    add("--similarity", type=Path, help="table of assess_detectors: draws similarity.png")
    add("--coverage", type=Path, help="table of assess_detectors: draws coverage.png")
    add(
        "--network",
        nargs=2,
        action="append",
        default=[],
        dest="networks",
        metavar=("NAME", "HISTORY_CSV"),
        help="a network (masked, unmasked, filler) and its history: draws training.png; repeat the "
        "flag for each",
    )
    add(
        "--references",
        type=Path,
        help="reference spectra of the minerals in the stack's bands (CSV): draws spectra.png",
    )
    add(
        "--published",
        type=Path,
        default=STATIC / "published.json",
        help="published figures of the studies (JSON)",
    )
    add("--output-dir", type=Path, required=True, help="folder for the figures")
    return parser


def check_flags(arguments: argparse.Namespace) -> None:
    """InputError where only part of the maps is given, or an unknown network."""
    from gossan.errors import InputError

    given = [name for name in MAPS if getattr(arguments, name) is not None]
    missing = [name for name in MAPS if name not in given]
    if given and missing:
        flags = " and ".join(f"--{name.replace('_', '-')}" for name in missing)
        raise InputError(f"--{given[0].replace('_', '-')}: goes with {flags}; give all or none")
    if arguments.truth is not None and not given:
        raise InputError("--truth: is drawn beside the map; give --class-map and the rest, too")
    for name, _ in arguments.networks:
        if name not in NETWORK_NAMES:
            raise InputError(f"--network: {name} is none of {', '.join(NETWORK_NAMES)}")


def map_figures(arguments: argparse.Namespace, synthetic: bool) -> dict[str, Callable]:
    """What is drawn of the maps, if they are given."""
    from gossan.cube.bands import read_bands
    from gossan.legend import read_classes
    from gossan.report.embedding_figures import draw_map, draw_sensors, read_picture, widest_sensor
    from gossan.report.minerals_figures import read_small

    if arguments.stack is None:
        return {}
    bands = read_bands(arguments.bands)
    bits = read_small(arguments.sensors, classes=True)
    sensor = widest_sensor(bits, bands.sensors)
    return {
        "sensors": lambda: draw_sensors(
            read_picture(arguments.stack, bands, sensor), bits, bands.sensors, synthetic
        ),
        "map": lambda: draw_map(
            read_small(arguments.class_map, classes=True),
            read_small(arguments.answer, classes=True),
            read_small(arguments.distance),
            read_small(arguments.truth, classes=True) if arguments.truth else None,
            read_classes(arguments.classes),
            synthetic,
        ),
    }


def method_figures(
    arguments: argparse.Namespace, paper: Mapping, synthetic: bool
) -> dict[str, Callable]:
    """What is drawn of the methods' tests, as far as it is given."""
    from gossan.embedding.sensor_scores import NEEDED_COLUMNS
    from gossan.legend import read_classes
    from gossan.report.embedding_figures import (
        draw_coverage,
        draw_detection,
        draw_gain,
        draw_similarity,
        draw_subsets,
    )
    from gossan.tables import read_table

    labels = {item.name: item.label for item in read_classes(arguments.classes)}
    # All tables are read before the first figure is drawn, so that a bad one costs no time.
    rows = {
        name: read_table(getattr(arguments, name), needed)
        for name, needed in NEEDED_COLUMNS.items()
        if getattr(arguments, name) is not None
    }
    published = paper.get("detection", [])
    draw = {
        "detection": lambda: draw_detection(rows["detection"], published, labels, synthetic),
        "subsets": lambda: draw_subsets(rows["subsets"], synthetic),
        "similarity": lambda: draw_similarity(rows["similarity"], labels, synthetic),
        "coverage": lambda: draw_coverage(rows["coverage"], labels, synthetic),
    }
    draw = {name: make for name, make in draw.items() if name in rows}
    if "subsets" in rows:
        draw["gain"] = lambda: draw_gain(rows["subsets"], synthetic)
    return draw


def network_figures(arguments: argparse.Namespace, synthetic: bool) -> dict[str, Callable]:
    """What is drawn of training and references, as far as it is given."""
    from gossan.cube.bands import read_bands
    from gossan.legend import read_classes
    from gossan.report.embedding_figures import draw_spectra, draw_training
    from gossan.tables import read_references, read_table

    draw: dict[str, Callable] = {}
    if arguments.networks:
        histories = {
            NETWORK_NAMES[name]: read_table(path, ["epoch", "loss"])
            for name, path in arguments.networks
        }
        draw["training"] = lambda: draw_training(histories, synthetic)
    if arguments.references is not None:
        bands = read_bands(arguments.bands)
        _, references = read_references(arguments.references)
        draw["spectra"] = lambda: draw_spectra(
            bands, references, read_classes(arguments.classes), synthetic
        )
    return draw


def main(arguments: argparse.Namespace) -> None:
    """Read what the figures show and write them."""
    from gossan.files import read_json, staged
    from gossan.report.minerals_figures import save_figure

    check_flags(arguments)
    synthetic = bool(read_json(arguments.record).get("synthetic", False))
    paper = read_json(arguments.published).get(arguments.study, {})
    draw = {
        **map_figures(arguments, synthetic),
        **method_figures(arguments, paper, synthetic),
        **network_figures(arguments, synthetic),
    }
    for name, make in draw.items():
        with staged(arguments.output_dir / f"{name}.png") as temporary:
            save_figure(make(), temporary)


if __name__ == "__main__":
    run(build_parser(), main)
