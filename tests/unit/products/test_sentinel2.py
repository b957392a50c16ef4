"""Reading Sentinel-2 Level-2A dates from SAFE folders and .zip files."""

import hashlib
import json
import re
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window
from sentinel2_products import (
    BANDS,
    CORNER_M,
    NO_OFFSETS,
    OFFSETS,
    SIZE_60M,
    granule_text,
    make_old,
    metadata_text,
    numbers,
    pack,
    product_name,
    shape_of,
    write_jp2,
    write_safe,
)

from gossan.errors import InputError
from gossan.products import kept_tiles
from gossan.products.raster_files import RasterFile, Rasters
from gossan.products.readers import READERS
from gossan.products.readers import open_product as open_any
from gossan.products.sentinel2 import FLAGS, open_dates, open_product
from gossan.products.sentinel2_files import describe_safe

WHOLE = Window(0, 0, SIZE_60M[0] * 6, SIZE_60M[1] * 6)
CLASSES = ("fill", "saturation", "cloud_shadow", "water", "cloud", "cirrus", "snow")


@pytest.fixture(scope="module")
def images() -> dict[str, np.ndarray]:
    return numbers()


@pytest.fixture(scope="module")
def safe(tmp_path_factory, images) -> Path:
    return write_safe(tmp_path_factory.mktemp("safe"), images)


@pytest.fixture
def small() -> dict[str, np.ndarray]:
    """Images of one band to be changed by a test."""
    return numbers(1, bands=("B04",))


def on_10m(values: np.ndarray, pixel_m: int = 20) -> np.ndarray:
    return np.kron(values, np.ones((pixel_m // 10,) * 2, values.dtype))


# ---- what it says of itself ---------------------------------------------------------------------


def test_metadata(safe):
    with open_product(safe) as product:
        assert product.product_id == product_name()
        assert product.spacecraft == "Sentinel-2A"
        assert product.sensor == "Sentinel-2A MSI"
        assert (product.collection, product.level, product.tile) == ("05.11", "L2A", "23LLF")
        assert product.acquired == "2024-07-19T13:12:49.024000Z"
        assert product.sun_elevation_deg == pytest.approx(54.5)
        assert product.sun_azimuth_deg == 41.25
        assert product.surface_reflectance and not product.synthetic
        assert product.grid.shape == (24, 36)
        assert product.grid.place(0, 0) == CORNER_M
        assert product.grid.transform.a == 10
        assert product.bands.names == BANDS
        assert product.bands.centre_um[0] == 0.49273
        assert product.bands.fwhm_um[-1] == 0.17357
        assert "offset added to the stored numbers: -1000" in product.notes
        assert any("B05, B06, B07, B8A, B11, B12: pixels repeated" in n for n in product.notes)


def test_band_tables_are_those_of_the_response_functions(shared_data):
    table = shared_data("sensor_responses/bands_centre_fwhm.csv").read_text().splitlines()
    from gossan.products.sentinel2 import ALL_BANDS, SPACECRAFT, band_table

    told = {tuple(line.split(",")[:2]): line.split(",")[2:4] for line in table}
    for spacecraft in SPACECRAFT:
        bands = band_table(spacecraft, ALL_BANDS, "x")
        for name, centre, width in zip(bands.names, bands.centre_um, bands.fwhm_um, strict=True):
            row = told[f"{spacecraft} MSI", name[1:].lstrip("0")]
            assert [centre * 1000, width * 1000] == pytest.approx([float(v) for v in row])


def test_the_reader_is_known_by_its_sensor(safe):
    assert "sentinel2" in READERS
    with open_any("sentinel2", safe) as product:
        assert product.bands.names == BANDS
    with open_any("sentinel2", safe, ["B12", "B04"]) as product:
        assert product.bands.names == ("B12", "B04")


def test_what_a_simulator_wrote_is_synthetic(tmp_path, small):
    name = product_name()
    text = metadata_text(name).replace("</Product_Info>", "<X>gossan twin</X></Product_Info>")
    with open_product(write_safe(tmp_path, small, metadata=text), ["B04"]) as product:
        assert product.synthetic


# ---- the offset ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("baseline", "offsets", "expected"),
    [
        ("02.14", NO_OFFSETS, 0.3),
        ("03.01", NO_OFFSETS, 0.3),
        ("04.00", OFFSETS, 0.2),
        ("05.11", OFFSETS, 0.2),
        # A user's own Sen2Cor run, without and with offsets.
        ("99.99", NO_OFFSETS, 0.3),
        ("99.04", OFFSETS, 0.2),
    ],
)
def test_golden_offset_of_a_baseline(tmp_path, small, baseline, offsets, expected):
    small["B04"][:] = 3000
    safe = write_safe(tmp_path, small, baseline=baseline, offsets=offsets)
    with open_product(safe, ["B04"]) as product:
        found = product.read_reflectance(WHOLE)
    np.testing.assert_array_equal(found, np.float32(expected))


def test_each_band_has_its_own_offset(tmp_path, images):
    # band_id counts B8A as 8, so B09 is 9 and B11 is 11.
    offsets = {number: str(-100 * number) for number in range(13)}
    with open_product(write_safe(tmp_path, images, offsets=offsets)) as product:
        found = {band: product.calibrations[band].offset for band in BANDS}
    assert found["B02"] == -100 and found["B08"] == -700
    assert found["B8A"] == -800 and found["B11"] == -1100 and found["B12"] == -1200


def test_a_real_metadata_file(tmp_path, small, shared_data):
    text = shared_data("sentinel2/S2C_MTD_MSIL2A.xml").read_text()
    safe = write_safe(tmp_path, small, metadata=text, granule=granule_text("38SLG"))
    with open_product(safe, ["B04"]) as product:
        assert product.product_id == "S2C_MSIL2A_20241114T080951_N9904_R035_T38SLG_20241114T091153"
        assert product.sensor == "Sentinel-2C MSI"
        assert product.calibrations["B04"].offset == -1000
        assert product.calibrations["B04"].quantification == 10000
        assert product.acquired == "2024-11-14T08:09:51.024000Z"
        assert product.collection == "99.04"


def test_real_numbers_before_the_offset(tmp_path, shared_data):
    """A chip of baseline 02.14: red reflectance of dry land, none of it below zero."""
    chips = shared_data("sentinel2/SSL4EO-S12/s2a/0000200")
    chip = next(path for path in sorted(chips.iterdir()) if path.name.startswith("20200604"))
    told = json.loads((chip / "metadata.json").read_text())
    assert told["PROCESSING_BASELINE"] == "02.14"
    with rasterio.open(chip / "B4.tif") as dataset:
        stored = dataset.read(1)
    height, width = stored.shape
    images = {"B04": stored, "SCL": np.full((height // 2, width // 2), 5, np.uint8)}
    safe = write_safe(
        tmp_path, images, baseline="02.14", offsets=NO_OFFSETS, tile=told["MGRS_TILE"]
    )
    with open_product(safe, ["B04"]) as product:
        found = product.read_reflectance(Window(0, 0, width, height))[0]
    np.testing.assert_allclose(found, stored / 10000, rtol=1e-6)
    assert 0.05 < np.median(found) < 0.5
    assert found.min() > 0


# ---- one grid -----------------------------------------------------------------------------------


def test_bands_of_20_m_are_repeated(safe, images):
    with open_product(safe) as product:
        found = product.read_reflectance(WHOLE)
    for band, values in zip(BANDS, found, strict=True):
        stored = images[band] if images[band].shape == (24, 36) else on_10m(images[band])
        np.testing.assert_allclose(values, (stored - 1000.0) / 10000, rtol=1e-6)


@pytest.mark.parametrize("resolution_m", [20, 60])
def test_finer_bands_are_averaged(safe, images, resolution_m):
    with open_product(safe, ["B02", "B11"], resolution_m) as product:
        assert product.grid.transform.a == resolution_m
        assert product.grid.bounds == open_product(safe).grid.bounds
        assert any(n.startswith("bands B02") and "averaged by area" in n for n in product.notes)
        rows, columns = product.grid.shape
        found = product.read_reflectance(Window(0, 0, columns, rows))
    for band, values in zip(("B02", "B11"), found, strict=True):
        step = len(images[band]) // rows
        mean = images[band].reshape(rows, step, columns, step).mean(axis=(1, 3))
        np.testing.assert_allclose(values, (mean - 1000) / 10000, rtol=1e-5)


def test_the_native_image_is_preferred_to_resampled_copies(tmp_path, small):
    safe = write_safe(tmp_path, small)
    native = next(safe.glob("GRANULE/*/IMG_DATA/R10m/*_B04_10m.jp2"))
    copy = native.parents[1] / "R20m" / native.name.replace("_10m", "_20m")
    write_jp2(copy, np.full((12, 18), 9999, np.uint16), 20)
    with open_product(safe, ["B04"]) as product:
        assert product.read_reflectance(WHOLE).max() < 0.5
    native.unlink()
    with open_product(safe, ["B04"]) as product:
        np.testing.assert_array_equal(product.read_reflectance(WHOLE), np.float32(0.8999))
        assert "only coarser copies are there of B04 (20 m)" in product.notes


@pytest.mark.parametrize("resolution_m", [10, 20, 60])
def test_any_window_reads_the_same(safe, resolution_m):
    with open_product(safe, resolution_m=resolution_m) as product:
        rows, columns = product.grid.shape
        window = Window(0, 0, columns, rows)
        whole = product.read_reflectance(window)
        flags = product.read_flags(window, CLASSES)
        for part in (Window(1, 1, 1, 1), Window(3, 1, 2, 3), Window(0, 2, columns, 1)):
            place = (..., *part.toslices())
            np.testing.assert_array_equal(product.read_reflectance(part), whole[place])
            np.testing.assert_array_equal(product.read_flags(part, CLASSES), flags[place])


def test_threads_read_the_same(safe):
    windows = [Window(c, r, 5, 3) for r in range(0, 20, 3) for c in range(0, 30, 5)] * 3
    with open_product(safe) as product:
        whole = product.read_reflectance(WHOLE)
        with ThreadPoolExecutor(8) as pool:
            blocks = pool.map(product.read_reflectance, windows)
            for window, block in zip(windows, blocks, strict=True):
                np.testing.assert_array_equal(block, whole[(..., *window.toslices())])


@pytest.mark.parametrize("most_bytes", [1 << 20, 3000, 0])
def test_tiles_that_windows_cut_are_decoded_once(tmp_path, monkeypatch, most_bytes):
    monkeypatch.setattr(kept_tiles, "MOST_KEPT_BYTES", most_bytes)
    values = np.random.default_rng(0).integers(1, 5000, (90, 100), dtype=np.uint16)
    path = tmp_path / "a.jp2"
    write_jp2(path, values, 10, tile_px=32)
    read = []
    monkeypatch.setattr(
        kept_tiles,
        "read_verified",
        lambda dataset, window: read.append(window) or dataset.read(window=window),
    )
    file = RasterFile(str(path), "a", 10, "JP2OpenJPEG")
    rasters = Rasters(keep=tmp_path / "kept")
    windows = [
        Window(c, r, min(20, 100 - c), min(20, 90 - r))
        for r in range(0, 90, 20)
        for c in range(0, 100, 20)
    ]
    for _ in range(2):
        with ThreadPoolExecutor(4) as pool:
            for window, block in zip(
                windows, pool.map(partial(rasters.read, file), windows), strict=True
            ):
                np.testing.assert_array_equal(block[0], values[window.toslices()])
    tiles = 3 * 4
    assert len(read) == 2 * tiles if most_bytes > 3000 else len(read) > 2 * tiles
    assert not list((tmp_path / "kept").glob("*"))


def test_few_files_stay_open(safe):
    rasters = Rasters(most_idle=3)
    files = list(describe_safe(safe).files.values())
    for file in files * 2:
        rasters.read(file, Window(0, 0, 2, 2))
    assert rasters.idle == 3
    with rasters.borrow(files[-1]) as one, rasters.borrow(files[-1]) as other:
        assert one is not other
    rasters.close([files[-1]])
    assert rasters.idle == 1
    rasters.close()
    assert rasters.idle == 0


# ---- special values and flags -------------------------------------------------------------------


def test_fill_and_saturated_numbers_are_no_data(tmp_path, small):
    small["B04"][2, 3] = 0
    small["B04"][4, 5] = 65535
    small["B04"][5, 5] = 1
    with open_product(write_safe(tmp_path, small), ["B04"]) as product:
        found = product.read_reflectance(WHOLE)[0]
    assert set(zip(*np.nonzero(np.isnan(found)), strict=True)) == {(2, 3), (4, 5)}
    # What is darker than the offset stays data.
    assert found[5, 5] == np.float32((1 - 1000) / 10000)


def test_half_of_an_averaged_pixel_must_be_seen(tmp_path, small):
    small["B04"][:] = 2000
    small["B04"][:2, :2] = [[0, 0], [4000, 65535]]
    small["B04"][:2, 2:4] = [[0, 3000], [0, 5000]]
    with open_product(write_safe(tmp_path, small), ["B04"], 20) as product:
        found = product.read_reflectance(Window(0, 0, 3, 1))[0, 0]
    np.testing.assert_array_equal(found, np.float32([np.nan, 0.3, 0.1]))


def test_flags_of_the_scene_classification(tmp_path, small):
    small["SCL"].ravel()[:12] = range(12)
    expected = {"fill": {0}, "saturation": {1}, "cloud_shadow": {3}, "water": {6}}
    expected |= {"cloud": {8, 9}, "cirrus": {10}, "snow": {11}, "dilated_cloud": set()}
    names = [flag for flag in FLAGS if not flag.startswith("qa60")]
    assert set(expected) == set(names)
    with open_product(write_safe(tmp_path, small), ["B04"]) as product:
        found = product.read_flags(WHOLE, names)
        mask = product.read_flags(WHOLE, ["snow", "fill"]).any(axis=0)
        assert product.absent_flags == ("dilated_cloud",)
        with pytest.raises(InputError, match=r"'frost' is unknown.*cloud_shadow"):
            product.read_flags(WHOLE, ["frost"])
    for name, layer in zip(names, found, strict=True):
        values = np.isin(small["SCL"], list(expected[name]))
        np.testing.assert_array_equal(layer, on_10m(values))
    np.testing.assert_array_equal(mask, on_10m(np.isin(small["SCL"], [0, 11])))


def test_flags_on_a_coarser_grid(tmp_path, small):
    """One cloudy pixel of nine clouds the pixel; fill must be all nine."""
    small["SCL"][:3, :6] = 0
    small["SCL"][0, 3] = 9
    with open_product(write_safe(tmp_path, small), ["B04"], 60) as product:
        cloud, fill = product.read_flags(Window(0, 0, 3, 1), ["cloud", "fill"])
    np.testing.assert_array_equal(cloud, [[False, True, False]])
    np.testing.assert_array_equal(fill, [[True, False, False]])


@pytest.mark.parametrize("form", ["bits", "classes"])
def test_flags_of_the_level_1_cloud_mask(tmp_path, small, form):
    rows, columns = shape_of("QA60")
    clouds, cirrus = np.zeros((2, rows, columns), bool)
    clouds[0, 1] = clouds[2, 2] = cirrus[2, 2] = cirrus[3, 0] = True
    if form == "bits":
        small["QA60"] = (clouds * 1024 + cirrus * 2048).astype(np.uint16)
    else:
        small["QA60"] = np.stack([clouds, cirrus, ~clouds]).astype(np.uint8)
    with open_product(write_safe(tmp_path, small), ["B04"]) as product:
        found = product.read_flags(WHOLE, ["qa60_cirrus", "cloud", "qa60_cloud"])
    np.testing.assert_array_equal(found[0], on_10m(cirrus, 60))
    np.testing.assert_array_equal(found[2], on_10m(clouds, 60))
    assert not found[1].any()


def test_a_cloud_mask_that_is_not_there_is_not_silently_empty(safe):
    with open_product(safe) as product, pytest.raises(InputError, match="neither QA60 nor MSK"):
        product.read_flags(WHOLE, ["cloud", "qa60_cloud"])


# ---- .zip ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_reads_as_its_folder(tmp_path, images, safe, compression):
    path = pack(write_safe(tmp_path, images), compression)
    with open_product(path) as product, open_product(safe) as expected:
        np.testing.assert_array_equal(
            product.read_reflectance(WHOLE), expected.read_reflectance(WHOLE)
        )
        assert product.notes == expected.notes
    assert {entry.name for entry in tmp_path.iterdir()} == {path.name, path.stem + ".SAFE"}


def test_damaged_zips_are_refused(tmp_path, small):
    path = pack(write_safe(tmp_path, small))
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], content[:-30], b"", b"text"):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"\.zip: is not a whole \.zip"):
            open_product(path, ["B04"])


def test_a_zip_with_a_damaged_image_is_refused(tmp_path, small):
    path = pack(write_safe(tmp_path, small))
    with zipfile.ZipFile(path) as archive:
        member = next(m for m in archive.infolist() if m.filename.endswith("_B04_10m.jp2"))
    content = bytearray(path.read_bytes())
    start = member.header_offset + 30 + len(member.filename)
    content[start : start + member.file_size] = bytes(member.file_size)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"member '.*_B04_10m\.jp2' is damaged"):
        open_product(path, ["B04"])


def test_a_zip_of_two_products_or_none_is_refused(tmp_path, small):
    path = pack(write_safe(tmp_path, small))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other.SAFE/MTD_MSIL2A.xml", "x")
    with pytest.raises(InputError, match=r"holds 2 MTD_MSIL2A\.xml"):
        open_product(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "x")
    with pytest.raises(InputError, match=r"holds no MTD_MSIL2A\.xml"):
        open_product(path)


# ---- bad input of one date ----------------------------------------------------------------------


def test_scene_classification_is_due_where_its_flags_are_asked_for(tmp_path, small):
    del small["SCL"]
    small["B04"][:2, :3] = 0
    with open_product(write_safe(tmp_path, small), ["B04"]) as product:
        window = Window(0, 0, product.grid.width, product.grid.height)
        assert "no SCL: no flag but fill is told" in product.notes
        values = product.read_reflectance(window)
        (fill,) = product.read_flags(window, ["fill"])
        np.testing.assert_array_equal(fill, np.isnan(values[0]))
        assert fill.sum() == 6
        with pytest.raises(
            InputError, match=r"no scene classification \(SCL\), without which cloud"
        ):
            product.read_flags(window, ["fill", "cloud"])


def test_missing_bands_are_named(safe, tmp_path, small):
    with pytest.raises(InputError, match="no image of band B02, B03, B05"):
        open_product(write_safe(tmp_path, small))
    with pytest.raises(InputError, match=r"no reflectance of band B10, B4; choose from B01"):
        open_product(safe, ["B10", "B02", "B4"])
    with pytest.raises(InputError, match=r"\(none named\)"):
        open_product(safe, [])
    with pytest.raises(InputError, match="resolution_m: 30 is none of 10, 20, 60"):
        open_product(safe, resolution_m=30)


def test_level_1_is_refused(tmp_path, small):
    safe = write_safe(tmp_path, small)
    (safe / "MTD_MSIL2A.xml").rename(safe / "MTD_MSIL1C.xml")
    with pytest.raises(InputError, match=r"has no MTD_MSIL2A\.xml; it is a Level-1C product"):
        open_product(safe, ["B04"])
    with pytest.raises(InputError, match="it is a Level-1C product"):
        open_product(pack(safe), ["B04"])
    text = metadata_text(product_name(), PROCESSING_LEVEL="Level-1C")
    with pytest.raises(InputError, match="PROCESSING_LEVEL = Level-1C; Level-2A is needed"):
        open_product(write_safe(tmp_path / "x", small, metadata=text), ["B04"])


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"PROCESSING_LEVEL": None}, "element PROCESSING_LEVEL is missing"),
        ({"PRODUCT_URI": None}, "element PRODUCT_URI is missing"),
        ({"PRODUCT_START_TIME": "yesterday"}, "PRODUCT_START_TIME = yesterday is no time"),
        ({"SPACECRAFT_NAME": "Sentinel-3A"}, "spacecraft Sentinel-3A is unknown"),
        ({"BOA_QUANTIFICATION_VALUE": None}, "BOA_QUANTIFICATION_VALUE is missing"),
        ({"BOA_QUANTIFICATION_VALUE": "0"}, "VALUE = 0 lies outside of 2500 to 40000"),
        ({"BOA_QUANTIFICATION_VALUE": "many"}, "= many is not a number"),
        ({"PROCESSING_BASELINE": "newest"}, "PROCESSING_BASELINE = newest is not a number"),
        ({"offsets": {}}, r"BOA_ADD_OFFSET is missing, but baseline 05\.11 has offsets"),
        ({"offsets": {0: "-1000"}}, "no BOA_ADD_OFFSET of band B04"),
        ({"offsets": {3: "nan"}}, "BOA_ADD_OFFSET = nan is not a number"),
    ],
)
def test_bad_metadata_is_named(tmp_path, small, changes, match):
    safe = write_safe(tmp_path, small, metadata=metadata_text(product_name(), **changes))
    with pytest.raises(InputError, match=match):
        open_product(safe, ["B04"])


def test_bad_granule_metadata_is_named(tmp_path, small):
    safe = write_safe(tmp_path, small, granule=granule_text(sun_zenith=None))
    with pytest.raises(InputError, match=r"MTD_TL\.xml: element Mean_Sun_Angle/ZENITH_ANGLE"):
        open_product(safe, ["B04"])
    next(safe.glob("GRANULE/*/MTD_TL.xml")).unlink()
    with pytest.raises(InputError, match=r"holds no GRANULE/\*/MTD_TL\.xml"):
        open_product(safe, ["B04"])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "declares entities; refused"),
        ("<!DOCTYPE a SYSTEM 'file:///etc/hostname'><a/>", "element PROCESSING_LEVEL is missing"),
        ("<n1:a><b></n1:a>", "is not whole XML"),
        (" " * (9 << 20), "is larger than 8 MiB"),
    ],
)
def test_xml_that_could_do_harm_is_refused(tmp_path, small, text, match):
    with pytest.raises(InputError, match=rf"MTD_MSIL2A\.xml: .*{match}"):
        open_product(write_safe(tmp_path, small, metadata=text), ["B04"])


@pytest.mark.parametrize(("level", "baseline"), [("Level-2A", "02.08"), ("Level-2Ap", "02.05")])
def test_the_format_of_2017_and_2018_reads_as_today_s(tmp_path, small, level, baseline):
    today = write_safe(tmp_path / "today", small, baseline=baseline, offsets={})
    text = metadata_text(today.stem, baseline, {}, PROCESSING_LEVEL=level)
    old = write_safe(tmp_path / "old", small, baseline=baseline, metadata=text)
    make_old(old)
    with open_product(today, ["B04"]) as one, open_product(old, ["B04"]) as two:
        window = Window(0, 0, one.grid.width, one.grid.height)
        for attribute in ("product_id", "tile", "collection", "calibrations", "acquired", "notes"):
            assert getattr(one, attribute) == getattr(two, attribute)
        np.testing.assert_array_equal(one.read_reflectance(window), two.read_reflectance(window))


def test_images_that_do_not_lie_on_each_other_are_refused(tmp_path, small):
    safe = write_safe(tmp_path, small)
    path = next(safe.glob("GRANULE/*/IMG_DATA/R20m/*_SCL_20m.jp2"))
    shifted = (CORNER_M[0] + 10, CORNER_M[1])
    for corner, pixel_m, crs, match in (
        (shifted, 20, "EPSG:32723", "its pixels are shifted"),
        (CORNER_M, 20, "EPSG:32724", "reference system EPSG:327"),
        (CORNER_M, 10, "EPSG:32723", "its pixels are 10 x 10; 20 m, north up, are due"),
        ((40.0, -10.0), 20, "EPSG:4326", "no projected reference system"),
    ):
        path.unlink()
        write_jp2(path, small["SCL"], pixel_m, corner, crs)
        with pytest.raises(InputError, match=match):
            open_product(safe, ["B04"])
    path.unlink()
    write_jp2(path, small["SCL"][:-2], 20)
    with pytest.raises(InputError, match="36x24 pixels where 36x20 are expected"):
        open_product(safe, ["B04"])
    with pytest.raises(InputError, match="no whole number of 60 m pixels"):
        open_product(safe, ["B04"], 60)


@pytest.mark.parametrize("keep", [0, 20, 0.5])
def test_truncated_images_are_refused(tmp_path, small, keep):
    small["B04"] = np.random.default_rng(2).integers(1, 9000, (240, 360), dtype=np.uint16)
    small["SCL"] = np.full((120, 180), 4, np.uint8)
    safe = write_safe(tmp_path, small)
    path = next(safe.glob("GRANULE/*/IMG_DATA/R10m/*.jp2"))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(InputError, match=r"_B04_10m\.jp2: cannot be (opened|read).*cut short"):  # noqa: SIM117
        with open_product(safe, ["B04"]) as product:
            product.read_reflectance(Window(0, 0, 360, 240))


# ---- dates --------------------------------------------------------------------------------------


def test_dates_are_sorted_by_time(tmp_path, small):
    write_safe(tmp_path, small, day="20240719")
    other = write_safe(tmp_path / "x", small, day="20230105", spacecraft="B")
    pack(other).rename(tmp_path / "z.zip")
    late = write_safe(tmp_path, small, day="20241231", baseline="04.00")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".part.zip").write_text("half of a download")
    (tmp_path / "x").rename(tmp_path / "no date")
    dates = open_dates(tmp_path, ["B04"])
    assert [date.acquired[:10] for date in dates] == ["2023-01-05", "2024-07-19", "2024-12-31"]
    assert [date.spacecraft[-1] for date in dates] == ["B", "A", "A"]
    with dates[0], dates[1]:
        for date in dates[:2]:
            assert date.read_reflectance(WHOLE).shape == (1, 24, 36)
    # Closing one leaves the others open.
    assert np.isfinite(dates[2].read_reflectance(WHOLE)).all()
    dates[2].close()
    (one,) = open_dates(late, ["B04"])
    assert one.acquired.startswith("2024-12-31")
    with pytest.raises(InputError, match="holds 3 dates; name one"):
        open_product(tmp_path, ["B04"])


@pytest.mark.parametrize(
    ("place", "match"),
    [
        ({"crs": "EPSG:32724"}, r"20240729.*\(against .*20240719.*reference system"),
        ({"corner": (CORNER_M[0] + 60, CORNER_M[1])}, "20240729.*its pixels are shifted"),
    ],
)
def test_dates_on_another_grid_are_refused(tmp_path, small, place, match):
    write_safe(tmp_path, small, day="20240719")
    write_safe(tmp_path, small, day="20240729", **place)
    with pytest.raises(InputError, match=match):
        open_dates(tmp_path, ["B04"])


def test_one_look_in_two_processings_is_refused(tmp_path, small):
    write_safe(tmp_path, small, baseline="05.11")
    write_safe(tmp_path, small, baseline="02.14", offsets=NO_OFFSETS)
    with pytest.raises(InputError, match=r"is the same look as .*02\.14 and 05\.11"):
        open_dates(tmp_path, ["B04"])


def test_one_bad_date_of_many_is_named(tmp_path, small):
    for day in ("20240719", "20240729"):
        write_safe(tmp_path, small, day=day)
    next(tmp_path.glob("*20240729*/GRANULE/*/IMG_DATA/R10m/*_B04_10m.jp2")).unlink()
    with pytest.raises(InputError, match=r"20240729T131249.*has no image of band B04"):
        open_dates(tmp_path, ["B04"])


def test_no_date_is_refused(tmp_path):
    for path in (tmp_path / "none", tmp_path / "none.zip"):
        with pytest.raises(InputError, match="does not exist"):
            open_dates(path)
    with pytest.raises(InputError, match="holds no Sentinel-2 date"):
        open_dates(tmp_path)
    (tmp_path / "a.tif").write_bytes(b"x")
    with pytest.raises(InputError, match=re.escape("a.tif: holds no Sentinel-2 date")):
        open_dates(tmp_path / "a.tif")
    (tmp_path / "b.SAFE").mkdir()
    with pytest.raises(InputError, match=r"b\.SAFE: has no MTD_MSIL2A\.xml"):
        open_dates(tmp_path)


def add_manifest(safe, algorithm="SHA3-256"):
    """A manifest.safe with the checksum of every file."""
    digest = {"SHA3-256": hashlib.sha3_256, "MD5": hashlib.md5}[algorithm]
    entries = "".join(
        f'<byteStream><fileLocation href="./{path.relative_to(safe).as_posix()}"/>'
        f'<checksum checksumName="{algorithm}">{digest(path.read_bytes()).hexdigest().upper()}'
        "</checksum></byteStream>"
        for path in safe.rglob("*")
        if path.is_file()
    )
    (safe / "manifest.safe").write_text(f"<a>{entries}</a>")


@pytest.mark.parametrize("algorithm", ["SHA3-256", "MD5"])
def test_images_that_are_exchanged_differ_from_the_checksums_of_the_manifest(tmp_path, algorithm):
    wanted = ("B02", "B03", "B04", "SCL")
    safe = write_safe(tmp_path, {k: v for k, v in numbers().items() if k in wanted})
    add_manifest(safe, algorithm)
    with open_product(safe, ["B02", "B03"]) as product:
        assert product.bands.names == ("B02", "B03")
    (one,), (other,) = (list(safe.rglob(f"*_{band}_10m.jp2")) for band in ("B03", "B04"))
    shutil.copy(other, one)
    with pytest.raises(InputError, match=r"_B03_10m\.jp2: is not the file that the product was"):
        open_product(safe, ["B02", "B03"])
    # Nobody looks at an image that nobody asks for.
    with open_product(safe, ["B02"]) as product:
        assert product.bands.names == ("B02",)


def test_metadata_that_somebody_changed_differ_from_the_manifest(tmp_path, small):
    safe = write_safe(tmp_path, small)
    add_manifest(safe)
    metadata = safe / "MTD_MSIL2A.xml"
    metadata.write_text(metadata.read_text().replace("10000", "20000"))
    with pytest.raises(InputError, match=r"MTD_MSIL2A\.xml: is not the file"):
        open_product(safe)
