"""The list of targets as files: GeoPackage with styles, CSV, KML for QGIS and Google Earth, GPX.

All hold the same numbers; equal lists are equal bytes.
"""

import html
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gossan.files import write_text
from gossan.outlines import polygons_in_degrees
from gossan.tables import write_rows
from gossan.targets.target_list import COLUMNS, KNOWN_DEPOSIT, KNOWN_TITLES, NEW, TRAINING
from gossan.vector_styles import Category, VectorStyle
from gossan.vectors import write_layers

if TYPE_CHECKING:
    import geopandas

SYNTHETIC_NOTE = "SYNTHETIC: simulated ground, not an observed place"
OUTLINE_NOTE = "Outlines of targets, new and known ground ranked apart by the mean score"
POINT_NOTE = "A point on each target: the pixel nearest to its centre, weighted by the score"
SHAPES = {NEW: "circle", KNOWN_DEPOSIT: "star", TRAINING: "square"}
"""Markers of targets by what is known of them, by QGIS's names."""
COLOURS = {NEW: "#D55E00", KNOWN_DEPOSIT: "#0072B2", TRAINING: "#5D6A73"}
"""Their colours, of Okabe and Ito (2008), told apart with any colour vision."""
# Symbols that handhelds of Garmin know.
GPX_SYMBOLS = {NEW: "Flag, Red", KNOWN_DEPOSIT: "Mine", TRAINING: "Mine"}
DECIMALS = {
    **dict.fromkeys(("longitude", "latitude"), 6),
    **dict.fromkeys(("x", "y"), 3),
    **dict.fromkeys(("mean_score", "max_score", "high_share", "dominant_share"), 6),
    **{"uncertainty": 6, "area_ha": 4, "nearest_known_m": 1},
}
WHOLE = ("rank", "rank_of_all", "claims", "occurrences")
# What is straight on a map is bent in degrees: sides are cut into pieces of this length.
LONGEST_SIDE_M = 5000.0
_LISTS = (("Targets", "T"), ("Known ground", "K"))


def write_geopackage(path: str | Path, targets: "geopandas.GeoDataFrame") -> None:
    """Write the layers `targets` (multipolygons) and `points`, styled and labelled."""
    import geopandas

    points = targets.set_geometry(geopandas.points_from_xy(targets.x, targets.y, crs=targets.crs))
    fields = {name: COLUMNS[name] for name in targets.columns if name in COLUMNS}

    def style(note: str, **more: object) -> VectorStyle:
        kinds = [
            Category(known, KNOWN_TITLES[known], colour, SHAPES[known])
            for known, colour in COLOURS.items()
        ]
        return VectorStyle(attribute="known", categories=kinds, fields=fields, note=note, **more)

    write_layers(
        path,
        {"targets": (targets, "MultiPolygon"), "points": (points, "Point")},
        {
            "targets": style(OUTLINE_NOTE),
            "points": style(POINT_NOTE, label="id", size_mm=3.4),
        },
    )


def write_csv(path: str | Path, targets: "geopandas.GeoDataFrame") -> None:
    """Write the list as a table, longitude and latitude to six decimals."""
    columns = [name for name in targets.columns if name in COLUMNS]
    rows = [dict(zip(columns, row, strict=True)) for row in _texts(targets, columns)]
    write_rows(path, columns, rows)


def _texts(targets: "geopandas.GeoDataFrame", columns: Sequence[str]) -> Iterator[list[str]]:
    """The rows of a list as text; a number that is not there is empty."""
    for row in targets[list(columns)].itertuples(index=False):
        yield [value_text(name, value) for name, value in zip(columns, row, strict=True)]


def value_text(name: str, value: object) -> str:
    """A value of a column of a list as text."""
    if value is None or value != value:
        return ""
    if name in DECIMALS:
        return f"{value:.{DECIMALS[name]}f}"
    return str(int(value)) if name in WHOLE else str(value)


def describe_target(row: Mapping[str, str]) -> str:
    """One target in words, from the texts of its row."""
    parts = [f"Mean score {float(row['mean_score']):.2f}, highest {float(row['max_score']):.2f}"]
    parts.append(f"{float(row['area_ha']):,.1f} ha")
    if row["dominant"]:
        parts.append(f"{row['dominant']} on {float(row['dominant_share']):.0%}")
    if row["methods_in_favour"]:
        parts.append(f"in favour: {row['methods_in_favour']}")
    if row["known"] == TRAINING:
        parts.append(f"taught the map: {row['nearest_known']}")
    elif row["known"]:
        parts.append(f"known: {row['nearest_known']}")
    elif row["nearest_known"]:
        parts.append(f"{float(row['nearest_known_m']) / 1000:,.1f} km to {row['nearest_known']}")
    if row["synthetic"] == "yes":
        parts.append(SYNTHETIC_NOTE)
    return "; ".join(parts)


def write_kml(
    path: str | Path, targets: "geopandas.GeoDataFrame", title: str, note: str = ""
) -> None:
    """Write the list as KML 2.2 (OGC 07-147r2), a folder per list and kind of geometry.

    QGIS takes each folder for a layer and draws one kind of geometry in it. `note` is said of the
    whole file.
    """
    root = ET.Element("kml", xmlns="http://www.opengis.net/kml/2.2")
    document = ET.SubElement(root, "Document", id="targets")
    ET.SubElement(document, "name").text = _xml(title)
    if note:
        ET.SubElement(document, "description").text = _xml(html.escape(note))
    columns = [name for name in targets.columns if name in COLUMNS]
    for known in COLOURS:
        _add_style(document, known)
    _add_schema(document, columns)
    rows = [dict(zip(columns, row, strict=True)) for row in _texts(targets, columns)]
    shapes = list(targets.geometry)
    for name, letter in _LISTS:
        listed = [
            (row, shape)
            for row, shape in zip(rows, shapes, strict=True)
            if row["id"].startswith(letter)
        ]
        # An empty folder would be the first layer that QGIS opens; a file without any is none.
        for kind, add in (("points", _add_point), ("outlines", _outline_adder(targets))):
            if not listed and (rows or (letter, kind) != ("T", "points")):
                continue
            folder = ET.SubElement(document, "Folder", id=f"{letter}-{kind}")
            ET.SubElement(folder, "name").text = f"{name}: {kind}"
            for row, shape in listed:
                add(_add_placemark(folder, row, kind), row, shape)
    _write_xml(path, root)


def _add_style(document: ET.Element, known: str) -> None:
    style = ET.SubElement(document, "Style", id=_style(known))
    icon = ET.SubElement(style, "IconStyle")
    ET.SubElement(icon, "color").text = _kml_colour(COLOURS[known])
    ET.SubElement(icon, "scale").text = "1.1" if known == NEW else "0.8"
    ET.SubElement(ET.SubElement(style, "LabelStyle"), "scale").text = "0.9"
    line = ET.SubElement(style, "LineStyle")
    ET.SubElement(line, "color").text = _kml_colour(COLOURS[known])
    ET.SubElement(line, "width").text = "2"
    ET.SubElement(ET.SubElement(style, "PolyStyle"), "color").text = _kml_colour(
        COLOURS[known], 0x40
    )


def _style(known: str) -> str:
    return (known or "new").replace(" ", "-")


def _kml_colour(colour: str, alpha: int = 255) -> str:
    """KML writes colours as alpha, blue, green, red."""
    red, green, blue = bytes.fromhex(colour[1:])
    return f"{alpha:02x}{blue:02x}{green:02x}{red:02x}"


def _add_schema(document: ET.Element, columns: Sequence[str]) -> None:
    schema = ET.SubElement(document, "Schema", name="target", id="target")
    for name in columns:
        kind = "int" if name in WHOLE else "double" if name in DECIMALS else "string"
        field = ET.SubElement(schema, "SimpleField", type=kind, name=name)
        ET.SubElement(field, "displayName").text = COLUMNS[name][0]


def _add_placemark(folder: ET.Element, row: Mapping[str, str], kind: str) -> ET.Element:
    place = ET.SubElement(folder, "Placemark", id=f"{row['id']}-{kind}")
    ET.SubElement(place, "name").text = row["id"]
    # Google Earth shows descriptions as HTML.
    ET.SubElement(place, "description").text = _xml(html.escape(describe_target(row)))
    ET.SubElement(place, "styleUrl").text = f"#{_style(row['known'])}"
    data = ET.SubElement(ET.SubElement(place, "ExtendedData"), "SchemaData", schemaUrl="#target")
    for name, text in row.items():
        if text:
            ET.SubElement(data, "SimpleData", name=name).text = _xml(text)
    return place


def _add_point(place: ET.Element, row: Mapping[str, str], _: object) -> None:
    point = ET.SubElement(place, "Point")
    ET.SubElement(point, "coordinates").text = f"{row['longitude']},{row['latitude']}"


def _outline_adder(
    targets: "geopandas.GeoDataFrame",
) -> Callable[[ET.Element, Mapping[str, str], object], None]:
    """A function that adds a target's outline to a placemark."""
    import shapely

    step = LONGEST_SIDE_M / targets.crs.axis_info[0].unit_conversion_factor

    def add(place: ET.Element, _: Mapping[str, str], shape: object) -> None:
        parts = ET.SubElement(place, "MultiGeometry")
        for part in shape.geoms:
            for polygon in polygons_in_degrees(shapely.segmentize(part, step), targets.crs):
                _add_polygon(parts, polygon)

    return add


def _add_polygon(parent: ET.Element, polygon: object) -> None:
    part = ET.SubElement(parent, "Polygon")
    for tag, ring in (
        ("outerBoundaryIs", polygon.exterior),
        *(("innerBoundaryIs", ring) for ring in polygon.interiors),
    ):
        line = ET.SubElement(ET.SubElement(part, tag), "LinearRing")
        # Seven digits are a centimetre.
        ET.SubElement(line, "coordinates").text = " ".join(
            f"{point[0]:.7f},{point[1]:.7f}" for point in ring.coords
        )


def write_gpx(
    path: str | Path, targets: "geopandas.GeoDataFrame", title: str, note: str = ""
) -> None:
    """Write a waypoint per target as GPX 1.1, known ground with a symbol of its own."""
    root = ET.Element(
        "gpx", xmlns="http://www.topografix.com/GPX/1/1", version="1.1", creator="gossan"
    )
    about = ET.SubElement(root, "metadata")
    ET.SubElement(about, "name").text = _xml(title)
    if note:
        ET.SubElement(about, "desc").text = _xml(note)
    columns = [name for name in targets.columns if name in COLUMNS]
    for texts in _texts(targets, columns):
        row = dict(zip(columns, texts, strict=True))
        point = ET.SubElement(root, "wpt", lat=row["latitude"], lon=row["longitude"])
        ET.SubElement(point, "name").text = f"{row['id']} score {float(row['mean_score']):.2f}"
        ET.SubElement(point, "desc").text = _xml(describe_target(row))
        ET.SubElement(point, "sym").text = GPX_SYMBOLS[row["known"]]
        ET.SubElement(point, "type").text = row["known"] or "target"
    _write_xml(path, root)


def _xml(text: str) -> str:
    """A text without the characters that XML 1.0 does not allow."""
    return "".join(
        letter
        for letter in text
        if letter in "\t\n\r"
        or " " <= letter <= "\ud7ff"
        or "\ue000" <= letter <= "\ufffd"
        or letter > "\uffff"
    )


def _write_xml(path: str | Path, root: ET.Element) -> None:
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    write_text(path, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n')
