"""Rasters as a browser gets them."""

import base64
import zlib

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from samples import write_raster

from gossan.desk.map_rasters import Frame, Plane, read_rgb, read_shown, round_step
from gossan.errors import InputError
from gossan.legend import write_continuous_style, write_rgb_style
from gossan.raster import Grid

GENERATOR = np.random.default_rng(3)


def unpack(plane):
    """The codes as `map.js` reads them."""
    raw = np.frombuffer(zlib.decompress(base64.b64decode(plane.encode())), np.uint8)
    codes = raw.reshape(plane.codes.itemsize, *plane.codes.shape).astype(np.uint16)
    codes = codes[0] if len(codes) == 1 else codes[0] | codes[1] << 8
    codes = codes.astype(plane.codes.dtype)
    return np.cumsum(codes, axis=1, dtype=codes.dtype) if plane.differs else codes


@pytest.mark.parametrize("spread", [1e-7, 2e-7, 5e-7])
def test_a_few_values_far_beyond_the_others_have_a_code(spread):
    values = np.linspace(0, 250 * spread, 2000).reshape(40, 50)
    values[0, 0] = 1.0
    plane = Plane.of(values)
    assert plane.codes.max() > 256 and abs(plane.values[0, 0] - 1) <= plane.step


@pytest.mark.parametrize(
    "values",
    [
        GENERATOR.integers(0, 200, (30, 40)).astype(float),
        GENERATOR.integers(-900, 9000, (30, 40)).astype(float),
        GENERATOR.random((30, 40)),
        GENERATOR.normal(0, 1e-4, (30, 40)),
        GENERATOR.standard_cauchy((30, 40)),
        np.full((30, 40), 0.25),
    ],
    ids=["classes", "whole numbers", "shares", "small numbers", "long tails", "one value"],
)
def test_a_band_comes_back_within_half_a_step_and_whole_numbers_exactly(values):
    values = values.copy()
    values[3:5, 7:] = np.nan
    plane = Plane.of(values)
    assert (unpack(plane) == plane.codes).all()
    assert (np.isnan(plane.values) == np.isnan(values)).all()
    error = np.nanmax(np.abs(plane.values - values))
    assert error <= plane.step / 2 * (1 + 1e-6)
    if plane.step == 1:
        assert error == 0
    else:
        low, high = np.nanpercentile(values, [2, 98])
        assert plane.step <= max(high - low, 0.25) / 200 * 1.0001 or plane.codes.max() > 2**14


def test_a_band_without_data_is_all_no_data():
    plane = Plane.of(np.full((4, 5), np.nan))
    assert not unpack(plane).any() and np.isnan(plane.values).all()


def test_steps_are_round():
    assert [round_step(size) for size in (0.00734, 0.01, 3.9, 1999)] == [0.005, 0.01, 2, 1000]


def test_a_large_raster_shows_true_pixels_every_nth_and_pictures_their_means(tmp_path):
    values = GENERATOR.integers(1, 250, (1205, 703)).astype(np.uint8)
    path = write_raster(tmp_path / "class.tif", values, nodata=255, tiled=True)
    grid = Grid.of(rasterio.open(path))
    frame = Frame.of(grid)
    shown, [found] = read_shown(path, [0], frame, most_px=100)
    assert shown.every == 13 and max(found.shape) <= 100
    assert (found == values[6::13, 6::13]).all()
    # The pixel under any place of the screen is the middle one of its 13 x 13.
    assert shown.dx == 13 * 30 and (shown.west, shown.north) == grid.bounds[::3]
    small, [mean] = read_shown(path, [0], frame, mean=True, most_px=100)
    assert mean.shape == (93, 55)
    assert small.bounds == pytest.approx(grid.bounds)
    assert abs(mean.mean() - values.mean()) < 1


def test_a_turned_grid_comes_north_up_with_its_true_values(tmp_path):
    codes = np.arange(1, 201, dtype=np.uint8).reshape(10, 20)
    path = write_raster(tmp_path / "class.tif", codes, nodata=255)
    turned = Affine.translation(500000, 4e6) * Affine.rotation(30) * Affine.scale(30, -30)
    with rasterio.open(path, "r+") as dataset:
        dataset.transform = turned
    grid = Grid.of(rasterio.open(path))
    shown, [found] = read_shown(path, [0], Frame.of(grid))
    assert shown.moved
    checked = 0
    for row, column in np.argwhere(np.isfinite(found)):
        x, y = shown.west + (column + 0.5) * shown.dx, shown.north - (row + 0.5) * shown.dy
        there = ~turned @ (x, y)
        if max(abs(part % 1 - 0.5) for part in there) < 0.45:  # not on the edge of two pixels
            assert found[row, column] == codes[int(there[1]), int(there[0])]
            checked += 1
    assert checked > 100
    assert np.isnan(found[0, 0])


def test_a_turned_grid_without_a_system_is_shown_by_its_columns_and_rows(tmp_path):
    codes = np.arange(1, 201, dtype=np.uint8).reshape(10, 20)
    path = write_raster(tmp_path / "class.tif", codes, crs=None)
    with rasterio.open(path, "r+") as dataset:
        dataset.transform = Affine.translation(5, 5) * Affine.rotation(30) * Affine.scale(2, -2)
    grid = Grid.of(rasterio.open(path))
    frame = Frame.of(grid)
    shown, [found] = read_shown(path, [0], frame)
    assert (found == codes).all() and not shown.moved
    assert shown.bounds == frame.bounds(grid) == (0, -10, 20, 0)
    x, y = grid.place(3.5, 2.5)
    assert frame.places(np.array([[x, y]])) == pytest.approx(np.array([[3.5, -2.5]]))


def test_a_frame_takes_what_can_be_laid_on_it():
    grid = Grid(CRS.from_epsg(32611), Affine(30, 0, 5e5, 0, -30, 4e6), 20, 10)
    degrees = Grid(CRS.from_epsg(4326), Affine(0.1, 0, 10, 0, -0.1, 50), 20, 10)
    bare = Grid(None, grid.transform, 20, 10)
    assert Frame.of(grid).takes(degrees) and Frame.of(bare).takes(bare)
    assert not Frame.of(grid).takes(bare) and not Frame.of(bare).takes(degrees)


def test_another_system_comes_by_nearest_neighbour(tmp_path):
    values = np.repeat(np.arange(1, 21, dtype=np.uint8)[None], 10, axis=0)
    path = write_raster(tmp_path / "class.tif", values, nodata=255, crs=32611)
    frame = Frame(CRS.from_epsg(4326))
    shown, [found] = read_shown(path, [0], frame)
    assert shown.moved
    assert set(np.unique(found[np.isfinite(found)])) == set(range(1, 21))


def test_a_broken_raster_is_named(tmp_path):
    path = write_raster(tmp_path / "class.tif", np.ones((400, 400), np.uint8))
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match=r"class\.tif"):
        read_shown(path, [0], Frame(CRS.from_epsg(32612)))


def test_the_colours_of_an_image_are_those_of_qgis(tmp_path):
    path = tmp_path / "stretch.tif"
    assert read_rgb(path) == []
    write_rgb_style(path, [3, 1, 2], [(0.1, 0.5), (0, 1), (-2, 2)])
    assert read_rgb(path) == [(2, 0.1, 0.5), (0, 0, 1), (1, -2, 2)]
    write_continuous_style(path, 0, 1)
    assert read_rgb(path) == []
