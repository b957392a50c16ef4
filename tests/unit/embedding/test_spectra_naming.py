"""Single spectra at a sensor's bands, and what network and spectral angle call them."""

import numpy as np
import pytest
from embeddings import BANDS, MINERALS, TABLES, make_model, reflect

from gossan.cube.bands import StackBands, lay_out
from gossan.embedding.mapper import NAMED, NONE, SEVERAL
from gossan.embedding.spectra_naming import (
    Named,
    band_weights,
    bands_of,
    calibrate,
    columns,
    make_methods,
    name_by_margin,
    name_spectra,
    naming_rows,
    read_spectra,
    summary_rows,
    to_bands,
)
from gossan.embedding.spectral_augmentation import Augmentation, Augmenter
from gossan.embedding.training_spectra import gather_training
from gossan.errors import InputError
from gossan.legend import MapClass
from gossan.library.resample import band_mean, gaussian_response
from gossan.library.spectrum import Spectrum

EMIT = bands_of(BANDS, "emit")
CLASSES = [MapClass(code, name, name.title(), "#000000") for name, code in MINERALS.items()]
FINE = np.arange(350, 2501) / 1000.0
COARSE = np.arange(0.36, 2.5, 0.0097)


def quartz(wavelength):
    return 0.35 + 0.25 * np.sin(5 * wavelength)


def spectra_at(wavelength):
    values = [*reflect(wavelength), quartz(wavelength)]
    names = [*(f"{name.title()} X1" for name in MINERALS), "Quartz X1"]
    return [
        Spectrum(*item, "here.csv") for item in zip(names, [wavelength] * 4, values, strict=True)
    ]


def one_band(centre, fwhm):
    return StackBands(("emit",), ("B001",), (centre,), (fwhm,))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("naming") / "net.onnx")


@pytest.fixture(scope="module")
def augmenter():
    return Augmenter(gather_training(spectra_at(FINE), CLASSES, "here"), EMIT, Augmentation())


@pytest.fixture(scope="module")
def methods(model, augmenter):
    return make_methods(model, augmenter)


@pytest.mark.parametrize("step", [0.0005, 0.0097, 0.02])
def test_a_straight_line_stays_one(step):
    wavelength = np.arange(0.36, 2.5, step)
    weights, gaps = band_weights(wavelength, EMIT)
    assert weights.sum(axis=1) == pytest.approx(1)
    assert weights.min() >= 0
    assert not gaps.any()
    assert weights @ (0.2 + 0.1 * wavelength) == pytest.approx(0.2 + 0.1 * np.array(EMIT.centre_um))


def test_fine_channels_are_averaged_as_the_band_does():
    wavelength = np.arange(0.4, 2.45, 0.0002)
    reflectance = 0.5 + 0.2 * np.sin(wavelength / 0.004)
    weights, _ = band_weights(wavelength, one_band(1.2, 0.01))
    spectrum = Spectrum("x", wavelength, reflectance, "x")
    wanted = band_mean(spectrum, gaussian_response(1.2, 0.01))
    assert (weights @ reflectance)[0] == pytest.approx(wanted, abs=5e-4)


def test_what_channels_have_blurred_is_not_blurred_again():
    # A line as the instrument's own channels of 6 nm show it: a Gaussian wider than it was.
    wavelength = np.arange(2.1, 2.3, 0.005)
    sigma = np.hypot(0.03, 0.006) / 2.3548
    reflectance = 1 - np.exp(-0.5 * ((wavelength - 2.2) / sigma) ** 2) * 0.03 / (sigma * 2.3548)
    for fwhm in (0.01, 0.015):
        weights, _ = band_weights(wavelength, one_band(2.2, fwhm))
        wanted = 1 - 0.03 / np.hypot(0.03, fwhm)
        assert (weights @ reflectance)[0] == pytest.approx(wanted, abs=0.004)


def test_channels_as_wide_as_the_band_are_read_at_its_centre():
    weights, _ = band_weights(COARSE, EMIT)
    values = quartz(COARSE)
    assert weights @ values == pytest.approx(np.interp(EMIT.centre_um, COARSE, values))
    assert ((weights > 0).sum(axis=1) <= 2).all()


def test_narrow_gaps_are_bridged_and_wide_ones_named():
    wavelength = COARSE[np.abs(COARSE - 1.515) > 0.006]
    assert np.diff(wavelength).max() < 0.0201
    assert not band_weights(wavelength, one_band(1.515, 0.01))[1].any()
    # Three channels are as wide as an absorption.
    wavelength = COARSE[(COARSE < 1.50) | (COARSE > 1.53)]
    assert band_weights(wavelength, one_band(1.515, 0.01))[1].all()
    wavelength = COARSE[(COARSE < 0.6) | (COARSE > 0.7)]
    spectrum = Spectrum("Far", wavelength, quartz(wavelength), "here.csv")
    with pytest.raises(InputError, match=r"here.csv: 'Far' has no reflectance over emit:B00\d at"):
        to_bands([spectrum], EMIT)
    short = Spectrum("Short", COARSE[COARSE < 2.2], quartz(COARSE[COARSE < 2.2]), "here.csv")
    with pytest.raises(InputError, match="'Short' has no reflectance over emit:B0"):
        to_bands([short], EMIT)


def test_deleted_channels_are_skipped_and_others_left_alone():
    reflectance = quartz(COARSE)
    holes = reflectance.copy()
    holes[::7] = np.nan
    whole = Spectrum("Whole", COARSE, reflectance, "here.csv")
    found = to_bands([whole, Spectrum("Holes", COARSE, holes, "here.csv"), whole], EMIT)
    assert found.shape == (3, len(EMIT))
    assert found.dtype == np.float32
    assert np.array_equal(found[0], found[2])
    assert 0 < np.abs(found[1] - found[0]).max() < 0.01


def test_spectra_without_anything_in_them_are_refused():
    with pytest.raises(InputError, match="'Dark' is nowhere above 0 in emit's bands"):
        to_bands([Spectrum("Dark", COARSE, np.zeros(COARSE.size), "here.csv")], EMIT)
    lone = np.full(COARSE.size, np.nan)
    lone[5] = 0.3
    with pytest.raises(InputError, match="'Lone' has fewer than two channels"):
        to_bands([Spectrum("Lone", COARSE, lone, "here.csv")], EMIT)


def test_a_sensor_that_the_network_does_not_know_is_named():
    own = bands_of(BANDS, "prisma")
    assert own.sensors == ("prisma",)
    assert own == lay_out({"prisma": TABLES["prisma"]})[0]
    with pytest.raises(InputError, match="sensor 'aviris': the network was trained with emit, "):
        bands_of(BANDS, "aviris")


def test_the_network_sees_its_other_sensors_as_absent(model, methods):
    spectra = to_bands(spectra_at(COARSE), EMIT)
    widened = np.zeros((4, len(BANDS)), np.float32)
    widened[:, BANDS.part("emit")] = spectra
    found = methods["masked"].scores(spectra, np.ones((4, 1), bool))
    assert list(methods) == ["masked", "sam"]
    assert np.array_equal(found, model.distances(widened))


def test_brightness_does_not_matter_and_a_stranger_is_none_of_the_minerals(methods, augmenter):
    thresholds = calibrate(methods, augmenter, spectra=60, coverage=0.9, seed=1)
    spectra = to_bands(spectra_at(COARSE), EMIT)
    for method, detector in methods.items():
        for own in thresholds[method].values():
            assert own["calibrated_on"] == "library"
            assert own["validation"] is own["oracle"] is None
        for gain in (0.5, 1.0, 1.2):
            named = name_spectra(detector, thresholds[method], spectra * np.float32(gain))
            assert named.nearest[:3].tolist() == [0, 1, 2]
            assert (named.answers[:3] != NONE).all()
        # The network's weights are random, so only the angle is asked about a stranger.
        assert method != "sam" or named.answers[3] == NONE
    again = calibrate(methods, augmenter, spectra=60, coverage=0.9, seed=1, threads=2)
    assert again == thresholds


def test_tables_say_what_was_answered():
    scores = np.array([[0.1, 0.9], [0.5, 0.55], [0.2, 0.3], [0.45, 0.6]], np.float32)
    named = Named(
        ("alunite", "calcite"),
        scores,
        np.array([0.15, 0.6]),
        np.array([0.4, 0.7]),
        np.array([0, 0, 0, 0]),
        np.array([0, 1, 0, 1]),
        np.array([NAMED, NAMED, SEVERAL, NAMED], np.uint8),
    )
    spectra = [Spectrum(f"p{place}", COARSE, COARSE, "a/b.csv") for place in range(4)]
    rows = naming_rows(spectra, [{"sam": named}])
    assert all(tuple(row) == columns([named]) for row in rows)
    assert [row["mineral"] for row in rows] == ["alunite", "calcite", None, "calcite"]
    assert [row["answer"] for row in rows] == ["named", "named", "several", "named"]
    assert [row["within_threshold"] for row in rows] == ["yes", "no", "no", "no"]
    assert [row["within_limit"] for row in rows] == ["yes", "no", "yes", "no"]
    assert rows[1]["nearest"] == "alunite"
    assert rows[1]["distance"] == "0.500000"
    assert rows[1]["limit"] == "0.400000"
    assert rows[1]["distance_calcite"] == "0.550000"
    assert (rows[1]["margin"], rows[1]["least_margin"]) == ("0.050000", None)
    assert {row["source"] for row in rows} == {"b.csv"}
    found = {row["mineral"]: row for row in summary_rows([{"sam": named}])}
    assert list(found) == ["alunite", "calcite", "unclassified", "all"]
    keys = ("nearest", "within_threshold", "within_limit", "named")
    assert [found["alunite"][key] for key in keys] == [4, 1, 2, 1]
    assert [found["calcite"][key] for key in keys] == [0, 0, 0, 2]
    assert found["unclassified"]["named"] == 1
    assert found["all"]["named_share"] == "1.0000"


def test_a_region_names_the_surest_but_none_below_the_margin_of_the_library():
    scores = np.tile(np.array([0.2, 0.5], np.float32), (100, 1))
    scores[:, 1] += np.linspace(0, 1, 100, dtype=np.float32)

    class Answers:
        minerals = ("alunite", "calcite")

        def scores(self, spectra, present):
            return scores[: len(spectra)]

    def named(of_library, spectra=100):
        pixels = np.ones((spectra, 3), np.float32)
        return name_by_margin(Answers(), of_library, pixels, share=0.3, region="2um")

    own = named(0.1)
    assert (own.answers == NAMED).sum() == 30 and (own.answers[70:] == NAMED).all()
    assert (named(1.2).answers == NAMED).sum() == 10
    assert (named(np.inf).answers == NONE).all()
    # A handful of spectra have no spread of their own.
    assert (named(0.1, spectra=20).answers == NAMED).all()
    spectra = [Spectrum(f"p{place}", COARSE, COARSE, "b.csv") for place in range(100)]
    rows = naming_rows(spectra, [{"masked": own}])
    assert rows[-1]["region"] == "2um" and rows[-1]["mineral"] == "alunite"
    assert rows[-1]["within_limit"] is rows[-1]["threshold"] is None
    assert float(rows[-1]["margin"]) >= float(rows[-1]["least_margin"])
    summary = {row["mineral"]: row for row in summary_rows([{"masked": own}])}
    assert (summary["alunite"]["nearest"], summary["alunite"]["named"]) == (100, 30)


def test_a_threshold_that_could_not_be_chosen_keeps_nothing(methods):
    none = {name: {"library": None, "conformal": None} for name in MINERALS}
    named = name_spectra(methods["sam"], none, to_bands(spectra_at(COARSE), EMIT))
    assert (named.answers == NONE).all()
    row = naming_rows(spectra_at(COARSE)[:1], [{"sam": named}])[0]
    assert row["threshold"] is row["limit"] is None
    assert row["within_threshold"] == row["within_limit"] == "no"


def test_real_emit_spectra_reach_the_bands_unchanged(shared_data):
    folder = shared_data("emit/emit_salda_spectra")
    paths = sorted(folder.glob("ROI_*.txt"))
    spectra = read_spectra(paths)
    assert len(spectra) == len(paths) == 7
    centre = spectra[0].wavelength_um
    assert centre.size == 285
    assert (centre[0], centre[-1]) == pytest.approx((0.381006, 2.492924), abs=1e-6)
    inner = slice(10, 100)
    own = StackBands(
        ("emit",) * 90,
        tuple(f"B{place:03d}" for place in range(11, 101)),
        tuple(centre[inner].tolist()),
        (0.0084,) * 90,
    )
    found = to_bands(spectra, own)
    for values, spectrum in zip(found, spectra, strict=True):
        assert values == pytest.approx(spectrum.reflectance[inner], abs=1e-6)
