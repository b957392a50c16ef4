"""How labelled ground is cut into points that teach a forest and points that test it.

Three protocols: `random`, the samples' own split; `blocked`, whole spatial blocks dealt into folds;
`carried`, from one half of the ground to the other and back. Plans are chosen by exercises of the
same kind within the points that teach.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from gossan.accuracy.blocks import Bootstrap, require_least
from gossan.errors import InputError
from gossan.forests.ground import Ground

RANDOM, BLOCKED, CARRIED = "random", "blocked", "carried"
PROTOCOLS = (RANDOM, BLOCKED, CARRIED)
INNER_FOLDS = 4
INNER_DEALS = 3
"""A single deal of few points or blocks ranks plans by luck."""


@dataclass(frozen=True)
class Options:
    """How plans are tested: sides of blocks, folds, threads.

    `cut` says across what the halves lie: "rows" (upper and lower half), "columns" (left and
    right) or "longer", the one of the two that the points reach farther along.
    """

    bootstrap: Bootstrap
    folds: int
    threads: int
    cut: str = "longer"

    def __post_init__(self):
        """Raise InputError for numbers that cannot be used."""
        require_least("folds", self.folds, 2)

    @property
    def seed(self) -> int:
        """The seed of folds, draws and bootstrap."""
        return self.bootstrap.seed


@dataclass(frozen=True, eq=False)
class Part:
    """One exercise: places of points that may teach, and of points to test.

    `lesson` names the points that teach: exercises of one name share their forests.
    """

    lesson: str
    taught: np.ndarray
    tested: np.ndarray


Deal = Sequence[Part]
"""Parts that together test all points of some ground once."""


def deal_blocks(blocks: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The fold of each point, (n,): whole blocks, shuffled, then dealt in turn."""
    found, place = np.unique(blocks, return_inverse=True)
    return np.argsort(np.random.default_rng(seed).permutation(len(found)))[place] % folds


def deal_points(codes: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The fold of each point, (n,): the points of each class, shuffled, then dealt in turn."""
    order = np.lexsort((np.random.default_rng(seed).random(len(codes)), codes))
    fold = np.empty(len(codes), np.int64)
    fold[order] = np.arange(len(codes)) % folds
    return fold


def deal_halves(rows: np.ndarray, columns: np.ndarray, cut: str) -> np.ndarray:
    """The half of each point, (n,) of 0 and 1, as nearly of one size as rows or columns allow.

    `cut` as in `Options`. All points are in one half where they lie in a single row or column.
    """
    if cut == "longer":
        cut = "rows" if np.ptp(rows) >= np.ptp(columns) else "columns"
    along = rows if cut == "rows" else columns
    found, counts = np.unique(along, return_counts=True)
    if len(found) < 2:
        return np.zeros(len(along), np.int64)
    last = found[np.abs(2 * np.cumsum(counts)[:-1] - len(along)).argmin()]
    return (along > last).astype(np.int64)


def plan_tests(ground: Ground, protocol: str, options: Options) -> Deal:
    """The parts of a protocol; of `carried` none, where a half cannot teach.

    Raises InputError where there are no test points, or where the points of the other blocks
    cannot train a forest.
    """
    samples = ground.samples
    if protocol == RANDOM:
        train, tested = np.flatnonzero(~samples.is_test), np.flatnonzero(samples.is_test)
        if not len(tested):
            raise InputError(
                "samples: no point is there to test; add a column `split` (train or test) to the "
                "points, or name others under prospects.points.test"
            )
        return [Part("training points", _learnable(ground, train), tested)]
    everything = np.arange(len(samples.codes))
    if protocol == BLOCKED:
        fold = deal_blocks(ground.blocks, options.folds, options.seed)
        return _deal("fold", ground, everything, fold)
    half = deal_halves(samples.rows, samples.columns, options.cut)
    return _deal_if_learnable("half", ground, everything, half)


def plan_choices(
    ground: Ground, protocol: str, parts: Deal, options: Options
) -> list[Sequence[Deal]]:
    """For each part of a protocol, the deals by which its teaching points choose a plan.

    Of random folds of points for `random`. For `blocked` one over the blocks of the other folds:
    of each two folds one is tested by forests of all but these two, and the same forests serve
    the other's choice. For `carried` one from half to half of the half. No deal where there are
    too few blocks or where a half cannot teach.
    """
    if protocol == RANDOM:
        return [deal_for_points(ground, part.taught, options) for part in parts]
    if protocol == CARRIED:
        return [deal_for_halves(ground, part.taught, part.lesson) for part in parts]
    if len(parts) < 3:
        return [deal_for_blocks(ground, part.taught, options, part.lesson) for part in parts]
    pairs: list[list[Part]] = [[] for _ in parts]
    for first, second in combinations(range(len(parts)), 2):
        left_out = parts[second].tested
        rest = np.setdiff1d(parts[first].taught, left_out)
        try:
            taught = _learnable(ground, rest)
        except InputError:
            continue
        lesson = f"all but folds {first} and {second}"
        pairs[first].append(Part(lesson, taught, left_out))
        pairs[second].append(Part(lesson, taught, parts[first].tested))
    return [[deal] if deal else [] for deal in pairs]


def deal_for_points(ground: Ground, places: np.ndarray, options: Options) -> list[Deal]:
    """INNER_DEALS deals of points into INNER_FOLDS random folds, or fewer of few points."""
    codes, folds = ground.samples.codes[places], min(INNER_FOLDS, len(places) // 2)
    return [
        _deal(f"points {number}", ground, places, deal_points(codes, folds, options.seed + number))
        for number in range(1, 1 + INNER_DEALS)
        if folds > 1
    ]


def deal_for_blocks(
    ground: Ground, places: np.ndarray, options: Options, name: str = ""
) -> list[Deal]:
    """INNER_DEALS deals of blocks into INNER_FOLDS folds, or fewer of few blocks."""
    blocks = ground.blocks[places]
    folds = min(INNER_FOLDS, len(np.unique(blocks)))
    return [
        _deal(
            f"{name} blocks {number}",
            ground,
            places,
            deal_blocks(blocks, folds, options.seed + number),
        )
        for number in range(1, 1 + INNER_DEALS)
        if folds > 1
    ]


def deal_for_halves(ground: Ground, places: np.ndarray, name: str = "") -> list[Deal]:
    """The deal of points into the halves of their own ground; none where one cannot teach."""
    samples = ground.samples
    half = deal_halves(samples.rows[places], samples.columns[places], "longer")
    deal = _deal_if_learnable(f"{name} half", ground, places, half)
    return [deal] if deal else []


def _deal(name: str, ground: Ground, places: np.ndarray, fold: np.ndarray) -> list[Part]:
    """A part per fold: its points are tested, those of the other folds teach."""
    return [
        Part(f"{name} {number}", _learnable(ground, places[fold != number]), places[fold == number])
        for number in np.unique(fold)
    ]


def _deal_if_learnable(
    name: str, ground: Ground, places: np.ndarray, fold: np.ndarray
) -> list[Part]:
    """As `_deal`, but no part where one cannot be taught."""
    try:
        return _deal(name, ground, places, fold)
    except InputError:
        return []


def _learnable(ground: Ground, places: np.ndarray) -> np.ndarray:
    """The places without those of classes that have only one point among them."""
    codes = ground.samples.codes[places]
    found, counts = np.unique(codes, return_counts=True)
    if (counts >= 2).sum() < 2:
        raise InputError(
            "samples: the other folds hold fewer than two classes; use smaller blocks or more folds"
        )
    return places[np.isin(codes, found[counts >= 2])]
