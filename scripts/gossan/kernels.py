"""Loops compiled by Numba, kept from run to run where there is a place for it."""

import functools
from collections.abc import Callable

import numba


def kernel(function: Callable | None = None, **options: object) -> Callable:
    """Compile a function with Numba (a decorator), free of Python's lock, and keep the result.

    It is kept where NUMBA_CACHE_DIR says, beside the code or in the user's cache. Where none of
    them can be written, or the disk is full, it is compiled anew by each process.
    """
    if function is None:
        return functools.partial(kernel, **options)
    try:
        compiled = numba.njit(nogil=True, cache=True, **options)(function)
    except RuntimeError:
        return numba.njit(nogil=True, **options)(function)
    cache = compiled._cache
    for name in ("load_overload", "save_overload"):
        setattr(cache, name, _forgiving(getattr(cache, name)))
    return compiled


def _forgiving(method: Callable) -> Callable:
    def call(*arguments: object) -> object:
        try:
            return method(*arguments)
        except OSError:
            return None

    return call
