"""What a search has found: the items, and the files that make the product."""

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gossan.errors import InputError
from gossan.product_lock import require_name

LISTED = 5


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
    require_name(name, "the archive")
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
