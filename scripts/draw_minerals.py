"""Draw the figures of one cube's mineral map: maps, spectra, class areas and accuracy."""

import argparse
from pathlib import Path

from gossan.config import MATCH_TITLES
from toolkit import add_drawing, puts_together, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_drawing(
        parser,
        "folder of the scene's sensor, with cube and minerals",
        "composite, classes, zones, angle, distances, spectra, areas, confusion and accuracy.png, "
        "and one of each group",
    )
    add = parser.add_argument
    add("--classes", type=Path, required=True, help="the study's table of minerals (CSV)")
    add("--zones", nargs="*", default=[], metavar="ZONE", help="zones, in the order to draw them")
    add("--match", choices=MATCH_TITLES, required=True, help="how pixels and references compare")
    add("--groups", nargs="*", default=[], metavar="GROUP", help="groups of minerals with maps")
    add("--taught", nargs="*", default=[], metavar="GROUP", help="those with a second map")
    return parser


@puts_together("scene_dir")
def main(arguments: argparse.Namespace) -> None:
    """Read what the figures show and write them."""
    from gossan.files import read_json
    from gossan.legend import read_classes
    from gossan.minerals.map_tables import read_areas, read_signatures
    from gossan.report.drawing import (
        draw_classes,
        draw_composite,
        read_composite,
        read_small,
        save_figures,
    )
    from gossan.report.minerals_figures import (
        draw_accuracy,
        draw_angles,
        draw_areas,
        draw_confusion,
        draw_distances,
        draw_group,
        draw_spectra,
        draw_zones,
    )
    from gossan.tables import read_references

    cube, maps = arguments.scene_dir / "cube", arguments.scene_dir / "minerals"
    classes = read_classes(arguments.classes)
    synthetic = bool(read_json(cube / "cube.json").get("synthetic", False))
    distances = read_json(maps / "explanation.json")["numbers"]["distances"]
    accuracy = read_json(maps / "accuracy/minerals.json")
    wavelengths, references = read_references(maps / "library/references.csv")
    signatures = read_signatures(maps / "signatures.csv", len(wavelengths))
    areas = read_areas(maps / "areas.csv")
    groups = {
        group: [
            maps / group / f"{name}.tif"
            for name in ("class", *["taught"] * (group in arguments.taught))
        ]
        for group in arguments.groups
    }
    zones = {name: maps / f"zones/{name}.tif" for name in arguments.zones}
    save_figures(
        {
            "composite": lambda: draw_composite(read_composite(cube / "cube.tif"), synthetic),
            "classes": lambda: draw_classes(
                read_small(maps / "class.tif", classes=True), classes, synthetic
            ),
            "zones": lambda: draw_zones(
                {name: read_small(path, classes=True) for name, path in zones.items()},
                classes,
                synthetic,
            ),
            "angle": lambda: draw_angles(
                read_small(maps / "angle.tif"),
                read_small(maps / "margin.tif"),
                synthetic,
                classes,
                arguments.match,
            ),
            "distances": lambda: draw_distances(distances, arguments.match, synthetic),
            "spectra": lambda: draw_spectra(
                wavelengths, references, signatures, classes, synthetic
            ),
            "areas": lambda: draw_areas(areas, classes, synthetic),
            "confusion": lambda: draw_confusion(accuracy, synthetic),
            "accuracy": lambda: draw_accuracy(accuracy, synthetic),
            **{
                group: lambda paths=paths: draw_group(
                    [read_small(path, classes=True) for path in paths], classes, synthetic
                )
                for group, paths in groups.items()
            },
        },
        arguments.output_dir,
    )


if __name__ == "__main__":
    run(build_parser(), main)
