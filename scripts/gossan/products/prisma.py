"""PRISMA Level-2D products (.he5): bands in order, calibration, grid and flags.

Layout after ASI's PRISMA Products Specification Document, issue 2.3. Reflectance = least +
number * (most - least) / 65535, limits from the attributes L2Scale*Min and *Max. Cubes are stored
as rows x bands x columns and both detectors' bands by falling wavelength. The easting and northing
of the corners are those of the centres of the corner pixels: so do the product's own Latitude and
Longitude have it (in PRS_L2D_STD_20240402102837 within 0.2 m), though the document does not say.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.paths import list_files
from gossan.products.plausible import (
    MOST_SIDE,
    names_its_product,
    read_moment,
    require_azimuth,
    require_place,
    require_within,
)
from gossan.products.product import FLAGS, Product
from gossan.raster import BandTable, Grid

SWATH = "HDFEOS/SWATHS/PRS_L2D_HCO"
PIXEL_M = 30
MOST_NUMBER = 65535
# Detector, as attributes spell it -> how its bands' names begin and how many digits follow.
DETECTORS = {"Vnir": ("V", 2), "Swir": ("S", 3)}

# Codes of the matrices of errors. What is saturated is 3 in the document and 4 in products.
INVALID, NEGATIVE, LEAST_SATURATED = 1, 2, 3

_TOLD_FLAGS = ("fill", "saturation")

# Wavelengths (nm) that a band of either detector may have.
_RANGE_NM = (300.0, 2700.0)
# The least and the most reflectance that the numbers of a cube may stand for.
_LEAST_REFLECTANCE, _MOST_REFLECTANCE = (-1.0, 0.5), (0.05, 5.0)
_WIDEST_NM = 50.0
# Corners are read as true within this many metres: some writers hold them in single precision.
_CORNER_TOLERANCE_M = 1.5
# Rows, spread over the scene, in which bands without any number are looked for.
_SAMPLED_ROWS = 16
_SHIFT_NOTED_PX = 0.25


class _Attributes:
    """The file's global attributes, with errors that name file and attribute."""

    def __init__(self, file: h5py.File, name: str):
        self._file = file
        self.name = name

    def find(self, key: str) -> np.ndarray | None:
        try:
            return np.asarray(self._file.attrs[key]) if key in self._file.attrs else None
        except (OSError, TypeError, ValueError) as error:
            raise InputError(f"{self.name}: attribute {key} cannot be read ({error})") from error

    def find_text(self, key: str) -> str | None:
        value = self.find(key)
        if value is None or value.size != 1:
            return None
        content = value.reshape(-1)[0]
        text = content.decode("utf-8", "replace") if isinstance(content, bytes) else str(content)
        return text.strip("\0 ")

    def text(self, key: str) -> str:
        value = self.find_text(key)
        if not value:
            raise InputError(f"{self.name}: attribute {key} is missing; get the whole L2D product")
        return value

    def number(self, key: str) -> float:
        text = self.text(key)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise InputError(f"{self.name}: attribute {key} = {text} is not a number")
        return value

    def numbers(self, key: str, count: int) -> np.ndarray:
        value = self.find(key)
        if value is None:
            raise InputError(f"{self.name}: attribute {key} is missing; get the whole L2D product")
        if value.dtype.kind not in "iuf" or value.shape != (count,):
            raise InputError(
                f"{self.name}: attribute {key} holds {value.size} value(s) of {value.dtype}, but "
                f"the cube has {count} bands; get the product again"
            )
        return value.astype(float)


@dataclass(frozen=True)
class _Detector:
    """One cube: its data, errors, scale, and the bands that hold measurements.

    `places` are those bands' places in the cube, from 0; centre and width (µm) go with them.
    """

    name: str
    cube: h5py.Dataset
    errors: h5py.Dataset
    least: float
    step: float
    places: np.ndarray
    centre_um: np.ndarray
    fwhm_um: np.ndarray

    def band_names(self, places: Sequence[int]) -> tuple[str, ...]:
        letter, digits = DETECTORS[self.name]
        return tuple(f"{letter}{place + 1:0{digits}d}" for place in places)

    def keep(self, mask: np.ndarray) -> _Detector:
        return _Detector(
            self.name,
            self.cube,
            self.errors,
            self.least,
            self.step,
            self.places[mask],
            self.centre_um[mask],
            self.fwhm_um[mask],
        )


class PrismaProduct(Product):
    """One Level-2D product, read by windows from any thread; HDF5 itself takes one at a time.

    Attributes: as `Product` says, and `sun_azimuth_deg` (None if not told). `sensor`
    is "PRISMA HYC", `level` "L2D", `collection` the version of ASI's processor; `acquired` is the
    start, ISO 8601 in UTC.

    Bands are named by detector and place in the file, "V01" (the VNIR's longest wavelength) to
    "S173", and stand by ascending wavelength. Left out, and named in `notes`: bands that the
    product does not use, bands without any number, and one of each two bands where the detectors
    overlap, near 0.94-0.98 µm. There the VNIR's are kept up to the middle of the overlap and the
    SWIR's above it: the response of either falls towards its own end, so each half comes from the
    detector that is farther from its end, and no wavelength is counted twice.
    """

    spacecraft = "PRISMA"
    sensor = "PRISMA HYC"
    scaled_by = "the attributes L2ScaleVnirMax and L2ScaleSwirMax"
    level = "L2D"
    surface_reflectance = True
    absent_flags = tuple(flag for flag in FLAGS if flag not in _TOLD_FLAGS)

    def __init__(self, path: Path, bands: Sequence[str] | None = None):
        """Read and check the metadata; raises InputError as `open_product` says."""
        self._name = str(path)
        self._lock = threading.Lock()
        self._file = _open_file(path)
        try:
            self._describe(_Attributes(self._file, self._name), bands)
        except BaseException:
            self.close()
            raise

    def _describe(self, attributes: _Attributes, bands: Sequence[str] | None) -> None:
        _require_level(attributes)
        detectors = [_detector(self._file, attributes, name) for name in DETECTORS]
        shapes = {(d.cube.shape[0], d.cube.shape[2]) for d in detectors}
        if len(shapes) > 1:
            raise InputError(
                f"{self._name}: VNIR_Cube and SWIR_Cube are of different sizes {sorted(shapes)}; "
                "get the product again"
            )
        self.product_id = attributes.text("Product_Name").removesuffix(".he5")
        self.collection = attributes.find_text("Processor_Version") or ""
        self.synthetic = "gossan" in (attributes.find_text("Processor_Name") or "").lower()
        self.acquired = _acquired(attributes)
        zenith = require_within(
            attributes.number("Sun_zenith_angle"), (0, 90), self._name, "Sun_zenith_angle"
        )
        self.sun_elevation_deg = 90.0 - zenith
        azimuth = attributes.find_text("Sun_azimuth_angle")
        self.sun_azimuth_deg = None
        if azimuth:
            key = "Sun_azimuth_angle"
            self.sun_azimuth_deg = require_azimuth(attributes.number(key), self._name, key)
        self.grid = require_place(_read_grid(attributes, shapes.pop()), self._name)
        # Where any of these has a number, a pixel was seen.
        self._seen_by = tuple(detectors)
        notes: list[str] = []
        detectors = _without_overlap(self._without_empty(detectors, notes), notes)
        self.bands, self._detectors, self._order = self._select(detectors, bands)
        self.notes = (*self._unused_notes(), *notes, *self._shift_notes())

    def _without_empty(self, detectors: Sequence[_Detector], notes: list[str]) -> list[_Detector]:
        rows = np.unique(np.linspace(0, self.grid.height - 1, _SAMPLED_ROWS).round().astype(int))
        width = self.grid.width
        filled = [np.zeros(detector.cube.shape[1], bool) for detector in detectors]
        for row in rows:
            for found, detector in zip(filled, detectors, strict=True):
                found |= self._read(detector.cube, Window(0, row, width, 1)).any(axis=(1, 2))
        if not any(found.any() for found in filled):
            # Nothing is known of a scene whose sampled rows all lie outside of the swath.
            return list(detectors)
        kept = []
        for found, detector in zip(filled, detectors, strict=True):
            mask = found[detector.places]
            kept.append(detector.keep(mask))
            if not mask.all():
                names = ", ".join(detector.band_names(detector.places[~mask]))
                notes.append(f"bands {names}: hold no number, left out")
        return kept

    def _unused_notes(self) -> list[str]:
        unused = [
            name
            for detector in self._seen_by
            for name in detector.band_names(
                np.setdiff1d(np.arange(detector.cube.shape[1]), detector.places)
            )
        ]
        return [f"bands {', '.join(unused)}: not used by the product"] if unused else []

    def _select(
        self, detectors: Sequence[_Detector], bands: Sequence[str] | None
    ) -> tuple[BandTable, list[_Detector], np.ndarray]:
        """The table of `bands`, detectors with these alone, and the place of each in the table."""
        names = [name for d in detectors for name in d.band_names(d.places)]
        centre = np.concatenate([detector.centre_um for detector in detectors])
        fwhm = np.concatenate([detector.fwhm_um for detector in detectors])
        ascending = np.argsort(centre, kind="stable")
        if bands is None:
            bands = [names[index] for index in ascending]
        missing = [band for band in bands if band not in names]
        if missing or not bands:
            raise InputError(
                f"{self._name}: no usable band {', '.join(missing) or '(none named)'}; choose from "
                f"{names[ascending[0]]} ({centre[ascending[0]]:.4f} µm) to "
                f"{names[ascending[-1]]} ({centre[ascending[-1]]:.4f} µm)"
            )
        if len(set(bands)) < len(bands):
            raise InputError(f"{self._name}: bands {' '.join(bands)}: one is named twice")
        chosen = np.array([names.index(band) for band in bands])
        table = BandTable(
            tuple(bands),
            tuple(round(float(value), 7) for value in centre[chosen]),
            tuple(round(float(value), 7) for value in fwhm[chosen]),
        )
        kept, first, order = [], 0, []
        for detector in detectors:
            mask = np.isin(np.arange(first, first + len(detector.places)), chosen)
            kept.append(detector.keep(mask))
            order += [int(np.flatnonzero(chosen == first + i)[0]) for i in np.flatnonzero(mask)]
            first += len(detector.places)
        return table, kept, np.array(order)

    def _shift_notes(self) -> list[str]:
        """A note where Latitude and Longitude have the middle pixel elsewhere than its corners."""
        row, column = self.grid.height // 2, self.grid.width // 2
        place = []
        for key in ("Longitude", "Latitude"):
            dataset = self._file.get(f"{SWATH}/Geolocation Fields/{key}")
            if not isinstance(dataset, h5py.Dataset) or dataset.shape != self.grid.shape:
                return []
            place.append(float(dataset[row, column]))
        if not all(map(math.isfinite, place)) or place == [0.0, 0.0]:
            return []
        (x,), (y,) = transform_points(CRS.from_epsg(4326), self.grid.crs, [place[0]], [place[1]])
        shift = math.dist((x, y), self.grid.place(column + 0.5, row + 0.5))
        if shift <= _SHIFT_NOTED_PX * PIXEL_M:
            return []
        return [f"Latitude and Longitude lie {shift:.0f} m from where the corners have the pixels"]

    def read_reflectance(self, window: Window) -> np.ndarray:
        """Surface reflectance of a window, (bands, rows, columns) float32, NaN for no data.

        No data: pixels without a number in any band, which lie outside of the swath, and where the
        matrix of errors has "invalid" in a band. Numbers that the atmospheric correction had to cut
        off, negative or saturated ones, are data. Raises InputError for damaged files.
        """
        values = np.empty((len(self.bands.names), window.height, window.width), np.float32)
        first = 0
        for detector in self._detectors:
            places = self._order[first : first + len(detector.places)]
            first += len(detector.places)
            if not len(places):
                continue
            stored = self._read(detector.cube, window)[detector.places].astype(np.float32)
            stored *= np.float32(detector.step)
            stored += np.float32(detector.least)
            errors = self._read(detector.errors, window)[detector.places]
            stored[errors == INVALID] = np.nan
            values[places] = stored
        values[:, self._read_fill(window)] = np.nan
        return values

    def read_flags(self, window: Window, flags: Sequence[str]) -> np.ndarray:
        """Quality flags of a window, (flags, rows, columns) bool, in the order asked for.

        `fill`: no band has a number. `saturation`: any of the bands is. The others (`absent_flags`)
        are never set: L2D has no cloud mask. Raises InputError for an unknown flag.
        """
        self.require_flags(flags)
        layers = np.zeros((len(flags), window.height, window.width), dtype=bool)
        for layer, flag in zip(layers, flags, strict=True):
            if flag == "fill":
                layer[:] = self._read_fill(window)
            elif flag == "saturation":
                for detector in self._detectors:
                    errors = self._read(detector.errors, window)[detector.places]
                    layer |= (errors >= LEAST_SATURATED).any(axis=0)
        return layers

    def _read_fill(self, window: Window) -> np.ndarray:
        fill = np.ones((window.height, window.width), bool)
        for detector in self._seen_by:
            # Nearly always the first detector has seen all.
            if fill.any():
                fill &= ~self._read(detector.cube, window)[detector.places].any(axis=0)
        return fill

    def _read(self, dataset: h5py.Dataset, window: Window) -> np.ndarray:
        """The stored numbers of a window, (bands, rows, columns)."""
        rows, columns = (slice(int(s.start), int(s.stop)) for s in window.toslices())
        try:
            with self._lock:
                stored = dataset[rows, :, columns]
        except (OSError, RuntimeError, ValueError) as error:
            raise InputError(
                f"{self._name}: {dataset.name} cannot be read at row {rows.start}; the file is "
                "damaged or cut short, get it again"
            ) from error
        return stored.transpose(1, 0, 2)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()


@names_its_product
def open_product(path: str | Path, bands: Sequence[str] | None = None) -> PrismaProduct:
    """Open a PRISMA Level-2D .he5 file, or the one in a folder.

    bands: those to read, of V01-V66 and S001-S173, in their order (None: all usable ones, by
    ascending wavelength).

    Raises InputError, naming file, attribute or dataset, for: no such file; several in a folder; a
    file that is not HDF5 or is cut short; another level than L2D; a missing cube, matrix of errors
    or attribute, or one that is kept in another file; wavelengths that do not go with the cube or
    are out of order; corners that are not 30 m pixels; a band that the product cannot give.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: does not exist; name a PRISMA L2D .he5 file")
    if path.is_dir():
        found = [entry for entry in list_files(path) if entry.suffix.lower() == ".he5"]
        if len(found) != 1:
            raise InputError(
                f"{path}: holds {len(found) or 'no'} .he5 file{'s' * (len(found) != 1)}; name the "
                "one to read"
            )
        path = found[0]
    return PrismaProduct(path, bands)


# ---- metadata -----------------------------------------------------------------------------------


def _open_file(path: Path) -> h5py.File:
    try:
        if not h5py.is_hdf5(path):
            raise InputError(f"{path}: is not an HDF5 file; name a PRISMA L2D .he5 file")
        return h5py.File(path, "r")
    except OSError as error:
        raise InputError(
            f"{path}: cannot be opened as HDF5 ({error}); the file is damaged or cut short, get "
            "it again"
        ) from error


def _require_level(attributes: _Attributes) -> None:
    level = attributes.find_text("Processing_Level")
    if not level:
        raise InputError(
            f"{attributes.name}: has no attribute Processing_Level; not a PRISMA product"
        )
    if level.upper().removeprefix("L") != "2D":
        raise InputError(
            f"{attributes.name}: is Level {level}, not reflectance on a map grid; get the L2D "
            "product of this image"
        )


def _dataset(file: h5py.File, path: str, name: str) -> h5py.Dataset:
    """A dataset that the file itself holds."""
    group: object = file
    for part in path.split("/"):
        link = group.get(part, getlink=True) if isinstance(group, h5py.Group) else None
        if link is None:
            raise InputError(f"{name}: has no {path}; get the whole L2D product")
        if isinstance(link, h5py.ExternalLink):
            raise InputError(f"{name}: {path} is a link to another file; refused")
        try:
            group = group[part]
        except (KeyError, OSError, RuntimeError) as error:
            raise InputError(f"{name}: {path} cannot be opened; get the file again") from error
    if not isinstance(group, h5py.Dataset):
        raise InputError(f"{name}: {path} is not a dataset; get the whole L2D product")
    if group.external or group.is_virtual:
        raise InputError(f"{name}: {path} keeps its data in another file; refused")
    return group


def _detector(file: h5py.File, attributes: _Attributes, detector: str) -> _Detector:
    name = attributes.name
    fields = f"{SWATH}/Data Fields/{detector.upper()}"
    cube = _dataset(file, f"{fields}_Cube", name)
    errors = _dataset(file, f"{fields}_PIXEL_L2_ERR_MATRIX", name)
    if cube.ndim != 3 or cube.dtype != np.uint16:
        raise InputError(
            f"{name}: {cube.name} is {cube.ndim}-dimensional {cube.dtype}; rows x bands x columns "
            "of uint16 are due"
        )
    if max(cube.shape) > MOST_SIDE:
        raise InputError(f"{name}: {cube.name} is {cube.shape}, larger than any product; refused")
    if errors.shape != cube.shape or errors.dtype.kind not in "iu":
        raise InputError(f"{name}: {errors.name} does not go with the cube; get the product again")
    least, most = (
        require_within(attributes.number(key), limits, name, key)
        for key, limits in (
            (f"L2Scale{detector}Min", _LEAST_REFLECTANCE),
            (f"L2Scale{detector}Max", _MOST_REFLECTANCE),
        )
    )
    if not most > least:
        raise InputError(
            f"{name}: L2Scale{detector}Max = {most:g} is not above L2Scale{detector}Min = {least:g}"
        )
    count = cube.shape[1]
    centre_nm = attributes.numbers(f"List_Cw_{detector}", count)
    fwhm_nm = attributes.numbers(f"List_Fwhm_{detector}", count)
    used = attributes.numbers(f"List_Cw_{detector}_Flags", count) != 0
    _check_wavelengths(name, detector, centre_nm[used], fwhm_nm[used])
    return _Detector(
        detector,
        cube,
        errors,
        least,
        (most - least) / MOST_NUMBER,
        np.flatnonzero(used),
        centre_nm[used] / 1000,
        fwhm_nm[used] / 1000,
    )


def _check_wavelengths(name: str, detector: str, centre: np.ndarray, fwhm: np.ndarray) -> None:
    key = f"List_Cw_{detector}"
    if not centre.size:
        raise InputError(f"{name}: {key}_Flags says that no band is used; get the product again")
    low, high = _RANGE_NM
    if not (np.isfinite(centre) & (centre >= low) & (centre <= high)).all():
        raise InputError(
            f"{name}: {key} has a used band outside of {low:g}-{high:g} nm; get the product again"
        )
    steps = np.diff(centre)
    if not ((steps < 0).all() or (steps > 0).all()):
        raise InputError(
            f"{name}: {key} is out of order, so that its bands cannot be told apart; get the "
            "product again"
        )
    if not (np.isfinite(fwhm) & (fwhm > 0)).all():
        raise InputError(f"{name}: List_Fwhm_{detector} has a used band without a width")
    require_within(fwhm.max(), (0, _WIDEST_NM), name, f"List_Fwhm_{detector}", "nm")


def _without_overlap(detectors: Sequence[_Detector], notes: list[str]) -> list[_Detector]:
    """Detectors without their bands beyond the middle of the range that both see."""
    vnir, swir = detectors
    if not (vnir.places.size and swir.places.size):
        return [vnir, swir]
    low, high = swir.centre_um.min(), vnir.centre_um.max()
    if low > high:
        return [vnir, swir]
    middle = (low + high) / 2
    keep_vnir, keep_swir = vnir.centre_um <= middle, swir.centre_um > middle
    names = vnir.band_names(vnir.places[~keep_vnir]) + swir.band_names(swir.places[~keep_swir])
    notes.append(
        f"bands {', '.join(names)}: left out, both detectors see {low:.4f}-{high:.4f} µm; the VNIR "
        f"is taken up to {middle:.4f} µm, the SWIR above"
    )
    return [vnir.keep(keep_vnir), swir.keep(keep_swir)]


def _acquired(attributes: _Attributes) -> str:
    text = attributes.text("Product_StartTime")
    moment = read_moment(text, attributes.name, "attribute Product_StartTime", "PRISMA")
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _read_grid(attributes: _Attributes, shape: tuple[int, int]) -> Grid:
    """The grid of 30 m pixels whose first and last have their centres at the corners told."""
    height, width = shape
    code = attributes.number("Epsg_Code")
    try:
        crs = CRS.from_epsg(int(require_within(code, (1, 1e6), attributes.name, "Epsg_Code")))
    except CRSError as error:
        raise InputError(f"{attributes.name}: attribute Epsg_Code = {code:g} is unknown") from error
    if not crs.is_projected:
        raise InputError(f"{attributes.name}: Epsg_Code = {code:g} is no projected system")
    axes = ("easting", "northing")
    first = tuple(attributes.number(f"Product_ULcorner_{axis}") for axis in axes)
    last = tuple(attributes.number(f"Product_LRcorner_{axis}") for axis in axes)
    expected = (first[0] + PIXEL_M * (width - 1), first[1] - PIXEL_M * (height - 1))
    if max(abs(a - b) for a, b in zip(last, expected, strict=True)) > _CORNER_TOLERANCE_M:
        raise InputError(
            f"{attributes.name}: {width} x {height} pixels do not fill the corners "
            f"{first} to {last} (Product_ULcorner, Product_LRcorner) with {PIXEL_M} m each, north "
            "up; get the product again"
        )
    west, north = first[0] - PIXEL_M / 2, first[1] + PIXEL_M / 2
    return Grid(crs, Affine(PIXEL_M, 0, west, 0, -PIXEL_M, north), width, height)
