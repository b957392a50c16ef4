"""Patch networks by ONNX Runtime against `keras.predict`, on the same windows of a scene.

A scene of patchwork in 13 colours is cut into windows, as the twin's configuration has them.
`predict`: painted patches in memory to probabilities, so both bring the patches to the network's
size; two threads each. `scene`: a process that reads a class map and writes the maps of class and
probability (scripts/classify_patches.py) against a process that loads the stored Keras network
and predicts the same windows, which are read from a file, and writes nothing.
"""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import numpy as np

import sam
from gossan.legend import MapClass, class_colours
from gossan.networks.onnx_session import METADATA
from gossan.patches.cutting import render_codes
from gossan.patches.inference import BATCH, Header, read_network, to_input, to_probabilities
from gossan.raster import Grid, Layer, map_blocks

PEER = f"Keras {version('keras')} + TensorFlow {version('tensorflow-cpu')}"
NETWORKS = ("paper", "compact")
SCENE_PX = 512
PATCH_PX = 32
STRIDE_PX = 16
CLASSES = [
    MapClass(code, f"class{code}", f"Class {code}", f"#{code * 1_234_567 % 2**24:06X}")
    for code in range(1, 14)
]
# Keras's side of `scene`: what a script of a few lines does.
PREDICT = """
import os
import sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads({threads})
tf.config.threading.set_inter_op_parallelism_threads(1)
model = keras.models.load_model(sys.argv[1], compile=False)
model.predict(np.load(sys.argv[2], mmap_mode="r"), verbose=0)
"""


def run(cases: list[str] | None, pairs: int) -> list[dict]:
    """Run the cases called `cases`, or all, with so many pairs of runs each."""
    kinds = {"predict": run_predict, "scene": run_scene}
    known = {f"{kind}-{network}": (kind, network) for kind in kinds for network in NETWORKS}
    for name in cases or ():
        if name not in known:
            sys.exit(f"error: no case {name!r}; there are {', '.join(known)}")
    wanted = {name: known[name] for name in cases or known}
    return [
        {"case": name, "peer": PEER, **kinds[kind](network, pairs)}
        for name, (kind, network) in wanted.items()
    ]


def make_codes() -> np.ndarray:
    """A class map (SCENE_PX, SCENE_PX) uint8 of squares with specks in them."""
    generator = np.random.default_rng(sam.SEED)
    side = SCENE_PX // sam.PATCH_PX
    squares = generator.integers(0, 14, (side, side)).repeat(sam.PATCH_PX, 0)
    squares = squares.repeat(sam.PATCH_PX, 1)
    specks = generator.integers(0, 14, squares.shape)
    return np.where(generator.random(squares.shape) < 0.3, specks, squares).astype(np.uint8)


def make_windows(codes: np.ndarray) -> np.ndarray:
    """Painted windows (n, PATCH_PX, PATCH_PX, 3) uint8 of the cells of `classify_patches.py`."""
    firsts = np.arange(0, SCENE_PX, STRIDE_PX) + (STRIDE_PX - PATCH_PX) // 2
    firsts = firsts.clip(0, SCENE_PX - PATCH_PX)
    painted = render_codes(codes, CLASSES)
    return np.stack(
        [
            painted[row : row + PATCH_PX, column : column + PATCH_PX]
            for row in firsts
            for column in firsts
        ]
    )


def make_network(network: str, folder: Path) -> object:
    """An untrained model with weights of some size, stored in both forms; speed is the same."""
    from gossan.networks.keras_files import set_up_tensorflow, write_keras
    from gossan.networks.onnx_export import export_network
    from gossan.patches.architecture import build_network

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    set_up_tensorflow(sam.THREADS, sam.SEED)
    model = build_network(network, 3, 13)
    header = Header(
        scene="benchmark",
        network=network,
        kind="colour",
        bands=("red", "green", "blue"),
        centre_um=(),
        fwhm_um=(),
        patch_px=PATCH_PX,
        codes=tuple(item.code for item in CLASSES),
        names=tuple(item.name for item in CLASSES),
        colours=class_colours(CLASSES),
        protocol="blocked",
        temperature=1.0,
        synthetic=True,
    )
    write_keras(folder / "net.keras", model)
    (folder / "net.onnx").write_bytes(export_network(model, {METADATA: header.to_json()}))
    return model


def run_predict(network: str, pairs: int) -> dict:
    """Windows in memory to probabilities."""
    with tempfile.TemporaryDirectory() as folder:
        model = make_network(network, Path(folder))
        stored = read_network(Path(folder) / "net.onnx")
        windows = make_windows(make_codes())
        pool = ThreadPoolExecutor(sam.THREADS)
        batches = [windows[start : start + BATCH] for start in range(0, len(windows), BATCH)]

        def ours() -> np.ndarray:
            parts = pool.map(lambda part: stored.predict(to_input(part)), batches)
            return np.concatenate(list(parts))

        def peer() -> np.ndarray:
            return to_probabilities(model.predict(to_input(windows), verbose=0))

        difference = float(np.abs(ours() - peer()).max())
        times = sam.time_in_turns(pairs, ours, peer)
        pool.shutdown()
    return {
        **sam.summarise(times),
        "agree": float(difference < 1e-4),
        "max_probability_difference": difference,
        "windows": len(windows),
        "threads": sam.THREADS,
    }


def run_scene(network: str, pairs: int) -> dict:
    """Process against process, each from start to end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_network(network, folder)
        codes = make_codes()
        windows = make_windows(codes)
        np.save(folder / "windows.npy", to_input(windows))
        write_scene(folder, codes)
        scripts = sam.ROOT / "scripts"
        own = [
            *(sys.executable, scripts / "classify_patches.py", "--onnx", folder / "net.onnx"),
            *("--class-map", folder / "scene.tif", "--classes", folder / "classes.csv"),
            *("--stride-px", STRIDE_PX, "--max-background-share", 1, "--min-label-share", 0),
            *("--output", folder / "class.tif", "--probability", folder / "probability.tif"),
            *("--proportions", folder / "shares.csv", "--pixels", folder / "pixels.csv"),
            *("--points-per-class", 1000, "--scene", "benchmark"),
            *("--record", folder / "map.json", "--threads", sam.THREADS),
        ]
        theirs = [
            *(sys.executable, "-c", PREDICT.format(threads=sam.THREADS)),
            *(folder / "net.keras", folder / "windows.npy"),
        ]

        def call(command: list) -> None:
            subprocess.run([*map(str, command)], check=True, capture_output=True)

        call(own)
        times = sam.time_in_turns(pairs, lambda: call(own), lambda: call(theirs))
    return {**sam.summarise(times), "windows": len(windows), "threads": sam.THREADS}


def write_scene(folder: Path, codes: np.ndarray) -> None:
    """Write the class map and its table of classes."""
    grid = Grid(None, sam.rasterio.Affine(30, 0, 0, 0, -30, 0), SCENE_PX, SCENE_PX)
    layer = Layer(folder / "scene.tif", "uint8", 255, ("class",), overviews="mode")

    def cut(window) -> np.ndarray:
        row, column = int(window.row_off), int(window.col_off)
        return codes[row : row + window.height, column : column + window.width]

    map_blocks(lambda block: block, [cut], [layer], grid=grid)
    lines = [f"{item.code},{item.name},{item.label},{item.colour}" for item in CLASSES]
    (folder / "classes.csv").write_text("\n".join(["code,name,label,colour", *lines]) + "\n")
