"""The combined map beside each method alone, on the same test pixels.

A method alone is tested twice: in the order of its own evidence (`own`), and calibrated as the
combined map is, from its own maps alone and with the same folds (`learned`). All scores are held
out: none learned from the spatial block that tests it. Thresholds, too, are chosen on other folds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gossan.accuracy.blocks import Bootstrap, gather
from gossan.accuracy.intervals import Kind, estimate
from gossan.zones.alteration_score import (
    average_precision,
    best_threshold,
    place_scores,
    sweep_thresholds,
)

COMBINED = "combined"
STEPS = 512
"""Thresholds of a score that are tried: its values over the test pixels, or so many quantiles."""
ENDS = ("", "_low", "_high")
COLUMNS = (
    *("map", "scale", "n", "favourable", "blocks"),
    *(f"{name}{end}" for name in ("average_precision", "gain", "ratio") for end in ENDS),
    *("precision", "recall", "f1", "best_alone", "synthetic"),
)
"""`gain` and `ratio`: average precision of the combined map less, and over, that of the row."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Test pixels, (n,) each: their spatial block and its fold, and whether they are favourable."""

    block: np.ndarray
    fold: np.ndarray
    favourable: np.ndarray


def compare_maps(
    scores: Mapping[tuple[str, str], np.ndarray], tested: HeldOut, bootstrap: Bootstrap
) -> list[dict]:
    """Rows of the table: `scores` (n,) by (map, scale), of which the first is the combined map.

    Average precision with a 95 % interval by spatial blocks; difference and ratio to that of the
    combined map from the same bootstrap samples; precision, recall and F1 at thresholds with the
    best F1 on the other folds. `best_alone` marks the row of the best method, chosen on these very
    pixels, which favours it.
    """
    counts = {key: _count(score, tested) for key, score in scores.items()}
    totals = {key: average_precision(own.sum(axis=0)) for key, own in counts.items()}
    draws = {key: average_precision(bootstrap.resample(own)) for key, own in counts.items()}
    weights = gather(tested.block, tested.favourable.astype(np.int64))
    first = next(iter(scores))
    alone = {key: value for key, value in totals.items() if not key[0].startswith(first[0])}
    best = max(alone, key=lambda key: alone[key]) if alone else None
    rows = []
    for key in scores:
        row = {
            "map": key[0],
            "scale": key[1],
            "n": len(tested.block),
            "favourable": int(tested.favourable.sum()),
            "blocks": len(weights),
            **_ends("average_precision", estimate(totals[key], draws[key], weights)),
            **_at_thresholds(counts[key], tested),
            "best_alone": "yes" if key == best else "",
        }
        if key != first:
            gain = totals[first] - totals[key], draws[first] - draws[key]
            ratio = totals[first] / totals[key], draws[first] / draws[key]
            row |= _ends("gain", estimate(*gain, weights, Kind.DIFFERENCE))
            row |= _ends("ratio", estimate(*ratio, weights, Kind.RATIO))
        rows.append(row)
    return rows


def _ends(name: str, told: Mapping[str, float | None]) -> dict[str, float | None]:
    return {
        f"{name}{end}": told[key] for end, key in zip(ENDS, ("value", "low", "high"), strict=True)
    }


def _count(score: np.ndarray, tested: HeldOut) -> np.ndarray:
    """Pixels of each block by the thresholds that they reach: (blocks, STEPS, 2)."""
    known = np.where(np.isfinite(score), score, -np.inf).astype(np.float32)
    edges = np.unique(known[np.isfinite(known)])
    if len(edges) >= STEPS:
        shares = np.linspace(0, 1, STEPS - 1)
        edges = np.unique(np.quantile(known[np.isfinite(known)], shares, method="lower"))
    reached = place_scores(known, edges)
    used, place = np.unique(tested.block, return_inverse=True)
    cell = (place * STEPS + reached) * 2 + tested.favourable
    return np.bincount(cell, minlength=len(used) * STEPS * 2).reshape(len(used), STEPS, 2)


def _at_thresholds(counts: np.ndarray, tested: HeldOut) -> dict[str, float | None]:
    """Precision, recall and F1 where each fold is cut at what is best on the others."""
    _, first = np.unique(tested.block, return_index=True)
    fold = tested.fold[first]
    right = found = 0.0
    for number in np.unique(fold):
        others = counts[fold != number].sum(axis=0)
        curve = sweep_thresholds(counts[fold == number].sum(axis=0))
        place = best_threshold(others)
        right += curve.right[place]
        found += curve.found[place]
    wanted = float(tested.favourable.sum())
    return {
        "precision": round(right / found, 6) if found else None,
        "recall": round(right / wanted, 6) if wanted else None,
        "f1": round(2 * right / (found + wanted), 6) if found + wanted else None,
    }
