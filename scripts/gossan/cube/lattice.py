"""An even sample of a scene: the pixels where a square lattice of lines crosses."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from gossan.raster import iter_blocks, read_info

MOST_PIXELS = 100_000


def read_lattice(
    rasters: Sequence[Path],
    most: int = MOST_PIXELS,
    *,
    scaled: bool = True,
    block_px: int = 512,
    threads: int = 1,
) -> list[np.ndarray]:
    """Every k-th pixel of every k-th row of rasters on one grid, by rows: (n, bands) of each.

    k is the smallest that keeps n at `most` or fewer. Neither blocks nor threads change what comes
    out; NaN is nodata. `scaled` and errors are those of `raster.iter_blocks`.
    """
    grid = read_info(rasters[0]).grid
    step = max(1, math.ceil(math.sqrt(grid.width * grid.height / most)))

    def pick(window: Window, *blocks: np.ndarray) -> tuple[np.ndarray, ...]:
        rows = np.arange(-window.row_off % step, window.height, step)
        columns = np.arange(-window.col_off % step, window.width, step)
        at = np.ix_(rows, columns)
        row, column = np.meshgrid(rows + window.row_off, columns + window.col_off, indexing="ij")
        place = (row * grid.width + column).ravel()
        return place, *(block[:, *at].reshape(len(block), -1).T.copy() for block in blocks)

    parts = [
        found
        for _, found in iter_blocks(
            pick,
            [lambda window: window, *rasters],
            grid=grid,
            block_px=block_px,
            threads=threads,
            scaled=scaled,
            progress="sample",
        )
    ]
    place, *values = (np.concatenate(own) for own in zip(*parts, strict=True))
    order = np.argsort(place)
    return [own[order] for own in values]
