"""The ASTER reader: both forms, calibration, grids, averaging, flags and bad input."""

import json
import shutil
import struct
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import date
from multiprocessing import get_context

import numpy as np
import pytest
import rasterio
from aster_products import (
    BANDS,
    BY_BAND_NAME,
    FIRST_M,
    GROUPS,
    NAME,
    SIZE,
    gain_setting,
    numbers,
    size_of,
    write_folder,
    write_hdf,
    xml_text,
)
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.library.resample import band_responses
from gossan.products.aster import open_product, reflectance_gain, sun_distance_au
from gossan.products.aster_files import parse_odl
from gossan.products.readers import open_product as open_any
from gossan.products.xml_metadata import parse_xml

WHOLE = Window(0, 0, *SIZE)


@pytest.fixture
def images():
    return numbers()


@pytest.fixture
def product(tmp_path, images):
    with open_product(write_hdf(tmp_path / "scene.hdf", images)) as product:
        yield product


def test_says_what_it_is(product):
    assert product.product_id == NAME
    assert (product.spacecraft, product.sensor, product.level) == ("TERRA", "Terra ASTER", "L1T")
    assert product.collection == "003"
    assert product.acquired == "2002-07-21T07:21:45.123000Z"
    assert (product.sun_azimuth_deg, product.sun_elevation_deg) == (122.5, 30.0)
    assert not product.synthetic
    assert not product.surface_reflectance
    assert product.bands.names == BANDS
    assert "averaged" in product.notes[0]
    assert product.notes[1].startswith("bands 5 and 9: hold light that leaks from band 4")
    assert "AST_07XT" in product.notes[1]


def test_band_centres_lie_in_the_sensor_s_responses(product):
    responses = band_responses(product.bands, product.sensor)
    for centre, response in zip(product.bands.centre_um, responses, strict=True):
        weight = response.response / response.response.sum()
        assert centre == pytest.approx((weight * response.wavelength_um).sum(), abs=0.002)


def test_the_registry_opens_it(tmp_path, images):
    with open_any("aster", write_hdf(tmp_path / "scene.hdf", images)) as product:
        assert product.grid.shape == SIZE[::-1]


def test_simulated_products_are_marked(tmp_path, images):
    path = write_hdf(tmp_path / "scene.hdf", images, origin="Simulated by gossan")
    with open_product(path) as product:
        assert product.synthetic
        assert not any("leaks" in note for note in product.notes)
    with open_product(path, ["4", "6"]) as product:
        assert product.notes == ()


# ---- calibration --------------------------------------------------------------------------------


def test_sun_distance():
    # Perihelion, aphelion, and the almanac's value for the day of the scene.
    assert sun_distance_au(date(2002, 1, 4)) == pytest.approx(0.98328)
    assert sun_distance_au(date(2002, 7, 5)) == pytest.approx(1.0167, abs=2e-4)
    assert sun_distance_au(date(2002, 7, 21)) == pytest.approx(1.01609, abs=2e-4)


@pytest.mark.parametrize(
    ("band", "gain", "number", "expected"),
    [
        # By hand, with d = 1.0161390 and sin(30°) = 0.5: π L d² / (E0 · 0.5).
        ("1", "HGH", 200, 0.472263),  # L = 199 * 0.676 = 134.524
        ("3N", "LO1", 101, 0.669728),  # L = 100 * 1.15 = 115
        ("4", "NOR", 100, 0.619479),  # L = 99 * 0.2174 = 21.5226
        ("6", "LO2", 11, 0.309123),  # L = 10 * 0.39 = 3.9
        ("9", "LO1", 254, 1.162809),  # L = 253 * 0.0424 = 10.7272
        ("9", "NOR", 1, 0.0),
    ],
)
def test_calibration_by_hand(tmp_path, band, gain, number, expected):
    images = {name: np.full_like(image, number) for name, image in numbers().items()}
    gains = gain_setting(**{f"b{band}": gain})
    with open_product(write_hdf(tmp_path / "a.hdf", images, gains=gains)) as product:
        assert product.gains[band] == gain
        reflectance = product.read_reflectance(Window(3, 2, 1, 1))[BANDS.index(band), 0, 0]
    assert reflectance == pytest.approx(expected, abs=2e-6)
    factor = reflectance_gain(band, gain, date(2002, 7, 21), 30.0)
    assert factor * (number - 1) == pytest.approx(expected, abs=2e-6)


def test_thermal_bands_keep_their_own_grid_beside_the_cube(tmp_path):
    images = numbers(bands=BANDS + GROUPS["TIR"])
    with open_product(write_hdf(tmp_path / "a.hdf", images)) as product:
        assert product.bands.names == BANDS
        assert product.grids["TIR"].shape == size_of("TIR")[::-1]


def test_thermal_bands_have_no_reflectance(tmp_path):
    path = write_hdf(tmp_path / "a.hdf", numbers(bands=BANDS + GROUPS["TIR"]))
    with pytest.raises(InputError, match=r"band 10.*radiance"):
        open_product(path, ["4", "10"])


# ---- place --------------------------------------------------------------------------------------


def test_corners_are_pixel_centres_of_all_telescopes(product):
    for name, grid in product.grids.items():
        x, y = grid.place(0.5, 0.5)
        assert (x, y) == FIRST_M
        assert (grid.width, grid.height) == size_of(name)
    assert product.grid == product.grids["SWIR"]
    assert product.grid.crs.to_epsg() == 32639
    last = product.grid.place(SIZE[0] - 0.5, SIZE[1] - 0.5)
    assert last == (FIRST_M[0] + 360, FIRST_M[1] - 270)


def test_sizes_of_a_real_product():
    # AST_L1T_00305032000040446: corners 252000, 1744560 to 335880, 1670400; VNIR 5593x4945,
    # SWIR 2797x2473, TIR 933x825 (example item of the stactools package for ASTER).
    span = (335_880 - 252_000, 1_744_560 - 1_670_400)
    for pixel, size in ((15, (5593, 4945)), (30, (2797, 2473)), (90, (933, 825))):
        assert tuple(length / pixel + 1 for length in span) == size
    assert size_of("VNIR", (2797, 2473)) == (5593, 4945)
    assert size_of("TIR", (2797, 2473)) == (933, 825)


@pytest.mark.parametrize(
    ("zone", "north", "epsg", "expected"),
    [
        (39, 3_600_000.0, 32639, 3_600_000.0),
        (-19, -2_500_000.0, 32719, 7_500_000.0),
        (-19, 7_500_000.0, 32719, 7_500_000.0),
        (19, -2_500_000.0, 32719, 7_500_000.0),
        # Over the equator, in the southern zone, without the false northing.
        (-19, 120.0, 32719, 10_000_120.0),
    ],
)
def test_zones_of_both_hemispheres(tmp_path, images, zone, north, epsg, expected):
    path = write_hdf(tmp_path / "a.hdf", images, zone=zone, first=(500_000.0, north))
    with open_product(path) as product:
        assert product.grid.crs.to_epsg() == epsg
        assert product.grid.place(0.5, 0.5) == (500_000.0, expected)


def test_vnir_pixels_are_averaged_by_area(product, images):
    """A 30 m pixel covers the 15 m pixel at its centre and half of each neighbour."""
    row, column = 4, 7
    part = images["2"][2 * row - 1 : 2 * row + 2, 2 * column - 1 : 2 * column + 2].astype(float)
    shares = np.outer([1, 2, 1], [1, 2, 1]) / 16
    mean = (shares * part).sum()
    factor = reflectance_gain("2", "NOR", date(2002, 7, 21), 30.0)
    found = product.read_reflectance(Window(column, row, 1, 1))[1, 0, 0]
    assert found == pytest.approx((mean - 1) * factor, rel=1e-6)
    # At the corner a quarter of each axis is not seen.
    corner = (shares[1:, 1:] * images["2"][:2, :2]).sum() / shares[1:, 1:].sum()
    found = product.read_reflectance(Window(0, 0, 1, 1))[1, 0, 0]
    assert found == pytest.approx((corner - 1) * factor, rel=1e-6)


def test_edge_aligned_15_m_pixels_are_averaged_two_by_two(tmp_path, images):
    folder = write_folder(tmp_path / "cog", images)
    path = folder / f"{NAME}.VNIR.tif"
    with rasterio.open(path, "r+") as dataset:
        dataset.transform = dataset.transform @ dataset.transform.translation(-0.5, -0.5)
    with open_product(folder) as product:
        found = product.read_reflectance(Window(5, 3, 1, 1))[0, 0, 0]
    mean = images["1"][6:8, 10:12].astype(float).mean()
    factor = reflectance_gain("1", "NOR", date(2002, 7, 21), 30.0)
    assert found == pytest.approx((mean - 1) * factor, rel=1e-6)


def test_any_window_reads_the_same(product):
    whole = product.read_reflectance(WHOLE)
    flags = product.read_flags(WHOLE, ["fill", "saturation"])
    for window in (Window(0, 0, 1, 10), Window(5, 3, 8, 7), Window(12, 9, 1, 1)):
        part = (..., *window.toslices())
        np.testing.assert_array_equal(product.read_reflectance(window), whole[part])
        np.testing.assert_array_equal(
            product.read_flags(window, ["fill", "saturation"]), flags[part]
        )


def test_threads_read_the_same(product):
    whole = product.read_reflectance(WHOLE)
    windows = [Window(c, r, 3, 2) for r in range(0, 8, 2) for c in range(0, 10, 2)] * 4
    with ThreadPoolExecutor(8) as pool:
        for window, block in zip(windows, pool.map(product.read_reflectance, windows), strict=True):
            np.testing.assert_array_equal(block, whole[(..., *window.toslices())])


# ---- fill and saturation ------------------------------------------------------------------------


def test_fill_and_saturation(tmp_path, images):
    for image in images.values():
        image[:, -1] = 0
    images["5"][2, 3] = 0
    images["7"][1, 1] = 255
    images["2"][7, 9] = 255  # halfway between rows 3 and 4 and between columns 4 and 5
    with open_product(write_hdf(tmp_path / "a.hdf", images)) as product:
        reflectance = product.read_reflectance(WHOLE)
        fill, saturated, cloud = product.read_flags(WHOLE, ["fill", "saturation", "cloud"])
        mask = product.read_flags(WHOLE, ["saturation", "fill"]).any(axis=0)
        assert "cloud" in product.absent_flags
        with pytest.raises(InputError, match="frost"):
            product.read_flags(WHOLE, ["frost"])
    # The last column lacks all SWIR bands; of the VNIR half a pixel more than half is there.
    assert np.isnan(reflectance[3:, :, -1]).all()
    assert np.isnan(reflectance[4, 2, 3])
    assert not fill[:, :-1].any()
    assert set(zip(*np.nonzero(saturated), strict=True)) == {(1, 1), (3, 4), (3, 5), (4, 4), (4, 5)}
    np.testing.assert_array_equal(mask, saturated | fill)
    assert not cloud.any()
    # Saturated numbers stay data.
    assert np.isfinite(reflectance[6, 1, 1])


def test_a_vnir_pixel_with_less_than_half_of_its_area_is_nodata(tmp_path, images):
    images["1"][:] = 100
    images["1"][4:7, 5:7] = 0  # under pixel (2..3, 3): the centre and one side of pixel (2, 3)
    with open_product(write_hdf(tmp_path / "a.hdf", images)) as product:
        band = product.read_reflectance(WHOLE)[0]
    value = 99 * reflectance_gain("1", "NOR", date(2002, 7, 21), 30.0)
    # Pixel (2, 3) sees rows 3-5 and columns 5-7: left is 1/4 of its rows or of its columns.
    seen = 1 - (0.5 + 0.25) * (0.25 + 0.5)
    assert seen < 0.5
    assert np.isnan(band[2, 3])
    assert band[2, 2] == pytest.approx(value)


# ---- GeoTIFF form -------------------------------------------------------------------------------


@pytest.mark.parametrize("centres_as_edges", [False, True])
def test_both_forms_read_the_same(tmp_path, centres_as_edges):
    images = numbers(bands=BANDS + GROUPS["TIR"])
    gains = gain_setting(b3N="LOW", b5="LO2", b1="HGH")
    hdf = write_hdf(tmp_path / "scene.hdf", images, gains=gains)
    folder = write_folder(
        tmp_path / "cog", images, xml=xml_text(gains), centres_as_edges=centres_as_edges
    )
    with open_product(hdf) as one, open_product(folder) as two:
        assert one.grids.keys() == two.grids.keys()
        for name, grid in one.grids.items():
            grid.require_same(two.grids[name], name)
        for attribute in ("product_id", "acquired", "sun_elevation_deg", "gains", "bands"):
            assert getattr(one, attribute) == getattr(two, attribute)
        assert any("set right" in note for note in two.notes) == centres_as_edges
        np.testing.assert_array_equal(one.read_reflectance(WHOLE), two.read_reflectance(WHOLE))


def test_gains_may_stand_in_the_geotiff_tags(tmp_path, images):
    folder = write_folder(tmp_path / "cog", images, xml=xml_text().replace("ASTERGains", "Other"))
    with pytest.raises(InputError, match="no gain of band 1"):
        open_product(folder)
    for name in ("VNIR", "SWIR"):
        with rasterio.open(folder / f"{NAME}.{name}.tif", "r+") as dataset:
            tags = {f"GAIN.{n}": f"{b:0>2}, HGH" for n, b in enumerate(GROUPS[name])}
            dataset.update_tags(**tags)
    with open_product(folder) as product:
        assert set(product.gains.values()) == {"HGH"}


def test_a_part_of_files_whose_centres_are_their_edges_lies_within_half_a_pixel(tmp_path, images):
    folder = write_folder(tmp_path / "cog", images, centres_as_edges=True)
    (folder / f"{NAME}.VNIR.tif").unlink()
    whole = folder / f"{NAME}.SWIR.tif"
    with open_product(folder, ["4"]) as product:
        place = product.grid.place(3, 2)
    with rasterio.open(whole) as dataset:
        window = Window(3, 2, 8, 6)
        profile = dataset.profile | {"width": 8, "height": 6}
        profile["transform"] = dataset.window_transform(window)
        stored = dataset.read(window=window)
    with rasterio.open(whole, "w", **profile) as dataset:
        dataset.write(stored)
    whole.rename(folder / f"{NAME}-SWIR-cropped.tif")
    with open_product(folder, ["4"]) as product:
        assert product.grid.transform.a == 30.0
        assert product.grid.shape == (6, 8)
        assert np.abs(np.subtract(product.grid.place(0, 0), place)).max() <= 15
        assert "outer edges: set right to within 6 m" in product.notes[0]


GRANULE = {
    "GranuleUR": BY_BAND_NAME,
    "CollectionReference": {"ShortName": "AST_L1T", "Version": "004"},
    "DataGranule": {"DayNightFlag": "Day"},
    "TemporalExtent": {"SingleDateTime": "2002-07-21T07:21:45.123Z"},
    "AdditionalAttributes": [
        {"Name": "Solar_Azimuth_Angle", "Values": ["122.5"]},
        {"Name": "Solar_Elevation_Angle", "Values": ["30.0"]},
        {"Name": "ASTERGains", "Values": ["01 HGH, 02 NOR, 3N NOR", "04 NOR, 05 NOR, 06 NOR"]},
        {"Name": "ASTERGains", "Values": ["07 NOR, 08 NOR, 09 NOR"]},
    ],
}
CMR_XML = (
    "<Granule><GranuleUR>x</GranuleUR><Collection><ShortName>AST_L1T</ShortName></Collection>"
    "<Temporal><SingleDateTime>2002-07-21T07:21:45.123Z</SingleDateTime></Temporal>"
    "<AdditionalAttributes>{}</AdditionalAttributes></Granule>"
).format(
    "".join(
        f"<AdditionalAttribute><Name>{one['Name']}</Name><Values>"
        + "".join(f"<Value>{value}</Value>" for value in one["Values"])
        + "</Values></AdditionalAttribute>"
        for one in GRANULE["AdditionalAttributes"]
    )
)


@pytest.mark.parametrize("form", ["hdf.xml", "cmr.xml", "cmr.json", "umm.json"])
def test_a_file_per_band_reads_as_the_native_file(tmp_path, images, form):
    gains = gain_setting(b1="HGH")
    folder = write_folder(tmp_path / "v4", images, by_band=True, xml=xml_text(gains))
    (folder / f"{BY_BAND_NAME}_VNIR_QA_DataPlane.tif").write_bytes(b"")
    if form != "hdf.xml":
        next(folder.glob("*.xml")).unlink()
        name = folder / f"{BY_BAND_NAME}.{form}"
        document = {"meta": {}, "umm": GRANULE} if form == "umm.json" else GRANULE
        name.write_text(CMR_XML if name.suffix == ".xml" else json.dumps(document))
    hdf = write_hdf(tmp_path / "scene.hdf", images, gains=gains)
    with open_product(hdf) as one, open_product(folder) as two:
        assert two.product_id == BY_BAND_NAME
        assert two.collection == "004"
        assert (two.acquired, two.gains) == (one.acquired, one.gains)
        one.grid.require_same(two.grid, "v4")
        np.testing.assert_array_equal(one.read_reflectance(WHOLE), two.read_reflectance(WHOLE))


def test_what_a_folder_of_bands_lacks_is_named(tmp_path, images):
    folder = write_folder(tmp_path / "v4", images, by_band=True)
    metadata = next(folder.glob("*.xml"))
    text = metadata.read_text()
    metadata.unlink()
    with pytest.raises(InputError, match=r"no \.xml or \.json file\(s\).*gains and the sun"):
        open_product(folder)
    for key in ("Solar_Elevation_Angle", "CalendarDate"):
        metadata.write_text(text.replace(key, "Other"))
        with pytest.raises(InputError, match=key):
            open_product(folder)
    metadata.write_text(text.replace("ASTERGains", "Other"))
    with pytest.raises(InputError, match="no gain of band 1"):
        open_product(folder)
    metadata.write_text(text)
    (folder / f"{BY_BAND_NAME}_SWIR_B05.tif").unlink()
    with pytest.raises(InputError, match="no data of band 5"):
        open_product(folder)
    with open_product(folder, ["4", "6"]) as product:
        assert product.bands.names == ("4", "6")
    shutil.copy(folder / f"{BY_BAND_NAME}_SWIR_B06.tif", folder / "other_SWIR_B06.tif")
    with pytest.raises(InputError, match="two SWIR files with band 6"):
        open_product(folder, ["4"])


def test_products_of_higher_levels_are_no_l1t(tmp_path, images):
    folder = write_folder(tmp_path / "v4", images, by_band=True)
    metadata = next(folder.glob("*.xml"))
    text = metadata.read_text()
    metadata.write_text(text.replace("<PSAs>", "<ShortName>AST_07XT</ShortName><PSAs>"))
    with pytest.raises(InputError, match=r"product AST_07XT, not AST_L1T; read .* as rasters"):
        open_product(folder)
    metadata.write_text(text)
    for file in folder.glob("*.tif"):
        file.rename(folder / file.name.replace("AST_L1T", "AST_07XT").replace("_SWIR", "_SRF_SWIR"))
    with pytest.raises(InputError, match=r"product AST_07XT, not AST_L1T"):
        open_product(folder)


def test_a_scale_in_the_file_is_not_passed_over(tmp_path, images):
    folder = write_folder(tmp_path / "v4", images, by_band=True)
    with rasterio.open(folder / f"{BY_BAND_NAME}_SWIR_B05.tif", "r+") as dataset:
        dataset.scales = [0.001]
    with pytest.raises(InputError, match=r"SWIR_B05\.tif: tells a scale"):
        open_product(folder)


def test_a_granule_of_night_is_called_one(tmp_path, images):
    thermal = numbers(bands=GROUPS["TIR"])
    night = write_hdf(tmp_path / "night.hdf", thermal, SOLARDIRECTION="(300.0, -41.5)")
    with pytest.raises(InputError, match=r"night granule \(.* -41\.5 degrees\)"):
        open_product(night)
    text = xml_text().replace("<PSAs>", "<DayNightFlag>Night</DayNightFlag><PSAs>")
    with pytest.raises(InputError, match="night granule"):
        open_product(write_folder(tmp_path / "night", thermal, xml=text))
    with pytest.raises(InputError, match="thermal bands only, as the granules of night"):
        open_product(write_folder(tmp_path / "day", thermal))
    with pytest.raises(InputError, match=r"band 1 was off \(GAIN OFF\)"):
        open_product(write_folder(tmp_path / "off", images, xml=xml_text(gain_setting(b1="OFF"))))


SWIR_CROP = "aster/AST_L1T_00310012006175412_20150516104359-SWIR-cropped.tif"


@pytest.mark.parametrize(
    ("granule", "acquired", "elevation"),
    [
        ("00305032000040446_20150409135350_78838", "2000-05-03T04:04:46.534000Z", 75.830363),
        ("00309032000003144_20150411122552_103734", "2000-09-03T00:31:44.069000Z", 69.072805),
    ],
)
def test_real_metadata_beside_a_real_raster(shared_data, tmp_path, granule, acquired, elevation):
    """The raster is of another granule: what is held is what each of the files tells."""
    shutil.copy(shared_data(SWIR_CROP), tmp_path)
    shutil.copy(shared_data(f"aster/xml/AST_L1T_{granule}.hdf.xml"), tmp_path)
    with open_product(tmp_path, GROUPS["SWIR"]) as product:
        assert product.acquired == acquired
        assert product.sun_elevation_deg == elevation
        assert set(product.gains.values()) == {"NOR"}
        assert product.grid.shape == (333, 700)
        assert product.grid.transform.a == 30.0
        assert product.grid.crs.to_epsg() == 32613
        block = product.read_reflectance(Window(0, 0, 700, 333))
    seen = np.isfinite(block)
    assert 0.47 < seen.mean() < 0.5
    assert 0 <= block[seen].min() < block[seen].max() < 0.6
    # Light of the sun in the short-wave infrared: vegetation and soils are brightest in band 4.
    assert np.nanmedian(block[0]) > np.nanmedian(block[5])


def test_a_real_granule_of_thermal_bands_is_called_one(shared_data, tmp_path):
    shutil.copy(shared_data(SWIR_CROP), tmp_path)
    name = "AST_L1T_00303042000203404_20150409092553_2788.hdf.xml"
    shutil.copy(shared_data(f"aster/xml/{name}"), tmp_path)
    with pytest.raises(
        InputError, match=r"band 4 was off \(GAIN OFF\), as in granules of the night"
    ):
        open_product(tmp_path, GROUPS["SWIR"])


def test_an_hdf_file_in_a_folder_is_found(tmp_path, images):
    write_hdf(tmp_path / f"{NAME}.hdf", images)
    write_hdf(tmp_path / f"{NAME}_BR.hdf", images)
    with open_product(tmp_path) as product:
        assert product.grid.shape == SIZE[::-1]
    write_hdf(tmp_path / "other.hdf", images)
    with pytest.raises(InputError, match=r"2 \.hdf files"):
        open_product(tmp_path)


@pytest.mark.parametrize(
    ("declaration", "match"),
    [
        ("<!DOCTYPE a [<!ENTITY b 'c'>]>", "declares entities; refused"),
        ("<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/hostname'>]>", "declares entities; refused"),
        ("<!DOCTYPE a [<!ENTITY % b SYSTEM 'file:///etc/hostname'> %b;]>", "declares entities"),
        ("<!DOCTYPE a SYSTEM 'x.dtd'><a>&b;</a>", "not whole XML"),
        ("<broken>", "not whole XML"),
    ],
)
def test_xml_that_could_do_harm_is_refused(tmp_path, images, declaration, match):
    folder = write_folder(tmp_path / "cog", images, xml=xml_text(more=declaration))
    with pytest.raises(InputError, match=match):
        open_product(folder)


@pytest.mark.parametrize(
    "declaration",
    [
        "<!DOCTYPE GranuleMetaDataFile SYSTEM 'http://127.0.0.1:9/ScienceGranuleMetadata.dtd'>",
        "<!DOCTYPE GranuleMetaDataFile PUBLIC '-//a//b' 'file:///etc/hostname'>",
        "<!DOCTYPE GranuleMetaDataFile>",
    ],
)
def test_a_document_type_alone_is_read_and_its_file_is_not(tmp_path, images, declaration):
    folder = write_folder(tmp_path / "cog", images, xml=xml_text(more=declaration))
    with open_product(folder) as product:
        assert product.sun_elevation_deg == 30.0


def test_xml_too_large_is_refused():
    with pytest.raises(InputError, match="larger"):
        parse_xml(b" " * (9 << 20), "a.xml")


def test_folders_that_are_no_product(tmp_path, images):
    with pytest.raises(InputError, match=r"no VNIR, SWIR or TIR"):
        open_product(tmp_path)
    folder = write_folder(tmp_path / "cog", images)
    swir = folder / f"{NAME}.SWIR.tif"
    with rasterio.open(swir, "r+") as dataset:
        dataset.descriptions = ["ImageData5", *dataset.descriptions[1:]]
    with pytest.raises(InputError, match="should be band 4"):
        open_product(folder)
    swir.write_bytes(swir.read_bytes()[:100])
    with pytest.raises(InputError, match=r"SWIR\.tif.*(damaged|cut short)"):
        open_product(folder)
    swir.unlink()
    with pytest.raises(InputError, match="no data of band 4"):
        open_product(folder)
    with open_product(folder, ["2", "3N"]) as product:
        assert product.grid.shape == SIZE[::-1]
        assert product.read_reflectance(WHOLE).shape == (2, SIZE[1], SIZE[0])


# ---- bad input ----------------------------------------------------------------------------------


def test_swir_of_later_scenes_is_refused(tmp_path, images):
    late = write_hdf(tmp_path / "late.hdf", images, date="20080501")
    with pytest.raises(InputError, match=r"2008-05-01.*23 April 2008.*bands 4, 5, 6, 7, 8, 9"):
        open_product(late)
    with open_product(late, ["1", "2", "3N"]) as product:
        assert product.bands.names == ("1", "2", "3N")
    early = write_hdf(tmp_path / "early.hdf", images, date="20080422")
    with open_product(early) as product:
        assert product.acquired.startswith("2008-04-22")


def test_missing_bands_are_named(tmp_path, images):
    del images["6"]
    path = write_hdf(tmp_path / "a.hdf", images)
    with pytest.raises(InputError, match=r"band 6 \(ImageData6\)"):
        open_product(path)
    with open_product(path, ["4", "5"]) as product:
        assert product.bands.names == ("4", "5")


@pytest.mark.parametrize(
    ("gain", "match"),
    [("XYZ", "gain XYZ of band 5 is unknown"), ("OFF", "OFF"), ("LOW", "LOW of band 5")],
)
def test_unknown_gains_are_refused(tmp_path, images, gain, match):
    path = write_hdf(tmp_path / "a.hdf", images, gains=gain_setting(b5=gain))
    with pytest.raises(InputError, match=match):
        open_product(path)


def test_a_vnir_band_has_no_second_low_gain(tmp_path, images):
    path = write_hdf(tmp_path / "a.hdf", images, gains=gain_setting(b1="LO2"))
    with pytest.raises(InputError, match="LO2 of band 1"):
        open_product(path)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"UPPERLEFTM": None}, "key UPPERLEFTM is missing"),
        ({"UPPERLEFTM": "(1, 2, 3)"}, "UPPERLEFTM = 1, 2, 3"),
        ({"LOWERRIGHTM": '("north", 4)'}, "LOWERRIGHTM"),
        ({"LOWERRIGHTM": "(3599000.0, 600360.0)"}, "make it 25x67.6667|VNIR has"),
        ({"UTMZONENUMBER": "61"}, "UTMZONENUMBER = 61"),
        ({"UTMZONENUMBER": None}, "UTMZONENUMBER"),
        ({"SOLARDIRECTION": "(122.5, -5.0)"}, "is a night granule .* -5 degrees"),
        ({"SOLARDIRECTION": "(122.5, 95.0)"}, "95 degrees is no elevation"),
        ({"SOLARDIRECTION": None}, "SOLARDIRECTION"),
        ({"CALENDARDATE": '"20021340"'}, "make no time"),
        ({"TIMEOFDAY": None}, "TIMEOFDAY"),
    ],
)
def test_bad_metadata_is_named(tmp_path, images, changes, match):
    path = write_hdf(tmp_path / "a.hdf", images, **changes)
    with pytest.raises(InputError, match=match):
        open_product(path)


def test_the_zone_may_stand_among_the_additional_attributes(tmp_path, images):
    more = (
        "none\nOBJECT = ADDITIONALATTRIBUTESCONTAINER\n"
        'OBJECT = ADDITIONALATTRIBUTENAME\nCLASS = "1"\nVALUE = "UTMZoneNumber"\n'
        "END_OBJECT = ADDITIONALATTRIBUTENAME\n"
        'OBJECT = PARAMETERVALUE\nCLASS = "1"\nVALUE = "40"\nEND_OBJECT = PARAMETERVALUE\n'
        "END_OBJECT = ADDITIONALATTRIBUTESCONTAINER\nOBJECT = X\nVALUE = 1"
    )
    aster = f"(122.5, 30.0)\nEND_OBJECT = SOLARDIRECTION\nOBJECT = Y\nVALUE = {more}"
    aster += "\nEND_OBJECT = X\nEND_OBJECT = Y\nOBJECT = SOLARDIRECTION\nVALUE = (122.5, 30.0)"
    path = write_hdf(tmp_path / "a.hdf", images, UTMZONENUMBER=None, SOLARDIRECTION=aster)
    with open_product(path) as product:
        assert product.grid.crs.to_epsg() == 32640


@pytest.mark.parametrize("keep", [4, 200, 0.5, -100])
def test_truncated_files_are_refused(tmp_path, images, keep):
    path = write_hdf(tmp_path / "a.hdf", images)
    content = path.read_bytes()
    size = int(keep * len(content)) if isinstance(keep, float) else keep % len(content)
    path.write_bytes(content[:size])
    with pytest.raises(InputError, match=r"a\.hdf: is cut short or damaged"):
        open_product(path)


def test_a_list_of_descriptors_that_runs_in_a_circle_is_refused(tmp_path):
    path = tmp_path / "a.hdf"
    path.write_bytes(b"\x0e\x03\x13\x01" + struct.pack(">HI", 0, 4))
    with pytest.raises(InputError, match="damaged"):
        open_product(path)


def test_a_file_that_points_to_another_file_is_refused(tmp_path):
    path = tmp_path / "a.hdf"
    descriptor = struct.pack(">HHII", 702 | 0x4000, 2, 22, 2)
    path.write_bytes(b"\x0e\x03\x13\x01" + struct.pack(">HI", 1, 0) + descriptor + b"\x00\x02")
    with pytest.raises(InputError, match="another file"):
        open_product(path)


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        open_product(tmp_path / "none.hdf")
    for content in (b"\x89HDF\r\n\x1a\n" + bytes(100), b"", b"text"):
        path = tmp_path / "a.hdf"
        path.write_bytes(content)
        with pytest.raises(InputError, match="is not an HDF4 file"):
            open_product(path)


def test_hdf4_without_aster_metadata_is_refused(tmp_path):
    from pyhdf.SD import SD, SDC

    path = tmp_path / "a.hdf"
    SD(str(path), SDC.WRITE | SDC.CREATE).end()
    with pytest.raises(InputError, match="not an ASTER product"):
        open_product(path)


def test_odl_values_and_faults():
    text = 'GROUP = A\nOBJECT = B\nCLASS = "2"\nVALUE = ("x, (y", 3,\n 4.5)\nEND_OBJECT = B\n'
    (entry,) = parse_odl(text + "END_GROUP = A\nEND\nrubbish", "m")
    assert (entry.name, entry.kind, entry.values) == ("B", "2", ("x, (y", "3", "4.5"))
    with pytest.raises(InputError, match="m: stops inside A"):
        parse_odl(text, "m")
    with pytest.raises(InputError, match="stops inside"):
        parse_odl("GROUP = A\nOBJECT = B\nVALUE = (1,", "m")
    with pytest.raises(InputError, match="line 2: END_GROUP = C closes nothing"):
        parse_odl("GROUP = A\nEND_GROUP = C", "m")
    with pytest.raises(InputError, match="line 1 is not"):
        parse_odl("no statement", "m")


def test_a_file_on_which_the_hdf4_library_ends_the_process_is_refused(tmp_path):
    # Where a file's parts lie depends on what the process wrote before: a new one writes it.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        path = pool.submit(write_hdf, tmp_path / f"{NAME}.hdf", numbers()).result()
    data = bytearray(path.read_bytes())
    # Groups of the file's structure, which the library frees twice when they are lost.
    data[7283 : 7283 + 512] = bytes(512)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"\.hdf: is damaged"):
        open_product(path)
