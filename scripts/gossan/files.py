"""Files that are whole or absent: written aside, then renamed; text and JSON among them."""

import json
import secrets
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gossan.errors import InputError

# zipfile raises RuntimeError for a member that says it is encrypted, NotImplementedError (one of
# its kind) for a compression that it does not know; NumPy takes an array's header apart as Python.
DAMAGED_ARCHIVE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, tokenize.TokenError)
"""What reading a damaged .zip, .npz or .keras may raise, beside OSError."""


@contextmanager
def staged(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block succeeds.

    The temporary name keeps the suffix (drivers choose formats by it). If the block raises,
    the temporary file is removed and an older `path` stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        for leftover in (temporary, temporary.with_name(temporary.name + ".aux.xml")):
            leftover.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with staged(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: object) -> None:
    """Write `value` as indented JSON; NaN is refused because JSON has none."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


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
