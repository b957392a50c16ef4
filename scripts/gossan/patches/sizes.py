"""Sizes of patches that a scene is large enough for: what to say where those asked for are not."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gossan.legend import MapClass
from gossan.patches.cutting import (
    PatchTable,
    Recipe,
    TooFewPatchesError,
    count_patches,
    cut_patches,
)
from gossan.patches.splits import split_blocked
from gossan.raster import read_info

SMALLEST_PX = 4
"""Smallest side that is tried, and that the config takes."""
STEP = 0.9
"""Each side that is tried first, over the one before."""
MOST_PATCHES = 20_000
"""Sides that would make more are not tried: in so large a scene, size is not the fault."""


@dataclass(frozen=True)
class Split:
    """How patches are divided (`splits.split_blocked`)."""

    block_px: int
    seed: int
    skip_rare: bool


def cut_and_split(
    class_map: str | Path, classes: Sequence[MapClass], recipe: Recipe, split: Split
) -> PatchTable:
    """The patches of a scene, labelled and divided.

    Where the scene is too small or its classes are too rare, TooFewPatchesError tells how many
    patches there are, and the largest side with which every class would train and be tested.
    """
    try:
        return _try(class_map, classes, recipe, split)
    except TooFewPatchesError as error:
        grid = read_info(class_map).grid
        count = count_patches(grid, recipe.size_px, recipe.stride_px)
        best = _largest_size(class_map, classes, recipe, split)
        advice = f"size-px {best} would do" if best else "no smaller size-px would do"
        raise TooFewPatchesError(
            f"{error} ({count} whole patches of {recipe.size_px} pixels lie in "
            f"{grid.width}x{grid.height}; {advice})"
        ) from error


def _try(
    class_map: str | Path, classes: Sequence[MapClass], recipe: Recipe, split: Split
) -> PatchTable:
    return split_blocked(
        cut_patches(class_map, classes, recipe),
        read_info(class_map).grid.width,
        block_px=split.block_px,
        seed=split.seed,
        skip_rare=split.skip_rare,
    )


def _largest_size(
    class_map: str | Path, classes: Sequence[MapClass], recipe: Recipe, split: Split
) -> int | None:
    """The largest side that does, with stride and blocks in proportion to it; None for none.

    Sides are tried downwards, in steps, and those between the first that does and the one before
    it.
    """
    grid = read_info(class_map).grid

    def does(size: int) -> bool:
        share = size / recipe.size_px
        smaller = replace(recipe, size_px=size, stride_px=max(1, round(recipe.stride_px * share)))
        if count_patches(grid, size, smaller.stride_px) > MOST_PATCHES:
            return False
        blocks = replace(split, block_px=max(size, round(split.block_px * share)))
        try:
            _try(class_map, classes, smaller, blocks)
        except TooFewPatchesError:
            return False
        return True

    above = min(recipe.size_px, *(side + 1 for side in grid.shape))
    size = above - 1
    while size >= SMALLEST_PX and not does(size):
        above, size = size, min(size - 1, int(size * STEP))
    if size < SMALLEST_PX:
        return None
    return next((own for own in range(above - 1, size, -1) if does(own)), size)
