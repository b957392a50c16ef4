"""What every reader returns, and all that preprocessing needs to know of a sensor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from gossan.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from rasterio.windows import Window

    from gossan.raster import BandTable, Grid

# Flags that may be asked of every sensor, also of one that never sets them.
FLAGS = (
    "fill",
    "dilated_cloud",
    "cirrus",
    "cloud",
    "cloud_shadow",
    "snow",
    "water",
    "saturation",
)


class Product(ABC):
    """One native product on one grid, read by windows from any number of threads.

    Attributes: `product_id`; `spacecraft`; `sensor`; `collection`; `level`; `acquired` (ISO 8601,
    UTC); `sun_elevation_deg`; `synthetic` (written by gossan's simulator); `surface_reflectance`,
    or else reflectance at the top of the atmosphere; `offset`, the reflectance that was added to
    all numbers by what the metadata say (a negative one); `flags` that may be asked for, and
    `absent_flags`, those of them that are never set; `notes` on the reading; `grid`; `bands`.
    Where nothing is known, text is empty and the sun's elevation and `surface_reflectance` are
    None. Numbers of bands without wavelengths are not reflectance, but any. `path` is what it was
    opened by, for messages, and `scaled_by` names the metadata that made its reflectance of stored
    numbers; empty where a user may have scaled them himself. `tiles` and `parts` name the tiles and
    the products that it was put together from; empty where it is one product.

    Use it as a context manager, or call `close`.
    """

    product_id: str
    spacecraft: str
    sensor: str
    collection: str
    level: str
    acquired: str
    sun_elevation_deg: float | None
    synthetic: bool
    surface_reflectance: bool | None
    offset: float = 0.0
    flags: tuple[str, ...] = FLAGS
    absent_flags: tuple[str, ...]
    notes: tuple[str, ...]
    grid: Grid
    bands: BandTable
    path: str = ""
    scaled_by: str = ""
    tiles: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    @abstractmethod
    def read_reflectance(self, window: Window) -> np.ndarray:
        """Reflectance of a window, (bands, rows, columns) float32, NaN where there is no data."""

    @abstractmethod
    def read_flags(self, window: Window, flags: Sequence[str]) -> np.ndarray:
        """Quality flags of a window, (flags, rows, columns) bool, in the order asked for."""

    def touches(self, window: Window) -> bool:
        """Whether it reaches into a window of its grid; where not, all of it is fill."""
        return True

    def require_flags(self, flags: Sequence[str]) -> None:
        """Raise InputError for a flag that is unknown or that this product cannot tell."""
        for flag in flags:
            if flag not in self.flags:
                raise InputError(f"mask flag '{flag}' is unknown; use: {', '.join(self.flags)}")

    @abstractmethod
    def close(self) -> None:
        """Close the product's files and remove what was unpacked."""

    def __enter__(self) -> Self:
        """The product itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the product."""
        self.close()
