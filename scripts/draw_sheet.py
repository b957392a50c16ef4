"""Draw a scene's map sheet: its main map on one page of paper, at a round scale."""

import argparse
from pathlib import Path

from toolkit import add_records, puts_together, run

STATIC = Path(__file__).resolve().parents[1] / "resources" / "static"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--layers", type=Path, required=True, help="list of the scene's layers (layers.json)")
    add_records(parser)
    add("--paper", choices=("a4", "a3"), required=True, help="size of the sheet")
    add(
        "--land",
        type=Path,
        default=STATIC / "land.geojson",
        help="the Earth's land in degrees (GeoJSON; default: the coarse one that comes along)",
    )
    add("--output", type=Path, required=True, help="sheet to write (PDF)")
    return parser


@puts_together("layers")
def main(arguments: argparse.Namespace) -> None:
    """Read the list, the records and the land, and draw the sheet."""
    import matplotlib

    from gossan.desk.layers import read_layers
    from gossan.desk.scene_page import read_scene_records
    from gossan.desk.sheet import describe_scene, draw_sheet, save_sheet, sheet_style
    from gossan.files import staged
    from gossan.report.location_figures import read_land

    layers = read_layers(arguments.layers)
    land = read_land(arguments.land)
    records = read_scene_records(arguments.records)
    contents = describe_scene(layers, records, arguments.paper)
    with staged(arguments.output) as temporary, matplotlib.rc_context(sheet_style(contents)):
        save_sheet(draw_sheet(contents, land), temporary, f"{layers.scene}: {contents.title}")


if __name__ == "__main__":
    run(build_parser(), main)
