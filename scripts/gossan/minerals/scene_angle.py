"""Spectral angles about a scene's mean: what sets a pixel apart from the ground around it.

The angle to the origin compares colours that all of a scene shares: desert pixels lie in a narrow
cone, and differences of minerals inside it are a tenth of its angle to any pure mineral. Here the
mean of the scene is taken off pixels and references alike. Both are logarithms, so that gains of
bands and of pixels (sun, slope, air) drop out as in the log residuals of Green and Craig (1985,
JPL Publication 85-41): x = log ρ − mean over the group's bands, minus the same of the scene.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gossan.errors import InputError
from gossan.legend import NODATA, UNCLASSIFIED

FLOOR = 0.005
"""Reflectance that a darker one counts as: noise has no logarithm."""
SHARE = 0.3
"""Share of a mineral in the mean ground of the scene that its reference is mixed to."""
COMMON = 0.5
"""Share of what the references of a group have in common that is taken off them.

The mean of a scene holds an unknown part of it: desert is coloured by iron, and by clay.
"""
UNIFORM_CONTRAST = 0.01
"""Contrast (RMS, in logarithms) below which a scene is one cover and what its noise says."""
# Pixels compared at once: their angles to all records stay in the cache.
CHUNK = 16384


@dataclass(frozen=True, eq=False)
class SceneMean:
    """What a scene's pixels have in common in the bands of a group.

    `logs` (b,) is the mean of their log reflectance, `contrast` the root mean square of how far
    they lie from it.
    """

    logs: np.ndarray
    contrast: float


def to_logs(reflectance: np.ndarray) -> np.ndarray:
    """Logarithms of (bands, ...) reflectance, FLOOR where it is darker; NaN stays."""
    return np.log(np.maximum(reflectance, FLOOR))


def measure_mean(sample: np.ndarray) -> SceneMean:
    """The mean of a sample of pixels, reflectance (n, bands) without NaN, float64.

    Raises InputError for an empty sample.
    """
    if not len(sample):
        raise InputError("no pixel of the scene has a value in all bands of the group")
    logs = to_logs(sample.astype(np.float64).T)
    mean = logs.mean(axis=1)
    apart = _centred(logs - mean[:, np.newaxis])
    return SceneMean(mean, float(np.sqrt((apart**2).mean())))


def _centred(logs: np.ndarray) -> np.ndarray:
    return logs - logs.mean(axis=0)


def set_apart(block: np.ndarray, mean: SceneMean) -> np.ndarray:
    """How pixels of (bands, ...) reflectance differ from the scene's mean in shape, same shape."""
    column = mean.logs.reshape(-1, *[1] * (block.ndim - 1)).astype(block.dtype)
    return _centred(to_logs(block) - column)


@dataclass(frozen=True, eq=False)
class Directions:
    """Where the records of a group's minerals lie from the scene's mean.

    `unit` (records, bands) of length 1; those of mineral k are rows `starts[k]` to the next;
    `codes` (minerals,) are class codes.
    """

    unit: np.ndarray
    starts: np.ndarray
    codes: np.ndarray


def direct_references(
    records: Mapping[int, np.ndarray], mean: SceneMean, *, common: float = COMMON
) -> Directions:
    """Directions of minerals from the scene's mean.

    `records` gives by class code the mineral's records, reflectance (records, bands). Each is
    mixed into the mean ground by SHARE; of what the minerals have in common, the mean of their
    means, the share `common` is taken off. Raises InputError where a record then coincides with
    the mean.
    """
    ground = np.exp(mean.logs)
    apart = {
        code: set_apart(((1 - SHARE) * ground + SHARE * spectra).T, mean).T
        for code, spectra in records.items()
    }
    shared = common * np.mean([spectra.mean(axis=0) for spectra in apart.values()], axis=0)
    moved = [spectra - shared for spectra in apart.values()]
    vectors = np.concatenate(moved)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (lengths > 1e-6).all():
        raise InputError("a reference is what the scene is on average: its direction is unknown")
    starts = np.cumsum([0, *(len(spectra) for spectra in moved)])[:-1]
    return Directions(vectors / lengths, starts, np.array(list(records), np.uint8))


def map_scene_angles(
    block: np.ndarray, mean: SceneMean, directions: Directions, limits: Sequence[float]
) -> tuple[np.ndarray, ...]:
    """Class, angle, margin and contrast of a block of reflectance (bands, rows, columns).

    `limits` (minerals,) are the largest angles in radians. Returns arrays (rows, columns):

    - class, uint8: the mineral whose nearest record has the smallest angle among those within
      their limits; 0 where there is none, 255 for nodata (NaN in any band).
    - angle, float32 radians: to the winner, or to the nearest where the pixel is unclassified.
    - margin, float32 radians: the smallest angle to another mineral minus `angle`; NaN where
      there is only one mineral.
    - contrast, float32: root mean square of the pixel's difference from the scene's mean.
    """
    return map_detector(
        block, mean, lambda pixels: scene_angles(pixels, mean, directions), directions.codes, limits
    )


def scene_angles(pixels: np.ndarray, mean: SceneMean, directions: Directions) -> np.ndarray:
    """Angles (minerals, n) of pixels (bands, n) of reflectance to the nearest record of each."""
    apart = set_apart(pixels, mean)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = directions.unit.astype(pixels.dtype) @ (apart / np.linalg.norm(apart, axis=0))
    return np.arccos(np.clip(np.maximum.reduceat(cosine, directions.starts, axis=0), -1, 1))


def map_detector(
    block: np.ndarray,
    mean: SceneMean,
    distances: Callable[[np.ndarray], np.ndarray],
    codes: np.ndarray,
    limits: Sequence[float],
) -> tuple[np.ndarray, ...]:
    """What `map_scene_angles` returns, of any distances (minerals, n) of pixels (bands, n)."""
    bands, rows, columns = block.shape
    flat = block.reshape(bands, -1)
    result = [np.empty(rows * columns, dtype) for dtype in (np.uint8, "f4", "f4", "f4")]
    for start in range(0, rows * columns, CHUNK):
        pixels = flat[:, start : start + CHUNK]
        chosen = choose_nearest(distances(pixels), codes, limits)
        contrast = np.linalg.norm(set_apart(pixels, mean), axis=0) / np.sqrt(bands)
        for target, values in zip(result, (*chosen, contrast), strict=True):
            target[start : start + CHUNK] = values
    return tuple(values.reshape(rows, columns) for values in result)


def choose_nearest(
    distances: np.ndarray, codes: np.ndarray, limits: Sequence[float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(class, distance, margin), each (n,), of distances (minerals, n); NaN is nodata.

    The nearest mineral within its limit wins, the first of equals.
    """
    nodata = np.isnan(distances).any(axis=0)
    beyond = distances > np.asarray(limits, distances.dtype)[:, np.newaxis]
    allowed = np.where(beyond, np.inf, distances)
    named = ~beyond.all(axis=0)
    winner = np.where(named, allowed.argmin(axis=0), np.nan_to_num(distances).argmin(axis=0))
    pixel = np.arange(distances.shape[1])
    nearest = distances[winner, pixel]
    others = distances.copy()
    others[winner, pixel] = np.inf
    margin = others.min(axis=0) - nearest if len(distances) > 1 else np.full_like(nearest, np.nan)
    classes = np.where(nodata, NODATA, np.where(named, codes[winner], UNCLASSIFIED))
    return classes, np.where(nodata, np.nan, nearest), np.where(nodata, np.nan, margin)


def surety(angle: np.ndarray, contrast: np.ndarray) -> np.ndarray:
    """How much of a pixel's contrast points to its mineral: contrast times the angle's cosine.

    Other distances count as angles, the smaller the surer; those of a matched filter may be below
    0, and nothing is surer than 0.
    """
    return np.cos(np.clip(angle, 0, np.pi)) * contrast
