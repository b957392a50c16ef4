"""How many bands, and how wide wavelets, the methods for zones take: memory grows with both."""

from gossan.errors import InputError
from gossan.raster import LEAST_BLOCK_WITH_HALO_PX, RasterInfo
from gossan.transforms.wavelets import Transform

MOST_BANDS = 64
# A block is read with its surroundings; one that takes more is refused.
MOST_BLOCK_BYTES = 512 * 2**20


def require_few_bands(info: RasterInfo) -> None:
    """InputError for a cube of more than MOST_BANDS bands."""
    bands = len(info.bands.names)
    if bands > MOST_BANDS:
        raise InputError(
            f"{info.path}: has {bands} bands, and zones are found on {MOST_BANDS} at most; name "
            "the wavelengths that matter (zones: centres_um)"
        )


def require_fit(info: RasterInfo, transform: Transform) -> None:
    """InputError for a cube that is too small, or has too many bands, for a transform."""
    require_few_bands(info)
    transform.require_fit(info.grid.shape, str(info.path))
    side = LEAST_BLOCK_WITH_HALO_PX + 2 * transform.halo
    pixels = min(side, info.grid.width) * min(side, info.grid.height)
    needed = 4 * len(info.bands.names) * pixels
    if needed > MOST_BLOCK_BYTES:
        raise InputError(
            f"{info.path}: level {transform.level} of {transform.wavelet} looks "
            f"{transform.halo} pixels far, so that a block of {len(info.bands.names)} bands takes "
            f"{needed / 2**20:.0f} MiB; use a lower level, a shorter wavelet or fewer bands"
        )
