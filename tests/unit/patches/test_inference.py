import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from gossan.errors import InputError
from gossan.legend import MapClass
from gossan.networks.onnx_session import METADATA
from gossan.patches.inference import (
    FORMAT,
    Header,
    place_windows,
    read_network,
    sample_pixels,
    to_input,
)
from gossan.raster import BandTable

CLASSES = [
    MapClass(2, "chalcocite", "Chalcocite", "#00FE00"),
    MapClass(12, "feldspar", "F", "#FE00FE"),
]
HEADER = Header(
    scene="a-hill",
    network="paper",
    kind="colour",
    bands=("red", "green", "blue"),
    centre_um=(),
    fwhm_um=(),
    patch_px=16,
    codes=(2, 12),
    names=("chalcocite", "feldspar"),
    colours={2: "#00FE00", 12: "#FE00FE"},
    protocol="blocked",
    temperature=1.5,
    synthetic=True,
)


def write_mean(path, text, bands=3, answers=1, size=150, name="patches"):
    """A network that answers the mean of its input."""
    nodes = [
        helper.make_node("ReduceMean", [name], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Slice", ["mean", "from", "to", "axis"], ["answers"]),
    ]
    numbers = {"from": [0], "to": [answers], "axis": [1]}
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size, size, bands])],
        [helper.make_tensor_value_info("answers", TensorProto.FLOAT, ["n", answers])],
        [helper.make_tensor(key, TensorProto.INT64, [1], own) for key, own in numbers.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    helper.set_model_props(model, {METADATA: text} if text is not None else {})
    onnx.save(model, path)
    return path


def test_pixels_that_a_network_is_shown():
    assert sample_pixels(150).tolist() == list(range(150))
    assert sample_pixels(75).tolist() == np.arange(75).repeat(2).tolist()
    assert sample_pixels(300).tolist() == list(range(1, 300, 2))
    for size in (16, 64, 302):
        place = sample_pixels(size)
        assert place[0] >= 0
        assert place[-1] < size
        # Turned about, a patch is shown the same pixels but for ties at half of one.
        assert np.abs(size - 1 - place[::-1] - place).max() <= 1


def test_colours_are_not_mixed():
    image = np.random.default_rng(0).choice(np.array([0, 254], np.uint8), (1, 64, 64, 3))
    shown = to_input(image)
    assert shown.dtype == np.float32
    assert set(np.unique(shown)) == {np.float32(0), np.float32(254) / np.float32(255)}
    reflectance = np.full((1, 8, 8, 2), 0.25, np.float32)
    assert (to_input(reflectance) == 0.25).all()


def test_windows_cover_their_cells_wherever_a_scene_is_cut():
    size, patch, stride = 103, 20, 7
    whole, of = place_windows(0, size, size, patch, stride)
    assert whole.min() == 0
    assert whole.max() == size - patch
    pixel = np.arange(size)
    assert (whole[of] <= pixel).all()
    assert (pixel < whole[of] + patch).all()
    for start, length in ((0, 30), (30, 41), (71, 32)):
        firsts, own = place_windows(start, length, size, patch, stride)
        assert np.array_equal(firsts[own], whole[of][start : start + length])
        assert firsts.min() >= max(0, start - patch)
        assert firsts.max() + patch <= min(size, start + length + patch)


def test_a_header_survives_its_file(tmp_path):
    network = read_network(write_mean(tmp_path / "net.onnx", HEADER.to_json()))
    assert network.header == HEADER
    inputs = np.full((3, 150, 150, 3), 0.25, np.float32)
    assert np.allclose(network.predict(inputs), [[0.75, 0.25]] * 3)


def change(**changes):
    return json.dumps(json.loads(HEADER.to_json()) | changes)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "no json",
        "[]",
        json.dumps({"format": FORMAT}),
        change(format="another"),
        change(codes=[2]),
        change(codes=[2, 255]),
        change(codes=[2, 2]),
        change(kind="sound"),
        change(patch_px=0),
        change(patch_px="wide"),
        change(bands=[]),
        change(colours=[]),
    ],
)
def test_a_file_must_say_what_it_was_trained_on(text, tmp_path):
    path = write_mean(tmp_path / "net.onnx", text)
    with pytest.raises(InputError, match=r"net\.onnx: does not say what it was trained on"):
        read_network(path)


@pytest.mark.parametrize(
    "wrong", [{"bands": 4}, {"size": 64}, {"answers": 2}, {"name": "input"}], ids=str
)
def test_a_header_must_fit_its_network(wrong, tmp_path):
    path = write_mean(tmp_path / "net.onnx", HEADER.to_json(), **wrong)
    with pytest.raises(InputError, match="does not fit its own description"):
        read_network(path)


def test_a_network_that_cannot_run_is_refused(tmp_path):
    path = write_mean(tmp_path / "net.onnx", HEADER.to_json())
    model = onnx.load(path)
    # Three numbers in rows of four: only running the network tells.
    model.graph.node[1].input[0] = "rows"
    model.graph.node.insert(1, helper.make_node("Reshape", ["mean", "shape"], ["rows"]))
    model.graph.initializer.append(helper.make_tensor("shape", TensorProto.INT64, [2], [-1, 4]))
    onnx.save(model, path)
    with pytest.raises(InputError, match=r"net\.onnx: its network cannot run"):
        read_network(path)


def test_missing_and_corrupt_files(tmp_path):
    with pytest.raises(InputError, match=r"none\.onnx: no such file"):
        read_network(tmp_path / "none.onnx")
    good = write_mean(tmp_path / "net.onnx", HEADER.to_json()).read_bytes()
    for name, content in (("empty", b""), ("text", b"hello"), ("half", good[: len(good) // 2])):
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"{name}.onnx: no readable ONNX file"):
            read_network(path)


def test_another_class_list_is_refused():
    HEADER.require_classes(CLASSES, "classes.csv")
    renamed = [CLASSES[0], MapClass(12, "quartz", "Quartz", "#FE00FE")]
    with pytest.raises(InputError, match=r"classes\.csv: class 12 is quartz .* feldspar"):
        HEADER.require_classes(renamed, "classes.csv")
    with pytest.raises(InputError, match="class 12 is missing"):
        HEADER.require_classes(CLASSES[:1], "classes.csv")
    repainted = [CLASSES[0], MapClass(12, "feldspar", "F", "#0000FF")]
    with pytest.raises(InputError, match="class 12 has the colour #0000FF"):
        HEADER.require_classes(repainted, "classes.csv")
    with pytest.raises(InputError, match=r"class 6 has the colour #4FC3F7 .* with none"):
        HEADER.require_classes([*CLASSES, MapClass(6, "calcite", "C", "#4FC3F7")], "classes.csv")


def test_bands_are_found_by_name_and_other_ones_are_refused():
    header = replace(HEADER, bands=("4", "1"), centre_um=(0.655, 0.443), fwhm_um=(0.038, 0.016))
    cube = BandTable(("1", "2", "4"), (0.443, 0.482, 0.654), (0.016, 0.06, 0.037))
    assert header.find_bands(cube, "cube.tif") == [2, 0]
    assert header.find_bands(BandTable(cube.names), "cube.tif") == [2, 0]
    with pytest.raises(InputError, match=r"cube\.tif: lacks the band 1 that the network"):
        header.find_bands(BandTable(("2", "4"), (0.482, 0.654), (0.06, 0.037)), "cube.tif")
    moved = replace(cube, centre_um=(0.447, 0.482, 0.654))
    with pytest.raises(InputError, match=r"cube\.tif: a band lies 4\.0 nm from .* with it, 1;"):
        header.find_bands(moved, "cube.tif")
