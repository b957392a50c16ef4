"""sheet: a scale that is true on paper, coordinates that fit, and text that stays inside."""

import math

import matplotlib
import numpy as np
import pytest
import shapely
from affine import Affine
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from rasterio.crs import CRS

from gossan.colours import difference
from gossan.desk import sheet
from gossan.desk.layers import SceneLayer, SceneLayers
from gossan.legend import NODATA_COLOUR, UNCLASSIFIED_COLOUR, MapClass, write_class_style
from gossan.raster import Grid, Layer, map_blocks
from gossan.report.drawing import SYNTHETIC_TEXT

UTM = CRS.from_epsg(32643)
LAND = shapely.box(60, 20, 90, 50)


def frame(crs=UTM, pixel=30.0, place=(430_000.0, 3_990_000.0), shape=(500, 400), turn=0.0):
    transform = Affine.translation(*place) @ Affine.rotation(turn) @ Affine.scale(pixel, -pixel)
    return sheet.Frame(Grid(crs, transform, *shape))


FRAMES = {
    "utm": frame(),
    "wide": frame(shape=(2000, 100)),
    "tall": frame(shape=(60, 3000)),
    "tiny": frame(shape=(41, 41)),
    "turned": frame(turn=30.0),
    "degrees": frame(CRS.from_epsg(4326), 3e-4, (74.3, 36.0)),
    "mercator": frame(CRS.from_epsg(3857), 30.0, (8_270_000.0, 4_300_000.0)),
    "feet": frame(CRS.from_epsg(2227), 100.0, (6_000_000.0, 2_100_000.0)),
}


@pytest.mark.parametrize("paper", sheet.PAPERS_MM)
@pytest.mark.parametrize("name", FRAMES)
def test_the_scale_is_round_and_true_and_all_lies_on_the_paper(name, paper):
    ground = FRAMES[name]
    layout = sheet.lay_out(ground, paper)
    mantissa = layout.denominator / 10 ** math.floor(math.log10(layout.denominator))
    assert any(mantissa == pytest.approx(step) for step in sheet.SCALES)
    drawn = layout.map[2] / 1000 * layout.denominator, layout.map[3] / 1000 * layout.denominator
    assert drawn == pytest.approx(ground.size_m)
    for left, bottom, width, height in (layout.map, layout.panel):
        assert left >= sheet.MARGIN_MM - 1e-6 and bottom >= sheet.MARGIN_MM - 1e-6
        assert left + width <= layout.paper[0] - sheet.MARGIN_MM + 1e-6
        assert bottom + height <= layout.paper[1] - sheet.MARGIN_MM + 1e-6
    apart = shapely.box(*_ends(layout.map)).intersection(shapely.box(*_ends(layout.panel)))
    assert apart.area < 1e-6


def _ends(box):
    return box[0], box[1], box[0] + box[2], box[1] + box[3]


def test_lengths_are_those_of_the_ground():
    # A UTM zone's scale at 0.8° from its middle meridian is 0.99971; Mercator's is 1 / cos.
    assert frame().size_m == pytest.approx((15_000, 12_000), rel=5e-4)
    wide, _ = FRAMES["mercator"].size_m
    assert wide == pytest.approx(15_000 * math.cos(math.radians(35.9)), rel=5e-3)
    wide, tall = FRAMES["degrees"].size_m
    assert tall == pytest.approx(0.12 * 110_960, rel=1e-3)
    assert wide == pytest.approx(0.15 * 111_320 * math.cos(math.radians(35.94)), rel=2e-3)
    assert sheet.Frame(Grid(None, Affine.identity(), 4, 2)).size_m is None
    assert not frame().stretches()


def test_true_north_is_told_from_half_a_degree_on():
    # Convergence is about the longitude from the zone's middle meridian times sin(latitude).
    turn = frame(place=(230_000.0, 3_990_000.0)).convergence_deg
    assert turn == pytest.approx(3.0 * math.sin(math.radians(36)), abs=0.25)
    told = " ".join(sheet.describe_grid(frame(place=(230_000.0, 3_990_000.0))))
    assert "east of the map's north" in told and "EPSG:32643" in told
    near = " ".join(sheet.describe_grid(frame(place=(493_000.0, 3_990_000.0))))
    assert "True north" not in near
    assert (
        "no scale, no north"
        in sheet.describe_grid(sheet.Frame(Grid(None, Affine.identity(), 4, 2)))[0]
    )


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.0, 10.0, 1), (414.2, 419.9, 1), (0.0001, 0.0009, 0.0001)],
)
def test_ticks_are_round_and_inside(low, high, expected):
    ticks = sheet.even_ticks(low, high, 150)
    assert np.diff(ticks) == pytest.approx(expected * np.ones(len(ticks) - 1))
    assert low <= ticks[0] and ticks[-1] <= high * (1 + 1e-9)


@pytest.mark.parametrize("span", [0.0113, 0.02, 0.3, 4.0])
def test_labels_of_degrees_do_not_touch(span):
    ticks = sheet.degree_ticks(50.799, 50.799 + span, 160)
    assert 160 * np.diff(ticks).min() / span > 16
    assert len(ticks) >= 2


def test_degrees_are_written_as_on_maps():
    assert sheet.degree_text(74.3, "EW", [74.3, 74.35]) == "74°18′E"
    assert sheet.degree_text(-14.341666666, "NS", [-14.341666666]) == "14°20′30″S"
    assert sheet.degree_text(181.0, "EW", [181.0]) == "179°W"
    assert sheet.degree_text(0.0, "NS", [0.0]) == "0°"


def test_ground_of_no_class_is_told_from_masked_ground():
    for light in sheet.GROUND:
        grey = "#" + 3 * f"{round(255 * light):02X}"
        assert difference(grey, NODATA_COLOUR) > 10


def make_layers(folder, ground, classes, synthetic=True):
    rows, columns = ground.grid.shape
    codes = np.resize(
        np.array([0, *(item.code for item in classes), 255], np.uint8), rows * columns
    )
    file = folder / "minerals" / "class.tif"
    file.parent.mkdir()
    layer = Layer(file, "uint8", 255, ("class",), overviews="mode")
    block = codes.reshape(1, rows, columns)
    map_blocks(
        lambda window: (block[(0, *window.toslices())],),
        [lambda window: window],
        [layer],
        grid=ground.grid,
    )
    write_class_style(file, classes)
    shown = SceneLayer("maps", "minerals", "", "classes", file, "Minerals")
    return SceneLayers("Hügel $1$", "mine", synthetic, folder, (shown,))


def test_unclassified_ground_without_a_cube_is_told_in_its_colour(tmp_path):
    ground = FRAMES["tiny"]
    layers = make_layers(tmp_path, ground, [MapClass(1, "alunite", "Alunite", "#730000")])
    shown = layers.main_map()
    entry = next(item for item in sheet.list_entries(layers, shown) if "Uncl" in item.label)
    assert (entry.label, entry.colour) == ("Unclassified", UNCLASSIFIED_COLOUR)
    picture = sheet.paint_map(layers, shown, ground, ground.grid.shape)
    assert np.allclose(picture[0, 0], to_rgb(UNCLASSIFIED_COLOUR))


@pytest.mark.parametrize("paper", sheet.PAPERS_MM)
@pytest.mark.parametrize("name", ["tiny", "turned", "wide", "tall"])
def test_all_text_of_a_full_panel_lies_on_the_paper(tmp_path, name, paper):
    shape = {"tiny": (41, 41), "turned": (40, 30), "wide": (300, 15), "tall": (15, 300)}[name]
    ground = frame(shape=shape, turn=30.0 if name == "turned" else 0.0)
    classes = [
        MapClass(
            code, f"m{code}", f"A mineral of a rather long name, the {code}th of all", "#730000"
        )
        for code in range(1, 31)
    ]
    layers = make_layers(tmp_path, ground, classes)
    sources = [sheet.Source("Landsat-8 OLI", "LC08_" + "X" * 90, "2021-07-04")] * 3
    trust = "Nothing is known of this ground, so no accuracy can be stated."
    answers = ["Mapped: much.", trust, "The map calls all of the ground one mineral. " * 4]
    contents = sheet.Contents(layers, "Minerals", answers, sources, paper)
    with matplotlib.rc_context(sheet.sheet_style(contents)):
        figure = sheet.draw_sheet(contents, LAND)
        figure.draw_without_rendering()
        width, height = figure.get_size_inches() * figure.dpi
        said = []
        for text in figure.findobj(Text):
            if not text.get_visible() or not text.get_text():
                continue
            box = text.get_window_extent()
            assert box.x0 >= -1 and box.x1 <= width + 1, text.get_text()
            assert box.y0 >= -1 and box.y1 <= height + 1, text.get_text()
            said.append(text.get_text())
    words = " ".join(said)
    assert SYNTHETIC_TEXT in words and "Hügel $1$" in words and trust in words
    assert "the 30th of all" in words and "1 : " in words and "No data" in words
