import numpy as np
import pytest

from gossan.errors import InputError
from gossan.prospects.iron_labels import REFERENCES
from gossan.prospects.strata import Samples
from gossan.prospects.strata_grades import (
    CellGrading,
    cell_rows,
    place_points,
    read_assignments,
)

STRATA = [
    {"mine": mine, "mineral": mineral, "stratum": name, "from_m": start, "to_m": stop}
    for mine, mineral in (("A", "hematite"), ("B", "itabirite"))
    for name, start, stop in (("ore", "0", "0"), ("0-100 m", "0", "100"), ("far", "100", "900"))
]
# Mine, class, stratum, own mineral, similarity to the mine's mineral, split.
POINTS = [
    *[("A", "ore", "ore", "hematite", 0.96, "train")] * 2,
    *[("A", "soil", "0-100 m", "", 0.95, "train"), ("A", "soil", "0-100 m", "", 0.87, "train")],
    *[("A", "soil", "0-100 m", "", 0.10, "test")],
    *[("A", "soil", "far", "", 0.85, "train")] * 2,
    *[("A", "vegetation", "far", "", 0.95, "train")] * 2,
    *[("B", "ore", "ore", "itabirite", 0.65, "train")] * 2,
]
TABLE = """mineral,class,from_m,to_m,grade
hematite,ore,0,0,high
hematite,soil,0,100,high
hematite,soil,100,900,high
itabirite,ore,0,0,high
itabirite,mixed,0,100,moderate
"""
THETA = 0.5
LEAST = (0.9, 0.8, 0.7)


def make_points():
    def column(place):
        return np.array([row[place] for row in POINTS], object)

    n = len(POINTS)
    whole = np.zeros(n, np.int64)
    samples = Samples(
        mine=column(0),
        cover=column(1),
        stratum=column(2),
        mineral=column(3),
        split=column(5),
        block=whole,
        block_px=whole + 8,
        row=np.arange(n),
        column=whole,
        ndvi=whole,
        bsi=whole,
        rule=column(1),
        labelled_by=column(1),
    )
    angles = np.full((n, len(REFERENCES)), 1.0)
    for place, row in enumerate(POINTS):
        mineral = "hematite" if row[0] == "A" else "itabirite"
        angles[place, REFERENCES.index(mineral)] = (1 - row[4]) * THETA
    return place_points(samples, angles, STRATA, "strata.csv")


@pytest.fixture
def points():
    return make_points()


@pytest.fixture
def listed(tmp_path):
    (tmp_path / "table.csv").write_text(TABLE)
    return read_assignments(tmp_path / "table.csv")


@pytest.fixture
def grading(points, listed):
    return CellGrading.of(points.select(points.samples.split == "train"), listed, THETA, LEAST)


def test_a_cell_has_its_grade_by_the_mean_similarity_of_the_points_that_teach(points, grading):
    assert grading.label(points).tolist() == [
        *["hematite-high"] * 2,
        # 0.91 on average: the test point, unlike them all, has the grade of its cell.
        *["hematite-high"] * 3,
        # Listed as high, but only moderately like the ore.
        *["hematite-moderate"] * 2,
        # As like as can be, but no cell of the table.
        *["negative"] * 2,
        # Listed, and less like than the lowest grade.
        *["negative"] * 2,
    ]


def test_a_grade_weighs_as_much_as_its_points_are_similar(points, grading):
    taught = points.select(points.samples.split == "train")
    weights = grading.weights(taught, grading.label(taught))
    assert weights == pytest.approx(
        {
            "hematite-high": (2 * 0.96 + 0.95 + 0.87) / 4,
            "hematite-moderate": 0.85,
            "negative": (2 * 0.95 + 2 * 0.65) / 4,
        }
    )


def test_what_of_the_table_could_not_be_followed_is_said(grading):
    absent, unlike = grading.notes()
    assert absent == "No training point is there of mixed 0-100 m from itabirite."
    assert "soil 100-900 m from hematite (0.85)" in unlike
    assert "ore of itabirite (0.65)" in unlike
    assert grading.met == (2, 4)


def test_the_table_of_cells_shows_the_table_s_grade_beside_the_one_here(points, grading):
    rows = {(r["mineral"], r["class"], r["stratum"]): r for r in cell_rows(grading, points, STRATA)}
    soil = rows["hematite", "soil", "0-100 m"]
    assert (soil["points"], soil["train"], soil["similarity"]) == (3, 2, "0.910000")
    far = rows["hematite", "soil", "far"]
    assert (far["listed"], far["grade"]) == ("high", "hematite-moderate")
    empty = rows["itabirite", "mixed", "0-100 m"]
    assert (empty["train"], empty["grade"], empty.get("similarity")) == (0, "", None)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("hematite,soil,0,100,rich", "line 2: grade is rich; use one of high, moderate, low"),
        ("gold,soil,0,100,high", "mineral is gold"),
        ("hematite,rock,0,100,high", "class is rock"),
        ("hematite,soil,0,x,high", "to_m holds no number"),
        ("hematite,soil,0,100,high\nhematite,soil,0,100,low", "line 3: soil 0-100 m from hematite"),
        ("", "has no row"),
    ],
)
def test_a_table_without_meaning_is_refused_by_line(tmp_path, table, message):
    path = tmp_path / "table.csv"
    path.write_text(f"mineral,class,from_m,to_m,grade\n{table}\n")
    with pytest.raises(InputError, match=message):
        read_assignments(path)


def test_the_published_table_has_each_cell_of_the_paper(root):
    listed = read_assignments(root / "resources/static/strata_grades.csv")
    found = {}
    for (mineral, cover, start, stop), grade in listed.items():
        found.setdefault((mineral, cover, grade), set()).add((start, stop))
    near, second, third, far = (0, 100), (100, 200), (200, 500), (500, 10_000)
    assert found == {
        ("hematite", "ore", "high"): {(0, 0)},
        ("hematite", "soil", "high"): {near, third, far},
        ("hematite", "soil", "moderate"): {second},
        ("hematite", "mixed", "moderate"): {near, second, third, far},
        ("hematite", "vegetation", "low"): {near, second},
        ("itabirite", "ore", "high"): {(0, 0)},
        ("itabirite", "soil", "high"): {near, second, third},
        ("itabirite", "soil", "moderate"): {far},
        ("itabirite", "mixed", "moderate"): {near, second, third, far},
        ("itabirite", "vegetation", "low"): {near, second},
    }
