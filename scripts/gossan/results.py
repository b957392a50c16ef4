"""What a scene leaves: the one table of its files, resources/static/results.csv."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from pathlib import Path
from string import Formatter

from gossan.delimited import read_delimited

COLUMNS = ("method", "file", "kind", "when", "group", "title", "unit", "note")


def read_results(path: str | Path) -> list[dict[str, str]]:
    """The rows of the table, each with COLUMNS.

    `file` lies below the method's folder; it and the texts may hold {zone}, {group}, {taught},
    {network} or {embedding}. `when` are words that must all hold, as `gossan.scenes.conditions`
    tells them. Raises InputError for a table that is cut or lacks a column.
    """
    return read_delimited(path, COLUMNS, whole=True).rows


def list_results(
    rows: Iterable[Mapping[str, str]],
    method: str,
    held: set[str],
    names: Mapping[str, Iterable[str]],
) -> Iterator[dict[str, str]]:
    """The rows of a method that hold, one a file: `names` are what stands for a word in braces."""
    for row in rows:
        if row["method"] == method and set(row["when"].split()) <= held:
            words = [word for _, word, _, _ in Formatter().parse(row["file"]) if word]
            for choice in product(*(names[word] for word in words)):
                told = dict(zip(words, choice, strict=True))
                read = {word: in_words(name) for word, name in told.items()}
                yield {
                    key: text.format(**(told if key == "file" else read))
                    for key, text in row.items()
                }


def in_words(name: str) -> str:
    """A name of files as a reader wants it: `2um` is 2 µm."""
    return re.sub(r"^(\d+)um$", r"\1 µm", name)
