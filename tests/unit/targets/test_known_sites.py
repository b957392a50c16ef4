from datetime import date

import numpy as np
import pandas
import pytest
from shapely.geometry import box

from gossan.accuracy.blocks import Bootstrap
from gossan.errors import InputError
from gossan.prospects.potential import HIGH, LOW, MEDIUM
from gossan.targets.known_sites import (
    WITHOUT_DATE,
    district_rows,
    mine_rows,
    names_of,
    parse_periods,
    period_rows,
    year_of,
)
from gossan.targets.sites import MapCounts, Sites, SiteTally, score_steps

COUNTS = MapCounts(np.array([0, 900, 80, 20]), np.r_[np.full(1000, 1), 0], 100.0)


def make_sites(codes, **attributes):
    n = len(codes)
    pixels = np.zeros((n, 5), np.int64)
    pixels[np.arange(n), codes] = 10
    sites = Sites("claims", np.empty(n, object), np.arange(n), np.zeros(n, int), attributes)
    return sites, SiteTally(pixels, np.array(codes), np.linspace(0, 1, n).astype("float32"))


@pytest.mark.parametrize(
    ("value", "year"),
    [
        (date(2011, 3, 4), 2011),
        (pandas.Timestamp("1999-12-31"), 1999),
        (2004.0, 2004),
        ("17/05/2020", 2020),
        ("ANM 800.123/1995, renewed 2010", 1995),
        ("", None),
        (None, None),
        (pandas.NaT, None),
        (float("nan"), None),
        ("20201", None),
    ],
)
def test_a_date_of_any_kind_tells_its_year(value, year):
    assert year_of(value) == year


def test_claims_count_in_each_period_of_theirs_and_those_without_a_date_apart():
    sites, tally = make_sites([HIGH, LOW, MEDIUM, HIGH, LOW])
    periods = parse_periods(["1992-2009", "2010-", "2020-2025"])
    years = [2009, 2010, 2021, None, 1950]
    rows = period_rows(sites, years, periods, tally, COUNTS, Bootstrap(8, 100, 1))
    told = {r["period"]: (r["found"], r["n"]) for r in rows if r["potential"] == "medium or high"}
    assert told == {
        "1992-2009": (1, 1),
        # Overlapping periods both have the claim of 2021.
        "2010-": (1, 2),
        "2020-2025": (1, 1),
        WITHOUT_DATE: (1, 1),
    }
    assert {row["area_share"] for row in rows if row["potential"] == "high"} == {"0.020000"}
    dated = period_rows(sites, [2009] * 5, periods, tally, COUNTS, Bootstrap(8, 100, 1))
    assert WITHOUT_DATE not in {row["period"] for row in dated}


@pytest.mark.parametrize("text", ["1992", "92-95", "1992-2009-", "since 2010"])
def test_what_is_no_period_is_refused(text):
    with pytest.raises(InputError, match="is no period; write years"):
        parse_periods([text])


def test_a_period_that_ends_before_it_begins_is_refused():
    with pytest.raises(InputError, match="2009-1992 ends before it begins"):
        parse_periods(["2009-1992"])


def test_a_district_has_its_shares_and_the_sites_whose_points_it_holds():
    sites, tally = make_sites([HIGH, LOW, MEDIUM])
    pixels = np.array([[5, 60, 30, 10, 0], [0, 0, 0, 0, 0]])
    covered = SiteTally(pixels, np.zeros(2, int), np.zeros(2, "float32"))
    rows = district_rows(
        *(["West", "East"], covered, np.array([box(0, 0, 2, 1), box(2, 0, 9, 1)])),
        *({"claims": (sites, tally)}, 100.0, lambda column, row: (column, row)),
    )
    assert rows[0] == {
        **{"district": "West", "pixels": 100, "area_km2": "0.010000"},
        **{"low_share": "0.600000", "medium_share": "0.300000", "high_share": "0.100000"},
        **{"claims": 2, "claims_found": 1},
    }
    assert (rows[1]["pixels"], rows[1]["claims"], "low_share" in rows[1]) == (0, 1, False)


def test_a_known_mine_has_its_potential_and_how_much_ground_scores_as_high():
    sites, tally = make_sites([HIGH, LOW, 0], name=np.array(["Old pit", None, "Trench"], object))
    tally.pixels[1, MEDIUM] = 2
    tally.score[:] = 0.9, 0.1, np.nan
    rows = mine_rows(names_of(sites, "Mine"), tally, COUNTS, score_steps(tally.score))
    assert [row["mine"] for row in rows] == ["Old pit", "Mine 2", "Trench"]
    assert (rows[0]["potential"], rows[0]["area_share"]) == ("high", "0.100000")
    assert (rows[1]["potential"], rows[1]["highest"]) == ("low", "medium")
    assert (rows[2]["potential"], rows[2].get("score")) == ("", None)
