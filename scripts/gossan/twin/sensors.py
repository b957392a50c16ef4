"""One simulated ground seen by five sensors: EMIT, EnMAP, PRISMA, Sentinel-2 and WorldView-3.

The ground is that of the Landsat twin's porphyry systems, in the place of Cuprite in Nevada. Each
sensor sees it on a day of its own, through its own pixels, bands and noise, from a little beside
of where it believes to look, with wavelengths a little off, and through air that its correction
knows only nearly; WorldView-3 comes without a correction. Not all of them see all of the ground.
"""

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.legend import MapClass, class_colours, write_class_style
from gossan.library.resample import FWHM_PER_SIGMA, band_responses
from gossan.library.spectrum import Spectrum
from gossan.products.sentinel2 import band_table
from gossan.products.sun import sun_position
from gossan.raster import BandTable, Grid, Layer, map_blocks
from gossan.transforms.continuum import remove_continuum
from gossan.twin.emit import emit_bands, write_emit
from gossan.twin.enmap import enmap_bands, write_enmap
from gossan.twin.ground import (
    BASE_ELEVATION_M,
    CONSTITUENTS,
    COVERS,
    Ground,
    Sky,
    ellipse_radius,
    padded,
    smooth_step,
    wrapped,
)
from gossan.twin.landsat import constituent_codes
from gossan.twin.noise import field_key, fractal_noise, white_noise
from gossan.twin.optics import (
    DEPTH_NODES,
    BandSpectra,
    surface_reflectance,
    top_of_atmosphere,
)
from gossan.twin.prisma import prisma_bands, write_prisma
from gossan.twin.sentinel2 import (
    BANDS_OF,
    Date,
    product_name,
    replace_all,
    take_images,
    undo_air,
    write_date,
)
from gossan.twin.sentinel2 import (
    PIXEL_M as SENTINEL2_PIXEL_M,
)
from gossan.twin.worldview3 import worldview3_bands, write_worldview3

DEFAULT_SIZE_PX = 128
PIXEL_M = 30
# A scene is as many whole pixels of 60 m.
SIZE_STEP_PX, LEAST_PX = 2, 32
TRUTH_NODATA = 255
ORIGIN = "Simulated by gossan; not a satellite image"
PRODUCT_ID = "simulated-cuprite"
# Names of what is written, by sensor.
OUTPUTS = {
    "emit": "emit.nc",
    "enmap": "enmap",
    "prisma": "prisma.he5",
    "sentinel2": "sentinel2",
    "worldview3": "worldview3",
}
SENSORS = tuple(OUTPUTS)

# Centre of the scene: Cuprite, 37.53° N, 117.20° W.
_CRS = CRS.from_epsg(32611)
_CENTRE_M = (482_340, 4_153_800)
_GRID_STEP_M = 60
# The district is drawn at this scale, so that a scene of the default size, which is centred on this
# point of the district (km), holds half of it: caps of leached rock and of alunite, the intrusion
# between them, and limestone.
_SCALE, _DISTRICT_CENTRE_KM = 0.5, (1.2, -1.4)
# Bodies of jarosite in the leached cap beside those that the fluids' noise makes: centre, half
# axes (km) and angle in the district.
_JAROSITE_BODIES = ((2.6, -2.3, 0.42, 0.7, 0.4), (-0.6, -2.9, 0.4, 0.55, 0.0))
_BASE_ELEVATION_M = 1450.0
# What the corrections take the ground's height to be.
_LEVEL_M = 1600.0
# Of the green plants of wetter ground, the share that stays green in the desert, and the share
# that is dry; the rest is bare rock.
_STAYS_GREEN, _STANDS_DRY = 0.25, 0.25

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
# Wavelengths (µm) over which spectra are tabulated.
_TABLE_UM = np.arange(350, 2551) / 1000
# Reflectance for which the signal-to-noise ratios are told, and the part of the noise variance that
# does not grow with the signal.
_NOISE_REFLECTANCE, _DARK_NOISE = 0.3, 0.3
# Standard deviation of the co-registration error along each axis and its bound, in pixels.
_POINTING_STD_PX, _POINTING_MOST_PX = 0.25, 0.5
# Range of the error of the wavelengths (µm), of either sign.
_SHIFT_UM = (0.0004, 0.0010)
# Period (in ln µm) of the error of the calibration over the wavelengths.
_GAIN_PERIOD = 0.25
_CLOUD_OPACITY, _SHADOW_OPACITY, _CIRRUS_REFLECTANCE = 0.35, 0.3, 0.005

Observe = Callable[[Window], np.ndarray]
Flags = Callable[[Window], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Instrument:
    """What a sensor is like; all but Sentinel-2's, which `gossan.twin.sentinel2` knows.

    snr: signal-to-noise ratio over wavelength (µm) for a reflectance of 0.3 under a high sun;
    gain_std: relative error of the calibration, smooth over wavelength; stripe_std: of each column
    by itself; corrected: whether products are surface reflectance; covers: shares of the scene's
    width between which it sees the ground, and how far its eastern edge slants to the west.
    """

    pixel_m: float
    acquired: datetime
    bands: Callable[[], BandTable]
    snr: tuple[tuple[float, float], ...]
    gain_std: float
    stripe_std: float
    corrected: bool = True
    covers: tuple[float, float] = (0.0, 1.0)
    slant: float = 0.0


# Ratios are rounded: EMIT of the order of Thompson et al. 2024 (Remote Sensing of Environment 303,
# 113986); EnMAP the requirement of 500 at 0.495 µm and 150 at 2.2 µm (Guanter et al. 2015, Remote
# Sensing 7, 8830); PRISMA of the order of Cogliati et al. 2021 (Remote Sensing of Environment 262,
# 112499); WorldView-3 typical of its class.
INSTRUMENTS = {
    "emit": Instrument(
        60.0,
        datetime(2023, 6, 20, 20, 14, 8, tzinfo=UTC),
        emit_bands,
        ((0.38, 250.0), (0.55, 700.0), (1.0, 650.0), (1.6, 600.0), (2.2, 350.0), (2.5, 150.0)),
        gain_std=0.010,
        stripe_std=0.001,
    ),
    "enmap": Instrument(
        30.0,
        datetime(2023, 6, 2, 18, 52, 31, tzinfo=UTC),
        enmap_bands,
        ((0.42, 300.0), (0.495, 500.0), (0.9, 350.0), (1.6, 250.0), (2.2, 150.0), (2.45, 80.0)),
        gain_std=0.012,
        stripe_std=0.003,
    ),
    "prisma": Instrument(
        30.0,
        datetime(2022, 7, 14, 18, 41, 55, tzinfo=UTC),
        prisma_bands,
        ((0.40, 120.0), (0.65, 300.0), (1.0, 200.0), (1.55, 250.0), (2.2, 110.0), (2.5, 45.0)),
        gain_std=0.020,
        stripe_std=0.006,
        covers=(0.0, 0.78),
        slant=0.14,
    ),
    "worldview3": Instrument(
        7.5,
        datetime(2022, 9, 5, 18, 46, 12, tzinfo=UTC),
        worldview3_bands,
        ((0.40, 120.0), (0.65, 180.0), (1.0, 150.0), (1.6, 150.0), (2.3, 110.0)),
        gain_std=0.015,
        stripe_std=0.003,
        corrected=False,
        covers=(0.2, 1.0),
    ),
}
_SENTINEL2_MOMENT = datetime(2022, 6, 24, 18, 29, 21, tzinfo=UTC)
_SENTINEL2 = ("Sentinel-2A", "11SMB", 27, 36587)


class CupriteGround(Ground):
    """The ground of `Ground` in the desert, half a district on a scene of the default size.

    Rivers, snow and most plants are left out, bodies of jarosite are added. offset_m: by how much
    (east, south) everything is seen beside of where it is asked for, as a sensor sees it whose
    pointing is wrong. Scenes smaller than the default are miniatures of it.
    """

    def __init__(
        self,
        seed: int,
        extent_m: tuple[float, float],
        difficulty: float = 1.0,
        offset_m: tuple[float, float] = (0.0, 0.0),
    ):
        """As `Ground`, with its errors."""
        super().__init__(seed, extent_m, difficulty)
        self._offset_m = offset_m
        self._scale = _SCALE * min(1.0, min(self.extent_m) / (DEFAULT_SIZE_PX * PIXEL_M))

    def _frame(self, x_m: np.ndarray, y_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        east = (x_m + self._offset_m[0] - self.extent_m[0] / 2) / (1000.0 * self._scale)
        north = (self.extent_m[1] / 2 - y_m - self._offset_m[1]) / (1000.0 * self._scale)
        s = self._mirror[0] * (self._cos * east + self._sin * north)
        t = self._mirror[1] * (self._cos * north - self._sin * east)
        return s + _DISTRICT_CENTRE_KM[0], t + _DISTRICT_CENTRE_KM[1]

    def _bodies(
        self, s: np.ndarray, t: np.ndarray
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], tuple]:
        hosts, zones, (plan_s, plan_t) = super()._bodies(s, t)
        u, v = wrapped(plan_s), wrapped(plan_t)
        ragged = 0.22 * self._noise("outline of jarosite", plan_s, plan_t, 0.9, 4)
        for body in _JAROSITE_BODIES:
            reach = smooth_step(1.0 - ellipse_radius(u, v, *body) + ragged, 0.16)
            zones["leached_jarosite"] = np.maximum(zones["leached_jarosite"], reach)
        return hosts, zones, (plan_s, plan_t)

    def _covers(self, s: np.ndarray, t: np.ndarray, ore: np.ndarray) -> np.ndarray:
        covers = super()._covers(s, t, ore)
        green, dry, soil, water, snow = (COVERS.index(name) for name in COVERS)
        covers[soil] += covers[water]
        covers[dry] += _STANDS_DRY * covers[green]
        covers[green] *= _STAYS_GREEN
        covers[[water, snow]] = 0.0
        return covers

    def _elevation(self, window: Window, pixel_m: float) -> np.ndarray:
        height = super()._elevation(window, pixel_m)
        return height + (_BASE_ELEVATION_M - BASE_ELEVATION_M)


def scene_grid(size_px: int) -> Grid:
    """The 30 m grid of a scene about its centre, on multiples of 60 m.

    Raises ValueError unless size_px is a multiple of SIZE_STEP_PX of LEAST_PX or more.
    """
    if size_px % SIZE_STEP_PX or size_px < LEAST_PX:
        raise ValueError(f"size {size_px} is no multiple of {SIZE_STEP_PX} from {LEAST_PX} on")
    half = size_px * PIXEL_M / 2
    west, north = (
        _GRID_STEP_M * round(place / _GRID_STEP_M)
        for place in (_CENTRE_M[0] - half, _CENTRE_M[1] + half)
    )
    return Grid(_CRS, Affine(PIXEL_M, 0, west, 0, -PIXEL_M, north), size_px, size_px)


def write_sensors(
    folder: str | Path,
    *,
    seed: int,
    size_px: int = DEFAULT_SIZE_PX,
    difficulty: float,
    library: Sequence[Spectrum],
    classes: Sequence[MapClass],
    sensors: Sequence[str] = SENSORS,
    threads: int = 1,
) -> None:
    """Simulate a scene of size_px x size_px pixels of 30 m as products of `sensors`, and its truth.

    Written into `folder`, all or nothing: OUTPUTS of the sensors in their native layouts, the mask
    of EMIT beside its reflectance, one .zip of Sentinel-2 in its folder; and truth.tif, class
    raster at 30 m of the dominant exposed constituent with the codes of `classes`, with its styles.
    What a sensor sees does not depend on which others are asked for.

    Bytes depend on the arguments without `threads`; memory on the writers' blocks, and on the size
    of the scene as the writers say. Raises InputError for an unknown sensor, and when library or
    classes lack a constituent of the ground; ValueError as `scene_grid` does.
    """
    unknown = [name for name in sensors if name not in SENSORS]
    if unknown or not sensors:
        raise InputError(
            f"sensors: {', '.join(unknown) or 'none is named'}; choose from {', '.join(SENSORS)}"
        )
    folder = Path(folder)
    grid = scene_grid(size_px)
    codes = constituent_codes(classes)
    table = tabulate_spectra(library)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".twin.") as name:
        done = Path(name) / "done"
        done.mkdir()
        _write_truth(done / "truth.tif", seed, difficulty, grid, codes, classes, threads)
        for sensor in SENSORS:
            if sensor not in sensors:
                continue
            path = done / OUTPUTS[sensor]
            if sensor == "sentinel2":
                _write_sentinel2(path, seed, difficulty, grid, table, threads)
                continue
            view = View(sensor, seed, difficulty, grid, table)
            options = {"elevation_m": _LEVEL_M} if sensor == "emit" else {}
            _WRITERS[sensor](
                path,
                view.observe,
                view.grid,
                flags=view.flags,
                bands=view.bands,
                acquired=view.instrument.acquired,
                threads=threads,
                **options,
            )
        replace_all(done, folder)


_WRITERS: dict[str, Callable[..., None]] = {
    "emit": write_emit,
    "enmap": write_enmap,
    "prisma": write_prisma,
    "worldview3": write_worldview3,
}


# ---- spectra and air ----------------------------------------------------------------------------


def tabulate_spectra(library: Sequence[Spectrum]) -> np.ndarray:
    """Reflectance of the constituents at several absorption depths over _TABLE_UM.

    (depth nodes, constituents, wavelengths), deepened as in `optics.band_spectra`. Straight lines
    close gaps, and the last channel stands for all beyond the end of a spectrum: bands there, at
    the ends of the detectors, are in no study's use. Raises InputError for a missing spectrum.
    """
    named = {spectrum.name: spectrum for spectrum in library}
    missing = [name for name in CONSTITUENTS if name not in named]
    if missing:
        raise InputError(
            f"the library has no spectrum named {', '.join(missing)}; "
            "the simulator needs one of each of its constituents"
        )
    table = np.empty((DEPTH_NODES.size, len(CONSTITUENTS), _TABLE_UM.size))
    for index, name in enumerate(CONSTITUENTS):
        used = np.isfinite(named[name].reflectance)
        used &= (named[name].wavelength_um >= _TABLE_UM[0]) & (
            named[name].wavelength_um <= _TABLE_UM[-1]
        )
        wavelength = named[name].wavelength_um[used]
        reflectance = named[name].reflectance[used]
        quotient = remove_continuum(wavelength, reflectance)
        for node, depth in enumerate(DEPTH_NODES):
            deepened = reflectance * quotient ** (depth - 1.0)
            table[node, index] = np.interp(_TABLE_UM, wavelength, deepened)
    return table


def spectra_in_bands(table: np.ndarray, bands: BandTable, sensor: str | None = None) -> BandSpectra:
    """What bands see of `tabulate_spectra`, by response functions as `resample.band_responses`."""
    values = np.empty((*table.shape[:2], len(bands.names)))
    for index, one in enumerate(band_responses(bands, sensor)):
        weight = np.interp(_TABLE_UM, one.wavelength_um, one.response, left=0.0, right=0.0)
        # Only where there is a response, and no matrix product, whose last bits may depend on the
        # number of threads.
        (used,) = np.nonzero(weight)
        values[..., index] = (table[..., used] * weight[used]).sum(axis=-1) / weight.sum()
    return BandSpectra(values, np.asarray(bands.centre_um))


def optical_depth(lines: Sequence[tuple[float, float, float]], bands: BandTable) -> np.ndarray:
    """Vertical optical depth of a gas in bands, (bands,): Gaussian lines seen by Gaussian bands."""
    centre = np.asarray(bands.centre_um)
    sigma = np.asarray(bands.fwhm_um) / FWHM_PER_SIGMA
    total = np.zeros(centre.size)
    for line, width, depth in lines:
        seen = np.hypot(width, sigma)
        total += depth * width / seen * np.exp(-0.5 * ((centre - line) / seen) ** 2)
    return total


# ---- a sensor's view ----------------------------------------------------------------------------


class View:
    """The ground as one sensor's product has it; windows may be asked for from any thread.

    grid: the product's own, a part of the scene; bands: as the product states them.
    """

    def __init__(
        self,
        sensor: str,
        seed: int,
        difficulty: float,
        scene: Grid,
        table: np.ndarray,
    ):
        """Draw what the seed sets for this sensor: pointing, wavelengths, air, calibration.

        scene: of `scene_grid`; table: of `tabulate_spectra`.
        """
        self.sensor = sensor
        self.instrument = instrument = INSTRUMENTS[sensor]
        self.bands = instrument.bands()
        self.grid, self._first = _part(scene, instrument)
        self._size_px = round(scene.width * PIXEL_M / instrument.pixel_m)
        rng = np.random.default_rng([seed & 0xFFFFFFFF, 5, SENSORS.index(sensor)])
        grade = min(difficulty, 1.0)
        pointing = rng.normal(size=2) * _POINTING_STD_PX
        offset = (
            grade * instrument.pixel_m * np.clip(pointing, -_POINTING_MOST_PX, _POINTING_MOST_PX)
        )
        self.shift_um = float(difficulty * rng.choice([-1.0, 1.0]) * rng.uniform(*_SHIFT_UM))
        air, air_error, water, water_error = rng.normal(size=4) * grade
        self._aerosol = _AEROSOL_055 * difficulty * math.exp(_AEROSOL_STD * air)
        self._assumed_aerosol = self._aerosol * math.exp(_AEROSOL_ERROR_STD * air_error)
        self._water = _WATER * math.exp(_WATER_STD * water)
        self._water_error = _WATER_ERROR_STD * water_error
        extent = (scene.width * float(PIXEL_M), scene.height * float(PIXEL_M))
        self._ground = CupriteGround(seed, extent, difficulty, (offset[0], offset[1]))
        self.sun = _sun(scene, instrument.acquired)
        self._overpass = int(f"{instrument.acquired:%Y%m%d}")
        true = BandTable(
            self.bands.names,
            tuple(centre + self.shift_um for centre in self.bands.centre_um),
            self.bands.fwhm_um,
        )
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
        return field_key(self._ground.seed, f"{self.sensor} {name} {self._overpass}")

    def _place(self, window: Window) -> Window:
        """A window of the product's grid in the pixels of the whole scene."""
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
                ground.abundances(place, pixel_m),
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
                    _LEVEL_M,
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
        down = (rows + 0.5) / self._size_px
        edge = self.instrument.covers[1] + self.instrument.slant * (0.5 - down)
        return ((columns + 1.0) / self._size_px)[None, :] > edge[:, None]

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


def _part(scene: Grid, instrument: Instrument) -> tuple[Grid, tuple[int, int]]:
    """The grid of a sensor's product, and the first of its pixels among those of the scene.

    It begins and ends on the scene's pixels of 30 m, or of its own where these are larger.
    """
    step_m = max(instrument.pixel_m, PIXEL_M)
    steps = scene.width * PIXEL_M / step_m
    per_step = round(step_m / instrument.pixel_m)
    slack = instrument.slant / 2
    first = math.floor(steps * instrument.covers[0])
    last = math.ceil(steps * min(1.0, instrument.covers[1] + slack))
    transform = (
        scene.transform
        @ Affine.translation(first * step_m / PIXEL_M, 0)
        @ Affine.scale(instrument.pixel_m / PIXEL_M)
    )
    width, height = (last - first) * per_step, round(steps) * per_step
    return Grid(scene.crs, transform, width, height), (first * per_step, 0)


def _sun(grid: Grid, moment: datetime) -> tuple[float, float]:
    """Elevation and azimuth in degrees over the middle of a grid."""
    x, y = grid.place(grid.width / 2, grid.height / 2)
    (lon,), (lat,) = transform_points(grid.crs, CRS.from_epsg(4326), [x], [y])
    elevation, azimuth, _ = sun_position(moment, lon, lat)
    return elevation, azimuth


# ---- Sentinel-2 and truth -----------------------------------------------------------------------


def _write_sentinel2(
    folder: Path,
    seed: int,
    difficulty: float,
    scene: Grid,
    table: np.ndarray,
    threads: int,
) -> None:
    """The scene as one date of Sentinel-2 that covers all of it."""
    spacecraft, tile, orbit, absolute_orbit = _SENTINEL2
    moment = _SENTINEL2_MOMENT
    rng = np.random.default_rng([seed & 0xFFFFFFFF, 5, SENSORS.index("sentinel2")])
    grade = min(difficulty, 1.0)
    pointing = np.clip(rng.normal(size=2) * _POINTING_STD_PX, -_POINTING_MOST_PX, _POINTING_MOST_PX)
    air, error = rng.normal(size=2) * grade
    aerosol = _AEROSOL_055 * difficulty * math.exp(_AEROSOL_STD * air)
    factor = PIXEL_M // SENTINEL2_PIXEL_M
    grid = Grid(
        scene.crs,
        scene.transform @ Affine.scale(1 / factor),
        scene.width * factor,
        scene.height * factor,
    )
    x, y = grid.place(grid.width / 2, grid.height / 2)
    (lon,), (lat,) = transform_points(grid.crs, CRS.from_epsg(4326), [x], [y])
    elevation, azimuth, distance = sun_position(moment, lon, lat)
    start = f"{moment:%Y%m%dT%H%M%S}"
    date = Date(
        spacecraft=spacecraft,
        tile=tile,
        orbit=orbit,
        moment=moment,
        product_id=product_name(spacecraft, start, orbit, tile),
        granule=f"L2A_T{tile}_A{absolute_orbit:06d}_{start}",
        sun=(elevation, azimuth),
        distance_au=distance,
        aerosol=aerosol,
        assumed_aerosol=aerosol * math.exp(_AEROSOL_ERROR_STD * error),
        leaf=1.0,
        edge_m=math.inf,
    )
    offset = grade * SENTINEL2_PIXEL_M * pointing
    extent = (scene.width * float(PIXEL_M), scene.height * float(PIXEL_M))
    ground = CupriteGround(seed, extent, difficulty, (offset[0], offset[1]))
    spectra = {
        pixel_m: spectra_in_bands(
            table, band_table(spacecraft, names, spacecraft), f"{spacecraft} MSI"
        )
        for pixel_m, names in BANDS_OF.items()
    }

    def take(window: Window) -> dict[str, np.ndarray]:
        return take_images(
            ground,
            date,
            window,
            shares=ground.abundances(window, SENTINEL2_PIXEL_M),
            water=CONSTITUENTS.index("water"),
            variability=ground.variability(window, SENTINEL2_PIXEL_M),
            elevation=ground.elevation(window, SENTINEL2_PIXEL_M),
            level_m=_LEVEL_M,
            spectra=spectra,
        )

    write_date(folder, date, grid, take, threads=threads)


def _write_truth(
    path: Path,
    seed: int,
    difficulty: float,
    grid: Grid,
    codes: Mapping[str, int],
    classes: Sequence[MapClass],
    threads: int,
) -> None:
    extent = (grid.width * float(PIXEL_M), grid.height * float(PIXEL_M))
    ground = CupriteGround(seed, extent, difficulty)
    layer = Layer(
        path,
        "uint8",
        TRUTH_NODATA,
        ("truth",),
        overviews="mode",
        colours=class_colours(classes),
        tags={"SYNTHETIC": "yes", "PRODUCT_ID": PRODUCT_ID, "ORIGIN": ORIGIN},
    )
    map_blocks(
        lambda block: block,
        [lambda window: ground.truth(window, PIXEL_M, codes)],
        [layer],
        grid=grid,
        block_px=256,
        threads=threads,
        progress="simulate truth",
    )
    write_class_style(path, classes)
