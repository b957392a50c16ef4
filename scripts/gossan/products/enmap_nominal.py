"""EnMAP's bands as all of its products have them within a fraction of a nanometre, and their gain.

For products that come without METADATA.XML, which tells those of the scene, and for simulated ones.
"""

import numpy as np
from scipy.interpolate import CubicSpline

from gossan.raster import BandTable

GAIN = 1e-4
# Centre and full width at half maximum (nm) of some bands of each detector and window, by their
# place there, rounded from the values that DLR's products tell. A cubic through them is within
# 0.1 nm of all bands.
_VNIR_ANCHORS = (
    (0, 418.2, 7.0),
    (2, 429.3, 6.42),
    (4, 439.6, 6.13),
    (6, 449.4, 6.01),
    (9, 463.6, 5.92),
    (12, 477.6, 5.83),
    (15, 491.6, 5.8),
    (18, 505.9, 5.87),
    (21, 520.4, 6.01),
    (24, 535.3, 6.18),
    (30, 566.2, 6.53),
    (36, 599.3, 6.88),
    (42, 634.9, 7.33),
    (48, 672.9, 7.76),
    (54, 713.3, 8.21),
    (60, 756.1, 8.72),
    (66, 801.0, 9.17),
    (72, 847.6, 9.58),
    (78, 895.5, 10.08),
    (84, 944.2, 10.59),
    (87, 968.6, 10.75),
    (90, 993.1, 10.64),
)
_SWIR_ANCHORS = (
    (
        (0, 902.3, 9.18),
        (9, 993.5, 10.27),
        (17, 1082.1, 11.02),
        (26, 1187.6, 11.38),
        (34, 1283.3, 11.43),
        (43, 1390.8, 11.27),
    ),
    (
        (0, 1461.5, 11.09),
        (7, 1542.0, 10.82),
        (14, 1620.4, 10.51),
        (20, 1685.8, 10.23),
        (27, 1759.8, 9.92),
    ),
    (
        (0, 1939.4, 9.17),
        (15, 2078.2, 8.59),
        (30, 2208.1, 8.06),
        (45, 2330.3, 7.61),
        (60, 2445.5, 7.16),
    ),
)


def enmap_bands() -> BandTable:
    """The 224 bands of EnMAP by wavelength, those of VNIR and SWIR among each other."""
    table = np.concatenate([vnir_nm(), swir_nm()])
    table = table[np.argsort(table[:, 0])]
    return BandTable(
        tuple(f"B{place:03d}" for place in range(1, len(table) + 1)),
        tuple(round(float(centre) / 1000, 5) for centre in table[:, 0]),
        tuple(round(float(width) / 1000, 5) for width in table[:, 1]),
    )


def vnir_nm() -> np.ndarray:
    """Centre and width (nm) of the bands of the VNIR detector, (bands, 2)."""
    return _between(_VNIR_ANCHORS)


def swir_nm() -> np.ndarray:
    """Centre and width (nm) of the bands of the SWIR detector, (bands, 2)."""
    return np.concatenate([_between(anchors) for anchors in _SWIR_ANCHORS])


def _between(anchors: tuple[tuple[int, float, float], ...]) -> np.ndarray:
    """Centre and width (nm) of all bands from the first anchor to the last, (bands, 2)."""
    places, *values = np.array(anchors).T
    curve = CubicSpline(places, np.transpose(values))
    return np.round(curve(np.arange(places[-1] + 1)), 2)
