"""Spectral angles: the kernels against float64 numpy, their properties, nodata, thresholds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossan.errors import InputError
from gossan.library.readers import References
from gossan.minerals.spectral_angle import (
    LANES,
    align_references,
    map_angles,
    usable_bands,
)
from gossan.raster import BandTable

# Bands and references. Every further number of bands costs seconds of compilation: 7 is the
# kernel for few bands, 20 takes three passes of 7, the last with a band to spare.
SHAPES = [(7, 13), (7, 2), (20, 9), (35, 5)]


def all_angles(block, references):
    """Angles (n_refs, rows, columns) by plain float64 arithmetic."""
    pixels = block.astype(np.float64)
    lengths = np.sqrt((pixels**2).sum(axis=0))
    unit = references / np.sqrt((references**2).sum(axis=1, keepdims=True))
    cosines = np.einsum("rb,byx->ryx", unit, pixels) / lengths
    return np.arccos(np.clip(cosines, -1, 1))


def scene(bands, n_refs, dtype="int16", shape=(19, 41), seed=0):
    """References, and pixels that are noisy mixtures of two of them."""
    generator = np.random.default_rng(seed)
    references = np.cumsum(generator.normal(0, 0.05, (n_refs, bands)), axis=1)
    references += generator.uniform(0.3, 0.6, (n_refs, 1))
    share = generator.uniform(0, 1, shape)
    first, second = generator.integers(0, n_refs, (2, *shape))
    mixed = references[first].T.swapaxes(1, 2) * share
    mixed = mixed + references[second].T.swapaxes(1, 2) * (1 - share)
    mixed += generator.normal(0, 0.01, mixed.shape)
    if np.dtype(dtype).kind == "f":
        return references, mixed.astype(dtype)
    return references, np.rint(mixed * 1e4).clip(-3000 if dtype[0] == "i" else 0, 30000).astype(
        dtype
    )


@pytest.mark.parametrize(("bands", "n_refs"), SHAPES)
@pytest.mark.parametrize("dtype", ["int16", "uint16", "int32", "float32", "float64"])
def test_class_angle_and_margin_are_those_of_float64_arithmetic(bands, n_refs, dtype):
    references, block = scene(bands, n_refs, dtype)
    expected = all_angles(block, references)
    ordered = np.sort(expected, axis=0)
    classes, angle, margin = map_angles(block, references)
    assert (classes.dtype, angle.dtype, margin.dtype) == (np.uint8, np.float32, np.float32)
    assert np.array_equal(classes, expected.argmin(axis=0) + 1)
    assert np.abs(angle - ordered[0]).max() < 1e-6
    assert np.abs(margin - (ordered[1] - ordered[0])).max() < 3e-6


def test_every_angle_is_given_on_request():
    references, block = scene(7, 5)
    *maps, every = map_angles(block, references, every_angle=True)
    assert every.shape == (5, *block.shape[1:])
    assert every.dtype == np.float32
    assert np.abs(every - all_angles(block, references)).max() < 1e-6
    for one, other in zip(maps, map_angles(block, references), strict=True):
        assert np.allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bands", [7, 20])
def test_near_ties_go_the_way_of_float64(bands, dtype):
    """Pixels on the bisector of two references, moved off it by 1e-13 to 1e-4 rad."""
    generator = np.random.default_rng(3)
    references = generator.uniform(0.1, 0.9, (6, bands))
    unit = references / np.linalg.norm(references, axis=1, keepdims=True)
    pixels = []
    for _ in range(4000):
        first, second = generator.choice(6, 2, replace=False)
        step = 10.0 ** generator.uniform(-13, -4) * generator.choice([-1, 1])
        pixels.append((unit[first] + unit[second]) / 2 + step * (unit[first] - unit[second]))
    block = np.array(pixels).T.reshape(bands, 40, 100).astype(dtype)
    exact = np.einsum("rb,byx->ryx", unit, block.astype(np.longdouble))
    decided = np.diff(np.sort(exact, axis=0)[-2:], axis=0)[0] > 4e-16
    assert decided.mean() > 0.9
    classes, angle, margin = map_angles(block, references)
    assert np.array_equal(classes[decided], exact.argmax(axis=0)[decided] + 1)
    assert np.abs(angle - all_angles(block, references).min(axis=0)).max() < 1e-6
    assert margin.min() >= 0


def test_equal_references_go_to_the_first():
    references, block = scene(7, 4)
    doubled = np.concatenate([references, references[::-1] * 3])
    classes, _, margin = map_angles(block, doubled)
    assert np.array_equal(classes, map_angles(block, references)[0])
    assert np.all(margin == 0)


@given(
    exponent=st.integers(-8, 8),
    bands=st.sampled_from([7, 20]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=25, deadline=None)
def test_brightness_does_not_matter(exponent, bands, seed):
    references, block = scene(bands, 4, "float32", (3, 5), seed)
    first = map_angles(block, references)
    second = map_angles(block * np.float32(2.0**exponent), references * 10.0**exponent)
    assert np.array_equal(first[0], second[0])
    assert np.allclose(first[1], second[1], atol=1e-6)
    assert np.allclose(first[2], second[2], atol=3e-6)


@given(seed=st.integers(0, 1000), bands=st.sampled_from([7, 20]))
@settings(max_examples=25, deadline=None)
def test_the_order_of_references_and_of_bands_does_not_matter(seed, bands):
    references, block = scene(bands, 6, "int16", (4, 6), seed)
    generator = np.random.default_rng(seed)
    order, places = generator.permutation(6), generator.permutation(bands)
    first = map_angles(block, references)
    second = map_angles(block[places], references[np.ix_(order, places)], codes=order + 1)
    assert np.array_equal(first[0], second[0])
    assert np.allclose(first[1], second[1], atol=1e-6)


@pytest.mark.parametrize("bands", [7, 20])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_spectrum_is_at_angle_zero_to_itself(bands, dtype):
    references = np.random.default_rng(5).uniform(0.01, 1, (250, bands))
    block = references.T[:, None, :].astype(dtype)
    classes, angle, _ = map_angles(block, references)
    assert np.array_equal(classes[0], np.arange(1, 251))
    assert np.all(angle >= 0)
    assert np.all(angle < 1e-6)


def test_opposite_and_perpendicular_spectra():
    block = np.array([[[-1.0, 0.0, 1.0]], [[0.0, 1.0, 0.0]]], dtype=np.float32)
    _, _, _, every = map_angles(block, [[2.0, 0.0], [0.0, 5.0]], every_angle=True)
    assert np.allclose(every[:, 0], [[np.pi, np.pi / 2, 0], [np.pi / 2, 0, np.pi / 2]], atol=1e-6)
    _, angle, margin = map_angles(block, [[2.0, 0.0], [0.0, 5.0]])
    assert np.allclose(angle[0], [np.pi / 2, 0, 0], atol=1e-6)
    assert np.allclose(margin[0], np.pi / 2, atol=2e-6)


@pytest.mark.parametrize("bands", [7, 20])
@pytest.mark.parametrize("dtype", ["int16", "float32", "float64"])
def test_nodata_zero_and_nan_pixels_are_nodata(bands, dtype):
    references, block = scene(bands, 4, dtype, (5, 6))
    clean = map_angles(block, references)
    holes = np.zeros((5, 6), bool)
    for place in ((0, 0), (1, 1), (2, 2), (4, 5)):
        holes[place] = True
    block[:, 0, 0] = -32768
    block[bands - 1, 1, 1] = -32768
    block[:, 2, 2] = 0
    block[0, 4, 5] = -32768
    if np.dtype(dtype).kind == "f":
        block[2, 3, 3], block[1, 4, 4] = np.nan, np.inf
        holes[3, 3] = holes[4, 4] = True
    for options in ({}, {"every_angle": True}):
        classes, angle, margin, *every = map_angles(block, references, nodata=-32768, **options)
        assert np.array_equal(classes == 255, holes)
        assert np.array_equal(np.isnan(angle), holes)
        assert np.array_equal(np.isnan(margin), holes)
        assert all(np.array_equal(np.isnan(one), holes) for layers in every for one in layers)
        assert np.array_equal(classes[~holes], clean[0][~holes])


@pytest.mark.parametrize("bands", [7, 10, 20])
def test_zero_as_nodata_is_that_of_the_bands_alone(bands):
    references, block = scene(bands, 4, "int16", (5, 6))
    block[bands - 1, 1, 1] = 0
    for options in ({}, {"every_angle": True}):
        classes = map_angles(block, references, nodata=0, **options)[0]
        assert np.array_equal(classes == 255, (block == 0).any(axis=0))
        assert (classes != 255).any()


@pytest.mark.parametrize("scale", [1e-25, 1e-12, 1e12, 1e25])
def test_very_dark_and_very_bright_pixels_are_classified(scale):
    references, block = scene(7, 5, "float32", (4, 4))
    classes, angle, _ = map_angles(block, references)
    other, other_angle, _ = map_angles((block * scale).astype(np.float32), references)
    assert np.array_equal(classes, other)
    assert np.allclose(angle, other_angle, atol=1e-6)


def test_nodata_in_one_band_counts_only_where_it_is_given():
    block = np.full((3, 1, 1), 500, np.int16)
    block[1] = -1
    assert map_angles(block, np.eye(3))[0][0, 0] != 255
    assert map_angles(block, np.eye(3), nodata=-1)[0][0, 0] == 255


@pytest.mark.parametrize("bands", [7, 20])
def test_a_threshold_leaves_pixels_unclassified_but_keeps_their_angle(bands):
    references, block = scene(bands, 5)
    free = map_angles(block, references)
    limit = float(np.median(free[1]))
    classes, angle, margin = map_angles(block, references, limit)
    beyond = all_angles(block, references).min(axis=0) > limit
    assert 0.2 < beyond.mean() < 0.8
    assert np.array_equal(classes == 0, beyond)
    assert np.array_equal(classes[~beyond], free[0][~beyond])
    assert np.allclose(angle, free[1], atol=1e-6)
    assert np.allclose(margin, free[2], atol=3e-6)


@pytest.mark.parametrize("bands", [7, 20])
def test_among_references_within_their_own_threshold_the_nearest_wins(bands):
    references, block = scene(bands, 5)
    limits = np.array([0.02, 0.3, 0.08, 0.15, 0.05])
    expected = all_angles(block, references)
    allowed = np.where(expected <= limits[:, None, None], expected, np.inf)
    none = ~np.isfinite(allowed).any(axis=0)
    winner = np.where(none, expected.argmin(axis=0), allowed.argmin(axis=0))
    classes, angle, margin = map_angles(block, references, limits)
    assert np.array_equal(classes, np.where(none, 0, winner + 1))
    chosen = np.take_along_axis(expected, winner[None], axis=0)[0]
    assert np.abs(angle - chosen).max() < 1e-6
    others = expected.copy()
    np.put_along_axis(others, winner[None], np.inf, axis=0)
    assert np.abs(margin - (others.min(axis=0) - chosen)).max() < 3e-6
    assert (margin < 0).any()


def test_codes_name_the_classes():
    references, block = scene(7, 3)
    plain = map_angles(block, references)[0]
    coded = map_angles(block, references, codes=[254, 7, 30])[0]
    assert np.array_equal(coded, np.array([0, 254, 7, 30], np.uint8)[plain])


def test_one_reference_has_no_margin():
    references, block = scene(7, 1)
    classes, angle, margin = map_angles(block, references)
    assert np.all(classes == 1)
    assert np.all(np.isfinite(angle))
    assert np.all(np.isnan(margin))


@pytest.mark.parametrize("bands", [7, 20])
def test_any_memory_layout_gives_the_same(bands):
    references, block = scene(bands, 6, "int16", (20, 37))
    expected = map_angles(block, references)
    by_pixel = np.ascontiguousarray(block.transpose(1, 2, 0)).transpose(2, 0, 1)
    by_line = np.ascontiguousarray(block.transpose(1, 0, 2)).transpose(1, 0, 2)
    wide = np.zeros((bands, 30, 50), np.int16)
    wide[:, 4:24, 6:43] = block
    reverse = np.ascontiguousarray(block[:, ::-1])[:, ::-1]
    for view in (by_pixel, by_line, wide[:, 4:24, 6:43], reverse, np.asfortranarray(block)):
        for one, other in zip(map_angles(view, references), expected, strict=True):
            assert np.array_equal(one, other)


@pytest.mark.parametrize("bands", [7, 20])
def test_a_pixel_does_not_depend_on_its_neighbours(bands):
    references, block = scene(bands, 6, "int16", (3, 2 * LANES + 5))
    limits = [0.02, 0.05, 0.1, 0.03, 0.2, 0.04]
    whole = map_angles(block, references, limits)
    for start, stop in ((0, 1), (1, LANES), (LANES - 3, LANES + 9), (5, 2 * LANES + 5)):
        part = map_angles(block[:, 1:2, start:stop], references, limits)
        for one, other in zip(part, whole, strict=True):
            assert np.array_equal(one[0], other[1, start:stop])


def test_an_empty_block_is_mapped_to_empty_arrays():
    classes, angle, margin = map_angles(np.zeros((4, 0, 8), np.int16), np.eye(4))
    assert classes.shape == angle.shape == margin.shape == (0, 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((3, 4)), np.eye(3)), "bands, rows, columns"),
        ((np.ones((3, 2, 2), complex), np.eye(3)), "integers or floats"),
        ((np.ones((3, 2, 2)), np.eye(4)), "3 bands"),
        ((np.ones((3, 2, 2)), np.zeros((0, 3))), "3 bands"),
        ((np.ones((3, 2, 2)), [[1, 2, 3], [0, 0, 0]]), "reference 2 is zero"),
        ((np.ones((3, 2, 2)), [[1, np.nan, 3]]), "reference 1 is zero or not finite"),
        ((np.ones((3, 2, 2)), np.eye(3), [0.1, 0.2]), "give one, or 3"),
        ((np.ones((3, 2, 2)), np.eye(3), 0.0), "must be positive"),
        ((np.ones((3, 2, 2)), np.eye(3), np.nan), "must be positive"),
        ((np.ones((3, 2, 2)), np.eye(3), None, [1, 2]), "class codes"),
        ((np.ones((3, 2, 2)), np.eye(3), None, [1, 2, 255]), "from 1 to 254"),
    ],
)
def test_wrong_input_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        map_angles(*arguments)


def library(names=("a", "b"), band=("B1", "B2", "B3"), centres=(0.45, 0.55, 0.65)):
    return References(
        names=names,
        band=band,
        wavelength_um=np.array(centres),
        fwhm_um=np.full(len(band), 0.05),
        reflectance=np.arange(len(names) * len(band), dtype=float).reshape(len(names), -1),
    )


BANDS = BandTable(("B1", "B2", "B3"), (0.45, 0.55, 0.65), (0.05, 0.05, 0.05))


def test_references_follow_the_order_of_classes_and_bands():
    assert align_references(library(), ["a", "b"], BANDS, "r").tolist() == [[0, 1, 2], [3, 4, 5]]
    turned = library(band=("B3", "B1", "B2"), centres=(0.65, 0.45, 0.55))
    assert align_references(turned, ["b"], BANDS, "r").tolist() == [[4, 5, 3]]
    plain = BandTable(("B1", "B2", "B3"))
    assert align_references(library(), ["b"], plain, "r").tolist() == [[3, 4, 5]]


def test_a_few_bands_may_have_no_reference_many_may_not():
    names = tuple(f"B{place}" for place in range(40))
    bands = BandTable(names)
    assert usable_bands(library(band=names, centres=range(40)), bands, "r") == list(range(40))
    fewer = library(band=names[1:-1], centres=range(38))
    assert usable_bands(fewer, bands, "r") == list(range(1, 39))
    with pytest.raises(InputError, match=r"r\.csv: lacks band B0; resample"):
        usable_bands(library(band=names[3:], centres=range(37)), bands, "r.csv")
    with pytest.raises(InputError, match="lacks band B3"):
        usable_bands(library(band=("B1", "B2"), centres=(0.45, 0.55)), BANDS, "r")


@pytest.mark.parametrize(
    ("references", "names", "message"),
    [
        (library(), ["a", "c"], "has no spectrum 'c'"),
        (library(band=("B1", "B2", "B4")), ["a"], "lacks band B3"),
        (library(band=("B1", "B2"), centres=(0.45, 0.55)), ["a"], "lacks band B3"),
        (library(centres=(0.45, 0.6, 0.65)), ["a"], "band B2 is at 0.6 µm, in the cube at 0.55"),
        (library(band=("B1", "B1", "B3")), ["a"], "names a band twice"),
    ],
)
def test_references_that_do_not_fit_the_cube_are_named(references, names, message):
    with pytest.raises(InputError, match=message) as caught:
        align_references(references, names, BANDS, "references.csv")
    assert str(caught.value).startswith("references.csv: ")
