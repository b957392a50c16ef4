"""What lies on the ground that a map is of: what was masked, plants and water in what is left.

Plants and water hide the rock, so that what a map names there is none. Their shares, in numbers and
plain sentences, with what to try.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from gossan.accuracy.doubts import percent
from gossan.legend import NODATA, UNCLASSIFIED
from gossan.transforms.vegetation import PLANTS_NDVI

MOST_COVERED = 0.5
"""Share of the ground under plants, water or masks beyond which a map says little of rock."""
WORTH_MASKING = 0.1
"""Share of the clear ground that a cover must have for advice to mask it."""
ALL = 0.95
COVER_WORDS = {
    "plants": f"green plants (NDVI above {PLANTS_NDVI:g})",
    "water": "open water (dark, and darker in the near infrared than in green)",
}
MASK_ADVICE = (
    "Take a date with fewer clouds; of Sentinel-2, several dates in one folder become one image of "
    "their clear looks."
)


@dataclass(frozen=True)
class ClearGround:
    """Shares of the ground of a map; each is None, or left out, where nothing tells it.

    `masked` is the share of the pixels with data that any mask took, `flags` that of each;
    `covers` are shares of the clear pixels by cover, `named` those of the pixels that the map
    names. `ndvi_max` is the index above which plants were masked.
    """

    masked: float | None = None
    flags: Mapping[str, float] = field(default_factory=dict)
    covers: Mapping[str, float] = field(default_factory=dict)
    named: Mapping[str, float] = field(default_factory=dict)
    ndvi_max: float | None = None

    def describe(self) -> dict[str, object]:
        """The shares for a record."""
        return {
            "masked": _rounded(self.masked),
            "flags": {name: _rounded(share) for name, share in self.flags.items()},
            "covers_of_clear": {name: _rounded(share) for name, share in self.covers.items()},
            "covers_of_named": {name: _rounded(share) for name, share in self.named.items()},
            "plants_ndvi": PLANTS_NDVI,
            "ndvi_max": self.ndvi_max,
        }


def measure_ground(
    record: Mapping, codes: np.ndarray, covers: Mapping[str, np.ndarray]
) -> ClearGround:
    """Shares by the record of the cube and an even sample of a map's codes (n,).

    `covers` are bool (n,) by name, as `vegetation.find_covers` tells them.
    """
    pixels = record.get("pixels", {})
    observed, valid = pixels.get("observed", 0), pixels.get("valid", 0)
    clear = codes != NODATA
    named = clear & (codes != UNCLASSIFIED)
    return ClearGround(
        masked=1 - valid / observed if observed else None,
        flags={
            flag: found["share_of_observed"]
            for flag, found in (record.get("masked") or {}).items()
            if found.get("share_of_observed") is not None
        },
        covers={name: _mean(found[clear]) for name, found in covers.items()},
        named={name: _mean(found[named]) for name, found in covers.items() if named.any()},
        ndvi_max=record.get("ndvi_max"),
    )


def doubt_ground(ground: ClearGround) -> list[str]:
    """Sentences on what hides the rock; none where little does."""
    sentences = []
    if ground.masked is not None and ground.masked > MOST_COVERED:
        sentences.append(
            f"{percent(ground.masked)} of the pixels with data are masked ({_flags(ground)}): the "
            "map is of what is left."
        )
    for name, share in ground.covers.items():
        if share > MOST_COVERED:
            sentences.append(
                f"{percent(share)} of the clear pixels are {COVER_WORDS[name]}, which hides the "
                "rock: what the map names there is no mineral."
            )
    for name, share in ground.named.items():
        if share > MOST_COVERED >= ground.covers[name]:
            sentences.append(
                f"{percent(share)} of the pixels that the map names are {COVER_WORDS[name]}, "
                "which hides the rock: what it names there is no mineral."
            )
    return sentences


def describe_ground(ground: ClearGround) -> list[str]:
    """One sentence with all shares; none where nothing is known of them."""
    parts = []
    if ground.masked is not None:
        flags = _flags(ground)
        parts.append(
            f"{percent(ground.masked)} of the pixels with data are masked"
            + (f" ({flags})" if flags else "")
            if ground.masked
            else "no pixel with data is masked"
        )
    covers = [
        f"{percent(share) if share else 'none'} are {COVER_WORDS[name]}"
        for name, share in ground.covers.items()
    ]
    if covers:
        parts.append(f"of the clear pixels {' and '.join(covers)}")
    text = "; ".join(parts)
    return [f"{text[0].upper()}{text[1:]}."] if text else []


def advise_on_ground(ground: ClearGround) -> list[str]:
    """What to try about masks, plants and water."""
    advice = []
    if ground.masked is not None and ground.masked > MOST_COVERED:
        advice.append(MASK_ADVICE)
    plants, water = ground.covers.get("plants", 0.0), ground.covers.get("water", 0.0)
    if plants > WORTH_MASKING and (ground.ndvi_max is None or ground.ndvi_max > PLANTS_NDVI):
        expect = " Expect little of them." if 1 - plants < 1 - MOST_COVERED else ""
        advice.append(
            f"Set cube.ndvi_max: {PLANTS_NDVI:g}, and plants become no data: "
            f"{percent(1 - plants)} of the clear pixels are left, and what is learned of the scene "
            f"is of them.{expect}"
        )
    if water > WORTH_MASKING:
        advice.append(
            "Cut the scene to land with cube.polygon; where the product flags water, add water to "
            "the list cube.mask."
            + (" Hardly any land is left: take another scene." if plants + water > ALL else "")
        )
    return advice


def _flags(ground: ClearGround) -> str:
    """Flags with a share, the largest first."""
    shares = sorted(ground.flags.items(), key=lambda item: -item[1])
    return ", ".join(
        f"{name.replace('_', ' ')} {percent(share)}" for name, share in shares if share >= 0.0005
    )


def _mean(found: np.ndarray) -> float:
    return float(found.mean()) if found.size else 0.0


def _rounded(share: float | None) -> float | None:
    return None if share is None else float(f"{share:.4g}")
