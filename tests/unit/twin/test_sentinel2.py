"""The twin as Sentinel-2 dates: native layout, numbers, clouds, metadata, determinism."""

import zipfile
from datetime import UTC, datetime
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.legend import read_classes
from gossan.library.readers import read_library
from gossan.products.sentinel2 import BANDS, open_dates, open_product
from gossan.products.sun import sun_position
from gossan.raster import Grid
from gossan.twin import iron, sentinel2

SIZE = 144
WHOLE = Window(0, 0, SIZE, SIZE)
VECTORS = ("mines", "ore_points", "geology", "claims", "occurrences")
STYLED = ("truth", "iron_truth")


@pytest.fixture(scope="module")
def tables(root):
    static = root / "resources" / "static"
    return {
        "library": read_library(static / "analytic_library.csv"),
        "covers": read_classes(static / "covers.csv"),
        "iron": read_classes(static / "iron.csv"),
    }


@pytest.fixture(scope="module")
def write(tables):
    def make(folder: Path, **options) -> Path:
        settings = {"seed": 42, "size_px": SIZE, "dates": 3, "difficulty": 1.0, "block_px": 48}
        sentinel2.write_sentinel2(folder, **(tables | settings | options))
        return folder

    return make


@pytest.fixture(scope="module")
def twin(write, tmp_path_factory):
    return write(tmp_path_factory.mktemp("twin"))


@pytest.fixture(scope="module")
def scene(tables):
    grid = sentinel2.scene_grid(SIZE)
    ground = iron.IronGround(42, (10.0 * SIZE, 10.0 * SIZE), 1.0)
    return sentinel2._Scene(
        ground=ground,
        grid=grid,
        dates=sentinel2._plan_dates(ground, grid, 3),
        spectra=sentinel2._resample(iron.mix_materials(tables["library"])),
        covers=iron.class_codes(tables["covers"], iron.COVER_CLASSES),
        iron=iron.class_codes(tables["iron"], iron.IRON_CLASSES),
    )


def members(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


# ---- files --------------------------------------------------------------------------------------


def test_what_is_written(twin):
    names = {path.name for path in twin.iterdir()}
    expected = {"dates", "dem.tif", "magnetics.tif", *(f"{name}.gpkg" for name in VECTORS)}
    for name in STYLED:
        expected |= {f"{name}.tif", f"{name}.qml", f"{name}.tif.aux.xml"}
    assert names == expected
    assert sorted(path.name[:19] for path in (twin / "dates").iterdir()) == [
        "S2A_MSIL2A_20210707",
        "S2A_MSIL2A_20220222",
        "S2B_MSIL2A_20211030",
    ]


def test_the_layout_of_a_date_is_the_native_one(twin):
    path = next((twin / "dates").glob("S2A_MSIL2A_20210707*.zip"))
    assert path.stem == "S2A_MSIL2A_20210707T130251_N0500_R095_T23LQE_20230115T000000"
    root = f"{path.stem}.SAFE"
    granule = f"{root}/GRANULE/L2A_T23LQE_A031552_20210707T130251"
    stem = "T23LQE_20210707T130251"
    images = [
        f"{granule}/IMG_DATA/R{pixel_m}m/{stem}_{band}_{pixel_m}m.jp2"
        for pixel_m, bands in {
            10: ("B02", "B03", "B04", "B08"),
            20: ("B05", "B06", "B07", "B8A", "B11", "B12", "SCL"),
            60: ("B01", "B09"),
        }.items()
        for band in bands
    ]
    others = ["MTD_MSIL2A.xml", "manifest.safe"]
    expected = [*(f"{root}/{name}" for name in others), *images, f"{granule}/MTD_TL.xml"]
    assert sorted(members(path)) == sorted([*expected, f"{granule}/QI_DATA/MSK_CLASSI_B00.jp2"])


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_gdal_takes_it_for_a_sentinel_2_product(twin, tmp_path):
    path = next((twin / "dates").glob("S2B*.zip"))
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    with rasterio.open(tmp_path / f"{path.stem}.SAFE" / "MTD_MSIL2A.xml") as product:
        assert product.driver == "SENTINEL2"
        assert product.tags()["PREVIEW_IMAGE_URL"] == sentinel2.ORIGIN
        bands = product.subdatasets[0]
    with rasterio.open(bands) as dataset:
        sentinel2.scene_grid(SIZE).require_same(Grid.of(dataset), bands)


def test_the_reader_reads_it_and_knows_that_it_is_simulated(twin):
    products = open_dates(twin / "dates")
    assert [product.sensor for product in products] == [
        "Sentinel-2A MSI",
        "Sentinel-2B MSI",
        "Sentinel-2A MSI",
    ]
    for product in products:
        with product:
            assert product.synthetic
            assert product.grid == sentinel2.scene_grid(SIZE)
            assert product.bands.names == BANDS
            assert 40 < product.sun_elevation_deg < 70
            assert product.calibrations["B02"].offset == -1000
            reflectance = product.read_reflectance(WHOLE)
            fill = product.read_flags(WHOLE, ["fill"]).any(axis=0)
        assert 0 < fill.mean() < 0.1
        # The scene classification has pixels of 20 m, as B05 has.
        assert np.isnan(reflectance[BANDS.index("B05")][fill]).all()
        clear = reflectance[:, ~fill]
        assert np.isfinite(clear).all()
        assert 0.02 < np.median(clear[0]) < 0.15
        assert 0.15 < np.median(clear[6]) < 0.45


def test_the_files_hold_what_the_ground_gives_without_loss(twin, scene):
    block = sentinel2.simulate_block(scene, WHOLE)
    products = open_dates(twin / "dates", ("B02", "B03", "B04", "B08"))
    for product, images in zip(products, block.images, strict=True):
        with product:
            read = product.read_reflectance(WHOLE)
        for values, band in zip(read, ("B02", "B03", "B04", "B08"), strict=True):
            stored = images[band].astype(np.float64)
            expected = np.where(stored == 0, np.nan, (stored - 1000) / 10_000)
            np.testing.assert_allclose(values, expected, atol=1e-6)
    for name, codes in (("truth", block.cover), ("iron_truth", block.grade)):
        with rasterio.open(twin / f"{name}.tif") as dataset:
            np.testing.assert_array_equal(dataset.read(1), codes)
            assert dataset.tags()["SYNTHETIC"] == "yes"
            scene.grid.require_same(Grid.of(dataset), name)


def test_same_bytes_with_other_threads_and_blocks_and_over_older_files(twin, write, tmp_path):
    (tmp_path / "dates").mkdir()
    (tmp_path / "dates" / "older.zip").write_bytes(b"")
    write(tmp_path, threads=2, block_px=96)
    names = {path.relative_to(twin) for path in twin.rglob("*")}
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*")} == names
    for name in names:
        if (twin / name).is_file():
            assert (twin / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_vectors_lie_on_the_scene_and_say_that_they_are_simulated(twin):
    bounds = sentinel2.scene_grid(SIZE).bounds
    for name in VECTORS:
        table = geopandas.read_file(twin / f"{name}.gpkg")
        assert table.crs.to_epsg() == 32723
        assert table["source"].str.contains("gossan").all()
        west, south, east, north = table.total_bounds
        assert bounds[0] <= west <= east <= bounds[2], name
        assert bounds[1] <= south <= north <= bounds[3], name


def test_extra_rasters_cover_the_scene_on_pixels_of_their_own(twin):
    west, south, east, north = sentinel2.scene_grid(SIZE).bounds
    for name, pixel_m in (("dem", 30), ("magnetics", 100)):
        with rasterio.open(twin / f"{name}.tif") as dataset:
            assert dataset.res == (pixel_m, pixel_m)
            assert dataset.tags()["SYNTHETIC"] == "yes"
            left, low, right, high = dataset.bounds
            assert np.isfinite(dataset.read()).all()
        assert left <= west and low <= south and right >= east and high >= north


def test_the_files_tell_nothing_of_the_machine(twin):
    for path in twin.rglob("*"):
        if path.is_file():
            assert str(twin).encode() not in path.read_bytes(), path.name


# ---- numbers ------------------------------------------------------------------------------------


def test_clean_ground_is_corrected_to_what_it_is(tables):
    """At difficulty 0 there is no air, noise or cloud: only the light on slopes is left in."""
    ground = iron.IronGround(42, (10.0 * SIZE, 10.0 * SIZE), 0.0)
    grid = sentinel2.scene_grid(SIZE)
    date = sentinel2._plan_dates(ground, grid, 1)[0]
    for value in (0.02, 0.3, 0.8):
        seen = np.full((3, 3), value * sentinel2._BAND_FACTS["B04"][3], np.float32)
        corrected = sentinel2._correct(ground, date, 0.665, "B04", seen)
        np.testing.assert_allclose(corrected, value, atol=1e-5)


def test_the_correction_undoes_the_air_but_for_the_error_of_its_aerosol(scene):
    from dataclasses import replace

    from gossan.twin.ground import Sky
    from gossan.twin.optics import top_of_atmosphere

    one = np.ones((1, 1), np.float32)
    date = scene.dates[0]
    for band, wavelength in (("B02", 0.4927), ("B12", 2.2024)):
        gas = np.array([sentinel2._BAND_FACTS[band][3]])
        seen = top_of_atmosphere(
            0.25 * one[None],
            one,
            one,
            iron.BASE_ELEVATION_M * one,
            Sky(0 * one, 0 * one, 0 * one, one),
            np.array([wavelength]),
            gas,
            date.sun[0],
            date.aerosol,
        )[0]
        known = replace(date, assumed_aerosol=date.aerosol)
        right = sentinel2._correct(scene.ground, known, wavelength, band, seen)
        assert right[0, 0] == pytest.approx(0.25, abs=1e-4)
    wrong = replace(date, assumed_aerosol=2 * date.aerosol)
    assert abs(sentinel2._correct(scene.ground, wrong, 0.4927, "B02", seen)[0, 0] - 0.25) > 1e-3


def test_noise_has_the_size_that_the_instrument_has(scene):
    date = scene.dates[0]
    irradiance, radiance, ratio, _ = sentinel2._BAND_FACTS["B04"]
    light = irradiance * np.sin(np.radians(date.sun[0]))
    typical = np.pi * radiance * date.distance_au**2 / light
    signal = np.full((120, 120), typical)
    noise = sentinel2._noise(scene.ground, date, "B04", Window(0, 0, 120, 120), signal)
    assert noise.std() == pytest.approx(typical / ratio, rel=0.03)
    again = sentinel2._noise(scene.ground, date, "B04", Window(7, 5, 9, 9), signal[:9, :9])
    np.testing.assert_array_equal(again, noise[5:14, 7:16])


def test_classes_and_cloud_mask_agree_with_the_clouds(twin):
    looks = 0
    for product in open_dates(twin / "dates"):
        with product:
            cloud, shadow, fill, opaque = product.read_flags(
                WHOLE, ("cloud", "cloud_shadow", "fill", "qa60_cloud")
            )
            blue = product.read_reflectance(WHOLE)[0]
        assert cloud.any() and shadow.any()
        assert np.median(blue[cloud]) > 2 * np.median(blue[~(cloud | fill)])
        assert (opaque == cloud)[~fill].mean() > 0.9
        looks = looks + ~(cloud | shadow | fill)
    # A pixel of no look at all, and most with some.
    assert (looks == 0).any()
    assert (looks > 0).mean() > 0.8
    assert len(np.unique(looks)) == 4


def test_one_date_and_no_clouds(write, tmp_path):
    write(tmp_path, dates=1, difficulty=0.0)
    (path,) = (tmp_path / "dates").iterdir()
    with open_product(path) as product:
        cloud = product.read_flags(WHOLE, ["cloud", "cloud_shadow", "cirrus"]).any(axis=0)
    assert not cloud.any()


def test_dates_follow_the_orbits_of_both_spacecraft(scene):
    dates = sentinel2._plan_dates(scene.ground, scene.grid, 36)
    for name, offset in (("Sentinel-2A", -2), ("Sentinel-2B", 27)):
        for date in (one for one in dates if one.spacecraft == name):
            orbit = int(date.granule.split("_A")[1][:6])
            # ESA's relation of absolute and relative orbits.
            assert (orbit - offset) % 143 + 1 == 95
    assert len({date.product_id for date in dates}) == 36
    assert {date.overpass for date in dates[:2]} == {20210707, 20210712}
    assert min(date.leaf for date in dates) < 0.3 < 0.7 < max(date.leaf for date in dates)


def test_the_sun_stands_where_tables_have_it():
    # The ASTER scene of the second study, from its product's metadata.
    moment = datetime(2002, 7, 21, 7, 21, 45, tzinfo=UTC)
    elevation, azimuth, distance = sun_position(moment, 52.40, 33.18)
    assert elevation == pytest.approx(69.05, abs=0.02)
    assert azimuth == pytest.approx(122.58, abs=0.05)
    assert distance == pytest.approx(1.0161, abs=1e-4)
    # Equinox, noon at Greenwich over the equator.
    elevation, *_ = sun_position(datetime(2021, 3, 20, 12, 7, 30, tzinfo=UTC), 0.0, 0.0)
    assert elevation > 89.5


@pytest.mark.parametrize("size", [48, 768, 10_980])
def test_scenes_lie_on_60_m_pixels_of_the_tile(size):
    grid = sentinel2.scene_grid(size)
    west, south, east, north = grid.bounds
    assert (west - 699_960) % 60 == 0
    assert (8_500_020 - north) % 60 == 0
    assert west >= 699_960 and east <= 699_960 + 109_800
    assert south >= 8_500_020 - 109_800 and north <= 8_500_020


# ---- faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [50, 0, 10_986])
def test_sizes_that_no_tile_has_are_refused(size):
    with pytest.raises(ValueError, match="multiple of 6"):
        sentinel2.scene_grid(size)


def test_a_class_table_without_a_class_is_refused_and_leaves_nothing(write, tables, tmp_path):
    short = [entry for entry in tables["covers"] if entry.name != "mixed"]
    with pytest.raises(InputError, match="mixed"):
        write(tmp_path / "out", covers=short)
    assert not (tmp_path / "out").exists()


def test_a_failure_leaves_the_older_files(write, tmp_path, monkeypatch):
    (tmp_path / "truth.tif").write_bytes(b"older")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(sentinel2, "_write_vectors", fail)
    with pytest.raises(OSError, match="disk full"):
        write(tmp_path, dates=1, size_px=48)
    assert [path.name for path in tmp_path.iterdir()] == ["truth.tif"]
    assert (tmp_path / "truth.tif").read_bytes() == b"older"
