"""Spectral angles against SPy: in memory with few and many bands, and from file to file.

The references are spectra of the analytic library at the bands of Landsat OLI and of an imaging
spectrometer; pixels are mixtures of two of them under varying light, with noise. Blocks of rows
are mapped in two threads and their results dropped, as a writer would consume them. SPy gets
blocks so high that its arrays fit into 512 MiB, as float32 or float64, whichever is faster. Its
time depends much on that height: `ratio_best_blocks` is the ratio where the height was tuned to the
processor's caches.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import rasterio
import spectral
from rasterio.windows import Window

from gossan.legend import NODATA
from gossan.library.readers import read_library, select_spectrum
from gossan.library.resample import resample_spectrum
from gossan.minerals.spectral_angle import map_angles
from gossan.raster import BLOCK_BYTES, BandTable, Layer, map_blocks

ROOT = Path(__file__).resolve().parents[1]
THREADS = 2
SEED = 20240719
PEER = f"SPy {spectral.__version__}"
OLI = BandTable(
    tuple(f"B{number}" for number in range(1, 8)),
    (0.443, 0.4826, 0.5613, 0.6546, 0.8646, 1.609, 2.201),
    (0.016, 0.060, 0.057, 0.037, 0.028, 0.085, 0.187),
)
SPECTROMETER = BandTable(
    tuple(f"band_{number}" for number in range(1, 286)),
    tuple(np.linspace(0.381, 2.493, 285)),
    (0.0085,) * 285,
)
MINERALS = (
    *("chlorite", "chalcocite", "pyrite", "epidote", "malachite", "calcite", "alunite"),
    *("magnetite", "biotite", "serpentine", "dolomite", "feldspar", "muscovite"),
    *("goethite", "hematite", "jarosite", "kaolinite", "montmorillonite", "gypsum"),
    "buddingtonite",
)
SCENE_PX = 4096
FULL_SCENE_PX = 7700
PATCH_PX = 8
# Standard deviation of reflectance: a signal-to-noise ratio of some hundreds, as OLI has.
PEER_BYTES = 512 * 2**20
NOISE = 0.002


def run(cases: list[str] | None, pairs: int) -> list[dict]:
    """Run the cases called `cases`, or all, with so many pairs of runs each."""
    known = {
        "multispectral": run_multispectral,
        "hyperspectral": run_hyperspectral,
        "end-to-end": run_end_to_end,
    }
    for name in cases or ():
        if name not in known:
            sys.exit(f"error: no case {name!r}; there are {', '.join(known)}")
    return [known[name](pairs) for name in cases or known]


def run_multispectral(pairs: int) -> dict:
    """7 bands, 4096 x 4096 pixels, int16, 13 references."""
    references = make_references(OLI, MINERALS[:13], "Landsat-8 OLI_TIRS")
    cube = make_cube(references, SCENE_PX, SCENE_PX, "int16")
    return {"case": "multispectral", **compare_in_memory(cube, references, pairs)}


def run_hyperspectral(pairs: int) -> dict:
    """285 bands, 512 lines of 1242 samples, float32, 20 references."""
    references = make_references(SPECTROMETER, MINERALS, None)
    cube = make_cube(references, 512, 1242, "float32")
    return {"case": "hyperspectral", **compare_in_memory(cube, references, pairs)}


def make_references(bands: BandTable, names: tuple[str, ...], sensor: str | None) -> np.ndarray:
    """Reflectance (references, bands) of minerals at a sensor's bands.

    Beyond the range of a mineral's record its last value goes on.
    """
    library = read_library(ROOT / "resources" / "static" / "analytic_library.csv")
    place = np.arange(len(bands.names))
    references = []
    for name in names:
        values = resample_spectrum(select_spectrum(library, name), bands, sensor)
        known = np.isfinite(values)
        references.append(np.interp(place, place[known], values[known]))
    return np.array(references)


def make_rows(references: np.ndarray, rows: int, columns: int, seed: int) -> np.ndarray:
    """Reflectance (bands, rows, columns), float32, of noisy mixtures of two references.

    Mixtures and light are the same in patches of PATCH_PX pixels, and the light of each pixel
    differs by some percent, as slopes and textures make it.
    """
    generator = np.random.default_rng(seed)
    spectra = references.astype(np.float32)
    shape = -(-rows // PATCH_PX), -(-columns // PATCH_PX)
    first, second = generator.integers(0, len(spectra), (2, *shape))
    share, light = generator.random((2, *shape, 1), np.float32)
    patches = spectra[second]
    patches += (0.4 + 0.6 * share) * (spectra[first] - patches)
    patches *= 0.5 + 0.7 * light
    pixels = patches.repeat(PATCH_PX, axis=0).repeat(PATCH_PX, axis=1)[:rows, :columns]
    pixels *= 0.95 + 0.1 * generator.random((rows, columns, 1), np.float32)
    pixels += NOISE * generator.standard_normal(pixels.shape, np.float32)
    return np.maximum(pixels, np.float32(1e-4)).transpose(2, 0, 1)


def make_cube(references: np.ndarray, rows: int, columns: int, dtype: str) -> np.ndarray:
    """A scene (bands, rows, columns) as float32 reflectance, or int16 in steps of 1e-4."""
    cube = np.empty((references.shape[1], rows, columns), dtype)
    for start in range(0, rows, 64):
        block = make_rows(references, min(64, rows - start), columns, SEED + start)
        cube[:, start : start + 64] = np.rint(block * 1e4) if dtype == "int16" else block
    return cube


def split_rows(cube: np.ndarray, height: int) -> Iterator[np.ndarray]:
    """Blocks of full rows."""
    for start in range(0, cube.shape[1], height):
        yield cube[:, start : start + height]


def map_with_spy(block: np.ndarray, references: np.ndarray, dtype: str) -> tuple:
    """Class index and angle of the nearest reference, by SPy."""
    image = np.moveaxis(block, 0, -1).astype(dtype)
    angles = spectral.spectral_angles(image, references)
    return angles.argmin(axis=-1), angles.min(axis=-1)


def compare_in_memory(cube: np.ndarray, references: np.ndarray, pairs: int) -> dict:
    """Time ours, SPy and one read of a scene in memory, and check ours on every pixel."""
    bands, rows, columns = cube.shape
    engine_px = min(512 * 512, BLOCK_BYTES // (4 * bands))
    # Enough blocks that no thread waits long for the other's last one.
    height = min(engine_px // columns, rows // 32)
    pool = ThreadPoolExecutor(THREADS)

    def over_blocks(function: Callable[[np.ndarray], object]) -> None:
        def work(block: np.ndarray) -> None:
            function(block)

        for _ in pool.map(work, split_rows(cube, height)):
            pass

    def ours() -> None:
        over_blocks(lambda block: map_angles(block, references))

    def read() -> None:
        over_blocks(lambda block: [band.max() for band in block])

    def peer(scene: np.ndarray, way: tuple[int, str]) -> None:
        for block in split_rows(scene, way[0]):
            map_with_spy(block, references, way[1])

    def fastest(heights: tuple[int, ...]) -> tuple[int, str]:
        ways = [(peer_height, dtype) for peer_height in heights for dtype in ("f4", "f8")]
        sample = cube[:, : max(rows // 8, *heights)]
        return min(ways, key=lambda way: min(seconds(lambda: peer(sample, way)) for _ in range(2)))

    ours()
    # SPy holds the block in double precision and three arrays of all angles.
    row_bytes = 8 * columns * (bands + 3 * len(references))
    way = fastest((min(rows, PEER_BYTES // row_bytes),))
    tuned = fastest((2, 4, 8, 16, 32))
    times = time_in_turns(pairs, ours, lambda: peer(cube, way), read, lambda: peer(cube, tuned))
    tracemalloc.start()
    ours()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    pool.shutdown()
    return {
        "peer": PEER,
        **summarise(times),
        "peak_mib": peak / 2**20,
        "floor_ratio": statistics.median(times[0]) / statistics.median(times[2]),
        **check_against_float64(cube, references),
        "peer_rows_per_block": way[0],
        "peer_dtype": np.dtype(way[1]).name,
        "ratio_best_blocks": summarise([times[0], times[3]])["ratio"],
        "best_blocks_rows": tuned[0],
        "best_blocks_s": statistics.median(times[3]),
        "read_s": statistics.median(times[2]),
        "threads": THREADS,
    }


def seconds(function: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def time_in_turns(pairs: int, *functions: Callable[[], object]) -> list[list[float]]:
    """Seconds of each function's runs, taken in turns so that other load hits all alike."""
    rounds = [[seconds(function) for function in functions] for _ in range(pairs)]
    return [list(times) for times in zip(*rounds, strict=True)]


def summarise(times: list[list[float]]) -> dict:
    """Ratio (median over the pairs) and medians of ours, times[0], and the peer's, times[1]."""
    ratios = [peer / own for own, peer in zip(times[0], times[1], strict=True)]
    return {
        "ratio": statistics.median(ratios),
        "ours_s": statistics.median(times[0]),
        "peer_s": statistics.median(times[1]),
        "ratio_lowest": min(ratios),
        "ratio_highest": max(ratios),
    }


def tell_growth(sizes: Sequence[int], times: Sequence[float]) -> dict:
    """Sizes, seconds, and the slope of log time over log size, as fields of a case."""
    return {
        "slope": float(np.polyfit(np.log(sizes), np.log(times), 1)[0]),
        **{f"seconds_{size}": own for size, own in zip(sizes, times, strict=True)},
    }


def check_against_float64(cube: np.ndarray, references: np.ndarray) -> dict:
    """Share of all pixels with the class of float64 arithmetic, and the largest angle error."""
    unit = references / np.linalg.norm(references, axis=1, keepdims=True)
    same = 0
    worst = worst_margin = 0.0
    for block in split_rows(cube, 16):
        classes, angle, margin = map_angles(block, references)
        pixels = block.reshape(len(block), -1).astype(np.float64)
        cosines = unit @ pixels / np.sqrt(np.einsum("bp,bp->p", pixels, pixels))
        nearest = cosines.argmax(axis=0)
        same += np.count_nonzero(classes.ravel() == nearest + 1)
        least = np.sort(np.arccos(np.clip(cosines, -1, 1)), axis=0)[:2]
        worst = max(worst, np.abs(angle.ravel() - least[0]).max())
        error = np.abs(margin.ravel() - (least[1] - least[0])).max()
        worst_margin = max(worst_margin, error)
    return {
        "agree": same / (cube.shape[1] * cube.shape[2]),
        "max_angle_error_rad": float(worst),
        "max_margin_error_rad": float(worst_margin),
    }


def run_end_to_end(pairs: int) -> dict:
    """From a DEFLATE-compressed GeoTIFF to class and angle GeoTIFFs, and the memory of it."""
    references = make_references(OLI, MINERALS[:13], "Landsat-8 OLI_TIRS")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        scene = folder / "scene.tif"
        write_scene(scene, references, SCENE_PX)
        own = folder / "class.tif", folder / "angle.tif"
        theirs = folder / "peer_class.tif", folder / "peer_angle.tif"

        def read() -> None:
            with rasterio.open(scene) as dataset:
                for window in row_windows(dataset, 512):
                    dataset.read(window=window)

        times = time_in_turns(
            pairs,
            lambda: map_file(scene, references, *own),
            lambda: map_file_with_spy(scene, references, *theirs),
            read,
        )
        agree, worst = compare_files(own, theirs)
        peak = measure_memory(scene, folder)
        full_scene = folder / "full.tif"
        write_scene(full_scene, references, FULL_SCENE_PX)
        full_peak = measure_memory(full_scene, folder)
    return {
        "case": "end-to-end",
        "peer": f"{PEER} + rasterio {rasterio.__version__}",
        **summarise(times),
        "agree": agree,
        "peak_mib": peak,
        "floor_ratio": statistics.median(times[0]) / statistics.median(times[2]),
        "max_angle_difference_rad": worst,
        "full_scene_peak_mib": full_peak,
        "full_scene_px": FULL_SCENE_PX,
        "read_s": statistics.median(times[2]),
        "threads": THREADS,
    }


def write_scene(path: Path, references: np.ndarray, size: int) -> None:
    """A square scene of 7 bands as a DEFLATE-compressed, tiled GeoTIFF."""
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=size,
        height=size,
        count=references.shape[1],
        dtype="int16",
        nodata=-32768,
        crs="EPSG:32643",
        transform=rasterio.Affine(30, 0, 430_000, 0, -30, 3_990_000),
        compress="deflate",
        predictor=2,
        tiled=True,
        blockxsize=512,
        blockysize=512,
        num_threads=THREADS,
    ) as dataset:
        for window in row_windows(dataset, 512):
            block = make_rows(references, window.height, size, SEED + window.row_off)
            dataset.write(np.rint(block * 1e4).astype(np.int16), window=window)


def row_windows(dataset: rasterio.DatasetReader, height: int) -> Iterator[Window]:
    """Windows of full rows."""
    for row in range(0, dataset.height, height):
        yield Window(0, row, dataset.width, min(height, dataset.height - row))


def map_file(scene: Path, references: np.ndarray, class_path: Path, angle_path: Path) -> None:
    """Class and angle rasters of a scene by this project's raster engine."""

    def classify(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return map_angles(block, references, nodata=-32768)[:2]

    layers = [
        Layer(class_path, "uint8", NODATA, ("class",), overviews="mode"),
        Layer(angle_path, "float32", np.nan, ("angle_rad",)),
    ]
    map_blocks(classify, [scene], layers, threads=THREADS, scaled=False)


def map_file_with_spy(
    scene: Path, references: np.ndarray, class_path: Path, angle_path: Path
) -> None:
    """The same rasters by SPy and rasterio."""
    with rasterio.open(scene) as source:
        profile = dict(source.profile, count=1, predictor=1)
        with (
            rasterio.open(class_path, "w", **{**profile, "dtype": "uint8", "nodata": 255}) as one,
            rasterio.open(
                angle_path, "w", **{**profile, "dtype": "float32", "nodata": np.nan, "predictor": 3}
            ) as two,
        ):
            for _, window in source.block_windows(1):
                block = source.read(window=window)
                nodata = (block == source.nodata).any(axis=0)
                classes, angle = map_with_spy(block, references, "f8")
                one.write(np.where(nodata, 255, classes + 1).astype("uint8"), 1, window=window)
                two.write(np.where(nodata, np.nan, angle).astype("float32"), 1, window=window)


def compare_files(own: tuple[Path, Path], theirs: tuple[Path, Path]) -> tuple[float, float]:
    """Share of pixels of the same class, and the largest difference of angles."""
    classes, other_classes, angle, other_angle = (
        rasterio.open(path).read(1) for path in (own[0], theirs[0], own[1], theirs[1])
    )
    return float(np.mean(classes == other_classes)), float(np.abs(angle - other_angle).max())


def measure_memory(scene: Path, folder: Path) -> float:
    """Peak resident memory (MiB) of a process that maps a scene, on Linux."""
    code = (
        "import sys; from pathlib import Path; import sam;"
        "references = sam.make_references(sam.OLI, sam.MINERALS[:13], 'Landsat-8 OLI_TIRS');"
        "scene, folder = map(Path, sys.argv[1:]);"
        "sam.map_file(scene, references, folder / 'class.tif', folder / 'angle.tif');"
        # Not ru_maxrss, in which Linux counts the parent before exec.
        "lines = dict(line.split(':') for line in open('/proc/self/status'));"
        "print(int(lines['VmHWM'].split()[0]) / 1024)"
    )
    paths = os.pathsep.join([str(ROOT / "benchmarks"), str(ROOT / "scripts")])
    done = subprocess.run(
        [sys.executable, "-c", code, scene, folder],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)
