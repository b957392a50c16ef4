"""Which minerals a sensor's bands can tell apart at all, from their records and before any map.

Records are compared as mappers that look past brightness and the scene's colour compare pixels: by
the logarithm of reflectance, without its mean over the bands, about the mean of all minerals. Two
minerals are apart by the Mahalanobis distance of their mean records (Mahalanobis 1936): their
difference in units of the spread that the records of one mineral have among themselves (grain size,
composition, sample, instrument) and of noise. At a distance of 1, the best line between two normal
clouds puts three records of ten on the wrong side.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gossan.errors import InputError
from gossan.files import write_text
from gossan.library.readers import References
from gossan.library.spectrum import Spectrum

NOISE = 0.01
"""Noise in reflectance (fraction), independent by band; no record is taken to be darker."""
LEAST_SEPARATION = 1.0
SPREAD_COUNTS_AS = 30
"""Records that the measured spread of other libraries counts as beside the references' own."""
SPREAD_GRID_UM = np.arange(380, 2491, 10) / 1000.0
PATTERNS = 20
COLUMNS = ("mineral", "bands", "one_with", "nearest", "separation", "angle_rad", "note")


@dataclass(frozen=True, eq=False)
class Spread:
    """How records of one mineral differ: `patterns` (P, W) in ln reflectance at W wavelengths (µm).

    The covariance of records about their mineral's mean is patternsᵀ · patterns.
    """

    wavelength_um: np.ndarray
    patterns: np.ndarray


@dataclass(frozen=True, eq=False)
class Separability:
    """Of n minerals: distances and angles (rad) between each two, (n, n), and those that are one.

    `groups` holds the places of the minerals of each group, those that stand alone included.
    """

    names: tuple[str, ...]
    bands: int
    separation: np.ndarray
    angle_rad: np.ndarray
    groups: tuple[tuple[int, ...], ...]


def measure_spread(records: Mapping[str, Sequence[Spectrum]]) -> Spread:
    """The spread of records of one mineral, pooled over the minerals that have several.

    Records that do not reach over SPREAD_GRID_UM are left out; deleted channels are bridged.
    Raises InputError where no mineral has two records left.
    """
    deviations, free = [], 0
    for spectra in records.values():
        rows = [row for row in map(_on_grid, spectra) if row is not None]
        if len(rows) > 1:
            shapes = _shapes(np.array(rows))
            deviations.append(shapes - shapes.mean(axis=0))
            free += len(rows) - 1
    if not deviations:
        raise InputError("no mineral has two records over 0.38-2.49 µm; give a larger library")
    _, strength, directions = np.linalg.svd(np.concatenate(deviations), full_matrices=False)
    patterns = (strength[:, None] * directions)[:PATTERNS] / np.sqrt(free)
    # A singular vector is known but for its sign.
    highest = np.abs(patterns).argmax(axis=1)
    patterns *= np.sign(patterns[np.arange(len(patterns)), highest])[:, None]
    return Spread(SPREAD_GRID_UM, patterns)


def separate(references: References, spread: Spread) -> Separability:
    """How far the minerals of `references` (one or more records each) are apart at their bands.

    Minerals are one where each two of them are closer than LEAST_SEPARATION. Their spread is that
    of their own records, and `spread` counted as SPREAD_COUNTS_AS records more, so that a library
    of one record each has one too.
    """
    names = tuple(dict.fromkeys(references.names))
    shapes = _shapes(references.reflectance)
    own = [np.array(references.names) == name for name in names]
    means = np.array([shapes[rows].mean(axis=0) for rows in own])
    level = np.array([_floored(references.reflectance[rows]).mean(axis=0) for rows in own])
    scatter = np.concatenate(
        [shapes[rows] - mean for rows, mean in zip(own, means, strict=True)]
        + [np.sqrt(SPREAD_COUNTS_AS) * _at_bands(spread, references)]
    )
    factors = scatter / np.sqrt(len(shapes) - len(names) + SPREAD_COUNTS_AS)
    count = len(names)
    separation = np.zeros((count, count))
    for one in range(count):
        for other in range(one):
            noise = NOISE**2 * (1 / level[one] ** 2 + 1 / level[other] ** 2) / 2
            distance = _mahalanobis(means[one] - means[other], factors, noise)
            separation[one, other] = separation[other, one] = distance
    return Separability(
        names, shapes.shape[1], separation, _angles(means - means.mean(axis=0)), _groups(separation)
    )


def _on_grid(spectrum: Spectrum) -> np.ndarray | None:
    valid = np.isfinite(spectrum.reflectance)
    wavelength = spectrum.wavelength_um[valid]
    if wavelength[0] > SPREAD_GRID_UM[0] or wavelength[-1] < SPREAD_GRID_UM[-1]:
        return None
    return np.interp(SPREAD_GRID_UM, wavelength, spectrum.reflectance[valid])


def _floored(reflectance: np.ndarray) -> np.ndarray:
    return np.maximum(reflectance, NOISE)


def _shapes(reflectance: np.ndarray) -> np.ndarray:
    """Logarithms (n, bands) of reflectance without their mean over the bands."""
    logarithm = np.log(_floored(reflectance))
    return logarithm - logarithm.mean(axis=1, keepdims=True)


def _at_bands(spread: Spread, references: References) -> np.ndarray:
    """Patterns (P, bands) as Gaussian bands see them, without their mean over the bands."""
    step = float(np.diff(spread.wavelength_um).max())
    sigma = np.maximum(references.fwhm_um, step) / (2 * np.sqrt(2 * np.log(2)))
    # Beyond the ends of the patterns, their last channels stand for a band.
    centre = np.clip(references.wavelength_um, spread.wavelength_um[0], spread.wavelength_um[-1])
    away = (spread.wavelength_um - centre[:, None]) / sigma[:, None]
    weight = np.exp(-0.5 * away**2)
    seen = spread.patterns @ (weight / weight.sum(axis=1, keepdims=True)).T
    return seen - seen.mean(axis=1, keepdims=True)


def _mahalanobis(difference: np.ndarray, factors: np.ndarray, noise: np.ndarray) -> float:
    """Length of `difference` (bands,) in units of factorsᵀ · factors + diag(noise)."""
    # Woodbury's identity: there are far fewer factors than a spectrometer has bands.
    scaled = factors / noise
    inner = np.eye(len(factors)) + scaled @ factors.T
    projected = scaled @ difference
    squared = difference @ (difference / noise) - projected @ np.linalg.solve(inner, projected)
    return float(np.sqrt(max(squared, 0.0)))


def _angles(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1)
    length[length == 0] = 1.0
    cosine = (vectors / length[:, None]) @ (vectors / length[:, None]).T
    angles = np.arccos(np.clip(cosine, -1, 1))
    np.fill_diagonal(angles, 0.0)
    return angles


def _groups(separation: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """Groups whose members are all closer than LEAST_SEPARATION, the closest joined first."""
    groups = [(place,) for place in range(len(separation))]
    while len(groups) > 1:
        pairs = [
            (separation[np.ix_(one, other)].max(), one, other)
            for index, one in enumerate(groups)
            for other in groups[index + 1 :]
        ]
        widest, one, other = min(pairs)
        if widest >= LEAST_SEPARATION:
            break
        groups = sorted([tuple(sorted(one + other)), *(g for g in groups if g not in (one, other))])
    return tuple(groups)


def separable_rows(found: Separability) -> list[dict[str, object]]:
    """Rows of the table (COLUMNS): a mineral, those it is one with, the nearest other, a line."""
    rows = []
    for group in found.groups:
        for place in group:
            others = [found.names[member] for member in group if member != place]
            row: dict[str, object] = {"mineral": found.names[place], "bands": found.bands}
            row["one_with"] = "; ".join(others)
            if len(found.names) > 1:
                apart = found.separation[place].copy()
                apart[place] = np.inf
                nearest = int(apart.argmin())
                row["nearest"] = found.names[nearest]
                row["separation"] = f"{apart[nearest]:.3f}"
                row["angle_rad"] = f"{found.angle_rad[place, nearest]:.4f}"
            row["note"] = (
                f"with these {found.bands} bands one with {' and '.join(others)}"
                if others
                else f"these {found.bands} bands tell it from the other minerals"
            )
            rows.append((place, {column: row.get(column, "") for column in COLUMNS}))
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])]


def write_spread(path: str | Path, spread: Spread) -> None:
    """Write a spread: `wavelength_um`, then a column per pattern."""
    lines = [["wavelength_um", *(f"pattern{n}" for n in range(1, len(spread.patterns) + 1))]]
    for wavelength, values in zip(spread.wavelength_um, spread.patterns.T, strict=True):
        lines.append([f"{wavelength:.3f}", *(f"{value:.5f}" for value in values)])
    write_text(path, "\n".join(",".join(line) for line in lines) + "\n")


def read_spread(path: str | Path) -> Spread:
    """Read what `write_spread` wrote. InputError names the file and the fault."""
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            header, *rows = list(csv.reader(stream))
        table = np.array(rows, dtype=np.float64)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; check the path") from error
    except (csv.Error, ValueError):
        header, table = [], np.empty((0, 0))
    if header[:1] != ["wavelength_um"] or table.ndim != 2 or min(table.shape) < 2:
        raise InputError(f"{path}: not a table of spread; make it with measure_spread.py")
    if not np.isfinite(table).all() or not (np.diff(table[:, 0]) > 0).all():
        raise InputError(f"{path}: wavelengths must ascend, and all be numbers; make it again")
    return Spread(table[:, 0], table[:, 1:].T)
