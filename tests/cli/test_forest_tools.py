import csv
import json

import geopandas
import jsonschema
import numpy as np
import pytest
import rasterio
from samples import CRS, ORIGIN, PIXEL_M, run_tool, write_raster

SIZE = 72
CLASSES = "code,name,label,colour\n1,ore,Ore,#FF0000\n2,soil,Soil,#00FF00\n3,mixed,Mixed,#0000FF\n"
PLANS = [
    {"name": "pixel"},
    {"name": "focal", "layers": "all", "windows_px": [3, 9], "min_samples_split": 2},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("forest")
    generator = np.random.default_rng(3)
    truth = 1 + np.add.outer(np.arange(SIZE) // 12, np.arange(SIZE) // 12) % 3
    cube = (1000 * truth + 900 * generator.normal(size=(4, SIZE, SIZE)) + 3000).astype("int16")
    cube[:, :6, :7] = -32768
    tags = {"SYNTHETIC": "yes"}
    write_raster(made / "cube.tif", cube, nodata=-32768, scale=1e-4, tags=tags)
    coarse = generator.random((40, 40)).astype("f4")
    write_raster(made / "magnetics.tif", coarse, pixel=60)
    write_raster(made / "truth.tif", truth.astype("uint8"), nodata=255)
    row, column = (part.ravel() for part in np.mgrid[0:SIZE:3, 0:SIZE:3])
    names = np.array(["", "ore", "soil", "mixed"])[truth[row, column]]
    split = np.where(generator.random(len(row)) < 0.3, "test", "train")
    x = ORIGIN[0] + (column + 0.5) * PIXEL_M
    y = ORIGIN[1] - (row + 0.5) * PIXEL_M
    points = geopandas.GeoDataFrame(
        {"class": names, "split": split}, geometry=geopandas.points_from_xy(x, y), crs=CRS
    )
    points.to_crs("EPSG:4326").to_file(made / "samples.gpkg")
    lines = [f"{a},{b},{c}" for a, b, c in zip(x, y, truth[row, column], strict=True)]
    train = [line for line, part in zip(lines, split, strict=True) if part == "train"]
    (made / "train.csv").write_text("\n".join(["X,Y,TARGET", *train]) + "\n")
    (made / "all.csv").write_text("\n".join(["X,Y,TARGET", *lines]) + "\n")
    (made / "classes.csv").write_text(CLASSES)
    (made / "plans.json").write_text(json.dumps(PLANS))
    (made / "plan.json").write_text(json.dumps(PLANS[0]))
    return made


def validate(folder, out, *flags, samples=("samples.gpkg",), threads=1):
    return run_tool(
        "validate_forest",
        *("--cube", folder / "cube.tif", "--extra", folder / "magnetics.tif"),
        *("--samples", folder / samples[0], "--label", "class", *flags),
        *("--classes", folder / "classes.csv"),
        *("--plans", folder / "plans.json", "--scene", "tiny", "--spatial-block-px", 12),
        *(
            "--folds",
            4,
            "--chosen-by",
            "blocked",
            "--explain",
            "importance",
            "shap",
            "--bootstrap",
            200,
            "--threads",
            threads,
        ),
        *("--seed", 42),
        *("--table", out / "scores.csv", "--record-dir", out, "--chosen", out / "chosen.json"),
        *("--importance", out / "importance.csv", "--shap", out / "shap.csv"),
    )


def train(folder, out, *flags, threads=1, samples="samples.gpkg"):
    points = ("--samples", folder / samples) if samples else ()
    return run_tool(
        "train_forest",
        *("--cube", folder / "cube.tif", "--extra", folder / "magnetics.tif"),
        *(*points, "--classes", folder / "classes.csv"),
        *("--forest", out / "forest.npz", "--record", out / "forest.json", "--scene", "tiny"),
        *("--label", "class", "--per-class", 150, "--seed", 42, "--plan", folder / "plan.json"),
        *("--threads", threads, *flags),
    )


def draw(folder, out, *flags, threads=1):
    return run_tool(
        "map_forest",
        *("--cube", folder / "cube.tif", "--extra", folder / "magnetics.tif"),
        *("--forest", out / "forest.npz", "--classes", folder / "classes.csv", "--scene", "tiny"),
        *("--class-map", out / "class.tif", "--probability", out / "probability.tif"),
        *("--uncertainty", out / "uncertainty.tif", "--threads", threads, *flags),
    )


def rows_of(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def tested(folder):
    done = validate(folder, folder / "tested")
    assert done.returncode == 0, done.stderr
    return folder / "tested"


def test_records_keep_the_schema_and_no_training_point_is_tested(folder, tested, root):
    schema = json.loads((root / "workflow/schemas/accuracy.schema.json").read_text())
    names = {
        f"{plan}-{way}.json"
        for plan in ("pixel", "focal", "chosen")
        for way in ("random", "blocked", "carried")
    }
    assert {path.name for path in tested.glob("*-*.json")} == names
    split = geopandas.read_file(folder / "samples.gpkg")["split"].to_numpy()
    for name in names:
        record = json.loads((tested / name).read_text())
        jsonschema.validate({"study": "x", "records": [record]}, schema)
        assert record["synthetic"] is True
        # 2 x 3 of the points lie in the hole.
        assert "6 points lie on nodata" in record["reference"]["note"]
        if "random" not in name:
            assert record["n"] == len(split) - 6
        else:
            assert (split == "test").sum() - 6 <= record["n"] <= (split == "test").sum()
        score = record["scores"]["overall_accuracy"]
        assert score["low"] <= score["value"] <= score["high"]


def test_gains_importance_and_shap_tell_signal_from_noise(tested):
    scores = {(row["protocol"], row["plan"]): row for row in rows_of(tested / "scores.csv")}
    assert len(scores) == 9
    for way in ("random", "blocked"):
        assert float(scores[way, "pixel"]["gain_kappa"]) == 0
        assert float(scores[way, "focal"]["gain_overall_accuracy_low"]) > 0.05
        assert set(scores[way, "chosen"]["plans"].split()) == {"focal"}
    assert json.loads((tested / "chosen.json").read_text())["name"] == "focal"
    loss = {
        row["layer"]: float(row["loss"])
        for row in rows_of(tested / "importance.csv")
        if row["plan"] == "focal" and row["protocol"] == "blocked"
    }
    assert set(loss) == {"band_1", "band_2", "band_3", "band_4", "magnetics"}
    assert max(loss, key=loss.get) != "magnetics"
    assert abs(loss["magnetics"]) < 0.05
    size = {}
    for row in rows_of(tested / "shap.csv"):
        if row["plan"] == "focal":
            size[row["layer"]] = size.get(row["layer"], 0) + float(row["mean_abs"])
    assert min(size, key=size.get) == "magnetics"


def test_a_csv_with_a_published_split_is_validated(folder, tmp_path):
    flags = ("--test", folder / "all.csv", "--label", "TARGET")
    done = validate(folder, tmp_path, *flags, samples=("train.csv",))
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "pixel-random.json").read_text())
    assert "points lie in training pixels; left out" in record["reference"]["note"]
    again = json.loads((folder / "tested" / "pixel-random.json").read_text())
    assert record["confusion_matrix"]["counts"] == again["confusion_matrix"]["counts"]


def test_train_and_map_give_the_same_bytes_for_any_threads(folder, tested, tmp_path):
    results = []
    for threads in (1, 2):
        out = tmp_path / str(threads)
        done = train(folder, out, "--plan", tested / "chosen.json", threads=threads)
        assert done.returncode == 0, done.stderr
        done = draw(folder, out, "--block-px", 32, threads=threads)
        assert done.returncode == 0, done.stderr
        names = ("forest.npz", "class.tif", "probability.tif", "uncertainty.tif", "class.qml")
        results.append([(out / name).read_bytes() for name in names])
    assert results[0] == results[1]
    with rasterio.open(out / "class.tif") as dataset:
        mapped = dataset.read(1)
        assert dataset.tags()["SYNTHETIC"] == "yes"
    with rasterio.open(out / "probability.tif") as dataset:
        probability = dataset.read() * 1e-4
        assert dataset.descriptions == ("ore", "soil", "mixed")
    with rasterio.open(folder / "truth.tif") as dataset:
        truth = dataset.read(1)
    assert (mapped[:6, :7] == 255).all()
    clear = mapped != 255
    assert clear.sum() == SIZE**2 - 42
    assert (mapped == truth)[clear].mean() > 0.85
    assert np.allclose(probability[:, clear].sum(axis=0), 1, atol=3e-4)
    record = json.loads((out / "forest.json").read_text())
    assert any("magnetics.tif: resampled" in note for note in record["notes"])


def test_training_pixels_may_be_drawn_from_a_map(folder, tmp_path):
    drawn = ("--label-map", folder / "truth.tif", "--per-class", 40)
    runs = {"a": (512, 1), "b": (20, 2)}
    for name, (block, threads) in runs.items():
        done = train(
            *(folder, tmp_path / name, *drawn, "--block-px", block, "--threads", threads),
            samples=None,
        )
        assert done.returncode == 0, done.stderr
    first, second = ((tmp_path / name / "forest.npz").read_bytes() for name in runs)
    assert first == second
    record = json.loads((tmp_path / "a" / "forest.json").read_text())
    # The further raster does not reach all of the drawn pixels.
    assert all(30 < item["points"] <= 40 for item in record["classes"])
    done = train(folder, tmp_path / "c", "--label-map", folder / "cube.tif", samples=None)
    assert done.returncode == 1
    assert "is not in the class table" in done.stderr


def spoilt(folder, tmp_path, text):
    (tmp_path / "bad.csv").write_text(text)
    return train(folder, tmp_path, "--samples", tmp_path / "bad.csv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x,class\n1,ore\n", "lacks the column y"),
        ("x,y\n1,2\n", "lacks the column class"),
        ("east,north,class\n1,2,ore\n", "to place the samples, or x and y in the cube's system"),
        ("x,y,class\n430015,3989985,lava\n", "unknown classes in class: lava"),
        ("x,y,class\n430015,3989985,lava\n", "give a table of your own classes"),
        ("x,y,class\n1,1,ore\n", "no labelled point lies on the cube"),
        (
            "longitude,latitude,class\n36.0518,74.2231,ore\n",
            "latitude stands first in it; exchange",
        ),
        ("x,y,class\n430015,no,ore\n", "the column y holds no number"),
        ("x,y,class,split\n430015,3989985,ore,valid\n", "neither train nor test"),
        ("x,y,class\n430015,3989985,ore\n", "all points lie on nodata"),
        (
            "x,y,class\n431015,3988985,ore\n431315,3988985,ore\n431615,3988985,soil\n",
            "soil has one",
        ),
        ("x,y,class\n431015,3988985,ore\n431315,3988985,ore\n", "fewer than two classes"),
    ],
)
def test_samples_that_cannot_train_are_refused(folder, tmp_path, text, words):
    done = spoilt(folder, tmp_path, text)
    assert done.returncode == 1
    assert words in done.stderr
    assert not (tmp_path / "forest.npz").exists()


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"windows": [3]}, "key 'windows' is unknown"),
        ({"windows_px": [4]}, "odd sides"),
        ({"trees": "oak"}, "trees 'oak'"),
        ({"layers": "some"}, "layers is 'some'"),
        ({"estimators": "50"}, "estimators is '50'"),
        ([], "holds no plan"),
        (PLANS, "holds 2 plans"),
    ],
)
def test_plans_without_meaning_are_refused(folder, tmp_path, plan, words):
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    done = train(folder, tmp_path, "--plan", tmp_path / "plan.json")
    assert done.returncode == 1
    assert words in done.stderr


def test_a_forest_of_other_layers_or_classes_is_refused(folder, tested, tmp_path):
    assert train(folder, tmp_path, "--plan", tested / "chosen.json").returncode == 0
    (tmp_path / "few.csv").write_text(CLASSES.replace("3,mixed,Mixed,#0000FF\n", ""))
    done = draw(folder, tmp_path, "--classes", tmp_path / "few.csv")
    assert "lacks classes of" in done.stderr
    done = draw(folder, tmp_path, "--extra", folder / "truth.tif")
    assert "no layer 'magnetics'" in done.stderr
