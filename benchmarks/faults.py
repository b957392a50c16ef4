"""Faults injected into inputs, disks, settings and runs, and what becomes of each.

    uv run python benchmarks/faults.py [--seed N] [--count N] [--quick] [--json FILE]

A small workflow runs once on simulated ground; then every injection takes one of its jobs, or the
reading of one of the sensors' products, damages an input or the disk, and runs the tool in a fork
of this process. Outcomes: `refused` (one line that names the file or key, nothing written),
`tolerated` (the right answer), `traceback`, `half` (an output of a run that failed, an output that
is not whole, or a temporary file that stays), `silent` (an answer that is wrong although the
damage can be seen), `unclear` (a refusal that names neither file nor key) and `hang`. Last, the
workflow is killed at random seconds and resumed, to the same bytes.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests" / "helpers"), str(ROOT / "benchmarks")]

from injections import campaign, forks, jobs, kills  # noqa: E402
from injections.judging import GOOD, OUTCOMES  # noqa: E402

COUNT = 3000
KILLS = 20


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--seed", type=int, default=0, help="number that sets all injections (default: 0)")
    add("--count", type=int, default=COUNT, help=f"injections (default: {COUNT})")
    add("--kills", type=int, default=KILLS, help=f"kills of the workflow (default: {KILLS})")
    add("--json", type=Path, help="file to write the outcomes to")
    add("--workers", type=int, default=2, help="injections at once (default: 2)")
    add("--only", type=int, nargs="+", help="make these injections alone, and keep their folders")
    add("--base", type=Path, help="folder of the sound runs, made if it is not there")
    add("--quick", action="store_true", help="leave out the methods that train networks")
    add("--keep", type=Path, help="folder in which every injection's files stay")
    return parser


def main(arguments: argparse.Namespace) -> int:
    """Run the campaign; 1 if anything bad was found."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    scratch = Path(tempfile.mkdtemp(prefix="gossan-faults-"))
    scratch.chmod(0o755)
    try:
        return run(arguments, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def run(arguments: argparse.Namespace, scratch: Path) -> int:
    """The campaign in a scratch folder."""
    started = time.monotonic()
    base = (arguments.base or scratch / "base").resolve()
    sound = jobs.prepare(base, arguments.workers, arguments.quick)
    forks.preload(sorted({job.tool for job in sound}))
    import snakemake.cli  # noqa: F401

    keep = arguments.keep or (Path("faults").resolve() if arguments.only else None)
    boxes = (keep or scratch / "boxes").resolve()
    boxes.mkdir(parents=True, exist_ok=True)
    mounting = campaign.may_mount(scratch / "mounted")
    place = campaign.Place(base, boxes, sound, arguments.seed, keep is not None, mounting)
    say(f"{len(sound)} sound runs after {time.monotonic() - started:.0f} s")
    if not mounting:
        say("small disks cannot be mounted here: full disks are left out, quotas stand for them")
    numbers = arguments.only or range(arguments.count)
    results = []
    with multiprocessing.get_context("fork").Pool(arguments.workers) as pool:
        work = [(place, number) for number in numbers]
        for result in pool.imap_unordered(_inject, work, 1):
            results.append(result)
            if result.outcome not in GOOD or arguments.only:
                say(
                    f"{result.number} {result.outcome}: {result.tool} {result.file}: "
                    f"{result.what[:80]}: {result.message[:300]}"
                )
            if len(results) % 100 == 0:
                counts = Counter(item.outcome for item in results)
                say(f"{len(results)} after {time.monotonic() - started:.0f} s: {dict(counts)}")
    found = [report(item, arguments) for item in sorted(results, key=lambda item: item.number)]
    if not arguments.only and arguments.kills:
        found += kills.run(base, scratch / "kills", sound, arguments.seed, arguments.kills, say)
    counts = Counter(item["outcome"] for item in found)
    told = {outcome: counts.get(outcome, 0) for outcome in OUTCOMES}
    sorts: dict[str, Counter] = {}
    for item in found:
        sorts.setdefault(item["sort"], Counter())[item["outcome"]] += 1
    bad = [item for item in found if item["outcome"] not in GOOD]
    if arguments.json:
        summary = {
            "seed": arguments.seed,
            "seconds": round(time.monotonic() - started),
            "disks_mounted": mounting,
            "counts": told,
            "sorts": {name: dict(count) for name, count in sorts.items()},
            "bad": bad,
        }
        arguments.json.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    say(json.dumps(told))
    return int(any(told[outcome] for outcome in ("traceback", "half", "silent", "hang")))


def _inject(work: tuple) -> campaign.Result:
    return campaign.inject(*work)


def report(result: campaign.Result, arguments: argparse.Namespace) -> dict:
    """A result as it stands in the JSON, with how to make it again."""
    told = asdict(result)
    told.pop("notes")
    folder = f"faults/{arguments.seed}-{result.number}"
    quick = " --quick" if arguments.quick else ""
    again = f"uv run python benchmarks/faults.py --seed {arguments.seed}{quick}"
    again += f" --only {result.number}"
    tool = result.command.replace("{root}", "$OLDPWD")
    told["command"] = f"{again}" + (f"; cd {folder} && {tool}" if tool else "")
    told["seconds"] = round(result.seconds, 2)
    return told


def say(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(build_parser().parse_args()))
