"""What the report says of iron prospects: samples, labels, forests, maps and potential."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gossan.accuracy.doubts import describe_doubts
from gossan.cube.lattice import read_lattice
from gossan.errors import InputError
from gossan.files import read_json
from gossan.prospects.prospect_tests import (
    CHOSEN,
    OWN,
    SCORE_COLUMNS,
    SCORES,
    ForestTest,
    class_names,
    forest_tests,
    leading_tests,
    other_tests,
    published_test,
    split_name,
    study_classes,
    title_of,
)
from gossan.report.phrases import (
    SPARSE,
    UNDEFINED,
    card,
    in_text,
    join_once,
    join_words,
    number,
    percent,
)
from gossan.report.published_forest import (
    beside_groups,
    cell_table,
    describe_beside,
    describe_contradictions,
    describe_teaching,
    find_contradictions,
)
from gossan.report.sections import (
    Scene,
    Section,
    Source,
    common_answers,
    day_of,
    require_rows,
    truth_text,
)
from gossan.tables import read_table, value_of

FIGURE_TITLES = {
    "composite": "Colour composite",
    "looks": "Clear looks",
    "strata": "Samples by stratum",
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
    "reflectance": "Reflectance by class and stratum",
    "medians": "Median spectra by class and stratum",
    "boxes": "Box plots of reflectance",
    "halo": "Similarity by class and stratum",
    "beside": "Potential as published beside ours",
}
SPECTRA_FIGURES = ("reflectance", "medians", "boxes", "halo")
SAMPLED_FIGURES = ("strata", "scan", "robustness", "labels", *SPECTRA_FIGURES)
TESTED_FIGURES = ("splits", "confusions", "importance", "shap")
ANSWERS = (
    *("scene", "atmosphere", "normalisation", "composite", "extent", "mines", "points"),
    *("spectra", "thresholds", "grades", "forest", "test", "potential"),
)
"""Rows of a published set-up that this section answers."""

FAR = {"blocked": "on spatial blocks", "carried": "carried over to the other half"}
"""Where the protocols away from the training points test, in words."""
GRADE = "-high"
INDICES = "indices"
LABELLED_BY = {
    "ore points": "the ore points",
    "reference": "the truth",
    "truth": "the truth",
    INDICES: "two indices",
}
SPLIT_WORDS = {"train": "training", "test": "test"}


CELL_COLUMNS = ("mineral", "class", "stratum", "train", "similarity", "listed", "grade")
SCORE_COLUMNS_OF_GRADES = ("labels", "protocol", "measure", "n", "strata", "pixels", "difference")
SITE_COLUMNS = ("sites", "measure", "n", "strata", "pixels", "difference")
STRATA_COLUMNS = ("mine", "stratum", "class", "drawn", "asked", "train", "test", "labelled_by")
ROBUSTNESS_COLUMNS = ("reference", "shift_rad", "split", "macro_f1", "iron_share")


@dataclass(frozen=True, kw_only=True)
class ProspectScene(Scene):
    """A scene with its prospects.

    `scores` are the rows of the table of validate_forest, `forest` the record of the forest of the
    map. A scene whose strata were sampled has rows of strata.csv and robustness.csv and the
    record of label_iron in `tables` (strata, robustness, labels). `shares` are those of the classes
    of labelled points on the map; grades of iron have none, as most ground holds no iron.

    Without scores, the forest is one of another scene. Raises InputError for labels without
    robustness or the other way.
    """

    scores: Sequence[Mapping[str, str]]
    forest: Mapping | None = None
    tables: Mapping[str, Sequence | Mapping] = field(default_factory=dict)
    with_targets: bool = False
    shares: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self):
        """Refuse half of a part."""
        if ("labels" in self.tables) != ("robustness" in self.tables):
            raise InputError(f"{self.id}: labels and robustness go together; give both")

    @property
    def tests(self) -> list[ForestTest]:
        """The tests of its forests; InputError where one has no record."""
        return forest_tests(self.scores, self.records)


def read_scene(source: Source) -> ProspectScene:
    """Read what the section shows; InputError for a file that is missing or of another kind."""
    sampled, trained = source.holds("sampled"), source.holds("trained")
    target = "iron" if source.holds("iron") else "cover"
    cube = read_json(source.sensor_dir / "cube/cube.json")
    absent = {
        *(() if sampled else SAMPLED_FIGURES),
        *(() if trained else TESTED_FIGURES),
        *(() if target == "iron" else ("potential",)),
        *(() if source.holds("published") else ("beside",)),
        *(() if cube.get("dates") else ("looks",)),
    }
    folder, tables = source.folder, {}
    if sampled:
        strata, shifts = folder / "samples/strata.csv", folder / "labels/robustness.csv"
        tables = {
            "strata": require_rows(strata, read_table(strata, STRATA_COLUMNS)),
            "robustness": read_table(shifts, ROBUSTNESS_COLUMNS),
            "labels": read_json(folder / "labels/labels.json"),
        }
    if source.holds("published"):
        tables |= {
            "forest": read_json(folder / "published/forest.json"),
            "cells": read_table(folder / "published/cells.csv", CELL_COLUMNS),
            "scores": read_table(folder / "published/scores.csv", SCORE_COLUMNS_OF_GRADES),
            "sites": read_table(folder / "published/sites.csv", SITE_COLUMNS),
        }
    forest = read_json(folder / (f"forest/{target}.json" if trained else f"{target}/map.json"))
    return ProspectScene(
        id=source.id,
        sensor=source.sensor,
        cube=cube,
        figures=source.figures([name for name in FIGURE_TITLES if name not in absent]),
        records=source.records("forest", "") if trained else [],
        scores=_read_scores(folder / "forest/validation.csv") if trained else [],
        forest=forest,
        tables=tables,
        with_targets=source.runs("targets"),
        shares=_read_shares(folder / "cover/class.tif", forest) if target == "cover" else {},
    )


def _read_shares(path: Path, forest: Mapping) -> dict[str, float]:
    """Shares of a forest's classes by name, in an even sample of its map."""
    (codes,) = read_lattice([path])
    clear = codes[np.isfinite(codes)]
    return {
        item["name"]: float((clear == item["code"]).sum() / max(clear.size, 1))
        for item in forest["classes"]
    }


def _read_scores(path: Path) -> list[dict[str, str]]:
    return require_rows(path, read_table(path, SCORE_COLUMNS))


def make_section(scene: ProspectScene, source: Source) -> Section:
    """The section of a sensor's prospects.

    A paper may have `tests` (see prospect_tests) and `thresholds_rad` by reference.
    """
    return Section(
        "prospects",
        scene,
        {name: FIGURE_TITLES[name] for name in scene.figures},
        _context(scene, source),
        [
            summarise(scene, source.paper) if scene.scores else describe_origin(scene),
            *describe_doubts(f"The forest's map of {scene.id}", scene.shares, 0.0),
        ],
        _answers(scene, source.own),
        scene.cube,
    )


def describe_origin(scene: ProspectScene) -> str:
    """Where a forest that was not trained here learned, and that nothing was tested."""
    origin = scene.forest.get("trained_on") or {}
    where = f"scene {origin['scene']}" if origin.get("scene") else "another scene"
    return (
        f"In {scene.name}, the map is by a forest that learned from {where}. No accuracy can be "
        "stated, because nothing of this scene was held out to test it."
    )


def summarise(scene: ProspectScene, paper: Mapping) -> str:
    """First sentences: how right the forests are."""
    published = published_test(paper, scene.tests[0].record)
    leading = leading_tests(scene.tests)
    values = ", ".join(
        f"{_share(test.record['scores']['overall_accuracy'])} "
        f"({in_text(title_of(test, published))})"
        for test in leading
    )
    return (
        f"In {scene.name}, the forests are right in {values} of the tested points of "
        f"{len(class_names(leading[0].record))} classes. {describe_gaps(leading, published)}"
    )


def _share(value: Mapping) -> str:
    if value["value"] is None:
        return UNDEFINED
    if value["low"] is None:
        return f"{value['value']:.1%}"
    return f"{value['value']:.1%} [{100 * value['low']:.1f}, {100 * value['high']:.1f}]"


def describe_gaps(tests: Sequence[ForestTest], published: Mapping | None) -> str:
    """How much accuracy each plan loses on blocks, and whether that is more than chance."""
    sentences = []
    for plan in dict.fromkeys(test.plan for test in tests):
        scores = {
            test.protocol: test.record["scores"]["overall_accuracy"]
            for test in tests
            if test.plan == plan
        }
        for protocol, where in FAR.items():
            if OWN in scores and protocol in scores:
                names = plan_words(plan), where, split_name(OWN, published)
                sentences.append(_gap_sentence(*names, scores[OWN], scores[protocol]))
    return " ".join(sentences)


def _gap_sentence(plan: str, where: str, split: str, own: Mapping, far: Mapping) -> str:
    gap = own["value"] - far["value"]
    if gap <= 0:
        return f"With {plan}, the score {where} is no lower than in the {split}."
    text = (
        f"With {plan}, the overall accuracy is {100 * gap:.1f} points lower {where} than in the "
        f"{split}"
    )
    if own["low"] is None or far["low"] is None:
        return f"{text} (there are no intervals to judge that by)."
    if own["low"] <= far["high"]:
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
        title = FAR.get(protocol, f"in the {split_name(OWN, published)}").capitalize()
        better = [
            f"{row['plan']} (+{100 * float(row['gain_overall_accuracy']):.1f} points, "
            f"{_ends(row, 'gain_overall_accuracy')})"
            for row in own
            if row["gain_overall_accuracy_low"] and float(row["gain_overall_accuracy_low"]) > 0
        ]
        if better:
            sentences.append(
                f"{title}, better than {first} in overall accuracy by more than the interval of "
                f"the gain: {join_words(better)}."
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
    own = [test for test in tests if test.own]
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
    labels = [item["label"] for item in study_classes(record)]
    text = (
        f"These scores are of the {len(tested)} classes of the labelled points: "
        f"{join_words(labels)}."
    )
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
        f"{join_words(names).capitalize()}: labelled by {LABELLED_BY.get(how, how)}."
        for how, names in by.items()
    ]
    if INDICES in by:
        sentences.append(
            "The indices are NDVI and BSI of the composite. A classifier sees the bands that they "
            "are made of, so every score on these points is flattered."
        )
    return sentences


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
        item["name"]: f"F1, {item['label']}" for item in study_classes(leading[0].record)
    }
    rows = [
        {"title": title, "values": [own.get(name) for own in scores]}
        for name, title in titles.items()
    ]
    return {"columns": columns, "rows": rows}


def _scores_of(record: Mapping) -> dict[str, Mapping]:
    scores = record["scores"]
    classes = study_classes(record)
    return {name: scores[name] for name in SCORES} | {item["name"]: item["f1"] for item in classes}


def _context(scene: ProspectScene, source: Source) -> dict:
    tables, forest, paper = scene.tables, scene.forest, source.paper
    return {
        "cards": [],
        "dates": _date_rows(scene.cube),
        "never_clear": _never_clear(scene.cube),
        "strata": strata_table(tables["strata"]) if "strata" in tables else None,
        "labels": _label_context(scene, paper) if "labels" in tables else None,
        "tested": bool(scene.scores),
        "origin": "" if scene.scores else describe_origin(scene),
        "forest": forest,
        "forest_words": _forest_words(forest) if forest else "",
        "same_classes": True,
        "others": [],
        "untested": [item for item in scene.records if not item["assessed"]],
        "with_targets": scene.with_targets,
        "thresholds_rad": paper.get("thresholds_rad", {}),
        "limits": tables["labels"]["limits_rad"] if "labels" in tables else {},
        "as_published": _published_context(scene, source) if "cells" in tables else None,
        **(_test_context(scene, paper) if scene.scores else {}),
    }


def _published_context(scene: ProspectScene, source: Source) -> dict:
    """What the template shows of the method as its paper has it."""
    tables, paper = scene.tables, source.paper
    published = published_test(paper, scene.tests[0].record)
    groups = beside_groups(
        scene.tests,
        tables["scores"],
        tables["sites"],
        published,
        paper.get("claims", {}),
        own_plans=bool(source.own.get("forest", {}).get("plans")),
    )
    told = find_contradictions(paper, source.settings, "prospects.published")
    return {
        "groups": groups,
        "verdicts": describe_beside(groups),
        "teaching": describe_teaching(tables["forest"], scene.forest),
        "contradictions": describe_contradictions(told),
        "cells": cell_table(tables["cells"]),
    }


def _test_context(scene: ProspectScene, paper: Mapping) -> dict:
    """What the template shows of the forests' tests."""
    tests = scene.tests
    published = published_test(paper, tests[0].record)
    leading = leading_tests(tests)
    tested = set(class_names(leading[0].record))
    return {
        "cards": [
            card(
                f"Overall accuracy, {in_text(title_of(test, published))}",
                test.record["scores"]["overall_accuracy"],
                f"{test.record['n']:,}",
            )
            for test in leading
        ],
        "label_set": describe_label_set(leading[0].record, scene.forest),
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
        "truth_text": truth_text(leading[0].record),
        "same_classes": scene.forest is not None
        and {item["name"] for item in scene.forest["classes"]} <= tested,
        "others": [
            {
                "method": record["method"],
                "labels": name_label_set(record),
                "truth": truth_text(record),
                "n": record["n"],
                "values": [record["scores"][name] for name in SCORES],
            }
            for record in other_tests(tests, scene.records)
            if set(class_names(record)) != tested
        ],
    }


def _date_rows(cube: Mapping) -> list[dict]:
    return [
        {
            "product": item["product_id"] + _more_products(item),
            "day": day_of(item),
            "sun": f"{item['sun_elevation_deg']:.1f}",
            "share": f"{item['clear_share']:.1%}",
        }
        for item in cube.get("dates", ())
    ]


def _more_products(date: Mapping) -> str:
    more = len(date.get("products", ())) - 1
    return f" and {more} more of the pass" if more > 0 else ""


def _never_clear(cube: Mapping) -> str:
    pixels = cube.get("pixels") or {}
    if not cube.get("dates") or not pixels.get("observed"):
        return ""
    lost = pixels["observed"] - pixels["valid"]
    return f"{lost:,} pixels ({lost / pixels['observed']:.2%} of those observed)"


def _label_context(scene: ProspectScene, paper: Mapping) -> dict:
    record = scene.tables["labels"]
    return {
        **record,
        "references": [
            {
                "name": name,
                "paper": paper.get("thresholds_rad", {}).get(name),
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
                "macro_f1": number(row["macro_f1"]),
                "ore_false": percent(row["ore_false_positive_share"]),
                "iron": percent(row["iron_share"], 2),
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
    kinds = {
        "random": "random forest",
        "extra": "extremely randomised trees",
        "boosted": "gradient boosting, for each class",
    }
    split = f"{plan['min_samples_split']} points to split and "
    return (
        f"{plan['estimators']} trees ({kinds.get(plan['trees'], plan['trees'])}), features per "
        f"split: {plan['max_features']}, at least {'' if plan['trees'] == 'boosted' else split}"
        f"{plan['min_samples_leaf']} in a leaf; plan {plan['name']}, {len(forest['features'])} "
        f"features of {len(forest['layers'])} layers"
    )


def _answers(scene: ProspectScene, settings: Mapping) -> dict[str, str]:
    """This run's side of the published set-up."""
    strata, labels = scene.tables.get("strata", ()), scene.tables.get("labels") or {}
    limits = labels.get("limits_rad", {})
    potential = settings.get("potential") or {}
    return {
        **common_answers(scene.cube, scene.synthetic),
        "composite": _composite_words(scene.cube),
        "extent": _extent_words(scene.cube),
        "mines": ", ".join(dict.fromkeys(f"{row['mine']} ({row['mineral']})" for row in strata)),
        "points": _points_words(strata) if strata else "",
        "spectra": ", ".join(f"{name}: {how}" for name, how in labels.get("sources", {}).items()),
        "thresholds": ", ".join(f"{name} {limit:g}" for name, limit in limits.items())
        + (" rad" if limits else ""),
        "grades": _grade_words(labels) if labels else "",
        "forest": _forest_words(scene.forest) if scene.forest else "",
        "test": join_once(
            f"{test.record['n']:,} points, {test.record['split']}"
            for test in (leading_tests(scene.tests)[:2] if scene.scores else ())
        ),
        "potential": ", ".join(
            f"{name} from a score of {potential[name]}"
            for name in ("medium", "high")
            if labels and name in potential
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
