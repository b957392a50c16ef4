"""Standard band ratios for alteration minerals, on whichever sensor has their bands.

A ratio of the bands beside an absorption to the band in it grows with the depth of the absorption
and does not change with illumination: (5+7)/6 of ASTER is a relative absorption-band depth after
Crowley et al. (1989). Ratios want reflectance, or anything proportional to it in each band; bands
that were shifted (min-max scaling) keep the order of neighbouring values but not the ratio itself.

Ratios are published for ASTER's bands. Here they are of places in the spectrum (`PLACES`), which
`list_ratios` finds among a sensor's bands by wavelength. A sensor without a band there has no such
ratio: no band stands in for another.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from gossan.errors import InputError
from gossan.transforms.band_search import sensor_parts
from gossan.transforms.vegetation import GREEN_UM, NEAR_INFRARED_UM, RED_UM

if TYPE_CHECKING:
    from gossan.raster import BandTable

FERRIC_IRON = "ferric_iron"

_MANUAL = "Kalinowski and Oliver (2004), ASTER Mineral Index Processing Manual"
_DEPTH = "Crowley et al. (1989), Remote Sensing of Environment 29, 121-134"
_THEMATIC = "Sabins (1999), Ore Geology Reviews 14, 157-183"


@dataclass(frozen=True)
class Place:
    """Where a band of a ratio lies: its centre within `limits_um`, as near as can be to `ideal_um`.

    Its width must be from `narrowest_um` to `widest_um`: a band over all of 2.1 to 2.3 µm does
    not see a single absorption there. Micrometres all.
    """

    limits_um: tuple[float, float]
    ideal_um: float
    widest_um: float = math.inf
    narrowest_um: float = 0.0

    def find(self, bands: "BandTable", among: Sequence[int]) -> int | None:
        """The place of the band among those places of the table, or None."""
        low, high = self.limits_um
        widths = bands.fwhm_um or [None] * len(bands.names)
        fitting = [
            band
            for band in among
            if low <= bands.centre_um[band] < high
            and (widths[band] is None or self.narrowest_um <= widths[band] <= self.widest_um)
        ]
        return min(
            fitting, key=lambda band: abs(bands.centre_um[band] - self.ideal_um), default=None
        )


_NARROW_UM = 0.1
# Channels of an imaging spectrometer.
_CHANNEL_UM = 0.03
PLACES: Mapping[str, Place] = MappingProxyType(
    {
        "blue": Place((0.45, 0.52), 0.482),
        "green": Place(GREEN_UM, 0.556),
        "red": Place(RED_UM, 0.661),
        "near": Place(NEAR_INFRARED_UM, 0.83),
        "1.66": Place((1.55, 1.75), 1.656),
        "2.17": Place((2.145, 2.187), 2.167, _NARROW_UM),
        "2.21": Place((2.187, 2.235), 2.209, _NARROW_UM),
        "2.26": Place((2.235, 2.290), 2.262, _NARROW_UM),
        "2.34": Place((2.290, 2.365), 2.336, _NARROW_UM),
        "2.40": Place((2.365, 2.440), 2.400, _NARROW_UM),
        "broad 2.2": Place((2.08, 2.35), 2.2, narrowest_um=_NARROW_UM),
        "0.76": Place((0.74, 0.78), 0.76, _CHANNEL_UM),
        "0.90": Place((0.88, 0.92), 0.90, _CHANNEL_UM),
        "1.04": Place((1.02, 1.06), 1.04, _CHANNEL_UM),
        "2.12": Place((2.10, 2.14), 2.12, _CHANNEL_UM),
        "2.205": Place((2.195, 2.215), 2.205, _CHANNEL_UM),
        "2.25": Place((2.24, 2.265), 2.25, _CHANNEL_UM),
        "2.28": Place((2.265, 2.295), 2.28, _CHANNEL_UM),
        "2.33": Place((2.32, 2.345), 2.33, _CHANNEL_UM),
        "2.38": Place((2.365, 2.395), 2.38, _CHANNEL_UM),
    }
)
"""The bands of ASTER (1, 2, 3N, 4 to 9), the blue one and the broad one at 2.2 µm of Landsat and
Sentinel-2, and channels of imaging spectrometers in absorptions and beside them."""


@dataclass(frozen=True)
class BandRatio:
    """A sum of bands over a sum of bands, or of PLACES; a product over a product with `product`.

    `marks` says what a large value stands for, `zones` the alteration zones that it is the
    standard ratio of, `source` where it is published. `depth` tells an absorption-band depth
    (shoulders over the absorption) from a slope between two bands.
    """

    name: str
    numerator: tuple[str, ...]
    denominator: tuple[str, ...]
    marks: str
    source: str
    zones: tuple[str, ...] = ()
    depth: bool = True
    product: bool = False

    @property
    def bands(self) -> tuple[str, ...]:
        """All bands that the ratio needs."""
        return (*self.numerator, *self.denominator)

    @property
    def formula(self) -> str:
        """The ratio as it is printed, (5+7)/6."""
        sign = "×" if self.product else "+"

        def term(bands: tuple[str, ...]) -> str:
            return bands[0] if len(bands) == 1 else f"({sign.join(bands)})"

        return f"{term(self.numerator)}/{term(self.denominator)}"


RATIOS: tuple[BandRatio, ...] = (
    BandRatio(
        "al_oh",
        ("2.17", "2.26"),
        ("2.21",),
        "Al-OH: sericite, muscovite, illite, smectite",
        f"{_DEPTH}; {_MANUAL}",
        ("phyllic",),
    ),
    BandRatio(
        "kaolinite_alunite",
        ("1.66", "2.21"),
        ("2.17",),
        "Kaolinite, alunite, pyrophyllite",
        f"{_DEPTH}; {_MANUAL}",
        ("argillic", "advanced-argillic"),
    ),
    BandRatio(
        "mg_oh",
        ("2.21", "2.40"),
        ("2.34",),
        "Mg-OH: chlorite, epidote, amphibole",
        f"{_DEPTH}; {_MANUAL}",
        ("propylitic",),
    ),
    BandRatio(
        "carbonate",
        ("2.26", "2.40"),
        ("2.34",),
        "Carbonate, chlorite, epidote",
        f"{_DEPTH}; {_MANUAL}",
        ("propylitic",),
    ),
    BandRatio(
        "epidote_chlorite",
        ("2.21", "2.40"),
        ("2.26", "2.34"),
        "Epidote, chlorite, amphibole",
        _MANUAL,
        ("propylitic",),
    ),
    BandRatio("dolomite", ("2.21", "2.34"), ("2.26",), "Dolomite", _MANUAL),
    BandRatio("muscovite", ("2.26",), ("2.21",), "Muscovite", _MANUAL, ("phyllic",), depth=False),
    BandRatio("kaolinite", ("2.26",), ("2.17",), "Kaolinite (approximate)", _MANUAL, depth=False),
    BandRatio("phengite", ("2.17",), ("2.21",), "Phengite, host rock", _MANUAL, depth=False),
    BandRatio(
        "ferrous_silicate",
        ("2.17",),
        ("1.66",),
        "Ferrous silicates: biotite, chlorite, amphibole",
        _MANUAL,
        depth=False,
    ),
    BandRatio(FERRIC_IRON, ("red",), ("green",), "Ferric iron", _MANUAL, depth=False),
    BandRatio("ferric_oxide", ("1.66",), ("near",), "Ferric oxides", _MANUAL, depth=False),
    BandRatio("gossan", ("1.66",), ("red",), "Gossan, leached cap", _MANUAL, depth=False),
    BandRatio(
        "clay",
        ("1.66",),
        ("broad 2.2",),
        "Clays, micas, carbonates, chlorite: all that absorb at 2.2 to 2.35 µm, not told apart",
        _THEMATIC,
        ("phyllic", "argillic", "advanced-argillic", "propylitic"),
        depth=False,
    ),
)
"""Ratios of PLACES that zones are scored by."""

_INDICES = "Ninomiya (2003), IGARSS 2003, 1552-1554"
_IRON = "Segal (1982), 2nd Thematic Conference on Remote Sensing for Exploratory Geology, 949-951"
SHOWN_RATIOS: tuple[BandRatio, ...] = (
    BandRatio(
        "iron_oxide",
        ("red",),
        ("blue",),
        "Ferric iron that colours red: hematite, goethite, jarosite",
        f"{_IRON}; {_THEMATIC}",
        depth=False,
    ),
    *RATIOS,
    BandRatio(
        "oh_index",
        ("2.26", "1.66"),
        ("2.21", "2.21"),
        "OH-bearing minerals",
        _INDICES,
        product=True,
    ),
    BandRatio(
        "kaolinite_index", ("1.66", "2.34"), ("2.17", "2.21"), "Kaolinite", _INDICES, product=True
    ),
    BandRatio(
        "alunite_index", ("2.26", "2.26"), ("2.17", "2.34"), "Alunite", _INDICES, product=True
    ),
    BandRatio(
        "calcite_index", ("2.21", "2.40"), ("2.34", "2.34"), "Calcite", _INDICES, product=True
    ),
    BandRatio(
        "iron_depth",
        ("0.76", "1.04"),
        ("0.90",),
        "Absorption of ferric iron at 0.9 µm: hematite, goethite, jarosite",
        _DEPTH,
    ),
    BandRatio(
        "al_oh_depth",
        ("2.12", "2.25"),
        ("2.205",),
        "Absorption of Al-OH at 2.2 µm: muscovite, kaolinite, smectite",
        _DEPTH,
    ),
    BandRatio(
        "mg_oh_depth",
        ("2.28", "2.38"),
        ("2.33",),
        "Absorption of Mg-OH and carbonate at 2.33 µm: chlorite, epidote, calcite",
        _DEPTH,
    ),
    BandRatio(
        "vegetation",
        ("near",),
        ("red",),
        "Green plants, which hide the ground",
        "Tucker (1979), Remote Sensing of Environment 8, 127-150",
        depth=False,
    ),
)
"""Ratios of PLACES that images show: those that zones are scored by, and others of the field."""


def list_ratios(bands: "BandTable", ratios: Sequence[BandRatio] = RATIOS) -> list[BandRatio]:
    """Those of some ratios that a table of bands has all bands for, named by these bands.

    Bands are found by wavelength. In a stack of several sensors ("aster:5") all bands of a ratio
    are of one sensor, the first that has them: between sensors a ratio would tell calibrations.
    """
    found = []
    if not bands.centre_um:
        return found
    parts = sensor_parts(bands.names)
    for ratio in ratios:
        for part in parts:
            places = {key: PLACES[key].find(bands, part) for key in ratio.bands}
            if None not in places.values():
                names = {key: bands.names[place] for key, place in places.items()}
                found.append(
                    replace(
                        ratio,
                        numerator=tuple(names[key] for key in ratio.numerator),
                        denominator=tuple(names[key] for key in ratio.denominator),
                    )
                )
                break
    return found


def missing_ratios(bands: "BandTable") -> list[str]:
    """Names of the ratios that a table of bands lacks a band for."""
    possible = {ratio.name for ratio in list_ratios(bands)}
    return [ratio.name for ratio in RATIOS if ratio.name not in possible]


def zone_ratios(bands: "BandTable", zone: str) -> list[BandRatio]:
    """The standard ratios of a zone, and that of ferric iron, which weathered sulphides leave.

    A zone that no ratio is the standard of has all, because nothing speaks for one of them.
    """
    possible = list_ratios(bands)
    if not any(zone in ratio.zones for ratio in possible):
        return possible
    return [ratio for ratio in possible if zone in ratio.zones or ratio.name == FERRIC_IRON]


def band_ratio(block: np.ndarray, names: Sequence[str], ratio: BandRatio) -> np.ndarray:
    """The value of a ratio, (rows, columns) float32, from a block (bands, rows, columns).

    `names` are the block's bands. NaN where a band has no value or a sum is not positive: a
    ratio of noise around zero says nothing. Raises InputError for a band that the block lacks.
    """
    sides = (ratio.numerator, ratio.denominator)
    terms = [[_band(block, names, band) for band in bands] for bands in sides]
    if ratio.product:
        # A product of two numbers below zero would pass for one of two above.
        sound = np.logical_and.reduce([term > 0 for side in terms for term in side])
        above, below = (np.where(sound, math.prod(side), np.nan) for side in terms)
    else:
        above, below = (sum(side) for side in terms)
    value = np.full(above.shape, np.nan, np.float32)
    np.divide(above, below, out=value, where=(above > 0) & (below > 0))
    return value


def log_ratios(
    values: Mapping[str, np.ndarray], ratios: Sequence[BandRatio], floor: float
) -> np.ndarray:
    """Natural logarithms of ratios of mean bands, (ratios, …) float32, 0 for a flat spectrum.

    `values` has the bands by name. Values below `floor` count as `floor`, so that dark pixels
    and those that noise pushed below zero give a bounded number instead of none.
    """
    held = {
        band: np.maximum(values[band], np.float32(floor))
        for band in {band for ratio in ratios for band in ratio.bands}
    }
    return np.stack(
        [
            np.log(
                sum(held[band] for band in ratio.numerator)
                / sum(held[band] for band in ratio.denominator)
                * np.float32(len(ratio.denominator) / len(ratio.numerator))
            )
            for ratio in ratios
        ]
    )


def _band(block: np.ndarray, names: Sequence[str], band: str) -> np.ndarray:
    if band not in names:
        raise InputError(
            f"band {band} is not in the cube (it has {' '.join(names)}); make the cube with it"
        )
    return block[list(names).index(band)].astype(np.float32)
