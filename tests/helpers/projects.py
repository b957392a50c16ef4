"""Copies of the project in which tests run Snakemake."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("Snakefile", "workflow", "config", "envs", "profiles", "scripts", "resources/static")


def copy_project(folder: Path) -> Path:
    """Copy what the workflow needs into `folder`; caches and results stay behind."""
    for part in PARTS:
        origin, target = ROOT / part, folder / part
        if origin.is_dir():
            shutil.copytree(origin, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(origin, target)
    return folder


def snakemake(
    folder: Path, *arguments: str, environment: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess:
    """Run Snakemake in `folder`; its output is captured, standard error joined to it."""
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def planned(dry_run: str) -> dict[str, set[str]]:
    """The rules that a dry run would run, by the reasons that Snakemake sums up at its end."""
    listing = dry_run.partition("\nReasons:\n")[2]
    found = re.findall(r"^    (\w[^\n]*):\n        ([^\n]+)$", listing, re.MULTILINE)
    return {reason: set(rules.split(", ")) for reason, rules in found}
