"""Readers of spectra: USGS splib07, ENVI libraries and plots, ECOSTRESS/ASTER, CSV, analytic table.

Whatever the format, a spectrum comes out as reflectance (fraction) over ascending wavelength (µm)
with NaN where the library's makers deleted a channel.
"""

import difflib
import logging
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gossan.delimited import UTF_16, Table, decode, header_of, label_fault, read_delimited
from gossan.errors import InputError
from gossan.files import write_text
from gossan.library import absorptions
from gossan.library.spectrum import Spectrum
from gossan.paths import find_beside, list_files
from gossan.units import MICROMETRES, read_unit, to_micrometres

logger = logging.getLogger(__name__)

# USGS marks deleted channels by -1.23e34, other tools by rounded or rescaled versions of it, and
# convolution can leave anything in between; no reflectance lies below -1.
DELETED_BELOW = -1.0
MAX_REFLECTANCE = 2.0
# Reflectance that was scaled, or divided by a scene's mean, is far below.
MOST_REFLECTANCE = 1e3
# Far beyond these no laboratory measures reflectance: numbers there are of another unit.
SHORTEST_UM, LONGEST_UM = 0.1, 100.0
ANALYTIC_GRID_UM = np.arange(350, 2501) / 1000.0
WAVELENGTH_FILE_LEVELS = 3
MOST_LEFT_OUT = 0.05
"""Share of a sensor's bands that may be left out where a record has no values.

An imaging spectrometer has bands to spare, at the ends of the range and where a laboratory's
deleted channels are; of a multispectral sensor, this allows none.
"""
# Numbers that mark what is missing in libraries of whole numbers that tell no other mark.
INTEGER_MARKS = (-9999, -32768)
ENVI_TYPES = {1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 12: "u2", 13: "u4", 14: "i8", 15: "u8"}
SUFFIXES = (".txt", ".asc", ".csv", ".sli", ".hdr")
# Rows of an ENVI library, and files of a USGS folder, that describe channels instead of matter.
NOT_A_SPECTRUM = re.compile(
    r"(error ?bars?|wavelengths?|wavenumbers?|bandpass|resolution|channels?)\b", re.IGNORECASE
)
# A mixture's name joins its members ("Hematite 2%+98%Qtz"); a charge ("Fe3+") joins nothing.
MIXED = re.compile(r"\+\S")
USGS_TITLE = re.compile(r"\s*(?P<library>\S+)\s+Record=\s*\d+\s*:\s*(?P<title>.*\S)\s*$")
ENVI_PLOT = "ENVI ASCII Plot File"
PLOT_COLUMN = re.compile(r"\s*Column\s+\d+\s*:\s*(?P<title>.*?)\s*(~~.*)?$", re.IGNORECASE)
WAVELENGTH_COLUMN = re.compile(
    r"(wave[ _]?lengths?|wave[ _]?numbers?)(?:[\s_]*[(\[]\s*|[\s_/]+|$)(.*?)\s*[)\]]?$",
    re.IGNORECASE,
)
# In brackets, or after "reflectance" alone: a mixture may be called "Alunite 50%".
PERCENT = re.compile(
    r"(?<=\S)\s*[(\[]\s*(%|percent)\s*[)\]]$|(?<=^reflectance)[\s_]+(%|percent)$", re.IGNORECASE
)
BAND_COLUMN = re.compile(r"(band|fwhm(_\w+)?)$")
WAVELENGTH_FILE = re.compile(r"wavelengths[_ ]+([A-Za-z]+\d*)", re.IGNORECASE)
USGS_UNIT = re.compile(
    r"(?<![a-z])(microns?|micromet\w+|nanomet\w+|nm|wavenumbers?|cm-1)(?![a-z])", re.IGNORECASE
)
UNREADABLE = "not a text file; download it again or take it out of the library folder"

WavelengthFiles = dict[Path, list[tuple[str, np.ndarray]]]


@dataclass(frozen=True)
class References:
    """Spectra at a sensor's bands, in the order of the bands.

    `reflectance` is (spectra, bands); a class that has several records stands in `names` as often,
    its leading record first. `band`, `wavelength_um` and `fwhm_um` have one entry per
    band; the wavelengths need not ascend (PRISMA's detectors overlap).
    """

    names: tuple[str, ...]
    band: tuple[str, ...]
    wavelength_um: np.ndarray
    fwhm_um: np.ndarray
    reflectance: np.ndarray

    def only(self, names: Sequence[str]) -> "References":
        """The spectra of the classes called `names`, in their order here."""
        rows = [row for row, name in enumerate(self.names) if name in names]
        kept = tuple(self.names[row] for row in rows)
        return replace(self, names=kept, reflectance=self.reflectance[rows])

    def at(self, bands: Sequence[str]) -> "References":
        """The spectra at those of their bands that are called so, in their order here."""
        kept = [place for place, name in enumerate(self.band) if name in bands]
        return replace(
            self,
            band=tuple(self.band[place] for place in kept),
            wavelength_um=self.wavelength_um[kept],
            fwhm_um=self.fwhm_um[kept],
            reflectance=self.reflectance[:, kept],
        )


def read_library(path: str | Path) -> list[Spectrum]:
    """Read every spectrum of a library, in a fixed order.

    `path` is one file or a folder, which is searched with its subfolders: USGS splib07 native ASCII
    (wavelength files are found beside the spectra or in a folder above), ENVI `.sli` + `.hdr`,
    ENVI's ASCII plots, ECOSTRESS/ASTER text, plain CSV (`wavelength_um` and one column per
    spectrum, `band` and `fwhm_um` allowed) or the analytic library table. In a folder, text files
    of other kinds are passed over, and those that are damaged, empty or no reflectance are left
    out, which the log tells.

    Raises InputError naming the file when it is damaged, or when `path` holds no spectrum.
    """
    path = Path(path)
    if path.is_dir():
        files = [p for p in list_files(path, "**/*") if p.suffix.lower() in SUFFIXES]
        known: WavelengthFiles = {}
        spectra, faults = [], []
        for file in files:
            try:
                spectra += _read_file(file, known) or ()
            except InputError as error:
                faults.append(error)
        if not spectra and faults:
            more = f" (and {len(faults) - 1} further files)" if len(faults) > 1 else ""
            raise InputError(f"{faults[0]}{more}")
        for fault in faults:
            logger.warning("left out of the library: %s", fault)
        logger.info("%s: %d spectra in %d files", path, len(spectra), len(files))
        if not spectra:
            raise InputError(
                f"{path}: no spectrum found; give a folder of USGS, ECOSTRESS, ENVI or CSV spectra"
            )
        return spectra
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; check the library's path")
    found = _read_file(path, {}, alone=True)
    if found is None:
        raise InputError(
            f"{path}: not a spectrum that can be read; give USGS splib07 or ECOSTRESS text, "
            "ENVI .sli with its .hdr or an ENVI ASCII plot, a CSV with a wavelength_um column, or "
            "the analytic table"
        )
    if not found:
        raise InputError(f"{path}: holds no mineral spectrum; give the library, not this file")
    return found


def select_spectrum(spectra: Sequence[Spectrum], name: str, record: str = "") -> Spectrum:
    """Pick the spectrum of a class from one library.

    A `record`, part of a spectrum's name or file name (case, blanks and underscores do not
    matter), wins when it is found. Else the spectrum is the one called `name`, or the only one
    whose first word is `name`.

    Raises InputError, listing candidates or close names, when none or several fit.
    """
    found = _candidates(spectra, name, record)
    if len(found) == 1:
        return found[0]
    asked = f"{name!r} (record {record!r})" if record else f"{name!r}"
    if found:
        raise InputError(
            f"{asked} fits {len(found)} spectra: {_shown(found)}; write enough of the wanted "
            "record's name into the column `record` of resources/static/minerals.csv"
        )
    words = sorted({_first_word(s.name) for s in spectra} | {_plain(s.name) for s in spectra})
    close = difflib.get_close_matches(_plain(name), words, n=5, cutoff=0.6) or words[:8]
    raise InputError(
        f"{asked} is not in the library of {len(spectra)} spectra; close names: {', '.join(close)}"
    )


def select_from_libraries(
    libraries: Sequence[Sequence[Spectrum]], name: str, record: str = ""
) -> tuple[int, Spectrum]:
    """Pick the spectrum of a class from the first library that has one: its place, and it.

    Raises InputError as `select_spectrum` does: several fit in that library, or none in any.
    """
    for place, spectra in enumerate(libraries):
        if _candidates(spectra, name, record):
            return place, select_spectrum(spectra, name, record)
    pooled = [spectrum for spectra in libraries for spectrum in spectra]
    return 0, select_spectrum(pooled, name, record)


def has_spectrum(libraries: Sequence[Sequence[Spectrum]], name: str, record: str = "") -> bool:
    """Whether any library has a spectrum that `select_spectrum` would take, or choose among."""
    return any(_candidates(spectra, name, record) for spectra in libraries)


def select_all(
    libraries: Sequence[Sequence[Spectrum]], name: str, record: str = ""
) -> list[tuple[int, Spectrum]]:
    """All records of a class in the libraries: place of the library and spectrum, in a fixed order.

    Those that `record` names come first, then those called `name` or whose first word is `name`,
    each in the order of the libraries. Varieties of another first word are not among them, nor are
    mixtures ("Alunite+Kaolinite"), unless `record` names one or the class is one. A record that an
    earlier library has under the same name counts once, as does a copy in the same library.
    Modelled spectra stand in where nothing is measured.

    Raises InputError as `select_spectrum` does where no record fits.
    """
    everything = [(place, one) for place, spectra in enumerate(libraries) for one in spectra]
    wanted = _plain(record)
    named = [pair for pair in everything if record and _is_record(pair[1], wanted)]
    own = [pair for pair in everything if _is_of(pair[1], _plain(name))]
    found: list[tuple[int, Spectrum]] = []
    for place, spectrum in [*named, *own]:
        if not any(_is_same(place, spectrum, *other) for other in found):
            found.append((place, spectrum))
    measured = [pair for pair in found if not pair[1].modelled]
    if not found:
        select_spectrum([spectrum for _, spectrum in everything], name, record)
    return measured or found


def is_record(spectrum: Spectrum, record: str) -> bool:
    """Whether a spectrum is the one that `record` names, as of `select_spectrum`."""
    return bool(record) and _is_record(spectrum, _plain(record))


def _is_record(spectrum: Spectrum, wanted: str) -> bool:
    return wanted in _plain(spectrum.name) or wanted in _plain(_stem(spectrum))


def _is_of(spectrum: Spectrum, wanted: str) -> bool:
    if _plain(spectrum.name) == wanted:
        return True
    mixed = MIXED.search(spectrum.name) and not MIXED.search(wanted)
    return _first_word(spectrum.name) == wanted and not mixed


def _is_same(place: int, spectrum: Spectrum, other_place: int, other: Spectrum) -> bool:
    if _plain(spectrum.name) != _plain(other.name):
        return False
    return place != other_place or (
        np.array_equal(spectrum.wavelength_um, other.wavelength_um)
        and np.array_equal(spectrum.reflectance, other.reflectance, equal_nan=True)
    )


def _candidates(spectra: Sequence[Spectrum], name: str, record: str) -> list[Spectrum]:
    if record:
        wanted = _plain(record)
        found = [s for s in spectra if _is_record(s, wanted)]
        if found:
            return found
    wanted = _plain(name)
    exact = [s for s in spectra if _plain(s.name) == wanted]
    return exact or [s for s in spectra if _first_word(s.name) == wanted]


def _plain(text: str) -> str:
    # USGS writes "<2um" into a record's title and "lt2um" into its file's name.
    words = text.lower().replace("_", " ").replace("<", "lt").replace(">", "gt")
    return " ".join(words.split())


def _stem(spectrum: Spectrum) -> str:
    return Path(spectrum.source).stem


def _first_word(name: str) -> str:
    # The classic ENVI library puts a file name such as "alunite1.spc" before the mineral's name.
    words = [word for word in _plain(name).split() if not word.endswith(".spc")]
    return words[0] if words else ""


def _shown(spectra: Sequence[Spectrum], limit: int = 8) -> str:
    shown = ", ".join(f"{s.name} ({_stem(s)})" for s in spectra[:limit])
    return shown + (", …" if len(spectra) > limit else "")


def _read_file(path: Path, known: WavelengthFiles, alone: bool = False) -> list[Spectrum] | None:
    """Spectra of one file; None when it is not of a known kind, [] when it describes channels.

    `known` carries the USGS wavelength files found so far from file to file.
    In a folder an ENVI library is read through its .hdr, so its .sli is passed over; `alone`
    accepts either of the two.
    """
    suffix = path.suffix.lower()
    if suffix == ".sli":
        return read_envi(path) if alone or _header_of(path) is None else []
    if suffix == ".hdr":
        return read_envi(path) if alone or _data_of(path) is not None else None
    text = _read_text(path)
    first = text.split("\n", 1)[0]
    if USGS_TITLE.match(first):
        return read_usgs(path, text, known)
    if first.startswith(ENVI_PLOT):
        return read_envi_plot(path, text)
    if re.search(r"^\s*name\s*:", text[:4000], re.IGNORECASE | re.MULTILINE) and re.search(
        r"^\s*y units\s*:", text[:4000], re.IGNORECASE | re.MULTILINE
    ):
        return [read_ecostress(path, text)]
    if set(absorptions.TABLE_COLUMNS) <= set(header_of(text, absorptions.TABLE_COLUMNS)):
        return read_analytic(path)
    if _wavelength_column(header_of(text)):
        return read_csv(path)
    return None


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; check the file") from error
    if not data.strip():
        raise InputError(f"{path}: the file is empty; download it again or remove it")
    if data.startswith(UTF_16):
        return decode(data, path)
    if b"\0" in data:
        raise InputError(f"{path}: {UNREADABLE}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Old libraries write ° and µ in Latin-1; much more than that is no text at all.
        if sum(byte > 127 for byte in data) > 0.02 * len(data):
            raise InputError(f"{path}: {UNREADABLE}") from None
        return data.decode("latin-1")


def _make_spectrum(
    name: str,
    wavelength_um: np.ndarray,
    reflectance: np.ndarray,
    source: Path,
    modelled: bool = False,
    unit: str = "",
) -> Spectrum:
    """Sort, mask and check one spectrum, whose wavelengths were converted from `unit`, if any."""
    wavelength_um = np.asarray(wavelength_um, dtype=np.float64)
    reflectance = np.asarray(reflectance, dtype=np.float64)
    if not np.all(np.isfinite(wavelength_um)) or np.any(wavelength_um <= 0):
        raise InputError(f"{source}: wavelengths must be finite and above 0; repair the file")
    if wavelength_um.min() > LONGEST_UM or wavelength_um.max() < SHORTEST_UM:
        given = unit in ("", MICROMETRES)
        look = "like nanometres" if given and wavelength_um.min() > LONGEST_UM else "wrong"
        told = "" if given else f", converted from the unit {unit!r},"
        raise InputError(
            f"{source}: wavelengths from {wavelength_um.min():g} to {wavelength_um.max():g} µm"
            f"{told} look {look}; correct the numbers or their unit"
        )
    with np.errstate(invalid="ignore"):
        deleted = ~np.isfinite(reflectance) | (reflectance < DELETED_BELOW)
    reflectance = np.where(deleted, np.nan, reflectance)
    if deleted.all():
        raise InputError(f"{source}: {name!r} has no valid channel; choose another record")
    highest = np.nanmax(reflectance)
    if highest > MAX_REFLECTANCE:
        raise InputError(
            f"{source}: {name!r} reaches reflectance {highest:.4g}; it must be a fraction "
            "(0-1), divide percent by 100"
        )
    # Of channels at one wavelength (overlapping detectors) the first valid one is kept.
    order = np.lexsort((deleted, wavelength_um))
    wavelength_um, first = np.unique(wavelength_um[order], return_index=True)
    return Spectrum(name, wavelength_um, reflectance[order][first], str(source), modelled, unit)


# --- USGS splib07 native ASCII ---------------------------------------------------------------


def read_usgs(path: Path, text: str, known: WavelengthFiles) -> list[Spectrum]:
    """Read one USGS native ASCII record (Kokaly et al. 2017, doi:10.3133/ds1035).

    The wavelengths come from the nearest folder, upwards, that has files of wavelengths: the
    file for the spectrometer in the record's title (BECK, ASD, NIC4, AVIRIS), or the only one.
    Returns [] for the wavelength, bandpass and error-bar files themselves. `known` is filled
    with what each folder holds, since a library has thousands of records beside one such file.
    """
    title = _usgs_title(text)
    if NOT_A_SPECTRUM.match(title) or path.name.lower().startswith("errorbar"):
        return []
    values = _usgs_values(path, text)
    candidates = _wavelength_files(path, known)
    if not candidates:
        raise InputError(
            f"{path}: no wavelength file (…Wavelengths….txt) beside it or in the "
            f"{WAVELENGTH_FILE_LEVELS} folders above; copy it there from the USGS library"
        )
    tokens = title.upper().split()
    matching = [
        (key, values_um)
        for key, values_um in candidates
        if any(token.startswith(key) for token in tokens)
    ]
    usable = matching or (candidates if len(candidates) == 1 else [])
    fitting = [values_um for _, values_um in usable if len(values_um) == len(values)]
    if not fitting:
        nearby = ", ".join(f"{key} ({len(values_um)})" for key, values_um in candidates)
        raise InputError(
            f"{path}: {len(values)} channels, but the wavelength files near it are {nearby}; "
            "put the library's own wavelength file there or download the record again"
        )
    return [_make_spectrum(title, fitting[0], values, path)]


def _usgs_title(text: str) -> str:
    match = USGS_TITLE.match(text.split("\n", 1)[0])
    return " ".join(match["title"].split()) if match else ""


def _usgs_values(path: Path, text: str) -> np.ndarray:
    lines = text.split("\n")[1:]
    try:
        values = np.array(" ".join(lines).split(), dtype=np.float64)
    except ValueError as error:
        raise InputError(
            f"{path}: a line after the title is not a number; download the record again"
        ) from error
    if not values.size:
        raise InputError(f"{path}: no channels after the title; download the record again")
    if values.size > sum(1 for line in lines if line.strip()):
        raise InputError(f"{path}: more than one column; a USGS record has one number per line")
    return values


def _wavelength_files(path: Path, known: WavelengthFiles) -> list[tuple[str, np.ndarray]]:
    """(spectrometer, wavelengths in µm) of the nearest folder that has wavelength files."""
    for folder in list(path.parents)[: WAVELENGTH_FILE_LEVELS + 1]:
        if folder not in known:
            known[folder] = [
                (match[1].upper(), _wavelengths_um(file))
                for file in sorted(folder.glob("*[Ww]avelengths*.txt"))
                if (match := WAVELENGTH_FILE.search(file.name))
            ]
        if known[folder]:
            return known[folder]
    return []


def _wavelengths_um(path: Path) -> np.ndarray:
    text = _read_text(path)
    values = _usgs_values(path, text)
    told = USGS_UNIT.search(_usgs_title(text))
    if told:
        return to_micrometres(values, read_unit(told[0]), str(path))
    return values / 1000.0 if np.nanmax(values) > 400 else values


# --- ENVI spectral library ---------------------------------------------------------------------


def read_envi(path: Path) -> list[Spectrum]:
    """Read an ENVI spectral library from its `.sli` or its `.hdr`.

    Rows of wavelengths, resolutions and error bars are left out. Reflectance below -1 and the
    header's `data ignore value` are deleted channels. So is an exact 0 where the library knows
    no other mark for them (the classic library of 481 minerals); of whole numbers, among which 0
    may be dark, where all records have it.
    """
    header_path = path if path.suffix.lower() == ".hdr" else _header_of(path)
    data_path = path if path.suffix.lower() != ".hdr" else _data_of(path)
    if header_path is None:
        raise InputError(f"{path}: its header {path.stem}.hdr is missing; put it beside the file")
    if data_path is None:
        raise InputError(f"{path}: its data {path.stem}.sli is missing; put it beside the header")
    header = _envi_header(header_path)
    samples, lines = (
        _envi_int(header, "samples", header_path),
        _envi_int(header, "lines", header_path),
    )
    names = _envi_list(header.get("spectra names", ""))
    if len(names) != lines:
        raise InputError(f"{header_path}: {len(names)} spectra names for {lines} lines; repair it")
    wavelength, unit = _envi_wavelengths_um(header, samples, header_path)
    kind = _envi_int(header, "data type", header_path)
    if kind not in ENVI_TYPES:
        raise InputError(f"{header_path}: data type {kind} is not a real number type; convert it")
    order = ">" if header.get("byte order", "0").strip() == "1" else "<"
    dtype = np.dtype(order + ENVI_TYPES[kind])
    offset = _envi_int({"header offset": "0"} | header, "header offset", header_path)
    data = data_path.read_bytes()[offset:]
    if len(data) != samples * lines * dtype.itemsize:
        raise InputError(
            f"{data_path}: {len(data)} bytes where its header asks for "
            f"{samples * lines * dtype.itemsize}; download the library again"
        )
    values = np.frombuffer(data, dtype=dtype).reshape(lines, samples).astype(np.float64)
    try:
        scale = float(header.get("reflectance scale factor", "1"))
        ignored = float(header.get("data ignore value", "nan"))
    except ValueError as error:
        raise InputError(f"{header_path}: {error}; repair the header") from error
    if not (math.isfinite(scale) and scale > 0):
        raise InputError(f"{header_path}: reflectance scale factor = {scale:g}; it is above 0")
    # Limits are those of reflectance: numbers are scaled first.
    reflectance = values / scale
    with np.errstate(invalid="ignore"):
        deleted = ~np.isfinite(values) | (reflectance < DELETED_BELOW)
    if math.isfinite(ignored):
        deleted |= np.isclose(values, ignored, rtol=1e-5, atol=0.0)
    elif dtype.kind != "f":
        deleted |= np.isin(values, INTEGER_MARKS) | (values == 0.0).all(axis=0)
    elif not deleted.any():
        deleted |= values == 0.0
    values = np.where(deleted, np.nan, reflectance)
    return [
        _make_spectrum(" ".join(name.split()), wavelength, row, data_path, unit=unit)
        for name, row in zip(names, values, strict=True)
        if not NOT_A_SPECTRUM.match(name.strip()) and np.any(np.isfinite(row))
    ]


def read_envi_wavelengths(path: str | Path) -> np.ndarray:
    """Wavelengths (samples,) in µm of an ENVI library's header, in the order of its channels.

    They need not ascend: where two detectors overlap, the second starts below the first's end.
    """
    path = Path(path)
    header = _envi_header(path)
    return _envi_wavelengths_um(header, _envi_int(header, "samples", path), path)[0]


def _envi_wavelengths_um(
    header: dict[str, str], samples: int, path: Path
) -> tuple[np.ndarray, str]:
    """Wavelengths in µm, and the unit that they were converted from if it is no length."""
    texts = _envi_list(header.get("wavelength", ""))
    if len(texts) != samples:
        raise InputError(f"{path}: {len(texts)} wavelengths for {samples} samples; repair it")
    try:
        wavelength = np.array(texts, dtype=np.float64)
    except ValueError as error:
        raise InputError(f"{path}: {error}; repair the header") from error
    unit = read_unit(header.get("wavelength units"))
    if unit:
        return to_micrometres(wavelength, unit, f"{path}: wavelength units"), unit
    # Without units only nanometres can be this large: optical libraries end well below 400 µm.
    return (wavelength / 1000.0 if np.max(wavelength) > 400 else wavelength), ""


def _header_of(path: Path) -> Path | None:
    return find_beside(path, f"{path.stem}.hdr", f"{path.name}.hdr")


def _data_of(path: Path) -> Path | None:
    # Beside `lib.hdr` stands `lib.sli`, as it does beside `lib.sli.hdr`.
    return find_beside(path, f"{path.stem.removesuffix('.sli').removesuffix('.SLI')}.sli")


def _envi_header(path: Path) -> dict[str, str]:
    text = _read_text(path)
    if not text.startswith("ENVI"):
        raise InputError(f"{path}: does not begin with ENVI; give the header of an ENVI library")
    header = {}
    for match in re.finditer(r"^([^\n={}]+?)\s*=\s*(\{[^}]*\}|[^\n]*)", text, re.MULTILINE):
        # Some writers join the words of a key.
        header[match[1].strip().lower().replace("_", " ")] = match[2].strip()
    return header


def _envi_list(text: str) -> list[str]:
    inner = text.strip().strip("{}").strip()
    return [item.strip() for item in inner.split(",")] if inner else []


def _envi_int(header: dict[str, str], key: str, path: Path) -> int:
    try:
        return int(header[key])
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: no whole number at {key!r}; repair the header") from error


# --- ENVI ASCII plots -------------------------------------------------------------------------


def read_envi_plot(path: Path, text: str) -> list[Spectrum]:
    """Read what ENVI saves of a plot: lines "Column 1: Wavelength", "Column 2: name", then numbers.

    Wavelengths are of the unit that their title tells, else in µm, or in nanometres where they are
    too large for that. The first column is theirs, each further one a spectrum.
    """
    titles: list[str] = []
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines()[1:], start=2):
        match = PLOT_COLUMN.match(line)
        if match and not rows:
            titles.append(" ".join(match["title"].split()))
        elif line.strip():
            try:
                rows.append([float(word) for word in line.split()])
            except ValueError as error:
                raise InputError(f"{path}, line {number}: {error}; save the plot again") from error
            if len(rows[-1]) != len(titles):
                raise InputError(
                    f"{path}, line {number}: {len(rows[-1])} numbers for {len(titles)} columns; "
                    "save the plot again"
                )
    if len(titles) < 2 or not rows:
        raise InputError(f"{path}: a plot without spectra; save it again, with its data")
    table = np.array(rows)
    unit = read_unit(titles[0])
    if unit:
        wavelength = to_micrometres(table[:, 0], unit, f"{path}: title of column 1")
    else:
        wavelength = table[:, 0] / (1000.0 if table[:, 0].min() > LONGEST_UM else 1.0)
    return [
        _make_spectrum(title or path.stem, wavelength, values, path, unit=unit)
        for title, values in zip(titles[1:], table[:, 1:].T, strict=True)
    ]


# --- ECOSTRESS and ASTER text ------------------------------------------------------------------


def read_ecostress(path: Path, text: str) -> Spectrum:
    """Read one file of the ECOSTRESS or ASTER spectral library (percent, in any order)."""
    fields: dict[str, str] = {}
    numbers: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = [float(word) for word in line.split()]
        except ValueError:
            key, colon, value = line.partition(":")
            if numbers or not colon:
                if not numbers:
                    continue
                raise InputError(
                    f"{path}, line {number}: not two numbers; download the file again"
                ) from None
            fields[key.strip().lower()] = value.strip()
            continue
        if len(row) != 2:
            raise InputError(
                f"{path}, line {number}: {len(row)} columns where wavelength and reflectance are "
                "expected; download the file again"
            )
        numbers.append(row)
    if not numbers:
        raise InputError(f"{path}: no data below the header; download the file again")
    unit = read_unit(fields.get("x units")) or MICROMETRES
    y_units = fields.get("y units", "").lower()
    if "reflectance" not in y_units:
        raise InputError(f"{path}: Y units {fields.get('y units')!r}; give a reflectance spectrum")
    declared = fields.get("number of x values", "")
    if declared.isdigit() and int(declared) != len(numbers):
        raise InputError(
            f"{path}: {len(numbers)} rows where the header says {declared}; download it again"
        )
    table = np.array(numbers)
    scale = 100.0 if "percent" in y_units or "%" in y_units else 1.0
    wavelength = to_micrometres(table[:, 0], unit, f"{path}: X units")
    return _make_spectrum(
        fields.get("name") or path.stem, wavelength, table[:, 1] / scale, path, unit=unit
    )


# --- plain CSV ---------------------------------------------------------------------------------


def _csv_rows(path: Path) -> Table:
    """A table of spectra; InputError names a line of wrong width, and a table without rows."""
    table = read_delimited(path, whole=True)
    if not table.rows:
        raise InputError(f"{path}: a header without rows; write the spectra below it")
    return table


def _csv_column(table: Table, name: str) -> np.ndarray:
    """One numeric column; an empty cell is NaN."""
    try:
        return np.array([float(row[name] or "nan") for row in table.rows])
    except ValueError as error:
        raise InputError(f"{table.path}: column {name!r}: {error}; repair the cell") from error


def _wavelength_column(columns: Sequence[str]) -> tuple[str, str] | None:
    """The column of wavelengths and its unit, "" if its name tells none; None without such one."""
    for column in columns:
        match = WAVELENGTH_COLUMN.match(column)
        if match:
            reciprocal = match[1].lower().startswith("waven")
            return column, read_unit(match[2]) or ("cm-1" if reciprocal else "")
    return None


def read_csv(path: Path) -> list[Spectrum]:
    """Read a plain CSV: `wavelength_um`, then a column per spectrum; empty or nan = deleted.

    The first column may be of another unit, which its name tells: `wavelength_nm`, "Wavelength
    (nm)", `wavenumber_cm-1`. Columns that end in "(%)" are in percent. A single column called
    `reflectance` takes the file's name.
    """
    path = Path(path)
    table = _csv_rows(path)
    found = _wavelength_column(table.columns)
    if found is None:
        raise InputError(f"{path}: no column wavelength_um; name the wavelength column so")
    column, unit = found
    if not unit:
        raise InputError(
            f"{path}: column {column!r} tells no unit; call it wavelength_um or wavelength_nm"
        )
    names = [name for name in table.columns if name != column and not BAND_COLUMN.match(name)]
    if not names:
        raise InputError(f"{path}: no column of reflectance beside {column}; add one")
    for name in names:
        if fault := label_fault(name):
            raise InputError(f"{path}: the column {name[:40]!r} {fault}")
    wavelength = to_micrometres(_csv_column(table, column), unit, f"{path}: column {column!r}")
    plain = {name: PERCENT.sub("", name) for name in names}
    return [
        _make_spectrum(
            path.stem if list(plain.values()) == ["reflectance"] else plain[name],
            wavelength,
            _csv_column(table, name) / (1.0 if plain[name] == name else 100.0),
            path,
            unit=unit,
        )
        for name in names
    ]


def write_references(path: str | Path, references: References) -> None:
    """Write spectra at a sensor's bands as plain CSV, one row per band in the sensor's order.

    Further records of a class `alunite` have columns `alunite#2`, `alunite#3` and so on.
    """
    columns: list[str] = []
    for place, name in enumerate(references.names):
        before = references.names[:place].count(name)
        columns.append(f"{name}#{before + 1}" if before else name)
    lines = [["band", "wavelength_um", "fwhm_um", *columns]]
    for index, band in enumerate(references.band):
        lines.append(
            [
                band,
                f"{references.wavelength_um[index]:.6g}",
                f"{references.fwhm_um[index]:.6g}",
                *(f"{value:.6f}" for value in references.reflectance[:, index]),
            ]
        )
    write_text(path, "\n".join(",".join(line) for line in lines) + "\n")


def read_references(path: str | Path) -> References:
    """Read what `write_references` wrote, in the order of the bands.

    Raises InputError naming the file when a column is missing or a reflectance is not a number.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file; make it with resample_library.py")
    table = _csv_rows(path)
    for name in ("band", "wavelength_um", "fwhm_um"):
        if name not in table.columns:
            raise InputError(f"{path}: no column {name}; make it with resample_library.py")
    spectra = [name for name in table.columns if name not in ("band", "wavelength_um", "fwhm_um")]
    if not spectra:
        raise InputError(f"{path}: no column of reflectance; make it with resample_library.py")
    reflectance = np.stack([_csv_column(table, name) for name in spectra])
    if not np.all(np.isfinite(reflectance)):
        name = spectra[int(np.argwhere(~np.isfinite(reflectance))[0, 0])]
        raise InputError(f"{path}: {name!r} has a band without reflectance; resample it again")
    if np.abs(reflectance).max() > MOST_REFLECTANCE:
        name = spectra[int(np.argwhere(np.abs(reflectance) > MOST_REFLECTANCE)[0, 0])]
        raise InputError(
            f"{path}: {name!r} has a number beyond {MOST_REFLECTANCE:g}, which no reflectance is; "
            "resample it again"
        )
    return References(
        names=tuple(_class_of(name, spectra) for name in spectra),
        band=tuple(row["band"] for row in table.rows),
        wavelength_um=_csv_column(table, "wavelength_um"),
        fwhm_um=_csv_column(table, "fwhm_um"),
        reflectance=reflectance,
    )


def _class_of(column: str, columns: Sequence[str]) -> str:
    name, mark, number = column.rpartition("#")
    return name if mark and number.isdigit() and name in columns else column


# --- analytic table ----------------------------------------------------------------------------


def read_analytic(path: Path) -> list[Spectrum]:
    """Evaluate an analytic library table at every nanometre from 0.35 to 2.5 µm."""
    return list(_evaluated(path))


def _evaluated(path: Path) -> Iterator[Spectrum]:
    for model in absorptions.read_models(path):
        reflectance = absorptions.evaluate(model, ANALYTIC_GRID_UM)
        yield _make_spectrum(model.name, ANALYTIC_GRID_UM, reflectance, path, modelled=True)
