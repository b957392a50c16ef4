"""Compiled loops and networks run where nothing can be kept, and leave nothing behind."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gossan.kernels import aligned_zeros

SCRIPTS = Path(__file__).parents[2] / "scripts"
MODULE = """
from gossan.kernels import kernel

@kernel(error_model="numpy")
def total(values):
    found = 0.0
    for value in values:
        found += value
    return found
"""
RUN = "import numpy, loops; print(loops.total(numpy.arange(5.0)))"


def run(code, folder, **environment):
    """Run code whose module lies in a folder, for a user who has no home."""
    kept = {key: value for key, value in os.environ.items() if key not in ("NUMBA_CACHE_DIR",)}
    kept |= {"PYTHONPATH": f"{folder}:{SCRIPTS}", "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C"}
    kept |= {"HOME": "/dev/null/none", "XDG_CACHE_HOME": "/dev/null/none", **environment}
    return subprocess.run(
        [sys.executable, "-c", code], env=kept, capture_output=True, text=True, check=False
    )


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "the user's own folder"
    place.mkdir()
    (place / "loops.py").write_text(MODULE)
    return place


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float64"])
@pytest.mark.parametrize("shape", [(3,), (5, 7)])
def test_space_for_vectors_starts_where_a_line_of_the_cache_does(dtype, shape):
    space = aligned_zeros(shape, dtype)
    assert (space.shape, space.dtype) == (shape, np.dtype(dtype))
    assert space.ctypes.data % 64 == 0
    assert space.flags.c_contiguous
    assert not space.any()


def test_a_loop_is_kept_beside_its_code(folder):
    done = run(RUN, folder)
    assert done.stdout == "10.0\n", done.stderr
    assert list(folder.glob("__pycache__/*.nbi"))


USING = """
from gossan.kernels import kernel
from loops import total
from sizes import SIDE

@kernel
def mean(values):
    return total(values) / SIDE
"""
RUN_USING = """
import numpy, using
print(using.mean(numpy.arange(5.0)), sum(using.mean.stats.cache_hits.values()))
"""


def test_a_loop_is_kept_for_its_code_and_what_that_uses_wherever_they_lie(folder, tmp_path):
    (folder / "using.py").write_text(USING)
    (folder / "sizes.py").write_text("SIDE = 5\n")
    again = shutil.copytree(folder, tmp_path / "elsewhere")

    def mean_and_hits(place):
        done = run(RUN_USING, place, NUMBA_CACHE_DIR=str(tmp_path / "kept"))
        return done.stdout + done.stderr

    assert mean_and_hits(folder) == "2.0 0\n"
    assert mean_and_hits(again) == "2.0 1\n"
    (again / "sizes.py").write_text("SIDE = 10\n")
    assert mean_and_hits(again) == "1.0 0\n"
    (again / "loops.py").write_text(MODULE.replace("0.0", "10.0"))
    assert mean_and_hits(again) == "2.0 0\n"
    assert mean_and_hits(folder) == "2.0 1\n"


def test_a_loop_runs_where_no_place_can_be_written(folder):
    # A file where the folder of kept results would be keeps anybody from writing, root, too.
    (folder / "__pycache__").write_text("")
    done = run(RUN, folder)
    assert done.stdout == "10.0\n", done.stderr


def test_a_loop_runs_where_the_disk_is_full(folder):
    limited = "import resource as r, sys; sys.dont_write_bytecode = True; "
    limited += "r.setrlimit(r.RLIMIT_FSIZE, (100, 100)); "
    done = run(limited + RUN, folder)
    assert done.stdout == "10.0\n", done.stderr
    assert not list(folder.glob("__pycache__/*.nbi"))


def test_reading_a_network_leaves_nothing_in_the_folder_of_temporaries(tmp_path):
    code = (
        "from gossan.networks.onnx_session import open_session\n"
        "try:\n    open_session(b'bad', 'net.onnx')\nexcept Exception as error:\n    print(error)"
    )
    folder = tmp_path / "empty"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS), "TMPDIR": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "no readable ONNX file" in done.stdout, done.stderr
    assert list(folder.iterdir()) == []
