"""Train a network on patches, calibrate and test it, and store it for Keras and ONNX Runtime.

Where there are too few patches to train and test, the record says why, and the network's files are
empty.
"""

import argparse
import logging
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit import run

if TYPE_CHECKING:
    import numpy as np

    from gossan.accuracy.blocks import Bootstrap
    from gossan.patches.architecture import Training
    from gossan.patches.cutting import PatchTable
    from gossan.patches.splits import Draw


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--patches", type=Path, required=True, help="patches of cut_patches.py (.npz)")
    add("--table", type=Path, required=True, help="table of the patches (CSV)")
    add("--cut", type=Path, required=True, help="record of the patches (JSON)")
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
        "--shuffled",
        action="store_true",
        help="with --protocol published: train a second network on labels that are dealt to the "
        "patches at random, and record what it scores; there is nothing that it could learn",
    )
    add(
        "--apart",
        type=Path,
        help="with --protocol published: accuracy record to write of the test images of the "
        "blocked protocol (JSON)",
    )
    return parser


APART = ", tested on ground kept apart"


def main(arguments: argparse.Namespace) -> None:
    """Train a network if there are patches for one, else say why there is none."""
    from gossan.errors import InputError
    from gossan.files import read_json
    from gossan.patches.cutting import TooFewPatchesError

    published = arguments.protocol == "published"
    for name in ("source_patches", "apart"):
        if (getattr(arguments, name) is not None) != published:
            raise InputError(
                f"{name.replace('_', '-')}: goes with the published protocol, and it with that"
            )
    if arguments.shuffled and not published:
        raise InputError("shuffled: goes with the published protocol")
    cut = read_json(arguments.cut)
    try:
        if cut["too_few"]:
            raise TooFewPatchesError(cut["too_few"])
        train(arguments)
    except TooFewPatchesError as error:
        logging.warning("no network is trained: %s", error)
        write_untrained(arguments, cut, str(error))


def write_untrained(arguments: argparse.Namespace, cut: dict, reason: str) -> None:
    """Write all files as those of a network that was not trained, for want of patches."""
    from gossan.accuracy.record import unassessed_record
    from gossan.files import staged, write_json
    from gossan.patches.validation import ANSWER_COLUMNS, HISTORY_COLUMNS
    from gossan.tables import write_rows

    with staged(arguments.model) as file, zipfile.ZipFile(file, "w"):
        pass
    with staged(arguments.onnx) as file:
        file.touch()
    write_rows(arguments.history, HISTORY_COLUMNS, [])
    write_rows(arguments.answers, ANSWER_COLUMNS, [])
    method = (
        f"CNN, {arguments.network} network, {arguments.patches.stem} patches of "
        f"{len(cut['labels'])} classes, {arguments.protocol} split"
    )
    facts = {"scene": arguments.scene, "synthetic": cut["synthetic"]}
    for path, told in ((arguments.accuracy, method), (arguments.apart, f"{method}{APART}")):
        if path is not None:
            write_json(path, unassessed_record(**facts, method=told, reason=reason))
    told = {"method": method, "network": arguments.network, "protocol": arguments.protocol}
    write_json(arguments.record, {**facts, **told, "untrained": reason})


def train(arguments: argparse.Namespace) -> None:
    """Read the patches, train, compare both stored forms, write files and records."""
    import numpy as np

    from gossan.accuracy.blocks import Bootstrap
    from gossan.files import staged, write_json
    from gossan.legend import read_classes
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
    control = None
    if arguments.shuffled:
        control = train_on_shuffled(arguments, training, bootstrap, table, images, draw, apart)
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
        colours={item.code: item.colour for item in everything},
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
        tested["apart"] = (arguments.apart, f"{method}{APART}", "apart")
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
            "shuffled": control,
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


def train_on_shuffled(
    arguments: argparse.Namespace,
    training: "Training",
    bootstrap: "Bootstrap",
    table: "PatchTable",
    images: "np.ndarray",
    draw: "Draw",
    apart: "Draw",
) -> dict:
    """What a network scores whose patches had their labels dealt at random.

    It is trained as the one with labels. On its own test images it can only be right where it
    remembers a copy, on ground kept apart by chance.
    """
    from gossan.accuracy.scores import assess_blocks, count_pixels
    from gossan.patches.architecture import build_network, predict_logits, train_network
    from gossan.patches.splits import shuffle_labels

    labels = shuffle_labels(table.labels, draw, arguments.seed)
    classes = len(table.classes)
    model = build_network(arguments.network, images.shape[3], classes)
    train_network(model, images, labels, draw, training, arguments.rotations)
    scores = {}
    for name, own in (("test", draw), ("apart", apart)):
        patches, variants = own.side("test")
        logits = predict_logits(model, images, patches, variants, arguments.rotations)
        counts = count_pixels(
            table.blocks[patches], labels[patches], logits.argmax(axis=1), classes
        )
        named = [{"name": item} for item in table.classes]
        assessed = assess_blocks(counts, named, bootstrap.replicates, bootstrap.seed)
        scores[name] = {"n": assessed["n"], "overall_accuracy": assessed["overall_accuracy"]}
    return scores


if __name__ == "__main__":
    run(build_parser(), main)
