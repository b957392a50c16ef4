"""Folders as train_network leaves them, written without a training: the answers are drawn."""

import csv
import json
from pathlib import Path

import numpy as np

from gossan.accuracy.blocks import Bootstrap
from gossan.legend import MapClass
from gossan.patches.cutting import SIDES, PatchTable
from gossan.patches.splits import draw_blocked, draw_published
from gossan.patches.validation import (
    Answers,
    accuracy_record,
    answer_rows,
    describe_answers,
    describe_leak,
    share_accuracy,
)
from gossan.tables import write_table

PARAMETERS = {"paper": 4_297_825, "compact": 46_849}
EPOCHS = 3
PROPORTIONS = """code,name,colour,pixels,share,answer_pixels,answer_share
2,chalcocite,#00FE00,500,0.050000,3000,0.300000
6,calcite,#4FC3F7,1500,0.150000,0,0.000000
12,feldspar,#FE00FE,2500,0.250000,6000,0.600000
0,background,#000000,5500,0.550000,1000,0.100000
"""


def make_run(
    folder: Path,
    table: PatchTable,
    classes: list[MapClass],
    *,
    network: str = "paper",
    protocol: str = "blocked",
    kind: str = "colour",
    sure: float = 1.0,
    block_px: int = 16,
) -> Path:
    """Write record, history, answers and accuracy; the larger `sure`, the more is right."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = apart = draw_blocked(table, 200, seed=3)
    if protocol == "published":
        draw = draw_published(table, 20, 200, rotations=10, seed=3)
    generator = np.random.default_rng(5)
    answers = {}
    sides = {side: draw.side(side) for side in SIDES[1:]}
    if protocol == "published":
        sides["apart"] = apart.side("test")
    for side, (patches, variants) in sides.items():
        labels = table.labels[patches]
        logits = generator.normal(size=(len(labels), len(table.classes)))
        logits[np.arange(len(labels)), labels] += sure
        answers[side] = Answers(patches, variants, labels, logits)
    files = {"accuracy.json": ("test", protocol)}
    if protocol == "published":
        files = {
            "accuracy/split.json": ("test", protocol),
            "accuracy/apart.json": ("apart", "apart"),
        }
    for file, (side, told) in files.items():
        accuracy = accuracy_record(
            answers[side],
            table,
            classes,
            scene="tiny",
            method=f"CNN, {network} network, {kind} patches, {told} split",
            protocol=told,
            file="patches.csv",
            bootstrap=Bootstrap(block_px, 100, 3),
        )
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(json.dumps(accuracy))
    record = {
        "scene": "tiny",
        "network": network,
        "input": kind,
        "bands": ["red", "green", "blue"] if kind == "colour" else ["B1", "B2"],
        "protocol": protocol,
        "synthetic": table.synthetic,
        "classes": [{"code": item.code, "name": item.name} for item in classes],
        "patch_px": table.size_px,
        "input_px": 150,
        "layers": [{"name": "score", "kind": "Dense", "shape": [1], "parameters": 513}],
        "parameters": PARAMETERS[network],
        "epochs": EPOCHS,
        "images": {side: int((draw.sides == side).sum()) for side in SIDES},
        "leak": describe_leak(table, draw, answers["test"]),
        "temperature": 1.25,
        "train": {"accuracy": 0.875, "loss": 0.3125},
        **{side: describe_answers(own, 1.25) for side, own in answers.items()},
        "colour_share_accuracy": share_accuracy(table, answers["test"].patches),
    }
    (folder / "record.json").write_text(json.dumps(record))
    write_table(folder / "answers.csv", answer_rows(answers, table))
    with (folder / "history.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["epoch", "accuracy", "loss", "val_accuracy", "val_loss"])
        for epoch in range(1, EPOCHS + 1):
            rows.writerow([epoch, 0.6 + 0.1 * epoch, 0.6 / epoch, 0.5 + 0.1 * epoch, 0.7 / epoch])
    return folder


def make_runs(folder: Path, table: PatchTable, classes: list[MapClass]) -> None:
    """The four runs of two classes that a study has, below the folder of its patches."""
    for name, options in {
        "networks/paper-blocked": {},
        "published": {"protocol": "published", "sure": 4},
        "networks/compact-blocked": {"network": "compact", "sure": 2},
        "networks/reflectance-blocked": {"network": "compact", "kind": "reflectance", "sure": 0.5},
    }.items():
        make_run(folder / name, table, classes, **options)
