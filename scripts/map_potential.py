"""Map iron potential from class probabilities and the geology."""

import argparse
from pathlib import Path

import numpy as np

from gossan.errors import InputError
from gossan.maps import ClassMap, Ramp, write_maps
from gossan.prospects.potential import (
    GRADED_POTENTIAL,
    IRON_METHOD,
    POTENTIAL,
    check_thresholds,
    classify_potential,
    grade_potential,
    grade_weights,
    open_hosts,
    potential_of_class,
    score_potential,
)
from gossan.raster import read_info
from toolkit import add_blocks, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--probability",
        type=Path,
        required=True,
        help="raster of class probabilities; bands named MINERAL-GRADE (grade high, moderate or "
        "low) and negative",
    )
    parser.add_argument(
        "--geology",
        type=Path,
        help="vector file of polygons with the attribute `iron` (yes or no); all ground outside "
        "of units with yes scores 0 (default: no constraint)",
    )
    parser.add_argument(
        "--by",
        choices=("score", "class"),
        default="score",
        help="low, medium and high by limits of the score; or by the grade of the most probable "
        "class, where what is negative has none (default: score)",
    )
    parser.add_argument(
        "--medium",
        type=float,
        required=True,
        help="least score of medium potential; the score is the expected grade, with high 1, "
        "moderate 2/3, low 1/3, negative 0",
    )
    parser.add_argument(
        "--high",
        type=float,
        required=True,
        help="least score of high potential",
    )
    parser.add_argument(
        "--potential", type=Path, required=True, help="raster of potential classes to write"
    )
    parser.add_argument("--score", type=Path, required=True, help="raster of scores to write")
    add_blocks(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Score each block, class the score, and write both with their legends."""
    medium, high = arguments.medium, arguments.high
    check_thresholds(medium, high)
    info = read_info(arguments.probability)
    weights = grade_weights(info.bands.names, str(arguments.probability))
    by_class = arguments.by == "class"
    levels = np.array([potential_of_class(name) for name in info.bands.names], np.uint8)
    sources = [arguments.probability]
    if arguments.geology is not None:
        sources.append(open_hosts(arguments.geology, info.grid))

    def work(probability: np.ndarray, hosting: np.ndarray | None = None) -> list[np.ndarray]:
        try:
            score = score_potential(probability, weights, hosting)
        except InputError as error:
            raise InputError(f"{arguments.probability}: {error}") from error
        codes = (
            grade_potential(probability, levels, hosting)
            if by_class
            else classify_potential(score, medium, high)
        )
        return [codes, score]

    tags = {
        **info.tags,
        "METHOD": IRON_METHOD,
        "BY": arguments.by,
        "MEDIUM": f"{medium:g}",
        "HIGH": f"{high:g}",
        "GEOLOGY": "none" if arguments.geology is None else arguments.geology.name,
    }
    write_maps(
        work,
        sources,
        [
            ClassMap(
                arguments.potential,
                GRADED_POTENTIAL if by_class else POTENTIAL,
                ("potential",),
                tags=tags,
            ),
            Ramp(arguments.score, ("score",), 0, 1, tags=tags),
        ],
        block_px=arguments.block_px,
        threads=arguments.threads,
        progress="potential",
    )


if __name__ == "__main__":
    run(build_parser(), main)
