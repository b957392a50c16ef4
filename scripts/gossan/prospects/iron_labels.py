"""Grades of iron ore by spectral angle: references, thresholds, similarity, seven classes.

Franca-Rocha et al. (2025), Minerals 15, 1119, compare each pixel with spectra of hematite,
itabirite, soil and vegetation. Two sets of labels come of it, which must not be mixed up:

- Four cover classes: the nearest reference within its threshold says ore (either mineral), soil or
  vegetation, and what is within none is mixed. The thresholds are chosen on these.
- Seven grades: where the nearest reference is a mineral and the ground can hold iron, similarity
  = 1 - angle / theta_max cuts it into high, moderate and low; all other ground is negative.

The paper is silent on theta_max. By default it is such that a pixel at the paper's own threshold of
its mineral has the least similarity of any grade: the scale of the grades is then the same for
every scene, wherever the scan puts the thresholds of the cover classes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gossan.accuracy.blocks import Bootstrap
from gossan.accuracy.intervals import INTERVAL_RULE
from gossan.accuracy.record import TruthSource, make_record
from gossan.accuracy.scores import count_pixels, score_confusion
from gossan.errors import InputError
from gossan.kernels import kernel
from gossan.legend import NODATA, MapClass
from gossan.library.readers import References
from gossan.minerals.spectral_angle import align_references, map_angles
from gossan.prospects.strata import MINERALS, ORE, Samples
from gossan.raster import BandTable
from gossan.tables import read_table

REFERENCES = (*MINERALS, "soil", "vegetation")
COVER_NAMES = (ORE, "soil", "vegetation", "mixed")
GRADES = ("high", "moderate", "low")
NEGATIVE = "negative"
# Of the paper's lowest grade.
LEAST_SIMILARITY = 0.7
# Names under which a library may have them; what the analytic library calls vegetation is second.
LIBRARY_NAMES = {"vegetation": ("vegetation", "green_vegetation")}
# Itabirite of 38 % Fe is 54 % hematite by weight, the rest quartz. At densities of 5.26 and 2.65
# and grains of one size, light meets hematite on 37 % of the grains' cross-section.
ITABIRITE = {"hematite": 0.37, "quartz": 0.63}
# Thresholds of the paper (radians).
PUBLISHED_RAD = {"hematite": 0.10, "itabirite": 0.12, "soil": 0.15, "vegetation": 0.15}
SCAN_STEP_RAD = 0.02
SCAN_STEPS = 20
ROBUSTNESS_RAD = 0.02
# Thresholds that score this close to the best are taken as equal, so that ore points called where
# there are none decide.
EQUAL_F1 = 0.01

_ORE, _MIXED = 0, 3


@dataclass(frozen=True)
class Spectra:
    """Reference spectra (4, bands) in the order of REFERENCES, and where each came from."""

    reflectance: np.ndarray
    source: tuple[str, ...]


def mix_intimately(reflectance: Sequence[np.ndarray], share: Sequence[float]) -> np.ndarray:
    """Reflectance of an intimate mixture of minerals, of their arrays' shape.

    `reflectance` are fractions, `share` the minerals' shares of the grains' cross-section. Single
    scattering albedos w add up by share; w = 1 - ((1 - r) / (1 + r))^2 inverts the diffusive
    reflectance r of Hapke (1981), Journal of Geophysical Research 86, 3039-3054. Mixing after
    Mustard and Pieters (1987), Journal of Geophysical Research 92, E617-E626.
    """
    albedo = sum(
        part * (1.0 - ((1.0 - own) / (1.0 + own)) ** 2)
        for own, part in zip(np.clip(reflectance, 0.0, 1.0), share, strict=True)
    )
    gamma = np.sqrt(1.0 - albedo)
    return (1.0 - gamma) / (1.0 + gamma)


def make_references(
    table: References | None,
    bands: BandTable,
    what: str,
    points: np.ndarray,
    samples: Samples,
) -> Spectra:
    """The four reference spectra at the cube's bands.

    A spectrum of that name in `table` (vegetation also as green_vegetation) is taken as it is, and
    itabirite is mixed intimately (ITABIRITE) of a table's hematite and quartz. What the table does
    not give, all four without a table, is the mean spectrum of its `samples`, whose spectra are
    `points` (n, bands): ore in a pit is no pure powder of a mineral, and local soil differs more
    from any library's than it differs from ore. `what` names the table in messages. Raises
    InputError for bands that do not fit, and for what neither the table nor the samples have.
    """
    spectra, sources = [], []
    in_table = () if table is None else table.names
    for name in REFERENCES:
        found = [known for known in LIBRARY_NAMES.get(name, (name,)) if known in in_table]
        own = (samples.mineral if name in MINERALS else samples.cover) == name
        if found:
            spectra.append(align_references(table, found[:1], bands, what)[0])
            sources.append("library")
        elif name == "itabirite" and set(ITABIRITE) <= set(in_table):
            parts = align_references(table, list(ITABIRITE), bands, what)
            spectra.append(mix_intimately(parts, list(ITABIRITE.values())))
            shares = ", ".join(f"{part} {share:g}" for part, share in ITABIRITE.items())
            sources.append(f"intimate mixture ({shares})")
        elif own.any():
            spectra.append(points[own].astype(np.float64).mean(axis=0))
            sources.append("mean of the training samples")
        else:
            raise InputError(
                f"{what}: has no spectrum of {name}, and no training sample shows it; add one"
            )
    return Spectra(np.array(spectra), tuple(sources))


def point_angles(points: np.ndarray, spectra: Spectra) -> np.ndarray:
    """Spectral angles (n, 4) float32, radians, of spectra (n, bands) to the four references.

    Raises InputError for a spectrum without data in some band.
    """
    block = np.ascontiguousarray(points.T[:, :, np.newaxis], np.float32)
    angles = map_angles(block, spectra.reflectance, every_angle=True)[3][:, :, 0].T
    if not np.isfinite(angles).all():
        number = int((~np.isfinite(angles)).any(axis=1).sum())
        raise InputError(
            f"{number} samples lie where the cube has no data; draw the samples from this cube"
        )
    return angles


def classify_angles(angles: np.ndarray, limits: Sequence[float]) -> np.ndarray:
    """Place in COVER_NAMES, (n,) int64, of angles (n, 4): the nearest reference within its limit.

    Equal angles go to the reference that stands first.
    """
    allowed = np.where(angles <= np.asarray(limits, angles.dtype), angles, np.inf)
    nearest = allowed.argmin(axis=1)
    cover = np.maximum(nearest - len(MINERALS) + 1, _ORE)
    return np.where(np.isfinite(allowed.min(axis=1)), cover, _MIXED)


def cover_places(samples: Samples) -> np.ndarray:
    """Place of each sample's class in COVER_NAMES, (n,) int64."""
    return np.array([COVER_NAMES.index(name) for name in samples.cover], np.int64)


def confuse(truth: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Confusion counts (4, 4) int64 of places in COVER_NAMES: rows are the truth."""
    size = len(COVER_NAMES)
    return np.bincount(truth * size + said, minlength=size**2).reshape(size, size)


@dataclass(frozen=True)
class Scan:
    """Scores of every combination of thresholds, indexed by the place of each in `steps`.

    `steps` are the thresholds tried for each of REFERENCES, in radians; `macro_f1` is that of
    the four cover classes and `ore_false` the points called ore that are none.
    """

    steps: tuple[np.ndarray, ...]
    macro_f1: np.ndarray
    ore_false: np.ndarray

    @property
    def best(self) -> tuple[int, ...]:
        """Places of the chosen thresholds.

        Of all that come within EQUAL_F1 of the best macro-F1, those with the fewest points wrongly
        called ore, then with the best macro-F1, then the tightest.
        """
        near = np.argwhere(self.macro_f1 >= self.macro_f1.max() - EQUAL_F1)
        at = tuple(near.T)
        total = near.sum(axis=1)
        order = np.lexsort((*near.T[::-1], total, -self.macro_f1[at], self.ore_false[at]))
        return tuple(int(place) for place in near[order[0]])

    @property
    def limits(self) -> tuple[float, ...]:
        """The chosen thresholds, radians, in the order of REFERENCES."""
        return tuple(float(step[place]) for step, place in zip(self.steps, self.best, strict=True))


def scan_steps(fixed: Mapping[str, float]) -> tuple[np.ndarray, ...]:
    """Thresholds to try for each of REFERENCES: 0.02, 0.04 … 0.40 rad, or the one that is fixed.

    Raises InputError for a name that is no reference and for an angle that is not above 0 and
    below pi / 2.
    """
    for name, limit in fixed.items():
        if name not in REFERENCES:
            raise InputError(f"max-angle-rad: {name} is none of {', '.join(REFERENCES)}")
        if not 0 < limit < np.pi / 2:
            raise InputError(f"max-angle-rad: {name}={limit:g} is not above 0 and below 1.57")
    steps = np.round(SCAN_STEP_RAD * np.arange(1, SCAN_STEPS + 1), 6)
    return tuple(np.array([fixed[name]]) if name in fixed else steps for name in REFERENCES)


def scan_thresholds(angles: np.ndarray, truth: np.ndarray, steps: Sequence[np.ndarray]) -> Scan:
    """Score all combinations of thresholds on points.

    `angles` (n, 4) are in radians, `truth` (n,) places in COVER_NAMES. Scores are those of
    `classify_angles`; macro-F1 is the mean over the classes that the truth has.
    """
    first = np.stack(
        [
            # A point is within a threshold when its angle is no larger, in single precision.
            np.searchsorted(step.astype(np.float32), own, side="left")
            for step, own in zip(steps, angles.astype(np.float32).T, strict=True)
        ],
        axis=1,
    )
    order = np.argsort(angles, axis=1, kind="stable")
    shape = tuple(len(step) for step in steps)
    macro_f1 = np.zeros(shape)
    ore_false = np.zeros(shape, np.int64)
    _scan(order, first, truth.astype(np.int64), macro_f1, ore_false)
    return Scan(tuple(steps), macro_f1, ore_false)


@kernel
def _scan(order, first, truth, macro_f1, ore_false):
    limit = np.zeros(4, np.int64)
    counts = np.zeros((4, 4), np.int64)
    for a in range(macro_f1.shape[0]):
        for b in range(macro_f1.shape[1]):
            for c in range(macro_f1.shape[2]):
                for d in range(macro_f1.shape[3]):
                    limit[0], limit[1], limit[2], limit[3] = a, b, c, d
                    counts[:] = 0
                    for point in range(truth.size):
                        said = 3
                        for rank in range(4):
                            reference = order[point, rank]
                            if first[point, reference] <= limit[reference]:
                                said = max(reference - 1, 0)
                                break
                        counts[truth[point], said] += 1
                    total, classes = 0.0, 0
                    for k in range(4):
                        inside = counts[k].sum()
                        if inside:
                            classes += 1
                            total += 2.0 * counts[k, k] / (inside + counts[:, k].sum())
                    macro_f1[a, b, c, d] = total / classes
                    ore_false[a, b, c, d] = counts[1:, 0].sum()


SCAN_COLUMNS = (
    "reference",
    "threshold_rad",
    "chosen",
    "macro_f1",
    "best_macro_f1",
    "ore_false_positives",
    "ore_false_positive_share",
    "n",
)


def scan_rows(scan: Scan, truth: np.ndarray) -> list[dict[str, object]]:
    """The scan as a table (`SCAN_COLUMNS`), one row per reference and threshold.

    `macro_f1` and the ore false positives are with all other thresholds as chosen,
    `best_macro_f1` with the best others; all on the training points. The share is of the points
    that are no ore.
    """
    best, rows = scan.best, []
    others = int((truth != _ORE).sum())
    for axis, name in enumerate(REFERENCES):
        for place, step in enumerate(scan.steps[axis]):
            at = (*best[:axis], place, *best[axis + 1 :])
            wrong = int(scan.ore_false[at])
            rows.append(
                {
                    "reference": name,
                    "threshold_rad": f"{step:.6g}",
                    "chosen": "yes" if place == best[axis] else "no",
                    "macro_f1": f"{scan.macro_f1[at]:.6f}",
                    "best_macro_f1": f"{scan.macro_f1.take(place, axis).max():.6f}",
                    "ore_false_positives": wrong,
                    "ore_false_positive_share": f"{wrong / others:.6f}" if others else "",
                    "n": len(truth),
                }
            )
    return rows


def hold_out_strata(
    samples: Samples,
    points: np.ndarray,
    steps: Sequence[np.ndarray],
    make: Callable[[np.ndarray, Samples], Spectra],
) -> list[dict[str, object]]:
    """Thresholds chosen without a stratum, scored on it, stratum by stratum.

    Each ring is held out in turn, with every so many-th ore point, as ore lies in one stratum
    only: references (`make` of the points left) and thresholds come from the others. Returns, for
    each ring and for all together ("all"), the chosen thresholds (none for all) and the scores on
    the points held out. Nothing is held out, and the list is empty, where there are fewer than
    two rings.
    """
    truth = cover_places(samples)
    rings = [name for name in dict.fromkeys(samples.stratum) if name != ORE]
    if len(rings) < 2:
        return []
    fold = np.array([-1 if name == ORE else rings.index(name) for name in samples.stratum])
    ore = np.flatnonzero(fold < 0)
    fold[ore] = np.arange(len(ore)) % len(rings)
    rows, total = [], np.zeros((len(COVER_NAMES),) * 2, np.int64)
    for place, ring in enumerate(rings):
        kept, held = fold != place, fold == place
        spectra = make(points[kept], samples.select(kept))
        angles = point_angles(points, spectra)
        limits = scan_thresholds(angles[kept], truth[kept], steps).limits
        counts = confuse(truth[held], classify_angles(angles[held], limits))
        total += counts
        rows.append({"stratum": ring, "limits_rad": dict_of(limits), **plain_scores(counts)})
    rows.append({"stratum": "all", "limits_rad": None, **plain_scores(total)})
    return rows


def dict_of(values: Sequence[float]) -> dict[str, float]:
    """Values in the order of REFERENCES by their names."""
    return {name: round(float(value), 6) for name, value in zip(REFERENCES, values, strict=True)}


def plain_scores(counts: np.ndarray) -> dict[str, object]:
    """n, overall accuracy, kappa, macro-F1, F1 per class and ore false positives of (4, 4) counts.

    Values are rounded to six digits, None where undefined; `ore_false_positive_share` is of the
    points that are no ore.
    """
    scores = score_confusion(counts)
    others = int(counts[1:].sum())
    wrong = int(counts[1:, _ORE].sum())
    values = {
        "overall_accuracy": scores.overall,
        "kappa": scores.kappa,
        "macro_f1": scores.macro_f1,
        **{f"f1_{name}": scores.f1[place] for place, name in enumerate(COVER_NAMES)},
        "ore_false_positive_share": wrong / others if others else np.nan,
    }
    rounded = {
        name: round(float(value), 6) if np.isfinite(value) else None
        for name, value in values.items()
    }
    return {"n": int(counts.sum()), **rounded, "ore_false_positives": wrong}


@dataclass(frozen=True)
class Grading:
    """How angles become grades.

    `theta_max_rad` belongs to similarity 0, for each of REFERENCES; `grades` are the least
    similarities of high, moderate and low; `codes` are the class codes by name.
    """

    theta_max_rad: tuple[float, ...]
    grades: tuple[float, ...]
    codes: Mapping[str, int]

    @classmethod
    def of(
        cls,
        theta_max_rad: float | None,
        grades: Sequence[float],
        classes: Sequence[MapClass],
    ) -> "Grading":
        """The grading with one `theta_max_rad` for all references, or None for their defaults.

        Raises InputError for an angle or similarities out of range or not descending, and for a
        class table that lacks a grade.
        """
        if len(grades) != len(GRADES) or not 1 > grades[0] > grades[1] > grades[2] > 0:
            raise InputError("grades: give three similarities below 1 that fall, such as 0.9 0.8")
        if theta_max_rad is not None and not 0 < theta_max_rad <= np.pi / 2:
            raise InputError(f"theta-max-rad: {theta_max_rad:g} is not above 0 and up to 1.5708")
        known = {item.name: item.code for item in classes}
        names = [*(f"{mineral}-{grade}" for mineral in MINERALS for grade in GRADES), NEGATIVE]
        missing = [name for name in names if name not in known]
        if missing:
            raise InputError(f"classes: lack {', '.join(missing)}; give resources/static/iron.csv")
        codes = {name: known[name] for name in names}
        widest = tuple(
            PUBLISHED_RAD[name] / (1 - LEAST_SIMILARITY) if theta_max_rad is None else theta_max_rad
            for name in REFERENCES
        )
        return cls(widest, tuple(grades), codes)

    def similarity(self, angles: np.ndarray) -> np.ndarray:
        """1 - angle / theta_max, not below 0, float32, of angles (4, rows, columns)."""
        widest = np.array(self.theta_max_rad, np.float32)[:, np.newaxis, np.newaxis]
        return np.maximum(np.float32(1) - angles / widest, np.float32(0))

    def classify(
        self, angles: np.ndarray, similarity: np.ndarray, hosting: np.ndarray | None = None
    ) -> np.ndarray:
        """Class codes (rows, columns) uint8 of angles and similarities (4, rows, columns).

        A pixel whose nearest reference is a mineral, on `hosting` ground (bool; None: all ground),
        gets the highest grade whose similarity it reaches; else it is negative, and NODATA where
        angles are NaN. Equal angles go to the reference that stands first.
        """
        valid = np.isfinite(angles[0])
        nearest = np.where(valid, angles, 0).argmin(axis=0)
        codes = np.full(valid.shape, self.codes[NEGATIVE], np.uint8)
        possible = valid if hosting is None else valid & hosting
        for place, mineral in enumerate(MINERALS):
            own = possible & (nearest == place)
            for grade, least in reversed(list(zip(GRADES, self.grades, strict=True))):
                reached = own & (similarity[place] >= np.float32(least))
                codes[reached] = self.codes[f"{mineral}-{grade}"]
        codes[~valid] = NODATA
        return codes


@dataclass(frozen=True)
class Shift:
    """A change of thresholds: by `step_rad`, of one of REFERENCES, of "all" or of "none"."""

    reference: str
    step_rad: float

    def step_of(self, place: int) -> float:
        """The change of the threshold at a place of REFERENCES."""
        return self.step_rad if self.reference in ("all", REFERENCES[place]) else 0.0

    def limits(self, limits: Sequence[float]) -> tuple[float, ...]:
        """Shifted thresholds; one that would fall below 0 is 0, within which nothing is."""
        return tuple(
            max(0.0, round(limit + self.step_of(place), 6)) for place, limit in enumerate(limits)
        )


SHIFTS = (
    Shift("none", 0.0),
    *(
        Shift(name, step)
        for name in ("all", *REFERENCES)
        for step in (-ROBUSTNESS_RAD, ROBUSTNESS_RAD)
    ),
)


def count_iron(
    angles: np.ndarray, hosting: np.ndarray | None, grading: Grading, shifts: Sequence[Shift]
) -> np.ndarray:
    """Pixels with an iron grade for each of several shifts, (shifts,) int64.

    `angles` are (4, rows, columns). A shift moves the largest angle that still has a grade, of the
    minerals that it names, by its step; theta_max moves along.
    """
    valid = np.isfinite(angles[0])
    nearest = np.where(valid, angles, 0).argmin(axis=0)
    possible = valid if hosting is None else valid & hosting
    counts = np.zeros(len(shifts), np.int64)
    least = grading.grades[-1]
    for mineral, theta_max in enumerate(grading.theta_max_rad[: len(MINERALS)]):
        own = angles[mineral][possible & (nearest == mineral)]
        for place, shift in enumerate(shifts):
            widest = theta_max + shift.step_of(mineral) / (1 - least)
            if widest > 0:
                similarity = np.float32(1) - own / np.float32(widest)
                counts[place] += int((similarity >= np.float32(least)).sum())
    return counts


def robustness_rows(
    limits: Sequence[float],
    angles: np.ndarray,
    truth: np.ndarray,
    split: np.ndarray,
    iron_pixels: Sequence[int],
    pixels: int,
) -> list[dict[str, object]]:
    """The table of shifted thresholds: a row per shift of SHIFTS and split.

    `angles` (n, 4) and `truth` (n,) are of all points, `split` says train or test;
    `iron_pixels` are the scene's pixels with an iron grade for each shift, of `pixels` with data.
    """
    rows = []
    for shift, iron in zip(SHIFTS, iron_pixels, strict=True):
        own = shift.limits(limits)
        for part in dict.fromkeys(split):
            mine = split == part
            counts = confuse(truth[mine], classify_angles(angles[mine], own))
            scores = plain_scores(counts)
            rows.append(
                {
                    "reference": shift.reference,
                    "shift_rad": f"{shift.step_rad:g}",
                    **{f"{key}_rad": f"{value:g}" for key, value in dict_of(own).items()},
                    "split": part,
                    **{key: "" if value is None else value for key, value in scores.items()},
                    "iron_pixels": int(iron),
                    "iron_share": f"{iron / pixels:.6f}" if pixels else "",
                }
            )
    return rows


ANGLE_COLUMNS = tuple(f"angle_{name}_rad" for name in REFERENCES)
POINT_COLUMNS = ("mine", "stratum", "class", "mineral", "split", "row", "column")


def point_rows(
    samples: Samples, angles: np.ndarray, points: np.ndarray, bands: Sequence[str]
) -> list[dict[str, object]]:
    """The samples as a table: POINT_COLUMNS, ANGLE_COLUMNS and the reflectance of each band.

    `angles` are (n, 4) in radians, `points` (n, bands) reflectance as fractions.
    """
    rows = []
    for place in range(len(samples)):
        said = (samples.mine, samples.stratum, samples.cover, samples.mineral, samples.split)
        row = dict(zip(POINT_COLUMNS, (part[place] for part in said), strict=False))
        row |= {"row": int(samples.row[place]), "column": int(samples.column[place])}
        row |= {
            name: f"{value:.6f}" for name, value in zip(ANGLE_COLUMNS, angles[place], strict=True)
        }
        row |= {name: f"{value:.6f}" for name, value in zip(bands, points[place], strict=True)}
        rows.append(row)
    return rows


def read_point_angles(path: str | Path, samples: Samples) -> np.ndarray:
    """Angles (n, 4), radians, that `point_rows` wrote of the same samples.

    Raises InputError for a table of other points.
    """
    rows = read_table(path, (*POINT_COLUMNS, *ANGLE_COLUMNS))
    places = [(int(row["row"]), int(row["column"])) for row in rows]
    if places != list(zip(samples.row.tolist(), samples.column.tolist(), strict=True)):
        raise InputError(f"{path}: is of other samples; label them again")
    return np.array([[float(row[name]) for name in ANGLE_COLUMNS] for row in rows])


SPLIT_NOTE = (
    "held-out points: drawn with the training points and set aside at random, so some lie near "
    "training points; thresholds and mean spectra come from the training points alone"
)

RULES = {
    "labels": (
        "Four cover classes of sample points. The nearest reference within its threshold says ore "
        "(hematite or itabirite), soil or vegetation; a point within no threshold is mixed. The "
        "seven iron grades are another set of labels and are not tested here."
    ),
    "indices": (
        "Points whose class is from indices were labelled by NDVI and BSI of the same spectra that "
        "are tested, which flatters every method; see how each point was labelled."
    ),
    "macro_f1": "The plain mean of F1 over the classes present among the tested points.",
    "interval": INTERVAL_RULE,
}
"""How the numbers of the record are to be read; written into it."""


def point_record(
    samples: Samples,
    said: np.ndarray,
    covers: Sequence[MapClass],
    *,
    scene: str,
    file: str,
    synthetic: bool,
    replicates: int,
    seed: int,
) -> dict:
    """The accuracy record (`record` of workflow/schemas/accuracy.schema.json) of test points.

    `samples` are the points and `said` their places in COVER_NAMES by the angles. Raises
    InputError for points of several block sizes, for no points, and for a table of `covers` that
    lacks a class.
    """
    sides = np.unique(samples.block_px)
    if len(sides) != 1:
        raise InputError(f"{file}: has no test points of one size of block; draw the samples again")
    known = {item.name: item for item in covers}
    missing = [name for name in COVER_NAMES if name not in known]
    if missing:
        raise InputError(f"covers: lack {', '.join(missing)}; give resources/static/covers.csv")
    labels = [{"code": 0, "name": "other", "label": "Other"}]
    labels += [
        {"code": known[name].code, "name": name, "label": known[name].label} for name in COVER_NAMES
    ]
    return make_record(
        count_pixels(samples.block, cover_places(samples) + 1, said + 1, len(labels)),
        labels,
        scene=scene,
        method="Spectral Angle Mapper, four cover classes",
        synthetic=synthetic,
        truth=TruthSource(
            file,
            "points",
            "the pixel that holds each point is tested; its class is from "
            + " and ".join(sorted(set(samples.labelled_by))),
        ),
        split=SPLIT_NOTE,
        bootstrap=Bootstrap(int(sides[0]), replicates, seed),
        rules=RULES,
    )


def as_references(spectra: Spectra, bands: BandTable) -> References:
    """The four spectra as a table of references."""
    return References(
        REFERENCES,
        tuple(bands.names),
        np.array(bands.centre_um),
        np.array(bands.fwhm_um),
        spectra.reflectance,
    )
