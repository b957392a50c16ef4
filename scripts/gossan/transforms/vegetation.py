"""The vegetation index, on whichever bands of a sensor are red and near infrared."""

from typing import TYPE_CHECKING

import numpy as np

from gossan.errors import InputError

if TYPE_CHECKING:
    from gossan.raster import BandTable

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
