"""The pictures and the page of a scene, by their tools."""

import json
import re
from html.parser import HTMLParser

import geopandas
import numpy as np
import pytest
import rasterio
from samples import CRS, ORIGIN, run_tool, write_raster
from shapely.geometry import box

from gossan.legend import MapClass, write_class_style
from gossan.vectors import write_layers

SCENE = "hill<1>"
CLASSES = [
    MapClass(2, "alunite", "Alunite <b>", "#00FE00"),
    MapClass(3, "calcite", "Calcite", "#4FC3F7"),
]
TARGETS = (
    "rank,id,longitude,latitude,x,y,area_ha,mean_score,max_score,methods_in_favour,dominant,"
    "nearest_known,nearest_known_m,known,synthetic\n"
)


class Words(HTMLParser):
    """Visible words of a page, and what it loads and links."""

    def __init__(self, html):
        super().__init__()
        self.hidden, self.text, self.links, self.sources = 0, [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.hidden += tag in ("style", "title")
        found = dict(attributes)
        self.links += [found["href"]] if "href" in found else []
        self.sources += [found["src"]] if "src" in found else []

    def handle_endtag(self, tag):
        self.hidden -= tag in ("style", "title")

    def handle_data(self, data):
        self.text += [] if self.hidden else data.split()


@pytest.fixture
def scene(tmp_path):
    """The folder of a scene with a map, a cube and targets."""
    folder = tmp_path / "results/scenes/hill"
    (folder / "landsat/minerals").mkdir(parents=True)
    (folder / "landsat/cube").mkdir()
    (folder / "targets").mkdir()
    codes = np.zeros((1, 40, 40), np.uint8)
    codes[0, 5:20, 5:20], codes[0, 25:30, 25:30], codes[0, :3] = 2, 3, 255
    write_raster(folder / "landsat/minerals/class.tif", codes, nodata=255)
    write_class_style(folder / "landsat/minerals/class.tif", CLASSES)
    ground = np.linspace(0, 0.5, 3 * 1600, dtype=np.float32).reshape(3, 40, 40)
    write_raster(folder / "landsat/cube/cube.tif", ground, nodata=np.nan)
    west, north = ORIGIN
    shape = box(west + 150, north - 600, west + 600, north - 150)
    targets = geopandas.GeoDataFrame({"rank": [1], "id": ["T01"]}, geometry=[shape], crs=CRS)
    points = targets.set_geometry(targets.representative_point())
    path = folder / "targets/targets.gpkg"
    write_layers(path, {"targets": (targets, "MultiPolygon"), "points": (points, "Point")})
    row = "1,T<1>,70.25,36.05,1,2,20.25,0.8,0.9,minerals; zones,Alunite,Old mine,1500,,no\n"
    (folder / "targets/targets.csv").write_text(TARGETS + row * 20)
    write_list(folder)
    return folder


def write_list(folder, **changes):
    layers = [
        {"group": "targets", "kind": "vector", "method": "targets", "file": "targets/targets.gpkg"},
        {"group": "maps", "kind": "classes", "method": "minerals", "sensor": "landsat"}
        | {"file": "landsat/minerals/class.tif"},
        {"group": "scene", "kind": "cube", "method": "cube", "sensor": "landsat"}
        | {"file": "landsat/cube/cube.tif"},
    ]
    titles = ("Targets", "Minerals", "Reflectance")
    layers = [{**row, "title": title} for row, title in zip(layers, titles, strict=True)]
    listed = {"scene": SCENE, "study": "mine", "synthetic": True, "layers": layers}
    (folder / "layers.json").write_text(json.dumps(listed | changes))


def draw(folder, stem="map"):
    return run_tool(
        *("draw_scene", "--layers", folder / "layers.json", "--map", folder / f"{stem}.png"),
        *("--thumbnail", folder / "thumbnail.png", "--pictures", folder / "pictures"),
    )


def render(folder, *more):
    results = folder.parents[1]
    return run_tool(
        *("render_scene", "--layers", folder / "layers.json"),
        *("--report", results / "studies/mine/report.html", "--index", results / "index.html"),
        *("--summary", folder / "summary.json", "--output", folder / "index.html", *more),
    )


def show(folder, *more):
    assert draw(folder).returncode == 0
    done = render(folder, *more)
    assert done.returncode == 0, done.stderr
    return (folder / "index.html").read_text()


def test_the_main_map_is_drawn_with_classes_targets_and_stripes(scene):
    assert draw(scene).returncode == 0
    first = (scene / "map.png").read_bytes()
    with rasterio.open(scene / "map.png") as picture:
        pixels = picture.read()[:3].reshape(3, -1).T
    colours = {tuple(colour) for colour in np.unique(pixels, axis=0).tolist()}
    assert {(0, 254, 0), (0x4F, 0xC3, 0xF7), (255, 255, 255), (0x22, 0x30, 0x3A)} <= colours
    with rasterio.open(scene / "thumbnail.png") as picture:
        assert picture.width == 320
    assert [path.name for path in (scene / "pictures").iterdir()] == ["landsat-cube.png"]
    assert draw(scene).returncode == 0
    assert (scene / "map.png").read_bytes() == first


def test_a_scene_without_a_map_shows_its_picture(scene):
    (scene / "landsat/minerals/class.tif").unlink()
    html = show(scene)
    assert "No map was made of this scene." in html


def test_the_first_words_are_what_was_found_and_how_far_to_trust_it(scene):
    html = show(scene)
    words = " ".join(Words(html).text)
    assert words.index("targets; the best") < words.index("How far to trust it")
    assert "Alunite <b> 0.20 km²" in words
    assert "T<1>" in words
    assert len(words.split()) < 700
    assert words.startswith("SYNTHETIC")
    for word in ("http://", "https://", "<script", "<b>", "hill<1>"):
        assert word not in html
    assert words.count("5 more in the table") == 1
    summary = json.loads((scene / "summary.json").read_text())
    assert summary["found"] in words.replace(
        " (in 95 of 100 such tests it holds the true value)", ""
    )
    assert summary["sensors"] == "Landsat"


def test_only_what_is_there_is_linked(scene):
    html = show(scene)
    page = Words(html)
    inside = [link for link in [*page.links, *page.sources] if not link.startswith("../../")]
    assert inside and all((scene / link).is_file() for link in inside)
    assert "map.html" not in html
    (scene / "map.html").write_text("x")
    (scene / "sheet.pdf").write_text("")
    assert render(scene).returncode == 0
    links = Words((scene / "index.html").read_text()).links
    assert "map.html" in links and "sheet.pdf" not in links
    assert "../../studies/mine/report.html" in links and "../../index.html" in links


def test_a_scene_without_targets_and_truth_says_what_to_tell(scene):
    (scene / "targets/targets.csv").unlink()
    record = {"scene": SCENE, "method": "SAM", "assessed": False, "synthetic": False}
    record["reason"] = "The scene has no ground truth, so no accuracy can be stated."
    path = scene / "record.json"
    path.write_text(json.dumps(record))
    html = show(scene, "--records", "minerals", "landsat", path)
    assert "Nothing is known of this ground" in html
    assert "<table" not in html


def test_a_real_scene_is_nowhere_called_synthetic(scene):
    write_list(scene, synthetic=False)
    assert "synthetic" not in re.sub(r"<style>.*?</style>", "", show(scene), flags=re.S).lower()


def test_a_page_without_its_pictures_is_refused(scene):
    done = render(scene)
    assert done.returncode == 1
    assert "draw the scene first" in done.stderr
    assert not (scene / "index.html").exists()
