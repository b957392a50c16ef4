"""Who may sign in where: tokens from the environment or netrc, for their own hosts alone."""

import netrc
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gossan.errors import InputError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Account:
    """An account: its variables, its machine in netrc, its own hosts, and where one gets it.

    A host that begins with a dot stands for all below it. `token` is what a token looks like where
    most people keep a password of theirs in netrc, which is no business of the archives'.
    """

    variables: tuple[str, ...]
    machine: str
    hosts: tuple[str, ...]
    page: str
    token: str = ""


ACCOUNTS = {
    "earthdata": Account(
        ("EARTHDATA_TOKEN",),
        "urs.earthdata.nasa.gov",
        (".earthdata.nasa.gov", ".earthdatacloud.nasa.gov"),
        "https://urs.earthdata.nasa.gov/profile (Generate Token; Applications, EULAs)",
        # A JSON Web Token (RFC 7519).
        r"eyJ[\w-]+\.[\w-]+\.[\w-]+",
    ),
    "usgs": Account(
        ("USGS_M2M_USER", "USGS_M2M_TOKEN"),
        "m2m.cr.usgs.gov",
        ("m2m.cr.usgs.gov",),
        "https://ers.cr.usgs.gov/profile/access (M2M access, application token)",
    ),
    "cdse": Account(
        ("CDSE_USER", "CDSE_PASSWORD"),
        "identity.dataspace.copernicus.eu",
        (".dataspace.copernicus.eu",),
        "https://dataspace.copernicus.eu (register)",
    ),
}


def is_own(url: str, hosts: Sequence[str]) -> bool:
    """Whether an address is of one of these hosts, and nobody on the way can read along.

    A host may be told with its port. Without TLS only this machine itself counts.
    """
    parts = urlsplit(url)
    name = (parts.hostname or "").lower()
    if parts.scheme != "https" and not (parts.scheme == "http" and name in LOOPBACK):
        return False
    places = (name, f"{name}:{parts.port}" if parts.port else name)
    return any(
        name.endswith(host) if host.startswith(".") else host.lower() in places for host in hosts
    )


def read_secrets(kind: str) -> tuple[str, ...]:
    """The values of an account's variables, or of its machine in netrc; InputError without."""
    account = ACCOUNTS[kind]
    found = tuple(os.environ.get(name, "").strip() for name in account.variables)
    if all(found):
        return found
    told = _netrc(account.machine)
    if told is not None:
        if account.token and not re.fullmatch(account.token, told[1]):
            raise InputError(
                f"~/.netrc: the password of {account.machine} is no token, and is not sent; get "
                f"one at {account.page}, and set {account.variables[0]}"
            )
        return told[-len(account.variables) :]
    lacking = " and ".join(n for n, v in zip(account.variables, found, strict=True) if not v)
    raise InputError(
        f"{lacking}: not set; get it at {account.page}, then set the variable, or give machine "
        f"{account.machine} in ~/.netrc"
    )


def _netrc(machine: str) -> tuple[str, str] | None:
    """User and password of a machine."""
    path = Path(os.environ.get("NETRC") or "~/.netrc").expanduser()
    try:
        told = netrc.netrc(path).authenticators(machine)
    except (OSError, netrc.NetrcParseError):
        return None
    return (told[0] or "", told[2]) if told and told[2] else None
