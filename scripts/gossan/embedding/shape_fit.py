"""Fit of absorptions: how much of a mineral's features, in shape and in depth, a spectrum shows.

After Clark et al. (1990, J. Geophys. Res. 95(B8), 12653-12680) and Tetracorder (Clark et al. 2003,
J. Geophys. Res. 108(E12), 5131): a straight line between the shoulders of an absorption is taken
as the continuum, spectrum and reference are divided by it, and one is fitted to the other by least
squares. The coefficient of determination tells how alike the shapes are, the slope how deep the
absorption is. Tetracorder's windows were chosen by experts; here they are those in which the
reference itself absorbs, seen by the sensor in question.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gossan.cube.bands import StackBands
from gossan.transforms.continuum import upper_hull

LEAST_DEPTH = 0.02
"""Depth below which a dent in a reference is noise or the sampling of its bands."""
WIDEST_UM = 1.0
"""Width of the broadest absorption; a dent wider than that is the slope of the whole spectrum."""
SPLIT_UM = 0.4
"""Width from which narrower absorptions are looked for on the walls of a broad one."""
SHOULDER_UM = 0.012
"""Bands as near as this to a shoulder are averaged with it, against noise."""
MOST_PER_SENSOR = 5
"""Absorptions of a reference that are fitted per sensor, those of the largest area."""


@dataclass(frozen=True, eq=False)
class Absorption:
    """An absorption of a reference at one sensor's bands.

    `first` and `last` are its shoulders, places in the stack; `left` and `right` the bands that
    are averaged there; `shape` (last - first + 1,) is the reference over its continuum; `weight`
    the sum of what is missing to 1 in it, so broad, deep and well sampled absorptions count most.
    """

    sensor: int
    first: int
    last: int
    left: slice
    right: slice
    shape: np.ndarray
    weight: float


def find_windows(wavelength_um: np.ndarray, reflectance: np.ndarray) -> list[tuple[int, int]]:
    """Shoulders (first, last) of the absorptions of a spectrum, both (n,), places from 0.

    They are the neighbouring points of the upper convex hull with a dent of at least LEAST_DEPTH
    between them. On the walls of a dent wider than SPLIT_UM it is looked for more, and one wider
    than WIDEST_UM is none itself.
    """
    found: list[tuple[int, int]] = []
    _search(np.asarray(wavelength_um, float), np.asarray(reflectance, float), 0, found)
    return sorted(set(found))


def _search(
    wavelength: np.ndarray, reflectance: np.ndarray, offset: int, found: list[tuple[int, int]]
) -> None:
    if len(wavelength) < 3:
        return
    removed = reflectance / upper_hull(wavelength, reflectance)
    tops = np.flatnonzero(removed >= 1 - 1e-9)
    for first, last in pairwise(tops):
        dent = removed[first : last + 1]
        if last - first < 2 or dent.min() > 1 - LEAST_DEPTH:
            continue
        width = wavelength[last] - wavelength[first]
        if width <= WIDEST_UM:
            found.append((offset + int(first), offset + int(last)))
        if width > SPLIT_UM:
            bottom = first + int(dent.argmin())
            for start, stop in ((first, bottom), (bottom, last)):
                part = slice(start, stop + 1)
                _search(wavelength[part], reflectance[part], offset + int(start), found)


def find_absorptions(bands: StackBands, reference: np.ndarray) -> list[Absorption]:
    """The absorptions of a reference (B,) at each sensor's bands, at most MOST_PER_SENSOR each.

    Bands at which the reference is not a positive number end the spectrum of that sensor.
    """
    centre = np.array(bands.centre_um)
    reference = np.asarray(reference, float)
    absorptions = []
    for number, sensor in enumerate(bands.sensors):
        part = bands.part(sensor)
        own = part.start + _longest_run(np.isfinite(reference[part]) & (reference[part] > 0))
        found = []
        for first, last in find_windows(centre[own], reference[own]):
            low, high = int(own[first]), int(own[last])
            near = np.abs(centre[own] - centre[low]) <= SHOULDER_UM
            left = slice(int(own[near][0]), int(own[near][-1]) + 1)
            near = np.abs(centre[own] - centre[high]) <= SHOULDER_UM
            right = slice(int(own[near][0]), int(own[near][-1]) + 1)
            line = _continuum(centre, reference[None], low, high, left, right)[0]
            shape = reference[low : high + 1] / line
            found.append(
                Absorption(number, low, high, left, right, shape, float((1 - shape).sum()))
            )
        found = [item for item in found if item.weight > 0]
        found.sort(key=lambda item: (-item.weight, item.first, item.last))
        absorptions += found[:MOST_PER_SENSOR]
    return absorptions


def _longest_run(usable: np.ndarray) -> np.ndarray:
    """Places of the longest unbroken run of true values; the first of equals."""
    edges = np.flatnonzero(np.diff(np.r_[False, usable, False].astype(int)))
    if not len(edges):
        return np.arange(0)
    starts, stops = edges[::2], edges[1::2]
    best = int((stops - starts).argmax())
    return np.arange(starts[best], stops[best])


def _continuum(
    centre: np.ndarray, spectra: np.ndarray, first: int, last: int, left: slice, right: slice
) -> np.ndarray:
    """The straight line through the two shoulders, (n, last - first + 1)."""
    low, high = centre[left].mean(), centre[right].mean()
    share = ((centre[first : last + 1] - low) / (high - low)).astype(spectra.dtype)
    start, end = spectra[:, left].mean(axis=1), spectra[:, right].mean(axis=1)
    return start[:, None] + (end - start)[:, None] * share


def fit_absorption(
    centre_um: np.ndarray, spectra: np.ndarray, absorption: Absorption
) -> tuple[np.ndarray, np.ndarray]:
    """Fit and relative depth, each (n,) from 0 to 1, of an absorption in spectra (n, B).

    The spectrum over its continuum is a + b times the reference's shape, by least squares. Fit is
    the coefficient of determination; depth is the fitted one, b / (a + b) of the reference's, and
    1 where it is deeper than that. Both are 0 where the dent is a bump (b <= 0) or where the
    continuum is not positive.
    """
    part = absorption
    line = _continuum(centre_um, spectra, part.first, part.last, part.left, part.right)
    with np.errstate(divide="ignore", invalid="ignore"):
        # What is missing to the continuum: single precision would cancel around 1.
        missing = 1 - spectra[:, part.first : part.last + 1] / line
    wanted = (1 - part.shape).astype(spectra.dtype)
    wanted_mean = wanted.mean()
    centred = wanted - wanted_mean
    spread = float(centred @ centred)
    mean = missing.mean(axis=1)
    product = missing @ centred
    own = np.einsum("nb,nb->n", missing, missing) - missing.shape[1] * mean**2
    slope = product / spread
    # a + b is the fitted spectrum where the reference has its shoulders: nothing missing there.
    shoulder = 1 - (mean - slope * wanted_mean)
    with np.errstate(divide="ignore", invalid="ignore"):
        fit = product**2 / (spread * own)
        depth = slope / shoulder
    absorbs = (slope > 0) & (line[:, 0] > 0) & (line[:, -1] > 0) & (shoulder > 0)
    absorbs &= np.isfinite(fit) & np.isfinite(depth)
    return (
        np.where(absorbs, np.minimum(fit, 1), 0).astype(np.float32),
        np.where(absorbs, np.minimum(depth, 1), 0).astype(np.float32),
    )


class ShapeFit:
    """Fit times depth of a mineral's absorptions, over the sensors that are present."""

    def __init__(
        self,
        bands: StackBands,
        minerals: Sequence[str],
        references: np.ndarray,
        owners: np.ndarray,
    ):
        """Find the absorptions of `references` (R, B), whose minerals are `owners` (R,) by place.

        A record's answer is the mean of fit times depth over its absorptions, weighted by
        Absorption.weight; a mineral's answer is that of its best record.
        """
        self.minerals = tuple(minerals)
        self._centre = np.array(bands.centre_um)
        self._owners = np.asarray(owners)
        self._absorptions = [find_absorptions(bands, reference) for reference in references]
        self._weights = np.zeros((len(bands.sensors), len(references)), np.float32)
        for record, absorptions in enumerate(self._absorptions):
            for item in absorptions:
                self._weights[item.sensor, record] += item.weight

    def scores(self, spectra: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Distances (n, K) float32 from 0 to 1 of spectra (n, B) with sensors present (n, S).

        1 where the present sensors show no absorption of the mineral: nothing speaks for it.
        """
        return self._combine(self._evidence(spectra, present.any(axis=0)), present)

    def subset_scores(
        self, spectra: np.ndarray, present: Sequence[np.ndarray]
    ) -> Iterator[np.ndarray]:
        """Yield `scores` for each of several `present`, fitting each sensor once."""
        evidence = self._evidence(spectra, np.any([item.any(axis=0) for item in present], axis=0))
        for item in present:
            yield self._combine(evidence, item)

    def _evidence(self, spectra: np.ndarray, used: np.ndarray) -> np.ndarray:
        """Sums of weight times fit times depth, (S, R, n)."""
        sums = np.zeros((*self._weights.shape, len(spectra)), np.float32)
        for record, absorptions in enumerate(self._absorptions):
            for item in absorptions:
                if used[item.sensor]:
                    fit, depth = fit_absorption(self._centre, spectra, item)
                    sums[item.sensor, record] += np.float32(item.weight) * fit * depth
        return sums

    def _combine(self, evidence: np.ndarray, present: np.ndarray) -> np.ndarray:
        there = np.asarray(present, np.float32)
        shown = np.einsum("srn,ns->nr", evidence, there)
        weight = there @ self._weights
        likeness = np.divide(shown, weight, out=np.zeros_like(shown), where=weight > 0)
        own = (likeness[:, self._owners == place] for place in range(len(self.minerals)))
        return 1 - np.stack([item.max(axis=1) for item in own], axis=1)
