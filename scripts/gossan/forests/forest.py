"""Forests of decision trees: trained by scikit-learn, stored as plain arrays, run by our kernel.

A forest (Breiman 2001, Machine Learning 45, 5-32; extremely randomised trees: Geurts et al. 2006,
Machine Learning 63, 3-42) gives each class the mean, over its trees, of the class's share of the
training points in the leaf that a pixel falls into. The class with the largest mean wins, the
first of equals. Gradient boosting (Friedman 2001, Annals of Statistics 29, 1189-1232; in its
histogram form, Ke et al. 2017, NeurIPS 30) adds up, from a first guess on, what each small tree
says of one class; the sums are logs of odds, and their softmax the probabilities.

A pixel goes to the right where feature > threshold. scikit-learn compares a float32 feature with a
float64 threshold; the largest float32 that is not above that threshold parts the float32 numbers
in the same way, so the trees decide identically.

The kernel takes tiles of LANES pixels through one tree after the other. Numbers are compared by
their bits, as integers in the same order, so that a node is one word. The upper TOP_LEVELS levels
are compared for all pixels at once in vector registers, as if they were complete; below them,
eight pixels descend side by side without branches, so that their loads overlap, FIRST_STEPS levels
and then, of pixels that are in no leaf yet, STEPS levels again and again. Leaves lead to
themselves.
"""

import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from gossan.errors import InputError
from gossan.files import DAMAGED_ARCHIVE, staged
from gossan.kernels import kernel
from gossan.legend import NODATA, UNCLASSIFIED
from gossan.transforms.band_search import same_wavelength

RANDOM, EXTRA, BOOSTED = "random", "extra", "boosted"
KINDS = {
    RANDOM: "random forest",
    EXTRA: "extremely randomised trees",
    BOOSTED: "gradient boosting",
}
"""Kinds of trees, and what they are called."""
SHARES, SOFTMAX = "shares", "softmax"
FORMATS = {SHARES: "gossan-forest-1", SOFTMAX: "gossan-forest-2"}
"""What files of either link call themselves."""
SIDES = ("left", "right")
PENALTY = 1.0
"""What is added to a boosted leaf's weight: a leaf of few points says less."""
STAGES = 10
"""Boosted trees are looked at after each of the last half of so many parts of them."""
LANES = 256
TOP_LEVELS = 4
FIRST_STEPS, STEPS = 6, 3
TREES = 32
ARRAYS = {
    "offsets": ("i4", 1),
    "feature": ("i4", 1),
    "threshold": ("f4", 1),
    "left": ("i4", 1),
    "leaf": ("i4", 1),
    "value": ("f8", 2),
}

_TOP = 2**TOP_LEVELS - 1
_LAST = 2 ** (TOP_LEVELS - 1) - 1
_U = np.uint64
_PLACE_SHIFT = _U(32 - LANES.bit_length() + 1)
_LOWEST, _HIGHEST, _INFINITY = np.int32(-(2**31)), np.int32(2**31 - 1), np.int32(0x7F800000)
_compile = kernel(error_model="numpy")
_inline = kernel(error_model="numpy", forceinline=True)


@dataclass(frozen=True)
class ForestSettings:
    """How a forest is grown; the defaults are those of Franca-Rocha et al. (2025).

    `trees` is "random" (bootstrap samples, best cut of each feature, Gini), "extra" (all
    points, random cuts) or "boosted" (small trees, each learning what those before it left).
    `max_features` is "sqrt" or the share of features tried at a node. `learning_rate` and
    `max_leaf_nodes` are of boosted trees alone, of which `estimators` are grown for each class;
    `min_samples_split` is of the others. Raises InputError for numbers that cannot be used.
    """

    trees: str = RANDOM
    estimators: int = 50
    max_features: str | float = "sqrt"
    min_samples_split: int = 30
    min_samples_leaf: int = 3
    learning_rate: float = 0.1
    max_leaf_nodes: int = 31
    seed: int = 42

    def __post_init__(self):
        """Refuse settings without meaning."""
        if self.trees not in KINDS:
            raise InputError(f"trees '{self.trees}' is unknown; use one of: {', '.join(KINDS)}")
        for name, least in (
            ("estimators", 1),
            ("min_samples_split", 2),
            ("min_samples_leaf", 1),
            ("max_leaf_nodes", 2),
            ("seed", 0),
        ):
            number = getattr(self, name)
            if not isinstance(number, int) or isinstance(number, bool) or number < least:
                raise InputError(f"{name}: {number!r} is not a whole number of {least} or more")
        share = self.max_features
        numeric = isinstance(share, (int, float)) and not isinstance(share, bool)
        if share != "sqrt" and not (numeric and 0 < share <= 1):
            raise InputError(f"max_features: {share!r} is neither sqrt nor a share up to 1")
        if not 0 < self.learning_rate <= 1:
            raise InputError(f"learning_rate: {self.learning_rate!r} is not a share up to 1")


@dataclass(frozen=True, eq=False)
class Forest:
    """A forest as arrays.

    `codes` and `names` (K) are the classes, `features` the names of the features in order.
    Tree t has the nodes offsets[t] to offsets[t + 1], its root first. Per node: `feature`, or -1
    in a leaf; `threshold` (float32, infinity in a leaf); `left`, the left child counted from the
    root, the right one follows it, and a leaf names itself; `leaf`, its row in `value` or -1.
    `value` (leaves, K) are shares of classes where `link` is "shares"; where it is "softmax",
    what the leaf adds to the log of each class's odds, the first tree being the first guess.
    `header` is what else the file says (JSON).
    """

    codes: tuple[int, ...]
    names: tuple[str, ...]
    features: tuple[str, ...]
    offsets: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    leaf: np.ndarray
    value: np.ndarray
    header: dict = field(default_factory=dict)
    link: str = SHARES

    def __post_init__(self):
        """Lay the nodes out as the kernel reads them; InputError for trees too large for it."""
        is_leaf = self.leaf >= 0
        key = np.where(is_leaf, _HIGHEST, _order(self.threshold))
        feature = np.where(is_leaf, 0, self.feature)
        bits = max(1, (len(self.features) - 1).bit_length())
        if np.diff(self.offsets).max(initial=0) > 2 ** (32 - bits):
            raise InputError(
                f"forest: a tree has more than {2 ** (32 - bits)} nodes; train on fewer points"
            )
        words = (self.left.astype(np.uint64) << _U(bits)) | feature.astype(np.uint64)
        words = (words << _U(32)) | key.view(np.uint32)
        # Few leaves differ, and few rows stay in the caches.
        value, row = np.unique(self.value, axis=0, return_inverse=True)
        row = np.where(is_leaf, row.ravel()[self.leaf], -1).astype(np.int32)
        tops = _lay_tops(self, feature, key)
        value = np.pad(value, ((0, 0), (0, -value.shape[1] % 4)))
        object.__setattr__(self, "_kernel", (_U(bits), words, row, value, *tops))


def _order(thresholds: np.ndarray) -> np.ndarray:
    """Integers (int32) in the order of float32 numbers."""
    bits = (thresholds + np.float32(0)).view(np.int32)  # -0 becomes 0
    return bits ^ ((bits >> 31) & _HIGHEST)


def _lay_tops(
    forest: Forest, feature: np.ndarray, key: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The upper levels of all trees as complete trees: feature rows, thresholds, ways out.

    A leaf within them is followed by copies of itself.
    """
    root = forest.offsets[:-1, np.newaxis].astype(np.int64)
    level = np.zeros((len(root), 1), np.int64)
    places, thresholds = [], []
    for _ in range(TOP_LEVELS):
        node = root + level
        places.append(feature[node].astype(np.int64) * LANES)
        thresholds.append(key[node])
        left = forest.left[node].astype(np.int64)
        right = left + (forest.leaf[node] < 0)
        level = np.stack([left, right], axis=-1).reshape(len(root), -1)
    return (
        np.ascontiguousarray(np.concatenate(places, axis=1)),
        np.ascontiguousarray(np.concatenate(thresholds, axis=1)),
        level.astype(np.uint32),
    )


def grow_forest(
    features: np.ndarray,
    codes: np.ndarray,
    settings: ForestSettings,
    threads: int = 1,
    weights: Sequence[tuple[int, float]] = (),
):
    """Train a scikit-learn forest on (n, features) float32 and (n,) class codes.

    `weights` are pairs of a class code and of what its points count for, else 1. The same rows in
    the same order give the same forest for any `threads`. Raises InputError unless there are two
    classes with two points each, and all features are finite.
    """
    found, counts = np.unique(codes, return_counts=True)
    if len(found) < 2:
        raise InputError("samples: fewer than two classes to learn; give points of two or more")
    if counts.min() < 2:
        raise InputError(
            f"samples: class {found[counts.argmin()]} has one point; give it two or more, or "
            "leave it out"
        )
    if not np.isfinite(features).all():
        raise InputError("samples: a point has no value in some layer; leave it out")
    model = _new_model(settings, features.shape[1], max(1, threads))
    # The threads of boosting wait for one another after each of its many short steps: where
    # cores are shared with other work, two took 25 times as long as one. So it has one.
    with threadpool_limits(1, "openmp"):
        return model.fit(
            np.ascontiguousarray(features, dtype=np.float32), codes, _point_weights(codes, weights)
        )


def _point_weights(codes: np.ndarray, weights: Sequence[tuple[int, float]]) -> np.ndarray | None:
    if not weights:
        return None
    by_class = dict(weights)
    return np.array([by_class.get(int(code), 1.0) for code in codes])


def _new_model(settings: ForestSettings, features: int, threads: int):
    """The untrained model of scikit-learn."""
    from sklearn.ensemble import (
        ExtraTreesClassifier,
        HistGradientBoostingClassifier,
        RandomForestClassifier,
    )

    share = settings.max_features
    if settings.trees == BOOSTED:
        return HistGradientBoostingClassifier(
            learning_rate=settings.learning_rate,
            max_iter=settings.estimators,
            max_leaf_nodes=settings.max_leaf_nodes,
            min_samples_leaf=settings.min_samples_leaf,
            max_features=math.sqrt(features) / features if share == "sqrt" else float(share),
            l2_regularization=PENALTY,
            early_stopping=False,
            random_state=settings.seed,
        )
    kind = RandomForestClassifier if settings.trees == RANDOM else ExtraTreesClassifier
    return kind(
        n_estimators=settings.estimators,
        criterion="gini",
        max_features=share,
        min_samples_split=settings.min_samples_split,
        min_samples_leaf=settings.min_samples_leaf,
        random_state=settings.seed,
        n_jobs=threads,
    )


def flatten_forest(
    model: object, names: Sequence[str], features: Sequence[str], header: dict | None = None
) -> Forest:
    """The trees of a scikit-learn forest as arrays; `names` are those of `model.classes_`."""
    codes = tuple(int(code) for code in model.classes_)
    boosted = not hasattr(model, "estimators_")
    trees = _boosted_trees(model) if boosted else _mean_trees(model)
    arrays = _lay_out(trees)
    link = SOFTMAX if boosted else SHARES
    return Forest(codes, tuple(names), tuple(features), **arrays, header=header or {}, link=link)


@dataclass(frozen=True, eq=False)
class _Tree:
    """One tree: children (-1 in a leaf), features and cuts per node, and values (nodes, K)."""

    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    cut: np.ndarray
    value: np.ndarray


def _mean_trees(model: object) -> list[_Tree]:
    """The trees of a forest, whose leaves hold shares of classes."""
    trees = (estimator.tree_ for estimator in model.estimators_)
    return [
        _Tree(
            tree.children_left, tree.children_right, tree.feature, tree.threshold, tree.value[:, 0]
        )
        for tree in trees
    ]


def _boosted_trees(model: object) -> list[_Tree]:
    """The trees of a boosted model, in the order in which they are added up.

    The first is the first guess, a leaf alone. Two classes have one sum, of the second's odds.
    """
    first = np.atleast_1d(np.squeeze(model._baseline_prediction))
    columns = np.arange(len(first)) if len(first) > 1 else np.array([1])
    value = np.zeros((1, len(model.classes_)))
    value[0, columns] = first
    none = np.array([-1])
    trees = [_Tree(none, none, none, np.zeros(1), value)]
    for grown in model._predictors:
        for column, tree in zip(columns, grown, strict=True):
            nodes = tree.nodes
            is_leaf = nodes["is_leaf"] != 0
            value = np.zeros((len(nodes), len(model.classes_)))
            value[:, column] = nodes["value"]
            left, right = (np.where(is_leaf, -1, nodes[side].astype("i8")) for side in SIDES)
            trees.append(_Tree(left, right, nodes["feature_idx"], nodes["num_threshold"], value))
    return trees


def _lay_out(trees: Sequence[_Tree]) -> dict[str, np.ndarray]:
    """The arrays of a forest: in each tree level by level, siblings side by side."""
    sizes = [len(tree.left) for tree in trees]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    number = np.repeat(np.arange(len(trees)), sizes)
    left, right = (
        np.concatenate([getattr(tree, side) for tree in trees]).astype(np.int64) for side in SIDES
    )
    is_leaf = left < 0
    first = offsets[:-1][number]
    left, right = left + first, right + first
    levels = [offsets[:-1]]
    while len(parents := levels[-1][~is_leaf[levels[-1]]]):
        levels.append(np.stack([left[parents], right[parents]], axis=1).ravel())
    order = np.concatenate(levels)
    order = order[np.argsort(number[order], kind="stable")]
    new = np.empty(len(order), np.int64)
    new[order] = np.arange(len(order)) - first[order]
    is_leaf_now = is_leaf[order]
    exact = np.concatenate([tree.cut for tree in trees])[order]
    threshold = exact.astype(np.float32)
    lower = np.nextafter(threshold, np.float32(-np.inf))
    threshold = np.where(threshold.astype(np.float64) > exact, lower, threshold)
    arrays = {
        "offsets": offsets,
        "feature": np.where(
            is_leaf_now, -1, np.concatenate([tree.feature for tree in trees])[order]
        ),
        "threshold": np.where(is_leaf_now, np.float32(np.inf), threshold),
        "left": new[np.where(is_leaf_now, order, left[order])],
        "leaf": np.where(is_leaf_now, np.cumsum(is_leaf_now) - 1, -1),
        "value": np.concatenate([tree.value for tree in trees])[order[is_leaf_now]],
    }
    return {name: arrays[name].astype(dtype) for name, (dtype, _) in ARRAYS.items()}


def predict_probabilities(
    forest: Forest, features: np.ndarray, *, spread: bool = False
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Probabilities (pixels, K) float64 of (features, pixels) float32, from no row to any number.

    Those of scikit-learn's `predict_proba`, of a forest to the last bit when it runs in one
    thread, of boosted trees but for the last bits of the softmax. NaN goes to the left.

    With `spread`, also their standard deviation, (pixels, K): over the trees of a forest; over
    the probabilities after each of the last STAGES / 2 parts of boosted trees, a virtual
    ensemble (Malinin et al. 2021, ICLR, arXiv:2006.10562).

    Raises ValueError for another number of features.
    """
    if features.ndim != 2 or len(features) != len(forest.features):
        raise ValueError(f"features of shape {features.shape}; give {len(forest.features)} rows")
    features = np.ascontiguousarray(features, dtype=np.float32)
    if forest.link == SOFTMAX:
        return _predict_boosted(forest, features, spread)
    sums = np.zeros((features.shape[1], len(forest.codes)))
    squares = np.zeros(sums.shape if spread else (0, sums.shape[1]))
    trees = len(forest.offsets) - 1
    _add_trees(forest, features, slice(0, trees), sums, squares)
    sums /= trees
    if not spread:
        return sums
    squares /= trees
    return sums, np.sqrt(np.maximum(squares - sums * sums, 0.0))


def _predict_boosted(
    forest: Forest, features: np.ndarray, spread: bool
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """`predict_probabilities` of boosted trees."""
    sums = np.zeros((features.shape[1], len(forest.codes)))
    none = np.zeros((0, sums.shape[1]))
    # Trees come in rounds, one a class; the first guess stands before them.
    round_size = 1 if len(forest.codes) == 2 else len(forest.codes)
    rounds = (len(forest.offsets) - 2) // round_size
    stages = range(STAGES // 2, STAGES + 1) if spread else (STAGES,)
    ends = [1 + round_size * (rounds * stage // STAGES) for stage in stages]
    seen = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        _add_trees(forest, features, slice(start, end), sums, none)
        powers = np.exp(sums - sums.max(axis=1, keepdims=True))
        seen.append(powers / powers.sum(axis=1, keepdims=True))
    return (seen[-1], np.std(seen, axis=0)) if spread else seen[-1]


def _add_trees(
    forest: Forest, features: np.ndarray, trees: slice, sums: np.ndarray, squares: np.ndarray
) -> None:
    """Add to `sums`, and to `squares` where it has rows, what these trees say of the pixels."""
    bits, nodes, rows, value, *tops = forest._kernel
    _descend(
        features.view(np.int32),
        forest.offsets[trees.start : trees.stop + 1],
        bits,
        nodes,
        rows,
        value.ravel(),
        value.shape[1],
        *(part[trees] for part in tops),
        sums,
        squares,
    )


def predict_block(
    forest: Forest, features: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maps of a block from its features (features, rows, columns), NaN = nodata.

    Returns (classes (rows, columns) uint8 codes, 255 for nodata; probabilities (K, rows, columns)
    float32; uncertainty (2, rows, columns) float32). Uncertainty is the entropy of the
    probabilities as a share of its maximum, log K, and the spread of the winner's probability
    (`predict_probabilities`).
    """
    count, rows, columns = features.shape
    flat = features.reshape(count, -1)
    nodata = np.isnan(flat).any(axis=0)
    means, spread = predict_probabilities(forest, flat, spread=True)
    winner = means.argmax(axis=1)
    deviation = spread[np.arange(len(winner)), winner]
    terms = np.where(means > 0, means, 1.0)
    entropy = np.maximum(-(terms * np.log(terms)).sum(axis=1), 0.0) / math.log(len(forest.codes))
    classes = np.array(forest.codes, np.uint8)[winner]
    classes[nodata] = NODATA
    probability = means.T.astype(np.float32)
    uncertainty = np.stack([entropy, deviation]).astype(np.float32)
    probability[:, nodata] = np.nan
    uncertainty[:, nodata] = np.nan
    return (
        classes.reshape(rows, columns),
        probability.reshape(-1, rows, columns),
        uncertainty.reshape(2, rows, columns),
    )


@_inline
def _step(tree, tile, bits, node, pixel):
    """The child of a node that a pixel goes to."""
    word = tree[node]
    place = (word >> _PLACE_SHIFT) & (((_U(1) << bits) - _U(1)) * _U(LANES))
    return (word >> (_U(32) + bits)) + _U(tile[place + pixel] > np.int32(np.uint32(word)))


@_inline
def _walk(steps, tree, tile, bits, node, a, b, c, d, e, f, g, h):
    """Take eight pixels so many levels down, together."""
    na, nb, nc, nd = _U(node[a]), _U(node[b]), _U(node[c]), _U(node[d])
    ne, nf, ng, nh = _U(node[e]), _U(node[f]), _U(node[g]), _U(node[h])
    for _ in range(steps):
        na, nb = _step(tree, tile, bits, na, a), _step(tree, tile, bits, nb, b)
        nc, nd = _step(tree, tile, bits, nc, c), _step(tree, tile, bits, nd, d)
        ne, nf = _step(tree, tile, bits, ne, e), _step(tree, tile, bits, nf, f)
        ng, nh = _step(tree, tile, bits, ng, g), _step(tree, tile, bits, nh, h)
    node[a], node[b], node[c], node[d] = na, nb, nc, nd
    node[e], node[f], node[g], node[h] = ne, nf, ng, nh


@_compile
def _add_leaves(leaf, values, width, sums, squares):
    """Add to (pixels, K) what the leaves (trees, LANES) say, rows of `width` in `values`.

    Four classes at a time are held in registers.
    """
    squared = squares.shape[0] > 0
    n_classes = sums.shape[1]
    four, four_squares = np.zeros(4), np.zeros(4)
    for k in range(0, n_classes, 4):
        some = min(4, n_classes - k)
        for i in range(sums.shape[0]):
            for m in range(some):
                four[m] = sums[i, k + m]
            a, b, c, d = four[0], four[1], four[2], four[3]
            for t in range(leaf.shape[0]):
                place = _U(leaf[t, i]) * _U(width) + _U(k)
                a += values[place]
                b += values[place + _U(1)]
                c += values[place + _U(2)]
                d += values[place + _U(3)]
            four[0], four[1], four[2], four[3] = a, b, c, d
            for m in range(some):
                sums[i, k + m] = four[m]
            if squared:
                for m in range(some):
                    four_squares[m] = squares[i, k + m]
                a, b, c, d = four_squares[0], four_squares[1], four_squares[2], four_squares[3]
                for t in range(leaf.shape[0]):
                    place = _U(leaf[t, i]) * _U(width) + _U(k)
                    a += values[place] * values[place]
                    b += values[place + _U(1)] * values[place + _U(1)]
                    c += values[place + _U(2)] * values[place + _U(2)]
                    d += values[place + _U(3)] * values[place + _U(3)]
                four_squares[0], four_squares[1], four_squares[2], four_squares[3] = a, b, c, d
                for m in range(some):
                    squares[i, k + m] = four_squares[m]


@_compile
def _descend(
    features,
    offsets,
    bits,
    words,
    rows,
    values,
    width,
    top_place,
    top_threshold,
    top_exit,
    sums,
    squares,
):
    """Add leaf values, and their squares where `squares` has rows, of all trees."""
    n_features, n_pixels = features.shape
    n_trees = offsets.size - 1
    tile = np.zeros(n_features * LANES, np.int32)
    ways = np.zeros(_TOP * LANES, np.int32)
    node = np.zeros(LANES, np.uint32)
    # Pixels that are in no leaf yet, and up to seven more to make them a multiple of eight.
    waiting = np.zeros(LANES + 8, np.uint32)
    leaves = np.zeros((TREES, LANES), np.uint32)
    for start in range(0, n_pixels, LANES):
        count = min(LANES, n_pixels - start)
        for f in range(n_features):
            source = features[f, start : start + count]
            target = tile[f * LANES : f * LANES + count]
            for i in range(count):
                number = source[i]
                ordered = number ^ ((number >> np.int32(31)) & _HIGHEST)
                target[i] = _LOWEST if (number & _HIGHEST) > _INFINITY else ordered
        for t in range(n_trees):
            tree = words[offsets[t] : offsets[t + 1]]
            row = rows[offsets[t] : offsets[t + 1]]
            # From the lowest of the upper levels to the root: which way out a pixel would take
            # below each node. Both children are known before, so this runs in vector registers.
            for j in range(_LAST, _TOP):
                x = tile[top_place[t, j] : top_place[t, j] + LANES]
                cut = top_threshold[t, j]
                way = ways[j * LANES : (j + 1) * LANES]
                base = np.int32(2 * (j - _LAST))
                for i in range(LANES):
                    way[i] = base + np.int32(x[i] > cut)
            for j in range(_LAST - 1, -1, -1):
                x = tile[top_place[t, j] : top_place[t, j] + LANES]
                cut = top_threshold[t, j]
                way = ways[j * LANES : (j + 1) * LANES]
                lower = ways[(2 * j + 1) * LANES : (2 * j + 2) * LANES]
                upper = ways[(2 * j + 2) * LANES : (2 * j + 3) * LANES]
                for i in range(LANES):
                    low, high = lower[i], upper[i]
                    way[i] = high if x[i] > cut else low
            for i in range(LANES):
                node[i] = top_exit[t, ways[i]]
            # Unsigned numbers spare the test for negative indices.
            for group in range(0, LANES, 8):
                g = _U(group)
                _walk(
                    FIRST_STEPS, tree, tile, bits, node,
                    g, g + _U(1), g + _U(2), g + _U(3), g + _U(4), g + _U(5), g + _U(6), g + _U(7),
                )  # fmt: skip
            left = 0
            for i in range(count):
                waiting[_U(left)] = i
                left += np.int64(row[_U(node[i])] < 0)
            while left:
                for i in range(8):
                    waiting[left + i] = waiting[0]
                for group in range(0, left, 8):
                    g = _U(group)
                    _walk(
                        STEPS, tree, tile, bits, node,
                        _U(waiting[g]), _U(waiting[g + _U(1)]), _U(waiting[g + _U(2)]),
                        _U(waiting[g + _U(3)]), _U(waiting[g + _U(4)]), _U(waiting[g + _U(5)]),
                        _U(waiting[g + _U(6)]), _U(waiting[g + _U(7)]),
                    )  # fmt: skip
                still = 0
                for i in range(left):
                    pixel = waiting[i]
                    waiting[_U(still)] = pixel
                    still += np.int64(row[_U(node[_U(pixel)])] < 0)
                left = still
            done = t % TREES
            for i in range(count):
                leaves[done, i] = row[_U(node[i])]
            if done == TREES - 1 or t == n_trees - 1:
                own = slice(start, start + count)
                _add_leaves(leaves[: done + 1], values, width, sums[own], squares[own])


def write_forest(path: str | Path, forest: Forest) -> None:
    """Write a forest as .npz: plain arrays and one JSON text, nothing pickled."""
    header = {
        "format": FORMATS[forest.link],
        "classes": [
            {"code": code, "name": name}
            for code, name in zip(forest.codes, forest.names, strict=True)
        ],
        "features": list(forest.features),
        **forest.header,
    }
    text = json.dumps(header, ensure_ascii=False, allow_nan=False, sort_keys=True)
    arrays = {name: getattr(forest, name) for name in ARRAYS}
    with staged(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(
            stream, header=np.frombuffer(text.encode("utf-8"), dtype=np.uint8), **arrays
        )


def read_forest(path: str | Path) -> Forest:
    """Read a forest and check all that the kernel relies on; nothing in it is executed.

    Raises InputError for a missing file, one of another kind, or arrays that do not make trees:
    wrong types or lengths, numbers that are not finite, features, leaves or children out of
    range, and children that do not follow their parent, which could go round for ever.
    """
    path = Path(path)
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in (*ARRAYS, "header")}
        header = json.loads(arrays.pop("header").tobytes().decode("utf-8"))
        links = {stored: link for link, stored in FORMATS.items()}
        if not isinstance(header, dict) or header.get("format") not in links:
            raise ValueError("of another format")
        link = links[header.pop("format")]
        classes = header.pop("classes")
        codes = tuple(int(item["code"]) for item in classes)
        names = tuple(str(item["name"]) for item in classes)
        features = tuple(str(name) for name in header.pop("features"))
        _check_arrays(arrays, len(codes), len(features), link)
        if not all(UNCLASSIFIED < code < NODATA for code in codes) or len(codes) < 2:
            raise ValueError("its classes have no codes from 1 to 254")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such forest; train it first") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: no forest, {error} is missing; train it again") from error
    except (ValueError, OSError, *DAMAGED_ARCHIVE) as error:
        raise InputError(f"{path}: no forest ({error}); train it again") from error
    return Forest(codes, names, features, **arrays, header=header, link=link)


def require_same_bands(
    forest: Forest,
    layers: Sequence[str],
    wavelengths: Sequence[tuple[float | None, float | None]],
    where: str,
) -> dict[str, object]:
    """Where a forest was trained (scene, synthetic), if a scene has the layers that it asks for.

    `layers` are the scene's, `wavelengths` their (centre, width) in µm, None where unknown; a
    layer must lie where it lay in training (`same_wavelength`). Raises InputError, naming the
    forest by `where` and the layer, for one that is missing or lies elsewhere, and for a forest
    that does not say what it was trained on.
    """
    header = forest.header
    try:
        asked = [str(name) for name in header["layers"]]
        trained = [(centre, width) for centre, width in header["wavelengths_um"]]
        origin = {
            "scene": str(header["trained_on"]["scene"]),
            "synthetic": bool(header["trained_on"]["synthetic"]),
        }
        if len(asked) != len(trained):
            raise ValueError("layers and wavelengths_um differ in length")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{where}: does not say which bands of which scene it was trained on ({error}); train "
            "it again"
        ) from error
    for name, (centre, width) in zip(asked, trained, strict=True):
        if name not in layers:
            raise InputError(
                f"{where}: was trained on layer {name!r} of {origin['scene']}, and there is no "
                f"layer {name!r} here; there are {', '.join(layers)}"
            )
        here = wavelengths[list(layers).index(name)][0]
        if not same_wavelength(here, centre, width):
            said, own = (
                "no wavelength" if value is None else f"{value:g} µm" for value in (centre, here)
            )
            raise InputError(
                f"{where}: was trained on layer {name} at {said}, here it is at {own}; use a "
                "forest of the same sensor"
            )
    return origin


def _check_arrays(arrays: dict[str, np.ndarray], classes: int, features: int, link: str) -> None:
    """Raise ValueError unless the arrays are trees that the kernel can descend safely."""
    for name, (dtype, dimensions) in ARRAYS.items():
        if arrays[name].dtype != np.dtype(dtype) or arrays[name].ndim != dimensions:
            raise ValueError(f"{name} is of the wrong type or shape")
    offsets, feature, left = arrays["offsets"], arrays["feature"], arrays["left"].astype("i8")
    leaf, value, threshold = arrays["leaf"], arrays["value"], arrays["threshold"]
    nodes = len(feature)
    if len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != nodes or (np.diff(offsets) < 1).any():
        raise ValueError("its trees do not follow each other")
    if not len(threshold) == len(left) == len(leaf) == nodes or value.shape[1:] != (classes,):
        raise ValueError("its arrays have different lengths")
    tree = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    own = np.arange(nodes) - offsets[:-1][tree]
    size = np.diff(offsets)[tree]
    is_leaf = feature == -1
    inner = ~is_leaf
    if not ((feature >= -1) & (feature < features)).all():
        raise ValueError("a node asks for a feature that there is not")
    if not ((left[inner] > own[inner]) & (left[inner] + 1 < size[inner])).all():
        raise ValueError("a node has no children")
    if not np.isfinite(threshold[inner]).all() or not np.isposinf(threshold[is_leaf]).all():
        raise ValueError("a threshold is not a number")
    if (left[is_leaf] != own[is_leaf]).any() or (leaf[inner] != -1).any():
        raise ValueError("a leaf leads on")
    if not ((leaf[is_leaf] >= 0) & (leaf[is_leaf] < len(value))).all():
        raise ValueError("a leaf has no values")
    if link == SOFTMAX:
        rounds = len(offsets) - 2
        if rounds < 1 or rounds % (1 if classes == 2 else classes):
            raise ValueError("its trees are not one a class in each round")
        if not np.isfinite(value).all():
            raise ValueError("a value of a leaf is not a number")
    elif not ((value >= 0) & (value <= 1)).all() or (np.abs(value.sum(axis=1) - 1) > 1e-9).any():
        raise ValueError("the values of a leaf are no shares")
