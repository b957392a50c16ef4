"""Every method on real ground: a scene with maps of its minerals, and real spectra with names.

The ordinary tools map a product whose minerals are known from an expert system's maps: from a
library alone, and with labels, tested in spatial blocks and carried over from half to half.

    uv run python benchmarks/real_ground.py --product DIR --truth-2um FILE --truth-1um FILE \\
        --library DIR [--columns FROM TO] [--spectra FILE --named FILE] [--json FILE]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window
from rasterio.windows import transform as window_transform

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from gossan.errors import InputError
from gossan.files import read_json, write_json
from gossan.legend import read_classes
from gossan.library.readers import read_library, select_from_libraries

ROOT = Path(__file__).resolve().parents[1]
MINERALS = ROOT / "resources/static/minerals.csv"
SPREAD = ROOT / "resources/static/record_spread.csv"
GROUPS = {
    "2um": (
        *("alunite", "kaolinite", "muscovite", "calcite", "dolomite"),
        *("montmorillonite", "chalcedony"),
    ),
    "1um": ("hematite", "goethite", "jarosite"),
}
"""Minerals that are looked for, by the map that shows them."""
FAMILIES = (
    ("alunite", "kaolinite"),
    ("muscovite",),
    ("calcite", "dolomite"),
    ("montmorillonite",),
    ("chalcedony",),
)
"""Al-OH and sulfate, mica, carbonate, smectite, silica: what seven bands might tell apart."""
BLOCK_PX = 50
SURE_SHARE = "0.3"
SEED = 42
WIDTH = 58


@dataclass(frozen=True)
class Row:
    """A line of the printed table: what was done, on which map, and how right it was."""

    what: str
    group: str
    kappa: float | None
    macro_f1: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None

    def text(self) -> str:
        """The line."""
        known = ["–" if value is None else f"{value:.3f}" for value in (self.kappa, self.macro_f1)]
        interval = "" if self.low is None else f"[{self.low:.3f}, {self.high:.3f}]"
        count = "" if self.n is None else f"{self.n:,}"
        return (
            f"{self.what:52} {self.group:4} {known[0]:>7} {known[1]:>7} {interval:>16} {count:>9}"
        )


def run_tool(name: str, *arguments: object) -> None:
    """Run a tool of scripts/; its last lines are told where it fails."""
    command = [sys.executable, str(ROOT / f"scripts/{name}.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name}: {done.stderr.strip().splitlines()[-1]}")


def make_cube(arguments: argparse.Namespace, work: Path) -> Path:
    """The cube of the product, or of some of its columns."""
    cube = work / "cube.tif"
    first = [] if arguments.columns is None else ["--window", *arguments.window]
    run_tool(
        "preprocess_scene",
        *("--sensor", arguments.sensor, "--product", arguments.product, *first),
        *("--atmosphere", "dos1", "--mask", "cloud", "cloud_shadow", "snow", "saturation"),
        *("--normalisation", "clip", "--cube", cube, "--record", work / "cube.json"),
    )
    return cube


def cut_truth(path: Path, columns: Sequence[int] | None, target: Path) -> Path:
    """Some columns of a truth, as a file of its own."""
    if columns is None:
        return path
    with rasterio.open(path) as source:
        window = Window(columns[0], 0, columns[1] - columns[0], source.height)
        profile = source.profile | {
            "width": window.width,
            "transform": window_transform(window, source.transform),
        }
        codes = source.read(window=window)
    with rasterio.open(target, "w", **profile) as sink:
        sink.write(codes)
    return target


def assess(work: Path, name: str, class_map: Path, truth: Path, group: str) -> dict:
    """The accuracy record of a group's map."""
    output = work / f"{name}.json"
    run_tool(
        "assess_accuracy",
        *("--class-map", class_map, "--truth", truth, "--classes", work / "classes.csv"),
        *("--group", group, "--method", name, "--scene", "real", "--design", "census"),
        *("--per-class", 100, "--spatial-block-px", BLOCK_PX, "--bootstrap", 1000),
        *("--seed", SEED, "--output", output),
    )
    record = read_json(output)
    if not record["assessed"]:
        sys.exit(f"{truth}: {record['reason']}; nothing can be measured")
    return record


def row_of(what: str, group: str, record: dict) -> Row:
    """The line of an accuracy record."""
    kappa = record["scores"]["kappa"]
    f1 = record["scores"]["macro_f1"]["value"]
    return Row(what, group, kappa["value"], f1, kappa["low"], kappa["high"], record["n"])


def family_kappa(record: dict) -> float:
    """Kappa of a record of 2 µm minerals once they are joined to FAMILIES."""
    classes = {item.name: item.code for item in read_classes(MINERALS)}
    family = {classes[name]: place for place, names in enumerate(FAMILIES) for name in names}
    matrix = record["confusion_matrix"]
    codes = [item["code"] for item in matrix["labels"]]
    joined = np.zeros((len(FAMILIES) + 1, len(FAMILIES) + 1))
    for code, counts in zip(codes, np.array(matrix["counts"]), strict=True):
        for other, count in zip(codes, counts, strict=True):
            joined[family.get(code, -1), family.get(other, -1)] += count
    total = joined.sum()
    chance = (joined.sum(axis=0) @ joined.sum(axis=1)) / total**2
    return float((np.trace(joined) / total - chance) / (1 - chance))


def compare(work: Path, cube: Path, match: str, group: str) -> Path:
    """The folder of a group's first map by one way of comparing."""
    folder = work / f"{match}-{group}"
    folder.mkdir()
    run_tool(
        "map_mineral_group",
        *("--cube", cube, "--cube-record", work / "cube.json", "--group", group),
        *("--references", work / "all.csv", "--classes", work / "classes.csv", "--match", match),
        *("--class-map", folder / "class.tif", "--angle", folder / "angle.tif"),
        *("--margin", folder / "margin.tif", "--contrast", folder / "contrast.tif"),
        *("--record", folder / "record.json"),
    )
    return folder


def teach(work: Path, cube: Path, folder: Path, model: str) -> Path:
    """The second map that a group's first one teaches."""
    taught = folder / f"{model}.tif"
    run_tool(
        "teach_minerals",
        *("--cube", cube, "--classes", work / "classes.csv", "--model", model),
        *("--class-map", folder / "class.tif", "--angle", folder / "angle.tif"),
        *("--contrast", folder / "contrast.tif", "--record", folder / "record.json"),
        *("--surest", SURE_SHARE, "--seed", SEED, "--taught-map", taught),
        *("--probability", folder / f"{model}-probability.tif"),
        *("--taught-record", folder / f"{model}.json"),
    )
    return taught


def map_origin(work: Path, cube: Path, group: str) -> Path:
    """The classical spectral angle of the group's minerals to the origin, over all bands."""
    names = [item.name for item in read_classes(work / "classes.csv") if item.name in GROUPS[group]]
    table = work / f"origin-{group}.csv"
    run_tool("select_classes", "--minerals", MINERALS, "--references", *names, "--classes", table)
    class_map = work / f"origin-{group}.tif"
    run_tool(
        "map_spectral_angles",
        *("--cube", cube, "--references", work / "one.csv", "--classes", table),
        *("--class-map", class_map, "--angle", work / f"origin-{group}-angle.tif"),
        *("--margin", work / f"origin-{group}-margin.tif"),
        *("--item", work / f"origin-{group}.json"),
    )
    return class_map


def known_minerals(library: Path) -> list[str]:
    """Those of the minerals that a library has."""
    spectra = [read_library(library)]
    records = {item.name: item.record for item in read_classes(MINERALS)}
    found = []
    for name in (name for names in GROUPS.values() for name in names):
        try:
            select_from_libraries(spectra, name, records[name])
        except InputError:
            print(f"{library}: has no spectrum of {name}; it is left out", file=sys.stderr)
            continue
        found.append(name)
    return found


def resample(work: Path, cube: Path, library: Path) -> None:
    """Class table and references, all records of each mineral and one, at the cube's bands."""
    names = known_minerals(library)
    run_tool(
        "select_classes",
        *("--minerals", MINERALS, "--references", *names, "--classes", work / "classes.csv"),
    )
    for count in ("all", "one"):
        run_tool(
            "resample_library",
            *("--library", library, "--classes", work / "classes.csv", "--cube", cube),
            *("--records-per-class", count, "--spread", SPREAD),
            *("--references", work / f"{count}.csv", "--records", work / f"{count}-records.csv"),
            *("--separable", work / f"{count}-separable.csv"),
        )


def measure_library(work: Path, cube: Path, truths: dict[str, Path]) -> tuple[list[Row], dict]:
    """Maps from the library alone: rows of the table, and the figures."""
    rows, figures = [], {}
    for group, truth in truths.items():
        record = assess(work, f"origin-{group}", map_origin(work, cube, group), truth, group)
        rows.append(row_of("library: angle to the origin, all bands", group, record))
        for match, words in (
            ("sid", "information divergence"),
            ("matched_filter", "matched filter"),
            ("ace", "coherence estimator (ACE)"),
            ("scene", "angle about the scene's mean"),
        ):
            folder = compare(work, cube, match, group)
            record = assess(work, f"{match}-{group}", folder / "class.tif", truth, group)
            rows.append(row_of(f"library: {words}, the group's bands", group, record))
        for model, words in (("forest", "a forest"), ("likelihood", "maximum likelihood")):
            taught = teach(work, cube, folder, model)
            record = assess(work, f"{model}-{group}", taught, truth, group)
            rows.append(row_of(f"library: second pass, {words}", group, record))
        figures[f"library_{group}_kappa"] = record["scores"]["kappa"]["value"]
        if group == "2um":
            figures["library_2um_macro_f1"] = record["scores"]["macro_f1"]["value"]
            figures["library_groups_kappa"] = family_kappa(record)
            rows.append(
                Row("library: second pass, five families", group, figures["library_groups_kappa"])
            )
    return rows, figures


def measure_labels(work: Path, cube: Path, truths: dict[str, Path]) -> tuple[list[Row], dict]:
    """Forests taught by labels: rows of the table, and the figures."""
    from ground_labels import measure

    rows, figures = [], {}
    for group, truth in truths.items():
        folder = work / f"labels-{group}"
        folder.mkdir()
        found = measure(cube, truth, GROUPS[group], folder)
        for split, words in (("blocked", f"blocks of {BLOCK_PX} px"), ("transfer", "other half")):
            rows.append(
                Row(
                    f"labels: forest, tested on {words}",
                    group,
                    found[f"{split}_kappa"],
                    found.get(f"{split}_macro_f1"),
                )
            )
            figures[f"labels_{group}_{split}_kappa"] = found[f"{split}_kappa"]
        if group == "2um":
            figures["labels_2um_blocked_macro_f1"] = found["blocked_macro_f1"]
    return rows, figures


def main() -> None:
    """Measure, print the table, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--product", type=Path, required=True, help="product of the scene")
    add("--sensor", default="landsat", help="its sensor")
    add("--truth-2um", type=Path, required=True, help="class raster: clays, sulfates, carbonates")
    add("--truth-1um", type=Path, required=True, help="class raster: iron minerals")
    add("--library", type=Path, required=True, help="spectral library, such as a USGS folder")
    add("--columns", type=int, nargs=2, metavar=("FROM", "TO"), help="columns of it (default: all)")
    add("--spectra", type=Path, help="real spectra: a MATLAB matrix of AVIRIS pixels")
    add("--named", type=Path, help="their names by Tetracorder (CSV)")
    add("--json", type=Path, help="figures to write (JSON)")
    arguments = parser.parse_args()
    if (arguments.spectra is None) != (arguments.named is None):
        parser.error("--spectra and --named go together; give both or none")
    with rasterio.open(arguments.truth_2um) as truth:
        width, height = truth.width, truth.height
    if arguments.columns is not None:
        first, last = arguments.columns
        if not 0 <= first < last <= width:
            parser.error(f"--columns: {first} to {last} is no part of columns 0 to {width}")
        arguments.window = (first, 0, last - first, height)
    with tempfile.TemporaryDirectory(prefix="real-ground-") as folder:
        work = Path(folder)
        given = {"2um": arguments.truth_2um, "1um": arguments.truth_1um}
        cube = make_cube(arguments, work)
        truths = {
            group: cut_truth(path, arguments.columns, work / f"truth-{group}.tif")
            for group, path in given.items()
        }
        resample(work, cube, arguments.library)
        rows, figures = measure_library(work, cube, truths)
        for found, more in (measure_labels(work, cube, truths),):
            rows += found
            figures |= more
        if arguments.spectra is not None:
            from ground_spectra import measure

            spectra = work / "spectra"
            spectra.mkdir()
            found = measure(arguments.spectra, arguments.named, arguments.library, spectra)
            names = ("named_share", "named_agreement", "named_agreement_any", "nearest_agreement")
            figures |= {f"spectra_{name}": found[name] for name in names}
    print(f"{'what':{WIDTH}} {'map':4} {'kappa':>7} {'F1':>7} {'95 % of kappa':>16} {'n':>9}")
    print("\n".join(row.text() for row in rows))
    print(json.dumps(figures, indent=1))
    if arguments.json is not None:
        write_json(arguments.json, figures)


if __name__ == "__main__":
    main()
