"""Score each pixel's probability of lying in an alteration zone, tested on held-out blocks."""

import argparse
from pathlib import Path

from toolkit import add_threads, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--cube", type=Path, required=True, help="normalised cube of the bands to learn from")
    add("--subbands", type=Path, required=True, help="wavelet sub-bands of the cube")
    add(
        "--reflectance",
        type=Path,
        help="cube of reflectance, not normalised, for band ratios and, on the bands that both "
        "have, SAM (default: the cube itself)",
    )
    add("--zone", nargs="+", required=True, help="zones to score")
    truth = parser.add_mutually_exclusive_group(required=True)
    truth.add_argument(
        "--truth",
        type=Path,
        help="vector file of the zones with the attribute `class`, to learn from and test on",
    )
    truth.add_argument(
        "--model",
        type=Path,
        help="record of another scene of the same sensor and corrections, whose models to use "
        "where there is no truth; such a score is not tested",
    )
    add(
        "--outside",
        choices=("other", "untested"),
        required=True,
        help="ground outside all polygons is no zone (other), or is neither learned from nor "
        "tested (untested)",
    )
    add(
        "--confidence",
        type=Path,
        nargs="*",
        default=[],
        help="confidence rasters of the fixed ranges to compare with",
    )
    add(
        "--published",
        type=Path,
        nargs="*",
        default=[],
        help="confidence rasters of the method as its paper has it, to compare with",
    )
    add(
        "--anomalies",
        type=Path,
        help="anomalies of the method as its paper has it, compared as a map of each zone",
    )
    add("--references", type=Path, help="reference spectra for SAM (CSV of resample_library.py)")
    add(
        "--minerals",
        nargs="+",
        action="append",
        default=[],
        metavar="NAME",
        help="a zone, then its minerals for SAM; once per zone",
    )
    add("--scene", required=True, help="scene id")
    add(
        "--spatial-block-px",
        type=int,
        required=True,
        help="side of a spatial block of folds and bootstrap",
    )
    add("--folds", type=int, required=True, help="folds that the blocks are dealt into")
    add(
        "--buffer-px",
        type=int,
        required=True,
        help="pixels so near to a fold's blocks do not train its model",
    )
    add("--per-class", type=int, required=True, help="training pixels per class at most")
    add("--bootstrap", type=int, required=True, help="number of bootstrap samples")
    add("--seed", type=int, required=True, help="seed of sample and bootstrap")
    add("--output", type=Path, nargs="+", required=True, help="score rasters, one per zone")
    add("--record", type=Path, required=True, help="record of models and scores to write (JSON)")
    add("--curves", type=Path, required=True, help="precision-recall curves to write (CSV)")
    add("--record-dir", type=Path, help="folder for accuracy records: ZONE-METHOD.json")
    add_threads(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Train or take the models, write the scores, the record and the curves."""
    from threadpoolctl import threadpool_limits

    from gossan.accuracy.blocks import Bootstrap
    from gossan.errors import InputError
    from gossan.files import read_json, write_json
    from gossan.legend import write_continuous_style
    from gossan.tables import write_rows
    from gossan.zones.score_assessment import (
        CURVE_COLUMNS,
        PUBLISHED,
        RULE,
        Options,
        Scene,
        apply_record,
        read_minerals,
        score_scene,
    )
    from gossan.zones.zone_assessment import open_zones, read_anomalies, read_zone_map

    zones = arguments.zone
    if len(set(zones)) < len(zones) or len(zones) != len(arguments.output):
        raise InputError("zone, output: give each zone once and one output raster per zone")
    minerals = {zone: names for zone, *names in arguments.minerals}
    if minerals and arguments.references is None:
        raise InputError("minerals: have no spectra; give --references, or leave --minerals out")
    scene = Scene.open(arguments.cube, arguments.subbands, arguments.reflectance)
    rows, records = [], {}
    # One BLAS thread: blocks are worked on in threads, and sums keep their order.
    with threadpool_limits(1):
        if arguments.model is not None:
            record = apply_record(
                scene,
                read_json(arguments.model),
                arguments.model,
                zones,
                arguments.output,
                name=arguments.scene,
                threads=arguments.threads,
            )
        else:
            maps = [(RULE, read_zone_map(path)) for path in arguments.confidence]
            maps += [(PUBLISHED, read_zone_map(path)) for path in arguments.published]
            if arguments.anomalies is not None:
                maps += [(PUBLISHED, read_anomalies(arguments.anomalies, zone)) for zone in zones]
            record, rows, records = score_scene(
                scene,
                open_zones(arguments.truth, scene.cube.grid, outside=arguments.outside),
                zones,
                arguments.output,
                name=arguments.scene,
                references=read_minerals(arguments.references, minerals),
                minerals=minerals,
                maps=maps,
                options=Options(
                    bootstrap=Bootstrap(
                        arguments.spatial_block_px, arguments.bootstrap, arguments.seed
                    ),
                    folds=arguments.folds,
                    buffer_px=arguments.buffer_px,
                    per_class=arguments.per_class,
                    threads=arguments.threads,
                ),
            )
    for path in arguments.output:
        write_continuous_style(path, 0.0, 1.0)
    write_rows(arguments.curves, CURVE_COLUMNS, rows)
    if arguments.record_dir is not None:
        arguments.record_dir.mkdir(parents=True, exist_ok=True)
        for name, item in records.items():
            write_json(arguments.record_dir / name, item)
    write_json(arguments.record, record)


if __name__ == "__main__":
    run(build_parser(), main)
