"""Library spectra at a sensor's bands: by its response functions, else by Gaussians."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gossan.errors import InputError
from gossan.library.readers import MOST_LEFT_OUT, References
from gossan.library.spectrum import Spectrum
from gossan.raster import BandTable

# Sensor name of a cube's SENSOR tag -> satellite and sensor in pyrsr.
SENSORS = {
    "landsat-8 oli_tirs": ("Landsat-8", "OLI_TIRS"),
    "landsat-8 oli": ("Landsat-8", "OLI_TIRS"),
    "landsat-9 oli_tirs": ("Landsat-9", "OLI_TIRS"),
    "landsat-9 oli": ("Landsat-9", "OLI_TIRS"),
    "sentinel-2a msi": ("Sentinel-2A", "MSI"),
    "sentinel-2b msi": ("Sentinel-2B", "MSI"),
    "terra aster": ("Terra", "ASTER"),
}
# Tables that are none of a measurement, by satellite, sensor and band.
NOT_MEASURED = {
    ("Terra", "ASTER", "1"): (
        "a Gaussian of 80 nm around 0.556 µm, of which a quarter lies outside the band's 0.52 to "
        "0.60 µm; no measured curve is at hand"
    ),
}
# A band is a gap once more than this share of its response falls where the spectrum has none.
# One deleted channel at 0.843 µm, where laboratory spectrometers change detectors, touches 3.7 %
# of OLI's band 5 and cannot move it noticeably; it takes 14 % of Sentinel-2's band 8.
MAX_GAP_SHARE = 0.05
# Neighbouring channels farther apart than this share of their wavelength leave a gap.
MAX_RELATIVE_STEP = 0.05
# A straight line spans what was deleted no farther than this: most Beckman records lack one channel
# near 0.843 µm, where the spectrometer changes detectors, 16 nm wide. Absorptions are wider.
MAX_BRIDGE_UM = 0.02
# A step this many times as wide as the steps around it is where channels were deleted: some tables
# drop their rows instead of marking them.
UNUSUAL_STEP = 1.5
STEPS_AROUND = 9
FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
GAUSSIAN_REACH_SIGMAS = 4.0
GAUSSIAN_STEPS = 321


@dataclass(frozen=True)
class Response:
    """Relative response (n,) of one band over wavelength (n,) in µm, ascending."""

    wavelength_um: np.ndarray
    response: np.ndarray


def has_response(sensor: str | None) -> bool:
    """Whether tables of response functions of this sensor are at hand."""
    return sensor is not None and sensor.strip().lower() in SENSORS


def note_responses(sensor: str | None, band_names: Sequence[str]) -> list[str]:
    """Notes on those of a sensor's bands whose tables are no measured response."""
    if not has_response(sensor):
        return []
    names = {_table_key(name): name for name in band_names}
    return [
        f"band {names[band]}: library spectra are resampled with {what}"
        for (*owner, band), what in NOT_MEASURED.items()
        if tuple(owner) == SENSORS[sensor.strip().lower()] and band in names
    ]


def _table_key(band: str) -> str:
    """A band's name in the tables of responses."""
    return band.strip().upper().removeprefix("BAND").strip(" _").removeprefix("B").lstrip("0")


def sensor_response(sensor: str, band_names: Sequence[str]) -> list[Response]:
    """Response functions of bands, from the tables that pyrsr ships: measured but NOT_MEASURED.

    `sensor` is named as in a cube's SENSOR tag ("Landsat-8 OLI_TIRS", "Sentinel-2A MSI",
    "Terra ASTER"); bands as "B1", "B01", "1", "B8A" or "3N".

    Raises InputError for a sensor or a band without a table.
    """
    if not has_response(sensor):
        raise InputError(
            f"sensor {sensor!r}: no response functions; known are {', '.join(sorted(SENSORS))}"
        )
    return [_band_response(*SENSORS[sensor.strip().lower()], name) for name in band_names]


@lru_cache(maxsize=256)
def _band_response(satellite: str, sensor: str, band: str) -> Response:
    # pyrsr pulls in pandas, which only this function needs.
    from pyrsr.rsr import RSR_reader

    key = _table_key(band)
    try:
        table = RSR_reader(satellite, sensor, LayerBandsAssignment=[key])[key]
    except FileNotFoundError as error:
        raise InputError(
            f"band {band!r}: {satellite} {sensor} has no response function of that name; "
            "name the cube's bands as the sensor does (B1, B2, …)"
        ) from error
    wavelength = table[:, 0] / (1000.0 if table[0, 0] > 100 else 1.0)
    # Measured tables dip below zero by noise; a negative response has no meaning.
    return Response(wavelength, np.clip(table[:, 1], 0.0, None))


def gaussian_response(centre_um: float, fwhm_um: float) -> Response:
    """Gaussian response of a band, cut off at four standard deviations.

    Raises InputError unless centre and width are finite and positive.
    """
    if not (np.isfinite([centre_um, fwhm_um]).all() and centre_um > 0 and fwhm_um > 0):
        raise InputError(
            f"band at {centre_um} µm with FWHM {fwhm_um} µm: both must be above 0; "
            "correct the band table"
        )
    sigmas = np.linspace(-GAUSSIAN_REACH_SIGMAS, GAUSSIAN_REACH_SIGMAS, GAUSSIAN_STEPS)
    return Response(centre_um + sigmas * fwhm_um / FWHM_PER_SIGMA, np.exp(-0.5 * sigmas**2))


def band_responses(bands: BandTable, sensor: str | None) -> list[Response]:
    """Responses of all bands: the sensor's own tables where there are some, else Gaussians.

    Raises InputError when neither is possible, or when a band's table lies elsewhere than the
    centre that the band table gives.
    """
    if has_response(sensor):
        responses = sensor_response(sensor, bands.names)
        for name, centre, response in zip(bands.names, bands.centre_um, responses, strict=False):
            low, high = response.wavelength_um[[0, -1]]
            if not low <= centre <= high:
                raise InputError(
                    f"band {name!r}: centre {centre:g} µm, but {sensor} has it between {low:g} "
                    f"and {high:g} µm; correct the band's name or wavelength"
                )
        return responses
    if not bands.names or len(bands.centre_um) != len(bands.names):
        raise InputError("the bands have no centre wavelengths; write them into the raster")
    if len(bands.fwhm_um) != len(bands.names):
        raise InputError("the bands have no FWHM; write it into the raster")
    return [
        gaussian_response(centre, fwhm)
        for centre, fwhm in zip(bands.centre_um, bands.fwhm_um, strict=True)
    ]


def sampled_steps(wavelength_um: np.ndarray) -> np.ndarray:
    """Where a straight line between neighbouring valid channels stands for the spectrum, (n - 1,).

    `wavelength_um` (n,) ascends and skips deleted channels. A line may be as long as the
    instrument's own steps there, up to 5 % of the wavelength; across deleted channels it may be
    MAX_BRIDGE_UM long.
    """
    wavelength = np.asarray(wavelength_um, np.float64)
    return _sampled_steps(wavelength.tobytes())


@lru_cache(maxsize=64)
def _sampled_steps(wavelength_um: bytes) -> np.ndarray:
    wavelength = np.frombuffer(wavelength_um, np.float64)
    steps = np.diff(wavelength)
    if steps.size == 0:
        return np.zeros(0, bool)
    around = np.pad(steps, STEPS_AROUND // 2, mode="reflect" if steps.size > 4 else "edge")
    usual = np.median(np.lib.stride_tricks.sliding_window_view(around, STEPS_AROUND), axis=1)
    # Bounds are met by tables whose wavelengths were rounded.
    near = steps <= MAX_BRIDGE_UM + 1e-6
    own = (steps <= UNUSUAL_STEP * usual) & (steps <= MAX_RELATIVE_STEP * wavelength[1:])
    known = near | own
    known.setflags(write=False)
    return known


def band_mean(spectrum: Spectrum, response: Response) -> float:
    """Response-weighted mean reflectance of one band; NaN where the spectrum has a gap.

    The spectrum is taken as straight lines between neighbouring valid channels. Where a channel
    is marked as deleted, nothing is known from its left to its right neighbour, nor where
    neighbours are too far apart (`sampled_steps`). Both grids are merged, so the integral is as
    fine as the finer of the two. The library's own resolution is not removed.
    """
    wavelength, reflectance = spectrum.wavelength_um, spectrum.reflectance
    low, high = response.wavelength_um[[0, -1]]
    inner = wavelength[(wavelength > low) & (wavelength < high)]
    grid = np.union1d(response.wavelength_um, inner)
    weight = np.interp(grid, response.wavelength_um, response.response)
    middle = 0.5 * (grid[1:] + grid[:-1])
    share = 0.5 * (weight[1:] + weight[:-1]) * np.diff(grid)
    # A piece of the grid never crosses a channel, so its middle tells whether it is known.
    right = np.searchsorted(wavelength, middle)
    inside = (right > 0) & (right < wavelength.size)
    right = np.clip(right, 1, wavelength.size - 1)
    known = inside & np.isfinite(reflectance[right]) & np.isfinite(reflectance[right - 1])
    known &= sampled_steps(wavelength)[right - 1]
    if share[~known].sum() > MAX_GAP_SHARE * share.sum():
        return float("nan")
    valid = np.isfinite(reflectance)
    value = np.interp(grid, wavelength[valid], reflectance[valid])
    # Trapezoids of weight times reflectance over the known pieces only.
    product = 0.5 * ((weight * value)[1:] + (weight * value)[:-1]) * np.diff(grid)
    return float(product[known].sum() / share[known].sum())


def resample_spectrum(spectrum: Spectrum, bands: BandTable, sensor: str | None) -> np.ndarray:
    """Reflectance (bands,) of a spectrum at a sensor's bands.

    NaN where deleted channels, or wavelengths the spectrum does not reach, hold more than 5 %
    of the band's response. See `band_responses` for the errors raised.
    """
    return np.array([band_mean(spectrum, response) for response in band_responses(bands, sensor)])


def resample_classes(
    chosen: Mapping[str, Spectrum],
    bands: BandTable,
    sensor: str | None,
    what: str = "the bands",
) -> References:
    """The chosen spectrum of each class at a sensor's bands, in the order of `chosen`.

    See `resample_records`.
    """
    single = {name: [spectrum] for name, spectrum in chosen.items()}
    return resample_records(single, bands, sensor, what)[0]


def resample_records(
    chosen: Mapping[str, Sequence[Spectrum]],
    bands: BandTable,
    sensor: str | None,
    what: str = "the bands",
) -> tuple[References, list[Spectrum]]:
    """The records of each class at a sensor's bands, and which records they are.

    A class's leading record is its first among those with the fewest bands without data. Bands
    over which a leading record has none are left out, as all spectra are compared at the same
    bands: MOST_LEFT_OUT of them at most. Further records that lack one of the bands kept are left
    out. `what` names the bands' owner in messages. Raises InputError where more bands would go,
    naming the class that lacks the most, its spectrum and the bands.
    """
    try:
        responses = band_responses(bands, sensor)
    except InputError as error:
        raise InputError(f"{what}: {error}") from error
    means = {
        name: np.array([[band_mean(one, response) for response in responses] for one in spectra])
        for name, spectra in chosen.items()
    }
    gaps = {name: np.isnan(values) for name, values in means.items()}
    leading = {name: int(lacks.sum(axis=1).argmin()) for name, lacks in gaps.items()}
    lacking = np.array([gaps[name][place] for name, place in leading.items()])
    kept = ~lacking.any(axis=0)
    if np.count_nonzero(~kept) > MOST_LEFT_OUT * len(kept):
        name = list(chosen)[int(lacking.sum(axis=1).argmax())]
        spectrum = chosen[name][leading[name]]
        bare = [b for b, gap in zip(bands.names, gaps[name][leading[name]], strict=True) if gap]
        raise InputError(
            f"{spectrum.source}: {spectrum.name!r} has no data over band {', '.join(bare)} of "
            f"{what}: its wavelengths go from {spectrum.wavelength_um[0]:.4g} to "
            f"{spectrum.wavelength_um[-1]:.4g} µm"
            + (f" (file's unit: {spectrum.unit})" if spectrum.unit else "")
            + f"; name another record of {name!r} in resources/static/minerals.csv"
        )
    names, records, reflectance = [], [], []
    for name, spectra in chosen.items():
        complete = np.flatnonzero(~gaps[name][:, kept].any(axis=1)).tolist()
        for place in sorted(complete, key=lambda place: (place != leading[name], place)):
            names.append(name)
            records.append(spectra[place])
            reflectance.append(means[name][place, kept])
    return References(
        names=tuple(names),
        band=tuple(band for band, keep in zip(bands.names, kept, strict=True) if keep),
        wavelength_um=np.array(bands.centre_um, dtype=np.float64)[kept],
        fwhm_um=np.array(bands.fwhm_um, dtype=np.float64)[kept],
        reflectance=np.array(reflectance),
    ), records
