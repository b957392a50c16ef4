"""Checksums that files carry and GDAL leaves unread: the Adler-32 of a GeoTIFF's deflated tiles.

A deflated stream ends in a checksum (RFC 1950). The TIFF library stops as soon as a tile is full,
so that a flipped bit is mostly found as a stream that cannot be unpacked, but one in twelve gives
other numbers and no error. HDF5, PNG and LERC check their own.
"""

from __future__ import annotations

import hashlib
import re
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Compression, Interleaving
from rasterio.errors import RasterioIOError
from rasterio.windows import Window

from gossan.tiles import PLAIN, DamagedStreamError, restore, unpack

# A stretch of an archive, as `products.containers` gives it to GDAL.
_STRETCH = re.compile(r"/vsisubfile/(\d+)_\d+,(.+)", re.DOTALL)


# Code and length of a multihash, in hexadecimal digits, before its digest.
_MULTIHASHES = {"1220": "sha256", "1340": "sha512", "1620": "sha3_256", "d50110": "md5"}

# Bytes of a value by the kind of a tag.
_TAG_BYTES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


def read_multihash(text: str) -> tuple[str, str] | None:
    """Algorithm and digest of a checksum as STAC's file extension tells it, a multihash.

    None for text that is none, and for algorithms that are not of a SAFE's or STAC's usual ones.
    """
    told = text.lower()
    for prefix, algorithm in _MULTIHASHES.items():
        digest = told.removeprefix(prefix)
        if digest != told and len(digest) == 2 * hashlib.new(algorithm).digest_size:
            return algorithm, digest
    return None


class DamagedTileError(RasterioIOError):
    """A tile whose content is not what its checksum was made of."""


def read_verified(
    dataset: rasterio.DatasetReader,
    indexes: int | Sequence[int] | None = None,
    window: Window | None = None,
) -> np.ndarray:
    """`dataset.read(indexes, window=window)`, of tiles whose checksums are right.

    Deflated tiles are unpacked here, once, for GDAL would do it again. Raises DamagedTileError, a
    RasterioError, where one is not whole, beside what reading raises.
    """
    predictor = _predictor(dataset, window)
    if predictor is None:
        verify_tiles(dataset, indexes, window)
        return dataset.read(indexes, window=window)
    bands = _bands(dataset, indexes)
    window = window or Window(0, 0, dataset.width, dataset.height)
    top, left = int(window.row_off), int(window.col_off)
    values = np.empty((len(bands), int(window.height), int(window.width)), dataset.dtypes[0])
    for tile in _tiles(dataset, bands, window):
        target = values[
            tile.places,
            max(0, tile.row - top) : tile.row + tile.rows - top,
            max(0, tile.column - left) : tile.column + tile.columns - left,
        ]
        if tile.stream is None:
            target[...] = dataset.nodata or 0
            continue
        samples = [band - 1 for band in bands] if tile.samples > 1 else [0]
        corner = max(0, top - tile.row), max(0, left - tile.column)
        try:
            content = unpack(tile.stream, tile.size)
            restore(content, predictor, (tile.columns, tile.samples), samples, corner, target)
        except DamagedStreamError as error:
            raise DamagedTileError(tile.fault) from error
    return values[0] if isinstance(indexes, int) else values


def verify_tiles(
    dataset: rasterio.DatasetReader,
    indexes: int | Sequence[int] | None = None,
    window: Window | None = None,
) -> None:
    """Raise DamagedTileError where the checksum of a deflated tile under a window is wrong.

    Only of GeoTIFFs on disk or stored in an archive; other files have no such tiles, or are
    checked by what reads them.
    """
    if _locate(dataset) is None:
        return
    window = window or Window(0, 0, dataset.width, dataset.height)
    for tile in _tiles(dataset, _bands(dataset, indexes), window):
        try:
            if tile.stream is not None:
                unpack(tile.stream, tile.size)
        except DamagedStreamError as error:
            raise DamagedTileError(tile.fault) from error


def _bands(dataset: rasterio.DatasetReader, indexes: int | Sequence[int] | None) -> list[int]:
    return list(dataset.indexes) if indexes is None else np.atleast_1d(indexes).tolist()


def _predictor(dataset: rasterio.DatasetReader, window: Window | None) -> int | None:
    """The predictor of a dataset whose tiles can be unpacked here; None where GDAL has to read.

    That is numbers of whole bytes, in the order of this machine's, and a window inside the grid.
    """
    place = _locate(dataset)
    if place is None or len(set(dataset.dtypes)) > 1 or "complex" in dataset.dtypes[0]:
        return None
    if "NBITS" in dataset.tags(1, ns="IMAGE_STRUCTURE") or sys.byteorder != "little":
        return None
    if window is not None:
        column, row, width, height = window.flatten()
        whole = all(number == int(number) for number in window.flatten())
        if not (whole and 0 <= column <= column + width <= dataset.width):
            return None
        if not 0 <= row <= row + height <= dataset.height:
            return None
    with Path(place[0]).open("rb") as file:
        file.seek(place[1])
        if file.read(2) != b"II":
            return None
    return int(dataset.tags(ns="IMAGE_STRUCTURE").get("PREDICTOR", PLAIN))


@dataclass(frozen=True)
class _Tile:
    """A deflated tile or strip: where it lies, and its stream, None where it was never written.

    `rows` are those inside the image; `places` are its bands among those that are read.
    """

    band: int
    places: slice
    row: int
    column: int
    rows: int
    columns: int
    samples: int
    size: int
    stream: bytes | None

    @property
    def fault(self) -> str:
        return (
            f"the checksum of the tile at row {self.row}, column {self.column} of band "
            f"{self.band} is wrong"
        )


def _tiles(
    dataset: rasterio.DatasetReader, bands: Sequence[int], window: Window
) -> Iterator[_Tile]:
    """The tiles of some bands under a window."""
    path, start = _locate(dataset)
    rows, columns = dataset.block_shapes[0]
    together = dataset.interleaving == Interleaving.pixel
    samples = dataset.count if together else 1
    places = [slice(None)] if together else [slice(at, at + 1) for at in range(len(bands))]
    first_row, last_row = window.row_off // rows, (window.row_off + window.height - 1) // rows
    first, last = window.col_off // columns, (window.col_off + window.width - 1) // columns
    size = rows * columns * samples * np.dtype(dataset.dtypes[0]).itemsize
    with Path(path).open("rb") as file:
        for band, place in zip(bands, places, strict=False):
            for row in range(int(first_row), int(last_row) + 1):
                for column in range(int(first), int(last) + 1):
                    offset, length = (
                        dataset.get_tag_item(f"BLOCK_{what}_{column}_{row}", "TIFF", bidx=band)
                        for what in ("OFFSET", "SIZE")
                    )
                    stream = None
                    if offset is not None and length is not None:
                        file.seek(start + int(offset))
                        stream = file.read(int(length))
                    yield _Tile(
                        band=band,
                        places=place,
                        row=row * rows,
                        column=column * columns,
                        rows=min(rows, dataset.height - row * rows),
                        columns=columns,
                        samples=samples,
                        size=size,
                        stream=stream,
                    )


def require_tags(path: Path) -> None:
    """Raise RasterioIOError where a tag of a TIFF's first image lies beyond the file's end.

    GDAL opens such a file without the tag: names, wavelengths and scales are gone, and its numbers
    are others.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        head = file.read(16)
        order = "<" if head[:2] == b"II" else ">"
        big = len(head) == 16 and struct.unpack(order + "H", head[2:4])[0] == 43
        # Classic files count in 4 bytes, big ones in 8 (TIFF 6.0, section 2; BigTIFF).
        word, width, counting = ("Q", 20, "Q") if big else ("I", 12, "H")
        (place,) = struct.unpack_from(order + word, head, 8 if big else 4)
        file.seek(place)
        told = file.read(struct.calcsize(counting))
        if len(told) < struct.calcsize(counting):
            raise RasterioIOError("its list of tags lies beyond its end")
        entries = file.read(struct.unpack(order + counting, told)[0] * width)
    for tag, kind, count, start in struct.iter_unpack(
        order + "HH" + word * 2, entries[: len(entries) // width * width]
    ):
        length = _TAG_BYTES.get(kind, 1) * count
        if length > struct.calcsize(word) and start + length > size:
            raise RasterioIOError(f"its tag {tag} lies beyond its end")


def _locate(dataset: rasterio.DatasetReader) -> tuple[str, int] | None:
    """The file that holds a dataset's deflated tiles, and where in it the dataset begins."""
    if dataset.driver not in ("GTiff", "COG") or dataset.compression != Compression.deflate:
        return None
    stretch = _STRETCH.fullmatch(dataset.name)
    if stretch:
        return stretch[2], int(stretch[1])
    return None if dataset.name.startswith("/vsi") or "://" in dataset.name else (dataset.name, 0)
