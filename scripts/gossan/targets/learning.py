"""Favourability learned from a truth: weights of evidence, added up by a logistic regression.

Each map's answers fall into cells: its classes, each split where its evidence is low to high. What
a cell says is its weight of evidence, the logarithm of how much more often favourable ground lies
in it than other ground (Bonham-Carter 1994, Geographic Information Systems for Geoscientists,
chapter 9), drawn towards that of its class, and that towards nothing, the fewer pixels it has.
Between the middles of a class's cells it runs straight. Maps
of one ground tell the same things twice, so a logistic regression says how much of each map's
weight counts beside the others (Agterberg and Cheng 2002, Natural Resources Research 11, 249-255).
A map without an answer adds nothing.

The scene's spatial blocks are dealt into folds. The map is of a model that learned from all of
them; it is tested by models that learned from the other folds alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gossan.accuracy.blocks import MINIMUM_BLOCKS, SpatialBlocks
from gossan.targets.agreement import Answer
from gossan.zones.alteration_score import assign_folds

LEARNED = "learned"
LEARNED_RULE = (
    "Learned from the truth: weights of evidence of each map's classes and evidence, added up by a "
    "logistic regression. The score is the probability of favourable ground as the truth has it; "
    "it is tested by models that did not learn from the spatial blocks that test them."
)
FOLDS = 5
PARTS = 6
"""Cells that a class is split into, by its evidence."""
KNOTS = 96
"""Steps in which the spread of a class's evidence is kept."""
PSEUDO_PX = 50.0
"""Pixels that a cell must outweigh: as many of its class, or of all ground, are added to it."""
LEAST_PX = 50
"""Pixels of favourable and of other ground that must be known, at least."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Where one map's answers lie among its cells: by class, evidence and the share below it.

    `ranks` by code of a class: values of the evidence, rising, and the share of the class's
    pixels below each.
    """

    ranks: dict[int, tuple[np.ndarray, np.ndarray]]

    @classmethod
    def of(cls, sample: Answer) -> "Cells":
        """From answers of a sample of pixels, (n,) each, without regard to the truth."""
        shares = np.linspace(0, 1, KNOTS + 1)
        ranks = {}
        for code in np.unique(sample.codes[sample.answered]).tolist():
            evidence = sample.evidence[sample.answered & (sample.codes == code)]
            values, which = np.unique(
                np.quantile(evidence, shares, method="lower"), return_inverse=True
            )
            # Of equal evidence the middle of its shares.
            ranks[code] = values, np.bincount(which, shares) / np.bincount(which)
        return cls(ranks)

    def place(self, answer: Answer) -> np.ndarray:
        """The place of each pixel, float64 of the answer's shape; NaN without an answer.

        The number of its class, and the share of the class's evidence below its own; NaN also for
        a class that the sample did not have.
        """
        place = np.full(answer.codes.shape, np.nan)
        for number, (code, ranks) in enumerate(self.ranks.items()):
            here = answer.answered & (answer.codes == code)
            share = np.interp(answer.evidence[here], *ranks)
            place[here] = number + np.minimum(share, 1 - 1e-9)
        return place


def weights_of_evidence(place: np.ndarray, favourable: np.ndarray, classes: int) -> np.ndarray:
    """The weight of each cell of a map, (classes, PARTS) float64, from places of pixels (n,)."""
    answered = np.isfinite(place)
    cell = (place[answered] * PARTS).astype(np.int64)
    hit = favourable[answered]
    shape = classes, PARTS
    pixels = np.bincount(cell, minlength=classes * PARTS).reshape(shape).astype(float)
    hits = np.bincount(cell[hit], minlength=classes * PARTS).reshape(shape).astype(float)
    share = np.clip(hit.mean() if hit.size else 0.5, 1e-6, 1 - 1e-6)
    of_class, hits_of_class = (array.sum(axis=1, keepdims=True) for array in (pixels, hits))
    drawn = (hits_of_class + PSEUDO_PX * share) / (of_class + PSEUDO_PX)
    drawn = (hits + PSEUDO_PX * drawn) / (pixels + PSEUDO_PX)
    return np.log(drawn / (1 - drawn)) - np.log(share / (1 - share))


def weight_at(weights: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The weight at each place, of its shape: straight lines from cell to cell of a class.

    They run on to the ends of the class, so that its pixels keep the order of their evidence.
    0 without an answer.
    """
    known = np.isfinite(place)
    inside = np.where(known, place, 0)
    number = inside.astype(np.int64)
    within = (inside - number) * PARTS - 0.5
    low = np.clip(np.floor(within), 0, PARTS - 2).astype(np.int64)
    first, second = weights[number, low], weights[number, low + 1]
    return np.where(known, first + (within - low) * (second - first), 0)


@dataclass(frozen=True, eq=False)
class Model:
    """What to add up at a pixel: an intercept, and the weights of each map's cells."""

    intercept: float
    weights: tuple[np.ndarray, ...]

    def log_odds(self, places: Sequence[np.ndarray]) -> np.ndarray:
        """Log odds of favourable ground, float64 of the places' shape."""
        total = np.full(places[0].shape, self.intercept)
        for weights, place in zip(self.weights, places, strict=True):
            total += weight_at(weights, place)
        return total


def fit(places: Sequence[np.ndarray], classes: Sequence[int], favourable: np.ndarray) -> Model:
    """A model of the maps' places (n,) each, of so many classes, and the truth (n,) bool."""
    # scikit-learn is imported only where something is learned.
    from sklearn.linear_model import LogisticRegression

    weights = [
        weights_of_evidence(place, favourable, count)
        for place, count in zip(places, classes, strict=True)
    ]
    columns = np.stack([weight_at(*pair) for pair in zip(weights, places, strict=True)], axis=1)
    found = LogisticRegression(max_iter=1000).fit(columns, favourable)
    counted = tuple(table * factor for table, factor in zip(weights, found.coef_[0], strict=True))
    return Model(float(found.intercept_[0]), counted)


@dataclass(frozen=True, eq=False)
class Learned:
    """Models of a scene: one of all its truth, and of each fold one that did not see it.

    `fold` (block rows, block columns) as `assign_folds` deals them, -1 where nothing is known;
    `cells` of each map.
    """

    cells: tuple[Cells, ...]
    spatial: SpatialBlocks
    fold: np.ndarray
    final: Model
    folds: tuple[Model, ...]

    def score(self, answers: Sequence[Answer]) -> np.ndarray:
        """Probability of favourable ground, float32; NaN without an answer."""
        return _probability(self.final.log_odds(self._place(answers)), answers)

    def held_out(
        self, answers: Sequence[Answer], row: np.ndarray, column: np.ndarray
    ) -> np.ndarray:
        """The score by the model that did not learn from the spatial block of each pixel.

        `row` and `column` are those of the answers' pixels in the grid, of any one shape.
        """
        places = self._place(answers)
        fold = self.fold[self.spatial.cell(row, column)]
        total = self.final.log_odds(places)
        for number, model in enumerate(self.folds):
            here = fold == number
            total[here] = model.log_odds([place[here] for place in places])
        return _probability(total, answers)

    def _place(self, answers: Sequence[Answer]) -> list[np.ndarray]:
        return [own.place(answer) for own, answer in zip(self.cells, answers, strict=True)]


def _probability(log_odds: np.ndarray, answers: Sequence[Answer]) -> np.ndarray:
    answered = np.any([answer.answered for answer in answers], axis=0)
    return np.where(answered, 1 / (1 + np.exp(-log_odds)), np.nan).astype(np.float32)


def deal_blocks(
    spatial: SpatialBlocks, row: np.ndarray, column: np.ndarray, favourable: np.ndarray
) -> np.ndarray:
    """The fold of each spatial block, from the pixels whose truth is known, (n,) each."""
    tested = np.bincount(spatial.number(row, column), minlength=int(np.prod(spatial.counts)))
    zone = np.bincount(spatial.number(row[favourable], column[favourable]), minlength=len(tested))
    shape = spatial.counts
    return assign_folds(zone.reshape(shape), tested.reshape(shape), FOLDS)


def why_not(block: np.ndarray, favourable: np.ndarray) -> str:
    """Why nothing can be learned from pixels of these spatial blocks, (n,) each; "" if it can."""
    for side, name in ((True, "favourable"), (False, "other")):
        pixels = int((favourable == side).sum())
        blocks = len(np.unique(block[favourable == side]))
        if pixels < LEAST_PX or blocks < MINIMUM_BLOCKS:
            return (
                f"The truth has {pixels} pixels of {name} ground in {blocks} spatial blocks, too "
                f"few to learn from ({LEAST_PX} in {MINIMUM_BLOCKS})."
            )
    return ""


def learn(
    answers: Sequence[Answer],
    row: np.ndarray,
    column: np.ndarray,
    known: np.ndarray,
    favourable: np.ndarray,
    spatial: SpatialBlocks,
) -> Learned:
    """Learn from a sample of pixels, (n,) each, of which the `known` have a truth."""
    cells = tuple(Cells.of(answer) for answer in answers)
    answered = known & np.any([answer.answered for answer in answers], axis=0)
    row, column, truth = row[answered], column[answered], favourable[answered]
    placed = [
        own.place(Answer(*(field[answered] for field in answer)))
        for own, answer in zip(cells, answers, strict=True)
    ]
    classes = [len(own.ranks) for own in cells]
    fold = deal_blocks(spatial, row, column, truth)
    mine = fold[spatial.cell(row, column)]

    def without(number: int) -> Model:
        others = mine != number
        return fit([place[others] for place in placed], classes, truth[others])

    return Learned(
        cells,
        spatial,
        fold,
        fit(placed, classes, truth),
        tuple(without(number) for number in range(FOLDS)),
    )
