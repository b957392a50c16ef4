"""Train the embedding network on library spectra, and store it for Keras and ONNX Runtime."""

import argparse
from pathlib import Path

from toolkit import add_embedding, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add(
        "--library",
        type=Path,
        nargs="+",
        required=True,
        help="spectral libraries (files or folders); records of other minerals are rivals",
    )
    add("--classes", type=Path, required=True, help="the study's classes.csv")
    add("--bands", type=Path, required=True, help="the stack's bands.csv")
    add(
        "--region",
        choices=("1um", "2um"),
        help="train on the bands and minerals of this region alone, for real ground; the column "
        "group of the classes says where a mineral absorbs",
    )
    add("--scene", required=True, help="scene id, for the network's own description")
    add_embedding(parser)
    add(
        "--negatives",
        choices=("library", "minerals"),
        default="library",
        help="minerals that negatives and mixtures are of: all of the libraries, or those of the "
        "classes alone",
    )
    add(
        "--masks",
        choices=("paired", "each"),
        default="paired",
        help="how sensors are hidden in a triplet: from the positive and half of the anchors "
        "alike, or from each spectrum by a draw of its own",
    )
    add(
        "--preparation",
        choices=("sharpened", "plain"),
        default="sharpened",
        help="what the first layer sees: spectra sharpened and normalised by sensor, or plain "
        "reflectance",
    )
    add(
        "--distance",
        choices=("records", "centroids"),
        default="records",
        help="what a pixel is compared with: each pure record with the pixel's own sensors, or the "
        "mean of a mineral's records with all sensors",
    )
    add("--model", type=Path, required=True, help="network to write (.keras)")
    add("--onnx", type=Path, required=True, help="network to write (.onnx)")
    add("--record", type=Path, required=True, help="record of the training to write (JSON)")
    add("--history", type=Path, required=True, help="loss per epoch to write (CSV)")
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read library, classes and bands, train, compare both stored forms, write."""
    import numpy as np

    from gossan.cube.bands import read_bands
    from gossan.embedding.model import read_model, write_model
    from gossan.embedding.regions import REGIONS, bands_in, classes_in
    from gossan.embedding.spectral_augmentation import GROUND, Augmentation
    from gossan.embedding.training import (
        LIBRARY,
        MOST_DIFFERENCE,
        compare_embeddings,
        learn,
        read_keras_embedding,
        read_training_options,
    )
    from gossan.embedding.training_spectra import read_training
    from gossan.files import staged, write_json
    from gossan.legend import read_classes
    from gossan.networks.headers import file_digest
    from gossan.networks.keras_files import set_up_tensorflow, write_keras
    from gossan.tables import write_table

    classes = [item for item in read_classes(arguments.classes) if item.kind == "mineral"]
    bands = read_bands(arguments.bands)
    region = REGIONS.get(arguments.region)
    if region is not None:
        classes, bands = classes_in(classes, region), bands_in(bands, region)
    training = read_training_options(vars(arguments)).for_sensors(len(bands.sensors))
    spectra = read_training(arguments.library, classes)
    set_up_tensorflow(training.threads, training.seed)
    names = [path.name for path in arguments.library]
    augmentation = Augmentation() if region is None else GROUND
    learned = learn(
        spectra,
        classes,
        bands,
        training,
        augmentation,
        scene=arguments.scene,
        libraries=names,
        region=region,
    )
    with staged(arguments.model) as keras_path, staged(arguments.onnx) as onnx_path:
        write_keras(keras_path, learned.model)
        write_model(onnx_path, learned.header, learned.branches, learned.references)
        difference = compare_embeddings(
            read_keras_embedding(keras_path), read_model(onnx_path), learned.references
        )
        if not difference <= MOST_DIFFERENCE:
            raise RuntimeError(f"Keras and ONNX Runtime differ by {difference:g}")
    write_table(arguments.history, learned.history)
    write_json(
        arguments.record,
        {
            "scene": arguments.scene,
            "region": learned.header.region,
            "libraries": names,
            "modelled": learned.header.modelled,
            "records": len(spectra),
            "minerals": dict(zip(learned.header.minerals, learned.header.records, strict=True)),
            "rivals": sorted(set(spectra.minerals) - set(learned.header.minerals))
            if training.negatives == LIBRARY
            else [],
            "left_out": learned.left_out,
            "backgrounds": learned.backgrounds,
            "bands": {
                name: bands.part(name).stop - bands.part(name).start for name in bands.sensors
            },
            "training": training.describe(),
            "augmentation": augmentation.describe(bands.sensors),
            "parameters": int(sum(np.size(own) for own in learned.model.trainable_variables)),
            "loss": learned.history[-1]["loss"],
            "keras_onnx_difference": difference,
            "onnx_sha256": file_digest(arguments.onnx),
        },
    )


if __name__ == "__main__":
    run(build_parser(), main)
