"""The list of a scene's layers."""

import json

import pytest

from gossan.desk.layers import GROUPS, KNOWN, read_layers
from gossan.errors import InputError


def write_list(folder, *entries):
    record = {"scene": "hill", "study": "mine", "synthetic": False, "layers": list(entries)}
    (folder / "layers.json").write_text(json.dumps(record))
    return folder / "layers.json"


def entry(file, **fields):
    return {"group": "maps", "kind": "classes", "title": "Minerals", "file": file, **fields}


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")


def test_layers_come_from_the_top_of_the_map_down(tmp_path):
    touch(tmp_path / "landsat/cube/cube.tif")
    touch(tmp_path / "landsat/minerals/class.tif")
    truth = entry("field.gpkg|layername=a", group="truth", kind=KNOWN, title="Truth of minerals")
    path = write_list(
        tmp_path,
        entry("landsat/cube/cube.tif", group="scene", kind="cube", method="cube", sensor="landsat"),
        truth,
        entry("landsat/minerals/class.tif", method="minerals", sensor="landsat"),
    )
    layers = read_layers(path)
    assert [layer.group for layer in layers.layers] == ["maps", "truth", "scene"]
    assert [layer.key for layer in layers.of("maps", "scene")] == [
        "landsat-minerals-class",
        "landsat-cube",
    ]
    [known] = layers.of("truth")
    assert str(known.path) == "field.gpkg|layername=a"


def test_a_folder_is_a_layer_a_raster_and_what_is_empty_none(tmp_path):
    for name in ("phyllic", "argillic"):
        touch(tmp_path / f"aster/zones/score/maps/{name}.tif")
    (tmp_path / "empty.tif").write_bytes(b"")
    path = write_list(
        tmp_path,
        entry("aster/zones/score/maps", kind="ramp", title="Alteration score"),
        entry("empty.tif"),
        entry("missing.tif"),
    )
    titles = [layer.title for layer in read_layers(path).layers]
    assert titles == ["Alteration score: argillic", "Alteration score: phyllic"]


def test_an_unknown_group_is_named(tmp_path):
    with pytest.raises(InputError, match=f"'attic' is none of {', '.join(GROUPS)}"):
        read_layers(write_list(tmp_path, entry("class.tif", group="attic")))


def test_the_best_map_stands_for_a_scene(tmp_path):
    for file in ("aster/zones/confidence/phyllic.tif", "aster/minerals/2um/class.tif"):
        touch(tmp_path / file)
    zones = entry("aster/zones/confidence/phyllic.tif", kind="flags", method="zones")
    group = entry("aster/minerals/2um/class.tif", method="minerals")
    assert read_layers(write_list(tmp_path)).main_map() is None
    assert read_layers(write_list(tmp_path, group, zones)).main_map().method == "zones"
    touch(tmp_path / "aster/minerals/class.tif")
    whole = entry("aster/minerals/class.tif", method="minerals")
    main = read_layers(write_list(tmp_path, zones, group, whole)).main_map()
    assert main.path == tmp_path / "aster/minerals/class.tif"


def test_zones_are_told_by_their_score_before_their_anomalies(tmp_path):
    for file in ("aster/zones/mad/anomalies.tif", "aster/zones/score/maps/phyllic.tif"):
        touch(tmp_path / file)
    listed = [
        entry("aster/zones/mad/anomalies.tif", kind="flags", method="zones"),
        entry("aster/zones/score/maps", kind="ramp", method="zones"),
    ]
    assert read_layers(write_list(tmp_path, *listed)).main_map().path.stem == "phyllic"
    assert read_layers(write_list(tmp_path, listed[0])).main_map().path.stem == "anomalies"
