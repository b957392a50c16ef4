"""Map one group of minerals by how pixels differ from the scene's mean: class, distance, margin."""

import argparse
import logging
from pathlib import Path

import numpy as np

from gossan.cube.lattice import read_lattice
from gossan.errors import InputError
from gossan.files import read_json, write_json
from gossan.legend import GROUPS, NODATA, UNCLASSIFIED, read_classes
from gossan.library.readers import read_references
from gossan.maps import ClassMap, Ramp, write_maps
from gossan.minerals.answers import describe_answers
from gossan.minerals.comparisons import METHODS, gather_records, make_comparison
from gossan.minerals.groups import LEAST_BANDS, group_bands, members_of, require_bands
from gossan.minerals.scene_angle import UNIFORM_CONTRAST, SceneMean, map_detector, measure_mean
from gossan.minerals.spectral_angle import usable_bands
from gossan.minerals.teacher import require_same_bands
from gossan.raster import read_info
from toolkit import add_blocks, add_ranges, one_blas_thread, run

MATCHES = tuple(METHODS)


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--cube", type=Path, required=True, help="cube to map")
    add(
        "--teacher",
        type=Path,
        help="cube of another scene whose mean and spread the pixels are held against (default: "
        "those of the cube itself)",
    )
    add("--cube-record", type=Path, required=True, help="how the cube was made (JSON)")
    add(
        "--references",
        type=Path,
        required=True,
        help="reference spectra at the cube's bands (CSV of resample_library.py)",
    )
    add("--classes", type=Path, required=True, help="class table (CSV)")
    add("--group", required=True, choices=[name for name in GROUPS if name], help="group to map")
    add("--match", required=True, choices=MATCHES, help="how pixels and references are compared")
    add_ranges(parser)
    add("--class-map", type=Path, required=True, help="class raster to write")
    add("--angle", type=Path, required=True, help="raster of the winner's angle (distance)")
    add("--margin", type=Path, required=True, help="raster of how much farther the next mineral is")
    add("--contrast", type=Path, required=True, help="raster of the contrast to the scene's mean")
    add("--record", type=Path, required=True, help="what was mapped, and notes on it (JSON)")
    add_blocks(parser)
    return parser


def know_nothing(block: np.ndarray) -> tuple[np.ndarray, ...]:
    """Maps of a block of which nothing can be said: unclassified, nodata as in the cube."""
    nodata = np.isnan(block).any(axis=0)
    classes = np.where(nodata, NODATA, UNCLASSIFIED).astype(np.uint8)
    return classes, *np.full((3, *nodata.shape), np.nan, np.float32)


def main(arguments: argparse.Namespace) -> None:
    """Read cube and references, compare, write rasters, styles and the record."""
    with one_blas_thread():
        _map(arguments)


def _map(arguments: argparse.Namespace) -> None:
    info = read_info(arguments.cube)
    group = arguments.group
    members = members_of(read_classes(arguments.classes), group)
    if not members:
        raise InputError(f"{arguments.classes}: has no mineral of the group {group}")
    references = read_references(arguments.references)
    usable = usable_bands(references, info.bands, arguments.references)
    ranges = arguments.range_um
    places = [place for place in group_bands(info.bands, group, ranges) if place in usable]
    require_bands(places, ranges, f"the group {group} of {arguments.cube}")
    title, unit, no_limit = METHODS[arguments.match]
    blocks = {"block_px": arguments.block_px, "threads": arguments.threads}
    (sample,) = read_lattice([arguments.cube], **blocks)
    teacher, taught = arguments.cube, sample
    if arguments.teacher is not None:
        teacher = arguments.teacher
        require_same_bands(info.bands, read_info(teacher).bands, teacher)
        (taught,) = read_lattice([teacher], **blocks)
    records: dict[int, np.ndarray] = {}
    mean, notes = SceneMean(np.zeros(0), 0.0), []
    classify = know_nothing
    if len(places) < LEAST_BANDS:
        notes.append(
            f"{', '.join(item.name for item in members)}: left out, as the cube has fewer than "
            f"{LEAST_BANDS} bands of the group {group}"
        )
    else:
        clear = taught[:, places]
        clear = clear[np.isfinite(clear).all(axis=1)]
        if not len(clear):
            raise InputError(f"{teacher}: all pixels are nodata; choose another scene")
        mean = measure_mean(clear)
        records = gather_records(
            references,
            read_json(arguments.cube_record),
            members,
            info.bands,
            usable,
            places,
            (str(arguments.references), str(arguments.cube_record)),
        )
        if mean.contrast < UNIFORM_CONTRAST:
            notes.append(
                f"the scene is one cover: its pixels differ by {mean.contrast:.2g} from their mean "
                "(RMS of logarithms), no more than noise does; the map knows nothing and names none"
            )
        else:
            limits = [item.max_angle_rad or no_limit for item in members]
            compare = make_comparison(arguments.match, clear, mean, records)
            codes = np.array(list(records), np.uint8)

            def classify(block: np.ndarray) -> tuple[np.ndarray, ...]:
                return map_detector(block[places], mean, compare, codes, limits)

    found, distances, *_ = classify(sample.T[:, :, np.newaxis])
    for note in notes:
        logging.warning("%s", note)
    names = info.bands.take(places).names
    tags = {**info.tags, "METHOD": title, "GROUP": group, "GROUP_BANDS": " ".join(names)}
    widest = 1.5 if unit else 1.0
    most = max(3 * mean.contrast, UNIFORM_CONTRAST)
    write_maps(
        classify,
        [arguments.cube],
        [
            ClassMap(arguments.class_map, members, tags=tags),
            Ramp(arguments.angle, ("distance",), 0.0, widest, unit, reverse=True, tags=tags),
            Ramp(arguments.margin, ("margin",), 0.0, widest / 3, unit, tags=tags),
            Ramp(arguments.contrast, ("contrast",), 0.0, most, tags=tags),
        ],
        progress=f"minerals at {group}",
        **blocks,
    )
    write_json(
        arguments.record,
        {
            "method": title,
            "group": group,
            "bands": list(names),
            "minerals": [
                {"name": item.name, "records": len(records.get(item.code, ()))} for item in members
            ],
            "scene_mean": [float(f"{value:.6g}") for value in np.exp(mean.logs)],
            "scene_contrast": float(f"{mean.contrast:.6g}"),
            "answers": describe_answers(
                found[:, 0], {item.code: item.name for item in members}, distances[:, 0]
            ),
            "notes": notes,
        },
    )


if __name__ == "__main__":
    run(build_parser(), main)
