"""How right a patch network is: its record, its accuracy record, its answers image by image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gossan.accuracy.blocks import Bootstrap
from gossan.accuracy.record import TruthSource, class_labels, make_record
from gossan.accuracy.scores import count_pixels
from gossan.accuracy.temperature import log_loss, measure_reliability, soften
from gossan.errors import InputError
from gossan.legend import MapClass
from gossan.patches.cutting import PatchTable
from gossan.patches.splits import TRAIN, Draw, measure_leak

PROTOCOL_NOTES = {
    "blocked": (
        "blocked: spatial blocks split before augmentation; training images are turned and "
        "mirrored copies, test images are the patches themselves"
    ),
    "published": (
        "published: augmented, reduced, then split at random, as published; copies of one patch "
        "are on both sides"
    ),
    "apart": (
        "apart: the network of the published split, tested on the test patches of the blocked "
        "one, whose ground trained nothing"
    ),
}


HISTORY_COLUMNS = ("epoch", "accuracy", "loss", "val_accuracy", "val_loss")
"""Columns of the table of a training's epochs."""
ANSWER_COLUMNS = ("side", "patch", "variant", "block", "label", "answer")
"""Columns of the table of answers; after them, the probability of each class."""


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers to the images of one side: patches, variants, labels (m,) and logits (m, K).

    The logits contain the temperature.
    """

    patches: np.ndarray
    variants: np.ndarray
    labels: np.ndarray
    logits: np.ndarray

    @property
    def probabilities(self) -> np.ndarray:
        """Calibrated probabilities (m, K)."""
        return soften(self.logits)

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return float((self.logits.argmax(axis=1) == self.labels).mean())


def pick_classes(classes: Sequence[MapClass], names: Sequence[str], where: str) -> list[MapClass]:
    """The classes called `names`, in that order; InputError where the table `where` lacks one."""
    known = {item.name: item for item in classes}
    missing = [name for name in names if name not in known]
    if missing:
        raise InputError(
            f"{where}: lacks the class {missing[0]}; give the table that the patches were cut with"
        )
    return [known[name] for name in names]


def share_accuracy(table: PatchTable, patches: np.ndarray) -> float:
    """Accuracy of the rule that counts colours: a patch is the class with most of its pixels.

    It is 1 by the making of the labels. It is stated beside a network's accuracy because all that
    a network of painted patches can learn is to count as well as that.
    """
    places = [table.share_names.index(name) for name in table.classes]
    counted = table.shares[patches][:, places].argmax(axis=1)
    return float((counted == table.labels[patches]).mean())


def describe_answers(answers: Answers, temperature: float) -> dict:
    """Accuracy, loss (nats) and calibration of one side, before and after the temperature."""
    raw = soften(answers.logits, 1 / temperature)
    described = {
        "images": len(answers.labels),
        "source_patches": len(np.unique(answers.patches)),
        "accuracy": _round(answers.accuracy),
    }
    for name, chances in (("uncalibrated", raw), ("calibrated", answers.probabilities)):
        reliability = measure_reliability(chances, answers.labels)
        described[name] = {
            "loss": _round(log_loss(chances, answers.labels)),
            "ece": _round(reliability.error),
            "bins": [
                {
                    "low": _round(reliability.edges[place]),
                    "high": _round(reliability.edges[place + 1]),
                    "n": int(count),
                    "confidence": _round(reliability.confidence[place]) if count else None,
                    "accuracy": _round(reliability.accuracy[place]) if count else None,
                }
                for place, count in enumerate(reliability.count)
            ],
        }
    return described


def describe_leak(table: PatchTable, draw: Draw, tested: Answers) -> dict:
    """How much ground is on two sides, as counts, and what it does to the score.

    `tested` are the answers to the draw's test images: the accuracy of those that are copies of a
    patch that also trains, and of the others; None where there are none.
    """
    leak = measure_leak(table, draw)
    copied = np.isin(tested.patches, draw.side(TRAIN)[0])
    right = tested.logits.argmax(axis=1) == tested.labels
    return {
        "source_patches": leak.patches,
        "crossing": leak.crossing,
        "test_images": leak.tested,
        "test_copies_of_training_patches": leak.tested_copies,
        "test_images_overlapping_training": leak.tested_overlapping,
        "accuracy_of_copies": _round(right[copied].mean()) if copied.any() else None,
        "accuracy_of_others": _round(right[~copied].mean()) if not copied.all() else None,
    }


def answer_rows(answers: Mapping[str, Answers], table: PatchTable) -> list[dict[str, object]]:
    """One row per image of the sides: patch, variant, label, answer, probability per class."""
    rows = []
    for side, own in answers.items():
        for patch, variant, label, chances in zip(
            own.patches, own.variants, own.labels, own.probabilities, strict=True
        ):
            rows.append(
                {
                    "side": side,
                    "patch": patch,
                    "variant": variant,
                    "block": table.blocks[patch],
                    "label": table.classes[label],
                    "answer": table.classes[chances.argmax()],
                    **{
                        f"probability_{name}": f"{chance:.6f}"
                        for name, chance in zip(table.classes, chances, strict=True)
                    },
                }
            )
    return rows


def accuracy_record(
    answers: Answers,
    table: PatchTable,
    classes: Sequence[MapClass],
    *,
    scene: str,
    method: str,
    protocol: str,
    file: str,
    bootstrap: Bootstrap,
) -> dict:
    """The accuracy record of the test images (`record` in workflow/schemas/accuracy.schema.json).

    Images count where pixels count in the records of maps. The interval redraws the spatial
    blocks of the source patches, in both protocols: copies of a patch are not independent.
    `classes` are those of the table, in its order.
    """
    blocks = count_pixels(
        table.blocks[answers.patches],
        answers.labels + 1,
        answers.logits.argmax(axis=1) + 1,
        len(classes) + 1,
    )
    return make_record(
        blocks,
        class_labels(classes),
        scene=scene,
        method=method,
        synthetic=table.synthetic,
        truth=TruthSource(
            file,
            "raster",
            "counts are images of patches; a patch's class is the largest of the classes in "
            "the class map that it was cut from, not ground truth",
        ),
        split=PROTOCOL_NOTES[protocol],
        bootstrap=bootstrap,
    )


def _round(value: float) -> float:
    return round(float(value), 6)
