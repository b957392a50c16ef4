"""Claims by period, districts, and known mines that taught nothing, on a map of potential."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date

import numpy as np

from gossan.accuracy.blocks import Bootstrap
from gossan.errors import InputError
from gossan.prospects.potential import HIGH, MEDIUM, POTENTIAL
from gossan.targets.sites import (
    OVERLAY_COLUMNS,
    MapCounts,
    Sites,
    SiteTally,
    overlay_rows,
)

WITHOUT_DATE = "without a date"
NAME_ATTRIBUTE = "name"
PERIOD_COLUMNS = ("period", *OVERLAY_COLUMNS[1:])
DISTRICT_COLUMNS = (
    *("district", "pixels", "area_km2", "low_share", "medium_share", "high_share"),
    *("claims", "claims_found", "occurrences", "occurrences_found"),
)
MINE_COLUMNS = ("mine", "potential", "highest", "score", "area_share")
_PERIOD = re.compile(r"(\d{4})-(\d{4})?")
_YEAR = re.compile(r"(?<!\d)(1[6-9]\d\d|20\d\d)(?!\d)")


def parse_periods(texts: Sequence[str]) -> dict[str, tuple[int, int]]:
    """First and last year of periods such as "1992-2009" or "2010-", which has no end.

    Raises InputError for other texts, and for a period that ends before it begins.
    """
    periods = {}
    for text in texts:
        found = _PERIOD.fullmatch(text.strip())
        if found is None:
            raise InputError(
                f"periods: {text!r} is no period; write years such as 1992-2009, or 2010-"
            )
        first, last = int(found[1]), int(found[2] or date.max.year)
        if last < first:
            raise InputError(f"periods: {text} ends before it begins; exchange the years")
        periods[text.strip()] = first, last
    return periods


def year_of(value: object) -> int | None:
    """The year of a date: of a date or time, a number, or the first year that a text names."""
    if value is None or value != value:
        return None
    if hasattr(value, "year"):
        return int(value.year)
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        value = int(value)
    found = _YEAR.search(str(value))
    return int(found[0]) if found else None


def names_of(sites: Sites, title: str) -> list[str]:
    """The names of sites by their attribute `name`; a title and a number where one has none."""
    said = sites.attributes.get(NAME_ATTRIBUTE, [None] * len(sites.shapes))
    return [
        f"{title} {number}" if value is None or value != value else str(value).strip()
        for number, value in enumerate(said, start=1)
    ]


def period_rows(
    sites: Sites,
    years: Sequence[int | None],
    periods: Mapping[str, tuple[int, int]],
    tally: SiteTally,
    counts: MapCounts,
    bootstrap: Bootstrap,
) -> list[dict[str, object]]:
    """Rows of PERIOD_COLUMNS: share of the sites of each period by potential, as `overlay_rows`.

    Sites of no year follow under WITHOUT_DATE, if there are any. Periods may overlap; a site counts
    in each of them.
    """
    known = np.array([np.nan if year is None else year for year in years], np.float64)
    chosen = {name: (known >= first) & (known <= last) for name, (first, last) in periods.items()}
    if np.isnan(known).any():
        chosen[WITHOUT_DATE] = np.isnan(known)
    rows = []
    for name, places in chosen.items():
        for row in overlay_rows(sites, tally, places, name, counts, bootstrap):
            rows.append({"period": row.pop("sites"), **row})
    return rows


def district_rows(
    names: Sequence[str],
    tally: SiteTally,
    districts: np.ndarray,
    sites: Mapping[str, tuple[Sites, SiteTally]],
    pixel_area_m2: float | None,
    place: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
) -> list[dict[str, object]]:
    """Rows of DISTRICT_COLUMNS: share of each district's pixels by potential, and the sites in it.

    `districts` are shapes (n,), `tally` what they cover. A claim or occurrence lies in the district
    that holds the point that stands for it, at `place(column, row)` in the shapes' system; `found`
    are those with most of their pixels on medium or high potential.
    """
    import shapely

    rows = []
    for number, name in enumerate(names):
        pixels = tally.pixels[number, 1:]
        total = int(pixels.sum())
        row: dict[str, object] = {"district": name, "pixels": total}
        if pixel_area_m2 is not None:
            row["area_km2"] = f"{total * pixel_area_m2 / 1e6:.6f}"
        for item in POTENTIAL if total else ():
            row[f"{item.name}_share"] = f"{pixels[item.code - 1] / total:.6f}"
        for kind, (own, covered) in sites.items():
            x, y = place(own.column + 0.5, own.row + 0.5)
            inside = shapely.contains_xy(districts[number], x, y) & (covered.potential > 0)
            row[kind] = int(inside.sum())
            row[f"{kind}_found"] = int((inside & np.isin(covered.potential, (MEDIUM, HIGH))).sum())
        rows.append(row)
    return rows


def mine_rows(
    names: Sequence[str], tally: SiteTally, counts: MapCounts, steps: np.ndarray
) -> list[dict[str, object]]:
    """Rows of MINE_COLUMNS: potential of known mines that taught nothing.

    `potential` is that of most of a mine's pixels, or at its point; `highest` the highest that it
    touches; `area_share` the share of the map whose score is at least the mine's, whose `steps`
    (n,) are as of `score_steps`. Empty where the map has no data.
    """
    titles = {item.code: item.name for item in POTENTIAL}
    total = max(int(counts.steps.sum()), 1)
    rows = []
    for number, name in enumerate(names):
        touched = [code for code in titles if tally.touches((code,))[number]]
        row = {
            "mine": name,
            "potential": titles.get(int(tally.potential[number]), ""),
            "highest": titles[max(touched)] if touched else "",
        }
        if steps[number] >= 0:
            row["score"] = f"{tally.score[number]:.6f}"
            row["area_share"] = f"{counts.steps[steps[number] :].sum() / total:.6f}"
        rows.append(row)
    return rows
