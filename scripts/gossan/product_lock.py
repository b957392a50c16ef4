"""The lock of the products that can be fetched: what `fetch:NAME` is, and where it lies."""

import fnmatch
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from gossan.errors import InputError
from gossan.files import read_json
from gossan.paths import fetched_name

FOLDER = "."
"""`product` of a lock's entry whose product is the folder of its files."""
TOLD = ("items", "licence", "citation", "page")
"""What a lock's entry tells of a product for anyone to read."""

# No folder, nothing hidden, nothing that a rule takes for a pattern of names.
_NAME = re.compile(r"[^./\\{}<>\x00-\x1f][^/\\{}<>\x00-\x1f]*")
# Of an entry that lacks more files than so they are not told one by one.
_MOST_LINES = 5


def read_lock(path: str | Path) -> dict[str, dict]:
    """What was found for the entries by name; {} where there is no lock yet.

    Raises InputError for one that is damaged, or names files elsewhere than in their folder.
    """
    lock = dict(read_json(path)["products"]) if Path(path).exists() else {}
    for name, locked in lock.items():
        for file in locked["files"]:
            require_name(file["name"], f"{path}: {name}")
        if locked["product"] != FOLDER:
            require_name(locked["product"], f"{path}: {name}")
    return lock


def require_name(name: object, where: str) -> None:
    """Raise InputError for what is no name of one file, or a pattern of names to a rule."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(f"{where}: {name!r} is no name for a file; refused")


def search_of(entry: Mapping) -> dict[str, Any]:
    """What of an entry decides on its files: all but what is only told, and empty keys.

    Of an area it is the content of its file.
    """
    told = ("licence", "citation", "page")
    search = {key: value for key, value in entry.items() if value and key not in told}
    if search.get("window_of") and Path(search["window_of"]).exists():
        content = Path(search["window_of"]).read_bytes()
        search["window_sha256"] = hashlib.sha256(content).hexdigest()
    return json.loads(json.dumps(search, default=str))


def leaf_of(locked: Mapping) -> str:
    """The name under which results have a product: that of its file, or of its folder."""
    if locked["product"] == FOLDER:
        return "files"
    # Of a pattern no more is known than its ending.
    name = locked["product"]
    return f"product{PurePosixPath(name).suffix}" if "*" in name else name


def is_folder(locked: Mapping) -> bool:
    """Whether a product is the folder of its files."""
    return locked["product"] == FOLDER


def find_file(folder: Path, file: Mapping) -> Path | None:
    """Where a file of the lock lies in the folder of its entry: by its name or its pattern.

    None where it does not lie there, or has another size than the lock's.
    """
    exact, name = folder / file["name"], file["name"].lower()
    fitting = [exact] if exact.exists() else []
    if "*" in name and folder.is_dir():
        fitting += [
            path
            for path in sorted(folder.iterdir())
            if fnmatch.fnmatchcase(path.name.lower(), name)
            and not path.name.startswith(".")
            and not path.name.endswith(".sha256")
        ]
    size = file.get("size")
    return next((path for path in fitting if size in (None, path.stat().st_size)), None)


def missing_files(locked: Mapping, folder: Path) -> list[Mapping]:
    """Files of the lock that do not lie in the folder of their entry."""
    return [file for file in locked["files"] if find_file(folder, file) is None]


def describe_missing(name: str, locked: Mapping, folder: Path) -> list[str]:
    """One line per missing file: what it is, its size, where it is had, where it belongs.

    Of many files of one entry it is one line for all.
    """
    missing = missing_files(locked, folder)
    items = ", ".join(locked.get("items", [])[:1]) or name
    page = locked.get("page") or "its archive"
    if len(missing) > _MOST_LINES:
        return [f"fetch:{name}: {items}, …, {len(missing)} files, from {page} -> {folder}"]
    lines = []
    for file in missing:
        size = "size not told" if file.get("size") is None else f"{file['size'] / 1e6:.1f} MB"
        lines.append(f"fetch:{name}: {items}, {size}, from {page} -> {folder / file['name']}")
    return lines


def names_in(texts: Iterable[str]) -> list[str]:
    """Names of the entries that texts speak of, each once."""
    return list(dict.fromkeys(filter(None, map(fetched_name, texts))))
