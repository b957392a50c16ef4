import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prospects import pixel_box, pixel_point, write_shapes
from rasterio.crs import CRS
from rasterio.transform import from_origin
from rasterio.windows import Window

from gossan.accuracy.blocks import Bootstrap
from gossan.errors import InputError
from gossan.prospects.potential import HIGH, LOW, MEDIUM, NONE, classify_potential
from gossan.raster import Grid, split_blocks
from gossan.targets.sites import (
    STEPS,
    MapCounts,
    Sites,
    SiteTally,
    compare_sites,
    count_steps,
    cross_prediction_area,
    overlay_rows,
    read_sites,
    resample_means,
    score_steps,
    tally_block,
    trace_curve,
)

BOOTSTRAP = Bootstrap(10, 1000, 42)
EACH_PIXEL = Bootstrap(1, 1000, 42)
GRID = Grid(CRS.from_epsg(32643), from_origin(430_000, 3_990_000, 30, 30), 60, 50)
SCORE = np.tile(np.linspace(0, 1, 60, dtype="float32"), (50, 1))
SCORE[:, :3] = np.nan
CODES = classify_potential(SCORE, 0.34, 0.67)


def sites_of(tmp_path, shapes, **options):
    path = write_shapes(tmp_path / "sites.gpkg", shapes, substance=["iron"] * len(shapes))
    return read_sites(
        path, GRID, "claims", **{"substances": None, "attribute": "substance"} | options
    )


def tally(sites, codes=CODES, score=SCORE, block_px=512):
    total = SiteTally.empty(len(sites.shapes))
    for window in split_blocks(GRID, block_px):
        part = window.toslices()
        total.add(*tally_block(sites, window, GRID, codes[part], score[part]))
    return total


def counts(codes=CODES, score=SCORE):
    pixels = np.bincount(codes[codes != 255], minlength=4)
    return MapCounts(pixels, count_steps(score), GRID.pixel_area_m2)


SHAPES = [
    pixel_box(5, 15, 40, 60),
    pixel_box(20, 30.2, 18, 42),
    pixel_box(-5, 10, 55, 70),
    pixel_box(10, 20, 0, 3),
    pixel_box(30.6, 30.9, 50.1, 50.3),
    pixel_point(7, 59),
    pixel_point(40, 1),
    pixel_point(40, 80),
]


@pytest.mark.parametrize("block_px", [512, 16, 7])
def test_sites_count_the_pixels_whose_centres_they_hold(tmp_path, block_px):
    found = tally(sites_of(tmp_path, SHAPES), block_px=block_px)
    for place, (top, bottom, left, right) in enumerate(
        [(5, 15, 40, 60), (20, 30, 18, 42), (0, 10, 55, 60), (10, 20, 0, 3)]
    ):
        own = CODES[top:bottom, left:right]
        expected = np.bincount(np.where(own == 255, 0, own).ravel(), minlength=5)
        assert found.pixels[place].tolist() == expected.tolist()
    assert not found.pixels[4:].any()
    assert found.code[4:].tolist() == [CODES[30, 50], CODES[7, 59], 0, 0]
    assert found.score[5] == SCORE[7, 59]
    assert np.isnan(found.score[[3, 6, 7]]).all()


def test_a_site_has_the_potential_of_most_of_its_pixels(tmp_path):
    found = tally(sites_of(tmp_path, SHAPES))
    assert found.potential.tolist() == [HIGH, MEDIUM, HIGH, 0, HIGH, HIGH, 0, 0]
    assert found.touches((MEDIUM,)).tolist() == [False, True] + [False] * 6
    assert found.touches((LOW,))[1]
    assert found.touches((MEDIUM, HIGH)).tolist() == [True] * 3 + [False, True, True, False, False]


def test_of_equal_parts_the_lower_potential_counts():
    # The last code is ground without any potential, which is the lowest of all.
    pixels = np.array([[0, 4, 4, 0, 0], [9, 0, 2, 2, 0], [3, 0, 0, 0, 0], [0, 2, 0, 2, 2]])
    found = SiteTally(pixels, np.array([3, 3, 0, 3]), np.zeros(4, "float32"))
    assert found.potential.tolist() == [LOW, MEDIUM, 0, NONE]


def test_only_the_chosen_substances_are_read(tmp_path):
    shapes = [pixel_point(5, 5), pixel_point(6, 6), pixel_point(500, 6)]
    path = write_shapes(tmp_path / "o.gpkg", shapes, SUBS=["FERRO", "ouro", "cobre"])
    sites = read_sites(path, GRID, "occurrences", ["Ferro "], "SUBS")
    assert (sites.row.tolist(), sites.column.tolist()) == ([5], [5])
    assert len(read_sites(path, GRID, "occurrences", None, "substance").shapes) == 3
    with pytest.raises(InputError, match=r"no feature has the SUBS iron \(there are: FERRO, cobre"):
        read_sites(path, GRID, "occurrences", ["iron"], "SUBS")
    with pytest.raises(InputError, match="lack the attribute 'substance'"):
        read_sites(path, GRID, "occurrences", ["iron"], "substance")
    with pytest.raises(InputError, match="none of the chosen occurrences lies over the map"):
        read_sites(path, GRID, "occurrences", ["cobre"], "SUBS")


def test_the_overlay_compares_shares_of_sites_and_of_area(tmp_path):
    sites = sites_of(tmp_path, SHAPES)
    everywhere = np.ones(len(SHAPES), bool)
    rows = overlay_rows(sites, tally(sites), everywhere, "claims", counts(), BOOTSTRAP)
    found = {row["potential"]: row for row in rows}
    assert list(found) == ["high", "medium", "low", "medium or high"]
    assert [found[name]["found"] for name in found] == [4, 1, 0, 5]
    assert {row["n"] for row in rows} == {5}
    assert {row["not_mapped"] for row in rows} == {3}
    area = (CODES == HIGH).sum() / (CODES != 255).sum()
    assert float(found["high"]["area_share"]) == pytest.approx(area, abs=1e-6)
    assert float(found["high"]["ratio"]) == pytest.approx(0.8 / area, abs=1e-5)
    assert float(found["low"]["touching_share"]) == 0.2
    assert float(found["high"]["area_km2"]) == (CODES == HIGH).sum() * 900 / 1e6
    shares = [float(found[name]["share"]) for name in ("high", "medium", "low")]
    assert sum(shares) == pytest.approx(1)
    assert "share_low" not in found["high"] or rows[0]["n_blocks"] >= 5


def test_sites_outside_of_the_training_mines_are_told_apart(tmp_path):
    sites = sites_of(tmp_path, SHAPES)
    mines = np.array([pixel_box(7, 9, 50, 52)])
    overlay, rows, summaries = compare_sites(sites, tally(sites), mines, counts(), BOOTSTRAP)
    assert [row["n"] for row in overlay[::4]] == [5, 4]
    assert [item["sites"] for item in summaries] == ["claims", "claims outside mines"]
    assert {row["sites"] for row in rows} == {"claims", "claims outside mines"}
    none_left = np.array([pixel_box(-50, 500, -50, 500)])
    overlay, _, summaries = compare_sites(sites, tally(sites), none_left, counts(), BOOTSTRAP)
    assert [item["sites"] for item in summaries] == ["claims"]
    assert overlay[4]["n"] == 0
    assert "share" not in overlay[4]


def points_with(scores, codes=None):
    """Sites and their tally with given scores, one per pixel of the first row."""
    number = len(scores)
    scores = np.array(scores, "float32")
    shapes = np.array([pixel_point(0, place) for place in range(number)])
    sites = Sites("occurrences", shapes, np.arange(number) * 10, np.zeros(number, int))
    code = np.where(np.isnan(scores), 0, classify_potential(scores, 0.34, 0.67))
    return sites, SiteTally(np.zeros((number, 4), int), code, scores)


def brute_auc(scores, area):
    return (scores[:, None] > area[None]).mean() + 0.5 * (scores[:, None] == area[None]).mean()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, STEPS), min_size=1, max_size=30),
    st.lists(st.integers(0, STEPS), min_size=2, max_size=60),
)
def test_the_area_under_the_curve_is_the_chance_to_beat_a_random_pixel(reached, area):
    sites, tallied = points_with(np.array(reached) / STEPS)
    steps = np.bincount(area, minlength=STEPS + 1)
    map_counts = MapCounts(np.zeros(4, int), steps, 900.0)
    curve = trace_curve(sites, tallied, np.ones(len(reached), bool), map_counts, EACH_PIXEL)
    assert curve.auc == pytest.approx(brute_auc(np.array(reached), np.array(area)))
    x, y = np.append(curve.area, 0), np.append(curve.found, 0)
    assert -np.trapezoid(y, x) == pytest.approx(curve.auc)
    assert (np.diff(curve.area) <= 0).all()
    assert (np.diff(curve.found) <= 0).all()
    assert (curve.area[0], curve.found[0]) == (1, 1)
    cross = cross_prediction_area(curve)
    assert cross["found_share"] + cross["area_share"] == pytest.approx(1)
    if cross["normalised_density"] is not None:
        assert np.exp(cross["weight"]) == pytest.approx(cross["normalised_density"])


def test_the_prediction_area_plot_crosses_where_both_shares_meet():
    sites, tallied = points_with([0.9] * 8 + [0.1] * 2)
    steps = np.zeros(STEPS + 1, int)
    steps[[50, 500, 950]] = 60, 20, 20
    curve = trace_curve(
        sites, tallied, np.ones(10, bool), MapCounts(np.zeros(4, int), steps, 900.0), EACH_PIXEL
    )
    cross = cross_prediction_area(curve)
    assert cross["found_share"] == pytest.approx(0.8)
    assert cross["area_share"] == pytest.approx(0.2)
    assert cross["normalised_density"] == pytest.approx(4)
    assert cross["weight"] == pytest.approx(np.log(4))


def test_scores_of_single_precision_reach_the_step_they_mean():
    steps = np.arange(STEPS + 1)
    assert score_steps((steps / STEPS).astype("float32")).tolist() == steps.tolist()
    assert score_steps(np.array([np.nan, 0.0004, 0.9996])).tolist() == [-1, 0, 999]
    assert count_steps(np.array([[np.nan, 0.5, 0.5]])).tolist() == [
        2 * (step == 500) for step in steps
    ]


def test_intervals_come_from_whole_blocks():
    generator, bootstrap = np.random.default_rng(0), Bootstrap(1, 2000, 1)
    values = generator.random((400, 1)) < 0.3
    spread = resample_means(values, np.arange(400), bootstrap)
    expected = 1.96 * np.sqrt(0.3 * 0.7 / 400)
    assert (spread[1] - spread[0]).item() / 2 == pytest.approx(expected, rel=0.15)
    # Copies of each site within its block add nothing to what is known.
    copied = resample_means(np.repeat(values, 9, axis=0), np.repeat(np.arange(400), 9), bootstrap)
    assert copied[0] == pytest.approx(spread[0])
    assert copied[1] == pytest.approx(spread[1])
    assert resample_means(values[:4], np.arange(4), bootstrap) is None
    assert resample_means(values, np.arange(400) % 4, bootstrap) is None


def test_sites_that_cannot_be_scored_make_no_curve():
    sites, tallied = points_with([np.nan, np.nan])
    map_counts = MapCounts(np.zeros(4, int), np.ones(STEPS + 1, int), 900.0)
    assert trace_curve(sites, tallied, np.ones(2, bool), map_counts, EACH_PIXEL) is None


@pytest.mark.parametrize(
    ("numbers", "said"),
    [((0, 1000, 1), "spatial-block-px"), ((10, 99, 1), "bootstrap"), ((10, 1000, -1), "seed")],
)
def test_senseless_numbers_are_refused(numbers, said):
    with pytest.raises(InputError, match=said):
        Bootstrap(*numbers)


def test_a_window_without_sites_tallies_nothing(tmp_path):
    sites = sites_of(tmp_path, SHAPES[:1])
    window = Window(0, 20, 20, 20)
    places, part = tally_block(sites, window, GRID, CODES[window.toslices()], SCORE[:20, :20])
    assert places.size == part.pixels.size == 0
