"""One score of all maps of a scene, learned where there is a truth, else by a rule; its test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gossan.accuracy.blocks import Bootstrap
from gossan.targets.agreement import POTENTIAL_MAP, Answer
from gossan.targets.combined_accuracy import COMBINED, HeldOut, compare_maps
from gossan.targets.favourability import RANKS, Combination, by_ranks, potential_alone
from gossan.targets.favourable_ground import FAVOURABLE, UNKNOWN
from gossan.targets.learning import LEARNED, LEARNED_RULE, Learned, learn, why_not
from gossan.targets.voices import Sample, Voices

OWN = "own"
"""The order of a method's own evidence, as the rule has it."""


@dataclass(frozen=True, eq=False)
class Consensus:
    """How a scene's maps are combined, the models where it was learned, and notes on why not."""

    combination: Combination
    learned: Learned | None = None
    notes: tuple[str, ...] = ()


def combine(voices: Voices, sample: Sample, bootstrap: Bootstrap) -> Consensus:
    """Learn from the truth of the sample if it is enough; else the rule."""
    if [opinion.kind for opinion in voices.opinions] == [POTENTIAL_MAP]:
        return Consensus(potential_alone())
    known = _known(sample)
    ranks = by_ranks(voices.titles, sample.answers)
    if not (sample.ground != UNKNOWN).any():
        return Consensus(ranks)
    favourable = sample.ground == FAVOURABLE
    spatial = bootstrap.over(voices.grid.shape)
    block = spatial.number(sample.row, sample.column)
    if reason := why_not(block[known], favourable[known]):
        return Consensus(ranks, notes=(reason,))
    place = sample.row, sample.column
    learned = learn(sample.answers, *place, known, favourable, spatial)
    return Consensus(Combination(LEARNED, LEARNED_RULE, learned.score), learned)


def _known(sample: Sample) -> np.ndarray:
    """Pixels with a truth and an answer, (n,) bool."""
    answered = np.any([answer.answered for answer in sample.answers], axis=0)
    return answered & (sample.ground != UNKNOWN)


def assess(
    voices: Voices, sample: Sample, consensus: Consensus, bootstrap: Bootstrap
) -> tuple[list[dict], list[str]]:
    """The combined map beside each method alone where it was learned; and what is to be said.

    On pixels where every method has an answer, so that none is held against ground it did not see.
    """
    learned = consensus.learned
    if learned is None:
        return [], []
    titles = np.array(voices.titles)
    voted = [_any_of(sample.answers, titles == method) for method in voices.methods]
    known = np.all(voted, axis=0) & (sample.ground != UNKNOWN)
    favourable = sample.ground[known] == FAVOURABLE
    place = sample.row[known], sample.column[known]
    spatial = learned.spatial
    block = spatial.number(*place)
    if why_not(block, favourable):
        return [], ["Too little ground with a truth has an answer of every method to compare them."]
    answers = [Answer(*(field[known] for field in answer)) for answer in sample.answers]
    tested = HeldOut(block, learned.fold[spatial.cell(*place)], favourable)
    ranks = by_ranks(voices.titles, sample.answers)
    scores = {
        (COMBINED, LEARNED): learned.held_out(answers, *place),
        (f"{COMBINED} by the rule", RANKS): ranks.score(answers),
    }
    if len(voices.methods) == 1:
        scores.popitem()
    for method in voices.methods:
        mine = [number for number, title in enumerate(voices.titles) if title == method]
        own = [answers[number] for number in mine]
        whole = [sample.answers[number] for number in mine]
        alone = by_ranks([method] * len(mine), whole)
        scores[method, OWN] = alone.score(own)
        if len(voices.methods) > 1:
            everywhere = np.ones(len(block), bool)
            model = learn(own, *place, everywhere, favourable, spatial)
            scores[method, LEARNED] = model.held_out(own, *place)
    return compare_maps(scores, tested, bootstrap), []


def _any_of(answers: Sequence[Answer], mine: np.ndarray) -> np.ndarray:
    return np.any([own.answered for own, there in zip(answers, mine, strict=True) if there], axis=0)
