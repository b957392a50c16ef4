"""Spatial blocks: where a pixel's block is, and bootstraps of whole blocks.

Neighbouring pixels are alike, so they are no independent tests. Every interval of this program
(`intervals`) therefore redraws whole square blocks of the scene (Efron 1979, Annals of Statistics
7, 1-26; blocks as in Hall 1985, Stochastic Processes and their Applications 20, 231-246), and it
does so here and nowhere else.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gossan.errors import InputError

MINIMUM_BLOCKS = 5
"""Fewest spatial blocks that a value must rest on before an interval is stated.

The spread among fewer blocks says too little of that among all.
"""

KEPT_DRAWS = 16_000_000
"""Draws up to this many are kept, because one scene's maps all need the same: 32 MB of them."""

_DRAWN_AT_ONCE = 4_000_000


# ---- where the blocks are --------------------------------------------------------------------


@dataclass(frozen=True)
class BlockWindow:
    """Where the pixels of a window of the scene lie among the spatial blocks.

    `number` (rows, columns) numbers the blocks that the window touches, row by row, from 0;
    `shape` is how many of them there are in each direction; `slices` finds them in an array of
    all blocks of the scene (block rows, block columns, ...). A block that the window's edge cuts
    is completed by adding what the next window counts.
    """

    number: np.ndarray
    shape: tuple[int, int]
    slices: tuple[slice, slice]

    @property
    def count(self) -> int:
        """How many blocks the window touches."""
        return self.shape[0] * self.shape[1]


@dataclass(frozen=True)
class SpatialBlocks:
    """Square blocks of `side_px` pixels over a grid of `shape` (rows, columns) pixels.

    They are counted row by row from the grid's upper left corner; those at the right and lower
    edge may be cut. Raises InputError for a side of less than one pixel.
    """

    shape: tuple[int, int]
    side_px: int

    def __post_init__(self) -> None:
        """Refuse blocks without a pixel."""
        require_least("spatial-block-px", self.side_px, 1)

    @property
    def counts(self) -> tuple[int, int]:
        """Rows and columns of blocks."""
        rows, columns = self.shape
        return -(-rows // self.side_px), -(-columns // self.side_px)

    def number(self, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """The number of the block that each pixel of the grid lies in."""
        block_row, block_column = self.cell(row, column)
        return block_row * self.counts[1] + block_column

    def cell(self, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row and column, among the blocks, of the block that each pixel lies in."""
        return block_cells(row, column, self.side_px)

    def nearest(self, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `cell`, but the block at the edge for a pixel beyond the grid."""
        last_row, last_column = (count - 1 for count in self.counts)
        block_row, block_column = self.cell(row, column)
        return np.clip(block_row, 0, last_row), np.clip(block_column, 0, last_column)

    def window(self, shape: tuple[int, int], row: int, column: int) -> BlockWindow:
        """The blocks of a window of `shape` pixels whose first pixel is at `row`, `column`."""
        rows, columns = self.cell(np.arange(shape[0]) + row, np.arange(shape[1]) + column)
        size = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
        return BlockWindow(
            number=(rows - rows[0])[:, None] * size[1] + (columns - columns[0]),
            shape=size,
            slices=(
                slice(int(rows[0]), int(rows[0]) + size[0]),
                slice(int(columns[0]), int(columns[0]) + size[1]),
            ),
        )


def block_cells(row: np.ndarray, column: np.ndarray, side_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of the block that each pixel lies in; negative ones before the grid."""
    return row // side_px, column // side_px


def gather(numbers: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sum `values` (n, ...) by block `numbers` (n,): (blocks, ...), blocks in order of number.

    Blocks without any of the n have no row.
    """
    used, place = np.unique(numbers, return_inverse=True)
    sums = np.zeros((len(used), *values.shape[1:]), values.dtype)
    np.add.at(sums, place, values)
    return sums


# ---- the bootstrap ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made: side of a spatial block, number of samples, seed.

    Raises InputError for numbers that make none.
    """

    spatial_block_px: int
    replicates: int
    seed: int

    def __post_init__(self) -> None:
        """Refuse numbers that make no interval."""
        require_least("spatial-block-px", self.spatial_block_px, 1)
        require_least("bootstrap", self.replicates, 100)
        require_least("seed", self.seed, 0)

    def over(self, shape: tuple[int, int]) -> SpatialBlocks:
        """The blocks over a grid of `shape` (rows, columns)."""
        return SpatialBlocks(shape, self.spatial_block_px)

    def resample(self, counts: np.ndarray) -> np.ndarray:
        """`resample` with this bootstrap's number of samples and seed."""
        return resample(counts, self.replicates, self.seed)


def require_least(name: str, number: int, least: int) -> None:
    """Raise InputError, naming the option, for a number below the `least`."""
    if number < least:
        raise InputError(f"{name}: {number} is too small; give at least {least}")


def resample(counts: np.ndarray, replicates: int, seed: int) -> np.ndarray:
    """Sums over `replicates` bootstrap samples of whole spatial blocks, (replicates, ...) float64.

    `counts` (blocks, ...) is what each block holds. Each sample draws as many blocks as there are,
    with replacement. Of whole numbers the sums are exact, so the result does not depend on the
    order of summation or on threads. The same number of blocks and seed draw the same blocks, so
    results of several maps of one scene can be compared sample by sample.
    """
    flat = counts.reshape(len(counts), -1)
    used = np.flatnonzero(flat.any(axis=0))
    held = flat[:, used].astype(np.float64)
    totals = np.zeros((replicates, flat.shape[1]))
    for start, drawn in draw_blocks(len(counts), replicates, seed):
        totals[start : start + len(drawn), used] = drawn.astype(np.float64) @ held
    return totals.reshape(replicates, *counts.shape[1:])


def draw_blocks(n: int, replicates: int, seed: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first sample, how often each sample draws each of n blocks: (samples, n)).

    The same numbers of blocks, samples and seed give the same draws.
    """
    if n * replicates <= KEPT_DRAWS:
        yield 0, _keep_draws(n, replicates, seed)
        return
    yield from _draw(n, replicates, seed)


@lru_cache(maxsize=2)
def _keep_draws(n: int, replicates: int, seed: int) -> np.ndarray:
    drawn = np.empty((replicates, n), np.uint16 if n < 2**16 else np.uint32)
    for start, part in _draw(n, replicates, seed):
        drawn[start : start + len(part)] = part
    drawn.setflags(write=False)
    return drawn


def _draw(n: int, replicates: int, seed: int) -> Iterator[tuple[int, np.ndarray]]:
    generator = np.random.default_rng(seed)
    step = max(1, _DRAWN_AT_ONCE // n)
    for start in range(0, replicates, step):
        size = min(step, replicates - start)
        yield start, generator.multinomial(n, np.full(n, 1 / n), size=size)


def rounded(value: float) -> float | None:
    """A float of six decimals, or None where it is undefined."""
    value = float(value)
    return round(value, 6) if np.isfinite(value) else None
