"""The index: a card for each scene, and the studies' reports with their headline numbers."""

from collections import Counter
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from gossan.report.layout import BANNER, has_intervals, mark_text, name_sensor, render

MOST_HEADLINES = 4
"""A cube with more maps than this is told by the best of them."""


def render_index(
    template: str, style: str, studies: Sequence[Mapping], scenes: Sequence[Mapping] = ()
) -> str:
    """The page that links the pages of scenes and the studies' reports.

    Each of the `scenes` has `scene`, `study`, `synthetic`, `sensors`, `found` and `trust` (in a
    sentence each), and `href` and `picture`, relative to the page (empty without a page).

    Each study has `name`, `href` (relative to the page), `title` and `citation` (empty without a
    paper), `synthetic` (whether all of its scenes are) and `records` (accuracy records). A study
    with many maps is told by the best of them: see `headlines`.
    """
    shown = [
        {
            **study,
            "intervals": any(has_intervals(record) for record in study["records"]),
            "any_assessed": any(record["assessed"] for record in study["records"]),
            **dict(zip(("headlines", "left_out"), headlines(study["records"]), strict=True)),
        }
        for study in studies
    ]
    return render(
        {"page.html.j2": template},
        "page.html.j2",
        style=Markup(style),
        banner=BANNER,
        studies=shown,
        scenes=scenes,
        any_synthetic=any(
            item["synthetic"]
            for item in [*scenes, *studies, *(record for s in studies for record in s["records"])]
        ),
        mark_text=mark_text,
        name_sensor=name_sensor,
    )


def headlines(records: Sequence[Mapping]) -> tuple[list[Mapping], int]:
    """The records that stand for a study, in their order, and how many are left out.

    Of a cube with more than MOST_HEADLINES records these are, for each set of classes that maps
    were tested on, the one with the best macro-F1; of records without a test, the first. Networks
    that name patches are left to the report: their labels are another map's, and the paper's
    split lets copies of a patch train and test.
    """
    everything = len(records)
    records = [item for item in records if not item["method"].startswith("CNN")] or records
    cubes = [(record["scene"], record.get("sensor")) for record in records]
    crowded = {cube for cube, number in Counter(cubes).items() if number > MOST_HEADLINES}
    best: dict[tuple, int] = {}
    for place, (cube, record) in enumerate(zip(cubes, records, strict=True)):
        key = (cube, _subject(record) if cube in crowded else place)
        if key not in best or _merit(record) > _merit(records[best[key]]):
            best[key] = place
    kept = [records[place] for place in sorted(best.values())]
    return kept, everything - len(kept)


def _subject(record: Mapping) -> tuple[str, ...]:
    """The classes that a record tells apart; () where it was not assessed."""
    if not record["assessed"]:
        return ()
    return tuple(label["name"] for label in record["confusion_matrix"]["labels"])


def _merit(record: Mapping) -> float:
    value = record["scores"]["macro_f1"]["value"] if record["assessed"] else None
    return -1.0 if value is None else value
