"""CSV tables, written whole or not at all."""

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
