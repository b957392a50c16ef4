import zipfile

import numpy as np
import pytest

from gossan.cube.bands import StackBands, lay_out
from gossan.embedding.model import normalise, read_model, write_model
from gossan.embedding.spectral_augmentation import Augmentation, Augmenter
from gossan.embedding.training import (
    MOST_DIFFERENCE,
    Training,
    build_embedding,
    compare_embeddings,
    learn,
    read_keras_embedding,
)
from gossan.embedding.training_spectra import read_training
from gossan.errors import InputError
from gossan.legend import read_classes
from gossan.networks.keras_files import write_keras
from gossan.raster import BandTable

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.usefixtures("one_thread")
NAMES = ("alunite", "calcite", "kaolinite", "hematite")
SMALL = {
    **{"epochs": 4, "triplets": 512, "batch": 128, "hidden": 64, "embedding": 12, "networks": 1},
    **{"margin": 0.3, "mining": "semi-hard", "max_masked": 1, "seed": 42, "threads": 1},
}


@pytest.fixture(scope="module")
def bands():
    tables = {}
    for sensor, step, width in (("emit", 0.02, 0.0085), ("worldview3", 0.2, 0.05)):
        centres = np.arange(0.45, 2.35, step)
        names = tuple(f"B{place:03d}" for place in range(len(centres)))
        tables[sensor] = BandTable(names, tuple(centres.tolist()), (width,) * len(centres))
    return lay_out(tables)[0]


@pytest.fixture(scope="module")
def classes(root):
    return [
        item for item in read_classes(root / "resources/static/minerals.csv") if item.name in NAMES
    ]


@pytest.fixture(scope="module")
def library(root, classes):
    return read_training([root / "resources/static/analytic_library.csv"], classes)


def train(library, classes, bands, **changes):
    training = Training(**(SMALL | changes))
    return learn(
        library,
        classes,
        bands,
        training,
        Augmentation(),
        scene="a-hill",
        libraries=["library.csv"],
    )


@pytest.fixture(scope="module")
def learned(library, classes, bands):
    return train(library, classes, bands)


def lead(own, library, bands):
    """How much nearer augmented spectra are to their own mineral than to the next; mean, share."""
    minerals = own.header.minerals
    augmenter = Augmenter(library, bands, Augmentation())
    rows = np.repeat([library.minerals.index(name) for name in minerals], 50)
    found = own.distances(augmenter.augment(rows, np.random.default_rng(9)))
    is_own = np.arange(len(minerals)) == np.repeat(np.arange(len(minerals)), 50)[:, None]
    ahead = np.where(is_own, np.inf, found).min(axis=1) - found[is_own]
    return ahead.mean(), (ahead > 0).mean()


PUBLISHED = {
    **{"mining": "random", "negatives": "minerals", "masks": "each"},
    **{"preparation": "plain", "distance": "centroids", "epochs": 8},
}


@pytest.fixture(scope="module")
def published(library, classes, bands):
    return train(library, classes, bands, **PUBLISHED)


def test_a_network_as_published_tells_minerals_by_centroids(published, library, bands, tmp_path):
    model = published.as_model()
    assert (model.header.preparation, model.header.distance) == ("plain", "centroids")
    _, right = lead(model, library, bands)
    assert right > 0.8
    write_keras(tmp_path / "net.keras", published.model)
    stored = read_keras_embedding(tmp_path / "net.keras")
    difference = compare_embeddings(stored, model, published.references)
    assert difference <= MOST_DIFFERENCE
    names = [layer.name for layer in published.model.layers]
    assert "normalise" not in names


def test_without_rivals_only_the_minerals_are_seen(published, library, classes, bands):
    # What the others are changes nothing.
    kept = library.take(np.isin(library.minerals, NAMES))
    again = train(kept, classes, bands, **PUBLISHED | {"epochs": 1})
    once = train(library, classes, bands, **PUBLISHED | {"epochs": 1})
    assert np.array_equal(again.branches[0].hidden, once.branches[0].hidden)


@pytest.mark.parametrize("mining", ["random", "semi-hard"])
def test_a_network_learns_to_tell_minerals(mining, learned, library, classes, bands):
    own = learned if mining == "semi-hard" else train(library, classes, bands, mining=mining)
    # A rate this small leaves the first weights as they are.
    untrained = train(library, classes, bands, mining=mining, epochs=1, triplets=2, rate=1e-9)
    before, _ = lead(untrained.as_model(), library, bands)
    after, right = lead(own.as_model(), library, bands)
    assert after > 1.2 * before
    assert right > 0.95
    assert [row["epoch"] for row in own.history] == [1, 2, 3, 4]
    assert own.header.records == (1,) * len(NAMES)
    assert own.header.modelled
    assert own.header.max_masked == 1


def test_networks_lie_side_by_side(library, classes, bands):
    own = train(library, classes, bands, epochs=1, networks=2)
    assert own.header.embedding == 24
    assert len(own.branches) == 2
    assert not np.array_equal(own.branches[0].hidden, own.branches[1].hidden)
    embedded = own.as_model().embed(own.references)
    lengths = np.linalg.norm(embedded.reshape(-1, 2, 12), axis=2)
    assert np.allclose(lengths, np.sqrt(0.5), atol=1e-5)


def test_both_stored_forms_agree(learned, library, bands, tmp_path):
    write_keras(tmp_path / "net.keras", learned.model)
    write_model(tmp_path / "net.onnx", learned.header, learned.branches, learned.references)
    stored, run = read_keras_embedding(tmp_path / "net.keras"), read_model(tmp_path / "net.onnx")
    augmenter = Augmenter(library, bands, Augmentation())
    spectra = augmenter.augment(np.arange(len(library)).repeat(4), np.random.default_rng(2))
    spectra[::3, bands.part("emit")] = 0
    assert compare_embeddings(stored, run, spectra) < MOST_DIFFERENCE
    seen = np.asarray(stored.get_layer("normalise")(spectra))
    assert np.allclose(seen, normalise(spectra.astype(np.float64), bands), atol=2e-3)


def test_the_same_seed_gives_the_same_bytes(library, classes, bands, tmp_path):
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        own = train(library, classes, bands, seed=seed, epochs=1)
        write_keras(tmp_path / f"{name}.keras", own.model)
        write_model(tmp_path / f"{name}.onnx", own.header, own.branches, own.references)
    for suffix in ("keras", "onnx"):
        first, second, other = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in "abc")
        assert first == second
        assert first != other


def test_foreign_layers_are_not_opened(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.LayerNormalization()])
    model.save(tmp_path / "net.keras")
    with pytest.raises(InputError, match=r"net\.keras: contains 'LayerNormalization'"):
        read_keras_embedding(tmp_path / "net.keras")
    (tmp_path / "text.keras").write_text("hello")
    with pytest.raises(InputError, match="no readable Keras file"):
        read_keras_embedding(tmp_path / "text.keras")
    with zipfile.ZipFile(tmp_path / "empty.keras", "w"):
        pass
    with pytest.raises(InputError, match="no readable Keras file"):
        read_keras_embedding(tmp_path / "empty.keras")


def test_the_papers_two_layers(bands):
    model = build_embedding(bands, Training(**SMALL | {"hidden": 256, "embedding": 32}))
    assert sum(np.size(own) for own in model.trainable_variables) == (
        (len(bands) + 1) * 256 + 257 * 32
    )
    assert model.output_shape == (None, 32)


def test_one_sensor_is_always_left(library, classes, bands):
    few = {"epochs": 1, "triplets": 4}
    own = train(library, classes, bands, max_masked=4, **few)
    assert own.header.max_masked == 1
    most = train(library, classes, bands, max_masked=1, **few)
    assert np.array_equal(own.branches[0].hidden, most.branches[0].hidden)


@pytest.mark.parametrize("masking", [0, 4])
def test_a_network_of_one_sensor_learns_and_copes_with_all_that_can_be_absent(
    masking, library, classes, bands
):
    part = bands.part("worldview3")
    alone = StackBands(
        bands.sensor[part], bands.band[part], bands.centre_um[part], bands.fwhm_um[part]
    )
    own = train(library, classes, alone, max_masked=masking)
    assert own.header.max_masked == 0
    assert own.header.masked
    assert lead(own.as_model(), library, alone)[1] > 0.7


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 0},
        {"triplets": 0},
        {"batch": 1},
        {"rate": 0.0},
        {"margin": 2.0},
        {"mining": "easy"},
        {"negatives": "all"},
        {"masks": "none"},
        {"preparation": "some"},
        {"distance": "long"},
        {"max_masked": -1},
        {"networks": 0},
        {"embedding": 1},
    ],
)
def test_numbers_without_meaning_are_refused(changes):
    with pytest.raises(InputError, match=next(iter(changes))):
        Training(**SMALL | changes)
