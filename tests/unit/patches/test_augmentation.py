import numpy as np
import pytest

from gossan.errors import InputError
from gossan.patches.augmentation import augment, count_variants, reduce_equally, turn

IMAGES = np.random.default_rng(5).integers(1, 255, (3, 6, 6, 2)).astype(np.uint8)


def test_four_rotations_give_the_eight_symmetries_of_the_square():
    assert count_variants(4) == 8
    made = [turn(IMAGES, variant) for variant in range(8)]
    np.testing.assert_array_equal(made[0], IMAGES)
    np.testing.assert_array_equal(made[1], IMAGES[:, :, ::-1])
    np.testing.assert_array_equal(made[2], np.rot90(IMAGES, 1, axes=(1, 2)))
    np.testing.assert_array_equal(made[5], IMAGES[:, ::-1])
    assert len({image.tobytes() for image in made}) == 8
    for image in made:
        np.testing.assert_array_equal(np.sort(image.ravel()), np.sort(IMAGES.ravel()))


def test_twenty_copies_of_216_patches_are_about_4300():
    assert 216 * count_variants(10) == 4320


def test_right_angles_are_the_same_by_either_way():
    from gossan.patches.augmentation import _rotate

    for step in range(4):
        np.testing.assert_array_equal(
            _rotate(IMAGES, step * np.pi / 2), np.rot90(IMAGES, step, axes=(1, 2))
        )


def test_other_angles_keep_colours_and_leave_black_corners():
    square = np.full((1, 31, 31, 3), 200, np.uint8)
    turned = turn(square, 2, rotations=8)
    assert set(np.unique(turned)) == {0, 200}
    assert (turned[0, [0, 0, -1, -1], [0, -1, 0, -1]] == 0).all()
    disc = np.hypot(*(np.mgrid[:31, :31] - 15)) <= 15
    assert (turned[0][disc] == 200).all()
    # A bar from the middle to the right points up after a quarter, up and right after an eighth.
    bar = np.zeros((1, 31, 31, 1), np.uint8)
    bar[0, 14:17, 15:] = 9
    half = turn(bar, 2, rotations=8)[0, ..., 0]
    assert half[5, 25] == 9
    assert half[25, 25] == half[25, 5] == half[5, 5] == 0


def test_only_the_asked_variants_are_made_in_the_asked_order():
    patches, variants = np.array([2, 0, 2, 1]), np.array([3, 0, 0, 3])
    made = augment(IMAGES, patches, variants)
    assert made.dtype == IMAGES.dtype
    for image, patch, variant in zip(made, patches, variants, strict=True):
        np.testing.assert_array_equal(image, turn(IMAGES[[patch]], variant)[0])


def test_reflectance_is_turned_as_colours_are():
    values = IMAGES.astype(np.float32) / 255
    made = augment(values, np.arange(3), np.full(3, 5), rotations=10)
    np.testing.assert_array_equal(
        made, augment(IMAGES, np.arange(3), np.full(3, 5), 10).astype(np.float32) / 255
    )


def test_no_rotation_is_refused():
    with pytest.raises(InputError, match="rotations: 0"):
        count_variants(0)


def test_images_are_reduced_to_equal_classes():
    labels = np.repeat([0, 1, 2], [50, 12, 30])
    for count, each in ((30, 10), (31, 10), (90, 12)):
        kept = reduce_equally(labels, count, seed=1)
        assert np.bincount(labels[kept]).tolist() == [each] * 3
        assert len(np.unique(kept)) == len(kept)
        assert (np.diff(kept) > 0).all()
    np.testing.assert_array_equal(
        reduce_equally(labels, 30, seed=1), reduce_equally(labels, 30, seed=1)
    )
    assert (reduce_equally(labels, 30, seed=1) != reduce_equally(labels, 30, seed=2)).any()


def test_a_rare_class_repeats_evenly():
    labels = np.repeat([0, 1], [50, 12])
    kept = reduce_equally(labels, 80, seed=1, repeat=True)
    assert np.bincount(labels[kept]).tolist() == [40, 40]
    often = np.bincount(kept, minlength=62)
    assert often[:50].max() == 1
    assert set(often[50:]) == {3, 4}
