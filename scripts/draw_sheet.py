"""Draw a scene's map sheet: its main map on one page of paper, at a round scale."""

import argparse
from pathlib import Path

from toolkit import puts_together, run

STATIC = Path(__file__).resolve().parents[1] / "resources" / "static"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--layers", type=Path, required=True, help="list of the scene's layers (layers.json)")
    add(
        "--records",
        nargs=3,
        action="append",
        default=[],
        metavar=("SECTION", "SENSOR", "PATH"),
        help="the study's section that made a map of the scene, its sensor or stack, and its "
        "accuracy record (JSON) or a folder of such; repeat the flag for each (default: none)",
    )
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

    from gossan.accuracy.record import list_records
    from gossan.desk.layers import read_layers
    from gossan.desk.sheet import describe_scene, draw_sheet, save_sheet, sheet_style
    from gossan.files import read_json, staged
    from gossan.report.location_figures import read_land

    layers = read_layers(arguments.layers)
    land = read_land(arguments.land)
    records = [
        {"section": section, "sensor": sensor, **read_json(path)}
        for section, sensor, place in arguments.records
        for path in list_records([Path(place)])
    ]
    contents = describe_scene(layers, records, arguments.paper)
    with staged(arguments.output) as temporary, matplotlib.rc_context(sheet_style(contents)):
        save_sheet(draw_sheet(contents, land), temporary, f"{layers.scene}: {contents.title}")


if __name__ == "__main__":
    run(build_parser(), main)
