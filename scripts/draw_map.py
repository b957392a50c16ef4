"""Draw the interactive map of a scene: one HTML file that any browser opens, offline."""

import argparse
from pathlib import Path

from toolkit import run

STATIC = Path(__file__).resolve().parents[1] / "resources" / "static"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--layers", type=Path, required=True, help="list of the scene's layers (layers.json)")
    add("--template", type=Path, default=STATIC / "map.html.j2", help="template of the page")
    add("--script", type=Path, default=STATIC / "map.js", help="script of the page")
    add("--style", type=Path, default=STATIC / "map.css", help="style sheet of the page")
    add("--output", type=Path, required=True, help="map to write (HTML)")
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read the layers and write the map."""
    from gossan.desk.layers import read_layers
    from gossan.desk.web_map import draw_map
    from gossan.files import write_text
    from gossan.report.layout import read_script, read_style, read_template

    page = draw_map(
        read_layers(arguments.layers),
        read_template(arguments.template, uses=("record", "policy", "planes")),
        read_script(arguments.script),
        read_style(arguments.style),
    )
    write_text(arguments.output, page)


if __name__ == "__main__":
    run(build_parser(), main)
