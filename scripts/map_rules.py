"""Rule images: the angle, or other distance, of each pixel to each mineral, a band a mineral."""

import argparse
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from gossan.cube.lattice import read_lattice
from gossan.errors import InputError
from gossan.files import read_json
from gossan.legend import GROUPS, MapClass, read_classes
from gossan.library.follow import follow_cube
from gossan.library.readers import read_references
from gossan.maps import FINE_STEPS, Ramp, write_maps
from gossan.minerals.comparisons import METHODS, gather_records, make_comparison
from gossan.minerals.groups import (
    LEAST_BANDS,
    bands_within,
    group_bands,
    members_of,
    require_bands,
)
from gossan.minerals.scene_angle import UNIFORM_CONTRAST, measure_mean
from gossan.minerals.spectral_angle import align_references, map_angles, usable_bands
from gossan.raster import read_info
from toolkit import add_blocks, add_ranges, one_blas_thread, run

ORIGIN = "origin"
ORIGIN_METHOD = "Spectral Angle Mapper"
# Ends of the colours.
WIDE_ANGLE_RAD, WIDE_ABOUT_MEAN, WIDE_DISTANCE = 0.5, np.pi / 2, 1.0
# What is made of a block (bands, rows, columns): distances (minerals, rows, columns).
Rule = Callable[[np.ndarray], np.ndarray]


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--cube", type=Path, required=True, help="cube to compare")
    add("--cube-record", type=Path, required=True, help="how the cube was made (JSON)")
    add(
        "--references",
        type=Path,
        required=True,
        help="reference spectra at the cube's bands (CSV of resample_library.py)",
    )
    add("--classes", type=Path, required=True, help="class table (CSV)")
    add(
        "--match",
        required=True,
        choices=(ORIGIN, *METHODS),
        help="how pixels and references are compared; all but origin compare by group",
    )
    add_ranges(parser)
    add("--rules", type=Path, required=True, help="raster to write, a band a mineral")
    add_blocks(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Compare every pixel with every mineral and write the distances."""
    with one_blas_thread():
        _map(arguments)


def _map(arguments: argparse.Namespace) -> None:
    info = read_info(arguments.cube)
    if arguments.match == ORIGIN:
        title, unit, widest = ORIGIN_METHOD, "rad", WIDE_ANGLE_RAD
        minerals, rule = rule_to_origin(arguments)
    else:
        title, unit, _ = METHODS[arguments.match]
        widest = WIDE_ABOUT_MEAN if unit else WIDE_DISTANCE
        minerals, rule = rule_about_mean(arguments)
    write_maps(
        rule,
        [arguments.cube],
        [
            Ramp(
                arguments.rules,
                tuple(item.label for item in minerals),
                0.0,
                float(widest),
                unit,
                reverse=True,
                tags={**info.tags, "METHOD": f"{title}: distance to each mineral"},
                **(FINE_STEPS if unit else {}),
            )
        ],
        block_px=arguments.block_px,
        threads=arguments.threads,
        progress="rule images",
    )


def rule_to_origin(arguments: argparse.Namespace) -> tuple[list[MapClass], Rule]:
    """All classes, and the angles to the origin to their leading records."""
    info, where = read_info(arguments.cube), str(arguments.references)
    classes, references = read_classes(arguments.classes), read_references(arguments.references)
    within = bands_within(info.bands, arguments.range_um)
    require_bands(within, arguments.range_um, str(arguments.cube))
    places = [place for place in usable_bands(references, info.bands, where) if place in within]
    bands = info.bands.take(places)
    names = [item.name for item in classes]
    spectra = align_references(references.at(bands.names), names, bands, where)
    record = read_json(arguments.cube_record)
    spectra = follow_cube(spectra, bands.names, record, str(arguments.cube_record))
    return classes, lambda block: map_angles(block[places], spectra, every_angle=True)[3]


def rule_about_mean(arguments: argparse.Namespace) -> tuple[list[MapClass], Rule]:
    """The minerals of all groups, and their distances in the bands of their group.

    Nothing is known in a group that the cube lacks the bands of, nor on a scene of one cover.
    """
    info, ranges = read_info(arguments.cube), arguments.range_um
    classes, references = read_classes(arguments.classes), read_references(arguments.references)
    usable = usable_bands(references, info.bands, str(arguments.references))
    record = read_json(arguments.cube_record)
    options = {"block_px": arguments.block_px, "threads": arguments.threads}
    (sample,) = read_lattice([arguments.cube], **options)
    minerals: list[MapClass] = []
    parts: list[Rule] = []
    for group in filter(None, GROUPS):
        members = members_of(classes, group)
        if not members:
            continue
        minerals += members
        places = [place for place in group_bands(info.bands, group, ranges) if place in usable]
        require_bands(places, ranges, f"the group {group} of {arguments.cube}")
        clear = sample[:, places]
        clear = clear[np.isfinite(clear).all(axis=1)]
        mean = measure_mean(clear) if len(places) >= LEAST_BANDS else None
        if mean is None or mean.contrast < UNIFORM_CONTRAST:
            logging.warning("group %s: too few bands, or a scene of one cover", group)
            parts.append(make_empty(len(members)))
            continue
        records = gather_records(
            references,
            record,
            members,
            info.bands,
            usable,
            places,
            (str(arguments.references), str(arguments.cube_record)),
        )
        parts.append(make_rule(make_comparison(arguments.match, clear, mean, records), places))
    if not minerals:
        raise InputError(
            f"{arguments.classes}: no mineral belongs to a group, so none is compared about the "
            "mean; set minerals.match to origin"
        )
    return minerals, lambda block: np.concatenate([part(block) for part in parts])


def make_rule(compare: Callable[[np.ndarray], np.ndarray], places: list[int]) -> Rule:
    """Distances of a block of all bands, of what compares pixels (bands, n) at `places`."""

    def rule(block: np.ndarray) -> np.ndarray:
        pixels = block[places].reshape(len(places), -1)
        found = compare(pixels)
        found[:, np.isnan(pixels).any(axis=0)] = np.nan
        return found.astype(np.float32).reshape(-1, *block.shape[1:])

    return rule


def make_empty(minerals: int) -> Rule:
    """Nodata for so many minerals."""
    return lambda block: np.full((minerals, *block.shape[1:]), np.nan, np.float32)


if __name__ == "__main__":
    run(build_parser(), main)
