"""Vector files of one layer and of several, plain and in archives."""

import sqlite3
import zipfile
from pathlib import Path

import geopandas
import pytest
from shapely.geometry import box

from gossan.errors import InputError
from gossan.vector_files import is_vector, read_vector

CRS = "EPSG:32643"
SHAPE = box(430_000, 3_989_000, 430_600, 3_989_800)


def layer(path, name, value, geometry=SHAPE, **more):
    frame = geopandas.GeoDataFrame({"class": [value]}, geometry=[geometry], crs=CRS)
    frame.to_file(path, layer=name, **more)
    return path


@pytest.fixture
def survey(tmp_path):
    """A GeoPackage with a draft, which stands first, and a final layer."""
    layer(tmp_path / "survey.gpkg", "draft 2022", "kaolinite")
    return layer(tmp_path / "survey.gpkg", "final", "alunite")


def test_of_several_layers_none_is_taken_unasked(survey):
    with pytest.raises(InputError) as error:
        read_vector(survey, "zones")
    assert "holds several layers (draft 2022, final)" in str(error.value)
    assert "survey.gpkg|layername=draft 2022" in str(error.value)


@pytest.mark.parametrize("kind", [str, Path])
def test_the_layer_that_the_path_names_is_read(survey, kind):
    features, name = read_vector(kind(f"{survey}|layername=final"), "zones")
    assert (list(features["class"]), name) == (["alunite"], "final")
    features, name = read_vector(kind(f"{survey}|layername=final"), "zones", geometry=False)
    assert list(features["class"]) == ["alunite"]


def test_a_layer_that_is_called_like_its_file_is_that_one(tmp_path):
    for name in ("targets", "points"):
        layer(tmp_path / "targets.gpkg", name, name)
    features, found = read_vector(tmp_path / "targets.gpkg", "targets", layer="targets")
    assert (list(features["class"]), found) == (["targets"], "targets")


def test_a_layer_that_is_not_there_is_refused_with_those_that_are(survey):
    with pytest.raises(InputError, match="has no layer 'Final'; it has draft 2022, final"):
        read_vector(f"{survey}|layername=Final", "zones")
    with pytest.raises(InputError, match="no such file of zones"):
        read_vector(f"{survey}x|layername=final", "zones")


def test_tables_without_geometry_and_empty_layers_are_no_choice(tmp_path):
    path = layer(tmp_path / "a.gpkg", "zones", "alunite")
    with sqlite3.connect(path) as opened:
        # As QGIS keeps the styles of layers.
        opened.execute("CREATE TABLE layer_styles (id INTEGER PRIMARY KEY, styleQML TEXT)")
    empty = geopandas.GeoDataFrame({"class": []}, geometry=[], crs=CRS)
    empty.to_file(path, layer="new")
    features, name = read_vector(path, "zones")
    assert (list(features["class"]), name) == (["alunite"], "zones")


def test_a_file_of_one_layer_tells_none(tmp_path):
    for name in ("a.gpkg", "a.shp", "a.geojson", "a.fgb"):
        geopandas.GeoDataFrame({"class": ["a"]}, geometry=[SHAPE], crs=CRS).to_file(tmp_path / name)
        assert read_vector(tmp_path / name, "zones")[1] == ""


def test_a_zip_is_read_as_the_files_in_it(tmp_path):
    for name in ("draft", "final"):
        layer(tmp_path / f"{name}.shp", name, name)
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        for end in ("shp", "dbf", "shx", "prj"):
            archive.write(tmp_path / f"final.{end}", f"folder/final.{end}")
            archive.writestr(f"__MACOSX/folder/._final.{end}", b"\0\5\26\7")
    features, name = read_vector(tmp_path / "one.zip", "zones")
    assert (list(features["class"]), features.crs, name) == (["final"], CRS, "")
    with zipfile.ZipFile(tmp_path / "one.zip", "a") as archive:
        for end in ("shp", "dbf", "shx", "prj"):
            archive.write(tmp_path / f"draft.{end}", f"folder/draft.{end}")
    with pytest.raises(InputError, match=r"one\.zip: holds several layers \(draft, final\)"):
        read_vector(tmp_path / "one.zip", "zones")
    features, name = read_vector(f"{tmp_path}/one.zip|layername=draft", "zones")
    assert (list(features["class"]), name) == (["draft"], "draft")


def test_archives_without_a_vector_file_and_damaged_ones_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("read.me", "nothing")
    with pytest.raises(InputError, match=r"a\.zip: holds no vector file"):
        read_vector(tmp_path / "a.zip", "zones")
    (tmp_path / "b.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:40])
    with pytest.raises(InputError, match=r"b\.zip: is not a whole \.zip"):
        read_vector(tmp_path / "b.zip", "zones")


def test_folders_of_kml_are_layers(tmp_path):
    def folder(name, x):
        point = f"<Point><coordinates>{x},34</coordinates></Point>"
        return f"<Folder><name>{name}</name><Placemark>{point}</Placemark></Folder>"

    start = '<kml xmlns="http://www.opengis.net/kml/2.2"><Document>'
    text = f"{start}{folder('draft', 73)}{folder('final', 74)}</Document></kml>"
    (tmp_path / "a.kml").write_text(text)
    with zipfile.ZipFile(tmp_path / "a.kmz", "w") as archive:
        archive.writestr("doc.kml", text)
    for path in (tmp_path / "a.kml", tmp_path / "a.kmz"):
        with pytest.raises(InputError, match=r"holds several layers \(draft, final\)"):
            read_vector(path, "mines")
        features, name = read_vector(f"{path}|layername=final", "mines")
        assert (features.geometry.x.tolist(), name) == ([74.0], "final")


def test_waypoints_of_a_gpx_are_read_beside_its_tracks_if_they_are_named(tmp_path):
    path = tmp_path / "walk.gpx"
    path.write_text(
        '<gpx version="1.1" creator="x" xmlns="http://www.topografix.com/GPX/1/1">'
        '<wpt lat="34" lon="73"><name>a</name></wpt>'
        '<trk><trkseg><trkpt lat="34" lon="73"/><trkpt lat="35" lon="73"/></trkseg></trk></gpx>'
    )
    with pytest.raises(InputError, match="holds several layers"):
        read_vector(path, "samples")
    features, _ = read_vector(f"{path}|layername=waypoints", "samples")
    assert list(features["name"]) == ["a"]


def test_what_is_a_vector_file_is_told_by_the_ending_or_a_layer():
    for name in ("a.GPKG", "a.shp", "a.kmz", "b/c.zip", "a.x|layername=b"):
        assert is_vector(name)
    for name in ("a.tif", "a.dat", "a"):
        assert not is_vector(name)


def table(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "lines",
    [
        ("name,longitude,latitude,class", "A,-43.25,-14.5,alunite", "B,-43.5,-14.25,"),
        ("name;Lon;LAT;class", "A;-43,25;-14,5;alunite", "B;-43,5;-14,25;"),
        ("class\tLat\tLong\tname", "alunite\t-14.5\t-43.25\tA", "\t-14.25\t-43.5\tB"),
    ],
)
def test_points_of_a_gps_come_as_a_table(tmp_path, lines):
    points, layer = read_vector(table(tmp_path / "gps.csv", *lines), "mines")
    assert layer == "" and points.crs == "EPSG:4326"
    assert [(place.x, place.y) for place in points.geometry] == [(-43.25, -14.5), (-43.5, -14.25)]
    assert list(points["class"].fillna("none")) == ["alunite", "none"]
    assert list(points["name"]) == ["A", "B"]


def test_a_table_without_coordinates_is_told_which_columns_it_has(tmp_path):
    path = table(tmp_path / "gps.csv", "x,y,class", "1,2,alunite")
    with pytest.raises(InputError, match=r"one column called longitude.* has the columns x, y, cl"):
        read_vector(path, "mines")
    path = table(tmp_path / "two.csv", "lon,longitude,lat", "1,2,3")
    with pytest.raises(InputError, match="one column called longitude"):
        read_vector(path, "mines")


@pytest.mark.parametrize("text", ["43°15'W", "", "nan", "inf", "1e999"])
def test_coordinates_that_are_no_decimal_degrees_are_told_by_line(tmp_path, text):
    path = table(tmp_path / "gps.csv", "longitude,latitude,name", "1,2,A", f"{text},2,B")
    with pytest.raises(InputError, match=r"gps.csv, line 3: longitude .* not decimal degrees"):
        read_vector(path, "mines")


def test_swapped_columns_of_a_table_are_told(tmp_path):
    path = table(tmp_path / "gps.csv", "longitude,latitude", "36.1,174.2", "36.2,174.3")
    with pytest.raises(InputError, match="latitude stands first; exchange the two"):
        read_vector(path, "mines")
