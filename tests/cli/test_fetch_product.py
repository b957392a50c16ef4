"""The tool that brings a product lays it among the results as readers want it."""

import json
import subprocess
import sys

import numpy as np
import pytest
import rasterio
import sentinel2_products
from archives import archive, play_arcgis, play_stac
from rasterio.warp import transform_bounds

TIFF = b"II*\0" + bytes(500)


@pytest.fixture
def server():
    with archive() as server:
        yield server


def run(root, folder, script, *flags):
    command = [sys.executable, root / f"scripts/{script}.py", *flags]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def fetch(root, folder, entry, leaf, offline=0):
    (folder / "products.yaml").write_text(json.dumps({"mine": entry}))
    flags = ("--products", "products.yaml", "--lock", "lock.json", "--attempts", "2")
    resolved = run(root, folder, "resolve_products", *flags)
    assert resolved.returncode == 0, resolved.stderr
    return run(
        *(root, folder, "fetch_product", "--name", "mine", "--lock", "lock.json"),
        *("--cache", "cache", "--attempts", "2", "--offline", str(offline)),
        *("--product", f"results/mine/{leaf}", "--record", "results/mine.json"),
    )


def test_the_files_of_an_item_become_a_folder_of_links(root, server, tmp_path):
    names = ("VNIR", "SWIR")
    server.files |= {f"/{name}.tif": TIFF for name in names}
    hrefs = {name: {"href": server.url(f"/{name}.tif")} for name in names}
    play_stac(server, [{"id": "a", "collection": "aster", "assets": hrefs}])
    entry = {"source": "stac", "api": server.url("/stac"), "collection": "aster", "id": "a"}
    done = fetch(root, tmp_path, {**entry, "assets": list(names)}, "files")
    assert done.returncode == 0, done.stderr
    links = sorted((tmp_path / "results/mine/files").iterdir())
    assert [link.name for link in links] == ["SWIR.tif", "VNIR.tif"]
    assert all(link.is_symlink() and link.read_bytes() == TIFF for link in links)
    record = json.loads((tmp_path / "results/mine.json").read_text())
    assert [file["name"] for file in record["files"]] == ["VNIR.tif", "SWIR.tif"]


def test_windows_of_dates_become_items_beside_their_images(root, server, tmp_path):
    images = sentinel2_products.numbers(1, (30, 30), ("B04", "B08"))
    sentinel2_products.write_cogs(tmp_path / "tile", images)
    keys = {"red": "B04", "nir": "B08", "scl": "SCL"}
    for band in keys.values():
        server.files[f"/{band}.tif"] = (tmp_path / f"tile/{band}.tif").read_bytes()
    item = sentinel2_products.item({k: server.url(f"/{b}.tif") for k, b in keys.items()})
    play_stac(server, [{**item, "collection": "sentinel-2-l2a"}])
    west, north = sentinel2_products.CORNER_M
    place = (west + 300, north - 900, west + 900, north - 300)
    west, south, east, north = transform_bounds(sentinel2_products.CRS, "EPSG:4326", *place)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    area = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "geometry": area, "properties": {}}
    features = {"type": "FeatureCollection", "features": [feature]}
    (tmp_path / "area.geojson").write_text(json.dumps(features))
    search = {"source": "stac", "api": server.url("/stac"), "collection": "sentinel-2-l2a"}
    when = {"datetime": "2024-01-01/2024-12-31", "window_of": "area.geojson"}
    done = fetch(root, tmp_path, {**search, **when, "assets": list(keys)}, "items.json")
    assert done.returncode == 0, done.stderr
    [told] = json.loads((tmp_path / "results/mine/items.json").read_text())["features"]
    with rasterio.open(tmp_path / "results/mine" / told["assets"]["red"]["href"]) as image:
        column = round((image.transform.c - sentinel2_products.CORNER_M[0]) / 10)
        row = round((sentinel2_products.CORNER_M[1] - image.transform.f) / 10)
        part = images["B04"][row : row + image.height, column : column + image.width]
        np.testing.assert_array_equal(image.read(1), part)
    # Ordinary files: the composite is made without a server.
    server.files.clear()
    composite = run(
        *(root, tmp_path, "composite_dates", "--sensor", "sentinel2", "--resolution-m", "10"),
        *("--product", "results/mine/items.json", "--bands", "B04", "B08", "--mask"),
        *("--normalisation", "none", "--polygon", "area.geojson", "--threads", "1"),
        *("--cube", "cube.tif", "--looks", "looks.tif", "--record", "cube.json"),
    )
    assert composite.returncode == 0, composite.stderr
    with rasterio.open(tmp_path / "cube.tif") as image:
        assert image.count == 2 and 55 <= image.width <= 65


def test_features_of_a_layer_are_marked_and_come_as_one_file(root, server, tmp_path):
    play_arcgis(server, {1: (-42.0, -14.0), 2: (-42.1, -14.1)}, most=1)
    entry = {"source": "arcgis", "url": server.url("/layer/0"), "bbox": [-43, -15, -41, -13]}
    done = fetch(root, tmp_path, {**entry, "marks": {"iron": "ROCK"}}, "features.geojson")
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "results/mine/features.geojson").read_text())
    assert [feature["properties"]["iron"] for feature in told["features"]] == ["yes", "yes"]


def test_the_files_of_an_order_keep_their_folders(root, tmp_path):
    entry = {"source": "manual", "file": "*", "page": "the archive"}
    done = fetch(root, tmp_path, entry, "files")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: fetch:mine: cache/mine lacks *; get it")
    place = tmp_path / "cache/mine/P001/any.IMD"
    place.parent.mkdir(parents=True)
    place.write_text("told")
    assert fetch(root, tmp_path, entry, "files", offline=1).returncode == 0
    assert (tmp_path / "results/mine/files/P001/any.IMD").read_text() == "told"


def test_a_product_of_a_pattern_lies_under_a_name_that_is_known_before(root, tmp_path):
    entry = {"source": "manual", "file": "PRS_*.he5", "page": "the archive"}
    (tmp_path / "cache/mine").mkdir(parents=True)
    (tmp_path / "cache/mine/PRS_L2D_1.he5").write_bytes(b"\x89HDF\r\n\x1a\n")
    assert fetch(root, tmp_path, entry, "product.he5").returncode == 0
    assert (tmp_path / "results/mine/product.he5").read_bytes() == b"\x89HDF\r\n\x1a\n"


def test_what_came_stays_when_something_else_fails(root, server, tmp_path):
    server.files["/A.tif"], server.files["/B.tif"] = TIFF, TIFF
    hrefs = {name: {"href": server.url(f"/{name}.tif")} for name in ("A", "B")}
    play_stac(server, [{"id": "a", "collection": "aster", "assets": hrefs}])
    del server.files["/B.tif"]
    entry = {"source": "stac", "api": server.url("/stac"), "collection": "aster", "id": "a"}
    done = fetch(root, tmp_path, {**entry, "assets": ["A", "B"]}, "files")
    assert done.returncode == 1 and "B.tif: HTTP 404" in done.stderr.splitlines()[-1]
    assert (tmp_path / "cache/mine/A.tif").read_bytes() == TIFF
    assert not (tmp_path / "results").exists() or not list((tmp_path / "results").rglob("*.tif"))
