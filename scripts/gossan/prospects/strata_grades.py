"""Grades of sample points by their class, stratum and mean similarity, which teach a forest.

Table 2 of Franca-Rocha et al. (2025), Minerals 15, 1119: the points around a mine are no longer
ore, soil, vegetation and mixed cover but grades of the mine's mineral. All points of one class in
one stratum of one mineral, a cell, get the same grade. A table says which cells may have which
grade; a cell has it where the mean similarity of its points to the mineral reaches the least
similarity of the grade, else the highest one below that it does reach. All other cells are
negative. The forest learns each grade with the mean similarity of its points as its weight.

Similarity is 1 - angle / theta_max, not below 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gossan.errors import InputError
from gossan.prospects.iron_labels import GRADES, NEGATIVE, REFERENCES
from gossan.prospects.strata import COVERS, MINERALS, ORE, Samples
from gossan.tables import read_table

ASSIGNMENT_COLUMNS = ("mineral", "class", "from_m", "to_m", "grade")
STRATA_COLUMNS = ("mine", "mineral", "stratum", "from_m", "to_m", "class")
CELL_COLUMNS = (
    *("mineral", "class", "stratum", "from_m", "to_m", "points", "train"),
    *("similarity", "similarity_q1", "similarity_median", "similarity_q3", "listed", "grade"),
)
LEAST_WEIGHT = 0.01
"""A class whose points have no similarity at all still counts for something."""

Cell = tuple[str, str, float, float]
"""Mineral, class, and the stratum's limits in metres; ore lies in the stratum (0, 0)."""


@dataclass(frozen=True)
class Points:
    """Sample points with the cells that they lie in, (n,), and their angles (n, 4), radians.

    `mineral` is that of the point's ore, or of the mine around which it was drawn; the angles are
    in the order of REFERENCES.
    """

    samples: Samples
    mineral: np.ndarray
    from_m: np.ndarray
    to_m: np.ndarray
    angles: np.ndarray

    @property
    def cells(self) -> list[Cell]:
        """The cell of each point."""
        return list(
            zip(
                *(part.tolist() for part in (self.mineral, self.samples.cover)),
                *(part.tolist() for part in (self.from_m, self.to_m)),
                strict=True,
            )
        )

    def select(self, chosen: np.ndarray) -> "Points":
        """The points that `chosen`, a mask or places, picks."""
        own = (self.mineral, self.from_m, self.to_m, self.angles)
        return Points(self.samples.select(chosen), *(part[chosen] for part in own))

    def similarity(self, theta_max_rad: float) -> np.ndarray:
        """Similarity of each point to its mineral, (n,) float64 from 0 to 1."""
        place = np.array([REFERENCES.index(name) for name in self.mineral], np.int64)
        own = self.angles[np.arange(len(place)), place].astype(np.float64)
        return np.maximum(1 - own / theta_max_rad, 0.0)


def place_points(
    samples: Samples, angles: np.ndarray, strata: Sequence[Mapping[str, str]], what: str
) -> Points:
    """The cells of samples, by the rows of strata.csv, which tell each mine's mineral.

    Raises InputError, naming `what`, for a mine or stratum that the rows do not have.
    """
    limits = {row["stratum"]: (float(row["from_m"]), float(row["to_m"])) for row in strata}
    minerals = {row["mine"]: row["mineral"] for row in strata}
    for known, names in ((minerals, samples.mine), (limits, samples.stratum)):
        odd = sorted(set(map(str, names)) - set(known))
        if odd:
            raise InputError(f"{what}: has no row of {odd[0]}; draw the samples again")
    ends = np.array([limits[name] for name in samples.stratum], np.float64).reshape(-1, 2)
    pairs = zip(samples.mineral, samples.mine, strict=True)
    mineral = [own or minerals[mine] for own, mine in pairs]
    return Points(samples, np.array(mineral, object), ends[:, 0], ends[:, 1], angles)


def read_assignments(path: str | Path) -> dict[Cell, str]:
    """The highest grade of each cell of a table (ASSIGNMENT_COLUMNS).

    Raises InputError for an unknown mineral, class or grade, and for a cell that stands twice.
    """
    listed: dict[Cell, str] = {}
    for number, row in enumerate(read_table(path, ASSIGNMENT_COLUMNS), start=2):
        for column, known in (
            ("mineral", MINERALS),
            ("class", (ORE, *COVERS)),
            ("grade", GRADES),
        ):
            if row[column] not in known:
                raise InputError(
                    f"{path}, line {number}: {column} is {row[column] or 'empty'}; use one of "
                    f"{', '.join(known)}"
                )
        cell = row["mineral"], row["class"], float(row["from_m"]), float(row["to_m"])
        if cell in listed:
            raise InputError(f"{path}, line {number}: {name_cell(cell)} stands twice; keep one")
        listed[cell] = row["grade"]
    if not listed:
        raise InputError(f"{path}: has no row; say which cells have which grade")
    return listed


def name_cell(cell: Cell) -> str:
    """A cell in words, such as "soil 100-200 m around hematite"."""
    mineral, cover, start, stop = cell
    return f"ore of {mineral}" if cover == ORE else f"{cover} {start:g}-{stop:g} m from {mineral}"


@dataclass(frozen=True)
class CellGrading:
    """Which grade each cell has, made of the points that teach.

    `theta_max_rad` belongs to similarity 0, `least` are the least similarities of high, moderate
    and low, `listed` the highest grade of each cell, `mean` the mean similarity of each cell that
    has points.
    """

    theta_max_rad: float
    least: tuple[float, ...]
    listed: Mapping[Cell, str]
    mean: Mapping[Cell, float]

    @classmethod
    def of(
        cls,
        points: Points,
        listed: Mapping[Cell, str],
        theta_max_rad: float,
        least: Sequence[float],
    ) -> "CellGrading":
        """The grading by the mean similarities of `points`.

        Raises InputError for similarities that do not fall from below 1 to above 0.
        """
        if len(least) != len(GRADES) or not 1 > least[0] > least[1] > least[2] > 0:
            raise InputError("grades: give three similarities below 1 that fall, such as 0.9 0.8")
        similarity, cells = points.similarity(theta_max_rad), points.cells
        found: dict[Cell, list[float]] = {}
        for cell, value in zip(cells, similarity.tolist(), strict=True):
            found.setdefault(cell, []).append(value)
        mean = {cell: float(np.mean(values)) for cell, values in found.items()}
        return cls(theta_max_rad, tuple(least), dict(listed), mean)

    def grade(self, cell: Cell) -> str:
        """The class of a cell: MINERAL-GRADE, or negative."""
        if cell in self.listed and cell in self.mean:
            highest = GRADES.index(self.listed[cell])
            for name, least in zip(GRADES[highest:], self.least[highest:], strict=True):
                if self.mean[cell] >= least:
                    return f"{cell[0]}-{name}"
        return NEGATIVE

    def label(self, points: Points) -> np.ndarray:
        """The class of each point, (n,) of text."""
        return np.array([self.grade(cell) for cell in points.cells], object)

    def weights(self, points: Points, names: np.ndarray) -> dict[str, float]:
        """The weight of each class among the points: the mean similarity of its points."""
        similarity = points.similarity(self.theta_max_rad)
        return {
            str(name): max(LEAST_WEIGHT, round(float(similarity[names == name].mean()), 6))
            for name in sorted(set(names))
        }

    def notes(self) -> list[str]:
        """What of the table could not be followed, in sentences."""
        told = []
        if absent := [name_cell(cell) for cell in self.listed if cell not in self.mean]:
            told.append(f"No training point is there of {'; '.join(absent)}.")
        unlike = [
            f"{name_cell(cell)} ({self.mean[cell]:.2f})"
            for cell, name in self.listed.items()
            if cell in self.mean and self.grade(cell) != f"{cell[0]}-{name}"
        ]
        if unlike:
            told.append(
                "The mean similarity is below that of the grade that the table gives to "
                f"{'; '.join(unlike)}; each has the grade that it reaches."
            )
        return told

    @property
    def met(self) -> tuple[int, int]:
        """How many cells with points have the grade that the table gives them, and of how many."""
        there = [cell for cell in self.listed if cell in self.mean]
        met = [self.grade(cell) == f"{cell[0]}-{self.listed[cell]}" for cell in there]
        return sum(met), len(there)


def cell_rows(
    grading: CellGrading, points: Points, strata: Sequence[Mapping[str, str]]
) -> list[dict[str, object]]:
    """The cells as a table (CELL_COLUMNS): similarity of the training points, and the grade."""
    similarity = points.similarity(grading.theta_max_rad)
    train = points.samples.split == "train"
    place: dict[Cell, list[int]] = {}
    for number, cell in enumerate(points.cells):
        place.setdefault(cell, []).append(number)
    stratum = {(float(row["from_m"]), float(row["to_m"])): row["stratum"] for row in strata}
    order = {name: number for number, name in enumerate((*MINERALS, ORE, *COVERS))}
    cells = sorted(
        {*place, *grading.listed}, key=lambda cell: (order[cell[0]], cell[2:], order[cell[1]])
    )
    rows = []
    for cell in cells:
        own = np.array(place.get(cell, []), np.int64)
        values = similarity[own[train[own]]]
        row = {
            "mineral": cell[0],
            "class": cell[1],
            "stratum": stratum.get(cell[2:], f"{cell[2]:g}-{cell[3]:g} m"),
            "from_m": f"{cell[2]:g}",
            "to_m": f"{cell[3]:g}",
            "points": len(own),
            "train": len(values),
            "listed": grading.listed.get(cell, ""),
            "grade": grading.grade(cell) if len(values) else "",
        }
        if len(values):
            low, middle, high = np.percentile(values, (25, 50, 75))
            row |= {
                "similarity": f"{values.mean():.6f}",
                "similarity_q1": f"{low:.6f}",
                "similarity_median": f"{middle:.6f}",
                "similarity_q3": f"{high:.6f}",
            }
        rows.append(row)
    return rows
