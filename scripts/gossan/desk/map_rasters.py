"""Rasters for a browser: read at a bearable size, north up, as whole numbers and their colours.

A number that a map holds becomes a code of 8 or 16 bits: 0 is no data, else the value is
`low + (code - 1) * step`. Class codes come through unchanged but for the 1, and numbers within
half a step.
"""

import base64
import math
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rasterio import DatasetReader
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.legend import PERCEPTUAL_RAMP
from gossan.raster import Grid, open_raster, read_info, verify_raster

MOST_PX = 1500
"""A layer is shown at no more pixels a side."""
STEPS = 200
"""Steps between the 2nd and the 98th percentile of a map of numbers, at least."""
PICTURE_STEPS = 80
"""Steps likewise of a band of a picture."""
MOST_CODE = 2**16 - 1
PERCENTILES = (2, 98)
STRIP_PX = 512


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
        return base64.b64encode(zlib.compress(raw, 6)).decode("ascii")


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
    verify_raster(path, [band + 1 for band in bands])
    try:
        with ExitStack() as stack:
            source = stack.enter_context(open_raster(path))
            moved = frame.turned is None and not (
                source.crs == frame.crs and is_upright(Grid.of(source))
            )
            if moved:
                source = stack.enter_context(
                    WarpedVRT(
                        source,
                        crs=frame.crs,
                        resampling=Resampling.nearest,
                        add_alpha=source.nodata is None,
                    )
                )
            every = max(1, math.ceil(max(source.shape) / most_px))
            stored = (_read_mean if mean else _read_every)(source, bands, every)
            west, south, east, north = Grid.of(source).bounds
            if frame.turned is not None:
                west, south, east, north = 0, -source.height, source.width, 0
            dx, dy = (east - west) / source.width, (north - south) / source.height
    except RasterioError as error:
        raise InputError(f"{path}: cannot be read ({error}); make it again") from error
    height, width = stored.shape[1:]
    if mean:
        dx, dy = (east - west) / width, (north - south) / height
    else:
        dx, dy = dx * every, dy * every
    shown = Shown(west, north, dx, dy, width, height, every, moved)
    return shown, list(stored * info.scale + info.offset)


def _read_every(source: DatasetReader, bands: Sequence[int], every: int) -> np.ndarray:
    """Every n-th pixel of some bands, read by strips, so that memory stays small."""
    first_row, first_column = (min(every // 2, side - 1) for side in source.shape)
    strips = []
    step = max(1, STRIP_PX // every) * every
    for top in range(0, source.height, step):
        window = Window(0, top, source.width, min(step, source.height - top))
        strip = source.read([band + 1 for band in bands], window=window, masked=True)
        strips.append(_as_numbers(strip[:, first_row::every, first_column::every]))
    return np.concatenate(strips, axis=1)


def _read_mean(source: DatasetReader, bands: Sequence[int], every: int) -> np.ndarray:
    shape = (len(bands), *(math.ceil(side / every) for side in source.shape))
    places = [band + 1 for band in bands]
    return _as_numbers(
        source.read(places, out_shape=shape, masked=True, resampling=Resampling.average)
    )


def _as_numbers(stored: np.ma.MaskedArray) -> np.ndarray:
    values = stored.astype(np.float64).filled(np.nan)
    values[~np.isfinite(values)] = np.nan
    return values


def read_ramp(path: Path) -> tuple[list[tuple[float, str]], str]:
    """Values and colours of the ramp in which QGIS draws a map of numbers, and the unit.

    [] where no style of that kind lies beside it. Raises InputError for a file that is no style.
    """
    style = path.with_suffix(".qml")
    if not style.is_file():
        return [], ""
    try:
        items = list(ET.parse(style).getroot().iter("item"))
        stops = [(float(item.attrib["value"]), item.attrib["color"]) for item in items]
        label = items[-1].attrib.get("label", "") if items else ""
    except (ET.ParseError, KeyError, ValueError) as error:
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
        renderer = next(ET.parse(style).getroot().iter("rasterrenderer"))
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
    except (ET.ParseError, KeyError, StopIteration, ValueError) as error:
        raise InputError(f"{style}: no style of a map; make the map again") from error


def ramp_of(plane: Plane) -> list[tuple[float, str]]:
    """The perceptual ramp between the percentiles of a band."""
    values = plane.values
    found = values[np.isfinite(values)]
    low, high = np.percentile(found, PERCENTILES) if found.size else (0.0, 1.0)
    places = np.linspace(low, high if high > low else low + 1, len(PERCEPTUAL_RAMP))
    return [(float(place), colour) for place, colour in zip(places, PERCEPTUAL_RAMP, strict=True)]
