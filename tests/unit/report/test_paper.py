"""What stands beside a paper: every item of it has a place or a reason, every departure is one."""

import json
import re

import pytest
import yaml
from pages import STATIC
from paper_pages import PAGE, page_of

from gossan.errors import InputError
from gossan.report.page import METHOD_TITLES
from gossan.report.paper import (
    ADDED,
    answer_contents,
    check_paper,
    find_places,
    list_departures,
    look_up,
)
from gossan.report.sections import Scene, Section
from gossan.report.study import ANSWERS, SECTIONS
from gossan.report.zones_section import figure_titles
from gossan.results import read_results
from gossan.schema import fill_defaults

# What each paper has, as far as it is known to us: words that one row's `paper` holds together.
HELD = {
    "gilgit": [
        ("study area", "Gilgit"),
        ("Table 1", "ten epochs", "96.88", "0.046", "93.33", "5.41"),
        ("Table 2", "96 %", "0.967", "93.33", "0.152", "92.87", "0.2595"),
        ("95.09", "0.0936"),
        ("4 297 824", "parameters"),
        ("216", "302", "4300", "3032", "70/15/15"),
        ("map", "13 minerals"),
        ("Fig. 12a", "porphyry"),
        ("peripheral", "potassic", "phyllic", "propylitic"),
        ("Fig. 14", "two colours"),
        ("chalcocite 5.27", "feldspar 2.72"),
        ("Coordinates", "pixels"),
    ],
    "zafarghand": [
        ("study area", "Zafarghand"),
        ("Tables 1 and 2", "MAD"),
        ("Signal-to-noise",),
        ("Histograms",),
        ("anomalies", "128", "12 789"),
        ("LL, LH, HL, HH",),
        ("LH", "down the image"),
        ("LH", "from phyllic to propylitic"),
        ("HL", "faults"),
        ("sym4", "haar", "db2"),
        ("Confidence", "phyllic"),
        ("Confidence", "propylitic"),
        ("Figs. 12 and 13",),
        ("328", "308", "93.9", "9.68"),
        ("95.22", "17.60"),
        ("98.66",),
        ("0.9732", "0.95", "94.96", "89.65"),
    ],
    "bahia": [
        ("study area", "Bahia"),
        ("Table 1", "stratum"),
        ("Table 2", "seven classes"),
        ("Fig. 4", "scatter", "stratum"),
        ("Fig. 5", "median spectra", "stratum"),
        ("Fig. 6", "box plots", "stratum"),
        ("Fig. 7", "similarity", "stratum", "halo"),
        ("noise fraction",),
        ("pixel purity",),
        ("0.10", "0.12", "0.15", "0.02"),
        ("±0.02",),
        ("similarity", "hematite", "itabirite", "negative"),
        ("69.8", "0.623", "0.697", "0.686", "0.750", "0.714", "0.638", "175"),
        ("50 trees", "30", "3 "),
        ("potential", "565 000"),
        ("Figs. 9 and 11", "district"),
        ("Fig. 10", "Jacuípe", "Tombador", "Maracás", "Ipueira", "Caraíba"),
        ("Occurrences",),
        ("53.07", "3491"),
        ("Fig. 12", "1992–2009", "2020–2025"),
    ],
    "cuprite": [
        ("study area", "Cuprite"),
        ("Table 1", "recall", "F1"),
        ("Table 2", "cosine", "Euclidean", "ten sets"),
        ("171 + 159 + 141 + 12 + 16 = 499",),
        ("66 723", "58 748", "648 000", "378 000"),
        ("Swayze",),
    ],
}
PUBLISHED = "published"
"""The sub-section of a method with the settings of its paper."""


@pytest.fixture(scope="module")
def papers():
    return json.loads((STATIC / "published.json").read_text())


@pytest.fixture(scope="module")
def schema(root):
    return json.loads((root / "workflow/schemas/config.schema.json").read_text())


@pytest.fixture(scope="module")
def studies(root, schema):
    """The studies of the default run with all defaults filled in, by their papers."""
    config = fill_defaults(yaml.safe_load((root / "config/config.yaml").read_text()), schema)
    return {study["paper"]: study for study in config["studies"].values() if study["paper"]}


def known_places(papers, study):
    """The places that pages can have, from the sections' figures, the templates and the table."""
    places = {f"paper.{table['id']}" for paper in papers for table in paper.get("tables", [])}
    places |= set(re.findall(r'\bid="([\w.]+)"', (STATIC / "base.html.j2").read_text()))
    for method, section in SECTIONS.items():
        places |= {f"{method}-{name}" for name in section.FIGURE_TITLES}
        template = (STATIC / f"{method}.html.j2").read_text()
        ids = re.findall(r'\bid="\{\{ scene\.anchor \}\}\.([\w-]+)"', template)
        places |= {f"{method}.{name}" for name in ids}
    zones = study.get("zones", {"alteration": {}})["alteration"]
    places |= {f"zones-{name}" for name in figure_titles(zones)}
    table = read_results(STATIC / "results.csv")
    return places | {f"{row['method']}/{row['file']}" for row in table}


def test_every_paper_has_its_list(papers):
    assert set(papers) == set(HELD)
    for paper in papers.values():
        check_paper(paper, "published.json")
        assert {item["ours"] for item in paper["setup"]} <= ANSWERS


@pytest.mark.parametrize("name", HELD)
def test_every_figure_table_and_number_of_a_paper_has_a_row(papers, name):
    rows = [row["paper"] for row in papers[name]["contents"]]
    lacking = [
        words for words in HELD[name] if not any(all(word in row for word in words) for row in rows)
    ]
    assert lacking == []
    theirs = [row for row in rows if row != ADDED]
    assert len(theirs) == len(set(theirs))


@pytest.mark.parametrize("name", HELD)
def test_every_place_that_a_paper_s_rows_lead_to_can_be_on_its_page(papers, studies, name):
    known = known_places(papers.values(), studies[name])
    named = {place for row in papers[name]["contents"] for place in row.get("ours", [])}
    assert named - known == set()
    methods = {re.split(r"[-./]", place)[0] for place in named} - {"paper", "where"}
    assert methods <= set(METHOD_TITLES) & set(studies[name])


@pytest.mark.parametrize("name", HELD)
def test_what_the_settings_share_with_the_paper_is_no_departure(papers, studies, name):
    """Each departure with a setting is of a key that the study has."""
    for row in papers[name]["deviations"]:
        if "setting" in row:
            assert row["setting"] in keys_of(studies[name]), row["setting"]


def keys_of(value, place=""):
    """All dotted keys of settings, sections included."""
    if not isinstance(value, dict):
        return set()
    own = {f"{place}{key}" for key in value}
    return own.union(*(keys_of(item, f"{place}{key}.") for key, item in value.items()))


def shared_settings(section, published, place):
    """(key, ours, the paper's) of each setting that a method has in both of its sections."""
    for key in set(section) & set(published):
        ours, theirs = section[key], published[key]
        if isinstance(ours, dict) and isinstance(theirs, dict):
            yield from shared_settings(ours, theirs, f"{place}.{key}")
        else:
            yield f"{place}.{key}", ours, theirs


@pytest.mark.parametrize("name", HELD)
def test_where_a_method_differs_from_its_published_section_a_departure_says_so(
    papers, studies, name, schema
):
    told = {
        row["setting"]: row["published"]
        for row in papers[name]["deviations"]
        if "setting" in row and "published" in row
    }
    for method in METHOD_TITLES:
        section = studies[name].get(method, {})
        for key, ours, theirs in shared_settings(section, section.get(PUBLISHED, {}), method):
            if ours != theirs:
                assert key in told, f"{key}: {ours} here, {theirs} as published; add its row"
            if key in told:
                assert told[key] == defaults_of(schema, method, key), key


def defaults_of(schema, method, key):
    """The paper's own value of a method's setting: the default of its published section."""
    section = {"studies": {"any": {method: {PUBLISHED: {}}}}}
    filled = fill_defaults(section, schema)["studies"]["any"][method][PUBLISHED]
    return look_up(filled, key.removeprefix(f"{method}."))


@pytest.mark.parametrize("name", HELD)
def test_where_a_published_section_is_not_the_paper_s_a_departure_says_so(
    papers, studies, name, schema
):
    told = {row.get("setting"): row.get("published") for row in papers[name]["deviations"]}
    for method in METHOD_TITLES:
        place = f"{method}.{PUBLISHED}"
        section = {PUBLISHED: studies[name].get(method, {}).get(PUBLISHED, {})}
        for key in leaf_keys(section, method):
            theirs = defaults_of(schema, method, key.replace(place, method, 1))
            ran = look_up(studies[name], key)
            if ran != theirs:
                assert key in told, f"{key}: {ran} here, {theirs} in the paper; add its row"
                assert told[key] == theirs, key


def leaf_keys(value, place):
    """All dotted keys of single values and lists."""
    if not isinstance(value, dict):
        return [place]
    return [key for name, item in value.items() for key in leaf_keys(item, f"{place}.{name}")]


def test_a_departure_holds_where_the_settings_depart():
    rows = [
        {"paper": "Ten.", "ours": "So many.", "setting": "mad.n", "published": 10},
        {"paper": "No word.", "ours": "This.", "setting": "mad.side"},
        {"paper": "Wrong.", "ours": "Right."},
        {"paper": "Copies.", "ours": "None.", "method": "patches"},
    ]
    found = list_departures(rows, {"mad": {"n": 10.0, "side": "high"}})
    assert [row["paper"] for row in found] == ["No word.", "Wrong."]
    found = list_departures(rows, {"mad": {"n": 1.5}, "patches": {}})
    assert [row["paper"] for row in found] == ["Ten.", "Wrong.", "Copies."]
    assert (found[0]["setting"], found[0]["ran"], found[0]["published"]) == ("mad.n", "1.5", "10")


def test_rows_lead_to_the_first_section_s_place_by_its_title():
    section = [
        Section("zones", Scene(id=name, cube={}, figures={}, sensor="aster"), {"map": "Map"}, {})
        for name in ("a", "a-b")
    ]
    text = "".join(
        f'<figure id="{start}-map"><img></figure><h3 class="x" id="{start}.rule">A rule</h3>'
        f'<table id="{start}.numbers">\n<caption><span class="label">SYNTHETIC</span> '
        "Numbers &amp; more (of all, too).</caption>"
        for start in ("a-aster-zones", "a-b-aster-zones")
    )
    places = find_places(text, section)
    assert places["zones-map"] == ("a-aster-zones-map", "Map")
    assert places["zones.rule"] == ("a-aster-zones.rule", "A rule")
    assert places["zones.numbers"] == ("a-aster-zones.numbers", "Numbers & more")
    rows = [
        {"paper": "Fig. 1", "ours": ["zones-map", "zones.none"], "differs": "Larger."},
        {"paper": "Fig. 2", "ours": ["zones-other"], "differs": "Smaller."},
        {"paper": ADDED, "ours": ["zones-other"], "differs": "Added."},
        {"paper": "Fig. 3", "why": "A photograph."},
        {"paper": "List", "ours": ["zones/list.csv"], "differs": "A file."},
    ]
    files = [{"path": "results/a/aster/zones/list.csv", "href": "../list.csv"}]
    shown = answer_contents(rows, places, files)
    assert [
        (row["paper"], [link["title"] for link in row["links"]], row["note"]) for row in shown
    ] == [
        ("Fig. 1", ["Map"], "Larger."),
        ("Fig. 2", [], "Not part of this run."),
        ("Fig. 3", [], "A photograph."),
        ("List", ["list.csv"], "A file."),
    ]
    assert shown[3]["links"] == [{"href": "../list.csv", "title": "list.csv"}]


@pytest.mark.parametrize(
    ("paper", "said"),
    [
        ({"contents": [{"paper": "Fig. 1"}]}, "contents: Fig. 1: has paper; give ours"),
        ({"contents": [{"paper": "Fig. 1", "ours": [], "differs": "x"}]}, "give ours and differs"),
        ({"contents": [{"paper": "Fig. 1", "ours": "a", "differs": "x"}]}, "ours is no list"),
        ({"deviations": [{"paper": "Ten."}]}, "deviations: Ten.: has paper; give paper and ours"),
        (
            {"deviations": [{"paper": "Ten.", "ours": "x", "published": 10}]},
            "Ten.: has paper, ours, published; give",
        ),
    ],
)
def test_rows_that_say_too_little_are_named(paper, said):
    with pytest.raises(InputError, match=said):
        check_paper(paper, "published.json")


def test_the_page_on_papers_has_the_same_rows(papers):
    same = PAGE.read_text() == page_of(papers)
    assert same, "run python tests/helpers/paper_pages.py"
