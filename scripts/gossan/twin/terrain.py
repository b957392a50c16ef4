"""What every simulated ground has: coordinates, noise, heights, light and sky.

Everything is computed from seeded noise at the asked coordinates, so any window of a ground can be
had on its own, in bounded memory, and sensors of different pixel sizes image the same ground.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import numpy as np
from rasterio.windows import Window

from gossan.library.spectrum import Spectrum
from gossan.twin.grounds import MOST_DIFFICULTY
from gossan.twin.noise import field_key, fractal_noise

CLOUD_BASE_M = 1900.0


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
    pixels of `pixel_m` metres from the north-west corner, may begin between two pixels, and may
    reach beyond the extent. offset_m: by how much (east, south) everything is seen beside of where
    it is asked for, see `moved`.
    difficulty: 0 = nearly pure and clean; 1 = the calibrated default; it scales sub-pixel mixing,
    cover, spectral variability, haze, cloud and noise. What is where does not depend on it,
    but for the cover.
    """

    # Names of what the ground is made of; side of one district in metres, and the most that a
    # mountain, which bounds the reach of a cast shadow, rises over a valley.
    constituents: tuple[str, ...]
    district_m: float
    relief_m: float

    def __init__(self, seed: int, extent_m: tuple[float, float], difficulty: float):
        """Draw what the seed sets once for all.

        Raises ValueError for an empty extent and for a difficulty outside 0 to MOST_DIFFICULTY.
        """
        if min(extent_m) <= 0:
            raise ValueError(f"extent {extent_m} m is empty")
        if not 0 <= difficulty <= MOST_DIFFICULTY:
            raise ValueError(f"difficulty {difficulty} is not between 0 and {MOST_DIFFICULTY:g}")
        self.seed = int(seed)
        self.extent_m = (float(extent_m[0]), float(extent_m[1]))
        self.difficulty = float(difficulty)
        self.offset_m = (0.0, 0.0)
        self._scale = min(1.0, min(self.extent_m) / self.district_m)
        rng = np.random.default_rng([self.seed & 0xFFFFFFFF, 1])
        angle = rng.uniform(-0.6, 0.6)
        self._cos, self._sin = np.cos(angle), np.sin(angle)
        self._mirror = rng.choice([-1.0, 1.0], size=2)
        self._phases = rng.uniform(0, 2 * np.pi, size=4)

    def moved(self, east_m: float, south_m: float) -> Self:
        """The same ground, of which everything is seen by so much (more) to the north-west.

        So a sensor sees it whose pointing is wrong, and so a window of it begins at a place of its
        own.
        """
        other = copy(self)
        other.offset_m = (self.offset_m[0] + east_m, self.offset_m[1] + south_m)
        return other

    # ---- what it is made of ------------------------------------------------------------------

    @abstractmethod
    def abundances(self, window: Window, pixel_m: float) -> np.ndarray:
        """Share of each of `constituents` in the pixels of `window`; they sum to 1.

        (constituents, rows, columns) float32.
        """

    @abstractmethod
    def variability(self, window: Window, pixel_m: float) -> Variability:
        """How spectra vary, at the pixels' centres; see Variability; arrays are float32."""

    def materials(self, library: Sequence[Spectrum]) -> Sequence[Spectrum]:
        """Spectra of `constituents`, each of its name, from those of a library."""
        return library

    def leaf(self, moment: datetime) -> float:
        """Share of leaves that deciduous plants have on a day."""
        return 1.0

    def season(self, abundances: np.ndarray, leaf: float) -> np.ndarray:
        """What `abundances` show on a day when deciduous plants have the share `leaf` of leaves."""
        return abundances

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
        east = (x_m + self.offset_m[0]) / (1000.0 * self._scale) - half
        north = half - (y_m + self.offset_m[1]) / (1000.0 * self._scale)
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
        return 2.6 - 0.35 * self.difficulty


def wrapped(coordinate: np.ndarray, side: float) -> np.ndarray:
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


def place_in(part: Window, window: Window) -> tuple[slice, slice]:
    """Rows and columns of a window in which a part of it lies; both may begin between pixels."""
    row, column = round(part.row_off - window.row_off), round(part.col_off - window.col_off)
    return slice(row, row + part.height), slice(column, column + part.width)


def mean_of_cells(cells: np.ndarray, split: int) -> np.ndarray:
    """Average split x split cells to pixels; a fixed order of sums, whatever the size."""
    total = np.zeros_like(cells[:, ::split, ::split])
    for row in range(split):
        for column in range(split):
            total += cells[:, row::split, column::split]
    return total / np.float32(split * split)


def finer(window: Window) -> Window:
    """Pixels of half the side that lie evenly about those of a window.

    Each pixel has its centre in common with a fine one; the outermost of these, of
    (2 rows + 1, 2 columns + 1) in all, lie halfway to the next pixels.
    """
    return Window(
        2 * window.col_off - 0.5,
        2 * window.row_off - 0.5,
        2 * window.width + 1,
        2 * window.height + 1,
    )


def mean_about(fine: np.ndarray) -> np.ndarray:
    """Means (..., rows, columns) over the pixels of half the side that `finer` tells of.

    Each pixel lies over the fine one of its centre and half of the neighbours: shares 1/4, 1/2, 1/4
    along each axis.
    """
    rows = 0.25 * fine[..., :-2:2, :] + 0.5 * fine[..., 1:-1:2, :] + 0.25 * fine[..., 2::2, :]
    return 0.25 * rows[..., :-2:2] + 0.5 * rows[..., 1:-1:2] + 0.25 * rows[..., 2::2]


def _moved(field: np.ndarray, inner: tuple[slice, slice], rows: int, columns: int) -> np.ndarray:
    """The inner part of a padded field, taken so many rows further down and columns right."""
    return field[
        inner[0].start + rows : inner[0].stop + rows,
        inner[1].start + columns : inner[1].stop + columns,
    ]
