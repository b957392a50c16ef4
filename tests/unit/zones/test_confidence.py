import numpy as np
import pytest

from gossan.errors import InputError
from gossan.zones.confidence import (
    Levels,
    find_extremes,
    low_pass_places,
    map_confidence,
    require_contrast,
    scale_low_pass,
)

PHYLLIC, PROPYLITIC = Levels((0.6, 0.7), (0.7, 1.0)), Levels((0.3, 0.5), (0.5, 0.65))


def test_the_published_ranges_hold_their_lower_end_and_not_their_upper_end():
    values = np.array([0.0, 0.5999, 0.6, 0.6999, 0.7, 0.99, 1.0, np.nan])
    assert map_confidence(values, PHYLLIC).tolist() == [0, 0, 1, 1, 2, 2, 2, 255]
    values = np.array([0.2999, 0.3, 0.4999, 0.5, 0.6499, 0.65, 1.0])
    assert map_confidence(values, PROPYLITIC).tolist() == [0, 1, 1, 2, 2, 0, 0]


def test_a_gap_between_the_ranges_means_no_confidence():
    codes = map_confidence(np.array([0.25, 0.35, 0.45]), Levels((0.2, 0.3), (0.4, 0.5)))
    assert codes.tolist() == [1, 0, 2]


@pytest.mark.parametrize(
    ("medium", "high", "said"),
    [
        ((0.7, 0.6), (0.7, 1), "medium: 0.7 to 0.6"),
        ((0.6, 0.7), (0.7, 1.2), "high: 0.7 to 1.2"),
        ((0.6, 0.8), (0.7, 1), "medium ends at 0.8"),
        ((-0.1, 0.2), (0.7, 1), "medium: -0.1"),
        ((0.6, float("nan")), (0.7, 1), "medium: 0.6 to nan"),
    ],
)
def test_senseless_ranges_are_refused(medium, high, said):
    with pytest.raises(InputError, match=said):
        Levels(medium, high)


def test_extremes_of_blocks_merge_to_those_of_the_whole():
    values = np.random.default_rng(1).normal(size=(3, 20, 30)).astype("float32")
    values[:, 4:9, 2:7] = np.nan
    values[0, :, :15] = np.nan
    parts = [find_extremes(part) for part in np.split(values, 2, axis=2)]
    low = np.minimum(parts[0][0], parts[1][0])
    high = np.maximum(parts[0][1], parts[1][1])
    assert low.tolist() == np.nanmin(values, axis=(1, 2)).tolist()
    scaled = scale_low_pass(values, low, high)
    assert np.nanmin(scaled, axis=(1, 2)).tolist() == [0, 0, 0]
    assert np.nanmax(scaled, axis=(1, 2)).tolist() == [1, 1, 1]
    assert np.isnan(scaled).sum() == np.isnan(values).sum()


def test_a_threshold_is_not_moved_by_single_precision():
    low, high = np.zeros(1), np.array([10.0])
    codes = map_confidence(scale_low_pass(np.full((1, 1, 1), 7.0, "float32"), low, high), PHYLLIC)
    assert codes.item() == 2


def test_bands_without_contrast_or_data_are_named():
    with pytest.raises(InputError, match=r"s\.tif: the LL of band 5 is 2 everywhere"):
        require_contrast(np.array([0, 2.0]), np.array([1, 2.0]), ("4", "5"), "s.tif")
    with pytest.raises(InputError, match="band 4 has no valid pixel"):
        require_contrast(np.array([np.inf]), np.array([-np.inf]), ("4",), "s.tif")


def test_the_low_pass_bands_are_found_by_name():
    names = ("4 LL", "4 LH", "5 LL", "5 HH")
    assert low_pass_places(names, ("5", "4"), "s.tif") == [2, 0]
    with pytest.raises(InputError, match=r"no LL of band 9 \(it has: 4, 5\)"):
        low_pass_places(names, ("4", "9"), "s.tif")
