"""Files that are whole or absent: written aside, checked, then named; text and JSON among them."""

import errno
import fcntl
import glob
import json
import math
import os
import resource
import secrets
import shutil
import time
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gossan.errors import InputError, note_read, system_fault
from gossan.whole import require_whole

# zipfile raises RuntimeError for a member that says it is encrypted, NotImplementedError (one of
# its kind) for a compression that it does not know; NumPy takes an array's header apart as Python.
DAMAGED_ARCHIVE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, tokenize.TokenError)
"""What reading a damaged .zip, .npz or .keras may raise, beside OSError."""
# A working folder is called like what is made in it, with a dot before and this behind. A lock in
# it says that its owner is alive.
PART = ".part"
LOCK = ".lock"
# A name has at most 255 bytes, and a working folder's 15 more than its output's.
MOST_NAME_BYTES = 200
ABANDONED_S = 24 * 3600
# The longest records, of spectra and scores, have some hundred kB.
MOST_JSON = 64 * 2**20
# A disk that does not take this much is full.
FULL_BYTES = 2**20
# Threads that fill a folder as fast as it is emptied are given up; the next run removes it.
REMOVE_S = 2


class _Work:
    """A locked folder beside `path` for what is written until `path` gets its name."""

    def __init__(self, path: str | Path):
        """Think of its name; nothing is made yet."""
        self.path = Path(path).absolute()
        name = os.fsencode(self.path.name)[:MOST_NAME_BYTES].decode(errors="ignore")
        self._siblings = f".{glob.escape(name)}.*{PART}"
        self.folder = self.path.with_name(f".{name}.{secrets.token_hex(4)}{PART}")
        self.temporary = self.folder / self.path.name
        self._made = []
        self._lock = None

    def make(self) -> None:
        """Make the folder and those above it; remove what killed runs for `path` have left."""
        self._made = [parent for parent in self.path.parents if not parent.exists()]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for folder in self.path.parent.glob(self._siblings):
            if _is_abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)
        _works.add(self)
        self.folder.mkdir(mode=0o700)
        # Under its name it is locked already: another run takes a lock that is free for abandoned.
        new = self.folder / f"{LOCK}.new"
        self._lock = new.open("w")
        # On a file system without locks, what is left is removed when it is a day old.
        with suppress(OSError):
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        new.rename(self.folder / LOCK)

    def publish(self) -> None:
        """Rename what is written to `path`; a folder takes the place of an older one."""
        if self.temporary.is_dir() and self.path.exists():
            self.path.replace(self.folder / f"{LOCK}.old")
        self.temporary.replace(self.path)

    def clear(self) -> None:
        """Remove the folder, and those that were made for it and are empty."""
        if self._lock is not None:
            self._lock.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        # Where no further file may be opened the folder cannot be listed, and is still there.
        for left in (self.folder / LOCK, self.folder / f"{LOCK}.probe", self.temporary):
            with suppress(OSError):
                left.unlink()
        with suppress(OSError):
            self.folder.rmdir()
        for parent in self._made:
            with suppress(OSError):
                parent.rmdir()
        if not os.path.lexists(self.folder):
            _works.discard(self)

    def fault(self, error: Exception) -> OSError | None:
        """What the system forbade, told of `path`; None where the fault is of another kind."""
        if isinstance(error, InputError):
            return None
        found = system_fault(error)
        if found is None or found.errno == errno.EIO:
            # Libraries in C often say no more than that they failed: the system is asked itself.
            found = self._probe() or found
        own = {self.folder, self.path, self.path.parent, *self._made}
        if found is None or (
            # Another file's, such as an input's, is told of that one.
            found.filename is not None
            and not own & {Path(found.filename), *Path(found.filename).parents}
        ):
            return None
        return OSError(found.errno, found.strerror, str(self.path))

    def _probe(self) -> OSError | None:
        """What happens to a small file written now, or happened to one near the largest size."""
        try:
            with (self.folder / f"{LOCK}.probe").open("wb") as stream:
                stream.write(bytes(FULL_BYTES))
                stream.flush()
                os.fsync(stream.fileno())
            largest = max(file.stat().st_size for file in self.folder.rglob("*"))
        except OSError as error:
            return system_fault(error)
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        # Databases write whole pages, and stop a page short of the limit.
        if limit != resource.RLIM_INFINITY and largest > limit - FULL_BYTES:
            return OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        return None


def _is_abandoned(folder: Path) -> bool:
    """Whether nobody holds a working folder, on this machine or another that shares its disk."""
    try:
        with (folder / LOCK).open("r+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return time.time() - folder.lstat().st_mtime > ABANDONED_S
    return True


# What has a folder now, in whatever thread.
_works: set[_Work] = set()


def remove_work() -> None:
    """Remove all working folders, also while threads write there: the process is to end."""
    end = time.monotonic() + REMOVE_S
    while _works and time.monotonic() < end:
        for work in list(_works):
            work.clear()


# Outputs that wait for the end of `together`; None outside of it.
_waiting: list[_Work] | None = None


@contextmanager
def together() -> Iterator[None]:
    """Give what is `staged` inside the block its name when the block succeeds: all, or none.

    Until then `newest` tells where it lies. Blocks may be nested; the outermost counts.
    """
    global _waiting
    if _waiting is not None:
        yield
        return
    _waiting = works = []
    try:
        yield
        for work in works:
            # Before any is renamed, for this is what could stop the next one.
            if work.path.is_dir() and not work.temporary.is_dir():
                raise InputError(f"{work.path}: is a folder; remove it, or write elsewhere")
        for work in works:
            work.publish()
    finally:
        _waiting = None
        for work in works:
            work.clear()


def newest(path: str | Path) -> Path:
    """Where `path` lies now: aside, where this block of `together` has written it."""
    final = Path(path).absolute()
    written = [work.temporary for work in _waiting or () if work.path == final]
    return written[-1] if written else Path(path)


@contextmanager
def scratch(path: str | Path) -> Iterator[Path]:
    """Yield a folder beside `path`, so on its disk, for what is only needed while it is made.

    Raises OSError naming `path` for what the disk or its rights forbid, whatever library met it.
    """
    with _working(path) as work:
        try:
            yield work.folder
        finally:
            work.clear()


@contextmanager
def staged(path: str | Path, *, folder: bool = False) -> Iterator[Path]:
    """Yield a temporary path, of the same name in a folder beside `path`; rename it to `path`.

    It is renamed when the block has succeeded and the file is whole (`whole.require_whole`);
    inside `together`, at its end. If the block raises, an older `path` stays as it was. What the
    block leaves beside the temporary path is dropped. With `folder`, it is an empty folder.

    Raises OSError naming `path` for what the disk or its rights forbid, whatever library met it.
    """
    with _working(path) as work:
        if folder:
            work.temporary.mkdir()
        else:
            # Asked of the system first: libraries tell stories of their own of impossible names.
            work.temporary.touch()
            work.temporary.unlink()
        yield work.temporary
        require_whole(work.temporary)
        # What is made in a working folder is wanted there at once.
        inside = any(p.name.startswith(".") and p.suffix == PART for p in work.path.parents)
        if _waiting is None or inside:
            work.publish()
            work.clear()
        else:
            _waiting.append(work)


@contextmanager
def _working(path: str | Path) -> Iterator[_Work]:
    """A folder for work on `path`, which stays where the block succeeds."""
    work = _Work(path)
    try:
        work.make()
        yield work
    except BaseException as error:
        fault = work.fault(error) if isinstance(error, Exception) else None
        work.clear()
        if fault is None:
            raise
        raise fault from error


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with staged(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: object) -> None:
    """Write `value` as indented JSON; NaN is refused because JSON has none."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


class LacksKeyError(InputError, KeyError):
    """An object of a JSON file lacks a key; templates and readers that can do without catch it."""

    __str__ = Exception.__str__


class JsonObject(dict):
    """An object of a JSON file, which says by the file's name that it lacks a key."""

    def __init__(self, pairs: Iterable[tuple[str, object]] = (), path: Path | str = "record"):
        """The object of these pairs; ValueError for two of one key, of which one would go."""
        pairs = list(pairs)
        super().__init__(pairs)
        self.path = path
        if len(self) < len(pairs):
            keys = [key for key, _ in pairs]
            raise ValueError(f"it tells {next(k for k in keys if keys.count(k) > 1)!r} twice")

    def __missing__(self, key: object) -> object:
        """Raise LacksKeyError: what reads a record by a key needs it."""
        raise LacksKeyError(f"{self.path}: lacks {key!r}; make the file again")


def require_text(text: str, path: object) -> str:
    """The text itself; InputError where it holds NUL, as text does that a disk has lost a part of.

    Parsers of lines pass over such a part, and what stood there is missing without a word.
    """
    if "\0" in text:
        raise InputError(f"{path}: is damaged, a part of its text is zeros; get it again")
    return text


def parse_json(text: str, path: str | Path) -> object:
    """The value of a JSON text, its objects as JsonObject; errors name `path`.

    Raises InputError for text that is no JSON, nests too deep, is too long for a record, tells a
    key of an object twice, or has a number that is not finite or has thousands of digits.
    """
    path = Path(path)
    if len(text) > MOST_JSON:
        raise InputError(f"{path}: is larger than {MOST_JSON >> 20} MiB; no file of this kind is")
    try:
        return json.loads(
            text,
            object_pairs_hook=lambda pairs: JsonObject(pairs, path),
            parse_constant=_finite,
            parse_float=_finite,
        )
    except RecursionError as error:
        raise InputError(f"{path}: nests too deep for JSON; make the file again") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}); make the file again") from error


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is no finite number")
    return value


def read_json(path: str | Path) -> JsonObject:
    """The object in a JSON file; InputError when it is missing or holds none, and as `parse_json`.

    A key that is asked for and is not there is an InputError, too.
    """
    path = Path(path)
    note_read(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; make it first") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not JSON ({error}); make the file again") from error
    value = parse_json(text, path)
    if not isinstance(value, dict):
        raise InputError(f"{path}: holds no JSON object; make the file again")
    return value
