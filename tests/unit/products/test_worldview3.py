"""The WorldView-3 reader: IMD, calibration, common grid, tiles, flags and bad input."""

import math
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pytest
from rasterio.windows import Window
from worldview3_products import (
    CORNER_M,
    MEMBERS,
    ORDER,
    PIXEL_M,
    SIZE,
    SWIR,
    VNIR,
    imd_text,
    numbers,
    stem,
    write_image,
    write_tiff,
)

from gossan.errors import InputError
from gossan.products.worldview3 import (
    BAND_FACTS,
    calibration,
    open_product,
    parse_imd,
    sun_distance_au,
)

WHOLE = Window(0, 0, *SIZE["SWIR"])
MOMENT = datetime(2017, 7, 5, 18, 31, 26, 287350, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path):
    write_image(tmp_path, "MUL")
    write_image(tmp_path, "SWIR")
    return tmp_path


@pytest.fixture
def product(folder):
    with open_product(folder) as product:
        yield product


def reflectance_of(band: str, number: float) -> float:
    gain, offset = calibration(band, 0.01, 0.05, MOMENT, 30.0)
    return gain * number + offset


def test_says_what_it_is(product):
    assert product.product_id == ORDER
    assert (product.spacecraft, product.sensor, product.level) == (
        "WorldView-3",
        "WorldView-3",
        "LV2A",
    )
    assert product.collection == "28.3"
    assert product.acquired == "2017-07-05T18:31:26.287350Z"
    assert (product.sun_elevation_deg, product.sun_azimuth_deg) == (30.0, 135.2)
    assert not product.synthetic
    assert not product.surface_reflectance
    assert product.bands.names == VNIR + SWIR
    assert (np.diff(product.bands.centre_um) > 0).all()
    assert "2016v0" in product.notes[0]


def test_centres_lie_in_the_sensor_s_responses(product, shared_data):
    path = shared_data("sensor_responses/bands_centre_fwhm.csv")
    rows = [line.split(",") for line in path.read_text().splitlines()]
    known = [float(row[2]) for row in rows if row[0] == "WorldView-3" and "PAN" not in row[1]]
    np.testing.assert_allclose(np.array(product.bands.centre_um) * 1000, known, atol=1)


def test_widths_are_the_product_s(tmp_path):
    text = imd_text(SWIR, widths={"S3": 0.0412})
    with open_product(write_image(tmp_path, "SWIR", text=text)) as product:
        assert product.bands.fwhm_um == (0.05, 0.05, 0.0412, 0.05, 0.05, 0.05, 0.05, 0.05)


def test_simulated_deliveries_are_marked(tmp_path):
    text = imd_text(SWIR, imageDescriptor='"Simulated by gossan; not a satellite image"')
    with open_product(write_image(tmp_path, "SWIR", text=text)) as product:
        assert product.synthetic


# ---- calibration --------------------------------------------------------------------------------


def test_sun_distance():
    # Perihelion and aphelion of 2017, and the equinox, by the almanac.
    for moment, expected in (
        (datetime(2017, 1, 4, 14, 18, tzinfo=UTC), 0.98331),
        (datetime(2017, 7, 3, 20, 11, tzinfo=UTC), 1.01668),
        (datetime(2017, 3, 20, 10, 29, tzinfo=UTC), 0.99597),
    ):
        assert sun_distance_au(moment) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("band", "number", "factor", "width", "expected"),
    [
        # By hand, with d = 1.0167088 (g = 180.7107°) and sin(30°) = 0.5: π L d² / (E0 · 0.5).
        # L = 0.905 · 1000 · 0.012 / 0.0405 - 8.604 = 259.54415
        ("C", 1000, 0.012, 0.0405, 0.958943),
        # L = 0.978 · 500 · 0.01 / 0.0889 - 2.992 = 52.01362
        ("N2", 500, 0.01, 0.0889, 0.393381),
        # L = 1.2 · 8000 · 2.6716e-4 / 0.033 - 5.546 = 72.17327
        ("S1", 8000, 2.6716e-4, 0.033, 0.978581),
        # L = 1.376 · 3000 · 1.1e-4 / 0.0679 - 0.372 = 6.31548
        ("S8", 3000, 1.1e-4, 0.0679, 0.602338),
    ],
)
def test_calibration_by_hand(tmp_path, band, number, factor, width, expected):
    image = "SWIR" if band in SWIR else "MUL"
    stored = np.full_like(numbers(image), 700)
    stored[MEMBERS[image].index(band)] = number
    text = imd_text(MEMBERS[image], {band: factor}, {band: width})
    with open_product(write_image(tmp_path, image, stored, text=text)) as product:
        assert sun_distance_au(MOMENT) == pytest.approx(1.0167088, abs=1e-7)
        reflectance = product.read_reflectance(Window(2, 1, 3, 2))
    row = MEMBERS[image].index(band)
    np.testing.assert_allclose(reflectance[row], expected, rtol=1e-5)
    facts = BAND_FACTS[band]
    radiance = facts.gain * number * factor / width + facts.offset
    by_formula = math.pi * radiance * 1.0167088**2 / (facts.irradiance * 0.5)
    assert by_formula == pytest.approx(expected, rel=1e-5)


def test_each_image_has_its_own_sun(tmp_path):
    write_image(tmp_path, "MUL")
    text = imd_text(
        SWIR,
        meanSunEl="60.0",
        firstLineTime="2017-07-05T18:29:00.000000Z",
        productOrderId='"other"',
    )
    write_image(tmp_path, "SWIR", text=text)
    with open_product(tmp_path) as product:
        # The product is named after the image that was taken first.
        assert (product.acquired[:19], product.sun_elevation_deg) == ("2017-07-05T18:29:00", 60.0)
        assert product.product_id == "other"
        vnir, swir = product.calibrations["C"], product.calibrations["S1"]
    assert vnir == calibration("C", 0.01, 0.05, MOMENT, 30.0)
    assert swir[0] == pytest.approx(
        calibration("S1", 0.01, 0.05, MOMENT, 30.0)[0] / math.sqrt(3), rel=1e-4
    )


# ---- grid ---------------------------------------------------------------------------------------


def test_the_grid_is_that_of_the_larger_pixels(product):
    assert product.grid.shape == SIZE["SWIR"][::-1]
    assert product.grid.place(0, 0) == CORNER_M
    assert product.grid.transform.a == 12
    assert any("bands C, B, G, Y, R, RE, N, N2: 4 m" in note for note in product.notes)
    reflectance = product.read_reflectance(WHOLE)
    swir, vnir = numbers("SWIR"), numbers("MUL").astype(float)
    np.testing.assert_allclose(reflectance[8], reflectance_of("S1", swir[0]), rtol=1e-5)
    means = vnir[2].reshape(6, 3, 8, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(reflectance[2], reflectance_of("G", means), rtol=1e-5)


def test_pixels_that_do_not_divide_are_averaged_by_their_shares(tmp_path):
    """5 m pixels from 3 m west and 2 m north of the grid's corner, under its 12 m."""
    corner = (CORNER_M[0] - 3, CORNER_M[1] + 2)
    write_image(tmp_path, "MUL", pixel=5.0, corner=corner)
    write_image(tmp_path, "SWIR")
    stored = numbers("MUL")[4].astype(float)
    with open_product(tmp_path) as product:
        found = product.read_reflectance(Window(1, 2, 1, 1))[4, 0, 0]
    # Columns: metres 15 to 27 from the image's edge: pixels 3 (5 m), 4 (5 m), 5 (2 m).
    # Rows: metres 26 to 38: pixels 5 (4 m), 6 (5 m), 7 (3 m).
    shares = np.outer([4, 5, 3], [5, 5, 2]) / 144
    mean = (shares * stored[5:8, 3:6]).sum()
    assert found == pytest.approx(reflectance_of("R", mean), rel=1e-5)


def test_a_pixel_with_less_than_half_of_its_area_is_nodata(tmp_path):
    stored = numbers("MUL")
    stored[1, :3, :3] = 0
    stored[1, 0, 0] = 900  # pixel (0, 0): a ninth
    stored[1, 3:6, 0:2] = 0
    stored[1, 3, 0] = stored[1, 4, 0] = 800  # pixel (1, 0): five ninths
    write_image(tmp_path, "MUL", stored)
    write_image(tmp_path, "SWIR")
    with open_product(tmp_path) as product:
        band = product.read_reflectance(WHOLE)[1]
    assert np.isnan(band[0, 0])
    mean = (stored[1, 3:6, 2].astype(float).sum() + 1600) / 5
    assert band[1, 0] == pytest.approx(reflectance_of("B", mean), rel=1e-5)
    assert np.isnan(band).sum() == 1


def test_outside_of_the_finer_image_is_no_data(tmp_path):
    write_image(tmp_path, "MUL", corner=(CORNER_M[0] + 12, CORNER_M[1] - 12))
    write_image(tmp_path, "SWIR")
    with open_product(tmp_path) as product:
        reflectance = product.read_reflectance(WHOLE)
        fill = product.read_flags(WHOLE, ["fill"]).any(axis=0)
    assert np.isnan(reflectance[:8, 0]).all()
    assert np.isnan(reflectance[:8, :, 0]).all()
    assert np.isfinite(reflectance[:, 1:, 1:]).all()
    assert np.isfinite(reflectance[8:]).all()
    assert not fill.any()


def test_a_coarser_vnir_gives_the_grid(tmp_path):
    write_image(tmp_path, "MUL", pixel=24.0)
    write_image(tmp_path, "SWIR")
    with open_product(tmp_path) as product:
        assert product.grid.transform.a == 24
        assert any("12 m pixels averaged" in note for note in product.notes)


@pytest.mark.parametrize(("image", "missing"), [("MUL", "SWIR"), ("SWIR", "VNIR")])
def test_one_image_alone(tmp_path, image, missing):
    imd = write_image(tmp_path, image)
    for path in (tmp_path, imd.parent, imd):
        with open_product(path) as product:
            assert product.bands.names == MEMBERS[image]
            assert product.grid.transform.a == PIXEL_M[image]
            assert f"the delivery has no {missing} image" in product.notes
            assert not any("averaged" in note for note in product.notes)
            found = product.read_reflectance(Window(0, 0, *SIZE[image]))
    expected = reflectance_of(MEMBERS[image][3], numbers(image)[3].astype(float))
    np.testing.assert_allclose(found[3], expected, rtol=1e-5)


def test_the_panchromatic_image_is_left_out(folder):
    write_image(folder, "PAN")
    with open_product(folder) as product:
        assert product.bands.names == VNIR + SWIR
        assert "the panchromatic image is left out" in product.notes


def test_the_order_of_bands_is_the_imd_s(tmp_path):
    bands = ("B", "G", "R", "N")
    stored = numbers("MUL")[:4]
    with open_product(write_image(tmp_path, "MUL", stored, text=imd_text(bands))) as product:
        assert product.bands.names == bands
        found = product.read_reflectance(Window(0, 0, 1, 1))[:, 0, 0]
    expected = [reflectance_of(b, float(v)) for b, v in zip(bands, stored[:, 0, 0], strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_bands_come_in_the_order_asked_for(product, folder):
    whole = product.read_reflectance(WHOLE)
    with open_product(folder, ["S5", "C", "N"]) as part:
        assert part.bands.names == ("S5", "C", "N")
        assert part.grid == product.grid
        np.testing.assert_array_equal(part.read_reflectance(WHOLE), whole[[12, 0, 6]])
    with pytest.raises(InputError, match=r"no band P; choose from C, B.*S8"):
        open_product(folder, ["C", "P"])


def test_any_window_and_any_thread_read_the_same(product):
    whole = product.read_reflectance(WHOLE)
    flags = product.read_flags(WHOLE, ["fill", "saturation"])
    windows = [Window(c, r, 3, 2) for r in (0, 2, 4) for c in (0, 2, 5)] * 5
    with ThreadPoolExecutor(8) as pool:
        blocks = pool.map(
            lambda w: (product.read_reflectance(w), product.read_flags(w, ["fill", "saturation"])),
            windows,
        )
        for window, (block, flagged) in zip(windows, blocks, strict=True):
            np.testing.assert_allclose(block, whole[(..., *window.toslices())], rtol=1e-6)
            np.testing.assert_array_equal(flagged, flags[(..., *window.toslices())])


def test_strips_read_the_same(product, monkeypatch):
    whole = product.read_reflectance(WHOLE)
    monkeypatch.setattr("gossan.products.worldview3._STRIP_PX", 1)
    np.testing.assert_allclose(product.read_reflectance(WHOLE), whole, rtol=1e-6)


def test_tiles_are_put_together(tmp_path, product):
    place = tmp_path / "tiled" / f"{ORDER}_MUL"
    write_image(tmp_path / "tiled", "SWIR")
    imd = write_image(tmp_path / "tiled", "MUL")
    (place / f"{stem('MUL')}.TIF").unlink()
    stored = numbers("MUL")
    for row, rows in ((1, slice(0, 10)), (2, slice(10, 18))):
        for column, columns in ((1, slice(0, 7)), (2, slice(7, 24))):
            name = stem("MUL").replace("-M2AS-", f"-M2AS_R{row}C{column}-")
            corner = (CORNER_M[0] + 4 * columns.start, CORNER_M[1] - 4 * rows.start)
            write_tiff(place / f"{name}.TIF", stored[:, rows, columns], 4.0, corner)
    with open_product(tmp_path / "tiled") as tiled:
        np.testing.assert_array_equal(
            tiled.read_reflectance(WHOLE), product.read_reflectance(WHOLE)
        )
    (place / f"{name}.TIF").unlink()
    with pytest.raises(InputError, match="gaps or overlap"):
        open_product(imd)


# ---- flags --------------------------------------------------------------------------------------


def test_fill_and_saturation(tmp_path):
    vnir, swir = numbers("MUL"), numbers("SWIR")
    vnir[:, :3, :3] = 0
    swir[:, 0, 0] = 0
    swir[:, 2, 2] = 0
    vnir[6, 10, 16] = 2047  # in pixel (3, 5)
    swir[3, 4, 1] = 16383
    swir[4, 5, 1] = 2047  # far from the end of 14 bits
    write_image(tmp_path, "MUL", vnir)
    write_image(tmp_path, "SWIR", swir)
    with open_product(tmp_path) as product:
        reflectance = product.read_reflectance(WHOLE)
        fill, saturated, cloud = product.read_flags(WHOLE, ["fill", "saturation", "cloud"])
        mask = product.read_flags(WHOLE, ["fill", "saturation"]).any(axis=0)
        assert "cloud" in product.absent_flags
        with pytest.raises(InputError, match="frost"):
            product.read_flags(WHOLE, ["frost"])
    assert set(zip(*np.nonzero(fill), strict=True)) == {(0, 0)}
    assert set(zip(*np.nonzero(saturated), strict=True)) == {(3, 5), (4, 1)}
    np.testing.assert_array_equal(mask, fill | saturated)
    assert not cloud.any()
    assert np.isnan(reflectance[8:, 2, 2]).all()
    # Saturated numbers stay data.
    assert np.isfinite(reflectance[11, 4, 1])


# ---- IMD ----------------------------------------------------------------------------------------


def test_an_imd_is_read_with_its_groups_and_lists():
    tree = parse_imd(imd_text(("C", "RE")), "a.IMD")
    assert tree["bandId"] == "Multi"
    assert tree["BAND_RE"]["absCalFactor"] == "1.000000e-02"
    assert tree["IMAGE_1"]["TLCList"].endswith("(9000, 1.500000) )")
    assert tree["IMAGE_1"]["firstLineTime"] == "2017-07-05T18:31:26.287350Z"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a = 1;\n", "stops before its END"),
        ("a = (1,\n2\n", "stops before its END"),
        ("BEGIN_GROUP = A\nEND;\n", "END inside group A"),
        ("BEGIN_GROUP = A\nEND_GROUP = B\nEND;\n", "line 2: END_GROUP = B closes no"),
        ("END_GROUP = B\nEND;\n", "closes no"),
        ("hello\nEND;\n", "line 1 is not 'key = value;'"),
        ("", "stops before its END"),
    ],
)
def test_texts_that_are_no_imd(text, match):
    with pytest.raises(InputError, match=rf"a\.IMD.*{match}"):
        parse_imd(text, "a.IMD")


# ---- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"satId": '"WV02"'}, r"satellite WV02; only WV03"),
        ({"satId": None}, "IMAGE_1/satId is missing"),
        ({"meanSunEl": None}, "IMAGE_1/meanSunEl is missing"),
        ({"meanSunEl": "-4.0"}, "no daylight"),
        ({"meanSunEl": "high"}, "meanSunEl = high is not a number"),
        ({"firstLineTime": "noon"}, "firstLineTime = noon is no time"),
        ({"firstLineTime": None, "TLCTime": None}, "firstLineTime is missing"),
        ({"absCalFactor": None}, "BAND_S1/absCalFactor is missing"),
        (
            {"effectiveBandwidth": "0.0"},
            "BAND_S1/effectiveBandwidth = 0 lies outside of 0.01 to 0.5",
        ),
        ({"productLevel": None}, "productLevel is missing"),
        ({"radiometricEnhancement": '"ACOMP"'}, "radiometricEnhancement = ACOMP"),
        ({"panSharpenAlgorithm": '"UNB"'}, "panSharpenAlgorithm = UNB"),
    ],
)
def test_metadata_that_cannot_be_used(tmp_path, changes, match):
    imd = write_image(tmp_path, "SWIR", text=imd_text(SWIR, **changes))
    with pytest.raises(InputError, match=match):
        open_product(imd)


def test_other_times_stand_in_for_that_of_the_first_line(tmp_path):
    text = imd_text(SWIR, firstLineTime=None, TLCTime="2017-07-05T20:31:26+02:00")
    with open_product(write_image(tmp_path, "SWIR", text=text)) as product:
        assert product.acquired == "2017-07-05T18:31:26.000000Z"


def test_an_image_without_its_imd_is_not_passed_over(tmp_path):
    write_image(tmp_path, "MUL")
    write_image(tmp_path, "SWIR").unlink()
    with pytest.raises(InputError, match=r"-A2AS-.*\.TIF: has no .*-A2AS-.*\.IMD beside it"):
        open_product(tmp_path)


def test_an_imd_without_band_groups(tmp_path):
    imd = write_image(tmp_path, "SWIR", text=imd_text(()))
    with pytest.raises(InputError, match="has no group BAND_"):
        open_product(imd)


def test_an_imd_of_an_unknown_band(tmp_path):
    imd = write_image(tmp_path, "SWIR", text=imd_text((*SWIR[:7], "Q")))
    with pytest.raises(InputError, match="BAND_Q is unknown"):
        open_product(imd)


def test_a_mosaic_is_refused(tmp_path):
    extra = 'BEGIN_GROUP = IMAGE_2\n\tsatId = "WV03";\nEND_GROUP = IMAGE_2\nEND;'
    imd = write_image(tmp_path, "SWIR", text=imd_text(SWIR).replace("END;", extra))
    with pytest.raises(InputError, match="mosaic"):
        open_product(imd)


def test_an_imd_of_which_a_part_is_zeros_is_refused(tmp_path):
    text = imd_text(SWIR)
    imd = write_image(tmp_path, "SWIR", text=text[:200] + "\0" * 60 + text[260:])
    with pytest.raises(InputError, match="a part of its text is zeros"):
        open_product(imd)


def test_an_imd_too_large_is_refused(tmp_path):
    imd = write_image(tmp_path, "SWIR", text=" " * ((1 << 20) + 1))
    with pytest.raises(InputError, match="larger than 1024 KiB"):
        open_product(imd)


def test_panchromatic_alone(tmp_path):
    write_image(tmp_path, "PAN")
    with pytest.raises(InputError, match="is panchromatic"):
        open_product(tmp_path)


def test_folders_that_are_no_delivery(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        open_product(tmp_path / "none")
    with pytest.raises(InputError, match=r"holds no \.IMD"):
        open_product(tmp_path)
    imd = write_image(tmp_path, "SWIR")
    with pytest.raises(InputError, match=r"holds no \.IMD"):
        open_product(imd.with_suffix(".TIF"))
    imd.with_suffix(".TIF").unlink()
    with pytest.raises(InputError, match=r"has no image .*A2AS.*\.TIF"):
        open_product(tmp_path)


def test_two_images_of_the_same_bands(folder):
    write_image(folder / "again", "SWIR")
    with pytest.raises(InputError, match="several images with band S1"):
        open_product(folder)


@pytest.mark.parametrize(
    ("stored", "options", "match"),
    [
        (numbers("SWIR")[:7], {}, r"7 band\(s\).*describes 8 \(S1"),
        (numbers("SWIR").astype("f4"), {}, "holds float32"),
        (None, {"crs": None}, "not on a map"),
        (None, {"crs": "EPSG:4326"}, "not on a map"),
    ],
)
def test_images_that_cannot_be_used(tmp_path, stored, options, match):
    imd = write_image(tmp_path, "SWIR", stored, **options)
    with pytest.raises(InputError, match=match):
        open_product(imd)


def test_images_in_different_systems(tmp_path):
    write_image(tmp_path, "MUL", crs="EPSG:32612")
    write_image(tmp_path, "SWIR")
    with pytest.raises(InputError, match="another reference system"):
        open_product(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_damaged_images_are_named(tmp_path, share):
    imd = write_image(tmp_path, "SWIR")
    path = imd.with_suffix(".TIF")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with (
        pytest.raises(InputError, match=r"A2AS.*(cut short|not on a map|holds)"),
        open_product(imd) as product,
    ):
        product.read_reflectance(WHOLE)
