"""A simulated ground at its place: its terrain, its own grid, and the grids of who images it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from gossan.products.sun import sun_position
from gossan.raster import Grid
from gossan.twin.coating import CoatedGround
from gossan.twin.epithermal import EpithermalGround
from gossan.twin.grounds import Ground, check_coating, check_difficulty, check_size, find_ground
from gossan.twin.iron import IronGround
from gossan.twin.porphyry import ALTERATION, DISTRICT_M, FIELD_ZONES, PorphyryGround
from gossan.twin.terrain import Terrain

# The ground of zones is cut from its district along pixels that lie evenly about the cells of 15 m.
_ZONES_SHIFT_M = -7.5
# Tile of Sentinel-2 in which the iron ground lies: its upper left corner and its side.
_TILE_CORNER_M, _TILE_M = (699_960, 8_500_020), 109_800
_SECONDS_PER_DEGREE = 240
# Share of the width that a slanted edge of the swath cuts off, top left to bottom right.
_SLANT = 0.06


@dataclass(frozen=True)
class Site:
    """One ground of one seed, size and difficulty, at its place.

    terrain: counts from the north-west corner of `grid`, the ground's own; first_px: place of the
    first pixel in the district that the ground is a window of.
    """

    name: str
    ground: Ground
    terrain: Terrain | CoatedGround
    grid: Grid
    first_px: tuple[int, int] = (0, 0)

    @property
    def extent_m(self) -> tuple[float, float]:
        """(west-east, north-south) size in metres."""
        pixel_m = float(self.ground.pixel_m)
        return self.grid.width * pixel_m, self.grid.height * pixel_m

    def covering(self, pixel_m: float, step_m: float | None = None) -> Grid:
        """The grid of pixels of pixel_m metres over the ground, from its north-west corner.

        It ends on a multiple of step_m (None: of the pixel), so it may reach beyond the ground.
        """
        step_m = step_m or pixel_m
        west, _, _, north = self.grid.bounds
        width, height = (
            math.ceil(side / step_m) * round(step_m / pixel_m) for side in self.extent_m
        )
        transform = Affine(float(pixel_m), 0.0, west, 0.0, -float(pixel_m), north)
        return Grid(self.grid.crs, transform, width, height)

    def local(self, moment: datetime, longitude_deg: float) -> datetime:
        """When it is here as late by the sun as it is over a longitude at a moment."""
        west = longitude_deg - self.ground.longitude_deg
        return moment + timedelta(seconds=round(_SECONDS_PER_DEGREE * west))

    def sun(self, moment: datetime) -> tuple[float, float, float]:
        """Elevation and azimuth in degrees over the middle of the ground, and distance in AU."""
        x, y = self.grid.place(self.grid.width / 2, self.grid.height / 2)
        (lon,), (lat,) = transform_points(self.grid.crs, CRS.from_epsg(4326), [x], [y])
        return sun_position(moment, lon, lat)

    def outside(self, window: Window, grid: Grid) -> np.ndarray:
        """Where pixels of a grid over the ground lie outside of what is known of it, bool.

        That is nowhere but on a slanted ground, which ends as the swath of a descending orbit does.
        """
        if not self.ground.slanted:
            return np.zeros((window.height, window.width), bool)
        column = (np.arange(window.width) + window.col_off + 0.5)[None, :]
        row = (np.arange(window.height) + window.row_off + 0.5)[:, None]
        edge = _SLANT * (grid.height - row) * (grid.width / grid.height)
        return (column < edge) | (column > grid.width * (1 - _SLANT) + edge)


def find_site(
    name: str, *, seed: int, size_px: Sequence[int], difficulty: float, coating: float = 0.0
) -> Site:
    """The ground `name` of the catalogue; size_px: one side, or columns and rows, of its own.

    coating: share of the coat over bare ground, see `CoatedGround`; 0: none.

    Raises InputError for an unknown ground, and for a size, a difficulty or a coating that it
    cannot have.
    """
    columns, rows = check_size(name, size_px)
    check_difficulty(difficulty)
    check_coating(coating)
    bare = _MAKERS[name](name, seed, (columns, rows), difficulty)
    return replace(bare, terrain=CoatedGround(bare.terrain, coating)) if coating else bare


def _extent(ground: Ground, size_px: tuple[int, int]) -> tuple[float, float]:
    return tuple(side * float(ground.pixel_m) for side in size_px)


def _porphyry(name: str, seed: int, size_px: tuple[int, int], difficulty: float) -> Site:
    """About its centre; pixel centres lie at multiples of 30 m."""
    ground = find_ground(name)
    pixel_m = ground.pixel_m
    extent = _extent(ground, size_px)
    west = pixel_m * round((ground.centre_m[0] - extent[0] / 2) / pixel_m) - pixel_m / 2
    north = pixel_m * round((ground.centre_m[1] + extent[1] / 2) / pixel_m) + pixel_m / 2
    return Site(
        name, ground, PorphyryGround(seed, extent, difficulty), _grid(ground, west, north, size_px)
    )


def _zones(name: str, seed: int, size_px: tuple[int, int], difficulty: float) -> Site:
    """A window of the district, put where `place_window` says."""
    district = PorphyryGround(seed, (DISTRICT_M, DISTRICT_M), difficulty)
    district = district.moved(_ZONES_SHIFT_M, _ZONES_SHIFT_M)
    return window_of(name, district, place_window(district, size_px), size_px)


def window_of(
    name: str, district: PorphyryGround, first_px: tuple[int, int], size_px: tuple[int, int]
) -> Site:
    """The window of a district that begins at its pixel first_px.

    Ground and place of the district do not depend on the size. Pixel centres lie at multiples of
    30 m.
    """
    ground = find_ground(name)
    pixel_m, half = ground.pixel_m, DISTRICT_M / 2
    east = pixel_m * (round((ground.centre_m[0] - half) / pixel_m) + first_px[0])
    north = pixel_m * (round((ground.centre_m[1] + half) / pixel_m) - first_px[1])
    return Site(
        name,
        ground,
        district.moved(*(float(pixel_m * place) for place in first_px)),
        _grid(ground, east - pixel_m / 2, north + pixel_m / 2, size_px),
        first_px,
    )


def place_window(district: PorphyryGround, size_px: tuple[int, int]) -> tuple[int, int]:
    """(column, row) in the district's 30 m pixels where a window of size_px begins.

    Along an axis on which the window is smaller than the district: where the smaller one of the
    phyllic and the propylitic area in it is largest, by the zones of the ground alone (the first
    such place from the north). Otherwise district and window share their centre.
    """
    pixel_m = 30
    side = round(DISTRICT_M / pixel_m)
    width, height = size_px
    code = district.alteration(Window(0, 0, side, side), pixel_m)
    if width >= side:
        code = np.pad(code, ((0, 0), (0, width - side)))
    if height >= side:
        code = np.pad(code, ((0, height - side), (0, 0)))
    areas = []
    for zone in FIELD_ZONES:
        total = np.zeros((code.shape[0] + 1, code.shape[1] + 1), np.int64)
        total[1:, 1:] = (code == ALTERATION.index(zone)).cumsum(axis=0).cumsum(axis=1)
        upper, lower = total[:-height, :], total[height:, :]
        areas.append(lower[:, width:] - lower[:, :-width] - upper[:, width:] + upper[:, :-width])
    smaller = np.minimum(*areas)
    row, column = np.unravel_index(np.argmax(smaller), smaller.shape)
    return (
        int(column) if width < side else -((width - side) // 2),
        int(row) if height < side else -((height - side) // 2),
    )


def _iron(name: str, seed: int, size_px: tuple[int, int], difficulty: float) -> Site:
    """About the district's centre, on 60 m pixels of its tile of Sentinel-2, inside it."""
    ground = find_ground(name)
    step = ground.step_px * ground.pixel_m
    extent = _extent(ground, size_px)
    from_corner = (
        ground.centre_m[0] - _TILE_CORNER_M[0],
        _TILE_CORNER_M[1] - ground.centre_m[1],
    )
    east, south = (
        min(max(step * round((place - side / 2) / step), 0), _TILE_M - side)
        for place, side in zip(from_corner, extent, strict=True)
    )
    west, north = _TILE_CORNER_M[0] + east, _TILE_CORNER_M[1] - south
    return Site(
        name, ground, IronGround(seed, extent, difficulty), _grid(ground, west, north, size_px)
    )


def _epithermal(name: str, seed: int, size_px: tuple[int, int], difficulty: float) -> Site:
    """About its centre, on multiples of 60 m."""
    ground = find_ground(name)
    step = ground.step_px * ground.pixel_m
    extent = _extent(ground, size_px)
    west, north = (
        step * round(place / step)
        for place in (ground.centre_m[0] - extent[0] / 2, ground.centre_m[1] + extent[1] / 2)
    )
    return Site(
        name,
        ground,
        EpithermalGround(seed, extent, difficulty),
        _grid(ground, west, north, size_px),
    )


def _grid(ground: Ground, west: float, north: float, size_px: tuple[int, int]) -> Grid:
    pixel_m = float(ground.pixel_m)
    transform = Affine(pixel_m, 0.0, float(west), 0.0, -pixel_m, float(north))
    return Grid(CRS.from_epsg(ground.epsg), transform, *size_px)


_MAKERS = {
    "porphyry": _porphyry,
    "porphyry-zones": _zones,
    "iron": _iron,
    "epithermal": _epithermal,
}
