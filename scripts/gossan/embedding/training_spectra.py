"""Pure spectra that an embedding network learns from, and their way into a stack's bands."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gossan.cube.bands import StackBands
from gossan.errors import InputError
from gossan.legend import MapClass
from gossan.library.readers import read_library
from gossan.library.resample import MAX_GAP_SHARE, band_responses, sampled_steps
from gossan.library.spectrum import Spectrum
from gossan.raster import BandTable
from gossan.transforms.continuum import upper_hull

CHANNELS_UM = np.arange(350, 2503, 4) / 1000.0
"""Channels that all libraries are brought to: as fine as a laboratory's resolution."""

DARKEST = 1e-3
_SERIES = {
    "chlorite": "clinochlore chamosite ripidolite prochlorite thuringite penninite pennine "
    "sheridanite corundophilite delessite diabantite leuchtenbergite kammererite",
    "serpentine": "antigorite chrysotile lizardite",
    "biotite": "phlogopite annite siderophyllite lepidomelane",
    "tourmaline": "elbaite schorl dravite uvite",
    "muscovite": "sericite fuchsite phengite",
    "alunite": "natroalunite natro-alunite",
    "jarosite": "natrojarosite natro-jarosite",
    "hematite": "specularite martite",
    "gypsum": "selenite",
    "orthoclase": "adularia",
    "epidote": "pistacite",
    "halloysite": "endellite",
}
VARIETIES = {name: mineral for mineral, names in _SERIES.items() for name in names.split()}
"""Varieties and members of a series that libraries list under their own names, and the mineral of
which they are (chlorite: Bayliss 1975, Canadian Mineralogist 13, 178-180; micas: Rieder et al.
1998, Clays and Clay Minerals 46, 586-595). A study that looks for one by its own name gets it."""


@dataclass(frozen=True, eq=False)
class TrainingSpectra:
    """Pure spectra at CHANNELS_UM.

    `records` (R,) are their names in the library, `minerals` (R,) what each is of, lower case;
    `reflectance` (R, C) float32 as fraction, without gaps; `known` (R, C) bool is False where a
    value was only drawn across a wide gap. `modelled` (R,) tells computed from measured spectra.
    """

    records: tuple[str, ...]
    minerals: tuple[str, ...]
    reflectance: np.ndarray
    known: np.ndarray
    modelled: tuple[bool, ...]

    def __len__(self) -> int:
        """Number of records."""
        return len(self.records)

    def take(self, rows: Sequence[int] | np.ndarray) -> "TrainingSpectra":
        """The records at these places."""
        rows = np.arange(len(self))[rows]
        return TrainingSpectra(
            tuple(self.records[row] for row in rows),
            tuple(self.minerals[row] for row in rows),
            self.reflectance[rows],
            self.known[rows],
            tuple(self.modelled[row] for row in rows),
        )

    def continuum(self) -> np.ndarray:
        """Upper convex hull (R, C) float32 of every record (Clark and Roush 1984)."""
        return upper_hull(CHANNELS_UM, self.reflectance).astype(np.float32)


def mineral_of(name: str, wanted: Collection[str] = ()) -> str:
    """The mineral that a library's record is of: its first word, varieties as their mineral.

    A variety that is itself `wanted` keeps its name.

    "Calcite_REE-bearing WS319a" is calcite, "Clinochlore_Fe GDS157" chlorite, but
    "Ammonio-Jarosite SCF-NHJ" is a mineral of its own.
    """
    words = [word for word in name.lower().split() if not word.endswith(".spc")]
    # Names of covers are whole: "green_vegetation".
    first = words[0] if words else ""
    own = first.split("_")[0] if len(words) > 1 else first
    return series_of(own, wanted)


def series_of(mineral: str, wanted: Collection[str] = ()) -> str:
    """The mineral of which this one is a variety; itself where it is none, or is `wanted`."""
    return mineral if mineral in wanted else VARIETIES.get(mineral, mineral)


def read_training(paths: Sequence[str | Path], classes: Sequence[MapClass]) -> TrainingSpectra:
    """All records of libraries, those of the classes and all others, which are their rivals.

    Libraries are what `libraries.read_library` reads. Raises InputError naming a class of which
    no library has a spectrum between 0.4 and 2.4 µm.
    """
    spectra = [spectrum for path in paths for spectrum in read_library(path)]
    return gather_training(spectra, classes, ", ".join(str(path) for path in paths))


def gather_training(
    spectra: Sequence[Spectrum],
    classes: Sequence[MapClass],
    where: str,
    minerals: Sequence[str] | None = None,
) -> TrainingSpectra:
    """Spectra brought to CHANNELS_UM; see `read_training`.

    `minerals` (one per spectrum) says what each is of, where a table knows better than its name. A
    mixture with one of the classes in it ("calcite+muscovite") that is none of them is left out:
    ground of both is to be found as that class, so it is no rival of it.
    """
    wanted = {item.name for item in classes}
    if minerals is None:
        found = [mineral_of(item.name, wanted) for item in spectra]
    else:
        found = [series_of(name, wanted) for name in minerals]
    sampled = [_sample(item) for item in spectra]
    kept = [
        row
        for row, (values, _) in enumerate(sampled)
        if values is not None and (found[row] in wanted or not wanted & set(found[row].split("+")))
    ]
    names = {found[row] for row in kept}
    for item in classes:
        if item.name not in names:
            raise InputError(
                f"{where}: has no spectrum of {item.name}; add a library that has one, or take "
                f"{item.name} out of the study's classes"
            )
    return TrainingSpectra(
        tuple(spectra[row].name for row in kept),
        tuple(found[row] for row in kept),
        np.array([sampled[row][0] for row in kept], np.float32),
        np.array([sampled[row][1] for row in kept], bool),
        tuple(spectra[row].modelled for row in kept),
    )


def _sample(spectrum: Spectrum) -> tuple[np.ndarray | None, np.ndarray | None]:
    """A spectrum's values at CHANNELS_UM and where they are known; None without any."""
    valid = np.isfinite(spectrum.reflectance)
    wavelength = spectrum.wavelength_um[valid]
    inside = (wavelength >= 0.4) & (wavelength <= 2.4)
    if np.count_nonzero(inside) < 2:
        return None, None
    values = np.interp(CHANNELS_UM, wavelength, spectrum.reflectance[valid])
    right = np.searchsorted(wavelength, CHANNELS_UM)
    known = (right > 0) & (right < wavelength.size)
    right = np.clip(right, 1, wavelength.size - 1)
    known &= sampled_steps(wavelength)[right - 1]
    known |= np.isin(CHANNELS_UM, wavelength)
    return np.maximum(values, DARKEST), known


def response_matrix(bands: StackBands, shift_um: float = 0.0) -> np.ndarray:
    """Weights (B, C) float32 that turn reflectance at CHANNELS_UM into that of a stack's bands.

    Rows add up to 1. Bands are Gaussians of their centre and FWHM. `shift_um` moves all bands to
    longer waves. The spectrum is taken as straight lines between channels, as in
    `resample.band_mean`. Raises InputError for a band outside of CHANNELS_UM.
    """
    matrix = np.zeros((len(bands), CHANNELS_UM.size))
    for sensor in bands.sensors:
        part = bands.part(sensor)
        table = BandTable(bands.band[part], bands.centre_um[part], bands.fwhm_um[part])
        for row, response in enumerate(band_responses(table, None), part.start):
            matrix[row] = _weights(response.wavelength_um + shift_um, response.response)
    total = matrix.sum(axis=1)
    if not (total > 0).all():
        name = bands.names[int(np.argmin(total))]
        raise InputError(
            f"band {name}: lies outside {CHANNELS_UM[0]:g} to {CHANNELS_UM[-1]:g} µm; leave it out"
        )
    return (matrix / total[:, None]).astype(np.float32)


def _weights(wavelength_um: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Integral of a response times each channel's triangle, (C,), by trapezoids."""
    low, high = wavelength_um[[0, -1]]
    inner = CHANNELS_UM[(low < CHANNELS_UM) & (high > CHANNELS_UM)]
    grid = np.union1d(wavelength_um, inner)
    grid = grid[(grid >= CHANNELS_UM[0]) & (grid <= CHANNELS_UM[-1])]
    weights = np.zeros(CHANNELS_UM.size)
    if grid.size < 2:
        return weights
    steps = np.diff(grid)
    share = np.zeros(grid.size)
    share[1:] += steps / 2
    share[:-1] += steps / 2
    share *= np.interp(grid, wavelength_um, response)
    right = np.clip(np.searchsorted(CHANNELS_UM, grid), 1, CHANNELS_UM.size - 1)
    place = (grid - CHANNELS_UM[right - 1]) / (CHANNELS_UM[right] - CHANNELS_UM[right - 1])
    np.add.at(weights, right - 1, share * (1 - place))
    np.add.at(weights, right, share * place)
    return weights


def filled_sensors(training: TrainingSpectra, bands: StackBands, matrix: np.ndarray) -> np.ndarray:
    """Where a record fills all bands of a sensor, (R, S) bool in the order of `bands.sensors`.

    As in `resample`, a band is a gap once more than 5 % of its response falls on unknown channels.
    """
    gaps = (~training.known).astype(np.float32) @ matrix.T > MAX_GAP_SHARE
    return np.stack([~gaps[:, bands.part(sensor)].any(axis=1) for sensor in bands.sensors], axis=1)


def stack_spectra(
    training: TrainingSpectra, bands: StackBands, matrix: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pure spectra (R, B) float32 in a stack's bands, and which sensors they fill (R, S) bool.

    Bands of a sensor that a record does not fill are 0.
    """
    filled = filled_sensors(training, bands, matrix)
    spectra = training.reflectance @ matrix.T
    return np.where(bands.present_bands(filled), spectra, np.float32(0)), filled
