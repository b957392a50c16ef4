import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rasterio.windows import Window
from samples import write_raster

from gossan.errors import InputError
from gossan.products.rasters import open_product

WHOLE = Window(0, 0, 12, 10)
HEADER = """ENVI
samples = 12
lines = 10
bands = 3
header offset = 0
file type = ENVI Standard
data type = {kind}
interleave = bsq
byte order = 0
map info = {{UTM, 1, 1, 430000, 3990000, 30, 30, 43, North, WGS-84, units=Meters}}
"""
WAVELENGTHS = "wavelength = {500, 600, 700}\n"
NAMED = "band names = {green, orange, red}\n"


def write_envi(folder, more, scale=1.0):
    """Write three bands of an ENVI image, numbers 0.1 to 0.5 divided by `scale`."""
    values = np.linspace(0.1, 0.5, 360).reshape(3, 10, 12) / scale
    kind, dtype = (4, "float32") if scale == 1.0 else (2, "int16")
    path = folder / "image.img"
    np.rint(values).astype(dtype).tofile(path) if kind == 2 else values.astype(dtype).tofile(path)
    path.with_suffix(".hdr").write_text(HEADER.format(kind=kind) + more)
    return path, values * scale


@pytest.mark.parametrize(
    "more",
    [
        "wavelength units = Nanometers\nfwhm = {10, 20, 30}\n" + WAVELENGTHS,
        "wavelength units = Micrometers\nfwhm = {0.01, 0.02, 0.03}\nwavelength = {0.5, 0.6, 0.7}\n",
        "wavelength units = nm\nfwhm = {10, 20, 30}\n" + WAVELENGTHS,
        "wavelength units = Angstroms\nfwhm = {100, 200, 300}\nwavelength = {5e3, 6e3, 7e3}\n",
        "wavelength units = Wavenumber\nfwhm = {400, 555.5555556, 612.244898}\n"
        "wavelength = {20000, 16666.666667, 14285.714286}\n",
        "wavelength units = GHz\nfwhm = {11991.69832, 16655.13656, 18354.640286}\n"
        "wavelength = {599584.916, 499654.0966667, 428274.94}\n",
    ],
)
def test_an_envi_header_tells_wavelengths_in_its_unit(tmp_path, more):
    path, values = write_envi(tmp_path, more + NAMED)
    with open_product(path) as product:
        assert product.bands.names == ("green", "orange", "red")
        assert product.bands.centre_um == pytest.approx((0.5, 0.6, 0.7), rel=1e-8)
        assert product.bands.fwhm_um == pytest.approx((0.01, 0.02, 0.03), rel=1e-8)
        np.testing.assert_allclose(product.read_reflectance(WHOLE), values, rtol=1e-6)
        assert not product.read_flags(WHOLE, ("fill", "cloud")).any()
        assert product.surface_reflectance is None
        assert product.sun_elevation_deg is None


@pytest.mark.parametrize("length", [7, 1439])
def test_an_envi_image_cut_short_is_refused(tmp_path, length):
    path, _ = write_envi(tmp_path, WAVELENGTHS)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(
        InputError, match=r"image\.img: has \d+ bytes where its header tells of 1440"
    ):
        open_product(path)


@pytest.mark.parametrize(
    ("more", "match"),
    [
        (WAVELENGTHS + "Wavelength = {1, 2, 3}\n", r"image\.hdr: tells Wavelength for the second"),
        (WAVELENGTHS + "wavelength = zzz\n", r"image\.hdr: tells wavelength for the second"),
    ],
)
def test_an_envi_header_that_tells_a_key_twice_is_refused(tmp_path, more, match):
    path, _ = write_envi(tmp_path, more)
    with pytest.raises(InputError, match=match):
        open_product(path)


@pytest.mark.parametrize("told", ["xxxx", "{0.5, nan, 0.7}", "{0.5, 0.6}", "{0.5, 0.6, 0.7, }"])
@pytest.mark.parametrize("key", ["wavelength", "fwhm", "bbl"])
def test_a_list_of_an_envi_header_that_tells_no_number_for_each_band_is_refused(
    tmp_path, key, told
):
    path, _ = write_envi(tmp_path, f"wavelength units = Micrometers\n{key} = {told}\n")
    with pytest.raises(InputError, match=rf"image.img: its header has .* in {key}, where 3"):
        open_product(path)


@pytest.mark.parametrize("value", ["1e-30", "nan", "-10", "9" * 5000])
def test_an_envi_header_whose_size_is_no_number_is_refused(tmp_path, value):
    path, _ = write_envi(tmp_path, WAVELENGTHS)
    header = path.with_suffix(".hdr")
    header.write_text(header.read_text().replace("lines = 10", f"lines = {value}"))
    with pytest.raises(InputError, match="image"):
        open_product(path)


def test_the_scale_and_the_bad_bands_of_an_envi_header_are_honoured(tmp_path):
    more = (
        "wavelength units = Nanometers\nfwhm = {10, 20, 30}\nreflectance scale factor = 10000\n"
        "bbl = {1, 0, 1}\ndata ignore value = 1000\nacquisition time = 1995-06-19T18:00:00Z\n"
        "sun elevation = 60.5\n" + WAVELENGTHS
    )
    path, values = write_envi(tmp_path, more, 1e-4)
    with open_product(path) as product:
        assert product.bands.names == ("band_1", "band_3")
        assert product.bands.centre_um == (0.5, 0.7)
        assert product.acquired == "1995-06-19T18:00:00Z"
        assert product.sun_elevation_deg == 60.5
        assert product.notes[0] == "1 of 3 bands are bad by bbl: band_2"
        read = product.read_reflectance(Window(2, 1, 5, 4))
        np.testing.assert_allclose(read, values[[0, 2], 1:5, 2:7], atol=0.51e-4)
        assert np.isnan(product.read_reflectance(WHOLE)[0, 0, 0])
    with open_product(path, ["band_2"]) as product:
        assert product.bands.centre_um == (0.6,)


def test_a_scale_is_of_files_that_tell_none(tmp_path):
    told = "wavelength units = Nanometers\nfwhm = {10, 20, 30}\n" + WAVELENGTHS
    path, values = write_envi(tmp_path, told, 1e-4)
    with open_product(path, scale=1e-4) as product:
        assert (
            product.notes[0] == "a stored 1 is taken as a reflectance of 0.0001, as was asked for"
        )
        np.testing.assert_allclose(product.read_reflectance(WHOLE), values, atol=0.51e-4)
    path, _ = write_envi(tmp_path, told + "reflectance scale factor = 10000\n", 1e-4)
    with pytest.raises(InputError, match=r"image\.img: tells its own scale; leave --scale"):
        open_product(path, scale=1e-4)


@pytest.mark.parametrize(
    ("tags", "acquired"),
    [
        ({"start_time": "2022-07-24T10:45:26"}, "2022-07-24T10:45:26"),
        ({"start_time": "yesterday"}, ""),
        ({"start_time": "2022-07-24", "ACQUIRED": "2022-07-23T10:00:00Z"}, "2022-07-23T10:00:00Z"),
    ],
)
def test_the_time_of_several_tags_is_honoured_if_it_is_one(tmp_path, tags, acquired):
    single(tmp_path / "a.tif", 550, **tags)
    single(tmp_path / "b.tif", 650, **tags)
    with open_product(tmp_path) as product:
        assert product.acquired == acquired


def test_wavelengths_of_a_header_keep_their_decimals(tmp_path):
    more = "wavelength units = Nanometers\nfwhm = {8.42, 8.5, 8.6}\n"
    path, _ = write_envi(tmp_path, more + "wavelength = {500.44, 600.05, 700.0}\n")
    with open_product(path) as product:
        assert product.bands.centre_um == (0.50044, 0.60005, 0.7)
        assert product.bands.fwhm_um == (0.00842, 0.0085, 0.0086)


@pytest.mark.parametrize(
    ("unit", "told"),
    [
        ("Furlongs", "unit 'furlongs' cannot be converted"),
        ("Micrometers", "wavelength of 500 µm .*no reflectance is measured"),
        ("GHz", "wavelength of 599.585 µm .*'GHz'"),
        ("Meters", "no reflectance is measured"),
    ],
)
def test_a_unit_that_is_none_or_cannot_be_is_refused(tmp_path, unit, told):
    path, _ = write_envi(tmp_path, f"wavelength units = {unit}\n" + WAVELENGTHS)
    with pytest.raises(InputError, match=rf"image\.img: band band_1.* {told}"):
        open_product(path)


def test_reflectance_in_percent_becomes_a_fraction_and_other_numbers_stay(tmp_path):
    write_raster(tmp_path / "dark.tif", np.full((10, 12), 1.5, "float32"))
    with rasterio.open(tmp_path / "dark.tif", "r+") as dataset:
        dataset.units = ["%"]
    with open_product(tmp_path / "dark.tif") as product:
        assert product.read_reflectance(WHOLE).max() == 1.5
    with open_product(tmp_path / "dark.tif", None, (0.5,), (0.1,)) as product:
        np.testing.assert_allclose(product.read_reflectance(WHOLE), 0.015, rtol=1e-6)
    with rasterio.open(tmp_path / "dark.tif", "r+") as dataset:
        dataset.update_tags(1, wavelength="500", wavelength_units="nm", fwhm="20")
    with open_product(tmp_path / "dark.tif") as product:
        np.testing.assert_allclose(product.read_reflectance(WHOLE), 0.015, rtol=1e-6)


def test_the_number_of_a_band_is_no_wavelength(tmp_path):
    path, values = write_envi(tmp_path, "wavelength units = Index\nwavelength = {1, 2, 3}\n")
    with open_product(path) as product:
        assert product.bands.centre_um == ()
        np.testing.assert_allclose(product.read_reflectance(WHOLE), values, rtol=1e-6)


@pytest.mark.parametrize("unit", ["", "wavelength units = Unknown\n"])
def test_a_unit_is_never_guessed(tmp_path, unit):
    path, _ = write_envi(tmp_path, unit + WAVELENGTHS)
    with pytest.raises(InputError, match=r"image\.img: band band_1 has the wavelength 500 of the"):
        open_product(path)
    with open_product(path, None, (0.5, 0.6, 0.7)) as product:
        assert product.bands.centre_um == (0.5, 0.6, 0.7)
        assert product.bands.fwhm_um == (0.1, 0.1, 0.1)


def test_bands_come_by_wavelength_unless_they_are_named(tmp_path):
    more = "wavelength units = Nanometers\nfwhm = {9, 9, 9}\nwavelength = {700, 500, 600}\n"
    path, values = write_envi(tmp_path, more + NAMED)
    with open_product(path) as product:
        assert product.bands.names == ("orange", "red", "green")
        assert any("order of their wavelengths" in note for note in product.notes)
        np.testing.assert_allclose(product.read_reflectance(WHOLE), values[[1, 2, 0]], rtol=1e-6)
    with open_product(path, ["green", "orange"]) as product:
        assert product.bands.centre_um == (0.7, 0.5)


def single(path, centre=None, **tags):
    write_raster(path, np.full((10, 12), 0.25, "float32"), tags=tags)
    if centre is not None:
        with rasterio.open(path, "r+") as dataset:
            dataset.update_tags(1, wavelength=str(centre), wavelength_units="nm", fwhm="20")


def test_a_folder_of_bands_is_one_product(tmp_path):
    single(tmp_path / "b.tif", 550)
    single(tmp_path / "a.tif", 650, SYNTHETIC="yes")
    with open_product(tmp_path) as product:
        assert product.bands.names == ("b", "a")
        assert product.bands.centre_um == (0.55, 0.65)
        assert product.bands.fwhm_um == (0.02, 0.02)
        assert product.synthetic
        assert product.product_id == tmp_path.name
    single(tmp_path / "dem.tif")
    with open_product(tmp_path) as product:
        assert product.bands.names == ("a", "b", "dem")
        assert product.bands.centre_um == ()
        assert any("bands dem have no wavelength" in note for note in product.notes)
    with open_product(tmp_path, ["b"]) as product:
        assert not product.synthetic


def test_files_of_another_grid_are_named(tmp_path):
    single(tmp_path / "a.tif")
    write_raster(tmp_path / "b.tif", np.zeros((10, 11), "float32"))
    with pytest.raises(InputError, match=r"b\.tif: 11x10 pixels where 12x10"):
        open_product(tmp_path)


def test_files_of_other_formats_are_refused(tmp_path):
    single(tmp_path / "a.tif")
    (tmp_path / "b.vrt").write_text(
        '<VRTDataset rasterXSize="12" rasterYSize="10"><VRTRasterBand dataType="Float32" band="1">'
        '<SimpleSource><SourceFilename relativeToVRT="1">a.tif</SourceFilename></SimpleSource>'
        "</VRTRasterBand></VRTDataset>"
    )
    (tmp_path / "text.tif").write_text("no raster")
    (tmp_path / "empty").mkdir()
    for name in ("b.vrt", "text.tif"):
        with pytest.raises(InputError, match=f"{name}: neither a GeoTIFF nor an ENVI image"):
            open_product(tmp_path / name)
    with pytest.raises(InputError, match=r"empty: holds no \.tif"):
        open_product(tmp_path / "empty")


def test_a_truncated_file_is_named(tmp_path):
    write_raster(tmp_path / "a.tif", np.random.default_rng(1).random((2, 300, 300)))
    path = tmp_path / "b.tif"
    rasterio.shutil.copy(tmp_path / "a.tif", path, driver="COG", OVERVIEWS="NONE")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with open_product(path) as product, pytest.raises(InputError, match="broken or truncated"):
        product.read_reflectance(Window(0, 0, 300, 300))
    path.write_bytes(whole[:100])
    with pytest.raises(InputError, match=r"b\.tif: cannot be opened as GeoTIFF"):
        open_product(path)
