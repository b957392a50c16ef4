import pytest
from pages import PNG, make_source, render

from gossan.report.targets_section import (
    FIGURE_TITLES,
    TargetScene,
    describe_claims,
    describe_curves,
    make_section,
)

CLAIMS = {"claims": {"share": 0.5307, "n": 3491}}
RECORD = {
    "synthetic": False,
    "level": "medium",
    "min_area_ha": 1.0,
    "thresholds": {"medium": "0.34", "high": "0.67"},
    "substances": ["iron"],
    "potential": [{"name": "high", "pixels": 120, "area_km2": 1.5, "share": 0.0123}],
    "patches": 15,
    "targets": 12,
    "known_ground": 1,
    "note": "",
    "curves": [],
}


def overlay(found="3", share="0.2", low="0.05", high="0.4"):
    return {
        "sites": "claims",
        "potential": "medium or high",
        "area_share": "0.046",
        "n": "15",
        "found": found,
        "share": share,
        "share_low": low,
        "share_high": high,
        "ratio": "4.35",
        "ratio_low": low,
        "ratio_high": high,
        "touching_share": "0.7333",
    }


def scene(rows, figures=()):
    return TargetScene(id="tiny", cube={}, figures=dict(figures), record=RECORD, overlay=rows)


def test_claims_stand_beside_their_area_and_the_paper():
    told = describe_claims(scene([overlay()]), CLAIMS)
    assert "3 of 15 claims (20.0%, 95 % interval 5.0 to 40.0)" in told
    assert "73.3% touch it; it covers 4.6% of the mapped area" in told
    assert "53.07% of 3,491 claims" in told
    none = [overlay("0", "0.0", "", "")]
    told = describe_claims(scene(none), CLAIMS)
    assert "0 of 15 claims (0.0%) lie" in told
    assert describe_claims(scene([]), CLAIMS) == ""
    assert "paper" not in describe_claims(scene([overlay()]), {})


def test_curves_are_better_than_chance_or_not():
    curves = [
        {"sites": "claims", "area_under_curve": {"value": 0.6, "low": 0.48, "high": 0.7}},
        {"sites": "occurrences", "area_under_curve": {"value": 0.8, "low": 0.7, "high": 0.9}},
    ]
    told = describe_curves(curves)
    assert told.startswith("The score finds occurrences better than chance would; for claims")
    assert describe_curves(curves[:1]).startswith("For claims the interval")
    assert describe_curves([]) == ""


@pytest.mark.parametrize("paper", [{}, CLAIMS])
def test_the_page_has_areas_sites_and_the_paper_s_share_where_there_is_one(tmp_path, paper):
    figures = {name: tmp_path / f"{name}.png" for name in FIGURE_TITLES}
    for path in figures.values():
        path.write_bytes(PNG)
    section = make_section(scene([overlay()], figures), make_source("targets", paper=paper))
    html = render([section], paper)
    for text in ("1.23%", "3 of 15", "20.00 %", "substances: iron", "12 targets of 15 patches"):
        assert text in html
    assert ("53.07 %" in html) == bool(paper)
    assert 'id="tiny-targets-success"' in html
