"""Real AVIRIS spectra of Cuprite, named by networks of two regions, against Tetracorder's names.

Everything goes through the ordinary tools: tabulate_pixels, train_embedding for each region,
name_spectra. No label is read before the answers are written; the pixels themselves, unlabelled,
set the margin from which they are named. Tetracorder (Clark et al. 2003) is an expert system and
no field truth. Settings were chosen on the pixels whose number leaves 0 when divided by 4; those
that leave 2 were looked at once, at the end.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from math import ceil
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from gossan.cube.bands import lay_out, write_bands
from gossan.embedding.regions import REGIONS
from gossan.library.pixel_matrix import read_pixels
from gossan.raster import BandTable

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
VARIABLE = "data_points"
RANGE_UM = (0.41, 2.45)
SENSOR = "rasters"
"""The stack's name for an instrument that is none of its own."""
MINERALS = {
    "1um": ("goethite", "hematite", "jarosite", "nanohematite"),
    "2um": (
        *("alunite", "beidellite", "buddingtonite", "calcite", "chalcedony", "chlorite", "dickite"),
        *("dolomite", "epidote", "gypsum", "kaolinite", "montmorillonite", "muscovite"),
        *("nontronite", "pyrophyllite", "saponite"),
    ),
}
"""Minerals to find: those of Cuprite's maps by Tetracorder 4.4, nanohematite as one of its own,
gypsum and the other smectites. Mixtures are none: their first member is."""
NETWORK = (
    *("--masking", 0, "--triplets", 6144, "--epochs", 8, "--mining", "semi-hard", "--margin", 0.3),
    *("--hidden", 256, "--embedding", 32, "--networks", 3, "--seed", 42),
)
NAMED_SHARE = 0.3
METHODS = {"masked": "network", "sam": "sam", "shape": "feature_fit"}
PARTS = {"chosen": 0, "tested": 2}
"""Halves of the even pixels: what is left of a pixel's number divided by 4."""

Named = tuple[str, frozenset[str]]


def measure(spectra: Path, named: Path, library: Path, work: Path, threads: int = 2) -> dict:
    """Agreement of the answers to `spectra` with the names in `named`; files go to `work`.

    `spectra` is the MATLAB matrix (pixels x 224 channels of AVIRIS 1995), `named` a CSV of any of
    its pixels (pixel from 0, group_1um, group_2um), `library` the folder of USGS spectra.
    """
    work.mkdir(parents=True, exist_ok=True)
    answers = answer(spectra, library, work, threads)
    rows, unknown = read_names(named)
    found = {
        label: score([row for row in answers if row["method"] == method], rows)
        for method, label in METHODS.items()
    }
    network = found.pop("network")
    parts = {
        part: score(
            [row for row in answers if row["method"] == "masked"],
            {pixel: names for pixel, names in rows.items() if pixel % 4 == rest},
        )
        for part, rest in PARTS.items()
        if any(pixel % 4 == rest for pixel in rows)
    }
    return {**network, **found, "parts": parts, "unknown_names": unknown}


def answer(spectra: Path, library: Path, work: Path, threads: int) -> list[dict[str, str]]:
    """Rows of named.csv: every pixel by network, spectral angle and shape fit, in both regions."""
    header = write_header(work / "aviris95.hdr")
    pixels = read_pixels(spectra, VARIABLE, header, RANGE_UM)
    run(
        *("tabulate_pixels", "--matrix", spectra, "--variable", VARIABLE),
        *("--wavelengths", header, "--range-um", *RANGE_UM),
        *("--table", work / "spectra.csv", "--record", work / "spectra.json"),
    )
    write_table(work / "bands.csv", pixels.wavelength_um)
    write_classes(work / "classes.csv")
    libraries = ("--library", library, ROOT / "resources/static/analytic_library.csv")
    networks = []
    for region in REGIONS:
        networks.append(work / f"{region}.onnx")
        run(
            *("train_embedding", *libraries, "--classes", work / "classes.csv"),
            *("--bands", work / "bands.csv", "--region", region, "--scene", "cuprite"),
            *(*NETWORK, "--threads", threads),
            *("--model", work / f"{region}.keras", "--onnx", networks[-1]),
            *("--record", work / f"{region}.json", "--history", work / f"{region}.csv"),
        )
    run(
        *("name_spectra", "--spectra", work / "spectra.csv", "--sensor", SENSOR),
        *("--onnx", *networks, "--classes", work / "classes.csv", *libraries),
        *("--coverage", 0.9, "--named-share", NAMED_SHARE, "--seed", 42, "--threads", threads),
        *("--table", work / "named.csv", "--summary", work / "summary.csv"),
        *("--thresholds", work / "thresholds.json"),
    )
    with (work / "named.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def run(tool: str, *flags: object) -> None:
    """Run one of the project's tools; its last words go with the error where it fails."""
    command = [sys.executable, str(ROOT / "scripts" / f"{tool}.py"), *map(str, flags)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{tool}: {done.stderr.strip().splitlines()[-1]}")


def read_channels() -> tuple[np.ndarray, np.ndarray]:
    """Centres and widths (224,) in µm of AVIRIS's channels in 1995, in the order of the channels.

    From the header of s07_AV95, USGS Spectral Library 7 (doi:10.3133/ds1035).
    """
    with (HERE / "aviris95.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    centre, width = (
        np.array([float(row[column]) for row in rows]) for column in ("centre_um", "fwhm_um")
    )
    return centre, width


def write_header(path: Path) -> Path:
    """An ENVI header of AVIRIS's wavelengths, as tabulate_pixels reads them."""
    centre, _ = read_channels()
    text = ", ".join(f"{value:g}" for value in centre)
    path.write_text(
        f"ENVI\nsamples = {centre.size}\nwavelength units = Micrometers\nwavelength = {{{text}}}\n",
        encoding="utf-8",
    )
    return path


def write_table(path: Path, wavelength_um: np.ndarray) -> None:
    """The bands of the channels that are left, as a stack of one sensor; water vapour is kept."""
    centre, width = read_channels()
    place = [int(np.abs(centre - value).argmin()) for value in wavelength_um]
    table = BandTable(
        tuple(f"channel{number + 1}" for number in place),
        tuple(map(float, centre[place])),
        tuple(map(float, width[place])),
    )
    write_bands(path, lay_out({SENSOR: table}, excluded_um=())[1])


def write_classes(path: Path) -> None:
    """The rows of the class table that are sought."""
    wanted = {name for names in MINERALS.values() for name in names}
    with (ROOT / "resources/static/minerals.csv").open(newline="", encoding="utf-8") as source:
        reader = csv.DictReader(source)
        rows = [row for row in reader if row["name"] in wanted]
        columns = reader.fieldnames
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        table.writerows(rows)


def read_names(path: Path) -> tuple[dict[int, dict[str, Named | None]], list[str]]:
    """Tetracorder's names of pixels by group: the class, and all members of a mixture.

    None where nothing is named, or a name that tetracorder_names.csv does not know: those are
    listed beside, and agree with no answer.
    """
    with (HERE / "tetracorder_names.csv").open(newline="", encoding="utf-8") as file:
        patterns = list(csv.DictReader(file))
    known: dict[tuple[str, str], Named | None] = {}
    found: dict[int, dict[str, Named | None]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            names = {}
            for group in MINERALS:
                text = (row.get(f"group_{group}") or "").strip()
                if (group, text) not in known:
                    known[group, text] = look_up(text, group, patterns)
                names[group] = known[group, text]
            found[int(row["pixel"])] = names
    unknown = sorted(f"{group} {text}" for (group, text), own in known.items() if text and not own)
    return found, unknown


def look_up(text: str, group: str, patterns: Sequence[Mapping[str, str]]) -> Named | None:
    """The first pattern of the group that a name fits, as class and members.

    A mixture is its first-named member, or itself where it is a class; nanohematite is hematite
    unless it is a class.
    """
    classes = MINERALS[group]

    def fold(name: str) -> str:
        return "hematite" if name == "nanohematite" and name not in classes else name

    for row in patterns:
        if row["group"] == group and fnmatchcase(text, row["name"]):
            members = frozenset(row["members"].split())
            mixtures = [name for name in classes if frozenset(name.split("+")) == members]
            own = mixtures[0] if len(members) > 1 and mixtures else fold(row["class"])
            return own, frozenset(map(fold, members))
    return None


def score(
    rows: Sequence[Mapping[str, str]], names: Mapping[int, Mapping[str, Named | None]]
) -> dict:
    """Shares and agreements of one method's answers, of both regions and of each.

    An answer in a region is right where it is what Tetracorder names in that group of absorptions;
    wrong also where Tetracorder names nothing there, or what is no class. `named_share` is of the
    pixels with an answer in one region or both, `named_agreement` of all answers, `_any` counts
    any member of a mixture. `nearest_agreement` is of the pixels whose name at 2 µm is a class, at
    whatever margin; `surest_agreement` of the NAMED_SHARE of largest margin, which a method's own
    limit may leave without a name. `commonest_agreement` is what the commonest name alone reaches.
    """
    regions, right, right_any, answers = {}, 0, 0, 0
    anything: set[int] = set()
    for region, classes in MINERALS.items():
        own = {number_of(row["spectrum"]): row for row in rows if row["region"] == region}
        truths = {pixel: of[region] for pixel, of in names.items()}
        named = {pixel: own[pixel]["mineral"] for pixel in truths if own[pixel]["mineral"]}
        nearest = {
            pixel: own[pixel]["nearest"]
            for pixel, truth in truths.items()
            if truth and truth[0] in classes
        }
        counts = Counter(truth[0] for truth in truths.values() if truth)
        order = sorted(truths, key=lambda pixel: (-float(own[pixel]["margin"]), pixel))
        surest = {pixel: own[pixel]["nearest"] for pixel in order[: ceil(NAMED_SHARE * len(order))]}
        anything |= set(named)
        hits, hits_any = agree(named, truths), agree(named, truths, members=True)
        right, right_any, answers = right + hits, right_any + hits_any, answers + len(named)
        regions[region] = {
            "n": len(truths),
            "n_named": len(named),
            "named_share": share(len(named), len(truths)),
            "named_agreement": share(hits, len(named)),
            "named_agreement_any": share(hits_any, len(named)),
            "surest_agreement": share(agree(surest, truths), len(surest)),
            "n_nearest": len(nearest),
            "nearest_agreement": share(agree(nearest, truths), len(nearest)),
            "nearest_agreement_any": share(agree(nearest, truths, members=True), len(nearest)),
            "commonest": max((counts[name], name) for name in classes)[1],
            "commonest_agreement": share(max(counts[name] for name in classes), len(truths)),
        }
    return {
        "n": len(names),
        "n_named": len(anything),
        "n_answers": answers,
        "named_share": share(len(anything), len(names)),
        "named_agreement": share(right, answers),
        "named_agreement_any": share(right_any, answers),
        "n_nearest": regions["2um"]["n_nearest"],
        "nearest_agreement": regions["2um"]["nearest_agreement"],
        "regions": regions,
    }


def number_of(spectrum: str) -> int:
    """A pixel's number from 0 of its name in the table, which counts from 1."""
    return int(spectrum.removeprefix("pixel")) - 1


def agree(
    answers: Mapping[int, str], truths: Mapping[int, Named | None], *, members: bool = False
) -> int:
    """How many answers are what their pixels are called, or one of the members of that."""
    return sum(
        answer in (truth[1] if members else {truth[0]})
        for answer, truth in ((answer, truths[pixel]) for pixel, answer in answers.items())
        if truth
    )


def share(part: int, whole: int) -> float | None:
    """A share with four decimals; None of nothing."""
    return round(part / whole, 4) if whole else None


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print or write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--spectra", type=Path, required=True, help="MATLAB matrix of AVIRIS pixels")
    add("--named", type=Path, required=True, help="Tetracorder's names (CSV)")
    add("--library", type=Path, required=True, help="folder of USGS spectra (Beckman)")
    add("--work", type=Path, help="folder for what the tools write; default: none is kept")
    add("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    work = options.work or Path(tempfile.mkdtemp(prefix="ground-spectra-"))
    try:
        found = measure(options.spectra, options.named, options.library, work, options.threads)
    finally:
        if options.work is None:
            shutil.rmtree(work)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
