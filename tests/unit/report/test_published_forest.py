import pytest

from gossan.report.published_forest import (
    describe_beside,
    describe_contradictions,
    find_contradictions,
)

DEVIATIONS = [
    {"paper": "50.", "ours": "So many.", "setting": "m.published.trees", "published": 50},
    {"paper": "3.", "ours": "So many.", "setting": "m.published.leaf", "published": 3},
    {"paper": "5.", "ours": "So many.", "setting": "m.folds", "published": 5},
]


def test_only_settings_of_the_published_section_that_are_not_the_paper_s_are_named():
    settings = {"m": {"folds": 9, "published": {"trees": 8, "leaf": 3}}}
    told = find_contradictions({"deviations": DEVIATIONS}, settings, "m.published")
    assert describe_contradictions(told) == (
        "Called as published, but not as the paper has it: "
        "m.published.trees is 8, the paper has 50."
    )
    assert find_contradictions({}, settings, "m.published") == []
    assert describe_contradictions([]) == ""


@pytest.mark.parametrize(
    ("gap", "verdict"),
    [
        ((0.2, 0.1, 0.3), ": as published is better (difference +0.200, 95 % interval +0.100 to"),
        ((-0.2, -0.3, -0.1), ": ours is better (difference -0.200"),
        ((0.2, -0.1, 0.5), ": neither is shown to be better (difference +0.200"),
        ((0.2, None, None), "; there are too few blocks to tell which is better."),
    ],
)
def test_which_is_better_follows_from_the_interval_of_the_difference(gap, verdict):
    values = dict(zip(("value", "low", "high"), gap, strict=True))
    row = {"title": "F1 of ore", "strata": {"value": 0.7}, "pixels": {"value": 0.5}}
    group = {"title": "Ore or not, random split", "rows": [row | {"difference": values}]}
    (sentence,) = describe_beside([group])
    start = "Ore or not, random split: F1 of ore is 0.700 against 0.500 (as published against ours)"
    assert sentence.startswith(start + verdict)
