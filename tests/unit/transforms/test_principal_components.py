import numpy as np
import pytest
from sklearn.decomposition import PCA

from gossan.raster import BandTable
from gossan.transforms.principal_components import (
    SELECTIONS,
    add_components,
    combine_bands,
    decorrelate,
    find_components,
    find_selected,
    find_selective,
    place_among,
    stretch_shares,
)

LANDSAT = BandTable(
    ("B1", "B2", "B3", "B4", "B5", "B6", "B7"),
    (0.443, 0.483, 0.561, 0.655, 0.865, 1.609, 2.201),
    (0.016, 0.06, 0.057, 0.037, 0.028, 0.085, 0.187),
)
ASTER = BandTable(
    ("1", "2", "3N", "4", "5", "6", "7", "8", "9"),
    (0.556, 0.661, 0.807, 1.656, 2.167, 2.209, 2.262, 2.336, 2.400),
    (0.09, 0.06, 0.1, 0.092, 0.035, 0.04, 0.047, 0.07, 0.068),
)


@pytest.fixture(scope="module")
def sample():
    generator = np.random.default_rng(3)
    mixing = generator.uniform(-1, 1, (5, 5))
    return (0.3 + generator.standard_normal((4000, 5)) * (0.2, 0.1, 0.05, 0.02, 0.01)) @ mixing


def as_block(sample):
    return sample.T.reshape(sample.shape[1], 40, -1).astype("f4")


def test_components_are_those_of_scikit_learn(sample):
    found, theirs = find_components(sample), PCA().fit(sample)
    assert found.variances == pytest.approx(theirs.explained_variance_, rel=1e-9)
    signs = np.sign((found.weights * theirs.components_).sum(axis=1))
    assert found.weights == pytest.approx(theirs.components_ * signs[:, np.newaxis], abs=1e-9)
    assert (found.weights.max(axis=1) >= -found.weights.min(axis=1)).all()
    made = combine_bands(as_block(sample), found).reshape(5, -1)
    assert pytest.approx(theirs.transform(sample) * signs, abs=1e-5) == made.T


def test_what_is_made_of_a_pixel_does_not_depend_on_its_block(sample):
    found, block = find_components(sample), as_block(sample)
    whole = combine_bands(block, found)
    assert np.array_equal(whole[:, 3:5, 7:9], combine_bands(block[:, 3:5, 7:9], found))


def test_a_pixel_without_a_band_has_no_component(sample):
    block = as_block(sample)
    block[2, 0, 0] = np.nan
    made = combine_bands(block, find_components(sample))
    assert np.isnan(made[:, 0, 0]).all() and np.isfinite(made[:, 0, 1:]).all()


def test_the_selective_component_is_bright_where_the_mineral_is():
    """Ground of one shape and any brightness, on whose last quarter a mineral absorbs at 2.2 µm."""
    generator = np.random.default_rng(8)
    bright = generator.uniform(0.1, 0.6, (4000, 1))
    ground = bright * (0.4, 0.8, 1.0, 0.9) + generator.standard_normal((4000, 4)) * 0.003
    clay = np.arange(4000) >= 3000
    ground[clay, 3] -= 0.25 * bright[clay, 0]
    hydroxyl = SELECTIONS[0]
    found = find_selective(ground, hydroxyl.light, hydroxyl.dark)
    value = (found.weights @ ground.T - found.offsets[:, np.newaxis])[0]
    assert found.weights[0, hydroxyl.light] > 0 > found.weights[0, hydroxyl.dark]
    assert (value[clay] > np.median(value[~clay])).mean() > 0.95
    # Of how bright the ground is little is left, beside what the band itself tells of it.
    assert value[~clay].std() < 0.2 * ground[~clay, hydroxyl.light].std()
    assert abs(value.mean()) < 1e-9


def test_the_bands_of_selections_are_those_of_the_paper():
    bands = [[LANDSAT.names[i] for i in find_selected(LANDSAT, one)] for one in SELECTIONS]
    assert bands == [["B2", "B5", "B6", "B7"], ["B2", "B4", "B5", "B6"]]
    bands = [[ASTER.names[i] for i in find_selected(ASTER, one)] for one in SELECTIONS]
    assert bands == [["1", "3N", "4", "6"], ["1", "2", "3N", "4"]]
    assert find_selected(LANDSAT.take(range(6)), SELECTIONS[0]) == []
    assert find_selected(BandTable(LANDSAT.names), SELECTIONS[0]) == []


def test_a_sum_of_components_is_that_of_both_brought_to_one_deviation(sample):
    first, second = (find_selective(sample[:, bands], 0, 1) for bands in ([0, 1, 2], [2, 3, 4]))
    both = add_components(
        [place_among(first, [0, 1, 2], range(5)), place_among(second, [2, 3, 4], range(5))]
    )
    block = as_block(sample)
    parts = combine_bands(block[:3], first)[0], combine_bands(block[2:], second)[0]
    usual = np.mean([part.std(ddof=1) for part in parts])
    wanted = sum(part * usual / part.std(ddof=1) for part in parts)
    assert combine_bands(block, both)[0] == pytest.approx(wanted, abs=1e-4)


def test_stretched_bands_do_not_correlate_and_stay_nearest_to_themselves():
    generator = np.random.default_rng(5)
    common = generator.uniform(0.1, 0.6, (5000, 1))
    bands = common + generator.standard_normal((5000, 3)) * 0.02
    assert np.corrcoef(bands.T)[0, 1] > 0.95
    turned = decorrelate(bands)
    made = turned.weights @ bands.T - turned.offsets[:, np.newaxis]
    assert np.cov(made) == pytest.approx(np.eye(3), abs=1e-2)
    toward = np.corrcoef(made, bands.T)[:3, 3:]
    assert (toward.argmax(axis=1) == np.arange(3)).all()
    assert stretch_shares(np.float32([-3, 0, 3])).tolist() == [0, 0.5, 1]


def test_bands_that_are_copies_are_stretched_without_a_fault():
    band = np.random.default_rng(2).uniform(0.1, 0.6, 500)
    turned = decorrelate(np.column_stack([band, band, np.full(500, 0.2)]))
    assert np.isfinite(turned.weights).all() and np.isfinite(turned.offsets).all()
