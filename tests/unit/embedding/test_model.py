import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from gossan.cube.bands import StackBands, lay_out
from gossan.embedding.model import (
    FORMAT,
    METADATA,
    Branch,
    Header,
    export_model,
    load_model,
    normalise,
    read_model,
    sensors_seen,
    sharpeners,
    write_model,
)
from gossan.errors import InputError
from gossan.legend import MapClass
from gossan.raster import BandTable

MINERALS = ("alunite", "calcite")


def make_bands():
    narrow = np.arange(0.42, 2.4, 0.02)
    names = tuple(f"B{place:03d}" for place in range(len(narrow)))
    return lay_out(
        {
            "emit": BandTable(names, tuple(narrow.tolist()), (0.0085,) * len(narrow)),
            "sentinel2": BandTable(
                ("B2", "B4", "B11"), (0.4927, 0.6646, 1.61), (0.064, 0.03, 0.09)
            ),
        }
    )[0]


BANDS = make_bands()
BANDS_COUNT = len(BANDS)
HEADER = Header(
    scene="a-hill",
    bands=BANDS,
    minerals=MINERALS,
    codes=(7, 6),
    embedding=6,
    max_masked=1,
    libraries=("library.csv",),
    modelled=True,
    records=(2, 1),
)


def make_branches(count=1, size=6):
    generator = np.random.default_rng(3)
    return [
        Branch(
            generator.normal(0, 0.2, (len(BANDS), 24)).astype(np.float32),
            generator.normal(0, 0.2, 24).astype(np.float32),
            generator.normal(0, 0.2, (24, size // count)).astype(np.float32),
            generator.normal(0, 0.2, size // count).astype(np.float32),
        )
        for _ in range(count)
    ]


REFERENCES = np.random.default_rng(4).uniform(0.1, 0.7, (3, len(BANDS))).astype(np.float32)


@pytest.fixture
def model(tmp_path):
    write_model(tmp_path / "net.onnx", HEADER, make_branches(), REFERENCES)
    return read_model(tmp_path / "net.onnx")


def spectra(count=50, seed=0):
    return np.random.default_rng(seed).uniform(0.05, 0.8, (count, len(BANDS))).astype(np.float32)


def by_hand(values, branches):
    seen = normalise(values.astype(np.float64), BANDS)
    parts = []
    for branch in branches:
        hidden = np.maximum(seen @ branch.hidden + branch.hidden_bias, 0)
        output = hidden @ branch.output + branch.output_bias
        parts.append(output / np.linalg.norm(output, axis=1, keepdims=True))
    return np.concatenate(parts, axis=1) / np.sqrt(len(branches))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_file_computes_what_the_formulas_say(count):
    branches = make_branches(count)
    model = load_model(export_model(HEADER, branches, REFERENCES), "here")
    values = spectra()
    values[:10, BANDS.part("emit")] = 0
    found = model.embed(values)
    assert found.dtype == np.float32
    assert np.allclose(found, by_hand(values, branches), atol=1e-5)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def test_a_header_and_its_references_survive(model):
    assert model.header == HEADER
    assert model.header.masked
    assert np.array_equal(model.references, REFERENCES)


def test_distances_are_to_the_nearest_reference_with_the_same_sensors(model):
    values = spectra(40)
    values[::2, BANDS.part("sentinel2")] = 0
    found = model.distances(values)
    assert found.shape == (40, 2)
    own = model.embed(values)
    for row in range(40):
        shown = np.where(values[row] > 0, REFERENCES, 0)
        away = np.linalg.norm(model.embed(shown) - own[row], axis=1)
        assert np.allclose(found[row], [away[:2].min(), away[2]], atol=2e-3)
    # A reference is nowhere, whichever sensors are left.
    for part in (slice(0, 0), BANDS.part("emit"), BANDS.part("sentinel2")):
        shown = REFERENCES.copy()
        shown[:, part] = 0
        assert np.allclose(model.distances(shown)[[0, 1, 2], [0, 0, 1]], 0, atol=1e-3)


def test_a_reference_without_the_sensor_is_far(tmp_path):
    references = REFERENCES.copy()
    references[2, BANDS.part("emit")] = 0
    model = load_model(export_model(HEADER, make_branches(), references), "here")
    values = spectra(5)
    values[:, BANDS.part("sentinel2")] = 0
    found = model.distances(values)
    assert (found[:, 1] == 2).all()
    assert (found[:, 0] < 1.3).all()


def test_light_and_grain_size_change_nothing(model):
    values = np.random.default_rng(1).uniform(0.1, 0.5, (20, len(BANDS))).astype(np.float32)
    own = model.embed(values)
    assert np.abs(model.embed(1.7 * values) - own).max() < 1e-4
    # Twice the way of light squares the reflectance; only flat spectra are held back.
    away = np.abs(model.embed(values**1.3) - own).max(axis=1)
    assert np.median(away) < 0.005
    assert away.max() < 0.05


def test_absent_sensors_are_zero_to_the_first_layer():
    values = spectra()
    values[:, BANDS.part("emit")] = 0
    seen = normalise(values, BANDS)
    assert (seen[:, BANDS.part("emit")] == 0).all()
    own = seen[:, BANDS.part("sentinel2")]
    assert np.allclose(own.mean(axis=1), 0, atol=1e-5)
    # Flat spectra are held back, so that their noise does not look like absorptions.
    assert (own.std(axis=1) <= 1).all()
    assert np.median(own.std(axis=1)) > 0.98


def test_sharpening_prefers_narrow_absorptions():
    part = BANDS.part("emit")
    centre = np.array(BANDS.centre_um[part])
    matrix = sharpeners(BANDS)[0]
    narrow = np.exp(-0.5 * ((centre - 2.2) / 0.02) ** 2)
    broad = np.exp(-0.5 * ((centre - 1.3) / 0.3) ** 2)
    gain = [
        np.linalg.norm(dip @ matrix) / np.linalg.norm(dip - dip.mean()) for dip in (narrow, broad)
    ]
    assert gain[0] > 3 * gain[1]
    assert np.allclose(np.ones(len(centre)) @ matrix, 0, atol=1e-4)


def test_an_answer_does_not_depend_on_its_neighbours(model):
    values = spectra(1500)
    together = model.distances(values)
    alone = np.concatenate([model.distances(values[[row]]) for row in (0, 700, 1499)])
    assert np.allclose(together[[0, 700, 1499]], alone, atol=1e-6)
    assert model.distances(values[:0]).shape == (0, 2)
    present = sensors_seen(values, model.header.bands)
    assert np.array_equal(model.distances(values, present), together)
    assert np.array_equal(model.embed(values), model.embed(values))


def test_equal_weights_give_equal_bytes(tmp_path):
    for name in ("a", "b"):
        write_model(tmp_path / name, HEADER, make_branches(2), REFERENCES)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_sensors_that_are_there():
    values = spectra(3)
    values[1, BANDS.part("emit")] = 0
    values[2] = 0
    assert sensors_seen(values, BANDS).tolist() == [[True, True], [False, True], [False, False]]


def change(**changes):
    return json.dumps(json.loads(HEADER.to_json()) | changes)


def write_foreign(path, text, bands=BANDS_COUNT, embedding=6, name="spectra", references=3):
    """A network of other insides, whose answers are parts of its input."""
    nodes = [
        helper.make_node("Slice", [name, "from", "to", "axis"], ["embeddings"]),
        helper.make_node("Identity", ["own"], ["references"]),
    ]
    numbers = {"from": [0], "to": [embedding], "axis": [1]}
    shape = [references, len(BANDS)]
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", bands])],
        [
            helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["n", embedding]),
            helper.make_tensor_value_info("references", TensorProto.FLOAT, shape),
        ],
        [
            *(helper.make_tensor(key, TensorProto.INT64, [1], own) for key, own in numbers.items()),
            helper.make_tensor("own", TensorProto.FLOAT, shape, [0.5] * (shape[0] * shape[1])),
        ],
    )
    file = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    file.ir_version = 8
    helper.set_model_props(file, {METADATA: text} if text is not None else {})
    onnx.save(file, path)
    return path


@pytest.mark.parametrize(
    "text",
    [
        None,
        "no json",
        "[]",
        json.dumps({"format": FORMAT}),
        change(format="gossan-network-1"),
        change(minerals=["alunite"]),
        change(minerals=["alunite", "alunite"]),
        change(codes=[7, 255]),
        change(codes=[7, 7]),
        change(records=[2, 0]),
        change(embedding=0),
        change(max_masked=2),
        change(bands={}),
        change(bands=[]),
        change(bands={"sensor": ["moon"], "band": ["B"], "centre_um": [1.0], "fwhm_um": [0.1]}),
    ],
)
def test_a_file_must_say_what_it_was_trained_on(text, tmp_path):
    path = write_foreign(tmp_path / "net.onnx", text)
    with pytest.raises(InputError, match=r"net\.onnx: does not say what it was trained on"):
        read_model(path)


@pytest.mark.parametrize(
    "wrong", [{"bands": 40}, {"embedding": 5}, {"name": "patches"}, {"references": 2}], ids=str
)
def test_a_header_must_fit_its_network(wrong, tmp_path):
    path = write_foreign(tmp_path / "net.onnx", HEADER.to_json(), **wrong)
    with pytest.raises(InputError, match="does not fit its own description"):
        read_model(path)


def test_missing_and_corrupt_files(tmp_path):
    with pytest.raises(InputError, match=r"none\.onnx: no such file"):
        read_model(tmp_path / "none.onnx")
    good = export_model(HEADER, make_branches(), REFERENCES)
    for name, content in (("empty", b""), ("text", b"hello"), ("half", good[: len(good) // 2])):
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"{name}.onnx: no readable ONNX file"):
            read_model(path)


def test_other_bands_and_classes_are_refused():
    HEADER.require_bands(BANDS, "bands.csv")
    fewer = StackBands(BANDS.sensor[1:], BANDS.band[1:], BANDS.centre_um[1:], BANDS.fwhm_um[1:])
    with pytest.raises(InputError, match=r"bands\.csv: its \d+ bands are not the"):
        HEADER.require_bands(fewer, "bands.csv")
    moved = StackBands(
        BANDS.sensor,
        BANDS.band,
        (*BANDS.centre_um[:-1], BANDS.centre_um[-1] + 0.003),
        (*BANDS.fwhm_um[:-1], 0.02),
    )
    narrow = replace(HEADER, bands=replace(BANDS, fwhm_um=(*BANDS.fwhm_um[:-1], 0.02)))
    with pytest.raises(InputError, match=r"a band lies 3\.0 nm .*, sentinel2:B11"):
        narrow.require_bands(moved, "bands.csv")
    # A tenth of the width: what a new calibration may move.
    replace(HEADER, bands=replace(BANDS, fwhm_um=(*BANDS.fwhm_um[:-1], 0.04))).require_bands(
        moved, "bands.csv"
    )
    good = [MapClass(7, "alunite", "A", "#FF0000"), MapClass(6, "calcite", "C", "#00FF00")]
    HEADER.require_classes([*good, MapClass(1, "chlorite", "C", "#0000FF")], "classes.csv")
    with pytest.raises(InputError, match=r"classes\.csv: class 6 is missing .* calcite"):
        HEADER.require_classes(good[:1], "classes.csv")


def test_a_plain_network_sees_reflectance(tmp_path):
    header = replace(HEADER, preparation="plain")
    write_model(tmp_path / "net.onnx", header, make_branches(), REFERENCES)
    (branch,) = make_branches()
    seen = spectra()
    hidden = np.maximum(seen @ branch.hidden + branch.hidden_bias, 0)
    wanted = hidden @ branch.output + branch.output_bias
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    found = read_model(tmp_path / "net.onnx").embed(seen)
    assert found == pytest.approx(wanted, abs=1e-5)


def test_distances_to_centroids_do_not_ask_which_sensors_there_are(tmp_path):
    header = replace(HEADER, distance="centroids")
    write_model(tmp_path / "net.onnx", header, make_branches(), REFERENCES)
    model = read_model(tmp_path / "net.onnx")
    seen = spectra()
    seen[:10, BANDS.part("emit")] = 0
    every = model.embed(REFERENCES)
    centroids = np.stack([every[:2].mean(axis=0), every[2]])
    wanted = np.linalg.norm(model.embed(seen)[:, None] - centroids, axis=2)
    assert model.distances(seen) == pytest.approx(wanted, abs=1e-5)


def test_a_centroid_is_of_the_records_of_all_sensors(tmp_path):
    references = REFERENCES.copy()
    references[1, BANDS.part("sentinel2")] = 0
    header = replace(HEADER, distance="centroids")
    write_model(tmp_path / "net.onnx", header, make_branches(), references)
    model = read_model(tmp_path / "net.onnx")
    assert model.centroids()[0] == pytest.approx(model.embed(references[:1])[0], abs=1e-6)
    # Where no record has all sensors, all of them count.
    references[0, BANDS.part("sentinel2")] = 0
    write_model(tmp_path / "other.onnx", header, make_branches(), references)
    model = read_model(tmp_path / "other.onnx")
    assert model.centroids()[0] == pytest.approx(model.embed(references[:2]).mean(axis=0), abs=1e-6)


@pytest.mark.parametrize("change", [{"preparation": "cooked"}, {"distance": "far"}])
def test_a_header_of_an_unknown_kind_is_not_sound(change):
    assert not replace(HEADER, **change).is_sound()
