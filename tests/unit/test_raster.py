"""The raster engine: blocks, encoding, cloud-optimised output, errors, memory."""

import hashlib
import logging
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.windows import Window
from samples import write_raster

from gossan import raster
from gossan.errors import InputError
from gossan.raster import (
    BandTable,
    Datasets,
    Grid,
    Layer,
    encode,
    find_bands,
    grow_window,
    iter_blocks,
    map_blocks,
    opened,
    read_info,
    split_blocks,
)

UTM = CRS.from_epsg(32643)
BANDS = BandTable(("blue", "green", "red"), (0.482, 0.561, 0.655), (0.06, 0.057, 0.037))


def make_grid(width: int, height: int, crs: CRS | None = UTM, pixel: float = 30.0) -> Grid:
    return Grid(crs, Affine(pixel, 0, 500_000, 0, -pixel, 4_000_000), width, height)


def write_tiff(path: Path, values: np.ndarray, grid: Grid, **options) -> Path:
    scale = options.pop("scale", 1.0)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=grid.width,
        height=grid.height,
        count=len(values),
        dtype=values.dtype,
        crs=grid.crs,
        transform=grid.transform,
        **options,
    ) as dataset:
        dataset.scales = [scale] * len(values)
        dataset.write(values)
    return path


def noise(shape: tuple[int, ...], dtype: str = "int16", seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 10_000, shape).astype(dtype)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# Blocks


@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    block_px=st.integers(1, 400),
    tile=st.none() | st.tuples(st.integers(1, 64), st.integers(1, 400)),
)
@settings(deadline=None, max_examples=150)
def test_blocks_cover_each_pixel_once_in_row_major_order(width, height, block_px, tile):
    if block_px < 8:
        width, height = min(width, 40), min(height, 40)
    windows = split_blocks(make_grid(width, height), block_px, tile)
    seen = np.zeros((height, width), int)
    for window in windows:
        seen[window.toslices()] += 1
        assert window.width > 0 and window.height > 0
    assert (seen == 1).all()
    assert windows == sorted(windows, key=lambda window: (window.row_off, window.col_off))


@pytest.mark.parametrize(("block_px", "tile"), [(33, None), (1, None), (40, (5, 7)), (9, (3, 70))])
def test_blocks_start_at_multiples_of_what_a_function_takes_at_once(block_px, tile):
    grid = make_grid(70, 61)
    windows = split_blocks(grid, block_px, tile, multiple=2)
    assert all(window.col_off % 2 == window.row_off % 2 == 0 for window in windows)
    assert sum(window.width * window.height for window in windows) == 70 * 61


def test_blocks_are_whole_tiles():
    windows = split_blocks(make_grid(2000, 2000), 512, (256, 256))
    assert {window.col_off % 512 for window in windows} == {0}
    windows = split_blocks(make_grid(2000, 2000), 512, (192, 192))
    assert {window.row_off % 192 for window in windows} == {0}


@pytest.mark.parametrize("rows_per_strip", [1, 3, 16, 100])
def test_files_in_strips_are_cut_into_full_width_windows(rows_per_strip):
    windows = split_blocks(make_grid(4000, 3000), 512, (rows_per_strip, 4000))
    assert {window.width for window in windows} == {4000}
    assert windows[0].height % rows_per_strip == 0
    assert windows[0].height * 4000 <= max(512**2, 4000 * rows_per_strip) * 1.1


def test_many_bands_make_the_blocks_smaller(tmp_path):
    path = write_tiff(
        tmp_path / "cube.tif",
        np.ones((285, 256, 300), "int16"),
        make_grid(300, 256),
        tiled=True,
        blockxsize=32,
        blockysize=32,
        interleave="pixel",
    )
    shapes = [shape for _, shape in iter_blocks(lambda a: a.shape, [path])]
    assert max(np.prod(shape) * 4 for shape in shapes) <= 64 * 2**20
    assert len(shapes) == 4


def test_results_come_in_block_order_whatever_the_threads_do():
    grid = make_grid(80, 80)

    def source(window: Window) -> np.ndarray:
        time.sleep(0.01 if window.col_off % 20 == 0 else 0)
        return np.array([[[window.row_off, window.col_off]]])

    for threads in (1, 2, 4):
        blocks = iter_blocks(lambda a: a, [source], grid=grid, block_px=10, threads=threads)
        results = [(window, tuple(result[0, 0])) for window, result in blocks]
        assert [window for window, _ in results] == split_blocks(grid, 10)
        assert all((w.row_off, w.col_off) == result for w, result in results)


def test_number_of_blocks_in_flight_is_bounded():
    started = 0

    def source(window: Window) -> np.ndarray:
        nonlocal started
        started += 1
        return np.zeros((1, 1, 1))

    blocks = iter_blocks(lambda a: a, [source], grid=make_grid(100, 100), block_px=5, threads=2)
    for consumed, _ in enumerate(blocks, start=1):
        time.sleep(0.001)
        assert started <= consumed + 4
        if consumed == 30:
            break
    blocks.close()
    assert started <= 34


def test_one_file_handle_per_thread_and_all_closed(tmp_path, monkeypatch):
    path = write_tiff(tmp_path / "a.tif", noise((1, 200, 200)), make_grid(200, 200))
    opened = []
    original = rasterio.open

    def spy(*args, **kwargs):
        dataset = original(*args, **kwargs)
        opened.append((threading.get_ident(), dataset))
        return dataset

    monkeypatch.setattr(raster.rasterio, "open", spy)
    blocks = list(iter_blocks(lambda a: time.sleep(0.005), [path], block_px=32, threads=2))
    assert len(blocks) > 8
    workers = [ident for ident, _ in opened if ident != threading.get_ident()]
    assert 1 <= len(workers) <= 2
    assert all(dataset.closed for _, dataset in opened)


# Halo


@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    block_px=st.integers(4, 100),
    halo=st.integers(0, 40),
    align=st.sampled_from([1, 2, 4, 8]),
)
@settings(deadline=None, max_examples=100)
def test_grown_windows_reach_as_far_as_asked_or_to_the_edge(size, block_px, halo, align):
    grid = make_grid(*size)
    for window in split_blocks(grid, block_px):
        grown = grow_window(window, grid, halo, align)
        for start, length, block_start, block_length, end in (
            (grown.col_off, grown.width, window.col_off, window.width, grid.width),
            (grown.row_off, grown.height, window.row_off, window.height, grid.height),
        ):
            stop, block_stop = start + length, block_start + block_length
            assert start % align == 0
            assert stop == end or stop % align == 0
            assert 0 <= start <= max(0, block_start - halo) < start + align
            assert min(end, block_stop + halo) <= stop < block_stop + halo + align


@pytest.mark.parametrize("threads", [1, 2])
def test_a_halo_shows_each_block_its_surroundings(tmp_path, threads):
    grid = make_grid(130, 70)
    stored = noise((2, 70, 130))
    path = write_tiff(tmp_path / "a.tif", stored, grid, tiled=True, blockxsize=32, blockysize=32)
    seen = np.zeros_like(stored)

    def function(inner, block, window):
        assert block.shape[1:] == (window.height, window.width)
        np.testing.assert_array_equal(block, stored[:, *window.toslices()])
        return block[:, *inner]

    blocks = iter_blocks(
        function,
        [path, lambda window: window],
        block_px=32,
        threads=threads,
        scaled=False,
        halo=7,
        align=4,
    )
    for window, block in blocks:
        seen[:, *window.toslices()] = block
    np.testing.assert_array_equal(seen, stored)


def mean_of_nine(inner, block):
    """A 3x3 mean that takes the edge's own pixels again beyond it."""
    wide = np.pad(block, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows, columns = block.shape[1:]
    total = sum(
        wide[:, row : row + rows, column : column + columns]
        for row in range(3)
        for column in range(3)
    )
    return (total / 9)[:, *inner]


def test_a_filter_with_a_halo_does_not_depend_on_the_blocks(tmp_path):
    grid = make_grid(150, 90)
    path = write_tiff(tmp_path / "a.tif", noise((1, 90, 150)), grid)
    digests = set()
    for block_px, threads in ((512, 1), (37, 2), (16, 1)):
        layer = Layer(tmp_path / f"{block_px}.tif", "float32", np.nan, ("mean",))
        map_blocks(mean_of_nine, [path], [layer], block_px=block_px, threads=threads, halo=1)
        digests.add(digest(layer.path))
    assert len(digests) == 1


def test_a_halo_of_nothing_still_gives_the_slices():
    [(_, inner)] = iter_blocks(lambda inner, block: inner, [scene], grid=make_grid(20, 10), halo=0)
    assert inner == np.s_[0:10, 0:20]


def test_many_written_bands_make_the_blocks_smaller(tmp_path):
    layer = Layer(tmp_path / "out.tif", "float32", np.nan, tuple(f"b{n}" for n in range(400)))
    shapes = set()

    def function(block):
        shapes.add(block.shape[1:])
        return np.broadcast_to(block[:1], (400, *block.shape[1:]))

    map_blocks(function, [scene], [layer], grid=make_grid(230, 210))
    assert max(rows * columns for rows, columns in shapes) * 400 * 4 <= 64 * 2**20


# Bands


def test_bands_are_found_by_name(tmp_path):
    path = write_tiff(tmp_path / "a.tif", noise((3, 4, 4)), make_grid(4, 4))
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("2", "3N", "4")
    info = read_info(path)
    assert find_bands(info, None) == [0, 1, 2]
    assert find_bands(info, ["4", "2"]) == [2, 0]
    with pytest.raises(InputError, match=r"a\.tif: has no band 5; it has 2 3N 4"):
        find_bands(info, ["2", "5"])
    with pytest.raises(InputError, match="one is named twice"):
        find_bands(info, ["2", "2"])
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("2", "2", "4")
    with pytest.raises(InputError, match="has two bands 2"):
        find_bands(read_info(path), ["2"])


# Values


def test_files_give_physical_values_with_nan_for_nodata(tmp_path):
    stored = np.array([[[0, 5000], [-32768, 10_000]]], "int16")
    path = write_tiff(tmp_path / "a.tif", stored, make_grid(2, 2), nodata=-32768, scale=1e-4)
    [(_, values)] = iter_blocks(lambda a: a, [path])
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, [[[0, 0.5], [np.nan, 1.0]]], rtol=1e-6)
    [(_, raw)] = iter_blocks(lambda a: a, [path], scaled=False)
    assert raw.dtype == np.int16
    np.testing.assert_array_equal(raw, stored)


@given(
    values=st.lists(
        st.none() | st.integers(-32767, 32767) | st.floats(allow_nan=True), min_size=1, max_size=30
    )
)
def test_encoding_inverts_decoding_and_never_invents_nodata(values):
    layer = Layer(Path("a.tif"), "int16", -32768, ("a",), 1e-4)
    numbers = [np.nan if v is None else v * 1e-4 if isinstance(v, int) else v for v in values]
    stored = encode(np.array(numbers, "float64"), layer)
    for given_value, physical, number in zip(values, numbers, stored, strict=True):
        if isinstance(given_value, int):
            assert number == given_value
        elif not np.isfinite(physical):
            assert number == -32768
        else:
            assert number == np.clip(np.rint(physical / 1e-4), -32767, 32767)


def test_every_int16_survives_float32_and_back(tmp_path):
    stored = np.arange(-32768, 32768).astype("int16").reshape(1, 256, 256)
    path = write_tiff(tmp_path / "a.tif", stored, make_grid(256, 256), nodata=-32768, scale=1e-4)
    layer = Layer(tmp_path / "b.tif", "int16", -32768, ("a",), 1e-4)
    map_blocks(lambda a: a, [path], [layer])
    with rasterio.open(layer.path) as dataset:
        np.testing.assert_array_equal(dataset.read(), stored)


def test_integer_results_are_stored_as_they_are_or_refused():
    layer = Layer(Path("a.tif"), "uint8", 255, ("a",))
    np.testing.assert_array_equal(encode(np.array([0, 255]), layer), [0, 255])
    np.testing.assert_array_equal(encode(np.array([True, False]), layer), [1, 0])
    with pytest.raises(ValueError, match="do not fit into uint8"):
        encode(np.array([256]), layer)


def test_float_layers_keep_nodata_and_nan():
    assert encode(np.array([1.5, np.nan]), Layer(Path("a"), "float32", -1, ("a",)))[1] == -1
    assert np.isnan(encode(np.array([np.inf]), Layer(Path("a"), "float32", np.nan, ("a",)))[0])


# Output


def cube_layer(path: Path) -> Layer:
    return Layer(
        path, "int16", -32768, BANDS, 1e-4, -0.1, tags={"SENSOR": "Landsat-8", "SYNTHETIC": "yes"}
    )


def class_layer(path: Path) -> Layer:
    colours = {1: "#FE00FE", 2: "#00FE00"}
    return Layer(path, "uint8", 255, ("class",), overviews="mode", colours=colours)


def scene(window: Window) -> np.ndarray:
    """Reflectance that depends on the pixel's place only; nodata in the upper left."""
    rows, columns = np.mgrid[
        window.row_off : window.row_off + window.height,
        window.col_off : window.col_off + window.width,
    ]
    values = np.stack([np.sin(rows / 50 + band) * np.cos(columns / 70) for band in range(3)])
    values[:, (rows < 100) & (columns < 100)] = np.nan
    return values


def products(values: np.ndarray) -> tuple[np.ndarray, ...]:
    empty = np.isnan(values[0])
    codes = np.where(empty, 255, np.where(values[0] > 0, 1, 2)).astype("uint8")
    return values, codes, values[1].astype("float32")


def write_products(folder: Path, grid: Grid, **options) -> list[Path]:
    layers = [
        cube_layer(folder / "cube.tif"),
        class_layer(folder / "class.tif"),
        Layer(folder / "angle.tif", "float32", np.nan, ("angle_rad",)),
    ]
    map_blocks(products, [scene], layers, grid=grid, **options)
    return [layer.path for layer in layers]


def test_metadata_survives_in_a_cloud_optimised_file(tmp_path):
    grid = make_grid(1300, 1100)
    cube, classes, angle = write_products(tmp_path, grid)
    info = read_info(cube)
    info.grid.require_same(grid, "cube")
    assert info.bands == BANDS
    assert (info.dtype, info.nodata, info.scale, info.offset) == ("int16", -32768, 1e-4, -0.1)
    assert info.tags == {"SENSOR": "Landsat-8", "SYNTHETIC": "yes"}
    assert read_info(angle).bands == BandTable(("angle_rad",))
    for path, predictor in ((cube, "2"), (classes, None), (angle, "3")):
        with rasterio.open(path) as dataset:
            structure = dataset.tags(ns="IMAGE_STRUCTURE")
            assert structure["LAYOUT"] == "COG"
            assert structure["COMPRESSION"] == "DEFLATE"
            assert structure.get("PREDICTOR") == predictor
            assert dataset.block_shapes[0] == (512, 512)
            assert dataset.overviews(1) == [2, 4]
            # The layout's promise: coarse levels first, so one read of the file's head shows all.
            first_tiles = [
                int(dataset.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1, ovr=level))
                for level in (1, 0)
            ] + [int(dataset.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1))]
            assert first_tiles == sorted(first_tiles)
    with rasterio.open(classes) as dataset:
        assert dataset.colorinterp[0].name == "palette"
        assert dataset.colormap(1)[1][:3] == (0xFE, 0, 0xFE)


def test_overviews_honour_nodata(tmp_path):
    cube, classes, angle = write_products(tmp_path, make_grid(1300, 1100))
    for path, expected in ((cube, -32768), (classes, 255), (angle, np.nan)):
        with rasterio.open(path, overview_level=0) as overview:
            np.testing.assert_equal(overview.nodata, expected)
            values = overview.read(1)
            np.testing.assert_array_equal(values[:50, :50], np.full((50, 50), expected))
    with rasterio.open(classes, overview_level=1) as overview:
        assert set(np.unique(overview.read(1))) == {1, 2, 255}
    with rasterio.open(cube, overview_level=0) as overview, rasterio.open(cube) as full:
        mean = full.read(1)[200:202, 300:302].mean()
        assert abs(overview.read(1)[100, 150] - mean) <= 1


def test_bytes_do_not_depend_on_threads_or_block_size(tmp_path):
    grid = make_grid(1300, 700)
    digests = [
        [digest(path) for path in write_products(tmp_path / name, grid, **options)]
        for name, options in {
            "one": {"threads": 1},
            "two": {"threads": 2},
            "small": {"threads": 2, "block_px": 200},
        }.items()
    ]
    assert digests[0] == digests[1] == digests[2]


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (511, 513), (700, 33)])
@pytest.mark.parametrize(
    "layout",
    [
        {"tiled": True, "blockxsize": 128, "blockysize": 128, "interleave": "band"},
        {"tiled": True, "blockxsize": 64, "blockysize": 32, "interleave": "pixel"},
        {"blockysize": 3, "interleave": "pixel"},
    ],
)
def test_odd_sizes_and_layouts_round_trip(tmp_path, size, layout):
    stored = noise((3, size[1], size[0]))
    grid = make_grid(*size)
    path = write_tiff(tmp_path / "in.tif", stored, grid, compress="deflate", **layout)
    layer = Layer(tmp_path / "out.tif", "int16", -32768, BANDS)
    map_blocks(lambda a: a, [path], [layer], scaled=False, threads=2, block_px=128)
    with rasterio.open(layer.path) as dataset:
        np.testing.assert_array_equal(dataset.read(), stored)


def test_many_bands_go_into_small_tiles(tmp_path):
    names = tuple(f"b{n}" for n in range(285))
    layer = Layer(tmp_path / "out.tif", "int16", -32768, names)

    def source(window: Window) -> np.ndarray:
        return np.ones((285, window.height, window.width), "int16")

    map_blocks(lambda a: a, [source], [layer], grid=make_grid(200, 150), block_px=128)
    with rasterio.open(layer.path) as dataset:
        assert dataset.block_shapes[0] == (128, 128)
        assert dataset.interleaving.value == "PIXEL"


def test_several_sources_meet_block_by_block(tmp_path):
    grid = make_grid(300, 200)
    first, second = noise((2, 200, 300)), noise((1, 200, 300), seed=2)
    paths = [
        write_tiff(tmp_path / "a.tif", first, grid),
        write_tiff(tmp_path / "b.tif", second, grid, tiled=True, blockxsize=64, blockysize=64),
    ]
    layer = Layer(tmp_path / "sum.tif", "int32", -1, ("sum",))
    map_blocks(
        lambda a, b: (a.sum(0, dtype="int32") + b[0]).astype("int32"),
        paths,
        [layer],
        scaled=False,
        block_px=64,
    )
    with rasterio.open(layer.path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), first.sum(0) + second[0])


# Errors


@pytest.mark.parametrize("compress", [None, "deflate"])
@pytest.mark.parametrize("threads", [1, 2])
def test_truncated_file_is_named_and_nothing_is_left(tmp_path, compress, threads):
    grid = make_grid(600, 600)
    options = {"compress": compress} if compress else {}
    path = write_tiff(tmp_path / "cut.tif", noise((2, 600, 600)), grid, **options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    output = tmp_path / "out"
    layer = Layer(output / "a.tif", "float32", -1, ("a", "b"))
    with pytest.raises(InputError, match=r"cut\.tif"):
        map_blocks(lambda a: a, [path], [layer], block_px=64, threads=threads)
    assert not output.exists()


def test_missing_and_foreign_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.tif: no such raster"):
        read_info(tmp_path / "none.tif")
    text = tmp_path / "text.tif"
    text.write_text("not a raster")
    with pytest.raises(InputError, match=r"text\.tif: not a readable raster"):
        read_info(text)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (make_grid(41, 40), "41x40 pixels where 40x40"),
        (make_grid(40, 40, CRS.from_epsg(32644)), "EPSG:32644 where EPSG:32643"),
        (make_grid(40, 40, None), "reference system none"),
        (make_grid(40, 40, pixel=30.01), "shifted"),
    ],
)
def test_sources_on_different_grids_are_refused(tmp_path, other, message):
    first = write_tiff(tmp_path / "a.tif", noise((1, 40, 40)), make_grid(40, 40))
    second = write_tiff(
        tmp_path / "b.tif", noise((1, other.height, 40 + 1))[..., : other.width], other
    )
    with pytest.raises(InputError, match=rf"b\.tif: .*{message}"):
        iter_blocks(lambda a, b: a, [first, second])


def test_a_hair_of_rounding_in_the_transform_is_the_same_grid():
    rounded = Grid(UTM, Affine(30.0000001, 0, 500_000, 0, -30, 4_000_000), 40, 40)
    make_grid(40, 40).require_same(rounded, "b")


@pytest.mark.parametrize("threads", [1, 2])
def test_an_exception_stops_the_work_and_leaves_nothing(tmp_path, threads):
    calls = 0

    def function(block: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise RuntimeError("boom")
        return block

    older = tmp_path / "a.tif"
    older.write_text("older")
    layers = [Layer(older, "float32", -1, ("a", "b", "c"))]
    with pytest.raises(RuntimeError, match="boom"):
        map_blocks(
            function, [scene], layers, grid=make_grid(400, 400), block_px=20, threads=threads
        )
    assert calls <= 3 + 2 * threads
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]
    assert older.read_text() == "older"


def test_one_bad_layer_keeps_all_layers_away(tmp_path):
    layers = [
        Layer(tmp_path / "good.tif", "float32", -1, ("a",)),
        Layer(tmp_path / "bad.tif", "float32", -1, ("a", "b")),
    ]
    with pytest.raises(ValueError, match=r"bad\.tif: a block has shape"):
        map_blocks(lambda a: (a[0], a[0]), [scene], layers, grid=make_grid(50, 50))
    with pytest.raises(ValueError, match="1 results of a block for 2 layers"):
        map_blocks(lambda a: a[0], [scene], layers, grid=make_grid(50, 50))
    assert list(tmp_path.iterdir()) == []


def test_readers_alone_need_a_grid():
    with pytest.raises(ValueError, match="give a grid"):
        iter_blocks(lambda a: a, [scene])


def test_bands_of_different_scales_are_refused(tmp_path):
    path = write_tiff(tmp_path / "a.tif", noise((2, 4, 4)), make_grid(4, 4))
    with rasterio.open(path, "r+") as dataset:
        dataset.scales = [1.0, 2.0]
    with pytest.raises(InputError, match=r"a\.tif: .*different scales"):
        read_info(path)


# Grid and progress


def test_pixel_area():
    assert make_grid(4, 4).pixel_area_m2 == pytest.approx(900)
    assert make_grid(4, 4, CRS.from_epsg(4326)).pixel_area_m2 is None
    assert make_grid(4, 4, None).pixel_area_m2 is None
    feet = make_grid(4, 4, CRS.from_epsg(2263))
    assert feet.pixel_area_m2 == pytest.approx(900 * 0.3048006**2, rel=1e-6)


def test_progress_is_plain_lines_in_a_log(caplog):
    caplog.set_level(logging.INFO)
    list(
        iter_blocks(lambda a: a, [scene], grid=make_grid(100, 100), block_px=10, progress="angles")
    )
    assert len(caplog.messages) == 10
    assert caplog.messages[-1] == "angles: 100 of 100 blocks"


# Memory

MAP_IN_A_PROCESS = """
import sys
from pathlib import Path
import numpy as np
from gossan.raster import Layer, map_blocks

cube, folder = sys.argv[1:]
layers = [
    Layer(Path(folder, "class.tif"), "uint8", 255, ("class",), overviews="mode"),
    Layer(Path(folder, "angle.tif"), "float32", np.nan, ("angle",)),
]
def function(block):
    return block.argmax(0).astype("uint8"), block.mean(0)
map_blocks(function, [cube], layers, threads=2)
status = Path("/proc/self/status").read_text()
print(next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_peak_memory_is_set_by_the_block_not_by_the_scene(tmp_path, root):
    peaks = {}
    for size in (2048, 4096, 8192):
        row = np.arange(size, dtype="int16")
        cube = tmp_path / f"cube{size}.tif"
        with rasterio.open(
            cube,
            "w",
            driver="GTiff",
            width=size,
            height=size,
            count=7,
            dtype="int16",
            crs=UTM,
            transform=make_grid(size, size).transform,
            tiled=True,
            blockxsize=512,
            blockysize=512,
            compress="deflate",
            zlevel=1,
        ) as dataset:
            for top in range(0, size, 512):
                strip = np.broadcast_to(row + top, (7, 512, size))
                dataset.write(strip, window=Window(0, top, size, 512))
        # A fresh interpreter: a forked child would start with this process's peak.
        run = subprocess.run(
            [sys.executable, "-c", MAP_IN_A_PROCESS, str(cube), str(tmp_path)],
            env={"PYTHONPATH": str(root / "scripts"), "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        peaks[size] = int(run.stdout) / 1024
    print({size: f"{peak:.0f} MiB" for size, peak in peaks.items()})
    scene_mib = 8192**2 * 7 * 2 / 2**20
    # The scene grows by 840 MiB; what peaks may add is memory that the C library has kept.
    assert peaks[8192] < peaks[2048] + 100
    assert peaks[8192] < scene_mib / 2.5


class Opened:
    """Stands for a dataset: what was opened, and whether it is closed."""

    def __init__(self, key):
        self.key, self.closed = key, False

    def close(self):
        self.closed = True


def test_a_dataset_is_lent_to_one_reader_at_a_time_and_kept_for_the_next():
    datasets = Datasets(Opened)
    with datasets.borrow("a") as one, datasets.borrow("a") as other:
        assert one is not other
    with datasets.borrow("a") as again:
        assert again in (one, other)
        assert datasets.idle == 1
    datasets.close()
    assert one.closed
    assert other.closed


def test_the_longest_unused_dataset_is_closed_where_too_many_rest():
    datasets = Datasets(Opened, most_idle=2)
    opened = []
    for key in "abac":
        with datasets.borrow(key) as dataset:
            opened.append(dataset)
    a, b, _, c = opened
    assert [a.closed, b.closed, c.closed] == [False, True, False]
    datasets.close(["c"])
    assert [a.closed, c.closed] == [False, True]


def test_a_dataset_that_raised_is_closed_and_not_lent_again():
    datasets = Datasets(Opened)
    with pytest.raises(ValueError, match="broken"), datasets.borrow("a") as dataset:
        raise ValueError("broken")
    assert dataset.closed
    assert datasets.idle == 0


@pytest.mark.parametrize("dtype", ["int16", "uint16"])
def test_a_cube_that_has_lost_its_nodata_value_is_refused(tmp_path, dtype):
    values = np.ones((1, 4, 4), dtype)
    path = write_raster(tmp_path / "cube.tif", values, tags={"NORMALISATION": "clip"})
    with pytest.raises(InputError, match=r"cube\.tif: is a cube that has lost its nodata value"):
        read_info(path)
    path = write_raster(tmp_path / "whole.tif", values, nodata=0, tags={"NORMALISATION": "clip"})
    assert read_info(path).nodata == 0
    # Rasters of others need none.
    assert read_info(write_raster(tmp_path / "other.tif", values)).nodata is None


def test_complex_numbers_are_refused(tmp_path):
    path = write_raster(tmp_path / "a.tif", np.ones((1, 4, 5), np.complex64))
    with pytest.raises(InputError, match=r"a\.tif: holds complex numbers \(complex64\)"):
        read_info(path)


@pytest.mark.parametrize("scale", [0.0, np.nan, np.inf])
def test_a_scale_that_is_none_is_refused(tmp_path, scale):
    path = write_raster(tmp_path / "a.tif", np.ones((1, 4, 4), "int16"), scale=scale)
    with pytest.raises(InputError, match=r"a\.tif: its scale of .* is none"):
        read_info(path)


@pytest.mark.parametrize("centre", ["-1", "0", "1e30", "inf", "nan"])
def test_wavelengths_that_no_sensor_has_are_refused(tmp_path, centre):
    path = write_raster(tmp_path / "a.tif", np.ones((1, 4, 4), "int16"))
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(1, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=centre, FWHM_UM="0.01")
    with pytest.raises(InputError, match=r"CENTRAL_WAVELENGTH_UM = .* is no length in micro"):
        read_info(path)


def test_a_raster_that_ends_while_it_is_read_is_named(tmp_path):
    path = tmp_path / "cut.tif"
    profile = {"width": 256, "height": 256, "count": 1, "dtype": "uint8", "driver": "GTiff"}
    with rasterio.open(path, "w", **profile) as target:
        target.write(np.ones((1, 256, 256), "uint8"))
    path.write_bytes(path.read_bytes()[:-4096])
    with pytest.raises(InputError, match=r"cut\.tif: broken or truncated"), opened(path) as source:
        source.read()
