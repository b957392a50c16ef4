"""CSV tables, written whole or not at all, and the numbers in their rows."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from gossan.files import write_text


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
