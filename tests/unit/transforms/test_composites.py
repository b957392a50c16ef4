import numpy as np
import pytest

from gossan.raster import BandTable
from gossan.transforms.composites import (
    COMPOSITES,
    FALSE_COLOUR,
    PICTURES,
    SHORT_WAVE,
    STRETCHED,
    TRUE_COLOUR,
    WITHOUT,
    find_limits,
    nearest_bands,
    paint_bands,
)

LANDSAT = BandTable(
    ("B1", "B2", "B3", "B4", "B5", "B6", "B7"),
    (0.443, 0.483, 0.561, 0.655, 0.865, 1.609, 2.201),
)
ASTER = BandTable(
    ("1", "2", "3N", "4", "5", "6", "7", "8", "9"),
    (0.556, 0.661, 0.807, 1.656, 2.167, 2.209, 2.262, 2.336, 2.400),
)


def names(bands, composite):
    return [bands.names[place] for place in nearest_bands(bands, composite.centres_um)]


def test_composites_are_those_of_the_bands_that_a_sensor_has():
    assert names(LANDSAT, TRUE_COLOUR) == ["B4", "B3", "B2"]
    assert names(LANDSAT, FALSE_COLOUR) == ["B7", "B5", "B3"]
    assert names(LANDSAT, SHORT_WAVE) == []  # one band would be two colours
    assert names(ASTER, SHORT_WAVE) == ["4", "6", "8"]
    assert names(ASTER, TRUE_COLOUR) == []  # no blue
    assert nearest_bands(BandTable(("a", "b", "c")), TRUE_COLOUR.centres_um) == []


def test_each_composite_has_a_name_of_its_own():
    every = {*COMPOSITES, *PICTURES, *STRETCHED}
    assert len({one.name for one in every}) == len({one.title for one in every}) == len(every)


def test_limits_are_percentiles_of_what_is_known():
    values = np.append(np.arange(101.0), np.nan)
    assert find_limits(values) == (2.0, 98.0)
    for flat in (np.full(5, 0.3), np.full(5, np.nan), np.zeros(3)):
        low, high = find_limits(flat)
        assert low < high


def test_a_picture_goes_from_1_to_255_and_has_0_where_a_band_has_nothing():
    block = np.array([[[0.0, 0.1, 0.5, np.nan]], [[0.0, 0.1, 0.5, 0.5]], [[0.0, 0.1, 0.5, 0.5]]])
    picture = paint_bands(block.astype("f4"), [(0.1, 0.5)] * 3)
    assert picture.dtype == np.uint8
    assert picture[:, 0].tolist() == [[1, 1, 255, WITHOUT]] * 3
    assert paint_bands(np.full((3, 1, 1), 0.3, "f4"), [(0.1, 0.5)] * 3)[0, 0, 0] == 128


@pytest.mark.parametrize("composite", PICTURES)
def test_wavelengths_are_those_of_windows_of_the_air(composite):
    for centre in composite.centres_um:
        assert 0.4 < centre < 1.3 or 1.5 < centre < 1.75 or 2.05 < centre < 2.45
