"""Cubes of several sensors on one grid: averaged or repeated pixels, and who saw which pixel.

Pixels finer than the grid's are averaged by area, coarser ones and those of its own size repeated
(the one in which the centre lies), so that no number is made up. Places are transformed one by
one: a warper's usual approximation may be off by an eighth of a pixel.
"""

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import transform as transform_points
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from gossan.checksums import read_verified
from gossan.cube.bands import SENSORS, StackBands, sensor_bits
from gossan.errors import InputError
from gossan.outlines import degrees_of, outline, wrap_degrees
from gossan.raster import (
    BLOCK_BYTES,
    BandTable,
    Datasets,
    Grid,
    RasterInfo,
    decode,
    open_raster,
    read_info,
)

# The sensor whose bands may be any numbers.
RASTERS = "rasters"
UNION, INTERSECTION = "union", "intersection"
# The sensors whose grid a stack takes over where their pixels are of its size, first ones first.
_GRID_SENSORS = ("enmap", "prisma", "landsat", "aster", "sentinel2", "worldview3", "rasters")
# Share of a pixel that finer ones with data must cover.
_LEAST_COVER = 0.5
# Relative difference of pixel sizes that counts as none.
_SIZE_TOLERANCE = 1e-3
# Points along each edge of a window whose places in another reference system bound it there.
_EDGE_POINTS = 17
_UTM_SOUTH_LIMIT, _UTM_NORTH_LIMIT = -80.0, 84.0


def read_cubes(paths: Mapping[str, str | Path]) -> dict[str, RasterInfo]:
    """What the cubes say of themselves, in the order of SENSORS.

    Raises InputError for an unknown sensor, and for a cube without reference system or, but for
    rasters, without wavelengths.
    """
    unknown = [name for name in paths if name not in SENSORS]
    if unknown:
        raise InputError(f"sensor {unknown[0]!r} is unknown; use {', '.join(SENSORS)}")
    infos = {}
    for sensor in SENSORS:
        if sensor not in paths:
            continue
        info = read_info(paths[sensor])
        if info.grid.crs is None:
            raise InputError(f"{info.path}: has no reference system; make the cube again")
        told = bool(info.bands.centre_um), bool(info.bands.fwhm_um)
        if told != (True, True) and (sensor != RASTERS or any(told)):
            raise InputError(
                f"{info.path}: its bands have no wavelengths; give a cube of preprocess_scene"
            )
        infos[sensor] = info
    return infos


def stack_grid(grids: Mapping[str, Grid], pixel_m: float, extent: str = UNION) -> Grid:
    """The grid of a stack: pixels of pixel_m metres, in UTM, over `extent` of the cubes' grids.

    Pixels are those of the first of _GRID_SENSORS whose pixels are of that size, so that they need
    not be resampled; else they are multiples of pixel_m in the UTM zone of the middle of all.
    extent: UNION, INTERSECTION, or one sensor; the grid is the smallest that covers it. Raises
    InputError for a sensor that is not there and where nothing is common to all.
    """
    if extent not in (UNION, INTERSECTION, *grids):
        raise InputError(
            f"extent {extent}: is none of the cubes; use {UNION}, {INTERSECTION} or one of "
            f"{', '.join(grids)}"
        )
    if not 0 < pixel_m < math.inf:
        raise InputError(f"pixel_m {pixel_m:g} is no size of a pixel; give metres above 0")
    crs, east, north = _lattice(grids, pixel_m)
    boxes = {name: _box_in(crs, grid) for name, grid in grids.items()}
    for name, box in boxes.items() if extent == UNION else ():
        others = [other for key, other in boxes.items() if key != name]
        if others and not any(_overlap(box, other) for other in others):
            raise InputError(
                f"extent {extent}: the cube of {name} has no ground in common with those of "
                f"{', '.join(key for key in grids if key != name)}; check that they are of one "
                "scene, and the CRS of each"
            )
    chosen = boxes.values() if extent in (UNION, INTERSECTION) else [boxes[extent]]
    wests, souths, easts, norths = zip(*chosen, strict=True)
    outer, inner = (max, min) if extent == INTERSECTION else (min, max)
    box = (outer(wests), outer(souths), inner(easts), inner(norths))
    if box[0] >= box[2] or box[1] >= box[3]:
        raise InputError(
            f"extent {extent}: the cubes of {', '.join(grids)} have no ground in common; check "
            "that they are of one scene"
        )
    left, right = (
        _snap((value - east) / pixel_m, math_round)
        for value, math_round in ((box[0], math.floor), (box[2], math.ceil))
    )
    top, bottom = (
        _snap((north - value) / pixel_m, math_round)
        for value, math_round in ((box[3], math.floor), (box[1], math.ceil))
    )
    transform = Affine(pixel_m, 0, east + left * pixel_m, 0, -pixel_m, north - top * pixel_m)
    return Grid(crs, transform, right - left, bottom - top)


def _overlap(one: Sequence[float], two: Sequence[float]) -> bool:
    """Whether two boxes (west, south, east, north) have ground in common."""
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


def _lattice(grids: Mapping[str, Grid], pixel_m: float) -> tuple[CRS, float, float]:
    """Reference system of the stack, and x and y of a corner of one of its pixels."""
    for sensor in _GRID_SENSORS:
        grid = grids.get(sensor)
        if grid is None or not grid.crs.is_projected:
            continue
        a, b, _, d, e, _ = grid.transform[:6]
        metres = grid.crs.linear_units_factor[1]
        if b == d == 0 and all(
            math.isclose(size * metres, pixel_m, rel_tol=_SIZE_TOLERANCE) for size in (a, -e)
        ):
            return grid.crs, *grid.place(0, 0)
    edges = [degrees_of(outline(grid), grid.crs) for grid in grids.values()]
    lons, lats = np.concatenate([np.asarray(edge.exterior.coords) for edge in edges]).T
    lons = wrap_degrees(lons, lons[0])
    lon = float(wrap_degrees((lons.min() + lons.max()) / 2, 0.0))
    lat = (lats.min() + lats.max()) / 2
    if not _UTM_SOUTH_LIMIT <= lat <= _UTM_NORTH_LIMIT:
        raise InputError(f"the cubes lie at latitude {lat:.1f}°, where there is no UTM zone")
    zone = min(60, math.floor((lon + 180) / 6) + 1)
    return CRS.from_epsg((32600 if lat >= 0 else 32700) + zone), 0.0, 0.0


def _box_in(crs: CRS, grid: Grid) -> tuple[float, float, float, float]:
    if grid.crs == crs:
        return grid.bounds
    return transform_bounds(grid.crs, crs, *grid.bounds, densify_pts=_EDGE_POINTS)


def _snap(place: float, rounding) -> int:
    """A place in pixels rounded outwards, but not for less than a thousandth of a pixel."""
    nearest = round(place)
    return nearest if abs(place - nearest) < _SIZE_TOLERANCE else rounding(place)


def pixel_size_m(grid: Grid, target: Grid) -> float:
    """Side in metres of a square as large as a pixel at the grid's middle, seen from `target`."""
    column, row = grid.width / 2, grid.height / 2
    places = [grid.place(column + c, row + r) for c, r in ((0, 0), (1, 0), (0, 1))]
    xs, ys = transform_points(grid.crs, target.crs, *zip(*places, strict=True))
    across, down = (np.array([xs[i] - xs[0], ys[i] - ys[0]]) for i in (1, 2))
    area = abs(across[0] * down[1] - across[1] * down[0])
    return math.sqrt(area) * target.crs.linear_units_factor[1]


def averages(grid: Grid, target: Grid) -> bool:
    """Whether pixels of `grid` are finer than those of `target`, so that they are averaged."""
    side = pixel_size_m(grid, target)
    return side < math.sqrt(target.pixel_area_m2) * (1 - _SIZE_TOLERANCE)


def resample(
    values: np.ndarray,
    transform: Affine,
    crs: CRS,
    target: Grid,
    average: bool,
) -> np.ndarray:
    """Pixels of a raster on another grid, (bands, *target.shape) float32.

    values: (bands, rows, columns) float32, NaN in all bands of a pixel without data; beyond them
    there is none either. By area where `average`, NaN unless pixels with data cover at least half;
    else of the pixel in which the target pixel's centre lies. Averages are exact where both grids
    are parallel in one reference system; otherwise they are those of points, at least two across
    each fine pixel.
    """
    source = Grid(crs, transform, values.shape[2], values.shape[1])
    if not average:
        return _look_up(values, source, target, (0.5, 0.5))
    spans = _parallel(source, target)
    if spans is not None:
        return _average_areas(values, *spans)
    points = math.ceil(2 * math.sqrt(target.pixel_area_m2) / pixel_size_m(source, target))
    total = np.zeros((values.shape[0], *target.shape), np.float32)
    count = np.zeros(target.shape, np.float32)
    places = (np.arange(points) + 0.5) / points
    for down in places:
        for across in places:
            seen = _look_up(values, source, target, (across, down))
            valid = np.isfinite(seen[0])
            total[:, valid] += seen[:, valid]
            count += valid
    return _divide(total, count / np.float32(points * points), points * points)


def _look_up(
    values: np.ndarray, source: Grid, target: Grid, place: tuple[float, float]
) -> np.ndarray:
    """Values at one place in each target pixel, in shares of it from its upper left corner."""
    columns, rows = np.meshgrid(
        np.arange(target.width) + place[0], np.arange(target.height) + place[1]
    )
    xs, ys = target.place(columns.ravel(), rows.ravel())
    places = _places_in(source, target.crs, xs, ys)
    column, row = (np.floor(v).astype(np.int64) for v in places)
    inside = (column >= 0) & (column < source.width) & (row >= 0) & (row < source.height)
    out = np.full((values.shape[0], columns.size), np.nan, np.float32)
    out[:, inside] = values[:, row[inside], column[inside]]
    return out.reshape(-1, *target.shape)


def _places_in(
    source: Grid, crs: CRS, xs: np.ndarray, ys: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows of a grid, in fractions, at places of a reference system."""
    if source.crs != crs:
        xs, ys = transform_points(crs, source.crs, xs, ys)
        if source.crs.is_geographic:
            # A grid in degrees goes on across 180°, where longitudes start again.
            xs = wrap_degrees(xs, source.place(source.width / 2, source.height / 2)[0])
    return ~source.transform @ (np.asarray(xs), np.asarray(ys))


def _parallel(source: Grid, target: Grid) -> tuple["_Overlap", "_Overlap"] | None:
    """How the target's rows and columns overlap the source's; None unless grids are parallel."""
    here, there = source.transform, target.transform
    if source.crs != target.crs or any((here.b, here.d, there.b, there.d)):
        return None
    steps = there.e / here.e, there.a / here.a
    if min(steps) < 1:
        return None
    first = (there.f - here.f) / here.e, (there.c - here.c) / here.a
    return (
        _Overlap.of(first[0], steps[0], target.height),
        _Overlap.of(first[1], steps[1], target.width),
    )


@dataclass(frozen=True)
class _Overlap:
    """Which source pixels lie under the target's along one axis.

    first: (pixels,) the first under each; shares: (pixels, most that one touches) of it and the
    following ones, which sum to `step`.
    """

    first: np.ndarray
    shares: np.ndarray
    step: float

    @classmethod
    def of(cls, start: float, step: float, count: int) -> "_Overlap":
        # Rounded, so that a border that two grids share takes no sliver of the pixel beyond it.
        low = np.round(start + step * np.arange(count), 6)[:, None]
        high = np.round(start + step * np.arange(1, count + 1), 6)[:, None]
        first = np.floor(low)
        pixel = first + np.arange(math.floor(step) + 2)
        shares = np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0.0, None)
        return cls(first[:, 0].astype(np.int64), shares.astype(np.float32), step)

    def total(self, values: np.ndarray) -> np.ndarray:
        """Sums of values (..., pixels) times their shares; beyond them there is nothing."""
        out = np.zeros((*values.shape[:-1], self.first.size), np.float32)
        for place, share in enumerate(self.shares.T):
            pixel = self.first + place
            used = (pixel >= 0) & (pixel < values.shape[-1]) & (share > 0)
            out[..., used] += share[used] * values[..., pixel[used]]
        return out


def _average_areas(values: np.ndarray, rows: _Overlap, columns: _Overlap) -> np.ndarray:
    valid = np.isfinite(values[:1])
    filled = np.where(valid, values, np.float32(0))

    def total(layers: np.ndarray) -> np.ndarray:
        return rows.total(columns.total(layers).swapaxes(1, 2)).swapaxes(1, 2)

    area = rows.step * columns.step
    return _divide(total(filled), total(valid.astype(np.float32))[0] / np.float32(area), area)


def _divide(total: np.ndarray, cover: np.ndarray, area: float) -> np.ndarray:
    """Means of sums over the covered share of an area; NaN where too little is covered."""
    # Covers are sums in single precision.
    enough = cover >= _LEAST_COVER - 1e-5
    return np.where(enough, total / np.maximum(cover * np.float32(area), 1e-9), np.nan)


@dataclass(frozen=True)
class _Layer:
    """One sensor's cube: file, bands to read (from 1), whether its pixels are averaged."""

    info: RasterInfo
    bands: tuple[int, ...]
    average: bool


class SensorStack:
    """Reads windows of the stack of all cubes, in any thread; a context manager.

    A sensor is present at a pixel where all its kept bands have data. `pixels` counts those of
    each sensor in the windows that were read, `combinations` those of each bit mask.
    """

    def __init__(self, infos: Mapping[str, RasterInfo], bands: StackBands, grid: Grid):
        """Stack the cubes of `read_cubes` on `grid`; `bands` are those that are kept."""
        self.bands = bands
        self.grid = grid
        self.sensors = bands.sensors
        self._layers = {
            sensor: _Layer(
                infos[sensor],
                _places(infos[sensor].bands, bands.band[bands.part(sensor)]),
                averages(infos[sensor].grid, grid),
            )
            for sensor in self.sensors
        }
        self._lock = threading.Lock()
        self._datasets = Datasets(open_raster)
        self.combinations = np.zeros(1 << len(SENSORS), np.int64)

    @property
    def pixels(self) -> dict[str, int]:
        """Pixels at which each sensor is present, among those that were read."""
        return {
            sensor: int(
                sum(
                    count
                    for bits, count in enumerate(self.combinations)
                    if bits >> SENSORS.index(sensor) & 1
                )
            )
            for sensor in self.sensors
        }

    def resampling(self, sensor: str) -> str:
        """How a sensor's pixels come to the grid: "average" or "nearest"."""
        return "average" if self._layers[sensor].average else "nearest"

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Reflectance (bands, rows, columns) float32, and the bit mask of sensors, uint8.

        A sensor that is absent at a pixel has NaN in all its bands. Raises InputError when the
        last window is read and a sensor was nowhere present, and for a broken file.
        """
        part = _part(self.grid, window)
        values = np.empty((len(self.bands), *part.shape), np.float32)
        present = np.empty((*part.shape, len(self.sensors)), bool)
        for place, sensor in enumerate(self.sensors):
            own = self._read_sensor(sensor, part)
            values[self.bands.part(sensor)] = own
            present[..., place] = np.isfinite(own[0])
        bits = sensor_bits(present, self.sensors)
        counts = np.bincount(bits.ravel(), minlength=self.combinations.size)
        with self._lock:
            self.combinations += counts
            if self.combinations.sum() == self.grid.width * self.grid.height:
                # Now, not after the files have been written: they shall not exist then.
                self._require_sensors()
        return values, bits

    def _read_sensor(self, sensor: str, target: Grid) -> np.ndarray:
        """One sensor's kept bands on the target grid, (bands, rows, columns) float32."""
        layer = self._layers[sensor]
        values = np.empty((len(layer.bands), *target.shape), np.float32)
        reach = _reach(layer.info.grid, target)
        # Under a pixel of the stack lie up to hundreds of a fine sensor's.
        row_bytes = reach.width * reach.height * len(layer.bands) * 4 // target.height
        step = max(1, BLOCK_BYTES // row_bytes)
        for row in range(0, target.height, step):
            window = Window(0, row, target.width, min(step, target.height - row))
            values[:, row : row + step] = self._read_rows(layer, _part(target, window))
        return values

    def _read_rows(self, layer: _Layer, target: Grid) -> np.ndarray:
        source = layer.info.grid
        nothing = np.full((len(layer.bands), *target.shape), np.nan, np.float32)
        reach = _reach(source, target)
        window = _clip(reach, source)
        if window is None:
            return nothing
        values = np.full((len(layer.bands), reach.height, reach.width), np.nan, np.float32)
        try:
            with self._datasets.borrow(layer.info.path) as dataset:
                stored = read_verified(dataset, layer.bands, window)
        except RasterioError as error:
            raise InputError(
                f"{layer.info.path}: broken or truncated near row {window.row_off}; make it again"
            ) from error
        read = decode(stored, layer.info)
        read[:, ~np.isfinite(read).all(axis=0)] = np.nan
        row, column = window.row_off - reach.row_off, window.col_off - reach.col_off
        values[:, row : row + window.height, column : column + window.width] = read
        transform = source.transform @ Affine.translation(reach.col_off, reach.row_off)
        return resample(values, transform, source.crs, target, layer.average)

    def _require_sensors(self) -> None:
        for sensor, pixels in self.pixels.items():
            if not pixels:
                raise InputError(
                    f"{self._layers[sensor].info.path}: {sensor} has no pixel with all its kept "
                    f"bands in the stack; take its row out of the table of scenes or choose "
                    "another extent"
                )

    def close(self) -> None:
        """Close the cubes' files."""
        self._datasets.close()

    def __enter__(self) -> "SensorStack":
        """The stack itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the cubes' files."""
        self.close()


def _places(table: BandTable, names: Sequence[str]) -> tuple[int, ...]:
    return tuple(table.names.index(name) + 1 for name in names)


def _part(grid: Grid, window: Window) -> Grid:
    """The grid of a window."""
    transform = grid.transform @ Affine.translation(window.col_off, window.row_off)
    return Grid(grid.crs, transform, int(window.width), int(window.height))


def _reach(source: Grid, target: Grid) -> Window:
    """The source's pixels, beyond its edges too, that pixels of the target may touch.

    Some pixels more on each side, so that none at the rim is cut.
    """
    along = np.linspace(0, 1, _EDGE_POINTS)
    zero, one = np.zeros_like(along), np.ones_like(along)
    columns = target.width * np.concatenate([along, one, along, zero])
    rows = target.height * np.concatenate([zero, along, one, along])
    xs, ys = target.place(columns, rows)
    spans = []
    for values in _places_in(source, target.crs, xs, ys):
        first = math.floor(values.min()) - 2
        spans.append((first, math.ceil(values.max()) + 2 - first))
    (column, width), (row, height) = spans
    return Window(column, row, width, height)


def _clip(window: Window, grid: Grid) -> Window | None:
    """The part of a window inside the grid; None where there is none."""
    left, top = max(0, window.col_off), max(0, window.row_off)
    right = min(grid.width, window.col_off + window.width)
    bottom = min(grid.height, window.row_off + window.height)
    if left >= right or top >= bottom:
        return None
    return Window(left, top, right - left, bottom - top)
