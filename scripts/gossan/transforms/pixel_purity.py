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

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from gossan.kernels import kernel

# Projections of so many pixels on so many skewers are made at a time, and stay in the caches.
CHUNK_PIXELS = 1024
CHUNK_SKEWERS = 256
# What products in single precision may be wrong by, as a share of the largest number that went in:
# they tell which few pixels have to be looked at in double precision, in half the time.
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


def _projections(
    block: np.ndarray, skewers: np.ndarray
) -> Iterator[tuple[np.ndarray, slice, np.ndarray, np.ndarray, float]]:
    """Valid pixels chunk by chunk, and for each chunk all skewers chunk by chunk.

    Yields where the pixels stand in the flat block, which skewers, the pixels (components, n)
    float64, their projections (skewers, n) float32, which hold until the next, and what these may
    be wrong by.
    """
    space = np.empty(CHUNK_SKEWERS * CHUNK_PIXELS, np.float32)
    single = skewers.astype(np.float32)
    flat = block.reshape(len(block), -1)
    valid = np.flatnonzero(np.isfinite(flat).all(axis=0))
    for start in range(0, valid.size, CHUNK_PIXELS):
        places = valid[start : start + CHUNK_PIXELS]
        pixels = flat[:, places]
        narrow, wide = pixels.astype(np.float32), pixels.astype(np.float64)
        slack = ROUNDING * np.abs(wide).max() * len(pixels)
        for first in range(0, len(skewers), CHUNK_SKEWERS):
            chosen = slice(first, min(first + CHUNK_SKEWERS, len(skewers)))
            shape = (chosen.stop - first, places.size)
            projections = space[: shape[0] * shape[1]].reshape(shape)
            np.matmul(single[chosen], narrow, out=projections)
            yield places, chosen, wide, projections, slack


# Projections are finite, which lets minima and maxima be vectors.
@kernel(fastmath={"nnan", "nsz"})
def _reach(projections, low, high):
    """Smallest and largest projection along each skewer, into `low` and `high`."""
    for skewer in range(len(projections)):
        row = projections[skewer]
        least = most = row[0]
        for i in range(row.size):
            least = min(least, row[i])
            most = max(most, row[i])
        low[skewer], high[skewer] = least, most


@kernel
def _count_near(projections, slack, skewers, pixels, low, high, counts):
    """Add to each pixel's count the skewers that it is not above `low` of, or not below `high`.

    Projections may be wrong by `slack`; what that leaves open is computed in double precision.
    """
    for skewer in range(len(projections)):
        row, least, most = projections[skewer], low[skewer], high[skewer]
        sure_low, maybe_low = np.float32(least - 2 * slack), np.float32(least + 2 * slack)
        maybe_high, sure_high = np.float32(most - 2 * slack), np.float32(most + 2 * slack)
        unsure = np.int32(0)
        for i in range(row.size):
            own = row[i]
            counts[i] += np.int32(own >= sure_high) + np.int32(own <= sure_low)
            unsure += np.int32((own >= maybe_high) & (own < sure_high))
            unsure += np.int32((own <= maybe_low) & (own > sure_low))
        if unsure:
            for i in range(row.size):
                own = row[i]
                near_high = (own >= maybe_high) & (own < sure_high)
                near_low = (own <= maybe_low) & (own > sure_low)
                if near_high or near_low:
                    value = 0.0
                    for component in range(len(pixels)):
                        value += skewers[skewer, component] * pixels[component, i]
                    counts[i] += near_high and value >= most
                    counts[i] += near_low and value <= least


def find_extremes(block: np.ndarray, skewers: np.ndarray, places: np.ndarray) -> Extremes:
    """Extremes of a (components, rows, columns) block along (skewers, components) directions.

    `places` is (rows, columns), as `number_places` makes it. Pixels that are not finite in every
    component are left out.
    """
    found = Extremes.empty(len(skewers))
    numbers = places.ravel()
    for own, chosen, pixels, projections, slack in _projections(block, skewers):
        low, high = np.empty((2, len(projections)), np.float32)
        _reach(projections, low, high)
        for sign, reach, best, place in (
            (-1.0, -low, found.low, found.low_place),
            (1.0, high, found.high, found.high_place),
        ):
            # Most chunks of pixels reach as far as those before along few skewers.
            farther = np.flatnonzero(reach.astype(np.float64) >= sign * best[chosen] - slack)
            if farther.size:
                first, value = _first_of_farthest(
                    projections, farther, sign, reach - 2 * slack, skewers[chosen], pixels
                )
                better = value > sign * best[chosen][farther]
                best[chosen][farther[better]] = sign * value[better]
                # Chunks come in reading order, so a later equal pixel never takes over.
                place[chosen][farther[better]] = numbers[own[first[better]]]
    return found


@kernel
def _first_of_farthest(projections, farther, sign, least, skewers, pixels):
    """For each of the skewers `farther` the first pixel of the largest projection, and that.

    Those are compared whose inexact projection, times `sign`, is `least` or more, in double
    precision and all in one way, so that equal pixels tie.
    """
    first, value = np.zeros(farther.size, np.int64), np.full(farther.size, -np.inf)
    for place in range(farther.size):
        skewer = farther[place]
        row = projections[skewer]
        for i in range(row.size):
            if sign * row[i] >= least[skewer]:
                own = 0.0
                for component in range(len(pixels)):
                    own += skewers[skewer, component] * pixels[component, i]
                if sign * own > value[place]:
                    first[place], value[place] = i, sign * own
    return first, value


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
    counts = np.zeros(places.size, np.int64)
    if threshold == 0:
        # Places rise along rows and from row to row, so they can be searched.
        extreme = np.concatenate([extremes.low_place, extremes.high_place])
        numbers = places.ravel()
        spots = np.searchsorted(numbers, extreme).clip(max=numbers.size - 1)
        counts += np.bincount(spots[numbers[spots] == extreme], minlength=counts.size)
    else:
        near = np.empty(CHUNK_PIXELS, np.int32)
        for own, chosen, pixels, projections, slack in _projections(block, skewers):
            near[:] = 0
            low, high = extremes.low[chosen] + threshold, extremes.high[chosen] - threshold
            _count_near(projections, slack, skewers[chosen], pixels, low, high, near)
            counts[own] += near[: own.size]
    counts[~np.isfinite(block).all(axis=0).ravel()] = -1
    return counts.reshape(places.shape).astype(np.int32)


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
