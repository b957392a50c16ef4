"""What is left of signal and noise after a stage: counted exactly, block by block, in one pass.

Everything is a count, so that the order of blocks and threads cannot change a digit.
"""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from gossan.cube.corrections import by_band
from gossan.kernels import kernel
from gossan.raster import BandTable

# Levels of the cube: stored numbers of int16 without its nodata code. What lies beyond counts in
# the end levels.
LEVEL_STEP = 1e-4
HIGHEST_LEVEL = 32767
LEVELS = 2 * HIGHEST_LEVEL + 1

# Differences are counted by the leading bits of a float32, so in bins of a constant relative
# width of 1/512: from 2^-24 (the first, with 0 and all below) to 2^8 (the last, with all above).
DROPPED_BITS = 14
LOWEST_BIN = (127 - 24) << (23 - DROPPED_BITS)
BINS = 32 << (23 - DROPPED_BITS)

# Median of |x| over the standard deviation of x, where x is normal.
MEDIAN_PER_SIGMA = 0.674490

HISTOGRAM_BINS = 64


class StageMeter:
    """Collects what `describe` and `histogram` need of one stage, from any number of threads."""

    def __init__(self, bands: BandTable):
        """Start with no pixel counted."""
        self._bands = bands
        count = len(bands.names)
        self._lock = threading.Lock()
        self._levels = np.zeros((count, LEVELS), dtype=np.int64)
        self._differences = np.zeros((count, BINS), dtype=np.int64)
        self._beyond = np.zeros(count, dtype=np.int64)

    @property
    def pixels(self) -> int:
        """Valid pixels counted so far."""
        return int(self._levels[0].sum())

    def add(self, values: np.ndarray, kept: np.ndarray, noise: bool = True) -> None:
        """Count a block: values (bands, rows, columns), valid where `kept` (rows, columns).

        `noise` also counts the differences of neighbours: of columns 0 and 1, 2 and 3, and so
        on. Blocks must therefore begin at even columns.
        """
        for band, plane in enumerate(values):
            levels, beyond = count_levels(plane, kept)
            steps = count_steps(plane, kept) if noise else None
            with self._lock:
                self._levels[band] += levels
                self._beyond[band] += beyond
                if steps is not None:
                    self._differences[band] += steps

    def describe(self) -> dict[str, dict[str, float | None]]:
        """Signal-to-noise ratio, mean over standard deviation, and their parts, by band.

        `snr` is the mean over the noise; the noise is the median absolute difference of
        neighbouring pixels over 0.6745 · √2, which is the standard deviation where noise is
        normal and neighbours show the same ground. None where there is no noise or no spread.
        """
        level = np.arange(-HIGHEST_LEVEL, HIGHEST_LEVEL + 1)
        count = self._levels.sum(axis=1)
        mean = self._levels @ level / count
        std = np.sqrt(np.maximum(self._levels @ level**2 / count - mean**2, 0.0))
        mean, std = mean * LEVEL_STEP, std * LEVEL_STEP
        median = np.array([median_size(counts) for counts in self._differences])
        noise = median / (MEDIAN_PER_SIGMA * np.sqrt(2.0))
        return {
            "snr": self._ratios(mean, noise),
            "mean_over_std": self._ratios(mean, std),
            "mean": by_band(self._bands, mean),
            "std": by_band(self._bands, std),
            "noise": by_band(self._bands, noise),
        }

    def _ratios(self, above: np.ndarray, below: np.ndarray) -> dict[str, float | None]:
        ratios = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
        named = by_band(self._bands, ratios)
        return {
            name: value if under > 0 else None
            for (name, value), under in zip(named.items(), below, strict=True)
        }

    def histogram(self) -> dict[str, dict[str, Any]]:
        """Counts by band in at most 64 bins of equal width, from the lowest to the highest value.

        Bin i reaches from low + i · width to low + (i + 1) · width; both are whole levels of 1e-4,
        so that no bin holds more levels than another.
        """
        histograms = {}
        for name, counts in zip(self._bands.names, self._levels, strict=True):
            present = np.flatnonzero(counts)
            first, last = (int(present[0]), int(present[-1])) if present.size else (0, 0)
            width = -(-(last - first + 1) // HISTOGRAM_BINS)
            edges = np.arange(first, last + 1, width)
            histograms[name] = {
                "low": round((first - HIGHEST_LEVEL - 0.5) * LEVEL_STEP, 6),
                "width": round(width * LEVEL_STEP, 6),
                "counts": np.add.reduceat(counts[: last + 1], edges).tolist(),
            }
        return histograms

    def beyond(self) -> dict[str, int]:
        """Values beyond what the cube can store (±3.2767), which it holds at its ends, by band."""
        return {
            name: int(count) for name, count in zip(self._bands.names, self._beyond, strict=True)
        }


def describe_quality(stages: Sequence[tuple[str, StageMeter]], result: StageMeter) -> dict:
    """Signal and noise of each stage by its name, and of what went into the cube, for a record."""
    return {
        "stages": [{"stage": name, **meter.describe()} for name, meter in stages],
        "histograms": {"before": stages[-1][1].histogram(), "after": result.histogram()},
        "beyond_cube_range": result.beyond(),
    }


@kernel
def count_levels(plane: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, int]:
    """Counts (LEVELS,) of float32 values (rows, columns) where `kept`, by their nearest level.

    Values beyond the end levels count in these; the second result is how many they are.
    """
    counts, beyond = np.zeros(LEVELS, np.int32), 0
    for row in range(plane.shape[0]):
        for column in range(plane.shape[1]):
            if kept[row, column]:
                level = np.rint(plane[row, column] * np.float32(1 / LEVEL_STEP))
                if not abs(level) <= HIGHEST_LEVEL:
                    beyond += 1
                    level = np.float32(HIGHEST_LEVEL if level > 0 else -HIGHEST_LEVEL)
                counts[int(level) + HIGHEST_LEVEL] += 1
    return counts, beyond


@kernel
def count_steps(plane: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Counts (BINS,) of the sizes of differences of neighbours, in bins of 1/512 of a size.

    plane: float32 (rows, columns); neighbours are columns 0 and 1, 2 and 3, where both are `kept`.
    """
    counts, pairs = np.zeros(BINS, np.int32), plane.shape[1] // 2
    sizes = np.empty(pairs, np.float32)
    bits = sizes.view(np.int32)
    for row in range(plane.shape[0]):
        for pair in range(pairs):
            sizes[pair] = abs(plane[row, 2 * pair] - plane[row, 2 * pair + 1])
        for pair in range(pairs):
            if kept[row, 2 * pair] and kept[row, 2 * pair + 1]:
                leading = (bits[pair] >> DROPPED_BITS) - LOWEST_BIN
                counts[min(max(leading, 0), BINS - 1)] += 1
    return counts


def median_size(counts: np.ndarray) -> float:
    """Median of the sizes counted by `count_steps`, 0 where all are 0 or none was counted.

    Each occupied bin stands for all sizes up to the middle between it and the next one. Numbers
    that were measured in coarse steps (8-bit products) thus have a median between two steps, as
    for grouped data, where the plain median would jump from step to step.
    """
    occupied = np.flatnonzero(counts)
    if occupied.size == 0 or occupied[-1] == 0:
        return 0.0
    edges = (np.arange(BINS + 1) + LOWEST_BIN).astype(np.int32) << DROPPED_BITS
    edges = edges.view(np.float32).astype(np.float64)
    centres = (edges[:-1] + edges[1:]) / 2
    centres[0] = 0.0
    # One step may fall on two bins, by rounding: two neighbours alone between empty bins.
    apart = np.diff(occupied, prepend=-BINS, append=2 * BINS) > 1
    second_of_two = ~apart[1:-1] & apart[:-2] & apart[2:]
    starts = np.flatnonzero(~np.concatenate([[False], second_of_two]))
    amounts = np.add.reduceat(counts[occupied], starts)
    sizes = np.add.reduceat(counts[occupied] * centres[occupied], starts) / amounts
    middles = (sizes[:-1] + sizes[1:]) / 2
    last = 2 * sizes[-1] - middles[-1] if middles.size else sizes[-1]
    first = max(0.0, 2 * sizes[0] - middles[0]) if middles.size else sizes[0]
    bounds = np.concatenate([[first], middles, [last]])
    below = np.concatenate([[0], np.cumsum(amounts)])
    return float(np.interp(below[-1] / 2, below, bounds))
