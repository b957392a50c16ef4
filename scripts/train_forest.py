"""Train a forest on labelled points or on a class raster, and store it as plain arrays."""

import argparse
from pathlib import Path

from toolkit import add_blocks, run


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
        help="further rasters as layers, resampled to the cube's grid; used by plans with "
        "layers: all",
    )
    ground = parser.add_mutually_exclusive_group(required=True)
    ground.add_argument(
        "--samples",
        type=Path,
        help="labelled points: a vector file, or a CSV with x and y in the cube's system; with "
        "an attribute split, only those of train are learned from",
    )
    ground.add_argument(
        "--label-map",
        type=Path,
        help="class raster to draw training pixels from, in place of points",
    )
    add("--label", required=True, help="attribute or column of the points that holds the class")
    add("--per-class", type=int, required=True, help="pixels of a class drawn from the map at most")
    add("--seed", type=int, required=True, help="seed of the draw from the map")
    add("--classes", type=Path, required=True, help="class table (CSV)")
    add("--plan", type=Path, required=True, help="plan of the forest (JSON)")
    add("--scene", required=True, help="scene id, for maps of other scenes by this forest")
    add("--forest", type=Path, required=True, help="forest to write (.npz)")
    add("--record", type=Path, required=True, help="record of the training to write (JSON)")
    add_blocks(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read points and features, train, write the forest and its record."""
    import numpy as np

    from gossan.errors import InputError
    from gossan.files import write_json
    from gossan.forests.features import Stack
    from gossan.forests.forest import flatten_forest, grow_forest, write_forest
    from gossan.forests.ground import plan_layers, read_ground
    from gossan.forests.plans import read_plans
    from gossan.forests.samples import (
        draw_labels,
        read_samples,
        require_train,
        teaching_places,
    )
    from gossan.legend import read_classes
    from gossan.raster import is_synthetic, read_info

    plans = read_plans(arguments.plan)
    if len(plans) > 1:
        raise InputError(f"{arguments.plan}: holds {len(plans)} plans; give the one to train")
    plan = plans[0]
    source = arguments.samples or arguments.label_map
    classes = read_classes(arguments.classes)
    extras = arguments.extra if plan.layers == "all" else []
    with Stack(arguments.cube, extras) as stack:
        if arguments.label_map is None:
            samples = read_samples(arguments.samples, stack.grid, classes, arguments.label)
        else:
            stack.grid.require_same(read_info(arguments.label_map).grid, str(arguments.label_map))
            samples = draw_labels(
                arguments.label_map,
                classes,
                arguments.per_class,
                arguments.seed,
                block_px=arguments.block_px,
                threads=arguments.threads,
            )
        ground = read_ground(
            stack,
            samples.take(~samples.is_test),
            [plan],
            block_px=arguments.block_px,
            threads=arguments.threads,
        )
        places = plan_layers(stack, plan)
        layers = [stack.layers[place] for place in places]
        wavelengths = [list(stack.wavelengths[place]) for place in places]
        notes, synthetic = stack.notes, is_synthetic(stack.tags)
    origin = {"scene": arguments.scene, "synthetic": synthetic}
    train = require_train(ground.samples, classes, str(source))
    features = ground.features[plan.name]
    if arguments.label_map is None:
        n = len(train.codes)
        taught = teaching_places(train.codes, np.arange(n), plan.shares, n, arguments.seed)
        train, features = train.take(taught), features[taught]
    model = grow_forest(
        features, train.codes, plan.settings, threads=arguments.threads, weights=plan.weights
    )
    names = {item.code: item.name for item in classes}
    counts = {names[int(code)]: int((train.codes == code).sum()) for code in model.classes_}
    forest = flatten_forest(
        model,
        [names[int(code)] for code in model.classes_],
        ground.names[plan.name],
        {
            "plan": plan.to_json(),
            "layers": layers,
            "wavelengths_um": wavelengths,
            "trained_on": origin,
        },
    )
    write_forest(arguments.forest, forest)
    write_json(
        arguments.record,
        {
            "plan": plan.to_json(),
            "layers": layers,
            "wavelengths_um": wavelengths,
            "trained_on": origin,
            "features": list(forest.features),
            "classes": [
                {"code": code, "name": name, "points": counts[name]}
                for code, name in zip(forest.codes, forest.names, strict=True)
            ],
            "trees": len(forest.offsets) - 1,
            "nodes": len(forest.feature),
            "samples": source.name,
            "synthetic": synthetic,
            "notes": [*train.notes, *notes],
        },
    )


if __name__ == "__main__":
    run(build_parser(), main)
