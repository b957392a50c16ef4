"""What a forest sees of a pixel: its layers, and what surrounds it.

Layers are the bands of a cube and of any extra rasters (magnetics, radiometrics, elevation). A
recipe says what is made of them: the values themselves or their logs, pairs of them, means and
standard deviations over square windows around the pixel, and wavelet sub-bands. Coordinates are
never features.

Sums over windows are added in one order everywhere, by doubling, so a pixel's features are the
same to the last bit however the scene is cut into blocks.
"""

import logging
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from gossan.checksums import read_verified
from gossan.errors import InputError
from gossan.outlines import outline, outline_on
from gossan.raster import (
    BLOCK_BYTES,
    LEAST_BLOCK_WITH_HALO_PX,
    Datasets,
    Grid,
    RasterInfo,
    bound_gdal_cache,
    decode,
    grow_window,
    open_raster,
    read_info,
    split_blocks,
    verify_raster,
)
from gossan.transforms.wavelets import Transform, split_block

WIDEST_WINDOW_PX = 513
MOST_PAIRED = 24
"""Layers that pairs are made of at most: 276 pairs; those of 285 bands would be 40 470."""
LEAST_IN_LOG = 1e-4
"""What is below counts as this where logs are taken: one count of a product scaled by 10 000."""
DIFFERENCES = "differences"
RATIOS = "ratios"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """What is made of each layer, in this order.

    The pixel's value; for each of `windows_px` (odd sides of squares, in pixels) the mean and
    the standard deviation of the valid pixels in the square; with `differences` the normalised
    difference (a - b) / (a + b) of every pair of layers (of MOST_PAIRED of them, evenly spread,
    where there are more), which illumination leaves as it is and which trees cannot make
    themselves, because they cut one layer at a time; the sub-bands of the
    stationary transform by `wavelet` ("" for none) with `wavelet_level` levels.

    With `ratios`, all of these are of the layers' natural logs, and the log ratio ln(a / b) of
    every pair of layers follows, of the pixel and of the means over each window. To trees the
    ratio of a pixel is its normalised difference, which is the hyperbolic tangent of half of it;
    what is new are the ratios of means, in which noise is less and light still cancels.

    Raises InputError for sides that are even, repeated, below 3 or above WIDEST_WINDOW_PX, for
    differences beside ratios, and as `Transform` does.
    """

    windows_px: tuple[int, ...] = ()
    wavelet: str = ""
    wavelet_level: int = 1
    differences: bool = False
    ratios: bool = False

    def __post_init__(self):
        """Refuse settings without meaning."""
        for side in self.windows_px:
            if side % 2 == 0 or not 3 <= side <= WIDEST_WINDOW_PX:
                raise InputError(
                    f"windows_px {side}: give odd sides from 3 to {WIDEST_WINDOW_PX}, so that a "
                    "window has a pixel in its middle"
                )
        if len(set(self.windows_px)) < len(self.windows_px):
            raise InputError("windows_px: a side is given twice; give each once")
        if self.differences and self.ratios:
            raise InputError("differences, ratios: tell trees the same of a pixel; use one of them")
        _ = self.transform

    @property
    def transform(self) -> Transform | None:
        """The wavelet transform, or None."""
        if not self.wavelet:
            return None
        return Transform(self.wavelet, self.wavelet_level, "symmetric", "swt", "fill")

    @property
    def halo(self) -> int:
        """Pixels to read around a block."""
        reach = max(self.windows_px, default=1) // 2
        return reach if self.transform is None else max(reach, self.transform.halo)

    @property
    def align(self) -> int:
        """Rows and columns at which a block's reading may start are multiples of this."""
        return 1 if self.transform is None else self.transform.align

    def names(self, layers: Sequence[str]) -> tuple[str, ...]:
        """Names of the features: all values, means and deviations, pairs, then sub-bands."""
        values = [f"ln {layer}" for layer in layers] if self.ratios else list(layers)
        found = list(values)
        for side in self.windows_px:
            found += [f"{value} mean {side}" for value in values]
            found += [f"{value} deviation {side}" for value in values]
        pairs = list(combinations([layers[place] for place in paired(len(layers))], 2))
        if self.differences:
            found += [f"{first} - {second}" for first, second in pairs]
        if self.ratios:
            for kind in ("", *(f" mean {side}" for side in self.windows_px)):
                found += [f"{first} / {second}{kind}" for first, second in pairs]
        if self.transform is not None:
            found += [f"{value} {part}" for value in values for part in self.transform.subbands]
        return tuple(found)

    def layers_of(self, layers: Sequence[str]) -> tuple[str, ...]:
        """The layer behind each feature, in the order of `names`; pairs count as one."""
        found = list(layers) * (1 + 2 * len(self.windows_px))
        pairs = math.comb(len(paired(len(layers))), 2)
        if self.differences:
            found += [DIFFERENCES] * pairs
        if self.ratios:
            found += [RATIOS] * pairs * (1 + len(self.windows_px))
        if self.transform is not None:
            found += [layer for layer in layers for _ in self.transform.subbands]
        return tuple(found)

    def note(self, layers: Sequence[str]) -> str:
        """Which layers pairs are made of, where not of all; else nothing."""
        kept = paired(len(layers))
        if not (self.differences or self.ratios) or len(kept) == len(layers):
            return ""
        names = " ".join(layers[place] for place in kept)
        kind = DIFFERENCES if self.differences else RATIOS
        return f"{kind} are of {len(kept)} of {len(layers)} layers, evenly spread: {names}"

    def block_px(self, layers: int, asked: int) -> int:
        """Side of a block whose features, and what is read for them, stay within 64 MiB."""
        wanted = len(self.names([str(number) for number in range(layers)]))
        side = math.isqrt(BLOCK_BYTES // (4 * wanted))
        # Sums are double: the surroundings weigh six single numbers per pixel and layer.
        around = math.isqrt(BLOCK_BYTES // (24 * layers)) - 2 * self.halo
        return max(1, min(asked, max(LEAST_BLOCK_WITH_HALO_PX, min(side, around))))


def paired(layers: int) -> list[int]:
    """Places, of so many layers, of those that pairs are made of: all, or evenly spread."""
    if layers <= MOST_PAIRED:
        return list(range(layers))
    return [round(place) for place in np.linspace(0, layers - 1, MOST_PAIRED).tolist()]


def make_features(
    block: np.ndarray, inner: tuple[slice, slice], recipe: Recipe, layers: Sequence[int]
) -> np.ndarray:
    """Features of a block, (features, inner rows, inner columns) float32, in `Recipe.names`' order.

    `block` (layers, rows, columns) holds all layers with `Recipe.halo` more pixels around the
    block as far as the scene reaches; NaN is missing. `inner` are the slices of the block within
    it, `layers` the places of the layers to use. A pixel that one of these layers lacks has no
    feature (NaN) and counts in no window.
    """
    chosen = block[list(layers)]
    missing = np.isnan(chosen).any(axis=0)
    count = len(recipe.layers_of([str(place) for place in layers]))
    if missing[inner].all():
        return np.full((count, *missing[inner].shape), np.nan, np.float32)
    if recipe.ratios:
        for layer in chosen:
            # In double precision, so that no pixel's log hangs on where its block begins.
            layer[...] = np.log(np.maximum(layer.astype(np.float64), LEAST_IN_LOG))
    result = np.empty((count, *missing[inner].shape), np.float32)
    result[: len(chosen)] = chosen[(slice(None), *inner)]
    used = len(chosen)
    weight = (~missing).astype(np.float64)
    for side in recipe.windows_px:
        valid = np.maximum(_sum_windows(weight, side, inner), 1.0)
        for place, layer in enumerate(chosen):
            values = np.where(missing, 0.0, layer.astype(np.float64))
            mean = _sum_windows(values, side, inner) / valid
            square = _sum_windows(values * values, side, inner) / valid
            result[used + place] = mean
            result[used + len(chosen) + place] = np.sqrt(np.maximum(square - mean * mean, 0.0))
        used += 2 * len(chosen)
    pairs = list(combinations(paired(len(chosen)), 2))
    if recipe.differences:
        values = result[: len(chosen)]
        for first, second in pairs:
            total = values[first] + values[second]
            away = values[first] - values[second]
            # Two layers of value 0 do not differ.
            np.divide(away, total, out=result[used], where=total != 0)
            result[used][total == 0] = 0
            used += 1
    if recipe.ratios:
        # The pixel's logs stand first, then the means and deviations of each window.
        for part in (0, *range(1, 2 * len(recipe.windows_px), 2)):
            values = result[part * len(chosen) : (part + 1) * len(chosen)]
            for first, second in pairs:
                np.subtract(values[first], values[second], out=result[used])
                used += 1
    if recipe.transform is not None:
        gaps = np.where(missing, np.float32(np.nan), chosen)
        result[used:] = split_block(gaps, inner, recipe.transform)
    result[:, missing[inner]] = np.nan
    return result


def _sum_windows(values: np.ndarray, side: int, inner: tuple[slice, slice]) -> np.ndarray:
    """Sums over squares of `side` pixels around the inner pixels, zero beyond the edges."""
    rows, columns = inner
    summed = _sum_runs(values, side, rows.start, rows.stop)
    return _sum_runs(summed.T, side, columns.start, columns.stop).T


def _sum_runs(values: np.ndarray, side: int, start: int, stop: int) -> np.ndarray:
    """Sums of `side` rows around each row from `start` to `stop`.

    Runs of 1, 2, 4, ... rows are made from two of half the length, and a window is put together
    from those that its side is the binary sum of: about 2 log2(side) additions, and always the
    same ones.
    """
    half = side // 2
    first, last = start - half, stop + half
    kept = values[max(first, 0) : last]
    before, after = max(-first, 0), max(last - len(values), 0)
    run = np.pad(kept, ((before, after), (0, 0)))
    wanted = stop - start
    total = None
    length, offset = 1, 0
    while True:
        if side & length:
            part = run[offset : offset + wanted]
            total = part if total is None else total + part
            offset += length
        if 2 * length > side:
            return total
        run = run[:-length] + run[length:]
        length *= 2


class Stack:
    """Layers on one grid: the bands of a cube and of extra rasters, read window by window.

    `cube` is one raster of several bands, or several on the same grid. A band is called by its
    description, and by the file's name where a file of one band has none; a band of an extra
    raster of several bands is called "<file> <band>". `extras` may have another grid: they are
    resampled to the cube's, bilinearly, or by the mean of their pixels where those are smaller.
    `notes` say which; `wavelengths` are (centre, width) of each layer in µm, None where unknown.
    Close it, or use it in a `with` statement.

    Raises InputError for a missing or unreadable file, cube files on different grids, an extra
    raster without overlap or without a coordinate system, and two layers of one name.
    """

    def __init__(self, cube: Sequence[Path], extras: Sequence[Path] = ()):
        """Open nothing yet but the headers."""
        bound_gdal_cache()
        self._cube = [read_info(path) for path in cube]
        self.grid = self._cube[0].grid
        for info in self._cube[1:]:
            self.grid.require_same(info.grid, str(info.path))
        self.tags = self._cube[0].tags
        self.notes: list[str] = []
        self._extras = [read_info(path) for path in extras]
        self._methods = [self._resampling(info) for info in self._extras]
        for info, method in zip(self._extras, self._methods, strict=True):
            if method is not None:
                verify_raster(info.path)
        cube_names = [name for info in self._cube for name in _band_names(info, False)]
        self.cube_layers = tuple(range(len(cube_names)))
        self.layers = (
            *cube_names,
            *(name for info in self._extras for name in _band_names(info, True)),
        )
        for name in self.layers:
            if self.layers.count(name) > 1:
                raise InputError(
                    f"two layers are called {name!r}; give the files or bands names of their own"
                )
        self.wavelengths = tuple(
            pair for info in (*self._cube, *self._extras) for pair in _wavelengths(info)
        )
        self._datasets = Datasets(self._open)

    def __enter__(self) -> "Stack":
        """The stack itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all files."""
        self.close()

    def close(self) -> None:
        """Close the files of all threads, none of which may be reading; `read` opens them again."""
        self._datasets.close()

    def places(self, names: Sequence[str] | None) -> tuple[int, ...]:
        """Places of the layers called `names`; None means all. InputError for an unknown one."""
        if names is None:
            return tuple(range(len(self.layers)))
        for name in names:
            if name not in self.layers:
                raise InputError(f"no layer {name!r}; there are {', '.join(self.layers)}")
        return tuple(self.layers.index(name) for name in names)

    def read(self, window: Window) -> np.ndarray:
        """All layers of a window, (layers, rows, columns) float32, NaN where missing.

        Threads may call it at once. Raises InputError for a file that is broken there.
        """
        parts = []
        infos = [*self._cube, *self._extras]
        methods = [None] * len(self._cube) + self._methods
        for place, (info, method) in enumerate(zip(infos, methods, strict=True)):
            try:
                with self._datasets.borrow(place) as dataset:
                    # What is warped was looked through as a whole.
                    read = read_verified if method is None else rasterio.DatasetReader.read
                    stored = read(dataset, window=window)
            except RasterioError as error:
                raise InputError(
                    f"{info.path}: broken or truncated near row {window.row_off}; fetch it again"
                ) from error
            if method is not None:
                info = replace(info, nodata=math.nan)
            parts.append(decode(stored, info))
        return np.concatenate(parts)

    def _open(self, place: int) -> rasterio.DatasetReader | WarpedVRT:
        """The file at a place among all, seen on the cube's grid."""
        if place < len(self._cube):
            return open_raster(self._cube[place].path)
        info, method = self._extras[place - len(self._cube)], self._methods[place - len(self._cube)]
        if method is None:
            return open_raster(info.path)
        # It holds the file that it warps, which is closed with it.
        return WarpedVRT(
            open_raster(info.path),
            crs=self.grid.crs,
            transform=self.grid.transform,
            width=self.grid.width,
            height=self.grid.height,
            resampling=method,
            src_nodata=info.nodata,
            nodata=math.nan,
            dtype="float32",
        )

    def _resampling(self, info: RasterInfo) -> Resampling | None:
        """How an extra raster comes onto the cube's grid; None where it is there already."""
        try:
            self.grid.require_same(info.grid, str(info.path))
        except InputError:
            pass
        else:
            return None
        edge, wanted = outline_on(info.grid, self.grid, info.path), outline(self.grid)
        if not edge.intersection(wanted).area:
            raise InputError(f"{info.path}: does not overlap the cube; leave it out")
        own = math.sqrt(edge.area / (info.grid.width * info.grid.height))
        cube = math.sqrt(abs(self.grid.transform.determinant))
        method = Resampling.average if own < 0.75 * cube else Resampling.bilinear
        partly = not edge.covers(wanted)
        self.notes.append(
            f"{info.path.name}: resampled from pixels of about {own:g} to {cube:g} by "
            f"{'the mean of its pixels' if method is Resampling.average else 'bilinear weights'}"
            + ("; it covers only a part of the cube, the rest is nodata" if partly else "")
        )
        logger.info("%s", self.notes[-1])
        return method


def _band_names(info: RasterInfo, extra: bool) -> list[str]:
    """Names of a file's bands as layers; `read_info` calls a band without one band_N."""
    names = list(info.bands.names)
    if names == ["band_1"]:
        return [info.path.stem]
    return [f"{info.path.stem} {name}" for name in names] if extra and len(names) > 1 else names


def _wavelengths(info: RasterInfo) -> list[tuple[float | None, float | None]]:
    """Centre and width of each band of a file."""
    unknown = [None] * len(info.bands.names)
    centres, widths = info.bands.centre_um or unknown, info.bands.fwhm_um or unknown
    return list(zip(centres, widths, strict=True))


def read_point_features(
    stack: Stack,
    recipe: Recipe,
    layers: Sequence[int],
    rows: np.ndarray,
    columns: np.ndarray,
    *,
    block_px: int = 512,
    threads: int = 1,
) -> np.ndarray:
    """Features of single pixels, (n, features) float32; NaN where a layer is missing.

    The numbers are those of `make_features`. Only blocks that hold points are read. All files of
    the stack are closed at the end.
    """
    side = recipe.block_px(len(stack.layers), block_px)
    across = -(-stack.grid.width // side)
    windows = split_blocks(stack.grid, side)
    block = rows // side * across + columns // side
    order = np.argsort(block, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(block[order])) + 1) if len(order) else []
    names = recipe.names([str(place) for place in layers])
    result = np.empty((len(rows), len(names)), np.float32)

    def work(own: np.ndarray) -> None:
        window = windows[block[own[0]]]
        grown = grow_window(window, stack.grid, recipe.halo, recipe.align)
        row, column = window.row_off - grown.row_off, window.col_off - grown.col_off
        inner = np.s_[row : row + window.height, column : column + window.width]
        features = make_features(stack.read(grown), inner, recipe, layers)
        result[own] = features[:, rows[own] - window.row_off, columns[own] - window.col_off].T

    try:
        with ThreadPoolExecutor(max(1, threads)) as pool:
            for _ in pool.map(work, groups):
                pass
    finally:
        # The threads that opened them are gone, and each call has threads of its own.
        stack.close()
    return result


def require_fit(recipe: Recipe, grid: Grid, what: str) -> None:
    """Raise InputError, naming `what`, where a scene is too small for the recipe's wavelet."""
    if recipe.transform is not None:
        recipe.transform.require_fit(grid.shape, what)
