"""Cloud-optimised GeoTIFFs from blocks: tiles packed by the threads that made them, then laid out.

The layout is that of GDAL's COG driver: all lists of tags first, then the tiles of the coarsest
overview, at last those of the full image, row by row, each between its length and its last bytes.
The tags are those of an empty file that GDAL has written.
"""

import errno
import os
import struct
import sys
import threading
from pathlib import Path

import numpy as np

from gossan.tiles import PLAIN, pack

_PROMISES = (
    b"LAYOUT=IFDS_BEFORE_DATA\nBLOCK_ORDER=ROW_MAJOR\nBLOCK_LEADER=SIZE_AS_UINT4\n"
    b"BLOCK_TRAILER=LAST_4_BYTES_REPEATED\nKNOWN_INCOMPATIBLE_EDITION=NO\n "
)
_GHOST = b"GDAL_STRUCTURAL_METADATA_SIZE=%06d bytes\n" % len(_PROMISES) + _PROMISES
# Tags (TIFF 6.0) of which each image has its own, and those of the full image alone: its place on
# the ground (GeoTIFF), and GDAL's names, scales and units.
_SUBFILE, _WIDTH, _HEIGHT, _OFFSETS, _LENGTHS = 254, 256, 257, 324, 325
_FULL_ONLY = {33550, 33922, 34264, 34735, 34736, 34737, 42112}
_LONG, _LONG8 = 4, 16
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
# What counts in 32 bits, with room for tags.
_MOST_CLASSIC = 2**32 - 2**24

Tags = dict[int, tuple[int, int, bytes]]


class TiledImage:
    """The tiles of an image and its overviews, which wait in a spool for their places in a file.

    Blocks go into `add`, from any thread. Each tile leaves a quarter of itself for the next level,
    and the last of four puts them together and packs that, too: no overview waits for the others.
    """

    def __init__(
        self,
        spool: Path,
        shape: tuple[int, int, int],
        dtype: str,
        tile_px: int,
        *,
        nodata: float,
        predictor: int = PLAIN,
        mode: bool = False,
    ):
        """Begin an image (bands, rows, columns) of square tiles; `spool` is the file to make.

        Pixels of overviews are means of four, or with `mode` the most frequent of them.
        """
        self.tile_px = tile_px
        bands, rows, columns = shape
        levels = 1
        while tile_px << (levels - 1) < max(rows, columns):
            levels += 1
        self.shapes = [(-(-rows >> level), -(-columns >> level)) for level in range(levels)]
        self._dtype, self._bands = np.dtype(dtype), bands
        self._nodata, self._predictor, self._mode = nodata, predictor, mode
        # Offset and length in the spool of each tile, and offsets of what they leave for the next.
        self._tiles = [
            np.zeros((2, -(-rows // tile_px), -(-columns // tile_px)), np.int64)
            for rows, columns in self.shapes
        ]
        self._halves = [np.zeros(tiles.shape[1:], np.int64) for tiles in self._tiles]
        self._missing = [_count_parts(tiles.shape[1:]) for tiles in self._tiles]
        self._spool = spool.open("w+b", buffering=0)
        self._end = 0
        self._lock = threading.Lock()

    def __enter__(self) -> "TiledImage":
        """The image itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the spool."""
        self._spool.close()

    def add(self, row: int, column: int, block: np.ndarray) -> None:
        """Pack the tiles of a block (bands, rows, columns) that begins at this pixel.

        It begins where a tile does, and ends where one does or the image.
        """
        size = self.tile_px
        for top in range(0, block.shape[1], size):
            for left in range(0, block.shape[2], size):
                tile = block[:, top : top + size, left : left + size]
                if tile.shape[1:] != (size, size):
                    part = tile
                    tile = np.full((self._bands, size, size), self._nodata, self._dtype)
                    tile[:, : part.shape[1], : part.shape[2]] = part
                self._add_tile((row + top) // size, (column + left) // size, tile)

    def _add_tile(self, row: int, column: int, tile: np.ndarray) -> None:
        """Pack a tile, and those of overviews of which it is the last part."""
        for level in range(len(self.shapes)):
            stream = pack(tile, self._predictor)
            self._tiles[level][:, row, column] = self._keep(stream), len(stream)
            if level + 1 == len(self.shapes):
                return
            self._halves[level][row, column] = self._keep(halve(tile, self._nodata, self._mode))
            row, column = row // 2, column // 2
            with self._lock:
                self._missing[level][row, column] -= 1
                if self._missing[level][row, column]:
                    return
            tile = self._join(level, row, column)

    def _join(self, level: int, row: int, column: int) -> np.ndarray:
        """The tile of an overview of what the tiles of the level below have left for it."""
        half = self.tile_px // 2
        tile = np.full((self._bands, 2 * half, 2 * half), self._nodata, self._dtype)
        parts = self._halves[level][2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        for (down, right), start in np.ndenumerate(parts):
            content = self._take(int(start), tile.nbytes // 4)
            target = tile[:, down * half :, right * half :][:, :half, :half]
            target[...] = np.frombuffer(content, self._dtype).reshape(target.shape)
        return tile

    def write(self, path: Path, template: Path) -> None:
        """Write the file, with the tags of a tiled GeoTIFF that has no numbers.

        Raises OSError for what the disk forbids.
        """
        told = _read_tags(template)
        lengths = [tiles[1].ravel() for tiles in self._tiles]
        # Each between its length, in 4 bytes, and its last 4 bytes once more.
        total = int(sum(length.sum() + 8 * length.size for length in lengths))
        big = total > _MOST_CLASSIC
        kind, form = (_LONG8, "<u8") if big else (_LONG, "<u4")
        images = []
        for level, (rows, columns) in enumerate(self.shapes):
            tags = dict(told)
            if level > 0:
                tags = {tag: value for tag, value in told.items() if tag not in _FULL_ONLY}
                tags[_SUBFILE] = _LONG, 1, struct.pack("<I", 1)
            tags[_WIDTH] = _LONG, 1, struct.pack("<I", columns)
            tags[_HEIGHT] = _LONG, 1, struct.pack("<I", rows)
            tags[_LENGTHS] = _LONG, lengths[level].size, lengths[level].astype("<u4").tobytes()
            tags[_OFFSETS] = (
                kind,
                lengths[level].size,
                bytes(lengths[level].size * np.dtype(form).itemsize),
            )
            images.append(tags)
        place = len(_lay_out(images, big))
        for level in reversed(range(len(images))):
            ends = place + np.cumsum(lengths[level] + 8)
            offsets = ends - lengths[level] - 4
            images[level][_OFFSETS] = kind, offsets.size, offsets.astype(form).tobytes()
            place = int(ends[-1])
        with path.open("wb", buffering=2**20) as file:
            file.write(_lay_out(images, big))
            for tiles in reversed(self._tiles):
                for offset, length in tiles.reshape(2, -1).T.tolist():
                    stream = self._take(offset, length)
                    file.write(struct.pack("<I", length) + stream + stream[-4:])

    def _keep(self, content: bytes | np.ndarray) -> int:
        """Put content into the spool; where it begins there."""
        view = memoryview(content).cast("B")
        with self._lock:
            start = self._end
            self._end += len(view)
        done = 0
        while done < len(view):
            done += os.pwrite(self._spool.fileno(), view[done:], start + done)
        return start

    def _take(self, start: int, size: int) -> bytes:
        content = os.pread(self._spool.fileno(), size, start)
        if len(content) < size:
            raise OSError(errno.EIO, os.strerror(errno.EIO), self._spool.name)
        return content


def _count_parts(tiles: tuple[int, int]) -> np.ndarray:
    """How many tiles, of so many rows and columns of them, each tile of the next level has."""
    rows, columns = (np.minimum(2, side - np.arange(0, side, 2)) for side in tiles)
    return np.multiply.outer(rows, columns)


def halve(tile: np.ndarray, nodata: float, mode: bool) -> np.ndarray:
    """Each 2 x 2 pixels of (bands, rows, columns) as one, without those that are nodata.

    Their mean, halves rounded up for integers; or with `mode` the value that, row by row, is first
    as frequent as any.
    """
    halved = np.empty((len(tile), tile.shape[1] // 2, tile.shape[2] // 2), tile.dtype)
    # Band by band, which takes little memory, and that in the processor's caches.
    for band, values in enumerate(tile):
        halved[band] = (_most_frequent if mode else _mean)(values, nodata)
    return halved


def _mean(values: np.ndarray, nodata: float) -> np.ndarray:
    quarters = _quarters(values)
    whole = values.dtype.kind in "iu"
    kind = np.dtype(np.int64 if values.dtype.itemsize > 2 else np.int32) if whole else values.dtype
    empty = _is_empty(values, nodata)
    if not empty.any():
        total = np.add(*quarters[:2], dtype=kind)
        for quarter in quarters[2:]:
            total += quarter
        return (total + 2) >> 2 if whole else total * kind.type(0.25)
    known = _quarters(~empty)
    count = np.add.reduce(known, axis=0, dtype=kind)
    total = np.add.reduce(np.where(known, quarters, 0), axis=0, dtype=kind)
    some = np.maximum(count, 1)
    mean = (2 * total + some) // (2 * some) if whole else total / some
    return np.where(count == 0, nodata, mean)


def _quarters(values: np.ndarray) -> list[np.ndarray]:
    """Upper left, upper right, lower left and lower right of each 2 x 2 pixels."""
    size = values.itemsize
    if size > 4 or sys.byteorder != "little":
        return [np.ascontiguousarray(values[row::2, at::2]) for row in (0, 1) for at in (0, 1)]
    # Two pixels as one number are taken apart by instructions for many numbers at once.
    two = values.view(f"u{2 * size}")
    halves = [half for row in (0, 1) for half in (two[row::2], two[row::2] >> (8 * size))]
    return [half.astype(f"u{size}").view(values.dtype) for half in halves]


def _most_frequent(values: np.ndarray, nodata: float) -> np.ndarray:
    a, b, c, d = _quarters(values)
    empty = _is_empty(values, nodata)
    if not empty.any():
        result = np.where((d == b) | (d == c), d, a)
        result = np.where(b == c, b, result)
        return np.where((a == b) | (a == c), a, result)
    first, second, third, fourth = _quarters(~empty)
    result = np.where(third, c, d)
    result = np.where(second, b, result)
    result = np.where(first, a, result)
    result = np.where(fourth & ((d == a) | (d == b) | (d == c)), d, result)
    result = np.where(second & (b == c), b, result)
    return np.where(first & ((a == b) | (a == c)), a, result)


def _is_empty(values: np.ndarray, nodata: float) -> np.ndarray:
    return np.isnan(values) if np.isnan(nodata) else values == nodata


def _read_tags(path: Path) -> Tags:
    """Kind, count and value of each tag of a classic little-endian TIFF's first image."""
    content = path.read_bytes()
    try:
        if content[:4] != b"II*\0":
            raise struct.error("not a classic TIFF")
        (start,) = struct.unpack_from("<I", content, 4)
        (count,) = struct.unpack_from("<H", content, start)
        tags = {}
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, number = struct.unpack_from("<HHI", content, entry)
            size = _BYTES[kind] * number
            (place,) = struct.unpack_from("<I", content, entry + 8) if size > 4 else (entry + 8,)
            tags[tag] = kind, number, content[place : place + size]
            if len(tags[tag][2]) < size:
                raise struct.error("cut short")
    except struct.error as error:
        # GDAL wrote it, and keeps silent on a full disk.
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path)) from error
    return tags


def _lay_out(images: list[Tags], big: bool) -> bytes:
    """The head of a file: what GDAL may rely on, and the tags of its images."""
    word, counting = ("<Q", "<Q") if big else ("<I", "<H")
    width = struct.calcsize(word)
    first = -(-(2 * width + len(_GHOST)) // 8) * 8
    head = struct.pack("<HHHQ", 43, 8, 0, first) if big else struct.pack("<HI", 42, first)
    content = bytearray((b"II" + head + _GHOST).ljust(first, b"\0"))
    for number, tags in enumerate(images):
        beside = len(content) + struct.calcsize(counting) + (4 + 2 * width) * len(tags) + width
        entries, values = b"", b""
        for tag, (kind, count, value) in sorted(tags.items()):
            field = value.ljust(width, b"\0")
            if len(value) > width:
                field = struct.pack(word, beside + len(values))
                values += value + bytes(-len(value) % 8)
            entries += struct.pack("<HH", tag, kind) + struct.pack(word, count) + field
        values += bytes(-(beside + len(values)) % 8)
        following = 0 if number + 1 == len(images) else beside + len(values)
        content += struct.pack(counting, len(tags)) + entries + struct.pack(word, following)
        content += values
    return bytes(content)
