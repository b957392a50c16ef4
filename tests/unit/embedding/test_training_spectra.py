import numpy as np
import pytest

from gossan.cube.bands import lay_out
from gossan.embedding.training_spectra import (
    CHANNELS_UM,
    gather_training,
    mineral_of,
    read_training,
    response_matrix,
    stack_spectra,
)
from gossan.errors import InputError
from gossan.legend import read_classes
from gossan.library.resample import resample_spectrum
from gossan.library.spectrum import Spectrum
from gossan.raster import BandTable

WAVELENGTH = np.arange(350, 2501, 5) / 1000.0


@pytest.fixture(scope="module")
def classes(root):
    return [
        item
        for item in read_classes(root / "resources/static/minerals.csv")
        if item.name in ("alunite", "calcite")
    ]


@pytest.fixture(scope="module")
def bands():
    narrow = np.arange(0.42, 2.4, 0.02)
    tables = {
        "emit": BandTable(
            tuple(f"B{place:03d}" for place in range(len(narrow))),
            tuple(narrow.tolist()),
            (0.0085,) * len(narrow),
        ),
        "sentinel2": BandTable(
            ("B2", "B4", "B8", "B12"), (0.4927, 0.6646, 0.8328, 2.2024), (0.064, 0.03, 0.105, 0.17)
        ),
    }
    return lay_out(tables)[0]


def smooth(name, gap=(), wavelength=WAVELENGTH):
    reflectance = 0.4 + 0.2 * np.sin(5 * wavelength) + 0.05 * wavelength
    for low, high in gap:
        reflectance = np.where((wavelength > low) & (wavelength < high), np.nan, reflectance)
    return Spectrum(name, wavelength, reflectance, "library")


def test_what_a_record_is_of():
    assert mineral_of("Calcite_REE-bearing WS319a ASDFRb AREF") == "calcite"
    assert mineral_of("Clinochlore_Fe GDS157 BECKa AREF") == "chlorite"
    assert mineral_of("alunite1.spc Alunite GDS84 Na03") == "alunite"
    assert mineral_of("Prochlorite SMR-14.a 115um BECKa AREF") == "chlorite"
    assert mineral_of("Antigorite NMNH96917.b 165um BECKb AREF") == "serpentine"
    assert mineral_of("Elbaite NMNH94217-1.a BECKb AREF") == "tourmaline"
    # Who looks for a variety by its own name gets it.
    assert mineral_of("Antigorite NMNH96917.b 165um BECKb AREF", ["antigorite"]) == "antigorite"
    # A jarosite with ammonium, and a hematite too fine for its colour, are others.
    assert mineral_of("Ammonio-Jarosite SCF-NHJ BECKa AREF") == "ammonio-jarosite"
    assert mineral_of("Nanohematite BR93-34B2 W1R1Ba AREF") == "nanohematite"
    assert mineral_of("green_vegetation") == "green_vegetation"


def test_the_shipped_library_has_one_spectrum_of_each(root, classes, bands):
    training = read_training([root / "resources/static/analytic_library.csv"], classes)
    assert training.reflectance.shape == (len(training), CHANNELS_UM.size)
    assert training.reflectance.dtype == np.float32
    assert len(set(training.minerals)) == len(training)
    assert all(training.modelled)
    spectra, filled = stack_spectra(training, bands, response_matrix(bands))
    assert filled.all()
    assert spectra.shape == (len(training), len(bands))
    assert ((spectra > 0) & (spectra < 1)).all()
    two = training.take([3, 1])
    assert two.records == (training.records[3], training.records[1])
    assert np.array_equal(two.reflectance, training.reflectance[[3, 1]])


def test_bands_are_those_of_the_resampling(bands, classes):
    spectra = [smooth("Alunite A"), smooth("Calcite B")]
    training = gather_training(spectra, classes, "library")
    matrix = response_matrix(bands)
    assert np.allclose(matrix.sum(axis=1), 1, atol=1e-5)
    found, _ = stack_spectra(training, bands, matrix)
    part = bands.part("sentinel2")
    table = BandTable(bands.band[part], bands.centre_um[part], bands.fwhm_um[part])
    assert np.allclose(found[0, part], resample_spectrum(spectra[0], table, None), atol=1e-3)


def test_a_shift_moves_the_bands(bands, classes):
    line = Spectrum("Alunite A", WAVELENGTH, 0.2 * WAVELENGTH, "library")
    training = gather_training([line, smooth("Calcite B")], classes, "library")
    moved = response_matrix(bands, shift_um=0.002) - response_matrix(bands)
    assert np.allclose(training.reflectance[0] @ moved.T, 0.2 * 0.002, atol=2e-5)


def test_gaps_make_sensors_absent_but_a_missing_channel_does_not(bands, classes):
    spectra = [
        smooth("Alunite narrow", [(0.838, 0.848)]),
        smooth("Alunite wide", [(0.60, 0.70)]),
        smooth("Alunite short", [(2.2, 9)]),
        smooth("Calcite whole"),
    ]
    training = gather_training(spectra, classes, "library")
    assert np.isfinite(training.reflectance).all()
    found, filled = stack_spectra(training, bands, response_matrix(bands))
    assert filled.tolist() == [[True, True], [False, False], [False, False], [True, True]]
    assert (found[1] == 0).all()
    assert np.allclose(found[0], found[3], atol=2e-3)


@pytest.mark.parametrize("dropped", [False, True])
def test_a_stretch_of_deleted_channels_is_not_known(bands, classes, dropped):
    # 45 nm over the overtone of OH: less than a twentieth of the wavelength, and wide enough to
    # hide an absorption.
    gappy = smooth("Alunite A", [(1.389, 1.431)])
    if dropped:
        valid = np.isfinite(gappy.reflectance)
        gappy = Spectrum(
            gappy.name, gappy.wavelength_um[valid], gappy.reflectance[valid], "library"
        )
    training = gather_training([gappy, smooth("Calcite B")], classes, "library")
    across = (CHANNELS_UM > 1.385) & (CHANNELS_UM < 1.435)
    assert not training.known[0, across].any()
    assert training.known[0, ~across & (CHANNELS_UM > 0.36) & (CHANNELS_UM < 2.49)].all()


def test_coarse_channels_are_no_gap(classes):
    wavelength = np.concatenate([np.arange(350, 900, 12), np.arange(900, 2501, 40)]) / 1000.0
    training = gather_training(
        [smooth("Alunite A", wavelength=wavelength), smooth("Calcite B")], classes, "library"
    )
    inside = (CHANNELS_UM > 0.36) & (CHANNELS_UM < 2.45)
    assert training.known[0, inside].all()


def test_varieties_train_as_their_mineral_even_where_a_table_has_no_label(classes):
    from gossan.embedding.spectra_trial import label_minerals

    chlorite = classes[0].__class__(1, "chlorite", "Chlorite", "#2E7D32")
    spectra = [smooth("Chlorite A1"), smooth("Prochlorite A2"), smooth("Quartz A3")]
    labels = label_minerals(spectra, ["chlorite", "", ""])
    training = gather_training(spectra, [chlorite], "library", labels)
    assert training.minerals == ("chlorite", "chlorite", "quartz")


def test_a_gap_counts_where_a_sensor_looks(bands, classes):
    # Sentinel-2 has no band from 1 to 2 µm.
    spectra = [smooth("Alunite A", [(1.2, 1.3)]), smooth("Calcite B")]
    training = gather_training(spectra, classes, "library")
    _, filled = stack_spectra(training, bands, response_matrix(bands))
    assert filled.tolist() == [[False, True], [True, True]]


def test_a_library_without_one_of_the_minerals_is_refused(root, classes, tmp_path):
    lines = (root / "resources/static/analytic_library.csv").read_text().splitlines(keepends=True)
    short = tmp_path / "short.csv"
    short.write_text("".join(line for line in lines if not line.startswith("calcite,")))
    with pytest.raises(InputError, match=r"short\.csv: has no spectrum of calcite"):
        read_training([short], classes)
    # Another library can have it.
    whole = read_training([short, root / "resources/static/analytic_library.csv"], classes)
    assert whole.minerals.count("calcite") == 1
    assert whole.minerals.count("alunite") == 2


def test_a_spectrum_outside_the_range_is_no_spectrum_of_the_mineral(classes):
    thermal = Spectrum("Calcite T", np.linspace(8, 12, 50), np.full(50, 0.3), "library")
    with pytest.raises(InputError, match="no spectrum of calcite"):
        gather_training([smooth("Alunite A"), thermal], classes, "library")


def test_a_band_outside_the_channels_is_refused():
    table = BandTable(("B1", "B2"), (0.5, 2.9), (0.01, 0.01))
    bands, _ = lay_out({"emit": table})
    with pytest.raises(InputError, match="emit:B2: lies outside"):
        response_matrix(bands)


def test_labels_of_the_real_archive(shared_data, root):
    from gossan.embedding.spectra_trial import read_archive

    own = {"alunite", "chlorite", "calcite", "goethite", "hematite", "jarosite", "kaolinite"}
    for name in ("BECK", "ASD"):
        path = shared_data(f"usgs_splib07/csv/splib07a_minerals_{name}.npz")
        spectra, labels = read_archive(path)
        for item, label in zip(spectra, labels, strict=True):
            found = mineral_of(item.name)
            # The table has no label for prochlorite, which is a chlorite.
            label = "chlorite" if "Prochlorite" in item.name else label
            assert (found if found in own else "") == (label if label in own else "")
