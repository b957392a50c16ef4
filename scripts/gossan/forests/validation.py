"""How good a forest is on ground it has not seen: random and spatially blocked, side by side.

Points that were drawn at random lie among each other: a forest that remembers its neighbours
looks better on them than it is elsewhere. So each plan is also tested on whole spatial blocks that
none of its training points lies in. There is no strip of unused ground around the blocks, and the
windows of a feature may be wider than a block, so ground far from all points can be worse still.
The plan called `chosen` is, in each test anew, the one with the best kappa in cross-validations
within that test's training points; no tested label takes part in the choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gossan.accuracy.blocks import Bootstrap, estimate, require_least
from gossan.accuracy.record import RULES as MAP_RULES
from gossan.accuracy.record import TruthSource, class_labels, make_record
from gossan.accuracy.scores import count_pixels, score_confusion
from gossan.errors import InputError
from gossan.forests.features import Stack, read_point_features, require_fit
from gossan.forests.forest import Forest, flatten_forest, grow_forest, predict_probabilities
from gossan.forests.samples import Plan, Samples
from gossan.legend import MapClass

CHOSEN = "chosen"
INNER_FOLDS = 4
INNER_DEALS = 3
REPEATS = 5
EXPLAINED_POINTS = 200
SCORES = ("overall_accuracy", "kappa", "macro_f1")
RULES = {
    **{name: MAP_RULES[name] for name in ("macro_f1", "interval")},
    "split": (
        "random: the training points of the samples against their test points, which lie among "
        "them. blocked: the scene is cut into square blocks, the blocks are dealt into folds, and "
        "all points of a fold are tested by a forest of points of the other folds. The gap "
        "between the two is the least that nearness to training points is worth: blocks touch, "
        "so some tested points lie beside training points, and windows reach across borders."
    ),
    "chosen": (
        "In each test, the plan with the best mean kappa in three cross-validations within the "
        "training points of that test: over random folds for random, over blocks for blocked."
    ),
    "interval_training": "The intervals do not hold the uncertainty of training.",
}
"""How the numbers are to be read; written into each record."""


@dataclass(frozen=True)
class Options:
    """How plans are tested: sides of blocks, folds, points per class that train a fold at most."""

    bootstrap: Bootstrap
    folds: int
    per_class: int
    threads: int

    def __post_init__(self):
        """Raise InputError for numbers that cannot be used."""
        require_least("folds", self.folds, 2)
        require_least("per-class", self.per_class, 2)

    @property
    def seed(self) -> int:
        """The seed of folds, draws and bootstrap."""
        return self.bootstrap.seed


@dataclass(frozen=True, eq=False)
class Test:
    """One plan in one protocol: predictions, and the forests that made them.

    `places` are the tested points, `codes` what was predicted of them; `plans` the plan of each
    fold, `models` its scikit-learn forest, `members` the fold's places within `places`.
    """

    __test__ = False

    protocol: str
    name: str
    places: np.ndarray
    codes: np.ndarray
    plans: tuple[Plan, ...]
    models: tuple
    members: tuple[np.ndarray, ...]
    trained: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Ground:
    """Labelled points with the features of every plan, (n, features) each."""

    samples: Samples
    features: dict[str, np.ndarray]
    names: dict[str, tuple[str, ...]]
    layers: dict[str, tuple[str, ...]]
    blocks: np.ndarray


@dataclass(frozen=True, eq=False)
class Features:
    """Labelled points, and the features of every plan by its name, (n, features) each.

    `names` and `layers` are those of each plan's features.
    """

    samples: Samples
    values: dict[str, np.ndarray]
    names: dict[str, tuple[str, ...]]
    layers: dict[str, tuple[str, ...]]


def read_ground(
    stack: Stack, samples: Samples, plans: Sequence[Plan], options: Options, *, block_px: int
) -> Ground:
    """Read every plan's features, as `read_plan_features`, and number the spatial blocks."""
    read = read_plan_features(stack, samples, plans, block_px=block_px, threads=options.threads)
    blocks = read.samples.blocks(options.bootstrap.spatial_block_px, stack.grid)
    return Ground(read.samples, read.values, read.names, read.layers, blocks)


def read_plan_features(
    stack: Stack, samples: Samples, plans: Sequence[Plan], *, block_px: int, threads: int
) -> Features:
    """Read every plan's features; points on nodata of any layer of any plan are left out.

    All plans are then tested on the same points. Raises InputError where none is left.
    """
    features, names, layers = {}, {}, {}
    whole = np.ones(len(samples.rows), bool)
    for plan in plans:
        require_fit(plan.recipe, stack.grid, plan.name)
        places = plan_layers(stack, plan)
        own = [stack.layers[place] for place in places]
        features[plan.name] = read_point_features(
            stack,
            plan.recipe,
            places,
            samples.rows,
            samples.columns,
            block_px=block_px,
            threads=threads,
        )
        names[plan.name], layers[plan.name] = plan.recipe.names(own), plan.recipe.layers_of(own)
        whole &= np.isfinite(features[plan.name]).all(axis=1)
    if not whole.any():
        raise InputError("samples: all points lie on nodata; check the cube and extra rasters")
    notes = [] if whole.all() else [f"{(~whole).sum()} points lie on nodata; left out"]
    for plan in plans:
        note = plan.recipe.note([stack.layers[place] for place in plan_layers(stack, plan)])
        if note:
            notes.append(f"{plan.name}: {note}")
    kept = {name: values[whole] for name, values in features.items()}
    return Features(samples.take(whole, *notes), kept, names, layers)


def plan_layers(stack: Stack, plan: Plan) -> tuple[int, ...]:
    """Places of the layers that a plan uses."""
    return stack.cube_layers if plan.layers == "cube" else stack.places(None)


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


def draw_points(codes: np.ndarray, places: np.ndarray, per_class: int, seed: int) -> np.ndarray:
    """At most `per_class` of `places` of each class, at random, ascending."""
    priority = np.random.default_rng(seed).random(len(places))
    kept = []
    for code in np.unique(codes[places]):
        own = np.flatnonzero(codes[places] == code)
        kept.append(places[own[np.argsort(priority[own], kind="stable")[:per_class]]])
    return np.sort(np.concatenate(kept)) if kept else places


def _fit(ground: Ground, plan: Plan, places: np.ndarray, options: Options):
    return grow_forest(
        ground.features[plan.name][places],
        ground.samples.codes[places],
        plan.settings,
        options.threads,
    )


def _flat(model: object, ground: Ground, plan: Plan) -> Forest:
    names = [str(code) for code in model.classes_]
    return flatten_forest(model, names, ground.names[plan.name])


def _classify(forest: Forest, features: np.ndarray) -> np.ndarray:
    return np.array(forest.codes)[predict_probabilities(forest, features.T).argmax(axis=1)]


def choose_plan(
    ground: Ground, plans: Sequence[Plan], places: np.ndarray, blocked: bool, options: Options
) -> tuple[Plan, dict[str, float]]:
    """The plan with the best kappa in cross-validations within `places`, and all their kappas.

    INNER_DEALS deals into INNER_FOLDS folds, of blocks or of points, are averaged, as a single
    deal of few blocks ranks plans by luck. Kappa, because macro-F1 hangs on the rarest class,
    which few blocks hold. The first of equals wins. Fewer folds are used where there are fewer
    blocks; a single plan, or points in a single block, leave nothing to choose, and the first
    plan wins.
    """
    codes, blocks = ground.samples.codes[places], ground.blocks[places]
    folds = min(INNER_FOLDS, len(np.unique(blocks)) if blocked else len(places))
    if len(plans) == 1 or folds < 2:
        return plans[0], {}
    found = np.unique(codes)
    kappas: dict[str, list[float]] = {plan.name: [] for plan in plans}
    for deal in range(INNER_DEALS):
        seed = options.seed + 1 + deal
        fold = deal_blocks(blocks, folds, seed) if blocked else deal_points(codes, folds, seed)
        for plan in plans:
            predicted = np.empty_like(codes)
            for number in range(folds):
                train = places[_learnable(codes, fold != number)]
                forest = _flat(_fit(ground, plan, train, options), ground, plan)
                tested = fold == number
                predicted[tested] = _classify(forest, ground.features[plan.name][places[tested]])
            confusion = _count(codes, predicted, found, np.zeros(len(codes), np.int64))
            kappas[plan.name].append(float(score_confusion(confusion[0]).kappa))
    scores = {name: float(np.mean(values)) for name, values in kappas.items()}
    return max(plans, key=lambda plan: scores[plan.name]), scores


def _learnable(codes: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mask without points of classes that have only one point in it."""
    found, counts = np.unique(codes[mask], return_counts=True)
    if (counts >= 2).sum() < 2:
        raise InputError(
            "samples: the other folds hold fewer than two classes; use smaller blocks or more folds"
        )
    return mask & np.isin(codes, found[counts >= 2])


def _count(
    codes: np.ndarray, predicted: np.ndarray, found: np.ndarray, blocks: np.ndarray
) -> np.ndarray:
    """Confusion counts (blocks, K, K), rows = truth."""
    truth, said = np.searchsorted(found, codes), np.searchsorted(found, predicted)
    return count_pixels(blocks, truth, said, len(found))


def run_tests(ground: Ground, plans: Sequence[Plan], options: Options) -> list[Test]:
    """Test each plan, and the chosen one, on the samples' own split and on blocks.

    Raises InputError where there are no test points, or where the points of the other folds
    cannot train a forest.
    """
    samples = ground.samples
    train, tested = np.flatnonzero(~samples.is_test), np.flatnonzero(samples.is_test)
    if not len(tested):
        raise InputError("samples: no point is there to test; give a split or a test file")
    all_places = np.arange(len(samples.codes))
    fold = deal_blocks(ground.blocks, options.folds, options.seed)
    blocked = []
    for number in range(options.folds):
        if (fold == number).any():
            others = all_places[_learnable(samples.codes, fold != number)]
            seed = options.seed + 100 + number
            drawn = draw_points(samples.codes, others, options.per_class, seed)
            blocked.append((drawn, all_places[fold == number]))
    random = [(all_places[train[_learnable(samples.codes[train], train >= 0)]], tested)]
    results = []
    for protocol, parts in (("random", random), ("blocked", blocked)):
        choices = [
            choose_plan(ground, plans, own, protocol == "blocked", options)[0] for own, _ in parts
        ]
        fitted: dict[tuple[str, int], object] = {}
        candidates = [(plan.name, [plan] * len(parts)) for plan in plans]
        for name, used in [*candidates, (CHOSEN, choices)]:
            models, codes = [], []
            for number, (plan, (own, other)) in enumerate(zip(used, parts, strict=True)):
                key = plan.name, number
                if key not in fitted:
                    fitted[key] = _fit(ground, plan, own, options)
                models.append(fitted[key])
                forest = _flat(models[-1], ground, plan)
                codes.append(_classify(forest, ground.features[plan.name][other]))
            ends = np.cumsum([len(other) for _, other in parts])
            results.append(
                Test(
                    protocol,
                    name,
                    np.concatenate([other for _, other in parts]),
                    np.concatenate(codes),
                    tuple(used),
                    tuple(models),
                    tuple(np.split(np.arange(ends[-1]), ends[:-1])),
                    tuple(len(own) for own, _ in parts),
                )
            )
    return results


def count_test(ground: Ground, test: Test, classes: Sequence[MapClass]) -> np.ndarray:
    """Confusion counts (blocks, K + 1, K + 1) of a test; index 0, other ground, stays empty."""
    codes = np.array([0, *sorted(item.code for item in classes)])
    counts = _count(
        ground.samples.codes[test.places], test.codes, codes, ground.blocks[test.places]
    )
    order = [0, *(int(np.searchsorted(codes, item.code)) for item in classes)]
    return counts[:, order][:, :, order]


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
    how = {
        "random": f"the samples' own split; {test.trained[0]} points trained",
        "blocked": (
            f"whole blocks of {options.bootstrap.spatial_block_px} pixels in "
            f"{len(test.members)} folds; at most {options.per_class} points per class trained "
            f"each, {min(test.trained)} to {max(test.trained)} in all"
        ),
    }[test.protocol]
    return make_record(
        blocks,
        class_labels(classes),
        scene=scene,
        method=f"Random forest, {test.name}, {test.protocol} split",
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
    can be stated (`blocks.interval`). `plans` are those of the folds.
    """
    rows = []
    for test in tests:
        first = next(item for item in tests if item.protocol == test.protocol)
        # Both tests have the same points, so the same blocks in the same order.
        counts = [count_test(ground, item, classes) for item in (test, first)]
        points = [score_confusion(part.sum(axis=0)) for part in counts]
        draws = [score_confusion(options.bootstrap.resample(part)) for part in counts]
        blocks = len(counts[0])
        of_class = (counts[0].sum(axis=2) > 0).sum(axis=0)
        # As in assess_blocks, macro-F1 rests on the blocks of the class that has the fewest.
        carried = {"macro_f1": int(of_class[of_class > 0].min())}
        row: dict[str, object] = {
            "protocol": test.protocol,
            "plan": test.name,
            "plans": " ".join(plan.name for plan in test.plans),
            "n": int(counts[0].sum()),
            "n_blocks": blocks,
            "n_train": round(float(np.mean(test.trained)), 1),
        }
        fields = zip(SCORES, ("overall", "kappa", "macro_f1"), strict=True)
        for name, field in fields:
            own, base = (float(getattr(point, field)) for point in points)
            spread = getattr(draws[0], field)
            gain = spread - getattr(draws[1], field)
            for title, value, values in ((name, own, spread), (f"gain_{name}", own - base, gain)):
                told = estimate(value, values, carried.get(name, blocks))
                for end, number in zip(("", "_low", "_high"), told.values(), strict=True):
                    row[f"{title}{end}"] = "" if number is None else number
        rows.append(row)
    return rows


def permutation_importance(ground: Ground, test: Test, options: Options) -> list[dict]:
    """What each layer is worth: the loss of overall accuracy when its features are shuffled.

    After Breiman (2001), but all features of a layer are shuffled together, among the tested
    points of a fold, as each alone would be made up for by the others. One row per layer: mean,
    lowest and highest of REPEATS shuffles. The test must have one plan.
    """
    plan = test.plans[0]
    if any(item != plan for item in test.plans):
        raise ValueError("the test has several plans; take that of one plan")
    features = ground.features[plan.name]
    truth = ground.samples.codes[test.places]
    forests = [_flat(model, ground, plan) for model in test.models]
    layers = ground.layers[plan.name]
    base = float((test.codes == truth).mean())
    rows = []
    for number, layer in enumerate(dict.fromkeys(layers)):
        own = [place for place, name in enumerate(layers) if name == layer]
        losses = []
        for repeat in range(REPEATS):
            generator = np.random.default_rng([options.seed, number, repeat])
            right = 0
            for forest, member in zip(forests, test.members, strict=True):
                values = features[test.places[member]]
                values[:, own] = values[generator.permutation(len(values))][:, own]
                right += int((_classify(forest, values) == truth[member]).sum())
            losses.append(base - right / len(truth))
        rows.append(
            {
                "protocol": test.protocol,
                "plan": test.name,
                "layer": layer,
                "features": len(own),
                "loss": round(float(np.mean(losses)), 6),
                "loss_lowest": round(min(losses), 6),
                "loss_highest": round(max(losses), 6),
            }
        )
    return rows


def explain_forest(
    ground: Ground, test: Test, classes: Sequence[MapClass], options: Options
) -> list[dict]:
    """SHAP values of tested points (Lundberg et al. 2020, Nature Machine Intelligence 2, 56-67).

    Up to EXPLAINED_POINTS of the points that the test's first forest was tested on, drawn at
    random. One row per feature and class: `mean_abs`, the mean size of the feature's part in the
    class's probability, and `direction`, the correlation of that part with the feature's value
    ("" where either does not vary).
    """
    import shap

    plan, member = test.plans[0], test.members[0]
    generator = np.random.default_rng(options.seed)
    drawn = np.sort(generator.permutation(test.places[member])[:EXPLAINED_POINTS])
    values = ground.features[plan.name][drawn]
    # One thread, and single points in their own order: the same inputs give the same bytes.
    model = test.models[0].set_params(n_jobs=1)
    parts = shap.TreeExplainer(model).shap_values(values, check_additivity=False)
    names = {item.code: item.name for item in classes}
    rows = []
    for place, (feature, layer) in enumerate(
        zip(ground.names[plan.name], ground.layers[plan.name], strict=True)
    ):
        for k, code in enumerate(model.classes_):
            part = parts[:, place, k]
            varies = part.std() > 0 and values[:, place].std() > 0
            direction = np.corrcoef(part, values[:, place])[0, 1] if varies else None
            rows.append(
                {
                    "plan": plan.name,
                    "feature": feature,
                    "layer": layer,
                    "class": names[int(code)],
                    "points": len(drawn),
                    "mean_abs": round(float(np.abs(part).mean()), 8),
                    "direction": "" if direction is None else round(float(direction), 4),
                }
            )
    return rows


def choose_for_map(ground: Ground, plans: Sequence[Plan], options: Options) -> tuple[Plan, dict]:
    """The plan for the map: chosen over blocks within the training points; and the scores."""
    train = np.flatnonzero(~ground.samples.is_test)
    train = train[_learnable(ground.samples.codes[train], train >= 0)]
    return choose_plan(ground, plans, train, True, options)
