"""The profile of the horizontal detail down the image, gathered from blocks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gossan.raster import Grid


@dataclass(frozen=True)
class RowSums:
    """Sums of sub-bands over the rows of a block that starts at `row`, `column` of the raster.

    `pixels` int64, `total` and `magnitude` (sum of absolute values) float64, are (sub-bands, rows).
    """

    row: int
    column: int
    pixels: np.ndarray
    total: np.ndarray
    magnitude: np.ndarray

    @classmethod
    def of_block(cls, subbands: np.ndarray, row: int, column: int) -> "RowSums":
        """The sums of (sub-bands, rows, columns); NaN is left out."""
        valid = ~np.isnan(subbands)
        values = np.where(valid, subbands, 0)
        return cls(
            row,
            column,
            valid.sum(axis=2),
            values.sum(axis=2, dtype=np.float64),
            np.abs(values).sum(axis=2, dtype=np.float64),
        )


def profile_rows(
    sums: Iterable[RowSums], names: Sequence[tuple[str, str]], grid: Grid
) -> list[dict[str, object]]:
    """One row per sub-band and image row: its mean, and the mean of its absolute value.

    `names` are (band, sub-band) of the sums' sub-bands; `y` is the row's centre at the middle of
    the image, in units of the grid's system. The mean of a detail is near 0, as ups and downs
    cancel; the mean of its absolute value says how strong it is. Both are empty where a row has
    no valid pixel. Ten decimals are kept: more would change with the size of the blocks.
    """
    pixels = np.zeros((len(names), grid.height), np.int64)
    total = np.zeros((len(names), grid.height))
    magnitude = np.zeros((len(names), grid.height))
    for part in sorted(sums, key=lambda part: (part.row, part.column)):
        rows = slice(part.row, part.row + part.pixels.shape[1])
        pixels[:, rows] += part.pixels
        total[:, rows] += part.total
        magnitude[:, rows] += part.magnitude

    def mean(summed: float, count: int) -> str:
        return f"{round(summed / count, 10) + 0.0:.10f}" if count else ""

    return [
        {
            "band": band,
            "subband": subband,
            "row": row,
            "y": f"{grid.place(grid.width / 2, row + 0.5)[1]:.10g}",
            "mean": mean(total[place, row], pixels[place, row]),
            "mean_magnitude": mean(magnitude[place, row], pixels[place, row]),
            "pixels": int(pixels[place, row]),
        }
        for place, (band, subband) in enumerate(names)
        for row in range(grid.height)
    ]
