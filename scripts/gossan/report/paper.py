"""What a page shows beside a paper: its set-up, where each of its items is, where a run departs.

Places of a page are named by method: `minerals-classes` is a figure, `patches.epochs` a heading or
a table, `minerals/pixels.gpkg` a file, whatever scene and sensor stand before them in the page's
own ids; `paper.setup` and the like are those of the part "Beside the paper" itself.
"""

import html
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from gossan.errors import InputError
from gossan.report.phrases import NOT_RUN, join_once, value_text
from gossan.report.sections import Scene, Section

ADDED = "(none)"
"""Stands for the paper's side of what only we show."""
UNPUBLISHED = {
    "title": "",
    "citation": "",
    "origin": "",
    "ground": "",
    "summary": "",
    "setup": [],
    "areas": [],
    "areas_note": "",
    "tables": [],
    "contents": [],
    "contents_note": "",
    "deviations": [],
}
_SHOWN = ({"paper", "ours", "differs"}, {"paper", "why"})
_DEPARTS = {"paper", "ours", "setting", "published", "method"}
_MISSING = object()
# The tag that has an id, and the words of a heading, or of the caption at a table's head.
_ID = re.compile(r'<(\w+)\b[^>]*?\bid="([^"]+)"[^>]*>')
_WORDS = re.compile(r"(?:<caption>)?(.{0,2000}?)</(?:h\d|caption)>", re.DOTALL)


def check_paper(paper: Mapping, path: str | Path) -> Mapping:
    """The entry of a paper in published.json; InputError for one that a page cannot be made of.

    `contents` has a row for each figure, table and number of the paper: `paper` with `ours`, a
    list of places, and `differs`; or `paper` with `why` nothing shows it. `deviations` has a row
    for each departure from it: `paper` and `ours` in words, and where a setting decides on it
    `setting`, its key within the study, with the paper's own value as `published` if it has one;
    where it concerns one method and no setting, `method`.
    """
    for row in paper.get("contents", []):
        if set(row) not in _SHOWN or not all(row.values()):
            raise InputError(
                f"{path}: contents: {row.get('paper', row)}: has {', '.join(row)}; give ours and "
                "differs, or why, each filled in"
            )
        if isinstance(row.get("ours", []), str):
            raise InputError(f"{path}: contents: {row['paper']}: ours is no list; give one")
    for row in paper.get("deviations", []):
        keys = set(row)
        clear = {"paper", "ours"} <= keys <= _DEPARTS and not {"setting", "method"} <= keys
        if not clear or ("published" in row and "setting" not in row):
            raise InputError(
                f"{path}: deviations: {row.get('paper', row)}: has {', '.join(row)}; give paper "
                "and ours, with setting (and published) or method, if any"
            )
    return paper


def answer_setup(
    setup: Sequence[Mapping], sections: Sequence[Section], known: Collection[str]
) -> list[dict]:
    """The published set-up with this run's side; InputError for a row that no method knows."""
    rows = []
    for row in setup:
        key = row["ours"]
        if key not in known:
            raise InputError(f"published.json: setup names {key!r}, which the report does not know")
        answer = join_once(section.answers.get(key, "") for section in sections)
        rows.append({**row, "ours": answer or NOT_RUN})
    return rows


def find_places(text: str, sections: Sequence[Section]) -> dict[str, tuple[str, str]]:
    """(id, title) of each place of a page's HTML by its name, the first section's of each method.

    Titles are those of figures, headings, or captions up to their first mark or bracket.
    """
    ids = {}
    for found in _ID.finditer(text):
        words = _WORDS.match(text, found.end()) if found[1] != "figure" else None
        ids[found[2]] = "" if words is None else _plain(words[1])
    places = {name: (name, title) for name, title in ids.items()}
    for section in reversed(sections):
        start = section.anchor
        for name, title in ids.items():
            rest = name[len(start) :]
            if name.startswith(start) and rest[:1] in ("-", "."):
                title = section.titles.get(rest[1:], title)
                places[f"{section.method}{rest}"] = (name, title)
    return places


def _plain(words: str) -> str:
    """The first words of a heading or caption, without tags and marks."""
    text = html.unescape(re.sub(r'<span class="label">[^<]*</span>|<[^>]*>', "", words))
    return re.split(r"\s\(|[,.:;](?=\s|$)", text.strip())[0]


def answer_contents(
    rows: Sequence[Mapping],
    places: Mapping[str, tuple[str, str]],
    files: Iterable[Mapping[str, str]],
) -> list[dict]:
    """The paper's figures, tables and numbers, each with `links` to what shows it on this page.

    A row of a method that did not run says so; where it is only added to the paper's, it is left
    out. `files` have `path` and `href`.
    """
    files = list(files)
    shown = []
    for row in rows:
        links = []
        for name in row.get("ours", []):
            if name in places:
                place, title = places[name]
                links.append({"href": f"#{place}", "title": title or name})
            links += [
                {"href": file["href"], "title": name.split("/", 1)[1]}
                for file in files
                if "/" in name and file["path"].endswith(f"/{name}")
            ][:1]
        if links or "why" in row:
            shown.append({"paper": row["paper"], "links": links, "note": _note(row)})
        elif row["paper"] != ADDED:
            shown.append({"paper": row["paper"], "links": [], "note": NOT_RUN})
    return shown


def _note(row: Mapping) -> str:
    return row["differs"] if "differs" in row else row["why"]


def look_up(settings: Mapping, key: str) -> object:
    """The value of a dotted key; None where the settings do not have it."""
    value = _look_up(settings, key)
    return None if value is _MISSING else value


def _look_up(settings: Mapping, key: str) -> object:
    value: object = settings
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return _MISSING
        value = value[part]
    return value


def list_departures(rows: Sequence[Mapping], settings: Mapping) -> list[dict]:
    """Where a run with these settings of a study departs from its paper, with the keys' values.

    A row with a `setting` holds where the study has the key and its value is not the published
    one; a row with a `method` where the study has that method; any other row always.
    """
    departures = []
    for row in rows:
        key = row.get("setting", "")
        ran = _look_up(settings, key) if key else None
        if ran is _MISSING or ("published" in row and ran == row["published"]):
            continue
        if "method" in row and row["method"] not in settings:
            continue
        departures.append(
            {
                "paper": row["paper"],
                "ours": row["ours"],
                "setting": key,
                "ran": value_text(ran) if key else "",
                "published": value_text(row["published"]) if "published" in row else "",
            }
        )
    return departures


def compare_ground(scenes: Sequence[Scene], ground: str) -> str:
    """Whether the page's numbers may be set against those of a paper about `ground`."""
    if all(scene.synthetic for scene in scenes):
        ours = "this page's are of simulated ground"
        unless = ""
    else:
        ours = f"this page's are of {', '.join(scene.id for scene in scenes)}"
        unless = "Unless that is the same scene, "
    tail = "whether they agree or differ says nothing about either map."
    return (
        "Numbers of different ground cannot be compared. The paper's are of "
        f"{ground or 'its own scene'}; {ours}. {unless}{tail if unless else tail.capitalize()}"
    )
