"""Median composite of many dates of the same ground, and how often each pixel was seen clearly.

The median of each band over the clear looks at a pixel, which clouds and shadows that a mask
missed hardly move (Roberts, Mueller and McIntyre 2017, IEEE Transactions on Geoscience and Remote
Sensing 55, 6254, compare it with medians of all bands together).

Memory is set by the block, whatever the number of dates: a block is read date by date, and where
its looks do not fit into memory they wait on disk and come back in pieces of as few pixels as it
takes. A smaller block would not do: scenes are stored in tiles of about a thousand pixels, and
each tile of each date would be decoded again for every block in it.
"""

import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from rasterio.windows import Window

from gossan.cube.plausibility import ReflectanceMeter
from gossan.errors import InputError
from gossan.products.subset import Subset
from gossan.raster import BLOCK_BYTES
from gossan.transforms.vegetation import vegetation_index

if TYPE_CHECKING:
    from gossan.products.product import Product

# Count of looks where none was asked for: outside of the polygon.
LOOKS_NODATA = 65535
MOST_DATES = LOOKS_NODATA - 1
# Pixels sorted at once: their looks stay in the processor's cache.
SORTED_PX = 1024


def median_of_looks(values: np.ndarray, looks: np.ndarray) -> np.ndarray:
    """Median over dates, (bands, pixels) float32; the mean of the middle two for an even count.

    `values` (dates, bands, pixels) float32 are NaN where the date has no clear look, and `looks`
    (pixels,) counts the others, which are the same for all bands. NaN where there is none. Equals
    numpy.nanmedian over axis 0.
    """
    dates, bands, pixels = values.shape
    medians = np.empty((bands, pixels), np.float32)
    for start in range(0, pixels, SORTED_PX):
        part = slice(start, start + SORTED_PX)
        count = looks[part].astype(np.intp)
        first = np.arange(len(count)) * dates
        lower = first + np.maximum(count - 1, 0) // 2
        upper = first + np.minimum(count // 2, dates - 1)
        for band in range(bands):
            # Sorting the few looks of a pixel is what numpy does with vector instructions, NaN
            # last; to select the middle without them takes several times as long for many dates.
            ordered = np.ascontiguousarray(values[:, band, part].T)
            ordered.sort(axis=1)
            flat = ordered.ravel()
            medians[band, part] = (flat[lower] + flat[upper]) * np.float32(0.5)
    return medians


@dataclass
class Tally:
    """What has been counted so far; arrays are int64, and their sums do not depend on blocks.

    `total` pixels; those `observed` (with data in all bands) and `kept` (also clear) on at least
    one date, and `vegetated` ones of the latter, which are left out; `looks` (dates + 1,)
    pixels by their count of clear looks, inside the polygon; by date, looks `seen` (with data),
    `clear`, and those of the latter that are `below` zero by half of the date's offset or more in
    any band; and `flagged` (flags,), the looks under each flag.
    """

    looks: np.ndarray
    seen: np.ndarray
    clear: np.ndarray
    below: np.ndarray
    flagged: np.ndarray
    total: int = 0
    observed: int = 0
    kept: int = 0
    vegetated: int = 0

    @property
    def valid(self) -> int:
        """Pixels that the composite has."""
        return self.kept - self.vegetated


class Composite:
    """Median and count of looks of a part of all `dates`, window by window, in any thread.

    A look is clear where all bands have data and none of the flags `mask` is set. Pixels whose
    median has an NDVI above `ndvi_max` are left out, by the bands of `plants`, which need not be
    the composite's. `tally` counts the windows that were composed.
    """

    def __init__(
        self,
        part: Subset,
        dates: Sequence["Product"],
        mask: Sequence[str],
        folder: str | Path,
        plants: Subset | None = None,
        ndvi_max: float | None = None,
    ):
        """Compose `dates` as `part` cuts its product; looks that do not fit wait in `folder`.

        Raises InputError for dates on different grids or with different bands, and for too many.
        """
        product = part.product
        for date in dates:
            product.grid.require_same(date.grid, f"{date.product_id} ({product.product_id})")
            if date.bands.names != product.bands.names:
                raise InputError(
                    f"{date.product_id}: has the bands {' '.join(date.bands.names)} where "
                    f"{product.product_id} has {' '.join(product.bands.names)}; choose common ones"
                )
        if len(dates) > MOST_DATES:
            raise InputError(f"{len(dates)} dates are too many; give up to {MOST_DATES}")
        # The polygon is drawn once per window, not once per date.
        names = list(part.bands.names)
        if plants is not None:
            names += [name for name in plants.bands.names if name not in names]
        read = part.with_bands(names)
        self._parts = [
            Subset(date, part.grid, read.bands, part.window, read.positions) for date in dates
        ]
        self._bands = len(part.bands.names)
        self._plants = [] if plants is None else [names.index(n) for n in plants.bands.names]
        self._ndvi_max = ndvi_max
        self._grid = part.grid
        self._inside = part.inside
        self._mask = tuple(dict.fromkeys(mask))
        self._folder = Path(folder)
        self._lock = threading.Lock()
        self._plausible = [ReflectanceMeter(self._bands) for _ in dates]
        self.tally = Tally(
            np.zeros(len(dates) + 1, np.int64),
            *(np.zeros(len(dates), np.int64) for _ in range(3)),
            np.zeros(len(self._mask), np.int64),
        )

    @property
    def mask(self) -> tuple[str, ...]:
        """The flags, each once, in the order in which `tally.flagged` counts them."""
        return self._mask

    def compose(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Reflectance (bands, rows, columns) float32 and looks (rows, columns) uint16 of a window.

        Reflectance is NaN where there is no clear look, under plants, and outside of the polygon;
        looks are LOOKS_NODATA there. Raises InputError when the last window is done and none had a
        clear look, and for a disk that is full; what the readers raise goes through.
        """
        shape = window.height, window.width
        bands, pixels = len(self._parts[0].bands.names), window.height * window.width
        inside = np.ones(shape, bool) if self._inside is None else self._inside(window)
        looks = np.zeros(shape, np.uint16)
        observed = np.zeros(shape, bool)
        seen, clear, below = (np.zeros(len(self._parts), np.int64) for _ in range(3))
        flagged = np.zeros(len(self._mask), np.int64)
        # Of dates of many tiles few reach into a window, and polygons far apart leave most of them.
        near = self._parts if inside.any() else ()
        places = [place for place, part in enumerate(near) if part.touches(window)] or [0]
        # Neighbours begin at other ends, so that they rarely wait for a tile that both need.
        turned = (window.col_off // window.width + window.row_off // window.height) % 2
        with _Shelf(self._folder, len(places), bands, pixels) as shelf:
            for shelved, place in list(enumerate(places))[:: -1 if turned else 1]:
                part = self._parts[place]
                values = part.read_reflectance(window)
                flags = part.read_flags(window, ("fill", *self._mask))
                data = np.isfinite(values[: self._bands]).all(axis=0) & ~flags[0] & inside
                self._plausible[place].add(values[: self._bands], data)
                kept = data & ~flags[1:].any(axis=0)
                np.copyto(values, np.nan, where=~kept)
                shelf.put(shelved, values.reshape(bands, pixels))
                looks += kept
                observed |= data
                seen[place], clear[place] = data.sum(), kept.sum()
                if part.product.offset < 0:
                    # NaN, where nothing is clear, is below nothing.
                    low = values[: self._bands] < part.product.offset / 2
                    below[place] = np.count_nonzero(low.any(axis=0))
                flagged += (flags[1:] & data).sum(axis=(1, 2))
            counts = looks.ravel()
            median = np.empty((bands, pixels), np.float32)
            for piece, values in shelf.pieces():
                median[:, piece] = median_of_looks(values, counts[piece])
        vegetated = self._find_plants(median.reshape(bands, *shape), looks > 0)
        median = median.reshape(bands, *shape)[: self._bands]
        median[:, vegetated] = np.nan
        histogram = np.bincount(looks[inside], minlength=len(self._parts) + 1)
        with self._lock:
            tally = self.tally
            tally.total += pixels
            tally.observed += int(observed.sum())
            tally.kept += int((looks > 0).sum())
            tally.vegetated += int(vegetated.sum())
            tally.looks += histogram
            tally.seen += seen
            tally.clear += clear
            tally.below += below
            tally.flagged += flagged
            if tally.total == self._grid.width * self._grid.height:
                # Now, not after the files have been written: they shall not exist then.
                self._require_pixels()
        looks[~inside] = LOOKS_NODATA
        return median, looks

    def _find_plants(self, median: np.ndarray, clear: np.ndarray) -> np.ndarray:
        """Clear pixels of a median (bands read, rows, columns) whose NDVI is too high."""
        if not self._plants:
            return np.zeros(clear.shape, bool)
        return clear & (vegetation_index(*median[self._plants]) > self._ndvi_max)

    def _require_pixels(self) -> None:
        first = self._parts[0].product.product_id
        dates = f"the {len(self._parts)} date(s) from {first} on"
        if self.tally.observed == 0:
            raise InputError(f"{dates}: all pixels are nodata; choose other dates or another part")
        for part, meter in zip(self._parts, self._plausible, strict=True):
            meter.require(part.product, part.bands.names[: self._bands])
        if self.tally.valid == 0:
            raise InputError(
                f"{dates}: the flags {' '.join(self._mask)} mask every pixel on every date; add "
                "dates, use fewer flags or a higher NDVI"
            )


class _Shelf:
    """The looks at a block: put date by date, got back by pixels, all dates of a piece at once.

    They stay in memory where they take no more than BLOCK_BYTES; else they are on disk, piece
    after piece, and only one piece is in memory.
    """

    def __init__(self, folder: Path, dates: int, bands: int, pixels: int):
        self._dates, self._bands, self._pixels = dates, bands, pixels
        self._folder = folder
        self._step = min(pixels, max(1, BLOCK_BYTES // (4 * dates * bands)))
        self._starts = range(0, pixels, self._step)
        self._file: BinaryIO | None = None
        self._whole: np.ndarray | None = None
        self._opened = ExitStack()

    def __enter__(self) -> "_Shelf":
        if len(self._starts) == 1:
            self._whole = np.empty((self._dates, self._bands, self._pixels), np.float32)
        else:
            self._folder.mkdir(parents=True, exist_ok=True)
            # Without a name, so that nothing is left behind however the process ends.
            self._file = self._opened.enter_context(
                tempfile.TemporaryFile(dir=self._folder, buffering=0)
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def _place(self, start: int) -> tuple[slice, int]:
        """The pixels of the piece from `start` on, and the bytes of one date and pixel before."""
        stop = min(start + self._step, self._pixels)
        return slice(start, stop), 4 * self._bands * (stop - start)

    def put(self, date: int, values: np.ndarray) -> None:
        """Keep the values (bands, pixels) of a date."""
        if self._file is None:
            self._whole[date] = values
            return
        try:
            for start in self._starts:
                piece, date_bytes = self._place(start)
                self._file.seek(4 * self._dates * self._bands * start + date * date_bytes)
                rest = memoryview(np.ascontiguousarray(values[:, piece])).cast("B")
                while rest:
                    rest = rest[self._file.write(rest) :]
        except OSError as error:
            need = 4 * self._dates * self._bands * self._pixels / 2**20
            raise InputError(
                f"{self._folder}: {error.strerror}; a block of {self._dates} dates takes "
                f"{need:.0f} MiB here, and each thread has one: free space or lower --block-px"
            ) from error

    def pieces(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield (pixels as a slice, values (dates, bands, pixels) of them) of the whole block."""
        for start in self._starts:
            piece, date_bytes = self._place(start)
            if self._file is None:
                yield piece, self._whole
                continue
            values = np.empty((self._dates, self._bands, piece.stop - start), np.float32)
            self._file.seek(4 * self._dates * self._bands * start)
            if self._file.readinto(values) != self._dates * date_bytes:
                raise OSError(f"{self._folder}: a temporary file is shorter than it was written")
            yield piece, values
