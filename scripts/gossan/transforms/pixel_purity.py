"""Pixel purity: how often a pixel is the extreme of the scene seen along a random direction.

Boardman, Kruse and Green 1995, Summaries of the Fifth Annual JPL Airborne Earth Science
Workshop, JPL Publication 95-1, 23-26. Pixels are given as components of the minimum noise
fraction, in which noise has variance 1 in every direction; the counts are those of SPy's `ppi`
for the same directions (skewers).

No scene is ever whole in memory: one pass over the blocks finds how far the scene reaches along
every skewer (`find_extremes`), a second counts (`count_purity`). Pixels have a place, their
number in reading order, so that of equal pixels the first is the extreme however the scene is
cut into blocks.

Callers that run blocks in threads hold BLAS to one thread each.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from gossan.kernels import aligned_zeros, kernel

# So many pixels are projected at a time: with 30 components they stay in the nearest cache.
CHUNK_PIXELS = 256
# So many components are added up before a projection is stored.
GROUP = 6
# What projections in single precision may be wrong by, as a share of the largest number that went
# in: they tell which few pixels have to be looked at in double precision, in half the time.
ROUNDING = 5e-6
# End-members are chosen among so many pixels, the purest.
CANDIDATES = 1000


def make_skewers(count: int, components: int, seed: int) -> np.ndarray:
    """Unit vectors (count, components), evenly spread over all directions."""
    skewers = np.random.default_rng(seed).standard_normal((count, components))
    return skewers / np.linalg.norm(skewers, axis=1, keepdims=True)


@dataclass(frozen=True)
class Extremes:
    """How far a set of pixels reaches along each skewer, and where; all (skewers,).

    `low` and `high` are the smallest and the largest projection, infinite without pixels;
    `low_place` and `high_place` are the places of the first pixels that have them.
    """

    low: np.ndarray
    low_place: np.ndarray
    high: np.ndarray
    high_place: np.ndarray

    @classmethod
    def empty(cls, skewers: int) -> Self:
        """Of no pixels."""
        nowhere = np.full(skewers, np.iinfo(np.int64).max)
        return cls(np.full(skewers, np.inf), nowhere, np.full(skewers, -np.inf), nowhere.copy())

    def merge(self, other: Self) -> Self:
        """The extremes of both sets of pixels together."""
        lower = (other.low < self.low) | (
            (other.low == self.low) & (other.low_place < self.low_place)
        )
        higher = (other.high > self.high) | (
            (other.high == self.high) & (other.high_place < self.high_place)
        )
        return type(self)(
            np.where(lower, other.low, self.low),
            np.where(lower, other.low_place, self.low_place),
            np.where(higher, other.high, self.high),
            np.where(higher, other.high_place, self.high_place),
        )


def number_places(shape: tuple[int, int], origin: tuple[int, int], width: int) -> np.ndarray:
    """Places (rows, columns) int64 of a block's pixels in a scene of `width` columns.

    `origin` is the scene's (row, column) of the block's first pixel.
    """
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (origin[0] + rows) * width + origin[1] + columns


def find_extremes(block: np.ndarray, skewers: np.ndarray, places: np.ndarray) -> Extremes:
    """Extremes of a (components, rows, columns) block along (skewers, components) directions.

    `places` is (rows, columns), as `number_places` makes it. Pixels that are not finite in every
    component are left out.
    """
    found = Extremes.empty(len(skewers))
    flat = block.reshape(len(block), -1)
    single = _group(skewers)
    reached = found.low, found.low_place, found.high, found.high_place
    _extend(flat, _list_valid(flat), skewers, single, _space(single), places.ravel(), *reached)
    return found


def count_purity(
    block: np.ndarray,
    skewers: np.ndarray,
    extremes: Extremes,
    threshold: float,
    places: np.ndarray,
) -> np.ndarray:
    """Purity of each pixel of a block, (rows, columns) int32, -1 where it is not finite.

    With a `threshold` above 0, the number of skewers along whose direction the pixel lies within
    `threshold` of the scene's smallest or largest projection; with 0, the number of times it is
    the one extreme pixel.
    """
    flat = block.reshape(len(block), -1)
    valid = _list_valid(flat)
    counts = np.full(places.size, -1, np.int32)
    counts[valid] = 0
    if threshold == 0:
        # Places rise along rows and from row to row, so they can be searched.
        extreme = np.concatenate([extremes.low_place, extremes.high_place])
        numbers = places.ravel()
        spots = np.searchsorted(numbers, extreme).clip(max=numbers.size - 1)
        np.add.at(counts, spots[numbers[spots] == extreme], 1)
    else:
        single = _group(skewers)
        low, high = extremes.low + threshold, extremes.high - threshold
        _count_near(flat, valid, skewers, single, _space(single), low, high, counts)
    return counts.reshape(places.shape)


def _list_valid(flat: np.ndarray) -> np.ndarray:
    """Where the pixels are that are finite in every component."""
    return np.flatnonzero(np.isfinite(flat).all(axis=0))


def _group(skewers: np.ndarray) -> np.ndarray:
    """Skewers in single precision, with zeros for components that fill the last group."""
    single = np.zeros((len(skewers), -(-skewers.shape[1] // GROUP) * GROUP), np.float32)
    single[:, : skewers.shape[1]] = skewers
    return single


def _space(single: np.ndarray) -> np.ndarray:
    """Zeros for a chunk of pixels, component by component, and below them for projections."""
    return aligned_zeros((single.shape[1] + 1, CHUNK_PIXELS), np.float32)


@kernel
def _extend(flat, valid, skewers, single, space, numbers, low, low_place, high, high_place):
    """Extend the reach along each skewer to that of the `valid` pixels of `flat`."""
    chunk = space.shape[1]
    for start in range(0, valid.size, chunk):
        own = valid[start : start + chunk]
        slack = _gather(flat, own, space)
        projections = space[-1, : own.size]
        for skewer in range(len(skewers)):
            _project(single[skewer], space, projections)
            least, most = np.float32(low[skewer] + slack), np.float32(high[skewer] - slack)
            farther = np.int32(0)
            for i in range(own.size):
                farther += np.int32((projections[i] <= least) | (projections[i] >= most))
            # Most chunks of pixels reach no farther than those before along most skewers.
            if farther:
                for i in range(own.size):
                    if (
                        projections[i] <= low[skewer] + slack
                        or projections[i] >= high[skewer] - slack
                    ):
                        # Pixels come in reading order, so a later equal one never takes over.
                        value = _settle(skewers[skewer], flat, own[i])
                        if value < low[skewer]:
                            low[skewer], low_place[skewer] = value, numbers[own[i]]
                        if value > high[skewer]:
                            high[skewer], high_place[skewer] = value, numbers[own[i]]


@kernel
def _count_near(flat, valid, skewers, single, space, low, high, counts):
    """Add to each pixel's count the skewers that it is not above `low` of, or not below `high`.

    What the slack of projections leaves open is computed in double precision.
    """
    chunk = space.shape[1]
    for start in range(0, valid.size, chunk):
        own = valid[start : start + chunk]
        slack = _gather(flat, own, space)
        projections, near = space[-1, : own.size], np.zeros(own.size, np.int32)
        for skewer in range(len(skewers)):
            _project(single[skewer], space, projections)
            least, most = low[skewer], high[skewer]
            sure_low, maybe_low = np.float32(least - 2 * slack), np.float32(least + 2 * slack)
            maybe_high, sure_high = np.float32(most - 2 * slack), np.float32(most + 2 * slack)
            unsure = np.int32(0)
            for i in range(own.size):
                value = projections[i]
                near[i] += np.int32(value >= sure_high) + np.int32(value <= sure_low)
                unsure += np.int32((value >= maybe_high) & (value < sure_high))
                unsure += np.int32((value <= maybe_low) & (value > sure_low))
            if unsure:
                for i in range(own.size):
                    value = projections[i]
                    near_high = (value >= maybe_high) & (value < sure_high)
                    near_low = (value <= maybe_low) & (value > sure_low)
                    if near_high or near_low:
                        settled = _settle(skewers[skewer], flat, own[i])
                        near[i] += near_high and settled >= most
                        near[i] += near_low and settled <= least
        for i in range(own.size):
            counts[own[i]] += near[i]


@kernel
def _gather(flat, own, pixels):
    """Copy pixels in single precision; returns what their projections may be wrong by."""
    largest = 0.0
    for component in range(len(flat)):
        for i in range(own.size):
            value = flat[component, own[i]]
            pixels[component, i] = value
            largest = max(largest, abs(value))
    return ROUNDING * largest * len(flat)


# One rounding less for a product that is added up lets both be one instruction.
@kernel(fastmath={"contract"})
def _project(skewer, pixels, projections):
    """Projections of pixels (components, n) along a skewer, both in whole groups."""
    projections[:] = 0
    for first in range(0, skewer.size, GROUP):
        a, b, c = pixels[first], pixels[first + 1], pixels[first + 2]
        d, e, f = pixels[first + 3], pixels[first + 4], pixels[first + 5]
        of_a, of_b, of_c = skewer[first], skewer[first + 1], skewer[first + 2]
        of_d, of_e, of_f = skewer[first + 3], skewer[first + 4], skewer[first + 5]
        for i in range(projections.size):
            part = projections[i] + of_a * a[i] + of_b * b[i] + of_c * c[i]
            projections[i] = part + of_d * d[i] + of_e * e[i] + of_f * f[i]


@kernel
def _settle(skewer, flat, pixel):
    """The projection in double precision, added up in one way, so that equal pixels tie."""
    value = 0.0
    for component in range(skewer.size):
        value += skewer[component] * flat[component, pixel]
    return value


@dataclass(frozen=True)
class PurePixels:
    """Pixels, the purest first: purity (n,), place (n,) and components (n, components)."""

    purity: np.ndarray
    place: np.ndarray
    values: np.ndarray

    @classmethod
    def of_block(cls, block: np.ndarray, purity: np.ndarray, places: np.ndarray) -> Self:
        """The purest pixels of a (components, rows, columns) block with a purity above 0."""
        chosen = np.flatnonzero(purity.ravel() > 0)
        return cls(
            purity.ravel()[chosen],
            places.ravel()[chosen],
            block.reshape(len(block), -1)[:, chosen].T.astype(np.float64),
        )._best()

    def merge(self, other: Self) -> Self:
        """The purest of two sets of pixels."""
        return type(self)(
            np.concatenate([self.purity, other.purity]),
            np.concatenate([self.place, other.place]),
            np.concatenate([self.values, other.values]),
        )._best()

    def _best(self) -> Self:
        """The CANDIDATES purest; equal ones in reading order."""
        order = np.lexsort((self.place, -self.purity))[:CANDIDATES]
        return type(self)(self.purity[order], self.place[order], self.values[order])


def choose_endmembers(pixels: PurePixels, count: int) -> np.ndarray:
    """Which of the pixels are corners of the cloud that they form: at most `count` indices.

    The purest pixel first, then again and again the one farthest from the point, line, plane and
    so on through those chosen before: the growing simplex of Chang et al. 2006, IEEE
    Transactions on Geoscience and Remote Sensing 44, 2804-2819, among pure pixels only. There
    are no more corners than components + 1, nor farther ones once all pixels lie in the space
    of those chosen.
    """
    if not len(pixels.purity):
        return np.zeros(0, np.int64)
    chosen = [0]
    rest = pixels.values - pixels.values[0]
    largest = np.einsum("pc,pc->p", rest, rest).max()
    while len(chosen) < min(count, rest.shape[1] + 1):
        distances = np.einsum("pc,pc->p", rest, rest)
        farthest = int(distances.argmax())
        # What is left of a pixel inside the space is rounding.
        if distances[farthest] <= 1e-12 * largest:
            break
        chosen.append(farthest)
        direction = rest[farthest] / np.sqrt(distances[farthest])
        rest = rest - np.outer(rest @ direction, direction)
    return np.array(chosen)
