import csv
import json
import resource

import jsonschema
import numpy as np
import pytest
import rasterio
from samples import run_command, run_tool
from zone_scenes import BANDS, CENTRES_UM, MAD, ZONES, make_zones, map_zone, write_zones, zone_codes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = make_zones(tmp_path_factory.mktemp("zones") / "scene")
    for zone in ZONES:
        assert map_zone(made, zone).returncode == 0
    done = score(made, made / "score")
    assert done.returncode == 0, done.stderr
    return made


def score(folder, out, *flags, zones=tuple(ZONES), threads=1, truth=None, tool=run_tool):
    return tool(
        "score_alteration",
        *("--cube", folder / "cube.tif", "--subbands", folder / "subbands.tif"),
        *("--reflectance", folder / "reflectance.tif", "--zone", *zones),
        *(truth or ("--truth", folder / "zones.gpkg")),
        "--confidence",
        *(folder / "confidence" / f"{zone}.tif" for zone in ZONES),
        *("--references", folder / "references.csv"),
        *("--minerals", "phyllic", "muscovite", "--minerals", "propylitic", "chlorite"),
        *("--scene", "tiny", "--spatial-block-px", 16, "--folds", 4, "--per-class", 600),
        *("--bootstrap", 200, "--buffer-px", 4, "--seed", 42, "--outside", "other"),
        *("--threads", threads),
        *("--output", *(out / f"{zone}.tif" for zone in zones)),
        *("--record", out / "score.json", "--curves", out / "curves.csv"),
        *("--record-dir", out / "accuracy", *flags),
    )


def record_of(out):
    return json.loads((out / "score.json").read_text())


def methods_of(record, zone):
    item = next(item for item in record["zones"] if item["zone"] == zone)
    return {method["method"]: method for method in item["methods"]}


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(), dataset.descriptions


def test_the_maps_are_probabilities_of_the_final_and_of_the_held_out_models(folder):
    for code, zone in enumerate(ZONES, start=1):
        values, names = read(folder / "score" / f"{zone}.tif")
        assert names == (zone, f"{zone} held out")
        assert values.dtype == np.float32
        assert np.isnan(values[:, :3, :4]).all()
        clear = np.isfinite(values[0])
        assert clear.sum() == values[0].size - 12
        assert np.nanmin(values) >= 0
        assert np.nanmax(values) <= 1
        inside = zone_codes() == code
        assert values[0][inside & clear].mean() > 0.7
        assert values[0][~inside & clear].mean() < 0.2
        assert not np.array_equal(values[0][clear], values[1][clear])
        assert (folder / "score" / f"{zone}.qml").exists()


def test_the_scores_are_those_of_the_held_out_map(folder):
    record = record_of(folder / "score")
    truth = zone_codes()
    for code, zone in enumerate(ZONES, start=1):
        item = next(item for item in record["zones"] if item["zone"] == zone)
        held_out = read(folder / "score" / f"{zone}.tif")[0][1]
        thresholds = np.unique([model["threshold"] for model in item["fold_models"]])
        method = methods_of(record, zone)["score"]
        clear = np.isfinite(held_out)
        # Each block is cut at its own fold's threshold, so the counts lie between the extremes.
        bounds = [(held_out[clear] >= np.float32(edge)).sum() for edge in thresholds]
        assert min(bounds) <= method["found"] <= max(bounds)
        assert method["n"] == clear.sum()
        assert method["n_reference"] == (clear & (truth == code)).sum()
        assert method["f1"]["value"] > 0.8
        assert method["f1"]["low"] <= method["f1"]["value"] <= method["f1"]["high"]
        assert method["average_precision"]["value"] > 0.85


def test_the_score_beats_the_published_rule_the_angle_and_the_ratios(folder):
    record = record_of(folder / "score")
    for zone in ZONES:
        methods = methods_of(record, zone)
        names = set(methods)
        assert {"score", "SAM", "best ratio on training blocks", "rule 9 high"} <= names
        assert {"best rule on training blocks", "best rule in hindsight"} <= names
        own = methods["score"]["f1"]["value"]
        for other in ("SAM", "best ratio on training blocks", "best rule in hindsight"):
            assert own > methods[other]["f1"]["value"]
        assert len({(item["n"], item["n_reference"]) for item in methods.values()}) == 1
        hindsight = methods["best rule in hindsight"]["f1"]["value"]
        rules = [m["f1"]["value"] or 0 for n, m in methods.items() if n.startswith("rule ")]
        assert hindsight == max(rules)
        assert methods["best rule on training blocks"]["f1"]["value"] <= hindsight + 0.1


def test_the_method_as_published_stands_beside_the_score_with_paired_intervals(folder, tmp_path):
    marked = tmp_path / "anomalies.tif"
    done = run_tool(
        "map_anomalies",
        *("--cube", folder / "cube.tif", *MAD, "--output", marked),
        *("--table", tmp_path / "anomalies.csv"),
    )
    assert done.returncode == 0, done.stderr
    maps = [folder / "confidence" / f"{zone}.tif" for zone in ZONES]
    more = ("--published", *maps, "--anomalies", marked)
    assert score(folder, tmp_path / "score", *more).returncode == 0
    record = record_of(tmp_path / "score")
    with rasterio.open(marked) as dataset:
        codes = dataset.read()
    clear = np.isfinite(read(tmp_path / "score/phyllic.tif")[0][0])
    for code, zone in enumerate(ZONES, start=1):
        inside = (zone_codes() == code) & clear
        methods = methods_of(record, zone)
        # The same maps under both names: the study's own and the published one are told apart.
        assert methods["published 9 high"]["f1"] == methods["rule 9 high"]["f1"]
        found = (codes[5] == 1) & clear
        assert methods["published 9 anomaly"]["found"] == found.sum()
        assert methods["published 9 anomaly"]["right"] == (found & inside).sum()
        item = next(item for item in record["zones"] if item["zone"] == zone)
        compared = {other["other"]: other["differences"] for other in item["comparisons"]}
        assert "best published in hindsight" in compared
        for name in ("precision", "recall", "f1", "kappa", "overall_accuracy"):
            value = compared["published 9 anomaly"][name]
            own, other = methods["score"][name], methods["published 9 anomaly"][name]
            assert value["value"] == pytest.approx(own["value"] - other["value"], abs=2e-6)
            assert value["low"] <= value["value"] <= value["high"]
    same = next(item for item in record["zones"] if item["zone"] == "phyllic")["methods"]
    before = methods_of(record_of(folder / "score"), "phyllic")["score"]
    assert next(item for item in same if item["method"] == "score") == before


def test_the_coefficients_in_the_record_make_the_map(folder, tmp_path):
    done = score(folder, tmp_path, truth=("--model", folder / "score" / "score.json"))
    assert done.returncode == 0, done.stderr
    for zone in ZONES:
        values, names = read(tmp_path / f"{zone}.tif")
        assert names == (zone,)
        trained = read(folder / "score" / f"{zone}.tif")[0][0]
        assert np.allclose(values[0], trained, atol=1e-6, equal_nan=True)
    record = record_of(tmp_path)
    assert record["assessed"] is False
    assert "trained on the scene tiny" in record["reason"]
    assert len((tmp_path / "curves.csv").read_text().splitlines()) == 1
    assert list((tmp_path / "accuracy").iterdir()) == []


def test_curves_hold_every_method_and_its_operating_point(folder):
    with (folder / "score" / "curves.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    record = record_of(folder / "score")
    for zone in ZONES:
        own = [row for row in rows if row["zone"] == zone]
        kinds = {kind: [row for row in own if row["kind"] == kind] for kind in ("curve", "rule")}
        assert {row["method"] for row in kinds["curve"]} >= {"score", "SAM"}
        assert len(kinds["rule"]) == 18
        curve = [row for row in kinds["curve"] if row["method"] == "score"]
        recall = [float(row["recall"]) for row in curve]
        assert recall == sorted(recall, reverse=True)
        methods = methods_of(record, zone)
        for row in own:
            assert int(row["n_reference"]) == methods["score"]["n_reference"]
            if row["kind"] != "curve":
                assert int(row["found"]) == methods[row["method"]]["found"]
                assert int(row["right"]) == methods[row["method"]]["right"]


def test_accuracy_records_keep_the_schema(folder, root):
    schema = json.loads((root / "workflow/schemas/accuracy.schema.json").read_text())
    records = {
        path.stem: json.loads(path.read_text())
        for path in (folder / "score" / "accuracy").glob("*.json")
    }
    assert set(records) == {
        f"{zone}-{name}" for zone in ZONES for name in ("score", "sam", "best-ratio", "best-rule")
    }
    jsonschema.validate({"study": "zafarghand", "records": list(records.values())}, schema)
    assert "4 folds" in records["phyllic-score"]["split"]
    methods = methods_of(record_of(folder / "score"), "phyllic")
    found = records["phyllic-score"]["scores"]["classes"][1]
    assert found["n_map"] == methods["score"]["found"]
    assert found["f1"]["value"] == methods["score"]["f1"]["value"]
    assert found["f1"]["low"] == methods["score"]["f1"]["low"]


def test_threads_do_not_change_a_byte(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("gossan.zones.score_assessment.WINDOW_PX", 40)
    for threads in (1, 2):
        done = score(folder, tmp_path / str(threads), threads=threads)
        assert done.returncode == 0, done.stderr
    files = [path for path in (tmp_path / "1").rglob("*.*") if path.is_file()]
    assert len(files) == 2 + 2 + 2 + 8
    for path in files:
        assert path.read_bytes() == (tmp_path / "2" / path.relative_to(tmp_path / "1")).read_bytes()


def test_blocks_do_not_change_a_pixel(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("gossan.zones.score_assessment.WINDOW_PX", 40)
    assert score(folder, tmp_path).returncode == 0
    for zone in ZONES:
        values, whole = (read(place / f"{zone}.tif")[0] for place in (tmp_path, folder / "score"))
        assert np.allclose(values, whole, atol=1e-4, equal_nan=True)
    methods = [methods_of(record_of(place), "phyllic") for place in (tmp_path, folder / "score")]
    assert methods[0]["rule 9 high"] == methods[1]["rule 9 high"]
    assert methods[0]["SAM"]["found"] == pytest.approx(methods[1]["SAM"]["found"], abs=3)


def test_a_score_needs_nothing_to_compare_with(folder, tmp_path):
    done = run_tool(
        "score_alteration",
        *("--cube", folder / "cube.tif", "--subbands", folder / "subbands.tif"),
        *("--zone", "phyllic", "--truth", folder / "zones.gpkg", "--scene", "tiny"),
        *("--spatial-block-px", 16, "--per-class", 300, "--bootstrap", 100, "--threads", 1),
        *("--folds", 5, "--buffer-px", 4, "--seed", 42, "--outside", "other"),
        *("--output", tmp_path / "phyllic.tif", "--record", tmp_path / "score.json"),
        *("--curves", tmp_path / "curves.csv"),
    )
    assert done.returncode == 0, done.stderr
    methods = methods_of(record_of(tmp_path), "phyllic")
    assert "SAM" not in methods
    assert "best rule in hindsight" not in methods
    assert record_of(tmp_path)["spectra"] == "cube.tif"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--zone", "phyllic", "skarn"), "no feature has the class 'skarn'"),
        (("--zone", "phyllic"), "one output raster per zone"),
        (("--cube", "reflectance.tif"), "has no LL of band 1, 2, 3N"),
        (("--minerals", "phyllic", "topaz"), "has no spectrum topaz"),
        (("--spatial-block-px", 200), "lies in one spatial block"),
        (("--buffer-px", 17), "buffer-px: 17"),
        (("--buffer-px", 16), "one class only"),
        (("--folds", 1), "folds: 1"),
        (("--per-class", 1), "per-class: 1"),
        (("--cube", "gone.tif"), "gone.tif: no such raster file"),
        (("--subbands", "gone.tif"), "gone.tif: no such raster file"),
    ],
)
def test_wrong_input_is_named(folder, tmp_path, flags, said):
    flags = [folder / flag if flag == "reflectance.tif" else flag for flag in flags]
    done = score(folder, tmp_path, *flags)
    assert done.returncode == 1
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_scene_needs_ground_truth_or_a_model(folder, tmp_path):
    (folder / "other.json").write_text('{"zones": []}')
    done = score(folder, tmp_path, truth=("--model", folder / "other.json"))
    assert "other.json: not a record of score_alteration.py" in done.stderr
    model = record_of(folder / "score")
    for key in ("threshold", "code"):
        lacking = [{k: v for k, v in item.items() if k != key} for item in model["zones"]]
        (folder / "lacking.json").write_text(json.dumps(model | {"zones": lacking}))
        done = score(folder, tmp_path, truth=("--model", folder / "lacking.json"))
        assert done.returncode == 1
        assert "lacking.json: not a record of score_alteration.py" in done.stderr
    model["zones"] = model["zones"][:1]
    (folder / "half.json").write_text(json.dumps(model))
    done = score(folder, tmp_path, truth=("--model", folder / "half.json"))
    assert "has no model of the zone propylitic" in done.stderr
    done = score(folder, tmp_path, truth=("--seed", 1), tool=run_command)
    assert done.returncode == 2
    assert "--truth --model is required" in done.stderr


def describe(path, names=None, centres_um=None, **tags):
    """Change names, wavelengths or tags of a raster."""
    with rasterio.open(path, "r+") as dataset:
        if names is not None:
            dataset.descriptions = names
        for band, centre in enumerate(centres_um or (), start=1):
            dataset.update_tags(band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=str(centre))
        dataset.update_tags(**tags)
    return path


@pytest.fixture
def elsewhere(tmp_path):
    return make_zones(tmp_path / "elsewhere", synthetic=False)


def test_a_model_maps_another_scene_and_the_map_says_where_it_was_trained(
    folder, elsewhere, tmp_path
):
    # Another instrument of the series, whose bands lie a little off.
    describe(elsewhere / "reflectance.tif", centres_um=[c + 0.01 for c in CENTRES_UM])
    truth = ("--model", folder / "score" / "score.json", "--scene", "far")
    for zone in ZONES:
        assert map_zone(elsewhere, zone).returncode == 0
    done = score(elsewhere, tmp_path / "a", truth=truth)
    assert done.returncode == 0, done.stderr
    record = record_of(tmp_path / "a")
    assert record["trained_on"] == {"scene": "tiny", "synthetic": True, "file": "score.json"}
    assert record["ratios"]["al_oh"] == "(5+7)/6"
    with rasterio.open(tmp_path / "a" / "phyllic.tif") as dataset:
        tags = dataset.tags()
    assert (tags["TRAINED_ON"], tags["TRAINED_ON_SYNTHETIC"]) == ("tiny", "yes")
    assert tags["SYNTHETIC"] == "no"
    # A record of a scene that was mapped by a model leads to the scene of the model.
    truth = ("--model", tmp_path / "a" / "score.json")
    assert score(elsewhere, tmp_path / "b", truth=truth).returncode == 0
    assert record_of(tmp_path / "b")["trained_on"]["scene"] == "tiny"
    with rasterio.open(folder / "score" / "phyllic.tif") as dataset:
        assert "TRAINED_ON" not in dataset.tags()


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        (
            "cube.tif",
            {"centres_um": [1.656, 2.167, 2.209, 2.262, 2.336, 2.45]},
            "its band 9 is at 2.4 µm, here at 2.45 µm",
        ),
        (
            "reflectance.tif",
            {"centres_um": [0.556, 0.695, *CENTRES_UM[2:]]},
            "its ferric_iron 1 is at 0.661 µm, here at 0.695 µm",
        ),
        (
            "reflectance.tif",
            {"centres_um": [0.456, *CENTRES_UM[1:]]},
            "reads other features than the bands 4 5 6 7 8 9 give",
        ),
        (
            "cube.tif",
            {"NORMALISATION": "clip"},
            "a cube with normalisation unknown, here it is clip",
        ),
        ("reflectance.tif", {"ATMOSPHERE": "dos1"}, "a spectra with atmosphere unknown"),
    ],
)
def test_a_model_of_other_bands_or_corrections_is_refused(
    folder, elsewhere, tmp_path, file, change, said
):
    describe(elsewhere / file, **change)
    done = score(elsewhere, tmp_path / "out", truth=("--model", folder / "score" / "score.json"))
    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_model_of_other_bands_by_name_is_refused(folder, elsewhere, tmp_path):
    names = ("14", "5", "6", "7", "8", "9")
    describe(elsewhere / "cube.tif", names=names)
    describe(elsewhere / "reflectance.tif", names=(*BANDS[:3], *names))
    with rasterio.open(elsewhere / "subbands.tif", "r+") as dataset:
        dataset.descriptions = [
            name.replace("4 ", "14 ", 1) if name.startswith("4 ") else name
            for name in dataset.descriptions
        ]
    done = score(elsewhere, tmp_path / "out", truth=("--model", folder / "score" / "score.json"))
    assert "other features than the bands 14 5 6 7 8 9 give (it was trained on 4 5" in done.stderr


def test_a_reference_elsewhere_is_refused(folder, tmp_path):
    far = {"phyllic": [(5000, 5010, 5000, 5010)], "propylitic": [(5020, 5030, 5000, 5010)]}
    write_zones(folder / "far.gpkg", zones=far)
    done = score(folder, tmp_path, truth=("--truth", folder / "far.gpkg"))
    assert done.returncode == 1
    assert "does not overlap" in done.stderr


def test_help_is_quick():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run_command("score_alteration", "--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0
    assert "--truth" in done.stdout
    assert after.ru_utime - before.ru_utime < 1.0
