"""The maps of all methods on one grid, read block by block, and a sample of what they say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.raster import Grid, iter_blocks, read_info
from gossan.targets.agreement import Answer, Opinion, grid_in_metres
from gossan.targets.favourability import SAMPLE, chosen_pixels
from gossan.targets.favourable_ground import UNKNOWN, FavourableGround
from gossan.targets.on_grid import OnGrid


@dataclass(frozen=True, eq=False)
class Sample:
    """What maps say of pixels that are spread evenly over the scene, by row and column.

    `row`, `column` (n,); `answers` of each map, with arrays (n,); `ground` (n,) int8 as
    FavourableGround reads it, UNKNOWN without a truth.
    """

    row: np.ndarray
    column: np.ndarray
    answers: tuple[Answer, ...]
    ground: np.ndarray


@dataclass(frozen=True, eq=False)
class Voices:
    """Maps on one grid: `opinions` and the readers of each one's rasters."""

    opinions: tuple[Opinion, ...]
    readers: tuple[tuple[OnGrid, ...], ...]
    grid: Grid

    @classmethod
    def open(cls, opinions: Sequence[Opinion]) -> "Voices":
        """On the grid of the first map, in metres. Raises InputError as OnGrid does."""
        first = opinions[0].paths[0]
        grid = grid_in_metres(read_info(first).grid, str(first))
        readers = tuple(tuple(opinion.sources(grid)) for opinion in opinions)
        for opinion, own in zip(opinions, readers, strict=True):
            opinion.require(own)
        return cls(tuple(opinions), readers, grid)

    @property
    def titles(self) -> list[str]:
        """The method of each map."""
        return [opinion.title for opinion in self.opinions]

    @property
    def methods(self) -> list[str]:
        """Each method once, in the order of its first map."""
        return list(dict.fromkeys(self.titles))

    @property
    def sources(self) -> list:
        """What `iter_blocks` reads: all rasters."""
        return [reader.read for own in self.readers for reader in own]

    def judge(self, blocks: Sequence[np.ndarray], held_out: bool = False) -> list[Answer]:
        """What each map says of a block of its rasters, as of `Opinion.judge`."""
        rest = list(blocks)
        answers = []
        for opinion, own in zip(self.opinions, self.readers, strict=True):
            bands = own[-1].info.bands.names
            answers.append(opinion.judge(rest[: len(own)], bands, held_out))
            del rest[: len(own)]
        return answers

    def sample(
        self, ground: FavourableGround | None, seed: int, *, block_px: int, threads: int
    ) -> Sample:
        """Draw pixels and ask maps and truth; the same for whatever blocks and threads.

        The answers are held out, for the truth may have taught the maps.
        """
        share = SAMPLE / (self.grid.width * self.grid.height)

        def draw(window: Window, *blocks: np.ndarray) -> tuple:
            place = int(window.row_off), int(window.col_off)
            shape = int(window.height), int(window.width)
            row, column = np.nonzero(chosen_pixels(shape, *place, share, seed))
            said = self.judge(blocks, held_out=True)
            answers = [Answer(*(part[row, column] for part in item)) for item in said]
            if ground is None:
                truth = np.full(len(row), UNKNOWN, np.int8)
            else:
                truth = ground.read(window)[row, column]
            return row + place[0], column + place[1], answers, truth

        sources = [lambda window: window, *self.sources]
        options = {"grid": self.grid, "block_px": block_px, "threads": threads}
        found = [part for _, part in iter_blocks(draw, sources, progress="sample", **options)]
        row, column, truth = (_join(part[place] for part in found) for place in (0, 1, 3))
        order = np.lexsort((column, row))
        answers = tuple(
            Answer(*(_join(part[2][number][field] for part in found)[order] for field in range(4)))
            for number in range(len(self.opinions))
        )
        return Sample(row[order], column[order], answers, truth[order])


def _join(parts: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate(list(parts))


def require_one_title(opinions: Sequence[Opinion]) -> None:
    """Raise InputError where a map is given twice."""
    seen = [(opinion.title, opinion.paths) for opinion in opinions]
    for title, paths in seen:
        if seen.count((title, paths)) > 1:
            raise InputError(f"map {title}: {paths[0].name} is given twice; leave one out")
