"""Standard band ratios of ASTER for alteration minerals.

A ratio of the bands beside an absorption to the band in it grows with the depth of the absorption
and does not change with illumination: (5+7)/6 is a relative absorption-band depth after
Crowley et al. (1989). Ratios want reflectance, or anything proportional to it in each band; bands
that were shifted (min-max scaling) keep the order of neighbouring values but not the ratio itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gossan.errors import InputError

FERRIC_IRON = "ferric_iron"

_MANUAL = "Kalinowski and Oliver (2004), ASTER Mineral Index Processing Manual"
_DEPTH = "Crowley et al. (1989), Remote Sensing of Environment 29, 121-134"


@dataclass(frozen=True)
class BandRatio:
    """A sum of bands over a sum of bands.

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

    @property
    def bands(self) -> tuple[str, ...]:
        """All bands that the ratio needs."""
        return (*self.numerator, *self.denominator)

    @property
    def formula(self) -> str:
        """The ratio as it is printed, (5+7)/6."""

        def term(bands: tuple[str, ...]) -> str:
            return bands[0] if len(bands) == 1 else f"({'+'.join(bands)})"

        return f"{term(self.numerator)}/{term(self.denominator)}"


RATIOS: tuple[BandRatio, ...] = (
    BandRatio(
        "al_oh",
        ("5", "7"),
        ("6",),
        "Al-OH: sericite, muscovite, illite, smectite",
        f"{_DEPTH}; {_MANUAL}",
        ("phyllic",),
    ),
    BandRatio(
        "kaolinite_alunite",
        ("4", "6"),
        ("5",),
        "Kaolinite, alunite, pyrophyllite",
        f"{_DEPTH}; {_MANUAL}",
        ("argillic", "advanced-argillic"),
    ),
    BandRatio(
        "mg_oh",
        ("6", "9"),
        ("8",),
        "Mg-OH: chlorite, epidote, amphibole",
        f"{_DEPTH}; {_MANUAL}",
        ("propylitic",),
    ),
    BandRatio(
        "carbonate",
        ("7", "9"),
        ("8",),
        "Carbonate, chlorite, epidote",
        f"{_DEPTH}; {_MANUAL}",
        ("propylitic",),
    ),
    BandRatio(
        "epidote_chlorite",
        ("6", "9"),
        ("7", "8"),
        "Epidote, chlorite, amphibole",
        _MANUAL,
        ("propylitic",),
    ),
    BandRatio("dolomite", ("6", "8"), ("7",), "Dolomite", _MANUAL),
    BandRatio("muscovite", ("7",), ("6",), "Muscovite", _MANUAL, ("phyllic",), depth=False),
    BandRatio("kaolinite", ("7",), ("5",), "Kaolinite (approximate)", _MANUAL, depth=False),
    BandRatio("phengite", ("5",), ("6",), "Phengite, host rock", _MANUAL, depth=False),
    BandRatio(
        "ferrous_silicate",
        ("5",),
        ("4",),
        "Ferrous silicates: biotite, chlorite, amphibole",
        _MANUAL,
        depth=False,
    ),
    BandRatio(FERRIC_IRON, ("2",), ("1",), "Ferric iron", _MANUAL, depth=False),
    BandRatio("ferric_oxide", ("4",), ("3N",), "Ferric oxides", _MANUAL, depth=False),
    BandRatio("gossan", ("4",), ("2",), "Gossan, leached cap", _MANUAL, depth=False),
)


def list_ratios(bands: Sequence[str]) -> list[BandRatio]:
    """The ratios whose bands are all among `bands`."""
    return [ratio for ratio in RATIOS if set(ratio.bands) <= set(bands)]


def zone_ratios(bands: Sequence[str], zone: str) -> list[BandRatio]:
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
    above, below = (_sum(block, names, bands) for bands in (ratio.numerator, ratio.denominator))
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


def _sum(block: np.ndarray, names: Sequence[str], bands: Sequence[str]) -> np.ndarray:
    missing = [band for band in bands if band not in names]
    if missing:
        raise InputError(
            f"band {', '.join(missing)} is not in the cube (it has {' '.join(names)}); "
            "make the cube with it"
        )
    return sum(block[list(names).index(band)].astype(np.float32) for band in bands)
