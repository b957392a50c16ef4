"""The kinds of sources: how each is searched, and how a file of each is had."""

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from gossan.errors import InputError
from gossan.fetching import arcgis, cmr, m2m, odata, plain, stac
from gossan.fetching.contents import require_content
from gossan.fetching.logins import ACCOUNTS, is_own, read_secrets
from gossan.fetching.transfer import (
    Source,
    alone,
    download,
    note_sha256,
    part_aside,
    require_space,
    sha256_file,
)
from gossan.fetching.web import Headers, Web, shown
from gossan.fetching.windows import bounds_of, read_window
from gossan.files import write_json
from gossan.product_lock import FOLDER, find_file, search_of

FINDERS = {
    "stac": stac.find_items,
    "cmr": cmr.find_granule,
    "m2m": m2m.find_scene,
    "odata": odata.find_product,
    "http": plain.find_address,
    "arcgis": arcgis.find_layer,
    "manual": plain.find_manual,
}
ITEMS = "items.json"
_WINDOWS_AT_ONCE = 4
# Files that are read with the product beside them, and are not the product.
_BESIDE = ("_MASK_", "_MASKU_")


def resolve(entry: Mapping, web: Web) -> dict[str, object]:
    """The lock's entry of an entry of products.yaml: search, items, files, and what is told."""
    found = FINDERS[entry["source"]](entry, web)
    names = [file["name"] for file in found.files]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InputError(f"{twice}: two files are called so; ask for fewer assets or items")
    own = [name for name in names if not any(mark in name for mark in _BESIDE)]
    product = FOLDER if found.whole or len(own) != 1 else own[0]
    told = {key: entry.get(key, "") for key in ("licence", "citation", "page")}
    locked = {"search": search_of(entry), "items": found.items, "product": product, **told}
    if found.stac:
        locked |= {"product": ITEMS, "stac": found.stac}
    return {**locked, "files": found.files}


def bring(name: str, locked: Mapping, folder: Path, web: Web | None) -> dict[str, dict]:
    """Bring the files of an entry that its folder lacks, and check all; by name, what they are.

    Without a `web` nothing is brought. Raises InputError for what is missing or is another file.
    """
    search, files = locked["search"], locked["files"]
    there = {file["name"]: find_file(folder, file) for file in files}
    lacking = [file for file in files if there[file["name"]] is None]
    _require_reachable(name, locked, lacking, folder, web)
    if lacking:
        folder.mkdir(parents=True, exist_ok=True)
        needed = sum(file.get("size") or 0 for file in lacking)
        require_space(folder, needed, f"fetch:{name}")
        logging.info("%s: %d files, %.1f MB told by the lock", name, len(lacking), needed / 1e6)
    token = odata.Token(web, search) if search["source"] == "odata" and lacking else None
    bounds = bounds_of(search["window_of"]) if search.get("window_of") and lacking else None

    def bring_one(file: Mapping) -> None:
        _bring_file(locked, file, folder / file["name"], web, token, bounds)

    # Of a window most of the time is waiting; whole files fill the line one by one.
    windows = [file for file in lacking if file.get("window")]
    with ThreadPoolExecutor(_WINDOWS_AT_ONCE) as pool:
        for _ in tqdm(pool.map(bring_one, windows), name, len(windows), disable=not windows):
            pass
    for file in lacking:
        if not file.get("window"):
            bring_one(file)
    paths = {file["name"]: there[file["name"]] or folder / file["name"] for file in files}
    return {
        file["name"]: {"path": paths[file["name"]], **_check(locked, file, paths[file["name"]])}
        for file in files
    }


def _require_reachable(
    name: str, locked: Mapping, lacking: list[Mapping], folder: Path, web: Web | None
) -> None:
    by_hand = locked["search"]["source"] == "manual"
    if lacking and (web is None or by_hand):
        listed = ", ".join(file["name"] for file in lacking[:5])
        how = f"get it at {locked['page']}" if by_hand else "set fetch.run to true"
        raise InputError(f"fetch:{name}: {folder} lacks {listed}; {how}, or put it there by hand")


def _bring_file(
    locked: Mapping,
    file: Mapping,
    path: Path,
    web: Web,
    token: odata.Token | None,
    bounds: tuple | None,
) -> None:
    search = locked["search"]
    if search["source"] == "arcgis":
        with alone(part_aside(path)):
            arcgis.bring_layer(search, file, path, web)
        return

    given: list[str] = []

    def find(again: bool) -> str:
        if file.get("sign"):
            return stac.sign(search, file["url"], web)
        if "request" not in file:
            return file["url"]
        if again or not given:
            given[:] = [m2m.find_address(search, file, web)]
        return given[0]

    if file.get("window"):
        with alone(part_aside(path)):
            read_window(find, path, file["name"], bounds, web.attempts)
        return
    secret = _secret(search, file, token)
    page = locked["page"] or shown(file["url"])
    source = Source(file["name"], file["size"], file["checksum"], find, secret, page)
    download(web, source, path)


def _secret(search: Mapping, file: Mapping, token: odata.Token | None) -> Headers | None:
    """The headers that sign in: for the account's own hosts, and for nobody else."""
    account = file.get("account")
    if not account:
        return None
    hosts = (*ACCOUNTS[account].hosts, *search.get("hosts", []))
    if not is_own(file["url"], hosts):
        raise InputError(
            f"{file['name']}: lies at {shown(file['url'])}, which is no host of the account "
            f"{account}; add it to hosts if you trust it"
        )
    given = None if token else read_secrets(account)[0]

    def headers(url: str) -> Mapping[str, str]:
        if not is_own(url, hosts):
            return {}
        return {"Authorization": f"Bearer {token.value() if token else given}"}

    return headers


def _check(locked: Mapping, file: Mapping, path: Path) -> dict[str, object]:
    """Size and SHA-256 of a file that is the one of the lock."""
    page = locked["page"] or "its archive"
    hint = f"remove {path} and get it again, from {page}"
    if path.is_dir() or file["name"] == "*":
        return {"size": None, "sha256": ""}
    name = path.name if "*" in file["name"] else file["name"]
    sha256 = require_content(path, name, file["size"], file["checksum"], hint)
    beside = sha256_file(path)
    noted = beside.read_text(encoding="utf-8").split(" ")[0] if beside.exists() else ""
    if noted and noted != sha256:
        raise InputError(f"{path}: is not the file that came, as {beside.name} tells; {hint}")
    if not noted:
        note_sha256(path, sha256)
    return {"size": path.stat().st_size, "sha256": sha256}


def write_items(locked: Mapping, path: Path) -> None:
    """Write the items of a search whose images lie beside `path`."""
    write_json(path, {"type": "FeatureCollection", "features": locked["stac"]})
