"""Median composite of dates of one or many tiles: the cube, and how often each pixel was clear."""

import argparse
from pathlib import Path

from gossan.cube.dates import NORMALISATIONS, choose_model, make_composite
from gossan.products.sentinel2 import ALL_BANDS, BANDS, RESOLUTIONS_M, open_dates
from gossan.products.subset import describe_part, select_part, without_empty_bands
from gossan.transforms.vegetation import check_index
from toolkit import add_blocks, add_part, run

# Sentinel-2 images are stored in tiles of so many pixels, each of which is decoded as a whole.
BLOCK_PX = 1024
# Red and near infrared in pixels of 10 m.
PLANTS = ("B04", "B08")


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--sensor", required=True, choices=["sentinel2"], help="whose dates they are")
    add(
        "--product",
        required=True,
        help="the dates, of any tiles: a .SAFE folder or .zip file, a folder of these, or STAC "
        "(.json or an http address)",
    )
    add(
        "--bands",
        nargs="+",
        action="extend",
        metavar="BAND",
        help=f"bands to use, in this order, of {' '.join(ALL_BANDS)} (default: {' '.join(BANDS)})",
    )
    add(
        "--resolution-m",
        type=int,
        required=True,
        choices=RESOLUTIONS_M,
        help="pixels of the cube in metres",
    )
    add_part(parser)
    add(
        "--mask",
        nargs="*",
        required=True,
        metavar="FLAG",
        help="quality flags of looks that do not count; no name after it masks nothing",
    )
    add(
        "--ndvi-max",
        type=float,
        help="pixels whose median has a higher NDVI become nodata (default: none do); pixels "
        "without an NDVI, black in both of its bands, stay",
    )
    add(
        "--normalisation",
        required=True,
        choices=NORMALISATIONS,
        help="clip holds reflectance within 0 to 1",
    )
    add("--cube", required=True, type=Path, help="cube to write, a GeoTIFF")
    add(
        "--looks",
        required=True,
        type=Path,
        help="count of clear looks to write, a GeoTIFF; its style goes beside it",
    )
    add("--record", required=True, type=Path, help="record to write, JSON")
    add_blocks(parser)
    parser.set_defaults(block_px=BLOCK_PX)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Open the dates, write the composite, its looks and its record."""
    check_index(arguments.ndvi_max)
    bands = arguments.bands or list(BANDS)
    read = list(bands)
    if arguments.ndvi_max is not None:
        read += [band for band in PLANTS if band not in read]
    keep = arguments.cube.parent
    dates = open_dates(arguments.product, read, arguments.resolution_m, keep)
    try:
        part = select_part(choose_model(dates), bands, arguments.window, arguments.polygon)
        part, left_out = without_empty_bands(part, arguments.bands is not None, dates)
        cut = arguments.window or arguments.polygon
        record = make_composite(
            part,
            dates,
            arguments.cube,
            arguments.looks,
            mask=arguments.mask,
            normalisation=arguments.normalisation,
            ndvi_max=arguments.ndvi_max,
            how=describe_part(part, arguments.polygon) if cut else {},
            notes=left_out,
            block_px=arguments.block_px,
            threads=arguments.threads,
        )
        record.write(arguments.record)
    finally:
        for date in dates:
            date.close()


if __name__ == "__main__":
    run(build_parser(), main)
