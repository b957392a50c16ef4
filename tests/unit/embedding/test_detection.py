"""Detection: thresholds, the division of the ground, rates with intervals, what is read."""

import json
from dataclasses import replace

import geopandas
import jsonschema
import numpy as np
import pytest
import rasterio
from detector_scenes import MINERALS, SIZE, make_augmenter, make_scene
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import write_raster
from shapely.geometry import box
from sklearn.metrics import f1_score, precision_score, recall_score

from gossan.accuracy.blocks import Bootstrap
from gossan.accuracy.truth import open_truth
from gossan.cube.bands import read_bands, sensors_present
from gossan.embedding.detection import (
    SEVERAL,
    Pixels,
    Protocol,
    accuracy_record,
    choose_threshold,
    choose_thresholds,
    compare_rates,
    deal_sides,
    find,
    name_pixels,
    positives,
    rate,
    read_pixels,
)
from gossan.embedding.detector_assessment import draw_library, examine_detector
from gossan.errors import InputError
from gossan.legend import read_classes
from gossan.raster import read_info


def f1_of(score, positive, weight, threshold):
    found = score <= threshold
    return 2 * weight[found & positive].sum() / (weight[found].sum() + weight[positive].sum())


def test_a_perfect_score_finds_all_and_nothing_else():
    score = np.r_[np.linspace(0, 0.4, 30), np.linspace(0.6, 1, 50)]
    positive = np.arange(80) < 30
    threshold = choose_threshold(score, positive, np.ones(80))
    assert threshold == pytest.approx(0.5)
    assert np.array_equal(score <= threshold, positive)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000))
def test_no_other_threshold_is_better(seed):
    generator = np.random.default_rng(seed)
    count = generator.integers(2, 30)
    # Few distinct values, so that there are ties.
    score = generator.integers(0, 8, count) / 8
    positive = generator.random(count) < 0.4
    positive[0] = True
    weight = generator.uniform(0.5, 3, count)
    threshold = choose_threshold(score, positive, weight)
    best = max(f1_of(score, positive, weight, value) for value in np.arange(9) / 8)
    assert f1_of(score, positive, weight, threshold) == pytest.approx(best)


def test_a_weight_counts_as_so_many_pixels():
    generator = np.random.default_rng(4)
    score, positive = generator.random(60), generator.random(60) < 0.3
    times = generator.integers(1, 5, 60)
    assert choose_threshold(score, positive, times.astype(float)) == pytest.approx(
        choose_threshold(np.repeat(score, times), np.repeat(positive, times), np.ones(times.sum()))
    )


def test_scores_that_are_missing_are_never_found():
    score = np.array([0.1, 0.2, np.nan, np.nan])
    positive = np.array([True, False, True, False])
    assert 0.1 <= choose_threshold(score, positive, np.ones(4)) < 0.2
    assert np.isnan(choose_threshold(score, np.zeros(4, bool), np.ones(4)))
    assert np.isnan(choose_threshold(score, np.array([0, 0, 1, 0], bool), np.ones(4)))
    assert find(np.array([[0.1, np.nan, 0.3]]), np.array([0.2, 0.2, np.nan])).tolist() == [
        [True, False, False]
    ]


def test_the_nearest_of_the_minerals_found_names_a_pixel():
    scores = np.array([[0.1, 0.3], [0.3, 0.25], [0.1, 0.05], [0.9, 0.9], [np.nan, np.nan]])
    assert name_pixels(scores, np.array([0.2, 0.28])).tolist() == [1, 2, 2, 0, 0]
    assert name_pixels(scores, np.array([0.2, np.nan])).tolist() == [1, 0, 1, 0, 0]


@pytest.mark.parametrize("seed", range(8))
def test_both_sides_get_every_mineral_of_two_blocks(seed):
    generator = np.random.default_rng(seed)
    counts = generator.integers(0, 50, (40, 5)) * (generator.random((40, 5)) < 0.2)
    counts[:2, 4] = 30
    counts[2:, 4] = 0
    counts[:, 0] += 10
    is_test = deal_sides(counts, 0.5, seed)
    assert np.array_equal(is_test, deal_sides(counts, 0.5, seed))
    for place in range(5):
        if (counts[:, place] > 0).sum() >= 2:
            assert counts[is_test, place].any() and counts[~is_test, place].any()
    share = counts[~is_test].sum() / counts.sum()
    assert 0.3 < share < 0.7


def test_the_share_of_validation_is_kept_to():
    counts = np.full((300, 4), 20)
    assert (~deal_sides(counts, 0.3, 1)).mean() == pytest.approx(0.3, abs=0.03)
    assert not np.array_equal(deal_sides(counts, 0.3, 1), deal_sides(counts, 0.3, 2))


def as_scores(found):
    """Scores and limits by which the minerals are found just so."""
    return np.where(found, 0.0, 1.0), np.full(found.shape[1], 0.5)


def test_what_was_not_measured_is_not_scored():
    truth = np.repeat([0, 1, 2], 20)
    block = np.arange(60)
    scores, limits = as_scores(truth[:, None] == [1, 2])
    scores[truth == 1] = np.nan
    rates = rate(scores, limits, truth, block, np.ones(60), 100, 0)
    assert rates.counts.tolist() == [20, 0, 20]
    assert np.isnan(rates.f1[:, 0]).all() and np.isnan(rates.recall[:, 0]).all()
    assert rates.f1[0, 1] == 1
    # A mean of the others would pass for that of all.
    assert np.isnan(rates.macro_f1).all()


def test_what_is_measured_in_part_is_scored_on_that_part():
    truth = np.repeat([0, 1], 20)
    scores, limits = as_scores(truth[:, None] == [1])
    scores[:30] = np.nan
    rates = rate(scores, limits, truth, np.arange(40), np.ones(40), 100, 0)
    assert rates.counts.tolist() == [0, 10]
    assert rates.recall[0, 0] == 1 and rates.macro_f1[0] == 1


def test_a_mineral_without_a_threshold_has_no_score():
    truth = np.repeat([0, 1, 2], 20)
    scores, limits = as_scores(truth[:, None] == [1, 2])
    limits[1] = np.nan
    rates = rate(scores, limits, truth, np.arange(60), np.ones(60), 100, 0)
    assert rates.f1[0, 0] == 1
    assert np.isnan(rates.f1[:, 1]).all() and np.isnan(rates.macro_f1).all()


def test_nothing_measured_has_no_rates():
    scores = np.full((8, 2), np.nan)
    rates = rate(scores, np.zeros(2), np.arange(8) % 3, np.arange(8), np.ones(8), 100, 0)
    assert np.isnan(rates.f1).all() and np.isnan(rates.macro_f1).all()
    assert rates.counts.sum() == 0


def test_rates_are_those_of_scikit_learn():
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 4, 600)
    found = (truth[:, None] == [1, 2, 3]) ^ (generator.random((600, 3)) < 0.2)
    weight = generator.uniform(0.5, 2, 600)
    rates = rate(*as_scores(found), truth, np.arange(600) // 20, weight, 200, 1)
    for place in range(3):
        positive = truth == place + 1
        for own, theirs in (
            (rates.precision, precision_score),
            (rates.recall, recall_score),
            (rates.f1, f1_score),
        ):
            value, low, high = own[:, place]
            assert value == pytest.approx(theirs(positive, found[:, place], sample_weight=weight))
            assert low < value < high
    assert rates.macro_f1[0] == pytest.approx(rates.f1[0].mean())
    assert rates.macro_f1[1] < rates.macro_f1[0] < rates.macro_f1[2]


def test_few_blocks_have_no_interval_and_absent_minerals_no_rate():
    truth = np.repeat([0, 1], 40)
    found = np.stack([truth == 1, truth == 0], axis=1)
    rates = rate(*as_scores(found), truth, np.arange(80) // 20, np.ones(80), 100, 0)
    assert rates.f1[0, 0] == 1
    assert np.isnan(rates.f1[1:, 0]).all()
    assert np.isnan(rates.recall[:, 1]).all() and np.isnan(rates.f1[:, 1]).all()
    assert rates.macro_f1[0] == 1


def test_the_mean_of_minerals_has_no_interval_where_one_of_them_lies_in_few_blocks():
    truth = np.zeros(100, int)
    truth[:30], truth[30] = 1, 2
    found = truth[:, None] == [1, 2]
    found[30] = False
    rates = rate(*as_scores(found), truth, np.arange(100), np.ones(100), 200, 0)
    assert np.isfinite(rates.f1[:, 0]).all()
    assert rates.macro_f1[0] == 0.5
    # Without the one block of the second mineral, a sample's mean would be that of the first: 1.
    assert np.isnan(rates.macro_f1[1:]).all()


class Fixed:
    """A detector whose scores stand in the first bands."""

    minerals = MINERALS

    def scores(self, spectra, present):
        return spectra[:, :3]


def fake_pixels(seed=0, count=2000):
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 4, count)
    scores = generator.random((count, 3)) + (truth[:, None] != [1, 2, 3]) * 0.4
    block = np.arange(count) // 25
    return Pixels(
        scores.astype(np.float32),
        np.ones((count, 1), bool),
        truth,
        block,
        block % 2 == 0,
        np.ones(count),
    )


def examine(pixels, coverage=0.9):
    return examine_detector(
        "masked",
        Fixed(),
        fake_pixels(seed=99),
        pixels,
        training={},
        coverage=coverage,
        replicates=100,
        seed=0,
    )


def test_thresholds_never_see_the_labels_of_the_test():
    pixels = fake_pixels()
    truth = pixels.truth.copy()
    truth[pixels.is_test] = np.random.default_rng(1).permutation(truth[pixels.is_test])
    shuffled = Pixels(**{**vars(pixels), "truth": truth})
    one, two = examine(pixels), examine(shuffled)
    for mineral in MINERALS:
        own, other = one.thresholds[mineral], two.thresholds[mineral]
        for kind in ("validation", "library", "conformal"):
            assert own[kind] == other[kind]
        assert own["oracle"] != other["oracle"]
    assert np.array_equal(one.named, two.named)
    assert [row["f1"] for row in one.rows] != [row["f1"] for row in two.rows]


def test_the_oracle_is_never_worse_and_is_called_so():
    rows = examine(fake_pixels()).rows
    for mineral in MINERALS:
        f1 = {row["threshold_kind"]: float(row["f1"]) for row in rows if row["mineral"] == mineral}
        assert set(f1) == {"validation", "oracle", "library"}
        assert f1["oracle"] >= max(f1["validation"], f1["library"])


def test_a_mineral_without_ground_truth_takes_the_limits_of_the_library():
    pixels = fake_pixels()
    pixels = pixels.take(pixels.truth != 2)
    found = examine(pixels)
    own = found.thresholds[MINERALS[1]]
    assert own["validation"] is None and own["oracle"] is None
    assert own["library"] is not None and own["calibrated_on"] == "library"
    row = next(row for row in found.rows if row["mineral"] == MINERALS[1])
    assert row["n_mineral"] == 0 and row["f1"] is None and row["recall"] is None
    assert found.coverage[1]["covered"] is None
    assert found.thresholds[MINERALS[0]]["calibrated_on"] == "validation"


def test_coverage_is_as_asked_where_pixels_are_exchangeable():
    found = examine(fake_pixels(count=12_000), coverage=0.8)
    for row in found.coverage:
        n, m = row["n"], row["n_calibration"]
        error = np.sqrt(0.16 / n + 0.16 / m)
        assert abs(float(row["covered"]) - 0.8) < 4 * error
        assert float(row["covered_low"]) < float(row["covered"]) < float(row["covered_high"])
        shares = sum(float(row[name]) for name in ("named", "none", "several"))
        assert shares == pytest.approx(1, abs=1e-5)
        promised = row["calibrated_on"] == "validation"
        assert ("exchangeable" in row["guarantee"]) == promised
        assert row["guarantee"].startswith("none") != promised


def test_without_pixels_there_are_thresholds_and_no_rates():
    found = examine(None)
    assert found.named is None and found.coverage == found.rows == []
    assert all(
        own["library"] > 0 and own["validation"] is None for own in found.thresholds.values()
    )
    assert all(own["conformal"] > 0 for own in found.thresholds.values())


PROTOCOL = Protocol(Bootstrap(16, 1000, 42), validation_share=0.5, per_class=10_000)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("validation_share", 0.0),
        ("validation_share", 1.0),
        ("per_class", 9),
    ],
)
def test_numbers_without_meaning_are_refused(key, value):
    with pytest.raises(InputError):
        replace(PROTOCOL, **{key: value})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_scene(tmp_path_factory.mktemp("detection"))


def read(folder, **options):
    classes = read_classes(folder / "classes.csv")
    truth = options.pop("truth", folder / "truth.tif")
    mask = options.pop("mask", folder / "sensors.tif")
    told = {name: options.pop(name) for name in ("overlaps", "outside") if name in options}
    return read_pixels(
        folder / "stack.tif",
        mask,
        read_bands(folder / "bands.csv"),
        open_truth(truth, read_info(folder / "stack.tif").grid, classes, **told),
        options.pop("minerals", classes),
        Protocol(
            Bootstrap(options.pop("spatial_block_px", 6), 1000, options.pop("seed", 42)),
            **{"validation_share": 0.5, "per_class": 10_000, **options},
        ),
        threads=2,
    )


def array(path):
    with rasterio.open(path) as source:
        return source.read()


def test_all_pixels_of_known_ground_with_a_sensor_are_read(folder):
    ground = read(folder)
    pixels = ground.pixels
    bands = read_bands(folder / "bands.csv")
    bits, truth = array(folder / "sensors.tif")[0], array(folder / "truth.tif")[0]
    usable = (bits != 0) & (truth != 255)
    row, column = np.nonzero(usable)
    assert len(pixels) == usable.sum()
    present = sensors_present(bits[row, column], bands.sensors)
    assert np.array_equal(pixels.present, present)
    stored = array(folder / "stack.tif")[:, row, column].T
    expected = np.where(stored == -32768, 0, stored * np.float32(1e-4))
    assert np.allclose(pixels.spectra, expected, atol=1e-7)
    classes = read_classes(folder / "classes.csv")
    index = {0: 0, **{item.code: place for place, item in enumerate(classes, start=1)}}
    assert pixels.truth.tolist() == [index[code] for code in truth[row, column].tolist()]
    assert np.array_equal(pixels.block, row // 6 * 8 + column // 6)
    assert (pixels.weight == 1).all() and not ground.sampled
    assert f"{((bits == 0) & (truth != 255)).sum()} pixels of the truth that no" in ground.split
    for block in np.unique(pixels.block):
        assert len(set(pixels.is_test[pixels.block == block].tolist())) == 1
    assert pixels.is_test.any() and not pixels.is_test.all()


def test_a_sample_stands_for_all(folder):
    every, ground = read(folder), read(folder, per_class=20)
    assert ground.sampled and "at most 20 pixels" in ground.split
    pixels = ground.pixels
    for side in (False, True):
        for label in range(4):
            own = (pixels.is_test == side) & (pixels.truth == label)
            whole = (every.pixels.is_test == side) & (every.pixels.truth == label)
            assert own.sum() == min(20, whole.sum())
            assert pixels.weight[own].sum() == pytest.approx(whole.sum())
    again = read(folder, per_class=20).pixels
    assert np.array_equal(again.spectra, pixels.spectra)
    assert not np.array_equal(read(folder, per_class=20, seed=7).pixels.block, pixels.block)


def test_a_sensor_with_a_gap_counts_as_absent(folder, tmp_path):
    bands = read_bands(folder / "bands.csv")
    (tmp_path / "scene").mkdir()
    for name in ("bands.csv", "classes.csv", "truth.tif", "sensors.tif", "stack.tif"):
        (tmp_path / "scene" / name).write_bytes((folder / name).read_bytes())
    with rasterio.open(tmp_path / "scene" / "stack.tif", "r+") as dataset:
        values = dataset.read()
        values[bands.part("sentinel2").start, 20, 20] = -32768
        values[:, 21, 21] = -32768
        dataset.write(values)
    whole, broken = read(folder), read(tmp_path / "scene")
    assert len(broken.pixels) == len(whole.pixels) - 1
    assert "1 with gaps in every sensor" in broken.split
    place = bands.sensors.index("sentinel2")
    assert whole.pixels.present[:, place].sum() - broken.pixels.present[:, place].sum() == 2
    row = np.flatnonzero(broken.pixels.present.sum(axis=1) == 2)
    assert (broken.pixels.spectra[row][:, bands.part("sentinel2")] == 0).all()


def test_a_mineral_in_one_block_is_refused_by_name(folder, tmp_path):
    truth = array(folder / "truth.tif")[0]
    codes = [item.code for item in read_classes(folder / "classes.csv")]
    truth[truth == codes[1]] = 0
    truth[13:16, 13:16] = codes[1]
    write_raster(tmp_path / "truth.tif", truth, nodata=255)
    with pytest.raises(InputError, match=r"block-px: hematite lies in one block of 6 pixels"):
        read(folder, truth=tmp_path / "truth.tif")
    assert read(folder, truth=tmp_path / "truth.tif", spatial_block_px=2).pixels.is_test.any()


def test_ground_truth_in_one_block_is_refused(folder):
    with pytest.raises(InputError, match="in one block"):
        read(folder, spatial_block_px=SIZE)


def test_a_mineral_that_the_ground_truth_lacks_is_no_fault(folder, tmp_path):
    truth = array(folder / "truth.tif")[0]
    truth[truth == read_classes(folder / "classes.csv")[0].code] = 0
    write_raster(tmp_path / "truth.tif", truth, nodata=255)
    pixels = read(folder, truth=tmp_path / "truth.tif").pixels
    assert set(pixels.truth.tolist()) == {0, 2, 3}


def test_a_mask_of_other_sensors_is_refused(folder, tmp_path):
    bits = array(folder / "sensors.tif")[0]
    write_raster(tmp_path / "sensors.tif", bits | 2)
    with pytest.raises(InputError, match="names a sensor that"):
        read(folder, mask=tmp_path / "sensors.tif")
    write_raster(tmp_path / "sensors.tif", bits[:-1])
    with pytest.raises(InputError, match="expected"):
        read(folder, mask=tmp_path / "sensors.tif")


def test_a_table_of_other_bands_is_refused(folder):
    classes = read_classes(folder / "classes.csv")
    bands = read_bands(folder / "bands.csv")
    other = type(bands)(bands.sensor, bands.band[::-1], bands.centre_um, bands.fwhm_um)
    with pytest.raises(InputError, match=r"give the bands.csv made with it"):
        read_pixels(
            folder / "stack.tif",
            folder / "sensors.tif",
            other,
            open_truth(folder / "truth.tif", read_info(folder / "stack.tif").grid, classes),
            classes,
            PROTOCOL,
        )


def test_nothing_that_a_sensor_saw_is_refused(folder, tmp_path):
    write_raster(tmp_path / "sensors.tif", np.zeros((SIZE, SIZE), np.uint8))
    with pytest.raises(InputError, match="no pixel that a sensor saw has ground truth"):
        read(folder, mask=tmp_path / "sensors.tif")


def test_pixels_that_two_polygons_claim_are_left_out_and_counted(folder, tmp_path):
    with rasterio.open(folder / "stack.tif") as source:
        west, south, east, north = source.bounds
        crs, side = source.crs, source.res[0]
    shapes = [
        ("alunite", box(west, south, west + 20 * side, north)),
        ("kaolinite", box(west + 15 * side, south, west + 40 * side, north)),
        ("other", box(west + 40 * side, south, east, north)),
    ]
    geopandas.GeoDataFrame(
        {"class": [name for name, _ in shapes]}, geometry=[shape for _, shape in shapes], crs=crs
    ).to_file(tmp_path / "truth.gpkg")
    ground = read(folder, truth=tmp_path / "truth.gpkg")
    assert ground.conflicts == 5 * SIZE
    counts = np.bincount(ground.pixels.truth, minlength=4)
    assert counts.tolist() == [8 * (SIZE - 2), 15 * (SIZE - 2), 0, 20 * (SIZE - 2)]


def overlapping_truth(folder, path):
    """Polygons of two minerals that share five columns of the scene; the rest is not told."""
    with rasterio.open(folder / "stack.tif") as source:
        west, south, _, north = source.bounds
        crs, side = source.crs, source.res[0]
    shapes = {
        "alunite": box(west, south, west + 20 * side, north),
        "kaolinite": box(west + 15 * side, south, west + 40 * side, north),
    }
    names, places = list(shapes), list(shapes.values())
    geopandas.GeoDataFrame({"class": names}, geometry=places, crs=crs).to_file(path)
    return path


def test_a_pixel_of_several_minerals_counts_for_each(folder, tmp_path):
    truth = overlapping_truth(folder, tmp_path / "truth.gpkg")
    ground = read(folder, truth=truth, overlaps="kept")
    pixels, rows = ground.pixels, SIZE - 2
    assert ground.conflicts == 0
    held = positives(pixels.held, 3)
    assert held.sum(axis=0).tolist() == [20 * rows, 0, 25 * rows]
    assert np.count_nonzero(pixels.truth == SEVERAL) == 5 * rows
    assert (held.sum(axis=1) == np.where(pixels.truth == SEVERAL, 2, 1)).all()
    assert f"{5 * rows} pixels of several minerals count for each" in ground.split
    # Found everywhere, each has all its pixels right.
    scores, limits = np.zeros((len(pixels), 3)), np.ones(3)
    rates = rate(scores, limits, pixels.held, pixels.block, pixels.weight, 100, 0)
    assert rates.n == len(pixels) and rates.counts.tolist() == [0, 20 * rows, 0, 25 * rows]
    assert rates.precision[0, [0, 2]] == pytest.approx([20 / 40, 25 / 40])
    sampled = read(folder, truth=truth, overlaps="kept", per_class=20).pixels
    weighed = positives(sampled.held, 3) * sampled.weight[:, None]
    assert weighed.sum(axis=0) == pytest.approx(held.sum(axis=0))


def test_one_class_scores_leave_out_pixels_of_several_minerals(folder, tmp_path):
    ground = read(folder, truth=overlapping_truth(folder, tmp_path / "truth.gpkg"), overlaps="kept")
    test = ground.pixels.take(ground.pixels.is_test)
    minerals = read_classes(folder / "classes.csv")
    told = {"scene": "tiny", "method": "m", "file": "truth.gpkg", "synthetic": True}
    record = accuracy_record(np.maximum(test.truth, 0), ground, minerals, **told)
    assert record["n"] == np.count_nonzero(test.truth != SEVERAL) < len(test)
    assert record["scores"]["overall_accuracy"]["value"] == 1
    every = replace(ground, pixels=ground.pixels.take(ground.pixels.truth == SEVERAL))
    left = every.pixels.take(every.pixels.is_test)
    assert not accuracy_record(left.truth * 0, every, minerals, **told)["assessed"]


def test_minerals_over_each_other_are_refused_where_a_pixel_has_one_class(folder, tmp_path):
    truth = overlapping_truth(folder, tmp_path / "truth.gpkg")
    words = r"truth.gpkg: polygons of alunite and kaolinite lie over each other"
    with pytest.raises(InputError, match=words):
        read(folder, truth=truth, overlaps="refused")


@pytest.mark.parametrize("outside", ["other", "untested"])
def test_ground_outside_of_polygons_is_as_the_study_says(outside, folder, tmp_path):
    truth = overlapping_truth(folder, tmp_path / "truth.gpkg")
    ground = read(folder, truth=truth, overlaps="kept", outside=outside)
    other = np.count_nonzero(ground.pixels.truth == 0)
    assert other == ((SIZE - 40) * (SIZE - 2) if outside == "other" else 0)
    assert ("outside all polygons" in ground.truth.note) == (outside == "other")


def test_two_maps_of_one_ground_are_two_bands_of_a_raster(folder, tmp_path):
    codes = {item.name: item.code for item in read_classes(folder / "classes.csv")}
    iron, clay = np.full((2, SIZE, SIZE), 255, np.uint8)
    iron[:, :30], clay[:, 10:40] = codes["hematite"], codes["kaolinite"]
    iron[:, 30:35] = 0
    write_raster(tmp_path / "truth.tif", np.stack([iron, clay]), nodata=255)
    with pytest.raises(InputError, match="has one band of whole-number class codes"):
        read(folder, truth=tmp_path / "truth.tif", overlaps="refused")
    pixels = read(folder, truth=tmp_path / "truth.tif", overlaps="kept").pixels
    held = positives(pixels.held, 3).sum(axis=0) / (SIZE - 2)
    assert held.tolist() == [0, 30, 30] and len(pixels) == 40 * (SIZE - 2)


def test_methods_are_compared_block_by_block():
    pixels = fake_pixels()
    scores, limits = pixels.spectra.astype(float), np.full(3, 0.6)
    worse = scores + np.random.default_rng(3).normal(0, 0.3, scores.shape)
    told = (pixels.held, pixels.block, pixels.weight, 200, 0)
    one, other = (rate(own, limits, *told) for own in (scores, worse))
    *apart, macro = compare_rates((scores, limits), (worse, limits), pixels, 200, 0)
    for name, difference in zip(("precision", "recall", "f1"), apart, strict=True):
        assert difference[0] == pytest.approx(getattr(one, name)[0] - getattr(other, name)[0])
        assert (difference[1] <= difference[0]).all() and (difference[0] <= difference[2]).all()
    assert macro[0] == pytest.approx(one.macro_f1[0] - other.macro_f1[0])
    assert macro[1] < macro[0] < macro[2]
    # What is the same on every block differs by nothing, and surely so.
    *_, same = compare_rates((scores, limits), (scores, limits), pixels, 200, 0)
    assert same[0] == 0 and same[2] - same[1] < 0.2
    unlimited = np.array([0.6, np.nan, 0.6])
    *_, f1, mean = compare_rates((scores, unlimited), (worse, limits), pixels, 200, 0)
    assert np.isnan(f1[:, 1]).all() and np.isnan(mean).all() and np.isfinite(f1[0, 0])


@pytest.mark.parametrize("per_class", [10_000, 25])
def test_the_record_counts_test_pixels_and_weighs_samples(folder, root, per_class):
    ground = read(folder, per_class=per_class)
    minerals = read_classes(folder / "classes.csv")
    test = ground.pixels.take(ground.pixels.is_test)
    named = np.where(np.random.default_rng(0).random(len(test)) < 0.8, test.truth, 0)
    record = accuracy_record(
        named, ground, minerals, scene="tiny", method="m", file="truth.tif", synthetic=True
    )
    schema = json.loads((root / "workflow/schemas/accuracy.schema.json").read_text())
    jsonschema.validate({"study": "cuprite", "records": [record]}, schema)
    assert record["n"] == len(test)
    assert np.sum(record["confusion_matrix"]["counts"]) == len(test)
    right = test.weight[named == test.truth].sum() / test.weight.sum()
    assert record["scores"]["overall_accuracy"]["value"] == pytest.approx(right, abs=1e-5)
    assert record["design"] == ("census" if per_class > 25 else "stratified")
    assert record["scores_study_classes"]["n"] == pytest.approx(test.weight[test.truth > 0].sum())


def test_the_library_is_drawn_anew_and_the_same_each_time(folder):
    augmenter = make_augmenter(
        read_bands(folder / "bands.csv"), read_classes(folder / "classes.csv")
    )
    one = draw_library(augmenter, MINERALS, 50, 1)
    assert np.array_equal(one.spectra, draw_library(augmenter, MINERALS, 50, 1).spectra)
    assert np.bincount(one.truth).tolist() == [50] * 4
    assert one.weight[one.truth == 0].sum() == one.weight[one.truth > 0].sum()
    with pytest.raises(InputError, match="unobtainium"):
        draw_library(augmenter, ("unobtainium",), 50, 1)


def test_thresholds_of_all_minerals_are_chosen_one_by_one():
    pixels = fake_pixels()
    chosen = choose_thresholds(pixels.spectra, pixels.truth, pixels.weight)
    for place in range(3):
        assert chosen[place] == choose_threshold(
            pixels.spectra[:, place], pixels.truth == place + 1, pixels.weight
        )
