"""Draw the figures of one scene's targets against known sites."""

import argparse
from pathlib import Path

from toolkit import add_drawing, add_paper, puts_together, read_paper, run

CURVE_COLUMNS = ("sites", "score", "area_share", "found_share")
PERIOD_COLUMNS = ("period", "potential", "area_share", "n", "found", "share", "touching_share")
DISTRICT_COLUMNS = ("district", "medium_share", "high_share", "claims", "claims_found")
OVERLAY_COLUMNS = ("sites", "potential", "area_share", "n", "share")


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_drawing(
        parser,
        "folder of the scene, with targets",
        "targets, overlay, success and prediction-area.png; with --claims periods.png, with "
        "--districts districts.png",
    )
    add = parser.add_argument
    add("--claims", action="store_true", help="claims were counted, by period, too")
    add("--districts", type=Path, help="vector file of the districts, drawn over the potential")
    add(
        "--potential",
        type=Path,
        required=True,
        help="raster of the potential that targets and districts are drawn over",
    )
    add_paper(parser)
    return parser


@puts_together("scene_dir")
def main(arguments: argparse.Namespace) -> None:
    """Read what the figures show and write them."""
    from gossan.files import read_json
    from gossan.report.drawing import NO_SHAPES, read_shapes, read_small, save_figures
    from gossan.report.prospects_figures import draw_potential
    from gossan.report.target_marks import read_marks
    from gossan.report.targets_figures import (
        draw_districts,
        draw_overlay,
        draw_periods,
        draw_prediction_area,
        draw_success,
    )
    from gossan.tables import read_table

    folder = arguments.scene_dir / "targets"
    record = read_json(folder / "targets.json")
    synthetic = bool(record.get("synthetic", False))
    overlay = read_table(folder / "overlay.csv", OVERLAY_COLUMNS)
    curves = read_table(folder / "curves.csv", CURVE_COLUMNS)
    claims = read_paper(arguments).get("claims") or {}
    potential = read_small(arguments.potential, classes=True)
    marks = read_marks(folder / "targets.gpkg", potential.grid)
    draw = {
        "targets": lambda: draw_potential(potential, NO_SHAPES, NO_SHAPES, marks, record, synthetic)
    }
    if arguments.claims:
        periods = read_table(folder / "periods.csv", PERIOD_COLUMNS)
        draw["periods"] = lambda: draw_periods(periods, synthetic)
    if arguments.districts:
        districts = read_shapes(arguments.districts, potential.grid)
        rows = read_table(folder / "districts.csv", DISTRICT_COLUMNS)
        draw["districts"] = lambda: draw_districts(potential, districts, rows, synthetic)
    save_figures(
        {
            **draw,
            "overlay": lambda: draw_overlay(overlay, claims.get("share"), synthetic),
            "success": lambda: draw_success(curves, record, synthetic),
            "prediction-area": lambda: draw_prediction_area(curves, record, synthetic),
        },
        arguments.output_dir,
    )


if __name__ == "__main__":
    run(build_parser(), main)
