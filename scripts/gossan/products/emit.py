"""EMIT Level-2A surface reflectance: a netCDF-4 swath, orthorectified by its lookup table.

Layout after the EMIT L2A User Guide (NASA LP DAAC) and the mission's own converter: reflectance
lies in the sensor's lines and samples, and `location/glt_x`, `glt_y` tell for each pixel of a
regular grid of longitude and latitude which sample and line lies there, counted from 1, or 0 where
none does. `geotransform` is GDAL's: it begins at the outer corner of the first pixel. Cloud and
other flags stand in a file of their own, EMIT_L2A_MASK, which is read if it lies beside.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

import h5py
import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.paths import find_beside, list_files
from gossan.products.plausible import (
    MOST_SIDE,
    names_its_product,
    near,
    read_moment,
    require_place,
    require_within,
)
from gossan.products.product import Product
from gossan.products.sun import sun_position
from gossan.raster import BandTable, Grid
from gossan.units import read_unit, to_micrometres, widths_to_micrometres

LEVEL = "L2A"
FLAGS = (*Product.flags, "spacecraft", "aggregate")
# Flag -> label of its layer in a mask file, in small letters. Versions of the product order their
# layers differently, and write "flag" and "Flag".
MASK_LABELS = {
    "dilated_cloud": "dilated cloud flag",
    "cirrus": "cirrus flag",
    "cloud": "cloud flag",
    "water": "water flag",
    "spacecraft": "spacecraft flag",
    "aggregate": "aggregate flag",
}
FILL = -9999.0
# A pixel's side of every EMIT product, some 60 m.
_PIXEL_DEG = 0.000542
# Shortest and longest wavelength (nm) that a list in nanometres can hold.
_PLAUSIBLE_NM = (200.0, 3000.0)
_WIDEST_NM = 50.0
# So much of the swath is read at once: a window of the grid lies aslant in it.
_STRIP_BYTES = 16 << 20
_GLT_STRIP_ROWS = 512
_DAMAGED = (OSError, RuntimeError, KeyError, ValueError)


class EmitFile:
    """One HDF5 file, with errors that name it.

    No lock is needed: h5py lets only one thread at a time into the HDF5 library.
    """

    def __init__(self, path: Path):
        """Open it; InputError if it is none."""
        self.path = path
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            why = "is damaged or cut short" if h5py.is_hdf5(path) else "is no netCDF-4 file (HDF5)"
            raise InputError(f"{path}: {why}; get the EMIT product again") from error

    def close(self) -> None:
        """Close it."""
        self._file.close()

    @contextmanager
    def reading(self, what: str) -> Iterator[None]:
        """Tell what of a damaged file cannot be read."""
        try:
            yield
        except _DAMAGED as error:
            raise InputError(
                f"{self.path}: {what} cannot be read; the file is damaged or cut short, get it "
                "again"
            ) from error

    def text(self, name: str) -> str:
        """An attribute of the root as text, "" if it is missing."""
        with self.reading(f"attribute {name}"):
            return _as_text(self._file.attrs.get(name, ""))

    def texts(self) -> list[str]:
        """All attributes of the root as text."""
        return [self.text(name) for name in self._file.attrs]

    def numbers(self, name: str, count: int) -> tuple[float, ...]:
        """A numeric attribute of the root, `count` finite numbers."""
        if name not in self._file.attrs:
            raise InputError(f"{self.path}: attribute {name} is missing; get the whole product")
        try:
            values = tuple(np.asarray(self._file.attrs[name], float).ravel().tolist())
        except _DAMAGED:
            values = ()
        if len(values) != count or not all(map(math.isfinite, values)):
            raise InputError(f"{self.path}: attribute {name} is not {count} numbers")
        return values

    def holds(self, name: str) -> bool:
        """Whether it has a group or variable."""
        return name in self._file

    def variable(self, name: str, dimensions: int, kind: type = np.number) -> h5py.Dataset:
        """A variable "name" or "group/name" of so many dimensions, its values of `kind`.

        Its data must lie in this very file, because HDF5 could fetch them from any other.
        """
        group = name.rpartition("/")[0]
        if group and not self.holds(group):
            raise InputError(f"{self.path}: group {group} is missing; get the whole product")
        if not self.holds(name):
            raise InputError(f"{self.path}: variable {name} is missing; get the whole product")
        with self.reading(f"variable {name}"):
            found = self._file[name]
        if not isinstance(found, h5py.Dataset):
            raise InputError(f"{self.path}: {name} is a group; a variable is due")
        if found.external or found.is_virtual or found.file.filename != self._file.filename:
            raise InputError(f"{self.path}: variable {name} points to another file; refused")
        if max(found.shape, default=0) > MOST_SIDE:
            raise InputError(
                f"{self.path}: variable {name} is {found.shape}, larger than any product; refused"
            )
        if found.ndim != dimensions or not np.issubdtype(found.dtype, kind):
            raise InputError(
                f"{self.path}: variable {name} is {found.dtype} {found.shape}; "
                f"{dimensions} dimensions of {kind.__name__} are due"
            )
        return found

    def vector(self, name: str, count: int) -> np.ndarray:
        """A variable of one dimension that has one finite number for each band, float64."""
        found = self.variable(name, 1)
        if len(found) != count:
            raise InputError(
                f"{self.path}: {name} has {len(found)} numbers where reflectance has {count} bands"
            )
        with self.reading(name):
            values = found[:].astype(float)
        if not np.isfinite(values).all():
            raise InputError(f"{self.path}: {name} holds something that is not a number")
        return values

    def unit(self, name: str) -> str:
        """The attribute `units` of a variable, "" if it is missing."""
        with self.reading(f"attribute units of {name}"):
            return _as_text(self._file[name].attrs.get("units", ""))

    def labels(self, name: str) -> list[str]:
        """A variable of text, in small letters with single blanks."""
        found = self.variable(name, 1, np.generic)
        if h5py.check_string_dtype(found.dtype) is None:
            raise InputError(f"{self.path}: variable {name} is {found.dtype}; text is due")
        with self.reading(name):
            return [" ".join(text.lower().split()) for text in found.asstr(errors="replace")[:]]

    def gather(
        self, found: h5py.Dataset, rows: np.ndarray, columns: np.ndarray, bands: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Parts of the pixels at (rows, columns), counted from 0: (their places, values).

        Yields places (n,) in the arguments and values (n, bands) float32, a strip of lines of the
        swath after the other, so that memory is bounded however the pixels lie.
        """
        order = np.argsort(rows, kind="stable")
        ranked = rows[order]
        first, last = int(bands.min()), int(bands.max()) + 1
        line_bytes = max(1, found.shape[1] * (last - first) * found.dtype.itemsize)
        step = max(1, _STRIP_BYTES // line_bytes)
        if found.chunks:
            # Lines that are packed together are unpacked together.
            step = -(-step // found.chunks[0]) * found.chunks[0]
        begin = 0
        while begin < len(order):
            top = int(ranked[begin]) // step * step
            end = int(np.searchsorted(ranked, top + step))
            places = order[begin:end]
            begin = end
            row, column = rows[places], columns[places]
            lowest, left = int(row.max()) + 1, int(column.min())
            top = int(row.min())
            with self.reading(f"{found.name} at line {top}"):
                block = found[top:lowest, left : int(column.max()) + 1, first:last]
            yield places, block[row - top, column - left][:, bands - first].astype(np.float32)


def _as_text(value: object) -> str:
    """An attribute's value as text; of an array the first."""
    if isinstance(value, np.ndarray):
        value = value.ravel()[0] if value.size else ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


class EmitProduct(Product):
    """One EMIT L2A scene on its grid of longitude and latitude, read by windows in any thread.

    Attributes: as `product.Product` says. `acquired` is the start of the scene, ISO 8601
    in UTC. The file does not tell the sun's elevation: `sun_elevation_deg` is computed for the
    grid's centre and the middle of the scene's time. Bands keep the number of their place in the
    file ("B001" to "B285"); those that the product calls bad are left out.
    """

    level = LEVEL
    sensor = "EMIT"
    scaled_by = "the variable reflectance, which is a fraction"
    surface_reflectance = True
    flags = FLAGS

    def __init__(self, path: Path, bands: Sequence[str] | None = None):
        """Open and check the files; raises InputError as `open_product` says."""
        with ExitStack() as cleanup:
            self._file = file = EmitFile(path)
            cleanup.callback(file.close)
            _require_level(file)
            self._reflectance = file.variable("reflectance", 3, np.floating)
            self._fill = _fill_value(self._reflectance)
            self._glt = tuple(
                file.variable(f"location/glt_{axis}", 2, np.integer) for axis in ("x", "y")
            )
            self.grid = self._read_grid()
            self._require_glt()
            self.spacecraft = file.text("platform") or "ISS"
            flight_line = file.text("flight_line")
            native = re.match(r"EMIT_L2A_RFL_", path.name)
            self.product_id = path.stem if native else flight_line or path.stem
            self.collection = file.text("product_version") or "unknown"
            self.synthetic = any("gossan" in text.lower() for text in file.texts())
            start, end = (self._time(f"time_coverage_{name}") for name in ("start", "end"))
            self.acquired = start.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
            self.sun_elevation_deg = self._sun_elevation(start + (end - start) / 2)
            self.bands, self._places, notes = self._read_bands(bands)
            mask = find_mask(path)
            self._mask = None if mask is None else self._open_mask(cleanup, mask, flight_line)
            told = {} if self._mask is None else self._layers
            self.absent_flags = tuple(flag for flag in FLAGS if flag not in {"fill", *told})
            if self._mask is None:
                notes = (
                    *notes,
                    f"no mask file {mask_path(path).name} beside the product: nothing tells clouds",
                )
            elif mask != mask_path(path):
                notes = (*notes, f"the mask is of another version: {mask.name}")
            self.notes = notes
            cleanup.pop_all()

    def _read_grid(self) -> Grid:
        file = self._file
        shapes = {found.shape for found in self._glt}
        if len(shapes) != 1 or 0 in next(iter(shapes)):
            raise InputError(
                f"{file.path}: location/glt_x and glt_y have shapes "
                f"{self._glt[0].shape} and {self._glt[1].shape}; they must agree"
            )
        transform = Affine.from_gdal(*file.numbers("geotransform", 6))
        if transform.determinant == 0:
            raise InputError(f"{file.path}: attribute geotransform makes pixels without area")
        try:
            crs = CRS.from_wkt(file.text("spatial_ref"))
        except CRSError as error:
            raise InputError(
                f"{file.path}: attribute spatial_ref is missing or no reference system; get the "
                "whole product"
            ) from error
        height, width = next(iter(shapes))
        for side in (math.hypot(transform.a, transform.d), math.hypot(transform.b, transform.e)):
            if crs.is_geographic:
                require_within(side, near(_PIXEL_DEG), str(file.path), "geotransform's step")
        return require_place(Grid(crs, transform, width, height), str(file.path))

    def _require_glt(self) -> None:
        """Look through the whole lookup table: all that it names must lie in the swath."""
        sizes = {"x": self._reflectance.shape[1], "y": self._reflectance.shape[0]}
        for found, (axis, size) in zip(self._glt, sizes.items(), strict=True):
            for row in range(0, self.grid.height, _GLT_STRIP_ROWS):
                rows = slice(row, min(row + _GLT_STRIP_ROWS, self.grid.height))
                named = self._read_glt(found, (rows, slice(None)))
                for extreme in (named.min(), named.max()):
                    if not 0 <= extreme <= size:
                        raise InputError(
                            f"{self._file.path}: location/glt_{axis} points at {extreme}, but the "
                            f"swath has {axis} from 1 to {size}; get the product again"
                        )

    def _read_glt(self, found: h5py.Dataset, place: tuple[slice, slice]) -> np.ndarray:
        """Part of a lookup table as int64, 0 where it names no pixel."""
        with self._file.reading(found.name):
            named = found[place].astype(np.int64)
        named[named == _fill_value(found)] = 0
        return named

    def _time(self, name: str) -> datetime:
        return read_moment(self._file.text(name), str(self._file.path), f"attribute {name}", "EMIT")

    def _sun_elevation(self, moment: datetime) -> float:
        x, y = self.grid.place(self.grid.width / 2, self.grid.height / 2)
        (lon,), (lat,) = transform_points(self.grid.crs, CRS.from_epsg(4326), [x], [y])
        return round(sun_position(moment, lon, lat)[0], 3)

    def _read_bands(
        self, asked: Sequence[str] | None
    ) -> tuple[BandTable, np.ndarray, tuple[str, ...]]:
        """Bands to read, their places in the file, and notes on those left out."""
        file = self._file
        count = self._reflectance.shape[2]
        centre, fwhm, good = (
            file.vector(f"sensor_band_parameters/{name}", count)
            for name in ("wavelengths", "fwhm", "good_wavelengths")
        )
        where = f"{file.path}: sensor_band_parameters/wavelengths"
        # Nanometres by the product's specification, where no attribute tells another unit.
        unit = read_unit(file.unit("sensor_band_parameters/wavelengths")) or "nm"
        fwhm = 1000 * widths_to_micrometres(fwhm, centre, unit, where)
        centre = 1000 * to_micrometres(centre, unit, where)
        late = np.flatnonzero(np.diff(centre) <= 0)
        if late.size:
            place = int(late[0])
            raise InputError(
                f"{file.path}: sensor_band_parameters/wavelengths are out of order: "
                f"{centre[place + 1]:g} nm follows {centre[place]:g} nm at band {place + 2}; get "
                "the product again"
            )
        if (
            centre[0] < _PLAUSIBLE_NM[0]
            or centre[-1] > _PLAUSIBLE_NM[1]
            or fwhm.min() <= 0
            or fwhm.max() > _WIDEST_NM
        ):
            raise InputError(
                f"{file.path}: wavelengths {centre[0]:g} to {centre[-1]:g} and a least FWHM of "
                f"{fwhm.min():g} and a largest of {fwhm.max():g} are no nanometres of a "
                "spectrometer; get the product again"
            )
        usable = good == 1
        if not usable.any():
            raise InputError(f"{file.path}: good_wavelengths calls every band bad; get it again")
        bad = _ranges(np.flatnonzero(~usable))
        names = [f"B{number:03d}" for number in range(1, count + 1)]
        places = np.flatnonzero(usable)
        if asked is not None:
            unknown = sorted(set(asked) - {names[place] for place in places})
            if unknown or not asked:
                raise InputError(
                    f"{file.path}: no reflectance of band {', '.join(unknown) or '(none named)'}; "
                    f"choose from {names[0]} to {names[-1]}, of which {bad or 'none'} are bad"
                )
            places = np.array([place for place in places if names[place] in asked])
        notes = ()
        if not usable.all():
            notes = (
                f"{np.count_nonzero(~usable)} of {count} bands are bad by good_wavelengths and "
                f"left out: {bad}",
            )
        table = BandTable(
            tuple(names[place] for place in places),
            tuple(round(float(centre[place]) / 1000, 7) for place in places),
            tuple(round(float(fwhm[place]) / 1000, 7) for place in places),
        )
        return table, places, notes

    def _open_mask(self, cleanup: ExitStack, path: Path, flight_line: str) -> h5py.Dataset:
        """The layers of the mask file at `path`."""
        self._mask_file = file = EmitFile(path)
        cleanup.callback(file.close)
        mask = file.variable("mask", 3)
        other = file.text("flight_line")
        if mask.shape[:2] != self._reflectance.shape[:2] or other != flight_line:
            raise InputError(
                f"{path}: {mask.shape[0]} lines of {mask.shape[1]} samples of flight line "
                f"{other or '(none)'} do not fit {self._file.path.name}, which has "
                f"{self._reflectance.shape[0]} of {self._reflectance.shape[1]} of "
                f"{flight_line or '(none)'}; put the right mask file beside it, or none"
            )
        labels = file.labels("sensor_band_parameters/mask_bands")
        if len(labels) != mask.shape[2]:
            raise InputError(
                f"{path}: mask_bands names {len(labels)} layers, but mask has {mask.shape[2]}; "
                "get the file again"
            )
        self._layers = {
            flag: labels.index(label) for flag, label in MASK_LABELS.items() if label in labels
        }
        if not self._layers:
            raise InputError(
                f"{path}: mask_bands names none of {', '.join(MASK_LABELS.values())}; get the "
                "mask file of the L2A product"
            )
        return mask

    def _look_up(self, window: Window) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pixels of a window that the swath has: places in it (flat), lines, samples, from 0."""
        place = window.toslices()
        samples, lines = (self._read_glt(found, place).ravel() for found in self._glt)
        seen = np.flatnonzero((samples > 0) & (lines > 0))
        # The only place where the table's counting from 1 becomes counting from 0.
        return seen, lines[seen] - 1, samples[seen] - 1

    def read_reflectance(self, window: Window) -> np.ndarray:
        """Surface reflectance of a window, (bands, rows, columns) float32, NaN for no data.

        Each pixel of the grid takes the swath's pixel that the lookup table names, unchanged. No
        data: pixels for which it names none, and the file's fill value (-9999). Raises InputError
        for damaged files.
        """
        shape = (len(self._places), int(window.height), int(window.width))
        block = np.full((shape[0], shape[1] * shape[2]), np.nan, np.float32)
        seen, lines, samples = self._look_up(window)
        parts = self._file.gather(self._reflectance, lines, samples, self._places)
        for part, values in parts:
            values[values == self._fill] = np.nan
            block[:, seen[part]] = values.T
        return block.reshape(shape)

    def read_flags(self, window: Window, flags: Sequence[str]) -> np.ndarray:
        """Quality flags of a window, (flags, rows, columns) bool, in the order asked for.

        From the mask file, by the labels of its layers (MASK_LABELS); `fill` where the lookup
        table or the mask has no pixel. Those of `absent_flags` are never set. Raises InputError
        for an unknown flag.
        """
        self.require_flags(flags)
        shape = (len(flags), int(window.height), int(window.width))
        seen, lines, samples = self._look_up(window)
        layers = np.zeros((shape[0], shape[1] * shape[2]), bool)
        fill = np.ones(shape[1] * shape[2], bool)
        fill[seen] = False
        if self._mask is not None:
            told = list(self._layers)
            places = np.array(list(self._layers.values()))
            parts = self._mask_file.gather(self._mask, lines, samples, places)
            for part, values in parts:
                missing = ~np.isfinite(values) | (values == _fill_value(self._mask))
                fill[seen[part]] = missing.all(axis=1)
                for layer, flag in zip(layers, flags, strict=True):
                    if flag in told:
                        number = told.index(flag)
                        layer[seen[part]] = (values[:, number] > 0) & ~missing[:, number]
        for layer, flag in zip(layers, flags, strict=True):
            if flag == "fill":
                layer[:] = fill
        return layers.reshape(shape)

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._mask is not None:
            self._mask_file.close()


@names_its_product
def open_product(path: str | Path, bands: Sequence[str] | None = None) -> EmitProduct:
    """Open EMIT L2A surface reflectance, a netCDF-4 file (EMIT_L2A_RFL_*.nc).

    bands: those to read, "B001" and so on (None: all that the product calls good). The mask file
    that `find_mask` finds is read.

    Raises InputError, naming file, variable or attribute, for: a missing file; one that is no
    HDF5, is damaged or cut short; another level or another product of Level 2A; a missing group,
    variable or attribute; shapes that disagree; a lookup table that points outside of the swath;
    wavelengths out of order; no good band; data that lie in other files; bands that are unknown
    or bad; a mask file of another scene.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: is no file; name an EMIT product, EMIT_L2A_RFL_*.nc")
    return EmitProduct(path, bands)


def mask_path(path: str | Path) -> Path:
    """Where the mask file of a reflectance file is looked for.

    Beside it, with MASK in place of RFL in its name; a name without RFL gets _MASK at its end.
    """
    path = Path(path)
    if "RFL" in path.name:
        return path.with_name(path.name.replace("RFL", "MASK"))
    return path.with_name(f"{path.stem}_MASK{path.suffix}")


def find_mask(path: str | Path) -> Path | None:
    """The mask file of a reflectance file: that of `mask_path`, or of another version; or None.

    Versions of the two products go their own ways: masks of version 002 belong to reflectance of
    001, too. Of several the newest is taken.
    """
    path = Path(path)
    own = find_beside(path, mask_path(path).name)
    if own is not None:
        return own
    versioned = re.fullmatch(r"(.*EMIT_L2A_RFL_)\d{3}(_.+)", path.name)
    if versioned is None:
        return None
    start, end = versioned[1].replace("RFL", "MASK"), versioned[2]
    others = [
        entry
        for entry in list_files(path.parent)
        if entry.name.startswith(start)
        and entry.name.endswith(end)
        and re.fullmatch(r"\d{3}", entry.name[len(start) : -len(end)])
    ]
    return max(others, default=None)


def _require_level(file: EmitFile) -> None:
    """Raise InputError unless the file is reflectance of Level 2A."""
    title = file.text("title")
    level = re.search(r"\bL[0-4][A-Z]?\b", title)
    if (level and level[0] != LEVEL) or not file.holds("reflectance"):
        told = f"title {title!r}" if title else "it has no title"
        raise InputError(
            f"{file.path}: is not EMIT surface reflectance of Level 2A ({told}); name the file "
            "EMIT_L2A_RFL_*.nc"
        )


def _fill_value(found: h5py.Dataset) -> float:
    """The variable's own fill value, or that of all EMIT products."""
    try:
        return float(np.asarray(found.attrs["_FillValue"]).ravel()[0])
    except (KeyError, IndexError, ValueError, TypeError):
        return FILL


def _ranges(places: np.ndarray) -> str:
    """Names of bands at places counted from 0, runs drawn together: "B128-B142, B188-B213"."""
    runs = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    return ", ".join(
        f"B{run[0] + 1:03d}" + (f"-B{run[-1] + 1:03d}" if len(run) > 1 else "")
        for run in runs
        if len(run)
    )
