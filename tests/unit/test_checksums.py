"""Deflated tiles of a GeoTIFF carry a checksum, which GDAL leaves unread."""

import zlib

import numpy as np
import pytest
import rasterio
from samples import write_raster

from gossan.checksums import DamagedTileError, read_verified, verify_tiles
from gossan.errors import InputError
from gossan.raster import Layer, map_blocks, open_raster, read_info, verify_raster
from gossan.tiles import DamagedStreamError, restore, unpack

SHAPE = (2, 256, 256)
VALUES = np.random.default_rng(0).integers(0, 2000, SHAPE).astype("uint16")
TILES = {"tiled": True, "blockxsize": 128, "blockysize": 128}


def damage(path):
    """Flip a bit of one of the last tiles."""
    content = bytearray(path.read_bytes())
    content[len(content) * 9 // 10] ^= 1
    path.write_bytes(content)


def silent_damage(path):
    """Flip a bit that changes numbers without any error of GDAL's; return them."""
    good = path.read_bytes()
    for place in np.random.default_rng(1).integers(len(good) // 8, len(good) - 10, 400):
        content = bytearray(good)
        content[place] ^= 1 << int(place) % 8
        path.write_bytes(content)
        try:
            with rasterio.open(path) as dataset:
                values = dataset.read()
        except rasterio.errors.RasterioError:
            continue
        if not np.array_equal(values, VALUES):
            return values
    raise AssertionError("no damage found that GDAL does not notice")


@pytest.mark.parametrize("interleave", ["band", "pixel"])
def test_a_flipped_bit_that_gdal_does_not_notice_is_noticed(tmp_path, interleave):
    path = write_raster(
        tmp_path / "a.tif", VALUES, compress="deflate", interleave=interleave, **TILES
    )
    with rasterio.open(path) as dataset:
        assert np.array_equal(read_verified(dataset), VALUES)
    silent_damage(path)
    with (
        rasterio.open(path) as dataset,
        pytest.raises(DamagedTileError, match=r"checksum of the tile at row \d+, column \d+"),
    ):
        read_verified(dataset)


def test_a_raster_in_an_archive_is_looked_through_where_it_lies(tmp_path):
    path = write_raster(tmp_path / "a.tif", VALUES, compress="deflate", **TILES)
    content = path.read_bytes()
    whole = tmp_path / "whole.bin"
    whole.write_bytes(b"12345" + content)
    stretch = f"/vsisubfile/5_{len(content)},{whole}"
    with rasterio.open(stretch, driver="GTiff") as dataset:
        assert np.array_equal(read_verified(dataset), VALUES)
    damage(whole)
    with (
        rasterio.open(stretch, driver="GTiff") as dataset,
        pytest.raises(DamagedTileError),
    ):
        read_verified(dataset)


@pytest.mark.parametrize("layout", [TILES, {"blockysize": 7}, {**TILES, "sparse_ok": True}])
@pytest.mark.parametrize("interleave", ["band", "pixel"])
@pytest.mark.parametrize("bands", [1, 3, 20])
@pytest.mark.parametrize(
    ("dtype", "predictor", "options"),
    [
        *(("uint8", 1, {}), ("int16", 2, {}), ("uint16", 2, {"BIGTIFF": "YES"}), ("int32", 2, {})),
        *(("float32", 1, {}), ("float32", 2, {}), ("float32", 3, {}), ("float64", 3, {})),
        *(("uint8", 1, {"NBITS": 5}), ("int16", 2, {"ENDIANNESS": "BIG"})),
    ],
)
def test_all_layouts_are_read_as_gdal_reads_them(
    tmp_path, layout, interleave, bands, dtype, predictor, options
):
    values = np.random.default_rng(2).integers(0, 30, (bands, 150, 170)).astype(dtype)
    options = {"compress": "deflate", "predictor": predictor, **layout, **options}
    path = tmp_path / "a.tif"
    profile = {"width": 170, "height": 150, "count": bands, "dtype": dtype, "driver": "GTiff"}
    with rasterio.open(path, "w", **profile, interleave=interleave, nodata=7, **options) as target:
        rows = 100 if "sparse_ok" in layout else 150
        target.write(values[:, :rows], window=rasterio.windows.Window(0, 0, 170, rows))
    with rasterio.open(path) as dataset:
        for window in (None, (0, 0, 170, 150), (3, 130, 160, 20), (129, 0, 41, 1), (5, 5, 9, 9)):
            part = window and rasterio.windows.Window(*window)
            for indexes in (None, 1, [bands], list(range(bands, 0, -1))):
                read = read_verified(dataset, indexes, part)
                np.testing.assert_array_equal(read, dataset.read(indexes, window=part))
                assert read.dtype == dtype


@pytest.mark.parametrize(("content", "whole"), [(16_384, True), (20_000, True), (16_000, False)])
def test_a_tile_may_be_longer_than_it_has_to_be_but_not_shorter(content, whole):
    stream, out = zlib.compress(bytes(content)), np.empty((1, 128, 128), "uint8")
    if whole:
        restore(unpack(stream, out.size), 1, (128, 1), [0], (0, 0), out)
        assert not out.any()
    else:
        with pytest.raises(DamagedStreamError, match="16000 bytes where 16384 are due"):
            restore(unpack(stream, out.size), 1, (128, 1), [0], (0, 0), out)


def test_a_stream_that_grows_beyond_measure_is_refused():
    with pytest.raises(DamagedStreamError, match="ends early, or late"):
        unpack(zlib.compress(bytes(2**20)), 1000)


def test_only_the_tiles_under_the_window_are_looked_at(tmp_path):
    path = write_raster(tmp_path / "a.tif", VALUES, compress="deflate", **TILES)
    damage(path)
    with pytest.raises(InputError):
        verify_raster(path)
    window = rasterio.windows.Window(3, 3, 100, 100)
    with rasterio.open(path) as dataset:
        assert np.array_equal(read_verified(dataset, 1, window), VALUES[0, 3:103, 3:103])


@pytest.mark.parametrize("compress", [None, "lzw", "zstd"])
def test_other_files_have_nothing_to_look_at(tmp_path, compress):
    path = write_raster(tmp_path / "a.tif", VALUES, compress=compress, **TILES)
    with rasterio.open(path) as dataset:
        verify_tiles(dataset)
        assert np.array_equal(read_verified(dataset), VALUES)


def test_tiles_that_were_never_written_are_whole(tmp_path):
    path = write_raster(
        tmp_path / "a.tif", np.zeros(SHAPE, "uint16"), compress="deflate", sparse_ok=True, **TILES
    )
    verify_raster(path)


def test_a_damaged_input_stops_a_map_by_its_name(tmp_path):
    path = write_raster(tmp_path / "a.tif", VALUES, compress="deflate", **TILES)
    silent_damage(path)
    layer = Layer(tmp_path / "out.tif", "float32", np.nan, ("a", "b"))
    with pytest.raises(InputError, match=r"a\.tif: broken or truncated near row"):
        map_blocks(lambda block: block, [path], [layer])
    assert not (tmp_path / "out.tif").exists()
    with pytest.raises(InputError, match=r"a\.tif: is damaged \(the checksum of the tile"):
        verify_raster(path)


@pytest.mark.parametrize("big", ["NO", "YES"])
def test_a_file_cut_before_its_names_and_wavelengths_is_refused(tmp_path, big):
    path = write_raster(tmp_path / "cube.tif", VALUES[:, :32, :32], BIGTIFF=big, compress="deflate")
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(1, ns="IMAGERY", CENTRAL_WAVELENGTH_UM="0.5", FWHM_UM="0.02")
        dataset.set_band_description(1, "a band of a long name")
    with open_raster(path) as dataset:
        assert dataset.descriptions[0] == "a band of a long name"
    path.write_bytes(path.read_bytes()[:-20])
    with rasterio.open(path) as dataset:
        assert np.array_equal(dataset.read(), VALUES[:, :32, :32])
    with pytest.raises(InputError, match=r"cube\.tif: not a readable raster .*lies beyond its end"):
        read_info(path)
