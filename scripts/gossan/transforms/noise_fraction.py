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

from gossan.errors import InputError
from gossan.kernels import kernel
from gossan.transforms.cross_products import add_products, make_rows, make_sums

# Blocks are turned into numbers to multiply strip by strip, so that a strip stays in the caches.
STRIP_BYTES = 2**20
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
    def of_spectra(cls, spectra: np.ndarray) -> Self:
        """Sums over spectra (bands, n) float64."""
        return cls(spectra.shape[1], spectra.sum(axis=1), spectra @ spectra.T)

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
    # A pixel's neighbour stands one row and one column on.
    pairs = np.zeros(valid.shape, bool)
    pairs[:-1, :-1] = valid[:-1, :-1] & valid[1:, 1:]
    flat, known, paired = block.reshape(bands, -1), valid.ravel(), pairs.ravel()
    dtype, origin = _choose_numbers(flat, known)
    # Below the bands stands a row of ones, whose products are the bands' sums and their count.
    step = STRIP_BYTES // (np.dtype(dtype).itemsize * (bands + 1)) + 1
    spectra, differences = (make_rows(bands + 1, min(step, known.size), dtype) for _ in range(2))
    signal, noise = make_sums(spectra), make_sums(differences)
    step = spectra.shape[1]
    for start in range(0, known.size, step):
        here = slice(start, start + step)
        _lay_out(flat, start, known[here], paired[here], columns + 1, origin, spectra, differences)
        add_products(spectra, signal)
        add_products(differences, noise)
    edges = ((0, slice(None)), (-1, slice(None)), (slice(None), 0), (slice(None), -1))
    return BlockSums(
        _to_sums(signal, origin),
        _to_sums(noise, np.zeros_like(origin)),
        *(_edge(block, valid, edge) for edge in edges),
    )


def _choose_numbers(flat: np.ndarray, known: np.ndarray) -> tuple[str, np.ndarray]:
    """The type in which to multiply, and what to take from each band (bands,) first.

    Products of int16 are fast. A band of `known` pixels that differ by no more than its largest
    number fits into it about its middle, and so do the differences.
    """
    if flat.dtype.kind in "iu" and flat.dtype.itemsize <= 2 and known.any():
        low, high = _limits(flat, known)
        if (high - low).max() < 2**15:
            return "int16", (low + high) // 2
    return "float64", np.zeros(len(flat))


@kernel
def _limits(flat, known):
    """The smallest and the largest of each band's numbers, (2, bands) int64, of `known` pixels."""
    limits = np.empty((2, len(flat)), np.int64)
    some = np.argmax(known)
    for band in range(len(flat)):
        row = flat[band]
        low = high = row[some]
        for i in range(row.size):
            own = row[i] if known[i] else row[some]
            low = min(low, own)
            high = max(high, own)
        limits[0, band], limits[1, band] = low, high
    return limits


@kernel
def _lay_out(flat, start, known, paired, width, origin, spectra, differences):
    """Numbers of the pixels of `flat` from `start` on, and of those less their neighbours.

    The neighbour is `width` pixels on. Pixels that are not `known`, or not `paired`, are zeros.
    """
    count, bands = known.size, len(flat)
    for band in range(bands):
        here, there = flat[band, start : start + count], flat[band, start + width :]
        first = origin[band]
        for i in range(count):
            spectra[band, i] = here[i] - first if known[i] else 0
        for i in range(min(count, there.size)):
            differences[band, i] = (here[i] - first) - (there[i] - first) if paired[i] else 0
        spectra[band, count:] = 0
        differences[band, min(count, there.size) :] = 0
    spectra[bands, :count], spectra[bands, count:] = known, 0
    differences[bands, :count], differences[bands, count:] = paired, 0


def _to_sums(products: np.ndarray, origin: np.ndarray) -> Sums:
    """Sums from the products of numbers less `origin`, with ones below them."""
    bands = len(origin)
    count, total = products[bands, bands], products[bands, :bands]
    lower = products[:bands, :bands]
    whole = np.tril(lower) + np.tril(lower, -1).T
    shift = np.outer(origin, total)
    whole += shift + shift.T + count * np.outer(origin, origin)
    return Sums(int(count), (total + count * origin).astype(float), whole.astype(float))


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
            self.noise += Sums.of_spectra(kept)


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
