"""What was learned on one scene, applied to another: what fits, what is refused, what is said."""

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from embeddings import BANDS, CLASSES, MINERALS, make_model, make_stack
from network_scenes import PATCH_PX, cut, make_ground, train
from samples import run_tool, write_raster

from gossan.raster import read_info


@pytest.fixture(scope="module")
def hill(tmp_path_factory):
    """Networks that learned on a hill: an embedding of five sensors, and two of patches."""
    folder = tmp_path_factory.mktemp("hill")
    make_model(folder / "embedding.onnx", scene="hill")
    limits = {name: {"conformal": 0.4} for name in MINERALS}
    (folder / "thresholds.json").write_text(json.dumps({"masked": limits}))
    cut(make_ground(folder / "scene"))
    for kind in ("colour", "reflectance"):
        done = train(
            folder / "scene",
            folder / kind,
            *("--network", "compact", "--epochs", 1, "--scene", "hill"),
            patches=f"{kind}.npz",
        )
        assert done.returncode == 0, done.stderr
    return folder


def map_embedding(hill, scene, out, *flags):
    return run_tool(
        "map_embedding",
        *("--stack", scene / "stack.tif", "--sensors", scene / "sensors.tif"),
        *("--onnx", hill / "embedding.onnx", "--classes", scene / "classes.csv"),
        *("--thresholds", hill / "thresholds.json", "--class-map", out / "class.tif"),
        *("--distance", out / "distance.tif", "--answer", out / "answer.tif"),
        *("--areas", out / "areas.csv", "--sensor-areas", out / "sensor_areas.csv"),
        *("--scene", "valley", "--record", out / "map.json", "--threads", 1, *flags),
    )


def test_an_embedding_maps_a_scene_of_some_of_its_sensors(hill, tmp_path):
    scene = make_stack(tmp_path / "valley", ("enmap", "sentinel2"))
    (scene / "classes.csv").write_text(CLASSES + "6,calcite,Calcite,#4FC3F7\n")
    done = map_embedding(hill, scene, tmp_path)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "map.json").read_text())
    assert record["scene"] == "valley"
    assert record["network"]["scene"] == "hill" and record["network"]["transferred"] is True
    assert record["sensors"]["present"] == ["enmap", "sentinel2"]
    assert record["sensors"]["absent"] == ["emit", "prisma", "worldview3"]
    assert record["classes_without"] == ["calcite"]
    assert set(record["thresholds"]["limits"]) == set(MINERALS)
    for name in ("class", "distance", "answer"):
        tags = read_info(tmp_path / f"{name}.tif").tags
        assert tags["NETWORK_SCENE"] == "hill"
        assert tags["NETWORK_SHA256"] == record["network"]["sha256"]
    again = tmp_path / "again"
    assert map_embedding(hill, scene, again).returncode == 0
    assert (again / "map.json").read_bytes() == (tmp_path / "map.json").read_bytes()


def test_an_embedding_refuses_other_sensors_bands_and_classes_by_name(hill, tmp_path):
    scene = make_stack(tmp_path / "valley", ("enmap", "sentinel2"))

    def fails(*flags, place=scene):
        done = map_embedding(hill, place, tmp_path / "out", *flags)
        assert done.returncode == 1
        assert not (tmp_path / "out").exists()
        return done.stderr

    classes = tmp_path / "classes.csv"
    classes.write_text(CLASSES.replace("jarosite", "gypsum"))
    assert "class 16 is gypsum where the network has jarosite" in fails("--classes", classes)
    part = BANDS.part("enmap")
    few = {"band": BANDS.band, "centre_um": BANDS.centre_um}
    for changes, words in (
        ({"band": ("B900", *few["band"][1:])}, "it lacks emit:"),
        ({"centre_um": tuple(np.add(few["centre_um"], 0.004))}, "a band lies 4.0 nm from where"),
    ):
        make_model(tmp_path / "other.onnx", replace(BANDS, **changes))
        assert words in fails("--onnx", tmp_path / "other.onnx", place=make_stack(tmp_path / "all"))
    own = BANDS.part("sentinel2")
    without = [*range(part.start), *range(part.stop, own.stop)]
    narrower = replace(
        BANDS,
        **{
            name: tuple(getattr(BANDS, name)[place] for place in without)
            for name in ("sensor", "band", "centre_um", "fwhm_um")
        },
    )
    make_model(tmp_path / "other.onnx", narrower)
    words = fails("--onnx", tmp_path / "other.onnx")
    assert "has enmap, which the network was not trained with (emit prisma sentinel2)" in words


def classify(hill, scene, out, *flags, network="colour"):
    return run_tool(
        "classify_patches",
        *("--onnx", hill / network / "net.onnx", "--class-map", scene / "class.tif"),
        *("--classes", scene / "classes.csv", "--output", out / "class.tif"),
        *("--probability", out / "probability.tif", "--proportions", out / "proportions.csv"),
        *("--pixels", out / "pixels.csv", "--threads", 1, "--points-per-class", 9),
        *("--min-label-share", 0.01, "--max-background-share", 0.9),
        *("--scene", "valley", "--record", out / "map.json", *flags),
    )


@pytest.mark.parametrize("network", ["colour", "reflectance"])
def test_a_network_of_patches_maps_another_scene(network, hill, tmp_path):
    scene = make_ground(tmp_path / "valley", size=48)
    more = ("--cube", scene / "cube.tif") if network == "reflectance" else ()
    done = classify(hill, scene, tmp_path, *more, network=network)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "map.json").read_text())
    assert record["network"]["scene"] == "hill" and record["network"]["transferred"] is True
    assert record["classes"] == ["chalcocite", "feldspar"]
    assert record["classes_without"] == ["calcite"]
    assert (record["input"], record["patch_px"]) == (network, PATCH_PX)
    tags = read_info(tmp_path / "class.tif").tags
    assert tags["NETWORK_SCENE"] == "hill"
    assert tags["NETWORK_SHA256"] == record["network"]["sha256"]
    training = json.loads((hill / network / "net.json").read_text())
    assert training["onnx_sha256"] == record["network"]["sha256"]


def test_a_network_of_patches_refuses_other_classes_bands_and_smaller_scenes(hill, tmp_path):
    scene = make_ground(tmp_path / "valley", size=48)

    def fails(*flags, **options):
        done = classify(hill, scene, tmp_path / "out", *flags, **options)
        assert done.returncode == 1
        assert not (tmp_path / "out").exists()
        return done.stderr

    classes = tmp_path / "classes.csv"
    classes.write_text((scene / "classes.csv").read_text().replace("feldspar", "quartz"))
    assert "class 12 is quartz where the network has feldspar" in fails("--classes", classes)
    with rasterio.open(scene / "cube.tif") as dataset:
        stored = dataset.read()
    write_raster(tmp_path / "cube.tif", stored, nodata=-32768, scale=1e-4)
    with rasterio.open(tmp_path / "cube.tif", "r+") as dataset:
        dataset.descriptions = ("band_1", "band_2", "SWIR", "band_4")
    words = fails("--cube", tmp_path / "cube.tif", network="reflectance")
    assert "lacks the band band_3 that the network was trained with" in words
    small = make_ground(tmp_path / "small", size=16)
    with rasterio.open(small / "class.tif") as dataset:
        codes = dataset.read(1)
    write_raster(tmp_path / "small.tif", codes[:12], nodata=255)
    words = fails("--class-map", tmp_path / "small.tif")
    assert "fewer than a patch of 16x16" in words and "of 12 pixels at most" in words
