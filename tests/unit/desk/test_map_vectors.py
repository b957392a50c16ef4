"""Features of a map in a browser."""

import geopandas
import shapely
from rasterio.crs import CRS

from gossan.desk.map_rasters import Frame
from gossan.desk.map_vectors import read_marks


def test_new_ground_is_named_by_its_rank_and_known_ground_by_its_id(tmp_path):
    table = {"rank": [1, 1], "id": ["T01", "K01"], "known": [None, "known deposit"]}
    shapes = [shapely.Point(1, 1), shapely.Point(2, 2)]
    path = tmp_path / "targets.gpkg"
    geopandas.GeoDataFrame(table, geometry=shapes, crs="EPSG:32612").to_file(path)
    marks, _ = read_marks(path, Frame(CRS.from_epsg(32612)), (0, 0, 3, 3), 0.1)
    assert [mark["name"] for mark in marks] == ["1", "K01"]
