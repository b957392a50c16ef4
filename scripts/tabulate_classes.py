"""Tabulate a class map: areas, spectra, and the coordinates of each class's pixels."""

import argparse
import csv
import io
from collections.abc import Sequence
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pyogrio

from gossan.class_statistics import ClassSums, Pixels, pixels_of, sum_classes
from gossan.files import staged, write_text
from gossan.legend import NODATA, UNCLASSIFIED, MapClass, read_classes
from gossan.raster import RasterInfo, iter_blocks, read_info
from toolkit import add_blocks, run

GEOGRAPHIC = "EPSG:4326"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--class-map", type=Path, required=True, help="class raster")
    add("--angle", type=Path, required=True, help="raster of the winner's spectral angle")
    add("--cube", type=Path, required=True, help="reflectance cube of the scene")
    add("--classes", type=Path, required=True, help="the study's classes.csv")
    add("--areas", type=Path, required=True, help="table of class areas to write (CSV)")
    add("--signatures", type=Path, required=True, help="table of class spectra to write (CSV)")
    add("--pixels", type=Path, required=True, help="coordinates to write (GeoPackage)")
    add(
        "--points-per-class",
        type=int,
        default=20_000,
        help="at most this many pixels of each class, the best matches first",
    )
    add_blocks(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Pass over the scene once, then write the tables."""
    classes = read_classes(arguments.classes)
    cube = read_info(arguments.cube)
    count = arguments.points_per_class

    def work(codes: np.ndarray, angle: np.ndarray, stored: np.ndarray) -> tuple:
        found = {
            item.code: pixels_of(codes[0], angle[0], item.code, 0, 0, count) for item in classes
        }
        return sum_classes(codes[0], stored, cube.nodata), found

    sums, best = None, {}
    blocks = iter_blocks(
        work,
        [arguments.class_map, arguments.angle, arguments.cube],
        block_px=arguments.block_px,
        threads=arguments.threads,
        scaled=False,
        progress="tables",
    )
    for window, (block_sums, found) in blocks:
        sums = block_sums if sums is None else sums + block_sums
        for code, here in found.items():
            placed = Pixels(
                here.rows + window.row_off, here.columns + window.col_off, here.angle_rad
            )
            best[code] = best[code].best(placed, count) if code in best else placed
    write_text(arguments.areas, areas_table(sums, classes, cube.grid.pixel_area_m2))
    write_text(arguments.signatures, signatures_table(sums, classes, cube))
    write_pixels(arguments.pixels, best, sums, classes, cube)


def areas_table(sums: ClassSums, classes: Sequence[MapClass], pixel_area_m2: float | None) -> str:
    """Rows of all classes, of unclassified and of nodata; nodata has no share."""
    valid = int(sums.pixels.sum() - sums.pixels[NODATA])
    rows = [
        (UNCLASSIFIED, "unclassified", "Unclassified"),
        *((item.code, item.name, item.label) for item in classes),
        (NODATA, "nodata", "No data"),
    ]
    lines = []
    for code, name, label in rows:
        pixels = int(sums.pixels[code])
        area = "" if pixel_area_m2 is None else f"{pixels * pixel_area_m2 / 1e6:.4f}"
        share = "" if code == NODATA or not valid else f"{pixels / valid:.6f}"
        lines.append([code, name, label, pixels, area, share])
    return csv_text(["code", "name", "label", "pixels", "area_km2", "share_of_valid"], lines)


def signatures_table(sums: ClassSums, classes: Sequence[MapClass], cube: RasterInfo) -> str:
    """Mean and standard deviation of the reflectance of each class that has pixels."""
    lines = [
        [item.name, band, wavelength, f"{mean:.6f}", f"{std:.6f}", int(sums.spectral[item.code])]
        for item in classes
        if sums.spectral[item.code]
        for band, wavelength, mean, std in zip(
            cube.bands.names,
            cube.bands.centre_um,
            sums.mean(item.code) * cube.scale + cube.offset,
            sums.std(item.code) * cube.scale,
            strict=True,
        )
    ]
    return csv_text(["name", "band", "wavelength_um", "mean", "std", "pixels"], lines)


def csv_text(header: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    """A CSV table as text."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *lines])
    return text.getvalue()


def write_pixels(
    path: Path,
    best: dict[int, Pixels],
    sums: ClassSums,
    classes: Sequence[MapClass],
    cube: RasterInfo,
) -> None:
    """Write pixel centres with class, angle and coordinates, and how many the class has in all."""
    frames = []
    for item in classes:
        found = best[item.code]
        x, y = cube.grid.place(found.columns + 0.5, found.rows + 0.5)
        points = geopandas.GeoSeries.from_xy(x, y, crs=cube.grid.crs)
        geographic = points if cube.grid.crs is None else points.to_crs(GEOGRAPHIC)
        attributes = {
            "code": item.code,
            "class": item.name,
            "label": item.label,
            "angle_rad": found.angle_rad.round(6),
            "longitude": geographic.x.round(7),
            "latitude": geographic.y.round(7),
            "class_pixels": int(sums.pixels[item.code]),
        }
        frames.append(geopandas.GeoDataFrame(attributes, geometry=points))
    # A GeoPackage stores the time of writing; a fixed one keeps the bytes the same.
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "1970-01-01T00:00:00.000Z"})
    with staged(path) as temporary:
        table = geopandas.GeoDataFrame(pd.concat(frames, ignore_index=True), crs=cube.grid.crs)
        pyogrio.write_dataframe(table, temporary, layer="pixels", driver="GPKG")


if __name__ == "__main__":
    run(build_parser(), main)
