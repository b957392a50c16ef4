"""Detectors: angles over what is present, one-class models as scikit-learn has them, threads."""

import numpy as np
import pytest
from detector_scenes import MINERALS, make_augmenter, make_classes, small_bands, write_network
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest as Forest
from sklearn.svm import OneClassSVM as Machine

from gossan.embedding import detectors
from gossan.embedding.detectors import (
    Embedding,
    IsolationForest,
    OneClassSVM,
    SpectralAngle,
    group_sensors,
    score_spectra,
    score_subsets,
)
from gossan.embedding.sensor_subsets import sensor_sets
from gossan.embedding.shape_fit import ShapeFit
from gossan.errors import InputError

BANDS, _ = small_bands()
SENSORS = len(BANDS.sensors)


def some_spectra(count=40, seed=0):
    generator = np.random.default_rng(seed)
    return generator.uniform(0.05, 0.6, (count, len(BANDS))).astype(np.float32)


def masked(spectra, present):
    return np.where(BANDS.present_bands(present), spectra, np.float32(0))


@pytest.fixture(scope="module")
def angle():
    return SpectralAngle(BANDS, ("a", "b"), some_spectra(3, seed=9), np.array([0, 1, 1]))


def plain_angles(spectra, references, present):
    kept = BANDS.present_bands(present)
    found = np.empty((len(spectra), len(references)))
    for row, (spectrum, own) in enumerate(zip(spectra.astype(float), kept, strict=True)):
        for place, reference in enumerate(references.astype(float)):
            cosine = spectrum[own] @ reference[own]
            cosine /= np.linalg.norm(spectrum[own]) * np.linalg.norm(reference[own])
            found[row, place] = np.arccos(np.clip(cosine, -1, 1))
    return found


def test_angles_are_those_over_the_present_bands(angle):
    spectra = some_spectra()
    present = np.random.default_rng(1).random((40, SENSORS)) < 0.5
    present[~present.any(axis=1), 0] = True
    every = plain_angles(spectra, some_spectra(3, seed=9), present)
    expected = np.stack([every[:, 0], every[:, 1:].min(axis=1)], axis=1)
    found = angle.scores(masked(spectra, present), present)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-5


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 50))
def test_a_gain_does_not_change_the_angle(gain):
    angle = SpectralAngle(BANDS, ("a",), some_spectra(1, seed=9), np.array([0]))
    spectra, present = some_spectra(), np.ones((40, SENSORS), bool)
    brighter = (spectra * np.float32(gain)).astype(np.float32)
    assert np.abs(angle.scores(brighter, present) - angle.scores(spectra, present)).max() < 1e-5


def test_no_sensor_no_score(angle, tmp_path):
    classes = make_classes(tmp_path)
    network = write_network(tmp_path / "n.onnx", make_augmenter(BANDS, classes), classes, 2)
    training = [some_spectra(30, seed=5)] * 3
    nothing = np.zeros((2, len(BANDS)), np.float32)
    for detector in (
        angle,
        Embedding(MINERALS, network.distances),
        OneClassSVM(MINERALS, training, 0.1),
        IsolationForest(MINERALS, training, 5, 0),
    ):
        assert np.isnan(detector.scores(nothing, np.zeros((2, SENSORS), bool))).all()


def test_the_support_vector_machine_is_that_of_scikit_learn():
    training = [some_spectra(200, seed=3), 0.5 * some_spectra(150, seed=4)]
    detector = OneClassSVM(("a", "b"), training, 0.2)
    spectra = np.concatenate([some_spectra(50, seed=6), training[0][:20], 3 * training[1][:5]])
    found = detector.scores(spectra, np.ones((75, SENSORS), bool))
    for place, own in enumerate(training):
        machine = Machine(nu=0.2, gamma="scale").fit(own.astype(np.float64))
        likeness = machine.score_samples(spectra.astype(np.float64)) / machine.dual_coef_.sum()
        assert np.abs(found[:, place] - (1 - likeness)).max() < 1e-5


def test_the_isolation_forest_is_that_of_scikit_learn():
    training = [some_spectra(200, seed=3)]
    detector = IsolationForest(("a",), training, 20, seed=7)
    forest = Forest(n_estimators=20, random_state=7).fit(training[0])
    spectra = some_spectra(60, seed=8)
    found = detector.scores(spectra, np.ones((60, SENSORS), bool))[:, 0]
    assert found == pytest.approx(-forest.score_samples(spectra), abs=1e-6)


def test_one_class_models_know_their_own():
    training = [some_spectra(300, seed=3), some_spectra(300, seed=3) + 1]
    present = np.ones((40, SENSORS), bool)
    for detector in (
        OneClassSVM(("a", "b"), training, 0.1),
        IsolationForest(("a", "b"), training, 50, 0),
    ):
        near = detector.scores(some_spectra(), present)
        assert (near[:, 0] < near[:, 1]).all()
        far = detector.scores(some_spectra() + 1, present)
        assert (far[:, 1] < far[:, 0]).all()


@pytest.mark.parametrize("nu", [0, -0.1, 1.1, float("nan")])
def test_a_share_without_meaning_is_refused(nu):
    with pytest.raises(InputError, match="nu"):
        OneClassSVM(("a",), [some_spectra()], nu)


def test_too_few_spectra_are_refused_by_name():
    with pytest.raises(InputError, match=r"jarosite: 9 training spectra"):
        OneClassSVM(("jarosite",), [some_spectra(9)], 0.1)
    with pytest.raises(InputError, match="jarosite"):
        IsolationForest(("jarosite",), [some_spectra(9)], 10, 0)
    with pytest.raises(InputError, match="trees"):
        IsolationForest(("jarosite",), [some_spectra()], 0, 0)


def test_fills_before_it_measures():
    seen = []

    def fill(spectra, present):
        seen.append(present.copy())
        return spectra + 1

    detector = Embedding(("a",), lambda spectra: spectra[:, :1], fill)
    present = np.ones((3, SENSORS), bool)
    assert (detector.scores(np.zeros((3, len(BANDS)), np.float32), present) == 1).all()
    assert np.array_equal(seen[0], present)


def test_sets_of_sensors_are_grouped():
    present = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 0]], bool)
    groups = {tuple(kept.tolist()): rows.tolist() for kept, rows in group_sensors(present)}
    assert groups == {(True, False, False): [0, 2], (True, True, False): [1]}


def test_threads_and_steps_do_not_change_scores(angle, monkeypatch):
    spectra, present = some_spectra(500), np.ones((500, SENSORS), bool)
    whole = angle.scores(spectra, present)
    monkeypatch.setattr(detectors, "STEP", 64)
    one = score_spectra(angle, spectra, present, 1)
    assert np.array_equal(one, score_spectra(angle, spectra, present, 3))
    assert np.array_equal(one, whole)


def test_subsets_are_scored_as_if_the_others_were_absent(angle, tmp_path, monkeypatch):
    monkeypatch.setattr(detectors, "STEP", 16)
    classes = make_classes(tmp_path)
    augmenter = make_augmenter(BANDS, classes)
    network = write_network(tmp_path / "n.onnx", augmenter, classes, 2)
    shape = ShapeFit(BANDS, ("a", "b"), augmenter.pure[:2], np.array([0, 1]))
    present = np.ones((40, SENSORS), bool)
    present[:10, 1] = False
    spectra = masked(some_spectra(), present)
    sets = sensor_sets(BANDS.sensors)
    for detector in (angle, Embedding(MINERALS, network.distances), shape):
        found = score_subsets(detector, BANDS, spectra, present, sets, threads=2)
        assert found.shape == (len(sets), 40, len(detector.minerals))
        for kept, own in zip(sets, found, strict=True):
            left = present & kept
            expected = score_spectra(detector, masked(spectra, left), left)
            assert np.array_equal(own, expected, equal_nan=True)
