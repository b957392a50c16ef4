"""What the paths of a user's files mean, and what belongs to a file."""

import os
import re
import unicodedata
from pathlib import Path, PurePosixPath

LAYER = "|layername="
"""What stands between a file of several layers and the one that is asked for, as QGIS writes it."""

FETCH = "fetch:"
"""Before the name of an entry of products.yaml, in place of a path."""
_FETCHED = re.compile(rf"{FETCH}([A-Za-z0-9][A-Za-z0-9-]*)$")

_LITTER = ("__macosx", "thumbs.db", "desktop.ini")


def is_companion(path: str | Path) -> bool:
    """Whether a file is none of the user's: left by macOS or Windows beside every file or folder.

    `._NAME`, `__MACOSX/…`, `.DS_Store` and other hidden names, `Thumbs.db`, `desktop.ini`. A path
    is that from the top of its folder or archive; no part of it may be such a name.
    """
    parts = PurePosixPath(str(path).replace("\\", "/")).parts
    return any(
        (part.startswith(".") and part not in (".", "..")) or part.casefold() in _LITTER
        for part in parts
    )


def split_layer(path: str | Path) -> tuple[Path, str]:
    """The file of a path as `file.gpkg|layername=final`, and its layer; "" where none is named."""
    file, _, layer = str(path).partition(LAYER)
    return Path(file), layer


def list_files(folder: Path, pattern: str = "*") -> list[Path]:
    """The user's own files of a folder that match a glob pattern, sorted by their paths."""
    return sorted(
        item
        for item in folder.glob(pattern)
        if item.is_file() and not is_companion(item.relative_to(folder))
    )


def find_beside(path: Path, *names: str) -> Path | None:
    """The first of these files in the folder of `path` that is there, in capitals or without.

    Where several differ in their capitals alone, the one that is written as asked for.
    """
    for name in names:
        if (path.parent / name).is_file():
            return path.parent / name
    there = {item.name.casefold(): item for item in reversed(list_files(path.parent))}
    return next((there[name.casefold()] for name in names if name.casefold() in there), None)


def named_path(text: str) -> str:
    """The path that a user's text names, in a form that no command line takes for a flag.

    A name may be composed Unicode on one disk and decomposed on another; that of the file that is
    there is taken. A path that begins with a hyphen is told as a whole one. A layer stays with its
    file.
    """
    file, bar, layer = text.partition(LAYER)
    forms = [file, *(unicodedata.normalize(form, file) for form in ("NFC", "NFD"))]
    path = next((form for form in forms if os.path.exists(form)), file)  # noqa: PTH110
    return (os.path.abspath(path) if path.startswith("-") else path) + bar + layer  # noqa: PTH100


def fetched_name(text: str | Path) -> str:
    """The entry of products.yaml that a text names in place of a path; "" where it names none."""
    found = _FETCHED.match(str(split_layer(text)[0]))
    return found[1] if found else ""


def is_there(text: str | Path) -> bool:
    """Whether the file of a path is there, of which a layer may be named, or is to be fetched."""
    return bool(fetched_name(text)) or split_layer(text)[0].exists()
