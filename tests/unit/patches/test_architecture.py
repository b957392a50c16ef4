"""Networks in Keras and as ONNX: sizes, agreement, and files that must not be opened."""

import json
import zipfile

import numpy as np
import pytest

from gossan.errors import InputError
from gossan.networks.keras_files import (
    describe_layers,
    read_keras,
    write_keras,
)
from gossan.networks.onnx_export import export_network
from gossan.networks.onnx_session import METADATA
from gossan.patches.architecture import (
    PAPER_PARAMETERS,
    Training,
    build_network,
)
from gossan.patches.inference import Header, read_network, to_input, to_probabilities

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.usefixtures("one_thread")


def header(bands=3, classes=2, **changes):
    values = {
        "scene": "a-hill",
        "network": "paper",
        "kind": "colour",
        "bands": tuple(f"b{band}" for band in range(bands)),
        "centre_um": (),
        "fwhm_um": (),
        "patch_px": 16,
        "codes": tuple(range(1, classes + 1)),
        "names": tuple(f"class{code}" for code in range(1, classes + 1)),
        "colours": dict.fromkeys(range(1, classes + 1), "#0000FF"),
        "protocol": "blocked",
        "temperature": 1.0,
        "synthetic": True,
    }
    return Header(**(values | changes))


def randomise(model):
    """Give every weight, biases too, a random value of the size that training gives it."""
    generator = np.random.default_rng(4)
    model.set_weights(
        [values + generator.normal(0, 0.05, values.shape) for values in model.get_weights()]
    )
    return model


def test_the_papers_network_layer_by_layer():
    model = build_network("paper", 3, 2)
    assert model.count_params() == PAPER_PARAMETERS == 4_297_825
    shapes = {layer["name"]: tuple(layer["shape"]) for layer in describe_layers(model)}
    assert shapes["conv1"] == (148, 148, 32)
    assert shapes["conv2"] == (74, 74, 32)
    assert shapes["conv3"] == (37, 37, 64)
    assert shapes["conv4"] == (16, 16, 128)
    assert shapes["pool4"] == (8, 8, 128)
    assert shapes["dense"] == (512,)
    assert shapes["score"] == (1,)
    assert sum(layer["parameters"] for layer in describe_layers(model)) == PAPER_PARAMETERS
    # Twelve more answers of 512 weights and a bias.
    assert build_network("paper", 3, 13).count_params() == PAPER_PARAMETERS + 12 * 513
    assert build_network("paper", 7, 2).count_params() == PAPER_PARAMETERS + 4 * 9 * 32


@pytest.mark.parametrize(("bands", "classes"), [(3, 2), (7, 2), (285, 13)])
def test_the_compact_network_has_less_than_a_tenth(bands, classes):
    assert build_network("compact", bands, classes).count_params() < 430_000


@pytest.mark.parametrize("network", ["paper", "compact"])
@pytest.mark.parametrize(("bands", "classes"), [(3, 2), (4, 5)])
def test_keras_and_onnx_agree(network, bands, classes, tmp_path):
    model = randomise(build_network(network, bands, classes))
    path = tmp_path / "net.onnx"
    own = header(bands, classes, network=network)
    path.write_bytes(export_network(model, {METADATA: own.to_json()}))
    stored = read_network(path)
    assert stored.header == own
    images = np.random.default_rng(1).random((11, 16, 16, bands), np.float32)
    inputs = to_input(images)
    expected = to_probabilities(model.predict_on_batch(inputs))
    found = stored.predict(inputs)
    assert found.shape == (11, classes)
    assert np.abs(found - expected).max() < 1e-5
    # An untrained network that answered the same for all would agree with anything.
    assert np.ptp(expected[:, 0]) > 1e-4


def test_answers_do_not_depend_on_the_company(tmp_path):
    path = tmp_path / "net.onnx"
    model = randomise(build_network("paper", 3, 2))
    path.write_bytes(export_network(model, {METADATA: header().to_json()}))
    network = read_network(path)
    inputs = np.random.default_rng(1).random((10, 150, 150, 3), np.float32)
    together = network.predict(inputs)
    alone = np.concatenate([network.predict(inputs[place : place + 1]) for place in range(10)])
    assert np.array_equal(together, alone)
    assert network.predict(inputs[:0]).shape == (0, 2)


def test_equal_weights_give_equal_bytes(tmp_path):
    weights = None
    for name in ("a", "b"):
        model = build_network("compact", 3, 2)
        weights = model.get_weights() if weights is None else weights
        model.compile("adam", "binary_crossentropy")
        model.set_weights(weights)
        write_keras(tmp_path / f"{name}.keras", model)
        (tmp_path / f"{name}.onnx").write_bytes(export_network(model, {"b": "2", "a": "1"}))
    for suffix in ("keras", "onnx"):
        first, second = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("a", "b"))
        assert first == second
    again = read_keras(tmp_path / "a.keras")
    for own, other in zip(again.get_weights(), weights, strict=True):
        assert np.array_equal(own, other)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("a.keras", "a.onnx", "b.keras", "b.onnx"),
    ]


def test_an_unknown_layer_is_not_exported():
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.UpSampling2D()])
    with pytest.raises(ValueError, match="UpSampling2D"):
        export_network(model, {})


def test_a_lambda_layer_is_refused_and_not_run(tmp_path, monkeypatch):
    mark = tmp_path / "ran"
    monkeypatch.setenv("MARK", str(mark))

    # Only a lambda expression is stored as code; a named function is stored by its name.
    leave_mark = lambda values: [open(__import__("os").environ["MARK"], "w").close(), values][1]  # noqa: E731, PTH123
    model = keras.Sequential(
        [keras.Input((4, 4, 3)), keras.layers.Lambda(leave_mark, output_shape=(4, 4, 3))]
    )
    model.save(tmp_path / "net.keras")
    # Without the refusal, the file's code would run.
    keras.models.load_model(tmp_path / "net.keras", safe_mode=False)(np.zeros((1, 4, 4, 3)))
    assert mark.exists()
    mark.unlink()
    with pytest.raises(InputError, match=r"'Lambda'.*not opened"):
        read_keras(tmp_path / "net.keras")
    assert not mark.exists()


def rewrite(source, target, **changes):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = changes.get(name.split(".")[0], lambda text: text)(old.read(name))
            if content is not None:
                new.writestr(name, content)
    return target


def test_other_keras_files_are_refused(tmp_path):
    good = tmp_path / "good.keras"
    write_keras(good, build_network("compact", 3, 2))

    def disguise(content):
        config = json.loads(content)
        config["config"]["layers"][-1]["module"] = "os"
        return json.dumps(config)

    faults = {
        "missing": ("no such file", None),
        "text": ("no readable", b"not an archive"),
        "half": ("no readable", good.read_bytes()[:2000]),
    }
    for name, (words, content) in faults.items():
        path = tmp_path / f"{name}.keras"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError, match=words) as fault:
            read_keras(path)
        assert f"{name}.keras" in str(fault.value)
    packed = tmp_path / "packed.keras"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps({str(place): place for place in range(999)}))
    content = bytearray(packed.read_bytes())
    content[100:140] = bytes(40)
    packed.write_bytes(content)
    with pytest.raises(InputError, match=r"packed\.keras: no readable Keras file"):
        read_keras(packed)
    with pytest.raises(InputError, match="contains 'os'"):
        read_keras(rewrite(good, tmp_path / "module.keras", config=disguise))
    with pytest.raises(InputError, match=r"lacks or adds metadata\.json"):
        read_keras(rewrite(good, tmp_path / "bare.keras", metadata=lambda text: None))
    with pytest.raises(InputError, match="no readable"):
        read_keras(rewrite(good, tmp_path / "weights.keras", model=lambda text: text[:500]))
    with pytest.raises(InputError, match="no readable"):
        read_keras(rewrite(good, tmp_path / "list.keras", config=lambda text: b"[[]]"))


@pytest.mark.parametrize(
    "changes", [{"epochs": 0}, {"batch": 0}, {"seed": -1}, {"threads": 0}, {"rate": 0.0}]
)
def test_numbers_without_meaning_are_refused(changes):
    with pytest.raises(InputError, match=next(iter(changes))):
        Training(**{"epochs": 1, "rate": 0.1, "seed": 1, "threads": 1} | changes)


def test_an_unknown_network_is_refused():
    with pytest.raises(InputError, match="choose from paper compact"):
        build_network("deep", 3, 2)
