"""Median over dates against numpy.nanmedian, in memory: 24 dates, 6 bands, 2048 x 2048 pixels.

Reflectance is noise about the mixtures of the analytic library's spectra at the bands of OLI;
clouds hide two of five looks, in patches, and all bands alike. Ours and Bottleneck's nanmedian run
in two threads over blocks of rows. numpy gets blocks of rows, too, because its arrays for the
whole stack take some 10 GiB; it has one thread, as one call does. `ratio_one_thread` and
`ratio_two_threads` give both sides as many. `growth-dates` composes a block of 10 bands and
1024 x 1024 pixels of ever more dates that are not read from files, as the tool does, so by way of
the disk; its peaks are those of processes.
"""

import statistics
import sys
import tempfile
import tracemalloc
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import bottleneck
import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

import sam
from gossan.cube.composite import Composite, median_of_looks
from gossan.products.product import Product
from gossan.products.subset import select_part
from gossan.raster import BandTable, Grid
from processes import run_python

DATES = 24
BANDS = 6
SIZE_PX = 2048
QUICK_SIZE_PX = 512
BLOCK_ROWS = 32
CLOUDY = 0.4
CLOUD_PX = 16
GROWTH_DATES = (6, 12, 24, 48, 96)
GROWTH_PX = 1024
# The state of Bahia at 10 m, and the bands of the study.
BAHIA_PX = 565_000e6 / 10**2
STUDY_BANDS = 10


def run(cases: list[str] | None, pairs: int) -> list[dict]:
    """Run the cases called `cases`, or all but the quick one, with so many pairs of runs each."""
    known = {
        "median": lambda: compare("median", SIZE_PX, pairs),
        "growth-dates": lambda: grow(pairs),
        "median-quick": lambda: compare("median-quick", QUICK_SIZE_PX, pairs),
    }
    for name in cases or ():
        if name not in known:
            sys.exit(f"error: no case {name!r}; there are {', '.join(known)}")
    return [known[name]() for name in cases or ("median", "growth-dates")]


def make_blocks(size: int) -> list[np.ndarray]:
    """Blocks of rows, (dates, bands, rows, columns) float32, NaN where a date is cloudy."""
    references = sam.make_references(sam.OLI, sam.MINERALS[:13], "Landsat-8 OLI_TIRS")[:, :BANDS]
    generator = np.random.default_rng(sam.SEED)
    ground = sam.make_rows(references, size, size, sam.SEED)
    blocks = []
    for start in range(0, size, BLOCK_ROWS):
        block = generator.standard_normal((DATES, BANDS, BLOCK_ROWS, size), np.float32)
        block *= 0.02
        block += ground[:, start : start + BLOCK_ROWS]
        for look in block:
            cloudy = generator.random((BLOCK_ROWS // CLOUD_PX, size // CLOUD_PX)) < CLOUDY
            look[:, cloudy.repeat(CLOUD_PX, axis=0).repeat(CLOUD_PX, axis=1)] = np.nan
        blocks.append(block)
    return blocks


def median(block: np.ndarray) -> np.ndarray:
    """Ours; counting the looks, which the tool knows from the masks, is part of it."""
    looks = np.isfinite(block[:, 0]).sum(axis=0)
    medians = median_of_looks(block.reshape(*block.shape[:2], -1), looks.ravel())
    return medians.reshape(block.shape[1:])


def numpy_median(block: np.ndarray) -> np.ndarray:
    """numpy's."""
    return np.nanmedian(block, axis=0)


def bottleneck_median(block: np.ndarray) -> np.ndarray:
    """Bottleneck's."""
    return bottleneck.nanmedian(block, axis=0)


def compare(name: str, size: int, pairs: int) -> dict:
    """Time ours, numpy, Bottleneck and one read of the looks; compare all values."""
    blocks = make_blocks(size)

    def over(function: Callable[[np.ndarray], object], threads: int) -> Callable[[], None]:
        def work(block: np.ndarray) -> None:
            function(block)

        def over_blocks() -> None:
            with ThreadPoolExecutor(threads) as pool:
                for _ in pool.map(work, blocks):
                    pass

        return over_blocks

    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        times = sam.time_in_turns(
            pairs,
            over(median, sam.THREADS),
            over(numpy_median, 1),
            over(median, 1),
            over(numpy_median, sam.THREADS),
            over(bottleneck_median, sam.THREADS),
            over(np.max, sam.THREADS),
        )
        same = 0
        for block in blocks:
            expected, found = numpy_median(block), median(block)
            same += np.count_nonzero((found == expected) | (np.isnan(found) & np.isnan(expected)))
    tracemalloc.start()
    over(median, sam.THREADS)()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    own, _, alone, numpy_threads, other, read = (statistics.median(runs) for runs in times)
    return {
        "case": name,
        "peer": f"numpy {np.__version__}",
        **sam.summarise(times[:2]),
        "agree": same / (BANDS * size**2),
        "peak_mib": peak / 2**20,
        "floor_ratio": own / read,
        "ratio_one_thread": sam.summarise([times[2], times[1]])["ratio"],
        "ratio_two_threads": sam.summarise([times[0], times[3]])["ratio"],
        "ours_one_thread_s": alone,
        "numpy_two_threads_s": numpy_threads,
        "bottleneck": bottleneck.__version__,
        "bottleneck_two_threads_s": other,
        "bahia_core_hours": alone / (BANDS * size**2) * STUDY_BANDS * BAHIA_PX / 3600,
        "threads": sam.THREADS,
    }


def grow(times: int) -> dict:
    """Time and memory of ever more dates, on Linux."""
    runs = [[compose_alone(dates) for _ in range(times)] for dates in GROWTH_DATES]
    seconds = [statistics.median(second for second, _ in own) for own in runs]
    peaks = [max(peak for _, peak in own) for own in runs]
    return {
        "case": "growth-dates",
        **sam.tell_growth(GROWTH_DATES, "dates", seconds, peaks),
        "block_px": GROWTH_PX,
        "bands": STUDY_BANDS,
    }


class DrawnDate(Product):
    """A date that is a part of one noisy ground: as many rows and columns off as it comes later."""

    def __init__(self, place: int, ground: np.ndarray, clouds: np.ndarray):
        """The date at this place; larger arrays (bands, rows, columns), and without bands."""
        self.product_id = f"date {place}"
        transform = Affine(10, 0, 600_000, 0, -10, 8_700_000)
        self.grid = Grid(CRS.from_epsg(32723), transform, GROWTH_PX, GROWTH_PX)
        self.bands = BandTable(tuple(f"band_{band}" for band in range(STUDY_BANDS)))
        self._place, self._ground, self._clouds = place, ground, clouds

    def _part(self, window: Window) -> tuple[slice, slice]:
        rows, columns = (part.start + self._place for part in window.toslices())
        return slice(rows, rows + window.height), slice(columns, columns + window.width)

    def read_reflectance(self, window: Window) -> np.ndarray:
        """A part of the ground."""
        return self._ground[:, *self._part(window)].copy()

    def read_flags(self, window: Window, flags: tuple[str, ...]) -> np.ndarray:
        """Clouds, and no other flag."""
        cloudy = self._clouds[self._part(window)]
        return np.array([cloudy & (flag == "cloud") for flag in flags])

    def close(self) -> None:
        """Nothing is open."""


def compose_drawn(dates: int, folder: str) -> float:
    """Seconds of composing one block of so many drawn dates."""
    generator = np.random.default_rng(sam.SEED)
    side = GROWTH_PX + GROWTH_DATES[-1]
    ground = generator.standard_normal((STUDY_BANDS, side, side), np.float32)
    ground *= 0.02
    ground += 0.2
    clouds = generator.random((-(-side // CLOUD_PX),) * 2) < CLOUDY
    clouds = clouds.repeat(CLOUD_PX, axis=0).repeat(CLOUD_PX, axis=1)[:side, :side]
    drawn = [DrawnDate(place, ground, clouds) for place in range(dates)]
    work = Composite(select_part(drawn[0]), drawn, ("cloud",), folder)
    return sam.seconds(lambda: work.compose(Window(0, 0, GROWTH_PX, GROWTH_PX)))


def compose_alone(dates: int) -> tuple[float, float]:
    """`compose_drawn` in a process of its own, and its peak memory (MiB)."""
    code = "import sys, composite; print(composite.compose_drawn(int(sys.argv[1]), sys.argv[2]))"
    with tempfile.TemporaryDirectory() as folder:
        done = run_python(code, dates, folder)
    return float(done.printed), done.peak_mib
