"""What the pages of studies and their index share: templates, links, marks and names."""

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import quote

from jinja2 import DictLoader, Environment, StrictUndefined, TemplateError
from jinja2.meta import find_undeclared_variables
from jinja2.nodes import Macro

from gossan.cube.instruments import INSTRUMENTS
from gossan.errors import InputError
from gossan.files import require_text

BANNER = (
    "Scenes marked SYNTHETIC were simulated: their ground, image and truth are computed. "
    "Nothing about them describes a real place."
)
MARKS = (".banner", ".label")
RECORD, START = 'getElementById("record")', "start();"
SENSOR_NAMES = {
    **{name: item.label for name, item in INSTRUMENTS.items()},
    "rasters": "rasters",
    "stack": "all sensors",
}


def _environment(templates: Mapping[str, str]) -> Environment:
    """Templates by name, which escape all text and refuse what they are not given."""
    return Environment(
        loader=DictLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def read_template(path: Path, uses: Collection[str] = (), macros: Collection[str] = ()) -> str:
    """The text of a template that uses these names, so shows what they hold, and has the macros.

    Raises InputError for a file that is no such template: an empty or foreign one would make an
    empty page.
    """
    text = read_part(path)
    try:
        parsed = _environment({}).parse(text)
    except TemplateError as error:
        raise InputError(f"{path}: no template of Jinja ({error}); correct it") from error
    lacking = set(uses) - find_undeclared_variables(parsed)
    lacking |= set(macros) - {macro.name for macro in parsed.find_all(Macro)}
    if lacking:
        raise InputError(
            f"{path}: lacks {', '.join(sorted(lacking))}; give a template of the report"
        )
    return text


def read_style(path: Path) -> str:
    """The text of a style sheet with rules for MARKS, which tell simulated from real ground.

    Raises InputError for another file.
    """
    text = read_part(path)
    lacking = [name for name in MARKS if not re.search(rf"{re.escape(name)}\b[^{{}}]*{{", text)]
    if lacking or "<" in text or text.count("{") != text.count("}"):
        raise InputError(
            f"{path}: no style sheet of the report, whose rules are whole and have "
            f"{' and '.join(MARKS)}; correct it"
        )
    return text


def read_script(path: Path) -> str:
    """The text of the map's script, which asks for the page's RECORD and ends with its START.

    Raises InputError for another file: without it a map has a frame, and nothing in it. What lies
    between the two is taken as it is.
    """
    text = read_part(path)
    if RECORD not in text or not text.rstrip().endswith(START):
        raise InputError(f"{path}: no script of the map from its start to its end; get it again")
    return text


def read_part(path: Path) -> str:
    """The text of a file that goes into a page; InputError where it is none, or damaged."""
    try:
        return require_text(path.read_text(encoding="utf-8"), path)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: no text in UTF-8; get it again") from error


def render(templates: Mapping[str, str], name: str, **context: object) -> str:
    """A page of the template `name`; InputError where a template asks for what there is not."""
    try:
        return _environment(templates).get_template(name).render(**context)
    except TemplateError as error:
        where = getattr(error, "name", None) or name
        raise InputError(
            f"template {where}: does not fit the report ({error}); correct it"
        ) from error


def mark_text(synthetic: bool) -> str:
    """What stands before the title or the picture of a simulated scene."""
    return "SYNTHETIC: " if synthetic else ""


def relative_link(target: str | Path, page: str | Path) -> str:
    """The way from a page to a file, as a link."""
    return quote(Path(os.path.relpath(target, Path(page).parent)).as_posix())


def name_sensor(record: Mapping) -> str:
    """The sensor of an accuracy record's map, in words; empty where it is not known."""
    sensor = record.get("sensor", "")
    return SENSOR_NAMES.get(sensor, sensor)


def has_intervals(record: Mapping) -> bool:
    """Whether the record's overall scores came with intervals."""
    return record["assessed"] and record["scores"]["overall_accuracy"]["low"] is not None
