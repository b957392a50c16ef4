"""The conda environments hold the versions of the lock file, and all that their tools need."""

import os
import re
import subprocess
import tomllib

import pytest
import yaml


@pytest.fixture(scope="module")
def locked(root):
    lock = tomllib.loads((root / "uv.lock").read_text())
    return {package["name"]: package["version"] for package in lock["package"]}


def environments(root):
    return sorted((root / "envs").glob("*.yaml"))


def pins(path):
    packages = yaml.safe_load(path.read_text())["dependencies"]
    found = dict(re.fullmatch(r"([\w-]+) =([\w.]+)", package).groups() for package in packages)
    assert found.pop("python") == "3.11"
    return found


def test_environments_pin_the_versions_of_the_lock_file(root, locked):
    assert environments(root)
    for path in environments(root):
        for name, version in pins(path).items():
            assert locked.get(name) == version, f"{path.name}: {name}"


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
        packages = [
            f"{name}=={version}" for name, version in pins(path).items() if name != "python"
        ]
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
