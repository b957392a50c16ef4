"""Map a group of minerals anew by what the surest pixels of its first map teach."""

import argparse
import logging
from pathlib import Path

import numpy as np

from gossan.cube.lattice import read_lattice
from gossan.errors import InputError
from gossan.files import read_json, write_json
from gossan.legend import NODATA, read_classes
from gossan.maps import ClassMap, Ramp, write_maps
from gossan.minerals.answers import describe_answers
from gossan.minerals.groups import members_of
from gossan.minerals.scene_angle import surety
from gossan.minerals.second_pass import (
    LEAST_PIXELS,
    MODELS,
    choose_sure,
    describe_lesson,
    teach_forest,
    teach_likelihood,
)
from gossan.minerals.teacher import require_same_bands
from gossan.raster import read_info
from toolkit import add_blocks, one_blas_thread, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--cube", type=Path, required=True, help="cube to map")
    add("--classes", type=Path, required=True, help="class table (CSV)")
    add(
        "--teacher",
        type=Path,
        help="cube of another scene, whose first map the next flags name, that teaches (default: "
        "the cube itself)",
    )
    add("--class-map", type=Path, required=True, help="first map, of map_mineral_group.py")
    add("--angle", type=Path, required=True, help="its distances")
    add("--contrast", type=Path, required=True, help="its contrast to the scene's mean")
    add("--record", type=Path, required=True, help="its record (JSON)")
    add(
        "--surest",
        type=float,
        required=True,
        help="share of each mineral's pixels, the surest, that teach",
    )
    add("--model", choices=MODELS, required=True, help="what they teach")
    add("--seed", type=int, required=True, help="seed of the forest")
    add("--taught-map", type=Path, required=True, help="class raster to write")
    add("--probability", type=Path, required=True, help="raster of the winner's probability")
    add("--taught-record", type=Path, required=True, help="what taught, and agreement (JSON)")
    add_blocks(parser)
    return parser


def know_nothing(pixels: np.ndarray) -> np.ndarray:
    """No mineral, of probability 0, at each of (bands, n) pixels; NaN where they are nodata."""
    return np.where(np.isnan(pixels).any(axis=0), np.nan, 0.0).astype(np.float32)[np.newaxis]


def main(arguments: argparse.Namespace) -> None:
    """Choose the surest pixels, teach, write the map and how far it agrees with the first."""
    with one_blas_thread():
        _teach(arguments)


def _teach(arguments: argparse.Namespace) -> None:
    if not 0 < arguments.surest <= 1:
        raise InputError(f"--surest: {arguments.surest:g} is no share; give more than 0, at most 1")
    info = read_info(arguments.cube)
    group = read_json(arguments.record)["group"]
    members = {item.code: item for item in members_of(read_classes(arguments.classes), group)}
    blocks = {"block_px": arguments.block_px, "threads": arguments.threads}
    maps = [arguments.class_map, arguments.angle, arguments.contrast]
    teacher = arguments.teacher or arguments.cube
    cube, classes, angle, contrast = read_lattice([teacher, *maps], **blocks)
    valid = np.isfinite(cube).all(axis=1) & np.isfinite(angle[:, 0])
    sample, classes = cube[valid], classes[valid, 0].astype(np.uint8)
    sureness = surety(angle[valid, 0], contrast[valid, 0])
    names = {code: item.name for code, item in members.items()}
    try:
        lesson = choose_sure(classes, sureness, arguments.surest, LEAST_PIXELS)
    except InputError as error:
        # A small or plain scene teaches nothing, which is no reason to stop its other maps.
        told = {"taught": [], "notes": [str(error)]}
        codes, probabilities = np.zeros(1, np.uint8), know_nothing
        second = np.zeros(len(classes), np.uint8)
    else:
        if arguments.model == "forest":
            codes, probabilities = teach_forest(sample, lesson, arguments.seed, arguments.threads)
        else:
            model = teach_likelihood(sample, lesson)
            codes, probabilities = model.codes, model.probabilities
        second = codes[probabilities(sample.T).argmax(axis=0)]
        told = describe_lesson(lesson, sureness, second, names)
    if arguments.teacher is not None:
        require_same_bands(info.bands, read_info(teacher).bands, teacher)
        (own,) = read_lattice([arguments.cube], **blocks)
        own = own[np.isfinite(own).all(axis=1)]
        second = codes[probabilities(own.T).argmax(axis=0)]
        if told["taught"]:
            told["notes"].append("another scene taught; the agreement of the two maps is its own")
    for note in told["notes"]:
        logging.warning("%s", note)

    def classify(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = probabilities(block.reshape(len(block), -1))
        nodata = np.isnan(found).any(axis=0)
        taught = np.where(nodata, NODATA, codes[np.nan_to_num(found).argmax(axis=0)])
        probability = np.where(nodata, np.nan, found.max(axis=0))
        shape = block.shape[1:]
        return taught.astype(np.uint8).reshape(shape), probability.reshape(shape)

    tags = {**info.tags, "METHOD": f"Self-taught {arguments.model}", "GROUP": group}
    write_maps(
        classify,
        [arguments.cube],
        [
            ClassMap(arguments.taught_map, list(members.values()), tags=tags),
            Ramp.of_shares(arguments.probability, ("probability",), tags),
        ],
        progress="second pass",
        **blocks,
    )
    write_json(
        arguments.taught_record,
        {
            "group": group,
            "model": arguments.model,
            "surest": arguments.surest,
            "answers": describe_answers(second, names),
            **told,
        },
    )


if __name__ == "__main__":
    run(build_parser(), main)
