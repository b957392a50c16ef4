"""What the report says of networks as published beside the study's own, all made from numbers."""

from collections.abc import Mapping, Sequence

from gossan.embedding.sensor_scores import (
    LIBRARY,
    MACRO,
    ORACLE,
    PIXELS,
    VALIDATION,
    Rows,
    list_minerals,
    method_label,
    name_sensors,
    parse_sensors,
    pick,
    similarities,
)
from gossan.report.phrases import capitalise, count, join_words, with_interval
from gossan.tables import number, value_of

KINDS = {
    ORACLE: "chosen on the test pixels themselves, as the paper chose it",
    VALIDATION: "chosen on validation pixels in other blocks",
}
MEASURES = {"recall": "recall", "precision": "precision", "f1": "F1"}
SIDES = ("published", "own", "difference")
WAYS = {
    "preparation": {
        "plain": "plain reflectance",
        "sharpened": "spectra sharpened and normalised by sensor",
    },
    "mining": {
        "random": "triplets as drawn",
        "semi-hard": "the nearest negatives farther than the positive",
    },
    "negatives": {
        "minerals": "the sought minerals alone, without others as rivals",
        "library": "all minerals of the libraries as rivals",
    },
    "masks": {
        "each": "sensors hidden from each spectrum of a triplet by a draw of its own",
        "paired": "sensors hidden from the positive, and from half of the anchors the same",
    },
    "distance": {
        "centroids": "zeros for missing sensors, and the distance to the mean embedding of a "
        "mineral's spectra of all sensors",
        "records": "the distance to the nearest record, embedded with the pixel's own sensors",
    },
}
"""How a network is made, by its training, in words."""
ENDS = 5
"""Sets of missing sensors that a table tells from each end."""
TIED = 1e-3
"""Similarities of the paper that are nearer than this are not told apart."""


def beside_table(rows: Rows, paper: Sequence[Mapping]) -> list[dict]:
    """A table for each way of choosing thresholds: the paper's number, both networks, difference.

    `rows` are those of compare_embeddings, `paper` entries of `mineral`, `method`, `recall` and
    `f1`. The mean comes first, then the minerals of the paper, which `lead` with it.
    """
    printed = {(entry["mineral"], entry["method"]): entry for entry in paper}
    leading = [MACRO, *dict.fromkeys(entry["mineral"] for entry in paper)]
    minerals = [*leading, *(name for name in list_minerals(rows) if name not in leading)]
    tables = []
    for kind, words in KINDS.items():
        lines = []
        for mineral in minerals:
            for row in pick(rows, threshold_kind=kind, mineral=mineral):
                own = printed.get((mineral, row["network"]), {}) if kind == ORACLE else {}
                lines.append(
                    {
                        "mineral": "Mean of the minerals"
                        if mineral == MACRO
                        else mineral.capitalize(),
                        "leads": mineral in leading or len(leading) == 1,
                        "network": method_label(row["network"]),
                        "measure": MEASURES[row["measure"]],
                        "n": count(number(row, "n")),
                        "n_mineral": count(number(row, "n_mineral")),
                        "paper": own.get(row["measure"]),
                        **{side: value_of(row, side) for side in SIDES},
                    }
                )
        if lines:
            tables.append({"kind": kind, "words": words, "lines": lines})
    return tables


def describe_ways(training: Mapping[str, object]) -> str:
    """How a network is made, in words; what the record does not tell is left out."""
    told = [words.get(str(training.get(key)), "") for key, words in WAYS.items()]
    return "; ".join(text for text in told if text)


def describe_beside(rows: Rows) -> str:
    """Which masked network is better in F1, and by how much; with both kinds of threshold."""
    told = []
    for kind, words in KINDS.items():
        found = pick(rows, threshold_kind=kind, mineral=MACRO, network="masked")
        if not found or number(found[0], "difference") is None:
            continue
        published, own, apart = (value_of(found[0], side) for side in SIDES)
        told.append(
            f"with thresholds {words}, the masked network as published has a mean F1 of "
            f"{with_interval(published)} and ours of {with_interval(own)}: {_verdict(apart)}; "
            f"{_by_mineral(pick(rows, threshold_kind=kind, network='masked', measure='f1'))}"
        )
    return " ".join(f"{capitalise(text)}." for text in told)


def _by_mineral(rows: Rows) -> str:
    """For which minerals the difference is beyond its interval, either way."""
    better, worse, unsure = [], [], []
    for row in rows:
        if row["mineral"] == MACRO:
            continue
        low, high = number(row, "difference_low"), number(row, "difference_high")
        sure = low is not None and not low <= 0 <= high
        kind = unsure if not sure else better if low > 0 else worse
        kind.append(row["mineral"])
    parts = [
        f"{who} is better for {join_words(names)}"
        for who, names in (("ours", better), ("that as published", worse))
        if names
    ]
    if not parts:
        return "of no single mineral does the 95 % interval of the difference leave out 0"
    text = f"of single minerals, {join_words(parts)} (95 % intervals of the difference without 0)"
    return text + (f", {len(unsure)} undecided" if unsure else "")


def _verdict(apart: Mapping) -> str:
    """Which of two is better, from the difference of their values and its interval."""
    value = apart["value"]
    better = "ours is better" if value > 0 else "that as published is better"
    text = "they are equal" if value == 0 else f"{better} by {abs(value):.3f}"
    if apart["low"] is None:
        return f"{text} (no interval of the difference: too few blocks)"
    ends = f"95 % interval of the difference {apart['low']:+.3f} to {apart['high']:+.3f}"
    if apart["low"] <= 0 <= apart["high"]:
        return f"{text}, which may be chance ({ends})"
    return f"{text} ({ends})"


def moved_tables(rows: Rows, paper: Sequence[Mapping]) -> list[dict]:
    """Table 2 of each mineral: the sets of missing sensors that move it least, and most.

    `rows` are those of compare_embeddings; the sets are chosen by single library spectra and the
    network as published, and those that the `paper` prints (`mineral`, `missing`, `cosine`) stand
    with them. A cell is (cosine, distance).
    """
    sources = [("published", LIBRARY), ("own", LIBRARY), ("published", PIXELS), ("own", PIXELS)]
    found = {
        source: tuple(
            similarities(pick(rows, network=source[0], spectra=source[1]), column)
            for column in ("cosine", "euclidean")
        )
        for source in sources
    }
    first = found[sources[0]][0]
    tables = []
    printed = list(dict.fromkeys(entry["mineral"] for entry in paper))
    names = list_minerals(rows)
    for mineral in [*printed, *(name for name in names if name not in printed)]:
        values = {missing: own[mineral] for missing, own in first.items() if mineral in own}
        if not values:
            continue
        order = sorted(values, key=lambda missing: -values[missing])
        theirs = {
            parse_sensors("+".join(entry["missing"])): entry["cosine"]
            for entry in paper
            if entry["mineral"] == mineral
        }
        ends = order if len(order) <= 2 * ENDS else [*order[:ENDS], *order[-ENDS:]]
        tables.append(
            {
                "mineral": mineral.capitalize(),
                "leads": mineral in printed or not printed,
                "lines": [
                    {
                        "missing": name_sensors(missing),
                        "paper": theirs.get(missing),
                        "follows": None
                        if missing not in theirs
                        else max(2 - 2 * theirs[missing], 0) ** 0.5,
                        "cells": [
                            tuple(column.get(missing, {}).get(mineral) for column in found[source])
                            for source in sources
                        ],
                    }
                    for missing in order
                    if missing in ends or missing in theirs
                ],
            }
        )
    return tables


def check_conclusions(
    comparison: Rows, moved: Rows, detection: Rows, paper: Mapping
) -> list[dict[str, str]]:
    """What the paper concludes from its numbers, its numbers, those of this run, and whether it
    holds here.

    Scores are of the networks as published, at the thresholds of the test pixels, as the paper's
    are; `detection` has the baselines' of the same pixels.
    """
    rows = [
        *_check_masking(comparison, paper.get("detection", [])),
        *_check_baselines(comparison, detection, paper.get("detection", [])),
        *_check_order_of_sets(moved, paper.get("similarity", [])),
        *_check_order_of_minerals(moved, paper.get("similarity", [])),
    ]
    return [row for row in rows if row]


def _score(rows: Rows, network: str, mineral: str, measure: str) -> float | None:
    found = pick(rows, network=network, mineral=mineral, measure=measure, threshold_kind=ORACLE)
    return number(found[0], "published") if found else None


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _holds(checks: Sequence[bool]) -> str:
    if all(checks):
        return "holds"
    return "does not hold" if not any(checks) else f"holds in {sum(checks)} of {len(checks)}"


def _check_masking(rows: Rows, paper: Sequence[Mapping]) -> list[dict[str, str]]:
    """Whether masking moves F1 and recall the way it does in the paper."""
    told = []
    for measure in ("f1", "recall"):
        checks, theirs, ours = [], [], []
        for mineral in dict.fromkeys(entry["mineral"] for entry in paper):
            pair = [
                next(
                    (
                        entry[measure]
                        for entry in paper
                        if (entry["mineral"], entry["method"]) == (mineral, network)
                    ),
                    None,
                )
                for network in ("unmasked", "masked")
            ]
            own = [_score(rows, network, mineral, measure) for network in ("unmasked", "masked")]
            if None in pair or None in own:
                continue
            checks.append(_sign(own[1] - own[0]) == _sign(pair[1] - pair[0]))
            theirs.append(f"{mineral} {pair[0]:.3f} to {pair[1]:.3f}")
            ours.append(f"{mineral} {own[0]:.3f} to {own[1]:.3f}")
        if checks:
            told.append(
                {
                    "claim": f"What masking does to {MEASURES[measure]}",
                    "paper": join_words(theirs),
                    "ours": join_words(ours),
                    "verdict": _holds(checks),
                }
            )
    return told


def _check_baselines(rows: Rows, detection: Rows, paper: Sequence[Mapping]) -> list[dict[str, str]]:
    """Whether the masked network finds better than each baseline that the paper has."""
    told = []
    for method in dict.fromkeys(entry["method"] for entry in paper):
        if method in ("masked", "unmasked"):
            continue
        checks, theirs, ours = [], [], []
        for entry in paper:
            if entry["method"] != method:
                continue
            mineral = entry["mineral"]
            network = next(
                (
                    other["f1"]
                    for other in paper
                    if (other["mineral"], other["method"]) == (mineral, "masked")
                ),
                None,
            )
            own = _score(rows, "masked", mineral, "f1")
            baseline = pick(detection, method=method, mineral=mineral, threshold_kind=ORACLE)
            rival = number(baseline[0], "f1") if baseline else None
            if None in (network, own, rival):
                continue
            checks.append(_sign(own - rival) == _sign(network - entry["f1"]))
            theirs.append(f"{mineral} {network:.3f} against {entry['f1']:.3f}")
            ours.append(f"{mineral} {own:.3f} against {rival:.3f}")
        if checks:
            told.append(
                {
                    "claim": f"F1 of the masked network against the {method_label(method)}",
                    "paper": join_words(theirs),
                    "ours": join_words(ours),
                    "verdict": _holds(checks),
                }
            )
    return told


def _check_order_of_sets(rows: Rows, paper: Sequence[Mapping]) -> list[dict[str, str]]:
    """Whether the printed sets of missing sensors move a mineral's embedding in the same order."""
    own = similarities(pick(rows, network="published", spectra=LIBRARY), "cosine")
    told = []
    for mineral in dict.fromkeys(entry["mineral"] for entry in paper):
        pairs = [
            (name_sensors(entry["missing"]), entry["cosine"], value)
            for entry in paper
            if entry["mineral"] == mineral
            and (value := own.get(tuple(entry["missing"]), {}).get(mineral)) is not None
        ]
        told.append(_order_row(f"Which missing sensors move {mineral}", pairs))
    return told


def _check_order_of_minerals(rows: Rows, paper: Sequence[Mapping]) -> list[dict[str, str]]:
    """Whether the same minerals are moved more by a printed set of missing sensors."""
    own = similarities(pick(rows, network="published", spectra=LIBRARY), "cosine")
    told = []
    for missing in dict.fromkeys(tuple(entry["missing"]) for entry in paper):
        pairs = [
            (entry["mineral"], entry["cosine"], value)
            for entry in paper
            if tuple(entry["missing"]) == missing
            and (value := own.get(missing, {}).get(entry["mineral"])) is not None
        ]
        told.append(_order_row(f"Which mineral moves without {name_sensors(missing)}", pairs))
    return told


def _order_row(claim: str, pairs: Sequence[tuple[str, float, float]]) -> dict[str, str]:
    """Whether values stand in the order of the paper's, where these are told apart."""
    checks = [
        _sign(one[2] - other[2]) == _sign(one[1] - other[1])
        for place, one in enumerate(pairs)
        for other in pairs[place + 1 :]
        if abs(one[1] - other[1]) > TIED
    ]
    if not checks:
        return {}
    return {
        "claim": claim,
        "paper": join_words([f"{name} {theirs:.4f}" for name, theirs, _ in pairs]),
        "ours": join_words([f"{name} {ours:.4f}" for name, _, ours in pairs]),
        "verdict": _holds(checks),
    }


def count_conclusions(rows: Sequence[Mapping[str, str]]) -> str:
    """How many of the paper's conclusions hold here, in a sentence."""
    if not rows:
        return ""
    kept = [row for row in rows if row["verdict"] == "holds"]
    lost = [row["claim"] for row in rows if row["verdict"] == "does not hold"]
    partly = [row["claim"] for row in rows if row["verdict"].startswith("holds in")]
    text = f"Of {len(rows)} conclusions that the paper's numbers allow, {len(kept)} hold here"
    if partly:
        text += f", {len(partly)} in part ({'; '.join(partly)})"
    if lost:
        text += f", and {len(lost)} not ({'; '.join(lost)})"
    return f"{text}."
