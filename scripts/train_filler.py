"""Train the network that reconstructs absent sensors, and store it for Keras and ONNX Runtime."""

import argparse
from pathlib import Path

from toolkit import run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--library", type=Path, nargs="+", required=True, help="spectral libraries to learn from")
    add("--classes", type=Path, required=True, help="the study's classes.csv")
    add("--bands", type=Path, required=True, help="bands of the stack (bands.csv)")
    add("--scene", required=True, help="scene id, for the network's own description")
    add("--spectra", type=int, required=True, help="spectra per epoch")
    add("--epochs", type=int, required=True, help="epochs")
    add("--hidden", type=int, required=True, help="units of an inner layer")
    add("--seed", type=int, required=True, help="seed of split, weights and spectra")
    add(
        "--threads", type=int, required=True, help="TensorFlow's threads; they change the last bits"
    )
    add("--model", type=Path, required=True, help="network to write (.keras)")
    add("--onnx", type=Path, required=True, help="network to write (.onnx)")
    add("--record", type=Path, required=True, help="record of training and test to write (JSON)")
    add("--history", type=Path, required=True, help="loss per epoch to write (CSV)")
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read libraries and bands, train, test on held-out records, write files and records."""
    import numpy as np

    from gossan.cube.bands import read_bands
    from gossan.embedding.filler import Header, read_filler
    from gossan.embedding.filler_training import (
        MOST_DIFFERENCE,
        Training,
        build_filler,
        compare_forms,
        describe_reconstruction,
        export_filler,
        require_several,
        scale_mean,
        split_records,
        train_filler,
    )
    from gossan.embedding.spectral_augmentation import Augmentation, Augmenter
    from gossan.embedding.training_spectra import filled_sensors, read_training, response_matrix
    from gossan.files import staged, write_json
    from gossan.legend import read_classes
    from gossan.networks.headers import file_digest
    from gossan.networks.keras_files import (
        describe_layers,
        read_keras,
        set_up_tensorflow,
        write_keras,
    )
    from gossan.tables import write_table

    training = Training(
        epochs=arguments.epochs,
        spectra=arguments.spectra,
        hidden=arguments.hidden,
        seed=arguments.seed,
        threads=arguments.threads,
    )
    bands = read_bands(arguments.bands)
    require_several(bands)
    classes = read_classes(arguments.classes)
    library = read_training(arguments.library, classes)
    filled = filled_sensors(library, bands, response_matrix(bands))
    sides = split_records(
        library, filled, [item.name for item in classes], training.holdout, training.seed
    )
    set_up_tensorflow(training.threads, training.seed)
    model = build_filler(bands, training)
    learnt, held = (Augmenter(library.take(side), bands, Augmentation()) for side in sides)
    history = train_filler(model, learnt, held, training)
    header = Header(
        arguments.scene,
        bands,
        tuple(path.name for path in arguments.library),
        any(library.modelled),
        len(sides[0]),
    )
    generator = np.random.default_rng(training.seed)
    tested = held.augment(np.repeat(np.arange(len(sides[1])), 4), generator)
    with staged(arguments.model) as keras_path, staged(arguments.onnx) as onnx_path:
        write_keras(keras_path, model)
        onnx_path.write_bytes(export_filler(model, header))
        filler = read_filler(onnx_path)
        difference = compare_forms(read_keras(keras_path), filler, tested, training.seed)
        if not difference <= MOST_DIFFERENCE:
            raise RuntimeError(f"Keras and ONNX Runtime differ by {difference:g}")
    write_table(arguments.history, history)
    ways = {
        "network": filler.fill,
        "interpolation": filler.lines.draw,
        "mean": scale_mean(learnt.pure.mean(axis=0), bands),
    }
    write_json(
        arguments.record,
        {
            "scene": arguments.scene,
            "network": "masked autoencoder of sensors",
            "libraries": list(header.libraries),
            "modelled": header.modelled,
            "bands": {name: bands.sensor.count(name) for name in bands.sensors},
            "layers": describe_layers(model),
            "parameters": model.count_params(),
            "training": training.describe(),
            "records": {
                "learnt": len(sides[0]),
                "held_out": [library.records[place] for place in sides[1]],
            },
            "loss": history[-1]["loss"],
            "val_loss": history[-1]["val_loss"],
            "reconstruction": describe_reconstruction(tested, bands, ways),
            "keras_onnx_difference": difference,
            "onnx_sha256": file_digest(arguments.onnx),
        },
    )


if __name__ == "__main__":
    run(build_parser(), main)
