"""Divergence, matched filter and ACE against plain formulas and against SPy's own."""

import numpy as np
import pytest
import spectral
from mixed_ground import mixed_ground, records

from gossan.minerals.detectors import (
    coherence_angles,
    information_divergence,
    matched_filter,
    measure_background,
)
from gossan.minerals.scene_angle import Directions, direct_references, measure_mean, set_apart

PLACES = [7, 8, 9, 10, 11, 12, 13]


@pytest.fixture(scope="module")
def scene():
    """Pixels (bands, n), their mean and background, and directions of three minerals."""
    cube, truth = mixed_ground()
    pixels = cube[PLACES].reshape(len(PLACES), -1)
    mean = measure_mean(pixels.T)
    known = {code: own[:, PLACES] for code, own in records("2um").items()}
    # A second record of the first mineral: the best of both counts.
    known[17] = np.concatenate([known[17], known[17] ** 1.2])
    directions = direct_references(known, mean)
    background = measure_background(pixels.T, mean)
    return pixels, mean, background, directions, known, truth["2um"].ravel()


def spy_problem(scene):
    """The problem as SPy has it: all bands but one, as the last is what the others leave."""
    pixels, mean, background, directions, _, _ = scene
    apart = set_apart(pixels, mean)[:-1].T[:, np.newaxis, :]
    flat = np.eye(len(pixels)) - 1 / len(pixels)
    covariance = (flat @ background.covariance @ flat)[:-1, :-1]
    statistics = spectral.GaussianStats(mean=np.zeros(len(covariance)), cov=covariance)
    return apart, statistics, directions.unit[:, :-1]


def best_of(values, directions):
    return np.maximum.reduceat(values, directions.starts, axis=0)


def test_the_matched_filter_is_that_of_spy(scene):
    apart, statistics, targets = spy_problem(scene)
    theirs = [np.ravel(spectral.matched_filter(apart, target, statistics)) for target in targets]
    ours = matched_filter(scene[0], scene[2], scene[3])
    assert ours.shape == (3, apart.shape[0])
    assert ours == pytest.approx(1 - best_of(np.array(theirs), scene[3]), abs=1e-8)


def test_ace_is_that_of_spy_on_the_side_of_the_target(scene):
    apart, statistics, targets = spy_problem(scene)
    theirs = np.array([np.ravel(spectral.ace(apart, target, statistics)) for target in targets])
    single = Directions(targets_of(scene), np.arange(len(targets)), np.arange(len(targets)))
    angles = coherence_angles(scene[0], scene[2], single)
    assert np.cos(angles) ** 2 == pytest.approx(theirs, abs=1e-8)
    filtered = 1 - matched_filter(scene[0], scene[2], single)
    assert np.array_equal(angles < np.pi / 2, filtered > 0)
    best = coherence_angles(scene[0], scene[2], scene[3])
    assert best == pytest.approx(-best_of(-angles, scene[3]))


def targets_of(scene):
    return scene[3].unit


def test_divergence_is_that_of_the_plain_formula(scene):
    pixels, mean, _, _, known, _ = scene
    ground = np.exp(mean.logs)
    found = information_divergence(pixels[:, :40], mean, known)
    for place, spectra in enumerate(known.values()):
        for number, pixel in enumerate(pixels[:, :40].T):
            one = pixel / ground / (pixel / ground).sum()
            each = []
            for spectrum in spectra:
                other = spectrum / ground / (spectrum / ground).sum()
                each.append((one * np.log(one / other)).sum() + (other * np.log(other / one)).sum())
            assert found[place, number] == pytest.approx(min(each), abs=1e-12)


def test_divergence_of_a_spectrum_to_itself_is_none_and_brightness_does_not_count(scene):
    _, mean, _, _, known, _ = scene
    pure = np.stack([own[0] for own in known.values()], axis=1)
    found = information_divergence(0.5 * pure, mean, known)
    assert np.diag(found) == pytest.approx(0, abs=1e-12)
    assert (found >= -1e-12).all()


@pytest.mark.parametrize(("detector", "least"), [("matched_filter", 0.9), ("ace", 0.9)])
def test_what_lies_in_a_pixel_comes_out(scene, detector, least):
    pixels, _, background, directions, _, truth = scene
    detect = {"matched_filter": matched_filter, "ace": coherence_angles}[detector]
    distances = detect(pixels, background, directions)
    assert (directions.codes[distances.argmin(axis=0)] == truth).mean() > least


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nodata_stays_nodata(scene, dtype):
    pixels, mean, background, directions, known, _ = scene
    some = pixels[:, :3].astype(dtype)
    some[2, 1] = np.nan
    for found in (
        information_divergence(some, mean, known),
        matched_filter(some, background, directions),
        coherence_angles(some, background, directions),
    ):
        assert np.isnan(found).tolist() == [[False, True, False]] * 3
