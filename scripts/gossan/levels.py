"""Rasters read small: from the coarsest of a file's images that is fine enough, its tiles checked.

GDAL chooses an overview by itself and leaves the checksums of its tiles unread. Masks stored as
images of their own are not checked, for GDAL does not tell where their tiles lie.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling

from gossan.raster import decode, open_image, opened, read_info, verify_dataset


def shape_within(shape: Sequence[int], longest_px: int) -> tuple[int, int]:
    """Rows and columns of a raster made so small that no side has more than `longest_px` pixels."""
    step = max(1.0, max(shape) / longest_px)
    rows, columns = (max(1, round(side / step)) for side in shape)
    return rows, columns


@contextmanager
def opened_level(
    path: str | Path, indexes: Sequence[int], shape: tuple[int, int]
) -> Iterator[rasterio.DatasetReader]:
    """The smallest image of a raster that has at least `shape` (rows, columns) pixels.

    That is an overview, or else the raster itself, as a dataset without further overviews, in which
    the tiles of the bands `indexes` (from 1) are whole. Overviews in another file are left alone.
    Raises InputError for a file that is damaged there, or cannot be read.
    """
    with opened(path) as full, ExitStack() as stack:
        # Where a tile of another file lies, GDAL does not tell.
        beside = any(name.lower().endswith(".ovr") for name in full.files)
        levels = [] if beside else range(len(full.overviews(indexes[0])))
        # Overviews stand in any order, and their factors are those of columns, rounded.
        whole, *smaller = [
            stack.enter_context(open_image(full, level)) for level in (None, *levels)
        ]
        fine = [image for image in smaller if image.height >= shape[0] and image.width >= shape[1]]
        image = min(fine or [whole], key=lambda image: image.height * image.width)
        verify_dataset(path, image, indexes)
        yield image


def read_reduced(
    path: str | Path, places: Sequence[int], shape: tuple[int, int], resampling: Resampling
) -> np.ndarray:
    """Bands of a raster, by their places, at `shape` (rows, columns) pixels.

    Returns physical values (bands, rows, columns) as float32, NaN for nodata. Raises InputError as
    `opened_level` and `read_info` do.
    """
    info = read_info(path)
    indexes = [place + 1 for place in places]
    with opened_level(path, indexes, shape) as image:
        stored = image.read(
            indexes, out_shape=(len(indexes), *shape), masked=True, resampling=resampling
        )
    return decode(stored, info)
