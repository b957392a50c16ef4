"""No page of an earlier run stands beside the results of one that failed."""

import subprocess
import sys

import pytest
from projects import ROOT

SNAKEFILE = """
from pathlib import Path

include: "{lib}"

rule render_index:
    input: "report.html"
    output: "index.html"
    shell: "cp {{input}} {{output}}"

rule render_report:
    input: "map.txt"
    output: page="report.html", pages=directory("report")
    shell: "mkdir {{output.pages}}; cp {{input}} {{output.page}}"

rule make_map:
    input: "scene.txt"
    output: "map.txt"
    shell: "grep -q right {{input}} && cp {{input}} {{output}}"

rule render_scene:
    output: "scene.html"
    shell: "echo apart > {{output}}"
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(lib=ROOT / "workflow/lib/pages.smk"))

    def start(scene, *more):
        (tmp_path / "scene.txt").write_text(scene)
        words = [sys.executable, "-m", "snakemake", "index.html", "scene.html", "--cores", "1"]
        done = subprocess.run([*words, *more], cwd=tmp_path, capture_output=True, text=True)
        return done.returncode

    return start


def test_a_run_that_fails_leaves_no_page_of_the_one_before_and_those_it_did_not_touch(
    run, tmp_path
):
    assert run("right") == 0
    pages = [tmp_path / name for name in ("index.html", "report.html", "report", "scene.html")]
    assert all(page.exists() for page in pages)
    assert run("wrong", "--dry-run") == 0
    assert all(page.exists() for page in pages)
    assert run("wrong") != 0
    assert [page.name for page in pages if page.exists()] == ["scene.html"]
    assert run("right again") == 0
    assert (tmp_path / "index.html").read_text() == "right again"
