"""What a file that came is: by its first bytes, its size and its checksum."""

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from gossan.errors import InputError

# By the ending of a name, the beginnings that such a file may have.
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_HDF5 = (b"\x89HDF\r\n\x1a\n",)
_ZIP = (b"PK\x03\x04",)
BEGINNINGS: Mapping[str, tuple[bytes, ...]] = {
    **dict.fromkeys((".tif", ".tiff"), _TIFF),
    **dict.fromkeys((".nc", ".he5", ".h5"), _HDF5),
    **dict.fromkeys((".zip", ".kmz"), _ZIP),
    ".hdf": (b"\x0e\x03\x13\x01",),
    ".gz": (b"\x1f\x8b",),
    ".tgz": (b"\x1f\x8b",),
    ".jp2": (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
    ".gpkg": (b"SQLite format 3\0",),
    **dict.fromkeys((".json", ".geojson"), (b"{", b"[")),
}
# The mark of a tar archive does not stand at its beginning.
_TAR_PLACE, _TAR = 257, b"ustar"
HEAD_BYTES = 512
_PAGE = (b"<!doctype html", b"<html", b"<head", b"<script")


def require_kind(name: str, head: bytes, hint: str) -> None:
    """Raise InputError unless a file called `name` may begin with `head`.

    A web page in its place, such as a form to sign in, is told as one, with the `hint` on what to
    do about it. Of endings without a mark of their own nothing is asked but that.
    """
    ending = PurePosixPath(name).suffix.lower()
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if ending not in (".html", ".htm") and text[:64].lower().startswith(_PAGE):
        raise InputError(f"{name}: a web page came in its place, as when one must sign in; {hint}")
    if ending == ".tar":
        fits = head[_TAR_PLACE : _TAR_PLACE + len(_TAR)] == _TAR
    elif ending == ".xml":
        fits = text.startswith(b"<")
    elif ending in (".json", ".geojson"):
        fits = text.startswith(BEGINNINGS[ending])
    else:
        fits = ending not in BEGINNINGS or head.startswith(BEGINNINGS[ending])
    if not fits:
        raise InputError(f"{name}: does not begin like a file of its kind ({ending}); {hint}")


def digest_of(path: Path, algorithm: str) -> str:
    """The digest of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def require_content(path: Path, name: str, size: int | None, checksum: str, hint: str) -> str:
    """The SHA-256 of a file that has the kind, the size and the checksum that are due.

    `checksum` is "ALGORITHM:DIGEST", or empty where the archive tells none. Raises InputError, with
    the `hint` on what to do, for another content.
    """
    with path.open("rb") as file:
        require_kind(name, file.read(HEAD_BYTES), hint)
    found = path.stat().st_size
    if size is not None and found != size:
        raise InputError(f"{name}: has {found} bytes, {size} are due; {hint}")
    sha256 = digest_of(path, "sha256")
    algorithm, _, expected = checksum.partition(":")
    if expected:
        told = sha256 if algorithm == "sha256" else digest_of(path, algorithm)
        if told != expected.lower():
            raise InputError(f"{name}: its checksum ({algorithm}) is not the one due; {hint}")
    return sha256
