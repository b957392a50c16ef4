"""Where a Sentinel-2 Level-2A date keeps its rasters, and what its metadata say.

The SAFE layout is that of the Sentinel-2 Products Specification Document (S2-PDGS-TAS-DI-PSD),
as a folder or in a .zip. `describe_safe` makes a `Description` of it, as `sentinel2_stac` does
of a STAC item; `Rasters` reads the files of both, on disk or over HTTP.
"""

from __future__ import annotations

import re
import struct
import threading
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.raster import Grid
from gossan.sensors.xml_metadata import XML_MAX_BYTES, XmlMetadata

# Bands in the order of the metadata's band_id, 0 to 12, and their native pixels (m).
BAND_IDS = (*(f"B{n:02d}" for n in range(1, 9)), "B8A", *(f"B{n:02d}" for n in range(9, 13)))
NATIVE_M = {
    **dict.fromkeys(("B02", "B03", "B04", "B08"), 10),
    **dict.fromkeys(("B05", "B06", "B07", "B8A", "B11", "B12", "SCL"), 20),
    **dict.fromkeys(("B01", "B09", "QA60"), 60),
}
# Since this processing baseline numbers carry an offset, which is -1000 in all bands (Sentinel-2
# Products Specification Document, issue 14.9). Baselines from 99 are a user's own Sen2Cor runs.
OFFSET_SINCE, OFFSET, OWN_RUNS_SINCE = 4.0, -1000.0, 99.0

METADATA_FILE = "MTD_MSIL2A.xml"
_LEVEL1_FILE = "MTD_MSIL1C.xml"
_IMAGE = re.compile(r"(?:^|.*_)(B\d\d|B8A|SCL)_(10|20|60)m\.jp2$")
_CLOUDS = re.compile(r"(MSK_CLASSI_B00|.*QA60.*)\.jp2$")
_TILE = re.compile(r"_T(\d{2}[A-Z]{3})(?:_|\b)")

# Bounds file descriptors however many dates are open; readers at work come on top.
MOST_IDLE_FILES = 192

REMOTE_ATTEMPTS = 3
RETRY_DELAY_S = 0.5
TIMEOUT_S = 60
CONNECT_TIMEOUT_S = 15


@dataclass(frozen=True)
class RasterFile:
    """One raster: its path for GDAL, its name for messages, its pixel (m), and where it lies."""

    path: str
    label: str
    pixel_m: int
    driver: str
    remote: bool = False


@dataclass(frozen=True)
class Calibration:
    """Reflectance = (number + offset) / quantification."""

    quantification: float
    offset: float


@dataclass(frozen=True)
class Description:
    """What one date says of itself, whatever its form.

    `files` and `calibrations` are keyed by band ("B02"); `files` also has "SCL" and, where the
    product has one, "QA60".
    """

    name: str
    product_id: str
    spacecraft: str
    baseline: str
    tile: str
    acquired: datetime
    sun_elevation_deg: float
    sun_azimuth_deg: float | None
    calibrations: Mapping[str, Calibration]
    nodata: int
    saturated: int
    files: Mapping[str, RasterFile]
    synthetic: bool
    notes: tuple[str, ...]


# ---- rasters ------------------------------------------------------------------------------------


class Rasters:
    """Open rasters of any number of dates, each lent to one reader at a time.

    A GDAL dataset must serve one thread at a time; those at rest are kept open, the longest unused
    closed first.
    """

    def __init__(self, most_idle: int = MOST_IDLE_FILES):
        """No file is open yet."""
        self._most_idle = most_idle
        self._lock = threading.Lock()
        self._idle: list[tuple[RasterFile, rasterio.DatasetReader]] = []

    @contextmanager
    def borrow(self, file: RasterFile) -> Iterator[rasterio.DatasetReader]:
        """The file's dataset; what raised is not lent again. May raise RasterioError."""
        with self._lock:
            place = next((i for i, (known, _) in enumerate(self._idle) if known == file), None)
            dataset = None if place is None else self._idle.pop(place)[1]
        if dataset is None:
            # Only the format that is due: a file of another one could point anywhere.
            dataset = rasterio.open(file.path, driver=file.driver)
        try:
            yield dataset
        except BaseException:
            dataset.close()
            raise
        with self._lock:
            self._idle.append((file, dataset))
            surplus = self._idle.pop(0)[1] if len(self._idle) > self._most_idle else None
        if surplus is not None:
            surplus.close()

    def describe(self, file: RasterFile) -> tuple[Grid, int]:
        """Grid and count of bands; InputError if it is no raster of whole numbers on a map."""
        for attempt in _attempts(file):
            try:
                with self.borrow(file) as dataset:
                    grid, count, kind = Grid.of(dataset), dataset.count, dataset.dtypes[0]
                break
            except RasterioError as error:
                _fail_or_wait(file, attempt, "cannot be opened", error)
        if not np.issubdtype(kind, np.unsignedinteger):
            raise InputError(f"{file.label}: holds {kind}; a Sentinel-2 file holds whole numbers")
        if grid.crs is None or not grid.crs.is_projected:
            raise InputError(
                f"{file.label}: has no projected reference system; an L2A tile has UTM"
            )
        a, b, _, d, e, _ = grid.transform[:6]
        if b or d or abs(a - file.pixel_m) > 1e-6 or abs(e + file.pixel_m) > 1e-6:
            raise InputError(
                f"{file.label}: its pixels are {a:g} x {-e:g}; {file.pixel_m} m, north up, are due"
            )
        return grid, count

    def read(self, file: RasterFile, window: Window) -> np.ndarray:
        """The stored numbers of a window, (bands, rows, columns); InputError if unreadable."""
        for attempt in _attempts(file):
            try:
                with self.borrow(file) as dataset:
                    return dataset.read(window=window)
            except RasterioError as error:
                what = f"cannot be read at row {window.row_off}, column {window.col_off}"
                _fail_or_wait(file, attempt, what, error)
        raise AssertionError("the last attempt returns or raises")

    def close(self, files: Sequence[RasterFile] | None = None) -> None:
        """Close those of `files` (None: all) that rest."""
        with self._lock:
            closing = [entry for entry in self._idle if files is None or entry[0] in files]
            self._idle = [entry for entry in self._idle if entry not in closing]
        for _, dataset in closing:
            dataset.close()


def _attempts(file: RasterFile) -> range:
    return range(REMOTE_ATTEMPTS if file.remote else 1)


def _fail_or_wait(file: RasterFile, attempt: int, what: str, error: RasterioError) -> None:
    """Wait before the next attempt, or raise InputError after the last one.

    GDAL itself asks again when a server answers that it is busy or at fault; this is for
    connections that break.
    """
    if attempt + 1 < len(_attempts(file)):
        time.sleep(RETRY_DELAY_S * 2**attempt)
        return
    if not file.remote:
        raise InputError(
            f"{file.label}: {what}; the file is damaged or cut short, get it again"
        ) from error
    code = re.search(r"HTTP response code: (\d+)", f"{error} {error.__cause__ or ''}")
    reason = f"HTTP {code[1]}" if code else "the connection or the file is broken"
    raise InputError(
        f"{file.label}: {what} after {REMOTE_ATTEMPTS} attempts ({reason}); "
        "check the address and the network, or download the date"
    ) from error


# ---- SAFE ---------------------------------------------------------------------------------------


class Container(Protocol):
    """The files of a product: paths below the .SAFE folder, in order."""

    path: Path
    names: Sequence[str]

    def label(self, name: str) -> str:
        """The file's name for messages."""

    def read(self, name: str) -> bytes:
        """The first bytes of a file, one more than a metadata file may have."""

    def locate(self, name: str) -> str:
        """The file's path for GDAL."""


class SafeFolder:
    """A product as a .SAFE folder."""

    def __init__(self, path: Path):
        """List the folder's files."""
        self.path = path
        self.names = sorted(
            entry.relative_to(path).as_posix() for entry in path.rglob("*") if entry.is_file()
        )

    def label(self, name: str) -> str:
        """The file's name for messages."""
        return str(self.path / name)

    def read(self, name: str) -> bytes:
        """The first bytes of a file, one more than a metadata file may have."""
        with (self.path / name).open("rb") as file:
            return file.read(XML_MAX_BYTES + 1)

    def locate(self, name: str) -> str:
        """The file's path for GDAL."""
        return str(self.path / name)


class SafeZip:
    """A product in a .zip, read in place.

    A stored member is a stretch of bytes of the file (/vsisubfile/); a deflated one is inflated as
    it is read (/vsizip/). Nothing is unpacked to disk.
    """

    def __init__(self, path: Path):
        """Check the archive; raises InputError for a damaged one or for members that point out."""
        self.path = path
        self._members: dict[str, zipfile.ZipInfo] = {}
        with self._opened() as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
        for member in members:
            self._check(member)
        roots = {
            PurePosixPath(member.filename).parent
            for member in members
            if PurePosixPath(member.filename).name in (METADATA_FILE, _LEVEL1_FILE)
        }
        if len(roots) != 1:
            raise InputError(
                f"{path}: holds {len(roots) or 'no'} {METADATA_FILE}; a Sentinel-2 L2A .zip holds "
                "one product"
            )
        root = roots.pop()
        for member in members:
            place = PurePosixPath(member.filename)
            if place.is_relative_to(root):
                self._members[place.relative_to(root).as_posix()] = member
        self.names = sorted(self._members)

    @contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
            raise InputError(
                f"{self.path}: is not a whole .zip; get the Sentinel-2 product again"
            ) from error

    def _check(self, member: zipfile.ZipInfo) -> None:
        name = member.filename
        place = PurePosixPath(name.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or ":" in name:
            raise InputError(f"{self.path}: member '{name}' points outside of the archive; refused")
        if member.flag_bits & 1 or member.compress_type not in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ):
            raise InputError(
                f"{self.path}: member '{name}' is encrypted or compressed by an unusual method; "
                "unpack the product"
            )

    def label(self, name: str) -> str:
        """The file's name for messages."""
        return f"{self.path}/{name}"

    def read(self, name: str) -> bytes:
        """The first bytes of a file, one more than a metadata file may have."""
        with self._opened() as archive, archive.open(self._members[name]) as file:
            return file.read(XML_MAX_BYTES + 1)

    def locate(self, name: str) -> str:
        """The file's path for GDAL."""
        member, path = self._members[name], self.path.resolve()
        if member.compress_type == zipfile.ZIP_DEFLATED:
            return f"/vsizip/{{{path}}}/{member.filename}"
        with path.open("rb") as file:
            file.seek(member.header_offset)
            header = file.read(30)
        # Local file header (PKWARE APPNOTE 4.3.7): its name and extra field precede the data.
        if len(header) < 30 or header[:4] != b"PK\x03\x04":
            raise InputError(f"{self.path}: is not a whole .zip; get the Sentinel-2 product again")
        start = member.header_offset + 30 + sum(struct.unpack("<HH", header[26:30]))
        return f"/vsisubfile/{start}_{member.compress_size},{path}"


def is_safe(path: Path) -> bool:
    """Whether a path is a product itself: a .zip, or a folder with a product's metadata."""
    if path.is_dir():
        return path.suffix.upper() == ".SAFE" or any(
            (path / name).is_file() for name in (METADATA_FILE, _LEVEL1_FILE)
        )
    return path.suffix.lower() == ".zip"


def describe_safe(path: Path) -> Description:
    """Read the metadata of a .SAFE folder or .zip and find its rasters.

    Raises InputError, naming file and element, for a damaged or unsafe archive, XML with a
    document type, Level-1C, missing metadata, a scale that is no scale, and a baseline from 04.00
    on whose metadata tell no offset.
    """
    container = SafeFolder(path) if path.is_dir() else SafeZip(path)
    metadata = _read_metadata(container, METADATA_FILE)
    level = metadata.text(".//PROCESSING_LEVEL")
    if level.upper() != "LEVEL-2A":
        raise InputError(f"{metadata.name}: PROCESSING_LEVEL = {level}; Level-2A is needed")
    tile_files = [n for n in container.names if re.fullmatch(r"GRANULE/[^/]+/MTD_TL\.xml", n)]
    if len(tile_files) != 1:
        raise InputError(
            f"{path}: holds {len(tile_files) or 'no'} GRANULE/*/MTD_TL.xml; one granule is due"
        )
    granule = _read_metadata(container, tile_files[0])
    product_id = metadata.text(".//PRODUCT_URI").removesuffix(".SAFE")
    tile = _TILE.search(granule.find(".//TILE_ID") or "") or _TILE.search(product_id)
    if tile is None:
        raise InputError(f"{granule.name}: TILE_ID names no tile (as T23LLF)")
    baseline = metadata.text(".//PROCESSING_BASELINE")
    calibrations, notes = _calibrate(metadata, baseline)
    folder = tile_files[0].rpartition("/")[0]
    files, more_notes = _find_images(container, folder)
    return Description(
        name=str(path),
        product_id=product_id,
        spacecraft=metadata.text(".//SPACECRAFT_NAME"),
        baseline=baseline,
        tile=tile[1],
        acquired=_moment(metadata),
        sun_elevation_deg=90.0 - granule.number(".//Mean_Sun_Angle/ZENITH_ANGLE"),
        sun_azimuth_deg=granule.number(".//Mean_Sun_Angle/AZIMUTH_ANGLE"),
        calibrations=calibrations,
        nodata=_special_value(metadata, "NODATA", 0),
        saturated=_special_value(metadata, "SATURATED", 65535),
        files=files,
        synthetic=any("gossan" in text.lower() for text in metadata.root.itertext()),
        notes=(*notes, *more_notes),
    )


def _read_metadata(container: Container, name: str) -> XmlMetadata:
    if name not in container.names:
        found = "it is a Level-1C product; " if _LEVEL1_FILE in container.names else ""
        raise InputError(
            f"{container.path}: has no {name}; {found}name a Sentinel-2 Level-2A .SAFE or .zip"
        )
    return XmlMetadata(container.read(name), container.label(name))


def _moment(metadata: XmlMetadata) -> datetime:
    text = metadata.text(".//PRODUCT_START_TIME")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{metadata.name}: PRODUCT_START_TIME = {text} is no time") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _calibrate(
    metadata: XmlMetadata, baseline: str
) -> tuple[dict[str, Calibration], tuple[str, ...]]:
    """Calibration of each band and a note, from the quantification value and the offsets."""
    key = "BOA_QUANTIFICATION_VALUE"
    # The name until processing baseline 02.06.
    older = metadata.find(f".//L2A_{key}")
    quantification = metadata.as_number(key, older) if older else metadata.number(f".//{key}")
    if quantification <= 0:
        raise InputError(f"{metadata.name}: {key} = {quantification:g}; it must be above 0")
    told = metadata.root.findall(".//BOA_ADD_OFFSET")
    since = metadata.as_number("PROCESSING_BASELINE", baseline)
    if not told:
        if OFFSET_SINCE <= since < OWN_RUNS_SINCE:
            raise InputError(
                f"{metadata.name}: BOA_ADD_OFFSET is missing, but baseline {baseline} has offsets; "
                "get the product's own metadata again"
            )
        return {band: Calibration(quantification, 0.0) for band in BAND_IDS}, ()
    offsets = {
        entry.get("band_id"): metadata.as_number("BOA_ADD_OFFSET", entry.text) for entry in told
    }
    return {
        band: Calibration(quantification, offsets[str(number)])
        for number, band in enumerate(BAND_IDS)
        if str(number) in offsets
    }, (_offset_note(offsets.values()),)


def _offset_note(offsets: Sequence[float]) -> str:
    values = ", ".join(f"{value:g}" for value in sorted(set(offsets)))
    return f"offset added to the stored numbers: {values}"


def _special_value(metadata: XmlMetadata, name: str, default: int) -> int:
    for entry in metadata.root.iter("Special_Values"):
        if (entry.findtext("SPECIAL_VALUE_TEXT") or "").strip().upper() == name:
            text = entry.findtext("SPECIAL_VALUE_INDEX")
            return int(metadata.as_number(f"SPECIAL_VALUE_INDEX of {name}", text))
    return default


def _find_images(
    container: Container, folder: str
) -> tuple[dict[str, RasterFile], tuple[str, ...]]:
    """The rasters of the one granule, those of native resolution before resampled copies."""
    found: dict[str, dict[int, str]] = {}
    for name in container.names:
        place = PurePosixPath(name)
        if not place.is_relative_to(folder):
            continue
        image = _IMAGE.match(place.name) if "IMG_DATA" in place.parts else None
        clouds = _CLOUDS.match(place.name) if "QI_DATA" in place.parts else None
        if image or clouds:
            band, pixel_m = (image[1], int(image[2])) if image else ("QA60", NATIVE_M["QA60"])
            if found.setdefault(band, {}).setdefault(pixel_m, name) != name and image:
                raise InputError(
                    f"{container.path}: holds two images of {band} at {pixel_m} m; keep one"
                )
    files = {}
    for band, copies in found.items():
        pixel_m = best_pixel(band, copies)
        if pixel_m is not None:
            name = copies[pixel_m]
            files[band] = RasterFile(
                container.locate(name), container.label(name), pixel_m, "JP2OpenJPEG"
            )
    return files, coarse_notes(files)


def best_pixel(band: str, pixels_m: Mapping[int, object]) -> int | None:
    """Of the pixels in which a band is had, its native one or else the next coarser one.

    None for bands that L2A does not have. A finer one than the native would be made up.
    """
    native = NATIVE_M.get(band)
    if native is None:
        return None
    return min((p for p in pixels_m if p >= native), default=min(pixels_m))


def coarse_notes(files: Mapping[str, RasterFile]) -> tuple[str, ...]:
    """A note where a band is had only in coarser pixels than its native ones."""
    coarse = [f"{b} ({f.pixel_m} m)" for b, f in files.items() if f.pixel_m > NATIVE_M[b]]
    return (f"only coarser copies are there of {', '.join(sorted(coarse))}",) if coarse else ()
