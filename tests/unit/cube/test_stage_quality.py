"""Signal, noise and histograms of a stage: known noise, exact counts, no order."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gossan.cube.stage_quality import BINS, StageMeter, count_steps, median_size
from gossan.raster import BandTable

BANDS = BandTable(("4", "5"), (1.656, 2.167), (0.1, 0.04))


def measured(values: np.ndarray, kept: np.ndarray | None = None) -> StageMeter:
    meter = StageMeter(BANDS)
    meter.add(values, np.ones(values.shape[1:], dtype=bool) if kept is None else kept)
    return meter


def noisy(mean: float, noise: float, seed: int = 1, side: int = 500) -> np.ndarray:
    generator = np.random.default_rng(seed)
    # Ground in patches of 20 pixels: neighbours are nearly always of the same patch.
    patches = np.kron(generator.uniform(0.5, 1.5, (side // 20, side // 20)), np.ones((20, 20)))
    band = mean * patches / patches.mean() + generator.normal(0, noise, (side, side))
    return np.stack([band, band * 2]).astype(np.float32)


@pytest.mark.parametrize(("mean", "noise"), [(0.3, 0.003), (0.05, 0.002), (1.0, 0.02)])
def test_snr_of_known_noise_on_patchy_ground(mean, noise):
    found = measured(noisy(mean, noise)).describe()
    np.testing.assert_allclose(found["noise"]["4"], noise, rtol=0.05)
    np.testing.assert_allclose(found["snr"]["4"], mean / noise, rtol=0.05)
    # A gain changes neither ratio.
    np.testing.assert_allclose(found["snr"]["5"], found["snr"]["4"], rtol=0.01)
    np.testing.assert_allclose(found["mean_over_std"]["5"], found["mean_over_std"]["4"], rtol=1e-3)


def test_mean_and_spread_are_those_of_the_pixels():
    values = noisy(0.3, 0.003)
    found = measured(values).describe()
    for name, band in zip(BANDS.names, values.astype(float), strict=True):
        np.testing.assert_allclose(found["mean"][name], band.mean(), rtol=1e-4)
        np.testing.assert_allclose(found["std"][name], band.std(), rtol=1e-4)
        np.testing.assert_allclose(
            found["mean_over_std"][name], band.mean() / band.std(), rtol=1e-4
        )


@pytest.mark.parametrize("step", [0.0005, 0.001, 0.003, 0.005])
def test_numbers_in_coarse_steps_do_not_make_the_noise_jump(step):
    values = 0.3 + np.random.default_rng(2).normal(0, 0.003, (2, 400, 400))
    values = (np.rint(values / step) * step).astype(np.float32)
    expected = np.hypot(0.003, step / np.sqrt(12))
    np.testing.assert_allclose(measured(values).describe()["noise"]["4"], expected, rtol=0.05)


def count_sizes(differences):
    plane = np.stack([differences, np.zeros_like(differences)], axis=1).reshape(1, -1)
    return count_steps(plane, np.ones(plane.shape, bool))


def test_median_of_sizes():
    sizes = np.random.default_rng(3).lognormal(-5, 1, 20_001).astype(np.float32)
    signs = np.where(np.arange(sizes.size) % 2, 1, -1).astype(np.float32)
    counts = count_sizes(sizes * signs)
    assert counts.sum() == sizes.size
    np.testing.assert_allclose(median_size(counts), np.median(sizes), rtol=2e-3)
    assert median_size(np.zeros(BINS, dtype=np.int64)) == 0
    assert median_size(count_sizes(np.zeros(5, dtype=np.float32))) == 0
    extremes = count_sizes(np.array([0, 1e-30, 1e30, -1e30], dtype=np.float32))
    assert extremes[0] == extremes[-1] == 2


def test_no_noise_and_no_spread_have_no_ratio():
    found = measured(np.full((2, 6, 6), 0.25, dtype=np.float32)).describe()
    assert found["snr"] == found["mean_over_std"] == {"4": None, "5": None}
    assert found["mean"]["4"] == 0.25
    assert found["noise"]["4"] == 0


def test_only_valid_pixels_count():
    values = noisy(0.3, 0.003, side=100)
    kept = np.random.default_rng(1).random((100, 100)) < 0.7
    spoilt = values.copy()
    spoilt[:, ~kept] = np.nan
    one, other = measured(values, kept), measured(spoilt, kept)
    assert one.describe() == other.describe()
    assert one.histogram() == other.histogram()
    assert one.pixels == kept.sum()


def test_blocks_and_threads_count_as_the_whole():
    values = noisy(0.3, 0.003, side=100)[:, :, :99]
    kept = np.random.default_rng(1).random((100, 99)) < 0.9
    whole, parts = measured(values, kept), StageMeter(BANDS)
    places = [
        (slice(row, row + 13), slice(column, column + 8))
        for row in range(0, 100, 13)
        for column in range(0, 99, 8)
    ]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda place: parts.add(values[:, *place], kept[place]), places[::-1]))
    assert parts.describe() == whole.describe()
    assert parts.histogram() == whole.histogram()


def test_histogram_holds_every_pixel_in_bins_of_whole_levels():
    values = np.stack([np.linspace(0.1, 0.4, 10_000), np.full(10_000, 0.5)])
    histogram = measured(values.reshape(2, 100, 100).astype(np.float32)).histogram()
    spread, constant = histogram["4"], histogram["5"]
    assert sum(spread["counts"]) == sum(constant["counts"]) == 10_000
    assert len(spread["counts"]) <= 64
    assert spread["low"] == 0.09995
    assert spread["low"] + spread["width"] * len(spread["counts"]) >= 0.4
    assert (spread["width"] / 1e-4) == pytest.approx(round(spread["width"] / 1e-4))
    inner = np.array(spread["counts"][:-1])
    assert inner.max() - inner.min() <= 2
    assert constant == {"low": 0.49995, "width": 0.0001, "counts": [10_000]}


def test_what_the_cube_cannot_hold_is_counted():
    values = np.full((2, 4, 4), 0.3, dtype=np.float32)
    values[0, 0, :3] = 3.2768
    values[0, 1, 0] = -40.0
    values[1, 2, 2] = 3.2767
    assert measured(values).beyond() == {"4": 4, "5": 0}
    assert sum(measured(values).histogram()["4"]["counts"]) == 16
