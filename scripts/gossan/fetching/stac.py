"""Catalogues that speak STAC: items by id, or by time, place and cloud, and their assets."""

import fnmatch
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from gossan.checksums import read_multihash
from gossan.errors import InputError
from gossan.fetching.found import LISTED, Found, file_of, one_of
from gossan.fetching.web import Web, shown
from gossan.fetching.windows import bounds_of

SIGN_API = "https://planetarycomputer.microsoft.com/api/sas/v1/sign"
RASTERS = (".tif", ".tiff", ".jp2")
SENTINEL2 = "sentinel-2"
_PAGE, _MOST = 100, 2000
# What readers need of an item; the rest of what catalogues tell would fill the lock.
_TOLD = (
    *("datetime", "platform", "grid:code", "view:sun_elevation", "view:sun_azimuth"),
    *("processing:version", "earthsearch:boa_offset_applied", "sentinel:boa_offset_applied"),
    *("s2:product_uri", "s2:product_type", "s2:processing_baseline", "s2:mgrs_tile"),
    *("s2:mean_solar_zenith", "s2:mean_solar_azimuth", "eo:cloud_cover"),
    *("sentinel:product_id", "sentinel:processing_baseline"),
)
_RASTER_TOLD = ("raster:bands", "bands", "raster:scale", "raster:offset")


def find_items(entry: Mapping, web: Web) -> Found:
    """The items that an entry asks for, and those of their assets that it names."""
    items = list(_search(entry, web))
    ids = [item["id"] for item in items]
    if "id" in entry:
        items = [item for item in items if fnmatch.fnmatchcase(item["id"], entry["id"])]
        one_of([item["id"] for item in items], entry["id"], shown(entry["api"]))
    elif not items:
        one_of(ids, f"{entry['collection']} of {entry['datetime']}", shown(entry["api"]))
    elif len(set(ids)) < len(ids):
        raise InputError(f"{shown(entry['api'])}: tells an item twice; search again")
    items.sort(key=lambda item: item["id"])
    assets = [(item, key, asset) for item in items for key, asset in _assets(item, entry)]
    names = Counter(_base(asset) for _, _, asset in assets)
    files, slim = [], {item["id"]: _slim(item) for item in items}
    for item, key, asset in assets:
        base = _base(asset)
        name = base if names[base] == 1 and base else f"{item['id']}_{base or key}"
        more = {"sign": entry["sign"]} if entry.get("sign") else {}
        checksum = read_multihash(str(asset.get("file:checksum", "")))
        size, digest = asset.get("file:size"), ":".join(checksum) if checksum else ""
        if "window_of" in entry and name.lower().endswith(RASTERS):
            name = f"{PurePosixPath(name).stem}.tif"
            # What is read of a part has neither the size nor the checksum of the whole.
            size, digest, more = None, "", {**more, "window": True}
        files.append(file_of(name, asset["href"], size, digest, **more))
        told = {part: asset[part] for part in _RASTER_TOLD if part in asset}
        slim[item["id"]]["assets"][key] = {"href": f"./{name}", **told}
    windows = "window_of" in entry and entry["collection"].startswith(SENTINEL2)
    return Found(
        [item["id"] for item in items],
        files,
        whole=len(files) > 1,
        stac=list(slim.values()) if windows else [],
    )


def _search(entry: Mapping, web: Web) -> Iterator[Mapping]:
    url = f"{entry['api'].rstrip('/')}/search"
    body: object = {"collections": [entry["collection"]], "limit": _PAGE}
    if "id" in entry and "*" not in entry["id"]:
        body["ids"] = [entry["id"]]
    body |= {key: entry[key] for key in ("datetime", "bbox", "query") if key in entry}
    if "window_of" in entry and not {"id", "bbox"} & set(entry):
        body["bbox"] = list(bounds_of(entry["window_of"]))
    method, count = "POST", 0
    while url:
        how = {"json": body} if method == "POST" else {}
        answer = web.ask(url, method=method, **how)
        try:
            features = answer["features"]
            links = [link for link in answer.get("links", []) if link.get("rel") == "next"]
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{shown(url)}: answers otherwise than STAC does; mend api") from error
        yield from features
        count += len(features)
        if count > _MOST:
            raise InputError(f"{shown(url)}: finds more than {_MOST} items; narrow the search")
        # An empty page ends a search, whatever it links.
        link = links[0] if links and features else {}
        url, method = link.get("href", ""), link.get("method", "GET").upper()
        body = {**body, **link.get("body", {})} if link.get("merge") else link.get("body", body)


def _assets(item: Mapping, entry: Mapping) -> Iterator[tuple[str, Mapping]]:
    assets = item.get("assets") or {}
    for key in entry["assets"]:
        if key not in assets:
            listed = ", ".join(list(assets)[: 2 * LISTED])
            raise InputError(f"{item['id']}: has no asset {key!r}; it has {listed or 'none'}")
        href = str(assets[key].get("href", ""))
        if not href.startswith(("https://", "http://")):
            raise InputError(f"{item['id']}: asset {key!r} is not behind http; take another api")
        yield key, assets[key]


def _base(asset: Mapping) -> str:
    return PurePosixPath(unquote(urlsplit(asset["href"]).path)).name


def _slim(item: Mapping) -> dict:
    """What readers need of an item, with its files beside it."""
    told = item.get("properties") or {}
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": item["id"],
        "collection": item.get("collection"),
        "geometry": None,
        "properties": {key: told[key] for key in _TOLD if key in told},
        "links": [],
        "assets": {},
    }


def sign(search: Mapping, url: str, web: Web) -> str:
    """A file's address signed for some minutes, as the Planetary Computer does."""
    api = search.get("sign_api", SIGN_API)
    answer = web.ask(api, params={"href": url})
    if not isinstance(answer, dict) or not str(answer.get("href", "")).startswith("http"):
        raise InputError(f"{shown(api)}: signs nothing; check sign_api")
    return answer["href"]
