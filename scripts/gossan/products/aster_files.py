"""The two forms in which ASTER Level 1T products come, read band by band.

The native HDF4 file, with its metadata as ODL texts, and a folder with one GeoTIFF per telescope
(VNIR, SWIR, TIR) and the granule's XML. Both tell the same `Metadata` and the grid of each
telescope. UPPERLEFTM and LOWERRIGHTM of the HDF4 file are (northing, easting) of pixel *centres*,
the same ones for all telescopes, as the LP DAAC's conversion scripts take them and as the sizes of
real products bear out; so the edges of the 15 m grid lie half a 15 m pixel off those of the 30 m
grid. In the southern zones northings come without the false northing of 10 000 km.
"""

from __future__ import annotations

import math
import re
import struct
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.windows import Window

from gossan.checksums import read_verified
from gossan.errors import InputError
from gossan.products.xml_metadata import XML_MAX_BYTES, parse_xml
from gossan.raster import Datasets, Grid

TELESCOPES = {
    "VNIR": ("1", "2", "3N"),
    "SWIR": ("4", "5", "6", "7", "8", "9"),
    "TIR": ("10", "11", "12", "13", "14"),
}
PIXEL_M = {"VNIR": 15.0, "SWIR": 30.0, "TIR": 90.0}
TELESCOPE_OF = {band: name for name, bands in TELESCOPES.items() for band in bands}

HDF4_MAGIC = b"\x0e\x03\x13\x01"
# The HDF4 library keeps global state: one call at a time in the whole process.
HDF4_LOCK = threading.Lock()
_NULL_TAG, _SPECIAL_BIT, _EXTENDED_BIT, _EXTERNAL = 1, 0x4000, 0x8000, 2
_NO_OFFSET = 0xFFFFFFFF
_HDF_TYPES = {21: np.uint8, 23: np.uint16}

_TIFF_NAME = re.compile(r"[-._](VNIR|SWIR|TIR)\.tiff?$", re.IGNORECASE)
_GAIN = re.compile(r"\b0?([1-9]|3N|3B)\b[\s,:=\"]+([A-Z][A-Z0-9]{2})\b")
_FALSE_NORTHING_M = 10_000_000.0
# A northing below this in a southern zone comes without the false northing.
_LEAST_SOUTHERN_NORTHING_M = 1_000_000.0


@dataclass(frozen=True)
class OdlObject:
    """One OBJECT of ODL text: its name, its CLASS ("" without one) and the items of its VALUE."""

    name: str
    kind: str
    values: tuple[str, ...]


def parse_odl(text: str, name: str) -> list[OdlObject]:
    """The objects with a value in the ODL text of an HDF-EOS metadata attribute, in their order.

    `name` is the text's name for messages. Raises InputError for a line that is no statement,
    for groups or objects that do not nest, and for a text that stops inside one.
    """
    found: list[OdlObject] = []
    stack: list[tuple[str, str, dict[str, str]]] = []
    started: tuple[str, str] | None = None
    for number, raw in enumerate(text.strip("\0").splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("/*"):
            continue
        if started is not None:
            key, value = started[0], f"{started[1]} {line}"
        elif line == "END":
            break
        else:
            key, equals, value = (part.strip() for part in line.partition("="))
            if not equals or not key:
                raise InputError(f"{name}: line {number} is not 'KEY = value'; not ODL metadata?")
        started = None if _is_complete(value) else (key, value)
        if started is not None:
            continue
        if key in ("GROUP", "OBJECT"):
            stack.append((key, value, {}))
        elif key in ("END_GROUP", "END_OBJECT"):
            if not stack or (f"END_{stack[-1][0]}", stack[-1][1]) != (key, value):
                raise InputError(f"{name}: line {number}: {key} = {value} closes nothing open")
            opened, title, entries = stack.pop()
            if opened == "OBJECT" and "VALUE" in entries:
                kind = _items(entries.get("CLASS", ""))
                found.append(OdlObject(title, kind[0] if kind else "", _items(entries["VALUE"])))
        elif stack:
            stack[-1][2][key] = value
    if stack or started is not None:
        raise InputError(
            f"{name}: stops inside {stack[-1][1] if stack else started[0]}; the metadata are cut "
            "short, get the file again"
        )
    return found


def _is_complete(value: str) -> bool:
    bare = re.sub(r'"[^"]*"', "", value)
    return '"' not in bare and bare.count("(") <= bare.count(")")


def _items(value: str) -> tuple[str, ...]:
    found = re.findall(r'"([^"]*)"|([^\s,()"]+)', value)
    return tuple((quoted or plain).strip() for quoted, plain in found)


@dataclass(frozen=True)
class Metadata:
    """What a product says of itself, whatever its form. `gains` maps bands to HGH, NOR, ..."""

    name: str
    product_id: str
    acquired: datetime
    sun_azimuth_deg: float | None
    sun_elevation_deg: float
    gains: Mapping[str, str]
    synthetic: bool


class _Odl:
    """The objects of all metadata attributes of one HDF4 file."""

    def __init__(self, path: Path, attributes: Mapping[str, object]):
        self.path = path
        self.objects: list[OdlObject] = []
        for key, text in sorted(attributes.items()):
            if isinstance(text, str) and re.match(r"(core|product)metadata\.", key):
                self.objects += parse_odl(text, f"{path}: {key}")
        if not self.objects:
            raise InputError(
                f"{path}: has neither productmetadata nor coremetadata; not an ASTER product"
            )
        names = {o.kind: o.values for o in self.objects if o.name == "ADDITIONALATTRIBUTENAME"}
        values = {o.kind: o.values for o in self.objects if o.name == "PARAMETERVALUE"}
        self.additional = {
            name[0].upper(): values[kind] for kind, name in names.items() if name and kind in values
        }

    def find(self, name: str) -> tuple[str, ...]:
        for entry in self.objects:
            if entry.name == name:
                return entry.values
        return self.additional.get(name, ())

    def text(self, name: str) -> str:
        values = self.find(name)
        if not values:
            raise InputError(f"{self.path}: key {name} is missing from the metadata")
        return values[0]

    def numbers(self, name: str, count: int) -> tuple[float, ...]:
        values = self.find(name)
        if not values:
            raise InputError(f"{self.path}: key {name} is missing from the metadata")
        numbers = [_number(value) for value in values]
        if len(numbers) != count or not np.isfinite(numbers).all():
            raise InputError(
                f"{self.path}: {name} = {', '.join(values)}; expected {count} number(s)"
            )
        return tuple(numbers)

    def gains(self) -> dict[str, str]:
        pairs = [o.values for o in self.objects if o.name == "GAIN" and len(o.values) == 2]
        return {_band_name(band): gain.upper() for band, gain in pairs}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _band_name(text: str) -> str:
    return text.strip().upper().lstrip("0")


def _moment(name: str, day: str, time: str) -> datetime:
    date_digits, time_digits = re.sub(r"\D", "", day), re.sub(r"\D", "", time)
    stamp = f"{date_digits:0<8.8}{time_digits:0<12.12}"
    try:
        return datetime.strptime(stamp, "%Y%m%d%H%M%S%f")
    except ValueError as error:
        raise InputError(f"{name}: date and time of day make no time: {day} {time}") from error


# ---- the native HDF4 file -----------------------------------------------------------------------


def check_hdf4(path: Path) -> None:
    """Raise InputError unless `path` is a whole HDF4 file that refers to no other file.

    Checked by its magic bytes and its list of data descriptors (HDF Specification and Developer's
    Guide, chapters 2 and 10), because the HDF4 library trusts what it opens.
    """
    size = path.stat().st_size
    damaged = InputError(f"{path}: is cut short or damaged; get the HDF4 file again")
    with path.open("rb") as file:
        if file.read(4) != HDF4_MAGIC:
            raise InputError(
                f"{path}: is not an HDF4 file; name an AST_L1T .hdf file or a folder with its "
                "GeoTIFF files"
            )
        block, seen = 4, set()
        while block:
            file.seek(block)
            head = file.read(6)
            if len(head) < 6 or block in seen:
                raise damaged
            seen.add(block)
            count, following = struct.unpack(">HI", head)
            table = file.read(12 * count)
            if len(table) < 12 * count:
                raise damaged
            for tag, _, offset, length in struct.iter_unpack(">HHII", table):
                if tag == _NULL_TAG or offset == _NO_OFFSET:
                    continue
                if offset + length > size:
                    raise damaged
                if tag & _SPECIAL_BIT and not tag & _EXTENDED_BIT:
                    file.seek(offset)
                    if file.read(2) == struct.pack(">H", _EXTERNAL):
                        raise InputError(f"{path}: keeps its data in another file; refused")
            block = following


class HdfFile:
    """A native product; the HDF4 library serves one thread at a time.

    Attributes: `metadata`, `grids` (telescope -> grid), `bands` that it holds, `notes`.
    """

    def __init__(self, path: Path):
        """Open and check the file; raises InputError naming file and key."""
        from pyhdf.error import HDF4Error
        from pyhdf.SD import SD, SDC

        self.path = path
        self._error = HDF4Error
        self._damaged = f"{path}: is cut short or damaged; get the HDF4 file again"
        check_hdf4(path)
        with HDF4_LOCK:
            try:
                self._file = SD(str(path), SDC.READ)
                datasets, attributes = self._file.datasets(), self._file.attributes()
                names = {
                    band: f"ImageData{band}"
                    for band in TELESCOPE_OF
                    if f"ImageData{band}" in datasets
                }
                self._sets = {band: self._file.select(name) for band, name in names.items()}
            except HDF4Error as error:
                raise InputError(self._damaged) from error
        try:
            self._check(names, datasets, attributes)
        except InputError:
            self.close()
            raise

    def _check(
        self, names: Mapping[str, str], datasets: Mapping[str, tuple], attributes: Mapping
    ) -> None:
        path, shapes = self.path, {}
        for band, name in names.items():
            _, shape, kind, _ = datasets[name]
            if len(shape) != 2 or kind not in _HDF_TYPES:
                raise InputError(f"{path}: {name} is not an image of whole numbers")
            shapes[band] = shape
        odl = _Odl(path, attributes)
        self.grids = _group_grids(path, shapes, *_corners(odl))
        self.bands = tuple(names)
        self.metadata = _describe_hdf(path, odl)
        self.notes: tuple[str, ...] = ()

    def read(self, band: str, window: Window) -> np.ndarray:
        """Stored numbers of a window of the band's native grid, (rows, columns)."""
        with HDF4_LOCK:
            try:
                return self._sets[band].get(
                    start=(int(window.row_off), int(window.col_off)),
                    count=(int(window.height), int(window.width)),
                )
            except self._error as error:
                raise InputError(self._damaged) from error

    def close(self) -> None:
        """Close the file."""
        with HDF4_LOCK:
            for dataset in self._sets.values():
                dataset.endaccess()
            self._sets = {}
            if self._file is not None:
                self._file.end()
            self._file = None


def _corners(odl: _Odl) -> tuple[CRS, tuple[float, float], tuple[float, float]]:
    """UTM zone and (easting, northing) of the centres of the first and the last pixel."""
    projection = odl.additional.get("ASTERMAPPROJECTION", ("UTM",))[0]
    if "UTM" not in projection.upper() and "TRANSVERSE" not in projection.upper():
        raise InputError(f"{odl.path}: ASTERMapProjection = {projection} is not supported; use UTM")
    zone = odl.numbers("UTMZONENUMBER", 1)[0]
    if zone != int(zone) or not 1 <= abs(zone) <= 60:
        raise InputError(f"{odl.path}: UTMZONENUMBER = {zone:g} is not 1 to 60 (-60 in the south)")
    (top, left), (bottom, right) = (
        odl.numbers(f"{key}M", 2) for key in ("UPPERLEFT", "LOWERRIGHT")
    )
    south = zone < 0 or top < 0
    if south and bottom < _LEAST_SOUTHERN_NORTHING_M:
        top, bottom = top + _FALSE_NORTHING_M, bottom + _FALSE_NORTHING_M
    crs = CRS.from_epsg((32700 if south else 32600) + int(abs(zone)))
    return crs, (left, top), (right, bottom)


def _group_grids(
    path: Path,
    shapes: Mapping[str, Sequence[int]],
    crs: CRS,
    first: tuple[float, float],
    last: tuple[float, float],
) -> dict[str, Grid]:
    """The grid of each telescope that is there, from the centres of the corner pixels."""
    grids = {}
    for telescope, bands in TELESCOPES.items():
        here = {tuple(shapes[band]) for band in bands if band in shapes}
        if not here:
            continue
        if len(here) > 1:
            raise InputError(f"{path}: the {telescope} bands differ in size; get the file again")
        height, width = here.pop()
        pixel = PIXEL_M[telescope]
        expected = [1 + abs(b - a) / pixel for a, b in zip(first, last, strict=True)]
        if max(abs(width - expected[0]), abs(height - expected[1])) > 1:
            raise InputError(
                f"{path}: {telescope} has {width}x{height} pixels, but UPPERLEFTM and LOWERRIGHTM "
                f"make it {expected[0]:g}x{expected[1]:g}; not an AST_L1T product?"
            )
        grids[telescope] = Grid(crs, centred(first, pixel), width, height)
    return grids


def centred(centre: tuple[float, float], pixel: float) -> Affine:
    """North-up transform whose first pixel has its centre there."""
    return Affine(pixel, 0.0, centre[0] - pixel / 2, 0.0, -pixel, centre[1] + pixel / 2)


def _describe_hdf(path: Path, odl: _Odl) -> Metadata:
    azimuth, elevation = odl.numbers("SOLARDIRECTION", 2)
    granule = odl.find("LOCALGRANULEID")
    return Metadata(
        name=str(path),
        product_id=Path(granule[0]).stem if granule and granule[0] else path.stem,
        acquired=_moment(str(path), odl.text("CALENDARDATE"), odl.text("TIMEOFDAY")),
        sun_azimuth_deg=azimuth,
        sun_elevation_deg=elevation,
        gains=odl.gains(),
        synthetic=any("gossan" in value.lower() for o in odl.objects for value in o.values),
    )


# ---- one GeoTIFF per telescope ------------------------------------------------------------------


class TiffFolder:
    """A product as one GeoTIFF per telescope and an XML file; a dataset per thread and file.

    Attributes as those of `HdfFile`.
    """

    def __init__(self, path: Path):
        """Open and check the files; raises InputError naming file and key."""
        self.path = path
        names = sorted(entry.name for entry in path.iterdir() if entry.is_file())
        self._paths: dict[str, Path] = {}
        for name in names:
            match = _TIFF_NAME.search(name)
            if match and self._paths.setdefault(match[1].upper(), path / name) != path / name:
                raise InputError(f"{path}: holds two {match[1].upper()} files; keep one product")
        xmls = [n for n in names if n.lower().endswith(".xml") and ".aux." not in n.lower()]
        if not self._paths or len(xmls) != 1:
            raise InputError(
                f"{path}: holds {len(self._paths) or 'no'} VNIR, SWIR or TIR GeoTIFF file(s) and "
                f"{len(xmls) or 'no'} .xml file(s); an ASTER product folder has an .hdf file, or "
                "such files with their one .xml"
            )
        self._datasets = Datasets(self._open)
        try:
            self._check(path / xmls[0])
        except InputError:
            self.close()
            raise

    def _check(self, xml: Path) -> None:
        tags: dict[str, str] = {}
        notes: list[str] = []
        self.grids: dict[str, Grid] = {}
        for telescope in TELESCOPES:
            if telescope not in self._paths:
                continue
            with self._datasets.borrow(telescope) as dataset:
                self.grids[telescope], note = _tiff_grid(self._paths[telescope], dataset, telescope)
                tags |= {f"{telescope} {key}": text for key, text in dataset.tags().items()}
            notes += [note] if note else []
        if len({grid.crs for grid in self.grids.values()}) > 1:
            raise InputError(f"{self.path}: its files have different reference systems; one is due")
        self.bands = tuple(b for telescope in self.grids for b in TELESCOPES[telescope])
        self.notes = tuple(dict.fromkeys(notes))
        root = parse_xml(_read_at_most(xml, XML_MAX_BYTES + 1), str(xml))
        product_id = _TIFF_NAME.sub("", next(iter(self._paths.values())).name)
        self.metadata = _describe_xml(xml, root, tags, product_id)

    def _open(self, telescope: str) -> rasterio.DatasetReader:
        path = self._paths[telescope]
        try:
            # Only GeoTIFF: a file of another format under this name could point anywhere.
            return rasterio.open(path, driver="GTiff")
        except RasterioError as error:
            raise InputError(
                f"{path}: cannot be opened as GeoTIFF; it is damaged or cut short, get it again"
            ) from error

    def read(self, band: str, window: Window) -> np.ndarray:
        """Stored numbers of a window of the band's native grid, (rows, columns)."""
        telescope = TELESCOPE_OF[band]
        try:
            with self._datasets.borrow(telescope) as dataset:
                return read_verified(dataset, TELESCOPES[telescope].index(band) + 1, window)
        except RasterioError as error:
            raise InputError(
                f"{self._paths[telescope]}: cannot be read at row {window.row_off}, column "
                f"{window.col_off}; it is damaged or cut short, get it again"
            ) from error

    def close(self) -> None:
        """Close the files."""
        self._datasets.close()


def _read_at_most(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def _tiff_grid(path: Path, dataset: rasterio.DatasetReader, telescope: str) -> tuple[Grid, str]:
    """The grid of a telescope's file and a note on what had to be mended.

    Archives are known to have laid the corners, which are pixel centres, on the outer edges (the
    per-telescope files of the Planetary Computer): then the pixels come out a little too small,
    and the grid is set right by half a pixel.
    """
    bands = TELESCOPES[telescope]
    if dataset.count != len(bands) or not np.issubdtype(dataset.dtypes[0], np.unsignedinteger):
        raise InputError(
            f"{path}: holds {dataset.count} band(s) of {dataset.dtypes[0]}; a {telescope} file "
            f"holds the numbers of bands {', '.join(bands)}"
        )
    for band, description in zip(bands, dataset.descriptions, strict=True):
        told = re.search(r"(?:ImageData|Band)_?0?(\d+)", description or "")
        if told and told[1] != band.rstrip("N"):
            raise InputError(f"{path}: calls '{description}' what should be band {band}; reorder")
    if dataset.crs is None or not dataset.crs.is_projected:
        raise InputError(f"{path}: has no projected reference system; an L1T product has UTM")
    a, b, c, d, e, f = dataset.transform[:6]
    if b or d or a <= 0 or e >= 0:
        raise InputError(f"{path}: is not north-up; an L1T product is")
    pixel = PIXEL_M[telescope]
    grid = Grid.of(dataset)
    if math.dist((a, -e), (pixel, pixel)) * max(grid.shape) < 0.01 * pixel:
        return grid, ""
    spans = (a * grid.width, -e * grid.height)
    centres = (pixel * (grid.width - 1), pixel * (grid.height - 1))
    if math.dist(spans, centres) < 0.01 * pixel:
        mended = Grid(grid.crs, centred((round(c, 3), round(f, 3)), pixel), *grid.shape[::-1])
        return mended, "pixel centres were stored as the files' outer edges: set right"
    raise InputError(f"{path}: has pixels of {a:g} m; {telescope} has {pixel:g} m")


def _describe_xml(xml: Path, root: Element, tags: Mapping[str, str], product_id: str) -> Metadata:
    """Metadata from the granule's XML; gains from there or from the GeoTIFF tags."""
    attributes: dict[str, list[str]] = {}
    for entry in root.iter("PSA"):
        name = (entry.findtext("PSAName") or "").strip().upper()
        values = [(value.text or "").strip() for value in entry.iter("PSAValue")]
        attributes.setdefault(name, []).extend(values)

    def text(key: str) -> str:
        found = next(root.iter(key), None)
        if found is None or not found.text:
            raise InputError(f"{xml}: element {key} is missing")
        return found.text.strip()

    def number(key: str) -> float:
        value = _number(next(iter(attributes.get(key.upper(), [])), ""))
        if not math.isfinite(value):
            raise InputError(f"{xml}: the attribute {key} is missing or not a number")
        return value

    gains: dict[str, str] = {}
    told = {name: " ".join(values) for name, values in attributes.items()} | dict(tags)
    for name, value in told.items():
        if "GAIN" in name.upper():
            gains |= dict(_GAIN.findall(value.upper()))
    has_azimuth = "SOLAR_AZIMUTH_ANGLE" in attributes
    return Metadata(
        name=str(xml),
        product_id=product_id,
        acquired=_moment(str(xml), text("CalendarDate"), text("TimeofDay")),
        sun_azimuth_deg=number("Solar_Azimuth_Angle") if has_azimuth else None,
        sun_elevation_deg=number("Solar_Elevation_Angle"),
        gains=gains,
        synthetic=any("gossan" in value.lower() for value in told.values()),
    )
