"""The table of products that can be fetched (products.yaml): what its entries may say."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import yaml

from gossan.errors import InputError
from gossan.product_lock import search_of
from gossan.schema import nearest, schema_faults

MANUAL = "manual"
"""The source of products that a person must fetch."""
# Keys that an entry of a source must have; of each tuple one.
NEEDED = {
    "stac": (("api",), ("collection",), ("id", "datetime"), ("assets",)),
    "cmr": (("short_name",), ("id", "datetime")),
    "m2m": (("dataset",), ("id",)),
    "odata": (("id",),),
    "http": (("url",),),
    "arcgis": (("url",), ("bbox",)),
    MANUAL: (("file",), ("page",)),
}
# Keys that any source has.
_SHARED = ("source", "licence", "citation", "page", "hosts", "sha256")
_OWN = {
    "stac": (
        "api",
        "collection",
        "id",
        "datetime",
        "bbox",
        "query",
        "assets",
        "sign",
        "sign_api",
        "window_of",
    ),
    "cmr": ("api", "short_name", "version", "id", "datetime", "bbox", "assets", "beside"),
    "m2m": ("api", "dataset", "id", "bbox"),
    "odata": ("api", "sign_api", "id"),
    "http": ("url", "file"),
    "arcgis": ("url", "where", "bbox", "marks"),
    MANUAL: ("file",),
}


def read_entries(path: str | Path, schema: Mapping) -> tuple[dict[str, dict], list[str]]:
    """The entries of a table of products by name, and its faults, one line each.

    Raises InputError where it cannot be read.
    """
    try:
        entries = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"fetch.products: cannot read {path} ({reason})") from error
    if not isinstance(entries, dict):
        raise InputError(f"fetch.products: {path} is no mapping of names to entries")
    faults = schema_faults(entries, schema)
    if not faults:
        faults = [f"{n}: {fault}" for n, entry in entries.items() for fault in _entry_faults(entry)]
    return entries, [f"{path}: {fault}" for fault in faults]


def _entry_faults(entry: Mapping) -> Iterator[str]:
    source = entry["source"]
    for keys in NEEDED[source]:
        if not any(entry.get(key) for key in keys):
            yield f"{' or '.join(keys)}: not given; {source} needs it"
    for key, value in entry.items():
        if value and key not in (*_SHARED, *_OWN[source]):
            yield f"{key}: means nothing to {source}; leave it out"


def lock_faults(
    names: Iterable[str], entries: Mapping, lock: Mapping, products: str, path: str
) -> list[str]:
    """One line per name that is no entry, or that the lock has not, or of another search."""
    faults = []
    for name in dict.fromkeys(names):
        if name not in entries:
            hint = nearest(name, entries) or "; add it"
            faults.append(f"fetch:{name}: {products} has no such entry{hint}")
        elif name not in lock:
            faults.append(f"fetch:{name}: is not resolved; {_resolve(name, products, path)}")
        elif lock[name]["search"] != search_of(entries[name]):
            faults.append(
                f"fetch:{name}: {path} is of another search; {_resolve(name, products, path)}"
            )
    return faults


def _resolve(name: str, products: str, path: str) -> str:
    return (
        "search for it: python scripts/resolve_products.py "
        f"--products {products} --lock {path} --name {name}"
    )
