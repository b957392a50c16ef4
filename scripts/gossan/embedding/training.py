"""Embedding networks in Keras: two dense layers, trained by triplets, sensors masked at random.

After Jabłońska and Zięba: anchors are pure spectra, positives augmented ones of the same mineral,
negatives of another; embeddings have the length 1. `Training` says where a network departs from
theirs. TensorFlow is loaded by the functions that need it, and by nothing that runs a trained
network.
"""

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from gossan.cube.bands import StackBands
from gossan.embedding.model import (
    CENTROIDS,
    DARKEST,
    NARROWEST,
    PLAIN,
    RECORDS,
    SHARPENED,
    SMALLEST_CONTRAST,
    Branch,
    EmbeddingModel,
    Header,
    export_model,
    load_model,
    sharpeners,
)
from gossan.embedding.regions import Region
from gossan.embedding.spectral_augmentation import (
    MASKS,
    Augmentation,
    Augmenter,
    Batch,
    stream_batches,
)
from gossan.embedding.training_spectra import TrainingSpectra
from gossan.errors import InputError
from gossan.legend import MapClass
from gossan.networks.keras_files import load_keras, read_keras

PACKAGE = "gossan"
STORED = frozenset({"Functional", "Concatenate", "__keras_tensor__"})
"""What Keras writes into a network's file beside layers."""

MINING = ("random", "semi-hard")
LIBRARY, MINERALS = "library", "minerals"
"""What the negatives of triplets are: all minerals of the libraries, or the sought ones alone."""
CHOICES = {
    "mining": MINING,
    "negatives": (LIBRARY, MINERALS),
    "masks": MASKS,
    "preparation": (SHARPENED, PLAIN),
    "distance": (RECORDS, CENTROIDS),
}
MOST_DIFFERENCE = 1e-4
"""Largest difference of an embedding that the two stored forms of a network may have."""

NEAREST = 1e-6
"""Squared distance below which two embeddings are one: the root has no slope at 0."""
BEYOND = 4.0
"""Farther than any two embeddings can be."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Training:
    """How a network is trained: Adam (Kingma and Ba 2015) on the triplet loss.

    `triplets` are made per epoch, never the same twice, in steps of `batch`. `hidden` and
    `embedding` are the units of the two layers, `networks` how many are trained, each with a seed
    of its own, and laid side by side. `max_masked` sensors at most are taken from a spectrum, but
    never all. Mining "semi-hard" (Schroff et al. 2015, arXiv:1503.03832) takes the negatives from
    the whole batch: the nearest one that is farther than the positive, "random" the triplets as
    they were drawn. `negatives` are LIBRARY or MINERALS, `masks` as in `stream_batches`,
    `preparation` and `distance` as in a network's header. The paper has triplets as drawn of its
    MINERALS, "each" masked, PLAIN reflectance and CENTROIDS.
    """

    epochs: int
    triplets: int
    margin: float
    hidden: int
    embedding: int
    networks: int
    max_masked: int
    mining: str
    seed: int
    threads: int
    negatives: str = LIBRARY
    masks: str = MASKS[0]
    preparation: str = SHARPENED
    distance: str = RECORDS
    batch: int = 256
    rate: float = 1e-3

    def __post_init__(self):
        """Raise InputError for numbers that cannot be used."""
        for name, least in (
            ("epochs", 1),
            ("triplets", 1),
            ("batch", 2),
            ("hidden", 1),
            ("embedding", 2),
            ("networks", 1),
            ("max_masked", 0),
            ("seed", 0),
            ("threads", 1),
        ):
            if getattr(self, name) < least:
                raise InputError(
                    f"{name}: {getattr(self, name)} is too small; give at least {least}"
                )
        if not 0 < self.rate <= 1:
            raise InputError(f"rate: {self.rate:g} is not above 0 and up to 1")
        if not 0 < self.margin < 2:
            raise InputError(f"margin: {self.margin:g} is not above 0 and below 2")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise InputError(
                    f"{name}: {getattr(self, name)} is unknown; choose from {' '.join(choices)}"
                )

    def for_sensors(self, sensors: int) -> "Training":
        """The same for a stack of so many sensors, of which one is always left."""
        return replace(self, max_masked=min(self.max_masked, sensors - 1))

    def describe(self) -> dict[str, object]:
        """What a record says about it."""
        return asdict(self)


def read_training_options(options: Mapping[str, object]) -> Training:
    """The training that a command line asks for: its options by the names of Training's fields."""
    names = [item.name for item in fields(Training) if item.name in options]
    return Training(**{name: options[name] for name in names})


@lru_cache(maxsize=1)
def _layers() -> tuple[type, type]:
    """The two layers without weights to learn, as classes that Keras can store."""
    keras, _ = load_keras()
    ops = keras.ops

    @keras.saving.register_keras_serializable(PACKAGE)
    class NormaliseSensors(keras.layers.Layer):
        """What `embedding_model.normalise` computes; `sizes` are the sensors' numbers of bands."""

        def __init__(self, sizes, **kwargs):
            super().__init__(**kwargs)
            self.sizes = [int(size) for size in sizes]

        def build(self, _shape):
            self.matrices = [
                self.add_weight(
                    shape=(size, size), initializer="zeros", trainable=False, name=f"sensor{place}"
                )
                for place, size in enumerate(self.sizes)
            ]

        def call(self, spectra):
            log = ops.log(ops.maximum(spectra * (1 / DARKEST), 1.0))
            ends = np.cumsum(self.sizes)[:-1].tolist()
            # Keras cannot split at no place.
            parts = ops.split(log, ends, axis=1) if ends else [log]
            found = []
            for part, matrix in zip(parts, self.matrices, strict=True):
                sharp = ops.matmul(part, matrix)
                square = ops.mean(ops.square(sharp), axis=1, keepdims=True)
                found.append(sharp / ops.sqrt(square + SMALLEST_CONTRAST**2))
            return ops.concatenate(found, axis=1)

        def get_config(self):
            return {**super().get_config(), "sizes": self.sizes}

    @keras.saving.register_keras_serializable(PACKAGE)
    class UnitLength(keras.layers.Layer):
        """Vectors at the length that makes `share` of them, side by side, one of length 1."""

        def __init__(self, share, **kwargs):
            super().__init__(**kwargs)
            self.share = int(share)

        def call(self, vectors):
            length = ops.sqrt(ops.sum(ops.square(vectors), axis=1, keepdims=True))
            return vectors / ops.maximum(length * self.share**0.5, NARROWEST)

        def get_config(self):
            return {**super().get_config(), "share": self.share}

    return NormaliseSensors, UnitLength


def build_embedding(bands: StackBands, training: Training) -> object:
    """An untrained Keras model from spectra (n, B) to embeddings (n, networks * embedding)."""
    keras, _ = load_keras()
    normalise, unit = _layers()
    layers = keras.layers
    seen = spectra = keras.Input((len(bands),), name="spectra")
    if training.preparation == SHARPENED:
        matrices = sharpeners(bands)
        first = normalise([len(matrix) for matrix in matrices], name="normalise")
        seen = first(spectra)
        first.set_weights(matrices)
    parts = []
    for place in range(training.networks):
        seed = training.seed + place
        hidden = layers.Dense(
            training.hidden,
            activation="relu",
            kernel_initializer=keras.initializers.HeNormal(seed=seed),
            name=f"hidden{place}",
        )(seen)
        output = layers.Dense(
            training.embedding,
            kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
            name=f"output{place}",
        )(hidden)
        parts.append(unit(training.networks, name=f"unit{place}")(output))
    joined = layers.Concatenate(name="embeddings")(parts) if len(parts) > 1 else parts[0]
    return keras.Model(spectra, joined, name="embedding")


def branches_of(model: object, training: Training) -> list[Branch]:
    """The learned weights of a model of `build_embedding`."""
    return [
        Branch(
            *model.get_layer(f"hidden{place}").get_weights(),
            *model.get_layer(f"output{place}").get_weights(),
        )
        for place in range(training.networks)
    ]


def train_embedding(
    model: object, augmenter: Augmenter, targets: Sequence[str], training: Training
) -> list[dict[str, float]]:
    """Train a model in place; per epoch, the loss and the share of triplets within the margin.

    The networks side by side have one loss each. One line per epoch is logged.
    """
    keras, tensorflow = load_keras()
    optimiser = keras.optimizers.Adam(training.rate)
    steps = -(-training.triplets // training.batch) * training.epochs
    optimiser.learning_rate = keras.optimizers.schedules.CosineDecay(training.rate, steps)
    optimiser.build(model.trainable_variables)

    def one_loss(anchor, positive, labels, negative):
        to_positive = _distance(tensorflow, anchor, positive)
        if training.mining == "semi-hard":
            likeness = tensorflow.matmul(anchor, positive, transpose_b=True)
            every = tensorflow.sqrt(tensorflow.maximum(2 - 2 * likeness, NEAREST))
            rival = labels[:, None] != labels[None, :]
            farther = rival & (every > to_positive[:, None])
            nearest = tensorflow.reduce_min(tensorflow.where(farther, every, BEYOND), axis=1)
            # Where every rival is nearer than the positive, the farthest of them is taken.
            farthest = tensorflow.reduce_max(tensorflow.where(rival, every, 0.0), axis=1)
            to_negative = tensorflow.where(nearest < BEYOND, nearest, farthest)
        else:
            to_negative = _distance(tensorflow, anchor, tensorflow.gather(positive, negative))
        excess = to_positive - to_negative + training.margin
        active = tensorflow.cast(excess > 0, "float32")
        return tensorflow.reduce_mean(tensorflow.nn.relu(excess)), tensorflow.reduce_mean(active)

    scale = training.networks**0.5

    @tensorflow.function
    def step(spectra, labels, negative):
        with tensorflow.GradientTape() as tape:
            vectors = model(spectra, training=True) * scale
            losses, shares = [], []
            for part in tensorflow.split(vectors, training.networks, axis=1):
                anchor, positive = tensorflow.split(part, 2, axis=0)
                loss, share = one_loss(anchor, positive, labels, negative)
                losses.append(loss)
                shares.append(share)
            total = tensorflow.add_n(losses)
        gradients = tape.gradient(total, model.trainable_variables)
        optimiser.apply(gradients, model.trainable_variables)
        return total / training.networks, tensorflow.add_n(shares) / training.networks

    history = []
    for epoch in range(training.epochs):
        batches = stream_batches(
            augmenter,
            tuple(targets),
            triplets=training.triplets,
            batch=training.batch,
            max_masked=training.max_masked,
            masks=training.masks,
            seed=(training.seed, epoch),
        )
        answers = [
            step(np.concatenate([own.anchor, own.positive]), own.labels, own.negative)
            for own in _progress(batches, -(-training.triplets // training.batch), epoch, training)
        ]
        loss, share = np.mean([[float(value) for value in answer] for answer in answers], axis=0)
        history.append({"epoch": epoch + 1, "loss": float(loss), "active": float(share)})
        logger.info(
            "epoch %d of %d: loss %.4f, %.1f %% of the triplets within the margin",
            epoch + 1,
            training.epochs,
            loss,
            100 * share,
        )
    return history


@dataclass(frozen=True, eq=False)
class Learned:
    """A trained network: the Keras model, its header and references, and how it got there.

    `left_out` names the records that lack a sensor, and which; `backgrounds` the minerals with a
    record without an absorption in the network's region.
    """

    model: object
    header: Header
    branches: list[Branch]
    references: np.ndarray
    history: list[dict[str, float]]
    left_out: list[str]
    backgrounds: list[str]

    def as_model(self) -> EmbeddingModel:
        """The same network for ONNX Runtime, without a file."""
        content = export_model(self.header, self.branches, self.references)
        return load_model(content, "the network just trained")


def learn(
    spectra: TrainingSpectra,
    classes: Sequence[MapClass],
    bands: StackBands,
    training: Training,
    augmentation: Augmentation,
    *,
    scene: str,
    libraries: Sequence[str],
    region: Region | None = None,
) -> Learned:
    """Train a network on a library's spectra, at the bands of a scene, or of a `region` of them.

    Its minerals are `classes`, and its references their pure spectra; the others are rivals only,
    if they take part at all. Raises InputError for a mineral of which no spectrum fills the bands
    of a sensor.
    """
    training = training.for_sensors(len(bands.sensors))
    names = [item.name for item in classes]
    if training.negatives == MINERALS:
        spectra = spectra.take(np.isin(spectra.minerals, names))
    augmenter = Augmenter(spectra, bands, augmentation, region)
    model = build_embedding(bands, training)
    history = train_embedding(model, augmenter, names, training)
    usable = augmenter.filled.any(axis=1)
    rows = [
        np.flatnonzero((augmenter.labels == augmenter.names.index(name)) & usable) for name in names
    ]
    header = Header(
        scene=scene,
        bands=bands,
        minerals=tuple(names),
        codes=tuple(item.code for item in classes),
        embedding=training.embedding * training.networks,
        max_masked=training.max_masked,
        libraries=tuple(libraries),
        modelled=any(spectra.modelled),
        records=tuple(len(own) for own in rows),
        region="" if region is None else region.name,
        preparation=training.preparation,
        distance=training.distance,
    )
    references = augmenter.pure[np.concatenate(rows)]
    for text in augmenter.left_out:
        logger.info("left out, because of gaps: %s", text)
    backgrounds = sorted({spectra.minerals[row] for row in augmenter.backgrounds})
    return Learned(
        model,
        header,
        branches_of(model, training),
        references,
        history,
        augmenter.left_out,
        backgrounds,
    )


def read_keras_embedding(path: str | Path) -> object:
    """A stored model of train_embedding.py; nothing in the file is run. See `read_keras`."""
    names = {kind.__name__ for kind in _layers()}
    registered = {f"{PACKAGE}>{name}" for name in names}
    return read_keras(path, {__name__} | STORED | names | registered)


def compare_embeddings(model: object, other: EmbeddingModel, spectra: np.ndarray) -> float:
    """Largest difference between the embeddings that a Keras model and its ONNX form give."""
    return float(np.abs(model.predict_on_batch(spectra) - other.embed(spectra)).max())


def _progress(
    batches: Iterable[Batch], total: int, epoch: int, training: Training
) -> Iterator[Batch]:
    """The batches, behind a bar on a terminal."""
    from tqdm import tqdm

    yield from tqdm(
        batches,
        total=total,
        desc=f"epoch {epoch + 1} of {training.epochs}",
        disable=not sys.stderr.isatty(),
        leave=False,
    )


def _distance(tensorflow: object, one: object, other: object) -> object:
    """Euclidean distance (n,); its root has a finite slope where they meet."""
    square = tensorflow.reduce_sum(tensorflow.square(one - other), axis=1)
    return tensorflow.sqrt(tensorflow.maximum(square, NEAREST))
