"""What a class map holds: areas, mean spectra, and the pixels that match best.

Everything is gathered block by block and merged, so memory does not grow with the scene.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gossan.legend import NODATA, UNCLASSIFIED

CODES = 256


@dataclass(frozen=True)
class Moments:
    """Count (classes,), and per band mean and sum of squared deviations (classes, bands)."""

    count: np.ndarray
    mean: np.ndarray
    squares: np.ndarray

    @property
    def std(self) -> np.ndarray:
        """Standard deviation (classes, bands) over all pixels of a class; NaN without pixels."""
        with np.errstate(invalid="ignore"):
            return np.sqrt(self.squares / self.count[:, np.newaxis])


def count_codes(classes: np.ndarray) -> np.ndarray:
    """Pixels of each code, (256,) int64, in a uint8 class array of any shape."""
    return np.bincount(classes.ravel(), minlength=CODES).astype(np.int64)


def measure_classes(block: np.ndarray, classes: np.ndarray, codes: Sequence[int]) -> Moments:
    """Moments of a (bands, rows, columns) block over the pixels of each class in `codes`.

    `classes` is (rows, columns), uint8. Pixels that are not finite in every band are left out.
    Means of classes without pixels are NaN, their sums of squares 0.
    """
    spectra = block.reshape(len(block), -1)
    labels = np.where(np.isfinite(spectra).all(axis=0), classes.ravel(), NODATA)
    count = np.zeros(len(codes), np.int64)
    mean = np.full((len(codes), len(block)), np.nan)
    squares = np.zeros((len(codes), len(block)))
    for place, code in enumerate(codes):
        own = spectra[:, labels == code].astype(np.float64)
        if own.shape[1]:
            count[place] = own.shape[1]
            mean[place] = own.mean(axis=1)
            own -= mean[place][:, np.newaxis]
            squares[place] = np.einsum("bp,bp->b", own, own)
    return Moments(count, mean, squares)


def merge_moments(first: Moments, second: Moments) -> Moments:
    """Moments of two disjoint sets of pixels together.

    The pairwise update of Chan, Golub and LeVeque (1983), The American Statistician 37, 242-247,
    which loses no digits where the mean is large against the deviations.
    """
    count = first.count + second.count
    share = np.divide(second.count, count, out=np.zeros(len(count)), where=count > 0)
    step = second.mean - first.mean
    one_is_empty = (first.count == 0) | (second.count == 0)
    mean = np.where(
        one_is_empty[:, np.newaxis],
        np.where((first.count > 0)[:, np.newaxis], first.mean, second.mean),
        first.mean + step * share[:, np.newaxis],
    )
    between = np.where(
        one_is_empty[:, np.newaxis], 0.0, step**2 * (first.count * share)[:, np.newaxis]
    )
    return Moments(count, mean, first.squares + second.squares + between)


@dataclass(frozen=True)
class Pixels:
    """Pixels by spectral angle (n,) float32 and position: row and column (n,) int64."""

    angle: np.ndarray
    row: np.ndarray
    column: np.ndarray

    def __len__(self) -> int:
        """The number of pixels."""
        return len(self.angle)


NO_PIXELS = Pixels(np.zeros(0, np.float32), np.zeros(0, np.int64), np.zeros(0, np.int64))


def select_best(pixels: Pixels, most: int) -> Pixels:
    """The `most` pixels of the smallest angles, in ascending order.

    Equal angles go by row, then column, so the choice does not depend on how the scene was cut
    into blocks.
    """
    angle = pixels.angle
    near = slice(None)
    if len(angle) > most:
        # Those that tie with the last one chosen stay in until positions decide.
        near = np.flatnonzero(angle <= np.partition(angle, most - 1)[most - 1])
    row, column, angle = pixels.row[near], pixels.column[near], angle[near]
    order = np.lexsort((column, row, angle))[:most]
    return Pixels(angle[order], row[order], column[order])


def best_pixels(
    angle: np.ndarray,
    classes: np.ndarray,
    codes: Sequence[int],
    most: int,
    origin: tuple[int, int] = (0, 0),
) -> list[Pixels]:
    """For each class in `codes`, its `most` best-matching pixels in a (rows, columns) block.

    `angle` is in radians; `origin` is the scene's (row, column) of the block's first pixel.
    """
    chosen = []
    for code in codes:
        row, column = np.nonzero(classes == code)
        own = Pixels(angle[row, column], row + origin[0], column + origin[1])
        chosen.append(select_best(own, most))
    return chosen


def merge_best(first: Sequence[Pixels], second: Sequence[Pixels], most: int) -> list[Pixels]:
    """The `most` best of two sets of pixels, class by class."""
    return [
        select_best(
            Pixels(
                np.concatenate([one.angle, other.angle]),
                np.concatenate([one.row, other.row]),
                np.concatenate([one.column, other.column]),
            ),
            most,
        )
        if len(other)
        else one
        for one, other in zip(first, second, strict=True)
    ]


@dataclass(frozen=True)
class ClassSummary:
    """All that is gathered of a scene's class map: pixels per code, moments, best pixels."""

    counts: np.ndarray
    moments: Moments
    best: list[Pixels]

    @classmethod
    def of_block(
        cls,
        classes: np.ndarray,
        angle: np.ndarray,
        block: np.ndarray,
        codes: Sequence[int],
        most: int,
        origin: tuple[int, int],
    ) -> "ClassSummary":
        """Summarise one block; shapes as in `measure_classes` and `best_pixels`."""
        return cls(
            count_codes(classes),
            measure_classes(block, classes, codes),
            best_pixels(angle, classes, codes, most, origin),
        )

    def merge(self, other: "ClassSummary", most: int) -> "ClassSummary":
        """The summary of both sets of pixels together."""
        return ClassSummary(
            self.counts + other.counts,
            merge_moments(self.moments, other.moments),
            merge_best(self.best, other.best, most),
        )

    @property
    def valid(self) -> int:
        """Pixels that are not nodata."""
        return int(self.counts[:NODATA].sum())

    def unknown_codes(self, codes: Sequence[int]) -> list[int]:
        """Codes that occur in the map and are neither in `codes` nor reserved."""
        return sorted(set(np.flatnonzero(self.counts)) - {*codes, UNCLASSIFIED, NODATA})
