"""Which method runs on which sensor, on simulated ground, and how right its map is.

    uv run python benchmarks/matrix.py [--json FILE] [--folder DIR] [--cores N]

Seven sensors look at two grounds, and every method of the workflow runs on what each of them saw,
through the ordinary rules. The numbers are of small simulated scenes: they show that a cell runs
and does something sensible, not how well it would do on real ground.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from gossan.config import METHODS  # noqa: E402
from gossan.scenes import TWIN_PRODUCTS  # noqa: E402

GROUNDS = {"minerals": "epithermal", "zones": "porphyry-zones", "iron": "iron"}
CONFIG = {
    "block_px": 128,
    "twin": {"size_px": {"epithermal": 96, "iron": 384}, "dates": 2},
    "accuracy": {"bootstrap": 200, "spatial_block_px": 12},
    "studies": {
        "minerals": {
            "cube": {"atmosphere": ["dos1"]},
            "minerals": {
                "references": [
                    *("alunite", "kaolinite", "calcite", "muscovite", "chlorite", "goethite"),
                    *("hematite", "jarosite"),
                ],
                "max_angle_rad": 0.25,
            },
            "mnf": {"components": 4, "skewers": 500},
            "patches": {
                **{"size_px": 8, "stride_px": 4, "split_block_px": 16, "images": 240},
                **{"rotations": 4, "epochs": 6, "labels": ["kaolinite", "goethite"]},
            },
            "embedding": {
                **{"triplets": 2048, "epochs": 6, "hidden": 64, "size": 16},
                "detection": {"spatial_block_px": 8, "training_spectra": 200, "trees": 20},
                "filler": {"spectra": 1024, "epochs": 1, "hidden": 32},
            },
        },
        "zones": {
            "cube": {"atmosphere": []},
            "zones": {"score": {"folds": 3, "per_class": 1000, "buffer_px": 3}},
        },
        "iron": {
            # EMIT's few pixels of so small a scene lie below clouds.
            "cube": {"mask": []},
            "prospects": {
                "strata": {
                    **{"counts": [6, 6, 6, 12], "ore_count": 6, "allow_fewer": True},
                    **{"spatial_block_px": 12, "min_distance_m": 0},
                },
                "forest": {"folds": 3, "per_class": 40},
            },
            "targets": {},
        },
    },
}
# Of each method: what must be there, below the folder of the sensor or the scene; the records that
# the run leaves, and the one of them whose kappa stands in the cell.
MAPS = {
    "minerals": ("{sensor}/minerals/class.tif", "{sensor}/minerals/accuracy/minerals.json", ""),
    "mnf": ("{sensor}/mnf/purity.tif", "", ""),
    "patches": (
        "{sensor}/patches/map/class.tif",
        "{sensor}/patches/networks/compact-blocked/accuracy.json",
        "",
    ),
    "zones": (
        "{sensor}/zones/confidence/phyllic.tif",
        "{sensor}/zones/accuracy/score",
        "phyllic-score.json",
    ),
    "prospects": (
        "{sensor}/prospects/potential/potential.tif",
        "{sensor}/prospects/accuracy/forest",
        "chosen-blocked.json",
    ),
    "embedding": ("embedding/map/class.tif", "embedding/accuracy", "map.json"),
    "targets": ("targets/targets.gpkg", "", ""),
}


# EMIT comes in degrees, in which a ring around a mine has no width in metres: its prospects are
# found on the grid of the stack.
ON_STACK = {("prospects", "emit")}


def study_of(method: str) -> str:
    """The study that runs a method."""
    return next(name for name, study in CONFIG["studies"].items() if method in study)


def write_inputs(folder: Path) -> Path:
    """Config and table of scenes; the path of the config."""
    stacked = {**CONFIG["studies"]["iron"]}
    stacked["prospects"] = {**stacked["prospects"], "sensors": ["stack"]}
    studies = {**CONFIG["studies"], "iron-stack": stacked}
    rows = [
        "\t".join(
            (
                f"{sensor}-{study}",
                "iron-stack" if study == "iron" and ("prospects", sensor) in ON_STACK else study,
                *(sensor, f"twin:{ground}", "twin"),
            )
        )
        for sensor in TWIN_PRODUCTS
        for study, ground in GROUNDS.items()
    ]
    table = folder / "scenes.tsv"
    table.write_text("\n".join(["scene\tstudy\tsensor\tproduct\ttruth", *rows]) + "\n")
    config = folder / "config.yaml"
    places = {"results": str(folder / "results")}
    config.write_text(
        yaml.safe_dump({**CONFIG, "studies": studies, "scenes": str(table), "pathvars": places})
    )
    return config


def files_of(folder: Path, method: str, sensor: str) -> tuple[list[Path], Path | None]:
    """What a cell's run leaves, and the record of its accuracy, if its method has one."""
    scene = folder / "results/scenes" / f"{sensor}-{study_of(method)}"
    place = "stack" if (method, sensor) in ON_STACK else sensor
    made, records, record = (part.format(sensor=place) for part in MAPS[method])
    if not records:
        return [scene / made], None
    return [scene / made, scene / records], scene / records / record


def run(folder: Path, cores: int) -> str:
    """Run all cells, whatever fails; what Snakemake said."""
    config = write_inputs(folder)
    targets = [
        str(path)
        for method in METHODS
        for sensor in TWIN_PRODUCTS
        for path in files_of(folder, method, sensor)[0]
    ]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", *targets, "--cores", str(cores)),
            *("--keep-going", "--configfile", str(config)),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    (folder / "run.log").write_text(done.stdout)
    return done.stdout


def score_of(path: Path | None) -> float | None:
    """Kappa of a record; null where none is stated."""
    record = json.loads(path.read_text()) if path else {"assessed": False}
    return record["scores"]["kappa"]["value"] if record["assessed"] else None


def reason_of(folder: Path, said: str, sensor: str, method: str) -> str:
    """Why a cell did not run: the first error of its scene's logs, else of Snakemake."""
    scene = f"{sensor}-{study_of(method)}"
    for log in sorted((folder / "results/logs").rglob(f"{scene}.*")):
        for line in log.read_text(errors="replace").splitlines():
            if line.startswith("error: "):
                return f"{log.parent.name}: {line.removeprefix('error: ')}"
    return next((line for line in said.splitlines() if scene in line and "rror" in line), "see log")


def main() -> None:
    """Run the matrix and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file to write the cells to")
    parser.add_argument("--folder", type=Path, help="folder to keep the results in")
    parser.add_argument("--cores", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        said = run(folder, arguments.cores)
        cells = []
        for method in METHODS:
            for sensor in TWIN_PRODUCTS:
                paths, record = files_of(folder, method, sensor)
                ran = all(path.exists() for path in paths)
                cells.append(
                    {
                        "method": method,
                        "sensor": sensor,
                        "ran": ran,
                        "score": score_of(record) if ran else None,
                        "reason": "" if ran else reason_of(folder, said, sensor, method),
                    }
                )
    print(f"{'':12}" + "".join(f"{sensor:>12}" for sensor in TWIN_PRODUCTS))
    for method in METHODS:
        row = [cell for cell in cells if cell["method"] == method]
        texts = [
            ("runs" if cell["score"] is None else f"{cell['score']:.3f}") if cell["ran"] else "–"
            for cell in row
        ]
        print(f"{method:12}" + "".join(f"{text:>12}" for text in texts))
    for cell in cells:
        if not cell["ran"]:
            print(f"{cell['method']} on {cell['sensor']}: {cell['reason']}")
    print(f"{sum(cell['ran'] for cell in cells)} of {len(cells)} cells run")
    if arguments.json:
        arguments.json.write_text(json.dumps({"cells": cells}, indent=2) + "\n")


if __name__ == "__main__":
    main()
