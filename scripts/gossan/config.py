"""Checks of the configuration and of the table of scenes, with all faults told together."""

import csv
import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from gossan.errors import InputError

TWIN = "twin"
ANALYTIC = "analytic"


def fill_defaults(value: dict, schema: dict) -> dict:
    """A copy of `value` in which each key that the schema gives a default is present."""
    filled = dict(value)
    for key, part in schema.get("properties", {}).items():
        if key not in filled and "default" in part:
            filled[key] = part["default"]
        if isinstance(filled.get(key), dict) and "properties" in part:
            filled[key] = fill_defaults(filled[key], part)
    return filled


def schema_faults(value: dict, schema: dict, place: str = "") -> list[str]:
    """One line per fault of `value` against a closed JSON Schema, each with key and fix."""
    errors = sorted(Draft202012Validator(schema).iter_errors(value), key=lambda e: list(e.path))
    return [line for error in errors for line in _explain(error, place)]


def config_faults(config: dict, names: Iterable[str]) -> list[str]:
    """Faults that a schema cannot see, in a config that fits the schema.

    `names` are the known class names (resources/static/minerals.csv).
    """
    known = list(names)
    faults = []
    for source in config["library"]["sources"]:
        if source != ANALYTIC and not Path(source).exists():
            faults.append(
                f"library.sources: {source} does not exist; give a file, a folder or `{ANALYTIC}`"
            )
    for study, settings in config["studies"].items():
        references = settings["references"]
        for name in references:
            if name not in known:
                faults.append(
                    f"studies.{study}.references: unknown mineral {name!r}{_nearest(name, known)}"
                )
        for name in settings["max_angle_rad_of"]:
            if name not in references:
                faults.append(
                    f"studies.{study}.max_angle_rad_of: {name!r} is not among this study's "
                    f"references{_nearest(name, references)}"
                )
        for zone, members in settings["zones"].items():
            for name in members:
                if name not in known:
                    faults.append(
                        f"studies.{study}.zones.{zone}: unknown mineral {name!r}"
                        f"{_nearest(name, known)}"
                    )
    return faults


def read_scenes(path: str | Path, schema: dict) -> tuple[list[dict[str, str]], list[str]]:
    """Rows of the table of scenes, and its faults, one line each.

    Lines that start with `#` are comments. Errors: InputError when the file cannot be read.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"scenes: cannot read {path}; give a tab-separated table ({error})"
        ) from error
    lines = {
        number: line
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    }
    table = csv.DictReader(lines.values(), delimiter="\t", quoting=csv.QUOTE_NONE)
    columns = list(schema["properties"])
    if list(table.fieldnames or []) != columns:
        return [], [f"{path}: the first line must be these columns with tabs between: {columns}"]
    rows, faults, seen = [], [], set()
    for number, row in zip(list(lines)[1:], table, strict=True):
        place = f"{path}, line {number}"
        if row.get("reference") is None:
            row["reference"] = ""  # editors strip the tab before an empty last column
        if None in row or None in row.values():
            faults.append(f"{place}: has not {len(columns)} columns; separate them with tabs")
            continue
        row = {key: value.strip() for key, value in row.items()}
        found = schema_faults(row, schema, f"{place}, ")
        if row["scene"] in seen:
            found.append(
                f"{place}, scene: {row['scene']!r} is listed twice; give each its own name"
            )
        seen.add(row["scene"])
        for key in ("product", "reference"):
            if row[key] not in ("", TWIN) and not Path(row[key]).exists():
                found.append(f"{place}, {key}: {row[key]} does not exist; correct the path")
        if row["reference"] == TWIN and row["product"] != TWIN:
            found.append(f"{place}, reference: `{TWIN}` goes only with product `{TWIN}`")
        faults += found
        rows.append(row)
    if not rows and not faults:
        faults.append(f"{path}: lists no scene; add a row")
    return rows, faults


def _explain(error: ValidationError, place: str) -> list[str]:
    key = ".".join(str(part) for part in error.path)
    where = f"{place}{key}" if key else place.rstrip(", ")
    if error.validator == "additionalProperties" and error.schema.get("properties"):
        allowed = list(error.schema["properties"])
        unknown = [name for name in error.instance if name not in allowed]
        dot = f"{where}." if where else ""
        return [
            f"{dot}{name}: not a key{_nearest(name, allowed) or f'; keys here: {allowed}'}"
            for name in unknown
        ]
    if error.validator == "enum":
        choices = error.validator_value
        hint = _nearest(error.instance, choices) or f"; choose from {choices}"
        return [f"{where}: {error.instance!r} is not allowed{hint}"]
    if error.validator == "pattern":
        return [
            f"{where}: {error.instance!r} may hold only letters, digits and hyphens "
            f"({error.validator_value})"
        ]
    if error.validator == "type":
        return [f"{where}: must be of type {error.validator_value}, not {error.instance!r}"]
    return [f"{where}: {error.message}"]


def _nearest(name: Any, choices: Iterable[Any]) -> str:
    close = difflib.get_close_matches(str(name), [str(choice) for choice in choices], n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
