import csv
import io
from dataclasses import replace

import numpy as np
import pytest
import sensor_reports
from figure_checks import assert_text_fits, png, texts
from PIL import Image
from rasterio.crs import CRS
from rasterio.transform import from_origin

from gossan.cube.bands import read_bands
from gossan.legend import read_classes
from gossan.raster import BandTable, Grid
from gossan.report import embedding_figures as figures
from gossan.report.drawing import Raster, read_small
from gossan.tables import read_references

GRID = Grid(CRS.from_epsg(32611), from_origin(480_000, 4_160_000, 30, 30), 40, 30)
PUBLISHED = [
    {"mineral": "alunite", "method": "masked", "f1": 0.474},
    {"mineral": "jarosite", "method": "ocsvm", "f1": 0.212},
]
LABELS = {name: name.capitalize() for name in sensor_reports.CODES}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return sensor_reports.shared_study(tmp_path_factory)


@pytest.fixture(scope="module")
def classes(folder):
    return read_classes(folder / "classes.csv")


def rows(folder, name):
    with (folder / f"{name}.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def raster(folder, name):
    return read_small(folder / f"{name}.tif", classes=name != "distance")


def draw_map(folder, classes, synthetic, truth=True):
    return figures.draw_map(
        *(raster(folder, name) for name in ("class", "answer", "distance")),
        raster(folder, "truth") if truth else None,
        classes,
        synthetic,
    )


def draw_sensors(folder, synthetic):
    bands, bits = read_bands(folder / "bands.csv"), raster(folder, "sensors")
    picture = figures.read_picture(folder / "stack.tif", bands, "sentinel2")
    return figures.draw_sensors(picture, bits, bands.sensors, synthetic)


def histories(folder):
    return {name: rows(folder, name) for name in ("masked", "unmasked", "filler")}


DRAW = {
    "sensors": lambda f, c, s: draw_sensors(f, s),
    "map": draw_map,
    "map without truth": lambda f, c, s: draw_map(f, c, s, truth=False),
    "spectra": lambda f, c, s: figures.draw_spectra(
        read_bands(f / "bands.csv"), read_references(f / "references.csv")[1], c, s
    ),
    "no spectra": lambda f, c, s: figures.draw_spectra(read_bands(f / "bands.csv"), {}, c, s),
    "detection": lambda f, c, s: figures.draw_detection(rows(f, "detection"), PUBLISHED, LABELS, s),
    "no detection": lambda f, c, s: figures.draw_detection([], PUBLISHED, LABELS, s),
    "subsets": lambda f, c, s: figures.draw_subsets(rows(f, "subsets"), s),
    "no means": lambda f, c, s: figures.draw_subsets(
        [row | {"f1": ""} for row in rows(f, "subsets")], s
    ),
    "no subsets": lambda f, c, s: figures.draw_subsets([], s),
    "gain": lambda f, c, s: figures.draw_gain(rows(f, "subsets"), s),
    "no gain": lambda f, c, s: figures.draw_gain([], s),
    "similarity": lambda f, c, s: figures.draw_similarity(rows(f, "similarity"), LABELS, s),
    "no similarity": lambda f, c, s: figures.draw_similarity([], LABELS, s),
    "coverage": lambda f, c, s: figures.draw_coverage(rows(f, "coverage"), LABELS, s),
    "no coverage": lambda f, c, s: figures.draw_coverage([], LABELS, s),
    "training": lambda f, c, s: figures.draw_training(histories(f), s),
    "no training": lambda f, c, s: figures.draw_training({"Network": []}, s),
}


@pytest.fixture(params=DRAW)
def draw(request, folder, classes):
    return lambda synthetic: DRAW[request.param](folder, classes, synthetic)


def test_every_figure_says_synthetic_only_when_it_is(draw):
    assert "SYNTHETIC" in texts(draw(True))
    assert "SYNTHETIC" not in texts(draw(False))


def test_figures_are_without_metadata(draw):
    image = Image.open(io.BytesIO(png(draw(True))))
    assert set(image.info) <= {"dpi"}
    assert image.width > 1000


def test_all_text_fits_into_the_figure(draw):
    assert_text_fits(draw(True))


def test_a_picture_reads_three_bands_of_the_sensor(folder):
    bands = read_bands(folder / "bands.csv")
    picture = figures.read_picture(folder / "stack.tif", bands, "sentinel2")
    assert picture.bands.names == ("sentinel2:B04", "sentinel2:B03", "sentinel2:B02")
    whole = read_small(folder / "stack.tif")
    places = [whole.bands.names.index(name) for name in picture.bands.names]
    np.testing.assert_array_equal(picture.values, whole.values[places])
    bare = replace(bands, centre_um=tuple(5.0 + place for place in range(len(bands))))
    picture = figures.read_picture(folder / "stack.tif", bare, "emit")
    assert picture.bands.names == ("emit:B001", "emit:B002", "emit:B003")


def test_the_sensor_of_the_picture_is_the_one_that_sees_most():
    bits = np.full((1, 30, 40), 1 << sensor_reports.SENSORS.index("enmap"), np.float32)
    bits[0, 0, 0] = 31
    bits[0, 1] = np.nan
    mask = Raster(bits, GRID, BandTable(("sensors",)))
    assert figures.widest_sensor(mask, sensor_reports.SENSORS) == "enmap"
    assert figures.widest_sensor(mask, ("emit", "prisma")) == "emit"


def test_shares_of_the_grid_stand_above_the_sensors(folder):
    shown = texts(draw_sensors(folder, False))
    present = sensor_reports.masks()
    for place, label in ((2, "PRISMA"), (3, "Sentinel-2")):
        assert f"{label}: {present[..., place].mean():.1%} of the grid" in shown
    assert "True colour, Sentinel-2" in shown


def test_each_map_of_a_truth_is_drawn(folder, classes):
    truth = raster(folder, "truth")
    both = replace(truth, values=np.concatenate([truth.values, truth.values[:, ::-1]]))
    shown = texts(
        figures.draw_map(
            *(raster(folder, name) for name in ("class", "answer", "distance")), both, classes, True
        )
    )
    assert "Truth (simulated), map 1" in shown and "Truth (simulated), map 2" in shown


def test_the_map_counts_what_was_named(folder, classes):
    shown = texts(draw_map(folder, classes, False))
    answers = raster(folder, "answer").values
    share = (answers == 1).sum() / np.isfinite(answers).sum()
    assert f"Answer: {share:.1%} of the pixels are named" in shown
    for text in ("Several minerals near enough", "No single mineral", "Jarosite", "Truth"):
        assert text in shown
    assert "Truth" not in texts(draw_map(folder, classes, False, truth=False))


def test_all_sets_and_all_numbers_of_the_table_are_drawn(folder):
    table = rows(folder, "subsets")
    drawn = figures.draw_subsets(table, False)
    dots, heat = drawn.axes[:2]
    assert dots.get_xticklabels()[0].get_text() == "EMIT"
    values = np.ma.filled(heat.images[0].get_array(), np.nan)
    assert values.shape == (31, len(sensor_reports.METHOD_LABELS))
    wanted = {
        (row["sensors"], row["method"]): float(row["f1"])
        for row in table
        if row["mineral"] == "macro" and row["threshold_kind"] == "validation"
    }
    assert values[0, 0] == wanted["+".join(sensor_reports.SENSORS), "masked"]
    assert values[-1, -1] == wanted["worldview3", "shape"]
    bold = [text for text in heat.texts if text.get_fontweight() == "bold"]
    assert len(bold) >= 31


def test_similarity_has_a_row_for_every_set_that_can_be_missing(folder):
    drawn = figures.draw_similarity(rows(folder, "similarity"), LABELS, False)
    cosine, euclid = (axis.images[0].get_array() for axis in drawn.axes[1:3])
    assert cosine.shape == euclid.shape == (30, 7)
    assert cosine[0, 0] == pytest.approx(0.97)
    assert euclid[-1, -1] == pytest.approx(1.1)


def test_detection_shows_the_paper_only_where_it_printed(folder):
    drawn = figures.draw_detection(rows(folder, "detection"), PUBLISHED, LABELS, False)
    crosses = {
        axis.get_title(loc="left").partition(",")[0]: [
            float(line.get_xdata()[0]) for line in axis.lines if line.get_marker() == "x"
        ]
        for axis in drawn.axes
    }
    assert crosses.pop("Alunite") == [0.474]
    assert crosses.pop("Jarosite") == [0.212]
    assert not any(crosses.values())
    assert "90 of n = 1,200" in texts(drawn)
    alone = figures.draw_detection(rows(folder, "detection"), [], LABELS, False)
    assert "Paper" not in texts(alone)


def test_thresholds_of_a_library_alone_are_no_test(folder):
    table = [row for row in rows(folder, "detection") if row["threshold_kind"] == "library"]
    shown = texts(figures.draw_detection(table, PUBLISHED, LABELS, False))
    assert "there is no truth" in shown


def test_filling_in_is_not_drawn_where_nothing_is_missing(folder):
    drawn = figures.draw_gain(rows(folder, "subsets"), False)
    assert drawn.axes[1].get_ylim() == (29.5, -0.5)


def test_spectra_have_gaps_where_bands_are_left_out(folder, classes):
    bands = read_bands(folder / "bands.csv")
    references = read_references(folder / "references.csv")[1]
    drawn = figures.draw_spectra(bands, references, classes, False)
    emit, *_, multispectral = drawn.axes[:4]
    assert all(np.isnan(line.get_xdata()).any() for line in emit.lines)
    assert not any(np.isnan(line.get_xdata()).any() for line in multispectral.lines)
    assert len(emit.lines) == 7
    assert f"Sentinel-2, {len(bands.band[bands.part('sentinel2')])} bands" in texts(drawn)


def test_coverage_marks_what_was_asked(folder):
    shown = texts(figures.draw_coverage(rows(folder, "coverage"), LABELS, False))
    assert "Jarosite\nn = 90" in shown
    assert "70%" in shown
    assert "dotted = asked" in shown


def test_training_draws_what_the_histories_have(folder):
    shown = texts(figures.draw_training(histories(folder), False))
    assert "Validation loss" in shown
    assert "Share of triplets" in shown
    shown = texts(figures.draw_training({"Network": rows(folder, "masked")}, False))
    assert "Validation loss" not in shown
