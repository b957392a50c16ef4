"""Ground larger than a scene: four tiles that another scene teaches, as one map and one list."""

import csv
import json

import numpy as np
import pytest
import rasterio
import yaml
from mosaics import SMALL
from projects import copy_project, snakemake

# Five simulated scenes and all of their maps.
pytestmark = pytest.mark.slow

GROUND = "results/studies/state/mosaic"
# Minerals are mapped pixel by pixel; forests look around themselves, so near the edge of a tile
# they see less, and the pixel is taken from the tile that sees more.
MAPS = {"minerals/class": 0, "minerals/1um/taught": 0, "prospects/iron/class": 0.01}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = copy_project(tmp_path_factory.mktemp("mosaic"))
    (folder / "small.yaml").write_text(yaml.safe_dump(SMALL))
    run = snakemake(
        *(
            folder,
            f"{GROUND}/index.html",
            "results/index.html",
            "results/studies/state/report.html",
        ),
        *("--cores", "2", "--configfile", "config/examples/bahia_mosaic.yaml", "small.yaml"),
    )
    assert run.returncode == 0, run.stdout[-4000:]
    return folder


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1)


@pytest.mark.parametrize(("name", "most"), MAPS.items())
def test_pixels_of_the_overlap_are_equal(project, name, most):
    record = json.loads((project / f"{GROUND}/sentinel2/{name}.json").read_text())
    assert [item["scene"] for item in record["scenes"]] == [
        f"tile-{place}" for place in range(1, 5)
    ]
    assert record["overlap_px"] > 5000
    assert record["differing_px"] <= most * record["overlap_px"]


@pytest.mark.parametrize("name", [*MAPS, "prospects/potential/potential"])
def test_the_whole_is_the_map_of_the_scene_that_taught(project, name):
    """The teacher sees all of the ground, so that its own map has no edge of a tile in it."""
    whole = read(project / f"{GROUND}/sentinel2/{name}.tif")
    own = read(project / f"results/scenes/mines/sentinel2/{name}.tif")
    assert np.array_equal(whole, own)


def test_one_list_of_targets_is_ranked_over_all(project):
    with (project / f"{GROUND}/targets/targets.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    ranks = sorted(int(row["rank_of_all"]) for row in rows)
    assert ranks == list(range(1, len(rows) + 1)) and rows
    assert not list(project.glob("results/scenes/tile-*/targets"))
    codes = read(project / f"{GROUND}/targets/potential.tif")
    assert codes.shape == read(project / f"{GROUND}/sentinel2/minerals/class.tif").shape


def test_the_page_tells_who_taught_and_the_index_leads_to_it(project):
    page = (project / f"{GROUND}/index.html").read_text()
    assert "4 scenes are joined, taught by mines alone" in page
    index = (project / "results/index.html").read_text()
    assert "studies/state/mosaic/index.html" in index and "4 scenes as one" in index
    assert (project / f"{GROUND}/state.qgs").is_file()
