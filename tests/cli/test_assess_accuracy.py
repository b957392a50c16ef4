import json

import geopandas
import jsonschema
import numpy as np
import pytest
import rasterio
from samples import CRS, ORIGIN, PIXEL_M, make_maps, run_command, run_tool, write_raster
from shapely.geometry import LineString, Point, box


@pytest.fixture
def folder(tmp_path):
    return make_maps(tmp_path / "scene")


def assess(folder, *flags, truth="truth.tif", output="record.json", threads=2):
    return run_tool(
        "assess_accuracy",
        *("--class-map", folder / "class.tif", "--classes", folder / "classes.csv"),
        *(() if truth is None else ("--truth", folder / truth)),
        *("--method", "Spectral Angle Mapper", "--scene", "tiny", "--spatial-block-px", 8),
        *("--bootstrap", 200, "--output", folder / output, "--threads", threads, *flags),
    )


def record(folder, *flags, **options):
    done = assess(folder, *flags, **options)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / options.get("output", "record.json")).read_text())


def fault(folder, *flags, **options):
    done = assess(folder, *flags, **options)
    assert done.returncode == 1
    assert not (folder / "record.json").exists()
    assert not list(folder.glob(".*part*"))
    message = done.stderr.splitlines()[-1]
    assert message.startswith("error: ")
    return message


def arrays(folder):
    with (
        rasterio.open(folder / "truth.tif") as truth,
        rasterio.open(folder / "class.tif") as mapped,
    ):
        return truth.read(1), mapped.read(1)


def check_schema(found, root):
    schema = json.loads((root / "workflow/schemas/accuracy.schema.json").read_text())
    jsonschema.validate({"study": "gilgit", "records": [found]}, schema)


def test_the_record_of_raster_ground_truth(folder, root):
    found = record(folder)
    check_schema(found, root)
    truth, mapped = arrays(folder)
    clear = (truth != 255) & (mapped != 255)
    index = {18: 0, 0: 0, 2: 1, 12: 2, 6: 3}
    counts = np.zeros((4, 4), dtype=int)
    for true, said in zip(truth[clear], mapped[clear], strict=True):
        counts[index[true], index[said]] += 1
    assert found["confusion_matrix"]["counts"] == counts.tolist()
    assert [label["code"] for label in found["confusion_matrix"]["labels"]] == [0, 2, 12, 6]
    assert found["n"] == clear.sum()
    scores = found["scores"]
    assert scores["overall_accuracy"]["value"] == pytest.approx(
        np.trace(counts) / counts.sum(), abs=1e-6
    )
    assert scores["overall_accuracy"]["low"] < scores["overall_accuracy"]["high"]
    assert found["scores_study_classes"]["n"] == counts[1:].sum()
    assert found["scores_study_classes"]["overall_accuracy"]["value"] == pytest.approx(
        np.trace(counts[1:, 1:]) / counts[1:].sum(), abs=1e-6
    )
    assert found["reference"] == {
        "file": "truth.tif",
        "kind": "raster",
        "note": "on the map's grid",
        "synthetic": True,
        "n_conflicting": 0,
    }
    assert found["split"].startswith("none: the method has no training pixels")
    assert found["synthetic"] is True


def test_threads_do_not_change_a_byte(folder):
    record(folder, output="one.json", threads=1)
    record(folder, output="two.json", threads=2)
    assert (folder / "one.json").read_bytes() == (folder / "two.json").read_bytes()


def test_without_ground_truth_the_record_says_so(folder, root):
    found = record(folder, truth=None)
    check_schema(found, root)
    assert found["assessed"] is False
    assert "no accuracy can be stated" in found["reason"]


def test_a_stratified_sample_has_weighted_estimates(folder, root):
    found = record(folder, "--design", "stratified", "--per-class", 40)
    check_schema(found, root)
    assert found["n"] == 160
    assert [item["n_map"] for item in found["scores"]["classes"]] == [40] * 4
    estimates = found["stratified"]
    census = record(folder, output="census.json")
    assert estimates["population_pixels"] == census["n"]
    overall = estimates["overall_accuracy"]
    assert overall["value"] == found["scores"]["overall_accuracy"]["value"]
    assert abs(overall["value"] - census["scores"]["overall_accuracy"]["value"]) < 4 * max(
        overall["standard_error"], 0.01
    )
    areas = [item["area_km2"]["value"] for item in estimates["classes"]]
    assert sum(areas) == pytest.approx(census["n"] * PIXEL_M**2 / 1e6, rel=1e-4)
    again = record(folder, "--design", "stratified", "--per-class", 40, output="again.json")
    assert again == found


def test_a_sample_larger_than_the_map_is_a_census(folder):
    sampled = record(folder, "--design", "stratified", "--per-class", 100_000)
    census = record(folder, output="census.json")
    assert sampled["confusion_matrix"] == census["confusion_matrix"]
    assert sampled["scores"] == census["scores"]


def grouped(folder):
    """The class table with groups: chalcocite and calcite in one, feldspar in the other."""
    header, *rows = (folder / "classes.csv").read_text().splitlines()
    groups = ["2um", "1um", "2um"]
    lines = [f"{header},group", *(f"{row},{own}" for row, own in zip(rows, groups, strict=True))]
    (folder / "classes.csv").write_text("\n".join(lines) + "\n")
    _, mapped = arrays(folder)
    mapped[mapped == 12] = 0
    write_raster(folder / "class.tif", mapped, nodata=255)


def test_a_map_of_a_group_is_tested_where_the_truth_shows_that_group(folder, root):
    grouped(folder)
    found = record(folder, "--group", "2um")
    check_schema(found, root)
    truth, mapped = arrays(folder)
    tested = np.isin(truth, (2, 6)) & (mapped != 255)
    assert found["n"] == tested.sum() == found["scores_study_classes"]["n"]
    assert [label["code"] for label in found["confusion_matrix"]["labels"]] == [0, 2, 6]
    counts = found["confusion_matrix"]["counts"]
    assert counts[0] == [0, 0, 0]
    assert counts[1][0] == ((truth == 2) & (mapped == 0)).sum()
    right = (truth == mapped)[tested].mean()
    assert found["scores"]["overall_accuracy"]["value"] == pytest.approx(right, abs=1e-6)


def test_a_truth_without_the_group_leaves_its_map_unassessed(folder, root):
    grouped(folder)
    truth, _ = arrays(folder)
    write_raster(folder / "other.tif", np.where(truth == 12, 18, truth), nodata=255)
    mapped = np.where(arrays(folder)[1] == 255, 255, 0).astype("uint8")
    write_raster(folder / "class.tif", mapped, nodata=255)
    found = record(folder, "--group", "1um", truth="other.tif")
    check_schema(found, root)
    assert found["assessed"] is False
    assert found["reason"].startswith("The truth shows no mineral of the group 1um, so no")


def test_a_map_of_a_group_without_truth_says_so(folder, root):
    grouped(folder)
    found = record(folder, "--group", "2um", truth=None)
    check_schema(found, root)
    assert "no accuracy can be stated" in found["reason"]


def test_a_map_of_another_group_is_refused(folder):
    grouped(folder)
    assert "is not in the table" in fault(folder, "--group", "1um")


def test_ground_truth_on_another_grid_is_reprojected(folder):
    truth, _ = arrays(folder)
    fine = np.repeat(np.repeat(truth, 2, axis=0), 2, axis=1)
    write_raster(folder / "fine.tif", fine, nodata=255, pixel=PIXEL_M / 2)
    found = record(folder, truth="fine.tif")
    assert "nearest neighbour" in found["reference"]["note"]
    plain = record(folder, output="plain.json")
    assert found["confusion_matrix"] == plain["confusion_matrix"]


def test_ground_truth_that_covers_a_part_is_used_there(folder):
    truth, _ = arrays(folder)
    origin = (ORIGIN[0] + 20 * PIXEL_M, ORIGIN[1] - 30 * PIXEL_M)
    write_raster(folder / "part.tif", truth[30:50, 20:50], origin=origin)
    found = record(folder, truth="part.tif")
    assert found["n"] == 20 * 30


def polygons(folder, features, crs=CRS, name="reference.gpkg", attribute="class"):
    frame = geopandas.GeoDataFrame(
        {attribute: [label for label, _ in features]},
        geometry=[shape for _, shape in features],
        crs=crs,
    )
    frame.to_file(folder / name)
    return name


def pixel_box(top, left, bottom, right):
    x, y = ORIGIN
    return box(x + left * PIXEL_M, y - bottom * PIXEL_M, x + right * PIXEL_M, y - top * PIXEL_M)


def test_polygons_test_the_pixels_inside(folder, root):
    name = polygons(
        folder,
        [
            ("chalcocite", pixel_box(20, 0, 25, 10)),
            ("Feldspar (microcline)", pixel_box(25, 0, 30, 10)),
            ("other", pixel_box(35, 0, 40, 10)),
            ("calcite", pixel_box(38, 5, 40, 20)),
        ],
    )
    found = record(folder, truth=name)
    check_schema(found, root)
    _, mapped = arrays(folder)
    assert found["reference"]["kind"] == "polygons"
    assert found["reference"]["n_conflicting"] == 10
    assert found["n"] == 50 + 50 + 40 + 20
    right = (mapped[20:25, :10] == 2).sum()
    assert found["confusion_matrix"]["counts"][1][1] == right


def test_polygons_in_another_system_are_reprojected(folder):
    frame = geopandas.GeoDataFrame(
        {"class": ["chalcocite"]}, geometry=[pixel_box(20, 0, 25, 10)], crs=CRS
    )
    frame.to_crs(4326).to_file(folder / "degrees.geojson")
    found = record(folder, truth="degrees.geojson")
    assert found["n"] == 50
    assert "reprojected" in found["reference"]["note"]


def test_points_test_the_pixel_that_holds_them(folder):
    x, y = ORIGIN
    places = [(21, 3), (26, 4), (26, 4), (31, 9), (46, 9)]
    shapes = [Point(x + (c + 0.5) * PIXEL_M, y - (r + 0.5) * PIXEL_M) for r, c in places]
    names = ["chalcocite", "feldspar", "feldspar", "calcite", "calcite"]
    name = polygons(folder, list(zip(names, shapes, strict=True)))
    found = record(folder, truth=name)
    assert found["reference"]["kind"] == "points"
    assert found["n"] == 4
    assert found["scores"]["overall_accuracy"]["low"] is None


def test_unknown_class_names_are_listed(folder):
    name = polygons(
        folder, [("granite", pixel_box(0, 0, 5, 5)), ("basalt", pixel_box(9, 9, 12, 12))]
    )
    message = fault(folder, truth=name)
    assert "basalt, granite" in message
    assert "chalcocite" in message


def test_known_classes_of_no_concern_count_as_other_and_nameless_features_not(folder, root):
    shapes = [
        ("kaolinite", pixel_box(0, 0, 5, 5)),
        (None, pixel_box(9, 9, 12, 12)),
        ("calcite", pixel_box(38, 5, 40, 20)),
    ]
    minerals = ("--minerals", root / "resources/static/minerals.csv")
    found = record(folder, *minerals, truth=polygons(folder, shapes))
    assert found["n"] == 25 + 30
    assert sum(found["confusion_matrix"]["counts"][0]) == 25
    assert "1 features without a class" in found["reference"]["note"]


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        (LineString([(430_000, 3_989_000), (430_500, 3_989_500)]), "points or polygons"),
        (box(0, 0, 10, 10), "does not overlap"),
    ],
)
def test_unusable_shapes_are_refused(folder, shape, said):
    assert said in fault(folder, truth=polygons(folder, [("calcite", shape)]))


def test_a_vector_file_needs_the_attribute_and_a_system(folder):
    shape = pixel_box(0, 0, 5, 5)
    name = polygons(folder, [("calcite", shape)], attribute="mineral")
    assert "lacks the attribute 'class'" in fault(folder, truth=name)
    name = polygons(folder, [("calcite", shape)], crs=None, name="nowhere.shp")
    assert "no coordinate system" in fault(folder, truth=name)


def test_a_raster_elsewhere_is_refused(folder):
    truth, _ = arrays(folder)
    write_raster(folder / "far.tif", truth, nodata=255, origin=(100_000.0, 100_000.0))
    message = fault(folder, truth="far.tif")
    assert "far.tif" in message
    assert "does not overlap" in message


def test_a_raster_without_clear_pixels_is_refused(folder):
    truth, _ = arrays(folder)
    write_raster(folder / "empty.tif", np.full_like(truth, 255), nodata=255)
    assert "no clear pixel" in fault(folder, truth="empty.tif")


def test_a_raster_of_reflectance_is_no_ground_truth(folder):
    write_raster(folder / "float.tif", np.zeros((60, 60), "float32"))
    assert "whole-number class codes" in fault(folder, truth="float.tif")


def test_missing_or_unreadable_ground_truth_is_named(folder):
    assert "no such ground truth" in fault(folder, truth="gone.tif")
    (folder / "text.tif").write_text("not a raster")
    assert "text.tif" in fault(folder, truth="text.tif")


def test_truncated_ground_truth_is_named(folder):
    whole = (folder / "truth.tif").read_bytes()
    (folder / "cut.tif").write_bytes(whole[: len(whole) // 2])
    assert "cut.tif" in fault(folder, truth="cut.tif")


def test_a_map_with_foreign_classes_is_refused(folder):
    _, mapped = arrays(folder)
    mapped[30, 30] = 7
    write_raster(folder / "class.tif", mapped, nodata=255)
    assert "class 7 is not in the table" in fault(folder)


@pytest.mark.parametrize(
    ("flag", "value"),
    [("--spatial-block-px", 0), ("--bootstrap", 10), ("--seed", -1)],
)
def test_senseless_numbers_are_refused(folder, flag, value):
    assert flag[2:] in fault(folder, flag, value)


def test_a_user_gets_one_line_and_no_traceback(folder):
    done = run_command(
        "assess_accuracy",
        *("--class-map", folder / "class.tif", "--classes", folder / "classes.csv"),
        *("--truth", folder / "gone.tif", "--method", "SAM", "--scene", "tiny"),
        *("--output", folder / "record.json"),
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")


def write_taught(folder, place, name="calcite"):
    """A polygon that gave a reference its spectrum, at (column, row, columns, rows)."""
    column, row, columns, rows = (PIXEL_M * value for value in place)
    shape = box(
        ORIGIN[0] + column, ORIGIN[1] - row - rows, ORIGIN[0] + column + columns, ORIGIN[1] - row
    )
    frame = geopandas.GeoDataFrame({"class": [name]}, geometry=[shape], crs=CRS)
    frame.to_file(folder / "taught.gpkg")
    return folder / "taught.gpkg"


def test_pixels_that_gave_references_their_spectra_test_nothing(folder, root):
    taught = write_taught(folder, (0, 10, 60, 5))
    found = record(folder, "--left-out", taught)
    check_schema(found, root)
    truth, mapped = arrays(folder)
    clear = (truth != 255) & (mapped != 255)
    gone = clear[10:15].sum()
    assert 0 < gone < clear.sum()
    assert found["n"] == clear.sum() - gone
    assert found["reference"]["note"].endswith(f"their spectra are left out ({gone})")
    assert f"the {gone} of them that are clear" in found["split"]


def test_a_truth_all_of_which_taught_states_no_accuracy(folder, root):
    found = record(folder, "--left-out", write_taught(folder, (0, 0, 60, 60)))
    check_schema(found, root)
    assert found["assessed"] is False
    assert "gave the references their spectra" in found["reason"]
