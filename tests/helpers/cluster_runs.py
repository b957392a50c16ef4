"""A small study on a Slurm of the tests, and what its folder holds afterwards."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from projects import copy_project

CONFIG = """
twin: {size_px: {porphyry: 96}}
accuracy: {bootstrap: 100, spatial_block_px: 16}
scenes: scenes.tsv
studies: {quick: {minerals: {references: [chlorite, epidote, calcite, biotite]}}}
"""
TABLE = "scene\tstudy\tsensor\tproduct\ttruth\n"
ON_SLURM = ("--profile", "profiles/slurm", "--jobs", "50")
PRODUCT = "results/scenes/a/twin/landsat.tar"
CUBE = "results/scenes/a/landsat/cube/cube.tif"


def lay_out(folder: Path, *scenes: str) -> Path:
    """A copy of the project whose config maps a few minerals of these simulated scenes."""
    folder.mkdir()
    copy_project(folder)
    (folder / "config/config.yaml").write_text(CONFIG)
    rows = [f"{scene}\tquick\tlandsat\ttwin:porphyry\ttwin\n" for scene in scenes]
    (folder / "scenes.tsv").write_text(TABLE + "".join(rows))
    return folder


def start(folder: Path, environment: dict, *arguments: str) -> subprocess.Popen:
    """Start Snakemake as one does who has not activated it: by its path alone."""
    # A folder that holds the tests' Python must not help bare `python`.
    kept = [place for place in environment["PATH"].split(os.pathsep) if ".venv" not in place]
    program = Path(sys.executable).with_name("snakemake")
    return subprocess.Popen(
        [program, *arguments],
        cwd=folder,
        env=environment | {"PATH": os.pathsep.join(kept)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(folder: Path, environment: dict, *arguments: str, within_s: float = 600) -> tuple[int, str]:
    """Exit code and output of Snakemake, which is killed where it takes too long."""
    with start(folder, environment, *arguments) as process:
        try:
            return finish(process, within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return -1, process.communicate()[0]


def finish(process: subprocess.Popen, within_s: float = 600) -> tuple[int, str]:
    """Exit code and output of a Snakemake that was started."""
    said, _ = process.communicate(timeout=within_s)
    return process.returncode, said


def products(folder: Path) -> dict[str, str]:
    """Digests of all that a run has made but logs and measured times, hidden files among them."""
    results = folder / "results"
    return {
        str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in results.rglob("*")
        if path.is_file()
        and path.relative_to(results).parts[0] not in ("logs", "benchmarks", "run.html")
    }


def hidden(folder: Path) -> list[Path]:
    """Working folders that are left."""
    return [path for path in (folder / "results").rglob(".*") if path.suffix == ".part"]
