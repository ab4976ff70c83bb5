"""The signed roots of the audit trail: what is sealed, what is archived."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from domain.audit_roots import Root, SealedHead
from models.tables import AUDIT_EXPORTS, AUDIT_HEADS, AUDIT_KEYS, AUDIT_ROOTS
from runtime.database import Row, Transaction, compile_sql

# Two workers that seal at once take turns.
_SEALING_LOCK = 0x7061_796D_726F_6F74

_LOCK = compile_sql(sa.select(sa.func.pg_advisory_xact_lock(sa.literal_column(str(_SEALING_LOCK)))))
_LAST = compile_sql(sa.select(AUDIT_ROOTS).order_by(AUDIT_ROOTS.c.number.desc()).limit(1))
_SEALED = compile_sql(
    sa.select(AUDIT_HEADS.c.chain, sa.func.max(AUDIT_HEADS.c.sequence).label("sequence"))
    .where(AUDIT_HEADS.c.chain == sa.any_(sa.bindparam("chains", type_=ARRAY(sa.Uuid()))))
    .group_by(AUDIT_HEADS.c.chain)
)


def _adding(table: sa.Table) -> Any:
    given = {column.name: sa.bindparam(column.name, type_=column.type) for column in table.c}
    return insert(table).values(**given)


_ADD_ROOT = compile_sql(_adding(AUDIT_ROOTS))
_ADD_HEAD = compile_sql(_adding(AUDIT_HEADS))
_ADD_KEY = compile_sql(_adding(AUDIT_KEYS).on_conflict_do_nothing())
_ADD_EXPORT = compile_sql(_adding(AUDIT_EXPORTS).on_conflict_do_nothing())
_KEY = compile_sql(
    sa.select(AUDIT_KEYS).order_by(AUDIT_KEYS.c.created_at.desc(), AUDIT_KEYS.c.key_name).limit(1)
)
_KEYS = compile_sql(sa.select(AUDIT_KEYS.c.key_name, AUDIT_KEYS.c.public))
_ARCHIVED = sa.select(AUDIT_EXPORTS.c.root).where(
    AUDIT_EXPORTS.c.root == AUDIT_ROOTS.c.number,
    AUDIT_EXPORTS.c.archive == sa.bindparam("archive", type_=sa.Text),
)
_TO_ARCHIVE = compile_sql(
    sa.select(AUDIT_ROOTS)
    .where(AUDIT_ROOTS.c.number > sa.bindparam("after", type_=sa.BigInteger), ~_ARCHIVED.exists())
    .order_by(AUDIT_ROOTS.c.number)
    .limit(1)
)
_EARLIER = AUDIT_HEADS.alias("earlier")
# Every head of a root, and how far its chain was sealed before.
_SEGMENTS = compile_sql(
    sa.select(
        AUDIT_HEADS,
        sa.func.coalesce(
            sa.select(sa.func.max(_EARLIER.c.sequence))
            .where(
                _EARLIER.c.chain == AUDIT_HEADS.c.chain,
                _EARLIER.c.sequence < AUDIT_HEADS.c.sequence,
            )
            .scalar_subquery(),
            sa.literal_column("0"),
        ).label("after"),
    )
    .where(AUDIT_HEADS.c.root == sa.bindparam("root", type_=sa.BigInteger))
    .order_by(AUDIT_HEADS.c.house, AUDIT_HEADS.c.chain)
)


async def take_turn(transaction: Transaction) -> None:
    """Wait until no other process seals; until the end of the transaction none will."""
    await transaction.all(_LOCK)


async def last_root(transaction: Transaction) -> Root | None:
    """The newest root."""
    row = await transaction.maybe(_LAST)
    return None if row is None else _root(row)


async def sealed_sequences(transaction: Transaction, chains: Sequence[UUID]) -> dict[UUID, int]:
    """How far each of these chains is sealed; those that are not at all are left out."""
    rows = await transaction.all(_SEALED, chains=list(chains))
    return {row["chain"]: row["sequence"] for row in rows}


async def add_root(transaction: Transaction, root: Root, heads: Sequence[SealedHead]) -> None:
    """Store a root and the heads that it seals."""
    await transaction.run(_ADD_ROOT, **root._asdict())
    for head in heads:
        await transaction.run(_ADD_HEAD, **head._asdict(), root=root.number)


async def signing_key(transaction: Transaction) -> Row | None:
    """key_name, public and sealed half of the key that signs now."""
    return await transaction.maybe(_KEY)


async def add_signing_key(
    transaction: Transaction, key_name: str, public: bytes, sealed: bytes, now: datetime
) -> None:
    """Store a key pair; the secret half is sealed."""
    await transaction.run(_ADD_KEY, key_name=key_name, public=public, sealed=sealed, created_at=now)


async def public_keys(transaction: Transaction) -> dict[str, bytes]:
    """The public half of every key that ever signed, by its name."""
    return {row["key_name"]: bytes(row["public"]) for row in await transaction.all(_KEYS)}


async def next_to_archive(transaction: Transaction, archive: str, after: int) -> Root | None:
    """The oldest root with a number over `after` that this archive does not hold."""
    row = await transaction.maybe(_TO_ARCHIVE, archive=archive, after=after)
    return None if row is None else _root(row)


async def segments_of(transaction: Transaction, root: int) -> list[tuple[SealedHead, int]]:
    """The heads of a root, each with the sequence up to which its chain was sealed before."""
    rows = await transaction.all(_SEGMENTS, root=root)
    return [
        (SealedHead(row["house"], row["chain"], row["sequence"], bytes(row["hash"])), row["after"])
        for row in rows
    ]


async def add_export(
    transaction: Transaction, root: int, archive: str, digest: bytes, now: datetime
) -> None:
    """Note that an archive holds a root and its entries."""
    await transaction.run(_ADD_EXPORT, root=root, archive=archive, digest=digest, created_at=now)


def _root(row: Row) -> Root:
    return Root(
        row["number"],
        row["sealed_at"],
        bytes(row["previous"]),
        bytes(row["hash"]),
        row["key_name"],
        bytes(row["signature"]),
    )
