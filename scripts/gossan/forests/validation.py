"""How good a forest is on ground it has not seen: random, blocked and carried over, side by side.

Points that were drawn at random lie among each other: a forest that remembers its neighbours
looks better on them than it is elsewhere. So each plan is also tested on whole spatial blocks that
none of its training points lies in, and on the half of the ground that it has not learned. There
is no strip of unused ground between, and the windows of a feature may be wider than a block, so
ground far from all points can be worse still. The plan called `chosen` is, in each test anew, the
one with the best kappa in tests of the same kind within that test's training points; no tested
label takes part in the choice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gossan.accuracy.intervals import Kind, estimate
from gossan.accuracy.record import RULES as MAP_RULES
from gossan.accuracy.record import TruthSource, class_labels, make_record
from gossan.accuracy.scores import count_pixels, encode_classes, score_confusion, weigh_blocks
from gossan.forests.choice import INNER_POINTS, INNER_TREES, Answer, choose_plans, teach
from gossan.forests.exercises import (
    BLOCKED,
    CARRIED,
    PROTOCOLS,
    RANDOM,
    Deal,
    Options,
    plan_choices,
    plan_tests,
)
from gossan.forests.forest import Forest
from gossan.forests.ground import Ground
from gossan.forests.plans import Plan
from gossan.legend import MapClass

CHOSEN = "chosen"
SCORES = ("overall_accuracy", "kappa", "macro_f1")
RULES = {
    **{name: MAP_RULES[name] for name in ("macro_f1", "interval")},
    "split": (
        "random: the training points of the samples against their test points, which lie among "
        "them. blocked: the scene is cut into square blocks, the blocks are dealt into folds, and "
        "all points of a fold are tested by a forest of points of the other folds. carried: the "
        "points are cut in two along the longer side of their ground, and all points of one half "
        "are tested by a forest of points of the other. The gaps between them are the least that "
        "nearness to training points is worth: blocks and halves touch, so some tested points lie "
        "beside training points, and windows reach across borders."
    ),
    "chosen": (
        "In each test, the plan with the best mean kappa in tests within the training points of "
        "that test: for random three cross-validations over random folds, for blocked one over "
        "the blocks of the other folds, for carried from one half of the half to the other and "
        f"back; with {INNER_TREES} trees and {INNER_POINTS:,} points at most."
    ),
    "interval_training": "The intervals do not hold the uncertainty of training.",
}
"""How the numbers are to be read; written into each record."""


@dataclass(frozen=True, eq=False)
class Test:
    """One plan in one protocol: predictions, and the forests that made them.

    `places` are the tested points, `codes` what was predicted of them; `plans` the plan of each
    part, `forests` its forest, `taught` the points that it learned, `members` the part's places
    within `places`.
    """

    __test__ = False

    protocol: str
    name: str
    places: np.ndarray
    codes: np.ndarray
    plans: tuple[Plan, ...]
    forests: tuple[Forest, ...]
    taught: tuple[np.ndarray, ...]
    members: tuple[np.ndarray, ...]

    @property
    def trained(self) -> tuple[int, ...]:
        """How many points taught the forest of each part."""
        return tuple(len(places) for places in self.taught)


def run_tests(ground: Ground, plans: Sequence[Plan], options: Options) -> list[Test]:
    """Test each plan, and the chosen one, in all protocols.

    Raises InputError where there are no test points, or where the points of the other blocks
    cannot train a forest. Halves that cannot teach are not tested.
    """
    results = []
    for protocol in PROTOCOLS:
        parts = plan_tests(ground, protocol, options)
        if parts:
            chosen = _choose(ground, plans, protocol, parts, options)
            answers = teach(ground, plans, parts, options)
            candidates = {plan.name: [plan] * len(parts) for plan in plans} | {CHOSEN: chosen}
            results += [
                _put_together(protocol, name, used, parts, answers)
                for name, used in candidates.items()
            ]
    return results


def run_chosen(
    ground: Ground, plans: Sequence[Plan], protocol: str, options: Options
) -> Test | None:
    """As `run_tests`, but the chosen plan alone in one protocol; None for halves that cannot."""
    parts = plan_tests(ground, protocol, options)
    if not parts:
        return None
    chosen = _choose(ground, plans, protocol, parts, options)
    answers = {}
    for plan in dict.fromkeys(chosen):
        own = [part for part, used in zip(parts, chosen, strict=True) if used == plan]
        answers |= teach(ground, [plan], own, options)
    return _put_together(protocol, CHOSEN, chosen, parts, answers)


def _choose(
    ground: Ground, plans: Sequence[Plan], protocol: str, parts: Deal, options: Options
) -> list[Plan]:
    """The plan that the teaching points of each part choose."""
    if len(plans) == 1:
        return [plans[0]] * len(parts)
    choices = plan_choices(ground, protocol, parts, options)
    return [plan for plan, _ in choose_plans(ground, plans, choices, options)]


def _put_together(
    protocol: str,
    name: str,
    used: Sequence[Plan],
    parts: Deal,
    answers: Mapping[tuple[str, str], Answer],
) -> Test:
    own = [answers[plan.name, part.lesson] for plan, part in zip(used, parts, strict=True)]
    ends = np.cumsum([len(part.tested) for part in parts])
    return Test(
        protocol,
        name,
        np.concatenate([part.tested for part in parts]),
        np.concatenate([answer.codes[part] for answer, part in zip(own, parts, strict=True)]),
        tuple(used),
        tuple(answer.forest for answer in own),
        tuple(answer.taught for answer in own),
        tuple(np.split(np.arange(ends[-1]), ends[:-1])),
    )


def count_test(ground: Ground, test: Test, classes: Sequence[MapClass]) -> np.ndarray:
    """Confusion counts (blocks, K + 1, K + 1) of a test; index 0, other ground, stays empty."""
    codes = [item.code for item in classes]
    nothing = np.zeros(len(test.places), bool)
    truth, said = (
        encode_classes(values, codes, nothing)
        for values in (ground.samples.codes[test.places], test.codes)
    )
    return count_pixels(ground.blocks[test.places], truth, said, len(codes) + 1)


def forest_record(
    ground: Ground,
    test: Test,
    classes: Sequence[MapClass],
    options: Options,
    *,
    scene: str,
    truth: str,
    synthetic: bool,
    notes: Sequence[str] = (),
) -> dict:
    """The accuracy record of a test against the points of the file `truth`.

    `notes` are added to what is said of the points.
    """
    blocks = count_test(ground, test, classes)
    used = ", ".join(dict.fromkeys(plan.name for plan in test.plans))
    trained = f"{min(test.trained)} to {max(test.trained)} points trained each"
    how = {
        RANDOM: f"the samples' own split; {test.trained[0]} points trained",
        BLOCKED: (
            f"whole blocks of {options.bootstrap.spatial_block_px} pixels in "
            f"{len(test.members)} folds; {trained}"
        ),
        CARRIED: f"from one half of the ground to the other and back; {trained}",
    }[test.protocol]
    return make_record(
        blocks,
        class_labels(classes),
        scene=scene,
        method=f"Forest, {test.name}, {test.protocol} split",
        synthetic=synthetic,
        truth=TruthSource(
            truth,
            "points",
            "; ".join(("the pixel that holds each point is tested", *ground.samples.notes, *notes)),
        ),
        split=f"{test.protocol}: {how}" + (f"; plans: {used}" if test.name == CHOSEN else ""),
        bootstrap=options.bootstrap,
        rules=RULES,
    )


def compare_tests(
    ground: Ground, tests: Sequence[Test], classes: Sequence[MapClass], options: Options
) -> list[dict]:
    """One row per test: scores with intervals, and the gain over the protocol's first plan.

    The gain's interval redraws the same blocks for both (a paired bootstrap); "" where none
    can be stated (`intervals.interval`). `plans` are those of the folds.
    """
    rows = []
    for test in tests:
        first = next(item for item in tests if item.protocol == test.protocol)
        # Both tests have the same points, so the same blocks in the same order.
        counts = [count_test(ground, item, classes) for item in (test, first)]
        points = [score_confusion(part.sum(axis=0)) for part in counts]
        draws = [score_confusion(options.bootstrap.resample(part)) for part in counts]
        weights = weigh_blocks(counts[0])
        row: dict[str, object] = {
            "protocol": test.protocol,
            "plan": test.name,
            "plans": " ".join(plan.name for plan in test.plans),
            "n": int(counts[0].sum()),
            "n_blocks": len(counts[0]),
            "n_train": round(float(np.mean(test.trained)), 1),
        }
        fields = zip(SCORES, ("overall", "kappa", "macro_f1"), strict=True)
        for name, field in fields:
            own, base = (float(getattr(point, field)) for point in points)
            spread = getattr(draws[0], field)
            # The first plan has no gain over itself, so none that could be uncertain.
            gain = np.empty(0) if test is first else spread - getattr(draws[1], field)
            kind = Kind.AGREEMENT if field == "kappa" else Kind.SHARE
            for title, value, values, scale in (
                (name, own, spread, kind),
                (f"gain_{name}", own - base, gain, Kind.DIFFERENCE),
            ):
                told = estimate(value, values, getattr(weights, field), scale)
                for end, number in zip(("", "_low", "_high"), told.values(), strict=True):
                    row[f"{title}{end}"] = "" if number is None else number
        rows.append(row)
    return rows
