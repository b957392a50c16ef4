"""Iron potential from the probabilities of the iron classes and the geology.

The classes of the iron forest are grades of two minerals and a negative. The score of a pixel is
its expected grade: high counts 1, moderate 2/3, low 1/3, negative 0, weighted by their
probabilities, whatever the mineral. Outside of iron-hosting units the score is 0, as the study of
Franca-Rocha et al. (2025, Minerals 15, 1119) allows iron classes inside of them only.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rasterio.features import rasterize
from rasterio.windows import Window
from rasterio.windows import transform as window_transform

from gossan.errors import InputError
from gossan.legend import NODATA, MapClass
from gossan.outlines import outline
from gossan.raster import Grid
from gossan.vectors import POLYGONS, read_features

IRON_METHOD = "Expected grade"
GRADES = {"high": 1.0, "moderate": 2 / 3, "low": 1 / 3}
NEGATIVE = "negative"

LOW, MEDIUM, HIGH, NONE = 1, 2, 3, 4
POTENTIAL = (
    MapClass(LOW, "low", "Low potential", "#C6DCFA"),
    MapClass(MEDIUM, "medium", "Medium potential", "#F3A646"),
    MapClass(HIGH, "high", "High potential", "#A01130"),
)
GRADED_POTENTIAL = (
    MapClass(LOW, "low", "Low potential", "#FDEFB8"),
    *POTENTIAL[1:],
    MapClass(NONE, "none", "No potential", "#C6DCFA"),
)
"""Of classes in place of scores: low potential is a finding, too, and the rest is none."""

HOST_ATTRIBUTE = "iron"
PROBABILITY_TOLERANCE = 0.02


def grade_weight(name: str) -> float:
    """Weight in the score of a class such as "hematite-high", or of the negative one."""
    return 0.0 if name == NEGATIVE else GRADES[name.rpartition("-")[2]]


def grade_weights(names: Sequence[str], where: str) -> np.ndarray:
    """Weight of each class in the score, (classes,), from names like "hematite-high".

    Classes may be missing: a forest knows those that its samples hold. Raises InputError, naming
    `where`, for a name that ends in no grade and is not "negative", for a name that stands twice,
    and when no class is a grade.
    """
    weights = []
    for name in names:
        mineral, _, grade = name.rpartition("-")
        if name != NEGATIVE and (not mineral or grade not in GRADES):
            raise InputError(
                f"{where}: band {name} is no iron class; give the probabilities of classes "
                f"MINERAL-high, MINERAL-moderate, MINERAL-low and {NEGATIVE}"
            )
        weights.append(grade_weight(name))
    if len(set(names)) < len(names):
        raise InputError(f"{where}: a class stands twice among {' '.join(names)}")
    if not any(weights):
        raise InputError(f"{where}: holds no iron class, so there is no potential to map")
    return np.array(weights)


def check_thresholds(medium: float, high: float) -> None:
    """Raise InputError unless 0 < medium < high <= 1."""
    if not 0 < medium < high <= 1:
        raise InputError(
            f"medium {medium:g}, high {high:g}: thresholds of the score rise between 0 and 1"
        )


def score_potential(
    probability: np.ndarray, weights: np.ndarray, hosting: np.ndarray | None = None
) -> np.ndarray:
    """Score of each pixel, (rows, columns) float32 from 0 to 1; NaN where any probability is NaN.

    `probability` is (classes, rows, columns), `weights` (classes,) as of `grade_weights`, and
    `hosting` (rows, columns) bool tells iron-hosting ground; None takes all ground as such.
    Raises InputError unless the probabilities of each pixel lie in 0 to 1 and add up to 1.
    """
    # Added band by band: a matrix product may round otherwise in blocks of another size.
    score = np.zeros(probability.shape[1:])
    total = np.zeros(probability.shape[1:])
    for band, weight in zip(probability, weights, strict=True):
        score += weight * band
        total += band
    valid = np.isfinite(total)
    if valid.any() and (
        probability[:, valid].min() < -PROBABILITY_TOLERANCE
        or np.abs(total[valid] - 1).max() > PROBABILITY_TOLERANCE
    ):
        raise InputError(
            "probabilities: those of a pixel do not add up to 1; give the probabilities of all "
            "classes of one forest"
        )
    if hosting is not None:
        score[~hosting] = 0.0
    score[~valid] = np.nan
    return np.clip(score, 0, 1).astype(np.float32)


def classify_potential(score: np.ndarray, medium: float, high: float) -> np.ndarray:
    """Potential of float32 scores, uint8 of the same shape: LOW, MEDIUM, HIGH, NODATA for NaN.

    A threshold belongs to the class above it.
    """
    codes = np.full(score.shape, LOW, np.uint8)
    codes[score >= np.float32(medium)] = MEDIUM
    codes[score >= np.float32(high)] = HIGH
    codes[np.isnan(score)] = NODATA
    return codes


LEVEL_OF_GRADE = {"high": HIGH, "moderate": MEDIUM, "low": LOW}


def potential_of_class(name: str) -> int:
    """Potential of an iron class: high, medium or low by its grade, NONE of the negative one."""
    return NONE if name == NEGATIVE else LEVEL_OF_GRADE[name.rpartition("-")[2]]


def grade_potential(
    probability: np.ndarray, levels: np.ndarray, hosting: np.ndarray | None = None
) -> np.ndarray:
    """Potential of the most probable class, uint8 (rows, columns), the first of equals.

    `probability` is (classes, rows, columns), `levels` (classes,) as of `potential_of_class`, and
    `hosting` as of `score_potential`; other ground has NONE. NODATA where a probability is NaN.
    """
    valid = np.isfinite(probability).all(axis=0)
    codes = levels[np.where(valid, probability, 0).argmax(axis=0)].astype(np.uint8)
    if hosting is not None:
        codes[~hosting] = NONE
    codes[~valid] = NODATA
    return codes


def read_hosts_at(
    path: str | Path | None, grid: Grid, row: np.ndarray, column: np.ndarray
) -> np.ndarray:
    """Which pixels, (n,) bool, are iron-hosting as of `open_hosts`; all, without a file."""
    if path is None:
        return np.ones(len(row), bool)
    read = open_hosts(path, grid)
    windows = (Window(int(x), int(y), 1, 1) for x, y in zip(column, row, strict=True))
    return np.array([read(window)[0, 0] for window in windows], bool)


def open_hosts(path: str | Path, grid: Grid) -> Callable[[Window], np.ndarray]:
    """Open a geological map; the answer tells the iron-hosting pixels, (rows, columns) bool.

    The file holds polygons with the attribute `iron`, yes or no. A pixel is iron-hosting when its
    centre lies in a polygon with yes; ground without a polygon is not. Raises InputError as
    `read_features` does, for other values of the attribute, and when no polygon over the map
    says yes.
    """
    import shapely

    features = read_features(path, grid, "geological units", POLYGONS, (HOST_ATTRIBUTE,))
    said = features[HOST_ATTRIBUTE].astype(str).str.strip().str.casefold()
    odd = sorted(set(said) - {"yes", "no"})
    if odd:
        raise InputError(
            f"{path}: attribute '{HOST_ATTRIBUTE}' is {', '.join(odd)} in some units; "
            "write yes or no"
        )
    shapes = features.geometry[said == "yes"].to_numpy()
    if not shapely.intersects(shapes, outline(grid)).any():
        raise InputError(
            f"{path}: no unit over the map has {HOST_ATTRIBUTE} = yes; mark the iron-hosting units"
        )
    index = shapely.STRtree(shapes)

    def read(window: Window) -> np.ndarray:
        size = (int(window.height), int(window.width))
        near = np.sort(index.query(outline(grid, window)))
        if not near.size:
            return np.zeros(size, bool)
        burnt = rasterize(
            list(shapes[near]),
            out_shape=size,
            transform=window_transform(window, grid.transform),
            dtype="uint8",
        )
        return burnt.astype(bool)

    return read
