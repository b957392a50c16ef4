"""A scene by its name: one command brings it, checks it and maps it; another has nothing to do."""

import json
import subprocess
import sys

import pytest
from archives import archive, play_m2m
from projects import copy_project, snakemake

NAME = "LC08_L1TP_149035_20240719_20240723_02_T1"
TOKEN = "t0ken-that-nobody-else-may-see"
MAP = "results/scenes/by-name/landsat/minerals/class.tif"
REPORT = "results/studies/mine/report.html"
PRODUCTS = """
landsat-of-twin:
  source: m2m
  api: {api}
  hosts: [{host}]
  dataset: landsat_ot_c2_l1
  id: LC08_L1TP_149035_20240719_*_02_T1
  page: https://earthexplorer.usgs.gov
  licence: public domain
  citation: Landsat 8, courtesy of the U.S. Geological Survey
"""
CONFIG = {
    "scenes": "own.tsv",
    "fetch": {"products": "own_products.yaml", "lock": "own.lock.json", "cache": "cache"},
    "studies": {"mine": {"minerals": {"references": ["alunite", "kaolinite", "muscovite"]}}},
}
HEADER = "scene\tstudy\tsensor\tproduct\ttruth\n"
RUN = ("--cores", "2", "--configfile", "own.yaml")


def write(project, run):
    config = {**CONFIG, "fetch": {**CONFIG["fetch"], "run": run}}
    (project / "own.yaml").write_text(json.dumps(config))
    (project / "own.tsv").write_text(f"{HEADER}by-name\tmine\tlandsat\tfetch:landsat-of-twin\t\n")


def resolve(project):
    flags = ("--products", "own_products.yaml", "--lock", "own.lock.json", "--attempts", "1")
    command = (sys.executable, "scripts/resolve_products.py", *flags)
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = copy_project(tmp_path_factory.mktemp("project"))
    command = (sys.executable, "scripts/simulate_scene.py", "--ground", "porphyry")
    ground = ("--size-px", "96", "--seed", "1", "--difficulty", "1", "--coating", "0")
    library = ("--library", "resources/static/analytic_library.csv", "--dates", "1")
    product = ("--sensor", "landsat", "--product", "twin.tar", "--threads", "2")
    subprocess.run([*command, *ground, *library, *product], cwd=project, check=True)
    return project


def test_a_scene_is_resolved_fetched_and_mapped_by_name(project, monkeypatch):
    monkeypatch.setenv("USGS_M2M_USER", "me")
    monkeypatch.setenv("USGS_M2M_TOKEN", TOKEN)
    with archive() as server, archive() as store:
        store.files["/landsat"] = (project / "twin.tar").read_bytes()
        play_m2m(server, "/landsat", NAME, TOKEN, store)
        table = PRODUCTS.format(api=server.url("/m2m"), host=server.host)
        (project / "own_products.yaml").write_text(table)

        assert resolve(project).returncode == 0
        lock = json.loads((project / "own.lock.json").read_text())["products"]
        assert lock["landsat-of-twin"]["items"] == [NAME]

        # Off line is the default: one message says what is missing, and where it belongs.
        asked = len(server.log)
        write(project, run=False)
        said = snakemake(project, MAP, *RUN, "--dry-run").stdout
        assert "Missing products (1 files)" in said
        size = f"{len(store.files['/landsat']) / 1e6:.1f} MB"
        place = f"cache/landsat-of-twin/{NAME}.tar"
        line = f"fetch:landsat-of-twin: {NAME}, {size}, from https://earthexplorer.usgs.gov"
        assert f"{line} -> {place}" in said
        assert len(server.log) == asked and not store.log

        write(project, run=True)
        run = snakemake(project, REPORT, *RUN)
        assert run.returncode == 0, run.stdout
        assert (project / MAP).exists()
        assert store.sent("/landsat") == len(store.files["/landsat"])

    # With the servers down there is nothing to be done.
    said = snakemake(project, REPORT, *RUN).stdout
    assert "Nothing to be done" in said, said

    record = json.loads(
        (project / f"results/products/landsat-of-twin/{NAME}.tar.fetched.json").read_text()
    )
    assert record["licence"] == "public domain" and len(record["files"][0]["sha256"]) == 64
    making = (project / "results/studies/mine/report/making.html").read_text()
    assert NAME in making and "courtesy of the U.S. Geological Survey" in making
    assert record["files"][0]["sha256"] in making
    kept = [path for path in project.rglob("*") if path.is_file() and path.name != "twin.tar"]
    for path in kept:
        if path.stat().st_size < 4_000_000:
            text = path.read_bytes()
            assert TOKEN.encode() not in text and b"signature=once" not in text, path


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: {source: ftp}", "a.source: 'ftp' is not allowed"),
        ("a: {source: m2m, id: x}", "a: dataset: not given; m2m needs it"),
        ("a: {source: http, url: x, dataset: y}", "a: dataset: means nothing to http"),
        ("a: {source: http, urll: x}", "urll: not a key; did you mean 'url'?"),
    ],
)
def test_a_wrong_entry_is_told_by_its_key(project, text, told):
    (project / "wrong.yaml").write_text(text)
    flags = ("--products", "wrong.yaml", "--lock", "wrong.lock.json")
    run = subprocess.run(
        [sys.executable, "scripts/resolve_products.py", *flags],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1 and told in run.stderr.splitlines()[-1]
    assert not (project / "wrong.lock.json").exists()
