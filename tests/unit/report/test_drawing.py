import matplotlib
import numpy as np
import pytest
import rasterio
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from rasterio.crs import CRS
from rasterio.transform import from_origin
from samples import write_raster

from gossan.raster import BandTable, Grid
from gossan.report import drawing, zones_figures
from gossan.report.drawing import (
    MOST_PANELS,
    Raster,
    choose_evenly,
    draw_composite,
    read_chosen,
    read_composite,
    read_small,
    save_figures,
)

GRID = Grid(CRS.from_epsg(32643), from_origin(430_000, 3_990_000, 30, 30), 40, 30)
BANDS = [f"B{place:03d}" for place in range(285)]


def cube(path, centres_um):
    """A cube whose band b has b everywhere."""
    values = np.arange(len(centres_um), dtype="float32")[:, None, None] * np.ones((30, 40), "f4")
    write_raster(path, values, nodata=np.nan)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = [f"B{place:03d}" for place in range(len(centres_um))]
        for band, centre in enumerate(centres_um, start=1):
            tags = {"CENTRAL_WAVELENGTH_UM": str(centre), "FWHM_UM": "0.01"}
            dataset.update_tags(band, ns="IMAGERY", **tags)
    return path


def words(figure):
    FigureCanvasAgg(figure).draw()
    return " | ".join(text.get_text() for text in figure.findobj(Text))


def test_few_items_are_all_chosen_and_many_evenly_with_both_ends():
    assert choose_evenly([1, 2, 3]) == [1, 2, 3]
    chosen = choose_evenly(range(285))
    assert len(chosen) == MOST_PANELS
    assert (chosen[0], chosen[-1]) == (0, 284)
    assert set(np.diff(chosen)) <= {25, 26}


def test_of_a_spectrometer_only_the_bands_of_the_pictures_are_read(tmp_path):
    centres = np.linspace(0.4, 2.5, 285)
    path = cube(tmp_path / "cube.tif", centres)
    small = read_composite(path)
    assert len(small.bands.names) <= 12
    whole = words(draw_composite(read_small(path), synthetic=False))
    assert words(draw_composite(small, synthetic=False)) == whole
    for text in ("True colour\n0.65 µm, 0.56 µm, 0.48 µm as red", "False colour\n2.20 µm, 0.87 µm"):
        assert text in whole
    for place, name in enumerate(small.bands.names):
        assert small.values[place, 0, 0] == int(name[1:])


def test_a_sensor_without_visible_bands_is_shown_in_the_infrared(tmp_path):
    centres = (1.656, 2.167, 2.209, 2.262, 2.336, 2.4)
    path = cube(tmp_path / "cube.tif", centres)
    said = words(draw_composite(read_composite(path), synthetic=False))
    assert "Short-wave infrared" in said
    assert "True colour" not in said


def test_bands_without_wavelengths_are_shown_in_their_order(tmp_path):
    values = np.random.default_rng(1).random((5, 30, 40)).astype("float32")
    path = write_raster(tmp_path / "stack.tif", values, nodata=np.nan)
    assert len(read_composite(path).bands.names) == 3


def test_at_most_a_readable_number_of_bands_is_read(tmp_path):
    path = cube(tmp_path / "cube.tif", np.linspace(0.4, 2.5, 285))
    raster = read_chosen(path)
    assert raster.bands.names == tuple(choose_evenly(BANDS))


def many(bands):
    values = np.random.default_rng(3).integers(0, 2, (len(bands), 30, 40)).astype("float32")
    return Raster(values, GRID, BandTable(tuple(bands)))


def figures_of_bands():
    item = {"low": 0.1, "width": 0.01, "counts": [3, 8, 12]}
    rules = [{"zone": "phyllic", "band": band, "level": "either", "recall": ""} for band in BANDS]
    rows = [{"band": band, "anomalies": "10", "pixels": "1200"} for band in BANDS]
    profile = [
        {"band": band, "subband": "LH1", "row": "0", "mean": "0", "mean_magnitude": "1"}
        for band in BANDS
    ]
    wavelets = [
        {"wavelet": "haar", "band": band, "share_LL": "0.9", "entropy_bits": "2"} for band in BANDS
    ]
    stages = [{"stage": "toa", "snr": dict.fromkeys(BANDS, 10.0)}]
    histograms = {when: dict.fromkeys(BANDS, item) for when in ("before", "after")}
    chosen = many(choose_evenly(BANDS))
    return {
        "signal": lambda: zones_figures.draw_signal(stages, BANDS, False),
        "histograms": lambda: zones_figures.draw_histograms(histograms, BANDS, False),
        "anomalies": lambda: zones_figures.draw_anomalies(chosen, rows, False),
        "profile": lambda: zones_figures.draw_profile(profile, BANDS, False),
        "wavelets": lambda: zones_figures.draw_wavelets(wavelets, [], False),
        "confidence": lambda: zones_figures.draw_confidence(chosen, "phyllic", [], rules, False),
    }


@pytest.mark.parametrize("name", figures_of_bands())
def test_figures_of_hundreds_of_bands_show_some_and_say_so(name):
    figure = figures_of_bands()[name]()
    said = words(figure)
    assert f"{MOST_PANELS} of 285 bands, chosen evenly" in said
    assert "B000" in said
    assert "B284" in said
    assert "B001" not in said


@drawing.styled
def figure_with_bar(layout):
    figure = Figure(figsize=(4, 2), layout=layout)
    axis = figure.add_subplot()
    figure.colorbar(axis.imshow(np.arange(12).reshape(3, 4)), ax=axis)
    axis.set(title="A title", xlabel="Columns")
    return figure


@pytest.mark.parametrize("layout", [None, "constrained", "compressed"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"figure.autolayout": True},
        {"figure.constrained_layout.use": True},
        {"savefig.format": "svg"},
    ],
)
def test_a_figure_is_cut_at_its_edge_as_matplotlib_cuts_it(tmp_path, layout, settings):
    with matplotlib.rc_context(settings):
        drawing.save_figure(figure_with_bar(layout), tmp_path / "ours.png")
    with matplotlib.rc_context(drawing.STYLE):
        figure_with_bar(layout).savefig(
            tmp_path / "its.png",
            dpi=drawing.DPI,
            metadata={"Software": None},
            bbox_inches="tight",
            pad_inches=0.08,
        )
    assert (tmp_path / "ours.png").read_bytes() == (tmp_path / "its.png").read_bytes()


def test_all_figures_are_written_or_none_is_left_half(tmp_path):
    def fail():
        raise ValueError("no")

    draw = {"one": lambda: drawing.draw_message("One.", False), "two": fail}
    with pytest.raises(ValueError, match="no"):
        save_figures(draw, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["one.png"]
