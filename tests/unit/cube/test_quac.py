"""QUAC: gains of a constructed scene come back, and what must not count does not."""

from pathlib import Path

import numpy as np
import pytest
from surveys import survey_blocks

from gossan.cube.corrections import Scene
from gossan.cube.quac import MATERIALS, Extremes, choose_end_members, correct_quac, mean_reflectance
from gossan.errors import InputError
from gossan.library.readers import read_library
from gossan.library.resample import resample_spectrum
from gossan.raster import BandTable

LIBRARY = read_library(Path(__file__).parents[3] / "resources" / "static" / "analytic_library.csv")
BANDS = BandTable(
    ("1", "2", "3N", "4", "5", "6", "7", "8", "9"),
    (0.556, 0.661, 0.807, 1.656, 2.167, 2.209, 2.262, 2.336, 2.4),
    (0.08, 0.06, 0.10, 0.10, 0.04, 0.04, 0.05, 0.07, 0.07),
)
SWIR = BandTable(BANDS.names[3:], BANDS.centre_um[3:], BANDS.fwhm_um[3:])
AIR_GAIN = np.array([0.80, 0.85, 0.88, 0.92, 0.90, 0.90, 0.88, 0.80, 0.70])
AIR_PATH = np.array([0.060, 0.030, 0.015, 0.003, 0.001, 0.001, 0.001, 0.001, 0.001])


def scene_of(bands: BandTable, relative: bool = False) -> Scene:
    return Scene(bands, 60.0, "Terra ASTER", LIBRARY, relative)


def spectra_of(names, bands: BandTable = BANDS) -> np.ndarray:
    known = {spectrum.name: spectrum for spectrum in LIBRARY}
    return np.array([resample_spectrum(known[name], bands, "Terra ASTER") for name in names])


def ground(bands: BandTable = BANDS, side: int = 200, seed: int = 1, names=MATERIALS) -> np.ndarray:
    """Reflectance of fields of 10 pixels, each mostly one material, and a strip of black."""
    generator = np.random.default_rng(seed)
    fields = (side // 10) ** 2
    share = np.eye(len(names))[np.arange(fields) % len(names)] * 0.8
    share += 0.2 * generator.dirichlet(np.ones(len(names)), fields)
    reflectance = (share @ spectra_of(names, bands)).T.reshape(len(bands.names), side // 10, -1)
    reflectance = np.kron(reflectance, np.ones((1, 10, 10)))
    reflectance[:, :2] = 0.0
    return reflectance


def observe(reflectance: np.ndarray, gain, path, noise: float = 0.002) -> np.ndarray:
    values = reflectance * gain[:, None, None] + path[:, None, None]
    values += np.random.default_rng(9).normal(0, noise, values.shape)
    return values.astype(np.float32)


@pytest.mark.parametrize("bands", [BANDS, SWIR], ids=["all", "swir"])
def test_known_gains_and_baselines_come_back(bands):
    gain, path = AIR_GAIN[-len(bands.names) :], AIR_PATH[-len(bands.names) :]
    values = observe(ground(bands), gain, path)
    correction = correct_quac(scene_of(bands), survey_blocks(values))
    found = np.array(list(correction.parameters["gain"].values()))
    # The level within 15 %, and the shape, which is what methods compare, within 6 %.
    np.testing.assert_allclose(found * gain, 1.0, atol=0.15)
    shape = found * gain / np.mean(found * gain)
    np.testing.assert_allclose(shape, 1.0, atol=0.06)
    baseline = np.array(list(correction.parameters["baseline"].values()))
    np.testing.assert_allclose(baseline, path, atol=0.01)
    result = correction.apply(values)
    assert result.dtype == np.float32
    offset, factor = baseline[:, None, None], found[:, None, None]
    np.testing.assert_allclose(result, (values - offset) * factor, atol=1e-5)


def test_end_members_do_not_depend_on_the_gains_of_the_air():
    # Without bands for the vegetation and water indices, whose thresholds do depend on them.
    reflectance, gain, path = ground(SWIR), AIR_GAIN[3:], AIR_PATH[3:]
    one = observe(reflectance, np.ones(6), np.zeros(6), noise=0)
    other = observe(reflectance, gain, path, noise=0)
    clear, hazy = (
        correct_quac(scene_of(SWIR), survey_blocks(values)).parameters for values in (one, other)
    )
    assert clear["end_members"] == hazy["end_members"]
    ratio = np.array(list(hazy["gain"].values())) / np.array(list(clear["gain"].values()))
    np.testing.assert_allclose(ratio, 1 / gain, rtol=1e-3)


@pytest.mark.parametrize("cover", ["green_vegetation", "water"])
def test_vegetation_and_water_do_not_count(cover):
    reflectance = ground()
    covered = reflectance.copy()
    covered[:, :, 150:] = spectra_of([cover])[0][:, None, None]
    plain, changed = (
        correct_quac(scene_of(BANDS), survey_blocks(observe(values, AIR_GAIN, AIR_PATH)))
        for values in (reflectance, covered)
    )
    cells = changed.parameters["cells"]
    reason = {"green_vegetation": "vegetation", "water": "dark"}[cover]
    assert cells[reason] >= 25 * 100 * 0.95
    for one, other in zip(
        plain.parameters["gain"].values(), changed.parameters["gain"].values(), strict=True
    ):
        np.testing.assert_allclose(other, one, rtol=0.08)


def test_the_record_says_what_could_not_be_told_apart():
    correction = correct_quac(scene_of(SWIR), survey_blocks(ground(SWIR).astype(np.float32)))
    assert correction.parameters["vegetation_told_apart"] is False
    assert correction.parameters["water_told_apart"] is False
    assert "vegetation" not in correction.parameters["cells"]
    correction = correct_quac(
        scene_of(BANDS, relative=True), survey_blocks(ground().astype(np.float32))
    )
    assert correction.parameters["vegetation_told_apart"] is True
    assert correction.parameters["water_told_apart"] is False


def test_masked_pixels_are_no_end_members():
    values = observe(ground(), AIR_GAIN, AIR_PATH)
    kept = np.ones(values.shape[1:], dtype=bool)
    kept[40:60] = False
    plain = correct_quac(scene_of(BANDS), survey_blocks(values, kept))
    values[:, 40:60] = np.array([0.9, 0.1] * 4 + [0.9])[:, None, None]
    changed = correct_quac(scene_of(BANDS), survey_blocks(values, kept))
    assert plain.parameters["gain"] == changed.parameters["gain"]


def test_no_division_into_blocks_changes_a_bit():
    values = observe(ground(), AIR_GAIN, AIR_PATH)[:, :199, :197]
    values[:, 50:60, 50:70] = np.nan
    found = [
        correct_quac(scene_of(BANDS), survey_blocks(values, None, block, shuffle)).apply(values)
        for block, shuffle in (((199, 197), False), ((16, 16), True), ((6, 198), True))
    ]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_equal_scores_are_decided_by_the_spectrum_not_by_the_order():
    reflectance = ground()
    half = reflectance[:, :, :100]
    mirrored = np.concatenate([half, half * 0.5], axis=2).astype(np.float32)
    found = [
        correct_quac(scene_of(BANDS), survey_blocks(values)).parameters
        for values in (mirrored, mirrored[:, :, ::-1].copy())
    ]
    assert found[0] == found[1]


def test_end_members_are_at_least_the_angle_apart():
    values = observe(ground(), AIR_GAIN, AIR_PATH)
    spectra = values[:, 5:, 5].T
    extremes = Extremes(np.zeros(len(spectra), np.float32), spectra, {})
    above = spectra.mean(axis=0).astype(float)
    chosen = choose_end_members(extremes, above) / above
    unit = chosen / np.linalg.norm(chosen, axis=1, keepdims=True)
    angles = np.arccos(np.clip(unit @ unit.T, -1, 1)) + 10 * np.eye(len(unit))
    assert 3 <= len(unit) <= 24
    assert angles.min() >= 0.05


def test_refusals():
    values = observe(ground(), AIR_GAIN, AIR_PATH)
    constant = values.copy()
    constant[4] = 0.3
    with pytest.raises(InputError, match="quac: band 5 is constant"):
        correct_quac(scene_of(BANDS), survey_blocks(constant))
    uniform = np.full((9, 40, 40), 0.3, dtype=np.float32)
    uniform[:, :4] = 0.01
    with pytest.raises(InputError, match=r"0 distinct spectra .* needs at least 3"):
        correct_quac(scene_of(BANDS), survey_blocks(uniform))
    with pytest.raises(InputError, match="needs at least 3 bands"):
        correct_quac(
            scene_of(BandTable(("1", "2"), (0.556, 0.661), (0.08, 0.06))), survey_blocks(values[:2])
        )
    with pytest.raises(InputError, match="the library has 0 of its materials"):
        correct_quac(Scene(BANDS, 60.0, "Terra ASTER"), survey_blocks(values))


def test_the_library_has_all_materials():
    materials, mean = mean_reflectance(scene_of(BANDS))
    assert tuple(materials) == MATERIALS == tuple(sorted(MATERIALS))
    np.testing.assert_allclose(mean, spectra_of(MATERIALS).mean(axis=0))
    assert ((mean > 0.3) & (mean < 0.7)).all()
