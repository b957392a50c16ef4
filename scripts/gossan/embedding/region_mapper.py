"""Minerals of a region of the spectrum in a stack of sensors, pixel by pixel, by margin."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gossan.cube.bands import SENSORS
from gossan.embedding.mapper import NAMED, Mapper
from gossan.embedding.margins import margins
from gossan.legend import NODATA, UNCLASSIFIED


@dataclass(frozen=True, eq=False)
class RegionMapper:
    """Names the pixels of blocks by the margin of a region's network, and counts them.

    `mapper` has the region's bands, which stand at `rows` of the stack's.
    """

    mapper: Mapper
    rows: np.ndarray
    least_margin: float = float("inf")

    def measure(
        self, stored: np.ndarray, bits: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """As `Mapper.measure`; pixels that only sensors without the region's bands see are unseen.

        `bits` (pixels,) loses those sensors.
        """
        bits &= np.uint8(sum(1 << SENSORS.index(name) for name in self.mapper.bands.sensors))
        return self.mapper.measure(stored[self.rows], bits)

    def margins(self, stored: np.ndarray, bits: np.ndarray, step: int) -> np.ndarray:
        """Margins (n,) of every `step`-th row and column of a block."""
        thin = stored[:, ::step, ::step]
        parts = self.measure(thin.reshape(len(thin), -1), bits[0, ::step, ::step].flatten())
        return np.concatenate([np.empty(0, np.float32), *(margins(own) for _, own in parts)])

    def __call__(self, stored: np.ndarray, bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Class (rows, columns) uint8 and margin (1, rows, columns) float32 of a block."""
        bits, shape = bits[0].flatten(), bits.shape[1:]
        margin = np.full(bits.size, np.nan, np.float32)
        codes = np.full(bits.size, NODATA, np.uint8)
        own = np.array(self.mapper.model.header.codes, np.uint8)
        for part, found in self.measure(stored.reshape(len(stored), -1), bits):
            margin[part] = margins(found)
            named = margin[part] >= self.least_margin
            codes[part] = np.where(named, own[found.argmin(axis=1)], np.uint8(UNCLASSIFIED))
        self.mapper.counts.add(bits, codes, np.full(bits.size, NAMED, np.uint8))
        return codes.reshape(shape), margin.reshape(1, *shape)
