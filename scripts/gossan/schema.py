"""Closed JSON Schemas: defaults filled in, and faults told in a user's words."""

import difflib
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

PATH, PLACE = "path", "place"
"""The `format` of a text that names a file or folder of the user's, or a place of results."""
# What Snakemake replaces in a path: a wildcard, or one of its words for places.
_PATTERN = re.compile(r"\{\s*[.\w]+\s*(,[^}]*)?\}|<[a-z][a-z0-9_]*>")


def resolve(schema: Mapping, root: Mapping) -> dict:
    """A schema with what it refers to (`$ref` into `$defs`) laid under its own keys."""
    if "$ref" not in schema:
        return dict(schema)
    shared = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    return resolve(shared, root) | {key: value for key, value in schema.items() if key != "$ref"}


def fill_defaults(value: Mapping, schema: Mapping, root: Mapping | None = None) -> dict:
    """A copy of `value` in which each key that the schema gives a default is present.

    A section without a default, such as a method of a study, is filled only where it is given; one
    that is given empty (`minerals:`) takes all its defaults.
    """
    root = schema if root is None else root
    filled = dict(value)
    properties = schema.get("properties", {})
    for key, part in properties.items():
        part = resolve(part, root)
        if key not in filled and "default" in part:
            filled[key] = part["default"]
        if "properties" in part and key in filled and filled[key] is None:
            filled[key] = {}
        if isinstance(filled.get(key), Mapping):
            filled[key] = fill_defaults(filled[key], part, root)
    others = schema.get("additionalProperties")
    if isinstance(others, Mapping):
        part = resolve(others, root)
        for key, item in filled.items():
            if key not in properties and isinstance(item, Mapping):
                filled[key] = fill_defaults(item, part, root)
    return filled


def leaves(
    value: Any, schema: Mapping, root: Mapping | None = None, place: str = ""
) -> Iterator[tuple[str, Any, dict]]:
    """(key, value, its own schema) of each text, number or other single value, in order.

    The items of a list have its key. What the schema does not know is passed over.
    """
    root = schema if root is None else root
    part = resolve(schema, root)
    if isinstance(value, Mapping):
        for key, item in value.items():
            inner = part.get("properties", {}).get(key, part.get("additionalProperties"))
            if isinstance(inner, Mapping):
                yield from leaves(item, inner, root, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, part.get("items", {}), root, place)
    else:
        yield place, value, part


def change_leaves(
    value: Any, schema: Mapping, change: Callable[[Any, Mapping], Any], root: Mapping | None = None
) -> Any:
    """A copy of `value` with `change(leaf, its own schema)` in place of each of its leaves."""
    root = schema if root is None else root
    part = resolve(schema, root)
    if isinstance(value, Mapping):
        inner = {key: part.get("properties", {}).get(key) for key in value}
        others = part.get("additionalProperties")
        others = others if isinstance(others, Mapping) else {}
        return {
            key: change_leaves(item, inner[key] or others, change, root)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [change_leaves(item, part.get("items", {}), change, root) for item in value]
    return change(value, part)


def schema_faults(value: Mapping, schema: Mapping, place: str = "") -> list[str]:
    """One line per fault of `value` against a closed JSON Schema, each with key and fix."""
    found = Draft202012Validator(schema).iter_errors(value)
    # As texts, for a key that YAML takes for a number does not compare with others.
    errors = sorted(found, key=lambda error: [str(part) for part in error.path])
    faults = [line for error in errors for line in _explain(error, place)]
    for key, leaf, part in leaves(value, schema):
        faults += [f"{place}{key}: {fault}" for fault in _leaf_faults(leaf, part)]
    return faults


def _leaf_faults(leaf: Any, schema: Mapping) -> Iterator[str]:
    """What no schema says of a number or a text: that it is finite, that a line can hold it."""
    if isinstance(leaf, float) and not math.isfinite(leaf):
        yield f"{leaf} is no finite number; give one"
    if not isinstance(leaf, str):
        return
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in leaf):
        yield f"{leaf!r} holds a character that no line of text has; leave it out"
    if schema.get("format") in (PATH, PLACE) and (found := replaced(leaf)):
        yield (
            f"{leaf}: Snakemake puts something else in place of {found} in a path; rename the "
            "file or folder"
        )


def replaced(path: str) -> str:
    """The first part of a path that Snakemake takes for a wildcard or a word for a place, or ""."""
    found = _PATTERN.search(path)
    return found[0] if found else ""


def _explain(error: ValidationError, place: str) -> list[str]:
    key = ".".join(str(part) for part in error.path)
    where = f"{place}{key}" if key else place.rstrip(", ")
    if error.validator == "additionalProperties" and error.schema.get("properties"):
        allowed = list(error.schema["properties"])
        unknown = [name for name in error.instance if name not in allowed]
        dot = f"{where}." if where else ""
        return [
            f"{dot}{name}: not a key{nearest(name, allowed) or f'; keys here: {allowed}'}"
            for name in unknown
        ]
    if error.validator == "enum":
        choices = error.validator_value
        hint = nearest(error.instance, choices) or f"; choose from {', '.join(map(str, choices))}"
        return [f"{where}: {error.instance!r} is not allowed{hint}"]
    if error.validator == "pattern" and error.schema.get("format") == PLACE:
        return [f"{where}: {error.instance!r} begins with a hyphen, as flags do; name another"]
    if error.validator == "pattern":
        return [
            f"{where}: {error.instance!r} may hold only letters, digits and hyphens, and no hyphen "
            f"first ({error.validator_value})"
        ]
    is_key = "propertyNames" in list(error.schema_path)[-2:]
    if error.validator == "type" and is_key:
        return [f"{where}: the name {error.instance!r} is no text to YAML; put it in quotes"]
    if error.validator == "oneOf":
        lengths = [str(part["minItems"]) for part in error.validator_value if "minItems" in part]
        return [f"{where}: {error.instance!r} must be empty or hold {' or '.join(lengths)} items"]
    if error.validator == "type":
        return [f"{where}: must be of type {error.validator_value}, not {error.instance!r}"]
    return [f"{where}: {error.message}"]


def sound_part(value: Mapping, schema: Mapping, key: str) -> dict:
    """What fits the schema of the mapping `value[key]`, item by item; {} if the rest does not fit.

    So that further faults can be looked for beside those of the schema.
    """
    if schema_faults({**value, key: {}}, schema) or not isinstance(value[key], Mapping):
        return {}
    return {
        name: item
        for name, item in value[key].items()
        if not schema_faults({key: {name: item}}, schema)
    }


def nearest(name: Any, choices: Iterable[Any]) -> str:
    """A hint at the choice that is most like `name`, or nothing."""
    close = difflib.get_close_matches(str(name), [str(choice) for choice in choices], n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
