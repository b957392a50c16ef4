"""What lies on targets: the pixel for their point, the methods in favour, and what dominates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from rasterio.windows import Window

from gossan.checksums import read_verified
from gossan.errors import InputError
from gossan.legend import NODATA, read_classes
from gossan.raster import Grid, opened, read_info
from gossan.targets.on_grid import OnGrid
from gossan.zones.confidence import HIGH, MEDIUM

BANDS_OF_ALL = 3
"""Bands of a raster of support that are of all methods; a band per method follows, its vote."""


@dataclass(frozen=True)
class Kind:
    """What may dominate on a target: a mineral or zone, and the codes of its raster that say so."""

    label: str
    path: Path
    codes: tuple[int, ...]

    def holds(self, block: np.ndarray) -> np.ndarray:
        """Where half of the bands with data or more have its codes, (rows, columns) bool.

        `block` (bands, rows, columns) uint8 is of its raster.
        """
        known = block != NODATA
        said = np.isin(block, self.codes) & known
        bands = known.sum(axis=0)
        return (bands > 0) & (2 * said.sum(axis=0) >= bands)


def classes_of(path: Path, table: Path) -> list[Kind]:
    """The classes of a class map, by the labels of their table."""
    return [Kind(item.label, path, (item.code,)) for item in read_classes(table)]


def zones_of(confidence: Mapping[str, Path]) -> list[Kind]:
    """Zones by the rasters of their confidence, which is medium or high where a zone lies."""
    return [Kind(name, path, (MEDIUM, HIGH)) for name, path in confidence.items()]


class GroundReader:
    """Reads the votes of methods and what may dominate, on a grid. Threads may read at once."""

    def __init__(self, support: Path | None, kinds: Sequence[Kind], grid: Grid):
        """Read the headers.

        Raises InputError for a raster of support that lies on another grid or has no band per
        method, and as `OnGrid` does.
        """
        self.methods: tuple[str, ...] = ()
        self.kinds = kinds
        self._support = support
        if support is not None:
            info = read_info(support)
            grid.require_same(info.grid, str(support))
            self.methods = info.bands.names[BANDS_OF_ALL:]
            if not self.methods:
                raise InputError(f"{support}: has no vote of a method; give support.tif")
        paths = dict.fromkeys(kind.path for kind in kinds)
        self._rasters = {path: OnGrid(path, grid) for path in paths}

    def read(self, window: Window) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Votes of each method (1, 0, NaN without answer) and where each kind lies (bool)."""
        votes = []
        if self._support is not None:
            with opened(self._support) as source:
                votes = list(read_verified(source, window=window)[BANDS_OF_ALL:])
        codes = {path: raster.read(window) for path, raster in self._rasters.items()}
        return votes, [kind.holds(codes[kind.path]) for kind in self.kinds]


def look_at_block(
    ranks: np.ndarray,
    window: Window,
    width: int,
    centres: np.ndarray,
    votes: Sequence[np.ndarray],
    kinds: Sequence[np.ndarray],
) -> tuple[np.ndarray, ...]:
    """What a block holds of each of n targets: the arguments of `TargetGround.add`.

    `ranks` (rows, columns) are 1 to n, 0 for none; `centres` (n, 2) columns and rows over the
    scene, which is `width` pixels wide; `votes` and `kinds` are as of `GroundReader.read`. The
    answer holds the square of the distance (pixels) from the centre to the nearest pixel, infinite
    without any, and that pixel's place, both (n,); and pixels with a vote and with a yes
    (n, methods), and of each kind (n, kinds).
    """
    number = len(centres)
    rows, columns = np.nonzero(ranks)
    target = ranks[rows, columns] - 1
    across, down = columns + window.col_off, rows + window.row_off
    apart = (across - centres[target, 0]) ** 2 + (down - centres[target, 1]) ** 2
    places = down * width + across
    order = np.lexsort((places, apart, target))
    seen, first = np.unique(target[order], return_index=True)
    nearest = np.full(number, np.inf)
    nearest[seen] = apart[order[first]]
    place = np.zeros(number, np.int64)
    place[seen] = places[order[first]]

    def count(masks: Sequence[np.ndarray]) -> np.ndarray:
        counts = np.zeros((number, len(masks)), np.int64)
        for item, mask in enumerate(masks):
            counts[:, item] = np.bincount(target[mask[rows, columns]], minlength=number)
        return counts

    answered = [np.isfinite(vote) for vote in votes]
    return nearest, place, count(answered), count([vote == 1 for vote in votes]), count(kinds)


@dataclass
class TargetGround:
    """What lies on n targets, added up over blocks.

    `place` (n,) is the pixel nearest to the centre, the first of several; `answered` and `yes`
    (n, methods) are pixels with a vote and a yes, `held` (n, kinds) pixels of each kind.
    """

    methods: tuple[str, ...]
    labels: tuple[str, ...]
    nearest: np.ndarray
    place: np.ndarray
    answered: np.ndarray
    yes: np.ndarray
    held: np.ndarray

    @classmethod
    def empty(cls, number: int, reader: GroundReader) -> Self:
        """Of no block yet."""
        votes = np.zeros((2, number, len(reader.methods)), np.int64)
        return cls(
            reader.methods,
            tuple(kind.label for kind in reader.kinds),
            np.full(number, np.inf),
            np.zeros(number, np.int64),
            *votes,
            np.zeros((number, len(reader.kinds)), np.int64),
        )

    def add(
        self,
        nearest: np.ndarray,
        place: np.ndarray,
        answered: np.ndarray,
        yes: np.ndarray,
        held: np.ndarray,
    ) -> None:
        """Add what a block holds, as of `look_at_block`."""
        better = (nearest < self.nearest) | ((nearest == self.nearest) & (place < self.place))
        self.nearest = np.where(better, nearest, self.nearest)
        self.place = np.where(better, place, self.place)
        self.answered += answered
        self.yes += yes
        self.held += held

    def methods_in_favour(self) -> list[str]:
        """The methods that call half or more of what they see of a target favourable.

        Where none does, it is those that call the largest share so; "" where none calls any.
        """
        texts = []
        for row in self.yes / np.maximum(self.answered, 1):
            least = min(0.5, row.max(initial=0))
            agreeing = [name for name, part in zip(self.methods, row, strict=True) if part >= least]
            texts.append("; ".join(agreeing) if least else "")
        return texts

    def dominant(self) -> tuple[list[str], np.ndarray]:
        """What lies on the most pixels of each target, and on how many, (n,); "" for nothing."""
        if not self.labels:
            return [""] * len(self.held), np.zeros(len(self.held), np.int64)
        most, pixels = self.held.argmax(axis=1), self.held.max(axis=1)
        return [
            self.labels[kind] if number else "" for kind, number in zip(most, pixels, strict=True)
        ], pixels
