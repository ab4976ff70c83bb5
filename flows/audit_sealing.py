"""Sealing the audit trail: the ends of all chains, of both houses, under a signed root.

The vault writes chains of its own and hands their ends over the private door: neither house
can rewrite what the other has seen.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from adapters.keys import PLATFORM, signing
from adapters.vault_door import NoAnswer
from contract import relay
from domain.audit_roots import (
    MAIN,
    VAULT,
    Root,
    SealedHead,
    key_name,
    next_place,
    root_hash,
    signed_bytes,
)
from domain.ids import to_text
from domain.retention import first_id
from flows.house import House
from models import audit_roots
from runtime.chained_rows import BEFORE_ALL, read_heads
from runtime.database import Transaction
from runtime.log import log

SEALED_PURPOSE: Final = "audit root signing key"
CHAINS_PER_QUESTION: Final = 500
VAULT_SECONDS: Final = 5.0
VAULT_ATTEMPTS: Final = 3
VAULT_PAUSE_SECONDS: Final = 0.5
# Entries are stored within seconds; those that had to wait lie in last month at the oldest.
LOOKED_BACK: Final = timedelta(days=35)


async def seal_heads(house: House) -> int:
    """Seal what has grown since the last root; 0, so that the next minute is waited for."""
    now = house.clock.now()
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    since = first_id(now - LOOKED_BACK)
    heads = await _own_heads(house, since) + await _vaults_heads(house, since)
    async with house.database.transaction() as transaction:
        await audit_roots.take_turn(transaction)
        sealed = await audit_roots.sealed_sequences(transaction, [head.chain for head in heads])
        grown = [head for head in heads if head.sequence > sealed.get(head.chain, 0)]
        if grown:
            await _seal(house, transaction, grown, now)
    return 0


async def _seal(
    house: House, transaction: Transaction, heads: list[SealedHead], now: datetime
) -> None:
    number, previous = next_place(await audit_roots.last_root(transaction))
    name, secret = await _signing_key(house, transaction, now)
    hashed = root_hash(previous, number, now, heads)
    signature = signing.sign(secret, signed_bytes(number, hashed))
    root = Root(number, now, previous, hashed, name, signature)
    await audit_roots.add_root(transaction, root, heads)
    log("audit_sealed", root=number, chains=len(heads))


async def _signing_key(house: House, transaction: Transaction, now: datetime) -> tuple[str, bytes]:
    """Name and secret half of the key; the first root makes it."""
    row = await audit_roots.signing_key(transaction)
    if row is not None:
        return row["key_name"], await house.seals.open(PLATFORM, SEALED_PURPOSE, row["sealed"])
    public, secret = signing.new_key()
    sealed = await house.seals.seal(PLATFORM, SEALED_PURPOSE, secret)
    await audit_roots.add_signing_key(transaction, key_name(public), public, sealed, now)
    return key_name(public), secret


async def _own_heads(house: House, since: UUID) -> list[SealedHead]:
    found: list[SealedHead] = []
    after = BEFORE_ALL
    async with house.database.reading() as transaction:
        while rows := await read_heads(transaction, since, after, CHAINS_PER_QUESTION):
            found += [
                SealedHead(MAIN, row["chain"], row["sequence"], bytes(row["hash"])) for row in rows
            ]
            after = rows[-1]["chain"]
    return found


async def _vaults_heads(house: House, since: UUID) -> list[SealedHead]:
    """The ends of the vault's chains; a vault out of reach is sealed in the next minute."""
    found: list[SealedHead] = []
    after = BEFORE_ALL
    while True:
        question = relay.ListAuditHeads(
            request_id=to_text("req", house.new_id()),
            since=since,
            after=after,
            limit=CHAINS_PER_QUESTION,
        )
        answer = await _asked(house, question)
        if answer is None:
            log("audit_heads_of_vault_missing")
            return found
        if not isinstance(answer, relay.AuditHeads):
            raise TypeError("the vault answered something else than heads")
        if not answer.heads:
            return found
        found += [
            SealedHead(VAULT, head.chain, head.sequence, bytes.fromhex(head.hash))
            for head in answer.heads
        ]
        after = answer.heads[-1].chain


async def _asked(house: House, question: relay.ListAuditHeads) -> relay.Answer | None:
    """The vault's answer; a process that has just started has no connection yet."""
    for _ in range(VAULT_ATTEMPTS):
        try:
            return await house.vault.call(question, VAULT_SECONDS)
        except NoAnswer:
            await asyncio.sleep(VAULT_PAUSE_SECONDS)
    return None
