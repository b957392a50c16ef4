"""assess_details: HL near faults, LH from one zone to the next, and what cannot be tested."""

import csv
import json

import geopandas
import numpy as np
import pytest
from samples import CRS, ORIGIN, PIXEL_M, run_tool, write_raster
from scipy.stats import mannwhitneyu
from shapely.geometry import LineString, Point
from zone_scenes import ZONES, name_bands, write_zones, zone_codes

SHAPE = (96, 112)
FAULT_COLUMN = 56


def line(column):
    x = ORIGIN[0] + (column + 0.5) * PIXEL_M
    return LineString([(x, ORIGIN[1]), (x, ORIGIN[1] - SHAPE[0] * PIXEL_M)])


def write_faults(path, *geometries, crs=CRS):
    table = geopandas.GeoDataFrame(
        {"fault": ["F"] * len(geometries)}, geometry=list(geometries), crs=CRS
    )
    table.to_crs(crs).to_file(path)
    return path


@pytest.fixture(scope="module")
def details():
    """HL and LH of two bands: 4 is strong at the fault and in the first zone, 5 is alike there."""
    generator = np.random.default_rng(8)
    near = np.abs(np.arange(SHAPE[1]) - FAULT_COLUMN) <= 2
    first = zone_codes() == 1
    planes = []
    for strength in (3.0, 1.0):
        noise = generator.standard_normal((4, *SHAPE))
        noise[1] *= np.where(first, strength, 1)
        noise[2] *= np.where(near, strength, 1)
        planes.append(noise)
    values = np.concatenate(planes).astype("float32")
    values[:, :3, :4] = np.nan
    return values


@pytest.fixture(scope="module")
def folder(tmp_path_factory, details):
    made = tmp_path_factory.mktemp("details")
    write_raster(made / "subbands.tif", details, nodata=np.nan, tags={"SYNTHETIC": "yes"})
    parts = ("LL", "LH", "HL", "HH")
    name_bands(made / "subbands.tif", [f"{band} {part}" for band in "45" for part in parts])
    write_zones(made / "zones.gpkg")
    write_faults(made / "faults.gpkg", line(FAULT_COLUMN))
    return made


def assess(folder, out, *more, faults="faults.gpkg", truth="zones.gpkg", zones=tuple(ZONES)):
    return run_tool(
        "assess_details",
        *("--subbands", folder / "subbands.tif", "--zone", *zones, "--fault-distance-m", 60),
        *(("--faults", folder / faults) if faults else ()),
        *(("--truth", folder / truth) if truth else ()),
        *("--spatial-block-px", 16, "--bootstrap", 200, "--seed", 42, "--threads", 1),
        *("--table", out / "details.csv", "--profile", out / "edge.csv"),
        *("--record", out / "details.json", *more),
    )


def rows_of(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_areas_are_those_of_the_pixels_near_faults_and_of_the_zones(folder, details, tmp_path):
    done = assess(folder, tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {
        (row["question"], row["band"], row["measure"]): row
        for row in rows_of(tmp_path / "details.csv")
    }
    assert len(rows) == 2 + 4
    clear = np.isfinite(details[0])
    near = np.broadcast_to(np.abs(np.arange(SHAPE[1]) - FAULT_COLUMN) <= 2, SHAPE)
    codes = zone_codes()
    for place, band in enumerate("45"):
        horizontal, vertical = details[4 * place + 1], details[4 * place + 2]
        for key, values, first, second in (
            (("faults", band, "size"), np.abs(vertical), near, ~near),
            (("zones", band, "size"), np.abs(horizontal), codes == 1, codes == 2),
            (("zones", band, "value"), horizontal, codes == 1, codes == 2),
        ):
            row = rows[key]
            sides = [values[side & clear] for side in (first, second)]
            assert [int(row["n_first"]), int(row["n_second"])] == [len(side) for side in sides]
            area = mannwhitneyu(*sides).statistic / (len(sides[0]) * len(sides[1]))
            assert float(row["auc"]) == pytest.approx(area, abs=2e-3)
            assert float(row["mean_first"]) == pytest.approx(sides[0].mean(), abs=1e-5)
            assert float(row["auc_low"]) < float(row["auc"]) < float(row["auc_high"])
    assert float(rows["faults", "4", "size"]["auc_low"]) > 0.7
    assert float(rows["faults", "5", "size"]["auc_low"]) < 0.5
    assert float(rows["zones", "4", "size"]["auc_low"]) > 0.7
    # What swings about zero has no side, however strong it is.
    assert float(rows["zones", "4", "value"]["auc"]) == pytest.approx(0.5, abs=0.03)


def test_the_profile_is_of_pixels_of_both_zones_by_the_distance_from_the_edge(
    folder, details, tmp_path
):
    assert assess(folder, tmp_path).returncode == 0
    profile = [row for row in rows_of(tmp_path / "edge.csv") if row["band"] == "4"]
    inside = [row for row in profile if float(row["to_m"]) <= 0]
    outside = [row for row in profile if float(row["from_m"]) >= 0]
    assert {row["share_first"] for row in inside} == {"1.000000"}
    assert {row["share_first"] for row in outside} == {"0.000000"}
    assert sum(int(row["pixels"]) for row in inside) == (zone_codes() == 1).sum()
    assert min(float(row["mean_size"]) for row in inside) > 1.8
    assert max(float(row["mean_size"]) for row in outside) < 1.2


def test_blocks_and_threads_do_not_change_a_byte(folder, tmp_path):
    for name, threads in (("one", 1), ("two", 2)):
        assert assess(folder, tmp_path / name, "--threads", threads).returncode == 0
    for name in ("details.csv", "edge.csv", "details.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_faults_of_another_system_are_reprojected(folder, tmp_path):
    write_faults(folder / "degrees.geojson", line(FAULT_COLUMN), crs="EPSG:4326")
    assert assess(folder, tmp_path / "a").returncode == 0
    assert assess(folder, tmp_path / "b", faults="degrees.geojson").returncode == 0
    assert rows_of(tmp_path / "a/details.csv") == rows_of(tmp_path / "b/details.csv")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"faults": "far.gpkg"}, {"faults": "no fault of far.gpkg lies over the map"}),
        ({"faults": "none.gpkg"}, {"faults": "no fault of none.gpkg lies over the map"}),
        ({"faults": None}, {"faults": "no file of faults is given (zones.faults)"}),
        ({"truth": None}, {"zones": "there is no truth of the zones"}),
        ({"zones": ("phyllic",)}, {"zones": "the study has one zone, phyllic"}),
    ],
)
def test_what_cannot_be_tested_is_said(folder, tmp_path, given, said):
    write_faults(folder / "far.gpkg", line(9000))
    write_faults(folder / "none.gpkg")
    assert assess(folder, tmp_path, **given).returncode == 0
    assert json.loads((tmp_path / "details.json").read_text())["untested"] == said
    assert not set(said) & {row["question"] for row in rows_of(tmp_path / "details.csv")}


def test_what_is_no_fault_no_zone_or_no_detail_is_refused(folder, tmp_path):
    write_faults(folder / "points.gpkg", Point(*ORIGIN))
    done = assess(folder, tmp_path, faults="points.gpkg")
    assert "points.gpkg: faults are lines or areas, these are points" in done.stderr
    done = assess(folder, tmp_path, "--fault-distance-m", -1)
    assert "fault-distance-m: -1 is no distance" in done.stderr
    done = assess(folder, tmp_path, zones=("phyllic", "argillic"))
    assert "no feature has the class 'argillic'" in done.stderr
    write_raster(tmp_path / "low.tif", np.zeros((1, 96, 112), "float32"), nodata=np.nan)
    name_bands(tmp_path / "low.tif", ["4 LL"])
    done = assess(folder, tmp_path, "--subbands", tmp_path / "low.tif")
    assert "lacks HL of band 4" in done.stderr or "lacks LH of band 4" in done.stderr
    assert not (tmp_path / "details.csv").exists()
