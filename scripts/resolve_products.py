"""Search for the products of a table, and write what was found into its lock.

python scripts/resolve_products.py --products config/products.yaml --lock config/products.lock.json
"""

import argparse
import json
import logging
from pathlib import Path

from gossan.errors import InputError
from gossan.fetching.sources import resolve
from gossan.fetching.web import Web
from gossan.files import write_json
from gossan.product_entries import read_entries
from gossan.product_lock import read_lock, search_of
from gossan.schema import nearest
from toolkit import run

SCHEMA = Path(__file__).resolve().parents[1] / "workflow" / "schemas" / "products.schema.json"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--products", type=Path, required=True, help="table of products (YAML)")
    add(
        "--lock",
        type=Path,
        required=True,
        help="lock to write (JSON); what it has of other entries of the table stays",
    )
    add(
        "--name",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="entries to search for anew (default: those that the lock lacks, or has otherwise)",
    )
    add("--attempts", type=int, default=5, help="attempts in a row that bring nothing (default: 5)")
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Search for each entry; what was found is kept, also where another one fails."""
    entries, faults = read_entries(arguments.products, json.loads(SCHEMA.read_text()))
    faults += [
        f"--name: {arguments.products} has no entry {name}{nearest(name, entries)}"
        for name in arguments.name
        if name not in entries
    ]
    if faults:
        raise InputError("; ".join(faults))
    lock = read_lock(arguments.lock)
    old = [name for name, entry in entries.items() if _is_old(lock.get(name), entry)]
    failed, web = [], Web(arguments.attempts)
    found = {name: locked for name, locked in lock.items() if name in entries}
    for name in sorted(set(lock) - set(entries)):
        logging.info("%s: is no entry any more; taken out of the lock", name)
    for name in arguments.name or old:
        try:
            found[name] = resolve(entries[name], web)
        except InputError as error:
            failed.append(name)
            logging.error("error: %s: %s", name, " ".join(str(error).split()))
            continue
        logging.info("%s: %s", name, ", ".join(found[name]["items"][:3]))
    products = {name: found[name] for name in sorted(found)}
    if products != lock:
        write_json(arguments.lock, {"products": products})
    if failed:
        raise InputError(
            f"{arguments.lock}: lacks {', '.join(failed)}, for the reasons above; the others are "
            "in it"
        )


def _is_old(locked: dict | None, entry: dict) -> bool:
    return locked is None or locked.get("search") != search_of(entry)


if __name__ == "__main__":
    run(build_parser(), main)
