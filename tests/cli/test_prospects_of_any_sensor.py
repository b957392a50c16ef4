"""The tools for prospects on ASTER, on a stack with Sentinel-2, on many bands, and elsewhere."""

import csv
import json

import geopandas
import numpy as np
import pytest
import rasterio
from iron_scenes import BANDS as SENTINEL2
from iron_scenes import CENTRES_UM, CRS, FWHM_UM, PIXEL_M, SIZE, TAGS, make_district, sampling
from samples import known_tables, run_tool, write_raster

ASTER = ("1", "2", "3N", "4", "5", "6", "7", "8", "9")
ASTER_UM = (0.556, 0.661, 0.807, 1.656, 2.167, 2.209, 2.262, 2.336, 2.400)
ASTER_FWHM_UM = (0.09, 0.06, 0.1, 0.092, 0.035, 0.04, 0.047, 0.07, 0.068)
EMIT_UM = tuple(np.round(np.linspace(0.40, 2.49, 230), 4))
EMIT = tuple(f"B{place:03}" for place in range(len(EMIT_UM)))
# Rows that ASTER did not see.
UNSEEN = slice(100, 110)
SMALL = ("--counts", 8, 8, 8, 12, "--ore-count", 10, "--min-distance-m", 40)
PLANS = [
    {"name": "pixel", "estimators": 10},
    {"name": "differences", "estimators": 10, "differences": True},
    {"name": "neighbourhood", "layers": "all", "estimators": 10, "windows_px": [3]},
]
THREADS = ("--threads", 2)


def seen_at(values, centres):
    """(bands, rows, columns) of Sentinel-2 at other wavelengths, by straight lines."""
    flat = values.reshape(len(values), -1).T
    seen = np.array([np.interp(centres, CENTRES_UM, spectrum) for spectrum in flat])
    generator = np.random.default_rng(8)
    seen *= generator.normal(1, 0.02, seen.shape)
    return seen.T.reshape(len(centres), *values.shape[1:])


def write_cube(path, values, names, centres, widths, tags=TAGS):
    stored = np.rint(np.where(np.isfinite(values), values, -3.2768) * 1e4).astype("int16")
    write_raster(path, stored, nodata=-32768, scale=1e-4, tags=tags, pixel=PIXEL_M, crs=CRS)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = names
        for band, (centre, width) in enumerate(zip(centres, widths, strict=True), start=1):
            tags = {"CENTRAL_WAVELENGTH_UM": str(centre), "FWHM_UM": str(width)}
            dataset.update_tags(band, ns="IMAGERY", **tags)


def make_sensor(folder, sensor):
    """The district of `make_district` as another sensor sees it, with a DEM of coarser pixels."""
    make_district(folder)
    with rasterio.open(folder / "cube.tif") as dataset:
        stored = dataset.read()
    values = np.where(stored == -32768, np.nan, stored * 1e-4)
    if sensor == "emit":
        write_cube(
            folder / "cube.tif", seen_at(values, EMIT_UM), EMIT, EMIT_UM, (0.0085,) * len(EMIT)
        )
    elif sensor != "sentinel2":
        aster = seen_at(values, ASTER_UM)
        aster[:, UNSEEN] = np.nan
        if sensor == "aster":
            write_cube(folder / "cube.tif", aster, ASTER, ASTER_UM, ASTER_FWHM_UM)
        else:
            names = [f"aster:{name}" for name in ASTER]
            names += [f"sentinel2:{name}" for name in SENTINEL2]
            write_cube(
                folder / "cube.tif",
                np.concatenate([aster, values]),
                tuple(names),
                (*ASTER_UM, *CENTRES_UM),
                (*ASTER_FWHM_UM, *FWHM_UM),
            )
    dem = np.add.outer(np.arange(40), np.arange(45)).astype("float32")
    write_raster(folder / "dem.tif", dem, pixel=90, crs=CRS)
    (folder / "plans.json").write_text(json.dumps(PLANS))
    for plan in PLANS:
        (folder / f"{plan['name']}.json").write_text(json.dumps(plan))
    return folder


def run(tool, *flags):
    done = run_tool(tool, *flags, *THREADS)
    assert done.returncode == 0, done.stderr


def sample(folder):
    run("sample_strata", *sampling(folder, folder, *SMALL, "--truth", folder / "truth.tif"))


def label(folder):
    run(
        *("label_iron", "--cube", folder / "cube.tif", "--samples", folder / "samples.gpkg"),
        *("--classes", folder / "iron.csv", "--covers", folder / "covers.csv"),
        *("--theta-max-rad", "published", "--grades", 0.9, 0.8, 0.7, "--scene", "tiny"),
        *("--bootstrap", 100, "--seed", 1, "--similarity", folder / "similarity.tif"),
        *("--labels", folder / "iron.tif", "--scan", folder / "scan.csv"),
        *("--robustness", folder / "robustness.csv", "--spectra", folder / "spectra.csv"),
        *("--record", folder / "labels.json", "--accuracy", folder / "labels-accuracy.json"),
        *("--points", folder / "points.csv"),
    )


def train(folder, plan="pixel", classes="covers.csv", label_map=None, scene="tiny"):
    labels = ("--label-map", label_map) if label_map else ("--samples", folder / "samples.gpkg")
    run(
        *("train_forest", "--cube", folder / "cube.tif", "--extra", folder / "dem.tif", *labels),
        *("--label", "class", "--per-class", 60, "--seed", 1, "--classes", folder / classes),
        *("--plan", folder / f"{plan}.json", "--scene", scene),
        *("--forest", folder / "forest.npz", "--record", folder / "forest.json"),
    )


def draw(folder, out, *flags, forest=None, classes="covers.csv", scene="tiny"):
    return run_tool(
        *("map_forest", "--cube", folder / "cube.tif", "--extra", folder / "dem.tif"),
        *("--forest", forest or folder / "forest.npz", "--classes", folder / classes),
        *("--scene", scene, "--class-map", out / "class.tif"),
        *("--probability", out / "probability.tif", "--uncertainty", out / "uncertainty.tif"),
        *(*THREADS, *flags),
    )


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(), dataset.tags()


@pytest.mark.parametrize("sensor", ["aster", "stack"])
def test_an_area_is_prospected_with_aster_and_a_stack(tmp_path, sensor):
    folder = make_sensor(tmp_path, sensor)
    sample(folder)
    with (folder / "strata.csv").open(newline="") as stream:
        (bands,) = {row["index_bands"] for row in csv.DictReader(stream)}
    expected = {
        "aster": "1 2 3N 4 (green in place of blue)",
        "stack": "sentinel2:B02 sentinel2:B04 sentinel2:B08 sentinel2:B11",
    }
    assert bands == expected[sensor]
    points = geopandas.read_file(folder / "samples.gpkg")
    # Nothing is known of ground that one sensor of the stack did not see.
    assert not points["row"].between(UNSEEN.start, UNSEEN.stop - 1).any()
    label(folder)
    record = json.loads((folder / "labels.json").read_text())
    assert record["green_for_blue"] is (sensor == "aster")
    labels = read(folder / "iron.tif")[0][0]
    assert (labels[UNSEEN] == 255).all()
    assert record["pixels"] == (labels != 255).sum() == SIZE**2 - 36 - 10 * SIZE
    assert sum(item["pixels"] for item in record["classes"]) == record["pixels"]
    run(
        *("validate_forest", "--cube", folder / "cube.tif", "--extra", folder / "dem.tif"),
        *("--samples", folder / "samples.gpkg", "--label", "class"),
        *("--classes", folder / "covers.csv", "--plans", folder / "plans.json"),
        *("--scene", "tiny", "--spatial-block-px", 16, "--folds", 3),
        *("--bootstrap", 100, "--seed", 1, "--table", folder / "scores.csv"),
        *("--record-dir", folder / "accuracy", "--chosen", folder / "chosen.json"),
        *("--importance", folder / "importance.csv", "--shap", folder / "shap.csv"),
    )
    accuracy = json.loads((folder / "accuracy" / "pixel-blocked.json").read_text())
    assert accuracy["scores"]["overall_accuracy"]["value"] > 0.7
    train(folder, "neighbourhood", "iron.csv", folder / "iron.tif")
    done = draw(folder, folder / "iron", classes="iron.csv")
    assert done.returncode == 0, done.stderr
    assert (read(folder / "iron" / "class.tif")[0][0][UNSEEN] == 255).all()
    run(
        *("map_potential", "--probability", folder / "iron" / "probability.tif"),
        *("--geology", folder / "geology.gpkg", "--medium", 0.34, "--high", 0.67),
        *("--potential", folder / "potential.tif", "--score", folder / "score.tif"),
    )
    run(
        *("rank_targets", "--potential", folder / "potential.tif"),
        *("--score", folder / "score.tif", "--substance-attribute", "substance"),
        *("--level", "medium", "--min-area-ha", 0.5, "--spatial-block-px", 16),
        *("--bootstrap", 100, "--seed", 1, "--scene", "tiny"),
        *("--targets", folder / "targets.gpkg", "--kml", folder / "targets.kml"),
        *("--overlay", folder / "overlay.csv", "--curves", folder / "curves.csv"),
        *("--record", folder / "targets.json", *known_tables(folder)),
    )
    targets = geopandas.read_file(folder / "targets.gpkg", layer="targets")
    mines = geopandas.read_file(folder / "mines.gpkg")
    assert targets.intersects(mines.geometry.iloc[0]).any()


def test_differences_of_many_bands_stay_few_and_the_record_says_of_which(tmp_path):
    folder = make_sensor(tmp_path, "emit")
    sample(folder)
    train(folder, "differences")
    record = json.loads((folder / "forest.json").read_text())
    assert len(record["layers"]) == 230
    assert len(record["features"]) == 230 + 24 * 23 // 2
    (note,) = record["notes"]
    assert note.startswith("differences: differences are of 24 of 230 layers, evenly spread: B000")
    assert note.endswith("B229")
    done = draw(folder, folder / "map")
    assert done.returncode == 0, done.stderr
    truth, mapped = read(folder / "truth.tif")[0][0], read(folder / "map" / "class.tif")[0][0]
    clear = mapped != 255
    assert (mapped == truth)[clear].mean() > 0.7


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = make_sensor(tmp_path_factory.mktemp("trained"), "sentinel2")
    sample(folder)
    train(folder)
    return folder


def test_a_forest_maps_another_scene_and_the_map_says_where_it_was_trained(trained, tmp_path):
    folder = make_sensor(tmp_path / "far", "sentinel2")
    # The other satellite of the pair, whose bands lie a little off, and real ground.
    shift = [centre - 0.4 * width for centre, width in zip(CENTRES_UM, FWHM_UM, strict=True)]
    with rasterio.open(folder / "cube.tif") as dataset:
        values = dataset.read() * 1e-4
    tags = TAGS | {"SYNTHETIC": "no"}
    write_cube(folder / "cube.tif", values, SENTINEL2, shift, FWHM_UM, tags)
    forest = trained / "forest.npz"
    record = tmp_path / "record.json"
    done = draw(folder, folder / "map", "--record", record, forest=forest, scene="far")
    assert done.returncode == 0, done.stderr
    for name in ("class.tif", "probability.tif", "uncertainty.tif"):
        tags = read(folder / "map" / name)[1]
        assert (tags["TRAINED_ON"], tags["TRAINED_ON_SYNTHETIC"]) == ("tiny", "yes")
        assert tags["SYNTHETIC"] == "no"
    said = json.loads(record.read_text())
    assert said["trained_on"] == {"scene": "tiny", "synthetic": True, "file": "forest.npz"}
    assert "trained on the scene tiny; nothing of this scene was held out" in said["notes"][-1]
    assert (said["scene"], said["synthetic"], said["layers"]) == ("far", False, list(SENTINEL2))
    assert draw(trained, trained / "own").returncode == 0
    assert "TRAINED_ON" not in read(trained / "own" / "class.tif")[1]


def test_a_forest_of_other_bands_or_classes_is_refused(trained, tmp_path):
    forest = trained / "forest.npz"
    aster = make_sensor(tmp_path / "aster", "aster")
    done = draw(aster, tmp_path / "a", forest=forest)
    assert "forest.npz: was trained on layer 'B02' of tiny, and there is no layer" in done.stderr
    other = make_sensor(tmp_path / "other", "sentinel2")
    with rasterio.open(other / "cube.tif", "r+") as dataset:
        dataset.update_tags(3, ns="IMAGERY", CENTRAL_WAVELENGTH_UM="0.75")
    done = draw(other, tmp_path / "a", forest=forest)
    assert "was trained on layer B04 at 0.6646 µm, here it is at 0.75 µm" in done.stderr
    done = draw(trained, tmp_path / "a", classes="iron.csv")
    assert "iron.csv: lacks classes of" in done.stderr
    assert not (tmp_path / "a").exists()
