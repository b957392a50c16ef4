"""Layers of ArcGIS servers without pages: asked box by box, kept as one GeoJSON."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from gossan.errors import InputError
from gossan.fetching.found import Found, file_of
from gossan.fetching.transfer import aside
from gossan.fetching.web import Web, shown

# Side of a box in degrees, and how often one that holds too much is quartered.
_STEP_DEG, _DEEPEST = 0.5, 10
Box = tuple[float, float, float, float]


def find_layer(entry: Mapping, web: Web) -> Found:
    """The numbers of the features that lie in the box of an entry."""
    numbers = _ask_numbers(entry, web)
    if not numbers:
        raise InputError(f"{shown(entry['url'])}: has no such feature; correct where and bbox")
    name = "features.geojson"
    return Found(
        [f"{len(numbers)} features"],
        [file_of(name, entry["url"], None, "", count=len(numbers), numbers=_digest(numbers))],
    )


def _ask_numbers(entry: Mapping, web: Web) -> list[int]:
    """Numbers of the features of an entry; of these a server gives as many as there are."""
    answer = web.ask(f"{entry['url']}/query", params=_query(entry, entry["bbox"], ids=True))
    _require_answer(answer, entry)
    return sorted(answer.get("objectIds") or [])


def bring_layer(search: Mapping, file: Mapping, target: Path, web: Web) -> None:
    """Write the features of a layer to `target`, in the order of their numbers.

    Raises InputError where they are not those of the lock.
    """
    features: dict[int, Mapping] = {}
    for box in _boxes(search["bbox"]):
        for feature in _ask_box(search, box, web):
            features[_number(feature)] = feature
    numbers = sorted(features)
    if len(numbers) != file["count"] or _digest(numbers) != file["numbers"]:
        raise InputError(
            f"{shown(search['url'])}: has other features now ({len(numbers)}) than when it was "
            f"resolved ({file['count']}); resolve it again"
        )
    for name, where in search.get("marks", {}).items():
        marked = set(_ask_numbers({**search, "where": where}, web))
        for number, feature in features.items():
            feature["properties"][name] = "yes" if number in marked else "no"
    collection = {"type": "FeatureCollection", "features": [features[n] for n in numbers]}
    with aside(target) as part:
        text = json.dumps(collection, ensure_ascii=False, sort_keys=True)
        part.write_text(f"{text}\n", encoding="utf-8")


def _boxes(bbox: list[float]) -> Iterator[Box]:
    west, south, east, north = bbox
    columns = max(1, math.ceil((east - west) / _STEP_DEG))
    rows = max(1, math.ceil((north - south) / _STEP_DEG))
    for row in range(rows):
        for column in range(columns):
            yield (
                west + column * (east - west) / columns,
                south + row * (north - south) / rows,
                west + (column + 1) * (east - west) / columns,
                south + (row + 1) * (north - south) / rows,
            )


def _ask_box(search: Mapping, box: Box, web: Web, depth: int = 0) -> Iterator[Mapping]:
    """Features that touch a box; of one with more than the server gives, those of its quarters."""
    answer = web.ask(f"{search['url']}/query", params=_query(search, box, ids=False))
    _require_answer(answer, search)
    told = answer.get("properties") or {}
    if not (answer.get("exceededTransferLimit") or told.get("exceededTransferLimit")):
        yield from answer.get("features", [])
        return
    if depth == _DEEPEST:
        raise InputError(f"{shown(search['url'])}: gives no box small enough; narrow where")
    west, south, east, north = box
    x, y = (west + east) / 2, (south + north) / 2
    for part in (
        (west, south, x, y),
        (x, south, east, y),
        (west, y, x, north),
        (x, y, east, north),
    ):
        yield from _ask_box(search, part, web, depth + 1)


def _query(search: Mapping, box: object, *, ids: bool) -> dict[str, str]:
    query = {
        "where": search.get("where") or "1=1",
        "geometry": ",".join(f"{value:.9g}" for value in box),
        "geometryType": "esriGeometryEnvelope",
        "inSR": "4326",
        "spatialRel": "esriSpatialRelIntersects",
    }
    if ids:
        return {**query, "returnIdsOnly": "true", "f": "json"}
    return {**query, "outFields": "*", "outSR": "4326", "f": "geojson"}


def _require_answer(answer: object, search: Mapping) -> None:
    if not isinstance(answer, dict) or "error" in answer:
        told = answer.get("error", {}) if isinstance(answer, dict) else {}
        message = told.get("message", "") if isinstance(told, dict) else ""
        raise InputError(f"{shown(search['url'])}: {message or 'no answer of a layer'}; mend where")


def _number(feature: Mapping) -> int:
    properties = feature.get("properties") or {}
    keys = [key for key in properties if key.lower().startswith(("objectid", "fid"))]
    told = [feature.get("id"), *(properties[key] for key in keys)]
    number = next((value for value in told if isinstance(value, int)), None)
    if number is None:
        raise InputError("a feature of the layer has no OBJECTID; nobody can tell if it is new")
    return number


def _digest(numbers: list[int]) -> str:
    return hashlib.sha256(" ".join(map(str, numbers)).encode()).hexdigest()
