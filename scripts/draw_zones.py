"""Draw the figures of one scene's alteration zones, from signal to scores, as PNG files."""

import argparse
from pathlib import Path

from toolkit import run

NO_SCORE = {"assessed": False, "reason": "The scene has no alteration score.", "zones": []}


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--cube", type=Path, required=True, help="normalised cube of the scene")
    add("--record", type=Path, required=True, help="record of preprocess_scene (cube.json)")
    add("--anomalies", type=Path, required=True, help="anomaly raster of map_anomalies")
    add("--anomaly-table", type=Path, required=True, help="table of map_anomalies (CSV)")
    add("--subbands", type=Path, required=True, help="sub-band raster of transform_wavelets")
    add("--profile", type=Path, required=True, help="profile of transform_wavelets (CSV)")
    add("--wavelets", type=Path, required=True, help="table of compare_wavelets (CSV)")
    add(
        "--confidence",
        type=Path,
        nargs="+",
        required=True,
        help="confidence rasters, named after their zones",
    )
    add("--confidence-table", type=Path, required=True, help="table of assess_zones (CSV)")
    add("--reference", type=Path, help="vector file of the zones, drawn as outlines")
    add(
        "--scores",
        type=Path,
        nargs="*",
        default=[],
        help="score rasters, named after their zones",
    )
    add("--score-record", type=Path, help="record of score_alteration (JSON)")
    add("--curves", type=Path, help="curves of score_alteration (CSV)")
    add("--band", help="band whose sub-bands are drawn (default: the first of the anomalies)")
    add(
        "--output-dir",
        type=Path,
        required=True,
        help="folder for composite, signal, histograms, anomalies, subbands, profile, wavelets, "
        "confidence-ZONE for each zone, scores, curves and comparison.png",
    )
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read what the figures show and write them."""
    from gossan.errors import InputError
    from gossan.files import read_json, staged
    from gossan.report.minerals_figures import draw_composite, read_small, save_figure
    from gossan.report.zones_figures import (
        draw_anomalies,
        draw_comparison,
        draw_confidence,
        draw_curves,
        draw_histograms,
        draw_profile,
        draw_scores,
        draw_signal,
        draw_subbands,
        draw_wavelets,
        read_outlines,
    )
    from gossan.tables import read_table

    record = read_json(arguments.record)
    synthetic = bool(record.get("synthetic", False))
    anomalies = read_small(arguments.anomalies, classes=True)
    bands = anomalies.bands.names
    band = arguments.band or bands[0]
    if band not in bands:
        raise InputError(f"band: {band} has no anomalies (there are: {', '.join(bands)})")
    confidence = {path.stem: read_small(path, classes=True) for path in arguments.confidence}
    score = NO_SCORE if arguments.score_record is None else read_json(arguments.score_record)
    outlines = {
        zone: read_outlines(arguments.reference, raster.grid, zone) if arguments.reference else []
        for zone, raster in confidence.items()
    }
    confidence_rows = read_table(
        arguments.confidence_table, ["zone", "band", "level", "found", "n_reference"]
    )
    draw = {
        "composite": lambda: draw_composite(read_small(arguments.cube), synthetic),
        "signal": lambda: draw_signal(record.get("stages", []), bands, synthetic),
        "histograms": lambda: draw_histograms(record.get("histograms", {}), bands, synthetic),
        "anomalies": lambda: draw_anomalies(
            anomalies,
            read_table(arguments.anomaly_table, ["band", "anomalies", "pixels"]),
            synthetic,
        ),
        "subbands": lambda: draw_subbands(read_small(arguments.subbands), band, synthetic),
        "profile": lambda: draw_profile(
            read_table(arguments.profile, ["band", "subband", "row", "mean", "mean_magnitude"]),
            bands,
            synthetic,
        ),
        "wavelets": lambda: draw_wavelets(
            read_table(arguments.wavelets, ["wavelet", "band", "share_LL", "entropy_bits"]),
            list(confidence),
            synthetic,
        ),
        **{
            f"confidence-{zone}": lambda zone=zone: draw_confidence(
                confidence[zone], zone, outlines[zone], confidence_rows, synthetic
            )
            for zone in confidence
        },
        "scores": lambda: draw_scores(
            {path.stem: read_small(path) for path in arguments.scores},
            outlines,
            {item["zone"]: item["threshold"] for item in score["zones"] if "threshold" in item},
            synthetic,
        ),
        "curves": lambda: draw_curves(
            read_table(arguments.curves, ["zone", "method", "kind", "precision", "recall"])
            if arguments.curves
            else [],
            synthetic,
        ),
        "comparison": lambda: draw_comparison(score, synthetic),
    }
    for name, make in draw.items():
        with staged(arguments.output_dir / f"{name}.png") as temporary:
            save_figure(make(), temporary)


if __name__ == "__main__":
    run(build_parser(), main)
