import csv
import json
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from network_scenes import PATCH_PX, cut, make_ground, train
from samples import run_tool, write_raster

from gossan.legend import read_classes
from gossan.patches.cutting import render_codes
from gossan.patches.inference import read_network, to_input
from gossan.raster import read_info


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = cut(make_ground(tmp_path_factory.mktemp("cnn") / "scene"))
    for name, images in (("colour", 200), ("reflectance", 40)):
        done = train(
            made,
            made / name,
            *("--network", "compact", "--epochs", 12 if name == "colour" else 1),
            patches=f"{name}.npz",
            images=images,
        )
        assert done.returncode == 0, done.stderr
    return made


def command(folder, out, network="colour"):
    return (
        *("--onnx", folder / network / "net.onnx", "--class-map", folder / "class.tif"),
        *("--classes", folder / "classes.csv", "--output", out / "class.tif"),
        *("--probability", out / "probability.tif", "--proportions", out / "proportions.csv"),
        *("--pixels", out / "pixels.csv", "--threads", 1, "--points-per-class", 1000),
        *("--min-label-share", 0.01, "--max-background-share", 0.9),
        *("--scene", "tiny", "--record", out / "map.json"),
    )


def classify(folder, out, *flags, network="colour"):
    return run_tool("classify_patches", *command(folder, out, network), *flags)


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(), dataset


def rows_of(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_maps_hold_the_answers_of_their_windows(folder, tmp_path):
    done = classify(folder, tmp_path, "--stride-px", 6)
    assert done.returncode == 0, done.stderr
    codes, source = read(folder / "class.tif")
    answers, dataset = read(tmp_path / "class.tif")
    chances, _ = read(tmp_path / "probability.tif")
    assert dataset.transform == source.transform
    assert dataset.crs == source.crs
    assert read_info(tmp_path / "class.tif").tags["SYNTHETIC"] == "yes"
    assert (answers[0][codes[0] == 255] == 255).all()
    assert (chances[:, codes[0] == 255] == -32768).all()
    network = read_network(folder / "colour/net.onnx")
    painted = render_codes(codes[0], read_classes(folder / "classes.csv"))
    for row, column in ((127, 127), (64, 30), (7, 60), (100, 3)):
        top, left = (
            np.clip(place // 6 * 6 + 3 - PATCH_PX // 2, 0, 128 - PATCH_PX)
            for place in (row, column)
        )
        window = painted[top : top + PATCH_PX, left : left + PATCH_PX]
        expected = network.predict(to_input(window[None]))[0]
        assert answers[0, row, column] == (2, 12)[expected.argmax()]
        assert np.allclose(chances[1:, row, column] * 1e-4, expected, atol=6e-5)
        assert chances[0, row, column] == chances[1:, row, column].max()


def test_the_map_is_right_where_one_class_covers_a_window(folder, tmp_path):
    assert classify(folder, tmp_path, "--stride-px", 16).returncode == 0
    codes, answers = read(folder / "class.tif")[0][0], read(tmp_path / "class.tif")[0][0]
    named = np.isin(codes, [2, 12]) & (answers != 0)
    assert (codes[named] == answers[named]).mean() > 0.95


def test_bytes_do_not_depend_on_threads_nor_pixels_on_blocks(folder, tmp_path):
    for name, flags in (
        ("one", ("--threads", 1)),
        ("two", ("--threads", 2)),
        ("blocks", ("--block-px", 48)),
    ):
        assert classify(folder, tmp_path / name, *flags).returncode == 0
    for file in ("class.tif", "probability.tif", "proportions.csv", "pixels.csv"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    for file in ("class.tif", "probability.tif"):
        one, other = (read(tmp_path / name / file)[0] for name in ("one", "blocks"))
        assert np.array_equal(one, other)


def test_proportions_and_coordinates_of_exact_colours(folder, tmp_path):
    assert classify(folder, tmp_path, "--points-per-class", 9).returncode == 0
    codes, source = read(folder / "class.tif")
    answers = read(tmp_path / "class.tif")[0][0]
    painted = render_codes(codes[0], read_classes(folder / "classes.csv"))
    rows = rows_of(tmp_path / "proportions.csv")
    assert [row["name"] for row in rows] == ["chalcocite", "feldspar", "calcite", "background"]
    clear = (codes != 255).sum()
    for row in rows[:3]:
        exact = (painted == np.array(list(bytes.fromhex(row["colour"][1:])))).all(axis=-1).sum()
        assert int(row["pixels"]) == exact
        assert float(row["share"]) == pytest.approx(exact / clear, abs=1e-6)
        assert int(row["answer_pixels"]) == (answers == int(row["code"])).sum()
    assert sum(int(row["pixels"]) for row in rows) == clear
    points = rows_of(tmp_path / "pixels.csv")
    assert len(points) == 3 * 9
    names = {2: "chalcocite", 12: "feldspar"}
    for point in points:
        row, column = int(point["row"]), int(point["column"])
        assert codes[0, row, column] == int(point["code"])
        assert names[answers[row, column]] == point["answer"]
        x, y = source.xy(row, column)
        assert (float(point["x"]), float(point["y"])) == pytest.approx((x, y))
        assert 70 < float(point["lon"]) < 80
    chances = [float(point["probability"]) for point in points[:9]]
    assert chances == sorted(chances, reverse=True)


def test_windows_unlike_the_trained_ones_get_no_answer(folder, tmp_path):
    flags = ("--min-label-share", 1.0)
    assert classify(folder, tmp_path, *flags).returncode == 0
    assert set(np.unique(read(tmp_path / "class.tif")[0])) == {0, 255}
    assert (read(tmp_path / "probability.tif")[0] == -32768).all()
    assert rows_of(tmp_path / "pixels.csv") == []


def test_a_network_of_reflectance_reads_the_cube(folder, tmp_path):
    done = classify(folder, tmp_path, "--cube", folder / "cube.tif", network="reflectance")
    assert done.returncode == 0, done.stderr
    assert set(np.unique(read(tmp_path / "class.tif")[0])) <= {0, 2, 12, 255}
    done = classify(folder, tmp_path / "none", network="reflectance")
    assert "cube: the network was trained on reflectance" in done.stderr
    bands, _ = read(folder / "cube.tif")
    write_raster(tmp_path / "cube.tif", bands[:3], nodata=-32768, scale=1e-4)
    done = classify(
        folder, tmp_path / "none", "--cube", tmp_path / "cube.tif", network="reflectance"
    )
    assert "cube.tif: lacks the band band_4 that the network was trained with" in done.stderr
    assert not (tmp_path / "none").exists()


def test_bad_input_ends_with_one_line(folder, tmp_path):
    def fails(*flags):
        done = classify(folder, tmp_path / "none", *flags)
        assert done.returncode == 1
        assert not (tmp_path / "none/class.tif").exists()
        return done.stderr

    corrupt = tmp_path / "net.onnx"
    corrupt.write_bytes((folder / "colour/net.onnx").read_bytes()[:-500])
    assert "net.onnx: " in fails("--onnx", corrupt)
    assert "none.onnx: no such file" in fails("--onnx", tmp_path / "none.onnx")
    classes = tmp_path / "classes.csv"
    text = (folder / "classes.csv").read_text()
    classes.write_text(text.replace("feldspar", "quartz"))
    assert "class 12 is quartz" in fails("--classes", classes)
    classes.write_text(text.replace("#00FE00", "#00FF00"))
    assert "class 2 has the colour #00FF00" in fails("--classes", classes)
    write_raster(tmp_path / "small.tif", np.full((10, 40), 2, "uint8"), nodata=255)
    assert "small.tif: its 40x10 pixels are fewer" in fails("--class-map", tmp_path / "small.tif")
    write_raster(tmp_path / "other.tif", np.full((40, 40), 3, "uint8"), nodata=255)
    assert "other.tif: class 3 is not in the table" in fails("--class-map", tmp_path / "other.tif")
    assert "cube.tif: no class map" in fails("--class-map", folder / "cube.tif")
    assert "stride-px: 17 is not from 1 to 16" in fails("--stride-px", 17)
    assert "max-background-share: 2 is not a share" in fails("--max-background-share", 2)
    assert "points-per-class" in fails("--points-per-class", 0)


def test_tensorflow_is_never_imported(folder, tmp_path, root):
    code = (
        "import runpy, sys\n"
        f"sys.argv = {json.dumps(['x', *map(str, command(folder, tmp_path))])}\n"
        f"sys.path.insert(0, {str(root / 'scripts')!r})\n"
        f"runpy.run_path({str(root / 'scripts/classify_patches.py')!r}, run_name='__main__')\n"
        "print([name for name in sys.modules if name.split('.')[0] in "
        "('tensorflow', 'keras', 'tf2onnx', 'onnx', 'sklearn', 'matplotlib')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_network_that_was_not_trained_leaves_maps_without_an_answer(folder, tmp_path):
    (tmp_path / "none").mkdir()
    (tmp_path / "none/net.onnx").touch()
    done = classify(folder, tmp_path, "--onnx", tmp_path / "none/net.onnx")
    assert done.returncode == 0, done.stderr
    codes, answers = (read(place / "class.tif")[0][0] for place in (folder, tmp_path))
    np.testing.assert_array_equal(answers, np.where(codes == 255, 255, 0))
    assert (
        np.isnan(read_info(tmp_path / "probability.tif").nodata)
        or (
            read(tmp_path / "probability.tif")[0] == read_info(tmp_path / "probability.tif").nodata
        ).all()
    )
    painted = {row["name"]: int(row["pixels"]) for row in rows_of(tmp_path / "proportions.csv")}
    assert painted["feldspar"] == (codes == 12).sum()
    assert rows_of(tmp_path / "pixels.csv") == []
    assert json.loads((tmp_path / "map.json").read_text())["network"] is None
