"""The table of scenes, and which methods run on which sensors."""

import json
import sqlite3

import pytest
from geopandas import GeoDataFrame
from shapely import Point, box, transform

from gossan import vector_heads
from gossan.errors import InputError
from gossan.products.readers import READERS
from gossan.scenes import (
    TWIN_PRODUCTS,
    belongings,
    conditions,
    parts_of,
    plan_faults,
    plan_scenes,
    read_scenes,
    teaches_targets,
    truth_faults,
    truth_of,
    truths_of,
)
from gossan.schema import fill_defaults
from gossan.vector_heads import read_head

HEADER = "scene\tstudy\tsensor\tproduct\ttruth"


@pytest.fixture(scope="module")
def row_schema(root):
    return json.loads((root / "workflow/schemas/scenes.schema.json").read_text())


@pytest.fixture(scope="module")
def schema(root):
    return json.loads((root / "workflow/schemas/config.schema.json").read_text())


@pytest.fixture(scope="module")
def sensors(root):
    return json.loads((root / "resources/static/sensors.json").read_text())


@pytest.fixture
def table(tmp_path, row_schema):
    """Rows and faults of a table of these rows."""

    def read(*rows, header=HEADER):
        path = tmp_path / "scenes.tsv"
        path.write_text("\n".join([header, *rows]) + "\n")
        return read_scenes(path, row_schema)

    return read


@pytest.fixture
def planned(table, schema):
    """The plan of these rows with one study, and its settings."""

    def plan(study, *rows):
        found, faults = table(*rows)
        assert faults == []
        settings = fill_defaults({"studies": {"mine": study}}, schema)["studies"]
        return plan_scenes(found, settings), settings

    return plan


def row(sensor, product="twin:epithermal", truth="twin", scene="a"):
    return f"{scene}\tmine\t{sensor}\t{product}\t{truth}"


def test_the_sensors_of_the_table_are_those_of_the_readers_and_of_the_facts(row_schema, sensors):
    told = row_schema["properties"]["sensor"]["enum"]
    assert sorted(told) == sorted(READERS) == sorted(sensors)
    assert set(TWIN_PRODUCTS) == set(told) - {"rasters"}


def test_a_good_table_has_no_fault(table):
    rows, faults = table("# a comment", "a-1\tmine\tlandsat\ttwin:porphyry\ttwin")
    assert faults == []
    assert rows[0]["scene"] == "a-1"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a/b\tmine\tlandsat\ttwin\ttwin", "scene: 'a/b' may hold only letters, digits"),
        ("a\tmine\tlandsatt\ttwin\t", "sensor: 'landsatt' is not allowed; did you mean"),
        ("a\tmine\tlandsat\tnowhere.tar\t", "product: nowhere.tar does not exist"),
        ("a\tmine\tlandsat\ttwin\tnowhere.gpkg", "truth: nowhere.gpkg does not exist"),
        ("a\tmine", "has not 5 columns"),
        ("a mine landsat twin twin", "has not 5 columns"),
        ("a\tmine\tlandsat\t\t", "product"),
        ("a\tmine\tlandsat\ttwin:porphyri\t", "no simulated ground is called 'porphyri'; did you"),
        ("a\tmine\trasters\ttwin:iron\t", "has no product of rasters"),
        ("-a\tmine\tlandsat\ttwin\t", "scene: '-a' may hold only letters"),
        ("a\tmine\tlandsat\thttps://a.org/b\t", "is an address; download the product and name"),
        ("a\tmine\tlandsat\ttwin\ttwin; twin", "truth: two for all methods; give one, or METHOD"),
        ("a\tmine\tlandsat\ttwin\tzones:twin; zones:twin", "truth: two for zones; give one"),
        ("a\tmine\tlandsat\ttwin\tzones:", "truth: names no file for zones"),
        ("a\tmine\tlandsat\ttwin\tmnf:twin", "truth: mnf is compared with none; give it to"),
    ],
)
def test_faults_of_a_row_name_table_row_and_column(table, line, expected):
    _, faults = table(line)
    assert len(faults) == 1
    assert "scenes.tsv, line 2" in faults[0]
    assert expected in faults[0]


def test_an_empty_last_column_may_be_missing(table):
    rows, faults = table("a\tmine\tlandsat\ttwin")
    assert faults == []
    assert rows[0]["truth"] == ""


def test_a_scene_of_several_sensors_has_a_row_for_each(planned):
    scenes, _ = planned({"embedding": {}}, row("emit"), row("worldview3"))
    assert scenes["a"]["sensors"] == {"emit": "twin:epithermal", "worldview3": "twin:epithermal"}
    assert scenes["a"]["stack"] == ["emit", "worldview3"]
    assert scenes["a"]["ground"] == "epithermal"


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ("a\tmine\temit\ttwin:epithermal\ttwin", "two rows of emit"),
        ("a\tmine\tenmap\ttwin:epithermal\t", "truth: the rows of 'a' must have the same"),
        ("a\tmine\tenmap\ttwin:iron\ttwin", "product: the rows of 'a' must be of one ground"),
        ("a\tyours\tenmap\ttwin:epithermal\ttwin", "study: the rows of 'a' must have the same"),
    ],
)
def test_rows_of_one_scene_must_go_together(table, second, expected):
    _, faults = table(row("emit"), second)
    assert any("line 3" in fault and expected in fault for fault in faults)


def test_twin_truth_needs_a_twin_product(table, tmp_path):
    _, faults = table(f"a\tmine\tlandsat\t{tmp_path}\ttwin")
    assert "goes only with product `twin:GROUND`" in faults[0]


def test_wrong_columns_empty_tables_and_missing_files_are_told(table, row_schema, tmp_path):
    _, faults = table(header="scene,study")
    assert "the first line must be these columns" in faults[0]
    _, faults = table()
    assert "lists no scene" in faults[0]
    with pytest.raises(InputError, match=r"absent\.tsv"):
        read_scenes(tmp_path / "absent.tsv", row_schema)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("longitude,latitude,class", None),
        ("Lon;Lat;class", None),
        ("lon,lat,mineral", "needs a column class with names of classes; it has the columns lon, "),
        ("x,y,class", "needs one column called longitude"),
        ("", "needs one column called longitude"),
    ],
)
def test_points_that_cannot_be_a_truth_are_told_before_anything_runs(
    planned, tmp_path, header, words
):
    points = tmp_path / "points.csv"
    points.write_text(f"{header}\n-117.2,37.5,alunite\n")
    scenes, _ = planned({"minerals": {}}, row("landsat", tmp_path, points))
    faults = truth_faults(scenes.values())
    assert ([words in fault for fault in faults] == [True]) if words else not faults


@pytest.mark.parametrize("name", ["truth.geojson", "truth.shp", "truth.gpkg"])
@pytest.mark.parametrize("shape", [Point(-117.2, 37.5), box(-117.2, 37.5, -117.1, 37.6)])
def test_vector_files_that_cannot_be_a_truth_are_told_before_anything_runs(
    planned, tmp_path, name, shape
):
    path = tmp_path / name
    rows = [row("landsat", tmp_path, path, scene) for scene in "ab"]

    def faults_of(crs=4326, shape=shape, column="class"):
        GeoDataFrame({column: ["alunite"] * 2}, geometry=[shape] * 2, crs=crs).to_file(path)
        scenes, _ = planned({"minerals": {}}, *rows)
        return truth_faults(scenes.values())

    assert faults_of() == []
    [fault] = faults_of(column="mineral")
    assert fault.startswith(f"scene 'a', truth: {path}: needs a column class")
    assert fault.endswith("it has the columns mineral")
    exchanged = transform(shape, lambda places: places[:, ::-1])
    if name.endswith(".shp"):  # its header may tell of features that are gone
        assert faults_of(shape=exchanged) == []
        return
    [fault] = faults_of(shape=exchanged)
    assert f"truth: {path}: its coordinates, 37.5 to" in fault
    assert fault.endswith("latitude stands first; exchange the two")
    # The same numbers are metres of a map in another system.
    assert faults_of(crs=32611, shape=exchanged) == []


def test_only_a_truth_that_a_method_is_compared_with_must_be_one(planned, tmp_path):
    path = tmp_path / "outlines.geojson"
    GeoDataFrame({"name": ["pit"]}, geometry=[Point(0, 0)], crs=4326).to_file(path)

    def faults_of(study, truth):
        scenes, _ = planned(study, row("landsat", tmp_path, truth))
        return truth_faults(scenes.values())

    assert len(faults_of({"minerals": {}, "mnf": {}}, path)) == 1
    assert faults_of({"mnf": {}, "targets": {}}, path) == []
    assert faults_of({"minerals": {}}, f"zones:{path}") == []


def test_bounds_of_a_geopackage_are_those_of_the_root_of_its_index(tmp_path):
    path = tmp_path / "a.gpkg"
    places = [Point(-117 + (7 * at % 400) / 100, 37 + at / 1000) for at in range(400)]
    points = GeoDataFrame({"class": ["a"] * 400}, geometry=places, crs=4326)
    points.to_file(path)
    assert read_head(str(path)).bounds == pytest.approx(points.total_bounds, abs=1e-4)
    for some, index in ((points, "NO"), (points[:0], "YES")):
        some.to_file(path, SPATIAL_INDEX=index)
        assert read_head(str(path)) == vector_heads.Head(["class"])


COUNTED = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r WHERE x < 9) "


@pytest.mark.parametrize("computed", ["gpkg_geometry_columns", "a"])
def test_what_a_geopackage_computes_is_not_asked_for_while_a_run_is_planned(
    tmp_path, monkeypatch, computed
):
    path, asked = tmp_path / "a.gpkg", []
    GeoDataFrame({"class": ["a"]}, geometry=[Point(0, 0)], crs=4326).to_file(path)
    assert read_head(str(path)).columns == ["class"]
    with sqlite3.connect(path) as opened:
        for name in ("MinX", "MaxX", "MinY", "MaxY", "IsEmpty"):
            opened.create_function(f"ST_{name}", 1, lambda shape: 0)
        opened.executescript(
            f"ALTER TABLE {computed} RENAME TO hidden;"
            f"CREATE VIEW {computed} AS {COUNTED} SELECT hidden.* FROM hidden, r WHERE x = 9"
        )
        # SQLite tells all that names a table of its new name.
        opened.execute("UPDATE gpkg_geometry_columns SET table_name = 'a'" * (computed == "a"))
    ask = vector_heads.ask_database
    monkeypatch.setattr(
        vector_heads, "ask_database", lambda *query: asked.append(query) or ask(*query)
    )
    assert read_head(str(path)) is None
    assert len(asked) == (1 if computed == "a" else 0)


def test_what_a_head_does_not_tell_is_left_to_the_tool(table, tmp_path):
    whole = tmp_path / "whole"
    whole.mkdir()
    for name in ("a.geojson", "a.shp", "a.gpkg"):
        GeoDataFrame({"x": [1]}, geometry=[Point(0, 0)], crs=4326).to_file(whole / name)
    for file in sorted(whole.iterdir()):
        for length in (0, 10, 50, file.stat().st_size // 2):
            for name in ("a.dbf", "a.prj", file.name):
                (tmp_path / name).write_bytes((whole / name).read_bytes())
            (tmp_path / file.name).write_bytes(file.read_bytes()[:length])
            if file.suffix in (".geojson", ".dbf", ".gpkg"):
                path = tmp_path / file.name.replace(".dbf", ".shp")
                assert read_head(str(path)) is None
    GeoDataFrame({"x": [1]}, geometry=[Point(0, 0)], crs=4326).to_file(
        whole / "a.gpkg", layer="other"
    )
    assert read_head(f"{whole}/a.gpkg") is None
    assert read_head(f"{whole}/a.gpkg|layername=other").columns == ["x"]


def test_a_truth_may_be_told_by_method(table, tmp_path):
    for name in ("all.gpkg", "zones.gpkg"):
        (tmp_path / name).touch()
    text = f"{tmp_path}/all.gpkg; zones:{tmp_path}/zones.gpkg"
    assert truths_of(text) == {"": f"{tmp_path}/all.gpkg", "zones": f"{tmp_path}/zones.gpkg"}
    rows, faults = table(f"a\tmine\taster\ttwin\t{text}")
    assert faults == []
    assert rows[0]["truth"] == text


def test_each_method_runs_on_each_sensor_that_it_can_use(planned):
    study = {method: {} for method in ("minerals", "zones", "prospects", "embedding", "targets")}
    scenes, _ = planned(study, row("aster"), row("emit"))
    assert scenes["a"]["methods"] == {
        "minerals": ["aster", "emit"],
        "zones": ["aster", "emit"],
        "prospects": ["stack"],
        "embedding": [""],
        "targets": [""],
    }
    scenes, _ = planned(study, row("aster"))
    assert scenes["a"]["methods"]["prospects"] == ["aster"]


def test_a_method_runs_on_the_sensors_that_it_names(planned):
    study = {"minerals": {"sensors": ["emit", "stack"]}, "patches": {}, "mnf": {}}
    scenes, _ = planned(study, row("aster"), row("emit"))
    assert scenes["a"]["methods"]["minerals"] == ["emit", "stack"]
    assert scenes["a"]["methods"]["patches"] == ["emit", "stack"]
    assert scenes["a"]["methods"]["mnf"] == ["aster", "emit"]


def test_rasters_beside_other_sensors_are_no_spectra(planned, tmp_path):
    rows = [row("aster", str(tmp_path), ""), row("rasters", str(tmp_path), "")]
    scenes, _ = planned({"minerals": {}, "prospects": {}}, *rows)
    assert scenes["a"]["methods"] == {"minerals": ["aster"], "prospects": ["aster"]}
    scenes, _ = planned({"minerals": {}}, rows[1])
    assert scenes["a"]["methods"] == {"minerals": ["rasters"]}


def test_only_cubes_that_something_uses_are_made(planned):
    scenes, _ = planned({"minerals": {"sensors": ["emit"]}}, row("aster"), row("emit"))
    assert list(parts_of(scenes["a"])) == [
        *(("cube", "emit"), ("images", "emit"), ("minerals", "emit")),
    ]
    scenes, _ = planned({"embedding": {}}, row("aster"), row("emit"))
    cubes = [sensor for method, sensor in parts_of(scenes["a"]) if method == "cube"]
    assert cubes == ["aster", "emit", "stack"]


def test_each_sensor_has_images_and_their_stack_has_none_unless_they_are_not_wanted(planned):
    rows = [row("aster"), row("emit")]
    scenes, _ = planned({"embedding": {}}, *rows)
    images = [sensor for method, sensor in parts_of(scenes["a"]) if method == "images"]
    assert images == ["aster", "emit"]
    scenes, _ = planned({"embedding": {}, "cube": {"images": False}}, *rows)
    assert "images" not in dict(parts_of(scenes["a"]))


def test_the_truth_of_a_simulated_ground_is_that_of_the_method(planned):
    scenes, _ = planned({"zones": {}, "minerals": {}}, row("aster", "twin:porphyry-zones"))
    assert truth_of(scenes["a"], "zones") == "zones.gpkg"
    assert truth_of(scenes["a"], "minerals") == "truth.tif"
    assert truth_of(scenes["a"], "prospects") == ""


def test_favourability_is_taught_by_minerals_or_zones_and_never_by_mines(planned):
    def teacher(study, product, truth="twin"):
        scenes, studies = planned({**study, "targets": {}}, row("aster", product, truth))
        found = teaches_targets(scenes["a"], studies["mine"])
        held = conditions(scenes["a"], studies["mine"], "targets", "")
        assert ("truth" in held) == bool(found)
        return found

    assert teacher({"minerals": {}, "zones": {}}, "twin:porphyry") == "minerals"
    assert teacher({"embedding": {}}, "twin:epithermal") == "embedding"
    assert teacher({"zones": {}}, "twin:porphyry-zones") == "zones"
    assert teacher({"zones": {}}, "twin:porphyry") == ""
    assert teacher({"minerals": {}}, "twin:porphyry", "") == ""
    assert teacher({"prospects": {}}, "twin:iron") == ""


def test_conditions_of_prospects(planned, tmp_path):
    def held(section, product="twin:iron"):
        scenes, studies = planned({"prospects": section}, row("sentinel2", product))
        return conditions(scenes["a"], studies["mine"], "prospects", "sentinel2")

    assert held({}) == {"truth", "twin", "composite", "trained", "sampled", "iron", "cover"}
    points = held({"points": {"train": "points.csv"}})
    assert {"points", "cover"} <= points and not {"sampled", "iron"} & points
    assert "twin" not in held({"mines": ".", "ore_points": "."}, "twin:porphyry")
    elsewhere = held({"model": "other/iron.npz"})
    assert "iron" in elsewhere and not {"sampled", "trained", "cover"} & elsewhere


@pytest.mark.parametrize(
    ("study", "rows", "expected"),
    [
        (
            {"minerals": {"sensors": ["landsat"]}},
            [row("emit")],
            "minerals.sensors: the scene has no landsat; it has emit",
        ),
        (
            {"minerals": {"range_um": [[2.0, 2.45]]}},
            [row("landsat")],
            "minerals.range_um: landsat has 1 of its 7 bands within 2 to 2.45 µm",
        ),
        (
            {"embedding": {}, "stack": {"extent": "prisma"}},
            [row("emit"), row("enmap")],
            "stack.extent: prisma is not in the stack; it has emit, enmap",
        ),
        (
            {"embedding": {}, "stack": {"extent": "prisma"}},
            [row("emit")],
            "stack.extent: prisma is not in the stack; it has emit",
        ),
        (
            {"zones": {}, "cube": {"bands": {"sentinel2": ["B04", "B12"]}}},
            [row("sentinel2")],
            "zones: sentinel2 has fewer than 2 bands at zones.centres_um",
        ),
        (
            {"cube": {"window": [0, 0, 9, 9]}, "mnf": {}},
            [row("emit"), row("enmap")],
            "cube.window: pixels of several sensors are not the same; give a polygon",
        ),
        (
            {"cube": {"bands": {"landsat": ["B8"]}}, "minerals": {}},
            [row("landsat")],
            "cube.bands.landsat: has no band 'B8'; choose from B1",
        ),
        (
            {"zones": {"centres_um": [2.26, 2.33]}},
            [row("landsat")],
            "zones: landsat has fewer than 2 bands at zones.centres_um; use aster, worldview3",
        ),
        ({"mnf": {"components": 8}}, [row("landsat")], "mnf.components: landsat has 7 bands"),
        (
            {"minerals": {}, "patches": {}},
            [row("landsat")],
            "patches.size_px: the scene is 128 pixels wide, a patch 302",
        ),
        (
            {"minerals": {"sensors": ["emit"]}, "patches": {"sensors": ["landsat"], "size_px": 8}},
            [row("landsat"), row("emit")],
            "patches.sensors: minerals does not map landsat",
        ),
        ({"prospects": {}}, [row("aster")], "prospects.mines: is not given"),
    ],
)
def test_what_a_sensor_or_scene_cannot_serve_is_told(
    planned, sensors, schema, study, rows, expected
):
    scenes, studies = planned(study, *rows)
    twin = fill_defaults({}, schema)["twin"]
    (fault,) = plan_faults(scenes.values(), studies, sensors, twin)
    assert fault.startswith("scene 'a', studies.mine.")
    assert expected in fault


def test_all_sensors_serve_all_methods_of_one_scene(planned, sensors, schema):
    study = {method: {} for method in ("minerals", "mnf", "zones", "prospects", "embedding")}
    twin = fill_defaults({}, schema)["twin"]
    for sensor in TWIN_PRODUCTS:
        scenes, studies = planned(study, row(sensor, "twin:iron"))
        assert plan_faults(scenes.values(), studies, sensors, twin) == []


def test_what_is_read_with_a_file_belongs_to_it(tmp_path):
    names = (
        *("area.shp", "area.dbf", "area.prj", "area.txt", "spectra.sli", "spectra.hdr"),
        *("image.bsq", "image.bsq.hdr", "dem.tif", "dem.tif.aux.xml"),
        *("EMIT_L2A_RFL_1.nc", "EMIT_L2A_MASK_1.nc", "emit.nc", "emit_MASK.nc"),
    )
    for name in names:
        (tmp_path / name).touch()
    for file, others in {
        "area.shp": ["area.dbf", "area.prj"],
        "spectra.sli": ["spectra.hdr"],
        "image.bsq": ["image.bsq.hdr"],
        "dem.tif": ["dem.tif.aux.xml"],
        "EMIT_L2A_RFL_1.nc": ["EMIT_L2A_MASK_1.nc"],
        "emit.nc": ["emit_MASK.nc"],
        "absent.gpkg": [],
    }.items():
        assert belongings(tmp_path / file) == [str(tmp_path / other) for other in others]
    (tmp_path / "folder/inner").mkdir(parents=True)
    (tmp_path / "folder/inner/B1.TIF").touch()
    (tmp_path / "folder/.hidden").touch()
    assert belongings(tmp_path / "folder") == [str(tmp_path / "folder/inner/B1.TIF")]


# ---- scenes of one ground ----------------------------------------------------------------------

JOINED = {"minerals": {"references": ["hematite"]}, "mosaic": {}}


@pytest.fixture
def joined(table, schema, sensors):
    """Scenes and faults of studies in which `mine` is a mosaic, of the rows of a table."""

    def plan(studies, *rows):
        found, wrong = table(*rows)
        assert wrong == []
        settings = fill_defaults({"studies": studies}, schema)
        scenes = plan_scenes(found, settings["studies"])
        twin = settings["twin"]
        return scenes, plan_faults(scenes.values(), settings["studies"], sensors, twin)

    return plan


def iron(name, study="mine", sensor="sentinel2", product="twin:iron"):
    return f"{name}\t{study}\t{sensor}\t{product}\ttwin"


def test_the_first_scene_of_a_mosaic_teaches_the_others_and_none_has_targets_alone(joined):
    study = {**JOINED, "prospects": {}, "targets": {}}
    scenes, faults = joined({"mine": study}, iron("a"), iron("b"))
    assert faults == []
    assert [scene["teacher"] for scene in scenes.values()] == ["", "a"]
    assert all("targets" not in scene["methods"] for scene in scenes.values())
    filled = {"prospects": {"model": "", "points": {"train": ""}}}
    taught = [conditions(scene, filled, "prospects", "sentinel2") for scene in scenes.values()]
    assert [{"trained", "sampled"} <= held for held in taught] == [True, False]
    assert all({"iron", "cover"} <= held for held in taught)


def test_a_scene_of_another_study_may_teach(joined):
    own = {**JOINED, "mosaic": {"teacher": "m"}}
    studies = {"mine": own, "other": {"minerals": JOINED["minerals"]}}
    scenes, faults = joined(studies, iron("a"), iron("b"), iron("m", "other"))
    assert faults == []
    assert [scenes[name]["teacher"] for name in "abm"] == ["m", "m", ""]


@pytest.mark.parametrize(
    ("study", "rows", "expected"),
    [
        (JOINED, [iron("a")], "mine.mosaic: the study has one scene, which is its own whole"),
        (
            {**JOINED, "mosaic": {"teacher": "aa"}},
            [iron("a"), iron("b")],
            "mosaic.teacher: no scene is called 'aa'; did you mean 'a'?",
        ),
        (
            {**JOINED, "mosaic": {"teacher": "m"}},
            [iron("a"), iron("b"), iron("m", "other")],
            "mosaic.teacher: m is of a study with other minerals.references; give both the same",
        ),
        (
            {
                "minerals": {"references": ["alunite"]},
                "cube": {"normalisation": "minmax"},
                "mosaic": {"teacher": "m"},
            },
            [iron("a"), iron("b"), iron("m", "other")],
            "mosaic.teacher: m is of a study with another cube.normalisation",
        ),
        (
            {"prospects": {}, "mosaic": {"teacher": "m"}},
            [iron("a"), iron("b"), iron("m", "other")],
            "mosaic.teacher: m has no prospects of sentinel2; name a scene that has",
        ),
        (
            JOINED,
            [iron("a"), iron("b", sensor="landsat")],
            "mosaic: b has landsat where a has sentinel2; give all the same sensors",
        ),
        (
            {**JOINED, "patches": {}},
            [iron("a", product="twin:porphyry"), iron("b", product="twin:porphyry")],
            "mosaic: patches learns or measures in each scene by itself",
        ),
        ({"mnf": {}, "mosaic": {}}, [iron("a"), iron("b")], "joins maps of minerals and prospects"),
        (JOINED, [iron("a"), iron("b", product="twin:iron:2")], "is none of the 1 tiles"),
    ],
)
def test_what_is_no_mosaic_is_told_in_one_line(joined, study, rows, expected):
    other = {"minerals": {"references": ["alunite"]}}
    _, faults = joined({"mine": study, "other": other}, *rows)
    assert len([fault for fault in faults if expected in fault]) == 1, faults
    assert len(faults) == 1, faults


def test_tiles_of_two_zones_are_no_mosaic(joined, tmp_path):
    for name, tile in (("a", "T23LQE"), ("b", "T24LTK")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"S2B_MSIL2A_20210101T131239_N0214_R138_{tile}_20210101T150000.zip").touch()
    rows = [f"{name}\tmine\tsentinel2\t{tmp_path / name}\t" for name in "ab"]
    _, faults = joined({"mine": JOINED}, *rows)
    (fault,) = faults
    assert "b lies in UTM zone 24, a in 23; make a study of each zone" in fault


@pytest.mark.parametrize("product", ["twin:porphyry:2", "twin:iron:0", "twin:iron:west"])
def test_only_the_iron_district_comes_in_tiles(table, product):
    _, (fault,) = table(iron("a", product=product))
    assert "names a tile, from 1, which only sentinel2 over twin:iron has" in fault
