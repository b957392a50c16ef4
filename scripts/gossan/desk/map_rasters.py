"""Rasters for a browser: read at a bearable size, north up, as whole numbers and their colours.

A number that a map holds becomes a code of 8 or 16 bits: 0 is no data, else the value is
`low + (code - 1) * step`. Class codes come through unchanged but for the 1, and numbers within
half a step.
"""

import base64
import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import deflate
import numpy as np
from rasterio import DatasetReader
from rasterio.crs import CRS
from rasterio.enums import MaskFlags, Resampling
from rasterio.vrt import WarpedVRT

from gossan.checksums import read_verified
from gossan.errors import InputError
from gossan.legend import PERCEPTUAL_RAMP, read_qml
from gossan.levels import opened_level
from gossan.raster import Grid, opened, read_info, split_blocks

MOST_PX = 1500
"""A layer is shown at no more pixels a side."""
STEPS = 200
"""Steps between the 2nd and the 98th percentile of a map of numbers, at least."""
PICTURE_STEPS = 80
"""Steps likewise of a band of a picture."""
MOST_CODE = 2**16 - 1
PERCENTILES = (2, 98)
BLOCK_PX = 512


@dataclass(frozen=True)
class Frame:
    """The coordinates of a map in a browser, north up.

    `crs` is None where none is known; `turned` is the grid that is shown by its columns and rows
    (downwards negative), because it is turned and nothing tells how its system lies.
    """

    crs: CRS | None
    turned: Grid | None = None

    @classmethod
    def of(cls, grid: Grid) -> "Frame":
        """The frame in which a grid is shown."""
        return cls(grid.crs, grid if grid.crs is None and not is_upright(grid) else None)

    def takes(self, grid: Grid) -> bool:
        """Whether a raster of this grid can be shown in the frame."""
        if self.turned is not None:
            return grid == self.turned
        return (grid.crs is None) == (self.crs is None) and (
            grid.crs is not None or is_upright(grid)
        )

    def bounds(self, grid: Grid) -> tuple[float, float, float, float]:
        """West, south, east and north of a grid that this frame was made of."""
        return grid.bounds if self.turned is None else (0, -grid.height, grid.width, 0)

    def places(self, xy: np.ndarray) -> np.ndarray:
        """Places (n, 2) of the reference system as the frame shows them."""
        if self.turned is None:
            return xy
        columns, rows = ~self.turned.transform @ (xy[:, 0], xy[:, 1])
        return np.transpose([columns, -rows])


def is_upright(grid: Grid) -> bool:
    """Whether rows run from north to south and columns from west to east."""
    return grid.transform.b == 0 and grid.transform.d == 0 and grid.transform.e < 0


@dataclass(frozen=True)
class Shown:
    """The pixels of a raster that are shown: every `every`-th, `width` x `height` of them.

    `west` and `north` is the outer corner of the first, `dx` and `dy` their size, in the frame's
    units; `moved` says that they were brought into the frame's reference system or turned.
    """

    west: float
    north: float
    dx: float
    dy: float
    width: int
    height: int
    every: int
    moved: bool

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north."""
        east, south = self.west + self.width * self.dx, self.north - self.height * self.dy
        return self.west, south, east, self.north


@dataclass(frozen=True)
class Plane:
    """One band as codes (rows, columns), see above; `step` 0 where all codes are no data."""

    codes: np.ndarray
    low: float
    step: float

    @classmethod
    def of(cls, values: np.ndarray, steps: int = STEPS) -> "Plane":
        """The codes of values (rows, columns), NaN for no data; whole numbers keep steps of 1.

        Else the step is 1, 2 or 5 times a power of ten, with at least `steps` of them between the
        percentiles, unless the range of all values would then need more codes than there are.
        """
        known = np.isfinite(values)
        found = values[known]
        if not found.size:
            return cls(np.zeros(values.shape, np.uint8), 0.0, 0.0)
        low, high = float(found.min()), float(found.max())
        if high - low < MOST_CODE and (found == np.rint(found)).all():
            step = 1.0
        else:
            inner = np.subtract(*np.percentile(found, PERCENTILES[::-1]))
            step = round_step((inner or high - low or abs(low)) / steps)
            # 2.6 times leads from each of 1, 2 and 5 to the next; 2.1 times 2 is 2 again.
            while (high - low) / step > MOST_CODE - 2:
                step = round_step(step * 2.6)
            low = math.floor(low / step) * step
        codes = np.zeros(values.shape, np.uint16)
        codes[known] = np.rint((found - low) / step) + 1
        return cls(codes if codes.max() > 255 else codes.astype(np.uint8), low, step)

    @property
    def values(self) -> np.ndarray:
        """The values that the codes stand for, NaN for no data."""
        return np.where(self.codes, self.low + (self.codes - 1.0) * self.step, np.nan)

    @property
    def differs(self) -> bool:
        """Whether codes travel as differences from the left: smaller for numbers, not classes."""
        return self.step != 1

    def encode(self) -> str:
        """The codes compressed and as text; of 16 bits all low bytes come before the high ones."""
        codes = self.codes
        if self.differs:
            codes = np.diff(codes, axis=1, prepend=codes.dtype.type(0))
        planes = [codes & 0xFF, codes >> 8] if codes.itemsize == 2 else [codes]
        raw = b"".join(plane.astype(np.uint8).tobytes() for plane in planes)
        return base64.b64encode(deflate.zlib_compress(raw, 6)).decode("ascii")


def round_step(size: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is not above `size`."""
    power = math.floor(math.log10(size))
    lead = size / 10.0**power
    return float(f"{max(part for part in (1, 2, 5) if part <= lead or part == 1)}e{power}")


def read_shown(
    path: Path, bands: Sequence[int], frame: Frame, *, mean: bool = False, most_px: int = MOST_PX
) -> tuple[Shown, list[np.ndarray]]:
    """Bands of a raster, by their places, in a frame that takes its grid.

    Returns physical values as float64 (rows, columns), NaN for nodata. Where a side has more than
    `most_px`, they are every n-th pixel, from the middle of the first n, as they are in the file;
    or, for pictures, the `mean` of n x n, from the overviews. What lies in another reference system
    or is turned comes by nearest neighbour. Raises InputError for a broken file.
    """
    info = read_info(path)
    indexes = [band + 1 for band in bands]
    with ExitStack() as stack:
        image = stack.enter_context(opened(path))
        source = _lay(image, frame, stack)
        moved = source is not image
        every = max(1, math.ceil(max(source.shape) / most_px))
        shape = tuple(math.ceil(side / every) for side in source.shape)
        if mean or moved:
            least = [math.ceil(side / every) if mean else side for side in image.shape]
            image = stack.enter_context(opened_level(path, indexes, least))
            source = _lay(image, frame, stack)
        west, south, east, north = Grid.of(source).bounds
        if frame.turned is not None:
            west, south, east, north = 0, -source.height, source.width, 0
        dx, dy = (east - west) / source.width, (north - south) / source.height
        if mean:
            shape = len(indexes), *shape
            stored = source.read(
                indexes, out_shape=shape, masked=True, resampling=Resampling.average
            )
            values = stored.astype(np.float64).filled(np.nan)
            dx, dy = dx * source.width / shape[2], dy * source.height / shape[1]
        else:
            values = _read_every(source, indexes, every)
            dx, dy = dx * every, dy * every
    values[~np.isfinite(values)] = np.nan
    shown = Shown(west, north, dx, dy, values.shape[2], values.shape[1], every, moved)
    return shown, list(values * info.scale + info.offset)


def _lay(source: DatasetReader, frame: Frame, stack: ExitStack) -> DatasetReader | WarpedVRT:
    """A raster as it lies where a frame shows it so, else brought into the frame."""
    if frame.turned is not None or (source.crs == frame.crs and is_upright(Grid.of(source))):
        return source
    options = {"resampling": Resampling.nearest, "add_alpha": source.nodata is None}
    return stack.enter_context(WarpedVRT(source, crs=frame.crs, **options))


def _read_every(
    source: DatasetReader | WarpedVRT, indexes: Sequence[int], every: int
) -> np.ndarray:
    """Every n-th pixel of some bands, NaN for nodata; by blocks, so that memory stays small."""
    rows, columns = (np.arange(min(every // 2, side - 1), side, every) for side in source.shape)
    values = np.empty((len(indexes), rows.size, columns.size))
    flags = [source.mask_flag_enums[index - 1] for index in indexes]
    told = all(flag in ([MaskFlags.nodata], [MaskFlags.all_valid]) for flag in flags)
    for window in split_blocks(Grid.of(source), BLOCK_PX, source.block_shapes[0]):
        (top, bottom), (left, right) = window.toranges()
        down = slice(*np.searchsorted(rows, (top, bottom)))
        along = slice(*np.searchsorted(columns, (left, right)))
        chosen = np.s_[:, (rows[down] - top)[:, None], columns[along] - left]
        stored = read_verified(source, indexes, window)[chosen]
        if told:
            empty = stored == source.nodata
        else:
            empty = source.read_masks(indexes, window=window)[chosen] == 0
        values[:, down, along] = np.where(empty, np.nan, stored)
    return values


def read_ramp(path: Path) -> tuple[list[tuple[float, str]], str]:
    """Values and colours of the ramp in which QGIS draws a map of numbers, and the unit.

    [] where no style of that kind lies beside it. Raises InputError for a file that is no style.
    """
    style = path.with_suffix(".qml")
    if not style.is_file():
        return [], ""
    try:
        items = list(read_qml(style).iter("item"))
        stops = [(float(item.attrib["value"]), item.attrib["color"]) for item in items]
        label = items[-1].attrib.get("label", "") if items else ""
    except (KeyError, ValueError) as error:
        raise InputError(f"{style}: no style of a map; make the map again") from error
    return stops, label.partition(" ")[2]


def read_rgb(path: Path) -> list[tuple[int, float, float]]:
    """Place of each band that QGIS draws as red, green and blue, its dark and its light value.

    [] where no style of that kind lies beside the raster. Raises InputError for a file that is no
    style.
    """
    style = path.with_suffix(".qml")
    if not style.is_file():
        return []
    try:
        renderer = read_qml(style).find("pipe/rasterrenderer")
        if renderer.get("type") != "multibandcolor":
            return []
        return [
            (
                int(renderer.attrib[f"{colour}Band"]) - 1,
                *(
                    float(renderer.findtext(f"{colour}ContrastEnhancement/{end}", ""))
                    for end in ("minValue", "maxValue")
                ),
            )
            for colour in ("red", "green", "blue")
        ]
    except (KeyError, ValueError) as error:
        raise InputError(f"{style}: no style of a map; make the map again") from error


def ramp_of(plane: Plane) -> list[tuple[float, str]]:
    """The perceptual ramp between the percentiles of a band."""
    values = plane.values
    found = values[np.isfinite(values)]
    low, high = np.percentile(found, PERCENTILES) if found.size else (0.0, 1.0)
    places = np.linspace(low, high if high > low else low + 1, len(PERCEPTUAL_RAMP))
    return [(float(place), colour) for place, colour in zip(places, PERCEPTUAL_RAMP, strict=True)]
