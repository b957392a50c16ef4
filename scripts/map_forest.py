"""Map a stored forest over a cube: class, probabilities and their uncertainty."""

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
        help="further rasters as layers, resampled to the cube's grid; read if the forest uses "
        "them",
    )
    add(
        "--forest",
        type=Path,
        required=True,
        help="forest of train_forest.py (.npz), of this scene or of another of the same bands",
    )
    add("--classes", type=Path, required=True, help="class table (CSV) for names and colours")
    add("--scene", required=True, help="scene id")
    add("--class-map", type=Path, required=True, help="class raster to write")
    add(
        "--probability",
        type=Path,
        required=True,
        help="raster of class probabilities to write, one band per class",
    )
    add(
        "--uncertainty",
        type=Path,
        required=True,
        help="raster to write of entropy (share of its maximum) and of the spread over the trees, "
        "of boosted ones over the last half of their stages",
    )
    add(
        "--record",
        type=Path,
        help="record to write of a map by a forest that was trained elsewhere: which, on which "
        "scene, on which bands (JSON)",
    )
    add_blocks(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read the forest, compute features and predictions block by block, write the rasters."""
    import numpy as np

    from gossan.errors import InputError
    from gossan.files import write_json
    from gossan.forests.features import Stack, make_features, require_fit
    from gossan.forests.forest import KINDS, predict_block, read_forest, require_same_bands
    from gossan.forests.plans import parse_plan
    from gossan.legend import (
        read_classes,
    )
    from gossan.maps import ClassMap, Ramp, write_maps
    from gossan.raster import is_synthetic

    forest = read_forest(arguments.forest)
    plan = parse_plan(forest.header.get("plan"), str(arguments.forest))
    method = KINDS[plan.settings.trees].capitalize()
    own = dict(zip(forest.codes, forest.names, strict=True))
    classes = [item for item in read_classes(arguments.classes) if item.code in own]
    if {item.code: item.name for item in classes} != own:
        raise InputError(
            f"{arguments.classes}: lacks classes of {arguments.forest} "
            f"({', '.join(forest.names)}); give the table that it was trained with"
        )
    extras = arguments.extra if plan.layers == "all" else []
    with Stack(arguments.cube, extras) as stack:
        origin = require_same_bands(forest, stack.layers, stack.wavelengths, str(arguments.forest))
        layers = stack.places(forest.header["layers"])
        recipe = plan.recipe
        if recipe.names([stack.layers[place] for place in layers]) != forest.features:
            raise InputError(f"{arguments.forest}: its features are not its plan's; train it again")
        require_fit(recipe, stack.grid, str(arguments.cube[0]))

        def classify(inner: tuple[slice, slice], block: np.ndarray) -> tuple[np.ndarray, ...]:
            return predict_block(forest, make_features(block, inner, recipe, layers))

        tags = {**stack.tags, "METHOD": method, "PLAN": plan.name}
        synthetic = is_synthetic(tags)
        if origin["scene"] != arguments.scene:
            tags["TRAINED_ON"] = origin["scene"]
            tags["TRAINED_ON_SYNTHETIC"] = "yes" if origin["synthetic"] else "no"
        write_maps(
            classify,
            [stack.read],
            [
                ClassMap(arguments.class_map, classes, tags=tags),
                Ramp.of_shares(arguments.probability, forest.names, tags),
                Ramp.of_shares(arguments.uncertainty, ("entropy", "spread"), tags, reverse=True),
            ],
            grid=stack.grid,
            block_px=recipe.block_px(len(stack.layers), arguments.block_px),
            threads=arguments.threads,
            halo=recipe.halo,
            align=recipe.align,
            progress="forest",
        )
    if arguments.record is not None:
        header = forest.header
        record = {
            "scene": arguments.scene,
            "method": method,
            "synthetic": synthetic,
            "trained_on": {**origin, "file": arguments.forest.name},
            **{key: header[key] for key in ("plan", "layers", "wavelengths_um")},
            "features": list(forest.features),
            "classes": [
                {"code": code, "name": name}
                for code, name in zip(forest.codes, forest.names, strict=True)
            ],
            "trees": len(forest.offsets) - 1,
            "nodes": len(forest.feature),
            "notes": stack.notes,
        }
        if origin["scene"] != arguments.scene:
            record["notes"] = [
                *stack.notes,
                f"trained on the scene {origin['scene']}; nothing of this scene was held out to "
                "test it, so no accuracy can be stated",
            ]
        write_json(arguments.record, record)


if __name__ == "__main__":
    run(build_parser(), main)
