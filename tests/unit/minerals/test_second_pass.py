import numpy as np
import pytest
from mixed_ground import CODES, GROUPS, mixed_ground, records
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis

from gossan.errors import InputError
from gossan.minerals.scene_angle import (
    direct_references,
    map_scene_angles,
    measure_mean,
    surety,
    to_logs,
)
from gossan.minerals.second_pass import (
    RATIO_BANDS,
    SHRINKAGE,
    Lesson,
    choose_sure,
    compare_maps,
    describe_lesson,
    log_ratios,
    teach_forest,
    teach_likelihood,
)

NAMES = {CODES[name]: name for name in GROUPS["2um"]}


@pytest.fixture(scope="module")
def first():
    """Sample (n, bands), classes and surety of a first map, and the truth, (n,) each."""
    cube, truth = mixed_ground(noise=0.006)
    places = [7, 8, 9, 10, 11, 12, 13]
    mean = measure_mean(cube[places].reshape(7, -1).T)
    known = {code: own[:, places] for code, own in records("2um").items()}
    classes, angle, _, contrast = map_scene_angles(
        cube[places], mean, direct_references(known, mean), [np.pi / 2] * 3
    )
    sample = cube.reshape(len(cube), -1).T
    return sample, classes.ravel(), surety(angle, contrast).ravel(), truth["2um"].ravel()


# ---- who teaches -----------------------------------------------------------------------------


def test_the_surest_share_of_each_class_teaches():
    codes = np.array([1] * 10 + [2] * 20 + [0] * 5 + [3] * 2, np.uint8)
    sureness = np.concatenate([np.arange(10), np.arange(20) + 5, np.full(5, 99), [50, 60]])
    lesson = choose_sure(codes, sureness.astype(float), 0.3, 3)
    assert np.flatnonzero(lesson.chosen).tolist() == [7, 8, 9, 24, 25, 26, 27, 28, 29]
    assert lesson.left_out == {3: 1}
    # Of the surest 30 % of the 32 named pixels, ten, eight are of class 2, and none of class 1.
    assert lesson.priors == {1: pytest.approx(1 / 9), 2: pytest.approx(8 / 9)}


def test_too_few_sure_pixels_are_told_with_their_numbers():
    codes = np.array([1] * 100 + [2] * 40 + [3] * 10, np.uint8)
    with pytest.raises(InputError, match=r"two minerals need 30 each, and .* are 30, 12, 3;"):
        choose_sure(codes, np.arange(150.0), 0.3, 30)
    with pytest.raises(InputError, match="most that minerals have are 0"):
        choose_sure(np.zeros(9, np.uint8), np.arange(9.0), 0.3, 30)
    with pytest.raises(InputError, match="most that minerals have are 0"):
        choose_sure(np.zeros(0, np.uint8), np.zeros(0), 0.3, 30)


# ---- Gaussian maximum likelihood -------------------------------------------------------------


def test_the_likelihood_is_that_of_scikit_learn(first):
    sample, classes, sureness, _ = first
    lesson = choose_sure(classes, sureness, 0.3, 30)
    model = teach_likelihood(sample, lesson)
    logs = to_logs(sample.T)
    shape = logs - logs.mean(axis=0)
    parts = (shape - shape.mean(axis=1, keepdims=True)).T @ model.axes
    theirs = QuadraticDiscriminantAnalysis(priors=list(lesson.priors.values()))
    theirs.fit(parts[lesson.chosen], lesson.codes[lesson.chosen])
    # The ridge of the classes is all that differs.
    ours = model.probabilities(sample.T).T
    wanted = theirs.predict_proba(parts)
    assert theirs.classes_.tolist() == model.codes.tolist()
    assert (ours.argmax(axis=1) == wanted.argmax(axis=1)).mean() > 0.995
    assert np.abs(ours - wanted).mean() < 0.01
    assert ours.sum(axis=1) == pytest.approx(1, abs=1e-6)


def test_the_likelihood_is_that_of_the_plain_formula(first):
    sample, classes, sureness, _ = first
    lesson = choose_sure(classes, sureness, 0.3, 30)
    model = teach_likelihood(sample, lesson)
    logs = to_logs(sample.T)
    shape = logs - logs.mean(axis=0)
    parts = (shape - shape.mean(axis=1, keepdims=True)).T @ model.axes
    scores = []
    for code, prior in lesson.priors.items():
        own = parts[lesson.chosen & (classes == code)]
        covariance = np.cov(own.T)
        covariance += SHRINKAGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        apart = parts - own.mean(axis=0)
        distance = np.einsum("np,pq,nq->n", apart, np.linalg.inv(covariance), apart)
        scores.append(np.log(prior) - 0.5 * (np.linalg.slogdet(covariance)[1] + distance))
    likelihood = np.exp(np.array(scores) - np.max(scores, axis=0))
    wanted = likelihood / likelihood.sum(axis=0)
    assert model.probabilities(sample.T) == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("name", ["likelihood", "forest"])
def test_the_second_map_is_no_worse_than_the_first_and_nodata_stays(first, name):
    sample, classes, sureness, truth = first
    lesson = choose_sure(classes, sureness, 0.3, 30)
    if name == "forest":
        codes, probabilities = teach_forest(sample, lesson, 42)
    else:
        model = teach_likelihood(sample, lesson)
        codes, probabilities = model.codes, model.probabilities
    some = sample.T.copy()
    some[3, 5] = np.nan
    found = probabilities(some)
    assert found.dtype == np.float32
    assert np.isnan(found).any(axis=0).nonzero()[0].tolist() == [5]
    second = codes[np.nan_to_num(found).argmax(axis=0)]
    kept = np.arange(len(truth)) != 5
    assert (second == truth)[kept].mean() >= (classes == truth)[kept].mean() - 0.01
    assert (second == truth)[kept].mean() > 0.9


def test_the_forest_is_the_same_with_two_threads(first):
    sample, classes, sureness, _ = first
    lesson = choose_sure(classes, sureness, 0.3, 30)
    one, two = (teach_forest(sample, lesson, 42, threads) for threads in (1, 2))
    assert np.array_equal(one[1](sample[:500].T), two[1](sample[:500].T))


def test_a_class_that_is_flat_somewhere_can_be_taught():
    generator = np.random.default_rng(3)
    sample = np.full((100, 5), 0.3) * generator.uniform(0.9, 1.1, (100, 1))
    sample[:50, 1] *= generator.uniform(1.1, 1.3, 50)
    codes = np.repeat(np.array([1, 2], np.uint8), 50)
    lesson = Lesson(np.ones(100, bool), codes, {1: 0.5, 2: 0.5}, {})
    sample[50:, 1] *= 1.0001 + 1e-4 * generator.random(50)
    found = teach_likelihood(sample, lesson).probabilities(sample.T)
    assert np.isfinite(found).all()
    assert (found.argmax(axis=0) + 1 == codes).mean() > 0.95


def test_ratios_are_differences_of_logarithms_of_at_most_so_many_bands():
    block = np.array([[0.2, np.nan], [0.4, 0.4], [0.1, 0.1]])
    found = log_ratios(block)
    logs = np.log([0.2, 0.4, 0.1])
    wanted = [*logs, logs[0] - logs[1], logs[0] - logs[2], logs[1] - logs[2]]
    assert found[:, 0] == pytest.approx(wanted, rel=1e-6)
    assert np.isnan(found[:, 1]).tolist() == [True, False, False, True, True, False]
    many = log_ratios(np.full((200, 2), 0.3))
    assert many.shape == (RATIO_BANDS + RATIO_BANDS * (RATIO_BANDS - 1) // 2, 2)


# ---- what is told of it ----------------------------------------------------------------------


def test_maps_are_compared_class_by_class():
    first = np.array([1, 1, 2, 0, 255, 2], np.uint8)
    second = np.array([1, 2, 2, 1, 255, 0], np.uint8)
    assert compare_maps(first, second, [1, 2]).tolist() == [[0, 1, 0], [0, 1, 1], [1, 0, 1]]


def lesson_of(codes, chosen, left_out=None):
    return Lesson(np.array(chosen), np.array(codes, np.uint8), {1: 0.25, 2: 0.75}, left_out or {})


def test_agreement_is_told_with_kappa():
    codes = [1] * 40 + [2] * 40 + [0] * 20
    second = np.array([1] * 30 + [2] * 50 + [1] * 20, np.uint8)
    lesson = lesson_of(codes, np.arange(100) < 80)
    told = describe_lesson(lesson, np.linspace(1, 0, 100), second, {1: "one", 2: "two", 3: "three"})
    assert told["agreement"] == pytest.approx(70 / 80)
    assert told["agreement_kappa"] == pytest.approx((0.875 - 0.5) / 0.5)
    assert told["compared_pixels"] == 80
    assert told["taught"] == [
        {"name": "one", "pixels": 40, "prior": 0.25},
        {"name": "two", "pixels": 40, "prior": 0.75},
    ]
    assert told["less_sure_share"] == pytest.approx(0.24, abs=0.01)
    assert told["notes"] == []


def test_notes_say_with_numbers_where_not_to_trust_the_second_map():
    codes = np.tile([1, 2], 50)
    second = np.repeat([1, 2], 50).astype(np.uint8)
    lesson = lesson_of(codes, np.arange(100) < 20, {3: 4})
    told = describe_lesson(lesson, np.linspace(1, 0, 100), second, {1: "one", 2: "two", 3: "three"})
    few, unlike, poor = told["notes"]
    assert few.startswith("three: 4 sure pixels, too few to teach")
    assert unlike.startswith("81% of the pixels are less sure")
    assert "kappa 0.00" in poor


def test_maps_that_share_no_named_pixel_do_not_agree():
    lesson = lesson_of([1, 2, 0, 0], [True, True, False, False])
    told = describe_lesson(lesson, np.arange(4.0), np.zeros(4, np.uint8), {1: "one", 2: "two"})
    assert (told["agreement"], told["agreement_kappa"], told["compared_pixels"]) == (0, 0, 0)
