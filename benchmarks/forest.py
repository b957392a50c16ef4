"""Prediction of a forest against scikit-learn: 10 M pixels, 10 bands, 50 trees.

Pixels are mixtures of the analytic library's spectra under varying light, with noise, at the
bands of Sentinel-2; a training point has the class of its dominant mineral, one in seven a random
one, as labels have errors. Forests: full-depth trees, trees of depth 12, and the paper's. Both
sides run two threads. Ours takes bands as a raster has them, block by block; scikit-learn's
`predict` gets the pixels already in rows, in blocks of the same size, whose copying is not timed.
The floor is reading all bands once from memory in as many threads. With trees of full depth,
`growth-pixels` runs the tool, map_forest.py, from cubes to maps, once on each size, and
`growth-trees` times ours in memory; `slope` is that of log time over log size.
"""

import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import sklearn
from sklearn.ensemble import RandomForestClassifier

import sam
from gossan.forests.forest import Forest, flatten_forest, predict_probabilities, write_forest
from gossan.forests.plans import Plan
from gossan.raster import BandTable
from processes import run_tool

PEER = f"scikit-learn {sklearn.__version__}"
BANDS = BandTable(
    ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12"),
    (0.4966, 0.56, 0.6645, 0.7039, 0.7402, 0.7825, 0.8351, 0.8648, 1.6137, 2.2024),
    (0.066, 0.036, 0.031, 0.016, 0.015, 0.020, 0.106, 0.022, 0.091, 0.175),
)
MINERALS = ("hematite", "goethite", "kaolinite", "chlorite")
TREES = 50
TRAINING = 5000
PIXELS = 10_000_000
QUICK_PIXELS = 1_000_000
COLUMNS = 1000
BLOCK_ROWS = 250
CASES = {
    "full-depth": {},
    "depth-12": {"max_depth": 12},
    "paper": {"min_samples_split": 30, "min_samples_leaf": 3},
    "full-depth-quick": {},
    "depth-12-quick": {"max_depth": 12},
}
# On a million pixels.
GROWTH_TREES = (10, 20, 40, 80, 160)


def run(cases: list[str] | None, pairs: int) -> list[dict]:
    """Run the cases called `cases`, or the three full ones, with so many pairs of runs each."""
    known = {
        **{name: lambda name=name: compare(name, pairs) for name in CASES},
        "growth-pixels": grow_with_pixels,
        "growth-trees": lambda: grow_with_trees(pairs),
    }
    for name in cases or ():
        if name not in known:
            sys.exit(f"error: no case {name!r}; there are {', '.join(known)}")
    return [known[name]() for name in cases or CASES if cases or not name.endswith("quick")]


def grow_with_pixels() -> dict:
    """Time and memory of the tool, from file to file."""
    references = sam.make_references(BANDS, MINERALS, None)
    plan = Plan()
    header = {
        "plan": plan.to_json(),
        "layers": BANDS.names,
        "wavelengths_um": list(zip(BANDS.centre_um, BANDS.fwhm_um, strict=True)),
        "trained_on": {"scene": "benchmark", "synthetic": True},
    }
    forest = flatten_forest(train(TREES), MINERALS, plan.recipe.names(BANDS.names), header)

    def measure(folder: Path, side: int) -> tuple[float, float]:
        sam.write_cube(folder / "cube.tif", references, BANDS, side)
        write_forest(folder / "forest.npz", forest)
        sam.write_classes(folder / "classes.csv", MINERALS)
        done = run_tool(
            "map_forest",
            *("--cube", folder / "cube.tif", "--forest", folder / "forest.npz"),
            *("--classes", folder / "classes.csv", "--scene", "benchmark"),
            *("--class-map", folder / "class.tif", "--probability", folder / "probability.tif"),
            *("--uncertainty", folder / "uncertainty.tif", "--threads", sam.THREADS),
        )
        return done.seconds, done.peak_mib

    return sam.grow_with_pixels(measure, sam.GROWTH_PX)


def grow_with_trees(times: int) -> dict:
    """Time of ours in memory at five sizes of the forest."""
    forests = [flatten_forest(train(trees), MINERALS, BANDS.names) for trees in GROWTH_TREES]
    blocks = cut_blocks(make_scene(QUICK_PIXELS))
    with ThreadPoolExecutor(sam.THREADS) as pool:

        def predict(forest: Forest) -> None:
            for _ in pool.map(lambda block: predict_probabilities(forest, block), blocks):
                pass

        predict(forests[0])
        runs = sam.time_in_turns(
            times, *(lambda forest=forest: predict(forest) for forest in forests)
        )
    seconds = [float(np.median(own)) for own in runs]
    return {"case": "growth-trees", **sam.tell_growth(GROWTH_TREES, "trees", seconds)}


def train(trees: int, **settings: int) -> RandomForestClassifier:
    """A forest of so many trees."""
    model = RandomForestClassifier(trees, random_state=0, n_jobs=sam.THREADS, **settings)
    return model.fit(*make_training())


def cut_blocks(scene: np.ndarray) -> list[np.ndarray]:
    """Blocks of rows, each (bands, pixels)."""
    return [
        scene[:, start : start + BLOCK_ROWS].reshape(len(scene), -1)
        for start in range(0, scene.shape[1], BLOCK_ROWS)
    ]


def make_training() -> tuple[np.ndarray, np.ndarray]:
    """Features (TRAINING, bands) and classes: the mineral of the smallest spectral angle."""
    references = sam.make_references(BANDS, MINERALS, None)
    pixels = sam.make_rows(references, 128, COLUMNS, sam.SEED).reshape(len(BANDS.names), -1).T
    generator = np.random.default_rng(sam.SEED)
    pixels = pixels[generator.choice(len(pixels), TRAINING, replace=False)]
    unit = references / np.linalg.norm(references, axis=1, keepdims=True)
    classes = (pixels @ unit.T).argmax(axis=1) + 1
    wrong = generator.random(TRAINING) < 1 / 7
    classes[wrong] = generator.integers(1, len(MINERALS) + 1, wrong.sum())
    return np.ascontiguousarray(pixels), classes


def make_scene(pixels: int) -> np.ndarray:
    """A scene (bands, rows, COLUMNS) float32."""
    references = sam.make_references(BANDS, MINERALS, None)
    scene = np.empty((len(BANDS.names), pixels // COLUMNS, COLUMNS), np.float32)
    for start in range(0, scene.shape[1], 64):
        rows = min(64, scene.shape[1] - start)
        scene[:, start : start + rows] = sam.make_rows(
            references, rows, COLUMNS, sam.SEED + 1 + start
        )
    return scene


def compare(name: str, pairs: int) -> dict:
    """Time both, compare classes and probabilities of all pixels, and measure our memory."""
    model = train(TREES, **CASES[name])
    forest = flatten_forest(model, MINERALS, BANDS.names)
    scene = make_scene(QUICK_PIXELS if name.endswith("quick") else PIXELS)
    blocks = cut_blocks(scene)
    rows = [np.ascontiguousarray(block.T) for block in blocks]
    codes = np.array(forest.codes, np.uint8)
    pool = ThreadPoolExecutor(sam.THREADS)

    def classify(block: np.ndarray) -> np.ndarray:
        return codes[predict_probabilities(forest, block).argmax(axis=1)]

    def ours() -> None:
        for _ in pool.map(classify, blocks):
            pass

    def peer() -> None:
        for block in rows:
            model.predict(block)

    def read() -> None:
        for _ in pool.map(lambda block: block.max(), blocks):
            pass

    classify(blocks[0][:, :1000])
    times = sam.time_in_turns(pairs, ours, peer, read)
    tracemalloc.start()
    ours()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    pool.shutdown()
    hours = float(np.median(times[0])) * sam.THREADS / scene[0].size * 565_000e4 / 3600
    return {
        "case": name,
        "peer": PEER,
        **sam.summarise(times),
        **check(model, forest, blocks, rows),
        "peak_mib": peak / 2**20,
        "floor_ratio": float(np.median(times[0]) / np.median(times[2])),
        "core_hours_bahia_10m": hours,
        "nodes_per_tree": len(forest.feature) / TREES,
        "pixels": int(scene[0].size),
        "threads": sam.THREADS,
    }


def check(model: object, forest: Forest, blocks: list[np.ndarray], rows: list[np.ndarray]) -> dict:
    """Share of pixels of the same class as `predict`, and the largest probability error.

    Classes whose probabilities are equal but for the last bits are told apart by nothing but the
    order in which scikit-learn's threads add: `ties` is the share of pixels where that decides.
    """
    same = ties = total = 0
    worst = 0.0
    for block, pixels in zip(blocks, rows, strict=True):
        own = predict_probabilities(forest, block)
        worst = max(worst, float(np.abs(own - model.predict_proba(pixels)).max()))
        agree = np.array(forest.codes)[own.argmax(axis=1)] == model.predict(pixels)
        ordered = np.sort(own, axis=1)
        tied = ordered[:, -1] - ordered[:, -2] < 1e-12
        same += int(agree.sum())
        ties += int((tied & ~agree).sum())
        total += len(pixels)
    return {"agree": same / total, "ties": ties / total, "max_probability_error": worst}
