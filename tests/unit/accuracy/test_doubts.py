import math

import pytest

from gossan.accuracy.doubts import (
    FAR_FROM_MEAN_RAD,
    FAR_FROM_ORIGIN_RAD,
    MOST_OF_ONE,
    MOST_UNCLASSIFIED,
    describe_doubts,
    percent,
)

MIXED = {"Alunite": 0.3, "Kaolinite": 0.3, "Calcite": 0.2}


def test_a_map_without_signs_of_ignorance_is_left_in_peace():
    assert describe_doubts("The map", MIXED, 0.2) == []
    assert describe_doubts("The map", MIXED, 0.2, median_rad=0.05, far_rad=0.1) == []
    assert describe_doubts("The map", {}, 0.0) == []


@pytest.mark.parametrize(
    ("shares", "unclassified", "said"),
    [
        ({"Muscovite": 0.96, "Alunite": 0.04}, 0.0, "96.0% of the pixels that it names muscovite"),
        ({"Muscovite": 0.09, "Alunite": 0.01}, 0.4, "90.0% of the pixels that it names muscovite"),
        ({"Muscovite": 0.9999, "Alunite": 0.0001}, 0.0, "more than 99.9%"),
        (MIXED, 0.512, "leaves 51.2% of the clear pixels unclassified"),
        ({"Alunite": 0.0005, "Calcite": 0.0004}, 0.9991, "leaves 99.9% of the clear"),
        ({"Alunite": 0.0, "Calcite": 0.0}, 1.0, "leaves 100.0% of the clear"),
    ],
)
def test_each_sign_is_told_with_its_number(shares, unclassified, said):
    [sentence] = describe_doubts("The map", shares, unclassified)
    assert sentence.startswith("The map ") and said in sentence


def test_limits_themselves_are_no_sign():
    at_limit = {"Alunite": MOST_OF_ONE, "Calcite": 1 - MOST_OF_ONE}
    assert describe_doubts("The map", at_limit, 0.0) == []
    assert describe_doubts("The map", MIXED, MOST_UNCLASSIFIED) == []
    assert describe_doubts("The map", MIXED, 0.2, median_rad=0.1, far_rad=0.1) == []


def test_a_map_that_looks_for_one_class_is_of_one_class_by_choice():
    assert describe_doubts("The map", {"Hematite": 0.6}, 0.4) == []


@pytest.mark.parametrize(
    ("median", "far", "said"),
    [
        (0.213, FAR_FROM_ORIGIN_RAD, "more than 0.21 rad (12°) from theirs, and beyond 0.10 rad"),
        (
            math.radians(71),
            FAR_FROM_MEAN_RAD,
            "1.24 rad (71°) from theirs, and beyond 1.05 rad",
        ),
    ],
)
def test_far_angles_are_told_with_their_limit(median, far, said):
    [sentence] = describe_doubts("The map", MIXED, 0.2, median_rad=median, far_rad=far)
    assert said in sentence
    assert describe_doubts("The map", MIXED, 0.2, median_rad=median) == []
    assert describe_doubts("The map", MIXED, 0.2, far_rad=far) == []


def test_several_signs_are_several_sentences():
    shares = {"Muscovite": 0.3, "Alunite": 0.01}
    found = describe_doubts("The map", shares, 0.69, median_rad=0.3, far_rad=0.1)
    assert len(found) == 3 and all(text.endswith(".") for text in found)


def test_a_map_that_names_next_to_nothing_is_not_asked_what_most_of_it_is():
    [sentence] = describe_doubts("The map", {"Chalcedony": 0.0001, "Alunite": 0.0}, 0.9999)
    assert "leaves more than 99.9% of the clear pixels unclassified" in sentence


def test_a_little_does_not_read_as_nothing_nor_nearly_all_as_all():
    told = [percent(share) for share in (0.0, 1e-5, 0.5, 0.99999, 1.0)]
    assert told == ["0.0%", "less than 0.1%", "50.0%", "more than 99.9%", "100.0%"]
