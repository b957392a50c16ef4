"""The small workflow killed at random seconds and resumed, to the bytes of undisturbed runs."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from injections.jobs import PARTS, Job, digest, list_files

TARGETS = ("a", "z", "p")
STUDIES = ("angles", "zafarghand", "porphyry")
EARLIEST_S, LATEST_S = 6.0, 25.0
MOST_S = 1800


def run(
    base: Path,
    folder: Path,
    sound: Sequence[Job],
    seed: int,
    count: int,
    say: Callable[[str], None],
) -> list[dict]:
    """Kill runs until `count` kills are made; one result for each whole run and each kill."""
    generator = np.random.default_rng([seed, 777])
    found, made, chain = [], 0, 0
    while made < count:
        chain += 1
        place = folder / str(chain)
        prepare(base, place)
        moments: list[float] = []
        while True:
            ended, code = start(place, _moment(generator) if made < count else None)
            if ended:
                break
            made += 1
            moments.append(time.monotonic())
            say(f"kill {made} of {count}")
        outcome, message = compare(place, base, sound, code)
        found += [
            {
                "number": chain,
                "sort": "kill",
                "tool": "snakemake",
                "what": f"run {chain}, kill {number + 1} of {len(moments)}",
                "outcome": outcome,
                "message": message,
                "command": f"uv run python benchmarks/faults.py --seed {seed} --count 0",
            }
            for number in range(max(len(moments), 1))
        ]
        if outcome == "tolerated":
            shutil.rmtree(place)
    return found


def _moment(generator: np.random.Generator) -> float:
    return float(generator.uniform(EARLIEST_S, LATEST_S))


def prepare(base: Path, place: Path) -> None:
    """A copy of the project without results, with the settings of some studies."""
    import yaml

    place.mkdir(parents=True)
    for part in (*PARTS, "small.yaml", "plans.json"):
        origin = base / part
        (place / part).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if origin.is_dir() else shutil.copy2)(origin, place / part)
    settings = yaml.safe_load((base / "small.yaml").read_text())
    settings["studies"] = {name: settings["studies"][name] for name in STUDIES}
    settings["studies"]["porphyry"].pop("patches")
    (place / "small.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    rows = (base / "scenes.tsv").read_text().splitlines()
    kept = [row for row in rows if row.split("\t")[1] in ("study", *STUDIES)]
    (place / "scenes.tsv").write_text("\n".join(kept) + "\n")


def start(place: Path, after_s: float | None) -> tuple[bool, int]:
    """Run the workflow, and kill it and all its children after some seconds; whether it ended."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--rerun-incomplete"]
    command += ["--configfile", "small.yaml"]
    subprocess.run([*command, "--unlock"], cwd=place, check=False, capture_output=True)
    with (place / "run.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=place, stdout=log, stderr=log, start_new_session=True
        )
        try:
            process.wait(after_s if after_s is not None else MOST_S)
            return True, process.returncode
        except subprocess.TimeoutExpired:
            for child in descendants(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            process.wait()
    return False, -9


def descendants(parent: int) -> list[int]:
    """A process and all that came of it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            children.setdefault(int(text.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found = [parent]
    for process in found:
        found += children.get(process, [])
    return found


def compare(place: Path, base: Path, sound: Sequence[Job], code: int) -> tuple[str, str]:
    """Whether all results have the bytes of sound runs, and nothing else is left."""
    if code:
        return "half", f"the resumed run fails: {(place / 'run.log').read_text()[-400:]}"
    expected = {
        name: what
        for job in sound
        for name, what in job.writes.items()
        if any(name.startswith(f"results/scenes/{scene}/") for scene in TARGETS)
        and "/patches/" not in name
    }
    names = {
        name
        for name in list_files(place / "results")
        if not name.startswith(("logs/", "benchmarks/"))
        # Snakemake's own mark of a folder that a rule makes.
        and not name.endswith("/.snakemake_timestamp")
    }
    left = [name for name in names if any(part.startswith(".") for part in Path(name).parts)]
    if left:
        return "half", f"left after kills: {', '.join(sorted(left)[:5])}"
    for name, what in expected.items():
        path = place / name
        if not path.exists():
            if "/twin/" in name:
                continue
            return "half", f"{name} is not made"
        if digest(path) != what:
            return "silent", f"{name} has other bytes than an undisturbed run's"
    return "tolerated", ""
