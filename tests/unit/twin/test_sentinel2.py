"""The twin as Sentinel-2 dates: native layout, numbers, clouds, metadata, determinism."""

import zipfile
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.library.readers import read_library
from gossan.products.sentinel2 import BANDS, open_dates, open_product
from gossan.products.sun import sun_position
from gossan.raster import Grid
from gossan.twin import sentinel2
from gossan.twin.site import find_site

SIZE = 144
WHOLE = Window(0, 0, SIZE, SIZE)
LEVEL_M = 880.0


def place(size_px: int = SIZE, seed: int = 42, difficulty: float = 1.0):
    return find_site("iron", seed=seed, size_px=[size_px], difficulty=difficulty)


@pytest.fixture(scope="module")
def library(root):
    return read_library(root / "resources" / "static" / "analytic_library.csv")


@pytest.fixture(scope="module")
def write(library):
    def make(
        folder: Path,
        dates: int = 3,
        tiles: int = 1,
        tile: int | None = None,
        threads: int = 1,
        block_px: int = 48,
        **ground,
    ) -> Path:
        options = {"dates": dates, "tiles": tiles, "tile": tile}
        options |= {"threads": threads, "block_px": block_px}
        sentinel2.simulate_sentinel2(place(**ground), library, folder, **options)
        return folder

    return make


@pytest.fixture(scope="module")
def twin(write, tmp_path_factory):
    return write(tmp_path_factory.mktemp("twin") / "sentinel2")


@pytest.fixture(scope="module")
def scene(library):
    return sentinel2.plan_scene(place(), library, 3)


def members(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


# ---- files --------------------------------------------------------------------------------------


def test_what_is_written(twin):
    assert sorted(path.name[:19] for path in twin.iterdir()) == [
        "S2A_MSIL2A_20210707",
        "S2A_MSIL2A_20220222",
        "S2B_MSIL2A_20211030",
    ]


def test_the_layout_of_a_date_is_the_native_one(twin):
    path = next(twin.glob("S2A_MSIL2A_20210707*.zip"))
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
    path = next(twin.glob("S2B*.zip"))
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    with rasterio.open(tmp_path / f"{path.stem}.SAFE" / "MTD_MSIL2A.xml") as product:
        assert product.driver == "SENTINEL2"
        assert product.tags()["PREVIEW_IMAGE_URL"] == sentinel2.ORIGIN
        bands = product.subdatasets[0]
    with rasterio.open(bands) as dataset:
        place().grid.require_same(Grid.of(dataset), bands)


def test_the_reader_reads_it_and_knows_that_it_is_simulated(twin):
    products = open_dates(twin)
    assert [product.sensor for product in products] == [
        "Sentinel-2A MSI",
        "Sentinel-2B MSI",
        "Sentinel-2A MSI",
    ]
    for product in products:
        with product:
            assert product.synthetic
            assert product.grid == place().grid
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
    blocks = sentinel2.simulate_block(scene, WHOLE)
    products = open_dates(twin, ("B02", "B03", "B04", "B08"))
    for product, images in zip(products, blocks, strict=True):
        with product:
            read = product.read_reflectance(WHOLE)
        for values, band in zip(read, ("B02", "B03", "B04", "B08"), strict=True):
            stored = images[band].astype(np.float64)
            expected = np.where(stored == 0, np.nan, (stored - 1000) / 10_000)
            np.testing.assert_allclose(values, expected, atol=1e-6)


def test_same_bytes_with_other_threads_and_blocks_and_over_older_files(twin, write, tmp_path):
    again = tmp_path / "sentinel2"
    again.mkdir()
    (again / "older.zip").write_bytes(b"")
    write(again, threads=2, block_px=96)
    names = sorted(path.name for path in twin.iterdir())
    assert sorted(path.name for path in again.iterdir()) == names
    for name in names:
        assert (twin / name).read_bytes() == (again / name).read_bytes(), name
    assert list(tmp_path.iterdir()) == [again]


def test_the_files_tell_nothing_of_the_machine(twin):
    for path in twin.iterdir():
        assert str(twin).encode() not in path.read_bytes(), path.name


# ---- numbers ------------------------------------------------------------------------------------


def test_clean_ground_is_corrected_to_what_it_is():
    """At difficulty 0 there is no air, noise or cloud: only the light on slopes is left in."""
    site = place(difficulty=0.0)
    ground, date = site.terrain, sentinel2.plan_dates(site, site.grid, 1)[0]
    for value in (0.02, 0.3, 0.8):
        seen = np.full((3, 3), value * sentinel2._BAND_FACTS["B04"][3], np.float32)
        corrected = sentinel2._correct(ground, date, 0.665, "B04", seen, LEVEL_M)
        np.testing.assert_allclose(corrected, value, atol=1e-5)


def test_the_correction_undoes_the_air_but_for_the_error_of_its_aerosol(scene):
    from dataclasses import replace

    from gossan.twin.optics import top_of_atmosphere
    from gossan.twin.terrain import Sky

    one = np.ones((1, 1), np.float32)
    date, ground = scene.dates[0], scene.site.terrain
    for band, wavelength in (("B02", 0.4927), ("B12", 2.2024)):
        gas = np.array([sentinel2._BAND_FACTS[band][3]])
        seen = top_of_atmosphere(
            0.25 * one[None],
            one,
            one,
            LEVEL_M * one,
            Sky(0 * one, 0 * one, 0 * one, one),
            np.array([wavelength]),
            gas,
            date.sun[0],
            date.aerosol,
        )[0]
        known = replace(date, assumed_aerosol=date.aerosol)
        right = sentinel2._correct(ground, known, wavelength, band, seen, LEVEL_M)
        assert right[0, 0] == pytest.approx(0.25, abs=1e-4)
    wrong = replace(date, assumed_aerosol=2 * date.aerosol)
    found = sentinel2._correct(ground, wrong, 0.4927, "B02", seen, LEVEL_M)
    assert abs(found[0, 0] - 0.25) > 1e-3


def test_noise_has_the_size_that_the_instrument_has(scene):
    date = scene.dates[0]
    irradiance, radiance, ratio, _ = sentinel2._BAND_FACTS["B04"]
    light = irradiance * np.sin(np.radians(date.sun[0]))
    typical = np.pi * radiance * date.distance_au**2 / light
    signal = np.full((120, 120), typical)
    noise = sentinel2._noise(scene.site.terrain, date, "B04", Window(0, 0, 120, 120), signal)
    assert noise.std() == pytest.approx(typical / ratio, rel=0.03)
    again = sentinel2._noise(scene.site.terrain, date, "B04", Window(7, 5, 9, 9), signal[:9, :9])
    np.testing.assert_array_equal(again, noise[5:14, 7:16])


def test_classes_and_cloud_mask_agree_with_the_clouds(twin):
    looks = 0
    for product in open_dates(twin):
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
    (path,) = write(tmp_path / "one", dates=1, difficulty=0.0).iterdir()
    with open_product(path) as product:
        cloud = product.read_flags(WHOLE, ["cloud", "cloud_shadow", "cirrus"]).any(axis=0)
    assert not cloud.any()


def test_tiles_are_cut_from_the_same_images_and_overlap(write, tmp_path):
    size, first = 96, 42
    one = write(tmp_path / "one", dates=1, size_px=size)
    two = write(tmp_path / "two", dates=1, tiles=2, size_px=size, block_px=36)
    west, east = sorted(two.iterdir())
    assert [path.stem.split("_")[5] for path in (west, east)] == ["T23LQE", "T23LRE"]
    with open_product(next(one.iterdir())) as product:
        whole = product.read_reflectance(Window(0, 0, size, size))
        flags = product.read_flags(Window(0, 0, size, size), ["fill", "cloud"])
    width = size - first
    for path, start in ((west, 0), (east, first)):
        with open_product(path) as product:
            assert (product.grid.width, product.grid.height) == (width, size)
            window = Window(0, 0, width, size)
            np.testing.assert_array_equal(
                product.read_reflectance(window), whole[:, :, start : start + width]
            )
    alone = write(tmp_path / "alone", dates=1, tiles=2, tile=2, size_px=size, block_px=36)
    assert [path.name for path in alone.iterdir()] == [east.name]
    assert (alone / east.name).read_bytes() == east.read_bytes()
    with pytest.raises(InputError, match="--tile 3: is none of 2 tiles"):
        write(tmp_path / "none", tiles=2, tile=3, size_px=size)
    # Together they are one date, which is that of the whole ground.
    with open_product(two) as product:
        window = Window(0, 0, size, size)
        np.testing.assert_array_equal(product.read_flags(window, ["fill", "cloud"]), flags)
        # Finer bands have numbers at the swath's edge, where the classification has none.
        whole[:, flags[0]] = np.nan
        np.testing.assert_array_equal(product.read_reflectance(window), whole)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("width", [96, 768])
def test_tiles_cover_the_ground_in_one_width(scene, count, width):
    grid = Grid(scene.grid.crs, scene.grid.transform, width, 96)
    tiles = sentinel2.plan_tiles(grid, count)
    spans = [(tile.window.col_off, tile.window.col_off + tile.window.width) for tile in tiles]
    assert (spans[0][0], spans[-1][1]) == (0, width)
    assert len({tile.window.width for tile in tiles}) == 1
    assert all(place % 6 == 0 for span in spans for place in span)
    assert all(before[1] - after[0] >= 6 for before, after in pairwise(spans))
    assert [tile.name for tile in tiles] == sorted({tile.name for tile in tiles})


def test_dates_follow_the_orbits_of_both_spacecraft(scene):
    dates = sentinel2.plan_dates(scene.site, scene.grid, 36)
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


def test_elsewhere_it_passes_as_late_by_the_sun():
    """Tile, time and orbits fit the ground and one another."""
    site = find_site("porphyry", seed=1, size_px=[64], difficulty=1.0)
    grid = site.covering(10, 60)
    assert sentinel2.tile_names(grid, 1) == ["43SDV"]
    for date, name in zip(sentinel2.plan_dates(site, grid, 2), ("A", "B"), strict=True):
        assert date.tile == "43SDV"
        assert (date.moment.hour, date.moment.minute) == (5, 15)
        assert 20 < date.sun[0] < 75
        orbit = int(date.granule.split("_A")[1][:6])
        assert (orbit - {"A": -2, "B": 27}[name]) % 143 + 1 == date.orbit
        assert date.leaf == 1.0


def test_the_tiles_of_the_grounds_are_those_of_the_grid_of_tiles():
    for name, size_px, tile in (
        ("iron", [768], "23LQE"),
        ("epithermal", [128], "11SMB"),
        ("porphyry-zones", [147, 87], "39SXS"),
    ):
        site = find_site(name, seed=42, size_px=size_px, difficulty=1.0)
        assert sentinel2.tile_names(site.covering(10, 60), 1) == [tile]


# ---- faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dates", [0, 37])
def test_a_number_of_dates_out_of_range_is_refused(write, tmp_path, dates):
    with pytest.raises(InputError, match=f"--dates {dates}: out of range; use 1 to 36"):
        write(tmp_path / "out", dates=dates)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("tiles", [0, 5])
def test_a_number_of_tiles_out_of_range_is_refused(write, tmp_path, tiles):
    with pytest.raises(InputError, match=f"--tiles {tiles}: out of range; use 1 to 4"):
        write(tmp_path / "out", dates=1, tiles=tiles)
    assert not list(tmp_path.iterdir())


def test_a_ground_larger_than_a_tile_is_refused(library, tmp_path):
    site = find_site("porphyry", seed=1, size_px=[3662], difficulty=1.0)
    with pytest.raises(InputError, match=r"porphyry is 10986 .* at most 10980"):
        sentinel2.simulate_sentinel2(site, library, tmp_path / "out", dates=1)


def test_a_failure_leaves_the_older_files(write, tmp_path, monkeypatch):
    older = tmp_path / "sentinel2" / "older.zip"
    older.parent.mkdir()
    older.write_bytes(b"older")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(sentinel2, "_pack_date", fail)
    with pytest.raises(OSError, match="No space left"):
        write(older.parent, dates=1, size_px=96)
    assert [path.name for path in tmp_path.iterdir()] == ["sentinel2"]
    assert older.read_bytes() == b"older"
