"""A scene that teaches another one: what both must have in common."""

from gossan.errors import InputError
from gossan.raster import BandTable
from gossan.transforms.band_search import same_wavelength


def require_same_bands(bands: BandTable, others: BandTable, what: object) -> None:
    """Raise InputError, naming `what` the others are of, unless they are the same bands."""
    count = len(bands.names)
    none = (None,) * count
    tables = (bands.centre_um or none, others.centre_um or none, others.fwhm_um or none)
    if bands.names != others.names or not all(map(same_wavelength, *tables)):
        raise InputError(
            f"{what}: has other bands than the cube that it is to teach; name a scene of the same "
            "sensor and cube.bands"
        )
