"""Minimum noise fraction of an imaging spectrometer's scene against SPy: time, memory, agreement.

285 bands of 1280 lines of 1242 samples, made as in `sam.py`: mixtures of minerals under varying
light, with noise. Ours gets the scene as cubes are stored, int16 in steps of 1e-4, in the blocks
that the engine reads, and takes them in two threads. SPy gets the same numbers as float32
reflectance, which it takes fastest, in its own order (bands last), and one or two BLAS threads,
whichever is faster on a part of the scene. Both sum up signal and noise, solve, and make the first
30 components. The floor is reading the scene from memory twice. `growth-pixels` runs the tool,
transform_mnf.py, on cubes of 19 bands to 10 components and the purity of their pixels, once on each
size; `growth-bands` times ours in memory. `slope` is that of log time over log size.
"""

import math
import statistics
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import spectral
from affine import Affine
from rasterio.windows import Window
from threadpoolctl import threadpool_limits

import sam
from gossan.raster import BLOCK_BYTES, Grid, split_blocks
from gossan.transforms.noise_fraction import (
    NoiseFraction,
    SceneSums,
    measure_block,
    solve,
    transform_block,
)
from processes import run_tool
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
    tell_growth,
    time_in_turns,
    write_cube,
)

COMPONENTS = 30
SIZES = {"mnf": (1280, 1242), "mnf-quick": (256, 1242)}
# Bands of 256 lines.
GROWTH_BANDS = (50, 80, 120, 190, 285)
# Of the growth with pixels: bands that are left out between two, components, skewers.
BAND_STEP, FEW_COMPONENTS, SKEWERS = 15, 10, 500


def run(cases: list[str] | None, pairs: int) -> list[dict]:
    """Run the cases called `cases`, or the one at full size, with so many pairs of runs each."""
    known = {
        **{name: lambda name=name: compare(name, pairs) for name in SIZES},
        "growth-pixels": grow_tool,
        "growth-bands": lambda: grow_with_bands(pairs),
    }
    for name in cases or ():
        if name not in known:
            sys.exit(f"error: no case {name!r}; there are {', '.join(known)}")
    return [known[name]() for name in cases or ("mnf",)]


def grow_tool() -> dict:
    """Time and memory of the tool, from file to file."""
    bands = SPECTROMETER.take(range(0, len(SPECTROMETER.names), BAND_STEP))
    references = make_references(bands, MINERALS, None)

    def measure(folder: Path, side: int) -> tuple[float, float]:
        write_cube(folder / "cube.tif", references, bands, side)
        done = run_tool(
            "transform_mnf",
            *("--cube", folder / "cube.tif", "--components", FEW_COMPONENTS),
            *("--skewers", SKEWERS, "--purity-threshold", 2.5, "--endmember-count", 0),
            *("--seed", SEED, "--output", folder / "components.tif"),
            *("--eigenvalues", folder / "eigenvalues.csv", "--purity", folder / "purity.tif"),
            *("--endmembers", folder / "endmembers.csv", "--places", folder / "places.csv"),
            *("--threads", THREADS),
        )
        return done.seconds, done.peak_mib

    return sam.grow_with_pixels(measure, sam.GROWTH_PX)


def grow_with_bands(pairs: int) -> dict:
    """Time of ours in memory at five numbers of bands."""
    references = make_references(SPECTROMETER, MINERALS, None)
    cube = make_cube(references, 256, 1242, "int16")
    with ThreadPoolExecutor(THREADS) as pool:
        parts = [cut_blocks(cube[:count]) for count in GROWTH_BANDS]
        map_ours(parts[0], pool)
        runs = time_in_turns(pairs, *(lambda part=part: map_ours(part, pool) for part in parts))
    times = [statistics.median(own) for own in runs]
    return {"case": "growth-bands", **tell_growth(GROWTH_BANDS, "bands", times)}


def compare(case: str, pairs: int) -> dict:
    """Time both in turns, then trace the memory of each and compare what they made."""
    references = make_references(SPECTROMETER, MINERALS, None)
    cube = make_cube(references, *SIZES[case], "int16")
    image = np.ascontiguousarray(np.moveaxis(cube, 0, -1)).astype(np.float32)
    image *= np.float32(1e-4)
    blocks = cut_blocks(cube)
    del cube
    spectral.settings.show_progress = False
    with ThreadPoolExecutor(THREADS) as pool:
        part = image[: len(image) // 8]
        spy_threads = min(
            (1, THREADS),
            key=lambda count: min(seconds(lambda: map_with_spy(part, count)) for _ in range(2)),
        )
        # Loops are compiled once.
        map_ours(cut_blocks(blocks[0][1]), pool)
        times = time_in_turns(
            pairs,
            lambda: map_ours(blocks, pool),
            lambda: map_with_spy(image, spy_threads),
            lambda: read(blocks, pool),
        )
        with trace_memory() as own:
            fraction, components = map_ours(blocks, pool)
    with trace_memory() as theirs:
        eigenvalues, reduced = map_with_spy(image, spy_threads)
    difference, same = 0.0, 0.0
    for place, component in enumerate(components):
        other = reduced[..., place] - reduced[..., place].mean()
        other *= np.sign(np.vdot(other, component))
        difference = max(difference, float(np.abs(other - component).max()))
        same += float(np.mean(np.abs(other - component) < 1e-3)) / len(components)
    return {
        "case": case,
        "peer": PEER,
        **summarise(times),
        "agree": same,
        "peak_mib": own() / 2**20,
        "floor_ratio": statistics.median(times[0]) / statistics.median(times[2]),
        "read_s": statistics.median(times[2]),
        "peer_peak_mib": theirs() / 2**20,
        "memory_share": own() / theirs(),
        "max_relative_eigenvalue_error": float(
            np.abs(fraction.eigenvalues / eigenvalues - 1.0).max()
        ),
        # In standard deviations of the noise. SPy takes the mean of float32 in float32, so its
        # components are off by a constant each, which is taken out here.
        "max_component_difference": difference,
        "ours_best_s": min(times[0]),
        "peer_best_s": min(times[1]),
        "ratio_of_bests": min(times[1]) / min(times[0]),
        "ours_spread_s": statistics.pstdev(times[0]),
        "components": COMPONENTS,
        "threads": THREADS,
        "peer_threads": spy_threads,
    }


def read(blocks: list[tuple[Window, np.ndarray]], pool: ThreadPoolExecutor) -> None:
    """Read all blocks twice: components can be made once all pixels have been seen."""
    for _ in range(2):
        for _ in pool.map(lambda item: [band.max() for band in item[1]], blocks):
            pass


@contextmanager
def trace_memory() -> Iterator[Callable[[], int]]:
    """Yield a function that gives, afterwards, the most bytes that were added meanwhile."""
    tracemalloc.start()
    try:
        yield lambda: peak
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()


def cut_blocks(cube: np.ndarray) -> list[tuple[Window, np.ndarray]]:
    """A scene (bands, rows, columns) in the blocks that the engine reads."""
    grid = Grid(None, Affine.identity(), *cube.shape[:0:-1])
    windows = split_blocks(grid, math.isqrt(BLOCK_BYTES // (4 * len(cube))))
    return [(window, cube[:, *window.toslices()].copy()) for window in windows]


def map_ours(
    blocks: list[tuple[Window, np.ndarray]], pool: ThreadPoolExecutor
) -> tuple[NoiseFraction, np.ndarray]:
    """Components of a scene (components, rows, columns) that comes in blocks."""
    last, block = blocks[-1]
    bands, rows, columns = len(block), last.row_off + last.height, last.col_off + last.width
    result = np.empty((COMPONENTS, rows, columns), np.float32)

    def transform(item: tuple[Window, np.ndarray]) -> None:
        window, block = item
        result[:, *window.toslices()] = transform_block(block, fraction, COMPONENTS)

    with threadpool_limits(1):
        sums = SceneSums(bands, columns)
        measured = pool.map(lambda item: measure_block(item[1]), blocks)
        for (window, _), own in zip(blocks, measured, strict=True):
            sums.add(window, own)
        fraction = solve(sums, SPECTROMETER.names[:bands], "scene")
        for _ in pool.map(transform, blocks):
            pass
    return fraction, result


def map_with_spy(image: np.ndarray, threads: int) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and components of a scene (rows, columns, bands) by SPy on so many threads."""
    with threadpool_limits(threads):
        result = spectral.mnf(spectral.calc_stats(image), spectral.noise_from_diffs(image))
        return result.napc.eigenvalues, result.reduce(image, num=COMPONENTS)
