"""NASA's Common Metadata Repository: granules of EMIT and ASTER, their files and checksums."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from gossan.errors import InputError
from gossan.fetching.found import LISTED, Found, file_of, fits, one_of
from gossan.fetching.web import Web

API = "https://cmr.earthdata.nasa.gov/search"
_MOST = 200
_ALGORITHMS = {"md5": "md5", "sha-256": "sha256", "sha256": "sha256", "sha-512": "sha512"}
# Links to files; others lead to services that have the same names.
_TYPES = ("GET DATA", "EXTENDED METADATA", "VIEW RELATED INFORMATION")
# Moment of acquisition in the names of granules, which all products of a scene share.
_STAMP = re.compile(r"\d{8}T\d{6}")


def find_granule(entry: Mapping, web: Web) -> Found:
    """The one granule that an entry asks for, its files, and what lies beside it elsewhere."""
    api = entry.get("api", API)
    granule = _one(entry, web, api)
    name = granule["GranuleUR"]
    files = list(_files(granule, entry.get("assets")))
    if not files:
        raise InputError(
            f"{name}: has no file called {', '.join(entry.get('assets', ['any']))}; it has "
            f"{', '.join([f['name'] for f in _files(granule, None)][:LISTED]) or 'none'}"
        )
    items = [name]
    if "beside" in entry:
        stamp = _STAMP.search(name)
        wanted = {**entry["beside"], "id": f"*{stamp[0]}*" if stamp else f"*{name[-20:]}*"}
        # It stands in the same file of granules, or in one of its own collection.
        other = _one(wanted, web, api)
        items.append(other["GranuleUR"])
        files += [file for file in _files(other, ["*.nc", "*.hdf"]) if file not in files]
    return Found(items, files, whole=len(list(_files(granule, entry.get("assets")))) > 1)


def _one(entry: Mapping, web: Web, api: str) -> Mapping:
    params = {"short_name": entry["short_name"], "page_size": str(_MOST)}
    if "version" in entry:
        params["version"] = entry["version"]
    if "id" in entry:
        params["readable_granule_name"] = entry["id"]
        if "*" in entry["id"]:
            params["options[readable_granule_name][pattern]"] = "true"
    if "datetime" in entry:
        params["temporal"] = entry["datetime"].replace("/", ",")
    if "bbox" in entry:
        params["bounding_box"] = ",".join(f"{value:g}" for value in entry["bbox"])
    answer = web.ask(f"{api}/granules.umm_json", params=params)
    try:
        granules = {item["umm"]["GranuleUR"]: item["umm"] for item in answer["items"]}
    except (KeyError, TypeError) as error:
        raise InputError(f"{api}: answers otherwise than CMR does ({error}); mend api") from error
    wanted = entry.get("id") or f"{entry['short_name']} of {entry.get('datetime')}"
    return granules[one_of(list(granules), wanted, f"CMR ({entry['short_name']})")]


def _files(granule: Mapping, patterns: list[str] | None) -> Iterator[dict]:
    """Files of a granule that are data, or metadata that a pattern asks for."""
    told = {
        part.get("Name"): part
        for part in granule.get("DataGranule", {}).get("ArchiveAndDistributionInformation", [])
    }
    names = set()
    for link in granule.get("RelatedUrls", []):
        url, kind = link.get("URL", ""), link.get("Type")
        name = PurePosixPath(unquote(urlsplit(url).path)).name
        wanted = kind == "GET DATA" or (kind in _TYPES and patterns is not None)
        wanted = wanted and (patterns is None or fits(name, patterns))
        if not url.startswith(("https://", "http://")) or not wanted or name in names:
            continue
        names.add(name)
        part = told.get(name, {})
        size = part.get("SizeInBytes")
        checksum = part.get("Checksum", {})
        algorithm = _ALGORITHMS.get(str(checksum.get("Algorithm", "")).lower())
        digest = f"{algorithm}:{checksum['Value'].lower()}" if algorithm else ""
        yield file_of(name, url, size, digest, account="earthdata")
