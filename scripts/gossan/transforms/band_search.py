"""Which bands belong to one sensor, and which are the same band of two scenes."""

from collections.abc import Sequence

# Where a band's width is unknown, centres may differ by this much (µm).
UNKNOWN_WIDTH_UM = 0.01


def sensor_parts(names: Sequence[str]) -> list[list[int]]:
    """Places of each sensor's bands in a stack ("aster:5"), by sensor; all bands of a plain cube.

    Sensors stand in the order of their first band.
    """
    parts: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        sensor, colon, _ = name.partition(":")
        parts.setdefault(sensor if colon else "", []).append(place)
    return list(parts.values())


def same_wavelength(
    centre_um: float | None, trained_um: float | None, width_um: float | None
) -> bool:
    """Whether a band lies where the one that a model was trained on lay, `width_um` wide.

    Centres may be half a width apart: so far sensors of one series differ, and scenes of one
    imaging spectrometer. A band without a wavelength is the same only as another without.
    """
    if centre_um is None or trained_um is None:
        return centre_um is trained_um
    return abs(centre_um - trained_um) <= (width_um / 2 if width_um else UNKNOWN_WIDTH_UM)
