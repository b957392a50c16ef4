"""What physics and the formats allow of the numbers in a product's metadata.

A number outside of these limits is damage: taken at its word it makes a cube that looks like one.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from gossan.errors import InputError, decoding
from gossan.raster import Grid

# Nominal numbers of a format may be off by this factor in a product, not by one digit or power.
MOST_FACTOR = 4.0
# Lines, samples and bands of a spectrometer's scene, and sides of its lookup table: real ones have
# 3000 at most. A file of a few kB can tell any number, and what is not stored is read as fill.
MOST_SIDE = 20_000
# Sides of a pixel of any satellite's image, in metres, and in degrees.
_PIXEL_M, _PIXEL_DEG = (0.1, 20_000.0), (1e-6, 0.2)
# Once around the Earth; no projection reaches farther from where it begins.
_FARTHEST_M = 4.1e7
_LAST_YEAR = 2100
# First days of the missions: the launches.
LAUNCHES = {
    "Landsat 8": datetime(2013, 2, 11, tzinfo=UTC),
    "Landsat 9": datetime(2021, 9, 27, tzinfo=UTC),
    "ASTER": datetime(1999, 12, 18, tzinfo=UTC),
    "Sentinel-2": datetime(2015, 6, 23, tzinfo=UTC),
    "EMIT": datetime(2022, 7, 14, tzinfo=UTC),
    "PRISMA": datetime(2019, 3, 22, tzinfo=UTC),
    "WorldView-3": datetime(2014, 8, 13, tzinfo=UTC),
}

Opener = TypeVar("Opener", bound=Callable)


def names_its_product(opener: Opener) -> Opener:
    """The function that opens what a path leads to, with errors that name it whatever they are.

    What it opens is told the path, for faults that come out when it is read.
    """

    @functools.wraps(opener)
    def opened(path: object, *arguments: object, **options: object) -> object:
        # An address without user and query, which may hold keys.
        shown = re.sub(r"\?.*|(?<=//)[^/@]*@", "", str(path)) if "//" in str(path) else str(path)
        with decoding(shown):
            found = opener(path, *arguments, **options)
        for product in found if isinstance(found, list) else [found]:
            product.path = product.path or shown
        return found

    return opened


def require_within(
    value: float, limits: tuple[float, float], name: str, key: str, unit: str = ""
) -> float:
    """`value`; InputError, naming file and key, unless it lies within the two limits."""
    low, high = limits
    if not low <= value <= high:
        raise InputError(
            f"{name}: {key} = {value:g} lies outside of {low:g} to {high:g}{unit and f' {unit}'}, "
            "where it can be; get the product's own metadata again"
        )
    return value


def near(nominal: float) -> tuple[float, float]:
    """Limits around the number that a format has for a scale, above 0."""
    return nominal / MOST_FACTOR, nominal * MOST_FACTOR


def require_elevation(value: float, name: str, key: str) -> float:
    """`value`, degrees above the horizon, as angle; InputError for what is none."""
    return require_within(value, (-90.0, 90.0), name, key, "degrees")


def require_azimuth(value: float, name: str, key: str) -> float:
    """`value`, degrees from north; InputError for what is no angle of a compass."""
    return require_within(value, (-180.0, 360.0), name, key, "degrees")


def read_moment(text: str, name: str, key: str, mission: str = "") -> datetime:
    """A time in UTC from ISO 8601, taken as UTC where no zone is told.

    Raises InputError, naming file and key, for text that is no time of the calendar, and for a
    time before the launch of `mission` or after 2100.
    """
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{name}: {key} = {text or '(missing)'} is no time") from error
    return require_moment(moment, name, key, mission)


def require_moment(moment: datetime, name: str, key: str, mission: str) -> datetime:
    """`moment`, with a time zone; InputError where `mission` took no image then."""
    first = LAUNCHES.get(mission)
    if first is not None and not (first <= moment and moment.year <= _LAST_YEAR):
        raise InputError(
            f"{name}: {key} = {moment:%Y-%m-%d}, but {mission} was launched on {first:%Y-%m-%d}; "
            "get the product's own metadata again"
        )
    return moment


def require_place(grid: Grid, name: str) -> Grid:
    """`grid`; InputError where it has a reference system and is no part of the Earth."""
    if grid.crs is None:
        return grid
    a, b, _, d, e, _ = grid.transform[:6]
    sides = math.hypot(a, d), math.hypot(b, e)
    limits, unit = (_PIXEL_DEG, "degrees") if grid.crs.is_geographic else (_PIXEL_M, "m")
    if grid.crs.is_projected:
        sides = tuple(side * grid.crs.linear_units_factor[1] for side in sides)
    low, high = limits
    if not all(low <= side <= high for side in sides):
        raise InputError(
            f"{name}: its pixels are {sides[0]:g} x {sides[1]:g} {unit}, which no image of a "
            f"satellite has ({low:g} to {high:g}); its georeference is damaged, get it again"
        )
    corners = [grid.place(x, y) for x in (0, grid.width) for y in (0, grid.height)]
    # Grids across the antimeridian go on beyond 180 degrees; projections repeat themselves or end.
    if grid.crs.is_geographic:
        whole = all(abs(x) <= 540 and abs(y) <= 90.01 for x, y in corners)
    else:
        unit_m = grid.crs.linear_units_factor[1] if grid.crs.is_projected else 1.0
        whole = all(math.hypot(x, y) * unit_m <= _FARTHEST_M for x, y in corners)
    if not whole:
        raise InputError(
            f"{name}: its corners ({corners[0][0]:g}, {corners[0][1]:g}) to "
            f"({corners[-1][0]:g}, {corners[-1][1]:g}) lie nowhere on the Earth; its georeference "
            "is damaged, get it again"
        )
    return grid
