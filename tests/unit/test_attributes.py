"""Attributes and coordinates of vector files, as people and programs write them."""

import json
import unicodedata

import geopandas
import pytest
from prospects import write_shapes
from shapely.geometry import Point, box

from gossan.errors import InputError
from gossan.vector_files import read_vector

NAME = "Filito São João"
AREA = box(500_060, 3_999_400, 500_500, 3_999_900)


@pytest.mark.parametrize(
    "text",
    [
        NAME,
        unicodedata.normalize("NFD", NAME),
        f"{NAME}  ",
        NAME.replace(" ", "\u00a0"),
        f"\ufeff{NAME}",
    ],
    ids=["plain", "decomposed", "trailing blanks", "no-break blanks", "unseen mark"],
)
def test_texts_of_attributes_that_look_equal_are_equal(tmp_path, text):
    path = write_shapes(tmp_path / "a.gpkg", [AREA], "EPSG:32629", **{"class": [text]})
    features, _ = read_vector(path, "zones")
    assert list(features["class"]) == [NAME]


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-8"])
def test_a_shapefile_that_does_not_tell_its_encoding_is_read(tmp_path, encoding):
    frame = geopandas.GeoDataFrame({"class": [NAME]}, geometry=[AREA], crs="EPSG:32629")
    frame.to_file(tmp_path / "a.shp", encoding=encoding)
    (tmp_path / "a.cpg").unlink()
    if encoding == "UTF-8":
        # Its attribute table tells a code page of Windows else.
        data = bytearray((tmp_path / "a.dbf").read_bytes())
        data[29] = 0
        (tmp_path / "a.dbf").write_bytes(bytes(data))
    features, _ = read_vector(tmp_path / "a.shp", "zones")
    assert list(features["class"]) == [NAME]


def write_geojson(path, shape):
    feature = {"type": "Feature", "properties": {"class": "a"}, "geometry": shape.__geo_interface__}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return path


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (AREA, "500060 to 500500 and 3.9994e+06 to 3.9999e+06, are no longitudes and latitudes"),
        (Point(36.1, -120.5), "latitude stands first; exchange the two"),
    ],
)
def test_numbers_that_are_no_degrees_are_refused_where_degrees_are_told(tmp_path, shape, expected):
    path = write_geojson(tmp_path / "a.geojson", shape)
    with pytest.raises(InputError, match=r"a\.geojson") as caught:
        read_vector(path, "zones")
    assert expected in str(caught.value)


def test_longitudes_from_0_to_360_are_degrees(tmp_path):
    features, _ = read_vector(write_geojson(tmp_path / "a.geojson", Point(291.5, -23.0)), "zones")
    assert len(features) == 1
