"""Roots: what the ends of all chains were, once a minute, signed (PCI DSS 4.0.1 req. 10.3.4).

A chain shows a change in its middle; a root shows a tail that was cut off, or a chain that
was written anew from somewhere to its end.  Roots are a chain themselves.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from domain.audit_chain import GENESIS

MAIN: Final = "main"
VAULT: Final = "vault"
FIRST_ROOT: Final = 1
NUMBER_BYTES: Final = 8
KEY_NAME_CHARACTERS: Final = 16
_SIGNED: Final = b"paymint audit root v1\n"


class SealedHead(NamedTuple):
    """Where a chain of a house stood when a root was sealed."""

    house: str
    chain: UUID
    sequence: int
    hash: bytes


class Root(NamedTuple):
    """One root: `hash` covers the root before it, the moment and every head."""

    number: int
    sealed_at: datetime
    previous: bytes
    hash: bytes
    key_name: str
    signature: bytes


def root_hash(
    previous: bytes, number: int, sealed_at: datetime, heads: Sequence[SealedHead]
) -> bytes:
    """SHA-256 over the hash before, the number, the moment (ms) and the heads by house, chain."""
    parts = [previous, number.to_bytes(NUMBER_BYTES, "big"), _moment(sealed_at)]
    for head in sorted(heads):
        parts.append(head.house.encode() + b"\0" + head.chain.bytes)
        parts.append(head.sequence.to_bytes(NUMBER_BYTES, "big") + head.hash)
    return hashlib.sha256(b"".join(parts)).digest()


def signed_bytes(number: int, hashed: bytes) -> bytes:
    """What the signature of a root is over."""
    return _SIGNED + number.to_bytes(NUMBER_BYTES, "big") + hashed


def key_name(public: bytes) -> str:
    """The name of a signing key: the beginning of the hash of its public half."""
    return hashlib.sha256(public).hexdigest()[:KEY_NAME_CHARACTERS]


def next_place(last: Root | None) -> tuple[int, bytes]:
    """Number of the root after `last`, and the hash that it continues."""
    return (FIRST_ROOT, GENESIS) if last is None else (last.number + 1, last.hash)


def manifest(root: Root, heads: Sequence[SealedHead], entries: int, digest: str) -> dict[str, Any]:
    """What is archived beside a root's entries; `digest` is the SHA-256 of their object."""
    return {
        "root": root.number,
        "sealed_at": root.sealed_at.isoformat(timespec="milliseconds"),
        "previous": root.previous.hex(),
        "hash": root.hash.hex(),
        "key_name": root.key_name,
        "signature": root.signature.hex(),
        "heads": [
            {"house": h.house, "chain": h.chain.hex, "sequence": h.sequence, "hash": h.hash.hex()}
            for h in sorted(heads)
        ],
        "entries": entries,
        "entries_sha256": digest,
    }


def from_manifest(told: dict[str, Any]) -> tuple[Root, list[SealedHead]]:
    """The root of a manifest and its heads; raises KeyError, ValueError when it is none."""
    root = Root(
        told["root"],
        datetime.fromisoformat(told["sealed_at"]),
        bytes.fromhex(told["previous"]),
        bytes.fromhex(told["hash"]),
        told["key_name"],
        bytes.fromhex(told["signature"]),
    )
    heads = [
        SealedHead(h["house"], UUID(hex=h["chain"]), h["sequence"], bytes.fromhex(h["hash"]))
        for h in told["heads"]
    ]
    return root, heads


def _moment(moment: datetime) -> bytes:
    return moment.isoformat(timespec="milliseconds").encode()
