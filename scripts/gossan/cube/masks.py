"""What becomes nodata in a cube beside what its product flags: plants; and flags that never are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gossan.transforms.vegetation import check_index, vegetation_bands

if TYPE_CHECKING:
    from gossan.products.product import Product
    from gossan.products.subset import Subset

# The name of the mask of plants in records, where flags stand.
VEGETATION = "vegetation"


def select_plants(part: Subset, ndvi_max: float | None) -> Subset | None:
    """The red and near infrared of the same ground; None where no NDVI is asked for.

    Raises InputError for a limit that is no NDVI and a product without these bands.
    """
    if ndvi_max is None:
        return None
    check_index(ndvi_max)
    return part.with_bands(vegetation_bands(part.product.bands))


def note_absent(product: Product, flags: Sequence[str]) -> list[str]:
    """A note on those of the flags that a product never sets."""
    absent = [flag for flag in flags if flag in product.absent_flags]
    if not absent:
        return []
    name = f"Collection {product.collection}" if product.collection else product.sensor
    return [f"{name} has no flag {', '.join(absent)}; it masks nothing"]
