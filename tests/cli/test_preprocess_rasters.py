"""preprocess_scene on rasters that are on one grid already: any numbers, or reflectance."""

import json

import numpy as np
import pytest
import rasterio
from samples import run_tool, write_raster

from gossan.raster import read_info

CENTRES = (0.56, 0.66, 0.86, 1.61, 2.2)
TAGS = {
    "SENSOR": "Terra ASTER",
    "ACQUIRED": "2002-07-21T06:40:00Z",
    "SUN_ELEVATION_DEG": "30.0",
    "PRODUCT_ID": "AST_1",
    "SYNTHETIC": "yes",
}


@pytest.fixture
def folder(tmp_path):
    generator = np.random.default_rng(3)
    for name in ("B02", "B03"):
        values = generator.uniform(0, 20000, (40, 50)).astype("float64")
        values[:4, :5] = np.nan
        write_raster(tmp_path / f"{name}.tif", values, nodata=np.nan)
    both = np.stack([np.full((40, 50), 7, "uint16"), np.full((40, 50), 9, "uint16")])
    write_raster(tmp_path / "both.tif", both)
    return tmp_path


def spectral(path, centres=CENTRES, tags=None, scale=1e-4, seed=5):
    """Write stored reflectance of 40 x 50 pixels with wavelengths, and return the numbers."""
    stored = np.random.default_rng(seed).integers(500, 6000, (len(CENTRES), 40, 50), "int16")
    stored[:, 0, :10] = 400
    stored[:, :3, 40:] = -32768
    write_raster(path, stored, nodata=-32768, scale=scale, tags=tags or {})
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = [f"R{band}" for band in range(1, len(CENTRES) + 1)]
        for band, centre in enumerate(centres, start=1):
            dataset.update_tags(
                band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=repr(centre), FWHM_UM="0.05"
            )
    return np.where(stored == -32768, np.nan, stored * 1e-4)


def preprocess(folder, product, *more, atmosphere=("none",), normalisation="none"):
    return run_tool(
        *("preprocess_scene", "--sensor", "rasters", "--product", product),
        *("--atmosphere", *atmosphere, "--normalisation", normalisation, "--mask", "cloud"),
        *("--cube", folder / "out/cube.tif", "--record", folder / "out/cube.json", *more),
    )


def read(folder):
    """The cube's values and its record."""
    info = read_info(folder / "out/cube.tif")
    with rasterio.open(folder / "out/cube.tif") as dataset:
        stored = dataset.read()
    values = np.where(stored == info.nodata, np.nan, stored * info.scale)
    return info, values, json.loads((folder / "out/cube.json").read_text())


def test_single_bands_become_a_cube_of_the_same_numbers(folder):
    more = ("--bands", "B03", "B02", "--block-px", 16, "--threads", 2)
    done = preprocess(folder, folder, *more, atmosphere=("dos1",), normalisation="clip")
    assert done.returncode == 0, done.stderr
    info, values, record = read(folder)
    assert info.dtype == "float32"
    assert info.bands.names == ("B03", "B02")
    assert info.tags == {
        "SENSOR": "raster stack",
        "PRODUCT_ID": folder.name,
        "SYNTHETIC": "no",
    }
    for place, name in enumerate(("B03", "B02")):
        with rasterio.open(folder / f"{name}.tif") as dataset:
            np.testing.assert_allclose(values[place], dataset.read(1), rtol=1e-6)
    assert record["pixels"] == {"total": 2000, "observed": 1980, "valid": 1980}
    assert record["synthetic"] is False
    assert record["atmosphere"] == record["normalisation"] == "none"
    assert record["corrections"] == []
    assert record["bands"] == [{"name": "B03"}, {"name": "B02"}]
    assert "neither corrected nor normalised" in record["notes"][0]
    assert "nothing is known of sensor" in record["notes"][1]
    assert record["notes"][2] == "raster stack has no flag cloud; it masks nothing"
    assert "stages" not in record


def test_bands_of_one_file_are_chosen_by_name(folder):
    assert preprocess(folder, folder / "both.tif", "--bands", "band_2").returncode == 0
    assert (read(folder)[1] == 9).all()


def test_rasters_with_wavelengths_are_reflectance(folder):
    expected = spectral(folder / "cube.tif")
    done = preprocess(folder, folder / "cube.tif", atmosphere=("dos1",), normalisation="clip")
    assert done.returncode == 0, done.stderr
    info, values, record = read(folder)
    assert (info.dtype, info.scale) == ("int16", 1e-4)
    assert info.bands.centre_um == CENTRES
    np.testing.assert_allclose(values, expected, atol=1e-9)
    assert record["notes"][0] == "dos1 was skipped: nothing is known of the sun's elevation"
    assert "taken as reflectance as it stands" in record["notes"][1]
    assert record["atmosphere"] == "none"
    assert record["stages"][0]["stage"] == "given"


def test_a_cube_keeps_what_its_tags_say_and_is_corrected_if_nothing_was_done(folder):
    expected = spectral(folder / "top.tif", tags=TAGS)
    assert preprocess(folder, folder / "top.tif", atmosphere=("dos1",)).returncode == 0
    info, values, record = read(folder)
    assert TAGS.items() <= info.tags.items()
    assert record["synthetic"] is True
    assert [item["method"] for item in record["corrections"]] == ["dos1"]
    # The dark object of 0.04: path = 0.04 - 0.01.
    np.testing.assert_allclose(values, expected - 0.03, atol=0.51e-4)

    spectral(folder / "surface.tif", tags=TAGS | {"ATMOSPHERE": "L2A"})
    assert preprocess(folder, folder / "surface.tif", atmosphere=("dos1",)).returncode == 0
    info, _, record = read(folder)
    assert record["level"] == record["atmosphere"] == info.tags["ATMOSPHERE"] == "L2A"
    assert "dos1 was skipped: the product is surface" in record["notes"][0]


def test_wavelengths_may_be_given_where_the_files_have_none(folder):
    expected = spectral(folder / "bare.tif", centres=())
    more = ("--wavelengths-um", *CENTRES, "--fwhm-um", *(0.05,) * 5)
    assert preprocess(folder, folder / "bare.tif", *more).returncode == 0
    info, values, _ = read(folder)
    assert info.bands.centre_um == CENTRES
    assert info.bands.fwhm_um == (0.05,) * 5
    np.testing.assert_allclose(values, expected, atol=1e-9)

    more = ("--bands", "R3", "R2", "--wavelengths-um", 0.86, 0.66, "--ndvi-max", 0.2)
    assert preprocess(folder, folder / "bare.tif", *more).returncode == 0
    info, values, record = read(folder)
    assert info.bands.fwhm_um == (0.2, 0.2)
    assert any("no widths of the bands are told" in note for note in record["notes"])
    red, infrared = expected[1], expected[2]
    plants = (infrared - red) / (infrared + red) > 0.2
    np.testing.assert_array_equal(np.isnan(values[0]), plants | np.isnan(red))


@pytest.mark.parametrize("told", [True, False])
def test_bands_are_chosen_by_wavelength(folder, told):
    expected = spectral(folder / "cube.tif", centres=CENTRES if told else ())
    more = ("--centres-um", 2.21, 2.17, 1.65, 0.4, 1.6)
    more += () if told else ("--wavelengths-um", *CENTRES, "--fwhm-um", *(0.05,) * 5)
    done = preprocess(folder, folder / "cube.tif", *more)
    assert done.returncode == 0, done.stderr
    info, values, record = read(folder)
    assert info.bands.names == ("R4", "R5")
    assert info.bands.centre_um == (1.61, 2.2)
    np.testing.assert_allclose(values, expected[3:], atol=1e-9)
    assert "no band lies near 0.4 µm, which the cube does without" in record["notes"]


def test_relative_corrections_work_on_any_reflectance(folder):
    spectral(folder / "cube.tif")
    atmosphere = ("iarr", "log_residuals")
    done = preprocess(folder, folder / "cube.tif", atmosphere=atmosphere, normalisation="minmax")
    assert done.returncode == 0, done.stderr
    _, values, record = read(folder)
    assert record["atmosphere"] == "iarr log_residuals"
    assert (np.nanmin(values, axis=(1, 2)) == 0).all()


@pytest.mark.parametrize(
    ("product", "more", "words"),
    [
        (".", ("--bands", "B02", "B09"), "B09.tif: no such raster file"),
        (".", ("--bands", "both"), "both.tif: has several bands"),
        ("both.tif", ("--bands", "B02"), "both.tif: has no band B02"),
        ("both.tif", ("--bands", "band_1", "band_1"), "names a band twice"),
        (".", ("--bands", "B02", "B02"), "names a band twice"),
        ("empty.tif", ("--bands", "band_1"), "empty.tif: all pixels are nodata"),
        ("nowhere", (), "nowhere: no such raster file or folder"),
        ("both.tif", ("--wavelengths-um", 0.5), "1 numbers for the 2 bands band_1 band_2"),
        ("both.tif", ("--wavelengths-um", 500, 600), "must be above 0, in micrometres"),
        ("both.tif", ("--fwhm-um", 0.1, 0.1), "goes with wavelengths-um"),
        ("both.tif", ("--wavelengths-um", 0.5, 0.6), "about 8, are no reflectance from 0 to 1"),
        ("both.tif", ("--centres-um", 0.5, 0.6), "have no wavelengths"),
        ("cube.tif", ("--wavelengths-um", *CENTRES), "leave --wavelengths-um out"),
        ("cube.tif", ("--centres-um", 1.6, 1.7, 3.0), "1 of the bands, which lie between 0.56"),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(folder, product, more, words):
    write_raster(folder / "empty.tif", np.zeros((8, 8), "uint8"), nodata=0)
    spectral(folder / "cube.tif")
    done = preprocess(folder, folder / product, *more)
    assert done.returncode == 1
    assert words in done.stderr
    assert not list((folder / "out").glob("*"))


def test_other_sensors_tell_their_own_wavelengths(folder):
    done = preprocess(
        folder, folder / "both.tif", "--sensor", "landsat", "--wavelengths-um", 0.5, 0.6
    )
    assert "products of landsat tell their own" in done.stderr


def test_the_real_stack_of_diamantina_becomes_its_own_numbers(tmp_path, shared_data):
    product = shared_data("diamantina/raster")
    names = ("B04", "B03", "B02", "B06", "B07")
    assert preprocess(tmp_path, product, "--bands", *names).returncode == 0
    info, values, record = read(tmp_path)
    assert (info.dtype, info.bands.names) == ("float32", names)
    assert record["pixels"] == {"total": 21660, "observed": 11418, "valid": 11418}
    for name, band in zip(names, values, strict=True):
        with rasterio.open(product / f"{name}.tif") as dataset:
            own = dataset.read(1).astype("float32")
        np.testing.assert_array_equal(band[np.isfinite(band)], own[np.isfinite(band)])


def test_a_scale_may_be_given_where_the_files_have_none(folder):
    expected = spectral(folder / "bare.tif", scale=1.0)
    done = preprocess(folder, folder / "bare.tif", "--scale", 1e-4)
    assert done.returncode == 0, done.stderr
    _, values, record = read(folder)
    np.testing.assert_allclose(values, expected, atol=1e-9)
    assert record["notes"][0] == "a stored 1 is taken as a reflectance of 0.0001, as was asked for"

    spectral(folder / "bare.tif", centres=(), scale=1.0)
    more = ("--scale", 1e-4, "--wavelengths-um", *CENTRES, "--centres-um", 1.6, 2.2)
    done = preprocess(folder, folder / "bare.tif", *more)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(read(folder)[1], expected[3:], atol=1e-9)


@pytest.mark.parametrize(
    ("product", "scale", "words"),
    [
        ("own.tif", 1e-4, "own.tif: tells its own scale; leave --scale (cube.scale in the"),
        ("both.tif", 1e-4, "both.tif: has no wavelengths, so that its numbers are no reflectance"),
        ("bare.tif", 0, "scale: 0 is no reflectance of a stored 1"),
        ("bare.tif", "inf", "scale: inf is no reflectance of a stored 1"),
        ("bare.tif", 0.01, "are no reflectance from 0 to 1; give the reflectance of a stored 1 by"),
    ],
)
def test_a_scale_that_cannot_be_is_named_and_leaves_nothing(folder, product, scale, words):
    spectral(folder / "own.tif")
    spectral(folder / "bare.tif", scale=1.0)
    done = preprocess(folder, folder / product, "--scale", scale)
    assert done.returncode == 1
    assert words in done.stderr
    assert not list((folder / "out").glob("*"))


def test_other_sensors_tell_their_own_scale(folder):
    done = preprocess(folder, folder / "both.tif", "--sensor", "landsat", "--scale", 1e-4)
    assert done.returncode == 1
    assert "scale: products of landsat tell their own" in done.stderr


MOSAIC = "enmap/enmap_L2A_potsdam_20220724_mosaic18.tif"


def test_the_real_mosaic_of_enmap_is_told_to_have_a_scale(tmp_path, shared_data):
    done = preprocess(tmp_path, shared_data(MOSAIC))
    assert done.returncode == 1
    assert "gdal_translate -a_scale 0.0001" in done.stderr
    assert "--scale (cube.scale in the configuration), as 0.0001" in done.stderr


def test_the_real_mosaic_of_enmap_is_read_with_its_scale(tmp_path, shared_data):
    product = shared_data(MOSAIC)
    done = preprocess(tmp_path, product, "--scale", 1e-4, "--block-px", 96)
    assert done.returncode == 0, done.stderr
    info, values, record = read(tmp_path)
    assert info.tags["ACQUIRED"] == record["acquired"] == "2022-07-24T10:45:26"
    assert len(info.bands.names) == 218
    assert np.all(np.diff(info.bands.centre_um) > 0)
    assert record["pixels"] == {"total": 30720, "observed": 18432, "valid": 18432}
    assert any("6 of 224 bands are bad by bbl" in note for note in record["notes"])
    with rasterio.open(product) as dataset:
        stored = dataset.read(1)
    np.testing.assert_allclose(
        values[0], np.where(stored == -32768, np.nan, stored * 1e-4), atol=1e-9
    )


def test_a_band_without_any_valid_number_does_not_blank_the_scene(tmp_path):
    values = spectral(tmp_path / "scene.tif")
    with rasterio.open(tmp_path / "scene.tif", "r+") as dataset:
        dataset.write(np.full((40, 50), -32768, "int16"), 3)
    done = preprocess(tmp_path, tmp_path / "scene.tif")
    assert done.returncode == 0, done.stderr
    info, cube, record = read(tmp_path)
    assert info.bands.names == ("R1", "R2", "R4", "R5")
    np.testing.assert_allclose(cube, values[[0, 1, 3, 4]], atol=1e-6)
    assert "bands R3: no valid number in any pixel, left out" in record["notes"]
    near = preprocess(tmp_path, tmp_path / "scene.tif", "--centres-um", "0.56", "0.66", "0.86")
    assert near.returncode == 0, near.stderr
    assert read(tmp_path)[0].bands.names == ("R1", "R2")
    refused = preprocess(tmp_path, tmp_path / "scene.tif", "--bands", "R1", "R3")
    assert refused.returncode == 1
    assert "band R3 has no valid number in this part" in refused.stderr


def test_pixels_that_lack_some_bands_are_told(tmp_path):
    """As water of EnMAP, which has no reflectance in the short-wave infrared."""
    spectral(tmp_path / "scene.tif")
    with rasterio.open(tmp_path / "scene.tif", "r+") as dataset:
        stored = dataset.read()
        stored[3:, 20:30, :] = -32768
        dataset.write(stored)
    done = preprocess(tmp_path, tmp_path / "scene.tif")
    assert done.returncode == 0, done.stderr
    _, cube, record = read(tmp_path)
    assert np.isnan(cube[:, 20:30]).all()
    assert record["pixels"]["observed"] == 1970 - 500
    (note,) = [note for note in record["notes"] if "some bands only" in note]
    assert note.startswith("500 pixels (25.4% of those seen)")
    assert "2 of 5 bands lack the most (R4, R5)" in note
