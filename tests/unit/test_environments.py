"""The conda environments hold the versions of the lock file, and all that their tools need."""

import os
import re
import shutil
import subprocess
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from projects import PARTS

# Machine, as Python calls it -> how its wheels end.
MACHINES = {
    "x86_64": r"manylinux\w*_x86_64",
    "arm64": r"macosx_\d+_\d+_(arm64|universal2)",
}


@pytest.fixture(scope="module")
def locked(root):
    lock = tomllib.loads((root / "uv.lock").read_text())
    return {package["name"]: package for package in lock["package"]}


def environments(root):
    return sorted((root / "envs").glob("*.yaml"))


def pins(path, machine=None):
    """Versions by name, of this machine's packages or another's."""
    python, pip, packages = yaml.safe_load(path.read_text())["dependencies"]
    # All that conda itself has to find; the rest are the packages of a plain installation.
    assert (python, pip) == ("python =3.11", "pip")
    told = {"platform_machine": machine} if machine else None
    wanted = [Requirement(line) for line in packages["pip"]]
    wanted = [item for item in wanted if item.marker is None or item.marker.evaluate(told)]
    return {item.name: re.fullmatch(r"==([\w.]+)", str(item.specifier))[1] for item in wanted}


@pytest.mark.parametrize("machine", MACHINES)
def test_environments_pin_the_versions_of_the_lock_file(root, locked, machine):
    assert environments(root)
    for path in environments(root):
        for name, version in pins(path, machine).items():
            assert locked[name]["version"] == version, f"{path.name}: {name}"


@pytest.mark.parametrize("machine", MACHINES)
def test_each_machine_finds_each_package_built(root, locked, machine):
    for path in environments(root):
        for name in pins(path, machine):
            built = [wheel["url"] for wheel in locked[name].get("wheels", ())]
            fits = rf"-(cp311-cp311|cp3\d+-abi3|py3-none|py2\.py3-none)-(any|.*{MACHINES[machine]})"
            # Nothing to build: a package of Python alone.
            plain = name == "pyrsr"
            assert plain or any(re.search(fits, url) for url in built), f"{path.name}: {name}"


def tools_of(root, environment):
    """Tools of the rules that run in an environment."""
    for path in sorted((root / "workflow/rules").glob("*.smk")):
        for rule in re.split(r"\n(?=rule )", path.read_text())[1:]:
            if f"envs/{environment.name}" in rule:
                yield from re.findall(r'code\("(\w+)"\)', rule)


@pytest.mark.slow
def test_each_environment_alone_runs_its_tools(root, tmp_path):
    clean = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    for path in environments(root):
        folder = tmp_path / path.stem
        packages = [f"{name}=={version}" for name, version in pins(path).items()]
        subprocess.run(["uv", "venv", "--quiet", "--python", "3.11", folder], check=True, env=clean)
        python = folder / "bin/python"
        command = ["uv", "pip", "install", "--quiet", "--python", python, *packages]
        subprocess.run(command, check=True, env=clean)
        tools = list(tools_of(root, path))
        assert tools, path.name
        for tool in tools:
            subprocess.run(
                [python, root / f"scripts/{tool}.py", "--help"],
                check=True,
                env=clean,
                stdout=subprocess.DEVNULL,
            )


def container(root):
    """The files of the container's recipe as (here, there), and its steps."""
    text = (root / "envs/gossan.def").read_text()
    sections = dict(re.findall(r"^%(\w+)\n((?:    .*\n)+)", text, re.MULTILINE))
    files = [line.split() for line in sections["files"].splitlines()]
    return files, [line.strip() for line in sections["post"].splitlines()], sections["runscript"]


def test_the_container_holds_what_the_workflow_reads(root):
    files, _, _ = container(root)
    assert {here for here, _ in files} >= {*PARTS[:6], "resources", "pyproject.toml", "uv.lock"}
    assert all((root / here).exists() and there == f"/opt/gossan/{here}" for here, there in files)


@pytest.mark.slow
def test_the_steps_of_the_container_install_what_plans_a_run(root, tmp_path):
    files, steps, run = container(root)
    place = tmp_path / "gossan"
    place.mkdir()
    for here, _ in files:
        copy = shutil.copytree if (root / here).is_dir() else shutil.copy2
        copy(root / here, place / here)
    # Debian's packages are those of this machine.
    script = [step for step in steps if not step.startswith(("apt-get", "pip install"))]
    told = "\n".join(["set -eu", *script]).replace("/opt/gossan", str(place))
    clean = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    subprocess.run(["sh", "-c", told], check=True, env=clean)
    (tmp_path / "mine").mkdir()
    shutil.copytree(root / "config", tmp_path / "mine/config")
    command = run.strip().replace("/opt/gossan", str(place)).replace("exec snakemake", "snakemake")
    done = subprocess.run(
        ["sh", "-c", command, "sh", "--cores", "1", "--dry-run"],
        cwd=tmp_path / "mine",
        env=clean | {"PATH": f"{place}/.venv/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "This was a dry-run" in done.stdout + done.stderr, done.stderr
