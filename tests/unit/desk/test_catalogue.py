"""The STAC catalogue of a run."""

import copy
import json
from pathlib import Path

import numpy as np
import pystac
import pytest
from affine import Affine
from rasterio.crs import CRS
from samples import run_tool
from stac_checks import faults_of

from gossan.legend import MapClass
from gossan.maps import ClassMap, Ramp, write_maps
from gossan.raster import BandTable, Grid, Layer, map_blocks
from gossan.stac import build_item, describe_classes

UTM = Grid(CRS.from_epsg(32643), Affine(30, 0, 500_000, 0, -30, 4_000_000), 20, 10)
ACROSS = Grid(CRS.from_epsg(32601), Affine(30, 0, 180_000, 0, -30, 2_000_000), 400, 400)
NOWHERE = Grid(None, Affine(1, 0, 0, 0, -1, 0), 20, 10)
OWN = Grid(CRS.from_proj4("+proj=tmerc +lon_0=74 +datum=WGS84"), UTM.transform, 20, 10)
CLASSES = [
    MapClass(2, "chalcocite", "Chalcocite & co", "#00fe00"),
    MapClass(3, "a", "Ä", "#0000FE"),
    MapClass(4, "b", "Ö", "#0000FF"),
    MapClass(5, "u", "Unclassified", "#0000FD"),
]
TAGS = {"ACQUIRED": "2024-07-19T05:40:11Z"}


def write_scene(folder: Path, name: str, grid=UTM, tags=TAGS, *, synthetic=False) -> Path:
    """Write a cube, a class map and a flag map of two bands, and list them."""
    scene = folder / f"scenes/{name}"
    cube = scene / "landsat/cube/cube.tif"
    maps = scene / "landsat/minerals"
    for place in (cube.parent, maps / "2um"):
        place.mkdir(parents=True)
    bands = BandTable(("blue", "red"), (0.482, 0.655), (0.06, 0.037))

    def source(window):
        return np.ones((2, window.height, window.width), "float32")

    map_blocks(
        lambda a: a, [source], [Layer(cube, "int16", -32768, bands, 1e-4, tags=tags)], grid=grid
    )
    write_maps(
        lambda a: (a[0].astype("uint8") * 2, a[0], a.astype("uint8") * 2),
        [source],
        [
            ClassMap(maps / "class.tif", CLASSES, tags=tags),
            Ramp.of_angles(maps / "angle.tif", ("angle_rad",), 1, tags),
            ClassMap(maps / "2um/flags.tif", CLASSES, ("a", "b"), tags=tags, every_band=True),
        ],
        grid=grid,
    )
    (scene / "thumbnail.png").write_bytes(b"x")
    of = {"sensor": "landsat", "note": "a <note>", "unit": ""}
    minerals = of | {"method": "minerals", "group": "maps"}
    layers = [
        of
        | {"method": "cube", "group": "scene", "kind": "cube", "title": "Reflectance"}
        | {"file": "landsat/cube/cube.tif"},
        minerals | {"kind": "classes", "title": "Minerals", "file": "landsat/minerals/class.tif"},
        minerals | {"kind": "ramp", "title": "Angle", "file": "landsat/minerals/angle.tif"},
        minerals | {"kind": "flags", "title": "F", "file": "landsat/minerals/2um/flags.tif"},
        {"group": "truth", "kind": "known", "title": "Field", "file": "field.gpkg", "method": ""},
    ]
    record = {"scene": name, "study": "mine", "synthetic": synthetic, "layers": layers}
    (scene / "layers.json").write_text(json.dumps(record))
    return scene


GRIDS = {"hill": UTM, "fiji": ACROSS, "nowhere": NOWHERE, "own": OWN}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Folder of the results of a run of four scenes, with its catalogue."""
    folder = tmp_path_factory.mktemp("run")
    scenes = [
        write_scene(folder, name, grid, {} if name == "own" else TAGS, synthetic=name == "hill")
        for name, grid in GRIDS.items()
    ]
    write(folder, scenes)
    return folder


def write(folder, scenes, *flags):
    done = run_tool(
        "write_catalog",
        *("--layers", *(scene / "layers.json" for scene in scenes)),
        *("--thumbnails", *(scene / "thumbnail.png" for scene in scenes)),
        *("--catalog", folder / "catalog.json", "--folder", folder / "stac", *flags),
    )
    assert done.returncode == 0, done.stderr


def documents(folder):
    paths = [folder / "catalog.json", *sorted((folder / "stac").rglob("*.json"))]
    return {path: json.loads(path.read_text()) for path in paths}


def item_of(folder, scene, method="minerals"):
    path = folder / f"stac/{scene}/{scene}-landsat-{method}.json"
    return json.loads(path.read_text())


def test_every_document_fits_the_schemas(run):
    found = documents(run)
    assert len(found) == 1 + 3 * len(GRIDS)
    for path, document in found.items():
        assert faults_of(document) == [], path


def test_the_catalogue_can_be_walked_and_every_file_is_there(run, tmp_path):
    (run.parent / "moved").symlink_to(run)
    catalog = pystac.Catalog.from_file(run.parent / "moved/catalog.json")
    assert [child.id for child in catalog.get_children()] == list(GRIDS)
    items = list(catalog.get_items(recursive=True))
    assert len({item.id for item in items}) == len(items) == 2 * len(GRIDS)
    for item in items:
        assert item.get_root().id == catalog.id and item.get_parent() is not None
        for asset in item.assets.values():
            assert Path(asset.get_absolute_href()).is_file()


def test_links_and_assets_are_relative(run):
    text = "".join(path.read_text() for path in documents(run))
    assert str(run) not in text and "file:" not in text


def test_simulated_scenes_say_so_in_every_title(run):
    told = json.loads((run / "catalog.json").read_text())
    titles = [link["title"] for link in told["links"] if link["rel"] == "child"]
    assert titles[0] == "SYNTHETIC: Scene hill, study mine"
    assert not any("SYNTHETIC" in title for title in titles[1:])
    properties = item_of(run, "hill")["properties"]
    assert properties["title"].startswith("SYNTHETIC: ") and properties["gossan:synthetic"] is True
    assert item_of(run, "fiji")["properties"]["gossan:synthetic"] is False


def test_what_the_user_knows_is_in_no_item(run):
    assert "field.gpkg" not in "".join(path.read_text() for path in documents(run))


def test_extensions_are_declared_where_their_fields_are(run):
    def used(method):
        return [url.split("/")[3] for url in item_of(run, "hill", method)["stac_extensions"]]

    assert used("minerals") == ["projection", "raster", "classification"]
    assert used("cube") == ["projection", "raster", "eo"]


def test_classes_have_names_titles_colours_and_nodata(run):
    assets = item_of(run, "hill")["assets"]
    told = assets["class"]["classification:classes"]
    assert [item["value"] for item in told] == [0, 2, 3, 4, 5, 255]
    assert [item["name"] for item in told] == [
        *("unclassified", "chalcocite-co", "class-3", "class-4", "unclassified-5", "nodata")
    ]
    assert told[1]["color_hint"] == "00FE00" and told[1]["title"] == "Chalcocite & co"
    assert told[-1]["nodata"] is True
    assert all("classification:classes" in band for band in assets["2um-flags"]["bands"])
    assert "classification:classes" not in assets["angle"]
    assert (assets["angle"]["data_type"], assets["angle"]["nodata"]) == ("int16", -32768)
    assert (assets["angle"]["raster:scale"], assets["angle"]["raster:offset"]) == (1e-4, 0)


def test_a_map_without_that_nodata_has_none_among_its_classes():
    assert [item["value"] for item in describe_classes(CLASSES[:1], None)] == [0, 2]


def test_a_scene_without_a_reference_system_has_neither_outline_nor_box(run):
    item = item_of(run, "nowhere")
    assert item["geometry"] is None and "bbox" not in item
    assert item["properties"]["proj:code"] is None


def test_a_system_without_a_code_is_told_in_full(run):
    assert item_of(run, "own")["properties"]["proj:wkt2"].startswith("PROJCRS")


def test_a_scene_across_180_degrees_has_its_box_from_west_to_east(run):
    item = item_of(run, "fiji")
    west, _, east, _ = item["bbox"]
    assert west > 170 and east < -170 and item["geometry"]["type"] == "MultiPolygon"


def test_a_scene_of_no_known_date_spans_all_time(run):
    properties = item_of(run, "own")["properties"]
    assert properties["datetime"] is None
    assert properties["start_datetime"] < "1000" < "9000" < properties["end_datetime"]


def test_several_dates_are_the_ends_of_an_item(tmp_path):
    tags = TAGS | {"ACQUIRED_FIRST": "2024-07-01", "ACQUIRED_LAST": "2024-08-01T10:00:00+05:00"}
    write(tmp_path, [write_scene(tmp_path, "dates", tags=tags)])
    item = item_of(tmp_path, "dates")
    properties = item["properties"]
    assert properties["datetime"] == "2024-07-19T05:40:11Z"
    assert properties["start_datetime"] == "2024-07-01T00:00:00Z"
    assert properties["end_datetime"] == "2024-08-01T05:00:00Z"
    assert faults_of(item) == []


def test_same_results_same_bytes(run, tmp_path):
    before = {path: path.read_bytes() for path in documents(run)}
    write(run, [run / f"scenes/{name}" for name in GRIDS])
    assert {path: path.read_bytes() for path in documents(run)} == before


def test_a_date_that_is_none_is_told_with_its_file_and_nothing_is_written(tmp_path):
    scene = write_scene(tmp_path, "odd", tags={"ACQUIRED": "July"})
    done = run_tool(
        "write_catalog",
        *("--layers", scene / "layers.json", "--catalog", tmp_path / "catalog.json"),
        *("--folder", tmp_path / "stac"),
    )
    assert done.returncode == 1 and ".tif: acquired 'July' is not ISO 8601" in done.stderr
    assert not (tmp_path / "catalog.json").exists() and not (tmp_path / "stac").exists()


# ---- the checks themselves -------------------------------------------------------------------


def change(path, value):
    def make(item):
        *places, last = path
        for place in places:
            item = item[place]
        item[last] = value

    return make


RASTER = "https://stac-extensions.github.io/raster/v2.0.0/schema.json"


@pytest.mark.parametrize(
    "make",
    [
        lambda item: item["stac_extensions"].append(RASTER),
        lambda item: item["stac_extensions"].pop(),
        change(["properties", "proj:code"], "32643"),
        change(["properties", "proj:shape"], [1.5, 2]),
        change(["properties", "proj:transform"], [1, 2, 3]),
        change(["assets", "class", "classification:classes", 1, "name"], "a name"),
        change(["assets", "class", "classification:classes", 1, "color_hint"], "#00FE00"),
        change(["assets", "class", "classification:classes", 1, "value"], 0),
        change(["assets", "class", "classification:classes"], []),
        change(["assets", "class", "nodata"], "none"),
        change(["properties", "datetime"], None),
        change(["geometry"], None),
    ],
)
def test_an_item_that_breaks_a_rule_is_found_out(run, make):
    item = copy.deepcopy(item_of(run, "hill"))
    assert faults_of(item) == []
    make(item)
    assert faults_of(item) != []


def test_an_item_of_unscaled_numbers_declares_no_raster(tmp_path):
    layer = Ramp(tmp_path / "contrast.tif", ("contrast",), 0, 1).layer()
    map_blocks(lambda window: np.ones((10, 20), "float32"), [lambda w: w], [layer], grid=UTM)
    item = build_item("a", UTM, None, {"contrast": layer.path})
    assert [url.split("/")[3] for url in item["stac_extensions"]] == ["projection"]
    assert faults_of(item) == []


def test_an_asset_on_another_grid_says_so(tmp_path, run):
    cube = run / "scenes/fiji/landsat/cube/cube.tif"
    item = build_item("a", UTM, None, {"cube": cube})
    assert item["assets"]["cube"]["proj:code"] == "EPSG:32601"
    assert faults_of(item) == []
