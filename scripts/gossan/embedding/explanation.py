"""Why the network's map is as it is: its ground, how it answers, what its bands cannot tell."""

from collections.abc import Mapping, Sequence

from gossan.accuracy.clear_ground import (
    ClearGround,
    advise_on_ground,
    describe_ground,
    doubt_ground,
)
from gossan.accuracy.doubts import MOST_UNCLASSIFIED, describe_doubts, percent
from gossan.minerals.explanation import advise_on_alike, describe_separable, one_with


def read_shares(areas: Sequence[Mapping[str, str]]) -> tuple[dict[str, float], float]:
    """Shares of the clear pixels by the classes' labels, and that of the unclassified ones.

    `areas` are rows of the map's table of areas; there are no classes where no pixel is clear.
    """
    rows = [row for row in areas if row["name"] != "nodata"]
    whole = sum(int(row["pixels"]) for row in rows)
    if not whole:
        return {}, 0.0
    of_none = [row["name"] == "unclassified" for row in rows]
    found = [int(row["pixels"]) / whole for row in rows]
    shares = {
        row["label"]: share
        for row, share, none in zip(rows, found, of_none, strict=True)
        if not none
    }
    return shares, sum(share for share, none in zip(found, of_none, strict=True) if none)


def doubt_network(scene: str, shares: Mapping[str, float], unclassified: float) -> list[str]:
    """What makes the network's map worth little."""
    return describe_doubts(f"The network's map of {scene}", shares, unclassified)


def explain_network(
    scene: str,
    shares: Mapping[str, float],
    unclassified: float,
    answers: Mapping[str, float],
    ground: ClearGround,
    separable: Sequence[Mapping[str, str]] = (),
    labels: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """`doubts`, `sentences`, `advice` and `numbers`, as of minerals.explanation.explain.

    `shares` and `unclassified` are as of `read_shares`, `answers` the shares of the clear pixels
    that are like `none` of the classes and like `several`, which the map leaves unclassified;
    `labels` are the classes' by name.
    """
    doubts = [*doubt_ground(ground), *doubt_network(scene, shares, unclassified)]
    if unclassified > MOST_UNCLASSIFIED:
        doubts.append(
            f"{percent(answers['none'])} of the clear pixels are like no mineral of the library "
            f"within its limit, and {percent(answers['several'])} like several, between which the "
            "network does not choose."
        )
    alike = describe_separable(separable, labels or {})
    return {
        "doubts": doubts,
        "sentences": [*doubts, *filter(None, [alike]), *describe_ground(ground)],
        "advice": [*advise_on_ground(ground), *advise_on_alike(separable, "embedding.references")],
        "numbers": {
            "ground": ground.describe(),
            "unclassified": _rounded(unclassified),
            "answers": {name: _rounded(share) for name, share in answers.items()},
            "shares": {label: _rounded(share) for label, share in shares.items()},
            "one_with": one_with(separable),
        },
    }


def _rounded(share: float) -> float:
    return float(f"{share:.4g}")
