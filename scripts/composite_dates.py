"""Median composite of many dates of one tile: the cube, and how often each pixel was clear."""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from gossan.cube.composite import LOOKS_NODATA, Composite
from gossan.cube.normalisation import clip_reflectance
from gossan.files import write_json
from gossan.legend import write_continuous_style
from gossan.products.product import Product
from gossan.products.sentinel2 import BANDS, RESOLUTIONS_M, open_dates
from gossan.products.subset import describe_part, select_part
from gossan.raster import CUBE_NODATA, CUBE_SCALE, Layer, map_blocks
from toolkit import add_blocks, run

# Sentinel-2 images are stored in tiles of so many pixels, each of which is decoded as a whole.
BLOCK_PX = 1024


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sensor", required=True, choices=["sentinel2"], help="whose dates they are"
    )
    parser.add_argument(
        "--product",
        required=True,
        help="the dates: a folder of .SAFE folders and .zip files, or STAC (.json or an http "
        "address)",
    )
    parser.add_argument(
        "--bands",
        nargs="+",
        metavar="BAND",
        default=list(BANDS),
        help=f"bands to use, in this order (default: {' '.join(BANDS)})",
    )
    parser.add_argument(
        "--resolution-m",
        type=int,
        default=10,
        choices=RESOLUTIONS_M,
        help="pixels of the cube in metres (default: 10)",
    )
    part = parser.add_mutually_exclusive_group()
    part.add_argument(
        "--window",
        nargs=4,
        type=int,
        metavar=("COLUMN", "ROW", "WIDTH", "HEIGHT"),
        help="part of the tile to use, in pixels (default: all)",
    )
    part.add_argument(
        "--polygon",
        type=Path,
        help="vector file of the area to use; pixels outside become nodata",
    )
    parser.add_argument(
        "--mask",
        nargs="*",
        default=["cloud", "cloud_shadow", "cirrus", "snow", "saturation"],
        metavar="FLAG",
        help="quality flags of looks that do not count (default: cloud cloud_shadow cirrus snow "
        "saturation); no name after it masks nothing",
    )
    parser.add_argument("--cube", required=True, type=Path, help="cube to write, a GeoTIFF")
    parser.add_argument(
        "--looks",
        required=True,
        type=Path,
        help="count of clear looks to write, a GeoTIFF; its style goes beside it",
    )
    parser.add_argument("--record", required=True, type=Path, help="record to write, JSON")
    add_blocks(parser)
    parser.set_defaults(block_px=BLOCK_PX)
    return parser


def choose_sensor(dates: Sequence[Product]) -> Product:
    """The first date of the spacecraft that most dates are of: its band table is the cube's."""
    usual = Counter(date.spacecraft for date in dates).most_common(1)[0][0]
    return next(date for date in dates if date.spacecraft == usual)


def make_notes(dates: Sequence[Product], model: Product, mask: Sequence[str]) -> list[str]:
    """What all dates say, and what the composite is silent about otherwise."""
    notes = [note for note in model.notes if all(note in date.notes for date in dates)]
    others = sorted({date.spacecraft for date in dates} - {model.spacecraft})
    if others:
        notes.append(
            f"dates of {model.spacecraft} and {', '.join(others)} together; the wavelengths are "
            f"those of {model.spacecraft}"
        )
    absent = [flag for flag in mask if all(flag in date.absent_flags for date in dates)]
    if absent:
        notes.append(f"{model.sensor} has no flag {', '.join(absent)}; it masks nothing")
    return notes


def describe_dates(dates: Sequence[Product], work: Composite, common: Sequence[str]) -> list[dict]:
    """Each date, the share of its looks with data that are clear, and what only it notes."""
    described = []
    for date, seen, clear in zip(dates, work.tally.seen, work.tally.clear, strict=True):
        own = [note for note in date.notes if note not in common]
        described.append(
            {
                "product_id": date.product_id,
                "spacecraft": date.spacecraft,
                "collection": date.collection,
                "acquired": date.acquired,
                "sun_elevation_deg": date.sun_elevation_deg,
                "observed": int(seen),
                "clear": int(clear),
                "clear_share": float(clear / seen) if seen else 0.0,
                **({"notes": own} if own else {}),
            }
        )
    return described


def main(arguments: argparse.Namespace) -> None:
    """Open the dates, write the composite, its looks and its record."""
    dates = open_dates(arguments.product, arguments.bands, arguments.resolution_m)
    try:
        write_composite(dates, arguments)
    finally:
        for date in dates:
            date.close()


def write_composite(dates: Sequence[Product], arguments: argparse.Namespace) -> None:
    """Write cube, looks and record of open dates, sorted by time."""
    model = choose_sensor(dates)
    part = select_part(model, window=arguments.window, polygon=arguments.polygon)
    work = Composite(part, dates, arguments.mask, arguments.cube.parent)
    cut = arguments.window or arguments.polygon
    notes = make_notes(dates, model, work.mask)
    synthetic = any(date.synthetic for date in dates)
    first, middle, last = (
        dates[0].acquired,
        dates[(len(dates) - 1) // 2].acquired,
        dates[-1].acquired,
    )
    product_id = f"median of {len(dates)} date(s), {first[:10]} to {last[:10]}"
    sun_elevation_deg = float(np.mean([date.sun_elevation_deg for date in dates]))
    tags = {
        "SENSOR": model.sensor,
        "ACQUIRED": middle,
        "ACQUIRED_FIRST": first,
        "ACQUIRED_LAST": last,
        "SUN_ELEVATION_DEG": repr(sun_elevation_deg),
        "PRODUCT_ID": product_id,
        "ATMOSPHERE": model.level,
        "NORMALISATION": "clip",
        "SYNTHETIC": "yes" if synthetic else "no",
    }
    layers = [
        Layer(arguments.cube, "int16", CUBE_NODATA, part.bands, scale=CUBE_SCALE, tags=tags),
        Layer(arguments.looks, "uint16", LOOKS_NODATA, ("clear_looks",), tags=tags),
    ]

    def make(window: Window) -> tuple[np.ndarray, np.ndarray]:
        median, looks = work.compose(window)
        return clip_reflectance(median), looks

    map_blocks(
        make,
        # The composite reads by itself, date by date.
        [lambda window: window],
        layers,
        grid=part.grid,
        block_px=arguments.block_px,
        threads=arguments.threads,
        progress="composite",
    )
    write_continuous_style(arguments.looks, 0, len(dates), unit="looks")
    tally = work.tally
    observed = int(tally.seen.sum())
    write_json(
        arguments.record,
        {
            "product_id": product_id,
            "spacecraft": ", ".join(sorted({date.spacecraft for date in dates})),
            "sensor": model.sensor,
            "collection": ", ".join(sorted({date.collection for date in dates})),
            "level": model.level,
            "acquired": middle,
            "acquired_first": first,
            "acquired_last": last,
            "sun_elevation_deg": sun_elevation_deg,
            "synthetic": synthetic,
            "atmosphere": model.level,
            "corrections": [],
            "normalisation": "clip",
            **(describe_part(part, arguments.polygon) if cut else {}),
            "pixels": {"total": tally.total, "observed": tally.observed, "valid": tally.valid},
            # Of all looks of all dates, not of pixels: one pixel may be cloudy on several dates.
            "masked": {
                flag: {"pixels": int(looks), "share_of_observed": float(looks / observed)}
                for flag, looks in zip(work.mask, tally.flagged, strict=True)
            },
            "bands": [
                {"name": name, "centre_um": centre, "fwhm_um": fwhm}
                for name, centre, fwhm in zip(
                    part.bands.names, part.bands.centre_um, part.bands.fwhm_um, strict=True
                )
            ],
            "looks": {"pixels_by_count": tally.looks.tolist()},
            "dates": describe_dates(dates, work, notes),
            "notes": notes,
        },
    )


if __name__ == "__main__":
    run(build_parser(), main)
