"""The USGS's machine-to-machine service: Landsat products as whole archives."""

import fnmatch
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from gossan.errors import InputError
from gossan.fetching.found import Found, file_of, one_of
from gossan.fetching.logins import ACCOUNTS, is_own, read_secrets
from gossan.fetching.web import Web

API = "https://m2m.cr.usgs.gov/api/api/json/stable"
_MOST = 5000
_BUNDLE = "bundle"
_DATE = re.compile(r"_((?:19|20)\d{2})(\d{2})(\d{2})_")
_PREPARING_ATTEMPTS = 20


class _Service:
    """The service, signed in: `call` gives the data of an answer."""

    def __init__(self, web: Web, search: Mapping):
        self._web, self.api = web, search.get("api", API)
        self._hosts = (*ACCOUNTS["usgs"].hosts, *search.get("hosts", []))
        self._key = ""
        user, token = read_secrets("usgs")
        self._key = self.call("login-token", {"username": user, "token": token})

    def call(self, name: str, body: object) -> object:
        url = f"{self.api}/{name}"
        if not is_own(url, self._hosts):
            raise InputError(f"{self.api}: is no host of this account; add it to hosts")
        answer = self._web.ask(
            url,
            method="POST",
            json=body,
            secret=lambda to: (
                {"X-Auth-Token": self._key} if self._key and is_own(to, self._hosts) else {}
            ),
            page=ACCOUNTS["usgs"].page,
        )
        if not isinstance(answer, dict) or "data" not in answer:
            raise InputError(f"{url}: answers otherwise than M2M does; mend api")
        if answer.get("errorCode"):
            raise InputError(
                f"{url}: {answer['errorCode']}; renew the token, or ask for access at "
                f"{ACCOUNTS['usgs'].page}"
            )
        return answer["data"]


@contextmanager
def _signed_in(web: Web, search: Mapping) -> Iterator[_Service]:
    service = _Service(web, search)
    try:
        yield service
    finally:
        with suppress(InputError):  # the key ends by itself
            service.call("logout", {})


def find_scene(entry: Mapping, web: Web) -> Found:
    """The one scene whose name an entry tells, as the archive of all its files."""
    wanted = entry["id"]
    scene_filter: dict[str, object] = {}
    if date := _DATE.search(wanted):
        day = "-".join(date.groups())
        scene_filter["acquisitionFilter"] = {"start": day, "end": day}
    if "bbox" in entry:
        west, south, east, north = entry["bbox"]
        scene_filter["spatialFilter"] = {
            "filterType": "mbr",
            "lowerLeft": {"latitude": south, "longitude": west},
            "upperRight": {"latitude": north, "longitude": east},
        }
    dataset = entry["dataset"]
    with _signed_in(web, entry) as service:
        try:
            found = service.call(
                "scene-search",
                {"datasetName": dataset, "maxResults": _MOST, "sceneFilter": scene_filter},
            )["results"]
            scenes = {
                scene["displayId"]: scene["entityId"]
                for scene in found
                if fnmatch.fnmatchcase(scene["displayId"], wanted)
            }
            name = one_of(list(scenes), wanted, f"M2M ({dataset})")
            options = service.call(
                "download-options", {"datasetName": dataset, "entityIds": [scenes[name]]}
            )
            usable = [option for option in options or [] if option.get("available")]
            usable = [o for o in usable if _BUNDLE in o["productName"].lower()] or usable
            if not usable:
                raise InputError(f"{name}: cannot be downloaded now; order it at its page")
            option = usable[0]
            product, size = option["id"], option.get("filesize")
        except (KeyError, TypeError) as error:
            raise InputError(f"{service.api}: answers otherwise than M2M does ({error})") from error
    request = {"entityId": scenes[name], "productId": product}
    return Found([name], [file_of(f"{name}.tar", service.api, size, "", request=request)])


def find_address(search: Mapping, file: Mapping, web: Web) -> str:
    """The address of a file for this one time."""
    with _signed_in(web, search) as service:
        asked = {"downloads": [dict(file["request"])], "label": file["name"][:50]}
        for attempt in range(_PREPARING_ATTEMPTS):
            told = service.call("download-request", asked)
            ready = told.get("availableDownloads") if isinstance(told, dict) else None
            if ready and ready[0].get("url"):
                return ready[0]["url"]
            if not (isinstance(told, dict) and told.get("preparingDownloads")):
                break
            if attempt + 1 < _PREPARING_ATTEMPTS:
                web.pause(attempt + 3)
    raise InputError(f"{file['name']}: the USGS gives no address for it now; run again later")
