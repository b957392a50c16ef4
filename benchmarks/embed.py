"""Embedding of a stack of five sensors against `keras.predict` and the nearest centroid.

A million pixels of 499 bands, all sensors present: mixtures of the analytic library's spectra under
varying light, with noise. Ours (`embedding_map.Mapper`, two threads) takes the stack as its
file has it, bands of int16, and makes class, distance and answer, block by block. The peer gets
rows of float32, whose making is not timed, and calls `predict` of the Keras model, with all of its
preprocessing, in TensorFlow's two threads, then `scipy.spatial.distance.cdist` to the references:
with the default batch of 32, and with one of 8192. Both sides run in processes of their own, in
turns; peaks are those of the processes, the pixels included. `growth-pixels` runs the tool,
map_embedding.py, from a stack of Sentinel-2 alone to the maps, once on each size.
"""

import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import numpy as np

import sam
from gossan.cube.bands import SENSORS, StackBands
from gossan.embedding import mapper
from gossan.raster import BLOCK_BYTES, BandTable, Grid, Layer, RasterInfo, map_blocks, read_info
from processes import run_python, run_tool

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

PEER = f"Keras {version('keras')} + TensorFlow {version('tensorflow-cpu')} + SciPy"
# The paper's numbers of bands, evenly spread: what a band sees makes no difference to the time.
COUNTS = {"emit": 171, "enmap": 159, "prisma": 141, "sentinel2": 12, "worldview3": 16}
MINERALS = ("alunite", "chlorite", "calcite", "goethite", "hematite", "jarosite", "kaolinite")
COLUMNS = 1000
PIXELS = 1_000_000
QUICK_PIXELS = 100_000
BATCHES = {"batch-32": 32, "batch-8192": 8192}
GROWTH_COUNTS = {"sentinel2": 12}
# So wide that all minerals are candidates of every pixel.
LIMIT = 2.0


def run(cases: list[str] | None, pairs: int) -> list[dict]:
    """Run the cases called `cases`, or the two full ones, with so many pairs of runs each."""
    known = {name: (batch, PIXELS) for name, batch in BATCHES.items()}
    known |= {f"{name}-quick": (batch, QUICK_PIXELS) for name, batch in BATCHES.items()}
    for name in cases or ():
        if name not in (*known, "growth-pixels"):
            sys.exit(f"error: no case {name!r}; there are {', '.join(known)}, growth-pixels")
    return [
        grow() if name == "growth-pixels" else compare(name, *known[name], pairs)
        for name in cases or BATCHES
    ]


def grow() -> dict:
    """Time and memory of the tool, from file to file."""
    bands = make_bands(GROWTH_COUNTS)
    references = make_references(bands)

    def measure(folder: Path, side: int) -> tuple[float, float]:
        stack, sensors = folder / "stack.tif", folder / "sensors.tif"
        sam.write_cube(stack, references, bands.table(), side)
        grid, bit = read_info(stack).grid, 1 << SENSORS.index(*GROWTH_COUNTS)
        layer = Layer(sensors, "uint8", 0, ("sensors",), overviews="mode")
        map_blocks(
            lambda block: block,
            [lambda window: np.full((1, window.height, window.width), bit, np.uint8)],
            [layer],
            grid=grid,
        )
        write_network(folder, bands)
        sam.write_classes(folder / "classes.csv", MINERALS)
        limits = {"masked": {name: {mapper.LIMIT: LIMIT} for name in MINERALS}}
        (folder / "thresholds.json").write_text(json.dumps(limits))
        done = run_tool(
            "map_embedding",
            *("--stack", stack, "--sensors", sensors, "--onnx", folder / "net.onnx"),
            *("--classes", folder / "classes.csv", "--thresholds", folder / "thresholds.json"),
            *("--scene", "benchmark", "--class-map", folder / "class.tif"),
            *("--distance", folder / "distance.tif", "--answer", folder / "answer.tif"),
            *("--areas", folder / "areas.csv", "--sensor-areas", folder / "sensor_areas.csv"),
            *("--record", folder / "map.json", "--threads", sam.THREADS),
        )
        return done.seconds, done.peak_mib

    return sam.grow_with_pixels(measure, sam.GROWTH_PX)


def make_bands(counts: dict[str, int] = COUNTS) -> StackBands:
    """The bands of a stack."""
    centres = {name: np.linspace(0.42, 2.38, count) for name, count in counts.items()}
    return StackBands(
        tuple(name for name, count in counts.items() for _ in range(count)),
        tuple(f"B{place:03d}" for count in counts.values() for place in range(1, count + 1)),
        tuple(float(centre) for own in centres.values() for centre in own),
        tuple(2.0 / count for count in counts.values() for _ in range(count)),
    )


def make_references(bands: StackBands) -> np.ndarray:
    """Reflectance (minerals, bands) of the library's spectra."""
    table = BandTable(bands.names, bands.centre_um, (0.01,) * len(bands))
    return sam.make_references(table, MINERALS, None).astype(np.float32)


def make_model(bands: StackBands) -> tuple[object, object]:
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
    training = training.for_sensors(len(bands.sensors))
    set_up_tensorflow(training.threads, training.seed)
    return build_embedding(bands, training), training


def write_network(folder: Path, bands: StackBands) -> None:
    """Write a network as ONNX."""
    from gossan.embedding.model import Header, write_model
    from gossan.embedding.training import branches_of

    model, training = make_model(bands)
    header = Header(
        scene="benchmark",
        bands=bands,
        minerals=MINERALS,
        codes=tuple(range(1, len(MINERALS) + 1)),
        embedding=model.output_shape[1],
        max_masked=training.max_masked,
        libraries=("analytic_library.csv",),
        modelled=True,
        records=(1,) * len(MINERALS),
    )
    branches = branches_of(model, training)
    write_model(folder / "net.onnx", header, branches, make_references(bands))


def write_inputs(folder: Path, pixels: int) -> None:
    """Write the network, and the same pixels as a stack and as rows."""
    bands = make_bands()
    write_network(folder, bands)
    references = make_references(bands)
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
        times = [[sides[place][0] for sides in done] for place in (0, 1)]
        peaks = [max(sides[place][1] for sides in done) for place in (0, 1)]
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


def call(folder: Path, side: str, batch: int) -> tuple[float, float]:
    """Run one side in a process of its own: its seconds, and its peak of memory (MiB)."""
    code = "import sys, embed; getattr(embed, sys.argv[1])(sys.argv[2], int(sys.argv[3]))"
    done = run_python(code, side, folder, batch)
    return float(done.printed.splitlines()[-1]), done.peak_mib


def finish(folder: str, side: str, classes: np.ndarray, distance: np.ndarray, start: float) -> None:
    """Print the time, then write what was found."""
    print(time.perf_counter() - start)
    np.save(Path(folder) / f"{side}.npy", np.stack([classes.ravel(), distance.ravel()]))


def map_own(folder: str, _batch: int) -> None:
    """Ours, in this process: blocks as high as `raster.map_blocks` makes them."""
    from gossan.embedding.model import read_model

    stack = np.load(Path(folder) / "stack.npy")
    model = read_model(Path(folder) / "net.onnx")
    bands = model.header.bands
    grid = Grid(None, sam.rasterio.Affine(30, 0, 0, 0, -30, 0), *stack.shape[:0:-1])
    info = RasterInfo(
        Path("stack.tif"), grid, bands.table(), "int16", -32768.0, 1e-4, 0.0, {"SYNTHETIC": "yes"}
    )
    # The winner is the nearest.
    limits = np.full(len(model.header.minerals), LIMIT)
    own = mapper.Mapper(model, limits, info, bands, Path("sensors.tif"))
    every_bit = sum(1 << SENSORS.index(name) for name in bands.sensors)
    every = np.full((1, *stack.shape[1:]), every_bit, np.uint8)
    height = max(1, min(BLOCK_BYTES // (4 * len(stack) * COLUMNS), stack.shape[1] // 8))
    own(stack[:, :1], every[:, :1])
    distance = np.empty((1 + len(limits), *stack.shape[1:]), np.float32)

    def work(first: int) -> None:
        part = slice(first, first + height)
        distance[:, part] = own(stack[:, part], every[:, part])[1]

    start = time.perf_counter()
    with ThreadPoolExecutor(sam.THREADS) as pool:
        list(pool.map(work, range(0, stack.shape[1], height)))
    finish(folder, "map_own", distance[1:].argmin(axis=0), distance[0], start)


def map_peer(folder: str, batch: int) -> None:
    """The peer, in this process."""
    from scipy.spatial.distance import cdist

    rows = np.load(Path(folder) / "rows.npy")
    bands = make_bands()
    model, _ = make_model(bands)
    centroids = model.predict(make_references(bands), verbose=0)
    model.predict(rows[: 2 * batch], batch_size=batch, verbose=0)
    start = time.perf_counter()
    embeddings = model.predict(rows, batch_size=batch, verbose=0)
    distances = cdist(embeddings, centroids)
    nearest, distance = distances.argmin(axis=1), distances.min(axis=1)
    finish(folder, "map_peer", nearest, distance, start)
