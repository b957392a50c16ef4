"""Reading EnMAP Level-2A products from folders, .zip, .tar and .tar.gz files."""

import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import rasterio
from enmap_products import (
    CENTRES_NM,
    COLUMNS,
    CORNER_M,
    EMPTY_PLACE,
    NAME,
    NODATA,
    QUALITY,
    ROWS,
    TILE,
    WIDTHS_NM,
    layers,
    metadata_text,
    numbers,
    pack_members,
    pack_tar,
    pack_zip,
    write_product,
    write_tif,
)
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.products.enmap import FLAGS, NOMINAL_NOTE, EnmapProduct, open_product
from gossan.products.enmap_nominal import enmap_bands

WHOLE = Window(0, 0, COLUMNS, ROWS)
KEPT = ("B001", "B002", "B003", "B004", "B006")


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return numbers()


@pytest.fixture(scope="module")
def product(tmp_path_factory, image) -> Path:
    return write_product(tmp_path_factory.mktemp("enmap"), image)


@pytest.fixture
def own(tmp_path, image) -> Path:
    """A product that a test may damage."""
    return write_product(tmp_path, image)


def layer_of(product: Path, layer: str) -> Path:
    return product / f"{product.name}-{layer}.TIF"


def rewrite(product: Path, **changes) -> None:
    (product / f"{product.name}-METADATA.XML").write_text(metadata_text(**changes))


def reflectance_of(image: np.ndarray) -> np.ndarray:
    return np.where(image == NODATA, np.nan, image.astype(np.float64) / 10_000)


# ---- what it says of itself ---------------------------------------------------------------------


def test_metadata(product):
    with open_product(product) as found:
        assert found.product_id == NAME
        assert (found.spacecraft, found.sensor) == ("EnMAP", "EnMAP HSI")
        assert (found.collection, found.level) == ("01.03.03", "L2A")
        assert found.acquired == "2022-11-03T16:24:38.127936Z"
        assert found.sun_elevation_deg == 35.25
        assert found.surface_reflectance and not found.synthetic
        assert found.flags == FLAGS
        assert found.absent_flags == ("dilated_cloud",)
        assert found.bands.names == KEPT
        assert found.bands.centre_um == (0.660007, 0.911715, 0.911872, 0.993083, 2.20812)
        assert found.bands.fwhm_um == (0.00761738, 0.0102508, 0.00931901, 0.0106375, 0.008065)
        assert found.notes == ("bands left out (no data): B005 (1.355 µm)",)


def test_what_a_simulator_wrote_is_synthetic(own):
    rewrite(own, comment="Simulated by gossan")
    with open_product(own) as found:
        assert found.synthetic


def test_acquired_is_told_in_utc(own):
    rewrite(own, startTime="2022-11-03T18:24:38+02:00")
    with open_product(own) as found:
        assert found.acquired == "2022-11-03T16:24:38.000000Z"


# ---- golden: scale, order, bands without data, corner -------------------------------------------


def test_golden_scale_and_nodata(own, image):
    image = image.copy()
    image[0, 0, :4] = (0, 10_000, -40, NODATA)
    write_tif(layer_of(own, "SPECTRAL_IMAGE"), image, nodata=NODATA)
    with open_product(own) as found:
        read = found.read_reflectance(WHOLE)
    assert read.dtype == np.float32
    # Numbers below 0 are data, so is 0, which the metadata call the background.
    np.testing.assert_allclose(read[0, 0, :4], [0.0, 1.0, -0.004, np.nan], rtol=2e-7)
    expected = np.delete(reflectance_of(image), EMPTY_PLACE - 1, axis=0)
    np.testing.assert_allclose(read, expected, rtol=2e-7)


def test_nodata_is_known_where_the_image_does_not_tell_it(tmp_path, image):
    with open_product(write_product(tmp_path, image, nodata=None)) as found:
        assert found.bands.names == KEPT
        assert np.isfinite(found.read_reflectance(WHOLE)).all()


def test_each_band_has_its_own_gain_and_offset(own, image):
    gains, offsets = [f"{n / 2}e-4" for n in range(1, 7)], [f"0.{n}" for n in range(6)]
    rewrite(own, gains=gains, offsets=offsets)
    with open_product(own) as found:
        read = found.read_reflectance(WHOLE)
    np.testing.assert_allclose(read[3], image[3] * 2e-4 + 0.3, rtol=1e-6)
    np.testing.assert_allclose(read[4], image[5] * 3e-4 + 0.5, rtol=1e-6)


def test_golden_order_of_the_detectors(own, image):
    """VNIR, then SWIR, as some tools store it: names stay those of the image, order does not."""
    places = [1, 2, 4, 3, 5, 6]
    centres = [CENTRES_NM[place - 1] for place in places]
    widths = [WIDTHS_NM[place - 1] for place in places]
    rewrite(own, centres=centres, widths=widths)
    with open_product(own) as found:
        assert found.bands.names == ("B001", "B002", "B004", "B003", "B006")
        assert found.bands.centre_um == (0.660007, 0.911715, 0.911872, 0.993083, 2.20812)
        assert "order of the detectors" in found.notes[1]
        read = found.read_reflectance(WHOLE)
    np.testing.assert_allclose(read, reflectance_of(image)[[0, 1, 3, 2, 5]], rtol=2e-7)


def test_golden_empty_bands_are_told_by_the_metadata(own, image):
    """The statistics' word is enough: nothing of the band is read."""
    rewrite(own, statistics={1: ("0.02", "0.01"), 2: ("-1000000", "0"), 4: ("-1000000", "0.1")})
    with open_product(own) as found:
        assert found.bands.names == ("B001", "B003", "B004", "B006")
        assert found.notes == ("bands left out (no data): B002 (0.912 µm), B005 (1.355 µm)",)
        assert found.read_reflectance(WHOLE).shape == (4, ROWS, COLUMNS)


def test_golden_missing_channels_are_left_out(own):
    rewrite(own, missing={"vnir": "1, 2", "swir": "6"})
    with open_product(own) as found:
        assert found.bands.names == ("B003", "B004")
        assert found.notes[0] == (
            "bands left out (missing channel): B001-B002 (0.660-0.912 µm), B006 (2.208 µm)"
        )


def test_golden_one_pixel_of_data_keeps_a_band(tmp_path):
    """Whether a band is empty is exact, though most rows are not looked at."""
    image = np.full((6, 200, 3), NODATA, np.int16)
    image[0] = 100
    for place, row in ((2, 199), (3, 0), (4, 101), (6, 57)):
        image[place - 1, row, place % 3] = 5
    quality = {"QL_QUALITY_CLASSES": np.ones((200, 3), np.uint8)}
    with open_product(write_product(tmp_path, image, quality)) as found:
        assert found.bands.names == KEPT


def test_a_band_with_data_is_looked_at_in_few_rows(tmp_path, monkeypatch):
    image = np.full((6, 2000, 3), 100, np.int16)
    image[4] = NODATA
    image[3, :1000] = NODATA
    quality = {"QL_QUALITY_CLASSES": np.ones((2000, 3), np.uint8)}
    product = write_product(tmp_path, image, quality)
    looked = dict.fromkeys(range(1, 7), 0)
    read = EnmapProduct._read

    def count(self, layer, window, places):
        for place in places:
            looked[place] += window.height
        return read(self, layer, window, places)

    monkeypatch.setattr(EnmapProduct, "_read", count)
    with open_product(product) as found:
        assert found.bands.names == KEPT
    # Once in the first row that is looked at; five times, where data begin in the middle; all rows.
    assert looked == {1: 1, 2: 1, 3: 1, 4: 5, 5: 2009, 6: 1}


def test_golden_places_are_of_corners(product):
    """The first pixel's outer corner is the origin, its centre half a pixel inside."""
    with open_product(product) as found:
        assert found.grid.place(0, 0) == CORNER_M
        assert found.grid.place(0.5, 0.5) == (CORNER_M[0] + 15, CORNER_M[1] - 15)
        assert found.grid.shape == (ROWS, COLUMNS)
        assert found.grid.transform.a == 30


def test_golden_files_that_tell_centres_lie_on_the_same_places(own, image):
    path = layer_of(own, "SPECTRAL_IMAGE")
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(AREA_OR_POINT="Point")
    with rasterio.open(path) as dataset:
        assert dataset.tags()["AREA_OR_POINT"] == "Point"
    with open_product(own) as found:
        assert found.grid.place(0, 0) == CORNER_M


# ---- windows, bands, threads --------------------------------------------------------------------


def test_windows_and_threads_agree_with_the_whole(product):
    windows = [Window(c, r, 4, 3) for r in range(0, 9, 3) for c in (0, 3, 6)]
    with open_product(product) as found:
        whole = found.read_reflectance(WHOLE)
        with ThreadPoolExecutor(4) as pool:
            parts = list(pool.map(found.read_reflectance, windows * 3))
    for window, part in zip(windows * 3, parts, strict=True):
        np.testing.assert_array_equal(part, whole[(slice(None), *window.toslices())])


def test_bands_by_name_in_their_order(product, image):
    with open_product(product, ["B006", "B001"]) as found:
        assert found.bands.names == ("B006", "B001")
        assert found.bands.centre_um == (2.20812, 0.660007)
        assert found.notes == ()
        read = found.read_reflectance(WHOLE)
    np.testing.assert_allclose(read, reflectance_of(image)[[5, 0]], rtol=2e-7)


@pytest.mark.parametrize("bands", [["B007"], ["b001"], ["B001", "1"], []])
def test_unknown_bands_are_refused(product, bands):
    with pytest.raises(InputError, match="choose from B001 to B006"):
        open_product(product, bands)


def test_a_band_without_data_that_is_asked_for_is_refused(product):
    with pytest.raises(InputError, match=r"band B005 \(1.35513 µm\) cannot be read \(no data\)"):
        open_product(product, ["B001", "B005"])


# ---- flags --------------------------------------------------------------------------------------


def test_flags(own):
    quality = layers()
    quality["QL_QUALITY_CLASSES"][0, :3] = (1, 2, 3)
    quality["QL_QUALITY_CLOUD"][1, 1] = 1
    quality["QL_QUALITY_CLOUDSHADOW"][2, 2] = 1
    quality["QL_QUALITY_CIRRUS"][3, :4] = (0, 1, 2, 3)
    quality["QL_QUALITY_HAZE"][4, 4] = 1
    quality["QL_QUALITY_SNOW"][5, 5] = 1
    # Quality 3 of 3, interpolated SWIR, saturated SWIR and VNIR, artefacts.
    quality["QL_QUALITY_TESTFLAGS"][6, :6] = (3, 4, 16, 32, 48 + 3, 128 + 64)
    # Under fill nothing else is told.
    for name in QUALITY[1:]:
        quality[name][0, 2] = 1
    for name, values in quality.items():
        write_tif(layer_of(own, name), values)
    places = {
        "fill": [(0, 2)],
        "dilated_cloud": [],
        "water": [(0, 1)],
        "cloud": [(1, 1)],
        "cloud_shadow": [(2, 2)],
        "cirrus": [(3, 1), (3, 2), (3, 3)],
        "haze": [(4, 4)],
        "snow": [(5, 5)],
        "saturation": [(6, 2), (6, 3), (6, 4)],
    }
    with open_product(own) as found:
        read = found.read_flags(WHOLE, tuple(places))
        masked = found.read_flags(Window(0, 1, 3, 2), ["cloud", "cloud_shadow"]).any(axis=0)
    for layer, flag in zip(read, places, strict=True):
        assert list(zip(*np.nonzero(layer), strict=True)) == places[flag], flag
    assert [tuple(place) for place in np.argwhere(masked)] == [(0, 1), (1, 2)]


def test_fill_without_classes_is_where_the_image_has_no_data(own, image):
    layer_of(own, "QL_QUALITY_CLASSES").unlink()
    image = image.copy()
    image[:, :2] = NODATA
    write_tif(layer_of(own, "SPECTRAL_IMAGE"), image, nodata=NODATA)
    with open_product(own) as found:
        fill = found.read_flags(WHOLE, ["fill"]).any(axis=0)
        with pytest.raises(InputError, match=r"no \*-QL_QUALITY_CLASSES.TIF; .* leave water out"):
            found.read_flags(WHOLE, ["water"]).any(axis=0)
    assert fill[:2].all() and not fill[2:].any()


@pytest.mark.parametrize(
    ("layer", "flag"), [("QL_QUALITY_CLOUD", "cloud"), ("QL_QUALITY_TESTFLAGS", "saturation")]
)
def test_a_flag_whose_layer_is_missing_is_refused(own, layer, flag):
    layer_of(own, layer).unlink()
    with open_product(own) as found:
        assert found.read_flags(WHOLE, ["fill", "snow"]).any(axis=0).sum() == 0
        with pytest.raises(InputError, match=rf"no \*-{layer}.TIF; .* leave {flag} out"):
            found.read_flags(WHOLE, ["snow", flag])


def test_an_unknown_flag_is_refused(product):
    with (
        open_product(product) as found,
        pytest.raises(InputError, match="flag 'clouds' is unknown"),
    ):
        found.read_flags(WHOLE, ["clouds"]).any(axis=0)


# ---- names and archives -------------------------------------------------------------------------


def test_names_with_a_tile_in_small_letters_and_without_a_product(product, tmp_path):
    renamed = {
        "tile": lambda name: name.replace(NAME, NAME + TILE),
        "small": str.lower,
        "bare": lambda name: name.removeprefix(f"{NAME}-"),
        "copies": lambda name: name.replace(".TIF", "_COG.TIF"),
        "tiff": lambda name: name.replace(".TIF", ".tiff"),
        # The tile's rasters with the scene's own metadata.
        "mixed": lambda name: name.replace(NAME, NAME + TILE) if name.endswith(".TIF") else name,
    }
    with open_product(product) as found:
        expected = found.read_reflectance(WHOLE)
    for key, rename in renamed.items():
        folder = tmp_path / key
        folder.mkdir()
        for file in product.iterdir():
            shutil.copy(file, folder / rename(file.name))
        (folder / f"._{NAME}-METADATA.XML").write_bytes(b"of another system")
        (folder / f"{NAME}-SPECTRAL_IMAGE.TIF.aux.xml").write_bytes(b"of a viewer")
        with open_product(folder) as found:
            np.testing.assert_array_equal(found.read_reflectance(WHOLE), expected)
            assert found.product_id == NAME, key


def test_a_plain_file_comes_before_its_copy(own):
    path = layer_of(own, "SPECTRAL_IMAGE")
    path.with_name(path.name.replace(".TIF", "_COG.TIF")).write_bytes(b"not read")
    with open_product(own) as found:
        assert found.bands.names == KEPT


def test_the_folder_around_the_product(product):
    with open_product(product.parent) as found:
        assert found.product_id == NAME


def test_only_what_lies_beside_the_metadata_is_of_the_product(own):
    (own / "cut").mkdir()
    shutil.copy(layer_of(own, "SPECTRAL_IMAGE"), own / "cut" / "SPECTRAL_IMAGE.TIF")
    with open_product(own) as found:
        assert found.bands.names == KEPT


@pytest.mark.parametrize("kind", ["deflated", "stored", "tar", "tar.gz"])
def test_archives(product, tmp_path, kind, monkeypatch):
    copy = shutil.copytree(product, tmp_path / "in" / NAME)
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(unpacked))
    if kind in ("deflated", "stored"):
        method = zipfile.ZIP_STORED if kind == "stored" else zipfile.ZIP_DEFLATED
        path = pack_zip(copy, method)
    else:
        path = pack_tar(copy, f".{kind}")
    with open_product(product) as found:
        expected = found.read_reflectance(WHOLE)
    with open_product(path) as found:
        assert any(unpacked.iterdir()) == (kind == "tar.gz")
        assert found.bands.names == KEPT
        np.testing.assert_array_equal(found.read_reflectance(WHOLE), expected)
        assert not found.read_flags(WHOLE, FLAGS).any(axis=0).any()
    assert not any(unpacked.iterdir())


def test_an_order_of_several_zips_says_what_to_do(product, tmp_path):
    inner = pack_zip(shutil.copytree(product, tmp_path / NAME)).read_bytes()
    path = pack_members(tmp_path / "order.tar.gz", {f"dims/{NAME}.ZIP": inner})
    with pytest.raises(InputError, match=r"but .zip files, as orders come; name one of these"):
        open_product(path)


# ---- faults -------------------------------------------------------------------------------------


def test_no_such_path(tmp_path):
    with pytest.raises(InputError, match="does not exist; name the folder"):
        open_product(tmp_path / "none")


def test_a_folder_without_a_product(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(InputError, match=r"has no \*-METADATA.XML; name the folder"):
        open_product(tmp_path)


def test_a_file_that_is_no_archive(tmp_path):
    path = tmp_path / "METADATA.XML"
    path.write_text(metadata_text())
    with pytest.raises(InputError, match=r"is not a whole .zip, .tar or .tar.gz; name"):
        open_product(path)


def test_two_products_in_a_folder(own):
    shutil.copy(own / f"{NAME}-METADATA.XML", own / f"{NAME}{TILE}-METADATA.XML")
    with pytest.raises(InputError, match=r"holds 2 \*-METADATA.XML; one product is due"):
        open_product(own)


def test_two_images_in_a_folder(own):
    path = layer_of(own, "SPECTRAL_IMAGE")
    shutil.copy(path, own / f"{NAME}{TILE}-SPECTRAL_IMAGE.TIF")
    with pytest.raises(InputError, match=r"holds two files \*-SPECTRAL_IMAGE.TIF; keep one"):
        open_product(own)


# ---- without METADATA.XML -----------------------------------------------------------------------


def bare(folder: Path, name: str = NAME, bands: int = 224, **options) -> Path:
    """A product whose METADATA.XML has been lost."""
    product = write_product(folder, numbers(bands=bands), name=name, **options)
    (product / f"{name}-METADATA.XML").unlink()
    return product


def test_without_metadata_names_tell_time_and_the_nominal_table_bands(tmp_path):
    path = bare(tmp_path)
    with rasterio.open(layer_of(path, "SPECTRAL_IMAGE")) as dataset:
        image = dataset.read()
    nominal = enmap_bands()
    with open_product(path) as found:
        assert found.product_id == NAME
        assert (found.collection, found.level) == ("01.03.03", "L2A")
        assert found.acquired == "2022-11-03T16:24:38Z"
        assert found.sun_elevation_deg is None
        assert found.surface_reflectance and not found.synthetic
        assert found.bands.centre_um == nominal.centre_um[:4] + nominal.centre_um[5:]
        assert found.bands.fwhm_um == nominal.fwhm_um[:4] + nominal.fwhm_um[5:]
        assert found.notes == (NOMINAL_NOTE, "bands left out (no data): B005 (0.440 µm)")
        read = found.read_reflectance(WHOLE)
    np.testing.assert_allclose(
        read, np.delete(reflectance_of(image), EMPTY_PLACE - 1, axis=0), rtol=2e-7
    )
    with open_product(path, ["B150", "B002"]) as found:
        assert found.bands.names == ("B150", "B002")


def test_without_metadata_a_datatake_of_the_simulator_is_synthetic(tmp_path):
    with open_product(bare(tmp_path, NAME.replace("4950", "0000"))) as found:
        assert found.synthetic


@pytest.mark.parametrize("pack", [pack_zip, pack_tar])
def test_without_metadata_archives_and_tiles_are_read_too(tmp_path, pack):
    with open_product(pack(bare(tmp_path, NAME + TILE))) as found:
        assert found.product_id == NAME + TILE
        assert found.read_reflectance(WHOLE).shape == (223, ROWS, COLUMNS)


def test_without_metadata_only_the_quality_layers_that_are_there_mask(tmp_path):
    quality = layers()
    del quality["QL_QUALITY_CLASSES"], quality["QL_QUALITY_TESTFLAGS"]
    quality["QL_QUALITY_CLOUD"][1, 1] = 1
    with open_product(bare(tmp_path, quality=quality)) as found:
        assert found.notes[2:] == (
            "no QL_QUALITY_CLASSES: water masks nothing",
            "no QL_QUALITY_TESTFLAGS: saturation masks nothing",
        )
        read = found.read_flags(WHOLE, FLAGS)
        with pytest.raises(InputError, match="flag 'clouds' is unknown"):
            found.read_flags(WHOLE, ["clouds"])
    assert [FLAGS[place] for place in np.flatnonzero(read.any(axis=(1, 2)))] == ["cloud"]
    assert np.argwhere(read[FLAGS.index("cloud")]).tolist() == [[1, 1]]


@pytest.mark.parametrize(
    "name",
    [
        "SCENE",
        NAME.replace("L2A", "L1C"),
        NAME.replace("ENMAP01", "ENMAP"),
        NAME.replace("20221103", "20221303"),
        NAME.removesuffix("Z"),
    ],
)
def test_rasters_that_nothing_tells_to_be_of_level_2a_are_refused(tmp_path, name):
    path = bare(tmp_path, name)
    with pytest.raises(InputError) as caught:
        open_product(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: has rasters of an EnMAP product but no *-METADATA.XML")
    assert "wavelengths and scale" in message and "\n" not in message


def test_without_metadata_all_bands_must_be_there(tmp_path):
    with pytest.raises(InputError, match=r"holds 6 bands, but EnMAP has 224; put .*METADATA.XML"):
        open_product(bare(tmp_path, bands=6))


def test_without_metadata_several_images_are_refused(tmp_path):
    bare(tmp_path / "all")
    bare(tmp_path / "all", NAME + TILE)
    with pytest.raises(InputError, match=r"holds 2 \*-SPECTRAL_IMAGE.TIF; one product is due"):
        open_product(tmp_path / "all")


@pytest.mark.parametrize("level", ["L1B", "L1C", "L0"])
def test_another_level(own, level):
    rewrite(own, level=level)
    layer_of(own, "SPECTRAL_IMAGE").unlink()
    with pytest.raises(InputError, match=f"base/level = {level}; Level L2A is needed"):
        open_product(own)


def test_a_product_without_its_image(own):
    layer_of(own, "SPECTRAL_IMAGE").unlink()
    with pytest.raises(InputError, match=r"has no \*-SPECTRAL_IMAGE.TIF beside .*METADATA.XML"):
        open_product(own)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><level_X>&b;</level_X>',
            "declares entities; refused",
        ),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><level_X/>', "element base/level is missing"),
        ("<level_X><base>", "is not whole XML"),
        ("", "is not whole XML"),
        ("<product/>", "outermost element is product, not level_X"),
        ("<level_X/>", "element base/level is missing"),
    ],
)
def test_metadata_that_are_none(own, text, told):
    (own / f"{NAME}-METADATA.XML").write_text(text)
    with pytest.raises(InputError, match=told) as caught:
        open_product(own)
    assert f"{NAME}-METADATA.XML" in str(caught.value)


def test_metadata_that_are_too_large(own, monkeypatch):
    monkeypatch.setattr("gossan.products.xml_metadata.XML_MAX_BYTES", 1 << 10)
    with pytest.raises(InputError, match="is larger than"):
        open_product(own)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"revision": None}, "base/revision is missing"),
        ({"startTime": None}, "startTime is missing"),
        ({"startTime": "yesterday"}, "startTime = yesterday is no time"),
        ({"center": None}, "sunElevationAngle/center is missing"),
        ({"center": "nan"}, "sunElevationAngle/center = nan is not a number"),
        ({"centres": (), "widths": ()}, "bandCharacterisation/bandID is missing"),
        ({"centres": ("x", *CENTRES_NM[1:])}, "wavelengthCenterOfBand of band 1 = x"),
        ({"centres": (0.66, *CENTRES_NM[1:])}, "band 1 has centre 0.66 and width 7.6"),
        ({"widths": (*WIDTHS_NM[:5], 0)}, "band 6 has centre 2208.12 and width 0"),
        (
            {"gains": ["1e-4"] * 5 + ["0"]},
            "GainOfBand of band 6 = 0 lies outside of 2.5e-05",
        ),
        ({"offsets": ["0"] * 5 + ["inf"]}, "OffsetOfBand of band 6 = inf is not a number"),
        ({"centres": CENTRES_NM[::-1]}, "ascends neither over all bands nor in each detector"),
        ({"statistics": {1: ("", "0")}}, "mean of bandStatistics 1 =  is not a number"),
        ({"missing": {"vnir": "one"}}, "missingChannelsList = one is not a number"),
    ],
)
def test_metadata_with_a_fault(own, changes, told):
    rewrite(own, **changes)
    with pytest.raises(InputError, match=told):
        open_product(own)


def test_bands_that_are_not_numbered_through(own):
    text = metadata_text().replace('number="2"', 'number="7"', 1)
    (own / f"{NAME}-METADATA.XML").write_text(text)
    with pytest.raises(InputError, match="are not 1 to 6"):
        open_product(own)


@pytest.mark.parametrize("bands", [5, 7])
def test_an_image_of_another_number_of_bands(own, bands):
    write_tif(layer_of(own, "SPECTRAL_IMAGE"), numbers(bands=bands), nodata=NODATA)
    with pytest.raises(InputError, match=f"holds {bands} bands, but METADATA.XML lists 6"):
        open_product(own)


def test_an_image_without_any_data(own, image):
    write_tif(layer_of(own, "SPECTRAL_IMAGE"), np.full_like(image, NODATA), nodata=NODATA)
    with pytest.raises(InputError, match="no band holds any data; choose another scene"):
        open_product(own)


def test_an_image_of_real_numbers(own, image):
    write_tif(layer_of(own, "SPECTRAL_IMAGE"), image.astype(np.float32))
    with pytest.raises(InputError, match="holds float32"):
        open_product(own)


def test_an_image_without_reference_system(own, image):
    write_tif(layer_of(own, "SPECTRAL_IMAGE"), image, crs=None)
    with pytest.raises(InputError, match="no coordinate reference system"):
        open_product(own)


@pytest.mark.parametrize(
    ("values", "options", "told"),
    [
        (np.zeros((ROWS, COLUMNS - 1), np.uint8), {}, "9x12 pixels where 10x12 are expected"),
        (np.zeros((ROWS, COLUMNS), np.uint8), {"crs": "EPSG:32612"}, "reference system"),
        # Half a pixel: the corner taken for the centre.
        (
            np.zeros((ROWS, COLUMNS), np.uint8),
            {"corner": (CORNER_M[0] + 15, CORNER_M[1] - 15)},
            "its pixels are shifted",
        ),
        (np.zeros((2, ROWS, COLUMNS), np.uint8), {}, "holds 2 bands, but one is due"),
    ],
)
def test_layers_that_do_not_lie_on_the_image(own, values, options, told):
    write_tif(layer_of(own, "QL_QUALITY_SNOW"), values, **options)
    with pytest.raises(InputError, match=told) as caught:
        open_product(own)
    assert "QL_QUALITY_SNOW" in str(caught.value)


@pytest.mark.parametrize("layer", ["SPECTRAL_IMAGE", "QL_QUALITY_CIRRUS"])
@pytest.mark.parametrize("content", [b"", b"not a raster", b"<VRTDataset/>"])
def test_files_that_are_no_geotiff(own, layer, content):
    layer_of(own, layer).write_bytes(content)
    with pytest.raises(InputError, match=f"{layer}.TIF: cannot be opened as GeoTIFF"):
        open_product(own)


def test_an_image_cut_short_is_told_when_it_is_read(own):
    path = layer_of(own, "SPECTRAL_IMAGE")
    with rasterio.open(path) as dataset:
        image = dataset.read()
    big = np.tile(image, (1, 40, 40))
    big[:, -1] = np.arange(big.shape[2])
    quality = {"QL_QUALITY_CLASSES": np.ones(big.shape[1:], np.uint8)}
    cut = write_product(own.parent / "cut", big, quality)
    path = layer_of(cut, "SPECTRAL_IMAGE")
    with open_product(cut) as found:
        found.read_reflectance(Window(0, 0, 400, 480))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(InputError, match="damaged or cut short"):
        open_product(cut)


# ---- real files ---------------------------------------------------------------------------------


PATCH = f"ENMAP01-____L2A-DT0000004950_20221103T162438Z_001_V010110_20221118T145147Z{TILE}"


@pytest.fixture
def table(shared_data) -> list[tuple[float, float]]:
    """Centre and width (nm) of EnMAP's 224 bands by wavelength."""
    lines = shared_data("sensor_responses/bands_centre_fwhm.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines if line.startswith("EnMAP,")]
    return [(float(row[2]), float(row[3])) for row in rows]


def test_a_real_patch_as_it_is_has_nominal_bands(shared_data, table):
    with open_product(shared_data(f"enmap/{PATCH}")) as found:
        assert found.product_id == PATCH
        assert (found.acquired, found.collection) == ("2022-11-03T16:24:38Z", "01.01.10")
        assert found.sun_elevation_deg is None
        assert found.notes[0] == NOMINAL_NOTE
        assert found.notes[1].startswith("bands left out (no data): B127-B141")
        assert len(found.notes) == 2
        places = [int(name[1:]) - 1 for name in found.bands.names]
        assert len(places) == 202
        pixel = found.read_reflectance(Window(64, 64, 1, 1))[:, 0, 0]
        water = found.read_flags(Window(0, 0, 128, 128), ["water"])
    centres = np.array(found.bands.centre_um) * 1000
    np.testing.assert_allclose(centres, [table[place][0] for place in places], atol=0.15)
    np.testing.assert_allclose(pixel[:5], [0.0288, 0.0217, 0.0164, 0.0257, 0.0249], atol=1e-7)
    assert water.all()


def test_a_real_patch_with_metadata_beside_it(shared_data, tmp_path, table):
    real = shared_data(f"enmap/{PATCH}")
    for file in real.iterdir():
        (tmp_path / file.name).symlink_to(file)
    text = metadata_text(*zip(*table, strict=True), name=f"{PATCH}-METADATA.XML")
    (tmp_path / "METADATA.XML").write_text(text)
    whole = Window(0, 0, 128, 128)
    with open_product(tmp_path) as found:
        assert found.product_id == PATCH
        # Over water the processor left more of the water vapour empty than elsewhere.
        assert found.notes == (
            "bands left out (no data): B127-B141 (1.295-1.519 µm), B161-B167 (1.739-1.968 µm)",
        )
        assert len(found.bands.names) == 202
        assert np.all(np.diff(found.bands.centre_um) > 0)
        assert found.grid.place(0, 0) == (691845.0, 4561935.0)
        assert found.grid.crs.to_epsg() == 32618
        pixel = found.read_reflectance(Window(64, 64, 1, 1))[:, 0, 0]
        flags = dict(zip(FLAGS, found.read_flags(whole, FLAGS), strict=True))
        assert np.isfinite(found.read_reflectance(whole)).all()
    np.testing.assert_allclose(pixel[:5], [0.0288, 0.0217, 0.0164, 0.0257, 0.0249], atol=1e-7)
    assert pixel[-1] == pytest.approx(-0.0031)
    # All is water; interpolated pixels are not saturated ones.
    assert flags.pop("water").all()
    assert not any(flag.any() for flag in flags.values())


def test_a_real_mosaic_in_the_order_of_the_detectors(shared_data, tmp_path):
    path = shared_data("enmap/enmap_L2A_potsdam_20220724_mosaic18.tif")
    with rasterio.open(path) as dataset:
        tags = [dataset.tags(place) for place in dataset.indexes]
        stored = dataset.read()
    (tmp_path / "SPECTRAL_IMAGE.tif").symlink_to(path)
    text = metadata_text([t["wavelength"] for t in tags], [t["fwhm"] for t in tags])
    (tmp_path / "METADATA.XML").write_text(text)
    with open_product(tmp_path) as found:
        assert found.notes == (
            "bands left out (no data): B130-B135 (1.331-1.391 µm)",
            "bands of the image are in the order of the detectors, here by wavelength",
        )
        assert len(found.bands.names) == 218
        assert np.all(np.diff(found.bands.centre_um) > 0)
        overlap = slice(78, 82)
        assert found.bands.names[overlap] == ("B079", "B092", "B080", "B081")
        read = found.read_reflectance(Window(0, 0, 160, 192))
        fill = found.read_flags(Window(0, 0, 160, 192), ["fill"]).any(axis=0)
        names = found.bands.names
    np.testing.assert_array_equal(fill, stored[0] == NODATA)
    assert 0 < fill.mean() < 1
    expected = reflectance_of(stored)[[int(name[1:]) - 1 for name in names]]
    np.testing.assert_allclose(read, expected, rtol=2e-7)


def test_a_real_metadata_file(shared_data, tmp_path):
    archive = shared_data("enmap/metadata_xml/enmap_L2A_gtif_qualification.zip")
    with zipfile.ZipFile(archive) as packed:
        name = next(n for n in packed.namelist() if n.endswith("METADATA.XML"))
        content = packed.read(name)
    image = np.full((218, 4, 5), 2500, np.int16)
    product = write_product(tmp_path, image, {})
    (product / f"{NAME}-METADATA.XML").write_bytes(content)
    with open_product(product) as found:
        assert found.product_id == (
            "ENMAP01-____L2A-DT0000326721_20170626T102020Z_001_V000204_20200406T201930Z"
        )
        assert found.collection == "00.02.04"
        assert found.acquired == "2017-06-26T10:20:20.999936Z"
        assert found.sun_elevation_deg == 63.038384
        assert not found.synthetic and found.notes == ()
        assert len(found.bands.names) == 218
        assert (found.bands.centre_um[0], found.bands.fwhm_um[0]) == (0.42303, 0.00693)
        assert found.bands.centre_um[-1] == 2.4386
        read = found.read_reflectance(Window(0, 0, 5, 4))
    np.testing.assert_array_equal(read, np.float32(0.25))


def test_the_real_archive_as_it_is(shared_data):
    """Its image is an empty file: said so, and nothing else is."""
    path = shared_data("enmap/metadata_xml/enmap_L2A_gtif_qualification.zip")
    with pytest.raises(InputError, match=r"SPECTRAL_IMAGE\.TIF: cannot be opened as GeoTIFF"):
        open_product(path)
