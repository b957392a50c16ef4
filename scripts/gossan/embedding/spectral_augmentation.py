"""Pure spectra as a sensor might see them: lit, hazy, mixed, coarse or fine, noisy, shifted.

Changes are made at the library's resolution, before the bands are formed, in the order of the
light: grains, neighbours within the pixel, slope, air, detectors. A batch is made when it is
asked for and forgotten then, so the memory needed does not know how many will be asked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from gossan.cube.bands import StackBands
from gossan.cube.instruments import INSTRUMENTS
from gossan.embedding.regions import Region, absorbs
from gossan.embedding.training_spectra import (
    CHANNELS_UM,
    TrainingSpectra,
    response_matrix,
    stack_spectra,
)
from gossan.errors import InputError

# Residual absorption after correction: centre µm, full width µm, optical depth at 1 cm of water or
# a vertical path through oxygen and carbon dioxide (rounded from Gao and Goetz 1990, J. Geophys.
# Res. 95, 3549-3564, at the resolution of an imaging spectrometer).
WATER = (
    (0.72, 0.02, 0.05),
    (0.82, 0.03, 0.08),
    (0.94, 0.05, 0.60),
    (1.14, 0.06, 0.70),
    (1.38, 0.08, 4.0),
    (1.88, 0.11, 4.5),
    (2.60, 0.30, 4.0),
)
GASES = ((0.762, 0.008, 0.5), (1.27, 0.02, 0.1), (2.01, 0.02, 0.4), (2.06, 0.02, 0.3))
HAZE_EXPONENT = -1.3
"""Ångström's exponent: haze adds light that falls with wavelength as λ^-1.3."""

DETECTORS_UM = (1.0, 1.8)
"""Where spectrometers change detectors, in the field as in the laboratory."""

SHIFT_STEP_UM = 1e-3
MASKS = ("paired", "each")
"""How sensors are hidden in a triplet: from the positive, and from half of the anchors the same; or
from each spectrum by a draw of its own."""


@dataclass(frozen=True)
class Augmentation:
    """Strength of each change; 0 switches it off.

    `gain` and `depth` are standard deviations of the logarithm: of illumination, and of the
    exponent that deepens absorptions (R/C)^k, as a longer path through coarser grains does (Clark
    and Roush 1984). `slope` is that of reflectance's relative tilt over the whole range, `water`
    of the residual water vapour in cm, `haze` of added reflectance at 0.55 µm, `steps` of the
    relative step between detectors. `noise` (reflectance) and `shift_nm` (centres) are by sensor.

    Another spectrum is mixed into half of the pixels, with a share of up to `mixing`, and so again
    for each of `others`; the share `background` of them are soil, plants and minerals without an
    absorption in the region. `coating` is the largest exponent of another's absorptions over the
    whole pixel. In a region, `colour` is the standard deviation of log reflectance at its ends
    that smooth colours of the ground make, `calibration` that of each band's gain.
    """

    gain: float = 0.3
    slope: float = 0.15
    depth: float = 0.3
    mixing: float = 0.4
    others: int = 1
    background: float = 0.0
    coating: float = 0.0
    colour: float = 0.0
    calibration: float = 0.0
    water: float = 0.05
    haze: float = 0.01
    steps: float = 0.01
    noise: Mapping[str, float] = field(
        default_factory=lambda: {name: item.noise for name, item in INSTRUMENTS.items()}
    )
    shift_nm: Mapping[str, float] = field(
        default_factory=lambda: {name: item.shift_nm for name, item in INSTRUMENTS.items()}
    )

    def __post_init__(self):
        """Raise InputError for a strength that cannot be used."""
        for name in (
            *("gain", "slope", "depth", "water", "haze", "steps"),
            *("background", "coating", "colour", "calibration"),
        ):
            if not 0 <= getattr(self, name) <= 2:
                raise InputError(f"{name}: {getattr(self, name):g} is not from 0 to 2")
        if not 0 <= self.mixing < 1:
            raise InputError(f"mixing: {self.mixing:g} is not a share below 1")
        if not 1 <= self.others <= 9:
            raise InputError(f"others: {self.others} is not from 1 to 9")

    def describe(self, sensors: Sequence[str]) -> dict[str, object]:
        """What a record says about it, of the sensors that there are."""
        described = asdict(self)
        for kind in ("noise", "shift_nm"):
            described[kind] = {name: described[kind].get(name, 0.0) for name in sensors}
        return described


GROUND = Augmentation(others=3, background=0.5, coating=0.3, colour=0.15, calibration=0.012)
"""What real ground does to a region of the spectrum: up to four things in a pixel, soil and plants
among them, under a coat and a colour."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Triplets (n): spectra (n, B) float32 of anchor and positive, 0 where a sensor is absent.

    Anchors are pure spectra at the places `records` (n,) of the training spectra, positives
    augmented ones of the same mineral; `labels` (n,) number the minerals. The negative of a
    triplet is the positive of another, of another mineral: `negative` (n,) is its place.
    """

    records: np.ndarray
    labels: np.ndarray
    anchor: np.ndarray
    positive: np.ndarray
    negative: np.ndarray


class Augmenter:
    """Makes augmented spectra of training spectra in a stack's bands."""

    def __init__(
        self,
        training: TrainingSpectra,
        bands: StackBands,
        augmentation: Augmentation,
        region: Region | None = None,
    ):
        """Prepare what all batches share: continua, response matrices, shapes of gases.

        In a `region`, records without an absorption there are background: they fill no sensor, so
        none is made of them, and are only mixed in. `backgrounds` are their places.
        """
        self.bands, self.augmentation, self.region = bands, augmentation, region
        self.names = sorted(set(training.minerals))
        self.labels = np.array([self.names.index(name) for name in training.minerals])
        matrix = response_matrix(bands)
        later = response_matrix(bands, SHIFT_STEP_UM)
        self._responses = np.ascontiguousarray(matrix.T)
        self._changes = np.ascontiguousarray((later - matrix).T / np.float32(SHIFT_STEP_UM * 1000))
        self.pure, self.filled = stack_spectra(training, bands, matrix)
        active = np.ones(len(training), bool) if region is None else absorbs(training, region)
        self.backgrounds = np.flatnonzero(~active)
        self.left_out = [
            f"{name}: {' '.join(np.array(bands.sensors)[~filled])}"
            for name, filled in zip(training.records, self.filled, strict=True)
            if not filled.all()
        ]
        self.filled &= active[:, None]
        hull = training.continuum()
        self._hull = np.maximum(hull, np.float32(1e-4))
        self._depth = np.log(np.maximum(training.reflectance / self._hull, np.float32(1e-3)))
        self._place = ((CHANNELS_UM - 1.4) / 1.05).astype(np.float32)
        self._water, self._gases = _optical_depth(WATER), _optical_depth(GASES)
        self._curve = None
        if augmentation.colour and region is not None:
            place = region.place()
            # Slope, bend and twist, each half as strong as the one before.
            self._curve = np.stack([place, place**2 / 2, place**3 / 4])
        self._haze = ((CHANNELS_UM / 0.55) ** HAZE_EXPONENT).astype(np.float32)
        self._of_sensor = np.array([bands.sensors.index(name) for name in bands.sensor])
        self._noise = self._by_band(augmentation.noise)
        self._shift = np.array(
            [augmentation.shift_nm.get(name, 0.0) for name in bands.sensors], np.float32
        )

    def _by_band(self, strength: Mapping[str, float]) -> np.ndarray:
        return np.array([strength.get(name, 0.0) for name in self.bands.sensor], np.float32)

    def augment(self, records: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Augmented spectra (n, B) float32 of the records at these places (n,).

        What is mixed in is another record of any other mineral. Bands of sensors that the record
        does not fill are 0.
        """
        strength, count = self.augmentation, len(records)

        def normal(spread: float, width: int = 1) -> np.ndarray:
            numbers = generator.standard_normal((count, width), np.float32)
            return np.multiply(numbers, np.float32(spread), out=numbers)

        spectra = self._grains(records, np.exp(normal(strength.depth)))
        # Half of the spectra stay pure: a class reference is one.
        for _ in range(strength.others):
            mixed = np.flatnonzero(generator.random(count) < 0.5)
            depth = np.exp(normal(strength.depth))[mixed]
            others = self._grains(self.draw_others(records[mixed], generator), depth)
            share = generator.uniform(0, strength.mixing, (len(mixed), 1)).astype(np.float32)
            spectra[mixed] += share * (others - spectra[mixed])
        if strength.coating:
            depth = generator.uniform(0, strength.coating, (count, 1)).astype(np.float32)
            spectra *= np.exp(depth * self._depth[self.draw_others(records, generator)])
        if self._curve is not None:
            spectra *= np.exp(normal(strength.colour, len(self._curve)) @ self._curve)
        light = 1 + normal(strength.slope) * self._place
        for edge in DETECTORS_UM:
            light += normal(strength.steps) * (edge < CHANNELS_UM)
        np.maximum(light, np.float32(0.1), out=light)
        air = normal(strength.gain) - normal(strength.water) * self._water
        air -= normal(strength.water) * self._gases
        light *= np.exp(air, out=air)
        spectra *= light
        spectra += np.abs(normal(strength.haze)) * self._haze
        values = spectra @ self._responses
        shift = normal(1.0, len(self.bands.sensors)) * self._shift
        values += shift[:, self._of_sensor] * (spectra @ self._changes)
        values += normal(1.0, len(self.bands)) * self._noise
        if strength.calibration:
            values *= 1 + normal(strength.calibration, len(self.bands))
        np.maximum(values, np.float32(1e-4), out=values)
        values *= self.bands.present_bands(self.filled[records])
        return values

    def _grains(self, records: np.ndarray, exponent: np.ndarray) -> np.ndarray:
        spectra = self._depth[records] * exponent
        np.exp(spectra, out=spectra)
        spectra *= self._hull[records]
        return spectra

    def draw_others(self, records: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """For each record (n,), one of another mineral, or itself where there is none.

        The share `background` of them are drawn from the backgrounds.
        """
        found = np.array(records)
        same = np.full(len(found), len(self.names) > 1)
        if self.augmentation.background and self.backgrounds.size:
            drawn = self.backgrounds[generator.integers(0, self.backgrounds.size, len(found))]
            plain = generator.random(len(found)) < self.augmentation.background
            found, same = np.where(plain, drawn, found), same & ~plain
        while same.any():
            found[same] = generator.integers(0, len(self.labels), same.sum())
            same = same & (self.labels[found] == self.labels[records])
        return found


def _optical_depth(bands: tuple[tuple[float, float, float], ...]) -> np.ndarray:
    centre, width, depth = np.array(bands).T
    away = (CHANNELS_UM[:, None] - centre) / (width / 2.3548)
    return (depth * np.exp(-0.5 * away**2)).sum(axis=1).astype(np.float32)


def mask_sensors(filled: np.ndarray, max_masked: int, generator: np.random.Generator) -> np.ndarray:
    """Sensors (n, S) bool left after n ~ U{0..max_masked} of those filled (n, S) are taken away.

    At least one is always left.
    """
    asked = generator.integers(0, max_masked + 1, len(filled))
    order = np.where(filled, generator.random(filled.shape), np.inf).argsort(axis=1)
    rank = order.argsort(axis=1)
    taken = np.minimum(asked, np.maximum(filled.sum(axis=1) - 1, 0))
    return filled & (rank >= taken[:, None])


def stream_batches(
    augmenter: Augmenter,
    targets: Sequence[str],
    *,
    triplets: int,
    batch: int,
    max_masked: int,
    seed: int | Sequence[int],
    masks: str = MASKS[0],
) -> Iterator[Batch]:
    """`triplets` triplets in batches of `batch`, made one by one.

    Half of the anchors are of the `targets`, each equally often, the others of any mineral.
    Positives lose sensors at random; half of the anchors stay whole, the other half lose those
    that their positive loses. With `masks` "each", anchors lose sensors by a draw of their own.
    Raises InputError where there is only one mineral.
    """
    generator = np.random.default_rng(seed)
    labels, filled = augmenter.labels, augmenter.filled
    every = [np.flatnonzero(labels == place) for place in range(len(augmenter.names))]
    every = [own[filled[own].any(axis=1)] for own in every]
    wanted = [every[augmenter.names.index(name)] for name in targets]
    every = [own for own in every if own.size]
    for name, own in zip(targets, wanted, strict=True):
        if not own.size:
            raise InputError(
                f"{name}: none of its spectra fills the bands of a sensor; add a library that does"
            )
    if len(every) < 2:
        raise InputError(
            f"{augmenter.names[0]}: is the only mineral of the library; add a library of others, "
            "from which it is to be told"
        )
    for start in range(0, triplets, batch):
        count = min(batch, triplets - start)
        groups = [wanted if own else every for own in generator.random(count) < 0.5]
        own = [group[generator.integers(len(group))] for group in groups]
        records, partners = (
            np.array([part[generator.integers(part.size)] for part in own]) for _ in range(2)
        )
        present = mask_sensors(filled[partners], max_masked, generator)
        if masks == "each":
            kept = mask_sensors(filled[records], max_masked, generator)
        else:
            shared = filled[records] & present
            whole = (generator.random(count) < 0.5) | ~shared.any(axis=1)
            kept = np.where(whole[:, None], filled[records], shared)
        bands = augmenter.bands.present_bands
        yield Batch(
            records,
            labels[records],
            augmenter.pure[records] * bands(kept),
            augmenter.augment(partners, generator) * bands(present),
            _other_rows(labels[records], generator),
        )


def _other_rows(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """For each row, another row of another label; itself where there is none."""
    order = generator.random((len(labels), len(labels)))
    order[labels[:, None] == labels] = -1
    found = order.argmax(axis=1)
    return np.where(order.max(axis=1) < 0, np.arange(len(labels)), found)
