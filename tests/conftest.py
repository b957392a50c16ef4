"""Fixtures for all tests."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Copies of the project in which tests run share what is compiled.
os.environ.setdefault("NUMBA_CACHE_DIR", str(ROOT / ".pytest_cache/numba"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository root."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Find real reference data beside the checkout, or skip the test, naming what is missing."""

    def find(name: str) -> Path:
        path = ROOT.parent / "shared" / "data" / name
        if not path.exists():
            pytest.skip(f"../shared/data/{name} is absent")
        return path

    return find


@pytest.fixture(scope="module")
def one_thread() -> None:
    """TensorFlow with one thread, which a process that once has another number keeps for good.

    For every file of tests that calls Keras in its own process, whichever comes first.
    """
    from gossan.networks.keras_files import set_up_tensorflow

    set_up_tensorflow(1, 0)
