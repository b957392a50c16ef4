"""Styles that a GeoPackage brings along."""

import sqlite3
import xml.etree.ElementTree as ET
from contextlib import closing

import geopandas
import pytest
from qgis_runs import ask_qgis
from shapely.geometry import MultiPolygon, Point, box

from gossan.vector_files import read_vector
from gossan.vector_styles import Category, VectorStyle, as_text, read_style
from gossan.vectors import write_layers

EVIL = '"><script>alert(1)</script>&amp;\x00\x0b]]>'
FIELDS = {"rank": ("Rank", "1 is the best"), "kind": ("Kind", "what & <where>")}
AREAS = VectorStyle("#AA0000", label="rank", fields=FIELDS, note="Areas by rank")
POINTS = VectorStyle(
    attribute="kind", categories=[Category("a", "A & <b>", "#00C853")], marker="triangle"
)


@pytest.fixture
def package(tmp_path):
    table = geopandas.GeoDataFrame(
        {"rank": [1, 2], "kind": ["a", "b"]},
        geometry=[MultiPolygon([box(0, 0, 9, 9)]), MultiPolygon([box(20, 20, 29, 29)])],
        crs="EPSG:32633",
    )
    points = table.set_geometry([Point(1, 1), Point(21, 21)], crs="EPSG:32633")
    path = tmp_path / "places.gpkg"
    layers = {"areas": (table, "MultiPolygon"), "points": (points, "Point")}
    write_layers(path, layers, {"areas": AREAS, "points": POINTS})
    return path


def test_qgis_draws_a_geopackage_in_the_style_that_it_brings(package):
    told = ask_qgis("layer", f"{package}|layername=areas")
    assert told["valid"] and told["features"] == 2
    assert told["renderer"] == "singleSymbol"
    assert told["label"] == "rank"
    assert told["aliases"] == {"fid": "", "rank": "Rank", "kind": "Kind"}
    told = ask_qgis("layer", f"{package}|layername=points")
    assert told["renderer"] == "categorizedSymbol"
    assert told["categories"] == {"a": "A & <b>", "": "Other"}
    assert told["colours"] == ["#00c853", "#d32f2f"]
    assert told["label"] == ""


def test_a_styled_geopackage_is_read_as_one_without_styles(package):
    areas, layer = read_vector(package, "areas", layer="areas")
    assert layer == "areas"
    assert areas["rank"].tolist() == [1, 2]


def test_the_fields_are_explained_in_the_file_itself(package):
    with closing(sqlite3.connect(package)) as file:
        rows = file.execute("SELECT column_name, name, description FROM gpkg_data_columns")
        assert rows.fetchall() == [(name, *told) for name, told in FIELDS.items()]
        query = "SELECT description FROM gpkg_contents WHERE table_name = 'areas'"
        assert file.execute(query).fetchone() == ("Areas by rank",)
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_style_is_found_again_and_a_layer_without_has_none(package, tmp_path):
    assert read_style(package, "points") == POINTS.qml("Point")
    bare = tmp_path / "bare.gpkg"
    table = geopandas.GeoDataFrame({"rank": [1]}, geometry=[Point(1, 1)], crs="EPSG:32633")
    write_layers(bare, {"points": (table, "Point")})
    assert read_style(bare, "points") == ""


def test_equal_layers_and_styles_are_equal_bytes(package, tmp_path):
    tables = {name: read_vector(package, name, layer=name)[0] for name in ("areas", "points")}
    kinds = {"areas": "MultiPolygon", "points": "Point"}
    layers = {name: (table, kinds[name]) for name, table in tables.items()}
    copies = [tmp_path / "one.gpkg", tmp_path / "two.gpkg"]
    for copy in copies:
        write_layers(copy, layers, {"areas": AREAS, "points": POINTS})
    assert copies[0].read_bytes() == copies[1].read_bytes()


@pytest.mark.parametrize("kind", ["Point", "MultiLineString", "Polygon"])
def test_texts_that_would_break_a_style_stand_in_it_as_texts(kind):
    style = VectorStyle(
        attribute=EVIL,
        categories=[Category(EVIL, EVIL, "#112233")],
        label=EVIL,
        fields={EVIL: (EVIL, EVIL)},
    )
    root = ET.fromstring(style.qml(kind))
    shown = '"><script>alert(1)</script>&amp;]]>'
    assert root.find("renderer-v2").get("attr") == shown
    assert root.find("renderer-v2/categories/category").get("label") == shown
    assert root.find("labeling/settings/text-style").get("fieldName") == shown
    assert root.find("labeling/settings/text-style").get("allowHtml") == "0"
    assert root.find("aliases/alias").get("name") == shown
    assert not root.findall(".//script")


def test_signs_that_no_xml_holds_are_left_out_of_texts_too():
    root = ET.Element("qgis")
    ET.SubElement(root, "title").text = "a\x00b\x1f"
    assert ET.fromstring(as_text(root)).findtext("title") == "ab"


def test_a_type_without_symbols_is_named():
    with pytest.raises(ValueError, match="GeometryCollection"):
        AREAS.qml("GeometryCollection")
