"""Quick atmospheric correction (QUAC): from the scene's own dark pixels and end-members.

Source: Bernstein, Jin, Gregor and Adler-Golden 2012, Quick atmospheric correction code: algorithm
description and recent upgrades, Optical Engineering 51(11), 111719. The published method rests on
two observations: a scene has pixels dark enough to show the baseline that the air adds to each
band, and the mean reflectance of a set of diverse materials hardly differs between scenes. The
software of that name is proprietary; how its end-members are found is replaced here by a search
that needs one pass and gives the same answer for every division into blocks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from gossan.cube.corrections import Correction, Scene, Survey, as_column, by_band
from gossan.cube.dark_objects import LEVEL_STEP, count_levels, find_dark_objects
from gossan.errors import InputError
from gossan.exact import exact_sums, to_means
from gossan.transforms.vegetation import GREEN_UM, NEAR_INFRARED_UM, RED_UM, find_band_within

# Materials whose mean reflectance stands for that of a diverse scene: rock-forming, alteration
# and iron minerals, dark ones among them, soil and dry plants.
MATERIALS = (
    "actinolite",
    "biotite",
    "calcite",
    "chlorite",
    "dry_vegetation",
    "epidote",
    "feldspar",
    "goethite",
    "hematite",
    "illite",
    "jarosite",
    "kaolinite",
    "magnetite",
    "montmorillonite",
    "muscovite",
    "pyrite",
    "quartz",
    "soil",
)
MIN_MATERIALS = 8
MIN_BANDS = 3
MIN_END_MEMBERS = 3
MAX_END_MEMBERS = 24
# Spectra closer than this to one already chosen are the same material, or noise.
MIN_ANGLE_RAD = 0.05
# Below this share of the scene's mean brightness, shape is mostly noise: shadow and deep water.
DARK_BRIGHTNESS = 1 / 3
VEGETATION_NDVI = 0.3
WATER_NDWI = 0.0
MAX_GROUPS = 9


def correct_quac(scene: Scene, survey: Survey) -> Correction:
    """Subtract the dark baseline of each band, then scale it by library over scene end-members.

        ρ(p, b) = (L(p, b) − dark(b)) · mean_m R(m, b) / mean_e (L(e, b) − dark(b))

    with the dark objects of `find_dark_objects`, materials m of MATERIALS in `scene.library`, and
    end-members e of `find_extremes` and `choose_end_members`. Two passes. Raises InputError when
    there are fewer than three bands or distinct spectra, when a band has nothing above its
    baseline, and when the library lacks the materials at these bands.
    """
    names = scene.bands.names
    if len(names) < MIN_BANDS:
        raise InputError(f"quac: needs at least {MIN_BANDS} bands, not {', '.join(names)}")
    materials, library_mean = mean_reflectance(scene)

    def collect_levels(values: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        valid = values[:, kept]
        return count_levels(values), np.append(exact_sums(valid, names), valid.shape[1])

    def merge_levels(one: tuple, other: tuple) -> tuple[np.ndarray, np.ndarray]:
        return one[0] + other[0], one[1] + other[1]

    levels, (*sums, count) = survey(collect_levels, merge_levels)
    dark = find_dark_objects(levels)
    above = to_means(sums, count) - dark
    _require_contrast(names, above, "its mean")
    search = _Search(scene, as_column(dark), as_column(above))
    extremes = survey(partial(find_extremes, search), merge_extremes)
    chosen = choose_end_members(extremes, above)
    if len(chosen) < MIN_END_MEMBERS:
        raise InputError(
            f"quac: the scene shows {len(chosen)} distinct spectra without vegetation, water and "
            f"shadow, and needs at least {MIN_END_MEMBERS}; take a larger part of the scene or "
            "another method"
        )
    scene_mean = chosen.mean(axis=0)
    _require_contrast(names, scene_mean, "the mean of its end-members")
    gain = library_mean / scene_mean
    offset, factor = as_column(dark), as_column(gain)
    return Correction(
        "quac",
        lambda values: (values - offset) * factor,
        {
            "baseline": by_band(scene.bands, dark),
            "gain": by_band(scene.bands, gain),
            "end_members": len(chosen),
            "end_member_mean": by_band(scene.bands, scene_mean),
            "library_mean": by_band(scene.bands, library_mean),
            "materials": materials,
            "cells": extremes.cells,
            "vegetation_told_apart": search.vegetation_bands is not None,
            "water_told_apart": search.water_bands is not None,
        },
    )


def _require_contrast(names: Sequence[str], above: np.ndarray, what: str) -> None:
    """Raise InputError, naming the band, where `what` is less than a level above the baseline."""
    for name, excess in zip(names, above, strict=True):
        if excess < LEVEL_STEP:
            raise InputError(
                f"quac: band {name} is constant or nearly so ({what} is {excess:.3g} above its "
                "dark baseline); leave the band or the method before quac out"
            )


def mean_reflectance(scene: Scene) -> tuple[list[str], np.ndarray]:
    """MATERIALS that the library has at all bands, and their mean reflectance (bands,).

    Raises InputError when fewer than MIN_MATERIALS remain.
    """
    # Response tables bring pandas, which only this method needs.
    from gossan.library.resample import resample_spectrum

    wanted = [spectrum for spectrum in scene.library if spectrum.name in MATERIALS]
    spectra = {
        spectrum.name: resample_spectrum(spectrum, scene.bands, scene.sensor) for spectrum in wanted
    }
    found = {name: values for name, values in spectra.items() if np.isfinite(values).all()}
    if len(found) < MIN_MATERIALS:
        raise InputError(
            f"quac: the library has {len(found)} of its materials at these bands, and needs at "
            f"least {MIN_MATERIALS} of: {', '.join(MATERIALS)}; name the analytic library"
        )
    return sorted(found), np.mean([found[name] for name in sorted(found)], axis=0)


class _Search:
    """What the search for extremes knows of the scene and its bands."""

    def __init__(self, scene: Scene, dark: np.ndarray, above: np.ndarray):
        self.dark, self.above = dark, above
        green, red, infrared = (
            find_band_within(scene.bands, limits) for limits in (GREEN_UM, RED_UM, NEAR_INFRARED_UM)
        )
        self.vegetation_bands = None if red is None or infrared is None else (infrared, red)
        self.relative = scene.relative
        # In ratios to the scene's mean half of all ground is greener than it is infrared.
        known = green is not None and infrared is not None and not scene.relative
        self.water_bands = (green, infrared) if known else None
        order = np.argsort(scene.bands.centre_um, kind="stable")
        self.groups = np.array_split(order, min(MAX_GROUPS, len(order)))


@dataclass(frozen=True)
class Extremes:
    """The most extreme spectrum in each direction: `scores` (k,), `spectra` (k, bands) float32.

    Scores are -inf where nothing was found yet. `cells` counts the cells that were looked at and
    those left out, by reason.
    """

    scores: np.ndarray
    spectra: np.ndarray
    cells: dict[str, int]


def find_extremes(search: _Search, values: np.ndarray, kept: np.ndarray) -> Extremes:
    """The spectra of a block that lie farthest out in shape, above the dark baseline.

    Cells of 2 x 2 pixels are averaged, which halves the noise and dilutes a single bad pixel.
    Shapes are spectra over the scene's mean spectrum and over their own brightness, so that no
    gain of band or pixel plays a part. Directions are the difference of any two bands (groups of
    neighbouring bands where there are more than nine) and each band up and down: the corners of
    the cloud of shapes. Blocks must begin at even rows and columns.
    """
    raw, whole = _average_cells(values), _average_cells(kept[np.newaxis])[0] == 1.0
    whole &= np.isfinite(raw).all(axis=0)
    raw = raw[:, whole]
    spectra = raw - search.dark[..., 0]
    flat = spectra / search.above[..., 0]
    brightness = flat.mean(axis=0)
    excluded = {"dark": brightness < DARK_BRIGHTNESS}
    # Haze hides the contrast of red and infrared; ratios around 1 have none below their baseline.
    clear = raw if search.relative else spectra
    if search.vegetation_bands is not None:
        excluded["vegetation"] = _normalised_difference(clear, search.vegetation_bands) > (
            VEGETATION_NDVI
        )
    if search.water_bands is not None:
        excluded["water"] = (_normalised_difference(clear, search.water_bands) > WATER_NDWI) & (
            brightness < 1
        )
    out = np.any(list(excluded.values()), axis=0)
    cells = {"total": int(whole.sum())}
    cells |= {reason: int(found.sum()) for reason, found in excluded.items()}
    spectra, shapes = spectra[:, ~out], flat[:, ~out] / brightness[~out]
    scores, extremes = [], []
    for score in _directions(shapes, search.groups):
        best = np.flatnonzero(score == score.max()) if score.size else []
        scores.append(score[best[0]] if len(best) else -np.inf)
        # Of equal scores the greatest spectrum wins, so that the blocks' order does not matter.
        extremes.append(
            max(map(tuple, spectra[:, best].T)) if len(best) else np.zeros(len(spectra))
        )
    return Extremes(np.array(scores, np.float32), np.array(extremes, np.float32), cells)


def _average_cells(values: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels, float32; an odd last row or column is left out."""
    rows, columns = values.shape[1] // 2 * 2, values.shape[2] // 2 * 2
    corners = [values[:, i:rows:2, j:columns:2] for i in (0, 1) for j in (0, 1)]
    return sum(corner.astype(np.float32) for corner in corners) / np.float32(4)


def _normalised_difference(values: np.ndarray, bands: tuple[int, int]) -> np.ndarray:
    """(one − other) / (one + other) of two bands; 0 where the sum is not positive."""
    one, other = values[bands[0]], values[bands[1]]
    total = one + other
    return np.divide(one - other, total, out=np.zeros_like(total), where=total > 0)


def _directions(shapes: np.ndarray, groups: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Scores of all shapes, (n,) float32, in one direction after the other."""
    means = [shapes[group].mean(axis=0) for group in groups]
    for i, one in enumerate(means):
        yield one
        yield -one
        for other in means[:i]:
            contrast = one - other
            yield contrast
            yield -contrast


def merge_extremes(one: Extremes, other: Extremes) -> Extremes:
    """The extremes of two blocks together."""
    ahead = other.scores > one.scores
    for tie in np.flatnonzero((other.scores == one.scores) & np.isfinite(one.scores)):
        ahead[tie] = tuple(other.spectra[tie]) > tuple(one.spectra[tie])
    return Extremes(
        np.where(ahead, other.scores, one.scores),
        np.where(ahead[:, np.newaxis], other.spectra, one.spectra),
        {reason: count + other.cells[reason] for reason, count in one.cells.items()},
    )


def choose_end_members(extremes: Extremes, above: np.ndarray) -> np.ndarray:
    """End-members, (e, bands) float64: the extremes that differ most in spectral angle.

    Angles are those between spectra over the scene's mean spectrum `above`. The first is the one
    farthest from that mean, each next the one farthest from all chosen, until none is farther
    than MIN_ANGLE_RAD or MAX_END_MEMBERS are found.
    """
    spectra = np.unique(extremes.spectra[np.isfinite(extremes.scores)], axis=0).astype(np.float64)
    shapes = spectra / above
    shapes /= np.linalg.norm(shapes, axis=1, keepdims=True)
    mean_shape = np.full(shapes.shape[1:], 1 / np.sqrt(len(above)))
    nearest, chosen = _angles(shapes, mean_shape), []
    while len(chosen) < min(MAX_END_MEMBERS, len(spectra)):
        farthest = int(nearest.argmax())
        if nearest[farthest] <= MIN_ANGLE_RAD:
            break
        angles = _angles(shapes, shapes[farthest])
        nearest = np.minimum(nearest, angles) if chosen else angles
        chosen.append(farthest)
    return spectra[chosen]


def _angles(shapes: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Angles (n,) in radians between unit vectors (n, bands) and one of them."""
    return 2 * np.arcsin(np.clip(np.linalg.norm(shapes - shape, axis=1) / 2, 0, 1))
