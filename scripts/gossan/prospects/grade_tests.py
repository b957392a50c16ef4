"""Two forests of iron grades at the same held-out points: of graded strata, and of graded pixels.

One forest learns sample points whose cells were graded (strata_grades), the other pixels of the map
of grades by spectral angle. Neither knows what stands at a held-out point: whether it is ore, and,
of a simulated ground, its grade. So both are asked for that, in the samples' own split and in
spatial blocks, which leave out the points and the pixels of the tested blocks alike.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gossan.accuracy.blocks import Bootstrap
from gossan.accuracy.intervals import INTERVAL_RULE, Kind, estimate
from gossan.accuracy.record import TruthSource, class_labels, make_record
from gossan.accuracy.scores import count_pixels, score_confusion, weigh_blocks
from gossan.forests.choice import grow_plan
from gossan.forests.exercises import deal_blocks
from gossan.forests.forest import predict_probabilities
from gossan.forests.ground import Ground
from gossan.forests.plans import Plan
from gossan.legend import MapClass
from gossan.prospects.iron_labels import NEGATIVE
from gossan.prospects.potential import (
    HIGH,
    MEDIUM,
    NONE,
    classify_potential,
    grade_weight,
    potential_of_class,
    score_potential,
)
from gossan.prospects.strata import ORE
from gossan.prospects.strata_grades import CellGrading, Points

RANDOM, BLOCKED = "random", "blocked"
STRATA, PIXELS = "strata", "pixels"
"""The two forests: of graded strata, of graded pixels."""
FORESTS = (STRATA, PIXELS)
ORE_LABELS, GRADE_LABELS = "ore", "grades"
SCORE_COLUMNS = (
    *("labels", "protocol", "measure", "n", "n_blocks"),
    *(f"{name}{end}" for name in (*FORESTS, "difference") for end in ("", "_low", "_high")),
)


@dataclass(frozen=True)
class Lesson:
    """One exercise: which points teach and which are tested, and which pixels teach."""

    points: np.ndarray
    tested: np.ndarray
    pixels: np.ndarray


def deal_lessons(points: Ground, pixels: Ground, folds: int, seed: int) -> dict[str, list[Lesson]]:
    """The exercises of each protocol: one of the samples' own split, one a fold of blocks.

    No pixel teaches that holds a tested point, or that lies in a tested block.
    """
    width = 1 + max(points.samples.columns.max(), pixels.samples.columns.max())
    own, drawn = (g.samples.rows * width + g.samples.columns for g in (points, pixels))
    tested = points.samples.is_test
    random = Lesson(
        np.flatnonzero(~tested),
        np.flatnonzero(tested),
        np.flatnonzero(~np.isin(drawn, own[tested])),
    )
    blocks = np.concatenate([points.blocks, pixels.blocks])
    fold = deal_blocks(blocks, folds, seed)
    first, second = fold[: len(own)], fold[len(own) :]
    blocked = [
        Lesson(
            np.flatnonzero(first != number),
            np.flatnonzero(first == number),
            np.flatnonzero(second != number),
        )
        for number in np.unique(first)
    ]
    return {RANDOM: [random], BLOCKED: blocked}


@dataclass(frozen=True)
class Said:
    """What each forest says of the tested points: class names (n,) and potential (n,) by forest.

    `places` are the tested points; `labels` the grades that their cells have by the points that
    taught.
    """

    places: np.ndarray
    labels: np.ndarray
    names: Mapping[str, np.ndarray]
    potential: Mapping[str, np.ndarray]
    taught: tuple[int, int]


def ask_forests(
    points: Ground,
    pixels: Ground,
    plans: Mapping[str, Plan],
    lessons: Sequence[Lesson],
    table: Points,
    grade: Callable[[Points], CellGrading],
    codes: Mapping[str, int],
    limits: tuple[float, float],
    hosting: np.ndarray,
    weighed: bool,
) -> Said:
    """Teach both forests each lesson and ask them about its tested points.

    `points` and `pixels` have the features of the plans of FORESTS; `table` are the points' cells
    and `grade` makes a grading of those that teach; `codes` are the codes of the classes; `limits`
    the least scores of medium and high potential of the forest of pixels, that of strata goes by
    the class; ground that is not `hosting` (n,) has no potential.
    """
    places, labels, taught = [], [], []
    names = {forest: [] for forest in FORESTS}
    potential = {forest: [] for forest in FORESTS}
    name_of = {code: name for name, code in codes.items()}
    for lesson in lessons:
        grading = grade(table.select(lesson.points))
        graded = grading.label(table)
        plan, own = prepare_lesson(
            plans[STRATA], points, lesson.points, graded, table, grading, codes, weighed
        )
        lessons_of = {
            STRATA: (own, plan, lesson.points),
            PIXELS: (pixels, plans[PIXELS], lesson.pixels),
        }
        places.append(lesson.tested)
        labels.append(graded[lesson.tested])
        taught.append((len(lesson.points), len(lesson.pixels)))
        inside = hosting[lesson.tested]
        for forest in FORESTS:
            features = points.features[plans[forest].name][lesson.tested]
            known, shares = _ask_forest(*lessons_of[forest], features, codes[NEGATIVE])
            classes = [name_of[code] for code in known]
            said = np.array(classes, object)[shares.argmax(axis=1)]
            if forest == STRATA:
                levels = np.array([potential_of_class(name) for name in said], np.uint8)
                levels[~inside] = NONE
            else:
                weights = np.array([grade_weight(name) for name in classes])
                score = score_potential(
                    np.ascontiguousarray(shares.T)[:, np.newaxis], weights, inside[np.newaxis]
                )
                levels = classify_potential(score[0], *limits)
            names[forest].append(np.where(inside, said, NEGATIVE))
            potential[forest].append(levels)
    joined = (np.concatenate(part) for part in (places, labels))
    return Said(
        *joined,
        {forest: np.concatenate(part) for forest, part in names.items()},
        {forest: np.concatenate(part) for forest, part in potential.items()},
        tuple(int(np.mean(part)) for part in zip(*taught, strict=True)),
    )


def _ask_forest(
    ground: Ground, plan: Plan, taught: np.ndarray, features: np.ndarray, negative: int
) -> tuple[list[int], np.ndarray]:
    """Class codes that a forest knows, and their probabilities (n, classes) for features (n, …).

    Where the points that teach are of a single class there is no forest, and all is of that class;
    where there are none, `negative`.
    """
    places = teachable(ground, taught)
    found = np.unique(ground.samples.codes[places])
    if len(found) < 2:
        return [int(found[0]) if len(found) else negative], np.ones((len(features), 1))
    forest = grow_plan(ground, plan, places)
    return list(forest.codes), predict_probabilities(forest, features.T)


def prepare_lesson(
    plan: Plan,
    points: Ground,
    taught: np.ndarray,
    graded: np.ndarray,
    table: Points,
    grading: CellGrading,
    codes: Mapping[str, int],
    weighed: bool,
) -> tuple[Plan, Ground]:
    """The plan with the weights of the grades, and the points with the codes of their grades."""
    if weighed:
        weights = grading.weights(table.select(taught), graded[taught])
        plan = replace(plan, weights=tuple((codes[name], own) for name, own in weights.items()))
    return plan, points.label(np.array([codes[name] for name in graded], np.int64))


def teachable(ground: Ground, places: np.ndarray) -> np.ndarray:
    """The places without those of classes that have only one point among them."""
    found, counts = np.unique(ground.samples.codes[places], return_counts=True)
    return places[np.isin(ground.samples.codes[places], found[counts > 1])]


MEASURES = {"overall_accuracy": "overall", "kappa": "kappa", "macro_f1": "macro_f1"}


def compare_said(
    labels: str,
    protocol: str,
    blocks: np.ndarray,
    truth: np.ndarray,
    said: Mapping[str, np.ndarray],
    names: Sequence[str],
    bootstrap: Bootstrap,
) -> list[dict[str, object]]:
    """Scores of both forests on the same points and their differences (SCORE_COLUMNS), with 95 %
    intervals of which those of the differences redraw the same blocks for both.

    `blocks`, `truth` and what each forest `said` are (n,), places in `names`. Of two classes the
    scores of the second follow: precision, recall and F1.
    """
    counts = [count_pixels(blocks, truth, said[forest], len(names)) for forest in FORESTS]
    points = [score_confusion(part.sum(axis=0)) for part in counts]
    draws = [score_confusion(bootstrap.resample(part)) for part in counts]
    weights = [weigh_blocks(part) for part in counts]
    measures = [(name, field, ()) for name, field in MEASURES.items()]
    if len(names) == 2:
        measures += [
            (f"{field}_{names[1]}", field, (1,)) for field in ("precision", "recall", "f1")
        ]
    rows = []
    for title, field, place in measures:
        values = [float(getattr(part, field)[place]) for part in points]
        spread = [getattr(part, field)[(slice(None), *place)] for part in draws]
        own = [getattr(part, field)[(slice(None), *place)] for part in weights]
        kind = Kind.AGREEMENT if field == "kappa" else Kind.SHARE
        told = [
            *(estimate(*part, kind) for part in zip(values, spread, own, strict=True)),
            estimate(
                values[0] - values[1], spread[0] - spread[1], np.minimum(*own), Kind.DIFFERENCE
            ),
        ]
        row = {
            "labels": labels,
            "protocol": protocol,
            "measure": title,
            "n": len(truth),
            "n_blocks": len(np.unique(blocks)),
        }
        for name, value in zip((*FORESTS, "difference"), told, strict=True):
            row |= {f"{name}{end}": value[key] for end, key in ENDS.items()}
        rows.append(row)
    return rows


ENDS = {"": "value", "_low": "low", "_high": "high"}


RULES = {
    "labels": (
        "ore: whether a held-out point is ore, against whether the forest gives it medium or high "
        "potential. cells: the grade that the cell of a held-out point has by the points that "
        "taught; what the forest of strata learned. grades: the true grade of the simulated ground "
        "at the point, which neither forest learned."
    ),
    "split": (
        "random: the samples' own split; no pixel of a tested point teaches. blocked: whole "
        "spatial blocks dealt into folds; no point and no pixel of a tested block teaches. The map "
        "of grades that the forest of pixels learns rests on references and thresholds of all "
        "training points of the own split."
    ),
    "macro_f1": "The plain mean of F1 over the classes present among the tested points.",
    "interval": INTERVAL_RULE,
}
"""How the numbers of the records are to be read; written into them."""
TITLES = {STRATA: "Forest of graded strata", PIXELS: "Forest of graded pixels"}


def record_said(
    protocol: str,
    said: Said,
    points: Ground,
    table: Points,
    classes: Sequence[MapClass],
    truth: np.ndarray | None,
    bootstrap: Bootstrap,
    *,
    scene: str,
    file: str,
    synthetic: bool,
) -> tuple[dict[str, dict], list[dict[str, object]]]:
    """Accuracy records by name, and rows of SCORE_COLUMNS, of what the forests said of points.

    `truth` (n,) are the codes of the true grades at all points, None where they are not known.
    """
    blocks = points.blocks[said.places]
    ore = is_ore(table)[said.places]
    known = {item.name: place for place, item in enumerate(classes, start=1)}

    def places_of(names: np.ndarray) -> np.ndarray:
        return np.array([known[name] for name in names], np.int64)

    ore_labels = [
        {"code": 0, "name": "other", "label": "Other ground"},
        {"code": 1, "name": ORE, "label": "Iron ore"},
    ]
    called = {forest: called_ore(said.potential[forest]) for forest in FORESTS}
    graded = {forest: places_of(said.names[forest]) for forest in FORESTS}
    tests = {
        f"{ORE_LABELS}-{forest}": (forest, ore, called[forest], ore_labels) for forest in FORESTS
    }
    all_labels = class_labels(classes)
    tests["cells-strata"] = (STRATA, places_of(said.labels), graded[STRATA], all_labels)
    rows = compare_said(ORE_LABELS, protocol, blocks, ore, called, ("other", ORE), bootstrap)
    if truth is not None:
        codes = {item.code: place for place, item in enumerate(classes, start=1)}
        true = np.array([codes.get(int(code), 0) for code in truth[said.places]], np.int64)
        there = true > 0
        own = {forest: values[there] for forest, values in graded.items()}
        for forest in FORESTS:
            tests[f"{GRADE_LABELS}-{forest}"] = (forest, true, graded[forest], all_labels)
        names = ["other", *known]
        rows += compare_said(
            GRADE_LABELS, protocol, blocks[there], true[there], own, names, bootstrap
        )
    records = {
        name: make_record(
            count_pixels(blocks, correct, answer, len(labels)),
            labels,
            scene=scene,
            method=f"{TITLES[forest]}, {name.partition('-')[0]}, {protocol} split",
            synthetic=synthetic,
            truth=TruthSource(file, "points", "the pixel that holds each point is tested"),
            split=f"{protocol}: {said.taught[0]} points taught the forest of strata, "
            f"{said.taught[1]} pixels that of pixels",
            bootstrap=bootstrap,
            rules=RULES,
        )
        for name, (forest, correct, answer, labels) in tests.items()
    }
    return records, rows


def is_ore(points: Points) -> np.ndarray:
    """1 for points on ore, else 0, (n,)."""
    return (points.samples.cover == ORE).astype(np.int64)


def called_ore(potential: np.ndarray) -> np.ndarray:
    """1 where the potential is medium or high, else 0."""
    return np.isin(potential, (MEDIUM, HIGH)).astype(np.int64)
