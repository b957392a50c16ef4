"""Favourability: the answers of all methods on one scale, and how far they agree.

Where there is a truth, the scale is learned from it (`learning`); else it is a rule. What a map
calls favourable lies in the upper third of 0 to 1, the rest of its answers in the lower third, each
in the order of the map's own evidence: the rank among the map's pixels of that side. A method of
several maps speaks by the one that is the most in favour. The score of a pixel is the mean over the
methods that have an answer there, so that ground which few methods saw is not held against it. It
says how many agree, and how surely within their own maps, not how likely ore is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from gossan.prospects.potential import LOW
from gossan.prospects.potential import NONE as NO_POTENTIAL
from gossan.sampling import pixel_priorities
from gossan.targets.agreement import Answer

SAMPLE = 200_000
"""Pixels at most, evenly spread, that tell how a map's evidence is spread over the scene."""
THIRD = np.float32(1 / 3)
RANKS, ALONE = "ranks", "own"
RANKS_RULE = (
    "Rule: each map's answers lie from 0 to 1/3 where it is not in favour and from 2/3 to 1 where "
    "it is, by the rank of its own evidence among the map's answers of that side; a method of "
    "several maps speaks by the highest; the score is the mean over the methods with an answer."
)
ALONE_RULE = "The potential stands alone: its own score and its own limits, as they are."
SUPPORT = ("methods in favour", "methods with an answer", "disagreement")


def chosen_pixels(
    shape: tuple[int, int], row: int, column: int, most: float, seed: int
) -> np.ndarray:
    """Which pixels of a window, whose first is at `row`, `column`, are in the scene's sample.

    (rows, columns) bool; `most` is the share of all pixels that are drawn, whatever the blocks.
    """
    if most >= 1:
        return np.ones(shape, bool)
    rows, columns = np.mgrid[row : row + shape[0], column : column + shape[1]]
    return pixel_priorities(rows, columns, seed) < np.uint64(most * 2.0**64)


@dataclass(frozen=True, eq=False)
class RankScale:
    """How the evidence of one map is spread: sorted values where it says no, and where yes."""

    against: np.ndarray
    favour: np.ndarray

    @classmethod
    def of(cls, favourable: np.ndarray, evidence: np.ndarray) -> Self:
        """From answers of a sample of pixels, (n,) each; NaN where there is none."""
        known = np.isfinite(evidence)
        parts = (evidence[known & (favourable == side)] for side in (False, True))
        return cls(*(np.sort(part) for part in parts))

    def __call__(self, answer: Answer) -> np.ndarray:
        """The answer from 0 to 1, float32, NaN without one."""
        value = np.full(answer.evidence.shape, np.nan, np.float32)
        sides = ((self.against, ~answer.favourable, 0), (self.favour, answer.favourable, 2))
        for ordered, side, thirds in sides:
            here = side & answer.answered
            value[here] = (thirds + _rank(ordered, answer.evidence[here])) * THIRD
        return np.minimum(value, 1, out=value)


def _rank(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Share of the `ordered` below each value, equals counted by half; a half of nothing."""
    if not len(ordered):
        return np.full(len(values), 0.5, np.float32)
    ends = [np.searchsorted(ordered, values, side) for side in ("left", "right")]
    return ((ends[0] + ends[1]) / (2 * len(ordered))).astype(np.float32)


def of_methods(titles: Sequence[str], values: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """The highest of each method's maps, by title in the order of the first; NaN without any."""
    found: dict[str, np.ndarray] = {}
    for title, value in zip(titles, values, strict=True):
        found[title] = np.fmax(found[title], value) if title in found else value
    return found


def mean_score(values: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of what methods say, float32, over those with an answer; NaN without any."""
    total = np.zeros(values[0].shape, np.float64)
    answers = np.zeros(total.shape, np.int32)
    for value in values:
        known = np.isfinite(value)
        total += np.where(known, value, 0)
        answers += known
    return np.where(answers > 0, total / np.maximum(answers, 1), np.nan).astype(np.float32)


def count_votes(votes: Sequence[np.ndarray]) -> np.ndarray:
    """How many methods are in favour, have an answer, and how far they disagree, (3, ...) float32.

    `votes` of each method: 1 in favour, 0 not, NaN no answer. Disagreement is 0 where all are of
    one mind and 1 where half are of each. NaN where none has an answer.
    """
    answers = np.sum([np.isfinite(vote) for vote in votes], axis=0)
    favour = np.sum([vote == 1 for vote in votes], axis=0)
    share = favour / np.maximum(answers, 1)
    told = np.stack([favour, answers, 1 - np.abs(2 * share - 1)]).astype(np.float32)
    return np.where(answers > 0, told, np.nan)


def votes_of(titles: Sequence[str], answers: Sequence[Answer]) -> dict[str, np.ndarray]:
    """The vote of each method: 1 where one of its maps is in favour, 0, or NaN without answer."""
    votes = [np.where(item.answered, item.favourable, np.nan) for item in answers]
    return of_methods(titles, [vote.astype(np.float32) for vote in votes])


@dataclass(frozen=True, eq=False)
class Combination:
    """How answers of maps become one score: a name, a rule in words, and what does it.

    `score` takes the answers at pixels. `levels`, of a map of potential
    that stands alone, turns its codes into those of POTENTIAL.
    """

    name: str
    rule: str
    score: Callable[[Sequence[Answer]], np.ndarray]
    levels: Callable[[np.ndarray], np.ndarray] | None = None


def by_ranks(titles: Sequence[str], sample: Sequence[Answer]) -> Combination:
    """The rule for the maps of these methods, from their answers on a sample of pixels, (n,)."""
    scales = [RankScale.of(item.favourable, item.evidence) for item in sample]

    def score(answers: Sequence[Answer]) -> np.ndarray:
        values = [scale(answer) for scale, answer in zip(scales, answers, strict=True)]
        return mean_score(list(of_methods(titles, values).values()))

    return Combination(RANKS, RANKS_RULE, score)


def potential_alone() -> Combination:
    """The one for a map of potential that has no other beside it."""
    return Combination(ALONE, ALONE_RULE, lambda answers: answers[0].evidence, _own_levels)


def _own_levels(codes: np.ndarray) -> np.ndarray:
    """Codes of a map of potential, uint8, of which one may have a class for no potential."""
    return np.where(codes == NO_POTENTIAL, LOW, codes)
