"""Styles of vector layers for QGIS: symbols, labels, and the names of fields, as .qml text."""

import re
import sqlite3
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

# The version that wrote the elements below first; newer ones read them.
QGIS_VERSION = "3.22.0"
QML_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
MARKER, LINE, FILL = "marker", "line", "fill"
_KINDS = {"Point": MARKER, "LineString": LINE, "Polygon": FILL}
# QGIS's numbers for points, lines and polygons, and where it puts a label: beside, along, within.
_GEOMETRY_TYPES = {MARKER: "0", LINE: "1", FILL: "2"}
_PLACEMENTS = {MARKER: "6", LINE: "2", FILL: "1"}
# Signs that XML 1.0 cannot hold.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# As QGIS makes it.
_STYLES_TABLE = (
    'CREATE TABLE "layer_styles" ("id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, '
    '"f_table_catalog" TEXT(256), "f_table_schema" TEXT(256), "f_table_name" TEXT(256), '
    '"f_geometry_column" TEXT(256), "styleName" TEXT(30), "styleQML" TEXT, "styleSLD" TEXT, '
    '"useAsDefault" BOOLEAN, "description" TEXT, "owner" TEXT(30), "ui" TEXT(30), '
    "\"update_time\" DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')))"
)
# The schema extension of GeoPackage 1.2 (OGC 12-128r14, annex F.9).
_COLUMNS_TABLE = (
    "CREATE TABLE gpkg_data_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL, "
    "name TEXT, title TEXT, description TEXT, mime_type TEXT, constraint_name TEXT, "
    "CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name), "
    "CONSTRAINT gdc_tn UNIQUE (table_name, name))"
)
_EXTENSIONS_TABLE = (
    "CREATE TABLE IF NOT EXISTS gpkg_extensions (table_name TEXT, column_name TEXT, "
    "extension_name TEXT NOT NULL, definition TEXT NOT NULL, scope TEXT NOT NULL, "
    "CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name))"
)


@dataclass(frozen=True)
class Category:
    """Features of one value of an attribute: how they are called, and their colour "#RRGGBB".

    `marker` is the shape of their points, by default that of the style. The value "" stands for
    features of any other value.
    """

    value: str
    label: str
    colour: str
    marker: str = ""


@dataclass(frozen=True)
class VectorStyle:
    """How a layer is drawn: in one `colour`, or by the values of `attribute` in `categories`.

    Polygons are outlines unless `filled`; of features beyond the categories outlines are drawn in
    `colour`. `label` is the attribute that is written beside features, `marker` a shape of QGIS's
    (circle, triangle, star …), `size_mm` a point's size or a line's width, by default 2.4 or 0.6.
    `fields` tells what attributes are called and what they are; `note` says what the layer is.
    """

    colour: str = "#D32F2F"
    attribute: str = ""
    categories: Sequence[Category] = ()
    filled: bool = False
    label: str = ""
    marker: str = "circle"
    size_mm: float | None = None
    fields: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    note: str = ""

    def qml(self, geometry_type: str) -> str:
        """The style of a layer of this type of geometry ("Point", "MultiPolygon" …) as text."""
        return as_text(self.element(geometry_type))

    def element(self, geometry_type: str) -> ET.Element:
        """The style as the root of a .qml; ValueError for a type that QGIS has no symbols for."""
        kind = symbol_kind(geometry_type)
        root = ET.Element(
            "qgis",
            version=QGIS_VERSION,
            styleCategories="AllStyleCategories",
            labelsEnabled="1" if self.label else "0",
        )
        root.append(self._renderer(kind))
        if self.label:
            root.append(_labels(self.label, kind))
        aliases = ET.SubElement(root, "aliases")
        for name, (alias, _) in self.fields.items():
            ET.SubElement(aliases, "alias", field=name, name=alias)
        ET.SubElement(root, "blendMode").text = "0"
        ET.SubElement(root, "layerGeometryType").text = _GEOMETRY_TYPES[kind]
        return root

    def _renderer(self, kind: str) -> ET.Element:
        size = self.size_mm or (2.4 if kind == MARKER else 0.6)
        if not self.attribute:
            renderer = ET.Element("renderer-v2", type="singleSymbol", symbollevels="0")
            symbols = ET.SubElement(renderer, "symbols")
            symbols.append(_symbol("0", kind, self.colour, self.filled, self.marker, size))
            return renderer
        renderer = ET.Element(
            "renderer-v2", type="categorizedSymbol", attr=self.attribute, symbollevels="0"
        )
        entries = ET.SubElement(renderer, "categories")
        symbols = ET.SubElement(renderer, "symbols")
        for place, item in enumerate(self.categories):
            told = {"value": item.value, "label": item.label, "symbol": str(place)}
            ET.SubElement(entries, "category", told, type="string", render="true")
            shape = item.marker or self.marker
            symbols.append(_symbol(str(place), kind, item.colour, self.filled, shape, size))
        if any(not item.value for item in self.categories):
            return renderer
        place = str(len(self.categories))
        ET.SubElement(
            entries, "category", value="", label="Other", symbol=place, type="NULL", render="true"
        )
        symbols.append(_symbol(place, kind, self.colour, False, self.marker, size))
        return renderer


def symbol_kind(geometry_type: str) -> str:
    """MARKER, LINE or FILL for a type of geometry; ValueError for any other."""
    base = geometry_type.split()[0].removeprefix("Multi") if geometry_type else ""
    if base not in _KINDS:
        raise ValueError(f"no symbol draws geometries of the type {geometry_type!r}")
    return _KINDS[base]


def _symbol(
    name: str, kind: str, colour: str, filled: bool, marker: str, size_mm: float
) -> ET.Element:
    symbol = ET.Element("symbol", name=name, type=kind, alpha="1", clip_to_extent="1")
    opaque, dark, size = _rgba(colour), _rgba("#202020"), f"{size_mm:g}"
    if kind == MARKER:
        own = {"name": marker, "color": opaque, "size": size, "size_unit": "MM"}
        own |= {"outline_color": dark, "outline_width": "0.2", "outline_style": "solid"}
    elif kind == LINE:
        own = {"line_color": opaque, "line_width": size, "line_width_unit": "MM"}
        own |= {"line_style": "solid"}
    else:
        own = {"color": opaque, "style": "solid" if filled else "no", "joinstyle": "bevel"}
        own |= {"outline_color": dark if filled else opaque, "outline_style": "solid"}
        own |= {"outline_width": "0.1" if filled else size, "outline_width_unit": "MM"}
    classes = {MARKER: "SimpleMarker", LINE: "SimpleLine", FILL: "SimpleFill"}
    layer = ET.SubElement(
        symbol, "layer", {"class": classes[kind], "enabled": "1", "pass": "0", "locked": "0"}
    )
    options = ET.SubElement(layer, "Option", type="Map")
    for key, value in own.items():
        ET.SubElement(options, "Option", name=key, value=value, type="QString")
    return symbol


def _labels(attribute: str, kind: str) -> ET.Element:
    """Dark letters with a light edge, which are read on any ground."""
    labeling = ET.Element("labeling", type="simple")
    settings = ET.SubElement(labeling, "settings", calloutType="simple")
    style = ET.SubElement(
        settings,
        "text-style",
        fieldName=attribute,
        isExpression="0",
        fontSize="9",
        fontSizeUnit="Point",
        fontWeight="75",
        namedStyle="Bold",
        textColor=_rgba("#202020"),
        textOpacity="1",
        allowHtml="0",
    )
    ET.SubElement(
        style,
        "text-buffer",
        bufferDraw="1",
        bufferSize="0.8",
        bufferSizeUnits="MM",
        bufferColor=_rgba("#FFFFFF"),
        bufferOpacity="1",
        bufferNoFill="0",
    )
    ET.SubElement(
        settings,
        "placement",
        placement=_PLACEMENTS[kind],
        placementFlags="10",
        dist="1",
        distUnits="MM",
        priority="8",
        centroidInside="1",
        predefinedPositionOrder="TR,TL,BR,BL,R,L,TSR,BSR",
    )
    ET.SubElement(
        settings, "rendering", drawLabels="1", obstacle="1", scaleVisibility="0", displayAll="0"
    )
    return labeling


def _rgba(colour: str) -> str:
    return ",".join(str(part) for part in (*bytes.fromhex(colour.removeprefix("#")), 255))


def as_text(root: ET.Element) -> str:
    """An element of QGIS's as the text of a file, without signs that XML cannot hold."""
    for element in root.iter():
        element.attrib = {key: _NO_XML.sub("", value) for key, value in element.attrib.items()}
        element.text = element.text and _NO_XML.sub("", element.text)
    ET.indent(root)
    return QML_DOCTYPE + ET.tostring(root, encoding="unicode") + "\n"


def embed_styles(path: Path, styles: Mapping[str, VectorStyle], moment: str) -> None:
    """Put styles by layer into a GeoPackage, as QGIS stores default styles (table layer_styles).

    What fields are called and mean goes into the table gpkg_data_columns, what a layer is into
    gpkg_contents; `moment` is the date that all rows get.
    """
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(_STYLES_TABLE)
        file.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, "
            "last_change) VALUES ('layer_styles', 'attributes', 'layer_styles', '', ?)",
            (moment,),
        )
        if any(style.fields for style in styles.values()):
            file.execute(_COLUMNS_TABLE)
            file.execute(_EXTENSIONS_TABLE)
            file.execute(
                "INSERT INTO gpkg_extensions VALUES ('gpkg_data_columns', NULL, 'gpkg_schema', "
                "'http://www.geopackage.org/spec121/#extension_schema', 'read-write')"
            )
        for layer, style in styles.items():
            _embed_style(file, layer, style, moment)


def _embed_style(file: sqlite3.Connection, layer: str, style: VectorStyle, moment: str) -> None:
    file.execute(
        "UPDATE gpkg_contents SET description = ? WHERE table_name = ?", (style.note, layer)
    )
    found = file.execute(
        "SELECT column_name, geometry_type_name FROM gpkg_geometry_columns WHERE table_name = ?",
        (layer,),
    ).fetchone()
    if found:
        column, stored = found
        kind = next(kind for kind in _KINDS if kind.upper() in stored.upper())
        file.execute(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, "
            "f_geometry_column, styleName, styleQML, styleSLD, useAsDefault, description, owner, "
            "ui, update_time) VALUES ('', '', ?, ?, ?, ?, '', 1, ?, '', '', ?)",
            (layer, column, layer[:30], style.qml(kind), style.note, moment),
        )
    for name, (alias, explanation) in style.fields.items():
        file.execute(
            "INSERT INTO gpkg_data_columns (table_name, column_name, name, title, description) "
            "VALUES (?, ?, ?, ?, ?)",
            (layer, name, alias, alias, explanation),
        )


def read_style(path: Path, layer: str) -> str:
    """The .qml of a layer's default style in a GeoPackage; "" where it has none."""
    with closing(sqlite3.connect(path.absolute().as_uri() + "?mode=ro", uri=True)) as file:
        if not file.execute("SELECT 1 FROM sqlite_master WHERE name = 'layer_styles'").fetchone():
            return ""
        found = file.execute(
            "SELECT styleQML FROM layer_styles WHERE f_table_name = ? AND useAsDefault", (layer,)
        ).fetchone()
    return found[0] if found else ""
