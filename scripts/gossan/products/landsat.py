"""Landsat 8 and 9 products: metadata, calibration and quality flags.

Collection 1 and 2, Level 1 and Level 2, as a folder, a .tar or a .tar.gz. The formats are
described in the USGS Landsat 8 Data Users Handbook (LSDS-1574), the Landsat 8-9 Collection 2
Level 1 and Level 2 Data Format Control Books (LSDS-1822, LSDS-1328) and, for the surface
reflectance of Collection 1, the Land Surface Reflectance Code (LaSRC) Product Guide (LSDS-1368).
That product comes with the MTL of its Level 1, which says nothing of the corrected files: their
names and their scale are constants of the guide.

Clips that users make and keep may lack bands, quality files and the georeference of their TIFFs:
bands that nobody asks for are not due, a quality file that is absent masks nothing, and the MTL's
corners, which are those of a clip then, tell where it lies. Notes say so.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from gossan.checksums import read_verified
from gossan.errors import InputError
from gossan.files import require_text
from gossan.products.containers import Container, Folder, Rules, Tar
from gossan.products.plausible import (
    names_its_product,
    near,
    read_moment,
    require_elevation,
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

BAND_NUMBERS = (1, 2, 3, 4, 5, 6, 7)
BANDS = tuple(f"B{number}" for number in BAND_NUMBERS)

# Centroid and full width at half maximum (µm) of the published relative spectral responses of
# OLI (Barsi et al. 2014, Remote Sensing 6, 10232) and OLI-2, bands 1-7.
BAND_TABLES = {
    "LANDSAT_8": (
        (0.44298, 0.48259, 0.56133, 0.65461, 0.86457, 1.60909, 2.20125),
        (0.01596, 0.06007, 0.05738, 0.03749, 0.02819, 0.08466, 0.18672),
    ),
    "LANDSAT_9": (
        (0.44276, 0.48230, 0.56092, 0.65430, 0.86461, 1.60838, 2.20105),
        (0.01545, 0.05988, 0.05629, 0.03671, 0.02871, 0.08609, 0.18947),
    ),
}

# Kind of quality file -> flag -> (lowest bit, mask of its bits, least number that sets it). Two
# bits are a confidence, of which 3 means "high", or in BQA's saturation a class of how many bands.
QUALITY_TABLES = {
    "QA_PIXEL": {
        "fill": (0, 1, 1),
        "dilated_cloud": (1, 1, 1),
        "cirrus": (2, 1, 1),
        "cloud": (3, 1, 1),
        "cloud_shadow": (4, 1, 1),
        "snow": (5, 1, 1),
        "water": (7, 1, 1),
    },
    "BQA": {
        "fill": (0, 1, 1),
        "saturation": (2, 3, 1),
        "cloud": (4, 1, 1),
        "cloud_shadow": (7, 3, 3),
        "snow": (9, 3, 3),
        "cirrus": (11, 3, 3),
    },
    "pixel_qa": {
        "fill": (0, 1, 1),
        "water": (2, 1, 1),
        "cloud_shadow": (3, 1, 1),
        "snow": (4, 1, 1),
        "cloud": (5, 1, 1),
        "cirrus": (8, 3, 3),
    },
}
RADSAT_BANDS = sum(1 << (number - 1) for number in BAND_NUMBERS)

# The lowest calibrated number of all files but those of LaSRC, in which fill is -9999 and
# corrected numbers reach from -2000 to 16000.
LOWEST_NUMBER = 1
LASRC_LOWEST_NUMBER = -2000
LASRC_SATURATED = 20000
LASRC_SCALE = 1e-4
# Collection 1 has no name for this level; Collection 2 calls it so.
LASRC_LEVEL = "L2SR"

CORNERS_NOTE = (
    "the files have no georeference: it is that of the corners in the MTL, which are pixel centres"
)
# Told by a note where it matters.
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)

# Gain and offset that the formats have for numbers of the top of the atmosphere and the surface.
_GAINS = {"L1": 2e-5, "L2": 2.75e-5}
_OFFSETS = (-0.5, 0.0)

# A real MTL has about 20 kB; more than this is not one.
MTL_MAX_BYTES = 1 << 20


def _is_metadata(name: str) -> bool:
    return name.upper().endswith("_MTL.TXT")


_RULES = Rules(
    product="a Landsat product",
    not_whole="neither a folder nor a whole .tar or .tar.gz",
    is_metadata=_is_metadata,
    metadata_max_bytes=MTL_MAX_BYTES,
    flat=True,
)


@dataclass(frozen=True)
class _Layout:
    """Where a collection's MTL keeps what we need, and the kind of its quality file."""

    product: str
    level: tuple[str, str]
    scene: str
    files: str
    quality: str
    quality_table: str
    saturation: str | None
    corners: str
    projection: str
    rescaling: dict[str, str]


# Keyed by the MTL's outermost group.
_LAYOUTS = {
    "L1_METADATA_FILE": _Layout(
        product="METADATA_FILE_INFO",
        level=("PRODUCT_METADATA", "DATA_TYPE"),
        scene="PRODUCT_METADATA",
        files="PRODUCT_METADATA",
        quality="FILE_NAME_BAND_QUALITY",
        quality_table="BQA",
        saturation=None,
        corners="PRODUCT_METADATA",
        projection="PROJECTION_PARAMETERS",
        rescaling=dict.fromkeys(("L1TP", "L1GT", "L1GS"), "RADIOMETRIC_RESCALING"),
    ),
    "LANDSAT_METADATA_FILE": _Layout(
        product="PRODUCT_CONTENTS",
        level=("PRODUCT_CONTENTS", "PROCESSING_LEVEL"),
        scene="IMAGE_ATTRIBUTES",
        files="PRODUCT_CONTENTS",
        quality="FILE_NAME_QUALITY_L1_PIXEL",
        quality_table="QA_PIXEL",
        saturation="FILE_NAME_QUALITY_L1_RADIOMETRIC_SATURATION",
        corners="PROJECTION_ATTRIBUTES",
        projection="PROJECTION_ATTRIBUTES",
        rescaling={
            **dict.fromkeys(("L1TP", "L1GT", "L1GS"), "LEVEL1_RADIOMETRIC_RESCALING"),
            **dict.fromkeys(("L2SP", "L2SR"), "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS"),
        },
    ),
}


def parse_mtl(text: str, name: str) -> dict[str, Any]:
    """Parse the text of an MTL file into nested dicts of strings, without the quotes.

    `name` is the file's name for messages. Values stay text: "02" and 2 differ in an MTL.
    Raises InputError for a line that is neither a group nor `KEY = value`, for groups that do
    not nest, and for a text that stops before its END.
    """
    root: dict[str, Any] = {}
    stack: list[tuple[str, dict[str, Any]]] = [("", root)]
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line:
            continue
        if line == "END":
            if len(stack) > 1:
                raise InputError(f"{name}: line {number}: END inside group {stack[-1][0]}")
            return root
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not key:
            raise InputError(f"{name}: line {number} is not 'KEY = value'; not an MTL text file?")
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        if key == "GROUP":
            group: dict[str, Any] = {}
            _put(stack[-1][1], value, group, name, number)
            stack.append((value, group))
        elif key == "END_GROUP":
            if stack[-1][0] != value:
                raise InputError(
                    f"{name}: line {number}: END_GROUP = {value} closes no open group of that name"
                )
            stack.pop()
        else:
            _put(stack[-1][1], key, value, name, number)
    raise InputError(f"{name}: stops before its END line; the file is cut short")


def _put(group: dict[str, Any], key: str, value: Any, name: str, number: int) -> None:
    """Add a key to a group; InputError where the group tells something else of it already."""
    if group.get(key, value) != value:
        raise InputError(
            f"{name}: line {number} tells {key} for the second time, and otherwise; get the file "
            "again"
        )
    group[key] = value


class _Metadata:
    """The values of one MTL, with errors that name file, group and key."""

    def __init__(self, text: str, name: str):
        tree = parse_mtl(text, name)
        root = next((group for group in _LAYOUTS if group in tree), None)
        if root is None:
            raise InputError(f"{name}: has neither group {' nor '.join(_LAYOUTS)}")
        self.name = name
        self.layout = _LAYOUTS[root]
        self._groups = tree[root]

    def find(self, group: str, key: str) -> str | None:
        entries = self._groups.get(group)
        value = entries.get(key) if isinstance(entries, dict) else None
        return value if isinstance(value, str) else None

    def text(self, group: str, key: str) -> str:
        value = self.find(group, key)
        if value is None:
            raise InputError(f"{self.name}: key {key} is missing from group {group}")
        return value

    def number(self, group: str, key: str) -> float:
        text = self.text(group, key)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise InputError(f"{self.name}: {group}/{key} = {text} is not a number")
        return value

    def file_name(self, group: str, key: str) -> str:
        value = self.text(group, key)
        if not _is_plain_name(value):
            raise InputError(f"{self.name}: {group}/{key} = {value} is not a plain file name")
        return value


def _is_plain_name(name: str) -> bool:
    return name not in ("", ".", "..") and not set(name) & set("/\\\0")


class _Files:
    """The rasters of a product by role, read by any number of threads."""

    def __init__(self, paths: dict[str, str], labels: dict[str, str]):
        self._paths = paths
        self._labels = labels
        self._datasets = Datasets(self._open)

    def _open(self, role: str) -> rasterio.DatasetReader:
        return open_geotiff(self._paths[role], self._labels[role])

    def read(self, role: str, window: Window) -> tuple[np.ndarray, float | None]:
        """The stored numbers of a window and the file's nodata value."""
        try:
            with self._datasets.borrow(role) as dataset:
                return read_verified(dataset, 1, window), dataset.nodata
        except RasterioError as error:
            raise InputError(
                f"{self._labels[role]}: cannot be read at row {window.row_off}, column "
                f"{window.col_off}; the file is damaged or cut short, get it again"
            ) from error

    def check(self, place: Callable[[str, int, int], Grid]) -> Grid:
        """The one grid of all files; InputError if a file is no such raster or lies elsewhere.

        `place(label, width, height)` is the grid of a file that has no georeference at all.
        """
        grid, first = None, ""
        for role, label in self._labels.items():
            with self._datasets.borrow(role) as dataset:
                if dataset.count != 1 or not np.issubdtype(dataset.dtypes[0], np.integer):
                    raise InputError(
                        f"{label}: holds {dataset.count} band(s) of {dataset.dtypes[0]}; "
                        "a Landsat file holds one band of integers"
                    )
                found = Grid.of(dataset)
                if found.crs is None and found.transform == Affine.identity():
                    found = place(label, *dataset.shape[::-1])
                if found.crs is None:
                    raise InputError(f"{label}: has no coordinate reference system")
                if grid is None:
                    grid, first = found, label
                grid.require_same(found, f"{label} (against {first})")
        return grid

    def has(self, role: str) -> bool:
        return role in self._paths

    def types(self) -> set[str]:
        found = set()
        for role in self._paths:
            with self._datasets.borrow(role) as dataset:
                found.add(dataset.dtypes[0])
        return found

    def close(self) -> None:
        self._datasets.close()


class LandsatProduct(Product):
    """One Landsat 8 or 9 product, read window by window from any number of threads.

    Attributes: as `product.Product` says. `spacecraft` is "LANDSAT_8" or "LANDSAT_9",
    `sensor` "Landsat-8 OLI_TIRS", `collection` "1" or "2", `level` "L1TP", "L2SP", ... or "L2SR"
    for the surface reflectance of Collection 1; `acquired` and the sun's elevation are those of
    the scene's centre, `bands` those asked for, or those of B1-B7 that are there.
    """

    scaled_by = "REFLECTANCE_MULT_BAND and REFLECTANCE_ADD_BAND in the MTL"

    def __init__(self, container: Container, bands: Sequence[str] | None = None):
        """Read the metadata and check all files; raises InputError as `open_product` says."""
        metadata = _read_metadata(container)
        layout = metadata.layout
        self.collection = _collection(metadata)
        self.level = metadata.text(*layout.level)
        if self.level not in layout.rescaling:
            raise InputError(
                f"{metadata.name}: {layout.level[1]} = {self.level} is not supported in Collection "
                f"{self.collection}; use one of {', '.join(layout.rescaling)}"
            )
        lasrc = self.collection == "1" and any("_sr_band" in name for name in container.names)
        if lasrc:
            self.level = LASRC_LEVEL
        self.spacecraft = metadata.text(layout.scene, "SPACECRAFT_ID")
        instrument = metadata.text(layout.scene, "SENSOR_ID")
        if self.spacecraft not in BAND_TABLES or not instrument.startswith("OLI"):
            raise InputError(
                f"{metadata.name}: SPACECRAFT_ID = {self.spacecraft} with SENSOR_ID = {instrument} "
                "is not supported; use an OLI product of Landsat 8 or 9"
            )
        self.sensor = f"Landsat-{self.spacecraft[-1]} {instrument}"
        self.product_id = metadata.text(layout.product, "LANDSAT_PRODUCT_ID")
        self.synthetic = "gossan" in metadata.text(layout.product, "ORIGIN").lower()
        self.acquired = _acquired(metadata)
        self.sun_elevation_deg = require_elevation(
            metadata.number("IMAGE_ATTRIBUTES", "SUN_ELEVATION"), metadata.name, "SUN_ELEVATION"
        )
        self.surface_reflectance = self.level.startswith("L2")
        files = _Names(container, metadata, lasrc).choose(bands, self.product_id)
        names = tuple(role for role in files if role in BANDS)
        places = [BANDS.index(name) for name in names]
        self.bands = BandTable(
            names,
            *(tuple(column[place] for place in places) for column in BAND_TABLES[self.spacecraft]),
        )
        if lasrc:
            self._gains, self._offsets = (LASRC_SCALE,) * len(names), (0.0,) * len(names)
            self._lowest_number, self._quality_table = LASRC_LOWEST_NUMBER, "pixel_qa"
        else:
            self._gains, self._offsets = _calibration(
                metadata, self.level, self.sun_elevation_deg, names
            )
            self._lowest_number, self._quality_table = LOWEST_NUMBER, layout.quality_table
        # Saturation is told by another file or by the bands where the quality file does not.
        told = {"saturation", *QUALITY_TABLES[self._quality_table]}
        self.absent_flags = tuple(flag for flag in FLAGS if flag not in told)
        self._container = container
        self._files = _make_files(container, files)
        placed = []

        def place(label: str, width: int, height: int) -> Grid:
            placed.append(label)
            return _place_by_corners(metadata, label, width, height)

        try:
            self.grid = require_place(self._files.check(place), metadata.name)
            self.notes = (
                *self._describe_absent(BANDS if bands is None else names, layout),
                *((CORNERS_NOTE,) if placed else ()),
                *self._describe_types(),
            )
        except InputError:
            self._files.close()
            raise

    def _describe_absent(self, due: Sequence[str], layout: _Layout) -> list[str]:
        """Notes on the bands and the quality files that are not there."""
        notes = []
        absent = [name for name in due if name not in self.bands.names]
        if absent:
            notes.append(f"the product has no file of {', '.join(absent)}: read without it")
        if not self._files.has("quality"):
            flags = [flag for flag in QUALITY_TABLES[self._quality_table] if flag != "fill"]
            notes.append(f"no {self._quality_table} file: {', '.join(flags)} mask nothing")
        if layout.saturation and not self._files.has("saturation"):
            notes.append("no QA_RADSAT file: saturation masks nothing")
        return notes

    def _describe_types(self) -> tuple[str, ...]:
        signed = any(np.issubdtype(kind, np.signedinteger) for kind in self._files.types())
        if signed and self._lowest_number == LOWEST_NUMBER:
            return ("files are stored as signed integers: numbers below 1 are read as no data",)
        return ()

    def read_reflectance(self, window: Window) -> np.ndarray:
        """Reflectance of a window, (bands, rows, columns) float32, NaN where there is no data.

        Level 1: (Mρ·Q + Aρ) / sin(sun elevation), at the top of the atmosphere. Level 2:
        Mρ·Q + Aρ, at the surface. Coefficients from the MTL, or in Collection 1 Level 2 the
        1e-4 and 0 of LSDS-1368. No data: Q below the lowest calibrated number (1, or there
        -2000) or the file's own nodata value. Numbers outside of the range that a guide calls
        valid, saturated ones too, are data: flags and normalisation decide on them. Raises
        InputError for damaged files.
        """
        blocks = np.empty((len(self.bands.names), window.height, window.width), np.float32)
        calibrations = zip(self.bands.names, self._gains, self._offsets, strict=True)
        for block, (name, gain, offset) in zip(blocks, calibrations, strict=True):
            stored, nodata = self._files.read(name, window)
            np.multiply(stored, np.float32(gain), out=block)
            block += np.float32(offset)
            block[stored < self._lowest_number] = np.nan
            if nodata is not None:
                block[stored == nodata] = np.nan
        return blocks

    def read_flags(self, window: Window, flags: Sequence[str]) -> np.ndarray:
        """Quality flags of a window, (flags, rows, columns) bool, in the order asked for.

        Names are the same for both collections (see FLAGS). Collection 1 confidences count from
        "high"; `saturation` is set if any of the bands 1-7 is saturated (Collection 2), any of
        those that are read (Collection 1 Level 2, whose bands mark it by 20000) or any band at all
        (Collection 1 Level 1, which only counts them). A file that is absent sets no flag. Raises
        InputError for an unknown flag.
        """
        self.require_flags(flags)
        table = QUALITY_TABLES[self._quality_table]
        if self._files.has("quality"):
            stored, nodata = self._files.read("quality", window)
            quality = stored.astype(np.uint16)
            fill = decode_quality(quality, *table["fill"])
            if nodata is not None:
                fill |= stored == nodata
        else:
            quality = np.zeros((window.height, window.width), np.uint16)
            fill = np.zeros(quality.shape, bool)
            table = {}
        layers = np.empty((len(flags), *quality.shape), dtype=bool)
        for layer, flag in zip(layers, flags, strict=True):
            if flag == "fill":
                layer[:] = fill
            elif flag in table:
                layer[:] = decode_quality(quality, *table[flag]) & ~fill
            elif flag == "saturation":
                layer[:] = self._read_saturation(window) & ~fill
            else:
                layer[:] = False
        return layers

    def _read_saturation(self, window: Window) -> np.ndarray:
        if self._quality_table == "QA_PIXEL":
            if not self._files.has("saturation"):
                return np.zeros((window.height, window.width), bool)
            return self._files.read("saturation", window)[0] & RADSAT_BANDS != 0
        bands = (self._files.read(name, window)[0] for name in self.bands.names)
        return np.any([stored == LASRC_SATURATED for stored in bands], axis=0)

    def close(self) -> None:
        """Close all files and remove what was unpacked."""
        self._files.close()
        self._container.close()


@names_its_product
def open_product(path: str | Path, bands: Sequence[str] | None = None) -> LandsatProduct:
    """Open a Landsat 8 or 9 product: a folder, a .tar or a .tar.gz.

    bands: those to read ("B2"), in this order; None: those of B1 to B7 that are there. Nothing is
    asked of the files of others.

    Raises InputError, naming file or key, for: no or several MTL files, an MTL that is damaged or
    lacks a needed key, an unsupported spacecraft or level, an unknown band, the missing file of
    one that is asked for, or of all, an unreadable file, files on different grids, files without
    georeference whose MTL does not tell it either, a damaged archive or one whose members point
    outside.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: does not exist; name a Landsat product folder or tar file")
    container = Folder(path, _RULES, "*") if path.is_dir() else Tar(path, _RULES)
    with ExitStack() as cleanup:
        cleanup.callback(container.close)
        product = LandsatProduct(container, bands)
        cleanup.pop_all()
    return product


def decode_quality(quality: np.ndarray, low_bit: int, mask: int, least: int) -> np.ndarray:
    """One flag of a quality file from uint16 numbers, as bool; see QUALITY_TABLES.

    Sources: Landsat 8 Data Users Handbook LSDS-1574, BQA bit table; Landsat 8-9 Collection 2
    Level 1 Data Format Control Book LSDS-1822, QA_PIXEL bit table; LaSRC Product Guide LSDS-1368,
    pixel_qa bit table.
    """
    return quality >> low_bit & mask >= least


def _read_metadata(container: Container) -> _Metadata:
    found = [name for name in container.names if _is_metadata(name)]
    if len(found) != 1:
        raise InputError(
            f"{container.path}: holds {len(found) or 'no'} *_MTL.txt file{'s' * (len(found) > 1)}; "
            "a Landsat product holds exactly one"
        )
    label = container.label(found[0])
    content = container.read_metadata(found[0])
    if len(content) > MTL_MAX_BYTES:
        raise InputError(f"{label}: is larger than {MTL_MAX_BYTES >> 10} KiB; not an MTL file")
    return _Metadata(require_text(content.decode("utf-8", errors="replace"), label), label)


def _collection(metadata: _Metadata) -> str:
    collection = metadata.text(metadata.layout.product, "COLLECTION_NUMBER").lstrip("0")
    expected = "2" if metadata.layout.saturation else "1"
    if collection != expected:
        raise InputError(
            f"{metadata.name}: COLLECTION_NUMBER = {collection} does not fit the file's groups, "
            f"which are those of Collection {expected}"
        )
    return collection


def _acquired(metadata: _Metadata) -> str:
    """Acquisition time of the scene's centre; the MTL's seventh decimal is cut (100 ns)."""
    scene = metadata.layout.scene
    stamp = "T".join(metadata.text(scene, key) for key in ("DATE_ACQUIRED", "SCENE_CENTER_TIME"))
    mission = metadata.text(scene, "SPACECRAFT_ID").replace("_", " ").title()
    keys = "DATE_ACQUIRED with SCENE_CENTER_TIME"
    moment = read_moment(stamp, metadata.name, keys, mission)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _calibration(
    metadata: _Metadata, level: str, sun_elevation_deg: float, bands: Sequence[str]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Gain and offset from stored number to reflectance, per band."""
    divisor = 1.0
    if level.startswith("L1"):
        if not 0 < sun_elevation_deg <= 90:
            raise InputError(
                f"{metadata.name}: SUN_ELEVATION = {sun_elevation_deg} is no daylight scene; "
                "reflectance needs 0 to 90 degrees"
            )
        divisor = math.sin(math.radians(sun_elevation_deg))
    group = metadata.layout.rescaling[level]

    def read(key: str, limits: tuple[float, float]) -> list[float]:
        keys = [f"{key}_{name[1:]}" for name in bands]
        return [require_within(metadata.number(group, k), limits, metadata.name, k) for k in keys]

    gains = read("REFLECTANCE_MULT_BAND", near(_GAINS[level[:2]]))
    offsets = read("REFLECTANCE_ADD_BAND", _OFFSETS)
    return tuple(gain / divisor for gain in gains), tuple(o / divisor for o in offsets)


@dataclass(frozen=True)
class _Names:
    """Which files a product should have and which of them are there."""

    container: Container
    metadata: _Metadata
    lasrc: bool

    def choose(self, bands: Sequence[str] | None, product_id: str) -> dict[str, str]:
        """Role ("B2", "quality", "saturation") -> file that is there, bands in their order.

        All of `bands` are due; None: any of them.
        """
        unknown = [band for band in bands or () if band not in BANDS]
        if unknown or (bands is not None and not bands):
            raise InputError(
                f"band {', '.join(unknown) or '(none named)'} is unknown in {product_id}; use: "
                f"{', '.join(BANDS)}"
            )
        names = {role: self._band(role) for role in (BANDS if bands is None else bands)}
        self._require_one_each(names)
        found = self._there(names)
        absent = [role for role in names if role not in found]
        if absent and (bands is not None or not found):
            raise InputError(
                f"{self.container.label(names[absent[0]])}: is missing, but "
                f"{self._explain(absent[0])}; get the whole product or leave the band out"
            )
        for role in absent:
            # Left out is what is not there; a file that its metadata miscall is there.
            for name in self.container.names:
                if name.upper().endswith(f"_{role}.TIF"):
                    raise InputError(
                        f"{self.metadata.name}: names {names[role]} for {role}, which is not "
                        f"there, but {name} is; get the product's own metadata again"
                    )
        quality = {"quality": self._quality(), "saturation": self._saturation()}
        return found | self._there(quality)

    def _there(self, names: Mapping[str, str | None]) -> dict[str, str]:
        """Those of the files, by role, that the product has, as it calls them."""
        found = {role: self.container.find(name) for role, name in names.items() if name}
        return {role: name for role, name in found.items() if name}

    def _require_one_each(self, names: Mapping[str, str]) -> None:
        """InputError where one file is named for two bands."""
        first: dict[str, str] = {}
        for band, name in names.items():
            other = first.setdefault(name, band)
            if other != band:
                raise InputError(
                    f"{self.metadata.name}: names {name} for {other} and for {band}; get the "
                    "product's own metadata again"
                )

    def _band(self, band: str) -> str:
        if self.lasrc:
            return f"{self._stem}_sr_band{band[1:]}.tif"
        return self.metadata.file_name(self.metadata.layout.files, f"FILE_NAME_BAND_{band[1:]}")

    def _quality(self) -> str:
        if self.lasrc:
            return f"{self._stem}_pixel_qa.tif"
        return self.metadata.file_name(self.metadata.layout.files, self.metadata.layout.quality)

    def _saturation(self) -> str | None:
        layout = self.metadata.layout
        if layout.saturation and self.metadata.find(layout.files, layout.saturation):
            return self.metadata.file_name(layout.files, layout.saturation)
        return None

    @property
    def _stem(self) -> str:
        return self.metadata.text(self.metadata.layout.product, "LANDSAT_PRODUCT_ID")

    def _explain(self, band: str) -> str:
        """Why a band's file is due."""
        if self.lasrc:
            return (
                f"the surface reflectance of a Collection 1 product ({self.metadata.name}) needs it"
            )
        return f"{self.metadata.name} names it as FILE_NAME_BAND_{band[1:]}"


def _place_by_corners(metadata: _Metadata, label: str, width: int, height: int) -> Grid:
    """The grid that the MTL tells of a file without georeference.

    Its corners are the centres of the first and the last pixel. All of USGS's scenes are in UTM of
    the northern hemisphere, in which the south has negative northings.
    """
    layout = metadata.layout
    projection = metadata.text(layout.projection, "MAP_PROJECTION")
    if projection != "UTM":
        raise InputError(
            f"{label}: has no georeference, and {metadata.name} tells one in {projection}, which "
            "is not read; give the file its own"
        )
    zone = metadata.number(layout.projection, "UTM_ZONE")
    pixel_m = metadata.number(layout.projection, "GRID_CELL_SIZE_REFLECTIVE")
    west, north, east, south = (
        metadata.number(layout.corners, f"CORNER_{corner}_PROJECTION_{axis}_PRODUCT")
        for corner, axis in (("UL", "X"), ("UL", "Y"), ("LR", "X"), ("LR", "Y"))
    )
    if zone not in range(1, 61) or pixel_m <= 0:
        raise InputError(
            f"{metadata.name}: {layout.projection} tells zone {zone:g} and pixels of {pixel_m:g} "
            "m, which are none"
        )
    columns, rows = (east - west) / pixel_m + 1, (north - south) / pixel_m + 1
    if (columns, rows) != (width, height):
        raise InputError(
            f"{label}: has no georeference, and the corners in {metadata.name} are those of "
            f"{columns:g} x {rows:g} pixels, not of its {width} x {height}; give the file its own"
        )
    corner = Affine(pixel_m, 0.0, west - pixel_m / 2, 0.0, -pixel_m, north + pixel_m / 2)
    return Grid(CRS.from_epsg(32600 + int(zone)), corner, width, height)


def _make_files(container: Container, names: dict[str, str]) -> _Files:
    located = container.locate(list(names.values()))
    return _Files(
        {role: located[name] for role, name in names.items()},
        {role: container.label(name) for role, name in names.items()},
    )
