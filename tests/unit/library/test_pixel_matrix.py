"""Pixels of a bare MATLAB matrix: what is left out, what is taken off, what is refused."""

import numpy as np
import pytest
from scipy.io import savemat

from gossan.errors import InputError
from gossan.library.pixel_matrix import clean_pixels, read_matrix, read_pixels, write_pixels
from gossan.library.readers import read_envi_wavelengths, read_library

WAVELENGTH = np.array([0.40, 0.50, 0.60, 0.70, 0.65, 0.75, 1.35, 1.40, 2.50])
WHOLE = (0.35, 2.45)


def reflectance(count=5):
    generator = np.random.default_rng(3)
    values = generator.uniform(0.1, 0.5, (count, WAVELENGTH.size))
    values[:, 6:8] = 0
    return values


def test_a_global_scaling_is_undone_but_for_a_factor():
    values = reflectance()
    scaled = (values + 0.005) / 1.205 + 1e-6
    pixels = clean_pixels(scaled, WAVELENGTH, WHOLE, "m")
    assert pixels.dead == (6, 7)
    assert pixels.doubled == (3,)
    assert pixels.outside == (8,)
    assert pixels.wavelength_um.tolist() == [0.40, 0.50, 0.60, 0.65, 0.75]
    assert pixels.zero == pytest.approx(0.005 / 1.205 + 1e-6)
    assert pixels.values * 1.205 == pytest.approx(values[:, [0, 1, 2, 4, 5]])


def test_reflectance_without_dead_channels_stays_as_it_is():
    values = reflectance()[:, :3]
    pixels = clean_pixels(values, WAVELENGTH[:3], WHOLE, "m")
    assert pixels.zero == 0
    assert pixels.dead == pixels.doubled == pixels.outside == ()
    assert np.array_equal(pixels.values, values)


def test_scaling_by_channel_is_refused():
    values = reflectance()
    values[:, 7] = 0.3
    with pytest.raises(InputError, match="m: its channels were not scaled alike"):
        clean_pixels(values, WAVELENGTH, WHOLE, "m")
    with pytest.raises(InputError, match="m: its channels were not scaled alike"):
        clean_pixels(values[:1], WAVELENGTH, WHOLE, "m")
    values = reflectance()
    low, high = values.min(axis=0), values.max(axis=0)
    scaled = (values - low) / np.where(high > low, high - low, 1)
    with pytest.raises(InputError, match="m: its channels were not scaled alike"):
        clean_pixels(scaled, WAVELENGTH, WHOLE, "m")


def test_channels_and_range_must_fit():
    with pytest.raises(InputError, match="m: 9 channels, 8 wavelengths"):
        clean_pixels(reflectance(), WAVELENGTH[:8], WHOLE, "m")
    with pytest.raises(InputError, match="m: no channels are left from 3 to 4 µm"):
        clean_pixels(reflectance(), WAVELENGTH, (3, 4), "m")


def test_the_table_is_a_library_of_pixels(tmp_path):
    pixels = clean_pixels(reflectance(12), WAVELENGTH, WHOLE, "m")
    write_pixels(tmp_path / "pixels.csv", pixels)
    spectra = read_library(tmp_path / "pixels.csv")
    assert [item.name for item in spectra][::11] == ["pixel01", "pixel12"]
    for spectrum, row in zip(spectra, pixels.values, strict=True):
        assert spectrum.reflectance == pytest.approx(row, abs=1e-6)


def test_files_that_cannot_be_used_are_named(tmp_path):
    path = tmp_path / "m.mat"
    with pytest.raises(InputError, match=r"m\.mat: no such file"):
        read_matrix(path, "x")
    path.write_bytes(b"not a MATLAB file at all, but long enough" * 9)
    with pytest.raises(InputError, match=r"m\.mat: no readable MATLAB file"):
        read_matrix(path, "x")
    savemat(path, {"x": reflectance(), "cube": np.ones((2, 2, 2)), "words": np.array(["a", "b"])})
    assert np.array_equal(read_matrix(path, "x"), reflectance())
    with pytest.raises(InputError, match="no variable 'y'; it has cube, words, x"):
        read_matrix(path, "y")
    with pytest.raises(InputError, match="cube is 2 x 2 x 2; give pixels x channels"):
        read_matrix(path, "cube")
    savemat(path, {"x": np.array([[1 + 2j, 3], [4, 5]])})
    with pytest.raises(InputError, match="x is no matrix of real numbers"):
        read_matrix(path, "x")
    savemat(path, {"x": np.array([[1.0, np.nan], [4, 5]])})
    with pytest.raises(InputError, match="x has values that are not finite"):
        read_matrix(path, "x")
    savemat(path, {"x": reflectance()}, do_compression=True)
    content = bytearray(path.read_bytes())
    content[-40:-20] = b"\xff" * 20
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"m\.mat: "):
        read_matrix(path, "x")


def test_a_matrix_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("gossan.library.pixel_matrix.MOST_VALUES", 10)
    savemat(tmp_path / "m.mat", {"x": reflectance()})
    with pytest.raises(InputError, match="x is 5 x 9; give pixels x channels"):
        read_matrix(tmp_path / "m.mat", "x")


def test_real_pixels_of_cuprite_are_integers_of_one_scale(shared_data):
    path = shared_data("cuprite_aviris_pixels/data_points.mat")
    header = shared_data("usgs_splib07/envi_sli/s07_AV95_envi.hdr")
    pixels = read_pixels(path, "data_points", header, (0.41, 2.45))
    assert pixels.dead == (0, 1, *range(107, 111), *range(154, 166))
    assert pixels.doubled == (29, 30, 31, 94, 95)
    assert pixels.values.shape == (1051, len(pixels.wavelength_um))
    # One scale for all: the values are integers from -50 to 12000, of which 0 is no light.
    counts = pixels.values * 12050
    assert np.abs(counts - np.rint(counts)).max() < 1e-5
    assert pixels.zero * 12050 == pytest.approx(50, abs=0.02)
    assert read_envi_wavelengths(header).size == 224
