"""Pixel purity against SPy's `ppi`, along the same skewers: time, memory, agreement.

30 noise fractions of 256 lines of 1242 samples of an imaging spectrometer, made as in `mnf.py`.
Ours takes them as they are stored, float32, block by block in two threads, once for the extremes
and once to count; SPy takes the whole scene as float64 in its own order (bands last), which is
what it is fastest with, and one or two BLAS threads, whichever is faster. `ppi` counts all pixels
near an end, `ppi-ends` the extreme ones. The floor is the product of pixels and skewers in single
precision, once, at the rate of the BLAS in two threads.
"""

import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from unittest import mock

import numpy as np
import spectral
from rasterio.windows import Window
from threadpoolctl import threadpool_limits

import mnf
from gossan.raster import Grid, split_blocks
from gossan.transforms.pixel_purity import (
    Extremes,
    count_purity,
    find_extremes,
    make_skewers,
    number_places,
)
from sam import (
    MINERALS,
    PEER,
    SEED,
    SPECTROMETER,
    THREADS,
    make_cube,
    make_references,
    seconds,
    summarise,
    time_in_turns,
)

# Lines, skewers, threshold.
CASES = {
    "ppi": (256, 1000, 2.5),
    "ppi-ends": (256, 1000, 0.0),
    "ppi-quick": (64, 200, 2.5),
}


def run(cases: list[str] | None, pairs: int) -> list[dict]:
    """Run the cases called `cases`, or the two full ones, with so many pairs of runs each."""
    for name in cases or ():
        if name not in CASES:
            sys.exit(f"error: no case {name!r}; there are {', '.join(CASES)}")
    return [compare(name, pairs) for name in cases or ("ppi", "ppi-ends")]


def compare(case: str, pairs: int) -> dict:
    """Time both in turns, and the product alone; trace our memory, and compare all counts."""
    lines, count, threshold = CASES[case]
    references = make_references(SPECTROMETER, MINERALS, None)
    cube = make_cube(references, lines, 1242, "int16")
    skewers = make_skewers(count, mnf.COMPONENTS, SEED)
    spectral.settings.show_progress = False
    with ThreadPoolExecutor(THREADS) as pool:
        _, components = mnf.map_ours(mnf.cut_blocks(cube), pool)
        image = np.ascontiguousarray(np.moveaxis(components, 0, -1)).astype(np.float64)
        few = skewers[: count // 10]
        threads = min(
            (1, THREADS),
            key=lambda n: min(seconds(lambda: spy(image, few, threshold, n)) for _ in "ab"),
        )
        ours(components[:, :9], few, threshold, pool)
        times = time_in_turns(
            pairs,
            lambda: ours(components, skewers, threshold, pool),
            lambda: spy(image, skewers, threshold, threads),
            lambda: multiply(components, skewers, pool),
        )
        with mnf.trace_memory() as own:
            counts = ours(components, skewers, threshold, pool)
    with mnf.trace_memory() as theirs:
        expected = spy(image, skewers, threshold, threads)
    return {
        "case": case,
        "peer": PEER,
        **summarise(times),
        "agree": float(np.mean(counts == expected)),
        "peak_mib": own() / 2**20,
        "floor_ratio": statistics.median(times[0]) / statistics.median(times[2]),
        "peer_peak_mib": theirs() / 2**20,
        "product_s": statistics.median(times[2]),
        "pixels": counts.size,
        "skewers": count,
        "threshold": threshold,
        "threads": THREADS,
        "peer_threads": threads,
    }


def ours(
    components: np.ndarray, skewers: np.ndarray, threshold: float, pool: ThreadPoolExecutor
) -> np.ndarray:
    """Counts (rows, columns) over the blocks that the engine would cut."""
    _, rows, columns = components.shape
    windows = split_blocks(Grid(None, None, columns, rows), 512)
    result = np.empty((rows, columns), np.int32)

    def part(window: Window) -> tuple[np.ndarray, np.ndarray]:
        shape, origin = (window.height, window.width), (window.row_off, window.col_off)
        return components[:, *window.toslices()], number_places(shape, origin, columns)

    def extremes(window: Window) -> Extremes:
        block, places = part(window)
        return find_extremes(block, skewers, places)

    with threadpool_limits(1):
        found = reduce(Extremes.merge, pool.map(extremes, windows))

        def count(window: Window) -> None:
            block, places = part(window)
            result[window.toslices()] = count_purity(block, skewers, found, threshold, places)

        for _ in pool.map(count, windows):
            pass
    return result


def spy(image: np.ndarray, skewers: np.ndarray, threshold: float, threads: int) -> np.ndarray:
    """Counts by SPy, which is made to draw the same skewers."""
    drawn = iter(skewers + 0.5)
    with threadpool_limits(threads), mock.patch("numpy.random.rand", lambda bands: next(drawn)):
        return spectral.ppi(image, len(skewers), threshold=threshold)


def multiply(components: np.ndarray, skewers: np.ndarray, pool: ThreadPoolExecutor) -> None:
    """The product of all pixels and skewers, in parts that stay in the caches."""
    flat = components.reshape(len(components), -1)
    single = skewers.astype(np.float32)

    def part(start: int) -> None:
        pixels = np.ascontiguousarray(flat[:, start : start + 1024])
        for first in range(0, len(skewers), 256):
            single[first : first + 256] @ pixels

    with threadpool_limits(1):
        for _ in pool.map(part, range(0, flat.shape[1], 1024)):
            pass
