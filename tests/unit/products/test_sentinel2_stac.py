"""Reading Sentinel-2 dates from STAC, on disk and from a server with byte ranges."""

import hashlib
import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pystac
import pytest
from pystac_client.warnings import NoConformsTo
from range_server import serve
from rasterio.windows import Window
from sentinel2_products import (
    BANDS,
    SIZE_60M,
    item,
    numbers,
    product_name,
    write_cogs,
    write_safe,
)

from gossan.errors import InputError
from gossan.products import raster_files, sentinel2_files, sentinel2_stac
from gossan.products.sentinel2 import open_dates, open_product
from gossan.products.sentinel2_stac import SEARCH_KEYS, describe_item, is_stac, read_items

WHOLE = Window(0, 0, SIZE_60M[0] * 6, SIZE_60M[1] * 6)
EARTH_SEARCH = {
    **{"B02": "blue", "B03": "green", "B04": "red", "B05": "rededge1", "B06": "rededge2"},
    **{"B07": "rededge3", "B08": "nir", "B8A": "nir08", "B11": "swir16", "B12": "swir22"},
    "SCL": "scl",
}
TWO = ("B04", "SCL")


@pytest.fixture(autouse=True)
def no_proxy_and_no_patience(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for module in (raster_files, sentinel2_stac):
        monkeypatch.setattr(module, "RETRY_DELAY_S", 0.01)


@pytest.fixture
def server(tmp_path):
    with serve(tmp_path) as running:
        yield running


def write_json(path: Path, document: dict) -> Path:
    path.write_text(json.dumps(document))
    return path


def hrefs(folder: str = "", bands=TWO) -> dict[str, str]:
    return {EARTH_SEARCH.get(band, band): f"{folder}{band}.tif" for band in bands}


def described(bands=("B04", "SCL"), assets: dict | None = None, **properties):
    """Description of an item whose assets lie on no disk."""
    document = item(hrefs("http://127.0.0.1/", bands), **properties)
    for key, fields in (assets or {}).items():
        document["assets"][key] |= fields
    return describe_item(pystac.Item.from_dict(document))


# ---- the same date in both forms ----------------------------------------------------------------


@pytest.mark.parametrize("names", [EARTH_SEARCH, {band: band for band in BANDS} | {"SCL": "SCL"}])
def test_an_item_reads_as_the_safe_of_its_date(tmp_path, server, names):
    images = numbers(3)
    images["SCL"][2, 3] = 9
    write_cogs(tmp_path / "cogs", images, names)
    bands = {name: f"./cogs/{name}.tif" for name in names.values()}
    bands["thumbnail"] = "https://example.com/preview.jpg"
    write_json(tmp_path / "item.json", item(bands))
    safe = write_safe(tmp_path / "safe", images)
    addresses = (server.url("item.json"), tmp_path / "item.json", Path(server.url("item.json")))
    for path in addresses:
        with open_product(path) as product, open_product(safe) as expected:
            np.testing.assert_array_equal(
                product.read_reflectance(WHOLE), expected.read_reflectance(WHOLE)
            )
            np.testing.assert_array_equal(
                product.read_flags(WHOLE, ["cloud", "fill"]),
                expected.read_flags(WHOLE, ["cloud", "fill"]),
            )
            product.grid.require_same(expected.grid, "x")
            for name in ("product_id", "acquired", "sensor", "tile", "bands", "collection"):
                assert getattr(product, name) == getattr(expected, name)
            assert product.sun_elevation_deg == expected.sun_elevation_deg
            assert product.sun_azimuth_deg == expected.sun_azimuth_deg
            assert "-1000: that of processing baseline 05.11" in product.notes[0]


def test_only_the_window_is_asked_for(tmp_path, server):
    image = np.random.default_rng(0).integers(1, 9000, (1920, 1920), dtype=np.uint16)
    scl = np.full((960, 960), 4, np.uint8)
    write_cogs(tmp_path, {"B04": image, "SCL": scl})
    write_json(tmp_path / "item.json", item(hrefs(server.url(""))))
    with open_product(server.url("item.json"), ["B04"]) as product:
        found = product.read_reflectance(Window(1000, 500, 64, 64))
    np.testing.assert_allclose(
        found[0], (image[500:564, 1000:1064] - 1000.0) / 10000, rtol=1e-6, atol=1e-7
    )
    sent = sum(size for _, path, _, size in server.log if path.endswith("B04.tif"))
    whole = (tmp_path / "B04.tif").stat().st_size
    assert 0 < sent < whole / 8
    assert all(
        asked for method, path, asked, _ in server.log if path.endswith(".tif") and method == "GET"
    )
    # Nothing is kept on disk.
    assert sorted(p.name for p in tmp_path.iterdir()) == ["B04.tif", "SCL.tif", "item.json"]


# ---- catalogues, collections of items, searches -------------------------------------------------


@pytest.fixture
def dates(tmp_path) -> list[dict]:
    """Items of three days in no order, their assets told relative to the served folder."""
    images = numbers(4, bands=("B04",))
    found = []
    for number, day in enumerate(("20240719", "20230105", "20241231")):
        write_cogs(tmp_path / day, {**images, "B04": images["B04"] + number})
        found.append(item(hrefs(f"{day}/"), day=day))
    return found


def check_dates(path) -> None:
    days = ("2023-01-05", "2024-07-19", "2024-12-31")
    opened = open_dates(path, ["B04"])
    assert tuple(date.acquired[:10] for date in opened) == days
    first = [date.read_reflectance(WHOLE) for date in opened]
    for date in opened:
        date.close()
    np.testing.assert_allclose(first[1] + 1e-4, first[0], rtol=1e-5)


@pytest.mark.parametrize("local", [True, False])
def test_a_collection_of_items(tmp_path, server, dates, local):
    path = write_json(tmp_path / "items.json", {"type": "FeatureCollection", "features": dates})
    check_dates(path if local else server.url("items.json"))


def test_pages_of_a_search_are_followed(tmp_path, server, dates):
    for number, found in enumerate(dates):
        links = []
        if number < 2:
            links = [{"rel": "next", "href": server.url(f"page{number + 1}.json?token=x")}]
        document = {"type": "FeatureCollection", "features": [found], "links": links}
        write_json(tmp_path / f"page{number}.json", document)
    check_dates(server.url("page0.json"))
    with pytest.raises(InputError, match=r"page0\.json: is one page of a search"):
        open_dates(tmp_path / "page0.json")
    assert len(read_items(tmp_path / "page2.json")) == 1


@pytest.mark.parametrize("local", [True, False])
def test_a_static_catalogue_is_walked(tmp_path, server, dates, local):
    catalogue = pystac.Catalog("root", "a static catalogue")
    collection = pystac.Collection(
        "s2",
        "dates",
        pystac.Extent(
            pystac.SpatialExtent([[-180, -90, 180, 90]]),
            pystac.TemporalExtent([[datetime(2023, 1, 1), None]]),
        ),
    )
    catalogue.add_child(collection)
    for found in dates:
        for asset in found["assets"].values():
            asset["href"] = str(tmp_path / asset["href"])
        collection.add_item(pystac.Item.from_dict(found))
    catalogue.normalize_hrefs(str(tmp_path))
    catalogue.make_all_asset_hrefs_relative()
    catalogue.save(pystac.CatalogType.SELF_CONTAINED)
    check_dates(tmp_path / "catalog.json" if local else server.url("catalog.json"))
    check_dates(tmp_path / "s2" / "collection.json")


def test_a_search_is_made(tmp_path, server, dates):
    for found in dates:
        found["links"] = [{"rel": "self", "href": server.url(f"{found['id']}.json")}]
    write_json(tmp_path / "found", {"type": "FeatureCollection", "features": dates, "links": []})
    root = {
        "type": "Catalog",
        "stac_version": "1.0.0",
        "id": "api",
        "description": "x",
        "conformsTo": [
            "https://api.stacspec.org/v1.0.0/core",
            "https://api.stacspec.org/v1.0.0/item-search",
        ],
        "links": [
            {"rel": "self", "href": server.url("api.json")},
            {
                "rel": "search",
                "href": server.url("found"),
                "type": "application/geo+json",
                "method": "POST",
            },
        ],
    }
    write_json(tmp_path / "api.json", root)
    search = {"api": server.url("api.json"), "collections": ["s2"], "bbox": [-45, -13, -44, -12]}
    check_dates(write_json(tmp_path / "search.json", search))
    assert ("POST", "/found") in [entry[:2] for entry in server.log]
    dates[0]["links"][0]["href"] = str(tmp_path / "x.json")
    write_json(tmp_path / "found", {"type": "FeatureCollection", "features": dates, "links": []})
    with pytest.raises(InputError, match=r"20240719_0_L2A has no address on the web"):
        read_items(tmp_path / "search.json")
    write_json(tmp_path / "search.json", {**search, "bounds": []})
    with pytest.raises(InputError, match="key bounds is unknown in a search; use api, collections"):
        read_items(tmp_path / "search.json")


def test_the_searches_that_come_along_have_keys_that_are_known(root):
    for path in (root / "config").rglob("*_search.json"):
        document = json.loads(path.read_text())
        assert {"api", "collections", "datetime"} <= set(document) <= {"api", *SEARCH_KEYS}


def test_items_of_different_tiles_come_to_one_grid(tmp_path):
    write_cogs(tmp_path, numbers(4, bands=("B04",)))
    found = [item(hrefs(), day="20240719"), item(hrefs(), day="20240724", tile="24LVH")]
    path = write_json(tmp_path / "a.json", {"type": "FeatureCollection", "features": found})
    dates = open_dates(path, ["B04"])
    assert [date.tiles for date in dates] == [("23LLF",), ("24LVH",)]
    first, second = (date.read_reflectance(WHOLE) for date in dates)
    np.testing.assert_array_equal(first, second)
    for date in dates:
        date.close()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", "is no STAC that can be used"),
        ("[1]", "is neither a STAC item"),
        ('{"type": "Table"}', "is neither a STAC item"),
        ('{"type": "Feature"}', "is no STAC that can be used"),
        ('{"type": "FeatureCollection", "features": []}', "leads to no item"),
        ('{"type": "FeatureCollection"}', "is no STAC that can be used"),
    ],
)
def test_files_that_are_no_stac_are_refused(tmp_path, text, match):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"a\.json: {match}"):
        open_dates(path)


def test_what_is_stac():
    assert is_stac("https://example.com/v1/search?x=1")
    assert is_stac(Path("http://example.com/a"))
    assert is_stac("a/items.geojson") and is_stac(Path("a.json"))
    assert not is_stac("a/b.SAFE") and not is_stac("http.zip")


# ---- failing servers ----------------------------------------------------------------------------


@pytest.fixture
def remote(tmp_path, server) -> str:
    """Address of an item on the server."""
    write_cogs(tmp_path, numbers(5, bands=("B04",)))
    write_json(tmp_path / "item.json", item(hrefs()))
    return server.url("item.json")


@pytest.mark.parametrize("code", [500, 503, 429])
def test_a_busy_server_is_asked_again(remote, server, code):
    expected = open_product(remote, ["B04"]).read_reflectance(WHOLE)
    server.code, server.fail = code, 2
    items = read_items(remote)
    assert len(items) == 1 and server.fail == 0
    with open_product(remote, ["B04"]) as product:
        np.testing.assert_array_equal(product.read_reflectance(WHOLE), expected)


def test_a_busy_server_of_images_is_asked_again(remote, server):
    found = describe_item(read_items(remote)[0])
    server.fail = 2
    grid, count = raster_files.Rasters().describe(found.files["B04"])
    assert grid.shape == (24, 36) and count == 1 and server.fail == 0


def test_a_server_that_stays_down_is_named(remote, server):
    items = read_items(remote)
    server.fail = 1000
    with pytest.raises(
        InputError, match=r"127\.0\.0\.1.*item\.json: cannot be read.*check the add"
    ):
        open_product(remote, ["B04"])
    found = describe_item(items[0])
    match = r"B04\.tif: cannot be opened after 3 attempts \(HTTP 503\); check the address"
    with pytest.raises(InputError, match=match):
        raster_files.Rasters().describe(found.files["B04"])
    server.fail = 0
    missing = server.url("none.json")
    with pytest.raises(InputError, match=r"none\.json: cannot be read"):
        open_product(missing)


def big_remote(tmp_path, server) -> raster_files.RasterFile:
    image = np.random.default_rng(0).integers(1, 9000, (1920, 1920), dtype=np.uint16)
    write_cogs(tmp_path, {"B04": image})
    return describe_item(pystac.Item.from_dict(item({"red": server.url("B04.tif")}))).files[
        "B04"
    ], image


def test_an_answer_that_breaks_off_is_asked_for_again(tmp_path, server):
    file, image = big_remote(tmp_path, server)
    rasters = raster_files.Rasters()
    rasters.describe(file)
    server.cut = 2
    found = rasters.read(file, Window(700, 700, 300, 300))
    np.testing.assert_array_equal(found[0], image[700:1000, 700:1000])
    assert server.cut == 0


def test_answers_that_always_break_off_are_an_error(tmp_path, server):
    file, _ = big_remote(tmp_path, server)
    rasters = raster_files.Rasters()
    rasters.describe(file)
    server.cut = 10_000
    match = r"B04\.tif: cannot be read at row 700, column 800 after 3 attempts \(the connection"
    with pytest.raises(InputError, match=match):
        rasters.read(file, Window(800, 700, 300, 300))


def test_a_file_cut_short_on_the_server_is_an_error(tmp_path, server):
    file, _ = big_remote(tmp_path, server)
    path = tmp_path / "B04.tif"
    path.write_bytes(path.read_bytes()[:200_000])
    with pytest.raises(InputError, match=r"B04\.tif: cannot be (opened|read)"):
        raster_files.Rasters().read(file, Window(1600, 1600, 300, 300))


def test_a_missing_asset_is_named(remote, server, tmp_path):
    (tmp_path / "B04.tif").unlink()
    with pytest.raises(InputError, match=r"B04\.tif: cannot be opened.*\(HTTP 404\)"):
        open_product(remote, ["B04"])


def test_keys_in_addresses_are_not_shown(tmp_path, server):
    bands = {"red": server.url("gone.tif?sig=SECRET"), "scl": server.url("gone_scl.tif?sig=SECRET")}
    write_json(tmp_path / "item.json", item(bands))
    with pytest.raises(InputError, match=r"gone\w*\.tif: cannot be opened") as caught:
        open_product(server.url("item.json?key=SECRET"), ["B04"])
    assert "SECRET" not in str(caught.value)
    assert any("sig=SECRET" in path for _, path, _, _ in server.log)
    with pytest.raises(InputError) as caught:
        open_product(server.url("none.json?key=SECRET"), ["B04"])
    assert "SECRET" not in str(caught.value)


def test_items_from_the_web_reach_no_file_here(tmp_path, server):
    write_cogs(tmp_path, numbers(5, bands=("B04",)))
    bands = {"red": str(tmp_path / "B04.tif"), "scl": str(tmp_path / "SCL.tif")}
    write_json(tmp_path / "item.json", item(bands))
    with open_product(tmp_path / "item.json", ["B04"]) as product:
        assert product.grid.shape == (24, 36)
    # There a path is one on the server.
    with pytest.raises(InputError, match=r"http://127.*SCL\.tif: cannot be opened.*HTTP 404"):
        open_product(server.url("item.json"), ["B04"])
    document = {**item(bands), "links": [{"rel": "self", "href": str(tmp_path / "x.json")}]}
    write_json(tmp_path / "items.json", {"type": "FeatureCollection", "features": [document]})
    with pytest.raises(InputError, match=r"http://127.*SCL\.tif: cannot be opened.*HTTP 404"):
        open_product(server.url("items.json"), ["B04"])
    bands = {key: f"file://{href}" for key, href in bands.items()}
    write_json(tmp_path / "item.json", item(bands))
    with pytest.raises(InputError, match=r"no \.tif or \.jp2 on disk or behind http"):
        open_product(server.url("item.json"), ["B04"])
    catalogue = pystac.Catalog("root", "x")
    catalogue.add_link(pystac.Link("item", str(tmp_path / "item.json")))
    write_json(tmp_path / "catalog.json", catalogue.to_dict())
    with pytest.raises(InputError, match=r"catalog\.json: .* no address on the web"):
        open_product(server.url("catalog.json"), ["B04"])


def test_a_search_of_what_cannot_be_searched_is_an_error(tmp_path, server, dates):
    catalogue = pystac.Catalog("root", "a static one", href=server.url("catalog.json"))
    write_json(tmp_path / "catalog.json", catalogue.to_dict())
    path = write_json(tmp_path / "search.json", {"api": server.url("catalog.json")})
    match = r"search\.json: is no STAC that can be used \(Server does not conform to ITEM_SEARCH"
    with pytest.warns(NoConformsTo), pytest.raises(InputError, match=match):
        read_items(path)
    write_json(path, {"api": server.url("none.json")})
    with pytest.raises(InputError, match=r"search\.json: cannot be read \(HTTP 404\)"):
        read_items(path)


def test_a_catalogue_with_a_missing_item_is_an_error(tmp_path, server, dates):
    catalogue = pystac.Catalog("root", "x")
    catalogue.add_link(pystac.Link("item", "./none.json"))
    write_json(tmp_path / "catalog.json", catalogue.to_dict())
    for path in (tmp_path / "catalog.json", server.url("catalog.json")):
        with pytest.raises(InputError, match=r"catalog\.json: "):
            read_items(path)


# ---- items --------------------------------------------------------------------------------------


def raster(scale: float | None = 1e-4, offset: float | None = -0.1) -> dict:
    fields = {"scale": scale, "offset": offset}
    return {key: value for key, value in fields.items() if value is not None}


@pytest.mark.parametrize(
    ("assets", "properties", "offset", "note"),
    [
        # Earth Search: applied, whatever the assets repeat of the product's metadata.
        ({"raster:bands": [raster()]}, {"earthsearch__boa_offset_applied": True}, 0, "applied"),
        ({}, {"earthsearch__boa_offset_applied": "true"}, 0, "applied"),
        ({"raster:bands": [raster()]}, {"earthsearch__boa_offset_applied": False}, -1000, "assets"),
        ({"raster:bands": [raster(offset=0)]}, {}, 0, "assets"),
        # STAC 1.1, as the Copernicus Data Space.
        ({"raster:scale": 1e-4, "raster:offset": -0.1}, {}, -1000, "assets"),
        ({"bands": [{"name": "B04", "raster:scale": 1e-4, "raster:offset": -0.1}]}, {}, -1000, ""),
        # The Planetary Computer tells only the baseline.
        ({}, {"s2__processing_baseline": "02.14"}, 0, "baseline 02.14"),
        ({}, {"s2__processing_baseline": "05.09"}, -1000, "baseline 05.09"),
        (
            {"raster:bands": [raster(offset=None)]},
            {"s2__processing_baseline": None, "processing__version": "04.00"},
            -1000,
            "baseline 04.00",
        ),
    ],
)
def test_golden_offset_of_an_item(assets, properties, offset, note):
    found = described(assets={"red": assets}, **properties)
    assert found.calibrations["B04"] == sentinel2_files.Calibration(10000, offset)
    assert note in found.notes[0]


def test_an_item_without_offset_and_baseline_is_refused():
    with pytest.raises(InputError, match="neither an offset of B04"):
        described(s2__processing_baseline=None)


def test_names_of_bands_of_catalogues():
    copernicus = {
        f"{band}_{pixel}m": "x" for band, pixel in (("B02", 10), ("B02", 20), ("SCL", 20))
    }
    older = {"B01": "x", "B8A": "x", "SCL": "x", "visual": "x", "blue-jp2": "x", "B10": "x"}
    for keys, expected in (
        (copernicus, {"B02": 10, "SCL": 20}),
        (older, {"B01": 60, "B8A": 20, "SCL": 20}),
        (hrefs(bands=(*BANDS, "SCL")), None),
    ):
        document = item({key: f"http://127.0.0.1/{key}.tif" for key in keys})
        files = describe_item(pystac.Item.from_dict(document)).files
        assert {b: f.pixel_m for b, f in files.items()} == expected or set(files) == {*BANDS, "SCL"}


def test_further_names_of_properties():
    found = described(
        view__sun_elevation=None,
        s2__mean_solar_zenith=35.5,
        grid__code=None,
        s2__mgrs_tile="24LVH",
        platform="Sentinel-2B",
        s2__product_uri=None,
        title="made by gossan",
    )
    assert found.sun_elevation_deg == 54.5
    assert (found.tile, found.spacecraft, found.synthetic) == ("24LVH", "Sentinel-2B", True)
    assert found.product_id == "S2A_23LLF_20240719_0_L2A"
    assert described(grid__code=None).tile == "23LLF"
    assert not described().synthetic


@pytest.mark.parametrize(
    ("properties", "match"),
    [
        ({"datetime": None}, "datetime"),
        ({"view__sun_elevation": None}, r"view:sun_elevation = None is no number"),
        ({"grid__code": "MGRS-?", "s2__product_uri": "x"}, "names no tile"),
        ({"s2__product_uri": product_name(level="L1C")}, "is Level-1C"),
        ({"s2__product_type": "S2MSI1C"}, "is Level-1C"),
        ({"s2__processing_baseline": "new"}, "processing baseline = new is no number"),
    ],
)
def test_bad_items_are_named(tmp_path, properties, match):
    write_cogs(tmp_path, numbers(5, bands=("B04",)))
    path = write_json(tmp_path / "item.json", item(hrefs(), **properties))
    with pytest.raises(InputError, match=match):
        open_product(path, ["B04"])


@pytest.mark.parametrize(
    ("assets", "match"),
    [
        ({"red": {"href": "s3://bucket/B04.tif"}}, "is no .tif or .jp2 on disk or behind http"),
        ({"red": {"href": "http://127.0.0.1/B04.vrt"}}, "is no .tif or .jp2"),
        ({"red": {"href": "/vsicurl/http://127.0.0.1/B04.tif"}}, "is no .tif or .jp2"),
        (
            {"red": {"raster:bands": [raster(scale=0)]}},
            "scale of B04 = 0 lies outside",
        ),
        ({"red": {"raster:bands": [raster(scale="x")]}}, "scale of B04 = x is no number"),
    ],
)
def test_bad_assets_are_named(assets, match):
    with pytest.raises(InputError, match=match):
        described(assets=assets)


def test_an_item_without_scene_classification_tells_no_cloud(tmp_path):
    write_cogs(tmp_path, numbers(5, bands=("B04",)))
    path = write_json(tmp_path / "item.json", item(hrefs(bands=("B04",))))
    with open_product(path, ["B04"]) as product:
        product.require_flags(["fill"])
        with pytest.raises(InputError, match="has no scene classification"):
            product.require_flags(["cloud"])
    path = write_json(tmp_path / "item.json", item(hrefs(), platform=None))
    with pytest.raises(InputError, match=r"spacecraft \(none\) is unknown"):
        open_product(path, ["B04"])


def test_an_asset_that_is_not_the_one_of_the_item_is_refused(tmp_path):
    """The checksum of STAC's file extension is a multihash: code, length and digest."""
    scl = np.full((24, 24), 5, np.uint8)
    red = np.full((48, 48), 3000, np.uint16)
    write_cogs(tmp_path, {"B04": red, "SCL": scl})
    told = item({"red": "B04.tif", "scl": "SCL.tif"})
    digest = hashlib.sha256((tmp_path / "B04.tif").read_bytes()).hexdigest()
    told["assets"]["red"]["file:checksum"] = f"1220{digest}"
    write_json(tmp_path / "item.json", told)
    with open_product(tmp_path / "item.json", ["B04"]) as product:
        assert product.bands.names == ("B04",)
    with (tmp_path / "B04.tif").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(InputError, match=r"B04\.tif: is not the file that the product was made"):
        open_product(tmp_path / "item.json", ["B04"])
