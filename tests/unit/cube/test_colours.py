"""How cubes are shown as colours."""

import numpy as np
import pytest
import rasterio

from gossan.cube.colours import choose_views, measure_limits, spread_colours, write_view
from gossan.legend import PERCEPTUAL_RAMP
from gossan.raster import BandTable


def table(*centres):
    names = tuple(f"B{place}" for place in range(len(centres)))
    return BandTable(names, centres, (0.02,) * len(centres))


def test_a_cube_is_shown_in_true_colour_and_in_one_false_colour():
    landsat = table(0.443, 0.482, 0.561, 0.655, 0.865, 1.609, 2.201)
    assert choose_views(landsat) == [("True colour", [3, 2, 1]), ("False colour", [6, 4, 2])]


def test_without_blue_there_is_a_false_colour_and_without_wavelengths_the_first_bands():
    aster = table(0.556, 0.661, 0.807, 1.656, 2.167, 2.209, 2.262, 2.336)
    assert [title for title, _ in choose_views(aster)] == ["False colour"]
    assert choose_views(BandTable(("a", "b", "c", "d"))) == [("First bands", [0, 1, 2])]
    assert choose_views(BandTable(("a", "b"))) == [("First band", [0])]


def test_limits_are_in_the_bands_own_unit_and_leave_nodata_out(tmp_path):
    stored = np.linspace(0, 10000, 900).reshape(1, 30, 30).astype(np.int16)
    stored[0, 0, :10] = -32768
    with rasterio.open(
        *(tmp_path / "cube.tif", "w", "GTiff"),
        **{"width": 30, "height": 30, "count": 1, "dtype": "int16", "nodata": -32768},
        transform=rasterio.Affine(30, 0, 0, 0, -30, 0),
    ) as dataset:
        dataset.write(stored)
        dataset.scales = [1e-4]
    [(low, high)] = measure_limits(tmp_path / "cube.tif", [0])
    expected = np.percentile(stored[stored >= 0] * 1e-4, [2, 98])
    assert (low, high) == pytest.approx(expected, abs=1e-6)
    write_view(tmp_path / "cube.tif")
    assert "singlebandpseudocolor" in (tmp_path / "cube.qml").read_text()


def test_colours_are_spread_from_one_end_of_the_ramp_to_the_other():
    assert spread_colours(5) == list(PERCEPTUAL_RAMP)
    assert spread_colours(1) == [PERCEPTUAL_RAMP[0]]
    assert len(set(spread_colours(40))) == 40
