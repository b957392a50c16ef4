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
SENSORS_OF = {
    "gilgit": ("landsat",),
    "zafarghand": ("aster",),
    "bahia": ("sentinel2", "rasters"),
    "cuprite": ("emit", "enmap", "prisma", "sentinel2", "worldview3"),
}
# Studies whose scenes are seen by several sensors, with a row for each.
STACKED = ("cuprite",)
SEVERAL = "several"


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
        place = f"studies.{study}"
        for key, name in minerals_named(settings):
            if name not in known:
                faults.append(f"{place}.{key}: unknown mineral {name!r}{_nearest(name, known)}")
        for name in settings.get("max_angle_rad_of", {}):
            if name not in settings["references"]:
                faults.append(
                    f"{place}.max_angle_rad_of: {name!r} is not among this study's "
                    f"references{_nearest(name, settings['references'])}"
                )
        for name in settings.get("cnn", {}).get("labels", []):
            if settings["cnn"]["run"] and name not in settings["references"]:
                faults.append(
                    f"{place}.cnn.labels: {name!r} is not among this study's "
                    f"references{_nearest(name, settings['references'])}"
                )
        faults += [f"{place}.{fault}" for fault in _preprocessing_faults(settings)]
        faults += [f"{place}.zones.{fault}" for fault in _range_faults(settings.get("zones", {}))]
        for key, path in _files_named(settings):
            if not Path(path).exists():
                faults.append(f"{place}.{key}: {path} does not exist; correct the path")
    return faults


def minerals_named(settings: dict) -> list[tuple[str, str]]:
    """(key, mineral) for each mineral that a study's settings name."""
    named = [("references", name) for name in settings.get("references", [])]
    for zone, own in settings.get("zones", {}).items():
        members = own["minerals"] if isinstance(own, dict) else own
        named += [(f"zones.{zone}", name) for name in members]
    return named


def _range_faults(zones: dict) -> list[str]:
    """Ranges of confidence that are none; zones of minerals alone have no ranges."""
    return [
        f"{zone}.{level}: [{low:g}, {high:g}] is no range; give the lower end first"
        for zone, own in zones.items()
        if isinstance(own, dict)
        for level, (low, high) in ((name, own[name]) for name in ("medium", "high"))
        if low >= high
    ]


def _files_named(settings: dict) -> list[tuple[str, str]]:
    """(key, path) of each file that a study's settings name."""
    keys = ("polygon", "mines", "ore_points", "geology", "claims", "occurrences")
    named = [(key, settings.get(key, "")) for key in keys]
    named.append(("score.model", settings.get("score", {}).get("model", "")))
    named += [
        (f"points.{key}", settings.get("points", {}).get(key, ""))
        for key in ("train", "test", "classes")
    ]
    if "points" in settings:
        named.append(("forest.plans", settings["forest"]["plans"]))
    trial = settings.get("spectra", {})
    named += [(f"spectra.{key}", trial.get(key, "")) for key in ("training", "test", "sensors")]
    for name, collection in settings.get("pixels", {}).items():
        named += [(f"pixels.{name}.files", path) for path in collection["files"]]
        named.append((f"pixels.{name}.matrix", collection.get("matrix", {}).get("wavelengths", "")))
    named += [("rasters", path) for path in settings.get("rasters", [])]
    return [(key, path) for key, path in named if path]


def _preprocessing_faults(settings: dict) -> list[str]:
    faults = []
    relative = {"iarr", "log_residuals"} & set(settings.get("atmosphere", [])[-1:])
    if relative and settings["normalisation"] == "clip":
        faults.append(
            f"normalisation: clip would cut what {relative.pop()} gives, ratios around 1; use "
            "minmax or none"
        )
    trial = settings.get("spectra", {})
    given = [key for key in ("training", "test", "sensors") if trial.get(key)]
    if given and len(given) < 3:
        faults.append("spectra: training, test and sensors go together; give all three or none")
    if settings.get("window") and settings["polygon"]:
        faults.append("window: stands beside polygon; give one of them")
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
    rows, faults = [], []
    seen: dict[str, list[dict[str, str]]] = {}
    for number, row in zip(list(lines)[1:], table, strict=True):
        place = f"{path}, line {number}"
        if row.get("reference") is None:
            row["reference"] = ""  # editors strip the tab before an empty last column
        if None in row or None in row.values():
            faults.append(f"{place}: has not {len(columns)} columns; separate them with tabs")
            continue
        row = {key: value.strip() for key, value in row.items()}
        found = schema_faults(row, schema, f"{place}, ")
        found += [f"{place}, {fault}" for fault in _repetition_faults(row, seen)]
        seen.setdefault(row["scene"], []).append(row)
        if not found and row["sensor"] not in SENSORS_OF[row["study"]]:
            found.append(
                f"{place}, sensor: {row['study']} does not run on {row['sensor']!r}; give "
                f"{' or '.join(SENSORS_OF[row['study']])}"
            )
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


def _repetition_faults(row: dict[str, str], seen: dict[str, list[dict[str, str]]]) -> list[str]:
    """Faults of a row of a scene of which other rows have been seen."""
    earlier = seen.get(row["scene"], [])
    if not earlier:
        return []
    scene = repr(row["scene"])
    if row["study"] not in STACKED or earlier[0]["study"] != row["study"]:
        return [f"scene: {scene} is listed twice; give each its own name"]
    faults = []
    if row["sensor"] in [other["sensor"] for other in earlier]:
        faults.append(f"sensor: {scene} has two rows of {row['sensor']}; keep one")
    if row["reference"] != earlier[0]["reference"]:
        faults.append(f"reference: the rows of {scene} must have the same")
    if (row["product"] == TWIN) != (earlier[0]["product"] == TWIN):
        faults.append(f"product: `{TWIN}` goes for all rows of {scene} or for none")
    return faults


def group_scenes(rows: Iterable[dict[str, str]]) -> dict[str, dict[str, Any]]:
    """Scenes by name, in the order of their first rows, each with `products`: path by sensor.

    Where a study has a row per sensor, a scene's `sensor` is SEVERAL, and `product` too unless it
    is simulated.
    """
    scenes: dict[str, dict[str, Any]] = {}
    for row in rows:
        scene = scenes.setdefault(row["scene"], {**row, "products": {}})
        scene["products"][row["sensor"]] = row["product"]
        if row["study"] in STACKED:
            scene["sensor"] = SEVERAL
            scene["product"] = TWIN if row["product"] == TWIN else SEVERAL
    return scenes


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
