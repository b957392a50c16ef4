import numpy as np
import pytest

from gossan.accuracy.blocks import Bootstrap
from gossan.forests.ground import Ground
from gossan.forests.samples import Samples
from gossan.prospects.grade_tests import BLOCKED, RANDOM, compare_said, deal_lessons


def ground(rows, tested, blocks):
    n = len(rows)
    samples = Samples(np.array(rows), np.zeros(n, int), np.zeros(n, int), np.array(tested, bool))
    return Ground(samples, {}, {}, {}, np.array(blocks))


def test_no_pixel_teaches_that_is_tested_or_lies_in_a_tested_block():
    points = ground([0, 1, 2, 3], [0, 1, 0, 0], [0, 0, 1, 2])
    pixels = ground([1, 5, 6, 7], [0, 0, 0, 0], [0, 0, 1, 9])
    lessons = deal_lessons(points, pixels, 3, 42)
    (random,) = lessons[RANDOM]
    assert (random.points.tolist(), random.tested.tolist()) == ([0, 2, 3], [1])
    # The first pixel is the tested point itself.
    assert random.pixels.tolist() == [1, 2, 3]
    tested = np.concatenate([lesson.tested for lesson in lessons[BLOCKED]])
    assert sorted(tested.tolist()) == [0, 1, 2, 3]
    for lesson in lessons[BLOCKED]:
        held = set(points.blocks[lesson.tested])
        assert not held & set(points.blocks[lesson.points])
        assert not held & set(pixels.blocks[lesson.pixels])


def test_both_forests_are_scored_on_the_same_points_with_paired_intervals():
    generator = np.random.default_rng(3)
    truth = generator.integers(0, 2, 400)
    blocks = np.arange(400) // 10
    good = np.where(generator.random(400) < 0.1, 1 - truth, truth)
    # As the good one, and in one block in four as well as by chance.
    poor = np.where(blocks % 4 == 0, generator.integers(0, 2, 400), good)
    rows = compare_said(
        *("ore", "random", blocks, truth, {"strata": poor, "pixels": good}, ("other", "ore")),
        Bootstrap(16, 200, 42),
    )
    told = {row["measure"]: row for row in rows}
    assert list(told) == [
        *("overall_accuracy", "kappa", "macro_f1"),
        *("precision_ore", "recall_ore", "f1_ore"),
    ]
    row = told["overall_accuracy"]
    assert row["strata"] == pytest.approx((poor == truth).mean(), abs=1e-6)
    assert row["difference"] == pytest.approx(row["strata"] - row["pixels"], abs=2e-6)
    assert row["difference_low"] < row["difference"] < row["difference_high"] < 0
    # Paired, for both are wrong in the same places: narrower than of two tests on their own.
    own = [row[f"{name}_high"] - row[f"{name}_low"] for name in ("strata", "pixels")]
    assert row["difference_high"] - row["difference_low"] < np.hypot(*own)
