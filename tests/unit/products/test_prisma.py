"""The PRISMA reader: order of bands, overlap, scale, place, flags and bad input."""

import csv
import json
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
from prisma_products import (
    CENTRES,
    FIELDS,
    FIRST_M,
    NAME,
    SHAPE,
    SWATH,
    ramp,
    write_product,
)
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.products import subset
from gossan.products.prisma import open_product

HEIGHT, WIDTH = SHAPE
WHOLE = Window(0, 0, WIDTH, HEIGHT)
# By hand: VNIR up to (940 + 980) / 2 = 960 nm, SWIR above.
KEPT = ("V07", "V06", "V05", "V04", "S006", "S005", "S004", "S003", "S002", "S001")
KEPT_NM = (450, 600, 800, 955, 962, 974, 1100, 1600, 2200, 2450)


@pytest.fixture
def product(tmp_path):
    with open_product(write_product(tmp_path / "a.he5")) as product:
        yield product


def test_says_what_it_is(product):
    assert product.product_id == NAME
    assert (product.spacecraft, product.sensor, product.level) == ("PRISMA", "PRISMA HYC", "L2D")
    assert product.collection == "2.10"
    assert product.acquired == "2024-04-02T10:28:37.932000Z"
    assert product.sun_elevation_deg == 39.75
    assert product.sun_azimuth_deg == 160.5
    assert product.surface_reflectance
    assert not product.synthetic
    assert "cloud" in product.absent_flags


def test_simulated_products_are_marked(tmp_path):
    path = write_product(tmp_path / "a.he5", Processor_Name=np.bytes_("Simulated by gossan"))
    with open_product(path) as product:
        assert product.synthetic


def test_a_folder_with_one_file_is_that_file(tmp_path):
    write_product(tmp_path / "a.he5")
    with open_product(tmp_path) as product:
        assert product.product_id == NAME
    write_product(tmp_path / "b.he5")
    with pytest.raises(InputError, match=r"2 \.he5 files"):
        open_product(tmp_path)


# ---- bands --------------------------------------------------------------------------------------


def test_a_ramp_comes_out_ascending(product):
    """Both detectors are stored by falling wavelength: the classic fault of readers."""
    assert product.bands.names == KEPT
    assert product.bands.centre_um == pytest.approx(np.array(KEPT_NM) / 1000)
    assert product.bands.fwhm_um == pytest.approx([(8 + c / 500) / 1000 for c in KEPT_NM])
    reflectance = product.read_reflectance(WHOLE)
    assert (np.diff(reflectance, axis=0) > 0).all()
    pixel = np.arange(HEIGHT * WIDTH).reshape(SHAPE)
    expected = (10 * np.array(KEPT_NM)[:, None, None] + pixel) / 65535
    np.testing.assert_allclose(reflectance, expected, rtol=1e-6)


def test_bands_that_are_stored_by_rising_wavelength_are_matched_as_well(tmp_path):
    changes = {f"List_{key}": None for key in ("Cw_Vnir", "Fwhm_Vnir", "Cw_Vnir_Flags")}
    with h5py.File(write_product(tmp_path / "a.he5")) as file:
        changes = {key: file.attrs[key][::-1] for key in changes}
    cubes = ramp()
    cubes["Vnir"] = cubes["Vnir"][:, ::-1]
    with open_product(write_product(tmp_path / "b.he5", cubes, **changes)) as product:
        assert product.bands.centre_um == pytest.approx(np.array(KEPT_NM) / 1000)
        assert (np.diff(product.read_reflectance(WHOLE), axis=0) > 0).all()


def test_each_wavelength_of_the_overlap_is_taken_once(product):
    note = next(note for note in product.notes if "both detectors" in note)
    assert note.startswith("bands V02, V03, S007, S008: left out")
    assert "0.9400-0.9800 µm" in note
    assert "0.9600 µm" in note
    with pytest.raises(InputError, match=r"no usable band V02.*V07 \(0\.4500 µm\) to S001"):
        open_product(product._name, ["V07", "V02"])


def test_detectors_that_do_not_meet_keep_all(tmp_path):
    centres = np.array(CENTRES["Swir"]) + np.where(np.array(CENTRES["Swir"]) > 0, 50, 0)
    path = write_product(tmp_path / "a.he5", List_Cw_Swir=centres.astype(np.float32))
    with open_product(path) as product:
        assert len(product.bands.names) == 6 + 8
        assert not any("both detectors" in note for note in product.notes)


def test_unused_bands_are_left_out_and_named(product):
    assert product.notes[0] == "bands V01, S009, S010: not used by the product"


def test_the_flags_say_which_bands_are_used(tmp_path):
    flags = np.array(CENTRES["Swir"]) > 0
    flags[1] = False
    path = write_product(tmp_path / "a.he5", List_Cw_Swir_Flags=flags.astype(np.uint8))
    with open_product(path) as product:
        assert "S002" not in product.bands.names
        assert "S002" in product.notes[0]


def test_bands_without_a_number_are_left_out_and_named(tmp_path):
    cubes = ramp()
    cubes["Swir"][:, 2] = 0
    with open_product(write_product(tmp_path / "a.he5", cubes)) as product:
        assert "S003" not in product.bands.names
        assert "bands S003: hold no number, left out" in product.notes
        assert np.isfinite(product.read_reflectance(WHOLE)).all()


def test_a_scene_of_fill_has_its_bands(tmp_path):
    cubes = {name: np.zeros_like(cube) for name, cube in ramp().items()}
    with open_product(write_product(tmp_path / "a.he5", cubes)) as product:
        assert product.bands.names == KEPT
        assert np.isnan(product.read_reflectance(WHOLE)).all()


def test_bands_come_in_the_order_asked_for(product):
    whole = product.read_reflectance(WHOLE)
    wanted = ("S004", "V06", "S001")
    with open_product(product._name, wanted) as part:
        assert part.bands.names == wanted
        assert part.bands.centre_um == pytest.approx((1.1, 0.6, 2.45))
        places = [KEPT.index(name) for name in wanted]
        np.testing.assert_array_equal(part.read_reflectance(WHOLE), whole[places])
    with open_product(product._name, ["V05"]) as part:
        np.testing.assert_array_equal(part.read_reflectance(WHOLE), whole[[2]])
    with pytest.raises(InputError, match="named twice"):
        open_product(product._name, ["V05", "V05"])
    with pytest.raises(InputError, match="none named"):
        open_product(product._name, [])


def test_the_bands_of_a_real_product(tmp_path, shared_data):
    path = shared_data("sensor_responses/prisma_L2D_20240402_wavelengths_fwhm.csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    lists = {"Vnir": np.zeros((2, 66), np.float32), "Swir": np.zeros((2, 173), np.float32)}
    for row in rows:
        detector, place = row["snap_band_name"].split("_")[1], row["snap_band_name"][-3:]
        place = int(place.lstrip("_")) - 1
        lists[detector][:, place] = float(row["wavelength_nm"]), float(row["fwhm_nm"])
    changes, cubes = {}, {}
    for detector, (centre, fwhm) in lists.items():
        changes[f"List_Cw_{detector}"] = centre
        changes[f"List_Fwhm_{detector}"] = fwhm
        changes[f"List_Cw_{detector}_Flags"] = (centre > 0).astype(np.uint8)
        cubes[detector] = np.tile(np.rint(10 * centre).astype(np.uint16)[None, :, None], (2, 1, 3))
    with open_product(write_product(tmp_path / "a.he5", cubes, **changes)) as product:
        centre = np.array(product.bands.centre_um)
        # 63 and 171 in use. Both detectors see 943.36 to 977.37 nm: above the middle lie two of
        # the VNIR, below it three of the SWIR.
        assert len(centre) == 63 + 171 - 5
        assert (np.diff(centre) > 0).all()
        assert np.diff(centre).max() < 0.016
        known = np.array([float(row["wavelength_nm"]) for row in rows]) / 1000
        assert np.abs(centre[:, None] - known).min(axis=1).max() < 1e-6
        reflectance = product.read_reflectance(Window(0, 0, 3, 2))
        np.testing.assert_allclose(reflectance[:, 0, 0] * 6.5535, centre, atol=5.1e-5)


# ---- scale --------------------------------------------------------------------------------------


def test_scale_by_hand(tmp_path):
    """Least + number * (most - least) / 65535, each detector by its own limits."""
    cubes = {name: np.where(cube > 0, 13107, 0).astype("u2") for name, cube in ramp().items()}
    limits = {
        "L2ScaleVnirMin": np.float32(0.1),
        "L2ScaleVnirMax": np.float32(1.35),
        "L2ScaleSwirMin": np.float32(-0.05),
        "L2ScaleSwirMax": np.float32(0.7),
    }
    with open_product(write_product(tmp_path / "a.he5", cubes, **limits)) as product:
        reflectance = product.read_reflectance(Window(0, 0, 1, 1))[:, 0, 0]
    # 13107 is a fifth of 65535: 0.1 + 1.25 / 5, and -0.05 + 0.75 / 5.
    np.testing.assert_allclose(reflectance, [0.35] * 4 + [0.1] * 6, rtol=1e-6)


# ---- place --------------------------------------------------------------------------------------


def test_corners_are_centres_of_pixels(product):
    assert product.grid.shape == SHAPE
    assert product.grid.crs.to_epsg() == 32611
    assert product.grid.place(0.5, 0.5) == FIRST_M
    assert product.grid.place(WIDTH - 0.5, HEIGHT - 0.5) == (
        FIRST_M[0] + 30 * (WIDTH - 1),
        FIRST_M[1] - 30 * (HEIGHT - 1),
    )


def test_corners_of_a_real_product_are_centres_of_pixels(tmp_path, shared_data):
    """Its own Latitude and Longitude say so; corners as edges would be 15 m off each way."""
    path = shared_data("prisma/PRS_L2D_STD_20240402102837_20240402102842_0001_he5.json")
    content = json.loads(path.read_text())["expectedContent"]
    width, height = content["sceneWidth"], content["sceneHeight"]
    geographic, utm = CRS.from_epsg(4326), CRS.from_epsg(32632)
    # SNAP takes the corners as centres, and x, y as edges; so this is the file's ULcorner.
    known = content["geoCoding"]["coordinates"][0]
    (east,), (north,) = transform_points(geographic, utm, [known["lon"]], [known["lat"]])
    first = (east - 30 * known["x"] + 15, north + 30 * known["y"] - 15)
    corners = {
        "Product_ULcorner_easting": first[0],
        "Product_ULcorner_northing": first[1],
        "Product_LRcorner_easting": first[0] + 30 * (width - 1),
        "Product_LRcorner_northing": first[1] - 30 * (height - 1),
    }
    cubes = {
        name: np.broadcast_to(cube[:1, :, :1], (height, cube.shape[1], width))
        for name, cube in ramp().items()
    }
    file = write_product(tmp_path / "a.he5", cubes, cubes, Epsg_Code=np.uint32(32632), **corners)
    checked = 0
    with open_product(file) as product:
        for band in content["bands"]:
            if band["name"] not in ("HCO_Latitude", "HCO_Longitude"):
                continue
            for pixel in band["expectedPixels"]:
                x, y = product.grid.place(pixel["x"] + 0.5, pixel["y"] + 0.5)
                (lon,), (lat,) = transform_points(utm, geographic, [x], [y])
                found = lat if band["name"] == "HCO_Latitude" else lon
                # 4e-6 degrees are the last digit of these single-precision maps: under 0.5 m.
                assert found == pytest.approx(pixel["value"], abs=4e-6)
                checked += 1
    assert checked == 4


@pytest.mark.parametrize(("shift_m", "noted"), [(0, False), (15, True)])
def test_maps_of_place_that_contradict_the_corners_are_noted(tmp_path, shift_m, noted):
    path = write_product(tmp_path / "a.he5")
    east, north = FIRST_M[0] + 30 * (WIDTH // 2), FIRST_M[1] - 30 * (HEIGHT // 2)
    (lon,), (lat,) = transform_points(
        CRS.from_epsg(32611), CRS.from_epsg(4326), [east + shift_m], [north]
    )
    with h5py.File(path, "r+") as file:
        for key, value in (("Latitude", lat), ("Longitude", lon)):
            file[f"{SWATH}/Geolocation Fields/{key}"] = np.full(SHAPE, value, np.float32)
    with open_product(path) as product:
        assert any("15 m" in note for note in product.notes) == noted


# ---- fill, errors, flags ------------------------------------------------------------------------


def test_fill_and_errors(tmp_path):
    cubes = ramp()
    errors = {name: np.zeros(cube.shape, np.uint8) for name, cube in cubes.items()}
    for cube in cubes.values():
        cube[0, :, 0] = 0
    cubes["Vnir"][1, :, 1] = 0
    cubes["Vnir"][2, 3, 2] = 0
    errors["Vnir"][2, 3, 2] = 2  # V04, cut off at 0
    errors["Swir"][3, 0, 3] = 1  # S001, invalid
    errors["Swir"][4, 1, 4] = 3
    errors["Vnir"][5, 4, 5] = 4
    errors["Vnir"][5, 1, 6] = 4  # V02, which is left out
    with open_product(write_product(tmp_path / "a.he5", cubes, errors)) as product:
        reflectance = product.read_reflectance(WHOLE)
        fill, saturated, cloud = product.read_flags(WHOLE, ["fill", "saturation", "cloud"])
        mask = product.read_flags(WHOLE, ["saturation", "fill"]).any(axis=0)
        with pytest.raises(InputError, match="frost"):
            product.read_flags(WHOLE, ["frost"])
    assert np.isnan(reflectance[:, 0, 0]).all()
    # Seen by one detector only: data, and none where the matrix does not say "invalid".
    assert (reflectance[:4, 1, 1] == 0).all()
    assert reflectance[KEPT.index("V04"), 2, 2] == 0
    assert np.isnan(reflectance[KEPT.index("S001"), 3, 3])
    assert np.isnan(reflectance).sum() == len(KEPT) + 1
    assert set(zip(*np.nonzero(fill), strict=True)) == {(0, 0)}
    assert set(zip(*np.nonzero(saturated), strict=True)) == {(4, 4), (5, 5)}
    np.testing.assert_array_equal(mask, fill | saturated)
    assert not cloud.any()


def test_any_window_and_any_thread_read_the_same(product):
    whole = product.read_reflectance(WHOLE)
    flags = product.read_flags(WHOLE, ["fill", "saturation"])
    windows = [
        Window(c, r, min(3, WIDTH - c), min(2, HEIGHT - r))
        for r in range(0, HEIGHT, 2)
        for c in range(0, WIDTH, 3)
    ] * 4
    with ThreadPoolExecutor(8) as pool:
        blocks = pool.map(
            lambda w: (product.read_reflectance(w), product.read_flags(w, ["fill", "saturation"])),
            windows,
        )
        for window, (block, flagged) in zip(windows, blocks, strict=True):
            np.testing.assert_array_equal(block, whole[(..., *window.toslices())])
            np.testing.assert_array_equal(flagged, flags[(..., *window.toslices())])


# ---- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["1", "2B", "2C"])
def test_other_levels_are_refused(tmp_path, level):
    path = write_product(tmp_path / "a.he5", Processing_Level=np.bytes_(level))
    with pytest.raises(InputError, match=rf"Level {level}.*get the L2D"):
        open_product(path)


def out_of_order(detector: str) -> np.ndarray:
    centres = np.array(CENTRES[detector], np.float32)
    centres[2], centres[3] = centres[3], centres[2]
    return centres


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"Processing_Level": None}, "no attribute Processing_Level"),
        ({"Product_Name": None}, "Product_Name is missing"),
        ({"Product_StartTime": np.bytes_("yesterday")}, "yesterday is no time"),
        ({"Sun_zenith_angle": np.bytes_("high")}, "Sun_zenith_angle = high is not a number"),
        ({"Sun_zenith_angle": np.float32(np.nan)}, "is not a number"),
        ({"L2ScaleSwirMax": None}, "L2ScaleSwirMax is missing"),
        ({"L2ScaleSwirMax": np.float32(0)}, "lies outside of 0.05 to 5"),
        ({"List_Cw_Vnir": None}, "List_Cw_Vnir is missing"),
        ({"List_Cw_Vnir": np.arange(9, dtype="f4")}, r"9 value\(s\).*7 bands"),
        ({"List_Cw_Swir": out_of_order("Swir")}, "List_Cw_Swir is out of order"),
        ({"List_Cw_Vnir": np.full(7, 800, "f4")}, "List_Cw_Vnir is out of order"),
        ({"List_Cw_Vnir_Flags": np.ones(7, "u1")}, "outside of 300-2700 nm"),
        ({"List_Cw_Vnir_Flags": np.zeros(7, "u1")}, "no band is used"),
        ({"List_Fwhm_Swir": np.zeros(10, "f4")}, "without a width"),
        ({"Epsg_Code": np.uint32(1)}, "Epsg_Code = 1 is unknown"),
        ({"Epsg_Code": np.uint32(4326)}, "no projected system"),
        ({"Product_LRcorner_easting": FIRST_M[0] + 30 * WIDTH}, "do not fill the corners"),
        ({"Product_LRcorner_northing": FIRST_M[1] + 30 * (HEIGHT - 1)}, "do not fill the corners"),
    ],
)
def test_metadata_that_cannot_be_used(tmp_path, changes, match):
    with pytest.raises(InputError, match=match):
        open_product(write_product(tmp_path / "a.he5", **changes))


@pytest.mark.parametrize(
    "name", ["VNIR_Cube", "SWIR_Cube", "VNIR_PIXEL_L2_ERR_MATRIX", "SWIR_PIXEL_L2_ERR_MATRIX"]
)
def test_missing_datasets_are_named(tmp_path, name):
    path = write_product(tmp_path / "a.he5")
    with h5py.File(path, "r+") as file:
        del file[f"{FIELDS}/{name}"]
    with pytest.raises(InputError, match=f"has no {FIELDS}/{name}"):
        open_product(path)


def test_a_missing_group_is_named(tmp_path):
    path = write_product(tmp_path / "a.he5")
    with h5py.File(path, "r+") as file:
        del file[SWATH]
    with pytest.raises(InputError, match=f"has no {FIELDS}"):
        open_product(path)


def test_data_of_another_file_are_refused(tmp_path):
    other = write_product(tmp_path / "other.he5")
    for name, link in (
        ("a.he5", h5py.ExternalLink(str(other), f"{FIELDS}/VNIR_Cube")),
        ("b.he5", None),
    ):
        path = write_product(tmp_path / name)
        with h5py.File(path, "r+") as file:
            shape = file[f"{FIELDS}/VNIR_Cube"].shape
            del file[f"{FIELDS}/VNIR_Cube"]
            if link is None:
                file.create_dataset(
                    f"{FIELDS}/VNIR_Cube", shape, np.uint16, external=[(str(other), 0, 1 << 20)]
                )
            else:
                file[f"{FIELDS}/VNIR_Cube"] = link
        with pytest.raises(InputError, match="another file"):
            open_product(path)


@pytest.mark.parametrize("kind", ["type", "size", "errors"])
def test_cubes_that_do_not_go_together(tmp_path, kind):
    path = write_product(tmp_path / "a.he5")
    with h5py.File(path, "r+") as file:
        for name in ("SWIR_Cube", "SWIR_PIXEL_L2_ERR_MATRIX"):
            stored = file[f"{FIELDS}/{name}"][()]
            del file[f"{FIELDS}/{name}"]
            if kind == "type" and name == "SWIR_Cube":
                stored = stored.astype(np.float32)
            elif kind == "size" or (kind == "errors" and name != "SWIR_Cube"):
                stored = stored[:-1]
            file[f"{FIELDS}/{name}"] = stored
    match = {"type": "uint16 are due", "size": "different sizes", "errors": "does not go with"}[
        kind
    ]
    with pytest.raises(InputError, match=match):
        open_product(path)


def test_files_that_are_no_product(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        open_product(tmp_path / "none.he5")
    with pytest.raises(InputError, match=r"holds no \.he5 files"):
        open_product(tmp_path)
    text = tmp_path / "a.he5"
    text.write_text("not a product")
    with pytest.raises(InputError, match="not an HDF5 file"):
        open_product(text)
    empty = tmp_path / "b.he5"
    h5py.File(empty, "w").close()
    with pytest.raises(InputError, match="not a PRISMA product"):
        open_product(empty)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_a_file_cut_short_is_told(tmp_path, share):
    path = write_product(tmp_path / "a.he5")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"a\.he5.*(cut short|not an HDF5)"):
        open_product(path)


def test_damaged_data_are_told_where_they_are_read(tmp_path):
    path = write_product(tmp_path / "a.he5")
    with h5py.File(path, "r+") as file:
        stored = file[f"{FIELDS}/SWIR_Cube"][()]
        del file[f"{FIELDS}/SWIR_Cube"]
        file.create_dataset(
            f"{FIELDS}/SWIR_Cube", data=stored, chunks=(1, *stored.shape[1:]), fletcher32=True
        )
        offset = file[f"{FIELDS}/SWIR_Cube"].id.get_chunk_info(3).byte_offset
    content = bytearray(path.read_bytes())
    content[offset] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.he5: /.*SWIR_Cube cannot be read at row 3"):
        open_product(path)


def test_a_band_that_is_invalid_everywhere_does_not_blank_the_scene(tmp_path, monkeypatch):
    """It holds numbers, but the matrix of errors calls each of them invalid."""
    monkeypatch.setattr(subset, "SMALLEST_PX", 1)
    errors = {name: np.zeros(cube.shape, np.uint8) for name, cube in ramp().items()}
    errors["Swir"][:, 2] = 1
    with open_product(write_product(tmp_path / "a.he5", errors=errors)) as product:
        part, notes = subset.without_empty_bands(subset.select_part(product), named=False)
        assert part.bands.names == tuple(name for name in KEPT if name != "S003")
        assert notes == ["bands S003: no valid number in any pixel, left out"]
        assert np.isfinite(part.read_reflectance(WHOLE)).all()
