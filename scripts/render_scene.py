"""Render a scene's page: the map, what was found, how far to trust it, and what to open."""

import argparse
from pathlib import Path

from gossan.desk.layers import read_layers
from gossan.desk.scene_page import read_scene_records, render_scene
from gossan.errors import InputError
from gossan.files import write_json, write_text
from gossan.report.layout import read_style, read_template
from toolkit import add_records, puts_together, run

STATIC = Path(__file__).resolve().parents[1] / "resources" / "static"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add(
        "--layers",
        type=Path,
        required=True,
        help="list of the scene's layers (layers.json), with map.png, pictures/ and what there is "
        "to open beside it",
    )
    add_records(parser)
    add("--report", type=Path, required=True, help="the study's report, which is linked")
    add("--index", type=Path, required=True, help="the index of all scenes, which is linked")
    add("--template", type=Path, default=STATIC / "scene.html.j2", help="template of the page")
    add("--style", type=Path, default=STATIC / "report.css", help="style sheet of the page")
    add("--summary", type=Path, required=True, help="what the index says of it, to write (JSON)")
    add("--output", type=Path, required=True, help="page to write (HTML)")
    return parser


@puts_together("output")
def main(arguments: argparse.Namespace) -> None:
    """Read the list and the records and write the page."""
    layers = read_layers(arguments.layers)
    for name in ("map.png", "pictures"):
        if not (layers.folder / name).exists():
            raise InputError(f"{layers.folder / name}: is not there; draw the scene first")
    records = read_scene_records(arguments.records)
    html, summary = render_scene(
        read_template(arguments.template, uses=("style", "scene", "synthetic")),
        read_style(arguments.style),
        layers,
        records,
        page=arguments.output,
        report=arguments.report,
        index=arguments.index,
    )
    write_text(arguments.output, html)
    write_json(arguments.summary, summary)


if __name__ == "__main__":
    run(build_parser(), main)
