"""Regions of the spectrum that have a network of their own.

Iron absorbs in the visible and near infrared, hydroxyl, carbonate and sulfate in the shortwave
infrared, and a pixel may show one of each (Clark et al. 2003, J. Geophys. Res. 108(E12), 5131). In
one distance over all bands the colour of the ground, which iron makes, decides for both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gossan.cube.bands import StackBands
from gossan.embedding.training_spectra import CHANNELS_UM, TrainingSpectra
from gossan.errors import InputError
from gossan.legend import MapClass
from gossan.library.covers import COVERS
from gossan.transforms.continuum import remove_continuum

FEWEST_BANDS = 3
"""A sensor with fewer bands in a region shows no absorption there."""
FEWEST_CLASSES = 2


@dataclass(frozen=True)
class Region:
    """A range of wavelengths (µm), and the depth from which a dent in it is an absorption.

    `name` is the group of the classes that absorb there (`legend.GROUPS`).
    """

    name: str
    low_um: float
    high_um: float
    least_depth: float

    def place(self) -> np.ndarray:
        """CHANNELS_UM (C,) float32 as -1 to 1 from one end of the region to the other."""
        middle, half = (self.low_um + self.high_um) / 2, (self.high_um - self.low_um) / 2
        return np.clip((CHANNELS_UM - middle) / half, -1, 1).astype(np.float32)


REGIONS: Mapping[str, Region] = {
    # Iron's absorptions are broad and deep: a dent of a few percent is the bend of a slope.
    "1um": Region("1um", 0.43, 1.31, 0.20),
    # Carbon dioxide absorbs up to 2.05 µm, and from 2.41 µm on detectors grow blind.
    "2um": Region("2um", 2.05, 2.41, 0.03),
}


def bands_in(bands: StackBands, region: Region) -> StackBands:
    """The bands of a stack in a region, of the sensors that have FEWEST_BANDS there.

    Raises InputError where no sensor has.
    """
    centre = np.array(bands.centre_um)
    inside = (centre >= region.low_um) & (centre <= region.high_um)
    rows = [
        row
        for sensor in bands.sensors
        for row in np.arange(len(bands))[bands.part(sensor)][inside[bands.part(sensor)]]
        if np.count_nonzero(inside[bands.part(sensor)]) >= FEWEST_BANDS
    ]
    if not rows:
        raise InputError(
            f"region {region.name}: no sensor has {FEWEST_BANDS} bands from {region.low_um:g} to "
            f"{region.high_um:g} µm; leave it out of the study's embedding.regions"
        )
    return StackBands(
        *(
            tuple(column[row] for row in rows)
            for column in (bands.sensor, bands.band, bands.centre_um, bands.fwhm_um)
        )
    )


def classes_in(classes: Sequence[MapClass], region: Region) -> list[MapClass]:
    """The minerals that absorb in a region; InputError for fewer than FEWEST_CLASSES."""
    found = [item for item in classes if item.kind == "mineral" and item.group == region.name]
    if len(found) < FEWEST_CLASSES:
        names = ", ".join(item.name for item in found) or "none"
        raise InputError(
            f"region {region.name}: the study's references have {len(found)} of its minerals "
            f"({names}); name at least {FEWEST_CLASSES}, or leave the region out"
        )
    return found


def absorbs(training: TrainingSpectra, region: Region) -> np.ndarray:
    """Which records (R,) bool have an absorption in a region, and are not ground's own cover.

    Depth is below the continuum (Clark and Roush 1984) over the region. What has none, and soil
    and plants, is the background that minerals are seen against, and no rival of theirs.
    """
    own = (region.low_um <= CHANNELS_UM) & (region.high_um >= CHANNELS_UM)
    removed = remove_continuum(CHANNELS_UM[own], training.reflectance[:, own])
    deep = 1 - removed.min(axis=1) >= region.least_depth
    return deep & ~np.isin(training.minerals, tuple(COVERS))
