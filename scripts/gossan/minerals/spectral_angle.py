"""The Spectral Angle Mapper: which reference spectrum is nearest to each pixel, and how near.

The angle between pixel p and reference r is arccos(<p, r> / (|p| |r|)) (Kruse et al. 1993, Remote
Sensing of Environment 44, 145-163). It compares shapes only: brightness cancels out.

Two compiled kernels work on LANES pixels at a time, each pixel in a lane of the vector registers:

- `_map_exact` computes in double precision.
- `_map_screened`, for few bands, computes chords between unit vectors in single precision: unlike
  1 - cosine they do not cancel at small angles. Pixels whose class their error bounds leave open
  are collected and computed in double precision, so both kernels give the same classes.
"""

import math
from collections.abc import Sequence

import numpy as np

from gossan.errors import InputError
from gossan.kernels import kernel
from gossan.legend import NODATA, UNCLASSIFIED
from gossan.library.readers import MOST_LEFT_OUT, References
from gossan.raster import BandTable

# Half a tile of the first-level cache, and enough to hide the latency of memory.
LANES = 256
# The screened kernel keeps all bands of a pixel in registers.
SCREENED_BANDS = 16
# Bands that one pass of the double-precision kernel takes up; there is one kernel for all cubes.
BANDS_PER_PASS = 8
# Unit roundoff of single precision.
ROUNDOFF = 2.0**-24

_NODATA = np.int32(NODATA)
_UNCLASSIFIED = np.int32(UNCLASSIFIED)
_NAN = np.float32(np.nan)
_ZERO, _HALF, _ONE, _TWO = (np.float32(value) for value in (0.0, 0.5, 1.0, 2.0))
_PI = np.float32(math.pi)
# |p|^2 must lie between these in single precision; else the pixel is computed in double.
_TINY, _HUGE = np.float32(1e-20), np.float32(1e30)
# arccos(x) = sqrt(1 - x) * polynomial in x, error below 2e-8 for 0 <= x <= 1 (Abramowitz and
# Stegun 1964, 4.4.46). libm's arccos would not run in vector registers.
_A0, _A1, _A2, _A3, _A4, _A5, _A6, _A7 = (
    np.float32(value)
    for value in (
        1.5707963050,
        -0.2145988016,
        0.0889789874,
        -0.0501743046,
        0.0308918810,
        -0.0170881256,
        0.0066700901,
        -0.0012624911,
    )
)

# Multiply-adds may fuse. Nothing else is relaxed, so NaN keeps its meaning and a pixel's result
# does not depend on its neighbours or on how the scene is cut into blocks.
_compile = kernel(fastmath={"contract"}, error_model="numpy")

# Rows of LANES numbers in the double-precision scratch space; band rows follow.
_NORM, _BEST, _SECOND, _CODE, _ALLOWED, _ALLOWED_CODE = (LANES * row for row in range(6))
_BANDS = LANES * 6
# The same in single precision.
_S_NORM2, _S_BEST, _S_SECOND, _S_CODE, _S_BAD, _S_OPEN = (LANES * row for row in range(6))
_S_BANDS = LANES * 6


def map_angles(
    block: np.ndarray,
    references: np.ndarray,
    max_angle_rad: float | Sequence[float] | None = None,
    codes: Sequence[int] | None = None,
    nodata: float | None = None,
    *,
    every_angle: bool = False,
) -> tuple[np.ndarray, ...]:
    """Classify each pixel by the reference at the smallest spectral angle.

    `block` is (bands, rows, columns), integers or floats in any unit without offset; band- and
    pixel-interleaved memory are both read in place. `references` is (n_refs, bands).
    `max_angle_rad` is one threshold or one per reference (None: no threshold), in radians.
    `codes` are the references' class codes, 1-254 (default 1, 2, ...). A pixel with `nodata` in
    any band, with NaN or infinity, or of zero length, is nodata.

    Returns (classes, angle, margin), each (rows, columns):

    - classes, uint8: among the references that are within their own threshold, the one at the
      smallest angle, as in ENVI; so where the nearest reference is beyond its threshold, a
      farther one within a wider threshold may win. 0 where there is none; 255 for nodata. Equal
      angles go to the reference that stands first. Classes are those of float64 arithmetic.
    - angle, float32 radians, right to 1e-6: to the winner, or to the nearest reference where the
      pixel is unclassified, so that no threshold hides how near it came. NaN for nodata.
    - margin, float32 radians, right to 3e-6: the smallest angle to any other reference minus
      `angle`. Negative where a nearer reference was beyond its threshold; NaN for nodata and
      where there is only one reference.

    With `every_angle`, a fourth array (n_refs, rows, columns), float32: the angle to each.

    Raises InputError for references or thresholds that are of the wrong shape, not finite, zero,
    or not positive, and for codes outside 1-254.
    """
    block = np.asarray(block)
    if block.ndim != 3:
        raise InputError(f"a block of shape {block.shape}; give (bands, rows, columns)")
    if block.dtype.kind not in "iuf":
        raise InputError(f"a block of type {block.dtype}; give integers or floats")
    n_bands, rows, columns = block.shape
    unit = _unit_references(references, n_bands)
    n_refs = len(unit)
    cos_max = _threshold_cosines(max_angle_rad, n_refs)
    codes = _checked_codes(codes, n_refs)
    if block.dtype not in (np.int16, np.float32, np.float64):
        # Exact, and spares a compilation for each of the rarer types.
        block = block.astype(np.float32 if block.dtype.itemsize <= 2 else np.float64)
    flat, band_stride, pixel_stride = _flat_view(block)
    n_pixels = rows * columns
    classes = np.empty(n_pixels, np.uint8)
    angle = np.empty(n_pixels, np.float32)
    margin = np.empty(n_pixels, np.float32)
    every = np.empty((n_refs if every_angle else 0, n_pixels), np.float32)

    passes = -(-n_bands // BANDS_PER_PASS)
    padded = np.zeros((n_refs, passes * BANDS_PER_PASS))
    padded[:, :n_bands] = unit
    weights = padded.reshape(n_refs, passes, BANDS_PER_PASS).transpose(1, 0, 2).ravel()
    exact = (
        flat,
        band_stride,
        pixel_stride,
        n_bands,
        weights,
        codes.astype(np.float64),
        cos_max,
        math.nan if nodata is None else float(nodata),
    )
    screened = n_bands <= SCREENED_BANDS and n_refs > 1 and block.dtype != np.float64
    if screened and not every_angle:
        centre = unit.mean(axis=0).astype(np.float32)
        shifted = (unit - centre).astype(np.float32)
        _map_screened(
            # Loops over bands are unrolled by the length of this tuple, which is a part of its
            # type and so a constant where they are compiled.
            (0,) * n_bands,
            exact,
            centre,
            shifted.ravel(),
            codes.astype(np.float32),
            _screening_bounds(shifted, cos_max),
            classes,
            angle,
            margin,
        )
    else:
        _map_exact(exact, classes, angle, margin, every)
    if n_refs == 1:
        margin[:] = np.nan
    shape = (rows, columns)
    results = classes.reshape(shape), angle.reshape(shape), margin.reshape(shape)
    return (*results, every.reshape(n_refs, *shape)) if every_angle else results


def usable_bands(references: References, bands: BandTable, what: str) -> list[int]:
    """Places of a cube's bands that the references have, ascending.

    `resample_classes` leaves out bands without library values; that is MOST_LEFT_OUT of
    them at most, so InputError is raised where more are missing: those are references of another
    cube.
    """
    places = [place for place, name in enumerate(bands.names) if name in references.band]
    missing = [name for name in bands.names if name not in references.band]
    if len(missing) > MOST_LEFT_OUT * len(bands.names):
        raise InputError(
            f"{what}: lacks band {missing[0]}; resample the library to the cube's bands"
        )
    return places


def align_references(
    references: References, names: Sequence[str], bands: BandTable, what: str
) -> np.ndarray:
    """The leading spectra of the classes called `names`, (n_refs, bands), at a cube's `bands`.

    As `align_records` does for all records of one class.
    """
    return np.array([align_records(references, name, bands, what)[0] for name in names])


def align_records(references: References, name: str, bands: BandTable, what: str) -> np.ndarray:
    """The spectra of the class called `name`, (records, bands), in the order of a cube's `bands`.

    Bands are matched by name, in any order. Where both tables know wavelengths, matched bands
    must be centred within half their width (or 1 nm) of each other. `what` names the references
    in messages. Raises InputError for a band or a spectrum without counterpart, and for bands of
    the same name at other wavelengths.
    """
    rows = [row for row, other in enumerate(references.names) if other == name]
    if not rows:
        raise InputError(f"{what}: has no spectrum {name!r}; make it from the same class table")
    if len(set(references.band)) < len(references.band):
        raise InputError(f"{what}: names a band twice; give each band of the cube once")
    places = {band: place for place, band in enumerate(references.band)}
    missing = [band for band in bands.names if band not in places]
    surplus = [band for band in references.band if band not in bands.names]
    if missing or surplus:
        fault = f"lacks band {missing[0]}" if missing else f"has band {surplus[0]}, not in the cube"
        raise InputError(f"{what}: {fault}; resample the library to the cube's bands")
    order = [places[band] for band in bands.names]
    centres = references.wavelength_um[order]
    for band, own, width, theirs in zip(
        bands.names, bands.centre_um, bands.fwhm_um, centres, strict=False
    ):
        if abs(own - theirs) > max(width / 2, 1e-3):
            raise InputError(
                f"{what}: band {band} is at {theirs:g} µm, in the cube at {own:g} µm; resample "
                "the library to the cube's bands"
            )
    return references.reflectance[np.ix_(rows, order)]


def _unit_references(references: np.ndarray, n_bands: int) -> np.ndarray:
    references = np.asarray(references, dtype=np.float64)
    if references.ndim != 2 or references.shape[1] != n_bands or not len(references):
        raise InputError(
            f"references of shape {references.shape}; give (references, {n_bands} bands)"
        )
    # The largest value first, so that squares neither overflow nor vanish.
    scale = np.abs(references).max(axis=1, keepdims=True)
    if not (np.isfinite(scale) & (scale > 0)).all():
        place = int(np.flatnonzero(~(np.isfinite(scale) & (scale > 0)))[0])
        raise InputError(f"reference {place + 1} is zero or not finite; give numbers in all bands")
    scaled = references / scale
    return scaled / np.sqrt(np.einsum("rb,rb->r", scaled, scaled))[:, np.newaxis]


def _threshold_cosines(max_angle_rad: float | Sequence[float] | None, n_refs: int) -> np.ndarray:
    if max_angle_rad is None:
        return np.full(n_refs, -np.inf)
    limits = np.asarray(max_angle_rad, dtype=np.float64)
    if limits.shape not in ((), (n_refs,)):
        raise InputError(f"max_angle_rad has shape {limits.shape}; give one, or {n_refs}")
    if not (limits > 0).all():
        raise InputError("max_angle_rad must be positive; give angles in radians")
    limits = np.broadcast_to(limits, n_refs)
    return np.where(limits < math.pi, np.cos(limits), -np.inf)


def _checked_codes(codes: Sequence[int] | None, n_refs: int) -> np.ndarray:
    codes = np.arange(1, n_refs + 1) if codes is None else np.asarray(codes)
    if codes.shape != (n_refs,) or not ((codes > UNCLASSIFIED) & (codes < NODATA)).all():
        raise InputError(f"class codes {codes.tolist()}; give {n_refs}, from 1 to 254")
    return codes


def _flat_view(block: np.ndarray) -> tuple[np.ndarray, int, int]:
    """The block's memory as one array, and the steps from band to band and pixel to pixel."""
    spectra = block.reshape(len(block), -1)
    size = spectra.itemsize
    band_step, pixel_step = spectra.strides
    if min(band_step, pixel_step) < 0 or band_step % size or pixel_step % size:
        spectra = np.ascontiguousarray(spectra)
        band_step, pixel_step = spectra.strides
    band_stride, pixel_stride = band_step // size, pixel_step // size
    bands, pixels = spectra.shape
    length = (bands - 1) * band_stride + (pixels - 1) * pixel_stride + 1 if spectra.size else 0
    flat = np.lib.stride_tricks.as_strided(spectra, (length,), (size,), writeable=False)
    return flat, band_stride, pixel_stride


def _screening_bounds(shifted: np.ndarray, cos_max: np.ndarray) -> np.ndarray:
    """Error bounds of the single-precision kernel, as factors of a chord d and of its square.

    Subtracting the references' mean direction leaves q for the pixel and s for a reference, both
    rounded to ROUNDOFF of their length, and |q| <= |s| + d. So d = |q - s| is off by at most
    ROUNDOFF (2 |s| + d), and d^2 by 2 d times that and by ROUNDOFF d^2 for each band summed. The
    margin of 4 covers machines that do not fuse multiply-adds. The last two numbers are the
    smallest and the largest threshold as 1 - cosine.
    """
    length = float(np.sqrt(np.einsum("rb,rb->r", shifted, shifted).max()))
    limits = 1.0 - np.clip(cos_max, -2.0, 1.0)
    factors = (4 * ROUNDOFF * (length + 1), ROUNDOFF * (shifted.shape[1] + 8))
    return np.array([*factors, limits.min(), limits.max()], dtype=np.float32)


@kernel(inline="always", fastmath={"contract"})
def _arccos_near(versine):
    """arccos(1 - versine) for 0 <= versine <= 1; below 0, where rounding put it, 0."""
    v = versine if versine > _ZERO else _ZERO
    x = _ONE - v
    polynomial = _A7
    polynomial = polynomial * x + _A6
    polynomial = polynomial * x + _A5
    polynomial = polynomial * x + _A4
    polynomial = polynomial * x + _A3
    polynomial = polynomial * x + _A2
    polynomial = polynomial * x + _A1
    polynomial = polynomial * x + _A0
    return np.sqrt(v) * polynomial


@kernel(inline="always", fastmath={"contract"})
def _arccos(cosine):
    """Float32 angle of a float64 cosine, which is clipped to [-1, 1]."""
    near = _arccos_near(np.float32(1.0 - abs(cosine)))
    return near if cosine >= 0.0 else _PI - near


@_compile
def _score_exactly(exact, start, picks, count, wide, dots, invalid):
    """Score `count` pixels, from `start` on or those in `picks`, into rows of `wide`.

    Leaves |p| in _NORM, the winner's and the runner-up's <p, r> in _BEST and _SECOND and the class
    code in _CODE, and every <p, r> in `dots`.
    """
    flat, band_stride, pixel_stride, n_bands, weights, codes, cos_max, nodata = exact
    per_pass = BANDS_PER_PASS
    n_refs = codes.size
    limited = cos_max.max() > -1.0
    for i in range(LANES):
        wide[_NORM + i] = 0.0
        invalid[i] = 0
    for i in range(n_refs * LANES):
        dots[i] = 0.0
    for first in range(0, n_bands, per_pass):
        here = min(per_pass, n_bands - first)
        if picks.size:
            for b in range(here):
                row = wide[_BANDS + b * LANES : _BANDS + (b + 1) * LANES]
                base = (first + b) * band_stride
                for i in range(count):
                    row[i] = flat[base + picks[i] * pixel_stride]
        elif pixel_stride == 1:
            for b in range(here):
                row = wide[_BANDS + b * LANES : _BANDS + (b + 1) * LANES]
                base = (first + b) * band_stride + start
                source = flat[base : base + count]
                for i in range(count):
                    row[i] = source[i]
        else:
            for i in range(count):
                base = first * band_stride + (start + i) * pixel_stride
                for b in range(here):
                    wide[_BANDS + b * LANES + i] = flat[base + b * band_stride]
        for i in range((per_pass - here) * LANES):
            wide[_BANDS + here * LANES + i] = 0.0
        for i in range(LANES):
            square = wide[_NORM + i]
            bad = invalid[i]
            for b in range(per_pass):
                p = wide[_BANDS + b * LANES + i]
                square += p * p
                bad = 1 if b < here and p == nodata else bad
            wide[_NORM + i] = square
            invalid[i] = bad
        offset = first * n_refs
        r = 0
        while r + 4 <= n_refs:
            weight = weights[offset + r * per_pass : offset + (r + 4) * per_pass]
            dot = dots[r * LANES : (r + 4) * LANES]
            for i in range(LANES):
                d0 = dot[i]
                d1 = dot[LANES + i]
                d2 = dot[2 * LANES + i]
                d3 = dot[3 * LANES + i]
                for b in range(per_pass):
                    p = wide[_BANDS + b * LANES + i]
                    d0 += p * weight[b]
                    d1 += p * weight[per_pass + b]
                    d2 += p * weight[2 * per_pass + b]
                    d3 += p * weight[3 * per_pass + b]
                dot[i] = d0
                dot[LANES + i] = d1
                dot[2 * LANES + i] = d2
                dot[3 * LANES + i] = d3
            r += 4
        while r < n_refs:
            weight = weights[offset + r * per_pass : offset + (r + 1) * per_pass]
            dot = dots[r * LANES : (r + 1) * LANES]
            for i in range(LANES):
                d0 = dot[i]
                for b in range(per_pass):
                    d0 += wide[_BANDS + b * LANES + i] * weight[b]
                dot[i] = d0
            r += 1
    for i in range(LANES):
        square = wide[_NORM + i]
        # A comparison with NaN is false: NaN and infinite pixels are invalid too.
        sound = (square > 0.0) & (square < np.inf)
        invalid[i] = invalid[i] if sound else 1
        wide[_NORM + i] = math.sqrt(square)
        wide[_BEST + i] = -np.inf
        wide[_SECOND + i] = -np.inf
        wide[_CODE + i] = 0.0
        wide[_ALLOWED + i] = -np.inf
        wide[_ALLOWED_CODE + i] = 0.0
    for r in range(n_refs):
        dot = dots[r * LANES : (r + 1) * LANES]
        code = codes[r]
        for i in range(LANES):
            d = dot[i]
            best = wide[_BEST + i]
            second = wide[_SECOND + i]
            lower = best if best < d else d
            wide[_SECOND + i] = lower if lower > second else second
            wide[_CODE + i] = code if d > best else wide[_CODE + i]
            wide[_BEST + i] = d if d > best else best
        if limited:
            lowest = cos_max[r]
            for i in range(LANES):
                d = dot[i]
                d = d if d >= lowest * wide[_NORM + i] else -np.inf
                allowed = wide[_ALLOWED + i]
                wide[_ALLOWED_CODE + i] = code if d > allowed else wide[_ALLOWED_CODE + i]
                wide[_ALLOWED + i] = d if d > allowed else allowed
    if limited:
        for i in range(LANES):
            best = wide[_BEST + i]
            code = wide[_ALLOWED_CODE + i]
            winner = wide[_ALLOWED + i] if code > 0.0 else best
            wide[_SECOND + i] = wide[_SECOND + i] if winner == best else best
            wide[_BEST + i] = winner
            wide[_CODE + i] = code


@_compile
def _finish_exactly(wide, invalid, class_row, angle_row, margin_row):
    """Class, angle and margin of the scored lanes."""
    for i in range(LANES):
        inverse = 1.0 / wide[_NORM + i]
        nearest = _arccos(wide[_BEST + i] * inverse)
        next_one = _arccos(wide[_SECOND + i] * inverse)
        angle_row[i] = nearest if invalid[i] == 0 else _NAN
        margin_row[i] = next_one - nearest if invalid[i] == 0 else _NAN
        class_row[i] = np.int32(wide[_CODE + i]) if invalid[i] == 0 else _NODATA


@_compile
def _map_exact(exact, classes, angle, margin, every):
    """All pixels in double precision; `every` has no rows unless all angles are wanted."""
    n_refs = exact[5].size
    n_pixels = classes.size
    wide = np.zeros((6 + BANDS_PER_PASS) * LANES)
    dots = np.zeros(n_refs * LANES)
    invalid = np.zeros(LANES, np.int32)
    no_picks = np.zeros(0, np.int64)
    class_row = np.zeros(LANES, np.int32)
    angle_row = np.zeros(LANES, np.float32)
    margin_row = np.zeros(LANES, np.float32)
    for start in range(0, n_pixels, LANES):
        count = min(LANES, n_pixels - start)
        _score_exactly(exact, start, no_picks, count, wide, dots, invalid)
        _finish_exactly(wide, invalid, class_row, angle_row, margin_row)
        class_out = classes[start : start + count]
        angle_out = angle[start : start + count]
        margin_out = margin[start : start + count]
        for i in range(count):
            class_out[i] = class_row[i]
            angle_out[i] = angle_row[i]
            margin_out[i] = margin_row[i]
        for r in range(every.shape[0]):
            every_out = every[r, start : start + count]
            dot = dots[r * LANES : (r + 1) * LANES]
            for i in range(count):
                cosine = dot[i] / wide[_NORM + i]
                every_out[i] = _arccos(cosine) if invalid[i] == 0 else _NAN


@_compile
def _map_screened(unroll, exact, centre, shifted, codes, bounds, classes, angle, margin):
    """All pixels in single precision, and those that it leaves open in double precision."""
    flat, band_stride, pixel_stride, _, _, _, _, nodata_wide = exact
    n_bands = len(unroll)
    n_refs = codes.size
    n_pixels = classes.size
    nodata = np.float32(nodata_wide)
    linear, quadratic, surely_in, surely_out = bounds
    narrow = np.zeros((6 + n_bands) * LANES, np.float32)
    waiting = np.zeros(2 * LANES, np.int64)
    n_waiting = 0
    wide = np.zeros((6 + BANDS_PER_PASS) * LANES)
    dots = np.zeros(n_refs * LANES)
    invalid = np.zeros(LANES, np.int32)
    class_row = np.zeros(LANES, np.int32)
    angle_row = np.zeros(LANES, np.float32)
    margin_row = np.zeros(LANES, np.float32)
    for start in range(0, n_pixels, LANES):
        count = min(LANES, n_pixels - start)
        if pixel_stride == 1:
            for b in range(n_bands):
                base = b * band_stride + start
                source = flat[base : base + count]
                for i in range(count):
                    narrow[_S_BANDS + b * LANES + i] = source[i]
        else:
            for i in range(count):
                base = (start + i) * pixel_stride
                for b in range(n_bands):
                    narrow[_S_BANDS + b * LANES + i] = flat[base + b * band_stride]
        for i in range(LANES):
            square = _ZERO
            bad = _ZERO
            for b in range(n_bands):
                p = narrow[_S_BANDS + b * LANES + i]
                square += p * p
                bad = _ONE if p == nodata else bad
            inverse = _ONE / np.sqrt(square)
            for b in range(n_bands):
                p = narrow[_S_BANDS + b * LANES + i]
                narrow[_S_BANDS + b * LANES + i] = p * inverse - centre[b]
            narrow[_S_NORM2 + i] = square
            narrow[_S_BEST + i] = _HUGE
            narrow[_S_SECOND + i] = _HUGE
            narrow[_S_CODE + i] = _ZERO
            # NaN in any band made the sum NaN.
            narrow[_S_BAD + i] = bad if square == square else _ONE
        r = 0
        while r + 4 <= n_refs:
            s = shifted[r * n_bands : (r + 4) * n_bands]
            c0, c1, c2, c3 = codes[r], codes[r + 1], codes[r + 2], codes[r + 3]
            for i in range(LANES):
                d0 = _ZERO
                d1 = _ZERO
                d2 = _ZERO
                d3 = _ZERO
                for b in range(n_bands):
                    q = narrow[_S_BANDS + b * LANES + i]
                    e0 = q - s[b]
                    e1 = q - s[n_bands + b]
                    e2 = q - s[2 * n_bands + b]
                    e3 = q - s[3 * n_bands + b]
                    d0 += e0 * e0
                    d1 += e1 * e1
                    d2 += e2 * e2
                    d3 += e3 * e3
                best = narrow[_S_BEST + i]
                second = narrow[_S_SECOND + i]
                code = narrow[_S_CODE + i]
                higher = best if best > d0 else d0
                second = higher if higher < second else second
                code = c0 if d0 < best else code
                best = d0 if d0 < best else best
                higher = best if best > d1 else d1
                second = higher if higher < second else second
                code = c1 if d1 < best else code
                best = d1 if d1 < best else best
                higher = best if best > d2 else d2
                second = higher if higher < second else second
                code = c2 if d2 < best else code
                best = d2 if d2 < best else best
                higher = best if best > d3 else d3
                second = higher if higher < second else second
                code = c3 if d3 < best else code
                best = d3 if d3 < best else best
                narrow[_S_BEST + i] = best
                narrow[_S_SECOND + i] = second
                narrow[_S_CODE + i] = code
            r += 4
        while r < n_refs:
            s = shifted[r * n_bands : (r + 1) * n_bands]
            c0 = codes[r]
            for i in range(LANES):
                d0 = _ZERO
                for b in range(n_bands):
                    e0 = narrow[_S_BANDS + b * LANES + i] - s[b]
                    d0 += e0 * e0
                best = narrow[_S_BEST + i]
                second = narrow[_S_SECOND + i]
                higher = best if best > d0 else d0
                narrow[_S_SECOND + i] = higher if higher < second else second
                narrow[_S_CODE + i] = c0 if d0 < best else narrow[_S_CODE + i]
                narrow[_S_BEST + i] = d0 if d0 < best else best
            r += 1
        class_out = classes[start : start + count]
        angle_out = angle[start : start + count]
        margin_out = margin[start : start + count]
        for i in range(count):
            best = narrow[_S_BEST + i]
            second = narrow[_S_SECOND + i]
            norm2 = narrow[_S_NORM2 + i]
            versine = _HALF * best
            next_versine = _HALF * second
            nearest = _arccos_near(versine)
            # Twice the error of 1 - cosine, as the angle is no less than the chord; for the
            # runner-up at a tie it is the same.
            error = linear * nearest + quadratic * best
            inside = versine <= surely_in - error
            # Every comparison with NaN is false and leaves the pixel open.
            known = (second - best > _TWO * error) & (next_versine < _ONE)
            known &= (norm2 > _TINY) & (norm2 < _HUGE)
            known &= inside | (versine > surely_out + error)
            sound = narrow[_S_BAD + i] == _ZERO
            narrow[_S_OPEN + i] = _ONE if sound & (not known) else _ZERO
            angle_out[i] = nearest if sound else _NAN
            margin_out[i] = _arccos_near(next_versine) - nearest if sound else _NAN
            code = np.int32(narrow[_S_CODE + i]) if inside else _UNCLASSIFIED
            class_out[i] = code if sound else _NODATA
        n_open = 0
        for i in range(count):
            n_open += 1 if narrow[_S_OPEN + i] > _ZERO else 0
        if n_open:
            for i in range(count):
                waiting[n_waiting] = start + i
                n_waiting += 1 if narrow[_S_OPEN + i] > _ZERO else 0
        # Full lanes of open pixels are computed at once, the rest after the last pixel.
        while n_waiting >= LANES or (n_waiting and start + count == n_pixels):
            n_now = min(LANES, n_waiting)
            # With picks `start` says nothing; an int64 as elsewhere, it needs no other compilation.
            _score_exactly(exact, start, waiting, n_now, wide, dots, invalid)
            _finish_exactly(wide, invalid, class_row, angle_row, margin_row)
            for i in range(n_now):
                classes[waiting[i]] = class_row[i]
                angle[waiting[i]] = angle_row[i]
                margin[waiting[i]] = margin_row[i]
            for i in range(n_waiting - n_now):
                waiting[i] = waiting[n_now + i]
            n_waiting -= n_now
