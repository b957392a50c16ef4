"""A scene by its name: one command brings it, checks it and maps it; another has nothing to do."""

import json
import subprocess
import sys

import pytest
from archives import (
    archive,
    guard,
    play_cmr,
    play_m2m,
    play_odata,
    play_signing,
    play_stac,
    redirect,
)
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


def simulate(project, sensor, product):
    command = (sys.executable, "scripts/simulate_scene.py", "--ground", "porphyry")
    ground = ("--size-px", "96", "--seed", "1", "--difficulty", "1", "--coating", "0")
    library = ("--library", "resources/static/analytic_library.csv", "--dates", "1")
    named = ("--sensor", sensor, "--product", product, "--threads", "2")
    subprocess.run([*command, *ground, *library, *named], cwd=project, check=True)
    return project / product


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = copy_project(tmp_path_factory.mktemp("project"))
    simulate(project, "landsat", "twin.tar")
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
        assert "Missing products (1 file)" in said
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


STAMP = "20230808T173953_2322012_011"


def play_all(project, server, store):
    """The twin's products of four sensors at four archives; the entries that name them."""
    store.files["/landsat"] = (project / "twin.tar").read_bytes()
    play_m2m(server, "/landsat", NAME, TOKEN, store)
    simulate(project, "aster", "twin.hdf")
    store.files["/twin.hdf"] = (project / "twin.hdf").read_bytes()
    item = {"id": "AST_1", "collection": "aster-l1t", "properties": {}}
    play_stac(server, [{**item, "assets": {"HDF": {"href": store.url("/twin.hdf")}}}])
    play_signing(server, store, ["/twin.hdf"])
    simulate(project, "emit", "twin.nc")
    granules = {}
    for short, kind, file in (
        ("EMITL2ARFL", "RFL", "twin.nc"),
        ("EMITL2AMASK", "MASK", "twin_MASK.nc"),
    ):
        name = f"EMIT_L2A_{kind}_002_{STAMP}"
        path = f"/{name}.nc"
        store.files[path] = (project / file).read_bytes()
        guard(server, path, TOKEN, lambda path=path: redirect(store.url(f"{path}?signature=once")))
        granules[short] = {name: {f"{name}.nc": path}}
    play_cmr(server, granules, store, lambda file: server.url(f"/{file}"))
    simulate(project, "sentinel2", "twin_sentinel2")
    [archived] = (project / "twin_sentinel2").glob("*.zip")
    server.files["/zipper"] = archived.read_bytes()
    play_odata(server, archived.stem, "/zipper", ("me", TOKEN))
    own = {"hosts": [server.host], "citation": "cited"}
    entries = {
        "landsat": {"source": "m2m", "api": server.url("/m2m"), "dataset": "any", "id": "LC08_*"},
        "aster": {"source": "stac", "api": server.url("/stac"), "collection": "aster-l1t"},
        "emit": {"source": "cmr", "api": server.url("/cmr"), "short_name": "EMITL2ARFL"},
        "sentinel2": {
            "source": "odata",
            "api": server.url("/odata"),
            "id": f"{archived.name[:19]}*",
        },
    }
    entries["aster"] |= {"id": "AST_1", "assets": ["HDF"], "sign": "sas"}
    entries["aster"] |= {"sign_api": server.url("/sas/sign")}
    entries["emit"] |= {"id": "EMIT_*", "beside": {"short_name": "EMITL2AMASK"}}
    entries["sentinel2"] |= {"sign_api": server.url("/token")}
    return {name: {**entry, **own} for name, entry in entries.items()}


@pytest.mark.slow
def test_products_of_four_archives_are_fetched_and_mapped_by_one_command(
    tmp_path_factory, monkeypatch
):
    project = copy_project(tmp_path_factory.mktemp("four"))
    simulate(project, "landsat", "twin.tar")
    names = ("EARTHDATA_TOKEN", "USGS_M2M_TOKEN", "CDSE_PASSWORD")
    for name, value in (*((n, TOKEN) for n in names), ("USGS_M2M_USER", "me"), ("CDSE_USER", "me")):
        monkeypatch.setenv(name, value)
    with archive() as server, archive() as store:
        entries = play_all(project, server, store)
        (project / "own_products.yaml").write_text(json.dumps(entries))
        write(project, run=True)
        rows = [f"by-name\tmine\t{name}\tfetch:{name}\t\n" for name in entries]
        (project / "own.tsv").write_text(HEADER + "".join(rows))
        resolved = resolve(project)
        assert resolved.returncode == 0, resolved.stderr
        run = snakemake(project, REPORT, *RUN)
        assert run.returncode == 0, run.stdout
        assert TOKEN not in store.texts()
    for sensor in entries:
        assert (project / MAP.replace("landsat", sensor)).exists()
    assert "Nothing to be done" in snakemake(project, REPORT, *RUN).stdout
    cube = json.loads((project / "results/scenes/by-name/emit/cube/cube.json").read_text())
    assert "no mask file" not in json.dumps(cube)
    # What the products say stands nowhere with a secret.
    kept = [*(project / "results").rglob("*"), *(project / ".snakemake").rglob("*")]
    for path in kept:
        if path.is_file() and path.stat().st_size < 4_000_000:
            content = path.read_bytes()
            assert TOKEN.encode() not in content and b"signature=once" not in content, path
