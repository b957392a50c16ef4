"""CSV tables: read, written whole or not at all, and the numbers in their rows."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gossan.delimited import read_delimited
from gossan.errors import InputError
from gossan.files import write_text


def read_table(path: str | Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a table that must have `columns`; InputError as of `delimited.read_delimited`."""
    return read_delimited(path, columns).rows


def write_table(path: str | Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows, at least one, with the columns of the first; a row with others is an error."""
    text = io.StringIO()
    table = csv.DictWriter(text, rows[0], lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(path, text.getvalue())


def write_rows(path: str | Path, columns: Sequence[str], rows: Sequence[Mapping]) -> None:
    """Write a CSV table; None and missing cells are empty."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: "" if value is None else value for key, value in row.items()})
    write_text(path, stream.getvalue())


def number(row: Mapping[str, str] | None, name: str) -> float | None:
    """A number of a row; None where there is no row, no such column, or an empty cell."""
    return float(row[name]) if row is not None and row.get(name) else None


def value_of(row: Mapping[str, str] | None, name: str) -> dict[str, float | None]:
    """A number of a row with its interval; None as of `number`."""
    return {
        "value": number(row, name),
        "low": number(row, f"{name}_low"),
        "high": number(row, f"{name}_high"),
    }


def read_numbers(path: str | Path, rows: Sequence[dict[str, str]], column: str) -> np.ndarray:
    """A column of a table's rows as floats; an empty cell is NaN.

    Raises InputError naming the file and the column.
    """
    try:
        return np.array([float(row[column] or "nan") for row in rows])
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: the column {column} holds no number ({error})") from error


def read_references(path: str | Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Wavelengths (µm) and reference spectra by class name, one value per band.

    The table has the columns `wavelength_um` and one per class; `band` and `fwhm_um` are
    optional. An empty cell is NaN.
    """
    rows = read_table(path, ["wavelength_um"])
    if not rows:
        raise InputError(f"{path}: has no rows; make the table again")
    names = [name for name in rows[0] if name not in ("band", "wavelength_um", "fwhm_um")]
    columns = {name: read_numbers(path, rows, name) for name in ["wavelength_um", *names]}
    return columns.pop("wavelength_um"), columns
