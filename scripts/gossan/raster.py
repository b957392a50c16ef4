"""The raster engine: blocks in, a function in threads, cloud-optimised GeoTIFFs out.

Memory is set by the block size and the number of threads, never by the scene.
"""

import ctypes
import logging
import math
import os
import re
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.env import set_gdal_config
from rasterio.errors import RasterioError
from rasterio.windows import Window

from gossan.checksums import read_verified, require_tags, verify_tiles
from gossan.cog import TiledImage
from gossan.errors import InputError
from gossan.files import newest, require_text, staged
from gossan.tiles import DIFFERENCES, FLOATING_POINT, PLAIN
from gossan.whole import require_whole

GDAL_CACHE_BYTES = 64 * 2**20
BLOCK_BYTES = 64 * 2**20
# Freed memory that is kept, and the largest array of which it is (GNU's limit for it).
KEPT_BYTES = 128 * 2**20
KEPT_ARRAY_BYTES = 32 * 2**20
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
COG_BLOCK_PX = 512
COG_TILE_BYTES = 16 * 2**20
TIFF_TILE_STEP_PX = 16
# Sides of tiles of blocks that wait to be packed.
LEAST_GATHERED_PX = 256
# Numbers that pass through double precision at once, in the processor's cache.
ENCODED_AT_ONCE = 2**15
# No band of an imaging sensor lies beyond.
LONGEST_UM = 100.0
# The tag that cubes of reflectance have, and no other raster (`cube.cube`).
CUBE_TAG = "NORMALISATION"
# Blocks that must see far around themselves are not cut smaller than this by their memory:
# below it, nearly all that is read would be surroundings.
LEAST_BLOCK_WITH_HALO_PX = 64

# What a raster of the user's may be. A VRT or a description of a service points elsewhere.
RASTER_DRIVERS = ("GTiff", "ENVI", "AAIGrid")

# What a pool of datasets calls its files by.
Key = TypeVar("Key")
Source = Path | str | Callable[[Window], np.ndarray]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Grid:
    """Where the pixels of a raster lie: reference system, affine transform and size."""

    crs: CRS | None
    transform: Affine
    width: int
    height: int

    @classmethod
    def of(cls, dataset: rasterio.DatasetReader) -> "Grid":
        """The grid of an open rasterio dataset."""
        return cls(dataset.crs, dataset.transform, dataset.width, dataset.height)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width), the shape of one band."""
        return self.height, self.width

    @property
    def pixel_area_m2(self) -> float | None:
        """Area of one pixel in square metres; None when the grid is not in a projected system."""
        if self.crs is None or not self.crs.is_projected:
            return None
        metres_per_unit = self.crs.linear_units_factor[1]
        return abs(self.transform.determinant) * metres_per_unit**2

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(west, south, east, north) of the outer pixel edges, in units of the grid's system."""
        corners = [self.place(x, y) for x in (0, self.width) for y in (0, self.height)]
        xs, ys = zip(*corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def place(self, column: float, row: float) -> tuple[float, float]:
        """(x, y) of a position in pixels; (0, 0) is the outer corner of the first pixel."""
        a, b, c, d, e, f = self.transform[:6]
        return a * column + b * row + c, d * column + e * row + f

    def require_same(self, other: "Grid", what: str) -> None:
        """Raise InputError, naming `what`, unless `other` covers exactly the same pixels.

        Transforms may differ by a thousandth of a pixel over the whole raster, which is what
        text formats round away.
        """
        if self.shape != other.shape:
            raise InputError(
                f"{what}: {other.width}x{other.height} pixels where {self.width}x{self.height} "
                "are expected; resample it to the same grid"
            )
        if self.crs != other.crs:
            raise InputError(
                f"{what}: reference system {_crs_name(other.crs)} where {_crs_name(self.crs)} "
                "is expected; reproject it to the same grid"
            )
        for corner in ((0, 0), (self.width, 0), (0, self.height)):
            here, there = self.place(*corner), other.place(*corner)
            if math.dist(here, there) > 1e-3 * math.sqrt(abs(self.transform.determinant)):
                raise InputError(
                    f"{what}: its pixels are shifted or of another size; resample it to the same "
                    "grid"
                )


def _crs_name(crs: CRS | None) -> str:
    return "none" if crs is None else crs.to_string()[:60]


@dataclass(frozen=True)
class BandTable:
    """Names of the bands and, when they are spectral, centre and full width at half maximum.

    `centre_um` and `fwhm_um` are micrometres, and () when the bands are not spectral.
    """

    names: tuple[str, ...]
    centre_um: tuple[float, ...] = ()
    fwhm_um: tuple[float, ...] = ()

    def take(self, places: Sequence[int]) -> "BandTable":
        """The bands at these places, in their order."""
        return BandTable(
            *(
                tuple(values[place] for place in places) if values else ()
                for values in (self.names, self.centre_um, self.fwhm_um)
            )
        )


@dataclass(frozen=True)
class RasterInfo:
    """What a raster says about itself; physical value = stored number * scale + offset."""

    path: Path
    grid: Grid
    bands: BandTable
    dtype: str
    nodata: float | None
    scale: float
    offset: float
    tags: dict[str, str]


@dataclass(frozen=True)
class Layer:
    """One output raster of `map_blocks`; stored number = (physical value - offset) / scale.

    `unit` is that of the physical values, which other programs show with them.
    """

    path: Path
    dtype: str
    nodata: float
    bands: tuple[str, ...] | BandTable
    scale: float = 1.0
    offset: float = 0.0
    overviews: str = "average"
    colours: Mapping[int, str] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""

    @property
    def band_table(self) -> BandTable:
        """The bands as a table, also where only names were given."""
        return self.bands if isinstance(self.bands, BandTable) else BandTable(tuple(self.bands))

    @property
    def bytes_per_pixel(self) -> int:
        """Bytes that all bands of a pixel take in the file before compression."""
        return len(self.band_table.names) * np.dtype(self.dtype).itemsize


def read_info(path: str | Path) -> RasterInfo:
    """Describe the raster file `path`.

    Raises InputError when it is missing, unreadable, or scales its bands differently.
    """
    with _open(Path(path)) as dataset:
        return _info(Path(path), dataset)


def open_raster(path: str | Path, driver: str = "") -> rasterio.DatasetReader:
    """Open a raster of the user's in this format of RASTER_DRIVERS, "" for what its content is.

    Any other format of GDAL's could point anywhere. `path` is a file on disk, or, as a text, what
    we have named for GDAL in an archive or behind an address (/vsi…), beside which no other file is
    looked at. Raises RasterioError for a file of another format, and InputError for one that names
    another file or holds several images.
    """
    if isinstance(path, str) and path.startswith("/vsi"):
        with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"):
            dataset = rasterio.open(path, driver=driver)
    else:
        file = Path(path).absolute()
        _require_plain_sides(file)
        # A Path is nothing but a file for rasterio, and no scheme of GDAL's where it is absolute.
        dataset = rasterio.open(file, driver=driver or _driver_of(file))
    try:
        if dataset.driver == "ENVI":
            _require_whole_envi(Path(path), dataset)
        if dataset.driver == "GTiff" and not dataset.name.startswith("/vsi"):
            require_tags(Path(path))
        for domain in _POINTERS:
            named = [key for key in _POINTERS[domain] if key in dataset.tags(ns=domain)]
            if named:
                raise InputError(
                    f"{path}: names another file ({domain}, {named[0]}); write it again with "
                    "gdal_translate"
                )
        if dataset.subdatasets:
            raise InputError(
                f"{path}: holds {len(dataset.subdatasets)} images; separate them with "
                f"gdal_translate, as {dataset.subdatasets[0]}, and name one"
            )
    except BaseException:
        dataset.close()
        raise
    return dataset


def open_geotiff(path: str | Path, label: str = "") -> rasterio.DatasetReader:
    """Open a GeoTIFF of a product; InputError, naming `label` (default: path), for what is none.

    A file of another format under such a name could point anywhere.
    """
    try:
        return open_raster(path, "GTiff")
    except RasterioError as error:
        raise InputError(
            f"{label or path}: cannot be opened as GeoTIFF; the file is damaged or cut short, get "
            "it again"
        ) from error


def _require_whole_envi(path: Path, dataset: rasterio.DatasetReader) -> None:
    """Refuse an ENVI image shorter than its header tells, a size that is none, a key told twice.

    Its numbers have no format of their own: GDAL takes what is missing for 0.
    """
    headers = [Path(name) for name in dataset.files if name.lower().endswith(".hdr")]
    told = headers[0].read_text(encoding="utf-8", errors="replace") if headers else ""
    bare = re.sub(r"\{[^}]*\}", "", require_text(told, headers[0] if headers else path))
    entries = re.findall(r"^[ \t]*([^\n={}]+?)[ \t]*=[ \t]*([^\n]*)", bare, re.MULTILINE)
    values: dict[str, str] = {}
    for key, value in entries:
        name = key.lower().replace("_", " ")
        if name in values:
            raise InputError(f"{headers[0]}: tells {key} for the second time; keep the right one")
        values[name] = value.strip()
    for key in ("samples", "lines", "bands", "header offset"):
        if not re.fullmatch(r"\d{1,18}", values.get(key, "0")):
            raise InputError(
                f"{headers[0]}: {key} = {values[key][:40]} is no whole number; repair the header"
            )
    if values.get("file compression", "0") != "0":
        return
    numbers = dataset.width * dataset.height * dataset.count
    due = numbers * np.dtype(dataset.dtypes[0]).itemsize + int(values.get("header offset", "0"))
    if path.stat().st_size < due:
        raise InputError(
            f"{path}: has {path.stat().st_size} bytes where its header tells of {due}; it is cut "
            "short, get it again"
        )


# Overviews, masks and places of pixels that stand in other files, which GDAL opens in any format.
_POINTERS = {"OVERVIEWS": ("OVERVIEW_FILE", "MASK_FILE"), "GEOLOCATION": ("X_DATASET", "Y_DATASET")}


def _driver_of(file: Path) -> str:
    """Which of RASTER_DRIVERS a file is by its first bytes; an ENVI image has none of its own."""
    try:
        with file.open("rb") as opened:
            start = opened.read(64)
    except OSError:
        return "GTiff"  # GDAL tells what is wrong with it
    if start[:2] in (b"II", b"MM"):
        return "GTiff"
    if re.match(rb"\s*<VRTDataset", start):
        raise InputError(
            f"{file}: is a virtual raster (VRT), which stands for other files and is not followed; "
            f"write what it shows: gdal_translate {file.name} {file.stem}-plain.tif"
        )
    return "AAIGrid" if re.match(rb"\s*(n(cols|rows)|[xy]ll)", start, re.IGNORECASE) else "ENVI"


def _require_plain_sides(path: Path) -> None:
    """Refuse overviews and masks beside a raster that are no images, but point elsewhere."""
    for start in {path.name, path.stem}:
        for side in (path.with_name(start + end) for end in (".ovr", ".OVR", ".msk", ".MSK")):
            if side.is_file() and side != path:
                try:
                    open_raster(side, "GTiff").close()
                except RasterioError as error:
                    raise InputError(
                        f"{side}: is no GeoTIFF, though it would be read with {path.name}; "
                        "remove it"
                    ) from error
        for side in (path.with_name(start + end) for end in (".aux", ".AUX")):
            if side.is_file() and b"VRTDataset" in side.read_bytes()[:4096]:
                raise InputError(f"{side}: points elsewhere; remove it")


def _open(path: Path) -> rasterio.DatasetReader:
    place = newest(path)
    if not place.exists():
        raise InputError(f"{path}: no such raster file; check the path")
    try:
        return open_raster(place)
    except RasterioError as error:
        raise InputError(
            f"{path}: not a readable raster (GeoTIFF, ENVI or ASCII grid: {error}); replace the "
            "file, or convert it with gdal_translate"
        ) from error


@contextmanager
def opened(path: str | Path) -> Iterator[rasterio.DatasetReader]:
    """A raster file to read from; InputError, naming it, where a part of it cannot be read."""
    with _open(Path(path)) as dataset:
        try:
            yield dataset
        except RasterioError as error:
            raise InputError(f"{path}: broken or truncated; make it again") from error


def open_image(dataset: rasterio.DatasetReader, level: int | None) -> rasterio.DatasetReader:
    """An image of an open raster as a dataset without overviews: one of its overviews, or itself.

    `level` is the overview's place in the file, from 0, None for the raster itself.
    """
    which = "NONE" if level is None else f"{level}only"
    return rasterio.open(Path(dataset.name), driver=dataset.driver, OVERVIEW_LEVEL=which)


def verify_raster(path: str | Path, indexes: Sequence[int] | None = None) -> None:
    """Raise InputError where the checksum of a tile of a raster file is wrong.

    For files of which single pixels are read, or that GDAL reads through a warp; what reads
    blocks does so by `read_verified`. `indexes` are the bands to look through (default: all).
    """
    with _open(Path(path)) as dataset:
        verify_dataset(path, dataset, indexes)


def verify_dataset(
    path: str | Path, dataset: rasterio.DatasetReader, indexes: Sequence[int] | None = None
) -> None:
    """`verify_raster` of an open dataset, which may be an overview of the raster `path`."""
    try:
        verify_tiles(dataset, indexes)
    except RasterioError as error:
        raise InputError(f"{path}: is damaged ({error}); get or make it again") from error


def _info(path: Path, dataset: rasterio.DatasetReader) -> RasterInfo:
    if dataset.count == 0:
        raise InputError(f"{path}: has no bands; name one of its subdatasets instead")
    complex_type = next((name for name in dataset.dtypes if name.startswith("complex")), None)
    if complex_type is not None:
        raise InputError(
            f"{path}: holds complex numbers ({complex_type}); give real ones, as of "
            "gdal_translate -ot Float32"
        )
    if len(set(dataset.scales)) > 1 or len(set(dataset.offsets)) > 1:
        raise InputError(f"{path}: its bands have different scales or offsets; give them one")
    if not (math.isfinite(dataset.scales[0]) and dataset.scales[0] != 0):
        raise InputError(f"{path}: its scale of {dataset.scales[0]:g} is none; correct it")
    if not math.isfinite(dataset.offsets[0]):
        raise InputError(f"{path}: its offset of {dataset.offsets[0]:g} is none; correct it")
    if (
        CUBE_TAG in dataset.tags()
        and dataset.nodata is None
        and np.issubdtype(dataset.dtypes[0], np.integer)
    ):
        raise InputError(
            f"{path}: is a cube that has lost its nodata value, so that its fill would be taken "
            "for ground; set it again (gdal_edit.py -a_nodata -32768), or make the cube again"
        )
    spectral = [dataset.tags(band, ns="IMAGERY") for band in dataset.indexes]
    return RasterInfo(
        path=path,
        grid=Grid.of(dataset),
        bands=BandTable(
            names=tuple(
                name or f"band_{band}"
                for band, name in zip(dataset.indexes, dataset.descriptions, strict=True)
            ),
            centre_um=_numbers(path, spectral, "CENTRAL_WAVELENGTH_UM"),
            fwhm_um=_numbers(path, spectral, "FWHM_UM"),
        ),
        dtype=dataset.dtypes[0],
        nodata=dataset.nodata,
        scale=dataset.scales[0],
        offset=dataset.offsets[0],
        tags={key: value for key, value in dataset.tags().items() if key != "AREA_OR_POINT"},
    )


def is_synthetic(tags: dict[str, str]) -> bool:
    """Whether a raster's tags say that it stems from a simulated scene."""
    return tags.get("SYNTHETIC", "no").lower() == "yes"


def find_bands(info: RasterInfo, names: Sequence[str] | None) -> list[int]:
    """Places (from 0) of the bands called `names` in a raster, in that order; None means all.

    Raises InputError for a name that the raster lacks, or has twice, or that is asked for twice.
    """
    if names is None:
        return list(range(len(info.bands.names)))
    for name in names:
        if name not in info.bands.names:
            raise InputError(
                f"{info.path}: has no band {name}; it has {' '.join(info.bands.names)}"
            )
        if info.bands.names.count(name) > 1:
            raise InputError(f"{info.path}: has two bands {name}; give each its own name")
    if len(set(names)) < len(names):
        raise InputError(f"bands {' '.join(names)}: one is named twice; name each once")
    return [info.bands.names.index(name) for name in names]


def _numbers(path: Path, items: Sequence[dict[str, str]], key: str) -> tuple[float, ...]:
    """The values of `key` in all bands; () when a band has none."""
    if not all(key in item for item in items):
        return ()
    try:
        values = tuple(float(item[key]) for item in items)
    except ValueError as error:
        raise InputError(f"{path}: {key} is not a number in every band; correct it") from error
    odd = [value for value in values if not 0 < value < LONGEST_UM]
    if odd:
        raise InputError(f"{path}: {key} = {odd[0]:g} is no length in micrometres; correct it")
    return values


def split_blocks(
    grid: Grid,
    block_px: int = 512,
    tile: tuple[int, int] | None = None,
    multiple: int = 1,
) -> list[Window]:
    """Cut a grid into windows of about `block_px` x `block_px` pixels, row by row.

    `tile` is the (rows, columns) in which the file is stored: windows are whole tiles, so none is
    decoded twice; files stored in strips (tiles as wide as the grid) are cut into full-width
    windows of about the same area. Rows and columns at which windows start are multiples of
    `multiple`.
    """
    rows = columns = max(1, block_px // multiple) * multiple
    if tile is not None:
        tile_rows, tile_columns = (math.lcm(side, multiple) for side in tile)
        if tile_columns >= grid.width and grid.width > columns:
            columns = grid.width
            rows = max(1, block_px**2 // grid.width)
            step = tile_rows * math.ceil(TIFF_TILE_STEP_PX / tile_rows)
            rows = max(1, rows // step) * step
        else:
            rows = max(1, rows // tile_rows) * tile_rows
            columns = max(1, columns // tile_columns) * tile_columns
    return [
        Window(column, row, min(columns, grid.width - column), min(rows, grid.height - row))
        for row in range(0, grid.height, rows)
        for column in range(0, grid.width, columns)
    ]


def grow_window(window: Window, grid: Grid, halo: int, align: int = 1) -> Window:
    """The window with `halo` more pixels on each side, as far as the grid reaches.

    It is grown further until rows and columns at which it starts and ends are multiples of
    `align`, except at the grid's right and lower edges, which stay where they are.
    """

    def reach(first: int, length: int, size: int) -> tuple[int, int]:
        start = max(0, first - halo) // align * align
        stop = min(size, -(-(first + length + halo) // align) * align)
        return start, stop - start

    column, width = reach(int(window.col_off), int(window.width), grid.width)
    row, height = reach(int(window.row_off), int(window.height), grid.height)
    return Window(column, row, width, height)


class Datasets(Generic[Key]):
    """Open rasters by key, each lent to one reader at a time: a GDAL dataset serves one thread.

    Those at rest stay open for the next reader; where more than `most_idle` rest, the longest
    unused is closed.
    """

    def __init__(
        self,
        opener: Callable[[Key], rasterio.DatasetReader],
        most_idle: int | None = None,
    ):
        """Open nothing yet; what `opener` raises goes through."""
        self._opener = opener
        self._most_idle = most_idle
        self._lock = threading.Lock()
        self._idle: list[tuple[Key, rasterio.DatasetReader]] = []

    @contextmanager
    def borrow(self, key: Key) -> Iterator[rasterio.DatasetReader]:
        """The dataset of `key`, for the block alone; where the block raises, it is closed."""
        with self._lock:
            place = next((i for i, (known, _) in enumerate(self._idle) if known == key), None)
            dataset = None if place is None else self._idle.pop(place)[1]
        if dataset is None:
            dataset = self._opener(key)
        try:
            yield dataset
        except BaseException:
            dataset.close()
            raise
        with self._lock:
            self._idle.append((key, dataset))
            too_many = self._most_idle is not None and len(self._idle) > self._most_idle
            surplus = self._idle.pop(0)[1] if too_many else None
        if surplus is not None:
            surplus.close()

    @property
    def idle(self) -> int:
        """How many datasets are open and at rest."""
        return len(self._idle)

    def close(self, keys: Sequence[Key] | None = None) -> None:
        """Close the datasets of `keys` (None: all) that rest; a later `borrow` opens them again."""
        with self._lock:
            closing = [entry for entry in self._idle if keys is None or entry[0] in keys]
            self._idle = [entry for entry in self._idle if entry not in closing]
        for _, dataset in closing:
            dataset.close()


class _Reader:
    """Reads windows of all sources, from any number of threads."""

    def __init__(self, sources: Sequence[Source], infos: Sequence[RasterInfo | None], scaled: bool):
        self._sources = sources
        self._infos = infos
        self._scaled = scaled
        self._datasets = Datasets(_open)

    def read(self, window: Window) -> list[np.ndarray]:
        return [
            source(window) if info is None else self._read_file(info, window)
            for source, info in zip(self._sources, self._infos, strict=True)
        ]

    def _read_file(self, info: RasterInfo, window: Window) -> np.ndarray:
        try:
            with self._datasets.borrow(info.path) as dataset:
                stored = read_verified(dataset, window=window)
        except RasterioError as error:
            raise InputError(
                f"{info.path}: broken or truncated near row {window.row_off}; fetch it again"
            ) from error
        return decode(stored, info) if self._scaled else stored

    def close(self) -> None:
        self._datasets.close()


def decode(stored: np.ndarray, info: RasterInfo) -> np.ndarray:
    """Stored numbers -> float32 physical values of the same shape, NaN where nodata or masked."""
    values = np.ma.getdata(stored).astype(np.float32)
    if info.scale != 1.0:
        values *= np.float32(info.scale)
    if info.offset != 0.0:
        values += np.float32(info.offset)
    if info.nodata is not None and not np.isnan(info.nodata):
        values[np.ma.getdata(stored) == info.nodata] = np.nan
    if np.ma.is_masked(stored):
        values[np.ma.getmaskarray(stored)] = np.nan
    return values


def encode(values: np.ndarray, layer: Layer) -> np.ndarray:
    """Physical values -> numbers as `layer` stores them, of the same shape.

    Floats are scaled, rounded for integer layers and held inside the type's range without its
    nodata code; NaN and infinity become nodata. Integers and booleans are stored as they are.
    Raises ValueError for integers that the layer's type cannot hold.
    """
    dtype = np.dtype(layer.dtype)
    if values.dtype.kind != "f":
        if values.dtype == dtype:
            return values
        stored = values.astype(dtype)
        if not np.array_equal(stored, values):
            raise ValueError(f"{layer.path}: values do not fit into {dtype}")
        return stored
    stored = np.empty(values.shape, dtype)
    given, codes = values.reshape(-1), stored.reshape(-1)
    for start in range(0, given.size, ENCODED_AT_ONCE):
        part = slice(start, start + ENCODED_AT_ONCE)
        codes[part] = _encode_floats(given[part], layer, dtype)
    return stored


def _encode_floats(values: np.ndarray, layer: Layer, dtype: np.dtype) -> np.ndarray:
    valid = np.isfinite(values)
    numbers = values
    if layer.scale != 1.0 or layer.offset != 0.0:
        with np.errstate(over="ignore"):
            numbers = np.subtract(values, layer.offset, dtype=np.float64)
            numbers /= layer.scale
    if dtype.kind == "f":
        stored = numbers.astype(dtype)
    else:
        limits = np.iinfo(dtype)
        low = limits.min + int(layer.nodata == limits.min)
        high = limits.max - int(layer.nodata == limits.max)
        numbers = np.rint(numbers, dtype=np.float64)
        # NaN becomes any number, and that becomes nodata.
        with np.errstate(invalid="ignore"):
            stored = numbers.clip(low, high, out=numbers).astype(dtype)
    if not valid.all():
        stored[~valid] = layer.nodata
    return stored


def iter_blocks(
    function: Callable[..., object],
    sources: Sequence[Source],
    *,
    grid: Grid | None = None,
    block_px: int = 512,
    threads: int = 1,
    scaled: bool = True,
    halo: int | None = None,
    align: int = 1,
    multiple: int = 1,
    progress: str | None = None,
) -> Iterator[tuple[Window, object]]:
    """Yield (window, function(*arrays)) for every block, in block order.

    arrays: one (bands, rows, columns) array per source; from files float32 physical values with
    NaN for nodata, or the stored numbers with `scaled=False`; callables (which must allow calls
    from several threads) get the window and their arrays are passed as they are. `grid` is needed
    when no source is a file. `progress` labels a bar on a terminal, lines in a log.

    With `halo`, every source is read that many pixels beyond the block on each side, as far as
    the grid reaches (`grow_window`, which also explains `align`), callables get that larger
    window, and the function gets one argument more, the first: the (row, column) slices of the
    block within the arrays. The window that is yielded is the block itself.

    At most 2 * `threads` blocks are in flight. A block of many bands is made smaller than
    `block_px`, so that it stays within 64 MiB or one storage tile of its file. Blocks start at
    multiples of `multiple`, whatever their size, for a function that takes pixels in pairs or
    cells.

    Raises InputError for a missing, broken or truncated file and for files on different grids.
    """
    plan = _plan(sources, grid, block_px, halo, align, multiple=multiple)
    return _run(function, sources, plan, threads, scaled, progress)


@dataclass(frozen=True)
class _Plan:
    """What is known before the first block: the sources' files, the grid, its windows, the halo."""

    infos: list[RasterInfo | None]
    grid: Grid
    windows: list[Window]
    halo: int | None = None
    align: int = 1


def _plan(
    sources: Sequence[Source],
    grid: Grid | None,
    block_px: int,
    halo: int | None,
    align: int,
    written: int = 1,
    multiple: int = 1,
) -> _Plan:
    """Open and compare the sources; `written` is bytes per pixel that the function returns."""
    bound_gdal_cache()
    keep_freed_memory()
    infos = [None if callable(source) else read_info(source) for source in sources]
    files = [info for info in infos if info is not None]
    if grid is None:
        if not files:
            raise ValueError("give a grid: none of the sources is a file")
        grid = files[0].grid
    for info in files:
        grid.require_same(info.grid, str(info.path))
    tile = None
    heaviest = max(files, key=_bytes_per_pixel, default=None)
    read = 1 if heaviest is None else _bytes_per_pixel(heaviest)
    most_px = math.isqrt(BLOCK_BYTES // max(read, written))
    if halo:
        most_px = max(LEAST_BLOCK_WITH_HALO_PX, most_px - 2 * halo)
    block_px = min(block_px, most_px)
    if heaviest is not None:
        with _open(heaviest.path) as dataset:
            tile = dataset.block_shapes[0]
    return _Plan(infos, grid, split_blocks(grid, block_px, tile, multiple), halo, align)


def _bytes_per_pixel(info: RasterInfo) -> int:
    """Bytes of all bands of a pixel as the function gets them, at least as float32."""
    return len(info.bands.names) * max(4, np.dtype(info.dtype).itemsize)


def _run(
    function: Callable[..., object],
    sources: Sequence[Source],
    plan: _Plan,
    threads: int,
    scaled: bool,
    progress: str | None = None,
    then: Callable[[Window, object], object] = lambda _, result: result,
) -> Iterator[tuple[Window, object]]:
    """As `iter_blocks`; `then` makes of a block and its result, in its thread, what is yielded."""
    reader = _Reader(sources, plan.infos, scaled)

    def work(window: Window) -> object:
        if plan.halo is None:
            return then(window, function(*reader.read(window)))
        grown = grow_window(window, plan.grid, plan.halo, plan.align)
        row, column = window.row_off - grown.row_off, window.col_off - grown.col_off
        block = np.s_[row : row + window.height, column : column + window.width]
        return then(window, function(block, *reader.read(grown)))

    pending: deque[tuple[Window, Future]] = deque()
    pool = ThreadPoolExecutor(max_workers=max(1, threads), thread_name_prefix="block")
    try:
        waiting = iter(plan.windows)
        for window in _progress(plan.windows, progress):
            while len(pending) < 2 * max(1, threads) and (following := next(waiting, None)):
                pending.append((following, pool.submit(work, following)))
            window, future = pending.popleft()
            yield window, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        reader.close()


def bound_gdal_cache() -> None:
    """Hold GDAL's block cache, one for the whole process, at 64 MiB unless GDAL_CACHEMAX is set.

    Its default is a share of the machine's memory, which would let memory grow with the scene.
    """
    if "GDAL_CACHEMAX" not in os.environ:
        set_gdal_config("GDAL_CACHEMAX", GDAL_CACHE_BYTES)


def keep_freed_memory() -> None:
    """Let the C library keep what a block has freed for the next one, where it is GNU's.

    It would give larger arrays back to the system each time, which fills them with zeros again
    page by page: a quarter of the time of a map from file to file.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, KEPT_ARRAY_BYTES)
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)


def _progress(windows: Sequence[Window], label: str | None) -> Iterator[Window]:
    if label is None:
        yield from windows
    elif sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(windows, desc=label, unit="block")
    else:
        tenths = 0
        for done, window in enumerate(windows, start=1):
            yield window
            if done * 10 // len(windows) > tenths:
                tenths = done * 10 // len(windows)
                logger.info("%s: %d of %d blocks", label, done, len(windows))


def map_blocks(
    function: Callable[..., np.ndarray | Sequence[np.ndarray]],
    sources: Sequence[Source],
    layers: Sequence[Layer],
    *,
    grid: Grid | None = None,
    block_px: int = 512,
    threads: int = 1,
    scaled: bool = True,
    halo: int | None = None,
    align: int = 1,
    multiple: int = 1,
    progress: str | None = None,
) -> None:
    """Write what `function` makes of each block as one cloud-optimised GeoTIFF per layer.

    The function gets arrays (and, with `halo`, slices) as in `iter_blocks` and returns one array,
    or one per layer in their order, of the block's shape (bands, rows, columns) or (rows,
    columns); `encode` says how they are stored. Blocks are small enough for what is written, too.
    All files appear together when everything has succeeded, else none. The bytes do not depend
    on `threads`.

    Raises InputError as `iter_blocks` does, ValueError for a result that does not fit a layer.
    """
    written = sum(layer.bytes_per_pixel for layer in layers)
    plan = _plan(sources, grid, block_px, halo, align, written, multiple)
    with ExitStack() as stack:
        outputs = [
            _Output(layer, stack.enter_context(staged(layer.path)), plan, stack) for layer in layers
        ]

        def keep(window: Window, results: np.ndarray | Sequence[np.ndarray]) -> list:
            if isinstance(results, np.ndarray):
                results = (results,)
            if len(results) != len(outputs):
                raise ValueError(f"{len(results)} results of a block for {len(outputs)} layers")
            return [
                output.pack(window, encode(result, output.layer))
                for output, result in zip(outputs, results, strict=True)
            ]

        with closing(_run(function, sources, plan, threads, scaled, progress, keep)) as blocks:
            for window, left in blocks:
                for output, block in zip(outputs, left, strict=True):
                    if block is not None:
                        output.gathered.write(block, window=window)
        for output in outputs:
            output.finish(threads)


class _Output:
    """A layer on its way into its file.

    Blocks that are whole tiles are packed where they were made. Others are gathered in an
    uncompressed file first, and packed tile by tile.
    """

    def __init__(self, layer: Layer, final: Path, plan: _Plan, stack: ExitStack):
        """Make the files that it needs beside `final`, so on its disk; `stack` closes them."""
        self.layer, self._final, self._plan = layer, final, plan
        tile_px = COG_BLOCK_PX
        while tile_px > 64 and tile_px**2 * layer.bytes_per_pixel > COG_TILE_BYTES:
            tile_px //= 2
        categorical = layer.overviews == "mode"
        # Class codes compress best without a predictor.
        floating = np.dtype(layer.dtype).kind == "f"
        predictor = PLAIN if categorical else FLOATING_POINT if floating else DIFFERENCES
        self._template = final.with_name(f"{final.stem}.tags.tif")
        with _create(
            self._template,
            layer,
            plan.grid,
            (tile_px, tile_px),
            interleave="pixel",
            compress="deflate",
            predictor=predictor,
            sparse_ok=True,
            bigtiff="no",
        ):
            pass
        self._image = stack.enter_context(
            TiledImage(
                final.with_name(f"{final.stem}.tiles"),
                (len(layer.band_table.names), *plan.grid.shape),
                layer.dtype,
                tile_px,
                nodata=layer.nodata,
                predictor=predictor,
                mode=categorical,
            )
        )
        starts = [(window.row_off, window.col_off) for window in plan.windows]
        self.gathered = None
        if any(row % tile_px or column % tile_px for row, column in starts):
            first = plan.windows[0]
            self.gathered = stack.enter_context(
                _create(
                    final.with_name(f"{final.stem}.blocks.tif"),
                    layer,
                    plan.grid,
                    (_tile_px(first.height), _tile_px(first.width)),
                    interleave="band",
                    bigtiff="if_safer",
                )
            )

    def pack(self, window: Window, block: np.ndarray) -> np.ndarray | None:
        """Pack a block of stored numbers, or give it back where it has to be gathered first."""
        block = block[np.newaxis] if block.ndim == 2 else block
        expected = (len(self.layer.band_table.names), window.height, window.width)
        if block.shape != expected:
            raise ValueError(f"{self.layer.path}: a block has shape {block.shape}, not {expected}")
        if self.gathered is not None:
            return block
        self._image.add(window.row_off, window.col_off, block)
        return None

    def finish(self, threads: int) -> None:
        """Pack what was gathered, then write the file."""
        if self.gathered is not None:
            self.gathered.close()
            # A full disk would leave out what is missing here, and the map would be whole.
            path = Path(self.gathered.name)
            require_whole(path)
            self._pack_gathered(path, threads)
            path.unlink()
        self._image.write(self._final, self._template)

    def _pack_gathered(self, path: Path, threads: int) -> None:
        info = read_info(path)
        plan = _Plan([info], info.grid, split_blocks(info.grid, self._image.tile_px))

        def add(window: Window, block: np.ndarray) -> None:
            self._image.add(window.row_off, window.col_off, block)

        for _ in _run(lambda block: block, [path], plan, threads, scaled=False, then=add):
            pass


def _create(
    path: Path, layer: Layer, grid: Grid, tile: tuple[int, int], **options: object
) -> rasterio.io.DatasetWriter:
    """Open a GeoTIFF in tiles of (rows, columns) that says all that a layer's file says."""
    bands = layer.band_table
    dataset = rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=grid.width,
        height=grid.height,
        count=len(bands.names),
        dtype=np.dtype(layer.dtype).name,
        crs=grid.crs,
        transform=grid.transform,
        nodata=layer.nodata,
        tiled=True,
        blockysize=tile[0],
        blockxsize=tile[1],
        **options,
    )
    dataset.descriptions = bands.names
    dataset.scales = [layer.scale] * dataset.count
    dataset.offsets = [layer.offset] * dataset.count
    if layer.unit:
        dataset.units = (layer.unit,) * dataset.count
    if layer.tags:
        dataset.update_tags(**layer.tags)
    for key, values in (("CENTRAL_WAVELENGTH_UM", bands.centre_um), ("FWHM_UM", bands.fwhm_um)):
        for band, value in enumerate(values, start=1):
            dataset.update_tags(band, ns="IMAGERY", **{key: repr(float(value))})
    if layer.colours is not None:
        dataset.write_colormap(1, {code: _rgba(text) for code, text in layer.colours.items()})
    return dataset


def _tile_px(block_px: int) -> int:
    """The largest power of two from 256 to 512 that divides `block_px`, or 256.

    A block that covers whole tiles is written without reading tiles back. Smaller ones are many
    in GDAL's cache, which looks through those of other files for each new one.
    """
    return min(COG_BLOCK_PX, max(LEAST_GATHERED_PX, block_px & -block_px))


def _rgba(colour: str) -> tuple[int, int, int, int]:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue, 255
