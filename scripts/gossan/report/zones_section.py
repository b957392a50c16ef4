"""What the report says of alteration zones: anomalies, wavelets, ranges of confidence, score."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gossan.files import read_json
from gossan.report.phrases import (
    UNDEFINED,
    capitalise,
    card,
    count,
    join_once,
    join_words,
    percent,
    with_interval,
)
from gossan.report.sections import (
    Scene,
    Section,
    Source,
    common_answers,
    require_rows,
    truth_text,
)
from gossan.report.zones_published import (
    HINDSIGHT,
    MEASURES,
    Details,
    Published,
    beside_rows,
    confusion_rows,
    describe_beside,
    describe_details,
    detail_rows,
    read_details,
    read_published,
)
from gossan.tables import read_table, value_of
from gossan.zones.zone_labels import METHOD_LABELS, method_label

FIGURE_TITLES = {
    "composite": "Colour composite",
    "signal": "Signal-to-noise ratio",
    "histograms": "Histograms",
    "anomalies": "Anomalies",
    "subbands": "Wavelet sub-bands",
    "profile": "Profile of the horizontal detail",
    "details": "Details near faults and from zone to zone",
    "wavelets": "Wavelets side by side",
    "levels": "Precision and recall by band and level",
    "published-subbands": "Wavelet sub-bands as published",
    "published-details": "Details as published",
    "published-levels": "Precision and recall as published",
    "scores": "Alteration score",
    "curves": "Precision and recall",
    "comparison": "Methods side by side",
}
CONFIDENCE_FIGURE = "confidence-"
"""Before a zone's name: its figure of confidence."""
PUBLISHED_FIGURE = "published-"
"""Before the name of a figure of the method as published."""

RULE = "the rule of fixed ranges"
LEVEL_NAMES = {"medium": "medium", "high": "high", "either": "either level"}
SINGLE_LEVELS = ("medium", "high")

OPPONENTS = {
    "SAM": "the Spectral Angle Mapper",
    "best ratio on training blocks": "the best band ratio",
    "best rule in hindsight": "the rule of ranges at its best",
    HINDSIGHT: "the method as published at its best",
}
"""What the score is compared with in words."""


ANSWERS = (
    *("scene", "atmosphere", "normalisation", "bands", "pixels"),
    *("anomalies", "wavelet", "ranges", "reference"),
)
"""Rows of a published set-up that this section answers."""
ANOMALY_COLUMNS = ("band", "median", "mad", "n", "centre", "side", "anomalies", "pixels", "share")
RULE_COLUMNS = ("zone", "band", "level", "found")
WAVELET_COLUMNS = ("wavelet", "taps", "band", "share_LL", "entropy_bits")


@dataclass(frozen=True, kw_only=True)
class ZoneScene(Scene):
    """A scene with its alteration zones.

    `cube` is the record of the zones' own cube; `anomalies`, `rules` and `wavelets` are rows of
    anomalies.csv, of the table of assess_zones and of comparison.csv; `score` is the record of
    score_alteration, None where there is none; `published` is the method as published, None where
    it did not run.
    """

    anomalies: Sequence[Mapping[str, str]]
    rules: Sequence[Mapping[str, str]]
    wavelets: Sequence[Mapping[str, str]]
    score: Mapping | None
    details: Details
    published: Published | None = None

    @property
    def zones(self) -> list[str]:
        """The zones, in the order of the table."""
        return zone_names(self.rules)

    @property
    def assessed(self) -> bool:
        """Whether the ranges were tested."""
        return any(row.get("recall") for row in self.rules)

    @property
    def tested(self) -> Mapping[str, Mapping]:
        """What the score's record says of each zone that it was tested on."""
        if self.score is None or not self.score["assessed"]:
            return {}
        return {item["zone"]: item for item in self.score["zones"]}


def zone_names(rules: Iterable[Mapping[str, str]]) -> list[str]:
    """The zones of a table of assess_zones, in its order."""
    return list(dict.fromkeys(row["zone"] for row in rules))


def figure_titles(zones: Iterable[str], published: bool = True) -> dict[str, str]:
    """Names and titles of the figures of a scene with these zones, where it ran as published."""
    own = {f"{CONFIDENCE_FIGURE}{zone}": f"Confidence, {zone}" for zone in zones}
    own |= {f"{PUBLISHED_FIGURE}{name}": f"{title}, as published" for name, title in own.items()}
    return {
        name: title
        for name, title in (FIGURE_TITLES | own).items()
        if published or not name.startswith(PUBLISHED_FIGURE)
    }


def read_scene(source: Source) -> ZoneScene:
    """Read what the section shows; InputError for a missing file or a table without rows."""
    places = ("mad/anomalies.csv", "confidence/confidence.csv", "wavelets/comparison.csv")
    anomalies, rules, wavelets = (source.folder / place for place in places)
    rules = require_rows(rules, read_table(rules, RULE_COLUMNS))
    scored = source.holds("scored")
    published = read_published(source)
    names = figure_titles(zone_names(rules), published is not None)
    return ZoneScene(
        id=source.id,
        sensor=source.sensor,
        cube=read_json(source.folder / "cube.json"),
        figures=source.figures(list(names)),
        records=source.records("confidence", *(["score"] if scored else [])),
        details=read_details(source, "wavelets"),
        published=published,
        anomalies=require_rows(anomalies, read_table(anomalies, ANOMALY_COLUMNS)),
        rules=rules,
        wavelets=read_table(wavelets, WAVELET_COLUMNS),
        score=read_json(source.folder / "score/score.json") if scored else None,
    )


def make_section(scene: ZoneScene, source: Source) -> Section:
    """The section of a sensor's alteration zones.

    A paper may have `rules` (precision and recall of its ranges by zone, band and level) and
    `statistics` (other published numbers, see `statistic`).
    """
    return Section(
        "zones",
        scene,
        figure_titles(scene.zones, scene.published is not None),
        _context(scene, source.paper),
        summarise(scene, source.paper),
        _answers(scene, source.own),
        scene.cube,
    )


def summarise(scene: ZoneScene, paper: Mapping) -> list[str]:
    """First sentences: how well the zones were found."""
    if not scene.assessed:
        shares = [float(row["share"]) for row in scene.anomalies]
        return [
            f"In {scene.name}, {min(shares):.1%} to {max(shares):.1%} of the clear pixels are "
            f"anomalous in a band, and {RULE} mapped {join_words(scene.zones)}. No accuracy "
            "can be stated, because there is no truth to compare the maps with."
        ]
    paragraphs = [describe_score(scene, scene.name)] if scene.tested else []
    rules = paper.get("rules", [])
    found = "; ".join(describe_rule(scene, zone, rules) for zone in scene.zones)
    where = "in the same scene" if scene.tested else f"in {scene.name}"
    return [*paragraphs, f"{capitalise(RULE)}, read as it is {where}: {found}."]


def best_rule(
    scene: ZoneScene, zone: str, by: str, least_recall: float = 0.0
) -> Mapping[str, str] | None:
    """The zone's row with the largest `by`, among rows of at least a recall; None without any."""
    rows = [
        row
        for row in scene.rules
        if row["zone"] == zone and row.get(by) and float(row["recall"]) >= least_recall
    ]
    return max(rows, key=lambda row: float(row[by]), default=None)


def describe_rule(scene: ZoneScene, zone: str, rules: Sequence[Mapping]) -> str:
    """How right the ranges are on a zone: at their best, and at a published recall."""
    best = best_rule(scene, zone, "f1")
    if best is None:
        return f"for {zone} it found no pixel"
    text = (
        f"for {zone} it does best in {_place(best)}, where it finds {float(best['recall']):.1%} of "
        f"the zone (recall) and {float(best['precision']):.1%} of what it finds is right "
        "(precision)"
    )
    return ", ".join([text, *_at_published_recall(scene, zone, rules)])


def _at_published_recall(scene: ZoneScene, zone: str, rules: Sequence[Mapping]) -> list[str]:
    """Whether any band and level is as precise as the paper's at the paper's recall."""
    parts = []
    for entry in rules:
        if entry["zone"] != zone or entry["recall_percent"] is None:
            continue
        recall = f"the paper's recall of {entry['recall_percent']:g} %"
        row = best_rule(scene, zone, "precision", entry["recall_percent"] / 100)
        if row is None:
            parts.append(f"and no band and level has {recall}")
            continue
        precision = float(row["precision"])
        reached = precision >= entry["precision_percent"] / 100
        parts.append(
            f"and at {recall} or more its best precision is {precision:.1%} ({_place(row)}), "
            f"{'which reaches' if reached else 'short of'} the published "
            f"{entry['precision_percent']:g} %"
        )
    return parts


def describe_score(scene: ZoneScene, name: str) -> str:
    """How the score does on blocks that its models did not see, and what it beats."""
    values, verdicts = [], []
    for zone, item in scene.tested.items():
        values.append(f"{with_interval(_method(item, 'score')['f1'])} for {zone}")
        opponents: dict[str, list[str]] = {}
        for other in item["comparisons"]:
            if other["other"] in OPPONENTS:
                opponents.setdefault(_verdict(other["f1_difference"]), []).append(
                    OPPONENTS[other["other"]]
                )
        told = " and ".join(
            f"{verdict} {join_words(names)}" for verdict, names in opponents.items()
        )
        if told:
            verdicts.append(f"For {zone} it is {told}.")
    return " ".join(
        [
            f"In {name}, the alteration score, tested on ground that its models did not learn "
            f"from, has an F1 of {join_words(values)}.",
            *verdicts,
        ]
    )


def _verdict(difference: Mapping) -> str:
    """What an interval of a difference allows to say."""
    if difference["low"] is None:
        sign = "above" if (difference["value"] or 0) > 0 else "not above"
        return f"(without an interval to judge by) {sign}"
    if difference["low"] > 0:
        return "better than"
    return "worse than" if difference["high"] < 0 else "not to be told apart from"


def describe_reach(scene: ZoneScene, zone: str, rules: Sequence[Mapping]) -> list[str]:
    """Why the ranges find here what they find, from the zone's share of the ground."""
    tested = next((row for row in scene.rules if row["zone"] == zone and row.get("recall")), None)
    if tested is None:
        return []
    share = int(tested["n_reference"]) / int(tested["n"])
    everything = 2 * share / (1 + share)
    sentences = [
        f"{zone.capitalize()} covers {share:.1%} of the tested pixels, so a map that knows nothing "
        f"has a precision of {share:.1%}, and one that calls everything {zone} an F1 of "
        f"{everything:.2f}."
    ]
    for entry in rules:
        if entry["zone"] == zone and entry["right"] and entry["recall_percent"]:
            size = entry["right"] / (entry["recall_percent"] / 100)
            sentences.append(
                f"The paper's numbers ({entry['right']:,} right at a recall of "
                f"{entry['recall_percent']:g} %) imply a zone of about {size:,.0f} pixels."
            )
    best = best_rule(scene, zone, "f1")
    if best is None:
        return sentences
    sharpest = best_rule(scene, zone, "precision")
    sentences.append(
        f"The most precise of the maps, {_place(sharpest)}, is right in "
        f"{float(sharpest['precision']):.1%} of what it finds and finds "
        f"{float(sharpest['recall']):.1%} of the zone."
    )
    f1 = float(best["f1"])
    if f1 > 0.5:
        sentences.append(
            f"The rule's best F1 here is {f1:.2f}; no map can have twice that, because "
            "an F1 cannot exceed 1."
        )
    elif zone in scene.tested:
        own = _method(scene.tested[zone], "score")["f1"]["value"]
        if own and f1:
            sentences.append(f"The score's F1 is {own / f1:.1f} times the rule's best, {f1:.2f}.")
    return sentences


def compare_rules(scene: ZoneScene, rules: Sequence[Mapping]) -> list[dict]:
    """The published precisions and recalls, each beside that of the same map here.

    That is the map as published where it ran, else the study's own.
    """
    own_rules = scene.rules if scene.published is None else scene.published.rules
    return [
        {
            **entry,
            "ours": next(
                (
                    _rule_row(row)
                    for row in own_rules
                    if (row["zone"], row["band"], row["level"])
                    == (entry["zone"], entry["band"], entry["level"])
                ),
                None,
            ),
        }
        for entry in rules
    ]


def statistic(entry: Mapping, scene: ZoneScene) -> str:
    """A scene's side of a published number: as published where that ran, else of the study's own.

    `entry` has a `kind`: "kappa" (of a zone, band and level), "mean_precision" (of a zone, over
    bands and single levels), "best_f1" (of a level, over zones and bands) or "anomalies" (of a
    band).
    """
    ran = scene if scene.published is None else scene.published
    if entry["kind"] == "anomalies":
        rows = [row for row in ran.anomalies if row["band"] == entry["band"]]
        return "; ".join(
            f"{int(row['anomalies']):,} of {int(row['pixels']):,} ({float(row['share']):.2%})"
            for row in rows
        )
    own = [
        row
        for row in ran.rules
        if all(row[key] == entry[key] for key in ("zone", "band", "level") if key in entry)
    ]
    if entry["kind"] == "kappa":
        return "; ".join(with_interval(value_of(row, "kappa")) for row in own if row.get("kappa"))
    if entry["kind"] == "best_f1":
        row = max((r for r in own if r.get("f1")), key=lambda r: float(r["f1"]), default=None)
        return (
            ""
            if row is None
            else f"{with_interval(value_of(row, 'f1'))} ({row['zone']}, {_place(row)})"
        )
    values = [
        float(row["precision"])
        for row in own
        if row["level"] in SINGLE_LEVELS and row.get("precision")
    ]
    return f"{math.fsum(values) / len(values):.2%} (of {len(values)} maps)" if values else ""


def describe_stages(stages: Sequence[Mapping], bands: Sequence[str]) -> list[str]:
    """How the signal-to-noise ratio changes from stage to stage, over the bands."""
    sentences = []
    for before, after in itertools.pairwise(stages):
        ratios = [
            after["snr"][band] / before["snr"][band]
            for band in bands
            if after["snr"].get(band) and before["snr"].get(band)
        ]
        if ratios:
            sentences.append(
                f"{before['stage']} to {after['stage']}: × {min(ratios):.2f} to {max(ratios):.2f}"
            )
    return sentences


def describe_wavelets(rows: Sequence[Mapping[str, str]], zone: str) -> str:
    """Whether the wavelets differ in how well LL separates a zone; "" where that is not known."""
    column = f"auc_{zone}"
    known = [row for row in rows if row.get(column)]
    bands = list(dict.fromkeys(row["band"] for row in known))
    spreads = []
    for band in bands:
        values = [float(row[column]) for row in known if row["band"] == band]
        spreads.append(max(values) - min(values))
    if not spreads:
        return ""
    text = (
        f"{zone.capitalize()}: between the wavelets, the separation by LL differs by at most "
        f"{max(spreads):.3f} in any band"
    )
    widths = [
        float(row[f"{column}_high"]) - float(row[f"{column}_low"])
        for row in known
        if row.get(f"{column}_low")
    ]
    if not widths:
        return f"{text}."
    return f"{text}; the 95 % intervals are {min(widths):.3f} to {max(widths):.3f} wide."


def _context(scene: ZoneScene, paper: Mapping) -> dict:
    bands = [row["band"] for row in scene.anomalies]
    stages = scene.cube.get("stages") or []
    record = next((item for item in scene.records if item["assessed"]), None)
    return {
        "zones": scene.zones,
        "assessed": scene.assessed,
        "reason": next((item["reason"] for item in scene.records if not item["assessed"]), ""),
        "record": record,
        "truth_text": truth_text(record) if record else "",
        "confidence_figure": CONFIDENCE_FIGURE,
        "anomalies": [
            {
                **row,
                "thresholds": _thresholds(row),
                "anomalies": count(row["anomalies"]),
                "pixels": count(row["pixels"]),
                "share": percent(row["share"], 2),
            }
            for row in scene.anomalies
        ],
        "stages": {
            "bands": bands,
            "rows": [
                (stage["stage"], [_snr(stage["snr"].get(band)) for band in bands])
                for stage in stages
            ],
            "changes": describe_stages(stages, bands),
        },
        "wavelets": _wavelet_rows(scene),
        "wavelet_notes": [
            note for zone in scene.zones if (note := describe_wavelets(scene.wavelets, zone))
        ],
        "rules": {
            zone: [_rule_row(row) for row in scene.rules if row["zone"] == zone]
            for zone in scene.zones
        },
        "reach": {
            zone: describe_reach(scene, zone, paper.get("rules", [])) for zone in scene.zones
        },
        "details": {
            "sentences": describe_details(scene.details),
            "rows": detail_rows(scene.details),
            "record": scene.details.record,
        },
        "published": _published_context(scene, paper),
        "score": scene.score,
        "methods": {zone: _method_rows(item) for zone, item in scene.tested.items()},
        "tested": scene.tested,
        "cards": _cards(scene),
        "comparison": compare_rules(scene, paper.get("rules", [])),
        "statistics": [
            {**entry, "ours": statistic(entry, scene)} for entry in paper.get("statistics", [])
        ],
    }


def _published_context(scene: ZoneScene, paper: Mapping) -> dict | None:
    """What the template shows of the method as published."""
    if scene.published is None:
        return None
    tested = scene.tested
    return {
        "beside": {zone: beside_rows(item, paper) for zone, item in tested.items()},
        "verdicts": [text for item in tested.values() if (text := describe_beside(item))],
        "confusion": {
            zone: rows
            for zone in scene.zones
            if (rows := confusion_rows(scene.published.rules, zone))
        },
        "measures": list(MEASURES.values()),
        "details": {
            "sentences": describe_details(scene.published.details),
            "rows": detail_rows(scene.published.details),
        },
    }


def _cards(scene: ZoneScene) -> list[dict]:
    """The key numbers: per zone the F1 of the score and of the ranges at their best."""
    cards = []
    for zone in scene.zones:
        title = zone.capitalize()
        item = scene.tested.get(zone)
        if item is not None:
            cards.append(card(f"{title}, score's F1", _method(item, "score")["f1"]))
        best = best_rule(scene, zone, "f1")
        if best is not None:
            cards.append(card(f"{title}, best F1 of fixed ranges", value_of(best, "f1")))
    return cards


def _wavelet_rows(scene: ZoneScene) -> list[dict]:
    return [
        {
            **row,
            "share_LL": f"{float(row['share_LL']):.4f}",
            "entropy_bits": f"{float(row['entropy_bits']):.2f}",
            "auc": [value_of(row, f"auc_{zone}") for zone in scene.zones],
        }
        for row in scene.wavelets
    ]


def _rule_row(row: Mapping[str, str]) -> dict:
    return {
        "band": row["band"],
        "level": LEVEL_NAMES.get(row["level"], row["level"]),
        "found": int(row["found"]),
        "right": int(row["right"]) if row.get("right") else None,
        **{
            name: value_of(row, name)
            for name in ("precision", "recall", "f1", "kappa", "overall_accuracy")
        },
    }


def _method_rows(item: Mapping) -> list[dict]:
    compared = {other["other"]: other for other in item["comparisons"]}
    rows = []
    for method in item["methods"]:
        if method["method"] not in METHOD_LABELS:
            continue
        chosen = " or ".join(dict.fromkeys(method["chosen"] or []))
        rows.append(
            {
                **method,
                "label": method_label(method["method"]),
                "chosen_text": f" ({chosen})" if chosen else "",
                "f1_ratio": compared.get(method["method"], {}).get("f1_ratio"),
            }
        )
    return rows


def _method(item: Mapping, name: str) -> Mapping:
    return next(method for method in item["methods"] if method["method"] == name)


def _answers(scene: ZoneScene, settings: Mapping) -> dict[str, str]:
    """This run's side of the published set-up."""
    wavelet = settings.get("wavelet", {})
    record = next((r for r in scene.records if r["assessed"]), None)
    ranges = join_once(
        f"{zone} medium {_range(item['medium'])}, high {_range(item['high'])}"
        for zone, item in settings.get("alteration", {}).items()
    )
    pixels = scene.cube.get("pixels")
    return {
        **common_answers(scene.cube, scene.synthetic),
        "bands": ", ".join(dict.fromkeys(row["band"] for row in scene.anomalies)),
        "pixels": f"{pixels['total']:,}, of which {pixels['valid']:,} clear" if pixels else "",
        "anomalies": join_once(
            f"{row['n']} MAD from the {row['centre']}, {row['side']} side"
            for row in scene.anomalies
        ),
        "wavelet": (
            f"{wavelet.get('name', 'not recorded')}, level {wavelet.get('level', '?')}, mode "
            f"{wavelet.get('mode', '?')}, {wavelet.get('transform', '?')}; "
            f"compared: {', '.join(dict.fromkeys(row['wavelet'] for row in scene.wavelets))}"
        ),
        "ranges": ranges or "not recorded",
        "reference": truth_text(record) if record else "none",
    }


def _range(ends: Sequence[float]) -> str:
    return " to ".join(f"{end:g}" for end in ends)


def _thresholds(row: Mapping[str, str]) -> str:
    low, high = row.get("threshold_low"), row.get("threshold_high")
    ends = [f"below {float(low):.4f}"] if low else []
    return " or ".join([*ends, *([f"above {float(high):.4f}"] if high else [])])


def _snr(value: float | None) -> str:
    return UNDEFINED if value is None else f"{value:.1f}"


def _place(row: Mapping[str, str]) -> str:
    level = LEVEL_NAMES.get(row["level"], row["level"])
    return f"band {row['band']}, {level}" + ("" if row["level"] == "either" else " confidence")
