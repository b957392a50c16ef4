"""The native HDF4 file of ASTER Level 1T products, with its metadata as ODL texts, band by band.

`aster_tiffs` reads the forms in GeoTIFF; both tell the same `Metadata` and the grid of each
telescope. UPPERLEFTM and LOWERRIGHTM of the HDF4 file are (northing, easting) of pixel *centres*,
the same ones for all telescopes, as the LP DAAC's conversion scripts take them and as the sizes of
real products bear out; so the edges of the 15 m grid lie half a 15 m pixel off those of the 30 m
grid. In the southern zones northings come without the false northing of 10 000 km.
"""

from __future__ import annotations

import math
import re
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.raster import Grid

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
    """What a product says of itself, whatever its form.

    `gains` maps bands to HGH, NOR, ...; `night` says that the granule calls itself one.
    """

    name: str
    product_id: str
    acquired: datetime
    sun_azimuth_deg: float | None
    sun_elevation_deg: float
    gains: Mapping[str, str]
    synthetic: bool
    night: bool = False


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
        numbers = [to_number(value) for value in values]
        if len(numbers) != count or not np.isfinite(numbers).all():
            raise InputError(
                f"{self.path}: {name} = {', '.join(values)}; expected {count} number(s)"
            )
        return tuple(numbers)

    def gains(self) -> dict[str, str]:
        pairs = [o.values for o in self.objects if o.name == "GAIN" and len(o.values) == 2]
        gains: dict[str, str] = {}
        for band, gain in pairs:
            if gains.setdefault(_band_name(band), gain.upper()) != gain.upper():
                raise InputError(
                    f"{self.path}: tells two gains (GAIN) of band {band}; get it again"
                )
        return gains


def to_number(text: str) -> float:
    """The number in a text; NaN for other text."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _band_name(text: str) -> str:
    return text.strip().upper().lstrip("0")


def to_moment(name: str, day: str, time: str) -> datetime:
    """Date and time of day, in digits with any signs between them; InputError names `name`."""
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
    _require_bearable(path)


# What opening a file does first.
_PROBE = """
import sys
from pyhdf.SD import SD, SDC
file = SD(sys.argv[1], SDC.READ)
file.attributes()
sets = [file.select(name) for name in file.datasets()]
file.end()
"""


def _require_bearable(path: Path) -> None:
    """Raise InputError for a file on which the HDF4 library ends its process, tried in another.

    The library trusts the groups and tables that it finds, and frees memory twice where they are
    damaged. What it raises as an error is left to who opens the file.
    """
    command = [sys.executable, "-P", "-c", _PROBE, str(path.absolute())]
    try:
        code = subprocess.run(command, capture_output=True, check=False, timeout=120).returncode
    except subprocess.TimeoutExpired:
        code = -1
    if code < 0:
        raise InputError(f"{path}: is damaged, the HDF4 library cannot bear it; get it again")


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
        acquired=to_moment(str(path), odl.text("CALENDARDATE"), odl.text("TIMEOFDAY")),
        sun_azimuth_deg=azimuth,
        sun_elevation_deg=elevation,
        gains=odl.gains(),
        synthetic=any("gossan" in value.lower() for o in odl.objects for value in o.values),
        night=" ".join(odl.find("DAYNIGHTFLAG")).upper() == "NIGHT",
    )
