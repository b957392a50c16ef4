"""Minerals of single spectra seen by one sensor: an embedding network beside its opponents.

Spectra of any instrument are brought to the sensor's bands of a trained network, whose other
sensors are absent. Thresholds and limits come from library spectra as that sensor sees them, since
distances with one sensor are others than with five; a network of a region names by margin.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gossan.cube.bands import StackBands
from gossan.embedding.answers import ANSWERS, NAMED, NONE
from gossan.embedding.detection import number_text
from gossan.embedding.detector_assessment import draw_library, examine_detector, pure_spectra
from gossan.embedding.detectors import Detector, Embedding, SpectralAngle, score_spectra
from gossan.embedding.mapper import LIMIT, choose
from gossan.embedding.margins import least_margin, library_margin, margins
from gossan.embedding.model import EmbeddingModel
from gossan.embedding.sensor_scores import LIBRARY
from gossan.embedding.shape_fit import ShapeFit
from gossan.embedding.spectral_augmentation import Augmenter
from gossan.errors import InputError
from gossan.library.readers import read_library
from gossan.library.resample import (
    FWHM_PER_SIGMA,
    GAUSSIAN_REACH_SIGMAS,
    GAUSSIAN_STEPS,
    MAX_GAP_SHARE,
    sampled_steps,
)
from gossan.library.spectrum import Spectrum

BLURRED = 1.54
"""Width (FWHM) of what channels and the straight lines between them blur, in their spacings.

A channel is about 1.2 spacings wide (EMIT's 1.13, AVIRIS's 1.0); lines, being weighted means of
neighbours, act like 0.96 on average. Squares add up.
"""
CALIBRATION_SPECTRA = 2000
"""Augmented library spectra per mineral that choose thresholds and limits."""
MARGIN_SPECTRA = 200
"""Augmented library spectra per mineral, and of all rivals, that choose a margin."""
HEAD = (
    *("spectrum", "source", "region", "method", "answer", "mineral", "nearest", "distance"),
    *("threshold", "within_threshold", "limit", "within_limit", "margin", "least_margin"),
)
"""Columns of the table, before the distance to each mineral."""
SUMMARY_COLUMNS = (
    *("region", "method", "mineral", "spectra", "nearest", "within_threshold", "within_limit"),
    *("named", "named_share"),
)
EVERY, NONE_OF_THEM = "all", "unclassified"


def read_spectra(paths: Sequence[str | Path]) -> list[Spectrum]:
    """The spectra of files and folders, in the order given; see `libraries.read_library`."""
    return [spectrum for path in paths for spectrum in read_library(path)]


def bands_of(bands: StackBands, sensor: str) -> StackBands:
    """The bands of one sensor; InputError for one that the stack lacks."""
    if sensor not in bands.sensors:
        raise InputError(
            f"sensor {sensor!r}: the network was trained with {', '.join(bands.sensors)}; name one"
        )
    part = bands.part(sensor)
    return StackBands(
        bands.sensor[part], bands.band[part], bands.centre_um[part], bands.fwhm_um[part]
    )


def band_weights(wavelength_um: np.ndarray, bands: StackBands) -> tuple[np.ndarray, np.ndarray]:
    """Weights (b, C) that turn a spectrum's channels into bands, and which bands are gaps (b,).

    A band is a Gaussian of its centre and FWHM. Widths of Gaussians add up in squares, so what
    the channels have blurred already, BLURRED times their spacing, is taken off the band's width.
    Where that is as wide as the band or wider, the band is read at its centre, on a straight line
    between neighbours, and remains blunter than it should be. `wavelength_um` (C,) ascends and
    skips deleted channels. Lines are as long as `sampled_steps` lets them be, and a band is a gap
    once more than 5 % of it falls elsewhere.
    """
    wavelength = np.asarray(wavelength_um, np.float64)
    centre, width = np.array(bands.centre_um), np.array(bands.fwhm_um)
    blurred = BLURRED * _steps(wavelength, centre)
    left_um = np.sqrt(np.maximum(width**2 - blurred**2, 0)) / FWHM_PER_SIGMA
    sigmas = np.linspace(-GAUSSIAN_REACH_SIGMAS, GAUSSIAN_REACH_SIGMAS, GAUSSIAN_STEPS)
    share = np.exp(-0.5 * sigmas**2)
    share /= share.sum()
    points = centre[:, None] + left_um[:, None] * sigmas
    known = (points >= wavelength[0]) & (points <= wavelength[-1])
    known &= sampled_steps(wavelength)[_right(wavelength, points) - 1]
    points = np.clip(points, wavelength[0], wavelength[-1])
    right = _right(wavelength, points)
    place = (points - wavelength[right - 1]) / (wavelength[right] - wavelength[right - 1])
    weights = np.zeros((len(bands), wavelength.size))
    row = np.broadcast_to(np.arange(len(bands))[:, None], points.shape)
    np.add.at(weights, (row, right - 1), share * (1 - place))
    np.add.at(weights, (row, right), share * place)
    return weights, (~known * share).sum(axis=1) > MAX_GAP_SHARE


def _right(wavelength: np.ndarray, points: np.ndarray) -> np.ndarray:
    return np.clip(np.searchsorted(wavelength, points), 1, wavelength.size - 1)


def _steps(wavelength: np.ndarray, points: np.ndarray) -> np.ndarray:
    right = _right(wavelength, points)
    return wavelength[right] - wavelength[right - 1]


def to_bands(spectra: Sequence[Spectrum], bands: StackBands) -> np.ndarray:
    """Reflectance (n, b) float32 of spectra at one sensor's bands.

    Raises InputError naming the spectrum and the band that it does not reach, or a spectrum that
    is nowhere above 0.
    """
    made: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
    found = np.empty((len(spectra), len(bands)), np.float32)
    for row, spectrum in enumerate(spectra):
        valid = np.isfinite(spectrum.reflectance)
        wavelength = spectrum.wavelength_um[valid]
        who = f"{spectrum.source}: {spectrum.name!r}"
        if wavelength.size < 2:
            raise InputError(f"{who} has fewer than two channels; give whole spectra")
        key = wavelength.tobytes()
        if key not in made:
            made[key] = band_weights(wavelength, bands)
        weights, gaps = made[key]
        if gaps.any():
            place = int(np.argmax(gaps))
            raise InputError(
                f"{who} has no reflectance over {bands.names[place]} at "
                f"{bands.centre_um[place]:.3f} µm; leave the spectrum out, or train a network "
                "on a table of bands in which this one is not kept"
            )
        found[row] = weights @ spectrum.reflectance[valid]
        if not (found[row] > 0).any():
            raise InputError(f"{who} is nowhere above 0 in {bands.sensors[0]}'s bands; check it")
    return found


def make_methods(model: EmbeddingModel, augmenter: Augmenter) -> dict[str, Detector]:
    """Network, spectral angle and, in a region, shape fit over one sensor's bands, `augmenter`'s.

    The network sees its other sensors as absent. Angle and fit are of the best library record.
    """
    own, whole = augmenter.bands, model.header.bands
    part = whole.part(own.sensors[0])

    def distances(spectra: np.ndarray) -> np.ndarray:
        widened = np.zeros((len(spectra), len(whole)), np.float32)
        widened[:, part] = spectra
        return model.distances(widened)

    minerals = model.header.minerals
    references, owners = pure_spectra(augmenter, minerals)
    methods = {
        "masked" if model.header.masked else "unmasked": Embedding(minerals, distances),
        "sam": SpectralAngle(own, minerals, references, owners),
    }
    if augmenter.region is not None:
        methods["shape"] = ShapeFit(own, minerals, references, owners)
    return methods


@dataclass(frozen=True, eq=False)
class Named:
    """Answers of a method to n spectra.

    `scores` (n, K) are distances to the minerals; `thresholds` and `limits` (K,), NaN where there
    is none; `nearest` (n,) and `winner` (n,) places of minerals, `answers` (n,) as `choose` has
    them. `region` is that of the network, `least_margin` what names there, else NaN.
    """

    minerals: tuple[str, ...]
    scores: np.ndarray
    thresholds: np.ndarray
    limits: np.ndarray
    nearest: np.ndarray
    winner: np.ndarray
    answers: np.ndarray
    region: str = ""
    least_margin: float = float("nan")


def calibrate(
    methods: Mapping[str, Detector],
    augmenter: Augmenter,
    *,
    spectra: int,
    coverage: float,
    seed: int,
    threads: int = 1,
) -> dict[str, dict[str, dict[str, object]]]:
    """Thresholds by method and mineral, in the form of thresholds.json.

    Chosen on `spectra` augmented library spectra of each mineral and as many of all others: the
    threshold (LIBRARY) of the largest F1, and the limit (conformal) that keeps the share `coverage`
    of a mineral's own. These are of records that the methods know, so strangers lie farther away.
    """
    found = {}
    for method, detector in methods.items():
        library = draw_library(augmenter, detector.minerals, spectra, seed)
        examined = examine_detector(
            method,
            detector,
            library,
            None,
            training={},
            coverage=coverage,
            replicates=0,
            seed=seed,
            threads=threads,
        )
        found[method] = examined.thresholds
    return found


def name_spectra(
    detector: Detector,
    thresholds: Mapping[str, Mapping[str, object]],
    spectra: np.ndarray,
    threads: int = 1,
) -> Named:
    """Name spectra (n, b) at the bands of a detector, by its thresholds of `calibrate`."""
    scores = score_spectra(detector, spectra, np.ones((len(spectra), 1), bool), threads)
    limits = _values(thresholds, detector.minerals, LIMIT)
    winner, answers = choose(scores, limits)
    return Named(
        detector.minerals,
        scores,
        _values(thresholds, detector.minerals, LIBRARY),
        limits,
        scores.argmin(axis=1),
        winner,
        answers,
    )


def calibrate_margins(
    methods: Mapping[str, Detector], augmenter: Augmenter, *, seed: int, threads: int = 1
) -> dict[str, float]:
    """The library's margin (`margins.library_margin`) of each method in a region.

    On as many augmented spectra of each mineral as of all rivals together.
    """
    found = {}
    for method, detector in methods.items():
        library = draw_library(augmenter, detector.minerals, MARGIN_SPECTRA, seed)
        scores = score_spectra(detector, library.spectra, library.present, threads)
        found[method] = library_margin(scores, library.truth)
    return found


def name_by_margin(
    detector: Detector,
    of_library: float,
    spectra: np.ndarray,
    *,
    share: float,
    region: str,
    threads: int = 1,
) -> Named:
    """Name the spectra (n, b) of a region that have the margin of `margins.least_margin`."""
    scores = score_spectra(detector, spectra, np.ones((len(spectra), 1), bool), threads)
    own = margins(scores)
    least = least_margin(own, of_library, share)
    nearest = scores.argmin(axis=1)
    nothing = np.full(len(detector.minerals), np.nan)
    answers = np.where(own >= least, NAMED, NONE).astype(np.uint8)
    return Named(
        detector.minerals, scores, nothing, nothing, nearest, nearest, answers, region, least
    )


def _values(thresholds: Mapping, minerals: Sequence[str], kind: str) -> np.ndarray:
    return np.array(
        [np.nan if thresholds[name][kind] is None else thresholds[name][kind] for name in minerals]
    )


def columns(named: Sequence[Named]) -> tuple[str, ...]:
    """Columns of the table of `naming_rows`."""
    minerals = dict.fromkeys(name for own in named for name in own.minerals)
    return (*HEAD, *(f"distance_{name}" for name in minerals))


def naming_rows(
    spectra: Sequence[Spectrum], named: Sequence[Mapping[str, Named]]
) -> list[dict[str, object]]:
    """A row of `columns` per spectrum, network and method; `named` is by network and method.

    `answer` is that of a map: named, where exactly one mineral keeps its limit, else none or
    several; in a region named, where the margin is large enough, else none. `threshold` and
    `limit` are those of the nearest mineral.
    """
    words = {item.code: item.name for item in ANSWERS}
    rows = []
    for row, spectrum in enumerate(spectra):
        for method, own in (pair for network in named for pair in network.items()):
            near, distance = int(own.nearest[row]), own.scores[row]
            answer = int(own.answers[row])
            name = own.minerals[own.winner[row]] if answer == NAMED else None
            rows.append(
                {
                    "spectrum": spectrum.name,
                    "source": Path(spectrum.source).name,
                    "region": own.region,
                    "method": method,
                    "answer": words[answer],
                    "mineral": name,
                    "nearest": own.minerals[near],
                    "distance": number_text(distance[near]),
                    "threshold": number_text(own.thresholds[near]),
                    "within_threshold": _within(own, row, own.thresholds),
                    "limit": number_text(own.limits[near]),
                    "within_limit": _within(own, row, own.limits),
                    "margin": number_text(margins(distance[None])[0]),
                    "least_margin": number_text(own.least_margin),
                    **{
                        f"distance_{mineral}": number_text(value)
                        for mineral, value in zip(own.minerals, distance, strict=True)
                    },
                }
            )
    return rows


def _within(named: Named, row: int, limits: np.ndarray) -> str | None:
    """Whether a spectrum's nearest mineral keeps its limit; None in a region, where none counts."""
    if named.region:
        return None
    near = named.nearest[row]
    return "yes" if named.scores[row, near] <= limits[near] else "no"


def summary_rows(named: Sequence[Mapping[str, Named]]) -> list[dict[str, object]]:
    """Rows of SUMMARY_COLUMNS: by network and method, of each mineral, the unclassified, and all.

    `nearest` counts spectra that are nearest to the mineral; `within_threshold` and `within_limit`
    those of them near enough, empty in a region, where margins decide; `named` those that have it
    for an answer.
    """
    rows = []
    for method, own in (pair for network in named for pair in network.items()):
        count = len(own.nearest)
        distance = own.scores[np.arange(count), own.nearest]
        near = distance <= own.thresholds[own.nearest]
        kept = distance <= own.limits[own.nearest]
        sure = own.answers == NAMED
        groups = [
            (name, own.nearest == place, sure & (own.winner == place))
            for place, name in enumerate(own.minerals)
        ]
        nobody, everybody = np.zeros(count, bool), np.ones(count, bool)
        groups += [(NONE_OF_THEM, nobody, ~sure), (EVERY, everybody, everybody)]
        for mineral, group, answered in groups:
            row = {"region": own.region, "method": method, "mineral": mineral, "spectra": count}
            if mineral != NONE_OF_THEM:
                row["nearest"] = int(group.sum())
            if mineral != NONE_OF_THEM and not own.region:
                row |= {
                    "within_threshold": int((group & near).sum()),
                    "within_limit": int((group & kept).sum()),
                }
            row |= {
                "named": int(answered.sum()),
                "named_share": f"{answered.sum() / count:.4f}",
            }
            rows.append(row)
    return rows
