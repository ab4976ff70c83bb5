"""Making keys, and telling the vault of the publishable ones.

The vault is told before the change is committed.  Where the commit then fails, the vault
knows a key that nobody was given, or refuses one that its merchant was about to revoke:
both are harmless, and sending the request again mends them.  The other order could leave
a revoked key working.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from adapters.vault_door import NoAnswer
from contract import relay
from domain import api_keys
from domain.refusals import Unavailable
from flows.house import House
from models import accounts
from runtime.database import Row, Transaction
from runtime.masked import Masked


class Owner(NamedTuple):
    """Whose key it is, and in which mode."""

    merchant_id: UUID
    livemode: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new key shall be: `scopes` of a publishable one are none."""

    kind: Literal["secret", "publishable"]
    name: str
    scopes: list[str] = field(default_factory=list)
    expires_at: datetime | None = None
    ip_allowlist: list[str] | None = None


class MadeKey(NamedTuple):
    """A new key: its text, which is shown once, and its row."""

    text: Masked
    row: dict[str, Any]


async def make_key(house: House, owner: Owner, wanted: Wanted) -> MadeKey:
    """Make a key, hash a secret one, tell the vault nothing yet.

    PCI DSS 4.0.1 req. 8.3.2: what is kept of a secret key is its Argon2id hash.
    """
    key_id = house.new_id()
    parsed = api_keys.ParsedKey(wanted.kind, owner.livemode, owner.merchant_id, key_id)
    text = api_keys.compose(parsed, os.urandom(api_keys.SECRET_BYTES))
    secret = wanted.kind == "secret"
    row = {
        "id": key_id,
        "merchant_id": owner.merchant_id,
        "livemode": owner.livemode,
        "type": wanted.kind,
        "name": wanted.name,
        "secret_hash": await house.keys.hash_secret(text) if secret else None,
        "publishable_key": None if secret else text,
        "display": api_keys.display(text),
        "scopes": wanted.scopes,
        "ip_allowlist": wanted.ip_allowlist,
        "created_at": house.clock.now(),
        "expires_at": wanted.expires_at,
        "suspended_at": None,
        "revoked_at": None,
    }
    return MadeKey(Masked(text), row)


async def insert_key(transaction: Transaction, made: MadeKey) -> None:
    """Store a new key."""
    await transaction.run(accounts.INSERT_KEY, **made.row)


async def tell_vault(house: House, request_id: str, key: Mapping[str, Any] | Row) -> None:
    """Make the vault know a publishable key as this row says; nothing for a secret key.

    Raises 503 when the vault cannot learn it.
    """
    if key["type"] != "publishable":
        return
    message = relay.PublishKey(
        request_id=request_id,
        merchant_id=key["merchant_id"],
        livemode=key["livemode"],
        key=key["publishable_key"],
        revoked=key["revoked_at"] is not None,
        suspended=key["suspended_at"] is not None,
        expires_at=key["expires_at"],
    )
    await _tell(house, message)


async def negotiate_limit(
    house: House, request_id: str, merchant_id: UUID, multiplier: int
) -> None:
    """Multiply the limits of the merchant's publishable keys, those to come included.

    Raises 503 when the vault cannot learn it.
    """
    message = relay.NegotiateLimit(
        request_id=request_id, merchant_id=merchant_id, multiplier=multiplier
    )
    await _tell(house, message)


async def _tell(house: House, message: relay.Request) -> None:
    try:
        await house.vault.call(message)
    except NoAnswer as silence:
        raise Unavailable from silence
