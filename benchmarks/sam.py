"""Spectral angles against SPy: in memory with few and many bands, and from file to file.

The references are spectra of the analytic library at the bands of Landsat OLI and of an imaging
spectrometer; pixels are mixtures of two of them under varying light, with noise. Blocks of rows
are mapped in two threads and their results dropped, as a writer would consume them. SPy gets
blocks so high that its arrays fit into 512 MiB, as float32 or float64, whichever is faster. Its
time depends much on that height: `ratio_best_blocks` is the ratio where the height was tuned to the
processor's caches.

From file to file, the floor is reading the file with rasterio in as many threads as ours has, and
no more; `read_one_thread_s` is the same in one. Where Orfeo ToolBox is installed, `end-to-end`
tells its time, too (`otb_s`). `growth-pixels` maps scenes of 1 to 64 million pixels;
`growth-references` and `growth-bands` map scenes in memory. `slope` tells how the logarithm of time
grows with that of the size.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import rasterio
import spectral
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

from gossan.legend import NODATA
from gossan.library.readers import read_library, select_spectrum
from gossan.library.resample import resample_spectrum
from gossan.maps import FINE_STEPS, Ramp
from gossan.minerals.spectral_angle import map_angles
from gossan.raster import BLOCK_BYTES, BandTable, Grid, Layer, bound_gdal_cache, map_blocks
from processes import run_python

ROOT = Path(__file__).resolve().parents[1]
THREADS = 2
SEED = 20240719
# Orfeo ToolBox (Debian: otb-bin).
OTB = "otbcli_SpectralAngleClassification"
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
EMIT_SHAPE = (1280, 1242)
# Sides of scenes of 1 to 64 million pixels (2**20); references of 7 bands; bands.
GROWTH_PX = (1024, 2048, 4096, 6144, 8192)
GROWTH_REFERENCES = (8, 16, 32, 64, 128)
GROWTH_BANDS = (18, 36, 71, 142, 285)
PATCH_PX = 8
# Standard deviation of reflectance: a signal-to-noise ratio of some hundreds, as OLI has.
PEER_BYTES = 512 * 2**20
NOISE = 0.002
# Both store angles as int16 in these steps.
ANGLE_STEP_RAD = FINE_STEPS["scale"]


def run(cases: list[str] | None, pairs: int) -> list[dict]:
    """Run the cases called `cases`, or all, with so many pairs of runs each."""
    known = {
        "multispectral": run_multispectral,
        "hyperspectral": run_hyperspectral,
        "end-to-end": run_end_to_end,
        "hyperspectral-file": run_hyperspectral_file,
        "growth-pixels": run_growth,
        "growth-references": grow_with_references,
        "growth-bands": grow_with_bands,
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
    pool = ThreadPoolExecutor(THREADS)

    def ours() -> None:
        over_blocks(lambda block: map_angles(block, references), cube, pool)

    def read() -> None:
        over_blocks(lambda block: [band.max() for band in block], cube, pool)

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


def over_blocks(
    function: Callable[[np.ndarray], object], cube: np.ndarray, pool: ThreadPoolExecutor
) -> None:
    """Call a function on all blocks of a scene, as high as the engine makes them."""
    bands, rows, columns = cube.shape
    engine_px = min(512 * 512, BLOCK_BYTES // (4 * bands))
    # Enough blocks that no thread waits long for the other's last one.
    height = min(engine_px // columns, rows // 32)

    def work(block: np.ndarray) -> None:
        function(block)

    for _ in pool.map(work, split_rows(cube, height)):
        pass


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


def tell_growth(
    sizes: Sequence[float], unit: str, times: Sequence[float], peaks_mib: Sequence[float] = ()
) -> dict:
    """Sizes, seconds, memory, and the slope of log time over log size, as fields of a case."""
    return {
        "unit": unit,
        "sizes": list(sizes),
        "seconds": list(times),
        "peaks_mib": list(peaks_mib),
        "slope": float(np.polyfit(np.log(sizes), np.log(times), 1)[0]),
        "threads": THREADS,
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
        case = compare_from_file(scene, references, folder, ("class", "angle"), pairs)
        case |= compare_with_otb(scene, references, folder, pairs)
        full_scene = folder / "full.tif"
        write_scene(full_scene, references, FULL_SCENE_PX)
        full_peak = measure_memory(full_scene, folder)
    return {
        "case": "end-to-end",
        **case,
        "full_scene_peak_mib": full_peak,
        "full_scene_px": FULL_SCENE_PX,
    }


def run_hyperspectral_file(pairs: int) -> dict:
    """From a cube of 285 bands, 1280 lines of 1242 samples, to class, angle and margin GeoTIFFs."""
    references = make_references(SPECTROMETER, MINERALS, None)
    cube = make_cube(references, *EMIT_SHAPE, "int16")
    grid = Grid(CRS.from_epsg(32643), Affine(60, 0, 430_000, 0, -60, 3_990_000), *EMIT_SHAPE[::-1])
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        # In the layout of this project's own cubes.
        layer = Layer(folder / "cube.tif", "int16", -32768, SPECTROMETER, 1e-4)
        map_blocks(lambda block: block, [lambda w: cube[:, *w.toslices()]], [layer], grid=grid)
        names = ("class", "angle", "margin")
        case = compare_from_file(layer.path, references, folder, names, pairs)
    return {"case": "hyperspectral-file", **case}


def grow_with_pixels(
    measure: Callable[[Path, int], tuple[float, float]], sides_px: Sequence[int]
) -> dict:
    """Growth with square scenes of ever more pixels, as a case.

    `measure` gets an empty folder for the files of one scene and its side in pixels, and gives
    seconds and peak memory (MiB).
    """
    measured = []
    for side in sides_px:
        with tempfile.TemporaryDirectory() as folder:
            measured.append(measure(Path(folder), side))
    times, peaks = zip(*measured, strict=True)
    sizes = [side**2 / 2**20 for side in sides_px]
    return {"case": "growth-pixels", **tell_growth(sizes, "Mpx", times, peaks)}


def run_growth(pairs: int) -> dict:
    """Time and memory from file to file of ever larger scenes of 7 bands."""
    references = make_references(OLI, MINERALS[:13], "Landsat-8 OLI_TIRS")

    def measure(folder: Path, side: int) -> tuple[float, float]:
        scene = folder / "scene.tif"
        write_scene(scene, references, side)
        own = folder / "class.tif", folder / "angle.tif"
        (runs,) = time_in_turns(pairs, lambda: map_file(scene, references, own))
        return statistics.median(runs), measure_memory(scene, folder)

    return grow_with_pixels(measure, GROWTH_PX)


def grow_with_references(pairs: int) -> dict:
    """Time of 7 bands, 4096 x 4096 pixels, int16, with ever more references: mixtures of two."""
    minerals = make_references(OLI, MINERALS, "Landsat-8 OLI_TIRS")
    most = make_rows(minerals, 1, GROWTH_REFERENCES[-1] * PATCH_PX, SEED)[:, 0, ::PATCH_PX].T
    cube = make_cube(minerals, SCENE_PX, SCENE_PX, "int16")
    scenes = [(cube, most[:count]) for count in GROWTH_REFERENCES]
    times = time_in_memory(scenes, pairs)
    return {"case": "growth-references", **tell_growth(GROWTH_REFERENCES, "references", times)}


def grow_with_bands(pairs: int) -> dict:
    """Time of 512 lines of 1242 samples, int16, with 20 references and ever more bands."""
    references = make_references(SPECTROMETER, MINERALS, None)
    cube = make_cube(references, 512, 1242, "int16")
    scenes = [(cube[:count], references[:, :count]) for count in GROWTH_BANDS]
    return {
        "case": "growth-bands",
        **tell_growth(GROWTH_BANDS, "bands", time_in_memory(scenes, pairs)),
    }


def time_in_memory(scenes: Sequence[tuple[np.ndarray, np.ndarray]], pairs: int) -> list[float]:
    """Seconds of ours for each pair of a scene and references."""
    with ThreadPoolExecutor(THREADS) as pool:
        ways = [
            lambda cube=cube, references=references: over_blocks(
                lambda block: map_angles(block, references), cube, pool
            )
            for cube, references in scenes
        ]
        # Loops are compiled once for each shape.
        for way in ways:
            way()
        return [statistics.median(runs) for runs in time_in_turns(pairs, *ways)]


def compare_from_file(
    scene: Path, references: np.ndarray, folder: Path, names: tuple[str, ...], pairs: int
) -> dict:
    """Time ours, SPy with rasterio, and reading alone; compare the rasters, measure the memory."""
    own, theirs = ([folder / f"{whose}_{name}.tif" for name in names] for whose in ("own", "peer"))
    map_file(scene, references, own)
    times = time_in_turns(
        pairs,
        lambda: map_file(scene, references, own),
        lambda: map_file_with_spy(scene, references, theirs),
        lambda: read_file(scene, THREADS),
        lambda: read_file(scene, 1),
    )
    agree, worst = compare_files(own, theirs)
    ours, _, read, read_alone = map(statistics.median, times)
    return {
        "peer": f"{PEER} + rasterio {rasterio.__version__}",
        **summarise(times),
        "agree": agree,
        "peak_mib": measure_memory(scene, folder),
        "floor_ratio": ours / read,
        "max_difference_rad": worst,
        "read_s": read,
        "read_one_thread_s": read_alone,
        "threads": THREADS,
    }


def read_file(scene: Path, threads: int) -> None:
    """Read all blocks of a file with rasterio, with a dataset for each thread."""
    bound_gdal_cache()
    with rasterio.open(scene) as dataset:
        # As the engine takes them: many bands make its blocks as small as a tile.
        side = dataset.block_shapes[0][0]
        windows = [
            Window(column, row, min(side, dataset.width - column), min(side, dataset.height - row))
            for row in range(0, dataset.height, side)
            for column in range(0, dataset.width, side)
        ]

    def read(part: int) -> None:
        with rasterio.open(scene) as dataset:
            for window in windows[part::threads]:
                dataset.read(window=window)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(read, range(threads)))


def write_cube(path: Path, references: np.ndarray, bands: BandTable, side: int) -> None:
    """A square scene in the layout of this project's own cubes."""

    def make(window: Window) -> np.ndarray:
        seed = SEED + window.row_off * side + window.col_off
        return make_rows(references, window.height, window.width, seed)

    grid = Grid(CRS.from_epsg(32643), Affine(30, 0, 430_000, 0, -30, 3_990_000), side, side)
    layer = Layer(path, "int16", -32768, bands, 1e-4, tags={"SYNTHETIC": "yes"})
    map_blocks(lambda block: block, [make], [layer], grid=grid, threads=THREADS)


def write_classes(path: Path, names: Sequence[str]) -> None:
    """A class table whose codes are 1, 2, ... in the order of the names."""
    rows = [f"{code},{name},{name},#{code:06x}" for code, name in enumerate(names, start=1)]
    path.write_text("\n".join(["code,name,label,colour", *rows, ""]))


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


def map_file(scene: Path, references: np.ndarray, paths: Sequence[Path]) -> None:
    """Rasters of class, angle and, of three paths, margin by this project's raster engine."""

    def classify(block: np.ndarray) -> Sequence[np.ndarray]:
        return map_angles(block, references, nodata=-32768)[: len(paths)]

    layers = [
        Layer(paths[0], "uint8", NODATA, ("class",), overviews="mode"),
        *(Ramp.of_angles(path, ("angle_rad",), 0.5).layer() for path in paths[1:]),
    ]
    map_blocks(classify, [scene], layers, threads=THREADS, scaled=False)


def map_file_with_spy(scene: Path, references: np.ndarray, paths: Sequence[Path]) -> None:
    """The same rasters by SPy and rasterio."""
    with rasterio.open(scene) as source, ExitStack() as stack:
        tiled = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
        profile = dict(source.profile, count=1, **tiled)
        classes = dict(profile, dtype="uint8", nodata=NODATA, predictor=1)
        angles = dict(profile, dtype="int16", nodata=-32768, predictor=2)
        targets = [
            stack.enter_context(rasterio.open(path, "w", **(angles if place else classes)))
            for place, path in enumerate(paths)
        ]
        for window in peer_windows(source):
            block = source.read(window=window)
            nodata = (block == source.nodata).any(axis=0)
            image = np.moveaxis(block, 0, -1).astype("f8")
            found = spectral.spectral_angles(image, references)
            results = [found.argmin(axis=-1) + 1, found.min(axis=-1)]
            if len(paths) > 2:
                least = np.partition(found, 1, axis=-1)
                results.append(least[..., 1] - least[..., 0])
            for target, result in zip(targets, results, strict=True):
                steps = 1 if target is targets[0] else ANGLE_STEP_RAD
                filled = np.where(nodata, target.nodata, np.rint(result / steps))
                target.write(filled.astype(target.dtypes[0]), 1, window=window)


def compare_with_otb(scene: Path, references: np.ndarray, folder: Path, pairs: int) -> dict:
    """The same classes, and no angles, by Orfeo ToolBox as a process; nothing where it lacks."""
    if shutil.which(OTB) is None:
        return {}
    names = ("own_class", "own_angle", "otb_class", "ends")
    own, angle, theirs, ends = (folder / f"{name}.tif" for name in names)
    profile = {"width": len(references), "height": 1, "count": references.shape[1]}
    placed = {"crs": "EPSG:32643", "transform": Affine(30, 0, 430_000, 0, -30, 3_990_000)}
    with rasterio.open(ends, "w", dtype="float64", **profile, **placed) as dataset:
        dataset.write(references.T[:, np.newaxis])
    packed = f"{theirs}?&gdal:co:COMPRESS=DEFLATE&gdal:co:TILED=YES"
    command = [OTB, "-in", scene, "-ie", ends, "-out", packed, "uint8"]
    times = time_in_turns(
        pairs,
        lambda: map_file(scene, references, (own, angle)),
        lambda: subprocess.run(command, capture_output=True, check=True),
    )
    told = summarise(times)
    same = compare_files([own], [theirs])[0]
    return {"otb_s": told["peer_s"], "otb_ratio": told["ratio"], "otb_agree": same}


def peer_windows(source: rasterio.DatasetReader) -> Iterator[Window]:
    """The tiles of few bands; of many, full rows of tiles, as they lie in the file."""
    if source.count < 64:
        yield from (window for _, window in source.block_windows(1))
    else:
        yield from row_windows(source, source.block_shapes[0][0])


def compare_files(own: Sequence[Path], theirs: Sequence[Path]) -> tuple[float, float]:
    """Share of pixels of the same class, and the largest difference of angles and margins."""
    pairs = [[rasterio.open(path).read(1) for path in two] for two in zip(own, theirs, strict=True)]
    worst = max(
        (int(np.abs(ours.astype(np.int32) - its).max()) for ours, its in pairs[1:]), default=0
    )
    return float(np.mean(pairs[0][0] == pairs[0][1])), worst * ANGLE_STEP_RAD


def measure_memory(scene: Path, folder: Path) -> float:
    """Peak resident memory (MiB) of a process that maps a scene, on Linux."""
    code = (
        "import sys; from pathlib import Path; import rasterio, sam;"
        "scene, folder = map(Path, sys.argv[1:]);"
        "many = rasterio.open(scene).count > 64;"
        "references = sam.make_references(sam.SPECTROMETER, sam.MINERALS, None) if many else "
        "sam.make_references(sam.OLI, sam.MINERALS[:13], 'Landsat-8 OLI_TIRS');"
        "sam.map_file(scene, references, [folder / f'{name}.tif' for name in 'abc'[: 2 + many]])"
    )
    return run_python(code, scene, folder).peak_mib
