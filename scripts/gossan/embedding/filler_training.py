"""Networks that reconstruct absent sensors (`filler`): masked autoencoders and their training.

In training, sensors are taken away at random and the loss is counted on them alone, as in masked
autoencoders of images (He et al. 2022, arXiv:2111.06377). Straight lines instead of zeros leave
less to learn: with zeros, the same network stayed worse than the lines themselves wherever one
imaging spectrometer can stand in for another. TensorFlow is loaded by the functions that need it.
"""

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from gossan.cube.bands import HYPERSPECTRAL, StackBands
from gossan.embedding.filler import Filler, Header, Lines, to_input
from gossan.embedding.model import IR_VERSION, OPSET
from gossan.embedding.spectral_augmentation import Augmenter
from gossan.embedding.training_spectra import TrainingSpectra
from gossan.errors import InputError
from gossan.networks.onnx_session import METADATA

MOST_DIFFERENCE = 1e-4
"""Largest difference of reflectance that the two stored forms of a network may have."""

SMALLEST_LACK = 0.01
"""Difference, relative to brightness, below which straight lines are as good as measured."""

logger = logging.getLogger(__name__)


def export_filler(model: object, header: Header) -> bytes:
    """The bytes of an ONNX file of a model of `build_filler`; equal weights give equal bytes."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, last = [], [], "spectra"
    for layer in model.layers:
        names = [f"{layer.name}.{place}" for place in range(2)]
        for name, values in zip(names, layer.get_weights(), strict=True):
            weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        nodes.append(helper.make_node("Gemm", [last, *names], [layer.name], name=layer.name))
        last = layer.name
        if layer is not model.layers[-1]:
            last = f"{layer.name}_relu"
            nodes.append(helper.make_node("Relu", [layer.name], [last], name=last))
    graph = helper.make_graph(
        nodes,
        "gossan",
        [helper.make_tensor_value_info("spectra", TensorProto.FLOAT, ["n", model.input_shape[1]])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, ["n", model.output_shape[1]])],
        weights,
    )
    file = helper.make_model(
        graph, producer_name="gossan", opset_imports=[helper.make_opsetid("", OPSET)]
    )
    file.ir_version = IR_VERSION
    helper.set_model_props(file, {METADATA: header.to_json()})
    onnx.checker.check_model(file)
    return file.SerializeToString(deterministic=True)


@dataclass(frozen=True)
class Training:
    """How the network is trained: Adam (Kingma and Ba 2015) with a rate that falls by a cosine.

    `spectra` are made per epoch, never the same twice, in batches of `batch`; `hidden` are the
    units of each of the two inner layers. `holdout` is the share of records that are kept for
    the test.
    """

    epochs: int
    spectra: int
    hidden: int
    seed: int
    threads: int
    batch: int = 256
    rate: float = 1e-3
    holdout: float = 0.2

    def __post_init__(self):
        """Raise InputError for numbers that cannot be used."""
        for name, least in (
            ("epochs", 1),
            ("spectra", 1),
            ("batch", 1),
            ("hidden", 1),
            ("seed", 0),
            ("threads", 1),
        ):
            if getattr(self, name) < least:
                raise InputError(
                    f"{name}: {getattr(self, name)} is too small; give at least {least}"
                )
        if not 0 < self.rate <= 1:
            raise InputError(f"rate: {self.rate:g} is not above 0 and up to 1")
        if not 0 < self.holdout < 1:
            raise InputError(f"holdout: {self.holdout:g} is not a share between 0 and 1")

    def describe(self) -> dict[str, object]:
        """What a record says about it."""
        return asdict(self)


def split_records(
    training: TrainingSpectra,
    filled: np.ndarray,
    targets: Sequence[str],
    holdout: float,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Places of the records to learn from and of those held out, both ascending.

    Only records that fill every sensor, `filled` (R, S), are of use. A target mineral keeps at
    least one record to learn from. Raises InputError where either side would be empty.
    """
    usable = np.flatnonzero(filled.all(axis=1))
    minerals = np.array(training.minerals)
    left = {name: int((minerals[usable] == name).sum()) for name in targets}
    asked = max(1, round(holdout * len(usable)))
    held = []
    for place in np.random.default_rng(seed).permutation(usable):
        name = training.minerals[place]
        if len(held) < asked and left.get(name) != 1:
            held.append(place)
            if name in left:
                left[name] -= 1
    learnt = np.setdiff1d(usable, held)
    if not held or not learnt.size:
        raise InputError(
            f"library: {len(usable)} of its {len(training)} spectra fill the bands of all sensors; "
            "add a library of which more do"
        )
    return learnt, np.sort(held)


def draw_present(count: int, sensors: int, generator: np.random.Generator) -> np.ndarray:
    """Sensors (n, S) bool of which n ~ U{1..S-1} are taken away, whichever."""
    taken = generator.integers(1, sensors, (count, 1))
    return generator.random((count, sensors)).argsort(axis=1).argsort(axis=1) >= taken


def require_several(bands: StackBands) -> None:
    """Raise InputError for a stack of one sensor, which has nothing to fill in from."""
    if len(bands.sensors) < 2:
        raise InputError(
            f"bands: the only sensor is {' '.join(bands.sensors)}, and nothing can fill in for it; "
            "train no filler, or add a sensor to the scene"
        )


def build_filler(bands: StackBands, training: Training) -> object:
    """An untrained Keras model from (n, B + S) to (n, B), which answers 0 at first.

    Raises InputError for a stack of fewer than two sensors.
    """
    import keras

    sensors = bands.sensors
    require_several(bands)

    def dense(units: int, name: str, place: int) -> object:
        start = keras.initializers.HeNormal(seed=training.seed + place)
        return keras.layers.Dense(units, "relu", kernel_initializer=start, name=name)

    return keras.Sequential(
        [
            keras.Input((len(bands) + len(sensors),), name="spectra"),
            dense(training.hidden, "inner", 0),
            dense(training.hidden, "outer", 1),
            keras.layers.Dense(len(bands), kernel_initializer="zeros", name="differences"),
        ],
        name="filler",
    )


def train_filler(
    model: object, learnt: Augmenter, held: Augmenter, training: Training
) -> list[dict[str, float]]:
    """Train a model in place; per epoch, the loss of training and that of held-out spectra.

    The loss is the mean square difference over the bands of the sensors taken away, each sensor
    counting alike, divided by that of straight lines: of an answer that adds nothing it is below
    1, and spectra whose absent sensors are nearly known count as much as others. One line per
    epoch is logged.
    """
    import keras
    import tensorflow
    from tqdm import tqdm

    bands = learnt.bands
    lines = Lines.of(bands)
    weight = np.zeros(len(bands), np.float32)
    for sensor in bands.sensors:
        weight[bands.part(sensor)] = 1 / bands.sensor.count(sensor)
    steps = -(-training.spectra // training.batch)
    optimiser = keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(training.rate, steps * training.epochs)
    )
    optimiser.build(model.trainable_variables)

    def measure(shown, wanted, weights):
        def mean_square(values):
            total = tensorflow.reduce_sum(tensorflow.square(values) * weights, axis=1)
            return total / tensorflow.reduce_sum(weights, axis=1)

        left = mean_square(model(shown, training=True) - wanted)
        return tensorflow.reduce_mean(left / (mean_square(wanted) + SMALLEST_LACK**2))

    @tensorflow.function
    def step(shown, wanted, weights):
        with tensorflow.GradientTape() as tape:
            loss = measure(shown, wanted, weights)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimiser.apply(gradients, model.trainable_variables)
        return loss

    def batch_of(augmenter: Augmenter, generator: np.random.Generator) -> tuple[np.ndarray, ...]:
        records = generator.integers(0, len(augmenter.labels), training.batch)
        spectra = augmenter.augment(records, generator)
        present = draw_present(training.batch, len(bands.sensors), generator)
        drawn = lines.draw(spectra, present)
        shown, level = to_input(drawn, present)
        absent = ~bands.present_bands(present)
        return shown, (spectra - drawn) / level, absent * weight

    fixed = np.random.default_rng((training.seed, training.epochs))
    checks = [batch_of(held, fixed) for _ in range(4)]
    check = tensorflow.function(measure)
    history = []
    for epoch in range(training.epochs):
        generator = np.random.default_rng((training.seed, epoch))
        losses = [
            float(step(*batch_of(learnt, generator)))
            for _ in tqdm(
                range(steps),
                desc=f"epoch {epoch + 1} of {training.epochs}",
                disable=not sys.stderr.isatty(),
                leave=False,
            )
        ]
        loss = float(np.mean(losses))
        val_loss = float(np.mean([float(check(*batch)) for batch in checks]))
        history.append({"epoch": epoch + 1, "loss": loss, "val_loss": val_loss})
        logger.info(
            "epoch %d of %d: loss %.6f, of held-out spectra %.6f",
            epoch + 1,
            training.epochs,
            loss,
            val_loss,
        )
    return history


def compare_forms(model: object, filler: Filler, spectra: np.ndarray, seed: int) -> float:
    """Largest difference of reflectance between a model and its ONNX form, over spectra (n, B)."""
    present = draw_present(
        len(spectra), len(filler.header.bands.sensors), np.random.default_rng(seed)
    )
    drawn = filler.lines.draw(spectra, present)
    shown, level = to_input(drawn, present)
    own = np.maximum(drawn + level * np.asarray(model.predict_on_batch(shown)), 0)
    absent = ~filler.header.bands.present_bands(present)
    return float(np.abs(own - filler.fill(spectra, present))[absent].max())


Way = Callable[[np.ndarray, np.ndarray], np.ndarray]


def scale_mean(mean: np.ndarray, bands: StackBands) -> Way:
    """The trivial way: a mean spectrum (B,), at the brightness that fits the measured bands best.

    The brightness is that of least squares; the result has the form of `Filler.fill`.
    """

    def fill(spectra: np.ndarray, present: np.ndarray) -> np.ndarray:
        measured = bands.present_bands(present)
        known = np.where(measured, mean, 0)
        gain = (spectra * known).sum(axis=1) / np.maximum((known**2).sum(axis=1), 1e-12)
        return np.where(measured, spectra, gain[:, None] * mean).astype(np.float32)

    return fill


def describe_reconstruction(
    spectra: np.ndarray, bands: StackBands, ways: Mapping[str, Way]
) -> dict[str, object]:
    """How well each sensor of full spectra (n, B) is made from the others, by each of `ways`.

    `sensors` has each sensor absent alone, `hyperspectral` the imaging spectrometers absent
    together (where the stack has other sensors, too). Per sensor and way: root of the mean square
    difference of reflectance over all its bands, and the mean spectral angle (rad).
    """
    groups = {"sensors": [(name,) for name in bands.sensors]}
    narrow = tuple(name for name in bands.sensors if name in HYPERSPECTRAL)
    if narrow and len(narrow) < len(bands.sensors):
        groups["hyperspectral"] = [narrow]
    found: dict[str, object] = {"spectra": len(spectra)}
    for title, absences in groups.items():
        found[title] = {}
        for absent in absences:
            present = np.tile(~np.isin(bands.sensors, absent), (len(spectra), 1))
            bare = np.where(bands.present_bands(present), spectra, np.float32(0))
            made = {name: way(bare, present) for name, way in ways.items()}
            for sensor in absent:
                part = bands.part(sensor)
                found[title][sensor] = {
                    name: _differences(spectra[:, part], values[:, part])
                    for name, values in made.items()
                }
    return found


def _differences(truth: np.ndarray, made: np.ndarray) -> dict[str, float]:
    truth, made = truth.astype(np.float64), made.astype(np.float64)
    lengths = np.linalg.norm(truth, axis=1) * np.linalg.norm(made, axis=1)
    cosine = (truth * made).sum(axis=1) / np.maximum(lengths, 1e-12)
    return {
        "rmse": round(float(np.sqrt(np.mean((truth - made) ** 2))), 6),
        "angle_rad": round(float(np.arccos(cosine.clip(-1, 1)).mean()), 6),
    }
