"""Plants and water by their indices, on whichever bands of a sensor are green, red, infrared."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gossan.errors import InputError

if TYPE_CHECKING:
    from gossan.raster import BandTable

PLANTS_NDVI = 0.3
"""Index above which a pixel is mostly plants: bare ground has up to 0.2 and a full cover 0.5 and
more (Sobrino et al. 2004, Remote Sensing of Environment 90, 434-440)."""
DARK_WATER = 0.15
"""Near infrared reflectance of the brightest water; snow and clouds have the same index."""
GREEN_UM, RED_UM, NEAR_INFRARED_UM = (0.50, 0.60), (0.60, 0.70), (0.76, 0.90)


def find_band_within(bands: "BandTable", limits: tuple[float, float]) -> int | None:
    """The band whose centre lies within limits (µm), the one nearest to their middle."""
    low, high = limits
    inside = [band for band, centre in enumerate(bands.centre_um) if low <= centre <= high]
    middle = (low + high) / 2
    return min(inside, key=lambda band: abs(bands.centre_um[band] - middle), default=None)


def vegetation_bands(bands: "BandTable") -> tuple[str, str]:
    """Names of the red and the near infrared band; InputError when there is none of either."""
    places = [find_band_within(bands, limits) for limits in (RED_UM, NEAR_INFRARED_UM)]
    if None in places:
        raise InputError(
            "ndvi_max: needs a red and a near infrared band, and there are only "
            f"{' '.join(bands.names)}; leave the key out"
        )
    red, infrared = places
    return bands.names[red], bands.names[infrared]


def check_index(ndvi_max: float | None) -> None:
    """Raise InputError for a limit that is no NDVI; None is no limit."""
    if ndvi_max is not None and not -1 <= ndvi_max <= 1:
        raise InputError(f"ndvi-max {ndvi_max:g} is no NDVI; give -1 to 1")


def vegetation_index(red: np.ndarray, infrared: np.ndarray) -> np.ndarray:
    """Normalised difference vegetation index (infrared - red) / (infrared + red), float32.

    Reflectance of any one shape in; NaN where the sum is not above zero or a band has no data
    (Tucker 1979, Remote Sensing of Environment 8, 127-150).
    """
    index = np.full(red.shape, np.nan, np.float32)
    total = infrared + red
    np.divide(infrared - red, total, out=index, where=total > 0)
    return index


def find_covers(pixels: np.ndarray, bands: "BandTable") -> Mapping[str, np.ndarray]:
    """Where `plants` and `water` are among pixels, reflectance (n, bands): bool (n,) of each.

    Plants have an NDVI above PLANTS_NDVI; water is brighter in green than in the near infrared
    (McFeeters 1996, International Journal of Remote Sensing 17, 1425-1432), and dark there. What
    the bands cannot tell is left out.
    """
    green, red, infrared = (
        None if place is None else pixels[:, place]
        for place in (find_band_within(bands, um) for um in (GREEN_UM, RED_UM, NEAR_INFRARED_UM))
    )
    covers = {}
    if infrared is not None and red is not None:
        covers["plants"] = vegetation_index(red, infrared) > PLANTS_NDVI
    if infrared is not None and green is not None:
        covers["water"] = (green > infrared) & (infrared < DARK_WATER)
    return covers
