"""The runs of tools that faults are put into: jobs of a small workflow, of products and by hand.

A job's words are its command line with paths below one folder, the base, in which every input
lies as a sound run left it.
"""

import hashlib
import json
import multiprocessing
import os
import pickle
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from injections import forks, products

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = """
twin: {size_px: {porphyry: 64, porphyry-zones: [96, 80], iron: 240, epithermal: 48}, dates: 2}
accuracy: {bootstrap: 100, spatial_block_px: 16}
scenes: scenes.tsv
studies:
  porphyry:
    minerals:
      zones: {propylitic: [chlorite, epidote, calcite], potassic-phyllic: [biotite, feldspar]}
    patches:
      {labels: [epidote, chlorite], size_px: 8, stride_px: 4, split_block_px: 16,
       images: 60, rotations: 4, epochs: 1}
  angles:
    cube: {atmosphere: []}
    minerals: {match: origin, max_angle_rad: 0.1, references: [chlorite, calcite, alunite]}
  zafarghand: {zones: {score: {per_class: 300, folds: 3, buffer_px: 4}}}
  bahia:
    mnf: {components: 4, skewers: 100}
    prospects:
      strata: {counts: [6, 6, 6, 12], ore_count: 6, allow_fewer: true, spatial_block_px: 16}
      forest: {folds: 3, per_class: 30, plans: plans.json}
    targets: {}
  cuprite:
    minerals: {sensors: [emit], references: [alunite, kaolinite, calcite, goethite, hematite]}
    embedding:
      triplets: 256
      epochs: 1
      hidden: 16
      size: 8
      regions: {names: [1um], triplets: 256, epochs: 1, networks: 1}
      filler: {spectra: 128, epochs: 1, hidden: 16}
      detection: {spatial_block_px: 6, training_spectra: 50, trees: 5}
      pixels:
        matrix: {files: [pixels.mat],
                 matrix: {variable: pixels, wavelengths: pixels.hdr, range_um: [0.36, 2.5]}}
        table: {files: [spectra.csv]}
    targets: {minerals: [alunite]}
"""
SCENES = """scene	study	sensor	product	truth
p	porphyry	landsat	twin:porphyry	twin
a	angles	landsat	twin:porphyry	twin
z	zafarghand	aster	twin:porphyry-zones	twin
b	bahia	sentinel2	twin:iron	twin
c	cuprite	emit	twin:epithermal	twin
c	cuprite	enmap	twin:epithermal	twin
c	cuprite	prisma	twin:epithermal	twin
c	cuprite	sentinel2	twin:epithermal	twin
c	cuprite	worldview3	twin:epithermal	twin
"""
PLANS = [{"name": "pixel"}, {"name": "differences", "differences": True, "estimators": 10}]
PARTS = ("Snakefile", "workflow", "config", "envs", "profiles", "scripts", "resources/static")
LAYERS = "layers.json"
# An input of the record of settings, which only says when it is written.
LATER = '        accuracy="<study>/accuracy.json",\n    output:\n        "<study>/settings.json"'
RECORD = LATER.partition("\n")[2]
TEMPORARY = re.compile(r"(^|/)\.[^/]+|\.part(\.|$)")


@dataclass
class Job:
    """A tool, its words, the files that it read and wrote in a sound run, and its seconds."""

    tool: str
    words: list[str]
    sort: str = "tool"
    makes: list[str] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    writes: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def list_files(folder: Path) -> set[str]:
    """All files below a folder, by their paths from it."""
    return {
        str(Path(place, name).relative_to(folder))
        for place, _, names in os.walk(folder)
        for name in names
    }


def digest(path: Path) -> str:
    """What a file holds, in short."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def paths_of(words: Iterable[str], base: Path) -> list[str]:
    """Those words that are files or folders of the base."""
    return [
        word
        for word in dict.fromkeys(map(value_of, words))
        if word and not word.startswith(("-", "/")) and (base / word).exists()
    ]


def value_of(word: str) -> str:
    """What a word says, without the flag that may be joined to it, or the mark of a list."""
    return word.partition("=")[2] if re.match(r"--[\w-]+=", word) else word.removeprefix("@")


def inputs_of(job: Job, base: Path) -> dict[str, list[str]]:
    """Files that a job may read: by the word that names them, alone or with their kin."""
    found = {}
    for word in paths_of(job.words, base):
        path = base / word
        if path.is_dir():
            files = files_of(base, word)
        else:
            kin = sorted(path.parent.glob(f"{glob_escape(path.stem)}*"))
            files = [word] + [
                str(item.relative_to(base))
                for item in kin
                if item.is_file() and item != path and item.name.startswith(f"{path.stem}.")
            ]
            if path.name == "item.json" and word.startswith("products/"):
                files += [str(item.relative_to(base)) for item in path.parent.glob("*.tif")]
            if path.name == LAYERS or f"@{word}" in job.words:  # names files that are inputs
                named = [need for need in job.needs if need.startswith("results/")]
                files += [name for need in named for name in files_of(base, need)]
            mask = path.with_name(path.name.replace("_RFL_", "_MASK_"))
            if mask != path and mask.exists():
                files.append(str(mask.relative_to(base)))
        found[word] = [name for name in files if name not in job.writes]
    return {word: files for word, files in found.items() if files}


def files_of(base: Path, name: str) -> list[str]:
    """A file of the base, or all that lie in a folder of it."""
    path = base / name
    if path.is_dir():
        return [f"{name}/{file}" for file in sorted(list_files(path))]
    return [name] if path.exists() else []


def glob_escape(text: str) -> str:
    """A name in which nothing is a pattern."""
    return re.sub(r"([*?[])", r"[\1]", text)


def lay_out(job: Job, base: Path, box: Path, copy: bool = False) -> None:
    """Put a job's inputs into an empty box; links, unless a disk of its own needs copies."""
    place = shutil.copy2 if copy else os.link
    for files in inputs_of(job, base).values():
        for name in files:
            target = box / name
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                place(base / name, target)
    for word in paths_of(job.words, base):
        if (base / word).is_dir():
            (box / word).mkdir(parents=True, exist_ok=True)


def run_job(job: Job, base: Path, box: Path, limit_s: float = 900) -> tuple[Job, forks.Ran]:
    """Run a job soundly in a box, note what it wrote, and add that to the base."""
    box.mkdir(parents=True)
    lay_out(job, base, box)
    before = list_files(box)
    ran = forks.run_forked(
        box,
        lambda: forks.run_tool(job.tool, job.words),
        box.with_suffix(".log"),
        limit_s,
    )
    if ran.code == 0:
        job.seconds = ran.seconds
        job.reads = sorted(before)
        written = sorted(list_files(box) - before)
        job.writes = {name: digest(box / name) for name in written}
        for name in written:
            (base / name).parent.mkdir(parents=True, exist_ok=True)
            (base / name).unlink(missing_ok=True)
            os.link(box / name, base / name)
    shutil.rmtree(box)
    box.with_suffix(".log").unlink(missing_ok=True)
    return job, ran


def prepare(base: Path, workers: int = 2, quick: bool = False) -> list[Job]:
    """All jobs, with their sound results below `base`; made once per folder.

    Of a `quick` campaign without those of networks, whose sound runs take the longest.
    """
    ready = base / "jobs.pickle"
    if ready.exists():
        return pickle.loads(ready.read_bytes())
    base.mkdir(parents=True, exist_ok=True)
    jobs = [*workflow_jobs(base, quick), *by_hand(), *product_jobs(base)]
    forks.preload(sorted({job.tool for job in jobs}))
    done = run_all(jobs, base, workers)
    ready.write_bytes(pickle.dumps(done))
    return done


def without_networks(settings: str, scenes: str) -> tuple[str, str]:
    """The settings and the table without the methods that train networks."""
    import yaml

    given = yaml.safe_load(settings)
    for study in given["studies"].values():
        study.pop("patches", None)
        study.pop("embedding", None)
    kept = [row for row in scenes.splitlines() if "\tcuprite\t" not in row or "\temit\t" in row]
    return yaml.safe_dump(given, sort_keys=False), "\n".join(kept) + "\n"


def workflow_jobs(base: Path, quick: bool = False) -> list[Job]:
    """The jobs of the small workflow, with what it needs in the base."""
    for part in PARTS:
        origin, target = ROOT / part, base / part
        if origin.is_dir():
            shutil.copytree(origin, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(origin, target)
    settings, scenes = without_networks(SETTINGS, SCENES) if quick else (SETTINGS, SCENES)
    (base / "small.yaml").write_text(settings)
    (base / "scenes.tsv").write_text(scenes)
    (base / "plans.json").write_text(json.dumps(PLANS))
    products.write_spectra(base)
    # A rule with a message tells no inputs and outputs when it is planned.
    for path in (base / "workflow/rules").glob("*.smk"):
        text = path.read_text()
        text = re.sub(r"^    message:\n(?:        .*\n)+", "", text, flags=re.MULTILINE)
        # What Snakemake writes itself is written before all jobs.
        path.write_text(text.replace(LATER, RECORD))
    planned = run_snakemake(base, "--dry-run", "--printshellcmds")
    found, written, told = [], [], {"input": [], "output": []}
    for line in planned.splitlines():
        if re.match(r"(local)?rule \w+:", line):
            told = {"input": [], "output": []}
        if match := re.match(r" +(input|output): (.*)", line):
            told[match[1]] = match[2].split(", ")
        if line.startswith("Shell command: ") and (job := read_command(line[15:], base)):
            job.makes, job.needs = told["output"], told["input"]
            found.append(job)
        if line == "Shell command: None":
            written += told["output"]
    run_snakemake(base, *written)
    return found


def run_snakemake(base: Path, *words: str) -> str:
    """Run the small workflow, and return what it says."""
    run = subprocess.run(
        [sys.executable, "-m", "snakemake", *words, "--cores", "2", "--configfile", "small.yaml"],
        cwd=base,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if run.returncode:
        sys.exit(f"error: the small workflow does not run:\n{run.stdout[-3000:]}")
    return run.stdout


def read_command(text: str, base: Path) -> Job | None:
    """The job of a shell command of the workflow."""
    if text in ("None", "-", ""):
        return None
    words = shlex.split(text)
    if words[0] == "printf":
        target = base / words[words.index(">") + 1]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(words[2] + "\n")
        return None
    if "2>" in words:
        words = words[: words.index("2>")]
    if words[0] != "python":
        sys.exit(f"error: no command of a tool: {text[:300]}")
    words = [re.sub(r"/[^=]*/(?=(resources/static|workflow/schemas)/)", "", word) for word in words]
    return Job(Path(words[1]).stem, words[2:])


def by_hand() -> list[Job]:
    """Tools that the workflow does not run."""
    grown = ["--minerals", "few.csv", "--library", "library.csv"]
    return [
        Job(
            "fit_absorptions",
            [
                *grown,
                *("--table", "made/table.csv", "--residuals", "made/residuals.csv"),
                *("--absorptions", "2"),
            ],
        ),
        Job(
            "sample_truth",
            [
                *("--cube", "results/scenes/p/landsat/cube/cube.tif"),
                *("--truth", "results/scenes/p/twin/truth.tif"),
                *("--classes", "results/studies/porphyry/minerals/classes.csv"),
                *("--count", "200", "--test-share", "0.5", "--seed", "1", "--label", "class"),
                *("--samples", "made/samples.csv", "--threads", "1"),
            ],
        ),
    ]


def product_jobs(base: Path) -> list[Job]:
    """A reading of every form of every sensor's product."""
    found = []
    for number, form in enumerate(products.write_all(base)):
        words = ["--sensor", form.sensor, "--product", form.path, *form.flags]
        more = ["--atmosphere", "none", "--normalisation", "none"]
        more += ["--cube", f"made/{number}/cube.tif", "--record", f"made/{number}/cube.json"]
        found.append(
            Job("preprocess_scene", [*words, *more, "--block-px", "64", "--threads", "1"], "reader")
        )
    return found


def run_all(jobs: Sequence[Job], base: Path, workers: int = 2) -> list[Job]:
    """Run all jobs soundly, each once what it reads is there."""
    waiting, running, done, failed = list(jobs), [], [], []
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        while waiting or running:
            for job in list(waiting):
                if len(running) < workers and is_ready(job, [*waiting, *(j for j, _ in running)]):
                    waiting.remove(job)
                    box = base.parent / f"{base.name}-box{len(waiting)}"
                    running.append((job, pool.apply_async(run_job, (job, base, box))))
            if not running:
                break
            time.sleep(0.01)
            for pair in list(running):
                if pair[1].ready():
                    running.remove(pair)
                    job, ran = pair[1].get()
                    (done if ran.code == 0 else failed).append(job if ran.code == 0 else (job, ran))
    for job, ran in failed:
        told = f"{job.tool} {shlex.join(job.words)}\n{ran.said[-800:]}"
        print(f"left out, for it does not end well: {told}", file=sys.stderr, flush=True)
    for job in waiting:
        print(f"left out, for it waits for another: {job.tool}", file=sys.stderr, flush=True)
    return done


def is_ready(job: Job, waiting: Sequence[Job]) -> bool:
    """Whether no other waiting job makes what this one names."""
    others = {name for other in waiting if other is not job for name in other.makes}
    # A job of the workflow tells what it needs; its words name pages that it links, too.
    named = set(job.needs or map(value_of, job.words))
    return not (others - set(job.makes)) & named
