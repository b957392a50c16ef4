import csv
import json
import xml.etree.ElementTree as ET

import geopandas
import numpy as np
import pytest
import rasterio
from prospects import (
    make_district,
    map_potential,
    pixel_box,
    pixel_point,
    rank_targets,
    write_shapes,
)
from samples import known_tables, run_tool, write_raster

KML = {"k": "http://www.opengis.net/kml/2.2"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = make_district(tmp_path_factory.mktemp("district"))
    assert map_potential(folder).returncode == 0
    done = rank_targets(folder, folder / "out")
    assert done.returncode == 0, done.stderr
    return folder


def table(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def test_targets_are_ranked_patches_with_coordinates(folder):
    targets = geopandas.read_file(folder / "out/targets.gpkg", layer="targets")
    points = geopandas.read_file(folder / "out/targets.gpkg", layer="points")
    assert targets["rank"].tolist() == points["rank"].tolist() == [1, 2]
    assert targets.score.is_monotonic_decreasing
    codes, score = read(folder / "potential.tif"), read(folder / "score.tif")
    assert targets.area_ha.sum() == pytest.approx(np.isin(codes, (2, 3)).sum() * 0.09, abs=2)
    assert targets.score_max.max() == pytest.approx(np.nanmax(score), abs=1e-6)
    assert (points.geometry.x == points.x).all()
    degrees = points.to_crs("EPSG:4326").geometry
    assert degrees.x.tolist() == pytest.approx(points.lon.tolist(), abs=1e-6)
    assert degrees.y.tolist() == pytest.approx(points.lat.tolist(), abs=1e-6)
    assert (targets.synthetic == "yes").all()
    claims = geopandas.read_file(folder / "claims.gpkg").to_crs(targets.crs)
    iron = claims[claims.substance == "Iron"]
    assert targets.claims.tolist() == [iron.intersects(shape).sum() for shape in targets.geometry]
    assert {"occurrences", "uncertainty", "high_share"} <= set(targets.columns)


def test_the_kml_holds_the_same_targets(folder):
    targets = geopandas.read_file(folder / "out/targets.gpkg", layer="targets")
    root = ET.parse(folder / "out/targets.kml").getroot()
    assert "SYNTHETIC" in root.find("k:Document/k:name", KML).text
    places = root.findall("k:Document/k:Placemark", KML)
    assert [place.find("k:name", KML).text for place in places] == ["1", "2"]
    for place, row in zip(places, targets.itertuples(), strict=True):
        point = place.find("k:MultiGeometry/k:Point/k:coordinates", KML).text
        assert [float(part) for part in point.split(",")] == pytest.approx([row.lon, row.lat])
        values = {
            data.get("name"): data.find("k:value", KML).text
            for data in place.findall("k:ExtendedData/k:Data", KML)
        }
        assert float(values["score"]) == row.score
        assert "SYNTHETIC" in place.find("k:description", KML).text
    assert len(geopandas.read_file(folder / "out/targets.kml")) >= 2


def test_the_overlay_says_how_many_claims_and_occurrences_lie_where(folder):
    rows = table(folder / "out/overlay.csv")
    found = {(row["sites"], row["potential"]): row for row in rows}
    kinds = ("claims", "claims outside mines", "occurrences", "occurrences outside mines")
    assert list(dict.fromkeys(row["sites"] for row in rows)) == list(kinds)
    codes = read(folder / "potential.tif")
    points = geopandas.read_file(folder / "occurrences.gpkg")
    points = points[points.substance == "Iron"].geometry
    columns = ((points.x - 430_000) // 30).astype(int)
    lines = ((3_990_000 - points.y) // 30).astype(int)
    own = codes[lines, columns]
    for code, name in ((1, "low"), (2, "medium"), (3, "high")):
        assert int(found["occurrences", name]["found"]) == (own == code).sum()
    assert int(found["occurrences", "high"]["n"]) == 20
    assert float(found["occurrences", "high"]["ratio"]) > 3
    both = found["claims", "medium or high"]
    assert float(both["share_low"]) < float(both["share"]) < float(both["share_high"])
    assert int(both["touching"]) >= int(both["found"])
    assert {row["synthetic"] for row in rows} == {"yes"}
    areas = [float(found["claims", name]["area_share"]) for name in ("high", "medium", "low")]
    assert sum(areas) == pytest.approx(1, abs=1e-5)


def test_the_curves_run_from_everything_to_nothing(folder):
    rows = [row for row in table(folder / "out/curves.csv") if row["sites"] == "occurrences"]
    assert len(rows) == 1001
    assert (rows[0]["score"], rows[0]["area_share"], rows[0]["found"]) == ("0", "1.000000", "20")
    score = read(folder / "score.tif")
    at = next(row for row in rows if row["score"] == "0.34")
    assert int(at["pixels"]) == (score >= np.float32(0.34)).sum()
    record = json.loads((folder / "out/targets.json").read_text())
    curve = next(item for item in record["curves"] if item["sites"] == "occurrences")
    area = np.array([float(row["area_share"]) for row in rows] + [0])
    found = np.array([float(row["found_share"]) for row in rows] + [0])
    value = curve["area_under_curve"]
    assert value["value"] == pytest.approx(-np.trapezoid(found, area), abs=1e-5)
    assert value["low"] < value["value"] < value["high"]


def test_the_record_says_how_it_was_made(folder):
    record = json.loads((folder / "out/targets.json").read_text())
    assert record["synthetic"] is True
    assert record["thresholds"] == {"medium": "0.34", "high": "0.67"}
    assert record["geology"] == "geology.gpkg"
    assert record["targets"] == record["patches"] == 2
    assert sum(item["share"] for item in record["potential"]) == pytest.approx(1)


def test_equal_inputs_are_equal_bytes(folder, tmp_path):
    assert rank_targets(folder, tmp_path, "--threads", 2).returncode == 0
    for name in ("targets.gpkg", "targets.kml", "overlay.csv", "curves.csv", "targets.json"):
        assert (tmp_path / name).read_bytes() == (folder / "out" / name).read_bytes(), name


def test_without_claims_and_occurrences_there_are_still_targets(folder, tmp_path):
    done = run_tool(
        "rank_targets",
        *("--potential", folder / "potential.tif", "--score", folder / "score.tif"),
        *("--scene", "tiny", "--targets", tmp_path / "t.gpkg", "--kml", tmp_path / "t.kml"),
        *("--overlay", tmp_path / "o.csv", "--curves", tmp_path / "c.csv"),
        *("--record", tmp_path / "r.json", "--threads", 1, "--level", "high"),
        *("--substance-attribute", "substance", "--min-area-ha", 1, "--bootstrap", 200),
        *("--spatial-block-px", 16, "--seed", 42, *known_tables(tmp_path)),
    )
    assert done.returncode == 0, done.stderr
    assert table(tmp_path / "o.csv") == table(tmp_path / "c.csv") == []
    targets = geopandas.read_file(tmp_path / "t.gpkg", layer="targets")
    assert (targets.high_share == 1).all()
    assert "claims" not in targets.columns
    assert "uncertainty" not in targets.columns


def test_no_patch_large_enough_makes_empty_files(folder, tmp_path):
    done = rank_targets(folder, tmp_path, "--min-area-ha", 5000)
    assert done.returncode == 0, done.stderr
    targets = geopandas.read_file(tmp_path / "targets.gpkg", layer="targets")
    assert len(targets) == 0
    assert {"rank", "score", "claims"} <= set(targets.columns)
    assert not ET.parse(tmp_path / "targets.kml").findall(".//k:Placemark", KML)
    assert json.loads((tmp_path / "targets.json").read_text())["targets"] == 0


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--claims", "gone.gpkg"), "gone.gpkg: no such file of claims"),
        (("--substances", "copper"), "no feature has the substance copper (there are: Iron, gold)"),
        (("--substance-attribute", "SUBS"), "lack the attribute 'SUBS'"),
        (("--min-area-ha", -1), "min-area-ha"),
        (("--bootstrap", 5), "bootstrap: 5 is too small"),
        (("--score", "gone.tif"), "gone.tif: no such raster"),
    ],
)
def test_wrong_input_is_named(folder, tmp_path, flags, said):
    done = rank_targets(folder, tmp_path, *flags)
    assert done.returncode == 1
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


def test_maps_and_sites_that_do_not_fit_are_refused(folder, tmp_path):
    def fault(*flags):
        done = rank_targets(folder, tmp_path / "out", *flags)
        assert done.returncode == 1
        assert not (tmp_path / "out").exists()
        return done.stderr

    assert "score.tif: float32, not uint8" in fault("--potential", folder / "score.tif")
    other = write_raster(tmp_path / "other.tif", np.zeros((20, 20), "float32"), nodata=np.nan)
    assert "other.tif: 20x20 pixels where 180x150" in fault("--score", other)
    far = write_shapes(tmp_path / "far.gpkg", [pixel_box(900, 950, 0, 9)], substance=["iron"])
    assert "far.gpkg: none of the claims lies over the map" in fault("--claims", far)
    points = write_shapes(tmp_path / "mines.gpkg", [pixel_point(5, 5)])
    assert "mines.gpkg: holds Point; mines are" in fault("--mines", points)


def test_claims_are_counted_by_period_and_those_without_a_date_are_said(folder, tmp_path):
    claims = geopandas.read_file(folder / "claims.gpkg")
    claims["filed"] = ["2001-02-03"] * 8 + ["2015"] * 8 + [None] * 8
    claims.to_file(tmp_path / "claims.gpkg")
    flags = ("--claims", tmp_path / "claims.gpkg", "--date-attribute", "filed")
    done = rank_targets(folder, tmp_path, *flags, "--periods", "1992-2009", "2010-")
    assert done.returncode == 0, done.stderr
    rows = [row for row in table(tmp_path / "periods.csv") if row["potential"] == "high"]
    # Four of the claims without a date are of gold.
    assert [(row["period"], row["n"]) for row in rows] == [
        *(("1992-2009", "8"), ("2010-", "8"), ("without a date", "4")),
    ]
    notes = json.loads((tmp_path / "targets.json").read_text())["notes"]
    assert notes == ["4 of 20 claims have no date; counted apart."]
    done = rank_targets(folder, tmp_path, "--periods", "1992-2009")
    assert done.returncode == 0, done.stderr
    notes = json.loads((tmp_path / "targets.json").read_text())["notes"]
    assert notes[0] == "claims.gpkg has no attribute 'date', so no claim has a date."
