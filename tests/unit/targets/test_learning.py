"""Learned favourability: weights of evidence, folds, missing answers, and the comparison."""

import numpy as np
import pytest

from gossan.accuracy.blocks import Bootstrap, SpatialBlocks
from gossan.targets.agreement import Answer
from gossan.targets.combined_accuracy import HeldOut, compare_maps
from gossan.targets.favourability import RankScale, count_votes, mean_score
from gossan.targets.learning import PARTS, Cells, learn, weight_at, weights_of_evidence, why_not

SIDE = 80
ROW, COLUMN = (axis.ravel() for axis in np.mgrid[:SIDE, :SIDE])
SPATIAL = SpatialBlocks((SIDE, SIDE), 10)


def make_truth(seed=1):
    """Favourable ground in patches of 4 pixels, (n,) bool."""
    patches = np.random.default_rng(seed).random((SIDE // 4, SIDE // 4)) < 0.2
    return np.kron(patches, np.ones((4, 4))).astype(bool).ravel()


def make_answer(truth, noise, seed):
    """A map whose evidence is the truth with noise; (n,)."""
    evidence = (truth + np.random.default_rng(seed).normal(0, noise, truth.size)).astype("float32")
    favourable = evidence > 0.5
    return Answer(np.ones(truth.size, bool), favourable, evidence, favourable.astype(np.uint8))


def hide(answer, where):
    """The same map without an answer there."""
    answered = answer.answered & ~where
    evidence = np.where(answered, answer.evidence, np.nan)
    return Answer(answered, answer.favourable & answered, evidence, answer.codes)


def test_a_weight_is_the_logarithm_of_how_much_more_often_favourable_ground_lies_there():
    place = np.repeat([0.0, 1.0], 100_000)
    favourable = np.arange(200_000) % 10 < np.repeat([6, 2], 100_000)
    weights = weights_of_evidence(place, favourable, 2)
    prior = np.log(0.4 / 0.6)
    assert weights[0, 0] == pytest.approx(np.log(0.6 / 0.4) - prior, abs=0.01)
    assert weights[1, 0] == pytest.approx(np.log(0.2 / 0.8) - prior, abs=0.01)
    # A cell without pixels says what its class says.
    assert weights[0, 1] == pytest.approx(weights[0, 0], abs=0.01)


def test_places_are_by_class_and_evidence_and_know_no_answer():
    evidence = np.arange(60, dtype="float32")
    codes = np.repeat([3, 9], 30).astype(np.uint8)
    answer = Answer(np.ones(60, bool), codes == 3, evidence, codes)
    cells = Cells.of(answer)
    place = cells.place(answer)
    assert (place[:30] < 1).all() and (place[30:] >= 1).all() and (place < 2).all()
    assert (np.diff(place) > 0).all()
    assert np.isnan(cells.place(hide(answer, np.ones(60, bool)))).all()
    unknown = Answer(answer.answered, answer.favourable, evidence, np.full(60, 77, np.uint8))
    assert np.isnan(cells.place(unknown)).all()
    # What is equal lies at one place.
    flat = Answer(answer.answered, answer.favourable, np.full(60, 0.5, "f4"), codes)
    assert len(np.unique(Cells.of(flat).place(flat))) == 2


def test_weights_run_straight_from_cell_to_cell_and_on_to_the_ends():
    weights = np.array([np.arange(PARTS) * 2.0, np.zeros(PARTS)])
    share = np.linspace(0, 0.999, 50)
    assert weight_at(weights, share) == pytest.approx(2 * (share * PARTS - 0.5))
    assert (weight_at(weights, share + 1) == 0).all()
    assert (weight_at(weights, np.full(3, np.nan)) == 0).all()


def test_one_good_map_learned_alone_keeps_its_order():
    truth = make_truth()
    answer = make_answer(truth, 0.4, 5)
    model = learn([answer], ROW, COLUMN, np.ones(truth.size, bool), truth, SPATIAL)
    tested = HeldOut(SPATIAL.number(ROW, COLUMN), model.fold[SPATIAL.cell(ROW, COLUMN)], truth)
    scores = {
        ("combined", "learned"): model.held_out([answer], ROW, COLUMN),
        ("map", "own"): answer.evidence,
    }
    learned, own = compare_maps(scores, tested, Bootstrap(10, 200, 1))
    assert learned["average_precision"] > 0.98 * own["average_precision"]


def test_no_block_is_scored_by_what_it_taught():
    truth = make_truth()
    answers = [make_answer(truth, 0.8, 2)]
    known = np.ones(truth.size, bool)
    first = learn(answers, ROW, COLUMN, known, truth, SPATIAL)
    fold = first.fold[SPATIAL.cell(ROW, COLUMN)]
    assert set(fold) == {0, 1, 2, 3, 4}
    # Another truth in one fold changes the scores of all others, and none of its own. The folds
    # are dealt by how much is favourable in a block, so they stay where it stays.
    changed = truth.copy()
    mine = fold == 2
    for block in np.unique(SPATIAL.number(ROW, COLUMN)[mine]):
        here = SPATIAL.number(ROW, COLUMN) == block
        changed[here] = truth[here][::-1]
    second = learn(answers, ROW, COLUMN, known, changed, SPATIAL)
    np.testing.assert_array_equal(first.fold, second.fold)
    before, after = (model.held_out(answers, ROW, COLUMN) for model in (first, second))
    np.testing.assert_array_equal(before[mine], after[mine])
    assert (before[~mine] != after[~mine]).mean() > 0.9


def test_a_map_without_an_answer_adds_nothing():
    truth = make_truth()
    gone = COLUMN < 30
    both = [make_answer(truth, 0.8, 2), hide(make_answer(truth, 0.8, 3), gone)]
    learned = learn(both, ROW, COLUMN, np.ones(truth.size, bool), truth, SPATIAL)
    score = learned.score(both)
    assert np.isfinite(score).all()
    other = [both[0], hide(both[1], np.ones(truth.size, bool))]
    np.testing.assert_array_equal(score[gone], learned.score(other)[gone])
    nothing = [hide(answer, np.ones(truth.size, bool)) for answer in both]
    assert np.isnan(learned.score(nothing)).all()


def test_methods_that_err_apart_are_better_together_and_the_interval_says_so():
    truth = make_truth()
    answers = [make_answer(truth, 0.7, seed) for seed in (2, 3, 4)]
    known = np.ones(truth.size, bool)
    learned = learn(answers, ROW, COLUMN, known, truth, SPATIAL)
    scores = {("combined", "learned"): learned.held_out(answers, ROW, COLUMN)}
    for number, answer in enumerate(answers):
        scores[f"m{number}", "own"] = answer.evidence
    # A map that knows nothing at all.
    scores["chance", "own"] = np.random.default_rng(9).random(truth.size).astype("float32")
    block = SPATIAL.number(ROW, COLUMN)
    tested = HeldOut(block, learned.fold[SPATIAL.cell(ROW, COLUMN)], truth)
    rows = compare_maps(scores, tested, Bootstrap(10, 200, 1))
    best = next(row for row in rows if row["best_alone"])
    assert best["map"] != "chance"
    assert best["gain_low"] > 0 and best["ratio_low"] > 1
    assert best["gain"] == pytest.approx(
        rows[0]["average_precision"] - best["average_precision"], abs=1e-5
    )
    chance = rows[-1]
    assert chance["average_precision"] == pytest.approx(truth.mean(), abs=0.03)
    assert rows[0]["f1"] > best["f1"]


def test_average_precision_is_that_of_scikit_learn():
    from sklearn.metrics import average_precision_score

    truth = make_truth()
    score = np.round(make_answer(truth, 0.7, 5).evidence, 1)
    block = SPATIAL.number(ROW, COLUMN)
    tested = HeldOut(block, block % 5, truth)
    [row] = compare_maps({("combined", "own"): score}, tested, Bootstrap(10, 100, 1))
    assert row["average_precision"] == pytest.approx(
        average_precision_score(truth, score), abs=1e-5
    )


def test_too_few_pixels_or_blocks_teach_nothing():
    block = np.repeat(np.arange(8), 100)
    enough = np.arange(800) % 2 == 0
    assert why_not(block, enough) == ""
    assert "0 pixels of other ground" in why_not(block, np.ones(800, bool))
    assert "in 4 spatial blocks" in why_not(block, enough & (block < 4))
    assert "8 pixels of favourable ground" in why_not(block, np.arange(800) % 100 == 0)


def test_ranks_keep_equal_evidence_equal_and_sides_apart():
    favourable = np.array([True, True, True, False, False])
    evidence = np.array([5, 5, 9, 1, np.nan], "float32")
    scale = RankScale.of(favourable, evidence)
    answered = np.isfinite(evidence)
    value = scale(Answer(answered, favourable & answered, evidence, favourable.astype(np.uint8)))
    thirds = [(2 + 1 / 3) / 3, (2 + 1 / 3) / 3, (2 + 5 / 6) / 3, (0 + 1 / 2) / 3, np.nan]
    np.testing.assert_allclose(value, thirds, atol=1e-6)


def test_means_and_votes_leave_out_who_has_no_answer():
    values = [np.array([0.2, np.nan, np.nan]), np.array([0.6, 0.5, np.nan])]
    np.testing.assert_allclose(mean_score(values), [0.4, 0.5, np.nan], atol=1e-6)
    votes = [np.array([1.0, np.nan, np.nan]), np.array([0.0, 1.0, np.nan])]
    counted = count_votes(votes)
    np.testing.assert_array_equal(counted[:, 0], [1, 2, 1])
    np.testing.assert_array_equal(counted[:, 1], [1, 1, 0])
    assert np.isnan(counted[:, 2]).all()
