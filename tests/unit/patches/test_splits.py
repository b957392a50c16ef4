from dataclasses import replace

import numpy as np
import pytest
from patch_scenes import make_table, random_table, split_table

from gossan.errors import InputError
from gossan.patches.cutting import SIDES, UNUSED
from gossan.patches.splits import (
    SHARES,
    draw_blocked,
    draw_published,
    measure_leak,
    shuffle_labels,
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


def test_the_published_order_puts_copies_of_a_patch_on_two_sides():
    table = split_table()
    draw = draw_published(table, 40, 440, rotations=8)
    leak = measure_leak(table, draw)
    crossing = [
        patch for patch in set(draw.patches) if len(set(draw.sides[draw.patches == patch])) > 1
    ]
    assert leak.crossing == len(crossing) > 0
    tested, trained = draw.side("test")[0], set(draw.side("train")[0])
    assert leak.tested_copies == sum(patch in trained for patch in tested) > 0
    assert leak.tested == len(tested)
    assert sides_of_ground(table, draw.patches, draw.sides).max() > 1


def test_at_the_papers_ratio_every_tested_image_has_a_copy_that_trains():
    starts = np.arange(0, 302 * 18, 302)
    rows, columns = (axis.ravel() for axis in np.meshgrid(starts, starts))
    table = make_table(np.arange(len(rows)) % 2, rows, columns, size_px=302)
    table = split_blocked(table, 302 * 18, block_px=604)
    draw = draw_published(table, 216, 3032, rotations=10)
    leak = measure_leak(table, draw)
    # 14 of 20 copies of a patch are kept; that none of 13 others trains has a chance of 0.3^13.
    assert (len(draw.patches), leak.patches, leak.tested) == (3032, 216, 454)
    assert leak.crossing > 0.98 * leak.patches
    assert leak.tested_copies == leak.tested


def test_published_patches_share_no_pixel_with_one_another_nor_with_the_blocked_test():
    table = split_table(stride_px=3)
    draw = draw_published(table, 40, 440, rotations=8)
    patches = np.unique(draw.patches)
    assert np.bincount(table.labels[patches]).tolist() == [20, 20]
    seen = np.zeros((128, 128), int)
    for patch in patches:
        row, column = table.rows[patch], table.columns[patch]
        seen[row : row + 8, column : column + 8] += 1
    assert seen.max() == 1
    for patch in np.flatnonzero(table.sides == "test"):
        row, column = table.rows[patch], table.columns[patch]
        assert not seen[row : row + 8, column : column + 8].any()


def test_labels_are_dealt_among_the_patches_of_a_draw_alone():
    table = split_table(stride_px=8)
    draw = draw_published(table, 60, 800, rotations=10)
    dealt = shuffle_labels(table.labels, draw, 1)
    patches = np.unique(draw.patches)
    for label in (0, 1):
        assert np.bincount(dealt[patches][table.labels[patches] == label]).tolist() == [15, 15]
    others = np.setdiff1d(np.arange(len(table)), patches)
    np.testing.assert_array_equal(dealt[others], table.labels[others])


def test_fewer_patches_than_asked_keep_the_share_of_copies():
    table = split_table(stride_px=8)
    draw = draw_published(table, 1000, 10_000, rotations=10)
    patches = len(np.unique(draw.patches))
    assert patches < 300
    assert len(draw.patches) == pytest.approx(10 * patches, abs=2)


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
    trains = replace(empty, sides=np.full(len(empty), "train", "<U10"))
    with pytest.raises(InputError, match="the ground that does not test has none of class chalco"):
        draw_published(trains, 40, 100, rotations=4)
    with pytest.raises(InputError, match="train has none of class chalcocite"):
        draw_blocked(replace(split_table(), labels=np.ones(len(split_table()), int)), 100)
    with pytest.raises(InputError, match="fewer than two classes"):
        draw_blocked(replace(empty, classes=("feldspar",), labels=empty.labels * 0), 100)


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


def test_the_published_order_reduces_and_splits_with_equal_classes():
    table = split_table(stride_px=8)
    draw = draw_published(table, 60, 800, rotations=10)
    assert len(draw.patches) == 800
    assert draw.variants.max() > 8
    for side, each in zip(SIDES, (280, 60, 60), strict=True):
        assert np.bincount(table.labels[draw.side(side)[0]]).tolist() == [each] * 2
    pairs = set(zip(draw.patches.tolist(), draw.variants.tolist(), strict=True))
    assert len(pairs) == 800


def test_numbers_that_cannot_be_used():
    with pytest.raises(InputError, match="split-block-px: 7 is less than the patch"):
        split_blocked(random_table(), 128, block_px=7)
    with pytest.raises(InputError, match="seed: -1"):
        split_blocked(random_table(), 128, block_px=16, seed=-1)
    with pytest.raises(InputError, match="images: 1 are fewer than the 2 classes"):
        draw_published(split_table(), 20, 1, rotations=4)
    with pytest.raises(InputError, match="class chalcocite: 1 images cannot"):
        draw_published(split_table(), 20, 2, rotations=4)
