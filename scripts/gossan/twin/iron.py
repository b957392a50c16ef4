"""The simulated ground of an iron district: itabirite ridges, hematite bodies, two mines, cover.

Belts of itabirite (banded iron formation) run along the strike between quartzite and schist, on a
basement of gneiss; bodies of high-grade hematite lie in them, where the silica has been leached
(Rosière et al. 2008, Reviews in Economic Geology 15, 223). Two pits are open, one on hematite and
one on itabirite; the other bodies crop out in part. Ferricrete (canga), red soil and ore dust look
like ore and are none. Proportions and recipes are ours. As for the porphyry ground, everything is
a function of the coordinates and the seed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from rasterio.windows import Window
from scipy.special import ndtr

from gossan.library.spectrum import Spectrum
from gossan.twin.noise import field_key, fractal_noise, white_noise
from gossan.twin.optics import find_spectra, mix_spectra
from gossan.twin.terrain import (
    Sky,
    Terrain,
    Variability,
    cell_centres,
    ellipse_radius,
    mean_of_cells,
    place_in,
    smooth_step,
    window_chunks,
    wrapped,
)

# Side of one district; only the middle one of a larger ground has mines.
DISTRICT_M = 7_680.0
_DISTRICT_KM = DISTRICT_M / 1000.0
# Side of the cell inside which the ground is uniform, and how many are worked on at once.
CELL_M = 5.0
_CHUNK_CELLS = 1 << 16
BASE_ELEVATION_M = 880.0
_RELIEF_M = 320.0

# Weights of the library's spectra in the intimate mixture that each material is.
RECIPES: dict[str, dict[str, float]] = {
    "hematite_ore": {"hematite": 0.58, "magnetite": 0.36, "goethite": 0.06},
    "itabirite": {"quartz": 0.44, "hematite": 0.26, "magnetite": 0.22, "goethite": 0.08},
    "canga": {"goethite": 0.5, "hematite": 0.28, "kaolinite": 0.14, "magnetite": 0.08},
    "latosol": {"soil": 0.62, "hematite": 0.14, "goethite": 0.14, "kaolinite": 0.1},
    "dust": {"hematite": 0.6, "goethite": 0.2, "kaolinite": 0.12, "magnetite": 0.08},
    "waste": {
        "quartz": 0.3,
        "muscovite": 0.2,
        "hematite": 0.2,
        "goethite": 0.15,
        "chlorite": 0.1,
        "magnetite": 0.05,
    },
    "soil": {"soil": 1.0},
    "sand": {"quartz": 0.75, "soil": 0.25},
    "quartzite": {"quartz": 0.88, "muscovite": 0.08, "goethite": 0.04},
    "schist": {
        "muscovite": 0.35,
        "quartz": 0.25,
        "chlorite": 0.18,
        "biotite": 0.18,
        "hematite": 0.04,
    },
    "gneiss": {"feldspar": 0.5, "quartz": 0.25, "biotite": 0.25},
    "green_vegetation": {"green_vegetation": 1.0},
    "dry_vegetation": {"dry_vegetation": 1.0},
    "water": {"water": 1.0},
}
CONSTITUENTS = tuple(RECIPES)
ORES = ("hematite_ore", "itabirite")
_PLANTS = ("green_vegetation", "dry_vegetation")
MINERALS_OF_MINES = ("hematite", "itabirite")
# Units of the geological map, and whether they host iron.
UNITS: dict[str, bool] = {
    "gneiss": False,
    "schist": False,
    "quartzite": False,
    "iron formation": True,
    "laterite cover": False,
}

# Middle of the two belts across the strike (km), and half the width of itabirite and of its unit.
_BELTS_KM = (-1.25, 1.35)
_BELT_HALF_KM, _UNIT_HALF_KM = 0.13, 0.36
# Bodies of hematite: belt, place along the strike, half axes across and along (km).
_BODIES = (
    (0, -0.7, 0.16, 0.46),
    (0, 1.75, 0.11, 0.34),
    (0, -3.05, 0.1, 0.28),
    (1, -2.2, 0.11, 0.3),
    (1, 2.65, 0.09, 0.22),
)
# Pits: belt, place, half axes across and along (km), in the order of MINERALS_OF_MINES.
_PITS = ((0, -0.7, 0.2, 0.5), (1, 0.75, 0.2, 0.46))
# Waste dumps beside them: place (km) and half axes.
_DUMPS = ((-0.72, -0.55, 0.14, 0.34), (1.86, 0.95, 0.14, 0.3))
# A summit that draws a cap cloud on every day, far from the pits: place (km), radius (km).
_SUMMIT = (2.6, -2.5, 0.3)
_POND = (0.35, -2.3, 0.12, 0.3)
# Standard deviations at difficulty 1 of ln(depth), ln(brightness) and tilt: the knobs of the
# calibration (benchmarks/calibrate_iron.py).
_DEPTH_STD = 0.3
_BRIGHTNESS_STD = 0.28
_TILT_STD = 0.1
_SHARPNESS = 2.4
# Share of a pixel's area from which it counts as ore, and of plants as vegetation or as mixed.
ORE_SHARE = 0.4
VEGETATION_SHARE, MIXED_SHARE = 0.6, 0.3
# Shares of ore from which its grade at the surface is low, moderate, high.
GRADES = (("low", 0.2), ("moderate", 0.4), ("high", 0.6))
COVER_CLASSES = ("ore", "soil", "vegetation", "mixed")
IRON_CLASSES = (
    *(f"{mineral}-{grade}" for mineral in MINERALS_OF_MINES for grade, _ in GRADES),
    "negative",
)


@dataclass(frozen=True)
class _Plan:
    """The rocks at some points: shares and distances; all arrays of one shape.

    belt: share of itabirite; body: share of hematite; units: place in UNITS of the true unit;
    plateau: reach of the laterite; pits: radius in units of each pit's outline; u, v: unbroken
    coordinates in the district.
    """

    belt: np.ndarray
    body: np.ndarray
    units: np.ndarray
    plateau: np.ndarray
    pits: tuple[np.ndarray, np.ndarray]
    dump: np.ndarray
    u: np.ndarray
    v: np.ndarray


def mix_materials(library: Sequence[Spectrum]) -> list[Spectrum]:
    """Spectra of CONSTITUENTS, mixed intimately from the library's minerals and covers.

    Raises InputError when the library lacks a spectrum, or two of a recipe have no wavelengths in
    common.
    """
    # All that is missing is told at once.
    find_spectra(library, sorted({name for recipe in RECIPES.values() for name in recipe}))
    return [mix_spectra(library, material, recipe) for material, recipe in RECIPES.items()]


class IronGround(Terrain):
    """The iron district of one seed.

    Grounds smaller than the district are miniatures of it, with both mines; in larger ones the
    district lies in the middle and its belts go on around it, with new outlines and without mines.
    """

    constituents = CONSTITUENTS
    district_m = DISTRICT_M
    relief_m = _RELIEF_M

    def materials(self, library: Sequence[Spectrum]) -> list[Spectrum]:
        """Spectra of `constituents`, see `mix_materials`."""
        return mix_materials(library)

    # ---- rocks ---------------------------------------------------------------------------

    def _frame(self, x_m: np.ndarray, y_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # The middle of the ground, not of its first district, is the origin.
        width, height = self.extent_m
        half = self.district_m * self._scale / 2
        x_m, y_m = np.asarray(x_m, np.float64), np.asarray(y_m, np.float64)
        return super()._frame(x_m - width / 2 + half, y_m - height / 2 + half)

    def _plan(self, s: np.ndarray, t: np.ndarray) -> _Plan:
        """Rocks at the points s, t: belts folded, then broken by a fault across the strike."""
        trace = t - 0.25 * s - 0.45 + 0.08 * self._noise("fault trace", s, t, 1.5, 3)
        s0 = s + 0.16 * (2 * smooth_step(trace, 0.03) - 1)
        plan_s = s0 + 0.28 * self._noise("fold s", s0, t, 3.4, 2)
        plan_t = t + 0.15 * self._noise("fold t", s0, t, 3.4, 2)
        ragged = self._noise("outline", s0, t, 0.45, 4)
        u, v = wrapped(plan_s, _DISTRICT_KM), wrapped(plan_t, _DISTRICT_KM)
        across = np.minimum(np.abs(u - _BELTS_KM[0]), np.abs(u - _BELTS_KM[1]))
        pinch = np.exp(0.4 * self._noise("belt width", plan_s, plan_t, 1.8, 2))
        belt = smooth_step(_BELT_HALF_KM * pinch - across + 0.035 * ragged, 0.025)
        body = np.zeros_like(u)
        for place, along, half_across, half_along in _BODIES:
            radius = ellipse_radius(u, v, _BELTS_KM[place], along, half_across, half_along)
            body = np.maximum(body, smooth_step(1.0 - radius + 0.2 * ragged, 0.12))
        contact = 0.07 * self._noise("contacts", plan_s, plan_t, 1.2, 3)
        units = np.full(u.shape, 1, np.uint8)
        units[(u + contact < -2.75) | (u + contact > 3.05)] = 0
        for middle in _BELTS_KM:
            offset = u - middle + contact
            units[(offset > 0) & (offset < 0.85)] = 2
        units[across + contact < _UNIT_HALF_KM] = 3
        plateau = smooth_step(
            self._noise("plateaus", s, t, 1.7, 4) + 0.5 * np.exp(-((across / 0.6) ** 2)) - 0.95, 0.2
        )
        units[plateau > 0.5] = np.where(across < 0.2, 3, 4)[plateau > 0.5]
        # Men dig in the middle district alone.
        outside = np.maximum(np.abs(plan_s), np.abs(plan_t)) > _DISTRICT_KM / 2
        far = np.where(outside, 1e3, 0.0)
        wall = 0.05 * self._noise("pit walls", s0, t, 0.3, 3)
        pits = tuple(
            ellipse_radius(u, v, _BELTS_KM[place], along, half_across, half_along) + wall + far
            for place, along, half_across, half_along in _PITS
        )
        dump = np.zeros_like(u)
        for u0, v0, half_across, half_along in _DUMPS:
            radius = ellipse_radius(u, v, u0, v0, half_across, half_along) + far
            dump = np.maximum(dump, smooth_step(1.0 - radius + 2 * wall, 0.1))
        return _Plan(belt * (1 - body), body, units, plateau, pits, dump, u, v)

    def mine(self, x_m: np.ndarray, y_m: np.ndarray) -> np.ndarray:
        """Place (from 1) in MINERALS_OF_MINES of the pit at each point, 0 outside; uint8."""
        plan = self._plan(*self._frame(x_m, y_m))
        first, second = plan.pits
        return np.where(first < 1, 1, np.where(second < 1, 2, 0)).astype(np.uint8)

    def bedrock(self, x_m: np.ndarray, y_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Shares of hematite and of itabirite in the rock at each point, whatever covers it."""
        plan = self._plan(*self._frame(x_m, y_m))
        return plan.body, plan.belt

    def shares_at(self, x_m: np.ndarray, y_m: np.ndarray) -> dict[str, np.ndarray]:
        """Share of each of CONSTITUENTS at single points, which are cells on their own."""
        return dict(zip(CONSTITUENTS, self._cells(*self._frame(x_m, y_m)), strict=True))

    def map_units(self, x_m: np.ndarray, y_m: np.ndarray) -> np.ndarray:
        """Place in UNITS of each point as a geological map has it; uint8.

        The mapped contacts lie off the true ones by some 60 m (standard deviation), as those of
        maps at 1:100 000 do. It does not depend on the difficulty.
        """
        reach = 60.0 * self._scale
        s, t = self._frame(x_m, y_m)
        east = reach * self._noise("survey east", s, t, 0.9, 2)
        north = reach * self._noise("survey north", s, t, 0.9, 2)
        return self._plan(*self._frame(x_m + east, y_m + north)).units

    def anomaly(self, x_m: np.ndarray, y_m: np.ndarray) -> np.ndarray:
        """Magnetic anomaly in nT as an airborne survey would grid it, float32.

        Magnetite makes the belts high and its loss makes the hematite bodies low; both are smoothed
        by the height of flight. Buried iron formation, mafic dykes and the deep basement have
        anomalies of the same size where no ore crops out.
        """
        s, t = self._frame(x_m, y_m)
        # A smoother plan than the outcrop's: the source lies deep, the line is far.
        plan_s = s + 0.28 * self._noise("fold s", s, t, 3.4, 1)
        u, v = wrapped(plan_s, _DISTRICT_KM), wrapped(t, _DISTRICT_KM)
        strength = np.exp(0.6 * self._noise("magnetite", plan_s, t, 2.2, 2))
        total = 160.0 * self._noise("basement", s, t, 4.5, 3)
        for middle in _BELTS_KM:
            # The dip of the belts puts the anomaly beside the outcrop.
            total += 420.0 * strength * np.exp(-(((u - middle - 0.12) / 0.32) ** 2))
            total -= 130.0 * strength * np.exp(-(((u - middle + 0.5) / 0.4) ** 2))
        for place, along, half_across, half_along in _BODIES:
            radius = ellipse_radius(
                u, v, _BELTS_KM[place] + 0.1, along, half_across + 0.2, half_along + 0.2
            )
            total -= 170.0 * np.exp(-(radius**2))
        buried = self._noise("buried iron formation", s, t, 2.6, 2)
        total += 330.0 * smooth_step(buried - 1.0, 0.6)
        dyke = wrapped(t - 0.55 * s - 1.4 + 0.1 * self._noise("dyke", s, t, 2.0, 2), _DISTRICT_KM)
        total += 240.0 * np.exp(-((dyke / 0.14) ** 2))
        levelling = fractal_noise(
            x_m / 4000.0, y_m / 250.0, field_key(self.seed, "flight lines"), 1.0
        )
        return (total + 12.0 * levelling).astype(np.float32)

    # ---- cover ---------------------------------------------------------------------------

    def _cells(self, s: np.ndarray, t: np.ndarray, crowns: np.ndarray | None = None) -> np.ndarray:
        """Share of each of CONSTITUENTS in cells, plants all counted as evergreen or deciduous.

        (constituents, points): `green_vegetation` holds the evergreen plants and
        `dry_vegetation` the deciduous ones, which `season` turns to what they show on a date.
        crowns: a uniform random number per cell, which makes its crown evergreen or deciduous;
        without them, cells have the mean of the wood around.
        """
        plan = self._plan(s, t)
        grade = max(self.difficulty, 0.25)
        first, second = plan.pits
        pit = np.maximum(smooth_step(1.0 - first, 0.04), smooth_step(1.0 - second, 0.04))
        # Distance to the nearer pit's edge, nearly (km).
        distance = 0.22 * np.maximum(np.minimum(first, second) - 1.0, 0.0)
        worked = np.maximum(pit, plan.dump)

        ridge = np.maximum.reduce(
            [plan.belt, plan.body, 0.6 * (plan.units == 2), 0.15 * (plan.units == 1)]
        )
        outcrop = smooth_step(
            0.9 * ridge + 0.55 * self._noise("outcrop", s, t, 0.4, 5) - 0.95 * plan.plateau - 0.75,
            0.15 + 0.3 * grade,
        )
        woods = fractal_noise(s, t, self._key("woods"), 0.45, 6, 0.72)
        moist = np.exp(-((self._valley(s, t) / 0.14) ** 2))
        green = 0.46 + 0.27 * woods + 0.3 * moist - 0.12 * outcrop
        # Plants gather in closed or open patches on the easy ground.
        green = 0.5 + (green - 0.5) * (1.0 + 0.8 * max(1.0 - grade, 0.0))
        plants = np.clip(green, 0.02, 0.95) * (1.0 - 0.6 * np.exp(-((distance / 0.02) ** 2)))
        plants *= 1.0 - 0.97 * pit - 0.75 * plan.dump * (1.0 - pit)
        evergreen = np.clip(
            0.42 + 0.3 * self._noise("evergreen", s, t, 0.6, 4) + 0.6 * moist, 0.03, 0.97
        )
        if crowns is not None:
            evergreen += min(self.difficulty, 1.0) * ((crowns < evergreen) - evergreen)

        rock = {
            "hematite_ore": plan.body,
            "itabirite": plan.belt,
            "quartzite": (1 - plan.body - plan.belt) * (plan.units == 2),
            "gneiss": (1 - plan.body - plan.belt) * (plan.units == 0),
        }
        rock["schist"] = 1.0 - sum(rock.values())
        near_iron = np.maximum(plan.belt, plan.body)
        apron = np.exp(
            -((np.minimum(np.abs(plan.u - _BELTS_KM[0]), np.abs(plan.u - _BELTS_KM[1])) / 0.5) ** 2)
        )
        loose = {
            "canga": (0.06 + 1.6 * plan.plateau + 0.9 * near_iron)
            * np.exp(0.9 * self._noise("canga", s, t, 0.5, 4)),
            "latosol": (0.45 + 0.9 * apron + 0.6 * plan.plateau)
            * np.exp(0.8 * self._noise("latosol", s, t, 0.8, 4)),
            "soil": 0.85 * np.exp(0.8 * self._noise("soil", s, t, 0.8, 4)),
            "sand": (0.12 + 0.8 * (plan.units == 2) + 0.3 * moist)
            * np.exp(0.8 * self._noise("sand", s, t, 0.6, 4)),
        }
        power = _SHARPNESS / grade
        loose = {name: weight**power for name, weight in loose.items()}
        total = sum(loose.values())
        natural = {name: (1 - outcrop) * weight / total for name, weight in loose.items()}
        for name, share in rock.items():
            natural[name] = outcrop * share

        # Benches show ore and the rock around it; between them lie waste and haul roads.
        bench = smooth_step(self._noise("benches", s, t, 0.16, 4) + 1.0, 0.3 + 0.3 * grade)
        dug = {
            "hematite_ore": bench * plan.body,
            "itabirite": bench * plan.belt,
            "latosol": (1 - bench) * 0.25,
            "schist": bench * (1 - plan.body - plan.belt),
        }
        dug["waste"] = 1.0 - sum(dug.values())
        heap = {"waste": 0.8 - 0.2 * bench, "latosol": 0.2, "itabirite": 0.2 * bench}

        bare = 1.0 - plants
        dust = 0.3 * min(grade, 1.5) * np.exp(-distance / 0.07) * (1 - worked)
        out = np.zeros((len(CONSTITUENTS), *s.shape))
        for index, name in enumerate(CONSTITUENTS):
            share = natural.get(name, 0.0) * (1 - worked)
            share = share + dug.get(name, 0.0) * pit
            share = share + heap.get(name, 0.0) * (worked - pit)
            out[index] = bare * share * (1 - dust)
        out[CONSTITUENTS.index("dust")] = bare * dust
        out[CONSTITUENTS.index("green_vegetation")] = plants * evergreen
        out[CONSTITUENTS.index("dry_vegetation")] = plants * (1 - evergreen)
        pond = smooth_step(1.0 - ellipse_radius(plan.u, plan.v, *_POND) + 0.1 * woods, 0.05)
        out *= 1 - pond
        out[CONSTITUENTS.index("water")] = pond
        return out.astype(np.float32)

    def _valley(self, s: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Distance to the nearest stream in kilometres, nearly."""
        run = 0.25 * self._noise("streams", s, t, 1.4, 3)
        along = np.abs(wrapped(s - 0.1 + run, 2.6))
        across = np.abs(wrapped(t + 0.9 + run, 3.4)) + 0.1
        return np.minimum(along, across)

    def abundances(self, window: Window, pixel_m: float) -> np.ndarray:
        """Share of each of CONSTITUENTS in the pixels of `window`; they sum to 1.

        (constituents, rows, columns) float32; a pixel averages the cells of CELL_M in it. Of the
        plants, `green_vegetation` is evergreen and `dry_vegetation` deciduous: see `season`.
        """
        split = max(1, int(np.ceil(pixel_m / CELL_M - 1e-9)))
        out = np.empty((len(CONSTITUENTS), window.height, window.width), np.float32)
        for part in window_chunks(window, max(1, _CHUNK_CELLS // (split * split))):
            x, y = cell_centres(part, pixel_m, split)
            cells = self._cells(*self._frame(x, y), self._crowns(x[0], y[:, 0]))
            out[:, *place_in(part, window)] = mean_of_cells(cells, split)
        return out

    def _crowns(self, x_m: np.ndarray, y_m: np.ndarray) -> np.ndarray:
        """A uniform random number of each cell, (rows, columns): that of the crown at its centre.

        A crown is as large as a cell of CELL_M in these woods; x_m, y_m: centres of the columns
        and of the rows of cells.
        """
        columns, rows = (
            np.floor((place + offset - side / 2) / CELL_M).astype(np.int64)
            for place, offset, side in zip((x_m, y_m), self.offset_m, self.extent_m, strict=True)
        )
        return ndtr(white_noise(columns, rows, self._key("crowns")))

    def leaf(self, moment: datetime) -> float:
        """Most leaves in February, after the rains, fewest in August."""
        season = math.cos(2 * math.pi * (moment.timetuple().tm_yday - 45) / 365)
        return 0.55 + 0.35 * season

    def season(self, abundances: np.ndarray, leaf: float) -> np.ndarray:
        """What `abundances` show on a date when deciduous plants have the share `leaf` of leaves.

        Where leaves have fallen there are twigs and litter, and a third of the ground between; a
        part of every plant is in its own shade, so that shares sum to less than 1.
        """
        shown = abundances.copy()
        green, dry = (CONSTITUENTS.index(name) for name in _PLANTS)
        evergreen, deciduous = abundances[green], abundances[dry]
        shown[green] = 0.82 * evergreen + 0.82 * leaf * deciduous
        shown[dry] = 0.08 * evergreen + (0.08 + 0.57 * (1 - leaf)) * deciduous
        others = [index for index in range(len(abundances)) if index not in (green, dry)]
        ground = abundances[others].sum(axis=0)
        seen = 0.25 * (1 - leaf) * deciduous
        floor = abundances[others] * (seen / np.maximum(ground, 1e-3))
        shown[others] += np.where(ground > 1e-3, floor, 0.0)
        return shown

    def variability(self, window: Window, pixel_m: float) -> Variability:
        """How spectra vary, at the pixels' centres; see Variability; arrays are float32."""
        s, t = self._frame(*cell_centres(window, pixel_m, 1))
        shape = (len(CONSTITUENTS), *s.shape)
        grade = self.difficulty
        depth, brightness, tilt = (np.empty(shape, np.float32) for _ in range(3))
        for index, name in enumerate(CONSTITUENTS):
            grain = self._noise(f"grain of {name}", s, t, 0.7, 4)
            light = fractal_noise(s, t, self._key(f"brightness of {name}"), 0.4, 5, 0.75)
            coating = fractal_noise(s, t, self._key(f"coating of {name}"), 0.7, 5, 0.7)
            depth[index] = np.exp(np.clip(_DEPTH_STD * grade * grain, -0.8, 0.6))
            brightness[index] = np.exp(np.clip(_BRIGHTNESS_STD * grade * light, -0.8, 0.4))
            tilt[index] = np.clip(_TILT_STD * grade * coating, -0.5, 0.5)
        return Variability(depth, brightness, tilt)

    # ---- truth ---------------------------------------------------------------------------

    def cover(self, abundances: np.ndarray, codes: Mapping[str, int]) -> np.ndarray:
        """Cover class of pixels with these shares, (rows, columns) uint8; 0 on open water.

        ore: ORE_SHARE of the area or more; else by the share of plants vegetation, mixed, soil.
        """
        ore = sum(abundances[CONSTITUENTS.index(name)] for name in ORES)
        plants = sum(abundances[CONSTITUENTS.index(name)] for name in _PLANTS)
        out = np.full(ore.shape, codes["soil"], np.uint8)
        out[plants >= MIXED_SHARE] = codes["mixed"]
        out[plants >= VEGETATION_SHARE] = codes["vegetation"]
        out[ore >= ORE_SHARE] = codes["ore"]
        out[abundances[CONSTITUENTS.index("water")] > 0.5] = 0
        return out

    def grade(self, abundances: np.ndarray, codes: Mapping[str, int]) -> np.ndarray:
        """Iron class of pixels with these shares, (rows, columns) uint8.

        The kind is that of the larger share; both together make the grade (GRADES), and below its
        lowest the class is negative.
        """
        hematite, itabirite = (abundances[CONSTITUENTS.index(name)] for name in ORES)
        total = hematite + itabirite
        out = np.full(total.shape, codes["negative"], np.uint8)
        for name, least in GRADES:
            for kind, richer in (
                ("hematite", hematite >= itabirite),
                ("itabirite", hematite < itabirite),
            ):
                out[(total >= least) & richer] = codes[f"{kind}-{name}"]
        return out

    # ---- relief and sky ------------------------------------------------------------------

    def heights(self, x_m: np.ndarray, y_m: np.ndarray) -> np.ndarray:
        """Height above sea level in metres at each point, float64."""
        s, t = self._frame(x_m, y_m)
        plan_s = s + 0.28 * self._noise("fold s", s, t, 3.4, 2)
        u, v = wrapped(plan_s, _DISTRICT_KM), wrapped(t, _DISTRICT_KM)
        crest = 0.75 + 0.3 * self._noise("crest", plan_s, t, 1.6, 3)
        height = 0.0
        # Quartzite makes the higher ridge beside the belt; a ridge without iron stands in the west.
        for middle, rise in (*((m + 0.3, 0.15) for m in _BELTS_KM), (-2.9, 0.11), (3.5, 0.12)):
            off = wrapped(u - middle, _DISTRICT_KM)
            height = height + rise * crest * np.exp(-((off / 0.4) ** 2))
        height = height + 0.05 * smooth_step(self._noise("plateaus", s, t, 1.7, 2) - 0.6, 0.5)
        height = height + 0.1 * np.exp(-(ellipse_radius(s, t, *_SUMMIT[:2], 0.35, 0.35) ** 2))
        valley = np.exp(-((self._valley(s, t) / 0.3) ** 2))
        height = height * (1 - 0.5 * valley) - 0.02 * valley
        height = height + 0.012 * self._noise("rills", s, t, 0.5, 4)
        for place, along, half_across, half_along in _PITS:
            radius = ellipse_radius(u, v, _BELTS_KM[place], along, half_across, half_along)
            height = height - 0.04 * smooth_step(1.0 - radius, 0.5)
        return BASE_ELEVATION_M + 1000.0 * self._scale * height

    def _elevation(self, window: Window, pixel_m: float) -> np.ndarray:
        return self.heights(*cell_centres(window, pixel_m, 1))

    def clouds(
        self,
        window: Window,
        pixel_m: float,
        sun_elevation_deg: float,
        sun_azimuth_deg: float,
        overpass: int = 0,
    ) -> Sky:
        """Clouds of one overpass as over every ground, and a cap cloud on the summit every day."""
        sky = super().clouds(window, pixel_m, sun_elevation_deg, sun_azimuth_deg, overpass)
        if self.difficulty == 0:
            return sky
        s, t = self._frame(*cell_centres(window, pixel_m, 1))
        east, north, radius = _SUMMIT
        fringe = 0.25 * self._noise(f"cap cloud {overpass}", s, t, 0.3, 3)
        cap = 4.0 * smooth_step(1.0 - np.hypot(s - east, t - north) / radius + fringe, 0.3)
        return Sky(np.maximum(sky.cloud, cap.astype(np.float32)), sky.shadow, sky.cirrus, sky.haze)

    def _cloud_threshold(self, overpass: int) -> float:
        # Some days are clear, others broken.
        luck = float(np.random.default_rng([self.seed & 0xFFFFFFFF, overpass]).random())
        return super()._cloud_threshold(overpass) - 1.3 * luck * min(self.difficulty, 1.0)
