"""Readers of the sensors' native products, one module per sensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gossan.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from rasterio.windows import Window

    from gossan.raster import BandTable, Grid


class Product(AbstractContextManager, Protocol):
    """What every reader returns, and all that preprocessing needs to know of a sensor."""

    product_id: str
    spacecraft: str
    sensor: str
    collection: str
    level: str
    acquired: str
    sun_elevation_deg: float
    synthetic: bool
    surface_reflectance: bool
    flags: tuple[str, ...]
    absent_flags: tuple[str, ...]
    notes: tuple[str, ...]
    grid: Grid
    bands: BandTable

    def read_reflectance(self, window: Window) -> np.ndarray:
        """Reflectance of a window, (bands, rows, columns) float32, NaN where there is no data."""

    def read_flags(self, window: Window, flags: Sequence[str]) -> np.ndarray:
        """Quality flags of a window, (flags, rows, columns) bool."""

    def read_mask(self, window: Window, flags: Sequence[str]) -> np.ndarray:
        """Where any of `flags` is set, (rows, columns) bool."""

    def close(self) -> None:
        """Close the product's files."""


def _open_landsat(path: str | Path, _: Sequence[str] | None) -> Product:
    from gossan.sensors.landsat import open_product as reader

    return reader(path)


def _open_aster(path: str | Path, bands: Sequence[str] | None) -> Product:
    from gossan.sensors.aster import open_product as reader

    return reader(path) if bands is None else reader(path, bands)


def _open_sentinel2(path: str | Path, bands: Sequence[str] | None) -> Product:
    from gossan.sensors.sentinel2 import open_product as reader

    return reader(path) if bands is None else reader(path, bands)


# Value of the scene table's `sensor` column -> reader. Readers are imported on demand, because
# each brings its own format libraries, and by plain import statements, which the workflow follows
# to know the code that a rule depends on.
READERS: dict[str, Callable[[str | Path, Sequence[str] | None], Product]] = {
    "landsat": _open_landsat,
    "aster": _open_aster,
    "sentinel2": _open_sentinel2,
}


def open_product(sensor: str, path: str | Path, bands: Sequence[str] | None = None) -> Product:
    """Open a native product with the reader of `sensor`.

    `bands` are those that will be read (None: all): a reader may leave the files, the saturation
    and the faults of the others alone, and may have more bands than these.

    Raises InputError if no reader of that name exists or the product cannot be used.
    """
    if sensor not in READERS:
        raise InputError(f"sensor '{sensor}' is unknown; use one of: {', '.join(READERS)}")
    return READERS[sensor](path, bands)
