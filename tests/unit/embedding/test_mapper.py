import json
from dataclasses import replace

import numpy as np
import pytest
from embeddings import BANDS, make_model, make_stack, spectra_of

from gossan.cube.bands import SENSORS, sensors_present
from gossan.embedding.mapper import (
    NAMED,
    NONE,
    SEVERAL,
    Counts,
    Mapper,
    area_rows,
    choose,
    read_limits,
    require_inputs,
    require_stack,
    sensor_area_rows,
)
from gossan.errors import InputError
from gossan.legend import MapClass
from gossan.raster import read_info

CLASSES = [
    MapClass(7, "alunite", "Alunite", "#E53935"),
    MapClass(16, "jarosite", "Jarosite", "#F4E04D"),
    MapClass(17, "kaolinite", "Kaolinite", "#7E57C2"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("embedding")
    make_stack(made)
    return made


@pytest.fixture(scope="module")
def model(folder):
    return make_model(folder / "net.onnx")


def mapper_of(folder, model, limits=(0.2, 0.2, 0.2), **options):
    info = read_info(folder / "stack.tif")
    bands = require_stack(model.header, info)
    return Mapper(model, np.array(limits), info, bands, folder / "sensors.tif", **options)


def stored_of(values, bits):
    """A block of one row as the files have it: (bands, 1, n) int16 and (1, 1, n) uint8."""
    stored = np.rint(values.T * 1e4).astype("int16")
    present = sensors_present(bits, BANDS.sensors)
    stored[~BANDS.present_bands(present).T] = -32768
    return stored[:, None], bits[None, None]


def test_one_candidate_is_named_and_none_or_several_are_not():
    distances = np.array([[0.1, 0.9, 0.8], [0.5, 0.6, 0.9], [0.1, 0.1, 0.2], [0.3, 0.35, 0.9]])
    winner, answer = choose(distances, np.array([0.2, 0.4, 0.4]))
    assert answer.tolist() == [NAMED, NONE, SEVERAL, NAMED]
    # In the last row the nearest mineral is beyond its limit, and another one within its own.
    assert winner.tolist() == [0, 0, 0, 1]
    assert choose(distances[:1], np.array([0.1, 0.0, 0.0]))[1].tolist() == [NAMED]


def test_pixels_of_references_get_their_class_whichever_sensors_are_there(folder, model):
    spectra = spectra_of()
    for bits in (0b11111, 0b01000, 0b00111, 0b11000):
        codes, distances, answers = mapper_of(folder, model)(
            *stored_of(spectra, np.full(3, bits, np.uint8))
        )
        assert codes.ravel().tolist() == [7, 16, 17]
        assert (answers == NAMED).all()
        assert (distances[0] < 0.02).all()
        assert (distances[0] == distances[1:].min(axis=0)).all()
        own = BANDS.present_bands(sensors_present(np.uint8(bits), BANDS.sensors))
        expected = model.distances(np.where(own, np.rint(spectra * 1e4) * np.float32(1e-4), 0))
        assert np.allclose(distances[1:, 0].T, expected, atol=1e-5)


def test_pixels_without_a_sensor_are_nodata_and_never_reach_the_network(folder, model):
    spectra = np.repeat(spectra_of()[:1], 4, axis=0)
    bits = np.array([31, 0, 8, 0], np.uint8)
    codes, distances, answers = mapper_of(folder, model)(*stored_of(spectra, bits))
    assert codes[0, 1] == codes[0, 3] == answers[0, 1] == answers[0, 3] == 255
    assert np.isnan(distances[:, 0, [1, 3]]).all()
    assert np.isfinite(distances[:, 0, [0, 2]]).all()
    empty = mapper_of(folder, model)(*stored_of(spectra, np.zeros(4, np.uint8)))
    assert (empty[0] == 255).all()


def test_a_pixel_does_not_depend_on_its_neighbours(folder, model):
    generator = np.random.default_rng(3)
    spectra = generator.uniform(0.1, 0.6, (2500, len(BANDS))).astype(np.float32)
    bits = generator.integers(0, 32, 2500).astype(np.uint8)
    some = slice(1700, 1801)
    whole = mapper_of(folder, model, (0.9, 0.8, 1.0))(*stored_of(spectra, bits))
    part = mapper_of(folder, model, (0.9, 0.8, 1.0))(*stored_of(spectra[some], bits[some]))
    assert {1, 2, 3} <= set(whole[2].ravel())
    for one, other in zip(whole, part, strict=True):
        assert np.allclose(one[..., some], other, atol=1e-5, equal_nan=True)


def test_sensors_that_the_stack_lacks_are_absent(folder, model, tmp_path):
    make_stack(tmp_path, sensors=("emit", "worldview3"))
    mapper = mapper_of(tmp_path, model)
    assert mapper.bands.sensors == ("emit", "worldview3")
    spectra, bits = spectra_of(), np.full(3, 0b10001, np.uint8)
    stored, bits = stored_of(spectra, bits)
    own = np.isin(BANDS.sensor, ("emit", "worldview3"))
    found = mapper(stored[own], bits)
    expected = mapper_of(folder, model)(stored, bits)
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one, other)
    with pytest.raises(InputError, match="sensor that the stack lacks"):
        mapper(stored[own], np.full((1, 1, 3), 0b00101, np.uint8))


def test_a_mask_that_is_not_the_stacks_is_refused(folder, model):
    stored, bits = stored_of(spectra_of(), np.full(3, 0b01111, np.uint8))
    for wrong, sensor in ((0b11111, "worldview3"), (0b00111, "sentinel2")):
        with pytest.raises(InputError, match=f"sensors.tif: does not belong .* {sensor}"):
            mapper_of(folder, model)(stored, np.full_like(bits, wrong))
    with pytest.raises(InputError, match="sensor that the stack lacks"):
        mapper_of(folder, model)(stored, np.full_like(bits, 0b101111))


def test_a_filler_is_asked_before_the_network(folder, model):
    alunite, _, kaolinite = spectra_of()

    class Kaolinite:
        def fill(self, spectra, present):
            assert not spectra[~BANDS.present_bands(present)].any()
            return np.where(BANDS.present_bands(present), spectra, kaolinite)

    stored, bits = stored_of(alunite[None], np.array([0b01000], np.uint8))
    _, bare, _ = mapper_of(folder, model)(stored, bits)
    _, filled, _ = mapper_of(folder, model, filler=Kaolinite())(stored, bits)
    seen = np.where(np.array(BANDS.sensor) == "sentinel2", alunite, kaolinite)
    assert np.allclose(filled[1:, 0, 0], model.distances(seen[None])[0], atol=1e-3)
    assert bare[1].item() < 0.02 < filled[1].item()
    assert filled[3].item() < bare[3].item()


FIVE = "+".join(SENSORS[:5])


def test_counts_say_for_which_sensors_and_why(folder, model):
    bits = np.array([31, 31, 31, 8, 8, 0], np.uint8)
    codes = np.array([7, 7, 0, 0, 16, 255], np.uint8)
    answers = np.array([1, 1, 3, 2, 1, 255], np.uint8)
    counts = Counts()
    counts.add(bits[:3], codes[:3], answers[:3])
    counts.add(bits[3:], codes[3:], answers[3:])
    rows = area_rows(counts, CLASSES, 900.0)
    assert [(row["name"], row["pixels"]) for row in rows] == [
        ("alunite", 2),
        ("jarosite", 1),
        ("kaolinite", 0),
        ("unclassified", 2),
        ("nodata", 1),
    ]
    assert rows[0]["area_ha"] == "0.1800"
    assert rows[0]["area_km2"] == "0.001800"
    assert [row.get("share") for row in rows] == [
        "0.400000",
        "0.200000",
        "0.000000",
        "0.400000",
        None,
    ]
    rows = sensor_area_rows(counts, CLASSES, None)
    table = {(row["sensors"], row["name"]): row for row in rows}
    assert {row["sensors"] for row in rows} == {"all", "sentinel2", FIVE}
    assert table["all", "several"]["pixels"] == table["all", "none"]["pixels"] == 1
    assert table["sentinel2", "none"]["share"] == "0.500000"
    assert table[FIVE, "several"]["share"] == "0.333333"
    assert "area_ha" not in rows[0]


def test_limits_are_read_by_method_and_mineral(tmp_path):
    path = tmp_path / "thresholds.json"
    good = {"alunite": {"validation": 0.3, "oracle": 0.2, "conformal": 0.5}}
    path.write_text(json.dumps({"masked": good}))
    assert read_limits(path, "masked", ["alunite"]).tolist() == [0.5]
    for value, method, minerals, words in (
        ({"masked": good}, "unmasked", ["alunite"], "lacks the thresholds of the method unmasked"),
        ({"masked": good}, "masked", ["alunite", "jarosite"], "limit of the mineral jarosite"),
        ({"masked": {"alunite": {"oracle": 1}}}, "masked", ["alunite"], "mineral alunite"),
        ({"masked": {"alunite": {"conformal": None}}}, "masked", ["alunite"], "mineral alunite"),
        ({"masked": {"alunite": {"conformal": True}}}, "masked", ["alunite"], "mineral alunite"),
        ({"masked": {"alunite": {"conformal": -1}}}, "masked", ["alunite"], "mineral alunite"),
        ({"masked": {"alunite": 0.5}}, "masked", ["alunite"], "mineral alunite"),
    ):
        path.write_text(json.dumps(value))
        with pytest.raises(InputError, match=f"thresholds.json: .*{words}"):
            read_limits(path, method, minerals)


def test_a_stack_of_other_bands_is_refused(folder, model, tmp_path):
    info = read_info(folder / "stack.tif")
    bands = info.bands

    def refused(words, **changes):
        with pytest.raises(InputError, match=words):
            require_stack(model.header, replace(info, bands=replace(bands, **changes)))

    refused("no stack of sensors", names=tuple(f"B{n}" for n in range(len(bands.names))))
    refused("no stack of sensors", centre_um=())
    refused("bands are not the", names=("emit:B999", *bands.names[1:]))
    moved = (bands.centre_um[0] + 0.002, *bands.centre_um[1:])
    refused("2.0 nm from where", centre_um=moved)
    fewer = replace(model.header, bands=BANDS_WITHOUT_EMIT)
    with pytest.raises(InputError, match=r"stack\.tif: has emit, which the network"):
        require_stack(fewer, info)


def test_rasters_stored_otherwise_are_refused(folder):
    stack, sensors = (read_info(folder / name) for name in ("stack.tif", "sensors.tif"))
    require_inputs(stack, sensors)
    for changes in ({"dtype": "float32"}, {"nodata": None}, {"offset": 1.0}):
        with pytest.raises(InputError, match=r"stack\.tif: is not stored as a stack"):
            require_inputs(replace(stack, **changes), sensors)
    with pytest.raises(InputError, match="no raster of one uint8 band"):
        require_inputs(stack, replace(sensors, dtype="int16"))


BANDS_WITHOUT_EMIT = type(BANDS)(
    *(
        tuple(np.array(getattr(BANDS, name), object)[np.array(BANDS.sensor) != "emit"])
        for name in ("sensor", "band", "centre_um", "fwhm_um")
    )
)
