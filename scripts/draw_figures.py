"""Draw the figures of one scene: maps, spectra, class areas and accuracy, as PNG files."""

import argparse
from pathlib import Path

from gossan.files import read_json, staged
from gossan.legend import read_classes
from gossan.minerals.class_tables import read_areas, read_signatures
from gossan.report.minerals_figures import (
    draw_accuracy,
    draw_angles,
    draw_areas,
    draw_classes,
    draw_composite,
    draw_confusion,
    draw_spectra,
    draw_zones,
    read_small,
    save_figure,
)
from gossan.tables import read_references
from toolkit import run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--cube", type=Path, required=True, help="reflectance cube of the scene")
    add("--record", type=Path, required=True, help="record of preprocess_scene (cube.json)")
    add("--class-map", type=Path, required=True, help="class raster")
    add("--angle", type=Path, required=True, help="raster of the winner's spectral angle")
    add("--margin", type=Path, required=True, help="raster of the margin to the second best")
    add("--zones", type=Path, nargs="*", default=[], help="zone rasters, named after their zones")
    add("--classes", type=Path, required=True, help="the study's classes.csv")
    add("--references", type=Path, required=True, help="references.csv of the scene")
    add("--signatures", type=Path, required=True, help="signatures.csv of the scene")
    add("--areas", type=Path, required=True, help="areas.csv of the scene")
    add("--accuracy", type=Path, required=True, help="record of assess_accuracy (JSON)")
    add(
        "--output-dir",
        type=Path,
        required=True,
        help="folder for composite, classes, zones, angle, spectra, areas, confusion and "
        "accuracy.png",
    )
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read what the figures show and write them."""
    classes = read_classes(arguments.classes)
    synthetic = bool(read_json(arguments.record).get("synthetic", False))
    accuracy = read_json(arguments.accuracy)
    wavelengths, references = read_references(arguments.references)
    signatures = read_signatures(arguments.signatures, len(wavelengths))
    areas = read_areas(arguments.areas)
    draw = {
        "composite": lambda: draw_composite(read_small(arguments.cube), synthetic),
        "classes": lambda: draw_classes(
            read_small(arguments.class_map, classes=True), classes, synthetic
        ),
        "zones": lambda: draw_zones(
            {path.stem: read_small(path, classes=True) for path in arguments.zones},
            classes,
            synthetic,
        ),
        "angle": lambda: draw_angles(
            read_small(arguments.angle), read_small(arguments.margin), synthetic, classes
        ),
        "spectra": lambda: draw_spectra(wavelengths, references, signatures, classes, synthetic),
        "areas": lambda: draw_areas(areas, classes, synthetic),
        "confusion": lambda: draw_confusion(accuracy, synthetic),
        "accuracy": lambda: draw_accuracy(accuracy, synthetic),
    }
    for name, make in draw.items():
        with staged(arguments.output_dir / f"{name}.png") as temporary:
            save_figure(make(), temporary)


if __name__ == "__main__":
    run(build_parser(), main)
