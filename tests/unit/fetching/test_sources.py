"""Each source is searched and its files are had, from archives on loopback that play it."""

import hashlib
import json
import logging
import random
import time

import landsat_products
import numpy as np
import pytest
import rasterio
import sentinel2_products
from archives import (
    Answer,
    archive,
    as_json,
    guard,
    play_arcgis,
    play_cmr,
    play_m2m,
    play_odata,
    play_signing,
    play_stac,
    redirect,
)
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.fetching.logins import is_own
from gossan.fetching.sources import bring, resolve, write_items
from gossan.fetching.transfer import alone, part_aside
from gossan.fetching.web import Web
from gossan.product_lock import search_of
from gossan.products import landsat
from gossan.products.sentinel2 import open_dates

TIFF = b"II*\0" + random.Random(1).randbytes(20_000)
TOKEN = "eyJ0eXAi.that-nobody-else.may-see"


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch, tmp_path):
    for name in ("EARTHDATA_TOKEN", "USGS_M2M_USER", "USGS_M2M_TOKEN", "CDSE_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))


@pytest.fixture
def server():
    with archive() as server:
        yield server


@pytest.fixture
def store():
    """Another host: what an archive redirects to."""
    with archive() as store:
        yield store


def web():
    return Web(3, lambda _: None)


def fetch(entry, folder):
    locked = json.loads(json.dumps(resolve(entry, web())))
    return locked, bring("any", locked, folder, web())


# ---- STAC, with signatures -------------------------------------------------------------------


def stac_item(store, name, assets):
    hrefs = {key: {"href": store.url(f"/{name}/{key}.tif")} for key in assets}
    store.files |= {f"/{name}/{key}.tif": TIFF for key in assets}
    return {"id": name, "collection": "aster-l1t", "properties": {}, "assets": hrefs}


def stac_entry(server, **more):
    api = {"source": "stac", "api": server.url("/stac"), "collection": "aster-l1t"}
    return {**api, "assets": ["VNIR", "SWIR"], **more}


def test_the_assets_of_an_item_are_signed_late_and_one_by_one(server, store, tmp_path):
    play_stac(server, [stac_item(store, n, ("VNIR", "SWIR", "TIR")) for n in ("a-1", "a-2")])
    signed = play_signing(server, store, ["/a-2/VNIR.tif", "/a-2/SWIR.tif"])
    signed["expired"] = 1
    entry = stac_entry(server, id="a-2", sign="sas", sign_api=server.url("/sas/sign"))
    locked, files = fetch(entry, tmp_path)
    assert [path.name for path in sorted(tmp_path.glob("*.tif"))] == ["SWIR.tif", "VNIR.tif"]
    assert signed["signed"] == 3  # the first signature had expired
    assert "sig=" not in json.dumps(locked)
    assert files["VNIR.tif"]["sha256"] == hashlib.sha256(TIFF).hexdigest()


def test_a_search_goes_through_all_its_pages(server, store):
    play_stac(server, [stac_item(store, f"a-{n}", ("VNIR", "SWIR")) for n in range(5)], page=2)
    locked = resolve(stac_entry(server, datetime="2002-01-01/2002-12-31"), web())
    assert locked["items"] == [f"a-{n}" for n in range(5)]
    assert len({file["name"] for file in locked["files"]}) == 10


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"id": "b"}, r"b: .*/stac finds nothing of it"),
        ({"id": "a-*"}, r"a-\*: .*/stac finds 2: a-1, a-2; name one of them as id"),
        ({"id": "a-1", "assets": ["TIR"]}, r"a-1: has no asset 'TIR'; it has VNIR, SWIR"),
        ({"id": "a-1", "api": "http://127.0.0.1:9/stac"}, "does not answer after 3 attempts"),
    ],
)
def test_a_search_that_finds_nothing_or_too_much_says_so(server, store, change, told):
    play_stac(server, [stac_item(store, name, ("VNIR", "SWIR")) for name in ("a-1", "a-2")])
    with pytest.raises(InputError, match=told):
        resolve(stac_entry(server, **change), web())


# ---- windows of an area ----------------------------------------------------------------------


def write_area(path, west, south, east, north):
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    area = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "geometry": area, "properties": {}}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))


DAYS = ("20200716", "20200905")
KEYS = {"red": "B04", "nir": "B08", "swir16": "B11", "scl": "SCL"}


def make_dates(server, folder, size=(240, 240), days=DAYS):
    """COGs of some dates, so many pixels of 60 m across and down, and their items."""
    items = []
    for day in days:
        images = sentinel2_products.numbers(int(day), size, ("B04", "B08", "B11"))
        sentinel2_products.write_cogs(folder / day, images)
        hrefs = {}
        for key, band in KEYS.items():
            path = f"/{day}/{band}.tif"
            server.files[path] = (folder / day / f"{band}.tif").read_bytes()
            hrefs[key] = server.url(path)
        item = sentinel2_products.item(hrefs, day=day)
        items.append({**item, "collection": "sentinel-2-l2a"})
    return items


def window_entry(server, area, **more):
    search = {"api": server.url("/stac"), "collection": "sentinel-2-l2a", "assets": list(KEYS)}
    when = {"datetime": "2020-01-01/2020-12-31"}
    return {"source": "stac", **search, **when, "window_of": str(area), **more}


def area_of(path, left=3000, top=3000, side=600):
    """An area of some hundred metres within the tile, as degrees."""
    west, north = sentinel2_products.CORNER_M[0] + left, sentinel2_products.CORNER_M[1] - top
    bounds = transform_bounds(
        sentinel2_products.CRS, "EPSG:4326", west, north - side, west + side, north
    )
    write_area(path, *bounds)
    return path


def test_of_dates_only_the_part_around_an_area_is_read_and_is_a_product(server, tmp_path):
    play_stac(server, make_dates(server, tmp_path / "tiles"))
    area = area_of(tmp_path / "area.geojson")
    locked, files = fetch(window_entry(server, area), tmp_path / "cache")
    assert locked["product"] == "items.json" and len(files) == 8
    whole = sum(map(len, server.files.values()))
    assert server.sent(".tif") < 0.15 * whole, (server.sent(".tif"), whole)
    write_items(locked, tmp_path / "cache/items.json")
    dates = open_dates(tmp_path / "cache/items.json", ["B04", "B08", "B11"], 20)
    for date, day in zip(dates, DAYS, strict=True):
        grid = date.grid
        part = date.read_reflectance(Window(0, 0, grid.width, grid.height))
        assert part.shape[0] == 3 and 30 <= grid.width <= 40
        # The same numbers as in the whole image, at the same place.
        left, top = grid.transform.c - sentinel2_products.CORNER_M[0], grid.transform.f
        row = round((sentinel2_products.CORNER_M[1] - top) / 20)
        column = round(left / 20)
        with rasterio.open(tmp_path / "tiles" / day / "B11.tif") as image:
            stored = image.read(1, window=Window(column, row, grid.width, grid.height))
        np.testing.assert_allclose(part[2], (stored - 1000.0) / 10000, atol=1e-6)
        date.close()


@pytest.mark.slow
def test_of_a_whole_tile_an_area_of_fifteen_kilometres_costs_few_bytes(server, tmp_path):
    play_stac(server, make_dates(server, tmp_path / "tiles", (1830, 1830), DAYS[:1]))
    area = area_of(tmp_path / "area.geojson", left=40_000, top=40_000, side=15_000)
    started = time.process_time()
    _, files = fetch(window_entry(server, area), tmp_path / "cache")
    whole, sent = sum(map(len, server.files.values())), server.sent(".tif")
    kept = sum(file["size"] for file in files.values())
    print(
        f"{len(files)} images of {whole / 1e6:.0f} MB: {sent / 1e6:.1f} MB sent, {kept / 1e6:.1f} "
        f"MB kept, {len(server.log)} requests, {time.process_time() - started:.1f} s of CPU"
    )
    assert sent < 0.05 * whole


def test_an_area_elsewhere_is_told(server, tmp_path):
    play_stac(server, make_dates(server, tmp_path / "tiles", (20, 20)))
    area = area_of(tmp_path / "area.geojson", left=90_000)
    with pytest.raises(InputError, match="does not reach the area; correct window_of"):
        fetch(window_entry(server, area), tmp_path / "cache")


def test_another_area_is_another_search(server, tmp_path):
    area = area_of(tmp_path / "area.geojson")
    entry = window_entry(server, area)
    before = search_of(entry)
    area_of(area, side=900)
    assert search_of(entry) != before


def test_landsat_windows_are_a_product_with_their_metadata(server, tmp_path):
    name = landsat_products.product_name(level="L2SP")
    numbers = np.random.default_rng(1).integers(8000, 20000, (7, 150, 200), "uint16")
    folder = landsat_products.write_product(tmp_path, numbers, level="L2SP")
    hrefs = {}
    for path in sorted(folder.iterdir()):
        server.files[f"/{path.name}"] = path.read_bytes()
        hrefs[path.name] = {"href": server.url(f"/{path.name}")}
    item = {"id": name, "collection": "landsat-c2-l2", "properties": {}, "assets": hrefs}
    play_stac(server, [item])
    with landsat.open_product(folder, None) as product:
        grid = product.grid
        west, north = grid.transform.c + 1500, grid.transform.f - 1500
        bounds = transform_bounds(grid.crs, "EPSG:4326", west, north - 600, west + 600, north)
        write_area(tmp_path / "area.geojson", *bounds)
        entry = window_entry(server, tmp_path / "area.geojson", collection="landsat-c2-l2")
        _, files = fetch({**entry, "id": name, "assets": list(hrefs)}, tmp_path / "cache")
        with landsat.open_product(tmp_path / "cache", None) as part:
            column = round((part.grid.transform.c - grid.transform.c) / 30)
            row = round((grid.transform.f - part.grid.transform.f) / 30)
            window = Window(column, row, part.grid.width, part.grid.height)
            whole = product.read_reflectance(window)
            window = Window(0, 0, part.grid.width, part.grid.height)
            np.testing.assert_array_equal(part.read_reflectance(window), whole)
    assert files and part.grid.width < 30


# ---- CMR, with a redirect to another host ----------------------------------------------------

STAMP = "20230808T173953_2322012_011"


def play_emit(server, store, token=TOKEN):
    names = {
        "EMITL2ARFL": f"EMIT_L2A_RFL_002_{STAMP}",
        "EMITL2AMASK": f"EMIT_L2A_MASK_002_{STAMP}",
    }
    granules = {}
    for short, name in names.items():
        store.files[f"/{name}.nc"] = b"\x89HDF\r\n\x1a\n" + name.encode() * 999
        guard(server, f"/{name}.nc", token, lambda n=name: redirect(store.url(f"/{n}.nc?sig=s")))
        granules[short] = {name: {f"{name}.nc": f"/{name}.nc"}}
    play_cmr(server, granules, store, lambda file: server.url(f"/{file}"))


def emit_entry(server, **more):
    return {
        "source": "cmr",
        "api": server.url("/cmr"),
        "short_name": "EMITL2ARFL",
        "id": "EMIT_L2A_RFL_00?_20230808T173953_*".replace("?", "2"),
        "beside": {"short_name": "EMITL2AMASK"},
        "hosts": [server.host],
        "page": "https://urs.earthdata.nasa.gov",
        **more,
    }


def test_emit_comes_with_its_mask_of_another_collection(server, store, tmp_path, monkeypatch):
    monkeypatch.setenv("EARTHDATA_TOKEN", TOKEN)
    play_emit(server, store)
    locked, files = fetch(emit_entry(server), tmp_path)
    assert locked["product"] == f"EMIT_L2A_RFL_002_{STAMP}.nc"
    assert sorted(files) == [f"EMIT_L2A_{k}_002_{STAMP}.nc" for k in ("MASK", "RFL")]


def test_a_token_reaches_its_own_host_and_nobody_else(server, store, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("EARTHDATA_TOKEN", TOKEN)
    play_emit(server, store)
    locked, files = fetch(emit_entry(server), tmp_path)
    assert TOKEN in server.texts()
    assert TOKEN not in store.texts()
    told = [caplog.text, json.dumps(locked), repr(files)]
    told += [path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert all(TOKEN not in text and "sig=" not in text for text in told)


def test_a_lock_that_names_another_host_gets_no_token(server, store, tmp_path, monkeypatch):
    monkeypatch.setenv("EARTHDATA_TOKEN", TOKEN)
    play_emit(server, store)
    locked = resolve(emit_entry(server), web())
    locked["files"][0]["url"] = store.url("/elsewhere.nc")
    with pytest.raises(InputError, match="which is no host of the account earthdata"):
        bring("any", locked, tmp_path, web())
    assert TOKEN not in store.texts()


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("https://data.lpdaac.earthdatacloud.nasa.gov/a", True),
        ("http://data.lpdaac.earthdatacloud.nasa.gov/a", False),
        ("https://earthdatacloud.nasa.gov.evil.example/a", False),
        ("https://evilearthdatacloud.nasa.gov/a", False),
        ("https://user@evil.example/x.earthdatacloud.nasa.gov", False),
    ],
)
def test_an_own_host_is_told_by_its_whole_name_and_behind_tls(url, own):
    assert is_own(url, (".earthdatacloud.nasa.gov",)) == own


def test_an_account_that_is_not_there_is_asked_for_by_its_variable_and_page(
    server, store, tmp_path
):
    play_emit(server, store)
    locked = resolve(emit_entry(server), web())
    with pytest.raises(InputError, match=r"EARTHDATA_TOKEN: not set; get it at https://urs"):
        bring("any", locked, tmp_path, web())
    assert not list(tmp_path.glob("*.nc"))


def test_a_token_may_stand_in_netrc(server, store, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine urs.earthdata.nasa.gov login me password {TOKEN}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    play_emit(server, store)
    _, files = fetch(emit_entry(server), tmp_path / "cache")
    assert len(files) == 2 and TOKEN not in store.texts()


def test_a_password_in_netrc_is_not_sent_as_a_token(server, store, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine urs.earthdata.nasa.gov login me password my-own.secret.word\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    play_emit(server, store)
    with pytest.raises(InputError, match=r"^~/.netrc: the password .* is no token, and"):
        fetch(emit_entry(server), tmp_path / "cache")
    assert "my-own" not in server.texts() + store.texts()


def test_terms_that_are_not_accepted_are_told_with_their_page(server, store, tmp_path, monkeypatch):
    monkeypatch.setenv("EARTHDATA_TOKEN", "of-somebody-else")
    play_emit(server, store)
    locked = resolve(emit_entry(server), web())
    with pytest.raises(InputError, match=r"accept the terms of the data: https://urs"):
        bring("any", locked, tmp_path, web())


def test_a_form_to_sign_in_is_no_product(server, store, tmp_path):
    server.files["/form"] = b"<!DOCTYPE html><html>CAS login</html>"
    server.files["/file.tif"] = TIFF
    locked = resolve({"source": "http", "url": server.url("/file.tif"), "page": "PAGE"}, web())
    server.routes["/file.tif"] = lambda request: redirect(server.url("/form?service=x"))
    with pytest.raises(InputError, match="a web page came in its place"):
        bring("any", locked, tmp_path, web())
    assert not (tmp_path / "file.tif").exists()
    with pytest.raises(InputError, match="a web page came in its place"):
        resolve({"source": "http", "url": server.url("/file.tif")}, web())


# ---- M2M -------------------------------------------------------------------------------------

SCENE = "LC08_L1TP_149035_20240719_20240723_02_T1"
TAR = bytes(257) + b"ustar" + bytes(9000)


def m2m_entry(server, **more):
    return {
        **{"source": "m2m", "api": server.url("/m2m"), "dataset": "landsat_ot_c2_l1"},
        **{"id": "LC08_L1TP_149035_20240719_*_02_T1", "hosts": [server.host], **more},
    }


def test_landsat_comes_from_the_usgs_by_token_and_request(server, store, tmp_path, monkeypatch):
    monkeypatch.setenv("USGS_M2M_USER", "me")
    monkeypatch.setenv("USGS_M2M_TOKEN", TOKEN)
    store.files["/landsat"] = TAR
    play_m2m(server, "/landsat", SCENE, TOKEN, store)
    locked, files = fetch(m2m_entry(server), tmp_path)
    assert locked["product"] == f"{SCENE}.tar" and locked["items"] == [SCENE]
    assert (tmp_path / f"{SCENE}.tar").read_bytes() == TAR
    assert "key-" not in store.texts() and TOKEN not in store.texts()
    assert "signature" not in json.dumps(locked) + repr(files)
    day = server.asked("/m2m/scene-search")[0].json["sceneFilter"]["acquisitionFilter"]
    assert day == {"start": "2024-07-19", "end": "2024-07-19"}


def test_without_access_to_the_usgs_one_is_told_where_to_ask(server, store, monkeypatch):
    monkeypatch.setenv("USGS_M2M_USER", "me")
    with pytest.raises(InputError, match=r"^USGS_M2M_TOKEN: not set; get it at https://ers"):
        resolve(m2m_entry(server), web())
    monkeypatch.setenv("USGS_M2M_TOKEN", "wrong")
    store.files["/landsat"] = TAR
    play_m2m(server, "/landsat", SCENE, TOKEN, store)
    with pytest.raises(InputError, match=r"HTTP 401.*renew the token"):
        resolve(m2m_entry(server), web())


def test_a_token_is_not_sent_to_a_service_that_is_not_its_own(server, monkeypatch):
    monkeypatch.setenv("USGS_M2M_USER", "me")
    monkeypatch.setenv("USGS_M2M_TOKEN", TOKEN)
    server.routes["/m2m/login-token"] = lambda request: as_json({"data": "key"})
    with pytest.raises(InputError, match="is no host of this account"):
        resolve(m2m_entry(server, hosts=[]), web())
    assert not server.log


# ---- OData -----------------------------------------------------------------------------------


def test_sentinel2_comes_from_copernicus_with_a_token_that_lasts_minutes(
    server, tmp_path, monkeypatch
):
    monkeypatch.setenv("CDSE_USER", "me@example.org")
    monkeypatch.setenv("CDSE_PASSWORD", TOKEN)
    name = "S2A_MSIL2A_20200716T131251_N0500_R138_T23LQE_20230501T000000"
    server.files["/zipper"] = b"PK\x03\x04" + bytes(5000)
    state = play_odata(server, name, "/zipper", ("me@example.org", TOKEN))
    entry = {
        **{"source": "odata", "api": server.url("/odata"), "sign_api": server.url("/token")},
        **{"id": "S2A_MSIL2A_20200716T131251_*_T23LQE_*", "hosts": [server.host]},
    }
    locked, _ = fetch(entry, tmp_path)
    assert locked["files"][0]["checksum"].startswith("md5:")
    assert (tmp_path / f"{name}.zip").exists() and state["tokens"] == 1
    for whole in (name, f"{name}.SAFE"):
        assert resolve({**entry, "id": whole}, web())["items"] == [f"{name}.SAFE"]
    # Parts of the name that stand in another order, or do not reach to its end, are not its name.
    for other in ("S2A_*_T99XXX_*", "S2A_*_T23LQE_*_R138_*", "S2A_MSIL2A_20200716T131251", "A_*"):
        with pytest.raises(InputError, match="finds nothing of it"):
            resolve({**entry, "id": other}, web())
    others = [{"Name": f"S2A_{number}.SAFE"} for number in range(100)]
    server.routes["/odata/Products"] = lambda request: as_json(
        {"value": others[: int(request.query["$top"])]}
    )
    with pytest.raises(InputError, match="the catalogue's first 100 are other products"):
        resolve({**entry, "id": "S2A_*_T99XXX_*"}, web())


# ---- ArcGIS ----------------------------------------------------------------------------------


def arcgis_entry(server, **more):
    url = server.url("/layer/0")
    return {"source": "arcgis", "url": url, "bbox": [-43.0, -15.0, -41.5, -13.5], **more}


def test_a_layer_without_pages_comes_whole_box_by_box(server, tmp_path):
    luck = random.Random(2)
    points = {n: (luck.uniform(-43, -41.5), luck.uniform(-15, -13.5)) for n in range(1, 200)}
    play_arcgis(server, points, most=20)
    locked, files = fetch(arcgis_entry(server), tmp_path)
    told = json.loads(files["features.geojson"]["path"].read_text())
    assert [feature["id"] for feature in told["features"]] == sorted(points)
    first = files["features.geojson"]["path"].read_bytes()
    bring("any", locked, tmp_path / "again", web())
    assert (tmp_path / "again/features.geojson").read_bytes() == first


def test_features_are_marked_by_conditions(server, tmp_path):
    play_arcgis(server, dict.fromkeys((1, 2, 3), (-42.0, -14.0)), most=20)
    _, files = fetch(arcgis_entry(server, marks={"late": "OBJECTID >= 2"}), tmp_path)
    told = json.loads(files["features.geojson"]["path"].read_text())["features"]
    assert [feature["properties"]["late"] for feature in told] == ["no", "yes", "yes"]


def test_two_runs_do_not_write_one_layer(server, tmp_path):
    play_arcgis(server, {1: (-42.0, -14.0)}, most=20)
    locked = resolve(arcgis_entry(server), web())
    with (
        alone(part_aside(tmp_path / "features.geojson")),
        pytest.raises(InputError, match="another run is bringing this file"),
    ):
        bring("any", locked, tmp_path, web())
    bring("any", locked, tmp_path, web())
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] == ".") == []


def test_a_layer_that_has_changed_is_an_error_against_the_lock(server, tmp_path):
    points = {1: (-42.0, -14.0)}
    play_arcgis(server, points, most=20)
    locked = resolve(arcgis_entry(server), web())
    points[2] = (-42.5, -14.5)
    with pytest.raises(InputError, match=r"has other features now \(2\).*\(1\); resolve it again"):
        bring("any", locked, tmp_path, web())
    with pytest.raises(InputError, match="Invalid query; mend where"):
        resolve(arcgis_entry(server, where="1=2"), web())


# ---- by hand, and off line -------------------------------------------------------------------


def test_what_was_put_there_by_hand_counts_once_it_fits_the_lock(server, tmp_path):
    server.files["/file.tif"] = TIFF
    entry = {"source": "http", "url": server.url("/file.tif"), "page": "PAGE"}
    entry["sha256"] = hashlib.sha256(TIFF).hexdigest()
    locked = resolve(entry, web())
    with pytest.raises(InputError, match=r"lacks file.tif; set fetch.run to true, or put it there"):
        bring("any", locked, tmp_path, None)
    (tmp_path / "file.tif").write_bytes(b"II*\0" + bytes(len(TIFF) - 4))
    with pytest.raises(InputError, match=r"its checksum \(sha256\) is not the one due; remove"):
        bring("any", locked, tmp_path, None)
    (tmp_path / "file.tif").write_bytes(TIFF)
    sent = server.sent()
    assert bring("any", locked, tmp_path, None)["file.tif"]["size"] == len(TIFF)
    assert server.sent() == sent


def test_a_product_that_a_person_must_fetch_is_told_and_checked(tmp_path):
    entry = {"source": "manual", "file": "PRS_L2D_STD_*.he5", "page": "https://prisma.asi.it"}
    locked = resolve(entry, web())
    with pytest.raises(InputError, match=r"lacks PRS_L2D_STD_\*.he5; get it at https://prisma"):
        bring("any", locked, tmp_path, web())
    (tmp_path / "PRS_L2D_STD_20200101_0001.he5").write_bytes(b"<html>Sign in")
    with pytest.raises(InputError, match="a web page came in its place"):
        bring("any", locked, tmp_path, web())
    (tmp_path / "PRS_L2D_STD_20200101_0001.he5").write_bytes(b"\x89HDF\r\n\x1a\n")
    assert bring("any", locked, tmp_path, web())


def test_a_changed_archive_is_an_error_and_no_new_product(server, tmp_path):
    server.files["/file.tif"] = TIFF
    locked = resolve({"source": "http", "url": server.url("/file.tif")}, web())
    server.files["/file.tif"] = TIFF + b"more"
    with pytest.raises(InputError, match="are due; the archive has changed it: resolve"):
        bring("any", locked, tmp_path, web())
    server.routes["/file.tif"] = lambda request: Answer(b"", 410)
    with pytest.raises(InputError, match="no longer there: resolve it again"):
        bring("any", locked, tmp_path, web())


@pytest.mark.parametrize("name", ["../../evil.tif", "a/b.tif", ".hidden", ".."])
def test_a_name_that_leads_elsewhere_is_refused(server, store, name):
    item = stac_item(store, "a-1", ("VNIR", "SWIR"))
    item["assets"]["VNIR"]["href"] = store.url(f"/{name.replace('/', '%2F')}")
    play_stac(server, [item])
    if name in ("../../evil.tif", "a/b.tif"):
        # Of a path only the last part is a name.
        locked = resolve(stac_entry(server, id="a-1"), web())
        assert all("/" not in file["name"] for file in locked["files"])
        return
    with pytest.raises(InputError, match="is no name for a file"):
        resolve(stac_entry(server, id="a-1"), web())


def test_a_redirect_that_leaves_tls_is_refused(monkeypatch):
    class Redirecting:
        status_code, url = 302, "https://archive.example/file"
        headers = {"Location": "http://archive.example/file"}  # noqa: RUF012

        def close(self):
            pass

    asked = web()
    monkeypatch.setattr(asked._session, "request", lambda *_, **__: Redirecting())
    with (
        pytest.raises(InputError, match="leads to an address without TLS; refused"),
        asked.open("https://archive.example/file?sig=x"),
    ):
        pass


def test_a_search_of_an_area_asks_for_its_place(server, tmp_path):
    play_stac(server, make_dates(server, tmp_path / "tiles", (20, 20)))
    area = area_of(tmp_path / "area.geojson", left=300, top=300)
    resolve(window_entry(server, area), web())
    west, south, east, north = server.asked("/stac/search")[0].json["bbox"]
    assert -180 < west < east < 180 and -90 < south < north < 90
