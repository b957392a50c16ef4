"""Minimum noise fraction: agreement with SPy, blocks, nodata, properties, bad scenes."""

import numpy as np
import pytest
import spectral
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from gossan.errors import InputError
from gossan.raster import Grid, split_blocks
from gossan.transforms import noise_fraction
from gossan.transforms.noise_fraction import (
    SceneSums,
    measure_block,
    solve,
    tabulate_eigenvalues,
    transform_block,
)

NAMES = ("B02", "B03", "B04", "B08", "B11", "B12")
NODATA = -32768


def make_scene(shape=(53, 61), bands=6, seed=0, dtype="int16"):
    """Mixtures of smooth patterns with noise that differs from band to band."""
    generator = np.random.default_rng(seed)
    patterns = generator.standard_normal((bands, *shape)).cumsum(axis=1).cumsum(axis=2)
    mixing = generator.standard_normal((bands, bands)) / np.arange(1, bands + 1)
    scene = 3000 + 8 * np.einsum("ab,byx->ayx", mixing, patterns)
    scene += generator.standard_normal(scene.shape) * np.linspace(20, 60, bands)[:, None, None]
    return np.rint(scene).astype(dtype)


def sum_up(scene, block_px=512, tile=None, nodata=None):
    rows, columns = scene.shape[1:]
    sums = SceneSums(len(scene), columns)
    for window in split_blocks(Grid(None, Affine.identity(), columns, rows), block_px, tile):
        sums.add(window, measure_block(scene[:, *window.toslices()], nodata))
    return sums


def by_spy(scene, components):
    """Statistics and components (components, rows, columns) by SPy."""
    image = np.moveaxis(scene, 0, -1).astype(np.float64)
    signal, noise = spectral.calc_stats(image), spectral.noise_from_diffs(image)
    result = spectral.mnf(signal, noise)
    return signal, noise, result, np.moveaxis(result.reduce(image, num=components), -1, 0)


def differences(scene, valid):
    """All differences (bands, n) of diagonal neighbours that are both valid."""
    pairs = valid[:-1, :-1] & valid[1:, 1:]
    return (scene[:, :-1, :-1].astype(float) - scene[:, 1:, 1:])[:, pairs]


# Agreement with SPy


@pytest.mark.parametrize("dtype", ["int16", "uint16", "float32", "float64"])
@pytest.mark.parametrize("block_px", [16, 512])
def test_statistics_components_and_eigenvalues_are_those_of_spy(dtype, block_px):
    scene = make_scene(dtype=dtype)
    sums = sum_up(scene, block_px)
    signal, noise, expected, components = by_spy(scene, 4)
    assert (sums.signal.count, sums.noise.count) == (signal.nsamples, noise.nsamples)
    np.testing.assert_allclose(sums.signal.mean, signal.mean, rtol=1e-13)
    np.testing.assert_allclose(sums.signal.covariance, signal.cov, rtol=1e-10)
    np.testing.assert_allclose(sums.noise.covariance / 2, noise.cov, rtol=1e-10)
    fraction = solve(sums, NAMES, "cube.tif")
    np.testing.assert_allclose(fraction.eigenvalues, expected.napc.eigenvalues, rtol=1e-9)
    found = transform_block(scene, fraction, 4)
    assert found.dtype == np.float32
    same_way = np.sign((found * components).sum(axis=(1, 2)))
    np.testing.assert_allclose(found * same_way[:, None, None], components, rtol=1e-5, atol=1e-5)


def test_many_bands_agree_with_spy():
    scene = make_scene((40, 45), bands=60, seed=3)
    _, _, expected, _ = by_spy(scene, 5)
    found = solve(sum_up(scene, 20), tuple(map(str, range(60))), "cube.tif")
    np.testing.assert_allclose(found.eigenvalues, expected.napc.eigenvalues, rtol=1e-8)


# Properties


def test_noise_is_white_and_components_are_uncorrelated():
    scene = make_scene((120, 90))
    fraction = solve(sum_up(scene), NAMES, "cube.tif")
    found = transform_block(scene, fraction, 6).astype(float)
    covariance = np.cov(found.reshape(6, -1))
    np.testing.assert_allclose(covariance, np.diag(fraction.eigenvalues), atol=1e-3)
    noise = np.cov(differences(found, np.ones(scene.shape[1:], bool))) / 2
    np.testing.assert_allclose(noise, np.eye(6), atol=1e-5)
    assert (np.diff(fraction.eigenvalues) < 0).all()


def test_a_change_of_units_changes_nothing_but_rounding():
    scene = make_scene()
    fraction = solve(sum_up(scene), NAMES, "cube.tif")
    reflectance = scene * 1e-4 - 0.1
    other = solve(sum_up(reflectance), NAMES, "cube.tif")
    np.testing.assert_allclose(other.eigenvalues, fraction.eigenvalues, rtol=1e-9)
    np.testing.assert_allclose(
        transform_block(reflectance, other, 6), transform_block(scene, fraction, 6), atol=1e-5
    )


def test_the_largest_weight_is_positive():
    sums = sum_up(make_scene())
    fraction = solve(sums, NAMES, "cube.tif")
    scaled = fraction.weights * np.sqrt(sums.noise.covariance.diagonal())
    assert (scaled.max(axis=1) == np.abs(scaled).max(axis=1)).all()


# Blocks and nodata


@settings(deadline=None, max_examples=60)
@given(
    rows=st.integers(1, 20),
    columns=st.integers(1, 20),
    block_px=st.integers(1, 24),
    share=st.sampled_from([0.0, 0.1, 0.9]),
    strip_pixels=st.integers(1, 200),
    # Up to a spread of 32767 products are of int16, beyond of float64; and all pixels alike.
    dtype=st.sampled_from(["int16", "uint16", "uint8", "int32", "float32"]),
    spread=st.sampled_from([0, 200, 32767, 32768, 65534]),
    seed=st.integers(0, 99),
)
def test_sums_are_exact_however_the_scene_is_cut(
    rows, columns, block_px, share, strip_pixels, dtype, spread, seed
):
    generator = np.random.default_rng(seed)
    lowest = 1 if dtype.startswith("u") else -32767
    nodata = lowest - 1
    if dtype == "uint8":
        spread = min(spread, 254)
    scene = generator.integers(lowest, lowest + spread + 1, (3, rows, columns)).astype(dtype)
    scene[:, 0, 0], scene[:, -1, -1] = lowest, lowest + spread
    scene[generator.integers(0, 3), generator.random((rows, columns)) < share] = nodata
    valid = (scene != nodata).all(axis=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(noise_fraction, "STRIP_BYTES", 8 * 3 * strip_pixels)
        sums = sum_up(scene, block_px, nodata=nodata)
    for found, spectra in (
        (sums.signal, scene[:, valid].astype(np.int64)),
        (sums.noise, differences(scene, valid).astype(np.int64)),
    ):
        assert found.count == spectra.shape[1]
        np.testing.assert_array_equal(found.total, spectra.sum(axis=1))
        np.testing.assert_array_equal(found.products, spectra @ spectra.T)


def test_blocks_as_wide_as_the_scene_give_the_same_sums():
    scene = make_scene()
    first, second = sum_up(scene, 20), sum_up(scene, 20, tile=(4, 61))
    np.testing.assert_array_equal(first.noise.products, second.noise.products)
    assert first.noise.count == second.noise.count


def test_nodata_in_one_band_leaves_the_pixel_out():
    scene = make_scene().astype("float32")
    scene[2, 10:20, 30:33] = np.nan
    scene[4, 5, 5] = -9999
    valid = np.isfinite(scene[2]) & (scene[4] != -9999)
    sums = sum_up(scene, 16, nodata=-9999)
    assert sums.signal.count == valid.sum()
    spectra = scene[:, valid].astype(float)
    np.testing.assert_allclose(sums.signal.covariance, np.cov(spectra), rtol=1e-9)
    expected = np.cov(differences(scene, valid))
    np.testing.assert_allclose(sums.noise.covariance, expected, rtol=1e-9)
    fraction = solve(sums, NAMES, "cube.tif")
    found = transform_block(scene, fraction, 3, nodata=-9999)
    np.testing.assert_array_equal(np.isnan(found), np.broadcast_to(~valid, found.shape))


# Bad scenes


def test_a_scene_without_valid_pixels_is_refused():
    scene = make_scene()
    scene[1] = NODATA
    with pytest.raises(InputError, match=r"cube\.tif: no pixel is valid in all bands B02"):
        solve(sum_up(scene, nodata=NODATA), NAMES, "cube.tif")


def test_a_scene_of_few_pixels_is_refused():
    with pytest.raises(InputError, match="6 pairs of diagonal neighbours are valid"):
        solve(sum_up(make_scene((3, 4))), NAMES, "cube.tif")


def test_a_constant_band_is_refused():
    scene = make_scene()
    scene[3] = 2500
    with pytest.raises(InputError, match="band B08 does not differ between neighbours"):
        solve(sum_up(scene), NAMES, "cube.tif")


def test_bands_that_depend_on_each_other_are_refused():
    scene = make_scene(dtype="float64")
    scene[5] = 0.5 * scene[0] + 2 * scene[1]
    with pytest.raises(InputError, match="copies or mixtures of others"):
        solve(sum_up(scene), NAMES, "cube.tif")


# The table


def test_the_table_of_eigenvalues():
    rows = tabulate_eigenvalues(np.array([6.0, 3.0, 1.0]))
    assert rows[0] == {
        "component": 1,
        "eigenvalue": "6",
        "snr": "5",
        "share": "0.600000",
        "cumulative_share": "0.600000",
    }
    assert (rows[2]["snr"], rows[2]["cumulative_share"]) == ("0", "1.000000")
