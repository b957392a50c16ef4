"""Rasters of neighbouring scenes as one: which scene gives a pixel, and how far they agree.

All lie on one lattice of pixels, so numbers are copied and nothing is resampled. Where scenes
overlap, the one whose data end farthest away gives the pixel, at a cloud, at the edge of a slanted
swath or of the raster; beyond REACH_PX the raster's edge alone counts, and of equal ones the first:
what looks around itself, as windows of a forest do, sees least past the end there. Blocks read the
scenes that reach into them, so memory does not grow with their number.
"""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rasterio.errors import RasterioError
from rasterio.windows import Window
from scipy.ndimage import distance_transform_cdt

from gossan.checksums import read_verified
from gossan.errors import InputError
from gossan.files import newest
from gossan.raster import Datasets, Grid, RasterInfo, is_synthetic, open_raster, read_info

RULE = (
    "Where scenes overlap, the one whose data end farthest away gives the pixel; of equal ones the "
    "first of the table."
)
# Data that end farther away are not looked for. No window of a forest reaches so far.
REACH_PX = 32
# Datasets that stay open between blocks.
MOST_OPEN = 4
_WHOLE_PX = 1e-2
# No raster has so many rows, or columns.
_FARTHEST_PX = 2**40


@dataclass(frozen=True)
class Tile:
    """The raster of one scene, and the part of the whole that it covers."""

    info: RasterInfo
    window: Window


@dataclass
class Overlap:
    """Pixels with data, those that several scenes have data on, and those where these differ."""

    pixels: int = 0
    shared: int = 0
    differing: int = 0

    def add(self, other: "Overlap") -> None:
        """Add the counts of a block."""
        self.pixels += other.pixels
        self.shared += other.shared
        self.differing += other.differing


class Mosaic:
    """Rasters of scenes as one raster on `grid`, read window by window from any number of threads.

    `tiles` are in the order given, `info` describes the first, `tags` are those that all have.

    Raises InputError for rasters without nodata, of other bands or numbers, in another reference
    system, on other pixels than the first, and for one that touches no other.
    """

    def __init__(self, paths: Sequence[Path]):
        """Read the headers."""
        infos = [read_info(path) for path in paths]
        self.info = infos[0]
        if self.info.nodata is None:
            raise InputError(f"{self.info.path}: has no nodata value, so nothing tells its edges")
        for info in infos[1:]:
            _require_alike(self.info, info)
        windows = [_place(self.info.grid, info) for info in infos]
        _require_one_piece(infos, windows)
        left = min(window.col_off for window in windows)
        top = min(window.row_off for window in windows)
        self.tiles = [
            Tile(info, Window(own.col_off - left, own.row_off - top, own.width, own.height))
            for info, own in zip(infos, windows, strict=True)
        ]
        first = self.info.grid
        self.grid = Grid(
            first.crs,
            first.transform @ first.transform.translation(left, top),
            max(tile.window.col_off + tile.window.width for tile in self.tiles),
            max(tile.window.row_off + tile.window.height for tile in self.tiles),
        )
        self.tags = {
            key: value
            for key, value in self.info.tags.items()
            if all(info.tags.get(key) == value for info in infos)
        }
        synthetic = any(is_synthetic(info.tags) for info in infos)
        self.tags["SYNTHETIC"] = "yes" if synthetic else "no"
        self.tags["SCENES"] = str(len(infos))
        self.overlap = Overlap()
        self._lock = threading.Lock()
        self._datasets = Datasets(lambda path: open_raster(newest(path)), MOST_OPEN)

    def close(self) -> None:
        """Close all files, which no thread may be reading."""
        self._datasets.close()

    def read(self, window: Window) -> np.ndarray:
        """The stored numbers of a window, (bands, rows, columns); adds to `overlap`."""
        rows, columns = int(window.height), int(window.width)
        values = np.full(
            (len(self.info.bands.names), rows, columns), self.info.nodata, self.info.dtype
        )
        depth = np.full((rows, columns), -1, np.int64)
        shared, differing = np.zeros((2, rows, columns), bool)
        found = [(tile, _common(tile.window, window)) for tile in self.tiles]
        found = [(tile, common) for tile, common in found if common is not None]
        reach = REACH_PX if len(found) > 1 else 0
        for tile, common in found:
            at = _within(common, window)
            wider = _common(tile.window, _grow(common, reach))
            block = self._read_tile(tile, wider)
            own = _depth(has_data(block, self.info.nodata), tile.window, wider)
            inner = _within(common, wider)
            block, own = block[:, *inner], own[inner]
            present = own >= 0
            both = present & (depth[at] >= 0)
            shared[at] |= both
            differing[at] |= both & _differs(block, values[:, *at])
            wins = present & (own > depth[at])
            values[:, *at][:, wins] = block[:, wins]
            depth[at][wins] = own[wins]
        counted = Overlap(int((depth >= 0).sum()), int(shared.sum()), int(differing.sum()))
        with self._lock:
            self.overlap.add(counted)
        return values

    def _read_tile(self, tile: Tile, common: Window) -> np.ndarray:
        own = Window(
            common.col_off - tile.window.col_off,
            common.row_off - tile.window.row_off,
            common.width,
            common.height,
        )
        try:
            with self._datasets.borrow(tile.info.path) as dataset:
                return read_verified(dataset, window=own)
        except RasterioError as error:
            raise InputError(
                f"{tile.info.path}: broken or truncated near row {own.row_off}; make it again"
            ) from error


def has_data(block: np.ndarray, nodata: float) -> np.ndarray:
    """Where any band of stored numbers (bands, rows, columns) is not nodata, (rows, columns)."""
    return (~np.isnan(block) if math.isnan(nodata) else block != nodata).any(axis=0)


def _differs(block: np.ndarray, other: np.ndarray) -> np.ndarray:
    same = block == other
    if block.dtype.kind == "f":
        same |= np.isnan(block) & np.isnan(other)
    return ~same.all(axis=0)


def _depth(present: np.ndarray, tile: Window, part: Window) -> np.ndarray:
    """A number that grows with the distance of pixels from where a tile's data end.

    (rows, columns) of a part of the tile, -1 where there are none; `present` tells where there are.
    First what ends nearest counts, the tile or data inside of it, of equals the data, at last the
    tile: along the side of two tiles both end equally near.
    """
    sides = []
    for start, length, first, whole in (
        (part.row_off, part.height, tile.row_off, tile.height),
        (part.col_off, part.width, tile.col_off, tile.width),
    ):
        place = np.arange(start, start + length) - first
        sides.append(np.minimum(place, whole - 1 - place))
    edge = np.minimum.outer(*sides)
    inside = np.full(present.shape, REACH_PX)
    if not present.all():
        inside = np.minimum(inside, distance_transform_cdt(present, "chessboard"))
    rank = np.minimum(edge + 1, inside) * (REACH_PX + 1) + inside
    return np.where(present, rank * _FARTHEST_PX + edge, -1)


def _within(part: Window, whole: Window) -> tuple[slice, slice]:
    """Rows and columns of a window that a part of it has."""
    row, column = part.row_off - whole.row_off, part.col_off - whole.col_off
    return slice(row, row + part.height), slice(column, column + part.width)


def _grow(part: Window, by: int) -> Window:
    return Window(part.col_off - by, part.row_off - by, part.width + 2 * by, part.height + 2 * by)


def _common(one: Window, other: Window) -> Window | None:
    """What two windows have in common; None where that is nothing."""
    left, top = max(one.col_off, other.col_off), max(one.row_off, other.row_off)
    right = min(one.col_off + one.width, other.col_off + other.width)
    bottom = min(one.row_off + one.height, other.row_off + other.height)
    return Window(left, top, right - left, bottom - top) if right > left and bottom > top else None


def _require_alike(first: RasterInfo, other: RasterInfo) -> None:
    if first.bands.names != other.bands.names:
        raise InputError(
            f"{other.path}: has the bands {' '.join(other.bands.names)}, {first.path} has "
            f"{' '.join(first.bands.names)}; one mosaic is of scenes with the same"
        )
    told = [(i.dtype, str(i.nodata), i.scale, i.offset) for i in (first, other)]
    if told[0] != told[1]:
        raise InputError(
            f"{other.path}: has other numbers than {first.path} (type, nodata, scale or offset); "
            "make both by the same tool"
        )


def _place(grid: Grid, info: RasterInfo) -> Window:
    """Where a raster lies, in pixels of a grid."""
    other = info.grid
    if grid.crs != other.crs:
        names = [item.to_string()[:60] if item else "none" for item in (other.crs, grid.crs)]
        raise InputError(
            f"{info.path}: lies in {names[0]}, the first scene in {names[1]}; nothing is resampled "
            "here, so make a study and a mosaic of each zone"
        )
    corners = [
        ~grid.transform @ other.place(*at) for at in ((0, 0), (other.width, 0), (0, other.height))
    ]
    column, row = (round(value) for value in corners[0])
    due = ((column, row), (column + other.width, row), (column, row + other.height))
    if max(math.dist(*pair) for pair in zip(corners, due, strict=True)) > _WHOLE_PX:
        raise InputError(
            f"{info.path}: its pixels are not those of the first scene, but shifted or of another "
            "size; map products of one grid, or one mosaic of each"
        )
    return Window(column, row, other.width, other.height)


def _require_one_piece(infos: Sequence[RasterInfo], windows: Sequence[Window]) -> None:
    """InputError for scenes that neither overlap nor touch the others, step by step."""
    sides = np.array(
        [(w.col_off, w.row_off, w.col_off + w.width, w.row_off + w.height) for w in windows]
    )
    waiting, reached = [0], np.zeros(len(sides), bool)
    reached[0] = True
    while waiting:
        left, top, right, bottom = sides[waiting.pop()]
        touching = (
            (sides[:, 0] <= right)
            & (sides[:, 2] >= left)
            & (sides[:, 1] <= bottom)
            & (sides[:, 3] >= top)
        )
        new = np.flatnonzero(touching & ~reached)
        reached[new] = True
        waiting += new.tolist()
    if not reached.all():
        alone = infos[int(np.flatnonzero(~reached)[0])].path
        raise InputError(
            f"{alone}: does not touch {infos[0].path}, nor over other scenes; leave it to a study "
            "of its own, or add the scenes between"
        )
