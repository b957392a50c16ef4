"""Checksums that files carry and GDAL leaves unread: the Adler-32 of a GeoTIFF's deflated tiles.

A deflated stream ends in a checksum (RFC 1950). The TIFF library stops as soon as a tile is full,
so that a flipped bit is mostly found as a stream that cannot be unpacked, but one in twelve gives
other numbers and no error. HDF5, PNG and LERC check their own.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Compression, Interleaving
from rasterio.errors import RasterioIOError
from rasterio.windows import Window

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

    Raises DamagedTileError, a RasterioError, where one is not, beside what reading raises.
    """
    verify_tiles(dataset, indexes, window)
    return dataset.read(indexes, window=window)


def verify_tiles(
    dataset: rasterio.DatasetReader,
    indexes: int | Sequence[int] | None = None,
    window: Window | None = None,
) -> None:
    """Raise DamagedTileError where the checksum of a deflated tile under a window is wrong.

    Only of GeoTIFFs on disk or stored in an archive; other files have no such tiles, or are
    checked by what reads them.
    """
    place = _locate(dataset)
    if place is None:
        return
    bands = dataset.indexes if indexes is None else np.atleast_1d(indexes).tolist()
    if dataset.interleaving == Interleaving.pixel:
        bands = bands[:1]
    window = window or Window(0, 0, dataset.width, dataset.height)
    rows, columns = dataset.block_shapes[0]
    first_row, last_row = window.row_off // rows, (window.row_off + window.height - 1) // rows
    first, last = window.col_off // columns, (window.col_off + window.width - 1) // columns
    most = rows * columns * dataset.count * 16
    path, start = place
    with Path(path).open("rb") as file:
        for band in bands:
            for row in range(int(first_row), int(last_row) + 1):
                for column in range(int(first), int(last) + 1):
                    where = f"{column}_{row}"
                    offset = dataset.get_tag_item(f"BLOCK_OFFSET_{where}", "TIFF", bidx=band)
                    size = dataset.get_tag_item(f"BLOCK_SIZE_{where}", "TIFF", bidx=band)
                    # A tile that was never written has neither.
                    if offset is None or size is None:
                        continue
                    file.seek(start + int(offset))
                    if not _is_whole(file.read(int(size)), most):
                        raise DamagedTileError(
                            f"the checksum of the tile at row {row * rows}, column "
                            f"{column * columns} of band {band} is wrong"
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


def _is_whole(packed: bytes, most: int) -> bool:
    """Whether a stream unpacks, to `most` bytes at most, and its checksum is right."""
    stream = zlib.decompressobj()
    try:
        stream.decompress(packed, most + 1)
    except zlib.error:
        return False
    return stream.eof
