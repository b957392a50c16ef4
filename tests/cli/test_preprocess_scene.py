"""preprocess_scene: the cube and its record, from products of all kinds and from bad ones."""

import json
import subprocess
import sys
from pathlib import Path

import aster_products as aster
import enmap_products as enmap
import geopandas
import landsat_products as products
import numpy as np
import pytest
import rasterio
from affine import Affine
from shapely.geometry import box

import preprocess_scene
from gossan.errors import InputError
from gossan.raster import read_info

LIBRARY = Path(__file__).parents[2] / "resources" / "static" / "analytic_library.csv"
MASK = ("cloud", "dilated_cloud", "cloud_shadow", "cirrus", "snow", "saturation")
CHOICES = ("--atmosphere", "none", "--normalisation", "clip", "--mask", *MASK)
CLIP = "landsat/LC08_L1TP_195025_20130707_C1_clip41px"


def run_tool(root: Path, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, root / "scripts" / "preprocess_scene.py", *arguments]
    return subprocess.run([str(part) for part in command], capture_output=True, text=True)


def preprocess(product: Path, folder: Path, *more: object) -> tuple[np.ndarray, dict, Path]:
    """Run the tool in this process: the cube's reflectance, its record and its path."""
    folder.mkdir(exist_ok=True)
    cube, record = folder / "cube.tif", folder / "cube.json"
    words = ["--sensor", "landsat", "--product", product, "--cube", cube, "--record", record]
    words += ["--threads", 2, *CHOICES, *more]
    preprocess_scene.main(preprocess_scene.build_parser().parse_args([str(w) for w in words]))
    with rasterio.open(cube) as dataset:
        stored = dataset.read()
        assert dataset.nodata == -32768
        assert set(dataset.dtypes) == {"int16"}
    values = np.where(stored == -32768, np.nan, stored * 1e-4)
    return values, json.loads(record.read_text()), cube


def scene(rows: int = 60, columns: int = 70) -> np.ndarray:
    """Stored numbers with reflectance 4e-5 Q - 0.2 (sun at 30°) of 0.1 to 0.5, no two alike."""
    ramp = np.linspace(7500, 17500, rows * columns).reshape(rows, columns)
    return np.stack([ramp + 10 * band for band in range(7)]).astype(np.uint16)


def test_cube_holds_calibrated_masked_reflectance(tmp_path):
    stored = scene()
    stored[0, 3, 4] = 0
    stored[1, 5, 5] = 65535
    stored[2, 6, 6] = 1
    quality = np.full((60, 70), 21824, dtype=np.uint16)
    quality[10:20, 10:20] = 22280
    quality[15:25, 15:25] |= 16
    quality[0, 0] = 1
    product = products.write_product(tmp_path, stored, quality=quality)
    values, record, cube = preprocess(
        product, tmp_path / "out", "--mask", "cloud", "cloud_shadow", "--block-px", 32
    )
    expected = 4e-5 * stored - 0.2
    expected[:, 3, 4] = np.nan
    expected[:, 0, 0] = np.nan
    expected[:, 10:20, 10:20] = np.nan
    expected[:, 15:25, 15:25] = np.nan
    np.testing.assert_allclose(values, np.clip(expected, 0, 1), atol=0.5001e-4)
    assert values[1, 5, 5] == 1
    assert values[2, 6, 6] == 0

    assert record["pixels"] == {"total": 4200, "observed": 4198, "valid": 4198 - 175}
    assert record["masked"]["cloud"] == {"pixels": 100, "share_of_observed": 100 / 4198}
    assert record["masked"]["cloud_shadow"]["pixels"] == 100
    assert record["atmosphere"] == "none"
    assert record["corrections"] == []
    assert record["synthetic"] is False
    assert record["notes"] == []
    assert record["bands"][5] == {"name": "B6", "centre_um": 1.60909, "fwhm_um": 0.08466}

    info = read_info(cube)
    assert info.scale == 1e-4
    assert info.grid.transform == products.TRANSFORM
    assert info.bands.names == products.BANDS
    assert info.bands.centre_um[0] == 0.44298
    assert info.bands.fwhm_um[6] == 0.18672
    assert {key: info.tags[key] for key in ("SENSOR", "ACQUIRED", "ATMOSPHERE", "SYNTHETIC")} == {
        "SENSOR": "Landsat-8 OLI_TIRS",
        "ACQUIRED": "2024-07-19T05:40:11.123456Z",
        "ATMOSPHERE": "none",
        "SYNTHETIC": "no",
    }
    assert info.tags["SUN_ELEVATION_DEG"] == "30.0"
    assert info.tags["PRODUCT_ID"] == products.product_name()


@pytest.mark.parametrize("container", ["folder", "tar", "tar.gz"])
def test_containers_and_collections_give_the_same_cube(tmp_path, container):
    cubes = []
    for collection in (1, 2):
        folder = tmp_path / str(collection)
        product = products.write_product(
            folder, scene(), collection=collection, container=container
        )
        cubes.append(preprocess(product, tmp_path / f"out{collection}")[0])
    np.testing.assert_array_equal(*cubes)
    np.testing.assert_allclose(cubes[0], 4e-5 * scene() - 0.2, atol=0.5001e-4)


@pytest.mark.parametrize("method", ["dos1", "cost"])
def test_dark_objects_by_hand(tmp_path, method):
    stored = scene()
    # Ten dark pixels at 4e-5 · 6250 - 0.2 = 0.05 at the top of the atmosphere; sun at 30°, which of
    # COST makes T 0.5 up to 1 µm.
    stored[:, 0, :10] = 6250
    product = products.write_product(tmp_path, stored)
    values, record, cube = preprocess(
        product, tmp_path / "out", "--atmosphere", method, "--block-px", 16
    )
    top = 4e-5 * stored - 0.2
    short = np.array([band["centre_um"] <= 1 for band in record["bands"]])
    down = np.where(short & (method == "cost"), 0.5, 1.0)[:, None, None]
    path = np.minimum.accumulate(0.05 - 0.01 * down)
    np.testing.assert_allclose(values, np.clip((top - path) / down, 0, 1), atol=0.51e-4)
    np.testing.assert_allclose(values[:, 0, 0], 0.01, atol=1e-9)
    (correction,) = record["corrections"]
    assert correction["method"] == method
    assert correction["dark_object"] == dict.fromkeys(products.BANDS, 0.05)
    assert record["atmosphere"] == read_info(cube).tags["ATMOSPHERE"] == method
    assert f"{method} takes off haze alone" in record["notes"][0]


def test_dark_objects_may_lie_in_masked_shadow(tmp_path):
    stored = scene()
    stored[:, 0, :10] = 6250
    quality = np.full((60, 70), 21824, dtype=np.uint16)
    quality[0, :10] |= 16
    product = products.write_product(tmp_path, stored, quality=quality)
    values, record, _ = preprocess(product, tmp_path / "out", "--atmosphere", "dos1")
    assert record["corrections"][0]["dark_object"]["B4"] == 0.05
    assert np.isnan(values[:, 0, :10]).all()


def test_level_2_passes_through_with_a_note(tmp_path):
    product = products.write_product(tmp_path, scene(), level="L2SP", origin="gossan twin")
    values, record, cube = preprocess(product, tmp_path / "out", "--atmosphere", "dos1")
    np.testing.assert_allclose(values, 2.75e-5 * scene() - 0.2, atol=0.5001e-4)
    assert record["corrections"] == []
    assert record["atmosphere"] == "L2SP"
    assert "dos1 was skipped" in record["notes"][0]
    assert record["synthetic"] is True
    assert read_info(cube).tags["SYNTHETIC"] == "yes"


@pytest.mark.parametrize("container", ["folder", "tar", "tar.gz"])
def test_collection_1_surface_reflectance_passes_through(tmp_path, container):
    stored = (scene() // 4).astype(np.int16)
    stored[3, 0, 0], stored[4, 0, 1], stored[5, 0, 2] = -9999, 20000, -150
    quality = np.full((60, 70), products.LASRC_CLEAR, dtype=np.uint16)
    quality[10:20, 10:20] = 0b11100000
    product = products.write_product(
        tmp_path, stored, collection=1, level="L2SR", quality=quality, container=container
    )
    values, record, cube = preprocess(product, tmp_path / "out", "--atmosphere", "dos1")
    expected = np.clip(stored * 1e-4, 0, 1)
    expected[:, 0, :2] = np.nan
    expected[:, 10:20, 10:20] = np.nan
    np.testing.assert_allclose(values, expected, atol=1e-9)
    assert record["level"] == record["atmosphere"] == read_info(cube).tags["ATMOSPHERE"] == "L2SR"
    assert record["corrections"] == []
    assert "dos1 was skipped" in record["notes"][0]
    assert record["notes"][1:] == ["Collection 1 has no flag dilated_cloud; it masks nothing"]
    assert record["pixels"] == {"total": 4200, "observed": 4199, "valid": 4199 - 101}
    assert record["masked"]["saturation"]["pixels"] == 1
    assert record["masked"]["cloud"]["pixels"] == 100


def test_no_normalisation_keeps_what_lies_outside(tmp_path):
    stored = scene()
    stored[:, 0, 0] = 4000
    stored[:, 0, 1] = 40000
    product = products.write_product(tmp_path, stored)
    values, record, _ = preprocess(product, tmp_path / "out", "--normalisation", "none")
    np.testing.assert_allclose(values[:, 0, 0], -0.04, atol=1e-4)
    np.testing.assert_allclose(values[:, 0, 1], 1.4, atol=1e-4)
    assert record["normalisation"] == "none"


def test_collection_1_says_which_flags_it_lacks(tmp_path):
    product = products.write_product(tmp_path, scene(), collection=1)
    _, record, _ = preprocess(product, tmp_path / "out", "--mask", "cloud", "dilated_cloud")
    assert record["notes"] == ["Collection 1 has no flag dilated_cloud; it masks nothing"]


def test_empty_mask_masks_nothing(tmp_path):
    quality = np.full((60, 70), 22280, dtype=np.uint16)
    product = products.write_product(tmp_path, scene(), quality=quality)
    values, record, _ = preprocess(product, tmp_path / "out", "--mask")
    assert record["masked"] == {}
    assert np.isfinite(values).all()


def test_bytes_do_not_depend_on_threads_or_blocks(tmp_path):
    product = products.write_product(tmp_path, scene())
    found = []
    for name, threads, block in (("a", 1, 512), ("b", 2, 512), ("c", 2, 16)):
        *_, cube = preprocess(
            product,
            tmp_path / name,
            *("--threads", threads, "--block-px", block, "--atmosphere", "dos1"),
        )
        found.append((cube.read_bytes(), cube.with_suffix(".json").read_bytes()))
    assert found[0] == found[1] == found[2]


def test_real_clip_on_the_command_line(root, tmp_path, shared_data):
    cube, record = tmp_path / "cube.tif", tmp_path / "cube.json"
    done = run_tool(
        root,
        *("--sensor", "landsat", "--product", shared_data(CLIP), *CHOICES, "--atmosphere", "dos1"),
        *("--cube", cube, "--record", record, "--threads", 2),
    )
    assert done.returncode == 0, done.stderr
    with rasterio.open(cube) as dataset:
        values = dataset.read() * 1e-4
    assert values.shape == (7, 41, 41)
    facts = json.loads(record.read_text())
    assert facts["pixels"] == {"total": 1681, "observed": 1681, "valid": 1681}
    # Green plants: dark in the visible, bright in the near infrared.
    assert np.median(values[3]) < 0.1 < 0.2 < np.median(values[4])
    paths = list(facts["corrections"][0]["path_reflectance"].values())
    assert paths == sorted(paths, reverse=True)
    assert 0.05 < paths[0] < 0.12


# --- methods that look at the scene more than once, subsets, and what is measured -------------

CHAIN = ("--atmosphere", "iarr", "log_residuals", "quac", "--library", LIBRARY)


def varied(rows: int = 64, columns: int = 76) -> np.ndarray:
    """Stored numbers of fields of 4 x 4 pixels with spectra of all shapes, a little noise."""
    generator = np.random.default_rng(11)
    fields = generator.uniform(0.03, 0.6, (7, rows // 4, columns // 4))
    reflectance = np.kron(fields, np.ones((1, 4, 4))) + generator.normal(
        0, 0.004, (7, rows, columns)
    )
    return np.rint((reflectance.clip(0.01, 0.9) + 0.2) / 4e-5).astype(np.uint16)


def test_sequence_with_minmax_spans_0_to_1_and_is_recorded(tmp_path):
    stored = varied()
    stored[:, 5, 5] = 4500
    product = products.write_product(tmp_path, stored)
    values, record, cube = preprocess(
        product, tmp_path / "out", *CHAIN, "--normalisation", "minmax", "--block-px", 24
    )
    assert (np.nanmin(values, axis=(1, 2)) == 0).all()
    assert (np.nanmax(values, axis=(1, 2)) == 1).all()
    # 4500 is a reflectance of -0.02: it has no logarithm.
    assert np.isnan(values[:, 5, 5]).all()
    assert record["pixels"] == {"total": 4864, "observed": 4864, "valid": 4863}
    assert [entry["method"] for entry in record["corrections"]] == list(CHAIN[1:4])
    assert record["corrections"][1]["nonpositive_pixels"] == 1
    assert record["atmosphere"] == read_info(cube).tags["ATMOSPHERE"] == "iarr log_residuals quac"
    assert record["normalisation"] == read_info(cube).tags["NORMALISATION"] == "minmax"
    assert set(record["normalisation_range"]) == {"minimum", "maximum"}

    assert [stage["stage"] for stage in record["stages"]] == ["toa", *CHAIN[1:4]]
    toa, iarr, *_ = record["stages"]
    assert set(toa["snr"]) == set(toa["mean_over_std"]) == set(products.BANDS)
    np.testing.assert_allclose(toa["noise"]["B4"], 0.004, rtol=0.1)
    np.testing.assert_allclose(iarr["mean"]["B4"], 1.0, atol=1e-5)
    # A gain per band changes no signal-to-noise ratio.
    np.testing.assert_allclose(iarr["snr"]["B4"], toa["snr"]["B4"], rtol=0.02)

    for when in ("before", "after"):
        assert all(
            sum(one["counts"]) == 4863 and len(one["counts"]) <= 64
            for one in record["histograms"][when].values()
        )
    after = record["histograms"]["after"]["B1"]
    assert after["low"] == -5e-5
    assert after["low"] + after["width"] * len(after["counts"]) >= 1.0
    assert record["beyond_cube_range"] == dict.fromkeys(products.BANDS, 0)


def test_sequence_does_not_depend_on_threads_or_blocks(tmp_path):
    product = products.write_product(tmp_path, varied())
    found = []
    for name, threads, block in (("a", 1, 512), ("b", 2, 512), ("c", 2, 16), ("d", 2, 15)):
        *_, cube = preprocess(
            product,
            tmp_path / name,
            *(*CHAIN, "--normalisation", "minmax", "--threads", threads, "--block-px", block),
        )
        found.append((cube.read_bytes(), cube.with_suffix(".json").read_bytes()))
    assert found[0] == found[1] == found[2] == found[3]


def test_minmax_after_log_residuals_forgets_iarr_and_quac(tmp_path):
    product = products.write_product(tmp_path, varied())
    long, *_ = preprocess(product, tmp_path / "a", *CHAIN, "--normalisation", "minmax")
    short, *_ = preprocess(
        product, tmp_path / "b", "--atmosphere", "log_residuals", "--normalisation", "minmax"
    )
    np.testing.assert_allclose(long, short, atol=1.1e-4)


def test_aster_short_wave_infrared_through_the_sequence(tmp_path):
    size = (61, 49)
    images = aster.numbers(3, size)
    images["6"][5, 7] = 0
    product = aster.write_hdf(tmp_path / "aster.hdf", images, size=size)
    values, record, cube = preprocess(
        product,
        tmp_path / "out",
        *("--sensor", "aster", "--bands", *aster.GROUPS["SWIR"], "--mask"),
        *(*CHAIN, "--normalisation", "minmax"),
    )
    assert values.shape == (6, 49, 61)
    assert read_info(cube).bands.names == aster.GROUPS["SWIR"]
    assert record["sensor"] == "Terra ASTER"
    assert [stage["stage"] for stage in record["stages"]] == ["toa", *CHAIN[1:4]]
    # 1 is a radiance of 0, which has no logarithm, and 0 is no data.
    dark = sum((images[band] <= 1).astype(int) for band in aster.GROUPS["SWIR"]) > 0
    np.testing.assert_array_equal(np.isnan(values).all(axis=0), dark)
    assert record["corrections"][1]["nonpositive_pixels"] == dark.sum() - 1
    assert np.nanmin(values) == 0
    assert np.nanmax(values) == 1


def test_enmap_without_metadata_becomes_a_cube_that_says_so(tmp_path):
    image = enmap.numbers(bands=224)
    quality = enmap.layers()
    quality["QL_QUALITY_CLOUD"][2, 3] = 1
    del quality["QL_QUALITY_HAZE"]
    product = enmap.write_product(tmp_path, image, quality)
    (product / f"{enmap.NAME}-METADATA.XML").unlink()
    values, record, cube = preprocess(
        *(product, tmp_path / "out", "--sensor", "enmap", "--atmosphere", "dos1"),
        *("--normalisation", "none", "--mask", "cloud"),
    )
    expected = np.delete(image, enmap.EMPTY_PLACE - 1, axis=0) * 1e-4
    expected[:, 2, 3] = np.nan
    np.testing.assert_allclose(values, expected, atol=1e-9)
    assert (record["level"], record["atmosphere"]) == ("L2A", "L2A")
    assert record["acquired"] == "2022-11-03T16:24:38Z"
    assert "sun_elevation_deg" not in record
    assert "SUN_ELEVATION_DEG" not in read_info(cube).tags
    assert [note.split(":")[0] for note in record["notes"]] == [
        "dos1 was skipped",
        "METADATA.XML is missing",
        "bands left out (no data)",
        "no QL_QUALITY_HAZE",
    ]


def test_every_cube_tells_its_stages(tmp_path):
    product = products.write_product(tmp_path, varied())
    _, record, _ = preprocess(product, tmp_path / "a", "--atmosphere", "dos1")
    assert [stage["stage"] for stage in record["stages"]] == ["toa", "dos1"]
    _, record, _ = preprocess(product, tmp_path / "b")
    assert [stage["stage"] for stage in record["stages"]] == ["toa"]
    surface = products.write_product(tmp_path / "l2", varied(), level="L2SP")
    _, record, _ = preprocess(surface, tmp_path / "c", "--atmosphere", "dos1")
    assert [stage["stage"] for stage in record["stages"]] == ["surface"]


def test_values_beyond_what_the_cube_holds_are_counted(tmp_path):
    stored = np.full((7, 60, 70), 5500, dtype=np.uint16)
    stored[:, 0, :3] = 20000
    product = products.write_product(tmp_path, stored)
    values, record, _ = preprocess(
        product, tmp_path / "out", "--atmosphere", "iarr", "--normalisation", "none"
    )
    assert record["beyond_cube_range"] == dict.fromkeys(products.BANDS, 3)
    np.testing.assert_allclose(values[:, 0, :3], 3.2767)


def test_window_is_the_crop_of_the_whole(tmp_path):
    product = products.write_product(tmp_path, scene())
    whole, *_ = preprocess(product, tmp_path / "whole")
    part, record, cube = preprocess(
        product,
        tmp_path / "part",
        *("--bands", "B7", "B4", "B1", "--window", 11, 7, 33, 21, "--block-px", 16),
    )
    np.testing.assert_array_equal(part, whole[[6, 3, 0], 7:28, 11:44])
    assert record["subset"] == {"window": [11, 7, 33, 21]}
    assert record["pixels"]["total"] == 33 * 21
    assert [band["name"] for band in record["bands"]] == ["B7", "B4", "B1"]
    info = read_info(cube)
    assert info.bands.names == ("B7", "B4", "B1")
    assert info.bands.centre_um[2] == 0.44298
    assert info.grid.transform == products.TRANSFORM @ Affine.translation(11, 7)


def test_statistics_are_those_of_the_part(tmp_path):
    stored = scene()
    product = products.write_product(tmp_path, stored)
    values, *_ = preprocess(
        product,
        tmp_path / "out",
        *("--atmosphere", "iarr", "--normalisation", "none", "--window", 10, 10, 20, 20),
    )
    top = (4e-5 * stored - 0.2)[:, 10:30, 10:30]
    np.testing.assert_allclose(values, top / top.mean(axis=(1, 2), keepdims=True), atol=0.51e-4)


def test_outside_a_polygon_is_nodata(tmp_path):
    product = products.write_product(tmp_path, scene())
    whole, *_ = preprocess(product, tmp_path / "whole")
    west, north = products.TRANSFORM @ (10, 8)
    shape = box(west, north - 30 * 20, west + 30 * 25, north).buffer(-1.0)
    shape -= box(west, north - 90, west + 90, north)
    geopandas.GeoDataFrame(geometry=[shape], crs=products.CRS).to_file(tmp_path / "area.gpkg")
    part, record, _ = preprocess(
        product, tmp_path / "part", "--polygon", tmp_path / "area.gpkg", "--block-px", 16
    )
    expected = whole[:, 8:28, 10:35].copy()
    expected[:, :3, :3] = np.nan
    np.testing.assert_array_equal(part, expected)
    assert record["subset"] == {"window": [10, 8, 25, 20], "polygon": "area.gpkg"}
    assert record["pixels"] == {"total": 500, "observed": 491, "valid": 491}


def test_bands_and_quality_that_are_not_there_are_noted(tmp_path):
    product = products.write_product(tmp_path, scene())
    whole, *_ = preprocess(product, tmp_path / "whole")
    for name in ("B1", "quality", "saturation"):
        (product / products.band_file(name, product.name)).unlink()
    values, record, _ = preprocess(product, tmp_path / "out", "--atmosphere", "none")
    np.testing.assert_array_equal(values, whole[1:])
    assert record["notes"] == [
        "the product has no file of B1: read without it",
        "no QA_PIXEL file: dilated_cloud, cirrus, cloud, cloud_shadow, snow, water mask nothing",
        "no QA_RADSAT file: saturation masks nothing",
    ]
    assert {item["pixels"] for item in record["masked"].values()} == {0}
    more = ("--bands", "B7", "B6", "--ndvi-max", 1.0)
    part, record, _ = preprocess(product, tmp_path / "part", *more)
    np.testing.assert_array_equal(part, whole[[6, 5]])
    with pytest.raises(InputError, match=r"_B1\.TIF: is missing, but"):
        preprocess(product, tmp_path / "none", "--bands", "B1", "B2")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--window", 60, 0, 20, 20), "window 60 0 20 20: reaches outside of the scene"),
        (("--bands", "B1", "B99"), "band B99 is unknown in"),
        (("--polygon", "nowhere.gpkg"), "nowhere.gpkg: no such file of polygons"),
        (("--atmosphere", "iarr"), "clip would cut half"),
        (("--ndvi-max", 3), "ndvi-max 3 is no NDVI"),
        (("--ndvi-max", -1), "mask every pixel"),
        (("--atmosphere", "quac"), "the library has 0 of its materials"),
        (("--atmosphere", "log_residuals", "--bands", "B1", "--normalisation", "none"), "B1 alone"),
    ],
)
def test_bad_choices_end_without_output(tmp_path, more, words):
    product = products.write_product(tmp_path, scene())
    with pytest.raises(InputError, match=words):
        preprocess(product, tmp_path / "out", *more)
    assert not list((tmp_path / "out").iterdir())


def test_vegetation_is_masked_also_where_the_cube_lacks_its_bands(tmp_path):
    stored = varied()
    red, infrared = 4e-5 * stored[3:5].astype(float) - 0.2
    product = products.write_product(tmp_path, stored)
    values, record, _ = preprocess(
        *(product, tmp_path / "out", "--ndvi-max", 0.2, "--bands", "B6", "B7"),
        *("--block-px", 16, "--threads", 2),
    )
    plants = (infrared - red) / (infrared + red) > 0.2
    assert 0.1 < plants.mean() < 0.9
    np.testing.assert_array_equal(np.isnan(values), np.stack([plants, plants]))
    assert record["masked"]["vegetation"]["pixels"] == plants.sum()
    assert record["ndvi_max"] == 0.2


def vegetation(values: np.ndarray) -> np.ndarray:
    return (values[4] - values[3]) / (values[4] + values[3])


@pytest.mark.parametrize("bands", [(), ("--bands", "B6", "B7")])
def test_vegetation_is_told_from_corrected_reflectance(tmp_path, bands):
    product = products.write_product(tmp_path, varied())
    plain, *_ = preprocess(product, tmp_path / "plain")
    haze = ("--atmosphere", "dos1")
    whole, *_ = preprocess(product, tmp_path / "whole", *haze)
    values, record, _ = preprocess(product, tmp_path / "out", *haze, *bands, "--ndvi-max", 0.2)
    plants = vegetation(whole) > 0.2
    # Haze hides the contrast of red and infrared, so the product's own numbers show fewer plants.
    assert plants.sum() > (vegetation(plain) > 0.2).sum() + 50
    # Rounding to stored numbers may change a pixel on the edge.
    assert (np.isnan(values[0]) != plants).sum() <= 2
    assert record["masked"]["vegetation"]["pixels"] == np.isnan(values[0]).sum()
    assert record["pixels"]["valid"] == np.isfinite(values[0]).sum()
    left = ~np.isnan(values[0])
    own, *_ = preprocess(product, tmp_path / "own", *haze, *bands)
    np.testing.assert_allclose(values[:, left], own[:, left], atol=1e-4)


def test_ratios_to_the_scenes_mean_are_of_what_vegetation_leaves(tmp_path):
    product = products.write_product(tmp_path, varied())
    more = ("--atmosphere", "dos1", "iarr", "--normalisation", "none", "--ndvi-max", 0.2)
    values, record, _ = preprocess(product, tmp_path / "out", *more)
    whole, *_ = preprocess(product, tmp_path / "whole", "--atmosphere", "dos1")
    assert (np.isnan(values[0]) != (vegetation(whole) > 0.2)).sum() <= 2
    assert np.nanmean(values, axis=(1, 2)) == pytest.approx(np.ones(7), abs=1e-3)
    assert record["masked"]["vegetation"]["pixels"] > 100


@pytest.mark.parametrize("side", [17, 19])
@pytest.mark.parametrize("bytes_per_band", [1, 2, 4])
def test_noise_does_not_depend_on_how_memory_cuts_the_blocks(
    tmp_path, monkeypatch, side, bytes_per_band
):
    product = products.write_product(tmp_path, varied())
    _, whole, _ = preprocess(product, tmp_path / "whole")
    monkeypatch.setattr("gossan.raster.BLOCK_BYTES", side**2 * 7 * bytes_per_band)
    _, cut, _ = preprocess(product, tmp_path / "cut")
    assert cut == whole


def test_constant_band_is_named(tmp_path):
    stored = scene()
    stored[2] = 9000
    product = products.write_product(tmp_path, stored)
    with pytest.raises(InputError, match=r"minmax: band B3 is 0\.16 everywhere"):
        preprocess(product, tmp_path / "out", "--normalisation", "minmax")
    assert not list((tmp_path / "out").iterdir())


# --- bad input ------------------------------------------------------------------------------


def all_nodata(parent: Path) -> Path:
    return products.write_product(parent, np.zeros((7, 60, 70), dtype=np.uint16))


def truncated(parent: Path) -> Path:
    path = products.write_product(parent, scene(), compress=None)
    victim = path / products.band_file("B4", path.name)
    victim.write_bytes(victim.read_bytes()[:5000])
    return path


def without_bands(parent: Path) -> Path:
    path = products.write_product(parent, scene())
    for band in products.BANDS:
        (path / products.band_file(band, path.name)).unlink()
    return path


def without_key(parent: Path) -> Path:
    return products.write_product(
        parent, scene(), edit_mtl=lambda text: text.replace("SUN_ELEVATION", "SUN_ELEVATED")
    )


def shifted(parent: Path) -> Path:
    moved = {"B5": products.TRANSFORM @ Affine.translation(0, 2)}
    return products.write_product(parent, scene(), transforms=moved)


def garbage_tar(parent: Path) -> Path:
    path = parent / "garbage.tar"
    path.write_bytes(b"garbage" * 1000)
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (all_nodata, [products.product_name(), "all pixels are nodata"]),
        (truncated, ["_B4.TIF", "damaged or cut short"]),
        (without_bands, ["_B1.TIF", "is missing"]),
        (without_key, ["_MTL.txt", "key SUN_ELEVATION is missing"]),
        (shifted, ["_B5.TIF", "_B1.TIF", "same grid"]),
        (garbage_tar, ["garbage.tar", "neither a folder nor a whole .tar"]),
    ],
)
def test_bad_product_ends_with_one_line_and_no_output(root, tmp_path, make, words):
    product = make(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    done = run_tool(
        root,
        *("--sensor", "landsat", "--product", product, *CHOICES, "--atmosphere", "dos1"),
        *("--cube", out / "cube.tif", "--record", out / "cube.json", "--threads", 1),
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert sum(line.startswith("error: ") for line in done.stderr.splitlines()) == 1
    for word in words:
        assert word in last
    assert not list(out.iterdir())


def test_scene_masked_everywhere_is_refused(tmp_path):
    quality = np.full((60, 70), 22280, dtype=np.uint16)
    product = products.write_product(tmp_path, scene(), quality=quality)
    with pytest.raises(InputError, match="flags cloud mask every pixel"):
        preprocess(product, tmp_path / "out", "--mask", "cloud")
    assert not list((tmp_path / "out").iterdir())


def test_unknown_flag_is_named(tmp_path):
    product = products.write_product(tmp_path, scene())
    with pytest.raises(InputError, match="mask flag 'shade' is unknown"):
        preprocess(product, tmp_path / "out", "--mask", "shade")


def test_help_tells_every_flag(root):
    done = run_tool(root, "--help")
    assert done.returncode == 0
    for flag in ("sensor", "product", "atmosphere", "mask", "normalisation", "cube", "record"):
        assert f"--{flag}" in done.stdout
    for flag in ("library", "bands", "centres-um", "wavelengths-um", "window", "polygon"):
        assert f"--{flag}" in done.stdout
    for flag in ("fwhm-um", "ndvi-max", "block-px", "threads"):
        assert f"--{flag}" in done.stdout
