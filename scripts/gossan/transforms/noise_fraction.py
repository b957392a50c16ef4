"""Minimum noise fraction (MNF): the components of a cube in the order of their signal to noise.

Green et al. 1988, IEEE Transactions on Geoscience and Remote Sensing 26, 65-74; as
noise-adjusted principal components, Lee, Woodyatt and Berman 1990, the same journal 28, 295-304.

Noise is estimated as SPy's `noise_from_diffs` does: half the covariance of the differences
between each pixel and its neighbour to the lower right. A band that was brought from coarser
pixels to finer ones shows less noise than it has, because some neighbours are copies.

No scene is ever whole in memory. A pass over the blocks adds up sums of products
(`measure_block`, `SceneSums`), `solve` turns them into components, and `transform_block` is
applied to each block. The components of a cube do not depend on its scale and offset, so stored
integers are taken as they are. Sums of integers below 2**53 come out without rounding: 10**9
pixels of reflectance 0.3 in steps of 1e-4 stay below. The result then does not depend on how the
scene is cut, not even in the last bit; with floats it does, by rounding.

Callers that run blocks in threads hold BLAS to one thread each.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from rasterio.windows import Window
from scipy.linalg import eigh
from scipy.linalg.blas import dsyrk

from gossan.errors import InputError
from gossan.kernels import kernel

# Blocks are turned into double precision strip by strip, so that a strip stays in the caches.
STRIP_BYTES = 2 * 2**20
# Noise of bands that depend on each other has no inverse; the share of the correlation that is
# left in its smallest direction is then rounding alone.
LEAST_RELATIVE_NOISE = 1e-12


@dataclass(frozen=True)
class Sums:
    """What adds up to mean and covariance: count, sums (bands,), products (bands, bands)."""

    count: int
    total: np.ndarray
    products: np.ndarray

    @classmethod
    def of_spectra(cls, spectra: np.ndarray, count: int) -> Self:
        """Sums over (bands, n) float64, of which `count` are spectra and the others zeros."""
        return cls(int(count), spectra.sum(axis=1), spectra @ spectra.T)

    @classmethod
    def empty(cls, bands: int) -> Self:
        """Sums over no spectrum."""
        return cls(0, np.zeros(bands), np.zeros((bands, bands)))

    def __add__(self, other: Self) -> Self:
        """Sums over both sets of spectra."""
        return type(self)(
            self.count + other.count, self.total + other.total, self.products + other.products
        )

    @property
    def mean(self) -> np.ndarray:
        """Mean spectrum (bands,)."""
        return self.total / self.count

    @property
    def covariance(self) -> np.ndarray:
        """Unbiased covariance (bands, bands)."""
        # Extended precision, where the machine has it, spares the digits that the difference of
        # two large numbers would lose.
        total = self.total.astype(np.longdouble)
        squares = self.products - np.outer(total, total) / self.count
        return (squares / (self.count - 1)).astype(np.float64)


@dataclass(frozen=True)
class BlockSums:
    """Sums over a block's pixels and over differences inside it, and the block's four edges.

    Edges are (bands, length) float64, NaN where a pixel has no value.
    """

    signal: Sums
    noise: Sums
    top: np.ndarray
    bottom: np.ndarray
    left: np.ndarray
    right: np.ndarray


def find_valid(block: np.ndarray, nodata: float | None) -> np.ndarray:
    """Pixels (rows, columns) that are finite and not `nodata` in every band of a block."""
    valid = np.ones(block.shape[1:], bool)
    if block.dtype.kind == "f":
        valid &= np.isfinite(block).all(axis=0)
    if nodata is not None and not np.isnan(nodata):
        valid &= (block != nodata).all(axis=0)
    return valid


def measure_block(block: np.ndarray, nodata: float | None = None) -> BlockSums:
    """Sums over the pixels of a (bands, rows, columns) block of numbers as they are stored.

    Pixels without a value in some band are left out, and so are differences from or to them.
    """
    bands, _, columns = block.shape
    valid = find_valid(block, nodata)
    flat = block.reshape(bands, -1)
    pixels = flat.shape[1]
    # Laid out in rows of one pixel more than the block has, every pixel stands over its neighbour
    # to the lower right; the last of a row of the block stands over one that is no neighbour.
    width = columns + 1
    step = 3 * max(1, STRIP_BYTES // (8 * bands * width) // 3)
    rows = 3 * -(-pixels // (3 * width))
    known = np.zeros((rows + 1) * width, bool)
    known[:pixels] = valid.ravel()
    pairs = known[:-width] & known[width:]
    pairs[columns - 1 :: columns] = False
    unwanted = (known[:-width] | known[width:]) & ~pairs
    # Three neighbours a, b, c have a² + b² + c² = (2 (a+b+c)² + 3 (a-c)² + (a-2b+c)²) / 6 and
    # (a-b)² + (b-c)² = ((a-c)² + (a-2b+c)²) / 2, so four products of a third of the pixels make
    # both sums: two products of all pixels, which take nearly all the time, would take longer.
    whole, ends, bend, link, wrong = sums = [_Products(bands) for _ in range(5)]
    parts = np.empty((4, bands, step // 3 * width))
    row = np.empty((step + 1) * width)
    for start in range(0, rows, step):
        here = min(step, rows - start)
        inner = slice(start * width, (start + here) * width)
        # One row more, to which the strip's last one is linked.
        known_here = known[inner.start : inner.stop + width]
        part = parts if here == step else np.empty((4, bands, here // 3 * width))
        _combine_rows(flat, inner.start, known_here, width, row, part)
        for one, spectra in zip(sums, part, strict=False):
            one.add(spectra)
        rejected = inner.start + np.flatnonzero(unwanted[inner])
        if rejected.size:
            upper, lower = (
                np.where(known[at], flat[:, np.minimum(at, pixels - 1)].astype(np.float64), 0.0)
                for at in (rejected, rejected + width)
            )
            wrong.add(upper - lower)
    signal = Sums(
        int(np.count_nonzero(valid)),
        whole.total,
        (2.0 * whole.products + 3.0 * ends.products + bend.products) / 6.0,
    )
    noise = Sums(
        int(np.count_nonzero(pairs)),
        ends.total + link.total - wrong.total,
        (ends.products + bend.products) / 2.0 + link.products - wrong.products,
    )
    edges = ((0, slice(None)), (-1, slice(None)), (slice(None), 0), (slice(None), -1))
    return BlockSums(signal, noise, *(_edge(block, valid, edge) for edge in edges))


@kernel
def _combine_rows(flat, start, known, width, row, parts):
    """Of each three rows and the next: a+b+c, a-c, a-2b+c and c-d, (4, bands, n) in `parts`.

    Rows of `width` pixels of `flat` (bands, pixels) from the pixel `start` on; a pixel that is not
    `known` counts as 0. `row` is space for a band's numbers.
    """
    for band in range(flat.shape[0]):
        source = flat[band, start : start + known.size]
        for i in range(source.size):
            row[i] = source[i] if known[i] else 0.0
        for i in range(source.size, known.size):
            row[i] = 0.0
        for group in range(parts.shape[2] // width):
            first = row[3 * group * width : (3 * group + 1) * width]
            middle = row[(3 * group + 1) * width : (3 * group + 2) * width]
            last = row[(3 * group + 2) * width : (3 * group + 3) * width]
            following = row[(3 * group + 3) * width : (3 * group + 4) * width]
            whole, ends, bend, link = parts[:, band, group * width : (group + 1) * width]
            for i in range(width):
                a, b, c = first[i], middle[i], last[i]
                whole[i] = a + b + c
                ends[i] = a - c
                bend[i] = a + c - b - b
                link[i] = c - following[i]


class _Products:
    """Sums and products of spectra, added up in place."""

    def __init__(self, bands: int):
        self.total = np.zeros(bands)
        self._lower = np.zeros((bands, bands), order="F")

    def add(self, spectra: np.ndarray) -> None:
        """Add (bands, n) float64."""
        self.total += spectra.sum(axis=1)
        self._lower = dsyrk(
            1.0, spectra.T, beta=1.0, c=self._lower, trans=1, lower=1, overwrite_c=1
        )

    @property
    def products(self) -> np.ndarray:
        """Sums of products (bands, bands)."""
        return np.tril(self._lower) + np.tril(self._lower, -1).T


def _edge(block: np.ndarray, valid: np.ndarray, edge: tuple) -> np.ndarray:
    return np.where(valid[edge], block[:, *edge].astype(np.float64), np.nan)


class SceneSums:
    """Sums over a scene whose blocks come row by row, as `gossan.raster.split_blocks` cuts them.

    Differences across the seams between blocks are made from their edges, so no block has to be
    read with its surroundings; two rows of the scene are held for it.
    """

    def __init__(self, bands: int, width: int):
        """Of no block yet, for a scene of `width` columns."""
        self.signal = Sums.empty(bands)
        self.noise = Sums.empty(bands)
        # Column c of a row of edges is the pixel of column c - 1; the scene has none before 0.
        self._above = np.full((bands, width + 1), np.nan)
        self._below = self._above.copy()
        self._right = np.full((bands, 0), np.nan)

    def add(self, window: Window, block: BlockSums) -> None:
        """Add the sums of the block at `window`, which follows the block added before."""
        first, stop = int(window.col_off), int(window.col_off + window.width)
        if first == 0:
            self._above, self._below = self._below, self._above
        self.signal += block.signal
        self.noise += block.noise
        self._add_seam(self._above[:, first:stop] - block.top)
        if first > 0:
            self._add_seam(self._right[:, :-1] - block.left[:, 1:])
        self._below[:, first + 1 : stop + 1] = block.bottom
        self._right = block.right

    def _add_seam(self, differences: np.ndarray) -> None:
        known = np.isfinite(differences).all(axis=0)
        if known.any():
            kept = np.compress(known, differences, axis=1)
            self.noise += Sums.of_spectra(kept, kept.shape[1])


@dataclass(frozen=True)
class NoiseFraction:
    """Components of a cube, that of the largest signal to noise first.

    `eigenvalues` (components,) are variances where noise has variance 1, so each is 1 + signal
    to noise. A component of a spectrum x is weights @ (x - mean), with `weights`
    (components, bands) and `mean` (bands,) in units of the numbers measured.
    """

    eigenvalues: np.ndarray
    weights: np.ndarray
    mean: np.ndarray


def solve(sums: SceneSums, names: tuple[str, ...], what: str) -> NoiseFraction:
    """All components of a scene, whose bands are called `names` and which messages call `what`.

    The eigenvectors of the signal's covariance relative to the noise's; equal to SPy's `mnf` up
    to the sign of each component, which here makes its largest weight (at equal noise of all
    bands) positive.

    Raises InputError for a scene without valid pixels, with fewer pairs of neighbours than
    bands, with a band that has no noise, or with bands that depend on each other.
    """
    if sums.signal.count == 0:
        raise InputError(
            f"{what}: no pixel is valid in all bands {' '.join(names)}; leave out the band that is "
            "nodata, or choose another scene"
        )
    if sums.noise.count <= len(names):
        raise InputError(
            f"{what}: {sums.noise.count} pairs of diagonal neighbours are valid, too few for the "
            f"noise of {len(names)} bands; choose fewer bands or a larger scene"
        )
    noise = sums.noise.covariance / 2.0
    deviation = np.sqrt(noise.diagonal())
    for name, value in zip(names, deviation, strict=True):
        if not value > 0:
            raise InputError(
                f"{what}: band {name} does not differ between neighbours, so it has no noise to "
                "compare with; leave it out"
            )
    correlation = noise / np.outer(deviation, deviation)
    if eigh(correlation, eigvals_only=True)[0] < LEAST_RELATIVE_NOISE:
        raise InputError(
            f"{what}: the noise of some of the bands {' '.join(names)} can be computed from that "
            "of others; leave out bands that are copies or mixtures of others"
        )
    eigenvalues, vectors = eigh(sums.signal.covariance, noise)
    weights = vectors.T[::-1]
    scaled = weights * deviation
    largest = np.abs(scaled).argmax(axis=1)
    signs = np.sign(scaled[np.arange(len(scaled)), largest])
    return NoiseFraction(eigenvalues[::-1], weights * signs[:, np.newaxis], sums.signal.mean)


def transform_block(
    block: np.ndarray, fraction: NoiseFraction, components: int, nodata: float | None = None
) -> np.ndarray:
    """The first `components` of each pixel, (components, rows, columns) float32.

    `block` is (bands, rows, columns) of numbers as they were measured; a pixel without a value
    in some band becomes NaN. Noise has variance 1 in every component.
    """
    flat = block.reshape(len(block), -1)
    weights = fraction.weights[:components]
    mean = (weights @ fraction.mean)[:, np.newaxis]
    result = np.empty((components, flat.shape[1]), np.float32)
    step = max(1, STRIP_BYTES // (8 * len(block)))
    for start in range(0, flat.shape[1], step):
        strip = flat[:, start : start + step].astype(np.float64)
        result[:, start : start + step] = weights @ strip - mean
    result = result.reshape(components, *block.shape[1:])
    valid = find_valid(block, nodata)
    if not valid.all():
        result[:, ~valid] = np.nan
    return result


def tabulate_eigenvalues(eigenvalues: np.ndarray) -> list[dict[str, object]]:
    """Rows of a table: component, eigenvalue, signal to noise, share and sum of shares."""
    shares = eigenvalues / eigenvalues.sum()
    return [
        {
            "component": place,
            "eigenvalue": f"{eigenvalue:.6g}",
            "snr": f"{eigenvalue - 1.0:.6g}",
            "share": f"{share:.6f}",
            "cumulative_share": f"{total:.6f}",
        }
        for place, (eigenvalue, share, total) in enumerate(
            zip(eigenvalues, shares, shares.cumsum(), strict=True), start=1
        )
    ]
