"""A part of a product: some of its bands, a window of its pixels, the inside of a polygon."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine
from rasterio.features import geometry_mask
from rasterio.windows import Window

from gossan.errors import InputError, decoding
from gossan.outlines import outline, reproject, why_apart
from gossan.raster import BLOCK_BYTES, BandTable, Grid
from gossan.vector_files import read_vector

if TYPE_CHECKING:
    from gossan.products.product import Product

SMALLEST_PX = 8
# Windows on a lattice of so many a side, of so many pixels, in which bands are first looked at.
_LOOKS, _LOOK_PX = 3, 64
# A centre that is asked for may lie this far (µm) from a band that is narrower.
LEAST_REACH_UM = 0.06


@dataclass(frozen=True)
class Subset:
    """A part of a product, read like the product itself.

    `window` is its place in the product. `inside(window)` tells which pixels, (rows, columns)
    bool, of a window of the part lie in the polygon; None where there is no polygon.
    """

    product: "Product"
    grid: Grid
    bands: BandTable
    window: Window
    positions: tuple[int, ...]
    inside: Callable[[Window], np.ndarray] | None = None

    def read_reflectance(self, window: Window) -> np.ndarray:
        """Reflectance of a window, (bands, rows, columns) float32, NaN where there is none."""
        with decoding(self.product.path or self.product.product_id):
            values = self.product.read_reflectance(self._place(window))
        if self.positions != tuple(range(len(values))):
            values = values[list(self.positions)]
        if self.inside is not None:
            values[:, ~self.inside(window)] = np.nan
        return values

    def read_flags(self, window: Window, flags: Sequence[str]) -> np.ndarray:
        """Quality flags of a window, (flags, rows, columns) bool."""
        with decoding(self.product.path or self.product.product_id):
            return self.product.read_flags(self._place(window), flags)

    def touches(self, window: Window) -> bool:
        """Whether the product reaches into a window."""
        return self.product.touches(self._place(window))

    def with_bands(self, names: Sequence[str]) -> "Subset":
        """The same ground in other bands of the product; InputError for an unknown one."""
        positions = _find_bands(self.product, names)
        return replace(self, bands=_table(self.product, positions), positions=positions)

    def _place(self, window: Window) -> Window:
        return Window(
            self.window.col_off + window.col_off,
            self.window.row_off + window.row_off,
            window.width,
            window.height,
        )


def describe_part(part: Subset, polygon: Path | None) -> dict:
    """Which part of a product a cube holds, as its record says it."""
    window = part.window
    described = {"window": [window.col_off, window.row_off, window.width, window.height]}
    if polygon:
        described["polygon"] = polygon.name
    return {"subset": described}


def select_part(
    product: "Product",
    bands: Sequence[str] | None = None,
    window: Sequence[int] | None = None,
    polygon: str | Path | None = None,
) -> Subset:
    """The part of a product that has `bands` in their order, within a window or a polygon.

    `window` is (column, row, width, height) in pixels, `polygon` a vector file of polygons in any
    reference system: the part is then the smallest window around them, and pixels whose centre
    lies outside are nodata. Raises InputError for an unknown band or one named twice, a window
    that reaches beyond the product, a file that does not hold polygons or none over the product,
    and for less than 8 pixels on a side.
    """
    grid = product.grid
    positions = _find_bands(product, bands)
    inside = None
    place = Window(0, 0, grid.width, grid.height)
    if window is not None:
        place = _check_window(product, window)
    if polygon is not None:
        shapes = _read_polygons(Path(polygon), grid)
        place = _window_around(Path(polygon), shapes, grid)
    part = Grid(grid.crs, _moved(grid, place), place.width, place.height)
    if polygon is not None:
        inside = _inside(shapes, part)
    return Subset(product, part, _table(product, positions), place, positions, inside)


def without_empty_bands(
    part: Subset, named: bool, dates: Sequence["Product"] = ()
) -> tuple[Subset, list[str]]:
    """The part without the bands that have no number in any of its pixels, and a note on them.

    Such bands, all fill or all invalid by the product's own quality, would make every pixel
    nodata. Of a part of several `dates` a band is empty where it is so on all. InputError where
    the bands were `named` by the user. A part without any number is left as it is.
    """
    names = part.bands.names
    parts = [replace(part, product=date) for date in dates] or [part]
    empty = _find_empty(parts)
    if not empty or len(empty) == len(names):
        return part, []
    if named:
        raise InputError(
            f"{part.product.product_id}: band {', '.join(empty)} has no valid number in this part "
            "of the scene, so that every pixel would be nodata; leave it out of the bands"
        )
    kept = part.with_bands([name for name in names if name not in empty])
    return kept, [f"bands {', '.join(empty)}: no valid number in any pixel, left out"]


def _find_empty(parts: Sequence[Subset]) -> list[str]:
    """Bands without a number in any of the parts, which have the same bands and the same grid.

    Small windows clear nearly all of them before the whole is looked through.
    """
    names = np.array(parts[0].bands.names)
    empty = np.ones(len(names), bool)
    strips = _strips(parts[0].grid, len(parts[0].product.bands.names))
    for window, part in itertools.chain(
        itertools.product(_look_windows(parts[0].grid), parts),
        ((strip, part) for part in parts for strip in strips),
    ):
        if not part.touches(window):
            continue
        empty[empty] = ~np.isfinite(part.read_reflectance(window)[empty]).any(axis=(1, 2))
        if not empty.any():
            break
    return names[empty].tolist()


def _look_windows(grid: Grid) -> list[Window]:
    """Windows over the grid, the middle one first, each in one tile of most files."""
    spans = []
    for side in (grid.height, grid.width):
        size = min(side, _LOOK_PX)
        starts = [place * (side - size) // (_LOOKS - 1) for place in range(_LOOKS)]
        spans.append([(start // _LOOK_PX * _LOOK_PX, size) for start in starts])
    windows = [
        Window(column, row, width, height) for row, height in spans[0] for column, width in spans[1]
    ]
    middle = windows.pop(len(windows) // 2)
    return [middle, *windows]


def _strips(grid: Grid, bands: int) -> list[Window]:
    """Windows of full width that cover the grid."""
    step = max(1, BLOCK_BYTES // (4 * grid.width * max(1, bands)))
    return [
        Window(0, row, grid.width, min(step, grid.height - row))
        for row in range(0, grid.height, step)
    ]


def nearest_bands(
    bands: BandTable, centres_um: Sequence[float]
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Names of the bands nearest to centres (µm), by ascending wavelength; centres without one.

    A band answers a centre that lies within its width at half maximum, or within 0.06 µm where it
    is narrower; one that answers several is taken once. Raises InputError for bands without
    wavelengths, and where fewer than two are found.
    """
    if not bands.centre_um:
        raise InputError(
            f"centres-um: bands {' '.join(bands.names)} have no wavelengths; name bands, or tell "
            "their wavelengths"
        )
    centre = np.array(bands.centre_um)
    found, missed = set(), []
    for wanted in centres_um:
        place = int(np.abs(centre - wanted).argmin())
        if abs(centre[place] - wanted) <= max(bands.fwhm_um[place], LEAST_REACH_UM):
            found.add(place)
        else:
            missed.append(wanted)
    if len(found) < 2:
        raise InputError(
            f"centres-um: {len(found) or 'none'} of the bands, which lie between {centre.min():g} "
            f"and {centre.max():g} µm, is near {' '.join(f'{wanted:g}' for wanted in centres_um)}; "
            "at least two are needed: use another sensor or other centres"
        )
    ordered = sorted(found, key=lambda place: centre[place])
    return tuple(bands.names[place] for place in ordered), tuple(missed)


def _table(product: "Product", positions: Sequence[int]) -> BandTable:
    table = product.bands
    return BandTable(
        *(
            tuple(column[position] for position in positions) if column else ()
            for column in (table.names, table.centre_um, table.fwhm_um)
        )
    )


def _moved(grid: Grid, window: Window) -> Affine:
    """The transform of a window of a grid."""
    return grid.transform @ Affine.translation(window.col_off, window.row_off)


def _find_bands(product: "Product", bands: Sequence[str] | None) -> tuple[int, ...]:
    known = product.bands.names
    if bands is None:
        return tuple(range(len(known)))
    for name in bands:
        if name not in known:
            raise InputError(
                f"band {name} is unknown in {product.product_id}; use: {', '.join(known)}"
            )
    if len(set(bands)) < len(bands):
        raise InputError(f"bands: '{' '.join(bands)}' names a band twice")
    return tuple(known.index(name) for name in bands)


def _check_window(product: "Product", window: Sequence[int]) -> Window:
    column, row, width, height = window
    grid = product.grid
    size = f"{product.product_id} has {grid.width} columns and {grid.height} rows"
    where = f"window {column} {row} {width} {height}"
    if min(width, height) < SMALLEST_PX:
        raise InputError(f"{where}: is smaller than {SMALLEST_PX} pixels on a side; enlarge it")
    if column < 0 or row < 0 or column + width > grid.width or row + height > grid.height:
        raise InputError(f"{where}: reaches outside of the scene; {size}")
    return Window(column, row, width, height)


def _read_polygons(path: Path, grid: Grid) -> np.ndarray:
    """The polygons of a vector file in the grid's reference system."""
    import shapely

    features, _ = read_vector(path, "polygons")
    if "geometry" not in features.columns or features.empty:
        raise InputError(f"{path}: holds no polygon; draw one around the area")
    if features.crs is None:
        raise InputError(f"{path}: the polygon has no coordinate system; assign one")
    # One after the other: geopandas warns where missing and empty geometries may be mistaken.
    shapes = features.geometry[~features.geometry.is_empty]
    shapes = shapes[shapes.notna()]
    types = set(shapes.geom_type)
    if not types or not types <= {"Polygon", "MultiPolygon"}:
        raise InputError(
            f"{path}: holds {', '.join(sorted(types)) or 'no geometry'}; give polygons only"
        )
    told = shapes.to_frame("geometry")
    found = reproject(told, grid.crs, path).geometry.to_numpy()
    if not shapely.intersects(found, outline(grid)).any():
        raise InputError(f"{path}: the polygon does not overlap the scene; {why_apart(told, grid)}")
    return found


def _window_around(path: Path, shapes: np.ndarray, grid: Grid) -> Window:
    """The smallest window of the grid that holds all pixels that the polygons touch."""
    import shapely

    positions = np.array([~grid.transform @ tuple(xy) for xy in shapely.get_coordinates(shapes)])
    if not np.isfinite(positions).all():
        raise InputError(f"{path}: the polygon cannot be brought to the scene's reference system")
    west, north = (max(0, math.floor(low)) for low in positions.min(axis=0))
    east, south = (
        min(side, math.ceil(high))
        for side, high in zip((grid.width, grid.height), positions.max(axis=0), strict=True)
    )
    if east <= west or south <= north:
        raise InputError(
            f"{path}: the polygon does not overlap the scene; check place and CRS of both"
        )
    if min(east - west, south - north) < SMALLEST_PX:
        raise InputError(
            f"{path}: the polygon covers {east - west} x {south - north} pixels of the scene, "
            f"less than {SMALLEST_PX} on a side; enlarge it"
        )
    return Window(west, north, east - west, south - north)


def _inside(shapes: np.ndarray, grid: Grid) -> Callable[[Window], np.ndarray]:
    def inside(window: Window) -> np.ndarray:
        return geometry_mask(
            list(shapes),
            out_shape=(window.height, window.width),
            transform=_moved(grid, window),
            invert=True,
        )

    return inside
