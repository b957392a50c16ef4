"""Grade sample points by stratum and similarity, teach a forest with them, and test it."""

import argparse
import logging
from pathlib import Path

from toolkit import add_blocks, run

WEIGHTS = ("similarity", "none")
PLAN = "strata"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--cube", type=Path, required=True, help="cube whose bands the forest of strata sees")
    add(
        "--extra",
        type=Path,
        nargs="*",
        default=[],
        help="further rasters as layers, which the plan of the other forest may use",
    )
    add("--samples", type=Path, required=True, help="sample points of sample_strata.py")
    add("--strata", type=Path, required=True, help="table of strata of sample_strata.py (CSV)")
    add("--points", type=Path, required=True, help="table of points of label_iron.py (CSV)")
    add(
        "--assignments",
        type=Path,
        required=True,
        help="table of the highest grade of each class and stratum (CSV: mineral, class, from_m, "
        "to_m, grade)",
    )
    add("--classes", type=Path, required=True, help="table of iron grades (CSV): iron.csv")
    add(
        "--theta-max-rad",
        type=float,
        required=True,
        help="spectral angle at which similarity is 0, in radians",
    )
    add(
        "--grades",
        type=float,
        nargs=3,
        required=True,
        metavar="S",
        help="least mean similarity of high, moderate and low grade",
    )
    add(
        "--weight",
        choices=WEIGHTS,
        required=True,
        help="what a point of each grade counts for: the mean similarity of the grade's points, or "
        "all the same",
    )
    add("--estimators", type=int, required=True, help="trees of the forest")
    add("--min-samples-split", type=int, required=True, help="least points of a node that is split")
    add("--min-samples-leaf", type=int, required=True, help="least points of a leaf")
    add(
        "--label-map",
        type=Path,
        required=True,
        help="map of grades by spectral angle, whose pixels teach the forest that is compared",
    )
    add("--plan", type=Path, required=True, help="plan of the forest that is compared (JSON)")
    add("--per-class", type=int, required=True, help="pixels of a grade that teach it at most")
    add("--medium", type=float, required=True, help="least score of its medium potential")
    add("--high", type=float, required=True, help="least score of its high potential")
    add(
        "--geology",
        type=Path,
        help="vector file of units with the attribute `iron`; ground outside those with yes has no "
        "potential (default: no constraint)",
    )
    add("--truth", type=Path, help="raster of the true grades, of a simulated ground")
    add("--scene", required=True, help="scene id")
    add("--spatial-block-px", type=int, required=True, help="side of a spatial block, in pixels")
    add("--folds", type=int, required=True, help="folds that the blocks are dealt into")
    add("--bootstrap", type=int, required=True, help="number of bootstrap samples")
    add("--seed", type=int, required=True, help="seed of forest, folds, draws and bootstrap")
    add("--forest", type=Path, required=True, help="forest of the graded points to write (.npz)")
    add("--record", type=Path, required=True, help="how it was taught, to write (JSON)")
    add("--cells", type=Path, required=True, help="table to write of classes and strata (CSV)")
    add("--table", type=Path, required=True, help="table to write of both forests' scores (CSV)")
    add("--record-dir", type=Path, required=True, help="folder for accuracy records")
    add_blocks(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Grade the points, test both forests, teach and write the forest of the map."""
    from dataclasses import replace

    import numpy as np

    from gossan.accuracy.blocks import Bootstrap
    from gossan.errors import InputError
    from gossan.files import write_json
    from gossan.forests.features import Stack
    from gossan.forests.forest import ForestSettings, flatten_forest, grow_forest, write_forest
    from gossan.forests.ground import read_ground
    from gossan.forests.plans import Plan, read_plans
    from gossan.forests.samples import Samples, draw_labels
    from gossan.legend import read_classes
    from gossan.prospects.grade_tests import (
        PIXELS,
        SCORE_COLUMNS,
        STRATA,
        ask_forests,
        deal_lessons,
        prepare_lesson,
        record_said,
        teachable,
    )
    from gossan.prospects.iron_labels import read_point_angles
    from gossan.prospects.potential import check_thresholds, read_hosts_at
    from gossan.prospects.strata import read_samples, read_spectra
    from gossan.prospects.strata_grades import (
        CELL_COLUMNS,
        STRATA_COLUMNS,
        CellGrading,
        Points,
        cell_rows,
        place_points,
        read_assignments,
    )
    from gossan.raster import is_synthetic, read_info
    from gossan.tables import read_table, write_rows

    check_thresholds(arguments.medium, arguments.high)
    bootstrap = Bootstrap(arguments.spatial_block_px, arguments.bootstrap, arguments.seed)
    listed = read_assignments(arguments.assignments)
    classes = read_classes(arguments.classes)
    codes = {item.name: item.code for item in classes}
    plans = {
        STRATA: Plan(
            name=STRATA,
            settings=ForestSettings(
                estimators=arguments.estimators,
                min_samples_split=arguments.min_samples_split,
                min_samples_leaf=arguments.min_samples_leaf,
                seed=arguments.seed,
            ),
        ),
        PIXELS: replace(read_plans(arguments.plan)[0], name=PIXELS),
    }
    with Stack([arguments.cube], arguments.extra) as stack:
        samples = read_samples(arguments.samples, stack.grid)
        strata = read_table(arguments.strata, STRATA_COLUMNS)
        angles = read_point_angles(arguments.points, samples)
        table = place_points(samples, angles, strata, str(arguments.strata))
        options = {"block_px": arguments.block_px, "threads": arguments.threads}
        drawn = draw_labels(
            arguments.label_map, classes, arguments.per_class, arguments.seed, **options
        )
        # Points and pixels are read together, each by its number in place of its code, so that it
        # is seen which of them have data.
        n, tested = len(samples), np.r_[samples.split == "test", np.zeros(len(drawn.codes), bool)]
        both = Samples(
            np.r_[samples.row, drawn.rows],
            np.r_[samples.column, drawn.columns],
            np.arange(len(tested)),
            tested,
        )
        side_px = arguments.spatial_block_px
        ground = read_ground(stack, both, list(plans.values()), side_px, **options)
        number = ground.samples.codes
        points, pixels = ground.take(number < n), ground.take(number >= n)
        pixels = pixels.label(drawn.codes[pixels.samples.codes - n])
        layers = [stack.layers[place] for place in stack.cube_layers]
        wavelengths = [list(stack.wavelengths[place]) for place in stack.cube_layers]
        synthetic = is_synthetic(stack.tags)
        grid = stack.grid
    table = table.select(points.samples.codes)
    hosting = read_hosts_at(arguments.geology, grid, points.samples.rows, points.samples.columns)

    def grade(taught: Points) -> CellGrading:
        return CellGrading.of(taught, listed, arguments.theta_max_rad, arguments.grades)

    weighed = arguments.weight == "similarity"
    lessons = deal_lessons(points, pixels, arguments.folds, arguments.seed)
    limits = arguments.medium, arguments.high
    truth = None
    if arguments.truth is not None:
        grid.require_same(read_info(arguments.truth).grid, str(arguments.truth))
        truth = read_spectra(arguments.truth, points.samples.rows, points.samples.columns)[:, 0]
    rows = []
    for protocol, parts in lessons.items():
        said = ask_forests(
            points, pixels, plans, parts, table, grade, codes, limits, hosting, weighed
        )
        records, scores = record_said(
            protocol,
            said,
            points,
            table,
            classes,
            truth,
            bootstrap,
            scene=arguments.scene,
            file=arguments.samples.name,
            synthetic=synthetic,
        )
        for name, record in records.items():
            write_json(arguments.record_dir / f"{name}-{protocol}.json", record)
        rows += scores
    # All points teach the forest of the map, as far as the samples' split lets them.
    train = np.flatnonzero(~points.samples.is_test)
    grading = grade(table.select(train))
    graded = grading.label(table)
    plan, own = prepare_lesson(plans[STRATA], points, train, graded, table, grading, codes, weighed)
    taught = teachable(own, train)
    if len(set(own.samples.codes[taught])) < 2:
        raise InputError(
            f"{arguments.assignments}: all points have one grade by it; raise theta-max-rad, or "
            "give references of your own ore"
        )
    model = grow_forest(
        own.features[STRATA][taught],
        own.samples.codes[taught],
        plan.settings,
        threads=arguments.threads,
        weights=plan.weights,
    )
    names = {code: name for name, code in codes.items()}
    told = [names[int(code)] for code in model.classes_]
    origin = {"scene": arguments.scene, "synthetic": synthetic}
    header = {
        "plan": plan.to_json(),
        "layers": layers,
        "wavelengths_um": wavelengths,
        "trained_on": origin,
    }
    forest = flatten_forest(model, told, own.names[STRATA], header)
    notes = [*grading.notes(), *points.samples.notes]
    if absent := [name for name in codes if name not in told]:
        notes.append(f"No training point is {', '.join(absent)}, so the forest does not know it.")
    for note in notes:
        logging.info("%s", note)
    write_forest(arguments.forest, forest)
    write_json(
        arguments.record,
        {
            **header,
            "features": list(forest.features),
            "classes": [
                {
                    "code": code,
                    "name": name,
                    "points": int((own.samples.codes[taught] == code).sum()),
                    "weight": dict(plan.weights).get(code, 1.0),
                }
                for code, name in zip(forest.codes, forest.names, strict=True)
            ],
            "theta_max_rad": arguments.theta_max_rad,
            "grades": dict(zip(("high", "moderate", "low"), arguments.grades, strict=True)),
            "weight": arguments.weight,
            "cells_met": dict(zip(("met", "of"), grading.met, strict=True)),
            "trees": len(forest.offsets) - 1,
            "samples": arguments.samples.name,
            "synthetic": synthetic,
            "notes": notes,
        },
    )
    write_rows(arguments.cells, CELL_COLUMNS, cell_rows(grading, table, strata))
    write_rows(arguments.table, SCORE_COLUMNS, rows)


if __name__ == "__main__":
    run(build_parser(), main)
