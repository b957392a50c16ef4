"""Outlines of the classes of a map."""

import numpy as np
import pytest
from qgis_runs import ask_qgis
from rasterio.crs import CRS
from rasterio.transform import from_origin

from gossan.legend import MapClass
from gossan.maps import Ramp
from gossan.minerals.class_outlines import LEAST_PX, outline_classes, write_outlines
from gossan.raster import Grid, Layer, map_blocks

GRID = Grid(CRS.from_epsg(32643), from_origin(430_000, 3_990_000, 30, 30), 64, 64)
CLASSES = [
    MapClass(3, "alunite", "Alunite", "#E53935"),
    MapClass(7, "kaolinite", "Kaolinite <b>", "#1565C0"),
]


@pytest.fixture
def maps(tmp_path):
    """A square of each class, one with a speck of the other in it, and nodata beside."""
    codes, angle = np.zeros((1, 64, 64), np.float32), np.full((1, 64, 64), 0.5, np.float32)
    codes[0, 4:24, 4:24], angle[0, 4:24, 4:24] = 3, 0.1
    codes[0, 10:12, 10:12], angle[0, 10:12, 10:12] = 7, 0.9
    codes[0, 40:60, 40:60], angle[0, 40:60, 40:60] = 7, 0.2
    codes[0, 40:60, 60:], angle[0, 40:60, 60:] = np.nan, np.nan
    paths = tmp_path / "class.tif", tmp_path / "angle.tif"
    layers = [
        Layer(paths[0], "uint8", 255, ("class",), overviews="mode"),
        Ramp.of_angles(paths[1], ("angle",), 0.5).layer(),
    ]
    map_blocks(
        lambda first, second: [first, second], [lambda _: codes, lambda _: angle], layers, grid=GRID
    )
    return paths


def test_specks_are_merged_and_patches_have_their_area_and_mean_angle(maps):
    assert LEAST_PX > 2 * 2
    table = outline_classes(*maps, CLASSES)
    assert table["class"].tolist() == ["alunite", "kaolinite"]
    assert table["pixels"].tolist() == [400, 400]
    assert table["area_ha"].tolist() == [36.0, 36.0]
    assert table.area.tolist() == [360_000, 360_000]
    # The mean is of the pixels that the map itself calls so.
    assert table["angle_rad"].tolist() == pytest.approx([0.1, 0.2], abs=1e-5)
    assert table.total_bounds.tolist() == [430_120, 3_988_200, 431_800, 3_989_880]


def test_a_map_beyond_the_limit_is_outlined_coarser(maps):
    table = outline_classes(*maps, CLASSES, most_px=32 * 32)
    assert table["class"].tolist() == ["alunite", "kaolinite"]
    assert table["pixels"].tolist() == [100, 100]
    assert table["area_ha"].tolist() == [36.0, 36.0]


def test_qgis_fills_the_outlines_with_the_colours_of_the_map(maps, tmp_path):
    path = tmp_path / "outlines.gpkg"
    write_outlines(path, *maps, CLASSES)
    first = path.read_bytes()
    write_outlines(path, *maps, CLASSES)
    assert path.read_bytes() == first
    told = ask_qgis("layer", f"{path}|layername=outlines")
    assert told["categories"] == {"alunite": "Alunite", "kaolinite": "Kaolinite <b>", "": "Other"}
    assert told["colours"][:2] == ["#e53935", "#1565c0"]
    assert told["aliases"]["area_ha"] == "Area, ha"


def test_a_map_that_names_nothing_has_no_outlines(maps, tmp_path):
    empty = tmp_path / "empty.tif"
    layer = Layer(empty, "uint8", 255, ("class",), overviews="mode")
    map_blocks(lambda block: block, [lambda _: np.zeros((1, 64, 64))], [layer], grid=GRID)
    write_outlines(tmp_path / "outlines.gpkg", empty, maps[1], CLASSES)
    assert len(outline_classes(empty, maps[1], CLASSES)) == 0
