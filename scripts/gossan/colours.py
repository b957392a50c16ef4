"""How far apart colours look, also to readers who are blind to red and green.

About one man in twelve sees red and green as one (protanopes lack the long receptors,
deuteranopes the middle ones); what they see is simulated, and the distance of two colours is the
least that any of these eyes find.
"""

import functools
import math
from collections.abc import Sequence
from itertools import combinations

from gossan.legend import MapClass

LEAST_DIFFERENCE = 5.0
"""Two classes nearer than this (CIEDE2000) are easily taken for one another on a map. One is what
a trained eye tells apart where two colours touch."""

# Machado, Oliveira and Fernandes 2009 (IEEE Transactions on Visualization and Computer Graphics
# 15(6), 1291-1298), severity 1.0, on linear RGB: all receptors, protanopes, deuteranopes.
EYES = {
    "all receptors": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopes": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopes": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}
# From linear sRGB to XYZ, and the white of D65 (IEC 61966-2-1).
_TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_WHITE = (0.95047, 1.0, 1.08883)

Lab = tuple[float, float, float]


def difference(one: str, other: str) -> float:
    """The least distance (CIEDE2000) of two colours "#RRGGBB" to the eyes of EYES."""
    return min(ciede2000(seen(one, eyes), seen(other, eyes)) for eyes in EYES)


def near_classes(classes: Sequence[MapClass]) -> list[tuple[MapClass, MapClass, float]]:
    """Pairs of classes nearer than LEAST_DIFFERENCE, with their distance, in their order."""
    pairs = [
        (one, other, difference(one.colour, other.colour))
        for one, other in combinations(classes, 2)
    ]
    return [pair for pair in pairs if pair[2] < LEAST_DIFFERENCE]


@functools.cache
def seen(colour: str, eyes: str) -> Lab:
    """CIELAB of a colour "#RRGGBB" as the eyes of that name in EYES see it."""
    stored = [part / 255 for part in bytes.fromhex(colour[1:])]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in stored]
    simulated = [min(max(part, 0.0), 1.0) for part in _product(EYES[eyes], linear)]
    x, y, z = (
        math.cbrt(share) if share > 216 / 24389 else (24389 / 27 * share + 16) / 116
        for share in (a / b for a, b in zip(_product(_TO_XYZ, simulated), _WHITE, strict=True))
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _product(matrix: Sequence[Sequence[float]], vector: Sequence[float]) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def ciede2000(one: Lab, other: Lab) -> float:
    """The difference of two colours of CIELAB.

    Sharma, Wu and Dalal 2005 (Color Research and Application 30(1), 21-30), with unit weights.
    """
    mean_chroma = (math.hypot(*one[1:]) + math.hypot(*other[1:])) / 2
    redder = 1.5 - 0.5 * math.sqrt(mean_chroma**7 / (mean_chroma**7 + 25.0**7))
    (light, chroma, hue), (light_2, chroma_2, hue_2) = (
        (lightness, math.hypot(a * redder, b), math.degrees(math.atan2(b, a * redder)) % 360)
        for lightness, a, b in (one, other)
    )
    turn = (hue_2 - hue + 180) % 360 - 180 if chroma * chroma_2 else 0.0
    apart = 2 * math.sqrt(chroma * chroma_2) * math.sin(math.radians(turn) / 2)
    lightness = (light + light_2) / 2 - 50
    chromas = (chroma + chroma_2) / 2
    middle = math.radians(hue + turn / 2) if chroma * chroma_2 else math.radians(hue + hue_2)
    weight = (
        1
        - 0.17 * math.cos(middle - math.radians(30))
        + 0.24 * math.cos(2 * middle)
        + 0.32 * math.cos(3 * middle + math.radians(6))
        - 0.20 * math.cos(4 * middle - math.radians(63))
    )
    blue = 30 * math.exp(-(((math.degrees(middle) % 360 - 275) / 25) ** 2))
    strength = math.sqrt(chromas**7 / (chromas**7 + 25.0**7))
    rotation = -2 * strength * math.sin(math.radians(2 * blue))
    by_light = (light_2 - light) / (1 + 0.015 * lightness**2 / math.sqrt(20 + lightness**2))
    by_chroma = (chroma_2 - chroma) / (1 + 0.045 * chromas)
    by_hue = apart / (1 + 0.015 * chromas * weight)
    return math.sqrt(by_light**2 + by_chroma**2 + by_hue**2 + rotation * by_chroma * by_hue)
