"""When a map says little or nothing: plain sentences with the numbers that tell it."""

import math
from collections.abc import Mapping

MOST_OF_ONE = 0.8
"""Share of the named pixels that one class may have; more is what a colour of the ground gives."""
LEAST_NAMED = 0.01
"""Share of the clear pixels that a map must name for what most of them are to say anything."""
MOST_UNCLASSIFIED = 0.5
FAR_FROM_ORIGIN_RAD = 0.1
"""Angle to the origin beyond which half of the named pixels are like no reference: what is usually
the threshold (Kruse et al. 1993)."""
FAR_FROM_MEAN_RAD = math.radians(60)
"""The same about the scene's mean, where a right angle is no likeness at all."""


def describe_doubts(
    what: str,
    shares: Mapping[str, float],
    unclassified: float,
    *,
    median_rad: float | None = None,
    far_rad: float | None = None,
) -> list[str]:
    """Sentences on what makes a map worth little; none for a map without such signs.

    `what` is the map in words, `shares` the classes' shares of its clear pixels by label,
    `unclassified` that of the others. `median_rad` is the median angle of the named pixels to their
    references, `far_rad` the angle beyond which it counts as far (None: angles are not judged).
    """
    sentences = []
    if unclassified > MOST_UNCLASSIFIED:
        sentences.append(
            f"{what} leaves {percent(unclassified)} of the clear pixels unclassified: of most of "
            "the ground it says nothing."
        )
    named = sum(shares.values())
    if named >= LEAST_NAMED:
        label, most = max(shares.items(), key=lambda item: item[1])
        if len(shares) > 1 and most > MOST_OF_ONE * named:
            sentences.append(
                f"{what} calls {percent(most / named)} of the pixels that it names "
                f"{label.lower()}: that may be the general colour of the ground and not the "
                "mineral."
            )
    if median_rad is not None and far_rad is not None and median_rad > far_rad:
        sentences.append(
            f"{what} is far from all references: half of the pixels that it names lie more than "
            f"{angle_text(median_rad)} from theirs, and beyond {angle_text(far_rad)} there is "
            "little likeness."
        )
    return sentences


def percent(share: float) -> str:
    """A share; what is not all does not read as all, nor a little as nothing."""
    text = f"{share:.1%}"
    if text == "0.0%" and share > 0:
        return "less than 0.1%"
    return "more than 99.9%" if text == "100.0%" and share < 1 else text


def angle_text(angle_rad: float) -> str:
    """An angle in radians and degrees."""
    return f"{angle_rad:.2f} rad ({math.degrees(angle_rad):.0f}°)"
