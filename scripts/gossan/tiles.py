"""Tiles of GeoTIFFs as DEFLATE carries them: packed with a predictor, and unpacked and checked.

A deflated stream ends in a checksum (RFC 1950), which is compared here. Predictors are those of
TIFF 6.0 (section 14: differences along a row) and of Adobe's third technical note (floating point:
bytes of equal weight side by side, then differences).
"""

import zlib
from collections.abc import Sequence

import deflate
import numpy as np
from isal import isal_zlib

# Of ISA-L's levels, 0 to 2 give the same bytes on processors with SSE, AVX2 and AVX-512, and 3
# does not. It packs three times as fast as libdeflate, which unpacks faster.
LEVEL = 1
PLAIN, DIFFERENCES, FLOATING_POINT = 1, 2, 3
# From so many samples on, columns of all samples are added up faster than samples one by one.
MANY_SAMPLES = 16


class DamagedStreamError(ValueError):
    """A stream that cannot be unpacked, ends early, or does not agree with its checksum."""


def pack(values: np.ndarray, predictor: int) -> bytes:
    """(bands, rows, columns) as the stream of one tile whose pixels have all bands side by side."""
    # Turned at once, so that all that follows goes along the memory.
    pixels = np.ascontiguousarray(np.moveaxis(values, 0, -1))
    rows, columns, bands = pixels.shape
    if predictor == FLOATING_POINT:
        size = pixels.itemsize
        numbers = pixels.view(np.uint8).reshape(rows, columns * bands, size)
        planes = np.empty((rows, size, columns * bands), np.uint8)
        for weight in range(size):
            planes[:, weight] = numbers[:, :, size - 1 - weight]
        pixels = planes.reshape(rows, -1, bands)
    if predictor != PLAIN:
        differences = np.empty(pixels.shape, pixels.dtype)
        differences[:, 0] = pixels[:, 0]
        np.subtract(pixels[:, 1:], pixels[:, :-1], out=differences[:, 1:])
        pixels = differences
    return isal_zlib.compress(np.ascontiguousarray(pixels), LEVEL)


def unpack(stream: bytes, size: int) -> bytearray:
    """The content of a stream, of `size` bytes or more; DamagedStreamError where it is not whole.

    Some writers put more into a stream than a tile takes: up to 16 times as much is looked at.
    """
    try:
        return deflate.zlib_decompress(stream, size)
    except deflate.DeflateError:
        pass
    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(stream, 16 * size)
    except zlib.error as error:
        raise DamagedStreamError("it cannot be unpacked") from error
    if not unpacking.eof:
        raise DamagedStreamError("it ends early, or late")
    return bytearray(content)


def restore(
    content: bytearray,
    predictor: int,
    shape: tuple[int, int],
    samples: Sequence[int],
    corner: tuple[int, int],
    out: np.ndarray,
) -> None:
    """Copy some samples (places from 0) of a part of a tile to `out` (samples, rows, columns).

    `shape` is (columns, samples) of a row of the tile, `corner` the row and column of the tile at
    which the part begins. The content is used up. Raises DamagedStreamError where it is too short.
    """
    columns, all_samples = shape
    (top, left), (bottom, right) = corner, np.add(corner, out.shape[1:])
    row_bytes = columns * all_samples * out.itemsize
    if len(content) < bottom * row_bytes:
        raise DamagedStreamError(
            f"it holds {len(content)} bytes where {bottom * row_bytes} are due"
        )
    rows = np.frombuffer(content, np.uint8, (bottom - top) * row_bytes, top * row_bytes)
    rows = rows.reshape(bottom - top, row_bytes)
    if predictor == FLOATING_POINT:
        differences = rows.reshape(bottom - top, -1, all_samples)
        np.cumsum(differences, axis=1, dtype=np.uint8, out=differences)
        planes = rows.reshape(bottom - top, out.itemsize, -1)[:, ::-1]
        rows = np.ascontiguousarray(planes.transpose(0, 2, 1)).reshape(rows.shape)
    kind = np.dtype(f"u{out.itemsize}")
    pixels = rows.view(kind).reshape(bottom - top, columns, all_samples)[:, :right]
    target = out.view(kind)
    summed = predictor == DIFFERENCES
    if summed and len(samples) < MANY_SAMPLES:
        for place, sample in enumerate(samples):
            if left == 0:
                np.cumsum(pixels[:, :, sample], axis=1, dtype=kind, out=target[place])
            else:
                target[place] = np.cumsum(pixels[:, :, sample], axis=1, dtype=kind)[:, left:]
        return
    for column in range(1, right) if summed else ():
        pixels[:, column] += pixels[:, column - 1]
    pixels = pixels[:, left:]
    if list(samples) != list(range(all_samples)):
        pixels = pixels[:, :, samples]
    if len(samples) < MANY_SAMPLES:
        target[...] = np.moveaxis(pixels, -1, 0)
        return
    # Row by row, which the processor's cache holds while it is turned.
    for row, content in enumerate(pixels):
        target[:, row] = content.T
