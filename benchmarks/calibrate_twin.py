"""How hard the twin is: plain spectral angles by SPy on simulated scenes, no threshold.

The twin's difficulty was set once by these figures, which come from another project's code and
from no method of ours. Run it as `python benchmarks/calibrate_twin.py`.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import rasterio
import spectral

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts"
sys.path.insert(0, str(SCRIPTS))

from gossan.legend import read_classes  # noqa: E402
from gossan.library.readers import read_library, select_spectrum  # noqa: E402
from gossan.library.resample import resample_spectrum  # noqa: E402
from gossan.raster import read_info  # noqa: E402

MASK = ("cloud", "dilated_cloud", "cloud_shadow", "cirrus", "snow", "saturation")
LIBRARY = ROOT / "resources" / "static" / "analytic_library.csv"
MINERALS = ROOT / "resources" / "static" / "minerals.csv"
# The references of the study `gilgit`.
REFERENCES = (
    "chlorite",
    "chalcocite",
    "pyrite",
    "epidote",
    "malachite",
    "calcite",
    "alunite",
    "magnetite",
    "biotite",
    "serpentine",
    "dolomite",
    "feldspar",
    "muscovite",
)
MAX_ANGLE_RAD = 0.10


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--difficulty", type=float, nargs="+", default=[0.0, 0.5, 1.0, 1.5, 2.0], help="to try"
    )
    parser.add_argument("--seed", type=int, nargs="+", default=[42, 1, 2], help="to try")
    parser.add_argument("--size-px", type=int, default=512, help="rows and columns of a scene")
    parser.add_argument("--threads", type=int, default=2, help="blocks worked on at once")
    parser.add_argument("--per-class", action="store_true", help="recall and precision as well")
    return parser


def make_cube(
    folder: Path, difficulty: float, seed: int, size_px: int, threads: int
) -> tuple[Path, Path]:
    """Simulate and preprocess a scene by the project's tools; paths of the cube and the truth."""
    product, truth = folder / "landsat.tar", folder / "truth.tif"
    cube, record = folder / "cube.tif", folder / "cube.json"
    ground = ["--ground", "porphyry", "--size-px", size_px]
    ground += ["--seed", seed, "--difficulty", difficulty]
    survey = ["simulate_truth.py", *ground, "--minerals", MINERALS, "--output-dir", folder]
    simulate = ["simulate_scene.py", *ground, "--sensor", "landsat"]
    simulate += ["--library", LIBRARY, "--product", product]
    preprocess = ["preprocess_scene.py", "--sensor", "landsat", "--product", product]
    preprocess += ["--atmosphere", "dos1", "--normalisation", "clip", "--mask", *MASK]
    preprocess += ["--cube", cube, "--record", record]
    for tool, *flags in (survey, simulate, preprocess):
        command = [sys.executable, SCRIPTS / tool, *flags, "--threads", threads]
        subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return cube, truth


def score(cube: Path, truth: Path) -> tuple[float, float, int, dict[str, tuple[float, float]]]:
    """SPy's spectral angles against the truth.

    Returns the share labelled right of the pixels whose true constituent is a reference, labels
    without threshold; the share right of all pixels when truths outside the references and angles
    over MAX_ANGLE_RAD count as one class `other`; the number of pixels of the first; and recall
    and precision of each reference, as in the first.
    """
    info = read_info(cube)
    codes = {entry.name: entry.code for entry in read_classes(MINERALS)}
    records = {entry.name: entry.record for entry in read_classes(MINERALS)}
    library = read_library(LIBRARY)
    references = np.stack(
        [
            resample_spectrum(
                select_spectrum(library, name, records[name]), info.bands, info.tags["SENSOR"]
            )
            for name in REFERENCES
        ]
    )
    with rasterio.open(cube) as dataset:
        stored = dataset.read()
        valid = (stored != dataset.nodata).all(axis=0)
        values = stored.astype(np.float64) * dataset.scales[0]
    with rasterio.open(truth) as dataset:
        true = dataset.read(1)[valid]
    spectra = values[:, valid].T[np.newaxis]
    with np.errstate(invalid="ignore", divide="ignore"):
        angles = spectral.spectral_angles(spectra, references)[0]
    wanted = np.array([codes[name] for name in REFERENCES])
    label = wanted[np.argmin(angles, axis=1)]
    known = np.isin(true, wanted)
    right = label == true
    thresholded = np.where(np.nanmin(angles, axis=1, initial=np.inf) <= MAX_ANGLE_RAD, label, 0)
    with_other = thresholded == np.where(known, true, 0)
    per_class = {
        name: (
            float(right[true == code].mean()) if (true == code).any() else float("nan"),
            float(right[known & (label == code)].mean())
            if (known & (label == code)).any()
            else float("nan"),
        )
        for name, code in zip(REFERENCES, wanted, strict=True)
    }
    return float(right[known].mean()), float(with_other.mean()), int(known.sum()), per_class


def main(arguments: argparse.Namespace) -> None:
    """Print a row per difficulty and seed."""
    print(f"SPy {spectral.__version__}, {arguments.size_px} x {arguments.size_px} pixels")
    print("difficulty  seed  OA of 13  OA with other  pixels of 13")
    for difficulty in arguments.difficulty:
        for seed in arguments.seed:
            with tempfile.TemporaryDirectory() as folder:
                files = make_cube(
                    Path(folder), difficulty, seed, arguments.size_px, arguments.threads
                )
                overall, with_other, pixels, per_class = score(*files)
            print(
                f"{difficulty:10g}  {seed:4d}  {overall:8.3f}  {with_other:13.3f}  {pixels:12d}",
                flush=True,
            )
            if arguments.per_class:
                for name, (recall, precision) in per_class.items():
                    print(f"    {name:12s} recall {recall:.2f}  precision {precision:.2f}")


if __name__ == "__main__":
    main(build_parser().parse_args())
