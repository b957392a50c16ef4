"""Files behind plain addresses, and files that only a person can fetch."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from gossan.errors import InputError
from gossan.fetching.contents import HEAD_BYTES, require_kind
from gossan.fetching.found import Found, file_of
from gossan.fetching.web import UnreachableError, Web, shown


def find_address(entry: Mapping, web: Web) -> Found:
    """The file behind `url`, whose size the server tells."""
    url = entry["url"]
    name = entry.get("file") or PurePosixPath(unquote(urlsplit(url).path)).name
    try:
        with web.open(url) as answer:
            if answer.status_code != 200:
                raise InputError(f"{shown(url)}: answers HTTP {answer.status_code}; mend the url")
            require_kind(
                name, answer.raw.read(HEAD_BYTES), "use source: manual if one must sign in"
            )
            told = answer.headers.get("Content-Length", "")
    except UnreachableError as error:
        raise InputError(f"{error}; check the url and the network") from error
    size = int(told) if told.isdigit() else None
    return Found([name], [file_of(name, url, size, _sha256(entry))])


def find_manual(entry: Mapping, web: Web) -> Found:
    """What a person is to fetch; nothing is asked."""
    del web
    whole = entry["file"] == "*"
    return Found([entry["file"]], [file_of(entry["file"], "", None, _sha256(entry))], whole=whole)


def _sha256(entry: Mapping) -> str:
    return f"sha256:{entry['sha256']}" if entry.get("sha256") else ""
