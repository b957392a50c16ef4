"""Where an EnMAP product keeps its files: a folder, a .zip or a .tar, all read without trust.

File names are those of the EnMAP Ground Segment's Level 1B, 1C and 2A product specification
(EN-PCV-ICD-2009), "ENMAP01-____L2A-DT…-SPECTRAL_IMAGE.TIF". Also known are names with a tile's
suffix or without the product's name, in small letters, and the cloud-optimised copies of DLR's
Geoservice ("…_COG.TIF"). Orders come as a .tar.gz of .zip files, one for each product.
"""

from __future__ import annotations

import re
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import Protocol

from gossan.errors import InputError
from gossan.sensors.xml_metadata import XML_MAX_BYTES

METADATA, IMAGE = "METADATA", "SPECTRAL_IMAGE"
CLASSES, CLOUD, CLOUD_SHADOW, CIRRUS, HAZE, SNOW, TESTFLAGS = QUALITY = (
    "QL_QUALITY_CLASSES",
    "QL_QUALITY_CLOUD",
    "QL_QUALITY_CLOUDSHADOW",
    "QL_QUALITY_CIRRUS",
    "QL_QUALITY_HAZE",
    "QL_QUALITY_SNOW",
    "QL_QUALITY_TESTFLAGS",
)
_NAME = re.compile(
    rf"(?:.*-)?(?:(?P<xml>{METADATA})\.XML|(?P<tif>{'|'.join((IMAGE, *QUALITY))})(_COG)?\.TIFF?)",
    re.IGNORECASE,
)

# A product has about twenty files; its largest, 224 bands of int16, has about 1 GB unpacked.
MOST_MEMBERS, MOST_BYTES = 1000, 4 << 30
_DAMAGED_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError)
_DAMAGED_TAR = (tarfile.TarError, EOFError, zlib.error, LZMAError, OSError)


class Container(Protocol):
    """The files of a product: paths from its top, in order."""

    path: Path
    names: Sequence[str]

    def label(self, name: str) -> str:
        """The file's name for messages."""

    def read_metadata(self, name: str) -> bytes:
        """The first bytes of a METADATA.XML, one more than such a file may have."""

    def locate(self, names: Sequence[str]) -> dict[str, str]:
        """The files' paths for GDAL; to be called once."""

    def close(self) -> None:
        """Remove what was unpacked."""


class Folder:
    """A product unpacked into a folder, or into the one folder in it."""

    def __init__(self, path: Path):
        """List the folder's files and those one level below."""
        self.path = path
        found = [*path.glob("*"), *path.glob("*/*")]
        self.names = sorted(
            entry.relative_to(path).as_posix() for entry in found if entry.is_file()
        )

    def label(self, name: str) -> str:
        """The file's name for messages."""
        return str(self.path / name)

    def read_metadata(self, name: str) -> bytes:
        """The first bytes of a METADATA.XML, one more than such a file may have."""
        with (self.path / name).open("rb") as file:
            return file.read(XML_MAX_BYTES + 1)

    def locate(self, names: Sequence[str]) -> dict[str, str]:
        """The files' paths for GDAL."""
        return {name: str(self.path / name) for name in names}

    def close(self) -> None:
        """Nothing was unpacked."""


class Zip:
    """A product in a .zip, read in place.

    A stored member is a stretch of bytes of the file (/vsisubfile/); a deflated one is inflated as
    it is read (/vsizip/). Nothing is unpacked to disk.
    """

    def __init__(self, path: Path):
        """Check the archive; InputError for a damaged one and for members that are refused."""
        self.path = path
        self._members: dict[str, zipfile.ZipInfo] = {}
        with self._opened() as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
        for member in members:
            _check_name(path, member.filename, len(self._members))
            if stat.S_ISLNK(member.external_attr >> 16):
                _refuse_link(path, member.filename)
            _check_size(path, member.filename, member.file_size)
            if member.flag_bits & 1 or member.compress_type not in (
                zipfile.ZIP_STORED,
                zipfile.ZIP_DEFLATED,
            ):
                raise InputError(
                    f"{path}: member '{member.filename}' is encrypted or compressed by an unusual "
                    "method; unpack the product"
                )
            self._members[_once(path, member.filename, self._members)] = member
        self.names = sorted(self._members)

    @contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except _DAMAGED_ZIP as error:
            raise InputError(
                f"{self.path}: is not a whole .zip; get the EnMAP product again"
            ) from error

    def label(self, name: str) -> str:
        """The file's name for messages."""
        return f"{self.path}/{name}"

    def read_metadata(self, name: str) -> bytes:
        """The first bytes of a METADATA.XML, one more than such a file may have."""
        with self._opened() as archive, archive.open(self._members[name]) as file:
            return file.read(XML_MAX_BYTES + 1)

    def locate(self, names: Sequence[str]) -> dict[str, str]:
        """The files' paths for GDAL."""
        return {name: self._locate(self._members[name]) for name in names}

    def _locate(self, member: zipfile.ZipInfo) -> str:
        path = self.path.resolve()
        if member.compress_type == zipfile.ZIP_DEFLATED:
            return f"/vsizip/{{{path}}}/{member.filename}"
        with path.open("rb") as file:
            file.seek(member.header_offset)
            header = file.read(30)
        # Local file header (PKWARE APPNOTE 4.3.7): its name and extra field precede the data.
        if len(header) < 30 or header[:4] != b"PK\x03\x04":
            raise InputError(f"{self.path}: is not a whole .zip; get the EnMAP product again")
        start = member.header_offset + 30 + sum(struct.unpack("<HH", header[26:30]))
        return f"/vsisubfile/{start}_{member.compress_size},{path}"

    def close(self) -> None:
        """Nothing was unpacked."""


class Tar:
    """A product in a .tar, read in place, or in a compressed one, whose files are unpacked.

    A compressed tar has no random access, so the rasters are unpacked once into the temporary
    directory, by plain copies under names of our own, and removed on close.
    """

    def __init__(self, path: Path):
        """Check the archive; InputError for a damaged one and for members that are refused."""
        self.path = path
        self._unpacked: tempfile.TemporaryDirectory | None = None
        self._members: dict[str, tarfile.TarInfo] = {}
        self._metadata: dict[str, bytes] = {}
        self._compressed = not _is_plain_tar(path)
        with self._opened() as archive:
            for member in archive:
                self._add(archive, member)
        self.names = sorted(self._members)

    @contextmanager
    def _opened(self) -> Iterator[tarfile.TarFile]:
        try:
            with tarfile.open(self.path, "r:*" if self._compressed else "r:") as archive:
                yield archive
        except _DAMAGED_TAR as error:
            raise InputError(
                f"{self.path}: is not a whole .zip, .tar or .tar.gz; name an EnMAP product or get "
                "it again"
            ) from error

    def _add(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        _check_name(self.path, member.name, len(self._members))
        if member.isdir():
            return
        if not member.isreg() or member.issparse():
            _refuse_link(self.path, member.name)
        _check_size(self.path, member.name, member.size)
        if not self._compressed and member.offset_data + member.size > self.path.stat().st_size:
            raise InputError(
                f"{self.path}: is cut short inside {member.name}; get the EnMAP product again"
            )
        name = _once(self.path, member.name, self._members)
        self._members[name] = member
        # The second is enough to say that there are several.
        if _layer(name) == METADATA and len(self._metadata) < 2:
            self._metadata[name] = archive.extractfile(member).read(XML_MAX_BYTES + 1)

    def label(self, name: str) -> str:
        """The file's name for messages."""
        return f"{self.path}/{name}"

    def read_metadata(self, name: str) -> bytes:
        """The first bytes of a METADATA.XML, one more than such a file may have."""
        return self._metadata[name]

    def locate(self, names: Sequence[str]) -> dict[str, str]:
        """The files' paths for GDAL; InputError where the disk is too small to unpack them."""
        members = {name: self._members[name] for name in names}
        if not self._compressed:
            path = self.path.resolve()
            return {
                name: f"/vsisubfile/{member.offset_data}_{member.size},{path}"
                for name, member in members.items()
            }
        self._unpacked = tempfile.TemporaryDirectory(prefix="gossan-enmap-")
        folder = Path(self._unpacked.name)
        needed, free = sum(m.size for m in members.values()), shutil.disk_usage(folder).free
        if needed > free:
            raise InputError(
                f"{self.path}: unpacking needs {needed >> 20} MiB but {folder.parent} has "
                f"{free >> 20} MiB free; set TMPDIR to a larger disk or unpack the product"
            )
        paths = {name: folder / f"{_layer(name)}.TIF" for name in names}
        with self._opened() as archive:
            # In the archive's order, so that the stream is unpacked once.
            for name, member in sorted(members.items(), key=lambda item: item[1].offset):
                with archive.extractfile(member) as source, paths[name].open("wb") as target:
                    shutil.copyfileobj(source, target)
        return {name: str(path) for name, path in paths.items()}

    def close(self) -> None:
        """Remove what was unpacked."""
        if self._unpacked is not None:
            self._unpacked.cleanup()


def _is_plain_tar(path: Path) -> bool:
    try:
        with tarfile.open(path, "r:"):
            return True
    except (tarfile.TarError, OSError):
        return False


def _check_name(path: Path, name: str, count: int) -> None:
    place = PurePosixPath(name.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts or ":" in name or "\0" in name:
        raise InputError(f"{path}: member '{name}' points outside of the archive; refused")
    if count >= MOST_MEMBERS:
        raise InputError(f"{path}: holds more than {MOST_MEMBERS} files; no EnMAP product; refused")


def _check_size(path: Path, name: str, size: int) -> None:
    if size > MOST_BYTES:
        raise InputError(
            f"{path}: member '{name}' has {size >> 20} MiB unpacked, more than any file of an "
            "EnMAP product; refused"
        )


def _refuse_link(path: Path, name: str) -> None:
    raise InputError(f"{path}: member '{name}' is a link or another special file; refused")


def _once(path: Path, name: str, known: dict[str, object]) -> str:
    name = PurePosixPath(name).as_posix()
    if name in known:
        raise InputError(f"{path}: holds two files named {name}")
    return name


def _layer(name: str) -> str | None:
    """Which layer of a product a file is (METADATA, SPECTRAL_IMAGE, …), by its name; or None."""
    file = PurePosixPath(name).name
    match = None if file.startswith(".") else _NAME.fullmatch(file)
    return (match["xml"] or match["tif"]).upper() if match else None


def open_container(path: Path) -> Container:
    """The files of a product; InputError for no such path and for a damaged or unsafe archive."""
    if not path.exists():
        raise InputError(
            f"{path}: does not exist; name the folder, .zip or .tar of an EnMAP product"
        )
    if path.is_dir():
        return Folder(path)
    return Zip(path) if zipfile.is_zipfile(path) else Tar(path)


def find_layers(container: Container) -> dict[str, str]:
    """Layer -> name of its file, for the one product in a container; METADATA is always there.

    Raises InputError for no or several METADATA.XML and for two files of one layer beside it.
    """
    metadata = [name for name in container.names if _layer(name) == METADATA]
    if not metadata:
        raise InputError(f"{container.path}: {_explain_absence(container)}")
    if len(metadata) > 1:
        raise InputError(
            f"{container.path}: holds {len(metadata)} *-{METADATA}.XML; one product is due"
        )
    folder = PurePosixPath(metadata[0]).parent
    layers = {METADATA: metadata[0]}
    # The plain file comes before its cloud-optimised copy.
    for name in sorted(container.names, key=lambda name: (_is_copy(name), name)):
        layer = _layer(name)
        if layer in (None, METADATA) or PurePosixPath(name).parent != folder:
            continue
        if layer not in layers:
            layers[layer] = name
        elif not _is_copy(name) or _is_copy(layers[layer]):
            raise InputError(f"{container.path}: holds two files *-{layer}.TIF; keep one of them")
    return layers


def _is_copy(name: str) -> bool:
    return PurePosixPath(name).stem.upper().endswith("_COG")


def _explain_absence(container: Container) -> str:
    if any(_layer(name) for name in container.names):
        return (
            f"has rasters of an EnMAP product but no *-{METADATA}.XML, which alone tells "
            "wavelengths and scale; put the scene's own beside them"
        )
    if any(name.lower().endswith(".zip") for name in container.names):
        return (
            f"has no *-{METADATA}.XML but .zip files, as orders come; name one of these, unpacked"
        )
    return f"has no *-{METADATA}.XML; name the folder, .zip or .tar of an EnMAP L2A product"
