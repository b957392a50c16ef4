"""What a search has found: the items, and the files that make the product."""

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gossan.errors import InputError

LISTED = 5
# No folder, nothing hidden, nothing that a rule takes for a pattern of names.
_NAME = re.compile(r"[^./\\{}<>\x00-\x1f][^/\\{}<>\x00-\x1f]*")


@dataclass
class Found:
    """Names of the items, entries of the files, and whether the product is their whole folder.

    `stac` are items of many images, slim, for a collection of items on disk.
    """

    items: list[str]
    files: list[dict]
    whole: bool = False
    stac: list[dict] = field(default_factory=list)


def file_of(
    name: str, url: str, size: int | None, checksum: str = "", **more: object
) -> dict[str, object]:
    """The entry of a file in the lock; `more` is what its source needs to have it."""
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r}: is no name for a file, though the archive says so; refused")
    return {"name": name, "url": url, "size": size, "checksum": checksum, **more}


def one_of(found: Sequence[str], wanted: str, where: str) -> str:
    """The only thing that was found; InputError for none, and for several."""
    if len(found) == 1:
        return found[0]
    if not found:
        raise InputError(f"{wanted}: {where} finds nothing of it; correct id, dates or place")
    listed = ", ".join(found[:LISTED]) + (", …" if len(found) > LISTED else "")
    raise InputError(f"{wanted}: {where} finds {len(found)}: {listed}; name one of them as id")


def fits(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name fits any of these patterns."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
