"""The accuracy record: how right a map is, or why nobody can say.

Every method that tests a map makes its record here, so that all records have the same parts in the
same order (`record` in workflow/schemas/accuracy.schema.json) and come of the same statistics.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gossan.accuracy.blocks import Bootstrap
from gossan.accuracy.intervals import INTERVAL_RULE
from gossan.accuracy.scores import assess_blocks
from gossan.legend import MapClass

WITHOUT_TRUTH = "The scene has no ground truth, so no accuracy can be stated."
"""Why a map of a scene without ground truth is not assessed."""

RULES: Mapping[str, str] = {
    "other": (
        "Pixels of the truth whose class is none of the study's classes count as 'other'; they are "
        "right where the map says 'unclassified'."
    ),
    "study_classes": (
        "scores_study_classes counts only pixels of the truth of the study's classes; a pixel of "
        "them that the map leaves unclassified is a miss. Null where the study has one class: its "
        "pixels alone say no more than its recall."
    ),
    "macro_f1": (
        "The plain mean of F1 over the classes present in the truth, 'other' included where "
        "it is counted; a class of the truth that is never mapped has F1 = 0."
    ),
    "interval": INTERVAL_RULE,
    "stratified": (
        "Area-weighted estimators and standard errors of Olofsson et al. (2014); the population "
        "is the clear map pixels that have ground truth. 95 % t intervals on the logit scale. A "
        "standard error of 0 means that no sampled pixel disagreed, not that none does: there the "
        "interval is that of exact (Clopper-Pearson) limits."
    ),
}
"""How the numbers of a record are to be read; written into each record."""


@dataclass(frozen=True)
class TruthSource:
    """What a map was tested against.

    `file` is the file's name, `kind` "raster", "points" or "polygons", `note` says how it came
    onto the map's grid, `synthetic` whether it says that it was simulated (None: it says nothing,
    and what holds for the map holds for it), `conflicts` how many pixels two of its classes claim.
    """

    file: str
    kind: str
    note: str
    synthetic: bool | None = None
    conflicts: int = 0


def class_labels(classes: Sequence[MapClass]) -> list[dict]:
    """The classes of a confusion matrix: other ground, then the study's classes."""
    return [
        {"code": 0, "name": "other", "label": "Other / unclassified"},
        *({"code": item.code, "name": item.name, "label": item.label} for item in classes),
    ]


def make_record(
    blocks: np.ndarray,
    labels: Sequence[dict],
    *,
    scene: str,
    method: str,
    synthetic: bool,
    truth: TruthSource,
    split: str,
    bootstrap: Bootstrap,
    rules: Mapping[str, str] = RULES,
    per_class: int | None = None,
    map_weights: np.ndarray | None = None,
    truth_weights: np.ndarray | None = None,
    stratified: dict | None = None,
) -> dict:
    """The accuracy record of a map (`record` in workflow/schemas/accuracy.schema.json).

    `blocks` (n, K, K) are confusion counts per spatial block, rows truth, columns map; index 0 is
    other ground. `labels` are its K classes (`class_labels`). `synthetic` says whether the map is
    of a simulated scene, `split` how training was kept apart from testing. `per_class` pixels of
    each class at most were drawn for the test; None means that all were tested. A sample drawn by
    class of the map is weighed by `map_weights` (K,), one by class of the truth by `truth_weights`
    (K,): how many pixels each sampled one stands for. `stratified` are the area-weighted
    estimates of such a sample (`scores.describe_stratified`).
    """
    weighed = blocks if truth_weights is None else blocks * truth_weights[:, None]

    def assess(counts: np.ndarray) -> dict:
        return assess_blocks(counts, labels, bootstrap.replicates, bootstrap.seed, map_weights)

    scores = study = assess(weighed)
    if len(labels) == 2:
        study = None
    elif weighed[:, 0].any():
        study_blocks = weighed.copy()
        study_blocks[:, 0] = 0
        study = assess(study_blocks)
    return {
        "scene": scene,
        "method": method,
        "assessed": True,
        "synthetic": synthetic or bool(truth.synthetic),
        "reference": {
            "file": truth.file,
            "kind": truth.kind,
            "note": truth.note,
            "synthetic": synthetic if truth.synthetic is None else truth.synthetic,
            "n_conflicting": truth.conflicts,
        },
        "n": int(blocks.sum()),
        "split": split,
        "design": "census" if per_class is None else "stratified",
        "per_class": per_class,
        "seed": bootstrap.seed,
        "bootstrap": bootstrap.replicates,
        "block_px": bootstrap.spatial_block_px,
        "rules": dict(rules),
        "confusion_matrix": {
            "rows": "reference",
            "columns": "map",
            "labels": list(labels),
            "counts": blocks.sum(axis=0).tolist(),
        },
        "scores": scores,
        "scores_study_classes": study and {**study, "classes": study["classes"][1:]},
        "stratified": stratified,
    }


def unassessed_record(
    *, scene: str, method: str, synthetic: bool, reason: str = WITHOUT_TRUTH
) -> dict:
    """The record of a map that nothing is there to test, and the `reason`."""
    return {
        "scene": scene,
        "method": method,
        "assessed": False,
        "synthetic": synthetic,
        "reason": reason,
    }


def list_records(paths: Sequence[Path]) -> Iterator[Path]:
    """The files among the paths, and those in the folders among them by name."""
    for path in paths:
        yield from sorted(path.glob("*.json")) if path.is_dir() else [path]
