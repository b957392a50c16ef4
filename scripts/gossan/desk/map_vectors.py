"""Features for a map in a browser: parts, names and attributes, in the map's coordinates."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gossan.desk.map_rasters import Frame
from gossan.errors import InputError
from gossan.outlines import reproject
from gossan.vector_files import read_vector

if TYPE_CHECKING:
    import shapely

MOST_FEATURES = 3000
"""A layer shows so many features, chosen evenly."""
MOST_ATTRIBUTES = 12
MOST_TEXT = 120
NAMES = ("name", "Name", "NAME", "label", "class", "id", "rank")
"""Attributes that name a feature, the best first."""


def read_marks(
    path: Path,
    frame: Frame,
    bounds: tuple[float, float, float, float],
    tolerance: float,
    *,
    every: bool = False,
) -> tuple[list[dict], str]:
    """Features that lie within `bounds` of the frame, and what is to be said of them.

    Each is a dict of `rings` (a list of rings a polygon), `lines` and `points`, with a place `at`
    it for its `name`, and `attributes` (pairs of texts). Outlines are simplified by `tolerance`, in
    the frame's units. With `every`, those of all layers of a file.
    Raises InputError for a file that is no vector file; one that cannot be brought to the map shows
    nothing, and the note says why.
    """
    import pyogrio

    if not every:
        return _read_layer(path, frame, bounds, tolerance, "")
    found = [
        _read_layer(path, frame, bounds, tolerance, name)
        for name, kind in pyogrio.list_layers(path)
        if kind is not None
    ]
    marks = [mark for marks, _ in found for mark in marks]
    return marks, " ".join(dict.fromkeys(note for _, note in found if note))


def _read_layer(
    path: Path,
    frame: Frame,
    bounds: tuple[float, float, float, float],
    tolerance: float,
    layer: str,
) -> tuple[list[dict], str]:
    import shapely

    features, _ = read_vector(path, "features", layer=layer)
    if "geometry" not in features.columns:
        return [], "it holds no geometry"
    number = len(features)
    features = features[features.geometry.notna() & ~features.geometry.is_empty]
    if (features.crs is None) != (frame.crs is None):
        lacking = "it has" if features.crs is None else "the map has"
        return [], f"{lacking} no coordinate system, so it cannot be laid on the map"
    if frame.crs is not None:
        try:
            features = reproject(features, frame.crs, path)
        except InputError:
            return [], "it cannot be brought to the map's coordinate system"
    shapes = shapely.force_2d(features.geometry.to_numpy())
    if frame.turned is not None:
        shapes = shapely.transform(shapes, frame.places)
    inside = shapely.intersects(shapes, shapely.box(*bounds))
    features, shapes = features[inside], shapes[inside]
    notes = []
    if len(features) < number:
        notes.append(f"{len(features):,} of {number:,} features lie on the map.")
    if len(features) > MOST_FEATURES:
        notes.append(f"{MOST_FEATURES:,} of them are shown, chosen evenly.")
        chosen = np.linspace(0, len(features) - 1, MOST_FEATURES).round().astype(int)
        features, shapes = features.iloc[chosen], shapes[chosen]
    simple = shapely.simplify(shapes, tolerance, preserve_topology=True)
    table = features.drop(columns=features.geometry.name)
    marks = [
        {**_parts_of(shape), **_texts_of(row)}
        for shape, row in zip(simple, table.to_dict("records"), strict=True)
    ]
    return marks, " ".join(notes)


def _parts_of(shape: "shapely.Geometry") -> dict[str, list]:
    """The places of a shape's polygons (a list of rings each), lines and points."""
    import shapely

    found = {"rings": [], "lines": [], "points": [], "at": _place_of(shape)}
    for part in _single(shape):
        if part.geom_type == "Polygon":
            found["rings"].append([_places(ring) for ring in (part.exterior, *part.interiors)])
        elif part.geom_type == "Point":
            found["points"] += shapely.get_coordinates(part).round(6).tolist()
        else:
            found["lines"].append(_places(part))
    return found


def _place_of(shape: "shapely.Geometry") -> list[float]:
    import shapely

    return shapely.get_coordinates(shapely.point_on_surface(shape)).round(6)[0].tolist()


def _single(shape: "shapely.Geometry") -> list["shapely.Geometry"]:
    parts = getattr(shape, "geoms", None)
    if parts is None:
        return [shape]
    return [single for part in parts for single in _single(part)]


def _places(line: "shapely.Geometry") -> list[list[float]]:
    import shapely

    return shapely.get_coordinates(line).round(6).tolist()


def _texts_of(row: Mapping[str, object]) -> dict[str, object]:
    """The first attributes of a feature as texts, and its name."""
    told = {str(key): _text(value) for key, value in row.items()}
    told = {key: value for key, value in told.items() if value}
    name = next((told[key] for key in NAMES if key in told), "")
    return {"name": name, "attributes": list(told.items())[:MOST_ATTRIBUTES]}


def _text(value: object) -> str:
    """A value as a reader wants it; "" for none."""
    if value is None or value != value:
        return ""
    if isinstance(value, float | np.floating):
        return f"{value:.10g}"
    text = str(value)
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 1]}…"
