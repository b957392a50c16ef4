"""What the documents say can be done can be done: their commands, their links, their lists."""

import ast
import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from dry_runs import run_all
from projects import ROOT, copy_project

from gossan.product_lock import search_of

PAGES = [
    *(ROOT / name for name in ("README.md", "config/README.md", "profiles/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
HEADERS = sorted((ROOT / "config").rglob("*.yaml"))
# Docstrings that say how to run their file, and pages of reports that say how to make them again.
SCRIPTS = sorted([*(ROOT / "scripts").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")])
TEMPLATES = sorted((ROOT / "resources/static").glob("*.j2"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A block with the name of its file before it: "`my.yaml`:", or "`my.yaml` does this:".
NAMED = re.compile(r"`([\w./-]+\.(?:yaml|tsv|csv))`[^`\n]*:\n\n```\w*\n(.*?)^```$", re.M | re.S)
STARTS = ("uv ", "snakemake ", "pip ", "python ")
PLACEHOLDER = re.compile(r"[\w./-]*(?:path/to|data|models)/[^\s,;\]}]+")
# Where a page says that the project is installed.
INSTALLED = "/opt/gossan"
# Files that rules look for in a folder that a page names.
INSIDE = {"embedding": ["networks/masked/model.onnx", "assessment/thresholds.json"]}
# What is not run, and why.
NOT_RUN = {
    "pip install uv": "the environment of the test is there already",
    "uv pip install": "registries are out of a test's reach",
    "uv run pytest": "it is what runs this test",
}


@dataclass(frozen=True)
class Command:
    """A command of a page, without the `uv run` before it."""

    page: str
    text: str

    @property
    def words(self) -> list[str]:
        """Its words, as a shell has them."""
        return shlex.split(self.text)


def commands_of(path: Path) -> list[Command]:
    """The commands of a page's blocks and inline code, or of a config's header."""
    text = path.read_text(encoding="utf-8")
    page = str(path.relative_to(ROOT))
    if path.suffix == ".yaml":
        lines = [line[1:] for line in text.splitlines() if line.startswith("#  ")]
        blocks = ["\n".join(lines)]
    elif path.suffix == ".py":
        blocks = [ast.get_docstring(ast.parse(text)) or ""]
    elif path.suffix == ".j2":
        study = text.replace("{{ study }}", "gilgit")
        blocks = re.findall(r"<(?:pre|code)>([^<]*)</", study)
    else:
        blocks = [block for kind, block in FENCE.findall(text) if not kind]
        blocks += re.findall(r"`((?:uv run|snakemake) [^`]*)`", FENCE.sub("", text))
    found = []
    for block in blocks:
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            if line.strip().startswith(STARTS):
                # What stands in brackets may be left out, and must be allowed as well.
                whole = re.sub(r"\[(--[^\]]*)\]", r"\1", re.sub(r"\s+#.*", "", line.strip()))
                found += [Command(page, part.strip()) for part in whole.split("&&")]
    return list(dict.fromkeys(found))


ALL = [
    command for path in [*PAGES, *HEADERS, *SCRIPTS, *TEMPLATES] for command in commands_of(path)
]


def body(command: Command) -> list[str]:
    words = command.words
    return words[2:] if words[:2] == ["uv", "run"] else words


RUNS = [command for command in ALL if body(command)[0] == "snakemake"]
TOOLS = [
    command
    for command in ALL
    if body(command)[0] == "python" and body(command)[1].startswith(("scripts/", "benchmarks/"))
]
OTHERS = [command for command in ALL if command not in RUNS and command not in TOOLS]


def name(command: Command) -> str:
    return f"{command.page}: {command.text}"


# ---- Snakemake, as dry runs ------------------------------------------------------------------


def lay_out(folder: Path) -> Path:
    """A copy of the project in which the files of all pages lie, and what they name is there."""
    project = copy_project(folder / "project")
    (project / "data").mkdir()
    shutil.copytree(project / "profiles/default", project / "profiles/YOURS")
    if (ROOT.parent / "shared").exists():
        (folder / "shared").symlink_to(ROOT.parent / "shared")
    for page in PAGES:
        for file, text in NAMED.findall(page.read_text(encoding="utf-8")):
            (project / file).write_text(text, encoding="utf-8")
    fetch_all(project)
    minerals = [row["name"] for row in read_rows(project / "resources/static/minerals.csv")]
    named = [
        path for pattern in ("*.yaml", "*.tsv", "config/*/*") for path in project.glob(pattern)
    ]
    for path in named:
        lines = path.read_text(encoding="utf-8").splitlines()
        text = "\n".join(line for line in lines if not line.startswith("#"))
        for place in sorted(set(PLACEHOLDER.findall(text))):
            if not place.startswith(("..", "docs/", "resources/")):
                touch(project / place.split(":")[-1], minerals)
    return project


def fetch_all(project: Path) -> None:
    """Put something in the place of each product that can be fetched, and a lock that tells so."""
    entries = yaml.safe_load((project / "config/products.yaml").read_text(encoding="utf-8"))
    lock = {}
    with chdir(project):
        for name, entry in entries.items():
            told = {"items": [name], "licence": "", "citation": "", "page": ""}
            file = "EMIT_L2B_MIN_any.nc" if name == "cuprite-emit-minerals" else "any.zip"
            files = [{"name": file, "url": "", "size": None, "checksum": ""}]
            product = "." if name == "zafarghand-aster" else file
            lock[name] = {"search": search_of(entry), "product": product, **told, "files": files}
            place = project / "resources/external/products" / name / file
            place.parent.mkdir(parents=True)
            place.touch()
    (project / "config/products.lock.json").write_text(json.dumps({"products": lock}))


def touch(path: Path, minerals: list[str]) -> None:
    """Put something in a place: a file, or a folder with one, that speaks of all minerals."""
    if path.exists():
        return
    files = [path]
    if not path.suffix or path.suffix == ".SAFE":
        files = [path / file for file in INSIDE.get(path.name, ["anything.txt"])]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(" ".join(minerals))


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def targets_of(command: Command) -> list[str]:
    """What a command asks for: files, or else the report of everything."""
    return [word for word in body(command) if word.startswith("results/")] or ["all"]


def flags_of(command: Command) -> tuple[str, ...]:
    """The flags of a command but cores, and but executors that no profile names."""
    words = [word for word in body(command)[1:] if not word.startswith("results/")]
    for flag in ("--cores", "--executor", "--jobs", "--default-resources"):
        if flag in words and "--profile" not in words:
            place = words.index(flag)
            del words[place : place + 2]
    return tuple(words)


def needs_shared(command: Command) -> bool:
    """Whether a command's config, or its table, names real data beside the project."""
    words = body(command)
    files = [ROOT / word for word in words if word.endswith(".yaml")]
    texts = [path.read_text() for path in files if path.exists()]
    texts += [
        path.with_suffix(".tsv").read_text() for path in files if path.with_suffix(".tsv").exists()
    ]
    return any(
        "../shared" in line for text in texts for line in text.splitlines() if line[:1] != "#"
    )


@pytest.fixture(scope="module")
def dry_runs(tmp_path_factory):
    """Exit code and output of a dry run for each set of flags, of all targets that go with it."""
    folder = tmp_path_factory.mktemp("documents")
    project = lay_out(folder)
    shared = (folder / "shared").exists()
    jobs: dict[tuple[str, ...], list[str]] = {}
    for command in RUNS:
        if shared or not needs_shared(command):
            jobs.setdefault(flags_of(command), []).extend(targets_of(command))
    # What a job is for is told with the reasons, which the profile leaves out.
    told = ("--quiet", "host")
    calls = [
        [*dict.fromkeys(targets), *(flag.replace(INSTALLED, str(project)) for flag in flags), *told]
        for flags, targets in jobs.items()
    ]
    return dict(zip(jobs, run_all(project, calls, folder), strict=True))


@pytest.mark.parametrize("command", RUNS, ids=name)
def test_a_snakemake_command_of_the_documents_can_be_planned(command, dry_runs):
    if flags_of(command) not in dry_runs:
        pytest.skip("../shared/data is absent")
    code, said = dry_runs[flags_of(command)]
    assert code == 0, said
    assert "This was a dry-run" in said, said
    assert all(re.search(rf"\b{target}\b", said) for target in targets_of(command)), said


def test_what_the_studies_of_the_papers_name_is_fetched_and_made_a_truth(dry_runs):
    said = {
        study: dry_runs["--configfile", f"config/studies/{study}.yaml", "config/fetch.yaml"][1]
        for study in ("gilgit", "zafarghand", "bahia", "cuprite")
    }
    assert all("fetch_product" in said[study] for study in ("gilgit", "bahia", "cuprite"))
    assert "fetch_folder" in said["zafarghand"] and "lay_minerals" in said["cuprite"]


@pytest.mark.parametrize("command", RUNS, ids=name)
def test_targets_stand_before_flags(command):
    words = body(command)[1:]
    flags = [place for place, word in enumerate(words) if word.startswith("-")]
    targets = [place for place, word in enumerate(words) if word.startswith("results/")]
    assert not targets or max(targets) < min(flags)


# ---- tools, by their own parsers -------------------------------------------------------------


@pytest.fixture(scope="module")
def helps():
    """A function of a script: its help; each script is asked once."""
    told = {}

    def find(script: str) -> str:
        if script not in told:
            run = subprocess.run(
                [sys.executable, script, "--help"], cwd=ROOT, capture_output=True, text=True
            )
            assert run.returncode == 0, run.stderr
            told[script] = run.stdout
        return told[script]

    return find


@pytest.mark.parametrize("command", TOOLS, ids=name)
def test_a_tool_knows_the_flags_that_the_documents_give_it(command, helps):
    _, script, *words = body(command)
    said = helps(script)
    known = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", said))
    given = {word for word in words if word.startswith("--")}
    assert given <= known
    if script == "benchmarks/run.py":
        assert re.search(rf"\b{words[0]}\b", said)
    # Flags that the usage does not put in brackets must be given.
    usage = re.sub(r"\[[^\[\]]*\]", "", re.sub(r"\[[^\[\]]*\]", "", said.partition("\n\n")[0]))
    assert set(re.findall(r"--[a-z][a-z0-9-]*", usage)) <= given


def test_what_is_neither_planned_nor_parsed_has_a_reason():
    left = [command.text for command in OTHERS if not command.text.startswith(tuple(NOT_RUN))]
    assert left == []


# ---- what pages point to, and what they list -------------------------------------------------


def slug(title: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            titles = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(slug, titles), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_of_the_project_that_a_page_names_are_there(page):
    text = page.read_text(encoding="utf-8")
    folders = "benchmarks|config|docs|envs|profiles|resources/static|scripts|workflow|gossan"
    for path in re.findall(rf"`((?:{folders})/[\w./-]+)`", text):
        place = f"scripts/{path}" if path.startswith("gossan/") else path
        assert (ROOT / place).exists() or path == "resources/static/", path


def test_the_page_of_results_lists_what_the_table_of_results_lists():
    rows = read_rows(ROOT / "resources/static/results.csv")
    text = (ROOT / "docs/reference/results.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## `(\w+)`\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    assert list(sections) == list(dict.fromkeys(row["method"] for row in rows))
    for method, section in sections.items():
        mine = [row for row in rows if row["method"] == method]
        listed = re.findall(r"^\| `([^`]+)` \| (.*?) \| (.*) \|$", section, re.MULTILINE)
        assert listed == [
            (
                row["file"],
                ", ".join(row["when"].split()),
                row["note"] + (f" ({row['unit']})" if row["unit"] else ""),
            )
            for row in mine
            if row["kind"] != "figure"
        ]
        figures = re.findall(r"`(figures/[^`]+)`", section)
        assert figures == [row["file"] for row in mine if row["kind"] == "figure"]


def test_every_method_has_its_page():
    rows = read_rows(ROOT / "resources/static/results.csv")
    for method in {row["method"] for row in rows} - {"cube"}:
        assert (ROOT / f"docs/reference/{method}.md").exists()


def test_the_examples_of_real_scenes_are_those_of_the_page():
    page = (ROOT / "docs/how-to/map-my-scene.md").read_text(encoding="utf-8")
    part = page.partition("## Real scenes to try")[2]
    shown = [yaml.safe_load(block) for kind, block in FENCE.findall(part) if kind == "yaml"]
    config = yaml.safe_load((ROOT / "config/examples/minerals_real.yaml").read_text())
    assert {key: study for block in shown for key, study in block.items()} == config["studies"]
    table = (ROOT / "config/examples/minerals_real.tsv").read_text().replace("# potsdam", "potsdam")
    rows = [line for kind, block in FENCE.findall(part) if not kind for line in block.splitlines()]
    for row in filter(lambda line: "\t" in line and not line.startswith("patch"), rows):
        assert row in table.splitlines()
