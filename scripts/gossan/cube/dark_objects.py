"""Dark objects of a scene, and the corrections that subtract them."""

import math

import numpy as np

from gossan.cube.corrections import Correction, Scene, Survey, as_column
from gossan.errors import InputError
from gossan.kernels import kernel

# Levels of reflectance that the dark-object histogram tells apart: the cube's own step, over more
# than the range that a Landsat number can express. What lies outside counts in the end levels.
LEVEL_STEP = 1e-4
LOWEST_LEVEL = -5000
HIGHEST_LEVEL = 20000

DARK_SHARE = 1e-4
DARK_MIN_PIXELS = 10
DARK_REFLECTANCE = 0.01
COST_END_UM = 1.0
DARK_RULE = (
    f"lowest reflectance with at least {DARK_SHARE:.2%} of the scene's pixels, and at least "
    f"{DARK_MIN_PIXELS}, at or below it"
)


def count_levels(reflectance: np.ndarray, kept: np.ndarray | None = None) -> np.ndarray:
    """Histogram of each band in steps of 1e-4, (bands, levels) int64.

    `reflectance` is (bands, rows, columns), NaN where nothing was observed. `kept` is not used:
    shadows, which masks take out, are the very dark objects that are sought, and clouds do not
    reach the dark end.
    """
    return np.stack([_count_levels(values.ravel()) for values in reflectance])


@kernel
def _count_levels(values: np.ndarray) -> np.ndarray:
    counts = np.zeros(HIGHEST_LEVEL - LOWEST_LEVEL + 1, np.int64)
    for value in values:
        if np.isfinite(value):
            level = np.rint(value / np.float32(LEVEL_STEP))
            counts[int(min(max(level, LOWEST_LEVEL), HIGHEST_LEVEL)) - LOWEST_LEVEL] += 1
    return counts


def find_dark_objects(counts: np.ndarray) -> np.ndarray:
    """Reflectance of the dark object of each band, (bands,) float64, from `count_levels`.

    The rule: the lowest reflectance with at least 0.01 % of the scene's pixels, and at least ten,
    at or below it (all of them, in a scene of fewer than ten). A single dead pixel is thus no
    dark object, and a full scene of 40 million pixels has one of 4000. Raises InputError if a
    band has no observed pixel.
    """
    totals = counts.sum(axis=1)
    if not totals.all():
        raise InputError("dark objects: a band has no observed pixel")
    wanted = np.minimum(totals, np.maximum(DARK_MIN_PIXELS, np.ceil(DARK_SHARE * totals)))
    reached = counts.cumsum(axis=1) >= wanted[:, np.newaxis]
    return (reached.argmax(axis=1) + LOWEST_LEVEL) * LEVEL_STEP


def solve_dark_objects(
    method: str, counts: np.ndarray, scene: Scene, transmittance: np.ndarray
) -> Correction:
    """Subtraction of dark objects of 1 % surface reflectance, from `count_levels` of a scene.

    In units of reflectance, with T (bands,) for the transmittance of the sun's way down, 1 for the
    way up and no diffuse light:

        path = dark - 0.01 T;  surface = (top - path) / T

    The path term is held where an atmosphere can put it: not below zero, and not above that of any
    shorter wavelength, because scattering falls with wavelength (Chavez 1988, Remote Sensing of
    Environment 24, 459-479). Without the second bound, ground that has nothing dark in the infrared
    (plants, bright rock) would lose a tenth of its reflectance there.
    """
    dark = find_dark_objects(counts)
    found = np.maximum(0.0, dark - DARK_REFLECTANCE * transmittance)
    order = np.argsort(scene.bands.centre_um, kind="stable")
    path = np.empty_like(found)
    path[order] = np.minimum.accumulate(found[order])
    offset = as_column(path)
    factor = as_column(1.0 / transmittance)

    def apply(reflectance: np.ndarray) -> np.ndarray:
        values = reflectance - offset
        values *= factor
        return values

    def by_band(values: np.ndarray) -> dict[str, float]:
        return {
            band: round(float(value), 6)
            for band, value in zip(scene.bands.names, values, strict=True)
        }

    return Correction(
        method=method,
        apply=apply,
        parameters={
            "dark_object": by_band(dark),
            "path_reflectance": by_band(path),
            "path_held_by_shorter_bands": [
                band for band, held in zip(scene.bands.names, path < found, strict=True) if held
            ],
            **({"transmittance": by_band(transmittance)} if (transmittance < 1).any() else {}),
            "dark_object_rule": DARK_RULE,
            "dark_object_surface_reflectance": DARK_REFLECTANCE,
        },
    )


def solve_dos1(counts: np.ndarray, scene: Scene) -> Correction:
    """Dark-object subtraction alone: T is 1 in all bands (Chavez 1988; DOS1 of Song et al. 2001).

    Reflectance at the top of the atmosphere is divided by the sun's elevation already; nothing else
    is. Song, Woodcock, Seto, Lenney and Macomber 2001, Remote Sensing of Environment 75, 230-244.
    """
    return solve_dark_objects("dos1", counts, scene, np.ones(len(counts)))


def solve_cost(counts: np.ndarray, scene: Scene) -> Correction:
    """Dark-object subtraction with the COST transmittance.

    T is the cosine of the sun's zenith angle in bands up to COST_END_UM, and 1 beyond, where
    scattering takes little (Chavez 1996, Photogrammetric Engineering and Remote Sensing 62,
    1025-1036, who gives it for bands 1-4 of TM and 1 for bands 5 and 7).
    """
    down = math.sin(math.radians(scene.sun_elevation_deg))
    short = np.asarray(scene.bands.centre_um) <= COST_END_UM
    return solve_dark_objects("cost", counts, scene, np.where(short, down, 1.0))


def correct_dos1(scene: Scene, survey: Survey) -> Correction:
    """Dark-object subtraction: one pass for `count_levels`, then `solve_dos1`."""
    return solve_dos1(survey(count_levels, np.add), scene)


def correct_cost(scene: Scene, survey: Survey) -> Correction:
    """The COST model: one pass for `count_levels`, then `solve_cost`."""
    return solve_cost(survey(count_levels, np.add), scene)
