"""Which addresses events may be sent to: https, and reachable by everybody.

A merchant's URL is fetched from inside our network, so a URL that leads back into it would
be a door (server-side request forgery).  The literal is checked here when a URL is
registered and again before every delivery; what a name resolves to is checked by the
delivery with `is_public`.  Only one spelling of each host is taken, so that no parser
further down can read another host in it.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, NamedTuple

NOT_HTTPS: Final = "url_not_https"
NOT_PUBLIC: Final = "url_not_public"
INVALID: Final = "parameter_invalid"

MAX_HOST_LENGTH: Final = 253
MAX_PORT: Final = 65_535

_URL: Final = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#]+)(?P<rest>[/?#].*)?")
_AUTHORITY: Final = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9.-]+))(?::(?P<port>[0-9]{1,5}))?"
)
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOOPBACK: Final = re.compile(r"http://(?:127\.0\.0\.1|\[::1\]):(?P<port>[0-9]{1,5})(?:/.*)?")

# Names that never lead to a public address (RFC 6761, RFC 8375 and what routers make up).
_LOCAL_ENDINGS: Final = (
    "localhost",
    "local",
    "internal",
    "intranet",
    "home.arpa",
    "home",
    "lan",
    "corp",
    "private",
    "invalid",
    "test",
    "onion",
)
# IANA's special-purpose registry, multicast, and the one metadata service that a cloud
# gave a public address to.
_CLOSED_V4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)
# Everything outside of global unicast is closed, so mapped, translated (64:ff9b::/96),
# unique-local and link-local addresses need no line of their own.
_OPEN_V6: Final = IPv6Network("2000::/3")
_CLOSED_V6: Final = tuple(
    IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)


class _Host(NamedTuple):
    six: str | None
    name: str


def fault_of(url: str, *, allow_loopback: bool) -> str | None:
    """The error code of a URL that events may not be sent to; None for one that is fine.

    `allow_loopback` admits `http://127.0.0.1:PORT/…` and `http://[::1]:PORT/…` and no
    other spelling of this machine.
    """
    if allow_loopback and is_loopback(url):
        return None
    parts = _URL.fullmatch(url)
    if parts is None or parts["scheme"] != "https":
        return NOT_HTTPS
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return INVALID
    if "#" in url:
        return INVALID
    authority = _AUTHORITY.fullmatch(parts["authority"])
    # User names are refused with the hosts: `https://shop.example@10.0.0.1/` reads as both.
    if authority is None:
        return NOT_PUBLIC
    if not _is_port(authority["port"]):
        return INVALID
    host = _Host(authority["six"], (authority["name"] or "").lower())
    return None if _is_public_host(host) else NOT_PUBLIC


def is_loopback(url: str) -> bool:
    """True for the two spellings of this machine that local development may use."""
    found = _LOOPBACK.fullmatch(url)
    clean = url.isascii() and url.isprintable() and not set(" #\\") & set(url)
    return found is not None and clean and _is_port(found["port"])


def is_public(address: str) -> bool:
    """True for the text of an address that the whole internet can reach."""
    try:
        if ":" in address:
            six = IPv6Address(address)
            return six in _OPEN_V6 and not any(six in closed for closed in _CLOSED_V6)
        four = IPv4Address(address)
    except AddressValueError:
        return False
    return not any(four in closed for closed in _CLOSED_V4)


def _is_port(text: str | None) -> bool:
    return text is None or 0 < int(text) <= MAX_PORT


def _is_public_host(host: _Host) -> bool:
    if host.six is not None:
        return is_public(host.six)
    labels = host.name.split(".")
    # Browsers and libc read a name that ends in a number as IPv4, in many spellings
    # (2130706433, 0x7f.1, 0177.0.0.1); only the plain dotted one is taken.
    if _NUMBER.fullmatch(labels[-1]):
        return is_public(host.name)
    if len(host.name) > MAX_HOST_LENGTH or len(labels) == 1:
        return False
    if not all(_LABEL.fullmatch(label) for label in labels):
        return False
    return not any(host.name == end or host.name.endswith("." + end) for end in _LOCAL_ENDINGS)
