"""How many bands the methods for zones take, whose work and memory grow with each."""

from gossan.errors import InputError
from gossan.raster import RasterInfo

MOST_BANDS = 64


def require_few_bands(info: RasterInfo) -> None:
    """InputError for a cube of more than MOST_BANDS bands."""
    bands = len(info.bands.names)
    if bands > MOST_BANDS:
        raise InputError(
            f"{info.path}: has {bands} bands, and zones are found on {MOST_BANDS} at most; name "
            "the wavelengths that matter (zones: centres_um)"
        )
