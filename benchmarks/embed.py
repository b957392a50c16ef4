"""Embedding of a stack of five sensors against `keras.predict` and the nearest centroid.

A million pixels of 499 bands, all sensors present: mixtures of the analytic library's spectra under
varying light, with noise. Ours (`embedding_map.Mapper`, two threads) takes the stack as its
file has it, bands of int16, and makes class, distance and answer, block by block. The peer gets
rows of float32, whose making is not timed, and calls `predict` of the Keras model, with all of its
preprocessing, in TensorFlow's two threads, then `scipy.spatial.distance.cdist` to the references:
with the default batch of 32, and with one of 8192. Both sides run in processes of their own, in
turns; peaks are those of the processes, the pixels included.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import numpy as np

import sam
from gossan.cube.bands import SENSORS, StackBands
from gossan.raster import BLOCK_BYTES, BandTable, Grid, RasterInfo

PEER = f"Keras {version('keras')} + TensorFlow {version('tensorflow-cpu')} + SciPy"
# The paper's numbers of bands, evenly spread: what a band sees makes no difference to the time.
COUNTS = {"emit": 171, "enmap": 159, "prisma": 141, "sentinel2": 12, "worldview3": 16}
MINERALS = ("alunite", "chlorite", "calcite", "goethite", "hematite", "jarosite", "kaolinite")
COLUMNS = 1000
PIXELS = 1_000_000
QUICK_PIXELS = 100_000
BATCHES = {"batch-32": 32, "batch-8192": 8192}
GROWTH_PIXELS = (50_000, 100_000, 200_000, 400_000, 800_000)


def run(cases: list[str] | None, pairs: int) -> list[dict]:
    """Run the cases called `cases`, or the two full ones, with so many pairs of runs each."""
    known = {name: (batch, PIXELS) for name, batch in BATCHES.items()}
    known |= {f"{name}-quick": (batch, QUICK_PIXELS) for name, batch in BATCHES.items()}
    for name in cases or ():
        if name not in (*known, "growth-pixels"):
            sys.exit(f"error: no case {name!r}; there are {', '.join(known)}, growth-pixels")
    return [
        grow(pairs) if name == "growth-pixels" else compare(name, *known[name], pairs)
        for name in cases or BATCHES
    ]


def grow(pairs: int) -> dict:
    """Time and memory of ours at five sizes, pixels included."""
    times, peaks = [], []
    for pixels in GROWTH_PIXELS:
        with tempfile.TemporaryDirectory() as folder:
            write_inputs(Path(folder), pixels)
            runs = [call(Path(folder), "map_own", 0) for _ in range(pairs)]
        times.append(statistics.median(run["seconds"] for run in runs))
        peaks.append(max(run["peak_mib"] for run in runs))
    sizes = [pixels / 1e6 for pixels in GROWTH_PIXELS]
    return {"case": "growth-pixels", **sam.tell_growth(sizes, "Mpx", times, peaks)}


def make_bands() -> StackBands:
    """The bands of the stack."""
    centres = {name: np.linspace(0.42, 2.38, count) for name, count in COUNTS.items()}
    return StackBands(
        tuple(name for name, count in COUNTS.items() for _ in range(count)),
        tuple(f"B{place:03d}" for count in COUNTS.values() for place in range(1, count + 1)),
        tuple(float(centre) for own in centres.values() for centre in own),
        tuple(2.0 / count for count in COUNTS.values() for _ in range(count)),
    )


def make_references() -> np.ndarray:
    """Reflectance (minerals, bands) of the library's spectra."""
    bands = make_bands()
    table = BandTable(bands.names, bands.centre_um, (0.01,) * len(bands))
    return sam.make_references(table, MINERALS, None).astype(np.float32)


def make_model() -> tuple[object, object]:
    """The Keras model, untrained, and how it would be trained; speed is the same."""
    from gossan.embedding.training import Training, build_embedding
    from gossan.networks.keras_files import set_up_tensorflow

    training = Training(
        epochs=1,
        triplets=1,
        margin=0.3,
        hidden=256,
        embedding=32,
        networks=1,
        max_masked=4,
        mining="random",
        seed=sam.SEED,
        threads=sam.THREADS,
    )
    set_up_tensorflow(training.threads, training.seed)
    return build_embedding(make_bands(), training), training


def write_inputs(folder: Path, pixels: int) -> None:
    """Write the network as ONNX, and the same pixels as a stack and as rows."""
    from gossan.embedding.model import Header, write_model
    from gossan.embedding.training import branches_of

    references = make_references()
    model, training = make_model()
    header = Header(
        scene="benchmark",
        bands=make_bands(),
        minerals=MINERALS,
        codes=tuple(range(1, len(MINERALS) + 1)),
        embedding=model.output_shape[1],
        max_masked=training.max_masked,
        libraries=("analytic_library.csv",),
        modelled=True,
        records=(1,) * len(MINERALS),
    )
    write_model(folder / "net.onnx", header, branches_of(model, training), references)
    stack = sam.make_cube(references, pixels // COLUMNS, COLUMNS, "int16")
    np.save(folder / "stack.npy", stack)
    rows = np.empty((pixels, len(stack)), np.float32)
    for start in range(0, pixels, COLUMNS):
        block = stack.reshape(len(stack), -1)[:, start : start + COLUMNS]
        rows[start : start + COLUMNS] = block.T * np.float32(1e-4)
    np.save(folder / "rows.npy", rows)


def compare(name: str, batch: int, pixels: int, pairs: int) -> dict:
    """Run both sides in turns and compare their classes and distances."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        write_inputs(folder, pixels)
        call(folder, "map_own", 0)
        done = [(call(folder, "map_own", 0), call(folder, "map_peer", batch)) for _ in range(pairs)]
        times = [[sides[place]["seconds"] for sides in done] for place in (0, 1)]
        peaks = [max(sides[place]["peak_mib"] for sides in done) for place in (0, 1)]
        own, theirs = (np.load(folder / f"{side}.npy") for side in ("map_own", "map_peer"))
        inputs = [(folder / file).stat().st_size / 2**20 for file in ("stack.npy", "rows.npy")]
    return {
        "case": name,
        "peer": PEER,
        **sam.summarise(times),
        "agree": float(np.mean(own[0] == theirs[0])),
        "max_distance_error": float(np.abs(own[1] - theirs[1]).max()),
        "peak_mib": peaks[0],
        "peer_peak_mib": peaks[1],
        "pixels_mib": inputs[0],
        "peer_pixels_mib": inputs[1],
        "peer_batch": batch,
        "pixels": pixels,
        "threads": sam.THREADS,
    }


def call(folder: Path, side: str, batch: int) -> dict:
    """Run one side in a process of its own: its seconds, and its peak of memory (Linux)."""
    code = "import sys, embed; getattr(embed, sys.argv[1])(sys.argv[2], int(sys.argv[3]))"
    paths = os.pathsep.join([str(sam.ROOT / "benchmarks"), str(sam.ROOT / "scripts")])
    done = subprocess.run(
        [sys.executable, "-c", code, side, folder, str(batch)],
        env={**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def finish(folder: str, side: str, classes: np.ndarray, distance: np.ndarray, start: float) -> None:
    """Print time and memory, then write what was found."""
    seconds = time.perf_counter() - start
    # Not ru_maxrss, in which Linux counts the parent before exec.
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(json.dumps({"seconds": seconds, "peak_mib": int(lines["VmHWM"].split()[0]) / 1024}))
    np.save(Path(folder) / f"{side}.npy", np.stack([classes.ravel(), distance.ravel()]))


def map_own(folder: str, _batch: int) -> None:
    """Ours, in this process: blocks as high as `raster.map_blocks` makes them."""
    from gossan.embedding.mapper import Mapper
    from gossan.embedding.model import read_model

    stack = np.load(Path(folder) / "stack.npy")
    model = read_model(Path(folder) / "net.onnx")
    bands = model.header.bands
    grid = Grid(None, sam.rasterio.Affine(30, 0, 0, 0, -30, 0), *stack.shape[:0:-1])
    info = RasterInfo(
        Path("stack.tif"), grid, bands.table(), "int16", -32768.0, 1e-4, 0.0, {"SYNTHETIC": "yes"}
    )
    limits = np.full(len(model.header.minerals), 2.0)
    # So wide a limit lets all minerals be candidates; the winner is then the nearest.
    mapper = Mapper(model, limits, info, bands, Path("sensors.tif"))
    every_bit = sum(1 << SENSORS.index(name) for name in bands.sensors)
    every = np.full((1, *stack.shape[1:]), every_bit, np.uint8)
    height = max(1, min(BLOCK_BYTES // (4 * len(stack) * COLUMNS), stack.shape[1] // 8))
    mapper(stack[:, :1], every[:, :1])
    distance = np.empty((1 + len(limits), *stack.shape[1:]), np.float32)

    def work(first: int) -> None:
        part = slice(first, first + height)
        distance[:, part] = mapper(stack[:, part], every[:, part])[1]

    start = time.perf_counter()
    with ThreadPoolExecutor(sam.THREADS) as pool:
        list(pool.map(work, range(0, stack.shape[1], height)))
    finish(folder, "map_own", distance[1:].argmin(axis=0), distance[0], start)


def map_peer(folder: str, batch: int) -> None:
    """The peer, in this process."""
    from scipy.spatial.distance import cdist

    rows = np.load(Path(folder) / "rows.npy")
    model, _ = make_model()
    centroids = model.predict(make_references(), verbose=0)
    model.predict(rows[: 2 * batch], batch_size=batch, verbose=0)
    start = time.perf_counter()
    embeddings = model.predict(rows, batch_size=batch, verbose=0)
    distances = cdist(embeddings, centroids)
    nearest, distance = distances.argmin(axis=1), distances.min(axis=1)
    finish(folder, "map_peer", nearest, distance, start)
