"""Networks in Keras's own files: written with equal bytes, opened without trust; TensorFlow set up.

TensorFlow is loaded by the functions that need it, and by nothing that runs a trained network.
"""

import gc
import json
import os
import sys
import zipfile
from collections.abc import Set
from pathlib import Path

import numpy as np

from gossan.errors import InputError
from gossan.files import DAMAGED_ARCHIVE, staged

# What a stored network may consist of. Keras would refuse a Lambda layer by itself; a list of what
# is allowed also keeps out whatever else can be named in a file.
STORED_LAYERS = frozenset(
    {
        *("Sequential", "InputLayer", "Conv2D", "DepthwiseConv2D", "MaxPooling2D"),
        *("GlobalAveragePooling2D", "Flatten", "Dense", "Dropout"),
    }
)
STORED_HELPERS = frozenset({"DTypePolicy", "GlorotUniform", "HeNormal", "Zeros"})
UNUSED = frozenset({"matplotlib", "pandas", "sklearn"})
"""What Keras loads for plots, tables and wrappers if it is there, and works without."""
STORED_FILES = frozenset({"config.json", "metadata.json", "model.weights.h5"})


def set_up_tensorflow(threads: int, seed: int) -> None:
    """Fix TensorFlow's threads, seeds and order of operations, on which the last bits depend.

    Threads can be set once in a process, before the first operation; later calls must agree.
    Raises InputError where they do not.
    """
    from threadpoolctl import threadpool_limits

    keras, tensorflow = load_keras()
    # Sums of NumPy's matrix products, too, depend on threads, and Snakemake sets those to the cores
    # that a run happens to have.
    threadpool_limits(threads, "blas")
    threading = tensorflow.config.threading
    try:
        threading.set_intra_op_parallelism_threads(threads)
        threading.set_inter_op_parallelism_threads(1)
    except RuntimeError as error:
        raise InputError(
            f"threads: {threads} cannot be set once TensorFlow runs; start a new process"
        ) from error
    tensorflow.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)


def load_keras() -> tuple[object, object]:
    """Keras and TensorFlow, whose greetings are no faults and stay out of the log.

    Loading takes half the time without UNUSED, and without the search for garbage among modules.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if "keras" not in sys.modules:
        hidden = UNUSED - sys.modules.keys()
        gc.disable()
        try:
            # To Keras, they are not installed.
            sys.modules.update(dict.fromkeys(hidden))
            import keras
        finally:
            for name in hidden:
                del sys.modules[name]
            gc.freeze()
            gc.enable()
    import keras
    import tensorflow

    return keras, tensorflow


def describe_layers(model: object) -> list[dict[str, object]]:
    """Name, kind, shape of the answer and number of parameters of each layer."""
    return [
        {
            "name": layer.name,
            "kind": type(layer).__name__,
            "shape": list(layer.output.shape[1:]),
            "parameters": layer.count_params(),
        }
        for layer in model.layers
    ]


def write_keras(path: str | Path, model: object) -> None:
    """Store a model, whole or not at all; equal weights give equal bytes.

    Keras stamps the archive and its description with the time; both are set to a fixed moment.
    The optimiser stays behind: nobody needs it to run the network.
    """
    path = Path(path)
    bare = type(model).from_config(model.get_config())
    bare.set_weights(model.get_weights())
    with staged(path) as temporary:
        raw = temporary.with_name(f"{temporary.stem}.raw.keras")
        try:
            bare.save(raw)
            with zipfile.ZipFile(raw) as source, zipfile.ZipFile(temporary, "w") as target:
                for name in sorted(source.namelist()):
                    content = source.read(name)
                    if name == "metadata.json":
                        content = _without_date(content)
                    target.writestr(zipfile.ZipInfo(name), content)
        finally:
            raw.unlink(missing_ok=True)


def _without_date(content: bytes) -> bytes:
    description = json.loads(content)
    description["date_saved"] = "2000-01-01@00:00:00"
    return json.dumps(description, sort_keys=True).encode()


def read_keras(path: str | Path, more: Set[str] = frozenset()) -> object:
    """A stored model, for comparison and further training; nothing in the file is run.

    Raises InputError for a missing or corrupt file, and for a file that holds more than the
    layers of STORED_LAYERS, such as a Lambda layer, before Keras sees it. `more` names layers
    of this project, registered with Keras, that are allowed beside them.
    """
    path = Path(path)
    fault = InputError(f"{path}: no readable Keras file; train the network again")
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            config = json.loads(archive.read("config.json")) if "config.json" in names else None
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; train the network first") from error
    except (ValueError, OSError, *DAMAGED_ARCHIVE) as error:
        raise fault from error
    if config is None or len(names) != len(set(names)):
        raise fault
    if set(names) != STORED_FILES:
        strange = min(set(names) ^ STORED_FILES)
        raise InputError(
            f"{path}: lacks or adds {strange}; give a network that this project trained"
        )
    for name in _named_objects(config):
        if name not in STORED_LAYERS | STORED_HELPERS | more:
            raise InputError(
                f"{path}: contains {name[:60]!r}, which this project's networks do not have and "
                "which is not opened; give a network that this project trained"
            )
    keras, _ = load_keras()
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        # A damaged file makes Keras and HDF5 raise nearly anything.
        raise fault from error
    if not all(np.isfinite(weights).all() for weights in model.get_weights()):
        raise InputError(f"{path}: has weights that are no numbers; train the network again")
    return model


def _named_objects(value: object) -> list[str]:
    """Every class or function that a stored configuration names, at any depth."""
    if isinstance(value, list):
        return [name for item in value for name in _named_objects(item)]
    if not isinstance(value, dict):
        return []
    found = [value[key] for key in ("class_name", "registered_name") if key in value]
    module = value.get("module")
    if module is not None and str(module).split(".")[0] != "keras":
        found.append(module)
    found = [str(name) for name in found if name is not None]
    return found + [name for item in value.values() for name in _named_objects(item)]
