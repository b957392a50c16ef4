"""EnMAP Level-2A products: bands from their metadata, surface reflectance, quality flags.

Reflectance = GainOfBand · number + OffsetOfBand, number -32768 is no data (EnMAP Ground Segment,
Level 1B, 1C and 2A product specification, EN-PCV-ICD-2009). The codes of the quality layers are
those of that document, as ESA's SNAP reads them too. `enmap_files` finds the files. Of a product
whose METADATA.XML is missing, as in collections of patches, the files' native names tell level and
time; bands and gain are then the nominal ones of `enmap_nominal`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath

import numpy as np
from rasterio.errors import RasterioError
from rasterio.windows import Window

from gossan.checksums import read_verified
from gossan.errors import InputError
from gossan.products.containers import Container
from gossan.products.enmap_files import (
    CIRRUS,
    CLASSES,
    CLOUD,
    CLOUD_SHADOW,
    HAZE,
    IMAGE,
    LEVEL,
    METADATA,
    QUALITY,
    SNOW,
    TESTFLAGS,
    find_layers,
    open_container,
    read_name,
)
from gossan.products.enmap_nominal import GAIN, enmap_bands
from gossan.products.plausible import (
    names_its_product,
    near,
    read_moment,
    require_place,
    require_within,
)
from gossan.products.product import Product
from gossan.products.raster_files import RasterFile, Rasters
from gossan.products.xml_metadata import XmlMetadata
from gossan.raster import BLOCK_BYTES, BandTable, Grid

FLAGS = (*Product.flags, "haze")
# Flag -> layer and its numbers that set it: classes are 1 land, 2 water, 3 background; cirrus is
# 1 thin, 2 medium, 3 thick.
FLAG_NUMBERS = {
    "fill": (CLASSES, (3,)),
    "water": (CLASSES, (2,)),
    "cloud": (CLOUD, (1,)),
    "cloud_shadow": (CLOUD_SHADOW, (1,)),
    "cirrus": (CIRRUS, (1, 2, 3)),
    "snow": (SNOW, (1,)),
    "haze": (HAZE, (1,)),
}
NOMINAL_NOTE = (
    "METADATA.XML is missing: wavelengths and scale are EnMAP's nominal ones, level and time those "
    "of the files' names; nothing is known of the sun's elevation"
)
# Bits of TESTFLAGS: a saturated pixel of the SWIR and of the VNIR detector.
SATURATED_BITS = 1 << 4 | 1 << 5

# The metadata's backgroundValue is no help: real ones tell 0, or nothing, where numbers are this.
NODATA = -32768
# What bandStatistics tell of a band without any number.
NO_MEAN, NO_DEVIATION = -1_000_000.0, 0.0
# Rows in which every band is looked at first for data.
SAMPLED_ROWS = 9
LEAST_NM, MOST_NM = 350.0, 2600.0
_OFFSETS = (-0.5, 0.5)


@dataclass(frozen=True)
class _Band:
    """One band as the metadata have it: its place in the image from 1, wavelengths in nm."""

    place: int
    centre_nm: float
    fwhm_nm: float
    gain: float
    offset: float

    @property
    def name(self) -> str:
        return f"B{self.place:03d}"


@dataclass(frozen=True)
class _Told:
    """What is told of a product before its rasters are opened: by its metadata or by its names.

    `source` is the file that tells it; `metadata` and the sun's elevation are None where only the
    names do.
    """

    source: str
    product_id: str
    collection: str
    synthetic: bool
    acquired: str
    sun_elevation_deg: float | None
    bands: tuple[_Band, ...]
    metadata: XmlMetadata | None


class EnmapProduct(Product):
    """One Level-2A product on its own grid, read by windows in any thread.

    Attributes: as `product.Product` says. `bands` ascend by wavelength where all are read
    (VNIR and SWIR overlap from 0.90 to 0.99 µm), and are called by their place in the image, B001
    to B224. Left out, with a note, are bands that the metadata call missing and those that hold
    no data at all, as near 1.4 µm. `collection` is the processor's version ("01.03.02"),
    `acquired` the start of the acquisition in UTC, the sun's elevation that of the scene's centre.
    Without METADATA.XML the sun's elevation is None, bands and gain are nominal, and quality layers
    that are absent set no flag; notes say all this.

    Not read: PIXELMASK, pixels defective in single bands, which may have been interpolated.
    """

    spacecraft = "EnMAP"
    sensor = "EnMAP HSI"
    scaled_by = "GainOfBand and OffsetOfBand in METADATA.XML"
    level = LEVEL
    surface_reflectance = True
    flags = FLAGS
    absent_flags = ("dilated_cloud",)

    def __init__(self, container: Container, bands: Sequence[str] | None = None):
        """Check all files that are there; raises InputError as `open_product` says."""
        self._container = container
        layers = find_layers(container)
        told = (_read_metadata if METADATA in layers else _read_names)(container, layers)
        self._name, self._metadata = told.source, told.metadata
        self.product_id, self.collection = told.product_id, told.collection
        self.synthetic, self.acquired = told.synthetic, told.acquired
        self.sun_elevation_deg = told.sun_elevation_deg
        listed = told.bands
        if IMAGE not in layers:
            raise InputError(
                f"{container.path}: has no *-{IMAGE}.TIF beside {told.source}; get the whole "
                "product, as GeoTIFF"
            )
        chosen = _choose(listed, bands, self._name)
        self._files = _locate(container, layers)
        self._rasters = Rasters()
        try:
            self.grid = self._check_files(len(listed))
            left_out = self._find_unusable(chosen)
            self._bands = tuple(band for band in chosen if band.place not in left_out)
            self._require_usable(chosen if bands is not None else (), left_out)
        except InputError:
            self._rasters.close()
            raise
        self._places = [band.place for band in self._bands]
        self.bands = BandTable(
            tuple(band.name for band in self._bands),
            tuple(round(band.centre_nm / 1000, 8) for band in self._bands),
            tuple(round(band.fwhm_nm / 1000, 8) for band in self._bands),
        )
        absent = [] if self._metadata else [layer for layer in QUALITY if layer not in layers]
        self.notes = (
            *(() if self._metadata else (NOMINAL_NOTE,)),
            *_notes(listed, chosen, left_out),
            *(f"no {layer}: {_flag_of(layer)} masks nothing" for layer in absent),
        )

    def _require_usable(self, needed: Sequence[_Band], left_out: dict[int, str]) -> None:
        for band in needed:
            if band.place in left_out:
                raise InputError(
                    f"{self._name}: band {band.name} ({band.centre_nm / 1000:g} µm) cannot be "
                    f"read ({left_out[band.place]}); leave it out"
                )
        if not self._bands:
            raise InputError(
                f"{self._files[IMAGE].label}: no band holds any data; choose another scene"
            )

    # ---- files ----------------------------------------------------------------------------------

    def _check_files(self, bands: int) -> Grid:
        """The one grid of all layers; InputError for one that is no such raster or elsewhere."""
        grid = None
        for layer in (IMAGE, *(layer for layer in QUALITY if layer in self._files)):
            file = self._files[layer]
            due = bands if layer == IMAGE else 1
            try:
                with self._rasters.borrow(file) as dataset:
                    found, count, kind = Grid.of(dataset), dataset.count, dataset.dtypes[0]
                    nodata = dataset.nodata
            except RasterioError as error:
                raise InputError(
                    f"{file.label}: cannot be opened as GeoTIFF; the file is damaged or cut short, "
                    "get it again"
                ) from error
            if count != due and layer == IMAGE and self._metadata is None:
                raise InputError(
                    f"{file.label}: holds {count} bands, but EnMAP has {due}; put the scene's own "
                    f"{METADATA}.XML beside it, which tells which they are"
                )
            if count != due:
                told = f"{METADATA}.XML lists {due}" if layer == IMAGE else "one is due"
                raise InputError(
                    f"{file.label}: holds {count} bands, but {told}; get both files of one product"
                )
            if not np.issubdtype(kind, np.integer):
                raise InputError(f"{file.label}: holds {kind}; an L2A product holds whole numbers")
            if found.crs is None:
                raise InputError(f"{file.label}: has no coordinate reference system")
            if grid is None:
                grid, first = found, file.label
                self._nodata = NODATA if nodata is None else int(nodata)
            grid.require_same(found, f"{file.label} (against {first})")
        return require_place(grid, first)

    def _read(self, layer: str, window: Window, places: Sequence[int]) -> np.ndarray:
        """The stored numbers of bands by their places from 1, (bands, rows, columns)."""
        file = self._files[layer]
        try:
            with self._rasters.borrow(file) as dataset:
                return read_verified(dataset, list(places), window)
        except RasterioError as error:
            raise InputError(
                f"{file.label}: cannot be read at row {window.row_off}, column {window.col_off}; "
                "the file is damaged or cut short, get it again"
            ) from error

    # ---- bands without data ---------------------------------------------------------------------

    def _find_unusable(self, bands: Sequence[_Band]) -> dict[int, str]:
        """Place of each band to leave out -> why, from the metadata first, then from the image."""
        left_out = {}
        told_missing, told_empty = set(), set()
        if self._metadata is not None:
            told_missing, told_empty = _told_missing(self._metadata), _told_empty(self._metadata)
        for band in bands:
            if band.place in told_missing:
                left_out[band.place] = "missing channel"
            elif band.place in told_empty:
                left_out[band.place] = "no data"
        unknown = [band.place for band in bands if band.place not in left_out]
        return left_out | dict.fromkeys(self._find_empty(unknown), "no data")

    def _find_empty(self, places: list[int]) -> list[int]:
        """Those of the image's bands that hold no data in any pixel.

        Some rows spread over the image clear nearly all bands; only those that have nothing there
        are looked through, which is quick, for a band of one number compresses to nearly none.
        """
        height, width = self.grid.shape
        rows = {(2 * index + 1) * height // (2 * SAMPLED_ROWS) for index in range(SAMPLED_ROWS)}
        for row in sorted(rows):
            places = self._still_empty(places, Window(0, row, width, 1))
        step = max(1, BLOCK_BYTES // (2 * width * max(1, len(places))))
        for row in range(0, height, step):
            places = self._still_empty(places, Window(0, row, width, min(step, height - row)))
        return places

    def _still_empty(self, places: list[int], window: Window) -> list[int]:
        if not places:
            return []
        stored = self._read(IMAGE, window, places)
        return [
            place
            for place, numbers in zip(places, stored, strict=True)
            if (numbers == self._nodata).all()
        ]

    # ---- reading --------------------------------------------------------------------------------

    def read_reflectance(self, window: Window) -> np.ndarray:
        """Surface reflectance of a window, (bands, rows, columns) float32, NaN for no data.

        Gain and offset of each band come from the metadata, or are nominal. Numbers a little below
        0 or above 10000 are data. Raises InputError for damaged files.
        """
        stored = self._read(IMAGE, window, self._places)
        values = np.empty(stored.shape, np.float32)
        for block, numbers, band in zip(values, stored, self._bands, strict=True):
            np.multiply(numbers, np.float32(band.gain), out=block)
            block += np.float32(band.offset)
            block[numbers == self._nodata] = np.nan
        return values

    def read_flags(self, window: Window, flags: Sequence[str]) -> np.ndarray:
        """Quality flags of a window, (flags, rows, columns) bool, in the order asked for.

        See FLAG_NUMBERS; `cirrus` is of any thickness, `saturation` of either detector. `fill` is
        the background of CLASSES or, without that layer, no data in the first band; where it is
        set no other flag is. `dilated_cloud` is never set. Raises InputError for an unknown flag,
        and, for a product with metadata, for one whose layer it does not have.
        """
        self.require_flags(flags)
        stored: dict[str, np.ndarray] = {}

        def numbers(layer: str) -> np.ndarray:
            if layer not in stored:
                stored[layer] = self._read(layer, window, [1])[0]
            return stored[layer]

        if CLASSES in self._files:
            fill = np.isin(numbers(CLASSES), FLAG_NUMBERS["fill"][1])
        else:
            fill = self._read(IMAGE, window, self._places[:1])[0] == self._nodata
        layers = np.zeros((len(flags), window.height, window.width), dtype=bool)
        for layer, flag in zip(layers, flags, strict=True):
            if flag == "fill":
                layer[:] = fill
            elif _layer_of(flag) not in self._files:
                continue
            elif flag == "saturation":
                layer[:] = (numbers(TESTFLAGS) & SATURATED_BITS != 0) & ~fill
            else:
                name, which = FLAG_NUMBERS[flag]
                layer[:] = np.isin(numbers(name), which) & ~fill
        return layers

    def require_flags(self, flags: Sequence[str]) -> None:
        """Raise InputError for a flag that is unknown or that this product cannot tell."""
        super().require_flags(flags)
        for flag in flags:
            if self._metadata is None or flag in ("fill", *self.absent_flags):
                continue
            layer = _layer_of(flag)
            if layer not in self._files:
                raise InputError(
                    f"{self._container.path}: has no *-{layer}.TIF; get the whole product, or "
                    f"leave {flag} out of the mask flags"
                )

    def close(self) -> None:
        """Close all files and remove what was unpacked."""
        self._rasters.close()
        self._container.close()


@names_its_product
def open_product(path: str | Path, bands: Sequence[str] | None = None) -> EnmapProduct:
    """Open an EnMAP Level-2A product: a folder, a .zip, a .tar or a .tar.gz.

    bands: those to read ("B001"), in this order; None: all that hold data, by wavelength.

    Raises InputError, naming file or element, for: no such product or several; rasters that neither
    METADATA.XML nor native names tell to be of Level 2A, and without the former other than 224
    bands; another level; XML that is damaged, lacks a needed element or declares a document
    type; bands that are not 1 to n, or in no order of one or two detectors; a scale that is none;
    a missing SPECTRAL_IMAGE, or one of another number of bands; layers that do not lie on each
    other; unknown bands, and bands that hold no data; a damaged archive or one with members that
    point outside, links, or files larger than an EnMAP product has.
    """
    container = open_container(Path(path))
    with ExitStack() as cleanup:
        cleanup.callback(container.close)
        product = EnmapProduct(container, bands)
        cleanup.pop_all()
    return product


def _locate(container: Container, layers: dict[str, str]) -> dict[str, RasterFile]:
    names = {layer: name for layer, name in layers.items() if layer != METADATA}
    paths = container.locate(list(names.values()))
    return {
        # Only GeoTIFF: a file of another format under this name could point anywhere.
        layer: RasterFile(paths[name], container.label(name), 30, "GTiff")
        for layer, name in names.items()
    }


def _layer_of(flag: str) -> str:
    """The quality layer that tells a flag; empty for a flag that none does."""
    return TESTFLAGS if flag == "saturation" else FLAG_NUMBERS.get(flag, ("",))[0]


def _flag_of(layer: str) -> str:
    """The flag of a quality layer, of CLASSES the one beside fill, which the image tells too."""
    return next(flag for flag in FLAGS if flag != "fill" and _layer_of(flag) == layer)


# ---- metadata -----------------------------------------------------------------------------------


def _read_names(container: Container, layers: dict[str, str]) -> _Told:
    """What the name of the image tells, with EnMAP's nominal bands."""
    told = read_name(layers[IMAGE])
    nominal = enmap_bands()
    bands = tuple(
        _Band(place, round(1000 * centre, 2), round(1000 * width, 2), GAIN, 0.0)
        for place, (centre, width) in enumerate(
            zip(nominal.centre_um, nominal.fwhm_um, strict=True), start=1
        )
    )
    return _Told(
        source=container.label(layers[IMAGE]),
        product_id=told.name,
        collection=told.version,
        # Our simulator's products have a number that no datatake has.
        synthetic=told.datatake == 0,
        acquired=told.acquired.replace(tzinfo=None).isoformat() + "Z",
        sun_elevation_deg=None,
        bands=bands,
        metadata=None,
    )


def _read_metadata(container: Container, layers: dict[str, str]) -> _Told:
    metadata = _open_metadata(container, layers[METADATA])
    sun = "specific/sunElevationAngle/center"
    stem = metadata.find("metadata/name") or PurePosixPath(layers[METADATA]).name
    return _Told(
        source=metadata.name,
        product_id=stem.rpartition(f"-{METADATA}")[0] or stem,
        collection=metadata.text("base/revision"),
        synthetic="gossan" in (metadata.find("metadata/comment") or "").lower(),
        acquired=_acquired(metadata),
        # Surface reflectance is made of daylight.
        sun_elevation_deg=require_within(
            metadata.number(sun), (0.0, 90.0), metadata.name, sun, "degrees"
        ),
        bands=_list_bands(metadata),
        metadata=metadata,
    )


def _open_metadata(container: Container, name: str) -> XmlMetadata:
    metadata = XmlMetadata(container.read_metadata(name), container.label(name))
    if metadata.root.tag != "level_X":
        raise InputError(
            f"{metadata.name}: its outermost element is {metadata.root.tag}, not level_X; "
            "not the metadata of an EnMAP product"
        )
    level = metadata.text("base/level")
    if level.upper() != EnmapProduct.level:
        raise InputError(f"{metadata.name}: base/level = {level}; Level L2A is needed")
    return metadata


def _acquired(metadata: XmlMetadata) -> str:
    path = "base/temporalCoverage/startTime"
    text = metadata.text(path)
    moment = read_moment(text, metadata.name, path)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _list_bands(metadata: XmlMetadata) -> tuple[_Band, ...]:
    """All bands by their place in the image."""
    path = "specific/bandCharacterisation/bandID"
    entries = metadata.root.findall(path)
    if not entries:
        raise InputError(f"{metadata.name}: element {path} is missing")
    if [entry.get("number") for entry in entries] != [str(n + 1) for n in range(len(entries))]:
        raise InputError(
            f"{metadata.name}: the numbers of {path} are not 1 to {len(entries)}; get the "
            "product's own metadata again"
        )
    bands = []
    for place, entry in enumerate(entries, start=1):
        values = [
            metadata.as_number(f"{key} of band {place}", entry.findtext(key))
            for key in ("wavelengthCenterOfBand", "FWHMOfBand", "GainOfBand", "OffsetOfBand")
        ]
        band = _Band(place, *values)
        if not LEAST_NM <= band.centre_nm <= MOST_NM or not 0 < band.fwhm_nm < 100:
            raise InputError(
                f"{metadata.name}: band {place} has centre {band.centre_nm:g} and width "
                f"{band.fwhm_nm:g}, which are no wavelengths of EnMAP in nm"
            )
        require_within(band.gain, near(GAIN), metadata.name, f"GainOfBand of band {place}")
        require_within(band.offset, _OFFSETS, metadata.name, f"OffsetOfBand of band {place}")
        bands.append(band)
    # One run of ascending wavelengths, or VNIR and SWIR one after the other.
    if sum(later.centre_nm <= band.centre_nm for band, later in pairwise(bands)) > 1:
        raise InputError(
            f"{metadata.name}: wavelengthCenterOfBand ascends neither over all bands nor in each "
            "detector; get the product's own metadata again"
        )
    return tuple(bands)


def _choose(listed: Sequence[_Band], names: Sequence[str] | None, source: str) -> tuple[_Band, ...]:
    """The bands to read: those named, in their order, or all by wavelength."""
    if names is None:
        return tuple(sorted(listed, key=lambda band: band.centre_nm))
    known = {band.name: band for band in listed}
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise InputError(
            f"{source}: has no band {', '.join(unknown) or '(none named)'}; choose from "
            f"{listed[0].name} to {listed[-1].name}"
        )
    return tuple(known[name] for name in names)


def _told_missing(metadata: XmlMetadata) -> set[int]:
    """Places of the channels that the quality of either detector calls missing."""
    places = set()
    for detector in ("vnir", "swir"):
        path = f"specific/{detector}ProductQuality/missingChannelsList"
        for text in (metadata.find(path) or "").replace(",", " ").split():
            places.add(int(metadata.as_number(path, text)))
    return places


def _told_empty(metadata: XmlMetadata) -> set[int]:
    """Places of the bands whose statistics say that they hold no number."""
    places = set()
    for entry in metadata.root.findall("product/bandStatistics/bandID"):
        number = entry.get("number")
        mean, deviation = (
            metadata.as_number(f"{key} of bandStatistics {number}", entry.findtext(key))
            for key in ("mean", "stdDeviation")
        )
        if (mean, deviation) == (NO_MEAN, NO_DEVIATION):
            places.add(int(metadata.as_number("bandStatistics/bandID", number)))
    return places


def _notes(
    listed: Sequence[_Band], chosen: Sequence[_Band], left_out: dict[int, str]
) -> tuple[str, ...]:
    notes = []
    for reason in ("missing channel", "no data"):
        bands = [band for band in chosen if left_out.get(band.place) == reason]
        if bands:
            notes.append(f"bands left out ({reason}): {_ranges(bands)}")
    if any(later.centre_nm <= band.centre_nm for band, later in pairwise(listed)):
        notes.append("bands of the image are in the order of the detectors, here by wavelength")
    return tuple(notes)


def _ranges(bands: Sequence[_Band]) -> str:
    """ "B130-B135 (1.343-1.391 µm), B164 (1.939 µm)"."""
    runs: list[list[_Band]] = []
    for band in sorted(bands, key=lambda band: band.place):
        if runs and band.place == runs[-1][-1].place + 1:
            runs[-1].append(band)
        else:
            runs.append([band])
    return ", ".join(
        f"{_span([band.name for band in run])} "
        f"({_span([f'{band.centre_nm / 1000:.3f}' for band in run])} µm)"
        for run in runs
    )


def _span(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{texts[0]}-{texts[-1]}"
