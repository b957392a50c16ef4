"""The simulated ground: porphyry systems in their host rocks, as functions of the coordinates.

Everything is computed from seeded noise at the asked coordinates, so any window of the ground can
be had on its own, in bounded memory, and sensors of different pixel sizes image the same ground.

The geometry follows the common models of porphyry copper systems: a potassic core with a mantle
of sericitic (phyllic), argillic and propylitic alteration (Lowell and Guilbert 1970, Economic
Geology 65, 373), an advanced argillic lithocap above and beside it (Sillitoe 2010, Economic
Geology 105, 3), skarn where the intrusion meets carbonate rocks, a leached cap of jarosite,
goethite and hematite, and supergene copper below it. Proportions and mineral recipes are ours.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from rasterio.windows import Window

from gossan.twin.noise import field_key, fractal_noise

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
# Contacts of the host rocks across the strike in a district (km).
_CONTACTS_KM = (-6.85, -5.3, -3.35, 2.3, 4.4, 6.85)
_CONTACT_KM = _CONTACTS_KM[4]
# The highest mountain over the lowest valley, which bounds the reach of a cast shadow.
_RELIEF_M = 3200.0
CLOUD_BASE_M = 1900.0
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


@dataclass(frozen=True)
class Variability:
    """How the constituents' spectra vary over the ground; arrays (constituents, rows, columns).

    depth: factor on the absorption depths, as grain size has it; brightness: factor on the
    whole spectrum; tilt: slope of log reflectance over log wavelength that is added.
    """

    depth: np.ndarray
    brightness: np.ndarray
    tilt: np.ndarray


@dataclass(frozen=True)
class Sky:
    """Clouds over the ground at one overpass; arrays (rows, columns), float32.

    cloud: optical thickness of the cloud in the line of sight; shadow: optical thickness of the
    cloud between the ground and the sun; cirrus: reflectance of a thin high veil; haze: aerosol
    optical thickness at 0.55 µm relative to its mean.
    """

    cloud: np.ndarray
    shadow: np.ndarray
    cirrus: np.ndarray
    haze: np.ndarray


class Terrain(ABC):
    """What every simulated ground has: coordinates, noise, heights, light and sky.

    seed: any integer; extent_m: (west-east, north-south) size in metres. Windows are counted in
    pixels of `pixel_m` metres from the north-west corner and may reach beyond the extent.
    difficulty: 0 = nearly pure and clean; 1 = the calibrated default; it scales sub-pixel mixing,
    cover, spectral variability, haze, cloud and noise. What is where does not depend on it,
    but for the cover.
    """

    # Side of one district in metres, and the most that a mountain rises over a valley.
    district_m = DISTRICT_M
    relief_m = _RELIEF_M

    def __init__(self, seed: int, extent_m: tuple[float, float], difficulty: float = 1.0):
        """Draw what the seed sets once for all.

        Raises ValueError for an empty extent and for a difficulty outside 0 to 4.
        """
        if min(extent_m) <= 0:
            raise ValueError(f"extent {extent_m} m is empty")
        if not 0 <= difficulty <= 4:
            raise ValueError(f"difficulty {difficulty} is not between 0 and 4")
        self.seed = int(seed)
        self.extent_m = (float(extent_m[0]), float(extent_m[1]))
        self.difficulty = float(difficulty)
        self._scale = min(1.0, min(self.extent_m) / self.district_m)
        rng = np.random.default_rng([self.seed & 0xFFFFFFFF, 1])
        angle = rng.uniform(-0.6, 0.6)
        self._cos, self._sin = np.cos(angle), np.sin(angle)
        self._mirror = rng.choice([-1.0, 1.0], size=2)
        self._phases = rng.uniform(0, 2 * np.pi, size=4)

    # ---- coordinates ---------------------------------------------------------------------

    def _key(self, name: str) -> np.uint64:
        return field_key(self.seed, name)

    def _noise(
        self, name: str, s: np.ndarray, t: np.ndarray, wavelength: float, octaves: int
    ) -> np.ndarray:
        return fractal_noise(s, t, self._key(name), wavelength, octaves)

    def _frame(self, x_m: np.ndarray, y_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Model coordinates in kilometres: s across the strike of the rocks, t along it."""
        half = self.district_m / 2000.0
        east = x_m / (1000.0 * self._scale) - half
        north = half - y_m / (1000.0 * self._scale)
        s = self._mirror[0] * (self._cos * east + self._sin * north)
        t = self._mirror[1] * (self._cos * north - self._sin * east)
        return s, t

    # ---- heights, light and sky ---------------------------------------------------------------

    def elevation(self, window: Window, pixel_m: float) -> np.ndarray:
        """Height above sea level at the pixels' centres in metres, (rows, columns) float32."""
        return self._elevation(window, pixel_m).astype(np.float32)

    @abstractmethod
    def _elevation(self, window: Window, pixel_m: float) -> np.ndarray:
        """The same in double precision."""

    def illumination(
        self, window: Window, pixel_m: float, sun_elevation_deg: float, sun_azimuth_deg: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """(direct, sky): irradiance on the slope over that on level open ground, float32.

        direct = cos(incidence) / sin(sun elevation), 0 where the slope turns away or a
        mountain casts its shadow; sky = (1 + cos slope) / 2, the share of the sky dome seen
        (Kondratyev 1969). Both (rows, columns). Azimuth clockwise from north.
        """
        elevation, azimuth = np.radians(sun_elevation_deg), np.radians(sun_azimuth_deg)
        if not 0 < elevation <= np.pi / 2:
            raise ValueError(f"sun elevation {sun_elevation_deg} degrees is not above the horizon")
        reach = self.relief_m * self._scale / np.tan(elevation)
        pad = int(np.ceil(reach / pixel_m)) + 2
        height = self._elevation(padded(window, pad), pixel_m)
        inner = (slice(pad, pad + window.height), slice(pad, pad + window.width))
        dz_east = (_moved(height, inner, 0, 1) - _moved(height, inner, 0, -1)) / (2 * pixel_m)
        dz_north = (_moved(height, inner, -1, 0) - _moved(height, inner, 1, 0)) / (2 * pixel_m)
        up = 1.0 / np.sqrt(1.0 + dz_east**2 + dz_north**2)
        towards = (np.cos(elevation) * np.sin(azimuth), np.cos(elevation) * np.cos(azimuth))
        incidence = up * (np.sin(elevation) - dz_east * towards[0] - dz_north * towards[1])
        blocked = np.zeros(incidence.shape)
        for step in range(1, pad - 1):
            # The terrain one step nearer to the sun, between four pixels, against the ray.
            column, row = step * np.sin(azimuth), -step * np.cos(azimuth)
            left, top = int(np.floor(column)), int(np.floor(row))
            fc, fr = column - left, row - top
            seen = (
                (1 - fr) * (1 - fc) * _moved(height, inner, top, left)
                + (1 - fr) * fc * _moved(height, inner, top, left + 1)
                + fr * (1 - fc) * _moved(height, inner, top + 1, left)
                + fr * fc * _moved(height, inner, top + 1, left + 1)
            )
            excess = seen - height[inner] - step * pixel_m * np.tan(elevation)
            # The edge of a shadow is soft over a third of a pixel's height.
            blocked = np.maximum(blocked, np.clip(excess / (0.35 * pixel_m), 0.0, 1.0))
        direct = (1 - blocked) * np.maximum(incidence, 0.0) / np.sin(elevation)
        return direct.astype(np.float32), ((1.0 + up) / 2).astype(np.float32)

    def clouds(
        self,
        window: Window,
        pixel_m: float,
        sun_elevation_deg: float,
        sun_azimuth_deg: float,
        overpass: int = 0,
    ) -> Sky:
        """Clouds, their shadows, cirrus and haze of one overpass (each number another day).

        Clouds float at one height and are seen from straight above; on the ground their shadow
        lies away from the sun by height / tan(sun elevation). No clouds at difficulty 0.
        """
        x, y = cell_centres(window, pixel_m, 1)
        throw = CLOUD_BASE_M * self._scale / np.tan(np.radians(sun_elevation_deg))
        azimuth = np.radians(sun_azimuth_deg)
        s, t = self._frame(x, y)
        sun_s, sun_t = self._frame(x + throw * np.sin(azimuth), y - throw * np.cos(azimuth))
        veil = self._noise(f"cirrus {overpass}", s, t, 6.0, 4)
        haze = self._noise(f"haze {overpass}", s, t, 6.0, 3)
        return Sky(
            cloud=self._cloud(s, t, overpass),
            shadow=self._cloud(sun_s, sun_t, overpass),
            cirrus=(self.difficulty * 0.012 * np.clip(veil - 1.4, 0.0, 1.5)).astype(np.float32),
            haze=np.clip(1.0 + 0.3 * self.difficulty * haze, 0.2, 3.0).astype(np.float32),
        )

    def _cloud(self, s: np.ndarray, t: np.ndarray, overpass: int) -> np.ndarray:
        if self.difficulty == 0:
            return np.zeros(s.shape, np.float32)
        fleece = self._noise(f"clouds {overpass}", s, t, 1.9, 5)
        field = self._noise(f"cloud field {overpass}", s, t, 7.0, 2)
        threshold = self._cloud_threshold(overpass)
        return (6.0 * np.maximum(fleece + 0.8 * field - threshold, 0.0)).astype(np.float32)

    def _cloud_threshold(self, overpass: int) -> float:
        """What the noise of the clouds must exceed for there to be one."""
        return 2.6 - 0.35 * min(self.difficulty, 3.0)


class Ground(Terrain):
    """The ground of porphyry systems: rocks, alteration, cover and relief of one seed.

    `difficulty` sets how hard it is to read, not what it is. A window of a larger ground repeats
    the district with ever new outlines.
    """

    # ---- geology -------------------------------------------------------------------------

    def _structure(self, s: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Undo faulting and folding: coordinates of the unbroken plan, and nearness to a fault.

        Each fault moves its two sides apart by its slip, which dies out towards the edge of the
        district; the folds are a slow warp of the plane.
        """
        near = np.zeros_like(s)
        wave = 0.12 * self._noise("fault trace", s, t, 2.0, 3)
        for s0, t0, angle, slip in _FAULTS:
            cos, sin = np.cos(angle), np.sin(angle)
            ds, dt = wrapped(s) - s0, wrapped(t) - t0
            across = cos * dt - sin * ds + wave
            fade = smooth_step(6.6 - np.hypot(ds, dt), 2.5)
            move = 0.5 * slip * fade * (2 * smooth_step(across, 0.04) - 1)
            s, t = s - cos * move, t - sin * move
            near = np.maximum(near, fade * np.exp(-((across / 0.11) ** 2)))
        fold_s = 0.42 * self._noise("fold s", s, t, 5.0, 3) + 0.07 * self._noise(
            "crenulation s", s, t, 0.8, 3
        )
        fold_t = 0.42 * self._noise("fold t", s, t, 5.0, 3) + 0.07 * self._noise(
            "crenulation t", s, t, 0.8, 3
        )
        return s + fold_s, t + fold_t, near

    def _bodies(
        self, s: np.ndarray, t: np.ndarray
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], tuple]:
        """Shares of the hosts, reach (0 to 1) of each overprint, and the unbroken plan."""
        plan_s, plan_t, near_fault = self._structure(s, t)
        u, v = wrapped(plan_s), wrapped(plan_t)
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
        return np.abs(wrapped(s - river + wiggle)), np.abs(wrapped(t - tributary + wiggle))

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
            -(ellipse_radius(wrapped(s), wrapped(t), 1.5, -4.4, 2.1, 1.9) ** 2)
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
            rows = slice(part.row_off - window.row_off, part.row_off - window.row_off + part.height)
            columns = slice(
                part.col_off - window.col_off, part.col_off - window.col_off + part.width
            )
            out[:, rows, columns] = mean_of_cells(cells, split)
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


def wrapped(coordinate: np.ndarray, side: float = _DISTRICT_KM) -> np.ndarray:
    """Coordinate within the district, from minus to plus half its side (kilometres)."""
    return coordinate - side * np.floor(coordinate / side + 0.5)


def smooth_step(value: np.ndarray, width: float) -> np.ndarray:
    """0 below -width, 1 above width, smooth between."""
    ramp = np.clip(0.5 + value / (2.0 * width), 0.0, 1.0)
    return ramp * ramp * (3.0 - 2.0 * ramp)


def ellipse_radius(
    u: np.ndarray, v: np.ndarray, u0: float, v0: float, a: float, b: float, angle: float = 0.0
) -> np.ndarray:
    """Radius in units of the ellipse with half axes a, b about (u0, v0), turned by `angle`."""
    cos, sin = np.cos(angle), np.sin(angle)
    du, dv = u - u0, v - v0
    return np.hypot((cos * du + sin * dv) / a, (cos * dv - sin * du) / b)


def _split(pixel_m: float) -> int:
    """Cells along the side of a pixel."""
    return max(1, int(np.ceil(pixel_m / CELL_M - 1e-9)))


def cell_centres(window: Window, pixel_m: float, split: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres of the cells of a window in metres from the north-west corner of the ground."""
    side = pixel_m / split
    x = (np.arange(window.width * split) + (window.col_off * split + 0.5)) * side
    y = (np.arange(window.height * split) + (window.row_off * split + 0.5)) * side
    x, y = np.meshgrid(x, y)
    return x, y


def window_chunks(window: Window, pixels: int) -> Iterator[Window]:
    """Cut a window into windows of at most `pixels` pixels."""
    width = min(window.width, pixels)
    height = max(1, pixels // max(width, 1))
    for row in range(0, window.height, height):
        for column in range(0, window.width, width):
            yield Window(
                window.col_off + column,
                window.row_off + row,
                min(width, window.width - column),
                min(height, window.height - row),
            )


def padded(window: Window, pad: int) -> Window:
    """A window grown by `pad` pixels on every side."""
    return Window(
        window.col_off - pad, window.row_off - pad, window.width + 2 * pad, window.height + 2 * pad
    )


def mean_of_cells(cells: np.ndarray, split: int) -> np.ndarray:
    """Average split x split cells to pixels; a fixed order of sums, whatever the size."""
    total = np.zeros_like(cells[:, ::split, ::split])
    for row in range(split):
        for column in range(split):
            total += cells[:, row::split, column::split]
    return total / np.float32(split * split)


def _moved(field: np.ndarray, inner: tuple[slice, slice], rows: int, columns: int) -> np.ndarray:
    """The inner part of a padded field, taken so many rows further down and columns right."""
    return field[
        inner[0].start + rows : inner[0].stop + rows,
        inner[1].start + columns : inner[1].stop + columns,
    ]
