"""The project of QGIS that shows a scene."""

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from PIL import Image
from qgis_runs import ask_qgis
from rasterio.crs import CRS
from rasterio.transform import from_origin
from samples import write_angles
from shapely.geometry import LineString, MultiPolygon, Point, box

from gossan.desk.known_layers import COLOURS, replace_known
from gossan.desk.layers import KNOWN, read_layers
from gossan.desk.qgis_project import SYNTHETIC, build_project
from gossan.errors import InputError
from gossan.legend import MapClass, write_class_style
from gossan.raster import BandTable, Grid, Layer, map_blocks
from gossan.vector_styles import VectorStyle
from gossan.vectors import write_layers

GRID = Grid(CRS.from_epsg(32643), from_origin(430_000, 3_990_000, 30, 30), 60, 60)
CLASSES = [
    MapClass(1, "alunite", "Alunite", "#E53935"),
    MapClass(2, "odd", 'Odd <b> & "quoted"', "#1565C0"),
]
EVIL = '"><script>alert(1)</script>&amp; %1 [% @project_home %]'


def write_raster(path, values, bands, dtype="uint8", nodata=255):
    path.parent.mkdir(parents=True, exist_ok=True)
    map_blocks(
        lambda block: block, [lambda window: values], [Layer(path, dtype, nodata, bands)], grid=GRID
    )
    return path


def write_classes(path):
    codes = np.zeros((1, 60, 60), np.float32)
    codes[0, :30, :30], codes[0, 30:, 30:], codes[0, 50:, :10] = 1, 2, np.nan
    write_raster(path, codes, ("class",))
    write_class_style(path, CLASSES)
    return path


def write_cube(path, centres=(0.482, 0.561, 0.655, 0.865, 1.61, 2.2)):
    steps = np.linspace(0, 1, 3600, dtype=np.float32).reshape(60, 60)
    values = np.stack([steps * (band + 1) / 10 for band in range(len(centres))])
    names = tuple(f"B{number + 1}" for number in range(len(centres)))
    bands = BandTable(names, centres, (0.05,) * len(centres))
    return write_raster(path, values, bands, "float32", np.nan)


def square(column, row, side):
    x, y = 430_000 + 30 * column, 3_990_000 - 30 * row
    return box(x, y - 30 * side, x + 30 * side, y)


def write_targets(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    shapes = [MultiPolygon([square(40, 5, 12)])]
    table = geopandas.GeoDataFrame({"rank": [1]}, geometry=shapes, crs=GRID.crs.to_wkt())
    write_layers(
        path,
        {
            "targets": (table, "MultiPolygon"),
            "points": (table.set_geometry(table.centroid), "Point"),
        },
        {"targets": VectorStyle("#FF00FF", size_mm=1.5)},
    )


def write_known(folder):
    """A KML of mixed geometries with heights, a table of claims, and a truth of other numbers."""
    folder.mkdir()
    [mine] = geopandas.GeoSeries([square(15, 3, 1).centroid], crs=GRID.crs.to_wkt()).to_crs(4326)
    mixed = [Point(mine.x, mine.y, 900), LineString([(74.3, 36.04, 1), (74.31, 36.05, 2)])]
    geopandas.GeoDataFrame({"Name": [EVIL, "b"]}, geometry=mixed, crs=4326).to_file(
        folder / "mines.kml", driver="KML"
    )
    geopandas.GeoDataFrame(
        {"class": ["alunite", EVIL], "fid": [7, 7], "FID_": ["a", "b"]},
        geometry=[square(2, 2, 9), square(20, 20, 9)],
        crs=GRID.crs.to_wkt(),
    ).to_file(folder / "field.geojson")
    codes = np.full((60, 60), -1, np.int32)
    codes[:20, :20], codes[40:, 40:] = 1, 77
    with rasterio.open(
        folder / "truth.tif",
        "w",
        driver="GTiff",
        width=60,
        height=60,
        count=1,
        dtype="int32",
        nodata=-1,
        crs=GRID.crs,
        transform=GRID.transform,
    ) as dataset:
        dataset.write(codes, 1)


def entry(file, group="maps", kind="classes", title="Minerals", method="minerals", **more):
    told = {"group": group, "kind": kind, "title": title, "method": method, "file": str(file)}
    return {**told, "sensor": "landsat", **more}


def known(file, title, method=""):
    return entry(file, "truth", KNOWN, title, method, sensor="")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a scene with its list of layers; what the user knows lies outside of it."""
    folder = tmp_path_factory.mktemp("made")
    scene = folder / "results/scenes/hill"
    write_classes(scene / "landsat/minerals/class.tif")
    write_cube(scene / "landsat/cube/cube.tif")
    angle = np.linspace(0, 1, 3600, dtype=np.float32).reshape(60, 60)
    write_angles(scene / "landsat/minerals/angle.tif", angle, 1.0)
    write_targets(scene / "targets/targets.gpkg")
    outside = folder / "data"
    write_known(outside)
    layers = [
        entry("landsat/cube/cube.tif", "scene", "cube", "Reflectance", "cube"),
        entry("landsat/minerals/class.tif", note="the best <mineral>"),
        entry("landsat/minerals/angle.tif", "fit", "ramp", "Spectral angle", unit="rad"),
        entry("targets/targets.gpkg", "targets", "vector", "Targets", "targets", sensor=""),
        known(outside / "mines.kml", "Known mines"),
        known(outside / "field.geojson", "Truth of zones", "zones"),
        known(outside / "truth.tif", "Truth of minerals", "minerals"),
    ]
    record = {"scene": "hill", "study": "mine & yours", "synthetic": True, "layers": layers}
    (scene / "layers.json").write_text(json.dumps(record))
    return scene


def write_project(scene):
    (scene / "known").mkdir(exist_ok=True)
    layers = replace_known(read_layers(scene / "layers.json"), scene / "known", {"": CLASSES})
    path = scene / "hill.qgs"
    path.write_text(build_project(layers), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def project(made):
    return write_project(made)


@pytest.fixture(scope="module")
def told(project, tmp_path_factory):
    """What QGIS says of the project in another folder, where nothing else of the run lies."""
    moved = tmp_path_factory.mktemp("moved") / "hill"
    shutil.copytree(project.parent, moved)
    return ask_qgis("project", moved / "hill.qgs", moved / "picture.png") | {"folder": str(moved)}


def named(told, name):
    [layer] = [layer for layer in told["layers"] if layer["name"] == name]
    return layer


def test_qgis_finds_every_layer_in_its_group_also_in_another_folder(told):
    assert told["read"] and not told["fault"]
    assert told["title"] == f"hill (mine & yours), {SYNTHETIC}"
    assert told["crs"] == "EPSG:32643"
    assert told["groups"] == ["Targets", "Maps", "Fit and doubt", "What is known", "Scene"]
    assert [(layer["group"], layer["name"], layer["visible"]) for layer in told["layers"]] == [
        ("Targets", "Targets: points", True),
        ("Targets", "Targets: targets", True),
        ("Maps", "Minerals (Landsat)", True),
        ("Fit and doubt", "Spectral angle (Landsat)", False),
        ("What is known", "Known mines, points", True),
        ("What is known", "Known mines, linestrings", True),
        ("What is known", "Truth of zones", False),
        ("What is known", "Truth of minerals", False),
        ("Scene", "True colour (Landsat)", True),
        ("Scene", "False colour (Landsat)", False),
    ]
    for layer in told["layers"]:
        assert layer["valid"], layer["name"]
        assert layer["source"].startswith(told["folder"]), layer["source"]
        assert "hill, study mine & yours" in layer["title"]
        assert SYNTHETIC in layer["abstract"]
    assert named(told, "Minerals (Landsat)")["abstract"].startswith("the best <mineral>")


def test_layers_are_drawn_in_the_styles_that_lie_beside_them(told):
    classes = named(told, "Minerals (Landsat)")
    assert classes["renderer"] == "paletted"
    assert classes["legend"] | {"Unclassified": ""} == {
        "Unclassified": "",
        "Alunite": "#e53935",
        'Odd <b> & "quoted"': "#1565c0",
    }
    assert named(told, "True colour (Landsat)")["uses"] == [3, 2, 1]
    assert named(told, "False colour (Landsat)")["uses"] == [6, 4, 2]
    assert named(told, "Spectral angle (Landsat)")["renderer"] == "singlebandpseudocolor"
    assert named(told, "Targets: points")["label"] == "rank"
    assert named(told, "Targets: targets")["colours"] == ["#ff00ff"]
    truth = named(told, "Truth of minerals")["legend"]
    assert {"Alunite", "Code 77"} < set(truth) and truth["Alunite"] == "#e53935"


def test_what_the_user_knows_is_shown_as_it_was_given(told):
    mines = named(told, "Known mines, points")
    assert (mines["label"], mines["features"], mines["crs"]) == ("Name", 1, "EPSG:4326")
    field = named(told, "Truth of zones")
    assert field["categories"] == {"alunite": "Alunite", EVIL: EVIL, "": "Other"}
    assert "#e53935" in field["colours"]


def test_the_picture_has_the_palette_the_targets_and_the_scene_below(told):
    assert not told["drawn"]["faults"]
    west, south, east, north = told["drawn"]["box"]
    assert (west, south, east, north) == GRID.bounds
    picture = np.array(Image.open(Path(told["folder"]) / "picture.png").convert("RGB"))

    def at(column, row):
        """The colour of the middle of a pixel of the grid."""
        side = picture.shape[0] / 60
        return tuple(
            int(part) for part in picture[int((row + 0.5) * side), int((column + 0.5) * side)]
        )

    assert at(25, 25) == CLASSES[0].rgb
    # What is known lies on the map, not below it.
    assert at(15, 3) in [tuple(bytes.fromhex(colour[1:])) for colour in COLOURS]
    assert at(55, 55) == CLASSES[1].rgb
    red, green, blue = at(55, 25)
    assert abs(red - green) < 4 and abs(green - blue) < 4
    edge = picture[:, int(46 * picture.shape[1] / 60)]
    assert (edge == (255, 0, 255)).all(axis=-1).any()
    # The number of the target stands at its middle.
    middle = picture[70:150, 400:520].reshape(-1, 3)
    assert (np.abs(middle - (0x20, 0x20, 0x20)).max(axis=-1) < 12).any()


def test_the_same_layers_are_the_same_bytes_and_no_path_leads_away(project):
    first = project.read_bytes()
    package = (project.parent / "known/known.gpkg").read_bytes()
    shutil.rmtree(project.parent / "known")
    assert write_project(project.parent).read_bytes() == first
    assert (project.parent / "known/known.gpkg").read_bytes() == package
    root = ET.fromstring(first)
    sources = [element.text for element in root.iter("datasource")]
    assert all(source.startswith("./") for source in sources)
    assert str(project.parent) not in first.decode()
    ids = [element.text for element in root.iterfind("projectlayers/maplayer/id")]
    assert len(set(ids)) == len(ids)
    assert not list(root.iter("script"))


def test_a_scene_without_a_raster_is_named(tmp_path):
    record = {"scene": "hill", "study": "mine", "synthetic": False, "layers": []}
    (tmp_path / "layers.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="holds no raster yet"):
        build_project(read_layers(tmp_path / "layers.json"))


def test_a_cube_without_wavelengths_is_shown_too(tmp_path):
    values = np.linspace(0, 1, 7200, dtype=np.float32).reshape(2, 60, 60)
    write_raster(tmp_path / "rasters/cube/cube.tif", values, ("a", "b"), "float32", np.nan)
    record = {
        "scene": "hill",
        "study": "mine",
        "synthetic": False,
        "layers": [entry("rasters/cube/cube.tif", "scene", "cube", "Reflectance", "cube")],
    }
    (tmp_path / "layers.json").write_text(json.dumps(record))
    root = ET.fromstring(build_project(read_layers(tmp_path / "layers.json")))
    assert root.findtext("title") == "hill (mine)"
    assert [layer.get("type") for layer in root.iter("rasterrenderer")] == ["singlebandpseudocolor"]
