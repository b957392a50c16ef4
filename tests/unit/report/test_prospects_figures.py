import io

import numpy as np
import pytest
from figure_checks import assert_text_fits, png, texts
from PIL import Image
from prospects import MINES, NAMES, pixel_box, pixel_point, write_shapes
from rasterio.crs import CRS
from rasterio.transform import from_origin

from gossan.legend import read_classes
from gossan.prospects.potential import classify_potential
from gossan.raster import BandTable, Grid
from gossan.report import drawing, mnf_figures, targets_figures
from gossan.report import prospects_figures as figures
from gossan.report.drawing import Raster
from gossan.report.target_marks import TargetMarks

GRID = Grid(CRS.from_epsg(32643), from_origin(430_000, 3_990_000, 30, 30), 180, 150)
CENTRES_UM = (0.49, 0.56, 0.665, 0.705, 0.74, 0.783, 0.842, 0.865, 1.61, 2.19)
BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
REFERENCES = ("hematite", "itabirite", "soil", "vegetation")
SITES = ("claims", "claims outside mines", "occurrences", "occurrences outside mines")
BODY = np.zeros((GRID.height, GRID.width))
BODY[40:80, 50:110] = 1


@pytest.fixture(scope="module")
def covers(root):
    return read_classes(root / "resources/static/covers.csv")


@pytest.fixture(scope="module")
def grades(root):
    return read_classes(root / "resources/static/iron.csv")


def raster(values, names=("one",), centre_um=()):
    values = np.asarray(values, "float32").copy()
    values[:, :6, :9] = np.nan
    return Raster(values, GRID, BandTable(tuple(names), centre_um))


def noise(bands=1, low=0.0, high=1.0):
    return np.random.default_rng(5).uniform(low, high, (bands, GRID.height, GRID.width))


def cube():
    return raster(noise(len(BANDS), 0.05, 0.5), BANDS, CENTRES_UM)


def ring(top, bottom, left, right):
    shape = pixel_box(top, bottom, left, right)
    return np.asarray(shape.exterior.coords) / 1000


def sites():
    generator = np.random.default_rng(2)
    points = [
        pixel_point(*place) for place in zip(*generator.integers(5, 140, (2, 12)), strict=True)
    ]
    return np.array([[point.x, point.y] for point in points]) / 1000


def target_marks():
    """Twelve targets, of which four are known ground."""
    names = [*(f"T{rank:02d}" for rank in range(1, 9)), *(f"K{rank:02d}" for rank in range(1, 5))]
    known = [""] * 8 + ["training", "known deposit"] * 2
    return TargetMarks(names, known, sites()[::-1] + 0.3)


def samples(covers):
    generator = np.random.default_rng(4)
    centre = np.array([431.2, 3989.1])
    return {item.name: centre + 0.5 * generator.standard_normal((40, 2)) for item in covers}


def strata_rows():
    return [
        {"mine": mine, "stratum": stratum, "class": name, "train": "14", "test": "6"}
        for mine in MINES
        for stratum in ("ore", "0-100 m", "100-200 m", "200-500 m", "500 m-10 km")
        for name in ("ore", "soil", "vegetation", "mixed")
        if (name == "ore") == (stratum == "ore")
    ]


def eigenvalue_rows():
    values = 60.0 / np.arange(1, 11) ** 2
    return [
        {"component": str(place), "eigenvalue": f"{value}", "cumulative_share": f"{share}"}
        for place, (value, share) in enumerate(
            zip(values, np.cumsum(values) / values.sum(), strict=True), start=1
        )
    ]


def scan_rows():
    return [
        {
            "reference": name,
            "threshold_rad": f"{step:.2f}",
            "chosen": "yes" if place == 5 else "no",
            "macro_f1": f"{0.6 - (step - 0.12) ** 2}",
            "best_macro_f1": f"{0.65 - (step - 0.12) ** 2}",
            "ore_false_positive_share": f"{step}",
        }
        for name in REFERENCES
        for place, step in enumerate(np.arange(0.02, 0.42, 0.02))
    ]


def robustness_rows():
    shifts = [("none", "0")]
    shifts += [(name, step) for name in ("all", *REFERENCES) for step in ("-0.02", "0.02")]
    return [
        {
            "reference": name,
            "shift_rad": step,
            "split": split,
            "macro_f1": f"{0.6 + float(step)}",
            "ore_false_positive_share": f"{0.1 + float(step)}",
            "iron_share": f"{0.05 + float(step)}",
        }
        for name, step in shifts
        for split in ("train", "test")
    ]


def record(value=0.7, assessed=True):
    if not assessed:
        return {"assessed": False, "reason": "There are no test points."}
    scores = {"value": value, "low": value - 0.1, "high": value + 0.08}
    undefined = {"value": None, "low": None, "high": None}
    labels = [("other", "Other"), ("ore", "Iron ore"), ("soil", "Soil")]
    labels += [("vegetation", "Vegetation"), ("mixed", "Mixed soil and vegetation")]
    counts = np.eye(5, dtype=int) * 40 + np.arange(25).reshape(5, 5) % 4
    counts[0] = counts[:, 0] = 0
    return {
        "assessed": True,
        "n": 1175,
        "block_px": 32,
        "confusion_matrix": {
            "labels": [
                {"code": code, "name": name, "label": label}
                for code, (name, label) in enumerate(labels)
            ],
            "counts": counts.tolist(),
        },
        "scores": {
            "overall_accuracy": scores,
            "kappa": scores,
            "macro_f1": scores,
            "classes": [
                {
                    "name": name,
                    "label": label,
                    "n_reference": 40 * bool(place),
                    "f1": undefined if name == "mixed" else scores,
                }
                for place, (name, label) in enumerate(labels)
            ],
        },
    }


def records():
    return {"Random split, bands": record(), "Blocked folds, bands": record(0.55)}


SPLITS_CALLED = {"random": "published split", "blocked": "spatial blocks"}
PLANS = {"bands": BANDS, "chosen": [f"B{place:02d} deviation 9 px" for place in range(40)]}


def importance_rows():
    return [
        {
            "protocol": split,
            "plan": plan,
            "layer": layer,
            "loss": f"{0.1 - place / 60 - 0.02 * (split == 'blocked')}",
            "loss_lowest": f"{0.08 - place / 60}",
            "loss_highest": f"{0.11 - place / 60}",
        }
        for plan, layers in PLANS.items()
        for split in ("random", "blocked")
        for place, layer in enumerate(layers)
    ]


def shap_rows(classes):
    generator = np.random.default_rng(8)
    return [
        {
            "plan": plan,
            "feature": feature,
            "class": item.name,
            "points": "1000",
            "mean_abs": f"{generator.random() / (place + 4)}",
        }
        for plan, features in PLANS.items()
        for place, feature in enumerate(features)
        for item in classes
    ]


def target_record(sites=SITES):
    cross = {"score": 0.3, "found_share": 0.8, "area_share": 0.2, "weight": 1.4}
    auc = {"value": 0.86, "low": 0.79, "high": 0.92}
    return {
        "potential": [
            {"name": name, "share": share}
            for name, share in (("high", 0.03), ("medium", 0.07), ("low", 0.9))
        ],
        "thresholds": {"medium": "0.34", "high": "0.67"},
        "targets": 37,
        "note": "",
        "curves": [
            {
                "sites": name,
                "n": 61,
                "area_under_curve": dict(auc, low=None) if name == "claims" else auc,
                "prediction_area": cross | {"normalised_density": None if place else 4.0},
            }
            for place, name in enumerate(sites)
        ],
    }


def overlay_rows():
    return [
        {
            "sites": name,
            "potential": potential,
            "area_share": f"{area}",
            "n": "61",
            "found": f"{round(61 * share)}",
            "share": f"{share}",
            "share_low": "" if name == "claims" else f"{max(0, share - 0.1)}",
            "share_high": "" if name == "claims" else f"{min(1, share + 0.1)}",
            "ratio": f"{share / area}",
        }
        for name in SITES
        for potential, area, share in (
            ("high", 0.03, 0.4),
            ("medium", 0.07, 0.2),
            ("low", 0.9, 0.4),
            ("medium or high", 0.1, 0.6),
        )
    ]


def curve_rows():
    steps = np.linspace(0, 1, 101)
    return [
        {
            "sites": name,
            "score": f"{step}",
            "area_share": f"{(1 - step) ** 4}",
            "found_share": f"{(1 - step) ** (0.8 + place / 4)}",
            "found_low": f"{max(0, (1 - step) ** (0.8 + place / 4) - 0.1)}",
            "found_high": f"{min(1, (1 - step) ** (0.8 + place / 4) + 0.1)}",
        }
        for place, name in enumerate(SITES)
        for step in steps
    ]


def probability():
    values = noise(len(NAMES)) + 3 * BODY * (np.arange(len(NAMES)) == 0)[:, None, None]
    return raster(values / values.sum(axis=0), NAMES)


def potential():
    score = (0.7 * BODY + 0.35 * noise()[0]).astype("float32")
    return raster(classify_potential(score, 0.34, 0.67)[None])


HOSTS = drawing.Shapes([ring(0, 110, 0, 180)], np.zeros((0, 2)))
MINE_SHAPES = drawing.Shapes([ring(*place) for place in MINES.values()], np.zeros((0, 2)))
CLAIMS = drawing.Shapes([ring(20, 40, 30, 60), ring(90, 120, 20, 60)], np.zeros((0, 2)))
OCCURRENCES = drawing.Shapes([], sites())
PUBLISHED = {"overall_accuracy": 0.698, "kappa": 0.623, "macro_f1": 0.697, "ore": 0.686}
DRAW = {
    "looks": lambda s, c, g: figures.draw_looks(raster(np.rint(noise(1, 0, 4))), 4, s),
    "strata": lambda s, c, g: figures.draw_strata(
        cube(), MINE_SHAPES, samples(c), strata_rows(), c, s
    ),
    "eigenvalues": lambda s, c, g: mnf_figures.draw_eigenvalues(eigenvalue_rows(), s),
    "no eigenvalues": lambda s, c, g: mnf_figures.draw_eigenvalues([], s),
    "end-members": lambda s, c, g: mnf_figures.draw_endmembers(
        np.array(CENTRES_UM),
        {f"{place} (purity {90 - place})": noise(10)[:, place, 20] for place in range(1, 11)},
        s,
    ),
    "no end-members": lambda s, c, g: mnf_figures.draw_endmembers(np.array(CENTRES_UM), {}, s),
    "scan": lambda s, c, g: figures.draw_scan(
        scan_rows(), {"hematite": 0.1, "itabirite": 0.12, "soil": 0.15, "vegetation": 0.15}, s
    ),
    "robustness": lambda s, c, g: figures.draw_robustness(robustness_rows(), s),
    "labels": lambda s, c, g: figures.draw_labels(
        raster(noise(4), REFERENCES),
        ("hematite", "itabirite"),
        raster(np.rint(noise(1, 1, 7))),
        g,
        HOSTS,
        s,
    ),
    "confusions": lambda s, c, g: figures.draw_confusions(records(), s),
    "no confusion": lambda s, c, g: figures.draw_confusions({"SAM": record(assessed=False)}, s),
    "splits": lambda s, c, g: figures.draw_splits(records(), PUBLISHED, "Paper", s),
    "no splits": lambda s, c, g: figures.draw_splits({}, PUBLISHED, "Paper", s),
    "importance": lambda s, c, g: figures.draw_importance(importance_rows(), SPLITS_CALLED, s),
    "shap": lambda s, c, g: figures.draw_shap(shap_rows(c), c, s),
    "probability": lambda s, c, g: figures.draw_probability(
        probability(), raster(noise(2), ("entropy", "spread_over_trees")), s
    ),
    "potential": lambda s, c, g: figures.draw_potential(
        potential(), CLAIMS, OCCURRENCES, target_marks(), target_record(), s
    ),
    "overlay": lambda s, c, g: targets_figures.draw_overlay(overlay_rows(), 0.5307, s),
    "no sites": lambda s, c, g: targets_figures.draw_overlay([], 0.5307, s),
    "success": lambda s, c, g: targets_figures.draw_success(curve_rows(), target_record(), s),
    "no curves": lambda s, c, g: targets_figures.draw_success([], target_record(()), s),
    "prediction-area": lambda s, c, g: targets_figures.draw_prediction_area(
        curve_rows(), target_record(), s
    ),
}


@pytest.fixture(params=DRAW)
def draw(request, covers, grades):
    return lambda synthetic: DRAW[request.param](synthetic, covers, grades)


def test_every_figure_says_synthetic_only_when_it_is(draw):
    assert "SYNTHETIC" in texts(draw(True))
    assert "SYNTHETIC" not in texts(draw(False))


def test_figures_are_equal_bytes_without_metadata(draw):
    picture = png(draw(True))
    assert picture == png(draw(True))
    image = Image.open(io.BytesIO(picture))
    assert set(image.info) <= {"dpi"}
    assert image.width > 1000


def test_all_text_fits_into_the_figure(draw):
    assert_text_fits(draw(True))


def test_numbers_carry_their_n(covers, grades):
    shown = texts(DRAW["overlay"](False, covers, grades))
    assert "24 of 61, 13 × area" in shown
    assert "Paper: 53.07% of claims" in shown
    shown = texts(DRAW["success"](False, covers, grades))
    assert "Occurrences, n = 61: area under curve 0.86 (0.79 to 0.92)" in shown
    assert "Claims, n = 61: area under curve 0.86 |" in shown
    assert "n = 1,175" in texts(DRAW["splits"](False, covers, grades))
    table = DRAW["strata"](False, covers, grades).axes[-1].tables[0].get_celld()
    assert table[1, 2].get_text().get_text() == "14 + 6"
    assert [table[11, column].get_text().get_text() for column in (0, 2, 3)] == [
        "All",
        "28 + 12",
        "112 + 48",
    ]


def test_only_the_best_features_are_drawn(covers):
    shown = texts(figures.draw_importance(importance_rows(), SPLITS_CALLED, False))
    assert "B19 deviation" in shown
    assert "B20 deviation" not in shown
    assert "Published split" in shown
    shown = texts(figures.draw_shap(shap_rows(covers), covers, False, most=5))
    assert "chosen; 40 features, first 5, n = 1,000" in shown
    assert "Iron ore" in shown


def test_nothing_to_explain_is_told(covers):
    assert "not measured" in texts(figures.draw_importance([], {}, False))
    assert "No SHAP values" in texts(figures.draw_shap([], covers, False))


def test_looks_without_data_are_counted(covers, grades):
    values = np.zeros((1, GRID.height, GRID.width), "float32")
    values[0, :15] = 2
    shown = texts(figures.draw_looks(Raster(values, GRID, BandTable(("looks",))), 2, False))
    assert "90.0%" in shown
    assert "10.0%" in shown


def test_shapes_come_in_the_units_of_the_map(tmp_path):
    drawn = [pixel_box(10, 20, 30, 40), pixel_box(50, 60, 30, 40), pixel_point(5, 6)]
    path = write_shapes(
        tmp_path / "drawn.geojson", drawn, "EPSG:4326", substance=["IRON ", "gold", "iron"]
    )
    shapes = drawing.read_shapes(path, GRID, "substance", ("Iron",))
    assert len(shapes.rings) == 1
    assert shapes.rings[0][:, 0].min() == pytest.approx(430.9, abs=1e-4)
    assert shapes.points == pytest.approx(np.array([[430.195, 3989.835]]), abs=1e-4)
    assert len(drawing.read_shapes(path, GRID).rings) == 2
    found = drawing.read_classed_points(
        write_shapes(tmp_path / "points.gpkg", drawn[2:] * 2, **{"class": ["soil", "ore"]}),
        GRID,
        "class",
    )
    assert list(found) == ["ore", "soil"]
    assert found["soil"] == pytest.approx(np.array([[430.195, 3989.835]]))


def test_classes_that_are_no_grades_have_the_probability_of_the_mapped_one():
    values = noise(3)
    shares = raster(values / values.sum(axis=0), ("gneiss", "quartzite", "schist"))
    drawn = figures.draw_probability(shares, raster(noise(1), ("entropy",)), False)
    shown = texts(drawn)
    assert "Probability of the mapped class" in shown
    assert "iron" not in shown
    picture = np.ma.masked_invalid(drawn.axes[0].images[0].get_array())
    assert picture.min() > 1 / 3 - 1e-6
