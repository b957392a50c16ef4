import csv
import json

import geopandas
import jsonschema
import numpy as np
import pytest
import rasterio
from samples import run_tool, write_raster
from zone_scenes import (
    MAD,
    STUDY_BANDS,
    ZONES,
    make_zones,
    map_zone,
    pixel_box,
    write_zones,
    zone_codes,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = make_zones(tmp_path_factory.mktemp("zones") / "scene")
    for zone in ZONES:
        assert map_zone(made, zone).returncode == 0
    return made


def assess(folder, out, *flags, truth="zones.gpkg", threads=2):
    return run_tool(
        "assess_zones",
        "--confidence",
        *(folder / "confidence" / f"{zone}.tif" for zone in ZONES),
        *(() if truth is None else ("--truth", folder / truth)),
        *("--scene", "tiny", "--spatial-block-px", 16, "--bootstrap", 200, "--threads", threads),
        *("--table", out / "confidence.csv", "--record-dir", out / "accuracy", *flags),
    )


def table(out):
    with (out / "confidence.csv").open(newline="") as stream:
        return {(row["zone"], row["band"], row["level"]): row for row in csv.DictReader(stream)}


def check_records(out, root):
    schema = json.loads((root / "workflow/schemas/accuracy.schema.json").read_text())
    records = [json.loads(path.read_text()) for path in sorted((out / "accuracy").glob("*.json"))]
    jsonschema.validate({"study": "zafarghand", "records": records}, schema)
    assert len({record["method"] for record in records}) == len(records)
    return records


def test_counts_and_scores_are_those_of_the_pixels(folder, tmp_path, root):
    done = assess(folder, tmp_path)
    assert done.returncode == 0, done.stderr
    rows = table(tmp_path)
    assert len(rows) == 2 * 6 * 3
    truth = zone_codes()
    for code, zone in enumerate(ZONES, start=1):
        with rasterio.open(folder / "confidence" / f"{zone}.tif") as dataset:
            codes = dataset.read()
        for band, found in zip(STUDY_BANDS, codes, strict=True):
            clear = found != 255
            for level, members in (("medium", [1]), ("high", [2]), ("either", [1, 2])):
                row = rows[zone, band, level]
                said = np.isin(found, members)
                right = (said & (truth == code)).sum()
                inside = (clear & (truth == code)).sum()
                assert int(row["n"]) == clear.sum()
                assert int(row["found"]) == said.sum()
                assert int(row["right"]) == right
                assert int(row["n_reference"]) == inside
                assert float(row["recall"]) == pytest.approx(right / inside, abs=1e-6)
                if said.any():
                    assert float(row["precision"]) == pytest.approx(right / said.sum(), abs=1e-6)
                else:
                    assert row["precision"] == ""
    best = max(float(row["f1"]) for row in rows.values())
    assert best > 0.5
    row = rows["phyllic", "4", "high"]
    assert float(row["recall_low"]) <= float(row["recall"]) <= float(row["recall_high"])


def test_records_keep_the_schema_and_the_recall(folder, tmp_path, root):
    assert assess(folder, tmp_path).returncode == 0
    records = check_records(tmp_path, root)
    assert len(records) == 36
    for record in records:
        labels = [item["name"] for item in record["confusion_matrix"]["labels"]]
        assert labels[0] == "other"
        assert len(labels) == 2
        assert "recall" in record["rules"]["two_classes"]
        assert record["synthetic"] is True
        assert "outside all polygons counts as no zone" in record["reference"]["note"]
    assert (tmp_path / "accuracy" / "phyllic-4-medium.json").exists()


def test_anomalies_are_tested_as_a_map_of_each_zone(folder, tmp_path, root):
    marked = folder / "anomalies.tif"
    done = run_tool(
        "map_anomalies",
        *("--cube", folder / "cube.tif", *MAD, "--output", marked),
        *("--table", folder / "anomalies.csv"),
    )
    assert done.returncode == 0, done.stderr
    assert assess(folder, tmp_path, "--anomalies", marked).returncode == 0
    rows, records = table(tmp_path), check_records(tmp_path, root)
    assert len(records) == len(rows) == 36 + 12
    with rasterio.open(marked) as dataset:
        codes = dataset.read()
    for code, zone in enumerate(ZONES, start=1):
        inside = zone_codes() == code
        for band, found in zip(STUDY_BANDS, codes, strict=True):
            row = rows[zone, band, "anomaly"]
            assert (row["method"], rows[zone, band, "high"]["method"]) == (
                "anomalies",
                "fixed ranges",
            )
            assert int(row["found"]) == (found == 1).sum()
            assert int(row["right"]) == ((found == 1) & inside).sum()
            assert int(row["n"]) == (found != 255).sum()
    record = json.loads((tmp_path / "accuracy/phyllic-9-anomaly.json").read_text())
    assert record["method"] == "Anomalies, phyllic, band 9"
    assert assess(folder, tmp_path, "--anomalies", marked, truth=None).returncode == 0
    assert int(table(tmp_path)["phyllic", "9", "anomaly"]["found"]) == (codes[5] == 1).sum()


def test_threads_do_not_change_a_byte(folder, tmp_path):
    for name, threads in (("one", 1), ("two", 2)):
        assert assess(folder, tmp_path / name, threads=threads).returncode == 0
    one, two = (sorted((tmp_path / name).rglob("*.*")) for name in ("one", "two"))
    assert [a.read_bytes() for a in one] == [b.read_bytes() for b in two]


def test_ground_truth_in_another_system_is_reprojected(folder, tmp_path):
    write_zones(folder / "degrees.geojson", crs="EPSG:4326")
    assert assess(folder, tmp_path / "a").returncode == 0
    assert assess(folder, tmp_path / "b", truth="degrees.geojson").returncode == 0
    a, b = table(tmp_path / "a"), table(tmp_path / "b")
    assert a == b
    record = json.loads((tmp_path / "b/accuracy/phyllic-9-high.json").read_text())
    assert record["reference"]["note"].startswith("reprojected")


def test_ground_outside_the_polygons_can_be_left_out(folder, tmp_path):
    frame = geopandas.GeoDataFrame(
        {"class": ["phyllic", "propylitic", "other"]},
        geometry=[pixel_box(10, 30, 8, 30), pixel_box(8, 30, 60, 90), pixel_box(0, 7, 10, 100)],
        crs="EPSG:32643",
    )
    frame.to_file(folder / "few.gpkg")
    done = assess(folder, tmp_path, "--outside", "untested", truth="few.gpkg")
    assert done.returncode == 0, done.stderr
    row = table(tmp_path)["phyllic", "4", "high"]
    assert int(row["n"]) == 20 * 22 + 22 * 30 + 7 * 90


def test_pixels_of_two_zones_are_left_out(folder, tmp_path):
    both = {"phyllic": [(10, 50, 8, 44)], "propylitic": [(40, 60, 8, 44)]}
    write_zones(folder / "both.gpkg", zones=both)
    assert assess(folder, tmp_path, truth="both.gpkg").returncode == 0
    record = json.loads((tmp_path / "accuracy/phyllic-4-high.json").read_text())
    assert record["reference"]["n_conflicting"] == 10 * 36


def test_simulated_ground_truth_says_so(folder, tmp_path):
    names = [zone for zone, boxes in ZONES.items() for _ in boxes]
    write_zones(
        folder / "simulated.gpkg",
        source=["Simulated by gossan; not a satellite image"] * len(names),
    )
    assert assess(folder, tmp_path, truth="simulated.gpkg").returncode == 0
    record = json.loads((tmp_path / "accuracy/phyllic-4-high.json").read_text())
    assert record["reference"]["synthetic"] is True


def test_without_ground_truth_only_what_was_found_is_told(folder, tmp_path, root):
    done = assess(folder, tmp_path, truth=None)
    assert done.returncode == 0, done.stderr
    row = table(tmp_path)["phyllic", "4", "high"]
    assert int(row["found"]) > 0
    assert row["precision"] == row["n_reference"] == ""
    assert all(not record["assessed"] for record in check_records(tmp_path, root))


def fault(folder, out, *flags, **options):
    done = assess(folder, out, *flags, **options)
    assert done.returncode == 1
    assert not (out / "confidence.csv").exists()
    return done.stderr


def test_unusable_ground_truth_is_refused(folder, tmp_path):
    assert "no such file of polygons" in fault(folder, tmp_path, truth="gone.gpkg")
    (folder / "text.gpkg").write_text("nothing")
    assert "text.gpkg: not a vector file" in fault(folder, tmp_path, truth="text.gpkg")
    write_raster(folder / "raster.tif", zone_codes(), nodata=255)
    assert "not a vector file" in fault(folder, tmp_path, truth="raster.tif")
    far = {"phyllic": [(5000, 5010, 5000, 5010)], "propylitic": [(5020, 5030, 5000, 5010)]}
    write_zones(folder / "far.gpkg", zones=far)
    assert "does not overlap" in fault(folder, tmp_path, truth="far.gpkg")
    write_zones(folder / "one.gpkg", zones={"phyllic": ZONES["phyllic"]})
    message = fault(folder, tmp_path, truth="one.gpkg")
    assert "no feature has the class 'propylitic' (it has: phyllic)" in message
    beyond = {"phyllic": ZONES["phyllic"], "propylitic": [(200, 210, 5, 20)]}
    write_zones(folder / "beyond.gpkg", zones=beyond)
    message = fault(folder, tmp_path, truth="beyond.gpkg")
    assert "no clear pixel lies in the zone 'propylitic'" in message
    frame = geopandas.GeoDataFrame(
        {"name": ["phyllic"]}, geometry=[pixel_box(0, 5, 0, 5)], crs="EPSG:32643"
    )
    frame.to_file(folder / "unnamed.gpkg")
    message = fault(folder, tmp_path, truth="unnamed.gpkg")
    assert "lacks the attribute 'class' (it has: name)" in message


def test_only_the_zone_in_the_truth_cannot_be_tested(folder, tmp_path):
    whole = {"phyllic": [(0, 96, 0, 112)], "propylitic": [(300, 310, 0, 10)]}
    write_zones(folder / "whole.gpkg", zones=whole)
    message = fault(folder, tmp_path, truth="whole.gpkg")
    assert "every tested pixel lies in the zone 'phyllic'" in message


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--spatial-block-px", 0), "block-px"),
        (("--bootstrap", 10), "bootstrap"),
        (("--seed", -1), "seed"),
    ],
)
def test_senseless_numbers_are_refused(folder, tmp_path, flags, said):
    assert said in fault(folder, tmp_path, *flags)


def test_other_rasters_and_a_zone_given_twice_are_refused(folder, tmp_path):
    path = folder / "confidence" / "phyllic.tif"
    message = fault(folder, tmp_path, "--confidence", path, path)
    assert "zone phyllic is given twice" in message
    message = fault(folder, tmp_path, "--anomalies", path)
    assert "holds no anomalies" in message
    message = fault(folder, tmp_path, "--confidence", folder / "cube.tif")
    assert "not uint8" in message
    (tmp_path / "maps").mkdir()
    classes = tmp_path / "maps" / "phyllic.tif"
    write_raster(classes, np.where(zone_codes() > 0, 7, zone_codes()), nodata=255)
    for truth in ("zones.gpkg", None):
        message = fault(folder, tmp_path, "--confidence", classes, truth=truth)
        assert "phyllic.tif: code 7 is no level of confidence" in message
