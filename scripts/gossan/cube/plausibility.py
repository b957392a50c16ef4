"""Whether numbers can be reflectance: what a wrong scale in metadata makes, cannot.

Numbers that look odd only, though the product says that they are right, are told by notes.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gossan.errors import InputError

if TYPE_CHECKING:
    from gossan.products.product import Product

# Half of a scene can be neither: snow under a low sun stays below, dark water with an atmosphere
# taken off too much above.
LEAST, MOST = -0.2, 2.0
# Share of the pixels from which a lack of bands is told, and how many of these are named.
_NOTED_SHARE, _NAMED_BANDS = 0.001, 6
# Share of the clear looks from which an offset is doubted.
_DOUBTED_SHARE = 0.01


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
            sides = values < LEAST, values > MOST
        outside = [[np.count_nonzero(band & data) for band in side] for side in sides]
        with self._lock:
            self._pixels += int(np.count_nonzero(data))
            self._outside += np.array(outside)

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


def note_partial(
    partial: int, observed: int, lacking: Sequence[int], names: Sequence[str]
) -> list[str]:
    """A note on pixels with data in some bands only, which are nodata in all.

    So is water in products that tell no reflectance there in the short-wave infrared: a pixel
    that a spectrum cannot be told of is no pixel of a cube. `lacking` are the pixels that each
    band lacks, of `partial`; `observed` have data in all bands. Below a thousandth of the pixels,
    as along edges, nothing is said.
    """
    if partial < _NOTED_SHARE * (partial + observed):
        return []
    most = [name for name, count in zip(names, lacking, strict=True) if 2 * count >= max(lacking)]
    shown = ", ".join(most) if len(most) <= _NAMED_BANDS else f"{most[0]} to {most[-1]}"
    return [
        f"{partial} pixels ({partial / (partial + observed):.1%} of those seen) have data in some "
        f"bands only and are nodata; {len(most)} of {len(names)} bands lack the most ({shown}): "
        "without them these pixels would stay"
    ]


def note_offset(offset: float, below: int, clear: int) -> list[str]:
    """A note where reflectance falls below zero by the offset that was added to it.

    Of `clear` looks `below` lie under half of the (negative) offset, as dark ground does where the
    offset was in the stored numbers already: catalogues that harmonise their dates are known to
    deny it for some (`earthsearch:boa_offset_applied`). Noise and overcorrection hardly reach
    there.
    """
    if below < _DOUBTED_SHARE * clear or not below:
        return []
    return [
        f"{below / clear:.1%} of the clear looks are below {offset / 2:g}: the offset of "
        f"{offset:g} was perhaps applied before, though the metadata (boa_offset_applied) deny it; "
        "compare with the product of another catalogue"
    ]
