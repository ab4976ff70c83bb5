"""Handing the ends of the audit trail's chains to the main house, which seals them."""

from contract import relay
from vault.store.audit import AuditStore


class Witnessing:
    """Shows what the token door has written; none of it speaks of a card."""

    def __init__(self, store: AuditStore) -> None:
        self._store = store

    async def heads(self, request: relay.ListAuditHeads) -> relay.AuditHeads:
        """Where each chain stands."""
        rows = await self._store.heads(request.since, request.after, request.limit)
        return relay.AuditHeads(
            heads=[
                relay.AuditHead(
                    chain=row["chain"], sequence=row["sequence"], hash=bytes(row["hash"]).hex()
                )
                for row in rows
            ]
        )

    async def segment(self, request: relay.ReadAuditSegment) -> relay.AuditSegment:
        """A part of a chain."""
        rows = await self._store.segment(
            request.chain, request.after, request.through, request.limit
        )
        return relay.AuditSegment(
            entries=[
                relay.AuditEntry(
                    id=row["id"],
                    merchant_id=row["merchant_id"],
                    livemode=row["livemode"],
                    entry=row["entry"],
                    sequence=row["sequence"],
                    previous=bytes(row["previous"]).hex(),
                    hash=bytes(row["hash"]).hex(),
                )
                for row in rows
            ]
        )
