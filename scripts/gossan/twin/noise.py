"""Seeded gradient noise on a lattice: any point on its own, the same whatever surrounds it."""

import math

import numpy as np

from gossan.kernels import kernel

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_TOP = np.uint64(11)

# One octave of gradient noise has this standard deviation (measured over 10^7 points).
_OCTAVE_STD = 0.17621
# From one octave to the next, frequency doubles and the lattice turns by atan(3/4), so that the
# axes of the lattices do not line up and show.
_COS, _SIN = 1.6, 1.2


@kernel(inline="always")
def _mix(value):
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    value = (value ^ (value >> _SHIFTS[0])) * _MIX_A
    value = (value ^ (value >> _SHIFTS[1])) * _MIX_B
    return value ^ (value >> _SHIFTS[2])


@kernel(inline="always")
def _hash(column, row, key):
    value = _mix(np.uint64(column) * _GOLDEN + key)
    return _mix(value + np.uint64(row) * _GOLDEN)


@kernel(inline="always")
def _gradient(column, row, key):
    """The random gradient of a lattice node, uniform in the square from -1 to 1."""
    value = _hash(column, row, key)
    return (
        np.float64(value >> np.uint64(48)) * (2.0 / 65535.0) - 1.0,
        np.float64((value >> np.uint64(32)) & np.uint64(0xFFFF)) * (2.0 / 65535.0) - 1.0,
    )


@kernel
def _fractal(x, y, key, wavelength, octaves, gain, out):
    variance = 0.0
    amplitude = 1.0
    for _ in range(octaves):
        variance += amplitude * amplitude
        amplitude *= gain
    amplitude = 1.0 / (_OCTAVE_STD * math.sqrt(variance))
    # One octave after the other, because neighbouring points share their lattice cell and the
    # four gradients of the cell are kept from one point to the next.
    xx = 1.0 / wavelength
    xy = 0.0
    x0 = 0.0
    y0 = 0.0
    for octave in range(octaves):
        level = key + np.uint64(octave) * _MIX_A
        i = np.int64(0)
        j = np.int64(0)
        ax, ay = _gradient(i, j, level)
        bx, by = _gradient(i + 1, j, level)
        cx, cy = _gradient(i, j + 1, level)
        dx, dy = _gradient(i + 1, j + 1, level)
        for index in range(x.size):
            u = xx * x[index] - xy * y[index] + x0
            v = xy * x[index] + xx * y[index] + y0
            floor_u = math.floor(u)
            floor_v = math.floor(v)
            column = np.int64(floor_u)
            row = np.int64(floor_v)
            if column != i or row != j:
                i = column
                j = row
                ax, ay = _gradient(i, j, level)
                bx, by = _gradient(i + 1, j, level)
                cx, cy = _gradient(i, j + 1, level)
                dx, dy = _gradient(i + 1, j + 1, level)
            u -= floor_u
            v -= floor_v
            fade_u = u * u * u * (u * (u * 6.0 - 15.0) + 10.0)
            fade_v = v * v * v * (v * (v * 6.0 - 15.0) + 10.0)
            a = ax * u + ay * v
            b = bx * (u - 1.0) + by * v
            c = cx * u + cy * (v - 1.0)
            d = dx * (u - 1.0) + dy * (v - 1.0)
            top = a + fade_u * (b - a)
            bottom = c + fade_u * (d - c)
            out[index] += amplitude * (top + fade_v * (bottom - top))
        amplitude *= gain
        xx, xy = _COS * xx - _SIN * xy, _SIN * xx + _COS * xy
        x0, y0 = _COS * x0 - _SIN * y0 + 17.31, _SIN * x0 + _COS * y0 + 5.77


@kernel
def _normal(columns, rows, key, out):
    for r in range(rows.size):
        for c in range(columns.size):
            value = _hash(columns[c], rows[r], key)
            other = _mix(value + _GOLDEN)
            # Uniform in (0, 1]: the logarithm below must not see zero.
            first = (np.float64(value >> _TOP) + 1.0) / 9007199254740992.0
            second = np.float64(other >> _TOP) / 9007199254740992.0
            out[r, c] = math.sqrt(-2.0 * math.log(first)) * math.cos(2.0 * math.pi * second)


def field_key(seed: int, name: str) -> np.uint64:
    """A 64-bit key of the random field `name` under `seed` (FNV-1a over both)."""
    value = 0xCBF29CE484222325
    for byte in f"{seed}:{name}".encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return np.uint64(value)


def fractal_noise(
    x: np.ndarray,
    y: np.ndarray,
    key: np.uint64,
    wavelength: float,
    octaves: int = 1,
    gain: float = 0.5,
) -> np.ndarray:
    """Sum of octaves of gradient noise at the points (x, y), about zero mean and unit variance.

    x, y: arrays of one shape, float64, in units of `wavelength`, the lattice spacing of the first
    octave; each further octave has half the spacing and `gain` times the amplitude. Returns
    float64 of the same shape. The value at a point depends on nothing but the point and the
    key. Gradient noise with the quintic fade: Perlin 2002, ACM Transactions on Graphics 21, 681.
    """
    x = np.ascontiguousarray(x, dtype=np.float64)
    y = np.ascontiguousarray(y, dtype=np.float64)
    out = np.zeros(x.shape)
    _fractal(x.ravel(), y.ravel(), key, wavelength, octaves, gain, out.ravel())
    return out


def white_noise(columns: np.ndarray, rows: np.ndarray, key: np.uint64) -> np.ndarray:
    """Independent standard normal numbers of the pixels rows x columns, (rows, columns) float64.

    columns, rows: int64 pixel numbers; a number depends on its pixel and the key alone.
    """
    out = np.empty((rows.size, columns.size))
    _normal(np.asarray(columns, np.int64), np.asarray(rows, np.int64), key, out)
    return out
