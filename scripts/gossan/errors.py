"""What a user is meant to read: wrong input, and what the system forbids; one line each."""

import errno
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

# What a disk, its rights or the machine may forbid whoever writes, and what to do about it.
ADVICE = {
    errno.ENOSPC: "free some, or write elsewhere",
    errno.EDQUOT: "free some, or write elsewhere",
    errno.EFBIG: "raise the limit (ulimit -f), or write to another file system",
    errno.EROFS: "write elsewhere",
    errno.EACCES: "change its rights, or use another place",
    errno.EPERM: "change its rights, or use another place",
    errno.EMFILE: "raise the limit (ulimit -n), or lower --threads",
    errno.ENFILE: "close other programs, or lower --threads",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOMEM: "lower --block-px or --threads, or give the job more memory",
    errno.EIO: "check the disk",
    errno.ESTALE: "check the network drive",
}
# Libraries that do not hand on the system's number hand on its words, or say it in their own.
_WORDS = {
    **{code: os.strerror(code) for code in ADVICE},
    errno.ENOSPC: "no space left on device|disk is full|disk full|not enough (disk )?space"
    "|free disk space available is",
    errno.ENOMEM: "cannot allocate memory|unable to allocate|failed to allocate|bad_alloc"
    "|out of memory|OOM when allocating|memory allocation failed|std::bad_alloc",
}
_PATTERNS = {code: re.compile(words, re.IGNORECASE) for code, words in _WORDS.items()}


_LISTED = 12
# Names of the records and tables that were read within `decoding`.
_read: ContextVar[list[str] | None] = ContextVar("read", default=None)


class InputError(Exception):
    """Wrong input: one line that names the file or key and says what to do."""


def note_read(path: object) -> None:
    """Tell `decoding`, which may be around, of a record or table that is read."""
    names = _read.get()
    if names is not None and str(path) not in names:
        names.append(str(path))


def system_fault(error: BaseException, said: Sequence[str] = ()) -> OSError | None:
    """What the system forbade, as an OSError of that number, where an exception came of it.

    Looks at the exception and those that it came from, whichever library raised them, then at
    what libraries have `said` meanwhile; None where it is a fault of another kind.
    """
    chain = list(_chain(error))
    for one in chain:
        if isinstance(one, OSError) and one.errno in ADVICE:
            return OSError(one.errno, os.strerror(one.errno), one.filename)
        if isinstance(one, MemoryError):
            return OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    for text in (*map(str, chain), *said):
        for code, pattern in _PATTERNS.items():
            if pattern.search(text):
                return OSError(code, os.strerror(code))
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


@contextmanager
def decoding(source: object) -> Iterator[None]:
    """Turn what foreign content may raise where it is taken apart into an InputError.

    `source` names the content. Libraries and parsers raise nearly anything for bytes that are not
    what they should be (HDF4Error, KeyError, OverflowError, RecursionError, zlib.error, …), so
    this stands at the one place where a reader begins, around nothing but reading; faults that a
    reader knows have messages of its own, which go through. Where records and tables are put
    together, those that were read are named, latest first, for it may be any of them.
    """
    names: list[str] = []
    before = _read.set(names)
    try:
        yield
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(
            f"{source}: needs more memory than there is; the file is damaged, or larger than this "
            "machine can take: get it again, or use a part of it"
        ) from error
    except Exception as error:
        if system_fault(error) is not None or isinstance(error, FileNotFoundError):
            raise
        # Without the query of an address, which may hold a key.
        told = re.sub(r"\?[^\s)'\"]+", "", " ".join(str(error).split()))[:200]
        reason = f"{type(error).__name__}: {told or 'no reason told'}"
        if names:
            shown = ", ".join(names[: -_LISTED - 1 : -1])
            raise InputError(
                f"{source}: what is read for it does not fit together ({reason}); make again what "
                f"was damaged or is of another version: {shown}"
            ) from error
        raise InputError(
            f"{source}: cannot be read ({reason}); the file is damaged or of another make, get it "
            "again"
        ) from error
    finally:
        _read.reset(before)
