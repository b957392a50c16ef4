"""Which images train, which validate and which test, in two protocols.

`blocked`: the patches are split first. A spatial block lies on one side with all its patches, and
a patch that reaches over blocks of two sides is not used, so no pixel of the ground is on two
sides. Only training patches are augmented. `published`: a number of patches that do not overlap
are augmented, the images reduced to a number, and only then split, so copies of one patch get to
both sides; `measure_leak` counts them. Its patches are not of the blocked test ground, on which
networks of both protocols can therefore be tested alike.
"""

from dataclasses import dataclass, replace

import numpy as np

from gossan.accuracy.blocks import SpatialBlocks
from gossan.errors import InputError
from gossan.patches.augmentation import RIGHT_ANGLES, count_variants, reduce_equally
from gossan.patches.cutting import SIDES, UNUSED, PatchTable, TooFewPatchesError

TRAIN, VALIDATION, TEST = SIDES
SHARES = (0.70, 0.15, 0.15)
"""Shares of training, validation and test, as the paper has them."""

DEALS = 32


@dataclass(frozen=True, eq=False)
class Draw:
    """The images of a protocol: patch, variant and side of each, (m,); sorted by the patch."""

    patches: np.ndarray
    variants: np.ndarray
    sides: np.ndarray

    def side(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Patches and variants of the images of one side, as `augmentation.augment` wants them."""
        own = self.sides == name
        return self.patches[own], self.variants[own]


@dataclass(frozen=True)
class Leak:
    """How much of the ground is on two sides of a draw.

    `crossing` of `patches` source patches have images on more than one side. Of `tested` test
    images, `tested_copies` are copies of a patch that also trains, and `tested_overlapping`, these
    included, share pixels of the ground with a training image.
    """

    patches: int
    crossing: int
    tested: int
    tested_copies: int
    tested_overlapping: int


def split_blocked(
    table: PatchTable,
    width: int,
    *,
    block_px: int,
    seed: int = 42,
    skip_rare: bool = False,
) -> PatchTable:
    """The table with blocks and sides; blocks are `block_px` pixels wide in a scene of `width`.

    Blocks are dealt so that each class comes as near as possible to SHARES on each side
    (iterative stratification, Sechidis et al. 2011, of blocks instead of examples; the best of
    DEALS deals). Blocks are counted from the scene's upper left corner, row by row.

    Raises InputError for blocks smaller than patches and for a class that does not get to every
    side. With `skip_rare` such a class is left out with its patches instead, as long as two
    remain.
    """
    if block_px < table.size_px:
        raise InputError(
            f"split-block-px: {block_px} is less than the patch of {table.size_px} pixels; "
            "make blocks larger"
        )
    if seed < 0:
        raise InputError(f"seed: {seed} is too small; give at least 0")
    # Blocks are numbered row by row, so the height of the scene does not matter.
    spatial = SpatialBlocks((table.rows.max() + table.size_px, width), block_px)
    touched = _touched_blocks(table, spatial)
    middle = table.size_px // 2
    blocks = spatial.number(table.rows + middle, table.columns + middle)
    whole = (touched == touched[:, :1]).all(axis=1)
    while True:
        found, place = np.unique(blocks[whole], return_inverse=True)
        counts = np.zeros((len(found), len(table.classes)), np.int64)
        np.add.at(counts, (place, table.labels[whole]), 1)
        carried = (counts > 0).sum(axis=0)
        dealt = None
        if carried.min() >= len(SIDES):
            dealt = _deal(counts, np.array(SHARES), seed)
        if dealt is not None:
            break
        rarest = int(carried.argmin())
        name = table.classes[rarest]
        if not skip_rare:
            raise TooFewPatchesError(
                f"class {name}: {(table.labels == rarest).sum()} patches in {carried[rarest]} "
                f"blocks cannot be on all of {', '.join(SIDES)}; take smaller patches, stride or "
                "blocks, another seed, or leave the class out"
            )
        if len(table.classes) == 2:
            raise TooFewPatchesError(
                f"class {name}: too rare to train and test; take smaller patches, stride or blocks"
            )
        kept = np.flatnonzero(table.labels != rarest)
        table = table.take(kept, [other for other in table.classes if other != name])
        blocks, touched, whole = blocks[kept], touched[kept], whole[kept]
    # A block without a whole patch is on the training side, or patches of two others might meet
    # in it.
    side_of = np.zeros(max(touched.max(), blocks.max()) + 1, np.int64)
    side_of[found] = dealt
    own = side_of[touched]
    agree = (own == own[:, :1]).all(axis=1)
    sides = np.where(agree, np.array(SIDES)[own[:, 0]], UNUSED)
    return replace(table, blocks=blocks, sides=sides)


def _touched_blocks(table: PatchTable, spatial: SpatialBlocks) -> np.ndarray:
    """The blocks in which the four corner pixels of each patch lie, (n, 4)."""
    last = table.size_px - 1
    return np.stack(
        [
            spatial.number(table.rows + down, table.columns + right)
            for down in (0, last)
            for right in (0, last)
        ],
        axis=1,
    )


def _deal(counts: np.ndarray, shares: np.ndarray, seed: int) -> np.ndarray | None:
    """The side of each block, (n,), from patches per block and class (n, K); None if none fits."""
    generator = np.random.default_rng(seed)
    best, least = None, np.inf
    for _ in range(DEALS):
        sides = _deal_once(counts, shares, generator)
        got = np.stack([counts[sides == side].sum(axis=0) for side in range(len(shares))])
        if not got.all():
            continue
        miss = np.abs(got / counts.sum(axis=0) - shares[:, None]).mean()
        if miss < least:
            best, least = sides, miss
    return best


def _deal_once(
    counts: np.ndarray, shares: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """One deal: the rarest class left first, its fullest block to the side that lacks it most."""
    wanted = shares[:, None] * counts.sum(axis=0)
    order = generator.permutation(len(counts))
    sides = np.full(len(counts), -1)
    while (sides < 0).any():
        left = counts[sides < 0].sum(axis=0)
        if not left.any():
            sides[sides < 0] = 0
            break
        label = int(np.where(left > 0, left, left.max() + 1).argmin())
        open_blocks = order[(sides[order] < 0) & (counts[order, label] > 0)]
        block = open_blocks[counts[open_blocks, label].argmax()]
        lack = wanted[:, label]
        bare = np.array(
            [not counts[sides == side, label].any() for side in range(len(shares))], bool
        )
        # The last blocks of a class go to sides that have none of it, however small their share.
        if bare.any() and len(open_blocks) <= bare.sum():
            lack = np.where(bare, lack, -np.inf)
        side = int(np.lexsort((wanted.sum(axis=1), lack))[-1])
        sides[block] = side
        wanted[side] -= counts[block]
    return sides


def draw_blocked(
    table: PatchTable,
    count: int,
    *,
    rotations: int = RIGHT_ANGLES,
    seed: int = 42,
    equal_tests: bool | None = None,
) -> Draw:
    """The images of the blocked protocol; sides are those of the table.

    Training: augmented, equally many of each class, together the training share of `count`
    images; a class that has fewer repeats its own. Validation and test: the patches themselves,
    with `equal_tests` as many of each class as of the rarest, else all of them. By default two
    classes are made equal, as published; of more, the rarest would leave a handful of patches.
    Raises InputError where a side lacks a class.
    """
    variants = count_variants(rotations)
    if equal_tests is None:
        equal_tests = len(table.classes) == 2
    parts = []
    for number, side in enumerate(SIDES):
        own = np.flatnonzero(table.sides == side)
        _require_classes(table, own, side)
        patches, variant = own, np.zeros(len(own), np.int64)
        if side == TRAIN:
            patches, variant = np.repeat(own, variants), np.tile(np.arange(variants), len(own))
            most = round(count * SHARES[number])
            _require_count(table, most)
            kept = reduce_equally(table.labels[patches], most, seed, repeat=True)
            patches, variant = patches[kept], variant[kept]
        elif equal_tests:
            kept = reduce_equally(table.labels[own], len(own), seed + number)
            patches, variant = patches[kept], variant[kept]
        parts.append((patches, variant, np.full(len(patches), side, "<U10")))
    return _sort(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def draw_published(
    table: PatchTable,
    patches: int,
    images: int,
    *,
    rotations: int,
    seed: int = 42,
) -> Draw:
    """The images of the published protocol: augment the patches, reduce the images, then split.

    `patches` of the table, equally many of each class, which share no pixel and are not on the
    side that tests, are augmented; `images` of the copies are kept, equally many of each class,
    and each side gets its share of every class. Where fewer such patches of a class lie there, as
    many fewer images are kept, so the share of the copies that is kept is the same.

    Raises TooFewPatchesError for a class without such patches, or with fewer images than sides.
    """
    variants = count_variants(rotations)
    free = np.flatnonzero(np.isin(table.sides, (TRAIN, VALIDATION)))
    _require_classes(table, free, "the ground that does not test")
    source = _pick_apart(table, free, patches // len(table.classes), seed)
    count = round(images * len(source) / patches)
    _require_count(table, count)
    copies = np.repeat(source, variants)
    variant = np.tile(np.arange(variants), len(source))
    kept = reduce_equally(table.labels[copies], count, seed)
    copies, variant = copies[kept], variant[kept]
    generator = np.random.default_rng([seed, 1])
    sides = np.empty(len(copies), "<U10")
    for label in range(len(table.classes)):
        own = generator.permutation(np.flatnonzero(table.labels[copies] == label))
        edges = np.rint(np.cumsum(SHARES)[:2] * len(own)).astype(int)
        parts = np.split(own, edges)
        if min(len(part) for part in parts) == 0:
            raise TooFewPatchesError(
                f"class {table.classes[label]}: {len(own)} images cannot be on all of "
                f"{', '.join(SIDES)}; cut more patches or ask for more images"
            )
        for side, part in zip(SIDES, parts, strict=True):
            sides[part] = side
    return _sort(copies, variant, sides)


def _pick_apart(table: PatchTable, places: np.ndarray, each: int, seed: int) -> np.ndarray:
    """At most `each` of the `places` of every class, equally many, that share no pixel; ascending.

    They are drawn at random, those of the rarest class first.
    """
    generator = np.random.default_rng(seed)
    labels = table.labels[places]
    picked: dict[int, list[int]] = {}
    for label in np.argsort(np.bincount(labels), kind="stable"):
        own = picked[label] = []
        for place in generator.permutation(places[labels == label]):
            if len(own) == each:
                break
            others = np.concatenate([np.array(group, int) for group in picked.values()])
            if not _overlap(table, np.array([place]), others).any():
                own.append(place)
    most = min(map(len, picked.values()))
    return np.sort(np.concatenate([own[:most] for own in picked.values()]))


def _require_classes(table: PatchTable, places: np.ndarray, where: str) -> None:
    """Raise InputError unless there are two classes or more and `places` hold each of them."""
    if len(table.classes) < 2:
        raise TooFewPatchesError("patches: fewer than two classes; cut patches of two or more")
    present = np.bincount(table.labels[places], minlength=len(table.classes)) > 0
    if not present.all():
        missing = table.classes[int(present.argmin())]
        raise TooFewPatchesError(f"patches: {where} has none of class {missing}; cut more patches")


def _require_count(table: PatchTable, count: int) -> None:
    if count < len(table.classes):
        raise InputError(
            f"images: {count} are fewer than the {len(table.classes)} classes; ask for more"
        )


def _sort(patches: np.ndarray, variants: np.ndarray, sides: np.ndarray) -> Draw:
    order = np.lexsort((variants, patches))
    return Draw(patches[order], variants[order], sides[order])


def shuffle_labels(labels: np.ndarray, draw: Draw, seed: int) -> np.ndarray:
    """The labels (n,) of all patches, those of a draw's patches dealt anew at random.

    All copies of a patch keep one label. Of the patches of each class, equally many get each
    label, so that the labels tell nothing of the classes, not even by chance.
    """
    generator = np.random.default_rng([seed, 2])
    patches = np.unique(draw.patches)
    found = np.unique(labels[patches])
    dealt = labels.copy()
    for label in found:
        own = generator.permutation(patches[labels[patches] == label])
        dealt[own] = found[np.arange(len(own)) % len(found)]
    return dealt


def measure_leak(table: PatchTable, draw: Draw) -> Leak:
    """How many source patches, and how many test images, share their ground with another side."""
    trained, tested = draw.side(TRAIN)[0], draw.side(TEST)[0]
    crossing = sum(
        len(np.unique(draw.sides[draw.patches == patch])) > 1 for patch in np.unique(draw.patches)
    )
    train = np.unique(trained)
    return Leak(
        patches=len(np.unique(draw.patches)),
        crossing=int(crossing),
        tested=len(tested),
        tested_copies=int(np.isin(tested, train).sum()),
        tested_overlapping=int(_overlap(table, tested, train).any(axis=1).sum()),
    )


def _overlap(table: PatchTable, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Whether each of the `first` patches shares pixels with each of the `second`, (n, m)."""
    apart = np.maximum(
        np.abs(table.rows[first][:, None] - table.rows[second]),
        np.abs(table.columns[first][:, None] - table.columns[second]),
    )
    return apart < table.size_px
