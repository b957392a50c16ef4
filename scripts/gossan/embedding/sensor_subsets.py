"""What is left when sensors are missing: embeddings moved, and minerals no longer found."""

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from gossan.cube.bands import StackBands
from gossan.embedding.detection import (
    DETECTION_COLUMNS,
    Pixels,
    choose_thresholds,
    rate,
    rate_rows,
)
from gossan.embedding.detectors import Detector, score_subsets
from gossan.embedding.sensor_scores import FULL, VALIDATION

RANKED = 5
"""Combinations of missing sensors that are marked as best, and as worst."""
SIMILARITY_COLUMNS = (
    *("missing", "mineral", "n", "cosine", "euclidean"),
    *("cosine_rank", "euclidean_rank", "mark"),
)
SUBSET_COLUMNS = ("sensors", *DETECTION_COLUMNS[:-1])
STEP = 4096
ALL_SETS_OF = 5
"""Sensors of which every set is scored; each more would double time and tables."""


def sensor_sets(sensors: Sequence[str], available: Sequence[str] | None = None) -> np.ndarray:
    """Sets of sensors (M, S) bool, small sets first: all of them up to ALL_SETS_OF sensors.

    Of more, whose sets double with each, those that say what a sensor does alone, beside one
    other, and to all others: sets of one, of two, of all but one, and of all (28 of six sensors,
    36 of seven). With `available`, only sets of these; the columns are those of `sensors`.
    """
    places = [place for place, name in enumerate(sensors) if name in (available or sensors)]
    count = len(places)
    numbers = range(1, count + 1) if count <= ALL_SETS_OF else (1, 2, count - 1, count)
    sets = [chosen for number in numbers for chosen in itertools.combinations(places, number)]
    table = np.zeros((len(sets), len(sensors)), bool)
    for row, chosen in enumerate(sets):
        table[row, list(chosen)] = True
    return table


def join_sensors(sensors: Sequence[str], kept: np.ndarray) -> str:
    """A set of sensors as tables have it: "emit+sentinel2"."""
    return "+".join(name for name, there in zip(sensors, kept, strict=True) if there)


def whole_pixels(pixels: Pixels, bands: StackBands) -> tuple[Pixels, tuple[str, ...]]:
    """The pixels that every sensor saw, but for sensors that saw none; and the sensors' names."""
    seen = pixels.present.any(axis=0)
    available = tuple(name for name, there in zip(bands.sensors, seen, strict=True) if there)
    return pixels.take(pixels.present[:, seen].all(axis=1)), available


def compare_embeddings(
    embed: Callable[[np.ndarray], np.ndarray],
    bands: StackBands,
    spectra: np.ndarray,
    labels: np.ndarray,
    minerals: Sequence[str],
    available: Sequence[str] | None = None,
) -> list[dict[str, object]]:
    """Rows of SIMILARITY_COLUMNS: embeddings with and without sensors, by mineral.

    `spectra` (n, B) are of pixels that have all sensors, or all `available` ones; `labels` (n,)
    are 1 to K for `minerals`, other pixels are passed over. `cosine` and `euclidean` are means
    over the pixels of the similarity and of the distance between the embedding of the whole
    spectrum and that of the one whose missing sensors are 0. Rank 1 is the least moved; `mark` is
    "best" for the RANKED first by cosine, "worst" for the last, where there are more than twice
    as many. A mineral without pixels has no rows.
    """
    sets = sensor_sets(bands.sensors, available)
    sets = sets[:-1][::-1]
    whole = np.isin(bands.sensors, available or bands.sensors)
    used = np.flatnonzero((labels >= 1) & (labels <= len(minerals)))
    place = labels[used] - 1
    counts = np.bincount(place, minlength=len(minerals))
    sums = np.zeros((2, len(sets), len(minerals)))
    for start in range(0, len(used), STEP):
        part = slice(start, start + STEP)
        own = spectra[used[part]]
        full = embed(own).astype(np.float64)
        for number, kept in enumerate(sets):
            left = embed(np.where(bands.present_bands(kept), own, np.float32(0)))
            left = left.astype(np.float64)
            lengths = np.linalg.norm(full, axis=1) * np.linalg.norm(left, axis=1)
            product = np.einsum("ne,ne->n", full, left)
            cosine = np.divide(product, lengths, out=np.zeros_like(product), where=lengths > 0)
            for kind, values in enumerate((cosine, np.linalg.norm(full - left, axis=1))):
                sums[kind, number] += np.bincount(place[part], values, len(minerals))
    rows = []
    for mineral in np.flatnonzero(counts):
        cosine, euclid = sums[:, :, mineral] / counts[mineral]
        ranks = [np.argsort(np.argsort(values, kind="stable")) + 1 for values in (-cosine, euclid)]
        for number, kept in enumerate(sets):
            mark = ""
            if len(sets) > 2 * RANKED:
                mark = "best" if ranks[0][number] <= RANKED else mark
                mark = "worst" if ranks[0][number] > len(sets) - RANKED else mark
            rows.append(
                {
                    "missing": join_sensors(bands.sensors, whole & ~kept),
                    "mineral": minerals[mineral],
                    "n": int(counts[mineral]),
                    "cosine": f"{cosine[number]:.6f}",
                    "euclidean": f"{euclid[number]:.6f}",
                    "cosine_rank": int(ranks[0][number]),
                    "euclidean_rank": int(ranks[1][number]),
                    "mark": mark,
                }
            )
    return rows


def assess_subsets(
    detectors: Mapping[str, Detector],
    bands: StackBands,
    pixels: Pixels,
    *,
    available: Sequence[str] | None = None,
    replicates: int,
    seed: int,
    threads: int = 1,
) -> list[dict[str, object]]:
    """Rows of SUBSET_COLUMNS: how well each detector finds minerals with each set of sensors.

    `pixels` all have every sensor, or every one that is `available`. Thresholds are chosen on
    validation pixels, once with the same sensors (`threshold_kind` VALIDATION) and once with all
    of them (FULL); rates are of the test pixels, with intervals that redraw blocks.
    """
    sets = sensor_sets(bands.sensors, available)
    test = pixels.take(pixels.is_test)
    held = pixels.take(~pixels.is_test)
    rows = []
    for method, detector in detectors.items():
        scores = score_subsets(detector, bands, pixels.spectra, pixels.present, sets, threads)
        chosen = np.array(
            [choose_thresholds(own[~pixels.is_test], held.held, held.weight) for own in scores]
        )
        for number, kept in enumerate(sets):
            for kind, limits in ((VALIDATION, chosen[number]), (FULL, chosen[-1])):
                rates = rate(
                    scores[number][pixels.is_test],
                    limits,
                    test.held,
                    test.block,
                    test.weight,
                    replicates,
                    seed,
                )
                head = {
                    "sensors": join_sensors(bands.sensors, kept),
                    "method": method,
                    "threshold_kind": kind,
                }
                rows += rate_rows(head, detector.minerals, rates, limits)
    return rows
