"""The files of a product in a folder, a .zip or a .tar, read without trust.

Stored members of a .zip and all of a plain tar are stretches of bytes of the archive, which GDAL
opens by offset and size (/vsisubfile/). Unlike /vsitar/ this needs no second look at member names,
and no index is built anew in each thread.
"""

from __future__ import annotations

import io
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from gossan.errors import InputError
from gossan.files import scratch
from gossan.paths import is_companion, list_files

# Products have tens of files; the largest, 224 bands of int16, has about 1 GB unpacked.
MOST_MEMBERS, MOST_BYTES = 1000, 4 << 30
_CHUNK_BYTES = 1 << 20
_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    LZMAError,
    EOFError,
    OSError,
    NotImplementedError,
)


@dataclass(frozen=True)
class Rules:
    """What a reader says of its products, and which of their files are metadata.

    product: with its article, "an EnMAP product". not_whole: what is wrong with a file that is
    none of the archives that the reader takes. flat: files are called by their names alone,
    whichever folder of an archive they lie in.
    """

    product: str
    not_whole: str
    is_metadata: Callable[[str], bool]
    metadata_max_bytes: int
    flat: bool = False


class Container(ABC):
    """The files of a product: `names` are their paths from its top, in order."""

    names: Sequence[str]

    def __init__(self, path: Path, rules: Rules):
        """`path` is the folder or the archive."""
        self.path = path
        self._rules = rules
        self._cleanup = ExitStack()

    def label(self, name: str) -> str:
        """The file's name for messages."""
        return str(self.path / name)

    def find(self, name: str) -> str:
        """The file as it is called here, in capitals or without; "" where there is none."""
        if name in self.names:
            return name
        wanted = name.casefold()
        return next((other for other in self.names if other.casefold() == wanted), "")

    def read_metadata(self, name: str) -> bytes:
        """The first bytes of a metadata file, one more than it may have."""
        with self._open(name) as file:
            return file.read(self._rules.metadata_max_bytes + 1)

    def locate(self, names: Sequence[str]) -> dict[str, str]:
        """The files' paths for GDAL; to be called once.

        InputError for a damaged member of an archive that keeps checksums, which GDAL leaves
        unread.
        """
        return {name: self._locate(name) for name in names}

    def close(self) -> None:
        """Remove what was unpacked."""
        self._cleanup.close()

    @abstractmethod
    def _open(self, name: str) -> AbstractContextManager[BinaryIO]: ...

    @abstractmethod
    def _locate(self, name: str) -> str: ...


class Folder(Container):
    """A product unpacked into a folder."""

    def __init__(self, path: Path, rules: Rules, *patterns: str):
        """List the files below `path` that match any of the glob patterns."""
        super().__init__(path, rules)
        found = {entry for pattern in patterns for entry in list_files(path, pattern)}
        self.names = sorted(entry.relative_to(path).as_posix() for entry in found)

    def _open(self, name: str) -> AbstractContextManager[BinaryIO]:
        return (self.path / name).open("rb")

    def _locate(self, name: str) -> str:
        return str(self.path / name)


class _Archive(Container):
    """What .zip and .tar have in common; InputError for damage and for refused members."""

    def __init__(self, path: Path, rules: Rules):
        super().__init__(path, rules)
        self._members: dict[str, Any] = {}
        with self._opened() as archive:
            self._list(archive)
        self.names = sorted(self._members)

    @abstractmethod
    def _handle(self) -> AbstractContextManager[Any]: ...

    @abstractmethod
    def _list(self, archive: Any) -> None: ...

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        try:
            with self._handle() as archive:
                yield archive
        except _DAMAGED as error:
            raise self._damaged() from error

    def _damaged(self) -> InputError:
        rules = self._rules
        return InputError(f"{self.path}: {rules.not_whole}; name {rules.product} or get it again")

    def _place(self, name: str) -> str:
        """What a member is called here."""
        place = PurePosixPath(name.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or ":" in name or "\0" in name:
            raise InputError(f"{self.path}: member '{name}' points outside of the archive; refused")
        return place.name if self._rules.flat else place.as_posix()

    def _add(self, name: str, member: Any, size: int, special: bool) -> None:
        fault = ""
        if special:
            fault = f"member '{name}' is a link or another special file; refused"
        elif size > MOST_BYTES:
            fault = (
                f"member '{name}' has {size >> 20} MiB unpacked, more than any file of "
                f"{self._rules.product}; refused"
            )
        elif len(self._members) >= MOST_MEMBERS:
            fault = f"holds more than {MOST_MEMBERS} files; not {self._rules.product}; refused"
        elif name in self._members:
            fault = f"holds two files named {name}; refused"
        if fault:
            raise InputError(f"{self.path}: {fault}")
        self._members[name] = member


def _read_through(file: BinaryIO) -> None:
    """Read a file to its end, where what unpacks it compares the checksum."""
    while file.read(_CHUNK_BYTES):
        pass


class Zip(_Archive):
    """A product in a .zip; a deflated member is inflated as it is read (/vsizip/)."""

    def _handle(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(self.path)

    def _list(self, archive: zipfile.ZipFile) -> None:
        for member in archive.infolist():
            name = self._place(member.filename)
            if member.is_dir() or is_companion(member.filename):
                continue
            self._add(name, member, member.file_size, stat.S_ISLNK(member.external_attr >> 16))
            if member.flag_bits & 1 or member.compress_type not in (
                zipfile.ZIP_STORED,
                zipfile.ZIP_DEFLATED,
            ):
                raise InputError(
                    f"{self.path}: member '{name}' is encrypted or compressed by an unusual "
                    "method; unpack the product"
                )

    def locate(self, names: Sequence[str]) -> dict[str, str]:
        """As of every container; the members are read once, whose CRC is checked at their end."""
        with self._opened() as archive:
            for name in names:
                try:
                    with archive.open(self._members[name]) as file:
                        _read_through(file)
                except _DAMAGED as error:
                    raise InputError(
                        f"{self.path}: member '{name}' is damaged, as its checksum tells; get "
                        f"{self._rules.product} again"
                    ) from error
        return super().locate(names)

    @contextmanager
    def _open(self, name: str) -> Iterator[BinaryIO]:
        with self._opened() as archive, archive.open(self._members[name]) as file:
            yield file

    def _locate(self, name: str) -> str:
        member, path = self._members[name], self.path.resolve()
        if member.compress_type == zipfile.ZIP_DEFLATED:
            return f"/vsizip/{{{path}}}/{member.filename}"
        with path.open("rb") as file:
            file.seek(member.header_offset)
            header = file.read(30)
        # Local file header (PKWARE APPNOTE 4.3.7): its name and extra field precede the data.
        if len(header) < 30 or header[:4] != b"PK\x03\x04":
            raise self._damaged()
        start = member.header_offset + 30 + sum(struct.unpack("<HH", header[26:30]))
        return f"/vsisubfile/{start}_{member.compress_size},{path}"


class Tar(_Archive):
    """A product in a .tar, read in place, or in a compressed one.

    A compressed tar has no random access (each step back would unpack from the start again), so
    its metadata are kept as it is listed, and the few rasters that are needed are unpacked once
    into the temporary directory, under names of our own, and removed on close.
    """

    def __init__(self, path: Path, rules: Rules):
        """List the archive; InputError for a damaged one and for members that are refused."""
        self._metadata: dict[str, bytes] = {}
        self._compressed = False
        try:
            with tarfile.open(path, "r:"):
                pass
        except (tarfile.TarError, OSError):
            self._compressed = True
        super().__init__(path, rules)

    def _handle(self) -> tarfile.TarFile:
        return tarfile.open(self.path, "r:*" if self._compressed else "r:")

    def _list(self, archive: tarfile.TarFile) -> None:
        for member in archive:
            name = self._place(member.name)
            if member.isdir() or is_companion(member.name):
                continue
            self._add(name, member, member.size, not member.isreg() or member.issparse())
            if not self._compressed and member.offset_data + member.size > self.path.stat().st_size:
                raise InputError(f"{self.path}: is cut short inside {name}; get it again")
            # The second is enough to say that there are several.
            if self._rules.is_metadata(name) and len(self._metadata) < 2:
                with archive.extractfile(member) as file:
                    self._metadata[name] = file.read(self._rules.metadata_max_bytes + 1)
        # The checksum of a compressed stream stands behind the end of the archive in it.
        _read_through(archive.fileobj)

    def _open(self, name: str) -> io.BytesIO:
        return io.BytesIO(self._metadata[name])

    def _locate(self, name: str) -> str:
        member = self._members[name]
        return f"/vsisubfile/{member.offset_data}_{member.size},{self.path.resolve()}"

    def locate(self, names: Sequence[str]) -> dict[str, str]:
        """The files' paths for GDAL; InputError where the disk is too small to unpack them."""
        if not self._compressed:
            return super().locate(names)
        folder = self._cleanup.enter_context(scratch(Path(tempfile.gettempdir()) / "gossan"))
        needed, free = sum(self._members[n].size for n in names), shutil.disk_usage(folder).free
        if needed > free:
            raise InputError(
                f"{self.path}: unpacking needs {needed >> 20} MiB but {folder.parent} has "
                f"{free >> 20} MiB free; set TMPDIR to a larger disk or unpack the product"
            )
        paths = {name: folder / f"{number}.TIF" for number, name in enumerate(names)}
        with self._opened() as archive:
            # In the archive's order, so that the stream is unpacked once.
            for name in sorted(names, key=lambda name: self._members[name].offset):
                with (
                    archive.extractfile(self._members[name]) as source,
                    paths[name].open("wb") as target,
                ):
                    shutil.copyfileobj(source, target)
        return {name: str(path) for name, path in paths.items()}
