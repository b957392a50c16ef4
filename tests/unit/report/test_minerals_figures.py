import io

import numpy as np
import pytest
from figure_checks import assert_text_fits, png, texts
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from rasterio.crs import CRS
from rasterio.transform import Affine, from_origin
from samples import CENTRES_UM, FWHM_UM, make_scene, write_raster

from gossan.legend import MapClass
from gossan.minerals.map_tables import Signature
from gossan.raster import BandTable, Grid
from gossan.report import drawing
from gossan.report import minerals_figures as figures
from gossan.report.drawing import Raster, read_small

CLASSES = [
    MapClass(2, "chalcocite", "Chalcocite", "#00FE00"),
    MapClass(12, "feldspar", "Feldspar (microcline)", "#FE00FE"),
    MapClass(6, "calcite", "Calcite", "#4FC3F7"),
]
UTM = Grid(CRS.from_epsg(32643), from_origin(430_000, 3_990_000, 30, 30), 50, 40)


def codes(grid=UTM):
    values = np.full((1, grid.height, grid.width), 0.0, dtype="float32")
    values[0, 5:20] = 2
    values[0, 25:30] = 12
    values[0, :3, :3] = np.nan
    return Raster(values, grid, BandTable(("class",)))


def record(assessed=True):
    if not assessed:
        return {"assessed": False, "reason": "The scene has no reference."}
    value = {"value": 0.7, "low": 0.6, "high": 0.8, "n_blocks": 9}
    undefined = {"value": None, "low": None, "high": None, "n_blocks": 0}
    labels = [{"code": 0, "name": "other", "label": "Other / unclassified"}] + [
        {"code": item.code, "name": item.name, "label": item.label} for item in CLASSES
    ]
    counts = [[20, 1, 0, 0], [3, 12_345, 2, 0], [5, 0, 0, 0], [0, 0, 0, 0]]
    return {
        "assessed": True,
        "n": 12_376,
        "block_px": 32,
        "confusion_matrix": {"labels": labels, "counts": counts},
        "scores": {
            "n_blocks": 9,
            "overall_accuracy": value,
            "kappa": value,
            "macro_f1": value,
            "classes": [
                {
                    **label,
                    "n_reference": sum(counts[place]),
                    "n_map": sum(row[place] for row in counts),
                    "precision": undefined,
                    "recall": value,
                    "f1": value,
                }
                for place, label in enumerate(labels)
            ],
        },
    }


def cube(bands=7, spectral=True):
    generator = np.random.default_rng(1)
    values = generator.random((bands, UTM.height, UTM.width)).astype("float32")
    values[:, :4, :4] = np.nan
    table = BandTable(
        tuple(f"B{band}" for band in range(1, bands + 1)),
        CENTRES_UM[:bands] if spectral else (),
        FWHM_UM[:bands] if spectral else (),
    )
    return Raster(values, UTM, table)


def signatures():
    mean = np.linspace(0.1, 0.3, 7)
    return {"chalcocite": Signature(mean, mean * 0.1, 750)}


def references():
    wave = np.linspace(0.4, 0.6, 7)
    return {item.name: wave for item in CLASSES}


DRAW = {
    "composite": lambda synthetic: drawing.draw_composite(cube(), synthetic),
    "classes": lambda synthetic: drawing.draw_classes(codes(), CLASSES, synthetic),
    "zones": lambda synthetic: figures.draw_zones({"porphyry": codes()}, CLASSES, synthetic),
    "angle": lambda synthetic: figures.draw_angles(cube(1), cube(1), synthetic),
    "spectra": lambda synthetic: figures.draw_spectra(
        np.array(CENTRES_UM), references(), signatures(), CLASSES, synthetic
    ),
    "areas": lambda synthetic: figures.draw_areas(
        {0: (90, 0.081), 2: (10, 0.009)}, CLASSES, synthetic
    ),
    "confusion": lambda synthetic: figures.draw_confusion(record(), synthetic),
    "accuracy": lambda synthetic: figures.draw_accuracy(record(), synthetic),
    "confusion without a reference": lambda synthetic: figures.draw_confusion(
        record(False), synthetic
    ),
    "accuracy without a reference": lambda synthetic: figures.draw_accuracy(
        record(False), synthetic
    ),
}


@pytest.mark.parametrize("name", DRAW)
def test_every_figure_says_synthetic_only_when_it_is(name):
    assert "SYNTHETIC" in texts(DRAW[name](True))
    assert "SYNTHETIC" not in texts(DRAW[name](False))


@pytest.mark.parametrize("name", DRAW)
def test_figures_are_equal_bytes_without_metadata(name):
    picture = png(DRAW[name](True))
    assert picture == png(DRAW[name](True))
    image = Image.open(io.BytesIO(picture))
    assert set(image.info) <= {"dpi"}
    assert image.width > 1200


@pytest.mark.parametrize("name", DRAW)
def test_all_text_fits_into_the_figure(name):
    assert_text_fits(DRAW[name](True))


def test_the_legend_has_only_classes_that_occur():
    shown = texts(drawing.draw_classes(codes(), CLASSES, False))
    assert "Chalcocite" in shown
    assert "Unclassified" in shown
    assert "No data" in shown
    assert "Calcite" not in shown


def test_classes_are_drawn_in_their_colours():
    picture = np.asarray(Image.open(io.BytesIO(png(drawing.draw_classes(codes(), CLASSES, False)))))
    found = {tuple(colour) for colour in picture[..., :3].reshape(-1, 3)[::7]}
    assert (0, 254, 0) in found
    assert (254, 0, 254) in found


def test_the_nearest_bands_make_the_pictures():
    shown = texts(drawing.draw_composite(cube(), False))
    assert "0.65 µm, 0.56 µm, 0.48 µm" in shown
    assert "2.20 µm, 0.86 µm, 0.56 µm" in shown
    assert "True colour" not in texts(drawing.draw_composite(cube(spectral=False), False))
    only_visible = texts(drawing.draw_composite(cube(4), False))
    assert "True colour" in only_visible
    assert "False colour" not in only_visible


def test_a_sensor_without_blue_is_shown_in_the_infrared():
    names = ("4", "5", "6", "7", "8", "9", "2", "3N")
    centres = (1.656, 2.167, 2.208, 2.266, 2.336, 2.4, 0.661, 0.807)
    values = np.random.default_rng(1).random((8, UTM.height, UTM.width)).astype("float32")
    aster = Raster(values, UTM, BandTable(names, centres, (0.05,) * 8))
    shown = texts(drawing.draw_composite(aster, False))
    assert "1.66 µm, 2.21 µm, 2.34 µm" in shown
    assert "0.81 µm, 0.66 µm, 1.66 µm" in shown
    assert "True colour" not in shown
    # Landsat has one band where the short-wave picture needs two.
    assert "Short-wave infrared" not in texts(drawing.draw_composite(cube(), False))


def test_maps_in_degrees_and_rotated_maps_are_labelled_as_such():
    degrees = Grid(CRS.from_epsg(4326), from_origin(74, 36, 0.001, 0.001), 50, 40)
    assert "Longitude" in texts(drawing.draw_classes(codes(degrees), CLASSES, False))
    rotated = Grid(UTM.crs, UTM.transform * Affine.rotation(20), 50, 40)
    shown = texts(drawing.draw_classes(codes(rotated), CLASSES, False))
    assert "Row (pixels)" in shown
    assert "km" not in shown


def test_projected_maps_have_a_scale_bar_and_north():
    shown = texts(drawing.draw_classes(codes(), CLASSES, False))
    assert "200 m" in shown
    assert "▲" in shown
    assert "EPSG:32643" in shown


def test_a_reference_is_scaled_to_the_length_of_the_scene_spectrum():
    figure = figures.draw_spectra(
        np.array(CENTRES_UM),
        {"chalcocite": np.linspace(1, 3, 7)},
        signatures(),
        CLASSES,
        False,
    )
    lines = figure.axes[0].get_lines()
    np.testing.assert_allclose(lines[0].get_ydata(), lines[1].get_ydata())


def test_a_class_without_pixels_shows_its_reference_alone():
    assert "not mapped" in texts(DRAW["spectra"](False))


def test_areas_without_a_projected_grid_are_pixels():
    shown = texts(figures.draw_areas({0: (90, None), 2: (10, None)}, CLASSES, False))
    assert "10 pixels · 10.0%" in shown
    assert "km²" not in shown


def test_nothing_to_draw_is_said():
    assert "no alteration zones" in texts(figures.draw_zones({}, CLASSES, False))
    assert "no clear pixel" in texts(figures.draw_areas({0: (0, 0.0)}, CLASSES, False))
    assert "no reference spectrum" in texts(
        figures.draw_spectra(np.array(CENTRES_UM), {}, {}, CLASSES, False)
    )
    blank = Raster(np.full((1, 40, 50), np.nan, "float32"), UTM, BandTable(("angle",)))
    assert png(figures.draw_angles(blank, blank, False))


def test_confusion_shows_rows_and_columns_that_hold_pixels():
    figure = figures.draw_confusion(record(), False)
    shown = texts(figure)
    assert "12,345" in shown
    assert "12k" not in shown
    assert "Feldspar (microcline) (5)" in shown
    assert "Calcite" not in shown


def test_the_threshold_is_marked_on_the_scale_of_the_angle():
    def drawn(*limits):
        classes = [MapClass(n, f"m{n}", "M", "#000000", max_angle_rad=x) for n, x in limits]
        return figures.draw_angles(cube(1), cube(1), False, classes)

    assert "threshold 0.1;" in texts(drawn((1, 0.1), (2, 0.1)))
    assert "thresholds 0.1 to 0.3;" in texts(drawn((1, 0.1), (2, 0.3), (3, 0.2)))
    assert "threshold" not in texts(drawn((1, None)))
    beyond = drawn((1, 1.2))
    assert max(axis.images[0].norm.vmax for axis in beyond.axes if axis.images) > 1.2
    assert "threshold" not in texts(drawn((1, 3.1)))


def test_areas_have_two_decimals_as_in_the_tables():
    shown = texts(
        figures.draw_areas({0: (90, 123.456), 2: (10, 0.9099), 12: (1, 0.0009)}, CLASSES, False)
    )
    for text in ("123.46 km²", "0.91 km²", "< 0.01 km²"):
        assert text in shown


def test_large_counts_fit_their_cells():
    big = record()
    big["confusion_matrix"]["counts"][1][1] = 12_345_678
    figure = figures.draw_confusion(big, False)
    FigureCanvasAgg(figure).draw()
    axis = figure.axes[0]
    cell = axis.transData.transform([[0, 0], [1, 0]])[:, 0]
    for text in axis.texts:
        assert text.get_window_extent().width < cell[1] - cell[0]


def test_too_few_blocks_are_said_in_the_title():
    assert "bars = 95 % intervals" in texts(figures.draw_accuracy(record(), False))
    few = record()
    for name in ("overall_accuracy", "kappa", "macro_f1"):
        few["scores"][name] = {"value": 0.7, "low": None, "high": None, "n_blocks": 2}
    assert "too few blocks for intervals" in texts(figures.draw_accuracy(few, False))


def test_the_white_box_fits_the_scale_bar():
    figure = drawing.draw_classes(codes(), CLASSES, False)
    FigureCanvasAgg(figure).draw()
    axis = figure.axes[0]
    bar = next(item for item in axis.artists if hasattr(item, "size_bar"))
    width = axis.transData.transform([[0, 0], [0.2, 0]])[:, 0]
    assert bar.get_window_extent().width < 1.3 * (width[1] - width[0])


def test_large_rasters_are_read_small(tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "LONGEST_SIDE_PX", 100)
    values = np.zeros((400, 200), dtype="uint8")
    values[:, 100:] = 12
    write_raster(tmp_path / "class.tif", values, nodata=255)
    small = read_small(tmp_path / "class.tif", classes=True)
    assert small.values.shape == (1, 100, 50)
    assert set(np.unique(small.values)) == {0, 12}
    assert small.grid.width == 200


def test_cubes_are_read_as_reflectance(tmp_path):
    folder = make_scene(tmp_path)
    raster = read_small(folder / "cube.tif")
    assert np.nanmin(raster.values) > 0.049
    assert np.nanmax(raster.values) < 0.401
    assert np.isnan(raster.values[:, 10:20, 5:15]).all()
    assert raster.bands.centre_um == pytest.approx(CENTRES_UM)
