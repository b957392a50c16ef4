"""The workflow starts wherever it is installed, whoever starts it."""

import os
import shutil
import subprocess
import sys

from projects import copy_project

LEFT_OUT = ("PYTHONDONTWRITEBYTECODE", "NUMBA_CACHE_DIR", "MPLCONFIGDIR", "LANG", "LC_CTYPE")


def test_it_starts_for_a_user_without_a_home_in_an_odd_folder_and_the_c_locale(tmp_path):
    installation = tmp_path / "installed here"
    installation.mkdir()
    copy_project(installation)
    folder = tmp_path / "the user's maps"
    folder.mkdir()
    shutil.copytree(installation / "config", folder / "config")
    before = {path: path.stat().st_mtime_ns for path in installation.rglob("*")}
    environment = {name: text for name, text in os.environ.items() if name not in LEFT_OUT}
    environment |= {"HOME": "/dev/null/none", "LC_ALL": "C", "XDG_CACHE_HOME": str(folder / "kept")}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", installation / "Snakefile"),
            *("--dry-run", "--cores", "1"),
        ],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "simulate_file" in done.stdout + done.stderr
    assert {path: path.stat().st_mtime_ns for path in installation.rglob("*")} == before
