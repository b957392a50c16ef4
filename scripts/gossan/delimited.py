"""Tables of text as people save them: whatever encoding, separator and decimal sign they have."""

import csv
import io
import logging
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gossan.errors import InputError, note_read

# A spreadsheet writes one or the other by the country that it is set to.
SEPARATORS = ("\t", ";", ",")
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""The marks that text in UTF-16 begins with, as a spreadsheet's "Unicode text" does."""
# What Windows-1252 makes of other code pages: signs that no table has, capitals and dashes within
# words (Mac Roman), signs within words (central Europe).
_NOT_WINDOWS = re.compile(
    r"[ƒ†‡ˆ‰‹˜›\ufffd]|[a-z][ŠŒŽŸÀ-ÖØ-Þ]|\w[ŠŒŽŸÀ-ÖØ-Þ][a-z]|[a-z][–—][a-z]"
    r"|[^\W\d_][¡-©«-´¶¸»-¿×÷][^\W\d_]"
)
# Column names of coordinates as GPS devices and spreadsheets write them, in small letters.
_DEGREES = {"longitude": ("longitude", "lon", "long", "lng"), "latitude": ("latitude", "lat")}
# Nothing that is seen: soft hyphen, zero-width blank, word joiner, a mark in mid-text.
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?")
# Groups of three digits: 1,234 is a thousand and more, or little more than one.
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")
_COLOUR = re.compile(r"\s*#[0-9A-Fa-f]{6}\s*([,;\t]|$)")


MOST_LETTERS = 120
"""Letters of a name or label at most."""
_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
# Persian and Indian scripts are written with them.
_JOINERS = "\u200c\u200d"
_MARKUP = re.compile(r"<[A-Za-z/!?]|&#?\w+;")


@dataclass(frozen=True)
class Table:
    """Rows of a table, each a text by column, with the lines of the file that they end on."""

    path: Path
    columns: list[str]
    rows: list[dict[str, str]]
    lines: list[int]


def plain_text(text: object) -> str:
    """A text as it is compared: composed Unicode (NFC), no unseen letters, single plain blanks."""
    text = str(text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(_UNSEEN)
    return " ".join(text.split())


def label_fault(text: str) -> str:
    """What a name or label holds that none needs, or "": it goes into styles, tables and pages.

    Markup and signs that no line shows break or deceive what shows them, and a spreadsheet runs
    what begins as a formula.
    """
    if len(text) > MOST_LETTERS:
        return f"is {len(text)} letters long; use {MOST_LETTERS} at most"
    hidden = [letter for letter in text if unicodedata.category(letter) in _HIDDEN]
    if any(letter not in _JOINERS for letter in hidden):
        return "holds a control character or a sign that turns the direction of writing"
    if _MARKUP.search(text):
        return "holds markup; write words"
    if text[:1] in ("=", "+", "-", "@"):
        return f"begins with {text[0]}, as formulas and flags do; begin with a letter or digit"
    return ""


def read_text(path: str | Path) -> str:
    """The text of a file in UTF-8, UTF-16 with its mark, or Windows-1252, which is logged.

    Raises InputError, naming the file, where it cannot be read or is in another encoding.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such table; correct the path, or make it first") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a table of text") from error
    return decode(data, path)


def decode(data: bytes, path: str | Path) -> str:
    """The text that bytes hold, as of `read_text`."""
    wide = data.startswith(UTF_16)
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        if wide or b"\0" in data:
            raise InputError(f"{path}: not a text file; give a table in UTF-8") from None
        return _windows_text(data, path)
    if "\0" in text:
        raise InputError(f"{path}: not a text file; give a table in UTF-8")
    return text


def _windows_text(data: bytes, path: str | Path) -> str:
    """Text of western Europe in Windows-1252; that of other code pages is refused."""
    text = data.decode("cp1252", errors="replace")
    for word in re.findall(r"[^\s,;]*[^\x00-\x7f][^\s,;]*", text):
        letters = [letter for letter in word if letter.isalpha()]
        foreign = [letter for letter in letters if not letter.isascii()]
        if _NOT_WINDOWS.search(word) or (len(letters) > 2 and len(foreign) > len(letters) / 2):
            raise InputError(
                f"{path}: not UTF-8, and Windows-1252 makes {word!r} of it; save it as UTF-8 text"
            )
    logging.info("%s: not UTF-8; read as Windows-1252", path)
    return text


def read_delimited(
    path: str | Path,
    needed: Sequence[str] = (),
    *,
    whole: bool = False,
    clean: Callable[[str], str] = plain_text,
) -> Table:
    """Read a table with separators, whichever of SEPARATORS they are, and a header.

    Lines that are blank or start with `#` are passed over. Cells come as `clean` leaves them; a
    column of numbers with decimal commas comes with decimal points. A row may lack its last
    cells, which are then empty, unless it must be `whole`. Raises InputError, naming file and
    line or column, for what cannot be read, a column of `needed` that is not there, columns
    without a name or of one name, too many cells, and numbers of which it is not plain whether a
    comma is a decimal one.
    """
    path = Path(path)
    note_read(path)
    return parse_delimited(read_text(path), path, needed, whole=whole, clean=clean)


def parse_delimited(
    text: str,
    path: str | Path,
    needed: Sequence[str] = (),
    *,
    whole: bool = False,
    clean: Callable[[str], str] = plain_text,
) -> Table:
    """The table that a text holds, as of `read_delimited`; errors name `path`."""
    path = Path(path)
    numbered, separator = _lay_out(text, needed)
    if not numbered:
        return _with_columns(Table(path, [], [], []), needed)
    places = [number for number, _ in numbered]
    reader = csv.reader(
        (line for _, line in numbered), delimiter=separator, skipinitialspace=True, strict=True
    )
    found = []
    try:
        for cells in reader:
            found.append((places[reader.line_num - 1], [clean(cell) for cell in cells]))
    except csv.Error as error:
        place = places[min(reader.line_num, len(places)) - 1]
        raise InputError(f"{path}, line {place}: {error}; mend its quotation marks") from error
    header = _trimmed(found[0][1])
    _check_header(header, path)
    rows, lines = [], []
    for place, cells in found[1:]:
        filled = _trimmed(cells)
        if not filled:
            continue
        if len(filled) > len(header) or (whole and len(cells) < len(header)):
            raise InputError(
                f"{path}, line {place}: {len(cells)} columns where the header has {len(header)}; "
                "repair the line, and put a text that holds a separator in quotes"
            )
        filled += [""] * (len(header) - len(filled))
        rows.append(dict(zip(header, filled, strict=True)))
        lines.append(place)
    table = _with_columns(Table(path, header, rows, lines), needed)
    _mend_decimals(table)
    return table


def header_of(text: str, needed: Sequence[str] = ()) -> list[str]:
    """The columns that a text has if it is a table, with the separator that suits `needed`."""
    numbered, separator = _lay_out(text, needed)
    return _cells(numbered[0][1], separator) if numbered else []


def find_degrees(columns: Sequence[str], path: str | Path, what: str) -> list[str]:
    """The columns of longitude and latitude of a table that places `what`; InputError without."""
    found = []
    for due, names in _DEGREES.items():
        named = [name for name in columns if name.casefold() in names]
        if len(named) != 1:
            raise InputError(
                f"{path}: needs one column called {due}, in decimal degrees, to place the {what}; "
                f"it has the columns {', '.join(columns) or 'none'}"
            )
        found += named
    return found


def _lay_out(text: str, needed: Sequence[str]) -> tuple[list[tuple[int, str]], str]:
    """Lines that count, with their numbers, and the separator: told (`sep=;`), or found."""
    numbered = [
        (number, line)
        for number, line in enumerate(io.StringIO(text, newline=None), start=1)
        if line.strip() and (not line.startswith("#") or _COLOUR.match(line))
    ]
    told = re.fullmatch(r"sep=(.)\s*", numbered[0][1]) if numbered else None
    if told:
        return numbered[1:], told[1]
    return numbered, _separator(numbered[0][1], needed) if numbered else ","


def _cells(line: str, separator: str) -> list[str]:
    cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True))
    return [plain_text(cell) for cell in cells]


def _trimmed(cells: list[str]) -> list[str]:
    """Cells without the empty ones at the end, which spreadsheets write beyond a table."""
    filled = [place for place, cell in enumerate(cells, start=1) if cell]
    return cells[: filled[-1]] if filled else []


def _separator(header: str, needed: Sequence[str]) -> str:
    """The separator that gives the columns that are needed, then the one that gives most."""

    def worth(separator: str) -> tuple[int, int]:
        names = _cells(header, separator)
        return sum(name in names for name in needed), len(names)

    return max(reversed(SEPARATORS), key=worth)


def _check_header(header: list[str], path: Path) -> None:
    for place, name in enumerate(header, start=1):
        if not name:
            raise InputError(f"{path}: column {place} has no name; name it or take it out")
        if header.count(name) > 1:
            raise InputError(f"{path}: column {name!r} stands twice; rename one of them")


def _with_columns(table: Table, needed: Sequence[str]) -> Table:
    missing = [name for name in needed if name not in table.columns]
    if missing:
        only = f" (one column: {table.columns[0]!r})" if len(table.columns) == 1 else ""
        raise InputError(
            f"{table.path}: lacks the column {', '.join(missing)}{only}; add it to the header, "
            "with commas, semicolons or tabs between the columns"
        )
    return table


def _mend_decimals(table: Table) -> None:
    """Turn decimal commas of columns of numbers into points, in place."""
    with_commas = [name for name in table.columns if any("," in row[name] for row in table.rows)]
    if not any(_is_numeric(name, table) for name in with_commas):
        return
    numeric = [name for name in table.columns if _is_numeric(name, table)]
    cells = [(name, row[name]) for name in numeric for row in table.rows]
    grouped = [(name, cell) for name, cell in cells if _GROUPED.fullmatch(cell)]
    decimal = any("," in cell and not _GROUPED.fullmatch(cell) for _, cell in cells)
    pointed = any("." in cell for _, cell in cells)
    twice = any(cell.count(",") > 1 for _, cell in grouped)
    if pointed or twice or not decimal:
        name, cell = [*grouped, *(pair for pair in cells if "," in pair[1])][0]
        raise InputError(
            f"{table.path}: column {name!r}: is the comma of {cell} a decimal one? write all "
            "numbers with a decimal point, and none with a sign between thousands"
        )
    for row in table.rows:
        for name in numeric:
            row[name] = row[name].replace(",", ".")


def _is_numeric(name: str, table: Table) -> bool:
    return all(
        not row[name] or _NUMBER.fullmatch(row[name]) or _GROUPED.fullmatch(row[name])
        for row in table.rows
    )
