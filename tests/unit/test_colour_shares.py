import numpy as np
from patch_scenes import CHALCOCITE, FELDSPAR, MINERALS

from gossan.colour_shares import (
    classify_by_colour,
    count_colours,
)
from gossan.patches import render_codes

PAIR = [CHALCOCITE, FELDSPAR]


def test_only_exact_colours_are_counted():
    images = render_codes(np.array([[[2, 12], [12, 0]], [[6, 6], [2, 255]]], np.uint8), MINERALS)
    assert count_colours(images, MINERALS).tolist() == [[1, 2, 0], [1, 0, 2]]
    images[0, 0, 0, 1] = 253
    assert count_colours(images, PAIR).tolist() == [[0, 2], [1, 0]]


def test_the_rule_is_right_on_patches_labelled_by_share():
    generator = np.random.default_rng(2)
    codes = generator.choice([0, 2, 6, 12], (200, 9, 9)).astype(np.uint8)
    shares = np.stack([(codes == item.code).sum(axis=(1, 2)) for item in PAIR], axis=1)
    labelled = shares[:, 0] != shares[:, 1]
    answers = classify_by_colour(render_codes(codes, MINERALS)[labelled], PAIR)
    labels = shares[labelled].argmax(axis=1)
    np.testing.assert_array_equal(answers, labels)
    assert set(labels) == {0, 1}


def test_patches_without_any_of_the_colours_are_no_class():
    assert classify_by_colour(np.zeros((2, 3, 3, 3), np.uint8), PAIR).tolist() == [-1, -1]
