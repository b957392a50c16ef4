"""What a class map answers, in numbers: how much it names, and how near what it names is."""

from collections.abc import Mapping

import numpy as np

from gossan.legend import NODATA, UNCLASSIFIED


def describe_answers(
    classes: np.ndarray, names: Mapping[int, str], distances: np.ndarray | None = None
) -> dict[str, object]:
    """Numbers of a sample of a map's pixels: class codes (n,), those of nodata left out.

    `names` are classes by code. Returns the sample's `pixels`, the share of them that is
    `unclassified`, the `shares` of the classes by name, and, of `distances` (n,) to the winners,
    the `median_distance` of the named pixels (None where there is none).
    """
    valid = classes != NODATA
    total = int(valid.sum())
    counts = np.bincount(classes[valid].astype(np.int64), minlength=NODATA)

    def share(code: int) -> float:
        return float(f"{counts[code] / max(total, 1):.4g}")

    told: dict[str, object] = {
        "pixels": total,
        "unclassified": share(UNCLASSIFIED),
        "shares": {name: share(code) for code, name in names.items()},
    }
    if distances is not None:
        named = distances[valid & (classes != UNCLASSIFIED) & np.isfinite(distances)]
        told["median_distance"] = float(f"{np.median(named):.4g}") if len(named) else None
    return told
