"""Rasters that are on one grid already, as a product: a folder of one-band GeoTIFFs, or one file.

With wavelengths, from the files or from the user, the numbers are reflectance; without, they are
any numbers (magnetics, heights, digital numbers). Wavelengths stand in GDAL's IMAGERY domain, or
in `wavelength`, `fwhm` and `wavelength units` as ENVI headers have them, which are exact where
GDAL's are rounded; a unit that is told is converted or refused, and never guessed.
A cube of gossan's own, or a stack, is such a raster too: what its tags say is kept.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.windows import Window

from gossan.checksums import read_verified
from gossan.errors import InputError
from gossan.paths import list_files
from gossan.products.plausible import names_its_product
from gossan.products.product import FLAGS, Product
from gossan.raster import (
    BandTable,
    Datasets,
    RasterInfo,
    decode,
    find_bands,
    is_synthetic,
    open_geotiff,
    open_raster,
    read_info,
)
from gossan.units import MICROMETRES, read_unit, to_micrometres, widths_to_micrometres

SENSOR = "raster stack"
NUMBERS_NOTE = (
    "numbers as they stand in the rasters: nothing is known of sensor, date or calibration"
)
REFLECTANCE_NOTE = "taken as reflectance as it stands: the rasters do not tell how it was made"
# Tags that tell when a scene was taken: gossan's, an ENVI header's, and that of Earth Engine and
# others.
TIME_TAGS = ("ACQUIRED", "acquisition_time", "start_time")
# ENVI's word for numbers of the bands, which are no wavelengths.
_INDEX = "index"
# No raster of reflectance has bands elsewhere: such numbers are of another unit than is told.
_OPTICAL_UM = (0.1, 100.0)
# Reflectance of ground hardly exceeds 1; numbers of another unit are far above.
_MOST_REFLECTANCE = 2.0
_SAMPLE_PX = 64
_TIFF_ENDINGS = (".tif", ".tiff")
# GDAL appends the wavelength to an ENVI band's name.
_APPENDED = re.compile(r"\s*\(?[\d.]+\s+(?:nanometers|micrometers)\)?$", re.IGNORECASE)


@dataclass(frozen=True)
class _Band:
    """One band: its name, its file, its place there (from 1), centre and width in µm if told."""

    name: str
    info: RasterInfo
    place: int
    centre_um: float | None
    fwhm_um: float | None
    bad: bool = False


class RastersProduct(Product):
    """Rasters on one grid, read by windows in any thread.

    Attributes: as `product.Product` says. Bands without wavelengths are any numbers; the rasters'
    tags SENSOR, ACQUIRED (or start_time), SUN_ELEVATION_DEG, PRODUCT_ID, ATMOSPHERE and SYNTHETIC
    are honoured. No flag is ever set: what has no data is NaN.
    """

    spacecraft = ""
    collection = ""
    absent_flags = FLAGS

    def __init__(
        self,
        path: Path,
        bands: Sequence[str] | None = None,
        wavelengths_um: Sequence[float] = (),
        fwhm_um: Sequence[float] = (),
        scale: float | None = None,
    ):
        """Check all files that are needed; raises InputError as `open_product` says."""
        self._datasets: Datasets[Path] = Datasets(_open)
        self._scale = _check_scale(scale)
        notes: list[str] = []
        chosen = self._choose(path, bands, not wavelengths_um, notes)
        table = _tell(path, chosen, wavelengths_um, fwhm_um, notes)
        if table.centre_um and bands is None:
            order = sorted(range(len(chosen)), key=lambda place: table.centre_um[place])
            if order != list(range(len(chosen))):
                notes.append("bands are put in the order of their wavelengths")
            chosen = [chosen[place] for place in order]
            table = BandTable(
                *(
                    tuple(column[place] for place in order)
                    for column in (table.names, table.centre_um, table.fwhm_um)
                )
            )
        self._bands = chosen
        self.bands = table
        infos = list(dict.fromkeys(band.info.path for band in chosen))
        self.grid = chosen[0].info.grid
        for band in chosen[1:]:
            self.grid.require_same(band.info.grid, str(band.info.path))
        tags: dict[str, str] = {}
        for band in chosen:
            tags = {**band.info.tags, **tags}
        self.product_id = path.name
        if len(infos) == 1 and not path.is_dir():
            self.product_id = tags.get("PRODUCT_ID") or path.name
        self.sensor = tags.get("SENSOR") or SENSOR
        told = (_read_time(tags.get(key, "")) for key in TIME_TAGS)
        self.acquired = next(filter(None, told), "")
        self.sun_elevation_deg = _read_number(
            tags.get("SUN_ELEVATION_DEG") or tags.get("sun_elevation") or ""
        )
        self.synthetic = any(is_synthetic(band.info.tags) for band in chosen)
        done = tags.get("ATMOSPHERE") if table.centre_um else None
        self.level = "" if done in (None, "none") else done
        self.surface_reflectance = None if done is None else done != "none"
        if scale is not None and not table.centre_um:
            raise InputError(
                f"{path}: has no wavelengths, so that its numbers are no reflectance; leave "
                "--scale (cube.scale in the configuration) out, or tell its wavelengths"
            )
        if scale is not None:
            notes.append(f"a stored 1 is taken as a reflectance of {scale:g}, as was asked for")
        if not table.centre_um:
            notes.append(NUMBERS_NOTE)
        elif done is None:
            notes.append(REFLECTANCE_NOTE)
        self.notes = tuple(notes)
        if table.centre_um:
            self._require_reflectance()

    def _choose(
        self, path: Path, bands: Sequence[str] | None, told: bool, notes: list[str]
    ) -> list[_Band]:
        """The bands to read; bad ones are left out unless they are named."""
        if bands is not None and len(set(bands)) < len(bands):
            raise InputError(f"bands: '{' '.join(bands)}' names a band twice")
        if not path.exists():
            raise InputError(f"{path}: no such raster file or folder; check the path")
        if not path.is_dir():
            known = self._describe(path, told)
            info = replace(known[0].info, bands=BandTable(tuple(band.name for band in known)))
            chosen = [known[place] for place in find_bands(info, bands)]
            if len({band.name for band in chosen}) < len(chosen):
                raise InputError(f"{path}: has bands of the same name; give each its own")
        else:
            paths = [file for file in list_files(path) if file.suffix.lower() in _TIFF_ENDINGS]
            if bands is not None:
                there = {file.stem: file for file in reversed(paths)}
                paths = [there.get(band, path / f"{band}.tif") for band in bands]
            if not paths:
                raise InputError(
                    f"{path}: holds no .tif; give a folder of GeoTIFFs with one band each, called "
                    "BAND.tif, or one file of many bands"
                )
            chosen = []
            for file in paths:
                known = self._describe(file, told)
                if len(known) != 1:
                    raise InputError(
                        f"{file}: has several bands; give one band a file, or one file only"
                    )
                chosen.append(replace(known[0], name=file.stem))
        bad = [band.name for band in chosen if band.bad] if bands is None else []
        if bad:
            notes.append(f"{len(bad)} of {len(chosen)} bands are bad by bbl: {', '.join(bad)}")
            chosen = [band for band in chosen if not band.bad]
        if not chosen:
            raise InputError(f"{path}: all of its bands are bad by bbl; name those to use")
        return chosen

    def _describe(self, path: Path, told: bool) -> list[_Band]:
        """All bands of a file; `told` says that their wavelengths are wanted from it."""
        if not path.exists():
            raise InputError(f"{path}: no such raster file; check the path")
        with self._datasets.borrow(path) as dataset:
            header = dataset.tags(ns="ENVI")
            spectral = [dataset.tags(band, ns="IMAGERY") for band in dataset.indexes]
            own = [dataset.tags(band) for band in dataset.indexes]
            names = _names(dataset, header, own)
            percent = {unit.strip().lower() for unit in dataset.units if unit} & {"%", "percent"}
        widths, bads = (_listed(path, header, key, len(names)) for key in ("fwhm", "bbl"))
        if told:
            _listed(path, header, "wavelength", len(names))
        spectrum: list[tuple[float | None, float | None]] = []
        for place, name in enumerate(names):
            tags = own[place]
            centre_um, fwhm_um = None, None
            if told:
                width = tags.get("fwhm", widths[place])
                unit = tags.get("wavelength_units") or header.get("wavelength_units", "")
                what = f"{path}: band {name}"
                centre_um, fwhm_um = _wavelength(what, spectral[place], tags, width, unit)
            elif "CENTRAL_WAVELENGTH_UM" in spectral[place]:
                raise InputError(
                    f"{path}: tells the wavelengths of its bands; leave --wavelengths-um out"
                )
            spectrum.append((centre_um, fwhm_um))
        info = read_info(path)
        factor = _read_number(header.get("reflectance_scale_factor", ""))
        if factor is not None and factor <= 0:
            raise InputError(f"{path}: reflectance scale factor = {factor:g}; it is above 0")
        if factor and info.scale == 1.0:
            info = replace(info, scale=1.0 / factor)
        if self._scale is not None:
            if (info.scale, info.offset) != (1.0, 0.0):
                raise InputError(
                    f"{path}: tells its own scale; leave --scale (cube.scale in the configuration) "
                    "out"
                )
            info = replace(info, scale=self._scale)
        extra = {key: header[key] for key in ("acquisition_time", "sun_elevation") if key in header}
        info = replace(info, tags={**info.tags, **extra})
        bands = [
            _Band(name, info, place, *um, tags.get("bbl", bad).strip() == "0")
            for place, (name, um, tags, bad) in enumerate(
                zip(names, spectrum, own, bads, strict=True), start=1
            )
        ]
        if percent and (not told or all(band.centre_um for band in bands)):
            # What is told in percent is so after the file's own scale.
            info = replace(info, scale=info.scale / 100, offset=info.offset / 100)
            bands = [replace(band, info=info) for band in bands]
        return bands

    def _require_reflectance(self) -> None:
        """Refuse numbers of another unit, by a sample of each file."""
        for path in dict.fromkeys(band.info.path for band in self._bands):
            bands = [band for band in self._bands if band.info.path == path]
            try:
                with self._datasets.borrow(path) as dataset:
                    shape = [min(side, _SAMPLE_PX) for side in dataset.shape]
                    stored = dataset.read(
                        [band.place for band in bands], out_shape=(len(bands), *shape)
                    )
            except RasterioError as error:
                raise InputError(f"{path}: broken or truncated; fetch it again") from error
            values = decode(stored, bands[0].info)
            values = values[np.isfinite(values)]
            if values.size and np.median(values) > _MOST_REFLECTANCE:
                raise InputError(
                    f"{path}: its numbers, about {np.median(values):g}, are no reflectance from 0 "
                    "to 1; give the reflectance of a stored 1 by --scale (cube.scale in the "
                    "configuration), as 0.0001, or tell it in the file, by gdal_translate -a_scale "
                    "0.0001 or `reflectance scale factor` in an ENVI header"
                )

    def read_reflectance(self, window: Window) -> np.ndarray:
        """Numbers of a window, (bands, rows, columns) float32, NaN where there is no data.

        Scale and offset of the files are applied. Raises InputError for a file that is broken
        there.
        """
        values = np.empty((len(self._bands), window.height, window.width), np.float32)
        for path in dict.fromkeys(band.info.path for band in self._bands):
            places = [i for i, band in enumerate(self._bands) if band.info.path == path]
            bands = [self._bands[place] for place in places]
            try:
                with self._datasets.borrow(path) as dataset:
                    stored = read_verified(dataset, [band.place for band in bands], window)
            except RasterioError as error:
                raise InputError(
                    f"{path}: broken or truncated near row {window.row_off}; fetch it again"
                ) from error
            values[places] = decode(stored, bands[0].info)
        return values

    def read_flags(self, window: Window, flags: Sequence[str]) -> np.ndarray:
        """Quality flags of a window, (flags, rows, columns) bool: none is set."""
        self.require_flags(flags)
        return np.zeros((len(flags), window.height, window.width), bool)

    def close(self) -> None:
        """Close the files."""
        self._datasets.close()


def _check_scale(scale: float | None) -> float | None:
    if scale is not None and not (math.isfinite(scale) and scale > 0):
        raise InputError(
            f"scale: {scale:g} is no reflectance of a stored 1; give a number above 0, as 0.0001"
        )
    return scale


def _open(path: Path) -> rasterio.DatasetReader:
    with path.open("rb") as file:
        is_tiff = file.read(2) in (b"II", b"MM")
    if is_tiff:
        return open_geotiff(path)
    try:
        return open_raster(path, "ENVI")
    except RasterioError as error:
        raise InputError(
            f"{path}: neither a GeoTIFF nor an ENVI image with its header beside it (name the "
            "image, not the .hdr); convert it with gdal_translate"
        ) from error


def _names(
    dataset: rasterio.DatasetReader, header: Mapping[str, str], own: Sequence[Mapping[str, str]]
) -> list[str]:
    """The bands' names without the wavelengths that GDAL appends; `own` are their tags."""
    given = [name or "" for name in dataset.descriptions]
    plain = [_strip(name, tags) for name, tags in zip(given, own, strict=True)]
    if header.get("wavelength") and "band_names" not in header:
        plain = [""] * len(plain)
    elif len(set(filter(None, plain))) < len(list(filter(None, plain))):
        # The bands' own names tell the wavelengths that set them apart.
        plain = given
    return [name or f"band_{place}" for place, name in enumerate(plain, start=1)]


def _strip(name: str, tags: Mapping[str, str]) -> str:
    wavelength, unit = tags.get("wavelength", ""), tags.get("wavelength_units", "")
    if wavelength and unit:
        name = re.sub(rf"\s*\(?{re.escape(f'{wavelength} {unit}')}\)?$", "", name)
    return _APPENDED.sub("", name)


def _listed(path: Path, header: Mapping[str, str], key: str, count: int) -> list[str]:
    """The numbers of an ENVI header's list, one text per band; empty texts where it has none."""
    listed = header.get(key, "").strip("{} \n")
    if not listed:
        return [""] * count
    items = [item.strip() for item in listed.split(",")]
    odd = [item for item in items if _read_number(item) is None]
    if len(items) != count or odd:
        fault = f"the entry {odd[0][:40]!r}" if odd else f"{len(items)} entries"
        raise InputError(
            f"{path}: its header has {fault} in {key}, where {count} numbers are due; repair it"
        )
    return items


def _wavelength(
    what: str, imagery: Mapping[str, str], tags: Mapping[str, str], width: str, told: str
) -> tuple[float | None, float | None]:
    """Centre and width (µm) of a band, as far as its file tells them; `what` is its name."""
    unit = read_unit(told)
    if "wavelength" in tags and unit and unit != _INDEX:
        centre = _positive(what, tags["wavelength"])
        centre_um = float(to_micrometres(centre, unit, what))
        width_um = None
        if width:
            width_um = float(widths_to_micrometres(_positive(what, width), centre, unit, what))
    elif "CENTRAL_WAVELENGTH_UM" in imagery:
        unit = MICROMETRES
        centre_um = _positive(what, imagery["CENTRAL_WAVELENGTH_UM"])
        width_um = _positive(what, imagery["FWHM_UM"]) if "FWHM_UM" in imagery else None
    elif "wavelength" not in tags or unit == _INDEX:
        return None, None
    else:
        raise InputError(
            f"{what} has the wavelength {tags['wavelength']} of the unit '{told or '(none)'}'; "
            "write `wavelength units = Micrometers` or Nanometers into the header, or give "
            "--wavelengths-um"
        )
    if not _OPTICAL_UM[0] <= centre_um <= _OPTICAL_UM[1]:
        raise InputError(
            f"{what} has a wavelength of {centre_um:g} µm (told in the unit '{unit}'), at which no "
            "reflectance is measured; correct the number or its unit"
        )
    return round(centre_um, 9), None if width_um is None else round(width_um, 9)


def _positive(what: str, text: str) -> float:
    value = _read_number(text)
    if value is None or value <= 0:
        raise InputError(
            f"{what} has the wavelength or width '{text}', which is no number above 0; correct it"
        )
    return value


def _read_number(text: str) -> float | None:
    """A finite number; None for other text."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _read_time(text: str) -> str:
    """Text that is ISO 8601; empty for other text."""
    try:
        datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return ""
    return text


def _tell(
    path: Path,
    bands: Sequence[_Band],
    wavelengths_um: Sequence[float],
    fwhm_um: Sequence[float],
    notes: list[str],
) -> BandTable:
    """The table of the bands, spectral where all have a wavelength of their own or of the user."""
    names = tuple(band.name for band in bands)
    if fwhm_um and not wavelengths_um:
        raise InputError("fwhm-um: goes with wavelengths-um; give both")
    for flag, numbers in (("wavelengths-um", wavelengths_um), ("fwhm-um", fwhm_um)):
        if numbers and len(numbers) != len(bands):
            raise InputError(
                f"{flag}: {len(numbers)} numbers for the {len(bands)} bands {' '.join(names)}; "
                "give one for each"
            )
        if not all(0 < number < 100 for number in numbers):
            raise InputError(f"{flag}: must be above 0, in micrometres; correct the numbers")
    centres = list(wavelengths_um) or [band.centre_um for band in bands]
    widths = list(fwhm_um) if wavelengths_um else [band.fwhm_um for band in bands]
    untold = [name for name, centre in zip(names, centres, strict=True) if centre is None]
    if untold:
        if len(untold) < len(bands):
            notes.append(
                f"bands {', '.join(untold)} have no wavelength, so that all are any numbers"
            )
        return BandTable(names)
    if not widths or None in widths:
        if len(bands) < 2:
            raise InputError(f"{path}: band {names[0]} has no width; give --fwhm-um")
        notes.append(
            "no widths of the bands are told: each is taken to be as wide as its distance to the "
            "nearest other one"
        )
        widths = _spacing(path, centres)
    return BandTable(names, tuple(map(float, centres)), tuple(map(float, widths)))


def _spacing(path: Path, centres_um: Sequence[float]) -> list[float]:
    """Distance of each centre to the nearest other one, in µm."""
    centre = np.array(centres_um, float)
    apart = np.abs(centre[:, None] - centre)
    np.fill_diagonal(apart, np.inf)
    nearest = apart.min(axis=1)
    if not (nearest > 0).all():
        raise InputError(f"{path}: two bands have the same wavelength; leave one out")
    return [round(float(value), 9) for value in nearest]


@names_its_product
def open_product(
    path: str | Path,
    bands: Sequence[str] | None = None,
    wavelengths_um: Sequence[float] = (),
    fwhm_um: Sequence[float] = (),
    scale: float | None = None,
) -> RastersProduct:
    """Open a folder of GeoTIFFs with one band each, called BAND.tif, or one GeoTIFF or ENVI image.

    bands: those to read, in their order (None: all, by wavelength where they have one).
    wavelengths_um, fwhm_um: centres and widths of these bands in µm, for files that tell none.
    scale: reflectance of a stored 1, for files that tell none (None: as they tell).

    Raises InputError, naming the file, for: no such file or band; a file of another format;
    several bands in a file of a folder; files on different grids; wavelengths without a unit;
    wrong counts of numbers; a scale that is none, or of files that tell their own or have no
    wavelengths; and spectral numbers that are no reflectance.
    """
    return RastersProduct(Path(path), bands, wavelengths_um, fwhm_um, scale)
