from dataclasses import replace

import numpy as np
import pytest
from patch_scenes import make_table, random_table, split_table

from gossan.errors import InputError
from gossan.patches.cutting import SIDES, UNUSED
from gossan.patches.splits import (
    SHARES,
    draw_blocked,
    draw_paper,
    measure_leak,
    split_blocked,
)


def sides_of_ground(table, patches, sides, width=128):
    """How many sides have each pixel of the ground, (width, width), counted pixel by pixel."""
    seen = np.zeros((3, width, width), bool)
    for patch, side in zip(patches, sides, strict=True):
        row, column = table.rows[patch], table.columns[patch]
        seen[SIDES.index(side), row : row + table.size_px, column : column + table.size_px] = True
    return seen.sum(axis=0)


@pytest.mark.parametrize("stride_px", [1, 3, 4, 8])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_blocked_never_puts_a_patch_or_a_pixel_on_two_sides(stride_px, seed):
    table = split_table(seed, stride_px)
    draw = draw_blocked(table, 600, seed=seed)
    leak = measure_leak(table, draw)
    assert (leak.crossing, leak.tested_copies, leak.tested_overlapping) == (0, 0, 0)
    assert leak.tested > 0
    assert sides_of_ground(table, draw.patches, draw.sides).max() == 1
    used = np.flatnonzero(table.sides != UNUSED)
    assert sides_of_ground(table, used, table.sides[used]).max() == 1


def test_the_papers_order_puts_copies_of_a_patch_on_two_sides():
    table = random_table()
    draw = draw_paper(table, 1200)
    leak = measure_leak(table, draw)
    crossing = [
        patch for patch in set(draw.patches) if len(set(draw.sides[draw.patches == patch])) > 1
    ]
    assert leak.crossing == len(crossing) > 0
    tested, trained = draw.side("test")[0], set(draw.side("train")[0])
    assert leak.tested_copies == sum(patch in trained for patch in tested) > 0
    assert leak.tested_copies < leak.tested_overlapping <= leak.tested == len(tested)
    assert sides_of_ground(table, draw.patches, draw.sides).max() > 1


def test_without_a_reduction_nearly_every_patch_crosses():
    table = random_table(stride_px=8)
    table = replace(table, labels=np.arange(len(table)) % 2)
    leak = measure_leak(table, draw_paper(table, 8 * len(table)))
    # All eight copies of a patch get to one side with a chance of 0.7^8 + 2 * 0.15^8 = 0.06.
    assert leak.patches == len(table)
    assert leak.crossing / leak.patches == pytest.approx(0.94, abs=0.04)
    assert leak.tested_copies > 0.98 * leak.tested


def test_patches_that_do_not_overlap_leak_by_their_copies_alone():
    table = random_table(stride_px=8)
    leak = measure_leak(table, draw_paper(table, 1200))
    assert leak.tested_copies == leak.tested_overlapping > 0


def test_blocks_lie_whole_on_one_side_and_shares_are_near():
    table = split_table(stride_px=8)
    assert (table.sides != UNUSED).all()
    for block in np.unique(table.blocks):
        assert len(set(table.sides[table.blocks == block])) == 1
    own = table.rows // 16 * 8 + table.columns // 16
    np.testing.assert_array_equal(table.blocks, own)
    for label in (0, 1):
        for side, share in zip(SIDES, SHARES, strict=True):
            got = (table.sides[table.labels == label] == side).mean()
            assert got == pytest.approx(share, abs=0.05)


def test_a_split_depends_on_its_seed_alone():
    table = random_table()
    first, again, other = (split_blocked(table, 128, block_px=16, seed=s) for s in (5, 5, 6))
    np.testing.assert_array_equal(first.sides, again.sides)
    assert (first.sides != other.sides).any()


def test_a_class_in_three_blocks_gets_to_every_side():
    rows, columns = (axis.ravel() for axis in np.meshgrid(*[np.arange(0, 128, 8)] * 2))
    labels = np.ones(len(rows), np.int64)
    labels[[0, 100, 200]] = 0
    table = split_blocked(make_table(labels, rows, columns), 128, block_px=16)
    assert sorted(table.sides[labels == 0]) == sorted(SIDES)


def test_a_class_that_is_too_rare_is_named_or_skipped():
    rows, columns = (axis.ravel() for axis in np.meshgrid(*[np.arange(0, 128, 8)] * 2))
    labels = np.ones(len(rows), np.int64)
    labels[:2] = 0
    table = make_table(labels, rows, columns)
    with pytest.raises(InputError, match="class chalcocite: 2 patches in 1 blocks"):
        split_blocked(table, 128, block_px=16)
    with pytest.raises(InputError, match="class chalcocite: too rare"):
        split_blocked(table, 128, block_px=16, skip_rare=True)
    labels = np.where(labels == 1, 1 + np.arange(len(rows)) // 2 % 2, 0)
    three = replace(
        table,
        labels=labels,
        classes=("chalcocite", "feldspar", "calcite"),
        share_names=("chalcocite", "feldspar", "calcite"),
        shares=np.eye(3)[labels],
    )
    kept = split_blocked(three, 128, block_px=16, skip_rare=True)
    assert kept.classes == ("feldspar", "calcite")
    assert len(kept) == len(rows) - 2
    np.testing.assert_array_equal(kept.label_names, three.label_names[2:])


def test_an_empty_class_is_named():
    table = random_table(stride_px=8)
    empty = replace(table, labels=np.ones_like(table.labels))
    with pytest.raises(InputError, match="class chalcocite: 0 patches"):
        split_blocked(empty, 128, block_px=16)
    with pytest.raises(InputError, match="all patches has none of class chalcocite"):
        draw_paper(empty, 100)
    with pytest.raises(InputError, match="train has none of class chalcocite"):
        draw_blocked(replace(split_table(), labels=np.ones(len(split_table()), int)), 100)
    with pytest.raises(InputError, match="fewer than two classes"):
        draw_paper(replace(empty, classes=("feldspar",), labels=empty.labels * 0), 100)


def test_blocked_augments_and_balances_training_only():
    table = split_table()
    draw = draw_blocked(table, 600)
    patches, variants = draw.side("train")
    assert np.bincount(table.labels[patches]).tolist() == [210, 210]
    assert set(variants) == set(range(8))
    for side in SIDES[1:]:
        patches, variants = draw.side(side)
        assert not variants.any()
        assert len(np.unique(patches)) == len(patches)
        counts = np.bincount(table.labels[patches])
        own = np.bincount(table.labels[table.sides == side])
        assert counts.tolist() == [own.min()] * 2
        whole = draw_blocked(table, 600, equal_tests=False).side(side)[0]
        np.testing.assert_array_equal(whole, np.flatnonzero(table.sides == side))


def test_tests_of_more_than_two_classes_are_whole():
    table = random_table(stride_px=4)
    labels = np.arange(len(table)) % 3
    three = replace(table, labels=labels, classes=("chalcocite", "feldspar", "calcite"))
    three = split_blocked(three, 128, block_px=16)
    whole, equal = draw_blocked(three, 600), draw_blocked(three, 600, equal_tests=True)
    for side in SIDES[1:]:
        np.testing.assert_array_equal(whole.side(side)[0], np.flatnonzero(three.sides == side))
        assert len(set(np.bincount(three.labels[equal.side(side)[0]]))) == 1


def test_the_paper_reduces_and_splits_with_equal_classes():
    table = random_table()
    draw = draw_paper(table, 1200, rotations=10)
    assert len(draw.patches) == 1200
    assert draw.variants.max() > 8
    for side, each in zip(SIDES, (420, 90, 90), strict=True):
        assert np.bincount(table.labels[draw.side(side)[0]]).tolist() == [each] * 2
    pairs = set(zip(draw.patches.tolist(), draw.variants.tolist(), strict=True))
    assert len(pairs) == 1200


def test_the_full_protocol_has_3032_images():
    starts = np.arange(0, 302 * 15, 302)
    rows, columns = (axis.ravel()[:216] for axis in np.meshgrid(starts, starts))
    table = make_table(np.arange(216) % 2, rows, columns, size_px=302)
    assert len(draw_paper(table, 3032, rotations=10).patches) == 3032


def test_numbers_that_cannot_be_used():
    with pytest.raises(InputError, match="split-block-px: 7 is less than the patch"):
        split_blocked(random_table(), 128, block_px=7)
    with pytest.raises(InputError, match="seed: -1"):
        split_blocked(random_table(), 128, block_px=16, seed=-1)
    with pytest.raises(InputError, match="images: 1 are fewer than the 2 classes"):
        draw_paper(random_table(), 1)
    with pytest.raises(InputError, match="class chalcocite: 1 images cannot"):
        draw_paper(random_table(), 2)
