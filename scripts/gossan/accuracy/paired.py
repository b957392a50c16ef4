"""Two maps tested on the same ground: the scores of both, and their difference, block by block."""

from collections.abc import Sequence

import numpy as np

from gossan.accuracy.blocks import Bootstrap
from gossan.accuracy.intervals import Kind, estimate
from gossan.accuracy.scores import score_confusion, weigh_blocks
from gossan.errors import InputError

MEASURES = {
    "overall_accuracy": "overall",
    "kappa": "kappa",
    "macro_f1": "macro_f1",
}
"""Scores that are compared, by their names in records; then those of single classes."""
OF_CLASSES = ("precision", "recall", "f1")


def compare_blocks(
    first: np.ndarray, second: np.ndarray, names: Sequence[str], bootstrap: Bootstrap
) -> list[dict]:
    """Scores of two maps and of the second less the first, with 95 % intervals, ready for a table.

    `first` and `second` (n, K, K) are confusion counts of the same spatial blocks in the same
    order, rows truth, columns map, index 0 other ground; `names` are the K - 1 classes after it.
    Each row has `measure`, `class` (empty for scores of all classes), and `first`, `second` and
    `difference`, each with `value`, `low` and `high`. Both maps draw the same blocks in each
    sample, so what is easy or hard about a block is in both and not in the difference.

    Raises InputError where the blocks do not hold the same pixels of the truth.
    """
    if first.shape != second.shape or (first.sum(axis=2) != second.sum(axis=2)).any():
        raise InputError("two maps that are compared were not tested on the same ground")
    both = [np.asarray(counts) for counts in (first, second)]
    points = [score_confusion(counts.sum(axis=0)) for counts in both]
    draws = [score_confusion(bootstrap.resample(counts)) for counts in both]
    weights = [weigh_blocks(counts) for counts in both]

    def row(measure: str, field: str, place: int | None, name: str) -> dict:
        pick = (lambda array: array) if place is None else (lambda array: array[..., place])
        values = [float(pick(getattr(item, field))) for item in points]
        samples = [pick(getattr(item, field)) for item in draws]
        own = [pick(getattr(item, field)) for item in weights]
        kind = Kind.AGREEMENT if field == "kappa" else Kind.SHARE
        told = [estimate(*parts, kind) for parts in zip(values, samples, own, strict=True)]
        # Kappa reaches below 0, so that two of them may lie up to 2 apart.
        reach = 2 if field == "kappa" else 1
        apart = (values[1] - values[0]) / reach, (samples[1] - samples[0]) / reach
        gain = estimate(*apart, sum(own) / 2, Kind.DIFFERENCE)
        gain = {end: None if value is None else value * reach for end, value in gain.items()}
        return {
            "measure": measure,
            "class": name,
            **dict(zip(("first", "second", "difference"), (*told, gain), strict=True)),
        }

    rows = [row(measure, field, None, "") for measure, field in MEASURES.items()]
    for place, name in enumerate(names, start=1):
        rows += [row(measure, measure, place, name) for measure in OF_CLASSES]
    return rows
