"""The simulated ground of porphyry systems in their host rocks, as functions of the coordinates.

The geometry follows the common models of porphyry copper systems: a potassic core with a mantle
of sericitic (phyllic), argillic and propylitic alteration (Lowell and Guilbert 1970, Economic
Geology 65, 373), an advanced argillic lithocap above and beside it (Sillitoe 2010, Economic
Geology 105, 3), skarn where the intrusion meets carbonate rocks, a leached cap of jarosite,
goethite and hematite, and supergene copper below it. Proportions and mineral recipes are ours.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from rasterio.windows import Window

from gossan.twin.terrain import (
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

# Side of one porphyry district, repeated with ever new outlines over a larger ground; a ground
# smaller than this is a miniature of one, with all its zones.
DISTRICT_M = 15_360.0
_DISTRICT_KM = DISTRICT_M / 1000.0
# Side of the cell inside which the ground is taken as uniform: pixels average over such cells.
CELL_M = 15.0
# Bounds the memory of `abundances`: so many cells are worked on at once.
_CHUNK_CELLS = 1 << 16
# Strength of the patches in which one mineral of an assemblage prevails over the others.
_PATCHINESS = 0.85
SNOWLINE_M = 4050.0
BASE_ELEVATION_M = 2450.0

# Faults of a district: a point on it (s, t), angle from the s axis, and slip (km).
_FAULTS = ((0.5, 0.4, 1.15, 0.75), (-0.6, -1.6, -0.55, -0.55), (3.6, 1.2, 0.2, 0.6))
FAULTS = len(_FAULTS)
# Contacts of the host rocks across the strike in a district (km).
_CONTACTS_KM = (-6.85, -5.3, -3.35, 2.3, 4.4, 6.85)
_CONTACT_KM = _CONTACTS_KM[4]
# The highest mountain over the lowest valley.
_RELIEF_M = 3200.0
# Standard deviations at difficulty 1 of ln(depth), ln(brightness) and tilt, and the exponent on
# mineral shares: the knobs of the calibration (benchmarks/calibrate_twin.py).
_DEPTH_STD = 0.22
_BRIGHTNESS_STD = 0.2
_TILT_STD = 0.055
_SHARPNESS = 2.8

# Assemblages: share of each mineral before patchiness. Ores and oxides come as nearly pure
# bodies, because a dark mineral leaves no trace in a pixel of which half is bright.
HOSTS: dict[str, dict[str, float]] = {
    "greenstone": {"chlorite": 0.62, "actinolite": 0.2, "albite": 0.1, "epidote": 0.08},
    "serpentinite": {"serpentine": 0.9, "magnetite": 0.06, "chlorite": 0.04},
    "schist": {"biotite": 0.78, "muscovite": 0.1, "quartz": 0.07, "albite": 0.05},
    "granodiorite": {
        "albite": 0.5,
        "quartz": 0.2,
        "orthoclase": 0.12,
        "biotite": 0.12,
        "feldspar": 0.06,
    },
    "granite": {"feldspar": 0.7, "quartz": 0.15, "albite": 0.1, "biotite": 0.05},
    "andesite": {"albite": 0.45, "actinolite": 0.28, "chlorite": 0.2, "magnetite": 0.07},
    "limestone": {"calcite": 0.86, "dolomite": 0.06, "quartz": 0.04, "montmorillonite": 0.04},
    "dolostone": {"dolomite": 0.9, "calcite": 0.06, "quartz": 0.04},
}
# In the order in which they overprint the hosts and one another.
OVERPRINTS: dict[str, dict[str, float]] = {
    "listwanite": {"dolomite": 0.6, "serpentine": 0.2, "quartz": 0.12, "goethite": 0.08},
    "cumulate": {"magnetite": 0.92, "serpentine": 0.05, "chlorite": 0.03},
    "outer_propylitic": {"chlorite": 0.68, "epidote": 0.14, "calcite": 0.08, "albite": 0.1},
    "inner_propylitic": {"epidote": 0.76, "chlorite": 0.18, "actinolite": 0.06},
    "argillic": {"kaolinite": 0.5, "montmorillonite": 0.3, "illite": 0.14, "gypsum": 0.06},
    "phyllic": {"muscovite": 0.8, "quartz": 0.1, "illite": 0.05, "pyrite": 0.05},
    "pyrite_halo": {"pyrite": 0.9, "quartz": 0.05, "muscovite": 0.05},
    "biotite_shell": {"biotite": 0.82, "feldspar": 0.08, "magnetite": 0.06, "quartz": 0.04},
    "potassic": {"feldspar": 0.78, "quartz": 0.12, "biotite": 0.06, "magnetite": 0.04},
    "skarn": {"epidote": 0.5, "actinolite": 0.3, "calcite": 0.12, "magnetite": 0.08},
    "magnetite_skarn": {"magnetite": 0.93, "epidote": 0.05, "actinolite": 0.02},
    "outer_lithocap": {"kaolinite": 0.4, "dickite": 0.3, "pyrophyllite": 0.2, "alunite": 0.1},
    "lithocap": {"alunite": 0.84, "kaolinite": 0.08, "quartz": 0.08},
    "silica_cap": {"chalcedony": 0.5, "quartz": 0.44, "alunite": 0.06},
    "leached_jarosite": {"jarosite": 0.78, "goethite": 0.16, "muscovite": 0.06},
    "leached_goethite": {"goethite": 0.82, "hematite": 0.1, "jarosite": 0.08},
    "leached_hematite": {"hematite": 0.84, "goethite": 0.12, "quartz": 0.04},
    "copper_sulphide": {"chalcocite": 0.95, "pyrite": 0.03, "muscovite": 0.02},
    "copper_oxide": {"malachite": 0.94, "goethite": 0.03, "chlorite": 0.03},
    "vein": {"quartz": 0.8, "chalcedony": 0.14, "pyrite": 0.06},
}
# Alteration zones as a geologist maps them, and the assemblages of each. Weathering, ores and veins
# lie in a zone and do not end it; serpentinite's own alteration is no part of the system.
ALTERATION = (
    "unaltered",
    "propylitic",
    "argillic",
    "phyllic",
    "potassic",
    "skarn",
    "advanced_argillic",
)
# Those that a geologist draws in the field.
FIELD_ZONES = ("phyllic", "propylitic")
_ZONE_OF = {
    "outer_propylitic": "propylitic",
    "inner_propylitic": "propylitic",
    "argillic": "argillic",
    "phyllic": "phyllic",
    "pyrite_halo": "phyllic",
    "biotite_shell": "potassic",
    "potassic": "potassic",
    "skarn": "skarn",
    "magnetite_skarn": "skarn",
    "outer_lithocap": "advanced_argillic",
    "lithocap": "advanced_argillic",
    "silica_cap": "advanced_argillic",
}
COVERS = ("green_vegetation", "dry_vegetation", "soil", "water", "snow")
_ASSEMBLAGES = {**HOSTS, **OVERPRINTS}
MINERALS = tuple(sorted({name for recipe in _ASSEMBLAGES.values() for name in recipe}))
CONSTITUENTS = (*MINERALS, *COVERS)
_ORES = ("chalcocite", "magnetite", "malachite", "pyrite")
# Rocks on which the fluids of a granitic intrusion leave no feldspar, mica or clay.
_CARBONATES = ("limestone", "dolostone")


class PorphyryGround(Terrain):
    """The ground of porphyry systems: rocks, alteration, cover and relief of one seed.

    `difficulty` sets how hard it is to read, not what it is. A window of a larger ground repeats
    the district with ever new outlines.
    """

    constituents = CONSTITUENTS
    district_m = DISTRICT_M
    relief_m = _RELIEF_M

    # ---- geology -------------------------------------------------------------------------

    def _structure(self, s: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Undo faulting and folding: coordinates of the unbroken plan, and nearness to a fault.

        Each fault moves its two sides apart by its slip, which dies out towards the edge of the
        district; the folds are a slow warp of the plane.
        """
        near = np.zeros_like(s)
        for across, fade, whole in self._cross_faults(s, t):
            s, t = whole
            near = np.maximum(near, fade * np.exp(-((across / 0.11) ** 2)))
        fold_s = 0.42 * self._noise("fold s", s, t, 5.0, 3) + 0.07 * self._noise(
            "crenulation s", s, t, 0.8, 3
        )
        fold_t = 0.42 * self._noise("fold t", s, t, 5.0, 3) + 0.07 * self._noise(
            "crenulation t", s, t, 0.8, 3
        )
        return s + fold_s, t + fold_t, near

    def _cross_faults(
        self, s: np.ndarray, t: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray, tuple]]:
        """Of each fault in turn: distance from it (km), on either side of 0; how much of its slip
        is left; the coordinates s, t with it undone.
        """
        wave = 0.12 * self._noise("fault trace", s, t, 2.0, 3)
        for s0, t0, angle, slip in _FAULTS:
            cos, sin = np.cos(angle), np.sin(angle)
            ds, dt = wrapped(s, _DISTRICT_KM) - s0, wrapped(t, _DISTRICT_KM) - t0
            across = cos * dt - sin * ds + wave
            fade = smooth_step(6.6 - np.hypot(ds, dt), 2.5)
            move = 0.5 * slip * fade * (2 * smooth_step(across, 0.04) - 1)
            s, t = s - cos * move, t - sin * move
            yield across, fade, (s, t)

    def fault_sides(self, window: Window, pixel_m: float) -> np.ndarray:
        """Which side of each fault the pixels' centres are on, (faults, rows, columns) uint8.

        1 or 2; 0 where less than half of the fault's slip is left. A fault is where its two sides
        meet.
        """
        s, t = self._frame(*cell_centres(window, pixel_m, 1))
        return np.stack(
            [
                np.where(fade < 0.5, 0, np.where(across > 0, 2, 1)).astype(np.uint8)
                for across, fade, _ in self._cross_faults(s, t)
            ]
        )

    def _bodies(
        self, s: np.ndarray, t: np.ndarray
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], tuple]:
        """Shares of the hosts, reach (0 to 1) of each overprint, and the unbroken plan."""
        plan_s, plan_t, near_fault = self._structure(s, t)
        u, v = wrapped(plan_s, _DISTRICT_KM), wrapped(plan_t, _DISTRICT_KM)
        ragged = self._noise("outline", plan_s, plan_t, 0.9, 4)

        def body(u0: float, v0: float, a: float, b: float, angle: float = 0.0) -> np.ndarray:
            radius = ellipse_radius(u, v, u0, v0, a, b, angle)
            return smooth_step(1.0 - radius + 0.22 * ragged, 0.16)

        hosts = self._hosts(u, plan_s, plan_t, body)
        carbonate = sum(hosts[name] for name in _CARBONATES)

        # Radius in kilometres of the main system; the small one is a copy on a reduced scale.
        radius = np.minimum(
            ellipse_radius(u, v, 0.0, -0.3, 1.0, 1.25, 0.5),
            ellipse_radius(u, v, 3.45, 3.9, 0.42, 0.5, 0.0),
        )
        radius = radius * np.exp(0.13 * self._noise("alteration front", plan_s, plan_t, 1.7, 4))
        radius = np.maximum(radius - 0.35 * near_fault, 0.0)
        silicate = 1.0 - 0.95 * carbonate
        ring = {
            "potassic": (0.0, 0.78),
            "biotite_shell": (0.78, 1.2),
            "phyllic": (1.2, 2.0),
            "argillic": (2.0, 2.6),
            "inner_propylitic": (2.6, 3.4),
        }
        zones = {
            name: silicate
            * smooth_step(radius - inner if inner else 1.0 + radius, 0.07)
            * smooth_step(outer - radius, 0.07)
            for name, (inner, outer) in ring.items()
        }
        patches = self._noise("propylitic patches", plan_s, plan_t, 1.5, 4)
        zones["outer_propylitic"] = silicate * smooth_step(4.3 - radius + 0.6 * patches, 0.25)
        halo = self._noise("pyrite halo", plan_s, plan_t, 1.1, 3)
        zones["pyrite_halo"] = (
            silicate
            * smooth_step(radius - 1.35, 0.1)
            * smooth_step(2.15 - radius, 0.1)
            * smooth_step(halo - 0.55, 0.2)
        )
        leaching = self._noise("leaching", plan_s, plan_t, 1.5, 4)
        exposed = silicate * smooth_step(radius - 0.95, 0.1) * smooth_step(2.35 - radius, 0.15)
        zones["leached_goethite"] = exposed * smooth_step(leaching - 0.55, 0.12)
        zones["leached_jarosite"] = exposed * smooth_step(leaching - 1.05, 0.12)
        zones["leached_hematite"] = np.maximum(
            body(-1.45, 0.95, 0.4, 0.75, 0.5), body(1.15, -2.15, 0.32, 0.5)
        )
        contact = np.abs(u - _CONTACT_KM)
        zones["skarn"] = smooth_step(0.34 - contact + 0.08 * ragged, 0.08) * smooth_step(
            3.6 - radius, 0.2
        )
        zones["magnetite_skarn"] = body(_CONTACT_KM + 0.05, 4.0, 0.26, 0.8)
        zones["cumulate"] = body(-6.15, 2.2, 0.36, 1.15)
        edge = np.minimum(np.abs(u - _CONTACTS_KM[0]), np.abs(u - _CONTACTS_KM[1]))
        zones["listwanite"] = (
            hosts["serpentinite"] * smooth_step(0.12 - edge, 0.06) * smooth_step(patches - 0.6, 0.2)
        )
        zones["outer_lithocap"] = body(1.5, -4.5, 1.45, 1.25)
        zones["lithocap"] = body(1.45, -4.45, 1.02, 0.85)
        zones["silica_cap"] = body(1.5, -4.4, 0.4, 0.3)
        zones["copper_sulphide"] = np.maximum.reduce(
            [
                body(-0.95, 0.35, 0.42, 0.72, 0.5),
                body(0.75, -1.75, 0.34, 0.5),
                body(3.1, 3.75, 0.22, 0.3),
            ]
        )
        zones["copper_oxide"] = np.maximum(
            body(-2.05, -1.2, 0.33, 0.95, -0.3), body(1.45, 0.75, 0.3, 0.62, 0.4)
        )
        veins = self._noise("veins", plan_s, plan_t, 1.2, 2)
        zones["vein"] = (
            silicate
            * near_fault
            * smooth_step(3.0 - radius, 0.4)
            * smooth_step(veins - 0.5, 0.2)
            * 0.95
        )

        return hosts, zones, (plan_s, plan_t)

    def _assemblages(self, s: np.ndarray, t: np.ndarray) -> tuple[dict[str, np.ndarray], tuple]:
        """Share of each assemblage at the points s, t (they sum to 1), and the unbroken plan."""
        hosts, zones, plan = self._bodies(s, t)
        shares: dict[str, np.ndarray] = {}
        remaining = np.ones_like(s)
        for name in reversed(OVERPRINTS):
            shares[name] = remaining * zones[name]
            remaining = remaining - shares[name]
        for name, share in hosts.items():
            shares[name] = remaining * share
        return shares, plan

    def _hosts(
        self,
        u: np.ndarray,
        plan_s: np.ndarray,
        plan_t: np.ndarray,
        body: Callable[..., np.ndarray],
    ) -> dict[str, np.ndarray]:
        """Shares of the host rocks, which lie as bands across the strike; they sum to 1."""
        bands = [smooth_step(u - contact, 0.05) for contact in _CONTACTS_KM]
        hosts = {
            "greenstone": 1.0 - bands[0] + bands[5],
            "serpentinite": bands[0] - bands[1],
            "schist": bands[1] - bands[2],
            "granodiorite": bands[2] - bands[3],
            "andesite": bands[3] - bands[4],
        }
        carbonate = bands[4] - bands[5]
        bedding = np.sin(2 * np.pi * u / 0.55) + 0.35 * self._noise("beds", plan_s, plan_t, 2.0, 3)
        dolomitic = np.maximum(
            smooth_step(u - 5.75, 0.1) * smooth_step(6.6 - u, 0.1),
            0.9 * smooth_step(bedding - 1.0, 0.15),
        )
        hosts["dolostone"] = carbonate * dolomitic
        hosts["limestone"] = carbonate - hosts["dolostone"]
        granite = body(-1.2, 5.3, 1.35, 1.15, 0.3) * hosts["granodiorite"]
        hosts["granite"] = granite
        hosts["granodiorite"] = hosts["granodiorite"] - granite
        return hosts

    def _rock(self, s: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Share of each mineral in bare rock, (minerals, points) float32; they sum to 1."""
        shares, (plan_s, plan_t) = self._assemblages(s, t)
        weights = np.zeros((len(MINERALS), *s.shape))
        for name, share in shares.items():
            for mineral, part in _ASSEMBLAGES[name].items():
                weights[MINERALS.index(mineral)] += part * share
        sharpness = _sharpness(self.difficulty)
        total = np.zeros_like(s)
        for index, mineral in enumerate(MINERALS):
            patch = self._noise(f"patches of {mineral}", plan_s, plan_t, 1.3, 4)
            weights[index] *= np.exp(_PATCHINESS * patch)
            weights[index] **= sharpness
            total += weights[index]
        weights /= total
        return weights.astype(np.float32)

    # ---- relief and cover ----------------------------------------------------------------

    def _streams(self, s: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distance to the river and to its tributary, in model kilometres (nearly)."""
        phase = self._phases
        turn = 2 * np.pi / _DISTRICT_KM
        wiggle = 0.16 * self._noise("meanders", s, t, 1.6, 3)
        river = -3.0 + 0.7 * np.sin(turn * t + phase[0]) + 0.22 * np.sin(4 * turn * t + phase[1])
        tributary = (
            -6.6 + 0.45 * np.sin(turn * s + phase[2]) + 0.2 * np.sin(5 * turn * s + phase[3])
        )
        return np.abs(wrapped(s - river + wiggle, _DISTRICT_KM)), np.abs(
            wrapped(t - tributary + wiggle, _DISTRICT_KM)
        )

    def _height(self, s: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Height above the valley floor in model kilometres."""
        river, tributary = self._streams(s, t)
        # Crests are creases of the noise, valleys its round sides; finer ones ride on coarser.
        upland = 0.75 + 0.3 * self._noise("massifs", s, t, 7.0, 1)
        for wavelength, amplitude in ((4.2, 0.4), (2.0, 0.13), (0.95, 0.05), (0.45, 0.018)):
            crest = self._noise(f"crests {wavelength}", s, t, wavelength, 1)
            upland = upland + amplitude * (0.8 - np.sqrt(crest * crest + 0.004))
        upland = upland + 0.02 * self._noise("scree", s, t, 0.3, 3)
        upland = upland + 0.45 * np.exp(
            -(
                ellipse_radius(
                    wrapped(s, _DISTRICT_KM), wrapped(t, _DISTRICT_KM), 1.5, -4.4, 2.1, 1.9
                )
                ** 2
            )
        )
        # A smooth maximum with the valley floor, which the streams cut.
        upland = 0.5 * (upland + np.sqrt(upland * upland + 0.03))
        carve = 1.0 - 0.95 * np.exp(-((river / 1.3) ** 2))
        return upland * carve * (1.0 - 0.7 * np.exp(-((tributary / 0.7) ** 2)))

    def _covers(self, s: np.ndarray, t: np.ndarray, ore: np.ndarray) -> np.ndarray:
        """Share of each of COVERS, (covers, points); what remains of 1 is bare rock.

        ore: share of metal ores in the rock, on whose poisoned ground little grows and little
        soil forms (the copper clearings of prospectors).
        """
        river, tributary = self._streams(s, t)
        height = self._height(s, t)
        grade = min(self.difficulty, 1.5)
        # Edges of the cover are sharp on the easy ground and gradual on the hard one.
        blur = 0.12 + 0.35 * grade
        alluvium = np.maximum(0.62 - river / 0.62, 0.5 - tributary / 0.4)
        fans = self._noise("fans", s, t, 1.8, 4)
        woods = self._noise("woods", s, t, 1.1, 5)
        steppe = self._noise("steppe", s, t, 2.6, 5)
        moist = np.maximum(np.exp(-((river / 0.9) ** 2)), 0.8 * np.exp(-((tributary / 0.55) ** 2)))
        soil = smooth_step(2.2 * alluvium + 0.45 * fans, blur)
        green = smooth_step(2.2 * moist + 0.75 * woods - 1.75, blur)
        dry = smooth_step(steppe - 1.75 - 0.5 * height, blur)
        litter = self._noise("litter", s, t, 0.7, 4)
        clearing = 1.0 - 0.85 * ore
        thin = np.clip(0.05 + 0.035 * litter, 0.0, 0.2) * grade * clearing
        scrub = np.clip(0.03 + 0.04 * woods + 0.08 * moist, 0.0, 0.25) * grade * clearing
        snow = smooth_step(height - (SNOWLINE_M - BASE_ELEVATION_M) / 1000.0 + 0.12 * fans, 0.08)
        water = np.maximum(
            smooth_step(0.055 - river, 0.02), smooth_step(0.6 * alluvium + 0.4 * fans - 0.98, 0.05)
        )
        layers, bare = {}, np.ones_like(s)
        for name, share in (("water", water), ("snow", snow), ("green_vegetation", green)):
            layers[name] = bare * share
            bare = bare - layers[name]
        layers["soil"] = bare * np.maximum(soil, thin)
        bare = bare - layers["soil"]
        layers["dry_vegetation"] = bare * np.maximum(dry, 0.6 * scrub)
        bare = bare - layers["dry_vegetation"]
        layers["green_vegetation"] += bare * 0.4 * scrub
        return np.stack([layers[name] for name in COVERS])

    # ---- what sensors ask for ------------------------------------------------------------

    def abundances(self, window: Window, pixel_m: float) -> np.ndarray:
        """Share of each of CONSTITUENTS in the pixels of `window`; they sum to 1.

        Returns (constituents, rows, columns) float32. A pixel averages the cells of CELL_M in
        it, so a pixel of 30 m holds the mean of the four pixels of 15 m in its place.
        """
        split = _split(pixel_m)
        out = np.empty((len(CONSTITUENTS), window.height, window.width), np.float32)
        for part in window_chunks(window, max(1, _CHUNK_CELLS // (split * split))):
            s, t = self._frame(*cell_centres(part, pixel_m, split))
            rock = self._rock(s, t)
            ore = sum(rock[MINERALS.index(name)] for name in _ORES)
            covers = self._covers(s, t, ore)
            rock *= (1.0 - covers.sum(axis=0)).astype(np.float32)
            cells = np.concatenate([rock, covers.astype(np.float32)])
            out[:, *place_in(part, window)] = mean_of_cells(cells, split)
        return out

    def truth(
        self,
        window: Window,
        pixel_m: float,
        codes: Mapping[str, int],
        abundances: np.ndarray | None = None,
    ) -> np.ndarray:
        """Class code of the exposed constituent with the largest share, (rows, columns) uint8.

        codes: class code of each of CONSTITUENTS. `abundances` of the same window, if they are
        at hand, save computing them again. Raises KeyError for a constituent without a code.
        """
        if abundances is None:
            abundances = self.abundances(window, pixel_m)
        lookup = np.array([codes[name] for name in CONSTITUENTS], np.uint8)
        return lookup[np.argmax(abundances, axis=0)]

    def alteration(self, window: Window, pixel_m: float) -> np.ndarray:
        """Alteration zone of the rock at the pixels' centres, (rows, columns) uint8.

        Codes are places in ALTERATION: the zone with the largest share of the rock, whatever its
        minerals and whatever covers it; weathering, ore and veins belong to the zone they are in.
        It does not depend on the difficulty.
        """
        s, t = self._frame(*cell_centres(window, pixel_m, 1))
        _, zones, _ = self._bodies(s, t)
        shares = np.zeros((len(ALTERATION), *s.shape))
        remaining = np.ones_like(s)
        for name in reversed(OVERPRINTS):
            if name in _ZONE_OF:
                share = remaining * zones[name]
                shares[ALTERATION.index(_ZONE_OF[name])] += share
                remaining = remaining - share
        shares[0] = remaining
        return np.argmax(shares, axis=0).astype(np.uint8)

    def variability(self, window: Window, pixel_m: float) -> Variability:
        """How spectra vary, at the pixels' centres; see Variability; arrays are float32.

        Grain size and coating change over hundreds of metres and differ from mineral to mineral.
        """
        s, t = self._frame(*cell_centres(window, pixel_m, 1))
        shape = (len(CONSTITUENTS), *s.shape)
        grade = self.difficulty
        depth, brightness, tilt = (np.empty(shape, np.float32) for _ in range(3))
        for index, name in enumerate(CONSTITUENTS):
            grain = self._noise(f"grain of {name}", s, t, 1.0, 3)
            light = self._noise(f"brightness of {name}", s, t, 0.6, 3)
            coating = self._noise(f"coating of {name}", s, t, 1.4, 3)
            depth[index] = np.exp(np.clip(_DEPTH_STD * grade * grain, -0.8, 0.6))
            brightness[index] = np.exp(np.clip(_BRIGHTNESS_STD * grade * light, -0.8, 0.25))
            tilt[index] = np.clip(_TILT_STD * grade * coating, -0.5, 0.5)
        return Variability(depth, brightness, tilt)

    def _elevation(self, window: Window, pixel_m: float) -> np.ndarray:
        s, t = self._frame(*cell_centres(window, pixel_m, 1))
        return BASE_ELEVATION_M + 1000.0 * self._scale * self._height(s, t)


def _sharpness(difficulty: float) -> float:
    """Exponent on the mineral shares before they are normalised: large means nearly pure."""
    return _SHARPNESS / max(difficulty, 0.25)


def _split(pixel_m: float) -> int:
    """Cells along the side of a pixel."""
    return max(1, int(np.ceil(pixel_m / CELL_M - 1e-9)))
