"""Prediction of a forest against scikit-learn: 10 M pixels, 10 bands, 50 trees.

Pixels are mixtures of the analytic library's spectra under varying light, with noise, at the
bands of Sentinel-2; a training point has the class of its dominant mineral, one in seven a random
one, as labels have errors. Forests: full-depth trees, trees of depth 12, and the paper's. Both
sides run two threads. Ours takes bands as a raster has them, block by block; scikit-learn's
`predict` gets the pixels already in rows, in blocks of the same size, whose copying is not timed.
The floor is reading all bands once from memory in as many threads. `growth-pixels` and
`growth-trees` time ours alone at five sizes, with trees of full depth; `slope` is that of log time
over log size.
"""

import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import sklearn
from sklearn.ensemble import RandomForestClassifier

import sam
from gossan.forests.forest import Forest, flatten_forest, predict_probabilities
from gossan.raster import BandTable

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
# Pixels of 50 trees; trees on a million pixels.
GROWTH = {
    "growth-pixels": (250_000, 500_000, 1_000_000, 2_000_000, 4_000_000),
    "growth-trees": (10, 20, 40, 80, 160),
}


def run(cases: list[str] | None, pairs: int) -> list[dict]:
    """Run the cases called `cases`, or the three full ones, with so many pairs of runs each."""
    for name in cases or ():
        if name not in (*CASES, *GROWTH):
            sys.exit(f"error: no case {name!r}; there are {', '.join((*CASES, *GROWTH))}")
    wanted = cases or [name for name in CASES if not name.endswith("quick")]
    return [grow(name, pairs) if name in GROWTH else compare(name, pairs) for name in wanted]


def grow(name: str, times: int) -> dict:
    """Time ours at five sizes."""
    sizes = GROWTH[name]
    by_pixels = name == "growth-pixels"
    features, classes = make_training()
    grown = [
        flatten_forest(
            RandomForestClassifier(trees, random_state=0, n_jobs=sam.THREADS).fit(
                features, classes
            ),
            MINERALS,
            BANDS.names,
        )
        for trees in ([TREES] if by_pixels else sizes)
    ]
    blocks = cut_blocks(make_scene(max(sizes) if by_pixels else QUICK_PIXELS))
    count = COLUMNS * BLOCK_ROWS

    with ThreadPoolExecutor(sam.THREADS) as pool:

        def predict(size: int, forest: Forest) -> None:
            some = blocks[: size // count] if by_pixels else blocks
            for _ in pool.map(lambda block: predict_probabilities(forest, block), some):
                pass

        predict(sizes[0], grown[0])
        runs = sam.time_in_turns(
            times,
            *(
                lambda size=size, forest=forest: predict(size, forest)
                for size, forest in zip(
                    sizes, grown * len(sizes) if by_pixels else grown, strict=False
                )
            ),
        )
    unit, scale = ("Mpx", 1e6) if by_pixels else ("trees", 1)
    seconds = [float(np.median(own)) for own in runs]
    return {"case": name, **sam.tell_growth([size / scale for size in sizes], unit, seconds)}


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
    features, classes = make_training()
    model = RandomForestClassifier(TREES, random_state=0, n_jobs=sam.THREADS, **CASES[name])
    model.fit(features, classes)
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
