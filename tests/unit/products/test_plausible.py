"""Numbers in metadata that physics or the format do not allow are refused, by file and key."""

import re
from datetime import UTC, datetime

import aster_products
import emit_products
import enmap_products
import landsat_products
import numpy as np
import prisma_products
import pytest
import sentinel2_products
import worldview3_products
from affine import Affine
from rasterio.crs import CRS

from gossan.cube.plausibility import ReflectanceMeter
from gossan.errors import InputError, decoding
from gossan.products.plausible import read_moment, require_place
from gossan.products.readers import open_product
from gossan.raster import Grid

MTL_GAIN, MTL_OFFSET = "REFLECTANCE_MULT_BAND_4", "REFLECTANCE_ADD_BAND_4"


def refuse(sensor, path, fault):
    with pytest.raises(InputError, match=fault) as caught, open_product(sensor, path):
        pass
    assert "\n" not in str(caught.value)


def landsat(tmp_path, level="L1TP", **changes):
    """A product whose MTL tells other values of some keys."""

    def edit(text):
        for key, value in changes.items():
            text, count = re.subn(rf"\b{key} = .*", f"{key} = {value}", text)
            assert count
        return text

    numbers = np.full((7, 8, 9), 9000, np.uint16)
    return landsat_products.write_product(tmp_path, numbers, level=level, edit_mtl=edit)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((MTL_GAIN, value) for value in ("0", "-2.0E-05", "2.0E-04", "2.0E-06", "1", "1E300")),
        *((MTL_OFFSET, value) for value in ("0.1", "-1.0", "-100", "1E30")),
        *(("SUN_ELEVATION", value) for value in ("91", "-100", "1E6")),
    ],
)
@pytest.mark.parametrize("level", ["L1TP", "L2SP"])
def test_landsat_scales_and_angles(tmp_path, level, key, value):
    refuse("landsat", landsat(tmp_path, level, **{key: value}), f"_MTL.txt: {key} = ")


@pytest.mark.parametrize(
    "day", ["0001-01-01", "2001-07-19", "2999-07-19", "9999-12-31", "2024-02-30", "20240719999999"]
)
def test_landsat_days_that_no_image_was_taken_on(tmp_path, day):
    refuse("landsat", landsat(tmp_path, DATE_ACQUIRED=day), "DATE_ACQUIRED with SCENE_CENTER")


def test_landsat_file_that_is_named_for_two_bands(tmp_path):
    name = landsat_products.product_name()
    path = landsat(tmp_path, FILE_NAME_BAND_5=f'"{name}_B4.TIF"')
    refuse("landsat", path, rf"MTL\.txt: names {name}_B4\.TIF for B4 and for B5")
    # Who asks for neither of the two is not concerned.
    with open_product("landsat", path, ["B2"]) as product:
        assert product.bands.names == ("B2",)


def test_landsat_key_that_is_told_twice(tmp_path):
    def edit(text):
        return text.replace(f"{MTL_GAIN} =", f"{MTL_GAIN} = 3.0E-05\n    {MTL_GAIN} =", 1)

    path = landsat_products.write_product(
        tmp_path, np.full((7, 8, 9), 9000, np.uint16), edit_mtl=edit
    )
    refuse("landsat", path, rf"line \d+ tells {MTL_GAIN} for the second time, and otherwise")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"L2ScaleVnirMax": np.float32(999_999)}, "L2ScaleVnirMax = 999999 lies outside of"),
        ({"L2ScaleSwirMax": np.float32(-1)}, "L2ScaleSwirMax = -1 lies outside of"),
        ({"L2ScaleSwirMin": np.float32(-50)}, "L2ScaleSwirMin = -50 lies outside of"),
        ({"Sun_zenith_angle": np.float32(170)}, "Sun_zenith_angle = 170 lies outside of"),
        ({"Sun_azimuth_angle": np.float32(1e9)}, r"Sun_azimuth_angle = 1e\+09 lies outside of"),
        ({"Sun_azimuth_angle": np.bytes_("east")}, "Sun_azimuth_angle = east is not a number"),
        ({"Product_StartTime": np.bytes_("1924-04-02T10:28:37")}, "PRISMA was launched on 2019"),
        ({"Epsg_Code": np.float64(1e300)}, "Epsg_Code = 1e.300 lies outside of"),
        ({"List_Fwhm_Swir": np.full(10, 4000, "f4")}, "List_Fwhm_Swir = 4000 lies outside of"),
        (
            {
                "Product_ULcorner_northing": 9e8,
                "Product_LRcorner_northing": 9e8 - 30 * (prisma_products.SHAPE[0] - 1),
            },
            "lie nowhere on the Earth",
        ),
    ],
)
def test_prisma_attributes(tmp_path, changes, fault):
    refuse("prisma", prisma_products.write_product(tmp_path / "a.he5", **changes), fault)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"gains": ["0.0001"] * 5 + ["-0.0001"]}, "GainOfBand of band 6 = -0.0001 lies outside"),
        ({"gains": ["0.01"] * 6}, "GainOfBand of band 1 = 0.01 lies outside"),
        ({"offsets": ["7"] * 6}, "OffsetOfBand of band 1 = 7 lies outside"),
        ({"center": "-12"}, "sunElevationAngle/center = -12 lies outside of 0 to 90"),
        ({"startTime": "0001-01-01T00:00:00+14:00"}, "is no time"),
    ],
)
def test_enmap_elements(tmp_path, changes, fault):
    product = enmap_products.write_product(tmp_path)
    (metadata,) = product.glob("*METADATA.XML")
    metadata.write_text(enmap_products.metadata_text(**changes))
    refuse("enmap", product, fault)


def attribute(name, value):
    def change(file):
        file.attrs[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (attribute("geotransform", [60.0, 1e9, 0, 30.0, 0, -1e9]), r"geotransform's step = 1e\+09"),
        (attribute("geotransform", [60.0, 1e-9, 0, 30.0, 0, -1e-9]), "geotransform's step = 1e-09"),
        (
            attribute("geotransform", [60.0, 5.4e-4, 0, 4000.0, 0, -5.4e-4]),
            "lie nowhere on the Earth",
        ),
        (attribute("time_coverage_start", "1950-01-01T00:00:00"), "EMIT was launched on 2022"),
        (attribute("time_coverage_end", "9999-12-31T23:00:00-14:00"), "is no time"),
    ],
)
def test_emit_attributes(tmp_path, change, fault):
    refuse("emit", emit_products.write_product(tmp_path, change), fault)


def safe(tmp_path, **texts):
    """A .SAFE with texts of its own, and one image, which is not come to."""
    images = {"SCL": np.full((12, 12), 5, np.uint8)}
    return sentinel2_products.write_safe(tmp_path, images, **texts)


def sparse(name, shape, dtype):
    """A change that puts an array of any size, nothing of it stored, in place of a variable."""

    def change(file):
        del file[name]
        file.create_dataset(name, shape, dtype, chunks=tuple(min(side, 64) for side in shape))

    return change


@pytest.mark.parametrize(
    "change",
    [
        sparse("location/glt_x", (131_072, 131_072), "i4"),
        sparse("reflectance", (1_000_000, 6, 5), "f4"),
    ],
)
def test_emit_arrays_that_are_larger_than_any_product(tmp_path, change):
    refuse("emit", emit_products.write_product(tmp_path, change), "larger than any product")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"BOA_QUANTIFICATION_VALUE": "1"}, "BOA_QUANTIFICATION_VALUE = 1 lies outside of"),
        ({"BOA_QUANTIFICATION_VALUE": "-10000"}, "= -10000 lies outside of"),
        ({"BOA_QUANTIFICATION_VALUE": "1e9"}, r"= 1e\+09 lies outside of"),
        ({"PRODUCT_START_TIME": "1990-07-19T13:12:49Z"}, "Sentinel-2 was launched on 2015"),
        ({"offsets": {2: "-90000"}}, "BOA_ADD_OFFSET = -90000 lies outside of"),
        ({"offsets": {2: "1000"}}, "BOA_ADD_OFFSET = 1000 lies outside of"),
    ],
)
def test_sentinel2_elements(tmp_path, changes, fault):
    name = sentinel2_products.product_name()
    metadata = sentinel2_products.metadata_text(name, **changes)
    refuse("sentinel2", safe(tmp_path, metadata=metadata), fault)


@pytest.mark.parametrize("zenith", ["-3", "95", "1e9"])
def test_sentinel2_sun(tmp_path, zenith):
    granule = sentinel2_products.granule_text(sun_zenith=zenith)
    refuse("sentinel2", safe(tmp_path, granule=granule), "ZENITH_ANGLE = .* lies outside of 0")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"SOLARDIRECTION": "(122.5, 300.0)"}, "sun's elevation of 300 degrees is no"),
        ({"SOLARDIRECTION": "(99999, 30.0)"}, "sun's azimuth = 99999 lies outside of"),
        ({"date": "19600721"}, "ASTER was launched on 1999"),
        ({"first": (600_000.0, 9e8)}, "lie nowhere on the Earth"),
    ],
)
def test_aster_keys(tmp_path, changes, fault):
    images = aster_products.numbers()
    refuse("aster", aster_products.write_hdf(tmp_path / "a.hdf", images, **changes), fault)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"absCalFactor": "1e9"}, r"absCalFactor = 1e\+09 lies outside of"),
        ({"absCalFactor": "-0.01"}, "absCalFactor = -0.01 lies outside of"),
        ({"effectiveBandwidth": "50"}, "effectiveBandwidth = 50 lies outside of"),
        ({"meanSunAz": "7e7"}, r"meanSunAz = 7e\+07 lies outside of"),
        ({"firstLineTime": "1817-07-05T18:31:26Z"}, "WorldView-3 was launched on 2014"),
    ],
)
def test_worldview3_keys(tmp_path, changes, fault):
    text = worldview3_products.imd_text(worldview3_products.SWIR, **changes)
    worldview3_products.write_image(tmp_path, "SWIR", text=text)
    refuse("worldview3", tmp_path, fault)


def described(image):
    """An IMD that tells size and pixels of its image, as real ones do."""
    columns, rows = worldview3_products.SIZE[image]
    pixel = worldview3_products.PIXEL_M[image]
    head = f"numRows = {rows};\nnumColumns = {columns};\n"
    place = f"BEGIN_GROUP = MAP_PROJECTED_PRODUCT\n\tcolSpacing = {pixel};\nEND_GROUP = "
    text = worldview3_products.imd_text(worldview3_products.MEMBERS[image])
    return head + text.replace("END;", f"{place}MAP_PROJECTED_PRODUCT\nEND;")


def test_worldview3_images_that_are_exchanged(tmp_path):
    imds = [
        worldview3_products.write_image(tmp_path, image, text=described(image))
        for image in ("MUL", "SWIR")
    ]
    with open_product("worldview3", tmp_path) as product:
        assert len(product.bands.names) == 16
    one, other = (imd.with_suffix(".TIF") for imd in imds)
    contents = one.read_bytes(), other.read_bytes()
    other.write_bytes(contents[0])
    one.write_bytes(contents[1])
    refuse("worldview3", tmp_path, "get the image that goes with it")


def test_worldview3_part_that_somebody_cut_is_read(tmp_path):
    stored = worldview3_products.numbers("SWIR")[:, :5, :6]
    worldview3_products.write_image(tmp_path, "SWIR", stored, text=described("SWIR"))
    with open_product("worldview3", tmp_path) as product:
        assert product.grid.shape == (5, 6)


def test_worldview3_image_that_is_larger_than_described(tmp_path):
    stored = np.concatenate([worldview3_products.numbers("SWIR")] * 2, axis=1)
    worldview3_products.write_image(tmp_path, "SWIR", stored, text=described("SWIR"))
    refuse("worldview3", tmp_path, "tells numRows = 6; get the image that goes with it")


def test_worldview3_band_that_is_described_twice(tmp_path):
    text = described("SWIR").replace("BAND_S2", "BAND_S1")
    worldview3_products.write_image(tmp_path, "SWIR", text=text)
    refuse("worldview3", tmp_path, "tells BAND_S1 for the second time")


# ---- pieces -------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59-14:00", "", "x"])
def test_no_time_of_the_calendar(text):
    with pytest.raises(InputError, match=r"f: key = .* is no time"):
        read_moment(text, "f", "key")


def test_a_time_is_told_in_utc():
    expected = datetime(2020, 1, 1, 10, tzinfo=UTC)
    assert read_moment("2020-01-01T12:00:00+02:00", "f", "key", "ASTER") == expected
    assert read_moment("2020-01-01T10:00:00", "f", "key") == expected


@pytest.mark.parametrize(
    ("epsg", "transform"),
    [
        (32601, Affine(30, 0, 400_000, 0, -30, 5_000_000)),
        (4326, Affine(0.0005, 0, 179.9, 0, -0.0005, 65)),
        (3031, Affine(30, 0, -10_000, 0, -30, 10_000)),
        (2225, Affine(98.4, 0, 6_000_000, 0, -98.4, 2_000_000)),
        (4326, Affine.translation(10, 50) @ Affine.rotation(30) @ Affine.scale(5e-4, -5e-4)),
    ],
)
def test_places_on_the_earth(epsg, transform):
    grid = Grid(CRS.from_epsg(epsg), transform, 500, 500)
    assert require_place(grid, "f") is grid


@pytest.mark.parametrize(
    ("epsg", "transform"),
    [
        (4326, Affine(1e9, 0, 0, 0, -1e9, 0)),
        (4326, Affine(30, 0, 500_000, 0, -30, 4_000_000)),
        (32643, Affine(0, 0, 500_000, 0, 0, 4_000_000)),
        (32643, Affine(30, 0, 5e9, 0, -30, 4e9)),
        (32643, Affine(1e-7, 0, 500_000, 0, -1e-7, 4_000_000)),
    ],
)
def test_places_that_are_none(epsg, transform):
    with pytest.raises(InputError, match="f: its"):
        require_place(Grid(CRS.from_epsg(epsg), transform, 500, 500), "f")


@pytest.mark.parametrize(
    "fault", [KeyError("a"), OverflowError("b"), RecursionError(), ValueError("c\nd"), OSError("e")]
)
def test_what_decoding_raises_is_one_line_that_names_the_file(fault):
    expected = f"^file: cannot be read .{type(fault).__name__}: "
    with pytest.raises(InputError, match=expected) as told, decoding("file"):
        raise fault
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("fault", [InputError("known"), PermissionError(13, "denied", "x")])
def test_faults_that_are_told_already_go_through(fault):
    with pytest.raises(type(fault)) as caught, decoding("file"):
        raise fault
    assert caught.value is fault


class Scaled:
    path, product_id, scaled_by = "a/b", "id", "THE_GAIN"


@pytest.mark.parametrize(("number", "where"), [(2.5, "above 2"), (-0.5, "below -0.2")])
def test_reflectance_that_is_none_names_the_metadata_that_made_it(number, where):
    values = np.full((2, 4, 4), 0.3, np.float32)
    values[1, :3] = number
    values[0, 0] = number
    meter = ReflectanceMeter(2)
    meter.add(values, np.ones((4, 4), bool))
    with pytest.raises(InputError, match=rf"^a/b: most of band y is {where},.*look at THE_GAIN"):
        meter.require(Scaled, ("x", "y"))


def test_half_of_a_scene_may_be_odd_and_the_rest_may_hold_no_data():
    values = np.full((1, 4, 4), 9.0, np.float32)
    values[0, :2] = 0.1
    meter = ReflectanceMeter(1)
    data = np.ones((4, 4), bool)
    meter.add(values, data)
    data[2:] = False
    meter.add(values, data)
    meter.require(Scaled, ("x",))
