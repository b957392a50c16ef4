"""The index: a card for each scene, and the studies' reports with their headline numbers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from markupsafe import Markup

from gossan.files import read_json
from gossan.report.layout import (
    BANNER,
    has_intervals,
    mark_text,
    name_sensor,
    relative_link,
    render,
)

MOST_HEADLINES = 4
"""A cube with more maps than this is told by the best of them."""
MOST_ROWS = 60
"""A study with more records than this to show is told by how far their scores spread."""


def read_card(folder: Path, scene: str, study: str, synthetic: bool, page: Path) -> dict:
    """What a page shows of a scene whose page, thumbnail and summary lie in a folder.

    A dict of `scene`, `study`, `synthetic`, `sensors`, `found`, `trust` and `doubt` (in a
    sentence each), and `href` and `picture`, relative to the page (empty without a page).
    """
    known = {"scene": scene, "study": study, "synthetic": synthetic, "href": "", "picture": ""}
    if not (folder / "summary.json").is_file():
        return {**known, "sensors": "", "found": "", "trust": "", "doubt": ""}
    return {
        **known,
        **read_json(folder / "summary.json"),
        "href": relative_link(folder / "index.html", page),
        "picture": relative_link(folder / "thumbnail.png", page),
    }


def render_index(
    templates: Mapping[str, str],
    style: str,
    studies: Sequence[Mapping],
    scenes: Sequence[Mapping] = (),
) -> str:
    """The page that links the pages of scenes and the studies' reports.

    `templates` are texts by name, `index` and `cards`; the `scenes` are those of `read_card`.

    Each study has `name`, `href` (relative to the page), `title` and `citation` (empty without a
    paper), `synthetic` (whether all of its scenes are) and `records` (accuracy records). A study
    with many maps is told by the best of them: see `headlines`; with very many by `spread`.
    """
    shown = []
    for study in studies:
        records = study["records"]
        rows, left_out = headlines(records)
        many = len(rows) > MOST_ROWS
        shown.append(
            {
                **study,
                "intervals": any(has_intervals(record) for record in records),
                "any_assessed": any(record["assessed"] for record in records),
                "headlines": [] if many else rows,
                "left_out": 0 if many else left_out,
                "spread": spread(records) if many else "",
            }
        )
    return render(
        {f"{name}.html.j2": text for name, text in templates.items()},
        "index.html.j2",
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


def spread(records: Sequence[Mapping]) -> str:
    """How many maps records tell of, and how far the scores of those that were tested spread."""
    told = f"{len(records):,} maps"
    scores = sorted(_merit(record) for record in records if _merit(record) >= 0)
    if not scores:
        return f"{told}, none of which could be tested."
    return (
        f"{told}, {len(scores):,} of them tested: macro-F1 from {scores[0]:.3f} to "
        f"{scores[-1]:.3f}, half of them above {median(scores):.3f}."
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
