"""The registry of readers: which module opens the products of a sensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from gossan.errors import InputError
from gossan.products.product import Product


def _open_landsat(path: str | Path, bands: Sequence[str] | None) -> Product:
    from gossan.products.landsat import open_product as reader

    return reader(path, bands)


def _open_aster(path: str | Path, bands: Sequence[str] | None) -> Product:
    from gossan.products.aster import open_product as reader

    return reader(path) if bands is None else reader(path, bands)


def _open_sentinel2(path: str | Path, bands: Sequence[str] | None) -> Product:
    from gossan.products.sentinel2 import open_product as reader

    return reader(path) if bands is None else reader(path, bands)


def _open_emit(path: str | Path, bands: Sequence[str] | None) -> Product:
    from gossan.products.emit import open_product as reader

    return reader(path, bands)


def _open_enmap(path: str | Path, bands: Sequence[str] | None) -> Product:
    from gossan.products.enmap import open_product as reader

    return reader(path, bands)


def _open_prisma(path: str | Path, bands: Sequence[str] | None) -> Product:
    from gossan.products.prisma import open_product as reader

    return reader(path, bands)


def _open_worldview3(path: str | Path, bands: Sequence[str] | None) -> Product:
    from gossan.products.worldview3 import open_product as reader

    return reader(path, bands)


def _open_rasters(
    path: str | Path,
    bands: Sequence[str] | None,
    wavelengths_um: Sequence[float] = (),
    fwhm_um: Sequence[float] = (),
    scale: float | None = None,
) -> Product:
    from gossan.products.rasters import open_product as reader

    return reader(path, bands, wavelengths_um, fwhm_um, scale)


# Value of the scene table's `sensor` column -> reader. Readers are imported on demand, because
# each brings its own format libraries, and by plain import statements, which the workflow follows
# to know the code that a rule depends on.
READERS: dict[str, Callable[[str | Path, Sequence[str] | None], Product]] = {
    "landsat": _open_landsat,
    "aster": _open_aster,
    "sentinel2": _open_sentinel2,
    "emit": _open_emit,
    "enmap": _open_enmap,
    "prisma": _open_prisma,
    "worldview3": _open_worldview3,
    "rasters": _open_rasters,
}


def open_product(
    sensor: str,
    path: str | Path,
    bands: Sequence[str] | None = None,
    wavelengths_um: Sequence[float] = (),
    fwhm_um: Sequence[float] = (),
    scale: float | None = None,
) -> Product:
    """Open a native product with the reader of `sensor`.

    `bands` are those that will be read (None: all): a reader may leave the files, the saturation
    and the faults of the others alone, and may have more bands than these. `wavelengths_um` and
    `fwhm_um` tell centres and widths of these bands, and `scale` the reflectance of a stored 1,
    where rasters do not.

    Raises InputError if no reader of that name exists or the product cannot be used.
    """
    if sensor not in READERS:
        raise InputError(f"sensor '{sensor}' is unknown; use one of: {', '.join(READERS)}")
    if wavelengths_um or fwhm_um or scale is not None:
        if sensor != "rasters":
            flag = "scale" if scale is not None else "wavelengths-um"
            raise InputError(f"{flag}: products of {sensor} tell their own; leave the numbers out")
        return _open_rasters(path, bands, wavelengths_um, fwhm_um, scale)
    return READERS[sensor](path, bands)
