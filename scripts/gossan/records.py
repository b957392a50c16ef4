"""Small files between the steps: JSON records and CSV tables."""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gossan.errors import InputError
from gossan.legend import NODATA


def read_json(path: str | Path) -> dict:
    """The object in a JSON file; InputError when it is missing or holds none."""
    path = Path(path)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; make it first") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}); make the file again") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: holds no JSON object; make the file again")
    return value


def list_records(paths: Sequence[Path]) -> Iterator[Path]:
    """The files among the paths, and those in the folders among them by name."""
    for path in paths:
        yield from sorted(path.glob("*.json")) if path.is_dir() else [path]


def read_table(path: str | Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a CSV file that must have `columns`; InputError when it lacks one."""
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such table; make it first") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file; give a CSV table") from error
    table = csv.DictReader(line for line in lines if line.strip() and not line.startswith("#"))
    missing = [name for name in columns if name not in (table.fieldnames or [])]
    if missing:
        raise InputError(f"{path}: lacks the column {', '.join(missing)}; make the table again")
    return list(table)


@dataclass(frozen=True)
class Signature:
    """Spectrum of a class in the scene, per band: mean, standard deviation; and its pixels."""

    mean: np.ndarray
    std: np.ndarray
    pixels: int


def read_references(path: str | Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Wavelengths (µm) and reference spectra by class name, one value per band.

    The table has the columns `wavelength_um` and one per class; `band` and `fwhm_um` are
    optional. An empty cell is NaN.
    """
    rows = read_table(path, ["wavelength_um"])
    if not rows:
        raise InputError(f"{path}: has no rows; make the table again")
    names = [name for name in rows[0] if name not in ("band", "wavelength_um", "fwhm_um")]
    columns = {name: _numbers(path, rows, name) for name in ["wavelength_um", *names]}
    return columns.pop("wavelength_um"), columns


def read_signatures(path: str | Path, bands: int) -> dict[str, Signature]:
    """Spectra of the mapped classes by name, from rows of class and band in band order."""
    rows = read_table(path, ["name", "mean", "std", "pixels"])
    signatures = {}
    for name in dict.fromkeys(row["name"] for row in rows):
        own = [row for row in rows if row["name"] == name]
        if len(own) != bands:
            raise InputError(
                f"{path}: class {name} has {len(own)} bands where the references have {bands}; "
                "make both tables from the same cube"
            )
        signatures[name] = Signature(
            _numbers(path, own, "mean"),
            _numbers(path, own, "std"),
            int(_numbers(path, own, "pixels")[0]),
        )
    return signatures


def read_areas(path: str | Path) -> dict[int, tuple[int, float | None]]:
    """Class code -> (pixels, km² or None) of a table of class areas; nodata is not a class."""
    rows = read_table(path, ["code", "pixels", "area_km2"])
    codes, pixels = (_numbers(path, rows, name) for name in ("code", "pixels"))
    areas = _numbers(path, rows, "area_km2")
    return {
        int(code): (int(count), float(area) if np.isfinite(area) else None)
        for code, count, area in zip(codes, pixels, areas, strict=True)
        if code != NODATA
    }


def _numbers(path: str | Path, rows: Sequence[dict[str, str]], column: str) -> np.ndarray:
    """A column as floats; an empty cell is NaN."""
    try:
        return np.array([float(row[column] or "nan") for row in rows])
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: the column {column} holds no number ({error})") from error
