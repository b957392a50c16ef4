"""Calls over the network: with patience, without telling a secret to anyone but its owner."""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests

from gossan.errors import InputError

TIMEOUT_S = (15, 60)
BUSY = (408, 425, 429, 500, 502, 503, 504)
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 10
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _LONGEST_ASKED_S = 1.0, 60.0, 600.0

Headers = Callable[[str], Mapping[str, str]]
"""The secret headers of an address: none unless it is of their own host."""


def shown(url: str) -> str:
    """An address without user, query and fragment, which may hold secrets."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class UnreachableError(Exception):
    """A server that does not answer, or breaks off; its text tells no query."""


class Web:
    """A session; `attempts` are calls in a row that bring nothing, before it gives up."""

    def __init__(self, attempts: int, sleep: Callable[[float], None] = time.sleep):
        """Nothing is asked yet."""
        self.attempts, self._sleep = attempts, sleep
        # It tells whole addresses, with the signatures in them.
        logging.getLogger("urllib3").setLevel(logging.CRITICAL)
        self._session = requests.Session()
        # Netrc is read for own hosts alone (logins.py).
        self._session.auth = lambda request: request

    @contextmanager
    def open(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        secret: Headers | None = None,
        json: object = None,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
    ):
        """One answer, its body unread. It follows redirects, and asks each time what may be told.

        Raises UnreachableError where none comes.
        """
        try:
            for _ in range(_MOST_REDIRECTS):
                told = {"Accept-Encoding": "identity", **(headers or {})}
                told |= secret(url) if secret else {}
                answer = self._session.request(
                    method,
                    url,
                    headers=told,
                    json=json,
                    params=params,
                    data=data,
                    stream=True,
                    timeout=TIMEOUT_S,
                    allow_redirects=False,
                )
                place = answer.headers.get("Location")
                if answer.status_code not in _REDIRECTS or not place:
                    break
                answer.close()
                before, url, params = url, urljoin(url, place), None
                if urlsplit(before).scheme == "https" != urlsplit(url).scheme:
                    raise InputError(f"{shown(before)}: leads to an address without TLS; refused")
                if answer.status_code == 303:
                    method, json, data = "GET", None, None
                elif method != "GET" and urlsplit(url).netloc != urlsplit(answer.url).netloc:
                    raise InputError(f"{shown(answer.url)}: sends what is asked elsewhere; refused")
            else:
                raise UnreachableError(f"{shown(url)}: leads on without end")
            # Cookies of a form to sign in would make a login page of what was a refusal.
            self._session.cookies.clear()
            with answer:
                yield answer
        except requests.RequestException as error:
            raise UnreachableError(f"{shown(url)}: {type(error).__name__}") from None

    def ask(self, url: str, *, page: str = "", **how: object) -> object:
        """The JSON of an answer; InputError, with the `page` to look at, where there is none."""
        reason = ""
        for attempt in range(self.attempts):
            try:
                with self.open(url, **how) as answer:
                    code, wait = answer.status_code, asked_pause(answer.headers)
                    if code not in BUSY:
                        return _decode(answer, url, page)
                reason = f"HTTP {code}"
            except UnreachableError as error:
                reason, wait = str(error).rpartition(": ")[2], None
            if attempt + 1 < self.attempts:
                self.pause(attempt, wait)
        raise InputError(
            f"{shown(url)}: does not answer after {self.attempts} attempts ({reason}); check the "
            "address and the network, or wait"
        )

    def pause(self, attempt: int, asked_s: float | None = None) -> None:
        """Wait as long as the server asks for, or longer from attempt to attempt."""
        own = min(_FIRST_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S)
        self._sleep(own if asked_s is None else min(asked_s, _LONGEST_ASKED_S))


def asked_pause(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait (Retry-After: a number or a date); None if it does not."""
    text = headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _decode(answer: requests.Response, url: str, page: str) -> object:
    code, where = answer.status_code, shown(url)
    more = f"; see {page}" if page else ""
    if code in (401, 403):
        raise InputError(f"{where}: refuses (HTTP {code}); renew the token, accept the terms{more}")
    if code >= 400:
        raise InputError(f"{where}: answers HTTP {code}; check the search and the address{more}")
    try:
        return answer.json()
    except (ValueError, requests.RequestException):
        raise InputError(
            f"{where}: answers with what is no JSON; check the address{more}"
        ) from None
