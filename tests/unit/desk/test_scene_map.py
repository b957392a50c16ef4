import geopandas
from shapely.geometry import Point

from gossan.desk.scene_map import name_targets


def test_known_ground_comes_after_the_targets_and_has_names_of_its_own():
    table = {"id": ["K01", "T10", "T02", "K12"], "rank": [1, 10, 2, 12]}
    features = geopandas.GeoDataFrame(table, geometry=[Point(place, 0) for place in range(4)])
    assert [(name, shape.x) for name, shape in name_targets(features)] == [
        *(("2", 2), ("10", 1)),
        *(("K1", 0), ("K12", 3)),
    ]
