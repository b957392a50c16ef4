"""Render the report of a study of classes: one self-contained HTML page."""

import argparse
from pathlib import Path

from gossan.class_report import FIGURE_TITLES, Scene, render_report
from gossan.files import write_text
from gossan.legend import read_classes
from gossan.records import read_areas, read_json, read_table
from gossan.report import records_of, relative_link
from toolkit import run

STATIC = Path(__file__).resolve().parents[1] / "resources" / "static"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--study", required=True, help="study id")
    add(
        "--scene",
        nargs=5,
        action="append",
        required=True,
        dest="scenes",
        metavar=("ID", "CUBE_JSON", "FIGURES_DIR", "AREAS_CSV", "RECORDS_CSV"),
        help="a scene with its record, its folder of figures, its table of areas and its table "
        "of the spectra that its classes used; repeat the flag for each scene",
    )
    add("--accuracy", type=Path, required=True, help="the study's accuracy.json")
    add("--classes", type=Path, required=True, help="the study's classes.csv")
    add("--config", type=Path, required=True, help="resolved configuration (JSON)")
    add(
        "--residuals",
        type=Path,
        help="residuals of the analytic library (CSV), shown for the classes that it served",
    )
    add("--files", nargs="*", default=[], help="paths of products to list")
    add(
        "--published",
        type=Path,
        default=STATIC / "published.json",
        help="published figures of the studies (JSON)",
    )
    add("--template", type=Path, default=STATIC / "report.html.j2", help="template of the page")
    add(
        "--base",
        type=Path,
        default=STATIC / "base.html.j2",
        help="template that the page's template extends",
    )
    add("--style", type=Path, default=STATIC / "report.css", help="style sheet of the page")
    add("--output", type=Path, required=True, help="page to write (HTML)")
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read the parts and write the page."""
    accuracy = read_json(arguments.accuracy)
    scenes = [
        Scene(
            id=scene,
            cube=read_json(cube),
            figures={name: Path(figures) / f"{name}.png" for name in FIGURE_TITLES},
            areas=read_areas(areas),
            accuracy=records_of(accuracy, scene)[0],
            records=read_table(records, ["name", "library", "record"]),
        )
        for scene, cube, figures, areas, records in arguments.scenes
    ]
    page = render_report(
        arguments.template.read_text(encoding="utf-8"),
        arguments.base.read_text(encoding="utf-8"),
        arguments.style.read_text(encoding="utf-8"),
        study=arguments.study,
        scenes=scenes,
        classes=read_classes(arguments.classes),
        config=read_json(arguments.config),
        published=read_json(arguments.published).get(arguments.study, {}),
        residuals=read_table(arguments.residuals, ["name", "record", "rms", "angle_rad"])
        if arguments.residuals
        else [],
        files=[(path, relative_link(path, arguments.output)) for path in arguments.files],
    )
    write_text(arguments.output, page)


if __name__ == "__main__":
    run(build_parser(), main)
