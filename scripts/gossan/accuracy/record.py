"""The accuracy record: how right a map is, or why nobody can say."""

from collections.abc import Iterator, Sequence
from pathlib import Path


def list_records(paths: Sequence[Path]) -> Iterator[Path]:
    """The files among the paths, and those in the folders among them by name."""
    for path in paths:
        yield from sorted(path.glob("*.json")) if path.is_dir() else [path]
