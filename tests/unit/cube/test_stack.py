"""Cubes of several sensors on one grid: where pixels land, averages, absence, extents."""

import math

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from gossan.cube.bands import StackBands, lay_out
from gossan.cube.stack import (
    SensorStack,
    averages,
    pixel_size_m,
    read_cubes,
    resample,
    stack_grid,
)
from gossan.errors import InputError
from gossan.raster import BandTable, Grid

UTM = CRS.from_epsg(32611)
WGS84 = CRS.from_epsg(4326)
EAST, NORTH = 480_000.0, 4_155_000.0
TARGET = Grid(UTM, Affine(30, 0, EAST, 0, -30, NORTH), 20, 16)


def utm_grid(pixel_m, width, height, east=EAST, north=NORTH, crs=UTM):
    return Grid(crs, Affine(pixel_m, 0, east, 0, -pixel_m, north), width, height)


def write_cube(path, grid, stored, centres=(0.5, 0.6), tags=None):
    """Write (bands, rows, columns) int16 as a cube."""
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=len(stored),
        width=grid.width,
        height=grid.height,
        dtype="int16",
        nodata=-32768,
        crs=grid.crs,
        transform=grid.transform,
    ) as dataset:
        dataset.write(stored.astype("int16"))
        dataset.scales = [1e-4] * len(stored)
        dataset.descriptions = [f"B{band:03d}" for band in range(1, len(stored) + 1)]
        for band, centre in enumerate(centres, start=1):
            dataset.update_tags(
                band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=str(centre), FWHM_UM="0.01"
            )
        dataset.update_tags(**(tags or {}))
    return path


def read_all(paths, grid):
    infos = read_cubes(paths)
    bands, _ = lay_out({name: info.bands for name, info in infos.items()})
    with SensorStack(infos, bands, grid) as stack:
        values, bits = stack.read(Window(0, 0, grid.width, grid.height))
        return values, bits, stack


# ---- where pixels land --------------------------------------------------------------------------


def test_the_same_pixels_are_copied_as_they_are(tmp_path):
    stored = np.random.default_rng(1).integers(0, 9000, (2, 16, 20))
    cube = write_cube(tmp_path / "a.tif", TARGET, stored)
    values, bits, _ = read_all({"enmap": cube}, TARGET)
    np.testing.assert_array_equal(values, stored.astype("float32") * np.float32(1e-4))
    assert (bits == 2).all()


@pytest.mark.parametrize(
    ("shift_m", "moved_px"), [(-16, 1), (-14, 0), (-1, 0), (0, 0), (1, 0), (14, 0), (16, -1)]
)
def test_a_centre_decides_which_pixel_it_is(shift_m, moved_px):
    """Off by less than half a pixel, a grid gives its own pixels; by more, their neighbours."""
    source = utm_grid(30, 24, 20, EAST - 60 + shift_m, NORTH + 60)
    values = np.arange(24 * 20, dtype="float32").reshape(1, 20, 24)
    got = resample(values, source.transform, UTM, TARGET, average=False)
    np.testing.assert_array_equal(got, values[:, 2:18, 2 + moved_px : 22 + moved_px])


def test_each_pixel_of_a_geographic_raster_lands_where_its_own_place_is():
    """EMIT's pixels of about 60 m in degrees, each named by its place, against the transform."""
    (lon,), (lat,) = transform_points(UTM, WGS84, [EAST - 300], [NORTH + 300])
    side = 0.000542232520256367
    source = Grid(WGS84, Affine(side, 0, lon, 0, -side, lat), 40, 30)
    rows, columns = np.mgrid[:30, :40].astype("float32")
    got = resample(np.stack([rows, columns]), source.transform, WGS84, TARGET, average=False)
    x, y = np.meshgrid(
        EAST + 30 * (np.arange(TARGET.width) + 0.5), NORTH - 30 * (np.arange(TARGET.height) + 0.5)
    )
    lons, lats = transform_points(UTM, WGS84, x.ravel(), y.ravel())
    np.testing.assert_array_equal(got[1].ravel(), np.floor((np.array(lons) - lon) / side))
    np.testing.assert_array_equal(got[0].ravel(), np.floor((lat - np.array(lats)) / side))


def test_coarse_pixels_are_repeated_on_their_own_ground():
    source = utm_grid(60, 10, 8)
    values = np.arange(80, dtype="float32").reshape(1, 8, 10)
    got = resample(values, source.transform, UTM, TARGET, average=False)
    np.testing.assert_array_equal(got[0], values[0].repeat(2, 0).repeat(2, 1))


# ---- averages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("pixel_m", [10.0, 7.5])
def test_fine_pixels_are_averaged_over_the_pixel_that_holds_them(pixel_m):
    n = round(30 / pixel_m)
    rng = np.random.default_rng(2)
    fine = rng.random((3, 16 * n, 20 * n)).astype("float32")
    padded = np.pad(fine, ((0, 0), (n, n), (n, n)), constant_values=np.nan)
    source = utm_grid(pixel_m, 20 * n + 2 * n, 16 * n + 2 * n, EAST - 30, NORTH + 30)
    got = resample(padded, source.transform, UTM, TARGET, average=True)
    expected = fine.reshape(3, 16, n, 20, n).mean(axis=(2, 4))
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_pixels_on_a_border_count_by_their_share():
    """Fine pixels that are off by half of themselves: those at the rim count half."""
    fine = np.zeros((1, 100, 100), "float32")
    fine[:, :, 23] = 1.0
    # Column 23 reaches from 5 m before EAST to 5 m beyond it.
    source = utm_grid(10, 100, 100, EAST - 235, NORTH + 235)
    got = resample(fine, source.transform, UTM, TARGET, average=True)
    np.testing.assert_allclose(got[0, :, 0], 5 / 30, rtol=1e-5)
    np.testing.assert_allclose(got[0, :, 1:], 0, atol=1e-7)


def test_at_least_half_of_a_pixel_must_have_data():
    fine = np.full((2, 16 * 2, 20 * 2), 0.5, "float32")
    fine[:, :2, :2] = [[np.nan, np.nan], [0.1, 0.3]]
    fine[:, :2, 2:4] = [[np.nan, np.nan], [np.nan, 0.3]]
    fine = np.pad(fine, ((0, 0), (2, 2), (2, 2)), constant_values=np.nan)
    source = utm_grid(15, 44, 36, EAST - 30, NORTH + 30)
    got = resample(fine, source.transform, UTM, TARGET, average=True)
    np.testing.assert_allclose(got[:, 0, 0], 0.2, rtol=1e-6)
    assert np.isnan(got[:, 0, 1]).all()
    assert np.isfinite(got[:, 0, 2:]).all()


def test_fine_pixels_of_another_zone_are_averaged_over_the_pixel():
    """Each holds its place along the target's axes, so that means tell the target's centres."""
    zone = CRS.from_epsg(32612)
    (x,), (y,) = transform_points(UTM, zone, [EAST - 200], [NORTH + 200])
    source = Grid(zone, Affine(10, 0, x, 0, -10, y), 110, 110)
    columns, rows = np.meshgrid(np.arange(110) + 0.5, np.arange(110) + 0.5)
    xs, ys = source.place(columns.ravel(), rows.ravel())
    places = np.array(transform_points(zone, UTM, xs, ys)) - [[EAST], [NORTH]]
    values = places.reshape(2, 110, 110).astype("float32")
    values[:, :30] = np.nan
    got = resample(values, source.transform, zone, TARGET, average=True)
    column, row = np.meshgrid(np.arange(20) + 0.5, np.arange(16) + 0.5)
    deep = (slice(6, None), slice(None))
    np.testing.assert_allclose(got[0][deep], 30 * column[deep], atol=2)
    np.testing.assert_allclose(got[1][deep], -30 * row[deep], atol=2)
    assert np.isnan(got[:, 0]).all()


def test_what_is_averaged():
    assert averages(utm_grid(10, 9, 9), TARGET)
    assert averages(utm_grid(7.5, 9, 9), TARGET)
    assert not averages(utm_grid(30, 9, 9), TARGET)
    assert not averages(utm_grid(60, 9, 9), TARGET)
    assert pixel_size_m(utm_grid(7.5, 9, 9), TARGET) == pytest.approx(7.5)
    (lon,), (lat,) = transform_points(UTM, WGS84, [EAST], [NORTH])
    side = 60 / 111_000
    degrees = Grid(WGS84, Affine(side, 0, lon, 0, -side, lat), 9, 9)
    expected = 60 * math.sqrt(math.cos(math.radians(lat)))
    assert pixel_size_m(degrees, TARGET) == pytest.approx(expected, rel=0.01)


# ---- presence -----------------------------------------------------------------------------------


def test_a_sensor_is_absent_where_one_kept_band_has_no_data(tmp_path):
    stored = np.full((3, 16, 20), 5000)
    stored[1, 3, 4] = -32768
    stored[2, 8, 9] = -32768
    # The third band lies in an excluded range: its hole does not count.
    a = write_cube(tmp_path / "a.tif", TARGET, stored, (0.5, 0.6, 0.95))
    b = write_cube(tmp_path / "b.tif", utm_grid(60, 10, 8), np.full((2, 8, 10), 700))
    values, bits, stack = read_all({"prisma": a, "emit": b}, TARGET)
    assert stack.bands.sensor == ("emit", "emit", "prisma", "prisma")
    assert bits[3, 4] == 1
    assert (np.delete(bits.ravel(), 3 * 20 + 4) == 5).all()
    assert np.isnan(values[2:, 3, 4]).all()
    assert np.isfinite(values[:, 8, 9]).all()
    assert stack.pixels == {"emit": 320, "prisma": 319}


def test_what_a_cube_does_not_reach_is_absent(tmp_path):
    a = write_cube(tmp_path / "a.tif", TARGET, np.full((2, 16, 20), 5000))
    part = utm_grid(10, 15, 12, EAST + 300, NORTH - 60)
    b = write_cube(tmp_path / "b.tif", part, np.full((2, 12, 15), 700))
    values, bits, _ = read_all({"enmap": a, "sentinel2": b}, TARGET)
    expected = np.full(TARGET.shape, 2)
    expected[2:6, 10:15] = 10
    np.testing.assert_array_equal(bits, expected)
    np.testing.assert_array_equal(np.isfinite(values[2]), expected == 10)


def test_blocks_join_without_a_seam(tmp_path):
    rng = np.random.default_rng(3)
    (lon,), (lat,) = transform_points(UTM, WGS84, [EAST], [NORTH])
    degrees = Grid(WGS84, Affine(0.00054, 0, lon, 0, -0.00054, lat), 12, 9)
    fine = utm_grid(7.5, 70, 60, EAST + 3, NORTH - 4)
    paths = {
        "emit": write_cube(tmp_path / "e.tif", degrees, rng.integers(0, 9000, (2, 9, 12))),
        "enmap": write_cube(tmp_path / "n.tif", TARGET, rng.integers(0, 9000, (2, 16, 20))),
        "worldview3": write_cube(tmp_path / "w.tif", fine, rng.integers(0, 9000, (2, 60, 70))),
    }
    values, bits, _ = read_all(paths, TARGET)
    infos = read_cubes(paths)
    bands, _ = lay_out({name: info.bands for name, info in infos.items()})
    with SensorStack(infos, bands, TARGET) as stack:
        for row in range(0, 16, 4):
            for column in range(0, 20, 5):
                window = Window(column, row, 5, 4)
                some, seen = stack.read(window)
                part = window.toslices()
                np.testing.assert_allclose(some, values[(..., *part)], atol=1e-6)
                np.testing.assert_array_equal(seen, bits[part])


def test_a_fine_cube_is_read_a_few_rows_at_a_time(tmp_path, monkeypatch):
    rng = np.random.default_rng(4)
    fine = utm_grid(2.5, 240, 192, EAST + 1, NORTH - 1)
    zone = utm_grid(
        7.5,
        70,
        60,
        *(side[0] for side in transform_points(UTM, CRS.from_epsg(32612), [EAST], [NORTH])),
        CRS.from_epsg(32612),
    )
    paths = {
        "sentinel2": write_cube(tmp_path / "s.tif", zone, rng.integers(0, 9000, (2, 60, 70))),
        "worldview3": write_cube(tmp_path / "w.tif", fine, rng.integers(0, 9000, (2, 192, 240))),
    }
    whole, bits, _ = read_all(paths, TARGET)
    sizes = []

    def watched(values, *rest):
        sizes.append(values.nbytes)
        return resample(values, *rest)

    monkeypatch.setattr("gossan.cube.stack.BLOCK_BYTES", 80_000)
    monkeypatch.setattr("gossan.cube.stack.resample", watched)
    values, again, _ = read_all(paths, TARGET)
    np.testing.assert_array_equal(values, whole)
    np.testing.assert_array_equal(again, bits)
    # Few pixels more around each strip, and never less than what lies under a row.
    assert len(sizes) > 4 and max(sizes) < 2 * 80_000 < 4 * 192 * 240


def test_a_sensor_absent_everywhere_is_named(tmp_path):
    a = write_cube(tmp_path / "a.tif", TARGET, np.full((2, 16, 20), 5000))
    b = write_cube(tmp_path / "b.tif", TARGET, np.full((2, 16, 20), -32768))
    with pytest.raises(InputError, match=r"prisma has no pixel .* table of scenes"):
        read_all({"enmap": a, "prisma": b}, TARGET)


def test_a_truncated_cube_is_named(tmp_path):
    rng = np.random.default_rng(4)
    big = utm_grid(30, 256, 256)
    path = write_cube(tmp_path / "a.tif", big, rng.integers(0, 9000, (2, 256, 256)))
    infos = read_cubes({"enmap": path})
    path.write_bytes(path.read_bytes()[:150_000])
    bands, _ = lay_out({"enmap": infos["enmap"].bands})
    with (
        SensorStack(infos, bands, big) as stack,
        pytest.raises(InputError, match=r"a\.tif: broken or truncated"),
    ):
        stack.read(Window(0, 0, 256, 256))


# ---- grids --------------------------------------------------------------------------------------


def test_the_grid_is_enmaps_where_its_pixels_have_the_size():
    grids = {
        "enmap": utm_grid(30, 10, 10, EAST + 13, NORTH + 7),
        "prisma": utm_grid(30, 10, 10, EAST + 2, NORTH + 2),
        "sentinel2": utm_grid(10, 90, 60, EAST - 20, NORTH + 20),
    }
    grid = stack_grid(grids, 30.0)
    left, top = (grid.transform.c - (EAST + 13)) / 30, (grid.transform.f - (NORTH + 7)) / 30
    assert left == round(left) == -2
    assert top == round(top) == 1
    assert grid.bounds[2] >= EAST - 20 + 900
    assert grid.bounds[1] <= NORTH + 20 - 600
    del grids["enmap"]
    assert (stack_grid(grids, 30.0).transform.c - (EAST + 2)) % 30 == 0
    assert stack_grid(grids, 20.0).transform.c % 20 == 0


def test_extents():
    grids = {
        "enmap": utm_grid(30, 10, 10),
        "sentinel2": utm_grid(10, 30, 30, EAST + 90, NORTH - 60),
    }
    assert stack_grid(grids, 30.0, "enmap") == grids["enmap"]
    assert stack_grid(grids, 30.0, "sentinel2") == utm_grid(30, 10, 10, EAST + 90, NORTH - 60)
    assert stack_grid(grids, 30.0, "intersection") == utm_grid(30, 7, 8, EAST + 90, NORTH - 60)
    assert stack_grid(grids, 30.0, "union") == utm_grid(30, 13, 12)


@pytest.mark.parametrize(("lat", "code"), [(37.5, 32611), (-37.5, 32711)])
def test_without_a_grid_of_that_size_it_is_a_utm_grid_of_multiples(lat, code):
    grids = {"emit": Grid(WGS84, Affine(0.00054, 0, -117.2, 0, -0.00054, lat), 50, 40)}
    grid = stack_grid(grids, 30.0)
    assert grid.crs == CRS.from_epsg(code)
    assert grid.transform.a == -grid.transform.e == 30
    assert grid.transform.c % 30 == grid.transform.f % 30 == 0
    xs, ys = transform_points(WGS84, grid.crs, [-117.2, -117.173], [lat, lat - 0.0216])
    west, south, east, north = grid.bounds
    assert west <= min(xs) and max(xs) <= east
    assert south <= min(ys) and max(ys) <= north


@pytest.mark.parametrize(
    ("pixel_m", "extent", "words"),
    [
        (30.0, "prisma", "extent prisma: is none of the cubes"),
        (0.0, "union", "pixel_m 0 is no size"),
        (float("nan"), "union", "pixel_m nan is no size"),
        (30.0, "intersection", "no ground in common"),
        (30.0, "union", "the cube of enmap has no ground in common with those of sentinel2"),
    ],
)
def test_grids_that_cannot_be(pixel_m, extent, words):
    grids = {"enmap": utm_grid(30, 10, 10), "sentinel2": utm_grid(10, 9, 9, EAST + 3000)}
    with pytest.raises(InputError, match=words):
        stack_grid(grids, pixel_m, extent)


def test_there_is_no_utm_at_the_poles():
    grids = {"emit": Grid(WGS84, Affine(0.001, 0, 20, 0, -0.001, 88), 10, 10)}
    with pytest.raises(InputError, match="latitude 88"):
        stack_grid(grids, 30.0)


def test_cubes_that_cannot_be_stacked(tmp_path):
    stored = np.zeros((2, 16, 20))
    bare = write_cube(tmp_path / "bare.tif", TARGET, stored, centres=())
    with pytest.raises(InputError, match=r"bare\.tif: its bands have no wavelengths"):
        read_cubes({"enmap": bare})
    lost = write_cube(tmp_path / "lost.tif", Grid(None, TARGET.transform, 20, 16), stored)
    with pytest.raises(InputError, match=r"lost\.tif: has no reference system"):
        read_cubes({"enmap": lost})
    with pytest.raises(InputError, match="'aviris' is unknown"):
        read_cubes({"aviris": bare})


def test_bands_are_chosen_by_name_not_by_place(tmp_path):
    stored = np.stack([np.full((16, 20), value) for value in (100, 200, 300)])
    cube = write_cube(tmp_path / "a.tif", TARGET, stored, (0.35, 0.5, 0.6))
    infos = read_cubes({"enmap": cube})
    bands = StackBands(("enmap",), ("B003",), (0.6,), (0.01,))
    with SensorStack(infos, bands, TARGET) as stack:
        values, _ = stack.read(Window(0, 0, 20, 16))
    np.testing.assert_allclose(values, 0.03)
    assert bands.table() == BandTable(("enmap:B003",), (0.6,), (0.01,))
