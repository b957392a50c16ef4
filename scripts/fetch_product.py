"""Bring the files of a product that the lock names, check them, lay them among the results."""

import argparse
import os
from pathlib import Path

from gossan.errors import InputError
from gossan.fetching.sources import ITEMS, bring, write_items
from gossan.fetching.web import Web
from gossan.files import write_json
from gossan.paths import list_files
from gossan.product_lock import FOLDER, TOLD, read_lock
from toolkit import run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--name", required=True, help="name of the entry")
    add("--lock", type=Path, required=True, help="what was found for the entries (JSON)")
    add("--cache", type=Path, required=True, help="folder of all products that were fetched")
    add("--attempts", type=int, required=True, help="attempts in a row that bring nothing")
    add("--offline", type=int, choices=(0, 1), required=True, help="1: check what is there, only")
    add("--product", type=Path, required=True, help="link to write, or folder of links")
    add("--record", type=Path, required=True, help="record to write, JSON")
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Bring, check, lay out and record."""
    lock = read_lock(arguments.lock)
    if arguments.name not in lock:
        raise InputError(f"{arguments.lock}: lacks {arguments.name}; search for it again")
    locked = lock[arguments.name]
    folder = arguments.cache / arguments.name
    web = None if arguments.offline else Web(arguments.attempts)
    files = bring(arguments.name, locked, folder, web)
    links = {told["path"].name: told["path"] for told in files.values()}
    if locked["search"].get("file") == "*":
        links = {str(path.relative_to(folder)): path for path in list_files(folder, "**/*")}
    is_folder = locked["product"] == FOLDER
    place = arguments.product if is_folder else arguments.product.parent
    for name, path in sorted(links.items()):
        _link(path, place / name)
    if locked["product"] == ITEMS:
        write_items(locked, arguments.product)
    elif not is_folder and arguments.product.name not in links:
        # The name of a file of a pattern is not known before.
        _link(next(iter(links.values())), arguments.product)
    write_json(
        arguments.record,
        {
            "name": arguments.name,
            **{key: locked[key] for key in TOLD},
            "files": [
                {"name": told["path"].name, "size": told["size"], "sha256": told["sha256"]}
                for told in files.values()
            ],
        },
    )


def _link(path: Path, link: Path) -> None:
    """Lay a link to a file of the cache, relative where that is told so: both may be moved."""
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(path if path.is_absolute() else os.path.relpath(path, link.parent))


if __name__ == "__main__":
    run(build_parser(), main)
