"""Which bands of a cube speak of which group of minerals."""

from collections.abc import Sequence

from gossan.errors import InputError
from gossan.legend import MapClass
from gossan.raster import BandTable

VNIR, SWIR = "1um", "2um"
VNIR_UM = (0.4, 1.3)
"""Where iron absorbs by its electrons (Hunt 1977, Geophysics 42, 501-513)."""
SWIR_UM = (2.0, 2.5)
"""Where OH, carbonate, sulfate and silica absorb by their vibrations (Hunt 1977)."""
BEYOND_IRON_UM = 0.62
"""End of the steep absorption by which ferric iron colours all ground (charge transfer)."""
GROUP_WORDS = {
    VNIR: ("1 µm", "absorptions of iron by its electrons, 0.4 to 1.3 µm"),
    SWIR: (
        "2 µm",
        "vibrations of OH, carbonate, sulfate and silica (2.0 to 2.5 µm)",
    ),
}
"""What a group of minerals is called, and what its bands see."""
LEAST_BANDS = 3
ENOUGH_BANDS = 4


Ranges = Sequence[Sequence[float]]


def bands_within(bands: BandTable, ranges_um: Ranges) -> list[int]:
    """Places of the bands centred in one of some ranges (µm), ends included; all without any."""
    return [
        place
        for place, centre in enumerate(bands.centre_um or [0.0] * len(bands.names))
        if not ranges_um or any(low <= centre <= high for low, high in ranges_um)
    ]


def require_bands(found: Sequence[int], ranges_um: Ranges, what: str) -> None:
    """Raise InputError where `what` has fewer than LEAST_BANDS within the ranges, if any."""
    if ranges_um and len(found) < LEAST_BANDS:
        told = " or ".join(f"{low:g} to {high:g} µm" for low, high in ranges_um)
        raise InputError(
            f"minerals.range_um: {what} has {len(found)} bands within "
            f"{told}; spectra are compared at {LEAST_BANDS} at least, so give a wider range"
        )


def group_bands(bands: BandTable, group: str, ranges_um: Ranges = ()) -> list[int]:
    """Places of the bands that tell minerals of a group apart, ascending; fewer than three: none.

    `1um`: those from 0.4 to 1.3 µm. `2um`: those from 2.0 to 2.5 µm, and of a sensor that has
    fewer than four there all beyond 0.62 µm: a broad band sees an absorption by what stands
    beside it. With `ranges_um`, of the bands within these alone.
    """
    among = bands_within(bands, ranges_um) if bands.centre_um else []

    def within(low: float, high: float) -> list[int]:
        return [place for place in among if low <= bands.centre_um[place] <= high]

    if group == VNIR:
        found = within(*VNIR_UM)
    else:
        found = within(*SWIR_UM)
        if len(found) < ENOUGH_BANDS:
            found = within(BEYOND_IRON_UM, SWIR_UM[1])
    return found if len(found) >= LEAST_BANDS else []


def members_of(classes: Sequence[MapClass], group: str) -> list[MapClass]:
    """The classes of a group, in their order."""
    return [item for item in classes if item.group == group]
