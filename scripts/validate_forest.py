"""Test plans of forests at random, in spatial blocks and from half to half, and choose one."""

import argparse
import logging
from pathlib import Path

from toolkit import add_blocks, run

CHOOSERS = ("blocked", "carried")
EXPLANATIONS = ("importance", "shap")


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add(
        "--cube",
        type=Path,
        nargs="+",
        required=True,
        help="cube, or single-band rasters on one grid that make one",
    )
    add(
        "--extra",
        type=Path,
        nargs="*",
        default=[],
        help="further rasters as layers, resampled to the cube's grid",
    )
    add(
        "--samples",
        type=Path,
        required=True,
        help="labelled points: a vector file, or a CSV with x and y in the cube's system; an "
        "attribute split says train or test",
    )
    add("--test", type=Path, help="labelled points to test, where another file holds them")
    add("--label", required=True, help="attribute or column that holds the class")
    add("--classes", type=Path, required=True, help="class table (CSV)")
    add(
        "--plans",
        type=Path,
        required=True,
        help="plans to test (JSON, a list); the first is what gains are counted from",
    )
    add("--scene", required=True, help="scene id")
    add("--spatial-block-px", type=int, required=True, help="side of a spatial block, in pixels")
    add("--folds", type=int, required=True, help="folds that the blocks are dealt into")
    add("--bootstrap", type=int, required=True, help="number of bootstrap samples")
    add("--seed", type=int, required=True, help="seed of folds, draws and bootstrap")
    add("--table", type=Path, required=True, help="scores of plans and splits to write (CSV)")
    add(
        "--record-dir",
        type=Path,
        required=True,
        help="folder for accuracy records: PLAN-random, PLAN-blocked and PLAN-carried.json, "
        "chosen-…",
    )
    add(
        "--chosen-by",
        choices=CHOOSERS,
        required=True,
        help="how the plan of the map is chosen within the training points: over spatial blocks, "
        "for a map of their ground, or carried from one half of it to the other, for other ground",
    )
    add("--chosen", type=Path, required=True, help="plan chosen for the map to write (JSON)")
    add(
        "--explain",
        choices=EXPLANATIONS,
        nargs="*",
        required=True,
        help="which of these to compute; the table of another has no row",
    )
    add(
        "--importance",
        type=Path,
        required=True,
        help="permutation importance of each layer to write (CSV)",
    )
    add("--shap", type=Path, required=True, help="SHAP values by feature and class to write (CSV)")
    add_blocks(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read points and features, test, choose, explain, and write records and tables."""
    from gossan.accuracy.blocks import Bootstrap
    from gossan.errors import InputError
    from gossan.files import write_json
    from gossan.forests.choice import choose_for_map
    from gossan.forests.exercises import Options
    from gossan.forests.explanation import (
        IMPORTANCE_COLUMNS,
        SHAP_COLUMNS,
        explain_forest,
        permutation_importance,
    )
    from gossan.forests.features import Stack
    from gossan.forests.ground import read_ground
    from gossan.forests.plans import read_plans
    from gossan.forests.samples import read_samples, require_train
    from gossan.forests.validation import CHOSEN, compare_tests, forest_record, run_tests
    from gossan.legend import read_classes
    from gossan.raster import is_synthetic
    from gossan.tables import write_rows, write_table

    options = Options(
        bootstrap=Bootstrap(arguments.spatial_block_px, arguments.bootstrap, arguments.seed),
        folds=arguments.folds,
        threads=arguments.threads,
    )
    plans = read_plans(arguments.plans)
    if any(plan.name == CHOSEN for plan in plans):
        raise InputError(f"{arguments.plans}: a plan is called {CHOSEN}; give it another name")
    classes = read_classes(arguments.classes)
    with Stack(arguments.cube, arguments.extra) as stack:
        samples = read_samples(
            arguments.samples,
            stack.grid,
            classes,
            arguments.label,
            arguments.test,
        )
        ground = read_ground(
            stack,
            samples,
            plans,
            arguments.spatial_block_px,
            block_px=arguments.block_px,
            threads=arguments.threads,
        )
        notes, synthetic = stack.notes, is_synthetic(stack.tags)
    require_train(ground.samples, classes, str(arguments.samples))
    tests = run_tests(ground, plans, options)
    chosen, scores = choose_for_map(ground, plans, arguments.chosen_by, options)
    explained = [test for test in tests if test.name in dict.fromkeys((plans[0].name, chosen.name))]
    importance, shap = [], []
    if "importance" in arguments.explain:
        importance = [
            row for test in explained for row in permutation_importance(ground, test, options)
        ]
    if "shap" in arguments.explain:
        shap = [
            row
            for test in explained
            if test.protocol == "random"
            for row in explain_forest(ground, test, classes, options)
        ]
    for test in tests:
        record = forest_record(
            ground,
            test,
            classes,
            options,
            scene=arguments.scene,
            truth=(arguments.test or arguments.samples).name,
            synthetic=synthetic,
            notes=notes,
        )
        write_json(arguments.record_dir / f"{test.name}-{test.protocol}.json", record)
    write_table(arguments.table, compare_tests(ground, tests, classes, options))
    write_rows(arguments.importance, IMPORTANCE_COLUMNS, importance)
    write_rows(arguments.shap, SHAP_COLUMNS, shap)
    # The scores that decided stand in the log; the plan's file is what train_forest.py reads.
    for name, score in scores.items():
        logging.info("mean kappa within the training points, %s: %.4f", name, score)
    write_json(arguments.chosen, chosen.to_json())


if __name__ == "__main__":
    run(build_parser(), main)
