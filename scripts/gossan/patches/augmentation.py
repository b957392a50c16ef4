"""Turned and mirrored copies of patches, and how many of them are kept.

A variant is one copy: number v is turned counter-clockwise by v // 2 steps of 360° / `rotations`
and, if v is odd, then mirrored left to right. Variant 0 is the patch itself. Four rotations give
the 8 symmetries of the square, which move pixels without changing any; ten give the 20 copies a
patch that make about 4300 images of 216.
"""

import numpy as np

from gossan.errors import InputError

RIGHT_ANGLES = 4


def count_variants(rotations: int) -> int:
    """Number of variants of a patch; InputError for fewer than one rotation."""
    if rotations < 1:
        raise InputError(f"rotations: {rotations} is too small; give at least 1")
    return 2 * rotations


def turn(images: np.ndarray, variant: int, rotations: int = RIGHT_ANGLES) -> np.ndarray:
    """One variant of images (n, size, size, bands), of the same shape and type.

    Right angles are exact. Other angles take the nearest pixel, so that colours stay those of
    the classes, and leave corners that the patch does not cover at 0, the background.
    """
    step = variant // 2
    if RIGHT_ANGLES * step % rotations == 0:
        turned = np.rot90(images, RIGHT_ANGLES * step // rotations, axes=(1, 2))
    else:
        turned = _rotate(images, 2 * np.pi * step / rotations)
    return turned[:, :, ::-1] if variant % 2 else turned


def _rotate(images: np.ndarray, angle_rad: float) -> np.ndarray:
    size = images.shape[1]
    middle = (size - 1) / 2
    down, right = np.mgrid[:size, :size] - middle
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    # Rounded first: the last bits of a sine, which differ between machines, must not decide
    # between two pixels.
    row = np.rint(np.round(down * cosine + right * sine + middle, 6)).astype(int)
    column = np.rint(np.round(right * cosine - down * sine + middle, 6)).astype(int)
    inside = (row >= 0) & (row < size) & (column >= 0) & (column < size)
    turned = np.zeros_like(images)
    turned[:, inside] = images[:, row[inside], column[inside]]
    return turned


def augment(
    images: np.ndarray, patches: np.ndarray, variants: np.ndarray, rotations: int = RIGHT_ANGLES
) -> np.ndarray:
    """The asked variants of the asked patches, (m, size, size, bands).

    `images` (n, size, size, bands); `patches` and `variants` (m,) say for each answer which image
    and which variant. Only what is asked for is made, so a part at a time can be had.
    """
    made = np.empty((len(patches), *images.shape[1:]), images.dtype)
    for variant in np.unique(variants):
        places = np.flatnonzero(variants == variant)
        made[places] = turn(images[patches[places]], int(variant), rotations)
    return made


def reduce_equally(
    labels: np.ndarray, count: int, seed: int, *, repeat: bool = False
) -> np.ndarray:
    """Places of at most `count` of the labels, drawn at random, equally many of each; ascending.

    The rarest label sets the number where `count` asks for more than there is of it; with
    `repeat`, its places are given several times instead, each as often as any other or once more.
    """
    found, sizes = np.unique(labels, return_counts=True)
    each = count // len(found)
    if not repeat:
        each = min(each, sizes.min())
    generator = np.random.default_rng(seed)
    drawn = []
    for label, size in zip(found, sizes, strict=True):
        own = np.flatnonzero(labels == label)
        drawn += [own] * (each // size)
        drawn.append(generator.choice(own, each % size, replace=False))
    return np.sort(np.concatenate(drawn))
