"""ASTER Level 1T products as GeoTIFFs, read band by band.

A folder with one GeoTIFF per telescope (VNIR, SWIR, TIR), as archives make them of version 003, or
with one per band (`…_VNIR_B03N.tif`), as the LP DAAC gives version 004; and the granule's metadata
beside them: the XML of the archive (ECS), or that of NASA's Common Metadata Repository (CMR), as
XML or as JSON (UMM-G). Gains and the sun's place are attributes there, or tags of the GeoTIFFs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.windows import Window

from gossan.checksums import read_verified
from gossan.errors import InputError
from gossan.files import read_json
from gossan.paths import list_files
from gossan.products.aster_files import (
    PIXEL_M,
    TELESCOPE_OF,
    TELESCOPES,
    Metadata,
    centred,
    to_moment,
    to_number,
)
from gossan.products.xml_metadata import XML_MAX_BYTES, parse_xml
from gossan.raster import Datasets, Grid, open_geotiff

_TIFF_NAME = re.compile(r"[-._](VNIR|SWIR|TIR)(?:[-._]([^.]*))?\.tiff?$", re.IGNORECASE)
_BAND_TAIL = re.compile(r"B?0?(\d{1,2}[NB]?)$", re.IGNORECASE)
# Quality planes beside the bands of products of level 2.
_QUALITY_TAIL = re.compile(r"QA", re.IGNORECASE)
_OTHER_PRODUCT = re.compile(r"(AST_(?!L1T)\w+?)_\d{17}", re.IGNORECASE)
_GAIN = re.compile(r"\b0?([1-9]|3N|3B)\b[\s,:=\"]+([A-Z][A-Z0-9]{2})\b")

# Of a pixel, and of a count of pixels told by their size, whose last decimals files may lose.
_TOLERANCE, _COUNT_TOLERANCE = 0.01, 0.05


class TiffFolder:
    """A product as GeoTIFFs and a file of metadata; a dataset per thread and file.

    Attributes as those of `HdfFile`.
    """

    def __init__(self, path: Path):
        """Open and check the files; raises InputError naming file and key."""
        self.path = path
        names = [entry.name for entry in list_files(path)]
        # Band -> its file and its place there (from 1).
        self._places: dict[str, tuple[Path, int]] = {}
        for name in names:
            self._take(name)
        told = [name for name in names if _is_metadata(name)]
        if not self._places or len(told) != 1:
            raise InputError(
                f"{path}: holds {len(self._files) or 'no'} VNIR, SWIR or TIR GeoTIFF file(s) and "
                f"{len(told) or 'no'} .xml or .json file(s); an ASTER product folder has an .hdf "
                "file, or GeoTIFFs by telescope or by band with the granule's one file of "
                "metadata, which tells the gains and the sun's place"
            )
        self._datasets: Datasets[Path] = Datasets(open_geotiff)
        try:
            self._check(path / told[0])
        except InputError:
            self.close()
            raise

    @property
    def _files(self) -> list[Path]:
        return list(dict.fromkeys(file for file, _ in self._places.values()))

    def _take(self, name: str) -> None:
        """Note the bands of a file, if its name says that it is one of the product's images."""
        match = _TIFF_NAME.search(name)
        if match is None or _QUALITY_TAIL.match(match[2] or ""):
            return
        other = _OTHER_PRODUCT.match(name)
        if other:
            raise InputError(
                f"{self.path / name}: is of a product {other[1].upper()}, not AST_L1T; read its "
                "bands as rasters (sensor rasters), with their wavelengths and their scale"
            )
        telescope = match[1].upper()
        one = _BAND_TAIL.match(match[2] or "")
        bands = TELESCOPES[telescope] if one is None else (_band(one[1]),)
        if one and bands[0] not in TELESCOPES[telescope]:
            raise InputError(
                f"{self.path / name}: is called band {bands[0]}, but {telescope} has "
                f"{', '.join(TELESCOPES[telescope])}; give the file its own name"
            )
        for place, band in enumerate(bands, start=1):
            if band in self._places:
                raise InputError(
                    f"{self.path}: holds two {telescope} files with band {band}; keep one product"
                )
            self._places[band] = self.path / name, place

    def _check(self, told: Path) -> None:
        tags: dict[str, str] = {}
        notes: list[str] = []
        self.grids: dict[str, Grid] = {}
        for file in self._files:
            bands = [band for band, (holder, _) in self._places.items() if holder == file]
            telescope = TELESCOPE_OF[bands[0]]
            with self._datasets.borrow(file) as dataset:
                grid, note = _tiff_grid(file, dataset, telescope, bands)
                tags |= {f"{file.stem} {key}": text for key, text in dataset.tags().items()}
            self.grids.setdefault(telescope, grid).require_same(grid, str(file))
            notes += [note] if note else []
        if len({grid.crs for grid in self.grids.values()}) > 1:
            raise InputError(f"{self.path}: its files have different reference systems; one is due")
        self.grids = {name: self.grids[name] for name in TELESCOPES if name in self.grids}
        self.bands = tuple(band for band in TELESCOPE_OF if band in self._places)
        self.notes = tuple(dict.fromkeys(notes))
        first = self._files[0].name
        self.metadata = _describe(_read_granule(told), tags, _TIFF_NAME.sub("", first))

    def read(self, band: str, window: Window) -> np.ndarray:
        """Stored numbers of a window of the band's native grid, (rows, columns)."""
        file, place = self._places[band]
        try:
            with self._datasets.borrow(file) as dataset:
                return read_verified(dataset, place, window)
        except RasterioError as error:
            raise InputError(
                f"{file}: cannot be read at row {window.row_off}, column {window.col_off}; it is "
                "damaged or cut short, get it again"
            ) from error

    def close(self) -> None:
        """Close the files."""
        self._datasets.close()


def _band(text: str) -> str:
    return "3N" if text.upper() == "3" else text.upper()


def _is_metadata(name: str) -> bool:
    return name.lower().endswith((".xml", ".json")) and ".aux." not in name.lower()


def _tiff_grid(
    path: Path, dataset: rasterio.DatasetReader, telescope: str, bands: Sequence[str]
) -> tuple[Grid, str]:
    """The grid of a file and a note on what had to be mended."""
    if dataset.count != len(bands) or not np.issubdtype(dataset.dtypes[0], np.unsignedinteger):
        raise InputError(
            f"{path}: holds {dataset.count} band(s) of {dataset.dtypes[0]}; a {telescope} file "
            f"holds the numbers of bands {', '.join(bands)}"
        )
    if set(dataset.scales) != {1.0} or set(dataset.offsets) != {0.0}:
        raise InputError(
            f"{path}: tells a scale or an offset of its own, of which AST_L1T has none; read its "
            "bands as rasters (sensor rasters)"
        )
    for band, description in zip(bands, dataset.descriptions, strict=True):
        told = re.search(r"(?:ImageData|Band)_?0?(\d+)", description or "")
        if told and told[1] != band.rstrip("N"):
            raise InputError(f"{path}: calls '{description}' what should be band {band}; reorder")
    if dataset.crs is None or not dataset.crs.is_projected:
        raise InputError(f"{path}: has no projected reference system; an L1T product has UTM")
    if dataset.transform.b or dataset.transform.d:
        raise InputError(f"{path}: is not north-up; an L1T product is")
    across, down = dataset.transform.a, -dataset.transform.e
    if across <= 0 or down <= 0:
        raise InputError(f"{path}: is not north-up; an L1T product is")
    pixel = PIXEL_M[telescope]
    grid = Grid.of(dataset)
    if math.dist((across, down), (pixel, pixel)) * max(grid.shape) < _TOLERANCE * pixel:
        return grid, ""
    wholes = _whole_size(across, pixel, grid.width), _whole_size(down, pixel, grid.height)
    if 0 in wholes:
        raise InputError(f"{path}: has pixels of {across:g} m; {telescope} has {pixel:g} m")
    return _centres_as_edges(grid, pixel, wholes)


def _whole_size(step: float, pixel: float, size: int) -> int:
    """Pixels of the whole side of which `size` are here, if its centres were taken for its edges.

    Such a side of n pixels has steps of pixel (n - 1) / n. 0: it has other steps.
    """
    if abs(step * size - pixel * (size - 1)) < _TOLERANCE * pixel:
        return size
    if step >= pixel:
        return 0
    count = pixel / (pixel - step)
    whole = round(count)
    return whole if whole > size and abs(count - whole) < _COUNT_TOLERANCE else 0


def _centres_as_edges(grid: Grid, pixel: float, wholes: tuple[int, int]) -> tuple[Grid, str]:
    """The true grid of files whose corners, which are pixel centres, were laid on the outer edges.

    So are the per-telescope files of the Planetary Computer: their pixels come out a little too
    small. The first pixel's centre lies where its edge is told, and pixel k of n by pixel k / n
    farther off. Of a part of such a file k is not told: it is taken to be in the middle.
    """
    shares = grid.width / wholes[0], grid.height / wholes[1]
    easting = grid.transform.c + pixel * (1 - shares[0]) / 2
    northing = grid.transform.f - pixel * (1 - shares[1]) / 2
    mended = Grid(
        grid.crs, centred((round(easting, 3), round(northing, 3)), pixel), grid.width, grid.height
    )
    note = "pixel centres were stored as the files' outer edges: set right"
    least = max(pixel * (1 - share) / 2 for share in shares)
    return mended, f"{note} to within {math.ceil(least)} m" if least > _TOLERANCE * pixel else note


# ---- the granule's metadata ---------------------------------------------------------------------


@dataclass
class _Granule:
    """What a file of metadata tells: attributes by their names in capitals, and single texts."""

    name: str
    attributes: dict[str, list[str]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, values: Sequence[str]) -> None:
        self.attributes.setdefault(name.strip().upper(), []).extend(v.strip() for v in values)

    def number(self, key: str) -> float:
        value = to_number(next(iter(self.attributes.get(key.upper(), [])), ""))
        if not math.isfinite(value):
            raise InputError(f"{self.name}: the attribute {key} is missing or not a number")
        return value

    def acquired(self) -> datetime:
        if "CalendarDate" in self.texts:
            return to_moment(
                self.name, self.texts["CalendarDate"], self.texts.get("TimeofDay", "(no TimeofDay)")
            )
        for key in ("SingleDateTime", "BeginningDateTime"):
            if key in self.texts:
                break
        else:
            raise InputError(
                f"{self.name}: element CalendarDate is missing, and so are SingleDateTime and "
                "BeginningDateTime; without the date numbers are no reflectance"
            )
        try:
            moment = datetime.fromisoformat(self.texts[key])
        except ValueError as error:
            raise InputError(f"{self.name}: {key} = {self.texts[key]} is no time") from error
        return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


_TEXTS = (
    *("ShortName", "CalendarDate", "TimeofDay", "SingleDateTime", "BeginningDateTime"),
    *("DayNightFlag",),
)


def _read_granule(path: Path) -> _Granule:
    """The metadata of the archive (ECS), or of CMR as XML or JSON; InputError for a wrong text."""
    granule = _Granule(str(path))
    if path.suffix.lower() == ".json":
        _take_json(granule, read_json(path))
        return granule
    with path.open("rb") as file:
        root = parse_xml(file.read(XML_MAX_BYTES + 1), str(path))
    for entry in root.iter("PSA"):
        granule.add(entry.findtext("PSAName") or "", _values(entry, "PSAValue"))
    for entry in root.iter("AdditionalAttribute"):
        granule.add(entry.findtext("Name") or "", _values(entry, "Value"))
    for key in _TEXTS:
        text = next((found.text for found in root.iter(key) if (found.text or "").strip()), None)
        if text:
            granule.texts[key] = text.strip()
    return granule


def _values(entry: Element, key: str) -> list[str]:
    return [value.text or "" for value in entry.iter(key)]


def _take_json(granule: _Granule, document: Mapping) -> None:
    for key, value in _walk(document):
        if key == "AdditionalAttributes" and isinstance(value, list):
            for entry in value:
                if isinstance(entry, dict) and isinstance(entry.get("Values"), list):
                    granule.add(str(entry.get("Name", "")), [str(one) for one in entry["Values"]])
        elif key in _TEXTS and isinstance(value, str):
            granule.texts.setdefault(key, value.strip())


def _walk(value: object) -> Iterator[tuple[str, object]]:
    """All keys of a JSON document with their values, from the top."""
    waiting = [value]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, dict):
            yield from ((str(key), inner) for key, inner in one.items())
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _describe(granule: _Granule, tags: Mapping[str, str], product_id: str) -> Metadata:
    """Metadata of a granule; gains from there or from the GeoTIFFs' tags."""
    product = granule.texts.get("ShortName", "")
    if product.upper().startswith("AST_") and product.upper() != "AST_L1T":
        raise InputError(
            f"{granule.name}: is of a product {product}, not AST_L1T; read its bands as rasters "
            "(sensor rasters), with their wavelengths and their scale"
        )
    for name, value in tags.items():
        key = name.rpartition(" ")[2].upper()
        if key in ("SOLAR_AZIMUTH_ANGLE", "SOLAR_ELEVATION_ANGLE"):
            granule.attributes.setdefault(key, [value])
    gains: dict[str, str] = {}
    told = {name: " ".join(values) for name, values in granule.attributes.items()} | dict(tags)
    for name, value in told.items():
        if "GAIN" in name.upper():
            gains |= dict(_GAIN.findall(value.upper()))
    has_azimuth = "SOLAR_AZIMUTH_ANGLE" in granule.attributes
    return Metadata(
        name=granule.name,
        product_id=product_id,
        acquired=granule.acquired(),
        sun_azimuth_deg=granule.number("Solar_Azimuth_Angle") if has_azimuth else None,
        sun_elevation_deg=granule.number("Solar_Elevation_Angle"),
        gains=gains,
        synthetic=any("gossan" in value.lower() for value in told.values()),
        night=granule.texts.get("DayNightFlag", "").upper() == "NIGHT",
    )
