"""What the classes of a map look like: pixels, spectra, and the pixels that fit best."""

from dataclasses import dataclass

import numpy as np

CODES = 256


@dataclass(frozen=True)
class ClassSums:
    """Sums over the pixels of each class code, from which areas, means and deviations follow.

    `pixels` is (256,) int64; `spectral` is the number of them with a spectrum, (256,) int64;
    `sums` and `squares` are (256, bands) float64, in the stored integers of the cube, and so
    exact and free of order.
    """

    pixels: np.ndarray
    spectral: np.ndarray
    sums: np.ndarray
    squares: np.ndarray

    def __add__(self, other: "ClassSums") -> "ClassSums":
        """The sums over both sets of pixels."""
        return ClassSums(
            self.pixels + other.pixels,
            self.spectral + other.spectral,
            self.sums + other.sums,
            self.squares + other.squares,
        )

    def mean(self, code: int) -> np.ndarray:
        """Mean spectrum of a class, (bands,), in stored numbers; NaN without pixels."""
        return self._divide(self.sums[code], self.spectral[code])

    def std(self, code: int) -> np.ndarray:
        """Standard deviation of a class (over its pixels), (bands,); NaN without pixels."""
        variance = self._divide(self.squares[code], self.spectral[code]) - self.mean(code) ** 2
        return np.sqrt(np.maximum(variance, 0.0))

    @staticmethod
    def _divide(total: np.ndarray, count: int) -> np.ndarray:
        return total / count if count else np.full(total.shape, np.nan)


def sum_classes(classes: np.ndarray, stored: np.ndarray, nodata: float | None) -> ClassSums:
    """Sums of one block.

    `classes` is (rows, columns) uint8, `stored` (bands, rows, columns) integers of the cube, a
    pixel with `nodata` in any band having no spectrum.
    """
    codes = classes.ravel()
    spectra = stored.reshape(stored.shape[0], -1)
    if nodata is not None:
        has_spectrum = (spectra != nodata).all(axis=0)
        spectra, spectral_codes = spectra[:, has_spectrum], codes[has_spectrum]
    else:
        spectral_codes = codes
    values = spectra.astype(np.float64)

    def totals(bands: np.ndarray) -> np.ndarray:
        return np.stack(
            [np.bincount(spectral_codes, weights=band, minlength=CODES) for band in bands], axis=1
        )

    return ClassSums(
        np.bincount(codes, minlength=CODES),
        np.bincount(spectral_codes, minlength=CODES),
        totals(values),
        totals(values**2),
    )


@dataclass(frozen=True)
class Pixels:
    """Some pixels of one class: rows and columns in the scene, and their angles in radians."""

    rows: np.ndarray
    columns: np.ndarray
    angle_rad: np.ndarray

    def best(self, other: "Pixels", count: int) -> "Pixels":
        """The `count` pixels of both with the smallest angles, ties in the scene's order."""
        rows = np.concatenate([self.rows, other.rows])
        columns = np.concatenate([self.columns, other.columns])
        angles = np.concatenate([self.angle_rad, other.angle_rad])
        order = np.lexsort((columns, rows, angles))[:count]
        return Pixels(rows[order], columns[order], angles[order])


def pixels_of(
    classes: np.ndarray, angle_rad: np.ndarray, code: int, row: int, column: int, count: int
) -> Pixels:
    """The `count` pixels of a class in one block that fit best.

    `classes` and `angle_rad` are (rows, columns) of a block whose first pixel is at (`row`,
    `column`) of the scene.
    """
    rows, columns = np.nonzero(classes == code)
    found = Pixels(rows + row, columns + column, angle_rad[rows, columns])
    return found.best(Pixels(rows[:0], columns[:0], found.angle_rad[:0]), count)
