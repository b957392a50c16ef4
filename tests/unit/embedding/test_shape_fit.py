"""Shape fit: the windows it finds, what it is blind to, and how it treats absent sensors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossan.cube.bands import StackBands
from gossan.embedding.shape_fit import ShapeFit, find_absorptions, find_windows, fit_absorption

# Steps wider than the neighbourhood of a shoulder, so that continua touch single bands.
WAVES = np.round(np.arange(2.0, 2.4, 0.02), 4)


def bands_of(**waves) -> StackBands:
    pairs = [(name, wave) for name, own in waves.items() for wave in own]
    return StackBands(
        tuple(name for name, _ in pairs),
        tuple(f"B{place}" for place in range(len(pairs))),
        tuple(float(wave) for _, wave in pairs),
        (0.01,) * len(pairs),
    )


def dip(waves, centre, depth, width=0.03):
    """A triangle in a flat spectrum, so that it ends where it ends."""
    return 1 - depth * np.clip(1 - np.abs(waves - centre) / width / 2, 0, None)


BANDS = bands_of(emit=WAVES, prisma=WAVES + 0.002)
TWICE = np.r_[WAVES, WAVES + 0.002]
REFERENCES = np.stack([0.5 * dip(TWICE, 2.10, 0.3), 0.4 * dip(TWICE, 2.26, 0.2)])


@pytest.fixture
def fit():
    return ShapeFit(BANDS, ("first", "second"), REFERENCES, np.array([0, 1]))


def every(count, sensors=2):
    return np.ones((count, sensors), bool)


def test_windows_lie_between_the_points_of_the_hull():
    assert find_windows(WAVES, dip(WAVES, 2.10, 0.3)) == [(2, 8)]
    both = dip(WAVES, 2.10, 0.3) * dip(WAVES, 2.26, 0.2)
    assert find_windows(WAVES, both) == [(2, 8), (10, 16)]


def test_a_slope_and_a_shallow_dent_are_no_absorptions():
    assert find_windows(WAVES, 0.2 + WAVES / 10) == []
    assert find_windows(WAVES, dip(WAVES, 2.1, 0.01)) == []


def test_what_is_on_the_walls_of_a_broad_absorption_is_found_too():
    waves = np.arange(0.5, 1.3, 0.02)
    spectrum = dip(waves, 0.9, 0.4, width=0.19) * dip(waves, 0.7, 0.2, width=0.03)
    found = [(round(waves[a], 2), round(waves[b], 2)) for a, b in find_windows(waves, spectrum)]
    assert any(low <= 0.54 and high >= 1.26 for low, high in found)
    assert any(0.62 <= low < 0.7 < high <= 0.78 for low, high in found)


def test_a_reference_fits_itself_and_not_the_other(fit):
    scores = fit.scores(REFERENCES.astype(np.float32), every(2))
    assert np.diagonal(scores) == pytest.approx([0, 0], abs=1e-5)
    assert scores[0, 1] > 0.99 and scores[1, 0] > 0.99


@settings(max_examples=60, deadline=None)
@given(st.floats(0.1, 1.0), st.floats(-0.8, 2.0), st.floats(0.2, 1.0), st.integers(0, 9))
def test_a_straight_line_as_continuum_changes_nothing(level, tilt, depth, seed):
    generator = np.random.default_rng(seed)
    fit = ShapeFit(BANDS, ("first", "second"), REFERENCES, np.array([0, 1]))
    spectrum = dip(TWICE, 2.10, 0.3 * depth) * dip(TWICE, 2.26, 0.2 * depth)
    spectrum[generator.integers(4, 7)] *= 0.97
    line = level * (1 + tilt * (TWICE - 2.0))
    both = np.stack([spectrum, spectrum * line]).astype(np.float32)
    plain, tilted = fit.scores(both, every(2))
    assert tilted == pytest.approx(plain, abs=2e-4)


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_the_score_is_the_share_of_depth_where_the_shape_is_right(fit, share):
    spectrum = dip(TWICE, 2.10, 0.3 * share)[None].astype(np.float32)
    assert fit.scores(spectrum, every(1))[0, 0] == pytest.approx(1 - share, abs=1e-4)


def test_deeper_than_the_reference_is_as_good_as_the_reference(fit):
    spectrum = dip(TWICE, 2.10, 0.6)[None].astype(np.float32)
    assert fit.scores(spectrum, every(1))[0, 0] == pytest.approx(0, abs=1e-4)


def test_bumps_flat_ground_and_dark_pixels_do_not_fit(fit):
    bump = 2 - dip(TWICE, 2.10, 0.3)
    spectra = np.stack([bump, np.full_like(TWICE, 0.3), np.zeros_like(TWICE), -np.ones_like(TWICE)])
    scores = fit.scores(spectra.astype(np.float32), every(4))
    assert np.isfinite(scores).all()
    assert (scores[:, 0] == 1).all()


def test_absent_sensors_do_not_count(fit):
    generator = np.random.default_rng(0)
    spectra = np.tile(REFERENCES[0], (6, 1)).astype(np.float32)
    spectra[:, BANDS.part("prisma")] = generator.random((6, len(WAVES)))
    present = np.tile([True, False], (6, 1))
    assert fit.scores(spectra, present)[:, 0] == pytest.approx(np.zeros(6), abs=1e-5)
    assert (fit.scores(spectra, every(6))[:, 0] > 0.1).all()
    assert (fit.scores(spectra, np.zeros((6, 2), bool)) == 1).all()


def test_subsets_at_once_are_those_one_by_one(fit):
    generator = np.random.default_rng(1)
    spectra = (
        REFERENCES[generator.integers(0, 2, 50)] + generator.normal(0, 0.02, (50, 40))
    ).astype(np.float32)
    sets = [np.tile(kept, (50, 1)) for kept in ([True, False], [False, True], [True, True])]
    for kept, found in zip(sets, fit.subset_scores(spectra, sets), strict=True):
        assert np.array_equal(found, fit.scores(spectra, kept))


def test_the_best_record_of_a_mineral_answers():
    fit = ShapeFit(BANDS, ("one",), REFERENCES, np.array([0, 0]))
    scores = fit.scores(REFERENCES.astype(np.float32), every(2))
    assert scores[:, 0] == pytest.approx([0, 0], abs=1e-5)


def test_a_mineral_without_absorption_is_never_near():
    flat = np.full((1, len(TWICE)), 0.4)
    fit = ShapeFit(BANDS, ("flat",), flat, np.array([0]))
    assert (fit.scores(REFERENCES.astype(np.float32), every(2)) == 1).all()


def test_gaps_of_a_reference_end_its_spectrum():
    broken = REFERENCES[0].copy()
    broken[3] = np.nan
    broken[len(WAVES) :] = 0
    found = find_absorptions(BANDS, broken)
    assert all(item.sensor == 0 and item.first > 3 for item in found)
    assert find_absorptions(BANDS, np.full(len(BANDS), np.nan)) == []


def test_fit_is_the_squared_correlation(fit):
    (absorption,) = [item for item in find_absorptions(BANDS, REFERENCES[0]) if item.sensor == 0]
    generator = np.random.default_rng(2)
    spectrum = 0.5 * dip(TWICE, 2.10, 0.2)
    spectrum[absorption.first + 1 : absorption.last] += generator.normal(0, 0.01, 5)
    got, depth = fit_absorption(np.array(TWICE), spectrum[None], absorption)
    part = slice(absorption.first, absorption.last + 1)
    line = np.interp(
        TWICE[part], TWICE[[part.start, part.stop - 1]], spectrum[[part.start, part.stop - 1]]
    )
    removed = spectrum[part] / line
    assert got[0] == pytest.approx(np.corrcoef(removed, absorption.shape)[0, 1] ** 2, abs=1e-6)
    slope, level = np.polyfit(absorption.shape, removed, 1)
    assert depth[0] == pytest.approx(slope / (slope + level), abs=1e-6)
