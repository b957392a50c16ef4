"""Files of packed tiles are what GDAL's own driver would write."""

import struct

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import Resampling
from samples import write_raster

from gossan import cog
from gossan.cog import halve
from gossan.raster import Grid, Layer, map_blocks, read_info

SIZE = 1024
GRID = Grid(CRS.from_epsg(32643), Affine(30, 0, 500_000, 0, -30, 4_000_000), SIZE, SIZE)


def values_of(dtype, bands, nodata, size=SIZE):
    generator = np.random.default_rng(3)
    values = generator.integers(0, 5, (bands, size, size)).astype(dtype)
    values[:, : size // 2][generator.random((bands, size // 2, size)) < 0.4] = nodata
    return values


def write(path, values, nodata, **options):
    layer = Layer(path, values.dtype.name, nodata, tuple(f"b{n}" for n in range(len(values))))
    layer = Layer(**{**vars(layer), **options})
    grid = Grid(GRID.crs, GRID.transform, *values.shape[:0:-1])
    map_blocks(lambda block: block, [lambda w: values[:, *w.toslices()]], [layer], grid=grid)
    return path


@pytest.mark.parametrize(
    ("dtype", "bands", "nodata", "overviews"),
    [
        ("uint8", 1, 255, "mode"),
        ("uint16", 1, 0, "mode"),
        ("int16", 2, -32768, "average"),
        ("uint8", 3, 255, "average"),
        ("int32", 1, -1, "average"),
        ("float32", 1, np.nan, "average"),
        ("float32", 1, -1, "average"),
        ("float64", 2, np.nan, "average"),
    ],
)
def test_numbers_and_overviews_are_those_of_gdal(tmp_path, dtype, bands, nodata, overviews):
    values = values_of(dtype, bands, nodata)
    path = write(tmp_path / "own.tif", values, nodata, overviews=overviews)
    other = write_raster(tmp_path / "gdal.tif", values, nodata=nodata)
    with rasterio.open(other, "r+") as dataset:
        dataset.build_overviews([2], Resampling[overviews])
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(), values)
    with (
        rasterio.open(path, overview_level=0) as own,
        rasterio.open(other, overview_level=0) as its,
    ):
        assert own.nodata == nodata or np.isnan(nodata)
        np.testing.assert_array_equal(own.read(), its.read())


@pytest.mark.parametrize("most", [cog._MOST_CLASSIC, 0])
@pytest.mark.parametrize("size", [(1, 1), (513, 1025), (1300, 700), (600, 1), (2, 5000)])
def test_small_and_large_files_are_read_alike(tmp_path, monkeypatch, most, size):
    monkeypatch.setattr(cog, "_MOST_CLASSIC", most)
    generator = np.random.default_rng(4)
    values = generator.integers(-9, 9, (2, *size)).astype("int16")
    path = write(tmp_path / "a.tif", values, -32768, scale=0.5, unit="m", tags={"A": "1"})
    assert path.read_bytes()[2] == (43 if most == 0 else 42)
    info = read_info(path)
    assert (info.scale, info.tags, info.bands.names) == (0.5, {"A": "1"}, ("b0", "b1"))
    levels = max(0, int(np.ceil(np.log2(max(size) / 512))))
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read() / 0.5 * 0.5, values)
        assert len(dataset.overviews(1)) == levels
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    for level in range(levels):
        with rasterio.open(path, overview_level=level) as overview:
            assert overview.shape == tuple(-(-side // 2 ** (level + 1)) for side in size)
            assert np.ptp(overview.read()) > 0


def test_each_tile_stands_between_its_length_and_its_last_bytes(tmp_path):
    path = write(tmp_path / "a.tif", values_of("uint8", 1, 255), 255, overviews="mode")
    content = path.read_bytes()
    end = None
    with rasterio.open(path) as dataset:
        for level, tiles in ((0, [(0, 0)]), (None, [(r, c) for r in (0, 1) for c in (0, 1)])):
            for row, column in tiles:
                offset, size = (
                    int(dataset.get_tag_item(f"BLOCK_{what}_{column}_{row}", "TIFF", 1, ovr=level))
                    for what in ("OFFSET", "SIZE")
                )
                assert struct.unpack_from("<I", content, offset - 4) == (size,)
                assert (
                    content[offset + size : offset + size + 4] == content[offset:][size - 4 : size]
                )
                assert end is None or offset == end + 8
                end = offset + size
    assert len(content) == end + 4


def test_overviews_have_the_colours_too(tmp_path):
    values = values_of("uint8", 1, 255)
    path = write(tmp_path / "a.tif", values, 255, overviews="mode", colours={1: "#FE00FE"})
    with rasterio.open(path, overview_level=0) as overview:
        assert overview.colormap(1)[1] == (0xFE, 0, 0xFE, 255)


def test_four_pixels_become_one_without_nodata():
    tile = np.array([[[1, 2, 9, 9], [4, 9, 9, 9]]], "int16")
    np.testing.assert_array_equal(halve(tile, 9, mode=False), [[[2, 9]]])
    np.testing.assert_array_equal(halve(np.array([[[-1, -2]] * 2]), 9, mode=False), [[[-1]]])
    pairs = {(1, 1, 2, 2): 1, (1, 2, 2, 1): 2, (1, 2, 3, 2): 2, (9, 9, 3, 1): 3, (9, 9, 9, 9): 9}
    for four, most in pairs.items():
        tile = np.array(four, "uint8").reshape(1, 2, 2)
        assert halve(tile, 9, mode=True).item() == most, four


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "float32", "float64"])
@pytest.mark.parametrize("nodata", [9, 99])
def test_the_most_frequent_of_four_known_pixels_wins(dtype, nodata):
    tile = np.random.default_rng(5).integers(5, 10, (1, 64, 96)).astype(dtype)
    # A block of a larger array, whose rows do not follow each other.
    halved = halve(tile[:, :, 32:], nodata, mode=True)
    for row, column in np.ndindex(32, 32):
        four = tile[0, 2 * row : 2 * row + 2, 32 + 2 * column :][:, :2].ravel().tolist()
        known = [value for value in four if value != nodata] or [nodata]
        seen = [known[: place + 1].count(value) for place, value in enumerate(known)]
        assert halved[0, row, column] == known[seen.index(max(seen))], four


def test_an_empty_file_that_was_cut_short_is_no_source_of_tags(tmp_path):
    path = write_raster(tmp_path / "a.tif", np.ones((1, 8, 8), "uint8"))
    path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(OSError, match=r"a\.tif"):
        cog._read_tags(path)
