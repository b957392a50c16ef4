"""Dates of several Sentinel-2 tiles on one grid, each pass of a spacecraft one date.

Tiles of one zone of UTM lie on the same raster and overlap by some 10 km, so that their pixels go
to the common grid as they are. Tiles of another zone come to it by the nearest pixel. What one pass
delivered in several tiles is one look at the ground: where they overlap the first one that has data
gives the pixel, bands and flags together.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine
from rasterio.warp import transform as transform_points
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.products.product import Product
from gossan.raster import Grid

if TYPE_CHECKING:
    from gossan.products.sentinel2 import Sentinel2Product

# A spacecraft goes round in 100 minutes; what it saw in less than half of it is one pass.
_ONE_PASS = timedelta(minutes=50)
# The common grid begins and ends on whole pixels of the coarsest bands.
_STEP_M = 60
# Pixels between the points whose place in another zone is computed; in between it is interpolated,
# which is right within centimetres.
_LATTICE_PX = 64
# Tiles farther apart than any country is wide are not of one scene.
_FARTHEST_M = 3_000_000
_PIXEL_TOLERANCE = 1e-3

logger = logging.getLogger(__name__)


def join_dates(products: Sequence[Sentinel2Product]) -> list[Product]:
    """Products of any tiles as dates on one grid, sorted by time.

    Dates of one tile, each in one product, come back as they are. Otherwise each pass of a
    spacecraft becomes one date on a grid that covers all tiles, of the zone with most tiles (of
    several such, that of the first tile by name).

    Raises InputError for products of one tile on different grids, for tiles of one zone whose
    pixels do not lie on one raster, and for tiles too far apart to be of one scene.
    """
    passes = _group_passes(products)
    firsts: dict[str, Sentinel2Product] = {}
    for product in products:
        first = firsts.setdefault(product.tile, product)
        first.grid.require_same(product.grid, f"{product.name} (against {first.name})")
    if len(firsts) == 1 and len(passes) == len(products):
        return list(products)
    grid = _cover([firsts[tile] for tile in sorted(firsts)])
    counts = Counter(product.tile for product in products)
    logger.info(
        "tiles %s on one grid of %s, %d x %d pixels; %d date(s)",
        ", ".join(f"{tile} ({counts[tile]} products)" for tile in sorted(counts)),
        grid.crs,
        grid.width,
        grid.height,
        len(passes),
    )
    for tile, first in sorted(firsts.items()):
        if first.grid.crs != grid.crs:
            logger.info("%s", _describe_move(tile, first.grid, grid))
    return [Pass(parts, grid) for parts in passes]


def _describe_move(tile: str, grid: Grid, common: Grid) -> str:
    return (
        f"tile {tile}, of {grid.crs.to_string()}: the nearest pixel on the grid of "
        f"{common.crs.to_string()}"
    )


def _group_passes(products: Sequence[Sentinel2Product]) -> list[list[Sentinel2Product]]:
    """The products of each pass, by time."""
    passes: list[list[Sentinel2Product]] = []
    for product in sorted(products, key=lambda item: (item.spacecraft, item.acquired)):
        first = passes[-1][0] if passes else None
        if (
            first is not None
            and first.spacecraft == product.spacecraft
            and _moment(product) - _moment(first) < _ONE_PASS
        ):
            passes[-1].append(product)
        else:
            passes.append([product])
    return sorted(passes, key=lambda parts: (parts[0].acquired, parts[0].product_id))


def _moment(product: Product) -> datetime:
    return datetime.fromisoformat(product.acquired)


def _cover(tiles: Sequence[Sentinel2Product]) -> Grid:
    """The grid that covers one product of each tile, on the raster of the zone with most tiles."""
    zones = Counter(tile.grid.crs.to_string() for tile in tiles)
    model = max(tiles, key=lambda tile: zones[tile.grid.crs.to_string()])
    crs, pixel_m = model.grid.crs, model.grid.transform.a
    west, north = model.grid.place(0, 0)
    spans = []
    for tile in tiles:
        bounds = tile.grid.bounds
        if tile.grid.crs == crs:
            _require_raster(tile, model)
        else:
            bounds = transform_bounds(tile.grid.crs, crs, *bounds)
        reach = max(abs(bounds[0] - west), abs(bounds[3] - north))
        # What is no number is far as well.
        if not reach < _FARTHEST_M:
            raise InputError(
                f"{tile.name}: tile {tile.tile} lies {reach / 1000:,.0f} km from {model.tile}; "
                "give tiles of one scene"
            )
        spans.append(bounds)
    lows = [math.floor((min(span[0] for span in spans) - west) / _STEP_M)]
    lows.append(math.floor((north - max(span[3] for span in spans)) / _STEP_M))
    highs = [math.ceil((max(span[2] for span in spans) - west) / _STEP_M)]
    highs.append(math.ceil((north - min(span[1] for span in spans)) / _STEP_M))
    width, height = (
        round((high - low) * _STEP_M / pixel_m) for low, high in zip(lows, highs, strict=True)
    )
    corner = west + lows[0] * _STEP_M, north - lows[1] * _STEP_M
    return Grid(crs, Affine(pixel_m, 0.0, corner[0], 0.0, -pixel_m, corner[1]), width, height)


def _require_raster(tile: Sentinel2Product, model: Sentinel2Product) -> None:
    """Refuse a tile of the zone whose pixels lie beside those of the others."""
    offsets = [
        (here - there) / model.grid.transform.a
        for here, there in zip(tile.grid.place(0, 0), model.grid.place(0, 0), strict=True)
    ]
    if any(abs(offset - round(offset)) > _PIXEL_TOLERANCE for offset in offsets):
        raise InputError(
            f"{tile.name}: its pixels lie beside those of tile {model.tile} ({model.name}); "
            "choose a finer resolution_m, or get the whole tiles"
        )


@dataclass(frozen=True)
class _Sight:
    """What a product has of a window of the common grid.

    source: the part of the product to read; row, column: for each pixel of the window its place in
    that part, arrays that broadcast to (rows, columns); inside: which pixels have one.
    """

    source: Window
    row: np.ndarray
    column: np.ndarray
    inside: np.ndarray

    def pick(self, values: np.ndarray) -> np.ndarray:
        """Values (layers, rows, columns) of the source at the window's pixels."""
        return values[:, self.row, self.column]


def _find_sight(row: np.ndarray, column: np.ndarray, grid: Grid) -> _Sight | None:
    """The sight of a product's grid at these rows and columns of it; None where it has none."""
    inside = (row >= 0) & (row < grid.height) & (column >= 0) & (column < grid.width)
    if not inside.any():
        return None
    held_row, held_column = row.clip(0, grid.height - 1), column.clip(0, grid.width - 1)
    top, left = int(held_row.min()), int(held_column.min())
    source = Window(left, top, int(held_column.max()) + 1 - left, int(held_row.max()) + 1 - top)
    return _Sight(source, held_row - top, held_column - left, inside)


def _reach(grid: Grid, common: Grid) -> tuple[int, int, int, int]:
    """First and last row, first and last column of the common grid that a product may reach."""
    bounds, spare = grid.bounds, 0
    if grid.crs != common.crs:
        bounds, spare = transform_bounds(grid.crs, common.crs, *bounds), 1
    (west, north), pixel_m = common.place(0, 0), common.transform.a
    return (
        round((north - bounds[3]) / pixel_m) - spare,
        round((north - bounds[1]) / pixel_m) + spare,
        round((bounds[0] - west) / pixel_m) - spare,
        round((bounds[2] - west) / pixel_m) + spare,
    )


def _meet(reach: tuple[int, int, int, int], window: Window) -> bool:
    top, bottom, left, right = reach
    rows = top < window.row_off + window.height and window.row_off < bottom
    return rows and left < window.col_off + window.width and window.col_off < right


class Pass(Product):
    """All products of one pass of a spacecraft, as one date on a common grid.

    `tiles` and `parts` name its tiles and products; a pixel outside of them, or without data in
    any, is fill. Everything else is as of `sentinel2.Sentinel2Product`.
    """

    def __init__(self, parts: Sequence[Sentinel2Product], grid: Grid):
        """Put together products of one spacecraft, with the same bands, on a grid."""
        # Pixels that need not be moved come first, and of one tile the later processing.
        late = sorted(parts, key=lambda part: (part.collection, part.product_id), reverse=True)
        self._parts = sorted(late, key=lambda part: (part.grid.crs != grid.crs, part.tile))
        first = min(parts, key=lambda part: part.acquired)
        self.grid = grid
        self._reaches = [_reach(part.grid, grid) for part in self._parts]
        self.product_id = first.product_id
        self.spacecraft, self.sensor, self.level = first.spacecraft, first.sensor, first.level
        self.surface_reflectance, self.scaled_by = first.surface_reflectance, first.scaled_by
        self.flags, self.absent_flags = first.flags, first.absent_flags
        self.bands, self.acquired = first.bands, first.acquired
        self.collection = ", ".join(sorted({part.collection for part in parts}))
        self.sun_elevation_deg = float(np.mean([part.sun_elevation_deg for part in parts]))
        self.synthetic = any(part.synthetic for part in parts)
        self.offset = min(part.offset for part in parts)
        self.tiles = tuple(sorted({part.tile for part in parts}))
        self.parts = tuple(sorted(part.product_id for part in parts))
        moved = [part for part in self._parts if part.grid.crs != grid.crs]
        self.notes = (
            *dict.fromkeys(note for part in self._parts for note in part.notes),
            *dict.fromkeys(_describe_move(part.tile, part.grid, grid) for part in moved),
        )

    def touches(self, window: Window) -> bool:
        """Whether any of its products reaches into a window."""
        return any(_meet(reach, window) for reach in self._reaches)

    def read_reflectance(self, window: Window) -> np.ndarray:
        """Reflectance of a window as of `Sentinel2Product`, NaN also outside of its tiles."""
        shape = len(self.bands.names), window.height, window.width
        values = np.full(shape, np.nan, np.float32)
        for part, sight, chosen in self._choose(window):
            seen = sight.pick(part.read_reflectance(sight.source))
            np.copyto(values, seen, where=chosen)
        return values

    def read_flags(self, window: Window, flags: Sequence[str]) -> np.ndarray:
        """Quality flags of a window as of `Sentinel2Product`; fill also outside of its tiles."""
        self.require_flags(flags)
        layers = np.zeros((len(flags), window.height, window.width), bool)
        layers[[place for place, flag in enumerate(flags) if flag == "fill"]] = True
        for part, sight, chosen in self._choose(window):
            np.copyto(layers, sight.pick(part.read_flags(sight.source, flags)), where=chosen)
        return layers

    def require_flags(self, flags: Sequence[str]) -> None:
        """Raise InputError for a flag that is unknown or that one of its products cannot tell."""
        for part in self._parts:
            part.require_flags(flags)

    def close(self) -> None:
        """Close the files of all its products."""
        for part in self._parts:
            part.close()

    def _choose(self, window: Window) -> Iterator[tuple[Sentinel2Product, _Sight, np.ndarray]]:
        """Products that give pixels of a window, and which, (rows, columns) bool; none twice."""
        sights = self._sights(window)
        free = np.ones((window.height, window.width), bool)
        for part, sight in sights:
            chosen = sight.inside & free
            if len(sights) > 1:
                chosen &= ~sight.pick(part.read_flags(sight.source, ("fill",)))[0]
            free &= ~chosen
            if chosen.any():
                yield part, sight, chosen

    def _sights(self, window: Window) -> list[tuple[Sentinel2Product, _Sight]]:
        near = zip(self._parts, self._reaches, strict=True)
        found = [
            (part, self._look(part.grid, window)) for part, reach in near if _meet(reach, window)
        ]
        return [(part, sight) for part, sight in found if sight is not None]

    def _look(self, grid: Grid, window: Window) -> _Sight | None:
        """What a product on `grid` has of a window."""
        row = np.arange(window.height)[:, None] + window.row_off
        column = np.arange(window.width)[None, :] + window.col_off
        if grid.crs == self.grid.crs:
            pixel_m = grid.transform.a
            west, north = grid.place(0, 0)
            own_west, own_north = self.grid.place(0, 0)
            down, right = round((north - own_north) / pixel_m), round((own_west - west) / pixel_m)
            return _find_sight(row + down, column + right, grid)
        places = _interpolate(self._lattice(grid, window), row, column)
        return _find_sight(*np.floor(places).astype(np.int64), grid)

    def _lattice(self, grid: Grid, window: Window) -> np.ndarray:
        """(row, column) in another zone's grid of the pixels at multiples of _LATTICE_PX.

        (2, rows, columns), as many as lie around the window. The multiples are the common grid's,
        so that no pixel's place depends on the window.
        """
        lines = [
            np.arange(start // _LATTICE_PX, (start + size - 1) // _LATTICE_PX + 2) * _LATTICE_PX
            for start, size in (
                (window.row_off, window.height),
                (window.col_off, window.width),
            )
        ]
        row, column = np.meshgrid(*lines, indexing="ij")
        x, y = self.grid.place(column + 0.5, row + 0.5)
        xs, ys = (
            np.array(values).reshape(row.shape)
            for values in transform_points(self.grid.crs, grid.crs, x.ravel(), y.ravel())
        )
        a, b, c, d, e, f = (~grid.transform)[:6]
        return np.stack([d * xs + e * ys + f, a * xs + b * ys + c])


def _interpolate(nodes: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Values (2, rows, columns) between those of a lattice around these rows and columns."""
    rows, columns = row.ravel(), column.ravel()
    first, share = rows // _LATTICE_PX - rows[0] // _LATTICE_PX, rows % _LATTICE_PX / _LATTICE_PX
    share = share[:, None]
    lines = nodes[:, first] * (1 - share) + nodes[:, first + 1] * share
    first = columns // _LATTICE_PX - columns[0] // _LATTICE_PX
    share = columns % _LATTICE_PX / _LATTICE_PX
    return lines[:, :, first] * (1 - share) + lines[:, :, first + 1] * share
