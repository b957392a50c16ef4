"""Cubes of several sensors on one grid: the stack, its bands, and which sensors saw each pixel."""

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from gossan.cube.bands import EXCLUDED_UM, SENSORS, lay_out, sensors_present, write_bands
from gossan.cube.stack import UNION, SensorStack, pixel_size_m, read_cubes, stack_grid
from gossan.errors import InputError
from gossan.files import read_json, write_json
from gossan.raster import (
    BLOCK_BYTES,
    CUBE_NODATA,
    CUBE_SCALE,
    Layer,
    RasterInfo,
    is_synthetic,
    map_blocks,
)
from toolkit import add_blocks, run

# A pixel of a block is in memory as float32 of all bands, and as much again on its way there.
_COPIES = 2


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cube",
        required=True,
        action="append",
        nargs=2,
        metavar=("SENSOR", "PATH"),
        help=f"a sensor ({', '.join(SENSORS)}) and its cube; once for each. The record of the same "
        "name beside a cube (.json), if there is one, gives its notes",
    )
    parser.add_argument(
        "--pixel-m", type=float, default=30.0, help="pixels of the stack in metres (default: 30)"
    )
    parser.add_argument(
        "--extent",
        default=UNION,
        help="ground of the stack: union (default) or intersection of the cubes, or one sensor",
    )
    parser.add_argument(
        "--exclude-um",
        nargs=2,
        type=float,
        action="append",
        metavar=("FROM", "TO"),
        help="leave out bands centred here, in µm; once for each range (default: the ranges of "
        "Jabłońska and Zięba)",
    )
    parser.add_argument("--stack", required=True, type=Path, help="stack to write, a GeoTIFF")
    parser.add_argument(
        "--sensors",
        required=True,
        type=Path,
        help="bit mask of the sensors at each pixel to write, a GeoTIFF",
    )
    parser.add_argument("--bands", required=True, type=Path, help="table of bands to write, CSV")
    parser.add_argument("--record", required=True, type=Path, help="record to write, JSON")
    add_blocks(parser)
    return parser


def gather(cubes: Sequence[Sequence[str]]) -> dict[str, Path]:
    """Paths by sensor; InputError for one that is given twice."""
    paths: dict[str, Path] = {}
    for sensor, path in cubes:
        if sensor in paths:
            raise InputError(f"--cube {sensor}: is given twice; give one cube of each sensor")
        paths[sensor] = Path(path)
    return paths


def read_notes(sensor: str, info: RasterInfo) -> list[str]:
    """What the cube's record notes, said of the sensor."""
    path = info.path.with_suffix(".json")
    if not path.exists():
        return []
    return [f"{sensor}: {note}" for note in read_json(path).get("notes", [])]


def merge_tags(infos: Mapping[str, RasterInfo]) -> dict[str, str]:
    """The cube tags of a stack: what its cubes say, synthetic if one of them is."""

    def values(key: str) -> list[str]:
        found = [info.tags[key] for info in infos.values() if key in info.tags]
        return list(dict.fromkeys(found))

    dates = sorted(values("ACQUIRED"))
    tags = {"SENSOR": ", ".join(values("SENSOR"))}
    if dates:
        tags["ACQUIRED"] = dates[(len(dates) - 1) // 2]
        tags["ACQUIRED_FIRST"], tags["ACQUIRED_LAST"] = dates[0], dates[-1]
    suns = [float(value) for value in values("SUN_ELEVATION_DEG")]
    if suns:
        tags["SUN_ELEVATION_DEG"] = repr(float(np.mean(suns)))
    return tags | {
        "PRODUCT_ID": f"stack of {', '.join(infos)}",
        "ATMOSPHERE": ", ".join(values("ATMOSPHERE")) or "none",
        "NORMALISATION": ", ".join(values("NORMALISATION")) or "none",
        "SYNTHETIC": "yes" if any(is_synthetic(info.tags) for info in infos.values()) else "no",
    }


def describe_sensors(
    infos: Mapping[str, RasterInfo], rows: Sequence[Mapping], stack: SensorStack
) -> list[dict]:
    """Each sensor: its cube, how it came to the grid, its pixels and its bands."""
    described = []
    for sensor, info in infos.items():
        own = [row for row in rows if row["sensor"] == sensor]
        dropped = [
            {"name": row["band"], "centre_um": row["wavelength_um"]}
            for row in own
            if row["kept"] == "no"
        ]
        described.append(
            {
                "sensor": sensor,
                "product_id": info.tags.get("PRODUCT_ID", ""),
                "instrument": info.tags.get("SENSOR", ""),
                "acquired": info.tags.get("ACQUIRED", ""),
                "atmosphere": info.tags.get("ATMOSPHERE", ""),
                "normalisation": info.tags.get("NORMALISATION", ""),
                "synthetic": is_synthetic(info.tags),
                "crs": info.grid.crs.to_string(),
                "pixel_m": round(pixel_size_m(info.grid, stack.grid), 3),
                "resampling": stack.resampling(sensor),
                "pixels": stack.pixels[sensor],
                "bands": len(own),
                "kept_bands": len(own) - len(dropped),
                "excluded": dropped,
            }
        )
    return described


def describe_ways(stack: SensorStack) -> list[str]:
    """Notes on how pixels came to the grid."""
    ways = {
        "average": "averaged by area, where at least half of the pixel has data",
        "nearest": "the nearest pixel, so that no number is made up; a coarse one is repeated",
    }
    return [
        f"{', '.join(sensors)}: {text}"
        for way, text in ways.items()
        if (sensors := [name for name in stack.sensors if stack.resampling(name) == way])
    ] + ["a sensor counts as present where all of its kept bands have data"]


def main(arguments: argparse.Namespace) -> None:
    """Open the cubes, write stack, mask, table and record."""
    infos = read_cubes(gather(arguments.cube))
    excluded_um = arguments.exclude_um or EXCLUDED_UM
    bands, rows = lay_out({sensor: info.bands for sensor, info in infos.items()}, excluded_um)
    grids = {sensor: info.grid for sensor, info in infos.items()}
    grid = stack_grid(grids, arguments.pixel_m, arguments.extent)
    tags = merge_tags(infos)
    layers = [
        Layer(arguments.stack, "int16", CUBE_NODATA, bands.table(), scale=CUBE_SCALE, tags=tags),
        Layer(arguments.sensors, "uint8", 0, ("sensors",), overviews="mode", tags=tags),
    ]
    most_px = math.isqrt(BLOCK_BYTES // (4 * _COPIES * len(bands)))
    with SensorStack(infos, bands, grid) as stack:

        def make(window: Window) -> tuple[np.ndarray, np.ndarray]:
            return stack.read(window)

        map_blocks(
            lambda block: block,
            [make],
            layers,
            grid=grid,
            block_px=min(arguments.block_px, most_px),
            threads=arguments.threads,
            progress="stack",
        )
        write_bands(arguments.bands, rows)
        seen = int(stack.combinations[1:].sum())
        synthetic = is_synthetic(tags)
        write_json(
            arguments.record,
            {
                "product_id": tags["PRODUCT_ID"],
                "sensor": tags["SENSOR"],
                "acquired": tags.get("ACQUIRED", ""),
                "synthetic": synthetic,
                "atmosphere": tags["ATMOSPHERE"],
                "normalisation": tags["NORMALISATION"],
                "grid": {
                    "crs": grid.crs.to_string(),
                    "pixel_m": arguments.pixel_m,
                    "extent": arguments.extent,
                    "bounds": list(grid.bounds),
                },
                "pixels": {"total": grid.width * grid.height, "observed": seen, "valid": seen},
                "masked": {},
                "sensors": describe_sensors(infos, rows, stack),
                "combinations": [
                    {
                        "bits": bits,
                        "sensors": [
                            name
                            for name, present in zip(
                                stack.sensors, sensors_present(bits, stack.sensors), strict=True
                            )
                            if present
                        ],
                        "pixels": int(count),
                    }
                    for bits, count in enumerate(stack.combinations)
                    if count
                ],
                "excluded_um": [list(span) for span in excluded_um],
                "bands": [
                    {"name": name, "centre_um": centre, "fwhm_um": fwhm}
                    for name, centre, fwhm in zip(
                        bands.names, bands.centre_um, bands.fwhm_um, strict=True
                    )
                ],
                "notes": [
                    *(note for name, info in infos.items() for note in read_notes(name, info)),
                    *describe_ways(stack),
                ],
            },
        )


if __name__ == "__main__":
    run(build_parser(), main)
