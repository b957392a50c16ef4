"""A real QGIS, asked what it makes of a file; tests that need one skip where there is none."""

import functools
import json
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

SYSTEM_PYTHON = "/usr/bin/python3"
SCRIPT = Path(__file__).with_name("open_in_qgis.py")


def _run(*words: str) -> subprocess.CompletedProcess:
    foreign = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PROJ_DATA", "PROJ_LIB", "GDAL_DATA")
    environment = {key: value for key, value in os.environ.items() if key not in foreign}
    with tempfile.TemporaryDirectory() as home:
        environment |= {"QT_QPA_PLATFORM": "offscreen", "HOME": home, "XDG_RUNTIME_DIR": home}
        return subprocess.run(
            [SYSTEM_PYTHON, *words], capture_output=True, text=True, env=environment, timeout=300
        )


@functools.cache
def _is_there() -> bool:
    return Path(SYSTEM_PYTHON).exists() and _run("-c", "import qgis.core").returncode == 0


def ask_qgis(what: str, *words: str | Path) -> dict:
    """What QGIS says of a project or a layer (see open_in_qgis.py)."""
    if not _is_there():
        pytest.skip("QGIS is absent (Debian: apt-get install python3-qgis)")
    run = _run(str(SCRIPT), what, *map(str, words))
    lines = [line for line in run.stdout.splitlines() if line.startswith("{")]
    assert lines, f"QGIS ended with {run.returncode}: {run.stderr[-2000:]}"
    return json.loads(lines[-1])
