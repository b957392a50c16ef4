"""A study's page from its settings: which sections it has, where they lie, and what is left."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

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
from gossan.report.page import METHOD_TITLES, relative_link
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
FIGURES = frozenset(name for section in SECTIONS.values() for name in section.FIGURE_TITLES)
TABLE_COLUMNS = ("method", "file", "kind", "when", "title", "unit", "note")
"""Columns of the table of what a scene leaves."""
CUBE, TWIN, FIGURE = "cube", "twin", "figure"


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
    sources: Sequence[Source], table: Sequence[Mapping[str, str]], page: Path
) -> list[dict[str, str]]:
    """What the methods of a study left, by the rows of the table: path, link, and what it is.

    `table` has TABLE_COLUMNS; a row's file is relative to the method's folder, with {zone} and
    the like for any name. Figures are on the page already; what a row's condition rules out, and
    what does not lie there, is left out.
    """
    files: dict[str, dict[str, str]] = {}
    for source, method, folder in _folders(sources):
        held = source.held if method == source.method else None
        for row in table:
            if row["method"] != method or row["kind"] == FIGURE:
                continue
            if held is not None and not set(row["when"].split()) <= held:
                continue
            for path in _find(folder, row["file"]):
                files.setdefault(
                    str(path),
                    {
                        "path": str(path),
                        "href": relative_link(path, page),
                        "what": _describe(row, path, folder),
                    },
                )
    return list(files.values())


def _folders(sources: Sequence[Source]) -> Iterator[tuple[Source, str, Path]]:
    """Folders of the methods, of the cubes that they map, and of what simulated the scene."""
    for source in sources:
        if source.scene.get("synthetic"):
            yield source, TWIN, source.scene_dir / TWIN
        for sensor in [source.sensor] if source.sensor else [*source.scene["sensors"], STACK]:
            yield source, CUBE, source.scene_dir / sensor / CUBE
        yield source, source.method, source.folder


def _find(folder: Path, file: str) -> list[Path]:
    """The files of a row, in the order of their names."""
    pattern = "".join(part.rpartition("}")[2] + "*" for part in file.split("{")[:-1])
    pattern = file if "{" not in file else pattern + file.rpartition("}")[2]
    if "*" not in pattern:
        return [folder / file] if (folder / file).exists() else []
    return sorted(folder.glob(pattern))


def _describe(row: Mapping[str, str], path: Path, folder: Path) -> str:
    """A file in words; one of several has its own name in them."""
    text = row["note"] or row["title"] or "product of the run"
    if "{" in row["file"]:
        parts = zip(Path(row["file"]).parts, path.relative_to(folder).parts, strict=True)
        names = [Path(own).stem for wanted, own in parts if "{" in wanted]
        text = f"{text} ({', '.join(names)})"
    return f"{text}, {row['unit']}" if row["unit"] else text
