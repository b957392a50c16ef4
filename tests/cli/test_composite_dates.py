"""composite_dates: cube, looks and record from native Sentinel-2 dates, and from bad ones."""

import json
import shutil
import warnings

import geopandas
import numpy as np
import pytest
import rasterio
import sentinel2_products as products
from range_server import serve
from samples import run_command, run_tool
from shapely.geometry import box

from gossan.raster import read_info

DAYS = ("20240105", "20240404", "20240719", "20241002")
MASK = ("cloud", "cloud_shadow", "cirrus", "snow", "saturation")
CLOUD, SHADOW, SOIL = 9, 3, 5


@pytest.fixture
def images():
    """Four dates of 36 x 24 pixels: cloud and shadow here and there, one 20 m pixel ever cloudy."""
    dates = [products.numbers(seed) for seed in range(len(DAYS))]
    generator = np.random.default_rng(9)
    for date in dates:
        scl = date["SCL"]
        scl[generator.random(scl.shape) < 0.3] = CLOUD
        scl[generator.random(scl.shape) < 0.1] = SHADOW
        scl[3, 4] = CLOUD
    return dates


@pytest.fixture
def folder(tmp_path, images):
    write(tmp_path / "dates", images)
    return tmp_path


def write(parent, images, **options):
    for place, (day, date) in enumerate(zip(DAYS, images, strict=True)):
        spacecraft = "B" if place == 3 else "A"
        safe = products.write_safe(parent, date, day=day, spacecraft=spacecraft, **options)
        if place == 1:
            products.pack(safe)
            shutil.rmtree(safe)


def arguments(folder, output, *more):
    return (
        *("--sensor", "sentinel2", "--product", folder / "dates"),
        *("--cube", output / "cube.tif", "--looks", output / "looks.tif"),
        *("--record", output / "cube.json", "--threads", 2, "--resolution-m", 10),
        *("--normalisation", "clip", "--mask", *MASK, *more),
    )


def run(folder, *more, output=None):
    """Run the tool in this process: reflectance, looks and record."""
    output = output or folder / "out"
    done = run_tool("composite_dates", *arguments(folder, output, *more))
    assert done.returncode == 0, done.stderr
    with rasterio.open(output / "cube.tif") as dataset:
        stored = dataset.read()
    with rasterio.open(output / "looks.tif") as dataset:
        looks = dataset.read(1)
    values = np.where(stored == -32768, np.nan, stored * 1e-4)
    return values, looks, json.loads((output / "cube.json").read_text())


def expected_median(images, classes=(CLOUD, SHADOW), offset=-1000):
    """Median reflectance on the 10 m grid, looks, and the clear looks of each date."""
    values, clear = [], []
    for date in images:
        kept = ~np.isin(date["SCL"], classes).repeat(2, axis=0).repeat(2, axis=1)
        bands = []
        for band in products.BANDS:
            side = products.PIXEL_M[band] // 10
            bands.append(date[band].repeat(side, axis=0).repeat(side, axis=1))
        values.append(np.where(kept, (np.stack(bands) + float(offset)) / 10000, np.nan))
        clear.append(kept)
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        median = np.nanmedian(values, axis=0)
    return np.clip(median, 0, 1), np.sum(clear, axis=0), np.stack(clear)


def test_cube_looks_and_record(folder, images):
    values, looks, record = run(folder)
    median, count, clear = expected_median(images)
    np.testing.assert_allclose(values, median, atol=0.51e-4)
    np.testing.assert_array_equal(looks, count)
    assert (looks[6:8, 8:10] == 0).all()
    assert np.isnan(values[:, 6:8, 8:10]).all()

    info = read_info(folder / "out" / "cube.tif")
    assert (info.dtype, info.nodata, info.scale) == ("int16", -32768, 1e-4)
    assert info.bands.names == products.BANDS
    assert info.bands.centre_um[0] == 0.49273
    assert (info.grid.width, info.grid.height) == (36, 24)
    assert info.tags["SENSOR"] == "Sentinel-2A MSI"
    assert info.tags["ACQUIRED"] == "2024-04-04T13:12:49.024000Z"
    assert info.tags["ACQUIRED_LAST"] == "2024-10-02T13:12:49.024000Z"
    assert info.tags["SUN_ELEVATION_DEG"] == "54.5"
    assert (info.tags["ATMOSPHERE"], info.tags["NORMALISATION"]) == ("L2A", "clip")
    assert info.tags["SYNTHETIC"] == "no"
    assert info.tags["PRODUCT_ID"] == record["product_id"]
    assert read_info(folder / "out" / "looks.tif").dtype == "uint16"
    assert "4 looks" in (folder / "out" / "looks.qml").read_text()

    assert record["product_id"] == "median of 4 date(s), 2024-01-05 to 2024-10-02"
    assert record["spacecraft"] == "Sentinel-2A, Sentinel-2B"
    assert record["level"] == record["atmosphere"] == "L2A"
    assert record["acquired"] == info.tags["ACQUIRED"]
    assert record["synthetic"] is False
    assert record["pixels"] == {"total": 864, "observed": 864, "valid": int((count > 0).sum())}
    assert record["looks"]["pixels_by_count"] == np.bincount(count.ravel(), minlength=5).tolist()
    clouds = sum(4 * int((date["SCL"] == CLOUD).sum()) for date in images)
    assert record["masked"]["cloud"] == {
        "pixels": clouds,
        "share_of_observed": clouds / (4 * 864),
    }
    assert list(record["masked"]) == list(MASK)
    assert [date["acquired"][:10] for date in record["dates"]] == [
        f"{day[:4]}-{day[4:6]}-{day[6:]}" for day in DAYS
    ]
    for date, kept in zip(record["dates"], clear, strict=True):
        assert date["clear"] == kept.sum()
        assert date["clear_share"] == kept.mean()
    assert record["bands"][0] == {"name": "B02", "centre_um": 0.49273, "fwhm_um": 0.06426}
    assert any("Sentinel-2A and Sentinel-2B together" in note for note in record["notes"])
    assert any("pixels repeated to 10 m" in note for note in record["notes"])
    assert "subset" not in record


def test_baselines_with_and_without_offset_meet_on_one_scale(tmp_path):
    date = products.numbers(1)
    later = {name: image + (1000 if name != "SCL" else 0) for name, image in date.items()}
    parent = tmp_path / "dates"
    products.write_safe(parent, date, day="20200105", baseline="02.14", offsets=products.NO_OFFSETS)
    products.write_safe(parent, later, day="20240105")
    values, _, record = run(tmp_path)
    np.testing.assert_allclose(values[0], date["B02"] / 10000, atol=0.51e-4)
    assert record["collection"] == "02.14, 05.11"
    assert record["dates"][1]["notes"] == ["offset added to the stored numbers: -1000"]
    assert not any("offset" in note for note in record["notes"])


def test_bands_mask_window_and_resolution(folder, images):
    more = ("--bands", "B8A", "B04", "--mask", "cloud_shadow", "--window", 8, 4, 16, 12)
    values, looks, record = run(folder, *more)
    median, count, _ = expected_median(images, (SHADOW,))
    places = [products.BANDS.index(band) for band in ("B8A", "B04")]
    np.testing.assert_allclose(values, median[places, 4:16, 8:24], atol=0.51e-4)
    np.testing.assert_array_equal(looks, count[4:16, 8:24])
    assert record["subset"] == {"window": [8, 4, 16, 12]}
    assert read_info(folder / "out" / "cube.tif").grid.place(0, 0) == (600_080, 8_700_000)

    values, looks, record = run(folder, "--resolution-m", 20, "--bands", "B8A", "B04")
    np.testing.assert_array_equal(looks, expected_median(images)[1][::2, ::2])
    assert any("averaged by area to 20 m" in note for note in record["notes"])
    assert read_info(folder / "out" / "cube.tif").grid.transform.a == 20


def test_outside_of_the_polygon_is_nodata_in_cube_and_looks(folder, images):
    place = box(600_100, 8_699_900, 600_200, 8_700_000)
    place = place.difference(box(600_100, 8_699_950, 600_150, 8_700_000))
    geopandas.GeoSeries([place], crs=products.CRS).to_file(folder / "place.gpkg")
    values, looks, record = run(folder, "--polygon", folder / "place.gpkg")
    count = expected_median(images)[1][4:14, 10:20]
    assert (looks[:5, :5] == 65535).all()
    assert np.isnan(values[:, :5, :5]).all()
    np.testing.assert_array_equal(looks[5:], count[5:])
    assert sum(record["looks"]["pixels_by_count"]) == 75
    assert record["subset"] == {"window": [10, 4, 10, 10], "polygon": "place.gpkg"}


def test_blocks_and_threads_do_not_change_a_byte(folder):
    for name, more in {
        "first": ("--block-px", 16, "--threads", 1),
        "second": ("--block-px", 7, "--threads", 2),
        "third": (),
    }.items():
        run(folder, *more, output=folder / name)
    for output in ("cube.tif", "looks.tif", "looks.qml", "cube.json"):
        first = (folder / "first" / output).read_bytes()
        assert first == (folder / "second" / output).read_bytes(), output
        assert first == (folder / "third" / output).read_bytes(), output


def test_stac_over_http_gives_the_same_cube(folder, images):
    web = folder / "web"
    features = []
    for day, date in zip(DAYS, images, strict=True):
        products.write_cogs(web / day, date)
        spacecraft = "sentinel-2b" if day == DAYS[3] else "sentinel-2a"
        hrefs = {band: f"./{day}/{band}.tif" for band in date}
        features.append(products.item(hrefs, day=day, platform=spacecraft))
    (web / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    with serve(web) as server:
        more = ("--product", server.url("items.json"))
        values, looks, record = run(folder, *more, output=folder / "remote")
        assert server.log
    local, local_looks, _ = run(folder)
    np.testing.assert_array_equal(values, local)
    np.testing.assert_array_equal(looks, local_looks)
    assert len(record["dates"]) == 4


def cover(images):
    for date in images:
        date["SCL"][:] = CLOUD


def blacken(images):
    for date in images:
        date["SCL"][:] = 0


@pytest.mark.parametrize(
    ("change", "more", "message"),
    [
        (cover, (), "mask every pixel on every date; add dates, use fewer flags"),
        (blacken, (), "all pixels are nodata; choose other dates or another part"),
        (lambda images: images[2].pop("SCL"), (), "has no scene classification (SCL)"),
        (None, ("--mask", "fog"), "mask flag 'fog' is unknown"),
        (None, ("--bands", "B02", "B99"), "B99"),
        (None, ("--ndvi-max", 2), "ndvi-max 2 is no NDVI"),
        (None, ("--ndvi-max", -1), "mask every pixel on every date"),
        (None, ("--window", 30, 0, 10, 10), "reaches outside"),
        (None, ("--product", "nowhere"), "nowhere: does not exist"),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(tmp_path, images, change, more, message):
    if change:
        change(images)
    write(tmp_path / "dates", images)
    output = tmp_path / "out"
    done = run_tool("composite_dates", *arguments(tmp_path, output, *more))
    assert done.returncode == 1
    assert message in done.stderr
    assert not output.exists() or not list(output.iterdir())


def test_a_date_of_the_tile_in_another_system_is_refused(folder, images):
    products.write_safe(folder / "dates", images[0], day="20241111", crs="EPSG:32722")
    done = run_tool("composite_dates", *arguments(folder, folder / "out"))
    assert done.returncode == 1
    assert "20241111" in done.stderr
    assert "reference system EPSG:32722" in done.stderr


def write_tiles(folder, images, names=("23LLF", "23LMF"), width=24, step=12):
    """The same ground cut into two tiles that overlap, each day in both; widths in 10 m pixels."""
    west, north = products.CORNER_M
    for day, date in zip(DAYS, images, strict=True):
        for place, tile in enumerate(names):
            cut = {}
            for band, values in date.items():
                side = products.PIXEL_M[band] // 10
                first = place * step // side
                cut[band] = values[:, first : first + width // side]
            corner = (west + 10 * place * step, north)
            products.write_safe(folder, cut, day=day, tile=tile, corner=corner)


def test_tiles_that_overlap_make_the_composite_of_the_whole_ground(tmp_path, images):
    write_tiles(tmp_path / "dates", images)
    tiles, tile_looks, record = run(tmp_path, output=tmp_path / "tiles")
    for place, day in enumerate(DAYS):
        products.write_safe(tmp_path / "one" / "dates", images[place], day=day)
    whole, looks, one = run(tmp_path / "one")
    np.testing.assert_array_equal(tiles, whole)
    # Each date once, also where both tiles have it.
    np.testing.assert_array_equal(tile_looks, looks)
    assert record["looks"] == one["looks"]
    assert [date["tiles"] for date in record["dates"]] == [["23LLF", "23LMF"]] * 4
    assert all(len(date["products"]) == 2 for date in record["dates"])
    assert "tiles 23LLF, 23LMF on one grid of EPSG:32723" in " ".join(record["notes"])
    assert "0 of the 4 dates cover one tile only" in " ".join(record["notes"])
    # A record of one tile speaks of none.
    assert "tiles" not in json.dumps(one)


def test_dates_that_cover_one_tile_only_count_there_alone_and_are_told(tmp_path, images):
    write_tiles(tmp_path / "dates", images)
    for tile, day in (("23LMF", DAYS[0]), ("23LLF", DAYS[2])):
        shutil.rmtree(next((tmp_path / "dates").glob(f"*{day}*_T{tile}_*")))
    values, looks, record = run(tmp_path)
    cut = [{band: image.copy() for band, image in date.items()} for date in images]
    cut[0]["SCL"][:, 12:] = CLOUD
    cut[2]["SCL"][:, :6] = CLOUD
    median, count, _ = expected_median(cut)
    np.testing.assert_allclose(values, median, atol=0.51e-4)
    np.testing.assert_array_equal(looks, count)
    assert "2 of the 4 dates cover one tile only" in " ".join(record["notes"])
    assert [len(date["tiles"]) for date in record["dates"]] == [1, 2, 1, 2]


def test_the_tool_runs_as_a_command(folder):
    done = run_command("composite_dates", *arguments(folder, folder / "out"))
    assert done.returncode == 0, done.stderr
    done = run_command("composite_dates", *arguments(folder, folder, "--mask", "fog"))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: mask flag 'fog'")


def test_one_date_is_the_cube_that_preprocessing_makes_of_it(tmp_path, images):
    safe = products.write_safe(tmp_path / "dates", images[0], day=DAYS[0])
    values, looks, record = run(tmp_path, "--normalisation", "none")
    cube, told = tmp_path / "single.tif", tmp_path / "single.json"
    done = run_tool(
        *("preprocess_scene", "--sensor", "sentinel2", "--product", safe, "--atmosphere", "none"),
        *("--normalisation", "none", "--mask", *MASK, "--cube", cube, "--record", told),
    )
    assert done.returncode == 0, done.stderr
    assert cube.read_bytes() == (tmp_path / "out" / "cube.tif").read_bytes()
    single = json.loads(told.read_text())
    assert {key: value for key, value in record.items() if key not in ("looks", "dates")} == single
    np.testing.assert_array_equal(looks, np.isfinite(values[0]))
    assert "acquired_first" not in record


def test_no_normalisation_keeps_what_lies_below_0(folder, images):
    for date in images:
        date["B02"][:4, :4] = 900
        date["SCL"][:2, :2] = SOIL
    shutil.rmtree(folder / "dates")
    write(folder / "dates", images)
    values, _, record = run(folder, "--normalisation", "none")
    np.testing.assert_allclose(values[0, :4, :4], -0.01)
    assert record["normalisation"] == "none"
    assert record["stages"][0]["stage"] == "surface"
    assert set(record["beyond_cube_range"].values()) == {0}


def test_plants_of_the_median_are_left_out_also_where_the_cube_lacks_their_bands(folder, images):
    more = ("--ndvi-max", 0.1, "--bands", "B11", "B12", "--normalisation", "none")
    values, looks, record = run(folder, *more)
    median, count, _ = expected_median(images)
    red, infrared = (median[products.BANDS.index(band)] for band in ("B04", "B08"))
    with np.errstate(invalid="ignore"):
        plants = (infrared - red) / (infrared + red) > 0.1
    assert 0.05 < plants.mean() < 0.95
    assert read_info(folder / "out" / "cube.tif").bands.names == ("B11", "B12")
    np.testing.assert_array_equal(np.isnan(values), np.stack([plants | (count == 0)] * 2))
    np.testing.assert_array_equal(looks, count)
    assert record["ndvi_max"] == 0.1
    assert record["masked"]["vegetation"] == {
        "pixels": plants.sum(),
        "share_of_observed": plants.sum() / 864,
    }
    assert record["pixels"]["valid"] == ((count > 0) & ~plants).sum()


@pytest.mark.parametrize("tool", ["composite_dates", "preprocess_scene"])
def test_an_offset_that_was_applied_before_is_doubted(tmp_path, tool):
    """Numbers of dark ground, harmonised already, and a catalogue that denies it."""
    images = products.numbers()
    told = {"earthsearch__boa_offset_applied": False}
    for name, lowest in (("doubted", 100), ("plain", 1200)):
        folder = tmp_path / name
        dark = {
            band: values if band == "SCL" else values - 1200 + lowest
            for band, values in images.items()
        }
        products.write_cogs(folder, dark)
        item = products.item({band: f"./{band}.tif" for band in dark}, **told)
        (folder / "item.json").write_text(json.dumps(item))
        output = folder / "out"
        given = arguments(folder, output)
        given = [folder / "item.json" if one == folder / "dates" else one for one in given]
        if tool == "preprocess_scene":
            given = [*given, "--atmosphere", "none"]
            for flag in ("--looks", "--resolution-m"):
                place = given.index(flag)
                del given[place : place + 2]
        done = run_tool(tool, *given)
        assert done.returncode == 0, done.stderr
        record = (output / "cube.json").read_text()
        assert ("of the clear looks are below -0.05" in record) == (name == "doubted")
        assert ("boa_offset_applied" in record) == (name == "doubted")


def test_a_band_without_numbers_on_any_date_leaves_the_composite(tmp_path):
    images = [products.numbers(seed) for seed in range(len(DAYS))]
    for date in images:
        date["B12"][:] = 0
    write(tmp_path / "dates", images)
    values, _, record = run(tmp_path)
    assert [band["name"] for band in record["bands"]] == [
        band for band in products.BANDS if band != "B12"
    ]
    assert np.isfinite(values).all()
    assert "bands B12: no valid number in any pixel, left out" in record["notes"]
