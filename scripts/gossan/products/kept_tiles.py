"""Decoded tiles of images that a window cut, kept on disk until the rest of them has been read.

Sentinel-2's bands of 20 m are stored in tiles of 640 pixels, which no block of its bands of 10 m,
of 1024, agrees with: without this each tile would be decoded up to four times.
"""

import tempfile
import threading
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import rasterio
from rasterio.windows import Window

from gossan.checksums import read_verified

# What does not fit is decoded again.
MOST_KEPT_BYTES = 4 * 2**30


@dataclass
class _Kept:
    """A tile of which so many pixels are still to be read; `place` in the file, None before."""

    left: int
    place: int | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class KeptTiles:
    """Reads windows of rasters, from any number of threads; nothing but time depends on it.

    Every pixel is expected to be read once. A tile that is read more often is decoded again.
    """

    def __init__(self, folder: Path):
        """Nothing is kept yet; it will be in `folder`, in a file without a name."""
        self._folder = folder
        self._lock = threading.Lock()
        self._tiles: dict[Hashable, _Kept] = {}
        self._file: BinaryIO | None = None
        self._end = 0
        self._free: dict[int, list[int]] = {}

    def read(self, dataset: rasterio.DatasetReader, key: Hashable, window: Window) -> np.ndarray:
        """`dataset.read(window=window)`; `key` tells the file from others."""
        rows, columns = dataset.block_shapes[0]
        top, left = int(window.row_off), int(window.col_off)
        bottom, right = top + int(window.height), left + int(window.width)
        values = np.empty((dataset.count, bottom - top, right - left), dataset.dtypes[0])
        for row in range(top // rows * rows, bottom, rows):
            for column in range(left // columns * columns, right, columns):
                tile = Window(
                    column,
                    row,
                    min(columns, dataset.width - column),
                    min(rows, dataset.height - row),
                )
                target = values[
                    :,
                    max(0, row - top) : row + tile.height - top,
                    max(0, column - left) : column + tile.width - left,
                ]
                found = self._find(dataset, key, tile, target[0].size)
                found = found[:, max(0, top - row) :, max(0, left - column) :]
                target[...] = found[:, : target.shape[1], : target.shape[2]]
        return values

    def _find(
        self, dataset: rasterio.DatasetReader, key: Hashable, tile: Window, pixels: int
    ) -> np.ndarray:
        """The numbers of a tile (bands, rows, columns), of which so many pixels are read now."""
        if pixels == tile.height * tile.width:
            return read_verified(dataset, window=tile)
        key = key, tile.row_off, tile.col_off
        with self._lock:
            kept = self._tiles.setdefault(key, _Kept(tile.height * tile.width))
        # Who else needs it meanwhile waits for it.
        with kept.lock:
            if kept.place is None:
                found = read_verified(dataset, window=tile)
            else:
                found = self._load(kept.place, dataset, tile)
            kept.left -= pixels
            if kept.left > 0 and kept.place is None:
                kept.place = self._store(found)
            elif kept.left <= 0:
                self._drop(key, kept, found.nbytes)
        return found

    def _load(self, place: int, dataset: rasterio.DatasetReader, tile: Window) -> np.ndarray:
        found = np.empty((dataset.count, tile.height, tile.width), dataset.dtypes[0])
        with self._lock:
            self._file.seek(place)
            self._file.readinto(found)
        return found

    def _drop(self, key: Hashable, kept: _Kept, size: int) -> None:
        with self._lock:
            self._tiles.pop(key, None)
            if kept.place is not None:
                self._free.setdefault(size, []).append(kept.place)
                kept.place = None

    def _store(self, found: np.ndarray) -> int | None:
        """Where in the file a tile is now; None where there is no room."""
        rest = memoryview(np.ascontiguousarray(found)).cast("B")
        with self._lock:
            free = self._free.get(len(rest))
            place = free.pop() if free else self._end
            if place + len(rest) > MOST_KEPT_BYTES:
                return None
            try:
                if self._file is None:
                    self._folder.mkdir(parents=True, exist_ok=True)
                    self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115
                self._file.seek(place)
                self._end = max(self._end, place + len(rest))
                while rest:
                    rest = rest[self._file.write(rest) :]
            except OSError:
                return None
        return place
