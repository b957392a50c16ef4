"""Tools and parts of benchmarks in a process of their own: time, memory, and what they print."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("benchmarks", "scripts")
TOOL = (
    "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
)
# Not ru_maxrss, in which Linux counts the parent before exec.
TELL_PEAK = (
    "import atexit; atexit.register(lambda: print('\\n' + next(line.split()[1] for line in "
    "open('/proc/self/status') if line.startswith('VmHWM'))));"
)


@dataclass(frozen=True)
class Process:
    """What a process printed, its seconds from start to end, and its peak resident size (MiB)."""

    printed: str
    seconds: float
    peak_mib: float


def run_python(code: str, *arguments: object) -> Process:
    """Run code that sees the modules of benchmarks and scripts, on Linux.

    Where it fails, this process ends with the last line of what it said.
    """
    paths = os.pathsep.join(str(ROOT / folder) for folder in FOLDERS)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", TELL_PEAK + code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(done.stderr.strip().rpartition("\n")[2])
    printed, _, peak = done.stdout.rstrip().rpartition("\n")
    return Process(printed.strip(), seconds, int(peak) / 1024)


def run_tool(tool: str, *flags: object) -> Process:
    """Run scripts/<tool>.py with its flags."""
    return run_python(TOOL, ROOT / "scripts" / f"{tool}.py", *flags)
