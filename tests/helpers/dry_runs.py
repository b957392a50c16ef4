"""Many dry runs of Snakemake for the price of one import: forks of a process that has made it.

    python dry_runs.py < calls.json

reads a list of {folder, arguments, log} and prints the exit codes, as JSON. It is a process of its
own, because a test's process may have threads, which forks do not survive.
"""

import json
import multiprocessing
import os
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path


def dry_run(folder: str, arguments: Sequence[str], log: str) -> int:
    """Exit code of a dry run in a folder; its output goes into the log. Run it in a fork."""
    from snakemake.cli import main

    os.chdir(folder)
    with Path(log).open("w") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1) for number in (1, 2))
    try:
        main([*arguments, "--cores", "1", "--dry-run"])
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    return 1


def run_all(folder: Path, jobs: Sequence[Sequence[str]], logs: Path) -> list[tuple[int, str]]:
    """Exit code and output of a dry run in `folder` for each list of arguments."""
    paths = [logs / f"{place}.log" for place in range(len(jobs))]
    calls = [
        {"folder": str(folder), "arguments": list(job), "log": str(path)}
        for job, path in zip(jobs, paths, strict=True)
    ]
    run = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        check=True,
    )
    codes = json.loads(run.stdout)
    return [(code, path.read_text()) for code, path in zip(codes, paths, strict=True)]


if __name__ == "__main__":
    import snakemake.cli  # noqa: F401

    jobs = [tuple(call.values()) for call in json.load(sys.stdin)]
    with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=1) as pool:
        print(json.dumps(pool.starmap(dry_run, jobs, 1)))
