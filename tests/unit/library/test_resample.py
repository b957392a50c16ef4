"""Resampling to bands: response functions, Gaussians, gaps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossan.errors import InputError
from gossan.library.resample import (
    band_mean,
    gaussian_response,
    note_responses,
    resample_classes,
    resample_records,
    resample_spectrum,
    sensor_response,
)
from gossan.library.spectrum import Spectrum
from gossan.raster import BandTable

OLI = BandTable(
    names=("B1", "B2", "B3", "B4", "B5", "B6", "B7"),
    centre_um=(0.443, 0.482, 0.561, 0.655, 0.865, 1.609, 2.201),
    fwhm_um=(0.016, 0.060, 0.057, 0.037, 0.028, 0.085, 0.187),
)
WAVELENGTH = np.arange(350, 2501, 2) / 1000


def spectrum(reflectance, wavelength=WAVELENGTH, name="test"):
    values = np.broadcast_to(np.asarray(reflectance, dtype=float), wavelength.shape)
    return Spectrum(name, wavelength, values.copy(), "test.txt")


@pytest.mark.parametrize("sensor", ["Landsat-8 OLI_TIRS", "Landsat-9 OLI_TIRS", None])
@given(value=st.floats(1e-3, 1.0))
@settings(max_examples=10, deadline=None)
def test_a_constant_stays_constant(sensor, value):
    np.testing.assert_allclose(resample_spectrum(spectrum(value), OLI, sensor), value, rtol=1e-12)


@pytest.mark.parametrize(
    ("sensor", "bands"),
    [
        ("Landsat-8 OLI_TIRS", {"B1": 0.443, "B5": 0.865, "B7": 2.201}),
        ("Sentinel-2A MSI", {"B02": 0.4924, "B8A": 0.8647, "B12": 2.2024}),
        ("Sentinel-2B MSI", {"B03": 0.559, "B11": 1.6104}),
        ("Terra ASTER", {"B1": 0.556, "3N": 0.807, "B5": 2.167, "B9": 2.398}),
    ],
)
def test_a_straight_line_gives_the_bands_centre(sensor, bands):
    table = BandTable(tuple(bands), tuple(bands.values()), (0.05,) * len(bands))
    line = spectrum(0.2 * WAVELENGTH)
    np.testing.assert_allclose(
        resample_spectrum(line, table, sensor) / 0.2, table.centre_um, atol=0.003
    )


def test_gaussian_of_a_gaussian_absorption_has_the_closed_form():
    wavelength = np.arange(2000, 2400) / 1000
    sigma, band_sigma = 0.02, 0.01
    dip = spectrum(0.5 - 0.3 * np.exp(-0.5 * ((wavelength - 2.2) / sigma) ** 2), wavelength)
    expected = 0.5 - 0.3 * sigma / np.hypot(sigma, band_sigma)
    response = gaussian_response(2.2, band_sigma * 2.354820045)
    assert band_mean(dip, response) == pytest.approx(expected, abs=3e-4)


def test_narrow_bands_between_coarse_channels_are_interpolated():
    coarse = spectrum([0.1, 0.3], np.array([1.00, 1.02]))
    assert band_mean(coarse, gaussian_response(1.01, 0.002)) == pytest.approx(0.2)


def test_deleted_channels_are_gaps_in_the_bands_they_touch():
    values = np.full(WAVELENGTH.shape, 0.4)
    values[(WAVELENGTH > 2.15) & (WAVELENGTH < 2.25)] = np.nan
    result = resample_spectrum(spectrum(values), OLI, "Landsat-8 OLI_TIRS")
    np.testing.assert_array_equal(np.isnan(result), [False] * 6 + [True])
    np.testing.assert_allclose(result[:6], 0.4)


def test_a_deleted_channel_at_the_edge_of_a_band_does_not_cost_the_band():
    values = np.full(WAVELENGTH.shape, 0.4)
    values[np.argmin(np.abs(WAVELENGTH - 0.844))] = np.nan
    result = resample_spectrum(spectrum(values), OLI, "Landsat-8 OLI_TIRS")
    np.testing.assert_allclose(result, 0.4)


def test_dropped_rows_are_gaps_too():
    kept = (WAVELENGTH < 2.1) | (WAVELENGTH > 2.3)
    result = resample_spectrum(spectrum(0.4, WAVELENGTH[kept]), OLI, None)
    np.testing.assert_array_equal(np.isnan(result), [False] * 6 + [True])


def test_bands_beyond_the_spectrum_are_gaps():
    result = resample_spectrum(spectrum(0.4, WAVELENGTH[WAVELENGTH < 2.1]), OLI, None)
    np.testing.assert_array_equal(np.isnan(result), [False] * 6 + [True])


def test_unknown_bands_sensors_and_wrong_centres_are_named():
    with pytest.raises(InputError, match=r"coastal.*Landsat-8"):
        sensor_response("Landsat-8 OLI_TIRS", ["coastal"])
    with pytest.raises(InputError, match="Hubble"):
        sensor_response("Hubble", ["B1"])
    swapped = BandTable(OLI.names[::-1], OLI.centre_um, OLI.fwhm_um)
    with pytest.raises(InputError, match=r"B7.*0.443"):
        resample_spectrum(spectrum(0.4), swapped, "Landsat-8 OLI_TIRS")
    with pytest.raises(InputError, match="no centre wavelengths"):
        resample_spectrum(spectrum(0.4), BandTable(OLI.names), None)
    with pytest.raises(InputError, match="no FWHM"):
        resample_spectrum(spectrum(0.4), BandTable(OLI.names, OLI.centre_um), None)
    with pytest.raises(InputError, match="above 0"):
        gaussian_response(0.5, 0.0)


def fine_bands(count: int, first=0.4, last=2.4) -> BandTable:
    centres = np.linspace(first, last, count).tolist()
    return BandTable(tuple(f"B{n:03d}" for n in range(count)), tuple(centres), (0.008,) * count)


def test_a_spectrometers_bands_beyond_a_record_are_left_out_of_all_references():
    reach = WAVELENGTH[WAVELENGTH <= 2.35]
    chosen = {"alunite": spectrum(0.6, name="A"), "calcite": spectrum(0.2, reach, name="C")}
    bands = fine_bands(200)
    references = resample_classes(chosen, bands, None)
    beyond = [name for name, um in zip(bands.names, bands.centre_um, strict=True) if um > 2.345]
    assert 0 < len(beyond) <= 10
    assert references.band == tuple(name for name in bands.names if name not in beyond)
    assert references.reflectance.shape == (2, len(references.band))
    assert np.isfinite(references.reflectance).all()
    assert len(references.wavelength_um) == len(references.fwhm_um) == len(references.band)
    # One in twenty at most.
    short = chosen | {"calcite": spectrum(0.2, WAVELENGTH[WAVELENGTH < 2.2], name="C")}
    with pytest.raises(InputError, match=r"'C' has no data over band B179, B180.*'calcite'"):
        resample_classes(short, bands, None)


def test_classes_keep_their_order_and_a_gap_names_class_spectrum_and_band():
    chosen = {
        "alunite": spectrum(0.6, name="Alunite GDS82"),
        "calcite": spectrum(0.2, name="Calcite WS272"),
    }
    references = resample_classes(chosen, OLI, "Landsat-8 OLI_TIRS")
    assert references.names == ("alunite", "calcite")
    assert references.band == OLI.names
    np.testing.assert_allclose(references.reflectance, [[0.6] * 7, [0.2] * 7])
    short = {"calcite": spectrum(0.2, WAVELENGTH[WAVELENGTH < 1.7], name="Calcite WS272")}
    with pytest.raises(InputError, match=r"Calcite WS272.*B7 of cube.tif.*'calcite'"):
        resample_classes(short, OLI, "Landsat-8 OLI_TIRS", what="cube.tif")


def test_further_records_of_a_class_must_have_all_the_bands_that_are_kept():
    short = spectrum(0.3, WAVELENGTH[WAVELENGTH < 1.7], name="Alunite short")
    chosen = {
        "alunite": [short, spectrum(0.6, name="Alunite GDS82"), spectrum(0.5, name="Alunite X")],
        "calcite": [spectrum(0.2, name="Calcite WS272")],
    }
    references, records = resample_records(chosen, OLI, "Landsat-8 OLI_TIRS")
    assert references.names == ("alunite", "alunite", "calcite")
    assert [one.name for one in records] == ["Alunite GDS82", "Alunite X", "Calcite WS272"]
    assert references.band == OLI.names
    np.testing.assert_allclose(references.reflectance[:, 0], [0.6, 0.5, 0.2])
    with pytest.raises(InputError, match=r"Alunite short.*B7 of the bands.*'alunite'"):
        resample_records({"alunite": [short]}, OLI, "Landsat-8 OLI_TIRS")


def test_a_table_that_is_no_measurement_is_noted():
    (note,) = note_responses("Terra ASTER", ["B01", "2", "3N"])
    assert note.startswith("band B01: ") and "Gaussian" in note
    assert note_responses("Terra ASTER", ["2", "3N"]) == []
    assert note_responses("Landsat-8 OLI", ["B1"]) == note_responses(None, ["1"]) == []
    # What is said of it: by the table itself.
    (response,) = sensor_response("Terra ASTER", ["1"])
    wavelength, height = response.wavelength_um, response.response
    sigma = 0.08 / np.sqrt(8 * np.log(2))
    assert height == pytest.approx(np.exp(-0.5 * ((wavelength - 0.556) / sigma) ** 2), abs=2e-3)
    inside = (wavelength >= 0.52) & (wavelength <= 0.60)
    assert height[~inside].sum() / height.sum() == pytest.approx(0.25, abs=0.02)
