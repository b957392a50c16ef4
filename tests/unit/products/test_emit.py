"""The EMIT reader: lookup table, pixel corners, bad bands, flags, and products that are no such."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import emit_products as products
import h5py
import numpy as np
import pytest
from rasterio.crs import CRS
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.products import emit
from gossan.products.emit import FLAGS, find_mask, mask_path, open_product
from gossan.scenes import belongings

WHOLE = Window(0, 0, 5, 4)
CROP = "emit/EMIT_L2A_RFL_001_20241006T165148_2428011_003_crop.nc"


def expected(band: int) -> np.ndarray:
    """What the grid shows of a band counted from 1: line, sample and band as digits, / 1000."""
    sample, line = np.moveaxis(np.array(products.LOOKUP), 2, 0)
    shown = ((100 * line + 10 * sample + band) / 1000).astype(np.float32)
    return np.where(sample == 0, np.float32(np.nan), shown)


def flag_layers(**flagged: tuple[int, int]) -> np.ndarray:
    """Mask layers in the order of MASK_BANDS, each label's flag set at one (line, sample)."""
    layers = np.zeros((products.LINES, products.SAMPLES, 8))
    layers[..., 5], layers[..., 6] = 0.2, 1.7
    for name, place in flagged.items():
        layers[(*place, int(name.removeprefix("layer")))] = 1
    return layers


# --- reflectance ------------------------------------------------------------------------------


def test_lookup_table_counts_from_one_and_zero_is_no_pixel(tmp_path):
    with open_product(products.write_product(tmp_path)) as product:
        found = product.read_reflectance(WHOLE)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [expected(band) for band in (1, 3, 4, 5)])
    # Spelt out: the first pixel of the swath, and the last sample of its last line.
    assert found[0, 0, 1] == np.float32(0.111)
    assert found[3, 3, 2] == np.float32(0.345)


def test_geotransform_begins_at_the_corner_of_the_first_pixel(tmp_path):
    with open_product(products.write_product(tmp_path)) as product:
        grid = product.grid
        assert grid.crs == CRS.from_epsg(4326)
        assert grid.shape == (4, 5)
        assert grid.place(0, 0) == (products.WEST, products.NORTH)
        # The pixel with the swath's first one has its centre one and a half pixels east.
        lon, lat = grid.place(1.5, 0.5)
        assert lon == pytest.approx(29.50075, abs=1e-9)
        assert lat == pytest.approx(37.74975, abs=1e-9)
        assert grid.bounds == pytest.approx((29.5, 37.748, 29.5025, 37.75), abs=1e-9)


@pytest.mark.parametrize("packed", [False, True])
def test_windows_are_parts_of_the_whole_in_any_thread(tmp_path, monkeypatch, packed):
    """Also where the swath is read line by line, and where it is stored in chunks."""

    def pack(file):
        values = file["reflectance"][:]
        del file["reflectance"]
        chunks = (2, 3, 5)
        file.create_dataset("reflectance", data=values, chunks=chunks, compression="gzip")

    monkeypatch.setattr(emit, "_STRIP_BYTES", 1)
    windows = [Window(c, r, w, h) for c in range(4) for r in range(3) for w, h in ((1, 1), (1, 2))]
    with open_product(products.write_product(tmp_path, pack if packed else None)) as product:
        whole = product.read_reflectance(WHOLE)
        np.testing.assert_array_equal(whole[0], expected(1))
        with ThreadPoolExecutor(4) as pool:
            for window, part in zip(
                windows, pool.map(product.read_reflectance, windows), strict=True
            ):
                np.testing.assert_array_equal(part, whole[:, *window.toslices()])


def test_a_window_without_any_pixel_is_no_data(tmp_path):
    with open_product(products.write_product(tmp_path)) as product:
        corner = Window(3, 3, 2, 1)
        assert np.isnan(product.read_reflectance(corner)).all()
        assert product.read_flags(corner, ["fill"]).all()


class _Spy:
    """A dataset that keeps what was asked of it."""

    def __init__(self, values: np.ndarray, chunks: tuple[int, ...] | None):
        self.values, self.chunks = values, chunks
        self.shape, self.dtype, self.name = values.shape, values.dtype, "reflectance"
        self.asked: list[tuple[slice, ...]] = []

    def __getitem__(self, place: tuple[slice, ...]) -> np.ndarray:
        self.asked.append(place)
        return self.values[place]


def test_only_the_lines_and_samples_that_are_needed_are_read(tmp_path, monkeypatch):
    values = np.arange(100 * 50 * 6, dtype=np.float32).reshape(100, 50, 6)
    # An aslant row of pixels, of which each strip needs few samples.
    rows, columns = np.arange(20, 60), np.arange(40, 0, -1)
    bands = np.array([1, 3])
    monkeypatch.setattr(emit, "_STRIP_BYTES", 10 * 50 * 3 * 4)
    file = emit.EmitFile(products.write_product(tmp_path))
    for chunks, strips in ((None, 4), ((20, 50, 6), 2)):
        spy = _Spy(values, chunks)
        found = np.empty((40, 2), np.float32)
        for places, part in file.gather(spy, rows, columns, bands):
            found[places] = part
        np.testing.assert_array_equal(found, values[rows, columns][:, bands])
        assert len(spy.asked) == strips
        lines = [line for place in spy.asked for line in range(place[0].start, place[0].stop)]
        assert lines == list(rows)
        for line, sample, band in spy.asked:
            assert sample.stop - sample.start == line.stop - line.start == 40 // strips
            assert (band.start, band.stop) == (1, 4)
    file.close()


def test_fill_is_no_data_and_small_negative_reflectance_is_data(tmp_path):
    def change(file):
        file["reflectance"][0, 0, :] = -9999.0
        file["reflectance"][0, 1, 2] = -0.004

    with open_product(products.write_product(tmp_path, change)) as product:
        found = product.read_reflectance(WHOLE)
    assert np.isnan(found[:, 0, 1]).all()
    assert found[1, 0, 2] == np.float32(-0.004)


# --- bands and metadata -----------------------------------------------------------------------


def test_bands_come_from_the_product_and_bad_ones_are_left_out(tmp_path):
    with open_product(products.write_product(tmp_path)) as product:
        assert product.bands.names == ("B001", "B003", "B004", "B005")
        assert product.bands.centre_um == (0.5505, 1.65, 2.20075, 2.33)
        assert product.bands.fwhm_um == pytest.approx((0.0084, 0.0086, 0.0087, 0.00875), abs=1e-7)
        assert any("1 of 5 bands" in note and "B002" in note for note in product.notes)


def test_only_bands_asked_for_are_read(tmp_path):
    with open_product(products.write_product(tmp_path), ["B004", "B001"]) as product:
        assert product.bands.names == ("B001", "B004")
        np.testing.assert_array_equal(
            product.read_reflectance(WHOLE), [expected(band) for band in (1, 4)]
        )


@pytest.mark.parametrize("asked", [["B002"], ["B006"], ["B001", "SWIR"], []])
def test_bands_that_are_bad_or_unknown_are_refused(tmp_path, asked):
    with pytest.raises(InputError, match=r"no reflectance of band .*choose from B001 to B005"):
        open_product(products.write_product(tmp_path), asked)


def test_metadata(tmp_path):
    with open_product(products.write_product(tmp_path)) as product:
        assert product.product_id == products.NAME.removesuffix(".nc")
        assert (product.sensor, product.spacecraft, product.level) == ("EMIT", "ISS", "L2A")
        assert product.collection == "V001"
        assert product.acquired == "2024-06-23T08:21:58.000000Z"
        # 37.749° N 29.501° E at 08:22:04 UTC: declination 23.41°, equation of time -2.2 min, so an
        # hour angle of -25.5°.
        assert product.sun_elevation_deg == pytest.approx(63.9, abs=0.1)
        assert product.surface_reflectance
        assert not product.synthetic


def test_a_renamed_file_is_known_by_its_flight_line_and_time_is_turned_to_utc(tmp_path):
    def change(file):
        file.attrs["time_coverage_start"] = np.bytes_("2024-06-23T10:21:58+0200")
        file.attrs["history"] = np.bytes_("Simulated by gossan; not a satellite image")

    with open_product(products.write_product(tmp_path, change, name="emit.nc")) as product:
        assert product.product_id == products.FLIGHT_LINE
        assert product.acquired == "2024-06-23T08:21:58.000000Z"
        assert product.synthetic


# --- flags ------------------------------------------------------------------------------------


def test_mask_path_takes_mask_for_rfl(tmp_path):
    assert mask_path(tmp_path / products.NAME) == tmp_path / products.MASK_NAME
    assert mask_path(tmp_path / "emit.nc") == tmp_path / "emit_MASK.nc"


@pytest.mark.parametrize("version", ["002", "003"])
def test_the_mask_may_be_of_another_version(tmp_path, version):
    path = products.write_product(tmp_path)
    layers = np.zeros((products.LINES, products.SAMPLES, len(products.MASK_BANDS)))
    layers[1, 1, 0] = layers[0, 2, 4] = 1
    mask = products.write_mask(tmp_path, layers)
    with open_product(path) as product:
        own = product.read_flags(WHOLE, ["cloud", "dilated_cloud"])
        assert not any("another version" in note for note in product.notes)
    other = mask.rename(tmp_path / mask.name.replace("MASK_001", f"MASK_{version}"))
    # Neither of another scene, nor of a later part of this one.
    shutil.copy(other, tmp_path / other.name.replace("_019.nc", "_020.nc"))
    with open_product(path) as product:
        assert f"the mask is of another version: {other.name}" in product.notes
        np.testing.assert_array_equal(product.read_flags(WHOLE, ["cloud", "dilated_cloud"]), own)
    assert own.any()
    assert belongings(path) == [str(other)]
    older = shutil.copy(other, tmp_path / other.name.replace(f"MASK_{version}", "MASK_000"))
    assert find_mask(path) == other
    assert str(older) in belongings(path)


@pytest.mark.parametrize(
    ("unit", "centres", "widths"),
    [
        ("um", np.array(products.WAVELENGTHS_NM) / 1e3, np.array(products.FWHM_NM) / 1e3),
        ("nm", products.WAVELENGTHS_NM, products.FWHM_NM),
    ],
)
def test_the_unit_of_the_wavelengths_is_converted(tmp_path, unit, centres, widths):
    def change(file):
        for name, values in (("wavelengths", centres), ("fwhm", widths)):
            place = f"sensor_band_parameters/{name}"
            products.replace(file, place, np.asarray(values, float))
            file[place].attrs["units"] = unit

    with open_product(products.write_product(tmp_path, change)) as product:
        assert product.bands.centre_um == pytest.approx((0.5505, 1.65, 2.20075, 2.33))
        assert product.bands.fwhm_um == pytest.approx((0.0084, 0.0086, 0.0087, 0.00875))


def test_a_unit_of_the_wavelengths_that_is_none_is_refused(tmp_path):
    def change(file):
        file["sensor_band_parameters/wavelengths"].attrs["units"] = np.bytes_("channel")

    with pytest.raises(InputError, match=r"wavelengths: .* unit 'channel' cannot be converted"):
        open_product(products.write_product(tmp_path, change))


def test_without_a_mask_file_no_flag_but_fill_is_told(tmp_path):
    with open_product(products.write_product(tmp_path)) as product:
        assert product.absent_flags == tuple(flag for flag in FLAGS if flag != "fill")
        assert any(products.MASK_NAME in note for note in product.notes)
        fill, cloud = product.read_flags(WHOLE, ["fill", "cloud"])
    np.testing.assert_array_equal(fill, np.isnan(expected(1)))
    assert not cloud.any()


def test_flags_lie_where_the_lookup_table_puts_them(tmp_path):
    layers = flag_layers(layer0=(0, 0), layer1=(2, 3), layer2=(1, 3), layer4=(0, 1), layer7=(0, 2))
    products.write_mask(tmp_path, layers)
    with open_product(products.write_product(tmp_path)) as product:
        assert product.absent_flags == ("cloud_shadow", "snow", "saturation")
        assert not any("mask file" in note for note in product.notes)
        names = ["water", "cloud", "cirrus", "dilated_cloud", "aggregate", "spacecraft", "snow"]
        found = product.read_flags(WHOLE, names)
        places = [[tuple(place) for place in np.argwhere(layer)] for layer in found]
        # Sample 4 of line 2 is shown twice.
        assert places == [[(2, 3), (2, 4)], [(0, 1)], [(3, 2)], [(0, 2)], [(1, 2)], [], []]
        np.testing.assert_array_equal(
            product.read_flags(WHOLE, ["cloud", "cirrus"]).any(axis=0), found[1] | found[2]
        )
        np.testing.assert_array_equal(
            product.read_flags(Window(2, 2, 3, 2), names), found[:, 2:4, 2:5]
        )


def test_flags_are_found_by_their_labels_in_any_order(tmp_path):
    """As in later versions of the product, which have other layers."""
    labels = ("SpecTf-Cloud Probability", "Water Flag", "Cloud  Flag")
    layers = np.zeros((products.LINES, products.SAMPLES, 3))
    layers[..., 0] = 0.5
    layers[0, 0, 2] = layers[0, 1, 1] = 1
    products.write_mask(tmp_path, layers, labels)
    with open_product(products.write_product(tmp_path)) as product:
        assert set(product.absent_flags) == set(FLAGS) - {"fill", "water", "cloud"}
        cloud, water = product.read_flags(WHOLE, ["cloud", "water"])
    assert np.argwhere(cloud).tolist() == [[0, 1]]
    assert np.argwhere(water).tolist() == [[0, 2]]


def test_fill_of_the_mask_is_fill_and_no_flag(tmp_path):
    layers = flag_layers(layer0=(0, 1))
    layers[0, 0] = -9999
    products.write_mask(tmp_path, layers)
    with open_product(products.write_product(tmp_path)) as product:
        fill, cloud = product.read_flags(WHOLE, ["fill", "cloud"])
    assert fill[0, 1]
    assert not cloud[0, 1]
    assert cloud[0, 2]


def test_unknown_flag_is_refused(tmp_path):
    path = products.write_product(tmp_path)
    with open_product(path) as product, pytest.raises(InputError, match="flag 'haze' is unknown"):
        product.read_flags(WHOLE, ["haze"])


# --- wrong input ------------------------------------------------------------------------------


def title(text: str):
    return lambda file: file.attrs.__setitem__("title", np.bytes_(text))


def without(name: str):
    return lambda file: file.__delitem__(name)


def without_attribute(name: str):
    return lambda file: file.attrs.__delitem__(name)


def attribute(name: str, value: object):
    return lambda file: file.attrs.__setitem__(name, value)


def values(name: str, new: object):
    return lambda file: products.replace(file, name, new)


def element(name: str, place: object, new: object):
    return lambda file: file[name].__setitem__(place, new)


def external(file: h5py.File) -> None:
    del file["reflectance"]
    file["reflectance"] = h5py.ExternalLink(products.MASK_NAME, "/mask")


def soft_external(file: h5py.File) -> None:
    del file["location"]
    file["elsewhere"] = h5py.ExternalLink(products.MASK_NAME, "/location")
    file["location"] = h5py.SoftLink("/elsewhere")


def raw_elsewhere(file: h5py.File) -> None:
    del file["reflectance"]
    file.create_dataset("reflectance", (3, 4, 5), "f4", external=[("/etc/hostname", 0, 240)])


def swath_of_two_lines(file: h5py.File) -> None:
    products.replace(file, "reflectance", products.reflectance()[:2])


BAND = "sensor_band_parameters"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (title("EMIT L1B At-Sensor Calibrated Radiance Data 60 m V001"), "not EMIT surface .*L1B"),
        (title("EMIT L2B Estimated Mineral Identification 60 m V001"), "not EMIT surface .*L2B"),
        (without("reflectance"), "not EMIT surface reflectance"),
        (without("location"), "group location is missing"),
        (without(BAND), f"group {BAND} is missing"),
        (without("location/glt_y"), "variable location/glt_y is missing"),
        (without(f"{BAND}/fwhm"), f"variable {BAND}/fwhm is missing"),
        (without(f"{BAND}/good_wavelengths"), f"{BAND}/good_wavelengths is missing"),
        (without_attribute("geotransform"), "attribute geotransform is missing"),
        (attribute("geotransform", np.zeros(6)), "geotransform makes pixels without area"),
        (attribute("geotransform", np.ones(4)), "geotransform is not 6 numbers"),
        (attribute("geotransform", np.full(6, np.nan)), "geotransform is not 6 numbers"),
        (without_attribute("spatial_ref"), "attribute spatial_ref is missing"),
        (attribute("spatial_ref", np.bytes_("here")), "spatial_ref is missing or no reference"),
        (without_attribute("time_coverage_start"), "time_coverage_start = .missing. is no time"),
        (attribute("time_coverage_end", np.bytes_("noon")), "time_coverage_end = noon is no time"),
        (
            element("location/glt_x", (1, 1), 5),
            "glt_x points at 5, but the swath has x from 1 to 4",
        ),
        (
            element("location/glt_y", (1, 1), 4),
            "glt_y points at 4, but the swath has y from 1 to 3",
        ),
        (element("location/glt_x", (1, 1), -2), "glt_x points at -2"),
        (swath_of_two_lines, "glt_y points at 3, but the swath has y from 1 to 2"),
        (values("location/glt_x", np.ones((4, 4), np.int32)), "glt_x and glt_y have shapes"),
        (values("location/glt_x", np.ones((4, 5), np.float32)), "integer are due"),
        (values("reflectance", np.ones((3, 4), np.float32)), "3 dimensions of floating are due"),
        (values("reflectance", np.ones((3, 4, 5), np.int16)), "3 dimensions of floating are due"),
        (values("reflectance", np.ones((3, 4, 6), np.float32)), "has 5 numbers where .* 6 bands"),
        (values(f"{BAND}/fwhm", np.ones(4)), "fwhm has 4 numbers where reflectance has 5 bands"),
        (
            element(f"{BAND}/wavelengths", slice(None), np.array(products.WAVELENGTHS_NM)[::-1]),
            "wavelengths are out of order: 2200.75 nm follows 2330 nm at band 2",
        ),
        (element(f"{BAND}/wavelengths", 3, 1650.0), "out of order: 1650 nm follows 1650 nm"),
        (element(f"{BAND}/wavelengths", 3, np.nan), "holds something that is not a number"),
        (
            element(f"{BAND}/wavelengths", slice(None), np.array(products.WAVELENGTHS_NM) / 1000),
            "are no nanometres",
        ),
        (element(f"{BAND}/fwhm", 0, 0), "least FWHM of 0 and a largest of"),
        (element(f"{BAND}/good_wavelengths", slice(None), 0), "calls every band bad"),
        (external, "reflectance points to another file"),
        (soft_external, "glt_x points to another file"),
        (raw_elsewhere, "reflectance points to another file"),
    ],
)
def test_products_that_cannot_be_used_are_refused_in_one_line(tmp_path, change, words):
    products.write_mask(tmp_path, np.ones((3, 4, 8)))
    path = products.write_product(tmp_path, change)
    with pytest.raises(InputError, match=words) as error:
        open_product(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_mask_file_is_no_reflectance(tmp_path):
    path = products.write_mask(tmp_path, flag_layers())
    with pytest.raises(InputError, match=r"not EMIT surface reflectance .*Masks.*EMIT_L2A_RFL_"):
        open_product(path)


@pytest.mark.parametrize(
    ("layers", "labels", "change", "words"),
    [
        (np.zeros((2, 4, 8)), products.MASK_BANDS, None, "2 lines of 4 samples .* do not fit"),
        (np.zeros((3, 4, 8)), products.MASK_BANDS[:7], None, "names 7 layers, but mask has 8"),
        (np.zeros((3, 4, 2)), ("a", "b"), None, "names none of dilated cloud flag"),
        (
            np.zeros((3, 4, 8)),
            products.MASK_BANDS,
            attribute("flight_line", np.bytes_("emit20240623t082210_o17506_s000")),
            "do not fit",
        ),
        (
            np.zeros((3, 4, 8)),
            products.MASK_BANDS,
            values(f"{BAND}/mask_bands", np.arange(8)),
            "text is due",
        ),
    ],
)
def test_a_mask_file_of_something_else_is_refused(tmp_path, layers, labels, change, words):
    mask = products.write_mask(tmp_path, layers, labels, change)
    with pytest.raises(InputError, match=words) as error:
        open_product(products.write_product(tmp_path))
    assert str(error.value).startswith(f"{mask}: ")


def test_files_that_are_no_hdf5_or_are_cut_short_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"is no file; name an EMIT product"):
        open_product(tmp_path / "nothing.nc")
    with pytest.raises(InputError, match=r"is no file; name an EMIT product"):
        open_product(tmp_path)
    path = products.write_product(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="damaged or cut short"):
        open_product(path)
    path.write_bytes(b"CDF\x01" + bytes(64))
    with pytest.raises(InputError, match="is no netCDF-4 file"):
        open_product(path)


def test_damage_inside_of_the_data_is_told_when_it_is_read(tmp_path):
    def pack(file):
        packed = products.reflectance()
        del file["reflectance"]
        file.create_dataset("reflectance", data=packed, chunks=packed.shape, compression="gzip")

    path = products.write_product(tmp_path, pack)
    with h5py.File(path) as file:
        chunk = file["reflectance"].id.get_chunk_info(0)
    with path.open("r+b") as file:
        file.seek(chunk.byte_offset)
        file.write(bytes(chunk.size))
    with open_product(path) as product, pytest.raises(InputError, match="reflectance at line 0"):
        product.read_reflectance(WHOLE)


def test_the_real_crop_lacks_its_groups(shared_data):
    with pytest.raises(InputError, match="group location is missing; get the whole product"):
        open_product(shared_data(CROP))


def test_the_real_crop_is_read_when_its_groups_are_put_back(shared_data, tmp_path):
    """Real attributes, types and dimension scales, with an identity lookup table."""
    path = tmp_path / shared_data(CROP).name
    path.write_bytes(shared_data(CROP).read_bytes())
    with h5py.File(path, "r+") as file:
        values = file["reflectance"][:]
        lines, samples, _ = values.shape
        line, sample = np.indices((lines, samples), np.int32)
        file["location/glt_x"], file["location/glt_y"] = sample + 1, line + 1
        for name, row in (("wavelengths", (470, 830, 1650)), ("fwhm", (8, 8, 8))):
            file[f"{BAND}/{name}"] = np.array(row, np.float32)
        file[f"{BAND}/good_wavelengths"] = np.ones(3, np.float32)
    with open_product(path) as product:
        found = product.read_reflectance(Window(0, 0, samples, lines))
        np.testing.assert_array_equal(found, np.moveaxis(values, 2, 0))
        assert np.isfinite(found).all()
        assert product.acquired == "2024-10-06T16:51:48.000000Z"
        assert product.grid.place(0, 0) == pytest.approx((-116.55966322, 32.86547376))
        assert not product.synthetic
