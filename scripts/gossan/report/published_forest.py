"""The forest of graded strata, as the paper has it, beside the study's own: table and sentences."""

from collections.abc import Mapping, Sequence

from gossan.prospects.prospect_tests import (
    BLOCKED,
    CHOSEN,
    OWN,
    SCORES,
    ForestTest,
    study_classes,
)
from gossan.report.paper import list_departures
from gossan.report.phrases import SPARSE, capitalise, in_text, join_words, percent
from gossan.tables import value_of

PROTOCOLS = {OWN: "random split", BLOCKED: "spatial blocks"}
STRATA, PIXELS, DIFFERENCE = "strata", "pixels", "difference"
ORE, GRADES = "ore", "grades"
TITLES = {
    "overall_accuracy": "overall accuracy",
    "kappa": "kappa",
    "macro_f1": "macro-F1",
    "precision_ore": "precision of ore",
    "recall_ore": "recall of ore",
    "f1_ore": "F1 of ore",
}
HELD_OUT = {
    ORE: "Ore or not, as medium or high potential calls it",
    GRADES: "True grade of the simulated ground",
}
SITES = {
    "share, medium or high": "on medium or high potential",
    "touching, medium or high": "touching medium or high potential",
    "area, medium or high": "area of medium or high potential",
    "area under the curve": "area under the success-rate curve",
}


def beside_groups(
    tests: Sequence[ForestTest],
    scores: Sequence[Mapping[str, str]],
    sites: Sequence[Mapping[str, str]],
    published: Mapping | None,
    claims: Mapping,
    own_plans: bool = False,
) -> list[dict]:
    """The table "As published beside ours": groups with a title and rows.

    A row has a title, n, and the values `paper`, `strata` (as published, this run), `pixels` (ours)
    and `difference`, each with ends or None. `tests` are those of the forests of cover classes,
    `scores` rows of scores.csv, `sites` of sites.csv; `published` is a published test of the cover
    classes, `claims` the published share of claims. With `own_plans` the first plan of the tests is
    the study's and not the paper's forest, which the titles say.
    """
    groups = [_cover_group(tests, protocol, published) for protocol in PROTOCOLS]
    for group in groups if own_plans else ():
        group["title"] += ", with the study's first plan in place of the paper's forest"
    for labels, title in HELD_OUT.items():
        for protocol, where in PROTOCOLS.items():
            own = [r for r in scores if r["labels"] == labels and r["protocol"] == protocol]
            if own:
                groups.append(
                    {"title": f"{title}, {where}", "rows": [_score_row(row) for row in own]}
                )
    for name in dict.fromkeys(row["sites"] for row in sites):
        own = [row for row in sites if row["sites"] == name and row["measure"] in SITES]
        groups.append(
            {
                "title": f"{name.capitalize()} on the maps of potential",
                "rows": [_site_row(row, claims if name == "claims" else {}) for row in own],
            }
        )
    return [group for group in groups if group["rows"]]


def _cover_group(tests: Sequence[ForestTest], protocol: str, published: Mapping | None) -> dict:
    """The four cover classes: the first plan, which is the paper's forest, beside the chosen."""
    own = [test for test in tests if test.protocol == protocol]
    first = own[0] if own else None
    chosen = next((test for test in own if test.plan == CHOSEN), None)
    rows = []
    if first is not None and chosen is not None:
        paper = {} if published is None or protocol != OWN else published
        for name, title in SCORES.items():
            rows.append(
                {
                    "title": title,
                    "n": first.record["n"],
                    "paper": _plain(paper.get(name)),
                    STRATA: first.record["scores"][name],
                    PIXELS: chosen.record["scores"][name],
                    # The gain is ours over the paper's; the difference is told the other way.
                    DIFFERENCE: _turned(value_of(chosen.row, f"gain_{name}")),
                }
            )
        both = zip(study_classes(first.record), study_classes(chosen.record), strict=True)
        for one, other in both:
            rows.append(
                {
                    "title": f"F1, {one['label']}",
                    "n": first.record["n"],
                    "paper": _plain(paper.get("f1", {}).get(one["name"])),
                    STRATA: one["f1"],
                    PIXELS: other["f1"],
                    DIFFERENCE: _apart(one["f1"], other["f1"]),
                }
            )
    return {"title": f"Four cover classes, {PROTOCOLS[protocol]}", "rows": rows}


def _plain(value: float | None) -> dict | None:
    return None if value is None else {"value": value, "low": None, "high": None}


def _apart(one: Mapping, other: Mapping) -> dict:
    known = one["value"] is not None and other["value"] is not None
    return {"value": one["value"] - other["value"] if known else None, "low": None, "high": None}


def _turned(value: Mapping) -> dict:
    turned = {name: None if value[name] is None else -value[name] for name in value}
    return {"value": turned["value"], "low": turned["high"], "high": turned["low"]}


def _score_row(row: Mapping[str, str]) -> dict:
    return {
        "title": capitalise(TITLES.get(row["measure"], row["measure"])),
        "n": int(row["n"]),
        "paper": None,
        **{name: value_of(row, name) for name in (STRATA, PIXELS, DIFFERENCE)},
    }


def _site_row(row: Mapping[str, str], claims: Mapping) -> dict:
    told = claims.get("share") if row["measure"] == "share, medium or high" else None
    return {
        "title": capitalise(SITES[row["measure"]]),
        "n": int(row["n"]),
        "paper": _plain(told),
        **{name: value_of(row, name) for name in (STRATA, PIXELS, DIFFERENCE)},
    }


def describe_beside(groups: Sequence[Mapping]) -> list[str]:
    """Which of the two is better in each group, and by how much, from the first telling row."""
    leading = ("F1 of ore", "Kappa", "Area under the success-rate curve")
    sentences = []
    for group in groups:
        wanted = (row for name in leading for row in group["rows"] if row["title"] == name)
        row = next(wanted, None)
        if row is not None and row[DIFFERENCE]["value"] is not None:
            sentences.append(_verdict(group["title"], row))
    return sentences


def _verdict(group: str, row: Mapping) -> str:
    gap = row[DIFFERENCE]
    what = f"{group}: {row['title'] if row['title'].startswith('F1') else in_text(row['title'])}"
    values = " against ".join(f"{row[name]['value']:.3f}" for name in (STRATA, PIXELS))
    text = f"{what} is {values} (as published against ours)"
    if gap["low"] is None:
        return f"{text}; there are too few blocks to tell which is better."
    ends = f"difference {gap['value']:+.3f}, 95 % interval {gap['low']:+.3f} to {gap['high']:+.3f}"
    if gap["low"] > 0:
        return f"{text}: as published is better ({ends})."
    if gap["high"] < 0:
        return f"{text}: ours is better ({ends})."
    return f"{text}: neither is shown to be better ({ends})."


def describe_teaching(record: Mapping, own: Mapping | None) -> list[str]:
    """How the forest of graded strata was taught, and how ours differs."""
    met, of = record["cells_met"]["met"], record["cells_met"]["of"]
    plan = record["plan"]
    points = sum(item["points"] for item in record["classes"])
    weight = {
        "similarity": "each counting for the mean similarity of its grade's points",
        "none": "all counting the same",
    }[record["weight"]]
    text = [
        f"As published, {points:,} training points teach the forest of the map, graded by their "
        f"class, stratum and mean similarity and {weight}: {plan['estimators']} trees, at least "
        f"{plan['min_samples_split']} points to split and {plan['min_samples_leaf']} in a leaf, "
        f"the bands of each pixel alone. θmax is {record['theta_max_rad']:.4g} rad; with it {met} "
        f"of {of} classes and strata with points have the grade that the table gives them. The "
        "most probable grade of a pixel is its potential: high, moderate (medium) and low are "
        "positive, and what is negative has none."
    ]
    if own is not None:
        learned = sum(item.get("points", 0) for item in own["classes"])
        text.append(
            f"Ours learns {learned:,} pixels of the map of grades by spectral angle, with the "
            f"features that did best within the training points (plan {own['plan']['name']}), and "
            "its potential is the grade that it expects."
        )
    return [*text, *record["notes"]]


def cell_table(rows: Sequence[Mapping[str, str]]) -> list[dict]:
    """Rows of the table of grades: the table's grade beside the one that the similarity gives."""
    return [
        {
            **{name: row[name] for name in ("mineral", "class", "stratum", "train")},
            "similarity": percent(row["similarity"]),
            "spread": f"{percent(row['similarity_q1'])} to {percent(row['similarity_q3'])}"
            if row["similarity"]
            else SPARSE,
            "listed": row["listed"] or "negative",
            "grade": row["grade"].rpartition("-")[2] if row["grade"] else "no points",
        }
        for row in rows
    ]


def find_contradictions(paper: Mapping, settings: Mapping, section: str) -> list[str]:
    """What of a section of the settings is not as the paper has it, by its departures, a part each.

    `section` is the dotted key of the section.
    """
    return [
        f"{row['setting']} is {row['ran']}, the paper has {row['published']}"
        for row in list_departures(paper.get("deviations", ()), settings)
        if row["setting"].startswith(f"{section}.") and row["published"]
    ]


def describe_contradictions(told: Sequence[str]) -> str:
    """One line that names the settings which are not the paper's; "" where all are."""
    return f"Called as published, but not as the paper has it: {join_words(told)}." if told else ""
