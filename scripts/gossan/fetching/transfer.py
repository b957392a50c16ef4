"""One file from an address to its place: whole under its name, or not there at all."""

import fcntl
import hashlib
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import requests
import urllib3

from gossan.errors import InputError
from gossan.fetching.contents import HEAD_BYTES, require_content, require_kind
from gossan.fetching.web import BUSY, Headers, UnreachableError, Web, asked_pause, shown

# Space that is left free beside what is brought.
_SPARE = 0.1
_CHUNK_BYTES = 1 << 20
# Where a file system tells one file by two numbers, as some over a network do, a lock says nothing.
_LOCK_ATTEMPTS = 100
_TOLD_EVERY_S = 10.0
_BROKEN = (urllib3.exceptions.HTTPError, requests.RequestException, UnreachableError)


@dataclass(frozen=True)
class Source:
    """Where a file comes from, and what is known of it before it comes.

    `find(again)` gives its address, signed anew where `again`; `secret` its headers by address;
    `checksum` is "ALGORITHM:DIGEST" or empty; `page` is where its terms and accounts are.
    """

    name: str
    size: int | None
    checksum: str
    find: Callable[[bool], str]
    secret: Headers | None = None
    page: str = ""


def download(web: Web, source: Source, target: Path) -> str:
    """Bring a file to `target`, and its SHA-256 beside it; the SHA-256.

    What a broken run has left is gone on with, where a checksum or the server (ETag) can tell that
    the rest belongs to it. Raises InputError for what cannot be had, with nothing under `target`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(target, source)
    with alone(part):
        for last in (False, True):
            pieces = _bring(web, source, part)
            _etag_of(part).unlink(missing_ok=True)
            try:
                sha256 = require_content(
                    part, source.name, source.size, source.checksum, _changed(source)
                )
                break
            except InputError:
                part.unlink()
                # It may be put together from two files: it is brought once more.
                if last or not pieces:
                    raise
        with part.open("rb") as file:
            os.fsync(file.fileno())
        note_sha256(target, sha256)
        part.replace(target)
    return sha256


def part_of(target: Path, source: Source) -> Path:
    """Where a file lies while it is not whole: of another content it is another one."""
    told = f"{source.size} {source.checksum}"
    mark = hashlib.sha256(told.encode()).hexdigest()[:8]
    return target.with_name(f".{target.name}.{mark}.part")


def _etag_of(part: Path) -> Path:
    return part.with_suffix(".etag")


def sha256_file(target: Path) -> Path:
    """The file beside `target` that tells its SHA-256, as `sha256sum -c` reads it."""
    return target.with_name(f"{target.name}.sha256")


def note_sha256(target: Path, sha256: str) -> None:
    """Write the SHA-256 beside a file, whole or not at all."""
    with aside(sha256_file(target)) as part:
        part.write_text(f"{sha256}  {target.name}\n", encoding="utf-8")


def part_aside(target: Path) -> Path:
    """Where `aside` writes."""
    return target.with_name(f".{target.name}.part")


@contextmanager
def aside(target: Path) -> Iterator[Path]:
    """A path beside `target`, which gets its name at once when the block succeeds.

    Files of the cache do not wait for the end of a tool, as outputs do: what came is not lost when
    something else fails.
    """
    part = part_aside(target)
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _changed(source: Source) -> str:
    return f"the archive has changed it: resolve {source.name} again ({source.page or 'its page'})"


def _look(source: Source) -> str:
    return f"look at {source.page or 'its page'}"


@contextmanager
def alone(part: Path) -> Iterator[None]:
    """Keep other runs from the same part, in a cache that projects share.

    What was brought stays when it fails.
    """
    lock = part.with_suffix(".lock")
    for attempt in range(_LOCK_ATTEMPTS):
        with lock.open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    f"{part}: another run is bringing this file; wait until it is there"
                ) from None
            except OSError:
                pass  # a file system without locks
            # Who had it may have removed it after it was opened: the next one makes another.
            taken = attempt == _LOCK_ATTEMPTS - 1
            with suppress(FileNotFoundError):
                taken = taken or os.path.samestat(os.fstat(stream.fileno()), lock.stat())
            if taken:
                try:
                    yield
                finally:
                    lock.unlink(missing_ok=True)
                return


def require_space(folder: Path, needed: int, name: str) -> None:
    """Raise InputError unless a disk has room for so many bytes, and a tenth more."""
    free = shutil.disk_usage(folder).free
    if needed * (1 + _SPARE) > free:
        raise InputError(
            f"{name}: needs {needed / 1e6:.0f} MB, and {folder} has {free / 1e6:.0f} MB free; free "
            "some, or set fetch.cache to another disk"
        )


def _bring(web: Web, source: Source, part: Path) -> bool:
    """Fill `part` until it has all bytes, attempt by attempt; whether it came in several pieces."""
    vain, signed_anew, etag, pieces = 0, False, _etag_of(part), False
    again, reason, most = False, "", 0
    while vain < web.attempts:
        start = part.stat().st_size if part.exists() else 0
        if start and source.size is not None and start >= source.size:
            if start == source.size:
                return True
            part.unlink()
            start = 0
        headers = {}
        if start and not source.checksum and not etag.exists():
            start = 0  # nobody could tell whether the rest belongs to it
        if start:
            headers["Range"] = f"bytes={start}-"
            if etag.exists():
                headers["If-Range"] = etag.read_text()
        wait = None
        try:
            with web.open(source.find(again), headers=headers, secret=source.secret) as answer:
                again = False
                code, wait = answer.status_code, asked_pause(answer.headers)
                if code in (200, 206):
                    pieces = pieces or code == 206
                    if _receive(answer, source, part, start if code == 206 else 0):
                        return pieces
                    reason = "the connection broke off"
                elif code in (401, 403):
                    if signed_anew:
                        raise InputError(
                            f"{source.name}: refused by {shown(answer.url)} (HTTP {code}); renew "
                            f"the token and accept the terms of the data: {source.page}"
                        )
                    signed_anew = again = True
                    continue
                elif code == 416:
                    part.unlink(missing_ok=True)
                    reason = "HTTP 416"
                elif code in BUSY:
                    reason = f"HTTP {code}"
                else:
                    raise InputError(
                        f"{source.name}: HTTP {code} from {shown(answer.url)}; the archive has it "
                        "no longer there: resolve it again"
                    )
        except _BROKEN as error:
            reason = (
                str(error).rpartition(": ")[2]
                if isinstance(error, UnreachableError)
                else "the connection broke off"
            )
        now = part.stat().st_size if part.exists() else 0
        if now > max(start, most):
            # What brings something may go on for as long as it does, and be signed anew; what
            # begins anew each time brings something where it comes further than before.
            vain, signed_anew, most = 0, False, now
        else:
            vain += 1
        if vain < web.attempts:
            web.pause(max(vain - 1, 0), wait)
    raise InputError(
        f"{source.name}: cannot be had after {web.attempts} attempts ({reason}); run again later, "
        "what has come is kept"
    )


def _receive(answer: requests.Response, source: Source, part: Path, start: int) -> bool:
    """Write an answer behind `start` bytes of the part; whether it is all there then."""
    told = answer.headers.get("Content-Length", "")
    coming = int(told) if told.isdigit() else None
    total = None if coming is None else start + coming
    if start:
        place = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
        if place is None or int(place[1]) != start:
            part.unlink()  # it is not what was asked for
            return False
        total = int(place[2]) if place[2] != "*" else total
    if source.size is not None and total is not None and total != source.size:
        # A page that came in place of the file is told as such.
        if not start:
            require_kind(source.name, answer.raw.read(HEAD_BYTES), _look(source))
        raise InputError(
            f"{source.name}: has {total} bytes there, {source.size} are due; {_changed(source)}"
        )
    due = source.size if source.size is not None else total
    if due is None and answer.headers.get("Transfer-Encoding", "").lower() != "chunked":
        raise InputError(f"{source.name}: the server tells no size, so that nobody knows its end")
    if due is not None:
        require_space(part.parent, due - start, source.name)
    etag = answer.headers.get("ETag", "")
    if not start:
        _etag_of(part).unlink(missing_ok=True)
        if etag.startswith('"'):
            _etag_of(part).write_text(etag)
    got, progress = start, _Progress(source.name, due)
    with part.open("ab" if start else "wb") as file:
        while block := answer.raw.read(_CHUNK_BYTES if got else HEAD_BYTES, decode_content=False):
            if not got:
                try:
                    require_kind(source.name, block, _look(source))
                except InputError:
                    with suppress(OSError):
                        part.unlink()
                    raise
            file.write(block)
            file.flush()
            got += len(block)
            progress.tell(got)
    return got == due if due is not None else True


class _Progress:
    """A line now and then on how much of a file has come."""

    def __init__(self, name: str, due: int | None):
        self._name, self._due, self._last = name, due, time.monotonic()

    def tell(self, got: int) -> None:
        if time.monotonic() - self._last >= _TOLD_EVERY_S:
            self._last = time.monotonic()
            of = f" of {self._due / 1e6:.0f}" if self._due else ""
            logging.info("%s: %.0f%s MB", self._name, got / 1e6, of)
