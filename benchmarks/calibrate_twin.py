"""How hard the twin is: plain spectral angles by SPy on simulated scenes, no threshold.

The twin's difficulty was set once by these figures, which come from another project's code and
from no method of ours. Run it as `python benchmarks/calibrate_twin.py`. With `--coating` they stand
beside what the project's tools map about the scene's mean, at difficulty 1 under such coats.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import rasterio
import spectral
from sklearn.metrics import cohen_kappa_score

from real_ground import compare, run_tool, teach

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
SPREAD = ROOT / "resources" / "static" / "record_spread.csv"
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
# Those of them that have no absorption in these bands.
FLAT = ("chalcocite", "pyrite", "magnetite", "feldspar")
GROUPS = {
    "2um": tuple(name for name in REFERENCES if name not in FLAT),
    "1um": ("hematite", "goethite", "jarosite"),
}
"""Minerals that are looked for under a coat, by group; the leached cap has those of iron."""


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
    parser.add_argument(
        "--coating", type=float, nargs="+", help="coats under which methods are compared instead"
    )
    parser.add_argument(
        "--ground", nargs="+", default=["porphyry", "epithermal"], help="grounds that are coated"
    )
    return parser


def make_cube(
    folder: Path,
    difficulty: float,
    seed: int,
    size_px: int,
    threads: int,
    ground: str = "porphyry",
    coating: float = 0.0,
) -> tuple[Path, Path]:
    """Simulate and preprocess a scene by the project's tools; paths of the cube and the truth."""
    scene, truth = folder / "landsat.tar", folder / "truth.tif"
    cube, record = folder / "cube.tif", folder / "cube.json"
    place = ("--ground", ground, "--size-px", size_px, "--seed", seed, "--difficulty", difficulty)
    few = ("--threads", threads)
    run_tool("simulate_truth", *place, "--minerals", MINERALS, "--output-dir", folder, *few)
    run_tool(
        "simulate_scene",
        *(*place, "--coating", coating, "--sensor", "landsat"),
        *("--library", LIBRARY, "--product", scene, *few),
    )
    run_tool(
        "preprocess_scene",
        *("--sensor", "landsat", "--product", scene, "--atmosphere", "dos1"),
        *("--normalisation", "clip", "--mask", *MASK, "--cube", cube, "--record", record, *few),
    )
    return cube, truth


def spectral_angles(cube: Path, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """SPy's angles (n, names) of the cube's valid pixels, and which they are (rows, columns)."""
    info = read_info(cube)
    records = {entry.name: entry.record for entry in read_classes(MINERALS)}
    library = read_library(LIBRARY)
    references = np.stack(
        [
            resample_spectrum(
                select_spectrum(library, name, records[name]), info.bands, info.tags["SENSOR"]
            )
            for name in names
        ]
    )
    with rasterio.open(cube) as dataset:
        stored = dataset.read()
        valid = (stored != dataset.nodata).all(axis=0)
        values = stored.astype(np.float64) * dataset.scales[0]
    spectra = values[:, valid].T[np.newaxis]
    with np.errstate(invalid="ignore", divide="ignore"):
        return spectral.spectral_angles(spectra, references)[0], valid


def score(cube: Path, truth: Path) -> tuple[float, float, int, dict[str, tuple[float, float]]]:
    """SPy's spectral angles against the truth.

    Returns the share labelled right of the pixels whose true constituent is a reference, labels
    without threshold; the share right of all pixels when truths outside the references and angles
    over MAX_ANGLE_RAD count as one class `other`; the number of pixels of the first; and recall
    and precision of each reference, as in the first.
    """
    codes = {entry.name: entry.code for entry in read_classes(MINERALS)}
    angles, valid = spectral_angles(cube, REFERENCES)
    with rasterio.open(truth) as dataset:
        true = dataset.read(1)[valid]
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


def compare_methods(folder: Path, cube: Path, truth: Path) -> Iterator[tuple[str, list[float]]]:
    """Group, and figures of its minerals over the pixels that have one.

    These are RMS contrast to the scene's mean in log reflectance; OA and kappa of SPy's angles to
    the origin over all bands; kappa of the angles about the mean, and of the second pass that
    these teach; the number of pixels. Nothing has a threshold.
    """
    codes = {entry.name: entry.code for entry in read_classes(MINERALS)}
    classes = folder / "classes.csv"
    names = [name for members in GROUPS.values() for name in members]
    run_tool("select_classes", "--minerals", MINERALS, "--references", *names, "--classes", classes)
    run_tool(
        "resample_library",
        *("--library", LIBRARY, "--classes", classes, "--cube", cube),
        *("--records-per-class", "all", "--spread", SPREAD, "--references", folder / "all.csv"),
        *("--records", folder / "records.csv", "--separable", folder / "separable.csv"),
    )
    with rasterio.open(truth) as dataset:
        true = dataset.read(1)
    for group, members in GROUPS.items():
        wanted = np.array([codes[name] for name in members])
        angles, valid = spectral_angles(cube, members)
        origin = np.zeros_like(true)
        origin[valid] = wanted[np.argmin(angles, axis=1)]
        maps = compare(folder, cube, "scene", group)
        files = (maps / "class.tif", teach(folder, cube, maps, "likelihood"), maps / "contrast.tif")
        first, second, contrast = (rasterio.open(file).read(1) for file in files)
        known = valid & np.isin(true, wanted)
        yield (
            group,
            [
                float(np.sqrt(np.mean(contrast[known] ** 2))),
                float((origin == true)[known].mean()),
                *(cohen_kappa_score(true[known], one[known]) for one in (origin, first, second)),
                int(known.sum()),
            ],
        )


def print_coats(arguments: argparse.Namespace) -> None:
    """Print a row per ground, coat, seed and group."""
    print(f"SPy {spectral.__version__}, {arguments.size_px} x {arguments.size_px} pixels")
    print("                                            origin           mean   second")
    print("ground      coating  seed  group  contrast     OA   kappa   kappa    kappa  pixels")
    for ground, coating, seed in product(arguments.ground, arguments.coating, arguments.seed):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            files = make_cube(
                folder, 1.0, seed, arguments.size_px, arguments.threads, ground, coating
            )
            for group, (contrast, right, origin, first, second, pixels) in compare_methods(
                folder, *files
            ):
                print(
                    f"{ground:10s}  {coating:7g}  {seed:4d}  {group:5s}  {contrast:8.3f}  "
                    f"{right:5.3f}  {origin:6.3f}  {first:6.3f}  {second:7.3f}  {pixels:6d}",
                    flush=True,
                )


def main(arguments: argparse.Namespace) -> None:
    """Print a row per difficulty and seed, or the comparison under coats."""
    if arguments.coating is not None:
        print_coats(arguments)
        return
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
