"""The Copernicus Data Space by OData: whole products of Sentinel-2 as .zip, with their MD5."""

import time
from collections.abc import Mapping

from gossan.errors import InputError
from gossan.fetching.found import Found, file_of, fits, one_of
from gossan.fetching.logins import ACCOUNTS, is_own, read_secrets
from gossan.fetching.web import Web

API = "https://catalogue.dataspace.copernicus.eu/odata/v1"
DOWNLOAD = "https://download.dataspace.copernicus.eu/odata/v1"
SIGN_API = "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token"
_END = ".SAFE"
_RENEW_S = 60
_LISTED = 100


def find_product(entry: Mapping, web: Web) -> Found:
    """The one product whose name an entry tells, with `*` for what is not known of it."""
    api, wanted = entry.get("api", API), entry["id"].removesuffix(_END)
    parts = enumerate(part.replace("'", "''") for part in wanted.split("*"))
    told = [f"{'contains' if at else 'startswith'}(Name,'{part}')" for at, part in parts if part]
    asked = {"$filter": " and ".join(told), "$top": str(_LISTED)}
    answer = web.ask(f"{api}/Products", params=asked)
    try:
        # The catalogue finds parts in any order, and names that go on behind the last.
        products = {
            item["Name"]: item
            for item in answer["value"]
            if fits(item["Name"].removesuffix(_END), [wanted])
        }
        if not products and len(answer["value"]) >= _LISTED:
            raise InputError(
                f"{wanted}: the catalogue's first {_LISTED} are other products, and there may be "
                "more; tell more of the name as id"
            )
        product = products[one_of(list(products), wanted, "the catalogue")]
        if not product.get("Online", True):
            raise InputError(f"{wanted}: lies in the archive's cold store; order it at its page")
        sums = {c["Algorithm"].lower(): c["Value"] for c in product.get("Checksum") or [] if c}
        place = DOWNLOAD if api == API else api
        url = f"{place}/Products({product['Id']})/$value"
        size = product.get("ContentLength")
    except (KeyError, TypeError) as error:
        raise InputError(f"{api}: answers otherwise than OData does ({error}); mend api") from error
    checksum = f"md5:{sums['md5']}" if "md5" in sums else ""
    name = f"{product['Name'].removesuffix(_END)}.zip"
    return Found([product["Name"]], [file_of(name, url, size, checksum, account="cdse")])


class Token:
    """A token that lasts some minutes: asked for when it is needed, and again before it ends."""

    def __init__(self, web: Web, search: Mapping):
        """`search` is the entry's, with where tokens are had."""
        self._web, self._api = web, search.get("sign_api", SIGN_API)
        self._hosts = (*ACCOUNTS["cdse"].hosts, *search.get("hosts", []))
        self._token, self._ends = "", 0.0

    def value(self) -> str:
        """The token that holds now."""
        if time.monotonic() > self._ends - _RENEW_S:
            if not is_own(self._api, self._hosts):
                raise InputError(f"{self._api}: is no host of this account; add it to hosts")
            user, password = read_secrets("cdse")
            answer = self._web.ask(
                self._api,
                method="POST",
                data={
                    "client_id": "cdse-public",
                    "grant_type": "password",
                    "username": user,
                    "password": password,
                },
                page=ACCOUNTS["cdse"].page,
            )
            if not isinstance(answer, dict) or not answer.get("access_token"):
                raise InputError(f"{self._api}: gives no token; see {ACCOUNTS['cdse'].page}")
            self._token = str(answer["access_token"])
            self._ends = time.monotonic() + float(answer.get("expires_in", 600))
        return self._token
