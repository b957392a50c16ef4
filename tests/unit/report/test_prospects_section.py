import json
from dataclasses import replace

import pytest
from pages import PNG, make_source, render

from gossan.errors import InputError
from gossan.prospects.prospect_tests import forest_tests, leading_tests
from gossan.report.prospects_section import (
    ProspectScene,
    compare_scores,
    describe_gains,
    describe_gaps,
    describe_label_set,
    describe_labelling,
    describe_published,
    describe_robustness,
    make_section,
    name_label_set,
    strata_table,
    summarise,
)

COVERS = (("ore", "Iron ore"), ("soil", "Soil"), ("vegetation", "Vegetation"), ("mixed", "Mixed"))
POINTS_FIGURES = (
    *("composite", "splits", "confusions", "importance", "shap"),
    *("classes", "probability"),
)


def value(number, half=0.05):
    if half is None:
        return {"value": number, "low": None, "high": None, "n_blocks": 3}
    return {"value": number, "low": number - half, "high": number + half, "n_blocks": 30}


def record(method, accuracy, half=0.05, classes=COVERS, n=192):
    f1 = [
        {"name": name, "label": label, "f1": value(accuracy + 0.01 * place, half)}
        for place, (name, label) in enumerate(classes)
    ]
    scores = {
        "n_blocks": 30,
        "overall_accuracy": value(accuracy, half),
        "kappa": value(accuracy - 0.1, half),
        "macro_f1": value(accuracy - 0.05, half),
    }
    return {
        "scene": "tiny",
        "method": method,
        "assessed": True,
        "synthetic": False,
        "reference": {"file": "s.gpkg", "kind": "points", "note": "", "synthetic": False},
        "n": n,
        "split": "random: the samples' own split",
        "bootstrap": 1000,
        "block_px": 24,
        "seed": 42,
        "rules": {"split": "How it was split."},
        "scores": scores | {"classes": f1},
        "scores_study_classes": scores | {"classes": f1},
    }


def row(plan, protocol, gain=0.0, low=-0.02, high=0.02):
    own = {"overall_accuracy": "0.6", "kappa": "0.5", "macro_f1": "0.55"}
    ends = {"gain_overall_accuracy": f"{gain}"}
    ends |= {"gain_overall_accuracy_low": f"{low}", "gain_overall_accuracy_high": f"{high}"}
    facts = {"plan": plan, "protocol": protocol, "plans": "pixel windows pixel"}
    return facts | {"n": "192", "n_blocks": "30", "n_train": "448.0"} | own | ends


def validation(random, blocked, half=0.05, plans=("pixel", "windows", "chosen")):
    rows, records = [], []
    for protocol, accuracy in (("random", random), ("blocked", blocked)):
        for plan in plans:
            rows.append(row(plan, protocol))
            records.append(record(f"Forest, {plan}, {protocol} split", accuracy, half))
    return rows, records


def forest(names):
    return {
        "plan": {
            "name": "pixel",
            "trees": "random",
            "estimators": 50,
            "max_features": "sqrt",
            "min_samples_split": 30,
            "min_samples_leaf": 3,
        },
        "layers": ["B02", "B03"],
        "features": ["B02", "B03"],
        "classes": [{"code": 1, "name": name, "points": 40} for name in names],
    }


def strata(labelled_by="indices", drawn="20"):
    rows = []
    for mine in ("A", "B"):
        for stratum, names in (("ore", ["ore"]), ("0-100 m", ["soil", "mixed"])):
            for name in names:
                own = {"mine": mine, "mineral": "hematite", "stratum": stratum, "class": name}
                own |= {"asked": "20", "drawn": drawn, "train": "14", "test": "6"}
                how = "ore points" if name == "ore" else labelled_by
                rows.append(own | {"labelled_by": how})
    return rows


@pytest.fixture
def scene(tmp_path):
    scores, records = validation(0.7, 0.55)
    figures = {}
    for name in POINTS_FIGURES:
        figures[name] = tmp_path / f"{name}.png"
        figures[name].write_bytes(PNG)
    return ProspectScene(
        id="tiny",
        sensor="sentinel2",
        cube={"sensor": "Sentinel-2A MSI", "acquired": "2022-07-01T13:00:00Z"},
        figures=figures,
        scores=scores,
        records=records,
        forest=forest(["hematite-high", "negative"]),
    )


def page(scenes, paper=None):
    source = make_source("prospects", "sentinel2", paper)
    return render([make_section(scene, source) for scene in scenes], paper)


def published_study(root):
    return json.loads((root / "resources/static/published.json").read_text())["bahia"]


def gaps(random, blocked, half=0.05):
    tests = leading_tests(forest_tests(*validation(random, blocked, half)))
    return describe_gaps(tests, {"split": "random split"})


def test_a_gap_is_owed_to_nearness_only_beyond_both_intervals():
    assert "15.0 points lower" in gaps(0.7, 0.55)
    assert gaps(0.7, 0.55).count("owed to nearness") == 2
    assert "With plan pixel" in gaps(0.7, 0.55)
    assert "With the chosen features" in gaps(0.7, 0.55)
    assert "overlap, so how much of that is chance is open" in gaps(0.7, 0.65)
    assert "on spatial blocks is no lower than in the random split" in gaps(0.6, 0.65)
    assert "no intervals to judge that by" in gaps(0.7, 0.5, None)


def test_a_plan_is_better_only_beyond_the_interval_of_its_gain():
    rows = [
        row("pixel", "random"),
        row("windows", "random", 0.05, 0.01, 0.09),
        row("chosen", "random", 0.03, -0.01, 0.07),
        row("pixel", "blocked"),
        row("windows", "blocked", 0.02, -0.01, 0.05),
    ]
    first, second = describe_gains(rows, {"split": "random split"})
    assert first.startswith("In the random split, better than pixel")
    assert "windows (+5.0 points, 95 % interval +1.0 to +9.0)" in first
    assert "chosen" not in first
    assert "On spatial blocks, no plan is better than pixel" in second
    few = [row("pixel", "random", 0, "", ""), row("windows", "random", 0.1, "", "")]
    assert "too few blocks to tell" in describe_gains(few, None)[0]


def test_a_published_test_compares_only_on_its_own_points(scene):
    own = {"source": "Others", "scene": "tiny", "split": "published split", "n": 192}
    assert "on the same 192 points" in describe_published(own, scene.tests)
    more = own | {"n": 200}
    assert "on 200 points of the same ground, of which 192" in describe_published(more, scene.tests)
    paper = {"source": "Paper", "split": "random split", "n": 175}
    assert "175 points of other ground" in describe_published(paper, scene.tests)
    assert describe_published(None, scene.tests) == ""


def test_label_sets_are_named_and_told_apart():
    own = record("x", 0.7)
    assert "Iron ore, Soil, Vegetation and Mixed." in describe_label_set(own, None)
    assert "trained on the same classes" in describe_label_set(own, forest(["ore", "soil"]))
    other = describe_label_set(own, forest(["hematite-high", "negative"]))
    assert "another set of 2 classes (hematite-high, negative)" in other
    assert name_label_set(own) == "4 classes: ore, soil, vegetation, mixed"
    grades = record("x", 0.7, classes=(("hematite-high", "High"), ("negative", "Negative")))
    assert name_label_set(grades) == "2 grades of iron"


def test_labels_by_indices_flatter():
    assert "so every score on these points is flattered" in " ".join(describe_labelling(strata()))
    assert describe_labelling(strata("reference")) == [
        "Ore: labelled by the ore points.",
        "Soil and mixed: labelled by the truth.",
    ]


def test_table_1_counts_what_was_drawn_and_what_was_asked():
    table = strata_table(strata())
    assert table["classes"] == ["ore", "soil", "mixed"]
    assert [item["cells"] for item in table["rows"][:2]] == [
        ["20 (14 + 6)", "–", "–"],
        ["–", "20 (14 + 6)", "20 (14 + 6)"],
    ]
    assert table["totals"] == ["40 (28 + 12)"] * 3
    assert strata_table(strata(drawn="18"))["rows"][0]["cells"][0] == "18 of 20 asked for (14 + 6)"


def test_robustness_tells_the_range_of_the_shifts():
    def shifted(name, step, score, iron):
        own = {"reference": name, "shift_rad": step, "split": "train"}
        return own | {"macro_f1": score, "iron_share": iron}

    rows = [
        shifted("none", "0", "0.64", "0.02"),
        shifted("all", "-0.02", "0.5", "0.01"),
        shifted("all", "0.02", "0.63", "0.03"),
    ]
    first, second = describe_robustness(rows)
    assert "training points, macro-F1 is 0.640 as chosen and 0.500 to 0.630" in first
    assert "Between 1.00% and 3.00% of the pixels" in second


def test_columns_hold_the_published_test_and_other_methods(scene, root):
    sam = record("Spectral Angle Mapper, four cover classes", 0.5)
    both = ("hematite-high", "High"), ("negative", "Negative")
    grades = record("Map", 0.4, classes=both)
    more = replace(scene, records=[*scene.records, sam, grades])
    paper = published_study(root)["tests"][0]
    compared = compare_scores(more, paper)
    assert [column["title"] for column in compared["columns"]] == [
        "Paper, random split",
        "Pixel, random split",
        "Pixel, spatial blocks",
        "Chosen, random split",
        "Chosen, spatial blocks",
        "Spectral Angle Mapper, four cover classes",
    ]
    rows = {item["title"]: item["values"] for item in compared["rows"]}
    assert [item["value"] for item in rows["Overall accuracy"]] == [
        0.698,
        0.7,
        0.55,
        0.7,
        0.55,
        0.5,
    ]
    assert rows["F1, Soil"][0] == {"value": 0.75, "low": None, "high": None}
    html = page([more], published_study(root))
    assert "Other maps and labels" in html
    assert "2 grades of iron" in html


def test_the_page_leads_with_the_forests_and_trust(scene):
    said = summarise(scene, {})
    assert "70.0% [65.0, 75.0] (pixel, own split)" in said
    assert "4 classes" in said
    assert "not for other ground" in page([scene])
    twin = replace(scene, cube={**scene.cube, "synthetic": True})
    assert "nothing about any real place" in page([twin])
    assert "does not carry over" in page([replace(twin, id="twin"), scene])
    assert "SYNTHETIC" in summarise(twin, {})


def test_the_paper_s_numbers_follow_from_each_other(root):
    study = published_study(root)
    test = study["tests"][0]
    assert sum(test["f1"].values()) / 4 == pytest.approx(test["macro_f1"], abs=5e-4)
    accuracy, kappa = test["overall_accuracy"], test["kappa"]
    chance = (accuracy - kappa) / (1 - kappa)
    four = (accuracy - 0.25) / 0.75
    said = next(row["paper"] for row in study["deviations"] if "chance agreement" in row["paper"])
    assert f"chance agreement of {chance:.3f}" in said
    assert f"a kappa of {four:.3f}" in said
    assert (accuracy - 0.2) / 0.8 == pytest.approx(kappa, abs=1e-3)
    cells = [cell for line in study["tables"][0]["rows"] for cell in line[1:] if cell != "–"]
    assert f"{2 * sum(map(int, cells))} points" in study["tables"][0]["note"]


def test_pages_of_several_scenes_link_only_what_they_hold(scene, root):
    other = replace(scene, id="other", forest=None, figures=dict(list(scene.figures.items())[:5]))
    html = page([other, scene], published_study(root))
    assert 'href="#other-sentinel2-prospects-classes"' not in html
    assert 'id="tiny-sentinel2-prospects-classes"' in html
    assert "SYNTHETIC" not in html
    assert html == page([other, scene], published_study(root))


def test_a_synthetic_scene_is_marked_in_every_caption(scene, root):
    twin = replace(scene, cube={**scene.cube, "synthetic": True})
    html = page([twin], published_study(root))
    for tag in ("figcaption", "caption"):
        marked = html.count(f'<{tag}><span class="label">SYNTHETIC</span>')
        assert marked == html.count(f"<{tag}>") - html.count(f"<{tag}>As published.")


def test_a_study_without_a_paper_has_a_page_too(scene, root):
    html = page([scene])
    assert "<h1>mine</h1>" in html
    assert "Beside the paper" not in html
    assert "Pixel, own split" in html


def test_an_untested_map_says_why(scene, root):
    reason = {"scene": "tiny", "method": "Forest map", "assessed": False, "synthetic": False}
    html = page([replace(scene, records=[*scene.records, reason | {"reason": "No truth."}])])
    assert "No accuracy can be stated. No truth." in html


def test_half_a_part_is_refused(scene):
    with pytest.raises(InputError, match="tiny: labels and robustness go together"):
        replace(scene, tables={"labels": {}})


def test_an_unknown_row_of_the_published_set_up_is_named(scene, root):
    setup = [{"item": "Moon", "paper": "full", "ours": "moon"}]
    with pytest.raises(InputError, match="setup names 'moon'"):
        page([scene], {"setup": setup})


def test_a_forest_that_maps_one_class_is_told(scene):
    source = make_source("prospects", "sentinel2")
    assert len(make_section(scene, source).summary) == 1
    told = replace(scene, shares={"granite": 0.93, "basalt": 0.05, "schist": 0.02})
    [_, one] = make_section(told, source).summary
    assert "The forest's map of tiny calls 93.0% of the pixels that it names granite" in one
