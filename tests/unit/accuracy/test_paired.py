"""Two maps tested on the same ground."""

import numpy as np
import pytest

from gossan.accuracy.blocks import Bootstrap
from gossan.accuracy.paired import compare_blocks
from gossan.errors import InputError

BOOTSTRAP = Bootstrap(16, 400, 5)


def counts(right_of_ten):
    """Blocks of ten pixels of each of two classes, so many of them right."""
    blocks = np.zeros((len(right_of_ten), 3, 3), np.int64)
    for block, right in zip(blocks, right_of_ten, strict=True):
        block[1, 1] = block[2, 2] = right
        block[1, 2] = block[2, 1] = 10 - right
    return blocks


def test_what_is_hard_about_a_block_is_in_both_maps_and_not_in_their_difference():
    hard = np.array([2, 9, 4, 8, 3, 7, 5, 9, 2, 8])
    # One pixel more in each block but one.
    better = hard + (np.arange(len(hard)) > 0)
    rows = compare_blocks(counts(hard), counts(better), ["a", "b"], BOOTSTRAP)
    overall = rows[0]
    assert overall["measure"] == "overall_accuracy"
    assert overall["first"]["value"] == pytest.approx(hard.mean() / 10)
    assert overall["difference"]["value"] == pytest.approx(0.09)
    width = {name: overall[name]["high"] - overall[name]["low"] for name in ("first", "difference")}
    assert width["difference"] < 0.25 * width["first"]
    assert overall["difference"]["low"] > 0
    assert [(row["measure"], row["class"]) for row in rows[3:]] == [
        (name, label) for label in "ab" for name in ("precision", "recall", "f1")
    ]


def test_too_few_blocks_have_no_interval():
    rows = compare_blocks(counts([3, 4]), counts([5, 4]), ["a", "b"], BOOTSTRAP)
    assert rows[0]["difference"] == {"value": 0.1, "low": None, "high": None}


def test_maps_of_other_ground_are_refused():
    with pytest.raises(InputError, match="not tested on the same ground"):
        compare_blocks(counts([3, 4]), counts([5]), ["a", "b"], BOOTSTRAP)
    other = counts([3, 4])
    other[0, 1, 1] += 1
    with pytest.raises(InputError, match="not tested on the same ground"):
        compare_blocks(counts([3, 4]), other, ["a", "b"], BOOTSTRAP)
