"""A study's page from its settings: which sections it has, where they lie, and what is left."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Formatter

from gossan.errors import InputError
from gossan.report import (
    embedding_section,
    minerals_section,
    mnf_section,
    patches_section,
    prospects_section,
    targets_section,
    zones_section,
)
from gossan.report.layout import relative_link
from gossan.report.page import METHOD_TITLES
from gossan.report.sections import STACK, Section, Source

SECTIONS = {
    "minerals": minerals_section,
    "patches": patches_section,
    "zones": zones_section,
    "mnf": mnf_section,
    "prospects": prospects_section,
    "embedding": embedding_section,
    "targets": targets_section,
}
ANSWERS = frozenset(key for section in SECTIONS.values() for key in section.ANSWERS)
"""Rows of a published set-up that some method answers."""
FIGURE = "figure"
_SCENE = {
    **{"scene": str, "ground": str, "synthetic": bool, "truths": dict, "sensors": dict},
    **{"stack": list, "methods": dict, "held": dict},
}


def list_sources(
    settings: Mapping, results: Path, paper: Mapping, residuals: Sequence[Mapping[str, str]] = ()
) -> list[Source]:
    """What ran, scene by scene, sensor by sensor, method by method.

    `settings` are the record of a study; `results` is the folder that holds `scenes` and
    `studies`. Raises InputError for settings without scenes, or with a method that is unknown.
    """
    scenes = settings.get("scenes") or []
    if not scenes:
        raise InputError("settings: name no scene; record the settings of a study with scenes")
    sources = []
    for scene in scenes:
        for key in _SCENE.keys() & scene.keys():
            if not isinstance(scene[key], _SCENE[key]):
                raise InputError(
                    f"settings: scenes: {key} of {scene['scene']} is {str(scene[key])[:40]!r}, no "
                    f"{_SCENE[key].__name__}; record the settings again"
                )
        methods = scene["methods"]
        unknown = [name for name in methods if name not in SECTIONS]
        if unknown:
            raise InputError(
                f"settings: method {unknown[0]!r} of scene {scene['scene']} is none of "
                f"{', '.join(SECTIONS)}"
            )
        sources += [
            Source(
                scene=scene,
                sensor=sensor,
                method=method,
                scene_dir=results / "scenes" / scene["scene"],
                study_dir=results / "studies" / settings["study"],
                settings=settings.get("settings") or {},
                paper=paper,
                residuals=residuals,
            )
            for sensor in [*scene["sensors"], STACK, ""]
            for method in METHOD_TITLES
            if sensor in methods.get(method, ())
        ]
    if not sources:
        raise InputError("settings: the scenes have no section; name a method in the study")
    return sources


def read_sections(sources: Sequence[Source]) -> list[Section]:
    """The sections of a page, each from its files; a cube's record is shown by its first one."""
    sections, shown = [], []
    for source in sources:
        part = SECTIONS[source.method]
        section = part.make_section(part.read_scene(source), source)
        if section.how in shown:
            section = Section(**{**vars(section), "how": None})
        elif section.how is not None:
            shown.append(section.how)
        sections.append(section)
    return sections


def list_files(
    settings: Mapping, results: Path, table: Sequence[Mapping[str, str]], page: Path
) -> list[dict[str, str]]:
    """What the methods of a study left, by the table of results: path, link, and what it is.

    `table` is that of `gossan.results.read_results`. Figures are on the page already; what a row's
    conditions rule out, and what does not lie there, is left out.
    """
    files = []
    for scene in settings["scenes"]:
        for place, held in scene["held"].items():
            sensor, method = place.split("/")
            folder = results / "scenes" / scene["scene"] / sensor / method
            files += [
                {
                    "path": str(path),
                    "href": relative_link(path, page),
                    "what": _describe(row, path, folder),
                }
                for row in table
                if row["method"] == method
                and row["kind"] != FIGURE
                and set(row["when"].split()) <= set(held)
                for path in _find(folder, row["file"])
            ]
    return files


def _find(folder: Path, file: str) -> list[Path]:
    """The files of a row, whatever stands for its words in braces, in the order of their names.

    An empty file stands for what could not be made, such as a network of too few patches.
    """
    pattern = "".join(
        text + ("" if word is None else "*") for text, word, _, _ in Formatter().parse(file)
    )
    return sorted(path for path in folder.glob(pattern) if path.is_dir() or path.stat().st_size)


def _describe(row: Mapping[str, str], path: Path, folder: Path) -> str:
    """A file in words; one of several has its own name in them."""
    text = row["note"] or row["title"] or "product of the run"
    if "{" in row["file"]:
        parts = zip(Path(row["file"]).parts, path.relative_to(folder).parts, strict=True)
        text += f" ({', '.join(Path(own).stem for wanted, own in parts if '{' in wanted)})"
    return f"{text}, {row['unit']}" if row["unit"] else text
