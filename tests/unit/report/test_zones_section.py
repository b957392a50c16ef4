import json
from dataclasses import replace

import pytest
from pages import PNG, make_source, render

from gossan.errors import InputError
from gossan.report.zones_published import (
    Details,
    Published,
    beside_rows,
    describe_beside,
    describe_details,
    main_band,
)
from gossan.report.zones_section import (
    ZoneScene,
    best_rule,
    compare_rules,
    describe_reach,
    describe_rule,
    describe_score,
    describe_stages,
    describe_wavelets,
    figure_titles,
    make_section,
    statistic,
    summarise,
    value_of,
)

RULES = [
    {
        "zone": "phyllic",
        "band": "9",
        "level": "medium",
        "precision_percent": 93.9,
        "recall_percent": 9.68,
        "found": 328,
        "right": 308,
    },
    {
        "zone": "phyllic",
        "band": "8",
        "level": "high",
        "precision_percent": 98.66,
        "recall_percent": None,
        "found": None,
        "right": None,
    },
]


def rule(band, level, precision, recall, f1, zone="phyllic", **more):
    row = {
        "zone": zone,
        "band": band,
        "level": level,
        "n": "1000",
        "n_reference": "250",
        "found": "100",
        "right": "40",
        "precision": str(precision),
        "recall": str(recall),
        "f1": str(f1),
        "f1_low": "0.2",
        "f1_high": "0.6",
        "kappa": "0.3",
        "overall_accuracy": "0.8",
    }
    return row | more


def detail(question, band, low, high, measure="size", first="near faults", second="elsewhere"):
    return {
        "question": question,
        "band": band,
        "subband": "HL" if question == "faults" else "LH",
        "measure": measure,
        "first": first,
        "second": second,
        "n_first": "100",
        "n_second": "900",
        "blocks_first": "6",
        "blocks_second": "9",
        "mean_first": "0.02",
        "mean_second": "0.01",
        "auc": "" if low == "" else str((low + high) / 2),
        "auc_low": str(low),
        "auc_high": str(high),
    }


UNTESTED = Details(
    [],
    {
        "faults": None,
        "fault_distance_m": 100,
        "untested": {
            "faults": "no file of faults is given (zones.faults)",
            "zones": "there is no truth of the zones",
        },
    },
)
TESTED = Details(
    [
        detail("faults", "8", 0.6, 0.8),
        detail("faults", "9", 0.4, 0.6),
        detail("zones", "8", 0.2, 0.4, first="phyllic", second="propylitic"),
        detail("zones", "9", 0.1, 0.3, first="phyllic", second="propylitic"),
        detail("zones", "9", 0.6, 0.7, "value", "phyllic", "propylitic"),
    ],
    {
        "faults": {"file": "faults.gpkg", "count": 2},
        "fault_distance_m": 100,
        "untested": {},
    },
)


def anomaly(band, share):
    return {
        "band": band,
        "median": "0.4",
        "mad": "0.1",
        "n": "1.5",
        "centre": "median",
        "side": "high",
        "threshold_low": "",
        "threshold_high": "0.55",
        "anomalies": str(round(share * 1000)),
        "pixels": "1000",
        "share": str(share),
    }


def method(name, f1):
    value = {"value": f1, "low": f1 - 0.05, "high": f1 + 0.05}
    return {
        "method": name,
        "chosen": ["ratio 7/6", "ratio 7/6"] if "ratio" in name else None,
        "found": 200,
        "right": 150,
        "f1": value,
        "precision": value,
        "recall": value,
        "kappa": value,
        "overall_accuracy": value,
        "average_precision": None,
    }


def compared(other, low, high):
    return {
        "other": other,
        "f1_ratio": {"value": 1.2, "low": 1.1, "high": 1.3},
        "f1_difference": {"value": 0.1, "low": low, "high": high},
        "differences": {
            name: {"value": 0.1, "low": low, "high": high}
            for name in ("precision", "recall", "f1", "kappa", "overall_accuracy")
        },
    }


def score(comparisons):
    return {
        "assessed": True,
        "block_px": 8,
        "buffer_px": 2,
        "per_class": 600,
        "seed": 42,
        "bands": ["8", "9"],
        "features": ["8 LL", "9 LL"],
        "rules": {"split": "How it was split.", "interval": "How intervals are made."},
        "zones": [
            {
                "zone": "phyllic",
                "n": 1000,
                "n_reference": 250,
                "n_blocks": 40,
                "folds": 5,
                "threshold": 0.4,
                "methods": [method("score", 0.8), method("SAM", 0.6), method("rule 9 high", 0.1)],
                "comparisons": comparisons,
            }
        ],
    }


def accuracy_record():
    return {
        "scene": "tiny",
        "assessed": True,
        "synthetic": False,
        "reference": {
            "file": "zones.gpkg",
            "kind": "polygons",
            "note": "burnt in",
            "synthetic": False,
        },
        "bootstrap": 1000,
        "block_px": 8,
        "seed": 42,
        "rules": {"two_classes": "How two classes count."},
    }


@pytest.fixture
def scene(tmp_path):
    figures = {name: tmp_path / f"{name}.png" for name in figure_titles(["phyllic"], False)}
    for path in figures.values():
        path.write_bytes(PNG)
    return ZoneScene(
        id="tiny",
        sensor="aster",
        cube={"sensor": "Terra ASTER", "acquired": "2002-07-21T07:11:00Z", "synthetic": False},
        figures=figures,
        anomalies=[anomaly("8", 0.1), anomaly("9", 0.25)],
        rules=[
            rule("8", "medium", 0.9, 0.05, 0.1),
            rule("8", "high", 0.5, 0.3, 0.375),
            rule("9", "medium", 0.6, 0.1, 0.17),
            rule("9", "either", "", 0.0, 0.0, found="0"),
        ],
        wavelets=[],
        score=score([compared("SAM", 0.05, 0.2), compared("best rule in hindsight", 0.1, 0.3)]),
        records=[accuracy_record()],
        details=UNTESTED,
    )


@pytest.fixture
def published(scene, tmp_path):
    """The scene where the method also ran as published."""
    figures = {name: tmp_path / f"{name}.png" for name in figure_titles(["phyllic"])}
    for path in figures.values():
        path.write_bytes(PNG)
    comparisons = [
        compared("SAM", 0.05, 0.2),
        compared("published 9 medium", 0.3, 0.5),
        compared("published 9 anomaly", -0.4, 0.1),
        compared("best published in hindsight", -0.4, 0.1),
    ]
    record = score(comparisons)
    chosen = {**method("best published in hindsight", 0.7), "chosen": ["published 9 anomaly"]}
    record["zones"][0]["methods"] += [
        method("published 9 medium", 0.4),
        method("published 9 anomaly", 0.7),
        chosen,
    ]
    return replace(
        scene,
        figures=figures,
        score=record,
        published=Published(
            [anomaly("6", 0.05), anomaly("9", 0.01)],
            [
                rule("9", "medium", 0.8, 0.2, 0.32),
                rule("9", "anomaly", 0.4, 0.16, 0.23, kappa="0.1"),
            ],
            TESTED,
        ),
    )


def page(scenes, paper=None):
    source = make_source("zones", "aster", paper)
    return render([make_section(scene, source) for scene in scenes], paper)


def published_study(root):
    return json.loads((root / "resources/static/published.json").read_text())["zafarghand"]


def test_the_best_rule_is_by_a_score_and_at_a_recall(scene):
    assert best_rule(scene, "phyllic", "f1")["band"] == "8"
    assert best_rule(scene, "phyllic", "precision")["level"] == "medium"
    assert best_rule(scene, "phyllic", "precision", 0.0968)["band"] == "9"
    assert best_rule(scene, "phyllic", "precision", 0.9) is None
    assert best_rule(scene, "argillic", "f1") is None


def test_the_published_precision_is_reached_or_not_at_the_published_recall(scene):
    told = describe_rule(scene, "phyllic", RULES)
    assert "best in band 8, high confidence, where it finds 30.0% of the zone" in told
    assert "recall of 9.68 % or more its best precision is 60.0% (band 9, medium" in told
    assert "short of the published 93.9 %" in told
    better = replace(scene, rules=[rule("9", "medium", 0.95, 0.1, 0.17)])
    assert "which reaches the published 93.9 %" in describe_rule(better, "phyllic", RULES)
    rare = replace(scene, rules=[rule("9", "medium", 0.95, 0.01, 0.02)])
    assert "no band and level has the paper's recall" in describe_rule(rare, "phyllic", RULES)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.01, 0.2, "better than the Spectral Angle Mapper"),
        (-0.01, 0.2, "not to be told apart from the Spectral Angle Mapper"),
        (-0.2, -0.1, "worse than the Spectral Angle Mapper"),
        (None, None, "(without an interval to judge by) above the Spectral Angle Mapper"),
    ],
)
def test_the_score_beats_only_what_the_interval_says(scene, low, high, verdict):
    told = describe_score(replace(scene, score=score([compared("SAM", low, high)])), "scene tiny")
    assert "0.800 (95 % interval 0.750 to 0.850) for phyllic" in told
    assert f"For phyllic it is {verdict}." in told


def test_twice_the_f1_is_out_of_reach_where_the_rule_has_more_than_half(scene):
    told = " ".join(describe_reach(scene, "phyllic", RULES))
    assert "covers 25.0% of the tested pixels" in told
    assert "an F1 of 0.40" in told
    assert "308 right at a recall of 9.68 %) imply a zone of about 3,182 pixels" in told
    assert "band 8, medium confidence, is right in 90.0% of what it finds and finds 5.0%" in told
    assert "The score's F1 is 2.1 times the rule's best, 0.38." in told
    high = replace(scene, rules=[rule("8", "high", 0.6, 0.6, 0.6)])
    assert "no map can have twice that" in " ".join(describe_reach(high, "phyllic", RULES))


def test_numbers_stand_beside_those_of_the_same_map(scene):
    first, second = compare_rules(scene, RULES)
    assert first["precision_percent"] == 93.9
    assert first["ours"]["precision"]["value"] == 0.6
    assert second["ours"]["level"] == "high"
    assert compare_rules(replace(scene, rules=[]), RULES)[0]["ours"] is None


def test_other_published_numbers_have_their_counterparts(scene):
    def told(kind, **entry):
        return statistic({"kind": kind, **entry}, scene)

    assert told("anomalies", band="9") == "250 of 1,000 (25.00%)"
    assert told("kappa", zone="phyllic", band="9", level="medium") == "0.300"
    assert told("best_f1", level="high").startswith("0.375 (95 % interval 0.200 to 0.600)")
    # Of the single levels with a precision: 0.9, 0.5 and 0.6.
    assert told("mean_precision", zone="phyllic") == "66.67% (of 3 maps)"
    assert told("mean_precision", zone="argillic") == ""


def test_changes_of_the_signal_are_ratios_between_stages():
    stages = [
        {"stage": "toa", "snr": {"8": 10.0, "9": 20.0}},
        {"stage": "iarr", "snr": {"8": 10.0, "9": 20.0}},
        {"stage": "quac", "snr": {"8": 5.0, "9": None}},
    ]
    assert describe_stages(stages, ["8", "9"]) == [
        "toa to iarr: × 1.00 to 1.00",
        "iarr to quac: × 0.50 to 0.50",
    ]
    assert describe_stages([], ["8"]) == []


def test_wavelets_are_compared_within_a_band():
    def row(wavelet, band, value):
        low, high = value - 0.05, value + 0.05
        ends = {"auc_phyllic_low": str(low), "auc_phyllic_high": str(high)}
        return {"wavelet": wavelet, "band": band, "auc_phyllic": str(value), **ends}

    rows = [row("haar", "8", 0.7), row("sym4", "8", 0.71), row("haar", "9", 0.2)]
    told = describe_wavelets(rows, "phyllic")
    assert "at most 0.010 in any band" in told
    assert "0.100 to 0.100 wide" in told
    assert describe_wavelets(rows, "propylitic") == ""


def test_an_empty_cell_is_no_number():
    assert value_of({"f1": "", "f1_low": ""}, "f1") == {"value": None, "low": None, "high": None}


def test_as_published_stands_beside_ours_with_the_paper_s_numbers(root, published):
    rows = beside_rows(published.score["zones"][0], published_study(root))
    named = [(row["map"], row["measure"], row["paper"]) for row in rows]
    assert named[:4] == [
        ("Band 9, medium confidence", "Precision", "0.939"),
        ("", "Recall", "0.097"),
        ("", "F1", "0.176 (follows)"),
        ("", "Kappa", ""),
    ]
    assert ("", "Kappa", "0.9732") in named[5:]
    assert named[5][0] == "Anomalies of band 9, the best of all here, chosen in hindsight"
    assert len(rows) == 10
    assert rows[2]["published"]["value"] == 0.4
    assert rows[2]["own"]["value"] == 0.8
    assert rows[2]["difference"] == {"value": 0.1, "low": 0.3, "high": 0.5}
    html = page([published], published_study(root))
    assert 'id="tiny-aster-zones.published"' in html
    assert "0.176 (follows)" in html
    # Of 1000 pixels 250 in the zone, 100 found, 40 of them right.
    for cell in ("40", "60", "210", "690"):
        assert f'<td class="n">{cell}</td>' in html
    assert "As published beside ours" not in page([replace(published, published=None)])


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.05, 0.2, "Ours is better by 0.100 (95 % interval of the difference 0.050 to 0.200)."),
        (-0.2, 0.2, "Ours is 0.100 above the other, which cannot be told from no difference"),
        (-0.3, -0.1, "The method as published is better by 0.100"),
        (None, None, "They lie 0.100 apart, without an interval to judge by."),
    ],
)
def test_which_is_better_follows_from_the_paired_interval(published, low, high, verdict):
    item = dict(published.score["zones"][0])
    item["comparisons"] = [compared("best published in hindsight", low, high)]
    told = describe_beside(item)
    assert told.startswith(
        "Phyllic: the alteration score, on blocks that it did not learn from, has"
    )
    assert "at its best, anomalies of band 9, which was chosen in hindsight." in told
    assert verdict in told
    assert describe_beside({**item, "comparisons": []}) == ""


def test_published_numbers_stand_beside_the_run_as_published(published):
    assert compare_rules(published, RULES)[0]["ours"]["precision"]["value"] == 0.8
    kappa = {"kind": "kappa", "zone": "phyllic", "band": "9", "level": "anomaly"}
    assert statistic(kappa, published) == "0.100"
    assert statistic(kappa, replace(published, published=None)) == ""
    assert statistic({"kind": "anomalies", "band": "6"}, published) == "50 of 1,000 (5.00%)"


def test_claims_about_details_are_judged_by_their_intervals():
    faults, zones = describe_details(TESTED)
    assert faults == (
        "That HL is larger near faults than elsewhere holds in 1 of 2 bands (band 8: 0.70); in 1 "
        "the interval holds 0.5, which is no difference."
    )
    assert zones == (
        "That LH is larger in phyllic than in propylitic holds in none of 2 bands; in 2 it is the "
        "other way round (band 8: 0.30 and band 9: 0.20)."
    )
    whole = Details([detail("faults", "8", 0.6, 0.8)], {"untested": {"zones": "no truth"}})
    assert describe_details(whole) == [
        "That HL is larger near faults than elsewhere holds in the one band.",
        "LH was not tested: no truth.",
    ]
    few = Details([detail("faults", "8", "", "")], {"untested": {"zones": "no truth"}})
    assert "cannot be judged: too few spatial blocks" in describe_details(few)[0]
    assert describe_details(UNTESTED)[0] == (
        "HL was not tested: no file of faults is given (zones.faults)."
    )


def test_the_band_of_sub_bands_is_that_of_the_main_number():
    assert main_band({"rules": RULES}, ["8", "9"]) == "9"
    assert main_band({"rules": RULES}, ["4", "8"]) == "4"
    assert main_band({}, ["4", "8"]) == "4"


def test_the_page_leads_with_trust(scene):
    assert "not for other ground" in page([scene])
    twin = replace(scene, cube={**scene.cube, "synthetic": True})
    assert "nothing about any real place" in page([twin])
    assert "does not carry over" in page([replace(twin, id="twin"), scene])
    untested = [
        {key: row[key] for key in ("zone", "band", "level", "found")} for row in scene.rules
    ]
    unknown = replace(scene, rules=untested, score=None, records=[])
    assert "No accuracy can be stated" in summarise(unknown, {})[0]
    assert "checked on the ground" in page([unknown])


def test_the_page_holds_the_published_numbers_and_ours(root, scene):
    html = page([scene], published_study(root))
    for text in ("93.90 %", "9.68 %", "95.22 %", "17.60 %", "98.66 %", "0.9732", "94.96 %"):
        assert text in html
    for text in ("89.65 %", "128 of 12,789", "18 August 2002", "detection rate"):
        assert text in html
    assert "SYNTHETIC" not in html
    assert 'href="#tiny-aster-zones-confidence-phyllic"' in html
    assert "SAM, threshold learned" in html
    assert html == page([scene], published_study(root))


def test_the_paper_s_f1_follows_from_its_precision_and_recall(root):
    study = published_study(root)
    entry = study["rules"][0]
    precision, recall = entry["precision_percent"] / 100, entry["recall_percent"] / 100
    f1 = 2 * precision * recall / (precision + recall)
    assert any(f"makes an F1 of {f1:.2f}" in row["paper"] for row in study["deviations"])
    assert entry["right"] / entry["found"] == pytest.approx(precision, abs=5e-4)


def test_a_synthetic_scene_is_marked_in_every_caption(root, scene):
    twin = replace(scene, cube={**scene.cube, "synthetic": True})
    html = page([twin], published_study(root))
    for tag in ("figcaption", "caption"):
        assert html.count(f'<{tag}><span class="label">SYNTHETIC</span>') == html.count(f"<{tag}>")


def test_a_study_without_a_paper_has_a_page_too(root, scene):
    html = page([scene])
    assert "<h1>mine</h1>" in html
    assert "Rule of fixed ranges" in html
    assert "paper" not in html.partition("<main>")[2].lower()
    assert "Beside the paper" not in html


def test_a_score_that_was_not_tested_says_why(root, scene):
    record = {
        "assessed": False,
        "reason": "The models were trained on the scene other.",
        "bands": ["8"],
        "features": ["8 LL"],
        "zones": [{"zone": "phyllic"}],
    }
    html = page([replace(scene, score=record)])
    assert "was not tested.</strong> The models were trained on the scene other." in html
    assert "zones-curves" not in html


def test_an_unknown_row_of_the_published_set_up_is_named(root, scene):
    setup = [{"item": "Moon", "paper": "full", "ours": "moon"}]
    with pytest.raises(InputError, match="setup names 'moon'"):
        page([scene], {"setup": setup})
