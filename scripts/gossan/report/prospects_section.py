"""The report of a study of prospectivity: samples, labels, forests, maps, potential and targets."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gossan.accuracy.scores import MINIMUM_BLOCKS
from gossan.errors import InputError
from gossan.prospects.prospect_tests import (
    CHOSEN,
    OWN,
    SCORES,
    ForestTest,
    class_names,
    forest_tests,
    leading_tests,
    other_tests,
    published_test,
    split_name,
    title_of,
)
from gossan.report.page import (
    UNPUBLISHED,
    common_answers,
    day_of,
    describe_mask,
    reference_text,
    render_page,
)
from gossan.tables import value_of

FIGURE_TITLES = {
    "composite": "Colour composite",
    "looks": "Clear looks",
    "strata": "Samples by stratum",
    "eigenvalues": "Minimum noise fraction",
    "endmembers": "End-members",
    "scan": "Scan of the thresholds",
    "robustness": "Robustness of the thresholds",
    "labels": "Labels by spectral angle",
    "splits": "Scores in both splits",
    "confusions": "Confusion matrices",
    "importance": "Permutation importance",
    "shap": "SHAP values",
    "classes": "Class map of the forest",
    "probability": "Probability and uncertainty",
    "potential": "Iron potential",
    "overlay": "Claims and occurrences",
    "success": "Success-rate curves",
    "prediction-area": "Prediction-area plots",
}
ALWAYS = ("composite", "splits", "confusions", "importance", "shap")
FIGURES_OF = {
    "strata": ("strata",),
    "eigenvalues": ("eigenvalues", "endmembers"),
    "labels": ("scan", "labels"),
    "robustness": ("robustness",),
    "forest": ("classes", "probability"),
    "targets": ("potential", "success", "prediction-area"),
    "overlay": ("overlay",),
}
"""Figures that come with a table or record of a scene."""

PAIRS = (("labels", "robustness"), ("targets", "overlay"))
"""Tables that one section of the page needs together."""

MEDIUM_OR_HIGH = "medium or high"
GRADE = "-high"
INDICES = "indices"
LABELLED_BY = {"ore points": "the ore points", "reference": "a reference", INDICES: "two indices"}
SPLIT_WORDS = {"train": "training", "test": "test"}
SPARSE = "–"


@dataclass(frozen=True)
class ProspectScene:
    """What the report shows of one scene.

    `cube` is the record of the cube, `figures` maps names of FIGURE_TITLES to PNG files; `scores`
    are the rows of the table of validate_forest, `records` the scene's accuracy records. `tables`
    maps those names of FIGURES_OF that the scene has to rows of strata.csv, eigenvalues.csv,
    robustness.csv and overlay.csv, and to the records of label_iron (labels), of train_forest for
    the forest of the map (forest) and of rank_targets (targets).

    Raises InputError where one of PAIRS lacks the other, and for scores without a row.
    """

    id: str
    cube: Mapping
    figures: Mapping[str, Path]
    scores: Sequence[Mapping[str, str]]
    records: Sequence[Mapping]
    tables: Mapping[str, Sequence | Mapping] = field(default_factory=dict)

    def __post_init__(self):
        """Refuse half of a section, and a scene that was not tested."""
        for pair in PAIRS:
            given = [name for name in pair if name in self.tables]
            if len(given) == 1:
                other = next(name for name in pair if name not in given)
                raise InputError(f"table: {given[0]} of {self.id} goes with {other}; give both")
        if not self.scores:
            raise InputError(f"{self.id}: its table of scores has no rows; make the table again")

    @property
    def synthetic(self) -> bool:
        """Whether the scene was simulated."""
        return bool(self.cube.get("synthetic")) or any(item["synthetic"] for item in self.records)

    @property
    def tests(self) -> list[ForestTest]:
        """The tests of its forests; InputError where one has no record."""
        return forest_tests(self.scores, self.records)

    @property
    def name(self) -> str:
        """The scene in words, such as "scene a (Sentinel-2A MSI, 2021-07-22, SYNTHETIC)"."""
        facts = [self.cube.get("sensor", "unknown sensor"), day_of(self.cube)]
        return f"scene {self.id} ({', '.join([*facts, *['SYNTHETIC'] * self.synthetic])})"


def figure_names(cube: Mapping, tables: Iterable[str]) -> list[str]:
    """The figures of a scene with this record and these tables, in the order of the page."""
    own = {*ALWAYS, *(figure for name in tables for figure in FIGURES_OF[name])}
    if cube.get("dates"):
        own.add("looks")
    return [name for name in FIGURE_TITLES if name in own]


def render_prospect_report(
    template: str,
    base: str,
    style: str,
    *,
    study: str,
    scenes: Sequence[ProspectScene],
    config: Mapping,
    published: Mapping,
    files: Sequence[tuple[str, str]] = (),
) -> str:
    """The study's report as one self-contained HTML page; arguments as of report.render_page.

    The study's entry of published.json may hold `tests` (see prospect_tests), `thresholds_rad` by
    reference, and `claims`: the `share` of `n` claims on medium to high potential.
    """
    paper = {**UNPUBLISHED, "tests": [], "thresholds_rad": {}, "claims": None, **published}
    shown = list(scenes[0].figures)
    figures = [
        row for row in paper["figures"] if row["ours"] in shown or row["ours"] not in FIGURE_TITLES
    ]
    return render_page(
        template,
        base,
        style,
        study=study,
        scenes=[replace(scene, cube=plain_record(scene.cube)) for scene in scenes],
        contexts=[_scene_context(scene, paper) for scene in scenes],
        published={**published, "figures": figures} if published else {},
        summary=summarise(scenes, paper),
        answers=_answers(scenes),
        figure_titles={name: FIGURE_TITLES[name] for name in shown},
        config=config,
        files=files,
        paper=paper,
        minimum_blocks=MINIMUM_BLOCKS,
    )


def summarise(scenes: Sequence[ProspectScene], paper: Mapping) -> list[str]:
    """The page's first sentences: how right the forests are, and how far to trust that."""
    paragraphs = []
    for scene in scenes:
        published = published_test(paper, scene.tests[0].record)
        leading = leading_tests(scene.tests)
        values = ", ".join(
            f"{_share(test.record['scores']['overall_accuracy'])} "
            f"({title_of(test, published).lower()})"
            for test in leading
        )
        paragraphs.append(
            f"In {scene.name}, the forests are right in {values} of the tested points of "
            f"{len(class_names(leading[0].record))} classes. {describe_gaps(leading, published)}"
        )
        claims = describe_claims(scene, paper)
        if claims:
            paragraphs.append(claims)
    return [*paragraphs, _trust(scenes)]


def _trust(scenes: Sequence[ProspectScene]) -> str:
    if all(scene.synthetic for scene in scenes):
        return (
            "The data are SYNTHETIC: the numbers show how the methods do on simulated ground and "
            "say nothing about any real place."
        )
    if any(scene.synthetic for scene in scenes):
        return (
            "Scenes marked SYNTHETIC show how the methods do on simulated ground; what they show "
            "does not carry over to the real ones."
        )
    return "The numbers hold for this scene and these points, not for other ground or dates."


def describe_gaps(tests: Sequence[ForestTest], published: Mapping | None) -> str:
    """How much accuracy each plan loses on blocks, and whether that is more than chance."""
    sentences = []
    for plan in dict.fromkeys(test.plan for test in tests):
        by_protocol = {test.protocol: test for test in tests if test.plan == plan}
        if len(by_protocol) < 2:
            continue
        own, blocked = (
            test.record["scores"]["overall_accuracy"]
            for test in sorted(by_protocol.values(), key=lambda test: test.blocked)
        )
        names = plan_words(plan), split_name(OWN, published)
        sentences.append(_gap_sentence(*names, own, blocked))
    return " ".join(sentences)


def _gap_sentence(plan: str, split: str, own: Mapping, blocked: Mapping) -> str:
    gap = own["value"] - blocked["value"]
    if gap <= 0:
        return f"With {plan}, spatial blocks score no lower than the {split}."
    text = (
        f"With {plan}, the overall accuracy is {100 * gap:.1f} points lower on spatial blocks than "
        f"in the {split}"
    )
    if own["low"] is None or blocked["low"] is None:
        return f"{text} (there are no intervals to judge that by)."
    if own["low"] <= blocked["high"]:
        return f"{text}; the 95 % intervals overlap, so how much of that is chance is open."
    return f"{text}, beyond both 95 % intervals: so much of the score is owed to nearness."


def plan_words(plan: str) -> str:
    """A plan in words, in the middle of a sentence."""
    return "the chosen features" if plan == CHOSEN else f"plan {plan}"


def describe_gains(rows: Sequence[Mapping[str, str]], published: Mapping | None) -> list[str]:
    """Which plans beat the first one by more than the interval of the gain, in each protocol."""
    first = rows[0]["plan"]
    others = [row for row in rows if row["plan"] != first]
    sentences = []
    for protocol in dict.fromkeys(row["protocol"] for row in others):
        own = [row for row in others if row["protocol"] == protocol]
        title = "On spatial blocks" if protocol != OWN else f"In the {split_name(OWN, published)}"
        better = [
            f"{row['plan']} (+{100 * float(row['gain_overall_accuracy']):.1f} points, "
            f"{_ends(row, 'gain_overall_accuracy')})"
            for row in own
            if row["gain_overall_accuracy_low"] and float(row["gain_overall_accuracy_low"]) > 0
        ]
        if better:
            sentences.append(
                f"{title}, better than {first} in overall accuracy by more than the interval of "
                f"the gain: {_list(better)}."
            )
        elif any(row["gain_overall_accuracy_low"] for row in own):
            sentences.append(
                f"{title}, no plan is better than {first} in overall accuracy by more than the "
                "interval of the gain."
            )
        else:
            sentences.append(
                f"{title}, there are too few blocks to tell whether any plan is better than "
                f"{first}."
            )
    return sentences


def _ends(row: Mapping[str, str], name: str) -> str:
    low, high = (100 * float(row[f"{name}_{end}"]) for end in ("low", "high"))
    return f"95 % interval {low:+.1f} to {high:+.1f}"


def describe_published(published: Mapping | None, tests: Sequence[ForestTest]) -> str:
    """Whether the published test may be set against ours; "" where there is none."""
    own = [test for test in tests if not test.blocked]
    if published is None or not own:
        return ""
    number = own[0].record["n"]
    source = published["source"]
    if published.get("scene") != own[0].record["scene"]:
        return (
            f"{source}: {published['n']:,} points of other ground. The two cannot be set against "
            "each other; they show what each test found on its own ground."
        )
    if number == published["n"]:
        return (
            f"{source} tested a forest on the same {number:,} points, so that test and the "
            f"{published['split']} here can be set against each other."
        )
    return (
        f"{source} tested a forest on {published['n']:,} points of the same ground, of which "
        f"{number:,} are tested here."
    )


def describe_label_set(record: Mapping, forest: Mapping | None) -> str:
    """Which set of labels a test is of, and whether the map's forest was trained on another."""
    tested = class_names(record)
    labels = [item["label"] for item in record["scores_study_classes"]["classes"]]
    text = f"These scores are of the {len(tested)} classes of the labelled points: {_list(labels)}."
    if forest is None:
        return text
    trained = [item["name"] for item in forest["classes"]]
    if set(trained) <= set(tested):
        return f"{text} The forest of the map was trained on the same classes."
    return (
        f"{text} The forest of the map was trained on another set of {len(trained)} classes "
        f"({', '.join(trained)}), and none of these scores is of that map."
    )


def name_label_set(record: Mapping) -> str:
    """A record's set of labels in a few words."""
    names = class_names(record)
    if any(name.endswith(GRADE) for name in names):
        return f"{len(names)} grades of iron"
    return f"{len(names)} classes: {', '.join(names)}"


def describe_labelling(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """How the points of strata.csv were labelled, and what that does to scores."""
    by: dict[str, list[str]] = {}
    for row in rows:
        names = by.setdefault(row["labelled_by"], [])
        if row["class"] not in names:
            names.append(row["class"])
    sentences = [
        f"{_list(names).capitalize()}: labelled by {LABELLED_BY.get(how, how)}."
        for how, names in by.items()
    ]
    if INDICES in by:
        sentences.append(
            "The indices are NDVI and BSI of the composite. A classifier sees the bands that they "
            "are made of, so every score on these points is flattered."
        )
    return sentences


def describe_claims(scene: ProspectScene, paper: Mapping) -> str:
    """Share of claims on medium or high potential, against its share of area and the paper's."""
    row = claims_row(scene, "claims")
    if row is None:
        return ""
    text = (
        f"In scene {scene.id}, {int(row['found']):,} of {int(row['n']):,} claims "
        f"({float(row['share']):.1%}{_interval(row, 'share')}) lie with most of their ground on "
        f"medium or high potential, and {float(row['touching_share']):.1%} touch it; it covers "
        f"{float(row['area_share']):.1%} of the mapped area."
    )
    if paper["claims"]:
        share, number = paper["claims"]["share"], paper["claims"]["n"]
        text += f" The paper has {share:.2%} of {number:,} claims on its own ground."
    return text


def claims_row(scene: ProspectScene, sites: str) -> Mapping[str, str] | None:
    """The overlay's row of some sites on medium or high potential; None without such sites."""
    return next(
        (
            row
            for row in scene.tables.get("overlay", ())
            if row["sites"] == sites and row["potential"] == MEDIUM_OR_HIGH and row["share"]
        ),
        None,
    )


def _interval(row: Mapping[str, str], name: str) -> str:
    if _without_width(row, name):
        return ""
    low, high = (100 * float(row[f"{name}_{end}"]) for end in ("low", "high"))
    return f", 95 % interval {low:.1f} to {high:.1f}"


def _without_width(row: Mapping[str, str], name: str) -> bool:
    """Whether an interval is not known, or says nothing, as all sites agree in every sample."""
    return not row.get(f"{name}_low") or row[f"{name}_low"] == row[f"{name}_high"]


def strata_table(rows: Sequence[Mapping[str, str]]) -> dict:
    """Table 1 from strata.csv: `classes`, a row of cells per mine and stratum, and totals."""
    classes = list(dict.fromkeys(row["class"] for row in rows))
    found = {(row["mine"], row["stratum"], row["class"]): row for row in rows}
    places = dict.fromkeys((row["mine"], row["mineral"], row["stratum"]) for row in rows)

    def cell(row: Mapping[str, str] | None) -> str:
        if row is None:
            return SPARSE
        fewer = "" if row["drawn"] == row["asked"] else f" of {row['asked']} asked for"
        return f"{row['drawn']}{fewer} ({row['train']} + {row['test']})"

    totals = []
    for name in classes:
        own = [row for row in rows if row["class"] == name]
        drawn, train, test = (sum(int(row[key]) for row in own) for key in DRAWN)
        totals.append(f"{drawn} ({train} + {test})")
    return {
        "classes": classes,
        "rows": [
            {
                "mine": mine,
                "mineral": mineral,
                "stratum": stratum,
                "cells": [cell(found.get((mine, stratum, name))) for name in classes],
            }
            for mine, mineral, stratum in places
        ],
        "totals": totals,
        "notes": describe_labelling(rows),
    }


DRAWN = ("drawn", "train", "test")


def compare_scores(scene: ProspectScene, published: Mapping | None) -> dict:
    """The leading tests, the other methods on the same classes and the published, as columns.

    `columns` have a title, n, n_blocks and whether they are published; `rows` a title and values
    with ends, or None where a published test gives none.
    """
    leading = leading_tests(scene.tests)
    wanted = class_names(leading[0].record)
    ours = [(title_of(test, published), test.record) for test in leading]
    ours += [
        (record["method"], record)
        for record in other_tests(scene.tests, scene.records)
        if class_names(record) == wanted
    ]
    columns = [
        {
            "title": title,
            "n": record["n"],
            "n_blocks": record["scores"]["n_blocks"],
            "published": False,
        }
        for title, record in ours
    ]
    scores = [_scores_of(record) for _, record in ours]
    if published is not None:
        columns.insert(
            0,
            {
                "title": f"{published['source']}, {published['split']}",
                "n": published["n"],
                "n_blocks": None,
                "published": True,
            },
        )
        scores.insert(
            0,
            {
                name: {"value": value, "low": None, "high": None}
                for name, value in {
                    **{name: published[name] for name in SCORES},
                    **published["f1"],
                }.items()
            },
        )
    titles = SCORES | {
        item["name"]: f"F1, {item['label']}"
        for item in leading[0].record["scores_study_classes"]["classes"]
    }
    rows = [
        {"title": title, "values": [own.get(name) for own in scores]}
        for name, title in titles.items()
    ]
    return {"columns": columns, "rows": rows}


def _scores_of(record: Mapping) -> dict[str, Mapping]:
    scores = record["scores"]
    classes = record["scores_study_classes"]["classes"]
    return {name: scores[name] for name in SCORES} | {item["name"]: item["f1"] for item in classes}


def _scene_context(scene: ProspectScene, paper: Mapping) -> dict:
    tests = scene.tests
    published = published_test(paper, tests[0].record)
    leading = leading_tests(tests)
    tables = scene.tables
    forest = tables.get("forest")
    context = {
        "cards": _cards(scene, leading, published),
        "dates": _date_rows(scene.cube),
        "never_clear": _never_clear(scene.cube),
        "strata": strata_table(tables["strata"]) if "strata" in tables else None,
        "noise": _noise_rows(tables["eigenvalues"]) if "eigenvalues" in tables else None,
        "labels": _label_context(scene, paper) if "labels" in tables else None,
        "label_set": describe_label_set(leading[0].record, forest),
        "comparison": compare_scores(scene, published),
        "published_note": describe_published(published, tests),
        "gaps": describe_gaps(leading, published),
        "gains": describe_gains(scene.scores, published),
        "plans": [_plan_row(test, published) for test in tests],
        "record": leading[0].record,
        "splits": [
            {
                "title": title_of(test, published),
                "text": test.record["split"].removeprefix(f"{test.protocol}: "),
            }
            for test in leading
        ],
        "reference_text": reference_text(leading[0].record),
        "forest": forest,
        "forest_words": _forest_words(forest) if forest else "",
        "same_classes": forest is not None
        and {item["name"] for item in forest["classes"]} <= set(class_names(leading[0].record)),
        "others": [
            {
                "method": record["method"],
                "labels": name_label_set(record),
                "reference": reference_text(record),
                "n": record["n"],
                "values": [record["scores"][name] for name in SCORES],
            }
            for record in other_tests(tests, scene.records)
            if class_names(record) != class_names(leading[0].record)
        ],
        "untested": [item for item in scene.records if not item["assessed"]],
        "targets": _target_context(scene) if "targets" in tables else None,
        "claims_note": describe_claims(scene, paper),
        "claims": claims_row(scene, "claims"),
        "limits": tables["labels"]["limits_rad"] if "labels" in tables else {},
    }
    return context | ({"mask": _look_mask(scene.cube)} if scene.cube.get("dates") else {})


IN_TABLES = ("dates", "looks")
"""Parts of a composite's record that have a table or a figure."""


def plain_record(cube: Mapping) -> dict:
    """A cube's record without what stands in tables and figures of this page.

    Bands without wavelengths, as of a stack of rasters, become a list of names.
    """
    record = {key: value for key, value in cube.items() if key not in IN_TABLES}
    if any("centre_um" not in band for band in record.get("bands") or []):
        record["layers"] = [band["name"] for band in record.pop("bands")]
    return record


def _look_mask(cube: Mapping) -> dict:
    """The masked looks: as report.describe_mask, but of all dates together."""
    dates = len(cube["dates"])
    return {
        "rows": describe_mask(cube)["rows"],
        "note": f"Counted are looks: the pixels of {dates} date{'s' if dates > 1 else ''}. A look "
        "can carry several flags.",
    }


def _date_rows(cube: Mapping) -> list[dict]:
    return [
        {
            "product": item["product_id"],
            "day": day_of(item),
            "sun": f"{item['sun_elevation_deg']:.1f}",
            "share": f"{item['clear_share']:.1%}",
        }
        for item in cube.get("dates", ())
    ]


def _never_clear(cube: Mapping) -> str:
    pixels = cube.get("pixels") or {}
    if not cube.get("dates") or not pixels.get("observed"):
        return ""
    lost = pixels["observed"] - pixels["valid"]
    return f"{lost:,} pixels ({lost / pixels['observed']:.2%} of those observed)"


def _noise_rows(rows: Sequence[Mapping[str, str]]) -> list[dict]:
    return [
        {
            "component": row["component"],
            "eigenvalue": f"{float(row['eigenvalue']):,.3g}",
            "share": f"{float(row['cumulative_share']):.1%}",
        }
        for row in rows
    ]


def _label_context(scene: ProspectScene, paper: Mapping) -> dict:
    record = scene.tables["labels"]
    return {
        **record,
        "references": [
            {
                "name": name,
                "paper": paper["thresholds_rad"].get(name),
                "limit": limit,
                "fixed": name in record["fixed"],
                "theta_max": record["theta_max_rad"][name],
                "source": record["sources"][name],
            }
            for name, limit in record["limits_rad"].items()
        ],
        "splits": [("Training points", record["train"]), ("Test points", record["test"])],
        "strata": [_stratum_row(row) for row in record["held_out_strata"]],
        "robustness": [
            {
                "shift": "as chosen"
                if row["reference"] == "none"
                else f"{row['reference']} {float(row['shift_rad']):+g} rad",
                "split": SPLIT_WORDS.get(row["split"], row["split"]),
                "macro_f1": _three(row["macro_f1"]),
                "ore_false": _percent(row["ore_false_positive_share"]),
                "iron": _percent(row["iron_share"], 2),
            }
            for row in scene.tables["robustness"]
        ],
        "robust": describe_robustness(scene.tables["robustness"]),
        "shares": [
            {**item, "share": SPARSE if item["share"] is None else f"{item['share']:.2%}"}
            for item in record["classes"]
        ],
    }


def _stratum_row(row: Mapping) -> dict:
    limits = row["limits_rad"]
    return {
        **row,
        "limits": ""
        if limits is None
        else ", ".join(f"{name} {limit:g}" for name, limit in limits.items()),
    }


def describe_robustness(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """How far macro-F1 and the share of iron move when thresholds are shifted."""
    sentences = []
    for split in dict.fromkeys(row["split"] for row in rows):
        own = [row for row in rows if row["split"] == split and row["macro_f1"]]
        base = next((row for row in own if row["reference"] == "none"), None)
        shifted = [float(row["macro_f1"]) for row in own if row["reference"] != "none"]
        if base is not None and shifted:
            sentences.append(
                f"On the {SPLIT_WORDS.get(split, split)} points, macro-F1 is "
                f"{float(base['macro_f1']):.3f} as chosen and {min(shifted):.3f} to "
                f"{max(shifted):.3f} with a threshold shifted."
            )
    shares = [float(row["iron_share"]) for row in rows if row["iron_share"]]
    if shares:
        sentences.append(
            f"Between {min(shares):.2%} and {max(shares):.2%} of the pixels then have an iron "
            "grade."
        )
    return sentences


def _three(cell: str) -> str:
    return f"{float(cell):.3f}" if cell else "undefined"


def _percent(cell: str, digits: int = 1) -> str:
    return f"{float(cell):.{digits}%}" if cell else SPARSE


def _plan_row(test: ForestTest, published: Mapping | None) -> dict:
    used = list(dict.fromkeys(test.row["plans"].split()))
    return {
        "split": split_name(test.protocol, published).capitalize(),
        "plan": test.plan,
        "used": f" ({', '.join(used)})" if test.plan == CHOSEN else "",
        "n": int(test.row["n"]),
        "n_train": f"{float(test.row['n_train']):,.0f}",
        "values": [value_of(test.row, name) for name in SCORES],
        "gain": value_of(test.row, "gain_overall_accuracy"),
    }


def _forest_words(forest: Mapping) -> str:
    """The forest of the map in words, from train_forest's record."""
    plan = forest["plan"]
    kind = {"random": "random forest", "extra": "extremely randomised trees"}.get(
        plan["trees"], plan["trees"]
    )
    return (
        f"{plan['estimators']} trees ({kind}), features per split: {plan['max_features']}, at "
        f"least {plan['min_samples_split']} points to split and {plan['min_samples_leaf']} in a "
        f"leaf; plan {plan['name']}, {len(forest['features'])} features of "
        f"{len(forest['layers'])} layers"
    )


def _target_context(scene: ProspectScene) -> dict:
    record = scene.tables["targets"]
    return {
        **record,
        "areas": [
            {
                "name": item["name"],
                "pixels": f"{item['pixels']:,}",
                "area": f"{item['area_km2']:,.2f}" if item.get("area_km2") is not None else SPARSE,
                "share": SPARSE if item["share"] is None else f"{item['share']:.2%}",
            }
            for item in record["potential"]
        ],
        "overlay": [
            {
                "sites": row["sites"],
                "potential": row["potential"],
                "area": _percent(row["area_share"]),
                "found": f"{int(row['found']):,} of {int(row['n']):,}",
                "share": _site_value(row, "share"),
                "ratio": _site_value(row, "ratio"),
                "touching": _percent(row["touching_share"]),
            }
            for row in scene.tables["overlay"]
        ],
        "curve_note": describe_curves(record["curves"]),
    }


def _site_value(row: Mapping[str, str], name: str) -> dict[str, float | None]:
    value = value_of(row, name)
    return {**value, "low": None, "high": None} if _without_width(row, name) else value


def describe_curves(curves: Sequence[Mapping]) -> str:
    """Which sites the score finds better than chance would."""
    better, unclear = [], []
    for item in curves:
        low = item["area_under_curve"]["low"]
        if low is not None:
            (better if low > 0.5 else unclear).append(item["sites"])
    parts = []
    if better:
        parts.append(f"The score finds {_list(better)} better than chance would")
    if unclear:
        parts.append(
            f"{'for' if better else 'For'} {_list(unclear)} the interval of the area under the "
            "curve holds 0.5, so chance cannot be ruled out"
        )
    return f"{'; '.join(parts)}." if parts else ""


def _cards(
    scene: ProspectScene, leading: Sequence[ForestTest], published: Mapping | None
) -> list[dict]:
    """The key numbers: overall accuracy of the leading tests, and the claims."""
    cards = []
    for test in leading:
        value = test.record["scores"]["overall_accuracy"]
        note = (
            "no interval: too few blocks"
            if value["low"] is None
            else f"95 % interval {value['low']:.3f} to {value['high']:.3f}"
        )
        cards.append(
            {
                "name": f"Overall accuracy, {title_of(test, published).lower()}",
                "text": f"{value['value']:.3f}",
                "note": f"{note}, n = {test.record['n']:,}",
            }
        )
    row = claims_row(scene, "claims")
    if row is not None:
        cards.append(
            {
                "name": "Claims on medium or high potential",
                "text": f"{float(row['share']):.1%}",
                "note": f"n = {int(row['n']):,}, on {float(row['area_share']):.1%} of the area",
            }
        )
    return cards


def _answers(scenes: Sequence[ProspectScene]) -> dict[str, str]:
    """This run's side of the published set-up."""

    def joined(*parts: str) -> str:
        return "; ".join(dict.fromkeys(part for part in parts if part)) or "not part of this run"

    def of(name: str, describe) -> str:
        return joined(*(describe(s.tables[name]) for s in scenes if name in s.tables))

    return {
        **common_answers(scenes),
        "composite": joined(*(_composite_words(scene.cube) for scene in scenes)),
        "extent": joined(*(_extent_words(scene.cube) for scene in scenes)),
        "mines": of(
            "strata",
            lambda rows: ", ".join(dict.fromkeys(f"{r['mine']} ({r['mineral']})" for r in rows)),
        ),
        "points": of("strata", _points_words),
        "spectra": of(
            "labels",
            lambda record: ", ".join(f"{name}: {how}" for name, how in record["sources"].items()),
        ),
        "thresholds": of(
            "labels",
            lambda record: (
                ", ".join(f"{name} {limit:g}" for name, limit in record["limits_rad"].items())
                + " rad"
            ),
        ),
        "grades": of("labels", _grade_words),
        "forest": of("forest", _forest_words),
        "test": joined(
            *(
                f"{test.record['n']:,} points, {test.record['split']}"
                for scene in scenes
                for test in leading_tests(scene.tests)[:2]
            )
        ),
        "potential": of(
            "targets",
            lambda record: ", ".join(
                f"{name} from a score of {limit}" for name, limit in record["thresholds"].items()
            ),
        ),
    }


def _composite_words(cube: Mapping) -> str:
    dates = cube.get("dates")
    if not dates:
        return ""
    flags = ", ".join(name.replace("_", " ") for name in cube.get("masked", {}))
    return (
        f"Median of {len(dates)} date{'s' if len(dates) > 1 else ''}, {day_of(dates[0])} to "
        f"{day_of(dates[-1])}, masked by {flags or 'nothing'}"
    )


def _extent_words(cube: Mapping) -> str:
    valid = (cube.get("pixels") or {}).get("valid")
    return "" if valid is None else f"{valid:,} clear pixels"


def _points_words(rows: Sequence[Mapping[str, str]]) -> str:
    drawn, train, test = (sum(int(row[key]) for row in rows) for key in DRAWN)
    return f"{drawn:,} points, of which {train:,} train and {test:,} are tested"


def _grade_words(record: Mapping) -> str:
    grades = ", ".join(f"{name} from {100 * least:g} %" for name, least in record["grades"].items())
    where = "in iron-hosting units only" if record["geology"] else "on all ground"
    return f"{grades}, else negative; iron {where}"


def _share(value: Mapping) -> str:
    if value["value"] is None:
        return "undefined"
    if value["low"] is None:
        return f"{value['value']:.1%}"
    return f"{value['value']:.1%} [{100 * value['low']:.1f}, {100 * value['high']:.1f}]"


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]
