"""The Landsat reader: metadata, calibration, quality flags, archives and damaged products."""

import math
import re
import shutil
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import landsat_products as products
import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.products.landsat import CORNERS_NOTE, FLAGS, parse_mtl
from gossan.products.landsat import open_product as open_landsat
from gossan.products.readers import open_product
from gossan.raster import split_blocks

RNG = np.random.default_rng(7)
WHOLE = Window(0, 0, 5, 4)
CONTAINERS = ("folder", "tar", "tar.gz")
CLIP = "landsat/LC08_L1TP_195025_20130707_C1_clip41px"


def numbers(rows: int = 4, columns: int = 5) -> np.ndarray:
    return RNG.integers(5000, 40000, size=(7, rows, columns)).astype(np.uint16)


def drop_line(key: str):
    return lambda text: "".join(
        line for line in text.splitlines(keepends=True) if not line.strip().startswith(f"{key} =")
    )


# --- metadata -------------------------------------------------------------------------------


def test_parse_mtl_nests_groups_and_strips_quotes():
    text = (
        'GROUP = A\n  X = "a = b"\n  GROUP = B\n    N = 02\n  END_GROUP = B\nEND_GROUP = A\nEND\n'
    )
    # Old files are padded with NUL bytes after their END.
    assert parse_mtl(text + "\0\0", "m") == {"A": {"X": "a = b", "B": {"N": "02"}}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("GROUP = A\nEND_GROUP = B\nEND\n", "line 2: END_GROUP = B closes no open group"),
        ("GROUP = A\nEND\n", "END inside group A"),
        ("GROUP = A\n X = 1\n", "cut short"),
        ("GROUP = A\nhello\n", "line 2 is not 'KEY = value'"),
        ("", "cut short"),
    ],
)
def test_parse_mtl_refuses_broken_text(text, words):
    with pytest.raises(InputError, match=words) as error:
        parse_mtl(text, "file_MTL.txt")
    assert str(error.value).startswith("file_MTL.txt: ")


def test_all_real_mtl_files_parse(shared_data):
    found = sorted(shared_data("landsat").rglob("*_MTL.txt"))
    assert len(found) == 4
    for path in found:
        (root,) = parse_mtl(path.read_text(), path.name).values()
        assert float(root["IMAGE_ATTRIBUTES"]["SUN_ELEVATION"]) > 30


@pytest.mark.parametrize(
    ("mtl", "level", "spacecraft", "gain", "acquired"),
    [
        ("test_L8C2L1_MTL.txt", "L1TP", "LANDSAT_8", 2e-5, "2022-02-05T04:44:41.323507Z"),
        ("test_L9C2L1_MTL.txt", "L1TP", "LANDSAT_9", 2e-5, "2022-01-28T04:44:49.925012Z"),
        (
            "LC08_L2SP_224078_20200127_02_T1_LC08_L2SP_224078_20200127_20200823_02_T1_MTL.txt",
            "L2SP",
            "LANDSAT_8",
            2.75e-5,
            "2020-01-27T13:36:10.394624Z",
        ),
    ],
)
def test_real_collection_2_mtl_over_small_rasters(
    shared_data, tmp_path, mtl, level, spacecraft, gain, acquired
):
    source = shared_data("landsat/mtl") / mtl
    shutil.copy(source, tmp_path / "p_MTL.txt")
    contents = parse_mtl(source.read_text(), mtl)["LANDSAT_METADATA_FILE"]["PRODUCT_CONTENTS"]
    stored = np.full((2, 2), 20000, dtype=np.uint16)
    for key in [*(f"FILE_NAME_BAND_{n}" for n in range(1, 8)), "FILE_NAME_QUALITY_L1_PIXEL"]:
        products.write_raster(tmp_path / contents[key], stored)
    with open_landsat(tmp_path) as product:
        assert (product.level, product.spacecraft, product.acquired) == (
            level,
            spacecraft,
            acquired,
        )
        assert product.product_id == contents["LANDSAT_PRODUCT_ID"]
        assert not product.synthetic
        sine = 1 if level == "L2SP" else math.sin(math.radians(product.sun_elevation_deg))
        expected = (gain * 20000 - (0.2 if level == "L2SP" else 0.1)) / sine
        np.testing.assert_allclose(product.read_reflectance(Window(0, 0, 2, 2)), expected, 1e-6)


def test_product_describes_itself(tmp_path):
    path = products.write_product(tmp_path, numbers(), spacecraft=9, origin="gossan twin, seed 42")
    with open_product("landsat", path) as product:
        assert product.sensor == "Landsat-9 OLI_TIRS"
        assert product.collection == "2"
        assert product.level == "L1TP"
        assert product.sun_elevation_deg == 30.0
        # The seventh decimal of a second (100 ns) does not fit ISO 8601 readers and is cut.
        assert product.acquired == "2024-07-19T05:40:11.123456Z"
        assert product.synthetic
        assert product.grid.shape == (4, 5)
        assert product.grid.transform == products.TRANSFORM
        assert product.bands.names == products.BANDS


def test_unknown_sensor_is_named():
    with pytest.raises(InputError, match="sensor 'aster9' is unknown; use one of: landsat"):
        open_product("aster9", "x")


@pytest.mark.parametrize("spacecraft", [8, 9])
def test_band_table_agrees_with_published_responses(tmp_path, spacecraft):
    from pyrsr import RSR

    path = products.write_product(tmp_path, numbers(), spacecraft=spacecraft)
    with open_landsat(path) as product:
        bands = product.bands
    responses = RSR(f"Landsat-{spacecraft}", "OLI_TIRS")
    wavelength_nm = np.asarray(responses.rsrs_wvl, dtype=float)
    for name, centre, fwhm in zip(bands.names, bands.centre_um, bands.fwhm_um, strict=True):
        response = np.nan_to_num(np.asarray(responses[name[1:]], dtype=float))
        centroid = (response * wavelength_nm).sum() / response.sum()
        above = wavelength_nm[response >= response.max() / 2]
        assert centre * 1000 == pytest.approx(centroid, abs=0.01)
        # The response is tabulated each nanometre.
        assert fwhm * 1000 == pytest.approx(above[-1] - above[0], abs=2)


# --- calibration and flags ------------------------------------------------------------------


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("collection", [1, 2])
def test_level_1_reflectance_is_sun_corrected(tmp_path, collection, container):
    stored = np.full((7, 4, 5), 10000, dtype=np.uint16)
    stored[:, 0, 0] = (5000, 10000, 15000, 20000, 30000, 60000, 65535)
    stored[2, 1, 1] = 0
    path = products.write_product(
        tmp_path, stored, collection=collection, container=container, sun_elevation=30
    )
    with open_product("landsat", path) as product:
        block = product.read_reflectance(WHOLE)
    assert block.dtype == np.float32
    # sin 30° = 0.5, so reflectance = (2e-5 Q - 0.1) / 0.5 = 4e-5 Q - 0.2.
    np.testing.assert_allclose(block[:, 0, 0], [0, 0.2, 0.4, 0.6, 1.0, 2.2, 2.4214], atol=1e-6)
    assert np.isnan(block[2, 1, 1])
    assert np.isnan(block).sum() == 1


@pytest.mark.parametrize("container", CONTAINERS)
def test_level_2_reflectance_takes_its_own_scaling_and_files(tmp_path, container):
    stored = np.full((7, 4, 5), 20000, dtype=np.uint16)
    path = products.write_product(tmp_path, stored, level="L2SP", container=container)
    with open_product("landsat", path) as product:
        # 2.75e-5 · 20000 - 0.2 = 0.35, with no division by the sun's sine.
        np.testing.assert_allclose(product.read_reflectance(WHOLE), 0.35, atol=1e-6)
        assert product.surface_reflectance


@pytest.mark.parametrize("container", CONTAINERS)
def test_collection_1_surface_reflectance(tmp_path, container):
    stored = np.full((7, 4, 5), 3000, dtype=np.int16)
    stored[:, 0, 0] = (-2000, -1, 0, 1, 10000, 16000, 20000)
    stored[2, 1, 1] = -9999
    path = products.write_product(tmp_path, stored, collection=1, level="L2SR", container=container)
    with open_product("landsat", path) as product:
        assert (product.collection, product.level) == ("1", "L2SR")
        assert product.product_id == "LC08_L1TP_150035_20240719_20240723_01_T1"
        assert product.surface_reflectance
        assert product.notes == ()
        block = product.read_reflectance(WHOLE)
        saturated = product.read_flags(WHOLE, ["saturation"]).any(axis=0)
        assert (
            not product.read_flags(WHOLE, ["fill", "cloud", "cirrus", "cloud_shadow"])
            .any(axis=0)
            .any()
        )
    assert block.dtype == np.float32
    # Q · 1e-4 with neither an offset nor a division by the sun's sine.
    np.testing.assert_allclose(block[:, 0, 0], [-0.2, -1e-4, 0, 1e-4, 1, 1.6, 2], atol=1e-7)
    np.testing.assert_allclose(block[:, 2, 2], 0.3, atol=1e-7)
    assert np.argwhere(np.isnan(block)).tolist() == [[2, 1, 1]]
    assert np.argwhere(saturated).tolist() == [[0, 0]]


def test_collection_1_surface_reflectance_goes_before_its_level_1(tmp_path):
    path = products.write_product(tmp_path / "a", numbers(), collection=1)
    stored = np.full((7, 4, 5), 3000, dtype=np.int16)
    surface = products.write_product(tmp_path / "b", stored, collection=1, level="L2SR")
    for file in surface.glob("*.tif"):
        shutil.copy(file, path)
    with open_landsat(path) as product:
        assert product.level == "L2SR"
        np.testing.assert_allclose(product.read_reflectance(WHOLE), 0.3, atol=1e-7)


def test_signed_files_with_their_own_nodata(tmp_path):
    stored = np.full((7, 4, 5), 10000, dtype=np.int16)
    stored[0, 0, 0], stored[1, 0, 1], stored[3, 0, 2] = -32768, -5, 0
    quality = np.full((4, 5), 2720, dtype=np.int16)
    quality[2, 2] = -32768
    path = products.write_product(tmp_path, stored, collection=1, quality=quality, nodata=-32768)
    with open_landsat(path) as product:
        block = product.read_reflectance(WHOLE)
        fill, cloud = product.read_flags(WHOLE, ["fill", "cloud"])
        assert "signed integers" in product.notes[0]
    assert np.argwhere(np.isnan(block)).tolist() == [[0, 0, 0], [1, 0, 1], [3, 0, 2]]
    assert np.argwhere(fill).tolist() == [[2, 2]]
    assert not cloud.any()


def test_real_clip(shared_data):
    folder = shared_data(CLIP)
    with open_landsat(folder) as product:
        assert product.sensor == "Landsat-8 OLI_TIRS"
        assert product.collection == "1"
        assert product.acquired == "2013-07-07T10:17:42.166196Z"
        window = Window(0, 0, 41, 41)
        block = product.read_reflectance(window)
        mask = product.read_flags(window, FLAGS).any(axis=0)
    with rasterio.open(next(folder.glob("*_B5.TIF"))) as dataset:
        stored = dataset.read(1).astype(float)
    expected = (2e-5 * stored - 0.1) / math.sin(math.radians(58.99675180))
    np.testing.assert_allclose(block[4], expected, atol=1e-6)
    # BQA is 2720 all over: low confidence of cloud, shadow, snow and cirrus, which is clear.
    assert not mask.any()
    # Vegetation: the near infrared well above the red.
    assert np.median(block[4] / block[3]) > 3


CLIPS = "landsat_c2_clips"


@pytest.mark.parametrize(
    ("name", "shape", "corner", "epsg"),
    [
        ("LC08_L1TP_017051_20151205_20200908_02_T1", (334, 468), (543_975.0, 1_378_995.0), 32616),
        ("LC08_L2SP_017051_20151205_20200908_02_T1", (333, 467), (544_005.0, 1_378_995.0), 32616),
        ("LC08_L2SP_218074_20190114_20200829_02_T1", (300, 400), (583_485.0, -2_222_685.0), 32623),
    ],
)
def test_real_clips_without_b1_quality_and_georeference(shared_data, name, shape, corner, epsg):
    path = shared_data(f"{CLIPS}/{name}-cropped.tar.gz")
    with open_landsat(path) as product:
        assert product.bands.names == ("B2", "B3", "B4", "B5", "B6", "B7")
        assert product.grid.shape == shape
        assert product.grid.place(0, 0) == corner
        assert product.grid.crs.to_epsg() == epsg
        assert product.notes == (
            "the product has no file of B1: read without it",
            f"no QA_PIXEL file: {ABSENT[2][1]} mask nothing",
            "no QA_RADSAT file: saturation masks nothing",
            CORNERS_NOTE,
        )
        window = Window(0, 0, *shape[::-1])
        block = product.read_reflectance(window)
        assert not product.read_flags(window, FLAGS).any()
    assert np.isfinite(block).all(axis=0).mean() > 0.99
    assert 0 < np.nanmedian(block[2]) < np.nanmedian(block[3]) < 0.6


FLAG_NUMBERS = {
    "L2SR": {
        "fill": 1,
        "water": 1 << 2,
        "cloud_shadow": 1 << 3,
        "snow": 1 << 4,
        "cloud": 1 << 5,
        "cirrus": 0b11 << 8,
    },
    2: {
        "fill": 1,
        "dilated_cloud": 2,
        "cirrus": 4,
        "cloud": 8,
        "cloud_shadow": 16,
        "snow": 32,
        "water": 128,
    },
    1: {
        "fill": 1,
        "saturation": 0b01 << 2,
        "cloud": 1 << 4,
        "cloud_shadow": 0b11 << 7,
        "snow": 0b11 << 9,
        "cirrus": 0b11 << 11,
    },
}


@pytest.mark.parametrize(("collection", "level"), [(1, "L1TP"), (1, "L2SR"), (2, "L1TP")])
def test_each_flag_has_its_bit(tmp_path, collection, level):
    flag_numbers = FLAG_NUMBERS[level if level == "L2SR" else collection]
    flags = list(flag_numbers)
    quality = np.full((4, 5), products.CLEAR[collection], dtype=np.uint16)
    quality[0, 0] = 64 if collection == 2 else 0
    if level == "L2SR":
        # Clear, high confidence of cloud without cloud, medium of cirrus, terrain occlusion.
        quality[0] = 2, 0b11 << 6, 0b10 << 8, 1 << 10, products.LASRC_CLEAR
        quality[1:] = products.LASRC_CLEAR
    for position, number in enumerate(flag_numbers.values()):
        quality.flat[5 + position] = number
    path = products.write_product(
        tmp_path, numbers() // 4, collection=collection, level=level, quality=quality
    )
    with open_landsat(path) as product:
        layers = product.read_flags(WHOLE, flags)
        for position, (flag, layer) in enumerate(zip(flags, layers, strict=True)):
            assert np.flatnonzero(layer).tolist() == [5 + position], flag
        assert product.read_flags(WHOLE, flags).any(axis=0).sum() == len(flags)
        assert not product.read_flags(WHOLE, []).any(axis=0).any()
        assert set(product.absent_flags) == set(FLAGS) - set(flags) - {"saturation"}
        for flag in product.absent_flags:
            assert not product.read_flags(WHOLE, [flag]).any(axis=0).any()


def test_collection_1_medium_confidence_is_no_flag(tmp_path):
    quality = np.full((4, 5), (0b10 << 7) | (0b10 << 9) | (0b01 << 11), dtype=np.uint16)
    path = products.write_product(tmp_path, numbers(), collection=1, quality=quality)
    with open_landsat(path) as product:
        assert not product.read_flags(WHOLE, ["cloud_shadow", "snow", "cirrus"]).any(axis=0).any()


def test_collection_2_saturation_counts_bands_1_to_7(tmp_path):
    saturation = np.zeros((4, 5), dtype=np.uint16)
    saturation[0, 0], saturation[0, 1] = 1, 64
    # Cirrus band 9 and terrain occlusion do not touch the cube's bands.
    saturation[0, 2], saturation[0, 3] = 1 << 8, 1 << 11
    path = products.write_product(tmp_path, numbers(), saturation=saturation)
    with open_landsat(path) as product:
        assert np.argwhere(product.read_flags(WHOLE, ["saturation"]).any(axis=0)).tolist() == [
            [0, 0],
            [0, 1],
        ]


def test_product_without_saturation_file_masks_no_saturation_and_says_so(tmp_path):
    quality = np.full((4, 5), products.CLEAR[2], dtype=np.uint16)
    quality[1, 1] = 22280
    path = products.write_product(tmp_path, numbers(), quality=quality)
    next(path.glob("*_QA_RADSAT.TIF")).unlink()
    with open_landsat(path) as product:
        cloud, saturation = product.read_flags(WHOLE, ["cloud", "saturation"])
        assert product.notes == ("no QA_RADSAT file: saturation masks nothing",)
    assert np.argwhere(cloud).tolist() == [[1, 1]]
    assert not saturation.any()


ABSENT = {
    2: ("QA_PIXEL", "dilated_cloud, cirrus, cloud, cloud_shadow, snow, water"),
    1: ("BQA", "saturation, cloud, cloud_shadow, snow, cirrus"),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("collection", [1, 2])
def test_product_without_quality_file_masks_nothing_and_says_so(tmp_path, container, collection):
    stored = numbers()
    stored[0, 0, 0] = 0
    folder = products.write_product(tmp_path, stored, collection=collection)
    (folder / products.band_file("quality", folder.name)).unlink()
    path = folder
    if container != "folder":
        path = products.pack(folder, tmp_path / f"p.{container}")
    table, flags = ABSENT[collection]
    with open_landsat(path) as product:
        assert product.notes == (f"no {table} file: {flags} mask nothing",)
        assert not product.read_flags(WHOLE, FLAGS).any()
        assert np.argwhere(np.isnan(product.read_reflectance(WHOLE))).tolist() == [[0, 0, 0]]


# --- bands that are asked for, and clips ------------------------------------------------------


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(("collection", "level"), [(2, "L1TP"), (2, "L2SP"), (1, "L2SR")])
def test_bands_are_read_in_the_order_asked_for(tmp_path, container, collection, level):
    stored = numbers() // 4
    lasrc = products.is_lasrc(collection, level)
    folder = products.write_product(tmp_path, stored, collection=collection, level=level)
    with open_landsat(folder) as product:
        whole, table = product.read_reflectance(WHOLE), product.bands
    for band in ("B1", "B2"):
        (folder / products.band_file(band, folder.name, lasrc)).unlink()
    # What is not asked for may be as damaged as it likes.
    (folder / products.band_file("B3", folder.name, lasrc)).write_bytes(b"no raster")
    path = folder
    if container != "folder":
        path = products.pack(folder, tmp_path / f"p.{container}")
    with open_product("landsat", path, ["B7", "B4"]) as product:
        assert product.bands.names == ("B7", "B4")
        assert product.bands.centre_um == (table.centre_um[6], table.centre_um[3])
        assert product.bands.fwhm_um == (table.fwhm_um[6], table.fwhm_um[3])
        assert product.notes == ()
        np.testing.assert_array_equal(product.read_reflectance(WHOLE), whole[[6, 3]])
        assert product.read_flags(WHOLE, FLAGS).shape == (len(FLAGS), 4, 5)


def test_the_coefficients_of_other_bands_are_not_due(tmp_path):
    drop = drop_line("REFLECTANCE_MULT_BAND_3")
    path = products.write_product(tmp_path, numbers(), edit_mtl=drop)
    with open_landsat(path, ["B4"]) as product:
        assert product.bands.names == ("B4",)
    with pytest.raises(InputError, match="key REFLECTANCE_MULT_BAND_3 is missing"):
        open_landsat(path, ["B3"])


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(("collection", "level"), [(2, "L1TP"), (1, "L2SR")])
def test_without_a_choice_the_bands_that_are_there_are_read_with_a_note(
    tmp_path, container, collection, level
):
    stored = numbers() // 4
    folder = products.write_product(tmp_path, stored, collection=collection, level=level)
    lasrc = products.is_lasrc(collection, level)
    with open_landsat(folder) as product:
        whole = product.read_reflectance(WHOLE)
    for band in ("B1", "B6"):
        (folder / products.band_file(band, folder.name, lasrc)).unlink()
    path = folder
    if container != "folder":
        path = products.pack(folder, tmp_path / f"p.{container}")
    with open_landsat(path) as product:
        assert product.bands.names == ("B2", "B3", "B4", "B5", "B7")
        assert product.bands.centre_um[0] == 0.48259
        assert product.notes == ("the product has no file of B1, B6: read without it",)
        np.testing.assert_array_equal(product.read_reflectance(WHOLE), whole[[1, 2, 3, 4, 6]])


@pytest.mark.parametrize(("bands", "told"), [(["B2", "B8"], "B8"), ([], r"\(none named\)")])
def test_unknown_bands_are_refused(tmp_path, bands, told):
    path = products.write_product(tmp_path, numbers())
    with pytest.raises(InputError, match=f"band {told} is unknown in .*; use: B1, B2"):
        open_landsat(path, bands)


def write_clip(parent: Path, stored: np.ndarray, edit_mtl=products.add_corners, **options) -> Path:
    """A product whose TIFFs say nothing of where they lie."""
    moved = dict.fromkeys((*products.BANDS, "quality", "saturation"), Affine.identity())
    options = {"crs": None, "transforms": moved, **options}
    return products.write_product(parent, stored, edit_mtl=edit_mtl, **options)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(("collection", "level"), [(1, "L1TP"), (2, "L1TP"), (2, "L2SP")])
def test_a_clip_without_georeference_lies_where_the_mtl_says(
    tmp_path, collection, level, container
):
    options = {"collection": collection, "level": level, "container": container}
    stored = numbers()
    with open_landsat(products.write_product(tmp_path / "own", stored, **options)) as product:
        expected, grid = product.read_reflectance(WHOLE), product.grid
    with open_landsat(write_clip(tmp_path / "clip", stored, **options)) as product:
        assert product.grid == grid
        assert product.grid.crs.to_epsg() == 32643
        assert product.grid.place(0, 0) == (500_000.0, 4_000_000.0)
        assert product.notes == (CORNERS_NOTE,)
        np.testing.assert_array_equal(product.read_reflectance(WHOLE), expected)


def test_a_georeference_of_its_own_goes_before_the_corners(tmp_path):
    def elsewhere(text):
        return products.add_corners(text, CORNER_UL_PROJECTION_X_PRODUCT="0.000")

    path = products.write_product(tmp_path, numbers(), edit_mtl=elsewhere)
    with open_landsat(path) as product:
        assert product.grid.transform == products.TRANSFORM
        assert product.notes == ()


def test_a_clip_with_one_file_that_lies_elsewhere_is_refused(tmp_path):
    path = write_clip(tmp_path, numbers())
    victim = path / products.band_file("B5", path.name)
    products.write_raster(victim, numbers()[0], products.TRANSFORM @ Affine.translation(1, 0))
    refuse(path, victim.name, "shifted")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"MAP_PROJECTION": '"PS"'}, ["_B1.TIF: has no georeference", "in PS"]),
        ({"UTM_ZONE": "61"}, ["_MTL.txt", "zone 61"]),
        ({"UTM_ZONE": None}, ["_MTL.txt", "key UTM_ZONE is missing"]),
        ({"GRID_CELL_SIZE_REFLECTIVE": "0"}, ["_MTL.txt", "pixels of 0 m"]),
        ({"CORNER_LR_PROJECTION_X_PRODUCT": None}, ["key CORNER_LR_PROJECTION_X_PRODUCT"]),
        # The corners of the whole scene, or outer ones.
        (
            {"CORNER_LR_PROJECTION_X_PRODUCT": "500165.0"},
            ["_B1.TIF: has no georeference", "6 x 4 pixels, not of its 5 x 4"],
        ),
    ],
)
def test_a_clip_whose_mtl_does_not_tell_where_it_lies_is_refused(tmp_path, changes, words):
    path = write_clip(tmp_path, numbers(), lambda text: products.add_corners(text, **changes))
    refuse(path, *words)


def test_unknown_flag_is_named(tmp_path):
    with (
        open_landsat(products.write_product(tmp_path, numbers())) as product,
        pytest.raises(InputError, match="'clouds' is unknown; use: fill, dilated_cloud"),
    ):
        product.read_flags(WHOLE, ["clouds"]).any(axis=0)


@pytest.mark.parametrize("container", CONTAINERS)
def test_threads_read_what_one_thread_reads(tmp_path, container):
    stored = numbers(150, 170)
    quality = RNG.choice(np.array([21824, 22280], dtype=np.uint16), size=(150, 170))
    path = products.write_product(
        tmp_path,
        stored,
        quality=quality,
        container=container,
        tiled=True,
        blockxsize=64,
        blockysize=64,
    )
    with open_landsat(path) as product:
        windows = split_blocks(product.grid, 40) * 3

        def read(window):
            return product.read_reflectance(window), product.read_flags(window, ["cloud"]).any(
                axis=0
            )

        expected = [read(window) for window in windows]
        with ThreadPoolExecutor(4) as pool:
            for found, wanted in zip(pool.map(read, windows), expected, strict=True):
                np.testing.assert_array_equal(found[0], wanted[0])
                np.testing.assert_array_equal(found[1], wanted[1])


# --- bad input ------------------------------------------------------------------------------


def refuse(path: Path, *words: str, bands: list[str] | None = None) -> None:
    """Opening and reading `path` raises one line with all `words`."""
    with pytest.raises(InputError) as error, open_product("landsat", path, bands) as product:
        window = Window(0, 0, product.grid.width, product.grid.height)
        product.read_reflectance(window)
        product.read_flags(window, ["cloud", "saturation"]).any(axis=0)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


NEEDED = {
    1: [
        "ORIGIN",
        "LANDSAT_PRODUCT_ID",
        "COLLECTION_NUMBER",
        "DATA_TYPE",
        "SPACECRAFT_ID",
        "SENSOR_ID",
        "DATE_ACQUIRED",
        "SCENE_CENTER_TIME",
        "SUN_ELEVATION",
        "FILE_NAME_BAND_4",
        "FILE_NAME_BAND_QUALITY",
        "REFLECTANCE_MULT_BAND_7",
        "REFLECTANCE_ADD_BAND_1",
    ],
    2: ["PROCESSING_LEVEL", "FILE_NAME_QUALITY_L1_PIXEL", "SUN_ELEVATION", "SPACECRAFT_ID"],
}


@pytest.mark.parametrize(
    ("collection", "key"), [(number, key) for number, keys in NEEDED.items() for key in keys]
)
def test_missing_key_is_named_with_its_file(tmp_path, collection, key):
    path = products.write_product(
        tmp_path, numbers(), collection=collection, edit_mtl=drop_line(key)
    )
    refuse(path, f"{products.product_name(collection)}_MTL.txt", f"key {key} is missing")


def test_level_2_does_not_fall_back_to_level_1_scaling(tmp_path):
    def drop_level_2_gain(text):
        return text.replace("REFLECTANCE_MULT_BAND_3 = 2.7500E-05\n", "")

    path = products.write_product(tmp_path, numbers(), level="L2SP", edit_mtl=drop_level_2_gain)
    refuse(path, "REFLECTANCE_MULT_BAND_3 is missing", "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("SUN_ELEVATION = 30.00000000", "SUN_ELEVATION = -3.0", ["SUN_ELEVATION", "daylight"]),
        ("SUN_ELEVATION = 30.00000000", "SUN_ELEVATION = high", ["SUN_ELEVATION", "not a number"]),
        ("SUN_ELEVATION = 30.00000000", "SUN_ELEVATION = nan", ["SUN_ELEVATION", "not a number"]),
        ("LANDSAT_8", "LANDSAT_7", ["LANDSAT_7", "Landsat 8 or 9"]),
        ('"L1TP"', '"L1G"', ["PROCESSING_LEVEL = L1G", "L2SP"]),
        ("2024-07-19", "2024-19-07", ["DATE_ACQUIRED", "2024-19-07"]),
        ("COLLECTION_NUMBER = 02", "COLLECTION_NUMBER = 01", ["COLLECTION_NUMBER"]),
        ('BAND_2 = "LC08', 'BAND_2 = "../LC08', ["FILE_NAME_BAND_2", "not a plain file name"]),
        ("LANDSAT_METADATA_FILE", "OTHER", ["neither group L1_METADATA_FILE"]),
    ],
)
def test_wrong_value_is_named(tmp_path, old, new, words):
    path = products.write_product(tmp_path, numbers(), edit_mtl=lambda text: text.replace(old, new))
    refuse(path, "_MTL.txt", *words)


@pytest.mark.parametrize("container", CONTAINERS)
def test_missing_file_of_a_band_that_is_asked_for_is_named(tmp_path, container):
    folder = products.write_product(tmp_path, numbers())
    missing = products.band_file("B3", folder.name)
    (folder / missing).unlink()
    path = folder
    if container != "folder":
        path = products.pack(folder, tmp_path / f"p.{container}")
    refuse(path, f"{path}/{missing}: is missing", "FILE_NAME_BAND_3", bands=["B4", "B3"])


def test_product_without_any_band_is_refused(tmp_path):
    path = products.write_product(tmp_path, numbers())
    for band in products.BANDS:
        (path / products.band_file(band, path.name)).unlink()
    refuse(path, f"{products.band_file('B1', path.name)}: is missing")


def test_missing_product_and_missing_or_double_mtl(tmp_path):
    refuse(tmp_path / "nowhere", "nowhere: does not exist")
    (tmp_path / "empty").mkdir()
    refuse(tmp_path / "empty", "empty: holds no *_MTL.txt file")
    path = products.write_product(tmp_path, numbers())
    shutil.copy(next(path.glob("*_MTL.txt")), path / "other_MTL.txt")
    refuse(path, "holds 2 *_MTL.txt files")


def test_an_mtl_of_which_a_part_is_zeros_is_refused(tmp_path):
    def damage(text):
        return f"{text[:1000]}{chr(0) * 100}{text[1100:]}"

    path = products.write_product(tmp_path, numbers(), edit_mtl=damage)
    refuse(path, "_MTL.txt", "a part of its text is zeros")


def test_a_band_that_the_mtl_calls_otherwise_is_not_left_out(tmp_path):
    def miscall(text):
        return re.sub(r'(FILE_NAME_BAND_3 = )"[^"]*"', r'\1"zzz_B3.TIF"', text)

    path = products.write_product(tmp_path, numbers(), edit_mtl=miscall)
    refuse(path, "_MTL.txt", "names zzz_B3.TIF for B3, which is not there, but ")


def test_huge_mtl_is_refused(tmp_path):
    path = products.write_product(tmp_path, numbers(), edit_mtl=lambda text: text + " " * 2**20)
    refuse(path, "_MTL.txt", "larger than 1024 KiB")


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("band", ["B1", "B6"])
def test_collection_1_surface_reflectance_lacks_a_file(tmp_path, container, band):
    folder = products.write_product(tmp_path, numbers(), collection=1, level="L2SR")
    missing = products.band_file(band, folder.name, lasrc=True)
    (folder / missing).unlink()
    path = folder
    if container != "folder":
        path = products.pack(folder, tmp_path / f"p.{container}")
    refuse(path, f"{path}/{missing}: is missing", "surface reflectance", bands=["B5", band])


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("band", ["B4", "quality"])
def test_collection_1_surface_reflectance_is_cut_short(tmp_path, container, band):
    options = {"collection": 1, "level": "L2SR", "compress": "lzw"}
    folder = products.write_product(tmp_path, numbers(200, 200), **options)
    victim = folder / products.band_file(band, folder.name, lasrc=True)
    victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    path = folder
    if container != "folder":
        path = products.pack(folder, tmp_path / f"p.{container}")
    refuse(path, f"{path}/{victim.name}", "damaged or cut short")


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("layout", ["strips", "tiles", "plain"])
@pytest.mark.parametrize("kept", [0.97, 0.6, 0.02, 0.0])
def test_truncated_tiff_fails(tmp_path, layout, kept, container):
    options = {
        "strips": {"compress": "lzw"},
        "tiles": {"tiled": True, "blockxsize": 64, "blockysize": 64},
        "plain": {"compress": None},
    }[layout]
    folder = products.write_product(tmp_path, numbers(200, 200), **options)
    victim = folder / products.band_file("B4", folder.name)
    content = victim.read_bytes()
    victim.write_bytes(content[: int(len(content) * kept)])
    path = folder
    if container != "folder":
        path = products.pack(folder, tmp_path / f"p.{container}")
    refuse(path, f"{path}/{victim.name}", "damaged or cut short")


def test_other_format_under_a_band_name_is_refused(tmp_path):
    path = products.write_product(tmp_path, numbers())
    victim = path / products.band_file("B2", path.name)
    victim.write_text('<VRTDataset rasterXSize="5" rasterYSize="4"></VRTDataset>')
    refuse(path, victim.name, "cannot be opened as GeoTIFF")


@pytest.mark.parametrize("band", ["B5", "quality", "saturation"])
def test_shifted_grid_names_both_files(tmp_path, band):
    moved = {band: products.TRANSFORM @ Affine.translation(1, 0)}
    path = products.write_product(tmp_path, numbers(), transforms=moved)
    refuse(
        path, products.band_file(band, path.name), products.band_file("B1", path.name), "shifted"
    )


def test_other_size_and_other_projection_are_refused(tmp_path):
    path = products.write_product(tmp_path, numbers())
    victim = path / products.band_file("B6", path.name)
    products.write_raster(victim, numbers(8, 10)[0])
    refuse(path, victim.name, "10x8 pixels")
    products.write_raster(victim, numbers()[0], crs="EPSG:32644")
    refuse(path, victim.name, "EPSG:32644")
    products.write_raster(victim, numbers()[0].astype(np.float32))
    refuse(path, victim.name, "float32")


def test_raster_without_projection_is_refused(tmp_path):
    path = products.write_product(tmp_path, numbers(), crs=None)
    refuse(path, products.band_file("B1", path.name), "no coordinate reference system")


@pytest.mark.parametrize("name", ["p.tar", "p.tar.gz"])
@pytest.mark.parametrize("content", [b"", b"no archive at all" * 100, b"\x1f\x8b\x08\x00junk"])
def test_garbage_archive_is_refused(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    refuse(path, f"{path}: neither a folder nor a whole .tar or .tar.gz")


def test_archive_with_a_folder_inside_and_odd_names(tmp_path):
    folder = products.write_product(tmp_path, numbers())
    path = tmp_path / "a, b.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(folder, folder.name)
    with open_landsat(path) as product, open_landsat(folder) as same:
        np.testing.assert_array_equal(product.read_reflectance(WHOLE), same.read_reflectance(WHOLE))
    products.add_member(path, f"again/{products.band_file('B1', folder.name)}")
    refuse(path, "holds two files named", "_B1.TIF")


def test_compressed_archive_leaves_nothing_behind(tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    path = products.write_product(tmp_path, numbers(), container="tar.gz")
    with open_landsat(path) as product:
        assert len(list(scratch.glob("*/*.TIF"))) == 9
        product.read_reflectance(WHOLE)
    assert not list(scratch.iterdir())
    moved = {"B5": products.TRANSFORM @ Affine.translation(1, 0)}
    broken = products.write_product(tmp_path / "b", numbers(), container="tar.gz", transforms=moved)
    refuse(broken, "shifted")
    assert not list(scratch.iterdir())
