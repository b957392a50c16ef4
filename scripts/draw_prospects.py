"""Draw the figures of one scene's iron prospectivity, from composite to targets, as PNG files."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from toolkit import run

STATIC = Path(__file__).resolve().parents[1] / "resources" / "static"

# What goes together: all of a group, or nothing of it.
GROUPS = {
    "strata": ("samples", "strata"),
    "noise": ("eigenvalues", "endmembers"),
    "labels": ("scan", "robustness", "similarity", "labels"),
    "maps": ("class_map", "probability", "uncertainty"),
    "targets": ("potential", "targets", "targets_record", "overlay", "curves"),
}


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--study", required=True, help="study id, whose published numbers are drawn beside")
    add("--cube", type=Path, required=True, help="cube of the scene")
    add("--record", type=Path, required=True, help="record of the cube (cube.json)")
    add(
        "--classes",
        type=Path,
        required=True,
        help="table of the classes that the forests were tested on (CSV)",
    )
    add("--scores", type=Path, required=True, help="table of validate_forest (CSV)")
    add(
        "--accuracy",
        type=Path,
        nargs="+",
        required=True,
        help="accuracy records of the scene (JSON), or folders of them",
    )
    add("--importance", type=Path, required=True, help="importance by validate_forest (CSV)")
    add("--shap", type=Path, required=True, help="SHAP values by validate_forest (CSV)")
    add("--looks", type=Path, help="clear looks by composite_dates: draws looks.png")
    add(
        "--samples",
        type=Path,
        help="points of sample_strata; with --strata, draws strata.png",
    )
    add("--strata", type=Path, help="table of sample_strata (CSV)")
    add("--mines", type=Path, help="vector file of the mines, drawn around the samples")
    add(
        "--eigenvalues",
        type=Path,
        help="table of transform_mnf (CSV); with --endmembers, draws eigenvalues.png and "
        "endmembers.png",
    )
    add("--endmembers", type=Path, help="spectra of transform_mnf (CSV)")
    add(
        "--scan",
        type=Path,
        help="thresholds tried by label_iron (CSV); with --robustness, --similarity and --labels, "
        "draws scan.png, robustness.png and labels.png",
    )
    add("--robustness", type=Path, help="shifted thresholds of label_iron (CSV)")
    add("--similarity", type=Path, help="similarity by label_iron (raster)")
    add("--labels", type=Path, help="grades by label_iron (raster)")
    add("--geology", type=Path, help="vector file of the units; those with iron are outlined")
    add(
        "--map-classes",
        type=Path,
        help="table of the classes of labels and class map (CSV; default: that of --classes)",
    )
    add(
        "--class-map",
        type=Path,
        help="class raster of map_forest; with --probability and --uncertainty, draws classes.png "
        "and probability.png",
    )
    add("--probability", type=Path, help="probabilities by map_forest (raster)")
    add("--uncertainty", type=Path, help="uncertainty by map_forest (raster)")
    add(
        "--potential",
        type=Path,
        help="raster of map_potential; with --targets, --targets-record, --overlay and --curves, "
        "draws potential.png, overlay.png, success.png and prediction-area.png",
    )
    add("--targets", type=Path, help="targets of rank_targets (GeoPackage)")
    add("--targets-record", type=Path, help="record of rank_targets (JSON)")
    add("--overlay", type=Path, help="claims and occurrences by rank_targets (CSV)")
    add("--curves", type=Path, help="curves of rank_targets (CSV)")
    add("--claims", type=Path, help="vector file of claims, drawn over the potential")
    add("--occurrences", type=Path, help="vector file of occurrences, drawn over the potential")
    add(
        "--substances",
        nargs="+",
        metavar="NAME",
        help="draw claims and occurrences of these substances only (default: all)",
    )
    add(
        "--substance-attribute",
        default="substance",
        help="attribute of claims and occurrences that names the substance (default: substance)",
    )
    add(
        "--published",
        type=Path,
        default=STATIC / "published.json",
        help="published figures of the studies (JSON)",
    )
    add(
        "--output-dir",
        type=Path,
        required=True,
        help="folder for composite, splits, confusions, importance and shap.png, and for those of "
        "the other flags",
    )
    return parser


def check_groups(arguments: argparse.Namespace) -> None:
    """InputError where only part of a group of flags is given."""
    from gossan.errors import InputError

    for names in GROUPS.values():
        given = [name for name in names if getattr(arguments, name) is not None]
        missing = [name for name in names if name not in given]
        if given and missing:
            flags = " and ".join(f"--{name.replace('_', '-')}" for name in missing)
            raise InputError(f"--{given[0].replace('_', '-')}: goes with {flags}; give all or none")


def validation_figures(
    arguments: argparse.Namespace, paper: Mapping, synthetic: bool
) -> dict[str, Callable]:
    """What is drawn of the forests' tests."""
    from gossan.accuracy.record import list_records
    from gossan.files import read_json
    from gossan.legend import read_classes
    from gossan.prospects.prospect_tests import (
        BLOCKED,
        OWN,
        SCORE_COLUMNS,
        SCORES,
        class_names,
        forest_tests,
        leading_tests,
        other_tests,
        published_test,
        split_name,
        title_of,
    )
    from gossan.report.prospects_figures import (
        draw_confusions,
        draw_importance,
        draw_shap,
        draw_splits,
    )
    from gossan.tables import read_table

    records = [read_json(path) for path in list_records(arguments.accuracy)]
    tests = forest_tests(read_table(arguments.scores, SCORE_COLUMNS), records)
    leading = leading_tests(tests)
    published = published_test(paper, leading[0].record) if leading else None
    forests = {title_of(test, published): test.record for test in leading}
    others = {
        record["method"]: record
        for record in other_tests(tests, records)
        if leading and class_names(record) == class_names(leading[0].record)
    }
    lines, source = {}, ""
    if published is not None:
        lines = {name: published[name] for name in SCORES} | published["f1"]
        source = published["source"]
    return {
        "splits": lambda: draw_splits(forests | others, lines, source, synthetic),
        "confusions": lambda: draw_confusions(forests, synthetic),
        "importance": lambda: draw_importance(
            read_table(arguments.importance, ["protocol", "plan", "layer", "loss"]),
            {protocol: split_name(protocol, published) for protocol in (OWN, BLOCKED)},
            synthetic,
        ),
        "shap": lambda: draw_shap(
            read_table(arguments.shap, ["plan", "feature", "class", "points", "mean_abs"]),
            read_classes(arguments.classes),
            synthetic,
        ),
    }


def sample_figures(arguments: argparse.Namespace, synthetic: bool) -> dict[str, Callable]:
    """What is drawn of looks, samples and noise, as far as it is given."""
    from gossan.files import read_json
    from gossan.legend import read_classes
    from gossan.report.minerals_figures import read_small
    from gossan.report.prospects_figures import (
        NO_SHAPES,
        draw_eigenvalues,
        draw_endmembers,
        draw_looks,
        draw_strata,
        read_classed_points,
        read_shapes,
    )
    from gossan.tables import read_references, read_table

    draw: dict[str, Callable] = {}
    if arguments.looks is not None:
        draw["looks"] = lambda: draw_looks(
            read_small(arguments.looks, classes=True),
            len(read_json(arguments.record).get("dates", [])),
            synthetic,
        )
    if arguments.strata is not None:
        cube = read_small(arguments.cube)
        draw["strata"] = lambda: draw_strata(
            cube,
            read_shapes(arguments.mines, cube.grid) if arguments.mines else NO_SHAPES,
            read_classed_points(arguments.samples, cube.grid, "class"),
            read_table(arguments.strata, ["mine", "stratum", "class", "train", "test"]),
            read_classes(arguments.classes),
            synthetic,
        )
    if arguments.eigenvalues is not None:
        columns = ["component", "eigenvalue", "cumulative_share"]
        draw["eigenvalues"] = lambda: draw_eigenvalues(
            read_table(arguments.eigenvalues, columns), synthetic
        )
        draw["endmembers"] = lambda: draw_endmembers(
            *read_references(arguments.endmembers), synthetic
        )
    return draw


def map_figures(
    arguments: argparse.Namespace, paper: Mapping, synthetic: bool
) -> dict[str, Callable]:
    """What is drawn of labels, the forest's map, potential and targets, as far as it is given."""
    from gossan.files import read_json
    from gossan.legend import read_classes
    from gossan.prospects.potential import HOST_ATTRIBUTE
    from gossan.prospects.strata import MINERALS
    from gossan.report.minerals_figures import draw_classes, read_small
    from gossan.report.prospects_figures import (
        NO_SHAPES,
        draw_labels,
        draw_overlay,
        draw_potential,
        draw_prediction_area,
        draw_probability,
        draw_robustness,
        draw_scan,
        draw_success,
        read_shapes,
    )
    from gossan.tables import read_table

    classes = read_classes(arguments.map_classes or arguments.classes)
    draw: dict[str, Callable] = {}
    if arguments.labels is not None:
        labels = read_small(arguments.labels, classes=True)
        columns = ["reference", "shift_rad", "split", "macro_f1", "ore_false_positive_share"]
        draw["scan"] = lambda: draw_scan(
            read_table(arguments.scan, ["reference", "threshold_rad", "chosen", "macro_f1"]),
            paper.get("thresholds_rad", {}),
            synthetic,
        )
        draw["robustness"] = lambda: draw_robustness(
            read_table(arguments.robustness, [*columns, "iron_share"]), synthetic
        )
        draw["labels"] = lambda: draw_labels(
            read_small(arguments.similarity),
            MINERALS,
            labels,
            classes,
            read_shapes(arguments.geology, labels.grid, HOST_ATTRIBUTE, ["yes"])
            if arguments.geology
            else NO_SHAPES,
            synthetic,
        )
    if arguments.class_map is not None:
        draw["classes"] = lambda: draw_classes(
            read_small(arguments.class_map, classes=True), classes, synthetic
        )
        draw["probability"] = lambda: draw_probability(
            read_small(arguments.probability), read_small(arguments.uncertainty), synthetic
        )
    if arguments.potential is not None:
        record = read_json(arguments.targets_record)
        potential = read_small(arguments.potential, classes=True)
        curves = read_table(arguments.curves, ["sites", "score", "area_share", "found_share"])
        attribute = arguments.substance_attribute if arguments.substances else None
        claims, occurrences = (
            NO_SHAPES
            if path is None
            else read_shapes(path, potential.grid, attribute, arguments.substances or ())
            for path in (arguments.claims, arguments.occurrences)
        )
        targets = read_shapes(arguments.targets, potential.grid, layer="points").points
        draw["potential"] = lambda: draw_potential(
            potential, claims, occurrences, targets, record, synthetic
        )
        draw["overlay"] = lambda: draw_overlay(
            read_table(arguments.overlay, ["sites", "potential", "area_share", "n", "share"]),
            paper.get("claims", {}).get("share"),
            synthetic,
        )
        draw["success"] = lambda: draw_success(curves, record, synthetic)
        draw["prediction-area"] = lambda: draw_prediction_area(curves, record, synthetic)
    return draw


def main(arguments: argparse.Namespace) -> None:
    """Read what the figures show and write them."""
    from gossan.files import read_json, staged
    from gossan.report.minerals_figures import draw_composite, read_small, save_figure

    check_groups(arguments)
    synthetic = bool(read_json(arguments.record).get("synthetic", False))
    paper = read_json(arguments.published).get(arguments.study, {})
    draw = {
        "composite": lambda: draw_composite(read_small(arguments.cube), synthetic),
        **sample_figures(arguments, synthetic),
        **validation_figures(arguments, paper, synthetic),
        **map_figures(arguments, paper, synthetic),
    }
    for name, make in draw.items():
        with staged(arguments.output_dir / f"{name}.png") as temporary:
            save_figure(make(), temporary)


if __name__ == "__main__":
    run(build_parser(), main)
