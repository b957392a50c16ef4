"""Whether numbers can be reflectance at all: what a wrong scale in metadata makes, cannot."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from gossan.errors import InputError

if TYPE_CHECKING:
    from gossan.products.product import Product

# Half of a scene can be neither: snow under a low sun stays below, dark water with an atmosphere
# taken off too much above.
LEAST, MOST = -0.2, 2.0


class ReflectanceMeter:
    """Counts, band by band, pixels of a product whose reflectance lies outside of LEAST to MOST."""

    def __init__(self, bands: int):
        """Nothing is counted yet."""
        self._lock = threading.Lock()
        self._pixels = 0
        self._outside = np.zeros((2, bands), np.int64)

    def add(self, values: np.ndarray, data: np.ndarray) -> None:
        """Count the pixels of a block that hold data.

        values: (bands, rows, columns); data: (rows, columns) bool. Threads may call it at once.
        """
        with np.errstate(invalid="ignore"):
            outside = [
                ((values < LEAST) & data).sum(axis=(1, 2)),
                ((values > MOST) & data).sum(axis=(1, 2)),
            ]
        with self._lock:
            self._pixels += int(data.sum())
            self._outside += outside

    def require(self, product: Product, bands: tuple[str, ...]) -> None:
        """Raise InputError where most of the pixels of a band are no reflectance.

        Only for products whose metadata scale their numbers, which the message tells to look at.
        """
        if not product.scaled_by:
            return
        limits = (f"below {LEAST:g}", f"above {MOST:g}")
        for odd, where in zip(2 * self._outside > self._pixels, limits, strict=True):
            if odd.any():
                raise InputError(
                    f"{product.path or product.product_id}: most of band {bands[odd.argmax()]} is "
                    f"{where}, which no reflectance is; look at {product.scaled_by}, or get the "
                    "product again"
                )
