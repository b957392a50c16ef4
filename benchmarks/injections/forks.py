"""Tools run in forks of a process that has imported everything, so that a run costs no start."""

import contextlib
import importlib
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HEAVY = (
    *("numpy", "rasterio", "shapely", "scipy.linalg", "scipy.ndimage", "scipy.io", "numba", "h5py"),
    *("scipy.optimize", "scipy.spatial", "scipy.interpolate", "scipy.special", "scipy.sparse"),
    *("pywt", "pyhdf.SD", "matplotlib.figure", "matplotlib.backends.backend_agg", "jinja2"),
    *("sklearn.ensemble", "sklearn.svm", "sklearn.linear_model", "pystac", "onnx", "onnxruntime"),
    *("jsonschema", "pyogrio", "geopandas"),
)
LEARNING = ("keras", "tensorflow", "shap")
MOST_SECONDS = 120
"""A run that has not ended by then hangs."""


@dataclass(frozen=True)
class Ran:
    """How a tool ended: its exit code (None: it had to be stopped), its last words, seconds."""

    code: int | None
    said: str
    seconds: float


def preload(tools: Sequence[str]) -> None:
    """Import the tools and what they import on demand."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    learns = any(name.startswith(("train", "validate", "assess_spectra")) for name in tools)
    for name in (*HEAVY, *(LEARNING if learns else ()), *tools):
        try:
            importlib.import_module(name)
        except ImportError:
            if name in tools:
                raise


def run_tool(name: str, words: Sequence[str]) -> None:
    """Call a tool as its command line does; SystemExit tells how it ended."""
    toolkit = importlib.import_module("toolkit")
    tool = importlib.import_module(name)
    sys.argv = [f"{name}.py", *words]
    toolkit.run(tool.build_parser(), tool.main)


def run_forked(
    folder: Path, call: Callable[[], None], log: Path, limit_s: float = MOST_SECONDS
) -> Ran:
    """Run `call` in a fork within a folder; what it says goes into the log."""
    started = time.monotonic()
    # A pipe, which no limit on files and no full disk cuts short.
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _become(folder, call, writing)
    os.close(writing)
    os.set_blocking(reading, False)
    code, said, deadline = None, b"", started + limit_s
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        said += _drain(reading)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            break
        time.sleep(0.004)
    else:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    os.close(reading)
    log.write_bytes(said)
    return Ran(code, said.decode("utf-8", errors="replace"), time.monotonic() - started)


def _drain(pipe: int) -> bytes:
    """What has been written to a pipe."""
    found = b""
    with contextlib.suppress(BlockingIOError):
        while part := os.read(pipe, 1 << 16):
            found += part
    return found


def _become(folder: Path, call: Callable[[], None], stream: int) -> None:
    """The life of the fork, which ends without the cleaning up of its parent."""
    code = 1
    try:
        os.setsid()
        for number in (1, 2):
            os.dup2(stream, number)
        os.close(stream)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1) for number in (1, 2))
        os.chdir(folder)
        try:
            call()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
        except BaseException:
            traceback.print_exc()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:
        os._exit(code)


def limit_files(more: int) -> None:
    """Let this process open only so many files beyond those that it has open."""
    opened = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened + more, opened + more))


def limit_bytes(most: int) -> None:
    """Let this process write no file longer than this, as a quota does."""
    # It would leave half of a module's bytecode, too, which Python takes for whole.
    sys.dont_write_bytecode = True
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
