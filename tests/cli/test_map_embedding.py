import csv
import json
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from embeddings import BANDS, MINERALS, SIZE, make_model, make_stack
from samples import run_command, run_tool, write_raster

from gossan.cube.bands import SENSORS, sensors_present
from gossan.raster import read_info


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = make_stack(tmp_path_factory.mktemp("embedding"))
    make_model(made / "net.onnx")
    return made


FILES = ("class.tif", "distance.tif", "answer.tif", "areas.csv", "sensor_areas.csv", "map.json")


def command(folder, out):
    return (
        *("--stack", folder / "stack.tif", "--sensors", folder / "sensors.tif"),
        *("--onnx", folder / "net.onnx", "--classes", folder / "classes.csv"),
        *("--thresholds", folder / "thresholds.json", "--class-map", out / "class.tif"),
        *("--distance", out / "distance.tif", "--answer", out / "answer.tif"),
        *("--areas", out / "areas.csv", "--sensor-areas", out / "sensor_areas.csv"),
        *("--scene", "a-hill", "--record", out / "map.json", "--threads", 1),
    )


def map_minerals(folder, out, *flags):
    return run_tool("map_embedding", *command(folder, out), *flags)


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read()


def rows_of(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_stripes_are_named_and_everything_is_written(folder, tmp_path):
    done = map_minerals(folder, tmp_path)
    assert done.returncode == 0, done.stderr
    bits = read(folder / "sensors.tif")[0]
    codes, distances = read(tmp_path / "class.tif")[0], read(tmp_path / "distance.tif")
    answers = read(tmp_path / "answer.tif")[0]
    assert (codes[bits == 0] == 255).all()
    assert (answers[bits == 0] == 255).all()
    assert np.isnan(distances[:, bits == 0]).all()
    assert (codes[bits != 0] != 255).all()
    assert (np.isin(codes, list(MINERALS.values())) == (answers == 1)).all()
    truth = np.array(list(MINERALS.values()))[np.arange(SIZE[0]) * 3 // SIZE[0]]
    truth = np.repeat(truth[:, None], SIZE[1], axis=1)
    named = answers == 1
    assert named[bits == 31].mean() > 0.9
    assert (codes[named] == truth[named]).mean() > 0.95
    info = read_info(tmp_path / "class.tif")
    assert info.grid == read_info(folder / "stack.tif").grid
    assert info.tags["SYNTHETIC"] == "yes"
    assert info.tags["NETWORK"] == "masked"
    assert info.tags["FILLED"] == "no"
    assert read_info(tmp_path / "distance.tif").bands.names == ("distance", *MINERALS)
    for name in ("class", "answer", "distance"):
        assert (tmp_path / f"{name}.qml").exists()


def test_tables_add_up_to_the_maps(folder, tmp_path):
    assert map_minerals(folder, tmp_path).returncode == 0
    bits = read(folder / "sensors.tif")[0]
    codes, answers = read(tmp_path / "class.tif")[0], read(tmp_path / "answer.tif")[0]
    rows = rows_of(tmp_path / "areas.csv")
    assert [row["name"] for row in rows] == [*MINERALS, "unclassified", "nodata"]
    for row in rows:
        count = (codes == int(row["code"])).sum()
        assert int(row["pixels"]) == count
        assert float(row["area_ha"]) == pytest.approx(count * 0.09)
    assert sum(float(row["share"] or 0) for row in rows) == pytest.approx(1, abs=1e-5)
    for row in rows_of(tmp_path / "sensor_areas.csv"):
        own = bits != 0
        if row["sensors"] != "all":
            asked = [name in row["sensors"].split("+") for name in SENSORS]
            own = (sensors_present(bits, SENSORS) == asked).all(axis=-1)
        if row["kind"] == "class":
            found = codes == int(row["code"])
        else:
            found = answers == {"none": 2, "several": 3}[row["name"]]
        assert int(row["pixels"]) == (own & found).sum()
        assert float(row["share"]) == pytest.approx((own & found).sum() / own.sum(), abs=1e-6)


def test_bytes_do_not_depend_on_threads_nor_classes_on_blocks(folder, tmp_path):
    for name, flags in (("one", ()), ("two", ("--threads", 2)), ("blocks", ("--block-px", 16))):
        assert map_minerals(folder, tmp_path / name, *flags).returncode == 0
    for file in FILES:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    for file in ("class.tif", "answer.tif"):
        assert np.array_equal(read(tmp_path / "one" / file), read(tmp_path / "blocks" / file))
    one, other = (read(tmp_path / name / "distance.tif") for name in ("one", "blocks"))
    assert np.allclose(one, other, atol=1e-5, equal_nan=True)


def test_a_scene_without_any_sensor_is_nodata(folder, tmp_path):
    stored = np.full((len(BANDS), 20, 20), -32768, "int16")
    for name, values in (("stack", stored), ("sensors", np.zeros((20, 20), "uint8"))):
        nodata = -32768 if name == "stack" else 0
        write_raster(tmp_path / f"{name}.tif", values, nodata=nodata, scale=1e-4)
    with (
        rasterio.open(folder / "stack.tif") as source,
        rasterio.open(tmp_path / "stack.tif", "r+") as target,
    ):
        target.descriptions = source.descriptions
        for band in source.indexes:
            target.update_tags(band, ns="IMAGERY", **source.tags(band, ns="IMAGERY"))
    flags = ("--stack", tmp_path / "stack.tif", "--sensors", tmp_path / "sensors.tif")
    assert map_minerals(folder, tmp_path, *flags).returncode == 0
    assert set(np.unique(read(tmp_path / "class.tif"))) == {255}
    assert all(row["share"] == "" for row in rows_of(tmp_path / "areas.csv"))


def test_bad_input_ends_with_one_line(folder, tmp_path):
    def fails(*flags):
        done = map_minerals(folder, tmp_path / "none", *flags)
        assert done.returncode == 1
        assert not any((tmp_path / "none" / file).exists() for file in FILES)
        return done.stderr

    corrupt = tmp_path / "net.onnx"
    corrupt.write_bytes((folder / "net.onnx").read_bytes()[:-500])
    assert "net.onnx: " in fails("--onnx", corrupt)
    assert "none.onnx: no such file" in fails("--onnx", tmp_path / "none.onnx")
    assert "none.onnx: no such file" in fails("--filler", tmp_path / "none.onnx")
    classes = tmp_path / "classes.csv"
    classes.write_text((folder / "classes.csv").read_text().replace("alunite", "quartz"))
    assert "class 7 is quartz" in fails("--classes", classes)
    limits = tmp_path / "thresholds.json"
    text = json.loads((folder / "thresholds.json").read_text())
    del text["masked"]["jarosite"]
    limits.write_text(json.dumps(text))
    assert "limit of the mineral jarosite" in fails("--thresholds", limits)
    limits.write_text("{")
    assert "thresholds.json: not JSON" in fails("--thresholds", limits)
    make_model(tmp_path / "unmasked.onnx", masked=False)
    words = fails("--onnx", tmp_path / "unmasked.onnx")
    assert "thresholds.json: lacks the thresholds of the method unmasked" in words
    assert "sensors.tif: no stack of sensors" in fails("--stack", folder / "sensors.tif")
    assert "stack.tif: no raster of one uint8 band" in fails("--sensors", folder / "stack.tif")
    bits = read(folder / "sensors.tif")[0]
    wrong = write_raster(tmp_path / "wrong.tif", np.where(bits == 31, 15, bits).astype("uint8"))
    assert "wrong.tif: does not belong to" in fails("--sensors", wrong)
    small = write_raster(tmp_path / "small.tif", bits[:10])
    assert "small.tif: 50x10 pixels where 50x40" in fails("--sensors", small)


def test_only_onnx_runtime_is_loaded(folder, tmp_path, root):
    code = (
        "import runpy, sys\n"
        f"sys.argv = {json.dumps(['x', *map(str, command(folder, tmp_path))])}\n"
        f"sys.path.insert(0, {str(root / 'scripts')!r})\n"
        f"runpy.run_path({str(root / 'scripts/map_embedding.py')!r}, run_name='__main__')\n"
        "print([name for name in sys.modules if name.split('.')[0] in "
        "('tensorflow', 'keras', 'tf2onnx', 'onnx', 'sklearn', 'matplotlib') or "
        "name.startswith('gossan.') and 'training' in name or "
        "name in ('gossan.embedding.spectral_augmentation', 'gossan.library.readers')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_is_quick():
    assert run_command("map_embedding", "--help").returncode == 0
