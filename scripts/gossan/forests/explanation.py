"""What a forest's answers hang on: permutation importance of layers, SHAP values of features."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gossan.forests.choice import classify
from gossan.forests.exercises import Options
from gossan.forests.forest import BOOSTED, grow_forest
from gossan.forests.ground import Ground
from gossan.forests.validation import Test
from gossan.legend import MapClass

IMPORTANCE_COLUMNS = (
    "protocol",
    "plan",
    "layer",
    "features",
    "loss",
    "loss_lowest",
    "loss_highest",
)
SHAP_COLUMNS = ("plan", "feature", "layer", "class", "points", "part_of", "mean_abs", "direction")
REPEATS = 5
PERMUTED_POINTS = 2000
"""Tested points of a test whose features are shuffled, at most."""
EXPLAINED_POINTS = 200
EXPLAINED_TREES = 50
"""SHAP values are of so many points, and of a forest's first trees, at most."""


def permutation_importance(ground: Ground, test: Test, options: Options) -> list[dict]:
    """What each layer is worth: the loss of overall accuracy when its features are shuffled.

    After Breiman (2001), but all features of a layer are shuffled together, among the tested
    points of a part, as each alone would be made up for by the others. Of many tested points,
    PERMUTED_POINTS are drawn at random. One row per layer: mean, lowest and highest of REPEATS
    shuffles. The test must have one plan.
    """
    plan = test.plans[0]
    if any(item != plan for item in test.plans):
        raise ValueError("the test has several plans; take that of one plan")
    features = ground.features[plan.name]
    truth = ground.samples.codes[test.places]
    layers = ground.layers[plan.name]
    drawn = np.random.default_rng(options.seed).permutation(len(truth))[:PERMUTED_POINTS]
    members = [np.intersect1d(member, drawn) for member in test.members]
    base = float((test.codes == truth)[drawn].mean())
    rows = []
    for number, layer in enumerate(dict.fromkeys(layers)):
        own = [place for place, name in enumerate(layers) if name == layer]
        losses = []
        for repeat in range(REPEATS):
            generator = np.random.default_rng([options.seed, number, repeat])
            right = 0
            for forest, member in zip(test.forests, members, strict=True):
                values = features[test.places[member]]
                values[:, own] = values[generator.permutation(len(values))][:, own]
                right += int((classify(forest, values) == truth[member]).sum())
            losses.append(base - right / len(drawn))
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
    random, by EXPLAINED_TREES of its trees at most, as more tell the same. One row per feature
    and class: `mean_abs`, the mean size of the feature's part in the class's probability, or of
    boosted trees in the log of its odds, as `part_of` says; and `direction`, the correlation of
    that part with the feature's value ("" where either does not vary).
    """
    import shap

    plan, member = test.plans[0], test.members[0]
    settings = plan.settings
    boosted = settings.trees == BOOSTED
    if not boosted:
        settings = replace(settings, estimators=min(settings.estimators, EXPLAINED_TREES))
    generator = np.random.default_rng(options.seed)
    drawn = np.sort(generator.permutation(test.places[member])[:EXPLAINED_POINTS])
    values = ground.features[plan.name][drawn]
    # One thread, and single points in their own order: the same inputs give the same bytes.
    taught = test.taught[0]
    model = grow_forest(
        ground.features[plan.name][taught], ground.samples.codes[taught], settings, threads=1
    )
    parts = shap.TreeExplainer(model).shap_values(values, check_additivity=False)
    if parts.ndim == 2:
        # Of two classes, boosting explains the second.
        parts = np.stack([-parts, parts], axis=-1)
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
                    "part_of": "log odds" if boosted else "probability",
                    "mean_abs": round(float(np.abs(part).mean()), 8),
                    "direction": "" if direction is None else round(float(direction), 4),
                }
            )
    return rows
