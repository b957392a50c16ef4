import io

import numpy as np
import pytest
from figure_checks import assert_text_fits, png, texts
from PIL import Image
from rasterio.crs import CRS
from rasterio.transform import from_origin
from zone_scenes import write_zones

from gossan.raster import BandTable, Grid
from gossan.report import zones_figures as figures
from gossan.report.drawing import Raster

GRID = Grid(CRS.from_epsg(32643), from_origin(430_000, 3_990_000, 30, 30), 112, 96)
BANDS = ("4", "5", "6")
OUTLINE = [np.array([[431.0, 3988.0], [432.0, 3988.0], [432.0, 3989.0], [431.0, 3988.0]])]


def raster(names, low=0.0, high=1.0, whole=False):
    generator = np.random.default_rng(3)
    values = generator.uniform(low, high, (len(names), GRID.height, GRID.width))
    values = (np.rint(values) if whole else values).astype("float32")
    values[:, :5, :5] = np.nan
    return Raster(values, GRID, BandTable(tuple(names)))


def stages():
    return [
        {"stage": name, "snr": {"4": 20.0 + place, "5": 15.0, "6": None}}
        for place, name in enumerate(("raw", "iarr", "log_residuals", "quac"))
    ]


def histograms():
    item = {"low": 0.1, "width": 0.01, "counts": [3, 8, 12, 5, 1]}
    return {when: dict.fromkeys(BANDS, item) for when in ("before", "after")}


def anomaly_rows():
    return [{"band": band, "anomalies": "128", "pixels": "12789"} for band in BANDS]


def profile_rows():
    return [
        {
            "band": band,
            "subband": "LH",
            "row": str(row),
            "y": "1",
            "mean": f"{row / 1e4}",
            "mean_magnitude": "" if row == 3 else "0.01",
            "pixels": "100",
        }
        for band in BANDS
        for row in range(20)
    ]


def wavelet_rows():
    return [
        {
            "wavelet": wavelet,
            "band": band,
            "share_LL": "0.93",
            "entropy_bits": "5.2",
            "auc_phyllic": "0.7",
            "auc_phyllic_low": "0.6",
            "auc_phyllic_high": "0.8",
        }
        for wavelet in ("haar", "db2", "sym4", "coif1")
        for band in BANDS
    ]


def confidence_rows():
    return [
        {
            "zone": "phyllic",
            "band": band,
            "level": "either",
            "found": "300",
            "right": "290",
            "n_reference": "3000",
            "precision": "" if band == "6" else "0.97",
            "recall": "0.097",
        }
        for band in BANDS
    ]


def curve_rows():
    rows = []
    for zone in ("phyllic", "propylitic"):
        common = {"zone": zone, "n": "10000", "n_reference": "2500"}
        for method, gain in (("score", 0.3), ("ratio (5+7)/6", 0.1), ("SAM", 0.0)):
            for recall in np.linspace(1, 0.05, 20):
                precision = min(1.0, 0.3 + gain + 0.5 * (1 - recall))
                rows.append(
                    {
                        **common,
                        "method": method,
                        "kind": "curve",
                        "recall": f"{recall}",
                        "precision": f"{precision}",
                        "precision_low": f"{precision - 0.1}",
                        "precision_high": f"{precision + 0.1}",
                    }
                )
            rows.append(
                {
                    **common,
                    "method": method,
                    "kind": "operating",
                    "recall": "0.6",
                    "precision": "0.6",
                }
            )
        for band in BANDS:
            for place, level in enumerate(("medium", "high", "either")):
                rows.append(
                    {
                        **common,
                        "method": f"rule {band} {level}",
                        "kind": "rule",
                        "recall": f"{0.1 + place / 20}",
                        "precision": "0.4",
                    }
                )
    return rows


def record(assessed=True):
    if not assessed:
        return {"assessed": False, "reason": "This scene has no reference."}
    value = {"value": 0.6, "low": 0.5, "high": 0.7}
    undefined = {"value": None, "low": None, "high": None}
    methods = [
        {
            "method": name,
            "found": 3000,
            "right": 2000,
            "f1": value,
            "recall": value,
            "precision": undefined if name == "SAM" else value,
        }
        for name in ("score", "SAM", "ratio 7/6", *list(figures.METHOD_LABELS)[2:])
    ]
    zone = {"n": 12789, "n_reference": 3100, "n_blocks": 60, "methods": methods}
    return {
        "assessed": True,
        "block_px": 16,
        "zones": [{"zone": name, **zone} for name in ("phyllic", "propylitic")],
    }


SUBBANDS = [f"6 {part}" for part in ("LL", "LH", "HL", "HH")]
DRAW = {
    "signal": lambda s: figures.draw_signal(stages(), BANDS, s),
    "signal without stages": lambda s: figures.draw_signal([], BANDS, s),
    "histograms": lambda s: figures.draw_histograms(histograms(), BANDS, s),
    "anomalies": lambda s: figures.draw_anomalies(raster(BANDS, whole=True), anomaly_rows(), s),
    "sub-bands": lambda s: figures.draw_subbands(raster(SUBBANDS, -1), "6", s),
    "profile": lambda s: figures.draw_profile(profile_rows(), BANDS, s),
    "wavelets": lambda s: figures.draw_wavelets(wavelet_rows(), ["phyllic"], s),
    "confidence": lambda s: figures.draw_confidence(
        raster(BANDS, 0, 2, whole=True), "phyllic", OUTLINE, confidence_rows(), s
    ),
    "scores": lambda s: figures.draw_scores(
        {"phyllic": raster(["phyllic", "phyllic held out"])},
        {"phyllic": OUTLINE},
        {"phyllic": 0.41},
        s,
    ),
    "curves": lambda s: figures.draw_curves(curve_rows(), s),
    "curves without a test": lambda s: figures.draw_curves([], s),
    "comparison": lambda s: figures.draw_comparison(record(), s),
    "comparison without a reference": lambda s: figures.draw_comparison(record(False), s),
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
    assert image.width > 1000


@pytest.mark.parametrize("name", DRAW)
def test_all_text_fits_into_the_figure(name):
    assert_text_fits(DRAW[name](True))


def test_precision_never_stands_without_recall_and_counts():
    shown = texts(DRAW["confidence"](False))
    assert "300 found, 3,000 in the zone" in shown
    assert "precision 0.97, recall 0.10" in shown
    assert "precision undefined, recall 0.10" in shown
    shown = texts(DRAW["comparison"](False))
    assert "3,000 found, 2,000 right" in shown
    assert "3,100 of 12,789 tested pixels" in shown
    assert "ratio 7/6" not in shown.lower()


def test_the_curves_name_every_method_and_the_rule():
    shown = texts(DRAW["curves"](False))
    for name in ("Alteration score (held-out blocks)", "Ratio (5+7)/6", "SAM", "Fixed ranges"):
        assert name in shown


def test_missing_things_are_told():
    assert "no sub-bands of band 9" in texts(figures.draw_subbands(raster(SUBBANDS), "9", False))
    assert "none of these bands" in texts(figures.draw_profile(profile_rows(), ["9"], False))
    assert "no histograms" in texts(figures.draw_histograms(histograms(), ["9"], False))
    assert "No wavelets" in texts(figures.draw_wavelets([], [], False))
    assert "no alteration score" in texts(figures.draw_scores({}, {}, {}, False))


def test_details_of_several_levels_are_found():
    names = ["6 LL", "6 LH1", "6 HL1", "6 HH1", "6 LH2", "6 HL2", "6 HH2"]
    shown = texts(figures.draw_subbands(raster(names), "6", False))
    assert "LH: horizontal detail" in shown


def test_outlines_come_in_the_units_of_the_map(tmp_path):
    path = write_zones(tmp_path / "zones.geojson", crs="EPSG:4326")
    outlines = figures.read_outlines(path, GRID, "Phyllic")
    assert len(outlines) == 2
    west, east = outlines[0][:, 0].min(), outlines[0][:, 0].max()
    assert west == pytest.approx(430.0 + 8 * 0.03, abs=1e-4)
    assert east == pytest.approx(430.0 + 44 * 0.03, abs=1e-4)
    assert figures.read_outlines(path, GRID, "skarn") == []
