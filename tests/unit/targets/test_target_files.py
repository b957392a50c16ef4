"""The list of targets and its files, wherever on the globe it lies."""

import csv
import io

import geopandas
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from prospects import TAGS
from rasterio.crs import CRS
from samples import write_raster
from shapely.geometry import Point, box

from gossan.errors import InputError
from gossan.legend import NODATA
from gossan.outlines import polygons_in_degrees
from gossan.raster import read_info
from gossan.targets.ranking import survey_targets
from gossan.targets.sites import Sites
from gossan.targets.target_files import write_csv, write_geopackage, write_gpx, write_kml
from gossan.targets.target_ground import Kind
from gossan.targets.target_list import (
    KNOWN_DEPOSIT,
    TRAINING,
    KnownSites,
    describe_list,
    list_targets,
)

SIZE = (24, 30)
PIXEL_M = 100.0


def survey(folder, score, crs="EPSG:32643", origin=(430_000, 3_990_000), **options):
    """Targets of a map of scores (rows, columns) with its middle at a place of a system."""
    codes = np.where(np.isnan(score), NODATA, np.where(score >= 0.5, 2, 1)).astype("uint8")
    grid = {"crs": crs, "origin": origin, "pixel": PIXEL_M, "tags": TAGS}
    write_raster(folder / "potential.tif", codes, nodata=255, **grid)
    write_raster(folder / "score.tif", score.astype("float32"), nodata=np.nan, **grid)
    return survey_targets(
        folder / "potential.tif",
        folder / "score.tif",
        None,
        [],
        **{"level": "medium", "least_px": 1, "most": 50, "synthetic": False} | options,
    )


def known_of(shapes, kind, names=None):
    shapes = np.array(shapes, object)
    attributes = {} if names is None else {"name": np.array(names, object)}
    places = np.zeros(len(shapes), np.int64)
    return KnownSites.of(Sites("known", shapes, places, places, attributes), "Mine", kind)


def write_all(folder, targets):
    write_geopackage(folder / "t.gpkg", targets)
    write_csv(folder / "t.csv", targets)
    write_kml(folder / "t.kml", targets, "Targets")
    write_gpx(folder / "t.gpx", targets, "Targets")
    return list(csv.DictReader(io.StringIO((folder / "t.csv").read_text())))


def blocks(*places):
    """A map of scores with patches: (top, bottom, left, right, score)."""
    score = np.full(SIZE, 0.1)
    for top, bottom, left, right, value in places:
        score[top:bottom, left:right] = value
    return score


PLACES = {
    "across 180°": ("EPSG:32601", Point(-180, 52)),
    "near the north pole": ("EPSG:32661", Point(100, 88)),
    "south of the equator": ("EPSG:32723", Point(-43, -12)),
    "in feet": ("EPSG:2229", Point(-118, 34)),
}


@pytest.mark.parametrize("name", PLACES)
def test_the_forms_tell_one_place_anywhere_on_the_globe(tmp_path, name):
    crs, middle = PLACES[name]
    x, y = geopandas.GeoSeries([middle], crs="EPSG:4326").to_crs(crs)[0].coords[0]
    origin = x - SIZE[1] / 2 * PIXEL_M, y + SIZE[0] / 2 * PIXEL_M
    # The first patch is a frame about the middle of the map, the second a single pixel.
    score = blocks((8, 17, 10, 20, 0.9), (10, 15, 12, 18, 0.1), (2, 3, 2, 3, 0.8))
    found = survey(tmp_path, score, crs, origin)
    targets = list_targets(found.targets, [], 1.0)
    rows = write_all(tmp_path, targets)
    assert [row["id"] for row in rows] == ["T01", "T02"]
    told = np.array([[float(row["longitude"]), float(row["latitude"])] for row in rows])
    assert (np.abs(told) <= (180, 90)).all()
    projected = geopandas.GeoSeries([Point(*place) for place in told], crs="EPSG:4326").to_crs(crs)
    for row, shape, place in zip(rows, targets.geometry, projected, strict=True):
        assert shape.contains(Point(float(row["x"]), float(row["y"])))
        assert place.distance(Point(float(row["x"]), float(row["y"]))) < 1
    points = pyogrio.read_dataframe(tmp_path / "t.kml", layer="Targets: points")
    assert shapely.get_coordinates(points.geometry).tolist() == told.tolist()
    waypoints = pyogrio.read_dataframe(tmp_path / "t.gpx", layer="waypoints")
    assert shapely.get_coordinates(waypoints.geometry).tolist() == told.tolist()
    outlines = pyogrio.read_dataframe(tmp_path / "t.kml", layer="Targets: outlines").geometry
    assert outlines.explode().is_valid.all()
    assert (outlines.bounds.to_numpy() >= (-180, -90, -180, -90)).all()
    assert (outlines.bounds.to_numpy() <= (180, 90, 180, 90)).all()
    area = geopandas.GeoSeries(outlines, crs="EPSG:4326").to_crs("ESRI:54034").area / 1e4
    assert area.tolist() == pytest.approx([float(row["area_ha"]) for row in rows], rel=0.015)


def test_a_polygon_that_holds_a_pole_is_all_around_it():
    about = box(1_900_000, 1_900_000, 2_100_000, 2_100_000).segmentize(5000)
    [part] = polygons_in_degrees(about, CRS.from_epsg(32661))
    assert part.covers(box(-180, 89.5, 180, 90))
    assert not part.intersects(box(-180, 0, 180, 88))
    hole = box(1_990_000, 1_990_000, 2_010_000, 2_010_000).segmentize(1000)
    [frame] = polygons_in_degrees(about - hole, CRS.from_epsg(32661))
    assert shapely.transform(frame, lambda places: np.round(places, 7)).is_valid
    assert not frame.intersects(box(-180, 89.95, 180, 90))


def test_a_patch_that_bends_around_its_centre_has_its_point_on_it(tmp_path):
    score = blocks((4, 20, 4, 26, 0.8), (6, 20, 6, 24, 0.1))
    found = survey(tmp_path, score)
    [row] = found.targets.itertuples()
    grid = read_info(tmp_path / "score.tif").grid
    column, line = ~grid.transform @ (row.x, row.y)
    assert row.geometry.contains(Point(row.x, row.y))
    rows, columns = np.nonzero(score == 0.8)
    apart = (rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2
    assert (line - 0.5 - rows.mean()) ** 2 + (column - 0.5 - columns.mean()) ** 2 == pytest.approx(
        apart.min()
    )


def test_the_score_draws_the_point_to_the_better_ground(tmp_path):
    left = survey(tmp_path, blocks((10, 11, 4, 24, 0.5), (10, 11, 4, 8, 1.0))).targets
    right = survey(tmp_path, blocks((10, 11, 4, 24, 0.5), (10, 11, 20, 24, 1.0))).targets
    columns = [((frame.x - 430_000) / PIXEL_M - 0.5).tolist() for frame in (left, right)]
    assert columns == [[12], [15]]


def test_patches_beside_nodata_and_without_any_data(tmp_path):
    score = blocks((5, 9, 5, 9, 0.7))
    score[5:9, 9:] = np.nan
    score[:5] = np.nan
    found = survey(tmp_path, score)
    assert found.targets.area_ha.tolist() == [16.0]
    assert found.highest[0] == pytest.approx(0.7)
    empty = survey(tmp_path, np.full(SIZE, np.nan))
    assert empty.highest is None
    assert describe_list(0, 0, None, 1, "high potential").startswith("The map has no data")
    assert write_all(tmp_path, list_targets(empty.targets, [], 1.0)) == []
    assert len(pyogrio.read_dataframe(tmp_path / "t.gpkg", layer="points")) == 0


def test_what_dominates_is_the_class_or_zone_on_most_pixels(tmp_path):
    score = blocks((5, 9, 5, 9, 0.7), (15, 16, 20, 21, 0.6))
    classes = np.zeros(SIZE, "uint8")
    classes[5:8, 5:9], classes[8, 5:9] = 3, 7
    classes[15, 20] = 255
    path = write_raster(tmp_path / "class.tif", classes, nodata=255, pixel=PIXEL_M)
    kinds = [Kind("Alunite", path, (7,)), Kind("Kaolinite", path, (3,))]
    for window_px in (512, 8):
        targets = survey(tmp_path, score, kinds=kinds, window_px=window_px).targets
        assert targets.dominant.tolist() == ["Kaolinite", ""]
        assert targets.dominant_share.iloc[0] == 0.75
        assert np.isnan(targets.dominant_share.iloc[1])
    some = np.where(classes == 3, 2, 255)
    zones = np.stack([np.full(SIZE, 1), np.full(SIZE, 3), some]).astype("uint8")
    write_raster(tmp_path / "zone.tif", zones, nodata=255, pixel=PIXEL_M)
    zone = [Kind("argillic", tmp_path / "zone.tif", (1, 2))]
    targets = survey(tmp_path, score, kinds=zone).targets
    assert targets.dominant.tolist() == ["argillic", "argillic"]


def test_methods_in_favour_are_those_of_half_the_ground_or_the_one_of_most(tmp_path):
    score = blocks((4, 8, 4, 8, 0.7), (4, 8, 20, 24, 0.6), (15, 16, 20, 21, 0.55))
    votes = np.zeros((3, *SIZE), "float32")
    votes[0, 4:8, 4:8] = 1  # all of the first patch
    votes[1, 4:6, 4:8] = 1  # half of it
    votes[1, 4, 20:24] = votes[2, 4, 20:22] = 1  # a quarter of the second, and less
    votes[2, 4:8, 5:8] = np.nan
    votes[2, 4:6, 4] = 1  # half of what it sees of the first
    names = ("methods in favour", "methods with an answer", "disagreement", "a", "b", "c d")
    bands = np.concatenate([np.zeros_like(votes), votes])
    write_raster(tmp_path / "support.tif", bands, nodata=np.nan, pixel=PIXEL_M)
    with rasterio.open(tmp_path / "support.tif", "r+") as dataset:
        dataset.descriptions = names
    targets = survey(tmp_path, score, support=tmp_path / "support.tif").targets
    assert targets.methods_in_favour.tolist() == ["a; b; c d", "b", ""]
    with pytest.raises(InputError, match=r"score\.tif: has no vote of a method"):
        survey(tmp_path, score, support=tmp_path / "score.tif")


def test_new_ground_is_ranked_without_known_ground(tmp_path):
    score = blocks((2, 4, 2, 4, 0.9), (2, 4, 10, 12, 0.8), (2, 4, 18, 20, 0.7), (12, 14, 2, 4, 0.6))
    found = survey(tmp_path, score).targets

    def middle(rank):
        return found.geometry[rank - 1].centroid

    east = shapely.affinity.translate(found.geometry[3].envelope, 1000, 0)
    known = [
        known_of([middle(3), east], KNOWN_DEPOSIT, ["=2+2 \u202eshaft", None]),
        known_of([middle(1).buffer(10)], TRAINING, ["Pit"]),
    ]
    targets = list_targets(found, known, 1.0)
    assert targets["id"].tolist() == ["T01", "T02", "K01", "K02"]
    assert targets.rank_of_all.tolist() == [2, 4, 1, 3]
    assert targets.known.tolist() == ["", "", TRAINING, KNOWN_DEPOSIT]
    assert targets.nearest_known.tolist() == ["Pit", "Mine 2", "Pit", "2+2 shaft"]
    assert targets.nearest_known_m.tolist() == [690.0, 800.0, 0.0, 0.0]
    feet = list_targets(found, known, 0.3048)
    assert feet.nearest_known_m.iloc[1] == pytest.approx(800 * 0.3048, abs=0.1)


def test_ground_that_touches_a_mine_that_taught_is_training_whatever_else_lies_there(tmp_path):
    found = survey(tmp_path, blocks((2, 4, 2, 4, 0.9))).targets
    place = found.geometry[0].centroid
    known = [known_of([place], KNOWN_DEPOSIT), known_of([place.buffer(5)], TRAINING)]
    assert list_targets(found, known, 1.0).known.tolist() == [TRAINING]


def test_why_there_is_no_target_is_said():
    highest = (0.3149, 12.3456789, -45.5)
    assert describe_list(3, 0, highest, 1, "x") == ""
    assert describe_list(0, 0, highest, 0.5, "a score of 0.34 or more") == (
        "No ground of 0.5 ha or more has a score of 0.34 or more; the highest score is 0.31 at "
        "longitude 12.345679, latitude -45.500000."
    )
    assert describe_list(0, 1, highest, 1, "x").endswith("lies on the one patch that does.")
    assert describe_list(0, 3, highest, 1, "x").endswith("lies on each of the 3 patches that do.")


def test_names_of_users_stay_text_in_every_form(tmp_path):
    found = survey(tmp_path, blocks((2, 4, 2, 4, 0.9))).targets
    known = [known_of([Point(0, 0)], KNOWN_DEPOSIT, ["<b>&\x07\x00 'pit'\" ]]>"])]
    targets = list_targets(found, known, 1.0)
    [row] = write_all(tmp_path, targets)
    assert row["nearest_known"] == "<b>& 'pit'\" ]]>"
    point = pyogrio.read_dataframe(tmp_path / "t.kml", layer="Targets: points").iloc[0]
    assert point.nearest_known == row["nearest_known"]
    assert "&lt;b&gt;&amp;" in point.description
    waypoint = pyogrio.read_dataframe(tmp_path / "t.gpx", layer="waypoints").iloc[0]
    assert row["nearest_known"] in waypoint.desc
