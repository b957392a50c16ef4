"""Cubes become a stack: one raster of all bands, the mask of who saw what, and their record."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from gossan.cube.bands import Ranges, StackBands, lay_out, sensors_present
from gossan.cube.colours import spread_colours, write_view
from gossan.cube.cube import Cube, Pixels, Record
from gossan.cube.instruments import INSTRUMENTS
from gossan.cube.stack import SensorStack, pixel_size_m, read_cubes, stack_grid
from gossan.legend import MapClass, write_mask_style
from gossan.raster import BLOCK_BYTES, Layer, RasterInfo, map_blocks

# A pixel of a block is in memory as float32 of all bands, and as much again on its way there.
_COPIES = 2


def make_stack(
    paths: Mapping[str, Path],
    stack_path: Path,
    sensors_path: Path,
    *,
    pixel_m: float,
    extent: str,
    excluded_um: Ranges,
    block_px: int = 512,
    threads: int = 1,
) -> tuple[Record, list[dict]]:
    """Write the stack of cubes by sensor and its bit mask, styled; record and rows, not written.

    `pixel_m` and `extent` are as of `stack_grid`, `excluded_um` as of `lay_out`. Raises InputError
    for cubes that cannot be stacked and a sensor that has no pixel.
    """
    infos = read_cubes(paths)
    bands, rows = lay_out({sensor: info.bands for sensor, info in infos.items()}, excluded_um)
    grid = stack_grid({sensor: info.grid for sensor, info in infos.items()}, pixel_m, extent)
    cube = merge_cubes({sensor: Cube.of(info) for sensor, info in infos.items()}, bands)
    layers = [
        cube.layer(stack_path),
        Layer(sensors_path, "uint8", 0, ("sensors",), overviews="mode", tags=cube.tags()),
    ]
    notes = [note for sensor, info in infos.items() for note in read_notes(sensor, info)]
    most_px = math.isqrt(BLOCK_BYTES // (4 * _COPIES * len(bands)))
    with SensorStack(infos, bands, grid) as stack:

        def make(window: Window) -> tuple[np.ndarray, np.ndarray]:
            return stack.read(window)

        map_blocks(
            lambda block: block,
            [make],
            layers,
            grid=grid,
            block_px=min(block_px, most_px),
            threads=threads,
            progress="stack",
        )
        seen = int(stack.combinations[1:].sum())
        record = Record(
            cube,
            Pixels(grid.width * grid.height, seen, seen),
            how={
                "grid": {
                    "crs": grid.crs.to_string(),
                    "pixel_m": pixel_m,
                    "extent": extent,
                    "bounds": list(grid.bounds),
                }
            },
            found={
                "sensors": describe_sensors(infos, rows, stack),
                "combinations": describe_combinations(stack),
                "excluded_um": [list(span) for span in excluded_um],
            },
            notes=[*notes, *describe_ways(stack)],
        )
    write_view(stack_path)
    write_sensors_style(sensors_path, record.found["combinations"])
    return record, rows


def merge_cubes(cubes: Mapping[str, Cube], bands: StackBands) -> Cube:
    """The cube that a stack is: what its cubes say, synthetic if one of them is."""

    def told(key: str) -> list:
        values = [getattr(cube, key) for cube in cubes.values()]
        return list(dict.fromkeys(value for value in values if value not in ("", None)))

    dates, suns = sorted(told("acquired")), told("sun_elevation_deg")
    return Cube(
        bands=bands.table(),
        product_id=f"stack of {', '.join(cubes)}",
        sensor=", ".join(told("sensor")),
        synthetic=any(cube.synthetic for cube in cubes.values()),
        atmosphere=", ".join(told("atmosphere")) or "none",
        normalisation=", ".join(told("normalisation")) or "none",
        acquired=dates[(len(dates) - 1) // 2] if dates else "",
        acquired_first=dates[0] if dates else "",
        acquired_last=dates[-1] if dates else "",
        sun_elevation_deg=float(np.mean(suns)) if suns else None,
        reflectance=not bands.numbers,
    )


def read_notes(sensor: str, info: RasterInfo) -> list[str]:
    """What the record beside a cube notes, if there is one, said of the sensor."""
    path = info.path.with_suffix(".json")
    if not path.exists():
        return []
    return [f"{sensor}: {note}" for note in Record.read(path).notes]


def describe_sensors(
    infos: Mapping[str, RasterInfo], rows: Sequence[Mapping], stack: SensorStack
) -> list[dict]:
    """Each sensor: its cube, how it came to the grid, its pixels and its bands."""
    described = []
    for sensor, info in infos.items():
        cube = Cube.of(info)
        own = [row for row in rows if row["sensor"] == sensor]
        dropped = [
            {"name": row["band"], "centre_um": row["wavelength_um"]}
            for row in own
            if row["kept"] == "no"
        ]
        described.append(
            {
                "sensor": sensor,
                "product_id": cube.product_id,
                "instrument": cube.sensor,
                "acquired": cube.acquired,
                "atmosphere": cube.atmosphere,
                "normalisation": cube.normalisation,
                "synthetic": cube.synthetic,
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


def describe_combinations(stack: SensorStack) -> list[dict]:
    """Each bit mask that there is: its sensors and its pixels."""
    described = []
    for bits, pixels in enumerate(stack.combinations):
        if pixels:
            present = sensors_present(bits, stack.sensors)
            names = [name for name, here in zip(stack.sensors, present, strict=True) if here]
            described.append({"bits": bits, "sensors": names, "pixels": int(pixels)})
    return described


def write_sensors_style(path: str | Path, combinations: Sequence[Mapping]) -> None:
    """Write the style of the mask of sensors, from `describe_combinations`: a colour for each."""
    seen = [item for item in combinations if item["bits"]]
    colours = spread_colours(len(seen))
    classes = [
        MapClass(
            item["bits"],
            "+".join(item["sensors"]),
            " + ".join(INSTRUMENTS[name].label for name in item["sensors"]),
            colour,
        )
        for item, colour in zip(seen, colours, strict=True)
    ]
    write_mask_style(path, classes)


def describe_ways(stack: SensorStack) -> list[str]:
    """Notes on how pixels came to the grid."""
    ways = {
        "average": "averaged by area, where at least half of the pixel has data",
        "nearest": "the nearest pixel, so that no number is made up; a coarse one is repeated",
    }
    notes = [
        f"{', '.join(sensors)}: {text}"
        for way, text in ways.items()
        if (sensors := [name for name in stack.sensors if stack.resampling(name) == way])
    ]
    if stack.bands.numbers:
        notes.append(
            f"{', '.join(stack.bands.numbers)}: numbers without wavelengths, so that the stack is "
            "stored as float32 and its raster tells no wavelengths"
        )
    return [*notes, "a sensor counts as present where all of its kept bands have data"]
