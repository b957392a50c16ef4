"""Forests of plans, grown several at a time, and the choice of the best plan.

A choice grows many forests. So it grows small ones, each in one thread and several at once: it is
the order of the plans that counts, and the chosen one is then grown in full.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from gossan.accuracy.scores import count_pixels, score_confusion
from gossan.forests.exercises import (
    CARRIED,
    Deal,
    Options,
    Part,
    deal_for_blocks,
    deal_for_halves,
)
from gossan.forests.forest import (
    BOOSTED,
    Forest,
    flatten_forest,
    grow_forest,
    predict_probabilities,
)
from gossan.forests.ground import Ground
from gossan.forests.plans import Plan
from gossan.forests.samples import teaching_places

INNER_TREES = 50
INNER_POINTS = 3000
"""Most trees and points of a forest that only ranks plans."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What a forest says of the points of some parts, the forest, and what it learned."""

    codes: dict[Part, np.ndarray]
    forest: Forest
    taught: np.ndarray


def teach(
    ground: Ground,
    plans: Iterable[Plan],
    parts: Iterable[Part],
    options: Options,
    *,
    ranking: bool = False,
) -> dict[tuple[str, str], Answer]:
    """Train each plan on each lesson once, and ask it about all parts of that lesson.

    A lesson is as many points as the training part of the samples has, at the shares of classes
    that the plan asks for (`teaching_places`). For a `ranking` of plans, forests are smaller.
    Answers are by the plan's name and the lesson's. One thread a forest, and several forests at
    once: the same answers for any number of threads.
    """
    asked: dict[tuple[str, str], tuple[Plan, list[Part]]] = {}
    parts = list(parts)
    for plan in plans:
        for part in parts:
            asked.setdefault((plan.name, part.lesson), (plan, []))[1].append(part)
    most = int((~ground.samples.is_test).sum())
    if ranking:
        most = min(most, INNER_POINTS)

    def answer(task: tuple[Plan, list[Part]]) -> Answer:
        plan, members = task
        taught = teaching_places(
            ground.samples.codes, members[0].taught, plan.shares, most, options.seed
        )
        settings = _smaller(plan) if ranking else plan
        features = ground.features[plan.name]
        forest = grow_plan(ground, settings, taught)
        codes = {part: classify(forest, features[part.tested]) for part in members}
        return Answer(codes, forest, taught)

    with ThreadPoolExecutor(max(1, options.threads)) as pool:
        return dict(zip(asked, pool.map(answer, asked.values()), strict=True))


def _smaller(plan: Plan) -> Plan:
    """A plan with INNER_TREES trees at most; boosted ones learn as much more each."""
    settings = plan.settings
    fewer = min(settings.estimators, INNER_TREES)
    rate = min(1.0, settings.learning_rate * settings.estimators / fewer)
    if settings.trees != BOOSTED:
        rate = settings.learning_rate
    return replace(plan, settings=replace(settings, estimators=fewer, learning_rate=rate))


def grow_plan(ground: Ground, plan: Plan, taught: np.ndarray) -> Forest:
    """The forest of a plan that the points at the places `taught` teach."""
    model = grow_forest(
        ground.features[plan.name][taught],
        ground.samples.codes[taught],
        plan.settings,
        weights=plan.weights,
    )
    names = [str(code) for code in model.classes_]
    return flatten_forest(model, names, ground.names[plan.name])


def classify(forest: Forest, features: np.ndarray) -> np.ndarray:
    """The most probable class code, (n,), of features (n, features)."""
    return np.array(forest.codes)[predict_probabilities(forest, features.T).argmax(axis=1)]


def choose_plans(
    ground: Ground, plans: Sequence[Plan], choices: Sequence[Sequence[Deal]], options: Options
) -> list[tuple[Plan, dict[str, float]]]:
    """The best plan of each choice, and the mean kappas of all plans in its deals.

    Kappa, because macro-F1 hangs on the rarest class, which few blocks hold. The first of equals
    wins; a single plan, or a choice without a deal, leaves nothing to choose, and the first plan
    wins.
    """
    if len(plans) == 1:
        return [(plans[0], {}) for _ in choices]
    parts = [part for deals in choices for deal in deals for part in deal]
    answers = teach(ground, plans, parts, options, ranking=True)
    results = []
    for deals in choices:
        scores = {
            plan.name: float(np.mean([_kappa_of(ground, plan, deal, answers) for deal in deals]))
            for plan in plans
            if deals
        }
        best = max(plans, key=lambda plan: scores.get(plan.name, 0.0))
        results.append((best, scores))
    return results


def _kappa_of(
    ground: Ground, plan: Plan, deal: Deal, answers: Mapping[tuple[str, str], Answer]
) -> float:
    tested = np.concatenate([part.tested for part in deal])
    said = np.concatenate([answers[plan.name, part.lesson].codes[part] for part in deal])
    truth = ground.samples.codes[tested]
    found = np.unique(np.concatenate([truth, said]))
    counts = count_pixels(
        np.zeros(len(truth), np.int64),
        np.searchsorted(found, truth),
        np.searchsorted(found, said),
        len(found),
    )
    return float(np.nan_to_num(score_confusion(counts[0]).kappa))


def choose_for_map(
    ground: Ground, plans: Sequence[Plan], chooser: str, options: Options
) -> tuple[Plan, dict[str, float]]:
    """The plan for the map, chosen within the training points, and the kappas of all plans.

    `chooser` is "blocked", over spatial blocks, for a map of the ground that the points are from,
    or "carried", from one half of it to the other, for a forest that maps other ground.
    """
    train = np.flatnonzero(~ground.samples.is_test)
    deals = (
        deal_for_halves(ground, train)
        if chooser == CARRIED
        else deal_for_blocks(ground, train, options)
    )
    return choose_plans(ground, plans, [deals], options)[0]
