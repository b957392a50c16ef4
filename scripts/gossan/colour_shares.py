"""The trivial baseline: count the pixels of each colour, and name the class that has most.

Patches are labelled by the largest share of a map, so this rule is right on the patches as they
were cut. A network that does no better than it has learnt to count colours, not to see patterns.
"""

from collections.abc import Sequence

import numpy as np

from gossan.legend import MapClass


def count_colours(images: np.ndarray, classes: Sequence[MapClass]) -> np.ndarray:
    """Pixels of exactly the colour of each class: images (n, rows, columns, 3) uint8 -> (n, K).

    Classes of equal colour are each given all pixels of it.
    """
    packed = _pack(images)
    colours = _pack(np.array([item.rgb for item in classes], np.uint8))
    return np.stack([(packed == colour).sum(axis=(1, 2)) for colour in colours], axis=1)


def _pack(colours: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 -> (...) one number per colour."""
    wide = colours.astype(np.uint32)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def classify_by_colour(images: np.ndarray, classes: Sequence[MapClass]) -> np.ndarray:
    """Place in `classes` of the colour with most pixels, (n,); the first of equals, -1 for none."""
    counts = count_colours(images, classes)
    return np.where(counts.any(axis=1), counts.argmax(axis=1), -1)
