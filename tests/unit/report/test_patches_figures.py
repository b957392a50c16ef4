import numpy as np
import pytest
from figure_checks import assert_text_fits, png, texts
from patch_scenes import CHALCOCITE, FELDSPAR, split_table
from rasterio.crs import CRS
from rasterio.transform import from_origin

from gossan.raster import BandTable, Grid
from gossan.report import patches_figures as cnn_figures
from gossan.report.drawing import Raster

PAIR = [CHALCOCITE, FELDSPAR]
UTM = Grid(CRS.from_epsg(32643), from_origin(430_000, 3_990_000, 30, 30), 50, 40)
TABLE = split_table()
IMAGES = np.random.default_rng(1).integers(0, 255, (len(TABLE), 8, 8, 3)).astype(np.uint8)


def history(epochs=10):
    return [
        {
            "epoch": str(epoch),
            "accuracy": str(0.6 + 0.03 * epoch),
            "loss": str(0.7 / epoch),
            "val_accuracy": str(0.58 + 0.03 * epoch),
            "val_loss": str(0.8 / epoch),
        }
        for epoch in range(1, epochs + 1)
    ]


def answers(ece=0.12):
    bins = [
        {"n": 0, "confidence": None, "accuracy": None},
        {"n": 4, "confidence": 0.65, "accuracy": 0.5},
        {"n": 30, "confidence": 0.95, "accuracy": 0.9},
    ]
    return {
        "images": 34,
        "uncalibrated": {"ece": ece, "bins": bins},
        "calibrated": {"ece": 0.034, "bins": bins},
    }


def score(value, low=None, high=None, n=34):
    return {"n": n, "overall_accuracy": {"value": value, "low": low, "high": high, "n_blocks": 9}}


def scores():
    return {
        ("Paper's network", "blocked"): score(0.91, 0.82, 0.99),
        ("Paper's network", "paper"): score(0.97, n=290),
        ("Compact network", "blocked"): score(None, n=0),
    }


def network_map():
    codes = np.zeros((1, 40, 50), "float32")
    codes[0, 5:20], codes[0, 25:30], codes[0, :3] = 2, 12, np.nan
    probability = np.where(np.isnan(codes), np.nan, 0.8).astype("float32")
    bands = BandTable(("class",))
    return Raster(codes, UTM, bands), Raster(probability, UTM, bands)


PROPORTIONS = [
    {"name": "chalcocite", "pixels": "1011", "share": "0.0047"},
    {"name": "background", "pixels": "100000", "share": "0.87"},
    {"name": "feldspar", "pixels": "2555", "share": "0.1253"},
]
PUBLISHED = {"chalcocite": 0.0527, "feldspar": 0.0272}
DRAW = {
    "patches": lambda synthetic: cnn_figures.draw_patches(TABLE, IMAGES, PAIR, synthetic),
    "training": lambda synthetic: cnn_figures.draw_training(
        {"paper protocol": history(), "blocked protocol": history(4), "none": []},
        synthetic,
        {"accuracy": 0.9688},
    ),
    "reliability": lambda synthetic: cnn_figures.draw_reliability(
        {name: answers() for name in ("Paper's network, blocked", "B", "C", "D")}, synthetic
    ),
    "protocols": lambda synthetic: cnn_figures.draw_protocols(
        scores(), synthetic, {"Published, Table 2": 0.9287, "Published, text": 0.9509}
    ),
    "pair": lambda synthetic: cnn_figures.draw_pair(network_map()[0], PAIR, synthetic),
    "map": lambda synthetic: cnn_figures.draw_network_map(*network_map(), PAIR, synthetic),
    "proportions": lambda synthetic: cnn_figures.draw_proportions(
        PROPORTIONS, PAIR, synthetic, PUBLISHED
    ),
    "no training": lambda synthetic: cnn_figures.draw_training({"a": []}, synthetic),
    "no scores": lambda synthetic: cnn_figures.draw_protocols({}, synthetic),
    "no bins": lambda synthetic: cnn_figures.draw_reliability({}, synthetic),
    "no pixels": lambda synthetic: cnn_figures.draw_proportions([], PAIR, synthetic),
    "no patches": lambda synthetic: cnn_figures.draw_patches(
        TABLE.take(np.zeros(0, int)), IMAGES[:0], PAIR, synthetic
    ),
}


@pytest.mark.parametrize("name", DRAW)
def test_every_figure_says_synthetic_only_when_it_is(name):
    assert "SYNTHETIC" in texts(DRAW[name](True))
    assert "SYNTHETIC" not in texts(DRAW[name](False))


@pytest.mark.parametrize("name", DRAW)
def test_figures_are_equal_bytes(name):
    assert png(DRAW[name](True)) == png(DRAW[name](True))


@pytest.mark.parametrize("name", DRAW)
def test_all_text_fits_into_the_figure(name):
    assert_text_fits(DRAW[name](True))


def test_examples_run_from_pure_to_mixed():
    table = split_table()
    table.shares[:, :] = np.random.default_rng(4).random(table.shares.shape)
    for label, places in enumerate(cnn_figures.pick_examples(table, 5)):
        assert len(places) == 5
        assert (table.labels[places] == label).all()
        own = table.shares[table.labels == label, label]
        shown = table.shares[places, label]
        assert (np.diff(shown) <= 0).all()
        assert (shown[0], shown[-1]) == (own.max(), own.min())


def test_patches_show_every_variant():
    shown = texts(DRAW["patches"](False))
    assert "270°, mirrored" in shown
    assert "60%" in shown


def test_training_has_a_row_for_each_protocol_on_common_axes():
    figure = DRAW["training"](False)
    shown = texts(figure)
    for text in ("Accuracy, paper protocol", "Loss, blocked protocol", "Published, last epoch"):
        assert text in shown
    assert "none" not in shown
    accuracies = figure.axes[::2]
    assert len(accuracies) == 2
    assert accuracies[0].get_xlim() == accuracies[1].get_xlim()
    assert [len(axis.get_lines()[0].get_xdata()) for axis in accuracies] == [10, 4]
    assert "Published" not in texts(cnn_figures.draw_training({"a": history(3)}, False))


def test_protocols_show_values_numbers_and_what_was_published():
    shown = texts(DRAW["protocols"](False))
    for text in ("91.0%, n = 34", "97.0%, n = 290", "undefined, n = 0", "(92.87%)", "Split: paper"):
        assert text in shown


def test_reliability_draws_full_bins_of_every_network():
    figure = DRAW["reliability"](False)
    above = [axis for axis in figure.axes if axis.get_title(loc="left").endswith("n = 34")]
    assert len(above) == 4
    for axis in above:
        assert [list(line.get_xdata()) for line in axis.get_lines()[1:]] == [[0.65, 0.95]] * 2
    assert "Uncalibrated: ECE 0.120" in texts(figure)
    assert "Calibrated: ECE 0.034" in texts(figure)


def test_proportions_are_sorted_and_carry_the_published_shares():
    figure = DRAW["proportions"](False)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        *("Background", "Feldspar (microcline)", "Chalcocite"),
    ]
    assert "1,011 pixels · 0.47% (published 5.27%)" in texts(figure)


def test_the_map_has_a_legend_of_what_occurs():
    shown = texts(DRAW["map"](False))
    for text in ("Chalcocite", "Feldspar", "No answer", "No data", "Class by the network"):
        assert text in shown
    named = cnn_figures.draw_network_map(*network_map(), PAIR, False, "the compact network")
    assert "Class by the compact network" in texts(named)


def test_the_pair_is_mapped_in_its_colours_with_its_shares_of_the_clear_ground():
    classes_map, _ = network_map()
    classes_map.values[0, 35:38] = 6
    figure = cnn_figures.draw_pair(classes_map, PAIR, False)
    # 15 and 5 of 37 clear rows; the calcite of the map is other ground.
    assert "chalcocite 40.5%, feldspar 13.5%" in texts(figure)
    shown = figure.axes[0].images[0].get_array()
    np.testing.assert_array_equal(shown[36, 0], shown[39, 0])
    np.testing.assert_allclose(shown[10, 0], (0, 254 / 255, 0), atol=0.003)
