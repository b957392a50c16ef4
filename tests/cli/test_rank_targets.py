import csv
import json
import xml.etree.ElementTree as ET

import geopandas
import numpy as np
import pyogrio
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
from qgis_runs import ask_qgis
from samples import CRS, known_tables, run_tool, write_raster

from gossan.targets.target_list import KNOWN_TITLES

KML = {"k": "http://www.opengis.net/kml/2.2"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = make_district(tmp_path_factory.mktemp("district"))
    assert map_potential(folder).returncode == 0
    done = rank_targets(folder, folder / "out")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def listed(folder):
    """A list of one target and one patch that taught: the second mine is not known."""
    mines = geopandas.read_file(folder / "mines.gpkg").assign(name=["North pit", "East pit"])
    mines.iloc[:1].to_file(folder / "north_pit.gpkg")
    sites = geopandas.read_file(folder / "occurrences.gpkg")
    east = mines.geometry.iloc[1].buffer(900)
    sites[~sites.intersects(east)].to_file(folder / "few.gpkg")
    out = folder / "listed"
    flags = ("--mines", folder / "north_pit.gpkg", "--occurrences", folder / "few.gpkg")
    done = rank_targets(folder, out, *flags)
    assert done.returncode == 0, done.stderr
    return out


def table(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def layers(folder):
    """The outlines and points of targets.gpkg."""
    return [
        geopandas.read_file(folder / "targets.gpkg", layer=layer) for layer in ("targets", "points")
    ]


def test_targets_are_ranked_patches_with_coordinates(folder, listed):
    targets, points = layers(listed)
    assert targets["id"].tolist() == points["id"].tolist() == ["T01", "K01"]
    assert targets["rank"].tolist() == targets.rank_of_all.tolist()[:1] * 2 == [1, 1]
    assert targets.rank_of_all.tolist() == [1, 2]
    ranked = targets.sort_values("rank_of_all")
    assert ranked.mean_score.is_monotonic_decreasing
    codes, score = read(folder / "potential.tif"), read(folder / "score.tif")
    assert targets.area_ha.sum() == pytest.approx(np.isin(codes, (2, 3)).sum() * 0.09, abs=2)
    assert targets.max_score.max() == pytest.approx(np.nanmax(score), abs=1e-6)
    assert (points.geometry.x == points.x).all()
    assert [
        shape.contains(point)
        for shape, point in zip(targets.geometry, points.geometry, strict=True)
    ] == [True] * 2
    degrees = points.to_crs("EPSG:4326").geometry
    assert degrees.x.tolist() == pytest.approx(points.longitude.tolist(), abs=1e-6)
    assert degrees.y.tolist() == pytest.approx(points.latitude.tolist(), abs=1e-6)
    assert (targets.synthetic == "yes").all()
    claims = geopandas.read_file(folder / "claims.gpkg").to_crs(targets.crs)
    iron = claims[claims.substance == "Iron"]
    assert targets.claims.tolist() == [iron.intersects(shape).sum() for shape in targets.geometry]
    assert {"occurrences", "uncertainty", "high_share"} <= set(targets.columns)


def test_ground_of_mines_and_occurrences_is_listed_apart_and_said_by_name(folder, listed):
    targets = layers(listed)[0]
    assert targets.known.tolist() == ["", "training"]
    mines = geopandas.read_file(folder / "north_pit.gpkg")
    occurrences = geopandas.read_file(folder / "few.gpkg")
    iron = occurrences[occurrences.substance == "Iron"]
    new = targets.iloc[0]
    apart = min(mines.distance(new.geometry).min(), iron.distance(new.geometry).min())
    assert new.nearest_known_m == pytest.approx(apart, abs=0.1)
    assert apart > 0
    taught = targets.iloc[1]
    assert mines.geometry[0].intersects(taught.geometry)
    assert (taught.nearest_known, taught.nearest_known_m) == ("North pit", 0)
    record = json.loads((listed / "targets.json").read_text())
    assert (record["targets"], record["known_ground"], record["note"]) == (1, 1, "")


def test_the_nearest_known_site_may_be_one_of_a_file_of_its_own(folder, listed, tmp_path):
    new = layers(listed)[0].iloc[0].geometry
    here = new.representative_point()
    known = write_shapes(tmp_path / "known.gpkg", [here], name=["=Old <pit> & shaft"])
    done = rank_targets(folder, tmp_path, "--known", known, "--mines", folder / "north_pit.gpkg")
    assert done.returncode == 0, done.stderr
    row = next(row for row in table(tmp_path / "targets.csv") if row["known"] == "known deposit")
    assert (row["nearest_known"], row["nearest_known_m"]) == ("Old <pit> & shaft", "0.0")
    assert {row["known"] for row in table(tmp_path / "targets.csv")} == {
        "training",
        "known deposit",
    }
    note = json.loads((tmp_path / "targets.json").read_text())["note"]
    assert note.startswith("No new ground of 1 ha or more has a score of 0.34 or more")
    # Google Earth shows descriptions as HTML.
    place = ET.parse(tmp_path / "targets.kml").getroot().find(".//k:Placemark", KML)
    said = [item.text for item in place.iterfind("k:description", KML)]
    assert any("Old &lt;pit&gt; &amp; shaft" in text for text in said)


def test_the_table_holds_the_numbers_of_the_geopackage(listed):
    targets = layers(listed)[0]
    rows = table(listed / "targets.csv")
    assert list(rows[0]) == [name for name in targets.columns if name != "geometry"]
    for row, told in zip(rows, targets.to_dict("records"), strict=True):
        for name, text in row.items():
            if isinstance(told[name], str):
                assert text == told[name]
            elif text:
                assert float(text) == pytest.approx(told[name], abs=1e-6)
        assert len(row["longitude"].partition(".")[2]) == 6
        assert len(row["latitude"].partition(".")[2]) == 6


def test_gdal_reads_the_same_numbers_from_kml_and_gpx(listed):
    rows = {row["id"]: row for row in table(listed / "targets.csv")}
    outlines = layers(listed)[0].set_index("id").to_crs("EPSG:4326")
    kml = listed / "targets.kml"
    names = [name for name, _ in pyogrio.list_layers(kml)]
    assert names == [
        f"{title}: {kind}"
        for title in ("Targets", "Known ground")
        for kind in ("points", "outlines")
    ]
    seen = []
    for name in names:
        features = pyogrio.read_dataframe(kml, layer=name)
        for item in features.itertuples():
            row = rows[item.Name]
            seen.append(item.Name)
            assert item.area_ha == float(row["area_ha"])
            assert (item.mean_score, item.rank) == (float(row["mean_score"]), int(row["rank"]))
            assert item.nearest_known == row["nearest_known"]
            if name.endswith("points"):
                told = float(row["longitude"]), float(row["latitude"])
                assert (item.geometry.x, item.geometry.y) == told
            else:
                other = outlines.loc[item.Name].geometry
                assert item.geometry.symmetric_difference(other).area < 1e-4 * other.area
    assert sorted(seen) == sorted([*rows, *rows])
    points = pyogrio.read_dataframe(listed / "targets.gpx", layer="waypoints")
    assert points.name.tolist() == [
        f"{key} score {float(row['mean_score']):.2f}" for key, row in rows.items()
    ]
    assert points.sym.tolist() == ["Flag, Red", "Mine"]
    assert points.geometry.x.tolist() == [float(row["longitude"]) for row in rows.values()]
    assert all("SYNTHETIC" in text for text in points.desc)


def test_qgis_draws_the_lists_of_every_form(listed):
    points = ask_qgis("layer", f"{listed}/targets.gpkg|layername=points")
    assert (points["features"], points["label"], points["renderer"]) == (
        2,
        "id",
        "categorizedSymbol",
    )
    assert points["categories"] == KNOWN_TITLES
    assert points["aliases"]["area_ha"] == "Area, ha"
    outlines = ask_qgis("layer", f"{listed}/targets.gpkg|layername=targets")
    assert (outlines["features"], outlines["label"]) == (2, "")
    for layer in ("Targets: points", "Targets: outlines", "Known ground: outlines"):
        told = ask_qgis("layer", f"{listed}/targets.kml|layername={layer}")
        assert (told["features"], told["renderer"]) == (1, "embeddedSymbol")
    assert ask_qgis("layer", listed / "targets.kml")["features"] == 1
    assert ask_qgis("layer", f"{listed}/targets.gpx|layername=waypoints")["features"] == 2


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
    assert (record["targets"], record["known_ground"], record["patches"]) == (0, 2, 2)
    assert sum(item["share"] for item in record["potential"]) == pytest.approx(1)


def test_equal_inputs_are_equal_bytes(folder, tmp_path):
    assert rank_targets(folder, tmp_path, "--threads", 2).returncode == 0
    for name in (
        "targets.gpkg",
        "targets.kml",
        "targets.gpx",
        "targets.csv",
        "overlay.csv",
        "targets.json",
    ):
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
    assert {"rank", "mean_score", "claims"} <= set(targets.columns)
    assert table(tmp_path / "targets.csv") == []
    assert (tmp_path / "targets.csv").read_text().startswith("rank,id,known,longitude,latitude,")
    assert [len(pyogrio.read_dataframe(tmp_path / "targets.kml"))] == [0]
    assert len(pyogrio.read_dataframe(tmp_path / "targets.gpx", layer="waypoints")) == 0
    record = json.loads((tmp_path / "targets.json").read_text())
    assert record["targets"] == record["known_ground"] == 0
    score = read(folder / "score.tif")
    row, column = np.argwhere(score == np.nanmax(score))[0]
    highest = geopandas.GeoSeries([pixel_point(row, column)], crs=CRS).to_crs("EPSG:4326")[0]
    assert record["note"] == (
        "No ground of 5000 ha or more has a score of 0.34 or more (medium potential); the highest "
        f"score is {np.nanmax(score):.2f} at longitude {highest.x:.6f}, latitude {highest.y:.6f}."
    )
    assert record["note"] in (tmp_path / "targets.kml").read_text()
    assert record["note"] in (tmp_path / "targets.gpx").read_text()


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
