"""Detectors side by side: what each finds on test blocks, and where its thresholds come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gossan.accuracy.conformal import GUARANTEE, NO_GUARANTEE, answer_sets, class_limits
from gossan.embedding.detection import (
    Pixels,
    choose_thresholds,
    name_pixels,
    number_text,
    positives,
    rate,
    rate_rows,
)
from gossan.embedding.detectors import (
    Detector,
    Embedding,
    IsolationForest,
    OneClassSVM,
    SpectralAngle,
    score_spectra,
)
from gossan.embedding.mapper import Filler
from gossan.embedding.model import EmbeddingModel
from gossan.embedding.sensor_scores import LIBRARY, ORACLE, VALIDATION
from gossan.embedding.shape_fit import ShapeFit
from gossan.embedding.spectral_augmentation import Augmenter
from gossan.errors import InputError

COVERAGE_COLUMNS = (
    *("method", "mineral", "asked", "n_calibration", "calibrated_on", "limit", "n"),
    *("covered", "covered_low", "covered_high", "named", "none", "several"),
    *("other_within", "guarantee"),
)


def pure_spectra(augmenter: Augmenter, minerals: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Pure spectra (R, B) of the minerals that fill all sensors, and their minerals' places (R,).

    Raises InputError naming a mineral of which no record does.
    """
    whole = augmenter.filled.all(axis=1)
    rows, owners = [], []
    for place, name in enumerate(minerals):
        own = np.flatnonzero(whole & _is_of(augmenter, name))
        if not own.size:
            raise InputError(
                f"{name}: no library spectrum fills the bands of all sensors "
                f"({', '.join(augmenter.bands.sensors)}); add one that does"
            )
        rows.append(own)
        owners.append(np.full(own.size, place))
    return augmenter.pure[np.concatenate(rows)], np.concatenate(owners)


def draw_augmented(
    augmenter: Augmenter, minerals: Sequence[str], count: int, seed: int
) -> list[np.ndarray]:
    """`count` augmented spectra (count, B) float32 of each mineral, as many of each record."""
    generator = np.random.default_rng([seed, 1])
    return [
        augmenter.augment(_in_turn(_usable(augmenter, _is_of(augmenter, name)), count), generator)
        for name in minerals
    ]


def draw_library(augmenter: Augmenter, minerals: Sequence[str], count: int, seed: int) -> Pixels:
    """Augmented spectra that no method is trained on: `count` of each mineral, `count` of others.

    Drawn anew, but from the same records. All other minerals together weigh as much as the study's
    own together, because how common they are is not known.
    """
    generator = np.random.default_rng([seed, 2])
    others = ~np.any([_is_of(augmenter, name) for name in minerals], axis=0)
    groups = [others, *(_is_of(augmenter, name) for name in minerals)]
    spectra, present, truth = [], [], []
    for label, group in enumerate(groups):
        usable = _usable(augmenter, group)
        if not usable.size:
            continue
        if label == 0:
            records = generator.permutation(_in_turn(generator.permutation(usable), count))
        else:
            records = _in_turn(usable, count)
        spectra.append(augmenter.augment(records, generator))
        present.append(augmenter.filled[records])
        truth.append(np.full(count, label))
    truth = np.concatenate(truth)
    weight = np.where(truth == 0, float(len(minerals)), 1.0)
    return Pixels(
        np.concatenate(spectra),
        np.concatenate(present),
        truth,
        np.zeros(len(truth), int),
        np.zeros(len(truth), bool),
        weight,
    )


def _is_of(augmenter: Augmenter, mineral: str) -> np.ndarray:
    if mineral not in augmenter.names:
        raise InputError(f"{mineral}: the libraries have no spectrum of it; add one")
    return augmenter.labels == augmenter.names.index(mineral)


def _usable(augmenter: Augmenter, group: np.ndarray) -> np.ndarray:
    return np.flatnonzero(group & augmenter.filled.any(axis=1))


def _in_turn(records: np.ndarray, count: int) -> np.ndarray:
    return np.resize(records, count)


def make_detectors(
    augmenter: Augmenter,
    models: Mapping[str, EmbeddingModel],
    filler: Filler | None,
    *,
    spectra: int,
    nu: float,
    trees: int,
    seed: int,
) -> tuple[dict[str, Detector], dict[str, dict[str, int]]]:
    """All detectors by method, and how many spectra of each mineral a baseline learned from.

    `models` are networks by method, of which "masked" may be preceded by `filler`. One-class
    models learn from `spectra` augmented spectra per mineral, SAM and shape fit compare with the
    pure ones.
    """
    minerals = models["masked"].header.minerals
    for method, model in models.items():
        if model.header.minerals != minerals:
            raise InputError(
                f"{method}: the network has other minerals than the masked one; train both alike"
            )
    references, owners = pure_spectra(augmenter, minerals)
    drawn = draw_augmented(augmenter, minerals, spectra, seed)
    detectors: dict[str, Detector] = {
        method: Embedding(minerals, model.distances) for method, model in models.items()
    }
    if filler is not None:
        detectors["filled"] = Embedding(minerals, models["masked"].distances, filler.fill)
    detectors |= {
        "ocsvm": OneClassSVM(minerals, drawn, nu),
        "isolation_forest": IsolationForest(minerals, drawn, trees, seed),
        "sam": SpectralAngle(augmenter.bands, minerals, references, owners),
        "shape": ShapeFit(augmenter.bands, minerals, references, owners),
    }
    records = dict(zip(minerals, np.bincount(owners).tolist(), strict=True))
    training = {name: dict.fromkeys(minerals, spectra) for name in ("ocsvm", "isolation_forest")}
    training |= dict.fromkeys(("sam", "shape"), records)
    return detectors, training


@dataclass(frozen=True, eq=False)
class Examined:
    """What came of one detector.

    `rows` are of detection.csv, `thresholds` of thresholds.json by mineral, `coverage` of
    coverage.csv; `named` (m,) are the classes of the test pixels, 0 = none, by the thresholds, and
    `answered` (m,) those by the conformal limits, where just one mineral keeps its own, as a map
    has them (None without ground).
    """

    rows: list[dict[str, object]]
    thresholds: dict[str, dict[str, object]]
    coverage: list[dict[str, object]]
    named: np.ndarray | None
    answered: np.ndarray | None


def examine_detector(
    method: str,
    detector: Detector,
    library: Pixels,
    pixels: Pixels | None,
    *,
    training: Mapping[str, int],
    coverage: float,
    replicates: int,
    seed: int,
    threads: int = 1,
) -> Examined:
    """Choose a detector's thresholds and limits, and test it on the test pixels.

    Thresholds come from validation pixels (VALIDATION), from the test pixels themselves (ORACLE,
    for comparison) and from `library`, which knows no pixel (LIBRARY). A mineral that the
    truth lacks, or that has too few validation pixels for a conformal limit, takes that of
    the library. Without `pixels` there are thresholds and limits of the library only, and no rows.
    `training` counts the spectra per mineral that the detector learned from.
    """
    minerals = detector.minerals
    own = score_spectra(detector, library.spectra, library.present, threads)
    chosen = {LIBRARY: choose_thresholds(own, library.truth, library.weight)}
    of_library = positives(library.truth, len(minerals))
    limits = class_limits(own, of_library, coverage)
    calibrated = [LIBRARY] * len(minerals)
    counted = of_library.sum(axis=0)
    rows, covered, named, answered = [], [], None, None
    if pixels is not None:
        scores = score_spectra(detector, pixels.spectra, pixels.present, threads)
        held, test = pixels.take(~pixels.is_test), pixels.take(pixels.is_test)
        held_scores, test_scores = scores[~pixels.is_test], scores[pixels.is_test]
        kept = choose_thresholds(held_scores, held.held, held.weight)
        chosen = {
            VALIDATION: kept,
            ORACLE: choose_thresholds(test_scores, test.held, test.weight),
            **chosen,
        }
        for kind, thresholds in chosen.items():
            rates = rate(
                test_scores,
                thresholds,
                test.held,
                test.block,
                test.weight,
                replicates,
                seed,
            )
            head = {"method": method, "threshold_kind": kind}
            for row in rate_rows(head, minerals, rates, thresholds):
                rows.append({**row, "training": training.get(row["mineral"])})
        named = name_pixels(test_scores, np.where(np.isnan(kept), chosen[LIBRARY], kept))
        of_scene = class_limits(held_scores, positives(held.held, len(minerals)), coverage)
        enough = np.isfinite(of_scene)
        limits = np.where(enough, of_scene, limits)
        calibrated = [VALIDATION if there else LIBRARY for there in enough]
        of_held = positives(held.held, len(minerals)).sum(axis=0)
        counted = np.where(enough, of_held, counted)
        answers = answer_sets(test_scores, limits)
        answered = np.where(answers.sum(axis=1) == 1, answers.argmax(axis=1) + 1, 0)
        covered = coverage_rows(
            method,
            minerals,
            test_scores,
            limits,
            test,
            calibrated=calibrated,
            asked=coverage,
            replicates=replicates,
            seed=seed,
        )
        for place, row in enumerate(covered):
            row |= {
                "n_calibration": int(counted[place]),
                "calibrated_on": calibrated[place],
                "limit": number_text(limits[place]),
            }
    thresholds = {
        name: {
            VALIDATION: None,
            ORACLE: None,
            **{kind: _finite(values[place]) for kind, values in chosen.items()},
            "conformal": _finite(limits[place]),
            "calibrated_on": calibrated[place],
            "guarantee": _promise(calibrated[place]),
        }
        for place, name in enumerate(minerals)
    }
    return Examined(rows, thresholds, covered, named, answered)


def coverage_rows(
    method: str,
    minerals: Sequence[str],
    scores: np.ndarray,
    limits: np.ndarray,
    test: Pixels,
    *,
    calibrated: Sequence[str],
    asked: float,
    replicates: int,
    seed: int,
) -> list[dict[str, object]]:
    """Rows of COVERAGE_COLUMNS from scores (n, K) of test pixels and the minerals' limits (K,).

    `calibrated` (K,) says what each limit was calibrated on; on training records it promises
    nothing.

    Of the pixels of a mineral: the share of answers that hold it, with an interval that redraws
    blocks, and the shares of answers with one mineral, none and several. `other_within` is the
    share of other ground within the mineral's limit.
    """
    got = rate(scores, limits, test.held, test.block, test.weight, replicates, seed).recall
    there = positives(test.held, len(minerals))
    answers = answer_sets(scores, limits)
    size = answers.sum(axis=1)
    other = answers[~there.any(axis=1)]
    rows = []
    for place, name in enumerate(minerals):
        own = there[:, place]
        shares = {}
        for column, kind in (("named", size == 1), ("none", size == 0), ("several", size > 1)):
            shares[column] = number_text(kind[own].mean()) if own.any() else None
        rows.append(
            {
                "method": method,
                "mineral": name,
                "asked": f"{asked:g}",
                "n": int(own.sum()),
                "covered": number_text(got[0, place]),
                "covered_low": number_text(got[1, place]),
                "covered_high": number_text(got[2, place]),
                **shares,
                "other_within": number_text(other[:, place].mean()) if len(other) else None,
                "guarantee": _promise(calibrated[place]),
            }
        )
    return rows


def _promise(calibrated_on: str) -> str:
    return GUARANTEE if calibrated_on == VALIDATION else NO_GUARANTEE


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
