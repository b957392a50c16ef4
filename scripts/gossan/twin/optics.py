"""From constituents to reflectance at the top of the atmosphere, for any optical sensor.

Linear mixing of spectra that vary, a Lambertian slope in sun and sky light, molecules and aerosol
above it, clouds between. Simple closed formulas with their sources: enough to make the faults that
mapping methods meet in real scenes, not a radiative transfer code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expn

from gossan.errors import InputError
from gossan.library.resample import FWHM_PER_SIGMA, band_mean, band_responses
from gossan.library.spectrum import Spectrum
from gossan.raster import BandTable
from gossan.transforms.continuum import remove_continuum
from gossan.twin.terrain import Sky, Variability

# Factors on the absorption depths at which band values are tabulated.
DEPTH_NODES = np.linspace(0.4, 1.9, 7)
# Continua are drawn over this range (µm): beyond it lie the deep bands of water near 2.9 µm.
_CONTINUUM_RANGE_UM = (0.35, 2.55)
# Wavelengths (µm) over which spectra are tabulated.
_TABLE_UM = np.arange(350, 2551) / 1000
_SCALE_HEIGHT_AIR_M = 8000.0
_SCALE_HEIGHT_AEROSOL_M = 1800.0
_ANGSTROM_EXPONENT = 1.3
_SINGLE_SCATTERING_ALBEDO = 0.93
_ASYMMETRY = 0.65
# Reflectance of thick water cloud falls with the absorption of liquid water (wavelength µm).
_CLOUD_REFLECTANCE = ((0.4, 1.0, 1.3, 1.65, 2.2, 2.5), (0.74, 0.72, 0.66, 0.56, 0.42, 0.36))


@dataclass(frozen=True)
class BandSpectra:
    """Spectra of the constituents in a sensor's bands.

    values: (depth nodes, constituents, bands) reflectance; centre_um: (bands,).
    """

    values: np.ndarray
    centre_um: np.ndarray


def band_spectra(
    spectra: Sequence[Spectrum],
    bands: BandTable,
    sensor: str | None,
    constituents: Sequence[str],
) -> BandSpectra:
    """Resample the spectra of all constituents of a ground at several absorption depths.

    Depth k turns reflectance R with convex-hull continuum C into C * (R / C)**k, as a longer path
    through the grains does (Clark and Roush 1984, JGR 89, 6329). Raises InputError when a
    constituent has no spectrum of its name, or one with gaps over a band.
    """
    named = find_spectra(spectra, constituents)
    responses = band_responses(bands, sensor)
    values = np.empty((DEPTH_NODES.size, len(constituents), len(bands.names)))
    low, high = _CONTINUUM_RANGE_UM
    for index, name in enumerate(constituents):
        spectrum = named[name]
        used = np.isfinite(spectrum.reflectance)
        used &= (spectrum.wavelength_um >= low) & (spectrum.wavelength_um <= high)
        wavelength, reflectance = spectrum.wavelength_um[used], spectrum.reflectance[used]
        quotient = remove_continuum(wavelength, reflectance)
        for node, depth in enumerate(DEPTH_NODES):
            deepened = reflectance * quotient ** (depth - 1.0)
            changed = Spectrum(name, wavelength, deepened, spectrum.source)
            values[node, index] = [band_mean(changed, response) for response in responses]
        if not np.isfinite(values[:, index]).all():
            raise InputError(
                f"{spectrum.source}: spectrum {name} has a gap over a band of "
                f"{sensor or 'the sensor'}; choose another record"
            )
    return BandSpectra(values, np.asarray(bands.centre_um))


def find_spectra(spectra: Sequence[Spectrum], constituents: Sequence[str]) -> dict[str, Spectrum]:
    """Spectra by their names; InputError when a constituent of the ground has none."""
    named = {spectrum.name: spectrum for spectrum in spectra}
    missing = [name for name in constituents if name not in named]
    if missing:
        raise InputError(
            f"the library has no spectrum named {', '.join(missing)}; "
            "the simulator needs one of each of the ground's constituents"
        )
    return named


def mix_spectra(library: Sequence[Spectrum], name: str, recipe: Mapping[str, float]) -> Spectrum:
    """The spectrum of an intimate mixture, of weights by the names of a library's spectra.

    The ratio K/S = (1 - R)² / 2R of absorption to scattering is additive over the grains of a
    mixture (Kubelka and Munk 1931, Zeitschrift für technische Physik 12, 593; Duncan 1940, Proc.
    Phys. Soc. 52, 390), so that a dark grain counts for more than its share, as it does in ore.
    Raises InputError when the library lacks a spectrum, or two of the recipe have no wavelengths in
    common.
    """
    named = find_spectra(library, tuple(recipe))
    parts = [named[part] for part in recipe]
    low = max(part.wavelength_um[0] for part in parts)
    high = min(part.wavelength_um[-1] for part in parts)
    grid = parts[0].wavelength_um
    grid = grid[(grid >= low) & (grid <= high)]
    if grid.size == 0:
        raise InputError(
            f"{parts[0].source}: {' and '.join(recipe)} have no wavelengths in common; "
            "choose other records"
        )
    ratio = np.zeros(grid.size)
    for part, weight in zip(parts, recipe.values(), strict=True):
        reflectance = np.interp(grid, part.wavelength_um, part.reflectance)
        reflectance = np.clip(reflectance, 1e-3, 1.0)
        ratio += weight / sum(recipe.values()) * (1 - reflectance) ** 2 / (2 * reflectance)
    mixed = 1 + ratio - np.sqrt(ratio**2 + 2 * ratio)
    return Spectrum(name, grid, mixed, parts[0].source)


def tabulate_spectra(spectra: Sequence[Spectrum], constituents: Sequence[str]) -> np.ndarray:
    """Reflectance of the constituents at several absorption depths over _TABLE_UM.

    (depth nodes, constituents, wavelengths), deepened as in `band_spectra`. Straight lines
    close gaps, and the last channel stands for all beyond the end of a spectrum: bands there, at
    the ends of the detectors, are in no study's use. Raises InputError for a missing spectrum.
    """
    named = find_spectra(spectra, constituents)
    table = np.empty((DEPTH_NODES.size, len(constituents), _TABLE_UM.size))
    for index, name in enumerate(constituents):
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


def surface_reflectance(
    abundances: np.ndarray, variability: Variability, spectra: BandSpectra
) -> np.ndarray:
    """Reflectance of the mixed ground, (bands, rows, columns) float32.

    abundances: (constituents, rows, columns), summing to 1, or to less where plants shade
    themselves. Each constituent's spectrum is deepened, tilted and brightened by its own
    `variability`, then mixed by area (linear mixing: Adams et al. 1986, JGR 91, 8098).
    """
    spacing = DEPTH_NODES[1] - DEPTH_NODES[0]
    table = spectra.values.astype(np.float32)
    log_wavelength = np.log(spectra.centre_um).astype(np.float32)
    out = np.zeros((spectra.centre_um.size, *abundances.shape[1:]), np.float32)
    for index, share in enumerate(abundances):
        if not share.any():
            continue
        place = (variability.depth[index] - np.float32(DEPTH_NODES[0])) / np.float32(spacing)
        node = np.clip(place.astype(np.int64), 0, DEPTH_NODES.size - 2)
        part = (place - node).astype(np.float32)
        weight = share * variability.brightness[index]
        for band in range(out.shape[0]):
            column = table[:, index, band]
            value = column[node] + part * (column[node + 1] - column[node])
            tilt = np.exp(variability.tilt[index] * log_wavelength[band])
            out[band] += weight * value * tilt
    return np.clip(out, 0.0, 1.0)


def rayleigh_optical_depth(wavelength_um: np.ndarray) -> np.ndarray:
    """Optical depth of the molecules over sea level (Hansen and Travis 1974, SSR 16, 527)."""
    inverse = 1.0 / np.asarray(wavelength_um, np.float64) ** 2
    return 0.008569 * inverse**2 * (1.0 + 0.0113 * inverse + 0.00013 * inverse**2)


def top_of_atmosphere(
    surface: np.ndarray,
    direct: np.ndarray,
    sky_view: np.ndarray,
    elevation_m: np.ndarray,
    sky: Sky,
    wavelength_um: np.ndarray,
    gas_transmittance: np.ndarray,
    sun_elevation_deg: float,
    aerosol_055: float,
    molecules: float = 1.0,
) -> np.ndarray:
    """Reflectance at the top of the atmosphere seen from the zenith, (bands, rows, columns).

    surface: reflectance (bands, rows, columns); direct, sky_view: from Ground.illumination;
    elevation_m: (rows, columns); sky: from Ground.clouds; wavelength_um and gas_transmittance
    (both ways): per band; aerosol_055: optical depth at 0.55 µm over sea level; molecules: factor
    on the Rayleigh optical depth. Returns float32.

    The scheme is that of 5S and 6S (Tanré et al. 1990, IJRS 11, 659; Vermote et al. 1997, IEEE
    TGRS 35, 675), Tg * (path + T * surface / (1 - S * surface)), with single scattering for the
    path, exp(-(0.52 τr + τa / 6) / μ) for the total transmittance (after Gordon et al. 1983,
    Applied Optics 22, 20), and the spherical albedo of molecules alone.
    """
    mu = np.sin(np.radians(sun_elevation_deg))
    # Scattering angle from sun to zenith view: the light turns back by 180 degrees less the
    # sun's zenith angle.
    cosine = -mu
    phase_molecules = 0.75 * (1.0 + cosine**2)
    phase_aerosol = (1 - _ASYMMETRY**2) / (1 + _ASYMMETRY**2 - 2 * _ASYMMETRY * cosine) ** 1.5
    air = np.exp(-elevation_m / _SCALE_HEIGHT_AIR_M).astype(np.float32) * np.float32(molecules)
    dust = np.exp(-elevation_m / _SCALE_HEIGHT_AEROSOL_M).astype(np.float32) * sky.haze
    cover = 1.0 - np.exp(-sky.cloud)
    sunlit = direct * np.exp(-sky.shadow)
    out = np.empty(surface.shape, np.float32)
    for band, wavelength in enumerate(wavelength_um):
        tau_r = np.float32(rayleigh_optical_depth(wavelength)) * air
        tau_a = np.float32(aerosol_055 * (wavelength / 0.55) ** -_ANGSTROM_EXPONENT) * dust
        path = (tau_r * phase_molecules + _SINGLE_SCATTERING_ALBEDO * tau_a * phase_aerosol) / (
            4.0 * mu
        )
        loss = 0.52 * tau_r + tau_a / 6.0
        beam = np.exp(-(tau_r + tau_a) / mu)
        diffuse = np.maximum(np.exp(-loss / mu) - beam, 0.0)
        albedo = np.float32(_spherical_albedo(molecules * rayleigh_optical_depth(wavelength)))
        lit = surface[band] * (sunlit * beam + sky_view * diffuse)
        ground = path + np.exp(-loss) * lit / (1.0 - albedo * surface[band])
        white = np.interp(wavelength, *_CLOUD_REFLECTANCE)
        clouded = (1.0 - cover) * ground + cover * np.float32(white)
        out[band] = gas_transmittance[band] * clouded + sky.cirrus
    return out


def undo_air(
    seen: np.ndarray,
    wavelength_um: float,
    gas_transmittance: float,
    sun_elevation_deg: float,
    aerosol_055: float,
    molecules: float,
    elevation_m: float,
) -> np.ndarray:
    """Surface reflectance of one band as a ground segment would find it, of the shape of `seen`.

    seen: reflectance at the top of the atmosphere. It undoes the air over level ground at one
    height with the aerosol that is assumed; what the aerosol, its drift over the scene, height,
    slope and thin cloud change besides stays in. Arguments as those of `top_of_atmosphere`.
    """
    one = np.ones((1, 1), np.float32)
    none = np.zeros_like(one)

    def through_air(surface: float) -> float:
        return float(
            top_of_atmosphere(
                np.full((1, 1, 1), surface, np.float32),
                one,
                one,
                elevation_m * one,
                Sky(cloud=none, shadow=none, cirrus=none, haze=one),
                np.array([wavelength_um]),
                np.ones(1),
                sun_elevation_deg,
                aerosol_055,
                molecules,
            )[0, 0, 0]
        )

    # Over the ground, y = a r / (1 - s r); two surfaces tell 1 / a and s / a.
    path = through_air(0.0)
    half, whole = 0.5 / (through_air(0.5) - path), 1.0 / (through_air(1.0) - path)
    albedo = 2.0 * (half - whole)
    level = whole + albedo
    ground_part = seen / gas_transmittance - path
    return level * ground_part / (1.0 + albedo * ground_part)


def _spherical_albedo(tau: float) -> float:
    """Spherical albedo of a molecular atmosphere (Vermote et al. 1997, 6S manual)."""
    if tau <= 0:
        return 0.0
    return (3 * tau - 4 * expn(3, tau) + 6 * expn(4, tau)) / (4 + 3 * tau)
