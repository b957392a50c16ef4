"""What belongs to an input is an input."""

import json
import os
import re

import pytest
from projects import copy_project, snakemake

CUBE = "results/scenes/a/{}/cube/cube.tif"
ITEM = {
    "type": "Feature",
    "assets": {"red": {"href": "./B04.tif"}, "far": {"href": "https://a/b.tif"}, "odd": 3},
}
CATALOGUE = {
    "type": "Catalog",
    "links": [{"rel": "item", "href": "item.json"}, {"rel": "self", "href": "catalog.json"}],
}
AREA = ("area.dbf", "area.shx", "area.PRJ", "area.cpg")
SIDES = {
    "landsat": ("scene/B1.TIF", "scene/B1.TIF.aux.xml", "scene/inner/more/B2.TIF"),
    "rasters": ("IMAGE.HDR", "image.dat.aux.xml", "image.dat.ovr"),
    "emit": ("EMIT_L2A_MASK_002_a.nc",),
    "sentinel2": ("stac/item.json", "stac/B04.tif"),
    "worldview3": ("wv/a_R1C1-M2AS.TIF", "wv/a-M2AS.XML"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with cubes that are newer than all that they were made from."""
    folder = copy_project(tmp_path_factory.mktemp("project"))
    products = {
        "landsat": "scene",
        "rasters": "image.dat",
        "emit": "EMIT_L2A_RFL_001_a.nc",
        "sentinel2": "stac/catalog.json",
        "worldview3": "wv/a-M2AS.IMD",
    }
    others = ("area.shp", "image.dat", "EMIT_L2A_RFL_001_a.nc", "wv/a-M2AS.IMD")
    sides = [name for names in SIDES.values() for name in names]
    for name in (*AREA, *sides, *others, "stac/catalog.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "stac/item.json").write_text(json.dumps(ITEM))
    (folder / "stac/catalog.json").write_text(json.dumps(CATALOGUE))
    for sensor in products:
        cube = folder / CUBE.format(sensor)
        cube.parent.mkdir(parents=True)
        for file in (cube, cube.with_suffix(".json"), cube.parent / "looks.tif"):
            file.touch()
        (cube.parent / "looks.qml").touch()
    for path in folder.rglob("*"):
        moment = 2_000_000 if "results" in path.parts else 1_000_000
        os.utime(path, (moment, moment))
    rows = "".join(f"a\tmine\t{sensor}\t{path}\t\n" for sensor, path in products.items())
    (folder / "own.tsv").write_text(f"scene\tstudy\tsensor\tproduct\ttruth\n{rows}")
    (folder / "own.yaml").write_text(
        "scenes: own.tsv\nstudies: {mine: {mnf: {}, cube: {polygon: area.shp}}}\n"
    )
    return folder, list(products)


def reruns(folder, sensors):
    """Sensors whose cubes a dry run would make anew."""
    cubes = [CUBE.format(sensor) for sensor in sensors]
    told = ("--cores", "1", "--dry-run", "--rerun-triggers", "mtime", "--configfile", "own.yaml")
    run = snakemake(folder, *cubes, *told)
    assert run.returncode == 0, run.stdout
    made = set(re.findall(r"Calibrating and masking (\w+) of a", run.stdout))
    return made | ({"sentinel2"} if "Making the median composite of a" in run.stdout else set())


def test_an_edit_beside_an_input_or_inside_it_runs_what_reads_it_and_nothing_else(project):
    folder, sensors = project
    assert reruns(folder, sensors) == set()
    edits = [({name}, set(sensors)) for name in AREA[:2]]
    for place in range(3):
        touched = {sensor: names[place] for sensor, names in SIDES.items() if len(names) > place}
        edits.append((set(touched.values()), set(touched)))
    for names, readers in edits:
        for name in names:
            os.utime(folder / name, (3_000_000, 3_000_000))
        found = reruns(folder, sensors)
        for name in names:
            os.utime(folder / name, (1_000_000, 1_000_000))
        assert found == readers, names


def test_what_is_none_of_the_users_runs_nothing(project):
    folder, sensors = project
    for name in ("scene/.DS_Store", "scene/._B1.TIF", "scene/Thumbs.db", "area.txt"):
        (folder / name).touch()
    assert reruns(folder, sensors) == set()


def test_the_layer_that_a_table_or_a_setting_names_reaches_the_tools(tmp_path):
    folder = copy_project(tmp_path / "project")
    for name in ("scene/B1.TIF", "area.gpkg", "g.gpkg"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()

    def named(layer, file="g.gpkg"):
        return f"{file}|layername={layer}"

    truths = f"minerals:{named('a')}; zones:{named('b 2')}; prospects:{named('c')}"
    (folder / "own.tsv").write_text(
        f"scene\tstudy\tsensor\tproduct\ttruth\na\tmine\tlandsat\tscene\t{truths}\n"
    )
    surveys = {name: named(name) for name in ("mines", "ore_points", "geology", "claims")}
    study = {
        "cube": {"polygon": named("licence", "area.gpkg")},
        **{"minerals": {"references": ["alunite", "kaolinite"]}, "zones": {}},
        "prospects": surveys,
        "targets": {"substances": ["iron"], "known": named("sites")},
    }
    points = {"train": named("train"), "test": named("test")}
    second = {"prospects": {"points": points}}
    studies = {"mine": study, "points": second}
    (folder / "own.tsv").open("a").write("b\tpoints\tlandsat\tscene\t\n")
    (folder / "own.json").write_text(json.dumps({"scenes": "own.tsv", "studies": studies}))
    told = ("--cores", "1", "--dry-run", "--printshellcmds", "--configfile", "own.json")
    run = snakemake(folder, *told)
    assert run.returncode == 0, run.stdout
    for flag, value in (
        *(("polygon", named("licence", "area.gpkg")), ("samples", named("train"))),
        *(("test", named("test")), ("truth", named("a")), ("truth", named("b 2"))),
        ("known", named("sites")),
        *(("truth", named("c")), *((name.replace("_", "-"), surveys[name]) for name in surveys)),
    ):
        assert re.search(rf"--{flag}[= ]'{re.escape(value)}'", run.stdout), (flag, value)
    # Maps show them, too.
    for title, layer in (("Known sites", named("sites")), ("Claims", named("claims"))):
        assert f'"file": "{layer}", "title": "{title}"' in run.stdout, title


def test_every_rule_that_reads_what_the_user_names_reads_what_belongs_to_it(root):
    finders = (
        "product_of",
        "polygon_of",
        "truth_for",
        "libraries_for",
        "survey_of",
        "rasters_of",
        "train_truth",
    )
    for path in sorted((root / "workflow/rules").glob("*.smk")):
        for rule in re.split(r"\n(?:use )?rule ", path.read_text())[1:]:
            given = rule.partition("    input:")[2].partition("\n    output:")[0]
            named = {name for name in finders if f"={name}" in given}
            told = given.partition("beside=")[2]
            assert all(name in told for name in named), f"{path.name}: {rule.split(':')[0]}"
