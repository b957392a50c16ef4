"""Draw the figures of one scene's embedding of its sensors, from map to training curves."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from toolkit import add_drawing, add_paper, puts_together, read_paper, run

RASTERS = (".tif", ".tiff")


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_drawing(
        parser,
        "folder of the scene, with stack and embedding",
        "sensors, map and spectra.png, with --networks training.png, and with --truth, too, "
        "detection, subsets, gain, similarity and coverage.png",
    )
    add = parser.add_argument
    add("--classes", type=Path, required=True, help="the study's table of minerals (CSV)")
    add(
        "--networks",
        nargs="*",
        default=[],
        metavar="NETWORK",
        help="networks that were trained for the scene: masked, unmasked, filler",
    )
    add("--truth", type=Path, help="truth of the scene; a raster is drawn beside the map")
    add_paper(parser)
    return parser


def map_figures(
    arguments: argparse.Namespace, classes: Sequence, synthetic: bool
) -> dict[str, Callable]:
    """What is drawn of stack, maps and reference spectra."""
    from gossan.cube.bands import read_bands
    from gossan.report.drawing import read_small
    from gossan.report.embedding_figures import (
        draw_map,
        draw_sensors,
        draw_spectra,
        read_picture,
        widest_sensor,
    )
    from gossan.tables import read_references

    stack, maps = arguments.scene_dir / "stack/cube", arguments.scene_dir / "embedding/map"
    bands = read_bands(stack / "bands.csv")
    bits = read_small(stack / "sensors.tif", classes=True)
    _, references = read_references(arguments.scene_dir / "embedding/library/references.csv")
    truth = arguments.truth
    drawn = truth is not None and truth.suffix.lower() in RASTERS
    return {
        "sensors": lambda: draw_sensors(
            read_picture(stack / "cube.tif", bands, widest_sensor(bits, bands.sensors)),
            bits,
            bands.sensors,
            synthetic,
        ),
        "map": lambda: draw_map(
            read_small(maps / "class.tif", classes=True),
            read_small(maps / "answer.tif", classes=True),
            read_small(maps / "distance.tif", bands=[0]),
            read_small(truth, classes=True) if drawn else None,
            classes,
            synthetic,
        ),
        "spectra": lambda: draw_spectra(bands, references, classes, synthetic),
    }


def test_figures(
    arguments: argparse.Namespace, classes: Sequence, paper: Mapping, synthetic: bool
) -> dict[str, Callable]:
    """What is drawn of the methods' tests, if there is a truth to test them by."""
    from gossan.embedding.sensor_scores import NEEDED_COLUMNS
    from gossan.report.embedding_figures import (
        draw_coverage,
        draw_detection,
        draw_gain,
        draw_similarity,
        draw_subsets,
    )
    from gossan.tables import read_table

    if arguments.truth is None or not arguments.networks:
        return {}
    labels = {item.name: item.label for item in classes}
    folder = arguments.scene_dir / "embedding/assessment"
    # All tables are read before the first figure is drawn, so that a bad one costs no time.
    rows = {
        name: read_table(folder / f"{name}.csv", needed) for name, needed in NEEDED_COLUMNS.items()
    }
    published = paper.get("detection", [])
    return {
        "detection": lambda: draw_detection(rows["detection"], published, labels, synthetic),
        "subsets": lambda: draw_subsets(rows["subsets"], synthetic),
        "gain": lambda: draw_gain(rows["subsets"], synthetic),
        "similarity": lambda: draw_similarity(rows["similarity"], labels, synthetic),
        "coverage": lambda: draw_coverage(rows["coverage"], labels, synthetic),
    }


def training_figures(arguments: argparse.Namespace, synthetic: bool) -> dict[str, Callable]:
    """What is drawn of the training, if a network was trained."""
    from gossan.errors import InputError
    from gossan.report.embedding_figures import draw_training
    from gossan.report.embedding_section import NETWORKS, network_folder
    from gossan.tables import read_table

    unknown = [name for name in arguments.networks if name not in NETWORKS]
    if unknown:
        raise InputError(f"--networks: {unknown[0]} is none of {', '.join(NETWORKS)}")
    if not arguments.networks:
        return {}
    folder = arguments.scene_dir / "embedding"
    histories = {
        NETWORKS[name]: read_table(folder / network_folder(name) / "history.csv", ["epoch", "loss"])
        for name in arguments.networks
    }
    return {"training": lambda: draw_training(histories, synthetic)}


@puts_together("scene_dir")
def main(arguments: argparse.Namespace) -> None:
    """Read what the figures show and write them."""
    from gossan.files import read_json
    from gossan.legend import read_classes
    from gossan.report.drawing import save_figures

    record = read_json(arguments.scene_dir / "stack/cube/cube.json")
    synthetic = bool(record.get("synthetic", False))
    classes = read_classes(arguments.classes)
    paper = read_paper(arguments)
    save_figures(
        {
            **map_figures(arguments, classes, synthetic),
            **test_figures(arguments, classes, paper, synthetic),
            **training_figures(arguments, synthetic),
        },
        arguments.output_dir,
    )


if __name__ == "__main__":
    run(build_parser(), main)
