"""Draw the figures of one scene's targets against known sites."""

import argparse

from toolkit import add_drawing, add_paper, puts_together, read_paper, run

CURVE_COLUMNS = ("sites", "score", "area_share", "found_share")
OVERLAY_COLUMNS = ("sites", "potential", "area_share", "n", "share")


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_drawing(
        parser,
        "folder of the scene, with targets",
        "overlay, success and prediction-area.png, and agreement.png where targets lie on what "
        "methods agree on",
    )
    add_paper(parser)
    return parser


@puts_together("scene_dir")
def main(arguments: argparse.Namespace) -> None:
    """Read what the figures show and write them."""
    from gossan.files import read_json
    from gossan.report.drawing import NO_SHAPES, read_shapes, read_small, save_figures
    from gossan.report.prospects_figures import draw_potential
    from gossan.report.targets_figures import draw_overlay, draw_prediction_area, draw_success
    from gossan.tables import read_table

    folder = arguments.scene_dir / "targets"
    record = read_json(folder / "targets.json")
    synthetic = bool(record.get("synthetic", False))
    overlay = read_table(folder / "overlay.csv", OVERLAY_COLUMNS)
    curves = read_table(folder / "curves.csv", CURVE_COLUMNS)
    claims = read_paper(arguments).get("claims") or {}
    draw = {}
    if (folder / "agreement.json").exists():
        agreement = read_small(folder / "potential.tif", classes=True)
        targets = read_shapes(folder / "targets.gpkg", agreement.grid, layer="points").points
        draw["agreement"] = lambda: draw_potential(
            agreement, NO_SHAPES, NO_SHAPES, targets, record, synthetic
        )
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
