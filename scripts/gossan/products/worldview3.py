"""WorldView-3 deliveries (GeoTIFF and IMD): calibration, one grid for VNIR and SWIR, flags.

Radiance = GAIN * number * absCalFactor / effectiveBandwidth + OFFSET, the factor and the bandwidth
from the IMD, GAIN and OFFSET as DigitalGlobe adjusts them in flight: "Absolute Radiometric
Calibration: 2016v0" (Kuester 2017), which also has the solar irradiances, of Thuillier et al. 2003.
Reflectance at the top of the atmosphere = π L d² / (E0 sin(sun elevation)), distance d after
"Radiometric Use of WorldView-3 Imagery" (Kuester 2016).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.errors import RasterioError
from rasterio.windows import Window
from scipy.sparse import csr_matrix

from gossan.checksums import read_verified
from gossan.errors import InputError
from gossan.files import require_text
from gossan.paths import list_files
from gossan.products.plausible import (
    names_its_product,
    read_moment,
    require_azimuth,
    require_place,
    require_within,
)
from gossan.products.product import FLAGS, Product
from gossan.raster import (
    BandTable,
    Datasets,
    Grid,
    open_geotiff,
)

VNIR = ("C", "B", "G", "Y", "R", "RE", "N", "N2")
SWIR = ("S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8")
PAN = "P"


@dataclass(frozen=True)
class BandFacts:
    """What an IMD does not tell of a band.

    Centre (µm): centroid of the published relative response. Adjustments 2016v0: gain, and offset
    in W m-2 sr-1 µm-1. Solar irradiance in W m-2 µm-1 at one astronomical unit.
    """

    centre_um: float
    gain: float
    offset: float
    irradiance: float


BAND_FACTS = {
    "C": BandFacts(0.42749, 0.905, -8.604, 1757.89),
    "B": BandFacts(0.48184, 0.940, -5.809, 2004.61),
    "G": BandFacts(0.54669, 0.938, -4.996, 1830.18),
    "Y": BandFacts(0.60477, 0.962, -3.649, 1712.07),
    "R": BandFacts(0.66042, 0.964, -3.021, 1535.33),
    "RE": BandFacts(0.72324, 1.000, -4.521, 1348.08),
    "N": BandFacts(0.82673, 0.961, -5.522, 1055.94),
    "N2": BandFacts(0.92206, 0.978, -2.992, 858.77),
    "S1": BandFacts(1.20954, 1.200, -5.546, 479.019),
    "S2": BandFacts(1.57193, 1.227, -2.600, 263.797),
    "S3": BandFacts(1.66130, 1.199, -2.309, 225.283),
    "S4": BandFacts(1.73001, 1.196, -1.676, 197.552),
    "S5": BandFacts(2.16418, 1.262, -0.705, 90.4178),
    "S6": BandFacts(2.20298, 1.314, -0.669, 85.0642),
    "S7": BandFacts(2.25981, 1.346, -0.512, 76.9507),
    "S8": BandFacts(2.32986, 1.376, -0.372, 68.0988),
}
NODATA = 0
# The detectors count to 11 bits in the VNIR and to 14 in the SWIR, whatever the files hold.
MOST_NUMBER = {**dict.fromkeys(VNIR, 2047), **dict.fromkeys(SWIR, 16383)}

# Radiance (W m-2 sr-1) of one number, and width (µm): real ones lie at 0.003 to 0.02 and 0.04 to
# 0.12, where the gain of a band may have been set otherwise.
_LIMITS = {"absCalFactor": (1e-5, 0.5), "effectiveBandwidth": (0.01, 0.5)}
# An image may be of another size than its IMD tells by what digits round away, in pixels.
_TELLS_SAME = 0.01

_TOLD_FLAGS = ("fill", "saturation")

# The place of a tile in the name of its image, and how the names of images begin: time, kind.
_TILE = re.compile(r"_R\d+C\d+", re.IGNORECASE)
_IMAGE_NAME = re.compile(r"\d\d[A-Z]{3}\d{8}-[AMPS]\d[A-Z]{2}-", re.IGNORECASE)
# A real IMD has some 10 kB.
IMD_MAX_BYTES = 1 << 20

_LEAST_COVER = 0.5
# Pixels of an image that are averaged at once.
_STRIP_PX = 1 << 22


# ---- IMD ----------------------------------------------------------------------------------------


def parse_imd(text: str, name: str) -> dict[str, Any]:
    """Parse the text of an IMD file into nested dicts of strings, without quotes.

    `name` is the file's name for messages. Lists, "( a, b )", stay text. Raises InputError for
    what is neither a group nor `key = value;`, for groups that do not nest, and for a text that
    stops before its END.
    """
    root: dict[str, Any] = {}
    stack: list[tuple[str, dict[str, Any]]] = [("", root)]
    pending = ""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = f"{pending} {raw.strip()}".strip()
        pending = ""
        if not line:
            continue
        if line.rstrip("; ") == "END":
            if len(stack) > 1:
                raise InputError(f"{name}: line {number}: END inside group {stack[-1][0]}")
            return root
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not key:
            raise InputError(f"{name}: line {number} is not 'key = value;'; not an IMD text file?")
        if key == "BEGIN_GROUP":
            group: dict[str, Any] = {}
            value = value.rstrip("; ")
            _put(stack[-1][1], value, group, name, number)
            stack.append((value, group))
        elif key == "END_GROUP":
            if stack[-1][0] != value.rstrip("; "):
                raise InputError(
                    f"{name}: line {number}: END_GROUP = {value} closes no open group of that name"
                )
            stack.pop()
        elif value.endswith(";"):
            _put(stack[-1][1], key, value.rstrip("; ").strip('"'), name, number)
        else:
            # Lists go on over several lines, until the semicolon.
            pending = line
    raise InputError(f"{name}: stops before its END line; the file is cut short")


def _put(group: dict[str, Any], key: str, value: Any, name: str, number: int) -> None:
    """Add a key to a group; InputError where the group has one, a band's for instance."""
    if key in group:
        raise InputError(
            f"{name}: line {number} tells {key} for the second time; get the delivery's own IMD "
            "file"
        )
    group[key] = value


class _Imd:
    """The values of one IMD, with errors that name file, group and key."""

    def __init__(self, path: Path):
        self.path = path
        self.name = str(path)
        with path.open("rb") as file:
            content = file.read(IMD_MAX_BYTES + 1)
        if len(content) > IMD_MAX_BYTES:
            raise InputError(f"{path}: is larger than {IMD_MAX_BYTES >> 10} KiB; not an IMD file")
        text = require_text(content.decode("utf-8", errors="replace"), path)
        self._root = parse_imd(text, self.name)
        self.bands = tuple(
            key.removeprefix("BAND_")
            for key, value in self._root.items()
            if key.startswith("BAND_") and isinstance(value, dict)
        )

    def find(self, *keys: str) -> str | None:
        value: Any = self._root
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value if isinstance(value, str) else None

    def text(self, *keys: str) -> str:
        value = self.find(*keys)
        if value is None:
            raise InputError(f"{self.name}: key {'/'.join(keys)} is missing")
        return value

    def number(self, *keys: str) -> float:
        text = self.text(*keys)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise InputError(f"{self.name}: {'/'.join(keys)} = {text} is not a number")
        return value

    def check(self) -> None:
        """Raise InputError unless numbers are WorldView-3's, of one image, and a sensor's own."""
        if not self.bands:
            raise InputError(f"{self.name}: has no group BAND_...; get the delivery's own IMD file")
        satellite = self.text("IMAGE_1", "satId")
        if satellite != "WV03":
            raise InputError(
                f"{self.name}: is of satellite {satellite}; only WV03 (WorldView-3) is supported"
            )
        if "IMAGE_2" in self._root:
            raise InputError(
                f"{self.name}: is a mosaic of several images, for which no one sun and calibration "
                "hold; order the images by themselves"
            )
        for key, plain in (("radiometricEnhancement", "Off"), ("panSharpenAlgorithm", "None")):
            value = self.find(key)
            if value is not None and value.lower() != plain.lower():
                raise InputError(
                    f"{self.name}: {key} = {value}: its numbers are no longer the sensor's; order "
                    f"the image with {key} = {plain}"
                )

    @property
    def acquired(self) -> datetime:
        """Time of the first line, in UTC."""
        keys = (
            ("IMAGE_1", "firstLineTime"),
            ("MAP_PROJECTED_PRODUCT", "earliestAcqTime"),
            ("IMAGE_1", "TLCTime"),
        )
        key = next((key for key in keys if self.find(*key)), keys[0])
        text = self.text(*key)
        return read_moment(text, self.name, "/".join(key), "WorldView-3")

    @property
    def sun_elevation_deg(self) -> float:
        """Mean elevation of the sun; InputError at night."""
        elevation = self.number("IMAGE_1", "meanSunEl")
        if not 0 < elevation <= 90:
            raise InputError(
                f"{self.name}: IMAGE_1/meanSunEl = {elevation:g} is no daylight image; reflectance "
                "needs 0 to 90 degrees"
            )
        return elevation


# ---- calibration --------------------------------------------------------------------------------


def sun_distance_au(moment: datetime) -> float:
    """Distance from earth to sun in astronomical units, good to 0.0001; moment with a time zone.

    1.00014 - 0.01671 cos g - 0.00014 cos 2g, g = 357.529° + 0.98560028° (JD - 2451545), as in
    "Radiometric Use of WorldView-3 Imagery".
    """
    days = (moment - datetime(2000, 1, 1, 12, tzinfo=UTC)).total_seconds() / 86400
    anomaly = math.radians(357.529 + 0.98560028 * days)
    return 1.00014 - 0.01671 * math.cos(anomaly) - 0.00014 * math.cos(2 * anomaly)


def calibration(
    band: str, factor: float, bandwidth_um: float, moment: datetime, sun_elevation_deg: float
) -> tuple[float, float]:
    """Gain and offset from number to reflectance at the top of the atmosphere.

    factor and bandwidth_um are the IMD's absCalFactor (W m-2 sr-1 per number) and
    effectiveBandwidth.
    """
    facts = BAND_FACTS[band]
    sunlight = facts.irradiance * math.sin(math.radians(sun_elevation_deg))
    to_reflectance = math.pi * sun_distance_au(moment) ** 2 / sunlight
    return to_reflectance * facts.gain * factor / bandwidth_um, to_reflectance * facts.offset


# ---- images -------------------------------------------------------------------------------------


class _Image:
    """The GeoTIFF of one IMD, whole or in tiles, read by any number of threads."""

    def __init__(self, imd: _Imd):
        self.imd = imd
        self.bands = imd.bands
        unknown = [band for band in self.bands if band not in BAND_FACTS]
        if unknown:
            raise InputError(
                f"{imd.name}: band group BAND_{unknown[0]} is unknown; known are "
                f"{', '.join(f'BAND_{band}' for band in BAND_FACTS)}"
            )
        self._datasets = Datasets(open_geotiff)
        paths = _tiffs(imd.path)
        try:
            grids = []
            for path in paths:
                with self._datasets.borrow(path) as dataset:
                    grids.append(self._check(path, dataset))
            self.grid, self._tiles = _join(paths, grids)
            self._require_described(paths[0])
        except BaseException:
            self.close()
            raise

    @property
    def pixel(self) -> float:
        """Length of a pixel's side, in units of the reference system."""
        return self.grid.transform.a

    def _require_described(self, path: Path) -> None:
        """InputError for an image that is not the one that its IMD describes.

        A part of it that somebody cut is: of the same pixels, and no larger.
        """
        spacing = ("MAP_PROJECTED_PRODUCT", "colSpacing")
        if self.imd.find(*spacing) is not None:
            told = self.imd.number(*spacing)
            if abs(told - self.pixel) > _TELLS_SAME * self.pixel:
                raise InputError(
                    f"{path}: has pixels of {self.pixel:g}, but {self.imd.path.name} tells "
                    f"{told:g} ({'/'.join(spacing)}); get the image that goes with it"
                )
        for key, side in (("numColumns", self.grid.width), ("numRows", self.grid.height)):
            if self.imd.find(key) is not None and side > self.imd.number(key):
                raise InputError(
                    f"{path}: has {self.grid.width} columns and {self.grid.height} rows, but "
                    f"{self.imd.path.name} tells {key} = {self.imd.text(key)}; get the image that "
                    "goes with it"
                )

    def _check(self, path: Path, dataset: rasterio.DatasetReader) -> Grid:
        if dataset.count != len(self.bands):
            raise InputError(
                f"{path}: holds {dataset.count} band(s), but {self.imd.path.name} describes "
                f"{len(self.bands)} ({', '.join(self.bands)}); get the image that goes with it"
            )
        if dataset.dtypes[0] not in ("uint8", "uint16"):
            raise InputError(
                f"{path}: holds {dataset.dtypes[0]}; a delivery has whole numbers (uint16), not "
                "radiance or reflectance"
            )
        if dataset.crs is None or not dataset.crs.is_projected:
            raise InputError(
                f"{path}: is not on a map; order an orthorectified or a Standard (2A) product"
            )
        a, b, _, d, e, _ = dataset.transform[:6]
        if b or d or a <= 0 or abs(a + e) > 1e-6 * a:
            raise InputError(f"{path}: its pixels are not square and north up; warp it so")
        return Grid.of(dataset)

    def read(self, bands: Sequence[str], row: int, column: int, shape: tuple[int, int]):
        """Stored numbers (bands, rows, columns) uint16 of a window that may reach beyond."""
        indexes = [self.bands.index(band) + 1 for band in bands]
        height, width = shape
        block = np.full((len(bands), height, width), NODATA, np.uint16)
        for path, (tile_row, tile_column), (rows, columns) in self._tiles:
            top, left = max(row, tile_row), max(column, tile_column)
            bottom = min(row + height, tile_row + rows)
            right = min(column + width, tile_column + columns)
            if top >= bottom or left >= right:
                continue
            window = Window(left - tile_column, top - tile_row, right - left, bottom - top)
            try:
                with self._datasets.borrow(path) as dataset:
                    stored = read_verified(dataset, indexes, window)
            except RasterioError as error:
                raise InputError(
                    f"{path}: cannot be read at row {window.row_off}; the file is damaged or "
                    "cut short, get it again"
                ) from error
            block[:, top - row : bottom - row, left - column : right - column] = stored
        return block

    def close(self) -> None:
        self._datasets.close()


def _require_imds(entries: Sequence[Path], imds: Sequence[Path]) -> None:
    """InputError for an image of the delivery without an IMD, which would be passed over."""
    known = {imd.stem.lower() for imd in imds}
    for entry in entries:
        stem = _TILE.sub("", entry.stem)
        is_image = entry.suffix.lower() in (".tif", ".tiff") and _IMAGE_NAME.match(stem)
        if is_image and stem.lower() not in known:
            raise InputError(
                f"{entry}: has no {stem}.IMD beside it; get the IMD of the delivery, or take the "
                "image away"
            )


def _tiffs(imd: Path) -> list[Path]:
    """The GeoTIFFs of an IMD: of its name, but for the tile's ("..._R1C2-...")."""
    found = [
        entry
        for entry in list_files(imd.parent)
        if entry.suffix.lower() in (".tif", ".tiff")
        and _TILE.sub("", entry.stem).lower() == imd.stem.lower()
    ]
    if not found:
        raise InputError(
            f"{imd}: has no image {imd.stem}.TIF beside it; get the delivery as GeoTIFF, and keep "
            "the names of its files"
        )
    return found


def _join(
    paths: Sequence[Path], grids: Sequence[Grid]
) -> tuple[Grid, list[tuple[Path, tuple[int, int], tuple[int, int]]]]:
    """One grid over all tiles, and of each tile its first row and column and its size."""
    first = grids[0]
    pixel = first.transform.a
    west = min(grid.transform.c for grid in grids)
    north = max(grid.transform.f for grid in grids)
    tiles = []
    for path, grid in zip(paths, grids, strict=True):
        column, row = (grid.transform.c - west) / pixel, (north - grid.transform.f) / pixel
        apart = max(abs(column - round(column)), abs(row - round(row)))
        if grid.crs != first.crs or abs(grid.transform.a - pixel) > 1e-6 * pixel or apart > 1e-3:
            raise InputError(f"{path}: does not go on the pixels of {paths[0].name}")
        tiles.append((path, (round(row), round(column)), grid.shape))
    height = max(row + shape[0] for _, (row, _), shape in tiles)
    width = max(column + shape[1] for _, (_, column), shape in tiles)
    if sum(rows * columns for _, _, (rows, columns) in tiles) != height * width:
        raise InputError(
            f"{paths[0].parent}: the tiles of {paths[0].name} leave gaps or overlap; get all of "
            "the delivery"
        )
    return Grid(first.crs, Affine(pixel, 0, west, 0, -pixel, north), width, height), tiles


# ---- product ------------------------------------------------------------------------------------


class WorldView3Product(Product):
    """One delivery on one grid, read by windows from any thread.

    Attributes: as `product.Product` says, and `sun_azimuth_deg` (None if not told).
    `collection` is the version of the IMD, `level` its productLevel ("LV2A"); `acquired` the time
    of the first line of the first image, ISO 8601 in UTC. Bands are C, B, G, Y, R, RE, N, N2 and
    S1-S8; their widths are the IMD's effective bandwidths.

    The grid is that of the image with the larger pixels, in a delivery the SWIR's; the other one
    is averaged by area to it, each pixel by its share. `notes` say so, and whether an image of the
    two is missing.
    """

    spacecraft = "WorldView-3"
    sensor = "WorldView-3"
    scaled_by = "absCalFactor, effectiveBandwidth and meanSunEl in the IMD"
    surface_reflectance = False
    absent_flags = tuple(flag for flag in FLAGS if flag not in _TOLD_FLAGS)

    def __init__(self, images: Sequence[_Image], bands: Sequence[str] | None, notes: Sequence[str]):
        """Plan the reading; raises InputError as `open_product` says."""
        self._images = tuple(images)
        first = min((image.imd for image in images), key=lambda imd: imd.acquired)
        self._name = first.name
        self.product_id = first.find("productOrderId") or first.path.stem
        self.collection = first.find("version") or ""
        self.level = first.text("productLevel")
        self.acquired = first.acquired.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
        self.sun_elevation_deg = first.sun_elevation_deg
        azimuth = first.find("IMAGE_1", "meanSunAz")
        self.sun_azimuth_deg = None
        if azimuth is not None:
            self.sun_azimuth_deg = require_azimuth(
                first.number("IMAGE_1", "meanSunAz"), first.name, "IMAGE_1/meanSunAz"
            )
        self.synthetic = any(
            "gossan" in (image.imd.find("imageDescriptor") or "").lower() for image in images
        )
        coarsest = max(images, key=lambda image: (image.pixel, image.bands[0] in SWIR))
        self.grid = require_place(coarsest.grid, coarsest.imd.name)
        for image in images:
            if image.grid.crs != self.grid.crs:
                raise InputError(
                    f"{image.imd.name}: its image has another reference system than that of "
                    f"{coarsest.imd.path.name}; reproject one of them"
                )
        offered = [band for band in BAND_FACTS for image in images if band in image.bands]
        names = tuple(offered if bands is None else bands)
        missing = [band for band in names if band not in offered]
        if missing or not names:
            raise InputError(
                f"{self._name}: the delivery has no band {', '.join(missing) or '(none named)'}; "
                f"choose from {', '.join(offered)}"
            )
        self._sources = {band: next(i for i in images if band in i.bands) for band in names}
        widths = {band: self._positive(band, "effectiveBandwidth") for band in names}
        self.calibrations = {
            band: calibration(
                band,
                self._positive(band, "absCalFactor"),
                widths[band],
                image.imd.acquired,
                image.imd.sun_elevation_deg,
            )
            for band, image in self._sources.items()
        }
        self.bands = BandTable(
            names,
            tuple(BAND_FACTS[band].centre_um for band in names),
            tuple(widths[band] for band in names),
        )
        self.notes = (
            "radiance with DigitalGlobe's adjustments 2016v0",
            *notes,
            *self._resampling_notes(coarsest),
        )

    def _positive(self, band: str, key: str) -> float:
        imd = self._sources[band].imd
        value = imd.number(f"BAND_{band}", key)
        return require_within(value, _LIMITS[key], imd.name, f"BAND_{band}/{key}")

    def _resampling_notes(self, coarsest: _Image) -> list[str]:
        notes = []
        for image in self._images:
            used = [band for band in self.bands.names if self._sources[band] is image]
            if used and not _same_pixels(image.grid, self.grid):
                notes.append(
                    f"bands {', '.join(used)}: {image.pixel:g} m pixels averaged by area to the "
                    f"{coarsest.pixel:g} m of {', '.join(coarsest.bands)}"
                )
        return notes

    def read_reflectance(self, window: Window) -> np.ndarray:
        """Reflectance of a window, (bands, rows, columns) float32, NaN where there is no data.

        At the top of the atmosphere, of the mean number. No data: number 0, in averaged bands where
        less than half of a pixel is seen. Saturated numbers are data: the flag tells them. Raises
        InputError for damaged files.
        """
        values = np.empty((len(self.bands.names), window.height, window.width), np.float32)
        for index, band in enumerate(self.bands.names):
            gain, offset = self.calibrations[band]
            self._on_grid(band, window, _mean_number, values[index])
            values[index] *= np.float32(gain)
            values[index] += np.float32(offset)
        return values

    def read_flags(self, window: Window, flags: Sequence[str]) -> np.ndarray:
        """Quality flags of a window, (flags, rows, columns) bool, in the order asked for.

        `fill`: no band has data. `saturation`: any of the bands is saturated (11 bits in the VNIR,
        14 in the SWIR), in an averaged band any of its pixels. The others (`absent_flags`) are
        never set: a delivery has no cloud mask. Raises InputError for an unknown flag.
        """
        self.require_flags(flags)
        layers = np.zeros((len(flags), window.height, window.width), dtype=bool)
        part = np.empty((window.height, window.width), np.float32)
        for layer, flag in zip(layers, flags, strict=True):
            if flag == "fill":
                layer[:] = True
                for band in self.bands.names:
                    if not layer.any():
                        break
                    self._on_grid(band, window, _mean_number, part)
                    layer &= np.isnan(part)
            elif flag == "saturation":
                for band in self.bands.names:
                    self._on_grid(
                        band, window, partial(_share_above, limit=MOST_NUMBER[band]), part
                    )
                    layer |= part > 0
        return layers

    def _on_grid(
        self,
        band: str,
        window: Window,
        combine: Callable[[np.ndarray, csr_matrix, csr_matrix], np.ndarray],
        out: np.ndarray,
    ) -> None:
        """Fill `out` (rows, columns) with `combine` of the pixels under each pixel of the grid.

        It gets the stored numbers, and the shares of each row and of each column under each of the
        grid's: (grid's, image's), whose rows add up to 1.
        """
        image = self._sources[band]
        scale = self.grid.transform.a / image.pixel
        left = (self.grid.transform.c - image.grid.transform.c) / image.pixel
        top = (image.grid.transform.f - self.grid.transform.f) / image.pixel
        column, width, across = _shares(left, scale, window.col_off, window.width)
        step = max(1, int(_STRIP_PX / (width * scale)))
        for start in range(0, window.height, step):
            stop = min(start + step, window.height)
            row, height, down = _shares(top, scale, window.row_off + start, stop - start)
            stored = image.read([band], row, column, (height, width))[0]
            out[start:stop] = combine(stored, down, across)

    def close(self) -> None:
        """Close the delivery's files."""
        for image in self._images:
            image.close()


def _same_pixels(one: Grid, other: Grid) -> bool:
    try:
        one.require_same(other, "")
    except InputError:
        return False
    return True


def _shares(start: float, scale: float, first: int, count: int) -> tuple[int, int, csr_matrix]:
    """First pixel of the image under `count` pixels of the grid from `first`, number, and shares.

    start: where the grid begins, in the image's pixels; scale: how many of these are one of the
    grid's.
    """
    # Edges that are meant to fall together differ by the digits of the files' transforms.
    edges = np.round(start + scale * np.arange(first, first + count + 1), 6)
    low, high = math.floor(edges[0]), math.ceil(edges[-1])
    reach = math.ceil(scale) + 1
    begin = np.floor(edges[:-1]).astype(int)
    pixel = begin[:, None] + np.arange(reach)
    share = np.minimum(pixel + 1, edges[1:, None]) - np.maximum(pixel, edges[:-1, None])
    rows, taken = np.nonzero(share > 0)
    weights = (share[rows, taken] / scale).astype(np.float32)
    shape = (count, high - low)
    return low, high - low, csr_matrix((weights, (rows, pixel[rows, taken] - low)), shape)


def _mean_number(stored: np.ndarray, down: csr_matrix, across: csr_matrix) -> np.ndarray:
    """Area-weighted mean of the numbers with data; NaN where less than half of it is seen."""
    seen = (stored != NODATA).astype(np.float32)
    total = _spread(stored.astype(np.float32), down, across)
    cover = _spread(seen, down, across)
    enough = cover >= _LEAST_COVER
    return np.where(enough, total / np.where(enough, cover, 1), np.float32(np.nan))


def _share_above(
    stored: np.ndarray, down: csr_matrix, across: csr_matrix, limit: int
) -> np.ndarray:
    return _spread((stored >= limit).astype(np.float32), down, across)


def _spread(values: np.ndarray, down: csr_matrix, across: csr_matrix) -> np.ndarray:
    return (across @ (down @ values).T).T


# ---- opening ------------------------------------------------------------------------------------


@names_its_product
def open_product(path: str | Path, bands: Sequence[str] | None = None) -> WorldView3Product:
    """Open a delivery: a folder that holds the IMD and GeoTIFF of a VNIR image, a SWIR image, or
    both, anywhere below it; or one IMD.

    bands: those to read, in their order (None: all, by ascending wavelength).

    Raises InputError, naming file or key, for: no such path; no IMD; panchromatic images alone; two
    images of one band; an IMD that is cut short, has no group of a band, or is of another satellite
    or of changed numbers; a missing or damaged GeoTIFF, one without a map, of another count of
    bands, or with missing tiles; images in different reference systems; a band that is not there.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: does not exist; name the folder of a WorldView-3 delivery")
    entries = list_files(path, "**/*") if path.is_dir() else [path]
    found = [entry for entry in entries if entry.suffix.upper() == ".IMD"]
    if not found:
        raise InputError(f"{path}: holds no .IMD file; a WorldView-3 delivery has one per image")
    imds = [_Imd(entry) for entry in found]
    for imd in imds:
        imd.check()
    _require_imds(entries, found)
    spectral = [imd for imd in imds if imd.bands != (PAN,)]
    if not spectral:
        raise InputError(
            f"{imds[0].name}: is panchromatic; minerals need the multispectral (MUL) or SWIR image"
        )
    notes = []
    if len(spectral) < len(imds):
        notes.append("the panchromatic image is left out")
    names = [band for imd in spectral for band in imd.bands]
    twice = next((band for band in names if names.count(band) > 1), None)
    if twice:
        raise InputError(f"{path}: holds several images with band {twice}; name the folder of one")
    for what, members in (("VNIR", VNIR), ("SWIR", SWIR)):
        if not any(band in members for band in names):
            notes.append(f"the delivery has no {what} image")
    images: list[_Image] = []
    try:
        images += (_Image(imd) for imd in spectral)
        return WorldView3Product(images, bands, notes)
    except BaseException:
        for image in images:
            image.close()
        raise
