"""Train a network on patches, calibrate and test it, and store it for Keras and ONNX Runtime."""

import argparse
from pathlib import Path

from toolkit import run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--patches", type=Path, required=True, help="patches of cut_patches.py (.npz)")
    add("--table", type=Path, required=True, help="table of the patches (CSV)")
    add("--classes", type=Path, required=True, help="the study's classes.csv")
    add(
        "--protocol",
        choices=("blocked", "published"),
        required=True,
        help="split by block, then augment; or augment, then split, as published",
    )
    add(
        "--network",
        choices=("paper", "compact"),
        required=True,
        help="the paper's layers, or depthwise blocks with an average",
    )
    add(
        "--source-patches",
        type=int,
        help="with --protocol published: patches whose copies are split, which do not overlap",
    )
    add("--images", type=int, required=True, help="images of all sides together")
    add(
        "--rotations",
        type=int,
        required=True,
        help="turns of a patch, each also mirrored; 4 are right angles",
    )
    add("--epochs", type=int, required=True, help="passes over the training images")
    add("--seed", type=int, required=True, help="seed of draw, weights, order and bootstrap")
    add(
        "--threads", type=int, required=True, help="TensorFlow's threads; they change the last bits"
    )
    add("--scene", required=True, help="scene id")
    add(
        "--split-block-px",
        type=int,
        required=True,
        help="side of the table's spatial blocks in pixels, for the record",
    )
    add("--bootstrap", type=int, required=True, help="number of bootstrap samples")
    add("--model", type=Path, required=True, help="network to write (.keras)")
    add("--onnx", type=Path, required=True, help="network to write (.onnx)")
    add("--record", type=Path, required=True, help="record of the training to write (JSON)")
    add("--history", type=Path, required=True, help="accuracy and loss per epoch to write (CSV)")
    add(
        "--answers",
        type=Path,
        required=True,
        help="table to write of the answers to validation and test images (CSV)",
    )
    add("--accuracy", type=Path, required=True, help="accuracy record to write (JSON)")
    add(
        "--apart",
        type=Path,
        help="with --protocol published: accuracy record to write of the test images of the "
        "blocked protocol (JSON)",
    )
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read the patches, train, compare both stored forms, write files and records."""
    import numpy as np

    from gossan.accuracy.blocks import Bootstrap
    from gossan.errors import InputError
    from gossan.files import staged, write_json
    from gossan.legend import class_colours, read_classes
    from gossan.networks.headers import file_digest
    from gossan.networks.keras_files import (
        describe_layers,
        read_keras,
        set_up_tensorflow,
        write_keras,
    )
    from gossan.networks.onnx_export import export_network
    from gossan.networks.onnx_session import METADATA
    from gossan.patches.architecture import (
        MOST_DIFFERENCE,
        RATES,
        Training,
        build_network,
        compare_answers,
        predict_logits,
        train_network,
    )
    from gossan.patches.cutting import SIDES, read_images, read_patches
    from gossan.patches.inference import Header, read_network
    from gossan.patches.splits import draw_blocked, draw_published
    from gossan.patches.validation import (
        Answers,
        accuracy_record,
        answer_rows,
        describe_answers,
        describe_leak,
        pick_classes,
        share_accuracy,
    )
    from gossan.tables import write_table

    published = arguments.protocol == "published"
    for name in ("source_patches", "apart"):
        if (getattr(arguments, name) is not None) != published:
            raise InputError(
                f"{name.replace('_', '-')}: goes with the published protocol, and it with that"
            )
    training = Training(
        arguments.epochs, RATES[arguments.network], arguments.seed, arguments.threads
    )
    bootstrap = Bootstrap(arguments.split_block_px, arguments.bootstrap, arguments.seed)
    table = read_patches(arguments.table)
    images, bands = read_images(arguments.patches, table)
    everything = read_classes(arguments.classes)
    own = pick_classes(everything, table.classes, str(arguments.classes))
    options = {"rotations": arguments.rotations, "seed": arguments.seed}
    draw = apart = draw_blocked(table, arguments.images, **options)
    if published:
        draw = draw_published(table, arguments.source_patches, arguments.images, **options)
    set_up_tensorflow(training.threads, training.seed)
    model = build_network(arguments.network, len(bands.names), len(own))
    fit = train_network(model, images, table.labels, draw, training, arguments.rotations)

    def answer(patches: np.ndarray, variants: np.ndarray) -> Answers:
        logits = predict_logits(model, images, patches, variants, arguments.rotations)
        return Answers(patches, variants, table.labels[patches], logits)

    answers = {side: answer(*draw.side(side)) for side in SIDES[1:]}
    if published:
        answers["apart"] = answer(*apart.side("test"))
    header = Header(
        scene=arguments.scene,
        network=arguments.network,
        kind="colour" if images.dtype == np.uint8 else "reflectance",
        bands=bands.names,
        centre_um=bands.centre_um,
        fwhm_um=bands.fwhm_um,
        patch_px=table.size_px,
        codes=tuple(item.code for item in own),
        names=tuple(item.name for item in own),
        colours=class_colours(everything),
        protocol=arguments.protocol,
        temperature=fit.temperature,
        synthetic=table.synthetic,
    )
    with staged(arguments.model) as keras_path, staged(arguments.onnx) as onnx_path:
        write_keras(keras_path, model)
        onnx_path.write_bytes(export_network(model, {METADATA: header.to_json()}))
        seen = np.unique(draw.patches)
        difference = compare_answers(
            read_keras(keras_path), read_network(onnx_path).predict, images[seen]
        )
        if not difference <= MOST_DIFFERENCE:
            raise RuntimeError(f"Keras and ONNX Runtime differ by {difference:g}")
    method = (
        f"CNN, {arguments.network} network, {header.kind} patches of {len(own)} classes, "
        f"{arguments.protocol} split"
    )
    tested = {"test": (arguments.accuracy, method, arguments.protocol)}
    if published:
        tested["apart"] = (arguments.apart, f"{method}, tested on ground kept apart", "apart")
    for side, (path, told, protocol) in tested.items():
        record = accuracy_record(
            answers[side],
            table,
            own,
            scene=arguments.scene,
            method=told,
            protocol=protocol,
            file=arguments.table.name,
            bootstrap=bootstrap,
        )
        write_json(path, record)
    write_table(arguments.history, fit.history)
    write_table(arguments.answers, answer_rows(answers, table))
    write_json(
        arguments.record,
        {
            "scene": arguments.scene,
            "method": method,
            "network": arguments.network,
            "input": header.kind,
            "bands": list(bands.names),
            "centre_um": list(bands.centre_um),
            "protocol": arguments.protocol,
            "synthetic": table.synthetic,
            "classes": [{"code": item.code, "name": item.name} for item in own],
            "patch_px": table.size_px,
            "input_px": header.input_px,
            "layers": describe_layers(model),
            "parameters": model.count_params(),
            "epochs": training.epochs,
            "batch": training.batch,
            "rate": training.rate,
            "seed": training.seed,
            "threads": training.threads,
            "rotations": arguments.rotations,
            "source_patches": arguments.source_patches,
            "images": {side: int((draw.sides == side).sum()) for side in SIDES},
            "leak": describe_leak(table, draw, answers["test"]),
            "temperature": round(fit.temperature, 6),
            "train": {
                "accuracy": fit.history[-1]["accuracy"],
                "loss": fit.history[-1]["loss"],
            },
            **{side: describe_answers(own, fit.temperature) for side, own in answers.items()},
            "colour_share_accuracy": round(share_accuracy(table, answers["test"].patches), 6),
            "compared_patches": len(seen),
            "keras_onnx_difference": difference,
            "onnx_sha256": file_digest(arguments.onnx),
        },
    )


if __name__ == "__main__":
    run(build_parser(), main)
