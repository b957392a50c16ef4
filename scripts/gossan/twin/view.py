"""The ground as a sensor of many bands, and its product, have it.

The sensor sees it on a day of its own, through its own pixels, bands and noise, from a little
beside of where it believes to look, with wavelengths a little off, and through air that its
correction knows only nearly, or not at all.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from affine import Affine
from rasterio.windows import Window

from gossan.library.spectrum import Spectrum
from gossan.raster import BandTable, Grid
from gossan.twin.noise import field_key, fractal_noise, white_noise
from gossan.twin.optics import (
    optical_depth,
    spectra_in_bands,
    surface_reflectance,
    tabulate_spectra,
    top_of_atmosphere,
    undo_air,
)
from gossan.twin.site import Site
from gossan.twin.terrain import Sky, padded

_AEROSOL_055, _AEROSOL_STD, _AEROSOL_ERROR_STD = 0.08, 0.3, 0.25
# Water vapour (g cm-2) over high desert in summer, and standard deviations of its logarithm from
# day to day, of the error with which it is known, and of how that error drifts over the scene.
_WATER, _WATER_STD, _WATER_ERROR_STD, _WATER_DRIFT_STD = 1.0, 0.3, 0.06, 0.03
_DRIFT_M = 1500.0
# Vertical optical depth of gases at band resolution: centre, standard deviation (µm) and depth of
# each group of lines; of water vapour for 1 g cm-2. Typical values, read off clear skies.
_WATER_LINES = (
    (0.594, 0.006, 0.01),
    (0.652, 0.006, 0.01),
    (0.723, 0.011, 0.06),
    (0.820, 0.013, 0.06),
    (0.940, 0.024, 0.45),
    (1.135, 0.024, 0.60),
    (1.380, 0.034, 3.00),
    (1.880, 0.045, 3.20),
    (2.620, 0.100, 2.50),
)
_OTHER_LINES = (
    (0.600, 0.060, 0.030),
    (0.688, 0.003, 0.080),
    (0.7605, 0.003, 0.500),
    (1.270, 0.008, 0.100),
    (1.435, 0.010, 0.060),
    (1.575, 0.008, 0.030),
    (1.605, 0.008, 0.030),
    (1.660, 0.015, 0.040),
    (2.010, 0.012, 0.350),
    (2.060, 0.010, 0.200),
    (2.320, 0.050, 0.100),
)
# Light that comes back through the deepest water vapour, so that noise stays a number.
_LEAST_GAS = 0.02
# Reflectance for which the signal-to-noise ratios are told, and the part of the noise variance that
# does not grow with the signal.
_NOISE_REFLECTANCE, _DARK_NOISE = 0.3, 0.3
# Standard deviation of the co-registration error along each axis and its bound, in pixels.
POINTING_STD_PX, POINTING_MOST_PX = 0.25, 0.5
# Range of the error of the wavelengths (µm), of either sign.
_SHIFT_UM = (0.0004, 0.0010)
# Period (in ln µm) of the error of the calibration over the wavelengths.
_GAIN_PERIOD = 0.25
_CLOUD_OPACITY, _SHADOW_OPACITY, _CIRRUS_REFLECTANCE = 0.35, 0.3, 0.005
# Products begin and end on multiples of this (m), or of larger pixels.
_STEP_M = 30.0


@dataclass(frozen=True)
class Instrument:
    """What a sensor is like.

    number: one of its own, which sets what is drawn for it; acquired: as late by the sun as over
    longitude_deg; bands: its table of bands;
    snr: signal-to-noise ratio over wavelength (µm) for a reflectance of 0.3 under a high sun;
    gain_std: relative error of the calibration, smooth over wavelength; stripe_std: of each column
    by itself; corrected: whether products are surface reflectance; covers: by ground, the shares of
    its width between which the sensor sees it, and how far its eastern edge slants to the west
    (other grounds are seen as a whole).
    """

    sensor: str
    number: int
    pixel_m: float
    acquired: datetime
    longitude_deg: float
    bands: Callable[[], BandTable]
    snr: tuple[tuple[float, float], ...]
    gain_std: float
    stripe_std: float
    corrected: bool = True
    covers: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)


class View:
    """The ground as one sensor's product has it; windows may be asked for from any thread.

    grid: the product's own, a part of the ground; bands: as the product states them; acquired.
    """

    def __init__(self, site: Site, instrument: Instrument, library: Sequence[Spectrum]):
        """Draw what the seed sets for this sensor: pointing, wavelengths, air, calibration.

        Raises InputError when the library lacks a constituent of the ground.
        """
        self.instrument = instrument
        self.bands = instrument.bands()
        self._covers = instrument.covers.get(site.name, (0.0, 1.0, 0.0))
        self._whole = site.covering(instrument.pixel_m, _step_m(instrument))
        self.grid, self._first = _part(self._whole, instrument, self._covers)
        terrain = site.terrain
        seed, difficulty = terrain.seed, terrain.difficulty
        rng = np.random.default_rng([seed & 0xFFFFFFFF, 5, instrument.number])
        grade = min(difficulty, 1.0)
        pointing = rng.normal(size=2) * POINTING_STD_PX
        offset = grade * instrument.pixel_m * np.clip(pointing, -POINTING_MOST_PX, POINTING_MOST_PX)
        self.shift_um = float(difficulty * rng.choice([-1.0, 1.0]) * rng.uniform(*_SHIFT_UM))
        air, air_error, water, water_error = rng.normal(size=4) * grade
        self._aerosol = _AEROSOL_055 * difficulty * math.exp(_AEROSOL_STD * air)
        self._assumed_aerosol = self._aerosol * math.exp(_AEROSOL_ERROR_STD * air_error)
        self._water = _WATER * math.exp(_WATER_STD * water)
        self._water_error = _WATER_ERROR_STD * water_error
        self._ground = terrain.moved(offset[0], offset[1])
        self._level_m = site.ground.level_m
        self.acquired = site.local(instrument.acquired, instrument.longitude_deg)
        self._leaf = terrain.leaf(self.acquired)
        self.sun = site.sun(self.acquired)[:2]
        self._overpass = int(f"{self.acquired:%Y%m%d}")
        true = BandTable(
            self.bands.names,
            tuple(centre + self.shift_um for centre in self.bands.centre_um),
            self.bands.fwhm_um,
        )
        table = tabulate_spectra(terrain.materials(library), terrain.constituents)
        self._spectra = spectra_in_bands(table, true)
        # Down along the sun's rays and up to the zenith.
        self._airmass = 1.0 / math.sin(math.radians(self.sun[0])) + 1.0
        self._water_depth = optical_depth(_WATER_LINES, true)
        depth = self._water * self._water_depth + optical_depth(_OTHER_LINES, true)
        # At difficulty 0 there is no air.
        self._gas = np.maximum(np.exp(-grade * self._airmass * depth), _LEAST_GAS)
        self._snr = np.interp(self.bands.centre_um, *zip(*instrument.snr, strict=True))
        place = np.log(np.asarray(self.bands.centre_um))
        wave = fractal_noise(place, 0 * place, self._key("calibration"), _GAIN_PERIOD, 2)
        self._gain = 1.0 + difficulty * instrument.gain_std * wave

    def _key(self, name: str) -> np.uint64:
        return field_key(self._ground.seed, f"{self.instrument.sensor} {name} {self._overpass}")

    def _place(self, window: Window) -> Window:
        """A window of the product's grid in the pixels of the whole ground."""
        return Window(window.col_off + self._first[0], window.row_off, window.width, window.height)

    def observe(self, window: Window) -> np.ndarray:
        """Reflectance of a window of the product's grid, (bands, rows, columns) float32.

        That of the surface where the product is corrected, else at the top of the atmosphere; NaN
        where the sensor does not look.
        """
        ground, pixel_m = self._ground, self.instrument.pixel_m
        place = self._place(window)
        grade = min(ground.difficulty, 1.0)
        seen = top_of_atmosphere(
            surface_reflectance(
                ground.season(ground.abundances(place, pixel_m), self._leaf),
                ground.variability(place, pixel_m),
                self._spectra,
            ),
            *ground.illumination(place, pixel_m, *self.sun),
            ground.elevation(place, pixel_m),
            ground.clouds(place, pixel_m, *self.sun, self._overpass),
            np.asarray(self.bands.centre_um),
            self._gas,
            self.sun[0],
            self._aerosol,
            grade,
        )
        columns = np.arange(place.width) + place.col_off
        rows = np.arange(place.height) + place.row_off
        drift = self._water_residual(columns, rows)
        unseen = self._unseen(columns, rows)
        for index, centre in enumerate(self.bands.centre_um):
            signal = seen[index] + self._noise(index, columns, rows, seen[index])
            stripes = white_noise(columns, np.zeros(1, int), self._key(f"stripes of {index}"))
            signal *= 1.0 + ground.difficulty * self.instrument.stripe_std * stripes
            if self.instrument.corrected:
                signal = undo_air(
                    signal,
                    centre,
                    self._gas[index],
                    self.sun[0],
                    self._assumed_aerosol,
                    grade,
                    self._level_m,
                )
                signal *= np.exp(self._water_depth[index] * drift)
            seen[index] = self._gain[index] * signal
        seen[:, unseen] = np.nan
        return seen

    def _noise(
        self, band: int, columns: np.ndarray, rows: np.ndarray, signal: np.ndarray
    ) -> np.ndarray:
        """Noise of a band's reflectance: a constant part and one that grows with the signal."""
        typical = _NOISE_REFLECTANCE * self._gas[band]
        variance = _DARK_NOISE + (1 - _DARK_NOISE) * np.maximum(signal, 0.0) / typical
        deviation = self._ground.difficulty * typical / self._snr[band] * np.sqrt(variance)
        return deviation * white_noise(columns, rows, self._key(f"noise of band {band}"))

    def _water_residual(self, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Water (g cm-2) that the correction takes out too much along the beam, (rows, columns)."""
        x, y = np.meshgrid(columns * self.instrument.pixel_m, rows * self.instrument.pixel_m)
        drift = fractal_noise(x, y, self._key("water vapour"), _DRIFT_M, 3)
        drift *= _WATER_DRIFT_STD * min(self._ground.difficulty, 1.0)
        return self._airmass * self._water * (self._water_error + drift)

    def _unseen(self, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Pixels that reach over the eastern edge of the swath, (rows, columns) bool."""
        _, east, slant = self._covers
        down = (rows + 0.5) / self._whole.height
        edge = east + slant * (0.5 - down)
        return ((columns + 1.0) / self._whole.width)[None, :] > edge[:, None]

    def flags(self, window: Window) -> dict[str, np.ndarray]:
        """Masks of cloud, cloud_shadow and cirrus of a window, as an algorithm would set them.

        Nearly right, less so on harder ground: edges scatter, and shadows are a pixel off for each
        unit of difficulty.
        """
        ground = self._ground
        shift = round(ground.difficulty)
        place = self._place(window)
        around = ground.clouds(
            padded(place, shift), self.instrument.pixel_m, *self.sun, self._overpass
        )
        inner = (slice(shift, shift + place.height), slice(shift, shift + place.width))
        moved = (inner[0], slice(2 * shift, 2 * shift + place.width))
        sky = Sky(around.cloud[inner], around.shadow[moved], around.cirrus[inner], around.haze)
        columns = np.arange(place.width) + place.col_off
        rows = np.arange(place.height) + place.row_off
        scatter = white_noise(columns, rows, self._key("cloud mask"))
        opacity = 1.0 - np.exp(-sky.cloud) + 0.04 * ground.difficulty * scatter
        cloud = (opacity > _CLOUD_OPACITY) & (sky.cloud > 0)
        return {
            "cloud": cloud,
            "cloud_shadow": (1.0 - np.exp(-sky.shadow) > _SHADOW_OPACITY) & ~cloud,
            "cirrus": (sky.cirrus > _CIRRUS_REFLECTANCE) & ~cloud,
        }


def _step_m(instrument: Instrument) -> float:
    """What a product begins and ends on multiples of: of 30 m, or of larger pixels."""
    return max(instrument.pixel_m, _STEP_M)


def _part(
    whole: Grid, instrument: Instrument, covers: tuple[float, float, float]
) -> tuple[Grid, tuple[int, int]]:
    """The grid of a sensor's product, and the first of its pixels among those of the whole ground.

    covers: as in `Instrument`.
    """
    west, east, slant = covers
    per_step = round(_step_m(instrument) / instrument.pixel_m)
    steps = whole.width / per_step
    first = math.floor(steps * west) * per_step
    last = math.ceil(steps * min(1.0, east + slant / 2)) * per_step
    transform = whole.transform @ Affine.translation(first, 0)
    return Grid(whole.crs, transform, last - first, whole.height), (first, 0)
