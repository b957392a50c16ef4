import sqlite3
from contextlib import closing

import geopandas
import numpy as np
import pytest
from prospects import pixel_box, pixel_point, write_shapes
from rasterio.crs import CRS
from rasterio.transform import from_origin
from shapely import box, transform
from shapely.geometry import LineString, Point

from gossan.errors import InputError
from gossan.raster import Grid
from gossan.vectors import POINTS, POLYGONS, read_features

GRID = Grid(CRS.from_epsg(32643), from_origin(430_000, 3_990_000, 30, 30), 180, 150)


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".shp"])
def test_any_vector_file_is_brought_to_the_grid(tmp_path, suffix):
    shape = pixel_box(10, 20, 30, 40)
    path = write_shapes(tmp_path / f"claims{suffix}", [shape], "EPSG:4326", name=["a"])
    found = read_features(path, GRID, "claims", POLYGONS, ("name",))
    assert found.crs == GRID.crs
    assert found.geometry.iloc[0].symmetric_difference(shape).area < 1


def test_edges_bend_when_they_are_reprojected(tmp_path):
    corners = [(73, 35), (75.9, 35), (75.9, 36.9), (73, 36.9)]
    wide = geopandas.GeoDataFrame(geometry=[Point(*corners[0]).buffer(1)], crs="EPSG:4326")
    wide.geometry = [LineString([*corners, corners[0]]).convex_hull]
    wide.to_file(tmp_path / "wide.gpkg")
    found = read_features(tmp_path / "wide.gpkg", GRID, "units", POLYGONS).geometry.iloc[0]
    assert len(found.exterior.coords) > 100


def test_missing_geometries_are_left_out(tmp_path):
    shapes = [None, pixel_point(3, 3), Point()]
    path = write_shapes(tmp_path / "p.geojson", shapes, name=["a", "b", "c"])
    found = read_features(path, GRID, "points", POINTS)
    assert found.name.tolist() == ["b"]
    assert found.index.tolist() == [0]


def fault(path, kinds=POLYGONS, attributes=(), grid=GRID):
    with pytest.raises(InputError) as error:
        read_features(path, grid, "claims", kinds, attributes)
    return str(error.value)


def test_unusable_files_are_refused_by_name(tmp_path):
    assert "gone.gpkg: no such file of claims" in fault(tmp_path / "gone.gpkg")
    (tmp_path / "text.gpkg").write_text("nothing")
    assert "text.gpkg: not a vector file" in fault(tmp_path / "text.gpkg")
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    assert "table.csv: needs one column called longitude" in fault(tmp_path / "table.csv")
    (tmp_path / "table.txt").write_text("a,b\n1,2\n")
    assert "table.txt: not a vector file" in fault(tmp_path / "table.txt")
    path = write_shapes(tmp_path / "points.gpkg", [pixel_point(1, 1)], name=["a"])
    assert "points.gpkg: holds Point; claims are Polygon or" in fault(path)
    assert "lack the attribute 'substance' (they have: name)" in fault(path, POINTS, ("substance",))
    far = write_shapes(tmp_path / "far.gpkg", [pixel_box(900, 910, 5, 9)])
    assert "far.gpkg: none of the claims lies over the map" in fault(far)
    plan = write_shapes(tmp_path / "plan.gpkg", [pixel_box(1, 9, 1, 9)])
    with closing(sqlite3.connect(plan)) as file:
        file.execute("UPDATE gpkg_geometry_columns SET srs_id = -1")
        file.commit()
    assert "plan.gpkg: from its coordinate system (Undefined" in fault(plan)
    nowhere = Grid(None, GRID.transform, 180, 150)
    assert "the map has no coordinate system" in fault(path, POINTS, grid=nowhere)
    geopandas.GeoDataFrame(geometry=[pixel_box(1, 9, 1, 9)]).to_file(tmp_path / "bare.gpkg")
    assert "bare.gpkg: has no coordinate system; assign one" in fault(tmp_path / "bare.gpkg")
    empty = write_shapes(tmp_path / "empty.geojson", [None], name=["a"])
    assert "empty.geojson: holds no geometry" in fault(empty)


def test_features_beyond_the_map_are_counted_in_the_log(tmp_path, caplog):
    caplog.set_level("INFO")
    shapes = [pixel_point(10, 10), pixel_point(900, 900), pixel_point(20, 20)]
    read_features(write_shapes(tmp_path / "mines.gpkg", shapes), GRID, "mines", POINTS)
    assert "mines.gpkg: 1 of 3 mines lie beyond the map" in caplog.text


def test_a_bounding_box_over_the_map_is_not_enough(tmp_path):
    ends = [pixel_box(-40, -20, 50, 60), pixel_box(300, 320, 50, 60)]
    path = write_shapes(tmp_path / "around.gpkg", ends, n=np.arange(2))
    assert "none of the claims lies over the map" in fault(path)


def test_where_features_and_scene_lie_is_told_when_they_lie_apart(tmp_path):
    far = geopandas.GeoSeries([box(-71.6, -33.1, -71.4, -32.9)], crs=4326)
    far.to_file(tmp_path / "far.geojson")
    middle = geopandas.GeoSeries([pixel_box(0, GRID.height, 0, GRID.width)], crs=GRID.crs)
    place = middle.centroid.to_crs(4326).iloc[0]
    with pytest.raises(InputError) as told:
        read_features(tmp_path / "far.geojson", GRID, "claims", POLYGONS)
    assert (
        "it lies about 33.00° S 71.50° W, the scene about "
        f"{place.y:.2f}° N {place.x:.2f}° E; check place and CRS of both" in str(told.value)
    )


def test_features_with_latitude_first_are_told_so(tmp_path):
    right = geopandas.GeoSeries([pixel_box(10, 20, 30, 40)], crs=GRID.crs).to_crs(4326)
    turned = [transform(shape, lambda places: places[:, ::-1]) for shape in right]
    geopandas.GeoSeries(turned, crs=4326).to_file(tmp_path / "claims.geojson")
    with pytest.raises(InputError, match="none of the claims lies over the map; latitude stands"):
        read_features(tmp_path / "claims.geojson", GRID, "claims", POLYGONS)
