"""Map the reference spectrum nearest to each pixel of a cube: class, spectral angle, margin."""

import argparse
import logging
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from gossan.errors import InputError
from gossan.files import read_json, write_json
from gossan.legend import (
    NODATA,
    read_classes,
)
from gossan.library.follow import follow_cube, require_reflectance
from gossan.library.readers import read_references
from gossan.maps import ClassMap, Ramp, write_maps
from gossan.minerals.groups import bands_within, require_bands
from gossan.minerals.spectral_angle import align_references, map_angles, usable_bands
from gossan.raster import is_synthetic, read_info
from gossan.stac import build_item
from toolkit import add_blocks, add_ranges, run

METHOD = "Spectral Angle Mapper"
# Range of the angle's colours where no class has a threshold.
WIDE_ANGLE_RAD = 0.5


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cube", type=Path, required=True, help="cube to classify")
    parser.add_argument(
        "--cube-record",
        type=Path,
        help="how the cube was made (JSON): references follow what was done to it (default: the "
        "cube is reflectance)",
    )
    parser.add_argument(
        "--references",
        type=Path,
        required=True,
        help="reference spectra at the cube's bands (CSV of resample_library.py)",
    )
    parser.add_argument(
        "--classes",
        type=Path,
        required=True,
        help="class table (CSV); its column max_angle_rad holds the thresholds, empty for none",
    )
    parser.add_argument("--class-map", type=Path, required=True, help="class raster to write")
    parser.add_argument(
        "--angle", type=Path, required=True, help="raster of the winner's angle to write"
    )
    parser.add_argument(
        "--margin",
        type=Path,
        required=True,
        help="raster to write of the smallest other angle minus the winner's",
    )
    parser.add_argument("--item", type=Path, required=True, help="STAC item to write (JSON)")
    parser.add_argument(
        "--angles", type=Path, help="raster to write of the angles to all references, one per band"
    )
    add_ranges(parser)
    add_blocks(parser)
    return parser


def refuse_empty(
    function: Callable[[np.ndarray], tuple[np.ndarray, ...]], pixels: int, cube: Path
) -> Callable[[np.ndarray], tuple[np.ndarray, ...]]:
    """Let `function` fail in the last of `pixels` pixels if none of them had a class or angle.

    Failing in a block keeps all files from appearing, and saves a pass over the cube.
    """
    lock = threading.Lock()
    seen = valid = 0

    def checked(block: np.ndarray) -> tuple[np.ndarray, ...]:
        nonlocal seen, valid
        results = function(block)
        found = np.count_nonzero(results[0] != NODATA)
        with lock:
            seen += results[0].size
            valid += found
            if seen == pixels and not valid:
                raise InputError(f"{cube}: all pixels are nodata; choose another scene")
        return results

    return checked


def main(arguments: argparse.Namespace) -> None:
    """Read cube and references, map the angles, write rasters, styles and the STAC item."""
    info = read_info(arguments.cube)
    classes = read_classes(arguments.classes)
    references = read_references(arguments.references)
    where = str(arguments.references)
    within = bands_within(info.bands, arguments.range_um)
    require_bands(within, arguments.range_um, str(arguments.cube))
    places = [place for place in usable_bands(references, info.bands, where) if place in within]
    bands = info.bands.take(places)
    spectra = align_references(
        references.at(bands.names), [item.name for item in classes], bands, where
    )
    if arguments.cube_record is not None:
        where = str(arguments.cube_record)
        spectra = follow_cube(spectra, bands.names, read_json(arguments.cube_record), where)
    else:
        require_reflectance(info.tags, str(arguments.cube))
    left_out = [name for name in info.bands.names if name not in bands.names]
    if left_out:
        logging.info("bands left out, without library values or outside: %s", " ".join(left_out))
    limits = [np.pi if item.max_angle_rad is None else item.max_angle_rad for item in classes]
    codes = [item.code for item in classes]
    # Angles do not change with scale, so stored numbers do, unless they carry an offset.
    stored = info.offset == 0.0

    def classify(block: np.ndarray) -> tuple[np.ndarray, ...]:
        return map_angles(
            block[places] if left_out else block,
            spectra,
            limits,
            codes,
            info.nodata if stored else None,
            every_angle=arguments.angles is not None,
        )

    tags = {**info.tags, "METHOD": METHOD}
    widest = max(item.max_angle_rad or WIDE_ANGLE_RAD for item in classes)
    maps = [
        ClassMap(arguments.class_map, classes, tags=tags),
        Ramp.of_angles(arguments.angle, ("angle_rad",), widest, tags, reverse=True),
        Ramp.of_angles(arguments.margin, ("margin_rad",), widest / 2, tags),
    ]
    if arguments.angles is not None:
        names = tuple(item.name for item in classes)
        maps.append(Ramp.of_angles(arguments.angles, names, widest, tags, reverse=True))
    write_maps(
        refuse_empty(classify, info.grid.width * info.grid.height, arguments.cube),
        [arguments.cube],
        maps,
        block_px=arguments.block_px,
        threads=arguments.threads,
        scaled=not stored,
        progress="spectral angles",
    )
    assets = {"class": arguments.class_map, "angle": arguments.angle, "margin": arguments.margin}
    if arguments.angles is not None:
        assets["angles"] = arguments.angles
    product = info.tags.get("PRODUCT_ID", arguments.cube.stem)
    item = build_item(
        f"{product}-sam",
        info.grid,
        info.tags.get("ACQUIRED"),
        assets,
        {
            "gossan:method": METHOD,
            "gossan:synthetic": is_synthetic(info.tags),
            **({"gossan:bands_left_out": left_out} if left_out else {}),
            "gossan:classes": [
                {"code": entry.code, "name": entry.name, "max_angle_rad": entry.max_angle_rad}
                for entry in classes
            ],
        },
        folder=arguments.item.parent,
    )
    write_json(arguments.item, item)


if __name__ == "__main__":
    run(build_parser(), main)
