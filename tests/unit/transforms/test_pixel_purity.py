"""Pixel purity: agreement with SPy, blocks, equal pixels, nodata, end-members."""

from functools import reduce
from unittest import mock

import numpy as np
import pytest
import spectral
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from gossan.raster import Grid, split_blocks
from gossan.transforms import pixel_purity
from gossan.transforms.pixel_purity import (
    Extremes,
    PurePixels,
    choose_endmembers,
    count_purity,
    find_extremes,
    make_skewers,
    number_places,
)

SHAPE = (43, 57)


def make_components(seed=1, count=4, shape=SHAPE):
    generator = np.random.default_rng(seed)
    spread = np.arange(count, 0, -1)[:, None, None]
    return (generator.standard_normal((count, *shape)) * spread).astype("float32")


def cut(values, block_px):
    rows, columns = values.shape[1:]
    for window in split_blocks(Grid(None, Affine.identity(), columns, rows), block_px):
        origin = int(window.row_off), int(window.col_off)
        block = values[:, *window.toslices()]
        yield window, block, number_places(block.shape[1:], origin, columns)


def count_scene(values, skewers, threshold, block_px=512):
    """Purity of a whole scene, made block by block, and its purest pixels."""
    blocks = list(cut(values, block_px))
    extremes = reduce(
        Extremes.merge, [find_extremes(block, skewers, places) for _, block, places in blocks]
    )
    counts = np.zeros(values.shape[1:], int)
    purest = []
    for window, block, places in blocks:
        purity = count_purity(block, skewers, extremes, threshold, places)
        assert purity.dtype == np.int32
        counts[window.toslices()] = purity
        purest.append(PurePixels.of_block(block, purity, places))
    return counts, reduce(PurePixels.merge, purest)


def count_with_spy(values, skewers, threshold):
    """SPy's count along the same skewers, which it draws one by one."""
    drawn = iter(skewers + 0.5)
    with mock.patch("numpy.random.rand", lambda bands: next(drawn)):
        return spectral.ppi(
            np.moveaxis(values, 0, -1).astype(float), len(skewers), threshold=threshold
        )


@pytest.mark.parametrize("block_px", [10, 32, 512])
@pytest.mark.parametrize("threshold", [0, 0.5, 2.5])
def test_counts_are_those_of_spy(threshold, block_px):
    values = make_components()
    skewers = make_skewers(300, 4, seed=7)
    found, _ = count_scene(values, skewers, threshold, block_px)
    np.testing.assert_array_equal(found, count_with_spy(values, skewers, threshold))
    if threshold == 0:
        assert found.sum() == 2 * len(skewers)


@settings(deadline=None)
@given(
    count=st.integers(1, 14),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    block_px=st.integers(1, 10),
    chunk=st.integers(1, 20),
    threshold=st.sampled_from([0, 1e-9, 1, 3]),
    # Of few numbers many pixels are equal; of one all are.
    numbers=st.sampled_from([1, 2, 1000]),
    share=st.sampled_from([0.0, 0.3]),
    seed=st.integers(0, 99),
)
def test_counts_are_those_of_plain_arithmetic(
    count, shape, block_px, chunk, threshold, numbers, share, seed
):
    generator = np.random.default_rng(seed)
    values = generator.integers(0, numbers, (count, *shape)).astype("float32")
    values[:, generator.random(shape) < share] = np.nan
    skewers = make_skewers(11, count, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pixel_purity, "CHUNK_PIXELS", chunk)
        found, _ = count_scene(values, skewers, threshold, block_px)
    valid = np.isfinite(values).all(axis=0)
    expected = np.where(valid, 0, -1)
    if valid.any():
        for skewer in skewers:
            # Added up as ours is, so that equal pixels tie.
            along = sum(part * band for part, band in zip(skewer, values[:, valid], strict=True))
            for own in (along, -along):
                near = own >= own.max() - threshold
                first = np.arange(own.size) == own.argmax()
                expected[valid] += near if threshold else first
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("threshold", [0, 1.0])
def test_chunks_do_not_change_the_counts(threshold, monkeypatch):
    values = make_components()
    skewers = make_skewers(100, 4, seed=7)
    expected, _ = count_scene(values, skewers, threshold)
    monkeypatch.setattr(pixel_purity, "CHUNK_PIXELS", 100)
    found, _ = count_scene(values, skewers, threshold)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("block_px", [5, 8, 11, 512])
def test_of_equal_pixels_the_first_in_reading_order_counts(block_px):
    values = np.tile(make_components(shape=(6, 7)), (1, 3, 2))
    skewers = make_skewers(200, 4, seed=2)
    found, _ = count_scene(values, skewers, 0, block_px)
    assert found[:6, :7].sum() == 400
    np.testing.assert_array_equal(found[:6, :7], count_with_spy(values[:, :6, :7], skewers, 0))


def test_nodata_has_no_purity_and_does_not_count():
    values = make_components()
    extreme = np.unravel_index(values[0].argmax(), SHAPE)
    values[:, *extreme] = 1e6
    skewers = make_skewers(50, 4, seed=3)
    values[2, *extreme] = np.nan
    values[:, 10:20] = np.nan
    found, purest = count_scene(values, skewers, 0, 16)
    np.testing.assert_array_equal(found == -1, np.isnan(values).any(axis=0))
    assert found[found > 0].sum() == 100
    assert np.isfinite(purest.values).all()


def test_a_block_without_valid_pixels_has_no_extremes():
    values = np.full((4, 5, 6), np.nan, "float32")
    skewers = make_skewers(9, 4, seed=3)
    none = find_extremes(values, skewers, number_places((5, 6), (0, 0), 6))
    own = find_extremes(*(make_components(), skewers), number_places(SHAPE, (0, 0), SHAPE[1]))
    for merged in (none.merge(own), own.merge(none)):
        np.testing.assert_array_equal(merged.high, own.high)
        np.testing.assert_array_equal(merged.low_place, own.low_place)


def test_skewers_are_unit_vectors_to_all_sides_and_depend_on_the_seed():
    skewers = make_skewers(20_000, 3, seed=1)
    np.testing.assert_allclose(np.linalg.norm(skewers, axis=1), 1)
    np.testing.assert_allclose(skewers.T @ skewers / len(skewers), np.eye(3) / 3, atol=0.01)
    np.testing.assert_array_equal(skewers, make_skewers(20_000, 3, seed=1))
    assert not np.array_equal(skewers, make_skewers(20_000, 3, seed=2))


def test_the_purest_pixels_do_not_depend_on_blocks(monkeypatch):
    monkeypatch.setattr(pixel_purity, "CANDIDATES", 25)
    values = make_components()
    skewers = make_skewers(300, 4, seed=7)
    counts, whole = count_scene(values, skewers, 1.0)
    _, parts = count_scene(values, skewers, 1.0, 9)
    assert len(whole.purity) == 25
    assert whole.purity[0] == counts.max()
    np.testing.assert_array_equal(whole.place, parts.place)
    np.testing.assert_array_equal(whole.values, parts.values)
    np.testing.assert_array_equal(counts.ravel()[whole.place], whole.purity)


def test_corners_of_a_mixture_are_its_end_members():
    generator = np.random.default_rng(4)
    corners = np.array([[9.0, 0, 0], [0, 8, 0], [0, 0, 10], [-6, -6, -6]])
    shares = generator.dirichlet(np.full(4, 0.8), SHAPE[0] * SHAPE[1])
    places = [100, 800, 1500, 2300]
    shares[places] = np.eye(4)
    values = (shares @ corners).T.reshape(3, *SHAPE).astype("float32")
    _, purest = count_scene(values, make_skewers(500, 3, seed=5), 0.1)
    chosen = choose_endmembers(purest, 4)
    assert sorted(purest.place[chosen]) == places
    assert purest.purity[chosen[0]] == purest.purity.max()
    assert list(choose_endmembers(purest, 2)) == list(chosen[:2])
    # Three components have no more than four corners.
    assert len(choose_endmembers(purest, 9)) == 4


def test_pixels_on_a_line_have_two_ends():
    values = np.outer(np.linspace(-1, 1, 30), [1.0, 2.0, 3.0])
    pixels = PurePixels(np.arange(30, 0, -1), np.arange(30), values)
    assert list(choose_endmembers(pixels, 4)) == [0, 29]


def test_no_pixels_have_no_end_members():
    pixels = PurePixels(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 3)))
    assert choose_endmembers(pixels, 3).size == 0


@pytest.mark.parametrize("threshold", [0, 1.0])
def test_pixels_nearer_to_each_other_than_single_precision_are_told_apart(threshold):
    values = 1000 + 1e-5 * make_components().astype(np.float64)
    skewers = make_skewers(60, 4, seed=3)
    found, _ = count_scene(values, skewers, threshold * 1e-5)
    np.testing.assert_array_equal(found, count_with_spy(values, skewers, threshold * 1e-5))
