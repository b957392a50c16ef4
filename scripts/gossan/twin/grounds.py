"""The catalogue of simulated grounds: where each lies, how large it may be, what is known of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gossan.errors import InputError

MOST_DIFFICULTY = 2.0
MOST_COATING = 0.95


@dataclass(frozen=True)
class Ground:
    """One entry of the catalogue; what the ground is made of, `gossan.twin.site` knows.

    epsg, centre_m: reference system in metres, and centre in it; longitude_deg: there, by which
    overpasses are timed; path_row: of Landsat; level_m: what corrections of the air take the
    ground's height to be; pixel_m: of the ground's own grid, on which the truth stands.

    square: whether one side in pixels sizes it, or columns and rows; sides go from least_px to
    most_px by step_px. slanted: whether it is known, and imaged by Landsat, between the slanted
    edges of a swath alone. tables: of classes, which its truth needs; files: that tell what is
    known of it.
    """

    epsg: int
    centre_m: tuple[int, int]
    longitude_deg: float
    path_row: tuple[int, int]
    level_m: float
    pixel_m: int
    least_px: int
    most_px: int
    step_px: int
    tables: tuple[str, ...]
    files: tuple[str, ...]
    square: bool = True
    slanted: bool = False


_TRUTH = ("truth.tif", "truth.tif.aux.xml", "truth.qml")

GROUNDS = {
    # In the Karakoram.
    "porphyry": Ground(
        epsg=32643,
        centre_m=(436_920, 3_973_020),
        longitude_deg=74.30,
        path_row=(149, 35),
        level_m=3000.0,
        pixel_m=30,
        least_px=64,
        most_px=8192,
        step_px=1,
        tables=("minerals",),
        files=_TRUTH,
        slanted=True,
    ),
    # A window of a porphyry district in central Iran; the centre is that of the district.
    "porphyry-zones": Ground(
        epsg=32639,
        centre_m=(630_521, 3_672_115),
        longitude_deg=52.40,
        path_row=(163, 37),
        level_m=3000.0,
        pixel_m=30,
        least_px=64,
        most_px=8192,
        step_px=1,
        tables=("minerals",),
        files=(*_TRUTH, "zones.gpkg", "faults.gpkg"),
        square=False,
    ),
    # Near Caetité in Brazil.
    "iron": Ground(
        epsg=32723,
        centre_m=(765_300, 8_412_120),
        longitude_deg=-42.54,
        path_row=(218, 70),
        level_m=880.0,
        pixel_m=10,
        least_px=96,
        most_px=8192,
        step_px=6,
        tables=("covers", "iron"),
        files=(
            *_TRUTH,
            *(name.replace("truth", "iron_truth") for name in _TRUTH),
            *(f"{name}.gpkg" for name in ("mines", "ore_points", "geology")),
            *(f"{name}.gpkg" for name in ("claims", "occurrences", "known_mines", "districts")),
            *(f"{name}.tif" for name in ("dem", "magnetics")),
        ),
    ),
    # In the desert of Nevada.
    "epithermal": Ground(
        epsg=32611,
        centre_m=(482_340, 4_153_800),
        longitude_deg=-117.20,
        path_row=(41, 34),
        level_m=1600.0,
        pixel_m=30,
        least_px=32,
        most_px=2048,
        step_px=2,
        tables=("minerals",),
        files=_TRUTH,
    ),
}


def find_ground(name: str) -> Ground:
    """The entry of a name; InputError for one that is not there."""
    if name not in GROUNDS:
        raise InputError(f"ground '{name}' is unknown; use one of: {', '.join(GROUNDS)}")
    return GROUNDS[name]


def check_size(name: str, size_px: Sequence[int]) -> tuple[int, int]:
    """Columns and rows of a ground of this size; InputError for one that it cannot have."""
    ground = find_ground(name)
    given = f"--size-px {' '.join(str(side) for side in size_px)}"
    if ground.square and len(size_px) != 1:
        raise InputError(f"{given}: the ground {name} is square; give one side")
    if not ground.square and len(size_px) != 2:
        raise InputError(f"{given}: the ground {name} needs columns and rows")
    for side in size_px:
        if not ground.least_px <= side <= ground.most_px:
            raise InputError(
                f"{given}: out of range for the ground {name}; use {ground.least_px} to "
                f"{ground.most_px} pixels of {ground.pixel_m} m"
            )
        if side % ground.step_px:
            raise InputError(
                f"{given}: the ground {name} has a side of a multiple of {ground.step_px} pixels"
            )
    return size_px[0], size_px[-1]


def check_difficulty(difficulty: float) -> None:
    """InputError unless a ground can be as hard as this."""
    if math.isnan(difficulty) or not 0 <= difficulty <= MOST_DIFFICULTY:
        raise InputError(f"--difficulty {difficulty}: out of range; use 0 to {MOST_DIFFICULTY:g}")


def check_coating(coating: float) -> None:
    """InputError unless so much of a ground can be coated."""
    if math.isnan(coating) or not 0 <= coating <= MOST_COATING:
        raise InputError(f"--coating {coating}: out of range; use 0 to {MOST_COATING:g}")
