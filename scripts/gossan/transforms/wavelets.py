"""Wavelet sub-bands of a raster band on the raster's own grid (Mallat 1989).

A 2-D transform splits a band into LL (smooth) and, for each level, LH (horizontal detail), HL
(vertical detail) and HH (diagonal detail). Each sub-band is brought back to the grid by the
inverse transform with all other sub-bands zero, so their sum is the band.

LH is PyWavelets' cH: low-pass along the rows of the image and high-pass down its columns, which
answers to edges that run horizontally. HL is cV, HH is cD. (PyWavelets' source calls cH "HL".)

Two transforms: `dwt`, the decimated transform, is PyWavelets' own and moves with the grid only in
steps of 2**level pixels. `swt`, the stationary one (Nason and Silverman 1995), moves with any
shift; there, transform and inverse of one sub-band together are a convolution, done as such.

Nodata. A missing pixel is filled before the transform from the valid pixels nearest to it, ring by
ring, each ring with the mean of its known neighbours; it is missing again in every sub-band. The
values of valid pixels within `Transform.reach` of it rest in part on the filling, as those near
the scene's edge rest on `mode`: `mark_influenced` tells which.

Blocks. A value depends on no pixel farther than `reach`, and the filling of those pixels on none
farther than `reach` again. So a block that is read with `Transform.halo` more pixels on each side,
from a multiple of `Transform.align` on, has exactly the numbers of the whole band.
"""

from dataclasses import dataclass

import numpy as np
import pywt
from scipy.ndimage import convolve1d, maximum_filter

from gossan.errors import InputError

KINDS = ("dwt", "swt")
# PyWavelets' periodic modes are missing: they join opposite edges of a scene, which are not
# neighbours on the ground.
MODES = ("symmetric", "reflect", "constant", "zero", "smooth", "antisymmetric", "antireflect")
GAPS = ("fill", "nodata")
DETAILS = ("LH", "HL", "HH")


@dataclass(frozen=True)
class Transform:
    """A wavelet transform: which wavelet, how many levels, how edges go on, decimated or not.

    `wavelet` is a name of PyWavelets' discrete wavelets, `mode` says how the band goes on beyond
    its edges (MODES), `kind` is one of KINDS. `gaps` says what becomes of valid pixels within
    reach of a missing one: "fill" keeps their values, "nodata" makes them NaN. Raises InputError
    for names that do not exist and for a level below 1.
    """

    wavelet: str
    level: int
    mode: str
    kind: str
    gaps: str

    def __post_init__(self):
        """Refuse settings without meaning."""
        if self.wavelet not in pywt.wavelist(kind="discrete"):
            raise InputError(
                f"wavelet '{self.wavelet}' is unknown; use a discrete wavelet such as haar, db2, "
                "sym4, coif1 or bior2.2"
            )
        if self.level < 1:
            raise InputError(f"level {self.level} is no level; give 1 or more")
        for name, value, known in (
            ("mode", self.mode, MODES),
            ("transform", self.kind, KINDS),
            ("gaps", self.gaps, GAPS),
        ):
            if value not in known:
                raise InputError(f"{name} '{value}' is unknown; use one of: {', '.join(known)}")

    @property
    def taps(self) -> int:
        """Length of the wavelet's filters."""
        return pywt.Wavelet(self.wavelet).dec_len

    @property
    def reach(self) -> int:
        """How many pixels away, by row or column, a pixel can change a sub-band's value."""
        return (2**self.level - 1) * (self.taps - 1)

    @property
    def halo(self) -> int:
        """Pixels to read on each side of a block: the reach, and that of the filling."""
        return 2 * self.reach

    @property
    def align(self) -> int:
        """Rows and columns at which a block's reading may start are multiples of this."""
        return 2**self.level if self.kind == "dwt" else 1

    @property
    def subbands(self) -> tuple[str, ...]:
        """Names: LL, LH, HL, HH; with several levels LL, LH1, HL1, HH1, LH2 and so on."""
        if self.level == 1:
            return "LL", *DETAILS
        return "LL", *(f"{name}{n}" for n in range(1, self.level + 1) for name in DETAILS)

    def require_fit(self, shape: tuple[int, int], what: str) -> None:
        """Raise InputError, naming `what`, where a band of this shape is too small.

        The band of the last level must still be twice as long as the wavelet is wide, which is
        PyWavelets' limit too (`dwt_max_level`).
        """
        least = max(2, (self.taps - 1) * 2**self.level)
        if min(shape) < least:
            raise InputError(
                f"{what}: {shape[1]}x{shape[0]} pixels are too few for level {self.level} of "
                f"{self.wavelet}, whose filter needs {least}; use a larger window, a lower level "
                "or a shorter wavelet"
            )


def split_block(block: np.ndarray, inner: tuple[slice, slice], transform: Transform) -> np.ndarray:
    """Sub-bands of a block of a larger raster: those of the first band, then of the next.

    `block` is (bands, rows, columns) with its surroundings as `Transform.halo` and `align` ask
    for, up to the raster's own edges; `inner` the slices of the block within it. NaN is missing,
    see the module. Returns (bands * sub-bands, inner rows, inner columns), sub-bands in the order
    of `Transform.subbands`, float32 or float64 as given; other types become float32.
    """
    if block.dtype not in (np.float32, np.float64):
        block = block.astype(np.float32)
    parts = len(transform.subbands)
    result = np.empty((len(block) * parts, *block[0][inner].shape), block.dtype)
    for place, band in enumerate(block):
        own = result[place * parts : (place + 1) * parts]
        missing = np.isnan(band)
        if missing[inner].all():
            own[:] = np.nan
            continue
        if missing.any():
            band = fill_gaps(band, transform.reach)
        split = _split_decimated if transform.kind == "dwt" else _split_stationary
        for target, values in zip(own, split(band, transform), strict=True):
            target[:] = values[inner]
        if transform.gaps == "nodata":
            missing = missing | mark_influenced(missing, transform.reach)
        own[:, missing[inner]] = np.nan
    return result


def _split_decimated(band: np.ndarray, transform: Transform) -> list[np.ndarray]:
    """Sub-bands of a band without gaps by PyWavelets' transform and inverse."""
    wavelet, mode = transform.wavelet, transform.mode
    shapes, details = [], []
    smooth = band
    for _ in range(transform.level):
        shapes.append(smooth.shape)
        smooth, detail = pywt.dwt2(smooth, wavelet, mode)
        details.append(detail)

    def restore(coefficients: np.ndarray, place: int, level: int) -> np.ndarray:
        """Inverse of one coefficient array of a level; place 0 is LL, then LH, HL, HH."""
        parts: list[np.ndarray | None] = [None] * 4
        parts[place] = coefficients
        rows, columns = shapes[level]
        restored = pywt.idwt2((parts[0], tuple(parts[1:])), wavelet, mode)[:rows, :columns]
        return restore(restored, 0, level - 1) if level else restored

    return [
        restore(smooth, 0, transform.level - 1),
        *(
            restore(detail, place, level)
            for level, three in enumerate(details)
            for place, detail in enumerate(three, start=1)
        ),
    ]


def _split_stationary(band: np.ndarray, transform: Transform) -> list[np.ndarray]:
    """Sub-bands of a band without gaps, by the filters of transform and inverse in one.

    For the mean over all shifts of the inverse, the low-pass of both together is their
    convolution halved, and the high-pass is the rest of the band.
    """
    wavelet = pywt.Wavelet(transform.wavelet)
    kernel = np.convolve(wavelet.dec_lo, wavelet.rec_lo) / 2
    reach = transform.reach
    smooth = pywt.pad(band, reach, transform.mode).astype(band.dtype, copy=False)
    kept = np.s_[reach : reach + band.shape[0], reach : reach + band.shape[1]]
    details = []
    for level in range(transform.level):
        step = 2**level
        spread = np.zeros((len(kernel) - 1) * step + 1)
        spread[::step] = kernel
        low = convolve1d(smooth, spread, axis=1, mode="constant")
        high = smooth - low
        low_low = convolve1d(low, spread, axis=0, mode="constant")
        high_low = convolve1d(high, spread, axis=0, mode="constant")
        details += [(low - low_low)[kept], high_low[kept], (high - high_low)[kept]]
        smooth = low_low
    return [smooth[kept], *details]


def fill_gaps(band: np.ndarray, rings: int) -> np.ndarray:
    """The band with NaN filled from its neighbourhood, ring by ring; same shape and type.

    In each of `rings` steps a missing pixel beside known ones gets the mean of the known among
    its eight neighbours. Pixels farther than `rings` from any valid one become 0. What a pixel
    gets depends on nothing farther away than `rings`.
    """
    missing = np.isnan(band)
    filled = np.where(missing, band.dtype.type(0), band)
    for _ in range(rings):
        count = _sum_neighbours((~missing).astype(band.dtype))
        edge = missing & (count > 0)
        if not edge.any():
            break
        filled[edge] = (_sum_neighbours(filled)[edge]) / count[edge]
        missing = missing & ~edge
    return filled


def _sum_neighbours(values: np.ndarray) -> np.ndarray:
    """Sums over 3x3 pixels, 0 beyond the edges; added in one order everywhere."""
    padded = np.pad(values, 1)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]


def mark_influenced(missing: np.ndarray, reach: int) -> np.ndarray:
    """Pixels that are not missing themselves but have a missing one within `reach`; bool."""
    near = maximum_filter(missing, size=2 * reach + 1, mode="constant", cval=False)
    return near & ~missing
