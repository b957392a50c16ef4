"""Loops compiled by Numba, kept from run to run where there is a place for it."""

import functools
import hashlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType

import numba
import numpy as np
from numba.core.caching import CompileResultCacheImpl, UserProvidedCacheLocator
from numba.core.dispatcher import Dispatcher

CACHE_LINE = 64
_PLAIN = (bool, int, float, str, bytes, tuple, np.generic)


class _ByContent(UserProvidedCacheLocator):
    """The place of a compiled loop below NUMBA_CACHE_DIR, told by what it was compiled from.

    Numba tells places by the path of the code, and Snakemake runs code from a folder with another
    name each time: every run would compile everything again.
    """

    def __init__(self, function: Callable, file: str):
        """Of a function of a file."""
        super().__init__(function, file)
        parts = "\n".join(_origins(function, set()))
        name = f"gossan-{hashlib.sha256(parts.encode()).hexdigest()[:16]}"
        self._cache_path = str(Path(self._cache_path).with_name(name))


def _origins(function: Callable, seen: set[Callable]) -> Iterator[str]:
    """All that a compiled function is made of: its file, and what it takes from other modules."""
    if function not in seen:
        seen.add(function)
        yield _text_of(function.__code__.co_filename)
        for name in sorted(_names(function.__code__)):
            value = function.__globals__.get(name)
            if isinstance(value, Dispatcher):
                yield from _origins(value.py_func, seen)
            elif isinstance(value, _PLAIN):
                yield f"{name} = {value!r}"


@functools.cache
def _text_of(file: str) -> str:
    return Path(file).read_text(encoding="utf-8")


def _names(code: CodeType) -> set[str]:
    inner = [part for part in code.co_consts if isinstance(part, CodeType)]
    return set(code.co_names).union(*map(_names, inner))


def kernel(function: Callable | None = None, **options: object) -> Callable:
    """Compile a function with Numba (a decorator), free of Python's lock, and keep the result.

    It is kept where NUMBA_CACHE_DIR says, beside the code or in the user's cache. Where none of
    them can be written, or the disk is full, it is compiled anew by each process.
    """
    if function is None:
        return functools.partial(kernel, **options)
    places = CompileResultCacheImpl._locator_classes
    CompileResultCacheImpl._locator_classes = [_ByContent, *places[1:]]
    try:
        compiled = numba.njit(nogil=True, cache=True, **options)(function)
    except RuntimeError:
        return numba.njit(nogil=True, **options)(function)
    finally:
        CompileResultCacheImpl._locator_classes = places
    cache = compiled._cache
    for name in ("load_overload", "save_overload"):
        setattr(cache, name, _forgiving(getattr(cache, name)))
    return compiled


def aligned_zeros(shape: tuple[int, ...], dtype: np.typing.DTypeLike) -> np.ndarray:
    """Zeros that start where a line of the cache does: vectors across two lines are read slower."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    space = np.zeros(size + CACHE_LINE, np.uint8)
    start = -space.ctypes.data % CACHE_LINE
    return space[start : start + size].view(dtype).reshape(shape)


def _forgiving(method: Callable) -> Callable:
    def call(*arguments: object) -> object:
        try:
            return method(*arguments)
        except OSError:
            return None

    return call
