"""Rasters read small come from an image of theirs whose tiles are whole."""

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling
from samples import write_raster

from gossan.cube.colours import measure_limits
from gossan.desk import sheet
from gossan.desk.map_rasters import Frame, read_shown
from gossan.errors import InputError
from gossan.levels import opened_level, read_reduced
from gossan.minerals.class_outlines import outline_classes
from gossan.raster import Grid, Layer, map_blocks
from gossan.report.drawing import read_small

SHAPE = (2300, 1900)
CODES = np.random.default_rng(0).integers(1, 9, SHAPE).astype("uint8")
AVERAGE, NEAREST = Resampling.average, Resampling.nearest


@pytest.fixture
def raster(tmp_path):
    """A cloud-optimised raster with overviews 1:2, 1:4 and 1:8."""
    source = write_raster(tmp_path / "source.tif", CODES)
    path = tmp_path / "map.tif"
    map_blocks(lambda block: block, [source], [Layer(path, "uint8", 255, ("class",))])
    return path


def zero(path, level):
    """Zero the middle of the first tile of an overview, or with None of the full image."""
    with rasterio.open(path) as dataset:
        start, length = (
            int(dataset.get_tag_item(f"BLOCK_{what}_0_0", "TIFF", 1, level))
            for what in ("OFFSET", "SIZE")
        )
    content = bytearray(path.read_bytes())
    content[start + length // 2 : start + length - 8] = bytes(length - length // 2 - 8)
    path.write_bytes(content)


def smaller(factor):
    return tuple(-(-side // factor) for side in SHAPE)


@pytest.mark.parametrize(
    ("shape", "step"),
    [(SHAPE, 1), ((1151, 950), 1), ((1150, 951), 1), ((1150, 950), 2), ((9, 239), 4), ((9, 9), 8)],
)
def test_the_coarsest_image_that_is_fine_enough_is_read(raster, shape, step):
    with opened_level(raster, [1], shape) as image, rasterio.open(raster) as whole:
        assert image.shape == smaller(step)
        assert image.bounds == whole.bounds
        assert not image.overviews(1)


@pytest.mark.parametrize("level", [None, 0, 1, 2])
def test_of_a_damaged_level_nothing_is_read_and_of_the_others_all(raster, level):
    factors = {None: 1, 0: 2, 1: 4, 2: 8}
    expected = {
        factor: read_reduced(raster, [0], smaller(factor), AVERAGE) for factor in factors.values()
    }
    zero(raster, level)
    for place, factor in factors.items():
        if place == level:
            with pytest.raises(InputError, match=r"map\.tif: is damaged \(the checksum of the til"):
                read_reduced(raster, [0], smaller(factor), AVERAGE)
        else:
            found = read_reduced(raster, [0], smaller(factor), AVERAGE)
            assert np.array_equal(found, expected[factor])


def test_no_picture_is_made_of_a_damaged_overview(raster):
    grid = Grid.of(rasterio.open(raster))
    half = tuple(side // 2 for side in SHAPE)
    pictures = [
        lambda: read_small(raster),
        lambda: read_small(raster, classes=True),
        lambda: read_shown(raster, [0], Frame.of(grid), mean=True, most_px=1150),
        lambda: read_shown(
            raster, [0], Frame(rasterio.CRS.from_epsg(4326)), mean=True, most_px=900
        ),
        lambda: sheet.read_pixels(raster, sheet.Frame(grid), half, [0], NEAREST),
        lambda: outline_classes(raster, raster, [], most_px=10**6),
    ]
    for draw in pictures[:-1]:
        draw()
    for level in (0, 1, 2):
        zero(raster, level)
    for draw in [*pictures, lambda: measure_limits(raster, [0])]:
        with pytest.raises(InputError, match=r"map\.tif: is damaged"):
            draw()
    # Every n-th pixel is of the raster itself, which is whole.
    _, [found] = read_shown(raster, [0], Frame.of(grid), most_px=100)
    assert (found == CODES[11::23, 11::23]).all()
    zero(raster, None)
    with pytest.raises(InputError, match=r"map\.tif: broken or truncated"):
        read_shown(raster, [0], Frame.of(grid), most_px=100)


def test_numbers_are_in_their_unit_and_nan_where_there_are_none(tmp_path):
    stored = np.full((2, 40, 40), 100, "int16")
    stored[:, :20] = 300
    stored[1, :, 20:] = -1
    path = write_raster(tmp_path / "scaled.tif", stored, nodata=-1)
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (0.5, 0.5), (1, 1)
    found = read_reduced(path, [1], (2, 2), AVERAGE)
    np.testing.assert_array_equal(found, [[[151, np.nan], [51, np.nan]]])
    assert found.dtype == np.float32


def test_overviews_without_checksums_are_read_as_they_are(tmp_path):
    path = write_raster(tmp_path / "lzw.tif", CODES, compress="lzw")
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4], Resampling.nearest)
    with rasterio.open(path, overview_level=1) as overview:
        expected = overview.read(1)
    assert expected.shape == smaller(4)
    assert np.array_equal(read_reduced(path, [0], smaller(4), NEAREST)[0], expected)


def test_overviews_in_any_order_are_chosen_by_their_size(tmp_path):
    path = write_raster(tmp_path / "turned.tif", CODES)
    for step in (8, 2):
        with rasterio.open(path, "r+") as dataset:
            dataset.build_overviews([step], Resampling.nearest)
    with rasterio.open(path) as dataset:
        assert dataset.overviews(1) == [8, 2]
    for step in (1, 2, 8):
        with opened_level(path, [1], smaller(step)) as image:
            assert image.shape == smaller(step)
    with opened_level(path, [1], smaller(4)) as image:
        assert image.shape == smaller(2)


@pytest.mark.parametrize("turn", [np.asarray, np.transpose])
def test_of_a_strip_of_ground_no_image_with_too_few_pixels_is_read(tmp_path, turn):
    strip = np.random.default_rng(1).integers(1, 9, (5000, 20)).astype("uint8")
    source = write_raster(tmp_path / "source.tif", turn(strip))
    path = tmp_path / "strip.tif"
    map_blocks(lambda block: block, [source], [Layer(path, "uint8", 255, ("class",))])
    sizes = [(5000, 20), (2500, 10), (1250, 5), (625, 3), (313, 2)]
    for level, size in enumerate(sizes[1:]):
        with rasterio.open(path, overview_level=level) as overview:
            assert sorted(overview.shape) == sorted(size)
    asked = [*sizes, (1250, 6), (1251, 2), (700, 3), (9, 1)]
    expected = [*sizes, (2500, 10), (2500, 10), (1250, 5), (313, 2)]
    for least, size in zip(asked, expected, strict=True):
        shape = least if turn is np.asarray else least[::-1]
        with opened_level(path, [1], shape) as image:
            assert image.shape == (size if turn is np.asarray else size[::-1])


def test_overviews_in_another_file_are_left_alone(tmp_path):
    path = write_raster(tmp_path / "plain.tif", CODES)
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2], Resampling.nearest)
    assert path.with_name("plain.tif.ovr").is_file()
    with opened_level(path, [1], (10, 10)) as image:
        assert image.shape == SHAPE
        assert np.array_equal(image.read(1), CODES)
