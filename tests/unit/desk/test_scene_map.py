"""Still pictures of a scene."""

import geopandas
import numpy as np
from matplotlib.colors import to_rgb
from samples import write_raster
from shapely.geometry import Point

from gossan.desk.layers import SceneLayer
from gossan.desk.scene_map import LEAST_PX, name_targets, paint_layer
from gossan.legend import UNCLASSIFIED_COLOUR, MapClass, write_class_style


def paint(path, codes):
    write_raster(path, codes, nodata=255)
    write_class_style(path, [MapClass(2, "alunite", "Alunite", "#00FE00")])
    return paint_layer(SceneLayer("maps", "minerals", "", "classes", path, "Minerals"))[0]


def test_masked_ground_of_few_pixels_has_fine_stripes(tmp_path):
    codes = np.full((1, 4, 6), 2, np.uint8)
    assert paint(tmp_path / "clear.tif", codes).shape == (4, 6, 3)
    codes[0, 0, 0] = 255
    picture = paint(tmp_path / "masked.tif", codes)
    assert picture.shape == (4 * LEAST_PX // 6, LEAST_PX, 3)
    side = LEAST_PX // 6
    assert len(np.unique(picture[:side, :side].reshape(-1, 3), axis=0)) == 2
    assert np.allclose(picture[side:], [0, 254 / 255, 0])


def test_unclassified_ground_without_a_cube_has_the_colour_of_legends(tmp_path):
    codes = np.array([[[2, 0], [0, 2]]], np.uint8)
    expected = [to_rgb("#00FE00"), to_rgb(UNCLASSIFIED_COLOUR)]
    picture = paint(tmp_path / "class.tif", codes)
    assert np.allclose(picture.reshape(4, 3), np.array(expected)[[0, 1, 1, 0]])


def test_known_ground_comes_after_the_targets_and_has_names_of_its_own():
    table = {"id": ["K01", "T10", "T02", "K12"], "rank": [1, 10, 2, 12]}
    features = geopandas.GeoDataFrame(table, geometry=[Point(place, 0) for place in range(4)])
    assert [(name, shape.x) for name, shape in name_targets(features)] == [
        *(("2", 2), ("10", 1)),
        *(("K1", 0), ("K12", 3)),
    ]
