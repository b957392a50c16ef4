"""A network tried on real spectra: trained on one instrument's, tested on another's.

One-class, as in the paper: each mineral is to be found among all spectra of the other instrument,
with a threshold chosen on the first instrument's spectra alone. For that, the training spectra
are dealt into folds, all records of a specimen into one, and the records of a fold are measured by
a network that saw none of them. The spectral angle to the nearest record stands beside it, with
thresholds chosen by leaving out one record at a time.
"""

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gossan.cube.bands import StackBands, lay_out
from gossan.cube.instruments import INSTRUMENTS
from gossan.embedding.detection import choose_thresholds, rate, rate_rows
from gossan.embedding.detectors import SpectralAngle
from gossan.embedding.sensor_scores import MACRO, ORACLE, VALIDATION
from gossan.embedding.training_spectra import (
    CHANNELS_UM,
    TrainingSpectra,
    gather_training,
    response_matrix,
    stack_spectra,
)
from gossan.errors import InputError
from gossan.files import DAMAGED_ARCHIVE
from gossan.legend import MapClass
from gossan.library.spectrum import Spectrum
from gossan.raster import BandTable
from gossan.tables import read_table

ARRAYS = ("wavelength_um", "reflectance", "title", "mineral")
PANCHROMATIC_UM = (0.8, 0.15)
"""A band centred below the first and wider than the second is panchromatic: it is over others."""
ALL_SENSORS = "all"
ALL, NEW = "all", "new"
"""Which test spectra are scored: all, or those whose specimens were not trained on."""
COLUMNS = (
    *("method", "sensors", "spectra", "mineral", "threshold_kind", "threshold", "n", "n_mineral"),
    *("precision", "precision_low", "precision_high", "recall", "recall_low", "recall_high"),
    *("f1", "f1_low", "f1_high"),
)
logger = logging.getLogger(__name__)


def read_archive(path: str | Path) -> tuple[list[Spectrum], list[str]]:
    """Spectra of an archive (.npz), and the mineral of each, "" where it is none of a study.

    Its arrays are ARRAYS: wavelengths (C,), reflectance (R, C) with NaN at deleted channels, and
    text (R,). Raises InputError, naming the file, where one is missing or of another shape;
    nothing pickled is opened.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            wavelength, reflectance, titles, minerals = (archive[name] for name in ARRAYS)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; give an archive of spectra (.npz)") from error
    except (OSError, ValueError, KeyError, TypeError, *DAMAGED_ARCHIVE) as error:
        raise InputError(
            f"{path}: no archive of spectra; give a .npz with {', '.join(ARRAYS)}"
        ) from error
    fits = (
        wavelength.ndim == 1
        and reflectance.shape == (titles.size, wavelength.size)
        and titles.shape == minerals.shape == (titles.size,)
        and titles.size > 0
        and reflectance.dtype.kind == wavelength.dtype.kind == "f"
        and titles.dtype.kind == minerals.dtype.kind == "U"
        and bool((np.diff(wavelength) > 0).all())
    )
    if not fits:
        raise InputError(
            f"{path}: its arrays do not fit one another; give wavelengths (C,) that ascend, "
            "reflectance (R, C), title (R,) and mineral (R,)"
        )
    spectra = [
        Spectrum(" ".join(str(title).split()), wavelength.astype(np.float64), row, str(path))
        for title, row in zip(titles, reflectance.astype(np.float64), strict=True)
    ]
    return spectra, [str(name) for name in minerals]


def read_sensors(path: str | Path, sensors: Sequence[str]) -> StackBands:
    """Bands of `sensors` from a table of centres and widths.

    A CSV with at least the columns sensor, band, centre_nm and fwhm_nm; sensors are called as
    INSTRUMENTS says. Bands are sorted by wavelength; panchromatic and thermal ones, and those in
    the excluded ranges, are left out. Raises InputError for an unknown sensor and, naming the
    file, for missing columns, sensors or numbers.
    """
    path = Path(path)
    for name in sensors:
        if name not in INSTRUMENTS:
            raise InputError(f"sensor {name!r} is unknown; use {', '.join(INSTRUMENTS)}")
    found: dict[str, list[tuple[float, float, str]]] = {name: [] for name in sensors}
    own = {INSTRUMENTS[name].table_name: name for name in sensors}
    try:
        for row in read_table(path, ("sensor", "band", "centre_nm", "fwhm_nm")):
            sensor = own.get(row["sensor"])
            if sensor is None:
                continue
            centre, width = float(row["centre_nm"]) / 1000, float(row["fwhm_nm"]) / 1000
            below, wider = PANCHROMATIC_UM
            if centre <= CHANNELS_UM[-1] and not (centre < below and width > wider):
                found[sensor].append((centre, width, row["band"]))
    except ValueError as error:
        raise InputError(
            f"{path}: no table of sensors; give a CSV with sensor, band, centre_nm and fwhm_nm"
        ) from error
    for sensor, rows in found.items():
        if not rows:
            raise InputError(
                f"{path}: has no band of {INSTRUMENTS[sensor].table_name}; add its bands"
            )
    tables = {
        sensor: BandTable(
            tuple(name for *_, name in sorted(rows)),
            tuple(centre for centre, *_ in sorted(rows)),
            tuple(width for _, width, _ in sorted(rows)),
        )
        for sensor, rows in found.items()
    }
    return lay_out(tables)[0]


def specimen_of(title: str) -> str:
    """The specimen that a record was measured on: its second word without grain size and split.

    "Hematite GDS69.a 150-250u" and "Hematite GDS69.g <10um" are of GDS69, "Alunite HS295.3B" and
    "Alunite HS295.4B" of HS295, "Goethite MPCMA2-B FineGr adj" of MPCMA2.
    """
    words = title.split()
    own = words[1] if len(words) > 1 else title.strip()
    own = own.split(".")[0]
    own = re.sub(r"-[A-D]$", "", own)
    return re.sub(r"(?<=\d)[a-z]$", "", own).upper()


def label_minerals(spectra: Sequence[Spectrum], labels: Sequence[str]) -> list[str]:
    """A name for each spectrum's mineral: its label, else the first word of its name."""
    return [
        label or re.split(r"[_\s]", item.name.lower())[0]
        for item, label in zip(spectra, labels, strict=True)
    ]


def gather_archive(path: str | Path, classes: Sequence[MapClass]) -> TrainingSpectra:
    """The spectra of an archive; InputError names a class that it lacks."""
    spectra, labels = read_archive(path)
    return gather_training(spectra, classes, str(path), label_minerals(spectra, labels))


def deal_folds(
    minerals: Sequence[str], specimens: Sequence[str], targets: Sequence[str], folds: int, seed: int
) -> np.ndarray:
    """Fold (R,) of each record: all records of a specimen in one, every mineral spread evenly.

    Raises InputError for fewer than 2 folds or more than there are specimens.
    """
    minerals, specimens = np.array(minerals), np.array(specimens)
    if not 2 <= folds <= len(set(specimens.tolist())):
        raise InputError(f"folds: {folds} is not from 2 to the number of specimens")
    generator = np.random.default_rng(seed)
    fold = np.full(len(minerals), -1)
    dealt = 0
    for name in (*targets, None):
        rows = np.ones(len(minerals), bool) if name is None else minerals == name
        left = dict.fromkeys(specimens[rows & (fold < 0)].tolist())
        for own in generator.permutation(list(left)):
            fold[specimens == own] = dealt % folds
            dealt += 1
    return fold


def sensor_sets(bands: StackBands) -> dict[str, np.ndarray]:
    """The sets that are scored, (S,) bool: each sensor alone, and all of them."""
    alone = {
        name: np.arange(len(bands.sensors)) == place for place, name in enumerate(bands.sensors)
    }
    return alone | {ALL_SENSORS: np.ones(len(bands.sensors), bool)}


@dataclass(frozen=True, eq=False)
class Spectra:
    """Spectra in a stack's bands (n, B), sensors that they fill (n, S), and what they are.

    `truth` (n,) is 0 for other minerals and 1 to K for the study's; `specimens` (n,).
    """

    values: np.ndarray
    filled: np.ndarray
    truth: np.ndarray
    specimens: np.ndarray


def in_bands(records: TrainingSpectra, bands: StackBands, minerals: Sequence[str]) -> Spectra:
    """Records in a stack's bands, with their truth for these minerals and their specimens."""
    values, filled = stack_spectra(records, bands, response_matrix(bands))
    place = {name: number for number, name in enumerate(minerals, start=1)}
    return Spectra(
        values,
        filled,
        np.array([place.get(name, 0) for name in records.minerals]),
        np.array([specimen_of(name) for name in records.records]),
    )


Distances = Callable[[np.ndarray], np.ndarray]


def measure_held_out(
    spectra: Spectra,
    fold: np.ndarray,
    bands: StackBands,
    learn: Callable[[np.ndarray], Distances],
    minerals: int,
) -> dict[str, np.ndarray]:
    """Distances (n, K) of each record, by set of sensors, from a network that saw no record of
    its specimen.

    `learn` takes the rows (m,) of the records to train on and returns what measures spectra.
    """
    sets = sensor_sets(bands)
    found = {name: np.full((len(fold), minerals), np.nan, np.float32) for name in sets}
    for own in range(int(fold.max()) + 1):
        rows = np.flatnonzero(fold == own)
        logger.info("fold %d of %d: %d records held out", own + 1, fold.max() + 1, len(rows))
        distances = learn(np.flatnonzero(fold != own))
        for name, answers in measure(spectra, rows, bands, distances).items():
            found[name][rows] = answers
    return found


def measure(
    spectra: Spectra, rows: np.ndarray, bands: StackBands, distances: Distances
) -> dict[str, np.ndarray]:
    """Distances (m, K) of the records at `rows` (m,), by set of sensors; NaN without a sensor."""
    found = {}
    for name, kept in sensor_sets(bands).items():
        present = spectra.filled[rows] & kept
        answers = np.array(
            distances(np.where(bands.present_bands(present), spectra.values[rows], np.float32(0))),
            np.float32,
        )
        answers[~present.any(axis=1)] = np.nan
        found[name] = answers
    return found


def measure_angles(
    spectra: Spectra, training: Spectra, bands: StackBands, minerals: Sequence[str]
) -> dict[str, np.ndarray]:
    """Spectral angles (n, K) to the nearest training record, by set of sensors.

    Where `spectra` is `training` itself, a record's own angle to itself does not count.
    """
    found = {}
    leave_one_out = spectra is training
    for name, kept in sensor_sets(bands).items():
        own = kept & spectra.filled
        bands_of = bands.present_bands(kept)
        references = training.filled[:, kept].all(axis=1) & (training.truth > 0)
        rows = np.flatnonzero(references)
        # One "mineral" per record, so that a record can leave itself out.
        angles = SpectralAngle(
            bands,
            [str(row) for row in rows],
            np.where(bands_of, training.values[rows], 0),
            np.arange(len(rows)),
        ).scores(np.where(bands.present_bands(own), spectra.values, np.float32(0)), own)
        if leave_one_out:
            angles[rows, np.arange(len(rows))] = np.inf
        found[name] = np.stack(
            [
                angles[:, training.truth[rows] == place].min(axis=1, initial=np.inf)
                for place in range(1, len(minerals) + 1)
            ],
            axis=1,
        )
    return found


def score_rows(
    method: str,
    minerals: Sequence[str],
    validation: dict[str, np.ndarray],
    tested: dict[str, np.ndarray],
    training: Spectra,
    test: Spectra,
    *,
    replicates: int,
    seed: int,
) -> list[dict[str, object]]:
    """Rows of COLUMNS: every set of sensors, both kinds of threshold, all and new specimens.

    Only spectra that reach every band of a sensor are measured and counted (`n`) with it.
    Thresholds are chosen on `validation`, distances (n, K) of the training records, and applied to
    `tested`, those of the test spectra; the oracle's are chosen on the test spectra themselves.
    Intervals are by a bootstrap of specimens.
    """
    rows = []
    known = set(training.specimens.tolist())
    new = np.array([own not in known for own in test.specimens.tolist()])
    for sensors, scores in tested.items():
        limits = {
            VALIDATION: choose_thresholds(
                validation[sensors], training.truth, np.ones(len(training.truth))
            ),
        }
        for spectra, chosen in ((ALL, np.ones(len(new), bool)), (NEW, new)):
            truth, weight = test.truth[chosen], np.ones(int(chosen.sum()))
            limits[ORACLE] = choose_thresholds(scores[chosen], truth, weight)
            for kind, own in limits.items():
                rates = rate(
                    scores[chosen],
                    own,
                    truth,
                    test.specimens[chosen],
                    weight,
                    replicates,
                    seed,
                )
                head = {"method": method, "sensors": sensors, "spectra": spectra}
                head |= {"threshold_kind": kind}
                rows += rate_rows(head, minerals, rates, own)
    return rows


def count_unmeasured(spectra: Spectra, bands: StackBands) -> dict[str, int]:
    """How many spectra do not reach every band of a sensor, by set of sensors; of all, of any."""
    return {
        name: int((~(spectra.filled & kept).any(axis=1)).sum())
        for name, kept in sensor_sets(bands).items()
    }


def macro_f1(rows: Iterable[dict], spectra: str, kind: str) -> dict[str, dict[str, float | None]]:
    """Macro-F1 by method and set of sensors, from rows of `score_rows`; None where undefined."""
    found: dict[str, dict[str, float | None]] = {}
    for row in rows:
        if (row["mineral"], row["spectra"], row["threshold_kind"]) == (MACRO, spectra, kind):
            value = None if row["f1"] is None else float(row["f1"])
            found.setdefault(row["method"], {})[row["sensors"]] = value
    return found


def shared_specimens(training: Spectra, test: Spectra) -> list[str]:
    """Specimens that occur in both, sorted."""
    return sorted(set(training.specimens.tolist()) & set(test.specimens.tolist()))
