"""The tables of a class map: areas, signatures, and a GeoPackage of pixel centres."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gossan.errors import InputError
from gossan.legend import NODATA, UNCLASSIFIED, MapClass
from gossan.minerals.class_outlines import class_style
from gossan.minerals.class_statistics import ClassSummary, Moments
from gossan.raster import BandTable, Grid
from gossan.tables import read_numbers, read_table
from gossan.vectors import write_layers

PIXEL_FIELDS = {
    "code": ("Code", "code of the class in the map"),
    "class": ("Class", "name of the class"),
    "label": ("Label", "the class as people write it"),
    "angle_rad": ("Angle, rad", "spectral angle to the class's reference; the less, the better"),
    "lon": ("Longitude", "degrees, WGS 84"),
    "lat": ("Latitude", "degrees, WGS 84"),
    "class_pixels": ("Pixels of the class", "in the whole map, of which these are the best"),
}


def area_rows(
    summary: ClassSummary, classes: Sequence[MapClass], pixel_area_m2: float | None
) -> list[dict[str, object]]:
    """One row per class in the table's order, then the unclassified and the nodata pixels.

    `share` is of all valid pixels, which are the classes and the unclassified. `kind` tells the
    two last rows from classes; nodata has no share. `area_km2` is empty where the pixels' size
    in metres is not known.
    """
    entries = [(item.code, item.name, item.label, "class") for item in classes]
    entries.append((UNCLASSIFIED, "unclassified", "Unclassified", "unclassified"))
    entries.append((NODATA, "nodata", "No data", "nodata"))
    valid = summary.valid
    rows = []
    for code, name, label, kind in entries:
        pixels = int(summary.counts[code])
        area = "" if pixel_area_m2 is None else f"{pixels * pixel_area_m2 / 1e6:.6f}"
        share = "" if code == NODATA or not valid else f"{pixels / valid:.6f}"
        rows.append(
            {
                "code": code,
                "name": name,
                "label": label,
                "kind": kind,
                "pixels": pixels,
                "area_km2": area,
                "share": share,
            }
        )
    return rows


def signature_rows(
    moments: Moments, classes: Sequence[MapClass], bands: BandTable
) -> list[dict[str, object]]:
    """One row per class and band: mean and standard deviation over the class's pixels.

    Both are empty for a class without pixels. Eight digits are kept: more would change with the
    size of the blocks.
    """
    centres = bands.centre_um or ("",) * len(bands.names)
    std = moments.std
    return [
        {
            "code": item.code,
            "name": item.name,
            "label": item.label,
            "pixels": int(moments.count[place]),
            "band": band,
            "wavelength_um": centre,
            "mean": _number(moments.mean[place, column]),
            "std": _number(std[place, column]),
        }
        for place, item in enumerate(classes)
        for column, (band, centre) in enumerate(zip(bands.names, centres, strict=True))
    ]


def _number(value: float) -> str:
    return f"{value:.8g}" if np.isfinite(value) else ""


def write_pixels(
    path: Path, summary: ClassSummary, classes: Sequence[MapClass], grid: Grid
) -> None:
    """Write the best-matching pixels of each class as points at their centres.

    The GeoPackage has two layers: `pixels`, one point per pixel in the grid's reference system
    with code, class, label, angle_rad, lon and lat (degrees, WGS 84; empty without a reference
    system) and class_pixels, the pixels of its class in the whole map; and `classes`, a table that
    says for each class how many pixels there are and how many of them are given as points.
    """
    import geopandas
    import pandas
    from rasterio.warp import transform

    points = [len(best) for best in summary.best]
    row = np.concatenate([best.row for best in summary.best])
    column = np.concatenate([best.column for best in summary.best])
    place = grid.transform
    x = place.a * (column + 0.5) + place.b * (row + 0.5) + place.c
    y = place.d * (column + 0.5) + place.e * (row + 0.5) + place.f
    lon = lat = np.full(len(row), np.nan)
    if grid.crs is not None and len(row):
        lon, lat = (np.round(degrees, 7) for degrees in transform(grid.crs, "EPSG:4326", x, y))
    totals = [int(summary.counts[item.code]) for item in classes]
    table = geopandas.GeoDataFrame(
        {
            "code": np.repeat([item.code for item in classes], points).astype(np.int32),
            "class": np.repeat([item.name for item in classes], points),
            "label": np.repeat([item.label for item in classes], points),
            "angle_rad": np.concatenate([best.angle for best in summary.best]),
            "lon": lon,
            "lat": lat,
            "class_pixels": np.repeat(totals, points).astype(np.int64),
        },
        geometry=geopandas.points_from_xy(x, y),
        crs=None if grid.crs is None else grid.crs.to_wkt(),
    )
    selection = pandas.DataFrame(
        {
            "code": np.array([item.code for item in classes], np.int32),
            "class": [item.name for item in classes],
            "label": [item.label for item in classes],
            "class_pixels": np.array(totals, np.int64),
            "points": np.array(points, np.int64),
            "selection": [
                "all pixels" if count == total else "best matches by spectral angle"
                for count, total in zip(points, totals, strict=True)
            ],
        }
    )
    present = {item.name for item, count in zip(classes, points, strict=True) if count}
    style = class_style(
        [item for item in classes if item.name in present],
        PIXEL_FIELDS,
        "Pixels of the classes at their centres, the best matches first",
        filled=False,
    )
    write_layers(
        path, {"pixels": (table, "Point"), "classes": (selection, None)}, {"pixels": style}
    )


@dataclass(frozen=True)
class Signature:
    """Spectrum of a class in the scene, per band: mean, standard deviation; and its pixels."""

    mean: np.ndarray
    std: np.ndarray
    pixels: int


def read_signatures(path: str | Path, bands: int) -> dict[str, Signature]:
    """Spectra of the mapped classes by name, from rows of class and band in band order."""
    rows = read_table(path, ["name", "mean", "std", "pixels"])
    signatures = {}
    for name in dict.fromkeys(row["name"] for row in rows):
        own = [row for row in rows if row["name"] == name]
        if len(own) != bands:
            raise InputError(
                f"{path}: class {name} has {len(own)} bands where the references have {bands}; "
                "make both tables from the same cube"
            )
        signatures[name] = Signature(
            read_numbers(path, own, "mean"),
            read_numbers(path, own, "std"),
            int(read_numbers(path, own, "pixels")[0]),
        )
    return signatures


def read_areas(path: str | Path) -> dict[int, tuple[int, float | None]]:
    """Class code -> (pixels, km² or None) of a table of class areas; nodata is not a class."""
    rows = read_table(path, ["code", "pixels", "area_km2"])
    codes, pixels = (read_numbers(path, rows, name) for name in ("code", "pixels"))
    areas = read_numbers(path, rows, "area_km2")
    return {
        int(code): (int(count), float(area) if np.isfinite(area) else None)
        for code, count, area in zip(codes, pixels, areas, strict=True)
        if code != NODATA
    }
