"""Forests on real ground: six formations around Diamantina, random and spatially blocked.

`python benchmarks/diamantina.py FOLDER [--json FILE]`, FOLDER being a copy of the data of Naghetini
and Silveira (UFMG 2021, MIT licence): Landsat 8 bands as digital numbers, radiometrics, magnetics
and elevation at 62.5 m, and 797 training points. Their forest scores OA 0.705, macro-F1 0.591,
kappa 0.600 on the other 10 621 pixels; this prints, for each plan, the same test and one on blocks
of 24 x 24 pixels in 8 folds of at most 150 training points per class. No tested label takes part
in training or in the choice of the plan called `chosen`, and coordinates are no features.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from gossan.accuracy.blocks import Bootstrap
from gossan.forests.exercises import Options
from gossan.forests.features import Stack
from gossan.forests.ground import read_ground
from gossan.forests.plans import parse_plan
from gossan.forests.samples import read_samples
from gossan.forests.validation import compare_tests, run_tests
from gossan.legend import MapClass

CUBE = ("B02", "B03", "B04", "B06", "B07")
EXTRA = ("CT", "GT", "K", "MDT", "TH", "TH_K", "U", "U_K", "U_TH")
CLASSES = [
    MapClass(code, name, name, "#808080")
    for code, name in enumerate(("MAcgg", "PP3csbg", "PP34b", "PP4esjc", "PP4esb", "PP4egm"), 1)
]
FULL = {
    "layers": "all",
    "trees": "extra",
    "estimators": 200,
    "min_samples_split": 2,
    "min_samples_leaf": 1,
}
PLANS = [
    {"name": "pixel", "layers": "all"},
    {"name": "pixel-extra", **FULL},
    {"name": "focal", "layers": "all", "windows_px": [5, 9, 17, 33]},
    {"name": "focal-small-extra", **FULL, "windows_px": [3, 7, 15]},
    {"name": "focal-extra", **FULL, "windows_px": [5, 9, 17, 33]},
    {"name": "focal-wide-extra", **FULL, "windows_px": [9, 17, 33, 65]},
    {"name": "wavelet-extra", **FULL, "wavelet": "haar", "wavelet_level": 5},
]


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with raster/, train.csv, data_nb3.csv")
    parser.add_argument("--json", type=Path, help="file to write the scores to")
    parser.add_argument("--seed", type=int, default=42, help="seed of folds, draws and bootstrap")
    return parser


def run(folder: Path, seed: int) -> list[dict]:
    """The scores of all plans in both tests (`compare_tests`)."""
    options = Options(bootstrap=Bootstrap(24, 1000, seed), folds=8, threads=2)
    plans = [parse_plan(plan, plan["name"]) for plan in PLANS]
    cube, extra = ([folder / "raster" / f"{name}.tif" for name in names] for names in (CUBE, EXTRA))
    with Stack(cube, extra) as stack:
        samples = read_samples(
            folder / "train.csv", stack.grid, CLASSES, "TARGET", folder / "data_nb3.csv"
        )
        ground = read_ground(stack, samples, plans, 24, block_px=512, threads=2)
    return compare_tests(ground, run_tests(ground, plans, options), CLASSES, options)


def main() -> None:
    """Print and write the scores."""
    arguments = build_parser().parse_args()
    rows = run(arguments.folder, arguments.seed)
    for row in rows:
        print(f"{row['protocol']:8}{row['plan']:19}n {row['n']:<7}", end="")
        for name in ("overall_accuracy", "macro_f1", "kappa"):
            ends = [row[f"{name}_{end}"] for end in ("low", "high")]
            told = "no interval" if "" in ends else "-".join(f"{end:.3f}" for end in ends)
            print(f"{name} {row[name]:.3f} ({told})", end="  ")
        print()
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
