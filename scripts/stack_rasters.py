"""Stack rasters that are on one grid already into the cube: any numbers, not only reflectance."""

import argparse
from pathlib import Path

import numpy as np

from gossan.errors import InputError
from gossan.files import write_json
from gossan.raster import Layer, find_bands, map_blocks, read_info
from toolkit import add_blocks, run

SENSOR = "raster stack"
NOTE = "numbers as they stand in the rasters: nothing is known of sensor, date or calibration"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--product",
        required=True,
        type=Path,
        help="folder of GeoTIFFs with one band each, called BAND.tif; or one GeoTIFF of many bands",
    )
    parser.add_argument(
        "--bands", nargs="+", required=True, metavar="BAND", help="bands to stack, in this order"
    )
    parser.add_argument("--cube", required=True, type=Path, help="cube to write, a GeoTIFF")
    parser.add_argument("--record", required=True, type=Path, help="record to write, JSON")
    add_blocks(parser)
    return parser


def list_sources(product: Path, bands: list[str]) -> tuple[list[Path], list[int]]:
    """The files to read, and the places of the bands among all that they hold."""
    if not product.is_dir():
        return [product], find_bands(read_info(product), bands)
    if len(set(bands)) < len(bands):
        raise InputError(f"bands: {' '.join(bands)}: one is named twice; name each once")
    paths = [product / f"{band}.tif" for band in bands]
    for path in paths:
        if len(read_info(path).bands.names) != 1:
            raise InputError(f"{path}: has several bands; give one band a file, or one file only")
    return paths, list(range(len(bands)))


def main(arguments: argparse.Namespace) -> None:
    """Stack the bands; a pixel without one of them is nodata."""
    sources, places = list_sources(arguments.product, arguments.bands)
    valid = []

    def stack(*blocks: np.ndarray) -> np.ndarray:
        values = np.concatenate(blocks)[places]
        values[:, ~np.isfinite(values).all(axis=0)] = np.nan
        valid.append(int(np.isfinite(values[0]).sum()))
        return values

    grid = read_info(sources[0]).grid
    tags = {"SENSOR": SENSOR, "PRODUCT_ID": arguments.product.name, "SYNTHETIC": "no"}
    layer = Layer(arguments.cube, "float32", np.nan, tuple(arguments.bands), tags=tags)
    map_blocks(
        stack,
        sources,
        [layer],
        block_px=arguments.block_px,
        threads=arguments.threads,
        progress="cube",
    )
    if not sum(valid):
        arguments.cube.unlink()
        raise InputError(f"{arguments.product}: no pixel has all bands; leave some out")
    write_json(
        arguments.record,
        {
            "product_id": arguments.product.name,
            "sensor": SENSOR,
            "synthetic": False,
            "atmosphere": "none",
            "normalisation": "none",
            "pixels": {
                "total": grid.width * grid.height,
                "observed": sum(valid),
                "valid": sum(valid),
            },
            "masked": {},
            "bands": [{"name": name} for name in arguments.bands],
            "notes": [NOTE],
        },
    )


if __name__ == "__main__":
    run(build_parser(), main)
