"""The interactive map of a scene, as a real Chromium without a network shows it."""

import json
import re
import shutil
from io import BytesIO

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from browser import open_browser
from PIL import Image
from rasterio.warp import transform
from samples import read_values, run_tool, write_angles, write_raster

from gossan.legend import (
    MapClass,
    write_class_style,
    write_rgb_style,
)
from gossan.vectors import write_layers

CRS = "EPSG:32611"
ORIGIN = (500000.0, 4150000.0)
SHAPE = (60, 80)
EVIL = "</script><img src=x onerror=alert(1)>"
CLASSES = [
    MapClass(1, "kaolinite", "Kaolinite", "#1565C0"),
    MapClass(7, "alunite", f"Alunite {EVIL}", "#E53935"),
    MapClass(200, "own", "Own & Öl", "#7E57C2"),
]


def write_scene(folder, *, crs=CRS, origin=ORIGIN, pixel=30.0, shape=SHAPE, targets=True):
    """A small scene with a map of each kind, and its list of layers."""
    generator = np.random.default_rng(5)
    options = {"crs": crs, "origin": origin, "pixel": pixel}
    place = folder / "landsat"
    for name in ("cube", "minerals", "zones"):
        (place / name).mkdir(parents=True)
    codes = generator.choice(np.array([0, 1, 7, 200, 255], np.uint8), shape)
    write_raster(place / "minerals/class.tif", codes, nodata=255, **options)
    write_class_style(place / "minerals/class.tif", CLASSES)
    angle = generator.normal(0.08, 0.03, shape).astype(np.float32)
    angle[:3] = np.nan
    write_angles(place / "minerals/angle.tif", angle, 0.15, **options)
    stored = (generator.random((3, *shape)) * 10000).astype(np.int16)
    write_raster(place / "zones/probability.tif", stored, nodata=-1, scale=1e-4, **options)
    write_raster(place / "zones/stretch.tif", stored, nodata=-1, scale=1e-4, **options)
    write_rgb_style(place / "zones/stretch.tif", [3, 2, 1], [(0.2, 0.8)] * 3)
    bands = generator.random((4, *shape)).astype(np.float32)
    cube = write_raster(place / "cube/cube.tif", bands, nodata=np.nan, **options)
    with rasterio.open(cube, "r+") as dataset:
        for band, centre in enumerate((0.482, 0.561, 0.655, 2.2), 1):
            dataset.update_tags(
                band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=f"{centre}", FWHM_UM="0.05"
            )
    west, north = origin
    square = shapely.box(west + 5 * pixel, north - 25 * pixel, west + 25 * pixel, north - 5 * pixel)
    if targets:
        (folder / "targets").mkdir()
        table = geopandas.GeoDataFrame(
            {"rank": [1], "score": [2.75], "note": [EVIL]}, geometry=[square], crs=crs
        )
        point = table.set_geometry(shapely.centroid(table.geometry.to_numpy()))
        write_layers(
            folder / "targets/targets.gpkg",
            {"targets": (table, "Polygon"), "points": (point, "Point")},
        )
    licence = geopandas.GeoDataFrame(geometry=[square.buffer(10 * pixel)], crs=crs)
    licence_name = "licence.shp" if crs is None else "licence.gpkg"
    licence.to_file(folder / licence_name)

    def entry(group, kind, title, method, file, sensor="landsat", unit=""):
        return {
            **{"group": group, "kind": kind, "title": title, "method": method},
            **{"file": file, "sensor": sensor, "unit": unit, "note": "a note"},
        }

    layers = [
        entry("scene", "cube", "Reflectance", "cube", "landsat/cube/cube.tif"),
        entry("maps", "classes", "Minerals", "minerals", "landsat/minerals/class.tif"),
        entry("fit", "ramp", "Spectral angle", "minerals", "landsat/minerals/angle.tif"),
        entry("fit", "image", "Probabilities", "zones", "landsat/zones/probability.tif"),
        entry("scene", "image", "Stretch", "images", "landsat/zones/stretch.tif"),
        *([entry("targets", "vector", "Targets", "targets", "targets/targets.gpkg", "")][:targets]),
        entry("truth", "known", "Licence", "", str(folder / licence_name), ""),
    ]
    record = {"scene": "hill-7", "study": "mine", "synthetic": True, "layers": layers}
    (folder / "layers.json").write_text(json.dumps(record))
    return folder / "layers.json"


def draw(folder, name="map.html", **options):
    folder.mkdir(exist_ok=True)
    layers = write_scene(folder, **options)
    done = run_tool("draw_map", "--layers", layers, "--output", folder / name)
    assert done.returncode == 0, done.stderr
    return folder / name


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("scene")


@pytest.fixture(scope="module")
def page(folder):
    return draw(folder)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture
def shown(browser, page):
    """The browser with the map, whole."""
    return show(browser, page)


def show(browser, page, width=1280, height=900):
    browser.resize(width, height)
    browser.open(page)
    browser.wait("document.body.dataset.ready")
    return browser


def switch(browser, title, on=True):
    """Click the box of a layer, and wait until the map has it."""
    browser.run(
        """const layer = record.layers.find((item) => item.title === arguments[0]);
        const box = layer.panel.querySelector("[type=checkbox]");
        if (box.checked !== arguments[1]) box.click();""",
        title,
        on,
    )
    browser.wait(
        f"record.layers.find((item) => item.title === {title!r}).shown === {str(on).lower()}"
    )


def point_at(browser, x, y, *, click=False):
    """What the page tells of a place of the map: coordinates, and texts by the layers' titles."""
    [left, top] = browser.run(
        """const plot = Bokeh.documents[0].get_model_by_name("map");
        const { x_range, y_range } = plot;
        const view = Bokeh.index.get_one(plot);
        const box = view.el.getBoundingClientRect(), frame = view.frame.bbox;
        const along = (value, { start, end }) => (value - start) / (end - start);
        return [
          box.left + frame.left + along(arguments[0], x_range) * frame.width,
          box.top + frame.top + (1 - along(arguments[1], y_range)) * frame.height,
        ];""",
        x,
        y,
    )
    browser.run("readout.textContent = ''")
    browser.point(left, top, click=click)
    browser.wait("readout.textContent")
    place, *lines = browser.run(
        """return [...readout.children].map((line) =>
          [...line.childNodes].map((part) => part.textContent.trim()))"""
    )
    return place[0], dict(lines)


def canvas(browser):
    """The pixels of the page's map."""
    browser.run("return new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)))")
    image = np.asarray(Image.open(BytesIO(browser.picture())).convert("RGB")).astype(int)
    return image[150:700, 100:900]


def centre(row, column):
    return ORIGIN[0] + (column + 0.5) * 30, ORIGIN[1] - (row + 0.5) * 30


PLACES = [(0, 0), (7, 11), (31, 40), (44, 5), (59, 79), (2, 33)]


def test_names_values_and_coordinates_under_the_pointer_are_the_rasters(shown, folder):
    for title in ("Spectral angle (Landsat)", "Probabilities (Landsat)"):
        switch(shown, title)
    names = {0: "Unclassified", 255: "no data (masked)"} | {c.code: c.label for c in CLASSES}
    read = {
        name: rasterio.open(folder / f"landsat/{name}.tif").read()
        for name in ("minerals/class", "zones/probability", "cube/cube")
    }
    angles = read_values(folder / "landsat/minerals/angle.tif")[0]
    for row, column in PLACES:
        x, y = centre(row, column)
        place, told = point_at(shown, x, y)
        assert told["Minerals (Landsat)"] == names[read["minerals/class"][0, row, column]]
        angle = angles[row, column]
        if np.isnan(angle):
            assert told["Spectral angle (Landsat)"] == "no data (masked)"
        else:
            value, unit = told["Spectral angle (Landsat)"].split()
            assert unit == "rad" and abs(float(value) - angle) <= 0.0005 / 2 * 1.001
        share = float(told["Probabilities (Landsat)"].split(": ")[1])
        assert abs(share - read["zones/probability"][0, row, column] * 1e-4) <= 0.002 / 2 * 1.001
        red = re.search(r"0.66 µm ([\d.]+)|0.65 µm ([\d.]+)", told["True colour (Landsat)"])
        assert abs(float(red[1] or red[2]) - read["cube/cube"][2, row, column]) <= 0.005 * 1.001
        # Coordinates: those of the system, and degrees to a metre; the mouse is on whole pixels.
        numbers = [float(text) for text in re.findall(r"[\d.]+(?=[,° ])", place)]
        assert np.hypot(numbers[0] - x, numbers[1] - y) < 3
        [[longitude], [latitude]] = transform(CRS, "EPSG:4326", [numbers[0]], [numbers[1]])
        latitude_told, longitude_told = numbers[-2:]
        assert abs(latitude_told - latitude) < 2e-5 and abs(longitude_told + longitude) < 2e-5
        assert "(EPSG:32611)" in place and place.endswith("W")


def test_a_switched_layer_changes_the_picture_and_its_opacity_too(shown):
    both = canvas(shown)
    switch(shown, "Minerals (Landsat)", on=False)
    base = canvas(shown)
    assert (both != base).any(axis=-1).mean() > 0.2
    switch(shown, "True colour (Landsat)", on=False)
    empty = canvas(shown)
    assert (base != empty).any(axis=-1).mean() > 0.5
    switch(shown, "Minerals (Landsat)")
    shown.run(
        """const slider = record.layers.find((item) => item.title === "Minerals (Landsat)")
          .panel.querySelector("[type=range]");
        slider.value = arguments[0];
        slider.dispatchEvent(new Event("input"));""",
        "100",
    )
    full = canvas(shown)
    # Kaolinite, alunite, the user's own, and masked ground are there in their colours.
    for colour in ("1565C0", "E53935", "7E57C2", "A9ADB0"):
        assert (full == list(bytes.fromhex(colour))).all(axis=-1).mean() > 0.02, colour
    shown.run(
        """const slider = record.layers.find((item) => item.title === "Minerals (Landsat)")
          .panel.querySelector("[type=range]");
        slider.value = 0;
        slider.dispatchEvent(new Event("input"));"""
    )
    assert (canvas(shown) == empty).all()


def test_unclassified_and_masked_ground_are_told_apart_in_map_and_legend(shown):
    legend = shown.run(
        """return [...document.querySelectorAll('[data-layer="layer1"], .layer')]
          .find((item) => item.innerText.startsWith("Minerals"))
          .querySelector(".legend").innerText"""
    )
    assert "Unclassified" in legend and "No data (masked)" in legend
    colours = shown.run(
        """const layer = record.layers.find((item) => item.title === "Minerals (Landsat)");
        const table = coloursOf(layer, layer.bands[0]);
        return [table[0], table[1]]"""
    )
    assert len(set(colours)) == 2


def test_further_bands_are_chosen_from_a_list(shown, folder):
    switch(shown, "Probabilities (Landsat)")
    shown.run(
        """const select = record.layers.find((item) => item.title.startsWith("Prob"))
          .panel.querySelector("select");
        select.value = "2";
        select.dispatchEvent(new Event("change"));"""
    )
    shown.wait("record.layers.find((item) => item.title.startsWith('Prob')).bands[2].codes")
    told = point_at(shown, *centre(20, 30))[1]["Probabilities (Landsat)"]
    wanted = rasterio.open(folder / "landsat/zones/probability.tif").read(3)[20, 30] * 1e-4
    assert abs(float(told.split(": ")[1]) - wanted) <= 0.0011


def test_an_image_has_the_colours_that_its_style_tells(shown, folder):
    switch(shown, "Minerals (Landsat)", on=False)
    switch(shown, "Stretch (Landsat), in colours")
    told = point_at(shown, *centre(20, 30))[1]["Stretch (Landsat), in colours"]
    red = rasterio.open(folder / "landsat/zones/stretch.tif").read(3)[20, 30] * 1e-4
    assert abs(float(re.findall(r"[\d.]+(?=,|$)", told)[0]) - red) <= 0.0051
    [pixel] = shown.run(
        """const layer = record.layers.find((item) => item.title.startsWith("Stretch"));
        const image = layer.renderers[0].data_source.data.image[0];
        return [image[20 * layer.place.width + 30] & 255]"""
    )
    assert abs(pixel - np.clip((red - 0.2) / 0.6, 0, 1) * 255) <= 0.0051 / 0.6 * 255 + 1


def test_targets_are_told_with_their_attributes_and_named_on_the_map(shown):
    told = point_at(shown, *centre(15, 15))[1]
    assert told["Targets"] == f"rank 1, score 2.75, note {EVIL}"
    assert "Targets" not in point_at(shown, *centre(50, 70))[1]
    names = shown.run(
        """const layer = record.layers.find((item) => item.title === "Targets");
        return layer.renderers[3].data_source.data.text"""
    )
    assert names == ["1"]


def test_the_map_needs_nothing_but_its_file_and_reaches_for_nothing(browser, page, tmp_path):
    alone = tmp_path / "alone.html"
    shutil.copy(page, alone)
    browser.said()
    show(browser, alone)
    assert browser.run("return performance.getEntriesByType('resource').length") == 0
    faults = [line for line in browser.said() if "[bokeh" not in line]
    assert faults == []
    text = page.read_text()
    markup = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert not re.findall(r"(?:src|href)=|url\(|@import", markup)
    # And were a script to ask, the page's policy would not let it.
    asked = browser.run(
        """return fetch("http://127.0.0.1:9/").then(() => "came", (error) => `${error}`)"""
    )
    assert "came" not in asked
    assert any("Content Security Policy" in line for line in browser.said())


def test_texts_of_users_stay_texts(shown, page):
    assert shown.run("return document.querySelectorAll('img').length") == 0
    assert "<img" not in re.sub(r"<script.*?</script>", "", page.read_text(), flags=re.DOTALL)
    legends = shown.run("return document.getElementById('layers').innerText")
    assert EVIL in legends


@pytest.mark.parametrize(("width", "height"), [(400, 800), (1280, 900)])
def test_nothing_runs_over_the_edge_of_a_window(browser, page, width, height):
    show(browser, page, width, height)
    size = "return [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    assert browser.run(size) == [width, height]
    over = browser.run(
        """return [...document.querySelectorAll("body *")].filter((item) => {
          const box = item.getBoundingClientRect();
          return box.width && (box.right > innerWidth + 1 || box.left < -1);
        }).map((item) => item.outerHTML.slice(0, 80))"""
    )
    assert over == []
    plot = browser.run("return document.getElementById('plot').getBoundingClientRect().toJSON()")
    assert plot["width"] >= 0.6 * width and plot["height"] > 0.25 * height
    # A tap tells what a mouse over the place does.
    assert "Minerals (Landsat)" in point_at(browser, *centre(30, 40), click=True)[1]


def test_the_view_keeps_squares_square_and_can_be_moved(shown):
    scale = """const plot = Bokeh.documents[0].get_model_by_name("map");
        const { x_range, y_range } = plot;
        return [(x_range.end - x_range.start) / plot.inner_width,
                (y_range.end - y_range.start) / plot.inner_height]"""
    across, along = shown.run(scale)
    assert across == pytest.approx(along)
    shown.run("document.querySelector('[data-zoom=\"0.5\"]').click()")
    closer, closer_along = shown.run(scale)
    assert closer == pytest.approx(across / 2) == pytest.approx(closer_along)
    shown.run("document.querySelector('[data-zoom=\"0\"]').click()")
    assert shown.run(scale)[0] == pytest.approx(across)


def test_the_page_says_that_the_scene_is_synthetic(shown):
    assert "SYNTHETIC" in shown.run("return document.querySelector('.banner').innerText")
    assert shown.run("return document.title").startswith("SYNTHETIC")


def test_a_scene_too_large_is_shown_coarser_and_says_so(browser, tmp_path):
    page = draw(tmp_path / "large", shape=(3200, 120), targets=False)
    show(browser, page)
    text = browser.run("return document.body.innerText")
    assert "larger than 1500 pixels a side" in text
    assert "every 3rd pixel" in browser.run("return document.body.textContent")
    codes = rasterio.open(tmp_path / "large/landsat/minerals/class.tif").read(1)
    # Near the middle, where a pixel of the screen is small beside one of the map.
    for _ in range(5):
        browser.run("document.querySelector('[data-zoom=\"0.5\"]').click()")
    names = {0: "Unclassified", 255: "no data (masked)"} | {c.code: c.label for c in CLASSES}
    for row, column in ((1600, 61), (1603, 58), (1594, 70)):
        # The middle one of nine stands also for those around it, which are not shown.
        for place in ((row, column), (row + 1, column - 1)):
            told = point_at(browser, *centre(*place))[1]
            assert told["Minerals (Landsat)"] == names[codes[row, column]]


def test_a_grid_in_degrees_is_shown_in_degrees(browser, tmp_path):
    page = draw(tmp_path / "degrees", crs="EPSG:4326", origin=(12.0, 60.0), pixel=0.001)
    show(browser, page)
    place = point_at(browser, 12.0305, 59.9705)[0]
    latitude, longitude = map(float, re.findall(r"[\d.]+(?=°)", place))
    assert abs(latitude - 59.9705) < 1e-4 and abs(longitude - 12.0305) < 2e-4
    # At 60° north a degree of longitude is half as long as one of latitude.
    ratio = browser.run(
        """const plot = Bokeh.documents[0].get_model_by_name("map");
        const { x_range, y_range } = plot;
        return (x_range.end - x_range.start) / plot.inner_width /
               ((y_range.end - y_range.start) / plot.inner_height)"""
    )
    assert ratio == pytest.approx(2, rel=0.01)


def test_a_grid_without_a_system_has_its_own_coordinates_and_says_so(browser, tmp_path):
    page = draw(tmp_path / "bare", crs=None, targets=False)
    show(browser, page)
    assert "no coordinate system" in browser.run("return document.body.innerText")
    place = point_at(browser, *centre(20, 30))[0]
    assert "°" not in place and place.startswith("5009")


def test_layers_beyond_the_budget_are_left_out_and_named(folder, root):
    from gossan.desk.layers import read_layers
    from gossan.desk.web_map import draw_map

    static = root / "resources/static"
    texts = [(static / f"map.{name}").read_text() for name in ("html.j2", "js", "css")]
    scene = read_layers(folder / "layers.json")
    budget, seen = len(draw_map(scene, *texts).encode()) + 80_000, []
    while "Not shown, to keep" not in (text := draw_map(scene, *texts, most_bytes=budget)):
        assert len(text.encode()) <= budget
        seen.append("Only its first band has room here." in text)
        budget -= 5_000
    assert len(text.encode()) <= budget
    assert not seen[0] and seen[-1]
    [note] = re.findall(r"Not shown, to keep this page below [\d.]+ MB: (.*?)\. Open", text)
    assert note == "Probabilities (Landsat)"


def test_equal_scenes_make_equal_bytes(page, folder):
    again = folder / "again.html"
    assert (
        run_tool("draw_map", "--layers", folder / "layers.json", "--output", again).returncode == 0
    )
    assert again.read_bytes() == page.read_bytes()


def test_a_scene_without_rasters_is_named_and_nothing_written(tmp_path):
    record = {"scene": "hill", "study": "mine", "synthetic": False, "layers": []}
    (tmp_path / "layers.json").write_text(json.dumps(record))
    output = tmp_path / "map.html"
    done = run_tool("draw_map", "--layers", tmp_path / "layers.json", "--output", output)
    assert done.returncode == 1 and "holds no raster to show" in done.stderr
    assert not output.exists()
