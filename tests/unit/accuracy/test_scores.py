import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossan.accuracy.blocks import MINIMUM_BLOCKS, SpatialBlocks
from gossan.accuracy.scores import (
    EXCLUDED,
    assess_blocks,
    count_blocks,
    count_pixels,
    describe_stratified,
    draw_sample,
    encode_classes,
    estimate_stratified,
    merge_samples,
    score_confusion,
    weigh_blocks,
)


def labels(number):
    return [{"code": code, "name": f"c{code}", "label": f"C{code}"} for code in range(number)]


def matrices(largest=40):
    return st.integers(2, 5).flatmap(
        lambda k: st.lists(
            st.lists(st.integers(0, largest), min_size=k, max_size=k), min_size=k, max_size=k
        ).map(np.array)
    )


def test_classes_become_indices_in_the_order_of_the_table():
    values = np.array([[12, 2, 0], [7, 255, 2]])
    index = encode_classes(values, [12, 2], values == 255)
    np.testing.assert_array_equal(index, [[1, 2, 0], [0, EXCLUDED, 2]])


def test_scores_of_a_matrix_worked_out_by_hand():
    # 100 pixels, 70 right. Rows 45, 35, 20; columns 50, 30, 20.
    # Chance = (45*50 + 35*30 + 20*20) / 100² = 0.37; kappa = (0.70 - 0.37) / 0.63.
    scores = score_confusion(np.array([[40, 5, 0], [5, 20, 10], [5, 5, 10]]))
    assert scores.overall == pytest.approx(0.70)
    assert scores.kappa == pytest.approx(0.33 / 0.63)
    np.testing.assert_allclose(scores.precision, [40 / 50, 20 / 30, 10 / 20])
    np.testing.assert_allclose(scores.recall, [40 / 45, 20 / 35, 10 / 20])
    np.testing.assert_allclose(scores.f1, [80 / 95, 40 / 65, 20 / 40])
    assert scores.macro_f1 == pytest.approx((80 / 95 + 40 / 65 + 20 / 40) / 3)


def test_undefined_scores_are_nan_and_missed_classes_are_zero():
    # Class 1 is in the truth only, class 2 in the map only, class 3 in neither.
    scores = score_confusion(np.array([[6, 0, 2, 0], [4, 0, 0, 0], [0] * 4, [0] * 4]))
    np.testing.assert_allclose(scores.precision, [0.6, np.nan, 0, np.nan])
    np.testing.assert_allclose(scores.recall, [0.75, 0, np.nan, np.nan])
    np.testing.assert_allclose(scores.f1, [12 / 18, 0, 0, np.nan])
    assert scores.macro_f1 == pytest.approx((12 / 18 + 0) / 2)


def test_kappa_is_undefined_when_chance_explains_everything():
    scores = score_confusion(np.array([[9, 0], [0, 0]]))
    assert scores.overall == 1
    assert np.isnan(scores.kappa)


def test_an_empty_matrix_has_no_scores():
    scores = score_confusion(np.zeros((2, 2)))
    assert np.isnan([scores.overall, scores.kappa, scores.macro_f1]).all()


@given(st.lists(st.integers(1, 50), min_size=2, max_size=6))
def test_a_perfect_map_scores_one(diagonal):
    scores = score_confusion(np.diag(diagonal))
    for value in (scores.overall, scores.kappa, scores.macro_f1, *scores.f1):
        assert value == pytest.approx(1)


@given(matrices(), st.randoms(use_true_random=False))
def test_the_order_of_classes_does_not_matter(matrix, random):
    order = list(range(len(matrix)))
    random.shuffle(order)
    plain, shuffled = score_confusion(matrix), score_confusion(matrix[np.ix_(order, order)])
    for name in ("overall", "kappa", "macro_f1"):
        np.testing.assert_allclose(getattr(plain, name), getattr(shuffled, name), rtol=1e-12)
    for name in ("precision", "recall", "f1"):
        np.testing.assert_allclose(getattr(plain, name)[order], getattr(shuffled, name))


@given(matrices())
def test_scores_stay_in_their_ranges(matrix):
    scores = score_confusion(matrix)
    for value in (scores.overall, scores.macro_f1, *scores.precision, *scores.recall, *scores.f1):
        assert np.isnan(value) or 0 <= value <= 1
    assert np.isnan(scores.kappa) or -1 - 1e-12 <= scores.kappa <= 1 + 1e-12


@given(st.integers(1, 9), st.integers(0, 2**32 - 1), st.integers(1, 11), st.integers(1, 11))
@settings(deadline=None)
def test_blocks_counted_by_windows_equal_blocks_counted_at_once(block_px, seed, rows, columns):
    generator = np.random.default_rng(seed)
    truth, mapped = generator.integers(-1, 3, (2, 17, 19))
    spatial = SpatialBlocks((17, 19), block_px)
    whole = count_blocks(truth, mapped, 3, spatial.window((17, 19), 0, 0))
    pieces = np.zeros_like(whole)
    for row in range(0, 17, rows):
        for column in range(0, 19, columns):
            part = np.s_[row : row + rows, column : column + columns]
            window = spatial.window(mapped[part].shape, row, column)
            pieces[window.slices] += count_blocks(truth[part], mapped[part], 3, window)
    np.testing.assert_array_equal(pieces, whole)
    tested = (truth >= 0) & (mapped >= 0)
    number = spatial.number(*np.nonzero(tested))
    counts = count_pixels(number, truth[tested], mapped[tested], 3)
    flat = whole.reshape(-1, 3, 3)
    np.testing.assert_array_equal(counts, flat[flat.any(axis=(1, 2))])
    assert whole.sum() == ((truth >= 0) & (mapped >= 0)).sum()


Z_95 = 1.959963984540054


def block_counts(n=30, classes=3, seed=5):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 20, (n, classes, classes)) + 30 * np.eye(classes, dtype=int)


@given(st.integers(0, 10_000), st.integers(10, 60))
@settings(deadline=None, max_examples=30)
def test_intervals_contain_the_estimate(seed, n):
    record = assess_blocks(block_counts(n, seed=seed), labels(3), 200, seed)
    values = [record[name] for name in ("overall_accuracy", "kappa", "macro_f1")]
    values += [item[name] for item in record["classes"] for name in ("precision", "recall", "f1")]
    for value in values:
        assert value["low"] <= value["value"] <= value["high"]
        assert value["low"] < value["high"]


def test_macro_f1_has_no_interval_where_a_class_lies_in_few_blocks():
    blocks = np.zeros((40, 3, 3), int)
    blocks[:, 1, 1] = 10
    blocks[0, 2, 1] = 1
    record = assess_blocks(blocks, labels(3), 200, 0)
    assert record["overall_accuracy"]["low"] is not None
    assert record["macro_f1"]["value"] == pytest.approx(0.5, abs=0.01)
    # Without the one block of the third class, a sample's mean would be that of the second: 1.
    assert record["macro_f1"]["low"] is record["macro_f1"]["high"] is None
    assert record["macro_f1"]["n_blocks"] == 1
    blocks[:5, 2, 1] = 1
    assert assess_blocks(blocks, labels(3), 200, 0)["macro_f1"]["low"] is not None


def test_the_interval_is_the_spread_that_the_design_implies():
    # Blocks of 10 pixels, all right or all wrong: OA is a mean of n fair coins.
    n = 400
    blocks = np.zeros((n, 2, 2), dtype=int)
    blocks[: n // 2, 0, 0] = 10
    blocks[n // 2 :, 0, 1] = 10
    value = assess_blocks(blocks, labels(2), 4000, 7)["overall_accuracy"]
    half = Z_95 * np.sqrt(0.25 / n)
    assert value["value"] == 0.5
    assert value["high"] - 0.5 == pytest.approx(half, rel=0.06)
    assert 0.5 - value["low"] == pytest.approx(half, rel=0.06)


def test_no_interval_is_stated_from_few_blocks():
    blocks = block_counts(MINIMUM_BLOCKS - 1)
    record = assess_blocks(blocks, labels(3), 100, 1)
    assert record["overall_accuracy"]["value"] is not None
    assert record["overall_accuracy"]["low"] is None
    assert record["overall_accuracy"]["n_blocks"] == MINIMUM_BLOCKS - 1
    rare = np.zeros((20, 2, 2), dtype=int)
    rare[:, 0, 0] = 5
    rare[0, 1, 1] = 5
    item = assess_blocks(rare, labels(2), 100, 1)["classes"][1]
    assert item["recall"] == {"value": 1.0, "low": None, "high": None, "n_blocks": 1}


def test_blocks_weigh_what_they_hold_of_each_denominator():
    blocks = np.zeros((4, 2, 2), int)
    blocks[0, 0, 0] = blocks[1, 1, 0] = blocks[2, 0, 1] = 5
    weights = weigh_blocks(blocks)
    assert weights.overall.tolist() == [5, 5, 5, 0]
    assert weights.precision[:, 1].tolist() == [0, 0, 5, 0]
    assert weights.recall[:, 1].tolist() == [0, 5, 0, 0]
    assert weights.f1[:, 1].tolist() == [0, 5, 5, 0]
    # Two thirds of the map are class 0: chance errs in a third of it, and in two thirds of 1.
    assert weights.kappa == pytest.approx([5 / 3, 10 / 3, 5 / 3, 0])
    assert weights.fewest == 1 and not weights.macro_f1.any()


def test_a_faultless_map_is_not_certain():
    # 60 images in 22 blocks, all right.
    blocks = np.zeros((22, 3, 3), int)
    blocks[:, 1, 1], blocks[:16, 2, 2] = 2, 1
    record = assess_blocks(blocks, labels(3), 200, 0)
    for value in (record["overall_accuracy"], record["macro_f1"], record["classes"][1]["recall"]):
        assert value["value"] == value["high"] == 1
        assert 0.79 < value["low"] < 0.86
    assert 0.6 < record["kappa"]["low"] < 0.75


def test_empty_blocks_are_dropped_and_undefined_values_are_none():
    blocks = np.zeros((40, 3, 3), dtype=int)
    blocks[:12, 0, 1] = 4
    record = assess_blocks(blocks, labels(3), 100, 1)
    assert (record["n"], record["n_blocks"]) == (48, 12)
    absent = record["classes"][2]
    assert [absent[name]["value"] for name in ("precision", "recall", "f1")] == [None] * 3
    assert record["classes"][0]["precision"]["value"] is None
    # Not one of 12 blocks is right: at most this share is, in 39 of 40 cases.
    most = round(1 - 0.025 ** (1 / 12), 6)
    assert record["classes"][0]["f1"] == {"value": 0.0, "low": 0.0, "high": most, "n_blocks": 12}


# Table 8 of Olofsson et al. (2014): rows = map, columns = truth; areas in pixels of 30 m.
OLOFSSON = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
OLOFSSON_PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000])


def test_the_worked_example_of_olofsson_2014():
    estimates = estimate_stratified(OLOFSSON.T, OLOFSSON_PIXELS)
    hectares = 0.09
    assert estimates.overall == pytest.approx(0.95, abs=0.005)
    assert Z_95 * estimates.overall_se == pytest.approx(0.02, abs=0.005)
    np.testing.assert_allclose(estimates.users, [0.88, 0.73, 0.93, 0.96], atol=0.005)
    np.testing.assert_allclose(Z_95 * estimates.users_se, [0.07, 0.10, 0.04, 0.02], atol=0.005)
    np.testing.assert_allclose(estimates.producers, [0.75, 0.85, 0.93, 0.96], atol=0.005)
    np.testing.assert_allclose(
        estimates.areas * hectares, [21_158, 11_686, 285_770, 581_386], atol=1
    )
    np.testing.assert_allclose(
        Z_95 * estimates.areas_se * hectares, [6_158, 3_756, 15_510, 16_282], atol=1
    )


def test_the_worked_example_to_the_digits_of_other_implementations():
    # Printed by the R package mapaccuracy for the same table.
    estimates = estimate_stratified(OLOFSSON.T, OLOFSSON_PIXELS)
    assert estimates.overall == pytest.approx(0.9465119, abs=5e-8)
    assert Z_95 * estimates.overall_se == pytest.approx(0.01848328, abs=5e-9)
    np.testing.assert_allclose(
        Z_95 * estimates.producers_se, [0.21330593, 0.25440369, 0.03432379, 0.01836120], atol=5e-9
    )


def test_the_first_example_of_olofsson_2013():
    by_map = np.array([[97, 0, 3], [3, 279, 18], [2, 1, 97]])
    estimates = estimate_stratified(by_map.T, np.array([22_353, 1_122_543, 610_228]))
    assert estimates.areas[0] == pytest.approx(45_112, abs=1)
    assert estimates.areas_se[0] == pytest.approx(10_751, abs=1)
    np.testing.assert_allclose(estimates.producers, [0.48, 0.99, 0.90], atol=0.006)


@given(matrices(largest=30), st.integers(0, 2**31))
def test_areas_add_up_and_a_proportional_sample_is_plain_accuracy(sample, seed):
    sample = sample + np.eye(len(sample), dtype=int) * 2
    pixels = np.random.default_rng(seed).integers(1, 1000, len(sample))
    estimates = estimate_stratified(sample, pixels)
    assert estimates.areas.sum() == pytest.approx(pixels.sum())
    proportional = estimate_stratified(sample, sample.sum(axis=0) * 10)
    plain = score_confusion(sample)
    assert proportional.overall == pytest.approx(float(plain.overall))
    np.testing.assert_allclose(proportional.producers, plain.recall)
    np.testing.assert_allclose(proportional.users, plain.precision)


def test_strata_without_a_sample_leave_estimates_undefined():
    unsampled = estimate_stratified(np.array([[5, 0], [1, 0]]), np.array([10, 10]))
    assert np.isnan(unsampled.overall)
    assert np.isnan(unsampled.users[1])
    assert unsampled.users[0] == pytest.approx(5 / 6)
    absent = estimate_stratified(np.array([[5, 0], [1, 0]]), np.array([10, 0]))
    assert absent.overall == pytest.approx(5 / 6)
    assert absent.producers[1] == 0
    single = estimate_stratified(np.array([[1]]), np.array([10]))
    assert single.overall == 1
    assert np.isnan(single.overall_se)


def test_stratified_estimates_become_a_record_without_nan():
    sample = np.array([[5, 0], [1, 0]])
    pixels = np.array([600, 0])
    record = describe_stratified(
        estimate_stratified(sample, pixels), labels(2), pixels, sample.sum(axis=0), 900.0
    )
    assert record["population_pixels"] == 600
    first, second = record["classes"]
    assert first["area_km2"]["value"] == pytest.approx(0.45)
    assert first["area_km2"]["low"] >= 0
    assert first["users_accuracy"]["value"] < first["users_accuracy"]["high"] < 1.0
    assert second["users_accuracy"]["value"] is None
    geographic = describe_stratified(
        estimate_stratified(sample, pixels), labels(2), pixels, sample.sum(axis=0), None
    )
    assert geographic["classes"][0]["area_km2"] is None


def test_a_sample_is_the_same_for_any_order_of_windows_and_of_the_size_asked_for():
    generator = np.random.default_rng(3)
    truth, mapped = generator.integers(-1, 3, (2, 40, 40))
    windows = [(row, column) for row in (0, 20) for column in (0, 20)]
    parts = [
        draw_sample(truth[r : r + 20, c : c + 20], mapped[r : r + 20, c : c + 20], 15, 9, r, c)
        for r, c in windows
    ]
    forward = merge_samples(parts, 15)
    backward = merge_samples(parts[::-1], 15)
    np.testing.assert_array_equal(forward.row, backward.row)
    np.testing.assert_array_equal(forward.column, backward.column)
    np.testing.assert_array_equal(np.bincount(forward.stratum), [15, 15, 15])
    np.testing.assert_array_equal(mapped[forward.row, forward.column], forward.stratum)
    np.testing.assert_array_equal(truth[forward.row, forward.column], forward.truth)
    assert len(set(zip(forward.row, forward.column, strict=True))) == 45


def test_every_pixel_is_equally_likely_to_be_sampled():
    truth = np.zeros((4, 5), dtype=int)
    drawn = np.zeros((4, 5))
    for seed in range(2000):
        sample = draw_sample(truth, truth, 5, seed)
        drawn[sample.row, sample.column] += 1
    # 2000 draws at a chance of 1/4: standard deviation 19.4.
    assert np.abs(drawn - 500).max() < 5 * 19.4
