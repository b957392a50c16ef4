"""Favourability learned from a truth: weights of evidence, added up by a logistic regression.

Each map's answers fall into cells: its classes, each split where its evidence is low to high. What
a cell says is its weight of evidence, the logarithm of how much more often favourable ground lies
in it than other ground (Bonham-Carter 1994, Geographic Information Systems for Geoscientists,
chapter 9), drawn towards that of its class, and that towards nothing, the fewer pixels it has. Maps
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
PSEUDO_PX = 50.0
"""Pixels that a cell must outweigh: as many of its class, or of all ground, are added to it."""
LEAST_PX = 50
"""Pixels of favourable and of other ground that must be known, at least."""


@dataclass(frozen=True, eq=False)
class Cells:
    """How one map's answers fall into cells: `edges` (PARTS - 1,) of the evidence, by class."""

    edges: dict[int, np.ndarray]

    @classmethod
    def of(cls, sample: Answer) -> "Cells":
        """From answers of a sample of pixels, (n,) each, without regard to the truth."""
        shares = np.arange(1, PARTS) / PARTS
        edges = {}
        for code in np.unique(sample.codes[sample.answered]).tolist():
            values = sample.evidence[sample.answered & (sample.codes == code)]
            edges[code] = np.quantile(values, shares, method="lower")
        return cls(edges)

    @property
    def count(self) -> int:
        """How many cells there are, the first of them for no answer or an unknown class."""
        return 1 + PARTS * len(self.edges)

    def place(self, answer: Answer) -> np.ndarray:
        """The cell of each pixel, of the answer's shape; 0 without an answer."""
        place = np.zeros(answer.codes.shape, np.int32)
        for number, (code, edges) in enumerate(self.edges.items()):
            here = answer.answered & (answer.codes == code)
            part = np.searchsorted(edges, answer.evidence[here], "left")
            place[here] = 1 + PARTS * number + part
        return place


def weights_of_evidence(cell: np.ndarray, favourable: np.ndarray, count: int) -> np.ndarray:
    """The weight of each cell of a map, (count,) float64, from pixels (n,); 0 of the first."""
    pixels = np.bincount(cell, minlength=count).astype(float)
    hits = np.bincount(cell[favourable], minlength=count).astype(float)
    answered = cell > 0
    share = favourable[answered].mean() if answered.any() else 0.5
    share = np.clip(share, 1e-6, 1 - 1e-6)
    grouped = [array[1:].reshape(-1, PARTS) for array in (pixels, hits)]
    of_class, hits_of_class = (array.sum(axis=1, keepdims=True) for array in grouped)
    drawn = (hits_of_class + PSEUDO_PX * share) / (of_class + PSEUDO_PX)
    drawn = (grouped[1] + PSEUDO_PX * drawn) / (grouped[0] + PSEUDO_PX)
    weights = np.log(drawn / (1 - drawn)) - np.log(share / (1 - share))
    return np.concatenate([[0.0], weights.ravel()])


@dataclass(frozen=True, eq=False)
class Model:
    """What to add up at a pixel: an intercept, and of each map what its cells add."""

    intercept: float
    tables: tuple[np.ndarray, ...]

    def log_odds(self, cells: Sequence[np.ndarray]) -> np.ndarray:
        """Log odds of favourable ground, float64 of the cells' shape."""
        total = np.full(cells[0].shape, self.intercept)
        for table, cell in zip(self.tables, cells, strict=True):
            total += table[cell]
        return total


def fit(cells: Sequence[np.ndarray], counts: Sequence[int], favourable: np.ndarray) -> Model:
    """A model of maps' cells (n,) each, of which there are so many, and the truth (n,) bool."""
    # scikit-learn is imported only where something is learned.
    from sklearn.linear_model import LogisticRegression

    weights = [
        weights_of_evidence(cell, favourable, count)
        for cell, count in zip(cells, counts, strict=True)
    ]
    columns = np.stack([table[cell] for table, cell in zip(weights, cells, strict=True)], axis=1)
    found = LogisticRegression(max_iter=1000).fit(columns, favourable)
    tables = tuple(table * factor for table, factor in zip(weights, found.coef_[0], strict=True))
    return Model(float(found.intercept_[0]), tables)


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
        cells = self._place(answers)
        fold = self.fold[self.spatial.cell(row, column)]
        total = self.final.log_odds(cells)
        for number, model in enumerate(self.folds):
            here = fold == number
            total[here] = model.log_odds([cell[here] for cell in cells])
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
    counts = [own.count for own in cells]
    fold = deal_blocks(spatial, row, column, truth)
    mine = fold[spatial.cell(row, column)]

    def without(number: int) -> Model:
        others = mine != number
        return fit([cell[others] for cell in placed], counts, truth[others])

    return Learned(
        cells,
        spatial,
        fold,
        fit(placed, counts, truth),
        tuple(without(number) for number in range(FOLDS)),
    )
