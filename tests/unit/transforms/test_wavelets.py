"""Wavelet sub-bands: agreement with PyWavelets, reconstruction, blocks with halo, gaps."""

import numpy as np
import pytest
import pywt
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from whole_bands import make_transform, split_band

from gossan.errors import InputError
from gossan.raster import Grid, grow_window, split_blocks
from gossan.transforms.wavelets import (
    KINDS,
    MODES,
    fill_gaps,
    mark_influenced,
    split_block,
)

WAVELETS = ("haar", "db2", "sym4", "coif1", "bior2.2")
transforms = st.builds(
    make_transform,
    st.sampled_from(WAVELETS),
    st.integers(1, 3),
    st.sampled_from(MODES),
    st.sampled_from(KINDS),
)


def noise(shape, seed=1, dtype="float32"):
    return np.random.default_rng(seed).random(shape).astype(dtype)


def shape_for(transform, extra_rows, extra_columns):
    least = max(2, (transform.taps - 1) * 2**transform.level)
    return least + extra_rows, least + extra_columns


# Agreement with PyWavelets


@given(transform=transforms, rows=st.integers(0, 9), columns=st.integers(0, 9))
@settings(deadline=None, max_examples=40)
def test_decimated_subbands_are_inverses_with_all_others_zero(transform, rows, columns):
    transform = make_transform(transform.wavelet, transform.level, transform.mode)
    band = noise(shape_for(transform, rows, columns))
    coefficients = pywt.wavedec2(band, transform.wavelet, transform.mode, transform.level)
    for name, values in zip(transform.subbands, split_band(band, transform), strict=True):
        kept = [np.zeros_like(coefficients[0])]
        kept += [tuple(np.zeros_like(part) for part in three) for three in coefficients[1:]]
        if name == "LL":
            kept[0] = coefficients[0]
        else:
            level = int(name[2:] or 1)
            place = ("LH", "HL", "HH").index(name[:2])
            three = list(kept[-level])
            three[place] = coefficients[-level][place]
            kept[-level] = tuple(three)
        whole = pywt.waverec2(kept, transform.wavelet, transform.mode)
        np.testing.assert_array_equal(values, whole[: band.shape[0], : band.shape[1]])


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("wavelet", WAVELETS)
def test_stationary_subbands_are_those_of_swt2_and_its_inverse(wavelet, level):
    transform = make_transform(wavelet, level, kind="swt")
    band = noise((96, 64), dtype="float64")
    edge = 48
    wide = np.pad(band, edge, mode="symmetric")
    coefficients = pywt.swt2(wide, wavelet, level, trim_approx=True)
    flat = [coefficients[0], *(part for three in coefficients[:0:-1] for part in three)]
    inside = np.s_[edge:-edge, edge:-edge]
    for place, values in enumerate(split_band(band, transform)):
        kept = [part if n == place else np.zeros_like(part) for n, part in enumerate(flat)]
        levels = [tuple(kept[3 * n + 1 : 3 * n + 4]) for n in range(level)]
        restored = pywt.iswt2([kept[0], *levels[::-1]], wavelet)
        # PyWavelets prints sym4's filters with 12 digits.
        np.testing.assert_allclose(values, restored[inside], atol=2e-12)


def test_names_follow_the_direction_of_the_detail():
    rows, columns = np.mgrid[:64, :64]
    for kind in KINDS:
        for band, strongest in (
            (rows % 2, "LH"),
            (columns % 2, "HL"),
            ((rows + columns) % 2, "HH"),
        ):
            parts = split_band(band.astype("float32"), make_transform(kind=kind))
            energy = parts.std(axis=(1, 2))
            assert make_transform().subbands[int(energy.argmax())] == strongest
    assert make_transform(level=2).subbands == ("LL", "LH1", "HL1", "HH1", "LH2", "HL2", "HH2")


# Properties


@given(transform=transforms, rows=st.integers(0, 9), columns=st.integers(0, 9))
@settings(deadline=None, max_examples=60)
def test_all_subbands_together_restore_the_band(transform, rows, columns):
    band = noise(shape_for(transform, rows, columns))
    parts = split_band(band, transform)
    assert (parts.dtype, parts.shape) == (np.float32, (len(transform.subbands), *band.shape))
    np.testing.assert_allclose(parts.sum(axis=0), band, atol=1e-5)


@given(transform=transforms, factor=st.floats(-5, 5))
@settings(deadline=None, max_examples=30)
def test_the_transform_is_linear(transform, factor):
    shape = shape_for(transform, 5, 8)
    first, second = noise(shape, 1, "float64"), noise(shape, 2, "float64")
    together = split_band(first + factor * second, transform)
    apart = split_band(first, transform) + factor * split_band(second, transform)
    np.testing.assert_allclose(together, apart, atol=1e-9)


@pytest.mark.parametrize("level", [1, 2])
def test_the_stationary_transform_moves_with_the_band_and_the_decimated_does_not(level):
    band = noise((100, 100), dtype="float64")
    reach = make_transform(level=level).reach
    first, second = np.s_[:, :90, :90], np.s_[:, 1:91, 3:93]
    inside = np.s_[:, reach:-reach, reach:-reach]
    moved = {}
    for kind in KINDS:
        transform = make_transform(level=level, kind=kind)
        whole = split_band(band, transform)
        cut = split_band(band[1:91, 3:93], transform)
        moved[kind] = np.abs(cut - whole[second])[inside].max()
        assert cut.shape == whole[first].shape
    assert moved["swt"] < 1e-12
    assert moved["dwt"] > 1e-2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wavelet", WAVELETS)
def test_a_pixel_changes_nothing_beyond_the_reach(wavelet, kind):
    for level in (1, 2):
        transform = make_transform(wavelet, level, kind=kind)
        for place in (64, 65, 66, 67):
            band = np.zeros((128, 128))
            band[place, place] = 1.0
            changed = np.argwhere(np.abs(split_band(band, transform)).max(axis=0) > 1e-14)
            assert np.abs(changed - place).max() <= transform.reach


# Blocks


def split_in_blocks(band, transform, block_px):
    grid = Grid(None, Affine.identity(), band.shape[1], band.shape[0])
    result = np.zeros((len(transform.subbands), *band.shape), band.dtype)
    for window in split_blocks(grid, block_px):
        grown = grow_window(window, grid, transform.halo, transform.align)
        row, column = window.row_off - grown.row_off, window.col_off - grown.col_off
        inner = np.s_[row : row + window.height, column : column + window.width]
        block = band[grown.toslices()][np.newaxis]
        result[:, *window.toslices()] = split_block(block, inner, transform)
    return result


@given(
    transform=transforms,
    gaps=st.sampled_from(["fill", "nodata"]),
    block_px=st.integers(9, 60),
    rows=st.integers(0, 60),
    columns=st.integers(0, 60),
    missing=st.sampled_from([0.0, 0.003, 0.5]),
)
@settings(deadline=None, max_examples=60)
def test_blocks_with_halo_have_exactly_the_numbers_of_the_whole(
    transform, gaps, block_px, rows, columns, missing
):
    transform = make_transform(
        transform.wavelet, transform.level, transform.mode, transform.kind, gaps
    )
    band = noise(shape_for(transform, rows, columns))
    band[noise(band.shape, 3) < missing] = np.nan
    band[4:20, 7:25] = np.nan
    whole = split_band(band, transform)
    np.testing.assert_array_equal(split_in_blocks(band, transform, block_px), whole)


# Gaps


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_pixel_is_missing_again_and_changes_only_what_it_reaches(kind):
    band = noise((60, 60))
    transform = make_transform(kind=kind)
    whole = split_band(band, transform)
    band[30, 31] = np.nan
    parts = split_band(band, transform)
    assert np.isnan(parts[:, 30, 31]).all()
    assert np.isnan(parts).sum() == 4
    near = mark_influenced(np.isnan(band), transform.reach)
    assert near.sum() == (2 * transform.reach + 1) ** 2 - 1
    far = ~near & ~np.isnan(band)
    np.testing.assert_array_equal(parts[:, far], whole[:, far])
    valid = ~np.isnan(band)
    np.testing.assert_allclose(parts[:, valid].sum(axis=0), band[valid], atol=1e-5)
    strict = split_band(band, make_transform(kind=kind, gaps="nodata"))
    np.testing.assert_array_equal(np.isnan(strict[0]), ~far)


def test_gaps_are_filled_from_the_nearest_ring():
    band = np.full((7, 7), np.nan)
    band[3, 3] = 2.0
    band[3, 5] = 4.0
    filled = fill_gaps(band, 1)
    assert filled[3, 4] == 3.0
    assert filled[2, 2] == 2.0
    assert filled[4, 6] == 4.0
    assert filled[0, 0] == 0.0
    assert fill_gaps(band, 3)[0, 0] == 2.0
    assert (filled[3, 3], filled[3, 5]) == (2.0, 4.0)


def test_a_constant_band_with_gaps_stays_constant():
    band = np.full((40, 40), 0.25, "float32")
    band[10:15, 20:30] = np.nan
    for kind in KINDS:
        parts = split_band(band, make_transform(kind=kind))
        valid = ~np.isnan(band)
        np.testing.assert_allclose(parts[0][valid], 0.25, atol=1e-6)
        np.testing.assert_allclose(parts[1:, valid], 0, atol=1e-6)


def test_a_block_without_any_valid_pixel_is_missing():
    block = np.full((2, 20, 20), np.nan, "float32")
    block[1] = 0.5
    parts = split_block(block, np.s_[2:8, 3:9], make_transform("haar"))
    assert parts.shape == (8, 6, 6)
    assert np.isnan(parts[:4]).all()
    assert not np.isnan(parts[4:]).any()


# Errors


@pytest.mark.parametrize(
    ("given_settings", "message"),
    [
        ({"wavelet": "sym99"}, "wavelet 'sym99' is unknown"),
        ({"wavelet": "mexh"}, "wavelet 'mexh' is unknown"),
        ({"level": 0}, "level 0"),
        ({"mode": "periodic"}, "mode 'periodic'"),
        ({"kind": "fft"}, "transform 'fft'"),
        ({"gaps": "zero"}, "gaps 'zero'"),
    ],
)
def test_settings_without_meaning_are_refused(given_settings, message):
    with pytest.raises(InputError, match=message):
        make_transform(**given_settings)


def test_bands_smaller_than_the_filter_are_named():
    with pytest.raises(InputError, match="band 6: 40x13 pixels are too few for level 1 of sym4"):
        make_transform().require_fit((13, 40), "band 6")
    with pytest.raises(InputError, match="needs 28"):
        make_transform(level=2).require_fit((27, 27), "band 6")
    make_transform().require_fit((14, 14), "band 6")
    assert split_band(np.zeros((14, 14)), make_transform()).shape == (4, 14, 14)
