"""The analytic library: evaluation, fitting, its table, and its distance to the real records."""

from dataclasses import replace

import numpy as np
import pytest

from gossan.embedding.spectra_trial import read_archive
from gossan.errors import InputError
from gossan.legend import read_classes
from gossan.library import absorptions
from gossan.library.absorptions import AbsorptionModel
from gossan.library.covers import COVERS, construct_cover
from gossan.library.mixtures import MIXTURES
from gossan.library.readers import read_library, select_from_libraries
from gossan.library.spectrum import Spectrum

WAVELENGTH = np.concatenate([np.arange(350, 1000, 4), np.arange(1000, 2501, 8)]) / 1000
MODEL = AbsorptionModel(
    name="made_up",
    origin="fitted",
    from_um=0.35,
    to_um=2.5,
    continuum=np.array([-0.5, -0.2]),
    absorptions=np.array([[0.9, 0.3, 0.4], [1.41, 0.03, 0.5], [2.2, 0.05, 0.7]]),
)


def record(model=MODEL, noise=0.0):
    reflectance = absorptions.evaluate(model, WAVELENGTH)
    reflectance = reflectance + noise * np.random.default_rng(1).normal(size=WAVELENGTH.size)
    return Spectrum("Made up GDS1", WAVELENGTH, reflectance, "folder/made_up_GDS1.txt")


def test_evaluate_follows_the_formula():
    model = replace(MODEL, continuum=np.array([-0.5]))
    sigma = 0.05 / 2.2**2 / (2 * np.sqrt(2 * np.log(2)))
    model = replace(model, absorptions=model.absorptions[2:])
    expected = np.exp(-0.5 - 0.7 * np.exp(-((1 / 2.22 - 1 / 2.2) ** 2) / (2 * sigma**2)))
    assert absorptions.evaluate(model, np.array([2.22]))[0] == pytest.approx(expected, rel=1e-12)
    half = 1 / (1 / 2.2 + 0.5 * 0.05 / 2.2**2)
    depth = -np.log(absorptions.evaluate(model, np.array([half]))[0]) - 0.5
    assert depth == pytest.approx(0.35)


def test_continuum_is_chebyshev_in_wavenumber():
    model = replace(MODEL, continuum=np.array([0.1, 0.2, 0.3]), absorptions=np.empty((0, 3)))
    ends = absorptions.evaluate(model, np.array([2.5, 0.35]))
    np.testing.assert_allclose(np.log(ends), [0.1 - 0.2 + 0.3, 0.1 + 0.2 + 0.3])


def test_evaluate_is_positive_inside_and_a_gap_outside():
    reflectance = absorptions.evaluate(MODEL, np.array([0.3, 0.35, 1.0, 2.5, 2.6]))
    np.testing.assert_array_equal(np.isnan(reflectance), [True, False, False, False, True])
    assert np.all(reflectance[1:4] > 0)


def test_fit_finds_a_known_model_again():
    fitted = absorptions.fit(record(noise=2e-4), name="made_up", absorptions=3, continuum_terms=2)
    assert fitted.name == "made_up"
    np.testing.assert_allclose(fitted.absorptions[:, 0], MODEL.absorptions[:, 0], rtol=0.005)
    np.testing.assert_allclose(fitted.absorptions[:, 1:], MODEL.absorptions[:, 1:], rtol=0.05)
    residual = absorptions.measure_residual(fitted, record())
    assert residual.rms < 2e-4
    assert residual.angle_rad < 5e-4
    assert residual.record == "made_up_GDS1"


def test_fit_is_deterministic_and_stored_without_loss(tmp_path):
    first, second = (absorptions.fit(record(), absorptions=4) for _ in range(2))
    for path, model in (("a.csv", first), ("b.csv", second)):
        absorptions.write_models(tmp_path / path, [model])
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    (back,) = absorptions.read_models(tmp_path / "a.csv")
    np.testing.assert_array_equal(
        absorptions.evaluate(back, WAVELENGTH), absorptions.evaluate(first, WAVELENGTH)
    )


def test_fit_leaves_out_deleted_channels_and_shrinks_to_the_record():
    whole = record()
    reflectance = np.where(whole.wavelength_um < 0.4, np.nan, whole.reflectance)
    reflectance[200:204] = np.nan
    fitted = absorptions.fit(replace(whole, reflectance=reflectance), absorptions=4)
    assert fitted.from_um == pytest.approx(0.402)
    assert np.isnan(absorptions.evaluate(fitted, np.array([0.36]))).all()
    residual = absorptions.measure_residual(fitted, whole)
    assert residual.channels == np.sum(whole.wavelength_um >= 0.402)
    assert residual.angle_rad < 0.005


def test_too_few_channels_are_refused():
    whole = record()
    short = Spectrum("x", whole.wavelength_um[:50], whole.reflectance[:50], "folder/x.txt")
    with pytest.raises(InputError, match=r"folder/x.txt.*50 valid channels"):
        absorptions.fit(short)


def test_residual_of_identical_spectra_is_zero_and_scale_does_not_turn_it():
    assert absorptions.measure_residual(MODEL, record()).angle_rad < 1e-12
    brighter = replace(MODEL, continuum=MODEL.continuum + np.array([0.1, 0.0]))
    residual = absorptions.measure_residual(brighter, record())
    assert residual.angle_rad < 1e-12
    assert residual.rms > 0.01


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name,origin", "nome,origin", "column name"),
        ("made_up,fitted,domain", "made_up,guessed,domain", "line 2.*guessed"),
        ("absorption,0.9", "emission,0.9", "line 5.*emission"),
        ("absorption,0.9", "absorption,", "line 5"),
        ("absorption,0.9", "absorption,nan", "line 5"),
        ("absorption,0.9", "absorption,-0.9", "line 5.*above 0"),
        ("absorption,0.9", "absorption,1e6", "line 5.*1e.06, .*beyond what spectra have"),
        ("continuum,,,-0.5", "continuum,,,-500", "line 3.*beyond what spectra have"),
        ("made_up,fitted,domain,1.425,2.15,\n", "", "domain"),
        ("fitted,continuum,,,-0.5", "fitted,continuum,,,", "line 3"),
    ],
)
def test_damaged_tables_are_named(tmp_path, old, new, message):
    path = tmp_path / "table.csv"
    absorptions.write_models(path, [MODEL])
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=f"table.csv.*{message}"):
        absorptions.read_models(path)


def test_missing_empty_and_binary_tables_are_named(tmp_path):
    for name, content in [("empty.csv", b""), ("junk.csv", b"\xff\xfe\x00"), ("gone.csv", None)]:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            absorptions.read_models(tmp_path / name)


def test_residual_table_comes_back(tmp_path):
    residual = absorptions.measure_residual(construct_cover("soil"), record())
    absorptions.write_residuals(tmp_path / "r.csv", [residual])
    (back,) = absorptions.read_residuals(tmp_path / "r.csv")
    assert (back.name, back.record, back.channels) == ("soil", "made_up_GDS1", residual.channels)
    assert back.angle_rad == pytest.approx(residual.angle_rad, abs=2e-5)
    for damaged in (b"name,record\nsoil,x\n", b"\xff\xfe\x00"):
        (tmp_path / "r.csv").write_bytes(damaged)
        with pytest.raises(InputError, match=r"r.csv.*not a residual table"):
            absorptions.read_residuals(tmp_path / "r.csv")


def at(name, *wavelengths):
    return absorptions.evaluate(construct_cover(name), np.array(wavelengths))


def test_covers_have_their_familiar_shapes():
    blue, green, red, near_infrared, swir = at("green_vegetation", 0.45, 0.55, 0.67, 0.86, 2.2)
    assert blue < green > red
    assert (near_infrared - red) / (near_infrared + red) > 0.75
    assert red < swir < near_infrared
    assert np.all(np.diff(at("green_vegetation", 0.68, 0.70, 0.72, 0.74, 0.76)) > 0)
    assert np.all(np.diff(at("soil", 0.45, 0.56, 0.66, 0.86, 1.3, 1.65)) > 0)
    assert at("soil", 2.205)[0] < min(at("soil", 2.14, 2.27))
    assert at("dry_vegetation", 2.1)[0] < min(at("dry_vegetation", 2.02, 2.2))
    assert np.all(np.diff(at("water", 0.56, 0.66, 0.86, 1.2, 1.6)) < 0)
    green, swir = at("snow", 0.56, 1.6)
    assert (green - swir) / (green + swir) > 0.8
    for centre in (1.03, 1.25, 1.5, 2.0):
        assert at("snow", centre)[0] < at("snow", centre - 0.12)[0]


def test_shipped_table_marks_covers_as_constructed_and_minerals_as_fitted(root):
    models = absorptions.read_models(root / "resources/static/analytic_library.csv")
    residuals = absorptions.read_residuals(root / "resources/static/analytic_residuals.csv")
    assert {m.name for m in models if m.origin == "constructed"} == {*COVERS, *MIXTURES}
    fitted = [m for m in models if m.origin == "fitted"]
    assert [m.name for m in fitted] == [r.name for r in residuals]
    assert all(12 <= len(m.absorptions) <= 14 for m in fitted)
    assert sum(r.angle_rad < 0.01 for r in residuals) >= 24


@pytest.mark.parametrize("name", MIXTURES)
def test_shipped_mixtures_are_the_sum_of_their_members_by_share(root, name):
    shipped = absorptions.read_models(root / "resources/static/analytic_library.csv")
    models = {model.name: model for model in shipped}
    assert sum(share for _, share in MIXTURES[name]) == 1
    inside = WAVELENGTH[(WAVELENGTH > 0.36) & (WAVELENGTH < 2.49)]
    side_by_side = sum(
        share * absorptions.evaluate(models[member], inside) for member, share in MIXTURES[name]
    )
    mixed = absorptions.evaluate(models[name], inside)
    assert np.sqrt(np.mean((mixed - side_by_side) ** 2)) < 0.002


def test_shipped_minerals_lie_close_to_the_real_records(root, shared_data):
    native = read_library(shared_data("usgs_splib07/native_ascii_splib07a"))
    native += read_library(shared_data("jpl_beckman"))
    # Native channels of records that the folder lacks; mixtures are there in AVIRIS's channels.
    archives = [
        read_archive(shared_data(f"usgs_splib07/csv/splib07a_minerals_{instrument}.npz"))[0]
        for instrument in ("BECK", "ASD")
    ]
    convolved = read_library(shared_data("usgs_splib07/envi_sli/s07_AV95_envi.hdr"))
    libraries = [native, *archives, convolved]
    models = absorptions.read_models(root / "resources/static/analytic_library.csv")
    stored = absorptions.read_residuals(root / "resources/static/analytic_residuals.csv")
    records = {
        item.name: item.record for item in read_classes(root / "resources/static/minerals.csv")
    }
    angles = []
    for model, residual in zip([m for m in models if m.origin == "fitted"], stored, strict=True):
        _, real = select_from_libraries(libraries, model.name, records[model.name])
        measured = absorptions.measure_residual(model, real)
        assert measured.angle_rad == pytest.approx(residual.angle_rad, abs=2e-5)
        assert measured.rms < 0.006, model.name
        angles.append(measured.angle_rad)
    assert len(angles) >= 38
    assert sum(angle < 0.01 for angle in angles) >= 36
    assert max(angles) < 0.02
