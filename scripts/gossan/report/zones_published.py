"""What the report says of zones as published: beside ours, and what a paper claims of details."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gossan.files import read_json
from gossan.report.phrases import UNDEFINED, capitalise, join_words, number, with_interval
from gossan.report.sections import Source
from gossan.tables import read_table, value_of
from gossan.zones.zone_labels import ANOMALY

Rows = Sequence[Mapping[str, str]]

HINDSIGHT = "best published in hindsight"
MEASURES = {
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "kappa": "Kappa",
    "overall_accuracy": "Overall accuracy",
}
QUESTIONS = {
    "faults": ("HL", "size", "larger near faults than elsewhere"),
    "zones": ("LH", "size", "larger in {first} than in {second}"),
}
"""A claim about details: sub-band, measure, and what is claimed."""


@dataclass(frozen=True)
class Details:
    """What was asked of the details: rows of details.csv, and the record beside it."""

    rows: Rows
    record: Mapping


@dataclass(frozen=True)
class Published:
    """The method as published: rows of its anomalies.csv and scores.csv, and its details."""

    anomalies: Rows
    rules: Rows
    details: Details


def read_details(source: Source, place: str) -> Details:
    """What assess_details left in a place of the method's folder."""
    folder = source.folder / place
    rows = read_table(folder / "details.csv", ["question", "band", "measure", "auc"])
    return Details(rows, read_json(folder / "details.json"))


def read_published(source: Source) -> Published | None:
    """What the method as published left; None where it did not run."""
    if not source.holds("published"):
        return None
    folder = source.folder / "published"
    return Published(
        read_table(folder / "mad/anomalies.csv", ["band", "anomalies", "pixels", "share"]),
        read_table(folder / "scores.csv", ["zone", "band", "level", "found"]),
        read_details(source, "published/wavelets"),
    )


def main_band(paper: Mapping, bands: Sequence[str]) -> str:
    """The band of the paper's first rule, its main number, if it is there; else the first band."""
    named = [entry["band"] for entry in paper.get("rules", [])[:1]]
    return next((band for band in named if band in bands), bands[0])


def name_map(band: str, level: str) -> str:
    """A map of the method as published in words."""
    if level == ANOMALY:
        return f"anomalies of band {band}"
    if level == "either":
        return f"band {band}, either level"
    return f"band {band}, {level} confidence"


def beside_rows(item: Mapping, paper: Mapping) -> list[dict]:
    """Measures of a zone's maps as published beside those of the score, on the same pixels.

    `item` is the zone's part of the record of score_alteration. Maps are those that the paper has
    numbers of, and the one of best F1 here; a map's first row has its name and how many rows it
    has as `rows`.
    """
    methods = {method["method"]: method for method in item["methods"]}
    differences = {other["other"]: other.get("differences") for other in item["comparisons"]}
    printed = _printed(paper, item["zone"])
    names = [f"published {band} {level}" for band, level in printed]
    best = (methods[HINDSIGHT]["chosen"] if HINDSIGHT in methods else None) or []
    rows = []
    for name in dict.fromkeys([*names, *best]):
        if name not in methods:
            continue
        band, _, level = name.removeprefix("published ").rpartition(" ")
        note = ", the best of all here, chosen in hindsight" if name in best else ""
        for place, (measure, title) in enumerate(MEASURES.items()):
            rows.append(
                {
                    "map": f"{capitalise(name_map(band, level))}{note}" if not place else "",
                    "rows": len(MEASURES) if not place else 0,
                    "measure": title,
                    "paper": printed.get((band, level), {}).get(measure, ""),
                    "published": methods[name][measure],
                    "own": methods["score"][measure],
                    "difference": differences[name][measure],
                }
            )
    return rows


def _printed(paper: Mapping, zone: str) -> dict[tuple[str, str], dict[str, str]]:
    """The paper's numbers of a zone's maps by (band, level) and measure, as text."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for entry in paper.get("rules", []):
        if entry["zone"] == zone:
            own = found.setdefault((entry["band"], entry["level"]), {})
            precision, recall = entry["precision_percent"], entry["recall_percent"]
            own["precision"] = f"{precision / 100:.3f}"
            if recall is not None:
                own["recall"] = f"{recall / 100:.3f}"
                own["f1"] = f"{2 * precision * recall / (precision + recall) / 100:.3f} (follows)"
    for entry in paper.get("statistics", []):
        if entry["kind"] == "kappa" and entry["zone"] == zone:
            found.setdefault((entry["band"], entry["level"]), {})["kappa"] = entry["paper"]
    return found


def describe_beside(item: Mapping) -> str:
    """Which is better for a zone by F1 and by how much: ours, or the best map as published."""
    methods = {method["method"]: method for method in item["methods"]}
    compared = {other["other"]: other["differences"] for other in item["comparisons"]}
    if HINDSIGHT not in methods or HINDSIGHT not in compared:
        return ""
    name = methods[HINDSIGHT]["chosen"][0].removeprefix("published ")
    band, _, level = name.rpartition(" ")
    apart = compared[HINDSIGHT]["f1"]
    return (
        f"{capitalise(item['zone'])}: the alteration score, on blocks that it did not learn from, "
        f"has an F1 of {with_interval(methods['score']['f1'])}; the method as published has "
        f"{with_interval(methods[HINDSIGHT]['f1'])} at its best, {name_map(band, level)}, which "
        f"was chosen in hindsight. {_verdict(apart)}"
    )


def _verdict(apart: Mapping) -> str:
    """Which of two is better by the interval of ours less the other's F1."""
    size = number(abs(apart["value"])) if apart["value"] is not None else UNDEFINED
    if apart["low"] is None:
        return f"They lie {size} apart, without an interval to judge by."
    ends = f"95 % interval of the difference {apart['low']:.3f} to {apart['high']:.3f}"
    if apart["low"] > 0:
        return f"Ours is better by {size} ({ends})."
    if apart["high"] < 0:
        return f"The method as published is better by {size} ({ends})."
    larger = "Ours" if apart["value"] > 0 else "The method as published"
    return f"{larger} is {size} above the other, which cannot be told from no difference ({ends})."


def confusion_rows(rows: Rows, zone: str) -> list[dict]:
    """The maps of anomalies against a zone: the four cells of each confusion matrix, and scores."""
    told = []
    for row in rows:
        if row["zone"] != zone or row["level"] != ANOMALY or not row.get("recall"):
            continue
        n, inside, found, right = (int(row[key]) for key in ("n", "n_reference", "found", "right"))
        told.append(
            {
                "band": row["band"],
                "cells": [right, found - right, inside - right, n - inside - found + right],
                "scores": [value_of(row, name) for name in MEASURES],
            }
        )
    return told


def describe_details(details: Details) -> list[str]:
    """Whether what a paper claims of details holds here: HL near faults, LH from zone to zone."""
    sentences = []
    for question, (subband, measure, claim) in QUESTIONS.items():
        reason = details.record["untested"].get(question)
        if reason:
            sentences.append(f"{subband} was not tested: {reason}.")
            continue
        rows = [
            row for row in details.rows if row["question"] == question and row["measure"] == measure
        ]
        for pair in dict.fromkeys((row["first"], row["second"]) for row in rows):
            own = [row for row in rows if (row["first"], row["second"]) == pair]
            sentences.append(_judge(own, subband, claim.format(first=pair[0], second=pair[1])))
    return sentences


def _judge(rows: Rows, subband: str, claim: str) -> str:
    """A sentence on whether a claim holds, from the intervals of each band."""
    text = f"That {subband} is {claim}"
    judged = [row for row in rows if row["auc_low"]]
    if not judged:
        return f"{text} cannot be judged: too few spatial blocks hold such ground."
    more = [row for row in judged if float(row["auc_low"]) > 0.5]
    less = [row for row in judged if float(row["auc_high"]) < 0.5]
    if len(more) == len(judged):
        verdict = (
            f"holds in all {len(judged)} bands" if len(judged) > 1 else "holds in the one band"
        )
    elif more:
        verdict = f"holds in {len(more)} of {len(judged)} bands ({_areas(more)})"
    else:
        verdict = f"holds in none of {len(judged)} bands"
    against = f"; in {len(less)} it is the other way round ({_areas(less)})" if less else ""
    rest = len(judged) - len(more) - len(less)
    open_ones = f"; in {rest} the interval holds 0.5, which is no difference" if rest else ""
    return f"{text} {verdict}{against}{open_ones}."


def _areas(rows: Rows) -> str:
    return join_words([f"band {row['band']}: {float(row['auc']):.2f}" for row in rows])


def detail_rows(details: Details) -> list[dict]:
    """The rows of the details for a table."""
    return [
        {
            "what": f"{row['subband']}, {row['measure']}",
            "band": row["band"],
            "first": row["first"],
            "second": row["second"],
            "n": f"{int(row['n_first']):,}, {int(row['n_second']):,}",
            "blocks": f"{row['blocks_first']}, {row['blocks_second']}",
            "means": f"{number(row['mean_first'], 4)}, {number(row['mean_second'], 4)}",
            "auc": value_of(row, "auc"),
        }
        for row in details.rows
    ]
