"""Outlines of grids, shapes in other systems, and what lies under turned grids and across 180°."""

import json
import math

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

from gossan.accuracy.truth import NO_TRUTH, open_truth
from gossan.cube.stack import _places_in as places_in
from gossan.cube.stack import stack_grid
from gossan.errors import InputError
from gossan.legend import MapClass
from gossan.outlines import cut_at_180, degrees_of, outline, reproject, wrap_degrees
from gossan.prospects.potential import open_hosts
from gossan.raster import Grid
from gossan.report.drawing import read_shapes
from gossan.stac import build_item
from gossan.targets.sites import read_sites, tally_block

UTM = CRS.from_epsg(32629)
CLASSES = [MapClass(1, "kaolinite", "Kaolinite", "#ff0000")]
ANGLES = (0, 30, 45, 90, 137, 180, 270)


def turned(angle, side=64):
    """A grid of 30 m about one place, turned; (0, 0) is its middle."""
    middle = Affine.translation(500_000, 4_000_000) @ Affine.rotation(angle)
    return Grid(UTM, middle @ Affine(30, 0, -15 * side, 0, -30, 15 * side), side, side)


def centres(grid, step=7):
    rows, columns = np.mgrid[3 : grid.height : step, 2 : grid.width : step]
    x, y = grid.place(columns.ravel() + 0.5, rows.ravel() + 0.5)
    return rows.ravel(), columns.ravel(), x, y


def write(path, grid, shapes, **attributes):
    geopandas.GeoDataFrame(attributes, geometry=list(shapes), crs=grid.crs.to_wkt()).to_file(path)
    return path


@pytest.mark.parametrize("angle", ANGLES)
def test_the_outline_of_a_window_holds_the_centres_of_its_pixels_and_no_others(angle):
    grid = turned(angle)
    edge = outline(grid, Window(10, 20, 30, 5))
    rows, columns = np.mgrid[: grid.height, : grid.width]
    x, y = grid.place(columns + 0.5, rows + 0.5)
    inside = (rows >= 20) & (rows < 25) & (columns >= 10) & (columns < 40)
    assert np.array_equal(shapely.contains_xy(edge, x, y), inside)


@pytest.mark.parametrize("angle", ANGLES)
def test_points_of_truth_are_found_on_a_grid_however_it_is_turned(tmp_path, angle):
    grid = turned(angle)
    rows, columns, x, y = centres(grid)
    path = write(
        tmp_path / "t.gpkg",
        grid,
        geopandas.points_from_xy(x, y),
        **{"class": ["kaolinite"] * len(x)},
    )
    truth = open_truth(path, grid, CLASSES)
    found = np.full(grid.shape, NO_TRUTH)
    for row in range(0, 64, 16):
        for column in range(0, 64, 16):
            window = Window(column, row, 16, 16)
            found[window.toslices()] = truth.read(window)[0]
    assert sorted(zip(*np.nonzero(found == 1), strict=True)) == sorted(
        zip(rows, columns, strict=True)
    )


@pytest.mark.parametrize("angle", ANGLES)
def test_units_and_sites_are_found_on_a_grid_however_it_is_turned(tmp_path, angle):
    grid = turned(angle)
    x, y = centres(grid)[2:]
    squares = shapely.box(x - 1, y - 1, x + 1, y + 1)
    hosts = open_hosts(write(tmp_path / "h.gpkg", grid, squares, iron=["yes"] * len(x)), grid)
    sites = read_sites(
        write(tmp_path / "s.gpkg", grid, geopandas.points_from_xy(x, y)), grid, "claims", None, ""
    )
    potential, score = np.full((16, 16), 3, np.uint8), np.full((16, 16), 0.5, np.float32)
    hosting, touched = 0, 0
    for row in range(0, 64, 16):
        for column in range(0, 64, 16):
            window = Window(column, row, 16, 16)
            hosting += hosts(window).sum()
            _, tally = tally_block(sites, window, grid, potential, score)
            touched += np.count_nonzero(tally.code)
    assert (hosting, touched) == (len(x), len(x))


def test_what_lies_in_the_corner_of_the_box_about_a_turned_map_is_not_over_it(tmp_path):
    grid = turned(45)
    west, south, _, _ = grid.bounds
    path = write(
        tmp_path / "t.gpkg",
        grid,
        [shapely.Point(west + 30, south + 30)],
        **{"class": ["kaolinite"]},
    )
    with pytest.raises(InputError, match="does not overlap"):
        open_truth(path, grid, CLASSES)


@pytest.mark.parametrize("angle", [45, 180])
def test_shapes_are_drawn_in_the_pixels_of_a_turned_map(tmp_path, angle):
    grid = turned(angle)
    rows, columns, x, y = centres(grid)
    shapes = read_shapes(write(tmp_path / "s.gpkg", grid, geopandas.points_from_xy(x, y)), grid)
    np.testing.assert_allclose(shapes.points, np.transpose([columns, rows]) + 0.5, atol=1e-6)


def write_truth(path, codes, grid, nodata):
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=1,
        height=grid.height,
        width=grid.width,
        dtype=codes.dtype,
        crs=grid.crs,
        transform=grid.transform,
        nodata=nodata,
    ) as target:
        target.write(codes, 1)
    return path


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32"])
@pytest.mark.parametrize(("nodata", "unknown"), [(None, [255]), (0, [0]), (200, [200])])
def test_codes_of_a_truth_mean_the_same_on_its_grid_on_a_finer_and_on_a_shifted_one(
    tmp_path, dtype, nodata, unknown
):
    grid = turned(0)
    fine = Grid(UTM, grid.transform @ Affine.scale(1 / 3), 192, 192)
    apart = Grid(UTM, grid.transform @ Affine.translation(-20, -8), 110, 80)
    codes = np.zeros(grid.shape, dtype)
    codes[:, 10:20], codes[:, 20:30], codes[:, 30:40] = 1, 255, 200
    expected = np.where(np.isin(codes, unknown), NO_TRUTH, codes.astype(np.int32))
    around = np.full(apart.shape, codes.dtype.type(1 if nodata is None else nodata))
    around[8:72, 20:84] = codes
    for name, where, numbers in (
        ("same", grid, codes),
        ("fine", fine, np.kron(codes, np.ones((3, 3), dtype))),
        ("apart", apart, around),
    ):
        path = write_truth(tmp_path / f"{name}.tif", numbers, where, nodata)
        found = open_truth(path, grid, CLASSES).read(Window(0, 0, 64, 64))[0]
        assert np.array_equal(found, expected), name


def test_ground_beside_a_truth_raster_is_unknown_whatever_its_codes(tmp_path):
    grid = turned(0)
    half = Grid(UTM, grid.transform, 32, 64)
    path = write_truth(tmp_path / "half.tif", np.zeros(half.shape, np.uint8), half, None)
    found = open_truth(path, grid, CLASSES).read(Window(0, 0, 64, 64))[0]
    assert (found[:, :32] == 0).all()
    assert (found[:, 32:] == NO_TRUTH).all()


def test_a_long_straight_edge_of_truth_is_bent_as_the_other_system_bends_it(tmp_path):
    # A square of 1.2 degrees: its northern edge is a parallel, 90 m off the chord in UTM.
    square = geopandas.GeoDataFrame(
        {"class": ["kaolinite"]}, geometry=[shapely.box(-9.6, 60, -8.4, 61)], crs="EPSG:4326"
    )
    square.to_file(tmp_path / "t.gpkg")
    x, y = geopandas.GeoSeries([shapely.Point(-9.0, 61)], crs=4326).to_crs(UTM)[0].coords[0]
    grid = Grid(UTM, Affine(10, 0, x - 5, 0, -10, y + 500), 1, 100)
    truth = open_truth(tmp_path / "t.gpkg", grid, CLASSES)
    northern = np.flatnonzero(truth.read(Window(0, 0, 1, 100))[0, :, 0] == 1)[0]
    assert northern == pytest.approx(50, abs=1)
    straight = square.to_crs(UTM).geometry[0].bounds[3]
    assert abs(straight - y) > 30
    bent = reproject(square, UTM, "square.gpkg").geometry[0]
    assert bent.distance(shapely.Point(x, y)) < 0.1


@pytest.mark.parametrize("pixel_m", [30, 20])
@pytest.mark.parametrize(("code", "east"), [(32601, 340_000), (32660, 612_000)])
def test_the_common_grid_of_a_scene_across_180_lies_in_its_own_hemisphere(pixel_m, code, east):
    crs = CRS.from_epsg(code)
    grid = Grid(crs, Affine(25, 0, east, 0, -25, 7_300_000), 2000, 1000)
    stacked = stack_grid({"landsat": grid}, pixel_m)
    assert stacked.crs.to_epsg() in (32601, 32660)
    assert stacked.width * stacked.height * pixel_m**2 < 3 * 2000 * 1000 * 25**2
    lons = np.asarray(degrees_of(outline(stacked), stacked.crs).exterior.coords)[:, 0]
    assert np.abs(wrap_degrees(lons, 180) - 180).max() < 3


def test_a_raster_in_degrees_across_180_is_found_from_both_sides():
    degrees = Grid(CRS.from_epsg(4326), Affine(0.01, 0, 179.5, 0, -0.01, 66), 100, 100)
    from rasterio.warp import transform

    lons, lats = np.array([179.75, -179.75]), np.array([65.5, 65.5])
    xs, ys = transform(CRS.from_epsg(4326), CRS.from_epsg(32601), lons, lats)
    columns, rows = places_in(degrees, CRS.from_epsg(32601), np.array(xs), np.array(ys))
    np.testing.assert_allclose(columns, [25, 75], atol=1e-4)
    np.testing.assert_allclose(rows, [50, 50], atol=1e-4)


def test_an_item_across_180_has_two_parts_and_the_larger_number_in_the_west(tmp_path):
    grid = Grid(CRS.from_epsg(32601), Affine(30, 0, 310_000, 0, -30, 7_300_000), 4000, 2000)
    (tmp_path / "a.json").write_text("{}")
    item = json.loads(json.dumps(build_item("a", grid, None, {"a": tmp_path / "a.json"})))
    west, south, east, north = item["bbox"]
    assert 178 < west < 180 and -180 < east < -176 and south < north
    assert item["geometry"]["type"] == "MultiPolygon"
    parts = [shapely.Polygon(part[0]) for part in item["geometry"]["coordinates"]]
    assert len(parts) == 2 and all(part.is_valid for part in parts)
    assert parts[0].bounds[0] == west and parts[0].bounds[2] == 180
    assert parts[1].bounds[0] == -180 and parts[1].bounds[2] == east
    for part in parts:
        assert part.exterior.is_ccw
    whole = degrees_of(outline(grid), grid.crs)
    assert math.isclose(sum(part.area for part in parts), whole.area, rel_tol=1e-6)


def test_a_shape_that_ends_at_180_is_not_cut():
    square = shapely.box(179, 10, 180, 11)
    assert [part.bounds for part in cut_at_180(square)] == [square.bounds]


def test_holes_stay_where_a_shape_is_cut():
    holed = shapely.Polygon(
        shapely.box(179, 10, 181, 12).exterior, [shapely.box(180.2, 10.5, 180.8, 11).exterior]
    )
    east, west = cut_at_180(holed)
    assert len(east.interiors) == 0
    assert west.interiors[0].bounds == pytest.approx((-179.8, 10.5, -179.2, 11))


def test_a_map_without_a_system_is_told_by_the_file_that_needs_one(tmp_path):
    square = geopandas.GeoDataFrame(
        {"class": ["kaolinite"]}, geometry=[shapely.box(-9.6, 60, -8.4, 61)], crs="EPSG:4326"
    )
    square.to_file(tmp_path / "t.gpkg")
    grid = Grid(None, Affine(10, 0, 0, 0, -10, 0), 4, 4)
    with pytest.raises(InputError, match=r"t\.gpkg: the map has no coordinate system"):
        open_truth(tmp_path / "t.gpkg", grid, CLASSES)
