"""Wrapped data keys, and the publishable keys that the main house has announced."""

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from runtime.database import Database, compile_sql
from runtime.wrapped_keys import KeyTables, WrappedKeyStore
from vault.store.tables import data_keys, master_keys, negotiated_limits, publishable_keys

# A merchant's keys have changed; every process of the vault looks for the new ones.
KEYS_CHANNEL: Final = "paymint_vault_keys"
_ANNOUNCE_KEYS = compile_sql(
    sa.select(sa.func.pg_notify(KEYS_CHANNEL, sa.bindparam("merchant", type_=sa.Text)))
)
_TABLES = KeyTables(data_keys, master_keys, owner="merchant_id", use="purpose", seal="seal")
_ANNOUNCED = insert(publishable_keys).values(
    key=sa.bindparam("key"),
    merchant_id=sa.bindparam("merchant_id"),
    livemode=sa.bindparam("livemode"),
    revoked=sa.bindparam("revoked"),
    suspended=sa.bindparam("suspended", type_=sa.Boolean),
    expires_at=sa.bindparam("expires_at", type_=publishable_keys.c.expires_at.type),
)
# Revocation is final: an announcement that comes late does not undo it.
_ANNOUNCE = compile_sql(
    _ANNOUNCED.on_conflict_do_update(
        index_elements=[publishable_keys.c.key, publishable_keys.c.merchant_id],
        set_={
            "revoked": publishable_keys.c.revoked.op("OR")(_ANNOUNCED.excluded.revoked),
            "suspended": _ANNOUNCED.excluded.suspended,
            "expires_at": _ANNOUNCED.excluded.expires_at,
        },
    )
)
_NEGOTIATED = insert(negotiated_limits).values(
    merchant_id=sa.bindparam("merchant_id"), multiplier=sa.bindparam("multiplier")
)
_NEGOTIATE = compile_sql(
    _NEGOTIATED.on_conflict_do_update(
        index_elements=[negotiated_limits.c.merchant_id],
        set_={"multiplier": _NEGOTIATED.excluded.multiplier},
    )
)
_LOOK_UP = compile_sql(
    sa.select(
        publishable_keys.c.merchant_id,
        publishable_keys.c.livemode,
        publishable_keys.c.revoked,
        publishable_keys.c.suspended,
        publishable_keys.c.expires_at,
        sa.func.coalesce(negotiated_limits.c.multiplier, sa.literal_column("1")).label(
            "rate_limit_multiplier"
        ),
    )
    .select_from(
        publishable_keys.outerjoin(
            negotiated_limits,
            negotiated_limits.c.merchant_id == publishable_keys.c.merchant_id,
        )
    )
    .where(publishable_keys.c.key == sa.bindparam("key"))
)
_TOUCH = compile_sql(sa.select(sa.literal_column("1")))


class PublishableKey(NamedTuple):
    """Whose key it is, whether it still opens the token door, and how often."""

    merchant_id: UUID
    livemode: bool
    revoked: bool
    suspended: bool = False
    expires_at: datetime | None = None
    # The merchant's, which is told by itself and not with its keys.
    rate_limit_multiplier: int = 1


async def announce_keys(database: Database, merchant_id: UUID) -> None:
    """Have every process of the vault read this merchant's keys again."""
    async with database.transaction() as transaction:
        await transaction.run(_ANNOUNCE_KEYS, merchant=merchant_id.hex)


class DataKeyStore(WrappedKeyStore):
    """Wrapped keys of merchants; the keyring's store."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, _TABLES)


class PublishableKeyStore:
    """The vault's own table of publishable keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def announce(self, key: str, of: PublishableKey) -> None:
        """Remember a key as it stands now; one that was revoked stays so."""
        async with self._database.transaction() as transaction:
            await transaction.run(
                _ANNOUNCE,
                key=key,
                merchant_id=of.merchant_id,
                livemode=of.livemode,
                revoked=of.revoked,
                suspended=of.suspended,
                expires_at=of.expires_at,
            )

    async def negotiate(self, merchant_id: UUID, multiplier: int) -> None:
        """Remember how many times the usual limits the merchant's keys have."""
        async with self._database.transaction() as transaction:
            await transaction.run(_NEGOTIATE, merchant_id=merchant_id, multiplier=multiplier)

    async def look_up(self, key: str) -> PublishableKey | None:
        """The key's row; None when it was never announced."""
        async with self._database.transaction() as transaction:
            row = await transaction.maybe(_LOOK_UP, key=key)
        return PublishableKey(**row) if row else None

    async def touch(self) -> None:
        """Ask the database for nothing; raises DatabaseUnavailable."""
        async with self._database.transaction() as transaction:
            await transaction.one(_TOUCH)
