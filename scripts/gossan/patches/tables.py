"""Tables of a patch network's map: the pixels of each exact colour, and where they lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from gossan.legend import NODATA, UNCLASSIFIED, MapClass
from gossan.minerals.class_statistics import NO_PIXELS, Pixels, best_pixels, count_codes, merge_best
from gossan.patches.cutting import colour_table
from gossan.raster import Grid, iter_blocks


@dataclass(frozen=True, eq=False)
class PixelCounts:
    """What the painted map and the network's map of one scene hold.

    `painted` and `answered` (256,) are pixels per code of either map. `best` has, for each class,
    those pixels of its code where the network is surest of its answer; their `angle` is one minus
    the probability. `answers` are the codes of these answers, in the same order.
    """

    painted: np.ndarray
    answered: np.ndarray
    best: list[Pixels]
    answers: list[np.ndarray]


def count_pixels(
    class_map: str | Path,
    answers: str | Path,
    probability: str | Path,
    classes: Sequence[MapClass],
    *,
    most: int,
    block_px: int = 512,
    threads: int = 1,
) -> PixelCounts:
    """Count the pixels of two class maps, and find `most` of each class of the first.

    The first band of `probability` is that of the answer; pixels without one are not among the
    best. The rasters lie on one grid.
    """
    codes = [item.code for item in classes]

    def look(window: Window, painted: np.ndarray, own: np.ndarray, chance: np.ndarray) -> tuple:
        painted, own = (_codes(values) for values in (painted, own))
        doubt = 1 - chance[0]
        known = np.where(np.isnan(doubt), NODATA, painted)
        origin = int(window.row_off), int(window.col_off)
        best = best_pixels(doubt, known, codes, most, origin)
        return count_codes(painted), count_codes(own), best

    painted = answered = np.zeros(256, np.int64)
    best = [NO_PIXELS] * len(codes)
    sources = [lambda window: window, class_map, answers, probability]
    for _, part in iter_blocks(look, sources, block_px=block_px, threads=threads):
        painted, answered = painted + part[0], answered + part[1]
        best = merge_best(best, part[2], most)
    found = [np.zeros(len(own), np.uint8) for own in best]
    for window, (own,) in iter_blocks(
        lambda values: _codes(values)[np.newaxis], [answers], block_px=block_px, threads=threads
    ):
        for pixels, codes_there in zip(best, found, strict=True):
            row, column = pixels.row - window.row_off, pixels.column - window.col_off
            here = (row >= 0) & (row < window.height) & (column >= 0) & (column < window.width)
            codes_there[here] = own[row[here], column[here]]
    return PixelCounts(painted, answered, best, found)


def _codes(values: np.ndarray) -> np.ndarray:
    """Codes (rows, columns) uint8 of physical values (1, rows, columns) with NaN for nodata."""
    return np.where(np.isnan(values[0]), NODATA, values[0]).astype(np.uint8)


def proportion_rows(counts: PixelCounts, classes: Sequence[MapClass]) -> list[dict[str, object]]:
    """One row per class, largest code last, and one for the background.

    `pixels` have exactly the colour of the class in the painted map, `answer_pixels` are those
    that the network gives to it; shares are of all pixels that are not nodata. The pixels of the
    background are the unclassified ones.
    """
    table = colour_table(classes)
    clear = counts.painted[:NODATA].sum()
    entries = [(item.code, item.name, item.colour) for item in classes]
    rows = []
    for code, name, colour in [*entries, (UNCLASSIFIED, "background", "#000000")]:
        alike = (table == table[code]).all(axis=1)
        alike[NODATA] = False
        numbers = counts.painted[alike].sum(), counts.answered[code]
        painted, answered = ((int(n), f"{n / clear:.6f}" if clear else "") for n in numbers)
        rows.append(
            {
                "code": code,
                "name": name,
                "colour": colour,
                "pixels": painted[0],
                "share": painted[1],
                "answer_pixels": answered[0],
                "answer_share": answered[1],
            }
        )
    return rows


PIXEL_COLUMNS = (
    *("code", "name", "colour", "row", "column", "x", "y", "lon", "lat", "answer", "probability"),
)


def pixel_rows(
    counts: PixelCounts, classes: Sequence[MapClass], grid: Grid
) -> list[dict[str, object]]:
    """One row per pixel of `counts.best`, with the columns PIXEL_COLUMNS; may be none.

    `x`, `y` are its centre in the grid's reference system, `lon`, `lat` in degrees (WGS 84), empty
    without one; `answer` is the network's class and `probability` that of the answer.
    """
    from rasterio.warp import transform

    names = {item.code: item.name for item in classes}
    rows = []
    for item, pixels, answers in zip(classes, counts.best, counts.answers, strict=True):
        x, y = grid.place(pixels.column + 0.5, pixels.row + 0.5)
        lon = lat = [""] * len(pixels)
        if grid.crs is not None and len(pixels):
            lon, lat = (
                [f"{degrees:.7f}" for degrees in values]
                for values in transform(grid.crs, "EPSG:4326", x, y)
            )
        rows += [
            dict(zip(PIXEL_COLUMNS, values, strict=True))
            for values in zip(
                [item.code] * len(pixels),
                [item.name] * len(pixels),
                [item.colour] * len(pixels),
                pixels.row,
                pixels.column,
                [f"{value:.10g}" for value in x],
                [f"{value:.10g}" for value in y],
                lon,
                lat,
                [names[int(code)] for code in answers],
                [f"{1 - doubt:.4f}" for doubt in pixels.angle],
                strict=True,
            )
        ]
    return rows
