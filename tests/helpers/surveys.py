"""Passes over an array, block by block, as corrections ask for them."""

import functools
import random
from collections.abc import Callable

import numpy as np


def survey_blocks(
    values: np.ndarray,
    kept: np.ndarray | None = None,
    block: tuple[int, int] = (16, 16),
    shuffle: bool = False,
) -> Callable:
    """A survey of (bands, rows, columns) in blocks of (rows, columns), merged in any order.

    `kept` is where all bands are finite unless given.
    """
    if kept is None:
        kept = np.isfinite(values).all(axis=0)
    rows, columns = block
    places = [
        (slice(row, row + rows), slice(column, column + columns))
        for row in range(0, values.shape[1], rows)
        for column in range(0, values.shape[2], columns)
    ]
    if shuffle:
        random.Random(1).shuffle(places)

    def survey(collect: Callable, merge: Callable) -> object:
        return functools.reduce(
            merge, (collect(values[:, *place].copy(), kept[place]) for place in places)
        )

    return survey
