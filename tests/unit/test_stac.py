"""STAC items."""

import itertools
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pystac
import pytest
from affine import Affine
from rasterio.crs import CRS

from gossan.errors import InputError
from gossan.files import write_json
from gossan.maps import Ramp
from gossan.raster import BandTable, Grid, Layer, map_blocks
from gossan.stac import build_item

GRID = Grid(CRS.from_epsg(32643), Affine(30, 0, 500_000, 0, -30, 4_000_000), 60, 40)
ACQUIRED = "2024-07-19T05:40:11Z"


@pytest.fixture
def products(tmp_path) -> dict[str, Path]:
    bands = BandTable(("blue", "red"), (0.482, 0.655), (0.06, 0.037))
    layers = [
        Ramp.of_angles(tmp_path / "sam" / "angle.tif", ("angle_rad",), 1.0).layer(),
        Layer(tmp_path / "cube" / "cube.tif", "int16", -32768, bands, 1e-4),
    ]

    def source(window):
        return np.ones((2, window.height, window.width), "float32")

    map_blocks(lambda a: (a[0], a), [source], layers, grid=GRID)
    style = tmp_path / "sam" / "angle.qml"
    style.write_text("<qgis/>")
    return {"angle": layers[0].path, "style": style, "cube": layers[1].path}


def test_item_says_what_where_and_when(products):
    item = build_item("gilgit", GRID, ACQUIRED, products, {"gossan:synthetic": True})
    assert (item["type"], item["stac_version"], item["id"]) == ("Feature", "1.1.0", "gilgit")
    properties = item["properties"]
    assert properties["datetime"] == ACQUIRED
    assert properties["gossan:synthetic"] is True
    assert properties["proj:code"] == "EPSG:32643"
    assert properties["proj:shape"] == [40, 60]
    assert properties["proj:transform"] == [30, 0, 500_000, 0, -30, 4_000_000]
    assert properties["proj:bbox"] == [500_000, 3_998_800, 501_800, 4_000_000]
    west, south, east, north = item["bbox"]
    # UTM zone 43's central meridian is 75 degrees east.
    assert west == pytest.approx(75.0, abs=1e-6)
    assert 36.1 < south < north < 36.2 and 75.01 < east < 75.03
    ring = item["geometry"]["coordinates"][0]
    assert ring[0] == ring[-1] and len(ring) == 5
    area = sum(a[0] * b[1] - b[0] * a[1] for a, b in itertools.pairwise(ring))
    assert area > 0, "RFC 7946 wants the outline counter-clockwise"


def test_assets_are_relative_and_described(products):
    item = build_item("gilgit", GRID, ACQUIRED, products)
    assets = item["assets"]
    assert assets["angle"]["href"] == "./angle.tif"
    assert assets["cube"]["href"] == "./../cube/cube.tif"
    assert assets["angle"]["type"] == pystac.MediaType.COG
    assert (assets["angle"]["data_type"], assets["angle"]["nodata"]) == ("int16", -32768)
    assert assets["angle"]["raster:scale"] == 1e-4
    assert assets["angle"]["bands"] == [{"name": "angle_rad"}]
    assert assets["cube"]["raster:scale"] == 1e-4
    assert assets["cube"]["nodata"] == -32768
    assert assets["cube"]["bands"][1] == {
        "name": "red",
        "eo:center_wavelength": 0.655,
        "eo:full_width_half_max": 0.037,
    }
    assert assets["style"]["roles"] == ["metadata"]
    used = [url.split("/")[3] for url in item["stac_extensions"]]
    assert used == ["projection", "raster", "eo"]


def test_folder_of_the_item_may_be_given(products, tmp_path):
    item = build_item("gilgit", GRID, ACQUIRED, products, folder=tmp_path)
    assert item["assets"]["angle"]["href"] == "./sam/angle.tif"


def test_pystac_reads_the_item_back(products, tmp_path):
    path = tmp_path / "sam" / "item.json"
    write_json(path, build_item("gilgit", GRID, ACQUIRED, products))
    item = pystac.Item.from_file(str(path))
    assert item.datetime == datetime(2024, 7, 19, 5, 40, 11, tzinfo=UTC)
    for asset in item.assets.values():
        assert Path(asset.get_absolute_href()).exists()


def test_same_input_same_text(products):
    texts = {json.dumps(build_item("x", GRID, ACQUIRED, products)) for _ in range(2)}
    assert len(texts) == 1


@pytest.mark.parametrize(
    "acquired",
    [
        "2024-07-19T05:40:11",
        "2024-07-19T10:40:11+05:00",
        datetime(2024, 7, 19, 10, 40, 11, tzinfo=timezone(timedelta(hours=5))),
    ],
)
def test_times_are_utc(products, acquired):
    assert build_item("x", GRID, acquired, products)["properties"]["datetime"] == ACQUIRED


def test_an_unknown_time_is_all_time(products, tmp_path):
    write_json(tmp_path / "item.json", build_item("x", GRID, None, products))
    item = pystac.Item.from_file(tmp_path / "item.json")
    assert item.datetime is None
    assert (item.common_metadata.start_datetime.year, item.common_metadata.end_datetime.year) == (
        1,
        9999,
    )


def test_grids_without_a_code(products):
    nowhere = Grid(None, GRID.transform, 60, 40)
    item = build_item("x", nowhere, ACQUIRED, products)
    assert item["geometry"] is None
    assert "bbox" not in item
    assert item["properties"]["proj:code"] is None
    local = CRS.from_proj4("+proj=tmerc +lon_0=74.3 +lat_0=36 +datum=WGS84 +units=m")
    item = build_item("x", Grid(local, GRID.transform, 60, 40), ACQUIRED, products)
    assert item["properties"]["proj:code"] is None
    assert item["properties"]["proj:wkt2"].startswith("PROJCRS")


def test_faults_are_named(products):
    with pytest.raises(InputError, match="acquired 'July' is not ISO 8601"):
        build_item("x", GRID, "July", products)
    with pytest.raises(InputError, match="has no assets"):
        build_item("x", GRID, ACQUIRED, {})
    with pytest.raises(InputError, match=r"gone\.tif: no such raster"):
        build_item("x", GRID, ACQUIRED, {"a": products["angle"].with_name("gone.tif")})
