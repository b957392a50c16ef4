"""Forests on ground with a known map: whole blocks held out, and one half carried to the other.

`measure` draws POINTS pixels of the map's classes, each class at its own share, and tests the
forests of resources/static/forest_plans.json that need the cube alone: in folds of blocks of
BLOCK_PX pixels, and from the western half of the points to the eastern and back. A forest learns
a third of the points at most, and each point is tested once in either test. Plans are chosen
within the points that teach, by tests of the same kind, so no tested label takes part.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rasterio.windows import Window

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from gossan.accuracy.blocks import Bootstrap
from gossan.accuracy.intervals import Kind, estimate
from gossan.accuracy.scores import score_confusion, weigh_blocks
from gossan.accuracy.truth import NO_TRUTH, Truth, open_truth
from gossan.errors import InputError
from gossan.files import write_json
from gossan.forests.exercises import BLOCKED, CARRIED, Options
from gossan.forests.features import Stack
from gossan.forests.ground import Ground, read_ground
from gossan.forests.plans import read_plans
from gossan.forests.samples import draw_truth
from gossan.forests.validation import Test, count_test, run_chosen
from gossan.legend import MapClass, read_classes

ROOT = Path(__file__).resolve().parents[1]
PLANS = ROOT / "resources/static/forest_plans.json"
CLASSES = ROOT / "resources/static/minerals.csv"
POINTS = 48_000
TEST_SHARE = 2 / 3
BLOCK_PX = 50
FOLDS = 5
SEED = 42
REPLICATES = 1000


def measure(
    cube: Path,
    truth: Path,
    classes: Sequence[str],
    work: Path,
    columns: tuple[int, int] | None = None,
    threads: int = 2,
) -> dict[str, object]:
    """Kappa and macro-F1 of forests that learned from a map, on blocks and carried over.

    `cube` is a GeoTIFF of reflectance, `truth` a raster of class codes, `classes` the names of
    the classes that count, other pixels being left out; of `columns`, if they are given, those
    from the first to the one before the last count. The scores and what made them are also
    written to `work`/labels_<truth>.json.

    Returns `blocked_kappa` and `blocked_macro_f1` over all folds, with 95 % intervals of a
    bootstrap of blocks as `..._low` and `..._high` (None where there is none),
    `transfer_kappa`, the mean of both directions, which are in `transfer_kappas` ("west teaches
    east" first; both None where a half has too few classes), the numbers of points and the chosen
    plans. Raises InputError as the tools do.
    """
    known = {item.name: item for item in read_classes(CLASSES)}
    if unknown := [name for name in classes if name not in known]:
        raise InputError(f"classes: {', '.join(unknown)} are not in {CLASSES.name}")
    wanted = [known[name] for name in classes]
    plans = [plan for plan in read_plans(PLANS) if plan.layers == "cube"]
    options = Options(
        bootstrap=Bootstrap(BLOCK_PX, REPLICATES, SEED), folds=FOLDS, threads=threads, cut="columns"
    )
    with Stack([cube]) as stack:
        map_of_truth = open_truth(truth, stack.grid, wanted)
        if columns is not None:
            map_of_truth = _only_columns(map_of_truth, *columns)
        samples = draw_truth(
            map_of_truth, stack.grid, wanted, POINTS, TEST_SHARE, SEED, threads=threads
        )
        ground = read_ground(stack, samples, plans, BLOCK_PX, block_px=512, threads=threads)
    blocked = run_chosen(ground, plans, BLOCKED, options)
    carried = run_chosen(ground, plans, CARRIED, options)
    result = {
        "n": len(ground.samples.codes),
        **_blocked_scores(ground, blocked, wanted, options),
        **_transfer_scores(ground, carried, wanted),
    }
    write_json(Path(work) / f"labels_{truth.stem}.json", result)
    return result


def _only_columns(truth: Truth, first: int, last: int) -> Truth:
    """A truth that knows nothing outside some columns."""

    def read(window: Window) -> np.ndarray:
        codes = truth.read(window)
        column = np.arange(codes.shape[-1]) + int(window.col_off)
        return np.where((column >= first) & (column < last), codes, NO_TRUTH)

    return replace(truth, read=read)


def _blocked_scores(
    ground: Ground, test: Test, classes: Sequence[MapClass], options: Options
) -> dict[str, object]:
    counts = count_test(ground, test, classes)
    point = score_confusion(counts.sum(axis=0))
    draws = score_confusion(options.bootstrap.resample(counts))
    weights = weigh_blocks(counts)
    told = {}
    for name in ("kappa", "macro_f1"):
        kind = Kind.AGREEMENT if name == "kappa" else Kind.SHARE
        value = estimate(
            float(getattr(point, name)), getattr(draws, name), getattr(weights, name), kind
        )
        told[f"blocked_{name}"] = value["value"]
        told |= {f"blocked_{name}_{end}": value[end] for end in ("low", "high")}
    return told | {
        "blocked_n_train": list(test.trained),
        "blocked_plans": [plan.name for plan in test.plans],
    }


def _transfer_scores(
    ground: Ground, test: Test | None, classes: Sequence[MapClass]
) -> dict[str, object]:
    if test is None:
        return {"transfer_kappa": None, "transfer_kappas": None}
    kappas = []
    for member in test.members:
        part = replace(test, places=test.places[member], codes=test.codes[member])
        counts = count_test(ground, part, classes).sum(axis=0)
        kappas.append(round(float(score_confusion(counts).kappa), 6))
    # The first part is tested on the western half, which the eastern one taught.
    kappas.reverse()
    return {
        "transfer_kappa": round(float(np.mean(kappas)), 6),
        "transfer_kappas": kappas,
        "transfer_n_train": list(test.trained)[::-1],
        "transfer_plans": [plan.name for plan in test.plans][::-1],
    }
