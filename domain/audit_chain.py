"""The chain that makes a changed audit entry show (PCI DSS 4.0.1 req. 10.3.2, 10.3.4).

Every process instance has a chain of its own for each month: one chain for all would make
every writer wait for every other.  An entry's hash covers the hash before it, so nothing can
be changed, taken out, put in or moved without breaking what follows.  What a broken tail
would hide is held by the roots (domain/audit_roots.py).

This is the one description of the canonical bytes: API, vault and `scripts/audit` share it.
"""

import hashlib
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

HASH_BYTES: Final = 32
SEQUENCE_BYTES: Final = 8
FIRST_SEQUENCE: Final = 1
# Chains begin here; the chain's own id is in every hash, so no two begin alike.
GENESIS: Final = bytes(HASH_BYTES)
# Entries of callers that no merchant is known of belong to this one.
NOBODY: Final = UUID(int=0)
_MODES: Final = {None: b"-", False: b"t", True: b"l"}
_DAY_MS: Final = 86_400_000
_MILLISECOND_BITS: Final = 80


class Head(NamedTuple):
    """The end of a chain: how many entries it has and the hash of the last."""

    chain: UUID
    sequence: int
    hash: bytes


class Unchained(NamedTuple):
    """An entry before it has a place in a chain; `entry` is its JSON as it is stored."""

    id: UUID
    merchant_id: UUID
    livemode: bool | None
    entry: bytes


def month_of(identifier: UUID) -> str:
    """The month (UTC) of a UUIDv7, as `2026-11`: that of the partition it lies in."""
    return _month_of_day((identifier.int >> _MILLISECOND_BITS) // _DAY_MS)


@lru_cache(4)
def _month_of_day(day: int) -> str:
    return datetime.fromtimestamp(day * _DAY_MS / 1000, UTC).strftime("%Y-%m")


def chain_id(instance: UUID, month: str) -> UUID:
    """The id of the chain of a process instance and a month."""
    return UUID(bytes=hashlib.sha256(instance.bytes + month.encode()).digest()[:16])


def digest(previous: bytes, chain: UUID, sequence: int, row: Unchained) -> bytes:
    """The hash of an entry: SHA-256 over the hash before it and the entry's canonical bytes.

    Canonical: chain, sequence (8 bytes, big-endian), id, merchant id, one letter for the mode
    (`l` live, `t` test, `-` none), then the entry's JSON byte by byte as it is stored.
    """
    return hashlib.sha256(
        b"".join(
            (
                previous,
                chain.bytes,
                sequence.to_bytes(SEQUENCE_BYTES, "big"),
                row.id.bytes,
                row.merchant_id.bytes,
                _MODES[row.livemode],
                row.entry,
            )
        )
    ).digest()


class Chains:
    """The chains that one process instance writes, one per month."""

    def __init__(self, instance: UUID) -> None:
        self._instance = instance
        self._heads: dict[str, Head] = {}

    def row(
        self, identifier: UUID, merchant_id: UUID, livemode: bool | None, entry: dict[str, Any]
    ) -> bytes:
        """Give an entry the next place in its chain; the row as JSON, ready to be stored.

        `entry["timestamp"]` is its moment.  What was given a place must be stored, in order.
        """
        unchained = Unchained(identifier, merchant_id, livemode, orjson.dumps(entry))
        month = month_of(identifier)
        head = self._heads.get(month)
        if head is None:
            head = Head(chain_id(self._instance, month), FIRST_SEQUENCE - 1, GENESIS)
        sequence = head.sequence + 1
        hashed = digest(head.hash, head.chain, sequence, unchained)
        row = orjson.dumps(
            {
                "id": identifier,
                "merchant_id": merchant_id,
                "livemode": livemode,
                "entry": orjson.Fragment(unchained.entry),
                "created_at": entry["timestamp"],
                "chain": head.chain,
                "sequence": sequence,
                "previous": "\\x" + head.hash.hex(),
                "hash": "\\x" + hashed.hex(),
            }
        )
        self._heads[month] = Head(head.chain, sequence, hashed)
        return row
