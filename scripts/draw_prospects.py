"""Draw the figures of one sensor's iron prospectivity, from composite to potential."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from toolkit import add_drawing, add_paper, puts_together, read_paper, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_drawing(
        parser,
        "folder of the scene's sensor, with cube and prospects",
        "composite, classes and probability.png, looks.png of a composite of dates; without "
        "--untested splits, confusions, importance and shap.png; with --sampled strata, scan, "
        "robustness, labels, reflectance, medians, boxes and halo.png; with --map-classes "
        "potential.png; with --beside beside.png",
    )
    add = parser.add_argument
    add(
        "--classes",
        type=Path,
        required=True,
        help="table of the classes that the forests were tested on (CSV)",
    )
    add(
        "--map-classes",
        type=Path,
        help="table of the grades of iron (CSV): the map is of these (default: of --classes)",
    )
    add(
        "--sampled",
        action="store_true",
        help="strata were sampled around mines, and all pixels labelled by spectral angle",
    )
    add(
        "--untested",
        action="store_true",
        help="the forest is one of another scene, and none was trained and tested on this one",
    )
    add(
        "--beside",
        action="store_true",
        help="the potential was mapped as published, too, and is drawn beside the study's own",
    )
    add("--mines", type=Path, help="vector file of the mines, drawn around the samples")
    add("--geology", type=Path, help="vector file of the units; those with iron are outlined")
    add("--claims", type=Path, help="vector file of claims, drawn over the potential")
    add("--occurrences", type=Path, help="vector file of occurrences, drawn over the potential")
    add(
        "--known-mines", type=Path, help="vector file of mines that taught nothing, drawn there too"
    )
    add(
        "--substances",
        nargs="*",
        action="extend",
        default=[],
        metavar="NAME",
        help="draw claims and occurrences of these substances only (default: all)",
    )
    add(
        "--substance-attribute",
        help="attribute of claims and occurrences that names the substance, where any are named",
    )
    add("--targets", type=Path, help="the scene's folder of targets, drawn over the potential")
    add_paper(parser)
    return parser


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

    folder = arguments.scene_dir / "prospects"
    places = [folder / "accuracy/forest", folder / "accuracy"]
    records = [read_json(path) for path in list_records(places)]
    tests = forest_tests(read_table(folder / "forest/validation.csv", SCORE_COLUMNS), records)
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
    importance = read_table(folder / "forest/importance.csv", ["protocol", "plan", "layer", "loss"])
    shap = read_table(
        folder / "forest/shap.csv", ["plan", "feature", "class", "points", "mean_abs"]
    )
    classes = read_classes(arguments.classes)
    return {
        "splits": lambda: draw_splits(forests | others, lines, source, synthetic),
        "confusions": lambda: draw_confusions(forests, synthetic),
        "importance": lambda: draw_importance(
            importance,
            {protocol: split_name(protocol, published) for protocol in (OWN, BLOCKED)},
            synthetic,
        ),
        "shap": lambda: draw_shap(shap, classes, synthetic),
    }


def sample_figures(
    arguments: argparse.Namespace, paper: Mapping, synthetic: bool
) -> dict[str, Callable]:
    """What is drawn of samples and of their labels."""
    from gossan.legend import read_classes
    from gossan.prospects.potential import HOST_ATTRIBUTE
    from gossan.prospects.strata import MINERALS
    from gossan.report.drawing import (
        NO_SHAPES,
        read_classed_points,
        read_composite,
        read_shapes,
        read_small,
    )
    from gossan.report.prospects_figures import (
        draw_labels,
        draw_robustness,
        draw_scan,
        draw_strata,
    )
    from gossan.tables import read_table

    folder = arguments.scene_dir / "prospects"
    strata = read_table(
        folder / "samples/strata.csv", ["mine", "stratum", "class", "train", "test"]
    )
    scan = read_table(
        folder / "labels/scan.csv", ["reference", "threshold_rad", "chosen", "macro_f1"]
    )
    robustness = read_table(
        folder / "labels/robustness.csv",
        [
            *("reference", "shift_rad", "split"),
            *("macro_f1", "ore_false_positive_share", "iron_share"),
        ],
    )
    cube = read_composite(arguments.scene_dir / "cube/cube.tif")
    labels = read_small(folder / "labels/iron.tif", classes=True)
    classes = read_classes(arguments.classes)
    grades = read_classes(arguments.map_classes or arguments.classes)
    mines, hosts = NO_SHAPES, NO_SHAPES
    if arguments.mines:
        mines = read_shapes(arguments.mines, cube.grid)
    if arguments.geology:
        hosts = read_shapes(arguments.geology, labels.grid, HOST_ATTRIBUTE, ["yes"])
    samples = read_classed_points(folder / "samples/samples.gpkg", cube.grid, "class")
    return {
        "strata": lambda: draw_strata(cube, mines, samples, strata, classes, synthetic),
        "scan": lambda: draw_scan(scan, paper.get("thresholds_rad", {}), synthetic),
        "robustness": lambda: draw_robustness(robustness, synthetic),
        "labels": lambda: draw_labels(
            read_small(folder / "labels/similarity.tif"),
            MINERALS,
            labels,
            grades,
            hosts,
            synthetic,
        ),
    }


def spectra_figures(arguments: argparse.Namespace, synthetic: bool) -> dict[str, Callable]:
    """What is drawn of the samples' spectra and similarity."""
    from gossan.files import read_json
    from gossan.legend import read_classes
    from gossan.prospects.strata import index_bands
    from gossan.raster import read_info
    from gossan.report.drawing import choose_evenly
    from gossan.report.strata_figures import (
        draw_boxes,
        draw_halo,
        draw_medians,
        draw_reflectance,
    )
    from gossan.tables import read_table

    folder = arguments.scene_dir / "prospects"
    bands = read_info(arguments.scene_dir / "cube/cube.tif").bands
    centres = dict(zip(bands.names, bands.centre_um, strict=True))
    rows = read_table(folder / "labels/points.csv", ("mine", "stratum", "class", "mineral"))
    strata = read_table(folder / "samples/strata.csv", ["mine", "mineral"])
    minerals = {row["mine"]: row["mineral"] for row in strata}
    classes = read_classes(arguments.classes)
    record = read_json(folder / "labels/labels.json")
    widest = record["theta_max_rad"]
    if arguments.beside:
        record = read_json(folder / "published/forest.json")
        widest = dict.fromkeys(widest, record["theta_max_rad"])
    _, red, infrared, _ = index_bands(bands, str(folder)).names
    shown = choose_evenly(bands.names)
    return {
        "reflectance": lambda: draw_reflectance(rows, (red, infrared), classes, synthetic),
        "medians": lambda: draw_medians(rows, centres, classes, synthetic),
        "boxes": lambda: draw_boxes(rows, shown, classes, synthetic),
        "halo": lambda: draw_halo(rows, minerals, widest, record["grades"], classes, synthetic),
    }


def draw_both(arguments: argparse.Namespace, synthetic: bool) -> object:
    """The map of potential as published, and ours."""
    from gossan.report.drawing import read_small
    from gossan.report.prospects_figures import draw_beside

    folder = arguments.scene_dir / "prospects"
    maps = {
        "As published": read_small(folder / "published/potential.tif", classes=True),
        "Ours": read_small(folder / "potential/potential.tif", classes=True),
    }
    grid = maps["Ours"].grid
    return draw_beside(maps, *read_known(arguments, grid), read_mines(arguments, grid), synthetic)


def read_mines(arguments: argparse.Namespace, grid: object) -> object:
    """The mines that taught nothing, by their points or a point in each."""
    from gossan.report.drawing import NO_SHAPES, read_shapes

    mines = NO_SHAPES
    if arguments.known_mines is not None:
        mines = read_shapes(arguments.known_mines, grid)
    return mines


def read_known(arguments: argparse.Namespace, grid: object) -> tuple:
    """Claims and occurrences of the substances that count."""
    from gossan.report.drawing import NO_SHAPES, read_shapes

    attribute = arguments.substance_attribute if arguments.substances else None
    return tuple(
        NO_SHAPES if path is None else read_shapes(path, grid, attribute, arguments.substances)
        for path in (arguments.claims, arguments.occurrences)
    )


def draw_the_potential(arguments: argparse.Namespace, synthetic: bool) -> object:
    """The map of potential with the sites and targets that were given."""
    from gossan.files import read_json
    from gossan.report.drawing import read_small
    from gossan.report.prospects_figures import draw_potential
    from gossan.report.target_marks import NO_MARKS, read_marks

    path = arguments.scene_dir / "prospects/potential/potential.tif"
    potential = read_small(path, classes=True)
    claims, occurrences = read_known(arguments, potential.grid)
    targets, record = NO_MARKS, None
    if arguments.targets:
        record = read_json(arguments.targets / "targets.json")
        targets = read_marks(arguments.targets / "targets.gpkg", potential.grid)
    known_mines = read_mines(arguments, potential.grid)
    return draw_potential(potential, claims, occurrences, targets, record, synthetic, known_mines)


@puts_together("scene_dir")
def main(arguments: argparse.Namespace) -> None:
    """Read what the figures show and write them."""
    from gossan.files import read_json
    from gossan.legend import read_classes
    from gossan.report.drawing import (
        draw_classes,
        draw_composite,
        read_composite,
        read_small,
        save_figures,
    )
    from gossan.report.prospects_figures import draw_looks, draw_probability

    cube = arguments.scene_dir / "cube"
    record = read_json(cube / "cube.json")
    synthetic = bool(record.get("synthetic", False))
    paper = read_paper(arguments)
    maps = arguments.scene_dir / "prospects" / ("iron" if arguments.map_classes else "cover")
    classes = read_classes(arguments.map_classes or arguments.classes)
    draw = {
        "composite": lambda: draw_composite(read_composite(cube / "cube.tif"), synthetic),
        **({} if arguments.untested else validation_figures(arguments, paper, synthetic)),
        "classes": lambda: draw_classes(
            read_small(maps / "class.tif", classes=True), classes, synthetic
        ),
        "probability": lambda: draw_probability(
            read_small(maps / "probability.tif"), read_small(maps / "uncertainty.tif"), synthetic
        ),
    }
    if record.get("dates"):
        draw["looks"] = lambda: draw_looks(
            read_small(cube / "looks.tif", classes=True), len(record["dates"]), synthetic
        )
    if arguments.sampled:
        draw |= sample_figures(arguments, paper, synthetic)
        draw |= spectra_figures(arguments, synthetic)
    if arguments.map_classes:
        draw["potential"] = lambda: draw_the_potential(arguments, synthetic)
    if arguments.beside:
        draw["beside"] = lambda: draw_both(arguments, synthetic)
    save_figures(draw, arguments.output_dir)


if __name__ == "__main__":
    run(build_parser(), main)
