"""What the report says of the networks that were trained on patches of a mineral map."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gossan.accuracy.blocks import Bootstrap
from gossan.accuracy.paired import compare_blocks
from gossan.accuracy.scores import count_pixels
from gossan.errors import InputError
from gossan.files import read_json
from gossan.legend import read_classes
from gossan.patches.validation import ANSWER_COLUMNS, HISTORY_COLUMNS
from gossan.report.phrases import (
    SPARSE,
    UNDEFINED,
    WANTING,
    capitalise,
    in_text,
    interval,
    join_once,
    join_words,
    number,
    part_of,
    percent,
)
from gossan.report.sections import Scene, Section, Source
from gossan.tables import read_table

FIGURE_TITLES = {
    "pair": "Map of the two classes",
    "patches": "Patches",
    "training": "Training curves",
    "protocols": "Test accuracy by protocol",
    "reliability": "Reliability",
    "network-map": "Map of a network's answers",
    "proportions": "Pixels of each exact colour",
}

PAIR_FIGURES = ("pair",)
TRAINED_FIGURES = ("patches", "training", "protocols", "reliability")
MAP_FIGURES = ("network-map", "proportions")
ANSWERS = ("patches", "split", "network")
"""Rows of a published set-up that this section answers."""

UNPUBLISHED = {"tests": [], "sides": [], "epochs": [], "epochs_note": "", "parameters": None}
"""What a paper without networks says of them."""

PUBLISHED = "published"
"""The training as published, and the folder of its files."""
NETWORK_ORDER = (
    *("paper-blocked", PUBLISHED, "compact-blocked"),
    *("reflectance-blocked", "all-blocked", "paper-all-blocked"),
)
EPOCH_TITLES = [
    *("Training accuracy", "Training loss", "Validation accuracy", "Validation loss"),
]
PROPORTION_COLUMNS = ("name", "colour", "pixels", "share", "answer_pixels", "answer_share")
RECORD_KEYS = (
    *("network", "input", "protocol", "synthetic", "classes", "patch_px", "input_px", "layers"),
    *("parameters", "epochs", "images", "leak", "temperature", "train", "validation", "test"),
    "colour_share_accuracy",
)
NETWORK_LABELS = {"paper": "Paper's network", "compact": "Compact network"}
TEST = "test"
MEASURE_TITLES = {"overall_accuracy": "Test accuracy", "macro_f1": "Macro-F1", "f1": "F1"}
"""Scores that are shown of two networks on the same test images."""
TRAINING_SHARE = 0.7
"""Share of the images that trains, in the paper as here."""


@dataclass(frozen=True)
class NetworkRun:
    """One training: `record`, `history` (rows of HISTORY_COLUMNS) and `accuracy` are its files.

    `apart` is the accuracy record of the training as published on the test ground of the others,
    {} for these; `answers` are rows of ANSWER_COLUMNS.
    """

    name: str
    record: Mapping
    history: Sequence[Mapping[str, str]]
    accuracy: Mapping
    apart: Mapping
    answers: Sequence[Mapping[str, str]]

    @property
    def label(self) -> str:
        """The network in words, without the protocol."""
        kind, classes = self.record["network"], len(self.record["classes"])
        return (
            NETWORK_LABELS.get(kind, kind)
            + (", reflectance" if self.record["input"] == "reflectance" else "")
            + (f", {classes} classes" if classes > 2 else "")
        )

    @property
    def overall(self) -> Mapping:
        """Test accuracy with its interval."""
        return self.accuracy["scores"]["overall_accuracy"]


@dataclass(frozen=True, kw_only=True)
class PatchesScene(Scene):
    """The networks of a scene, and how many pixels have exactly the colour of each class.

    `proportions` are rows of the table of classify_patches (PROPORTION_COLUMNS), text; `labels`
    are those of the classes by name; `untrained` tells why by the name of the network.
    """

    runs: Sequence[NetworkRun]
    proportions: Sequence[Mapping[str, str]]
    labels: Mapping[str, str]
    untrained: Mapping[str, str] = field(default_factory=dict)

    @property
    def synthetic(self) -> bool:
        """Whether the scene was simulated, or one that patches were cut from."""
        return bool(self.cube.get("synthetic")) or any(run.record["synthetic"] for run in self.runs)

    def find(self, network: str, protocol: str) -> NetworkRun | None:
        """The run of a network on painted patches of two classes; None where there is none."""
        for run in self.runs:
            record = run.record
            wanted = (network, protocol, "colour", 2)
            if wanted == (
                *(record["network"], record["protocol"], record["input"]),
                len(record["classes"]),
            ):
                return run
        return None


def read_scene(source: Source) -> PatchesScene:
    """Read what the section shows; InputError for a file that is missing or of another kind."""
    folder = source.folder / "networks"
    names = [path.parent.name for path in sorted(folder.glob("*/record.json"))]
    if source.holds("trained") and not names:
        raise InputError(f"{folder}: holds no network; train one first")
    names += [PUBLISHED] if source.holds(PUBLISHED) else []
    order = (*NETWORK_ORDER, *names)
    trained = sorted(names, key=order.index) if source.holds("trained") else []
    classes = read_classes(source.study_dir / "minerals/classes.csv")
    runs, untrained = read_runs(trained, source.folder)
    return PatchesScene(
        id=source.id,
        sensor=source.sensor,
        cube=read_json(source.sensor_dir / "cube/cube.json"),
        figures=source.figures(
            [
                *(PAIR_FIGURES if source.holds("trained") else ()),
                *(TRAINED_FIGURES if runs else ()),
                *MAP_FIGURES,
            ]
        ),
        runs=runs,
        proportions=read_proportions(source.folder / "map/proportions.csv"),
        labels={item.name: item.label for item in classes},
        untrained=untrained,
    )


def make_section(scene: PatchesScene, source: Source) -> Section:
    """The section of a scene's networks."""
    return Section(
        "patches",
        scene,
        {name: FIGURE_TITLES[name] for name in scene.figures},
        network_context(scene, source.paper),
        [sentence for sentence in [summarise(scene)] if sentence],
        network_answers(scene),
    )


def read_runs(names: Iterable[str], folder: str | Path) -> tuple[list[NetworkRun], dict[str, str]]:
    """Read what trainings left below the folder of the scene's patches.

    Returns the runs, and why by the name of those that were not trained for want of patches.
    Raises InputError for a file that is missing or lacks what the report shows.
    """
    runs, untrained = [], {}
    for name in names:
        place = Path(folder) / (name if name == PUBLISHED else f"networks/{name}")
        record = read_json(place / "record.json")
        if record.get("untrained"):
            untrained[name] = record["untrained"]
        else:
            runs.append(_read_run(name, record, place))
    return runs, untrained


def _read_run(name: str, record: Mapping, folder: Path) -> NetworkRun:
    published = name == PUBLISHED
    missing = [key for key in RECORD_KEYS if key not in record]
    if missing:
        raise InputError(f"{folder / 'record.json'}: lacks {missing[0]!r}; train the network again")
    files = ("accuracy/split.json", "accuracy/apart.json") if published else ("accuracy.json",)
    accuracy = [read_json(folder / file) for file in files]
    for file, item in zip(files, accuracy, strict=True):
        if not item.get("assessed"):
            raise InputError(f"{folder / file}: has no scores; train the network again")
    history = _read_numbers(folder / "history.csv", HISTORY_COLUMNS, HISTORY_COLUMNS)
    answers = read_table(folder / "answers.csv", ANSWER_COLUMNS)
    return NetworkRun(name, record, history, accuracy[0], (*accuracy, {})[1], answers)


def read_proportions(path: str | Path) -> list[dict[str, str]]:
    """Rows of the proportions of classify_patches; shares may be empty. InputError for others."""
    return _read_numbers(path, PROPORTION_COLUMNS, ("pixels", "share", "answer_share"))


def _read_numbers(
    path: str | Path, columns: Sequence[str], numbers: Sequence[str]
) -> list[dict[str, str]]:
    rows = read_table(path, columns)
    for row in rows:
        for name in numbers:
            try:
                float(row[name] or "nan")
            except (TypeError, ValueError) as error:
                raise InputError(
                    f"{path}: the column {name} holds no number ({error}); make the table again"
                ) from error
    return rows


def mapping_network(tags: Mapping[str, str]) -> str:
    """The network that made a map of classify_patches, in words, by the tags of the raster."""
    label = NETWORK_LABELS.get(tags.get("NETWORK", ""), "network")
    kind = tags.get("INPUT")
    label = f"the {label[:1].lower()}{label[1:]}"
    return label + (f" ({kind} patches)" if kind else "")


def published_accuracies(published: Mapping) -> dict[str, float]:
    """The test accuracies that a study's entry of published.json has, as fractions by place."""
    return {
        f"Published, {item['where']}": item["accuracy_percent"] / 100
        for item in published.get("networks", {}).get("tests", [])
    }


def published_shares(published: Mapping) -> dict[str, float]:
    """The shares of pixels that a study's entry of published.json has, as fractions by class."""
    return {item["name"]: item["share_percent"] / 100 for item in published.get("areas", [])}


def published_epoch(published: Mapping) -> dict[str, float]:
    """Training and validation accuracy of the published last epoch, by column of the history."""
    last = (published.get("networks", {}).get("epochs") or [{}])[-1]
    return {
        name: last[f"{name}_percent"] / 100
        for name in ("accuracy", "val_accuracy")
        if f"{name}_percent" in last
    }


def network_answers(networks: PatchesScene) -> dict[str, str]:
    """This run's side of those rows of the published set-up that are about networks."""

    def of_runs(describe) -> str:
        return join_once(describe(run) for run in networks.runs)

    return {
        "patches": of_runs(
            lambda run: (
                f"{run.label}, {run.record['protocol']}: "
                f"{run.record['leak']['source_patches']:,} of {_size(run)} pixels, "
                f"{sum(run.record['images'].values()):,} images"
            )
        ),
        "split": of_runs(lambda run: run.accuracy["split"]),
        "network": of_runs(
            lambda run: (
                f"{run.label}: {run.record['parameters']:,} parameters, "
                f"{run.record['epochs']} epochs"
            )
        ),
    }


def summarise(networks: PatchesScene) -> str:
    """One sentence for the head of the page: the paper's network in both protocols."""
    runs = [run for run in _both(networks) if run]
    if not runs:
        return " ".join(_describe_untrained(networks))
    kind = "SYNTHETIC " if networks.synthetic else ""
    told = "; ".join(f"{_percent(run)} {PROTOCOL_WORDS[run.record['protocol']]}" for run in runs)
    return (
        f"Asked which of {_pair(runs[0])} covers more of a patch of this map of {networks.id}, the "
        f"paper's network is right in this share of {kind}test images: {told}. Right means that "
        "it repeats the map, not that the map is right."
    )


def _describe_untrained(networks: PatchesScene) -> list[str]:
    """One line for each reason why networks were not trained."""
    reasons: dict[str, list[str]] = {}
    for name, reason in networks.untrained.items():
        reasons.setdefault(reason, []).append(name)
    return [
        f"Not trained for want of patches: {join_words(names)}. {capitalise(reason)}."
        for reason, names in reasons.items()
    ]


PROTOCOL_WORDS = {
    "blocked": "where the test ground is kept apart from the training ground",
    "published": "where copies of patches are split at random, as published",
}


def network_context(networks: PatchesScene, published: Mapping) -> dict:
    """What the template shows of a scene's networks."""
    paper = published.get("networks", {})
    shares = published_shares(published)
    return {
        "runs": networks.runs,
        "untrained": _describe_untrained(networks),
        "question": _question(networks) if networks.runs else "",
        "mapped": "pair" in networks.figures,
        "findings": [
            text
            for text in (
                _describe_leak(networks),
                _describe_copies(networks),
                _describe_shuffled(networks),
                _describe_counting(networks),
                _describe_published(networks, paper),
                _describe_compact(networks),
                _describe_others(networks),
            )
            if text
        ],
        "calibration": _describe_calibration(networks),
        "training": _of_paper(networks),
        "layers": next(iter(_of_paper(networks)), None),
        "published": UNPUBLISHED | paper,
        "comparison": compare_published(networks, paper),
        "epochs": paper.get("epochs", []) if _of_paper(networks) else [],
        "proportions": [
            {
                "label": networks.labels.get(row["name"], row["name"].capitalize()),
                "colour": row["colour"],
                "pixels": int(row["pixels"]),
                "share": float(row["share"]) if row["share"] else None,
                "paper": shares.get(row["name"]),
                "answer_share": float(row["answer_share"]) if row["answer_share"] else None,
            }
            for row in networks.proportions
        ],
        "lines": _epoch_lines(networks, paper),
        "columns": EPOCH_TITLES * (len(_of_paper(networks)) + bool(paper.get("epochs"))),
        "intervals": any(run.overall["low"] is not None for run in networks.runs),
    }


def compare_published(networks: PatchesScene, paper: Mapping) -> dict | None:
    """The method as published beside ours, tested on the same ground; None where it did not run.

    `rows` have a `measure` and cells: `paper`, as printed; `published` and `ours`, of this run, and
    the difference, ours less the published, each an estimate with its interval or a text;
    `verdict` is one sentence of it. Ours is the network that maps.
    """
    _, published = _both(networks)
    ours = networks.find("compact", "blocked")
    if published is None or ours is None:
        return None
    compared = compare_blocks(
        _counts(published, "apart"), _counts(ours, TEST), _names(ours), _bootstrap(ours)
    )
    sides = {
        item["side"]: f"{item['accuracy_percent']:g} % (Table 2)" for item in paper.get("sides", [])
    }
    last = (paper.get("epochs") or [{}])[-1]
    printed = {
        "training": [sides.get("training"), _printed(last, "accuracy")],
        "validation": [sides.get("validation"), _printed(last, "val_accuracy")],
        "test": [
            f"{item['accuracy_percent']:g} % ({item['where']})" for item in paper.get("tests", [])
        ],
    }
    both = (published, ours)
    images = paper.get("images")
    rows = [
        _row(
            "Images that train",
            [f"{round(TRAINING_SHARE * images):,} of {images:,}" if images else ""],
            *(f"{run.record['images']['train']:,}" for run in both),
        ),
        _row(
            "Training accuracy, last epoch",
            printed["training"],
            *(percent(run.record["train"]["accuracy"], 2) for run in both),
        ),
        _row(
            "Validation accuracy",
            printed["validation"],
            *(percent(run.record["validation"]["accuracy"], 2) for run in both),
        ),
        _row(
            "Test images that are copies of a patch that trains",
            ["not known to us"],
            *(_copies(run) for run in both),
        ),
        _row(
            "Test accuracy on the network's own split",
            printed["test"],
            published.overall,
            "the row below",
        ),
    ]
    for row in compared:
        if row["measure"] in MEASURE_TITLES:
            title = MEASURE_TITLES[row["measure"]]
            if row["class"]:
                title += f" of {networks.labels.get(row['class'], row['class'])}"
            scores = row["first"], row["second"], _points(row["difference"])
            rows.append(_row(f"{title} on ground kept apart", [], *scores))
    return {"rows": rows, "verdict": _judge(compared[0], ours.accuracy["n"])}


def _row(
    measure: str, printed: Sequence, published: object, ours: object, difference: str = SPARSE
) -> dict:
    paper = "; ".join(text for text in printed if text) or SPARSE
    return {"measure": measure, "paper": paper, "cells": [published, ours, difference]}


def _points(gain: Mapping) -> str:
    """A difference of shares in percentage points, with its interval if it has one."""
    if gain["value"] is None:
        return UNDEFINED
    ends = "" if gain["low"] is None else f" [{100 * gain['low']:+.1f}, {100 * gain['high']:+.1f}]"
    return f"{100 * gain['value']:+.1f}{ends}".replace("-", "−")


def _printed(last: Mapping, name: str) -> str:
    value = last.get(f"{name}_percent")
    return "" if value is None else f"{value:g} % (Table 1)"


def _copies(run: NetworkRun) -> str:
    copies, tested = (
        run.record["leak"][key] for key in ("test_copies_of_training_patches", "test_images")
    )
    return f"{copies:,} of {tested:,} ({part_of(copies, tested, 0)})"


def _names(run: NetworkRun) -> list[str]:
    return [item["name"] for item in run.record["classes"]]


def _bootstrap(run: NetworkRun) -> Bootstrap:
    record = run.accuracy
    return Bootstrap(record["block_px"], record["bootstrap"], record["seed"])


def _counts(run: NetworkRun, side: str) -> np.ndarray:
    """Confusion counts (blocks, K + 1, K + 1) of the answers of one side."""
    rows = [row for row in run.answers if row["side"] == side]
    names = _names(run)
    block = np.array([int(row["block"]) for row in rows], np.int64)
    codes = [
        np.array([names.index(row[key]) + 1 for row in rows], np.int64)
        for key in ("label", "answer")
    ]
    return count_pixels(block, *codes, len(names) + 1)


def _judge(row: Mapping, n: int) -> str:
    """Which of two networks is better on the same test images, and by how much, in a sentence."""
    gain = row["difference"]
    points = f"{abs(100 * gain['value']):.1f} percentage points"
    how = f"better by {points} than" if gain["value"] > 0 else f"worse by {points} than"
    text = (
        f"On the same {n:,} test images of ground kept apart, ours is "
        f"{how if gain['value'] else 'as good as'} the network as published"
    )
    if gain["low"] is None:
        return f"{text}; the test is in too few blocks for an interval."
    ends = f"{100 * gain['low']:+.1f} to {100 * gain['high']:+.1f}".replace("-", "−")
    sure = gain["low"] > 0 or gain["high"] < 0 or not gain["value"]
    text += f" (95 % interval of the difference {ends})"
    return text + ("." if sure else ", which may be chance.")


def _epoch_lines(networks: PatchesScene, paper: Mapping) -> list[list[str]]:
    """Epoch, then the columns of HISTORY_COLUMNS: as printed, and of the paper's network here.

    A value that is printed and not known to us is empty; an epoch that a training has not is "–".
    """
    groups = [[run.history, _of_history] for run in _of_paper(networks)]
    if groups and paper.get("epochs"):
        groups.insert(0, [paper["epochs"], _of_print])
    count = max((len(rows) for rows, _ in groups), default=0)
    return [
        [
            str(place + 1),
            *(
                tell(rows[place], name) if place < len(rows) else SPARSE
                for rows, tell in groups
                for name in HISTORY_COLUMNS[1:]
            ),
        ]
        for place in range(count)
    ]


def _of_paper(networks: PatchesScene) -> list[NetworkRun]:
    """Trainings of the paper's network on the pair of classes."""
    return [run for run in _both(networks) if run]


def _of_history(row: Mapping[str, str], name: str) -> str:
    return f"{float(row[name]):{'.2%' if name.endswith('accuracy') else '.4f'}}"


def _of_print(row: Mapping, name: str) -> str:
    share = row.get(f"{name}_percent")
    return str(row.get(name, "")) if share is None else f"{share:.2f} %"


def _both(networks: PatchesScene) -> tuple[NetworkRun | None, NetworkRun | None]:
    return networks.find("paper", "blocked"), networks.find("paper", PUBLISHED)


def _pair(run: NetworkRun) -> str:
    return " and ".join(item["name"] for item in run.record["classes"])


def _size(run: NetworkRun) -> str:
    return f"{run.record['patch_px']} × {run.record['patch_px']}"


def _percent(run: NetworkRun) -> str:
    """Test accuracy with number and interval."""
    return _told(run.overall, run.accuracy["n"])


def _told(value: Mapping, n: int) -> str:
    if value["value"] is None:
        return "undefined (no test image)"
    return f"{value['value']:.1%} (n = {n:,}; {interval(value, '.1%', WANTING)})"


def _apart(run: NetworkRun) -> Mapping:
    """Accuracy of the training as published on ground kept apart, with its interval."""
    return run.apart["scores"]["overall_accuracy"]


def _question(networks: PatchesScene) -> str:
    """What the networks are asked, and what a right answer is worth."""
    first = networks.runs[0]
    pairs = list(dict.fromkeys(_pair(run) for run in networks.runs if _classes(run) == 2))
    more = sorted({_classes(run) for run in networks.runs if _classes(run) > 2})
    asked = [f"which of {pair} covers more of it" for pair in pairs]
    asked += [f"which of {number} classes covers most of it" for number in more]
    return (
        f"A patch is a square of {_size(first)} pixels cut from the class map and painted in the "
        f"colours of the classes, on black where there is none. A network is asked "
        f"{', or '.join(asked)}. The label is counted from the class map itself, so a right "
        "answer repeats the map, with whatever is wrong in it. It is not ground truth, and no "
        "accuracy in this section says how right the map is."
    )


def _classes(run: NetworkRun) -> int:
    return len(run.record["classes"])


def _describe_leak(networks: PatchesScene) -> str:
    """What copies of training patches among the test images are worth: one network, two tests."""
    _, published = _both(networks)
    if not published or None in (published.overall["value"], _apart(published)["value"]):
        return ""
    own, apart = published.overall, _apart(published)
    gap = 100 * (own["value"] - apart["value"])
    text = (
        f"Leak: trained as published, the paper's network is right in {_percent(published)} of "
        f"its own test images, and the same network, with the same weights, in "
        f"{_told(apart, published.apart['n'])} of the test images of ground kept apart."
    )
    if own["value"] == apart["value"] == 1:
        return (
            f"{text} There is no gap: where colours can be counted without a fault, memory of "
            "copies adds nothing."
        )
    text += f" The gap is {f'{gap:+.1f}'.replace('-', '−')} percentage points."
    if None in (own["low"], apart["low"]):
        return f"{text} Without both intervals, it cannot be told from chance."
    if own["low"] > apart["high"] or apart["low"] > own["high"]:
        return f"{text} The intervals lie apart."
    return (
        f"{text} The intervals overlap: so few test images, from so few blocks, do not show "
        "that it is more than chance."
    )


def _describe_copies(networks: PatchesScene) -> str:
    parts = []
    for run in _both(networks)[::-1]:
        if run is None:
            continue
        leak = run.record["leak"]
        tested, copies = leak["test_images"], leak["test_copies_of_training_patches"]
        told = (
            f"in the {run.record['protocol']} protocol, {leak['crossing']:,} of "
            f"{leak['source_patches']:,} source patches have images on more than one side, and "
            f"{copies:,} of {tested:,} test images ({part_of(copies, tested)}) are copies of a "
            "patch that also trains"
        )
        scores = (("copies", leak["accuracy_of_copies"]), ("others", leak["accuracy_of_others"]))
        found = [f"{percent(value)} of the {name}" for name, value in scores if value is not None]
        if len(found) > 1:
            told += f"; it is right in {join_words(found)}"
        overlapping = leak["test_images_overlapping_training"] - copies
        if overlapping:
            told += f"; {overlapping:,} more share pixels of the ground with a training image"
        parts.append(told)
    return f"Copies: {'. '.join(part[:1].upper() + part[1:] for part in parts)}." if parts else ""


def _describe_shuffled(networks: PatchesScene) -> str:
    """What a network scores that had nothing to learn: the size of the leak in its purest form."""
    _, published = _both(networks)
    scores = published and published.record.get("shuffled")
    if not scores:
        return ""
    own, apart = (
        _told(scores[name]["overall_accuracy"], scores[name]["n"]) for name in (TEST, "apart")
    )
    return (
        "Control: a network trained in the same way on the same images, with labels dealt to their "
        f"patches at random, so that there is nothing to learn, is right in {own} of the test "
        f"images of the published split, and in {apart} of those of ground kept apart. What the "
        "first has above the second is memory of copies: so much can the published protocol add "
        "to a test accuracy."
    )


def _describe_counting(networks: PatchesScene) -> str:
    if not networks.runs:
        return ""
    shares = sorted({run.record["colour_share_accuracy"] for run in networks.runs})
    told = " to ".join(f"{share:.1%}" for share in dict.fromkeys((shares[0], shares[-1])))
    painted = [
        run
        for run in networks.runs
        if run.record["input"] == "colour" and run.overall["value"] is not None
    ]
    short = sum(run.overall["value"] < run.record["colour_share_accuracy"] for run in painted)
    return (
        "Trivial baseline: a rule that counts the pixels of each colour and learns nothing is "
        f"right in {told} of the test images, by the making of the labels. A network of painted "
        "patches can at best count as well as that, and needs no pattern for it: "
        f"{short} of {len(painted)} such networks fall short of the rule."
    )


def _describe_published(networks: PatchesScene, paper: Mapping) -> str:
    """The paper's network on kept-apart ground beside the published number, and why it is less."""
    blocked, _ = _both(networks)
    tests = paper.get("tests", [])
    if blocked is None or not tests or blocked.overall["value"] is None:
        return ""
    least = min(item["accuracy_percent"] for item in tests) / 100
    value = blocked.overall
    told = " and ".join(f"{item['accuracy_percent']:g} % ({item['where']})" for item in tests)
    text = f"Beside the published test accuracies of {told}, "
    if value["value"] >= least:
        return (
            f"{text}the {value['value']:.2%} of the paper's network on blocked ground are not "
            "less. The ground differs, so this confirms nothing of the paper."
        )
    inside = value["low"] is not None and value["low"] <= least <= value["high"]
    images = paper.get("images")
    trained = blocked.record["images"]["train"]
    fewer = (
        f"{trained:,} images train it, against about {round(TRAINING_SHARE * images):,} in the "
        "paper; "
        if images and trained < TRAINING_SHARE * images
        else ""
    )
    held = (
        f"Its interval reaches {least:.2%}, so the test is too small to call it worse. "
        if inside
        else ""
    )
    against = (
        f"the paper's of {paper['patch_px']} × {paper['patch_px']}"
        if paper.get("patch_px")
        else f"resized to {blocked.record['input_px']}"
    )
    return (
        f"{text}the {value['value']:.2%} of the paper's network on blocked ground are less. "
        f"{held}What differs: {fewer}no copy of a test patch trains it; its patches are of "
        f"{_size(blocked)} pixels, {against}. In its last epoch it was right in "
        f"{blocked.record['train']['accuracy']:.1%} of the training and "
        f"{blocked.record['validation']['accuracy']:.1%} of the validation images."
    )


def _describe_compact(networks: PatchesScene) -> str:
    compact, (paper, _) = networks.find("compact", "blocked"), _both(networks)
    if not compact or not paper or None in (compact.overall["value"], paper.overall["value"]):
        return ""
    ours, theirs = compact.record["parameters"], paper.record["parameters"]
    difference = 100 * (compact.overall["value"] - paper.overall["value"])
    verdict = "as good as" if not difference else "better than" if difference > 0 else "worse than"
    points = f" by {abs(difference):.1f} percentage points" if difference else ""
    return (
        f"Size: the compact network has {ours:,} parameters, the paper's {theirs:,}, which is "
        f"{theirs / ours:.0f} times as many. On the same blocked test images the compact one is "
        f"{verdict} the paper's{points}: {_percent(compact)}, against {_percent(paper)}."
    )


def _describe_others(networks: PatchesScene) -> str:
    parts = []
    for run in networks.runs:
        kind = f"the {in_text(NETWORK_LABELS.get(run.record['network'], run.record['network']))}"
        if run.record["input"] == "reflectance":
            parts.append(
                f"{kind}, given the {len(run.record['bands'])} bands of reflectance under the "
                f"patch instead of the painted map, is right in {_percent(run)}; it cannot count "
                "colours"
            )
        elif _classes(run) > 2:
            parts.append(
                f"{kind}, asked for one of {_classes(run)} classes, is right in {_percent(run)}, "
                "with all test patches and not equally many of each class; macro-F1 is "
                f"{number(run.accuracy['scores']['macro_f1']['value'])}"
            )
    return f"Beyond the paper: {'; '.join(parts)}." if parts else ""


def _describe_calibration(networks: PatchesScene) -> str:
    changes = [
        run.record["test"]["calibrated"]["ece"] - run.record["test"]["uncalibrated"]["ece"]
        for run in networks.runs
    ]
    better = sum(change < 0 for change in changes)
    worse = sum(change > 0 for change in changes)
    return (
        "Before use, a network's logits are divided by one temperature, fitted to the validation "
        "images. The expected calibration error (ECE) is the mean gap between the stated "
        "probability and the share that is right, in ten bins of the test images. The "
        f"temperature made it smaller for {better} and larger for {worse} of {len(changes)} "
        "networks. With few test images the ECE is large by chance alone, and its differences "
        "say little."
    )
