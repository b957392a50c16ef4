"""What the report says of networks as published, whichever way the numbers turn out."""

import itertools
from dataclasses import replace

import pytest
import sensor_reports
from pages import make_source, render

from gossan.embedding.sensor_scores import MACRO
from gossan.embedding.sensor_subsets import join_sensors, sensor_sets
from gossan.files import read_json
from gossan.report.embedding_published import (
    beside_table,
    check_conclusions,
    count_conclusions,
    describe_beside,
    describe_ways,
    moved_tables,
)
from gossan.report.embedding_section import SensorScene, make_section
from gossan.tables import read_table

SENSORS = ("emit", "enmap", "prisma", "sentinel2", "worldview3")
PAPER = {
    "detection": [
        {"mineral": mineral, "method": method, "data": 9, "recall": recall, "f1": f1}
        for mineral, scores in {
            "alunite": ((0.766, 0.122), (0.75, 0.353), (0.664, 0.474)),
            "jarosite": ((0.871, 0.212), (0.301, 0.302), (0.448, 0.437)),
        }.items()
        for method, (recall, f1) in zip(("ocsvm", "unmasked", "masked"), scores, strict=True)
    ],
    "similarity": [
        {"mineral": mineral, "missing": list(missing), "cosine": cosine}
        for mineral, few, many in (("alunite", 0.9996, 0.9236), ("jarosite", 0.9999, 0.8004))
        for missing, cosine in ((("worldview3",), few), (("emit", "enmap", "prisma"), many))
    ],
}


def compared(mineral, published, own, *, network="masked", kind="oracle", measure="f1", reach=0.1):
    """A row of comparison.csv; without intervals where `reach` is None."""
    row = {"network": network, "threshold_kind": kind, "mineral": mineral, "measure": measure}
    row |= {"n": "900", "n_mineral": "80"}
    for side, value in (("published", published), ("own", own), ("difference", own - published)):
        ends = ("", "") if reach is None else (f"{value - reach}", f"{value + reach}")
        row |= dict(zip((side, f"{side}_low", f"{side}_high"), (f"{value}", *ends), strict=True))
    return row


def similarity_rows(cosine):
    """Rows of similarity.csv, whose cosine is that of a function of mineral and missing sensors."""
    missing = [join_sensors(SENSORS, ~kept) for kept in sensor_sets(SENSORS)[:-1]]
    return [
        {"network": network, "spectra": spectra, "mineral": mineral, "missing": text, "n": "1"}
        | {"cosine": f"{(value := cosine(mineral, text.split('+')))}"}
        | {"euclidean": f"{(2 - 2 * value) ** 0.5}"}
        for network, spectra in itertools.product(("published", "own"), ("library", "pixels"))
        for mineral in ("jarosite", "alunite", "calcite")
        for text in missing
    ]


def as_in_the_paper(mineral, missing):
    fewer = sum(name in missing for name in SENSORS[:3])
    return 1 - fewer * (0.1 if mineral == "jarosite" else 0.02) - 0.001 * len(missing)


@pytest.mark.parametrize(
    ("own", "reach", "words"),
    [
        (0.8, 0.1, "ours is better by 0.200 (95 % interval of the difference +0.100 to +0.300)"),
        (0.5, 0.02, "that as published is better by 0.100"),
        (0.65, 0.1, "ours is better by 0.050, which may be chance"),
        (0.6, 0.1, "they are equal, which may be chance"),
        (0.8, None, "ours is better by 0.200 (no interval of the difference: too few blocks)"),
    ],
)
def test_the_better_one_is_told_by_the_difference_and_its_interval(own, reach, words):
    said = describe_beside([compared(MACRO, 0.6, own, reach=reach)])
    assert said.startswith("With thresholds chosen on the test pixels themselves, as the paper")
    assert words in said and "validation" not in said
    assert said.endswith(
        "of no single mineral does the 95 % interval of the difference leave out 0."
    )


def test_minerals_that_differ_for_sure_are_named():
    rows = [compared(MACRO, 0.6, 0.7)]
    rows += [compared("alunite", 0.4, 0.8), compared("calcite", 0.9, 0.5, reach=0.3)]
    rows += [compared("jarosite", 0.5, 0.6, reach=None), compared("kaolinite", 0.5, 0.55)]
    assert describe_beside(rows).endswith(
        "of single minerals, ours is better for alunite and that as published is better for "
        "calcite (95 % intervals of the difference without 0), 2 undecided."
    )


def test_both_ways_of_choosing_thresholds_are_told():
    rows = [compared(MACRO, 0.6, 0.8), compared(MACRO, 0.3, 0.2, kind="validation")]
    said = describe_beside(rows)
    assert "ours is better by 0.200" in said
    assert "validation pixels in other blocks, the masked network as published has a mean" in said
    assert describe_beside([compared("alunite", 0.6, 0.8)]) == ""


def test_the_papers_numbers_stand_beside_its_own_thresholds_alone():
    rows = [
        compared(mineral, 0.5, 0.6, kind=kind, network=network)
        for kind in ("oracle", "validation")
        for mineral in ("calcite", "alunite", MACRO)
        for network in ("masked", "unmasked")
    ]
    oracle, validation = beside_table(rows, PAPER["detection"])
    assert [line["mineral"] for line in oracle["lines"]] == [
        *(["Mean of the minerals"] * 2 + ["Alunite"] * 2 + ["Calcite"] * 2)
    ]
    assert [line["paper"] for line in oracle["lines"]] == [None, None, 0.474, 0.353, None, None]
    assert {line["paper"] for line in validation["lines"]} == {None}
    assert [line["leads"] for line in oracle["lines"]] == [True] * 4 + [False] * 2
    # Without a paper, nothing is hidden.
    assert all(line["leads"] for line in beside_table(rows, [])[0]["lines"])


def test_table_2_has_ten_sets_of_each_mineral_and_the_papers_own():
    tables = moved_tables(similarity_rows(as_in_the_paper), PAPER["similarity"])
    assert [table["mineral"] for table in tables] == ["Alunite", "Jarosite", "Calcite"]
    for table in tables[:2]:
        lines = {line["missing"]: line for line in table["lines"]}
        assert 10 <= len(lines) <= 12
        first = [line["cells"][0][0] for line in table["lines"]]
        assert first == sorted(first, reverse=True)
        # The four columns are distances of unit vectors, as the paper's are.
        for line in table["lines"]:
            for cosine, euclidean in line["cells"]:
                assert euclidean == pytest.approx((2 - 2 * cosine) ** 0.5)
        assert lines["EMIT, EnMAP and PRISMA"]["follows"] == pytest.approx(
            (2 - 2 * lines["EMIT, EnMAP and PRISMA"]["paper"]) ** 0.5
        )
    assert len(tables[2]["lines"]) == 10 and not tables[2]["leads"]


def scores(of_masked, of_unmasked, recall):
    return [
        compared(mineral, value, 0.9, network=network, measure=measure)
        for mineral in ("alunite", "jarosite")
        for network, measure, value in (
            ("masked", "f1", of_masked),
            ("unmasked", "f1", of_unmasked),
            ("masked", "recall", recall),
            ("unmasked", "recall", 0.5),
        )
    ]


def test_conclusions_hold_where_the_numbers_go_the_papers_way():
    detection = [
        {"method": "ocsvm", "mineral": mineral, "threshold_kind": "oracle", "f1": "0.2"}
        for mineral in ("alunite", "jarosite")
    ]
    moved = similarity_rows(as_in_the_paper)
    rows = check_conclusions(scores(0.6, 0.4, 0.4), moved, detection, PAPER)
    verdicts = {row["claim"]: row["verdict"] for row in rows}
    assert verdicts == {
        "What masking does to F1": "holds",
        # The paper's recall falls for one mineral and rises for the other.
        "What masking does to recall": "holds in 1 of 2",
        "F1 of the masked network against the One-class SVM": "holds",
        "Which missing sensors move alunite": "holds",
        "Which missing sensors move jarosite": "holds",
        "Which mineral moves without EMIT, EnMAP and PRISMA": "holds",
    }
    said = count_conclusions(rows)
    assert said.startswith(
        "Of 6 conclusions that the paper's numbers allow, 5 hold here, 1 in part"
    )
    assert "(What masking does to recall)" in said
    assert rows[0]["paper"] == "alunite 0.353 to 0.474 and jarosite 0.302 to 0.437"
    assert rows[0]["ours"] == "alunite 0.400 to 0.600 and jarosite 0.400 to 0.600"


def test_conclusions_that_do_not_hold_are_said():
    moved = similarity_rows(lambda mineral, missing: 0.5 + 0.05 * len(missing))
    rows = check_conclusions(scores(0.4, 0.4, 0.5), moved, [], PAPER)
    verdicts = {row["claim"]: row["verdict"] for row in rows}
    assert verdicts["What masking does to F1"] == "does not hold"
    assert verdicts["Which missing sensors move alunite"] == "does not hold"
    # What does not move at all does not move the paper's way.
    assert verdicts["What masking does to recall"] == "does not hold"
    assert "and 5 not (What masking does to F1; What masking" in count_conclusions(rows)
    assert count_conclusions(check_conclusions([], [], [], PAPER)) == ""


def test_a_network_is_described_by_what_it_was_trained_with():
    told = describe_ways({"preparation": "plain", "mining": "semi-hard"})
    assert told == "plain reflectance; the nearest negatives farther than the positive"
    assert describe_ways({}) == ""


def test_the_page_shows_both_side_by_side(tmp_path_factory):
    folder = sensor_reports.shared_study(tmp_path_factory)
    training = {"triplets": 6144, "epochs": 16, "preparation": "plain", "distance": "centroids"}
    scene = SensorScene(
        id="tiny",
        cube=read_json(folder / "stack.json") | {"synthetic": True},
        bands=read_table(folder / "bands.csv", []),
        sensors={name: read_json(folder / f"{name}.json") for name in sensor_reports.SENSORS},
        figures={},
        tables={
            "comparison": [*scores(0.6, 0.4, 0.4), compared(MACRO, 0.6, 0.8)],
            "moved": similarity_rows(as_in_the_paper),
            "published_masked": {"training": training},
        },
    )
    html = render([make_section(scene, make_source("embedding", paper=PAPER))], PAPER)
    assert "As published beside ours, scene tiny" in html
    assert "ours is better by 0.200" in html and "98,304 triplets, ours from" in html
    assert "plain reflectance; zeros for missing sensors" in html
    assert "Table 2 of jarosite" in html and "Table 2 of calcite" in html
    assert "What masking does to F1" in html
    plain = replace(scene, tables={})
    html = render([make_section(plain, make_source("embedding"))], {})
    assert "As published beside ours" not in html
