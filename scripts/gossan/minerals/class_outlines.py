"""Outlines of the classes of a map: patches large enough to walk to, with area and mean angle."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine
from rasterio.enums import Resampling

from gossan.legend import NODATA, UNCLASSIFIED, MapClass
from gossan.levels import read_reduced
from gossan.raster import is_synthetic, read_info
from gossan.vector_styles import Category, VectorStyle
from gossan.vectors import write_layers

if TYPE_CHECKING:
    import geopandas

LEAST_PX = 9
"""Patches of fewer pixels become part of the largest one beside them."""
MOST_PX = 16_000_000
"""A map of more pixels is outlined coarser, so that the memory stays below half a gigabyte."""
LAYER = "outlines"
FIELDS = {
    "class": ("Class", "name of the class"),
    "label": ("Label", "the class as people write it"),
    "pixels": ("Pixels", "pixels within the outline, as large as they were outlined"),
    "area_ha": ("Area, ha", "area; empty where pixels have no size in metres"),
    "angle_rad": ("Mean angle, rad", "mean over the pixels that the map itself gives this class"),
}


def outline_classes(
    class_map: Path, angle: Path, classes: Sequence[MapClass], most_px: int = MOST_PX
) -> "geopandas.GeoDataFrame":
    """Outlines of a class map, with the attributes of FIELDS, in the order of the map's rows.

    `angle` is a raster of the same grid. Pixels belong together that touch at a side. Memory is
    that of `most_px` pixels. Raises InputError for a damaged file.
    """
    import geopandas
    from rasterio.features import rasterize, shapes, sieve
    from shapely.geometry import shape

    grid = read_info(class_map).grid
    step = max(1, math.ceil(math.sqrt(grid.width * grid.height / most_px)))
    size = max(1, grid.height // step), max(1, grid.width // step)
    place = grid.transform @ Affine.scale(grid.width / size[1], grid.height / size[0])
    codes = read_reduced(class_map, [0], size, Resampling.mode)[0]
    codes = np.nan_to_num(codes, copy=False, nan=NODATA).astype(np.uint8)
    angles = read_reduced(angle, [0], size, Resampling.average)[0]
    # Patches of nodata are no neighbours: nothing becomes part of them.
    kept = sieve(codes, LEAST_PX, mask=codes != NODATA, connectivity=4)
    inside = (kept != NODATA) & (kept != UNCLASSIFIED)
    found = [
        (shape(outline), int(code))
        for outline, code in shapes(kept, mask=inside, connectivity=4, transform=place)
    ]
    numbers = np.zeros(codes.shape, np.int32)
    if found:
        outlines = [(outline, number) for number, (outline, _) in enumerate(found, start=1)]
        rasterize(outlines, out=numbers, transform=place)
    own = numbers[(codes == kept) & np.isfinite(angles)]
    values = angles[(codes == kept) & np.isfinite(angles)]
    sums = np.bincount(own, values, len(found) + 1)[1:]
    counts = np.bincount(own, minlength=len(found) + 1)[1:]
    pixels = np.bincount(numbers.ravel(), minlength=len(found) + 1)[1:]
    pixel_m2 = grid.pixel_area_m2
    pixel_ha = math.nan
    if pixel_m2 is not None:
        pixel_ha = pixel_m2 * (grid.width / size[1]) * (grid.height / size[0]) / 1e4
    known = {item.code: item for item in classes}
    return geopandas.GeoDataFrame(
        {
            "class": [known[code].name for _, code in found],
            "label": [known[code].label for _, code in found],
            "pixels": pixels.astype(np.int64),
            "area_ha": np.round(pixels * pixel_ha, 4),
            "angle_rad": np.round(sums / np.where(counts, counts, np.nan), 5),
        },
        geometry=[outline for outline, _ in found],
        crs=None if grid.crs is None else grid.crs.to_wkt(),
    )


def class_style(
    classes: Sequence[MapClass], fields: dict[str, tuple[str, str]], note: str, filled: bool
) -> VectorStyle:
    """The style of features with the attribute `class`, in the colours of the map."""
    return VectorStyle(
        attribute="class",
        categories=[Category(item.name, item.label, item.colour) for item in classes],
        filled=filled,
        size_mm=None if filled else 1.6,
        fields=fields,
        note=note,
    )


def write_outlines(path: Path, class_map: Path, angle: Path, classes: Sequence[MapClass]) -> None:
    """Write the outlines of a class map as a GeoPackage in the colours of the map."""
    table = outline_classes(class_map, angle, classes)
    note = f"Outlines of the classes; patches below {LEAST_PX} pixels are part of their neighbours"
    if is_synthetic(read_info(class_map).tags):
        note += "; SYNTHETIC: simulated ground"
    present = set(table["class"])
    shown = [item for item in classes if item.name in present]
    style = class_style(shown, FIELDS, note, filled=True)
    write_layers(path, {LAYER: (table, "Polygon")}, {LAYER: style})
