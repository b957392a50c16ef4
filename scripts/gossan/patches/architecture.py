"""Patch networks in Keras: the paper's, a compact one, and their training.

TensorFlow is loaded by the functions that need it, and by nothing that runs a trained network.
"""

import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gossan.accuracy.temperature import fit_temperature
from gossan.errors import InputError
from gossan.networks.keras_files import load_keras
from gossan.patches.augmentation import augment
from gossan.patches.inference import INPUT_PX, to_input, to_probabilities
from gossan.patches.splits import Draw

RATES = {"paper": 1e-3, "compact": 3e-3}
"""Networks, and the learning rate of each: Keras's default, and one chosen on validation images."""

PAPER_PARAMETERS = 4_297_825
"""Parameters of the published network for painted patches of two classes."""

MOST_DIFFERENCE = 1e-4
"""Largest difference of probability that the two stored forms of a network may have."""

# Where the compact network halves the image, and the channels that it then has.
COMPACT_CHANNELS = (64, 128, 256)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Training:
    """How a network is trained: Adam (Kingma and Ba 2015) on cross-entropy.

    The paper gives 10 epochs and neither batch nor rate; the batch was chosen on validation images
    of a small scene, whose larger batches make too few steps. The same numbers, seed and threads
    give the same weights to the last bit on one machine.
    """

    epochs: int
    rate: float
    seed: int
    threads: int
    batch: int = 16

    def __post_init__(self):
        """Raise InputError for numbers that cannot be used."""
        for name, number, least in (
            ("epochs", self.epochs, 1),
            ("batch", self.batch, 1),
            ("seed", self.seed, 0),
            ("threads", self.threads, 1),
        ):
            if number < least:
                raise InputError(f"{name}: {number} is too small; give at least {least}")
        if not 0 < self.rate <= 1:
            raise InputError(f"rate: {self.rate:g} is not above 0 and up to 1")


def build_network(network: str, bands: int, classes: int, input_px: int = INPUT_PX) -> object:
    """An untrained Keras model for images (input_px, input_px, bands).

    `network` is one of RATES. Two classes have one answer, the probability of the second
    (sigmoid); more have one each (softmax). With 150 pixels, 3 bands and 2 classes, "paper" has
    PAPER_PARAMETERS; "compact" has less than a tenth of it for any number of bands.
    """
    keras, _ = load_keras()
    if network not in RATES:
        raise InputError(f"network: {network} is unknown; choose from {' '.join(RATES)}")
    layers = keras.layers
    answers, last = (1, "sigmoid") if classes == 2 else (classes, "softmax")
    body = _paper_body(layers) if network == "paper" else _compact_body(layers)
    return keras.Sequential(
        [
            keras.Input((input_px, input_px, bands), name="patches"),
            *body,
            layers.Dense(answers, activation=last, name="score"),
        ],
        name=network,
    )


def _paper_body(layers: object) -> list:
    """Munzareen et al. (2025): four convolutions with pooling, one hidden layer, dropout."""
    plan = ((32, "valid"), (32, "same"), (64, "same"), (128, "valid"))
    body = []
    for place, (filters, padding) in enumerate(plan, start=1):
        body += [
            layers.Conv2D(filters, 3, padding=padding, activation="relu", name=f"conv{place}"),
            layers.MaxPooling2D(name=f"pool{place}"),
        ]
    return [
        *body,
        layers.Flatten(name="flatten"),
        layers.Dense(512, activation="relu", name="dense"),
        layers.Dropout(0.5, name="dropout"),
    ]


def _compact_body(layers: object) -> list:
    """Depthwise separable blocks and an average over the image, after MobileNet.

    Howard et al. (2017), arXiv:1704.04861, much narrower and without batch normalisation, whose
    running means lag behind in a hundred steps of training. The average over the whole image needs
    no weights for places, of which the paper's network has 4.2 million.
    """
    body = [
        layers.Conv2D(
            COMPACT_CHANNELS[0] // 2,
            3,
            strides=2,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            name="entry",
        )
    ]
    for place, filters in enumerate(COMPACT_CHANNELS, start=1):
        body += [
            layers.DepthwiseConv2D(
                3,
                strides=2,
                padding="same",
                depthwise_initializer="he_normal",
                name=f"depth{place}",
            ),
            layers.Conv2D(
                filters, 1, activation="relu", kernel_initializer="he_normal", name=f"point{place}"
            ),
        ]
    return [*body, layers.GlobalAveragePooling2D(name="average")]


@dataclass(frozen=True, eq=False)
class Fit:
    """What a training left beside the weights, which contain the temperature.

    `history` has, per epoch, accuracy and loss (nats) of training and of validation.
    """

    history: list[dict[str, float]]
    temperature: float


def train_network(
    model: object,
    images: np.ndarray,
    labels: np.ndarray,
    draw: Draw,
    training: Training,
    rotations: int,
) -> Fit:
    """Train a model on the training images of a draw, and calibrate it on the validation images.

    `images` (n, size, size, bands) are the patches, `labels` (n,) their classes; augmented copies
    are made batch by batch. One line per epoch is logged, and a terminal gets a bar. The
    temperature divides the weights of the last layer, so the model's own answers are calibrated.
    """
    keras, tensorflow = load_keras()
    binary = model.output_shape[-1] == 1
    orders: dict[str, np.ndarray] = {}
    # Threads that would tune how batches come sleep on for half a second after each epoch.
    untuned = tensorflow.data.Options()
    untuned.autotune.enabled = False

    def batches_of(side: str) -> object:
        """Batches of one side; those of training in a new order every epoch."""
        own_patches, own_variants = draw.side(side)
        orders[side] = np.arange(len(own_patches))

        def make() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for start in range(0, len(own_patches), training.batch):
                own = orders[side][start : start + training.batch]
                patches = own_patches[own]
                augmented = augment(images, patches, own_variants[own], rotations)
                yield to_input(augmented), labels[patches]

        shape = (None, *model.input_shape[1:])
        spec = tensorflow.TensorSpec
        kinds = spec(shape, tensorflow.float32), spec((None,), labels.dtype)
        data = tensorflow.data.Dataset.from_generator(make, output_signature=kinds)
        number = -(-len(own_patches) // training.batch)
        counted = tensorflow.data.experimental.assert_cardinality(number)
        return data.apply(counted).with_options(untuned)

    class Progress(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            generator = np.random.default_rng([training.seed, epoch + 1])
            orders["train"] = generator.permutation(len(orders["train"]))

        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            logger.info(
                "epoch %d of %d: accuracy %.4f, loss %.4f, validation accuracy %.4f, loss %.4f",
                epoch + 1,
                training.epochs,
                *(logs[name] for name in ("accuracy", "loss", "val_accuracy", "val_loss")),
            )

    model.compile(
        keras.optimizers.Adam(training.rate),
        "binary_crossentropy" if binary else "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    past = model.fit(
        batches_of("train"),
        validation_data=batches_of("validation"),
        epochs=training.epochs,
        shuffle=False,
        verbose=1 if sys.stderr.isatty() else 0,
        callbacks=[Progress()],
    ).history
    patches, variants = draw.side("validation")
    logits = predict_logits(model, images, patches, variants, rotations, training.batch)
    temperature = fit_temperature(logits, labels[patches])
    last = model.layers[-1]
    last.set_weights([weights / np.float32(temperature) for weights in last.get_weights()])
    return Fit(
        [
            {
                "epoch": epoch + 1,
                "accuracy": past["accuracy"][epoch],
                "loss": past["loss"][epoch],
                "val_accuracy": past["val_accuracy"][epoch],
                "val_loss": past["val_loss"][epoch],
            }
            for epoch in range(training.epochs)
        ],
        temperature,
    )


def predict_logits(
    model: object,
    images: np.ndarray,
    patches: np.ndarray,
    variants: np.ndarray,
    rotations: int,
    batch: int = 32,
) -> np.ndarray:
    """Logits (m, K) of the asked variants of the asked patches; `calibration.soften` takes them.

    Of two classes, the first has the logit 0.
    """
    before = _without_last(model)
    kernel, bias = (weights.astype(np.float64) for weights in model.layers[-1].get_weights())
    logits = [np.zeros((0, len(bias)))]
    for start in range(0, len(patches), batch):
        part = slice(start, start + batch)
        shown = to_input(augment(images, patches[part], variants[part], rotations))
        logits.append(before.predict_on_batch(shown).astype(np.float64) @ kernel + bias)
    found = np.concatenate(logits)
    return np.hstack([np.zeros_like(found), found]) if found.shape[1] == 1 else found


@lru_cache(maxsize=1)
def _without_last(model: object) -> object:
    """A model without its last layer, of which it shares the others; made, and traced, once."""
    keras, _ = load_keras()
    return keras.Model(model.inputs, model.layers[-2].output)


def compare_answers(
    model: object, predict: Callable[[np.ndarray], np.ndarray], images: np.ndarray, batch: int = 32
) -> float:
    """Largest difference between a model's probabilities and those of `predict`, over all images.

    Both get every image of (n, size, size, bands), a batch at a time.
    """
    worst = 0.0
    for start in range(0, len(images), batch):
        shown = to_input(images[start : start + batch])
        own = to_probabilities(model.predict_on_batch(shown))
        worst = max(worst, float(np.abs(own - predict(shown)).max()))
    return worst
