"""The country of a client's address, from tables in memory: the network is never asked.

The tables come from the data file of the package geoip2fast (docs/decisions/0033).  The
package's own code is not run: it keeps the file as lists of Python numbers, ten times the
memory, and it can reach the network.  This product includes GeoLite2 data created by
MaxMind, available from https://www.maxmind.com.
"""

import gzip
import pickle  # nosec B403  # read by _PlainUnpickler alone, which runs nothing
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import chain
from pathlib import Path
from typing import Any, Final

REMEMBERED_ADDRESSES: Final = 20_000
PACKAGE: Final = "geoip2fast"
DATA_FILE: Final = "geoip2fast-ipv6.dat.gz"
DATA_FORMAT: Final = 120
_IPV4_BITS: Final = 32
# What is smaller than a /64 is one customer's, and told by its /64.
_PREFIX_BITS: Final = 64
_IPV6_REST: Final = 128 - _PREFIX_BITS
# Kosovo is not of ISO 3166-1, the other two are no countries.
_NO_COUNTRIES: Final = frozenset({"XK", "EU", "ASIA"})
_COUNTRY_CHARACTERS: Final = 2


class CountriesUnreadable(Exception):
    """The data file is not there, or is not of the format that is known."""


class _PlainUnpickler(pickle.Unpickler):
    """Reads lists, numbers and texts; whatever would run code is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise CountriesUnreadable("the data file holds more than data")


class Countries:
    """`of(address)` after `load()`; before it, no country is known."""

    def __init__(self) -> None:
        self._names: list[str | None] = []
        self._ipv4 = _Table(array("I"), b"", array("H"), _IPV4_BITS)
        self._ipv6 = _Table(array("Q"), b"", array("H"), _PREFIX_BITS)
        self.of: Callable[[str], str | None] = lru_cache(REMEMBERED_ADDRESSES)(self._find)
        """The ISO 3166-1 code; None for what is private, unknown, or no address."""

    def load(self, path: Path | None = None) -> None:
        """Read the data file, the package's when no other is named.

        Raises CountriesUnreadable.
        """
        first, names, codes, lengths = _read(path or _packaged())
        starts = list(chain.from_iterable(first))
        split = bisect_left(starts, 1 << _IPV4_BITS)
        tags = array("H", chain.from_iterable(codes))
        sizes = bytes(chain.from_iterable(lengths))
        self._names = [_country(name) for name in names]
        self._ipv4 = _Table(array("I", starts[:split]), sizes[:split], tags[:split], _IPV4_BITS)
        prefixes = array("Q", [start >> _IPV6_REST for start in starts[split:]])
        self._ipv6 = _Table(prefixes, sizes[split:], tags[split:], _PREFIX_BITS)

    def _find(self, text: str) -> str | None:
        try:
            address = ip_address(text)
        except ValueError:
            return None
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        if not address.is_global:
            return None
        if isinstance(address, IPv4Address):
            tag = self._ipv4.tag(int(address))
        else:
            tag = self._ipv6.tag(int(address) >> _IPV6_REST)
        return None if tag is None else self._names[tag]


class _Table:
    """Networks by their first number, each with the length of its prefix and a tag."""

    def __init__(self, starts: "array[int]", lengths: bytes, tags: "array[int]", bits: int) -> None:
        self._starts, self._lengths, self._tags = starts, lengths, tags
        self._bits = bits

    def tag(self, number: int) -> int | None:
        """The tag of the network that the number lies in."""
        place = bisect_right(self._starts, number) - 1
        if place < 0:
            return None
        size = 1 << max(0, self._bits - self._lengths[place])
        return self._tags[place] if number < self._starts[place] + size else None


def _packaged() -> Path:
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise CountriesUnreadable("the package with the data file is not installed")
    return Path(found.origin).parent / DATA_FILE


def _read(path: Path) -> tuple[list[Any], list[str], list[Any], list[Any]]:
    """First numbers, "code:name", indexes of these, prefix lengths; all but names in chunks."""
    try:
        with gzip.open(path) as file:
            version, _, _, tables = _PlainUnpickler(file).load()
        _, names, first, codes, lengths = tables
    except (OSError, EOFError, ValueError, TypeError, pickle.UnpicklingError) as error:
        raise CountriesUnreadable("the data file of countries cannot be read") from error
    if version != DATA_FORMAT:
        raise CountriesUnreadable("the data file of countries has another format")
    return first, names, codes, lengths


def _country(name: str) -> str | None:
    code = name.partition(":")[0]
    real = len(code) == _COUNTRY_CHARACTERS and code.isalpha() and code not in _NO_COUNTRIES
    return code if real else None
