"""CSV tables: read, written whole or not at all, and the numbers in their rows."""

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self, TypeVar

import numpy as np

from gossan.delimited import read_delimited
from gossan.errors import InputError
from gossan.files import write_text

Number = TypeVar("Number", int, float)


def read_table(path: str | Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a table that must have `columns`; InputError as of `delimited.read_delimited`.

    A cell that is taken for a number and is none, and a column that is asked for and is not
    there, are InputErrors, too.
    """
    table = read_delimited(path, columns)
    return [
        Row({name: Cell(text, path, line, name) for name, text in row.items()}, path)
        for row, line in zip(table.rows, table.lines, strict=True)
    ]


class Cell(str):
    """The text of a cell, which `float` and `int` take for a number, or else say where it stands.

    An empty cell is no number. Text that says "nan" is one only where it is asked for.
    """

    __slots__ = ("_place",)

    def __new__(cls, text: str, path: str | Path, line: int, column: str) -> Self:
        """The text, and where it stands."""
        cell = super().__new__(cls, text)
        cell._place = (path, line, column)
        return cell

    def __float__(self) -> float:
        """The number; InputError, naming file, line and column, for other text and infinity."""
        return self._read(float)

    def __int__(self) -> int:
        """The whole number; InputError, naming file, line and column, for other text."""
        return self._read(int)

    def __reduce__(self) -> tuple:
        """A plain text, where it is copied or sent."""
        return str, (str(self),)

    def _read(self, kind: Callable[[str], Number]) -> Number:
        path, line, column = self._place
        try:
            number = kind(str.__str__(self))
        except ValueError as error:
            shown = str.__str__(self)[:40]
            what = "no whole number" if kind is int else "no number"
            raise InputError(
                f"{path}, line {line}: the column {column} holds {what} ({shown or 'empty'})"
            ) from error
        if number in (math.inf, -math.inf):
            raise InputError(f"{path}, line {line}: the column {column} holds no finite number")
        return number


class Row(dict):
    """A row of a table, which says by the table's name that it lacks a column."""

    def __init__(
        self, cells: Mapping[str, str] | Iterable[tuple[str, str]] = (), path: str | Path = "table"
    ):
        """The cells by their columns."""
        super().__init__(cells)
        self.path = path

    def __missing__(self, column: object) -> object:
        """Raise InputError: what reads a row by a column needs it."""
        raise InputError(f"{self.path}: lacks the column {column}; make the table again")


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
