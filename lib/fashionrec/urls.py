"""Which URLs say plainly where they lead, and which addresses are of the public internet."""

import re
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from fashionrec.errors import FetchError

PORTS = {"http": 80, "https": 443}
_MAX_URL = 8_192
# Parsers disagree about these, or drop them; no URL needs them.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\]")
_AUTHORITY = re.compile(r"[^/?#]*//([^/?#]*)")
_NAT64 = IPv6Network("64:ff9b::/96")  # an IPv4 address as networks without IPv4 spell it
_UNICAST = IPv6Network("2000::/3")  # all that IANA has given out for the public internet
# Global by name, yet they lead elsewhere, or versions of Python disagree about them.
_SPECIAL: tuple[IPv4Network | IPv6Network, ...] = tuple(
    ip_network(text)
    for text in (
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays
        "2001::/23",  # protocol assignments, Teredo tunnels among them
        "2002::/16",  # 6to4 tunnels
        "3fff::/20",  # documentation
    )
)
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII)
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)


def checked_url(url: str) -> Url:
    """Return the URL in parts, with a lower-case host, where nothing in it can mislead.

    Raises:
        FetchError: it may not be fetched.
    """
    if len(url) > _MAX_URL or _UNSAFE.search(url):
        raise FetchError("the URL is too long, or has a backslash or control characters")
    authority = _AUTHORITY.match(url)
    if authority is None or url.partition(":")[0].lower() not in PORTS:
        raise FetchError("only http and https URLs are fetched")
    if "@" in authority[1]:
        raise FetchError("the URL has a user name or password in it")
    try:
        parts = parse_url(url)
    except LocationParseError as error:
        raise FetchError("not a URL") from error
    host = (parts.host or "").removesuffix(".")
    hidden = "%" in authority[1] or not authority[1].isascii()  # parsers would decode it
    if hidden or not is_plain_host(host):
        raise FetchError("the URL's host is neither a name in ASCII nor a plain address")
    return parts._replace(host=host, fragment=None)


def is_public(address: str) -> bool:
    """Say whether an address is one of the public internet, and only that.

    An IPv4 address inside an IPv6 one (mapped, or behind NAT64) is judged itself.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        inner = _inner(found)
        if inner is None:
            return found.scope_id is None and found in _UNICAST and _is_global(found)
        found = inner
    return _is_global(found)


def _inner(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped


def _is_global(address: IPv4Address | IPv6Address) -> bool:
    special = any(address in network for network in _SPECIAL)
    return address.is_global and not address.is_multicast and not special


def is_plain_host(host: str) -> bool:
    """Say whether a lower-case host is a name, a dotted IPv4 address, or an IPv6 one in brackets.

    2130706433, 0x7f.1 and 0177.0.0.1 are none: C libraries read them as addresses.
    """
    try:
        if host.startswith("["):
            return host.endswith("]") and IPv6Address(host[1:-1]).scope_id is None
        if _NUMERIC.fullmatch(host.rpartition(".")[2]):
            return bool(IPv4Address(host))
    except ValueError:
        return False
    return len(host) <= 253 and _NAME.fullmatch(host) is not None


def is_loopback(host: str) -> bool:
    """Say whether an address to listen on is this machine's own; a name other than localhost may
    be anything.
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
