"""Draw the figures of one sensor's alteration zones, from signal to scores."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit import add_drawing, add_paper, puts_together, read_paper, run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NO_SCORE = {"assessed": False, "reason": "The scene has no alteration score.", "zones": []}
RASTERS = (".tif", ".tiff")


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_drawing(
        parser,
        "folder of the scene's sensor, with zones",
        "composite, signal, histograms, anomalies, subbands, profile, details, wavelets, "
        "confidence-ZONE for each zone, levels, scores, curves and comparison.png, and with "
        "--as-published published-subbands, -details, -levels and -confidence-ZONE.png",
    )
    add = parser.add_argument
    add("--truth", type=Path, help="truth of the zones; a vector file is drawn as outlines")
    add("--as-published", action="store_true", help="the method ran as published, too")
    add_paper(parser)
    add("--scored", action="store_true", help="the scene has an alteration score")
    return parser


@puts_together("scene_dir")
def main(arguments: argparse.Namespace) -> None:
    """Read what the figures show and write them."""
    from gossan.files import read_json
    from gossan.raster import read_info
    from gossan.report.drawing import (
        draw_composite,
        read_chosen,
        read_composite,
        read_small,
        save_figures,
    )
    from gossan.report.zones_figures import (
        draw_anomalies,
        draw_comparison,
        draw_confidence,
        draw_curves,
        draw_details,
        draw_histograms,
        draw_levels,
        draw_profile,
        draw_scores,
        draw_signal,
        draw_subbands,
        draw_wavelets,
        read_outlines,
    )
    from gossan.report.zones_published import main_band
    from gossan.report.zones_section import zone_names
    from gossan.tables import read_table

    folder = arguments.scene_dir / "zones"
    record = read_json(folder / "cube.json")
    synthetic = bool(record.get("synthetic", False))
    bands = read_info(folder / "mad/anomalies.tif").bands.names
    parts = read_info(folder / "wavelets/subbands.tif").bands.names
    band = main_band(read_paper(arguments), bands)
    first = [place for place, name in enumerate(parts) if name.startswith(f"{band} ")]
    anomalies = read_table(folder / "mad/anomalies.csv", ["band", "anomalies", "pixels"])
    profile = read_table(
        folder / "wavelets/profile.csv", ["band", "subband", "row", "mean", "mean_magnitude"]
    )
    wavelets = read_table(
        folder / "wavelets/comparison.csv", ["wavelet", "band", "share_LL", "entropy_bits"]
    )
    rules = read_table(
        folder / "confidence/confidence.csv", ["zone", "band", "level", "found", "n_reference"]
    )
    zones = zone_names(rules)
    score, curves = NO_SCORE, []
    if arguments.scored:
        score = read_json(folder / "score/score.json")
        columns = ["zone", "method", "kind", "precision", "recall"]
        curves = read_table(folder / "score/curves.csv", columns)
    truth = arguments.truth
    drawn = truth is not None and truth.suffix.lower() not in RASTERS
    grid = read_info(folder / "wavelets/subbands.tif").grid
    outlines = {zone: read_outlines(truth, grid, zone) if drawn else [] for zone in zones}

    def draw_parts(start: str, place: Path) -> "dict[str, Callable[[], Figure]]":
        """What is drawn of the study's own maps and of those as published, by name."""
        table = "confidence/confidence.csv" if place == folder else "scores.csv"
        own_rules = read_table(place / table, ["zone", "band", "level", "found"])
        details = read_table(place / "wavelets/details.csv", ["question", "band", "auc"])
        edge = read_table(place / "wavelets/edge.csv", ["first", "second", "band", "mean_size"])
        subbands = read_small(place / "wavelets/subbands.tif", bands=first)
        confidence = {
            zone: read_chosen(place / f"confidence/{zone}.tif", classes=True) for zone in zones
        }
        return {
            f"{start}subbands": lambda: draw_subbands(subbands, band, synthetic),
            f"{start}details": lambda: draw_details(details, edge, synthetic),
            f"{start}levels": lambda: draw_levels(own_rules, zones, synthetic),
            **{
                f"{start}confidence-{zone}": lambda zone=zone: draw_confidence(
                    confidence[zone], zone, outlines[zone], own_rules, synthetic
                )
                for zone in zones
            },
        }

    save_figures(
        {
            "composite": lambda: draw_composite(read_composite(folder / "cube.tif"), synthetic),
            "signal": lambda: draw_signal(record.get("stages", []), bands, synthetic),
            "histograms": lambda: draw_histograms(record.get("histograms", {}), bands, synthetic),
            "anomalies": lambda: draw_anomalies(
                read_chosen(folder / "mad/anomalies.tif", classes=True), anomalies, synthetic
            ),
            **draw_parts("", folder),
            **(draw_parts("published-", folder / "published") if arguments.as_published else {}),
            "profile": lambda: draw_profile(profile, bands, synthetic),
            "wavelets": lambda: draw_wavelets(wavelets, zones, synthetic),
            "scores": lambda: draw_scores(
                {zone: read_small(folder / f"score/maps/{zone}.tif") for zone in zones}
                if arguments.scored
                else {},
                outlines,
                {item["zone"]: item["threshold"] for item in score["zones"] if "threshold" in item},
                synthetic,
            ),
            "curves": lambda: draw_curves(curves, synthetic),
            "comparison": lambda: draw_comparison(score, synthetic),
        },
        arguments.output_dir,
    )


if __name__ == "__main__":
    run(build_parser(), main)
