"""Archives on loopback that play the sources of products, and go wrong on demand."""

import hashlib
import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from range_server import Handler, running

PAGE = b"<!DOCTYPE html><html><body><form action='/cas/login'>Sign in</form></body></html>"


@dataclass
class Request:
    """What was asked: `query` as single values, `body` as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""

    @property
    def json(self) -> dict:
        return json.loads(self.body or b"{}")


@dataclass
class Answer:
    """What is answered."""

    body: bytes = b""
    code: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def as_json(value: object, code: int = 200) -> Answer:
    return Answer(json.dumps(value).encode(), code, {"Content-Type": "application/json"})


def redirect(url: str) -> Answer:
    return Answer(b"", 302, {"Location": url})


class Archive(ThreadingHTTPServer):
    """`files` by path, with byte ranges and ETag; `routes` by path answer first.

    `faults` are used up one by one by what asks for files; `log` holds all requests, and what was
    sent of each.
    """

    daemon_threads = True

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.routes: dict[str, Callable[[Request], Answer | None]] = {}
        self.faults: list[str] = []
        self.log: list[tuple[Request, int]] = []
        self.etags = True
        super().__init__(("127.0.0.1", 0), _Sources)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """Say nothing of those who were killed while they asked."""

    def url(self, path: str = "") -> str:
        return f"http://{self.host}{path}"

    def sent(self, path: str = "") -> int:
        """Bytes that were sent of a path, or of all."""
        return sum(size for request, size in self.log if path in request.path)

    def asked(self, path: str) -> list[Request]:
        return [request for request, _ in self.log if request.path == path]

    def texts(self) -> str:
        """All that was told to this server, as one text."""
        return repr([(r.path, r.query, r.headers, r.body) for r, _ in self.log])


class _Sources(Handler):
    # Head and body go together; apart, each answer waits for the other side.
    wbufsize = -1
    server: Archive

    def answer(self, sent: bytes) -> None:
        parts = urlsplit(self.path)
        request = Request(
            self.command,
            parts.path,
            {key: values[0] for key, values in parse_qs(parts.query).items()},
            dict(self.headers.items()),
            sent,
        )
        route = self.server.routes.get(parts.path)
        answer = route(request) if route else None
        cut = len(PAGE) * 10**6
        if answer is None:
            answer, cut = self._file(request)
        body = b"" if self.command == "HEAD" else answer.body
        size = answer.headers.pop("Content-Length", str(len(answer.body)))
        self.send_response(answer.code)
        for key, value in {"Content-Length": size, **answer.headers}.items():
            self.send_header(key, value)
        self.end_headers()
        self.close_connection = self.close_connection or cut < len(body) or int(size) != len(body)
        body = body[:cut]
        # Before it is sent: who has it all may ask at once what was told.
        self.server.log.append((request, len(body)))
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def _file(self, request: Request) -> tuple[Answer, int]:
        """A file or a part of it, and after how many bytes the connection is cut."""
        whole = self.server.files.get(request.path)
        never = len(PAGE) * 10**6
        if whole is None:
            return Answer(b"", 404), never
        fault = self.server.faults.pop(0) if self.server.faults else ""
        if fault.isdigit():
            more = {"Retry-After": "1"} if fault in ("429", "503") else {}
            return Answer(b"", int(fault), more), never
        if fault == "page":
            return Answer(PAGE, 200, {"Content-Type": "text/html"}), never
        etag = f'"{hashlib.md5(whole).hexdigest()}"'
        headers = {"ETag": etag} if self.server.etags else {}
        start, code = 0, 200
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
        due = request.headers.get("If-Range", etag) == etag
        body = whole
        if asked and due and fault != "no range":
            start = int(asked[1])
            if start >= len(whole):
                return Answer(b"", 416), never
            last = min(int(asked[2] or len(whole)), len(whole) - 1)
            headers["Content-Range"] = f"bytes {start}-{last}/{len(whole)}"
            body, code = whole[start : last + 1], 206
        if fault == "short":
            body = body[: len(body) // 2]
            headers.pop("Content-Range", None)
            code = 200
        if fault == "other":
            body = body[: len(body) // 2] + bytes(255 - b for b in body[len(body) // 2 :])
        return Answer(body, code, headers), len(body) // 2 if fault == "cut" else never


def archive() -> AbstractContextManager[Archive]:
    """An archive while the block runs."""
    return running(Archive())


# ---- how the sources answer --------------------------------------------------------------------


def play_m2m(server: Archive, file: str, scene: str, token: str, store: Archive) -> None:
    """The USGS's service: a token for a key, the key for an address of one time in a `store`."""
    state = {"keys": 0}

    def login(request: Request) -> Answer:
        if request.json.get("token") != token:
            return as_json({"data": None, "errorCode": "AUTH_INVALID"}, 401)
        state["keys"] += 1
        return as_json({"data": f"key-{state['keys']}", "errorCode": None})

    def guarded(data: Callable[[Request], object]) -> Callable[[Request], Answer]:
        def answer(request: Request) -> Answer:
            if not request.headers.get("X-Auth-Token", "").startswith("key-"):
                return as_json({"data": None, "errorCode": "UNAUTHORIZED_USER"}, 403)
            return as_json({"data": data(request), "errorCode": None})

        return answer

    def address(request: Request) -> object:
        return {
            "availableDownloads": [{"url": store.url(f"{file}?signature=once")}],
            "preparingDownloads": [],
        }

    size = len(store.files[file])
    scenes = {"results": [{"displayId": scene, "entityId": "LC8"}]}
    option = {"id": "5e83", "entityId": "LC8", "available": True, "filesize": size}
    server.routes |= {
        "/m2m/login-token": login,
        "/m2m/scene-search": guarded(lambda _: scenes),
        "/m2m/download-options": guarded(
            lambda _: [{**option, "productName": "Landsat Collection 2 Level-1 Product Bundle"}]
        ),
        "/m2m/download-request": guarded(address),
        "/m2m/logout": guarded(lambda _: None),
    }


def play_cmr(server: Archive, granules: dict[str, dict[str, str]], store: Archive, url) -> None:
    """CMR: granules by short name and name, each with its files: name -> path in the store."""

    def search(request: Request) -> Answer:
        items = []
        for name, files in granules.get(request.query["short_name"], {}).items():
            wanted = request.query.get("readable_granule_name", "*").replace("*", ".*")
            if not re.fullmatch(wanted, name):
                continue
            told = [
                {
                    "Name": file,
                    "SizeInBytes": len(store.files[path]),
                    "Checksum": {
                        "Algorithm": "SHA-256",
                        "Value": hashlib.sha256(store.files[path]).hexdigest(),
                    },
                }
                for file, path in files.items()
            ]
            links = [{"URL": url(file), "Type": "GET DATA"} for file in files]
            links.append({"URL": "s3://bucket/x.nc", "Type": "GET DATA VIA DIRECT ACCESS"})
            items.append(
                {
                    "umm": {
                        "GranuleUR": name,
                        "RelatedUrls": links,
                        "DataGranule": {"ArchiveAndDistributionInformation": told},
                    }
                }
            )
        return as_json({"hits": len(items), "items": items})

    server.routes["/cmr/granules.umm_json"] = search


def guard(server: Archive, path: str, token: str, answer: Callable[[], Answer | None]) -> None:
    """A path that only a Bearer token opens."""

    def check(request: Request) -> Answer | None:
        if request.headers.get("Authorization") != f"Bearer {token}":
            return Answer(b"", 401)
        return answer()

    server.routes[path] = check


def play_stac(server: Archive, items: list[dict], page: int = 100) -> None:
    """A search by collection and id, page by page, by links with a body of their own."""

    def search(request: Request) -> Answer:
        asked = request.json
        fitting = [
            item
            for item in items
            if item["collection"] in asked["collections"]
            and (not asked.get("ids") or item["id"] in asked["ids"])
        ]
        start = asked.get("start", 0)
        link = {
            "rel": "next",
            "method": "POST",
            "href": server.url("/stac/search"),
            "body": {"start": start + page},
            "merge": True,
        }
        return as_json(
            {
                "type": "FeatureCollection",
                "features": fitting[start : start + page],
                "links": [link] if start + page < len(fitting) else [],
            }
        )

    server.routes["/stac/search"] = search


def play_signing(server: Archive, store: Archive, files: list[str]) -> dict[str, int]:
    """Signatures that hold for one file and are counted; `["expired"]` first ones hold for none."""
    state = {"signed": 0, "expired": 0}

    def sign(request: Request) -> Answer:
        state["signed"] += 1
        good = state["signed"] > state["expired"]
        return as_json({"href": f"{request.query['href']}?sig={'good' if good else 'old'}"})

    def check(request: Request) -> Answer | None:
        return None if request.query.get("sig") == "good" else Answer(b"", 403)

    server.routes["/sas/sign"] = sign
    store.routes |= dict.fromkeys(files, check)
    return state


def play_odata(server: Archive, name: str, file: str, user: tuple[str, str]) -> dict[str, int]:
    """The Copernicus catalogue: a product by name, tokens of a user, files for a token alone."""
    state = {"tokens": 0}
    content = server.files[file]

    def search(request: Request) -> Answer:
        parts = re.findall(r"\(Name,'([^']*)'\)", request.query["$filter"])
        product = {
            "Id": "abc",
            "Name": f"{name}.SAFE",
            "ContentLength": len(content),
            "Online": True,
            "Checksum": [{"Algorithm": "MD5", "Value": hashlib.md5(content).hexdigest()}],
        }
        fits = all(part in product["Name"] for part in parts)
        return as_json({"value": [product] if fits else []})

    def token(request: Request) -> Answer:
        told = parse_qs(request.body.decode())
        if (told["username"][0], told["password"][0]) != user:
            return as_json({"error": "invalid_grant"}, 401)
        state["tokens"] += 1
        return as_json({"access_token": "short-lived", "expires_in": 600})

    server.routes |= {"/odata/Products": search, "/token": token}
    guard(server, "/odata/Products(abc)/$value", "short-lived", lambda: redirect(server.url(file)))
    guard(server, file, "short-lived", lambda: None)
    return state


def play_arcgis(server: Archive, points: dict[int, tuple[float, float]], most: int) -> None:
    """A layer of points by number, of which it gives so many at once, and no second page."""

    def query(request: Request) -> Answer:
        if "1=2" in request.query["where"]:
            return as_json({"error": {"code": 400, "message": "Invalid query"}})
        west, south, east, north = map(float, request.query["geometry"].split(","))
        inside = [n for n, (x, y) in points.items() if west <= x <= east and south <= y <= north]
        if least := re.search(r"OBJECTID >= (\d+)", request.query["where"]):
            inside = [n for n in inside if n >= int(least[1])]
        if request.query.get("returnIdsOnly") == "true":
            return as_json({"objectIdFieldName": "OBJECTID", "objectIds": inside})
        features = [
            {
                "type": "Feature",
                "id": n,
                "geometry": {"type": "Point", "coordinates": points[n]},
                "properties": {"OBJECTID": n, "SUBS": "FERRO"},
            }
            for n in inside[:most]
        ]
        answer = {"type": "FeatureCollection", "features": features}
        return as_json({**answer, "exceededTransferLimit": True} if len(inside) > most else answer)

    server.routes["/layer/0/query"] = query
