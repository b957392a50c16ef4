"""How hard the iron twin is: a plain random forest on the bands, sampled as the paper did.

The twin's difficulty was set once by these figures, which come from scikit-learn alone and from no
method of ours. Run it as `python benchmarks/calibrate_iron.py`.
"""

import argparse
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import geopandas
import numpy as np
import rasterio
from rasterio.features import rasterize
from rasterio.windows import Window
from scipy.ndimage import distance_transform_edt
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import cohen_kappa_score, f1_score
from sklearn.model_selection import train_test_split

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts"
sys.path.insert(0, str(SCRIPTS))

from gossan.legend import read_classes  # noqa: E402
from gossan.products.sentinel2 import open_dates  # noqa: E402

STATIC = ROOT / "resources" / "static"
MASK = ("fill", "cloud", "cloud_shadow", "cirrus", "saturation")
# Metres from a mine, and the points of each of soil, vegetation and mixed there; ore points beside.
STRATA = ((0, 100, 20), (100, 200, 20), (200, 500, 20), (500, 10_000, 40))
ORE_POINTS = 20
REPEATS = 20


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--difficulty", type=float, nargs="+", default=[0.0, 0.5, 1.0, 1.5, 2.0], help="to try"
    )
    parser.add_argument("--seed", type=int, nargs="+", default=[42, 1, 2], help="to try")
    parser.add_argument("--threads", type=int, default=2, help="blocks worked on at once")
    return parser


def make_twin(folder: Path, difficulty: float, seed: int, threads: int) -> None:
    """Simulate by the project's tools."""
    ground = ["--ground", "iron", "--size-px", 768, "--seed", seed, "--difficulty", difficulty]
    survey = ["simulate_truth.py", "--covers", STATIC / "covers.csv", "--iron", STATIC / "iron.csv"]
    survey += ["--output-dir", folder]
    scene = ["simulate_scene.py", "--sensor", "sentinel2", "--dates", 4]
    scene += ["--library", STATIC / "analytic_library.csv", "--product", folder / "sentinel2"]
    for tool, *flags in (survey, scene):
        command = [sys.executable, SCRIPTS / tool, *ground, *flags, "--threads", threads]
        subprocess.run([str(part) for part in command], check=True, capture_output=True)


def composite(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Median over the clear dates, (bands, rows, columns), and the count of clear looks."""
    looks = []
    for product in open_dates(folder / "sentinel2"):
        with product:
            whole = Window(0, 0, product.grid.width, product.grid.height)
            values = product.read_reflectance(whole)
            values[:, product.read_flags(whole, MASK).any(axis=0)] = np.nan
            looks.append(values)
    with warnings.catch_warnings():
        # Some pixels are never clear; they stay NaN.
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmedian(looks, axis=0), np.isfinite([one[0] for one in looks]).sum(axis=0)


def sample(
    folder: Path, valid: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Places (flat) and true cover of the paper's points; those of ore as the geologist gives."""
    codes = {entry.name: entry.code for entry in read_classes(STATIC / "covers.csv")}
    with rasterio.open(folder / "truth.tif") as dataset:
        truth, transform = dataset.read(1), dataset.transform
    mines = geopandas.read_file(folder / "mines.gpkg")
    ore = geopandas.read_file(folder / "ore_points.gpkg")
    places, labels = [], []
    for outline, mineral in zip(mines.geometry, mines["class"], strict=True):
        points = ore[ore["class"] == mineral].geometry
        rows, columns = rasterio.transform.rowcol(transform, points.x, points.y)
        flat = np.ravel_multi_index((rows, columns), truth.shape)
        flat = np.unique(flat[valid.ravel()[flat]])
        flat = rng.permutation(flat)[:ORE_POINTS]
        places.append(flat)
        labels.append(np.full(flat.size, codes["ore"]))
        inside = rasterize([outline], out_shape=truth.shape, transform=transform)
        away = distance_transform_edt(inside == 0) * transform.a
        for least, most, count in STRATA:
            ring = (away > least) & (away <= most) & valid
            for name in ("soil", "vegetation", "mixed"):
                found = np.flatnonzero(ring & (truth == codes[name]))
                chosen = rng.choice(found, min(count, found.size), replace=False)
                places.append(chosen)
                labels.append(np.full(chosen.size, codes[name]))
    return np.concatenate(places), np.concatenate(labels)


def score(folder: Path) -> np.ndarray:
    """(repeats, 7): OA, kappa, macro-F1 and F1 of ore, soil, vegetation, mixed on held-out 30 %."""
    cube, count = composite(folder)
    spectra = cube.reshape(cube.shape[0], -1).T
    results = []
    for repeat in range(REPEATS):
        rng = np.random.default_rng(repeat)
        places, labels = sample(folder, count > 0, rng)
        train, test = train_test_split(
            np.arange(labels.size), test_size=0.3, stratify=labels, random_state=repeat
        )
        forest = RandomForestClassifier(
            50, max_features="sqrt", min_samples_split=30, min_samples_leaf=3, random_state=repeat
        ).fit(spectra[places[train]], labels[train])
        found = forest.predict(spectra[places[test]])
        f1 = f1_score(labels[test], found, average=None, labels=[1, 2, 3, 4])
        overall = (found == labels[test]).mean()
        kappa = cohen_kappa_score(labels[test], found)
        results.append([overall, kappa, f1.mean(), *f1])
    return np.array(results)


def main(arguments: argparse.Namespace) -> None:
    """Print a row per difficulty and seed: means over the repeats."""
    names = ("OA", "kappa", "macro-F1", "F1 ore", "soil", "vegetation", "mixed")
    print("difficulty  seed  " + "  ".join(f"{name:>10s}" for name in names) + "   OA std")
    for difficulty in arguments.difficulty:
        for seed in arguments.seed:
            with tempfile.TemporaryDirectory() as name:
                make_twin(Path(name), difficulty, seed, arguments.threads)
                results = score(Path(name))
            row = "  ".join(f"{value:10.3f}" for value in results.mean(axis=0))
            print(f"{difficulty:10g}  {seed:4d}  {row}   {results[:, 0].std():.3f}", flush=True)


if __name__ == "__main__":
    main(build_parser().parse_args())
